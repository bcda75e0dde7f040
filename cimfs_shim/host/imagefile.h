/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imagefile.h - the file that a user names an image by
 */
#ifndef HOST_IMAGEFILE_H
#define HOST_IMAGEFILE_H

#include <stdbool.h>

#include "libcim_advanced.h"

/*
 * An image's path as the library needs it, allocated: what a symlink leads to, for an image's other
 * files lie beside the image, not beside the link. A name that is no link, or leads nowhere, stays.
 */
char *image_path_of(const char *path);
/* A path to an image: its directory ("." if none, allocated) and its name in there. */
char *split_image(const char *path, const char **name);
/* Is it a file, if it is there? Else @err tells what to name in its place. */
enum cim_status image_check_kind(const char *path, struct cim_error *err);

/*
 * The mark of an image that is in use, which a commit over it and cimtool umount look for: a shared
 * lock. Opens the region file that has it, of an open image with that path; -1 with errno.
 */
int mark_open(struct cim_image *image, const char *path);
/* 0 or an errno; EAGAIN: whoever made the image has it still, unless it is waited for. */
int mark_take(int fd, bool wait);
/* By anybody, in whatever way? */
bool mark_is_held(int fd);

#endif
