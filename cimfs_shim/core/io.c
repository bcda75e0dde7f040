/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.c - calls of the environment's file system, and small helpers over them
 *
 * Core names files by a directory, opened once, and one component in it, because an image's files
 * lie side by side. cim_split_path() makes the two from a path that a user gives. What a separator
 * is depends on the host: on Windows and Wine '\' is one too, and a drive may stand in front;
 * elsewhere '\' is an ordinary character.
 */
#include "io.h"
#include "error.h"
#include "mem.h"

#include <string.h>

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_separator(char c, bool windows)
{
	return c == '/' || (windows && c == '\\');
}

enum cim_status cim_split_path(const struct cim_env *env, const char *path, char **dir,
			       const char **name, struct cim_error *err)
{
	bool windows = env->vfs->windows_paths;
	const char *tail = "";
	size_t base, len;
	char *text;

	*dir = NULL;
	*name = NULL;
	base = strlen(path);
	while (base && !is_separator(path[base - 1], windows))
		base--;
	len = base;
	if (!base) {
		tail = ".";
		/* "C:x.cim" is in the current directory of that drive, not in a file's stream. */
		if (windows && is_letter(path[0]) && path[1] == ':')
			base = len = 2;
	} else {
		while (len && is_separator(path[len - 1], windows))
			len--;
		/* The roots "/" and "C:\" are nothing without their separator. */
		if (!len || (windows && path[len - 1] == ':'))
			len++;
	}
	if (!path[base])
		return cim_fail(err, CIM_E_FILE_NOT_FOUND, "the path names no file");
	text = cim_alloc(env, len + strlen(tail) + 1);
	if (!text)
		return cim_no_memory(err);
	memcpy(text, path, len);
	memcpy(text + len, tail, strlen(tail) + 1);
	*dir = text;
	*name = path + base;
	return CIM_OK;
}

/* ---- one call each ---- */

static enum cim_status report(const struct cim_env *env, enum cim_status status, long os_error,
			      const char *doing, const char *name, struct cim_error *err)
{
	return status ? cim_fail_os(err, status, env->vfs, os_error, "%s %s", doing, name) : CIM_OK;
}

enum cim_status cim_io_open_dir(const struct cim_env *env, const char *path, unsigned flags,
				cim_vfs_dir **dir, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->open_dir(env->vfs->ctx, path, flags, dir, &os_error);

	if (status)
		*dir = NULL;
	return report(env, status, os_error, "opening directory", path, err);
}

enum cim_status cim_io_lock_dir(const struct cim_env *env, const char *path, cim_vfs_dir **dir,
				bool *unlocked, struct cim_error *err)
{
	enum cim_status status = cim_io_open_dir(env, path, CIM_VFS_DIR_LOCK, dir, err);

	if (status != CIM_E_UNSUPPORTED)
		return status;
	*unlocked = true;
	return cim_io_open_dir(env, path, 0, dir, err);
}

void cim_io_close_dir(const struct cim_env *env, cim_vfs_dir *dir)
{
	if (dir)
		env->vfs->close_dir(env->vfs->ctx, dir);
}

enum cim_status cim_io_sync_dir(const struct cim_env *env, cim_vfs_dir *dir, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->sync_dir(env->vfs->ctx, dir, &os_error);

	return report(env, status, os_error, "syncing", "the directory", err);
}

enum cim_status cim_io_list(const struct cim_env *env, cim_vfs_dir *dir,
			    enum cim_status (*each)(void *arg, const char *name), void *arg,
			    struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->list(env->vfs->ctx, dir, each, arg, &os_error);

	return report(env, status, os_error, "listing", "the directory", err);
}

enum cim_status cim_io_open(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			    enum cim_vfs_mode mode, cim_vfs_file **file, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->open(env->vfs->ctx, dir, name, mode, file, &os_error);

	if (status)
		*file = NULL;
	return report(env, status, os_error, mode == CIM_VFS_CREATE ? "creating" : "opening", name,
		      err);
}

enum cim_status cim_io_hold(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			    bool alone, cim_vfs_file **file, struct cim_error *err)
{
	const struct cim_vfs *vfs = env->vfs;
	enum cim_status status = CIM_E_UNSUPPORTED;
	long os_error = 0;

