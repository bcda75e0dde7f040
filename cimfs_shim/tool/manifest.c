/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest.c - cimtool verify --manifest: do images hold what their maker says?
 *
 * The conformance suite's --export writes images through any cimfs.dll, and a manifest of what it
 * asked for beside them (conformance/cases/manifest.h describes the format). Here such a set is
 * compared with its manifest, item by item, every byte: the other half of an exchange of images
 * between Windows and Linux. The manifest is somebody else's file, so each line is checked.
 */
#include "tool.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>

enum kind {
	IS_DIRECTORY,
	IS_FILE,
	IS_STREAM,
	IS_LINK,
	IS_TOMBSTONE,
	IS_MERGE_LINK,
};
#define KINDS "directory|file|stream|link|tombstone|merge-link"

/* One line of the manifest, its texts in the line's own memory. */
struct line {
	enum kind kind;
	char *path; /* as written, for messages */
	uint16_t *units;
	uint16_t *other; /* a stream's name, a target */
	uint32_t attributes;
	int64_t times[4];
	uint64_t size;
	uint64_t hash;
	bool zeros;
	bool opaque;
	const char *blobs[3]; /* by enum cim_blob: hexadecimal, or NULL */
};

struct manifest {
	struct tool *t;
	const char *file; /* the manifest */
	unsigned number;  /* of the line */
	char *name;	  /* of the image being compared */
	char *image_path;
	struct cim_image *image; /* NULL until its first item */
	uint64_t names;		 /* that the manifest has for it */
	uint64_t items;		 /* compared in all images */
	uint64_t images;
	uint64_t differences;
};

#define KEPT_ATTRIBUTES (DOS_ATTRIBUTES | CIM_ATTR_SPARSE)

static int bad_line(struct manifest *m, const char *what)
{
	return tool_fail(m->t, "read manifest", m->file, NULL, "line %u: %s", m->number, what);
}

/* ---- differences ------------------------------------------------------------------------------
 */

static void TOOL_PRINTF(3, 4) differs(struct manifest *m, const char *path, const char *fmt, ...)
{
	va_list args;
	char *what;

	va_start(args, fmt);
	what = xvasprintf(fmt, args);
	va_end(args);
	m->differences++;
	progress_clear();
	if (m->t->json) {
		json_t *o = json_object();

		json_put_text(o, "image", m->name);
		json_put_text(o, "path", path);
		json_put_text(o, "difference", what);
		json_print(stdout, o);
	} else {
		put_escaped(stdout, m->name);
		printf(": %s: ", path);
		put_escaped(stdout, what);
		putchar('\n');
	}
	free(what);
}

static void compare_number(struct manifest *m, const struct line *line, const char *what,
			   long long got, long long want)
{
	if (got != want)
		differs(m, line->path, "%s: %lld, the manifest says %lld", what, got, want);
}

static void compare_hex(struct manifest *m, const struct line *line, const char *what,
			unsigned long long got, unsigned long long want)
{
	if (got != want)
		differs(m, line->path, "%s: 0x%llx, the manifest says 0x%llx", what, got, want);
}

/* ---- an item ----------------------------------------------------------------------------------
 */

static bool all_zero(const unsigned char *data, size_t size)
{
	while (size && !*data) {
		data++;
		size--;
	}
	return !size;
}

/* The stream's FNV-1a hash, or for what is all zero whether it is, of a piece at each end. */
static enum cim_status hash_data(struct manifest *m, const struct cim_data *data, bool ends,
				 uint64_t *hash, bool *zeros, struct cim_error *err)
{
	static unsigned char buf[1 << 16];
	uint64_t at = 0;
	size_t got, i;

	*hash = 14695981039346656037ull;
	*zeros = true;
	for (;;) {
		enum cim_status status = cim_image_read(m->image, data, at, buf, sizeof(buf), &got,
							err);

		if (status)
			return status;
		if (!got)
			return CIM_OK;
		*zeros = *zeros && all_zero(buf, got);
		for (i = 0; i < got; i++)
			*hash = (*hash ^ buf[i]) * 1099511628211ull;
		at += got;
		if (ends && at < data->size && data->size - at > sizeof(buf))
			at = data->size - sizeof(buf);
	}
}

