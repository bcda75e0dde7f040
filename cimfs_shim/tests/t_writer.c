/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer.c - what the writer does, call by call: decisions.md's rows as far as core decides them
 *
 * Sessions run in memory (memfs.h); what they made is read back by the reader and checked by
 * verify. How they fail is for t_writer_faults.c, what no one thought of for t_writer_random.c.
 */
#include "kit.h"

#define ROOT "#1 / 10 times=0,0,0,0\n"

/* ---- from nothing ---- */

static void test_nothing(void)
{
	struct kit k = kit_new();
	const struct cim_image_info *info;
	const struct cim_region_set *set;
	struct cim_image *image;
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	enum cim_vfs_lock lock = CIM_LOCK_NONE;
	long os_error;

	ok(!memfs_exists(k.m, "a.cim"), "before the commit there is no image");
	is_int(memfs_count_names(k.m, "region_"), 3, "a session has three region files");
	is_int(memfs_count_names(k.m, ""), 3, "and nothing else");
	must(&k,
	     k.m->vfs.is_locked(k.m, NULL, memfs_find_name(k.m, "region_"), 0, &lock, &os_error));
	ok(lock == CIM_LOCK_ALONE, "the first of them is locked (D36)");
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	is_image(&k, "a.cim", ROOT, "an image of nothing has a root (D22)");
	is_int(memfs_count_names(k.m, "region_"), 3, "three region files are left");
	is_int(memfs_count_names(k.m, "objectid_"), 3, "and three object ID files");
	is_int(memfs_count_names(k.m, ""), 7, "and the image");
	image = open_image(&k, "a.cim");
	info = cim_image_get_info(image);
	is_int(info->version_major, 2, "the version is 2");
	is_int(info->version_minor, 0, "point 0");
	is_int(info->set_count, 1, "one region set");
	is_int(info->region_count, 3, "of three regions");
	is_int(info->root_id, 1, "the root's FileID is 1");
	ok((set = cim_image_get_set(image, 0)) && (set->guid.bytes[7] & 0xf0) == 0x40 &&
		   (set->guid.bytes[8] & 0xc0) == 0x80,
	   "the set's GUID is a random one (version 4)");
	cim_image_close(image);
	kit_free(&k);
}

static void test_abort(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");

	put(&k, w, "x", "some bytes");
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 0, "a session closed without a commit leaves no file");
	kit_free(&k);
}

/* ---- opening ---- */

static enum cim_status try_open(struct kit *k, const char *dir, const char *existing,
				const char *name, unsigned flags)
{
	struct cim_writer *w = (struct cim_writer *)k;
	enum cim_status status;

	memset(&k->err, 0, sizeof(k->err));
	status = cim_writer_open(&k->env, dir, existing, name, flags, &w, &k->err);
	if (status && w) {
		ok(false, "the handle is NULL after a failure (D28)");
		w = NULL;
	}
	cim_writer_close(w);
	return status;
}