	if (vfs->hold)
		status = vfs->hold(vfs->ctx, dir, name, 0, alone, file, &os_error);
	if (status)
		*file = NULL;
	return report(env, status, os_error, "holding", name, err);
}

void cim_io_close(const struct cim_env *env, cim_vfs_file *file)
{
	if (file)
		env->vfs->close(env->vfs->ctx, file);
}

enum cim_status cim_io_size(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    uint64_t *size, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->size(env->vfs->ctx, file, size, &os_error);

	return report(env, status, os_error, "asking for the size of", name, err);
}

enum cim_status cim_io_read(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    uint64_t offset, void *buf, size_t len, size_t *got,
			    struct cim_error *err)
{
	const struct cim_vfs *vfs = env->vfs;
	char text[256];
	long os_error = 0;
	enum cim_status status;

	*got = 0;
	status = vfs->pread(vfs->ctx, file, offset, buf, len, got, &os_error);
	if (status == CIM_E_CORRUPT && err && vfs->corrupt_text &&
	    vfs->corrupt_text(vfs->ctx, file, offset, len, text, sizeof(text)))
		return cim_fail(err, status, "reading %s: %s", name, text);
	return report(env, status, os_error, "reading", name, err);
}

enum cim_status cim_io_write(const struct cim_env *env, cim_vfs_file *file, const char *name,
			     uint64_t offset, const void *buf, size_t len, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->pwrite(env->vfs->ctx, file, offset, buf, len, &os_error);

	return report(env, status, os_error, "writing", name, err);
}

enum cim_status cim_io_truncate(const struct cim_env *env, cim_vfs_file *file, const char *name,
				uint64_t size, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->truncate(env->vfs->ctx, file, size, &os_error);

	return report(env, status, os_error, "writing", name, err);
}

enum cim_status cim_io_sync(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->sync(env->vfs->ctx, file, &os_error);

	return report(env, status, os_error, "syncing", name, err);
}

enum cim_status cim_io_next_data(const struct cim_env *env, cim_vfs_file *file, const char *name,
				 uint64_t offset, uint64_t *data, struct cim_error *err)
{
	const struct cim_vfs *vfs = env->vfs;
	long os_error = 0;

	*data = offset;
	if (!vfs->next_data)
		return CIM_OK;
	return report(env, vfs->next_data(vfs->ctx, file, offset, data, &os_error), os_error,
		      "looking for data in", name, err);
}

enum cim_status cim_io_lock(const struct cim_env *env, cim_vfs_file *file, const char *name,
			    enum cim_vfs_lock how, bool wait, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->lock(env->vfs->ctx, file, 0, how, wait, &os_error);

	return report(env, status, os_error, "locking", name, err);
}

enum cim_status cim_io_is_locked(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				 enum cim_vfs_lock *lock, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->is_locked(env->vfs->ctx, dir, name, 0, lock, &os_error);

	return report(env, status, os_error, "asking for the lock of", name, err);
}

enum cim_status cim_io_rename(const struct cim_env *env, cim_vfs_dir *dir, const char *from,
			      const char *to, unsigned flags, struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->rename(env->vfs->ctx, dir, from, to, flags, &os_error);

	return status ? cim_fail_os(err, status, env->vfs, os_error, "renaming %s to %s", from, to)
		      : CIM_OK;
}

enum cim_status cim_io_remove(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			      struct cim_error *err)
{
	long os_error = 0;
	enum cim_status status = env->vfs->remove(env->vfs->ctx, dir, name, &os_error);

	return report(env, status, os_error, "removing", name, err);
}

/* ---- several ---- */

static enum cim_status read_open(const struct cim_env *env, cim_vfs_file *file, const char *name,
				 size_t limit, uint8_t **bytes, size_t *size, struct cim_error *err)
{
	uint64_t length;
	uint8_t *buf;
	size_t got;
	enum cim_status status;

	status = cim_io_size(env, file, name, &length, err);
	if (status)
		return status;
	if (length > limit)
		return cim_fail(err, CIM_E_CORRUPT,
				"%s is larger than such a file can be (%llu bytes)", name,
				(unsigned long long)length);
	buf = cim_alloc(env, (size_t)length);
	if (!buf)
		return cim_no_memory(err);
	status = cim_io_read(env, file, name, 0, buf, (size_t)length, &got, err);
	if (!status && got != length)
		status = cim_fail(err, CIM_E_CORRUPT, "%s became shorter while it was read", name);
	if (status) {
		cim_free(env, buf);
		return status;
	}
	*bytes = buf;
	*size = (size_t)length;
	return CIM_OK;
}