static enum cim_status compare_data(struct manifest *m, const struct line *line, uint32_t id,
				    struct cim_str stream, struct cim_error *err)
{
	struct cim_data data = {CIM_SIZED(data)};
	enum cim_status status = cim_image_get_data(m->image, id, stream, &data, err);
	uint64_t hash;
	bool zeros;

	if (status)
		return status;
	compare_number(m, line, "size", (long long)data.size, (long long)line->size);
	status = hash_data(m, &data, line->zeros, &hash, &zeros, err);
	if (status)
		return status;
	if (line->zeros && !zeros)
		differs(m, line->path, "data: not all zero, as the manifest says");
	if (!line->zeros)
		compare_hex(m, line, "hash of the data", hash, line->hash);
	return CIM_OK;
}

static enum cim_status compare_blob(struct manifest *m, const struct line *line, uint32_t id,
				    enum cim_blob which, struct cim_error *err)
{
	static const char *const names[] = {"security descriptor", "extended attributes",
					    "reparse data"};
	static unsigned char blob[CIM_MAX_BLOB];
	const char *want = line->blobs[which];
	char byte[3];
	size_t size, i;
	enum cim_status status = cim_image_get_blob(m->image, id, which, blob, sizeof(blob), &size,
						    err);

	if (status)
		return status;
	/* Nothing is said of a descriptor: the DLL was given none. */
	if (!want && which == CIM_BLOB_SECURITY)
		return CIM_OK;
	if (size != (want ? strlen(want) / 2 : 0)) {
		differs(m, line->path, "%s: %zu bytes, the manifest says %zu", names[which], size,
			want ? strlen(want) / 2 : 0);
		return CIM_OK;
	}
	for (i = 0; i < size; i++) {
		snprintf(byte, sizeof(byte), "%02x", blob[i]);
		if (strncasecmp(byte, want + 2 * i, 2)) {
			differs(m, line->path, "%s: another byte at %zu", names[which], i);
			break;
		}
	}
	return CIM_OK;
}

static enum cim_status compare_item(struct manifest *m, const struct line *line, uint32_t id,
				    struct cim_error *err)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	enum cim_status status = cim_image_stat(m->image, id, &info, err);
	const bool opaque = !status && info.marks & CIM_MARK_OPAQUE;
	enum cim_blob which;

	if (status)
		return status;
	if (info.is_directory != (line->kind == IS_DIRECTORY)) {
		differs(m, line->path, "a %s", info.is_directory ? "directory" : "file");
		return CIM_OK;
	}
	if (opaque != line->opaque)
		differs(m, line->path, "is %sopaque", opaque ? "" : "not ");
	compare_hex(m, line, "attributes", info.attributes & KEPT_ATTRIBUTES,
		    line->attributes & KEPT_ATTRIBUTES);
	compare_number(m, line, "creation time", info.creation_time, line->times[0]);
	compare_number(m, line, "last write time", info.last_write_time, line->times[1]);
	compare_number(m, line, "change time", info.change_time, line->times[2]);
	compare_number(m, line, "last access time", info.last_access_time, line->times[3]);
	for (which = CIM_BLOB_SECURITY; !status && which <= CIM_BLOB_REPARSE; which++)
		status = compare_blob(m, line, id, which, err);
	if (!status && line->kind == IS_FILE)
		status = compare_data(m, line, id, (struct cim_str){0}, err);
	return status;
}

static enum cim_status compare_link(struct manifest *m, const struct line *line, uint32_t id,
				    struct cim_error *err)
{
	enum cim_status status;
	uint32_t target;

	status = cim_image_lookup(m->image, cim_str16(line->other), &target, err);
	if (!status && target != id)
		differs(m, line->path, "is another file than the one it is to be a name of");
	return status;
}

static size_t count_units(const uint16_t *units)
{
	size_t count = 0;

	while (units[count])
		count++;
	return count;
}

/* Of a merge link, whose data are it. */
static enum cim_status compare_target(struct manifest *m, const struct line *line, uint32_t id,
				      struct cim_error *err)
{
	struct cim_data data = {CIM_SIZED(data)};
	enum cim_status status = cim_image_get_data(m->image, id, (struct cim_str){0}, &data, err);
	unsigned char unit[2];
	uint64_t at = 0;
	size_t got;

