/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imagefile.h - the file that a user names an image by
 */
#ifndef HOST_IMAGEFILE_H
#define HOST_IMAGEFILE_H

#include "libcim.h"

/*
 * An image's path as the library needs it, allocated: what a symlink leads to, for an image's other
 * files lie beside the image, not beside the link. A name that is no link, or leads nowhere, stays.
 */
char *image_path_of(const char *path);
/* A path to an image: its directory ("." if none, allocated) and its name in there. */
char *split_image(const char *path, const char **name);
/* Is it a file, if it is there? Else @err tells what to name in its place. */
enum cim_status image_check_kind(const char *path, struct cim_error *err);

#endif
