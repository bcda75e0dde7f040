/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * objects.c - appending objects to a session's region files, each one once: see objects.h
 */
#include "objects.h"
#include "io.h"

#include <string.h>

/* ---- region files ---- */

static uint64_t region_end(const struct cim_region_out *out)
{
	return out->flushed + out->used;
}

/* So many zeros in a row are left as a hole, neither produced nor written. */
enum { HOLE = 65536 };

static bool all_zero(const uint8_t *data, size_t len)
{
	return !data[0] && !memcmp(data, data + 1, len - 1);
}

/* Bring bytes to the end of the file, but leave holes where they are zeros. */
static enum cim_status region_put(struct cim_objects *objects, struct cim_region_out *out,
				  const uint8_t *data, size_t len, struct cim_error *err)
{
	size_t from = 0;
	enum cim_status status = CIM_OK;

	for (size_t at = 0; at < len && !status; at += HOLE) {
		if (len - at < HOLE || !all_zero(data + at, HOLE))
			continue;
		if (at > from)
			status = cim_io_write(objects->env, out->file->handle, out->file->name,
					      out->flushed + from, data + from, at - from, err);
		from = at + HOLE;
	}
	if (!status && from < len)
		status = cim_io_write(objects->env, out->file->handle, out->file->name,
				      out->flushed + from, data + from, len - from, err);
	else if (!status) /* the file must end where the hole does */
		status = cim_io_truncate(objects->env, out->file->handle, out->file->name,
					 out->flushed + len, err);
	if (!status)
		out->flushed += len;
	return status;
}

static enum cim_status region_flush(struct cim_objects *objects, struct cim_region_out *out,
				    struct cim_error *err)
{
	enum cim_status status;

	if (!out->used)
		return CIM_OK;
	status = region_put(objects, out, out->buf, out->used, err);
	if (!status)
		out->used = 0;
	return status;
}

/* Would @size more bytes still be within what an offset can name? */
static enum cim_status region_check_limit(const struct cim_region_out *out, uint64_t from,
					  uint64_t size, struct cim_error *err)
{
	if (!cim_in_range(from, size, CIM_OFFSET_MASK))
		return cim_fail(err, CIM_E_LIMIT, "%s would pass the format's 2^48 bytes",
				out->file->name);
	return CIM_OK;
}

static enum cim_status region_append(struct cim_objects *objects, struct cim_region_out *out,
				     const uint8_t *data, size_t len, struct cim_error *err)
{
	enum cim_status status;

	if (len > CIM_REGION_BUFFER - out->used) {
		status = region_flush(objects, out, err);
		if (status)
			return status;
	}
	if (len < CIM_REGION_BUFFER) {
		memcpy(out->buf + out->used, data, len);
		out->used += len;
		return CIM_OK;
	}
	return region_put(objects, out, data, len, err);
}

/* Zeros up to @end. */
static enum cim_status region_extend(struct cim_objects *objects, struct cim_region_out *out,
				     uint64_t end, struct cim_error *err)
{
	uint64_t len = end - region_end(out);
	enum cim_status status;

	if (len < HOLE && len <= CIM_REGION_BUFFER - out->used) {
		memset(out->buf + out->used, 0, (size_t)len);
		out->used += (size_t)len;
		return CIM_OK;
	}
	status = region_flush(objects, out, err);
	if (!status)
		status = cim_io_truncate(objects->env, out->file->handle, out->file->name, end,
					 err);
	if (!status)
		out->flushed = end;
	return status;
}

/* Cut the region back to @end; what was there is gone, so that gaps always hold zeros. */
static enum cim_status region_cut(struct cim_objects *objects, struct cim_region_out *out,
				  uint64_t end, struct cim_error *err)
{
	enum cim_status status;

	if (end >= out->flushed) {
		out->used = (size_t)(end - out->flushed);
		return CIM_OK;
	}
	status = cim_io_truncate(objects->env, out->file->handle, out->file->name, end, err);
	if (status)
		return status;
	out->flushed = end;
	out->used = 0;
	return CIM_OK;
}

