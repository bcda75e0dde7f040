/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fromdump.c - an image from a dump (the format is described in cmd_dump.c)
 *
 * The lines are in the writer's order, and each becomes the same calls with the same arguments that
 * a capture would make, so an image made by "cimtool create" in consistent mode comes out byte for
 * byte. Data that lie in files are hashed before they are used: a wrong file is an error.
 *
 * An image of another make may hold what no program could have asked our writer for: flag bits that
 * the format doesn't name, items without a security descriptor, streams of the root. The session is
 * opened with CIM_WRITE_AS_STORED, so that these come out as the dump says.
 */
#include "sha256.h"
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAG_READONLY 0x01
#define FLAG_HIDDEN   0x02
#define FLAG_SYSTEM   0x04
#define FLAG_ARCHIVE  0x08
#define FLAG_SPARSE   0x10
#define KNOWN_FLAGS   0x1F
#define HASH_BUFFER   (1u << 18)

enum key {
	KEY_FLAGS,
	KEY_CREATED,
	KEY_WRITTEN,
	KEY_CHANGED,
	KEY_ACCESSED,
	KEY_SECURITY,
	KEY_EA,
	KEY_REPARSE,
	KEY_NAME,
	KEY_SIZE,
	KEY_DATA,
	KEY_TO,
	KEY_MARK,
	KEY_COUNT
};

static const char *const key_names[KEY_COUNT] = {
	[KEY_FLAGS] = "flags",	   [KEY_CREATED] = "created",	[KEY_WRITTEN] = "written",
	[KEY_CHANGED] = "changed", [KEY_ACCESSED] = "accessed", [KEY_SECURITY] = "security",
	[KEY_EA] = "ea",	   [KEY_REPARSE] = "reparse",	[KEY_NAME] = "name",
	[KEY_SIZE] = "size",	   [KEY_DATA] = "data",		[KEY_TO] = "to",
	[KEY_MARK] = "mark",
};

#define BIT(key) (1u << (key))
#define ITEM_KEYS                                                                  \
	(BIT(KEY_FLAGS) | BIT(KEY_CREATED) | BIT(KEY_WRITTEN) | BIT(KEY_CHANGED) | \
	 BIT(KEY_ACCESSED) | BIT(KEY_SECURITY))
#define OPTIONAL_KEYS  (BIT(KEY_EA) | BIT(KEY_REPARSE))
#define DIRECTORY_KEYS BIT(KEY_MARK)
#define DATA_KEYS      (BIT(KEY_SIZE) | BIT(KEY_DATA))

struct reader {
	struct session *s;
	struct tool *t;
	const char *file;
	unsigned long number; /* of the line */
	int data_dir;
	const char *data_label;
	char *field[KEY_COUNT];
	uint16_t *path;
	size_t units;
	bool root; /* its line has come */
	struct root_stream {
		uint16_t name[CIM_MAX_NAME];
		size_t units;
	} * root_streams; /* the library can't be asked for these by a path */
	size_t root_stream_count;
	size_t root_stream_room;
	struct text blob[3];
	struct text data;
	struct sha256 *hash;
	uint8_t *buf;
};

/* Where the stream's bytes come from. */
struct content {
	bool sparse;
	struct text *memory;
	struct file_source file; /* fd -1: from memory */
};

static int bad(struct reader *r, const char *fmt, ...) TOOL_PRINTF(2, 3);

static int bad(struct reader *r, const char *fmt, ...)
{
	char *where = xasprintf("%s:%lu", r->file, r->number);
	va_list args;
	char *cause;

	va_start(args, fmt);
	cause = xvasprintf(fmt, args);
	va_end(args);
	tool_fail(r->t, r->s->op, r->s->image, where, "%s", cause);
	free(cause);
	free(where);
	return EXIT_FAILED;
}

static int bad_cim(struct reader *r, const struct cim_error *err)
{
	if (tool_signal)
		return tool_interrupted();
	/* What the dump has no part in. */
	if (err->os_error && err->path[0])
		return tool_fail_cim(r->t, r->s->op, r->s->image, err);
	bad(r, "%s", err->cause[0] ? err->cause : cim_status_text(err->status));
	return exit_of(err->status);
}

/* ---- fields ---- */

