/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoretree.c - an image, or parts of it, into a host directory
 *
 * The walk gives a directory before what is in it; its metadata are set when it is left. In a deep
 * tree directories far above are closed meanwhile and found again by "..", and must then be the
 * ones they were.
 *
 * The walk makes the directories; files are pieces of work, which any thread can do. What needs all
 * before it to be done is done in the order of the walk: the end of a directory, and the further
 * names of a file, whose first name must be there.
 */
#include "restoreitem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "dir.h"
#include "places.h"

#define OPEN_LEVELS 64
/* To find first names again may take so long. Only a hostile image has most of them so deep that it
 * would take longer; further names are copies then. */
#define FREE_STEPS   65536u
#define STEPS_A_LINK 64u

struct level {
	struct dir *dir; /* NULL: closed for the time being */
	dev_t dev;
	ino_t ino;
	char *name;	 /* in the level above; "" for the target itself */
	size_t path_len; /* of its path in tree->path */
	struct cim_file_info info;
};

/* A piece of work: a file, or the end of a directory. */
struct restore_item {
	struct dir *in;	 /* where it lies; of the target itself, the target */
	struct dir *dir; /* a directory's own */
	char *path;
	struct place at;
	struct cim_file_info info;
	bool several; /* a file with several names */
	bool later;   /* one of them was met before */
	/* what came of it */
	int code;
	int read_code;
	uint64_t restored;
};

/* Files of so many times what an image stores, and some more, are far more. */
#define FAR_MORE  4u
#define FEW_BYTES (UINT64_C(64) << 20)

/* A name of a file with several, of which the reparse data come last. */
struct late {
	uint32_t id; /* 0: it isn't the first */
	char *path;
};

struct restore_tree {
	const struct restore_job *job;
	struct restore walk; /* the walk's, and the result */
	struct restore work; /* for what is done in order */
	struct dir *target;
	struct level *levels;
	size_t level_room;
	size_t depth;
	char *path; /* of the item at hand, in the target: "/a/b" */
	size_t path_room;
	struct cim_links *names;   /* how many each file has */
	struct cim_budget *budget; /* of stream tables and PE images */
	struct cim_idset *entered; /* directories on the way to what was added */
	struct cim_idset *met;	   /* of the files with several names */
	struct places places;	   /* first names, and all directories if there are any */
	struct late *late;
	size_t late_count, late_room;
	uint64_t links; /* that were looked for there, */
	uint64_t steps; /* in so many steps */
};

/* Of what the library shows, in this version's size. */
static struct cim_file_info copy_info(const struct cim_file_info *info)
{
	struct cim_file_info copy = *info;

	copy.struct_size = sizeof(copy);
	return copy;
}

/* ---- levels ---- */

static struct level *top_level(const struct restore_tree *tree)
{
	return &tree->levels[tree->depth - 1];
}

/* What is called so in the top level; tree->path is its path then. */
static struct place place_in_top(struct restore_tree *tree, const char *name,
				 const struct cim_file_info *info)
{
	const struct level *top = top_level(tree);
	const size_t len = strlen(name);

	if (top->path_len + len + 2 > tree->path_room) {
		tree->path_room = (top->path_len + len + 2) * 2;
		tree->path = xrealloc(tree->path, tree->path_room);
	}
	tree->path[top->path_len] = '/';
	memcpy(tree->path + top->path_len + 1, name, len + 1);
	return (struct place){
		.info = info,
		.dirfd = top->dir->fd,
		.name = name,
		.path = tree->path,
		.dir_id = top->info.file_id,
		.depth = (uint32_t)tree->depth - 1,
	};
}

/* Takes @fd; @path_len: of its path, which is in tree->path. */
static int push_level(struct restore_tree *tree, int fd, const char *name, size_t path_len,
		      const struct cim_file_info *info)
{
	struct level *level;
	struct stat st;

	if (fstat(fd, &st)) {
		int code = restore_fail(&tree->walk, NULL, errno);

		close(fd);
		return code;
	}
	tree->levels = xgrow(tree->levels, &tree->level_room, tree->depth, sizeof(*tree->levels));
	level = &tree->levels[tree->depth++];
	level->dir = dir_new(fd);
	level->dev = st.st_dev;
	level->ino = st.st_ino;
	level->name = xstrdup(name);
	level->path_len = path_len;
	level->info = copy_info(info);
	if (tree->depth > OPEN_LEVELS) {
		struct level *far = level - OPEN_LEVELS;

		dir_release(far->dir);
		far->dir = NULL;
	}
	return 0;
}

