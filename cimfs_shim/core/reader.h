/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.h - what the files of the reader share among themselves
 *
 * image.h is what the rest of core (sessions, the checker) knows of an open image; this is what
 * lies below it: region files, the block cache, names in no order, and the conversions between
 * records and the public structures.
 *
 * Locking: image->lock guards the list of open region files, the block cache, the indexes of names
 * and the loading of the upcase table. It is held for look-ups and copies in memory only, never
 * while a file is opened or read, so that threads don't wait for each other's disk. None of the
 * functions here is called with it held.
 */
#ifndef CIM_READER_H
#define CIM_READER_H

#include "image.h"
#include "names.h"

#include <string.h>

static inline void cim_image_lock(struct cim_image *image)
{
	image->env.mutex_lock(image->env.thread_ctx, image->lock);
}

static inline void cim_image_unlock(struct cim_image *image)
{
	image->env.mutex_unlock(image->env.thread_ctx, image->lock);
}

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
/* Open, for reading, a file that lies beside the image. Where that fails for another reason than a
 * missing name, too many open files maybe, region files that nobody uses now are closed and it is
 * tried once more. */
enum cim_status cim_open_beside(struct cim_image *image, const char *name, cim_vfs_file **file,
				struct cim_error *err);
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

/* ---- cache.c ---- */

struct cim_block_cache *cim_cache_new(const struct cim_env *env);
void cim_cache_free(const struct cim_env *env, struct cim_block_cache *cache);
/* Read [offset, offset + len) of a region file through the cache; CIM_E_CORRUPT if the file is
 * shorter. @region must be one of the image's, and offset + len must not overflow 48 bits. */
enum cim_status cim_cache_read(struct cim_image *image, uint32_t region, uint64_t offset, void *buf,
			       size_t len, struct cim_error *err);

/* ---- linktable.c, nameindex.c ---- */

/* A name that is looked for in a table. */
struct cim_name_search {
	const struct cim_link_table *table;
	const uint16_t *upcase;
	const uint16_t *name;
	size_t units;
	bool exact;
};

static inline bool cim_name_same(const struct cim_name_search *search, const struct cim_link *link)
{
	return link->units == search->units &&
	       !memcmp(link->name, search->name, search->units * sizeof(*search->name));
}

/* Only the name of entry @index. */
enum cim_status cim_link_table_name(const struct cim_link_table *table, uint32_t index,
				    struct cim_link *link, struct cim_error *err);

struct cim_name_indexes *cim_name_indexes_new(const struct cim_env *env);
/* Nobody may be using one. NULL is fine. */
void cim_name_indexes_free(const struct cim_env *env, struct cim_name_indexes *all);
/* Find a name in whichever order the table is: *at is its entry, or table->count. What is not found
 * can only be from *end on. */
enum cim_status cim_name_index_find(const struct cim_name_search *search, uint32_t *at,
				    uint32_t *end, struct cim_link *link, struct cim_error *err);

/* ---- image.c, lookup.c ---- */

/* What cim_image_stat() tells, from a record that has been read. @marked: it may have marks. */
void cim_info_from_record(struct cim_file_info *info, uint32_t file_id,
			  const struct cim_record *record, bool marked);
/* And back: as much of the record as its data, metadata and streams are found by. */
void cim_record_from_info(struct cim_record *record, const struct cim_file_info *info);
/* A public entry, and what it points to. */
struct cim_shown_entry {
	struct cim_entry entry;
	struct cim_link link;
	struct cim_data data;
	char utf8[CIM_MAX_NAME_UTF8];
};
/* Fill it in from its link; @image is needed for streams only (directory: NULL). */
enum cim_status cim_show_entry(struct cim_shown_entry *shown, uint32_t index,
			       struct cim_image *image, struct cim_error *err);

#endif
