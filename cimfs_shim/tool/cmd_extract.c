/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_extract.c - cimtool extract: an image, or parts of it, into a host directory
 *
 * No image can lead out of the target: every name is used in one open directory, opened step by
 * step without following links, and a name that holds '/' or NUL, or is "." or "..", is refused.
 * Symlinks are made with any target, as tar does, but nothing is ever written through one.
 *
 * The walk gives a directory before what is in it; its times and mode are set when it is left. In a
 * deep tree directories far above are closed meanwhile and found again by "..", and must then be
 * the ones they were.
 *
 * The main thread walks and makes the directories; files are work for a queue (queue.c), which any
 * thread can do. What needs all before it to be done is done by the main thread in the queue's
 * order: the end of a directory, and the further names of a file, whose first name must be there.
 */
#include "extract.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPEN_LEVELS 64
#define QUEUED	    256

enum {
	OPT_OVERWRITE = OPT_OWN,
	OPT_EXTRACT_NO_ACLS,
	OPT_STRICT_ACLS,
	OPT_NO_ATTRIBUTES,
	OPT_STREAMS_INTERFACE,
	OPT_NO_GLOBS,
	OPT_NULLGLOB,
};

/* An open directory of the target; only the main thread counts its users. */
struct dir {
	int fd;
	unsigned users;
};

struct level {
	struct dir *dir; /* NULL: closed for the time being */
	dev_t dev;
	ino_t ino;
	char *name;	 /* in the level above; NULL for the target itself */
	size_t path_len; /* of its path in x->path */
	struct cim_file_info info;
};

/* A piece of work: a file, or the end of a directory. */
struct item {
	struct work work;
	struct dir *in;	  /* where it lies; NULL: nowhere, it is the target itself */
	struct dir *dir;  /* a directory's own */
	const char *name; /* in @in: the end of @path */
	char *path;	  /* in the image: "/a/b" */
	struct cim_file_info info;
	bool several; /* a file with several names */
	bool later;   /* one of them was met before */
	/* what came of it */
	int code;
	int read_code;
	uint64_t restored;
};

struct extract {
	struct restore r;	 /* the walk's; the result */
	struct restore *threads; /* the first for what is done in order, the queue's after it */
	struct queue *queue;
	struct progress progress;
	struct loss lost[LOST_COUNT];
	struct exclude exclude;
	struct dir *target;
	struct level *levels;
	size_t level_room;
	size_t depth;
	struct text path; /* of the item at hand, in the image: "/a/b" */
	struct idset multi;
	struct idset gone_into; /* directories on the way to a path */
	struct idset met;	/* of the files with several names */
	struct idmap first;	/* path of a file's first name in the target */
};

/* ---- levels ---- */

static struct dir *dir_use(struct dir *dir)
{
	if (dir)
		dir->users++;
	return dir;
}

static void dir_release(struct dir *dir)
{
	if (dir && !--dir->users) {
		close(dir->fd);
		free(dir);
	}
}

static struct dir *dir_new(int fd)
{
	struct dir *dir = xcalloc(1, sizeof(*dir));

	dir->fd = fd;
	return dir_use(dir);
}

static int push_level(struct extract *x, int fd, const char *name, const struct cim_file_info *info)
{
	struct level *level;
	struct stat st;

	if (fstat(fd, &st)) {
		int code = restore_fail(&x->r, NULL);

		close(fd);
		return code;
	}
	x->levels = xgrow(x->levels, &x->level_room, x->depth, sizeof(*x->levels));
	level = &x->levels[x->depth++];
	level->dir = dir_new(fd);
	level->dev = st.st_dev;
	level->ino = st.st_ino;
	level->name = name ? xstrdup(name) : NULL;
	level->path_len = x->path.len;
	level->info = *info;
	if (x->depth > OPEN_LEVELS) {
		struct level *far = &x->levels[x->depth - OPEN_LEVELS - 1];

		dir_release(far->dir);
		far->dir = NULL;
	}
	return EXIT_OK;
}

