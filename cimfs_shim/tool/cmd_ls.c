/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_ls.c - cimtool ls: what is in a directory of an image
 */
#include "tool.h"

#include <unistd.h>

enum color_when {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

struct ls {
	struct tool *t;
	struct cim_image *image;
	struct cim_budget *budget; /* of stream tables */
	const char *name;
	bool all;
	bool longer;
	bool recursive;
	bool streams;
	bool color;
	int color_when; /* enum color_when; -1: no word */
};

/* Without a word it is always, as with ls(1). */
static bool in_color(int when)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (when != COLOR_AUTO)
		return when != COLOR_NEVER;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

/* The colours that ls(1) has without a configuration; "" for what has none. */
static const char *color_of(const struct ls *ls, const struct cim_file_info *info)
{
	if (!ls->color)
		return "";
	if (info->reparse_tag == CIM_TAG_SYMLINK || info->reparse_tag == CIM_TAG_MOUNT_POINT)
		return "\033[01;36m";
	return info->is_directory ? "\033[01;34m" : "";
}

/* *target: where a symlink, mount point or merge link leads, NULL if it is none. */
static int read_target(struct ls *ls, const char *path, const struct cim_file_info *info,
		       char **target)
{
	struct cim_error err = {0};
	struct blob blob;

	*target = NULL;
	if (info->marks & CIM_MARK_MERGE_LINK) {
		*target = merge_link_target(ls->image, ls->budget, info, &err);
		return *target ? EXIT_OK : tool_fail_at(ls->t, "list", ls->name, path, &err);
	}
	if (info->reparse_tag != CIM_TAG_SYMLINK && info->reparse_tag != CIM_TAG_MOUNT_POINT)
		return EXIT_OK;
	if (blob_read(ls->image, info, CIM_BLOB_REPARSE, &blob, &err))
		return tool_fail_at(ls->t, "list", ls->name, path, &err);
	*target = reparse_target(blob.data, blob.size);
	blob_free(&blob);
	return EXIT_OK;
}

/* One line: an item, or a stream of it. */
static void print_text(struct ls *ls, const char *path, const char *stream,
		       const struct cim_file_info *info, uint64_t size, const char *target)
{
	char letters[8];
	char when[TIME_TEXT];
	const char *color = color_of(ls, info);

	if (ls->longer) {
		const char *mark = stream ? "" : mark_letter(info->marks);

		/* Seconds are enough for a list; "stat" has the rest. */
		filetime_text(info->last_write_time, when);
		if (strlen(when) == 28) {
			when[19] = '\0';
			when[10] = ' ';
		}
		printf("%s%s %*llu %19s ",
		       stream ? "-------" : attribute_letters(info->attributes, letters), mark,
		       *mark ? 12 : 13, (unsigned long long)size, when);
	}
	fputs(color, stdout);
	put_escaped(stdout, path);
	if (*color)
		fputs("\033[0m", stdout);
	if (stream) {
		putchar(':');
		put_escaped(stdout, stream);
	}
	if (ls->longer && target) {
		fputs(" -> ", stdout);
		put_target(stdout, target);
	}
	putchar('\n');
}

static void print_json(const char *path, const char *stream, const struct cim_file_info *info,
		       uint64_t size, const char *target)
{
	json_t *o = json_object();
	char letters[8];

	json_put_text(o, "path", path);
	if (stream) {
		json_put_text(o, "stream", stream);
		json_put_int(o, "size", size);
		json_print(stdout, o);
		return;
	}
	json_put_text(o, "type", info->is_directory ? "directory" : "file");
	json_put_text(o, "attributes", attribute_letters(info->attributes, letters));
	json_put_int(o, "attribute_bits", info->attributes);
	if (info->marks)
		json_put_text(o, "mark", mark_name(info->marks));
	json_put_int(o, "size", size);
	json_put_int(o, "file_id", info->file_id);
	json_put_time(o, "last_write", info->last_write_time);
	if (info->reparse_tag)
		json_put_int(o, "reparse_tag", info->reparse_tag);
	if (target)
		json_put_text(o, "target", target);
	json_print(stdout, o);
}

static void print(struct ls *ls, const char *path, const char *stream,
		  const struct cim_file_info *info, uint64_t size, const char *target)
{
	if (ls->t->json)
		print_json(path, stream, info, size, target);
	else
		print_text(ls, path, stream, info, size, target);
}

static int print_streams(struct ls *ls, const char *path, const struct cim_file_info *info)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	struct cim_place place;
	const struct cim_entry *entry;
	enum cim_status status;

	if (cim_file_place(ls->image, info, CIM_PART_STREAMS, &place, &err) ||
	    cim_budget_spend(ls->budget, &place, &err) ||
	    cim_iter_file_streams(ls->image, info, &iter, &err))
		return tool_fail_cim(ls->t, "list", ls->name, &err);
	while (!(status = cim_iter_next(iter, &entry, &err)) && entry)
		print(ls, path, entry->utf8, info, entry->data->size, NULL);
	cim_iter_close(iter);
	return status ? tool_fail_cim(ls->t, "list", ls->name, &err) : EXIT_OK;
}

