/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ea.h - lists of extended attributes, FILE_FULL_EA_INFORMATION
 */
#ifndef HOST_EA_H
#define HOST_EA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ea_entry {
	uint8_t flags;
	const char *name;
	size_t name_len;
	const uint8_t *value;
	size_t value_len;
};

/* One after another: *offset starts at 0. 1: one, 0: end, -1: the list is malformed. */
int ea_next(const uint8_t *list, size_t size, size_t *offset, struct ea_entry *entry);

/* How many bytes ea_to_ntfs() may add. */
#define EA_NTFS_ROOM 3
/* Turn a list, in place, into what NTFS (and so ntfs-3g) keeps, and back. false: it is malformed,
 * and as it was. */
bool ea_to_ntfs(uint8_t *list, size_t *size);
bool ea_from_ntfs(uint8_t *list, size_t *size);

#endif
