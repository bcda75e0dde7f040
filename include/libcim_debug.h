/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcim_debug.h - the raw structures of an image, for the person who debugs one
 *
 * What lies in the files of an image, byte by byte, sound or not: cim_structures_visit(). The
 * conventions of libcim.h hold here too.
 */
#ifndef LIBCIM_DEBUG_H
#define LIBCIM_DEBUG_H

#include "libcim.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a structure is; cim_structure_name() has the words. */
enum cim_structure_kind {
	CIM_STRUCT_IMAGE_HEADER,     /* of the filesystem file, parents' region sets included */
	CIM_STRUCT_TRAILER,	     /* what follows it in the filesystem file, if anything does */
	CIM_STRUCT_REGION_HEADER,    /* of a region file */
	CIM_STRUCT_OBJECT_ID_HEADER, /* of an object ID file */
	CIM_STRUCT_OBJECT_IDS,	     /* the table in it */
	CIM_STRUCT_FILESYSTEM,	     /* the filesystem object */
	CIM_STRUCT_TABLE_DIRECTORY,  /* the file table directory, an element a file table */
	CIM_STRUCT_FILE,	     /* one record of a file table, as long as its entry size */
	CIM_STRUCT_LINK_TABLE,	     /* a directory's entries */
	CIM_STRUCT_STREAM_TABLE,     /* an item's alternate streams, of either form */
	CIM_STRUCT_PE_IMAGE,	     /* with its mappings */
	CIM_STRUCT_SECURITY,	     /* a security descriptor, its length in front */
	CIM_STRUCT_EA,
	CIM_STRUCT_REPARSE, /* reparse data, its length in front */
	CIM_STRUCT_UPCASE_TABLE,
	CIM_STRUCT_LINK, /* one entry of a directory; only reported as broken, when the walk meets
			    it */
	CIM_STRUCT_COUNT
};

/** cim_structure_name() - what a kind is called ("link table"), or "?" if unknown */
CIM_API const char *cim_structure_name(enum cim_structure_kind kind);

/** The region of a structure that lies in no region file, and of one whose place isn't known. */
#define CIM_NO_REGION UINT32_MAX

/**
 * struct cim_structure - a structure and its place
 * @kind:    what it is
 * @file:    name of the file that holds it; "" where that isn't known
 * @region:  index of that file among the image's regions; CIM_NO_REGION if it is no region file
 * @offset:  where it begins in the file
 * @size:    its bytes
 * @file_id: FileID of the item that it belongs to; 0 if it belongs to none
 * @path:    that item's path as in struct cim_finding; "" for one that the root doesn't lead to
 */
struct cim_structure {
	enum cim_structure_kind kind;
	const char *file;
	uint32_t region;
	uint64_t offset;
	uint64_t size;
	uint32_t file_id;
	const char *path;
};

/** How a field is meant to be shown. */
enum cim_field_type {
	CIM_FIELD_NUMBER,	 /* in decimal */
	CIM_FIELD_HEX,		 /* in hexadecimal: flags, tags, offsets, what is reserved */
	CIM_FIELD_REGION_OFFSET, /* bits 0-47 offset, bits 48-63 region index; 0: none */
	CIM_FIELD_STREAM,	 /* bits 0-47 length, 48-55 type, 56 sparse */
	CIM_FIELD_TIME,		 /* FILETIME */
	CIM_FIELD_GUID,		 /* the bytes are those of a struct cim_guid */
	CIM_FIELD_TEXT,		 /* ASCII */
	CIM_FIELD_NAME,		 /* a name; @bytes hold it in WTF-8, NUL-terminated */
	CIM_FIELD_BYTES,	 /* anything else */
};

/**
 * struct cim_field - a field of a structure, decoded
 * @name:    what format.md calls it, in one word
 * @type:    how it is meant to be shown
 * @offset:  from the structure's beginning
 * @size:    its bytes in the file
 * @element: it belongs to element @index of an array; all fields of one element come together
 * @index:   which element that is, from 0
 * @value:   the field as a number, if it has up to 8 bytes and isn't a name
 * @bytes, @len: its bytes, valid during the call; a long CIM_FIELD_BYTES comes in pieces
 */
struct cim_field {
	const char *name;
	enum cim_field_type type;
	uint64_t offset;
	uint64_t size;
	bool element;
	uint32_t index;
	uint64_t value;
	const void *bytes;
	size_t len;
};

/**
 * struct cim_structure_visitor - what cim_structures_visit() calls
 * @ctx:       the caller's own, passed to each
 * @structure: a structure begins
 * @field:     a field of it, in ascending order but for arrays, whose elements come one by one
 * @bytes:     its bytes from @skip on, in pieces, in order; after the fields in front
 * @broken:    something can't be read or breaks a rule that reading depends on. @structure is
 *             as much as is known of what it is about (@size 0), @err the cause
 *
 * Each may be NULL; returning non-zero stops with CIM_E_ABORTED.
 */
struct cim_structure_visitor {
	size_t struct_size;
	void *ctx;
	int (*structure)(void *ctx, const struct cim_structure *structure);
	int (*field)(void *ctx, const struct cim_structure *structure,
		     const struct cim_field *field);
	int (*bytes)(void *ctx, const struct cim_structure *structure, uint64_t skip,
		     const void *bytes, size_t len);
	int (*broken)(void *ctx, const struct cim_structure *structure,
		      const struct cim_error *err);
};

/**
 * cim_structures_visit() - show the structures of an image as they lie in its files
 * @env:       environment, NULL for the default
 * @path:      the filesystem file, as for cim_image_open()
 * @sources:   @count paths, of a merged image, as for cim_image_open_merged(); NULL, 0: what isn't
 *             beside it is broken
 * @root_hash: as for cim_image_open_verified(); NULL: any
 * @broken:    receives the number of calls of @visitor's function of that name; may be NULL
 *
 * The order is always the same: the image header; for each region the headers of its two files and
 * the object IDs; filesystem object and file table directory; then the tree from the root in stored
 * order, each item's record once, with what it points to behind it; then the records that the root
 * doesn't lead to, by FileID; the upcase table. A structure that several items share is shown where
 * it is met first. The data of files are not shown.
 *
 * Nothing need be sound: what can't be read is reported as broken, and all else goes on as far as
 * something leads to it. CIM_OK means that it ran to the end, not that the image is sound. An image
 * made to harm, whose structures overlap so much that far more would be shown than its files hold,
 * is shown in part. Memory: one bit a FileID met, 32 bytes for each of the first 524,288 structures
 * that could be shared, and a constant.
 *
 * CIM_E_FILE_NOT_FOUND, CIM_E_PATH_NOT_FOUND: as for cim_image_open(). CIM_E_ABORTED: @visitor said
 * so. With @sources or @root_hash, else never, CIM_E_CORRUPT, CIM_E_VERSION and the other statuses
 * of cim_image_open_verified(), where the files can't be found without what is wrong.
 */
CIM_API enum cim_status cim_structures_visit(const struct cim_env *env, const char *path,
					     const char *const *sources, size_t count,
					     const uint8_t *root_hash,
					     const struct cim_structure_visitor *visitor,
					     uint64_t *broken, struct cim_error *err);

#ifdef __cplusplus
}
#endif

#endif /* LIBCIM_DEBUG_H */
