/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoreattr.c - attributes, times and the mode of what was restored
 *
 * On ntfs-3g the attributes have a place (system.ntfs_attrib); elsewhere the mode holds read-only,
 * user.DOSATTRIB the others. File systems may say yes to anything, so each is looked at afterwards.
 */
#include "restoreitem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "bytes.h"
#include "filetime.h"
#include "statx.h"
#include "xattr.h"

/* Does it read as it was set, on a file system that may have said yes to anything? */
static bool was_kept(int fd, const char *name, const void *value, size_t size)
{
	uint8_t *is = xmalloc(size + 1);
	const bool known = fgetxattr(fd, name, is, size + 1) == (ssize_t)size;
	bool kept;

	if (!known)
		kept = false;
	else if (!strcmp(name, XATTR_NTFS_ATTRIB))
		kept = (get32(is) & DOS_ATTRIBUTES) == get32(value);
	else
		kept = !memcmp(is, value, size);
	free(is);
	return kept;
}

void restore_set_xattr(struct restore *r, const struct place *at, int fd, enum restore_loss loss,
		       const char *name, const void *value, size_t size)
{
	if (fsetxattr(fd, name, value, size, 0))
		restore_lost(r, loss, at, "%s: %s", name, strerror(errno));
	else if (!was_kept(fd, name, value, size))
		restore_lost(r, loss, at, "%s: the target didn't keep it", name);
}

/* ---- times ---- */

/* What Linux can set of the times. A time of 0 is one that nobody gave; a picture has it too. */
static void unix_times(const struct restore *r, const struct place *at, struct timespec ts[2])
{
	const int64_t from[2] = {at->info->last_access_time, at->info->last_write_time};

	for (size_t i = 0; i < 2; i++) {
		if (from[i] || r->job->picture)
			filetime_to_unix(from[i], &ts[i]);
		else
			ts[i] = (struct timespec){.tv_nsec = UTIME_OMIT};
	}
}

void restore_lost_times(struct restore *r, const struct place *at)
{
	if (r->job->no_attributes)
		return;
	if (r->job->ntfs && at->info->change_time != at->info->last_write_time)
		restore_lost(r, LOST_TIMES, at, "ntfs-3g sets the change time itself");
	else if (!r->job->ntfs && (at->info->creation_time != at->info->last_write_time ||
				   at->info->change_time != at->info->last_write_time))
		restore_lost(r, LOST_TIMES, at, "the target can't hold creation and change time");
}

/* What the file system says, not what the kernel remembers of the order. */
static bool look(int fd, const char *name, struct statx *stx)
{
	return !host_statx(fd, name ? name : "",
			   AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, stx);
}

void restore_look(int dirfd, const char *name)
{
	struct statx stx;

	look(dirfd, name, &stx);
}

/* File systems silently bend what they can't hold; as for parts of a second, FAT counts by two. */
static bool was_bent(const struct timespec *want, const struct statx_timestamp *is)
{
	return want->tv_nsec != UTIME_OMIT && llabs((long long)want->tv_sec - is->tv_sec) > 1;
}

void restore_set_times(struct restore *r, const struct place *at, int fd, const char *name)
{
	const struct cim_file_info *info = at->info;
	struct timespec ts[2];
	struct statx stx;

	unix_times(r, at, ts);
	if (name ? utimensat(fd, name, ts, AT_SYMLINK_NOFOLLOW) : futimens(fd, ts))
		restore_lost(r, LOST_TIMES, at, "%s", strerror(errno));
	else if (!look(fd, name, &stx))
		restore_lost(r, LOST_TIMES, at, "%s", strerror(errno));
	else if (info->last_write_time && was_bent(&ts[1], &stx.stx_mtime))
		restore_lost(r, LOST_TIMES, at, "the target can't hold the last write time");
	/* One that only equals the last write was given by nobody. */
	else if (info->last_access_time && info->last_access_time != info->last_write_time &&
		 was_bent(&ts[0], &stx.stx_atime))
		restore_lost(r, LOST_TIMES, at, "the target can't hold the last access time");
}

/* ---- attributes and mode ---- */

void restore_set_attributes(struct restore *r, const struct place *at, int fd, uint32_t attributes)
{
	char text[16];

	attributes &= DOS_ATTRIBUTES;
	if (r->job->no_attributes)
		return;
	if (r->job->ntfs) {
		uint8_t value[4];

		put32(value, attributes);
		restore_set_xattr(r, at, fd, LOST_ATTRIBUTES, XATTR_NTFS_ATTRIB, value,
				  sizeof(value));
	} else if (attributes & r->job->dosattrib) {
		/* Read-only alone is what the mode says. */
		restore_set_xattr(r, at, fd, LOST_ATTRIBUTES, XATTR_DOSATTRIB, text,
				  dosattrib_text(attributes, text));
	}
}

int restore_set_mode(struct restore *r, const struct place *at, int fd, bool directory,
		     uint32_t attributes)
{
	const bool readonly = attributes & CIM_ATTR_READONLY;
	struct statx stx;
	struct stat st;
	mode_t mode;

	/* NTFS knows it by the attribute; a mode would become a security descriptor there. */
	if (r->job->ntfs || (!readonly && !r->job->picture))
		return r->failed;
	/* A group's right to write is what Wine takes for a file that isn't read-only. */
	mode = (directory ? 0555 : 0444) | (readonly ? 0 : 0020);
	if (!r->job->picture && !fstat(fd, &st))
		mode = st.st_mode & 07777 & ~(mode_t)0222;
	if (fchmod(fd, mode)) {
		if (r->job->picture)
			return restore_fail(r, at, errno);
		restore_lost(r, LOST_ATTRIBUTES, at, "read-only: %s", strerror(errno));
	} else if (!look(fd, NULL, &stx)) {
		restore_lost(r, LOST_ATTRIBUTES, at, "read-only: %s", strerror(errno));
	} else if ((stx.stx_mode ^ mode) & 0222) {
		/* There are file systems that have no modes and say that they were set. */
		restore_lost(r, LOST_ATTRIBUTES, at, "read-only: the target has no such mode");
	}
	return r->failed;
}

int restore_beside_metadata(struct restore *r, const struct place *at, int fd)
{
	const uint32_t attributes = at->info->attributes | r->job->stream_attributes;

	restore_set_attributes(r, at, fd, attributes);
	restore_set_times(r, at, fd, NULL);
	return restore_set_mode(r, at, fd, false, attributes);
}
