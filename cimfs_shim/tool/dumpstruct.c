/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dumpstruct.c - cimtool dump --struct and --raw: an image's structures as they lie in its files
 *
 * The library finds the structures and takes them apart (cim_structures_visit()); here they become
 * text. Each begins with a line that says what it is, whose, and where; below it, indented, stand
 * its fields, or its bytes. A place in a region is written REGION:OFFSET everywhere, where a
 * structure is and where a field points to one, so that a search for it finds both. Nothing in the
 * text depends on anything but the image, so two of them can be compared by diff.
 */
#include "libcim_debug.h"
#include "tool.h"

#define HEX_LINE 16u
#define INLINE	 32u /* bytes that are shown behind a field's name */
/* More than the name of an item and that of its stream. */
#define LONG_PATH 2048u

struct printer {
	struct tool *t;
	struct text line;
	bool in_element; /* the line being built is of element `index` */
	uint32_t index;
	unsigned long errors;
	struct cim_error first;
	char *first_path;
};

/* ---- pieces of text ---- */

/* Returns what stops the visit: nobody reads what is printed. */
static int put_line(struct printer *p)
{
	text_puts(&p->line, "\n");
	tool_out(p->t, p->line.s, p->line.len);
	text_cut(&p->line, 0);
	return ferror(stdout);
}

/* End the line of an array's element, if one is being built. */
static int end_element(struct printer *p)
{
	if (!p->in_element)
		return 0;
	p->in_element = false;
	return put_line(p);
}

static void put_place(struct text *line, const struct cim_structure *s)
{
	if (s->region == CIM_NO_REGION)
		text_printf(line, "0x%llx of %s", (unsigned long long)s->offset, s->file);
	else
		text_printf(line, "%u:0x%llx", s->region, (unsigned long long)s->offset);
}

/* The path to be shown, or its end: each line has one, and of those that an image may hold ten
 * thousand would be a gigabyte. The FileID beside it says whose it is. */
static const char *shown_path(const char *path)
{
	const size_t len = strlen(path);

	return len > LONG_PATH ? strchr(path + len - LONG_PATH, '/') : path;
}

/* "link table of /dir (FileID 2): at 3:0x1f40" */
static void put_structure(struct text *line, const struct cim_structure *s)
{
	const char *path = shown_path(s->path);

	text_puts(line, cim_structure_name(s->kind));
	if (*s->path || s->file_id)
		text_puts(line, " of");
	if (*s->path) {
		text_puts(line, path == s->path ? " " : " ...");
		text_escape(line, path, strlen(path), 0);
	}
	if (s->file_id)
		text_printf(line, *s->path ? " (FileID %u)" : " FileID %u", s->file_id);
	if (*s->file) {
		text_puts(line, ": at ");
		put_place(line, s);
	}
}

/* Lines of hexadecimal bytes, numbered from @offset on. */
static int put_hex_lines(struct printer *p, uint64_t offset, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t at = 0; at < len; at += HEX_LINE) {
		const size_t n = len - at < HEX_LINE ? len - at : HEX_LINE;
		char hex[HEX_LINE * 3 + 1], plain[HEX_LINE + 1];

		memset(hex, ' ', sizeof(hex));
		for (size_t i = 0; i < n; i++) {
			const uint8_t byte = bytes[at + i];

			hex[i * 3 + i / 8] = digits[byte >> 4];
			hex[i * 3 + i / 8 + 1] = digits[byte & 15];
			plain[i] = byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
		}
		text_printf(&p->line, "  %08llx  ", (unsigned long long)(offset + at));
		text_add(&p->line, hex, sizeof(hex));
		text_puts(&p->line, " |");
		text_add(&p->line, plain, n);
		text_puts(&p->line, "|");
		if (put_line(p))
			return 1;
	}
	return 0;
}

/* ---- fields ---- */

static void put_stream(struct text *line, uint64_t desc)
{
	static const char *const types[] = {"data", "link table", "PE image"};
	const unsigned type = (unsigned)(desc >> 48) & 0xff;
	const unsigned reserved = (unsigned)(desc >> 57);

	text_printf(line, "%llu bytes, ", (unsigned long long)(desc & CIM_MAX_STREAM));
	if (type < sizeof(types) / sizeof(types[0]))
		text_puts(line, types[type]);
	else
		text_printf(line, "type %u", type);
	if (desc >> 56 & 1)
		text_puts(line, ", sparse");
	if (reserved)
		text_printf(line, ", reserved bits 0x%x", reserved);
}

