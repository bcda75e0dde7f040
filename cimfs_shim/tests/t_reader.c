/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the reader makes of sound images: every kind of item, and what only other writers write. */
#include "minisample.h"
#include "tap.h"

#include <unistd.h>

static struct cim_error err;

static enum cim_status try_open(struct mini *m, const char *path)
{
	struct cim_image *image;
	enum cim_status status = cim_image_open(&m->env, path, &image, &err);

	cim_image_close(image);
	if (!mini_is_clean(m))
		diag("left behind: %ld blocks, %ld files, %ld directories", m->fs->blocks,
		     m->fs->open_files, m->fs->open_dirs);
	return status;
}

static void is_status(enum cim_status got, enum cim_status want, const char *name)
{
	if (!is_str(cim_status_name(got), cim_status_name(want), "%s", name) || got)
		diag("cause: %s", got ? err.cause : "none");
}

/* The FileID of a path; 0 (with a diagnostic) if the look-up fails. */
static uint32_t id_of(struct cim_image *image, const char *path)
{
	uint32_t id;

	if (cim_image_lookup(image, cim_str8(path), &id, &err))
		diag("%s: %s: %s", path, cim_status_name(err.status), err.cause);
	return id;
}

/* Both ways to a default stream lead to the same place. */
static bool is_found_by_info(struct cim_image *image, const char *path, const struct cim_data *want)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_data data = {CIM_SIZED(data)};

	if (cim_image_stat(image, id_of(image, path), &info, &err) ||
	    cim_image_get_file_data(image, &info, (struct cim_str){0}, &data, &err)) {
		diag("%s: %s: %s", path, cim_status_name(err.status), err.cause);
		return false;
	}
	return data.size == want->size && data.sparse == want->sparse && data.pe == want->pe &&
	       data.priv[0] == want->priv[0] && data.priv[1] == want->priv[1];
}

static bool data_is(struct cim_image *image, const char *path, const char *stream, const void *want,
		    size_t len)
{
	struct cim_data data = {CIM_SIZED(data)};
	size_t got = 0;
	uint8_t *buf = (uint8_t *)malloc(len + 100);
	bool same;

	if (cim_image_get_data(image, id_of(image, path), cim_str8(stream), &data, &err) ||
	    cim_image_read(image, &data, 0, buf, len + 100, &got, &err))
		diag("%s: %s: %s", path, cim_status_name(err.status), err.cause);
	same = got == len && data.size == len && !memcmp(buf, want, len);
	if (same && !stream)
		same = is_found_by_info(image, path, &data);
	if (!same)
		diag("%s: got %zu bytes of %zu", path, got, len);
	free(buf);
	return same;
}

static void test_sample(void)
{
	static const char *const names[] = {
		"Alpha.txt", "beta",   "dir",	 "dir/Nested", "dir/Nested/x", "dir/other", "empty",
		"hard",	     "pe.exe", "sparse", "streams1",   "streams2",     "zero",
	};
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	struct cim_image *none = image;
	const struct cim_image_info *info;
	const struct cim_region_set *set;
	const struct cim_walk_item *item;
	struct cim_walk *walk;
	uint8_t alpha[SAMPLE_ALPHA];
	bool same = true;
	size_t n = 0;

	info = cim_image_get_info(image);
	is_int(info->version_major, 2, "version");
	is_int(info->set_count, 2, "region sets");
	is_int(info->region_count, 6, "regions");
	is_int(info->table_count, 1, "file tables");
	is_int(info->root_id, 1, "root");
	ok((set = cim_image_get_set(image, 1)) && set->first == 3 && set->count == 3 &&
		   set->guid.bytes[0] == 62,
	   "the image's own set is the last, with regions 3 to 5");
	ok(!(set = cim_image_get_set(image, 2)), "there is no third set");

	if (cim_walk_open(image, info->root_id, &walk, &err))
		bail("walk: %s", err.cause);
	ok(!cim_walk_next(walk, &item, &err) && item && !item->depth && !*item->path &&
		   !item->entry->units && item->info->is_directory,
	   "a walk begins with the item it was started at");
	while (!cim_walk_next(walk, &item, &err) && item) {
		same = same && n < 13 && !strcmp(item->path, names[n]);
		if (n < 13 && strcmp(item->path, names[n]))
			diag("item %zu: %s, not %s", n, item->path, names[n]);
		n++;
	}
	ok(same && n == 13, "it visits %zu of 13 items below, in stored order", n);
	cim_walk_close(walk);

	sample_fill(alpha, 1, sizeof(alpha));
	ok(data_is(image, "Alpha.txt", NULL, alpha, sizeof(alpha)), "data in a parent's region");
	ok(data_is(image, "beta", NULL, "beta's data", 11), "data in a small data region");
	ok(data_is(image, "zero", NULL, "", 0), "a file without data");
	ok(id_of(image, "beta") == id_of(image, "hard"), "a hard link has the same FileID");
	is_status(cim_image_open(NULL, "x", NULL, &err), CIM_E_POINTER, "open without a place");
	is_status(cim_image_open(NULL, NULL, &none, &err), CIM_E_POINTER, "open without a path");
	ok(!none, "no image after a failure");
	cim_image_close(image);
	mini_free(m);
}

