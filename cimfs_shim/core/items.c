/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * items.c - the calls that change a session's tree, and ask about it: add, stream, link, delete,
 * lookup, stat
 *
 * Each checks all it can before it changes anything: the session's state, the path, the metadata,
 * room in the tables. What is stored in the region files on the way (a security descriptor) is
 * harmless if the call fails afterwards; a write that fails poisons the session.
 */
#include "metavalid.h"
#include "path.h"
#include "reader.h"
#include "sized.h"
#include "session.h"

#include <string.h>

/* ---- metadata ---- */

#define KEEP_ALL                                                                  \
	(CIM_KEEP_SECURITY | CIM_KEEP_EA | CIM_KEEP_REPARSE | CIM_KEEP_CREATION | \
	 CIM_KEEP_LAST_WRITE | CIM_KEEP_CHANGE | CIM_KEEP_LAST_ACCESS)

static enum cim_status check_blob(const void *data, size_t size, const char *what,
				  bool (*valid)(const uint8_t *data, size_t size),
				  struct cim_error *err)
{
	if (!size)
		return CIM_OK;
	if (!data)
		return cim_fail(err, CIM_E_INVALID, "%s has a size but no buffer", what);
	if (!valid(data, size))
		return cim_fail(err, CIM_E_INVALID, "malformed %s of %llu bytes", what,
				(unsigned long long)size);
	return CIM_OK;
}

/* What another maker's image holds may break rules of ours (CIM_WRITE_AS_STORED); it need only fit,
 * and reparse data begin with a tag. */
static bool any_blob(const uint8_t *data, size_t size)
{
	(void)data;
	return size <= CIM_MAX_BLOB;
}

static bool any_reparse(const uint8_t *data, size_t size)
{
	return size >= 4 && any_blob(data, size);
}

static enum cim_status check_metadata(const struct cim_writer *writer, const struct cim_metadata *m,
				      struct cim_error *err)
{
	const bool as_stored = writer->as_stored;
	enum cim_status status;

	if (m->keep & ~KEEP_ALL)
		return cim_fail(err, CIM_E_INVALID, "there is nothing like 0x%x to keep",
				(unsigned)m->keep);
	if (as_stored && writer->ns.marked && m->other_flags & CIM_FLAG_MARKS)
		return cim_fail(err, CIM_E_INVALID, "the flags 0x%x are marks in this image",
				(unsigned)(m->other_flags & CIM_FLAG_MARKS));
	if (!(m->attributes & CIM_ATTR_DIRECTORY) &&
	    (m->size < 0 || (uint64_t)m->size > CIM_MAX_STREAM))
		return cim_fail(err, CIM_E_INVALID, "a size of %lld is not possible",
				(long long)m->size);
	/* A NULL descriptor is none, whatever its size says (D8). */
	status = m->security ? check_blob(m->security, m->security_size, "security descriptor",
					  as_stored ? any_blob : cim_sd_valid, err)
			     : CIM_OK;
	if (!status)
		status = check_blob(m->ea, m->ea_size, "EA list",
				    as_stored ? any_blob : cim_ea_valid, err);
	if (!status)
		status = check_blob(m->reparse, m->reparse_size, "reparse data",
				    as_stored ? any_reparse : cim_reparse_valid, err);
	return status;
}

/* What stays of the record of the item that was at the path. */
static void keep_old(const struct cim_metadata *m, const struct cim_record *old,
		     struct cim_record *record)
{
	static const uint32_t times[] = {CIM_KEEP_CREATION, CIM_KEEP_LAST_WRITE, CIM_KEEP_CHANGE,
					 CIM_KEEP_LAST_ACCESS};
	const uint16_t flags = cim_flags_from_attributes(m->keep_attributes);

	record->flags = (uint16_t)((record->flags & ~flags) | (old->flags & flags));
	for (size_t i = 0; i < 4; i++) {
		if (m->keep & times[i])
			record->times[i] = old->times[i];
	}
	if (m->keep & CIM_KEEP_SECURITY)
		record->security = old->security;
	if (m->keep & CIM_KEEP_EA) {
		record->ea = old->ea;
		record->ea_length = old->ea_length;
	}
	if (m->keep & CIM_KEEP_REPARSE) {
		record->reparse = old->reparse;
		record->reparse_tag = old->reparse_tag;
	}
}

