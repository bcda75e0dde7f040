/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoremeta.c - an item's metadata and streams on a file of the host
 *
 * On ntfs-3g everything has a place (system.ntfs_*); elsewhere the mode holds read-only,
 * user.DOSATTRIB the other attributes, user.NAME a small stream.
 */
#include "restoreitem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "blob.h"
#include "bytes.h"
#include "ea.h"
#include "xattr.h"

#define MAX_XATTR 65536u

#define SE_DACL_PRESENT 0x0004
#define SE_SACL_PRESENT 0x0010
#define SD_HEADER	20

/* ---- blobs ---- */

/* The descriptor that stands for "none given": self-relative, a NULL DACL, nothing else. */
static bool is_null_dacl(const uint8_t *sd, size_t size)
{
	return size == SD_HEADER && sd[0] == 1 &&
	       (get16(sd + 2) & (SE_DACL_PRESENT | SE_SACL_PRESENT)) == SE_DACL_PRESENT &&
	       !get32(sd + 4) && !get32(sd + 8) && !get32(sd + 12) && !get32(sd + 16);
}

static void set_ea(struct restore *r, const struct place *at, int fd, struct blob *blob)
{
	if (ea_to_ntfs(blob->data, &blob->size))
		restore_set_xattr(r, at, fd, LOST_EA, XATTR_NTFS_EA, blob->data, blob->size);
	else
		restore_lost(r, LOST_EA, at, "the list is malformed");
}

/* What only NTFS has a place for. */
static void set_blob(struct restore *r, const struct place *at, int fd, enum restore_loss loss,
		     enum cim_blob kind)
{
	struct cim_error err = {0};
	struct blob blob;

	if (blob_read(r->job->image, at->info, kind, &blob, &err)) {
		restore_unreadable(r, at, &err);
		return;
	}
	if (kind == CIM_BLOB_SECURITY && is_null_dacl(blob.data, blob.size)) {
		/* It says no more than that there was none. */
	} else if (!r->job->ntfs) {
		restore_lost(r, loss, at, "the target has no place for it");
	} else if (kind == CIM_BLOB_EA) {
		set_ea(r, at, fd, &blob);
	} else {
		restore_set_xattr(r, at, fd, loss, XATTR_NTFS_ACL, blob.data, blob.size);
	}
	blob_free(&blob);
}

static void set_blobs(struct restore *r, const struct place *at, int fd)
{
	if (at->info->has_ea && !r->job->no_attributes)
		set_blob(r, at, fd, LOST_EA, CIM_BLOB_EA);
	if (at->info->has_security && !r->job->no_acls)
		set_blob(r, at, fd, LOST_SECURITY, CIM_BLOB_SECURITY);
}

bool restore_reparse(struct restore *r, const struct place *at, int fd)
{
	const char *xattr = r->job->reparse_xattr;
	struct cim_error err = {0};
	struct blob blob;
	bool ok = false;

	if (!xattr || !at->info->has_reparse)
		return true;
	if (blob_read(r->job->image, at->info, CIM_BLOB_REPARSE, &blob, &err))
		restore_unreadable(r, at, &err);
	else if (!blob.size)
		restore_lost(r, LOST_DATA, at, "its reparse data are empty");
	else if (fsetxattr(fd, xattr, blob.data, blob.size, 0))
		restore_lost(r, LOST_DATA, at, "its reparse data as %s: %s", xattr,
			     strerror(errno));
	else
		ok = true;
	blob_free(&blob);
	return ok;
}

/* ---- streams ---- */

static void set_stream(struct restore *r, const struct place *at, int fd,
		       const struct cim_entry *stream)
{
	struct cim_error err = {0};
	char *name;
	size_t got;

	if (!restore_stream_ok(stream) || !strcmp(stream->utf8, "DOSATTRIB")) {
		restore_lost(r, LOST_STREAM, at, "%s: the name can't be used", stream->utf8);
		return;
	}
	if (stream->data->size > MAX_XATTR) {
		restore_lost(r, LOST_STREAM, at, "%s: too large for an attribute", stream->utf8);
		return;
	}
	if (cim_image_read(r->job->image, stream->data, 0, r->buf, RESTORE_BUFFER, &got, &err)) {
		restore_unreadable(r, at, &err);
		return;
	}
	name = xasprintf("user.%s", stream->utf8);
	restore_set_xattr(r, at, fd, LOST_STREAM, name, r->buf, got);
	free(name);
}

static int one_stream(struct restore *r, const struct place *at, int fd,
		      const struct cim_entry *stream, const struct place *first)
{
	if (r->job->streams == RESTORE_STREAMS_FILES)
		return restore_stream_file(r, at, stream, first);
	if (r->job->streams == RESTORE_STREAMS_XATTR)
		set_stream(r, at, fd, stream);
	else
		restore_lost(r, LOST_STREAM, at, "%s: not asked for", stream->utf8);
	return 0;
}

static int spend_stream(struct restore *r, const struct cim_entry *stream)
{
	struct cim_place place;

	if (!stream->data->pe || cim_data_place(r->job->image, stream->data, &place, NULL))
		return 0;
	return restore_spend_mappings(r, &place, stream->data->size);
}