static void test_stat(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	struct cim_file_info info = {CIM_SIZED(info)};
	uint8_t blob[64];
	size_t size;
	uint32_t beta = id_of(image, "beta"), x = id_of(image, "dir\\Nested\\x");

	cim_image_stat(image, beta, &info, &err);
	is_hex(info.attributes, 0x627, "flags become attributes, with the reparse bit");
	is_hex(info.flags, 0x801f, "raw flags keep unknown bits");
	is_hex(info.reparse_tag, 0xa000000c, "reparse tag");
	is_int(info.ea_size, 12, "EA size");
	ok(info.has_security && info.has_ea && info.has_reparse && !info.has_streams,
	   "what a record points to");
	ok(info.creation_time + 1 == info.last_write_time &&
		   info.creation_time + 2 == info.change_time &&
		   info.creation_time + 3 == info.last_access_time,
	   "the order of the four times");
	is_status(cim_image_get_blob(image, beta, CIM_BLOB_SECURITY, blob, 64, &size, &err), CIM_OK,
		  "read a security descriptor");
	ok(size == 20 && blob[3] == 0x80, "it is the one that was stored");
	is_status(cim_image_get_blob(image, beta, CIM_BLOB_EA, blob, 12, &size, &err), CIM_OK,
		  "read EAs into just enough room");
	ok(size == 12 && !memcmp(blob + 8, "A\0xy", 4), "they are the ones that were stored");
	is_status(cim_image_get_blob(image, beta, CIM_BLOB_REPARSE, blob, 11, &size, &err),
		  CIM_E_LIMIT, "too little room for reparse data");
	is_int(size, 12, "the size is told all the same");
	is_status(cim_image_get_blob(image, x, CIM_BLOB_EA, blob, 64, &size, &err), CIM_OK,
		  "a file without EAs");
	is_int(size, 0, "has none");
	is_status(cim_image_get_blob(image, x, (enum cim_blob)7, blob, 64, &size, &err),
		  CIM_E_INVALID, "an unknown kind of blob");
	is_str(err.op, "read metadata", "and what was being done");
	cim_image_stat(image, x, &info, &err);
	is_hex(info.attributes, CIM_ATTR_NORMAL, "a file without flags is a normal one");
	is_int(info.parent_id, 3, "parent FileID");
	is_status(cim_image_stat(image, 0, &info, &err), CIM_E_CORRUPT, "FileID 0");
	is_status(cim_image_stat(image, 900, &info, &err), CIM_E_CORRUPT,
		  "a FileID behind the table's last");
	is_status(cim_image_stat(image, UINT32_MAX, &info, &err), CIM_E_CORRUPT, "the last FileID");
	is_str(err.image, "mem/s.cim", "the error names the image");
	ok(!cim_image_stat(image, id_of(image, "sparse"), &info, &err) && info.is_sparse &&
		   info.size == SAMPLE_SPARSE,
	   "a sparse file's size");
	ok(!cim_image_stat(image, id_of(image, "dir"), &info, &err) && !info.size &&
		   info.attributes == CIM_ATTR_DIRECTORY,
	   "a directory has no size");
	cim_image_close(image);
	ok(mini_is_clean(m), "closing an image leaves nothing behind");
	mini_free(m);
}

static void test_lookup(void)
{
	static const uint16_t wide[] = {'D', 'I', 'R', '\\', 'O', 'T', 'H', 'E', 'R', 0};
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	uint32_t id, dir = id_of(image, "dir");
	uint16_t wide_x[600];
	char longest[600];

	ok(dir && id_of(image, "DIR") == dir && id_of(image, "/Dir") == dir, "case is ignored");
	ok(id_of(image, "") == 1 && id_of(image, "\\") == 1, "the root");
	is_status(cim_image_lookup(image, cim_str16(wide), &id, &err), CIM_OK, "a UTF-16 path");
	is_status(cim_image_lookup(image, cim_str8("nothing"), &id, &err), CIM_E_FILE_NOT_FOUND,
		  "a missing name");
	is_str(err.path, "nothing", "the error names the path");
	is_status(cim_image_lookup(image, cim_str8("nothing/x"), &id, &err), CIM_E_PATH_NOT_FOUND,
		  "a missing directory on the way");
	is_str(err.cause, "a directory on the way is missing", "the cause says so");
	is_status(cim_image_lookup(image, cim_str8("beta/x"), &id, &err), CIM_E_PATH_NOT_FOUND,
		  "a file on the way");
	is_str(err.cause, "what should be a directory on the way is a file", "the cause says so");
	is_status(cim_image_lookup(image, cim_str8("empty/x"), &id, &err), CIM_E_FILE_NOT_FOUND,
		  "a name in an empty directory");
	is_status(cim_image_lookup(image, cim_str8("beta:s"), &id, &err), CIM_E_INVALID,
		  "a path with a stream");
	is_int(id, 0, "no FileID after a failure");
	is_status(cim_image_lookup_at(image, dir, cim_str8("NESTED"), false, &id, &err), CIM_OK,
		  "look up in a directory");
	is_status(cim_image_lookup_at(image, dir, cim_str8("NESTED"), true, &id, &err),
		  CIM_E_FILE_NOT_FOUND, "the exact name differs");
	is_status(cim_image_lookup_at(image, dir, cim_str8("Nested"), true, &id, &err), CIM_OK,
		  "the exact name");
	is_status(cim_image_lookup_at(image, dir, cim_str8("a/b"), false, &id, &err),
		  CIM_E_FILE_NOT_FOUND, "a name that is no path's component");
	is_status(cim_image_lookup_at(image, dir, cim_str8(""), false, &id, &err),
		  CIM_E_FILE_NOT_FOUND, "an empty name");
	memset(longest, 'n', sizeof(longest));
	longest[599] = 0;
	is_status(cim_image_lookup_at(image, dir, cim_str8(longest), false, &id, &err),
		  CIM_E_FILE_NOT_FOUND, "a name that is too long to be there");
	ok(!strncmp(err.path, "nnnnnnnn", 8), "the error names the name: %.20s", err.path);
	for (size_t i = 0; i < 600; i++)
		wide_x[i] = i < 599 ? 'x' : 0;
	is_status(cim_image_lookup_at(image, id_of(image, "dir\\Nested"), cim_str16(wide_x), false,
				      &id, &err),
		  CIM_E_FILE_NOT_FOUND, "one in UTF-16, beside a name that it begins with");
	is_status(cim_image_lookup_at(image, dir, cim_str8("\xff"), false, &id, &err),
		  CIM_E_INVALID, "a name that is not UTF-8");
	is_status(cim_image_lookup_at(image, dir, cim_str8(NULL), false, &id, &err), CIM_E_INVALID,
		  "no name");
	is_status(cim_image_lookup_at(image, id_of(image, "beta"), cim_str8("x"), false, &id, &err),
		  CIM_E_PATH_NOT_FOUND, "a file in the place of a directory");
	cim_image_close(image);
	mini_free(m);
}

