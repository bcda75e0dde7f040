/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcim_advanced.h - what fewer programs need of libcim
 *
 * Names and GUIDs; the region sets and files of an image, and where in them a stream's bytes lie;
 * rebuilding an image, and writing without storing anything twice; the upkeep of a directory of
 * images. The conventions of libcim.h hold here too.
 */
#ifndef LIBCIM_ADVANCED_H
#define LIBCIM_ADVANCED_H

#include "libcim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------
 * Names, GUIDs and metadata
 */

/**
 * cim_check_image_name() - can an image's file be called @name (WTF-8)?
 *
 * CIM_E_INVALID: it is empty, "." or "..", longer than CIM_MAX_NAME code units, or holds a
 * separator ('/', '\') or a ':' (D23).
 */
CIM_API enum cim_status cim_check_image_name(const char *name, struct cim_error *err);

/**
 * cim_utf8_from_utf16() - convert code units to WTF-8
 * @src: @units code units; unpaired surrogates are encoded in three bytes each
 * @dst: room for @size bytes, or NULL to count; always NUL-terminated if @size is not 0
 *
 * Returns the bytes of the whole result without its NUL; if that is >= @size it was cut at a
 * character's end.
 */
CIM_API size_t cim_utf8_from_utf16(const uint16_t *src, size_t units, char *dst, size_t size);

/**
 * cim_utf16_from_utf8() - convert WTF-8 to code units
 * @src:   @bytes bytes
 * @dst:   room for @size code units, or NULL to count; no terminator is written
 * @units: receives the code units of the whole result
 *
 * CIM_E_INVALID: malformed (overlong, out of range, cut short; also a surrogate pair written as
 * two three-byte sequences, which has another spelling). CIM_E_LIMIT: more than @size units.
 */
CIM_API enum cim_status cim_utf16_from_utf8(const char *src, size_t bytes, uint16_t *dst,
					    size_t size, size_t *units);

/**
 * cim_name_compare_default() - compare two names as a directory of a new image sorts them
 *
 * By upcased code units, a name before those it begins. Returns <0, 0 or >0; 0 means that the two
 * can't stand in one directory.
 */
CIM_API int cim_name_compare_default(const uint16_t *a, size_t a_units, const uint16_t *b,
				     size_t b_units);

/** A GUID. */
struct cim_guid {
	uint8_t bytes[16]; /* in Windows' binary order, as the format stores it */
};

/** Bytes of a GUID's text, 8-4-4-4-12 in lower case, its NUL included. */
#define CIM_GUID_TEXT 37

/** cim_guid_format() - write a GUID's text to @text, which holds CIM_GUID_TEXT bytes */
CIM_API void cim_guid_format(const struct cim_guid *guid, char *text);

/** cim_guid_parse() - read a GUID's text, either case, with or without braces; false if malformed
 */
CIM_API bool cim_guid_parse(const char *text, struct cim_guid *guid);

/**
 * cim_blob_valid() - do the bytes keep the rules of their kind (D9, D16, D17)?
 *
 * A self-relative security descriptor whose SIDs and ACLs lie inside it; a chain of EAs, perhaps
 * with up to 3 bytes behind the last; a reparse buffer whose length field tells its size. A
 * session takes no others; an image of another's making may have them.
 */
CIM_API bool cim_blob_valid(enum cim_blob which, const void *bytes, size_t size);

/**
 * cim_image_lookup_at() - find one name in a directory
 * @dir_id: FileID of a directory
 * @name:   a component, not checked against D20, so that any stored name can be asked for
 * @exact:  compare code units as they are, not upcased
 *
 * CIM_E_FILE_NOT_FOUND: no such name. CIM_E_PATH_NOT_FOUND: @dir_id is not a directory.
 * CIM_E_INVALID: malformed UTF-8.
 */
CIM_API enum cim_status cim_image_lookup_at(struct cim_image *image, uint32_t dir_id,
					    struct cim_str name, bool exact, uint32_t *file_id,
					    struct cim_error *err);

/* ------------------------------------------------------------------------------------------
 * The files of an image, and where in them bytes lie
 */

/**
 * struct cim_region_set - one of the region sets an image names
 * @guid:  its GUID, which the names of its files have
 * @count: its regions
 * @first: index of its region 0 among the regions of all sets
 */
struct cim_region_set {
	struct cim_guid guid;
	uint16_t count;
	uint32_t first;
};

/** cim_image_get_set() - region set @index (parents first), which lives with the image; NULL if
 * there is none */
CIM_API const struct cim_region_set *cim_image_get_set(struct cim_image *image, uint32_t index);

