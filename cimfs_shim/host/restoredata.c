/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoredata.c - an item's data in a file of the host, and its streams as files beside it
 */
#include "restoreitem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096u

/* ---- bytes ---- */

static bool all_zero(const uint8_t *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

int restore_write(struct restore *r, int fd, const uint8_t *p, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR && !restore_is_stopped(r))
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

/* As restore_write(), leaving holes for blocks of zeros. */
static int write_sparse(struct restore *r, int fd, const uint8_t *p, size_t len, uint64_t offset)
{
	size_t at = 0;

	while (at < len) {
		size_t run;

		at += run_of(p + at, len - at, true);
		run = run_of(p + at, len - at, false);
		if (restore_write(r, fd, p + at, run, offset + at))
			return -1;
		at += run;
	}
	return 0;
}

/* The next piece; *offset moves on. */
static enum restore_copied copy_piece(struct restore *r, const struct place *at,
				      const struct cim_data *data, bool holes, int fd,
				      uint64_t *offset)
{
	struct cim_error err = {0};
	size_t got = 0;

	if (cim_image_read(r->job->image, data, *offset, r->buf, RESTORE_BUFFER, &got, &err)) {
		restore_unreadable(r, at, &err);
		return RESTORE_COPY_READ_ERROR;
	}
	if ((holes ? write_sparse : restore_write)(r, fd, r->buf, got, *offset))
		return restore_is_stopped(r) ? RESTORE_COPY_STOPPED : RESTORE_COPY_WRITE_ERROR;
	*offset += got;
	if (r->job->ops->wrote)
		r->job->ops->wrote(r->job->ctx, got);
	return RESTORE_COPIED;
}

/* Of an empty file. EPERM: the file system lengthens one only by writing. */
static bool set_size(int fd, uint64_t size)
{
	return !size || !ftruncate(fd, (off_t)size) ||
	       (errno == EPERM && pwrite(fd, "", 1, (off_t)size - 1) == 1);
}

enum restore_copied restore_copy(struct restore *r, const struct place *at,
				 const struct cim_data *data, bool holes, int fd)
{
	enum restore_copied copied = RESTORE_COPIED;
	uint64_t offset = 0;

	if (data->size > INT64_MAX) {
		errno = EFBIG;
		return RESTORE_COPY_WRITE_ERROR;
	}
	/* Its size first: what is never written stays a hole. */
	if ((data->sparse || holes) && !set_size(fd, data->size))
		return RESTORE_COPY_WRITE_ERROR;
	while (!copied && !data->sparse && offset < data->size) {
		if (restore_is_stopped(r))
			return RESTORE_COPY_STOPPED;
		copied = copy_piece(r, at, data, holes, fd, &offset);
	}
	return copied;
}

/* ---- streams as files ---- */

static int fill_stream(struct restore *r, const struct place *at, const struct cim_entry *stream,
		       int fd, bool *keep)
{
	enum restore_copied copied = restore_copy(r, at, stream->data, false, fd);

	*keep = copied == RESTORE_COPIED;
	if (copied == RESTORE_COPY_STOPPED)
		return restore_stopped(r);
	if (copied == RESTORE_COPY_WRITE_ERROR && !restore_item_only(r, at, errno))
		return restore_fail(r, at, errno);
	if (copied == RESTORE_COPY_WRITE_ERROR)
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

	if (fd < 0 && picture && !restore_item_only(r, at, errno))
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
