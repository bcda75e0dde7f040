/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kit.h - sessions and images in memory, in a few words, for the tests of the writer
 *
 * A struct kit is a directory in memory (memfs.h) with an environment. What a test does only in
 * passing goes through must(), which says nothing unless it fails. An image is compared by its
 * dump: one line for each item, with everything that the image holds of it.
 */
#ifndef CIM_TESTS_KIT_H
#define CIM_TESTS_KIT_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../core/format.h"
#include "libcim_advanced.h"
#include "memfs.h"
#include "tap.h"

struct kit {
	struct memfs *m;
	struct cim_env env;
	struct cim_error err;
	bool container; /* images are in c.bcim, which the first session makes */
};

static inline const char *kit_place(const struct kit *k)
{
	return k->container ? "mem/c.bcim" : "mem";
}

static inline struct kit kit_new(void)
{
	struct kit k;

	memset(&k, 0, sizeof(k));
	k.m = memfs_new();
	k.env = memfs_env(k.m);
	return k;
}

/* The directory as it is now, on its own. */
static inline struct kit kit_copy(const struct kit *k)
{
	struct kit copy;

	memset(&copy, 0, sizeof(copy));
	copy.m = memfs_clone(k->m);
	copy.env = memfs_env(copy.m);
	copy.container = k->container;
	return copy;
}

/* Everything was given back; a failure is reported, success is not. */
static inline bool kit_clean(struct kit *k, const char *when)
{
	const char *why;
	bool clean = memfs_is_clean(k->m, &why);

	if (!clean) {
		ok(false, "%s: nothing is left open or allocated", when);
		diag("  %s (%ld files, %ld blocks)", why, k->m->open_files, k->m->blocks);
	}
	return clean;
}

static inline void kit_free(struct kit *k)
{
	kit_clean(k, "at the end");
	memfs_free(k->m);
	k->m = NULL;
}

#define STATUS(s) cim_status_name(s)

static inline void forget_error(struct kit *k)
{
	k->err.status = CIM_OK;
}

/* The rule of libcim.h about struct cim_error, where a call was given this one. */
static inline void check_error(const struct kit *k, enum cim_status got, const char *where,
			       const char *what)
{
	if (k->err.status && k->err.status != got)
		tap_ok(false, where, "%s: gives %s, and fills in %s", what, STATUS(got),
		       STATUS(k->err.status));
}

static inline bool status_is(const struct kit *k, enum cim_status got, enum cim_status want,
			     const char *where, const char *what)
{
	bool same = tap_ok(got == want, where, "%s: %s", what, STATUS(want));

	check_error(k, got, where, what);
	if (!same) {
		diag("  got %s, want %s", STATUS(got), STATUS(want));
		if (got)
			diag("  %s: %s '%s': %s", k->err.op, k->err.image, k->err.path,
			     k->err.cause);
	}
	return same;
}

static inline bool status_must(const struct kit *k, enum cim_status got, const char *where,
			       const char *what)
{
	check_error(k, got, where, what);
	return got == CIM_OK || status_is(k, got, CIM_OK, where, what);
}

/* A call's status: a check of its own, or a silent condition. */
#define gives(k, call, want) (forget_error(k), status_is((k), (call), (want), TAP_WHERE, #call))
#define must(k, call)	     (forget_error(k), status_must((k), (call), TAP_WHERE, #call))

/* ---- sessions ---- */

static inline struct cim_writer *begin_flags(struct kit *k, const char *existing, const char *name,
					     unsigned flags)
{
	struct cim_writer *w = NULL;

	flags |= k->container ? CIM_WRITE_CONTAINER : 0;
	if (!must(k, cim_writer_open(&k->env, kit_place(k), existing, name, flags, &w, &k->err)))
		bail("no session to go on with");
	return w;
}

static inline struct cim_writer *begin(struct kit *k, const char *existing, const char *name)
{
	return begin_flags(k, existing, name, 0);
}

static inline bool finish(struct kit *k, struct cim_writer *w)
{
	bool good = must(k, cim_writer_commit(w, &k->err));

	cim_writer_close(w);
	return good;
}

/* Bytes of streams that the session stored. */
static inline uint64_t stored(struct cim_writer *w)
{
	struct cim_writer_stats stats = {CIM_SIZED(stats)};

	return cim_writer_get_stats(w, &stats, NULL) ? UINT64_MAX : stats.stored_bytes;
}

