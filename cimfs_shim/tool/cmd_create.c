/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_create.c - cimtool create and append: host trees into a new or an existing image
 */
#include "write.h"

static int run_write(struct tool *t, const char *image, char *const *sources, size_t count,
		     bool append, const char *dump, const char *data_dir,
		     const struct write_options *options)
{
	const char *op = append ? "append to" : "create";
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
	if (dump)
		code = from_dump(&session, dump, data_dir);
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
	struct write_options options = {0};
	const char *data_dir = NULL;
	const char *dump = NULL;
	const struct arg_option own[] = {
		WRITE_OPTIONS(options),
		{.name = "from-dump", .value = &dump},
		{.name = "data", .value = &data_dir},
		{0},
	};
	bool append = t->command == &cmd_append;
	int code = tool_args(t, argc, argv, own, 1, ANY_NUMBER, "IMAGE is missing");

	options.as_stored = dump != NULL;
	if (code)
		;
	else if (append && (dump || data_dir))
		code = tool_usage(t, "--from-dump and --data are for create");
	else if (dump && argc - optind > 1)
		code = tool_usage(t, "--from-dump takes no SOURCE");
	else if (data_dir && !dump)
		code = tool_usage(t, "--data needs --from-dump");
	else if (!dump && argc - optind < 2)
		code = tool_usage(t, "SOURCE is missing");
	else
		code = run_write(t, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1),
				 append, dump, data_dir, &options);
	exclude_free(&options.exclude);
	return code;
}

#define ABOUT_SOURCES                                                                        \
	"What is in each SOURCE directory goes into the image's root; a later SOURCE\n"      \
	"goes over an earlier one. A SOURCE that is a file goes there by its name.\n"        \
	"\n"                                                                                 \
	"Kept: contents, last write times (in 100 ns), read-only (a mode without w),\n"      \
	"hard links, symlinks (as symlink reparse points), sparse files, user.DOSATTRIB,\n"  \
	"and ntfs-3g's system.ntfs_* attributes. Owner, group and other mode bits have\n"    \
	"no place in an image. Special files and other extended attributes are reported\n"   \
	"as not stored (exit status 3). Two names that differ in case only are an error,\n"  \
	"and so is one with a control character or one of \\ : * ? \" < > |, as Windows'\n"  \
	"file systems refuse it. What only Win32 can't name (\"con\", a dot or a space at\n" \
	"the end) is stored, and so are unpaired surrogates.\n"

const struct command cmd_create = {
	.name = "create",
	.alias = "capture",
	.usage = "[OPTION]... IMAGE SOURCE...",
	.summary = "make an image from directories",
	.help = "Makes the new image IMAGE, e.g. dir/layer.cim, and its region files beside it.\n"
		"\n" ABOUT_SOURCES "\n" WRITE_HELP
		"      --from-dump=FILE make the image that \"cimtool dump\" described (- is\n"
		"                       stdin)\n"
		"      --data=DIR       where the dump's larger data are\n",
	.run = run,
};

const struct command cmd_append = {
	.name = "append",
	.usage = "[OPTION]... IMAGE SOURCE...",
	.summary = "put more into an existing image",
	.help = "Extends IMAGE in place: the old image stands until the new one is complete.\n"
		"Directories are merged, files replaced.\n"
		"\n" ABOUT_SOURCES "\n" WRITE_HELP,
	.run = run,
};
