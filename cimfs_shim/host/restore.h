/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - what an image holds, as files of a directory
 *
 * cimtool extract and the unpacked copy of cimfs-mount are this code with other policies: struct
 * restore_job says how names, links and streams look, what stands in the way, and whom to tell.
 * Whatever the target can't hold is told, never lost in silence.
 *
 * No image can lead out of the target: every name is used in one open directory, opened step by
 * step without following links. Symlinks are made with any target, as tar does, but nothing is ever
 * written through one.
 */
#ifndef HOST_RESTORE_H
#define HOST_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "libcim_advanced.h"

/* What may be lost, in the order in which it is reported. */
enum restore_loss {
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
/* "stream not restored" */
extern const char *const restore_loss_text[LOST_COUNT];

/* How alternate streams are restored. */
enum restore_streams {
	RESTORE_STREAMS_NONE,
	RESTORE_STREAMS_FILES, /* as NAME:STREAM, which ntfs-3g can be told to understand */
	RESTORE_STREAMS_XATTR, /* as user.STREAM */
};

/* An item to be restored, as @name in the directory @dirfd. */
struct place {
	const struct cim_file_info *info;
	int dirfd;
	const char *name; /* "": it is the target itself */
	const char *path; /* from the target, for messages: "/a/b", or "" */
	uint32_t dir_id;  /* the directory's FileID */
	uint32_t depth;	  /* how many of the image's directories it lies in, the root not counted */
};

enum restore_link {
	LINK_NONE,	 /* it is to be a file or directory */
	LINK_EXACT,	 /* it says what the image says */
	LINK_TRANSLATED, /* something of the meaning is lost */
	LINK_UNREADABLE, /* told; leave the item out */
};

struct restore;
struct restore_item;

/*
 * What a caller decides and hears. But for put, drain and wants, which the walk calls, they are
 * called on any thread. A result that isn't 0 ends the run, and is what the run comes to.
 */
struct restore_ops {
	/* Something of an item couldn't be restored. */
	int (*lost)(void *ctx, enum restore_loss loss, const struct place *at, const char *cause);
	/* The image can't be read there (NULL: where @err says). The rest goes on all the same: the
	 * greatest of these results is what a run comes to that nothing ended. */
	int (*unreadable)(void *ctx, const struct place *at, struct cim_error *err);
	/* The run ends because of the host (an errno; EEXIST: the name is taken, ENOTDIR: by
	 * something else than a directory, ESTALE: a directory was moved) or of the image; never 0.
	 * @at NULL: the target. */
	int (*fail)(void *ctx, const struct place *at, int error);
	int (*fail_cim)(void *ctx, const struct cim_error *err);
	bool (*stopped)(void *ctx);
	/* So many bytes more were written. NULL: nobody wants to know. */
	void (*wrote)(void *ctx, size_t bytes);

	/* An item's name in the target, at most CIM_MAX_NAME_UTF8 bytes and NUL; false: it has none
	 * there. */
	bool (*name)(void *ctx, const struct cim_entry *entry, const struct cim_file_info *info,
		     char *name);
	/* What a symlink in its place would lead to, allocated. */
	enum restore_link (*link)(struct restore *r, const struct place *at, char **target);
	/* The name of a stream's file beside the item, allocated; NULL: it can have none. */
	char *(*stream_name)(void *ctx, const struct place *at, const struct cim_entry *stream);

	/* Have a piece of work done: restore_item_run() if @run, on any thread, then, on the walk's
	 * and in the order of the calls, restore_item_finish(); or restore_item_drop() after a
	 * failure. NULL: at once. */
	int (*put)(void *ctx, struct restore_item *item, bool run);
	/* Until all that was put is finished. NULL together with put. */
	int (*drain)(void *ctx);
	/* Is that wanted? NULL: all is. */
	bool (*wants)(void *ctx, const struct place *at);
};

/* What is to be restored and how: the same for all threads. */
struct restore_job {
	const struct restore_ops *ops;
	void *ctx;
	struct cim_image *image;
	bool overwrite;
	bool no_acls;	    /* not to be restored, nor told of */
	bool no_attributes; /* nor these, EAs, creation and change times */
	bool ntfs;	    /* the target knows ntfs-3g's attributes */
	int streams;	    /* enum restore_streams */
	uint32_t dosattrib; /* user.DOSATTRIB is for items with one of these */
	/*
	 * The target is new and to be a picture of the image that nobody changes: nothing may be in
	 * the way, what is met twice is lost, anything else than a name that the target can't have
	 * ends the run. Files of streams have their item's times and @stream_attributes. The modes
	 * let nobody write but, for Wine to show it, a group that is kept out by other means.
	 */
	bool picture;
	uint32_t stream_attributes;
	/* Where reparse data go for want of a symlink, without which the item is left out. NULL:
	 * they are lost. */
	const char *reparse_xattr;
};

/* ---- trees ---- */

/* A thread's means. */
struct restore {
	const struct restore_job *job;
	struct cim_budget *budget; /* the tree's */
	uint64_t items;		   /* restored */
	int code;		   /* of what can't be read of the image */
	int failed;		   /* what lost() ended the run with */
	uint8_t *buf;
};
void restore_init(struct restore *r, const struct restore_job *job);
void restore_free(struct restore *r);

struct restore_tree;

/* NULL: *code says why. */
struct restore_tree *restore_tree_open(const struct restore_job *job, int *code);
/* Have a thread's restore spend what the tree's budget has. */
void restore_tree_lend(const struct restore_tree *tree, struct restore *r);
/* The directory, which belongs to the tree from here on; before anything is added. */
int restore_tree_target(struct restore_tree *tree, int target);
/*
 * The item @id with what is below it, as @name in the directory at level @depth of the target (1 is
 * the target itself). @name NULL: the image's root as the target itself.
 */
int restore_tree_add(struct restore_tree *tree, size_t depth, uint32_t id, const char *name);
/* The image's root as the target itself, unless it plainly doesn't fit there. */
int restore_tree_whole(struct restore_tree *tree);
/* Would all of the image come to its end, in proportion to its size? */
bool restore_tree_walkable(const struct restore_tree *tree);
/* Make a directory at that level, on the way to what is added; *entered: it is one. */
int restore_tree_enter(struct restore_tree *tree, size_t depth, uint32_t id, const char *name,
		       bool *entered);
/* A file of a picture's root that is not in the image, unless the image has one of that name. */
int restore_tree_text(struct restore_tree *tree, const char *name, const char *text, size_t len);
/* No more is to come; with a @code that isn't 0 what is open stays as it is. What was put may be
 * still to do. */
int restore_tree_end(struct restore_tree *tree, int code);
/* When all is done: what unreadable() came to, and how many items were restored. */
int restore_tree_close(struct restore_tree *tree, uint64_t *items);

/* Pieces of work, see restore_ops.put. */
void restore_item_run(struct restore *r, struct restore_item *item);
int restore_item_finish(struct restore_tree *tree, struct restore_item *item);
void restore_item_drop(struct restore_item *item);

/* ---- for the caller's functions ---- */

/* Does the name of an item, or of a stream, stand for itself on Linux? */
bool restore_name_ok(const struct cim_entry *entry);
bool restore_stream_ok(const struct cim_entry *stream);
/* unreadable(), and its result kept. */
void restore_unreadable(struct restore *r, const struct place *at, struct cim_error *err);

#endif