static void test_big_directory(void)
{
	enum { COUNT = 5000 };
	struct mini *m = mini_new();
	struct mini_link *links = (struct mini_link *)calloc(COUNT, sizeof(*links));
	struct cim_image *image;
	char name[32];
	unsigned wrong = 0;
	uint32_t id;

	mini_begin(m, 1, 0);
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "File%u.dat", i * 7919 % COUNT);
		links[i] = mini_link(name, mini_record(m), 0);
	}
	mini_finish_dir(m, "big.cim", 0, links, COUNT, true);
	image = mini_open(m, "mem/big.cim");
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "fILE%u.DAT", i * 7919 % COUNT);
		if (cim_image_lookup(image, cim_str8(name), &id, &err) || id != i + 2)
			wrong++;
		snprintf(name, sizeof(name), "file%u.da", i);
		if (cim_image_lookup(image, cim_str8(name), &id, &err) != CIM_E_FILE_NOT_FOUND)
			wrong++;
	}
	is_int(wrong, 0, "look up each of %d names, and as many that are missing", COUNT);
	cim_image_close(image);
	free(links);
	mini_free(m);
}

/* A name from code units. */
static struct mini_link wide_link(const uint16_t *units, size_t count, uint32_t id)
{
	struct mini_link link = mini_link("", id, 0);

	memcpy(link.name, units, count * 2);
	link.units = count;
	return link;
}

static void test_disputed_order(void)
{
	/* Sorted as code points: "a", "z", U+E000, fullwidth a, U+10428, a lone surrogate. As code
	 * units the surrogates come in front of U+E000. */
	static const uint16_t names[][2] = {{'a', 0},	     {'z', 0},	       {0xe000, 0},
					    {0xff41, 0},     {0xd801, 0xdc28}, {0xdc00, 'x'},
					    {0xd801, 0xdc29}};
	static const size_t units[] = {1, 1, 1, 1, 2, 2, 2};
	static const uint16_t upper_fullwidth[] = {0xff21};
	struct cim_str text = {NULL, upper_fullwidth, 1};

	for (unsigned sorted = 0; sorted < 2; sorted++) {
		struct mini *m = mini_new();
		struct mini_link links[6];
		struct cim_image *image;
		uint32_t id;

		mini_begin(m, 1, 0);
		for (unsigned i = 0; i < 6; i++)
			links[i] = wide_link(names[i], units[i], mini_record(m));
		mini_finish_dir(m, "w.cim", 0, links, 6, sorted);
		image = mini_open(m, "mem/w.cim");
		for (unsigned i = 0; i < 7; i++) {
			struct cim_str name = {NULL, names[i], units[i]};
			enum cim_status status = cim_image_lookup_at(image, m->root, name, false,
								     &id, &err);

			ok(i < 6 ? !status && id == i + 2 : status == CIM_E_FILE_NOT_FOUND,
			   "name %u in a table sorted by code %s", i, sorted ? "units" : "points");
		}
		ok(!cim_image_lookup_at(image, m->root, text, false, &id, &err) && id == 5,
		   "a fullwidth letter in the other case, sorted by code %s",
		   sorted ? "units" : "points");
		cim_image_close(image);
		mini_free(m);
	}
}

static void test_same_names(void)
{
	struct mini *m = mini_new();
	struct mini_link links[5];
	struct cim_image *image;
	uint32_t id = 0;

	mini_begin(m, 1, 0);
	links[0] = mini_link("aaa", mini_record(m), 0);
	links[1] = mini_link("NAME", mini_record(m), 0);
	links[2] = mini_link("Name", mini_record(m), 0);
	links[3] = mini_link("name", mini_record(m), 0);
	links[4] = mini_link("zzz", mini_record(m), 0);
	mini_finish_dir(m, "d.cim", 0, links, 5, false);
	image = mini_open(m, "mem/d.cim");
	ok(!cim_image_lookup_at(image, m->root, cim_str8("name"), true, &id, &err) && id == 5,
	   "an exact look-up goes through names that upcase alike");
	ok(!cim_image_lookup_at(image, m->root, cim_str8("nAME"), false, &id, &err) && id == 3,
	   "otherwise the first of them is found");
	cim_image_close(image);
	mini_free(m);
}

static void try_stream_form(struct cim_image *image, int form)
{
	uint8_t one[300];
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_iter *iter;
	const struct cim_entry *entry;
	char path[16];
	unsigned count = 0;

	sample_fill(one, 3, sizeof(one));
	snprintf(path, sizeof(path), "streams%d", form);
	ok(data_is(image, path, NULL, "main", 4), "form %d: the default stream", form);
	ok(data_is(image, path, "oNE", one, 300), "form %d: a stream, by any case", form);
	ok(data_is(image, path, "ZERO", "", 0), "form %d: an empty stream", form);
	is_status(cim_image_get_data(image, id_of(image, path), cim_str8("three"), &data, &err),
		  CIM_E_FILE_NOT_FOUND, "a missing stream");
	ok(!cim_image_get_data(image, id_of(image, path), cim_str8("two"), &data, &err) &&
		   data.sparse && data.size == 77777,
	   "form %d: a sparse stream", form);
	if (cim_iter_streams(image, id_of(image, path), &iter, &err))
		bail("%s: %s", path, err.cause);
	is_int(cim_iter_count(iter), 3, "form %d: number of streams", form);
	while (!cim_iter_next(iter, &entry, &err) && entry) {
		static const uint64_t sizes[] = {300, 77777, 0};

		count += entry->index == count && !entry->file_id && entry->units &&
			 entry->data->size == sizes[count < 3 ? count : 2];
	}
	is_int(count, 3, "form %d: streams iterated", form);
	cim_iter_seek(iter, 2);
	ok(!cim_iter_next(iter, &entry, &err) && entry && !strcmp(entry->utf8, "zero"),
	   "form %d: seek to the last", form);
	cim_iter_seek(iter, 99);
	ok(!cim_iter_next(iter, &entry, &err) && !entry, "form %d: seek past the end", form);
	cim_iter_close(iter);
}

