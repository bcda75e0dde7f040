/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * objects.h - the region files of a session, and the objects appended to them
 *
 * A session writes three region files (metadata, data, small data) and only ever appends. What
 * is appended stays in a buffer first. An object that turns out to be known already is taken back
 * from the tail: from the buffer, where small ones still are, or by cutting the file.
 *
 * An error of a write leaves the object store in no defined state: the session is poisoned by its
 * caller (D43) and only cim_objects_close() may follow.
 */
#ifndef CIM_OBJECTS_H
#define CIM_OBJECTS_H

#include "objectid.h"
#include "sessionfiles.h"

#define CIM_REGION_BUFFER (1u << 20)
static_assert(CIM_LARGE_OBJECT == CIM_REGION_BUFFER, "a smaller object stays in the buffer");

struct cim_region_out {
	uint32_t region; /* image-wide index */
	uint64_t align;
	struct cim_session_file *file;
	uint64_t flushed; /* bytes in the file; the buffer follows */
	uint8_t *buf;
	size_t used;
};

struct cim_meta_cache_entry {
	size_t size; /* 0: free */
	struct cim_digest digest;
	uint64_t offset;
	uint8_t *bytes;
};
#define CIM_META_CACHE 64

struct cim_objects {
	const struct cim_env *env;
	struct cim_image *base;		/* NULL: none */
	struct cim_parent_ids *parents; /* NULL without a base */
	struct cim_object_index index;
	struct cim_region_out regions[CIM_REGION_TYPES];
	struct cim_hasher content; /* all objects in order, for D45's GUID */
	struct cim_meta_cache_entry meta[CIM_META_CACHE];
};

/* The object that is being appended; one at a time. Not to be moved (the hasher). */
struct cim_object {
	struct cim_region_out *out;
	uint64_t mark;	/* the region's end before it */
	uint64_t start; /* aligned */
	uint64_t size;	/* declared */
	uint64_t written;
	struct cim_hasher hasher;
};

/* What became of an object. */
struct cim_stored {
	uint64_t offset; /* RegionOffset; of a valid place where nothing is stored */
	bool sparse;	 /* nothing was written of a size above 0 */
	bool known;	 /* an object that was there already serves */
};

/* Create the region files among @files, with headers of @major.@minor, and hold the first. To be
 * closed even on failure. */
enum cim_status cim_objects_open(struct cim_objects *objects, struct cim_session_files *files,
				 struct cim_image *base, uint32_t major, uint32_t minor,
				 struct cim_error *err);
/* Make the region files ones of that version. */
enum cim_status cim_objects_set_version(struct cim_objects *objects, uint32_t major, uint32_t minor,
					struct cim_error *err);
/* Free the memory; the files are the caller's to close, and stay as they are. */
void cim_objects_close(struct cim_objects *objects);

/* Append an object of @size bytes of file data, piece by piece. */
void cim_object_begin(struct cim_objects *objects, uint64_t size, struct cim_object *object);
enum cim_status cim_object_write(struct cim_objects *objects, struct cim_object *object,
				 const uint8_t *data, size_t len, struct cim_error *err);
/* Or without a copy: room for at least 1 byte in the buffer, then what was put there. */
enum cim_status cim_object_room(struct cim_objects *objects, struct cim_object *object,
				uint8_t **room, size_t *len, struct cim_error *err);
void cim_object_took(struct cim_object *object, size_t len);
enum cim_status cim_object_end(struct cim_objects *objects, struct cim_object *object,
			       struct cim_stored *stored, struct cim_error *err);
/* May an object of this size be known? false is certain. */
bool cim_objects_maybe_known(struct cim_objects *objects, uint64_t size);
/* Find a known object with this digest whose bytes equal the source's. */
bool cim_objects_find_source(struct cim_objects *objects, uint64_t size,
			     const struct cim_digest *digest, const struct cim_source *source,
			     uint64_t *offset);

/* Store a metadata object that may be shared: u16 length (if @prefix) and @size bytes. */
enum cim_status cim_objects_put_shared(struct cim_objects *objects, const void *data, size_t size,
				       bool prefix, uint64_t *offset, struct cim_error *err);
/* Store a metadata object of its own (a table). */
enum cim_status cim_objects_put(struct cim_objects *objects, const void *data, size_t size,
				uint64_t *offset, struct cim_error *err);

/* The end of the metadata region, and going back there (a commit that is tried again). */
struct cim_objects_mark {
	uint64_t end;
	struct cim_hasher content;
};
void cim_objects_get_mark(struct cim_objects *objects, struct cim_objects_mark *mark);
enum cim_status cim_objects_rewind(struct cim_objects *objects, const struct cim_objects_mark *mark,
				   struct cim_error *err);

/* Bring everything to the files and sync them. */
enum cim_status cim_objects_sync(struct cim_objects *objects, struct cim_error *err);

/* A place that is valid for a stream without bytes. */
uint64_t cim_objects_nowhere(const struct cim_objects *objects);

#endif
