/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.c - File records and the headers that all files share, between bytes and C
 *
 * Fields are moved one by one, little-endian, by the offsets of format.h. A file table may come
 * from a version whose records are shorter or longer than ours: what a short record lacks reads as
 * 0, what a long one has more is skipped.
 */
#include "record.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

void cim_record_decode(struct cim_record *record, const uint8_t *bytes, size_t size)
{
	uint8_t whole[CIM_SIZE(file)] = {0};
	const uint8_t *p = bytes;

	if (size < sizeof(whole)) {
		memcpy(whole, bytes, size);
		p = whole;
	}
	record->flags = cim_get16(p + CIM_OFF(file, flags));
	record->ea_length = cim_get16(p + CIM_OFF(file, ea_length));
	record->reparse_tag = cim_get32(p + CIM_OFF(file, reparse_tag));
	for (size_t i = 0; i < 4; i++)
		record->times[i] = cim_get64(p + CIM_OFF(file, creation_time) + 8 * i);
	record->stream_offset = cim_get64(p + CIM_OFF(file, stream) + CIM_OFF(stream, offset));
	record->stream_desc = cim_get64(p + CIM_OFF(file, stream) + CIM_OFF(stream, desc));
	record->security = cim_get64(p + CIM_OFF(file, security));
	record->ea = cim_get64(p + CIM_OFF(file, ea));
	record->reparse = cim_get64(p + CIM_OFF(file, reparse));
	record->streams = cim_get64(p + CIM_OFF(file, streams));
	if (size >= CIM_OFF(file, parent_id) + 4)
		record->parent_id = cim_get32(p + CIM_OFF(file, parent_id));
	else
		record->parent_id = 0;
	record->base_region = cim_get16(p + CIM_OFF(file, base_region));
	record->reserved = cim_get16(p + CIM_OFF(file, reserved));
}

void cim_record_encode(uint8_t *bytes, const struct cim_record *record)
{
	uint8_t *p = bytes;

	cim_put16(p + CIM_OFF(file, flags), record->flags);
	cim_put16(p + CIM_OFF(file, ea_length), record->ea_length);
	cim_put32(p + CIM_OFF(file, reparse_tag), record->reparse_tag);
	for (size_t i = 0; i < 4; i++)
		cim_put64(p + CIM_OFF(file, creation_time) + 8 * i, record->times[i]);
	cim_put64(p + CIM_OFF(file, stream) + CIM_OFF(stream, offset), record->stream_offset);
	cim_put64(p + CIM_OFF(file, stream) + CIM_OFF(stream, desc), record->stream_desc);
	cim_put64(p + CIM_OFF(file, security), record->security);
	cim_put64(p + CIM_OFF(file, ea), record->ea);
	cim_put64(p + CIM_OFF(file, reparse), record->reparse);
	cim_put64(p + CIM_OFF(file, streams), record->streams);
	cim_put32(p + CIM_OFF(file, parent_id), record->parent_id);
	cim_put16(p + CIM_OFF(file, base_region), record->base_region);
	cim_put16(p + CIM_OFF(file, reserved), record->reserved);
}

bool cim_offset_add_base(uint64_t *offset, uint16_t base)
{
	return !*offset || cim_ckd_add64(offset, *offset, cim_region_offset(base, 0));
}

static enum cim_status no_such_region(uint16_t base, struct cim_error *err)
{
	return cim_fail(err, CIM_E_CORRUPT,
			"a base region index of %u leads past the last region there can be", base);
}

enum cim_status cim_stream_add_base(uint64_t *offset, uint64_t desc, uint16_t base,
				    struct cim_error *err)
{
	if (cim_offset_add_base(offset, base))
		return CIM_OK;
	if (cim_stream_length(desc) && !(desc & CIM_STREAM_SPARSE))
		return no_such_region(base, err);
	*offset = 0;
	return CIM_OK;
}

enum cim_status cim_pe_data(const uint8_t *descriptor, uint16_t base, uint64_t *offset,
			    struct cim_error *err)
{
	const uint64_t length = cim_get64(descriptor + CIM_OFF(pe_image, data_length));

	*offset = cim_get64(descriptor + CIM_OFF(pe_image, data));
	return cim_stream_add_base(offset, length & CIM_STREAM_LENGTH_MASK, base, err);
}

enum cim_status cim_record_add_base(struct cim_record *record, struct cim_error *err)
{
	const uint16_t base = record->base_region;

	if (!base)
		return CIM_OK;
	if (!cim_offset_add_base(&record->security, base) ||
	    !cim_offset_add_base(&record->ea, base) ||
	    !cim_offset_add_base(&record->reparse, base) ||
	    !cim_offset_add_base(&record->streams, base))
		return no_such_region(base, err);
	return cim_stream_add_base(&record->stream_offset, record->stream_desc, base, err);
}

