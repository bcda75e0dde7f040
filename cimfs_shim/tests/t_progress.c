/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_progress.c - what counts as a step of a check
 *
 * A check tells of every 256th step. So an image of just so many files that it is told of once
 * shows how many steps all else took: what is added to the image makes up for files, at two steps
 * each (the link, the record).
 */
#include "kit.h"
#include "minisample.h"

enum { STEPS = 256, MIB = 1 << 20 };

static unsigned calls;

static int count_calls(void *ctx, const struct cim_progress *progress)
{
	(void)ctx;
	if (progress->phase != CIM_PHASE_VERIFY || progress->done != ++calls * STEPS)
		bail("a step is told of out of turn: %llu", (unsigned long long)progress->done);
	return 0;
}

struct extra {
	unsigned streams;  /* of one file, a byte each */
	unsigned data;	   /* MiB in one file */
	unsigned sessions; /* each a set of regions, and a file */
};

static void make_image(struct kit *k, const struct extra *extra, unsigned files)
{
	static uint8_t bytes[MIB];
	struct cim_writer *w = begin(k, NULL, "x.cim");
	char name[32];

	for (unsigned i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put(k, w, name, "");
	}
	put(k, w, "s", "");
	for (unsigned i = 0; i < extra->streams; i++) {
		snprintf(name, sizeof(name), "s:%u", i);
		put_stream(k, w, name, "");
	}
	if (extra->data) {
		struct cim_metadata meta = meta_file((int64_t)extra->data * MIB);
		struct cim_stream *stream = NULL;

		must(k, cim_writer_add(w, cim_str8("d"), &meta, &stream, &k->err));
		for (unsigned i = 0; i < extra->data; i++) {
			pattern(bytes, i, sizeof(bytes));
			must(k, cim_stream_write(stream, bytes, sizeof(bytes), NULL, &k->err));
		}
		cim_stream_close(stream);
	}
	finish(k, w);
	for (unsigned i = 0; i < extra->sessions; i++) {
		snprintf(name, sizeof(name), "z%u", i);
		w = begin(k, "x.cim", "x.cim");
		put(k, w, name, "");
		finish(k, w);
	}
}

/* The smallest number of files of an image that a check tells a step of. */
static unsigned least_files(const struct extra *extra, unsigned flags)
{
	unsigned low = 0, high = STEPS;

	while (low < high) {
		const unsigned files = (low + high) / 2;
		struct kit k = kit_new();
		struct cim_verify_result result = {CIM_SIZED(result)};
		struct cim_image *image;

		make_image(&k, extra, files);
		image = open_image(&k, "x.cim");
		cim_image_close(image);
		k.env.progress = count_calls;
		image = open_image(&k, "x.cim");
		calls = 0;
		must(&k, cim_image_verify(image, flags, NULL, NULL, &result, &k.err));
		if (result.errors)
			bail("the image isn't sound");
		cim_image_close(image);
		kit_free(&k);
		if (calls)
			high = files;
		else
			low = files + 1;
	}
	return low;
}

/* How often a check of 248 steps tells, with 24 MiB of data that no digest covers. */
static unsigned calls_of(bool pe, unsigned flags)
{
	enum { FILES = 119, DATA = 24 };
	static const struct mini_mapping whole = {0, 0};
	struct cim_verify_result result = {CIM_SIZED(result)};
	static struct mini_link links[FILES + 1];
	struct mini *m = mini_new();
	uint8_t *bytes = calloc(DATA, MIB);
	struct cim_image *image;
	struct cim_error err;
	uint64_t offset;
	char name[16];

	if (!bytes)
		bail("out of memory");
	mini_begin(m, 3, 0);
	offset = mini_put(m, 1, bytes, (size_t)DATA * MIB, 4096);
	if (pe)
		offset = mini_pe(m, 0, offset, (uint64_t)DATA * MIB, &whole, 1);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%03u", i);
		links[i] = mini_link(name, mini_plain(m, 2, "x", 1), 0);
	}
	links[FILES] = mini_link("g", mini_record(m), 0);
	mini_stream(m, (uint32_t)links[FILES].value[0], offset, (uint64_t)DATA * MIB, pe ? 2 : 0,
		    false);
	mini_field(m, m->root, 88, m->root, 4);
	mini_finish_dir(m, "x.cim", 0, links, FILES + 1, true);
	m->env.progress = count_calls;
	calls = 0;
	image = mini_open(m, "mem/x.cim");
	if (cim_image_verify(image, flags, NULL, NULL, &result, &err))
		bail("%s", err.cause);
	cim_image_close(image);
	mini_free(m);
	free(bytes);
	return calls;
}

static struct {
	unsigned count, stop;
	uint64_t last;
} merging;

static int count_merging(void *ctx, const struct cim_progress *progress)
{
	(void)ctx;
	if (progress->phase != CIM_PHASE_MERGE)
		return 0;
	merging.last = progress->done;
	return ++merging.count == merging.stop;
}

/* A merge tells of each source, and can be stopped. */
static void test_merging(void)
{
	static const struct extra none;
	struct kit k = kit_new();
	struct cim_writer *w;

	make_image(&k, &none, 2 * STEPS + 10);
	k.env.progress = count_merging;
	w = begin(&k, NULL, "m.cim");
	must(&k, cim_writer_add_source(w, "mem/x.cim", 0, &k.err));
	is_int(merging.count, 2, "times that a merge of 524 items tells of it");
	is_int(merging.last, 2 * STEPS, "of how many, the last time");
	finish(&k, w);
	merging.count = 0;
	merging.stop = 1;
	w = begin(&k, NULL, "n.cim");
	gives(&k, cim_writer_add_source(w, "mem/x.cim", 0, &k.err), CIM_E_ABORTED);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_ABORTED); /* half a source is none */
	cim_writer_close(w);
	ok(!memfs_exists(k.m, "n.cim"), "one that was stopped makes no image");
	kit_free(&k);
}

int main(void)
{
	static const struct extra none, streams = {.streams = 20}, data = {.data = 24},
					sessions = {.sessions = 6};
	const unsigned plain = least_files(&none, 0), deep = least_files(&none, CIM_VERIFY_DEEP);

	is_int(plain, 124, "files until the first 256 steps of a check");
	is_int(deep, 124, "and of a deep one");
	is_int(plain - least_files(&streams, 0), 20, "20 streams stand for so many files");
	is_int(plain - least_files(&data, 0), 1, "a file of 24 MiB");
	is_int(deep - least_files(&data, CIM_VERIFY_DEEP), 98, "and if its data is read");
	test_merging();
	is_int(plain - least_files(&sessions, 0), 15,
	       "6 sessions, of three regions and a file each");
	for (int pe = 0; pe < 2; pe++) {
		const char *what = pe ? "a PE image's data" : "data";

		is_int(calls_of(pe, 0), 0, "%s without digests, not read: less than 256 steps",
		       what);
		is_int(calls_of(pe, CIM_VERIFY_DEEP), 1,
		       "%s without digests, read: each MiB is one", what);
	}
	return tap_done();
}
