/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data.c - the bytes of a stream
 *
 * A stream is stored in one of three ways. Plain: its bytes, one after the other, in a data region;
 * they are read straight into the caller's buffer, past the cache. Sparse: not at all; it reads as
 * zeros. PE image: a program spread out as the loader would lay it out, with a table that tells
 * where the pieces went.
 *
 * That table's entries ("mappings") are sorted by file offset. The file's byte o is at byte
 * o + Delta of the spread-out data, Delta being that of the last mapping at or before o, and 0
 * before the first. Offsets and deltas are u32, and a piece may have moved either way: the sum is
 * taken modulo 2^32, which is right for a Delta that was meant as signed and for one that wasn't.
 *
 * cim_data_from_stream() checks once that all of a stream lies where it should: the mappings are in
 * order and each piece within the data. struct cim_data is the caller's, though, so reading trusts
 * nothing of it, and finds the piece it begins in by a binary search through the cache.
 *
 * Whoever can use a file's bytes where they are (a server that splices) asks for a run instead: the
 * region file, kept open for him, and the offset in it.
 */
#include "reader.h"
#include "regions.h"
#include "sized.h"

#include <string.h>

#define CIM_PE_LIMIT	 (UINT64_C(1) << 32)
#define MAPPINGS_AT_ONCE 64u

struct pe_image {
	uint64_t offset; /* of its descriptor */
	uint64_t data;	 /* counted from region 0 */
	uint64_t data_length;
	uint32_t count;
};

struct pe_mapping {
	uint32_t file_offset;
	uint32_t delta;
};

static enum cim_status read_pe_image(struct cim_image *image, uint64_t offset, uint16_t base,
				     struct pe_image *pe, struct cim_error *err)
{
	uint8_t bytes[CIM_SIZE(pe_image)];
	enum cim_status status;

	status = cim_image_read_object(image, offset, 0, bytes, sizeof(bytes), err);
	if (status)
		return status;
	pe->offset = offset;
	pe->data_length = cim_get64(bytes + CIM_OFF(pe_image, data_length));
	pe->count = cim_get16(bytes + CIM_OFF(pe_image, mapping_count));
	return cim_image_reach_pe_data(image, offset, bytes, base, &pe->data, err);
}

enum cim_status cim_stream_place(struct cim_image *image, uint64_t offset, uint64_t desc,
				 uint16_t base, struct cim_place *place, struct cim_error *err)
{
	struct pe_image pe;
	enum cim_status status;

	*place = (struct cim_place){0};
	if (!cim_stream_length(desc) || desc & CIM_STREAM_SPARSE)
		return CIM_OK;
	*place = (struct cim_place){.offset = offset, .bytes = cim_stream_length(desc)};
	if (cim_stream_type(desc) != CIM_STREAM_PE_IMAGE)
		return CIM_OK;
	status = read_pe_image(image, offset, base, &pe, err);
	if (status)
		return status;
	place->data = pe.data;
	place->bytes += CIM_SIZE(pe_image) + pe.count * CIM_SIZE(pe_mapping);
	return CIM_OK;
}

/* Mappings [index, index + count) of an image, at most MAPPINGS_AT_ONCE. */
static enum cim_status read_mappings(struct cim_image *image, const struct pe_image *pe,
				     uint32_t index, uint32_t count, struct pe_mapping *mappings,
				     struct cim_error *err)
{
	uint8_t bytes[MAPPINGS_AT_ONCE * CIM_SIZE(pe_mapping)];
	enum cim_status status;

	status = cim_image_read_object(image, pe->offset,
				       CIM_SIZE(pe_image) + (uint64_t)index * CIM_SIZE(pe_mapping),
				       bytes, count * CIM_SIZE(pe_mapping), err);
	if (status)
		return status;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *p = bytes + i * CIM_SIZE(pe_mapping);

		mappings[i].file_offset = cim_get32(p + CIM_OFF(pe_mapping, file_offset));
		mappings[i].delta = cim_get32(p + CIM_OFF(pe_mapping, delta));
	}
	return CIM_OK;
}

