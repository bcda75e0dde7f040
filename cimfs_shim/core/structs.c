/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * structs.c - visiting the structures of an image as they lie in its files
 *
 * For the person who debugs an image: each structure with its place, its fields and its bytes. The
 * order is the one in which one leads to the next: header, region sets, filesystem object, file
 * tables, then the tree, by the same walk that every reader uses, then what the walk didn't meet.
 *
 * An image that is to be debugged is often one that can't be opened. So nothing here waits for a
 * check: what a file holds is shown first, then the reader is asked for it, and what the reader
 * refuses is reported as broken, in its words. Then comes the next structure that something else
 * leads to. Only a failure of the system ends it all.
 *
 * Many items share a structure (a security descriptor above all); it is visited once. Structures
 * that overlap on purpose could keep a visit going without end all the same, so each costs what it
 * takes in its region file, out of the budget that all traversals have (budget.h); so does a report
 * of something broken, as the smallest would. The names of a link table take no more than the table
 * has bytes; those that overlap cost what they have.
 */
#include "structs.h"
#include "budget.h"
#include "header.h"
#include "idset.h"
#include "io.h"
#include "place.h"
#include "names.h"
#include "pathbuf.h"
#include "reader.h"
#include "regions.h"
#include "sized.h"

#include <string.h>

/* Of bytes that are read at once: the upcase table, or a counted blob, whole. */
#define BUFFER CIM_UPCASE_SIZE

static_assert(BUFFER >= CIM_MAX_BLOB + 2, "a blob fits in");

struct structs {
	struct cim_env env;
	struct cim_vfs vfs; /* env's */
	struct cim_structure_visitor visitor;
	struct cim_error *err;	/* the caller's */
	enum cim_status status; /* what ends it before its end */
	bool enough;		/* the budget is spent, and that was told */
	struct cim_error why;	/* of the last call that failed */
	uint64_t broken;
	uint8_t *buf; /* BUFFER bytes */

	struct cim_image *image;
	struct cim_budget *budget; /* once the image is open */
	char region_name[CIM_SET_FILE_NAME];
	uint32_t named_region;	  /* whose name that is */
	struct cim_path_buf path; /* of the item visited now */
	uint32_t file_id;

	struct cim_idset met;
};

/* A structure, and where its bytes come from: memory, a file, or else the image's region. Its file
 * and path are NULL for an object in a region: the region's file, the path of the current item. */
struct target {
	struct cim_structure pub;
	const uint8_t *bytes;
	cim_vfs_file *file;
};

static bool stopped(const struct structs *s)
{
	return s->status || s->enough;
}

/* The answer of one of the visitor's functions. */
static void heed(struct structs *s, int answer)
{
	if (answer && !s->status)
		s->status = cim_fail(s->err, CIM_E_ABORTED, "stopped by the caller");
}

static void no_memory(struct structs *s)
{
	if (!s->status)
		s->status = cim_no_memory(s->err);
}

/* What the visitor gets to see. */
static struct cim_structure public_of(struct structs *s, const struct target *t)
{
	struct cim_structure structure = t->pub;

	if (!structure.file) {
		if (s->named_region != structure.region)
			cim_region_name(s->image, structure.region, s->region_name);
		s->named_region = structure.region;
		structure.file = s->region_name;
	}
	if (!structure.path)
		structure.path = s->path.text;
	return structure;
}

static void report(struct structs *s, const struct target *t)
{
	struct cim_structure structure = public_of(s, t);

	structure.size = 0;
	s->broken++;
	if (s->visitor.broken)
		heed(s, s->visitor.broken(s->visitor.ctx, &structure, &s->why));
}

/* What is read from a file itself, from its beginning to its end, costs nothing. */
static bool spend(struct structs *s, const struct target *t, uint64_t bytes)
{

	const bool in_region = t->pub.region != CIM_NO_REGION && !t->pub.file;
	const uint64_t at = in_region ? cim_region_offset(t->pub.region, t->pub.offset) : 0;

	if (stopped(s))
		return false;
	if (!s->budget || t->bytes || t->file || cim_budget_take(s->budget, at, bytes))
		return true;
	cim_fail(&s->why, CIM_E_CORRUPT,
		 "its structures overlap: they are far more than its files can hold, the rest is "
		 "left out");
	report(s, t);
	s->enough = true;
	return false;
}

/* True if @status is CIM_OK. What is wrong with the image is reported; anything else is the
 * end. s->why has the cause. */
