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
#include "libcim_advanced.h"

char *image_path_of(const char *path)
{
	char *real = NULL;
	struct stat st;

	if (!lstat(path, &st) && S_ISLNK(st.st_mode))
		real = realpath(path, NULL);
	return real ? real : xstrdup(path);
}

/* The first @len bytes of a path, without separators at their end. */
static char *bare(const char *path, size_t len)
{
	while (len > 1 && path[len - 1] == '/')
		len--;
	return xstrndup(path, len);
}

char *split_image(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');

	if (!slash) {
		*name = path;
		return xstrdup(".");
	}
	*name = slash + 1;
	return bare(path, (size_t)(*name - path));
}

char *bare_place(const char *place)
{
	return bare(place, strlen(place));
}

char *image_in(const char *place, const char *name)
{
	char *dir = bare_place(place);
	char *path = xasprintf("%s%s%s", dir, strcmp(dir, "/") ? "/" : "", name);

	free(dir);
	return path;
}

bool image_in_file(const char *path)
{
	const char *name;
	char *dir = split_image(path, &name);
	struct stat st;
	const bool is_file = *name && !stat(dir, &st) &&
			     (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));

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
	char *file = bare_place(path);
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char bytes[sizeof(magic)];
	struct stat st;
	bool found;

	free(file);
	if (fd < 0)
		return false;
	found = !fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) &&
		pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
		!memcmp(bytes, magic, sizeof(bytes));
	close(fd);
	return found;
}

/* Of a file that is no container. */
static enum cim_status check_mode(const char *path, mode_t mode, struct cim_error *err)
{
	if (S_ISREG(mode))
		return CIM_OK;
	if (S_ISDIR(mode))
		return fail(err, CIM_E_ACCESS,
			    "a directory; an image is named by its file, such as %s/NAME.cim",
			    path);
	if (S_ISBLK(mode))
		return fail(
			err, CIM_E_INVALID,
			"a device; an image is mounted by its file's name, without -o loop, for "
			"it lies in several files");
	return fail(err, CIM_E_ACCESS, "not a regular file");
}

enum cim_status image_check_kind(const char *path, struct cim_error *err)
{
	const bool container = is_container(path);
	char *file = container ? bare_place(path) : xstrdup(path);
	enum cim_status status = CIM_OK;
	struct stat st;

	/* (To cimfs.dll a file that is no image is a corrupt one, and a device is no file.) */
	if (!stat(file, &st))
		status = container ? fail(err, S_ISREG(st.st_mode) ? CIM_E_CORRUPT : CIM_E_INVALID,
					  "a container; an image in it is named %s/NAME.cim", file)
				   : check_mode(path, st.st_mode, err);
	free(file);
	return status;
}

size_t image_before(const char *path)
{
	size_t len = strlen(path);
	struct cim_image *image = NULL;

	while (!image && len--) {
		char *before = path[len] == '/' && len ? xstrndup(path, len) : NULL;

		if (before)
			cim_image_open(NULL, before, &image, NULL);
		free(before);
	}
	cim_image_close(image);
	return image ? len : 0;
}

/* The first region file of each set will do: they lie together. */
bool image_lacks_sets(struct cim_image *image)
{
	const struct cim_region_set *set;
	uint64_t size;

	for (uint32_t i = 0; (set = cim_image_get_set(image, i)); i++) {
		if (set->count &&
		    cim_image_region_size(image, set->first, &size, NULL) == CIM_E_FILE_NOT_FOUND)
			return true;
	}
	return false;
}
