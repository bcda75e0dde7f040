/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guid.c - the text of GUIDs
 *
 * A GUID is stored as Windows keeps it in memory: a 32-bit and two 16-bit little-endian numbers,
 * then eight bytes. Its text writes the numbers as numbers, so the first three groups of digits
 * stand in the opposite order of their bytes.
 */
#include "../../include/libcim_advanced.h"
#include "bytes.h"

/* Which byte the n-th pair of digits stands for. */
static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

/* Is there a dash in front of the n-th pair of digits? */
static bool dash_before(unsigned pair)
{
	return pair == 4 || pair == 6 || pair == 8 || pair == 10;
}

void cim_guid_format(const struct cim_guid *guid, char *text)
{
	if (!text)
		return;
	for (unsigned i = 0; guid && i < 16; i++) {
		if (dash_before(i))
			*text++ = '-';
		text = cim_put_hex(text, &guid->bytes[order[i]], 1);
	}
	*text = 0;
}

/* The value of a hexadecimal digit, or -1. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool cim_guid_parse(const char *text, struct cim_guid *guid)
{
	struct cim_guid result;
	bool braces;

	if (guid)
		*guid = (struct cim_guid){{0}};
	if (!text || !guid)
		return false;
	braces = *text == '{';
	text += braces;
	for (unsigned i = 0; i < 16; i++) {
		int high, low;

		if (dash_before(i) && *text++ != '-')
			return false;
		high = digit(text[0]);
		low = high < 0 ? -1 : digit(text[1]);
		if (low < 0)
			return false;
		result.bytes[order[i]] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (braces && *text++ != '}')
		return false;
	if (*text)
		return false;
	*guid = result;
	return true;
}
