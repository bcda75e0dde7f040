/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoreitem.c - one item of an image into a host directory
 *
 * A file is made under a name that didn't exist, so nothing is ever written through a link, or into
 * a file that has other names; to overwrite one it is made under a name of its own and then renamed
 * over the old one.
 */
#include "restoreitem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- symlinks ---- */

static int make_link(struct restore *r, const struct place *at, const char *target)
{
	int result = symlinkat(target, at->dirfd, at->name);

	if (result && errno == EEXIST && r->job->overwrite && !unlinkat(at->dirfd, at->name, 0))
		result = symlinkat(target, at->dirfd, at->name);
	return result;
}

int restore_symlink(struct restore *r, const struct place *at, bool *done)
{
	char *target = NULL;
	enum restore_link link = LINK_NONE;
	int code = 0;

	if (at->info->has_reparse)
		link = r->job->ops->link(r, at, &target);
	*done = link != LINK_NONE;
	if (!target)
		return 0;
	if (make_link(r, at, target)) {
		/* So a file system without symlinks answers. */
		code = restore_refused(r, at, errno == EPERM ? ENOTSUP : errno);
	} else {
		if (link == LINK_TRANSLATED)
			restore_lost(r, LOST_SYMLINK, at, "it leads to '%s' now", target);
		code = restore_link_metadata(r, at);
		r->items++;
	}
	free(target);
	return code ? code : r->failed;
}

/* ---- files ---- */

/* A new file: under its name, or to overwrite what has the name, under another one. */
static int create_file(struct restore *r, const struct place *at, char temporary[32])
{
	const mode_t mode = r->job->picture ? 0600 : 0666;
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at->dirfd, at->name, flags, mode);

	*temporary = '\0';
	while (fd < 0 && errno == EEXIST && r->job->overwrite) {
		struct stat st;
		uint64_t random;

		if (!fstatat(at->dirfd, at->name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			return -1;
		}
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -1;
		snprintf(temporary, 32, ".cimtool-%016llx", (unsigned long long)random);
		fd = openat(at->dirfd, temporary, flags, mode);
	}
	return fd;
}

static int fill_file(struct restore *r, const struct place *at, const struct cim_data *data, int fd,
		     bool *keep)
{
	if (!restore_reparse(r, at, fd))
		return r->failed;
	switch (restore_copy(r, at, data, at->info->attributes & CIM_ATTR_SPARSE, fd)) {
	case RESTORE_COPIED:
		*keep = true;
		return restore_metadata(r, at, fd);
	case RESTORE_COPY_STOPPED:
		return restore_stopped(r);
	case RESTORE_COPY_WRITE_ERROR:
		return restore_refused(r, at, errno);
	default:
		return 0;
	}
}

/* Closed, and under its name; or gone. */
static int finish_file(struct restore *r, const struct place *at, int fd, const char *temporary,
		       bool keep, int code)
{
	if (close(fd) && !code && keep)
		code = restore_fail(r, at, errno);
	if (!code && keep && *temporary && renameat(at->dirfd, temporary, at->dirfd, at->name))
		code = restore_fail(r, at, errno);
	if (code || !keep)
		unlinkat(at->dirfd, *temporary ? temporary : at->name, 0);
	else
		r->items++;
	return code;
}

int restore_file(struct restore *r, const struct place *at)
{
	struct cim_error err = {0};
	struct cim_data data = {CIM_SIZED(data)};
	char temporary[32];
	bool keep = false;
	int code;
	int fd;

	if (cim_image_get_file_data(r->job->image, at->info, (struct cim_str){0}, &data, &err)) {
		restore_unreadable(r, at, &err);
		return 0;
	}
	fd = create_file(r, at, temporary);
	if (fd < 0)
		return restore_refused(r, at, errno);
	code = fill_file(r, at, &data, fd, &keep);
	code = finish_file(r, at, fd, temporary, keep, code);
	if (!code && keep)
		restore_ntfs_end(r, at);
	return code;
}

int restore_text(struct restore *r, const struct place *at, const char *text, size_t len)
{
	char temporary[32];
	int fd = create_file(r, at, temporary);
	int code;

	if (fd < 0)
		return restore_refused(r, at, errno);
	if (restore_write(r, fd, (const uint8_t *)text, len, 0))
		code = restore_fail(r, at, errno);
	else
		code = restore_beside_metadata(r, at, fd);
	return finish_file(r, at, fd, temporary, true, code);
}

/* ---- directories ---- */

/* *fd: -1, with errno, if something else than a directory is in the way and stays. */
static void open_directory(struct restore *r, const struct place *at, int *fd)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	*fd = openat(at->dirfd, at->name, flags);
	if (*fd < 0 && (errno == ENOTDIR || errno == ELOOP) && r->job->overwrite &&
	    !unlinkat(at->dirfd, at->name, 0) && !mkdirat(at->dirfd, at->name, 0777))
		*fd = openat(at->dirfd, at->name, flags);
}

int restore_directory(struct restore *r, const struct place *at, int *fd)
{
	*fd = -1;
	if (mkdirat(at->dirfd, at->name, r->job->picture ? 0700 : 0777) &&
	    (errno != EEXIST || r->job->picture))
		return restore_refused(r, at, errno);
	open_directory(r, at, fd);
	if (*fd < 0)
		return restore_fail(r, at, errno == ELOOP ? ENOTDIR : errno);
	if (!restore_reparse(r, at, *fd)) {
		close(*fd);
		*fd = -1;
		if (unlinkat(at->dirfd, at->name, AT_REMOVEDIR))
			return restore_fail(r, at, errno);
		return r->failed;
	}
	r->items++;
	return 0;
}
