/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer_commit.c - publishing: names, conflicts with others, and consistent mode
 */
#include "kit.h"

#define ROOT "#1 / 10 times=0,0,0,0\n"

static uint8_t bytes[300000];

/* Some of everything; @text is what a test varies. */
static void build(struct kit *k, struct cim_writer *w, const char *text)
{
	struct cim_metadata meta = meta_file(20000);

	make_dir(k, w, "d");
	put(k, w, "d/text", text);
	put_bytes(k, w, "large", bytes, sizeof(bytes));
	put_bytes(k, w, "copy", bytes, sizeof(bytes));
	put_meta(k, w, "part", &meta, bytes, 5000);
	put_meta(k, w, "sparse", &meta, NULL, 0);
	put_stream(k, w, "d:stream", text);
	must(k, cim_writer_link(w, cim_str8("link"), cim_str8("d/text"), &k->err));
}

static void make(struct kit *k, const char *existing, const char *name, const char *text)
{
	struct cim_writer *w = begin_flags(k, existing, name, CIM_WRITE_CONSISTENT);

	build(k, w, text);
	finish(k, w);
}

static void same_image(struct kit *a, const char *name_a, struct kit *b, const char *name_b,
		       const char *what)
{
	char *x = dump(a, name_a), *y = dump(b, name_b);

	if (!ok(!strcmp(x, y), "%s", what))
		show_difference(x, y);
	free(x);
	free(y);
}

static void same_files(const struct kit *a, const struct kit *b, const char *what)
{
	bool same = a->m->now.count == b->m->now.count;

	for (size_t i = 0; i < a->m->now.count; i++) {
		const char *name = a->m->now.at[i].name;

		if (!memfs_exists(b->m, name) || !memfs_same_file(a->m, name, b->m, name)) {
			diag("  %s differs", name);
			same = false;
		}
	}
	ok(same, "%s", what);
}

/* ---- consistent mode ---- */

static void test_again(void)
{
	struct kit a = kit_new(), b = kit_new();
	struct cim_writer *w;
	const struct cim_region_set *set;
	struct cim_image *image;

	b.m->seed = 77;
	w = begin_flags(&a, NULL, "x.cim", CIM_WRITE_CONSISTENT);
	is_int(memfs_count_names(a.m, "cimtmp_"), 3, "until the commit the files have other names");
	is_int(memfs_count_names(a.m, ""), 3, "and there are no more");
	build(&a, w, "text");
	finish(&a, w);
	is_int(memfs_count_names(a.m, "cimtmp_"), 0, "afterwards none of these is left");
	make(&b, NULL, "x.cim", "text");
	same_files(&a, &b, "the same calls in another directory give the same files");
	image = open_image(&a, "x.cim");
	set = cim_image_get_set(image, 0);
	ok((set->guid.bytes[7] & 0xf0) == 0x80 && (set->guid.bytes[8] & 0xc0) == 0x80,
	   "the GUID is a version 8 UUID");
	is_int(verify_open(&a, image), 0, "the image is sound");
	cim_image_close(image);
	make(&a, "x.cim", NULL, "extended");
	make(&a, "x.cim", "y.cim", "forked");
	make(&a, "y.cim", "z.cim", "forked again");
	make(&b, "x.cim", NULL, "extended");
	make(&b, "x.cim", "y.cim", "forked");
	make(&b, "y.cim", "z.cim", "forked again");
	same_files(&a, &b, "so do extending and forking");
	must_be_sound(&a, "z.cim");
	kit_free(&a);
	kit_free(&b);
}

static void test_two_names(void)
{
	struct kit k = kit_new();

	make(&k, NULL, "x.cim", "text");
	make(&k, NULL, "y.cim", "text");
	is_int(memfs_count_names(k.m, "region_"), 6, "two names: two region sets");
	same_image(&k, "x.cim", &k, "y.cim", "with the same content");
	must_be_sound(&k, "x.cim");
	must_be_sound(&k, "y.cim");
	kit_free(&k);
}

