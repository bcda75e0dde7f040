/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkrec.c - checking one record with its streams, descriptor, EAs and reparse data
 *
 * A record is met once, however many names it has. What it points to may be shared by many: each
 * such structure is looked at once. What is wrong with it is reported for the first who has it, and
 * of the others that theirs is the same.
 */
#include "check.h"
#include "metavalid.h"

#include <string.h>

#define KNOWN_FLAGS \
	(CIM_FLAG_READONLY | CIM_FLAG_HIDDEN | CIM_FLAG_SYSTEM | CIM_FLAG_ARCHIVE | CIM_FLAG_SPARSE)
#define FLAG_PE_VALID 1u

/* ---- PE images ---- */

struct pe {
	uint64_t offset; /* of the descriptor */
	uint64_t data, data_length;
	uint64_t size; /* of the file */
	unsigned count;
};

/* The piece of the file from @from to @to, moved by @delta, lies within the expanded data. */
static bool check_pe_piece(struct cim_check *c, const struct pe *pe, uint32_t from, uint64_t to,
			   uint32_t delta)
{
	uint64_t end = to < pe->size ? to : pe->size;

	if (from >= end || cim_in_range((uint32_t)(from + delta), end - from, pe->data_length))
		return true;
	cim_check_report(c, CIM_ERROR, "PE image", pe->offset,
			 "the mapping at file offset %u leads outside the expanded data",
			 (unsigned)from);
	return false;
}

static void check_pe_mappings(struct cim_check *c, const struct pe *pe)
{
	uint32_t from = 0, delta = 0;
	uint8_t bytes[CIM_SIZE(pe_mapping)];

	for (unsigned i = 0; i < pe->count && !c->status; i++) {
		uint32_t next;

		if (!cim_check_read(c, "PE image", pe->offset,
				    CIM_SIZE(pe_image) + (uint64_t)i * sizeof(bytes), bytes,
				    sizeof(bytes)))
			return;
		next = cim_get32(bytes + CIM_OFF(pe_mapping, file_offset));
		if (i && next <= from) {
			cim_check_report(c, CIM_ERROR, "PE image", pe->offset,
					 "mapping %u is not sorted by file offset", i);
			return;
		}
		if (!check_pe_piece(c, pe, from, next, delta))
			return;
		from = next;
		delta = cim_get32(bytes + CIM_OFF(pe_mapping, delta));
	}
	check_pe_piece(c, pe, from, pe->size, delta);
}

/* Returns whether the reader is to be asked as well. */
static bool check_pe(struct cim_check *c, uint64_t offset, uint16_t base, uint64_t size)
{
	static const char what[] = "PE image";
	uint8_t bytes[CIM_SIZE(pe_image)];
	const uint64_t faults = c->faults;
	struct pe pe = {.offset = offset, .size = size};
	unsigned flags;
	uint32_t number;

	if (!cim_check_place(c, what, offset, sizeof(bytes), true) ||
	    !cim_check_read(c, what, offset, 0, bytes, sizeof(bytes)))
		return false;
	cim_check_digest(c, what, offset, true);
	pe.data_length = cim_get64(bytes + CIM_OFF(pe_image, data_length));
	pe.count = cim_get16(bytes + CIM_OFF(pe_image, mapping_count));
	flags = cim_get16(bytes + CIM_OFF(pe_image, flags));
	if (!cim_check_try(
		    c, cim_image_reach_pe_data(c->image, offset, bytes, base, &pe.data, &c->why),
		    what, offset, "its data"))
		return false;
	if (flags & ~FLAG_PE_VALID)
		cim_check_report(c, CIM_NOTE, what, offset, "unknown flags 0x%x", flags);
	if (!cim_check_place(c, "PE image's data", pe.data, pe.data_length, false) ||
	    !cim_check_place(c, what, offset,
			     sizeof(bytes) + (uint64_t)pe.count * CIM_SIZE(pe_mapping), true))
		return false;
	cim_check_digest(c, "PE image's data", pe.data, false);
	cim_check_data(c, "PE image's data", pe.data, pe.data_length);
	if (!cim_check_first(c, CIM_CHECK_PE_IMAGE, what, offset, size, base, &number))
		return false;
	if (cim_check_spend(c, what, offset, (uint64_t)pe.count * CIM_SIZE(pe_mapping)))
		check_pe_mappings(c, &pe);
	cim_check_judge(c, number, faults);
	return !c->budget->over;
}

/* ---- streams ---- */

/* Does the offset name a place in a region file, or its end? */
static bool is_place(struct cim_check *c, uint64_t offset)
{
	return cim_check_ok(c, cim_image_check_range(c->image, offset, 0, 0, &c->why));
}

static void check_plain(struct cim_check *c, uint64_t offset, uint64_t length)
{
	static const char what[] = "stream";

	if (length) {
		if (!cim_check_place(c, what, offset, length, false))
			return;
		cim_check_digest(c, what, offset, false);
		cim_check_data(c, what, offset, length);
	} else if (!is_place(c, offset)) {
		/* Nothing to read there, but other readers look at the offset. */
		cim_check_report(c, CIM_WARNING, what, offset,
				 "a stream of length 0 whose offset names no place");
	}
}