/* The level above is needed again. */
static int reopen_up(struct restore_tree *tree)
{
	const struct level *level = top_level(tree);
	struct level *up = &tree->levels[tree->depth - 2];

	if (!up->dir)
		up->dir = dir_above(level->dir, up->dev, up->ino);
	return up->dir ? 0 : restore_fail(&tree->walk, NULL, errno);
}

/* ---- pieces of work ---- */

/* What has the path of @path_len bytes, in the directory of @level. */
static struct restore_item *new_item(struct restore_tree *tree, const struct level *level,
				     size_t path_len, const struct cim_file_info *info)
{
	struct restore_item *item = xcalloc(1, sizeof(*item));
	const char *slash;

	item->in = dir_use(level->dir);
	item->path = xstrndup(tree->path, path_len);
	slash = strrchr(item->path, '/');
	item->at.dirfd = item->in->fd;
	item->at.name = slash ? slash + 1 : item->path;
	item->at.path = item->path;
	item->at.dir_id = level->info.file_id;
	item->at.depth = (uint32_t)(level - tree->levels);
	item->info = copy_info(info);
	item->at.info = &item->info;
	return item;
}

static int put_item(struct restore_tree *tree, struct restore_item *item, bool run)
{
	if (tree->job->ops->put)
		return tree->job->ops->put(tree->job->ctx, item, run);
	if (run)
		restore_item_run(&tree->work, item);
	return restore_item_finish(tree, item);
}

static void begin_item(struct restore *r)
{
	r->items = 0;
	r->code = 0;
	r->failed = 0;
}

static void end_item(const struct restore *r, struct restore_item *item)
{
	item->restored = r->items;
	item->read_code = r->code;
}

void restore_item_run(struct restore *r, struct restore_item *item)
{
	bool done = false;

	begin_item(r);
	item->code = restore_symlink(r, &item->at, &done);
	if (!item->code && !done)
		item->code = restore_file(r, &item->at);
	end_item(r, item);
}

static void keep_place(struct restore_tree *tree, const struct place *at)
{
	places_keep(&tree->places, at->info->file_id, at->dir_id, at->name);
}

/* An item's first place, found again step by step from the target; the caller closes its directory.
 * -1, with errno, for one that can't be. */
static struct place open_place(struct restore_tree *tree, uint32_t id)
{
	const uint64_t most = FREE_STEPS + STEPS_A_LINK * ++tree->links - tree->steps;
	struct place at = {.dirfd = -1};
	size_t count;
	const char **names = places_way(&tree->places, id, most, &at.dir_id, &count);

	tree->steps += count;
	if (!names) {
		errno = EMLINK;
		return at;
	}
	at.name = names[0];
	at.dirfd = dup(tree->target->fd);
	while (at.dirfd >= 0 && --count) {
		int next = openat(at.dirfd, names[count],
				  O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		close(at.dirfd);
		at.dirfd = next;
	}
	free(names);
	return at;
}

static int link_first(const struct restore_tree *tree, const struct place *first,
		      const struct place *at)
{
	int result = linkat(first->dirfd, first->name, at->dirfd, at->name, 0);

	if (result && errno == EEXIST && tree->job->overwrite && !unlinkat(at->dirfd, at->name, 0))
		result = linkat(first->dirfd, first->name, at->dirfd, at->name, 0);
	return result;
}

/* A further name, as a link; false (with errno): it can't be one. */
static bool link_item(struct restore_tree *tree, struct restore_item *item)
{
	const struct place first = open_place(tree, item->info.file_id);
	const bool linked = first.dirfd >= 0 && !link_first(tree, &first, &item->at);
	const int error = errno;

	if (linked) {
		item->code = restore_link_streams(&tree->work, &item->at, &first);
		restore_ntfs_end(&tree->work, &item->at);
		tree->work.items++;
	}
	if (first.dirfd >= 0)
		close(first.dirfd);
	errno = error;
	return linked;
}

/* The reparse data of a file of which all names are there, or that can have no more. */
static int set_late(struct restore_tree *tree, const struct late *late)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	struct restore *r = &tree->work;
	struct cim_error err = {0};
	struct place at;

