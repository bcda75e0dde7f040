/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a stream's bytes lie (cim_image_get_run()), for those who take them from the file itself.
 *
 * The "native handle" of the files in memory is the address of their struct mem_flat, so that a
 * test can fetch a run's bytes past the library; on disk it is a real descriptor. What is fetched
 * must be what cim_image_read() reads.
 */
#define _POSIX_C_SOURCE 200809L
#include "minisample.h"
#include "tap.h"

#include <fcntl.h>
#include <unistd.h>

static struct cim_error err;

static intptr_t no_native(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len,
			  uint64_t *place)
{
	(void)offset;
	(void)len;
	(void)place;
	(void)ctx;
	(void)file;
	return -1;
}

/* With native handles. */
static struct cim_image *open_native(struct mini *m, const char *path)
{
	m->vfs.map = memfs_map;
	return mini_open(m, path);
}

static struct cim_data data_of(struct cim_image *image, const char *path, const char *stream)
{
	struct cim_data data = {CIM_SIZED(data)};
	uint32_t id;

	if (cim_image_lookup(image, cim_str8(path), &id, &err) ||
	    cim_image_get_data(image, id, cim_str8(stream), &data, &err))
		bail("%s: %s", path, err.cause);
	return data;
}

static void is_status(enum cim_status got, enum cim_status want, const char *name)
{
	if (!is_str(cim_status_name(got), cim_status_name(want), "%s", name) || got)
		diag("cause: %s", got ? err.cause : "none");
}

/* Fetch a run's bytes. */
static bool fetch(const struct cim_run *run, bool on_disk, uint8_t *buf)
{
	const struct mem_flat *file = (const struct mem_flat *)run->native;

	switch (run->kind) {
	case CIM_RUN_ZEROS:
		memset(buf, 0, (size_t)run->len);
		return run->native == -1 && !run->offset;
	case CIM_RUN_FILE:
		if (on_disk)
			return pread((int)run->native, buf, (size_t)run->len, (off_t)run->offset) ==
			       (ssize_t)run->len;
		if (run->offset > file->size || run->len > file->size - run->offset)
			return false;
		memcpy(buf, file->bytes + run->offset, (size_t)run->len);
		return true;
	default:
		return false;
	}
}

/* Put [offset, offset + len) of a stream together from its runs; the bytes got, *runs counts. */
static size_t gather(struct cim_image *image, const struct cim_data *data, bool on_disk,
		     uint64_t offset, uint8_t *buf, size_t len, unsigned *runs)
{
	struct cim_run run = {CIM_SIZED(run)};
	size_t got = 0;
	bool good = true;

	for (*runs = 0; good && got < len; ++*runs) {
		if (cim_image_get_run(image, data, offset + got, len - got, &run, &err)) {
			diag("at %llu: %s", (unsigned long long)(offset + got), err.cause);
			break;
		}
		if (run.kind == CIM_RUN_NONE)
			break;
		good = run.len && run.len <= len - got && fetch(&run, on_disk, buf + got);
		got += (size_t)run.len;
		cim_run_put(image, &run);
	}
	return good ? got : SIZE_MAX;
}

/* Runs against cim_image_read(), from many offsets in many lengths. */
static unsigned compare(struct cim_image *image, const struct cim_data *data, bool on_disk,
			unsigned *most)
{
	enum { ROOM = 20000 };
	static uint8_t want[ROOM], got[ROOM];
	const uint64_t end = data->size < ROOM ? data->size : ROOM;
	unsigned wrong = 0, runs = 0;

	for (uint64_t o = 0; o <= end + 5; o += o < 20 ? 1 : 117) {
		for (size_t len = 1; len < ROOM; len = len * 3 + 1) {
			size_t n = 0;

			if (cim_image_read(image, data, o, want, len, &n, &err) ||
			    gather(image, data, on_disk, o, got, len, &runs) != n ||
			    memcmp(want, got, n))
				wrong++;
			if (most && runs > *most)
				*most = runs;
		}
	}
	return wrong;
}

