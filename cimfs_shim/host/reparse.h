/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reparse.h - symbolic links between Linux and Windows
 */
#ifndef HOST_REPARSE_H
#define HOST_REPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* WSL's symlinks; like those of Windows they are no more than their target. */
#define TAG_LX_SYMLINK 0xA000001Du

/* Does what has that tag stand for something else, without content of its own? (A bit of the tag)
 */
static inline bool reparse_is_link(uint32_t tag)
{
	return tag & 0x20000000u;
}

/* A name in a buffer, UTF-16 little-endian; @bytes NULL: there is none. */
struct reparse_name {
	const uint8_t *bytes;
	size_t units;
};
void reparse_name_units(const struct reparse_name *name, uint16_t *units);

/* What a symlink or mount point says. */
struct reparse_link {
	bool symlink;
	bool relative;
	struct reparse_name target; /* the substitute name: what Windows follows */
	struct reparse_name shown;  /* the print name: what it shows */
};
/* false: it is neither. */
bool reparse_parse_link(const uint8_t *data, size_t size, struct reparse_link *link);

/* A Linux link target as symlink reparse data. NULL with *why if it has no such form. */
uint8_t *reparse_from_symlink(const char *target, size_t *size, const char **why);
/* What a target came from. */
enum target_kind {
	TARGET_EXACT,	 /* reparse_from_symlink() gives the same buffer's meaning again */
	TARGET_ABSOLUTE, /* a Windows path with a drive or a server: translated, something is lost
			  */
};
/* The Linux target of symlink reparse data (WTF-8, allocated). NULL: not a symlink's buffer. */
char *reparse_to_symlink(const uint8_t *data, size_t size, enum target_kind *kind);
/* The target of a symlink or mount point as Windows shows it; NULL if it is neither. */
char *reparse_target(const uint8_t *data, size_t size);

#endif
