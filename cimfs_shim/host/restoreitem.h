/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoreitem.h - restoring one item, on any thread
 *
 * restoretree.c walks the image and keeps track of the directories; restoreitem.c makes one item;
 * restoremeta.c puts on it all that the target can hold, by restoreattr.c, or beside it, by
 * restoredata.c; restore.c tells of what it can't. What returns an int returns what ends the run,
 * or 0; also where the item was counted as lost.
 */
#ifndef HOST_RESTOREITEM_H
#define HOST_RESTOREITEM_H

#include "restore.h"

#define RESTORE_BUFFER (1u << 20) /* bytes of restore.buf */

/* ---- restore.c ---- */

void restore_lost(struct restore *r, enum restore_loss loss, const struct place *at,
		  const char *fmt, ...) HOST_PRINTF(4, 5);
int restore_fail(struct restore *r, const struct place *at, int error);
/* Has the run been stopped? And what that makes of it. */
bool restore_is_stopped(struct restore *r);
int restore_stopped(struct restore *r);
/* The mappings of a PE image at @place are about to be gone through for @size bytes, which are
 * written and cost nothing here. */
int restore_spend_mappings(struct restore *r, const struct cim_place *place, uint64_t size);
/* Is it this one item that the target can't hold, rather than a target that is full or broken? */
bool restore_item_only(const struct restore *r, const struct place *at, int error);
/* The target refuses an item: lost, or the end. */
int restore_refused(struct restore *r, const struct place *at, int error);

/* ---- restoreattr.c ---- */

/* An extended attribute; lost if it doesn't read as it was set. */
void restore_set_xattr(struct restore *r, const struct place *at, int fd, enum restore_loss loss,
		       const char *name, const void *value, size_t size);
/* Times that the target has no place for are lost. */
void restore_lost_times(struct restore *r, const struct place *at);
/* Times of the open file @fd, or of @name in that directory. */
void restore_set_times(struct restore *r, const struct place *at, int fd, const char *name);
void restore_set_attributes(struct restore *r, const struct place *at, int fd, uint32_t attributes);
int restore_set_mode(struct restore *r, const struct place *at, int fd, bool directory,
		     uint32_t attributes);
/* Of a picture's stream or text: attributes, times and mode. */
int restore_beside_metadata(struct restore *r, const struct place *at, int fd);
/* At what has become another kind of thing: the kernel answers the first who does with EIO, and
 * only then forgets what it knew. */
void restore_look(int dirfd, const char *name);

/* ---- restoredata.c ---- */

enum restore_copied {
	RESTORE_COPIED,
	RESTORE_COPY_READ_ERROR,  /* told */
	RESTORE_COPY_WRITE_ERROR, /* errno */
	RESTORE_COPY_STOPPED,
};
/* All of a file's or stream's data into an empty file; @holes: those for blocks of zeros. */
enum restore_copied restore_copy(struct restore *r, const struct place *at,
				 const struct cim_data *data, bool holes, int fd);
/* 0, or -1 with errno. */
int restore_write(struct restore *r, int fd, const uint8_t *p, size_t len, uint64_t offset);
/* A stream as a file; @first: another name of its item, which may have it already, or NULL. */
int restore_stream_file(struct restore *r, const struct place *at, const struct cim_entry *stream,
			const struct place *first);

/* ---- restoreitem.c ---- */

int restore_file(struct restore *r, const struct place *at);
/* *done: it is a symlink now, or left out; otherwise the caller makes a file or directory. */
int restore_symlink(struct restore *r, const struct place *at, bool *done);
/* Make a directory, or take the one that is there; *fd: -1 if it was counted as lost. */
int restore_directory(struct restore *r, const struct place *at, int *fd);
/* Of a picture: a file that is not in the image, looking like a stream of the item. */
int restore_text(struct restore *r, const struct place *at, const char *text, size_t len);

/* ---- restoremeta.c ---- */

/* Everything but contents, in an order in which nothing undoes what was set before. */
int restore_metadata(struct restore *r, const struct place *at, int fd);
/* The same for a symlink, most of which has no place anywhere. */
int restore_link_metadata(struct restore *r, const struct place *at);
/* What job->reparse_xattr is for; false: the item can't be shown, which was told. */
bool restore_reparse(struct restore *r, const struct place *at, int fd);
/* The streams of a file's further name, whose first one is @first. */
int restore_link_streams(struct restore *r, const struct place *at, const struct place *first);
/* What has to be last on ntfs-3g; for another name of a file too. */
void restore_ntfs_end(struct restore *r, const struct place *at);

#endif