	if (status)
		return status;
	for (const uint16_t *want = line->other; *want; want++, at += sizeof(unit)) {
		status = cim_image_read(m->image, &data, at, unit, sizeof(unit), &got, err);
		if (status)
			return status;
		if (got != sizeof(unit) || (unit[0] | unit[1] << 8) != *want)
			break;
	}
	if (at != data.size || at != sizeof(unit) * count_units(line->other))
		differs(m, line->path, "is a merge link to something else");
	return CIM_OK;
}

/* What only a merger sees. */
static enum cim_status compare_mark(struct manifest *m, const struct line *line,
				    struct cim_error *err)
{
	const bool is_link = line->kind == IS_MERGE_LINK;
	const uint32_t want = is_link ? CIM_MARK_MERGE_LINK : CIM_MARK_TOMBSTONE;
	struct cim_file_info info = {CIM_SIZED(info)};
	enum cim_status status;
	uint32_t id;

	if (!cim_image_lookup(m->image, cim_str16(line->units), &id, NULL)) {
		differs(m, line->path, "is shown, not a mark");
		return CIM_OK;
	}
	cim_image_show_marked(m->image, true);
	status = cim_image_lookup(m->image, cim_str16(line->units), &id, err);
	cim_image_show_marked(m->image, false);
	if (!status)
		status = cim_image_stat(m->image, id, &info, err);
	if (status)
		return status;
	if (!(info.marks & want))
		differs(m, line->path, "is no %s", is_link ? "merge link" : "tombstone");
	else if (is_link)
		return compare_target(m, line, id, err);
	return CIM_OK;
}

/* Opened with all that its lines named. */
static int open_image(struct manifest *m)
{
	int code = EXIT_OK;

	if (!m->image && m->image_path)
		m->image = tool_open(m->t, m->image_path, &code);
	return code;
}

static enum cim_status compare_shown(struct manifest *m, const struct line *line,
				     struct cim_error *err)
{
	uint32_t id;
	enum cim_status status = cim_image_lookup(m->image, cim_str16(line->units), &id, err);

	if (status)
		return status;
	if (line->kind == IS_STREAM)
		return compare_data(m, line, id, cim_str16(line->other), err);
	if (line->kind == IS_LINK)
		return compare_link(m, line, id, err);
	return compare_item(m, line, id, err);
}

static int compare_line(struct manifest *m, const struct line *line)
{
	struct cim_error err = {0};
	enum cim_status status;
	int code = open_image(m);

	if (code)
		return code;
	m->items++;
	if (line->kind >= IS_TOMBSTONE) {
		status = compare_mark(m, line, &err);
	} else {
		m->names += line->kind != IS_STREAM && *line->units;
		status = compare_shown(m, line, &err);
	}
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND) {
		differs(m, line->path, "missing");
		return EXIT_OK;
	}
	if (!status)
		return EXIT_OK;
	return tool_fail_at(m->t, "compare", m->image_path, line->path, &err);
}

/* ---- an image ------------------------------------------------------------------------------- */

static void forget_image(struct manifest *m)
{
	if (m->image)
		cim_image_close(m->image);
	m->image = NULL;
	free(m->name);
	free(m->image_path);
	m->name = m->image_path = NULL;
	m->t->verified = false;
	tool_forget_sources(m->t);
}

/* All names were told: is there one more? */
static int end_image(struct manifest *m)
{
	struct cim_error err = {0};
	const struct cim_walk_item *item;
	const struct cim_image_info *info;
	struct cim_walk *walk;
	enum cim_status status;
	uint64_t names = 0;
	int code = open_image(m);

	if (!m->image)
		return code;
	info = cim_image_get_info(m->image);
	status = cim_walk_open(m->image, info->root_id, &walk, &err);
	if (!status) {
		while (!(status = cim_walk_next(walk, &item, &err)) && item && !tool_signal)
			names += item->entry->units != 0;
		cim_walk_close(walk);
	}
	if (status)
		code = tool_fail_cim(m->t, "walk", m->image_path, &err);
	else if (tool_signal)
		code = tool_interrupted();
	else if (names != m->names)
		differs(m, "/", "%llu names, the manifest has %llu", (unsigned long long)names,
			(unsigned long long)m->names);
	forget_image(m);
	return code;
}

