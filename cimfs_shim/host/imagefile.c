/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imagefile.c - the file that a user names an image by
 *
 * An image is several files of one directory: the one that has its name, and region files, of which
 * the first of the image's own set is locked by whoever uses the image.
 */
#include "imagefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../os/os.h"
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

int mark_open(struct cim_image *image, const char *path)
{
	char mark[CIM_REGION_NAME];
	struct cim_region_set set = {0};
	struct cim_image_info info;
	const char *name;
	char *dir = split_image(path, &name);
	char *region;
	int fd;

	cim_image_get_info(image, &info);
	cim_image_get_set(image, info.set_count - 1, &set);
	cim_image_region_name(image, set.first, mark);
	region = xasprintf("%s/%s", dir, mark);
	fd = open(region, O_RDONLY | O_CLOEXEC);
	free(region);
	free(dir);
	return fd;
}

static struct flock lock_of(short type)
{
	return (struct flock){.l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = (off_t)CIM_OS_LOCK_OFFSET,
			      .l_len = 1};
}

int mark_take(int fd, bool wait)
{
	struct flock range = lock_of(F_RDLCK);

	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) < 0) {
		if (errno != EINTR)
			return errno == EACCES ? EAGAIN : errno;
	}
	return 0;
}

bool mark_is_held(int fd)
{
	struct flock range = lock_of(F_WRLCK);

	return !fcntl(fd, F_OFD_GETLK, &range) && range.l_type != F_UNLCK;
}
