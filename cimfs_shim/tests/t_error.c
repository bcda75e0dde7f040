/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/error.c: the detail of a failure. */
#include "../core/error.h"
#include "testenv.h"

/* A record with rubbish in it, as a caller's is before the first call. */
static void rubbish(struct cim_error *err)
{
	memset(err, '#', sizeof(*err));
}

static bool one_line(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 32 || *text == 127)
			return false;
	}
	return true;
}

static void statuses(void)
{
	unsigned bad_name = 0, bad_text = 0, twice = 0;

	for (int i = 0; i < CIM_STATUS_COUNT; i++) {
		const char *name = cim_status_name((enum cim_status)i);
		const char *text = cim_status_text((enum cim_status)i);

		bad_name += !name || strncmp(name, i ? "CIM_E_" : "CIM_OK", 6) != 0 ||
			    strchr(name, '?') != NULL;
		bad_text += !text || !*text || strchr(text, '.') || !one_line(text);
		for (int j = 0; j < i; j++) {
			twice += !strcmp(name, cim_status_name((enum cim_status)j));
			twice += !strcmp(text, cim_status_text((enum cim_status)j));
		}
	}
	is_int(bad_name, 0, "every status has a name");
	is_int(bad_text, 0, "every status has a text of one line without a full stop");
	is_int(twice, 0, "no two have the same");
	is_str(cim_status_name(CIM_OK), "CIM_OK", "the name of the first");
	is_str(cim_status_name(CIM_E_SHARING), "CIM_E_SHARING", "the name of one in the middle");
	is_str(cim_status_name(CIM_E_ABORTED), "CIM_E_ABORTED", "the name of the last");
	is_str(cim_status_text(CIM_E_CORRUPT), "the image is corrupt", "the text of one");
	is_str(cim_status_name(CIM_STATUS_COUNT), "CIM_E_?", "the first unknown status");
	is_str(cim_status_name((enum cim_status) - 1), "CIM_E_?", "a negative status");
	ok(cim_status_text(CIM_STATUS_COUNT) && cim_status_text((enum cim_status) - 1),
	   "the text of unknown ones is not NULL");
}

static void version(void)
{
	unsigned major, minor, patch;
	int end = 0;

	ok(sscanf(cim_version(), "%u.%u.%u%n", &major, &minor, &patch, &end) == 3 &&
		   !cim_version()[end],
	   "the version is MAJOR.MINOR.PATCH: %s", cim_version());
	is_int(cim_version_number(), major << 16 | minor << 8 | patch, "and as a number the same");
	is_int(CIM_VERSION_NUMBER, cim_version_number(), "which is the header's");
}

static bool text_of_28(void *ctx, long os_error, char *buf, size_t size)
{
	(void)ctx;
	snprintf(buf, size, "No space left");
	return os_error == 28;
}

static const struct cim_vfs mute, speaking = {.error_text = text_of_28};

