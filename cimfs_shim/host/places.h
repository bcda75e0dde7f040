/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.h - where items are, by FileID
 */
#ifndef HOST_PLACES_H
#define HOST_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcim_advanced.h"

/* Where items are: each one's first place, as the FileID of its directory and a name there. */
struct places {
	void *tree; /* of tsearch() */
};
bool places_has(const struct places *places, uint32_t id);
/* Keep an item's place, unless one is kept. */
void places_keep(struct places *places, uint32_t id, uint32_t dir_id, const char *name);
/* Forget that of an item which is no directory. */
void places_forget(struct places *places, uint32_t id);
/*
 * The names on the way to an item, its own first, up to below what has no place (*dir_id: that of
 * its own directory). Allocated; the names belong to @places. NULL: no place is kept (*count is 0),
 * or there are more than @most names.
 */
const char **places_way(const struct places *places, uint32_t id, uint64_t most, uint32_t *dir_id,
			size_t *count);
void places_free(struct places *places);

#endif