static void try_without_streams(struct cim_image *image)
{
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_iter *iter;
	const struct cim_entry *entry;

	is_status(cim_image_get_data(image, id_of(image, "dir"), cim_str8(""), &data, &err),
		  CIM_E_ACCESS, "a directory's default stream");
	ok(!cim_image_stat(image, id_of(image, "dir"), &info, &err), "look at the directory");
	is_status(cim_image_get_file_data(image, &info, (struct cim_str){0}, &data, &err),
		  CIM_E_ACCESS, "its data, by what is known of it");
	is_status(cim_image_get_data(image, id_of(image, "dir"), cim_str8("s"), &data, &err),
		  CIM_E_FILE_NOT_FOUND, "a directory's missing stream");
	is_status(cim_iter_dir(image, id_of(image, "beta"), &iter, &err), CIM_E_PATH_NOT_FOUND,
		  "iterate a file as a directory");
	ok(!cim_iter_dir(image, id_of(image, ""), &iter, &err) &&
		   !cim_iter_next(iter, &entry, &err) && entry && !entry->data &&
		   entry->file_id == id_of(image, entry->utf8),
	   "a directory's entry has a FileID and no data");
	cim_iter_close(iter);
	ok(!cim_iter_streams(image, id_of(image, "beta"), &iter, &err) && !cim_iter_count(iter) &&
		   !cim_iter_next(iter, &entry, &err) && !entry,
	   "a file without streams has none");
	cim_iter_close(iter);
	cim_iter_close(NULL);
}

static void test_streams(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	struct cim_data data = {CIM_SIZED(data)};
	uint8_t buf[100];
	size_t got;

	try_stream_form(image, 1);
	try_stream_form(image, 2);
	try_without_streams(image);
	cim_image_get_data(image, id_of(image, "sparse"), cim_str8(NULL), &data, &err);
	memset(buf, 1, sizeof(buf));
	ok(!cim_image_read(image, &data, SAMPLE_SPARSE - 60, buf, 100, &got, &err) && got == 60 &&
		   !buf[0] && !buf[59] && buf[60] == 1,
	   "the end of a sparse file of 1 TiB reads as zeros");
	ok(!cim_image_read(image, &data, SAMPLE_SPARSE, buf, 100, &got, &err) && !got,
	   "at its end there is nothing");
	ok(!cim_image_read(image, &data, UINT64_MAX, buf, 100, &got, &err) && !got,
	   "nor anywhere behind");
	cim_image_close(image);
	mini_free(m);
}

/* Forms of a stream table: which extra length in front is understood? */
static void try_stream_path(struct cim_image *image, struct cim_str path, const char *name,
			    enum cim_status want, size_t want_units)
{
	struct cim_str stream;
	struct cim_data data = {CIM_SIZED(data)};
	uint32_t id;

	is_status(cim_image_lookup_stream(image, path, &id, &stream, &err), want, name);
	is_int(stream.units, want_units, "%s: units of the stream's name", name);
	if (want_units)
		ok(!cim_image_get_data(image, id, stream, &data, &err) && data.size == 300,
		   "%s: it is the stream's", name);
}

static void test_stream_paths(void)
{
	static const uint16_t wide[] = {'s', 't', 'r', 'e', 'a', 'm', 's', '1', ':', 'O',
					'n', 'e', ':', '$', 'd', 'a', 't', 'a', 0};
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");

	try_stream_path(image, cim_str8("streams1"), "PATH", CIM_OK, 0);
	try_stream_path(image, cim_str8("streams1:one"), "PATH:STREAM", CIM_OK, 3);
	try_stream_path(image, cim_str8("/streams2:one:$DATA"), "PATH:STREAM:$DATA", CIM_OK, 3);
	try_stream_path(image, cim_str16(wide), "in UTF-16", CIM_OK, 3);
	try_stream_path(image, cim_str8("streams1:"), "no name", CIM_E_INVALID, 0);
	try_stream_path(image, cim_str8("streams1:one:$EA"), "another type", CIM_E_INVALID, 0);
	try_stream_path(image, cim_str8("dir:one/x"), "not of the last", CIM_E_INVALID, 0);
	try_stream_path(image, cim_str8("none:one"), "no item", CIM_E_FILE_NOT_FOUND, 0);
	try_stream_path(image, cim_str8(NULL), "no path", CIM_E_INVALID, 0);
	cim_image_close(image);
	mini_free(m);
}

static void test_root_stream_path(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	const struct cim_image_info *info;
	struct cim_str stream;
	uint32_t id;

	info = cim_image_get_info(image);
	ok(!cim_image_lookup_stream(image, cim_str8(":s"), &id, &stream, &err) &&
		   id == info->root_id && stream.units == 1 && *stream.utf8 == 's',
	   "\":STREAM\" is one of the root's");
	cim_image_close(image);
	mini_free(m);
}

static void test_region_files(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	const struct cim_image_info *info;
	char name[CIM_REGION_NAME];
	uint64_t size = 1;

	info = cim_image_get_info(image);
	for (uint32_t i = 0; i < info->region_count; i++)
		ok(cim_image_region_name(image, i, name) && !strncmp(name, "region_", 7) &&
			   !cim_image_region_size(image, i, &size, &err) && size >= 40,
		   "region %u: %s, %llu bytes", (unsigned)i, name, (unsigned long long)size);
	ok(!cim_image_region_name(image, info->region_count, name) && !*name,
	   "behind the last there is no name");
	is_status(cim_image_region_size(image, info->region_count, &size, &err), CIM_E_INVALID,
		  "and no size");
	is_int(size, 0, "which is 0 then");
	is_int(cim_region_index(UINT64_C(0x0003000000001000)), 3, "the region of a RegionOffset");
	is_int(cim_region_byte(UINT64_C(0x0003000000001000)), 0x1000, "and the byte");
	cim_image_close(image);
	mini_free(m);
}

