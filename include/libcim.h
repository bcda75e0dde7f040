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
 *   debugging cim_structures_visit()
 *   upkeep    cim_store_open(): which region files belong to which image
 *
 * Conventions that hold for every function here:
 *
 * - A function that can fail returns enum cim_status and takes, as its last parameter, a
 *   struct cim_error that the caller owns and that may be NULL. It is filled in on failure only.
 *   Output parameters are set to NULL or 0 on failure.
 * - Every function may also fail with CIM_E_NO_MEMORY and, where it touches files, with
 *   CIM_E_IO, CIM_E_ACCESS and (for an image's own files) CIM_E_CORRUPT; comments name the rest.
 * - A structure that the caller fills in for the library begins with struct_size, its size as the
 *   caller's header has it, so that later versions can add to its end: CIM_SIZED() sets it, in
 *   "struct cim_metadata m = {CIM_SIZED(m), .size = 5};". A copy of cim_env_default() has it. One
 *   that is too small is CIM_E_INVALID; one that is larger than the library knows is fine as long
 *   as the rest of it is zeros, else CIM_E_UNSUPPORTED.
 * - Sizes and offsets are bytes. Times are Windows FILETIMEs: 100 ns units since 1601-01-01 UTC.
 * - Names inside an image are UTF-16 code units. In UTF-8 they are written as WTF-8: an unpaired
 *   surrogate is encoded like any other code point, in three bytes, so that the form is
 *   reversible. Lookup ignores case by the image's own upcase table.
 * - A struct cim_image may be used by several threads at once. Calls on one struct cim_writer
 *   and its stream are serialised by a lock; different writers don't wait for each other.
 *
 * Where behaviour mirrors cimfs.dll its source is the documentation of the Windows SDK's cimfs.h;
 * where that is silent, the project's own decision (README, "Where facts come from").
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

/** The first member of a structure that the caller fills in: see the conventions above. */
#define CIM_SIZED(variable) .struct_size = sizeof(variable)

/** The version of this header, for #if: 0xMMmmpp, major, minor and patch. See cim_version(). */
#define CIM_VERSION_NUMBER 0x000100

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
 * @cause:    why it failed, one line without a full stop
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
 * Environment
 */

/** struct cim_allocator - where memory comes from; any function may be called by any thread */
struct cim_allocator {
	void *ctx;
	/** @realloc: as C's realloc(): @ptr NULL allocates; never called with @size 0 */
	void *(*realloc)(void *ctx, void *ptr, size_t size);
	/** @free: as C's free(), NULL included */
	void (*free)(void *ctx, void *ptr);
};

/** A directory and a file that a struct cim_vfs opened; their content is the file system's own. */
typedef struct cim_vfs_dir cim_vfs_dir;
typedef struct cim_vfs_file cim_vfs_file;

/** open_dir(): take the writer's lock (decision D36); CIM_E_SHARING if another writer has it. */
#define CIM_VFS_DIR_LOCK 0x1u

/** How a file is opened. */
enum cim_vfs_mode {
	CIM_VFS_READ,	/* existing, for reading, sharing everything */
	CIM_VFS_CREATE, /* new, for reading and writing; CIM_E_EXISTS if the name is taken */
	CIM_VFS_UPDATE, /* existing, for reading and for sync() */
};

/** The byte lock of a file (D36, D33): a reader's mark is shared, a session's is its own alone. */
enum cim_vfs_lock {
	CIM_LOCK_NONE,
	CIM_LOCK_SHARED,
	CIM_LOCK_ALONE,
};

/** rename(): fail with CIM_E_EXISTS rather than replace. Without it the target is replaced. */
#define CIM_VFS_NOREPLACE 0x1u

/**
 * struct cim_vfs - the file system that images live in
 *
 * All names are single components in WTF-8 (on POSIX: the bytes as they are). Every function
 * returns a status and, on failure, sets *os_error to the system's code (0 if it has none).
 * CIM_E_FILE_NOT_FOUND: the name is missing; CIM_E_PATH_NOT_FOUND: the directory is.
 */
struct cim_vfs {
	size_t struct_size;
	void *ctx;
	/** @fold_names: names that differ in ASCII case only are the same file (Windows, Wine) */
	bool fold_names;
	enum cim_status (*open_dir)(void *ctx, const char *path, unsigned flags, cim_vfs_dir **dir,
				    long *os_error);
	void (*close_dir)(void *ctx, cim_vfs_dir *dir);
	/** @sync_dir: make the directory's names last (fsync of the directory) */
	enum cim_status (*sync_dir)(void *ctx, cim_vfs_dir *dir, long *os_error);
	enum cim_status (*open)(void *ctx, cim_vfs_dir *dir, const char *name,
				enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error);
	void (*close)(void *ctx, cim_vfs_file *file);
	enum cim_status (*size)(void *ctx, cim_vfs_file *file, uint64_t *size, long *os_error);
	/** @pread: reads @len bytes unless the file ends before; *@got tells; short only at the end
	 */
	enum cim_status (*pread)(void *ctx, cim_vfs_file *file, uint64_t offset, void *buf,
				 size_t len, size_t *got, long *os_error);
	/** @pwrite: writes all or fails; past the end the gap reads as zero */
	enum cim_status (*pwrite)(void *ctx, cim_vfs_file *file, uint64_t offset, const void *buf,
				  size_t len, long *os_error);
	/** @truncate: sets the size, either way; a longer file reads as zero there, as a hole if
	 * possible */
	enum cim_status (*truncate)(void *ctx, cim_vfs_file *file, uint64_t size, long *os_error);
	enum cim_status (*sync)(void *ctx, cim_vfs_file *file, long *os_error);
	/** @lock: the byte lock by which a living session marks its first region file (D36) */
	enum cim_status (*lock)(void *ctx, cim_vfs_file *file, long *os_error);
	/** @is_locked: who (this process too) holds the byte lock of a file? Where a lock can be
	 * seen but not of which kind, CIM_LOCK_ALONE */
	enum cim_status (*is_locked)(void *ctx, cim_vfs_dir *dir, const char *name,
				     enum cim_vfs_lock *lock, long *os_error);
	/** @rename: atomic, within the directory; @flags CIM_VFS_NOREPLACE; CIM_E_SHARING if the
	 *  target is held open by somebody and so can't be replaced now */
	enum cim_status (*rename)(void *ctx, cim_vfs_dir *dir, const char *from, const char *to,
				  unsigned flags, long *os_error);
	enum cim_status (*remove)(void *ctx, cim_vfs_dir *dir, const char *name, long *os_error);
	/** @list: calls @each with every name of a file in the directory ("." and ".." and
	 *  subdirectories left out), until it returns something else than CIM_OK, which is returned
	 */
	enum cim_status (*list)(void *ctx, cim_vfs_dir *dir,
				enum cim_status (*each)(void *arg, const char *name), void *arg,
				long *os_error);

	/* What follows may be NULL. */

	/** @native: the system's own handle of an open file, a file descriptor on POSIX, which
	 * stays this file system's; -1 if it has none. For cim_image_get_run() */
	intptr_t (*native)(void *ctx, cim_vfs_file *file);
	/** @hold: opens an existing file as CIM_VFS_UPDATE does, with the byte lock of lock() on
	 * it:
	 *  @alone, or shared with others who share it; CIM_E_SHARING if that can't be had now.
	 *  When it returns the name still is this file's. CIM_E_UNSUPPORTED: there are no locks.
	 *  A consistent session holds what it finds (D45), cim_store_remove() what it deletes */
	enum cim_status (*hold)(void *ctx, cim_vfs_dir *dir, const char *name, bool alone,
				cim_vfs_file **file, long *os_error);
	/** @next_data: the first offset from @offset on where a file may hold anything but zeros:
	 *  @offset itself where that isn't known, the file's size where there is no such byte */
	enum cim_status (*next_data)(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *data,
				     long *os_error);
};

/** What a progress report is about. */
enum cim_phase {
	CIM_PHASE_COMMIT, /* tables being written; done and total in steps */
	CIM_PHASE_VERIFY, /* done: items checked; total: 0, unknown */
};

/** struct cim_progress - one report: @done of @total (0: unknown) of @phase */
struct cim_progress {
	enum cim_phase phase;
	uint64_t done;
	uint64_t total;
};

/**
 * struct cim_env - everything the library does to the world outside
 *
 * Passed by pointer to the functions that open something, which copy it; what it points to must
 * outlive the handle. NULL means cim_env_default().
 */
struct cim_env {
	size_t struct_size;
	struct cim_allocator mem;
	const struct cim_vfs *vfs;

	/** @random: fills @buf with @len unpredictable bytes (names of private files, GUIDs) */
	enum cim_status (*random)(void *ctx, void *buf, size_t len);
	void *random_ctx;

	/** @now_ms, @sleep_ms: a monotonic clock, for waits with an end (decision D47) */
	uint64_t (*now_ms)(void *ctx);
	void (*sleep_ms)(void *ctx, unsigned ms);
	void *clock_ctx;

	/** @progress: may be NULL; returning non-zero stops the call with CIM_E_ABORTED. Called
	 * under the handle's lock: it must not call the library with that handle */
	int (*progress)(void *ctx, const struct cim_progress *progress);
	void *progress_ctx;

	/** Locks. mutex_new() returns NULL for want of memory. */
	void *(*mutex_new)(void *ctx);
	void (*mutex_free)(void *ctx, void *mutex);
	void (*mutex_lock)(void *ctx, void *mutex);
	void (*mutex_unlock)(void *ctx, void *mutex);
	void *thread_ctx;
};

/**
 * cim_env_default() - the environment of this system: malloc, files, the system's random source
 *
 * Copy it to replace a part. The returned structure is constant and lives for ever.
 */
CIM_API const struct cim_env *cim_env_default(void);

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
	const char *utf8;
	const uint16_t *utf16;
	size_t units; /* bytes of utf8, or code units of utf16 */
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

/* ------------------------------------------------------------------------------------------
 * What an image holds
 */

/** A GUID in Windows' binary order, as the format stores it. */
struct cim_guid {
	uint8_t bytes[16];
};

/** Bytes of a GUID's text, 8-4-4-4-12 in lower case, its NUL included. */
#define CIM_GUID_TEXT 37

/** cim_guid_format() - write a GUID's text to @text, which holds CIM_GUID_TEXT bytes */
CIM_API void cim_guid_format(const struct cim_guid *guid, char *text);

/** cim_guid_parse() - read a GUID's text, either case, with or without braces; false if malformed
 */
CIM_API bool cim_guid_parse(const char *text, struct cim_guid *guid);

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
 * @parent_id:   FileID of the directory it was created in; trust it for directories only
 * @attributes:  CIM_ATTR_*, derived: kind and reparse bits included, NORMAL if none
 * @flags:       the raw flag word of the record, unknown bits included
 * @reparse_tag: tag, 0 if there is no reparse data
 * @size:        bytes of the default stream; 0 for a directory
 * @ea_size:     bytes of the extended attributes' list, 0 if none
 * @is_directory, @is_sparse: the default stream is a link table; is the all-zero form
 * @is_pe_image: the default stream is stored expanded, as a PE image
 * @has_*:       the record points to such data
 * @priv:        the library's own, for cim_image_get_file_data()
 */
struct cim_file_info {
	uint32_t file_id;
	uint32_t parent_id;
	uint32_t attributes;
	uint16_t flags;
	uint16_t ea_size;
	uint32_t reparse_tag;
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
	uint64_t priv[2];
};

/** struct cim_region_set - one of the region sets an image names; @first: index of its region 0 */
struct cim_region_set {
	struct cim_guid guid;
	uint16_t count;
	uint32_t first;
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
 */
struct cim_image_info {
	uint32_t version_major;
	uint32_t version_minor;
	uint32_t set_count;
	uint32_t region_count;
	uint32_t table_count;
	uint32_t root_id;
};

/* ------------------------------------------------------------------------------------------
 * Reading
 */

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

/** cim_image_get_info() - the image as a whole; can't fail */
CIM_API void cim_image_get_info(struct cim_image *image, struct cim_image_info *info);

/** cim_image_get_set() - region set @index (parents first); false if there is none */
CIM_API bool cim_image_get_set(struct cim_image *image, uint32_t index, struct cim_region_set *set);

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
 * cim_image_open() leaves to the time when they are needed. For whoever would rather refuse an
 * image than show half of it (D31). What lies behind the headers is cim_image_verify()'s.
 *
 * Costs opening and a read of 40 bytes for each region file: a writer makes three for a session,
 * and an image can name 65,536. A bounded number stays open.
 *
 * CIM_E_CORRUPT: one is missing, shorter than its header, or not the region file that its name
 * says. CIM_E_VERSION: as for cim_image_open().
 */
CIM_API enum cim_status cim_image_check_regions(struct cim_image *image, struct cim_error *err);

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
 * cim_image_lookup_at() - find one name in a directory
 * @dir_id: FileID of a directory
 * @name:   a component, not checked against D20, so that any stored name can be asked for
 * @exact:  compare code units as they are, not upcased
 *
 * CIM_E_FILE_NOT_FOUND: no such name. CIM_E_PATH_NOT_FOUND: @dir_id is not a directory.
 */
CIM_API enum cim_status cim_image_lookup_at(struct cim_image *image, uint32_t dir_id,
					    struct cim_str name, bool exact, uint32_t *file_id,
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
 * CIM_E_LIMIT: @room is too small (and @buf not NULL); *@size is set all the same.
 */
CIM_API enum cim_status cim_image_get_blob(struct cim_image *image, uint32_t file_id,
					   enum cim_blob which, void *buf, size_t room,
					   size_t *size, struct cim_error *err);

/**
 * cim_blob_valid() - do the bytes keep the rules of their kind (D9, D16, D17)?
 *
 * A self-relative security descriptor whose SIDs and ACLs lie inside it; a chain of EAs, perhaps
 * with up to 3 bytes behind the last; a reparse buffer whose length field tells its size. The
 * writer takes no others; an image of another's making may have them.
 */
CIM_API bool cim_blob_valid(enum cim_blob which, const void *bytes, size_t size);

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
 */
CIM_API enum cim_status cim_image_get_data(struct cim_image *image, uint32_t file_id,
					   struct cim_str stream, struct cim_data *data,
					   struct cim_error *err);

/**
 * cim_image_get_file_data() - find the default stream of a file already looked at
 * @file: what this image told of it (cim_image_stat(), an entry of a directory)
 *
 * As cim_image_get_data(), but the record isn't read again. CIM_E_ACCESS: a directory.
 */
CIM_API enum cim_status cim_image_get_file_data(struct cim_image *image,
						const struct cim_file_info *file,
						struct cim_data *data, struct cim_error *err);

/**
 * cim_image_read() - read from a stream at any offset
 * @got: receives the bytes read: @len, or less where the stream ends; 0 at or past its end
 */
CIM_API enum cim_status cim_image_read(struct cim_image *image, const struct cim_data *data,
				       uint64_t offset, void *buf, size_t len, size_t *got,
				       struct cim_error *err);

/** What a run of a stream's bytes is. */
enum cim_run_kind {
	CIM_RUN_NONE,  /* nothing: at or past the stream's end, or no bytes were asked for */
	CIM_RUN_ZEROS, /* zeros that are stored nowhere */
	CIM_RUN_FILE,  /* bytes of a file, in one piece */
	CIM_RUN_READ,  /* bytes that the environment has no native handle for: cim_image_read() */
};

/**
 * struct cim_run - where a piece of a stream lies
 * @len:    bytes of the run
 * @native: CIM_RUN_FILE: the file, as the environment's native() names it (POSIX: a descriptor),
 *          else -1. It is the library's: to be read by position, and not to be closed
 * @offset: CIM_RUN_FILE: where in that file the run begins, else 0
 * @priv:   the library's own
 */
struct cim_run {
	enum cim_run_kind kind;
	uint64_t len;
	intptr_t native;
	uint64_t offset;
	void *priv;
};

/**
 * cim_image_get_run() - find the file that holds a stream's bytes, to have them without a copy
 * @offset, @len: what is wanted
 * @run:  receives the first run of it: where @offset is, and @len bytes or fewer. Fewer does not
 *        mean that the stream ends: an expanded PE image lies in pieces
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

/**
 * struct cim_entry - one name: of a directory's entry, or of an alternate stream
 * @units, @name:  the name in code units, not terminated
 * @utf8:          the same in WTF-8, NUL-terminated
 * @file_id:       a directory entry's FileID; 0 for a stream
 * @data:          a stream's data; zeros for a directory entry
 * @index:         position in the table, from 0: a stable cookie for cim_iter_seek()
 */
struct cim_entry {
	uint32_t file_id;
	uint32_t index;
	struct cim_data data;
	size_t units;
	uint16_t name[CIM_MAX_NAME];
	char utf8[CIM_MAX_NAME_UTF8];
};

/** struct cim_iter - goes through a directory's entries or an item's streams, in stored order */
struct cim_iter;

/**
 * cim_iter_dir() - iterate a directory's entries (no "." and "..")
 * CIM_E_PATH_NOT_FOUND: not a directory. Close with cim_iter_close() before the image.
 */
CIM_API enum cim_status cim_iter_dir(struct cim_image *image, uint32_t dir_id,
				     struct cim_iter **iter, struct cim_error *err);

/** cim_iter_streams() - iterate an item's alternate streams; none is fine */
CIM_API enum cim_status cim_iter_streams(struct cim_image *image, uint32_t file_id,
					 struct cim_iter **iter, struct cim_error *err);

/**
 * cim_iter_next() - the next entry
 * @found: receives false when there are no more
 */
CIM_API enum cim_status cim_iter_next(struct cim_iter *iter, struct cim_entry *entry, bool *found,
				      struct cim_error *err);

/** cim_iter_count() - the number of entries in the table */
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
	struct cim_entry entry;
	struct cim_file_info info;
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
 * *@item is valid until the next call. After CIM_E_CORRUPT for one item the walk may be
 * continued: the item is passed over (with what is below it).
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
 * @structure: "region header", "file table", "link table", "stream", ...
 * @offset:    RegionOffset of the structure (bits 48-63 region index); 0 if it has none
 * @path:      WTF-8 path of the item concerned, "/" for the root, "/dir/file" for what is below,
 *             "/dir/file:stream" for an alternate stream; "" if none
 * @message:   one line
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

/**
 * cim_image_verify() - check an image against every rule of the format
 * @flags:  CIM_VERIFY_*
 * @found:  called for each finding; returning non-zero stops with CIM_E_ABORTED
 * @errors: receives the number of findings of severity CIM_ERROR; may be NULL
 *
 * Goes on after a finding as far as it can; what lies in a region file that is missing, or no good
 * as a whole, is told by its number. CIM_OK means the check ran to its end, not that the image is
 * sound: see @errors. Memory: one bit a FileID, some bytes a file table and a directory.
 */
CIM_API enum cim_status cim_image_verify(struct cim_image *image, unsigned flags,
					 int (*found)(void *ctx, const struct cim_finding *finding),
					 void *ctx, uint64_t *errors, struct cim_error *err);

/* ------------------------------------------------------------------------------------------
 * Raw structures, for the person who debugs an image
 */

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
	CIM_STRUCT_LINK, /* one entry of a directory; only told as broken, when the walk meets it */
	CIM_STRUCT_COUNT
};

/** cim_structure_name() - what a kind is called ("link table"), or "?" if unknown */
CIM_API const char *cim_structure_name(enum cim_structure_kind kind);

/** The region of a structure that lies in no region file, and of one whose place isn't known. */
#define CIM_NO_REGION UINT32_MAX

/**
 * struct cim_structure - a structure and its place
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
 * @name:    what the format's description calls it
 * @offset:  from the structure's beginning
 * @size:    its bytes in the file
 * @element: it belongs to element @index of an array; all fields of one element come together
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
 * struct cim_structure_visitor - whom cim_structures_visit() tells
 * @structure: a structure begins
 * @field:     a field of it, in ascending order but for arrays, whose elements come one by one
 * @bytes:     its bytes from @skip on, in pieces, in order; after the fields in front
 * @broken:    something can't be read or breaks a rule that reading depends on. @structure tells
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
 * cim_structures_visit() - tell the structures of an image as they lie in its files
 * @env:    environment, NULL for the default
 * @path:   the filesystem file, as for cim_image_open()
 * @broken: receives the number of calls of @visitor's function of that name; may be NULL
 *
 * The order is always the same: the image header; for each region the headers of its two files and
 * the object IDs; filesystem object and file table directory; then the tree from the root in stored
 * order, each item's record once, with what it points to behind it; then the records that the root
 * doesn't lead to, by FileID; the upcase table. A structure that several items share is told where
 * it is met first. The data of files are not told.
 *
 * Nothing need be sound: what can't be read is told as broken, and all else goes on as far as
 * something leads to it. CIM_OK means that it ran to the end, not that the image is sound. An image
 * made to harm, whose structures overlap so much that far more would be told than its files hold,
 * is told in part. Memory: one bit a FileID met, 32 bytes for each of the first 524,288 structures
 * that could be shared, and a constant.
 *
 * CIM_E_FILE_NOT_FOUND, CIM_E_PATH_NOT_FOUND: as for cim_image_open(). CIM_E_CORRUPT and
 * CIM_E_VERSION are never returned.
 */
CIM_API enum cim_status cim_structures_visit(const struct cim_env *env, const char *path,
					     const struct cim_structure_visitor *visitor,
					     uint64_t *broken, struct cim_error *err);

/* ------------------------------------------------------------------------------------------
 * Writing
 */

/** struct cim_writer - a session that makes, extends or forks an image */
struct cim_writer;
/** struct cim_stream - the open stream of a session; at most one at a time */
struct cim_stream;

/** Same calls, same bytes: the region set's GUID is computed at commit (decision D45). */
#define CIM_WRITE_CONSISTENT 0x1u

/**
 * For rebuilding what another image holds (cimtool create --from-dump): what the API adds or
 * refuses for a program's good is left as it is. An item without a security descriptor gets none,
 * cim_metadata's other_flags are stored, and ":STREAM" is a stream of the root.
 */
#define CIM_WRITE_AS_STORED 0x2u

/**
 * cim_writer_open() - begin a session
 * @env:      environment, NULL for the default
 * @dir:      existing directory, where the image and all its parents live
 * @existing: file name of the image to extend or fork, NULL to begin with nothing
 * @name:     file name of the image to make; NULL or the same as @existing: extend @existing
 * @flags:    CIM_WRITE_*
 *
 * Locks the directory against other writers until cim_writer_close() (D36) and creates the
 * session's private region files. Nothing of the result is visible before cim_writer_commit().
 *
 * CIM_E_INVALID: neither name, or a malformed one (D23). CIM_E_PATH_NOT_FOUND: no such directory.
 * CIM_E_FILE_NOT_FOUND: @existing is missing. CIM_E_EXISTS: @name is new and already taken.
 * CIM_E_SHARING: another session has the directory. CIM_E_ACCESS: it can't be written. CIM_E_LIMIT:
 * @existing names so many regions that no three are left. CIM_E_CORRUPT, CIM_E_VERSION: @existing
 * can't be read.
 */
CIM_API enum cim_status cim_writer_open(const struct cim_env *env, const char *dir,
					const char *existing, const char *name, unsigned flags,
					struct cim_writer **writer, struct cim_error *err);

/**
 * struct cim_metadata - what cim_writer_add() needs to know of an item
 * @other_flags: bits of the record's flag word that no attribute names; with CIM_WRITE_AS_STORED
 * only
 * @attributes: CIM_ATTR_*; DIRECTORY decides the kind, bits that an image can't hold are dropped
 * @size:       bytes of the default stream (ignored for a directory); at most CIM_MAX_STREAM
 * @security:   self-relative security descriptor; NULL or size 0: a NULL DACL is stored (D8)
 * @ea:         FILE_FULL_EA_INFORMATION list, or NULL
 * @reparse:    REPARSE_DATA_BUFFER, or NULL
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
	uint32_t security_size;
	const void *ea;
	uint32_t ea_size;
	const void *reparse;
	uint32_t reparse_size;
};

/*
 * All calls on a session fail with CIM_E_SHARING while its stream is open (but for the stream's
 * own calls and cim_writer_lookup()), with CIM_E_INVALID after its commit, and, once a write has
 * failed, with that first error (D43): then only closing is possible.
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
 * CIM_E_INVALID: not such a path. CIM_E_PATH_NOT_FOUND: the item is missing.
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

/** cim_writer_lookup() - is there an item (or PATH:STREAM) in the session's tree? (D41) */
CIM_API enum cim_status cim_writer_lookup(struct cim_writer *writer, struct cim_str path,
					  bool *exists, struct cim_error *err);

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
 * struct cim_source - data that can be read twice
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

/**
 * cim_stream_close() - end a stream; NULL is fine
 *
 * Not wholly written is fine: the rest reads as zero (D29). An error that only closing notices is
 * kept by the session and returned by all that follows (D43). If the session was closed before,
 * its resources go now.
 */
CIM_API void cim_stream_close(struct cim_stream *stream);

/** struct cim_writer_stats - what a session has done so far; bytes as the streams' sizes */
struct cim_writer_stats {
	uint64_t files;	       /* items added (directories, files), links not counted */
	uint64_t streams;      /* streams with data, default and alternate */
	uint64_t bytes;	       /* their bytes */
	uint64_t stored_bytes; /* what of it was stored, the rest being known already */
};

/** cim_writer_get_stats() - see struct cim_writer_stats; can't fail */
CIM_API void cim_writer_get_stats(struct cim_writer *writer, struct cim_writer_stats *stats);

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
 * callback said so. After these and any other error only closing is possible.
 */
CIM_API enum cim_status cim_writer_commit(struct cim_writer *writer, struct cim_error *err);

/**
 * cim_writer_close() - end a session; NULL is fine
 *
 * Without a commit everything it wrote is removed. If its stream is still open, nothing is freed
 * or unlocked until that is closed too.
 */
CIM_API void cim_writer_close(struct cim_writer *writer);

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

/**
 * struct cim_store_file - one file of an image directory
 * @name:   its name, WTF-8
 * @kind:   what it is
 * @set:    the region set it belongs to (an image: its own set); zeros for a temporary file
 * @index:  its number in the set
 * @size:   bytes
 * @owners: the images that need it (region, object ID); 0: nobody, it is an orphan
 * @in_use: somebody holds it, a living session or a mount: leave it alone
 * @broken: an image that can't be read, or what may be one; while there is one, nothing can be
 *          called an orphan
 * @mounted: it is in use by a mount of the image that this set is the own one of; neither that
 *          image nor what it needs may go. Where that image isn't there, so is all that has no
 *          owner
 * @denied: there is no right to read it, so that only its name tells what it is, any name but those
 *          of the other kinds being taken for an image's; or, of what is in use: there is no right
 *          to see who holds its region set
 */
struct cim_store_file {
	const char *name;
	enum cim_file_kind kind;
	struct cim_guid set;
	uint16_t index;
	uint64_t size;
	uint32_t owners;
	bool in_use;
	bool broken;
	bool mounted;
	bool denied;
};

/** struct cim_store - a directory's images and files, as they were when it was opened */
struct cim_store;

/** cim_store_open() - look at every file of a directory; @lock: and keep writers out meanwhile */
CIM_API enum cim_status cim_store_open(const struct cim_env *env, const char *dir, bool lock,
				       struct cim_store **store, struct cim_error *err);
/** cim_store_get() - file number @index, sorted by name; NULL past the last; lives with the store
 */
CIM_API const struct cim_store_file *cim_store_get(struct cim_store *store, size_t index);
/** cim_store_owner() - name of the @n-th image that needs a region set; NULL past the last */
CIM_API const char *cim_store_owner(struct cim_store *store, const struct cim_guid *set, size_t n);
/**
 * cim_store_remove() - delete a file of the directory by its name
 *
 * A region or object ID file of a consistent set (D45) may have been taken into use since the store
 * was opened: CIM_E_SHARING if somebody holds it, or an image of the directory names its set.
 */
CIM_API enum cim_status cim_store_remove(struct cim_store *store, const char *name,
					 struct cim_error *err);
/** cim_store_close() - NULL is fine */
CIM_API void cim_store_close(struct cim_store *store);

#ifdef __cplusplus
}
#endif

#endif /* LIBCIM_H */