static const struct {
	const char *path, *stream;
} streams[] = {
	{"Alpha.txt", NULL}, {"beta", NULL},	  {"pe.exe", NULL},
	{"sparse", NULL},    {"streams1", NULL},  {"streams1", "One"},
	{"streams1", "two"}, {"streams2", "One"}, {"zero", NULL},
};

static void test_same_as_read(struct cim_image *image, bool on_disk)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct cim_data data = data_of(image, streams[i].path, streams[i].stream);
		unsigned most = 0;

		is_int(compare(image, &data, on_disk, &most), 0,
		       "%s%s%s: its runs hold its bytes%s", streams[i].path,
		       streams[i].stream ? ":" : "", streams[i].stream ? streams[i].stream : "",
		       on_disk ? ", on disk" : "");
		if (data.pe)
			ok(most > SAMPLE_PE_MAPPINGS, "a PE image lies in %u pieces",
			   most - 1 /* the last one is the end */);
	}
}

static void test_kinds(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = open_native(m, "mem/s.cim");
	struct cim_data data = data_of(image, "sparse", NULL);
	struct cim_run run = {CIM_SIZED(run)};
	long files;

	is_status(cim_image_get_run(image, &data, 4096, UINT64_MAX, &run, &err), CIM_OK,
		  "a run of a sparse stream");
	ok(run.kind == CIM_RUN_ZEROS && run.len == SAMPLE_SPARSE - 4096 && run.native == -1,
	   "zeros up to its end: kind %d, %llu bytes", (int)run.kind, (unsigned long long)run.len);
	cim_run_put(image, &run);

	data = data_of(image, "Alpha.txt", NULL);
	is_status(cim_image_get_run(image, &data, 100, UINT64_MAX, &run, &err), CIM_OK,
		  "a run of a plain stream");
	ok(run.kind == CIM_RUN_FILE && run.len == SAMPLE_ALPHA - 100,
	   "all of the rest is one: kind %d, %llu bytes", (int)run.kind,
	   (unsigned long long)run.len);
	cim_run_put(image, &run);
	ok(run.kind == CIM_RUN_NONE && !run.len && run.native == -1, "given back, it is none");
	cim_run_put(image, &run); /* a second time */

	for (int i = 0; i < 3; i++) {
		static const uint64_t offsets[] = {SAMPLE_ALPHA, UINT64_MAX, 0};

		memset(&run, 0xee, sizeof(run));
		is_status(cim_image_get_run(image, &data, offsets[i], i < 2, &run, &err), CIM_OK,
			  i < 2 ? "a run behind the end" : "a run of no bytes");
		ok(run.kind == CIM_RUN_NONE && !run.len && run.native == -1 && !run.priv,
		   "is none: kind %d", (int)run.kind);
		cim_run_put(image, &run);
	}

	for (int i = 0; i < 2; i++) {
		char byte;
		size_t got;

		cim_image_close(image);
		m->vfs.map = i ? no_native : NULL;
		image = mini_open(m, "mem/s.cim");
		data = data_of(image, "Alpha.txt", NULL);
		if (cim_image_read(image, &data, 0, &byte, 1, &got, &err)) /* opens its file */
			bail("%s", err.cause);
		files = m->fs->open_files;
		is_status(cim_image_get_run(image, &data, 1, 5, &run, &err), CIM_OK,
			  i ? "no native handle for a file" : "a file system without map()");
		ok(run.kind == CIM_RUN_READ && run.len == 5 && run.native == -1 && !run.offset &&
			   !run.priv,
		   "then it is to be read: kind %d", (int)run.kind);
		cim_run_put(image, &run);
		is_int(m->fs->open_files, files, "and nothing more is open");
	}
	cim_image_close(image);
	ok(mini_is_clean(m), "nothing stays behind");
	mini_free(m);
}

/* Where the next data are, from a file's byte on; -1: nobody knows. */
static int64_t hole_bytes;

static enum cim_status tell_hole(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *data,
				 long *os_error)
{
	(void)ctx;
	(void)file;
	*os_error = 0;
	*data = offset + (uint64_t)hole_bytes;
	return hole_bytes < 0 ? CIM_E_IO : CIM_OK;
}