static inline struct cim_metadata meta_file(int64_t size)
{
	struct cim_metadata meta;

	memset(&meta, 0, sizeof(meta));
	meta.struct_size = sizeof(meta);
	meta.size = size;
	meta.creation_time = 0x01d0000000000001;
	meta.last_write_time = 0x01d0000000000002;
	meta.change_time = 0x01d0000000000003;
	meta.last_access_time = 0x01d0000000000004;
	return meta;
}

static inline struct cim_metadata meta_dir(void)
{
	struct cim_metadata meta = meta_file(0);

	meta.attributes = CIM_ATTR_DIRECTORY;
	return meta;
}

static inline enum cim_status try_file(struct kit *k, struct cim_writer *w, const char *path,
				       const struct cim_metadata *meta, const void *data,
				       size_t len)
{
	struct cim_stream *stream;
	enum cim_status status = cim_writer_add(w, cim_str8(path), meta, &stream, &k->err);
	size_t written;

	if (!status && len)
		status = cim_stream_write(stream, data, len, &written, &k->err);
	cim_stream_close(stream);
	return status;
}

static inline void put_meta(struct kit *k, struct cim_writer *w, const char *path,
			    const struct cim_metadata *meta, const void *data, size_t len)
{
	must(k, try_file(k, w, path, meta, data, len));
}

static inline void put_bytes(struct kit *k, struct cim_writer *w, const char *path,
			     const void *data, size_t len)
{
	struct cim_metadata meta = meta_file((int64_t)len);

	put_meta(k, w, path, &meta, data, len);
}

static inline void put(struct kit *k, struct cim_writer *w, const char *path, const char *text)
{
	put_bytes(k, w, path, text, strlen(text));
}

static inline void make_dir(struct kit *k, struct cim_writer *w, const char *path)
{
	struct cim_metadata meta = meta_dir();

	must(k, cim_writer_add(w, cim_str8(path), &meta, NULL, &k->err));
}

static inline void put_stream(struct kit *k, struct cim_writer *w, const char *path,
			      const char *text)
{
	struct cim_stream *stream = NULL;

	if (must(k, cim_writer_add_stream(w, cim_str8(path), strlen(text), &stream, &k->err)))
		must(k, cim_stream_write(stream, text, strlen(text), NULL, &k->err));
	cim_stream_close(stream);
}

/* ---- bytes ---- */

static inline uint8_t pattern_byte(unsigned seed, uint64_t i)
{
	uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed * UINT64_C(0xbf58476d1ce4e5b9);

	return (uint8_t)((x ^ x >> 31) * UINT64_C(0x94d049bb133111eb) >> 40);
}

static inline void pattern(uint8_t *buf, unsigned seed, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern_byte(seed, i);
}

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;

	for (; len; len -= len < 8 ? len : 8, p += 8) {
		uint64_t word = 0;

		memcpy(&word, p, len < 8 ? len : 8);
		hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
		hash ^= hash >> 35;
	}
	return hash;
}
#define HASH_START UINT64_C(0xcbf29ce484222325)

/* ---- dumps ---- */

struct text {
	char *at;
	size_t len, room;
};

TAP_PRINTF(2, 3) static void say(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	if (t->room - t->len < 4096) {
		t->room = t->room ? t->room * 2 : 65536;
		t->at = (char *)realloc(t->at, t->room);
		if (!t->at)
			bail("out of memory");
	}
	va_start(args, fmt);
	n = vsnprintf(t->at + t->len, t->room - t->len, fmt, args);
	va_end(args);
	t->len += (size_t)n;
}

/* A short text as it is, longer bytes as their hash. */
static inline void say_bytes(struct text *t, const char *what, const uint8_t *bytes, size_t len)
{
	bool plain = len <= 40;

	for (size_t i = 0; i < len && plain; i++)
		plain = bytes[i] >= 32 && bytes[i] < 127 && bytes[i] != '\'';
	if (plain)
		say(t, " %s'%.*s'", what, (int)len, (const char *)bytes);
	else
		say(t, " %s#%016" PRIx64, what, hash_bytes(HASH_START, bytes, len));
}

enum { DUMP_WHOLE = 4 << 20, DUMP_END = 65536 };

