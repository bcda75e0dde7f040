/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.h - what the files of the reader share among themselves
 *
 * image.h is what the rest of core (sessions, the checker) knows of an open image; this is what
 * lies below it: the lock, names in tables, and the conversions between records and the public
 * structures. Region files and the block cache have headers of their own, regions.h and cache.h.
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

/* ---- linktable.c ---- */

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

/* Only what entry @index leads to; @index is below the count. */
enum cim_status cim_link_table_value(const struct cim_link_table *table, uint32_t index,
				     struct cim_link *link, struct cim_error *err);

/* ---- nameindex.c ---- */

struct cim_name_indexes *cim_name_indexes_new(const struct cim_env *env);
/* Nobody may be using one. NULL is fine. */
void cim_name_indexes_free(const struct cim_env *env, struct cim_name_indexes *all);
/* Find a name in whichever order the table is: *at is its entry, or table->count. What is not found
 * can only be from *end on. */
enum cim_status cim_name_index_find(const struct cim_name_search *search, uint32_t *at,
				    uint32_t *end, struct cim_link *link, struct cim_error *err);

/* ---- lookup.c ---- */

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
