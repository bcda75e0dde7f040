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

#include "hash.h"
#include "hashtable.h"
#include "image.h"
#include "verity.h"

/* The regions of the session itself. */
#define CIM_MERGE_OWN CIM_REGION_TYPES

struct cim_writer;
struct cim_path;
struct cim_budget;

/* A source, as the caller named it. */
struct cim_given {
	char *path;
	struct cim_digest header; /* of its filesystem file */
	bool sealed;		  /* the container that it lies in; then: */
	uint8_t root[CIM_VERITY_DIGEST];
};

/* What a record of a source has behind the fields that are known, but for zeros at its end. */
struct cim_merge_rest {
	const uint16_t *bytes;
	uint16_t size;
	uint16_t entry_size; /* of the source's file table */
};

struct cim_merge {
	struct cim_region_set *sets; /* all parents of the merged image */
	size_t set_count, set_room;
	struct cim_merged_source *sources; /* with those that a source that is merged was made of */
	size_t source_count, source_room;
	uint32_t regions; /* of all sets */
	struct cim_given *given;
	size_t given_count, given_room;
	struct cim_merge_rest *rests;
	size_t rest_count, rest_room;
	struct cim_hash_table rest_map; /* by FileID */
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

/* ---- mergesource.c ---- */

/* Are the sources still what they were? CIM_E_SHARING if not. */
enum cim_status cim_merge_check_given(const struct cim_writer *writer, struct cim_error *err);

/* ---- mergetree.c ---- */

/* Lay an image, which shows what is marked, under the session's tree. @first: of its regions, in
 * the merged image; @number: of the source, from 1 on. */
enum cim_status cim_merge_tree(struct cim_writer *writer, struct cim_image *image, uint32_t first,
			       uint32_t number, struct cim_error *err);

/* ---- mergerest.c ---- */

/* Keep what the record of a source's file has more, for the file that it becomes. */
enum cim_status cim_merge_keep_rest(struct cim_writer *writer, struct cim_image *image,
				    struct cim_budget *budget, uint32_t file_id, uint32_t id,
				    struct cim_error *err);
/* The EntrySize that the files with FileIDs [first, end) need. */
uint32_t cim_merge_entry_size(const struct cim_writer *writer, uint64_t first, uint64_t end);
/* CIM_E_CORRUPT: out of all proportion to what was kept. */
enum cim_status cim_merge_check_rests(const struct cim_writer *writer, struct cim_error *err);
/* Write it behind a record at @entry. */
void cim_merge_put_rest(const struct cim_writer *writer, uint32_t id, uint8_t *entry);

/* ---- mergelink.c ---- */

/* Where merge links lead to; many may have one target. */
struct cim_merge_target {
	const uint16_t *text;
	uint32_t units;
	uint32_t
		id; /* at the commit: the FileID of what is there, file or merge link; 0: neither */
	bool known; /* that was looked up */
};

struct cim_merge_link {
	uint32_t id; /* its own FileID */
	uint32_t target;
	uint32_t result; /* at the commit: the FileID that its name gets */
};

/* The merge links of a session, also those that it has no more. */
struct cim_merge_links {
	struct cim_merge_target *targets;
	size_t target_count, target_room;
	struct cim_merge_link *links;
	size_t count, room;
	struct cim_hash_table map; /* by their FileIDs */
	size_t laid;		   /* how many there were when the last source was added */
};

/* A target, which is kept. */
enum cim_status cim_merge_new_target(struct cim_writer *writer, const struct cim_path *path,
				     uint32_t *number, struct cim_error *err);
/* Make sure that cim_merge_add_link() can't fail. */
enum cim_status cim_merge_reserve_link(struct cim_writer *writer, struct cim_error *err);
void cim_merge_add_link(struct cim_writer *writer, uint32_t id, uint32_t target);
void cim_merge_free_links(struct cim_merge_links *links, const struct cim_env *env);
/* For what lies below, a bare directory with one of the session's own links is a directory. */
void cim_merge_count_links(struct cim_writer *writer);

/* Before tables are written: find what merge links lead to. A session that doesn't merge keeps
 * them. */
enum cim_status cim_merge_resolve(struct cim_writer *writer, struct cim_error *err);
/* What a name that leads to @id is to lead to in the image. */
uint32_t cim_merge_entry(const struct cim_writer *writer, uint32_t id);
/* The record of a new file, as it is to be written. */
void cim_merge_finish(const struct cim_writer *writer, uint32_t id, struct cim_record *record);

#endif
