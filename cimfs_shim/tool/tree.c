/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.c - an image's items in canonical order
 *
 * The order is the writer's: a directory before what is in it, names by our own upcase table. That
 * is how an image of ours stores its entries, so they are taken as they come; a directory that is
 * in another order (an image with another upcase table, or one that breaks the rule) is read into
 * memory and sorted. Two images can so be put side by side, and the dump of an image that was made
 * from a dump equals it whatever the first one's order was.
 */
#include "tree.h"
#include "../host/places.h"

/* A dump tells of more than can be reached, but each of its lines has a path: a chain of a hundred
 * thousand directories would be gigabytes. */
#define MAX_PATH (2 * CIM_MAX_PATH)

/* Why a table isn't taken into memory: names that don't overlap are shorter than it is. */
#define OVERLAP "the names in a table overlap"

struct name {
	uint32_t id;
	uint32_t offset; /* in the level's code units */
	uint16_t units;
};

/* So many levels keep their iterators; those far above the item at hand are opened again. */
#define OPEN_LEVELS 256u

struct level {
	struct cim_iter *iter; /* in order; or: */
	struct name *names;
	uint16_t *units;
	size_t count;
	size_t next;
	size_t path_len;
	size_t path_units;
	uint32_t id;
};

struct tree {
	struct tool *t;
	struct cim_image *image;
	const char *name;
	struct level *levels;
	size_t level_room;
	size_t depth;
	struct text path;
	uint16_t units[CIM_MAX_NAME];
	struct tree_item item;
	bool unread; /* by who counted links */
	bool started;
	bool enter; /* the item returned last is a directory still to be entered */
	uint32_t root;
	struct cim_idset *directories;
	struct cim_links *links;
	struct cim_budget *budget;
	/* of the files with several names, and of directories if there are any */
	struct places places;
	struct text first; /* path of the first of an item's names, */
	uint32_t first_id; /* of this item */
};

/* What is broken is told by the walk. What the system couldn't read this time, it may read then. */
static int on_counted(void *arg, uint32_t dir_id, const struct cim_error *why)
{
	struct tree *tree = arg;

	(void)dir_id;
	if (!why || why->status != CIM_E_IO)
		return tool_signal;
	tree->unread = true;
	tool_fail_cim(tree->t, "read", tree->name, why);
	return 1;
}

/* Which files have several names. */
static int find_several(struct tree *tree)
{
	struct cim_error err = {0};
	enum cim_status status = cim_links_open(tree->image, on_counted, tree, &tree->links, &err);

	if (status == CIM_E_ABORTED)
		return tree->unread ? EXIT_FAILED : tool_interrupted();
	return status ? tool_fail_cim(tree->t, "read", tree->name, &err) : EXIT_OK;
}

struct tree *tree_open(struct tool *t, struct cim_image *image, const char *name, int *code)
{
	struct tree *tree = xcalloc(1, sizeof(*tree));
	const struct cim_image_info *info;
	struct cim_error err = {0};

	info = cim_image_get_info(image);
	tree->t = t;
	tree->image = image;
	tree->name = name;
	tree->root = info->root_id;
	tree->item.info.struct_size = sizeof(tree->item.info);
	*code = find_several(tree);
	if (!*code && (cim_idset_open(image, &tree->directories, &err) ||
		       cim_budget_open(image, &tree->budget, &err)))
		*code = tool_fail_cim(t, "read", name, &err);
	if (!*code)
		return tree;
	tree_close(tree);
	return NULL;
}

static void free_level(struct level *level)
{
	cim_iter_close(level->iter);
	free(level->names);
	free(level->units);
}

void tree_close(struct tree *tree)
{
	if (!tree)
		return;
	while (tree->depth)
		free_level(&tree->levels[--tree->depth]);
	free(tree->levels);
	text_free(&tree->path);
	cim_idset_close(tree->directories);
	cim_links_close(tree->links);
	cim_budget_close(tree->budget);
	places_free(&tree->places);
	text_free(&tree->first);
	free(tree);
}