static void check_stream(struct cim_check *c, uint64_t offset, uint64_t desc, uint16_t base)
{
	static const char what[] = "stream";
	const unsigned type = cim_stream_type(desc);
	const uint64_t length = cim_stream_length(desc), faults = c->faults;
	struct cim_data data;
	bool ask = true;

	if (desc & ~CIM_STREAM_KNOWN)
		cim_check_report(c, CIM_NOTE, what, offset, "reserved bits of the stream are set");
	if (type > CIM_STREAM_PE_IMAGE)
		cim_check_report(c, CIM_ERROR, what, offset, "unknown stream type %u", type);
	else if (type == CIM_STREAM_LINK_TABLE)
		cim_check_report(c, CIM_ERROR, what, offset,
				 "an alternate stream can't be a link table");
	else if (type == CIM_STREAM_PE_IMAGE && desc & CIM_STREAM_SPARSE)
		cim_check_report(c, CIM_ERROR, what, offset, "a PE image can't be sparse");
	else if (type == CIM_STREAM_PE_IMAGE)
		ask = check_pe(c, offset, base, length);
	else if (!(desc & CIM_STREAM_SPARSE))
		check_plain(c, offset, length);
	else if (offset && !is_place(c, offset))
		/* Like one of length 0 it may name a place, where nothing of it is. */
		cim_check_report(c, CIM_NOTE, what, offset,
				 "a sparse stream whose offset names no place");
	/* What the reader refuses is an error in any case. */
	if (ask && c->faults == faults && !c->status)
		cim_check_try(c, cim_data_from_stream(c->image, offset, desc, base, &data, &c->why),
			      what, offset, "it can't be read");
}

static void check_entry(struct cim_check *c, const struct cim_link_table *table, uint32_t index)
{
	static const char what[] = "stream table";
	struct cim_link link;
	enum cim_status status = cim_link_table_name(table, index, &link, &c->why);
	size_t len;

	if (status == CIM_E_CORRUPT)
		return; /* cim_check_links() has reported it */
	if (!cim_check_try(c, status, what, table->offset, "it can't be read"))
		return;
	len = cim_check_push(c, ':', link.name, link.units);
	status = cim_link_table_get(table, index, &link, &c->why);
	if (cim_check_try(c, status, what, table->offset, "the stream"))
		check_stream(c, link.stream_offset, link.stream_desc, link.base);
	cim_check_pop(c, len);
	cim_check_tick(c);
}

static void check_each_stream(struct cim_check *c, const struct cim_link_table *table)
{
	for (uint32_t i = 0; i < table->count && !c->status; i++)
		check_entry(c, table, i);
}

static void check_streams(struct cim_check *c, const struct cim_record *record)
{
	static const char what[] = "stream table";
	const uint64_t faults = c->faults;
	struct cim_link_table table;
	uint32_t number;
	bool directories;
	enum cim_status status;

	if (!record->streams || !cim_check_place(c, what, record->streams, 8, true))
		return;
	status = cim_link_table_of_streams(c->image, record, &table, &c->why);
	if (!cim_check_try(c, status, what, record->streams, "it can't be read"))
		return;
	cim_check_digest(c, what, record->streams, true);
	if (!cim_check_table_first(c, &table, what, &directories, &number))
		return;
	if (cim_check_spend(c, what, table.offset, table.length) &&
	    cim_check_links(c, &table, what))
		check_each_stream(c, &table);
	cim_check_judge(c, number, faults);
}

/* ---- descriptor, EAs, reparse data ---- */

/* Read an object with its length in front into c->buf. */
static bool read_blob(struct cim_check *c, const char *structure, uint64_t offset, size_t *size)
{
	if (!cim_check_place(c, structure, offset, 2, true) ||
	    !cim_check_read(c, structure, offset, 0, c->buf, 2))
		return false;
	*size = cim_get16(c->buf);
	if (!cim_check_place(c, structure, offset, 2 + (uint64_t)*size, true))
		return false;
	cim_check_digest(c, structure, offset, true);
	return cim_check_spend(c, structure, offset, 2 + *size) &&
	       (!*size || cim_check_read(c, structure, offset, 2, c->buf, *size));
}

static void check_security(struct cim_check *c, uint64_t offset)
{
	static const char what[] = "security descriptor";
	const uint64_t faults = c->faults;
	uint32_t number;
	size_t size;

	if (!offset || !cim_check_first(c, CIM_CHECK_SECURITY, what, offset, 0, 0, &number))
		return;
	if (read_blob(c, what, offset, &size) && !cim_sd_valid(c->buf, size))
		cim_check_report(c, CIM_ERROR, what, offset,
				 "not a valid self-relative security descriptor (%u bytes)",
				 (unsigned)size);
	cim_check_judge(c, number, faults);
}