static int set_streams(struct restore *r, const struct place *at, int fd, const struct place *first)
{
	const struct cim_entry *stream;
	struct cim_error err = {0};
	struct cim_iter *iter;
	int code = 0;

	if (!at->info->has_streams)
		return 0;
	if (cim_iter_file_streams(r->job->image, at->info, &iter, &err)) {
		restore_unreadable(r, at, &err);
		return 0;
	}
	for (uint32_t left = cim_iter_count(iter); left && !code; left--) {
		if (cim_iter_next(iter, &stream, &err))
			restore_unreadable(r, at, &err);
		else if (stream)
			code = spend_stream(r, stream);
		if (!code && stream)
			code = one_stream(r, at, fd, stream, first);
	}
	cim_iter_close(iter);
	return code;
}

int restore_link_streams(struct restore *r, const struct place *at, const struct place *first)
{
	/* Elsewhere they belong to the file, whatever its name. */
	if (r->job->streams != RESTORE_STREAMS_FILES || r->job->ntfs)
		return 0;
	return set_streams(r, at, -1, first);
}

/* ---- all of it ---- */

int restore_metadata(struct restore *r, const struct place *at, int fd)
{
	int code = set_streams(r, at, fd, NULL);

	if (code)
		return code;
	if (at->info->has_reparse && !r->job->ntfs && !r->job->reparse_xattr)
		set_blob(r, at, fd, LOST_REPARSE, CIM_BLOB_REPARSE);
	restore_set_attributes(r, at, fd, at->info->attributes);
	set_blobs(r, at, fd);
	restore_lost_times(r, at);
	restore_set_times(r, at, fd, NULL);
	return r->failed
		       ? r->failed
		       : restore_set_mode(r, at, fd, at->info->is_directory, at->info->attributes);
}

int restore_link_metadata(struct restore *r, const struct place *at)
{
	const uint32_t attributes = r->job->picture ? r->job->dosattrib : DOS_ATTRIBUTES;
	int code = 0;

	restore_set_times(r, at, at->dirfd, at->name);
	if (!r->job->no_attributes && at->info->attributes & attributes)
		restore_lost(r, LOST_ATTRIBUTES, at, "a symlink has none");
	restore_lost_times(r, at);
	if (r->job->picture)
		code = set_streams(r, at, -1, NULL);
	else if (at->info->has_streams)
		restore_lost(r, LOST_STREAM, at, "a symlink has none");
	/* Off NTFS there is no place for these; only the loss is noted. */
	set_blobs(r, at, -1);
	return code;
}

/* By name: lsetxattr() on what may be a link by now; and if it is none, a look at the first @look
 * bytes. */
static void set_at(struct restore *r, const struct place *at, enum restore_loss loss,
		   const char *xattr, const void *value, size_t size, size_t look)
{
	char *path = xasprintf("/proc/self/fd/%d/%s", at->dirfd, at->name);
	uint8_t *is = xcalloc(1, size + 1);

	if (lsetxattr(path, xattr, value, size, 0))
		restore_lost(r, loss, at, "%s: %s", xattr, strerror(errno));
	else if (look &&
		 (lgetxattr(path, xattr, is, size) < (ssize_t)look || memcmp(is, value, look) != 0))
		restore_lost(r, loss, at, "%s: the target didn't keep it", xattr);
	free(is);
	free(path);
}

/*
 * What has to be last on ntfs-3g, when the file is closed. With its reparse data an item becomes
 * another kind of thing (a symlink, mostly); and they, like closing, or another link, move its
 * times, which are set once more.
 */
void restore_ntfs_end(struct restore *r, const struct place *at)
{
	/* that order is ntfs-3g's */
	const int64_t times[4] = {at->info->creation_time, at->info->last_write_time,
				  at->info->last_access_time, at->info->change_time};
	struct cim_error err = {0};
	uint8_t value[32];
	struct blob blob;

	if (!r->job->ntfs)
		return;
	/* The directory that was named as the target stays one. */
	if (at->info->has_reparse && !*at->name) {
		restore_lost(r, LOST_REPARSE, at, "it is the target directory");
	} else if (at->info->has_reparse &&
		   blob_read(r->job->image, at->info, CIM_BLOB_REPARSE, &blob, &err)) {
		restore_unreadable(r, at, &err);
	} else if (at->info->has_reparse) {
		set_at(r, at, LOST_REPARSE, XATTR_NTFS_REPARSE, blob.data, blob.size, 0);
		blob_free(&blob);
	}
	for (size_t i = 0; i < 4; i++)
		put64(value + i * 8, (uint64_t)times[i]);
	if (!r->job->no_attributes)
		/* The last of them, the change, is ntfs-3g's own. */
		set_at(r, at, LOST_TIMES, XATTR_NTFS_TIMES, value, sizeof(value),
		       at->info->has_reparse ? 0 : 24);
	if (at->info->has_reparse)
		restore_look(at->dirfd, at->name);
}
