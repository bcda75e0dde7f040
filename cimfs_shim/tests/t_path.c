/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit test of core/path.c: the syntax of paths, row by row (decisions D10, D11, D20 to D23).
 *
 * Each row is tried in both encodings and under each of the three rules about streams: a plain path
 * and the root are fine unless a stream is required, a path with a stream where one is allowed or
 * required, a malformed one never.
 */
#include "../core/path.h"
#include "testenv.h"

enum kind {
	ROOT,
	PLAIN,
	STREAM,
	BAD,
};

struct row {
	const char *why;
	const char *text;
	enum kind kind;
	const char *components; /* each followed by '\n', which none can hold */
	const char *stream;
};

/* clang-format off */
static const struct row rows[] = {
	{"D22: nothing is the root", "", ROOT, "", NULL},
	{"D22: a lone backslash is the root", "\\", ROOT, "", NULL},
	{"a lone slash is the root in UTF-8", "/", ROOT, "", NULL},

	{"one component", "a", PLAIN, "a\n", NULL},
	{"D20: one leading backslash", "\\a", PLAIN, "a\n", NULL},
	{"one leading slash", "/a", PLAIN, "a\n", NULL},
	{"three components", "dir\\sub\\file.txt", PLAIN, "dir\nsub\nfile.txt\n", NULL},
	{"slashes", "dir/sub/file.txt", PLAIN, "dir\nsub\nfile.txt\n", NULL},
	{"both separators", "/dir\\sub/file.txt", PLAIN, "dir\nsub\nfile.txt\n", NULL},
	{"D21: a device's name", "con", PLAIN, "con\n", NULL},
	{"D21: a device's name with an extension", "dir\\NUL.txt", PLAIN, "dir\nNUL.txt\n", NULL},
	{"D21: a trailing dot", "a.", PLAIN, "a.\n", NULL},
	{"D21: a trailing blank", "a ", PLAIN, "a \n", NULL},
	{"D21: trailing dots and blanks inside", "a. .\\b .", PLAIN, "a. .\nb .\n", NULL},
	{"D21: a blank alone", " ", PLAIN, " \n", NULL},
	{"D21: three dots", "...", PLAIN, "...\n", NULL},
	{"D21: a dot and a blank", ". \\.. ", PLAIN, ". \n.. \n", NULL},
	{"D21: names that begin with dots", ".a\\..b", PLAIN, ".a\n..b\n", NULL},
	{"D21: an unpaired high surrogate", "x\xed\xa0\x80", PLAIN, "x\xed\xa0\x80\n", NULL},
	{"D21: an unpaired low surrogate", "\xed\xb0\x80y", PLAIN, "\xed\xb0\x80y\n", NULL},
	{"a character beyond the BMP", "\xf0\x9f\x98\x80", PLAIN, "\xf0\x9f\x98\x80\n", NULL},
	{"characters that look like separators", "a\xe2\x88\x95" "b\xef\xbc\xbc" "c\xef\xbc\x9a" "d", PLAIN,
	 "a\xe2\x88\x95" "b\xef\xbc\xbc" "c\xef\xbc\x9a" "d\n", NULL},
	{"punctuation that NT allows", "a!#$%&'()+,-;=@[]^_`{}~b", PLAIN, "a!#$%&'()+,-;=@[]^_`{}~b\n", NULL},
	{"DEL", "a\x7f", PLAIN, "a\x7f\n", NULL},

	{"D20: a trailing backslash", "a\\", BAD, NULL, NULL},
	{"D20: a trailing slash", "a/", BAD, NULL, NULL},
	{"D20: a trailing backslash behind two components", "a\\b\\", BAD, NULL, NULL},
	{"D20: two leading backslashes", "\\\\a", BAD, NULL, NULL},
	{"D20: two leading slashes", "//a", BAD, NULL, NULL},
	{"D20: two leading separators of both kinds", "\\/a", BAD, NULL, NULL},
	{"D20: two backslashes alone", "\\\\", BAD, NULL, NULL},
	{"D20: an empty component", "a\\\\b", BAD, NULL, NULL},
	{"D20: an empty component, slashes", "a//b", BAD, NULL, NULL},
	{"D20: an empty component, both separators", "a\\/b", BAD, NULL, NULL},
	{"D20: '.' alone", ".", BAD, NULL, NULL},
	{"D20: '..' alone", "..", BAD, NULL, NULL},
	{"D20: '.' behind the separator", "\\.", BAD, NULL, NULL},
	{"D20: '.' first", ".\\a", BAD, NULL, NULL},
	{"D20: '..' first", "..\\a", BAD, NULL, NULL},
	{"D20: '.' inside", "a\\.\\b", BAD, NULL, NULL},
	{"D20: '..' inside", "a\\..\\b", BAD, NULL, NULL},
	{"D20: '.' last", "a\\.", BAD, NULL, NULL},
	{"D20: '..' last", "a\\..", BAD, NULL, NULL},
	{"a verbatim prefix", "\\\\?\\C:\\a", BAD, NULL, NULL},
	{"an NT prefix", "\\??\\C:\\a", BAD, NULL, NULL},

	{"D10: a stream", "f:s", STREAM, "f\n", "s"},
	{"D10: a stream with its type", "f:s:$DATA", STREAM, "f\n", "s"},
	{"D10: the type in small letters", "f:s:$data", STREAM, "f\n", "s"},
	{"D10: the type in mixed case", "f:s:$dAtA", STREAM, "f\n", "s"},
	{"a leading separator and a stream", "\\f:s", STREAM, "f\n", "s"},
	{"a stream of an item in a directory", "d\\e\\f:s", STREAM, "d\ne\nf\n", "s"},
	{"a stream of an item in a directory, slashes", "d/e/f:s:$DATA", STREAM, "d\ne\nf\n", "s"},
	{"a stream called $DATA", "f:$DATA", STREAM, "f\n", "$DATA"},
	{"a stream called $DATA, with its type", "f:$DATA:$DATA", STREAM, "f\n", "$DATA"},
	{"a stream's name with blanks and dots", "f: s. ", STREAM, "f\n", " s. "},
	{"a stream called '.'", "f:.", STREAM, "f\n", "."},
	{"a stream called '..'", "f:..:$DATA", STREAM, "f\n", ".."},
	{"a stream's name with an unpaired surrogate", "f:\xed\xb0\x80", STREAM, "f\n", "\xed\xb0\x80"},
	{"a stream's name beyond the BMP", "f:\xf0\x9f\x98\x80:$DATA", STREAM, "f\n", "\xf0\x9f\x98\x80"},
	{"what looks like a drive is a stream", "C:a", STREAM, "C\n", "a"},

	{"D10: the default stream by its type", "f::$DATA", BAD, NULL, NULL},
	{"D10: an empty stream name", "f:", BAD, NULL, NULL},
	{"D10: an empty stream name and type", "f::", BAD, NULL, NULL},
	{"D10: an empty type", "f:s:", BAD, NULL, NULL},
	{"D10: another type", "f:s:$INDEX_ALLOCATION", BAD, NULL, NULL},
	{"D10: a type without '$'", "f:s:DATA", BAD, NULL, NULL},
	{"D10: a type cut short", "f:s:$DAT", BAD, NULL, NULL},
	{"D10: more behind the type", "f:s:$DATAX", BAD, NULL, NULL},
	{"D10: a blank behind the type", "f:s:$DATA ", BAD, NULL, NULL},
	{"D10: a colon behind the type", "f:s:$DATA:", BAD, NULL, NULL},
	{"D10: another part behind the type", "f:s:$DATA:t", BAD, NULL, NULL},
	{"D10: a wide letter in the type", "f:s:$D\xef\xbc\xa1TA", BAD, NULL, NULL},
	{"D22: a stream of the root", ":s", BAD, NULL, NULL},
	{"D22: a stream of the root, with its type", ":s:$DATA", BAD, NULL, NULL},
	{"D22: a stream of the root behind a separator", "\\:s", BAD, NULL, NULL},
	{"D22: a stream of the root behind a slash", "/:s", BAD, NULL, NULL},
	{"a colon alone", ":", BAD, NULL, NULL},
	{"two colons alone", "::", BAD, NULL, NULL},
	{"the type alone", "::$DATA", BAD, NULL, NULL},
	{"a stream of an empty last component", "d\\:s", BAD, NULL, NULL},
	{"a stream of '.'", "d\\.:s", BAD, NULL, NULL},
	{"a stream of '..'", "..:s", BAD, NULL, NULL},
	{"a separator in a stream's name", "f:s\\t", BAD, NULL, NULL},
	{"a slash in a stream's name", "f:s/t", BAD, NULL, NULL},
	{"a separator at the end of a stream's name", "f:s\\", BAD, NULL, NULL},
	{"a separator right behind the colon", "f:\\s", BAD, NULL, NULL},
	{"a separator behind the type", "f:s:$DATA\\", BAD, NULL, NULL},
	{"a colon in a directory's name", "d:s\\f", BAD, NULL, NULL},
	{"a colon in a directory's name and a stream", "d:s\\f:s", BAD, NULL, NULL},
	{"a drive", "C:\\a", BAD, NULL, NULL},
	{"a drive alone", "C:", BAD, NULL, NULL},
	{"a wildcard in a stream's name", "f:s*", BAD, NULL, NULL},
};
/* clang-format on */