enum cim_status cim_read_whole(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			       size_t limit, uint8_t **bytes, size_t *size, struct cim_error *err)
{
	cim_vfs_file *file;
	enum cim_status status;

	*bytes = NULL;
	*size = 0;
	status = cim_io_open(env, dir, name, CIM_VFS_READ, &file, err);
	if (status)
		return status;
	status = read_open(env, file, name, limit, bytes, size, err);
	cim_io_close(env, file);
	return status;
}

enum cim_status cim_file_is(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			    const uint8_t *bytes, size_t size, bool *same, struct cim_error *err)
{
	uint8_t *found;
	size_t found_size;
	enum cim_status status = cim_read_whole(env, dir, name, size, &found, &found_size, err);

	*same = false;
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_CORRUPT)
		return CIM_OK;
	if (status)
		return status;
	*same = size == found_size && !memcmp(bytes, found, size);
	cim_free(env, found);
	return CIM_OK;
}

enum cim_status cim_io_check_free(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				  struct cim_error *err)
{
	cim_vfs_file *file;
	enum cim_status status = cim_io_open(env, dir, name, CIM_VFS_READ, &file, err);

	if (status == CIM_E_FILE_NOT_FOUND)
		return CIM_OK;
	cim_io_close(env, file);
	/* Whatever has the name, readable or not, a directory too: it is taken. */
	if (!status || status == CIM_E_ACCESS || status == CIM_E_SHARING)
		return cim_fail(err, CIM_E_EXISTS, "the name is taken");
	return status;
}

/* ---- comparing two files ---- */

/* The first offset from @at on where either file may hold something: before it both are zero. A
 * stream that was hardly written is a hole in both, and may be huge (D19). */
static enum cim_status next_data(const struct cim_open_file *a, const struct cim_open_file *b,
				 uint64_t at, uint64_t *data, struct cim_error *err)
{
	uint64_t in_a, in_b = at;
	enum cim_status status = cim_io_next_data(a->env, a->file, a->name, at, &in_a, err);

	if (!status && in_a > at)
		status = cim_io_next_data(b->env, b->file, b->name, at, &in_b, err);
	*data = in_a < in_b ? in_a : in_b;
	return status;
}

/* Of the same size. */
static enum cim_status compare_bytes(const struct cim_open_file *a, const struct cim_open_file *b,
				     uint64_t size, uint8_t *buf, size_t chunk, bool *same,
				     struct cim_error *err)
{
	size_t got_a, got_b, len;
	uint64_t at = 0;
	enum cim_status status = CIM_OK;

	*same = true;
	while (*same) {
		status = next_data(a, b, at, &at, err);
		if (status || at >= size)
			break;
		len = size - at < chunk ? (size_t)(size - at) : chunk;
		status = cim_io_read(a->env, a->file, a->name, at, buf, len, &got_a, err);
		if (!status)
			status = cim_io_read(b->env, b->file, b->name, at, buf + chunk, len, &got_b,
					     err);
		if (status)
			break;
		*same = got_a == len && got_b == len && !memcmp(buf, buf + chunk, len);
		at += len;
	}
	return status;
}

enum cim_status cim_files_are_same(const struct cim_open_file *a, const struct cim_open_file *b,
				   bool *same, struct cim_error *err)
{
	enum { CHUNK = 1 << 18 };
	uint8_t *buf = cim_alloc(a->env, 2 * CHUNK);
	uint64_t size_a = 0, size_b = 0;
	enum cim_status status;

	*same = false;
	if (!buf)
		return cim_no_memory(err);
	status = cim_io_size(a->env, a->file, a->name, &size_a, err);
	if (!status)
		status = cim_io_size(b->env, b->file, b->name, &size_b, err);
	if (!status && size_a == size_b)
		status = compare_bytes(a, b, size_a, buf, CHUNK, same, err);
	if (!status && *same)
		status = cim_io_sync(b->env, b->file, b->name, err);
	cim_free(a->env, buf);
	return status;
}
