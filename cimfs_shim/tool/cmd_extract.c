/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_extract.c - cimtool extract: an image, or parts of it, into a host directory
 *
 * host/restore.h does it; here are the command's policies: what a name and a link become, what is
 * told and how, the queue by which several threads write the files, and the way down to the paths
 * that were asked for.
 */
#include "select.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../host/restore.h"

#define QUEUED 256

struct extract {
	struct tool *t;
	const char *name;   /* the image's, for messages */
	const char *target; /* the directory's */
	bool made_target;
	bool strict_acls;
	bool no_globs;
	bool nullglob;
	struct restore_job job;
	struct restore_tree *tree;
	struct restore *threads; /* each one's means */
	struct queue *queue;
	struct progress progress;
	struct loss lost[LOST_COUNT];
	struct exclude exclude;
	uint64_t items; /* restored */
};

/* ---- what is told ---- */

/* The path to name in a message. */
static const char *path_of(const struct extract *x, const struct place *at)
{
	return at && *at->path ? at->path : x->target;
}

static int lost(void *ctx, enum restore_loss loss, const struct place *at, const char *cause)
{
	struct extract *x = ctx;

	if (loss == LOST_SECURITY && x->strict_acls)
		return tool_fail(x->t, "extract", x->name, path_of(x, at), "%s: %s",
				 x->lost[loss].what, cause);
	loss_add(x->t, &x->lost[loss], path_of(x, at), cause);
	return EXIT_OK;
}

static int fail_cim(void *ctx, const struct cim_error *err)
{
	struct extract *x = ctx;

	return tool_fail_cim(x->t, "extract", x->name, err);
}

static int unreadable(void *ctx, const struct place *at, struct cim_error *err)
{
	if (at)
		snprintf(err->path, sizeof(err->path), "%s", *at->path ? at->path : "/");
	return fail_cim(ctx, err);
}

static int fail_host(void *ctx, const struct place *at, int error)
{
	struct extract *x = ctx;
	const char *cause = strerror(error);

	if (error == EEXIST)
		cause = "the target has it already; --overwrite replaces it";
	else if (error == ENOTDIR && !x->job.overwrite)
		cause = "the target has something else there; --overwrite replaces it";
	else if (error == ESTALE)
		cause = "a directory was moved meanwhile";
	return tool_fail(x->t, "extract", x->name, path_of(x, at), "%s", cause);
}

static void wrote(void *ctx, size_t bytes)
{
	struct extract *x = ctx;

	x->progress.bytes += bytes;
	progress_tick(&x->progress);
}

/* ---- what things become ---- */

static bool name_of(void *ctx, const struct cim_entry *entry, const struct cim_file_info *info,
		    char *name)
{
	(void)ctx;
	(void)info;
	strcpy(name, entry->utf8);
	return restore_name_ok(entry);
}

static char *stream_name(void *ctx, const struct place *at, const struct cim_entry *stream)
{
	(void)ctx;
	if (!*at->name || !restore_stream_ok(stream))
		return NULL;
	return xasprintf("%s:%s", at->name, stream->utf8);
}

static enum restore_link link_of(struct restore *r, const struct place *at, char **target)
{
	struct cim_error err = {0};
	enum target_kind kind;
	struct blob blob;

	/* On NTFS the reparse data themselves can be stored, which loses nothing. */
	if (at->info->reparse_tag != CIM_TAG_SYMLINK || r->job->ntfs)
		return LINK_NONE;
	if (blob_read(r->job->image, at->info, CIM_BLOB_REPARSE, &blob, &err)) {
		restore_unreadable(r, at, &err);
		return LINK_NONE;
	}
	*target = reparse_to_symlink(blob.data, blob.size, &kind);
	blob_free(&blob);
	if (!*target)
		return LINK_NONE;
	return kind == TARGET_ABSOLUTE ? LINK_TRANSLATED : LINK_EXACT;
}