static void test_rebuild(void)
{
	struct kit k = kit_new(), was;
	char names[3][100];

	make(&k, NULL, "x.cim", "text");
	was = kit_copy(&k);
	while (k.m->now.count)
		memfs_unlink(k.m, k.m->now.at[0].name);
	make(&k, NULL, "x.cim", "text");
	same_files(&was, &k, "a rebuild after all was deleted gives the same files");
	memfs_unlink(k.m, "x.cim");
	for (int i = 0; i < 3; i++)
		snprintf(names[i], sizeof(names[i]), "%s", set_file(&was, "x.cim", "region_", i));
	kit_free(&was);
	was = kit_copy(&k);
	make(&k, NULL, "x.cim", "text");
	memfs_copy(k.m, "x.cim", was.m, "x.cim");
	is_int(k.m->now.count, 7, "no file more");
	same_files(&was, &k, "so does one after only the image file was deleted");
	must_be_sound(&k, "x.cim");
	/* An aborted one must leave what was there. */
	for (int turn = 0; turn < 2; turn++) {
		struct cim_writer *w;

		memfs_unlink(k.m, "x.cim");
		w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
		build(&k, w, "text");
		if (turn) {
			k.m->space = 0;
			gives(&k, cim_writer_commit(w, &k.err), CIM_E_DISK_FULL);
			k.m->space = UINT64_MAX;
		}
		cim_writer_close(w);
		for (int i = 0; i < 3; i++)
			ok(memfs_exists(k.m, names[i]),
			   "region file %d is left by a session that %s", i,
			   turn ? "failed" : "was given up");
		is_int(k.m->now.count, 6, "all six files are");
		memfs_copy(was.m, "x.cim", k.m, "x.cim");
	}
	kit_free(&was);
	kit_free(&k);
}

/* The commit fails at the very end, when the files that were there have been taken into use. */
static void fail_last_rename(struct memfs *m, enum mem_op op, const char *name)
{
	if (op == MEM_RENAME && !strcmp(name, "x.cim")) {
		m->fail_at = m->ops;
		m->fail_status = CIM_E_IO;
	}
}

static void test_rebuild_fails_late(void)
{
	struct kit k = kit_new(), was;
	struct cim_writer *w;

	make(&k, NULL, "x.cim", "text");
	memfs_copy(k.m, "x.cim", k.m, "y.cim");
	memfs_unlink(k.m, "x.cim");
	was = kit_copy(&k);
	w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
	build(&k, w, "text");
	k.m->before = fail_last_rename;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_IO);
	cim_writer_close(w);
	same_files(&was, &k, "a rebuild that fails late leaves the files that an image needs");
	must_be_sound(&k, "y.cim");
	kit_free(&was);
	kit_free(&k);
}

static void test_orphan(void)
{
	for (int i = 0; i < 3; i++) {
		struct kit k = kit_new(), was;
		char name[100], ids[100];

		make(&k, NULL, "x.cim", "text");
		was = kit_copy(&k);
		snprintf(name, sizeof(name), "%s", set_file(&k, "x.cim", "region_", i));
		snprintf(ids, sizeof(ids), "%s", set_file(&k, "x.cim", "objectid_", i));
		memfs_unlink(k.m, "x.cim");
		if (i == 1) /* shorter, but equal as far as it goes */
			memfs_put(k.m, name, "", 0);
		else
			memfs_poke(k.m, name, memfs_size(k.m, name) - 1, "?!", i ? 2 : 1);
		memfs_put(k.m, ids, "rubbish", 7);
		make(&k, NULL, "x.cim", "text");
		same_files(&was, &k, "an orphan with other bytes in the way is replaced");
		must_be_sound(&k, "x.cim");
		kit_free(&was);
		kit_free(&k);
	}
}