	if (!places_has(&tree->places, late->id))
		return 0;
	if (cim_image_stat(tree->job->image, late->id, &info, &err))
		return tree->job->ops->fail_cim(tree->job->ctx, &err);
	at = open_place(tree, late->id);
	at.info = &info;
	at.path = late->path;
	if (at.dirfd < 0) {
		restore_lost(r, LOST_REPARSE, &at, "%s", strerror(errno));
		return r->failed;
	}
	restore_ntfs_end(r, &at);
	close(at.dirfd);
	return r->failed;
}

static int set_late_of(struct restore_tree *tree, uint32_t id)
{
	for (size_t i = 0; i < tree->late_count; i++)
		if (tree->late[i].id == id)
			return set_late(tree, &tree->late[i]);
	return 0;
}

/* A further name can't be a link to the first one. */
static void copy_instead(struct restore_tree *tree, struct restore_item *item, int error)
{
	restore_lost(&tree->work, LOST_LINK, &item->at, "a copy instead: %s", strerror(error));
	/* That has all the links that it can have: the copy begins a new group. */
	if (error == EMLINK) {
		item->code = set_late_of(tree, item->info.file_id);
		places_forget(&tree->places, item->info.file_id);
	}
}

/* A further name of a file: a link, if the first one could be restored. */
static void restore_later(struct restore_tree *tree, struct restore_item *item)
{
	const bool first = places_has(&tree->places, item->info.file_id);
	struct restore *r = &tree->work;
	bool done = false;

	begin_item(r);
	/* Where a symlink leads may depend on where it lies. */
	if (tree->job->picture)
		item->code = restore_symlink(r, &item->at, &done);
	if (item->code || done || (first && link_item(tree, item))) {
		end_item(r, item);
	} else if (first && errno == EEXIST) {
		item->code = restore_refused(r, &item->at, EEXIST);
	} else {
		if (first)
			copy_instead(tree, item, errno);
		if (!item->code)
			restore_item_run(r, item);
	}
}

static void end_directory(struct restore *r, struct restore_item *item)
{
	begin_item(r);
	item->code = restore_metadata(r, &item->at, item->dir->fd);
	if (!item->code)
		restore_ntfs_end(r, &item->at);
	end_item(r, item);
}

void restore_item_drop(struct restore_item *item)
{
	dir_release(item->in);
	dir_release(item->dir);
	free(item->path);
	free(item);
}

int restore_item_finish(struct restore_tree *tree, struct restore_item *item)
{
	int code;

	if (item->dir)
		end_directory(&tree->work, item);
	else if (item->later)
		restore_later(tree, item);
	tree->walk.items += item->restored;
	if (item->read_code > tree->walk.code)
		tree->walk.code = item->read_code;
	code = item->code;
	if (!code && item->several && item->restored)
		keep_place(tree, &item->at);
	restore_item_drop(item);
	return code;
}

/* Leave the top level; @finish: with its metadata. */
static int pop_level(struct restore_tree *tree, bool finish)
{
	struct level *level = top_level(tree);
	struct restore_item *item = NULL;
	int code = 0;

	if (finish && tree->depth > 1) {
		code = reopen_up(tree);
		if (!code)
			item = new_item(tree, level - 1, level->path_len, &level->info);
	} else if (finish && level->info.file_id) {
		item = new_item(tree, level, 0, &level->info);
	}
	if (item) {
		item->dir = dir_use(level->dir);
		code = put_item(tree, item, false);
	}
	dir_release(level->dir);
	free(level->name);
	tree->depth--;
	return code;
}

static int pop_to(struct restore_tree *tree, size_t depth)
{
	int code = 0;

	while (!code && tree->depth > depth)
		code = pop_level(tree, true);
	return code;
}

/* ---- items ---- */

