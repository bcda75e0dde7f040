/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exclude.c - patterns of what to leave out
 *
 * They mean what they mean to git in a .gitignore that lies at the top of the tree. A pattern with
 * a
 * '/' in front or within is matched with the path from there, any other with the last name of a
 * path; '*' and '?' don't match a '/', but "**" as a name is any number of names. One that ends in
 * '/' is for directories only, and '!' in front brings back what a pattern before it left out. What
 * is left out is so with all below it. Unlike there, "./a" is "/a", and what could never match
 * anything is refused.
 */
#include "tool.h"

#include <errno.h>
#include <fnmatch.h>

/* ---- reading patterns ---- */

/* The next name of a pattern, split off *@rest; NULL: there is none. */
static char *next_name(char **rest)
{
	char *name;

	while ((name = strsep(rest, "/")) != NULL && (!*name || !strcmp(name, ".")))
		;
	return name;
}

static bool ends_in_escape(const char *s)
{
	size_t count = 0;

	for (size_t len = strlen(s); len && s[len - 1] == '\\'; len--)
		count++;
	return count % 2;
}

static const char *split(struct exclude_pattern *p)
{
	char *rest = p->text;
	size_t len = strlen(rest);
	size_t room = 0;
	char *name;

	p->negated = *rest == '!';
	rest += p->negated;
	p->directory = len && p->text[len - 1] == '/';
	while (len && p->text[len - 1] == '/')
		p->text[--len] = '\0';
	p->anchored = strchr(rest, '/') != NULL;
	while ((name = next_name(&rest)) != NULL) {
		if (!strcmp(name, ".."))
			return "no path holds '..'";
		if (ends_in_escape(name))
			return "it ends in a '\\' that nothing follows";
		p->names = xgrow(p->names, &room, p->count, sizeof(*p->names));
		p->names[p->count++] = name;
	}
	return p->count ? NULL : "it names nothing";
}

/* Why it can't be one, or NULL. */
static const char *add(struct exclude *x, const char *text)
{
	struct exclude_pattern *p;

	x->patterns = xgrow(x->patterns, &x->room, x->count, sizeof(*x->patterns));
	p = &x->patterns[x->count++];
	*p = (struct exclude_pattern){.text = xstrdup(text), .given = xstrdup(text)};
	return split(p);
}

int exclude_add(void *tool, void *exclude, const struct arg_option *option, char *pattern)
{
	const char *why = add(exclude, pattern);

	(void)option;
	return why ? tool_usage(tool, "--exclude: '%s' can't match: %s", pattern, why) : EXIT_OK;
}

/* A line without the spaces at its end but for one that is escaped. */
static void cut_spaces(struct lines *lines)
{
	size_t len = lines->len;

	while (len && lines->line[len - 1] == ' ') {
		lines->line[len - 1] = '\0';
		if (ends_in_escape(lines->line)) {
			lines->line[len - 1] = ' ';
			break;
		}
		len--;
	}
}

int exclude_from(void *tool, void *exclude, const struct arg_option *option, char *file)
{
	struct lines lines;
	const char *why;
	int code = EXIT_OK;

	(void)option;
	if (!lines_open(&lines, file))
		return tool_fail_errno(tool, "read patterns", file, NULL);
	while (!code && lines_next(&lines)) {
		why = strlen(lines.line) == lines.len ? NULL : "it holds a NUL";
		cut_spaces(&lines);
		if (!why && *lines.line && *lines.line != '#')
			why = add(exclude, lines.line);
		if (why)
			code = tool_usage(tool, "--exclude-from: %s:%lu: '%s' can't match: %s",
					  file, lines.number, lines.line, why);
	}
	if (!code && lines.failed)
		code = tool_fail_errno(tool, "read patterns", file, NULL);
	lines_close(&lines);
	return code;
}

/* ---- matching ---- */

/* The names of a path, which lie in @copy; NULL-terminated. */
static char **names_of(const char *path, char **copy, size_t *count)
{
	char **names = NULL;
	size_t room = 0;
	char *rest = *copy = xstrdup(path);
	char *name;

	*count = 0;
	while ((name = strsep(&rest, "/")) != NULL) {
		names = xgrow(names, &room, *count, sizeof(*names));
		names[(*count)++] = name;
	}
	return names;
}

/* Only the "**" met last is worth another try with more names: it can take what those before it
 * would. */
static bool match_names(const struct exclude_pattern *p, char *const *names, size_t count, int fold)
{
	size_t any = SIZE_MAX;
	size_t tried = 0;
	size_t i = 0;
	size_t k = 0;

	while (k < count) {
		if (i < p->count && !strcmp(p->names[i], "**")) {
			/* At the end it is what is below, one name at least. */
			if (i + 1 == p->count)
				return true;
			any = i++;
			tried = k;
		} else if (i < p->count && !fnmatch(p->names[i], names[k], fold)) {
			i++;
			k++;
		} else if (any != SIZE_MAX) {
			i = any + 1;
			k = ++tried;
		} else {
			return false;
		}
	}
	return i == p->count;
}

bool excluded(const struct exclude *x, const char *path, bool directory, bool fold)
{
	const int flags = fold ? FNM_CASEFOLD : 0;
	const char *slash = strrchr(path, '/');
	char **names = NULL;
	char *copy = NULL;
	size_t count = 0;
	bool matches = false;
	bool negated = false;

	for (size_t i = x ? x->count : 0; i-- > 0 && !matches;) {
		const struct exclude_pattern *p = &x->patterns[i];

		if (p->directory && !directory)
			continue;
		if (p->anchored && !names)
			names = names_of(path, &copy, &count);
		matches = p->anchored ? match_names(p, names, count, flags)
				      : !fnmatch(p->names[0], slash ? slash + 1 : path, flags);
		negated = p->negated;
	}
	free(names);
	free(copy);
	return matches && !negated;
}

bool exclude_begins_with(const struct exclude_pattern *p, const char *source)
{
	size_t count;
	char *copy;
	char **names = names_of(source, &copy, &count);
	const char *last = NULL;
	size_t same = 0;
	bool whole = p->anchored;

	for (size_t i = 0; i < count; i++) {
		if (!*names[i] || !strcmp(names[i], "."))
			continue;
		last = names[i];
		whole = whole && same < p->count && !strcmp(p->names[same++], last);
	}
	/* By its path as it was typed, or by its name alone. */
	whole = (whole && same && same < p->count) ||
		(p->anchored && last && p->count > 1 && !strcmp(p->names[0], last));
	free(names);
	free(copy);
	return whole;
}

void exclude_free(struct exclude *x)
{
	for (size_t i = 0; i < x->count; i++) {
		free(x->patterns[i].text);
		free(x->patterns[i].given);
		free(x->patterns[i].names);
	}
	free(x->patterns);
	memset(x, 0, sizeof(*x));
}
