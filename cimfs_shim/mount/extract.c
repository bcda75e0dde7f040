/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extract.c - the unpacked copy that stands in for a mount where there is no FUSE
 *
 * What Wine would see through the mount, as far as a plain directory can hold it: names, data,
 * sizes, access and write times, links, hard links, user.DOSATTRIB where the file system takes it,
 * alternate streams as files NAME:STREAM and the volume's label and serial number as the files
 * .windows-label and .windows-serial. (In Wine's form of reparse points their data, too; what the
 * file system has no room for is left out.) The mount has these too but doesn't list them; a
 * directory lists what is in it, so here they are marked as hidden and system files. What the mount
 * would answer with EIO is missing here. The log tells of that, a line each, and of what the copy
 * can't hold of the rest, a line for each kind.
 *
 * Who may write is told by the modes. Wine shows as read-only what nobody may write; so a file that
 * isn't read-only may be written by its group, which includes nobody who gets as far as this
 * private directory, for the owner has the owner's rights alone. That stops all but root, whom
 * modes don't bind, and changes of modes and times, which are the owner's right.
 *
 * The tree is made by host/restore.h, below a directory that nobody else can enter.
 */
#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host/dir.h"
#include "../host/restore.h"
#include "../host/xattr.h"

#define UNLISTED   (CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM) /* attributes of what a mount doesn't list */
#define PATH_SHOWN 300				       /* bytes of a path in a line of the log */

struct extract {
	struct server *s;
	struct cim_error *err;
	struct {
		unsigned long count;
		char *first; /* where, and why */
	} lost[LOST_COUNT];
};

/* ---- what goes wrong ---- */

/* The end of an item's path, for messages. */
static const char *path_of(const struct place *at)
{
	const size_t len = at ? strlen(at->path) : 0;
	const char *p;

	if (!len)
		return "/";
	p = at->path + (len > PATH_SHOWN ? len - PATH_SHOWN : 0);
	while ((*p & 0xC0) == 0x80) /* inside a character */
		p++;
	return p;
}

static int fail_host(void *ctx, const struct place *at, int error)
{
	struct extract *x = ctx;

	errno = error;
	return (int)fail_errno(x->err, "unpacking %s", path_of(at));
}

static int fail_cim(void *ctx, const struct cim_error *err)
{
	struct extract *x = ctx;

	if (err->status == CIM_E_ABORTED)
		return (int)fail(x->err, CIM_E_ABORTED, "unpacking was stopped by a signal");
	*x->err = *err;
	return (int)err->status;
}

/* Whoever waits for the copy wants it no more. */
static bool stopped(void *ctx)
{
	struct extract *x = ctx;

	return volume_interrupted(x->s->options->volume);
}

static int unreadable(void *ctx, const struct place *at, struct cim_error *err)
{
	(void)ctx;
	log_line("%s: %s: %s: %s", err->image, at ? path_of(at) : err->path, err->op, err->cause);
	return 0;
}

static int lost(void *ctx, enum restore_loss loss, const struct place *at, const char *cause)
{
	struct extract *x = ctx;

	if (loss <= LOST_DATA)
		log_line("%s is left out: %s", path_of(at), cause);
	else if (!x->lost[loss].count++)
		x->lost[loss].first = xasprintf("%s: %s", path_of(at), cause);
	return 0;
}

static void report_losses(struct extract *x)
{
	for (size_t i = 0; i < LOST_COUNT; i++) {
		if (x->lost[i].count)
			log_line("%s: %lu in the copy, first %s", restore_loss_text[i],
				 x->lost[i].count, x->lost[i].first);
		free(x->lost[i].first);
	}
}

/* ---- what things become ---- */

static bool name_of(void *ctx, const struct cim_entry *entry, const struct cim_file_info *info,
		    char *name)
{
	struct extract *x = ctx;

	name_of_item(x->s, entry->name, entry->units, info, name);
	return true;
}

static enum restore_link link_of(struct restore *r, const struct place *at, char **target)
{
	struct extract *x = r->job->ctx;
	int error;

	*target = link_target(x->s, at->info, at->depth, &error);
	if (!error)
		return *target ? LINK_EXACT : LINK_NONE;
	log_line("%s is left out: its reparse data: %s", path_of(at), strerror(error));
	return LINK_UNREADABLE;
}