static int fail(struct tree *tree, struct cim_error *err)
{
	char *path = tree_plain(tree->path.len ? tree->path.s : "/");
	int code = tool_fail_at(tree->t, "read", tree->name, path, err);

	free(path);
	return code;
}

static int compare_names(const void *a, const void *b, void *arg)
{
	const struct name *x = a;
	const struct name *y = b;
	const uint16_t *units = arg;
	int order = cim_name_compare_default(units + x->offset, x->units, units + y->offset,
					     y->units);

	if (order)
		return order;
	/* Names that only another table tells apart: any order that is always the same. */
	for (size_t i = 0; i < x->units; i++) {
		if (units[x->offset + i] != units[y->offset + i])
			return units[x->offset + i] < units[y->offset + i] ? -1 : 1;
	}
	return 0;
}

/* Is the directory in our order? The iterator stands at the start again afterwards. */
static int check_order(struct tree *tree, struct cim_iter *iter, bool *sorted)
{
	uint16_t last[CIM_MAX_NAME];
	const struct cim_entry *entry;
	struct cim_error err = {0};
	size_t last_units = 0;

	*sorted = true;
	for (size_t i = 0;; i++) {
		if (cim_iter_next(iter, &entry, &err))
			return fail(tree, &err);
		if (!entry)
			break;
		if (i &&
		    cim_name_compare_default(last, last_units, entry->name, entry->units) >= 0) {
			*sorted = false;
			break;
		}
		last_units = entry->units;
		memcpy(last, entry->name, last_units * sizeof(*last));
	}
	cim_iter_seek(iter, 0);
	return EXIT_OK;
}

static int load_sorted(struct tree *tree, struct level *level, uint64_t bytes)
{
	const struct cim_entry *entry;
	struct cim_error err = {0};
	const uint64_t room = bytes / sizeof(*level->units);
	size_t used = 0;

	level->names = xcalloc((size_t)cim_iter_count(level->iter) + 1, sizeof(*level->names));
	level->units = xcalloc(room + 1, sizeof(*level->units));
	for (;;) {
		struct name *name;

		if (cim_iter_next(level->iter, &entry, &err))
			return fail(tree, &err);
		if (!entry)
			break;
		if (entry->units > room - used) {
			tool_fail(tree->t, "read", tree->name, NULL, OVERLAP);
			return EXIT_CORRUPT;
		}
		name = &level->names[level->count++];
		name->id = entry->file_id;
		name->offset = (uint32_t)used;
		name->units = (uint16_t)entry->units;
		memcpy(level->units + used, entry->name, entry->units * sizeof(*level->units));
		used += entry->units;
	}
	cim_iter_close(level->iter);
	level->iter = NULL;
	if (level->count)
		qsort_r(level->names, level->count, sizeof(*level->names), compare_names,
			level->units);
	return EXIT_OK;
}

static int enter(struct tree *tree)
{
	struct cim_error err = {0};
	struct cim_place place;
	struct level *level;
	bool sorted;
	int code;

	tree->levels = xgrow(tree->levels, &tree->level_room, tree->depth, sizeof(*tree->levels));
	level = &tree->levels[tree->depth];
	memset(level, 0, sizeof(*level));
	level->path_len = tree->depth ? tree->path.len : 0;
	level->path_units = tree->item.path_units;
	level->id = tree->item.info.file_id;
	if (cim_iter_dir(tree->image, tree->item.info.file_id, &level->iter, &err))
		return fail(tree, &err);
	if (tree->depth >= OPEN_LEVELS) {
		struct level *above = &tree->levels[tree->depth - OPEN_LEVELS];

		cim_iter_close(above->iter);
		above->iter = NULL;
	}
	tree->depth++;
	cim_iter_place(level->iter, &place);
	if (cim_budget_spend(tree->budget, &place, &err))
		return fail(tree, &err);
	code = check_order(tree, level->iter, &sorted);
	return code || sorted ? code : load_sorted(tree, level, place.bytes);
}