static void test_stream_forms(void)
{
	static const struct {
		int32_t more; /* of the extra length than the table's own */
		bool readable;
	} cases[] = {{0, true}, {4, true}, {8, true}, {1000, true}, {-1, false}, {-8, false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* 8 + 3 * 20 and names of 3, 3 and 4 units with their lengths */
		const uint32_t own = 8 + 3 * 20 + 3 * 2 + 2 * 10;
		struct mini *m = mini_sample();
		struct mini_link links[1];
		struct cim_image *image;
		struct cim_iter *iter = NULL;
		enum cim_status status;

		mini_rename(m, mini_find(m, "s.cim"), "o.cim");
		m->root = mini_record(m);
		links[0] = mini_link(
			"f", sample_streams(m, true, (uint32_t)((int32_t)own + cases[i].more)), 0);
		mini_finish_dir(m, "s.cim", SAMPLE_META, links, 1, true);
		image = mini_open(m, "mem/s.cim");
		status = cim_iter_streams(image, id_of(image, "f"), &iter, &err);
		ok(cases[i].readable ? !status && cim_iter_count(iter) == 3
				     : status == CIM_E_CORRUPT,
		   "a stream table behind its length %+d: %s", cases[i].more,
		   cases[i].readable ? "read" : "corrupt");
		cim_iter_close(iter);
		cim_image_close(image);
		mini_free(m);
	}
}

static void test_pe(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	uint8_t want[SAMPLE_PE], got[SAMPLE_PE + 10];
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_file_info info = {CIM_SIZED(info)};
	unsigned wrong = 0;
	size_t n;

	for (size_t o = 0; o < SAMPLE_PE; o++)
		want[o] = sample_byte(9, mini_pe_place(sample_pe_mappings, SAMPLE_PE_MAPPINGS, o));
	is_int(mini_pe_place(sample_pe_mappings, SAMPLE_PE_MAPPINGS, 0x2200), 0x1000,
	       "the last piece lies below its file offset");
	is_status(cim_image_get_data(image, id_of(image, "pe.exe"), cim_str8(NULL), &data, &err),
		  CIM_OK, "find a PE image");
	ok(data.pe && data.size == SAMPLE_PE, "it is one, of the file's size");
	ok(is_found_by_info(image, "pe.exe", &data), "found as well by what is known of the file");
	ok(!cim_image_stat(image, id_of(image, "pe.exe"), &info, &err) && info.is_pe_image,
	   "stat tells so");
	ok(!cim_image_read(image, &data, 0, got, sizeof(got), &n, &err) && n == SAMPLE_PE &&
		   !memcmp(got, want, SAMPLE_PE),
	   "read whole");
	for (size_t o = 0; o < SAMPLE_PE; o += 13) {
		for (size_t len = 1; len < 6000; len = len * 3 + 1) {
			size_t expect = len < SAMPLE_PE - o ? len : SAMPLE_PE - o;

			if (cim_image_read(image, &data, o, got, len, &n, &err) || n != expect ||
			    memcmp(got, want + o, n))
				wrong++;
		}
	}
	is_int(wrong, 0, "read from every 13th offset, in various lengths");
	cim_image_close(image);
	mini_free(m);
}

/* How often it is read to find the data of a file, once it was found before. */
static unsigned long reads_to_find(struct mini *m, struct cim_image *image, const char *path)
{
	struct cim_data data = {CIM_SIZED(data)};
	const uint32_t id = id_of(image, path);
	unsigned long reads = 0;

	for (int again = 0; again < 2; again++) {
		reads = m->fs->count[MEM_PREAD];
		is_status(cim_image_get_data(image, id, cim_str8(NULL), &data, &err), CIM_OK,
			  again ? "and again" : path);
		reads = m->fs->count[MEM_PREAD] - reads;
	}
	return reads;
}

/* The mappings of a PE image that was found lately aren't gone through again, its header alone. */
static void test_known_pe(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image;

	m->fs->never_alloc = 4096; /* no cache */
	image = mini_open(m, "mem/s.cim");
	is_int((int64_t)reads_to_find(m, image, "pe.exe"),
	       (int64_t)reads_to_find(m, image, "beta") + 1, "a PE image found again: reads");
	cim_image_close(image);
	mini_free(m);
}

/* One PE image with these mappings over 64 KiB of data, read and compared with the model. */
static void try_pe(const char *name, const struct mini_mapping *mappings, size_t count,
		   uint64_t length, uint64_t data_length, enum cim_status want)
{
	static uint8_t bytes[65536];
	struct mini *m = mini_new();
	struct mini_link link;
	struct cim_image *image;
	struct cim_data data = {CIM_SIZED(data)};
	uint64_t at;
	uint32_t id;
	enum cim_status status;
	size_t got = 0, wrong = 0;
	uint8_t *buf = (uint8_t *)malloc(70000);

	sample_fill(bytes, 9, sizeof(bytes));
	mini_begin(m, 3, 0);
	id = mini_record(m);
	at = mini_put(m, 1, bytes, sizeof(bytes), 4096);
	mini_stream(m, id, mini_pe(m, 0, at, data_length, mappings, count), length, 2, false);
	link = mini_link("p", id, 0);
	mini_finish_dir(m, "p.cim", 0, &link, 1, true);
	image = mini_open(m, "mem/p.cim");
	status = cim_image_get_data(image, id, cim_str8(NULL), &data, &err);
	is_status(status, want, name);
	if (!status) {
		if (cim_image_read(image, &data, 0, buf, 70000, &got, &err))
			diag("%s", err.cause);
		for (size_t o = 0; o < got; o++)
			wrong += buf[o] != sample_byte(9, mini_pe_place(mappings, count, o));
		ok(got == (length < 70000 ? length : 70000) && !wrong, "%s: reads as the model",
		   name);
	}
	cim_image_close(image);
	free(buf);
	mini_free(m);
}

static void test_pe_mappings(void)
{
	static const struct mini_mapping equal[] = {{100, 7}, {100, 500}, {100, 900}, {200, 3}};
	static const struct mini_mapping first[] = {{0, 4096}, {10, 0}};
	static const struct mini_mapping behind[] = {{10, 5}, {100000, 0x7fffffff}};
	static const struct mini_mapping unsorted[] = {{200, 0}, {100, 0}};
	static const struct mini_mapping unsorted_behind[] = {{200, 0}, {70000, 0}, {60000, 0}};
	static const struct mini_mapping past[] = {{100, 65000}};
	static const struct mini_mapping to_the_end[] = {{100, 65536 - 1000}, {300, 5}};
	static const struct mini_mapping past_by_one[] = {{100, 65536 - 1000 + 1}};
	static const struct mini_mapping below[] = {{100, (uint32_t)-101}};
	static const struct mini_mapping from_0[] = {{100, (uint32_t)-100}};
	struct mini_mapping *many = (struct mini_mapping *)calloc(65535, sizeof(*many));

	try_pe("no mappings", NULL, 0, 60000, 65536, CIM_OK);
	try_pe("mappings at one offset", equal, 4, 1000, 65536, CIM_OK);
	try_pe("a mapping at offset 0", first, 2, 1000, 65536, CIM_OK);
	try_pe("a mapping behind the file's end", behind, 2, 1000, 65536, CIM_OK);
	try_pe("an empty PE image", equal, 4, 0, 65536, CIM_OK);
	for (uint32_t i = 0; i < 65535; i++) {
		many[i].file_offset = i / 2;
		many[i].delta = i * 7 % 30000;
	}
	try_pe("65,535 mappings", many, 65535, 33000, 65536, CIM_OK);
	for (uint32_t i = 0; i < 65535; i++) {
		many[i].file_offset = (i + 1) * 65536;
		many[i].delta = 0u - many[i].file_offset;
	}
	try_pe("a PE image of exactly 4 GiB", many, 65535, UINT64_C(1) << 32, 65536, CIM_OK);
	try_pe("a PE image of a byte more", many, 65535, (UINT64_C(1) << 32) + 1, 65536,
	       CIM_E_CORRUPT);
	is_str(err.cause, "a PE image of 4294967297 bytes", "it is refused for its size");
	try_pe("a mapping that ends with the data", to_the_end, 1, 1000, 65536, CIM_OK);
	try_pe("and with others", to_the_end, 2, 1000, 65536, CIM_OK);
	try_pe("a mapping past the data by a byte", past_by_one, 1, 1000, 65536, CIM_E_CORRUPT);
	try_pe("a mapping that begins with the data", from_0, 1, 1000, 65536, CIM_OK);
	try_pe("a file as long as the data", NULL, 0, 65536, 65536, CIM_OK);
	try_pe("mappings out of order", unsorted, 2, 1000, 65536, CIM_E_CORRUPT);
	try_pe("mappings out of order behind the end", unsorted_behind, 3, 1000, 65536,
	       CIM_E_CORRUPT);
	try_pe("a mapping past the data", past, 1, 1000, 65536, CIM_E_CORRUPT);
	try_pe("a mapping before the data", below, 1, 1000, 65536, CIM_E_CORRUPT);
	try_pe("a file longer than the data", NULL, 0, 65537, 65536, CIM_E_CORRUPT);
	try_pe("data longer than the region", NULL, 0, 1000, 65537, CIM_E_CORRUPT);
	try_pe("a PE image of more than 4 GiB", NULL, 0, (UINT64_C(1) << 32) + 1, 65536,
	       CIM_E_CORRUPT);
	try_pe("a PE image that is marked as sparse", NULL, 0, 1000 | UINT64_C(1) << 56, 65536,
	       CIM_E_CORRUPT);
	free(many);
}

static void test_entry_sizes(void)
{
	static const unsigned sizes[] = {1, 40, 56, 88, 96, 97, 104, 128, 1000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct mini *m = mini_sample();
		struct cim_image *image;
		struct cim_file_info info = {CIM_SIZED(info)};

		mini_rename(m, mini_find(m, "s.cim"), "o.cim");
		m->entry_size = sizes[i];
		mini_finish(m, "s.cim", SAMPLE_META);
		image = mini_open(m, "mem/s.cim");
		/* The fifth record is the first thing in "dir", the eighth "beta". */
		if (sizes[i] < 56) {
			ok(!cim_image_stat(image, 1, &info, &err) && !info.is_directory &&
				   !info.size && !info.has_streams && !info.parent_id,
			   "entry size %u: fields past it are 0", sizes[i]);
		} else {
			ok(id_of(image, "dir/nested/x"), "entry size %u: look up", sizes[i]);
			ok(data_is(image, "dir/other", NULL, "other", 5), "entry size %u: data",
			   sizes[i]);
			ok(!cim_image_stat(image, id_of(image, "beta"), &info, &err) &&
				   info.flags == 0x801f && info.has_security == (sizes[i] > 56) &&
				   (info.parent_id != 0) == (sizes[i] > 88),
			   "entry size %u: what it holds", sizes[i]);
		}
		cim_image_close(image);
		mini_free(m);
	}
}

static void test_versions(void)
{
	static const struct {
		unsigned major, minor;
		enum cim_status want;
	} cases[] = {{2, 0, CIM_OK},	    {2, 9, CIM_OK},
		     {3, 0, CIM_OK},	    {3, 77, CIM_OK},
		     {1, 0, CIM_E_VERSION}, {4, 0, CIM_E_VERSION},
		     {0, 0, CIM_E_VERSION}, {UINT32_MAX, 0, CIM_E_VERSION}};
	const struct cim_image_info *info;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mini *m = mini_sample();
		char name[64];

		for (size_t j = 0; j < m->file_count; j++) {
			mini_le(m->files[j].bytes + 16, cases[i].major, 4);
			mini_le(m->files[j].bytes + 20, cases[i].minor, 4);
		}
		snprintf(name, sizeof(name), "version %u.%u", cases[i].major, cases[i].minor);
		is_status(try_open(m, "mem/s.cim"), cases[i].want, name);
		if (!cases[i].want) {
			struct cim_image *image = mini_open(m, "mem/s.cim");

			info = cim_image_get_info(image);
			ok(info->version_major == cases[i].major &&
				   info->version_minor == cases[i].minor &&
				   data_is(image, "beta", NULL, "beta's data", 11),
			   "%s: told, and read", name);
			cim_image_close(image);
		}
		mini_free(m);
	}
}

