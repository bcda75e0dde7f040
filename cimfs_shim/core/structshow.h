/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * structshow.h - a visit to the structures of an image: what its files share
 *
 * structs.c goes from one structure to the next: files, the filesystem object, the tree.
 * structitem.c has a file record and what that leads to. Both find structures and have them shown,
 * field by field as structfields.h lays them out, by structshow.c.
 */
#ifndef CIM_STRUCTSHOW_H
#define CIM_STRUCTSHOW_H

#include "budget.h"
#include "idset.h"
#include "image.h"
#include "names.h"
#include "pathbuf.h"
#include "structfields.h"

/* Of bytes that are read at once: the upcase table, or a counted blob, whole. */
#define CIM_STRUCTS_BUFFER CIM_UPCASE_SIZE

static_assert(CIM_STRUCTS_BUFFER >= CIM_MAX_BLOB + 2, "a blob fits in");

struct cim_structs {
	struct cim_env env;
	struct cim_vfs vfs; /* env's */
	struct cim_structure_visitor visitor;
	struct cim_error *err;	/* the caller's */
	enum cim_status status; /* what ends it before its end */
	bool with_sources;	/* the sources of a merged image are there */
	bool enough;		/* the budget is spent, and that was told */
	struct cim_error why;	/* of the last call that failed */
	uint64_t broken;
	uint8_t *buf; /* CIM_STRUCTS_BUFFER bytes */

	struct cim_image *image;
	struct cim_budget *budget; /* once the image is open */
	char region_name[CIM_SET_FILE_NAME];
	uint32_t named_region;	  /* whose name that is */
	struct cim_path_buf path; /* of the item visited now */
	uint32_t file_id;

	struct cim_idset met;
};

/* A structure, and where its bytes come from: memory, a file, or else the image's region. Its file
 * and path are NULL for an object in a region: the region's file, the path of the current item. */
struct cim_struct_target {
	struct cim_structure pub;
	const uint8_t *bytes;
	cim_vfs_file *file;
};

/* ---- structshow.c ---- */

/* Has it come to its end, or is it to end here? */
bool cim_structs_stopped(const struct cim_structs *s);
void cim_structs_no_memory(struct cim_structs *s);
/* Take what @bytes of a structure cost; false: the visit is stopped, or this was too much. What is
 * read from a file itself, from its beginning to its end, costs nothing. */
bool cim_structs_spend(struct cim_structs *s, const struct cim_struct_target *t, uint64_t bytes);
/* True if @status is CIM_OK. What is wrong with the image is reported; anything else is the end.
 * s->why has the cause. */
bool cim_structs_fine(struct cim_structs *s, const struct cim_struct_target *t,
		      enum cim_status status);

/* An object in a region; belongs to the current item. */
struct cim_struct_target cim_structs_object(struct cim_structs *s, enum cim_structure_kind kind,
					    uint64_t region_offset, uint64_t size);
/* Something of a file that is no region's object. @name must stay. */
struct cim_struct_target cim_structs_in_file(enum cim_structure_kind kind, const char *name,
					     const uint8_t *bytes, uint64_t size);
/* Bytes of a file; CIM_E_CORRUPT: it doesn't hold them any more. */
enum cim_status cim_structs_read_at(struct cim_structs *s, cim_vfs_file *file, const char *name,
				    uint64_t offset, void *buf, size_t len);
/* Bytes [skip, skip + len) of a structure. */
bool cim_structs_get(struct cim_structs *s, const struct cim_struct_target *t, uint64_t skip,
		     void *buf, size_t len);

/* A structure of a head, @count elements (NULL: none) and a rest. */
void cim_structs_visit(struct cim_structs *s, const struct cim_struct_target *t,
		       const struct cim_layout *head, const struct cim_layout *element,
		       uint64_t count, const char *rest);
/* Parts of that. The structure itself and the fields in front, of which it may have only some;
 * returns how many bytes they take. */
uint64_t cim_structs_visit_head(struct cim_structs *s, const struct cim_struct_target *t,
				const struct cim_layout *layout);
/* The fields of @layout that lie within @len bytes, which are those at @at of the structure; of an
 * array's element @index (NULL: of none). Returns how many bytes they take. */
size_t cim_structs_visit_fields(struct cim_structs *s, const struct cim_struct_target *t,
				const struct cim_layout *layout, const uint8_t *bytes, size_t len,
				uint64_t at, const uint32_t *index);
void cim_structs_visit_field(struct cim_structs *s, const struct cim_struct_target *t,
			     const struct cim_field *field);
/* All its bytes. */
void cim_structs_visit_bytes(struct cim_structs *s, const struct cim_struct_target *t);

/* Cut the current item's path to @len bytes and add @text behind it. */
bool cim_structs_set_path(struct cim_structs *s, size_t len, char separator, const char *text);

/* ---- structitem.c ---- */

/* The record of s->file_id at s->path, with all that it points to. Returns whether a walk may go
 * into it. @walked: a walk is about to. *status: of the record. */
bool cim_structs_visit_item(struct cim_structs *s, bool walked, enum cim_status *status);

#endif
