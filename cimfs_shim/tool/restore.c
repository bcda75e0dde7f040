/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c - one item of an image into a host directory
 *
 * A file is made under a name that didn't exist, so nothing is ever written through a link, or into
 * a file that has other names; with --overwrite it is made under a name of its own and then renamed
 * over the old one. What the target can't hold is counted and reported, not silently dropped: on
 * ntfs-3g everything has a place (system.ntfs_*), elsewhere the mode holds read-only,
 * user.DOSATTRIB the other attributes, user.NAME a small stream.
 */
#include "extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BLOCK	       4096u
#define DOS_ATTRIBUTES (CIM_ATTR_READONLY | CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM | CIM_ATTR_ARCHIVE)

void restore_lost(struct restore *r, enum lost which, const struct place *at, const char *fmt, ...)
{
	char cause[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(cause, sizeof(cause), fmt, args);
	va_end(args);
	if (which != LOST_SECURITY || !r->strict_acls) {
		loss_add(r->t, &r->lost[which], at ? at->path : r->target, cause);
	} else if (!r->acl_failed) {
		r->acl_failed = true;
		tool_fail(r->t, "extract", r->name, at ? at->path : r->target, "%s: %s",
			  r->lost[which].what, cause);
	}
}

int restore_fail(struct restore *r, const struct place *at)
{
	return tool_fail_errno(r->t, "extract", r->name, at ? at->path : r->target);
}

/* The image can't be read here: told at once, and the rest goes on. */
static void broken(struct restore *r, const struct place *at, struct cim_error *err)
{
	int code;

	snprintf(err->path, sizeof(err->path), "%s", at ? at->path : "/");
	code = tool_fail_cim(r->t, "extract", r->name, err);
	/* Whatever the order in which threads find it. */
	if (code > r->code)
		r->code = code;
}

/* Is it this one item that the target can't hold, rather than a target that is full or broken? */
static bool item_only(int error)
{
	return error == ENAMETOOLONG || error == EINVAL || error == EILSEQ || error == EFBIG ||
	       error == EOVERFLOW || error == ENOTSUP || error == ENOSYS;
}

bool restore_name_ok(const struct cim_entry *entry)
{
	for (size_t i = 0; i < entry->units; i++) {
		if (entry->name[i] == 0 || entry->name[i] == '/')
			return false;
	}
	return entry->units && strcmp(entry->utf8, ".") && strcmp(entry->utf8, "..");
}

/* ---- bytes ---- */

static bool all_zero(const uint8_t *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

static int write_all(int fd, const uint8_t *p, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR && !tool_signal)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* As write_all(), leaving holes for blocks of zeros. */
static int write_sparse(int fd, const uint8_t *p, size_t len, uint64_t offset)
{
	while (len) {
		size_t run = 0;

		while (run < len && all_zero(p + run, len - run < BLOCK ? len - run : BLOCK))
			run += len - run < BLOCK ? len - run : BLOCK;
		p += run;
		len -= run;
		offset += run;
		run = 0;
		while (run < len && !all_zero(p + run, len - run < BLOCK ? len - run : BLOCK))
			run += len - run < BLOCK ? len - run : BLOCK;
		if (write_all(fd, p, run, offset))
			return -1;
		p += run;
		len -= run;
		offset += run;
	}
	return 0;
}

enum copied {
	COPIED,
	COPY_READ_ERROR,  /* told */
	COPY_WRITE_ERROR, /* errno */
	COPY_INTERRUPTED,
};

/* A stream's bytes into an empty file. */
static enum copied copy_data(struct restore *r, const struct place *at, const struct cim_data *data,
			     bool holes, int fd)
{
	struct cim_error err = {0};
	uint64_t offset = 0;
	size_t got;

	if (data->size > INT64_MAX) {
		errno = EFBIG;
		return COPY_WRITE_ERROR;
	}
	/* Its size first: what is never written stays a hole. */
	if ((data->sparse || holes) && data->size && ftruncate(fd, (off_t)data->size))
		return COPY_WRITE_ERROR;
	if (data->sparse)
		return COPIED;
	while (offset < data->size) {
		if (tool_signal)
			return COPY_INTERRUPTED;
		if (cim_image_read(r->image, data, offset, r->buf, RESTORE_BUFFER, &got, &err)) {
			broken(r, at, &err);
			return COPY_READ_ERROR;
		}
		if (!got)
			break;
		if ((holes ? write_sparse : write_all)(fd, r->buf, got, offset))
			return tool_signal ? COPY_INTERRUPTED : COPY_WRITE_ERROR;
		offset += got;
		r->progress->bytes += got;
		progress_tick(r->progress);
	}
	return COPIED;
}

/* ---- metadata ---- */

/* What Linux can set of the times. A time of 0 is one that nobody gave. */
static void unix_times(const struct cim_file_info *info, struct timespec ts[2])
{
	const int64_t from[2] = {info->last_access_time, info->last_write_time};

	for (size_t i = 0; i < 2; i++) {
		if (from[i])
			filetime_to_unix(from[i], &ts[i]);
		else
			ts[i] = (struct timespec){.tv_nsec = UTIME_OMIT};
	}
}

static void lost_times(struct restore *r, const struct place *at, const struct cim_file_info *info)
{
	if (r->no_attributes)
		return;
	if (r->ntfs && info->change_time != info->last_write_time)
		restore_lost(r, LOST_TIMES, at, "ntfs-3g sets the change time itself");
	else if (!r->ntfs && (info->creation_time != info->last_write_time ||
			      info->change_time != info->last_write_time))
		restore_lost(r, LOST_TIMES, at, "the target can't hold creation and change time");
}

static void set_times(struct restore *r, const struct place *at, int fd,
		      const struct cim_file_info *info)
{
	struct timespec ts[2];
	struct stat st;

	unix_times(info, ts);
	if (futimens(fd, ts)) {
		restore_lost(r, LOST_TIMES, at, "%s", strerror(errno));
		return;
	}
	/* File systems silently bend times that they can't hold; those are far from today. */
	if (info->last_write_time && (ts[1].tv_sec < 0 || ts[1].tv_sec > INT32_MAX) &&
	    !fstat(fd, &st) && st.st_mtim.tv_sec != ts[1].tv_sec)
		restore_lost(r, LOST_TIMES, at, "the target can't hold the last write time");
}

static bool set_xattr(struct restore *r, const struct place *at, int fd, enum lost which,
		      const char *name, const void *value, size_t size)
{
	if (!fsetxattr(fd, name, value, size, 0))
		return true;
	restore_lost(r, which, at, "%s: %s", name, strerror(errno));
	return false;
}

static void set_attributes(struct restore *r, const struct place *at, int fd,
			   const struct cim_file_info *info)
{
	uint32_t attributes = info->attributes & DOS_ATTRIBUTES;
	char text[16];

	if (r->no_attributes)
		return;
	if (r->ntfs) {
		uint8_t value[4];

		put32(value, attributes);
		set_xattr(r, at, fd, LOST_ATTRIBUTES, "system.ntfs_attrib", value, sizeof(value));
	} else if (attributes & ~CIM_ATTR_READONLY) {
		/* Read-only alone is what the mode says. */
		snprintf(text, sizeof(text), "0x%x", (unsigned)attributes);
		set_xattr(r, at, fd, LOST_ATTRIBUTES, "user.DOSATTRIB", text, strlen(text));
	}
}

/* A blob that only NTFS has a place for. */
static void set_blob(struct restore *r, const struct place *at, int fd, enum lost which,
		     enum cim_blob blob_kind, const char *xattr, const struct cim_file_info *info)
{
	struct cim_error err = {0};
	struct blob blob;

	if (blob_read(r->image, info->file_id, blob_kind, &blob, &err)) {
		broken(r, at, &err);
		return;
	}
	if (blob_kind == CIM_BLOB_SECURITY && is_null_dacl(blob.data, blob.size)) {
		/* It says no more than that there was none. */
	} else if (!r->ntfs) {
		restore_lost(r, which, at, "the target has no place for it");
	} else if (blob_kind == CIM_BLOB_EA && !ea_to_ntfs(blob.data, &blob.size)) {
		restore_lost(r, which, at, "the list is malformed");
	} else {
		set_xattr(r, at, fd, which, xattr, blob.data, blob.size);
	}
	blob_free(&blob);
}

/* creation, last write, last access, change: that order is ntfs-3g's */
static void put_ntfs_times(uint8_t value[32], const struct cim_file_info *info)
{
	put64(value, (uint64_t)info->creation_time);
	put64(value + 8, (uint64_t)info->last_write_time);
	put64(value + 16, (uint64_t)info->last_access_time);
	put64(value + 24, (uint64_t)info->change_time);
}

static void set_stream(struct restore *r, const struct place *at, int fd,
		       const struct cim_entry *stream)
{
	struct cim_error err = {0};
	char *name;
	size_t got;

	if (!restore_name_ok(stream) || strchr(stream->utf8, ':') ||
	    !strcmp(stream->utf8, "DOSATTRIB")) {
		restore_lost(r, LOST_STREAM, at, "%s: the name can't be used", stream->utf8);
		return;
	}
	if (stream->data.size > 65536 || stream->data.size > RESTORE_BUFFER) {
		restore_lost(r, LOST_STREAM, at, "%s: too large for an attribute", stream->utf8);
		return;
	}
	if (cim_image_read(r->image, &stream->data, 0, r->buf, RESTORE_BUFFER, &got, &err)) {
		broken(r, at, &err);
		return;
	}
	name = xasprintf("user.%s", stream->utf8);
	set_xattr(r, at, fd, LOST_STREAM, name, r->buf, got);
	free(name);
}

static int set_windows_stream(struct restore *r, const struct place *at,
			      const struct cim_entry *stream)
{
	char *name;
	enum copied copied;
	int code = EXIT_OK;
	int fd;

	if (!at || !restore_name_ok(stream) || strchr(stream->utf8, ':')) {
		restore_lost(r, LOST_STREAM, at, "%s: the name can't be used", stream->utf8);
		return EXIT_OK;
	}
	name = xasprintf("%s:%s", at->name, stream->utf8);
	fd = openat(at->dirfd, name,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (r->overwrite ? O_TRUNC : O_EXCL),
		    0666);
	if (fd < 0) {
		restore_lost(r, LOST_STREAM, at, "%s: %s", stream->utf8, strerror(errno));
		free(name);
		return EXIT_OK;
	}
	copied = copy_data(r, at, &stream->data, false, fd);
	if (copied == COPY_WRITE_ERROR && item_only(errno))
		restore_lost(r, LOST_STREAM, at, "%s: %s", stream->utf8, strerror(errno));
	else if (copied == COPY_WRITE_ERROR)
		code = restore_fail(r, at);
	else if (copied == COPY_INTERRUPTED)
		code = tool_interrupted();
	if (copied != COPIED)
		unlinkat(at->dirfd, name, 0);
	if (close(fd) && !code)
		code = restore_fail(r, at);
	free(name);
	return code;
}

static int set_streams(struct restore *r, const struct place *at, int fd,
		       const struct cim_file_info *info)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	enum cim_status status;
	int code = EXIT_OK;
	bool found;

	if (!info->has_streams)
		return EXIT_OK;
	if (cim_iter_streams(r->image, info->file_id, &iter, &err)) {
		broken(r, at, &err);
		return EXIT_OK;
	}
	while (!code && !(status = cim_iter_next(iter, r->entry, &found, &err)) && found) {
		if (r->streams == STREAMS_WINDOWS)
			code = set_windows_stream(r, at, r->entry);
		else if (r->streams == STREAMS_XATTR)
			set_stream(r, at, fd, r->entry);
		else
			restore_lost(r, LOST_STREAM, at, "%s: not asked for", r->entry->utf8);
	}
	if (!code && status)
		broken(r, at, &err);
	cim_iter_close(iter);
	return code;
}

/* Everything but contents and mode, in an order in which nothing undoes what was set before. */
static int set_metadata(struct restore *r, const struct place *at, int fd,
			const struct cim_file_info *info)
{
	int code = set_streams(r, at, fd, info);

	if (code)
		return code;
	if (info->has_ea && !r->no_attributes)
		set_blob(r, at, fd, LOST_EA, CIM_BLOB_EA, "system.ntfs_ea", info);
	if (info->has_reparse && !r->ntfs)
		set_blob(r, at, fd, LOST_REPARSE, CIM_BLOB_REPARSE, "", info);
	set_attributes(r, at, fd, info);
	if (info->has_security && !r->no_acls)
		set_blob(r, at, fd, LOST_SECURITY, CIM_BLOB_SECURITY, "system.ntfs_acl", info);
	lost_times(r, at, info);
	set_times(r, at, fd, info);
	return r->acl_failed ? EXIT_FAILED : EXIT_OK;
}

/* By name: lsetxattr() on what may be a link by now. */
static void set_at(struct restore *r, const struct place *at, enum lost which, const char *xattr,
		   const void *value, size_t size)
{
	char *path = xasprintf("/proc/self/fd/%d/%s", at->dirfd, at->name);

	if (lsetxattr(path, xattr, value, size, 0))
		restore_lost(r, which, at, "%s: %s", xattr, strerror(errno));
	free(path);
}

/*
 * What has to be last on ntfs-3g, when the file is closed. With its reparse data an item becomes
 * another kind of thing (a symlink, mostly); and they, like closing, or another link, move its
 * times, which are set once more.
 */
void restore_ntfs_end(struct restore *r, const struct place *at, const struct cim_file_info *info)
{
	struct cim_error err = {0};
	uint8_t times[32];
	struct blob blob;

	if (!r->ntfs || !at)
		return;
	if (info->has_reparse &&
	    blob_read(r->image, info->file_id, CIM_BLOB_REPARSE, &blob, &err)) {
		broken(r, at, &err);
	} else if (info->has_reparse) {
		set_at(r, at, LOST_REPARSE, "system.ntfs_reparse_data", blob.data, blob.size);
		blob_free(&blob);
	}
	put_ntfs_times(times, info);
	if (!r->no_attributes)
		set_at(r, at, LOST_TIMES, "system.ntfs_times", times, sizeof(times));
}

/* ---- symlinks ---- */

int restore_symlink(struct restore *r, const struct place *at, const struct cim_file_info *info,
		    bool *done)
{
	struct cim_error err = {0};
	enum target_kind kind;
	struct timespec ts[2];
	struct blob blob;
	char *target;
	int result;

	*done = false;
	/* On NTFS the reparse data themselves can be stored, which loses nothing. */
	if (info->reparse_tag != CIM_TAG_SYMLINK || r->ntfs)
		return EXIT_OK;
	if (blob_read(r->image, info->file_id, CIM_BLOB_REPARSE, &blob, &err)) {
		broken(r, at, &err);
		return EXIT_OK;
	}
	target = reparse_to_symlink(blob.data, blob.size, &kind);
	blob_free(&blob);
	if (!target)
		return EXIT_OK;
	result = symlinkat(target, at->dirfd, at->name);
	if (result && errno == EEXIST && r->overwrite && !unlinkat(at->dirfd, at->name, 0))
		result = symlinkat(target, at->dirfd, at->name);
	*done = true;
	if (result && item_only(errno)) {
		restore_lost(r, LOST_DATA, at, "%s", strerror(errno));
	} else if (result) {
		free(target);
		return restore_fail(r, at);
	} else {
		if (kind == TARGET_ABSOLUTE)
			restore_lost(r, LOST_SYMLINK, at, "it leads to '%s' now", target);
		unix_times(info, ts);
		utimensat(at->dirfd, at->name, ts, AT_SYMLINK_NOFOLLOW);
		if (!r->no_attributes && info->attributes & (CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM |
							     CIM_ATTR_ARCHIVE | CIM_ATTR_READONLY))
			restore_lost(r, LOST_ATTRIBUTES, at, "a symlink has none");
		lost_times(r, at, info);
		if (info->has_streams)
			restore_lost(r, LOST_STREAM, at, "a symlink has none");
		/* Off NTFS there is no place for these; only the loss is noted. */
		if (info->has_ea && !r->no_attributes)
			set_blob(r, at, -1, LOST_EA, CIM_BLOB_EA, "", info);
		if (info->has_security && !r->no_acls)
			set_blob(r, at, -1, LOST_SECURITY, CIM_BLOB_SECURITY, "", info);
		r->items++;
	}
	free(target);
	return r->acl_failed ? EXIT_FAILED : EXIT_OK;
}

/* ---- files ---- */

/* A new file: under its name, or with --overwrite, where the name is taken, under another one. */
static int create_file(struct restore *r, const struct place *at, char *temporary)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at->dirfd, at->name, flags, 0666);

	*temporary = '\0';
	while (fd < 0 && errno == EEXIST && r->overwrite) {
		struct stat st;
		uint64_t random;

		if (!fstatat(at->dirfd, at->name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			return -1;
		}
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -1;
		sprintf(temporary, ".cimtool-%016llx", (unsigned long long)random);
		fd = openat(at->dirfd, temporary, flags, 0666);
	}
	return fd;
}

