/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache.h - the blocks of metadata that an image keeps in memory
 */
#ifndef CIM_CACHE_H
#define CIM_CACHE_H

#include "image.h"

/* ---- cache.c ---- */

struct cim_block_cache *cim_cache_new(const struct cim_env *env);
void cim_cache_free(const struct cim_env *env, struct cim_block_cache *cache);
/* Read [offset, offset + len) of a region file through the cache; CIM_E_CORRUPT if the file is
 * shorter. @region must be one of the image's, and offset + len must not overflow 48 bits. */
enum cim_status cim_cache_read(struct cim_image *image, uint32_t region, uint64_t offset, void *buf,
			       size_t len, struct cim_error *err);

#endif