static void put_value(struct text *line, const struct cim_field *f)
{
	const uint64_t offset = f->value & CIM_MAX_STREAM; /* the same 48 bits */
	char buf[TIME_TEXT];
	struct cim_guid guid;

	switch (f->type) {
	case CIM_FIELD_NUMBER:
		text_printf(line, "%llu", (unsigned long long)f->value);
		break;
	case CIM_FIELD_HEX:
		text_printf(line, "0x%llx", (unsigned long long)f->value);
		break;
	case CIM_FIELD_REGION_OFFSET:
		if (f->value)
			text_printf(line, "%u:0x%llx", (unsigned)cim_region_index(f->value),
				    (unsigned long long)offset);
		else
			text_puts(line, "none");
		break;
	case CIM_FIELD_STREAM:
		put_stream(line, f->value);
		break;
	case CIM_FIELD_TIME:
		text_puts(line, filetime_text((int64_t)f->value, buf));
		break;
	case CIM_FIELD_GUID:
		memcpy(&guid, f->bytes, sizeof(guid));
		cim_guid_format(&guid, buf);
		text_puts(line, buf);
		break;
	case CIM_FIELD_TEXT:
	case CIM_FIELD_NAME:
		text_puts(line, "\"");
		text_escape(line, f->bytes, f->len, 0);
		text_puts(line, "\"");
		break;
	case CIM_FIELD_BYTES:
		text_hex(line, f->bytes, f->len);
		break;
	}
}

static void begin_field(struct printer *p, const struct cim_field *f)
{
	text_printf(&p->line, "  +0x%-5llx %-20s", (unsigned long long)f->offset, f->name);
}

static int put_eas(struct printer *p, const struct cim_field *f)
{
	struct ea_entry entry;
	size_t offset = 0;
	int got;

	while ((got = ea_next(f->bytes, f->len, &offset, &entry)) == 1) {
		begin_field(p, f);
		text_escape(&p->line, entry.name, entry.name_len, 0);
		text_printf(&p->line, "%s = ", entry.flags & 0x80 ? " (needed)" : "");
		text_hex(&p->line, entry.value, entry.value_len);
		if (put_line(p))
			return 1;
	}
	if (!got)
		return 0;
	begin_field(p, f);
	text_puts(&p->line, "no valid list: ");
	text_hex(&p->line, f->bytes, f->len);
	return put_line(p);
}

static int put_reparse(struct printer *p, const struct cim_field *f)
{
	const uint32_t tag = f->len < 4 ? 0 : get32(f->bytes);
	char *target = reparse_target(f->bytes, f->len);

	begin_field(p, f);
	text_printf(&p->line, "tag 0x%08x", tag);
	if (reparse_tag_name(tag))
		text_printf(&p->line, " (%s)", reparse_tag_name(tag));
	if (target) {
		text_puts(&p->line, ", target ");
		text_escape(&p->line, target, strlen(target), ESCAPE_BACKSLASH_NOT);
	} else {
		text_puts(&p->line, ": ");
		text_hex(&p->line, f->bytes, f->len);
	}
	free(target);
	return put_line(p);
}

/* A unit's upper case, as what is added to it. */
static int up_by(const uint8_t *table, unsigned unit)
{
	return (int)get16(table + (size_t)unit * 2) - (int)unit;
}

/* Runs of units, each or every second, that are moved by the same. */
static int put_upcase(struct printer *p, const struct cim_field *f)
{
	const unsigned count = (unsigned)(f->len / 2);
	const uint8_t *table = f->bytes;

	for (unsigned unit = 0; unit < count;) {
		const int by = up_by(table, unit);
		unsigned step = 1, last = unit;

		if (!by) {
			unit++;
			continue;
		}
		if (unit + 2 < count && up_by(table, unit + 1) != by &&
		    up_by(table, unit + 2) == by)
			step = 2;
		while (last + step < count && up_by(table, last + step) == by &&
		       (step == 1 || !up_by(table, last + 1)))
			last += step;
		text_printf(&p->line, "  %04x", unit);
		if (last != unit)
			text_printf(&p->line, "-%04x%s", last, step == 2 ? "/2" : "");
		text_printf(&p->line, " %+d", by);
		if (put_line(p))
			return 1;
		/* What a step of two has passed over moves by 0. */
		unit = last + 1;
	}
	return 0;
}