/* A file beside the manifest, "" for none, and a name: where an image is. */
static char *image_place(struct manifest *m, const char *container, const char *name)
{
	char *copy = xstrdup(m->file);
	struct text path = {0};

	text_printf(&path, "%s/%s%s%s", dirname(copy), container, *container ? "/" : "", name);
	free(copy);
	return path.s;
}

/* ---- lines --------------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XXXX and ASCII to code units, '/' to '\\'; NULL if it is none of these. */
static uint16_t *units_of(const char *text)
{
	uint16_t *units = xmalloc((strlen(text) + 1) * sizeof(*units)), *out = units;

	for (; *text; text++) {
		int i, unit = 0;

		if ((unsigned char)*text >= 127 || (unsigned char)*text <= 32)
			goto malformed;
		if (*text != '%') {
			*out++ = *text == '/' ? '\\' : (unsigned char)*text;
			continue;
		}
		for (i = 1; i <= 4; i++) {
			if (!text[i] || hex_digit(text[i]) < 0)
				goto malformed;
			unit = unit * 16 + hex_digit(text[i]);
		}
		if (!unit)
			goto malformed;
		*out++ = (uint16_t)unit;
		text += 4;
	}
	*out = 0;
	return units;
malformed:
	free(units);
	return NULL;
}

static bool time_of(const char *text, int64_t *time)
{
	const bool negative = *text == '-';
	uint64_t value;

	if (!arg_number(text + negative, 10, (uint64_t)INT64_MAX + negative, &value))
		return false;
	*time = (int64_t)(negative ? -value : value);
	return true;
}

static bool is_hex(const char *text)
{
	return strlen(text) % 2 == 0 && strspn(text, "0123456789abcdefABCDEF") == strlen(text);
}

static bool take_field(struct line *line, const char *name, const char *value)
{
	static const char *const times[] = {"created", "written", "changed", "accessed"};
	static const char *const blobs[] = {"security", "ea", "reparse"};
	uint64_t number;
	size_t i;

	for (i = 0; i < COUNT_OF(times); i++)
		if (!strcmp(name, times[i]))
			return time_of(value, &line->times[i]);
	for (i = 0; i < COUNT_OF(blobs); i++)
		if (!strcmp(name, blobs[i]) && is_hex(value)) {
			line->blobs[i] = value;
			return true;
		}
	if (!strcmp(name, "attributes") && arg_number(value, 16, UINT32_MAX, &number)) {
		line->attributes = (uint32_t)number;
		return true;
	}
	if (!strcmp(name, "size"))
		return arg_number(value, 10, UINT64_MAX, &line->size);
	if (!strcmp(name, "mark")) {
		line->opaque = line->kind == IS_DIRECTORY && !strcmp(value, "opaque");
		return line->opaque;
	}
	if (!strcmp(name, "data")) {
		line->zeros = !strcmp(value, "zeros");
		return line->zeros || arg_number(value, 16, UINT64_MAX, &line->hash);
	}
	if ((!strcmp(name, "to") && *value == '/') || !strcmp(name, "name")) {
		free(line->other);
		line->other = units_of(value + (*name == 't'));
		return line->other;
	}
	return false;
}

static int take_fields(struct manifest *m, struct line *line, char *text)
{
	char *field, *value;

	while ((field = strsep(&text, "\t"))) {
		value = strchr(field, '=');
		if (value)
			*value++ = '\0';
		if (!value || !take_field(line, field, value))
			return bad_line(m, "a field that isn't understood");
	}
	if (line->kind == IS_STREAM && !line->other)
		return bad_line(m, "a stream without a name");
	if ((line->kind == IS_LINK || line->kind == IS_MERGE_LINK) && !line->other)
		return bad_line(m, "a link without a target");
	return EXIT_OK;
}

/* One component of a path, in UTF-8; NULL: it is none. */
static char *file_name(const char *text)
{
	uint16_t *units = units_of(text);
	size_t count = 0, bytes;
	char *name = NULL;

	if (units)
		count = count_units(units);
	if (count) {
		bytes = cim_utf8_from_utf16(units, count, NULL, 0);
		name = xmalloc(bytes + 1);
		cim_utf8_from_utf16(units, count, name, bytes + 1);
		if (strpbrk(name, "/\\") || !strcmp(name, ".") || !strcmp(name, "..")) {
			free(name);
			name = NULL;
		}
	}
	free(units);
	return name;
}

