/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reparse.c - symbolic links between Linux and Windows
 *
 * A REPARSE_DATA_BUFFER is a tag u32, the data's length u16 and a reserved u16, then the data (a
 * tag that is not Microsoft's has a GUID of 16 bytes before them). A symlink's data: offset and
 * length of the substitute name and of the print name (u16 each, in bytes, relative to the names),
 * flags u32 (1: relative), the names in UTF-16. A mount point's are the same without flags.
 *
 * A Linux link is stored as a relative one with '\' for '/': "a/b" is "a\b", and "/a/b", which on
 * Linux starts at the root of the tree, is "\a\b", which on Windows starts at the root of the
 * volume, and so of the image. Both come back as they were. A name with a drive or a server
 * ("\??\C:\x", "\??\UNC\s\x") has no such equal: it becomes "/x", "//s/x".
 */
#include "reparse.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "bytes.h"
#include "libcim_advanced.h"

#define SYMLINK_HEADER	   20
#define MOUNT_POINT_HEADER 16
#define SYMLINK_RELATIVE   1
#define MAX_REPARSE	   16384

uint8_t *reparse_from_symlink(const char *target, size_t *size, const char **why)
{
	size_t bytes = strlen(target);
	uint16_t *units;
	uint8_t *data;
	size_t count;
	size_t len;

	if (strchr(target, '\\')) {
		*why = "its target holds a '\\', which separates names on Windows";
		return NULL;
	}
	if (cim_utf16_from_utf8(target, bytes, NULL, 0, &count) == CIM_E_INVALID) {
		*why = "its target is not UTF-8";
		return NULL;
	}
	/* Substitute and print name are the same text; one copy serves both where two don't fit. */
	len = count * 2;
	if (len > MAX_REPARSE - SYMLINK_HEADER) {
		*why = "its target is too long";
		return NULL;
	}
	units = xmalloc(len);
	cim_utf16_from_utf8(target, bytes, units, count, &count);
	*size = SYMLINK_HEADER + (len * 2 <= MAX_REPARSE - SYMLINK_HEADER ? len * 2 : len);
	data = xcalloc(1, *size);
	put32(data, CIM_TAG_SYMLINK);
	put16(data + 4, (uint16_t)(*size - 8));
	put16(data + 8, (uint16_t)(*size - SYMLINK_HEADER - len));
	put16(data + 10, (uint16_t)len);
	put16(data + 12, 0);
	put16(data + 14, (uint16_t)len);
	put32(data + 16, SYMLINK_RELATIVE);
	for (size_t i = 0; i < count; i++) {
		uint16_t unit = units[i] == '/' ? '\\' : units[i];

		put16(data + SYMLINK_HEADER + i * 2, unit);
		put16(data + *size - len + i * 2, unit);
	}
	free(units);
	return data;
}

void reparse_name_units(const struct reparse_name *name, uint16_t *units)
{
	for (size_t i = 0; i < name->units; i++)
		units[i] = get16(name->bytes + i * 2);
}

/* The name whose offset and length stand at @field, if it lies within the buffer. */
static struct reparse_name get_name(const uint8_t *data, size_t size, size_t header, size_t field)
{
	const size_t offset = get16(data + field);
	const size_t bytes = get16(data + field + 2);

	if (offset > size - header || bytes > size - header - offset || bytes % 2)
		return (struct reparse_name){0};
	return (struct reparse_name){.bytes = data + header + offset, .units = bytes / 2};
}

bool reparse_parse_link(const uint8_t *data, size_t size, struct reparse_link *link)
{
	const uint32_t tag = size < 4 ? 0 : get32(data);
	const size_t header = tag == CIM_TAG_SYMLINK ? SYMLINK_HEADER : MOUNT_POINT_HEADER;

	if ((tag != CIM_TAG_SYMLINK && tag != CIM_TAG_MOUNT_POINT) || size < header)
		return false;
	link->symlink = tag == CIM_TAG_SYMLINK;
	link->relative = link->symlink && get32(data + 16) & SYMLINK_RELATIVE;
	link->target = get_name(data, size, header, 8);
	link->shown = get_name(data, size, header, 12);
	return true;
}

/* A name in WTF-8, allocated; NULL if there is none. */
static char *name_text(const struct reparse_name *name, size_t *len)
{
	const size_t room = name->units * 3 + 1;
	uint16_t *units;
	char *text;

	if (!name->bytes)
		return NULL;
	units = xmalloc(name->units * sizeof(*units));
	reparse_name_units(name, units);
	text = xmalloc(room);
	*len = cim_utf8_from_utf16(units, name->units, text, room);
	free(units);
	return text;
}

static bool drive(const char *s)
{
	return ((s[0] >= 'A' && s[0] <= 'Z') || (s[0] >= 'a' && s[0] <= 'z')) && s[1] == ':';
}

char *reparse_to_symlink(const uint8_t *data, size_t size, enum target_kind *kind)
{
	struct reparse_link link;
	char *name;
	char *s;
	size_t len;

	if (!cim_blob_valid(CIM_BLOB_REPARSE, data, size) ||
	    !reparse_parse_link(data, size, &link) || !link.symlink)
		return NULL;
	name = name_text(&link.target, &len);
	/* No target at all, or one that a Linux link can't hold. */
	if (!name || !len || strlen(name) != len) {
		free(name);
		return NULL;
	}
	*kind = TARGET_EXACT;
	s = name;
	if (!link.relative) {
		*kind = TARGET_ABSOLUTE;
		if (!strncmp(s, "\\??\\", 4) || !strncmp(s, "\\\\?\\", 4))
			s += 4;
		if (!strncmp(s, "UNC\\", 4)) {
			s += 2;
			s[0] = s[1] = '\\';
		} else if (drive(s)) {
			s += 2;
		}
	}
	if (strchr(s, '/'))
		*kind = TARGET_ABSOLUTE;
	for (char *p = s; *p; p++) {
		if (*p == '\\')
			*p = '/';
	}
	s = *s ? xstrdup(s) : xstrdup("/");
	free(name);
	return s;
}

char *reparse_target(const uint8_t *data, size_t size)
{
	struct reparse_link link;
	char *name;
	size_t len;

	if (!reparse_parse_link(data, size, &link))
		return NULL;
	name = name_text(&link.shown, &len);
	if (name && *name)
		return name;
	free(name);
	return name_text(&link.target, &len);
}