static int print_item(struct ls *ls, const char *path, const struct cim_file_info *info)
{
	char *target = NULL;
	int code = EXIT_OK;
	int one = EXIT_OK;

	if (ls->longer || ls->t->json)
		code = read_target(ls, path, info, &target);
	print(ls, path, NULL, info, info->size, target);
	free(target);
	if (ls->streams && info->has_streams)
		one = print_streams(ls, path, info);
	return one ? one : code;
}

/* What the walk met. @prefix: the path that was asked for */
static int list_item(struct ls *ls, struct cim_walk *walk, const struct cim_walk_item *item,
		     const char *prefix)
{
	const bool hidden = item->depth && !ls->all && item->info->attributes & CIM_ATTR_HIDDEN;

	if (item->info->is_directory && item->depth && (hidden || !ls->recursive))
		cim_walk_skip(walk);
	/* A directory that was asked for is listed, not shown; -a shows it too, as ".". */
	if (hidden || (!item->depth && item->info->is_directory && !ls->all))
		return EXIT_OK;
	if (!item->depth)
		return print_item(ls, item->info->is_directory ? "." : prefix, item->info);
	return print_item(ls, item->path, item->info);
}

/* The directory, or the one file, with what is below it if asked for. */
static int list(struct ls *ls, uint32_t id, const char *prefix)
{
	const struct cim_walk_item *item;
	struct cim_error err = {0};
	struct cim_walk *walk;
	enum cim_status status;
	int code = EXIT_OK;

	if (cim_walk_open(ls->image, id, &walk, &err))
		return tool_fail_cim(ls->t, "list", ls->name, &err);
	/* What is broken is told, and the rest listed. */
	while ((status = cim_walk_next(walk, &item, &err)) == CIM_E_CORRUPT || item) {
		int one = status ? tool_fail_cim(ls->t, "list", ls->name, &err)
				 : list_item(ls, walk, item, prefix);

		if (one)
			code = one;
	}
	if (status)
		code = tool_fail_cim(ls->t, "list", ls->name, &err);
	cim_walk_close(walk);
	return code;
}

static const struct arg_option options[] = {
	{.name = "long",
	 .letter = 'l',
	 ARG_SETS(struct ls, longer),
	 .help = "attributes (D directory, R read-only, H hidden, S system, A archive, P sparse, L "
		 "reparse point; behind them T tombstone, M merge link, B bare, O opaque), size, "
		 "last write (UTC)"},
	{.name = "recursive",
	 .letter = 'R',
	 ARG_SETS(struct ls, recursive),
	 .help = "also what is below, by its path"},
	{.name = "all",
	 .letter = 'a',
	 ARG_SETS(struct ls, all),
	 .help = "hidden items too, what marks for merging hide (cimtool-tombstone(1)), and the "
		 "directory itself as \".\""},
	{.letter = '1', .help = "a name a line (which is always so)"},
	{.name = "streams",
	 ARG_SETS(struct ls, streams),
	 .help = "alternate streams too, as NAME:STREAM"},
	{.name = "color",
	 .meta = "auto|always|never",
	 ARG_SETS_WORD(struct ls, color_when),
	 .optional = true,
	 .help = "directories and links in colour: always, if there is no word; never; or auto "
		 "(the "
		 "default): on a terminal, unless $NO_COLOR is set"},
	OPEN_OPTIONS,
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct ls ls = {.t = t};
	struct cim_error err = {0};
	const char *path;
	uint32_t id;
	int code = tool_args(t, argc, argv, &ls, 1, 2, "IMAGE is missing");

	if (code)
		return code;
	ls.color = in_color(ls.color_when);
	ls.name = argv[optind];
	t->show_marked = ls.all;
	path = argc - optind == 2 ? argv[optind + 1] : "/";
	ls.image = tool_open(t, ls.name, &code);
	if (!ls.image)
		return code;
	if (cim_budget_open(ls.image, &ls.budget, &err))
		code = tool_fail_cim(t, "list", ls.name, &err);
	if (!code)
		code = tool_lookup(t, ls.image, ls.name, path, &id, NULL);
	if (!code)
		code = list(&ls, id, path);
	cim_budget_close(ls.budget);
	cim_image_close(ls.image);
	return code;
}

const struct command cmd_ls = {
	.name = "ls",
	.alias = "dir",
	.usage = "[OPTION]... IMAGE [PATH]",
	.summary = "list a directory of an image",
	.about =
		"Lists the root, the directory PATH, or the file PATH, a name a line, sorted as in "
		"the image. Hidden items are left out without -a.",
	.notes = "A backslash in a name is shown as \\\\, control characters and unpaired "
		 "surrogates "
		 "as \\xHH for each byte. A PATH has the characters themselves, for in one a "
		 "backslash stands between names as a slash does.",
	.options = options,
	.run = run,
};
