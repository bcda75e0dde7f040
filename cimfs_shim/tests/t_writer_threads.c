/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer_threads.c - one session used by many threads, and many sessions at once, on real files
 *
 * A session's calls wait for each other; who finds another's stream open is told so and tries
 * again. Run it with -fsanitize=thread as well, when the writer's locking changes.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "libcim_advanced.h"
#include "tap.h"

enum { THREADS = 4, FILES = 150 };

struct job {
	struct cim_writer *writer;
	const char *dir;
	unsigned number;
	unsigned wrong, busy;
};

/* Add a file, as often as it takes. */
static enum cim_status add(struct job *job, unsigned n)
{
	struct cim_metadata meta = {CIM_SIZED(meta), .size = 100};
	struct cim_stream *stream;
	enum cim_status status;
	char path[40], text[100];

	snprintf(path, sizeof(path), "file %u of %u", n, job->number);
	memset(text, (int)('a' + n % 20), sizeof(text));
	while ((status = cim_writer_add(job->writer, cim_str8(path), &meta, &stream, NULL)) ==
	       CIM_E_SHARING) {
		job->busy++;
		sched_yield();
	}
	if (status)
		return status;
	for (int part = 0; part < 4 && !status; part++) {
		status = cim_stream_write(stream, text + 25 * part, 25, NULL, NULL);
		sched_yield(); /* let the others find the stream open */
	}
	cim_stream_close(stream);
	return status;
}

static void *add_files(void *arg)
{
	struct job *job = arg;
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	char path[40];
	bool exists;

	for (unsigned n = 0; n < FILES; n++) {
		job->wrong += add(job, n) != CIM_OK;
		snprintf(path, sizeof(path), "file %u of %u", n, job->number);
		job->wrong += cim_writer_lookup(job->writer, cim_str8(path), &exists, NULL) ||
			      !exists;
		job->wrong += cim_writer_get_stats(job->writer, &stats, NULL) ||
			      stats.files < n + 1;
	}
	return NULL;
}

/* A session of its own, in a directory of its own. */
static void *whole_session(void *arg)
{
	struct job *job = arg;
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/%u", job->dir, job->number);
	mkdir(dir, 0777);
	if (cim_writer_open(NULL, dir, NULL, "image.cim", 0, &job->writer, NULL)) {
		job->wrong++;
		return NULL;
	}
	add_files(job);
	job->wrong += cim_writer_commit(job->writer, NULL) != CIM_OK;
	cim_writer_close(job->writer);
	return NULL;
}

static void run(struct job *jobs, void *(*work)(void *))
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, &jobs[i]))
			bail("no thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Errors that verify finds, and the items of the root. */
static uint64_t look(const char *dir, unsigned *items)
{
	struct cim_image *image;
	struct cim_iter *iter;
	struct cim_verify_result result = {CIM_SIZED(result)};
	char path[512];

	*items = 0;
	snprintf(path, sizeof(path), "%s/image.cim", dir);
	if (cim_image_open(NULL, path, &image, NULL))
		return 1;
	if (cim_image_verify(image, CIM_VERIFY_DEEP, NULL, NULL, &result, NULL))
		result.errors = 1;
	if (!cim_iter_dir(image, 1, &iter, NULL)) {
		*items = cim_iter_count(iter);
		cim_iter_close(iter);
	}
	cim_image_close(image);
	return result.errors;
}

int main(void)
{
	const char *dir = getenv("TEST_TMP");
	struct job jobs[THREADS] = {{0}};
	unsigned wrong = 0, busy = 0, items;
	struct cim_writer *writer, *second;
	char path[512];

	if (!dir)
		bail("TEST_TMP is not set");
	if (cim_writer_open(NULL, dir, NULL, "image.cim", 0, &writer, NULL))
		bail("no session");
	is_int(cim_writer_open(NULL, dir, NULL, "other.cim", 0, &second, NULL), CIM_E_SHARING,
	       "a second session in the directory is refused");
	for (unsigned i = 0; i < THREADS; i++)
		jobs[i] = (struct job){.writer = writer, .number = i};
	run(jobs, add_files);
	for (int i = 0; i < THREADS; i++) {
		wrong += jobs[i].wrong;
		busy += jobs[i].busy;
	}
	is_int(wrong, 0, "four threads add to one session");
	diag("%u times another's stream was open", busy);
	is_int(cim_writer_commit(writer, NULL), CIM_OK, "the commit succeeds");
	cim_writer_close(writer);
	is_int(look(dir, &items), 0, "the image is sound");
	is_int(items, THREADS * FILES, "and has all files");
	for (unsigned i = 0; i < THREADS; i++)
		jobs[i] = (struct job){.dir = dir, .number = i};
	run(jobs, whole_session);
	for (unsigned i = 0; i < THREADS; i++) {
		snprintf(path, sizeof(path), "%s/%u", dir, i);
		is_int(jobs[i].wrong, 0, "session %u of four at once", i);
		ok(!look(path, &items) && items == FILES, "its image is sound and whole");
	}
	return tap_done();
}