static bool fine(struct structs *s, const struct target *t, enum cim_status status)
{
	if (stopped(s))
		return false;
	if (!status)
		return true;
	if (status != CIM_E_CORRUPT && status != CIM_E_VERSION) {
		s->status = status;
		if (s->err)
			*s->err = s->why;
	} else if (spend(s, t, 0)) {
		report(s, t);
	}
	return false;
}

/* ---- where things are ---- */

/* An object in a region; belongs to the current item. */
static struct target object(struct structs *s, enum cim_structure_kind kind, uint64_t region_offset,
			    uint64_t size)
{
	struct target t = {.pub = {.kind = kind}};

	t.pub.region = cim_region_index(region_offset);
	t.pub.offset = cim_region_byte(region_offset);
	t.pub.size = size;
	t.pub.file_id = s->file_id;
	return t;
}

/* Something of a file that is no region's object. @name must stay. */
static struct target in_file(enum cim_structure_kind kind, const char *name, const uint8_t *bytes,
			     uint64_t size)
{
	struct target t = {.pub = {.kind = kind, .file = name, .path = ""}, .bytes = bytes};

	t.pub.region = CIM_NO_REGION;
	t.pub.size = size;
	return t;
}

static enum cim_status read_at(struct structs *s, cim_vfs_file *file, const char *name,
			       uint64_t offset, void *buf, size_t len)
{
	size_t got;
	enum cim_status status = cim_io_read(&s->env, file, name, offset, buf, len, &got, &s->why);

	if (!status && got < len)
		return cim_fail(&s->why, CIM_E_CORRUPT, "%s has become shorter", name);
	return status;
}

/* Bytes [skip, skip + len) of a structure. */
static bool get(struct structs *s, const struct target *t, uint64_t skip, void *buf, size_t len)
{
	enum cim_status status = CIM_OK;

	if (stopped(s))
		return false;
	if (t->bytes)
		memcpy(buf, t->bytes + t->pub.offset + skip, len);
	else if (t->file)
		status = read_at(s, t->file, t->pub.file, t->pub.offset + skip, buf, len);
	else
		status = cim_image_read_object(s->image,
					       cim_region_offset(t->pub.region, t->pub.offset),
					       skip, buf, len, &s->why);
	return fine(s, t, status);
}

/* ---- one structure ---- */

static void visit_field(struct structs *s, const struct target *t, const struct cim_field *field)
{
	struct cim_structure structure;

	if (!s->visitor.field || stopped(s))
		return;
	structure = public_of(s, t);
	heed(s, s->visitor.field(s->visitor.ctx, &structure, field));
}

/* The fields of @layout that lie within @len bytes, which are those at @at of the structure.
 * Returns how many bytes they take. */
static size_t visit_fields(struct structs *s, const struct target *t,
			   const struct cim_layout *layout, const uint8_t *bytes, size_t len,
			   uint64_t at, const uint32_t *index)
{
	size_t end = 0;

	for (size_t i = 0; i < layout->count; i++) {
		const struct cim_field_layout *f = &layout->fields[i];
		struct cim_field field;

		if ((size_t)f->offset + f->size > len)
			break;
		cim_field_decode(&field, f, bytes + f->offset);
		field.offset = at + f->offset;
		field.element = index != NULL;
		field.index = index ? *index : 0;
		visit_field(s, t, &field);
		end = (size_t)f->offset + f->size;
	}
	return end;
}

/* The structure itself and the fields in front, of which it may have only some. */
static uint64_t visit_head(struct structs *s, const struct target *t,
			   const struct cim_layout *layout)
{
	const struct cim_structure structure = public_of(s, t);
	const size_t len = t->pub.size < layout->size ? (size_t)t->pub.size : layout->size;

	if (!spend(s, t, t->pub.size))
		return 0;
	if (s->visitor.structure)
		heed(s, s->visitor.structure(s->visitor.ctx, &structure));
	if (!len || !get(s, t, 0, s->buf, len))
		return 0;
	return visit_fields(s, t, layout, s->buf, len, 0, NULL);
}

/* An array of @count elements, which all lie within the structure. */
static void visit_array(struct structs *s, const struct target *t, const struct cim_layout *layout,
			uint64_t at, uint64_t count)
{
	const size_t stride = layout->size;
	uint32_t index = 0;

	while (index < count && s->visitor.field && !stopped(s)) {
		uint64_t left = count - index;
		const size_t turn = left < BUFFER / stride ? (size_t)left : BUFFER / stride;

		if (!get(s, t, at, s->buf, turn * stride))
			return;
		for (size_t i = 0; i < turn; i++, index++, at += stride)
			visit_fields(s, t, layout, s->buf + i * stride, stride, at, &index);
	}
}

