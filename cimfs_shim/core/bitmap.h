/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bitmap.h - a bit for each FileID of an image
 *
 * In chunks that are allocated when the first FileID of theirs comes up, so that an image made to
 * harm pays with file tables for what it has us remember.
 */
#ifndef CIM_BITMAP_H
#define CIM_BITMAP_H

#include "mem.h"

struct cim_bitmap {
	uint8_t **chunks;
	size_t chunk_count;
};

/* All bits are clear. @tables: of the image. False: no memory. */
bool cim_bitmap_init(const struct cim_env *env, struct cim_bitmap *map, uint64_t tables);
void cim_bitmap_free(const struct cim_env *env, struct cim_bitmap *map);
bool cim_bitmap_has(const struct cim_bitmap *map, uint32_t file_id);
/* Set the bit of a FileID that is in one of the tables; *was tells whether it was set. False: no
 * memory. */
bool cim_bitmap_add(const struct cim_env *env, struct cim_bitmap *map, uint32_t file_id, bool *was);

#endif