/* The level above is needed again. */
static int reopen_up(struct extract *x)
{
	struct level *level = &x->levels[x->depth - 1];
	struct level *up = level - 1;
	struct stat st;
	int fd;

	if (up->dir)
		return EXIT_OK;
	fd = openat(level->dir->fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return restore_fail(&x->r, NULL);
	up->dir = dir_new(fd);
	if (fstat(fd, &st))
		return restore_fail(&x->r, NULL);
	if (st.st_dev != up->dev || st.st_ino != up->ino)
		return tool_fail(x->r.t, "extract", x->r.name, x->r.target,
				 "a directory was moved meanwhile");
	return EXIT_OK;
}

/* A new piece of work: @name in @in, or the target itself. */
static struct item *new_item(struct dir *in, const char *path, size_t path_len,
			     const struct cim_file_info *info)
{
	struct item *item = xcalloc(1, sizeof(*item));

	item->in = dir_use(in);
	item->path = xstrndup(path, path_len);
	item->name = strrchr(item->path, '/');
	item->name = item->name ? item->name + 1 : item->path;
	item->info = *info;
	return item;
}

/* Leave the top level; @finish: with its metadata. */
static int pop_level(struct extract *x, bool finish)
{
	struct level *level = &x->levels[x->depth - 1];
	struct item *item = NULL;
	int code = EXIT_OK;

	if (finish && x->depth > 1) {
		code = reopen_up(x);
		if (!code)
			item = new_item(level[-1].dir, x->path.s, level->path_len, &level->info);
		text_cut(&x->path, level[-1].path_len);
	} else if (finish && level->info.file_id) {
		item = new_item(NULL, "", 0, &level->info);
	}
	if (item) {
		item->dir = dir_use(level->dir);
		code = queue_put(x->queue, &item->work, false);
	}
	dir_release(level->dir);
	free(level->name);
	x->depth--;
	return code;
}

static int pop_to(struct extract *x, size_t depth)
{
	while (x->depth > depth) {
		int code = pop_level(x, true);

		if (code)
			return code;
	}
	return EXIT_OK;
}

/* ---- pieces of work ---- */

/* The first name of a file, found again step by step from the target. */
static int link_first(struct extract *x, const struct place *at, const char *first)
{
	char *copy = xstrdup(first + 1);
	char *name = copy;
	int dirfd = dup(x->target->fd);
	int result = -1;

	for (char *slash; dirfd >= 0 && (slash = strchr(name, '/')); name = slash + 1) {
		int next;

		*slash = '\0';
		next = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dirfd);
		dirfd = next;
	}
	if (dirfd >= 0) {
		result = linkat(dirfd, name, at->dirfd, at->name, 0);
		if (result && errno == EEXIST && x->r.overwrite &&
		    !unlinkat(at->dirfd, at->name, 0))
			result = linkat(dirfd, name, at->dirfd, at->name, 0);
		close(dirfd);
	}
	free(copy);
	return result;
}

static void begin_item(struct restore *r)
{
	r->items = 0;
	r->code = EXIT_OK;
	r->acl_failed = false;
}

static void end_item(const struct restore *r, struct item *item)
{
	item->restored = r->items;
	item->read_code = r->code;
}

/* A file, on any thread. */
static void restore_item(void *own, struct work *work)
{
	struct item *item = (struct item *)work;
	struct restore *r = own;
	struct place at = {.dirfd = item->in->fd, .name = item->name, .path = item->path};
	bool done = false;

	begin_item(r);
	item->code = restore_symlink(r, &at, &item->info, &done);
	if (!item->code && !done)
		item->code = restore_file(r, &at, &item->info);
	end_item(r, item);
}

/* A further name of a file: a link, if the first one could be restored. */
static void restore_later(struct restore *r, struct extract *x, struct item *item)
{
	struct place at = {.dirfd = item->in->fd, .name = item->name, .path = item->path};
	const char *first = idmap_get(&x->first, item->info.file_id);

	begin_item(r);
	if (first && !link_first(x, &at, first)) {
		struct cim_file_info times = item->info;

		/* The reparse data are there already. */
		times.has_reparse = false;
		restore_ntfs_end(r, &at, &times);
		r->items++;
		end_item(r, item);
	} else if (first && errno == EEXIST) {
		item->code = tool_fail(r->t, "extract", r->name, at.path,
				       "the target has it already; --overwrite replaces it");
	} else {
		if (first)
			restore_lost(r, LOST_LINK, &at, "a copy of %s instead: %s", first,
				     strerror(errno));
		restore_item(r, &item->work);
	}
}

