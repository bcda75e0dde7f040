/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.c - an image, read by libcim, against the tree that the model says it holds
 *
 * Goes down the model's tree. A name is looked up in its directory as it is spelled and in another
 * case; the directory's listing must have just the model's names. Data is read from its beginning
 * to its end, and once more in small pieces from random places; streams too large for that only at
 * their ends and at random. Two names have the same FileID if and only if they are one file.
 */
#include "rt.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 20
#define PIECE 65536u
#define WHOLE (UINT64_C(8) << 20) /* streams up to this are read wholly */

struct verify {
	struct cim_image *image;
	struct rt_random *random;
	uint64_t differences, items;
	uint32_t *ids; /* met so far */
	size_t id_count;
	struct cim_error err;
	uint8_t got[PIECE], want[PIECE];
	uint8_t blob[CIM_MAX_BLOB];
};

__attribute__((format(printf, 3, 4))) static void differ(struct verify *v,
							 const struct rt_name *name,
							 const char *fmt, ...)
{
	char utf8[CIM_MAX_NAME_UTF8] = "(the root)";
	va_list args;

	if (++v->differences > SHOWN)
		return;
	if (name)
		cim_utf8_from_utf16(name->text, name->units, utf8, sizeof(utf8));
	va_start(args, fmt);
	printf("# differs: %s: ", utf8);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
}

static bool read_as_expected(struct verify *v, const struct cim_data *data,
			     const struct rt_stream *stream, uint64_t offset, size_t len)
{
	uint64_t left = offset < stream->size ? stream->size - offset : 0;
	size_t got, want = len < left ? len : (size_t)left;

	memset(v->got, 0xcc, len);
	if (cim_image_read(v->image, data, offset, v->got, len, &got, &v->err)) {
		printf("# cim_image_read: %s\n", v->err.cause);
		return false;
	}
	rt_stream_expect(stream, offset, v->want, want);
	return got == want && !memcmp(v->got, v->want, want);
}

static void verify_data(struct verify *v, const struct rt_name *name, const struct cim_data *data,
			const struct rt_stream *stream)
{
	uint64_t offset;

	if (data->size != stream->size) {
		differ(v, name, "size %" PRIu64 ", must be %" PRIu64, data->size, stream->size);
		return;
	}
	if (data->pe)
		differ(v, name, "stored as a PE image");
	if (data->sparse != (stream->size && !stream->written))
		differ(v, name, "%s sparse, of %" PRIu64 " bytes %" PRIu64 " were written",
		       data->sparse ? "is" : "is not", stream->size, stream->written);
	for (offset = 0; offset < stream->size && stream->size <= WHOLE; offset += PIECE)
		if (!read_as_expected(v, data, stream, offset, PIECE)) {
			differ(v, name, "other bytes in %" PRIu64 "..+%u", offset, PIECE);
			return;
		}
	for (int i = 0; i < 4 && stream->size; i++) {
		uint64_t from = rt_next(v->random) % stream->size;
		size_t len = 1 + rt_below(v->random, 5000);

		if (!read_as_expected(v, data, stream, from, len))
			differ(v, name, "other bytes in %" PRIu64 "..+%zu", from, len);
	}
	offset = stream->size > 10 ? stream->size - 10 : 0;
	if (!read_as_expected(v, data, stream, offset, 100) ||
	    !read_as_expected(v, data, stream, 0, 100) ||
	    !read_as_expected(v, data, stream, stream->size, 1))
		differ(v, name, "other bytes at an end");
}

static void verify_blob(struct verify *v, const struct rt_name *name, uint32_t id,
			enum cim_blob which, const struct rt_blob *want)
{
	static const char *const names[] = {"security", "EA", "reparse"};
	size_t size, wanted = want ? want->size : 0;

