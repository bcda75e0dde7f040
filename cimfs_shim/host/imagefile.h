/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imagefile.h - the file that a user names an image by
 */
#ifndef HOST_IMAGEFILE_H
#define HOST_IMAGEFILE_H

#include <stdbool.h>

#include "libcim.h"

/*
 * An image's path as the library needs it, allocated: what a symlink leads to, for an image's other
 * files lie beside the image, not beside the link. A name that is no link, or leads nowhere, stays.
 */
char *image_path_of(const char *path);
/* A path to an image: its directory ("." if none, allocated, without separators at its end) and its
 * name in there. */
char *split_image(const char *path, const char **name);
/* A place by its bare name, without separators at its end, which a container, a file, can't have;
 * allocated. */
char *bare_place(const char *place);
/* The reverse of split_image(); allocated. @place may have separators at its end. */
char *image_in(const char *place, const char *name);
/* Does the path lead through a file, or a block device? Then a container is meant. */
bool image_in_file(const char *path);
/* An image's path, absolute and without links, as realpath(): in a container, up to its file. NULL,
 * with errno, if it isn't there; of what is in a container nobody knows before it is opened. */
char *image_full_path(const char *path);
/* Does the path lead to a container as such, as if to a directory with a '/' at its end? One that
 * is damaged is one if it begins as one. */
bool is_container(const char *path);
/* Of a path that goes on behind an image's, as if into it: the length of that; else 0. */
size_t image_before(const char *path);
/* Are region files missing, such as those of a merged image's sources that nobody named? */
bool image_lacks_sets(struct cim_image *image);
/* Is it a file that may be an image's, if it is there? Else @err tells what to name in its place.
 */
enum cim_status image_check_kind(const char *path, struct cim_error *err);

#endif