/* An escaped path as code units with '\' between the components. */
/* One more name; what is wrong. */
static char *add_name(const struct text *name, uint16_t *out, size_t *units)
{
	size_t count = 0;

	if (strpbrk(name->s, "/\\:") || strlen(name->s) != name->len)
		return xasprintf("the name %s can't be written", name->s);
	if (*units + 1 > CIM_MAX_PATH ||
	    cim_utf16_from_utf8(name->s, name->len, out + *units + (*units ? 1 : 0),
				CIM_MAX_PATH - *units - 1, &count))
		return xstrdup("the path is too long or not UTF-8");
	if (*units)
		out[(*units)++] = '\\';
	*units += count;
	return NULL;
}

char *dump_path(const char *s, uint16_t *out, size_t *units)
{
	struct text name = {0};
	char *wrong = NULL;

	*units = 0;
	if (*s != '/')
		return xstrdup("a path begins with '/'");
	s++;
	while (*s && !wrong) {
		size_t len = strcspn(s, "/");

		text_cut(&name, 0);
		if (!len || !text_unescape(&name, s, len))
			wrong = xstrdup("the path is malformed");
		else
			wrong = add_name(&name, out, units);
		s += len;
		if (!wrong && *s == '/' && !*++s)
			wrong = xstrdup("the path is malformed");
	}
	text_free(&name);
	return wrong;
}

static int parse_path(struct reader *r, const char *s, uint16_t *out, size_t *units)
{
	char *wrong = dump_path(s, out, units);
	int code = wrong ? bad(r, "%s", wrong) : EXIT_OK;

	free(wrong);
	return code;
}

static int split_fields(struct reader *r, char *line, unsigned needed, unsigned allowed)
{
	unsigned have = 0;

	memset(r->field, 0, sizeof(r->field));
	while (line) {
		char *next = strchr(line, ' ');
		char *equal;
		size_t key;

		if (next)
			*next++ = '\0';
		equal = strchr(line, '=');
		if (!equal)
			return bad(r, "'%.40s' is no field", line);
		*equal = '\0';
		for (key = 0; key < KEY_COUNT && strcmp(line, key_names[key]); key++)
			;
		if (key == KEY_COUNT || !((needed | allowed) & BIT(key)))
			return bad(r, "the field '%.40s' is unknown here", line);
		if (have & BIT(key))
			return bad(r, "the field '%s' is there twice", line);
		have |= BIT(key);
		r->field[key] = equal + 1;
		line = next;
	}
	for (size_t key = 0; key < KEY_COUNT; key++) {
		if (needed & ~have & BIT(key))
			return bad(r, "the field '%s' is missing", key_names[key]);
	}
	return EXIT_OK;
}

static int parse_size(struct reader *r, uint64_t *size)
{
	if (!arg_number(r->field[KEY_SIZE], 10, CIM_MAX_STREAM, size))
		return bad(r, "size is no size");
	return EXIT_OK;
}

void metadata_set_flags(struct cim_metadata *m, unsigned flags)
{
	static const struct {
		unsigned flag;
		uint32_t attribute;
	} map[] = {
		{FLAG_READONLY, CIM_ATTR_READONLY}, {FLAG_HIDDEN, CIM_ATTR_HIDDEN},
		{FLAG_SYSTEM, CIM_ATTR_SYSTEM},	    {FLAG_ARCHIVE, CIM_ATTR_ARCHIVE},
		{FLAG_SPARSE, CIM_ATTR_SPARSE},
	};

	for (size_t i = 0; i < COUNT_OF(map); i++) {
		if (flags & map[i].flag)
			m->attributes |= map[i].attribute;
	}
	m->other_flags = (uint16_t)(flags & ~(unsigned)KNOWN_FLAGS);
}

static int parse_flags(struct reader *r, struct cim_metadata *m)
{
	const char *s = r->field[KEY_FLAGS];
	uint64_t flags;

	if (strncmp(s, "0x", 2) || !arg_number(s + 2, 16, 0xFFFF, &flags))
		return bad(r, "flags are no flags");
	metadata_set_flags(m, (unsigned)flags);
	return EXIT_OK;
}

/* A BLOB; *data stays NULL for none. */
static int parse_blob(struct reader *r, enum key key, struct text *text, const void **data,
		      size_t *size)
{
	const char *s = r->field[key];

	if (!s || !strcmp(s, "none"))
		return EXIT_OK;
	text_cut(text, 0);
	if (!base64_decode(text, s, strlen(s)) || text->len > CIM_MAX_BLOB)
		return bad(r, "'%s' is no base64", key_names[key]);
	*data = text->s;
	*size = text->len;
	return EXIT_OK;
}

