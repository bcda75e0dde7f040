/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.h - the parts of taking in host trees
 *
 * capture.c walks the sources; capturelevel.c lists and merges their directories, which decides the
 * order; captureitem.c reads and stores one item; capturelink.c finds out where symlinks lead.
 */
#ifndef CIMTOOL_CAPTURE_H
#define CIMTOOL_CAPTURE_H

#include "../host/dir.h"
#include "../host/statx.h"
#include "write.h"

#include <pthread.h>
#include <sys/stat.h>

struct source {
	const char *label;  /* as the user typed it */
	const char *name;   /* the end of that, which --exclude is about */
	char *file;	    /* a plain file: its name in the directory @fd; else NULL */
	const uint16_t *as; /* and its name in the image, if that is another one */
	size_t as_units;
	uint16_t *own_as; /* the same where it is this structure's */
	int fd;
};

struct dir_entry {
	size_t name;  /* offset in the level's names */
	size_t units; /* offset in its code units */
	uint16_t count;
	uint16_t source;
	uint8_t type; /* DT_* */
};

/* A directory of one source that is part of a level. */
struct part {
	uint16_t source;
	struct dir *dir; /* NULL: closed for the time being */
	uint64_t dev;
	uint64_t ino;
};

struct level {
	struct part *parts;
	size_t part_count;
	struct text names;
	uint16_t *units;
	size_t units_room;
	size_t units_used;
	struct dir_entry *entries;
	size_t entry_room;
	size_t entry_count;
	size_t next;
	size_t path_units; /* length of its path in the image, and below of its path in the source
			    */
	size_t rel_len;
	bool quiet; /* what is wrong is told when the walk comes there */
};

/* What is remembered of a host file, in a tree of tsearch(), begins so. */
struct inode {
	uint64_t dev;
	uint64_t ino;
};

/* The last access of what was read before it was looked at for itself: of symlinks, of directories.
 */
struct first_times {
	pthread_mutex_t lock;
	void *tree;
};

/* Buffers for files that are read ahead; as many as pieces wait in the queue, at most. */
struct free_buffer {
	struct free_buffer *next;
};
struct buffers {
	pthread_mutex_t lock;
	struct free_buffer *free;
};

struct capture {
	struct session *s;
	struct tool *t;
	const struct exclude *exclude;
	struct hostmeta host;
	struct loss host_losses[HOST_LOSSES];
	struct hostmeta *hosts; /* the queue's threads' */
	struct queue *queue;
	struct buffers buffers;
	struct source *sources;
	size_t source_count;
	struct level *levels;
	size_t level_room;
	size_t depth;
	size_t collisions; /* from the first one on, names alone are looked at */
	uint16_t *path;	   /* of the item at hand, in the image */
	size_t path_units;
	const uint16_t *top; /* where in the image the sources are put in */
	size_t top_units;
	struct text rel;   /* of the item at hand, below its source */
	struct text where; /* the same as the user would write it */
	void *links;	   /* files with several names */
	struct first_times first_times;
	void *merged; /* directories as they will be, listed to follow links */
	size_t merged_entries;
	struct cim_image *base; /* the image that is extended or forked, for its links */
	uint64_t image_dev;
	uint64_t image_ino;
	struct loss special;
	struct loss changed;
	struct loss unlinked;
	struct loss unsure;
};

/* ---- capturelevel.c ---- */

/* The item at hand as the user would write it. */
const char *capture_where(struct capture *c, unsigned source);
/* A failure at an item of that name, from errno or from the library. */
int capture_fail_errno(struct capture *c, const char *where);
int capture_fail_cim(struct capture *c, const char *where, const struct cim_error *err);
/* What the tree has of an inode: @one, which is the tree's then, or what was there before. */
int capture_compare_inodes(const void *a, const void *b);
void *capture_remember(void **tree, struct inode *one);
/* errno keeps a directory from telling where a symlink leads; of who may not read it the tree
 * tells. */
void capture_unsure(struct capture *c, const char *where);
/* Why a name can't be a Windows name, or NULL. @units: receives its code units. */
const char *capture_bad_name(const char *name, uint16_t *units, size_t *count);
/* Set the paths to an entry of the level, false: too long for an image; or to the level. */
bool capture_set_path(struct capture *c, const struct level *level, const struct dir_entry *entry);
void capture_set_level_path(struct capture *c, const struct level *level);
const char *capture_entry_name(const struct level *level, const struct dir_entry *entry);
bool capture_same_name(const struct level *level, const struct dir_entry *x,
		       const struct dir_entry *y);
/* List all parts of a level, merged; c->rel is its path. */
int capture_list(struct capture *c, struct level *level);
void capture_free_level(struct level *level);
/* Open for reading, and without a trace of that in the last access if that is allowed. */
int capture_open(int dirfd, const char *name, int flags);

/* ---- captureitem.c: the item at hand, c->path, into the image ---- */

/* How many items may wait to be stored. */
#define CAPTURE_QUEUED 64
extern const struct queue_ops capture_queue_ops;

int store_directory(struct capture *c, unsigned source, struct dir *dir, const struct statx *stx);
/* Anything else, @name in @dir, of @type DT_*. */
int store_other(struct capture *c, unsigned source, struct dir *dir, const char *name,
		unsigned type);
void capture_items_free(struct capture *c);

/* ---- capturelink.c: where symlinks lead ---- */

/*
 * What must be asked before a link is read, on any thread: statx() of @name in the directory @fd,
 * or of what is open as @fd if @name is "", with the last access it had when it was first asked.
 */
int capture_look_at_link(struct capture *c, int fd, const char *name, struct statx *stx);
/* The same for what was looked at just now, a directory. */
void capture_know_time(struct capture *c, struct statx *stx);
/* Does a link lead to a directory, as all will be in the image? @path: its own; @target: what it
 * says. Between two items of the walk only. */
bool capture_leads_to_directory(struct capture *c, const uint16_t *path, size_t units,
				const char *target);
/* A link to a directory was stored. */
void capture_know_link(struct session *s, const uint16_t *path, size_t units,
		       const struct cim_metadata *m);
void capture_links_free(struct capture *c);

#endif
