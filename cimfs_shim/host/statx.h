/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * statx.h - statx(), where it is refused, too
 */
#ifndef HOST_STATX_H
#define HOST_STATX_H

#include <sys/stat.h>

/*
 * With AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW and AT_STATX_FORCE_SYNC as @flags. The rules of older
 * containers refuse calls that they don't know, and an old kernel lacks it: then it is fstatat(),
 * which tells of no birth.
 */
int host_statx(int dirfd, const char *name, int flags, struct statx *stx);

#endif