static inline void dump_data(struct kit *k, struct cim_image *image, const struct cim_data *data,
			     struct text *t)
{
	static uint8_t buf[DUMP_WHOLE];
	size_t len = data->size < DUMP_WHOLE ? (size_t)data->size : DUMP_END, got;

	say(t, " %" PRIu64, data->size);
	if (data->sparse) {
		say(t, " sparse");
		return;
	}
	if (!must(k, cim_image_read(image, data, 0, buf, len, &got, &k->err)) || got != len) {
		say(t, " UNREADABLE");
		return;
	}
	say_bytes(t, "", buf, len);
	if (data->size < DUMP_WHOLE)
		return;
	must(k, cim_image_read(image, data, data->size - DUMP_END, buf, DUMP_END, &got, &k->err));
	say_bytes(t, "...", buf, got);
}

static inline void dump_blob(struct kit *k, struct cim_image *image,
			     const struct cim_file_info *info, enum cim_blob which,
			     const char *what, struct text *t)
{
	static uint8_t buf[CIM_MAX_BLOB];
	size_t size;

	if (!must(k, cim_image_get_file_blob(image, info, which, buf, sizeof(buf), &size, &k->err)))
		return;
	if (size)
		say_bytes(t, what, buf, size);
}

static inline void dump_streams(struct kit *k, struct cim_image *image,
				const struct cim_file_info *info, struct text *t)
{
	const struct cim_entry *entry;
	struct cim_iter *iter;

	if (!must(k, cim_iter_file_streams(image, info, &iter, &k->err)))
		return;
	while (must(k, cim_iter_next(iter, &entry, &k->err)) && entry) {
		say(t, "\n    :%s", entry->utf8);
		dump_data(k, image, entry->data, t);
	}
	cim_iter_close(iter);
}

/* The n-th different item of the walk, so that hard links show. */
static inline unsigned dump_number(uint32_t **ids, unsigned *count, uint32_t id)
{
	unsigned i = 0;

	while (i < *count && (*ids)[i] != id)
		i++;
	if (i == *count) {
		*ids = (uint32_t *)realloc(*ids, (*count + 1) * sizeof(**ids));
		(*ids)[(*count)++] = id;
	}
	return i + 1;
}

/*
 * "#NUMBER PATH ATTRIBUTES TIMES SIZE DATA marks sd.. ea.. rp.." and a line for each stream.
 * Times that are meta_file()'s own are left out, and so is the descriptor of D8.
 */
