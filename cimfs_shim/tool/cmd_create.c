/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_create.c - cimtool create and append: host trees into a new or an existing image
 */
#include "write.h"

struct create {
	struct write_options options;
	const char *dump;
	const char *data_dir;
};

static const struct arg_option create_options[] = {
	WRITE_OPTIONS(struct create, options),
	{.name = "from-dump",
	 .meta = "FILE",
	 ARG_SETS(struct create, dump),
	 .help = "make the image that \"cimtool dump\" described (- is stdin)"},
	{.name = "data",
	 .meta = "DIR",
	 ARG_SETS(struct create, data_dir),
	 .help = "where the dump's larger data are"},
	CONTAINER_OPTIONS(struct create, options.place),
	{0},
};

static const struct arg_option append_options[] = {
	WRITE_OPTIONS(struct create, options),
	{0},
};

static int run_write(struct tool *t, const char *image, char *const *sources, size_t count,
		     const struct create *create)
{
	const bool append = t->command == &cmd_append;
	const char *op = append ? "append to" : "create";
	const struct write_options *options = &create->options;
	struct session session;
	const char *file;
	int code = EXIT_OK;

	free(split_image(image, &file));
	if (!*file)
		return tool_usage(t, "'%s' names a directory, not an image", image);
	if (append)
		free(tool_image_path(t, op, image, &code));
	if (!code)
		code = session_open(&session, t, op, image, append ? "" : NULL, options);
	if (code)
		return code;
	if (create->dump)
		code = from_dump(&session, create->dump, create->data_dir);
	else
		code = capture(&session, options, sources, count, NULL, 0, NULL, 0);
	if (code) {
		session_close(&session);
		return code;
	}
	return session_commit(&session, options);
}

static int run(struct tool *t, int argc, char **argv)
{
	struct create create = {0};
	int code = tool_args(t, argc, argv, &create, 1, ANY_NUMBER, "IMAGE is missing");

	create.options.as_stored = create.dump != NULL;
	if (code)
		;
	else if (create.dump && argc - optind > 1)
		code = tool_usage(t, "--from-dump takes no SOURCE");
	else if (create.data_dir && !create.dump)
		code = tool_usage(t, "--data needs --from-dump");
	else if (!create.dump && argc - optind < 2)
		code = tool_usage(t, "SOURCE is missing");
	else
		code = run_write(t, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1),
				 &create);
	exclude_free(&create.options.exclude);
	return code;
}

#define ABOUT_SOURCES                                                                              \
	"\n"                                                                                       \
	"What is in each SOURCE directory goes into the image's root; a later SOURCE goes "        \
	"over an earlier one. A SOURCE that is a file goes there by its name; one that is a "      \
	"symlink is what it leads to. A pipe or a device is refused.\n"                            \
	"\n"                                                                                       \
	"Kept: contents, last write times (in 100 ns), read-only (a mode without w), hard "        \
	"links, symlinks (as reparse points, to directories if that is where they lead in the "    \
	"result), sparse files, user.DOSATTRIB, and "                                              \
	"ntfs-3g's system.ntfs_* attributes. Owner, group and other mode bits have no place "      \
	"in an image. Special files, other extended attributes, and what the host's "              \
	"driver can't show, are reported as not stored (exit status 3). Two names that differ in " \
	"case only are an error, and so is "                                                       \
	"one with a control character or one of \\ : * ? \" < > |, as Windows' file systems "      \
	"refuse it. What only Win32 can't name (\"con\", a dot or a space at the end) is "         \
	"stored, and so are unpaired surrogates."

const struct command cmd_create = {
	.name = "create",
	.alias = "capture",
	.usage = "[OPTION]... IMAGE SOURCE...",
	.summary = "make an image from directories",
	.about = "Makes the new image IMAGE, e.g. dir/layer.cim, and its region files beside "
		 "it; or, in a container, IMAGE is CONTAINER/NAME, e.g. layers.bcim/layer.cim, and "
		 "all is in that one file.\n" ABOUT_SOURCES,
	.options = create_options,
	.run = run,
};

const struct command cmd_append = {
	.name = "append",
	.usage = "[OPTION]... IMAGE SOURCE...",
	.summary = "put more into an existing image",
	.about = "Extends IMAGE in place: the old image stands until the new one is "
		 "complete. " ABOUT_MERGING "\n" ABOUT_SOURCES,
	.options = append_options,
	.run = run,
};
