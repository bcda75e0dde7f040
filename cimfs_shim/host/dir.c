/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dir.c - an open directory that several pieces of work share
 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"

struct dir *dir_new(int fd)
{
	struct dir *dir;

	if (fd < 0)
		return NULL;
	dir = xcalloc(1, sizeof(*dir));
	dir->fd = fd;
	return dir_use(dir);
}

DIR *dir_stream(int fd)
{
	DIR *stream = fdopendir(fd);
	char path[40];

	if (stream || errno != ENOLCK)
		return stream;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	stream = opendir(path);
	if (stream)
		close(fd);
	return stream;
}

struct dir *dir_use(struct dir *dir)
{
	dir->users++;
	return dir;
}

void dir_release(struct dir *dir)
{
	if (dir && !--dir->users) {
		close(dir->fd);
		free(dir);
	}
}

struct dir *dir_above(const struct dir *dir, dev_t dev, ino_t ino)
{
	int fd = openat(dir->fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int error;

	if (fd < 0)
		return NULL;
	error = fstat(fd, &st) ? errno : st.st_dev == dev && st.st_ino == ino ? 0 : ESTALE;
	if (!error)
		return dir_new(fd);
	close(fd);
	errno = error;
	return NULL;
}
