/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extract.h - the parts of cimtool extract
 *
 * cmd_extract.c walks the image and keeps track of the directories; restore.c writes one item with
 * all that the target can hold of it, on any thread; select.c finds what the user's paths mean.
 */
#ifndef CIMTOOL_EXTRACT_H
#define CIMTOOL_EXTRACT_H

#include "tool.h"

enum streams_mode {
	STREAMS_NONE,
	STREAMS_WINDOWS, /* as files "NAME:STREAM", which ntfs-3g can be told to understand */
	STREAMS_XATTR,	 /* as user.STREAM */
};

/* What may be lost, in the order in which it is reported. */
enum lost {
	LOST_NAME,
	LOST_DATA,
	LOST_BELOW,
	LOST_LINK,
	LOST_SYMLINK,
	LOST_REPARSE,
	LOST_STREAM,
	LOST_SECURITY,
	LOST_EA,
	LOST_ATTRIBUTES,
	LOST_TIMES,
	LOST_COUNT
};

/* How to restore, and one thread's means for it. */
struct restore {
	struct tool *t;
	struct cim_image *image;
	const char *name;   /* the image's, for messages */
	const char *target; /* the directory's, for messages */
	bool overwrite;
	bool no_acls;
	bool strict_acls;
	bool no_attributes;
	enum streams_mode streams;
	bool ntfs; /* the target knows ntfs-3g's attributes */
	mode_t umask;
	struct progress *progress;
	struct loss *lost; /* LOST_COUNT of them */

	uint64_t items;	 /* restored */
	bool acl_failed; /* with strict_acls: it has been told */
	int code;	 /* of what can't be read of the image; the rest is restored all the same */

	uint8_t *buf;
	struct cim_entry *entry; /* for iterations */
};

/* An item to be restored: @name in the directory @dirfd; @path for messages. */
struct place {
	int dirfd;
	const char *name;
	const char *path;
};

#define RESTORE_BUFFER (1u << 20)

void restore_lost(struct restore *r, enum lost which, const struct place *at, const char *fmt, ...)
	TOOL_PRINTF(4, 5);
/* Would the name be safe and meant in one directory of the target? */
bool restore_name_ok(const struct cim_entry *entry);
/*
 * These return an exit code; EXIT_OK also where the item was counted as lost.
 */
int restore_file(struct restore *r, const struct place *at, const struct cim_file_info *info);
/* *done: it was a symlink and is restored; otherwise the caller makes a file or directory. */
int restore_symlink(struct restore *r, const struct place *at, const struct cim_file_info *info,
		    bool *done);
/* Make a directory, or take the one that is there; *fd: -1 if it was counted as lost. */
int restore_directory(struct restore *r, const struct place *at, int *fd);
/* What can only be set when all is in it; @at NULL for the target itself. */
int restore_directory_end(struct restore *r, const struct place *at, int fd,
			  const struct cim_file_info *info);
/* What has to be last on ntfs-3g; for another name of a file too. */
void restore_ntfs_end(struct restore *r, const struct place *at, const struct cim_file_info *info);
int restore_fail(struct restore *r, const struct place *at);

/* ---- select.c ---- */

struct selection {
	char **paths;
	size_t count;
	size_t room;
};
/* Does a name match a pattern, in any case of letters? */
bool select_match(const uint16_t *pattern, size_t pattern_units, const uint16_t *name,
		  size_t units);
/*
 * The items that @paths name; @globs: they may be patterns, each of which has to match something
 * unless @nullglob.
 */
int select_paths(struct tool *t, struct cim_image *image, const char *name, char *const *paths,
		 size_t count, bool globs, bool nullglob, struct selection *selection);
void selection_free(struct selection *selection);

#endif
