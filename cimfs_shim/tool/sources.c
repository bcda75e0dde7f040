/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sources.c - images that a command line names: where they are, and those that others were merged
 * from
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int tool_fail_path(struct tool *t, const char *op, const char *path)
{
	const int error = errno;
	const size_t len = image_before(path);

	errno = error;
	if (!len)
		return tool_fail_errno(t, op, path, NULL);
	return tool_fail(t, op, path, NULL,
			 "%.*s is an image: a path in it, such as %s, is an argument of its own",
			 (int)len, path, path + len);
}

char *tool_image_path(struct tool *t, const char *op, const char *path, int *code)
{
	struct cim_error err;

	*code = EXIT_OK;
	if (image_in_file(path)) /* what is in there the library knows */
		return xstrdup(path);
	if (!is_container(path) && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS))
		*code = tool_fail_path(t, op, path);
	else if (image_check_kind(path, &err))
		*code = tool_fail(t, op, path, NULL, "%s", err.cause);
	return *code ? NULL : image_path_of(path);
}

static void add_source(struct tool *t, char *path)
{
	t->sources = xgrow(t->sources, &t->source_room, t->source_count, sizeof(*t->sources));
	t->sources[t->source_count++] = path;
}

int tool_add_source(struct tool *t, const char *image)
{
	int code;
	char *path = tool_image_path(t, "open image", image, &code);

	if (!code)
		add_source(t, path);
	return code;
}

int tool_find_sources(struct tool *t)
{
	int code = EXIT_OK;

	for (size_t i = 0; !code && i < t->source_count; i++) {
		char *named = t->sources[i];

		t->sources[i] = tool_image_path(t, "open image", named, &code);
		free(named);
	}
	return code;
}

void tool_forget_sources(struct tool *t)
{
	while (t->source_count)
		free(t->sources[--t->source_count]);
	free(t->sources);
	t->sources = NULL;
	t->source_room = 0;
}

int take_source(void *tool, void *into, const struct arg_option *option, char *image)
{
	(void)into;
	(void)option;
	add_source(tool, xstrdup(image));
	return EXIT_OK;
}
