/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c - one item of an image into a host directory
 *
 * A file is made under a name that didn't exist, so nothing is ever written through a link, or into
 * a file that has other names; to overwrite one it is made under a name of its own and then renamed
 * over the old one.
 */
#include "restoreitem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u

const char *const restore_loss_text[LOST_COUNT] = {
	[LOST_NAME] = "not restored",
	[LOST_DATA] = "not restored",
	[LOST_BELOW] = "what lies below was not restored",
	[LOST_LINK] = "hard link not restored",
	[LOST_SYMLINK] = "symlink translated",
	[LOST_REPARSE] = "reparse data not restored",
	[LOST_STREAM] = "stream not restored",
	[LOST_SECURITY] = "security descriptor not restored",
	[LOST_EA] = "extended attributes not restored",
	[LOST_ATTRIBUTES] = "attributes not restored",
	[LOST_TIMES] = "times not restored",
};

void restore_init(struct restore *r, const struct restore_job *job)
{
	memset(r, 0, sizeof(*r));
	r->job = job;
	r->buf = xmalloc(RESTORE_BUFFER);
}

int restore_spend_mappings(struct restore *r, const struct cim_place *place, uint64_t size)
{
	const struct cim_place mappings = {.offset = place->offset,
					   .bytes = place->bytes > size ? place->bytes - size : 0};
	struct cim_error err = {0};

	return cim_budget_spend(r->budget, &mappings, &err)
		       ? r->job->ops->fail_cim(r->job->ctx, &err)
		       : 0;
}

void restore_free(struct restore *r)
{
	free(r->buf);
}

/* ---- what goes wrong ---- */

void restore_lost(struct restore *r, enum restore_loss loss, const struct place *at,
		  const char *fmt, ...)
{
	char cause[512];
	va_list args;
	int code;

	va_start(args, fmt);
	vsnprintf(cause, sizeof(cause), fmt, args);
	va_end(args);
	/* What ends the run is told once. */
	if (r->failed)
		return;
	code = r->job->ops->lost(r->job->ctx, loss, at, cause);
	if (code)
		r->failed = code;
}

void restore_unreadable(struct restore *r, const struct place *at, struct cim_error *err)
{
	int code = r->job->ops->unreadable(r->job->ctx, at, err);

	/* Whatever the order in which threads find it. */
	if (code > r->code)
		r->code = code;
}

int restore_fail(struct restore *r, const struct place *at, int error)
{
	return r->job->ops->fail(r->job->ctx, at, error);
}

static bool is_stopped(struct restore *r)
{
	return r->job->ops->stopped(r->job->ctx);
}

int restore_stopped(struct restore *r)
{
	struct cim_error err = {.status = CIM_E_ABORTED, .cause = "stopped by a signal"};

	return is_stopped(r) ? r->job->ops->fail_cim(r->job->ctx, &err) : 0;
}

/* Is it this one item that the target can't hold, rather than a target that is full or broken? */
static bool item_only(const struct restore *r, const struct place *at, int error)
{
	struct stat st;

	if (r->job->picture)
		return error == EEXIST || error == ENAMETOOLONG;
	/* exFAT by FUSE says so of a name that it can't hold; or the directory is gone. */
	if (error == ENOENT)
		return !fstat(at->dirfd, &st) && st.st_nlink;
	return error == ENAMETOOLONG || error == EINVAL || error == EILSEQ || error == EFBIG ||
	       error == EOVERFLOW || error == EMLINK || error == ENOTSUP || error == ENOSYS;
}

int restore_refused(struct restore *r, const struct place *at, int error)
{
	if (!item_only(r, at, error))
		return restore_fail(r, at, error);
	restore_lost(r, LOST_DATA, at, "%s",
		     error == ENOENT ? "the target takes no such name" : strerror(error));
	return r->failed;
}

/* ---- names ---- */

