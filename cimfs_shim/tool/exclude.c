/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exclude.c - patterns of what to leave out
 *
 * A pattern without '/' is matched with the last component of a path, one with '/' with the whole
 * path from the top of the tree (a '/' in front only says so); '*' and '?' don't match a '/'. What
 * is excluded is excluded with all below it.
 */
#include "tool.h"

#include <errno.h>
#include <fnmatch.h>

int exclude_add(void *tool, void *exclude, const struct arg_option *option, char *pattern)
{
	struct exclude *x = exclude;
	size_t len = strlen(pattern);

	/* "dir/" means the same as "dir". */
	while (len > 1 && pattern[len - 1] == '/')
		len--;
	x->patterns = xgrow(x->patterns, &x->room, x->count, sizeof(*x->patterns));
	x->patterns[x->count++] = xstrndup(pattern, len);
	(void)tool;
	(void)option;
	return EXIT_OK;
}

int exclude_from(void *tool, void *exclude, const struct arg_option *option, char *file)
{
	FILE *f = !strcmp(file, "-") ? stdin : fopen(file, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	bool bad;

	if (!f)
		return tool_fail_errno(tool, "read patterns", file, NULL);
	while ((len = getline(&line, &room, f)) >= 0) {
		while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			line[--len] = '\0';
		if (len && *line != '#')
			exclude_add(tool, exclude, option, line);
	}
	bad = ferror(f) != 0;
	free(line);
	if (bad)
		tool_fail_errno(tool, "read patterns", file, NULL);
	if (f != stdin)
		fclose(f);
	return bad ? EXIT_FAILED : EXIT_OK;
}

bool excluded(const struct exclude *x, const char *path, bool fold)
{
	int flags = FNM_PATHNAME | (fold ? FNM_CASEFOLD : 0);
	const char *slash;

	if (!x || !x->count)
		return false;
	slash = strrchr(path, '/');
	for (size_t i = 0; i < x->count; i++) {
		const char *pattern = x->patterns[i];
		const char *subject = path;

		if (!strchr(pattern, '/'))
			subject = slash ? slash + 1 : path;
		else if (*pattern == '/')
			pattern++;
		if (!fnmatch(pattern, subject, flags))
			return true;
	}
	return false;
}

void exclude_free(struct exclude *x)
{
	for (size_t i = 0; i < x->count; i++)
		free(x->patterns[i]);
	free(x->patterns);
	memset(x, 0, sizeof(*x));
}