/* What an item leads to is about to be gone through. What can't be read is told by who does. */
static int spend(struct restore_tree *tree, const struct cim_file_info *info)
{
	const struct restore_job *job = tree->job;
	struct cim_error err = {0};
	struct cim_place place;

	if (info->has_streams &&
	    !cim_file_place(job->image, info, CIM_PART_STREAMS, &place, NULL) &&
	    cim_budget_spend(tree->budget, &place, &err))
		return job->ops->fail_cim(job->ctx, &err);
	if (!info->is_pe_image || cim_file_place(job->image, info, CIM_PART_DATA, &place, NULL))
		return 0;
	return restore_spend_mappings(&tree->walk, &place, info->size);
}

static void add_late(struct restore_tree *tree, const struct restore_item *item)
{
	tree->late = xgrow(tree->late, &tree->late_room, tree->late_count, sizeof(*tree->late));
	tree->late[tree->late_count++] = (struct late){
		.id = item->later ? 0 : item->info.file_id,
		.path = xstrdup(item->path),
	};
}

static int add_file(struct restore_tree *tree, const struct place *at)
{
	struct restore_item *item = new_item(tree, top_level(tree), strlen(tree->path), at->info);
	struct cim_error err = {0};
	int code = 0;

	item->several = cim_links_count(tree->names, at->info->file_id) > 1;
	if (item->several && cim_idset_add(tree->met, at->info->file_id, &item->later, &err))
		code = tree->job->ops->fail_cim(tree->job->ctx, &err);
	if (!code && !item->later)
		code = spend(tree, at->info);
	/* With them it becomes another kind of thing, of which ntfs-3g makes no links. */
	if (tree->job->ntfs && item->several && at->info->has_reparse) {
		item->info.has_reparse = false;
		add_late(tree, item);
	}
	if (!code)
		return put_item(tree, item, !item->later);
	restore_item_drop(item);
	return code;
}

/* *entered: it is the top level now. */
static int add_directory(struct restore_tree *tree, const struct place *at, bool *entered)
{
	bool done = false;
	int fd;
	int code = restore_symlink(&tree->walk, at, &done);

	*entered = false;
	if (code || done)
		return code;
	code = restore_directory(&tree->walk, at, &fd);
	if (code || fd < 0)
		return code;
	*entered = true;
	if (cim_links_several(tree->names))
		keep_place(tree, at);
	return push_level(tree, fd, at->name, strlen(tree->path), at->info);
}

/* How many entries there are to be seen; one that can't be read is one, too. */
static uint32_t count_entries(struct cim_iter *iter)
{
	const struct cim_entry *entry;
	uint32_t count = 0;

	for (uint32_t left = cim_iter_count(iter); left; left--) {
		if (!cim_iter_next(iter, &entry, NULL) && !entry)
			break;
		count++;
	}
	return count;
}

/* A directory was restored as a symlink, or not at all: what is in it is lost. */
static int lost_below(struct restore_tree *tree, const struct place *at)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	uint32_t count;

	if (cim_iter_dir(tree->job->image, at->info->file_id, &iter, &err)) {
		restore_unreadable(&tree->walk, at, &err);
		return 0;
	}
	count = count_entries(iter);
	cim_iter_close(iter);
	if (count)
		restore_lost(&tree->walk, LOST_BELOW, at, "%u entr%s", count,
			     count == 1 ? "y" : "ies");
	return tree->walk.failed;
}

/* What the walk met; *enter: go into it. */
static int add_item(struct restore_tree *tree, const struct place *at, bool *enter)
{
	const struct restore_job *job = tree->job;
	int code;

	*enter = false;
	if (job->ops->wants && !job->ops->wants(job->ctx, at))
		return 0;
	if (!at->info->is_directory)
		return add_file(tree, at);
	code = spend(tree, at->info);
	if (!code)
		code = add_directory(tree, at, enter);
	return code || *enter ? code : lost_below(tree, at);
}

/* An entry that the walk met, or what it began at: there @top_name is its name. */
static int add_entry(struct restore_tree *tree, const struct cim_walk_item *item,
		     const char *top_name, bool *enter)
{
	char name[CIM_MAX_NAME_UTF8 + 1];
	struct place at;

	*enter = false;
	if (!item->depth || tree->job->ops->name(tree->job->ctx, item->entry, item->info, name)) {
		at = place_in_top(tree, item->depth ? name : top_name, item->info);
		return add_item(tree, &at, enter);
	}
	at = place_in_top(tree, item->entry->utf8, item->info);
	restore_lost(&tree->walk, LOST_NAME, &at, "the name can't be used on Linux");
	return tree->walk.failed;
}