/* Store the metadata's buffers and fill in a record but for its streams and its parent. @old: what
 * was at the path, of the same kind; or NULL. */
static enum cim_status store_metadata(struct cim_writer *writer, const struct cim_metadata *m,
				      const struct cim_record *old, struct cim_record *record,
				      struct cim_error *err)
{
	const uint32_t keep = old ? m->keep : 0;
	bool given = m->security && m->security_size;
	enum cim_status status = CIM_OK;

	record->flags = cim_flags_from_attributes(m->attributes);
	if (writer->as_stored)
		record->flags |= m->other_flags;
	record->times[0] = (uint64_t)m->creation_time;
	record->times[1] = (uint64_t)m->last_write_time;
	record->times[2] = (uint64_t)m->change_time;
	record->times[3] = (uint64_t)m->last_access_time;
	record->security = record->ea = record->reparse = 0;
	record->ea_length = 0;
	record->reparse_tag = 0;
	if (!(keep & CIM_KEEP_SECURITY) && (given || !writer->as_stored))
		status = cim_objects_put_shared(&writer->objects,
						given ? m->security : cim_null_dacl,
						given ? m->security_size : CIM_NULL_DACL_SIZE, true,
						&record->security, err);
	if (!status && m->ea_size && !(keep & CIM_KEEP_EA)) {
		record->ea_length = (uint16_t)m->ea_size;
		status = cim_objects_put_shared(&writer->objects, m->ea, m->ea_size, false,
						&record->ea, err);
	}
	if (!status && m->reparse_size && !(keep & CIM_KEEP_REPARSE)) {
		record->reparse_tag = cim_get32(m->reparse);
		status = cim_objects_put_shared(&writer->objects, m->reparse, m->reparse_size, true,
						&record->reparse, err);
	}
	if (old)
		keep_old(m, old, record);
	return cim_session_poison(writer, status, err);
}

/* ---- add ---- */

/* The stream form of @size bytes of which nothing was written. */
static uint64_t unwritten(uint64_t size)
{
	return cim_stream_desc(size, CIM_STREAM_DATA) | (size ? CIM_STREAM_SPARSE : 0);
}

static enum cim_status new_stream(struct cim_writer *writer, uint32_t file_id,
				  const struct cim_path *path, struct cim_stream **stream,
				  struct cim_error *err)
{
	/* An alternate stream's name stands behind the path, a ':' between them. */
	size_t units = path->stream_units ? (size_t)(path->stream - path->buf) + path->stream_units
					  : path->units;

	*stream = cim_zalloc(&writer->env, sizeof(**stream) + units * sizeof((*stream)->path[0]));
	if (!*stream)
		return cim_no_memory(err);
	(*stream)->writer = writer;
	(*stream)->file_id = file_id;
	(*stream)->path_units = units;
	memcpy((*stream)->path, path->buf, units * sizeof((*stream)->path[0]));
	return CIM_OK;
}

/* A directory over a directory, or the root described: metadata changes, the rest stays (D2). A
 * bare one becomes like others. */
static enum cim_status change_directory(struct cim_writer *writer, const struct cim_ns_place *place,
					const struct cim_metadata *metadata, struct cim_error *err)
{
	struct cim_record fresh = {0};
	struct cim_ns_file *file;
	enum cim_status status;

	status = cim_ns_change(&writer->ns, place->there, &file, err);
	if (!status)
		status = store_metadata(writer, metadata, place->id ? &file->record : NULL, &fresh,
					err);
	if (!status && !place->id)
		status = cim_ns_respell(&writer->ns, place, err);
	if (status)
		return status;
	if (cim_ns_marks(&writer->ns, &file->record) & CIM_MARK_OPAQUE)
		cim_record_mark(&fresh, CIM_MARK_OPAQUE);
	fresh.stream_offset = file->record.stream_offset;
	fresh.stream_desc = file->record.stream_desc;
	fresh.streams = file->record.streams;
	fresh.parent_id = file->record.parent_id;
	fresh.base_region = file->record.base_region;
	fresh.reserved = file->record.reserved;
	file->record = fresh;
	return CIM_OK;
}