/** Bytes of a sealed container's root hash. */
#define CIM_ROOT_HASH 32

/**
 * struct cim_merged_source - an image that a merged image was made of
 * @guid:      its own region set's
 * @set_count: how many of the merged image's sets are its, from the one behind those of the source
 *             before on
 * @verified:  it was sealed, and only with this root hash it is the same:
 * @root_hash: else zeros
 */
struct cim_merged_source {
	struct cim_guid guid;
	uint32_t set_count;
	bool verified;
	uint8_t root_hash[CIM_ROOT_HASH];
};

/** cim_image_get_source() - source @index of a merged image, topmost first, which lives with the
 * image; NULL if there is none */
CIM_API const struct cim_merged_source *cim_image_get_source(struct cim_image *image,
							     uint32_t index);

/**
 * cim_image_open_merged() - open a merged image with the images that it was made of
 * @path:    the merged image, as for cim_image_open()
 * @sources: paths of images, in any order; those that it doesn't need are not used
 * @count:   how many
 *
 * The files of a source lie beside it, wherever that is. cim_image_open() will do where all of them
 * lie beside the merged image.
 *
 * CIM_E_INVALID: @path is no merged image. CIM_E_FILE_NOT_FOUND: one is missing, or none of
 * @sources is the source that has a GUID which is named. CIM_E_CORRUPT: or it is, but names other
 * region sets than when it was merged. Else as for cim_image_open().
 */
CIM_API enum cim_status cim_image_open_merged(const struct cim_env *env, const char *path,
					      const char *const *sources, size_t count,
					      struct cim_image **image, struct cim_error *err);

/*
 * Marks, which say something to whoever merges the image (cim_writer_add_source()). What has one of
 * the first three is hidden: no look-up, iterator, walk or count of links shows it.
 */
/** A file without data: hides what images below have at its path, and all below it. */
#define CIM_MARK_TOMBSTONE 0x1u
/** A file whose default stream is a path, in UTF-16 with '\\' between its components: when images
 * are merged it becomes a hard link to what is there. */
#define CIM_MARK_MERGE_LINK 0x2u
/** A directory that was only made so that a tombstone or a merge link is in one. */
#define CIM_MARK_BARE 0x4u
/** A directory that hides what images below have at its path; itself it is as any other. */
#define CIM_MARK_OPAQUE 0x8u

/**
 * cim_image_show_marked() - show, or hide again, what marks hide
 *
 * Look-ups, iterators, walks and counts of links that begin after it do so; no other thread may use
 * the image meanwhile. A FileID that is known is taken as it is, hidden or not.
 */
CIM_API void cim_image_show_marked(struct cim_image *image, bool show);

/**
 * cim_image_open_verified() - open an image of a sealed container whose root hash is known
 * @path:      the image, as for cim_image_open()
 * @sources:   @count paths, as for cim_image_open_merged(); NULL, 0: it is no merged image, or what
 *             it was made of lies beside it
 * @root_hash: CIM_ROOT_HASH bytes, of the container that @path is in
 *
 * Whatever is read is checked first, block by block, up to the root hash; of the container of each
 * source that the image needs, up to the root hash that the image stores. Bytes that aren't as
 * they were sealed are CIM_E_CORRUPT for the call that needs them. (Opened by the other functions,
 * what is in a sealed container is checked too, but by the root hash that the container has now.)
 *
 * CIM_E_CORRUPT: it has another root hash, isn't sealed, or its seal is elsewhere
 * (struct cim_container_info); or that is so of a source, or it was added without its root hash.
 * CIM_E_UNSUPPORTED: the environment has no SHA-256. Else as for the functions named.
 */
CIM_API enum cim_status cim_image_open_verified(const struct cim_env *env, const char *path,
						const char *const *sources, size_t count,
						const uint8_t *root_hash, struct cim_image **image,
						struct cim_error *err);

/** Room for the name of a region file, its NUL included. */
#define CIM_REGION_NAME 56

/**
 * cim_image_region_name() - the name of region @index's file, which lies beside the image
 * @index: counts through the sets, parents first
 * @name:  CIM_REGION_NAME bytes; "" if there is no such region
 */
CIM_API bool cim_image_region_name(struct cim_image *image, uint32_t index, char *name);

/**
 * cim_image_region_size() - bytes of region @index's file, whatever is in it
 * CIM_E_INVALID: there is no such region. CIM_E_FILE_NOT_FOUND: there is no such file.
 */
CIM_API enum cim_status cim_image_region_size(struct cim_image *image, uint32_t index,
					      uint64_t *size, struct cim_error *err);

