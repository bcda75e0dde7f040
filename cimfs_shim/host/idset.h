/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idset.h - sets and maps of FileIDs
 */
#ifndef HOST_IDSET_H
#define HOST_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcim.h"

struct idset {
	uint64_t **pages;
	size_t count;
};
/* Add an ID; true if it was there already. */
bool idset_add(struct idset *set, uint32_t id);
bool idset_has(const struct idset *set, uint32_t id);
void idset_free(struct idset *set);

/* FileID to text, for the few files with several names. */
struct idmap {
	struct {
		uint32_t id;
		char *text;
	} * slots;
	size_t room;
	size_t count;
};
const char *idmap_get(const struct idmap *map, uint32_t id);
void idmap_put(struct idmap *map, uint32_t id, const char *text);
void idmap_free(struct idmap *map);

/* Which files have more than one name: a pass over all directories. CIM_E_ABORTED: @stopped. */
enum cim_status find_links(struct cim_image *image, uint32_t start, struct idset *multi,
			   bool (*stopped)(void *ctx), void *ctx, struct cim_error *err);

#endif
