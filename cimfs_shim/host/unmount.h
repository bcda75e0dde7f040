/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unmount.h - ending a mount
 */
#ifndef HOST_UNMOUNT_H
#define HOST_UNMOUNT_H

#include <stdbool.h>

#include "libcim.h"

enum unmount_result {
	UNMOUNT_DONE,
	UNMOUNT_GONE,	/* nothing is mounted there */
	UNMOUNT_BUSY,	/* it is in use */
	UNMOUNT_REFUSED /* it is another user's, or anything else */
};
/* The topmost mount on a directory; @lazy: also while it is in use. @err tells of the last two. */
enum unmount_result unmount_dir(const char *dir, bool lazy, struct cim_error *err);

#endif
