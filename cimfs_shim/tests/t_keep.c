/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_keep.c - what an item keeps of the one whose place it takes, and what a session tells of items
 */
#include "kit.h"

#include <stdlib.h>

static const uint8_t sd[20] = {1, 0, 4, 0x80};
static const uint8_t other_sd[20] = {1, 0, 0, 0x80};
static const uint8_t ea[12] = {0, 0, 0, 0, 0, 1, 2, 0, 'A', 0, 'v', 'v'};
static const uint8_t tag[12] = {0x99, 0, 0, 0x80, 4, 0, 0, 0, 1, 2, 3, 4};

static struct cim_metadata rich(struct cim_metadata m)
{
	m.attributes |= CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM;
	m.creation_time = 11;
	m.last_write_time = 12;
	m.change_time = 13;
	m.last_access_time = 14;
	m.security = sd;
	m.security_size = sizeof(sd);
	m.ea = ea;
	m.ea_size = sizeof(ea);
	m.reparse = tag;
	m.reparse_size = sizeof(tag);
	return m;
}

static struct cim_metadata plain(struct cim_metadata m)
{
	m.attributes &= CIM_ATTR_DIRECTORY;
	m.attributes |= CIM_ATTR_READONLY;
	m.creation_time = m.last_write_time = m.change_time = m.last_access_time = 99;
	return m;
}

static struct cim_file_info info_of(struct kit *k, struct cim_writer *w, const char *path)
{
	struct cim_file_info info = {CIM_SIZED(info)};

	must(k, cim_writer_stat(w, cim_str8(path), &info, &k->err));
	return info;
}

static size_t blob_of(struct kit *k, struct cim_image *image, const char *path, enum cim_blob which,
		      uint8_t buf[64])
{
	uint32_t id;
	size_t size = 0;

	must(k, cim_image_lookup(image, cim_str8(path), &id, &k->err));
	must(k, cim_image_get_blob(image, id, which, buf, 64, &size, &k->err));
	return size;
}

static void check_blob(struct kit *k, struct cim_image *image, const char *path,
		       enum cim_blob which, const void *want, size_t size)
{
	uint8_t buf[64];
	size_t got = blob_of(k, image, path, which, buf);

	is_int(got, size, "%s: size of blob %d", path, which);
	ok(got == size && (!size || !memcmp(buf, want, size)), "%s: blob %d", path, which);
}

static void put_all(struct kit *k, struct cim_writer *w, struct cim_metadata dir,
		    struct cim_metadata file)
{
	put_meta(k, w, "", &dir, NULL, 0);
	put_meta(k, w, "dir", &dir, NULL, 0);
	put_meta(k, w, "file", &file, NULL, 0);
	put_meta(k, w, "dir\\file", &file, NULL, 0);
}

static const char *const paths[] = {"", "dir", "file", "dir\\file"};

/* All of it is kept where all is to be, whether the image or the session has it. */
static void test_keep_all(bool committed)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata dir = rich(meta_dir()), file = rich(meta_file(0));
	struct cim_image *image;

	put_all(&k, w, dir, file);
	if (committed) {
		finish(&k, w);
		w = begin(&k, "a.cim", "b.cim");
	}
	dir = plain(meta_dir());
	file = plain(meta_file(0));
	dir.keep = file.keep = 0x7F;
	dir.keep_attributes = file.keep_attributes = CIM_ATTR_HIDDEN | CIM_ATTR_ARCHIVE;
	put_all(&k, w, dir, file);
	for (size_t i = 0; i < 4; i++) {
		struct cim_file_info info = info_of(&k, w, paths[i]);

		is_int(info.flags, 3, "'%s': read-only as given, hidden kept, system not",
		       paths[i]);
		is_int(info.creation_time, 11, "'%s': creation", paths[i]);
		is_int(info.last_write_time, 12, "'%s': last write", paths[i]);
		is_int(info.change_time, 13, "'%s': change", paths[i]);
		is_int(info.last_access_time, 14, "'%s': last access", paths[i]);
		is_int(info.reparse_tag, 0x80000099, "'%s': tag", paths[i]);
	}
	finish(&k, w);
	image = open_image(&k, committed ? "b.cim" : "a.cim");
	for (size_t i = 0; i < 4; i++) {
		check_blob(&k, image, paths[i], CIM_BLOB_SECURITY, sd, sizeof(sd));
		check_blob(&k, image, paths[i], CIM_BLOB_EA, ea, sizeof(ea));
		check_blob(&k, image, paths[i], CIM_BLOB_REPARSE, tag, sizeof(tag));
	}
	cim_image_close(image);
	kit_free(&k);
}

