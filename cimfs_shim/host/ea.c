/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ea.c - lists of extended attributes, FILE_FULL_EA_INFORMATION
 *
 * An entry: offset of the next one u32, flags u8, length of the name u8, of the value u16, the
 * name, a NUL, the value; each begins at a multiple of 4. In an image the last entry's offset is 0
 * and it has no padding; as NTFS keeps the list, the last entry is padded too, and its offset leads
 * to the end.
 */
#include "ea.h"

#include <string.h>

#include "bytes.h"

#define HEADER 8
#define DONE   SIZE_MAX

static size_t entry_size(const uint8_t *p)
{
	return HEADER + (size_t)p[5] + 1 + get16(p + 6);
}

int ea_next(const uint8_t *list, size_t size, size_t *offset, struct ea_entry *entry)
{
	const uint8_t *p;
	size_t left;
	size_t need;
	uint32_t next;

	if (*offset == DONE || !size)
		return 0;
	if (*offset > size || size - *offset < HEADER + 1)
		return -1;
	p = list + *offset;
	left = size - *offset;
	next = get32(p);
	need = entry_size(p);
	entry->flags = p[4];
	entry->name_len = p[5];
	entry->value_len = get16(p + 6);
	if (!entry->name_len || need > left || p[HEADER + entry->name_len])
		return -1;
	if (next && (next < need || next >= left || next % 4))
		return -1;
	if (!next && left - need > 3)
		return -1;
	entry->name = (const char *)p + HEADER;
	entry->value = p + HEADER + entry->name_len + 1;
	*offset = next ? *offset + next : DONE;
	return 1;
}

bool ea_to_ntfs(uint8_t *list, size_t *size)
{
	struct ea_entry entry;
	size_t offset = 0;
	size_t last = 0;
	size_t at = 0;
	size_t full;
	int got;

	while ((got = ea_next(list, *size, &offset, &entry)) == 1) {
		last = at;
		at = offset;
	}
	if (got < 0 || !at)
		return false;
	full = (entry_size(list + last) + 3) / 4 * 4;
	if (last + full > *size)
		memset(list + *size, 0, last + full - *size);
	put32(list + last, (uint32_t)full);
	*size = last + full;
	return true;
}

bool ea_from_ntfs(uint8_t *list, size_t *size)
{
	size_t at = 0;
	uint32_t next;

	for (;; at += next) {
		if (at > *size || *size - at < HEADER + 1)
			return false;
		next = get32(list + at);
		if (!next || next >= *size - at)
			break;
	}
	/* A list that ends without saying so is fine as it is. */
	if ((next && next != *size - at) || entry_size(list + at) > *size - at)
		return false;
	put32(list + at, 0);
	*size = at + entry_size(list + at);
	return true;
}
