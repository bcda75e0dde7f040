/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_marks.c - tombstones, merge links, bare and opaque directories: what a session makes of them,
 * and that whoever doesn't merge sees nothing of them
 */
#include "markcalls.h"

static void shows(struct kit *k, const char *name, bool marked, const char *want, const char *what)
{
	struct cim_image *image = open_image(k, name);

	shows_image(k, image, marked, want, TAP_WHERE, what);
	cim_image_close(image);
}

/* ---- calls ---- */

static const struct {
	const char *calls, *tree, *seen;
} calls[] = {
	{"t a", "t a", ""},
	{"t a\\b\\c", "b a  b a/b  t a/b/c", ""},
	{"t a\\b  t a\\c  t A\\B", "b a  t a/b  t a/c", ""},
	{"m a>x\\y", "m a>x\\y", ""},
	{"m a\\b>x  m a\\c>a\\b", "b a  m a/b>x  m a/c>a\\b", ""},
	/* what isn't there */
	{"t a  ? a=FILE_NOT_FOUND  x a=PATH_NOT_FOUND  h b>a=PATH_NOT_FOUND  s a:s=PATH_NOT_FOUND",
	 "t a", ""},
	{"m a>b  ? a=FILE_NOT_FOUND  x a=PATH_NOT_FOUND  h b>a=PATH_NOT_FOUND  s "
	 "a:s=PATH_NOT_FOUND",
	 "m a>b", ""},
	{"t a\\b  ? a=FILE_NOT_FOUND  x a=PATH_NOT_FOUND  f a\\f=PATH_NOT_FOUND  s "
	 "a:s=PATH_NOT_FOUND  d a\\b\\c=PATH_NOT_FOUND  ? a\\b=FILE_NOT_FOUND",
	 "b a  t a/b", ""},
	/* what is created there */
	{"t a  f a", "f a", "f a"},
	{"t a  d a", "o a", "o a"},
	{"t a  d a  f a\\b  d a", "o a  f a/b", "o a  f a/b"},
	{"t a  d a  f a", "f a", "f a"},
	{"t a  d a  x a", "", ""},
	{"f f  t a  h a>f", "f a  f f", "f a  f f"},
	{"m a>b  f a", "f a", "f a"},
	{"m a>b  d a", "d a", "d a"},
	{"t a\\b  d a", "d a  t a/b", "d a"},
	{"t a\\b  d A  f A\\c", "d A  t A/b  f A/c", "d A  f A/c"},
	{"t a\\b  f a", "f a", "f a"},
	{"t a\\b  f f  h a>f", "f a  f f", "f a  f f"},
	/* tombstones over what is there */
	{"d a  f a\\b  t a", "t a", ""},
	{"d a  f a\\b  t a\\b", "d a  t a/b", "d a"},
	{"f a  t a", "t a", ""},
	{"m a>b  t a", "t a", ""},
	{"m a\\b>c  t a", "t a", ""},
	{"t a  d a  t a", "t a", ""},
	{"t a  t a  t a\\b", "t a", ""},
	{"f a  t a\\b=PATH_NOT_FOUND", "f a", "f a"},
	{"m a>b  t a\\b=PATH_NOT_FOUND", "m a>b", ""},
	/* merge links over what is there */
	{"f a  m a>b", "m a>b", ""},
	{"m a>b  m A>c", "m A>c", ""},
	{"t a  m a>b", "m a>b", ""},
	{"d a  m a>b=ACCESS", "d a", "d a"},
	{"t a\\b  m a>b=ACCESS", "b a  t a/b", ""},
	{"t a  m a\\b>c", "B a  m a/b>c", ""},
	{"t a  m a\\b>c  d a", "o a  m a/b>c", "o a"},
	{"f a  m a\\b>c=PATH_NOT_FOUND", "f a", "f a"},
	/* what is no path for it */
	{"t =INVALID  t \\=INVALID  t a:b=INVALID  t a\\\\b=INVALID", "", ""},
	{"m >a=INVALID  m a>=INVALID  m a:b>c=INVALID  m a>b:c=INVALID  m a>b\\*=INVALID", "", ""},
};

