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
 */
#include "extract.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPEN_LEVELS 64

enum {
	OPT_OVERWRITE = OPT_OWN,
	OPT_EXTRACT_NO_ACLS,
	OPT_STRICT_ACLS,
	OPT_NO_ATTRIBUTES,
	OPT_STREAMS_INTERFACE,
};

struct level {
	int fd; /* -1: closed for the time being */
	dev_t dev;
	ino_t ino;
	char *name;	 /* in the level above; NULL for the target itself */
	size_t path_len; /* of its path in x->path */
	struct cim_file_info info;
};

struct extract {
	struct restore r;
	struct exclude exclude;
	struct level *levels;
	size_t level_room;
	size_t depth;
	struct text path; /* of the item at hand, in the image: "/a/b" */
	struct idset multi;
	struct idmap first; /* path of a file's first name in the target */
};

/* ---- levels ---- */

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
	level->fd = fd;
	level->dev = st.st_dev;
	level->ino = st.st_ino;
	level->name = name ? xstrdup(name) : NULL;
	level->path_len = x->path.len;
	level->info = *info;
	if (x->depth > OPEN_LEVELS) {
		struct level *far = &x->levels[x->depth - OPEN_LEVELS - 1];

		/* The target itself stays open. */
		if (far != x->levels && far->fd >= 0) {
			close(far->fd);
			far->fd = -1;
		}
	}
	return EXIT_OK;
}