/* Where @len bytes of the file from @offset on, all in one piece, lie in the data. */
static enum cim_status place_of_run(const struct pe_image *pe, uint64_t offset, uint32_t delta,
				    uint64_t len, uint64_t *place, struct cim_error *err)
{
	*place = (uint32_t)(offset + delta);
	if (!cim_in_range(*place, len, pe->data_length))
		return cim_fail(
			err, CIM_E_CORRUPT,
			"a PE image's mapping leads %llu bytes at %llu to %llu, past its %llu",
			(unsigned long long)len, (unsigned long long)offset,
			(unsigned long long)*place, (unsigned long long)pe->data_length);
	return CIM_OK;
}

/* Is the piece of the file that begins at @from and is mapped by @delta within the data? It ends
 * where the next begins, or with the file. */
static enum cim_status check_piece(const struct pe_image *pe, const struct pe_mapping *mapping,
				   uint64_t end, uint64_t size, struct cim_error *err)
{
	uint64_t place;

	if (end > size)
		end = size;
	if (mapping->file_offset >= end)
		return CIM_OK;
	return place_of_run(pe, mapping->file_offset, mapping->delta, end - mapping->file_offset,
			    &place, err);
}

static enum cim_status check_mappings(struct cim_image *image, const struct pe_image *pe,
				      uint64_t size, struct cim_error *err)
{
	struct pe_mapping mappings[MAPPINGS_AT_ONCE];
	struct pe_mapping last = {0, 0};
	enum cim_status status;

	for (uint32_t i = 0; i < pe->count; i++) {
		const struct pe_mapping *mapping = &mappings[i % MAPPINGS_AT_ONCE];
		const uint32_t left = pe->count - i;

		if (i % MAPPINGS_AT_ONCE == 0) {
			status = read_mappings(image, pe, i,
					       left < MAPPINGS_AT_ONCE ? left : MAPPINGS_AT_ONCE,
					       mappings, err);
			if (status)
				return status;
		}
		if (mapping->file_offset < last.file_offset)
			return cim_fail(err, CIM_E_CORRUPT,
					"mapping %u of a PE image is out of order", (unsigned)i);
		status = check_piece(pe, &last, mapping->file_offset, size, err);
		if (status)
			return status;
		last = *mapping;
	}
	return check_piece(pe, &last, size, size, err);
}

/* Many streams may have one PE image of 65,535 mappings: it is remembered for which size, and all
 * below, the last ones were found to be good. */
static bool known_pe(struct cim_image *image, const struct pe_image *pe, uint64_t size)
{
	const struct cim_good_pe *good = &image->good_pe[pe->offset / 8 % CIM_GOOD_PE];
	bool known;

	cim_image_lock(image);
	known = good->offset == pe->offset && good->data == pe->data && good->size >= size;
	cim_image_unlock(image);
	return known;
}

static void keep_pe(struct cim_image *image, const struct pe_image *pe, uint64_t size)
{
	cim_image_lock(image);
	image->good_pe[pe->offset / 8 % CIM_GOOD_PE] = (struct cim_good_pe){pe->offset, pe->data,
									    size};
	cim_image_unlock(image);
}

static enum cim_status check_pe_image(struct cim_image *image, uint64_t offset, uint16_t base,
				      uint64_t size, struct cim_error *err)
{
	struct pe_image pe;
	enum cim_status status;

	if (size > CIM_PE_LIMIT)
		return cim_fail(err, CIM_E_CORRUPT, "a PE image of %llu bytes",
				(unsigned long long)size);
	status = read_pe_image(image, offset, base, &pe, err);
	if (status)
		return status;
	status = cim_image_check_range(image, pe.data, 0, pe.data_length, err);
	if (status)
		return status;
	if (known_pe(image, &pe, size))
		return CIM_OK;
	status = check_mappings(image, &pe, size, err);
	if (!status)
		keep_pe(image, &pe, size);
	return status;
}

