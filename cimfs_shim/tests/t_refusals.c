/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_refusals.c - a system that refuses: what the checker and the reader make of it
 *
 * Whatever call fails, the check must not call the image corrupt, nor say that it is sound: it ends
 * with that failure. And where a process may have few files open, the reader, the checker and the
 * search among the parents' object IDs get along with them.
 */
#include "kit.h"

static enum cim_status open_quietly(struct kit *k, const char *name, struct cim_image **image)
{
	char path[300];

	snprintf(path, sizeof(path), "mem/%s", name);
	return cim_image_open(&k->env, path, image, &k->err);
}

/* ---- an image with something of everything ---- */

static uint8_t bytes[1300000];

static void make_image(struct kit *k)
{
	static const uint8_t ea[] = {0, 0, 0, 0, 0, 1, 2, 0, 'A', 0, 'v', 'v'};
	static const uint8_t reparse[] = {0x34, 0x12, 0,  0,  4,   0,	0,   0,	 1,  2,
					  3,	4,    5,  6,  7,   8,	9,   10, 11, 12,
					  13,	14,   15, 16, 'd', 'a', 't', 'a'};
	struct cim_writer *w = begin(k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(0);
	char name[40];

	make_dir(k, w, "dir");
	make_dir(k, w, "dir\\empty");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "dir\\a name that takes room %d", i);
		put(k, w, name, name);
	}
	put_stream(k, w, "dir:alternate", "a stream of a directory");
	put_bytes(k, w, "large", bytes, sizeof(bytes));
	put_bytes(k, w, "page", bytes + 1, 5000);
	put(k, w, "nothing", "");
	put_stream(k, w, "nothing:none", "");
	put_stream(k, w, "nothing:some", "some");
	meta.ea = ea;
	meta.ea_size = sizeof(ea);
	put_meta(k, w, "ea", &meta, "", 0);
	meta = meta_file(0);
	meta.reparse = reparse;
	meta.reparse_size = sizeof(reparse);
	meta.attributes = CIM_ATTR_REPARSE;
	put_meta(k, w, "reparse", &meta, "", 0);
	meta = meta_file(123456789);
	put_meta(k, w, "sparse", &meta, "", 0);
	meta = meta_file(3000000);
	put_meta(k, w, "partly", &meta, "x", 1);
	finish(k, w);
}

static int any_finding(void *ctx, const struct cim_finding *finding)
{
	unsigned *count = ctx;

	if (!(*count)++)
		diag("  %s at %" PRIx64 " '%s': %s", finding->structure, finding->offset,
		     finding->path, finding->message);
	return 0;
}

static void test_our_own(void)
{
	struct kit k = kit_new();
	struct cim_image *image;
	unsigned findings = 0;

	make_image(&k);
	image = open_image(&k, "a.cim");
	gives(&k, cim_image_verify(image, CIM_VERIFY_DEEP, any_finding, &findings, NULL, &k.err),
	      CIM_OK);
	is_int(findings, 0, "of what our writer makes nothing is to be said, not even a note");
	cim_image_close(image);
	kit_free(&k);
}

/* ---- each call fails ---- */

static void test_failing_call(enum cim_status want, bool go_on, unsigned flags)
{
	unsigned tried = 0, other = 0, found = 0;
	struct kit k = kit_new();
	bool failed = true;

	make_image(&k);
	for (unsigned long at = 1; failed; at++) {
		struct cim_image *image = NULL;
		enum cim_status status;
		struct cim_verify_result result = {CIM_SIZED(result)};
		bool again;

		must(&k, open_quietly(&k, "a.cim", &image));
		memset(&k.err, 0, sizeof(k.err));
		k.m->failed = 0;
		k.m->fail_status = want;
		k.m->fail_on = go_on;
		k.m->fail_at = k.m->ops + at;
		status = cim_image_verify(image, flags, any_finding, &found, &result, &k.err);
		k.m->fail_at = 0;
		failed = k.m->failed != 0;
		tried += failed;
		/* What failed once is tried once more where that may help, and where there are
		 * holes needn't be known. */
		again = !go_on && !status &&
			(k.m->first_failed == MEM_OPEN || k.m->first_failed == MEM_NEXT_DATA ||
			 (flags && k.m->first_failed == MEM_PREAD));
		if (failed && !again &&
		    (status != want || k.err.status != want || !k.err.cause[0]) && !other++)
			diag("  first at call %lu, %s %s: %s, %s", at,
			     mem_op_names[k.m->first_failed], k.m->first_failed_name,
			     cim_status_name(status), k.err.cause);
		cim_image_close(image);
	}
	is_int(other, 0, "%s from one of %u calls%s%s: the check ends with it", STATUS(want), tried,
	       go_on ? " on" : "", flags ? ", deep" : "");
	is_int(found, 0, "and finds nothing");
	kit_free(&k);
}