static const struct {
	uint16_t flag;
	uint32_t attribute;
} flag_bits[] = {
	{CIM_FLAG_READONLY, CIM_ATTR_READONLY}, {CIM_FLAG_HIDDEN, CIM_ATTR_HIDDEN},
	{CIM_FLAG_SYSTEM, CIM_ATTR_SYSTEM},	{CIM_FLAG_ARCHIVE, CIM_ATTR_ARCHIVE},
	{CIM_FLAG_SPARSE, CIM_ATTR_SPARSE},
};

uint32_t cim_attributes_from_flags(uint16_t flags)
{
	uint32_t attributes = 0;

	for (size_t i = 0; i < sizeof(flag_bits) / sizeof(flag_bits[0]); i++)
		if (flags & flag_bits[i].flag)
			attributes |= flag_bits[i].attribute;
	return attributes;
}

uint16_t cim_flags_from_attributes(uint32_t attributes)
{
	uint16_t flags = 0;

	for (size_t i = 0; i < sizeof(flag_bits) / sizeof(flag_bits[0]); i++)
		if (attributes & flag_bits[i].attribute)
			flags |= flag_bits[i].flag;
	return flags;
}

uint32_t cim_record_marks(const struct cim_record *record)
{
	const uint16_t flags = record->flags;

	if (cim_record_is_dir(record))
		return (flags & CIM_FLAG_TOMBSTONE ? CIM_MARK_OPAQUE : 0) |
		       (flags & CIM_FLAG_BARE ? CIM_MARK_BARE : 0);
	if (flags & CIM_FLAG_TOMBSTONE)
		return CIM_MARK_TOMBSTONE;
	return flags & CIM_FLAG_MERGE_LINK ? CIM_MARK_MERGE_LINK : 0;
}

void cim_record_mark(struct cim_record *record, uint32_t marks)
{
	record->flags &= (uint16_t)~CIM_FLAG_MARKS;
	if (marks & CIM_MARK_BARE)
		record->flags |= CIM_FLAG_BARE;
	if (marks & (CIM_MARK_TOMBSTONE | CIM_MARK_OPAQUE))
		record->flags |= CIM_FLAG_TOMBSTONE;
	if (marks & CIM_MARK_MERGE_LINK)
		record->flags |= CIM_FLAG_MERGE_LINK;
}

void cim_common_header_encode(uint8_t *bytes, uint32_t header_length, enum cim_file_type type,
			      uint32_t major, uint32_t minor)
{
	memset(bytes, 0, CIM_SIZE(common_header));
	memcpy(bytes + CIM_OFF(common_header, magic), CIM_MAGIC, CIM_MAGIC_SIZE);
	cim_put32(bytes + CIM_OFF(common_header, header_length), header_length);
	bytes[CIM_OFF(common_header, type)] = (uint8_t)type;
	cim_put32(bytes + CIM_OFF(common_header, version_major), major);
	cim_put32(bytes + CIM_OFF(common_header, version_minor), minor);
}

static const char *file_type_name(unsigned type)
{
	switch (type) {
	case CIM_FILE_FILESYSTEM:
		return "a filesystem file";
	case CIM_FILE_REGION:
		return "a region file";
	case CIM_FILE_OBJECT_ID:
		return "an object ID file";
	default:
		return "a file of an unknown type";
	}
}

/* The version comes before the type: only in a version that we know does the type mean anything. */
enum cim_status cim_common_header_check(const uint8_t *bytes, enum cim_file_type type,
					const char *what, struct cim_error *err)
{
	uint32_t major = cim_get32(bytes + CIM_OFF(common_header, version_major));
	uint32_t minor = cim_get32(bytes + CIM_OFF(common_header, version_minor));
	unsigned found = bytes[CIM_OFF(common_header, type)];

	if (memcmp(bytes + CIM_OFF(common_header, magic), CIM_MAGIC, CIM_MAGIC_SIZE) != 0)
		return cim_fail(err, CIM_E_CORRUPT, "%s does not begin as a file of an image",
				what);
	if (major < CIM_VERSION_MAJOR_FIRST || major > CIM_VERSION_MAJOR_LAST)
		return cim_fail(err, CIM_E_VERSION,
				"%s has format version %lu.%lu, known are %u.x to %u.x", what,
				(unsigned long)major, (unsigned long)minor, CIM_VERSION_MAJOR_FIRST,
				CIM_VERSION_MAJOR_LAST);
	if (found != (unsigned)type)
		return cim_fail(err, CIM_E_CORRUPT, "%s is %s (type %u), not %s", what,
				file_type_name(found), found, file_type_name(type));
	return CIM_OK;
}

void cim_region_set_encode(uint8_t *bytes, const struct cim_guid *guid, uint16_t count)
{
	memset(bytes, 0, CIM_SIZE(region_set));
	memcpy(bytes + CIM_OFF(region_set, guid), guid->bytes, sizeof(guid->bytes));
	cim_put16(bytes + CIM_OFF(region_set, count), count);
}