static struct test_memory memory;
static struct cim_env env;

/* Everything that a path holds, in the form of struct row. */
static void spell(const struct cim_path *path, char *components, char *stream, size_t size)
{
	const uint16_t *name;
	size_t units, pos = 0, len = 0;

	components[0] = 0;
	while (cim_path_next(path, &pos, &name, &units)) {
		len += cim_utf8_from_utf16(name, units, components + len, size - len);
		components[len++] = '\n';
		components[len] = 0;
	}
	cim_utf8_from_utf16(path->stream, path->stream_units, stream, size);
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void check_result(const struct row *row, const struct cim_path *path, const char *how)
{
	char components[256], stream[256];

	spell(path, components, stream, sizeof(components));
	is_str(components, row->components, "%s, %s: the components", row->why, how);
	is_str(stream, row->stream ? row->stream : "", "%s, %s: the stream", row->why, how);
	is_int(path->components, count_lines(row->components), "%s, %s: their number", row->why,
	       how);
	if (row->kind == ROOT)
		is_int(path->units, 0, "%s, %s: the root has no units", row->why, how);
}

static void try_row(const struct row *row, struct cim_str text, enum kind kind, const char *how)
{
	static const char *const rules[] = {"no stream", "stream allowed", "stream required"};

	for (unsigned rule = CIM_PATH_NO_STREAM; rule <= CIM_PATH_STREAM_REQUIRED; rule++) {
		bool fine = kind == STREAM ? rule != CIM_PATH_NO_STREAM
			    : kind == BAD  ? false
					   : rule != CIM_PATH_STREAM_REQUIRED;
		struct cim_path path;
		struct cim_error err;
		enum cim_status status;

		memset(&path, 0xee, sizeof(path));
		memset(&err, 0xee, sizeof(err));
		status = cim_path_parse(&env, text, (enum cim_path_rule)rule, &path, &err);
		is_int(status, fine ? CIM_OK : CIM_E_INVALID, "%s, %s, %s", row->why, how,
		       rules[rule]);
		if (!status && fine)
			check_result(row, &path, how);
		if (status)
			ok(err.status == status && err.cause[0] && !path.components &&
				   !path.stream_units,
			   "%s, %s, %s: the cause: %.200s", row->why, how, rules[rule], err.cause);
		cim_path_free(&path);
	}
}

/* The same text as UTF-16. A slash separates there too little: it is an error. */
static void try_utf16(const struct row *row)
{
	uint16_t units[256];
	size_t count;
	bool slash = strchr(row->text, '/') != NULL;

	if (cim_utf16_from_utf8(row->text, strlen(row->text), units, 255, &count))
		bail("a row's text is malformed: %s", row->why);
	units[count] = 0;
	try_row(row, cim_str16(units), slash ? BAD : row->kind,
		slash ? "UTF-16 with '/'" : "UTF-16");
}

static enum cim_status parse16(const uint16_t *text, size_t units, enum cim_path_rule rule)
{
	struct cim_path path;
	enum cim_status status;

	status = cim_path_parse(&env, (struct cim_str){.utf16 = text, .units = units}, rule, &path,
				NULL);
	cim_path_free(&path);
	return status;
}

static enum cim_status parse8(const char *text, size_t bytes, enum cim_path_rule rule)
{
	struct cim_path path;
	enum cim_status status;

	status = cim_path_parse(&env, (struct cim_str){.utf8 = text, .units = bytes}, rule, &path,
				NULL);
	cim_path_free(&path);
	return status;
}

static bool is_bad_unit(unsigned c)
{
	return c < 32 || (c < 128 && strchr("*?\"<>|/", (int)c));
}

static void every_character(void)
{
	unsigned wrong = 0;
	struct cim_error err;
	struct cim_path path;

	for (unsigned c = 0; c < 0x10000; c++) {
		uint16_t first[] = {(uint16_t)c, 'x', '\\', 'y'};
		uint16_t last[] = {'x', '\\', 'y', (uint16_t)c};
		uint16_t stream[] = {'x', ':', 'y', (uint16_t)c, 'z'};
		enum cim_status want = is_bad_unit(c) ? CIM_E_INVALID : CIM_OK;

		if (c == ':' || c == '\\')
			continue;
		wrong += parse16(first, 4, CIM_PATH_NO_STREAM) != want;
		wrong += parse16(last, 4, CIM_PATH_NO_STREAM) != want;
		wrong += parse16(stream, 5, CIM_PATH_STREAM_ALLOWED) != want;
	}
	is_int(wrong, 0,
	       "D20: of all code units 0 to 31 and * ? \" < > | / are refused, in UTF-16, "
	       "in a directory's, a file's and a stream's name");
	for (unsigned c = 1; c < 0x80; c++) {
		const char text[] = {'x', (char)c, 'y'};
		const char stream[] = {'x', ':', (char)c, 'y'};

		if (c == ':' || c == '\\' || c == '/')
			continue;
		wrong += parse8(text, 3, CIM_PATH_NO_STREAM) !=
			 (is_bad_unit(c) ? CIM_E_INVALID : CIM_OK);
		wrong += parse8(stream, 4, CIM_PATH_STREAM_ALLOWED) !=
			 (is_bad_unit(c) ? CIM_E_INVALID : CIM_OK);
	}
	is_int(wrong, 0, "D20: of ASCII the same are refused in UTF-8");
	is_int(parse8("a\0b", 3, CIM_PATH_NO_STREAM), CIM_E_INVALID,
	       "a NUL inside UTF-8 is refused");
	cim_path_parse(&env, cim_str8("dir\\a*b"), CIM_PATH_NO_STREAM, &path, &err);
	is_str(err.cause, "the path holds the character *", "the cause names the character");
	cim_path_parse(&env, cim_str8("dir\\a\nb"), CIM_PATH_NO_STREAM, &path, &err);
	is_str(err.cause, "the path holds the control character 0x0a",
	       "the cause names a control character by number");
	cim_path_parse(&env, cim_str8("dir\\.\\f"), CIM_PATH_NO_STREAM, &path, &err);
	is_str(err.cause, "the path has a component .", "the cause names '.'");
	cim_path_parse(&env, cim_str8("dir\\..\\f"), CIM_PATH_NO_STREAM, &path, &err);
	is_str(err.cause, "the path has a component ..", "the cause names '..'");
}

static void malformed(void)
{
	static const uint16_t both[] = {'a', 0};
	struct cim_path path;

	is_int(cim_path_parse(&env, cim_str8(NULL), CIM_PATH_NO_STREAM, &path, NULL), CIM_E_INVALID,
	       "NULL in UTF-8 is no path");
	is_int(cim_path_parse(&env, cim_str16(NULL), CIM_PATH_STREAM_ALLOWED, &path, NULL),
	       CIM_E_INVALID, "NULL in UTF-16 is no path");
	is_int(cim_path_parse(&env, (struct cim_str){"a", both, 1}, CIM_PATH_NO_STREAM, &path,
			      NULL),
	       CIM_E_INVALID, "text in both encodings is no path");
	is_int(parse8("a\xff", 2, CIM_PATH_NO_STREAM), CIM_E_INVALID, "malformed UTF-8");
	is_int(parse8("a\xc0\xaf", 3, CIM_PATH_NO_STREAM), CIM_E_INVALID,
	       "an overlong slash is no separator but malformed");
	is_int(parse8("\xc3", 1, CIM_PATH_NO_STREAM), CIM_E_INVALID, "UTF-8 cut short");
	is_int(parse8("\xed\xa0\x80\xed\xb0\x80", 6, CIM_PATH_NO_STREAM), CIM_E_INVALID,
	       "a pair as two surrogates");
	is_int(parse16((const uint16_t[]){0xd800, 0xdc00}, 2, CIM_PATH_NO_STREAM), CIM_OK,
	       "a pair in UTF-16");
}

/* Fill with @units code units of components of at most 255 'x'. */
static void long_path(uint16_t *text, size_t units)
{
	for (size_t i = 0; i < units; i++)
		text[i] = i % 256 == 255 && i + 1 < units ? '\\' : 'x';
}

struct length {
	const char *why;
	size_t units;
	size_t at; /* where a letter is another one */
	char letter;
	enum cim_status want; /* a ':' may stand for a stream */
};

/* The limits count code units, in either encoding: the first of a text, with one letter changed. */
static void try_lengths(const uint16_t *base, const struct length *rows_of, size_t count)
{
	static uint16_t text[40000];
	static char bytes[3 * 40000];

	for (size_t i = 0; i < count; i++) {
		const struct length *row = &rows_of[i];
		enum cim_path_rule rule = row->letter == ':' ? CIM_PATH_STREAM_ALLOWED
							     : CIM_PATH_NO_STREAM;

		memcpy(text, base, row->units * sizeof(*text));
		text[row->at] = (uint8_t)row->letter;
		is_int(parse16(text, row->units, rule), row->want, "D20: %s", row->why);
		is_int(parse8(bytes, cim_utf8_from_utf16(text, row->units, bytes, sizeof(bytes)),
			      rule),
		       row->want, "D20: %s, in UTF-8", row->why);
	}
}

static void lengths(void)
{
	static const struct length names[] = {
		{"a component of 255", 255, 0, 'x', CIM_OK},
		{"a component of 256", 256, 0, 'x', CIM_E_INVALID},
		{"a directory's name of 256", 258, 256, '\\', CIM_E_INVALID},
		{"255 behind a separator", 256, 0, '\\', CIM_OK},
		{"255 behind a directory", 257, 1, '\\', CIM_OK},
		{"256 behind a directory", 258, 1, '\\', CIM_E_INVALID},
		{"a stream's name of 255", 257, 1, ':', CIM_OK},
		{"a stream's name of 256", 258, 1, ':', CIM_E_INVALID},
		{"a name of 255 and a stream", 257, 255, ':', CIM_OK},
		{"a name of 256 and a stream", 258, 256, ':', CIM_E_INVALID},
	};
	static const struct length paths[] = {
		{"a path of 32767", 32767, 0, 'x', CIM_OK},
		{"a path of 32768", 32768, 0, 'x', CIM_E_INVALID},
		{"a path of 32768, its leading separator counted", 32768, 0, '\\', CIM_E_INVALID},
		{"a path of 32767, its stream counted", 32767, 32765, ':', CIM_OK},
		{"a path of 32768, its stream counted", 32768, 32765, ':', CIM_E_INVALID},
	};
	static uint16_t text[40000];

	for (size_t i = 0; i < 300; i++)
		text[i] = 'x';
	try_lengths(text, names, sizeof(names) / sizeof(names[0]));
	long_path(text, 32768);
	try_lengths(text, paths, sizeof(paths) / sizeof(paths[0]));
}

/* Not bytes and not characters. */
static void lengths_in_bytes(void)
{
	static uint16_t text[40000];
	static char bytes[3 * 40000];
	size_t len;

	for (size_t i = 0; i < 256; i++)
		memcpy(bytes + 3 * i, "\xe2\x82\xac", 3);
	is_int(parse8(bytes, 255 * 3, CIM_PATH_NO_STREAM), CIM_OK, "D20: 255 of three bytes");
	is_int(parse8(bytes, 256 * 3, CIM_PATH_NO_STREAM), CIM_E_INVALID,
	       "D20: 256 of three bytes");
	for (size_t i = 0; i < 128; i++)
		memcpy(bytes + 4 * i, "\xf0\x9f\x98\x80", 4);
	bytes[127 * 4] = 'x';
	is_int(parse8(bytes, 127 * 4 + 1, CIM_PATH_NO_STREAM), CIM_OK,
	       "D20: 127 pairs and one more");
	memcpy(bytes + 127 * 4, "\xf0\x9f\x98\x80", 4);
	is_int(parse8(bytes, 128 * 4, CIM_PATH_NO_STREAM), CIM_E_INVALID, "D20: 128 pairs");
	/* As many bytes as any path can have, all of three. */
	for (size_t i = 0; i < 32767; i++)
		text[i] = i % 256 == 255 ? '\\' : 0x20ac;
	len = cim_utf8_from_utf16(text, 32767, bytes, sizeof(bytes));
	is_int(parse8(bytes, len, CIM_PATH_NO_STREAM), CIM_OK, "D20: a path of 32767, %u bytes",
	       (unsigned)len);
	memset(bytes, 'x', sizeof(bytes));
	is_int(parse8(bytes, 3 * 32767 + 1, CIM_PATH_NO_STREAM), CIM_E_INVALID,
	       "D20: more bytes than any path can have");
}

static void borders_of_buffers(void)
{
	static uint16_t text[600];
	struct cim_path path;
	struct cim_error err;
	unsigned wrong = 0;

	long_path(text, 600);
	for (size_t units = 1; units < 600; units++) {
		struct cim_str s = {.utf16 = text, .units = units};

		if (text[units - 1] == '\\')
			continue;
		wrong += cim_path_parse(&env, s, CIM_PATH_NO_STREAM, &path, NULL) != CIM_OK ||
			 path.units != units || memcmp(path.buf, text, units * 2) != 0;
		cim_path_free(&path);
		cim_path_free(&path);
	}
	is_int(wrong, 0, "any length to 600: the units are kept; freeing twice is fine");
	is_int(memory.in_use, 0, "any length: nothing is lost");

	memory.fail_at = 1;
	is_int(parse16(text, 200, CIM_PATH_NO_STREAM), CIM_OK, "a short path needs no memory");
	is_int(cim_path_parse(&env, (struct cim_str){.utf16 = text, .units = 600},
			      CIM_PATH_NO_STREAM, &path, &err),
	       CIM_E_NO_MEMORY, "a long one fails when there is none");
	is_int(err.status, CIM_E_NO_MEMORY, "and says so");
	ok(!path.components && !path.units, "and is empty");
	cim_path_free(&path);
	memory.fail_at = 0;
	memory.calls = 0;
	text[500] = '*';
	is_int(parse16(text, 600, CIM_PATH_NO_STREAM), CIM_E_INVALID, "a long malformed path");
	is_int(memory.in_use, 0, "a long malformed path: its memory is given back");
	is_int(memory.calls, 1, "a long path: one allocation");
}

static void image_name(const char *why, const char *name, enum cim_status want)
{
	struct cim_error err = {.cause = ""};

	is_int(cim_check_image_name(name, &err), want, "image name: %s", why);
	if (want)
		ok(err.cause[0] && err.status == want, "image name: %s: %s", why, err.cause);
}

static void image_names(void)
{
	static char name[800];

	image_name("an ordinary one", "layer.cim", CIM_OK);
	image_name("no extension", "image_fork", CIM_OK);
	image_name("blanks and dots", " a. .", CIM_OK);
	image_name("beyond ASCII", "\xc3\xa4\xf0\x9f\x98\x80.cim", CIM_OK);
	image_name("bytes that are no UTF-8, as some hosts allow", "\xff\xfe.cim", CIM_OK);
	image_name("D23: a backslash", "dir\\x.cim", CIM_E_INVALID);
	image_name("D23: a slash", "dir/x.cim", CIM_E_INVALID);
	image_name("D23: a colon", "x.cim:s", CIM_E_INVALID);
	image_name("D23: nothing", "", CIM_E_INVALID);
	image_name("the directory itself", ".", CIM_E_INVALID);
	image_name("the directory above", "..", CIM_E_INVALID);
	memset(name, 'x', 255);
	image_name("D23: 255 units", name, CIM_OK);
	name[255] = 'x';
	image_name("D23: 256 units", name, CIM_E_INVALID);
	memset(name, 0, sizeof(name));
	for (size_t i = 0; i < 255; i++)
		memcpy(name + 3 * i, "\xe2\x82\xac", 3);
	image_name("D23: 255 units of three bytes", name, CIM_OK);
	strcat(name, "x");
	image_name("D23: 256 units, most of three bytes", name, CIM_E_INVALID);
	memset(name, 0, sizeof(name));
	memset(name, 0xff, 256);
	image_name("D23: 256 bytes that are no UTF-8", name, CIM_E_INVALID);
}

int main(void)
{
	env = test_env(&memory);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		try_row(&rows[i], cim_str8(rows[i].text), rows[i].kind, "UTF-8");
		try_utf16(&rows[i]);
	}
	every_character();
	malformed();
	lengths();
	lengths_in_bytes();
	borders_of_buffers();
	image_names();
	is_int(memory.in_use, 0, "nothing is lost");
	is_int(memory.zero_sizes, 0, "the allocator is never asked for 0 bytes");
	return tap_done();
}
