/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.c - which items of an image the paths on a command line mean
 *
 * A path may be a pattern: '*' is any number of characters, '?' one, "[a-z]" one of a set, "[!a-z]"
 * one not of it; none of them matches a separator, and letters match in any case, as the image's
 * names do. '*' and '?' can't be in a name, but brackets can: a name that exists as it stands is
 * that item. Patterns become the paths that match, in the image's order, each as it is spelled
 * there. What is named twice, or lies in a directory that is named, is dropped, so that overlapping
 * patterns name an item once; what is left is put in order, so that a directory in which several
 * items are named is gone into once.
 */
#include "select.h"

#include <ctype.h>
#include <search.h>
#include <strings.h>

/* ---- matching one name ---- */

/* Patterns are followed by recursion. */
#define MAX_COMPONENTS 1024

static size_t character(const uint16_t *s, size_t units)
{
	return units > 1 && (s[0] & 0xFC00) == 0xD800 && (s[1] & 0xFC00) == 0xDC00 ? 2 : 1;
}

static int compare(const uint16_t *a, const uint16_t *b)
{
	return cim_name_compare_default(a, 1, b, 1);
}

/*
 * "[...]" at the start of @p against the unit @c: the pattern's units that it takes; 0: no such
 * set, the bracket is itself.
 */
static size_t match_set(const uint16_t *p, size_t units, const uint16_t *c, bool *matches)
{
	size_t i = 1;
	bool not = i < units && (p[i] == '!' || p[i] == '^');
	bool in = false;

	i += not ;
	for (size_t first = i; i < units && (p[i] != ']' || i == first); i++) {
		const uint16_t *low = &p[i];

		if (i + 2 < units && p[i + 1] == '-' && p[i + 2] != ']')
			i += 2;
		if (compare(c, low) >= 0 && compare(c, &p[i]) <= 0)
			in = true;
	}
	if (i >= units)
		return 0;
	*matches = in != not ;
	return i + 1;
}

/* What stands at the start of @p against the start of @s: the pattern's and the name's units. */
static bool match_one(const uint16_t *p, size_t units, const uint16_t *s, size_t s_units,
		      size_t *taken, size_t *matched)
{
	bool in;

	*matched = 1;
	*taken = p[0] == '[' ? match_set(p, units, s, &in) : 0;
	if (*taken)
		return in;
	*taken = 1;
	if (p[0] == '?')
		*matched = character(s, s_units);
	return p[0] == '?' || !compare(p, s);
}

bool select_match(const uint16_t *p, size_t p_units, const uint16_t *s, size_t s_units)
{
	bool star = false;
	size_t star_p = 0;
	size_t star_s = 0;
	size_t i = 0;
	size_t k = 0;

	while (k < s_units) {
		size_t taken;
		size_t matched;

		if (i < p_units && p[i] == '*') {
			star = true;
			star_p = ++i;
			star_s = k;
		} else if (i < p_units &&
			   match_one(p + i, p_units - i, s + k, s_units - k, &taken, &matched)) {
			i += taken;
			k += matched;
		} else if (star) {
			/* The last star takes one more. */
			k = ++star_s;
			i = star_p;
		} else {
			return false;
		}
	}
	while (i < p_units && p[i] == '*')
		i++;
	return i == p_units;
}

/* ---- patterns to paths ---- */

struct expand {
	struct tool *t;
	struct cim_image *image;
	const char *name;
	struct selection *selection;
	struct cim_budget *budget; /* of directories that are gone through */
	unsigned long found;
};

static void add_path(struct selection *selection, char *path)
{
	selection->paths = xgrow(selection->paths, &selection->room, selection->count,
				 sizeof(char *));
	selection->paths[selection->count++] = path;
}

/* Is there an item of that very name, brackets and all? */
static bool is_there(const struct expand *x, uint32_t dir, const char *name, size_t len)
{
	struct cim_str want = {.utf8 = name, .units = len};
	uint32_t id;

	return !memchr(name, '*', len) && !memchr(name, '?', len) &&
	       !cim_image_lookup_at(x->image, dir, want, false, &id, NULL);
}

static int expand(struct expand *x, uint32_t dir, const char *prefix, const char *pattern);

/* What matches, with @rest of the pattern below it. */
static int take_match(struct expand *x, const struct cim_entry *entry, const char *prefix,
		      const char *rest)
{
	char *path = xasprintf("%s/%s", prefix, entry->utf8);
	struct cim_error err = {0};
	struct cim_file_info info = {CIM_SIZED(info)};
	int code = EXIT_OK;

	if (!*rest) {
		add_path(x->selection, path);
		x->found++;
		return EXIT_OK;
	}
	if (cim_image_stat(x->image, entry->file_id, &info, &err))
		code = tool_fail_cim(x->t, "extract", x->name, &err);
	else if (info.is_directory)
		code = expand(x, entry->file_id, path, rest);
	free(path);
	return code;
}