/* All in one session; each in one of its own, which extends the image; each in a fork. */
static void test_calls(size_t i)
{
	static const char *const how[] = {"in one session", "each extends", "each forks"};

	for (unsigned mode = 0; mode < 3; mode++) {
		struct kit k = kit_new();
		struct cim_writer *w = begin(&k, NULL, "0");
		char name[20] = "0", what[300];
		unsigned n = 0;

		snprintf(what, sizeof(what), "%s (%s)", calls[i].calls, how[mode]);
		for (const char *c = calls[i].calls; c; c = next_call(c)) {
			do_call(&k, w, c, what);
			if (!mode)
				continue;
			finish(&k, w);
			snprintf(name, sizeof(name), "%u", n);
			n += mode == 2;
			w = begin(&k, name, NULL);
			if (mode == 2) {
				char next[20];

				cim_writer_close(w);
				snprintf(next, sizeof(next), "%u", n);
				w = begin(&k, name, next);
			}
		}
		finish(&k, w);
		snprintf(name, sizeof(name), "%u", n);
		shows(&k, name, true, calls[i].tree, what);
		shows(&k, name, false, calls[i].seen, what);
		must_be_sound(&k, name);
		kit_free(&k);
	}
}

/* ---- what a reader sees ---- */

static void finds(struct kit *k, struct cim_image *image, const char *path, enum cim_status want)
{
	const char *name = strrchr(path, '\\') ? strrchr(path, '\\') + 1 : path;
	uint32_t id = 0, dir = cim_image_get_info(image)->root_id;
	char above[40];

	forget_error(k);
	status_is(k, cim_image_lookup(image, cim_str8(path), &id, &k->err), want, TAP_WHERE, path);
	snprintf(above, sizeof(above), "%.*s", (int)(name == path ? 0 : name - path - 1), path);
	if (*above && cim_image_lookup(image, cim_str8(above), &dir, NULL))
		return;
	forget_error(k);
	status_is(k, cim_image_lookup_at(image, dir, cim_str8(name), true, &id, &k->err), want,
		  TAP_WHERE, name);
}

static unsigned count_entries(struct kit *k, struct cim_image *image)
{
	const struct cim_entry *entry;
	struct cim_iter *iter = NULL;
	unsigned count = 0;

	must(k, cim_iter_dir(image, cim_image_get_info(image)->root_id, &iter, &k->err));
	while (must(k, cim_iter_next(iter, &entry, &k->err)) && entry)
		count++;
	cim_iter_close(iter);
	return count;
}

static unsigned links_of(struct kit *k, struct cim_image *image, uint32_t id)
{
	struct cim_links *links = NULL;
	unsigned count;

	must(k, cim_links_open(image, NULL, NULL, &links, &k->err));
	count = cim_links_count(links, id);
	cim_links_close(links);
	return count;
}

static void test_hidden(void)
{
	static const char *const all = "t a  t b\\c  m d>f  d e  t e\\g  f f  t h  d h";
	struct cim_file_info info = {CIM_SIZED(info)};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "x");
	struct cim_image *image;
	uint32_t id = 0;

	do_calls(&k, w, all);
	gives(&k, cim_writer_stat(w, cim_str8("a"), &info, &k.err), CIM_E_FILE_NOT_FOUND);
	gives(&k, cim_writer_stat(w, cim_str8("h"), &info, &k.err), CIM_OK);
	is_int(info.marks, CIM_MARK_OPAQUE, "a session tells of an opaque directory");
	finish(&k, w);
	image = open_image(&k, "x");
	for (unsigned show = 0; show < 2; show++) {
		const enum cim_status want = show ? CIM_OK : CIM_E_FILE_NOT_FOUND;

		cim_image_show_marked(image, show);
		finds(&k, image, "a", want);
		finds(&k, image, "b", want);
		finds(&k, image, "b\\c", show ? CIM_OK : CIM_E_PATH_NOT_FOUND);
		finds(&k, image, "d", want);
		finds(&k, image, "e", CIM_OK);
		finds(&k, image, "e\\g", want);
		finds(&k, image, "f", CIM_OK);
		finds(&k, image, "h", CIM_OK);
		is_int(count_entries(&k, image), show ? 6 : 3, "entries of the root");
		is_int(links_of(&k, image, cim_image_get_info(image)->root_id), show ? 3 : 2,
		       "directories in the root");
	}
	must(&k, cim_image_lookup(image, cim_str8("a"), &id, &k.err));
	cim_image_show_marked(image, false);
	is_int(links_of(&k, image, id), 0, "what is hidden has no links");
	must(&k, cim_image_stat(image, id, &info, &k.err));
	is_int(info.marks, CIM_MARK_TOMBSTONE, "by its FileID it is as it is");
	is_int(info.flags, 0, "and a mark is no unknown flag");
	cim_image_show_marked(NULL, true);
	cim_image_close(image);
	kit_free(&k);
}