/* The same set, named by another image: as its own, as its parent, or by one that is broken. */
static void test_owned(void)
{
	for (int turn = 0; turn < 4; turn++) {
		struct kit k = kit_new(), was;
		struct cim_writer *w;
		char name[100];
		bool exists;

		make(&k, NULL, "x.cim", "text");
		snprintf(name, sizeof(name), "%s", set_file(&k, "x.cim", "region_", 1));
		if (turn == 1)
			make(&k, "x.cim", "y.cim", "fork");
		else
			memfs_copy(k.m, "x.cim", k.m, turn == 3 ? "region_of_mine" : "y.cim");
		if (turn == 2) /* cut: what it names can't be known */
			memfs_put(k.m, "y.cim",
				  "cimfile0\x48\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0"
				  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
				  72);
		memfs_unlink(k.m, "x.cim");
		memfs_poke(k.m, name, 5000, "?", 1);
		was = kit_copy(&k);
		w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
		build(&k, w, "text");
		gives(&k, cim_writer_commit(w, &k.err), CIM_E_EXISTS);
		ok(cim_writer_lookup(w, cim_str8("d"), &exists, &k.err) == CIM_E_EXISTS &&
			   cim_writer_commit(w, &k.err) == CIM_E_EXISTS,
		   "only closing is possible");
		cim_writer_close(w);
		same_files(&was, &k,
			   turn == 0   ? "another image's own set is left alone"
			   : turn == 1 ? "so is another image's parent"
			   : turn == 2 ? "so is everything beside a broken image"
				       : "so is an image called like a region file");
		kit_free(&was);
		kit_free(&k);
	}
}

/* While it looks for owners, every call may fail: never is the file replaced. */
static void test_owned_trouble(void)
{
	unsigned long n, calls = 0;

	for (n = 0; !n || n <= calls; n++) {
		struct kit k = kit_new();
		struct cim_writer *w;
		char name[100];
		uint8_t byte;

		make(&k, NULL, "x.cim", "text");
		snprintf(name, sizeof(name), "%s", set_file(&k, "x.cim", "region_", 1));
		memfs_copy(k.m, "x.cim", k.m, "y.cim");
		memfs_unlink(k.m, "x.cim");
		memfs_poke(k.m, name, 5000, "?", 1);
		w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
		build(&k, w, "text");
		if (n % 2)
			k.m->fail_alloc = k.m->allocs + (n + 1) / 2;
		else if (n)
			k.m->fail_at = k.m->ops + n / 2;
		calls = k.m->ops;
		if (cim_writer_commit(w, &k.err) == CIM_OK)
			ok(false, "call %lu failing: no commit", n);
		calls = n ? calls : 2 * (k.m->ops - calls);
		cim_writer_close(w);
		memfs_peek(k.m, name, 5000, &byte, 1);
		if (byte != '?')
			ok(false, "call %lu of the commit failing: the file is as it was", n);
		kit_free(&k);
	}
	ok(calls > 20, "whatever fails of %lu calls, another's file is not replaced", calls);
}

static struct cim_guid guid_of(const char *name, const char *text, int variant)
{
	struct cim_metadata meta = meta_file(100);
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, name, CIM_WRITE_CONSISTENT);
	struct cim_guid guid;
	struct cim_image *image;
	static uint8_t zeros[100];

	put(&k, w, "f", text);
	if (variant == 1)
		meta.change_time++;
	put_meta(&k, w, "g", &meta, zeros, variant == 2 ? 50 : variant == 3 ? 0 : 100);
	finish(&k, w);
	image = open_image(&k, name);
	guid = cim_image_get_set(image, 0)->guid;
	cim_image_close(image);
	kit_free(&k);
	return guid;
}

static void test_guid(void)
{
	struct cim_guid one = guid_of("x.cim", "text", 0), same = guid_of("x.cim", "text", 0);
	struct cim_guid other[5] = {guid_of("y.cim", "text", 0), guid_of("x.cim", "texT", 0),
				    guid_of("x.cim", "text", 1), guid_of("x.cim", "text", 2),
				    guid_of("x.cim", "text", 3)};
	static const char *const what[] = {"the name", "the bytes", "a time",
					   "how much was written", "whether anything was written"};

	ok(!memcmp(&one, &same, sizeof(one)), "the same: the same GUID");
	for (int i = 0; i < 5; i++)
		ok(memcmp(&one, &other[i], sizeof(one)) != 0, "another GUID if %s differs",
		   what[i]);
}

/* ---- conflicts ---- */

