/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - File records and headers as C structures
 */
#ifndef CIM_RECORD_H
#define CIM_RECORD_H

#include "../../include/libcim_advanced.h"
#include "bytes.h"
#include "format.h"

struct cim_record {
	uint16_t flags;
	uint16_t ea_length;
	uint32_t reparse_tag;
	uint64_t times[4]; /* creation, last write, change, last access */
	uint64_t stream_offset;
	uint64_t stream_desc;
	uint64_t security;
	uint64_t ea;
	uint64_t reparse;
	uint64_t streams;
	uint32_t parent_id;
	uint16_t base_region;
	uint16_t reserved;
};

/* @size: the table's EntrySize; fields past it are 0, a parent's FileID that it cuts as well. */
void cim_record_decode(struct cim_record *record, const uint8_t *bytes, size_t size);
/* Writes the 96 bytes of the known fields. */
void cim_record_encode(uint8_t *bytes, const struct cim_record *record);
/* What a record with a BaseRegionIndex leads to counts from that region on; make it count from the
 * first, as that of all others. The record keeps its index, from which count, in turn, the streams
 * of its stream table and the data of PE images. */
enum cim_status cim_record_add_base(struct cim_record *record, struct cim_error *err);
/* The same for one RegionOffset, of which 0 stays 0; false if there can't be such a region. */
bool cim_offset_add_base(uint64_t *offset, uint16_t base);
/* And for that of a stream, which may be anything where it has no bytes. */
enum cim_status cim_stream_add_base(uint64_t *offset, uint64_t desc, uint16_t base,
				    struct cim_error *err);
/* And for that of a PE image's data, as its descriptor has it. */
enum cim_status cim_pe_data(const uint8_t *descriptor, uint16_t base, uint64_t *offset,
			    struct cim_error *err);
static inline bool cim_record_is_dir(const struct cim_record *record)
{
	return cim_stream_type(record->stream_desc) == CIM_STREAM_LINK_TABLE;
}

/* The bits that the flags of a record stand for, CIM_ATTR_*, and back. */
uint32_t cim_attributes_from_flags(uint16_t flags);
uint16_t cim_flags_from_attributes(uint32_t attributes);

/* Which marks a record has, CIM_MARK_*, in an image whose header says that there are any. Bits that
 * don't fit its kind say nothing. */
uint32_t cim_record_marks(const struct cim_record *record);
/* Give it these, and no others. */
void cim_record_mark(struct cim_record *record, uint32_t marks);
/* What has one of these isn't there for whoever doesn't merge. */
#define CIM_MARKS_HIDDEN (CIM_MARK_TOMBSTONE | CIM_MARK_MERGE_LINK | CIM_MARK_BARE)

/* CommonHeader. */
void cim_common_header_encode(uint8_t *bytes, uint32_t header_length, enum cim_file_type type,
			      uint32_t major, uint32_t minor);
/* Check magic, version and type. @what names the file. */
enum cim_status cim_common_header_check(const uint8_t *bytes, enum cim_file_type type,
					const char *what, struct cim_error *err);
void cim_region_set_encode(uint8_t *bytes, const struct cim_guid *guid, uint16_t count);

#endif
