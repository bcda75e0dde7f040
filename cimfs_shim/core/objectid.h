/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * objectid.h - which objects are known already: the session's own, and its parents'
 *
 * Deduplication asks: is there an object of this length and digest? The session's own objects
 * are in a table in memory. The parents' are in their object ID files, which are searched where
 * they lie (they are sorted by length, then digest; one that isn't hides its objects, no more).
 * Both give candidates only: the caller compares bytes. A forged or damaged object ID file
 * therefore costs space, never correctness.
 */
#ifndef CIM_OBJECTID_H
#define CIM_OBJECTID_H

#include "hash.h"
#include "hashtable.h"
#include "image.h"

struct cim_object_id {
	uint64_t length;
	struct cim_digest digest;
	uint64_t offset; /* RegionOffset in the image being written */
};

/* ---- the session's own objects ---- */

struct cim_object_index {
	const struct cim_env *env;
	struct cim_object_id *ids; /* in the order they were added */
	size_t count, room;
	struct cim_hash_table by_digest; /* and length */
	struct cim_hash_table by_length; /* the first of each large length */
};

void cim_object_index_init(struct cim_object_index *index, const struct cim_env *env);
void cim_object_index_free(struct cim_object_index *index);
/* false for want of memory; then nothing was added */
bool cim_object_index_add(struct cim_object_index *index, const struct cim_object_id *id);
/* The next object of this length and digest behind *cursor (0 to begin); NULL: no more. */
const struct cim_object_id *cim_object_index_find(const struct cim_object_index *index,
						  uint64_t length, const struct cim_digest *digest,
						  size_t *cursor);

/* Lengths from here on are kept in the set, so that "no object of that size is known" can be
 * told without a digest; below it a stream fits in the region's buffer and costs nothing. */
#define CIM_LARGE_OBJECT (1u << 20)
bool cim_object_index_has_length(const struct cim_object_index *index, uint64_t length);

/* Write object ID file for region @region (image-wide) to @file, from its start: @header, with its
 * table's place and count filled in, then the region's objects, sorted. */
enum cim_status cim_object_index_write(const struct cim_object_index *index, uint32_t region,
				       const uint8_t *header, cim_vfs_file *file, const char *name,
				       struct cim_error *err);

/* ---- the parents' object ID files ---- */

struct cim_parent_ids;

enum cim_status cim_parent_ids_open(struct cim_image *base, struct cim_parent_ids **ids,
				    struct cim_error *err);
void cim_parent_ids_close(struct cim_parent_ids *ids);
/* Call @match with the RegionOffset of each candidate, newest parent first, until it says true.
 * @metadata: look in metadata regions only, else in data regions only. Returns whether one
 * matched. Trouble with a file hides that file's objects. */
bool cim_parent_ids_find(struct cim_parent_ids *ids, uint64_t length,
			 const struct cim_digest *digest, bool metadata,
			 bool (*match)(void *ctx, uint64_t region_offset), void *ctx);
/* Is any data object of this length known there? */
bool cim_parent_ids_has_length(struct cim_parent_ids *ids, uint64_t length);

#endif