/* The top level's next name into tree->units; false: there is none. */
static int next_name(struct tree *tree, uint32_t *id, size_t *units, bool *found)
{
	struct level *level = &tree->levels[tree->depth - 1];
	const struct cim_entry *entry;
	struct cim_error err = {0};

	if (!level->iter && !level->names) {
		if (cim_iter_dir(tree->image, level->id, &level->iter, &err))
			return fail(tree, &err);
		cim_iter_seek(level->iter, (uint32_t)level->next);
	}
	if (level->iter) {
		if (cim_iter_next(level->iter, &entry, &err))
			return fail(tree, &err);
		level->next += entry != NULL;
		*found = entry;
		if (entry) {
			*id = entry->file_id;
			*units = entry->units;
			memcpy(tree->units, entry->name, *units * sizeof(*tree->units));
		}
		return EXIT_OK;
	}
	*found = level->next < level->count;
	if (*found) {
		const struct name *name = &level->names[level->next++];

		*id = name->id;
		*units = name->units;
		memcpy(tree->units, level->units + name->offset, *units * sizeof(*tree->units));
	}
	return EXIT_OK;
}

static void escape_name(struct text *text, const uint16_t *name, size_t units)
{
	char utf8[CIM_MAX_NAME_UTF8];
	size_t len = cim_utf8_from_utf16(name, units, utf8, sizeof(utf8));

	text_escape(text, utf8, len, ESCAPE_SLASH | ESCAPE_SPACE);
}

char *tree_plain(const char *escaped)
{
	struct text text = {0};

	text_puts(&text, "");
	text_unescape(&text, escaped, strlen(escaped));
	return text.s;
}

/* A dump's fields end at a space; nothing else does. */
char *tree_shown(const char *escaped)
{
	struct text text = {0};

	text_puts(&text, "");
	for (const char *s = escaped; *s;) {
		if (!strncmp(s, "\\x20", 4)) {
			text_puts(&text, " ");
			s += 4;
		} else {
			size_t len = *s == '\\' && s[1] ? 2 : 1;

			text_add(&text, s, len);
			s += len;
		}
	}
	return text.s;
}

/*
 * The path of an item's first name, if it isn't the one at hand. Its length is no more than what a
 * dump's line about it takes, so the way there has no other limit.
 */
static const char *first_path(struct tree *tree, uint32_t id)
{
	const char **names;
	uint32_t dir_id;
	size_t count;

	if (id == tree->first_id)
		return tree->first.s;
	if (!places_has(&tree->places, id))
		return NULL;
	tree->first_id = id;
	names = places_way(&tree->places, id, UINT64_MAX, &dir_id, &count);
	text_cut(&tree->first, 0);
	while (count) {
		text_puts(&tree->first, "/");
		text_puts(&tree->first, names[--count]);
	}
	free(names);
	return tree->first.s;
}

/* What was met under tree->path: the root, or an entry of the top level. */
static int take_item(struct tree *tree, uint32_t id)
{
	struct tree_item *item = &tree->item;
	struct cim_error err = {0};
	struct cim_place place;
	bool again = false;

	if (cim_image_stat(tree->image, id, &item->info, &err))
		return fail(tree, &err);
	item->path = tree->path.s;
	item->several = !item->info.is_directory && cim_links_count(tree->links, id) > 1;
	tree->enter = item->info.is_directory;
	if (item->info.is_directory && cim_idset_add(tree->directories, id, &again, &err))
		return fail(tree, &err);
	if (again) {
		tool_fail(tree->t, "read", tree->name, item->path,
			  "the directory is met a second time");
		return EXIT_CORRUPT;
	}
	item->first = item->several ? first_path(tree, id) : NULL;
	if (item->info.has_streams && !item->first &&
	    (cim_file_place(tree->image, &item->info, CIM_PART_STREAMS, &place, &err) ||
	     cim_budget_spend(tree->budget, &place, &err)))
		return fail(tree, &err);
	if (tree->depth &&
	    (item->several || (item->info.is_directory && cim_links_several(tree->links)))) {
		const struct level *top = &tree->levels[tree->depth - 1];

		places_keep(&tree->places, id, top->id, item->path + top->path_len + 1);
	}
	return EXIT_OK;
}