/* What is left of the structure from @at on, as bytes. */
static void visit_rest(struct structs *s, const struct target *t, const char *name, uint64_t at)
{
	while (at < t->pub.size && s->visitor.field && !stopped(s)) {
		const uint64_t left = t->pub.size - at;
		struct cim_field field = {.name = name, .type = CIM_FIELD_BYTES, .offset = at};

		field.len = left < BUFFER ? (size_t)left : BUFFER;
		field.size = field.len;
		field.bytes = s->buf;
		if (!get(s, t, at, s->buf, field.len))
			return;
		visit_field(s, t, &field);
		at += field.len;
	}
}

static void visit_bytes(struct structs *s, const struct target *t)
{
	const struct cim_structure structure = public_of(s, t);

	for (uint64_t at = 0; at < t->pub.size && s->visitor.bytes && !stopped(s);) {
		const uint64_t left = t->pub.size - at;
		const size_t len = left < BUFFER ? (size_t)left : BUFFER;

		if (!get(s, t, at, s->buf, len))
			return;
		heed(s, s->visitor.bytes(s->visitor.ctx, &structure, at, s->buf, len));
		at += len;
	}
}

/* A structure of a head, @count elements (NULL: none) and a rest. */
static void visit(struct structs *s, const struct target *t, const struct cim_layout *head,
		  const struct cim_layout *element, uint64_t count, const char *rest)
{
	uint64_t at = visit_head(s, t, head);

	if (element) {
		visit_array(s, t, element, at, count);
		at += count * element->size;
	}
	visit_rest(s, t, rest, at);
	visit_bytes(s, t);
}

static const struct cim_layout no_head;

/* ---- what was visited and met before ---- */

/* Is this the first time for the structure? @size also tells structures at one place apart. */
static bool first_time(struct structs *s, enum cim_structure_kind kind, uint64_t offset,
		       uint64_t size, uint16_t base)
{
	const struct cim_place find = cim_find(1u + kind, offset, size, base);
	uint32_t number;
	bool again;

	if (!offset)
		return true;
	if (cim_budget_find(s->budget, &find, &number, &again, NULL)) {
		no_memory(s);
		return false;
	}
	return !again;
}

/* Was a record met before? Now it is. */
static bool met_before(struct structs *s, uint32_t file_id)
{
	bool met;

	if (cim_idset_add(&s->met, file_id, &met, NULL))
		no_memory(s);
	return s->status || met;
}

/* ---- paths ---- */

/* Cut the path to @len bytes and add @text behind it. */
static bool set_path(struct structs *s, size_t len, char separator, const char *text)
{
	if (!cim_path_buf_set(&s->env, &s->path, len, separator, text, strlen(text))) {
		no_memory(s);
		return false;
	}
	return true;
}

static void no_item(struct structs *s)
{
	set_path(s, 0, 0, "");
	s->file_id = 0;
}

/* ---- what a record points to ---- */

static void visit_pe(struct structs *s, uint64_t offset)
{
	struct target t = object(s, CIM_STRUCT_PE_IMAGE, offset, CIM_SIZE(pe_image));
	uint8_t bytes[CIM_SIZE(pe_image)];
	uint64_t count, whole;

	/* Whatever is wrong here, the caller asks the reader for the stream. */
	if (cim_image_read_object(s->image, offset, 0, bytes, sizeof(bytes), &s->why))
		return;
	count = cim_get16(bytes + CIM_OFF(pe_image, mapping_count));
	whole = t.pub.size + count * CIM_SIZE(pe_mapping);
	if (!first_time(s, t.pub.kind, offset, whole, 0)) {
		spend(s, &t, whole); /* the caller goes through it again */
		return;
	}
	if (cim_image_check_range(s->image, offset, 0, whole, &s->why))
		count = 0;
	else
		t.pub.size = whole;
	visit(s, &t, &cim_layout_pe_image, &cim_layout_pe_mapping, count, "Rest");
}

/* @owner: the structure that the stream is described in. */
static void visit_stream(struct structs *s, const struct target *owner, uint64_t offset,
			 uint64_t desc, uint16_t base)
{
	struct cim_data data;
	struct target t = *owner;

	if (stopped(s))
		return;
	if (cim_stream_type(desc) == CIM_STREAM_PE_IMAGE && cim_stream_length(desc)) {
		/* What the reader says of it depends on how long the file is, too. */
		if (!first_time(s, CIM_STRUCT_FILE, offset, cim_stream_length(desc), base))
			return;
		visit_pe(s, offset);
		t = object(s, CIM_STRUCT_PE_IMAGE, offset, 0);
	}
	fine(s, &t, cim_data_from_stream(s->image, offset, desc, base, &data, &s->why));
}