static void test_failing_calls(void)
{
	static const enum cim_status statuses[] = {CIM_E_IO, CIM_E_ACCESS, CIM_E_SHARING,
						   CIM_E_NO_MEMORY};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		for (int go_on = 0; go_on <= 1; go_on++) {
			test_failing_call(statuses[i], go_on, 0);
			test_failing_call(statuses[i], go_on, CIM_VERIFY_DEEP);
		}
	}
}

/* ---- files that can't be opened ---- */

static char refused[300];
static enum cim_status refusal;
static long most_files; /* that may be open; 0: any number */
static unsigned long too_many;

static enum cim_status refusing_open(void *ctx, cim_vfs_dir *dir, const char *name,
				     enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	const struct memfs *m = ctx;

	if (!strcmp(name, refused)) {
		*os_error = 13;
		return refusal;
	}
	if (most_files && m->open_files >= most_files) {
		too_many++;
		*os_error = 24;
		return CIM_E_IO;
	}
	return m->vfs.open(ctx, dir, name, mode, file, os_error);
}

/* A kit whose files may be refused. */
static void refuse(struct kit *k, struct cim_vfs *vfs)
{
	*vfs = k->m->vfs;
	vfs->open = refusing_open;
	k->env.vfs = vfs;
	refused[0] = '\0';
	most_files = 0;
	too_many = 0;
}

static void test_refused_file(const char *prefix, enum cim_status answer, enum cim_status want,
			      bool finding)
{
	struct kit k = kit_new();
	struct cim_image *image = NULL;
	unsigned findings = 0;
	struct cim_vfs vfs;
	enum cim_status status;

	make_image(&k);
	refuse(&k, &vfs);
	open_quietly(&k, "a.cim", &image);
	cim_image_close(image);
	/* Not what opening needs: the last of the files. */
	for (size_t i = 0; i < k.m->now.count; i++) {
		const char *name = k.m->now.at[i].name;

		if (!strncmp(name, prefix, strlen(prefix)) && name[strlen(name) - 1] == '1')
			snprintf(refused, sizeof(refused), "%s", name);
	}
	refusal = answer;
	must(&k, open_quietly(&k, "a.cim", &image));
	memset(&k.err, 0, sizeof(k.err));
	status = cim_image_verify(image, 0, any_finding, &findings, NULL, &k.err);
	is_int(status, want, "%s...1 answers %s: the check ends with %s", prefix, STATUS(answer),
	       STATUS(want));
	ok(!findings == !finding, "%u findings", findings);
	if (want)
		ok(strstr(k.err.cause, refused), "the error names the file: %s", k.err.cause);
	cim_image_close(image);
	kit_free(&k);
}

static void test_refused_files(void)
{
	test_refused_file("region_", CIM_E_ACCESS, CIM_E_ACCESS, false);
	test_refused_file("objectid_", CIM_E_ACCESS, CIM_E_ACCESS, false);
	test_refused_file("region_", CIM_E_FILE_NOT_FOUND, CIM_OK, true);
	test_refused_file("objectid_", CIM_E_FILE_NOT_FOUND, CIM_OK, true);
	test_refused_file("region_", CIM_E_PATH_NOT_FOUND, CIM_OK, true);
}

/* ---- few files may be open ---- */

enum { GENERATIONS = 24 };

/* Each generation is a fork of the one before and has a file of its own. */
static void make_generations(struct kit *k)
{
	char name[20], before[20], path[20];

	for (unsigned i = 0; i < GENERATIONS; i++) {
		struct cim_writer *w;

		snprintf(name, sizeof(name), "%u.cim", i);
		snprintf(before, sizeof(before), "%u.cim", i - 1);
		snprintf(path, sizeof(path), "file%u", i);
		w = begin(k, i ? before : NULL, name);
		pattern(bytes, i, 20000);
		put_bytes(k, w, path, bytes, 20000);
		finish(k, w);
	}
}

