/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linktable.c - directories and stream tables, read where they lie
 *
 * One structure serves both: a header with the table's length and the number of links, an array of
 * values (FileIDs, or streams), an array of name offsets, and the names. Nothing of it is loaded
 * whole. When a table is first looked at, its length is checked against the region file and its
 * arrays against its length; each name is checked when it is read. Names lie behind the arrays and
 * within the table; that they are sorted, and each only once, is for verify to check.
 *
 * The two forms of a stream table. format.md has it right at its offset; the published reader
 * expects one more u32 in front, the size of what follows. Let u and v be the first two words. In
 * the first form u is the table's length and v its number of links; each link takes at least 20
 * bytes (a stream and a name offset), so u >= 8 + 20 v. In the second form v is the table's length
 * and u the room for it, so u >= v. We take the first form if and only if u >= 8 + 20 v holds, and
 * the second only if v <= u < 8 + 20 v. So a sound table of the first form is always taken as what
 * it is, and one of the second form too unless the room given for it is over twenty times its
 * length, which no writer has a reason for. What is neither is corrupt.
 */
#include "collate.h"
#include "reader.h"

#include <string.h>

/* Read the header of the table at table->offset and check it. @limit: bytes that the table has by
 * what leads to it. */
static enum cim_status read_header(struct cim_link_table *table, uint64_t limit,
				   struct cim_error *err)
{
	uint8_t bytes[CIM_SIZE(link_table)];
	enum cim_status status;

	status = cim_image_read_object(table->image, table->offset, 0, bytes, sizeof(bytes), err);
	if (status)
		return status;
	table->length = cim_get32(bytes + CIM_OFF(link_table, length));
	table->count = cim_get32(bytes + CIM_OFF(link_table, count));
	if (table->length > limit)
		return cim_fail(err, CIM_E_CORRUPT, "a link table of %u bytes in a place of %llu",
				(unsigned)table->length, (unsigned long long)limit);
	if (table->length < cim_link_names(table->count, table->value_size))
		return cim_fail(err, CIM_E_CORRUPT, "a link table of %u bytes can't have %u links",
				(unsigned)table->length, (unsigned)table->count);
	return cim_image_check_range(table->image, table->offset, 0, table->length, err);
}

static void empty_table(struct cim_link_table *table, struct cim_image *image, uint32_t value_size)
{
	memset(table, 0, sizeof(*table));
	table->image = image;
	table->value_size = value_size;
}

enum cim_status cim_link_table_of_dir(struct cim_image *image, const struct cim_record *record,
				      struct cim_link_table *table, struct cim_error *err)
{
	const uint64_t length = cim_stream_length(record->stream_desc);

	empty_table(table, image, CIM_LINK_FILE_SIZE);
	if (!cim_record_is_dir(record))
		return cim_fail(err, CIM_E_PATH_NOT_FOUND, "not a directory");
	if (!length)
		return CIM_OK;
	if (record->stream_desc & CIM_STREAM_SPARSE)
		return cim_fail(err, CIM_E_CORRUPT, "a directory is marked as a sparse stream");
	table->offset = record->stream_offset;
	return read_header(table, length, err);
}

enum cim_status cim_link_table_of_streams(struct cim_image *image, const struct cim_record *record,
					  struct cim_link_table *table, struct cim_error *err)
{
	uint8_t bytes[8];
	uint32_t first, second;
	enum cim_status status;

	empty_table(table, image, CIM_LINK_STREAM_SIZE);
	if (!record->streams)
		return CIM_OK;
	table->offset = record->streams;
	table->base = record->base_region;
	status = cim_image_read_object(image, table->offset, 0, bytes, sizeof(bytes), err);
	if (status)
		return status;
	first = cim_get32(bytes);
	second = cim_get32(bytes + 4);
	if (first >= cim_link_names(second, CIM_LINK_STREAM_SIZE))
		return read_header(table, first, err);
	/* The second form, for which read_header() finds the room too small if first < second. */
	table->offset += 4; /* both words were read, so this can't leave the region */
	status = read_header(table, first, err);
	if (status == CIM_E_CORRUPT)
		return cim_fail(err, status, "a stream table can't begin with the words %u and %u",
				(unsigned)first, (unsigned)second);
	return status;
}

