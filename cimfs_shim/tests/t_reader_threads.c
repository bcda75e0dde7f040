/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several threads read one image at once: more region files than may be open, and more metadata
 * than the cache holds, so that files are closed and blocks given up while others use them.
 */
#include "minisample.h"
#include "tap.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = 8, ROUNDS = 3000, REGIONS = 200, FILES = 60000 };

struct job {
	struct cim_image *image;
	uint32_t root, big;
	unsigned seed;
	unsigned wrong;
	struct read_all all;
};

static void expect(struct job *job, bool good, const struct cim_error *err)
{
	if (!good && !job->wrong++)
		diag("thread %u: %s: %s", job->seed, cim_status_name(err->status), err->cause);
}

/* The first run of a stream, fetched from its file while others open and close files. */
static bool run_is(struct cim_image *image, const struct cim_data *data, const char *text,
		   struct cim_error *err)
{
	struct cim_run run = {CIM_SIZED(run)};
	const struct mem_flat *file;
	bool good;

	if (cim_image_get_run(image, data, 0, 64, &run, err))
		return false;
	sched_yield();
	file = (const struct mem_flat *)run.native;
	good = run.kind == CIM_RUN_FILE && run.len == strlen(text) && file &&
	       !memcmp(file->bytes + run.offset, text, strlen(text));
	cim_run_put(image, &run);
	return good;
}

static void *run(void *arg)
{
	struct job *job = (struct job *)arg;
	uint64_t x = job->seed;
	struct cim_error err = {.status = CIM_OK};

	for (unsigned round = 0; round < ROUNDS; round++) {
		char name[32], text[32];
		struct cim_data data = {CIM_SIZED(data)};
		struct cim_file_info info = {CIM_SIZED(info)};
		uint8_t buf[64];
		size_t got = 0;
		uint32_t id = 0;
		unsigned n;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		n = (unsigned)(x >> 33) % REGIONS;
		snprintf(name, sizeof(name), "R%u", n);
		snprintf(text, sizeof(text), "in region %u", n);
		expect(job,
		       !cim_image_lookup(job->image, cim_str8(name), &id, &err) &&
			       !cim_image_get_data(job->image, id, cim_str8(NULL), &data, &err) &&
			       !cim_image_read(job->image, &data, 0, buf, sizeof(buf), &got,
					       &err) &&
			       got == strlen(text) && !memcmp(buf, text, got) &&
			       run_is(job->image, &data, text, &err),
		       &err);
		n = (unsigned)(x >> 40) % FILES;
		snprintf(name, sizeof(name), "f%06u", n);
		expect(job,
		       !cim_image_lookup_at(job->image, job->big, cim_str8(name), true, &id,
					    &err) &&
			       id == job->big + 1 + n &&
			       !cim_image_stat(job->image, id, &info, &err) &&
			       info.creation_time == n,
		       &err);
	}
	return NULL;
}

static void *walk_all(void *arg)
{
	struct job *job = (struct job *)arg;

	job->all.digest = UINT64_C(0xcbf29ce484222325);
	read_image(job->image, &job->all);
	return NULL;
}

static struct mini *make_big(uint32_t *big)
{
	struct mini *m = mini_new();
	struct mini_link *links = (struct mini_link *)calloc(FILES, sizeof(*links));
	struct mini_link top[REGIONS + 1];
	unsigned n = 0;

	mini_set_of(m, 1, REGIONS - 5, REGIONS - 5);
	mini_set_of(m, 2, 5, 5);
	mini_put_upcase(m, 0);
	m->root = mini_record(m);
	for (unsigned i = 0; i < REGIONS; i++) {
		char name[32], text[32];
		uint32_t id = mini_record(m);

		snprintf(name, sizeof(name), "r%u", i);
		snprintf(text, sizeof(text), "in region %u", i);
		mini_stream(m, id, mini_put(m, i, text, strlen(text), 8), strlen(text), 0, false);
		top[n++] = mini_link(name, id, 0);
	}
	*big = mini_record(m);
	for (unsigned i = 0; i < FILES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%06u", i);
		links[i] = mini_link(name, mini_record(m), 0);
		mini_field(m, (uint32_t)links[i].value[0], 8, i, 8);
	}
	mini_dir(m, *big, REGIONS - 5, links, FILES, true);
	top[n++] = mini_link("big", *big, 0);
	mini_finish_dir(m, "t.cim", REGIONS - 5, top, n, true);
	free(links);
	return m;
}

static void hammer(struct cim_image *image, uint32_t big, void *(*body)(void *), struct job *jobs)
{
	pthread_t threads[THREADS];
	bool started[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		memset(&jobs[i], 0, sizeof(jobs[i]));
		jobs[i].image = image;
		jobs[i].big = big;
		jobs[i].seed = i + 1;
		started[i] = !pthread_create(&threads[i], NULL, body, &jobs[i]);
		if (!started[i])
			bail("no thread");
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	static struct job jobs[THREADS];
	uint32_t big;
	struct mini *m = make_big(&big), *sample;
	struct cim_image *image;
	struct cim_error err;
	struct read_all alone;
	unsigned wrong = 0;

	m->vfs.map = memfs_map;
	image = mini_open(m, "mem/t.cim");
	hammer(image, big, run, jobs);
	for (unsigned i = 0; i < THREADS; i++)
		wrong += jobs[i].wrong;
	is_int(wrong, 0, "%d threads look up and read, %d times each", THREADS, ROUNDS);
	ok(m->fs->peak_open_files > 60 && m->fs->peak_open_files <= 64 + THREADS + 1,
	   "of %d region files at most %ld were open", REGIONS, m->fs->peak_open_files);
	ok(m->fs->peak_bytes > (4L << 20) && m->fs->peak_bytes < (5L << 20),
	   "with a full cache, and %ld bytes of memory in all", m->fs->peak_bytes);
	cim_image_close(image);
	ok(mini_is_clean(m), "nothing stays behind");
	mini_free(m);

	sample = mini_sample();
	if (read_all(&sample->env, "mem/s.cim", &alone) || alone.failed ||
	    cim_image_open(&sample->env, "mem/s.cim", &image, &err))
		bail("%s", err.cause);
	hammer(image, 0, walk_all, jobs);
	for (unsigned i = 0; i < THREADS; i++)
		wrong += jobs[i].all.failed || jobs[i].all.digest != alone.digest;
	is_int(wrong, 0, "%d threads walk and read everything", THREADS);
	cim_image_close(image);
	mini_free(sample);
	return tap_done();
}