static void end_directory(struct restore *r, struct item *item)
{
	struct place at = {.name = item->name, .path = item->path};

	begin_item(r);
	if (item->in)
		at.dirfd = item->in->fd;
	item->code = restore_directory_end(r, item->in ? &at : NULL, item->dir->fd, &item->info);
	end_item(r, item);
}

static void drop_item(void *ctx, struct work *work)
{
	struct item *item = (struct item *)work;

	(void)ctx;
	dir_release(item->in);
	dir_release(item->dir);
	free(item->path);
	free(item);
}

static int finish_item(void *ctx, struct work *work)
{
	struct extract *x = ctx;
	struct item *item = (struct item *)work;
	int code;

	if (item->dir)
		end_directory(x->threads, item);
	else if (item->later)
		restore_later(x->threads, x, item);
	x->r.items += item->restored;
	if (item->read_code > x->r.code)
		x->r.code = item->read_code;
	code = item->code;
	if (!code && item->several && item->restored && !idmap_get(&x->first, item->info.file_id))
		idmap_put(&x->first, item->info.file_id, item->path);
	drop_item(x, work);
	return code;
}

static const struct queue_ops queue_ops = {
	.run = restore_item,
	.finish = finish_item,
	.drop = drop_item,
};

/* ---- items ---- */

static int extract_file(struct extract *x, const struct cim_file_info *info)
{
	struct level *top = &x->levels[x->depth - 1];
	struct item *item = new_item(top->dir, x->path.s, x->path.len, info);

	item->several = idset_has(&x->multi, info->file_id);
	item->later = item->several && idset_add(&x->met, info->file_id);
	return queue_put(x->queue, &item->work, !item->later);
}

/* Put one item; *entered: it is a directory, now the top level. */
static int extract_item(struct extract *x, const char *name, const struct cim_file_info *info,
			bool *entered)
{
	struct level *top = &x->levels[x->depth - 1];
	struct place at = {.dirfd = top->dir->fd, .name = name};
	bool done = false;
	int code;
	int fd;

	*entered = false;
	text_cut(&x->path, top->path_len);
	text_puts(&x->path, "/");
	text_puts(&x->path, name);
	at.path = x->path.s;
	if (!info->is_directory)
		return extract_file(x, info);
	code = restore_symlink(&x->r, &at, info, &done);
	if (code || done)
		return code;
	code = restore_directory(&x->r, &at, &fd);
	if (code || fd < 0)
		return code;
	*entered = true;
	return push_level(x, fd, name, info);
}

static bool is_excluded(struct extract *x, const char *name)
{
	const struct level *top = &x->levels[x->depth - 1];

	text_cut(&x->path, top->path_len);
	text_puts(&x->path, "/");
	text_puts(&x->path, name);
	return excluded(&x->exclude, x->path.s + 1, true);
}

/* A directory was restored as a symlink, or not at all: what is in it is lost. */
static void lost_below(struct extract *x, const struct cim_file_info *info)
{
	struct cim_error err = {0};
	struct cim_iter *iter;

	if (cim_iter_dir(x->r.image, info->file_id, &iter, &err))
		return;
	if (cim_iter_count(iter)) {
		struct place at = {.path = x->path.s};

		restore_lost(&x->r, LOST_BELOW, &at, "%u entr%s", cim_iter_count(iter),
			     cim_iter_count(iter) == 1 ? "y" : "ies");
	}
	cim_iter_close(iter);
}

/* A name that can't be used; the path is that of its directory. */
static void lost_name(struct extract *x, const char *name)
{
	struct place at;

	text_cut(&x->path, x->levels[x->depth - 1].path_len);
	text_puts(&x->path, "/");
	text_puts(&x->path, name);
	at.path = x->path.s;
	restore_lost(&x->r, LOST_NAME, &at, "the name can't be used on Linux");
}

