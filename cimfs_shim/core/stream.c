/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c - the open stream of a session
 *
 * Data go straight to the region file's tail and are hashed on the way. When the stream is
 * closed and its data turn out to be known, they are taken back. A source that can be read twice
 * is looked at first where that can save writing: only if an object of its size is known, and
 * only if it is too large to wait in the region's buffer, from where taking it back costs
 * nothing.
 */
#include "sized.h"
#include "session.h"

#include <string.h>

/* Enter the session, and see whether this stream may be written. */
static enum cim_status enter(struct cim_stream *stream, struct cim_error **err)
{
	enum cim_status status = cim_session_enter(stream->writer, true, err);

	if (!status && stream->is_dir)
		return cim_fail(*err, CIM_E_INVALID, "a directory's stream takes no data");
	return status;
}

static struct cim_str path_of(const struct cim_stream *stream)
{
	return (struct cim_str){.utf16 = stream->path, .units = stream->path_units};
}

enum cim_status cim_stream_write(struct cim_stream *stream, const void *buf, size_t len,
				 size_t *written, struct cim_error *err)
{
	size_t fits = 0;
	enum cim_status status;

	if (written)
		*written = 0;
	if (CIM_ANY_NULL(err, "write stream", stream))
		return CIM_E_POINTER;
	status = enter(stream, &err);
	if (!status && CIM_ANY_NULL(err, NULL, buf))
		status = CIM_E_POINTER;
	if (!status && len) {
		uint64_t left = stream->known ? 0 : stream->object.size - stream->object.written;

		fits = len < left ? len : (size_t)left;
		status = cim_object_write(&stream->writer->objects, &stream->object, buf, fits,
					  err);
		cim_session_poison(stream->writer, status, err);
		if (!status && written)
			*written = fits;
		if (!status && fits < len)
			status = cim_fail(err, CIM_E_EOF,
					  "the stream's size is %llu bytes, %llu more were given",
					  (unsigned long long)stream->object.size,
					  (unsigned long long)(len - fits));
	}
	return cim_session_leave(stream->writer, status, "write stream", path_of(stream), err);
}

/* ---- filling from a source ---- */

/* Hash a source through a buffer; nothing is written. */
static enum cim_status hash_source(struct cim_writer *writer, const struct cim_source *source,
				   uint64_t size, struct cim_digest *digest, struct cim_error *err)
{
	struct cim_hasher hasher;
	uint8_t *buf = cim_alloc(&writer->env, CIM_REGION_BUFFER);
	enum cim_status status = CIM_OK;

	if (!buf)
		return cim_no_memory(err);
	cim_hasher_init(&hasher);
	for (uint64_t at = 0; at < size && !status; at += CIM_REGION_BUFFER) {
		size_t len = size - at < CIM_REGION_BUFFER ? (size_t)(size - at)
							   : CIM_REGION_BUFFER;

		status = source->pread(source->ctx, at, buf, len, err);
		if (!status)
			cim_hasher_update(&hasher, buf, len);
	}
	cim_hasher_final(&hasher, digest);
	cim_free(&writer->env, buf);
	return status;
}

static enum cim_status look_first(struct cim_stream *stream, const struct cim_source *source,
				  struct cim_error *err)
{
	struct cim_writer *writer = stream->writer;
	uint64_t size = stream->object.size;
	struct cim_digest digest;
	enum cim_status status;

	if (size < CIM_LARGE_OBJECT || !cim_objects_maybe_known(&writer->objects, size))
		return CIM_OK;
	status = hash_source(writer, source, size, &digest, err);
	if (!status)
		stream->known = cim_objects_find_source(&writer->objects, size, &digest, source,
							&stream->known_offset);
	return status;
}

/* Read the source straight into the region's buffer. */
static enum cim_status copy_source(struct cim_stream *stream, const struct cim_source *source,
				   struct cim_error *err)
{
	struct cim_writer *writer = stream->writer;
	struct cim_object *object = &stream->object;
	uint8_t *room;
	size_t len;
	enum cim_status status;

	while (object->written < object->size) {
		status = cim_object_room(&writer->objects, object, &room, &len, err);
		if (status)
			return cim_session_poison(writer, status, err);
		status = source->pread(source->ctx, object->written, room, len, err);
		if (status) /* half an item must not be published as if it were whole */
			return object->written ? cim_session_poison(writer, status, err) : status;
		cim_object_took(object, len);
	}
	return CIM_OK;
}

enum cim_status cim_stream_fill(struct cim_stream *stream, const struct cim_source *source,
				struct cim_error *err)
{
	struct cim_source own;
	enum cim_status status;

	if (CIM_ANY_NULL(err, "fill stream", stream, source))
		return CIM_E_POINTER;
	status = enter(stream, &err);
	if (!status)
		status = cim_take_sized(&own, sizeof(own), CIM_LEAST_SOURCE, source, "the source",
					err);
	if (!status && (stream->object.written || stream->known))
		status = cim_fail(err, CIM_E_INVALID, "the stream has been written to");
	if (!status)
		status = look_first(stream, &own, err);
	if (!status && !stream->known)
		status = copy_source(stream, &own, err);
	return cim_session_leave(stream->writer, status, "fill stream", path_of(stream), err);
}

/* ---- closing ---- */

/* Where the stream's data came to lie goes into the record or the stream table. */
static enum cim_status settle(struct cim_stream *stream, const struct cim_stored *stored,
			      struct cim_error *err)
{
	struct cim_writer *writer = stream->writer;
	uint64_t desc = cim_stream_desc(stream->object.size, CIM_STREAM_DATA);
	struct cim_ns_file *file;
	enum cim_status status;

	if (stored->sparse)
		desc |= CIM_STREAM_SPARSE;
	if (stream->alternate) {
		struct cim_ns_streams *list = &writer->ns.streams[stream->streams];
		bool found;
		uint32_t i = cim_ns_find_stream(&writer->ns, stream->streams, stream->name,
						stream->name_units, &found);

		list->streams[i].offset = stored->offset;
		list->streams[i].desc = desc;
		return CIM_OK;
	}
	status = cim_ns_change(&writer->ns, stream->file_id, &file, err);
	if (status)
		return status;
	file->record.stream_offset = stored->offset;
	file->record.stream_desc = desc;
	return CIM_OK;
}

static void end_stream(struct cim_stream *stream)
{
	struct cim_writer *writer = stream->writer;
	struct cim_stored stored = {.offset = stream->known_offset, .known = true};
	struct cim_error err = {0};
	enum cim_status status = CIM_OK;

	if (!stream->known)
		status = cim_object_end(&writer->objects, &stream->object, &stored, &err);
	if (!status)
		status = settle(stream, &stored, &err);
	cim_session_poison(writer, status, &err);
	cim_session_annotate(writer, status, "close stream", path_of(stream), &err);
	if (status || !stream->object.size)
		return;
	writer->stats.streams++;
	writer->stats.bytes += stream->object.size;
	if (!stored.known && !stored.sparse)
		writer->stats.stored_bytes += stream->object.size;
}

void cim_stream_close(struct cim_stream *stream)
{
	struct cim_writer *writer;

	if (!stream)
		return;
	writer = stream->writer;
	cim_session_lock(writer);
	if (!stream->is_dir && !writer->poison.status && !writer->closed)
		end_stream(stream);
	writer->stream = NULL;
	cim_free(&writer->env, stream);
	cim_session_let_go(writer);
}