static bool wants(void *ctx, const struct place *at)
{
	struct extract *x = ctx;

	progress_tick(&x->progress);
	/* As on a host, a link to a directory is none. */
	return !excluded(&x->exclude, at->path + 1,
			 at->info->is_directory && !reparse_is_link(at->info->reparse_tag), true);
}

/* ---- the queue ---- */

static void run_item(void *own, void *work)
{
	struct restore *r = own;
	struct extract *x = r->job->ctx;

	restore_item_run(r, work);
	x->progress.files++;
}

static int finish_item(void *ctx, void *work)
{
	struct extract *x = ctx;

	return restore_item_finish(x->tree, work);
}

static void drop_item(void *work)
{
	restore_item_drop(work);
}

static const struct queue_ops queue_ops = {
	.run = run_item,
	.finish = finish_item,
	.drop = drop_item,
};

static int put(void *ctx, struct restore_item *item, bool run)
{
	struct extract *x = ctx;

	return queue_put(x->queue, item, run);
}

static int drain(void *ctx)
{
	struct extract *x = ctx;

	return queue_drain(x->queue);
}

static void open_queue(struct extract *x)
{
	const unsigned count = tool_threads(x->t);

	x->threads = xcalloc(count, sizeof(*x->threads));
	for (unsigned i = 0; i < count; i++) {
		restore_init(&x->threads[i], &x->job);
		restore_tree_lend(x->tree, &x->threads[i]);
	}
	x->queue = queue_open(x->t, &queue_ops, x, x->threads, sizeof(*x->threads),
			      queue_threads(x->t), QUEUED, &x->progress);
}

static int close_queue(struct extract *x, int code)
{
	code = queue_close(x->queue, code);
	for (unsigned i = 0; i < tool_threads(x->t); i++)
		restore_free(&x->threads[i]);
	free(x->threads);
	return code;
}

static const struct restore_ops restore_ops = {
	.lost = lost,
	.unreadable = unreadable,
	.fail = fail_host,
	.fail_cim = fail_cim,
	.stopped = tool_stopped,
	.wrote = wrote,
	.name = name_of,
	.link = link_of,
	.stream_name = stream_name,
	.put = put,
	.drain = drain,
	.wants = wants,
};

/* ---- paths that were asked for ---- */

/* An entry's name as the image spells it; @name, in any case, if none is like it by our own upcase
 * table. NULL: it may be one of those that can't be read. */
static char *spelling_of(struct cim_iter *iter, const char *name, size_t len, uint32_t id,
			 struct cim_error *err)
{
	const struct cim_entry *entry;
	uint16_t units[CIM_MAX_NAME];
	bool more = true, unread = false;
	size_t count;

	if (cim_utf16_from_utf8(name, len, units, CIM_MAX_NAME, &count))
		count = 0;
	while (more) {
		if (cim_iter_next(iter, &entry, err))
			unread = true; /* the next call goes on behind it */
		else if (!entry)
			more = false;
		else if (entry->file_id == id &&
			 !cim_name_compare_default(units, count, entry->name, entry->units))
			return xstrdup(entry->utf8);
	}
	return unread ? NULL : xstrndup(name, len);
}

/* An entry by its name in any case. */
static int find_entry(struct extract *x, uint32_t dir, const char *name, size_t len,
		      const char *path, uint32_t *id, char **spelling)
{
	struct cim_image *image = x->job.image;
	struct cim_str want = {.utf8 = name, .units = len};
	struct cim_error err = {0};
	struct cim_iter *iter;

	if (!cim_image_lookup_at(image, dir, want, true, id, NULL)) {
		*spelling = xstrndup(name, len);
		return EXIT_OK;
	}
	if (cim_image_lookup_at(image, dir, want, false, id, &err))
		return tool_fail_at(x->t, "extract", x->name, path, &err);
	if (cim_iter_dir(image, dir, &iter, &err))
		return fail_cim(x, &err);
	*spelling = spelling_of(iter, name, len, *id, &err);
	cim_iter_close(iter);
	return *spelling ? EXIT_OK : tool_fail_at(x->t, "extract", x->name, path, &err);
}