/* What can't be read is told; the rest is restored all the same. */
static void tell_unreadable(struct extract *x, const struct cim_error *err)
{
	int code = tool_fail_cim(x->r.t, "extract", x->r.name, err);

	if (code > x->r.code)
		x->r.code = code;
}

/* A tree, its top being @name in the top level (NULL: the image's root, the target itself). */
static int extract_tree(struct extract *x, uint32_t id, const char *name)
{
	/* Levels below which the walk's depth is counted: its items of depth d lie in level d - 1.
	 */
	size_t base = x->depth + (name ? 1 : 0);
	const struct cim_walk_item *item;
	struct cim_error err = {0};
	struct cim_walk *walk;
	int code = EXIT_OK;

	if (cim_walk_open(x->r.image, id, &walk, &err))
		return tool_fail_cim(x->r.t, "extract", x->r.name, &err);
	while (!code) {
		enum cim_status status = cim_walk_next(walk, &item, &err);
		bool entered = false;
		const char *item_name;

		if (tool_signal) {
			code = tool_interrupted();
			break;
		}
		if (status)
			tell_unreadable(x, &err);
		if (status == CIM_E_CORRUPT)
			continue;
		if (status || !item)
			break;
		if (!item->depth && !name) {
			x->levels[0].info = item->info;
			continue;
		}
		code = pop_to(x, item->depth ? base + item->depth - 1 : x->depth);
		if (code)
			break;
		item_name = item->depth ? item->entry.utf8 : name;
		if (item->depth && !restore_name_ok(&item->entry)) {
			lost_name(x, item_name);
			cim_walk_skip(walk);
			continue;
		}
		if (is_excluded(x, item_name)) {
			cim_walk_skip(walk);
			continue;
		}
		progress_tick(&x->progress);
		code = extract_item(x, item_name, &item->info, &entered);
		if (item->info.is_directory && !entered && !code) {
			lost_below(x, &item->info);
			cim_walk_skip(walk);
		}
	}
	cim_walk_close(walk);
	return code;
}

/* ---- paths that were asked for ---- */

/* An entry by its name in any case, as the image spells it. */
static int find_entry(struct extract *x, uint32_t dir, const char *name, size_t len,
		      const char *path, uint32_t *id, char **spelling)
{
	struct cim_str want = {.utf8 = name, .units = len};
	struct cim_error err = {0};
	struct cim_iter *iter;
	bool found;

	*spelling = xstrndup(name, len);
	if (!cim_image_lookup_at(x->r.image, dir, want, true, id, NULL))
		return EXIT_OK;
	if (cim_image_lookup_at(x->r.image, dir, want, false, id, &err)) {
		snprintf(err.path, sizeof(err.path), "%s", path);
		return tool_fail_cim(x->r.t, "extract", x->r.name, &err);
	}
	if (cim_iter_dir(x->r.image, dir, &iter, &err))
		return tool_fail_cim(x->r.t, "extract", x->r.name, &err);
	while (!cim_iter_next(iter, x->r.entry, &found, &err) && found) {
		uint16_t units[CIM_MAX_NAME];
		size_t count;

		if (x->r.entry->file_id != *id ||
		    cim_utf16_from_utf8(name, len, units, CIM_MAX_NAME, &count) ||
		    cim_name_compare_default(units, count, x->r.entry->name, x->r.entry->units))
			continue;
		free(*spelling);
		*spelling = xstrdup(x->r.entry->utf8);
		break;
	}
	cim_iter_close(iter);
	return EXIT_OK;
}

