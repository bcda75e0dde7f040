/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idset.h - sets of FileIDs
 *
 * A hash table of words of 64 bits: a bit for each FileID where they lie close together, and where
 * an image has them lie far apart no more than what it costs to name them.
 */
#ifndef CIM_IDSET_H
#define CIM_IDSET_H

#include "../../include/libcim_advanced.h"
#include "hashtable.h"

struct cim_idset {
	struct cim_hash_table map; /* by FileID / 64 */
	uint64_t *words;
	size_t room;
};

/* An empty one that needn't be opened. */
void cim_idset_init(struct cim_idset *set, const struct cim_env *env);
void cim_idset_free(struct cim_idset *set);

#endif
