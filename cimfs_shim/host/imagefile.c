/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imagefile.c - the file that a user names an image by
 *
 * An image is several files of one directory: the one that has its name, and region files. Or of
 * one container, a file that is such a directory: then the path leads through a file.
 */
#include "imagefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "error.h"

char *image_path_of(const char *path)
{
	char *real = NULL;
	struct stat st;

	if (!lstat(path, &st) && S_ISLNK(st.st_mode))
		real = realpath(path, NULL);
	return real ? real : xstrdup(path);
}

char *split_image(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');

	if (!slash) {
		*name = path;
		return xstrdup(".");
	}
	*name = slash + 1;
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

bool image_in_file(const char *path)
{
	const char *name;
	char *dir = split_image(path, &name);
	struct stat st;
	const bool is_file = !stat(dir, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));

	free(dir);
	return is_file;
}

char *image_full_path(const char *path)
{
	char *real = realpath(path, NULL);
	const int error = errno;
	const char *name;
	char *dir, *full = NULL;

	if (real)
		return real;
	/* (Or errno is what kept us from looking.) */
	errno = error;
	if (error != ENOTDIR || !image_in_file(path))
		return NULL;
	dir = split_image(path, &name);
	real = realpath(dir, NULL);
	if (real)
		full = xasprintf("%s/%s", real, name);
	free(real);
	free(dir);
	return full;
}

bool is_container(const char *path)
{
	static const char magic[8] = "cimcont0"; /* container.md 1 */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char bytes[sizeof(magic)];
	struct stat st;
	bool found;

	if (fd < 0)
		return false;
	found = !fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) &&
		pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
		!memcmp(bytes, magic, sizeof(bytes));
	close(fd);
	return found;
}

enum cim_status image_check_kind(const char *path, struct cim_error *err)
{
	struct stat st;

	if (stat(path, &st))
		return CIM_OK;
	/* (To cimfs.dll a file that is no image is a corrupt one, and a device is no file.) */
	if (is_container(path))
		return fail(err, S_ISREG(st.st_mode) ? CIM_E_CORRUPT : CIM_E_INVALID,
			    "a container; an image in it is named %s/NAME.cim", path);
	if (S_ISREG(st.st_mode))
		return CIM_OK;
	if (S_ISDIR(st.st_mode))
		return fail(err, CIM_E_ACCESS,
			    "a directory; an image is named by its file, such as %s/NAME.cim",
			    path);
	if (S_ISBLK(st.st_mode))
		return fail(
			err, CIM_E_INVALID,
			"a device; an image is mounted by its file's name, without -o loop, for "
			"it lies in several files");
	return fail(err, CIM_E_ACCESS, "not a regular file");
}
