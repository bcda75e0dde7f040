/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.h - struct cim_vfs for those who want a struct cim_error of it; paths and whole files
 *
 * A failure is recorded with the name; what was to be opened is NULL then. Closing takes NULL.
 */
#ifndef CIM_IO_H
#define CIM_IO_H

#include "../../include/libcim_env.h"

enum cim_status cim_io_open_dir(const struct cim_env *env, const char *path, unsigned flags,
				cim_vfs_dir **dir, struct cim_error *err);
/* With a session's lock; *unlocked becomes true where there are no locks, and it is open without.
 */
enum cim_status cim_io_lock_dir(const struct cim_env *env, const char *path, cim_vfs_dir **dir,
				bool *unlocked, struct cim_error *err);
void cim_io_close_dir(const struct cim_env *env, cim_vfs_dir *dir);
enum cim_status cim_io_sync_dir(const struct cim_env *env, cim_vfs_dir *dir, struct cim_error *err);
/* What @each returns, but CIM_OK, is the answer, recorded as a failure of the listing. */
enum cim_status cim_io_list(const struct cim_env *env, cim_vfs_dir *dir,
			    enum cim_status (*each)(void *arg, const char *name), void *arg,
			    struct cim_error *err);

enum cim_status cim_io_open(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			    enum cim_vfs_mode mode, cim_vfs_file **file, struct cim_error *err);
/* This and the two below: the byte lock of number 0. CIM_E_UNSUPPORTED also where the file system
 * has no such call. */
enum cim_status cim_io_hold(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			    bool alone, cim_vfs_file **file, struct cim_error *err);
void cim_io_close(const struct cim_env *env, cim_vfs_file *file);

/* @name: for the error only. */
enum cim_status cim_io_size(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    uint64_t *size, struct cim_error *err);
/* *got is short only at the end of the file. */
enum cim_status cim_io_read(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    uint64_t offset, void *buf, size_t len, size_t *got,
			    struct cim_error *err);
enum cim_status cim_io_write(const struct cim_env *env, cim_vfs_file *file, const char *name,
			     uint64_t offset, const void *buf, size_t len, struct cim_error *err);
enum cim_status cim_io_truncate(const struct cim_env *env, cim_vfs_file *file, const char *name,
				uint64_t size, struct cim_error *err);
enum cim_status cim_io_sync(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    struct cim_error *err);
/* *data is @offset where it isn't known. */
enum cim_status cim_io_next_data(const struct cim_env *env, cim_vfs_file *file, const char *name,
				 uint64_t offset, uint64_t *data, struct cim_error *err);
enum cim_status cim_io_lock(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    enum cim_vfs_lock how, bool wait, struct cim_error *err);

enum cim_status cim_io_is_locked(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				 enum cim_vfs_lock *lock, struct cim_error *err);
enum cim_status cim_io_rename(const struct cim_env *env, cim_vfs_dir *dir, const char *from,
			      const char *to, unsigned flags, struct cim_error *err);
enum cim_status cim_io_remove(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			      struct cim_error *err);

/* Split a host path at its last separator ('/', and '\' on Windows):
 * *dir (allocated; "." if none) and *name (points into @path). */
enum cim_status cim_split_path(const struct cim_env *env, const char *path, char **dir,
			       const char **name, struct cim_error *err);
/* Read a whole small file; CIM_E_CORRUPT if it is over @limit. The caller frees *bytes. */
enum cim_status cim_read_whole(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			       size_t limit, uint8_t **bytes, size_t *size, struct cim_error *err);

/* Does a name stand for these bytes, those of a small file? */
enum cim_status cim_file_is(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			    const uint8_t *bytes, size_t size, bool *same, struct cim_error *err);
/* Is a name free for a new file? CIM_E_EXISTS: it isn't. Only asked: it can be taken meanwhile. */
enum cim_status cim_io_check_free(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				  struct cim_error *err);

/* An open file of some file system, and its name for errors. */
struct cim_open_file {
	const struct cim_env *env;
	cim_vfs_file *file;
	const char *name;
};
/* Have two files the same bytes? Then the second is synced. */
enum cim_status cim_files_are_same(const struct cim_open_file *a, const struct cim_open_file *b,
				   bool *same, struct cim_error *err);

#endif