static int put_bytes(struct printer *p, const struct cim_structure *s, const struct cim_field *f)
{
	if (s->kind == CIM_STRUCT_EA)
		return put_eas(p, f);
	if (s->kind == CIM_STRUCT_REPARSE)
		return put_reparse(p, f);
	if (s->kind == CIM_STRUCT_UPCASE_TABLE)
		return put_upcase(p, f);
	begin_field(p, f);
	if (s->kind != CIM_STRUCT_SECURITY || !sddl_format(&p->line, f->bytes, f->len)) {
		if (f->len > INLINE) {
			text_printf(&p->line, "%zu bytes", f->len);
			return put_line(p) ||
			       put_hex_lines(p, s->offset + f->offset, f->bytes, f->len);
		}
		text_hex(&p->line, f->bytes, f->len);
	}
	return put_line(p);
}

/* ---- what the library tells ---- */

static int on_structure(void *ctx, const struct cim_structure *s)
{
	struct printer *p = ctx;

	if (end_element(p))
		return 1;
	put_structure(&p->line, s);
	text_printf(&p->line, ", %llu byte%s", (unsigned long long)s->size, plural(s->size));
	if (s->kind == CIM_STRUCT_REGION_HEADER)
		text_printf(&p->line, " (%s)", s->file);
	return put_line(p);
}

static int on_field(void *ctx, const struct cim_structure *s, const struct cim_field *f)
{
	struct printer *p = ctx;

	if (!f->element) {
		if (end_element(p))
			return 1;
		if (f->type == CIM_FIELD_BYTES)
			return put_bytes(p, s, f);
		begin_field(p, f);
		put_value(&p->line, f);
		return put_line(p);
	}
	if (p->in_element && p->index != f->index && end_element(p))
		return 1;
	if (!p->in_element)
		text_printf(&p->line, "  +0x%-5llx [%u]", (unsigned long long)f->offset, f->index);
	p->in_element = true;
	p->index = f->index;
	text_printf(&p->line, " %s=", f->name);
	put_value(&p->line, f);
	return 0;
}

static int on_bytes(void *ctx, const struct cim_structure *s, uint64_t skip, const void *bytes,
		    size_t len)
{
	return put_hex_lines(ctx, s->offset + skip, bytes, len);
}

static int on_broken(void *ctx, const struct cim_structure *s, const struct cim_error *err)
{
	struct printer *p = ctx;

	if (!p->errors++) {
		p->first = *err;
		p->first_path = xstrdup(s->path);
	}
	if (end_element(p))
		return 1;
	text_puts(&p->line, "error: ");
	put_structure(&p->line, s);
	text_puts(&p->line, ": ");
	text_escape(&p->line, err->cause, strlen(err->cause), ESCAPE_BACKSLASH_NOT);
	return put_line(p);
}

/* What is missing may be what a merged image shows of its sources. */
static void look_for_sources(struct tool *t, const char *path)
{
	struct cim_image *image = NULL;
	struct cim_error err = {0};

	if (!tool_open_as(t, NULL, path, &image, &err))
		cim_image_close(image);
}

/* Of all errors, told where they were met. */
static int tell_first(const struct printer *p, const char *name)
{
	if (p->errors == 1)
		tool_fail(p->t, "dump", name, p->first_path, "%s", p->first.cause);
	else
		tool_fail(p->t, "dump", name, p->first_path, "%s (and %lu more)", p->first.cause,
			  p->errors - 1);
	return exit_of(p->first.status);
}

int dump_structures(struct tool *t, const char *name, bool raw)
{
	struct printer p = {.t = t};
	const struct cim_structure_visitor visitor = {
		CIM_SIZED(visitor),
		.ctx = &p,
		.structure = on_structure,
		.field = raw ? NULL : on_field,
		.bytes = raw ? on_bytes : NULL,
		.broken = on_broken,
	};
	struct cim_error err = {0};
	enum cim_status status;
	int code;
	char *path = tool_image_path(t, "dump", name, &code);

	if (!path)
		return code;
	status = cim_structures_visit(NULL, path, (const char *const *)t->sources, t->source_count,
				      tool_root_hash(t), &visitor, NULL, &err);
	if (p.errors)
		look_for_sources(t, path);
	free(path);
	/* Stopped by ourselves: what is wrong with stdout is told at the end. */
	if (status != CIM_E_ABORTED)
		end_element(&p);
	if (status && status != CIM_E_ABORTED) {
		code = tool_fail_open(t, "dump", name, &err);
	} else if (p.errors) {
		code = tell_first(&p, name);
	}
	free(p.first_path);
	text_free(&p.line);
	return code;
}
