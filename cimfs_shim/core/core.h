/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * core.h - what the files of core share
 *
 * Failures: a function that fails calls cim_fail(), which fills in the caller's struct cim_error
 * (if any) and returns the status, so that the cause is told where it is known. The public
 * function at the top adds what it knows, the operation, the image and the path, with
 * cim_error_where(). Functions here that take a `struct cim_error *err` all accept NULL.
 */
#ifndef CIM_CORE_H
#define CIM_CORE_H

#include "../../include/libcim.h"
#include "bytes.h"
#include "format.h"

#if defined(__GNUC__)
#define CIM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CIM_PRINTF(fmt, args)
#endif

/* ---- error.c: the detail record ---- */

/* Record a failure and return @status. The cause is one line, no full stop. */
enum cim_status cim_fail(struct cim_error *err, enum cim_status status, const char *cause, ...)
	CIM_PRINTF(3, 4);

/* The same for a failed system call: appends the status's text and keeps @os_error. */
enum cim_status cim_fail_os(struct cim_error *err, enum cim_status status, long os_error,
			    const char *what, ...) CIM_PRINTF(4, 5);

/* Add the operation, the image and the path (each may be NULL: left as it is) and return @status.
 * Does nothing for CIM_OK. */
enum cim_status cim_error_where(struct cim_error *err, enum cim_status status, const char *op,
				const char *image);
void cim_error_path(struct cim_error *err, const uint16_t *path, size_t units);
void cim_error_str(struct cim_error *err, struct cim_str path);

/* ---- mem.c: memory through the environment ---- */

void *cim_alloc(const struct cim_env *env, size_t size);  /* not cleared; NULL if none */
void *cim_zalloc(const struct cim_env *env, size_t size); /* cleared */
void *cim_realloc(const struct cim_env *env, void *p, size_t size);
void cim_free(const struct cim_env *env, void *p);
char *cim_strdup(const struct cim_env *env, const char *s);
/* Make room for one more element: grows *array (of *room elements of @size bytes) when
 * @count == *room. false for want of memory. */
bool cim_grow(const struct cim_env *env, void **array, size_t *room, size_t count, size_t size);
enum cim_status cim_no_memory(struct cim_error *err);

/* ---- path.c: the syntax of paths inside an image (decisions D10, D11, D20-D23) ---- */

/* A parsed path: components and, where one was named, a stream; all point into `units`. */
struct cim_path {
	uint16_t *buf;	   /* separators are L'\\' */
	size_t units;	   /* of the path without the stream */
	size_t components; /* 0: the root */
	const uint16_t *stream;
	size_t stream_units; /* 0: no stream was named */
	const struct cim_env *env;
	uint16_t inline_buf[260];
};

/* May the path name a stream? */
enum cim_stream_rule {
	CIM_NO_STREAM, /* a ':' is CIM_E_INVALID */
	CIM_STREAM_ALLOWED,
	CIM_STREAM_REQUIRED, /* without one: CIM_E_INVALID */
	CIM_STREAM_OF_ANY,   /* the same, and ":STREAM" means one of the root's */
	CIM_STREAM_OR_NONE,  /* as CIM_STREAM_ALLOWED, with that of the root */
};

enum cim_status cim_path_parse(const struct cim_env *env, struct cim_str text,
			       enum cim_stream_rule rule, struct cim_path *path,
			       struct cim_error *err);
void cim_path_free(struct cim_path *path);
/* The component that begins at *pos (start with 0); moves *pos behind it. false at the end. */
bool cim_path_next(const struct cim_path *path, size_t *pos, const uint16_t **name, size_t *units);

/* ---- upcase.c: our own upcase table, generated at build time ---- */

extern const uint16_t cim_upcase_default[CIM_UPCASE_ENTRIES];

/* Compare two names by an upcase table: <0, 0, >0 as code units, shorter first (format.h). */
int cim_name_compare(const uint16_t *upcase, const uint16_t *a, size_t a_units, const uint16_t *b,
		     size_t b_units);

/* ---- record.c: File records and headers as C structures ---- */

struct cim_record {
	uint16_t flags;
	uint16_t ea_length;
	uint32_t reparse_tag;
	uint64_t times[4]; /* creation, last write, change, last access */
	uint64_t stream_offset;
	uint64_t stream_desc;
	uint64_t security;
	uint64_t ea;
	uint64_t reparse;
	uint64_t streams;
	uint32_t parent_id;
	uint16_t base_region;
	uint16_t reserved;
};

/* @size: the table's EntrySize; fields past it are 0. */
void cim_record_decode(struct cim_record *record, const uint8_t *bytes, size_t size);
/* Writes the 96 bytes of the known fields. */
void cim_record_encode(uint8_t *bytes, const struct cim_record *record);
static inline bool cim_record_is_dir(const struct cim_record *record)
{
	return cim_stream_type(record->stream_desc) == CIM_STREAM_LINK_TABLE;
}

/* CommonHeader: encode, or decode and check magic, type and version. @what names the file. */
void cim_common_header_encode(uint8_t *bytes, uint32_t header_length, enum cim_file_type type,
			      uint32_t major, uint32_t minor);
struct cim_common_header {
	uint32_t header_length;
	uint32_t major;
	uint32_t minor;
};
enum cim_status cim_common_header_decode(const uint8_t *bytes, enum cim_file_type type,
					 const char *what, struct cim_common_header *header,
					 struct cim_error *err);
void cim_region_set_encode(uint8_t *bytes, const struct cim_guid *guid, uint16_t count);

/* Room for "objectid_" + GUID + "_" + five digits + NUL. @prefix is "region_" or "objectid_". */
#define CIM_SET_FILE_NAME 56
void cim_set_file_name(char *name, const char *prefix, const struct cim_guid *guid, unsigned index);

/* ---- fs.c: whole-file helpers over struct cim_fs ---- */

/* Split a host path at its last separator ('/', and '\' where the file system folds names):
 * *dir (allocated; "." if none) and *name (points into @path). */
enum cim_status cim_split_path(const struct cim_env *env, const char *path, char **dir,
			       const char **name, struct cim_error *err);
/* Open the directory of a host path, without the writer's lock; *name (points into @path). */
enum cim_status cim_open_dir_of(const struct cim_env *env, const char *path, cim_fs_dir **dir,
				const char **name, struct cim_error *err);
/* Read a whole small file; CIM_E_CORRUPT if it is over @limit. The caller frees *bytes. */
enum cim_status cim_read_whole(const struct cim_env *env, cim_fs_dir *dir, const char *name,
			       size_t limit, uint8_t **bytes, size_t *size, struct cim_error *err);

#endif