/**
 * cim_image_check_regions() - are the region files that an image names all there?
 *
 * Opens the region files of all sets one after the other and checks the header of each, which
 * cim_image_open() leaves to the time when they are needed, and that the upcase table and the first
 * 65,536 file tables lie in them. For whoever would rather refuse an image than show half of it
 * (D31). What is in the tables, and whether the data they lead to is there, is
 * cim_image_verify()'s.
 *
 * Costs opening and a read of 40 bytes for each region file, of which a session makes three and an
 * image can name 65,536; and a read of 16 bytes for each 1,024 files. A bounded number stays open.
 *
 * CIM_E_CORRUPT: one is missing, shorter than its header, or not the region file that its name
 * says, or a table lies outside. CIM_E_VERSION: as for cim_image_open().
 */
CIM_API enum cim_status cim_image_check_regions(struct cim_image *image, struct cim_error *err);

/** What cim_image_hold() does about an image in use. */
enum cim_hold {
	CIM_HOLD_TRY,  /* hold the image until it is closed */
	CIM_HOLD_WAIT, /* the same, once the session that made it is closed */
	CIM_HOLD_ASK,  /* does anybody hold it, this handle too? */
};

/**
 * cim_image_hold() - mark an image as in use, so that a commit over it is refused (D33)
 * @native: receives the file that the mark stands on, as the environment's map() names it
 *          (POSIX: a descriptor, a copy of which keeps the mark, of what is in a container until
 *          the image is closed), or -1; may be NULL. It is set after CIM_E_SHARING too, and is
 *          the library's
 *
 * Of a merged image that was opened with its sources they are marked, too; CIM_HOLD_ASK asks for
 * the image alone. Not for two threads at a time. While one waits the image may be read, but not
 * closed.
 *
 * CIM_E_SHARING: the session that made the image, or a source, still has it; CIM_HOLD_ASK: somebody
 * holds it.
 * CIM_E_INVALID: unknown @how. CIM_E_FILE_NOT_FOUND: the region file is gone. CIM_E_UNSUPPORTED:
 * there are no locks.
 */
CIM_API enum cim_status cim_image_hold(struct cim_image *image, enum cim_hold how, intptr_t *native,
				       struct cim_error *err);

/**
 * cim_image_mark() - the files that marks of cim_image_hold() stand on
 * @index:  0: the image's, which @native told, then that of each source that is marked
 * @native: as there
 *
 * False past the last.
 */
CIM_API bool cim_image_mark(struct cim_image *image, size_t index, intptr_t *native);

/** What a run of a stream's bytes is. */
enum cim_run_kind {
	CIM_RUN_NONE,  /* nothing: at or past the stream's end, or no bytes were asked for */
	CIM_RUN_ZEROS, /* zeros that are stored nowhere */
	CIM_RUN_FILE,  /* bytes of a file, in one piece */
	CIM_RUN_READ, /* bytes that the environment has no handle of a file for: cim_image_read() */
};

/**
 * struct cim_run - where a piece of a stream lies
 * @kind:   what it is
 * @len:    bytes of the run
 * @native: CIM_RUN_FILE: the file, as the environment's map() names it (POSIX: a descriptor),
 *          else -1. It is the library's: to be read by position, and not to be closed
 * @offset: CIM_RUN_FILE: where in that file the run begins, else 0
 * @priv:   the library's own
 */
struct cim_run {
	size_t struct_size;
	enum cim_run_kind kind;
	uint64_t len;
	uint64_t offset;
	intptr_t native;
	void *priv;
};

/**
 * cim_image_get_run() - find the file that holds a stream's bytes, to have them without a copy
 * @offset, @len: what is wanted
 * @run:  receives the first run of it: where @offset is, and @len bytes or fewer. Fewer does not
 *        mean that the stream ends: an expanded PE image lies in pieces, and so may a file of a
 *        container
 *
 * For a server that splices from the page cache. Until cim_run_put() the file stays open, however
 * many others are opened meanwhile; hold it for one answer, not for an open file, because each one
 * held is one descriptor more. Every run must be put back before the image is closed, also by
 * whoever doesn't use it.
 *
 * The file's length is asked for in this call, not remembered: CIM_E_CORRUPT where a region file
 * that has been cut short no longer holds the run, so that nobody takes a short splice for a
 * stream's end. Only one that is cut short between this call and the splice can still cause it;
 * compare what was moved with @len.
 */
CIM_API enum cim_status cim_image_get_run(struct cim_image *image, const struct cim_data *data,
					  uint64_t offset, uint64_t len, struct cim_run *run,
					  struct cim_error *err);