enum cim_status cim_data_from_stream(struct cim_image *image, uint64_t offset, uint64_t desc,
				     uint16_t base, struct cim_data *data, struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	*data = (struct cim_data){CIM_SIZED(*data)};
	switch (cim_stream_type(desc)) {
	case CIM_STREAM_DATA:
		data->sparse = desc & CIM_STREAM_SPARSE;
		/* Without bytes there is no place to check: any offset will do. */
		if (!data->sparse && cim_stream_length(desc))
			status = cim_image_check_range(image, offset, 0, cim_stream_length(desc),
						       err);
		break;
	case CIM_STREAM_PE_IMAGE:
		if (desc & CIM_STREAM_SPARSE)
			return cim_fail(err, CIM_E_CORRUPT, "a PE image is marked as sparse");
		data->pe = true;
		if (cim_stream_length(desc))
			status = check_pe_image(image, offset, base, cim_stream_length(desc), err);
		break;
	default:
		return cim_fail(err, CIM_E_CORRUPT, "a stream with data can't be of type %u",
				cim_stream_type(desc));
	}
	if (status)
		return status;
	data->size = cim_stream_length(desc);
	data->priv[0] = offset;
	data->priv[1] = base;
	return CIM_OK;
}

/* The mapping that holds for a file offset: *index is its number plus one; 0 and a Delta of 0
 * before the first. */
static enum cim_status find_mapping(struct cim_image *image, const struct pe_image *pe,
				    uint64_t offset, uint32_t *index, uint32_t *delta,
				    struct cim_error *err)
{
	uint32_t low = 0, high = pe->count;

	*delta = 0;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct pe_mapping mapping;
		enum cim_status status = read_mappings(image, pe, middle, 1, &mapping, err);

		if (status)
			return status;
		if (mapping.file_offset <= offset) {
			low = middle + 1;
			*delta = mapping.delta;
		} else {
			high = middle;
		}
	}
	*index = low;
	return CIM_OK;
}

/* A place in an expanded PE image: from here on, Delta @delta holds up to mapping @index. */
struct pe_cursor {
	struct pe_image pe;
	uint64_t offset; /* in the file */
	uint32_t index;
	uint32_t delta;
};

static enum cim_status begin_pe(struct cim_image *image, const struct cim_data *data,
				uint64_t offset, struct pe_cursor *cursor, struct cim_error *err)
{
	enum cim_status status = read_pe_image(image, data->priv[0], (uint16_t)data->priv[1],
					       &cursor->pe, err);

	cursor->offset = offset;
	if (status)
		return status;
	return find_mapping(image, &cursor->pe, offset, &cursor->index, &cursor->delta, err);
}

/* The next piece of at most @len bytes: how long it is (0 where mappings share an offset), and
 * where it lies in the data. The cursor moves behind it. */
static enum cim_status next_piece(struct cim_image *image, struct pe_cursor *cursor, uint64_t len,
				  uint64_t *part, uint64_t *place, struct cim_error *err)
{
	struct pe_mapping next = {0, 0};
	enum cim_status status;

	*part = len;
	if (cursor->index < cursor->pe.count) {
		status = read_mappings(image, &cursor->pe, cursor->index, 1, &next, err);
		if (status)
			return status;
		if (next.file_offset < cursor->offset)
			return cim_fail(err, CIM_E_CORRUPT,
					"mapping %u of a PE image is out of order",
					(unsigned)cursor->index);
		if (next.file_offset - cursor->offset < len)
			*part = next.file_offset - cursor->offset;
	}
	status = place_of_run(&cursor->pe, cursor->offset, cursor->delta, *part, place, err);
	cursor->offset += *part;
	cursor->index++;
	cursor->delta = next.delta;
	return status;
}