/* Paths longer than most: they are stored, checked and merged, and nothing of them is left. */
static void test_long_paths(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "x");
	char target[600];

	memset(target, 'n', sizeof(target));
	for (size_t i = 200; i < sizeof(target); i += 200)
		target[i] = '\\';
	target[sizeof(target) - 1] = 0;
	must(&k, cim_writer_tombstone(w, cim_str8(target), &k.err));
	target[0] = 'm';
	must(&k, cim_writer_merge_link(w, cim_str8(target), cim_str8(target), &k.err));
	finish(&k, w);
	must_be_sound(&k, "x");
	w = begin(&k, NULL, "merged");
	must(&k, cim_writer_add_source(w, "mem/x", 0, &k.err));
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_PATH_NOT_FOUND);
	ok(strstr(k.err.cause, "nnn") != NULL, "it is named: %s", k.err.cause);
	cim_writer_close(w);
	kit_free(&k);
}

/* ---- flags without a meaning ---- */

/* An image without marks whose items have their bits. */
static void make_flagged(struct kit *k, const char *name)
{
	struct cim_writer *w = begin_flags(k, NULL, name, CIM_WRITE_AS_STORED);
	struct cim_metadata file = meta_file(1), dir = meta_dir();

	file.other_flags = 0x6000;
	dir.other_flags = 0x3000;
	put_meta(k, w, "f", &file, "x", 1);
	put_meta(k, w, "d", &dir, NULL, 0);
	gives(k, cim_writer_tombstone(w, cim_str8("t"), &k->err), CIM_E_UNSUPPORTED);
	ok(strstr(k->err.cause, "unknown flags 0x6000"), "why: %s", k->err.cause);
	finish(k, w);
}

/* Each record is looked at: that of the root, the last one of several file tables, one that the
 * session has changed. */
static void test_one_flag(const char *path, bool changed)
{
	struct kit k = kit_new();
	struct cim_metadata meta = meta_dir();
	struct cim_writer *w = begin_flags(&k, NULL, "old", CIM_WRITE_AS_STORED);

	for (unsigned i = 0; i < 1030; i++) {
		char name[20];

		snprintf(name, sizeof(name), "%u", i);
		make_dir(&k, w, name);
	}
	meta.other_flags = 0x2000;
	if (changed) {
		finish(&k, w);
		w = begin_flags(&k, "old", NULL, CIM_WRITE_AS_STORED);
	}
	must(&k, cim_writer_add(w, cim_str8(path), &meta, NULL, &k.err));
	if (!changed) {
		finish(&k, w);
		w = begin(&k, "old", NULL);
	}
	forget_error(&k);
	ok(cim_writer_tombstone(w, cim_str8("t"), &k.err) == CIM_E_UNSUPPORTED,
	   "a flag of '%s'%s would come to be a mark: %s", path, changed ? ", changed," : "",
	   k.err.cause);
	cim_writer_close(w);
	kit_free(&k);
}