static void test_parents(void)
{
	struct mini *m = mini_new();
	struct mini_link links[64];
	struct cim_image *image;
	uint32_t n = 0;
	char name[32], text[32];

	/* Parents of 1 to 5 regions, one of them without any, then the image's own. */
	for (unsigned i = 1; i <= 5; i++)
		mini_set_of(m, i, i, i);
	mini_set_of(m, 6, 0, 0);
	mini_set_of(m, 7, 3, 3);
	is_int(m->region_count, 18, "regions of six parents and the image");
	mini_put_upcase(m, 9);
	m->root = mini_record(m);
	for (unsigned region = 0; region < 18; region++) {
		uint32_t id;

		snprintf(text, sizeof(text), "in region %u", region);
		snprintf(name, sizeof(name), "r%u", region);
		id = mini_record(m);
		mini_stream(m, id, mini_put(m, region, text, strlen(text), 8), strlen(text), 0,
			    false);
		links[n++] = mini_link(name, id, 0);
	}
	mini_dir(m, m->root, 6, links, n, true);
	mini_finish(m, "f.cim", 15);
	image = mini_open(m, "mem/f.cim");
	for (unsigned region = 0; region < 18; region++) {
		snprintf(text, sizeof(text), "in region %u", region);
		snprintf(name, sizeof(name), "r%u", region);
		ok(data_is(image, name, NULL, text, strlen(text)), "data %s", text);
	}
	cim_image_close(image);
	mini_free(m);
}