/** cim_run_put() - give a run's file back, and make @run CIM_RUN_NONE; any kind, also twice */
CIM_API void cim_run_put(struct cim_image *image, struct cim_run *run);

/** cim_region_index() - the region, among all of an image's, that a RegionOffset leads to */
static inline uint32_t cim_region_index(uint64_t region_offset)
{
	return (uint32_t)(region_offset >> 48);
}

/** cim_region_byte() - the byte in that region's file */
static inline uint64_t cim_region_byte(uint64_t region_offset)
{
	return region_offset & ((UINT64_C(1) << 48) - 1);
}

/**
 * struct cim_segment - a piece of a stream, and where the image has it
 * @offset, @len: the piece: bytes of the stream
 * @stored:       false: the sparse form, nothing is stored and the rest is 0
 * @place:        RegionOffset of its bytes: see cim_region_index()
 * @in_object:    where they begin in the object that holds the stream's bytes; for an expanded PE
 *                image that is @offset and the mapping's Delta, else @offset
 */
struct cim_segment {
	size_t struct_size;
	uint64_t offset;
	uint64_t len;
	bool stored;
	uint64_t place;
	uint64_t in_object;
};

/**
 * cim_image_get_segment() - find the piece of a stream that begins at @offset
 *
 * To list all of a stream's: begin at 0, go on at the piece's @offset + @len. A plain or sparse
 * stream has one piece, an expanded PE image one for each mapping that maps anything.
 *
 * CIM_E_EOF: @offset is at the stream's end or past it.
 */
CIM_API enum cim_status cim_image_get_segment(struct cim_image *image, const struct cim_data *data,
					      uint64_t offset, struct cim_segment *segment,
					      struct cim_error *err);

/* ------------------------------------------------------------------------------------------
 * Images from strangers
 *
 * An image may let thousands of items lead to one table of thousands of names. Who goes through an
 * image with functions that look at one item at a time bounds what he does by these; cim_walk and
 * cim_image_verify() do so by themselves.
 */

/** struct cim_place - where something lies; all 0: there is none */
struct cim_place {
	uint64_t offset; /* RegionOffset */
	uint64_t bytes;	 /* those that it takes to go through it */
	uint64_t data;	 /* of a PE image: where its data lie, a RegionOffset */
	uint64_t base;	 /* of a stream table: from which region on count its streams */
};

/** struct cim_budget - what a traversal may still go through; safe to share between threads */
struct cim_budget;

/** What of an item cim_file_place() finds. */
enum cim_part {
	CIM_PART_SECURITY = CIM_BLOB_SECURITY,
	CIM_PART_EA = CIM_BLOB_EA,
	CIM_PART_REPARSE = CIM_BLOB_REPARSE,
	CIM_PART_DATA,	  /* the default stream; a PE image with its mappings */
	CIM_PART_STREAMS, /* the table of the others */
};

/** cim_file_place() - where a part of an item lies that this image told of; bytes 0: nowhere */
CIM_API enum cim_status cim_file_place(struct cim_image *image, const struct cim_file_info *file,
				       enum cim_part part, struct cim_place *place,
				       struct cim_error *err);
/**
 * cim_file_has_rest() - has an item's record something behind the fields that are known?
 * @budget: what going there is spent of; NULL: the image is no stranger's
 * @has:    receives true if there are bytes other than zeros: a later version's fields, which who
 *          writes the item anew leaves out
 */
CIM_API enum cim_status cim_file_has_rest(struct cim_image *image, const struct cim_file_info *file,
					  struct cim_budget *budget, bool *has,
					  struct cim_error *err);
/** cim_data_place() - where a stream lies; bytes 0: nowhere */
CIM_API enum cim_status cim_data_place(struct cim_image *image, const struct cim_data *data,
				       struct cim_place *place, struct cim_error *err);
/** cim_iter_place() - where the table lies that an iterator goes through; false if @iter is NULL */
CIM_API bool cim_iter_place(const struct cim_iter *iter, struct cim_place *place);

/**
 * cim_budget_open() - a budget for one traversal of @image, to be closed before it
 *
 * It is the size of the region files in which lies what is spent, and 8 MiB: enough for all tables
 * of an image of which none is shared. Large holes in these files are room for what
 * cim_budget_once() spends alone.
 */
CIM_API enum cim_status cim_budget_open(struct cim_image *image, struct cim_budget **budget,
					struct cim_error *err);
/** cim_budget_spend() - go through something; CIM_E_CORRUPT where the budget ends */
CIM_API enum cim_status cim_budget_spend(struct cim_budget *budget, const struct cim_place *place,
					 struct cim_error *err);