/* The name in tree->units, of the directory on top. */
static int take_name(struct tree *tree, uint32_t id, size_t units)
{
	text_puts(&tree->path, "/");
	escape_name(&tree->path, tree->units, units);
	tree->item.name = tree->units;
	tree->item.units = units;
	tree->item.depth = (unsigned)tree->depth;
	tree->item.path_units = tree->levels[tree->depth - 1].path_units + 1 + units;
	if (tree->item.path_units > MAX_PATH) {
		tool_fail(tree->t, "read", tree->name, NULL, "a path of more than %u units",
			  MAX_PATH);
		return EXIT_CORRUPT;
	}
	return take_item(tree, id);
}

const struct tree_item *tree_next(struct tree *tree, int *code)
{
	*code = EXIT_OK;
	if (!tree->started) {
		tree->started = true;
		text_puts(&tree->path, "/");
		tree->item.depth = 0;
		*code = take_item(tree, tree->root);
		return *code ? NULL : &tree->item;
	}
	if (tree->enter) {
		tree->enter = false;
		*code = enter(tree);
		if (*code)
			return NULL;
	}
	while (tree->depth) {
		size_t units;
		uint32_t id;
		bool found;

		text_cut(&tree->path, tree->levels[tree->depth - 1].path_len);
		*code = next_name(tree, &id, &units, &found);
		if (*code)
			return NULL;
		if (!found) {
			free_level(&tree->levels[--tree->depth]);
			continue;
		}
		*code = take_name(tree, id, units);
		return *code ? NULL : &tree->item;
	}
	return NULL;
}

/* ---- streams ---- */

static int compare_streams(const void *a, const void *b)
{
	const struct tree_stream *x = a;
	const struct tree_stream *y = b;

	return cim_name_compare_default(x->name, x->units, y->name, y->units);
}

void tree_streams_free(struct tree_streams *streams)
{
	free(streams->at);
	free(streams->names);
	memset(streams, 0, sizeof(*streams));
}

char *tree_stream_text(const struct tree_stream *stream)
{
	struct text text = {0};

	text_puts(&text, "");
	escape_name(&text, stream->name, stream->units);
	return text.s;
}

/* All of a table's streams; there is room for so many code units of names, and for all streams. */
static enum cim_status load_streams(struct cim_iter *iter, struct tree_streams *streams,
				    uint64_t room, struct cim_error *err)
{
	const struct cim_entry *entry;
	uint64_t used = 0;
	enum cim_status status;

	while (!(status = cim_iter_next(iter, &entry, err)) && entry) {
		struct tree_stream *one = &streams->at[streams->count];

		if (entry->units > room - used) {
			snprintf(err->cause, sizeof(err->cause), OVERLAP);
			return err->status = CIM_E_CORRUPT;
		}
		one->name = streams->names + used;
		one->units = entry->units;
		one->data = *entry->data;
		one->data.struct_size = sizeof(one->data);
		memcpy(streams->names + used, entry->name, entry->units * sizeof(*entry->name));
		used += entry->units;
		streams->count++;
	}
	return status;
}

int tree_streams(struct tool *t, struct cim_image *image, const char *name,
		 const struct cim_file_info *file, struct tree_streams *streams)
{
	struct cim_error err = {0};
	struct cim_place place;
	struct cim_iter *iter;
	enum cim_status status;
	uint64_t room;

	memset(streams, 0, sizeof(*streams));
	if (cim_iter_file_streams(image, file, &iter, &err))
		return tool_fail_cim(t, "read", name, &err);
	cim_iter_place(iter, &place);
	room = place.bytes / sizeof(*streams->names);
	streams->names = xcalloc(room + 1, sizeof(*streams->names));
	streams->at = xcalloc((size_t)cim_iter_count(iter) + 1, sizeof(*streams->at));
	status = load_streams(iter, streams, room, &err);
	cim_iter_close(iter);
	if (status)
		return tool_fail_cim(t, "read", name, &err);
	if (streams->count > 1)
		qsort(streams->at, streams->count, sizeof(*streams->at), compare_streams);
	return EXIT_OK;
}