/* Read back what was appended; false: it can't be had. */
static bool region_read(struct cim_objects *objects, const struct cim_region_out *out,
			uint64_t offset, uint8_t *buf, size_t len)
{
	size_t in_file = 0, got;

	if (!cim_in_range(offset, len, region_end(out)))
		return false;
	if (offset < out->flushed) {
		uint64_t left = out->flushed - offset;

		in_file = left < len ? (size_t)left : len;
		if (cim_io_read(objects->env, out->file->handle, out->file->name, offset, buf,
				in_file, &got, NULL) ||
		    got != in_file)
			return false;
	}
	if (in_file < len)
		memcpy(buf + in_file, out->buf + (offset + in_file - out->flushed), len - in_file);
	return true;
}

static enum cim_status region_align(struct cim_objects *objects, struct cim_region_out *out,
				    uint64_t *start, struct cim_error *err)
{
	if (!cim_ckd_align64(start, region_end(out), out->align) || *start > CIM_OFFSET_MASK)
		return region_check_limit(out, CIM_OFFSET_MASK, 1, err);
	return region_extend(objects, out, *start, err);
}

static enum cim_status write_header(struct cim_objects *objects, const struct cim_region_out *out,
				    uint32_t major, uint32_t minor, struct cim_error *err)
{
	uint8_t header[CIM_SIZE(region_header)] = {0};

	cim_common_header_encode(header, sizeof(header), CIM_FILE_REGION, major, minor);
	cim_put16(header + CIM_OFF(region_header, index), (uint16_t)out->file->index);
	header[CIM_OFF(region_header, type)] = (uint8_t)out->file->index;
	return cim_io_write(objects->env, out->file->handle, out->file->name, 0, header,
			    sizeof(header), err);
}

static enum cim_status region_create(struct cim_objects *objects, struct cim_session_file *file,
				     uint32_t major, uint32_t minor, struct cim_error *err)
{
	static const uint64_t aligns[CIM_REGION_TYPES] = {CIM_ALIGN_METADATA, CIM_ALIGN_DATA,
							  CIM_ALIGN_SMALL_DATA};
	const unsigned type = file->index;
	struct cim_region_out *out = &objects->regions[type];
	enum cim_status status;

	out->file = file;
	out->region = (objects->base ? objects->base->info.region_count : 0) + type;
	out->align = aligns[type];
	out->buf = cim_alloc(objects->env, CIM_REGION_BUFFER);
	if (!out->buf)
		return cim_no_memory(err);
	status = cim_session_file_create(file, err);
	if (status)
		return status;
	/* Written at once, not buffered: a full disk must show now (D46). */
	status = write_header(objects, out, major, minor, err);
	if (!status)
		out->flushed = CIM_SIZE(region_header);
	return status;
}

enum cim_status cim_objects_set_version(struct cim_objects *objects, uint32_t major, uint32_t minor,
					struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	for (int type = 0; type < CIM_REGION_TYPES && !status; type++)
		status = write_header(objects, &objects->regions[type], major, minor, err);
	return status;
}

enum cim_status cim_objects_open(struct cim_objects *objects, struct cim_session_files *files,
				 struct cim_image *base, uint32_t major, uint32_t minor,
				 struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	objects->env = files->env;
	objects->base = base;
	cim_object_index_init(&objects->index, files->env);
	cim_hasher_init(&objects->content);
	if (base)
		status = cim_parent_ids_open(base, &objects->parents, err);
	for (int type = 0; type < CIM_REGION_TYPES && !status; type++) {
		status = region_create(objects, &files->regions[type], major, minor, err);
		/* The mark of a living session, before anybody can take its files for orphans. */
		if (!status && !type)
			status = cim_session_file_hold(&files->regions[0], err);
	}
	return status;
}

void cim_objects_close(struct cim_objects *objects)
{
	for (int i = 0; i < CIM_REGION_TYPES; i++)
		cim_free(objects->env, objects->regions[i].buf);
	for (int i = 0; i < CIM_META_CACHE; i++)
		cim_free(objects->env, objects->meta[i].bytes);
	cim_object_index_free(&objects->index);
	cim_parent_ids_close(objects->parents);
}