/* One component of a path; @last: what is asked for, with what is below it. */
static int extract_component(struct extract *x, const char *path, size_t depth, uint32_t id,
			     const char *name, bool last)
{
	bool entered;
	int code;

	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return tool_fail(x->t, "extract", x->name, path, "no name on Linux");
	if (last)
		return restore_tree_add(x->tree, depth, id, name);
	code = restore_tree_enter(x->tree, depth, id, name, &entered);
	if (!code && !entered)
		code = tool_fail(x->t, "extract", x->name, path,
				 "a component of the path is no directory");
	return code;
}

/* Go down to @path, making the directories on the way, and restore what is there. */
static int extract_path(struct extract *x, uint32_t root, const char *path)
{
	const char *p = path + strspn(path, "/\\");
	uint32_t dir = root;
	int code = EXIT_OK;

	if (!*p)
		return restore_tree_add(x->tree, 1, root, NULL);
	for (size_t depth = 1; !code && *p; depth++) {
		size_t len = strcspn(p, "/\\");
		char *spelling = NULL;

		code = find_entry(x, dir, p, len, path, &dir, &spelling);
		p += len;
		p += strspn(p, "/\\");
		if (!code)
			code = extract_component(x, path, depth, dir, spelling, !*p);
		free(spelling);
	}
	return code;
}

/* ---- what would be too much ---- */

/* A directory is about to be gone through. What can't be read is told by who does. */
static int spend_directory(struct extract *x, struct cim_budget *budget, uint32_t id)
{
	struct cim_error err = {0};
	struct cim_place place;
	struct cim_iter *iter;

	if (cim_iter_dir(x->job.image, id, &iter, NULL))
		return EXIT_OK;
	cim_iter_place(iter, &place);
	cim_iter_close(iter);
	return cim_budget_spend(budget, &place, &err) ? fail_cim(x, &err) : EXIT_OK;
}

/* A directory that the walk met below @path, whose first '/' isn't there. */
static int spend_item(struct extract *x, struct cim_budget *budget, struct cim_walk *walk,
		      const struct cim_walk_item *item, const char *path)
{
	char *below = xasprintf("%s%s%s", path, *path && *item->path ? "/" : "", item->path);
	const bool out = *below && excluded(&x->exclude, below, true, true);

	free(below);
	if (!out)
		return spend_directory(x, budget, item->info->file_id);
	cim_walk_skip(walk);
	return EXIT_OK;
}

static int spend_below(struct extract *x, struct cim_budget *budget, uint32_t id, const char *path)
{
	const struct cim_walk_item *item;
	struct cim_error err = {0};
	struct cim_walk *walk;
	enum cim_status status;
	int code = EXIT_OK;

	if (cim_walk_open(x->job.image, id, &walk, &err))
		return fail_cim(x, &err);
	do {
		status = cim_walk_next(walk, &item, NULL);
		if (item && item->info->is_directory)
			code = spend_item(x, budget, walk, item, path);
	} while (!code && (status || item));
	cim_walk_close(walk);
	return code;
}

/* What the paths name together, or the image but for what is left out. Asked only where the whole
 * image is out of proportion: making the files would meet that when there are very many. */
static int check_proportion(struct extract *x, const struct selection *paths)
{
	struct cim_image *image = x->job.image;
	struct cim_budget *budget;
	struct cim_error err = {0};
	uint32_t id = cim_image_get_info(image)->root_id;
	int code = EXIT_OK;

	if (restore_tree_walkable(x->tree))
		return EXIT_OK;
	if (cim_budget_open(image, &budget, &err))
		return fail_cim(x, &err);
	if (!paths)
		code = spend_below(x, budget, id, "");
	for (size_t i = 0; paths && i < paths->count && !code; i++) {
		const char *path = paths->paths[i] + strspn(paths->paths[i], "/\\");

		if (!cim_image_lookup(image, cim_str8(path), &id, NULL))
			code = spend_below(x, budget, id, path);
	}
	cim_budget_close(budget);
	return code;
}

