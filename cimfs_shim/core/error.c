/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - what a call came to, in a code, in words, and in detail
 *
 * A failure is recorded where its cause is known: deep down, cim_fail() starts the caller's record
 * afresh with the status and the cause. What only the upper layers know, the operation, the image
 * and the path, they add on the way out with cim_error_where() and cim_error_path(). The record
 * holds its strings, so nothing here allocates and a lack of memory can be recorded like all else.
 * A string that is too long keeps its end, which for paths says more than the beginning.
 *
 * Causes and paths may quote names that nobody has vouched for. They are kept as they are: what
 * would do harm depends on where they are printed, so who prints them escapes.
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A cause longer than this is cut at its end before it is cut at its beginning. */
#define CIM_LONG_CAUSE 2048

static const struct {
	const char *name;
	const char *text;
} cim_statuses[CIM_STATUS_COUNT] = {
	[CIM_OK] = {"CIM_OK", "success"},
	[CIM_E_INVALID] = {"CIM_E_INVALID", "invalid argument"},
	[CIM_E_POINTER] = {"CIM_E_POINTER", "a pointer is missing"},
	[CIM_E_NO_MEMORY] = {"CIM_E_NO_MEMORY", "out of memory"},
	[CIM_E_ACCESS] = {"CIM_E_ACCESS", "access denied"},
	[CIM_E_FILE_NOT_FOUND] = {"CIM_E_FILE_NOT_FOUND", "no such file"},
	[CIM_E_PATH_NOT_FOUND] = {"CIM_E_PATH_NOT_FOUND", "no such path"},
	[CIM_E_EXISTS] = {"CIM_E_EXISTS", "it exists already"},
	[CIM_E_SHARING] = {"CIM_E_SHARING", "in use"},
	[CIM_E_EOF] = {"CIM_E_EOF", "past the end of the stream"},
	[CIM_E_CORRUPT] = {"CIM_E_CORRUPT", "the image is corrupt"},
	[CIM_E_VERSION] = {"CIM_E_VERSION", "unknown version of the format"},
	[CIM_E_UNSUPPORTED] = {"CIM_E_UNSUPPORTED", "not supported"},
	[CIM_E_LIMIT] = {"CIM_E_LIMIT", "a limit of the format is reached"},
	[CIM_E_DISK_FULL] = {"CIM_E_DISK_FULL", "the disk is full"},
	[CIM_E_TOO_LARGE] = {"CIM_E_TOO_LARGE", "too large for the file system"},
	[CIM_E_IO] = {"CIM_E_IO", "input/output error"},
	[CIM_E_ABORTED] = {"CIM_E_ABORTED", "cancelled"},
};

const char *cim_status_name(enum cim_status status)
{
	return (unsigned)status < CIM_STATUS_COUNT ? cim_statuses[status].name : "CIM_E_?";
}

const char *cim_status_text(enum cim_status status)
{
	return (unsigned)status < CIM_STATUS_COUNT ? cim_statuses[status].text : "unknown status";
}

const char *cim_version(void)
{
	return CIM_VERSION;
}

uint32_t cim_version_number(void)
{
	return CIM_VERSION_NUMBER;
}

/* The bytes to pass over so as not to begin inside a character; at most 3, should it be no text. */
static size_t to_next_character(const char *text, size_t len)
{
	size_t skip = 0;

	while (skip < len && skip < 3 && ((unsigned char)text[skip] & 0xc0) == 0x80)
		skip++;
	return skip;
}

/* Copy a string of @len bytes; one that doesn't fit keeps its end, from a character's start. */
static void keep_end(char *dst, size_t size, const char *src, size_t len)
{
	const char *from, *end;

	if (len < size) {
		memmove(dst, src, len);
		dst[len] = 0;
		return;
	}
	end = src + len;
	from = end - (size - 4);
	from += to_next_character(from, (size_t)(end - from));
	memmove(dst + 3, from, (size_t)(end - from));
	memcpy(dst, "...", 3);
	dst[3 + (end - from)] = 0;
}

static void begin(struct cim_error *err, enum cim_status status, long os_error, const char *cause)
{
	err->status = status;
	err->os_error = os_error;
	err->op[0] = 0;
	err->image[0] = 0;
	err->path[0] = 0;
	keep_end(err->cause, sizeof(err->cause), cause, strlen(cause));
}

enum cim_status cim_fail(struct cim_error *err, enum cim_status status, const char *cause, ...)
{
	char text[CIM_LONG_CAUSE];
	va_list args;

	if (!err)
		return status;
	va_start(args, cause);
	if (vsnprintf(text, sizeof(text), cause, args) < 0)
		text[0] = 0;
	va_end(args);
	begin(err, status, 0, text);
	return status;
}

/* The system's words for its error, or our own. */
static void reason_of(const struct cim_vfs *vfs, enum cim_status status, long os_error,
		      char *reason, size_t size)
{
	if (os_error && vfs->error_text && vfs->error_text(vfs->ctx, os_error, reason, size))
		return;
	if (os_error)
		snprintf(reason, size, "%s (system error %ld)", cim_status_text(status), os_error);
	else
		snprintf(reason, size, "%s", cim_status_text(status));
}