static void test_many_regions(void)
{
	enum { SETS = 20, EACH = 15 };
	struct mini *m = mini_new();
	struct mini_link links[SETS * EACH];
	struct cim_image *image;
	uint32_t n = 0;
	unsigned wrong = 0;
	char name[32];

	for (unsigned i = 0; i < SETS; i++)
		mini_set_of(m, i, EACH, EACH);
	mini_put_upcase(m, 0);
	m->root = mini_record(m);
	for (unsigned region = 0; region < SETS * EACH; region++) {
		uint32_t id = mini_record(m);

		snprintf(name, sizeof(name), "r%u", region);
		mini_stream(m, id, mini_put(m, region, name, strlen(name), 8), strlen(name), 0,
			    false);
		links[n++] = mini_link(name, id, 0);
	}
	mini_finish_dir(m, "f.cim", SETS * EACH - 15, links, n, true);
	image = mini_open(m, "mem/f.cim");
	ok(m->fs->peak_open_files <= 2, "opening an image opens %ld files at a time",
	   m->fs->peak_open_files);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned region = 0; region < SETS * EACH; region++) {
			snprintf(name, sizeof(name), "R%u", region * 7 % (SETS * EACH));
			name[0] = 'r';
			wrong += !data_is(image, name, NULL, name, strlen(name));
		}
	}
	is_int(wrong, 0, "data of %d regions, three times", SETS * EACH);
	ok(m->fs->peak_open_files <= 65, "never more than 65 files open: %ld",
	   m->fs->peak_open_files);
	cim_image_close(image);
	is_int(m->fs->open_files, 0, "all are closed with the image");
	mini_free(m);
}

/* The most regions that there can be: 65,536. Only few of the files exist. */
static void test_most_regions(void)
{
	for (unsigned own = 3; own <= 4; own++) {
		struct mini *m = mini_new();
		struct mini_link link;
		struct mem_flat *file;

		mini_begin(m, own, 0);
		link = mini_link("f", mini_plain(m, 1, "data", 4), 0);
		mini_finish_dir(m, "f.cim", 0, &link, 1, true);
		/* Two parents in front, so that the own set's regions end at 65,536 or 65,537;
		 * all RegionOffsets move with them. */
		file = mini_find(m, "f.cim");
		mini_resize(file, 72 + 48);
		mini_le(file->bytes + 70, 2, 2);
		mini_le(file->bytes + 72 + 16, 65000, 2);
		mini_le(file->bytes + 96 + 16, 533, 2);
		file->bytes[56 + 6] = (uint8_t)65533;
		file->bytes[56 + 7] = 65533 >> 8;
		if (own == 4) {
			is_status(try_open(m, "mem/f.cim"), CIM_E_CORRUPT, "65,537 regions");
		} else {
			/* The filesystem object, the last in its region, names region 0. */
			is_status(try_open(m, "mem/f.cim"), CIM_E_CORRUPT,
				  "65,536 regions, of which the first is missing");
			ok(strstr(err.cause, "region_00000000-0000-0000-0000-000000000000_0 ") !=
				   NULL,
			   "the cause names the missing region file: %s", err.cause);
		}
		mini_free(m);
	}
}

/* What is then wrong with a region file; it is to be put right again. */
enum region_fault { GONE, SHORT, NO_MAGIC, OTHER_TYPE, OTHER_VERSION, REGION_FAULTS };

static void spoil_region(struct mini *m, struct mem_flat *file, enum region_fault fault)
{
	switch (fault) {
	case GONE:
		mini_rename(m, file, "gone");
		break;
	case SHORT:
		file->size = 39;
		break;
	case NO_MAGIC:
		file->bytes[0] ^= 1;
		break;
	case OTHER_TYPE:
		file->bytes[12] = 2;
		break;
	default:
		file->bytes[16] = 9;
	}
}

/* Is it told, by the file's name and the image's? */
static bool notices_region(struct mini *m, struct mem_flat *file, enum region_fault fault)
{
	const uint8_t first = file->bytes[0], type = file->bytes[12], version = file->bytes[16];
	const size_t whole = file->size;
	char name[sizeof(file->name)];
	struct cim_image *image;
	bool right;

	strcpy(name, file->name);
	spoil_region(m, file, fault);
	image = mini_open(m, "mem/f.cim");
	right = cim_image_check_regions(image, &err) ==
			(fault == OTHER_VERSION ? CIM_E_VERSION : CIM_E_CORRUPT) &&
		strstr(err.cause, name) && !strcmp(err.image, "mem/f.cim");
	cim_image_close(image);
	mini_rename(m, file, name);
	file->size = whole;
	file->bytes[0] = first;
	file->bytes[12] = type;
	file->bytes[16] = version;
	return right;
}

/* A file that can't be opened for want of handles is tried once more when others were closed. */
static void try_region_at_first(struct mini *m)
{
	struct cim_image *image = mini_open(m, "mem/f.cim");

	err.status = CIM_OK;
	m->fs->fail_status = CIM_E_IO;
	m->fs->fail_at = m->fs->ops + 10 * 3 + 1; /* opened, measured and read, each */
	is_status(cim_image_check_regions(image, &err), CIM_OK, "one can't be opened at first");
	is_str(mem_op_names[m->fs->first_failed], "open", "which is what failed");
	is_status(err.status, CIM_OK, "and isn't told, as it could when others were closed");
	m->fs->fail_at = 0;
	cim_image_close(image);
}