static void failing(void)
{
	struct cim_error err;

	rubbish(&err);
	is_int(cim_fail(&err, CIM_E_CORRUPT, "entry %d of %s", 7, "table"), CIM_E_CORRUPT,
	       "cim_fail returns the status");
	is_int(err.status, CIM_E_CORRUPT, "cim_fail records it");
	is_int(err.os_error, 0, "cim_fail: no system call failed");
	is_str(err.cause, "entry 7 of table", "cim_fail: the cause");
	ok(!err.op[0] && !err.image[0] && !err.path[0], "cim_fail clears the rest");
	is_int(cim_fail(NULL, CIM_E_EOF, "x"), CIM_E_EOF, "cim_fail takes NULL");

	rubbish(&err);
	is_int(cim_fail_os(&err, CIM_E_DISK_FULL, &mute, 28, "writing %s", "region_0"),
	       CIM_E_DISK_FULL, "cim_fail_os returns the status");
	is_int(err.status, CIM_E_DISK_FULL, "cim_fail_os records it");
	is_int(err.os_error, 28, "cim_fail_os keeps the system's code");
	is_str(err.cause, "writing region_0: the disk is full (system error 28)",
	       "cim_fail_os: the cause ends with the status's text and the code");
	cim_fail_os(&err, CIM_E_DISK_FULL, &speaking, 28, "writing %s", "region_0");
	is_str(err.cause, "writing region_0: No space left", "or with the system's own text");
	is_int(err.os_error, 28, "beside which the code is kept");
	cim_fail_os(&err, CIM_E_IO, &speaking, 5, "reading");
	is_str(err.cause, "reading: input/output error (system error 5)",
	       "not where the system has none");
	ok(!err.op[0] && !err.image[0] && !err.path[0], "cim_fail_os clears the rest");
	cim_fail_os(&err, CIM_E_IO, &speaking, 0, "reading");
	is_str(err.cause, "reading: input/output error", "cim_fail_os without a code");
	is_int(cim_fail_os(NULL, CIM_E_IO, &mute, 5, "x"), CIM_E_IO, "cim_fail_os takes NULL");

	cim_fail(&err, CIM_E_CORRUPT, "name %s", "a\nb\tc\x1b[0m\x7f\xc3\xa4");
	is_str(err.cause, "name a\nb\tc\x1b[0m\x7f\xc3\xa4",
	       "a cause quotes a name as it is: escaping is for who prints it");
}

/* A cause of @len characters: a digit for each, counted from the end, so that ends can be told. */
static void numbered(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('0' + (len - 1 - i) % 10);
	text[len] = 0;
}

/* A field of @size has a text of @len whole, or its end behind "...". */
static bool keeps_end(const char *field, size_t size, const char *text, size_t len)
{
	if (len < size)
		return !strcmp(field, text);
	return strlen(field) == size - 1 && !memcmp(field, "...", 3) &&
	       !strcmp(field + 3, text + len - (size - 4));
}

static void long_causes(void)
{
	static char text[5000];
	struct cim_error err;
	unsigned wrong = 0;

	for (size_t len = 0; len < 2000; len++) {
		numbered(text, len);
		rubbish(&err);
		cim_fail(&err, CIM_E_IO, "%s", text);
		wrong += !keeps_end(err.cause, sizeof(err.cause), text, len);
	}
	is_int(wrong, 0, "a cause that is too long keeps its end behind \"...\"");
	numbered(text, 4999);
	cim_fail(&err, CIM_E_IO, "%s", text);
	is_int(strlen(err.cause), sizeof(err.cause) - 1, "a monstrous cause is cut");
	cim_fail_os(&err, CIM_E_IO, &mute, 5, "%s", text);
	is_str(err.cause + strlen(err.cause) - 37, ": input/output error (system error 5)",
	       "a monstrous cause of a system call keeps the reason");
}

static void where(void)
{
	static char text[3000];
	struct cim_error err;
	struct cim_error before;
	unsigned wrong = 0;

	cim_fail(&err, CIM_E_CORRUPT, "cause");
	is_int(cim_error_where(&err, CIM_E_CORRUPT, "open image", "dir/x.cim"), CIM_E_CORRUPT,
	       "cim_error_where returns the status");
	is_str(err.op, "open image", "cim_error_where: the operation");
	is_str(err.image, "dir/x.cim", "cim_error_where: the image");
	is_str(err.cause, "cause", "cim_error_where keeps the cause");
	cim_error_where(&err, CIM_E_CORRUPT, NULL, NULL);
	is_str(err.op, "open image", "cim_error_where: NULL keeps the operation");
	is_str(err.image, "dir/x.cim", "cim_error_where: NULL keeps the image");
	cim_error_where(&err, CIM_E_IO, "commit", NULL);
	is_str(err.op, "commit", "cim_error_where: an outer operation replaces the inner");
	is_int(err.status, CIM_E_IO, "cim_error_where: the record has the status that is returned");
	before = err;
	is_int(cim_error_where(&err, CIM_OK, "read", "y.cim"), CIM_OK, "CIM_OK is returned");
	ok(!memcmp(&err, &before, sizeof(err)), "CIM_OK leaves the record alone");
	is_int(cim_error_where(NULL, CIM_E_IO, "read", "y.cim"), CIM_E_IO, "NULL is fine");

	for (size_t len = 0; len < 1000; len++) {
		numbered(text, len);
		cim_error_where(&err, CIM_E_IO, text, text);
		wrong += !keeps_end(err.op, sizeof(err.op), text, len) ||
			 !keeps_end(err.image, sizeof(err.image), text, len);
	}
	is_int(wrong, 0, "any length: the operation and the image keep their end");
}