/* What is said of an image behind its name; *container is to be freed. */
static int take_image_fields(struct manifest *m, char *text, char **container)
{
	char *field, *value;
	bool good = true;

	*container = NULL;
	while (good && (field = strsep(&text, "\t"))) {
		value = strchr(field, '=');
		if (value)
			*value++ = '\0';
		if (value && !strcmp(field, "container") && !*container) {
			*container = file_name(value);
			good = *container;
		} else if (value && !strcmp(field, "root") && !m->image_path) {
			m->t->verified = good = arg_bytes(value, m->t->root_hash,
							  sizeof(m->t->root_hash));
		} else {
			/* What whoever makes it again should get: for the suite. */
			good = value && (!strcmp(field, "sealed") || !strcmp(field, "again"));
		}
	}
	return good ? EXIT_OK : bad_line(m, "a field that isn't understood");
}

/* An image that is to be compared, or a source of the last one. */
static int take_image(struct manifest *m, char *text, const char *field, bool is_source)
{
	char *name = file_name(field), *container = NULL, *path;
	int code = name ? take_image_fields(m, text, &container) : bad_line(m, "no image's name");

	if (!code) {
		path = image_place(m, container ? container : "", name);
		if (is_source) {
			code = tool_add_source(m->t, path);
			free(path);
		} else {
			m->name = name;
			name = NULL;
			m->image_path = path;
			m->names = 0;
			m->images++;
		}
	}
	free(container);
	free(name);
	return code;
}

static int take_image_line(struct manifest *m, const char *word, char *text, const char *name)
{
	const bool is_source = !strcmp(word, "source");
	int code;

	if (is_source)
		return m->image_path && !m->image ? take_image(m, text, name, true)
						  : bad_line(m, "a source without its image");
	code = end_image(m);
	return code ? code : take_image(m, text, name, false);
}

static int take_line(struct manifest *m, char *text)
{
	struct line line = {0};
	char *word = strsep(&text, "\t");
	int kind = arg_word(word, KINDS);
	int code;

	line.path = strsep(&text, "\t");
	if (!line.path)
		return bad_line(m, "no path");
	if (!strcmp(word, "image") || !strcmp(word, "source"))
		return take_image_line(m, word, text, line.path);
	if (kind < 0 || !m->image_path)
		return bad_line(m, "neither an image nor an item of one");
	line.kind = (enum kind)kind;
	line.units = *line.path == '/' ? units_of(line.path + 1) : NULL;
	code = line.units ? take_fields(m, &line, text) : bad_line(m, "no path");
	if (!code)
		code = compare_line(m, &line);
	free(line.units);
	free(line.other);
	return code;
}

static void print_result(struct manifest *m)
{
	if (m->t->json) {
		json_t *o = json_object();

		json_put_text(o, "manifest", m->file);
		json_put_int(o, "images", m->images);
		json_put_int(o, "items", m->items);
		json_put_int(o, "differences", m->differences);
		json_print(stdout, o);
	} else if (!m->t->quiet) {
		put_escaped(stdout, m->file);
		printf(": %llu image%s, %llu item%s, %llu difference%s\n",
		       (unsigned long long)m->images, plural(m->images),
		       (unsigned long long)m->items, plural(m->items),
		       (unsigned long long)m->differences, plural(m->differences));
	}
}

int tool_verify_manifest(struct tool *t, const char *file)
{
	struct manifest m = {.t = t, .file = file};
	struct lines lines;
	int code = EXIT_OK;

	if (!lines_open(&lines, file))
		return tool_fail_errno(t, "read manifest", file, NULL);
	while (!code && !tool_signal && lines_next(&lines)) {
		m.number = lines.number;
		if (m.number > 1)
			code = take_line(&m, lines.line);
		else if (strcmp(lines.line, "cimfs-manifest 1"))
			code = tool_fail(t, "read manifest", file, NULL,
					 "no manifest of this version");
	}
	if (!code && lines.failed)
		code = tool_fail_errno(t, "read manifest", file, NULL);
	if (!code && !m.number)
		code = tool_fail(t, "read manifest", file, NULL, "no manifest of this version");
	lines_close(&lines);
	if (!code)
		code = tool_signal ? tool_interrupted() : end_image(&m);
	forget_image(&m);
	if (code)
		return code;
	print_result(&m);
	return m.differences ? EXIT_CORRUPT : EXIT_OK;
}