/* What lies in no file may be a hole. */
static void test_holes(void)
{
	static const struct {
		int64_t hole;
		enum cim_run_kind kind;
		uint64_t len;
	} rows[] = {{0, CIM_RUN_READ, 5},  {1, CIM_RUN_ZEROS, 1},  {4, CIM_RUN_ZEROS, 4},
		    {5, CIM_RUN_ZEROS, 5}, {99, CIM_RUN_ZEROS, 5}, {-1, CIM_RUN_READ, 5}};
	struct mini *m = mini_sample();
	struct cim_run run = {CIM_SIZED(run)};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cim_image *image;
		struct cim_data data;

		m->vfs.map = no_native;
		m->vfs.next_data = tell_hole;
		hole_bytes = rows[i].hole;
		image = mini_open(m, "mem/s.cim");
		data = data_of(image, "Alpha.txt", NULL);
		is_status(cim_image_get_run(image, &data, 1, 5, &run, &err), CIM_OK,
			  "five bytes, at a hole or not");
		ok(run.kind == rows[i].kind && run.len == rows[i].len && run.native == -1,
		   "a hole of %d bytes there: kind %d, %d bytes", (int)rows[i].hole, (int)run.kind,
		   (int)run.len);
		cim_run_put(image, &run);
		cim_image_close(image);
		ok(mini_is_clean(m), "given back");
	}
	mini_free(m);
}

/* A file that was long enough when it was opened is cut short. */
static void test_cut_short(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = open_native(m, "mem/s.cim");
	struct cim_data data = data_of(image, "Alpha.txt", NULL);
	struct cim_run run = {CIM_SIZED(run)};
	struct mem_flat *file;
	size_t whole;

	if (cim_image_get_run(image, &data, 0, data.size, &run, &err))
		bail("%s", err.cause);
	file = (struct mem_flat *)run.native;
	cim_run_put(image, &run);
	whole = file->size;
	mini_resize(file, whole - 1);
	is_status(cim_image_get_run(image, &data, 0, data.size, &run, &err), CIM_E_CORRUPT,
		  "a file that lost its last byte");
	ok(run.kind == CIM_RUN_NONE && run.native == -1 && !run.len && !run.offset && !run.priv,
	   "gives no run");
	is_str(err.op, "find stream", "what was being done");
	ok(strstr(err.cause, "region_") != NULL, "the cause names the file: %s", err.cause);
	cim_run_put(image, &run);
	is_status(cim_image_get_run(image, &data, 0, data.size - 1, &run, &err), CIM_OK,
		  "one byte less is still there");
	cim_run_put(image, &run);
	mini_resize(file, whole);
	m->fs->fail_at = m->fs->ops + 1;
	is_status(cim_image_get_run(image, &data, 0, 1, &run, &err), CIM_E_IO,
		  "its length can't be asked for");
	ok(run.kind == CIM_RUN_NONE && !run.priv, "no run either");
	is_status(cim_image_get_run(image, &data, 0, 1, &run, &err), CIM_OK,
		  "the next time it can");
	cim_run_put(image, &run);

	/* struct cim_data is the caller's: nothing of it is trusted. */
	for (unsigned i = 0; i < 4; i++) {
		static const char *const names[] = {"a size past the region", "no such region",
						    "a place in the header",
						    "a PE image that is none"};
		struct cim_data forged = data;

		if (i == 0)
			forged.size = UINT64_C(1) << 47;
		if (i == 1)
			forged.priv[0] |= UINT64_C(0xffff) << 48;
		if (i == 2)
			forged.priv[0] &= ~((UINT64_C(1) << 48) - 1);
		if (i == 3)
			forged.pe = true;
		is_status(cim_image_get_run(image, &forged, 0, forged.size, &run, &err),
			  CIM_E_CORRUPT, names[i]);
		ok(run.kind == CIM_RUN_NONE && run.native == -1 && !run.priv, "%s: no run",
		   names[i]);
	}
	cim_image_close(image);
	ok(mini_is_clean(m), "nothing stays behind");
	mini_free(m);
}