enum cim_status cim_objects_sync(struct cim_objects *objects, struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	for (int i = 0; i < CIM_REGION_TYPES && !status; i++) {
		struct cim_region_out *out = &objects->regions[i];

		status = region_flush(objects, out, err);
		if (!status)
			status = cim_io_sync(objects->env, out->file->handle, out->file->name, err);
	}
	return status;
}

uint64_t cim_objects_nowhere(const struct cim_objects *objects)
{
	return cim_region_offset(objects->regions[CIM_REGION_SMALL_DATA].region,
				 CIM_SIZE(region_header));
}

/* ---- comparing with known objects ---- */

enum { COMPARE_CHUNK = 65536 };

/* New bytes that are compared with candidates: in memory, in an own region, or from a source. */
struct new_bytes {
	struct cim_objects *objects;
	uint64_t size;
	bool metadata;
	const uint8_t *memory;
	const struct cim_region_out *out; /* with start */
	uint64_t start;
	const struct cim_source *source;
	uint64_t found;
};

static bool read_new(const struct new_bytes *n, uint64_t at, uint8_t *buf, size_t len)
{
	if (n->memory) {
		memcpy(buf, n->memory + at, len);
		return true;
	}
	if (n->out)
		return region_read(n->objects, n->out, n->start + at, buf, len);
	return n->source->pread(n->source->ctx, at, buf, len, NULL) == CIM_OK;
}

static bool read_known(struct cim_objects *objects, uint64_t offset, uint64_t at, uint8_t *buf,
		       size_t len)
{
	uint32_t region = cim_region_index(offset);
	uint32_t own = objects->regions[0].region;

	if (region >= own)
		return region_read(objects, &objects->regions[region - own],
				   cim_region_byte(offset) + at, buf, len);
	return cim_image_read_raw(objects->base, offset, at, buf, len, NULL) == CIM_OK;
}

/* Do the new bytes equal the object at @offset? What can't be read is not equal. */
static bool same_bytes(void *ctx, uint64_t offset)
{
	struct new_bytes *n = ctx;
	const struct cim_env *env = n->objects->env;
	size_t room = n->size < COMPARE_CHUNK ? (size_t)n->size : COMPARE_CHUNK;
	uint8_t *buf = cim_alloc(env, 2 * room);
	bool same = buf != NULL;

	for (uint64_t at = 0; same && at < n->size; at += room) {
		size_t len = n->size - at < room ? (size_t)(n->size - at) : room;

		same = read_known(n->objects, offset, at, buf, len) &&
		       read_new(n, at, buf + room, len) && !memcmp(buf, buf + room, len);
	}
	cim_free(env, buf);
	if (same)
		n->found = offset;
	return same;
}

/* Objects of one digest that are worth a comparison: chance gives no second one, but somebody may
 * have made thousands. */
enum { MAX_SAME_DIGEST = 8 };

/* Find an object of these bytes: the session's own, or a parent's. @crowd: there are so many others
 * of this digest that one more shouldn't be remembered. */
static bool find_known(struct new_bytes *n, const struct cim_digest *digest, bool *crowd)
{
	struct cim_objects *objects = n->objects;
	const struct cim_object_id *id;
	size_t cursor = 0;
	uint32_t own = objects->regions[0].region, tries = 0;

	*crowd = false;
	while ((id = cim_object_index_find(&objects->index, n->size, digest, &cursor))) {
		bool metadata = cim_region_index(id->offset) == own + CIM_REGION_METADATA;

		if (metadata == n->metadata && same_bytes(n, id->offset))
			return true;
		if (++tries == MAX_SAME_DIGEST) {
			*crowd = true;
			return false;
		}
	}
	return objects->parents &&
	       cim_parent_ids_find(objects->parents, n->size, digest, n->metadata, same_bytes, n);
}

/* Remember a stored object; D45's GUID counts its place, its length and what was written. */
static enum cim_status remember(struct cim_objects *objects, uint64_t offset, uint64_t size,
				uint64_t written, const struct cim_digest *digest, bool share,
				struct cim_error *err)
{
	struct cim_object_id id = {size, *digest, offset};
	uint8_t bytes[24];

