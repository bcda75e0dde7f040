/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_tombstone.c - cimtool tombstone: hide paths of the images below, once this one is merged
 */
#include "write.h"

struct tombstone {
	struct write_options options;
};

static int bury(struct session *s, const char *path)
{
	struct cim_error err = {0};

	if (cim_writer_tombstone(s->writer, cim_str8(path), &err))
		return tool_fail_at(s->t, s->op, s->image, path, &err);
	s->tombstones++;
	tool_verbose(s->t, "tombstone %s", path);
	return EXIT_OK;
}

static int bury_all(struct tool *t, const char *image, char *const *paths, size_t count,
		    const struct write_options *options)
{
	struct session session;
	int code;

	free(tool_image_path(t, "put tombstones into", image, &code));
	if (!code)
		code = session_open(&session, t, "put tombstones into", image, "", options);
	if (code)
		return code;
	for (size_t i = 0; !code && i < count; i++)
		code = tool_signal ? tool_interrupted() : bury(&session, paths[i]);
	if (!code)
		return session_commit(&session, options);
	session_close(&session);
	return code;
}

static const struct arg_option options[] = {
	RESULT_OPTIONS(struct tombstone, options),
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct tombstone wanted = {0};
	int code = tool_args(t, argc, argv, &wanted, 2, ANY_NUMBER, "IMAGE and PATH are needed");

	if (code)
		return code;
	return bury_all(t, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1),
			&wanted.options);
}

const struct command cmd_tombstone = {
	.name = "tombstone",
	.usage = "[OPTION]... IMAGE PATH...",
	.summary = "hide paths of the images below, when images are merged",
	.about = "Extends IMAGE: where it is merged (cimtool-merge(1)), what the images below it "
		 "have at PATH isn't shown, nor what is below that. Of IMAGE itself PATH is "
		 "deleted, if it is there; it needn't be. What is put at PATH later takes the "
		 "tombstone's place; a directory then hides what the images below have in theirs.",
	.notes = "Tombstones are shown by stat, dump, diff, and ls --all only.",
	.options = options,
	.run = run,
};
