/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c - a restoration as a whole: what becomes of what the target can't hold
 */
#include "restoreitem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

bool restore_is_stopped(struct restore *r)
{
	return r->job->ops->stopped(r->job->ctx);
}

int restore_stopped(struct restore *r)
{
	struct cim_error err = {.status = CIM_E_ABORTED, .cause = "stopped by a signal"};

	return restore_is_stopped(r) ? r->job->ops->fail_cim(r->job->ctx, &err) : 0;
}

bool restore_item_only(const struct restore *r, const struct place *at, int error)
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
	if (!restore_item_only(r, at, error))
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