/* One step of the walk of what is added at level @depth; *more: it isn't the last. */
static int add_next(struct restore_tree *tree, struct cim_walk *walk, size_t depth,
		    const char *top_name, bool *more)
{
	const struct restore_ops *ops = tree->job->ops;
	const struct cim_walk_item *item;
	struct cim_error err = {0};
	const enum cim_status status = cim_walk_next(walk, &item, &err);
	bool enter;
	int code = restore_stopped(&tree->walk);

	*more = status || item;
	if (code)
		return code;
	/* What can't be read is told; the rest is restored all the same. */
	if (status == CIM_E_CORRUPT || status == CIM_E_IO) {
		restore_unreadable(&tree->walk, NULL, &err);
		return 0;
	}
	if (status)
		return ops->fail_cim(tree->job->ctx, &err);
	if (!item)
		return 0;
	if (!item->depth && !top_name) {
		tree->levels[0].info = copy_info(item->info);
		return 0;
	}
	/* The top of the walk is a level of its own, if it isn't the target itself. */
	if (item->depth)
		code = pop_to(tree, depth + item->depth - !top_name);
	if (!code)
		code = add_entry(tree, item, top_name, &enter);
	if (!code && !enter)
		cim_walk_skip(walk);
	return code;
}

/*
 * Will all of it fit? Asked only of an image whose files are far more than it stores, for many of
 * them lead to the same data: filling the disk is no way to find that out. (Others may fit where
 * the target compresses.)
 */
static bool has_room(const struct restore_tree *tree, int target)
{
	const uint64_t bytes = cim_links_bytes(tree->names);
	struct cim_image *image = tree->job->image;
	uint64_t stored = FEW_BYTES;
	uint64_t size;
	struct statvfs st;

	/* A file system without a size tells none (ramfs, tmpfs with size=0, some by FUSE). */
	if (fstatvfs(target, &st) || !st.f_blocks || !st.f_frsize ||
	    bytes / st.f_frsize < st.f_bavail)
		return true;
	for (uint32_t i = 0; i < cim_image_get_info(image)->region_count; i++) {
		if (!cim_image_region_size(image, i, &size, NULL))
			stored += FAR_MORE * size;
	}
	return bytes <= stored;
}

bool restore_tree_walkable(const struct restore_tree *tree)
{
	return !cim_links_walkable(tree->names, NULL);
}

int restore_tree_whole(struct restore_tree *tree)
{
	const uint32_t root = cim_image_get_info(tree->job->image)->root_id;
	struct cim_error err = {0};

	/* Directories that share a table may make a million names of what the image has once: who
	 * meets the end of the walk's budget has made them by then. */
	if (cim_links_walkable(tree->names, &err))
		return tree->job->ops->fail_cim(tree->job->ctx, &err);
	if (!has_room(tree, tree->target->fd))
		return tree->job->ops->fail(tree->job->ctx, NULL, ENOSPC);
	return restore_tree_add(tree, 1, root, NULL);
}

int restore_tree_add(struct restore_tree *tree, size_t depth, uint32_t id, const char *name)
{
	struct cim_error err = {0};
	struct cim_walk *walk;
	bool more = true;
	int code = pop_to(tree, depth);

	if (code)
		return code;
	if (cim_walk_open(tree->job->image, id, &walk, &err))
		return tree->job->ops->fail_cim(tree->job->ctx, &err);
	while (!code && more)
		code = add_next(tree, walk, depth, name, &more);
	cim_walk_close(walk);
	return code;
}