/* A commit that can't replace the image goes on afterwards, as if nothing had happened. */
static void test_held(unsigned flags)
{
	struct kit k = kit_new(), plain = kit_new();
	const char *mode = flags ? "consistent" : "ordinary";
	struct cim_writer *w;
	struct memfs *before;

	for (int i = 0; i < 2; i++) {
		struct kit *each = i ? &plain : &k;

		w = begin_flags(each, NULL, "x.cim", flags);
		build(each, w, "text");
		finish(each, w);
	}
	before = memfs_clone(k.m);
	w = begin_flags(&k, "x.cim", NULL, flags);
	put(&k, w, "new", "new");
	put_stream(&k, w, "large:s", "some");
	k.m->held = "x.cim";
	k.m->held_until = UINT64_MAX;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	ok(k.m->slept_ms >= 900 && k.m->slept_ms <= 1100, "%s: it was tried for about 1 s (D47)",
	   mode);
	ok(memfs_same_file(before, "x.cim", k.m, "x.cim"), "%s: the old image stands", mode);
	is_int(memfs_count_names(k.m, "region_") + memfs_count_names(k.m, "cimtmp_"),
	       flags ? 3 + 6 : 6, "%s: the session has its files", mode);
	is_int(memfs_count_names(k.m, "region_"), flags ? 3 : 6,
	       "%s: under the names that it had before", mode);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	put(&k, w, "newer", "newer");
	k.m->held_until = k.m->clock_ms + 500;
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	must_be_sound(&k, "x.cim");
	is_int(memfs_count_names(k.m, ""), 13, "%s: no file more than needed", mode);
	w = begin_flags(&plain, "x.cim", NULL, flags);
	put(&plain, w, "new", "new");
	put_stream(&plain, w, "large:s", "some");
	put(&plain, w, "newer", "newer");
	finish(&plain, w);
	same_image(&k, "x.cim", &plain, "x.cim", "all is in it");
	if (flags)
		same_files(&k, &plain, "the same bytes as without the trouble");
	memfs_free(before);
	kit_free(&k);
	kit_free(&plain);
}

/* After a commit that didn't come through the session may be closed as well. */
static void test_held_close(unsigned flags)
{
	struct kit k = kit_new(), was;
	struct cim_writer *w = begin_flags(&k, NULL, "x.cim", flags);

	build(&k, w, "text");
	finish(&k, w);
	was = kit_copy(&k);
	w = begin_flags(&k, "x.cim", NULL, flags);
	put(&k, w, "new", "new");
	k.m->held = "x.cim";
	k.m->held_until = UINT64_MAX;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	cim_writer_close(w);
	same_files(&was, &k, "given up after a failed commit: all is as it was");
	kit_free(&was);
	kit_free(&k);
}

static void take_name(struct memfs *m, enum mem_op op, const char *name)
{
	if (op == MEM_RENAME && !strcmp(name, "x.cim") && !memfs_exists(m, name))
		memfs_put(m, name, "somebody's", 10);
}

/* A mount holds the image, once who made it lets go. */
static void test_mounted(unsigned flags)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, "x.cim", flags);
	struct cim_image *image;
	intptr_t native = 0;

	build(&k, w, "text");
	must(&k, cim_writer_commit(w, &k.err));
	image = open_image(&k, "x.cim");
	gives(&k, cim_image_hold(image, CIM_HOLD_ASK, &native, &k.err), CIM_E_SHARING);
	gives(&k, cim_image_hold(image, CIM_HOLD_TRY, &native, &k.err), CIM_E_SHARING);
	is_int(native, -1, "a file in memory has no descriptor");
	cim_writer_close(w);
	gives(&k, cim_image_hold(image, CIM_HOLD_ASK, NULL, &k.err), CIM_OK);
	gives(&k, cim_image_hold(image, (enum cim_hold)3, NULL, &k.err), CIM_E_INVALID);
	gives(&k, cim_image_hold(image, CIM_HOLD_ASK, NULL, &k.err), CIM_OK);
	gives(&k, cim_image_hold(image, CIM_HOLD_WAIT, NULL, &k.err), CIM_OK);
	gives(&k, cim_image_hold(image, CIM_HOLD_TRY, NULL, &k.err), CIM_OK);
	gives(&k, cim_image_hold(image, CIM_HOLD_ASK, NULL, &k.err), CIM_E_SHARING);
	w = begin_flags(&k, "x.cim", "y.cim", flags);
	put(&k, w, "new", "new");
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	w = begin_flags(&k, "x.cim", NULL, flags);
	put(&k, w, "new", "new");
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	cim_image_close(image);
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	must_be_sound(&k, "x.cim");
	same_image(&k, "x.cim", &k, "y.cim",
		   "a mounted image may be forked, and extended later (D33)");
	kit_free(&k);
}

