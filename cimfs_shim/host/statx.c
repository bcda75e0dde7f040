/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * statx.c - statx(), where it is refused, too
 */
#include "statx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/sysmacros.h>

static struct statx_timestamp timestamp(const struct timespec *ts)
{
	return (struct statx_timestamp){.tv_sec = ts->tv_sec, .tv_nsec = (uint32_t)ts->tv_nsec};
}

int host_statx(int dirfd, const char *name, int flags, struct statx *stx)
{
	struct stat st;

	if (!statx(dirfd, name, flags, STATX_BASIC_STATS | STATX_BTIME, stx))
		return 0;
	/* (EINVAL: the C library does without, but knows not all flags.) */
	if (errno != ENOSYS && errno != EPERM && errno != EINVAL)
		return -1;
	if (fstatat(dirfd, name, &st, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)))
		return -1;
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st.st_blksize,
		.stx_nlink = (uint32_t)st.st_nlink,
		.stx_uid = st.st_uid,
		.stx_gid = st.st_gid,
		.stx_mode = (uint16_t)st.st_mode,
		.stx_ino = st.st_ino,
		.stx_size = (uint64_t)st.st_size,
		.stx_blocks = (uint64_t)st.st_blocks,
		.stx_atime = timestamp(&st.st_atim),
		.stx_mtime = timestamp(&st.st_mtim),
		.stx_ctime = timestamp(&st.st_ctim),
		.stx_dev_major = major(st.st_dev),
		.stx_dev_minor = minor(st.st_dev),
	};
	return 0;
}
