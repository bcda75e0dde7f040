/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * structitem.c - visiting a file record, and the structures that it leads to
 *
 * The names of a link table take no more than the table has bytes; those that overlap cost what
 * they have.
 */
#include "structshow.h"

#include <string.h>

/* Is this the first time for the structure? @size also tells structures at one place apart. */
static bool first_time(struct cim_structs *s, enum cim_structure_kind kind, uint64_t offset,
		       uint64_t size, uint16_t base)
{
	const struct cim_place find = cim_find(1u + kind, offset, size, base);
	uint32_t number;
	bool again;

	if (!offset)
		return true;
	if (cim_budget_find(s->budget, &find, &number, &again, NULL)) {
		cim_structs_no_memory(s);
		return false;
	}
	return !again;
}

/* ---- what a record points to ---- */

static void visit_pe(struct cim_structs *s, uint64_t offset)
{
	struct cim_struct_target t = cim_structs_object(s, CIM_STRUCT_PE_IMAGE, offset,
							CIM_SIZE(pe_image));
	uint8_t bytes[CIM_SIZE(pe_image)];
	uint64_t count, whole;

	/* Whatever is wrong here, the caller asks the reader for the stream. */
	if (cim_image_read_object(s->image, offset, 0, bytes, sizeof(bytes), &s->why))
		return;
	count = cim_get16(bytes + CIM_OFF(pe_image, mapping_count));
	whole = t.pub.size + count * CIM_SIZE(pe_mapping);
	if (!first_time(s, t.pub.kind, offset, whole, 0)) {
		cim_structs_spend(s, &t, whole); /* the caller goes through it again */
		return;
	}
	if (cim_image_check_range(s->image, offset, 0, whole, &s->why))
		count = 0;
	else
		t.pub.size = whole;
	cim_structs_visit(s, &t, &cim_layout_pe_image, &cim_layout_pe_mapping, count, "Rest");
}

/* @owner: the structure that the stream is described in. */
static void visit_stream(struct cim_structs *s, const struct cim_struct_target *owner,
			 uint64_t offset, uint64_t desc, uint16_t base)
{
	struct cim_data data;
	struct cim_struct_target t = *owner;

	if (cim_structs_stopped(s))
		return;
	if (cim_stream_type(desc) == CIM_STREAM_PE_IMAGE && cim_stream_length(desc)) {
		/* What the reader says of it depends on how long the file is, too. */
		if (!first_time(s, CIM_STRUCT_FILE, offset, cim_stream_length(desc), base))
			return;
		visit_pe(s, offset);
		t = cim_structs_object(s, CIM_STRUCT_PE_IMAGE, offset, 0);
	}
	cim_structs_fine(s, &t, cim_data_from_stream(s->image, offset, desc, base, &data, &s->why));
}

/* Where the parts of a link table lie in the object it is in. */
struct link_places {
	uint64_t base; /* of the table */
	uint64_t values, offsets;
	uint64_t room; /* for names that don't overlap */
};

/* One link's value and name offset; *name_at: what that says. False: there is no more to be read.
 */
static bool visit_link(struct cim_structs *s, const struct cim_struct_target *t,
		       const struct cim_link_table *table, const struct link_places *at, uint32_t i,
		       uint64_t *name_at)
{
	const bool streams = table->value_size == CIM_LINK_STREAM_SIZE;
	const struct cim_layout *value = streams ? &cim_layout_stream : &cim_layout_file_id;
	const uint64_t value_at = at->values + (uint64_t)i * table->value_size;
	const uint64_t offset_at = at->offsets + (uint64_t)i * CIM_NAME_OFFSET_SIZE;
	uint8_t bytes[CIM_LINK_STREAM_SIZE];

	if (!cim_structs_get(s, t, value_at, bytes, table->value_size))
		return false;
	cim_structs_visit_fields(s, t, value, bytes, table->value_size, value_at, &i);
	if (!cim_structs_get(s, t, offset_at, bytes, CIM_NAME_OFFSET_SIZE))
		return false;
	cim_structs_visit_fields(s, t, &cim_layout_name_offset, bytes, CIM_NAME_OFFSET_SIZE,
				 offset_at, &i);
	*name_at = at->base + cim_get32(bytes);
	return true;
}