/* EAs that there are. */
static void check_ea_bytes(struct cim_check *c, const struct cim_record *record)
{
	static const char what[] = "extended attributes";
	const uint16_t length = record->ea_length;
	const uint64_t faults = c->faults;
	uint32_t number;

	if (!cim_check_first(c, CIM_CHECK_EA, what, record->ea, length, 0, &number))
		return;
	if (cim_check_place(c, what, record->ea, length, true)) {
		cim_check_digest(c, what, record->ea, true);
		if (cim_check_spend(c, what, record->ea, length) &&
		    cim_check_read(c, what, record->ea, 0, c->buf, length) &&
		    !cim_ea_valid(c->buf, length))
			cim_check_report(c, CIM_ERROR, what, record->ea,
					 "not a valid chain of extended attributes (%u bytes)",
					 length);
	}
	cim_check_judge(c, number, faults);
}

static void check_ea(struct cim_check *c, const struct cim_record *record)
{
	static const char what[] = "extended attributes";

	if (!record->ea && record->ea_length) {
		cim_check_report(c, CIM_ERROR, what, 0, "%u bytes of them but no offset",
				 record->ea_length);
	} else if (record->ea && !record->ea_length) {
		cim_check_report(c, CIM_NOTE, what, record->ea, "an offset, but 0 bytes");
	} else if (record->ea) {
		check_ea_bytes(c, record);
	}
}

static void check_reparse(struct cim_check *c, const struct cim_record *record)
{
	static const char what[] = "reparse data";
	const uint64_t faults = c->faults;
	uint32_t number;
	size_t size;

	if (!record->reparse) {
		if (record->reparse_tag)
			cim_check_report(c, CIM_WARNING, what, 0,
					 "the record has tag 0x%08X but no reparse data",
					 (unsigned)record->reparse_tag);
		return;
	}
	if (!cim_check_first(c, CIM_CHECK_REPARSE, what, record->reparse, record->reparse_tag, 0,
			     &number))
		return;
	if (!read_blob(c, what, record->reparse, &size))
		; /* reported */
	else if (!cim_reparse_valid(c->buf, size))
		cim_check_report(c, CIM_ERROR, what, record->reparse,
				 "not a valid reparse buffer (%u bytes)", (unsigned)size);
	else if (cim_get32(c->buf) != record->reparse_tag)
		cim_check_report(c, CIM_ERROR, what, record->reparse,
				 "tag 0x%08X, the record says 0x%08X", (unsigned)cim_get32(c->buf),
				 (unsigned)record->reparse_tag);
	cim_check_judge(c, number, faults);
}

/* ---- the record ---- */

/* A directory's parent is the one directory that has it; a file's may be any that once had it. */
static void check_parent(struct cim_check *c, uint64_t offset, uint32_t dir_id,
			 const struct cim_record *record)
{
	if (cim_record_is_dir(record) && record->parent_id != dir_id)
		cim_check_report(c, CIM_ERROR, "file record", offset,
				 "wrong parent: FileID %u, the directory is in %u",
				 (unsigned)record->parent_id, (unsigned)dir_id);
}

void cim_check_record(struct cim_check *c, uint32_t file_id, uint32_t dir_id,
		      const struct cim_record *record)
{
	static const char what[] = "file record";
	const uint32_t index = (file_id - 1) % CIM_FILES_PER_TABLE;
	struct cim_file_table table;
	uint64_t offset, faults;
	unsigned unknown;
	enum cim_status status;

	status = cim_image_file_table(c->image, (file_id - 1) / CIM_FILES_PER_TABLE, &table,
				      &c->why);
	if (!cim_check_try(c, status, what, 0, "it can't be read"))
		return;
	offset = table.offset + (uint64_t)index * table.entry_size;
	unknown = record->flags & ~KNOWN_FLAGS & 0xffffu & ~(c->image->marked ? CIM_FLAG_MARKS : 0);
	if (unknown)
		cim_check_report(c, CIM_NOTE, what, offset, "unknown flags 0x%04x", unknown);
	if (record->base_region && !c->image->info.source_count)
		cim_check_report(c, CIM_NOTE, what, offset,
				 "base region index %u, as of a merged image", record->base_region);
	if (record->reserved)
		cim_check_report(c, CIM_NOTE, what, offset, "reserved field is not zero");
	/* Fields that the table's entries don't have are zero, which here says nothing. */
	if (table.entry_size >= CIM_OFF(file, parent_id) + 4)
		check_parent(c, offset, dir_id, record);
	faults = c->faults;
	if (!cim_record_is_dir(record) && table.entry_size >= CIM_OFF(file, stream) + 16)
		check_stream(c, record->stream_offset, record->stream_desc, record->base_region);
	check_streams(c, record);
	cim_check_marks(c, offset, file_id, c->faults == faults, record);
	check_security(c, record->security);
	check_ea(c, record);
	check_reparse(c, record);
	cim_check_tick(c);
}
