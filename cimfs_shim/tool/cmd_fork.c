/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_fork.c - cimtool fork: a new image that starts as another one and shares its data
 */
#include "write.h"

#include <errno.h>
#include <strings.h>
#include <sys/stat.h>

#include "../host/reparse.h"

/* What to do, in the order of the command line. */
struct change {
	bool delete;
	char *source; /* add */
	const char *path;
};

struct changes {
	struct change *list;
	size_t count;
	size_t room;
};

static void add_change(struct changes *changes, struct change change)
{
	changes->list = xgrow(changes->list, &changes->room, changes->count,
			      sizeof(*changes->list));
	changes->list[changes->count++] = change;
}

static int take_add(void *tool, void *changes, const struct arg_option *option, char *arg)
{
	/* An image's path holds no ':'. */
	char *colon = strrchr(arg, ':');

	(void)option;
	if (!colon || colon == arg)
		return tool_usage(tool, "--add is SRC:DST, a host path and one in the image");
	add_change(changes, (struct change){.source = xstrndup(arg, (size_t)(colon - arg)),
					    .path = colon + 1});
	return EXIT_OK;
}

static int take_delete(void *tool, void *changes, const struct arg_option *option, char *path)
{
	(void)tool;
	(void)option;
	add_change(changes, (struct change){.delete = true, .path = path});
	return EXIT_OK;
}

static int delete_path(struct session *s, const char *path)
{
	struct cim_error err = {0};

	if (cim_writer_delete(s->writer, cim_str8(path), &err))
		return tool_fail_at(s->t, "delete from", s->image, path, &err);
	s->deleted++;
	tool_verbose(s->t, "deleted %s", path);
	return EXIT_OK;
}

/* A path of the image as code units with '\' between components and none around. */
static uint16_t *image_path(struct session *s, const char *path, size_t *units, int *code)
{
	size_t len = strlen(path);
	uint16_t *out;
	size_t i = 0;

	while (len && (path[len - 1] == '/' || path[len - 1] == '\\'))
		len--;
	while (i < len && (path[i] == '/' || path[i] == '\\'))
		i++;
	out = xmalloc((CIM_MAX_PATH + 1) * sizeof(*out));
	if (cim_utf16_from_utf8(path + i, len - i, out, CIM_MAX_PATH, units)) {
		*code = tool_fail(s->t, s->op, s->image, path, "not a path of an image");
		free(out);
		return NULL;
	}
	for (i = 0; i < *units; i++) {
		if (out[i] == '/')
			out[i] = '\\';
	}
	*code = EXIT_OK;
	return out;
}

/*
 * Make the directories of a path that the image hasn't. They are of no source, so they have no
 * attributes, and for times, as the same input has to give the same image, the last write of what
 * is put in there.
 */
static int make_directories(struct session *s, const struct write_options *options,
			    const struct change *change, const struct stat *source,
			    const uint16_t *path, size_t units)
{
	struct cim_metadata m = {CIM_SIZED(m), .attributes = CIM_ATTR_DIRECTORY};
	struct cim_error err = {0};
	int code = hostmeta_same_times(s->t, options, &source->st_mtim, &m);

	for (size_t i = 1; !code && i <= units; i++) {
		struct cim_str dir = {.utf16 = path, .units = i};
		struct cim_file_info info = {CIM_SIZED(info)};
		enum cim_status status;

		if (i < units && path[i] != '\\')
			continue;
		status = cim_writer_stat(s->writer, dir, &info, &err);
		if (status == CIM_E_FILE_NOT_FOUND)
			status = sink_item(s, path, i, &m, NULL, &err);
		else if (!status && reparse_is_link(info.reparse_tag))
			return tool_fail(s->t, s->op, s->image, change->path,
					 "a directory of the path is a link");
		if (status == CIM_E_PATH_NOT_FOUND)
			code = tool_fail(s->t, s->op, s->image, change->path,
					 "a directory of the path is a file");
		else if (status)
			code = tool_fail_at(s->t, s->op, s->image, change->path, &err);
	}
	return code;
}

static int add_path(struct session *s, const struct write_options *options,
		    const struct change *change)
{
	size_t last = strlen(change->path);
	char *sources[1] = {change->source};
	struct stat st;
	uint16_t *path;
	size_t parent;
	size_t units;
	size_t name;
	int code;

	path = image_path(s, change->path, &units, &code);
	if (!path)
		return code;
	for (name = units; name && path[name - 1] != '\\'; name--)
		;
	parent = name ? name - 1 : 0;
	if (stat(change->source, &st)) {
		code = tool_fail_errno(s->t, s->op, s->image, change->source);
	} else if (S_ISDIR(st.st_mode) || !units || change->path[last - 1] == '/') {
		/* A directory's contents, or a file by its own name. */
		code = make_directories(s, options, change, &st, path,
					S_ISDIR(st.st_mode) ? parent : units);
		if (!code)
			code = capture(s, options, sources, 1, path, units, NULL, 0);
	} else if (units - name > CIM_MAX_NAME) {
		code = tool_fail(s->t, s->op, s->image, change->path, "the name is too long");
	} else {
		code = make_directories(s, options, change, &st, path, parent);
		if (!code)
			code = capture(s, options, sources, 1, path, parent, path + name,
				       units - name);
	}
	free(path);
	return code;
}

