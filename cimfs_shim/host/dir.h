/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dir.h - an open directory: its names, and one that several pieces of work share
 *
 * Only one thread, that of the walk, counts its users.
 */
#ifndef HOST_DIR_H
#define HOST_DIR_H

#include <dirent.h>
#include <sys/types.h>

/* The names of the directory @fd, which becomes the stream's: fdopendir(), also where fcntl() fails
 * for want of locks, whatever is asked of it (D54). */
DIR *dir_stream(int fd);

struct dir {
	int fd;
	unsigned users;
};

/* Takes @fd; NULL if that is -1, with its errno. */
struct dir *dir_new(int fd);
struct dir *dir_use(struct dir *dir);
/* NULL: does nothing. */
void dir_release(struct dir *dir);
/* The one above, by "..", which must be the one it was; NULL with errno, ESTALE if it is another.
 */
struct dir *dir_above(const struct dir *dir, dev_t dev, ino_t ino);

#endif