/* @old: the item of the same kind whose place it takes, or NULL. */
static enum cim_status new_item(struct cim_writer *writer, const struct cim_ns_place *place,
				const struct cim_metadata *metadata, const struct cim_record *old,
				uint32_t *id, struct cim_error *err)
{
	bool is_dir = (metadata->attributes & CIM_ATTR_DIRECTORY) != 0;
	struct cim_record record = {0};
	uint32_t entry;
	enum cim_status status;

	status = cim_ns_new_file(&writer->ns, id, err);
	if (!status)
		status = cim_ns_reserve(&writer->ns, place, &entry, err);
	if (!status)
		status = store_metadata(writer, metadata, old, &record, err);
	if (status)
		return status;
	record.parent_id = writer->ns.nodes[place->node].file_id;
	if (is_dir) {
		record.stream_desc = cim_stream_desc(0, CIM_STREAM_LINK_TABLE);
		/* What the tombstone hides stays hidden. */
		if (place->marks & CIM_MARK_TOMBSTONE)
			cim_record_mark(&record, CIM_MARK_OPAQUE);
	} else {
		record.stream_offset = cim_objects_nowhere(&writer->objects);
		record.stream_desc = unwritten((uint64_t)metadata->size);
	}
	cim_ns_new_at(&writer->ns, *id)->record = record;
	cim_ns_put(&writer->ns, place, entry, *id);
	return CIM_OK;
}

static enum cim_status add(struct cim_writer *writer, const struct cim_path *path,
			   const struct cim_metadata *metadata, struct cim_stream **out,
			   struct cim_error *err)
{
	bool is_dir = (metadata->attributes & CIM_ATTR_DIRECTORY) != 0, same = false;
	struct cim_stream *stream = NULL;
	struct cim_ns_place place;
	struct cim_record old;
	uint32_t id;
	enum cim_status status;

	if (!path->components && !is_dir)
		return cim_fail(err, CIM_E_INVALID, "the root is a directory");
	status = cim_ns_resolve(&writer->ns, path, &place, err);
	if (!status && place.id && (is_dir || metadata->keep || metadata->keep_attributes)) {
		status = cim_ns_read(&writer->ns, place.id, &old, err);
		same = !status && (!path->components || cim_record_is_dir(&old) == is_dir);
	}
	if (!status && out)
		status = new_stream(writer, 0, path, &stream, err);
	if (status)
		return status;
	id = place.there;
	if (is_dir && (same || place.marks & CIM_MARK_BARE))
		status = change_directory(writer, &place, metadata, err);
	else
		status = new_item(writer, &place, metadata, same ? &old : NULL, &id, err);
	if (status) {
		cim_free(&writer->env, stream);
		return status;
	}
	writer->stats.files++;
	writer->root_given |= !path->components;
	if (stream) {
		stream->file_id = id;
		stream->is_dir = is_dir;
		cim_object_begin(&writer->objects, is_dir ? 0 : (uint64_t)metadata->size,
				 &stream->object);
		*out = writer->stream = stream;
	}
	return CIM_OK;
}

enum cim_status cim_writer_add(struct cim_writer *writer, struct cim_str text,
			       const struct cim_metadata *metadata, struct cim_stream **stream,
			       struct cim_error *err)
{
	struct cim_metadata own;
	struct cim_path path = {0};
	enum cim_status status;

	if (stream)
		*stream = NULL;
	status = cim_session_enter(writer, false, &err);
	if (!status && CIM_ANY_NULL(err, NULL, metadata))
		status = CIM_E_POINTER;
	if (!status)
		status = cim_take_sized(&own, sizeof(own), CIM_LEAST_METADATA, metadata,
					"the metadata", err);
	if (!status)
		status = check_metadata(writer, &own, err);
	if (!status)
		status = cim_path_parse(&writer->env, text, CIM_PATH_NO_STREAM, &path, err);
	if (!status)
		status = add(writer, &path, &own, stream, err);
	cim_path_free(&path);
	return cim_session_leave(writer, status, "add", text, err);
}

/* ---- alternate streams ---- */

