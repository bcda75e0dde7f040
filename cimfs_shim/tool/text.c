/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c - growing strings, names that are safe to print, base64
 *
 * A name from an image is WTF-8: UTF-8, but for unpaired surrogates, and may hold any character.
 * Each name has one escaped form and each escaped form one name, so the same rules serve the
 * terminal and the dump format.
 */
#include "tool.h"

#include <stdarg.h>

void text_add(struct text *text, const char *s, size_t len)
{
	if (len >= text->room - text->len) {
		while (len >= text->room - text->len)
			text->room = text->room ? text->room * 2 : 64;
		text->s = xrealloc(text->s, text->room);
	}
	if (len)
		memcpy(text->s + text->len, s, len);
	text->len += len;
	text->s[text->len] = '\0';
}

void text_puts(struct text *text, const char *s)
{
	text_add(text, s, strlen(s));
}

void text_printf(struct text *text, const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = xvasprintf(fmt, args);
	va_end(args);
	text_puts(text, s);
	free(s);
}

void text_hex(struct text *text, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		text_add(text, (const char[]){digits[p[i] >> 4], digits[p[i] & 15]}, 2);
}

char *hex_text(const void *data, size_t size)
{
	struct text text = {0};

	text_puts(&text, "");
	text_hex(&text, data, size);
	return text.s;
}

void text_cut(struct text *text, size_t len)
{
	text->len = len;
	if (text->s)
		text->s[len] = '\0';
}

void text_free(struct text *text)
{
	free(text->s);
	memset(text, 0, sizeof(*text));
}

/* Does this character have to be escaped? @n: its bytes, 0 if it is none. */
static bool must_escape(const char *s, size_t n, unsigned flags)
{
	return is_harmful(s, n) || (*s == ' ' && (flags & ESCAPE_SPACE)) ||
	       (*s == '/' && (flags & ESCAPE_SLASH));
}

/* How many characters at the front are ASCII and stay as they are: most of most names. */
static size_t plain_run(const char *s, size_t len, unsigned flags)
{
	size_t n = 0;

	while (n < len && (s[n] >= ' ' && s[n] < 0x7f && s[n] != '\\') &&
	       !must_escape(s + n, 1, flags))
		n++;
	return n;
}

void text_escape(struct text *text, const char *s, size_t len, unsigned flags)
{
	static const char hex[] = "0123456789ABCDEF";

	while (len) {
		const size_t run = plain_run(s, len, flags);
		size_t n = run ? run : utf8_length(s, len);

		if (run) {
			text_add(text, s, run);
		} else if (*s == '\\' && !(flags & ESCAPE_BACKSLASH_NOT)) {
			text_add(text, "\\\\", 2);
		} else if (must_escape(s, n, flags)) {
			if (!n)
				n = 1;
			for (size_t i = 0; i < n; i++) {
				unsigned char c = (unsigned char)s[i];
				char code[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

				text_add(text, code, 4);
			}
		} else {
			text_add(text, s, n);
		}
		s += n ? n : 1;
		len -= n ? n : 1;
	}
}

static void put_text(FILE *f, const char *s, unsigned flags)
{
	struct text text = {0};

	text_escape(&text, s, strlen(s), flags);
	if (text.len)
		fwrite(text.s, 1, text.len, f);
	text_free(&text);
}

void put_escaped(FILE *f, const char *s)
{
	put_text(f, s, 0);
}

void put_target(FILE *f, const char *s)
{
	put_text(f, s, ESCAPE_BACKSLASH_NOT);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool text_unescape(struct text *text, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (c == '\\') {
			if (len - i >= 2 && s[i + 1] == '\\') {
				i++;
			} else if (len - i >= 4 && s[i + 1] == 'x' && hex_digit(s[i + 2]) >= 0 &&
				   hex_digit(s[i + 3]) >= 0) {
				c = (char)(hex_digit(s[i + 2]) << 4 | hex_digit(s[i + 3]));
				i += 3;
			} else {
				return false;
			}
		}
		text_add(text, &c, 1);
	}
	if (!len)
		text_add(text, "", 0);
	return true;
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const unsigned char *p = data;
	char *out = xmalloc(len / 3 * 4 + 5);
	char *o = out;

	for (; len >= 3; p += 3, len -= 3) {
		*o++ = base64_digits[p[0] >> 2];
		*o++ = base64_digits[(p[0] & 3) << 4 | p[1] >> 4];
		*o++ = base64_digits[(p[1] & 15) << 2 | p[2] >> 6];
		*o++ = base64_digits[p[2] & 63];
	}
	if (len) {
		unsigned second = len == 2 ? p[1] : 0;

		*o++ = base64_digits[p[0] >> 2];
		*o++ = base64_digits[(p[0] & 3) << 4 | second >> 4];
		*o++ = len == 2 ? base64_digits[(second & 15) << 2] : '=';
		*o++ = '=';
	}
	*o = '\0';
	return out;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct text *text, const char *s, size_t len)
{
	if (len % 4)
		return false;
	text_add(text, "", 0);
	for (size_t i = 0; i < len; i += 4) {
		size_t bytes = 3;
		unsigned v = 0;
		char out[3];

		if (i + 4 == len && s[i + 3] == '=')
			bytes = s[i + 2] == '=' ? 1 : 2;
		for (size_t k = 0; k < 4; k++) {
			int d = k <= bytes ? base64_value(s[i + k]) : 0;

			if (d < 0)
				return false;
			v = v << 6 | (unsigned)d;
		}
		/* One spelling for each value: unused bits are 0. */
		if (v & ((1u << (8 * (3 - bytes))) - 1))
			return false;
		out[0] = (char)(v >> 16);
		out[1] = (char)(v >> 8);
		out[2] = (char)v;
		text_add(text, out, bytes);
	}
	return true;
}

const char *size_text(uint64_t bytes, char *buf, size_t room)
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	if (bytes < 10000) {
		snprintf(buf, room, "%u byte%s", (unsigned)bytes, plural(bytes));
		return buf;
	}
	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, room, "%.*f %ciB", value < 100 ? 1 : 0, value, units[unit]);
	return buf;
}