/* Is that the directory @dir? -1, with errno: it can't be found out. */
static int is_directory(const char *path, const char *dir)
{
	struct stat a;
	struct stat b;

	if (stat(path, &a))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	return stat(dir, &b) ? -1 : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Where the new image goes: *image, allocated. */
static int place_child(struct tool *t, const char *parent, const char *dir, const char *parent_name,
		       const char *child, char **image)
{
	const char *name;
	char *child_path;
	char *child_dir;
	struct cim_error err;
	struct stat a;
	struct stat b;
	int code = EXIT_OK;
	int same;

	if (strchr(child, '/') || !strchr(parent, '/'))
		*image = xstrdup(child);
	else
		*image = xasprintf("%s/%s", strcmp(dir, "/") ? dir : "", child);
	child_path = image_path_of(*image);
	child_dir = split_image(child_path, &name);
	if (!*parent_name || !*name)
		code = tool_usage(t, "PARENT and NEW are names of image files");
	else if (!image_in_file(parent) && stat(parent, &a))
		code = tool_fail_errno(t, "open image", parent, NULL);
	else if (image_check_kind(parent, &err))
		code = tool_fail(t, "open image", parent, NULL, "%s", err.cause);
	else if ((same = is_directory(child_dir, dir)) < 0)
		code = tool_fail_errno(t, "fork", child, NULL);
	else if (!same)
		code = tool_fail(t, "fork", child, NULL,
				 "a fork lies in the directory of its parent, %s", dir);
	/* To the library one name twice means to extend the image. */
	else if (!strcmp(name, parent_name) ||
		 (image_in_file(parent) && !strcasecmp(name, parent_name)) ||
		 (!stat(child_path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino))
		code = tool_fail(t, "fork", *image, NULL, "the name is taken");
	free(child_dir);
	free(child_path);
	return code;
}

static int run_fork(struct tool *t, const char *parent, const char *child,
		    const struct changes *changes, const struct write_options *options)
{
	const char *parent_name;
	char *parent_path = image_path_of(parent);
	char *dir = split_image(parent_path, &parent_name);
	struct session session;
	char *image = NULL;
	int code;

	code = place_child(t, parent_path, dir, parent_name, child, &image);
	if (!code)
		code = session_open(&session, t, "fork", image, parent_name, options);
	if (!code) {
		for (size_t i = 0; i < changes->count && !code; i++) {
			const struct change *change = &changes->list[i];

			code = change->delete ? delete_path(&session, change->path)
					      : add_path(&session, options, change);
			if (!code && tool_signal)
				code = tool_interrupted();
		}
		if (code)
			session_close(&session);
		else
			code = session_commit(&session, options);
	}
	free(image);
	free(dir);
	free(parent_path);
	return code;
}

struct fork {
	struct write_options options;
	struct changes changes;
};

static const struct arg_option options[] = {
	{.name = "add",
	 .meta = "SRC:DST",
	 .take = take_add,
	 .at = offsetof(struct fork, changes),
	 .help = "the contents of the host directory SRC go into DST, a directory of the "
		 "image; a file SRC becomes DST, or goes into DST/ if DST ends in '/'. "
		 "Directories that are missing on the way are made"},
	{.name = "delete",
	 .meta = "PATH",
	 .take = take_delete,
	 .at = offsetof(struct fork, changes),
	 .help = "delete PATH with all below it; PATH:STREAM only that stream; both options "
		 "may be repeated and are done in the order given"},
	WRITE_OPTIONS(struct fork, options),
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct fork fork = {0};
	int code = tool_args(t, argc, argv, &fork, 2, 2, "PARENT and NEW are needed");

	if (!code)
		code = run_fork(t, argv[optind], argv[optind + 1], &fork.changes, &fork.options);
	for (size_t i = 0; i < fork.changes.count; i++)
		free(fork.changes.list[i].source);
	free(fork.changes.list);
	exclude_free(&fork.options.exclude);
	return code;
}

const struct command cmd_fork = {
	.name = "fork",
	.usage = "[OPTION]... PARENT NEW",
	.summary = "make an image that starts as another and shares its data",
	.about = "Makes NEW in PARENT's directory. PARENT stays as it is; what both hold is stored "
		 "once, so PARENT's region files are needed for as long as NEW is. A NEW without "
		 "'/' lies beside PARENT (if that is a symlink: beside what it leads to).\n"
		 "\n" ABOUT_MERGING,
	.options = options,
	.run = run,
};