/* Where the parts of a link table lie in the object it is in. */
struct link_places {
	uint64_t base; /* of the table */
	uint64_t values, offsets;
	uint64_t room; /* for names that don't overlap */
};

/* One link's value and name offset; *name_at: what that says. False: there is no more to be read.
 */
static bool visit_link(struct structs *s, const struct target *t,
		       const struct cim_link_table *table, const struct link_places *at, uint32_t i,
		       uint64_t *name_at)
{
	const bool streams = table->value_size == CIM_LINK_STREAM_SIZE;
	const struct cim_layout *value = streams ? &cim_layout_stream : &cim_layout_file_id;
	const uint64_t value_at = at->values + (uint64_t)i * table->value_size;
	const uint64_t offset_at = at->offsets + (uint64_t)i * CIM_NAME_OFFSET_SIZE;
	uint8_t bytes[CIM_LINK_STREAM_SIZE];

	if (!get(s, t, value_at, bytes, table->value_size))
		return false;
	visit_fields(s, t, value, bytes, table->value_size, value_at, &i);
	if (!get(s, t, offset_at, bytes, CIM_NAME_OFFSET_SIZE))
		return false;
	visit_fields(s, t, &cim_layout_name_offset, bytes, CIM_NAME_OFFSET_SIZE, offset_at, &i);
	*name_at = at->base + cim_get32(bytes);
	return true;
}

/* False: names overlap so much that this is enough. */
static bool visit_link_name(struct structs *s, const struct target *t, struct link_places *at,
			    uint32_t i, uint64_t name_at, const struct cim_link *link)
{
	char name[CIM_MAX_NAME_UTF8];
	struct cim_field field = {.name = "Name",
				  .type = CIM_FIELD_NAME,
				  .element = true,
				  .index = i,
				  .offset = name_at,
				  .size = 2 + 2 * link->units,
				  .bytes = name};

	if (field.size > at->room && !spend(s, t, field.size))
		return false;
	at->room -= field.size > at->room ? at->room : field.size;
	field.len = cim_utf8_from_utf16(link->name, link->units, name, sizeof(name));
	visit_field(s, t, &field);
	return true;
}

/* The links of a table, each with its value, its name's offset and its name. Returns what is wrong
 * with the first name that can't be read, *why has the cause. */
