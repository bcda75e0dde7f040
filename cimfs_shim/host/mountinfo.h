/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountinfo.h - what is mounted
 */
#ifndef HOST_MOUNTINFO_H
#define HOST_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define MOUNT_TYPE "fuse.cimfs" /* of an image */

struct mountinfo {
	FILE *file;
	char *line;
	size_t room;
};
#define MOUNTINFO "/proc/self/mountinfo"

/* What is mounted, until the next one is asked for. */
struct mount_entry {
	dev_t dev;
	const char *dir;
	const char *type;
	const char *source; /* the image */
};
/* false (with errno): it can't be had, and is as good as empty. */
bool mountinfo_open(struct mountinfo *m);
/* What was mounted last comes last. */
bool mountinfo_next(struct mountinfo *m, struct mount_entry *entry);
void mountinfo_close(struct mountinfo *m);

/* The topmost mount on a directory. */
struct mount_top {
	dev_t dev;
	bool is_image;
};
/* @dir: absolute, without links; @top may be NULL. false: nothing is mounted on exactly that. */
bool find_mount(const char *dir, struct mount_top *top);

#endif