bool restore_name_ok(const struct cim_entry *entry)
{
	for (size_t i = 0; i < entry->units; i++) {
		if (entry->name[i] == 0 || entry->name[i] == '/')
			return false;
	}
	return entry->units && strcmp(entry->utf8, ".") && strcmp(entry->utf8, "..");
}

bool restore_stream_ok(const struct cim_entry *stream)
{
	for (size_t i = 0; i < stream->units; i++) {
		if (!stream->name[i] || stream->name[i] == '/' || stream->name[i] == ':')
			return false;
	}
	return stream->units;
}

/* ---- bytes ---- */

static bool all_zero(const uint8_t *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

static int write_all(struct restore *r, int fd, const uint8_t *p, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR && !is_stopped(r))
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* How many bytes in front are blocks of zeros, or aren't. */
static size_t run_of(const uint8_t *p, size_t len, bool zeros)
{
	size_t run = 0;

	while (run < len) {
		size_t block = len - run < BLOCK ? len - run : BLOCK;

		if (all_zero(p + run, block) != zeros)
			break;
		run += block;
	}
	return run;
}

/* As write_all(), leaving holes for blocks of zeros. */
static int write_sparse(struct restore *r, int fd, const uint8_t *p, size_t len, uint64_t offset)
{
	size_t at = 0;

	while (at < len) {
		size_t run;

		at += run_of(p + at, len - at, true);
		run = run_of(p + at, len - at, false);
		if (write_all(r, fd, p + at, run, offset + at))
			return -1;
		at += run;
	}
	return 0;
}

enum copied {
	COPIED,
	COPY_READ_ERROR,  /* told */
	COPY_WRITE_ERROR, /* errno */
	COPY_STOPPED,
};

/* The next piece; *offset moves on. */
static enum copied copy_piece(struct restore *r, const struct place *at,
			      const struct cim_data *data, bool holes, int fd, uint64_t *offset)
{
	struct cim_error err = {0};
	size_t got = 0;

	if (cim_image_read(r->job->image, data, *offset, r->buf, RESTORE_BUFFER, &got, &err)) {
		restore_unreadable(r, at, &err);
		return COPY_READ_ERROR;
	}
	if ((holes ? write_sparse : write_all)(r, fd, r->buf, got, *offset))
		return is_stopped(r) ? COPY_STOPPED : COPY_WRITE_ERROR;
	*offset += got;
	if (r->job->ops->wrote)
		r->job->ops->wrote(r->job->ctx, got);
	return COPIED;
}

/* Of an empty file. EPERM: the file system lengthens one only by writing. */
static bool set_size(int fd, uint64_t size)
{
	return !size || !ftruncate(fd, (off_t)size) ||
	       (errno == EPERM && pwrite(fd, "", 1, (off_t)size - 1) == 1);
}

/* A stream's bytes into an empty file. */
static enum copied copy_data(struct restore *r, const struct place *at, const struct cim_data *data,
			     bool holes, int fd)
{
	enum copied copied = COPIED;
	uint64_t offset = 0;

	if (data->size > INT64_MAX) {
		errno = EFBIG;
		return COPY_WRITE_ERROR;
	}
	/* Its size first: what is never written stays a hole. */
	if ((data->sparse || holes) && !set_size(fd, data->size))
		return COPY_WRITE_ERROR;
	while (!copied && !data->sparse && offset < data->size) {
		if (is_stopped(r))
			return COPY_STOPPED;
		copied = copy_piece(r, at, data, holes, fd, &offset);
	}
	return copied;
}

/* ---- symlinks ---- */

static int make_link(struct restore *r, const struct place *at, const char *target)
{
	int result = symlinkat(target, at->dirfd, at->name);

	if (result && errno == EEXIST && r->job->overwrite && !unlinkat(at->dirfd, at->name, 0))
		result = symlinkat(target, at->dirfd, at->name);
	return result;
}

int restore_symlink(struct restore *r, const struct place *at, bool *done)
{
	char *target = NULL;
	enum restore_link link = LINK_NONE;
	int code = 0;

	if (at->info->has_reparse)
		link = r->job->ops->link(r, at, &target);
	*done = link != LINK_NONE;
	if (!target)
		return 0;
	if (make_link(r, at, target)) {
		/* So a file system without symlinks answers. */
		code = restore_refused(r, at, errno == EPERM ? ENOTSUP : errno);
	} else {
		if (link == LINK_TRANSLATED)
			restore_lost(r, LOST_SYMLINK, at, "it leads to '%s' now", target);
		code = restore_link_metadata(r, at);
		r->items++;
	}
	free(target);
	return code ? code : r->failed;
}

/* ---- files ---- */

/* A new file: under its name, or to overwrite what has the name, under another one. */
static int create_file(struct restore *r, const struct place *at, char temporary[32])
{
	const mode_t mode = r->job->picture ? 0600 : 0666;
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at->dirfd, at->name, flags, mode);

	*temporary = '\0';
	while (fd < 0 && errno == EEXIST && r->job->overwrite) {
		struct stat st;
		uint64_t random;

		if (!fstatat(at->dirfd, at->name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			return -1;
		}
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -1;
		snprintf(temporary, 32, ".cimtool-%016llx", (unsigned long long)random);
		fd = openat(at->dirfd, temporary, flags, mode);
	}
	return fd;
}

static int fill_file(struct restore *r, const struct place *at, const struct cim_data *data, int fd,
		     bool *keep)
{
	if (!restore_reparse(r, at, fd))
		return r->failed;
	switch (copy_data(r, at, data, at->info->attributes & CIM_ATTR_SPARSE, fd)) {
	case COPIED:
		*keep = true;
		return restore_metadata(r, at, fd);
	case COPY_STOPPED:
		return restore_stopped(r);
	case COPY_WRITE_ERROR:
		return restore_refused(r, at, errno);
	default:
		return 0;
	}
}

/* Closed, and under its name; or gone. */
static int finish_file(struct restore *r, const struct place *at, int fd, const char *temporary,
		       bool keep, int code)
{
	if (close(fd) && !code && keep)
		code = restore_fail(r, at, errno);
	if (!code && keep && *temporary && renameat(at->dirfd, temporary, at->dirfd, at->name))
		code = restore_fail(r, at, errno);
	if (code || !keep)
		unlinkat(at->dirfd, *temporary ? temporary : at->name, 0);
	else
		r->items++;
	return code;
}

int restore_file(struct restore *r, const struct place *at)
{
	struct cim_error err = {0};
	struct cim_data data = {CIM_SIZED(data)};
	char temporary[32];
	bool keep = false;
	int code;
	int fd;

	if (cim_image_get_file_data(r->job->image, at->info, (struct cim_str){0}, &data, &err)) {
		restore_unreadable(r, at, &err);
		return 0;
	}
	fd = create_file(r, at, temporary);
	if (fd < 0)
		return restore_refused(r, at, errno);
	code = fill_file(r, at, &data, fd, &keep);
	code = finish_file(r, at, fd, temporary, keep, code);
	if (!code && keep)
		restore_ntfs_end(r, at);
	return code;
}

int restore_text(struct restore *r, const struct place *at, const char *text, size_t len)
{
	char temporary[32];
	int fd = create_file(r, at, temporary);
	int code;

	if (fd < 0)
		return restore_refused(r, at, errno);
	if (write_all(r, fd, (const uint8_t *)text, len, 0))
		code = restore_fail(r, at, errno);
	else
		code = restore_beside_metadata(r, at, fd);
	return finish_file(r, at, fd, temporary, true, code);
}

/* ---- streams as files ---- */

static int fill_stream(struct restore *r, const struct place *at, const struct cim_entry *stream,
		       int fd, bool *keep)
{
	enum copied copied = copy_data(r, at, stream->data, false, fd);

	*keep = copied == COPIED;
	if (copied == COPY_STOPPED)
		return restore_stopped(r);
	if (copied == COPY_WRITE_ERROR && !item_only(r, at, errno))
		return restore_fail(r, at, errno);
	if (copied == COPY_WRITE_ERROR)
		restore_lost(r, LOST_STREAM, at, "%s: %s", stream->utf8, strerror(errno));
	return *keep && r->job->picture ? restore_beside_metadata(r, at, fd) : 0;
}

static int write_stream(struct restore *r, const struct place *at, const struct cim_entry *stream,
			const char *name)
{
	const bool picture = r->job->picture;
	bool keep;
	int fd = openat(at->dirfd, name,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
				(r->job->overwrite ? O_TRUNC : O_EXCL),
			picture ? 0600 : 0666);
	int code;

	if (fd < 0 && picture && !item_only(r, at, errno))
		return restore_fail(r, at, errno);
	if (fd < 0) {
		restore_lost(r, LOST_STREAM, at, "%s: %s", stream->utf8, strerror(errno));
		return r->failed;
	}
	code = fill_stream(r, at, stream, fd, &keep);
	if (!keep || code)
		unlinkat(at->dirfd, name, 0);
	if (close(fd) && !code)
		code = restore_fail(r, at, errno);
	return code ? code : r->failed;
}

/* A stream of a further name, as a link to that of the first; false: it has to be a copy. */
static bool link_stream(struct restore *r, const struct place *first, const char *other,
			const struct place *at, const char *name)
{
	int result = linkat(first->dirfd, other, at->dirfd, name, 0);

	if (result && errno == EEXIST && r->job->overwrite && !unlinkat(at->dirfd, name, 0))
		result = linkat(first->dirfd, other, at->dirfd, name, 0);
	if (result && errno != EEXIST)
		restore_lost(r, LOST_LINK, at, "%s: a copy instead: %s", name, strerror(errno));
	return !result;
}

int restore_stream_file(struct restore *r, const struct place *at, const struct cim_entry *stream,
			const struct place *first)
{
	const struct restore_ops *ops = r->job->ops;
	char *name = ops->stream_name(r->job->ctx, at, stream);
	char *other = first ? ops->stream_name(r->job->ctx, first, stream) : NULL;
	int code = 0;

	if (!name)
		restore_lost(r, LOST_STREAM, at, "%s: the name can't be used", stream->utf8);
	else if (!other || !link_stream(r, first, other, at, name))
		code = write_stream(r, at, stream, name);
	free(other);
	free(name);
	return code ? code : r->failed;
}

/* ---- directories ---- */

/* *fd: -1, with errno, if something else than a directory is in the way and stays. */
static void open_directory(struct restore *r, const struct place *at, int *fd)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	*fd = openat(at->dirfd, at->name, flags);
	if (*fd < 0 && (errno == ENOTDIR || errno == ELOOP) && r->job->overwrite &&
	    !unlinkat(at->dirfd, at->name, 0) && !mkdirat(at->dirfd, at->name, 0777))
		*fd = openat(at->dirfd, at->name, flags);
}

int restore_directory(struct restore *r, const struct place *at, int *fd)
{
	*fd = -1;
	if (mkdirat(at->dirfd, at->name, r->job->picture ? 0700 : 0777) &&
	    (errno != EEXIST || r->job->picture))
		return restore_refused(r, at, errno);
	open_directory(r, at, fd);
	if (*fd < 0)
		return restore_fail(r, at, errno == ELOOP ? ENOTDIR : errno);
	if (!restore_reparse(r, at, *fd)) {
		close(*fd);
		*fd = -1;
		if (unlinkat(at->dirfd, at->name, AT_REMOVEDIR))
			return restore_fail(r, at, errno);
		return r->failed;
	}
	r->items++;
	return 0;
}