static bool wellformed(const char *text)
{
	size_t units;

	return cim_utf16_from_utf8(text, strlen(text), NULL, 0, &units) == CIM_OK;
}

static const uint16_t odd_path[] = {'d', '\\', 0xe4, '\\', 0xd800};

static void paths(void)
{
	static const uint16_t with_nul[] = {'a', 0, 'b'};
	struct cim_error err;

	cim_fail(&err, CIM_E_CORRUPT, "cause");
	cim_error_path(&err, odd_path, 5);
	is_str(err.path, "d\\\xc3\xa4\\\xed\xa0\x80", "a path in WTF-8");
	cim_error_path(&err, NULL, 0);
	is_str(err.path, "d\\\xc3\xa4\\\xed\xa0\x80", "NULL leaves it as it is");
	cim_error_path(&err, odd_path, 0);
	is_str(err.path, "\\", "the root is a lone backslash");
	cim_error_path(&err, with_nul, 3);
	is_str(err.path, "a?b", "a NUL in a name doesn't end it");
	cim_error_path(NULL, odd_path, 5);
	is_str(err.cause, "cause", "the cause is kept");
}

static void long_paths(void)
{
	static uint16_t text[40000];
	struct cim_error err;
	unsigned wrong = 0;
	size_t len;

	/* Pairs and three-byte characters at each place of the cut. */
	for (size_t kind = 0; kind < 3; kind++) {
		for (size_t units = 1; units < 1100; units++) {
			for (size_t i = 0; i < units; i++)
				text[i] = kind == 0   ? (uint16_t)('0' + (units - i) % 10)
					  : kind == 1 ? 0x20ac
					  : i % 2     ? 0xde00
						      : 0xd83d;
			cim_error_path(&err, text, units);
			len = strlen(err.path);
			wrong += !wellformed(err.path) || len > sizeof(err.path) - 1;
			wrong += cim_utf8_from_utf16(text, units, NULL, 0) < sizeof(err.path)
					 ? !memcmp(err.path, "...", 3)
					 : memcmp(err.path, "...", 3) != 0 ||
						   len < sizeof(err.path) - 5;
		}
	}
	is_int(wrong, 0, "a long path keeps its end, cut at a character, behind \"...\"");
	for (size_t i = 0; i < 40000; i++)
		text[i] = (uint16_t)('0' + (40000 - 1 - i) % 10);
	cim_error_path(&err, text, 40000);
	is_int(strlen(err.path), sizeof(err.path) - 1, "a monstrous path fills the field");
	ok(!memcmp(err.path, "...", 3) && err.path[sizeof(err.path) - 2] == '0' &&
		   err.path[3] == '0' + (sizeof(err.path) - 5) % 10,
	   "and shows its end");
}