enum cim_status cim_fail_os(struct cim_error *err, enum cim_status status,
			    const struct cim_vfs *vfs, long os_error, const char *what, ...)
{
	char text[CIM_LONG_CAUSE], reason[CIM_LONG_CAUSE / 4];
	va_list args;
	size_t len;

	if (!err)
		return status;
	va_start(args, what);
	/* Half of it for @what, so that the reason behind it always has its place. */
	if (vsnprintf(text, sizeof(text) / 2, what, args) < 0)
		text[0] = 0;
	va_end(args);
	len = strlen(text);
	reason_of(vfs, status, os_error, reason, sizeof(reason));
	snprintf(text + len, sizeof(text) - len, "%s%s", len ? ": " : "", reason);
	begin(err, status, os_error, text);
	return status;
}

enum cim_status cim_fail_as(struct cim_error *err, enum cim_status status,
			    const struct cim_error *why)
{
	if (err && status)
		*err = *why;
	return status;
}

/* "open image x.cim: opening x.cim: no such file" says one thing twice. */
static void drop_opening(struct cim_error *err)
{
	static const char opening[] = "opening ";
	const char *name = err->image;
	char *cause = err->cause;
	size_t len;

	for (const char *p = err->image; *p; p++) {
		if (*p == '/' || *p == '\\')
			name = p + 1;
	}
	len = strlen(name);
	if (strncmp(cause, opening, sizeof(opening) - 1) != 0)
		return;
	cause += sizeof(opening) - 1;
	if (len && !strncmp(cause, name, len) && !strncmp(cause + len, ": ", 2))
		memmove(err->cause, cause + len + 2, strlen(cause + len + 2) + 1);
}

enum cim_status cim_error_where(struct cim_error *err, enum cim_status status, const char *op,
				const char *image)
{
	if (!err || !status)
		return status;
	err->status = status;
	if (op)
		keep_end(err->op, sizeof(err->op), op, strlen(op));
	if (image)
		keep_end(err->image, sizeof(err->image), image, strlen(image));
	drop_opening(err);
	return status;
}

/* Put WTF-8 text into the record: what would end it early or is not ours is replaced. */
static void set_path(struct cim_error *err, char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == 0)
			text[i] = '?';
		else if (text[i] == '/')
			text[i] = '\\';
	}
	keep_end(err->path, sizeof(err->path), text, len);
}

/*
 * More units or bytes than this can't be shown: only so many are looked at. It is enough more than
 * there is room for that a pair cut in two at the beginning is never shown.
 */
#define CIM_SHOWN (sizeof(((struct cim_error *)0)->path) + 4)

void cim_error_path(struct cim_error *err, const uint16_t *path, size_t units)
{
	char text[3 * CIM_SHOWN + 1];

	if (!err || !path)
		return;
	if (!units) {
		memcpy(err->path, "\\", 2);
		return;
	}
	if (units > CIM_SHOWN) {
		path += units - CIM_SHOWN;
		units = CIM_SHOWN;
	}
	set_path(err, text, cim_utf8_from_utf16(path, units, text, sizeof(text)));
}

/* The bytes of the character that begins at @text, or 0 if none well-formed does. */
static size_t character(const char *text, size_t len)
{
	unsigned char lead = (unsigned char)text[0];
	size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	size_t units;

	if (bytes > len || cim_utf16_from_utf8(text, bytes, NULL, 0, &units))
		return 0;
	return bytes;
}

void cim_error_str(struct cim_error *err, struct cim_str path)
{
	char text[CIM_SHOWN];
	size_t skip;

	if (!err)
		return;
	if (!path.utf8 || !path.units) {
		static const uint16_t none[1];

		cim_error_path(err, path.utf8 ? none : path.utf16, path.units);
		return;
	}
	skip = path.units > CIM_SHOWN ? path.units - CIM_SHOWN : 0;
	if (skip)
		skip += to_next_character(path.utf8 + skip, path.units - skip);
	path.utf8 += skip;
	path.units -= skip;
	for (size_t i = 0, bytes; i < path.units; i += bytes) {
		bytes = character(path.utf8 + i, path.units - i);
		if (bytes) {
			memcpy(text + i, path.utf8 + i, bytes);
		} else {
			text[i] = '?';
			bytes = 1;
		}
	}
	set_path(err, text, path.units);
}

bool cim_any_null(struct cim_error *err, const char *op, const char *names,
		  const void *const *pointers)
{
	for (; *names; pointers++) {
		const size_t len = strcspn(names, ",");

		if (!*pointers) {
			cim_fail(err, CIM_E_POINTER, "%.*s is NULL", (int)len, names);
			cim_error_where(err, CIM_E_POINTER, op, NULL);
			return true;
		}
		names += len + strspn(names + len, ", ");
	}
	return false;
}
