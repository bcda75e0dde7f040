/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.c - small helpers over the environment's file system
 *
 * Core names files by a directory, opened once, and one component in it, because an image's files
 * lie side by side. cim_split_path() makes the two from a path that a user gives. What a separator
 * is depends on the host: where names fold case (Windows, Wine) '\' is one too, and a drive may
 * stand in front; elsewhere '\' is an ordinary character.
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
	bool windows = env->vfs->fold_names;
	const char *tail = "";
	size_t base, len;
	char *text;

	*dir = NULL;
	*name = NULL;
	if (!path)
		return cim_fail(err, CIM_E_INVALID, "no path was given");
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

enum cim_status cim_open_dir_of(const struct cim_env *env, const char *path, cim_vfs_dir **dir,
				const char **name, struct cim_error *err)
{
	char *dir_path;
	long os_error = 0;
	enum cim_status status = cim_split_path(env, path, &dir_path, name, err);

	*dir = NULL;
	if (status)
		return status;
	status = env->vfs->open_dir(env->vfs->ctx, dir_path, 0, dir, &os_error);
	if (status)
		cim_fail_os(err, status, os_error, "opening directory %s", dir_path);
	cim_free(env, dir_path);
	return status;
}

static enum cim_status read_open(const struct cim_env *env, cim_vfs_file *file, const char *name,
				 size_t limit, uint8_t **bytes, size_t *size, struct cim_error *err)
{
	const struct cim_vfs *vfs = env->vfs;
	enum cim_status status;
	long os_error = 0;
	uint64_t length;
	size_t got = 0;
	uint8_t *buf;

	status = vfs->size(vfs->ctx, file, &length, &os_error);
	if (status)
		return cim_fail_os(err, status, os_error, "size of %s", name);
	if (length > limit)
		return cim_fail(err, CIM_E_CORRUPT,
				"%s is larger than such a file can be (%llu bytes)", name,
				(unsigned long long)length);
	buf = cim_alloc(env, (size_t)length);
	if (!buf)
		return cim_no_memory(err);
	status = vfs->pread(vfs->ctx, file, 0, buf, (size_t)length, &got, &os_error);
	if (status) {
		cim_fail_os(err, status, os_error, "reading %s", name);
		goto free_buf;
	}
	if (got != length) {
		status = cim_fail(err, CIM_E_CORRUPT, "%s became shorter while it was read", name);
		goto free_buf;
	}
	*bytes = buf;
	*size = (size_t)length;
	return CIM_OK;

free_buf:
	cim_free(env, buf);
	return status;
}

enum cim_status cim_read_whole(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			       size_t limit, uint8_t **bytes, size_t *size, struct cim_error *err)
{
	const struct cim_vfs *vfs = env->vfs;
	enum cim_status status;
	cim_vfs_file *file;
	long os_error = 0;

	*bytes = NULL;
	*size = 0;
	status = vfs->open(vfs->ctx, dir, name, CIM_VFS_READ, &file, &os_error);
	if (status)
		return cim_fail_os(err, status, os_error, "opening %s", name);
	status = read_open(env, file, name, limit, bytes, size, err);
	vfs->close(vfs->ctx, file);
	return status;
}