/* ---- the command ---- */

static int open_target(struct extract *x)
{
	int fd;

	x->made_target = !mkdir(x->target, 0777);
	if (!x->made_target && errno != EEXIST)
		return tool_fail_errno(x->t, "extract", x->name, x->target);
	fd = open(x->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return tool_fail_errno(x->t, "extract", x->name, x->target);
	x->job.ntfs = fgetxattr(fd, XATTR_NTFS_ATTRIB, NULL, 0) == 4;
	return restore_tree_target(x->tree, fd);
}

static int extract_all(struct extract *x, const struct selection *paths)
{
	const struct cim_image_info *info;
	int code = EXIT_OK;

	info = cim_image_get_info(x->job.image);
	if (!paths && !x->exclude.count)
		code = restore_tree_whole(x->tree);
	else
		code = check_proportion(x, paths);
	if (!code && !paths && x->exclude.count)
		code = restore_tree_add(x->tree, 1, info->root_id, NULL);
	for (size_t i = 0; paths && i < paths->count && !code; i++)
		code = extract_path(x, info->root_id, paths->paths[i]);
	return restore_tree_end(x->tree, code);
}

/* @paths: NULL is the whole image; *read_code: of what couldn't be read of it. */
static int extract(struct extract *x, const struct selection *paths, int *read_code)
{
	int code;

	*read_code = EXIT_OK;
	x->tree = restore_tree_open(&x->job, &code);
	if (!x->tree)
		return code;
	code = open_target(x);
	if (!code) {
		open_queue(x);
		code = extract_all(x, paths);
		code = close_queue(x, code);
	}
	*read_code = restore_tree_close(x->tree, &x->items);
	/* Unless there is something in it. */
	if (code && x->made_target)
		rmdir(x->target);
	return code;
}

static void print_summary(struct extract *x)
{
	double seconds = progress_seconds(&x->progress);
	char size[32];

	if (x->t->json) {
		json_t *o = json_summary(x->t);

		json_put_text(o, "image", x->name);
		json_put_text(o, "target", x->target);
		json_put_int(o, "items", x->items);
		json_put_int(o, "bytes", x->progress.bytes);
		json_put_int(o, "milliseconds", (uint64_t)(seconds * 1000));
		json_put_int(o, "warnings", x->t->warnings);
		json_print(stdout, o);
	} else if (!x->t->quiet) {
		put_escaped(stdout, x->target);
		printf(": %llu item%s, %s, %.1f seconds\n", (unsigned long long)x->items,
		       plural(x->items), size_text(x->progress.bytes, size, sizeof(size)), seconds);
	}
}

static int run_extract(struct extract *x, const struct selection *paths)
{
	int read_code;
	int code;

	for (size_t i = 0; i < LOST_COUNT; i++)
		x->lost[i].what = restore_loss_text[i];
	tool_catch_signals();
	tool_outlive_readers();
	progress_start(&x->progress, x->t, "extract");
	code = extract(x, paths, &read_code);
	progress_end(&x->progress);
	for (size_t i = 0; i < LOST_COUNT; i++)
		loss_report(x->t, &x->lost[i], "extract", x->name);
	if (!code) {
		x->t->done = "the files are extracted all the same";
		print_summary(x);
	}
	return code ? code : read_code;
}

static int open_and_extract(struct extract *x, char **args, size_t count)
{
	struct selection paths = {0};
	int code;

	x->name = args[0];
	x->job.image = tool_open(x->t, args[0], &code);
	if (!x->job.image)
		return code;
	code = select_paths(x->t, x->job.image, args[0], args + 1, count - 1, !x->no_globs,
			    x->nullglob, &paths);
	if (!code)
		code = run_extract(x, count > 1 ? &paths : NULL);
	selection_free(&paths);
	cim_image_close(x->job.image);
	return code;
}

static const struct arg_option options[] = {
	{.name = "directory",
	 .letter = 'C',
	 .meta = "DIR",
	 ARG_SETS(struct extract, target),
	 .help = "into DIR, made if missing, instead of the current directory"},
	{.name = "overwrite",
	 ARG_SETS(struct extract, job.overwrite),
	 .help = "replace what is there; without it a file that exists is an error"},
	{.name = "streams-interface",
	 .meta = "none|windows|xattr",
	 ARG_SETS_WORD(struct extract, job.streams),
	 .help = "alternate streams: leave out; as NAME:STREAM; as the extended attribute "
		 "user.STREAM (the default)"},
	{.name = "no-acls",
	 ARG_SETS(struct extract, job.no_acls),
	 .help = "security descriptors: don't restore, don't report"},
	{.name = "strict-acls",
	 ARG_SETS(struct extract, strict_acls),
	 .help = "a security descriptor that can't be restored is an error that ends the "
		 "command: exit status 1"},
	{.name = "no-attributes",
	 ARG_SETS(struct extract, job.no_attributes),
	 .help = "don't restore, don't report DOS attributes beyond read-only, extended "
		 "attributes, and creation and change times"},
	{.name = "no-globs",
	 ARG_SETS(struct extract, no_globs),
	 .help = "every PATH is meant as it stands"},
	{.name = "nullglob",
	 ARG_SETS(struct extract, nullglob),
	 .help = "a pattern that matches nothing is no error"},
	EXCLUDE_OPTIONS(struct extract, exclude,
			"leave out what matches below the image's root, in any case of "
			"letters. " EXCLUDE_PATTERNS),
	OPEN_OPTIONS,
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct extract x = {
		.t = t,
		.target = ".",
		.job = {.ops = &restore_ops,
			.ctx = &x,
			.streams = RESTORE_STREAMS_XATTR,
			.dosattrib = CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM | CIM_ATTR_ARCHIVE},
	};
	int code = tool_args(t, argc, argv, &x, 1, ANY_NUMBER, "IMAGE is missing");

	if (!code && x.job.no_acls && x.strict_acls)
		code = tool_usage(t, "--no-acls and --strict-acls exclude each other");
	if (!code)
		code = open_and_extract(&x, argv + optind, (size_t)(argc - optind));
	exclude_free(&x.exclude);
	return code;
}

const struct command cmd_extract = {
	.name = "extract",
	.alias = "apply",
	.usage = "[OPTION]... IMAGE [PATH...]",
	.summary = "restore files from an image",
	.about = "Restores the whole image, or each PATH with what is below it (under its full "
		 "path).\n"
		 "\n"
		 "A PATH may be a pattern, quoted so that the shell leaves it alone: '*' is any "
		 "characters, '?' one, '[a-z]' one of a set, '[!a-z]' one not of it; not '/'. "
		 "Letters match in any case. A name that exists as it stands (it may hold "
		 "brackets) means that item. What several PATHs name is restored once.",
	.notes = "Contents, holes, last write and access times, read-only (mode), hard links and "
		 "symlinks are restored anywhere. Other attributes go into user.DOSATTRIB. On "
		 "ntfs-3g all the rest goes into its system.ntfs_* attributes; elsewhere it is "
		 "reported as not restored, in one line a kind (each with --verbose), with exit "
		 "status 3. Absolute Windows targets of symlinks lose their drive: C:\\x becomes "
		 "/x.\n"
		 "\n"
		 "No image can lead out of DIR: links are never followed, and names with '/' or "
		 "NUL, and \".\" and \"..\", are refused and reported.",
	.options = options,
	.run = run,
};