/** Smaller places cost cim_budget_once() nothing. */
#define CIM_SMALL_PLACE 4096u
/** What cim_budget_once() counts them as. */
#define CIM_NOT_COUNTED UINT32_MAX

/**
 * cim_budget_once() - go through something that many may share, and keep what comes of it
 * @number: receives the place's number, from 0, in the order in which they came up;
 *          CIM_NOT_COUNTED for a small place
 * @again:  receives whether it was spent before (so that now nothing was)
 */
CIM_API enum cim_status cim_budget_once(struct cim_budget *budget, const struct cim_place *place,
					uint32_t *number, bool *again, struct cim_error *err);
/** cim_budget_close() - NULL is fine */
CIM_API void cim_budget_close(struct cim_budget *budget);

/** struct cim_idset - a set of FileIDs, which takes memory for those that are in it */
struct cim_idset;

/** cim_idset_open() - an empty set, to be closed before the image; not for several threads at once
 */
CIM_API enum cim_status cim_idset_open(struct cim_image *image, struct cim_idset **set,
				       struct cim_error *err);
/** cim_idset_add() - add one; @again receives whether it was in the set already */
CIM_API enum cim_status cim_idset_add(struct cim_idset *set, uint32_t file_id, bool *again,
				      struct cim_error *err);
/** cim_idset_has() - is it in the set? */
CIM_API bool cim_idset_has(const struct cim_idset *set, uint32_t file_id);
/** cim_idset_close() - NULL is fine */
CIM_API void cim_idset_close(struct cim_idset *set);

/** struct cim_links - how many names each file that can be reached from the root has */
struct cim_links;

/**
 * cim_links_open() - count, by one pass over all directories
 * @tell: called for each directory, with @why NULL, and for each that can't be read or has an
 *        entry that can't (@file_id is the directory's); non-zero stops with CIM_E_ABORTED; may be
 *        NULL
 *
 * Memory: at most 4 bytes a FileID, as much for a directory, and 8 for a file table. Close before
 * the image.
 *
 * CIM_E_CORRUPT: its budget has ended (struct cim_budget).
 */
CIM_API enum cim_status cim_links_open(struct cim_image *image,
				       int (*tell)(void *ctx, uint32_t file_id,
						   const struct cim_error *why),
				       void *ctx, struct cim_links **links, struct cim_error *err);
/** cim_links_count() - a file's names, or a directory's subdirectories; 0 for what wasn't met */
CIM_API uint32_t cim_links_count(const struct cim_links *links, uint32_t file_id);
/** cim_links_several() - how many files have more than one name */
CIM_API uint64_t cim_links_several(const struct cim_links *links);
/**
 * cim_links_walkable() - would a walk through all of the image come to its end?
 *
 * CIM_E_CORRUPT: no, its budget would end before. For who would have done too much by then.
 */
CIM_API enum cim_status cim_links_walkable(const struct cim_links *links, struct cim_error *err);
/** cim_links_bytes() - what all files have in their default streams, once each, but for sparse ones
 */
CIM_API uint64_t cim_links_bytes(const struct cim_links *links);
/** cim_links_close() - NULL is fine */
CIM_API void cim_links_close(struct cim_links *links);

/* ------------------------------------------------------------------------------------------
 * Writing
 */

/**
 * For rebuilding what another image holds (cimtool create --from-dump): what the API adds or
 * refuses for a program's good is left as it is. An item without a security descriptor gets none,
 * cim_metadata's other_flags are stored, and ":STREAM" is a stream of the root.
 */
#define CIM_WRITE_AS_STORED 0x2u

/**
 * struct cim_source - data that can be read twice
 * @ctx:   the caller's own, passed to @pread
 * @pread: reads @len bytes at @offset, all or an error; called under the session's lock, so it
 *         must not call the session. @err may be NULL
 */
struct cim_source {
	size_t struct_size;
	void *ctx;
	enum cim_status (*pread)(void *ctx, uint64_t offset, void *buf, size_t len,
				 struct cim_error *err);
};

/**
 * cim_stream_fill() - write a whole stream from a source
 *
 * As cim_stream_write() of all of it, but where an object of the same size is known the source
 * is hashed first, so that a copy of what the image already holds is never written. Only for a
 * stream to which nothing was written. CIM_E_INVALID otherwise, and for a directory's stream.
 * An error of @pread is returned and poisons the session if part of the stream had been written.
 */
CIM_API enum cim_status cim_stream_fill(struct cim_stream *stream, const struct cim_source *source,
					struct cim_error *err);

