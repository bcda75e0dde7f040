/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf.c - between UTF-16 code units and WTF-8
 *
 * Names in an image are any code units at all: Windows doesn't ask that surrogates come in pairs.
 * Outside they are bytes. WTF-8 is UTF-8 in which an unpaired surrogate is encoded like any other
 * code point, in three bytes. The conversion loses nothing, either way, because exactly one
 * spelling is taken for each string of code units: overlong forms, code points past U+10FFFF and a
 * pair written as two surrogates are refused.
 */
#include "../../include/libcim_advanced.h"

#include <string.h>

static bool is_high(uint32_t c)
{
	return (c & 0xfffffc00) == 0xd800;
}

static bool is_low(uint32_t c)
{
	return (c & 0xfffffc00) == 0xdc00;
}

struct cim_str cim_str8(const char *text)
{
	return (struct cim_str){.utf8 = text, .units = text ? strlen(text) : 0};
}

struct cim_str cim_str16(const uint16_t *text)
{
	size_t units = 0;

	if (text) {
		while (text[units])
			units++;
	}
	return (struct cim_str){.utf16 = text, .units = units};
}

/* Encode a code point in up to four bytes; returns how many. */
static size_t encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t cim_utf8_from_utf16(const uint16_t *src, size_t units, char *dst, size_t size)
{
	/* What may still be written, the NUL's byte kept aside; 0 for ever after the first
	 * character that didn't fit, so that what is there is a beginning of the whole. */
	size_t room = dst && size ? size - 1 : 0;
	size_t total = 0;

	for (size_t i = 0; src && i < units; i++) {
		uint32_t c = src[i];
		char bytes[4];
		size_t len;

		if (is_high(c) && i + 1 < units && is_low(src[i + 1]))
			c = 0x10000 + ((c & 0x3ff) << 10) + (src[++i] & 0x3ff);
		len = encode(c, bytes);
		if (len <= room) {
			memcpy(dst, bytes, len);
			dst += len;
			room -= len;
		} else {
			room = 0;
		}
		total += len;
	}
	if (dst && size)
		*dst = 0;
	return total;
}

/* Decode one code point of @len > 0 bytes; returns the bytes it took, 0 if it is malformed. */
static size_t decode(const unsigned char *src, size_t len, uint32_t *out)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t bytes;
	uint32_t c = src[0];

	if (c < 0x80) {
		*out = c;
		return 1;
	}
	if ((c & 0xe0) == 0xc0)
		bytes = 2;
	else if ((c & 0xf0) == 0xe0)
		bytes = 3;
	else if ((c & 0xf8) == 0xf0)
		bytes = 4;
	else
		return 0;
	if (bytes > len)
		return 0;
	c &= 0x7fu >> bytes;
	for (size_t i = 1; i < bytes; i++) {
		if ((src[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (src[i] & 0x3f);
	}
	if (c < least[bytes] || c > 0x10ffff)
		return 0;
	*out = c;
	return bytes;
}

enum cim_status cim_utf16_from_utf8(const char *src, size_t bytes, uint16_t *dst, size_t size,
				    size_t *units)
{
	const unsigned char *p = (const unsigned char *)src;
	size_t room = dst ? size : 0; /* see above */
	size_t total = 0;
	uint32_t before = 0;

	if (units)
		*units = 0;
	if (!units || (bytes && !src))
		return CIM_E_POINTER;
	for (size_t i = 0; i < bytes;) {
		uint32_t c;
		size_t taken = decode(p + i, bytes - i, &c);
		size_t need;

		if (!taken || (is_high(before) && is_low(c)))
			return CIM_E_INVALID;
		i += taken;
		before = c;
		need = c < 0x10000 ? 1 : 2;
		total += need;
		if (need > room) {
			room = 0;
			continue;
		}
		room -= need;
		if (need == 2) {
			*dst++ = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 | (c & 0x3ff);
		}
		*dst++ = (uint16_t)c;
	}
	*units = total;
	return dst && total > size ? CIM_E_LIMIT : CIM_OK;
}