static enum cim_status read_pe(struct cim_image *image, const struct cim_data *data,
			       uint64_t offset, uint8_t *buf, size_t len, struct cim_error *err)
{
	struct pe_cursor cursor;
	uint64_t part, place = 0;
	enum cim_status status = begin_pe(image, data, offset, &cursor, err);

	/* Each turn reads up to where the next mapping begins; there are at most 65,535. */
	while (!status && len) {
		status = next_piece(image, &cursor, len, &part, &place, err);
		if (!status && part)
			status = cim_image_read_raw(image, cursor.pe.data, place, buf, (size_t)part,
						    err);
		buf += part;
		len -= (size_t)part;
	}
	return status;
}

/* What lies within the stream. */
static enum cim_status read_data(struct cim_image *image, const struct cim_data *data,
				 uint64_t offset, void *buf, size_t len, struct cim_error *err)
{
	if (data->pe)
		return read_pe(image, data, offset, buf, len, err);
	if (!data->sparse)
		return cim_image_read_raw(image, data->priv[0], offset, buf, len, err);
	memset(buf, 0, len);
	return CIM_OK;
}

enum cim_status cim_image_read(struct cim_image *image, const struct cim_data *data,
			       uint64_t offset, void *buf, size_t len, size_t *got,
			       struct cim_error *err)
{
	static const char op[] = "read stream";
	enum cim_status status;

	if (got)
		*got = 0;
	if (CIM_ANY_NULL(err, op, image, data, got) || (len && CIM_ANY_NULL(err, op, buf)))
		return CIM_E_POINTER;
	status = CIM_CHECK_SIZED(data, CIM_LEAST_DATA, err);
	if (!status && (offset >= data->size || !len))
		return CIM_OK;
	if (!status && len > data->size - offset)
		len = (size_t)(data->size - offset);
	if (!status)
		status = read_data(image, data, offset, buf, len, err);
	if (status)
		return cim_error_where(err, status, op, image->path);
	*got = len;
	return CIM_OK;
}

enum cim_status cim_data_place(struct cim_image *image, const struct cim_data *data,
			       struct cim_place *place, struct cim_error *err)
{
	static const char op[] = "find stream";
	enum cim_status status;

	if (place)
		*place = (struct cim_place){0};
	if (CIM_ANY_NULL(err, op, image, data, place))
		return CIM_E_POINTER;
	status = CIM_CHECK_SIZED(data, CIM_LEAST_DATA, err);
	if (!status && !data->sparse)
		status = cim_stream_place(image, data->priv[0],
					  cim_stream_desc(data->size, data->pe ? CIM_STREAM_PE_IMAGE
									       : CIM_STREAM_DATA),
					  (uint16_t)data->priv[1], place, err);
	return cim_error_where(err, status, op, image->path);
}

/* ---- runs, for those who want no copy ---- */

/* The object and the byte in it where a stream's bytes from @offset on lie, and how many of them in
 * one piece. */
static enum cim_status find_run(struct cim_image *image, const struct cim_data *data,
				uint64_t offset, uint64_t *len, uint64_t *object, uint64_t *skip,
				struct cim_error *err)
{
	struct pe_cursor cursor;
	uint64_t part = 0;
	enum cim_status status;

	if (!data->pe) {
		*object = data->priv[0];
		*skip = offset;
		return CIM_OK;
	}
	status = begin_pe(image, data, offset, &cursor, err);
	while (!status && !part)
		status = next_piece(image, &cursor, *len, &part, skip, err);
	*object = cursor.pe.data;
	*len = part;
	return status;
}

/* What the environment has no file for may be a hole, which nothing is stored of: how many bytes
 * from
 * @place on are. */
static uint64_t hole_at(const struct cim_vfs *vfs, cim_vfs_file *file, uint64_t place, uint64_t len)
{
	uint64_t data;
	long os_error;

	if (!vfs->map || !vfs->next_data || vfs->next_data(vfs->ctx, file, place, &data, &os_error))
		return 0;
	return data - place < len ? data - place : len;
}

/* @run is that of no bytes. */
static enum cim_status get_run(struct cim_image *image, const struct cim_data *data,
			       uint64_t offset, uint64_t len, struct cim_run *run,
			       struct cim_error *err)
{
	const struct cim_vfs *vfs = image->env.vfs;
	struct cim_region_file *file;
	uint64_t object = 0, skip = 0, place = 0;
	enum cim_status status;