/* A directory on the way to a path: it is level @depth from here on. */
static int go_into(struct extract *x, size_t depth, uint32_t id, const char *name, const char *path)
{
	struct cim_error err = {0};
	struct cim_file_info info;
	bool entered;
	int code;

	/* The path before led through it too. */
	if (x->depth > depth && x->levels[depth].info.file_id == id &&
	    !strcmp(x->levels[depth].name, name))
		return EXIT_OK;
	code = pop_to(x, depth);
	/* One that was left is to be finished before anything is put into it once more. */
	if (!code && idset_add(&x->gone_into, id))
		code = queue_drain(x->queue);
	if (code)
		return code;
	if (cim_image_stat(x->r.image, id, &info, &err))
		return tool_fail_cim(x->r.t, "extract", x->r.name, &err);
	code = extract_item(x, name, &info, &entered);
	if (!code && !entered)
		code = tool_fail(x->r.t, "extract", x->r.name, path,
				 "a component of the path is no directory");
	return code;
}

/* Go down to @path, making the directories on the way, and restore what is there. */
static int extract_path(struct extract *x, uint32_t root, const char *path)
{
	const char *p = path + strspn(path, "/\\");
	uint32_t dir = root;
	size_t depth = 1;
	int code = EXIT_OK;

	if (!*p)
		return extract_tree(x, root, NULL);
	while (!code && *p) {
		size_t len = strcspn(p, "/\\");
		char *spelling = NULL;

		code = find_entry(x, dir, p, len, path, &dir, &spelling);
		p += len;
		p += strspn(p, "/\\");
		if (!code &&
		    (strchr(spelling, '/') || !strcmp(spelling, ".") || !strcmp(spelling, "..")))
			code = tool_fail(x->r.t, "extract", x->r.name, path, "no name on Linux");
		if (!code && *p)
			code = go_into(x, depth++, dir, spelling, path);
		else if (!code && !(code = pop_to(x, depth)))
			code = extract_tree(x, dir, spelling);
		free(spelling);
	}
	return code;
}

/* ---- the command ---- */

