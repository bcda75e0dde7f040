/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcim_env.h - libcim's way to the world outside, and how to replace it
 *
 * Memory, files, randomness, time, locks and reports of progress reach the library through one
 * structure, a copy of which a program may change: for a file system of its own, limits on memory,
 * images that are the same each time. The conventions of libcim.h hold here too.
 */
#ifndef LIBCIM_ENV_H
#define LIBCIM_ENV_H

#include "libcim.h"

#ifdef __cplusplus
extern "C" {
#endif

/** struct cim_allocator - where memory comes from; any function may be called by any thread */
struct cim_allocator {
	void *ctx; /* the caller's own, passed to both */
	/** @realloc: as C's realloc(): @ptr NULL allocates; never called with @size 0 */
	void *(*realloc)(void *ctx, void *ptr, size_t size);
	/** @free: as C's free(), NULL included */
	void (*free)(void *ctx, void *ptr);
};

/** A directory and a file that a struct cim_vfs opened; their content is the file system's own. */
typedef struct cim_vfs_dir cim_vfs_dir;
typedef struct cim_vfs_file cim_vfs_file;

/** open_dir(): take a session's lock (decision D36); CIM_E_SHARING if another has it. */
#define CIM_VFS_DIR_LOCK 0x1u

/** How a file is opened. */
enum cim_vfs_mode {
	CIM_VFS_READ,	   /* existing, for reading, sharing everything */
	CIM_VFS_CREATE,	   /* new, for reading and writing; CIM_E_EXISTS if the name is taken */
	CIM_VFS_UPDATE,	   /* existing, for reading and for sync() */
	CIM_VFS_READ_ANY,  /* existing, a block device too, for reading */
	CIM_VFS_WRITE_ANY, /* the same, for writing too; CIM_E_SHARING if a device is in use */
};

/** A byte lock of a file (D36, D33): a reader's is shared, a session's is its own alone. */
enum cim_vfs_lock {
	CIM_LOCK_NONE, /* lock(): what this handle has is let go of */
	CIM_LOCK_SHARED,
	CIM_LOCK_ALONE,
};

/** How many byte locks a file has. */
#define CIM_VFS_LOCKS (UINT64_C(1) << 60)

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
	void *ctx; /* the file system's own, passed to each function */
	/** @fold_names: names that differ in ASCII case only are the same file (Windows, Wine) */
	bool fold_names;
	/** @windows_paths: in paths '\\' separates as '/' does, and a drive may stand in front */
	bool windows_paths;
	/** @no_containers: a path that leads through a file leads nowhere, whatever the file is;
	 * only with CIM_WRITE_CONTAINER a container is still one */
	bool no_containers;
	/** @only_containers: images lie in containers only; whatever else a path leads to is
	 *  CIM_E_CORRUPT, as a container that can't be read is */
	bool only_containers;
	/** @open_dir: opens an existing directory; @flags CIM_VFS_DIR_LOCK */
	enum cim_status (*open_dir)(void *ctx, const char *path, unsigned flags, cim_vfs_dir **dir,
				    long *os_error);
	/** @close_dir: ends it, and its lock */
	void (*close_dir)(void *ctx, cim_vfs_dir *dir);
	/** @sync_dir: make the directory's names last (fsync of the directory) */
	enum cim_status (*sync_dir)(void *ctx, cim_vfs_dir *dir, long *os_error);
	/** @open: opens or makes a file of the directory, as @mode says */
	enum cim_status (*open)(void *ctx, cim_vfs_dir *dir, const char *name,
				enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error);
	/** @close: ends it, and its byte lock; what was written need not last before sync() */
	void (*close)(void *ctx, cim_vfs_file *file);
	/** @size: the file's bytes, as they are now */
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
	/** @sync: make the file's content and size last (fsync) */
	enum cim_status (*sync)(void *ctx, cim_vfs_file *file, long *os_error);
	/** @lock: a byte lock, one of CIM_VFS_LOCKS that a file has. By number 0 a living session
	 *  (CIM_LOCK_ALONE) and a user of an image (CIM_LOCK_SHARED; an open for reading will do)
	 *  mark a first region file (D36); those of a container are told in container.md.
	 *  CIM_E_SHARING if it can't be had now, unless @wait. It ends when the file is closed */
	enum cim_status (*lock)(void *ctx, cim_vfs_file *file, uint64_t number,
				enum cim_vfs_lock how, bool wait, long *os_error);
	/** @is_locked: who (this process too) holds that byte lock of a file? Where a lock can be
	 * seen but not of which kind, CIM_LOCK_ALONE */
	enum cim_status (*is_locked)(void *ctx, cim_vfs_dir *dir, const char *name, uint64_t number,
				     enum cim_vfs_lock *lock, long *os_error);
	/** @rename: atomic, within the directory; @flags CIM_VFS_NOREPLACE; CIM_E_SHARING if the
	 *  target is held open by somebody and so can't be replaced now */
	enum cim_status (*rename)(void *ctx, cim_vfs_dir *dir, const char *from, const char *to,
				  unsigned flags, long *os_error);
	/** @remove: takes a file's name away; who has the file open reads on */
	enum cim_status (*remove)(void *ctx, cim_vfs_dir *dir, const char *name, long *os_error);
	/** @list: calls @each with every name of a file in the directory ("." and ".." and
	 *  subdirectories left out), until it returns something else than CIM_OK, which is returned
	 */
	enum cim_status (*list)(void *ctx, cim_vfs_dir *dir,
				enum cim_status (*each)(void *arg, const char *name), void *arg,
				long *os_error);

	/* What follows may be NULL. */

	/** @map: where byte @offset of an open file lies in a file of the system's own: that one's
	 *  handle, a file descriptor on POSIX, which stays this file system's, with the place in
	 *  it in *place; -1 if it lies in none. *len: of how many bytes that is asked, and of how
	 *  many the answer holds, which may be fewer. 0: of none, but which handle has the file's
	 *  byte locks? For cim_image_get_run(), cim_image_hold() */
	intptr_t (*map)(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len,
			uint64_t *place);
	/** @hold: opens an existing file as CIM_VFS_UPDATE does, with lock()'s byte lock on it,
	 *  @alone, or shared with others who share it; CIM_E_SHARING if that can't be had now.
	 *  When it returns the name still is this file's. CIM_E_UNSUPPORTED: there are no locks.
	 *  A consistent session holds what it finds (D45), cim_store_remove() what it deletes */
	enum cim_status (*hold)(void *ctx, cim_vfs_dir *dir, const char *name, uint64_t number,
				bool alone, cim_vfs_file **file, long *os_error);
	/** @next_data: the first offset from @offset on where a file may hold anything but zeros:
	 *  @offset itself where that isn't known, the file's size where there is no such byte */
	enum cim_status (*next_data)(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *data,
				     long *os_error);
	/** @is_named: does the name lead to this open file? Without it nobody asks */
	enum cim_status (*is_named)(void *ctx, cim_vfs_dir *dir, const char *name,
				    cim_vfs_file *file, bool *named, long *os_error);
	/** @is_device: a block device, whose size can't change. Without it there are none */
	bool (*is_device)(void *ctx, cim_vfs_file *file);
	/** @error_text: what the system calls a code of its own, for struct cim_error's cause: a
	 *  line without a full stop, NUL-terminated. false: it has no words for it, or not so few.
	 *  Without it the cause names the status and the code */
	bool (*error_text)(void *ctx, long os_error, char *buf, size_t size);
	/** @corrupt_text: why pread() of these bytes is CIM_E_CORRUPT, as a line of @error_text's;
	 *  for a file system that knows what its bytes must be. false: it isn't, now */
	bool (*corrupt_text)(void *ctx, cim_vfs_file *file, uint64_t offset, size_t len, char *buf,
			     size_t size);
};