static int fill_file(struct restore *r, const struct place *at, const struct cim_file_info *info,
		     int fd, bool *keep)
{
	bool holes = info->attributes & CIM_ATTR_SPARSE;
	struct cim_error err = {0};
	struct cim_data data;

	*keep = false;
	if (cim_image_get_data(r->image, info->file_id, (struct cim_str){0}, &data, &err)) {
		broken(r, at, &err);
		return EXIT_OK;
	}
	switch (copy_data(r, at, &data, holes, fd)) {
	case COPIED:
		*keep = true;
		return set_metadata(r, at, fd, info);
	case COPY_INTERRUPTED:
		return tool_interrupted();
	case COPY_WRITE_ERROR:
		if (!item_only(errno))
			return restore_fail(r, at);
		restore_lost(r, LOST_DATA, at, "%s", strerror(errno));
		return EXIT_OK;
	default:
		return EXIT_OK;
	}
}

int restore_file(struct restore *r, const struct place *at, const struct cim_file_info *info)
{
	char temporary[32];
	bool keep;
	int code;
	int fd = create_file(r, at, temporary);

	if (fd < 0 && item_only(errno)) {
		restore_lost(r, LOST_DATA, at, "%s", strerror(errno));
		return EXIT_OK;
	}
	if (fd < 0 && errno == EEXIST)
		return tool_fail(r->t, "extract", r->name, at->path,
				 "the target has it already; --overwrite replaces it");
	if (fd < 0)
		return restore_fail(r, at);
	code = fill_file(r, at, info, fd, &keep);
	if (keep && !code && info->attributes & CIM_ATTR_READONLY && fchmod(fd, 0444 & ~r->umask))
		restore_lost(r, LOST_ATTRIBUTES, at, "read-only: %s", strerror(errno));
	if (close(fd) && !code && keep)
		code = restore_fail(r, at);
	if (!code && keep && *temporary && renameat(at->dirfd, temporary, at->dirfd, at->name))
		code = restore_fail(r, at);
	if (code || !keep)
		unlinkat(at->dirfd, *temporary ? temporary : at->name, 0);
	else
		r->items++;
	if (!code && keep)
		restore_ntfs_end(r, at, info);
	r->progress->files++;
	return code;
}

