/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.h - an open image, as the files of core see it
 *
 * The reader in layers: header.c reads the filesystem file; regions.c opens region files when
 * they are needed and keeps a bounded number open; cache.c keeps a bounded number of blocks of
 * metadata; imageread.c reads objects and file records; linktable.c reads directories and stream
 * tables where they lie; reach.c refuses what no source can lead to; linksearch.c looks for
 * names in them, nameindex.c for those that a binary search can't find; data.c reads streams
 * (plain, sparse, PE); imageopen.c opens the whole, and merged.c one that lies in several
 * places; imagehold.c holds it; marks.c knows what is hidden; walk.c visits trees; check.c
 * checks everything. A session uses the same layers to read its base. Nothing read from a file
 * is trusted: each layer checks what it decodes, and the only way to read an object,
 * cim_image_read_object(), refuses whatever the region file doesn't hold.
 */
#ifndef CIM_IMAGE_H
#define CIM_IMAGE_H

#include "../../include/libcim_advanced.h"
#include "error.h"
#include "mem.h"
#include "record.h"

struct cim_region_files; /* regions.c */
struct cim_region_file;	 /* regions.c */
struct cim_block_cache;	 /* cache.c */
struct cim_name_indexes; /* nameindex.c */

/* A PE image that data.c has checked, and the largest size of its file. */
#define CIM_GOOD_PE 64u
struct cim_good_pe {
	uint64_t offset; /* 0: none */
	uint64_t data;	 /* as it counts from the item's base */
	uint64_t size;
};

struct cim_image {
	struct cim_env env;
	struct cim_vfs vfs; /* env's */
	char *path;	    /* as the caller named it, for errors */
	cim_vfs_dir *dir;   /* where its files lie */
	bool owns_dir;	    /* opened by cim_image_open(), closed with the image */

	uint8_t *header; /* the whole filesystem file, as read (D35) */
	size_t header_size;
	struct cim_image_info info;
	struct cim_region_set *sets; /* parents first, own last */
	struct cim_merged_source *sources;
	uint32_t *reaches; /* reach.c's */
	bool with_sources; /* opened by cim_image_open_merged() */
	bool marked;	   /* records may have marks */
	bool show_marked;

	uint64_t upcase_offset;
	uint64_t file_table_directory;

	cim_vfs_file **marks; /* cim_image_hold()'s: the image's, and its sources' */
	size_t mark_count;
	void *lock;	  /* guards what is below */
	uint16_t *upcase; /* loaded at the first lookup; then constant */
	struct cim_region_files *files;
	struct cim_block_cache *cache;
	struct cim_name_indexes *names;
	struct cim_good_pe good_pe[CIM_GOOD_PE];
};

/* ---- imageopen.c ---- */

/* cim_image_open() with the directory already open (and kept by the caller, who closes it after
 * the image): for a session, which holds the locked directory. @path is for errors only. */
enum cim_status cim_image_open_in(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				  const char *path, struct cim_image **image,
				  struct cim_error *err);

/* cim_image_open() and the half of cim_image_open_verified(): @root as for cim_place_of(). */
enum cim_status cim_image_open_rooted(const struct cim_env *env, const char *path,
				      const uint8_t *root, struct cim_image **image,
				      struct cim_error *err);

/* The first half of it, up to the header: no region file is looked at. *filesystem receives the
 * offset for the second half, which tells what the filesystem object says; after a failure it has
 * set what it read, but nobody may rely on it. Between the two, objects can be read by offset. */
enum cim_status cim_image_open_header(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				      const char *path, struct cim_image **image,
				      uint64_t *filesystem, struct cim_error *err);
enum cim_status cim_image_read_filesystem(struct cim_image *image, uint64_t filesystem,
					  struct cim_error *err);

/* ---- merged.c ---- */

/* Is one of @count sources NULL, or all? The caller's error says so then. */
bool cim_null_source(struct cim_error *err, const char *op, const char *const *sources,
		     size_t count);