	if (cim_image_get_blob(v->image, id, which, v->blob, sizeof(v->blob), &size, &v->err))
		differ(v, name, "%s: %s", names[which], v->err.cause);
	else if (size != wanted || (size && memcmp(v->blob, want->data, size)))
		differ(v, name, "%s: %zu bytes, must be %zu%s", names[which], size, wanted,
		       size == wanted ? ", others" : "");
}

static void verify_streams(struct verify *v, const struct rt_name *name, const struct rt_node *node,
			   uint32_t id)
{
	const struct cim_entry *entry;
	struct cim_iter *iter;
	uint32_t count = 0;

	if (cim_iter_streams(v->image, id, &iter, &v->err)) {
		differ(v, name, "streams: %s", v->err.cause);
		return;
	}
	while (!cim_iter_next(iter, &entry, &v->err) && entry) {
		struct rt_name stream = {.units = (uint16_t)entry->units};
		struct rt_named_stream *want;
		struct cim_data data = {CIM_SIZED(data)};
		struct cim_str utf8 = cim_str8(entry->utf8);

		memcpy(stream.text, entry->name, entry->units * sizeof(*stream.text));
		want = rt_find_stream(node, &stream);
		count++;
		if (!want) {
			differ(v, name, "has a stream %s, must not", entry->utf8);
			continue;
		}
		if (!rt_equal_name(&stream, &want->name))
			differ(v, name, "stream %s is spelled otherwise", entry->utf8);
		verify_data(v, name, entry->data, &want->stream);
		if (cim_image_get_data(v->image, id, utf8, &data, &v->err))
			differ(v, name, "stream %s: %s", entry->utf8, v->err.cause);
		else
			verify_data(v, name, &data, &want->stream);
	}
	cim_iter_close(iter);
	if (count != node->stream_count)
		differ(v, name, "%u streams, must be %u", (unsigned)count,
		       (unsigned)node->stream_count);
}

static void verify_record(struct verify *v, const struct rt_name *name, const struct rt_node *node,
			  uint32_t id, uint32_t parent)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	uint64_t size = node->directory ? 0 : node->data.size;

	if (cim_image_stat(v->image, id, &info, &v->err)) {
		differ(v, name, "%s", v->err.cause);
		return;
	}
	if (info.is_directory != node->directory || info.attributes != node->attributes)
		differ(v, name, "attributes 0x%x, must be 0x%x", info.attributes, node->attributes);
	if (info.size != size)
		differ(v, name, "size %" PRIu64 ", must be %" PRIu64, info.size, size);
	if (info.creation_time != node->times[0] || info.last_write_time != node->times[1] ||
	    info.change_time != node->times[2] || info.last_access_time != node->times[3])
		differ(v, name, "other times");
	if (info.reparse_tag != node->tag)
		differ(v, name, "tag 0x%x, must be 0x%x", info.reparse_tag, node->tag);
	if (node->directory && info.parent_id != parent)
		differ(v, name, "parent %u, must be %u", (unsigned)info.parent_id,
		       (unsigned)parent);
	if (info.file_id != id || info.has_ea != (node->ea != NULL) ||
	    info.has_reparse != (node->reparse != NULL) ||
	    info.has_streams != (node->stream_count != 0) || !info.has_security)
		differ(v, name, "stat tells of other parts");
}

static void verify_node(struct verify *v, const struct rt_name *name, struct rt_node *node,
			uint32_t id, uint32_t parent);

/* The FileID of a name in a directory, 0 if it can't be found; by all spellings the same. */
static uint32_t look_up(struct verify *v, uint32_t dir, const struct rt_name *name)
{
	struct rt_name other = *name;
	struct cim_str exact = {NULL, name->text, name->units};
	struct cim_str folded = {NULL, other.text, other.units};
	uint32_t id = 0, folded_id = 0;

	for (uint32_t i = 0; i < other.units; i++)
		other.text[i] = rt_other_case(other.text[i]);
	if (cim_image_lookup_at(v->image, dir, exact, true, &id, &v->err)) {
		differ(v, name, "not found: %s", v->err.cause);
		return 0;
	}
	if (cim_image_lookup_at(v->image, dir, folded, false, &folded_id, &v->err) ||
	    folded_id != id)
		differ(v, name, "not found by its name in another case");
	return id;
}

