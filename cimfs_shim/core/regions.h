/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regions.h - the region files of an image, as they are open
 */
#ifndef CIM_REGIONS_H
#define CIM_REGIONS_H

#include "image.h"
#include "names.h"

/* ---- regions.c ---- */

/* An open region file whose header has been checked. The rest of it is regions.c's. */
struct cim_region_file {
	cim_vfs_file *file;
	uint64_t size;
	uint32_t region;
	enum cim_region_type type;
	char name[CIM_SET_FILE_NAME];

	unsigned users;			       /* calls that are using it now */
	struct cim_region_file *chain;	       /* the next of the same hash */
	struct cim_region_file *older, *newer; /* by last use */
};

struct cim_region_files *cim_regions_new(const struct cim_env *env);
/* Closes all files; nobody may be using one. NULL is fine. */
void cim_regions_free(struct cim_image *image);
/* The file of a region index, opened if it isn't; it stays open at least until cim_region_put(). */
enum cim_status cim_region_get(struct cim_image *image, uint32_t region,
			       struct cim_region_file **file, struct cim_error *err);
void cim_region_put(struct cim_image *image, struct cim_region_file *file);
/* Read exactly @len bytes, which by file->size are there. */
enum cim_status cim_region_read(struct cim_image *image, struct cim_region_file *file,
				uint64_t offset, void *buf, size_t len, struct cim_error *err);
/* CIM_E_CORRUPT if the file, as long as it is now, doesn't hold @len bytes at @offset (any more).
 */
enum cim_status cim_region_check_size(struct cim_image *image, struct cim_region_file *file,
				      uint64_t offset, uint64_t len, struct cim_error *err);
/* Open, for reading, a file of region set @set. Where that fails for another reason than a
 * missing name, too many open files maybe, region files that nobody uses now are closed and it is
 * tried once more. */
enum cim_status cim_open_beside(struct cim_image *image, uint32_t set, const char *name,
				cim_vfs_file **file, struct cim_error *err);
/* The name of a region's file, for messages and for opening; "?" if there is no such region. */
void cim_region_name(const struct cim_image *image, uint32_t region, char *name);
/* @status: there is no such region. */
enum cim_status cim_region_missing(const struct cim_image *image, uint32_t region,
				   enum cim_status status, struct cim_error *err);
/* Is there such a region? Every range is asked for it, so where there is this takes no call. */
static inline enum cim_status cim_region_check(const struct cim_image *image, uint32_t region,
					       enum cim_status status, struct cim_error *err)
{
	return region < image->info.region_count ? CIM_OK
						 : cim_region_missing(image, region, status, err);
}
/* CIM_E_CORRUPT: what an object needs lies outside its region file. */
enum cim_status cim_region_outside(const struct cim_image *image, uint32_t region, uint64_t offset,
				   uint64_t len, struct cim_error *err);

#endif