/* False: names overlap so much that this is enough. */
static bool visit_link_name(struct cim_structs *s, const struct cim_struct_target *t,
			    struct link_places *at, uint32_t i, uint64_t name_at,
			    const struct cim_link *link)
{
	char name[CIM_MAX_NAME_UTF8];
	struct cim_field field = {.name = "Name",
				  .type = CIM_FIELD_NAME,
				  .element = true,
				  .index = i,
				  .offset = name_at,
				  .size = 2 + 2 * link->units,
				  .bytes = name};

	if (field.size > at->room && !cim_structs_spend(s, t, field.size))
		return false;
	at->room -= field.size > at->room ? at->room : field.size;
	field.len = cim_utf8_from_utf16(link->name, link->units, name, sizeof(name));
	cim_structs_visit_field(s, t, &field);
	return true;
}

/* The links of a table, each with its value, its name's offset and its name. Returns what is wrong
 * with the first name that can't be read, *why has the cause. */
static enum cim_status visit_links(struct cim_structs *s, const struct cim_struct_target *t,
				   const struct cim_link_table *table, struct cim_error *why)
{
	const uint64_t base = table->offset - cim_region_offset(t->pub.region, t->pub.offset);
	struct link_places at = {.base = base, .values = base + CIM_SIZE(link_table)};
	enum cim_status worst = CIM_OK;

	at.offsets = at.values + (uint64_t)table->count * table->value_size;
	at.room = base + table->length - at.offsets;
	for (uint32_t i = 0; i < table->count && !cim_structs_stopped(s); i++) {
		struct cim_link link;
		uint64_t name_at;
		enum cim_status status;

		if (!visit_link(s, t, table, &at, i, &name_at))
			break;
		status = cim_link_table_get(table, i, &link, &s->why);
		if (status) {
			if (!worst)
				*why = s->why;
			worst = worst ? worst : status;
		} else if (!visit_link_name(s, t, &at, i, name_at, &link)) {
			break;
		}
	}
	return worst;
}

/* A link table, also one that the reader refuses: of that, what is in front, and why. @walked: a
 * walk is about to go through it, and will report names that can't be read. */
static void visit_table(struct cim_structs *s, struct cim_struct_target *t,
			const struct cim_link_table *table, enum cim_status status, bool walked)
{
	const struct cim_layout *head = &cim_layout_link_table;
	const uint64_t at = cim_region_offset(t->pub.region, t->pub.offset);
	struct cim_error why = s->why;

	if (status && status != CIM_E_CORRUPT) {
		cim_structs_fine(s, t, status);
		return;
	}
	if (!status && table->offset != at)
		head = &cim_layout_link_table_behind;
	t->pub.size = status ? head->size : table->offset - at + table->length;
	if (!status || !cim_image_check_range(s->image, at, 0, head->size, &s->why)) {
		cim_structs_visit_head(s, t, head);
		if (!status) {
			status = visit_links(s, t, table, &why);
			if (status == CIM_E_CORRUPT && walked)
				status = CIM_OK;
		}
		cim_structs_visit_bytes(s, t);
	}
	s->why = why;
	cim_structs_fine(s, t, status);
}

/* Returns whether a walk may go into the directory. */
static bool visit_directory(struct cim_structs *s, const struct cim_record *record, bool walked)
{
	struct cim_struct_target t = cim_structs_object(s, CIM_STRUCT_LINK_TABLE,
							record->stream_offset, 0);
	struct cim_link_table table;
	enum cim_status status = cim_link_table_of_dir(s->image, record, &table, &s->why);

	if (!status && !table.offset)
		return true; /* an empty one needs no table */
	if (first_time(s, t.pub.kind, record->stream_offset, table.length, 0))
		visit_table(s, &t, &table, status, walked);
	else
		cim_structs_fine(s, &t, status);
	return !status;
}