/* All region files of an image are looked at, whoever needs them, and not many at a time. */
static void test_check_regions(void)
{
	enum { SETS = 3, EACH = 30 };
	static const char *const names[] = {
		[GONE] = "each region file missing: told, by its name",
		[SHORT] = "each a byte shorter than its header",
		[NO_MAGIC] = "each without the magic number",
		[OTHER_TYPE] = "each of another file's type",
		[OTHER_VERSION] = "each of an unknown version",
	};
	struct mini *m = mini_new();
	struct cim_image *image;

	for (unsigned i = 0; i < SETS; i++)
		mini_set_of(m, i, EACH, EACH);
	mini_put_upcase(m, 0);
	m->root = mini_record(m);
	mini_finish_dir(m, "f.cim", SETS * EACH - EACH, NULL, 0, false);
	for (enum region_fault fault = GONE; fault < REGION_FAULTS; fault++) {
		unsigned wrong = 0;

		for (unsigned region = 0; region < SETS * EACH; region++) {
			struct mem_flat *file = mini_region_file(m, region);

			/* What opening needs is told by that. */
			wrong += file->size <= 40 && !notices_region(m, file, fault);
		}
		is_int(wrong, 0, "%s", names[fault]);
	}
	image = mini_open(m, "mem/f.cim");
	is_status(cim_image_check_regions(image, &err), CIM_OK, "with all of them: sound");
	is_status(cim_image_check_regions(image, NULL), CIM_OK, "and again");
	ok(m->fs->peak_open_files > 60 && m->fs->peak_open_files <= 65,
	   "never more than 65 of %d files open: %ld", SETS * EACH, m->fs->peak_open_files);
	cim_image_close(image);
	try_region_at_first(m);
	is_int(m->fs->open_files, 0, "all are closed with the image");
	mini_free(m);
}

static void test_on_disk(void)
{
	const char *dir = getenv("TEST_TMP");
	struct mini *m = mini_sample();
	struct read_all memory, disk;
	struct cim_image *image;
	char path[4096];

	if (!dir) {
		skip("TEST_TMP is not set", "the same image on disk");
		mini_free(m);
		return;
	}
	if (!mini_save(m, dir))
		bail("can't write to %s", dir);
	snprintf(path, sizeof(path), "%s/s.cim", dir);
	read_all(&m->env, "mem/s.cim", &memory);
	read_all(NULL, path, &disk);
	ok(!memory.failed && !disk.failed && memory.items == 14,
	   "the image is read without failure in memory and from disk: %u items", memory.items);
	is_hex(disk.digest, memory.digest, "the same is read from disk");
	snprintf(path, sizeof(path), "%s/none.cim", dir);
	is_status(cim_image_open(NULL, path, &image, &err), CIM_E_FILE_NOT_FOUND, "no such image");
	snprintf(path, sizeof(path), "%s/none/none.cim", dir);
	is_status(cim_image_open(NULL, path, &image, &err), CIM_E_PATH_NOT_FOUND,
		  "no such directory");
	mini_free(m);
}

/* Opening costs the same for any number of files; a look-up reads little. */
static void test_cost(void)
{
	long cost[2], lookup[2], missing[2], ios;

	for (int big = 0; big < 2; big++) {
		struct mini *m = mini_new();
		size_t count = big ? 60000 : 40;
		struct mini_link *links = (struct mini_link *)calloc(count, sizeof(*links));
		struct cim_image *image;
		struct cim_file_info info = {CIM_SIZED(info)};
		uint32_t id;

		mini_begin(m, 2, 1);
		for (size_t i = 0; i < count; i++) {
			char name[32];

			snprintf(name, sizeof(name), "%zu", i);
			links[i] = mini_link(name, mini_record(m), 0);
		}
		mini_finish_dir(m, "c.cim", 0, links, count, true);
		image = mini_open(m, "mem/c.cim");
		cost[big] = (long)m->fs->bytes_read;
		ok(id_of(image, "39") != 0, "look up in a directory of %zu", count);
		lookup[big] = (long)m->fs->bytes_read - cost[big] - 131072;
		is_status(cim_image_lookup(image, cim_str8("20x"), &id, &err), CIM_E_FILE_NOT_FOUND,
			  "a missing name");
		missing[big] = (long)m->fs->bytes_read - cost[big] - 131072 - lookup[big];
		/* All records are more than the cache holds. */
		for (uint32_t i = 1; i <= count; i++)
			cim_image_stat(image, i, &info, &err);
		ios = (long)m->fs->ops;
		/* The last few share their block with the file table directory. */
		for (uint32_t i = 0; i < 10; i++)
			cim_image_stat(image, big ? (uint32_t)count - 1000 - i : i + 1, &info,
				       &err);
		is_int((long)m->fs->ops - ios, 0, "what was read last is in the cache");
		ok(m->fs->peak_bytes < (5L << 20), "%ld bytes of memory", m->fs->peak_bytes);
		cim_image_close(image);
		free(links);
		mini_free(m);
	}
	ok(cost[1] < cost[0] + 4096,
	   "opening reads %ld bytes of an image of 40 files, %ld of 60,000", cost[0], cost[1]);
	ok(lookup[1] < 40 * 4096, "a look-up reads %ld bytes, %ld", lookup[0], lookup[1]);
	ok(missing[1] < 40 * 4096, "one of a missing name %ld bytes, %ld", missing[0], missing[1]);
}

int main(void)
{
	test_sample();
	test_stat();
	test_lookup();
	test_big_directory();
	test_disputed_order();
	test_same_names();
	test_streams();
	test_stream_paths();
	test_root_stream_path();
	test_region_files();
	test_stream_forms();
	test_pe();
	test_known_pe();
	test_pe_mappings();
	test_entry_sizes();
	test_versions();
	test_parents();
	test_many_regions();
	test_most_regions();
	test_check_regions();
	test_on_disk();
	test_cost();
	return tap_done();
}