/* By the mount's rules (node.c): can it be opened by this name, or is there an item so called? */
static char *stream_name(void *ctx, const struct place *at, const struct cim_entry *stream)
{
	struct extract *x = ctx;
	const size_t len = strlen(at->name) - name_is_marked(x->s, at->name);
	struct cim_file_info found;
	bool variant;
	char *name;

	if (!restore_stream_ok(stream))
		return NULL;
	name = xasprintf("%.*s:%s", (int)len, at->name, stream->utf8);
	if (!name_is_marked(x->s, name) && name_find_item(x->s, at->dir_id, name, &found, &variant))
		return name;
	free(name);
	return NULL;
}

static const struct restore_ops restore_ops = {
	.lost = lost,
	.unreadable = unreadable,
	.fail = fail_host,
	.fail_cim = fail_cim,
	.stopped = stopped,
	.name = name_of,
	.link = link_of,
	.stream_name = stream_name,
};

/* ---- the tree ---- */

static int fill(struct extract *x, struct restore_tree *tree, int target)
{
	char text[128];
	int code = restore_tree_target(tree, target);

	if (!code)
		code = restore_tree_whole(tree);
	if (!code)
		code = restore_tree_text(tree, ".windows-label", text,
					 node_text(x->s, NODE_LABEL, text));
	if (!code)
		code = restore_tree_text(tree, ".windows-serial", text,
					 node_text(x->s, NODE_SERIAL, text));
	return restore_tree_end(tree, code);
}

enum cim_status extract_image(struct server *s, const char *dir, struct cim_error *err)
{
	struct extract x = {.s = s, .err = err};
	const struct restore_job job = {
		.ops = &restore_ops,
		.ctx = &x,
		.image = s->image,
		.streams = RESTORE_STREAMS_FILES,
		.dosattrib = UNLISTED,
		.picture = true,
		.stream_attributes = UNLISTED,
		.reparse_xattr = s->options->reparse == REPARSE_WINE ? XATTR_WINEREPARSE : NULL,
	};
	struct restore_tree *tree;
	uint64_t items;
	int code;
	int fd = mkdir(dir, 0700) < 0 ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return (enum cim_status)fail_host(&x, NULL, errno);
	tree = restore_tree_open(&job, &code);
	if (tree) {
		code = fill(&x, tree, fd);
		restore_tree_close(tree, &items);
	} else {
		close(fd);
	}
	report_losses(&x);
	return (enum cim_status)code;
}

/* ---- removing ---- */

/* Remove what is in a directory; *next: a directory in it that isn't empty, opened; -1: none. */
static bool remove_entries(DIR *dir, dev_t dev, int *next)
{
	struct dirent *entry;
	struct stat st;

	*next = -1;
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (!unlinkat(dirfd(dir), entry->d_name, 0) ||
		    !unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR))
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISDIR(st.st_mode) || st.st_dev != dev)
			return false;
		/* Whether it helped, opening it tells. (_FORTIFY_SOURCE wants the result used.) */
		(void)!fchmodat(dirfd(dir), entry->d_name, 0700, 0);
		*next = openat(dirfd(dir), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return *next >= 0;
	}
	return true;
}

/*
 * Empty the directory @fd, which is closed. To need no memory and few descriptors in a deep tree,
 * one directory is open at a time: down by name, up by "..".
 */
static bool empty_dir(int fd, dev_t dev)
{
	size_t depth = 0;
	DIR *dir;

	while ((dir = dir_stream(fd))) {
		bool ok = remove_entries(dir, dev, &fd);
		const bool empty = ok && fd < 0;

		if (ok && !empty) {
			depth++;
		} else if (empty && depth) {
			depth--;
			fd = openat(dirfd(dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			ok = fd >= 0;
		} else {
			closedir(dir);
			return empty;
		}
		closedir(dir);
		if (!ok)
			return false;
	}
	return false;
}

bool remove_tree(const char *path)
{
	struct stat st;
	int fd;

	if (!rmdir(path) || errno == ENOENT)
		return true;
	chmod(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	return empty_dir(fd, st.st_dev) && !rmdir(path);
}
