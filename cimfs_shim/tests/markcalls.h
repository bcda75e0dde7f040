/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * markcalls.h - what tests of marks have in common: a session's calls, and the trees that they
 * make, as text
 */
#ifndef CIM_TESTS_MARKCALLS_H
#define CIM_TESTS_MARKCALLS_H

#include "kit.h"

static inline enum cim_status call(struct kit *k, struct cim_writer *w, char what, const char *path,
				   const char *target)
{
	const struct cim_metadata file = meta_file(1), dir = meta_dir();
	const struct cim_str one = cim_str8(path), two = cim_str8(target);
	bool exists;
	enum cim_status status;

	switch (what) {
	case 't':
		return cim_writer_tombstone(w, one, &k->err);
	case 'm':
		return cim_writer_merge_link(w, one, two, &k->err);
	case 'f':
		return try_file(k, w, path, &file, "x", 1);
	case 'd':
		return cim_writer_add(w, one, &dir, NULL, &k->err);
	case 's':
		return cim_writer_add_stream(w, one, 0, NULL, &k->err);
	case 'h':
		return cim_writer_link(w, one, two, &k->err);
	case 'x':
		return cim_writer_delete(w, one, &k->err);
	case '?':
		status = cim_writer_lookup(w, one, &exists, &k->err);
		return status ? status : exists ? CIM_OK : CIM_E_FILE_NOT_FOUND;
	}
	bail("no such call");
	return CIM_E_INVALID;
}

/* "CALL PATH[>TARGET][=STATUS]", the status without its CIM_E_. */
static inline void do_call(struct kit *k, struct cim_writer *w, const char *text, const char *all)
{
	char path[100] = "", *target, *want;
	enum cim_status status;

	snprintf(path, sizeof(path), "%.*s", (int)strcspn(text + 2, " "), text + 2);
	want = strchr(path, '=');
	if (want)
		*want++ = 0;
	target = strchr(path, '>');
	if (target)
		*target++ = 0;
	forget_error(k);
	status = call(k, w, text[0], path, target ? target : "");
	check_error(k, status, TAP_WHERE, all);
	if (strcmp(status ? STATUS(status) + 6 : "OK", want ? want : "OK"))
		ok(false, "%s: at '%s' it gives %s: %s", all, text, STATUS(status), k->err.cause);
}

/* Calls are separated by two spaces. */
static inline const char *next_call(const char *text)
{
	const char *end = strstr(text, "  ");

	return end ? end + 2 : NULL;
}

static inline void say_target(struct kit *k, struct cim_image *image,
			      const struct cim_file_info *info, struct text *t)
{
	struct cim_data data = {CIM_SIZED(data)};
	uint8_t bytes[200];
	size_t got = 0;

	must(k, cim_image_get_file_data(image, info, (struct cim_str){0}, &data, &k->err));
	must(k, cim_image_read(image, &data, 0, bytes, sizeof(bytes), &got, &k->err));
	say(t, ">");
	for (size_t i = 0; i + 1 < got; i += 2)
		say(t, "%c", bytes[i + 1] ? '?' : bytes[i]);
}

/* "KIND PATH" for each item but the root: f, d: file, directory; t, m, b, o: tombstone, merge link,
 * bare and opaque directory; B: a bare one that is opaque. Behind a merge link its target. */
static inline char *tree_of(struct kit *k, struct cim_image *image)
{
	static const char marks[] = "-tm-b---o---B";
	const struct cim_walk_item *item;
	struct cim_walk *walk;
	struct text t = {NULL, 0, 0};

	say(&t, "%s", "");
	must(k, cim_walk_open(image, cim_image_get_info(image)->root_id, &walk, &k->err));
	while (must(k, cim_walk_next(walk, &item, &k->err)) && item) {
		if (!item->depth)
			continue;
		say(&t, "%s%c %s", t.len ? "  " : "",
		    item->info->marks	       ? marks[item->info->marks]
		    : item->info->is_directory ? 'd'
					       : 'f',
		    item->path);
		if (item->info->marks & CIM_MARK_MERGE_LINK)
			say_target(k, image, item->info, &t);
	}
	cim_walk_close(walk);
	return t.at;
}

/* All of them. */
static inline void do_calls(struct kit *k, struct cim_writer *w, const char *calls)
{
	for (const char *c = calls; c && *c; c = next_call(c))
		do_call(k, w, c, calls);
}

static inline void shows_image(struct kit *k, struct cim_image *image, bool marked,
			       const char *want, const char *where, const char *what)
{
	char *got;

	cim_image_show_marked(image, marked);
	got = tree_of(k, image);
	if (!tap_ok(!strcmp(got, want), where, "%s: %s", what,
		    marked ? "the tree" : "what is seen of it"))
		diag("  got:  %s\n#   want: %s", got, want);
	free(got);
}

#endif