/* One thing kept, all others as given. */
static void test_keep_one(uint32_t keep)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata m = rich(meta_dir());
	struct cim_file_info info;
	struct cim_image *image;

	put_meta(&k, w, "dir", &m, NULL, 0);
	m = plain(meta_dir());
	m.security = other_sd;
	m.security_size = sizeof(other_sd);
	m.keep = keep;
	put_meta(&k, w, "dir", &m, NULL, 0);
	info = info_of(&k, w, "dir");
	is_int(info.flags, 1, "keep 0x%x: flags", (unsigned)keep);
	is_int(info.creation_time, keep == CIM_KEEP_CREATION ? 11 : 99, "creation");
	is_int(info.last_write_time, keep == CIM_KEEP_LAST_WRITE ? 12 : 99, "last write");
	is_int(info.change_time, keep == CIM_KEEP_CHANGE ? 13 : 99, "change");
	is_int(info.last_access_time, keep == CIM_KEEP_LAST_ACCESS ? 14 : 99, "last access");
	finish(&k, w);
	image = open_image(&k, "a.cim");
	check_blob(&k, image, "dir", CIM_BLOB_SECURITY, keep == CIM_KEEP_SECURITY ? sd : other_sd,
		   sizeof(sd));
	check_blob(&k, image, "dir", CIM_BLOB_EA, ea, keep == CIM_KEEP_EA ? sizeof(ea) : 0);
	check_blob(&k, image, "dir", CIM_BLOB_REPARSE, tag,
		   keep == CIM_KEEP_REPARSE ? sizeof(tag) : 0);
	cim_image_close(image);
	kit_free(&k);
}

/* There is nothing to keep of an item of the other kind, of none, or of what is hidden by a mark.
 */
static void test_other_kind(void)
{
	static const char *const names[] = {"was dir",	     "was file", "new",
					    "was tombstone", "was bare", "was link"};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata dir = rich(meta_dir()), file = rich(meta_file(0));

	put_meta(&k, w, "was dir", &dir, NULL, 0);
	put_meta(&k, w, "was file", &file, NULL, 0);
	must(&k, cim_writer_tombstone(w, cim_str8("was tombstone"), &k.err));
	must(&k, cim_writer_tombstone(w, cim_str8("was bare\\x"), &k.err));
	must(&k, cim_writer_merge_link(w, cim_str8("was link"), cim_str8("x"), &k.err));
	dir = plain(meta_dir());
	file = plain(meta_file(0));
	dir.keep = file.keep = 0x7F;
	dir.keep_attributes = file.keep_attributes = CIM_ATTR_HIDDEN;
	put_meta(&k, w, "was dir", &file, NULL, 0);
	put_meta(&k, w, "was file", &dir, NULL, 0);
	put_meta(&k, w, "new", &file, NULL, 0);
	put_meta(&k, w, "was tombstone", &dir, NULL, 0);
	put_meta(&k, w, "was bare", &dir, NULL, 0);
	put_meta(&k, w, "was link", &file, NULL, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *path = names[i];
		struct cim_file_info info = info_of(&k, w, path);

		is_int(info.flags, 1, "%s: only its own flags", path);
		is_int(info.creation_time, 99, "%s: its own times", path);
		ok(info.has_security && !info.has_ea && !info.has_reparse, "%s: no data", path);
	}
	file.keep = 0x80;
	gives(&k, cim_writer_add(w, cim_str8("new"), &file, NULL, &k.err), CIM_E_INVALID);
	cim_writer_close(w);
	kit_free(&k);
}

/* A further name of a file that is replaced keeps the old one. */
static void test_links(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata file = rich(meta_file(0));

	put_meta(&k, w, "one", &file, NULL, 0);
	must(&k, cim_writer_link(w, cim_str8("two"), cim_str8("one"), &k.err));
	file = plain(meta_file(5));
	file.keep = CIM_KEEP_CREATION;
	put_meta(&k, w, "one", &file, "12345", 5);
	is_int(info_of(&k, w, "one").size, 5, "the new file");
	is_int(info_of(&k, w, "one").creation_time, 11, "keeps what it was told to");
	is_int(info_of(&k, w, "two").size, 0, "the other name has the old file");
	is_int(info_of(&k, w, "two").last_write_time, 12, "as it was");
	finish(&k, w);
	kit_free(&k);
}

static void test_stat(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata dir = meta_dir();
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_stream *stream;

	put(&k, w, "file", "text");
	put_meta(&k, w, "dir", &dir, NULL, 0);
	finish(&k, w);
	w = begin(&k, "a.cim", "b.cim");
	must(&k, cim_writer_add(w, cim_str8("new"), &dir, &stream, &k.err));
	ok(info_of(&k, w, "NEW").is_directory, "asked for while a stream is open");
	cim_stream_close(stream);
	ok(info_of(&k, w, "dir").is_directory && info_of(&k, w, "").is_directory, "directories");
	is_int(info_of(&k, w, "file").size, 4, "a file's size");
	must(&k, cim_writer_delete(w, cim_str8("file"), &k.err));
	gives(&k, cim_writer_stat(w, cim_str8("file"), &info, &k.err), CIM_E_FILE_NOT_FOUND);
	is_int(info.file_id, 0, "then nothing is told");
	gives(&k, cim_writer_stat(w, cim_str8("none\\below"), &info, &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_stat(w, cim_str8("dir:stream"), &info, &k.err), CIM_E_INVALID);
	finish(&k, w);
	kit_free(&k);
}

int main(void)
{
	test_keep_all(false);
	test_keep_all(true);
	for (uint32_t keep = 0; keep < 0x80; keep = keep ? keep * 2 : 1)
		test_keep_one(keep);
	test_other_kind();
	test_links();
	test_stat();
	return tap_done();
}
