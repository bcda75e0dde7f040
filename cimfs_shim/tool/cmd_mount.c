/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_mount.c - cimtool mount, umount and mounts
 *
 * Mounting is cimfs-mount's: the program beside this one, or by PATH, or what CIMFS_MOUNT_HELPER
 * names. Here it is only started, and what it left is listed and ended.
 */
#include "mountlist.h"

#include "../host/mountinfo.h"
#include "../host/run.h"
#include "../host/unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- running programs ---- */

static char *find_helper(void)
{
	const char *named = getenv("CIMFS_MOUNT_HELPER");
	char self[PATH_MAX];
	ssize_t len;

	if (named && *named)
		return xstrdup(named);
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		char *path;

		self[len] = '\0';
		*strrchr(self, '/') = '\0';
		path = xasprintf("%s/cimfs-mount", self);
		if (!access(path, X_OK))
			return path;
		free(path);
	}
	return xstrdup("cimfs-mount");
}

/* ---- mount ---- */

/* The helper's command line. */
struct words {
	char **words;
	size_t count;
};

struct mount_call {
	struct words words;
	const char *ready_fd;
	bool foreground;
};

static void add_word(struct words *to, const char *word)
{
	to->words[to->count++] = (char *)word;
}

static int take_option(void *tool, void *words, const struct arg_option *option, char *text)
{
	(void)tool;
	(void)option;
	add_word(words, "-o");
	add_word(words, text);
	return EXIT_OK;
}

static const struct arg_option mount_options[] = {
	{.name = "options",
	 .letter = 'o',
	 .meta = "A,B,...",
	 .take = take_option,
	 .at = offsetof(struct mount_call, words),
	 .help = "nlink=1, ignore_case, streams_interface=..., uid=..., ..."},
	{.name = "foreground",
	 .letter = 'f',
	 ARG_SETS(struct mount_call, foreground),
	 .help = "stay in the foreground until it is unmounted"},
	{.name = "ready-fd",
	 .meta = "N",
	 ARG_SETS(struct mount_call, ready_fd),
	 .help = "write a line to file descriptor N once it can be used"},
	OPEN_OPTIONS,
	{0},
};

/* The image, with its sources, and where to; the hash is to be freed. */
static char *add_image(const struct tool *t, struct words *to, const char *image, const char *dir)
{
	char *hash = t->verified ? hex_text(t->root_hash, sizeof(t->root_hash)) : NULL;

	if (hash) {
		add_word(to, "--root-hash");
		add_word(to, hash);
	}
	if (t->source_count)
		add_word(to, "--merge");
	add_word(to, "--");
	add_word(to, image);
	for (size_t i = 0; i < t->source_count; i++)
		add_word(to, t->sources[i]);
	add_word(to, dir);
	return hash;
}

static int run_mount(struct tool *t, int argc, char **argv)
{
	struct mount_call call = {
		.words = {.words = xcalloc((size_t)argc * 2 + 8, sizeof(char *)), .count = 1}};
	struct words *to = &call.words;
	char *hash;
	int code = tool_args(t, argc, argv, &call, 2, 2, "an image and a directory are needed");

	if (!code) {
		to->words[0] = find_helper();
		if (call.foreground)
			add_word(to, "--foreground");
		if (call.ready_fd) {
			add_word(to, "--ready-fd");
			add_word(to, call.ready_fd);
		}
		hash = add_image(t, to, argv[optind], argv[optind + 1]);
		execvp(to->words[0], to->words);
		code = tool_fail(t, "mount", argv[optind], NULL, "%s can't be run: %s",
				 to->words[0], strerror(errno));
		free(hash);
		free(to->words[0]);
	}
	free(to->words);
	return code;
}

const struct command cmd_mount = {
	.name = "mount",
	.usage = "[OPTION]... IMAGE DIR",
	.summary = "mount an image on a directory, read-only",
	.about = "Mounts with cimfs-mount (beside cimtool, in PATH, or named by "
		 "CIMFS_MOUNT_HELPER), "
		 "which needs FUSE. \"cimfs-mount --help\" tells about the options.",
	.options = mount_options,
	.run = run_mount,
};

/* ---- ending one ---- */

/* A volume of Wine's is ended by the program that knows what belongs to it. */
static int dismount_volume(struct tool *t, const struct mount *m)
{
	char *helper = find_helper();
	char *argv[] = {helper, "--wine-dismount", "--dosdevices", m->dosdevices, "--guid", m->guid,
			NULL};
	int code = run_program(argv, -1);

	if (code < 0)
		tool_fail(t, "umount", m->guid, NULL, "%s can't be run: %s", helper,
			  strerror(errno));
	free(helper);
	return code ? EXIT_FAILED : EXIT_OK;
}