/* The level above is needed again. */
static int reopen_up(struct extract *x)
{
	struct level *level = &x->levels[x->depth - 1];
	struct level *up = level - 1;
	struct stat st;

	if (up->fd >= 0)
		return EXIT_OK;
	up->fd = openat(level->fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (up->fd < 0 || fstat(up->fd, &st))
		return restore_fail(&x->r, NULL);
	if (st.st_dev != up->dev || st.st_ino != up->ino)
		return tool_fail(x->r.t, "extract", x->r.name, x->r.target,
				 "a directory was moved meanwhile");
	return EXIT_OK;
}

/* Leave the top level; @finish: with its metadata. */
static int pop_level(struct extract *x, bool finish)
{
	struct level *level = &x->levels[x->depth - 1];
	int code = EXIT_OK;

	if (finish && x->depth > 1) {
		code = reopen_up(x);
		if (!code) {
			struct place at = {
				.dirfd = level[-1].fd,
				.name = level->name,
				.path = x->path.s,
			};

			text_cut(&x->path, level->path_len);
			code = restore_directory_end(&x->r, &at, level->fd, &level->info);
		}
		text_cut(&x->path, level[-1].path_len);
	} else if (finish && level->info.file_id) {
		code = restore_directory_end(&x->r, NULL, level->fd, &level->info);
	}
	if (level->fd >= 0 && x->depth > 1)
		close(level->fd);
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

/* ---- items ---- */

/* The first name of a file, found again step by step from the target. */
static int link_first(struct extract *x, const struct place *at, const char *first)
{
	char *copy = xstrdup(first + 1);
	char *name = copy;
	int dirfd = dup(x->levels[0].fd);
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

static int extract_file(struct extract *x, const struct place *at, const struct cim_file_info *info)
{
	bool several = idset_has(&x->multi, info->file_id);
	const char *first = several ? idmap_get(&x->first, info->file_id) : NULL;
	uint64_t before = x->r.items;
	bool done = false;
	int code;

	if (first) {
		if (!link_first(x, at, first)) {
			struct cim_file_info times = *info;

			/* The reparse data are there already. */
			times.has_reparse = false;
			restore_ntfs_end(&x->r, at, &times);
			x->r.items++;
			return EXIT_OK;
		}
		if (errno == EEXIST)
			return tool_fail(x->r.t, "extract", x->r.name, at->path,
					 "the target has it already; --overwrite replaces it");
		restore_lost(&x->r, LOST_LINK, at, "a copy of %s instead: %s", first,
			     strerror(errno));
	}
	code = restore_symlink(&x->r, at, info, &done);
	if (!code && !done)
		code = restore_file(&x->r, at, info);
	if (!code && several && !first && x->r.items != before)
		idmap_put(&x->first, info->file_id, at->path);
	return code;
}

/* Put one item; *entered: it is a directory, now the top level. */
static int extract_item(struct extract *x, const char *name, const struct cim_file_info *info,
			bool *entered)
{
	struct level *top = &x->levels[x->depth - 1];
	struct place at = {.dirfd = top->fd, .name = name};
	bool done = false;
	int code;
	int fd;

	*entered = false;
	text_cut(&x->path, top->path_len);
	text_puts(&x->path, "/");
	text_puts(&x->path, name);
	at.path = x->path.s;
	if (!info->is_directory)
		return extract_file(x, &at, info);
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
		/* What can't be read is told; the rest is restored all the same. */
		if (status)
			x->r.code = tool_fail_cim(x->r.t, "extract", x->r.name, &err);
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
		progress_tick(&x->r.progress);
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

	if (cim_image_lookup_at(x->r.image, dir, want, false, id, &err)) {
		snprintf(err.path, sizeof(err.path), "%s", path);
		return tool_fail_cim(x->r.t, "extract", x->r.name, &err);
	}
	*spelling = xstrndup(name, len);
	if (cim_iter_dir(x->r.image, dir, &iter, &err))
		return tool_fail_cim(x->r.t, "extract", x->r.name, &err);
	/* Exactly that name, or else the one by which it was found. */
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

/* Go down to @path, making the directories on the way, and restore what is there. */
static int extract_path(struct extract *x, uint32_t root, const char *path)
{
	const char *p = path;
	uint32_t dir = root;
	int code = EXIT_OK;

	while (!code) {
		struct cim_error err = {0};
		struct cim_file_info info;
		char *spelling = NULL;
		uint32_t id;
		size_t len;
		bool entered = false;

		p += strspn(p, "/\\");
		len = strcspn(p, "/\\");
		if (!len)
			return p == path || dir == root ? extract_tree(x, root, NULL) : code;
		code = find_entry(x, dir, p, len, path, &id, &spelling);
		p += len;
		if (code) {
			free(spelling);
			return code;
		}
		if (strchr(spelling, '/') || !strcmp(spelling, ".") || !strcmp(spelling, "..")) {
			code = tool_fail(x->r.t, "extract", x->r.name, path, "no name on Linux");
		} else if (!p[strspn(p, "/\\")]) {
			code = extract_tree(x, id, spelling);
			if (!code)
				code = pop_to(x, 1);
			free(spelling);
			return code;
		} else if (cim_image_stat(x->r.image, id, &info, &err)) {
			code = tool_fail_cim(x->r.t, "extract", x->r.name, &err);
		} else {
			code = extract_item(x, spelling, &info, &entered);
			if (!code && !entered)
				code = tool_fail(x->r.t, "extract", x->r.name, path,
						 "a component of the path is no directory");
		}
		free(spelling);
		dir = id;
	}
	return code;
}

/* ---- the command ---- */

static int open_target(struct extract *x)
{
	struct cim_file_info none = {0};
	int fd;

	if (mkdir(x->r.target, 0777) && errno != EEXIST)
		return restore_fail(&x->r, NULL);
	fd = open(x->r.target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return restore_fail(&x->r, NULL);
	x->r.ntfs = fgetxattr(fd, "system.ntfs_attrib", NULL, 0) == 4;
	text_puts(&x->path, "");
	return push_level(x, fd, NULL, &none);
}

static void print_summary(struct extract *x)
{
	struct restore *r = &x->r;
	double seconds = progress_seconds(&r->progress);
	char size[32];

	if (r->t->json) {
		struct json_t *o = json_new();

		json_put_string(o, "command", "extract");
		json_put_name(o, "image", r->name);
		json_put_name(o, "target", r->target);
		json_put_int(o, "items", r->items);
		json_put_int(o, "bytes", r->progress.bytes);
		json_put_int(o, "milliseconds", (uint64_t)(seconds * 1000));
		json_put_int(o, "warnings", r->t->warnings);
		json_print(stdout, o);
	} else if (!r->t->quiet) {
		put_escaped(stdout, r->target);
		printf(": %llu item%s, %s, %.1f seconds\n", (unsigned long long)r->items,
		       plural(r->items), size_text(r->progress.bytes, size, sizeof(size)), seconds);
	}
}

static int extract(struct extract *x, char **paths, size_t count)
{
	struct cim_image_info info;
	int code;

	cim_image_get_info(x->r.image, &info);
	code = find_links(x->r.t, x->r.image, x->r.name, info.root_id, &x->multi);
	if (!code)
		code = open_target(x);
	if (!code && !count)
		code = extract_tree(x, info.root_id, NULL);
	for (size_t i = 0; i < count && !code; i++)
		code = extract_path(x, info.root_id, paths[i]);
	while (x->depth) {
		int one = pop_level(x, !code);

		if (!code)
			code = one;
	}
	return code;
}

static void init_losses(struct restore *r)
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
		r->lost[i].what = what[i];
}

static int run_extract(struct tool *t, struct extract *x, const char *image, char **paths,
		       size_t count)
{
	struct restore *r = &x->r;
	int code;

	r->t = t;
	r->name = image;
	r->image = tool_open(t, image, &code);
	if (!r->image)
		return code;
	r->umask = umask(0);
	umask(r->umask);
	r->buf = xmalloc(RESTORE_BUFFER);
	r->entry = xmalloc(sizeof(*r->entry));
	init_losses(r);
	tool_catch_signals();
	progress_start(&r->progress, t, "extract");
	code = extract(x, paths, count);
	progress_end(&r->progress);
	for (size_t i = 0; i < LOST_COUNT; i++)
		loss_report(t, &r->lost[i], "extract", image);
	if (!code)
		print_summary(x);
	if (!code)
		code = r->code;
	free(r->buf);
	free(r->entry);
	cim_image_close(r->image);
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
		{0},
	};
	struct extract x = {.r = {.target = ".", .streams = STREAMS_XATTR}};
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
		code = run_extract(t, &x, argv[optind], argv + optind + 1,
				   (size_t)(argc - optind - 1));
	free(x.levels);
	text_free(&x.path);
	idset_free(&x.multi);
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