static void verify_children(struct verify *v, const struct rt_name *name, struct rt_node *node,
			    uint32_t id)
{
	const struct cim_entry *entry;
	struct cim_iter *iter;
	uint32_t count = 0;

	if (cim_iter_dir(v->image, id, &iter, &v->err)) {
		differ(v, name, "%s", v->err.cause);
		return;
	}
	while (!cim_iter_next(iter, &entry, &v->err) && entry) {
		struct rt_name child = {.units = (uint16_t)entry->units};
		const struct rt_entry *want;

		memcpy(child.text, entry->name, entry->units * sizeof(*child.text));
		want = rt_find(node, &child);
		count++;
		if (!want || !rt_equal_name(&child, &want->name))
			differ(v, name, "holds %s, %s", entry->utf8,
			       want ? "spelled otherwise" : "must not");
	}
	cim_iter_close(iter);
	if (count != node->entry_count)
		differ(v, name, "%u entries, must be %u", (unsigned)count,
		       (unsigned)node->entry_count);
	for (uint32_t i = 0; i < node->entry_count; i++) {
		uint32_t child = look_up(v, id, &node->entries[i].name);

		if (child)
			verify_node(v, &node->entries[i].name, node->entries[i].node, child, id);
	}
}

static void verify_node(struct verify *v, const struct rt_name *name, struct rt_node *node,
			uint32_t id, uint32_t parent)
{
	struct cim_str none = {0};
	struct cim_data data = {CIM_SIZED(data)};
	uint32_t *ids;

	v->items++;
	if (node->file_id) {
		if (node->file_id != id)
			differ(v, name, "is not the file that it has another name of");
		return;
	}
	node->file_id = id;
	ids = realloc(v->ids, (v->id_count + 1) * sizeof(*ids));
	if (!ids)
		exit(2);
	v->ids = ids;
	ids[v->id_count++] = id;
	verify_record(v, name, node, id, parent);
	verify_blob(v, name, id, CIM_BLOB_SECURITY, node->security);
	verify_blob(v, name, id, CIM_BLOB_EA, node->ea);
	verify_blob(v, name, id, CIM_BLOB_REPARSE, node->reparse);
	verify_streams(v, name, node, id);
	if (node->directory)
		verify_children(v, name, node, id);
	else if (cim_image_get_data(v->image, id, none, &data, &v->err))
		differ(v, name, "data: %s", v->err.cause);
	else
		verify_data(v, name, &data, &node->data);
}