static int end_mount(struct tool *t, const struct mount *m, bool lazy)
{
	struct cim_error err = {0};

	if (m->guid)
		return dismount_volume(t, m);
	/* What is dead is in nobody's use, whoever has it open. */
	switch (unmount_dir(m->dir, lazy || m->state != MOUNT_LIVE, &err)) {
	case UNMOUNT_DONE:
	case UNMOUNT_GONE: /* somebody else was quicker */
		break;
	case UNMOUNT_BUSY:
		return tool_fail(t, "umount", m->dir, NULL, "%s (--lazy unmounts it all the same)",
				 err.cause);
	case UNMOUNT_REFUSED:
		return tool_fail(t, "umount", m->dir, NULL, "%s", err.cause);
	}
	tool_verbose(t, "unmounted %s", m->dir);
	return EXIT_OK;
}

/* ---- umount ---- */

/* An absolute path without links, also of a mount point whose server is dead. */
static char *canonical(const char *path)
{
	char *real = realpath(path, NULL);
	const char *name;
	char *dir, *result;

	if (real)
		return real;
	dir = split_image(path, &name);
	real = realpath(dir, NULL);
	result = real ? xasprintf("%s/%s", real, name) : xstrdup(path);
	free(real);
	free(dir);
	return result;
}

/* What a user calls a mount: its directory, its image, or a volume's GUID. */
struct name {
	char *path;
	char guid[CIM_GUID_TEXT]; /* "" if it is none */
};

static void parse_name(struct name *name, const char *text)
{
	struct cim_guid parsed;
	const char *brace = strchr(text, '{');

	name->path = canonical(text);
	name->guid[0] = '\0';
	if (cim_guid_parse(text, &parsed)) {
		cim_guid_format(&parsed, name->guid);
	} else if (brace && strlen(brace) >= CIM_GUID_TEXT + 1) {
		/* "Volume{GUID}" and "\\?\Volume{GUID}\" are what Windows shows. */
		char *braced = xstrndup(brace, CIM_GUID_TEXT + 1);

		if (cim_guid_parse(braced, &parsed))
			cim_guid_format(&parsed, name->guid);
		free(braced);
	}
}

static bool is_named(const struct mount *m, const struct name *name)
{
	if (m->guid && *name->guid)
		return !strcmp(m->guid, name->guid);
	return !strcmp(m->dir, name->path) || !strcmp(m->image, name->path);
}

/* Does a Wine prefix have volumes? */
static bool has_volumes(const struct mount_list *list, const char *prefix)
{
	char *real = realpath(prefix, NULL);
	char *dosdevices = xasprintf("%s/dosdevices", real ? real : prefix);
	bool found = false;

	for (size_t i = 0; i < list->count && !found; i++) {
		const char *of = list->mounts[i].dosdevices;

		found = of && !strcmp(of, dosdevices);
	}
	free(dosdevices);
	free(real);
	return found;
}

/* A mount is found wherever it is; an unpacked copy only if one knows the prefix, which is worth
 * saying to someone who may mean a volume. */
static int not_mounted(struct tool *t, const char *text, const struct name *name,
		       const struct mount_list *list)
{
	char *prefix = wine_prefix();
	int code;

	if (*name->guid || (prefix && has_volumes(list, prefix)))
		code = tool_fail(t, t->command->name, text, NULL,
				 "nothing of that name is mounted (volumes that are unpacked "
				 "copies are found in the Wine prefix %s alone; WINEPREFIX names "
				 "another)",
				 prefix ? prefix : "~/.wine");
	else
		code = tool_fail(t, t->command->name, text, NULL,
				 "nothing of that name is mounted");
	free(prefix);
	return code;
}

static int get_list(struct tool *t, struct mount_list *list)
{
	const int error = mount_list_get(list);

	return error ? tool_fail(t, "read", MOUNTINFO, NULL, "%s", strerror(error)) : EXIT_OK;
}

static int umount_one(struct tool *t, const char *text, bool lazy)
{
	struct mount_list list;
	struct name name;
	bool found = false;
	char *image = NULL;
	int code = get_list(t, &list);

	parse_name(&name, text);
	/* The last one first: it may lie over another. */
	for (size_t i = list.count; i-- > 0;) {
		struct mount *m = &list.mounts[i];
		int one;

		if (!is_named(m, &name))
			continue;
		mount_ask(m);
		found = true;
		if (!image && !lazy)
			image = xstrdup(m->image);
		one = end_mount(t, m, lazy);
		if (one)
			code = one;
		if (!strcmp(m->dir, name.path))
			break;
	}
	if (!found && !code)
		code = not_mounted(t, text, &name, &list);
	mount_list_free(&list);
	if (found && !code && image)
		mount_wait_for_end(image);
	free(image);
	free(name.path);
	return code;
}