	cim_put64(bytes, offset);
	cim_put64(bytes + 8, size);
	cim_put64(bytes + 16, written);
	cim_hasher_update(&objects->content, bytes, sizeof(bytes));
	cim_hasher_update(&objects->content, digest->bytes, sizeof(digest->bytes));
	if (share && !cim_object_index_add(&objects->index, &id))
		return cim_no_memory(err);
	return CIM_OK;
}

/* ---- file data ---- */

void cim_object_begin(struct cim_objects *objects, uint64_t size, struct cim_object *object)
{
	/* Nothing is aligned or written before the first byte. */
	object->out = &objects->regions[size < CIM_SMALL_DATA_LIMIT ? CIM_REGION_SMALL_DATA
								    : CIM_REGION_DATA];
	object->mark = region_end(object->out);
	object->start = 0;
	object->size = size;
	object->written = 0;
	cim_hasher_init(&object->hasher);
}

/* Before the first byte: align, and see that the whole object can be named. */
static enum cim_status object_start(struct cim_objects *objects, struct cim_object *object,
				    struct cim_error *err)
{
	enum cim_status status;

	if (object->start)
		return CIM_OK;
	/* An object that fits in the buffer stays there in one piece, so that it can be compared
	 * and taken back without touching the file. */
	if (object->out->used &&
	    object->size + object->out->align > CIM_REGION_BUFFER - object->out->used) {
		status = region_flush(objects, object->out, err);
		if (status)
			return status;
	}
	status = region_align(objects, object->out, &object->start, err);
	return status ? status : region_check_limit(object->out, object->start, object->size, err);
}

enum cim_status cim_object_write(struct cim_objects *objects, struct cim_object *object,
				 const uint8_t *data, size_t len, struct cim_error *err)
{
	enum cim_status status;

	if (!len)
		return CIM_OK;
	status = object_start(objects, object, err);
	if (!status)
		status = region_append(objects, object->out, data, len, err);
	if (status)
		return status;
	cim_hasher_update(&object->hasher, data, len);
	object->written += len;
	return CIM_OK;
}

enum cim_status cim_object_room(struct cim_objects *objects, struct cim_object *object,
				uint8_t **room, size_t *len, struct cim_error *err)
{
	enum cim_status status = object_start(objects, object, err);
	uint64_t left = object->size - object->written;

	if (!status && object->out->used == CIM_REGION_BUFFER)
		status = region_flush(objects, object->out, err);
	if (status)
		return status;
	*room = object->out->buf + object->out->used;
	*len = CIM_REGION_BUFFER - object->out->used;
	if (*len > left)
		*len = (size_t)left;
	return CIM_OK;
}

void cim_object_took(struct cim_object *object, size_t len)
{
	cim_hasher_update(&object->hasher, object->out->buf + object->out->used, len);
	object->out->used += len;
	object->written += len;
}

enum cim_status cim_object_end(struct cim_objects *objects, struct cim_object *object,
			       struct cim_stored *stored, struct cim_error *err)
{
	struct cim_region_out *out = object->out;
	struct cim_digest digest;
	bool share = object->written == object->size, crowd;
	enum cim_status status;

	stored->sparse = !object->written && object->size;
	stored->known = false;
	stored->offset = cim_objects_nowhere(objects);
	if (!object->written) /* a fill may have aligned and then failed */
		return region_cut(objects, out, object->mark, err);
	cim_hasher_final(&object->hasher, &digest);
	if (share) {
		struct new_bytes n = {.objects = objects,
				      .size = object->size,
				      .out = out,
				      .start = object->start};

		if (find_known(&n, &digest, &crowd)) {
			stored->known = true;
			stored->offset = n.found;
			return region_cut(objects, out, object->mark, err);
		}
		share = !crowd;
	} else {
		status = region_extend(objects, out, object->start + object->size, err);
		if (status)
			return status;
	}
	stored->offset = cim_region_offset(out->region, object->start);
	return remember(objects, stored->offset, object->size, object->written, &digest, share,
			err);
}

bool cim_objects_maybe_known(struct cim_objects *objects, uint64_t size)
{
	return cim_object_index_has_length(&objects->index, size) ||
	       (objects->parents && cim_parent_ids_has_length(objects->parents, size));
}