/* Where the files of a merged image are, and the images that it is of. */
struct cim_merged_place {
	cim_vfs_dir *dir;
	const char *name;     /* the image's there; points into its path */
	const char *at_fault; /* whose path an error is about */
};
/* Unite the place of a merged image with those of its sources. @env: leads to @vfs, as for
 * cim_place_of(). */
enum cim_status cim_merged_places(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
				  const char *const *sources, size_t count, const uint8_t *root,
				  struct cim_merged_place *place, struct cim_error *err);

/* ---- united.c ---- */

/* Where the files of region set @set are: what to give to the calls of the image's file system. */
cim_vfs_dir *cim_image_set_dir(const struct cim_image *image, uint32_t set);

/* ---- imageread.c ---- */

/* Read @len bytes at byte @skip of the object at @region_offset, all or CIM_E_CORRUPT. Metadata
 * goes through the block cache; the range must lie within the region file and past its header. */
enum cim_status cim_image_read_object(struct cim_image *image, uint64_t region_offset,
				      uint64_t skip, void *buf, size_t len, struct cim_error *err);
/* The same past the cache, for data. */
enum cim_status cim_image_read_raw(struct cim_image *image, uint64_t region_offset, uint64_t skip,
				   void *buf, size_t len, struct cim_error *err);
/* Where [skip, skip + len) of an object lies: the open region file, which is in use until
 * cim_region_put(), and the byte in it. Its length is asked for anew. */
enum cim_status cim_image_place(struct cim_image *image, uint64_t region_offset, uint64_t skip,
				uint64_t len, struct cim_region_file **file, uint64_t *start,
				struct cim_error *err);
/* CIM_E_CORRUPT unless [skip, skip + len) of the object lies within its region file; reads at
 * most the region's header. */
enum cim_status cim_image_check_range(struct cim_image *image, uint64_t region_offset,
				      uint64_t skip, uint64_t len, struct cim_error *err);
/* Size and type of a region file (opens it if it isn't). */
enum cim_status cim_image_region_info(struct cim_image *image, uint32_t region, uint64_t *size,
				      enum cim_region_type *type, struct cim_error *err);

/* Entry @table of the file table directory. */
struct cim_file_table {
	uint64_t offset;
	uint16_t count;
	uint16_t entry_size;
};
enum cim_status cim_image_file_table(struct cim_image *image, uint32_t table,
				     struct cim_file_table *entry, struct cim_error *err);
/* A File record, its offsets made absolute (cim_record_add_base()); CIM_E_CORRUPT for an ID the
 * image doesn't have. */
enum cim_status cim_image_record(struct cim_image *image, uint32_t file_id,
				 struct cim_record *record, struct cim_error *err);
/* What of a record lies behind the fields that are known: *size bytes, 0 if there are none. */
enum cim_status cim_image_record_rest(struct cim_image *image, uint32_t file_id, uint64_t *offset,
				      uint32_t *size, struct cim_error *err);
/* The image's upcase table, loaded at the first call. */
enum cim_status cim_image_upcase(struct cim_image *image, const uint16_t **upcase,
				 struct cim_error *err);

/* ---- reach.c ---- */

/* Once sets and sources are known. */
enum cim_status cim_image_find_reaches(struct cim_image *image, struct cim_error *err);
/* Make the RegionOffset of a stream, as an entry of the stream table at @from has it, count from
 * the first region; CIM_E_CORRUPT if what lies there can't lead there. @base: of the item. */
enum cim_status cim_image_reach_stream(const struct cim_image *image, uint64_t from, uint64_t desc,
				       uint16_t base, uint64_t *offset, struct cim_error *err);
/* And that of a PE image's data, as its descriptor at @from has it. */
enum cim_status cim_image_reach_pe_data(const struct cim_image *image, uint64_t from,
					const uint8_t *descriptor, uint16_t base, uint64_t *offset,
					struct cim_error *err);

/* ---- marks.c ---- */

