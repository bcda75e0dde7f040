/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * structshow.c - showing one structure: its place, its fields, its bytes, or what is wrong with it
 *
 * What a visit shows costs what it takes in its region file, out of the budget that all traversals
 * have (budget.h); so does a report of something broken, as the smallest would.
 */
#include "structshow.h"
#include "io.h"
#include "names.h"
#include "regions.h"

#include <string.h>

bool cim_structs_stopped(const struct cim_structs *s)
{
	return s->status || s->enough;
}

/* The answer of one of the visitor's functions. */
static void heed(struct cim_structs *s, int answer)
{
	if (answer && !s->status)
		s->status = cim_fail(s->err, CIM_E_ABORTED, "stopped by the caller");
}

void cim_structs_no_memory(struct cim_structs *s)
{
	if (!s->status)
		s->status = cim_no_memory(s->err);
}

/* What the visitor gets to see. */
static struct cim_structure public_of(struct cim_structs *s, const struct cim_struct_target *t)
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

static void report(struct cim_structs *s, const struct cim_struct_target *t)
{
	struct cim_structure structure = public_of(s, t);

	structure.size = 0;
	s->broken++;
	if (s->visitor.broken)
		heed(s, s->visitor.broken(s->visitor.ctx, &structure, &s->why));
}

bool cim_structs_spend(struct cim_structs *s, const struct cim_struct_target *t, uint64_t bytes)
{

	const bool in_region = t->pub.region != CIM_NO_REGION && !t->pub.file;
	const uint64_t at = in_region ? cim_region_offset(t->pub.region, t->pub.offset) : 0;

	if (cim_structs_stopped(s))
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

bool cim_structs_fine(struct cim_structs *s, const struct cim_struct_target *t,
		      enum cim_status status)
{
	if (cim_structs_stopped(s))
		return false;
	if (!status)
		return true;
	if (status != CIM_E_CORRUPT && status != CIM_E_VERSION) {
		s->status = status;
		if (s->err)
			*s->err = s->why;
	} else if (cim_structs_spend(s, t, 0)) {
		report(s, t);
	}
	return false;
}

/* ---- where things are ---- */

struct cim_struct_target cim_structs_object(struct cim_structs *s, enum cim_structure_kind kind,
					    uint64_t region_offset, uint64_t size)
{
	struct cim_struct_target t = {.pub = {.kind = kind}};

	t.pub.region = cim_region_index(region_offset);
	t.pub.offset = cim_region_byte(region_offset);
	t.pub.size = size;
	t.pub.file_id = s->file_id;
	return t;
}

struct cim_struct_target cim_structs_in_file(enum cim_structure_kind kind, const char *name,
					     const uint8_t *bytes, uint64_t size)
{
	struct cim_struct_target t = {.pub = {.kind = kind, .file = name, .path = ""},
				      .bytes = bytes};

	t.pub.region = CIM_NO_REGION;
	t.pub.size = size;
	return t;
}

enum cim_status cim_structs_read_at(struct cim_structs *s, cim_vfs_file *file, const char *name,
				    uint64_t offset, void *buf, size_t len)
{
	size_t got;
	enum cim_status status = cim_io_read(&s->env, file, name, offset, buf, len, &got, &s->why);

	if (!status && got < len)
		return cim_fail(&s->why, CIM_E_CORRUPT, "%s has become shorter", name);
	return status;
}

bool cim_structs_get(struct cim_structs *s, const struct cim_struct_target *t, uint64_t skip,
		     void *buf, size_t len)
{
	enum cim_status status = CIM_OK;

	if (cim_structs_stopped(s))
		return false;
	if (t->bytes)
		memcpy(buf, t->bytes + t->pub.offset + skip, len);
	else if (t->file)
		status = cim_structs_read_at(s, t->file, t->pub.file, t->pub.offset + skip, buf,
					     len);
	else
		status = cim_image_read_object(s->image,
					       cim_region_offset(t->pub.region, t->pub.offset),
					       skip, buf, len, &s->why);
	return cim_structs_fine(s, t, status);
}

/* ---- one structure ---- */

void cim_structs_visit_field(struct cim_structs *s, const struct cim_struct_target *t,
			     const struct cim_field *field)
{
	struct cim_structure structure;

	if (!s->visitor.field || cim_structs_stopped(s))
		return;
	structure = public_of(s, t);
	heed(s, s->visitor.field(s->visitor.ctx, &structure, field));
}

size_t cim_structs_visit_fields(struct cim_structs *s, const struct cim_struct_target *t,
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
		cim_structs_visit_field(s, t, &field);
		end = (size_t)f->offset + f->size;
	}
	return end;
}