bool cim_objects_find_source(struct cim_objects *objects, uint64_t size,
			     const struct cim_digest *digest, const struct cim_source *source,
			     uint64_t *offset)
{
	struct new_bytes n = {.objects = objects, .size = size, .source = source};
	bool crowd;

	if (!find_known(&n, digest, &crowd))
		return false;
	*offset = n.found;
	return true;
}

/* ---- metadata ---- */

static enum cim_status put_metadata(struct cim_objects *objects, const uint8_t *data, size_t size,
				    const struct cim_digest *digest, bool share, uint64_t *offset,
				    struct cim_error *err)
{
	struct cim_region_out *out = &objects->regions[CIM_REGION_METADATA];
	uint64_t start;
	enum cim_status status;

	status = region_align(objects, out, &start, err);
	if (!status)
		status = region_check_limit(out, start, size, err);
	if (!status)
		status = region_append(objects, out, data, size, err);
	if (status)
		return status;
	*offset = cim_region_offset(out->region, start);
	return remember(objects, *offset, size, size, digest, share, err);
}

enum cim_status cim_objects_put(struct cim_objects *objects, const void *data, size_t size,
				uint64_t *offset, struct cim_error *err)
{
	struct cim_digest digest;

	cim_digest_of(data, size, &digest);
	return put_metadata(objects, data, size, &digest, false, offset, err);
}

/* Most items share a few descriptors: the last ones stay in memory, to be compared there. */
static void cache_metadata(struct cim_objects *objects, struct cim_meta_cache_entry *entry,
			   const uint8_t *data, size_t size, const struct cim_digest *digest,
			   uint64_t offset)
{
	uint8_t *bytes = cim_realloc(objects->env, entry->bytes, size);

	entry->size = 0;
	if (!bytes)
		return; /* it is only a cache */
	memcpy(bytes, data, size);
	entry->bytes = bytes;
	entry->size = size;
	entry->digest = *digest;
	entry->offset = offset;
}

static enum cim_status put_shared(struct cim_objects *objects, const uint8_t *data, size_t size,
				  uint64_t *offset, struct cim_error *err)
{
	struct new_bytes n = {.objects = objects, .size = size, .metadata = true, .memory = data};
	struct cim_meta_cache_entry *entry;
	struct cim_digest digest;
	bool crowd;
	enum cim_status status = CIM_OK;

	cim_digest_of(data, size, &digest);
	entry = &objects->meta[digest.bytes[0] % CIM_META_CACHE];
	if (entry->size == size && !memcmp(&entry->digest, &digest, sizeof(digest)) &&
	    !memcmp(entry->bytes, data, size)) {
		*offset = entry->offset;
		return CIM_OK;
	}
	if (find_known(&n, &digest, &crowd))
		*offset = n.found;
	else
		status = put_metadata(objects, data, size, &digest, !crowd, offset, err);
	if (!status)
		cache_metadata(objects, entry, data, size, &digest, *offset);
	return status;
}

enum cim_status cim_objects_put_shared(struct cim_objects *objects, const void *data, size_t size,
				       bool prefix, uint64_t *offset, struct cim_error *err)
{
	uint8_t *bytes;
	enum cim_status status;

	if (!prefix)
		return put_shared(objects, data, size, offset, err);
	bytes = cim_alloc(objects->env, size + 2);
	if (!bytes)
		return cim_no_memory(err);
	cim_put16(bytes, (uint16_t)size);
	memcpy(bytes + 2, data, size);
	status = put_shared(objects, bytes, size + 2, offset, err);
	cim_free(objects->env, bytes);
	return status;
}

void cim_objects_get_mark(struct cim_objects *objects, struct cim_objects_mark *mark)
{
	mark->end = region_end(&objects->regions[CIM_REGION_METADATA]);
	cim_hasher_copy(&mark->content, &objects->content);
}

enum cim_status cim_objects_rewind(struct cim_objects *objects, const struct cim_objects_mark *mark,
				   struct cim_error *err)
{
	cim_hasher_copy(&objects->content, &mark->content);
	return region_cut(objects, &objects->regions[CIM_REGION_METADATA], mark->end, err);
}