/* Another session, which no lock keeps out, extends the image. */
static void extend_beside(struct kit *k, unsigned flags)
{
	struct cim_writer *w = begin_flags(k, "x.cim", NULL, flags);

	put(k, w, "other", "other");
	must(k, cim_writer_commit(w, &k->err));
	cim_writer_close(w);
}

/* Where there are no locks sessions go on, and say so (D54); D35 holds all the same. */
static void test_no_locks(unsigned flags)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, "x.cim", flags);

	ok(!cim_writer_unlocked(w), "there are locks");
	build(&k, w, "text");
	must(&k, cim_writer_commit(w, &k.err));
	cim_writer_close(w);
	k.m->no_locks = true;
	w = begin_flags(&k, "x.cim", "y.cim", flags);
	ok(cim_writer_unlocked(w), "there are none: the session knows that");
	put(&k, w, "new", "new");
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	w = begin_flags(&k, "x.cim", NULL, flags);
	put(&k, w, "new", "new");
	extend_beside(&k, flags);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	is_str(k.err.cause, "the image was changed by somebody else", "by what it is");
	cim_writer_close(w);
	w = begin_flags(&k, "x.cim", NULL, flags);
	put(&k, w, "new", "new");
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	must_be_sound(&k, "x.cim");
	must_be_sound(&k, "y.cim");
	kit_free(&k);
}

static enum cim_status no_byte_lock(void *ctx, cim_vfs_file *file, uint64_t number,
				    enum cim_vfs_lock how, bool wait, long *os_error)
{
	(void)number;
	(void)ctx;
	(void)file;
	(void)how;
	(void)wait;
	*os_error = 95;
	return CIM_E_UNSUPPORTED;
}

/* Byte locks are missing, but not the directory's: the session knows that too. */
static void test_no_byte_lock(void)
{
	struct kit k = kit_new();
	struct cim_vfs vfs = k.m->vfs;
	struct cim_writer *w;

	vfs.lock = no_byte_lock;
	k.env.vfs = &vfs;
	w = begin(&k, NULL, "x.cim");
	ok(cim_writer_unlocked(w), "no byte lock: the session knows that");
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	must_be_sound(&k, "x.cim");
	kit_free(&k);
}

static void test_lost_answer(unsigned flags)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, "x.cim", flags);

	build(&k, w, "text");
	k.m->lose_answer = true;
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 7,
	       "a rename took place, but failed: no file is removed");
	must_be_sound(&k, "x.cim");
	kit_free(&k);
}

static void test_name_taken(unsigned flags)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, "x.cim", flags);
	char got[10];

	build(&k, w, "text");
	k.m->before = take_name;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_EXISTS);
	ok(cim_writer_commit(w, &k.err) == CIM_E_EXISTS &&
		   cim_writer_delete(w, cim_str8("d"), &k.err) == CIM_E_EXISTS,
	   "only closing is possible");
	cim_writer_close(w);
	is_int(k.m->now.count, 1, "a name taken meanwhile: nothing of ours is left");
	memfs_peek(k.m, "x.cim", 0, got, 10);
	ok(!memcmp(got, "somebody's", 10), "and the other's file is as it was");
	kit_free(&k);
}

