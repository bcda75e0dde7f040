/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts.h - what is mounted, by /proc/self/mountinfo
 */
#ifndef CIMFS_MOUNT_MOUNTS_H
#define CIMFS_MOUNT_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

/* One mount; the strings are allocated. */
struct mount_entry {
	dev_t dev;
	char *dir;
	char *type;   /* "fuse.cimfs" */
	char *source; /* the image */
};

/* What is mounted on exactly this directory (absolute, without links), the topmost; false: nothing.
 */
bool find_mount(const char *dir, struct mount_entry *entry);
void free_mount(struct mount_entry *entry);

#endif