static void test_open(void)
{
	static const uint8_t rubbish[100] = "this is no image";
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	char long_name[300];
	uint8_t bytes[72];

	finish(&k, w);
	memset(long_name, 'n', sizeof(long_name));
	long_name[256] = 0;
	gives(&k, try_open(&k, "mem", NULL, NULL, 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", NULL, "", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", "", "b.cim", 0), CIM_E_FILE_NOT_FOUND);
	gives(&k, try_open(&k, "mem", "", NULL, 0), CIM_E_FILE_NOT_FOUND);
	gives(&k, try_open(&k, "mem", NULL, "x/b.cim", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", NULL, "x\\b.cim", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", NULL, "b:cim", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", NULL, long_name, 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", "a:cim", "b.cim", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", "a.cim", "..", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", NULL, "cimtmp_x.cim", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", "a.cim", "CimTmp_", 0), CIM_E_INVALID);
	gives(&k, try_open(&k, "mem", NULL, "cimtmp", 0), CIM_OK);
	long_name[255] = 0;
	gives(&k, try_open(&k, "mem", NULL, long_name, 0), CIM_OK);
	gives(&k, try_open(&k, "mem", NULL, "b.cim", 0x80), CIM_E_INVALID);
	gives(&k, try_open(&k, "elsewhere", NULL, "b.cim", 0), CIM_E_PATH_NOT_FOUND);
	gives(&k, try_open(&k, "mem", "b.cim", NULL, 0), CIM_E_FILE_NOT_FOUND);
	gives(&k, try_open(&k, "mem", "b.cim", "c.cim", 0), CIM_E_FILE_NOT_FOUND);
	gives(&k, try_open(&k, "mem", NULL, "a.cim", 0), CIM_E_EXISTS);
	gives(&k, try_open(&k, "mem", "a.cim", "a.cim", 0), CIM_OK);
	gives(&k, try_open(&k, "mem", "a.cim", NULL, 0), CIM_OK);
	gives(&k, cim_writer_open(&k.env, "mem", NULL, "b.cim", 0, NULL, &k.err), CIM_E_POINTER);
	w = begin(&k, NULL, "b.cim");
	gives(&k, try_open(&k, "mem", NULL, "c.cim", 0), CIM_E_SHARING);
	cim_writer_close(w);
	gives(&k, try_open(&k, "mem", NULL, "c.cim", 0), CIM_OK);
	memfs_put(k.m, "rubbish.cim", rubbish, sizeof(rubbish));
	gives(&k, try_open(&k, "mem", "rubbish.cim", NULL, 0), CIM_E_CORRUPT);
	gives(&k, try_open(&k, "mem", NULL, "rubbish.cim", 0), CIM_E_EXISTS);
	gives(&k, try_open(&k, "mem", "a.cim", "rubbish.cim", 0), CIM_E_EXISTS);
	memfs_peek(k.m, "a.cim", 0, bytes, sizeof(bytes));
	bytes[16] = 4;
	memfs_put(k.m, "four.cim", bytes, sizeof(bytes));
	gives(&k, try_open(&k, "mem", "four.cim", NULL, 0), CIM_E_VERSION);
	is_str(k.err.image, "mem/four.cim", "the error names the image");
	is_str(k.err.op, "open session", "and the operation");
	is_int(memfs_count_names(k.m, ""), 9, "no failure left a file");
	k.m->random_fails = true;
	gives(&k, try_open(&k, "mem", NULL, "b.cim", 0), CIM_E_IO);
	k.m->random_fails = false;
	kit_free(&k);
}

/* The new name is looked at when the session begins: what else goes wrong is no "taken". */
static void test_open_trouble(void)
{
	struct kit k = kit_new();

	k.m->fail_at = k.m->ops + 2;
	k.m->fail_status = CIM_E_IO;
	gives(&k, try_open(&k, "mem", NULL, "b.cim", 0), CIM_E_IO);
	k.m->fail_at = k.m->ops + 2;
	k.m->fail_status = CIM_E_ACCESS;
	gives(&k, try_open(&k, "mem", NULL, "b.cim", 0), CIM_E_EXISTS);
	k.m->fail_at = k.m->ops + 1;
	gives(&k, try_open(&k, "mem", NULL, "b.cim", 0), CIM_E_ACCESS);
	kit_free(&k);
}

static void test_fold(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;

	k.m->vfs.fold_names = k.m->vfs.windows_paths = true;
	w = begin(&k, NULL, "Image.cim");
	put(&k, w, "x", "1");
	finish(&k, w);
	gives(&k, try_open(&k, "mem", NULL, "IMAGE.CIM", 0), CIM_E_EXISTS);
	w = begin(&k, "image.cim", "IMAGE.cim");
	put(&k, w, "y", "2");
	finish(&k, w);
	is_image(&k, "Image.cim", ROOT "#2 /x 80 1 '1'\n#3 /y 80 1 '2'\n",
		 "where names fold, the same name in another case is the image itself");
	is_int(memfs_count_names(k.m, ""), 13, "and is replaced");
	kit_free(&k);
}

/* ---- paths ---- */

static enum cim_status add_path(struct kit *k, struct cim_writer *w, const char *path,
				uint32_t attributes)
{
	struct cim_metadata meta = meta_file(0);

	meta.attributes = attributes;
	return cim_writer_add(w, cim_str8(path), &meta, NULL, &k->err);
}

/* clang-format off */
static const char *const malformed[] = {
	"a\\", "a\\\\b", "\\\\a", ".", "..", "a\\..", "a\\.\\b", "a*", "a?", "a\"", "a<", "a>", "a|", "a\x1f", "a:b",
	"a:b:$DATA", ":b", "\xff", "\xed\xa0\x80\xed\xb0\x80",
};
/* clang-format on */

static void test_paths(void)
{
	static const uint16_t slash[] = {'a', '/', 'b', 0};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(0);
	static char longest[800];

	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		ok(add_path(&k, w, malformed[i], 0) == CIM_E_INVALID,
		   "path %u is malformed (D11, D20)", (unsigned)i);
	is_int(cim_writer_add(w, cim_str16(slash), &meta, NULL, NULL), CIM_E_INVALID,
	       "a '/' in UTF-16 is malformed");
	gives(&k, cim_writer_add(w, cim_str8(NULL), &meta, NULL, &k.err), CIM_E_INVALID);
	memset(longest, 'L', 256);
	gives(&k, add_path(&k, w, longest, 0), CIM_E_INVALID);
	longest[255] = 0;
	gives(&k, add_path(&k, w, longest, 0), CIM_OK);
	gives(&k, cim_writer_delete(w, cim_str8(longest), &k.err), CIM_OK);
	gives(&k, add_path(&k, w, "\\con", 0), CIM_OK);
	gives(&k, add_path(&k, w, "x.", 0), CIM_OK);
	gives(&k, add_path(&k, w, "x ", 0), CIM_OK);
	gives(&k, add_path(&k, w, "\xed\xa0\x80", 0), CIM_OK);
	gives(&k, add_path(&k, w, "missing/x", 0), CIM_E_PATH_NOT_FOUND);
	gives(&k, add_path(&k, w, "con/x", 0), CIM_E_PATH_NOT_FOUND);
	is_str(k.err.path, "con\\x", "the error names the path");
	is_str(k.err.image, "mem/a.cim", "and the image");
	is_str(k.err.op, "add", "and the operation");
	gives(&k, add_path(&k, w, "", 0), CIM_E_INVALID);
	gives(&k, add_path(&k, w, "\\", 0), CIM_E_INVALID);
	meta = meta_dir();
	meta.attributes |= CIM_ATTR_HIDDEN;
	gives(&k, cim_writer_add(w, cim_str8("\\"), &meta, NULL, &k.err), CIM_OK);
	gives(&k, cim_writer_delete(w, cim_str8(""), &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_delete(w, cim_str8("\\"), &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_link(w, cim_str8(""), cim_str8("con"), &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_link(w, cim_str8("y"), cim_str8("\\"), &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_link(w, cim_str8("y:z"), cim_str8("con"), &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_link(w, cim_str8("y"), cim_str8("con:z"), &k.err), CIM_E_INVALID);
	finish(&k, w);
	is_image(&k, "a.cim",
		 "#1 / 12\n#2 /con 80 0 ''\n#3 /x  80 0 ''\n#4 /x. 80 0 ''\n"
		 "#5 /\xed\xa0\x80 80 0 ''\n",
		 "what was accepted is there, the root as described (D21, D22)");
	kit_free(&k);
}

/* A path of 32,767 units, and a tree that deep. */
/* Paths that need memory of their own, in every call that takes one: kit_free() misses none. */
static void test_long_paths(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_str rest = {0};
	char path[2][700], stream[710];
	struct cim_image *image;
	bool exists = false;
	uint32_t id = 0;

	for (int i = 0; i < 2; i++) {
		memset(path[i], 'x', sizeof(path[i]));
		path[i][200] = path[i][400] = '/';
		path[i][600] = (char)('a' + i);
		path[i][601] = '\0';
	}
	snprintf(stream, sizeof(stream), "%s:s", path[0]);
	path[0][200] = '\0';
	make_dir(&k, w, path[0]);
	path[0][200] = '/';
	path[0][400] = '\0';
	make_dir(&k, w, path[0]);
	path[0][400] = '/';
	put(&k, w, path[0], "text");
	put_stream(&k, w, stream, "stream");
	gives(&k, cim_writer_link(w, cim_str8(path[1]), cim_str8(path[0]), &k.err), CIM_OK);
	gives(&k, cim_writer_link(w, cim_str8(path[0]), cim_str8("none"), &k.err),
	      CIM_E_PATH_NOT_FOUND);
	must(&k, cim_writer_lookup(w, cim_str8(path[1]), &exists, &k.err));
	ok(exists, "a path of 600 units has another name");
	must(&k, cim_writer_stat(w, cim_str8(path[1]), &info, &k.err));
	must(&k, cim_writer_delete(w, cim_str8(path[1]), &k.err));
	gives(&k, cim_writer_delete(w, cim_str8(path[1]), &k.err), CIM_E_PATH_NOT_FOUND);
	finish(&k, w);
	image = open_image(&k, "a.cim");
	must(&k, cim_image_lookup(image, cim_str8(path[0]), &id, &k.err));
	gives(&k, cim_image_lookup(image, cim_str8(path[1]), &id, &k.err), CIM_E_FILE_NOT_FOUND);
	must(&k, cim_image_lookup_stream(image, cim_str8(stream), &id, &rest, &k.err));
	cim_image_close(image);
	kit_free(&k);
}

static void test_deep(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	static char path[40000];
	size_t len = 0;
	bool exists;

	while (len < 5000) {
		memcpy(path + len, len ? "/d" : "dd", 3);
		make_dir(&k, w, path);
		len += 2;
	}
	memcpy(path + len, "/f", 3);
	put(&k, w, path, "deep down");
	finish(&k, w);
	must_be_sound(&k, "a.cim");
	w = begin(&k, "a.cim", NULL);
	gives(&k, cim_writer_lookup(w, cim_str8(path), &exists, &k.err), CIM_OK);
	ok(exists, "an item 2,500 directories deep is found");
	put(&k, w, path, "changed");
	gives(&k, cim_writer_delete(w, cim_str8("dd"), &k.err), CIM_OK);
	finish(&k, w);
	is_image(&k, "a.cim", ROOT, "and deleted with its 2,500 directories");
	memset(path, 'x', sizeof(path));
	for (size_t i = 200; i < 32768; i += 200)
		path[i] = '/';
	path[32767] = 0;
	w = begin(&k, "a.cim", NULL);
	gives(&k, cim_writer_lookup(w, cim_str8(path), &exists, &k.err), CIM_OK);
	path[32767] = 'x';
	path[32768] = 0;
	gives(&k, cim_writer_lookup(w, cim_str8(path), &exists, &k.err), CIM_E_INVALID);
	cim_writer_close(w);
	kit_free(&k);
}

/* ---- adding, replacing, linking, deleting ---- */

static void test_replace(void)
{
	struct kit k = kit_new();
	struct cim_metadata meta = meta_dir();
	struct cim_writer *w = begin(&k, NULL, "a.cim");

	make_dir(&k, w, "Dir");
	put(&k, w, "Dir/file", "one");
	put_stream(&k, w, "Dir:s", "of the directory");
	meta.attributes |= CIM_ATTR_SYSTEM;
	gives(&k, cim_writer_add(w, cim_str8("DIR"), &meta, NULL, &k.err), CIM_OK);
	make_dir(&k, w, "gone");
	make_dir(&k, w, "gone/below");
	put(&k, w, "gone/below/x", "x");
	put(&k, w, "Gone", "now a file");
	put(&k, w, "was", "a file");
	make_dir(&k, w, "was");
	put(&k, w, "was/x", "below");
	put(&k, w, "Name", "old");
	put_stream(&k, w, "Name:s", "old");
	put(&k, w, "NAME", "new");
	finish(&k, w);
	is_image(&k, "a.cim",
		 ROOT "#2 /Dir 14\n    :s 16 'of the directory'\n#3 /Dir/file 80 3 'one'\n"
		      "#4 /Gone 80 10 'now a file'\n#5 /NAME 80 3 'new'\n"
		      "#6 /was 10\n#7 /was/x 80 5 'below'\n",
		 "D2: a directory's metadata; D3: with all below; D24: the new spelling");
	w = begin(&k, "a.cim", "b.cim");
	meta.attributes = CIM_ATTR_DIRECTORY;
	meta.change_time = 5;
	gives(&k, cim_writer_add(w, cim_str8("dir"), &meta, NULL, &k.err), CIM_OK);
	put(&k, w, "was", "again");
	make_dir(&k, w, "gone");
	put(&k, w, "name", "newer");
	finish(&k, w);
	is_image(&k, "b.cim",
		 ROOT "#2 /Dir 10 times=130604389193744385,130604389193744386,5,"
		      "130604389193744388\n    :s 16 'of the directory'\n#3 /Dir/file 80 3 'one'\n"
		      "#4 /gone 10\n#5 /name 80 5 'newer'\n#6 /was 80 5 'again'\n",
		 "the same over what is inherited");
	kit_free(&k);
}

static void test_links(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");

	make_dir(&k, w, "d");
	put(&k, w, "f", "the file");
	put(&k, w, "g", "another");
	gives(&k, cim_writer_link(w, cim_str8("d/l"), cim_str8("f"), &k.err), CIM_OK);
	gives(&k, cim_writer_link(w, cim_str8("F"), cim_str8("d/L"), &k.err), CIM_OK);
	gives(&k, cim_writer_link(w, cim_str8("g"), cim_str8("f"), &k.err), CIM_OK);
	gives(&k, cim_writer_link(w, cim_str8("d"), cim_str8("f"), &k.err), CIM_E_ACCESS);
	gives(&k, cim_writer_link(w, cim_str8("e"), cim_str8("d"), &k.err), CIM_E_ACCESS);
	gives(&k, cim_writer_link(w, cim_str8("e"), cim_str8("no"), &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_link(w, cim_str8("e"), cim_str8("no/x"), &k.err),
	      CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_link(w, cim_str8("no/e"), cim_str8("f"), &k.err),
	      CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_link(w, cim_str8("g/e"), cim_str8("f"), &k.err), CIM_E_PATH_NOT_FOUND);
	put(&k, w, "self", "itself");
	gives(&k, cim_writer_link(w, cim_str8("SELF"), cim_str8("self"), &k.err), CIM_OK);
	put(&k, w, "d/l", "a file of its own");
	gives(&k, cim_writer_link(w, cim_str8("h"), cim_str8("g"), &k.err), CIM_OK);
	gives(&k, cim_writer_delete(w, cim_str8("f"), &k.err), CIM_OK);
	finish(&k, w);
	is_image(&k, "a.cim",
		 ROOT "#2 /d 10\n#3 /d/l 80 17 'a file of its own'\n"
		      "#4 /g 80 8 'the file'\n#4 /h 80 8 'the file'\n"
		      "#5 /self 80 6 'itself'\n",
		 "links (D6, D7)");
	w = begin(&k, "a.cim", NULL);
	gives(&k, cim_writer_link(w, cim_str8("d/g"), cim_str8("G"), &k.err), CIM_OK);
	put_stream(&k, w, "h:s", "seen by all names");
	put(&k, w, "h", "parts");
	gives(&k, cim_writer_delete(w, cim_str8("g"), &k.err), CIM_OK);
	gives(&k, cim_writer_link(w, cim_str8("SELF"), cim_str8("Self"), &k.err), CIM_OK);
	finish(&k, w);
	is_image(&k, "a.cim",
		 ROOT "#2 /d 10\n#3 /d/g 80 8 'the file'\n    :s 17 'seen by all names'\n"
		      "#4 /d/l 80 17 'a file of its own'\n#5 /h 80 5 'parts'\n"
		      "#6 /self 80 6 'itself'\n",
		 "links to inherited files");
	kit_free(&k);
}

static void test_delete(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	const struct cim_image_info *info;
	struct cim_image *image;

	make_dir(&k, w, "d");
	make_dir(&k, w, "d/e");
	put(&k, w, "d/e/f", "nested");
	put(&k, w, "x", "x");
	put_stream(&k, w, "x:s", "s");
	gives(&k, cim_writer_delete(w, cim_str8("no"), &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_delete(w, cim_str8("no/x"), &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_delete(w, cim_str8("x/y"), &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_delete(w, cim_str8("x:t"), &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_delete(w, cim_str8("no:t"), &k.err), CIM_E_PATH_NOT_FOUND);
	finish(&k, w);
	w = begin(&k, "a.cim", "b.cim");
	gives(&k, cim_writer_delete(w, cim_str8("D\\E\\F"), &k.err), CIM_OK);
	gives(&k, cim_writer_delete(w, cim_str8("d/e/f"), &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_delete(w, cim_str8("x:S:$DATA"), &k.err), CIM_OK);
	gives(&k, cim_writer_delete(w, cim_str8("x:s"), &k.err), CIM_E_PATH_NOT_FOUND);
	finish(&k, w);
	is_image(&k, "b.cim", ROOT "#2 /d 10\n#3 /d/e 10\n#4 /x 80 1 'x'\n",
		 "an inherited nested file and a stream are deleted (D4, D5)");
	w = begin(&k, "b.cim", NULL);
	gives(&k, cim_writer_delete(w, cim_str8("d"), &k.err), CIM_OK);
	gives(&k, add_path(&k, w, "d/e/g", 0), CIM_E_PATH_NOT_FOUND);
	make_dir(&k, w, "D");
	put(&k, w, "D/e", "a file now");
	finish(&k, w);
	is_image(&k, "b.cim", ROOT "#2 /D 10\n#3 /D/e 80 10 'a file now'\n#4 /x 80 1 'x'\n",
		 "deleted and made again");
	is_image(&k, "a.cim",
		 ROOT "#2 /d 10\n#3 /d/e 10\n#4 /d/e/f 80 6 'nested'\n#5 /x 80 1 'x'\n"
		      "    :s 1 's'\n",
		 "the image it was forked from is as it was");
	image = open_image(&k, "b.cim");
	info = cim_image_get_info(image);
	is_int(info->set_count, 3, "each session has added a region set");
	cim_image_close(image);
	kit_free(&k);
}

static void test_lookup(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(3);
	struct cim_error untouched = {.op = "untouched"};
	struct cim_stream *stream;
	bool exists = true;

	make_dir(&k, w, "d");
	put(&k, w, "d/f", "1");
	put_stream(&k, w, "d/f:s", "2");
	must(&k, cim_writer_add(w, cim_str8("open"), &meta, &stream, &k.err));
	gives(&k, cim_writer_lookup(w, cim_str8("no/f"), &exists, &untouched), CIM_OK);
	ok(!exists, "a missing directory on the way: missing (D41)");
	is_str(untouched.op, "untouched", "the error is filled in on failure only");
	gives(&k, cim_writer_lookup(w, cim_str8("D/F"), &exists, &k.err), CIM_OK);
	ok(exists, "found without case");
	gives(&k, cim_writer_lookup(w, cim_str8("d/f/x"), &exists, &k.err), CIM_OK);
	ok(!exists, "a file on the way: missing");
	gives(&k, cim_writer_lookup(w, cim_str8("d/f:S"), &exists, &k.err), CIM_OK);
	ok(exists, "a stream is found");
	gives(&k, cim_writer_lookup(w, cim_str8("d/f:t"), &exists, &k.err), CIM_OK);
	ok(!exists, "or not");
	gives(&k, cim_writer_lookup(w, cim_str8("d:s"), &exists, &k.err), CIM_OK);
	ok(!exists, "a directory without streams has none");
	gives(&k, cim_writer_lookup(w, cim_str8(""), &exists, &k.err), CIM_OK);
	ok(exists, "the root is there");
	gives(&k, cim_writer_lookup(w, cim_str8("open"), &exists, &k.err), CIM_OK);
	ok(exists, "also while a stream is open");
	gives(&k, cim_writer_lookup(w, cim_str8("d\\"), &exists, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_lookup(w, cim_str8("d"), NULL, &k.err), CIM_E_POINTER);
	cim_stream_close(stream);
	cim_writer_close(w);
	kit_free(&k);
}

/* ---- metadata ---- */

static enum cim_status add_meta(struct kit *k, struct cim_writer *w,
				const struct cim_metadata *meta)
{
	return cim_writer_add(w, cim_str8("m"), meta, NULL, &k->err);
}

static void test_metadata_errors(void)
{
	static const uint8_t sd[20] = {1, 0, 4, 0x80};
	static uint8_t big[70000];
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta;

	gives(&k, add_meta(&k, w, NULL), CIM_E_POINTER);
	meta = meta_file(-1);
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	meta = meta_file(INT64_C(1) << 48);
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	meta = meta_dir();
	meta.size = -1;
	gives(&k, add_meta(&k, w, &meta), CIM_OK);
	meta = meta_file(0);
	meta.security = sd;
	meta.security_size = 19;
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	memcpy(big, sd, sizeof(sd));
	meta.security = big;
	meta.security_size = 65536;
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	meta.security_size = 65535;
	gives(&k, add_meta(&k, w, &meta), CIM_OK);
	meta.security = NULL;
	gives(&k, add_meta(&k, w, &meta), CIM_OK);
	meta = meta_file(0);
	meta.ea_size = 4;
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	meta.ea = big;
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	meta = meta_file(0);
	meta.reparse_size = 8;
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	meta.reparse = big;
	meta.reparse_size = 7;
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	meta.reparse_size = 16385;
	gives(&k, add_meta(&k, w, &meta), CIM_E_INVALID);
	finish(&k, w);
	is_image(&k, "a.cim", ROOT "#2 /m 80 0 ''\n", "what failed left nothing (D8, D9, D16-D18)");
	kit_free(&k);
}

static void test_metadata(void)
{
	static const uint8_t sd[28] = {1, 0, 4, 0x80, 0,  0, 0, 0, 0, 0, 0, 0,
				       0, 0, 0, 0,    20, 0, 0, 0, 2, 0, 8, 0};
	static const uint8_t ea[12] = {0, 0, 0, 0, 0, 1, 2, 0, 'N', 0, 'v', 'w'};
	static const uint8_t reparse[12] = {0xc, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = {CIM_SIZED(meta),
				    .attributes = 0xffffffef,
				    .size = 2,
				    .creation_time = 1,
				    .last_write_time = -2,
				    .change_time = INT64_MAX,
				    .last_access_time = 4,
				    .security = sd,
				    .security_size = sizeof(sd),
				    .ea = ea,
				    .ea_size = sizeof(ea),
				    .reparse = reparse,
				    .reparse_size = sizeof(reparse)};
	char want[600];

	put_meta(&k, w, "all", &meta, "ok", 2);
	meta.attributes |= CIM_ATTR_DIRECTORY;
	must(&k, cim_writer_add(w, cim_str8("dir"), &meta, NULL, &k.err));
	meta = meta_file(0);
	meta.attributes = CIM_ATTR_REPARSE | CIM_ATTR_NORMAL | 0x800;
	put_meta(&k, w, "normal", &meta, NULL, 0);
	finish(&k, w);
	snprintf(want, sizeof(want),
		 ROOT "#2 /all 627 times=1,-2,9223372036854775807,4 2 'ok' tag=a000000c"
		      " sd#%016" PRIx64 " ea#%016" PRIx64 " rp#%016" PRIx64 "\n"
		      "#3 /dir 637 times=1,-2,9223372036854775807,4 tag=a000000c sd#%016" PRIx64
		      " ea#%016" PRIx64 " rp#%016" PRIx64 "\n#4 /normal 80 0 ''\n",
		 hash_bytes(HASH_START, sd, 28), hash_bytes(HASH_START, ea, 12),
		 hash_bytes(HASH_START, reparse, 12), hash_bytes(HASH_START, sd, 28),
		 hash_bytes(HASH_START, ea, 12), hash_bytes(HASH_START, reparse, 12));
	is_image(&k, "a.cim", want, "all metadata comes back (D14, D15)");
	/* A file over it has nothing of it; a directory over it neither. */
	w = begin(&k, "a.cim", NULL);
	put(&k, w, "all", "plain");
	make_dir(&k, w, "dir");
	finish(&k, w);
	is_image(&k, "a.cim", ROOT "#2 /all 80 5 'plain'\n#3 /dir 10\n#4 /normal 80 0 ''\n",
		 "and goes when the item is replaced");
	kit_free(&k);
}

/* What rebuilds another's image stores what the API would refuse or add. */
static void test_as_stored(void)
{
	static const uint8_t odd[] = "no descriptor, no EA list";
	struct kit k = kit_new();
	struct cim_metadata meta = meta_file(0);
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_writer *w;
	struct cim_image *image;
	uint32_t id = 0;

	meta.other_flags = 0x8040;
	w = begin(&k, NULL, "plain.cim");
	put_meta(&k, w, "f", &meta, NULL, 0);
	meta.reparse = odd;
	meta.reparse_size = 4;
	gives(&k, try_file(&k, w, "g", &meta, NULL, 0), CIM_E_INVALID);
	gives(&k, cim_writer_add_stream(w, cim_str8(":s"), 0, NULL, &k.err), CIM_E_INVALID);
	finish(&k, w);
	image = open_image(&k, "plain.cim");
	must(&k, cim_image_lookup(image, cim_str8("f"), &id, &k.err));
	must(&k, cim_image_stat(image, id, &info, &k.err));
	ok(!info.flags && info.has_security, "an ordinary session stores no other flags, and a "
					     "descriptor always");
	cim_image_close(image);
	w = begin_flags(&k, NULL, "a.cim", CIM_WRITE_AS_STORED);
	gives(&k, try_file(&k, w, "g", &meta, NULL, 0), CIM_OK);
	meta.reparse_size = 3;
	gives(&k, try_file(&k, w, "h", &meta, NULL, 0), CIM_E_INVALID);
	meta.reparse_size = 0;
	meta.ea = meta.security = odd;
	meta.ea_size = meta.security_size = sizeof(odd);
	gives(&k, try_file(&k, w, "h", &meta, NULL, 0), CIM_OK);
	meta = meta_dir();
	must(&k, cim_writer_add(w, cim_str8(""), &meta, NULL, &k.err));
	put_stream(&k, w, ":s", "of the root");
	finish(&k, w);
	image = open_image(&k, "a.cim");
	must(&k, cim_image_lookup(image, cim_str8("g"), &id, &k.err));
	must(&k, cim_image_stat(image, id, &info, &k.err));
	is_hex(info.flags, 0x8040, "as stored: other flags");
	ok(!info.has_security && info.has_reparse, "as stored: no descriptor, any reparse data");
	must(&k, cim_image_lookup(image, cim_str8("h"), &id, &k.err));
	must(&k, cim_image_stat(image, id, &info, &k.err));
	ok(info.ea_size == sizeof(odd) && info.has_security, "as stored: any EA, any descriptor");
	must(&k, cim_image_stat(image, 1, &info, &k.err));
	ok(!info.has_security && info.has_streams, "as stored: a stream of the root");
	cim_image_close(image);
	kit_free(&k);
}

/* Many descriptors of one size: each item keeps its own. */
static void test_many_descriptors(void)
{
	enum { COUNT = 300 };
	static uint8_t sd[28] = {1, 0, 4, 0x80, 0,  0, 0, 0, 0, 0, 0, 0,
				 0, 0, 0, 0,	20, 0, 0, 0, 2, 0, 8, 0};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(0);
	struct cim_image *image;
	unsigned wrong = 0;
	char path[20];

	meta.security = sd;
	meta.security_size = sizeof(sd);
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		sd[26] = (uint8_t)(i % COUNT);
		sd[27] = (uint8_t)(i % COUNT >> 8);
		snprintf(path, sizeof(path), "f%u", i);
		put_meta(&k, w, path, &meta, NULL, 0);
	}
	finish(&k, w);
	must_be_sound(&k, "a.cim");
	image = open_image(&k, "a.cim");
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		uint8_t got[28] = {0};
		uint32_t id = 0;
		size_t size;

		snprintf(path, sizeof(path), "f%u", i);
		must(&k, cim_image_lookup(image, cim_str8(path), &id, &k.err));
		must(&k, cim_image_get_blob(image, id, CIM_BLOB_SECURITY, got, sizeof(got), &size,
					    &k.err));
		wrong += size != sizeof(sd) || got[26] + 256u * got[27] != i % COUNT;
	}
	is_int(wrong, 0, "of 300 descriptors of one size each item has its own");
	ok(memfs_size(k.m, memfs_find_name(k.m, "region_")) <
		   131072 + 600 * 96 + 600 * 30 + 330 * 32,
	   "and each is stored once");
	cim_image_close(image);
	kit_free(&k);
}

/* ---- streams ---- */

static void test_stream_writes(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(10);
	struct cim_stream *stream;
	size_t written = 99;
	char want[300];

	must(&k, cim_writer_add(w, cim_str8("f"), &meta, &stream, &k.err));
	gives(&k, cim_stream_write(stream, "12345", 5, &written, &k.err), CIM_OK);
	is_int(written, 5, "5 bytes were taken");
	gives(&k, cim_stream_write(stream, NULL, 0, &written, &k.err), CIM_E_POINTER);
	gives(&k, cim_stream_write(stream, NULL, 5, &written, &k.err), CIM_E_POINTER);
	gives(&k, cim_stream_write(stream, "678901", 6, &written, &k.err), CIM_E_EOF);
	is_int(written, 5, "what fits is stored (D12)");
	gives(&k, cim_stream_write(stream, "x", 0, &written, &k.err), CIM_OK);
	gives(&k, cim_stream_write(stream, "x", 1, &written, &k.err), CIM_E_EOF);
	is_int(written, 0, "nothing fits any more");
	cim_stream_close(stream);
	must(&k, cim_writer_add(w, cim_str8("short"), &meta, &stream, &k.err));
	gives(&k, cim_stream_write(stream, "12345", 5, NULL, NULL), CIM_OK);
	cim_stream_close(stream);
	must(&k, cim_writer_add(w, cim_str8("never"), &meta, &stream, &k.err));
	gives(&k, cim_stream_write(stream, "", 0, &written, &k.err), CIM_OK);
	cim_stream_close(stream);
	must(&k, cim_writer_add(w, cim_str8("none"), &meta, NULL, &k.err));
	meta = meta_file(0);
	must(&k, cim_writer_add(w, cim_str8("zero"), &meta, &stream, &k.err));
	gives(&k, cim_stream_write(stream, "", 0, &written, &k.err), CIM_OK);
	gives(&k, cim_stream_write(stream, "x", 1, &written, &k.err), CIM_E_EOF);
	cim_stream_close(stream);
	meta = meta_dir();
	must(&k, cim_writer_add(w, cim_str8("dir"), &meta, &stream, &k.err));
	ok(stream != NULL, "a directory has a stream, too");
	gives(&k, cim_stream_write(stream, "x", 1, &written, &k.err), CIM_E_INVALID);
	gives(&k, cim_stream_write(stream, "x", 0, &written, &k.err), CIM_E_INVALID);
	cim_stream_close(stream);
	cim_stream_close(NULL);
	cim_writer_close(NULL);
	finish(&k, w);
	snprintf(want, sizeof(want),
		 ROOT "#2 /dir 10\n#3 /f 80 10 '1234567890'\n#4 /never 80 10 sparse\n"
		      "#5 /none 80 10 sparse\n#6 /short 80 10 #%016" PRIx64 "\n#7 /zero 80 0 ''\n",
		 hash_bytes(HASH_START, "12345\0\0\0\0", 10));
	is_image(&k, "a.cim", want,
		 "written, partly written and unwritten streams (D12, D13, D19, D29)");
	kit_free(&k);
}

static void test_alternate_streams(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_stream *stream = (struct cim_stream *)&k;

	make_dir(&k, w, "d");
	put(&k, w, "f", "default");
	put_stream(&k, w, "f:two", "2");
	put_stream(&k, w, "f:One:$DATA", "1");
	put_stream(&k, w, "f:three:$data", "3");
	put_stream(&k, w, "d:s", "of a directory");
	gives(&k, cim_writer_add_stream(w, cim_str8("f"), 0, &stream, &k.err), CIM_E_INVALID);
	ok(!stream, "the handle is NULL after a failure (D28)");
	gives(&k, cim_writer_add_stream(w, cim_str8("f::$DATA"), 0, NULL, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:"), 0, NULL, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:s:$INDEX"), 0, NULL, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add_stream(w, cim_str8(":s"), 0, NULL, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add_stream(w, cim_str8("g:s"), 0, NULL, &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_add_stream(w, cim_str8("f/x:s"), 0, NULL, &k.err),
	      CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:s"), CIM_MAX_STREAM + 1, NULL, &k.err),
	      CIM_E_INVALID);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:max"), CIM_MAX_STREAM, NULL, &k.err),
	      CIM_OK);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:empty"), 0, NULL, &k.err), CIM_OK);
	finish(&k, w);
	is_image(&k, "a.cim",
		 ROOT "#2 /d 10\n    :s 14 'of a directory'\n#3 /f 80 7 'default'\n"
		      "    :empty 0 ''\n    :max 281474976710655 sparse\n    :One 1 '1'\n"
		      "    :three 1 '3'\n    :two 1 '2'\n",
		 "alternate streams, sorted (D10)");
	w = begin(&k, "a.cim", "b.cim");
	put_stream(&k, w, "F:ONE", "one again");
	must(&k, cim_writer_delete(w, cim_str8("f:max"), &k.err));
	must(&k, cim_writer_delete(w, cim_str8("d:s"), &k.err));
	finish(&k, w);
	is_image(&k, "b.cim",
		 ROOT "#2 /d 10\n#3 /f 80 7 'default'\n    :empty 0 ''\n    :ONE 9 'one again'\n"
		      "    :three 1 '3'\n    :two 1 '2'\n",
		 "replaced and deleted in a fork");
	kit_free(&k);
}

/* ---- the session's states ---- */

static void test_states(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(4);
	struct cim_stream *stream, *second = (struct cim_stream *)&k;
	bool exists;

	must(&k, cim_writer_add(w, cim_str8("f"), &meta, &stream, &k.err));
	gives(&k, cim_writer_add(w, cim_str8("g"), &meta, &second, &k.err), CIM_E_SHARING);
	ok(!second, "the handle is NULL after a failure");
	gives(&k, cim_writer_add_stream(w, cim_str8("f:s"), 1, NULL, &k.err), CIM_E_SHARING);
	gives(&k, cim_writer_link(w, cim_str8("g"), cim_str8("f"), &k.err), CIM_E_SHARING);
	gives(&k, cim_writer_delete(w, cim_str8("f"), &k.err), CIM_E_SHARING);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	must(&k, cim_stream_write(stream, "data", 4, NULL, &k.err));
	cim_stream_close(stream);
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add(w, cim_str8("g"), &meta, &second, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:s"), 1, NULL, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_link(w, cim_str8("g"), cim_str8("f"), &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_delete(w, cim_str8("f"), &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_lookup(w, cim_str8("f"), &exists, &k.err), CIM_E_INVALID);
	cim_writer_close(w);
	is_image(&k, "a.cim", ROOT "#2 /f 80 4 'data'\n",
		 "an open stream keeps others out, a commit ends all (D26, D27)");
	kit_free(&k);
}

static void test_close_order(void)
{
	struct kit k = kit_new();
	struct cim_metadata meta = meta_file(100000);
	static uint8_t bytes[100000];
	struct cim_stream *stream;
	struct cim_writer *w;

	for (int turn = 0; turn < 3; turn++) {
		if (turn == 2)
			meta = meta_dir();
		w = begin(&k, NULL, "a.cim");
		must(&k, cim_writer_add(w, cim_str8("f"), &meta, &stream, &k.err));
		if (turn == 1)
			must(&k, cim_stream_write(stream, bytes, 50000, NULL, &k.err));
		cim_writer_close(w);
		gives(&k, try_open(&k, "mem", NULL, "b.cim", 0), CIM_E_SHARING);
		if (turn < 2)
			gives(&k, cim_stream_write(stream, bytes, 50000, NULL, &k.err), CIM_OK);
		is_int(memfs_count_names(k.m, ""), 3, "the session lives on with its stream");
		cim_stream_close(stream);
		is_int(memfs_count_names(k.m, ""), 0, "and goes with it (D25)");
		kit_clean(&k, "after the stream's close");
	}
	kit_free(&k);
}

static void test_stats(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(1000);
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	struct cim_stream *stream;

	make_dir(&k, w, "d");
	put(&k, w, "one", "12345");
	put(&k, w, "same", "12345");
	put(&k, w, "zero", "");
	put_stream(&k, w, "one:s", "123");
	must(&k, cim_writer_link(w, cim_str8("l"), cim_str8("one"), &k.err));
	must(&k, cim_writer_add(w, cim_str8("sparse"), &meta, &stream, &k.err));
	cim_stream_close(stream);
	must(&k, cim_writer_get_stats(w, &stats, &k.err));
	is_int(stats.files, 5, "5 items were added");
	is_int(stats.streams, 4, "4 streams have data");
	is_int(stats.bytes, 5 + 5 + 3 + 1000, "of so many bytes");
	is_int(stats.stored_bytes, 5 + 3, "of which so many are stored");
	cim_writer_close(w);
	kit_free(&k);
}

static enum cim_status (*plain_open_dir)(void *ctx, const char *path, unsigned flags,
					 cim_vfs_dir **dir, long *os_error);

/* "mem" with separators behind it is "mem". */
static enum cim_status open_dir(void *ctx, const char *path, unsigned flags, cim_vfs_dir **dir,
				long *os_error)
{
	return plain_open_dir(ctx, strncmp(path, "mem", 3) ? path : "mem", flags, dir, os_error);
}

/* What an error calls the image: a separator is put in where none is, and none twice. */
static void test_joined_paths(void)
{
	static const struct {
		const char *dir, *image;
		bool windows;
	} rows[] = {
		{"mem", "mem/x.cim", false},	   {"mem/", "mem/x.cim", false},
		{"mem/m", "mem/m/x.cim", false},   {"mem\\", "mem\\x.cim", true},
		{"mem", "mem\\x.cim", true},	   {"mem/", "mem/x.cim", true},
		{"mem\\m", "mem\\m\\x.cim", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct kit k = kit_new();
		struct cim_writer *w = NULL;
		struct cim_metadata meta = meta_dir();

		plain_open_dir = k.m->vfs.open_dir;
		k.m->vfs.open_dir = open_dir;
		k.m->vfs.windows_paths = rows[i].windows;
		must(&k, cim_writer_open(&k.env, rows[i].dir, NULL, "x.cim", 0, &w, &k.err));
		gives(&k, cim_writer_add(w, cim_str8("a/b/c"), &meta, NULL, &k.err),
		      CIM_E_PATH_NOT_FOUND);
		is_str(k.err.image, rows[i].image, "x.cim in %s", rows[i].dir);
		cim_writer_close(w);
		kit_free(&k);
	}
}

int main(void)
{
	test_nothing();
	test_abort();
	test_open();
	test_open_trouble();
	test_fold();
	test_paths();
	test_deep();
	test_long_paths();
	test_replace();
	test_links();
	test_delete();
	test_lookup();
	test_metadata_errors();
	test_metadata();
	test_as_stored();
	test_many_descriptors();
	test_stream_writes();
	test_alternate_streams();
	test_states();
	test_close_order();
	test_stats();
	test_joined_paths();
	return tap_done();
}