static enum cim_status visit_links(struct structs *s, const struct target *t,
				   const struct cim_link_table *table, struct cim_error *why)
{
	const uint64_t base = table->offset - cim_region_offset(t->pub.region, t->pub.offset);
	struct link_places at = {.base = base, .values = base + CIM_SIZE(link_table)};
	enum cim_status worst = CIM_OK;

	at.offsets = at.values + (uint64_t)table->count * table->value_size;
	at.room = base + table->length - at.offsets;
	for (uint32_t i = 0; i < table->count && !stopped(s); i++) {
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
static void visit_table(struct structs *s, struct target *t, const struct cim_link_table *table,
			enum cim_status status, bool walked)
{
	const struct cim_layout *head = &cim_layout_link_table;
	const uint64_t at = cim_region_offset(t->pub.region, t->pub.offset);
	struct cim_error why = s->why;

	if (status && status != CIM_E_CORRUPT) {
		fine(s, t, status);
		return;
	}
	if (!status && table->offset != at)
		head = &cim_layout_link_table_behind;
	t->pub.size = status ? head->size : table->offset - at + table->length;
	if (!status || !cim_image_check_range(s->image, at, 0, head->size, &s->why)) {
		visit_head(s, t, head);
		if (!status) {
			status = visit_links(s, t, table, &why);
			if (status == CIM_E_CORRUPT && walked)
				status = CIM_OK;
		}
		visit_bytes(s, t);
	}
	s->why = why;
	fine(s, t, status);
}

/* Returns whether a walk may go into the directory. */
static bool visit_directory(struct structs *s, const struct cim_record *record, bool walked)
{
	struct target t = object(s, CIM_STRUCT_LINK_TABLE, record->stream_offset, 0);
	struct cim_link_table table;
	enum cim_status status = cim_link_table_of_dir(s->image, record, &table, &s->why);

	if (!status && !table.offset)
		return true; /* an empty one needs no table */
	if (first_time(s, t.pub.kind, record->stream_offset, table.length, 0))
		visit_table(s, &t, &table, status, walked);
	else
		fine(s, &t, status);
	return !status;
}

/* Alternate streams, and what those have that are PE images. */
static void visit_streams(struct structs *s, const struct cim_record *record)
{
	const size_t path_len = s->path.len;
	struct cim_link_table table;
	struct target t;
	enum cim_status status;

	if (!record->streams)
		return;
	t = object(s, CIM_STRUCT_STREAM_TABLE, record->streams, 0);
	status = cim_link_table_of_streams(s->image, record, &table, &s->why);
	if (!first_time(s, t.pub.kind, record->streams, table.length, table.base)) {
		fine(s, &t, status);
		return;
	}
	visit_table(s, &t, &table, status, false);
	for (uint32_t i = 0; !status && i < table.count && !stopped(s); i++) {
		char name[CIM_MAX_NAME_UTF8];
		struct cim_link link;

		if (cim_link_table_get(&table, i, &link, &s->why))
			continue; /* reported above */
		cim_utf8_from_utf16(link.name, link.units, name, sizeof(name));
		/* An item that nothing leads to has no path, and so its streams have none. */
		if (path_len && !set_path(s, path_len, ':', name))
			return;
		t = object(s, CIM_STRUCT_STREAM_TABLE, record->streams, 0);
		visit_stream(s, &t, link.stream_offset, link.stream_desc, link.base);
		if (path_len && !stopped(s))
			set_path(s, path_len, 0, "");
	}
}

/* A u16 and as many bytes as it says. */
static void visit_counted(struct structs *s, enum cim_structure_kind kind, uint64_t offset,
			  const char *what)
{
	struct target t = object(s, kind, offset, cim_layout_counted.size);
	uint8_t length[2];
	uint64_t whole;

	if (!offset || !first_time(s, kind, offset, 0, 0) || !get(s, &t, 0, length, sizeof(length)))
		return;
	whole = t.pub.size + cim_get16(length);
	if (!cim_image_check_range(s->image, offset, 0, whole, &s->why))
		t.pub.size = whole;
	visit(s, &t, &cim_layout_counted, NULL, 0, what);
	if (t.pub.size != whole)
		fine(s, &t, cim_image_check_range(s->image, offset, 0, whole, &s->why));
}

static void visit_ea(struct structs *s, const struct cim_record *record)
{
	struct target t;

	if (!record->ea || !record->ea_length ||
	    !first_time(s, CIM_STRUCT_EA, record->ea, record->ea_length, 0))
		return;
	t = object(s, CIM_STRUCT_EA, record->ea, record->ea_length);
	if (fine(s, &t, cim_image_check_range(s->image, record->ea, 0, t.pub.size, &s->why)))
		visit(s, &t, &no_head, NULL, 0, "Ea");
}

/* ---- records ---- */

/* The record of s->file_id at s->path, with all that it points to. Returns whether a walk may go
 * into it. *status: of the record. */
static bool visit_item(struct structs *s, bool walked, enum cim_status *status)
{
	const uint32_t id = s->file_id;
	struct cim_file_table table;
	struct cim_record record;
	struct target t = in_file(CIM_STRUCT_FILE, "", NULL, 0);
	enum cim_status outside;

	t.pub.file_id = id;
	t.pub.path = s->path.text;
	*status = cim_image_record(s->image, id, &record, &s->why);
	if (!*status)
		*status = cim_image_file_table(s->image, (id - 1) / CIM_FILES_PER_TABLE, &table,
					       &s->why);
	if (*status)
		return fine(s, &t, *status);
	/* The record was read, so this sum is an offset in its region. */
	table.offset += (uint64_t)((id - 1) % CIM_FILES_PER_TABLE) * table.entry_size;
	t = object(s, CIM_STRUCT_FILE, table.offset, table.entry_size);
	/* The bytes that a reader skips may not be there. */
	outside = cim_image_check_range(s->image, table.offset, 0, table.entry_size, &s->why);
	if (outside && t.pub.size > CIM_SIZE(file))
		t.pub.size = CIM_SIZE(file);
	fine(s, &t, outside);
	visit(s, &t, &cim_layout_file, NULL, 0, "Rest");
	visit_counted(s, CIM_STRUCT_SECURITY, record.security, "SecurityDescriptor");
	visit_ea(s, &record);
	visit_counted(s, CIM_STRUCT_REPARSE, record.reparse, "ReparseData");
	visit_streams(s, &record);
	if (cim_record_is_dir(&record))
		return visit_directory(s, &record, walked);
	t = object(s, CIM_STRUCT_FILE, table.offset, 0);
	visit_stream(s, &t, record.stream_offset, record.stream_desc, record.base_region);
	return true;
}

/* One step of the walk failed: the path that the walk names is in s->why, in Windows' way. */
static void report_walk_failure(struct structs *s, enum cim_status status)
{
	struct target t;

	s->file_id = 0;
	if (!set_path(s, 0, '/', s->why.path[0] == '\\' ? s->why.path + 1 : s->why.path))
		return;
	for (size_t at = 0; at < s->path.len; at++)
		if (s->path.text[at] == '\\')
			s->path.text[at] = '/';
	t = in_file(CIM_STRUCT_LINK, "", NULL, 0);
	t.pub.path = s->path.text;
	fine(s, &t, status);
}

static void visit_tree(struct structs *s)
{
	const struct cim_walk_item *item;
	struct cim_walk *walk = NULL;
	enum cim_status status;

	status = cim_walk_open(s->image, s->image->info.root_id, &walk, &s->why);
	if (status)
		report_walk_failure(s, status);
	while (walk && !stopped(s)) {
		enum cim_status of_record;

		status = cim_walk_next(walk, &item, &s->why);
		if (status) {
			report_walk_failure(s, status);
			continue;
		}
		if (!item)
			break;
		/* A file with several names is visited by the first. */
		if (met_before(s, item->info->file_id) || !set_path(s, 0, '/', item->path))
			continue;
		s->file_id = item->info->file_id;
		if (!visit_item(s, true, &of_record))
			cim_walk_skip(walk);
	}
	cim_walk_close(walk);
}

/* The records that the walk didn't meet. */
static void visit_others(struct structs *s)
{
	const uint64_t last = (uint64_t)s->image->info.table_count * CIM_FILES_PER_TABLE;

	for (uint64_t id = 1; id <= last && id <= UINT32_MAX && !stopped(s);) {
		const uint32_t table = (uint32_t)((id - 1) / CIM_FILES_PER_TABLE);
		const uint64_t next = ((uint64_t)table + 1) * CIM_FILES_PER_TABLE + 1;
		struct cim_file_table entry = {0};
		struct target t;
		enum cim_status status;

		no_item(s);
		t = object(s, CIM_STRUCT_TABLE_DIRECTORY,
			   s->image->file_table_directory + table * CIM_SIZE(file_table), 0);
		status = cim_image_file_table(s->image, table, &entry, &s->why);
		fine(s, &t, status);
		for (uint32_t i = 0; i < entry.count && !status && !stopped(s); i++) {
			s->file_id = (uint32_t)(id + i);
			if (id + i <= UINT32_MAX && !cim_idset_has(&s->met, s->file_id))
				visit_item(s, false, &status);
		}
		id = next;
	}
	no_item(s);
}

/* ---- the filesystem object and what it points to ---- */

static void visit_upcase(struct structs *s)
{
	const uint64_t offset = s->image->upcase_offset;
	struct target t = object(s, CIM_STRUCT_UPCASE_TABLE, offset, CIM_UPCASE_SIZE);

	if (fine(s, &t, cim_image_check_range(s->image, offset, 0, t.pub.size, &s->why)))
		visit(s, &t, &no_head, NULL, 0, "UpcaseTable");
}

static void visit_tables(struct structs *s, bool root)
{
	const uint64_t count = s->image->info.table_count;
	struct target t = object(s, CIM_STRUCT_TABLE_DIRECTORY, s->image->file_table_directory,
				 count * CIM_SIZE(file_table));

	visit(s, &t, &no_head, &cim_layout_file_table, count, "");
	if (root)
		visit_tree(s);
	visit_others(s);
}

static void visit_filesystem(struct structs *s, uint64_t filesystem)
{
	struct target t = object(s, CIM_STRUCT_FILESYSTEM, filesystem, CIM_SIZE(filesystem));
	bool sound;

	if (!fine(s, &t,
		  cim_image_check_range(s->image, filesystem, 0, CIM_SIZE(filesystem), &s->why)))
		return;
	visit(s, &t, &cim_layout_filesystem, NULL, 0, "Rest");
	sound = fine(s, &t, cim_image_read_filesystem(s->image, filesystem, &s->why));
	if (stopped(s))
		return;
	/* A root that isn't there leaves the tables. */
	if (sound || !cim_image_check_range(
			     s->image, s->image->file_table_directory, 0,
			     (uint64_t)s->image->info.table_count * CIM_SIZE(file_table), &s->why))
		visit_tables(s, sound);
	visit_upcase(s);
}

/* ---- files ---- */

/* Up to BUFFER bytes from a file's beginning on. */
static bool read_front(struct structs *s, const struct target *t, cim_vfs_file *file, size_t most,
		       uint8_t *bytes, size_t *len, uint64_t *size)
{
	if (!fine(s, t, cim_io_size(&s->env, file, t->pub.file, size, &s->why)))
		return false;
	*len = *size < most ? (size_t)*size : most;
	return fine(s, t, read_at(s, file, t->pub.file, 0, bytes, *len));
}

/* A file beside the image, opened; false if it isn't there or can't be. */
static bool open_beside(struct structs *s, const struct target *t, cim_vfs_file **file)
{
	enum cim_status status = cim_open_beside(s->image, t->pub.file, file, &s->why);

	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND)
		return false;
	return fine(s, t, status);
}

static void visit_region_file(struct structs *s, const struct cim_region_set *set, uint32_t index)
{
	uint8_t bytes[CIM_SIZE(region_header)] = {0};
	char name[CIM_SET_FILE_NAME] = "";
	struct target t = in_file(CIM_STRUCT_REGION_HEADER, name, bytes, 0);
	struct cim_region_file *region;
	cim_vfs_file *file;
	uint64_t size = 0;
	size_t len = 0;

	cim_set_file_name(name, CIM_KIND_REGION, &set->guid, index);
	t.pub.region = set->first + index;
	if (open_beside(s, &t, &file)) {
		if (read_front(s, &t, file, sizeof(bytes), bytes, &len, &size)) {
			t.pub.size = len;
			visit(s, &t, &cim_layout_region_header, NULL, 0, "Rest");
		}
		cim_io_close(&s->env, file);
	}
	if (stopped(s))
		return;
	/* Whether it is any good is the reader's to say. */
	if (!fine(s, &t, cim_region_get(s->image, t.pub.region, &region, &s->why)))
		return;
	cim_region_put(s->image, region);
}

/* The entries of an object ID file whose header is @bytes. */
static void visit_object_ids(struct structs *s, const struct target *header, const uint8_t *bytes,
			     uint64_t size)
{
	const uint64_t offset = cim_get32(bytes + CIM_OFF(objectid_header, table_offset));
	const uint64_t count = cim_get32(bytes + CIM_OFF(objectid_header, count));
	struct target t = *header;
	enum cim_status status;

	status = cim_common_header_check(bytes, CIM_FILE_OBJECT_ID, t.pub.file, &s->why);
	if (!fine(s, &t, status))
		return;
	t.pub.kind = CIM_STRUCT_OBJECT_IDS;
	t.pub.offset = offset;
	t.pub.size = count * CIM_SIZE(objectid);
	t.bytes = NULL;
	if (!count)
		return;
	if (!cim_in_range(offset, t.pub.size, size)) {
		status = cim_fail(&s->why, CIM_E_CORRUPT,
				  "%s doesn't hold %llu bytes at offset %llu", t.pub.file,
				  (unsigned long long)t.pub.size, (unsigned long long)offset);
		fine(s, &t, status);
		return;
	}
	visit(s, &t, &no_head, &cim_layout_objectid, count, "");
}

static void visit_object_id_file(struct structs *s, const struct cim_region_set *set,
				 uint32_t index)
{
	uint8_t bytes[CIM_SIZE(objectid_header)] = {0};
	char name[CIM_SET_FILE_NAME] = "";
	struct target t = in_file(CIM_STRUCT_OBJECT_ID_HEADER, name, bytes, 0);
	cim_vfs_file *file;
	uint64_t size;
	size_t len;

	cim_set_file_name(name, CIM_KIND_OBJECT_ID, &set->guid, index);
	if (!open_beside(s, &t, &file))
		return;
	if (!read_front(s, &t, file, sizeof(bytes), bytes, &len, &size))
		goto close;
	t.pub.size = len;
	visit(s, &t, &cim_layout_objectid_header, NULL, 0, "Rest");
	t.file = file;
	if (len == sizeof(bytes))
		visit_object_ids(s, &t, bytes, size);
	else
		fine(s, &t,
		     cim_fail(&s->why, CIM_E_CORRUPT, "%s is shorter than its header", name));
close:
	cim_io_close(&s->env, file);
}

static void visit_regions(struct structs *s)
{
	for (uint32_t i = 0; i < s->image->info.set_count; i++) {
		const struct cim_region_set *set = &s->image->sets[i];

		for (uint32_t k = 0; k < set->count && !stopped(s); k++) {
			visit_region_file(s, set, k);
			if (!stopped(s))
				visit_object_id_file(s, set, k);
		}
	}
}

/* The filesystem file; what is wrong with it is for the reader to say. */
static void visit_image_bytes(struct structs *s, const char *name, const uint8_t *bytes, size_t len)
{
	struct target t = in_file(CIM_STRUCT_IMAGE_HEADER, name, bytes, len);
	uint64_t parents = 0, end = len;

	if (len >= CIM_SIZE(filesystem_header)) {
		const uint64_t fit = (len - CIM_SIZE(filesystem_header)) / CIM_SIZE(region_set);

		parents = cim_get16(bytes + CIM_OFF(filesystem_header, parent_count));
		if (parents > fit)
			parents = fit;
		end = CIM_SIZE(filesystem_header) + parents * CIM_SIZE(region_set);
	}
	t.pub.size = end;
	visit(s, &t, &cim_layout_image_header, &cim_layout_parent_set, parents, "Rest");
	if (end == len)
		return;
	t.pub.kind = CIM_STRUCT_TRAILER;
	t.pub.offset = end;
	t.pub.size = len - end;
	visit(s, &t, &no_head, NULL, 0, "Bytes");
}

static void visit_image_file(struct structs *s, cim_vfs_dir *dir, const char *name)
{
	const struct target t = in_file(CIM_STRUCT_IMAGE_HEADER, name, NULL, 0);
	uint8_t *bytes = NULL;
	cim_vfs_file *file;
	uint64_t size;
	size_t len;

	s->status = cim_io_open(&s->env, dir, name, CIM_VFS_READ, &file, s->err);
	if (s->status)
		return;
	bytes = cim_alloc(&s->env, CIM_MAX_FILESYSTEM_FILE);
	if (!bytes) {
		no_memory(s);
		goto close;
	}
	if (read_front(s, &t, file, CIM_MAX_FILESYSTEM_FILE, bytes, &len, &size))
		visit_image_bytes(s, name, bytes, len);
	cim_free(&s->env, bytes);
close:
	cim_io_close(&s->env, file);
}

static void visit_all(struct structs *s, cim_vfs_dir *dir, const char *name, const char *path)
{
	const struct target header = in_file(CIM_STRUCT_IMAGE_HEADER, name, NULL, 0);
	uint64_t filesystem;
	enum cim_status status;

	s->buf = cim_alloc(&s->env, BUFFER);
	if (!s->buf)
		no_memory(s);
	else
		no_item(s);
	if (!stopped(s))
		visit_image_file(s, dir, name);
	if (stopped(s))
		return;
	status = cim_image_open_header(&s->env, dir, name, path, &s->image, &filesystem, &s->why);
	if (!fine(s, &header, status) ||
	    !fine(s, &header, cim_budget_open(s->image, &s->budget, &s->why)))
		return;
	visit_regions(s);
	if (!stopped(s))
		visit_filesystem(s, filesystem);
}

static void clean_up(struct structs *s)
{
	cim_idset_free(&s->met);
	cim_budget_close(s->budget);
	cim_free(&s->env, s->path.text);
	cim_free(&s->env, s->buf);
	cim_image_close(s->image);
}

enum cim_status cim_structures_visit(const struct cim_env *env, const char *path,
				     const struct cim_structure_visitor *visitor, uint64_t *broken,
				     struct cim_error *err)
{
	static const char op[] = "visit structures";
	struct structs s = {
		.err = err,
		.named_region = CIM_NO_REGION,
	};
	cim_vfs_dir *dir;
	const char *name;
	enum cim_status status;

	if (broken)
		*broken = 0;
	if (CIM_ANY_NULL(err, op, path, visitor))
		return CIM_E_POINTER;
	status = cim_take_env(&s.env, &s.vfs, env, err);
	if (!status)
		status = cim_take_sized(&s.visitor, sizeof(s.visitor), CIM_LEAST_VISITOR, visitor,
					"the visitor", err);
	if (!status)
		status = cim_place_of(&s.env, &s.vfs, path, NULL, &dir, &name, err);
	if (status)
		return cim_error_where(err, status, op, path);
	cim_idset_init(&s.met, &s.env);
	visit_all(&s, dir, name, path);
	clean_up(&s);
	cim_io_close_dir(&s.env, dir);
	if (broken)
		*broken = s.broken;
	return cim_error_where(err, s.status, op, path);
}