static void test_changed(unsigned flags)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, "x.cim", flags);
	uint8_t header[72], longer[96] = {0};

	build(&k, w, "text");
	finish(&k, w);
	memfs_peek(k.m, "x.cim", 0, header, sizeof(header));
	w = begin_flags(&k, "x.cim", NULL, flags);
	put(&k, w, "new", "new");
	memfs_unlink(k.m, "x.cim");
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	ok(!memfs_exists(k.m, "x.cim"), "the image was deleted: it doesn't come back (D35)");
	memcpy(longer, header, sizeof(header));
	memfs_put(k.m, "x.cim", longer, sizeof(longer));
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	header[60] ^= 1;
	memfs_unlink(k.m, "x.cim");
	memfs_put(k.m, "x.cim", header, sizeof(header));
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	memfs_unlink(k.m, "x.cim");
	header[60] ^= 1;
	memfs_put(k.m, "x.cim", header, sizeof(header));
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	must_be_sound(&k, "x.cim");
	kit_free(&k);
}

/* ---- the base goes ---- */

/* What the fork's table of files, and so its image, would still need. */
static void remove_set(struct memfs *m, const char *guid, bool data_too)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < m->now.count && !again; i++) {
			const char *name = m->now.at[i].name;

			again = strstr(name, guid) != NULL &&
				(data_too || !strcmp(name + strlen(name) - 2, "_0"));
			if (again)
				memfs_unlink(m, name);
		}
	}
}

static struct {
	const char *guid;
	enum mem_op op;
	bool data_too;
} removal;

static void remove_base_at(struct memfs *m, enum mem_op op, const char *name)
{
	(void)name;
	if (op != removal.op)
		return;
	memfs_unlink(m, "base.cim");
	remove_set(m, removal.guid, removal.data_too);
}

/* Somebody whom the directory's lock doesn't bind removes the image that a session forks. */
static void test_base_removed(unsigned flags)
{
	static const enum mem_op ops[] = {MEM_OPS, MEM_PWRITE, MEM_SYNC};

	for (size_t i = 0; i < 2 * sizeof(ops) / sizeof(ops[0]); i++) {
		struct kit k = kit_new();
		struct cim_writer *w = begin_flags(&k, NULL, "base.cim", flags);
		char guid[CIM_GUID_TEXT];
		bool exists;

		build(&k, w, "base");
		finish(&k, w);
		memcpy(guid, set_file(&k, "base.cim", "", 0), CIM_GUID_TEXT - 1);
		guid[CIM_GUID_TEXT - 1] = '\0';
		w = begin_flags(&k, "base.cim", "fork.cim", flags);
		put(&k, w, "new", "new");
		/* The base's directory is known by now: nothing more is read of its tables. */
		removal.guid = guid;
		removal.op = ops[i / 2];
		removal.data_too = i % 2;
		k.m->before = remove_base_at;
		if (removal.op == MEM_OPS)
			remove_base_at(k.m, MEM_OPS, "");
		gives(&k, cim_writer_commit(w, &k.err), CIM_E_CORRUPT);
		ok(strstr(k.err.cause, guid) && strstr(k.err.cause, "removed") &&
			   strstr(k.err.image, "fork.cim"),
		   "the error tells what is missing: %s: %s", k.err.image, k.err.cause);
		ok(!memfs_exists(k.m, "fork.cim"), "no image that names it is made");
		ok(cim_writer_lookup(w, cim_str8("new"), &exists, &k.err) == CIM_E_CORRUPT &&
			   cim_writer_commit(w, &k.err) == CIM_E_CORRUPT,
		   "only closing is possible");
		k.m->before = NULL;
		cim_writer_close(w);
		remove_set(k.m, guid, true);
		is_int(k.m->now.count, 0, "nothing of the session is left");
		kit_free(&k);
	}
}

/* Only the base's own file goes: the fork has all that it needs. */
static void test_base_unnamed(unsigned flags)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, "base.cim", flags);

	build(&k, w, "base");
	finish(&k, w);
	w = begin_flags(&k, "base.cim", "fork.cim", flags);
	put(&k, w, "new", "new");
	memfs_unlink(k.m, "base.cim");
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	must_be_sound(&k, "fork.cim");
	kit_free(&k);
}

/* ---- progress ---- */

static uint64_t last_done, last_total, calls, stop_at;
static bool disordered;

static int on_progress(void *ctx, const struct cim_progress *progress)
{
	(void)ctx;
	disordered |= progress->phase != CIM_PHASE_COMMIT || progress->done > progress->total ||
		      (calls && progress->done < last_done);
	last_done = progress->done;
	last_total = progress->total;
	return ++calls == stop_at;
}