static const struct arg_option umount_options[] = {
	{.name = "lazy",
	 .letter = 'l',
	 .kind = ARG_FLAG,
	 .help = "also while it is in use: what is open goes on"},
	{0},
};

static int run_umount(struct tool *t, int argc, char **argv)
{
	bool lazy = false;
	int code = tool_args(t, argc, argv, &lazy, 1, ANY_NUMBER,
			     "a directory, an image or a GUID is needed");

	if (code)
		return code;
	for (int i = optind; i < argc; i++) {
		int one = umount_one(t, argv[i], lazy);

		if (one)
			code = one;
	}
	return code;
}

const struct command cmd_umount = {
	.name = "umount",
	.alias = "dismount",
	.usage = "[OPTION]... DIR|IMAGE|GUID...",
	.summary = "end a mount",
	.about = "Ends the mount on DIR, all mounts of IMAGE, or Wine's volume GUID (with or "
		 "without "
		 "braces or \"Volume\"), also where the server is dead. Returns when the server "
		 "has ended. Volumes that are unpacked copies, for want of FUSE, are looked for in "
		 "the Wine prefix in WINEPREFIX (or ~/.wine) alone.",
	.options = umount_options,
	.run = run_umount,
};

/* ---- mounts ---- */

static void print_mount(struct tool *t, const struct mount *m, bool cleaned)
{
	const char *state = cleaned ? "removed" : mount_state_name(m->state);
	json_t *object;

	if (!t->json) {
		printf("%-9s ", state);
		put_escaped(stdout, *m->image ? m->image : "?");
		printf(" on ");
		put_escaped(stdout, m->dir);
		printf("%s%s%s\n", m->guid ? " volume " : "", m->guid ? m->guid : "",
		       m->backend == BACKEND_EXTRACT ? " (unpacked copy)" : "");
		return;
	}
	object = json_object();
	json_put_text(object, "image", m->image);
	json_put_text(object, "dir", m->dir);
	json_put_text(object, "backend", backend_name(m->backend));
	json_put_text(object, "state", state);
	if (m->guid) {
		json_put_text(object, "guid", m->guid);
		json_put_text(object, "dosdevices", m->dosdevices);
	}
	json_print(stdout, object);
}

/* Is a mount one of those that were named, if any were? */
static bool is_wanted(const struct mount *m, char **texts)
{
	bool wanted = !*texts;

	for (; *texts && !wanted; texts++) {
		struct name name;

		parse_name(&name, *texts);
		wanted = is_named(m, &name);
		free(name.path);
	}
	return wanted;
}

/* What was named and isn't there. */
static int tell_missing(struct tool *t, const struct mount_list *list, char **texts)
{
	int code = EXIT_OK;

	for (; *texts; texts++) {
		struct name name;
		bool found = false;

		parse_name(&name, *texts);
		for (size_t i = 0; i < list->count; i++)
			found |= is_named(&list->mounts[i], &name);
		if (!found)
			code = not_mounted(t, *texts, &name, list);
		free(name.path);
	}
	return code;
}

static const struct arg_option mounts_options[] = {
	{.name = "clean", .kind = ARG_FLAG, .help = "take the stale ones away"},
	{0},
};

static int run_mounts(struct tool *t, int argc, char **argv)
{
	bool clean = false;
	struct mount_list list;
	int code = tool_args(t, argc, argv, &clean, 0, ANY_NUMBER, NULL);

	if (code)
		return code;
	code = get_list(t, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct mount *m = &list.mounts[i];
		bool cleaned = false;

		if (!is_wanted(m, argv + optind))
			continue;
		mount_ask(m);
		if (clean && m->state == MOUNT_STALE) {
			int one = end_mount(t, m, true);

			cleaned = !one;
			if (one)
				code = one;
		}
		print_mount(t, m, cleaned);
	}
	if (tell_missing(t, &list, argv + optind))
		code = EXIT_FAILED;
	mount_list_free(&list);
	return code;
}

const struct command cmd_mounts = {
	.name = "mounts",
	.usage = "[OPTION]... [DIR|IMAGE|GUID...]",
	.summary = "list the images that are mounted",
	.about = "A line for each mount, and for each volume of the Wine prefix in WINEPREFIX (or "
		 "~/.wine), or only for those that are named: live; stale, if its server is dead "
		 "or only remains are there; or \"no answer\". Exit status 1 if something that is "
		 "named isn't mounted.",
	.options = mounts_options,
	.run = run_mounts,
};