/* The marks of a record of this image, CIM_MARK_*. */
static inline uint32_t cim_image_marks(const struct cim_image *image,
				       const struct cim_record *record)
{
	return image->marked ? cim_record_marks(record) : 0;
}
/* Is an item to be hidden? */
static inline bool cim_image_hides(const struct cim_image *image, const struct cim_record *record)
{
	return !image->show_marked && cim_image_marks(image, record) & CIM_MARKS_HIDDEN;
}
/* The same for an item whose record wasn't read; nothing is read where there are no marks. */
enum cim_status cim_image_hides_id(struct cim_image *image, uint32_t file_id, bool *hidden,
				   struct cim_error *err);
/* The target of a merge link, to be freed; CIM_E_CORRUPT if its bytes are none. */
struct cim_path;
enum cim_status cim_image_merge_target(struct cim_image *image, const struct cim_record *record,
				       struct cim_path *target, struct cim_error *err);

/* ---- linktable.c ---- */

struct cim_link_table {
	struct cim_image *image;
	uint64_t offset; /* of the table proper, behind the second form's extra length */
	uint32_t length;
	uint32_t count;
	uint32_t value_size; /* CIM_LINK_FILE_SIZE or CIM_LINK_STREAM_SIZE */
	uint16_t base;	     /* of a stream table: BaseRegionIndex of its item */
};

struct cim_link {
	uint32_t file_id;	/* of a directory's entry */
	uint64_t stream_offset; /* of a stream table's */
	uint64_t stream_desc;
	uint16_t base; /* a stream table's */
	size_t units;
	uint16_t name[CIM_MAX_NAME];
};

/* The table of a directory's record (an empty one has count 0); CIM_E_PATH_NOT_FOUND if the record
 * isn't a directory's. */
enum cim_status cim_link_table_of_dir(struct cim_image *image, const struct cim_record *record,
				      struct cim_link_table *table, struct cim_error *err);
/* The stream table of a record; count 0 where it has none. Reads both published forms. */
enum cim_status cim_link_table_of_streams(struct cim_image *image, const struct cim_record *record,
					  struct cim_link_table *table, struct cim_error *err);
/* Entry @index, names checked (length 1 to 255, inside the table). */
enum cim_status cim_link_table_get(const struct cim_link_table *table, uint32_t index,
				   struct cim_link *link, struct cim_error *err);
/* Only the name of it. */
enum cim_status cim_link_table_name(const struct cim_link_table *table, uint32_t index,
				    struct cim_link *link, struct cim_error *err);

/* ---- linksearch.c ---- */

/* Find a name, ignoring case by the image's table, or @exact. *found tells; *link is the entry.
 * Binary search; where the published order differs, the whole table by its index. */
enum cim_status cim_link_table_find(const struct cim_link_table *table, const uint16_t *name,
				    size_t units, bool exact, struct cim_link *link, bool *found,
				    struct cim_error *err);
/* May a table in the published order have this name elsewhere than one in ours? */
bool cim_name_is_disputed(const uint16_t *upcase, const uint16_t *name, size_t units);

/* ---- data.c ---- */

/* Fill in a struct cim_data from a Stream; checks type, range and PE descriptor. @base: of the
 * item's record, from which the data of a PE image count. */
enum cim_status cim_data_from_stream(struct cim_image *image, uint64_t offset, uint64_t desc,
				     uint16_t base, struct cim_data *data, struct cim_error *err);
/* Where a Stream lies, and what reading it all goes through. */
enum cim_status cim_stream_place(struct cim_image *image, uint64_t offset, uint64_t desc,
				 uint16_t base, struct cim_place *place, struct cim_error *err);

/* The container of one of the places that an image is read from: 0 is its own, behind that are
 * those of its sources. NULL: it is none, or not needed. *more: there is such a place. */
struct cim_container;
struct cim_container *cim_image_container(const struct cim_image *image, uint32_t place,
					  bool *more);

#endif