static void many(struct kit *k, struct cim_writer *w, unsigned count, const char *prefix)
{
	char path[30];

	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s%u", prefix, i);
		make_dir(k, w, path);
	}
}

static void test_progress(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	char path[30];

	k.m->progress = on_progress;
	k.env = memfs_env(k.m);
	w = begin(&k, NULL, "x.cim");
	many(&k, w, 3000, "a");
	finish(&k, w);
	ok(!disordered && calls, "done grows and is never above total: %d calls", (int)calls);
	is_int(last_done, last_total, "at the end all is done");
	calls = 0;
	w = begin(&k, "x.cim", NULL);
	for (unsigned i = 0; i < 3000; i += 100) {
		snprintf(path, sizeof(path), "a%u/f", i);
		put(&k, w, path, "x");
	}
	finish(&k, w);
	ok(!disordered && calls, "the same when an image is extended: %d calls", (int)calls);
	is_int(last_done, last_total, "at the end all is done");
	for (uint64_t at = 1; at <= 3; at++) {
		calls = 0;
		stop_at = at;
		w = begin(&k, "x.cim", "y.cim");
		many(&k, w, 3000, "b");
		for (unsigned i = 0; i < 3000; i++) {
			snprintf(path, sizeof(path), "b%u/f", i);
			put(&k, w, path, "x");
		}
		gives(&k, cim_writer_commit(w, &k.err), CIM_E_ABORTED);
		gives(&k, cim_writer_commit(w, &k.err), CIM_E_ABORTED);
		cim_writer_close(w);
		is_int(memfs_count_names(k.m, ""), 13, "a commit that is stopped leaves nothing");
	}
	stop_at = 0;
	kit_free(&k);
}

/* Five hundred directories in sixty file tables: all of these must be written. */
static void test_progress_tables(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	char path[30];

	w = begin(&k, NULL, "x.cim");
	for (unsigned i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "d%u", i);
		make_dir(&k, w, path);
		for (unsigned j = 0; j < 122; j++) {
			snprintf(path, sizeof(path), "d%u/%u", i, j);
			put(&k, w, path, "");
		}
	}
	finish(&k, w);
	k.m->progress = on_progress;
	k.env = memfs_env(k.m);
	calls = 0;
	w = begin(&k, "x.cim", NULL);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "d%u/more", i);
		put(&k, w, path, "");
	}
	finish(&k, w);
	ok(!disordered && calls, "with many tables, too, done is never above total");
	is_int(last_done, last_total, "at the end all is done");
	kit_free(&k);
}

static long open_at_rename;

static void count_open(struct memfs *m, enum mem_op op, const char *name)
{
	if (op == MEM_RENAME && !strcmp(name, "x.cim"))
		open_at_rename = m->open_files;
}

/* Windows renames no file that is open for writing: an image's file is closed by then, and only the
 * set's three regions and their object IDs stay open until the session ends. */
static void test_closed_before_named(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "x.cim");

	put(&k, w, "file", "text");
	k.m->before = count_open;
	must(&k, cim_writer_commit(w, &k.err));
	k.m->before = NULL;
	is_int(open_at_rename, 6, "files that are open when an image gets its name");
	cim_writer_close(w);
	kit_free(&k);
}

int main(void)
{
	pattern(bytes, 1, sizeof(bytes));
	test_again();
	test_two_names();
	test_rebuild();
	test_rebuild_fails_late();
	test_orphan();
	test_owned();
	test_owned_trouble();
	test_guid();
	test_no_byte_lock();
	for (unsigned flags = 0; flags <= CIM_WRITE_CONSISTENT; flags++) {
		test_held(flags);
		test_held_close(flags);
		test_mounted(flags);
		test_no_locks(flags);
		test_lost_answer(flags);
		test_name_taken(flags);
		test_changed(flags);
		test_base_removed(flags);
		test_base_unnamed(flags);
	}
	test_progress();
	test_progress_tables();
	test_closed_before_named();
	return tap_done();
}