/** cim_writer_add_source(): the image is in a sealed container, and only with the root hash that it
 * has now cim_image_open_verified() takes it as a source. */
#define CIM_SOURCE_VERIFIED 0x1u

/**
 * cim_writer_add_source() - lay an image under what the session has: the new image is a merged one
 * @path:  the image; what was added before it, and what the session adds, lies above it
 * @flags: CIM_SOURCE_*
 *
 * Only for an image made from nothing. For each path the topmost image that has it wins, and two
 * directories are united, with the metadata of the upper one; a directory with reparse data isn't.
 * Tombstones and opaque directories hide what lies below; merge links become hard links at the
 * commit, which gives CIM_E_PATH_NOT_FOUND, naming it, where one leads to no file, and may then be
 * tried again.
 * The merged image holds directories and records; it shows data where the sources have them, and so
 * is opened with them (cim_image_open_merged()). Nothing but their directories is read here. Items
 * of a source may be replaced, linked and deleted as those of any session, but their alternate
 * streams can't be changed (CIM_E_UNSUPPORTED).
 *
 * Reports progress by CIM_PHASE_MERGE; CIM_E_ABORTED: the callback said stop.
 *
 * CIM_E_INVALID: unknown @flags, or the session extends or forks an image. CIM_E_CORRUPT:
 * CIM_SOURCE_VERIFIED, but it isn't in a sealed container. A failure within a source ends the
 * session's use, as that of a write does. CIM_E_EXISTS: a directory of the source has two names
 * that differ in case only. CIM_E_LIMIT: the sources have more regions than an image can name. Else
 * as for cim_image_open() and a walk through all of it. A commit gives CIM_E_SHARING or
 * CIM_E_FILE_NOT_FOUND if a source was replaced or is gone by then; CIM_E_CORRUPT if a few records
 * that are far longer than known ones would make all others so.
 */
CIM_API enum cim_status cim_writer_add_source(struct cim_writer *writer, const char *path,
					      unsigned flags, struct cim_error *err);

/**
 * cim_writer_tombstone() - hide a path, and all below it, in the images below this one
 *
 * Of this image it removes what is there, with all below it. Neither the path nor its directories
 * need be in the image. For the other calls of a session, and whoever reads the image, there is
 * nothing at the path; what is created there takes the tombstone's place, and a directory then
 * hides what the images below have at the path.
 *
 * CIM_E_INVALID: the root, or a path with a ':'. CIM_E_PATH_NOT_FOUND: a file is on the way.
 * CIM_E_UNSUPPORTED: items of the existing image have flags that would come to be marks.
 */
CIM_API enum cim_status cim_writer_tombstone(struct cim_writer *writer, struct cim_str path,
					     struct cim_error *err);

/**
 * cim_writer_merge_link() - a hard link to what will be at @target when images are merged
 * @target: is looked for then; now it needn't be there
 *
 * Takes the place of a file. For the other calls of a session, and whoever reads the image, there
 * is nothing at the path.
 *
 * CIM_E_INVALID: one is the root or has a ':'. CIM_E_ACCESS: @path is a directory. Else as for
 * cim_writer_tombstone().
 */
CIM_API enum cim_status cim_writer_merge_link(struct cim_writer *writer, struct cim_str path,
					      struct cim_str target, struct cim_error *err);

/**
 * cim_image_copy() - an image with all that it needs, as it is, into another directory or container
 * @path:      the image, as for cim_image_open()
 * @dir:       existing directory, or container, where it is to be
 * @name:      its name there
 * @flags:     those of CIM_WRITE_* that are about containers
 * @root_hash: as for cim_image_open_verified(); NULL: any
 * @unlocked:  becomes true if the file system there has no locks (D54), else false; may be NULL
 *
 * Copies the files of all its region sets, those of its parents too, and their object ID files. So
 * a container that images are copied into one by one has lost no room but that of its former
 * tables, and images that share region sets share them there. What an image's region sets hold that
 * it doesn't need is copied, too. Reports progress by CIM_PHASE_COPY.
 *
 * Nothing of the copy is visible until all of it is there, and what was made goes if it fails. An
 * error of making the last rename last is returned, but the copy stands, as after a commit.
 *
 * CIM_E_UNSUPPORTED: it is a merged image, and not all of its sources are beside it. CIM_E_EXISTS:
 * the name is taken, or a region file is there with other bytes. CIM_E_CORRUPT: a region file of
 * the image is missing. CIM_E_ABORTED: the progress callback said so. Else as for
 * cim_image_open_verified() and cim_writer_open().
 */