uint64_t cim_structs_visit_head(struct cim_structs *s, const struct cim_struct_target *t,
				const struct cim_layout *layout)
{
	const struct cim_structure structure = public_of(s, t);
	const size_t len = t->pub.size < layout->size ? (size_t)t->pub.size : layout->size;

	if (!cim_structs_spend(s, t, t->pub.size))
		return 0;
	if (s->visitor.structure)
		heed(s, s->visitor.structure(s->visitor.ctx, &structure));
	if (!len || !cim_structs_get(s, t, 0, s->buf, len))
		return 0;
	return cim_structs_visit_fields(s, t, layout, s->buf, len, 0, NULL);
}

/* An array of @count elements, which all lie within the structure. */
static void visit_array(struct cim_structs *s, const struct cim_struct_target *t,
			const struct cim_layout *layout, uint64_t at, uint64_t count)
{
	const size_t stride = layout->size;
	uint32_t index = 0;

	while (index < count && s->visitor.field && !cim_structs_stopped(s)) {
		uint64_t left = count - index;
		const size_t turn = left < CIM_STRUCTS_BUFFER / stride
					    ? (size_t)left
					    : CIM_STRUCTS_BUFFER / stride;

		if (!cim_structs_get(s, t, at, s->buf, turn * stride))
			return;
		for (size_t i = 0; i < turn; i++, index++, at += stride)
			cim_structs_visit_fields(s, t, layout, s->buf + i * stride, stride, at,
						 &index);
	}
}

/* What is left of the structure from @at on, as bytes. */
static void visit_rest(struct cim_structs *s, const struct cim_struct_target *t, const char *name,
		       uint64_t at)
{
	while (at < t->pub.size && s->visitor.field && !cim_structs_stopped(s)) {
		const uint64_t left = t->pub.size - at;
		struct cim_field field = {.name = name, .type = CIM_FIELD_BYTES, .offset = at};

		field.len = left < CIM_STRUCTS_BUFFER ? (size_t)left : CIM_STRUCTS_BUFFER;
		field.size = field.len;
		field.bytes = s->buf;
		if (!cim_structs_get(s, t, at, s->buf, field.len))
			return;
		cim_structs_visit_field(s, t, &field);
		at += field.len;
	}
}

void cim_structs_visit_bytes(struct cim_structs *s, const struct cim_struct_target *t)
{
	const struct cim_structure structure = public_of(s, t);

	for (uint64_t at = 0; at < t->pub.size && s->visitor.bytes && !cim_structs_stopped(s);) {
		const uint64_t left = t->pub.size - at;
		const size_t len = left < CIM_STRUCTS_BUFFER ? (size_t)left : CIM_STRUCTS_BUFFER;

		if (!cim_structs_get(s, t, at, s->buf, len))
			return;
		heed(s, s->visitor.bytes(s->visitor.ctx, &structure, at, s->buf, len));
		at += len;
	}
}

void cim_structs_visit(struct cim_structs *s, const struct cim_struct_target *t,
		       const struct cim_layout *head, const struct cim_layout *element,
		       uint64_t count, const char *rest)
{
	uint64_t at = cim_structs_visit_head(s, t, head);

	if (element) {
		visit_array(s, t, element, at, count);
		at += count * element->size;
	}
	visit_rest(s, t, rest, at);
	cim_structs_visit_bytes(s, t);
}

/* ---- the current item ---- */

bool cim_structs_set_path(struct cim_structs *s, size_t len, char separator, const char *text)
{
	if (!cim_path_buf_set(&s->env, &s->path, len, separator, text, strlen(text))) {
		cim_structs_no_memory(s);
		return false;
	}
	return true;
}
