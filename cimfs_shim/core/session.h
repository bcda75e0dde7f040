/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h - a session, as the files that make it up see it
 *
 * A session is what is done with one struct cim_writer, from cim_writer_open() to its close, and
 * `writer` is always that handle. "A writer" is whoever makes images: this library or another.
 *
 *   writer.c       opens and closes a session, and commits it
 *   session.c      every call's frame: lock, poison, errors
 *   items.c        the calls that change the tree: add, link, delete, lookup
 *   stream.c       the open stream
 *   sessionmarks.c tombstones and merge links
 *   mergesource.c  images that are merged, on merge.c: mergetree.c, their trees; mergelink.c, their
 *                  merge links; mergerest.c, what their records have more
 *   tables.c       commit, first half: link tables, file tables, the filesystem object
 *   publish.c      commit, second half: names, syncs and the one rename
 *   consistent.c   the names of consistent mode, which may be another's already
 *   sessionfiles.c the files and their states, with the session's own
 *   namespace.c    the tree; objects.c  what is in the region files; objectid.c, parentids.c  what
 *                  is known
 */
#ifndef CIM_SESSION_H
#define CIM_SESSION_H

#include "image.h"
#include "merge.h"
#include "namespace.h"
#include "objects.h"

struct cim_stream {
	struct cim_writer *writer;
	bool is_dir;	  /* a directory's: takes no data */
	bool alternate;	  /* else the default stream */
	uint32_t file_id; /* the item it belongs to */
	uint32_t streams; /* alternate: list and name */
	uint16_t name[CIM_MAX_NAME];
	uint16_t name_units;
	struct cim_object object;
	bool known; /* cim_stream_fill() found its data: nothing to end */
	uint64_t known_offset;
	size_t path_units;
	uint16_t path[]; /* as it was opened, for errors */
};

struct cim_writer {
	struct cim_env env;
	struct cim_vfs vfs;  /* env's */
	struct cim_vfs host; /* the caller's, of which vfs may be a container */
	void *lock;
	char *path;    /* DIR/NAME, for errors */
	char *name;    /* of the image to make */
	bool replaces; /* it exists: this session extends it */
	bool as_stored;
	bool committed;			 /* the image is there */
	bool closed;			 /* by the caller; the open stream keeps it alive */
	bool harmless;			 /* the commit failed where it may be tried again */
	struct cim_error poison;	 /* status CIM_OK: none; else what every call answers */
	bool poison_annotated;		 /* it has its operation and path: it is another call's */
	struct cim_error own_error;	 /* of the call that is on */
	struct cim_error *callers_error; /* filled in if it fails; NULL: not wanted */

	cim_vfs_dir *dir;
	struct cim_image *base;
	uint32_t major, minor;

	struct cim_session_files files;
	struct cim_namespace ns;
	struct cim_objects objects;
	uint64_t upcase_offset;
	struct cim_writer_stats stats;

	struct cim_merge *merge; /* NULL: nothing is merged */
	struct cim_merge_links links;
	uint32_t sources; /* that were added */
	bool root_given;  /* the root's metadata */

	struct cim_stream *stream; /* the open one, or NULL */
};

/* The sets that the image names as its parents: its base's, or those of all that was merged. */
static inline const struct cim_region_set *cim_session_parents(const struct cim_writer *writer,
							       uint32_t *count)
{
	if (writer->merge) {
		*count = (uint32_t)writer->merge->set_count;
		return writer->merge->sets;
	}
	*count = writer->base ? writer->base->info.set_count : 0;
	return writer->base ? writer->base->sets : NULL;
}

/* ---- session.c ---- */

void cim_session_lock(struct cim_writer *writer);
void cim_session_unlock(struct cim_writer *writer);
/* Lock, and see whether the session takes calls; @streaming: also while a stream is open. *err
 * becomes the session's own: a poison wants the detail, and the caller gets that of a failure
 * only. */
enum cim_status cim_session_enter(struct cim_writer *writer, bool streaming,
				  struct cim_error **err);
/* A write failed: this is what the session answers from now on. */
enum cim_status cim_session_poison(struct cim_writer *writer, enum cim_status status,
				   const struct cim_error *err);
/* Complete the detail of a call that failed: the operation, the image and the path ({NULL}: none).
 * A poison keeps those of the call that it comes from. */
void cim_session_annotate(struct cim_writer *writer, enum cim_status status, const char *op,
			  struct cim_str path, struct cim_error *err);
/* Annotate, give the caller the detail of a failure, and unlock. */
enum cim_status cim_session_leave(struct cim_writer *writer, enum cim_status status, const char *op,
				  struct cim_str path, struct cim_error *err);

/* A whole call that takes two paths, of an item each. */
typedef enum cim_status cim_session_paths_call(struct cim_writer *writer,
					       const struct cim_path *path,
					       const struct cim_path *other, struct cim_error *err);
enum cim_status cim_session_call_paths(struct cim_writer *writer, const char *op,
				       cim_session_paths_call *call, struct cim_str text,
				       struct cim_str other_text, struct cim_error *err);

/* writer.c: unlock, and free a session that is closed and has no open stream. */
void cim_session_let_go(struct cim_writer *writer);

/* ---- sessionmarks.c ---- */

/* From now on records may have marks. CIM_E_UNSUPPORTED if flags of some would come to be ones. */
enum cim_status cim_session_begin_marks(struct cim_writer *writer, struct cim_error *err);
/* Put an item with these marks at a place: a file without data or an empty directory. */
enum cim_status cim_session_put_mark(struct cim_writer *writer, const struct cim_ns_place *place,
				     uint32_t marks, uint32_t *id, struct cim_error *err);

/* ---- tables.c ---- */

/* Write the tables behind the data. *filesystem: RegionOffset of the root of it all. */
enum cim_status cim_write_tables(struct cim_writer *writer, uint64_t *filesystem,
				 struct cim_error *err);

/* Bytes of a link table of @count rows whose names have @name_units code units in all;
 * CIM_E_LIMIT where the format has no room for it (D48). */
enum cim_status cim_link_table_size(uint64_t count, uint32_t value_size, uint64_t name_units,
				    uint64_t *size, struct cim_error *err);

/* After a failed commit that may be tried again, once the tables are cut off. */
enum cim_status cim_unwrite_tables(struct cim_writer *writer, struct cim_error *err);

/* ---- publish.c ---- */

/* Object ID files, syncs, names, and the filesystem file. */
enum cim_status cim_publish(struct cim_writer *writer, uint64_t filesystem, struct cim_error *err);

/* ---- consistent.c ---- */

/* Compute the set's GUID, and give the files its names, or find that they are there. */
enum cim_status cim_consistent_name(struct cim_writer *writer, uint64_t filesystem,
				    struct cim_error *err);
/* After a commit that failed: back to private names. */
void cim_consistent_unname(struct cim_writer *writer);

#endif
