/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open.c - the first step of every command that reads
 */
#include "tool.h"

#include <errno.h>
#include <sys/stat.h>

char *image_path_of(const char *path)
{
	char *real = NULL;
	struct stat st;

	if (!lstat(path, &st) && S_ISLNK(st.st_mode))
		real = realpath(path, NULL);
	return real ? real : xstrdup(path);
}

struct cim_image *tool_open(struct tool *t, const char *path, int *code)
{
	struct cim_error err = {0};
	struct cim_image *image;
	struct stat st;
	char *real;

	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		*code = tool_fail(t, "open image", path, NULL,
				  "a directory; an image is named by its file, such as %s/NAME.cim",
				  path);
		return NULL;
	}
	real = image_path_of(path);
	*code = EXIT_OK;
	if (cim_image_open(NULL, real, &image, &err))
		*code = tool_fail_cim(t, "open image", path, &err);
	free(real);
	return image;
}

int tool_lookup(struct tool *t, struct cim_image *image, const char *name, const char *path,
		uint32_t *id)
{
	struct cim_error err = {0};
	struct text clean = {0};
	enum cim_status status;
	int code = EXIT_OK;

	/* "dir/" is what a shell completes. */
	text_puts(&clean, path);
	while (clean.len > 1 && clean.s[clean.len - 1] == '/')
		text_cut(&clean, clean.len - 1);
	status = cim_image_lookup(image, cim_u8(clean.s), id, &err);
	if (status) {
		snprintf(err.path, sizeof(err.path), "%s", clean.s);
		code = tool_fail_cim(t, "find", name, &err);
	}
	text_free(&clean);
	return code;
}