static int open_target(struct extract *x)
{
	struct cim_file_info none = {0};
	int code;
	int fd;

	if (mkdir(x->r.target, 0777) && errno != EEXIST)
		return restore_fail(&x->r, NULL);
	fd = open(x->r.target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return restore_fail(&x->r, NULL);
	x->r.ntfs = fgetxattr(fd, "system.ntfs_attrib", NULL, 0) == 4;
	text_puts(&x->path, "");
	code = push_level(x, fd, NULL, &none);
	if (!code)
		x->target = dir_use(x->levels[0].dir);
	return code;
}

/* The queue, and each thread's own means. */
static void open_queue(struct extract *x)
{
	unsigned count = tool_threads(x->r.t) + 1;

	x->threads = xcalloc(count, sizeof(*x->threads));
	for (unsigned i = 0; i < count; i++) {
		x->threads[i] = x->r;
		x->threads[i].buf = xmalloc(RESTORE_BUFFER);
		x->threads[i].entry = xmalloc(sizeof(*x->threads[i].entry));
	}
	x->queue = queue_open(x->r.t, &queue_ops, x, x->threads + 1, sizeof(*x->threads),
			      queue_threads(x->r.t), QUEUED, &x->progress);
}

static int close_queue(struct extract *x, int code)
{
	code = queue_close(x->queue, code);
	for (unsigned i = 0; i < tool_threads(x->r.t) + 1; i++) {
		free(x->threads[i].buf);
		free(x->threads[i].entry);
	}
	free(x->threads);
	return code;
}

static void print_summary(struct extract *x)
{
	struct restore *r = &x->r;
	double seconds = progress_seconds(&x->progress);
	char size[32];

	if (r->t->json) {
		struct json_t *o = json_new();

		json_put_string(o, "command", "extract");
		json_put_name(o, "image", r->name);
		json_put_name(o, "target", r->target);
		json_put_int(o, "items", r->items);
		json_put_int(o, "bytes", x->progress.bytes);
		json_put_int(o, "milliseconds", (uint64_t)(seconds * 1000));
		json_put_int(o, "warnings", r->t->warnings);
		json_print(stdout, o);
	} else if (!r->t->quiet) {
		put_escaped(stdout, r->target);
		printf(": %llu item%s, %s, %.1f seconds\n", (unsigned long long)r->items,
		       plural(r->items), size_text(x->progress.bytes, size, sizeof(size)), seconds);
	}
}

static int extract_all(struct extract *x, uint32_t root, const struct selection *paths)
{
	int code = EXIT_OK;

	if (!paths)
		code = extract_tree(x, root, NULL);
	for (size_t i = 0; paths && i < paths->count && !code; i++) {
		code = extract_path(x, root, paths->paths[i]);
	}
	while (x->depth) {
		int one = pop_level(x, !code);

		if (!code)
			code = one;
	}
	return code;
}

/* @paths: NULL is the whole image */
static int extract(struct extract *x, const struct selection *paths)
{
	struct cim_image_info info;
	int code;

	cim_image_get_info(x->r.image, &info);
	code = find_links(x->r.t, x->r.image, x->r.name, info.root_id, &x->multi);
	if (!code)
		code = open_target(x);
	if (code)
		return code;
	open_queue(x);
	code = extract_all(x, info.root_id, paths);
	code = close_queue(x, code);
	dir_release(x->target);
	return code;
}

static void init_losses(struct extract *x)
{
	static const char *const what[LOST_COUNT] = {
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

	for (size_t i = 0; i < LOST_COUNT; i++)
		x->lost[i].what = what[i];
	x->r.lost = x->lost;
}

static int run_extract(struct tool *t, struct extract *x, const char *image,
		       const struct selection *paths)
{
	struct restore *r = &x->r;
	int code;

	r->umask = umask(0);
	umask(r->umask);
	r->buf = xmalloc(RESTORE_BUFFER);
	r->entry = xmalloc(sizeof(*r->entry));
	r->progress = &x->progress;
	init_losses(x);
	tool_catch_signals();
	progress_start(&x->progress, t, "extract");
	code = extract(x, paths);
	progress_end(&x->progress);
	for (size_t i = 0; i < LOST_COUNT; i++)
		loss_report(t, &x->lost[i], "extract", image);
	if (!code)
		print_summary(x);
	if (!code)
		code = r->code;
	free(r->buf);
	free(r->entry);
	return code;
}

static int open_and_extract(struct tool *t, struct extract *x, char **args, size_t count,
			    bool globs, bool nullglob)
{
	struct selection paths = {0};
	int code;

	x->r.t = t;
	x->r.name = args[0];
	x->r.image = tool_open(t, args[0], &code);
	if (!x->r.image)
		return code;
	code = select_paths(t, x->r.image, args[0], args + 1, count - 1, globs, nullglob, &paths);
	if (!code)
		code = run_extract(t, x, args[0], count > 1 ? &paths : NULL);
	selection_free(&paths);
	cim_image_close(x->r.image);
	return code;
}

static int streams_mode(struct tool *t, struct restore *r, const char *mode)
{
	static const char *const names[] = {
		[STREAMS_NONE] = "none",
		[STREAMS_WINDOWS] = "windows",
		[STREAMS_XATTR] = "xattr",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(mode, names[i])) {
			r->streams = (enum streams_mode)i;
			return EXIT_OK;
		}
	}
	return tool_usage(t, "--streams-interface is none, windows or xattr");
}

static int run(struct tool *t, int argc, char **argv)
{
	static const struct option longs[] = {
		COMMON_LONGS,
		EXCLUDE_LONGS,
		{"directory", required_argument, NULL, 'C'},
		{"overwrite", no_argument, NULL, OPT_OVERWRITE},
		{"no-acls", no_argument, NULL, OPT_EXTRACT_NO_ACLS},
		{"strict-acls", no_argument, NULL, OPT_STRICT_ACLS},
		{"no-attributes", no_argument, NULL, OPT_NO_ATTRIBUTES},
		{"streams-interface", required_argument, NULL, OPT_STREAMS_INTERFACE},
		{"no-globs", no_argument, NULL, OPT_NO_GLOBS},
		{"nullglob", no_argument, NULL, OPT_NULLGLOB},
		{0},
	};
	struct extract x = {.r = {.target = ".", .streams = STREAMS_XATTR}};
	bool globs = true;
	bool nullglob = false;
	int code = EXIT_OK;
	int c;

	while (!code && (c = tool_getopt(t, argc, argv, "C:", longs)) != -1) {
		switch (c) {
		case 'C':
			x.r.target = optarg;
			break;
		case OPT_OVERWRITE:
			x.r.overwrite = true;
			break;
		case OPT_EXTRACT_NO_ACLS:
			x.r.no_acls = true;
			break;
		case OPT_STRICT_ACLS:
			x.r.strict_acls = true;
			break;
		case OPT_NO_ATTRIBUTES:
			x.r.no_attributes = true;
			break;
		case OPT_STREAMS_INTERFACE:
			code = streams_mode(t, &x.r, optarg);
			break;
		case OPT_NO_GLOBS:
			globs = false;
			break;
		case OPT_NULLGLOB:
			nullglob = true;
			break;
		case OPT_EXCLUDE:
			exclude_add(&x.exclude, optarg);
			break;
		case OPT_EXCLUDE_FROM:
			code = exclude_from(t, &x.exclude, optarg);
			break;
		default:
			code = EXIT_USAGE;
		}
	}
	if (!code && x.r.no_acls && x.r.strict_acls)
		code = tool_usage(t, "--no-acls and --strict-acls exclude each other");
	if (!code && optind == argc)
		code = tool_usage(t, "IMAGE is missing");
	if (!code)
		code = open_and_extract(t, &x, argv + optind, (size_t)(argc - optind), globs,
					nullglob);
	free(x.levels);
	text_free(&x.path);
	idset_free(&x.multi);
	idset_free(&x.met);
	idset_free(&x.gone_into);
	idmap_free(&x.first);
	exclude_free(&x.exclude);
	return code;
}

const struct command cmd_extract = {
	.name = "extract",
	.alias = "apply",
	.usage = "[OPTION]... IMAGE [PATH...]",
	.summary = "restore files from an image",
	.help = "Restores the whole image, or each PATH with what is below it (under its full\n"
		"path).\n"
		"\n"
		"A PATH may be a pattern, quoted so that the shell leaves it alone: '*' is any\n"
		"characters, '?' one, '[a-z]' one of a set, '[!a-z]' one not of it; not '/'.\n"
		"Letters match in any case. A name that exists as it stands (it may hold\n"
		"brackets) means that item. What several PATHs name is restored once.\n"
		"\n"
		"  -C, --directory=DIR  into DIR, made if missing, instead of the current\n"
		"                       directory\n"
		"      --overwrite      replace what is there; without it a file that exists is\n"
		"                       an error\n"
		"      --streams-interface=none|windows|xattr\n"
		"                       alternate streams: leave out; as NAME:STREAM; as the\n"
		"                       extended attribute user.STREAM (the default)\n"
		"      --no-acls        security descriptors: don't restore, don't report\n"
		"      --strict-acls    a security descriptor that can't be restored is an error\n"
		"                       that ends the command: exit status 1\n"
		"      --no-attributes  the same for DOS attributes beyond read-only, extended\n"
		"                       attributes, and creation and change times\n"
		"      --no-globs       every PATH is meant as it stands\n"
		"      --nullglob       a pattern that matches nothing is no error\n"
		"      --exclude=GLOB, --exclude-from=FILE\n"
		"                       leave out what matches, in any case of letters: a\n"
		"                       pattern without '/' is matched with names, one with '/'\n"
		"                       with paths\n"
		"\n"
		"Contents, holes, last write and access times, read-only (mode), hard links and\n"
		"symlinks are restored anywhere. Other attributes go into user.DOSATTRIB. On\n"
		"ntfs-3g all the rest goes into its system.ntfs_* attributes; elsewhere it is\n"
		"reported as not restored, in one line a kind (each with --verbose), with exit\n"
		"status 3. Absolute Windows targets of symlinks lose their drive: C:\\x becomes\n"
		"/x.\n"
		"\n"
		"No image can lead out of DIR: links are never followed, and names with '/' or\n"
		"NUL, and \".\" and \"..\", are refused and reported.\n",
	.run = run,
};
