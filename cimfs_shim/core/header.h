/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * header.h - a filesystem file
 */
#ifndef CIM_HEADER_H
#define CIM_HEADER_H

#include "../../include/libcim_advanced.h"
#include "../../include/libcim_env.h"
#include "format.h"

/* The largest filesystem file: header, and 65,535 parent sets, each of another source. */
#define CIM_MAX_FILESYSTEM_FILE \
	(CIM_SIZE(filesystem_header) + 65535u * (CIM_SIZE(region_set) + CIM_SIZE(source)))

/* A filesystem file: its bytes, and what they say. */
struct cim_header {
	uint8_t *bytes;
	size_t size;
	uint32_t major, minor;
	struct cim_region_set *sets; /* parents first, own last */
	uint32_t set_count, region_count;
	struct cim_merged_source *sources; /* a merged image's */
	uint32_t source_count;
	uint64_t filesystem; /* offset of the filesystem object */
	bool marked;
};
/* Read and decode one, without opening any region; nothing is allocated after a failure. For the
 * store and for D45's check of who names a set, too. */
enum cim_status cim_header_read(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				struct cim_header *header, struct cim_error *err);
/* Bytes of a header up to its sets' end, and to its sources'. */
static inline uint64_t cim_header_sets_end(uint32_t set_count)
{
	return CIM_SIZE(filesystem_header) + (uint64_t)(set_count - 1) * CIM_SIZE(region_set);
}
static inline uint64_t cim_header_end(uint32_t set_count, uint32_t source_count)
{
	return cim_header_sets_end(set_count) + (uint64_t)source_count * CIM_SIZE(source);
}
void cim_header_free(const struct cim_env *env, struct cim_header *header);

#endif
