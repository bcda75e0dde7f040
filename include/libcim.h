/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcim.h - read and write Composite Images (CIM) from any C program
 *
 * A Composite Image is a directory tree in the format of Windows' cimfs.dll. It lives in one
 * directory as a set of flat files: the filesystem file ("something.cim"), which is the image's
 * name, and the files region_GUID_N and objectid_GUID_N of its region sets. This header is the
 * portable way in: no Windows type, no global state, every outside effect through an environment
 * that the caller may replace.
 *
 *   reading   cim_image_open(), cim_image_lookup(), cim_image_stat(), cim_image_read(), ...
 *   writing   cim_writer_open(), cim_writer_add(), cim_stream_write(), cim_writer_commit(), ...
 *   checking  cim_image_verify()
 *
 * Most programs need no more than this header. Three others stand on it:
 *
 *   libcim_advanced.h  names, regions, where bytes lie, and cim_store_open(): which region files of
 *                      a directory belong to which image
 *   libcim_env.h       memory, files, time and randomness: a file system of your own
 *   libcim_debug.h     cim_structures_visit(): the raw structures of an image
 *
 * Conventions that hold for every function here:
 *
 * - A function that can fail returns enum cim_status and takes, as its last parameter, a
 *   struct cim_error that the caller owns and that may be NULL. It is filled in on failure only.
 *   Output parameters are set to NULL or 0 on failure.
 * - A pointer that is passed must not be NULL unless the function's comment says what NULL means.
 *   Where it is, a function that returns enum cim_status fails with CIM_E_POINTER, and any other
 *   does nothing and returns NULL, 0 or false. What a cim_*_close() ends may always be NULL, and so
 *   may a buffer of length 0. A struct cim_str without text is CIM_E_INVALID.
 * - Every function may also fail with CIM_E_NO_MEMORY; where it touches files with CIM_E_IO,
 *   CIM_E_ACCESS and (for an image's own files) CIM_E_CORRUPT and CIM_E_VERSION; where it writes
 *   them with CIM_E_DISK_FULL and CIM_E_TOO_LARGE. Its comment names all others.
 * - A structure that the caller fills in for the library begins with struct_size, its size as the
 *   caller's header has it, so that later versions can add to its end: CIM_SIZED() sets it, in
 *   "struct cim_metadata m = {CIM_SIZED(m), .size = 5};"; in C++ it is cim_sized(), in
 *   "cim_metadata m = cim_sized<cim_metadata>();". A copy of cim_env_default() is to have
 *   it set as well, as the library may be a later one. What a caller's older header doesn't have
 *   is 0 to the library. One that is smaller than it was in the first release is CIM_E_INVALID;
 *   one that is larger than the library knows is fine as long as the rest of it is zeros, else
 *   CIM_E_UNSUPPORTED. The library copies it, an environment's file system as well.
 * - One that the library fills in for the caller begins with struct_size as well, set before the
 *   call: "struct cim_data d = {CIM_SIZED(d)};". It is filled in as far as both know it. Less than
 *   it had in the first release is CIM_E_INVALID here, too, and when it is given back.
 * - A structure that the library shows by a pointer to const may get members at its end; none of
 *   these holds another that grows. The caller copies no more of it than it knows, and sets the
 *   copy's struct_size, if it has one.
 * - struct cim_error, cim_str, cim_guid and cim_allocator stay as they are.
 * - Sizes and offsets are bytes. Times are Windows FILETIMEs: 100 ns units since 1601-01-01 UTC.
 * - Names inside an image are UTF-16 code units. In UTF-8 they are written as WTF-8: an unpaired
 *   surrogate is encoded like any other code point, in three bytes, so that the form is
 *   reversible. Lookup ignores case by the image's own upcase table.
 * - Text that the library returns (names, paths, causes, messages) may hold every character that
 *   names of the image or of its directory hold, line ends and what controls a terminal included.
 *   Whoever prints it escapes these.
 * - A struct cim_image may be used by several threads at once. Calls on one struct cim_writer
 *   and its stream are serialised by a lock; different sessions don't wait for each other.
 *
 * Where behaviour mirrors cimfs.dll its source is the documentation of the Windows SDK's cimfs.h;
 * where that is silent, the project's own decision: "D36" is a row of cimfs_shim/doc/decisions.md.
 */
#ifndef LIBCIM_H
#define LIBCIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * CIM_API stands before each function that a shared libcim exports; whoever builds the library
 * hides the rest. For a DLL of Windows define CIM_DLL_EXPORT to build it and CIM_DLL to use it.
 */
#if defined(_WIN32) && defined(CIM_DLL_EXPORT)
#define CIM_API __declspec(dllexport)
#elif defined(_WIN32) && defined(CIM_DLL)
#define CIM_API __declspec(dllimport)
#elif defined(__ELF__)
#define CIM_API __attribute__((visibility("default")))
#else
#define CIM_API
#endif

/** The first member of a structure that the caller has: see the conventions above. */
#ifndef __cplusplus
#define CIM_SIZED(variable) .struct_size = sizeof(variable)
#else
extern "C++" {
template <class Structure> Structure cim_sized()
{
	Structure sized = Structure();

	sized.struct_size = sizeof(sized);
	return sized;
}
}
#endif

/**
 * The version of this header: as text, and for #if as a number, 0xMMmmpp (major, minor, patch). See
 * cim_version(). All that has a version takes it from here.
 */
#define CIM_VERSION	   "0.2.0"
#define CIM_VERSION_NUMBER 0x000200

/* ------------------------------------------------------------------------------------------
 * Status and error detail
 */

/**
 * enum cim_status - what a call came to
 *
 * The comment behind each value tells how cimfs.dll answers it (HRESULT_FROM_WIN32 of the Win32
 * code where one is given). The tool and the mount server have tables of their own.
 */
enum cim_status {
	CIM_OK = 0,
	CIM_E_INVALID,	 /* malformed argument: E_INVALIDARG */
	CIM_E_POINTER,	 /* a NULL where a pointer is needed: E_POINTER */
	CIM_E_NO_MEMORY, /* E_OUTOFMEMORY */
	CIM_E_ACCESS,	 /* no right, or a directory where only a file will do: E_ACCESSDENIED */
	CIM_E_FILE_NOT_FOUND, /* ERROR_FILE_NOT_FOUND */
	CIM_E_PATH_NOT_FOUND, /* ERROR_PATH_NOT_FOUND */
	CIM_E_EXISTS,	      /* the name is taken: ERROR_FILE_EXISTS */
	CIM_E_SHARING,	      /* in use by another handle or stream: ERROR_SHARING_VIOLATION */
	CIM_E_EOF,	      /* past the end of a stream: ERROR_HANDLE_EOF */
	CIM_E_CORRUPT,	      /* the image breaks a rule of the format: ERROR_CIMFS_IMAGE_CORRUPT */
	/* a format version this library doesn't know: ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED */
	CIM_E_VERSION,
	CIM_E_UNSUPPORTED, /* ERROR_NOT_SUPPORTED */
	CIM_E_LIMIT,	   /* a limit of the format: ERROR_FILE_SYSTEM_LIMITATION */
	CIM_E_DISK_FULL,   /* ERROR_DISK_FULL */
	CIM_E_TOO_LARGE,   /* the host file system can't hold that size: ERROR_FILE_TOO_LARGE */
	CIM_E_IO,	   /* ERROR_IO_DEVICE, or the system's own code: see struct cim_error */
	CIM_E_ABORTED,	   /* the progress callback said stop: ERROR_CANCELLED */
	CIM_STATUS_COUNT
};

/**
 * struct cim_error - the detail of a failure
 * @status:   the status that the call returned
 * @os_error: errno on POSIX, GetLastError() on Windows; 0 where no system call failed
 * @op:       what was being done, a short verb phrase ("open image", "write stream")
 * @image:    the image file, as the caller named it; "" if unknown
 * @path:     the path inside the image, WTF-8 with '\'; "" if the failure has none
 * @cause:    why it failed, a phrase without a full stop
 *
 * The strings lie in the structure; long ones keep their end behind "...". Nothing to free.
 */
struct cim_error {
	enum cim_status status;
	long os_error;
	char op[48];
	char image[512];
	char path[1024];
	char cause[512];
};

/**
 * cim_status_name() - the identifier of a status ("CIM_E_CORRUPT"), or "CIM_E_?" if unknown
 */
CIM_API const char *cim_status_name(enum cim_status status);

/**
 * cim_status_text() - a status in words ("the image is corrupt"); never NULL
 */
CIM_API const char *cim_status_text(enum cim_status status);

/**
 * cim_status_from_os() - the status for an errno (POSIX) or a Win32 error code (Windows);
 * CIM_E_IO for those that have no other
 */
CIM_API enum cim_status cim_status_from_os(long os_error);

/**
 * cim_version() - the library's version as "MAJOR.MINOR.PATCH"
 */
CIM_API const char *cim_version(void);

/**
 * cim_version_number() - the same as a number, as CIM_VERSION_NUMBER was when the library was built
 */
CIM_API uint32_t cim_version_number(void);

/* ------------------------------------------------------------------------------------------
 * Names and paths
 */

/**
 * struct cim_str - a name or a path in one of two encodings
 *
 * Made by cim_str8() or cim_str16() and passed by value; the text stays the caller's and is not
 * kept.
 *
 * UTF-8 (WTF-8) text separates components by '/' or '\'; UTF-16 text, as in the Windows API, by
 * '\' alone ('/' in it is an error). One leading separator is allowed. "" and a lone separator
 * mean the root. Otherwise decisions D20-D22 hold: CIM_E_INVALID for empty components, ".", "..",
 * a trailing separator, the characters * ? " < > | and those below 32, a component over 255 code
 * units, a path over 32,767, UTF-8 that is malformed. A ':' stands only where a stream may be
 * named: PATH:STREAM or PATH:STREAM:$DATA.
 */
struct cim_str {
	const char *utf8;      /* the text, or NULL if it is in utf16 */
	const uint16_t *utf16; /* the text, or NULL if it is in utf8 */
	size_t units;	       /* bytes of utf8, or code units of utf16 */
};

/** cim_str8() - a NUL-terminated UTF-8 string as a struct cim_str; NULL stays NULL */
CIM_API struct cim_str cim_str8(const char *text);
/** cim_str16() - a NUL-terminated UTF-16 string as a struct cim_str; NULL stays NULL */
CIM_API struct cim_str cim_str16(const uint16_t *text);

/** The most code units in a component, and in a path (format constants). */
#define CIM_MAX_NAME 255u
#define CIM_MAX_PATH 32767u
/** Bytes that a component needs in WTF-8, its NUL included. */
#define CIM_MAX_NAME_UTF8 (CIM_MAX_NAME * 3u + 1u)

/* ------------------------------------------------------------------------------------------
 * What an image holds
 */

/** Win32 file attributes that an image can hold; other bits are dropped when written (D14). */
#define CIM_ATTR_READONLY  0x00000001u
#define CIM_ATTR_HIDDEN	   0x00000002u
#define CIM_ATTR_SYSTEM	   0x00000004u
#define CIM_ATTR_DIRECTORY 0x00000010u /* decides the kind */
#define CIM_ATTR_ARCHIVE   0x00000020u
#define CIM_ATTR_NORMAL	   0x00000080u /* reported when no other bit is set */
#define CIM_ATTR_SPARSE	   0x00000200u
#define CIM_ATTR_REPARSE   0x00000400u /* reported when there is reparse data */

/** The largest size of a stream. */
#define CIM_MAX_STREAM ((UINT64_C(1) << 48) - 1)

/** Reparse tags that the tools know by name. */
#define CIM_TAG_MOUNT_POINT 0xA0000003u
#define CIM_TAG_SYMLINK	    0xA000000Cu

/**
 * struct cim_file_info - a file's or directory's record, as stored
 * @file_id:     the FileID, from 1
 * @parent_id:   FileID of the directory it was created in, 0 where the record is too short to hold
 *               it; trust it for directories only
 * @attributes:  CIM_ATTR_*, derived: kind and reparse bits included, NORMAL if none
 * @flags:       the raw flag word of the record, unknown bits included, but not those that @marks
 *               stands for
 * @reparse_tag: tag, 0 if there is no reparse data
 * @marks:       CIM_MARK_* (libcim_advanced.h), for whoever merges images
 * @*_time:      as stored; 0, which is 1601-01-01, where nobody said one
 * @size:        bytes of the default stream; 0 for a directory
 * @ea_size:     bytes of the extended attributes' list, 0 if none
 * @is_directory: the default stream is a link table
 * @is_sparse:   the default stream is the all-zero form
 * @is_pe_image: the default stream is stored expanded, as a PE image
 * @has_*:       the record points to such data
 * @priv:        the library's own, for reading on from here
 */
struct cim_file_info {
	size_t struct_size;
	uint32_t file_id;
	uint32_t parent_id;
	uint32_t attributes;
	uint16_t flags;
	uint16_t ea_size;
	uint32_t reparse_tag;
	uint32_t marks;
	int64_t creation_time;
	int64_t last_write_time;
	int64_t change_time;
	int64_t last_access_time;
	uint64_t size;
	bool is_directory;
	bool is_sparse;
	bool is_pe_image;
	bool has_security;
	bool has_ea;
	bool has_reparse;
	bool has_streams;
	uint64_t priv[7];
};

/** FileIDs whose records lie in one file table; the first is 1. */
#define CIM_FILES_PER_TABLE 1024u

/**
 * struct cim_image_info - an image as a whole
 * @version_major, @version_minor: of the filesystem file
 * @set_count:     region sets, parents first (oldest first), the image's own last
 * @region_count:  regions of all sets
 * @table_count:   file tables; FileIDs go up to CIM_FILES_PER_TABLE times that
 * @root_id:       FileID of the root directory
 * @source_count:  images that it was merged from; 0: it is no merged image
 */
struct cim_image_info {
	uint32_t version_major;
	uint32_t version_minor;
	uint32_t set_count;
	uint32_t region_count;
	uint32_t table_count;
	uint32_t root_id;
	uint32_t source_count;
};

/* ------------------------------------------------------------------------------------------
 * Reading
 */

/** struct cim_env - everything the library does to the world outside: see libcim_env.h */
struct cim_env;

/** struct cim_image - an open image, for reading; safe to share between threads */
struct cim_image;

/**
 * cim_image_open() - open an image for reading
 * @env:   environment, NULL for the default
 * @path:  the filesystem file, e.g. "dir/layer.cim"; its region files lie beside it
 * @image: receives the image; close it with cim_image_close()
 *
 * Costs the same for any number of files: the header and the filesystem object are read, nothing
 * else. No handle on the filesystem file is kept (D47); region files are opened when needed.
 *
 * CIM_E_FILE_NOT_FOUND: no such file. CIM_E_PATH_NOT_FOUND: no such directory. CIM_E_CORRUPT: not
 * an image, or a broken one (a missing or short region file: when it is needed). CIM_E_VERSION: a
 * version other than 2.x and 3.x.
 */
CIM_API enum cim_status cim_image_open(const struct cim_env *env, const char *path,
				       struct cim_image **image, struct cim_error *err);

/** cim_image_close() - end an image; NULL is fine. No iterator or call may still be using it. */
CIM_API void cim_image_close(struct cim_image *image);

/** cim_image_get_info() - the image as a whole; can't fail. It lives with the image */
CIM_API const struct cim_image_info *cim_image_get_info(struct cim_image *image);

/**
 * cim_image_lookup() - find an item by path
 * @path:    see struct cim_str; must not name a stream
 * @file_id: receives the FileID
 *
 * CIM_E_FILE_NOT_FOUND: the last component is missing. CIM_E_PATH_NOT_FOUND: a directory on the
 * way is missing or is a file. CIM_E_INVALID: malformed path.
 */
CIM_API enum cim_status cim_image_lookup(struct cim_image *image, struct cim_str path,
					 uint32_t *file_id, struct cim_error *err);

/**
 * cim_image_lookup_stream() - find an item by path, and take the name of a stream off it
 * @path:   PATH, or for alternate streams PATH:STREAM or PATH:STREAM:$DATA; ":STREAM" is the root's
 * @stream: receives the stream's name, which is a part of @path, for cim_image_get_data(), which
 *          says whether there is such a stream; {NULL} if @path names none
 *
 * Statuses of cim_image_lookup().
 */
CIM_API enum cim_status cim_image_lookup_stream(struct cim_image *image, struct cim_str path,
						uint32_t *file_id, struct cim_str *stream,
						struct cim_error *err);

/**
 * cim_image_stat() - read an item's record
 * CIM_E_CORRUPT also for a FileID that the image doesn't have.
 */
CIM_API enum cim_status cim_image_stat(struct cim_image *image, uint32_t file_id,
				       struct cim_file_info *info, struct cim_error *err);

/** Kinds of variable metadata of an item. */
enum cim_blob {
	CIM_BLOB_SECURITY, /* self-relative security descriptor */
	CIM_BLOB_EA,	   /* FILE_FULL_EA_INFORMATION list */
	CIM_BLOB_REPARSE,  /* REPARSE_DATA_BUFFER, tag first */
};

/** Room that any blob fits in. */
#define CIM_MAX_BLOB 65535u

/**
 * cim_image_get_blob() - read a security descriptor, EA list or reparse buffer
 * @buf:  room for @room bytes, or NULL with @room 0 to ask for the size
 * @size: receives the blob's size; 0 where the item has none
 *
 * CIM_E_LIMIT: @room is too small (and @buf not NULL); *@size is set all the same. CIM_E_INVALID:
 * there is no such kind.
 */
CIM_API enum cim_status cim_image_get_blob(struct cim_image *image, uint32_t file_id,
					   enum cim_blob which, void *buf, size_t room,
					   size_t *size, struct cim_error *err);

/**
 * cim_image_get_file_blob() - cim_image_get_blob() of an item that this image told of
 * @file: as cim_image_stat() or a walk told it, so that its record isn't read again
 */
CIM_API enum cim_status cim_image_get_file_blob(struct cim_image *image,
						const struct cim_file_info *file,
						enum cim_blob which, void *buf, size_t room,
						size_t *size, struct cim_error *err);

/**
 * struct cim_data - where a stream's bytes are, found once and read many times
 * @size:   bytes of the stream
 * @sparse: it is the all-zero form
 * @pe:     it is stored as an expanded PE image
 * @priv:   the library's own
 *
 * A plain value; nothing to close. Valid as long as the image is open.
 */
struct cim_data {
	size_t struct_size;
	uint64_t size;
	bool sparse;
	bool pe;
	uint64_t priv[2];
};

/**
 * cim_image_get_data() - find a stream of an item
 * @stream: name of an alternate stream, without ':'; {NULL} or "" for the default stream
 *
 * CIM_E_FILE_NOT_FOUND: no such stream. CIM_E_ACCESS: the default stream of a directory.
 * CIM_E_INVALID: the name is malformed UTF-8.
 */
CIM_API enum cim_status cim_image_get_data(struct cim_image *image, uint32_t file_id,
					   struct cim_str stream, struct cim_data *data,
					   struct cim_error *err);

/** cim_image_get_file_data() - cim_image_get_data() of an item that this image told of */
CIM_API enum cim_status cim_image_get_file_data(struct cim_image *image,
						const struct cim_file_info *file,
						struct cim_str stream, struct cim_data *data,
						struct cim_error *err);

/**
 * cim_image_read() - read from a stream at any offset
 * @got: receives the bytes read: @len, or less where the stream ends; 0 at or past its end
 */
CIM_API enum cim_status cim_image_read(struct cim_image *image, const struct cim_data *data,
				       uint64_t offset, void *buf, size_t len, size_t *got,
				       struct cim_error *err);

/** struct cim_iter - goes through a directory's entries or an item's streams, in stored order */
struct cim_iter;

/**
 * struct cim_entry - one name: of a directory's entry, or of an alternate stream
 * @file_id:      a directory entry's FileID; 0 for a stream
 * @index:        position in the table, from 0: a stable cookie for cim_iter_seek()
 * @name, @units: the name in code units, not terminated
 * @utf8:         the same in WTF-8, NUL-terminated
 * @data:         a stream's data; NULL for a directory entry
 */
struct cim_entry {
	uint32_t file_id;
	uint32_t index;
	const uint16_t *name;
	size_t units;
	const char *utf8;
	const struct cim_data *data;
};

/**
 * cim_iter_dir() - iterate a directory's entries (no "." and "..")
 * CIM_E_PATH_NOT_FOUND: not a directory. Close with cim_iter_close() before the image.
 */
CIM_API enum cim_status cim_iter_dir(struct cim_image *image, uint32_t dir_id,
				     struct cim_iter **iter, struct cim_error *err);

/** cim_iter_streams() - iterate an item's alternate streams; none is fine */
CIM_API enum cim_status cim_iter_streams(struct cim_image *image, uint32_t file_id,
					 struct cim_iter **iter, struct cim_error *err);

/** cim_iter_file_streams() - cim_iter_streams() of an item that this image told of */
CIM_API enum cim_status cim_iter_file_streams(struct cim_image *image,
					      const struct cim_file_info *file,
					      struct cim_iter **iter, struct cim_error *err);

/**
 * cim_iter_next() - the next entry; NULL in *@entry when there are no more
 *
 * *@entry, and what it points to, is valid until the next call. After an entry that can't be read
 * the iteration may be continued: it is passed over.
 */
CIM_API enum cim_status cim_iter_next(struct cim_iter *iter, const struct cim_entry **entry,
				      struct cim_error *err);

/** cim_iter_count() - the number of entries in the table, which may be more than are shown */
CIM_API uint32_t cim_iter_count(const struct cim_iter *iter);

/** cim_iter_seek() - go on with entry @index (at most the count) */
CIM_API void cim_iter_seek(struct cim_iter *iter, uint32_t index);

/** cim_iter_close() - end an iteration; NULL is fine */
CIM_API void cim_iter_close(struct cim_iter *iter);

/**
 * struct cim_walk_item - what a walk meets
 * @entry: the name; units 0 for the item where the walk began
 * @info:  its record
 * @path:  WTF-8 path from the walk's start with '/' between components; "" for the start. A name
 *         that itself holds '/' can't be told apart here: compare @entry
 * @depth: components in @path
 */
struct cim_walk_item {
	const struct cim_entry *entry;
	const struct cim_file_info *info;
	const char *path;
	uint32_t dir_id; /* FileID of the directory that holds the entry; 0 for the start */
	uint32_t depth;
};

/** struct cim_walk - visits a tree, directories before what is in them, in stored order */
struct cim_walk;

/**
 * cim_walk_open() - walk the tree below (and with) @start_id
 *
 * A directory that is met twice (a cycle, or a hard link to a directory) is CIM_E_CORRUPT, so a
 * walk always ends. Memory: one bit a FileID met, and the depth. Close before the image.
 */
CIM_API enum cim_status cim_walk_open(struct cim_image *image, uint32_t start_id,
				      struct cim_walk **walk, struct cim_error *err);

/**
 * cim_walk_next() - the next item; NULL in *@item at the end
 *
 * *@item, and what it points to, is valid until the next call. After CIM_E_CORRUPT for one item the
 * walk may be continued: the item is passed over (with what is below it).
 */
CIM_API enum cim_status cim_walk_next(struct cim_walk *walk, const struct cim_walk_item **item,
				      struct cim_error *err);

/** cim_walk_skip() - don't go into the directory that was returned last */
CIM_API void cim_walk_skip(struct cim_walk *walk);

/** cim_walk_close() - end a walk; NULL is fine */
CIM_API void cim_walk_close(struct cim_walk *walk);

/* ------------------------------------------------------------------------------------------
 * Checking
 */

/** How much a finding matters. */
enum cim_severity {
	CIM_NOTE,    /* allowed, but worth knowing */
	CIM_WARNING, /* readable, but not as a writer should leave it */
	CIM_ERROR,   /* breaks a rule of the format */
};

/**
 * struct cim_finding - one thing that cim_image_verify() found
 * @severity:  how much it matters
 * @structure: "region header", "file table", "link table", "stream", ...
 * @offset:    RegionOffset of the structure (bits 48-63 region index); 0 if it has none
 * @path:      WTF-8 path of the item concerned, "/" for the root, "/dir/file" for what is below,
 *             "/dir/file:stream" for an alternate stream; "" if none
 * @message:   a phrase without a full stop
 */
struct cim_finding {
	enum cim_severity severity;
	const char *structure;
	uint64_t offset;
	const char *path;
	const char *message;
};

/** cim_image_verify(): read every byte of every stream and compare digests where there are any. */
#define CIM_VERIFY_DEEP 0x1u
/** Only the container that the image lies in; with CIM_VERIFY_DEEP every block that is sealed. */
#define CIM_VERIFY_CONTAINER 0x2u
/** All but that: who checks each image of a container needs it once. */
#define CIM_VERIFY_NO_CONTAINER 0x4u

/**
 * struct cim_verify_result - what a check found, and what it could look at
 * @errors:           findings of severity CIM_ERROR
 * @streams:          streams that have data in a region file; without CIM_VERIFY_DEEP it isn't read
 * @streams_digest:   those whose data was compared with a digest; other writers' can't be, nor, but
 *                    for 8 GiB of all, more than the region files hold beside their holes
 * @metadata:         tables, descriptors, EAs, reparse data: what the image's structures lead to
 * @metadata_digest:  those that were compared with a digest; of the others only the rules of the
 *                    format tell whether they are what was written
 */
struct cim_verify_result {
	size_t struct_size;
	uint64_t errors;
	uint64_t streams;
	uint64_t streams_digest;
	uint64_t metadata;
	uint64_t metadata_digest;
};

/**
 * cim_image_verify() - check an image against every rule of the format
 * @flags:  CIM_VERIFY_*
 * @found:  called for each finding; returning non-zero stops with CIM_E_ABORTED; may be NULL
 * @result: receives what was found and looked at, as far as the check came; may be NULL
 *
 * Goes on after a finding as far as it can; what lies in a region file that is missing, or no good
 * as a whole, is reported by its number. CIM_OK means the check ran to its end, not that the image
 * is sound: see @result. Memory: one bit a FileID, some bytes a file table and a directory, 8 bytes
 * an object with a digest.
 *
 * CIM_E_ABORTED: @found or the progress callback said so. CIM_E_INVALID: unknown @flags, or such as
 * leave nothing to check.
 */
CIM_API enum cim_status cim_image_verify(struct cim_image *image, unsigned flags,
					 int (*found)(void *ctx, const struct cim_finding *finding),
					 void *ctx, struct cim_verify_result *result,
					 struct cim_error *err);

/* ------------------------------------------------------------------------------------------
 * Writing
 */

/** struct cim_writer - a session that makes, extends or forks an image */
struct cim_writer;
/** struct cim_stream - the open stream of a session; at most one at a time */
struct cim_stream;

/** Same calls, same bytes: the region set's GUID is computed at commit (decision D45). */
#define CIM_WRITE_CONSISTENT 0x1u
/** The image is one of a container's, which is made if there is none. */
#define CIM_WRITE_CONTAINER 0x4u
/** With CIM_WRITE_CONTAINER: a container is made on a block device whatever it holds (D51). */
#define CIM_WRITE_FORCE 0x8u
/** With CIM_WRITE_CONTAINER: a container that is made is one to be sealed, cim_container_seal(). */
#define CIM_WRITE_SEALABLE 0x10u
/** With CIM_WRITE_CONTAINER: the call makes the container; CIM_E_EXISTS if there is one, a file or
 * a directory of its name, or a container on the device. */
#define CIM_WRITE_NEW_CONTAINER 0x20u

/**
 * cim_writer_open() - begin a session
 * @env:      environment, NULL for the default
 * @dir:      existing directory, or container, where the image and all its parents live
 * @existing: file name of the image to extend or fork, NULL to begin with nothing
 * @name:     file name of the image to make; NULL or the same as @existing: extend @existing
 * @flags:    CIM_WRITE_*
 *
 * A container is a directory of images in one file, or on a block device (container.md): a path
 * that leads through one, @dir or any that names an image, means what is in it. One that this call
 * has made goes with the session if that doesn't commit. A sealed one is never written again.
 *
 * Locks the directory against other sessions until cim_writer_close() (D36), where the file system
 * has locks (cim_writer_unlocked() tells), and creates the session's private region files. Nothing
 * of the result is visible before cim_writer_commit().
 *
 * CIM_E_INVALID: neither name, a malformed one (D23), or unknown @flags. CIM_E_PATH_NOT_FOUND: no
 * such directory. With CIM_WRITE_CONTAINER, CIM_E_ACCESS: @dir is a directory; CIM_E_CORRUPT: it is
 * a file that is no container, or a device that holds something else; CIM_E_INVALID: a container
 * that was made without CIM_WRITE_SEALABLE, but this session has it, or the other way round; with
 * CIM_WRITE_NEW_CONTAINER CIM_E_EXISTS takes the place of all these.
 * CIM_E_FILE_NOT_FOUND: @existing is missing. CIM_E_EXISTS: @name is new and already taken.
 * CIM_E_SHARING: another session has the directory. CIM_E_ACCESS: it can't be written, or is a
 * sealed container. CIM_E_LIMIT: @existing names so many regions that no three are left.
 * CIM_E_CORRUPT, CIM_E_VERSION: @existing can't be read.
 */
CIM_API enum cim_status cim_writer_open(const struct cim_env *env, const char *dir,
					const char *existing, const char *name, unsigned flags,
					struct cim_writer **writer, struct cim_error *err);

/**
 * struct cim_metadata - what cim_writer_add() needs to know of an item
 * @other_flags: bits of the record's flag word that no attribute names; with CIM_WRITE_AS_STORED
 *               only
 * @attributes: CIM_ATTR_*; DIRECTORY decides the kind, bits that an image can't hold are dropped
 * @size:       bytes of the default stream (ignored for a directory); at most CIM_MAX_STREAM
 * @*_time:     stored as they are; 0 if there is none, for the library never takes the clock's
 * @security:   self-relative security descriptor; NULL or size 0: a NULL DACL is stored (D8)
 * @ea:         FILE_FULL_EA_INFORMATION list, or NULL
 * @reparse:    REPARSE_DATA_BUFFER, or NULL
 * @security_size, @ea_size, @reparse_size: bytes of the buffer
 * @keep:       CIM_KEEP_*: these stay as what is at the path has them, if it is of the same kind
 * @keep_attributes: CIM_ATTR_* that stay likewise
 *
 * The buffers stay the caller's and are not kept. A size that is not 0 needs its buffer.
 */
struct cim_metadata {
	size_t struct_size;
	uint32_t attributes;
	uint16_t other_flags;
	int64_t size;
	int64_t creation_time;
	int64_t last_write_time;
	int64_t change_time;
	int64_t last_access_time;
	const void *security;
	size_t security_size;
	const void *ea;
	size_t ea_size;
	const void *reparse;
	size_t reparse_size;
	uint32_t keep;
	uint32_t keep_attributes;
};

/** What of the item at the path is to stay: see struct cim_metadata. */
#define CIM_KEEP_SECURITY    0x01u /* its security descriptor, or that it has none */
#define CIM_KEEP_EA	     0x02u /* its extended attributes, or that it has none */
#define CIM_KEEP_REPARSE     0x04u /* its reparse data, or that it has none */
#define CIM_KEEP_CREATION    0x08u /* creation_time */
#define CIM_KEEP_LAST_WRITE  0x10u /* last_write_time */
#define CIM_KEEP_CHANGE	     0x20u /* change_time */
#define CIM_KEEP_LAST_ACCESS 0x40u /* last_access_time */

/*
 * All calls on a session fail with CIM_E_SHARING while its stream is open (but for the stream's
 * own calls, cim_writer_lookup() and cim_writer_stat()), with CIM_E_INVALID after its commit, and,
 * once a write has failed, with that first error (D43): then only closing is possible. Bytes that
 * would make a region file longer than the format allows are CIM_E_LIMIT.
 */

/**
 * cim_writer_add() - add a file or directory, or replace what is at the path
 * @path:   its parent must exist; the root ("" or "\") may be described as a directory
 * @stream: receives the open default stream, to be closed by cim_stream_close() before the next
 *          call; a directory's takes no data. NULL: a file is left as if nothing were written
 *
 * A file over a file makes a new file for that name; other hard links keep the old one. A
 * directory over a directory gets the new metadata and keeps children and streams (D2). Otherwise
 * the old item goes with all that is below it (D3). What is never written of @size reads as zero.
 *
 * CIM_E_INVALID: malformed path or metadata (D9, D16-D18, D22). CIM_E_PATH_NOT_FOUND: the parent is
 * missing or a file. CIM_E_LIMIT: no FileID is left.
 */
CIM_API enum cim_status cim_writer_add(struct cim_writer *writer, struct cim_str path,
				       const struct cim_metadata *metadata,
				       struct cim_stream **stream, struct cim_error *err);

/**
 * cim_writer_add_stream() - add or replace an alternate stream of an existing item
 * @path: PATH:STREAM or PATH:STREAM:$DATA (D10)
 *
 * CIM_E_INVALID: not such a path, or a @size over CIM_MAX_STREAM. CIM_E_PATH_NOT_FOUND: the item is
 * missing.
 */
CIM_API enum cim_status cim_writer_add_stream(struct cim_writer *writer, struct cim_str path,
					      uint64_t size, struct cim_stream **stream,
					      struct cim_error *err);

/**
 * cim_writer_link() - give an existing file one more name
 * @path: the new name; a file there is replaced, the same file is left alone (D6)
 *
 * CIM_E_PATH_NOT_FOUND: @existing, or the new name's parent, is missing. CIM_E_ACCESS: @existing or
 * what is at @path is a directory. CIM_E_INVALID: malformed, or names a stream.
 */
CIM_API enum cim_status cim_writer_link(struct cim_writer *writer, struct cim_str path,
					struct cim_str existing, struct cim_error *err);

/**
 * cim_writer_delete() - remove a name (a directory with all below it), or PATH:STREAM
 * CIM_E_PATH_NOT_FOUND: nothing there (D5). CIM_E_INVALID: malformed, or the root.
 */
CIM_API enum cim_status cim_writer_delete(struct cim_writer *writer, struct cim_str path,
					  struct cim_error *err);

/**
 * cim_writer_lookup() - is there an item (or PATH:STREAM) in the session's tree? (D41)
 * CIM_E_INVALID: malformed.
 */
CIM_API enum cim_status cim_writer_lookup(struct cim_writer *writer, struct cim_str path,
					  bool *exists, struct cim_error *err);

/**
 * cim_writer_stat() - read the record of an item of the session's tree
 * @info: receives it; it is nothing to read on with, for what it points to may not be there yet
 *
 * CIM_E_FILE_NOT_FOUND: there is none. CIM_E_PATH_NOT_FOUND: a directory on the way is missing or
 * is a file. CIM_E_INVALID: malformed, or names a stream.
 */
CIM_API enum cim_status cim_writer_stat(struct cim_writer *writer, struct cim_str path,
					struct cim_file_info *info, struct cim_error *err);

/**
 * cim_stream_write() - append to a stream
 * @written: receives the bytes taken; may be NULL
 *
 * CIM_E_EOF: more than the declared size; what fits was taken. CIM_E_INVALID: a directory's stream.
 * CIM_E_POINTER: @buf is NULL, also with @len 0 (D13).
 */
CIM_API enum cim_status cim_stream_write(struct cim_stream *stream, const void *buf, size_t len,
					 size_t *written, struct cim_error *err);

/**
 * cim_stream_close() - end a stream; NULL is fine
 *
 * Not wholly written is fine: the rest reads as zero (D29). An error that only closing notices is
 * kept by the session and returned by all that follows (D43). If the session was closed before,
 * its resources go now.
 */
CIM_API void cim_stream_close(struct cim_stream *stream);

/**
 * cim_writer_commit() - make the image
 *
 * Writes and syncs everything the image names, then publishes it by one atomic rename. Until
 * then the old image stands; from then on the new one, even if the last sync fails.
 *
 * CIM_E_SHARING: a stream is open, or the image being replaced is held open (tried for 1 s, D47),
 * is mounted (D33) or was changed by somebody meanwhile (D35), or, in consistent mode, somebody
 * holds a file that bears the name of one of its own; the session goes on. CIM_E_EXISTS: the new
 * name, or in consistent mode a region file's name, has been taken. CIM_E_ABORTED: the progress
 * callback said so. CIM_E_LIMIT: a directory would pass 4 GiB (D48). After these and any other
 * error only closing is possible.
 */
CIM_API enum cim_status cim_writer_commit(struct cim_writer *writer, struct cim_error *err);

/**
 * cim_writer_close() - end a session; NULL is fine
 *
 * Without a commit everything it wrote is removed. If its stream is still open, nothing is freed
 * or unlocked until that is closed too.
 */
CIM_API void cim_writer_close(struct cim_writer *writer);

#ifdef __cplusplus
}
#endif

#endif /* LIBCIM_H */