static bool read_generations(struct kit *k, struct cim_image *image)
{
	static uint8_t want[20000], got[20000];
	struct cim_str none = {0};
	char path[20];
	size_t len;

	for (unsigned i = 0; i < GENERATIONS; i++) {
		struct cim_data data = {CIM_SIZED(data)};
		uint32_t id;

		snprintf(path, sizeof(path), "file%u", i);
		pattern(want, i, sizeof(want));
		if (!must(k, cim_image_lookup(image, cim_str8(path), &id, &k->err)) ||
		    !must(k, cim_image_get_data(image, id, none, &data, &k->err)) ||
		    !must(k, cim_image_read(image, &data, 0, got, sizeof(got), &len, &k->err)) ||
		    len != sizeof(got) || memcmp(got, want, sizeof(got)))
			return false;
	}
	return true;
}

static void test_few_files(long limit)
{
	struct kit k = kit_new();
	struct cim_image *image = NULL;
	unsigned findings = 0;
	struct cim_vfs vfs;
	char name[20];

	make_generations(&k);
	refuse(&k, &vfs);
	snprintf(name, sizeof(name), "%u.cim", GENERATIONS - 1);
	most_files = limit;
	must(&k, open_quietly(&k, name, &image));
	ok(read_generations(&k, image), "%ld open files are enough to read", limit);
	ok(read_generations(&k, image), "and once more");
	ok(too_many > 0, "though more were asked for %lu times", too_many);
	gives(&k, cim_image_verify(image, CIM_VERIFY_DEEP, any_finding, &findings, NULL, &k.err),
	      CIM_OK);
	is_int(findings, 0, "and to check: nothing is found");
	cim_image_close(image);
	kit_free(&k);
}

/* Nothing idle is left to be closed, or it isn't for want of files: the failure is told. */
static void test_no_files(void)
{
	struct kit k = kit_new();
	struct cim_image *image = NULL;
	struct cim_vfs vfs;
	enum cim_status status;

	make_image(&k);
	refuse(&k, &vfs);
	must(&k, open_quietly(&k, "a.cim", &image));
	most_files = -1;
	memset(&k.err, 0, sizeof(k.err));
	status = cim_image_verify(image, 0, NULL, NULL, NULL, &k.err);
	ok(status == CIM_E_IO && k.err.os_error == 24, "no file may be opened at all: %s, %s",
	   STATUS(status), k.err.cause);
	cim_image_close(image);
	kit_free(&k);
}

/* A fork finds what its parents hold, though it can't have all their object ID files open. */
static void test_parents_ids(long limit)
{
	struct kit k = kit_new();
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	struct cim_writer *w;
	struct cim_vfs vfs;
	char name[20], path[20];

	make_generations(&k);
	refuse(&k, &vfs);
	snprintf(name, sizeof(name), "%u.cim", GENERATIONS - 1);
	most_files = limit;
	w = begin(&k, name, "new.cim");
	for (unsigned i = 0; i < GENERATIONS; i++) {
		snprintf(path, sizeof(path), "copy%u", i);
		pattern(bytes, i, 20000);
		put_bytes(&k, w, path, bytes, 20000);
	}
	must(&k, cim_writer_get_stats(w, &stats, &k.err));
	ok(stats.bytes == GENERATIONS * 20000 && !stats.stored_bytes,
	   "with %ld open files a fork finds all copies: of %" PRIu64 " bytes %" PRIu64
	   " are stored",
	   limit, stats.bytes, stats.stored_bytes);
	ok(too_many > 0, "though more files were asked for %lu times", too_many);
	finish(&k, w);
	most_files = 0;
	must_be_sound(&k, "new.cim");
	kit_free(&k);
}

int main(void)
{
	pattern(bytes, 1, sizeof(bytes));
	test_our_own();
	test_failing_calls();
	test_refused_files();
	test_few_files(3);
	test_few_files(10);
	test_no_files();
	test_parents_ids(12);
	test_parents_ids(40);
	return tap_done();
}