static void forget_ids(struct rt_node *node)
{
	node->file_id = 0;
	for (uint32_t i = 0; i < node->entry_count; i++)
		forget_ids(node->entries[i].node);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The same tree by the library's walk: as many items, no more. */
static void verify_walk(struct verify *v, uint32_t root)
{
	const struct cim_walk_item *item;
	struct cim_walk *walk;
	enum cim_status status;
	uint64_t items = 0;

	if (cim_walk_open(v->image, root, &walk, &v->err)) {
		differ(v, NULL, "walk: %s", v->err.cause);
		return;
	}
	while (!(status = cim_walk_next(walk, &item, &v->err)) && item)
		items++;
	cim_walk_close(walk);
	if (status)
		differ(v, NULL, "walk: %s", v->err.cause);
	else if (items != v->items)
		differ(v, NULL, "a walk meets %" PRIu64 " items, must be %" PRIu64, items,
		       v->items);
}

/* ---- marks ---- */

static void verify_marks(struct verify *v, const struct rt_node *node, uint32_t id);

static void verify_hidden(struct verify *v, const struct rt_hidden *hidden, uint32_t dir)
{
	const uint32_t id = look_up(v, dir, &hidden->name);
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_data data = {CIM_SIZED(data)};
	uint8_t bytes[2 * CIM_MAX_PATH];
	size_t got = 0;

	if (!id)
		return;
	if (cim_image_stat(v->image, id, &info, &v->err) || info.marks != hidden->marks)
		differ(v, &hidden->name, "marks %u, must be %u", (unsigned)info.marks,
		       (unsigned)hidden->marks);
	if (hidden->bare)
		verify_marks(v, hidden->bare, id);
	if (!hidden->target)
		return;
	if (cim_image_get_file_data(v->image, &info, (struct cim_str){0}, &data, &v->err) ||
	    cim_image_read(v->image, &data, 0, bytes, sizeof(bytes), &got, &v->err) ||
	    got != hidden->target->size || memcmp(bytes, hidden->target->data, got))
		differ(v, &hidden->name, "another target");
}

/* With what is hidden, in an image that shows it. */
static void verify_marks(struct verify *v, const struct rt_node *node, uint32_t id)
{
	const struct cim_entry *entry;
	struct cim_iter *iter;
	uint32_t count = 0;

	if (cim_iter_dir(v->image, id, &iter, &v->err)) {
		differ(v, NULL, "%s", v->err.cause);
		return;
	}
	while (!cim_iter_next(iter, &entry, &v->err) && entry)
		count++;
	cim_iter_close(iter);
	if (count != node->entry_count + node->hidden_count)
		differ(v, NULL, "%u entries with those that are hidden, must be %u",
		       (unsigned)count, (unsigned)(node->entry_count + node->hidden_count));
	for (uint32_t i = 0; i < node->hidden_count; i++)
		verify_hidden(v, &node->hidden[i], id);
	for (uint32_t i = 0; i < node->entry_count; i++) {
		const struct rt_node *child = node->entries[i].node;
		struct cim_file_info info = {CIM_SIZED(info)};

		if (!child->directory)
			continue;
		if (cim_image_stat(v->image, child->file_id, &info, &v->err) ||
		    info.marks != (child->opaque ? CIM_MARK_OPAQUE : 0))
			differ(v, &node->entries[i].name, "marks %u, must be %s",
			       (unsigned)info.marks, child->opaque ? "opaque" : "none");
		verify_marks(v, child, child->file_id);
	}
}

static int found(void *ctx, const struct cim_finding *finding)
{
	if (finding->severity != CIM_NOTE)
		differ(ctx, NULL, "cim_image_verify: %s at 0x%" PRIx64 " (%s): %s",
		       finding->structure, finding->offset, finding->path, finding->message);
	return 0;
}

uint64_t rt_verify(const struct cim_env *env, const char *path, struct rt_node *root,
		   struct rt_random *random, uint64_t *items)
{
	struct verify *v = calloc(1, sizeof(*v));
	const struct cim_image_info *info;
	uint64_t differences;

	if (!v)
		return 1;
	v->random = random;
	if (cim_image_open(env, path, &v->image, &v->err)) {
		printf("# %s: %s: %s\n", path, cim_status_text(v->err.status), v->err.cause);
		free(v);
		return 1;
	}
	info = cim_image_get_info(v->image);
	forget_ids(root);
	verify_node(v, NULL, root, info->root_id, info->root_id);
	qsort(v->ids, v->id_count, sizeof(*v->ids), by_number);
	for (size_t i = 1; i < v->id_count; i++)
		if (v->ids[i - 1] == v->ids[i])
			differ(v, NULL, "FileID %u is two files", (unsigned)v->ids[i]);
	verify_walk(v, info->root_id);
	if (cim_image_verify(v->image, CIM_VERIFY_DEEP, found, v, NULL, &v->err))
		differ(v, NULL, "cim_image_verify: %s", v->err.cause);
	cim_image_show_marked(v->image, true);
	verify_marks(v, root, info->root_id);
	cim_image_close(v->image);
	differences = v->differences;
	*items += v->items;
	free(v->ids);
	free(v);
	return differences;
}