static int parse_metadata(struct reader *r, struct cim_metadata *m)
{
	int code;

	if (!filetime_parse(r->field[KEY_CREATED], &m->creation_time) ||
	    !filetime_parse(r->field[KEY_WRITTEN], &m->last_write_time) ||
	    !filetime_parse(r->field[KEY_CHANGED], &m->change_time) ||
	    !filetime_parse(r->field[KEY_ACCESSED], &m->last_access_time))
		return bad(r, "a time is malformed");
	code = parse_flags(r, m);
	if (!code)
		code = parse_blob(r, KEY_SECURITY, &r->blob[0], &m->security, &m->security_size);
	if (!code)
		code = parse_blob(r, KEY_EA, &r->blob[1], &m->ea, &m->ea_size);
	if (!code)
		code = parse_blob(r, KEY_REPARSE, &r->blob[2], &m->reparse, &m->reparse_size);
	return code;
}

/* ---- data ---- */

static int fail_file(struct reader *r, const char *hash, const char *cause)
{
	return bad(r, "%s/%s: %s", r->data_label, hash, cause);
}

/* Is the file what its name says? */
static int check_hash(struct reader *r, int fd, const char *hash)
{
	unsigned char digest[SHA256_BYTES];
	char *text;
	ssize_t got;
	bool same;

	sha256_begin(r->hash);
	while ((got = read(fd, r->buf, HASH_BUFFER)) != 0) {
		if (tool_signal)
			return tool_interrupted();
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_file(r, hash, strerror(errno));
		sha256_add(r->hash, r->buf, (size_t)got);
		progress_tick(&r->s->progress);
	}
	if (!sha256_end(r->hash, digest))
		return fail_file(r, hash, "SHA-256 fails");
	text = hex_text(digest, SHA256_BYTES);
	same = !strcmp(text, hash);
	free(text);
	return same ? EXIT_OK : fail_file(r, hash, "its contents have another hash");
}

