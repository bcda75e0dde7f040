/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.h - a session that merges images: what it knows of its sources
 *
 * Sources are laid under what the session has, topmost first, as soon as they are added: the tree
 * of a session (namespace.h) becomes the merged one, and each item that is a source's gets a record
 * that leads to where the source has its data. Nothing of them is read but directories and records.
 *
 * How regions are counted meanwhile: in memory the session's own are 0 to 2, as those of any
 * session without a base, and those of the sources follow, in the order in which they were added.
 * In the image the own ones come last. cim_merge_offset() turns the one into the other, whenever an
 * offset is written; record.base_region is as the image has it.
 */
#ifndef CIM_MERGE_H
#define CIM_MERGE_H

#include "image.h"

struct cim_merge {
	struct cim_region_set *sets; /* all parents of the merged image */
	size_t set_count, set_room;
	struct cim_merged_source *sources; /* with those that a source that is merged was made of */
	size_t source_count, source_room;
	uint32_t regions; /* of all sets */
};

void cim_merge_free(const struct cim_env *env, struct cim_merge *merge);

/* How an offset of the session's is written into something that counts from region @base on; as it
 * is where nothing is merged. */
uint64_t cim_merge_offset(const struct cim_merge *merge, uint16_t base, uint64_t offset);
/* The same for all offsets of a record, each counted from the record's index. */
void cim_merge_record(const struct cim_merge *merge, struct cim_record *record);

/* What stands behind the header of a filesystem file: its region sets, and the sources. */
size_t cim_merge_tail_size(const struct cim_merge *merge);
void cim_merge_put_tail(const struct cim_merge *merge, uint8_t *bytes);

#endif