/* ---- directories ---- */

int restore_directory(struct restore *r, const struct place *at, int *fd)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int result = mkdirat(at->dirfd, at->name, 0777);

	*fd = -1;
	if (result && item_only(errno)) {
		restore_lost(r, LOST_DATA, at, "%s", strerror(errno));
		return EXIT_OK;
	}
	if (result && errno != EEXIST)
		return restore_fail(r, at);
	*fd = openat(at->dirfd, at->name, flags);
	/* Something else than a directory is in the way: a file, or a link to anywhere. */
	if (*fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
		if (!r->overwrite)
			return tool_fail(r->t, "extract", r->name, at->path,
					 "the target has something else there; --overwrite "
					 "replaces it");
		if (!unlinkat(at->dirfd, at->name, 0) && !mkdirat(at->dirfd, at->name, 0777))
			*fd = openat(at->dirfd, at->name, flags);
	}
	if (*fd < 0)
		return restore_fail(r, at);
	r->items++;
	return EXIT_OK;
}

int restore_directory_end(struct restore *r, const struct place *at, int fd,
			  const struct cim_file_info *info)
{
	int code = set_metadata(r, at, fd, info);
	struct stat st;

	if (!code && info->attributes & CIM_ATTR_READONLY && !fstat(fd, &st) &&
	    fchmod(fd, st.st_mode & 07777 & ~(mode_t)0222))
		restore_lost(r, LOST_ATTRIBUTES, at, "read-only: %s", strerror(errno));
	if (!code)
		restore_ntfs_end(r, at, info);
	return code;
}