	if (offset >= data->size || !len)
		return CIM_OK;
	if (len > data->size - offset)
		len = data->size - offset;
	if (data->sparse) {
		run->kind = CIM_RUN_ZEROS;
		run->len = len;
		return CIM_OK;
	}
	status = find_run(image, data, offset, &len, &object, &skip, err);
	if (!status)
		status = cim_image_place(image, object, skip, len, &file, &place, err);
	if (status)
		return status;
	run->kind = CIM_RUN_READ;
	if (vfs->map)
		run->native = vfs->map(vfs->ctx, file->file, place, &len, &run->offset);
	run->len = len;
	if (run->native == -1) {
		len = hole_at(vfs, file->file, place, len);
		if (len) {
			run->kind = CIM_RUN_ZEROS;
			run->len = len;
		}
		run->offset = 0;
		cim_region_put(image, file);
		return CIM_OK;
	}
	run->kind = CIM_RUN_FILE;
	run->priv = file;
	return CIM_OK;
}

enum cim_status cim_image_get_run(struct cim_image *image, const struct cim_data *data,
				  uint64_t offset, uint64_t len, struct cim_run *run,
				  struct cim_error *err)
{
	static const char op[] = "find stream";
	struct cim_run own = {CIM_SIZED(own), .native = -1};
	enum cim_status status = CIM_BLANK_SIZED(run, &own, CIM_LEAST_RUN, err);

	if (CIM_ANY_NULL(err, op, image, data, run))
		return CIM_E_POINTER;
	if (!status)
		status = CIM_CHECK_SIZED(data, CIM_LEAST_DATA, err);
	if (!status)
		status = get_run(image, data, offset, len, &own, err);
	if (!status)
		cim_give_sized(run, &own, sizeof(own));
	return cim_error_where(err, status, op, image->path);
}

void cim_run_put(struct cim_image *image, struct cim_run *run)
{
	static const struct cim_run none = {.native = -1};

	if (!image || !run || CIM_CHECK_SIZED(run, CIM_LEAST_RUN, NULL))
		return;
	if (run->priv)
		cim_region_put(image, run->priv);
	cim_give_sized(run, &none, sizeof(none));
}

/* ---- segments, for those who want to know ---- */

static enum cim_status get_segment(struct cim_image *image, const struct cim_data *data,
				   uint64_t offset, struct cim_segment *segment,
				   struct cim_error *err)
{
	uint64_t object = 0, skip = 0;
	enum cim_status status;

	if (offset >= data->size)
		return cim_fail(err, CIM_E_EOF, "the stream has %llu bytes",
				(unsigned long long)data->size);
	segment->offset = offset;
	segment->len = data->size - offset;
	if (data->sparse)
		return CIM_OK;
	status = find_run(image, data, offset, &segment->len, &object, &skip, err);
	if (status)
		return status;
	segment->stored = true;
	segment->place = object + skip; /* in the region file, so within the 48 bits */
	segment->in_object = skip;
	return cim_image_check_range(image, object, skip, segment->len, err);
}

enum cim_status cim_image_get_segment(struct cim_image *image, const struct cim_data *data,
				      uint64_t offset, struct cim_segment *segment,
				      struct cim_error *err)
{
	static const char op[] = "find stream";
	struct cim_segment own = {CIM_SIZED(own)};
	enum cim_status status = CIM_BLANK_SIZED(segment, &own, CIM_LEAST_SEGMENT, err);

	if (CIM_ANY_NULL(err, op, image, data, segment))
		return CIM_E_POINTER;
	if (!status)
		status = CIM_CHECK_SIZED(data, CIM_LEAST_DATA, err);
	if (!status)
		status = get_segment(image, data, offset, &own, err);
	if (!status)
		cim_give_sized(segment, &own, sizeof(own));
	return cim_error_where(err, status, op, image->path);
}