int restore_tree_enter(struct restore_tree *tree, size_t depth, uint32_t id, const char *name,
		       bool *entered)
{
	const struct level *level = &tree->levels[depth];
	const struct restore_ops *ops = tree->job->ops;
	struct cim_error err = {0};
	struct cim_file_info info = {CIM_SIZED(info)};
	struct place at;
	bool again;
	int code;

	/* What was added before may lie in it too. */
	*entered = true;
	if (tree->depth > depth && level->info.file_id == id && !strcmp(level->name, name))
		return 0;
	code = pop_to(tree, depth);
	/* One that was left is to be finished before anything is put into it once more. */
	if (!code && cim_idset_add(tree->entered, id, &again, &err))
		code = ops->fail_cim(tree->job->ctx, &err);
	if (!code && again && ops->drain)
		code = ops->drain(tree->job->ctx);
	if (code)
		return code;
	if (cim_image_stat(tree->job->image, id, &info, &err))
		return ops->fail_cim(tree->job->ctx, &err);
	at = place_in_top(tree, name, &info);
	*entered = info.is_directory;
	return *entered ? add_directory(tree, &at, entered) : 0;
}

int restore_tree_text(struct restore_tree *tree, const char *name, const char *text, size_t len)
{
	const int code = pop_to(tree, 1);
	struct cim_file_info info = {CIM_SIZED(info)};
	struct place at;
	struct stat st;

	if (code)
		return code;
	info = top_level(tree)->info;
	at = place_in_top(tree, name, &info);
	if (!fstatat(at.dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	info.attributes |= CIM_ATTR_READONLY;
	return restore_text(&tree->walk, &at, text, len);
}

/* ---- all of it ---- */

/* What is broken is told by the pass that does the work. */
static int stop_counting(void *ctx, uint32_t dir_id, const struct cim_error *why)
{
	const struct restore_job *job = ctx;

	(void)dir_id;
	(void)why;
	return job->ops->stopped(job->ctx);
}

struct restore_tree *restore_tree_open(const struct restore_job *job, int *code)
{
	struct restore_tree *tree = xcalloc(1, sizeof(*tree));
	struct cim_error err = {0};
	uint64_t items;

	tree->job = job;
	tree->path = xstrdup("");
	restore_init(&tree->walk, job);
	restore_init(&tree->work, job);
	*code = 0;
	if (!cim_links_open(job->image, stop_counting, (void *)job, &tree->names, &err) &&
	    !cim_budget_open(job->image, &tree->budget, &err) &&
	    !cim_idset_open(job->image, &tree->entered, &err) &&
	    !cim_idset_open(job->image, &tree->met, &err)) {
		restore_tree_lend(tree, &tree->walk);
		restore_tree_lend(tree, &tree->work);
		return tree;
	}
	*code = job->ops->fail_cim(job->ctx, &err);
	restore_tree_close(tree, &items);
	return NULL;
}

void restore_tree_lend(const struct restore_tree *tree, struct restore *r)
{
	r->budget = tree->budget;
}

int restore_tree_target(struct restore_tree *tree, int target)
{
	const struct cim_file_info none = {0};
	int code = push_level(tree, target, "", 0, &none);

	if (!code)
		tree->target = dir_use(tree->levels[0].dir);
	return code;
}

int restore_tree_end(struct restore_tree *tree, int code)
{
	while (tree->depth) {
		int one = pop_level(tree, !code);

		if (!code)
			code = one;
	}
	if (!code && tree->late_count && tree->job->ops->drain)
		code = tree->job->ops->drain(tree->job->ctx);
	for (size_t i = 0; i < tree->late_count && !code; i++)
		code = set_late(tree, &tree->late[i]);
	/* The kernel may know each name as a file of its own. */
	for (size_t i = 0; i < tree->late_count && !code; i++)
		restore_look(tree->target->fd, tree->late[i].path + 1);
	return code;
}

int restore_tree_close(struct restore_tree *tree, uint64_t *items)
{
	const int code = tree->walk.code;

	*items = tree->walk.items;
	dir_release(tree->target);
	for (size_t i = 0; i < tree->late_count; i++)
		free(tree->late[i].path);
	free(tree->late);
	free(tree->levels);
	free(tree->path);
	cim_links_close(tree->names);
	cim_budget_close(tree->budget);
	cim_idset_close(tree->met);
	cim_idset_close(tree->entered);
	places_free(&tree->places);
	restore_free(&tree->walk);
	restore_free(&tree->work);
	free(tree);
	return code;
}