/* What matches @pattern in the directory @dir, whose path is @prefix. */
static int expand(struct expand *x, uint32_t dir, const char *prefix, const char *pattern)
{
	struct cim_error err = {0};
	const struct cim_entry *entry;
	struct cim_place place;
	struct cim_iter *iter;
	enum cim_status status;
	uint16_t units[CIM_MAX_NAME];
	const char *rest;
	size_t len, count;
	int code = EXIT_OK;
	bool literal;

	pattern += strspn(pattern, "/\\");
	len = strcspn(pattern, "/\\");
	rest = pattern + len + strspn(pattern + len, "/\\");
	if (cim_utf16_from_utf8(pattern, len, units, CIM_MAX_NAME, &count))
		return EXIT_OK; /* longer than a name, or no text: nothing matches */
	literal = is_there(x, dir, pattern, len);
	if (cim_iter_dir(x->image, dir, &iter, &err))
		return tool_fail_cim(x->t, "extract", x->name, &err);
	cim_iter_place(iter, &place);
	status = cim_budget_spend(x->budget, &place, &err);
	while (!code && !status && !(status = cim_iter_next(iter, &entry, &err)) && entry) {
		if (literal ? !cim_name_compare_default(units, count, entry->name, entry->units)
			    : select_match(units, count, entry->name, entry->units))
			code = take_match(x, entry, prefix, rest);
	}
	if (!code && status)
		code = tool_fail_cim(x->t, "extract", x->name, &err);
	cim_iter_close(iter);
	return code;
}

/* ---- what several paths name ---- */

static int compare_paths(const void *a, const void *b)
{
	return strcasecmp(a, b);
}

/* "/a/b" of "a\\b/" */
static char *normal_path(const char *path)
{
	struct text text = {0};

	text_puts(&text, "");
	for (const char *p = path; *(p += strspn(p, "/\\")); p += strcspn(p, "/\\")) {
		text_puts(&text, "/");
		text_add(&text, p, strcspn(p, "/\\"));
	}
	return text.s;
}

static size_t components(const char *path)
{
	size_t count = 0;

	for (const char *p = path; *(p += strspn(p, "/\\")); p += strcspn(p, "/\\"))
		count++;
	return count;
}

static bool has_ancestor(void *const *set, const char *path)
{
	char *above = xstrdup(path);
	bool found = false;

	for (char *slash; !found && (slash = strrchr(above, '/'));) {
		*slash = '\0';
		found = tfind(above, set, compare_paths) != NULL;
	}
	free(above);
	return found;
}

struct path {
	char *path;
	char *normal;
};

/* What lies in one directory is put together. */
static int compare_places(const void *a, const void *b)
{
	const char *x = ((const struct path *)a)->normal;
	const char *y = ((const struct path *)b)->normal;

	for (;; x++, y++) {
		int one = *x == '/' ? 1 : tolower((unsigned char)*x);
		int two = *y == '/' ? 1 : tolower((unsigned char)*y);

		if (one != two || !*x)
			return one - two;
	}
}

/* Each item once, and each directory's items in a row. */
static void put_in_order(struct selection *selection)
{
	struct path *all = xcalloc(selection->count, sizeof(*all));
	size_t count = selection->count;
	void *set = NULL;

	for (size_t i = 0; i < count; i++) {
		all[i].path = selection->paths[i];
		all[i].normal = normal_path(selection->paths[i]);
	}
	qsort(all, count, sizeof(*all), compare_places);
	for (size_t i = 0; i < count; i++)
		tsearch(all[i].normal, &set, compare_paths);
	selection->count = 0;
	for (size_t i = 0; i < count; i++) {
		bool again = i && !compare_paths(all[i - 1].normal, all[i].normal);

		if (again || has_ancestor(&set, all[i].normal))
			free(all[i].path);
		else
			selection->paths[selection->count++] = all[i].path;
	}
	/* Of equal ones only one is in the set: take it out whichever it is. */
	for (size_t i = 0; i < count; i++)
		tdelete(all[i].normal, &set, compare_paths);
	for (size_t i = 0; i < count; i++)
		free(all[i].normal);
	free(all);
}

/* Each directory may be gone through once for a pattern. */
static int expand_path(struct expand *x, const char *path, bool nullglob)
{
	const uint32_t root = cim_image_get_info(x->image)->root_id;
	struct cim_error err = {0};
	int code;

	if (components(path) > MAX_COMPONENTS)
		return tool_fail(x->t, "extract", x->name, path, "a pattern of more than %d names",
				 MAX_COMPONENTS);
	if (cim_budget_open(x->image, &x->budget, &err))
		return tool_fail_cim(x->t, "extract", x->name, &err);
	code = expand(x, root, "", path);
	cim_budget_close(x->budget);
	if (!code && !x->found && !nullglob)
		code = tool_fail(x->t, "extract", x->name, path, "nothing matches");
	return code;
}

int select_paths(struct tool *t, struct cim_image *image, const char *name, char *const *paths,
		 size_t count, bool globs, bool nullglob, struct selection *selection)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < count && !code; i++) {
		struct expand x = {
			.t = t,
			.image = image,
			.name = name,
			.selection = selection,
		};

		if (globs && strpbrk(paths[i], "*?["))
			code = expand_path(&x, paths[i], nullglob);
		else
			add_path(selection, xstrdup(paths[i]));
	}
	if (!code && selection->count > 1)
		put_in_order(selection);
	return code;
}

void selection_free(struct selection *selection)
{
	for (size_t i = 0; i < selection->count; i++)
		free(selection->paths[i]);
	free(selection->paths);
	memset(selection, 0, sizeof(*selection));
}