CIM_API enum cim_status cim_image_copy(const struct cim_env *env, const char *path, const char *dir,
				       const char *name, unsigned flags, const uint8_t *root_hash,
				       bool *unlocked, struct cim_error *err);

/** struct cim_writer_stats - what a session has done so far; bytes as the streams' sizes */
struct cim_writer_stats {
	size_t struct_size;
	uint64_t files;	       /* items added (directories, files), links not counted */
	uint64_t streams;      /* streams with data, default and alternate */
	uint64_t bytes;	       /* their bytes */
	uint64_t stored_bytes; /* what of it was stored, the rest being known already */
	/* Items of sources whose unknown flags would have come to be marks: they are dropped */
	uint64_t dropped_flags;
};

/** cim_writer_get_stats() - see struct cim_writer_stats */
CIM_API enum cim_status cim_writer_get_stats(struct cim_writer *writer,
					     struct cim_writer_stats *stats, struct cim_error *err);

/**
 * cim_writer_unlocked() - has the file system no locks (D54)?
 * That nobody else writes in the directory meanwhile is then the caller's affair.
 */
CIM_API bool cim_writer_unlocked(struct cim_writer *writer);

/* ------------------------------------------------------------------------------------------
 * The files of a directory of images
 */

/** What a file in an image directory is, by its header or, for the last two, by its name. */
enum cim_file_kind {
	CIM_KIND_IMAGE,
	CIM_KIND_REGION,
	CIM_KIND_OBJECT_ID,
	CIM_KIND_TEMPORARY, /* cimtmp_*: private to a session, alive or dead */
};

/** Somebody holds the file, a living session or a mount: leave it alone. */
#define CIM_STORE_IN_USE 0x1u
/** In use by a mount of the image that this set is the own one of; neither that image nor what it
 * needs may go. Where that image isn't there, so is all that has no owner. */
#define CIM_STORE_MOUNTED 0x2u
/** An image that can't be read, or what may be one; while there is one, nothing can be called an
 * orphan. */
#define CIM_STORE_BROKEN 0x4u
/** There is no right to read it, so that only its name tells what it is, any name but those of the
 * other kinds being taken for an image's; or, of what is in use: there is no right to see who holds
 * its region set. */
#define CIM_STORE_DENIED 0x8u

/**
 * struct cim_store_file - one file of an image directory
 * @name:   its name, WTF-8
 * @kind:   what it is
 * @set:    the region set it belongs to (an image: its own set); zeros for a temporary file
 * @index:  its number in the set
 * @size:   bytes
 * @owners: the images that need it (region, object ID); 0: nobody, it is an orphan
 * @flags:  CIM_STORE_*
 */
struct cim_store_file {
	const char *name;
	enum cim_file_kind kind;
	struct cim_guid set;
	uint16_t index;
	uint64_t size;
	uint32_t owners;
	unsigned flags;
};

/** struct cim_store - a directory's images and files, as they were when it was opened */
struct cim_store;

/**
 * cim_store_open() - look at every file of a directory; @lock: and keep sessions out meanwhile
 * CIM_E_PATH_NOT_FOUND: no such directory. CIM_E_SHARING: @lock, and a session has it. CIM_E_LIMIT:
 * more than 2^32 files, or region sets named by images.
 */
CIM_API enum cim_status cim_store_open(const struct cim_env *env, const char *dir, bool lock,
				       struct cim_store **store, struct cim_error *err);
/** cim_store_get() - file number @index, sorted by name; NULL past the last; lives with the store
 */
CIM_API const struct cim_store_file *cim_store_get(struct cim_store *store, size_t index);
/** cim_store_owner() - name of the @n-th image that needs a region set; NULL past the last */
CIM_API const char *cim_store_owner(struct cim_store *store, const struct cim_guid *set, size_t n);
/**
 * cim_store_open_image() - open an image that the store has listed, to be closed before the store
 * Costs what the image costs: the place isn't opened anew, as cim_image_open() does, which reads
 * the whole table of a container. CIM_E_FILE_NOT_FOUND: none of that name. Else as
 * cim_image_open().
 */
CIM_API enum cim_status cim_store_open_image(struct cim_store *store, const char *name,
					     struct cim_image **image, struct cim_error *err);
/**
 * cim_store_unlocked() - has the file system no locks (D54)?
 * What is in use can't be seen then, and sessions aren't kept out. As far as the calls before have
 * found out.
 */
CIM_API bool cim_store_unlocked(struct cim_store *store);
/**
 * cim_store_remove() - delete a file of the directory by its name
 *
 * A region or object ID file of a consistent set (D45) may have been taken into use since the store
 * was opened: CIM_E_SHARING if somebody holds it, or an image of the directory names its set.
 * CIM_E_FILE_NOT_FOUND: the store has no such file. CIM_E_SHARING, too: it is held open.
 */