static int open_hash(struct reader *r, const char *hash, uint64_t size, struct content *content)
{
	struct stat st;
	int code;
	int fd;

	if (strlen(hash) != 64 || strspn(hash, "0123456789abcdef") != 64)
		return bad(r, "data is malformed");
	if (r->data_dir < 0)
		return bad(r, "the data are in a file; --data DIR is needed");
	fd = openat(r->data_dir, hash, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail_file(r, hash, strerror(errno));
	content->file.fd = fd;
	if (fstat(fd, &st))
		code = fail_file(r, hash, strerror(errno));
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		code = fail_file(r, hash, "it has another size");
	else
		code = check_hash(r, fd, hash);
	return code;
}

static int parse_data(struct reader *r, uint64_t *size, struct content *content)
{
	const char *s = r->field[KEY_DATA];
	int code = parse_size(r, size);

	content->sparse = false;
	content->memory = &r->data;
	content->file = (struct file_source){.session = r->s, .fd = -1, .size = *size};
	if (code)
		return code;
	if (!strcmp(s, "sparse")) {
		content->sparse = true;
		return EXIT_OK;
	}
	if (!strncmp(s, "sha256:", 7))
		return open_hash(r, s + 7, *size, content);
	text_cut(&r->data, 0);
	if (strncmp(s, "base64:", 7) || !base64_decode(&r->data, s + 7, strlen(s + 7)))
		return bad(r, "data is malformed");
	return r->data.len == *size ? EXIT_OK : bad(r, "data and size disagree");
}

/* The source to hand to a sink: NULL for what is not written. */
static const struct cim_source *source_of(struct content *content, uint64_t size,
					  struct cim_source *source)
{
	if (content->sparse || !size)
		return NULL;
	if (content->file.fd >= 0)
		*source = file_source(&content->file);
	else
		*source = memory_source(content->memory->s);
	return source;
}

static int bad_write(struct reader *r, const struct content *content, const struct cim_error *err)
{
	if (content->file.failed)
		return bad(r, "%s: %s", r->data_label, strerror(content->file.failed));
	return bad_cim(r, err);
}

static void close_content(struct content *content)
{
	if (content->file.fd >= 0)
		close(content->file.fd);
}

/* ---- lines ---- */

/* Each thing has one line; a second one would silently take the place of the first. */
static int check_new(struct reader *r, const uint16_t *path, size_t units, const char *what)
{
	struct cim_error err = {0};
	bool exists;

	if (cim_writer_lookup(r->s->writer, (struct cim_str){.utf16 = path, .units = units},
			      &exists, &err))
		return bad_cim(r, &err);
	return exists ? bad(r, "the %s was there already", what) : EXIT_OK;
}

static int check_new_item(struct reader *r)
{
	bool seen = r->root;

	if (r->units)
		return check_new(r, r->path, r->units, "path");
	r->root = true;
	return seen ? bad(r, "the path was there already") : EXIT_OK;
}

static int check_new_stream(struct reader *r, const uint16_t *name, size_t units)
{
	struct root_stream *stream;
	uint16_t *full;
	int code;

	if (r->units) {
		full = stream_path(r->path, r->units, name, units);
		code = check_new(r, full, r->units + 1 + units, "stream");
		free(full);
		return code;
	}
	for (size_t i = 0; i < r->root_stream_count; i++) {
		stream = &r->root_streams[i];
		if (!cim_name_compare_default(stream->name, stream->units, name, units))
			return bad(r, "the stream was there already");
	}
	r->root_streams = xgrow(r->root_streams, &r->root_stream_room, r->root_stream_count,
				sizeof(*stream));
	stream = &r->root_streams[r->root_stream_count++];
	memcpy(stream->name, name, units * sizeof(*name));
	stream->units = units;
	return EXIT_OK;
}

static int put_tombstone(struct reader *r)
{
	struct cim_error err = {0};

	if (cim_writer_tombstone(r->s->writer,
				 (struct cim_str){.utf16 = r->path, .units = r->units}, &err))
		return bad_cim(r, &err);
	return EXIT_OK;
}

/* A directory that is made where a tombstone is is opaque. */
static int make_opaque(struct reader *r)
{
	if (strcmp(r->field[KEY_MARK], "opaque") != 0)
		return bad(r, "'%.40s' is no mark of a directory", r->field[KEY_MARK]);
	if (r->units)
		return put_tombstone(r);
	tool_warn(r->t, r->s->op, r->s->image, "/", "that the root is opaque isn't stored");
	return EXIT_OK;
}

static int make_item(struct reader *r, char *fields, bool directory)
{
	struct content content = {.file.fd = -1};
	struct cim_metadata m = {CIM_SIZED(m)};
	struct cim_source source;
	struct cim_error err = {0};
	uint64_t size = 0;
	int code;

	code = split_fields(r, fields, ITEM_KEYS | (directory ? 0 : DATA_KEYS),
			    OPTIONAL_KEYS | (directory ? DIRECTORY_KEYS : 0));
	if (!code)
		code = parse_metadata(r, &m);
	if (!code && !directory)
		code = parse_data(r, &size, &content);
	if (directory)
		m.attributes |= CIM_ATTR_DIRECTORY;
	m.size = (int64_t)size;
	if (!code)
		code = check_new_item(r);
	if (!code && r->field[KEY_MARK])
		code = make_opaque(r);
	if (!code &&
	    sink_item(r->s, r->path, r->units, &m, source_of(&content, size, &source), &err))
		code = bad_write(r, &content, &err);
	close_content(&content);
	r->s->progress.files++;
	r->s->progress.bytes += size - content.file.counted;
	return code;
}

static int make_stream(struct reader *r, char *fields)
{
	struct content content = {.file.fd = -1};
	uint16_t name[CIM_MAX_NAME];
	struct text text = {0};
	struct cim_source source;
	struct cim_error err = {0};
	uint64_t size = 0;
	size_t units = 0;
	int code;

	code = split_fields(r, fields, BIT(KEY_NAME) | DATA_KEYS, 0);
	if (!code && (!text_unescape(&text, r->field[KEY_NAME], strlen(r->field[KEY_NAME])) ||
		      cim_utf16_from_utf8(text.s, text.len, name, CIM_MAX_NAME, &units) ||
		      memchr(text.s, ':', text.len)))
		code = bad(r, "the stream's name can't be written");
	if (!code)
		code = parse_data(r, &size, &content);
	if (!code)
		code = check_new_stream(r, name, units);
	if (!code && sink_stream(r->s, r->path, r->units, name, units, size,
				 source_of(&content, size, &source), &err))
		code = bad_write(r, &content, &err);
	close_content(&content);
	text_free(&text);
	r->s->progress.bytes += size - content.file.counted;
	return code;
}

static int make_link(struct reader *r, char *fields, bool merges)
{
	struct cim_error err = {0};
	uint16_t *to;
	size_t units;
	int code;

	code = split_fields(r, fields, BIT(KEY_TO), 0);
	if (code)
		return code;
	to = xmalloc((CIM_MAX_PATH + 1) * sizeof(*to));
	code = parse_path(r, r->field[KEY_TO], to, &units);
	if (!code)
		code = check_new_item(r);
	if (!code &&
	    (merges ? sink_merge_link : sink_link)(r->s, r->path, r->units, to, units, &err))
		code = bad_cim(r, &err);
	free(to);
	r->s->progress.files += !merges;
	return code;
}

/* What has a path alone. A bare directory comes by itself with what is in it. */
static int make_bare_line(struct reader *r, const char *kind)
{
	int code;

	if (strcmp(kind, "tombstone") != 0 && strcmp(kind, "bare") != 0)
		return bad(r, "the line is malformed");
	code = check_new_item(r);
	return code || *kind == 'b' ? code : put_tombstone(r);
}

static int make_line(struct reader *r, char *line)
{
	char *path = strchr(line, ' ');
	char *fields;
	int code;

	if (!path)
		return bad(r, "the line is malformed");
	*path++ = '\0';
	fields = strchr(path, ' ');
	if (fields)
		*fields++ = '\0';
	code = parse_path(r, path, r->path, &r->units);
	if (code)
		return code;
	if (!fields)
		return make_bare_line(r, line);
	if (!strcmp(line, "directory"))
		return make_item(r, fields, true);
	if (!strcmp(line, "file"))
		return make_item(r, fields, false);
	if (!strcmp(line, "stream"))
		return make_stream(r, fields);
	if (!strcmp(line, "link"))
		return make_link(r, fields, false);
	if (!strcmp(line, "merge-link"))
		return make_link(r, fields, true);
	return bad(r, "'%.40s' is no kind of line", line);
}

static int read_lines(struct reader *r, struct lines *lines)
{
	int code = EXIT_OK;

	while (!code && lines_next(lines)) {
		r->number = lines->number;
		if (!lines->whole || strlen(lines->line) != lines->len) {
			code = bad(r, "the line is cut short or holds a NUL");
			break;
		}
		if (r->number == 1) {
			if (strcmp(lines->line, "cim-dump 1"))
				code = bad(r, "not a dump (\"cim-dump 1\" is missing)");
			continue;
		}
		code = make_line(r, lines->line);
		if (!code && tool_signal)
			code = tool_interrupted();
		progress_tick(&r->s->progress);
	}
	if (!code && tool_signal)
		code = tool_interrupted();
	else if (!code && lines->failed)
		code = bad(r, "%s", strerror(errno));
	else if (!code && !r->number)
		code = bad(r, "the file is empty");
	return code;
}

int from_dump(struct session *s, const char *file, const char *data_dir)
{
	struct reader r = {.s = s, .t = s->t, .file = file, .data_dir = -1};
	struct lines lines;
	int code = EXIT_OK;

	r.data_label = data_dir;
	if (data_dir) {
		r.data_dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (r.data_dir < 0)
			return tool_fail_errno(s->t, s->op, s->image, data_dir);
	}
	if (!lines_open(&lines, file)) {
		code = tool_fail_errno(s->t, s->op, s->image, file);
	} else {
		r.path = xmalloc((CIM_MAX_PATH + 1) * sizeof(*r.path));
		r.buf = xmalloc(HASH_BUFFER);
		r.hash = sha256_new();
		code = r.hash ? read_lines(&r, &lines) : bad(&r, "no SHA-256");
		sha256_free(r.hash);
		free(r.path);
		free(r.buf);
		for (size_t i = 0; i < 3; i++)
			text_free(&r.blob[i]);
		text_free(&r.data);
		free(r.root_streams);
		lines_close(&lines);
	}
	if (r.data_dir >= 0)
		close(r.data_dir);
	return code;
}
