/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.c - the lines of a text file, wherever it was written
 *
 * Editors and shells on Windows end lines with CR LF, put a byte order mark in front of UTF-8, or
 * write UTF-16, which begins with one too: PowerShell's ">" does the last. All of it comes out as
 * UTF-8 without either.
 */
#include "tool.h"

#include <errno.h>

#define READ_SIZE 65536u

bool lines_open(struct lines *lines, const char *file)
{
	*lines = (struct lines){.f = strcmp(file, "-") ? fopen(file, "re") : stdin};
	return lines->f != NULL;
}

static void close_file(FILE *f)
{
	if (f && f != stdin)
		fclose(f);
}

void lines_close(struct lines *lines)
{
	close_file(lines->f);
	free(lines->line);
	text_free(&lines->decoded);
}

/* All bytes from the first line on, which has been read. */
static void read_rest(struct lines *lines, ssize_t len, struct text *bytes)
{
	char *buf = xmalloc(READ_SIZE);
	size_t got;

	text_add(bytes, lines->line, (size_t)len);
	while (!tool_signal && (got = fread(buf, 1, READ_SIZE, lines->f)) > 0)
		text_add(bytes, buf, got);
	free(buf);
}

/* From UTF-16 of that byte order; false: it ends amid a code unit. */
static bool decode(struct lines *lines, const struct text *bytes, bool big_endian)
{
	const uint8_t *p = (const uint8_t *)bytes->s + 2;
	size_t count = (bytes->len - 2) / 2;
	uint16_t *units;
	char *text;

	if (bytes->len % 2)
		return false;
	units = xcalloc(count + 1, sizeof(*units));
	for (size_t i = 0; i < count; i++)
		units[i] = (uint16_t)(big_endian ? p[2 * i] << 8 | p[2 * i + 1]
						 : p[2 * i + 1] << 8 | p[2 * i]);
	text = xmalloc(count * 3 + 1);
	text_add(&lines->decoded, text, cim_utf8_from_utf16(units, count, text, count * 3 + 1));
	free(text);
	free(units);
	return true;
}

/* Go on with what a file in UTF-16 says in UTF-8. */
static bool use_utf16(struct lines *lines, ssize_t len, bool big_endian)
{
	struct text bytes = {0};
	FILE *f = NULL;
	bool fine;

	read_rest(lines, len, &bytes);
	fine = !ferror(lines->f);
	if (fine && !decode(lines, &bytes, big_endian)) {
		errno = EILSEQ;
		fine = false;
	}
	text_free(&bytes);
	if (fine && lines->decoded.len)
		f = fmemopen(lines->decoded.s, lines->decoded.len, "r");
	close_file(lines->f);
	lines->f = f;
	lines->failed = !fine;
	return f != NULL;
}

/* The first line tells how all are written; its length without the mark, -1: there is none. */
static ssize_t begin(struct lines *lines, ssize_t len)
{
	const unsigned char *s = (const unsigned char *)lines->line;

	lines->begun = true;
	if (len >= 2 && ((s[0] == 0xFF && s[1] == 0xFE) || (s[0] == 0xFE && s[1] == 0xFF)))
		return use_utf16(lines, len, s[0] == 0xFE)
			       ? getline(&lines->line, &lines->room, lines->f)
			       : -1;
	if (len >= 3 && !memcmp(s, "\xEF\xBB\xBF", 3)) {
		len -= 3;
		memmove(lines->line, lines->line + 3, (size_t)len + 1);
	}
	return len;
}

bool lines_next(struct lines *lines)
{
	ssize_t len = -1;

	errno = 0;
	if (lines->f)
		len = getline(&lines->line, &lines->room, lines->f);
	if (len >= 0 && !lines->begun)
		len = begin(lines, len);
	if (len < 0) {
		lines->failed = lines->failed || (lines->f && ferror(lines->f));
		return false;
	}
	lines->whole = len && lines->line[len - 1] == '\n';
	len -= lines->whole;
	len -= len && lines->line[len - 1] == '\r';
	lines->line[len] = '\0';
	lines->len = (size_t)len;
	lines->number++;
	return true;
}