static inline void dump_item(struct kit *k, struct cim_image *image,
			     const struct cim_walk_item *item, unsigned number, struct text *t)
{
	static const struct cim_str none;
	const struct cim_file_info *info = item->info;
	struct cim_data data = {CIM_SIZED(data)};
	uint8_t sd[20];
	size_t size;

	say(t, "#%u /%s %x", number, item->path, (unsigned)info->attributes);
	if (info->creation_time != 0x01d0000000000001 ||
	    info->last_write_time != 0x01d0000000000002 ||
	    info->change_time != 0x01d0000000000003 || info->last_access_time != 0x01d0000000000004)
		say(t, " times=%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, info->creation_time,
		    info->last_write_time, info->change_time, info->last_access_time);
	if (!info->is_directory &&
	    must(k, cim_image_get_file_data(image, info, none, &data, &k->err)))
		dump_data(k, image, &data, t);
	if (info->reparse_tag)
		say(t, " tag=%x", (unsigned)info->reparse_tag);
	if (info->marks)
		say(t, " marks=%x", (unsigned)info->marks);
	if (cim_image_get_blob(image, info->file_id, CIM_BLOB_SECURITY, sd, sizeof(sd), &size,
			       NULL) ||
	    size != 20 || memcmp(sd, "\1\0\4\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20))
		dump_blob(k, image, info, CIM_BLOB_SECURITY, "sd", t);
	dump_blob(k, image, info, CIM_BLOB_EA, "ea", t);
	dump_blob(k, image, info, CIM_BLOB_REPARSE, "rp", t);
	dump_streams(k, image, info, t);
	say(t, "\n");
}

static inline char *dump_image(struct kit *k, struct cim_image *image)
{
	const struct cim_walk_item *item;
	struct text t = {NULL, 0, 0};
	const struct cim_image_info *info;
	unsigned count = 0;
	uint32_t *ids = NULL;
	struct cim_walk *walk;

	say(&t, "%s", "");
	info = cim_image_get_info(image);
	if (!must(k, cim_walk_open(image, info->root_id, &walk, &k->err)))
		return t.at;
	while (must(k, cim_walk_next(walk, &item, &k->err)) && item)
		dump_item(k, image, item, dump_number(&ids, &count, item->info->file_id), &t);
	cim_walk_close(walk);
	free(ids);
	return t.at;
}

static inline struct cim_image *open_image(struct kit *k, const char *name)
{
	struct cim_image *image = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", kit_place(k), name);
	must(k, cim_image_open(&k->env, path, &image, &k->err));
	return image;
}

/* The whole image as text; "" if it can't be opened. To be freed. */
static inline char *dump(struct kit *k, const char *name)
{
	struct cim_image *image = open_image(k, name);
	char *text = image ? dump_image(k, image) : (char *)calloc(1, 1);

	cim_image_close(image);
	return text;
}

/* Show where two texts part. */
static inline void show_difference(const char *got, const char *want)
{
	while (*got && *want) {
		size_t a = strcspn(got, "\n"), b = strcspn(want, "\n");

		if (a != b || strncmp(got, want, a))
			break;
		got += a + (got[a] != 0);
		want += b + (want[b] != 0);
	}
	diag("  got:  %.*s", (int)strcspn(got, "\n"), got);
	diag("  want: %.*s", (int)strcspn(want, "\n"), want);
}

/* ---- verify ---- */

static inline int kit_finding(void *ctx, const struct cim_finding *finding)
{
	unsigned *count = (unsigned *)ctx;

	if (finding->severity == CIM_NOTE)
		return 0;
	if (++*count <= 10)
		diag("  verify: %s at %" PRIx64 " '%s': %s", finding->structure, finding->offset,
		     finding->path, finding->message);
	return 0;
}

/* Errors and warnings of a deep check. */
static inline unsigned verify_open(struct kit *k, struct cim_image *image)
{
	unsigned count = 0;

	must(k, cim_image_verify(image, CIM_VERIFY_DEEP, kit_finding, &count, NULL, &k->err));
	return count;
}

/* The image is as @want says, and verify has nothing to say. */
static inline bool image_is(struct kit *k, const char *name, const char *want, const char *where,
			    const char *test)
{
	struct cim_image *image = open_image(k, name);
	char *got = image ? dump_image(k, image) : NULL;
	unsigned findings = image ? verify_open(k, image) : 1;
	bool same = got && !strcmp(got, want) && !findings;

	tap_ok(same, where, "%s", test);
	if (got && strcmp(got, want))
		show_difference(got, want);
	free(got);
	cim_image_close(image);
	return same;
}

#define is_image(k, name, want, test) image_is((k), (name), (want), TAP_WHERE, (test))

static inline bool kit_sound(struct kit *k, const char *name, const char *where)
{
	struct cim_image *image = open_image(k, name);
	unsigned findings = image ? verify_open(k, image) : 1;

	cim_image_close(image);
	if (findings)
		tap_ok(false, where, "%s is sound", name);
	return !findings;
}
#define must_be_sound(k, name) kit_sound((k), (name), TAP_WHERE)

/* Name of a file of an image's own set. */
static inline const char *set_file(struct kit *k, const char *image_name, const char *prefix,
				   int index)
{
	static char name[100];
	const struct cim_image_info *info;
	const struct cim_region_set *set;
	char guid[CIM_GUID_TEXT];
	struct cim_image *image = open_image(k, image_name);

	info = cim_image_get_info(image);
	set = cim_image_get_set(image, info->set_count - 1);
	cim_guid_format(&set->guid, guid);
	cim_image_close(image);
	snprintf(name, sizeof(name), "%s%s_%d", prefix, guid, index);
	return name;
}

/* ---- a file system that can do more, or less ---- */

/* Stands in for cim_vfs.map: each byte lies at its own offset in the system's file 42. */
static inline intptr_t map_any(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len,
			       uint64_t *place)
{
	(void)ctx;
	(void)file;
	(void)len;
	*place = offset;
	return 42;
}

/* Stands in for cim_vfs.next_data: it can't tell what is a hole. */
static inline enum cim_status cant_tell(void *ctx, cim_vfs_file *file, uint64_t offset,
					uint64_t *data, long *os_error)
{
	(void)ctx;
	(void)file;
	(void)os_error;
	*data = offset;
	return CIM_OK;
}

#endif