/* Alternate streams, and what those have that are PE images. */
static void visit_streams(struct cim_structs *s, const struct cim_record *record)
{
	const size_t path_len = s->path.len;
	struct cim_link_table table;
	struct cim_struct_target t;
	enum cim_status status;

	if (!record->streams)
		return;
	t = cim_structs_object(s, CIM_STRUCT_STREAM_TABLE, record->streams, 0);
	status = cim_link_table_of_streams(s->image, record, &table, &s->why);
	if (!first_time(s, t.pub.kind, record->streams, table.length, table.base)) {
		cim_structs_fine(s, &t, status);
		return;
	}
	visit_table(s, &t, &table, status, false);
	for (uint32_t i = 0; !status && i < table.count && !cim_structs_stopped(s); i++) {
		char name[CIM_MAX_NAME_UTF8];
		struct cim_link link;

		if (cim_link_table_get(&table, i, &link, &s->why))
			continue; /* reported above */
		cim_utf8_from_utf16(link.name, link.units, name, sizeof(name));
		/* An item that nothing leads to has no path, and so its streams have none. */
		if (path_len && !cim_structs_set_path(s, path_len, ':', name))
			return;
		t = cim_structs_object(s, CIM_STRUCT_STREAM_TABLE, record->streams, 0);
		visit_stream(s, &t, link.stream_offset, link.stream_desc, link.base);
		if (path_len && !cim_structs_stopped(s))
			cim_structs_set_path(s, path_len, 0, "");
	}
}

/* A u16 and as many bytes as it says. */
static void visit_counted(struct cim_structs *s, enum cim_structure_kind kind, uint64_t offset,
			  const char *what)
{
	struct cim_struct_target t = cim_structs_object(s, kind, offset, cim_layout_counted.size);
	uint8_t length[2];
	uint64_t whole;

	if (!offset || !first_time(s, kind, offset, 0, 0) ||
	    !cim_structs_get(s, &t, 0, length, sizeof(length)))
		return;
	whole = t.pub.size + cim_get16(length);
	if (!cim_image_check_range(s->image, offset, 0, whole, &s->why))
		t.pub.size = whole;
	cim_structs_visit(s, &t, &cim_layout_counted, NULL, 0, what);
	if (t.pub.size != whole)
		cim_structs_fine(s, &t, cim_image_check_range(s->image, offset, 0, whole, &s->why));
}

static void visit_ea(struct cim_structs *s, const struct cim_record *record)
{
	struct cim_struct_target t;

	if (!record->ea || !record->ea_length ||
	    !first_time(s, CIM_STRUCT_EA, record->ea, record->ea_length, 0))
		return;
	t = cim_structs_object(s, CIM_STRUCT_EA, record->ea, record->ea_length);
	if (cim_structs_fine(s, &t,
			     cim_image_check_range(s->image, record->ea, 0, t.pub.size, &s->why)))
		cim_structs_visit(s, &t, &cim_layout_none, NULL, 0, "Ea");
}

/* ---- records ---- */

bool cim_structs_visit_item(struct cim_structs *s, bool walked, enum cim_status *status)
{
	const uint32_t id = s->file_id;
	struct cim_file_table table;
	struct cim_record record;
	struct cim_struct_target t = cim_structs_in_file(CIM_STRUCT_FILE, "", NULL, 0);
	enum cim_status outside;

	t.pub.file_id = id;
	t.pub.path = s->path.text;
	*status = cim_image_record(s->image, id, &record, &s->why);
	if (!*status)
		*status = cim_image_file_table(s->image, (id - 1) / CIM_FILES_PER_TABLE, &table,
					       &s->why);
	if (*status)
		return cim_structs_fine(s, &t, *status);
	/* The record was read, so this sum is an offset in its region. */
	table.offset += (uint64_t)((id - 1) % CIM_FILES_PER_TABLE) * table.entry_size;
	t = cim_structs_object(s, CIM_STRUCT_FILE, table.offset, table.entry_size);
	/* The bytes that a reader skips may not be there. */
	outside = cim_image_check_range(s->image, table.offset, 0, table.entry_size, &s->why);
	if (outside && t.pub.size > CIM_SIZE(file))
		t.pub.size = CIM_SIZE(file);
	cim_structs_fine(s, &t, outside);
	cim_structs_visit(s, &t, &cim_layout_file, NULL, 0, "Rest");
	visit_counted(s, CIM_STRUCT_SECURITY, record.security, "SecurityDescriptor");
	visit_ea(s, &record);
	visit_counted(s, CIM_STRUCT_REPARSE, record.reparse, "ReparseData");
	visit_streams(s, &record);
	if (cim_record_is_dir(&record))
		return visit_directory(s, &record, walked);
	t = cim_structs_object(s, CIM_STRUCT_FILE, table.offset, 0);
	visit_stream(s, &t, record.stream_offset, record.stream_desc, record.base_region);
	return true;
}