/* Where the name of entry @index lies, as bytes from the table's start. */
static enum cim_status name_offset(const struct cim_link_table *table, uint32_t index,
				   uint32_t *offset, struct cim_error *err)
{
	const uint64_t at = CIM_SIZE(link_table) + (uint64_t)table->count * table->value_size +
			    (uint64_t)index * CIM_NAME_OFFSET_SIZE;
	uint8_t bytes[CIM_NAME_OFFSET_SIZE];
	enum cim_status status;

	status = cim_image_read_object(table->image, table->offset, at, bytes, sizeof(bytes), err);
	if (status)
		return status;
	*offset = cim_get32(bytes);
	if (*offset < cim_link_names(table->count, table->value_size) || *offset > table->length ||
	    table->length - *offset < 2)
		return cim_fail(err, CIM_E_CORRUPT,
				"the name of link %u can't be at offset %u of its table",
				(unsigned)index, (unsigned)*offset);
	return CIM_OK;
}

enum cim_status cim_link_table_name(const struct cim_link_table *table, uint32_t index,
				    struct cim_link *link, struct cim_error *err)
{
	uint8_t bytes[2 + 2 * CIM_MAX_NAME];
	uint32_t offset, left;
	enum cim_status status = name_offset(table, index, &offset, err);

	if (status)
		return status;
	/* The length and as much as a name can have behind it, in one read. */
	left = table->length - offset;
	status = cim_image_read_object(table->image, table->offset, offset, bytes,
				       left < sizeof(bytes) ? left : sizeof(bytes), err);
	if (status)
		return status;
	link->units = cim_get16(bytes);
	if (!link->units || link->units > CIM_MAX_NAME || 2 + 2 * link->units > left)
		return cim_fail(err, CIM_E_CORRUPT, "the name of link %u can't have %u units",
				(unsigned)index, (unsigned)link->units);
	for (size_t i = 0; i < link->units; i++)
		link->name[i] = cim_get16(bytes + 2 + 2 * i);
	return CIM_OK;
}

enum cim_status cim_link_table_value(const struct cim_link_table *table, uint32_t index,
				     struct cim_link *link, struct cim_error *err)
{
	uint8_t bytes[CIM_LINK_STREAM_SIZE];
	enum cim_status status;

	status = cim_image_read_object(table->image, table->offset,
				       CIM_SIZE(link_table) + (uint64_t)index * table->value_size,
				       bytes, table->value_size, err);
	if (status)
		return status;
	link->file_id = 0;
	link->stream_offset = 0;
	link->stream_desc = 0;
	if (table->value_size == CIM_LINK_FILE_SIZE) {
		link->file_id = cim_get32(bytes);
	} else {
		link->stream_offset = cim_get64(bytes + CIM_OFF(stream, offset));
		link->stream_desc = cim_get64(bytes + CIM_OFF(stream, desc));
		link->base = table->base;
		return cim_image_reach_stream(table->image, table->offset, link->stream_desc,
					      table->base, &link->stream_offset, err);
	}
	return CIM_OK;
}

enum cim_status cim_link_table_get(const struct cim_link_table *table, uint32_t index,
				   struct cim_link *link, struct cim_error *err)
{
	enum cim_status status;

	if (index >= table->count)
		return cim_fail(err, CIM_E_INVALID, "link %u of a table of %u", (unsigned)index,
				(unsigned)table->count);
	status = cim_link_table_name(table, index, link, err);
	if (status)
		return status;
	return cim_link_table_value(table, index, link, err);
}
