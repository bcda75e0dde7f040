/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imagefile.c - the file that a user names an image by
 *
 * An image is several files of one directory: the one that has its name, and region files.
 */
#include "imagefile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

enum cim_status image_check_kind(const char *path, struct cim_error *err)
{
	struct stat st;

	if (stat(path, &st) || S_ISREG(st.st_mode))
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