/* More files than the image keeps open, while runs of some are held. */
static void test_held(void)
{
	enum { REGIONS = 150 };
	struct mini *m = mini_new();
	static struct cim_run runs[REGIONS];
	struct cim_data datas[REGIONS];
	struct mini_link links[REGIONS];
	struct cim_image *image;
	unsigned wrong = 0;
	char name[32], buf[32];
	size_t got;

	mini_begin(m, REGIONS, 0);
	for (unsigned i = 0; i < REGIONS; i++) {
		uint32_t id = mini_record(m);

		snprintf(name, sizeof(name), "r%u", i);
		mini_stream(m, id, mini_put(m, i, name, strlen(name), 8), strlen(name), 0, false);
		links[i] = mini_link(name, id, 0);
	}
	mini_finish_dir(m, "h.cim", 0, links, REGIONS, true);
	image = open_native(m, "mem/h.cim");
	for (unsigned i = 0; i < REGIONS; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		datas[i] = data_of(image, name, NULL);
		runs[i].struct_size = sizeof(runs[i]);
	}
	/* The oldest of all is held, and a second time. */
	if (cim_image_get_run(image, &datas[0], 0, 2, &runs[0], &err) ||
	    cim_image_get_run(image, &datas[0], 0, 2, &runs[1], &err))
		bail("%s", err.cause);
	is_hex((uint64_t)runs[0].native, (uint64_t)runs[1].native, "two runs of one file");
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 1; i < REGIONS; i++)
			wrong += cim_image_read(image, &datas[i], 0, buf, 2, &got, &err) != CIM_OK;
		/* A file that was closed and freed shows here, at the latest under a sanitizer. */
		wrong += !fetch(&runs[round], false, (uint8_t *)buf) || memcmp(buf, "r0", 2);
		ok(runs[round].priv && m->fs->open_files <= 64, "with %u held, %ld files are open",
		   2 - round, m->fs->open_files);
		cim_run_put(image, &runs[round]);
	}
	is_int(wrong, 0, "it can be read after %d others", 2 * (REGIONS - 1));
	for (unsigned i = 0; i < REGIONS; i++)
		wrong += cim_image_get_run(image, &datas[i], 0, 100, &runs[i], &err) != CIM_OK;
	is_int(m->fs->open_files, REGIONS, "all held at once: so many are open");
	for (unsigned i = 0; i < REGIONS; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		wrong += !fetch(&runs[i], false, (uint8_t *)buf) ||
			 memcmp(buf, name, strlen(name)) || runs[i].len != strlen(name);
	}
	is_int(wrong, 0, "and each run is its own file's");
	for (unsigned i = 0; i < REGIONS; i++)
		cim_run_put(image, &runs[i]);
	ok(m->fs->open_files <= 64, "given back: %ld are open", m->fs->open_files);
	cim_image_close(image);
	is_int(m->fs->open_files, 0, "none after the image");
	mini_free(m);
}

static void test_on_disk(void)
{
	const char *dir = getenv("TEST_TMP");
	struct cim_image *image;
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_run run = {CIM_SIZED(run)};
	struct mini *m;
	char path[4096];
	int fd;

	if (!dir) {
		skip("TEST_TMP is not set", "runs of an image on disk");
		return;
	}
	m = mini_sample();
	if (!mini_save(m, dir))
		bail("can't write to %s", dir);
	mini_free(m);
	snprintf(path, sizeof(path), "%s/s.cim", dir);
	if (cim_image_open(NULL, path, &image, &err))
		bail("%s", err.cause);
	test_same_as_read(image, true);
	data = data_of(image, "Alpha.txt", NULL);
	if (cim_image_get_run(image, &data, 0, 10, &run, &err))
		bail("%s", err.cause);
	fd = (int)run.native;
	ok(run.kind == CIM_RUN_FILE && fcntl(fd, F_GETFD) != -1,
	   "the native handle is a descriptor");
	cim_run_put(image, &run);
	ok(fcntl(fd, F_GETFD) != -1, "which stays the image's own, and open for the next call");
	cim_image_close(image);
	ok(fcntl(fd, F_GETFD) == -1, "until the image is closed");
}

int main(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = open_native(m, "mem/s.cim");

	test_same_as_read(image, false);
	cim_image_close(image);
	mini_free(m);
	test_kinds();
	test_holes();
	test_cut_short();
	test_held();
	test_on_disk();
	return tap_done();
}