static enum cim_status add_stream(struct cim_writer *writer, const struct cim_path *path,
				  uint64_t size, struct cim_stream **out, struct cim_error *err)
{
	struct cim_stream *stream = NULL;
	struct cim_ns_stream *entry;
	struct cim_ns_place place;
	struct cim_ns_file *file;
	uint32_t streams, position;
	enum cim_status status;

	status = cim_ns_resolve(&writer->ns, path, &place, err);
	if (status)
		return status;
	if (!place.id)
		return cim_fail(err, CIM_E_PATH_NOT_FOUND, "the item is missing");
	status = cim_ns_change(&writer->ns, place.id, &file, err);
	if (!status)
		status = cim_ns_get_streams(&writer->ns, place.id, &streams, err);
	if (!status && out)
		status = new_stream(writer, place.id, path, &stream, err);
	if (status)
		return status;
	status = cim_ns_add_stream(&writer->ns, streams, path->stream, path->stream_units,
				   &position, err);
	if (status) {
		cim_free(&writer->env, stream);
		return status;
	}
	entry = &writer->ns.streams[streams].streams[position];
	entry->offset = cim_objects_nowhere(&writer->objects);
	entry->desc = unwritten(size);
	if (!out)
		return CIM_OK;
	stream->alternate = true;
	stream->streams = streams;
	memcpy(stream->name, path->stream, path->stream_units * sizeof(stream->name[0]));
	stream->name_units = (uint16_t)path->stream_units;
	cim_object_begin(&writer->objects, size, &stream->object);
	*out = writer->stream = stream;
	return CIM_OK;
}

enum cim_status cim_writer_add_stream(struct cim_writer *writer, struct cim_str text, uint64_t size,
				      struct cim_stream **stream, struct cim_error *err)
{
	struct cim_path path = {0};
	enum cim_status status;

	if (stream)
		*stream = NULL;
	status = cim_session_enter(writer, false, &err);
	if (!status && size > CIM_MAX_STREAM)
		status = cim_fail(err, CIM_E_INVALID, "a size of %llu is not possible",
				  (unsigned long long)size);
	if (!status)
		status = cim_path_parse(&writer->env, text,
					writer->as_stored ? CIM_PATH_STREAM_OF_ANY
							  : CIM_PATH_STREAM_REQUIRED,
					&path, err);
	if (!status)
		status = add_stream(writer, &path, size, stream, err);
	cim_path_free(&path);
	return cim_session_leave(writer, status, "add stream", text, err);
}

/* ---- link ---- */

static enum cim_status resolve_file(struct cim_writer *writer, const struct cim_path *path,
				    struct cim_ns_place *place, const char *which,
				    struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	if (!path->components)
		return cim_fail(err, CIM_E_INVALID, "%s is the root", which);
	status = cim_ns_resolve(&writer->ns, path, place, err);
	if (status || !place->id)
		return status;
	status = cim_ns_read(&writer->ns, place->id, &record, err);
	if (!status && cim_record_is_dir(&record))
		return cim_fail(err, CIM_E_ACCESS, "%s is a directory", which);
	return status;
}

static enum cim_status link_paths(struct cim_writer *writer, const struct cim_path *path,
				  const struct cim_path *existing, struct cim_error *err)
{
	struct cim_ns_place from, to;
	uint32_t entry;
	enum cim_status status;

	status = resolve_file(writer, existing, &from, "the existing path", err);
	if (status)
		return status;
	if (!from.id)
		return cim_fail(err, CIM_E_PATH_NOT_FOUND, "the existing path is missing");
	status = resolve_file(writer, path, &to, "the new path", err);
	if (status || to.id == from.id)
		return status;
	status = cim_ns_reserve(&writer->ns, &to, &entry, err);
	if (!status)
		cim_ns_put(&writer->ns, &to, entry, from.id);
	return status;
}

enum cim_status cim_writer_link(struct cim_writer *writer, struct cim_str text,
				struct cim_str existing, struct cim_error *err)
{
	return cim_session_call_paths(writer, "link", link_paths, text, existing, err);
}

/* ---- delete ---- */

static enum cim_status delete_stream(struct cim_writer *writer, const struct cim_path *path,
				     const struct cim_ns_place *place, struct cim_error *err)
{
	uint32_t streams, position;
	struct cim_ns_file *file;
	bool found;
	enum cim_status status;

	status = cim_ns_get_streams(&writer->ns, place->id, &streams, err);
	if (status)
		return status;
	position = cim_ns_find_stream(&writer->ns, streams, path->stream, path->stream_units,
				      &found);
	if (!found)
		return cim_fail(err, CIM_E_PATH_NOT_FOUND, "there is no such stream");
	/* The record will point to another table. */
	status = cim_ns_change(&writer->ns, place->id, &file, err);
	if (!status)
		cim_ns_remove_stream(&writer->ns, streams, position);
	return status;
}