static void test_flags(void)
{
	struct kit k = kit_new();
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_metadata file = meta_file(0);
	struct cim_writer *w;

	make_flagged(&k, "old");
	shows(&k, "old", false, "d d  f f", "flags in an image without marks");
	w = begin(&k, "old", "new");
	must(&k, cim_writer_stat(w, cim_str8("f"), &info, &k.err));
	is_int(info.flags, 0x6000, "they are told as unknown ones");
	is_int(info.marks, 0, "and are no marks");
	gives(&k, cim_writer_tombstone(w, cim_str8("t"), &k.err), CIM_E_UNSUPPORTED);
	gives(&k, cim_writer_merge_link(w, cim_str8("t"), cim_str8("f"), &k.err),
	      CIM_E_UNSUPPORTED);
	put(&k, w, "more", "more");
	finish(&k, w);
	shows(&k, "new", false, "d d  f f  f more", "a fork of it without marks");

	w = begin_flags(&k, NULL, "marked", CIM_WRITE_AS_STORED);
	must(&k, cim_writer_tombstone(w, cim_str8("t"), &k.err));
	file.other_flags = 0x2000;
	gives(&k, cim_writer_add(w, cim_str8("f"), &file, NULL, &k.err), CIM_E_INVALID);
	ok(strstr(k.err.cause, "flags 0x2000 are marks"), "why: %s", k.err.cause);
	file.other_flags = 0x8000;
	gives(&k, cim_writer_add(w, cim_str8("f"), &file, NULL, &k.err), CIM_OK);
	finish(&k, w);
	shows(&k, "marked", true, "f f  t t", "other unknown flags beside marks");

	w = begin(&k, NULL, "merged");
	must(&k, cim_writer_add_source(w, "mem/old", 0, &k.err));
	finish(&k, w);
	shows(&k, "merged", false, "d d  f f", "merged they come to be no marks");
	kit_free(&k);
}

/* ---- failures ---- */

static void test_stream_open(void)
{
	struct kit k = kit_new();
	struct cim_metadata file = meta_file(1);
	struct cim_stream *stream;
	struct cim_writer *w = begin(&k, NULL, "x");

	must(&k, cim_writer_add(w, cim_str8("f"), &file, &stream, &k.err));
	gives(&k, cim_writer_tombstone(w, cim_str8("t"), &k.err), CIM_E_SHARING);
	gives(&k, cim_writer_merge_link(w, cim_str8("t"), cim_str8("f"), &k.err), CIM_E_SHARING);
	cim_stream_close(stream);
	gives(&k, cim_writer_tombstone(NULL, cim_str8("t"), &k.err), CIM_E_POINTER);
	gives(&k, cim_writer_merge_link(NULL, cim_str8("t"), cim_str8("f"), &k.err), CIM_E_POINTER);
	cim_writer_close(w);
	kit_free(&k);
}

/* Each call of the system's and each allocation fails once, in a session that extends @base. */
static void test_failures(bool memory)
{
	struct kit base = kit_new();
	struct cim_writer *w = begin(&base, NULL, "x");
	unsigned long steps = 0;
	unsigned wrong = 0;

	make_dir(&base, w, "d");
	put(&base, w, "d\\f", "f");
	finish(&base, w);
	for (bool failed = true; failed; steps++) {
		struct kit k = kit_copy(&base);
		const char *why;
		enum cim_status status;

		w = begin(&k, "x", NULL);
		k.m->fail_at = memory ? 0 : k.m->ops + steps + 1;
		k.m->fail_status = CIM_E_IO;
		k.m->fail_alloc = memory ? k.m->allocs + steps + 1 : 0;
		status = cim_writer_tombstone(w, cim_str8("d\\f"), NULL);
		if (!status)
			status = cim_writer_merge_link(w, cim_str8("a\\b"), cim_str8("c"), NULL);
		if (!status)
			status = cim_writer_commit(w, NULL);
		failed = memory ? k.m->failed_allocs != 0 : k.m->ops >= k.m->fail_at;
		k.m->fail_at = k.m->fail_alloc = 0;
		cim_writer_close(w);
		wrong += !memfs_is_clean(k.m, &why) || (status && !failed) ||
			 (status && status != (memory ? CIM_E_NO_MEMORY : CIM_E_IO));
		if (!status)
			shows(&k, "x", true, "b a  m a/b>c  d d  t d/f", "at last");
		else
			must_be_sound(&k, "x");
		memfs_free(k.m);
	}
	ok(steps > 10, "%lu %s can fail", steps, memory ? "allocations" : "calls");
	is_int(wrong, 0, "each is told, and nothing is left open");
	kit_free(&base);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		test_calls(i);
	test_hidden();
	test_long_paths();
	test_flags();
	test_one_flag("", false);
	test_one_flag("", true);
	test_one_flag("1029", false);
	test_one_flag("1029", true);
	test_stream_open();
	test_failures(false);
	test_failures(true);
	return tap_done();
}