static void paths_as_given(void)
{
	struct cim_error err;
	unsigned wrong = 0;
	char *utf8;

	cim_error_str(&err, cim_str8("dir/\xc3\xa4/f:s"));
	is_str(err.path, "dir\\\xc3\xa4\\f:s", "UTF-8: separators become '\\'");
	cim_error_str(&err, cim_str8(""));
	is_str(err.path, "\\", "UTF-8: nothing is the root");
	cim_error_str(&err, cim_str8("a\xff\xc3"));
	is_str(err.path, "a??", "UTF-8: what is malformed is replaced");
	cim_error_str(&err, (struct cim_str){.utf8 = "a\0b", .units = 3});
	is_str(err.path, "a?b", "UTF-8: a NUL is replaced");
	cim_error_str(&err, (struct cim_str){.utf16 = odd_path, .units = 5});
	is_str(err.path, "d\\\xc3\xa4\\\xed\xa0\x80", "UTF-16 likewise");
	cim_error_str(&err, cim_str8(NULL));
	is_str(err.path, "d\\\xc3\xa4\\\xed\xa0\x80", "NULL text leaves it as it is");
	cim_error_str(NULL, cim_str8("x"));

	for (size_t bytes = 1; bytes < 1200; bytes++) {
		/* Of its own size, so that the sanitizers see a read past it. */
		utf8 = malloc(bytes);
		if (!utf8)
			bail("out of memory");
		for (size_t i = 0; i < bytes; i++)
			utf8[i] = "\xe2\x82\xac"[(i + bytes) % 3];
		cim_error_str(&err, (struct cim_str){.utf8 = utf8, .units = bytes});
		wrong += !wellformed(err.path) || strlen(err.path) > sizeof(err.path) - 1;
		memset(utf8, 0x80, bytes);
		cim_error_str(&err, (struct cim_str){.utf8 = utf8, .units = bytes});
		wrong += !wellformed(err.path) || !err.path[0];
		free(utf8);
	}
	is_int(wrong, 0, "UTF-8: any length, whole or malformed, is shown as well-formed text");
}

/* The first and the last character of each length: inside a text, and at its end. */
static void each_length(void)
{
	static const char *const characters[] = {
		"\x01",		"\x7f",		"\xc2\x80",	    "\xdf\xbf",
		"\xe0\xa0\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
	};
	struct cim_error err;
	char text[16], want[16];

	for (size_t i = 0; i < sizeof(characters) / sizeof(*characters); i++) {
		for (int cut = 0; cut < 2; cut++) {
			const char *end = cut ? "" : "x";

			snprintf(text, sizeof(text), "a%s%s", characters[i], end);
			cim_error_str(&err, cim_str8(text));
			is_str(err.path, text, "UTF-8: character %zu%s", i,
			       cut ? " at the end" : "");
		}
		/* Without its last byte it is none: each byte that is left is replaced. */
		snprintf(text, sizeof(text), "a%s", characters[i]);
		text[strlen(text) - 1] = 0;
		snprintf(want, sizeof(want), "a%.*s", (int)strlen(text) - 1, "???");
		cim_error_str(&err, cim_str8(text));
		is_str(err.path, want, "UTF-8: character %zu without its last byte", i);
	}
}

/* The cause of a failure to open a file of an image's. */
static const char *cause_where(struct cim_error *err, const char *cause, const char *image)
{
	cim_fail(err, CIM_E_FILE_NOT_FOUND, "%s", cause);
	cim_error_where(err, CIM_E_FILE_NOT_FOUND, "open image", image);
	return err->cause;
}

static void told_once(void)
{
	struct cim_error err;

	is_str(cause_where(&err, "opening x.cim: why", "x.cim"), "why",
	       "an image's name is told once");
	is_str(cause_where(&err, "opening x.cim: why", "/dir/x.cim"), "why", "also with a path");
	is_str(cause_where(&err, "opening x.cim: why", "C:\\dir\\x.cim"), "why",
	       "of Windows', too");
	is_str(cause_where(&err, "opening y.cim: why", "/dir/x.cim"), "opening y.cim: why",
	       "another file's name stays");
	is_str(cause_where(&err, "opening x.cim.tmp: why", "x.cim"), "opening x.cim.tmp: why",
	       "and one that begins so");
	is_str(cause_where(&err, "opening x.cim", "x.cim"), "opening x.cim",
	       "and one without a cause");
	is_str(cause_where(&err, "opening : why", "dir/"), "opening : why", "and no name at all");
}

int main(void)
{
	statuses();
	version();
	failing();
	long_causes();
	where();
	told_once();
	paths();
	long_paths();
	paths_as_given();
	each_length();
	return tap_done();
}