/** What a progress report is about. */
enum cim_phase {
	CIM_PHASE_COMMIT, /* tables being written; done and total in steps */
	CIM_PHASE_VERIFY, /* done: items checked; total: 0, unknown */
	CIM_PHASE_COPY,	  /* bytes copied; total: at most so many */
	CIM_PHASE_SEAL,	  /* bytes hashed */
	CIM_PHASE_MERGE,  /* done: items of a source looked at; total: 0, unknown */
};

/**
 * struct cim_progress - one report
 * @phase: what it is about
 * @done:  how much is done
 * @total: of how much; 0: unknown
 */
struct cim_progress {
	enum cim_phase phase;
	uint64_t done;
	uint64_t total;
};

/**
 * struct cim_env - everything the library does to the world outside
 *
 * Passed by pointer to the functions that open something, which copy it and @vfs; what else it
 * points to must outlive the handle. NULL means cim_env_default().
 */
struct cim_env {
	size_t struct_size;
	struct cim_allocator mem;  /* where memory comes from */
	const struct cim_vfs *vfs; /* where files are */

	/** @random: fills @buf with @len unpredictable bytes, for names of private files, GUIDs
	 * and hash tables that nobody can slow down */
	enum cim_status (*random)(void *ctx, void *buf, size_t len);
	void *random_ctx; /* the caller's own, passed to random() */

	/** @now_ms: a monotonic clock, for waits with an end (decision D47) */
	uint64_t (*now_ms)(void *ctx);
	/** @sleep_ms: waits so long, about */
	void (*sleep_ms)(void *ctx, unsigned ms);
	void *clock_ctx; /* the caller's own, passed to both */

	/** @progress: may be NULL; returning non-zero stops the call with CIM_E_ABORTED. Called
	 * under the handle's lock: it must not call the library with that handle */
	int (*progress)(void *ctx, const struct cim_progress *progress);
	void *progress_ctx; /* the caller's own, passed to progress() */

	/** @mutex_new: makes a lock, which nobody holds; NULL for want of memory */
	void *(*mutex_new)(void *ctx);
	/** @mutex_free: ends a lock that nobody holds */
	void (*mutex_free)(void *ctx, void *mutex);
	/** @mutex_lock: waits for it; a thread never takes one twice */
	void (*mutex_lock)(void *ctx, void *mutex);
	/** @mutex_unlock: by the thread that holds it */
	void (*mutex_unlock)(void *ctx, void *mutex);
	void *thread_ctx; /* the caller's own, passed to these four */

	/** @sha256: the SHA-256 of @len bytes, 32 of them, to @digest; any thread may call it.
	 * NULL: there is none, and so nothing can be sealed, or checked by its seal */
	enum cim_status (*sha256)(void *ctx, const void *bytes, size_t len, uint8_t *digest);
	void *sha256_ctx; /* the caller's own, passed to sha256() */
};

/**
 * cim_env_default() - the environment of this system: malloc, files, the system's random source
 *
 * Copy it to replace a part, and set the copy's struct_size to its own: the library may be of a
 * later version than this header. The returned structure is constant and lives for ever.
 */
CIM_API const struct cim_env *cim_env_default(void);

#ifdef __cplusplus
}
#endif

#endif /* LIBCIM_ENV_H */