CIM_API enum cim_status cim_store_remove(struct cim_store *store, const char *name,
					 struct cim_error *err);
/**
 * cim_store_sync() - make removals last
 *
 * In a container nothing is removed for others before this, and then all of it at once; closing the
 * store does the same, but can't tell of a failure. CIM_E_SHARING: the container was changed
 * meanwhile by somebody whom locks don't bind; nothing is removed.
 */
CIM_API enum cim_status cim_store_sync(struct cim_store *store, struct cim_error *err);
/** cim_store_close() - NULL is fine */
CIM_API void cim_store_close(struct cim_store *store);

/* ------------------------------------------------------------------------------------------
 * Containers, and their seals (container.md 1 and 4)
 */

/**
 * struct cim_container_info - what a container is, and holds
 * @to_be_sealed:   it was made with CIM_WRITE_SEALABLE
 * @sealed:         it is sealed: never written again, and checked whenever it is read
 * @seal_elsewhere: sealed, but the seal isn't here: of a device that veritysetup shows, for the
 *                  kernel checks it. Then the root hash is 0, and nothing is checked
 * @device:         it is on a block device
 * @size:           up to its end, which the seal follows, or nothing
 * @file_size:      of the file, or of the device
 * @used:           bytes up to its end that something refers to
 * @lost:           those that nothing does, until it is copied
 * @files:          how many it has, region files and object IDs too
 * @images:         how many of them are images
 * @data_blocks:    sealed: of 4096 bytes, up to its end, which is veritysetup's hash offset
 * @root_hash:      sealed: with it the seal tells whether every byte up to its end is as it was
 */
struct cim_container_info {
	size_t struct_size;
	bool to_be_sealed;
	bool sealed;
	bool seal_elsewhere;
	bool device;
	uint64_t size;
	uint64_t file_size;
	uint64_t used;
	uint64_t lost;
	uint64_t files;
	uint64_t images;
	uint64_t data_blocks;
	uint8_t root_hash[CIM_ROOT_HASH];
};

/**
 * cim_container_get_info() - see struct cim_container_info
 * @path: file or device
 *
 * CIM_E_FILE_NOT_FOUND: there is no such file. CIM_E_CORRUPT: it is no container, or a damaged one.
 */
CIM_API enum cim_status cim_container_get_info(const struct cim_env *env, const char *path,
					       struct cim_container_info *info,
					       struct cim_error *err);

/**
 * cim_container_seal() - let nobody write a container any more, and make every change show
 * @path:      file or device
 * @root_hash: receives CIM_ROOT_HASH bytes; of a container that is sealed already, those that it
 *             has
 * @unlocked:  as for cim_image_copy()
 *
 * Hashes all of the container and writes the tree behind it, as "veritysetup" does, who can check
 * it. Until all of that is on the disk the container isn't sealed. Reports progress by
 * CIM_PHASE_SEAL.
 *
 * CIM_E_INVALID: it wasn't made with CIM_WRITE_SEALABLE. CIM_E_SHARING: a session has it.
 * CIM_E_DISK_FULL: the tree doesn't fit, on a device. CIM_E_LIMIT: the container is too large for
 * one. CIM_E_UNSUPPORTED: the environment has no SHA-256. After CIM_E_IO or the like it may be
 * sealed all the same; the next call tells. Else as for cim_container_get_info().
 */
CIM_API enum cim_status cim_container_seal(const struct cim_env *env, const char *path,
					   uint8_t *root_hash, bool *unlocked,
					   struct cim_error *err);

/**
 * cim_container_append() - put bytes behind a container, such as a VHD's footer
 * @path:     a file
 * @at:       where in the file: at its end (that of the seal, if it is sealed) or behind it; what
 *            lies between is zeros
 * @unlocked: as for cim_image_copy()
 *
 * Readers leave alone what lies there. The next session cuts it off; and so does this call, of a
 * container that isn't sealed, with what is there.
 *
 * CIM_E_INVALID: @at is within the container; or it is on a device. CIM_E_EXISTS: it is sealed, and
 * something is behind it, other than zeros that this call would write over. Else as for
 * cim_container_seal().
 */
CIM_API enum cim_status cim_container_append(const struct cim_env *env, const char *path,
					     uint64_t at, const void *bytes, size_t size,
					     bool *unlocked, struct cim_error *err);

#ifdef __cplusplus
}
#endif

#endif /* LIBCIM_ADVANCED_H */