static enum cim_status delete_path(struct cim_writer *writer, const struct cim_path *path,
				   struct cim_error *err)
{
	struct cim_ns_place place;
	uint32_t entry;
	enum cim_status status;

	if (!path->components)
		return cim_fail(err, CIM_E_INVALID, "the root can't be deleted");
	status = cim_ns_resolve(&writer->ns, path, &place, err);
	if (status)
		return status;
	if (!place.id)
		return cim_fail(err, CIM_E_PATH_NOT_FOUND, "there is nothing by that name");
	if (path->stream_units)
		return delete_stream(writer, path, &place, err);
	status = cim_ns_reserve(&writer->ns, &place, &entry, err);
	if (!status)
		cim_ns_put(&writer->ns, &place, entry, 0);
	return status;
}

enum cim_status cim_writer_delete(struct cim_writer *writer, struct cim_str text,
				  struct cim_error *err)
{
	struct cim_path path = {0};
	enum cim_status status;

	status = cim_session_enter(writer, false, &err);
	if (!status)
		status = cim_path_parse(&writer->env, text, CIM_PATH_STREAM_ALLOWED, &path, err);
	if (!status)
		status = delete_path(writer, &path, err);
	cim_path_free(&path);
	return cim_session_leave(writer, status, "delete", text, err);
}

/* ---- lookup ---- */

static enum cim_status lookup_path(struct cim_writer *writer, const struct cim_path *path,
				   bool *exists, struct cim_error *err)
{
	struct cim_ns_place place;
	uint32_t streams;
	enum cim_status status;

	status = cim_ns_resolve(&writer->ns, path, &place, err);
	if (status == CIM_E_PATH_NOT_FOUND)
		return CIM_OK; /* a directory on the way is missing: so is the item (D41) */
	if (status || !place.id)
		return status;
	if (!path->stream_units) {
		*exists = true;
		return CIM_OK;
	}
	status = cim_ns_get_streams(&writer->ns, place.id, &streams, err);
	if (!status)
		cim_ns_find_stream(&writer->ns, streams, path->stream, path->stream_units, exists);
	return status;
}

enum cim_status cim_writer_lookup(struct cim_writer *writer, struct cim_str text, bool *exists,
				  struct cim_error *err)
{
	static const char op[] = "look up";
	struct cim_path path = {0};
	enum cim_status status;

	if (CIM_ANY_NULL(err, op, exists))
		return CIM_E_POINTER;
	*exists = false;
	status = cim_session_enter(writer, true, &err);
	if (!status)
		status = cim_path_parse(&writer->env, text, CIM_PATH_STREAM_ALLOWED, &path, err);
	if (!status)
		status = lookup_path(writer, &path, exists, err);
	cim_path_free(&path);
	return cim_session_leave(writer, status, op, text, err);
}

enum cim_status cim_writer_stat(struct cim_writer *writer, struct cim_str text,
				struct cim_file_info *info, struct cim_error *err)
{
	static const char op[] = "read record";
	static const struct cim_file_info none;
	struct cim_file_info own;
	struct cim_path path = {0};
	struct cim_ns_place place;
	struct cim_record record;
	enum cim_status status = CIM_BLANK_SIZED(info, &none, CIM_LEAST_FILE_INFO, err);

	if (CIM_ANY_NULL(err, op, writer, info))
		return CIM_E_POINTER;
	if (status)
		return cim_error_where(err, status, op, writer->path);
	status = cim_session_enter(writer, true, &err);
	if (!status)
		status = cim_path_parse(&writer->env, text, CIM_PATH_NO_STREAM, &path, err);
	if (!status)
		status = cim_ns_resolve(&writer->ns, &path, &place, err);
	if (!status && !place.id)
		status = cim_fail(err, CIM_E_FILE_NOT_FOUND, "there is nothing by that name");
	if (!status)
		status = cim_ns_read(&writer->ns, place.id, &record, err);
	if (!status) {
		cim_info_from_record(&own, place.id, &record, writer->ns.marked);
		cim_give_sized(info, &own, sizeof(own));
	}
	cim_path_free(&path);
	return cim_session_leave(writer, status, op, text, err);
}
