/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_merge.c - merging images, against a model that applies layers of paths to each other
 *
 * Random layers are written as images, and merged; some of them are merged images themselves. The
 * model knows nothing of records and regions: it has a list of paths for each layer, and applies
 * one after the other, from the lowest on, where the merger goes from the topmost one down. It says
 * which items and marks the merged tree has. From that an ordinary image is made by other calls,
 * and the two must look the same.
 */
#include "kit.h"
#include "testenv.h"

#define MAX_ITEMS  400
#define MAX_LAYERS 8

/* ---- layers ---- */

enum kind { NOTHING, FILE_, DIRECTORY, TOMBSTONE, LINK, BARE };

struct item {
	enum kind kind;
	char key[80]; /* path in lower case: what makes two paths one */
	char letter;  /* the name, as it is spelt */
	bool reparse, opaque;
	bool links_only; /* a bare directory: it, or one that it is in, is opaque */
	bool made;	 /* a directory by a merge link: it has no metadata yet */
	unsigned seed;	 /* of its metadata and data */
	unsigned group;	 /* names of one file have one */
	char target[80]; /* of a merge link */
};

struct tree {
	struct item items[MAX_ITEMS]; /* directories before what is in them */
	size_t count;
};

static unsigned groups;

static bool is_dir(const struct item *item)
{
	return item->kind == DIRECTORY || item->kind == BARE;
}

static struct item *find_key(const struct tree *tree, const char *key, size_t len)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->items[i].kind && strlen(tree->items[i].key) == len &&
		    !memcmp(tree->items[i].key, key, len))
			return (struct item *)&tree->items[i];
	return NULL;
}

static struct item *find(const struct tree *tree, const char *key)
{
	return find_key(tree, key, strlen(key));
}

static bool is_below(const struct item *item, const char *key)
{
	const size_t len = strlen(key);

	return item->kind && strlen(item->key) > len && !memcmp(item->key, key, len) &&
	       (!len || item->key[len] == '\\');
}

/* The path of an item as all its directories are spelt. */
static const char *path_of(const struct tree *tree, const struct item *item, char *path)
{
	strcpy(path, item->key);
	for (size_t len = 1; len <= strlen(item->key); len += 2)
		path[len - 1] = find_key(tree, item->key, len)->letter;
	return path;
}

static struct item *random_item(const struct tree *tree, enum kind kind)
{
	for (int turn = 0; turn < 5 && tree->count; turn++) {
		const struct item *item = &tree->items[test_below(tree->count)];

		if (item->kind == kind && strlen(item->key) < 8)
			return (struct item *)item;
	}
	return NULL;
}

/* A name of few, so that layers meet; spelt anyhow. */
static void add_name(struct item *item, const struct item *parent)
{
	const char letter = (char)('a' + test_below(5));
	const size_t len = parent && parent->key[0] ? strlen(parent->key) + 1 : 0;

	if (len) {
		memcpy(item->key, parent->key, len - 1);
		item->key[len - 1] = '\\';
	}
	item->key[len] = letter;
	item->letter = test_below(2) ? letter : (char)(letter - 'a' + 'A');
}

/* In a bare directory are marks only; a tombstone in one that is opaque, too, would have been
 * nothing to do. */
static void choose_kind(struct item *item, const struct item *parent)
{
	const bool bare = parent && parent->kind == BARE;
	const unsigned what = (unsigned)test_below(bare ? 6 : 20);

	if (what < 2)
		item->kind = LINK;
	else if (what < 4)
		item->kind = bare && parent->links_only ? LINK : TOMBSTONE;
	else if (what < 6)
		item->kind = BARE;
	else
		item->kind = what < 12 ? DIRECTORY : FILE_;
	item->reparse = (item->kind == DIRECTORY || item->kind == FILE_) && !test_below(6);
	item->opaque = is_dir(item) && !(bare && parent->links_only) && !test_below(5);
	item->links_only = item->kind == BARE && (item->opaque || (bare && parent->links_only));
	if (item->kind != LINK)
		return;
	item->target[0] = (char)('A' + test_below(5));
	item->target[1] = test_below(2) ? '\\' : 0;
	item->target[2] = item->target[1] ? (char)('a' + test_below(5)) : 0;
}

/* Nobody makes bare directories but for a mark, or opaque ones but for a merge link. */
static void drop_idle(struct tree *tree)
{
	for (size_t i = tree->count; i-- > 0;) {
		struct item *item = &tree->items[i];
		bool marks = false, links = false;

		for (size_t n = 0; n < tree->count; n++) {
			const struct item *below = &tree->items[n];

			if (!is_below(below, item->key))
				continue;
			marks |= below->kind == TOMBSTONE || below->kind == LINK;
			links |= below->kind == LINK;
		}
		if (item->kind == BARE && !(item->opaque ? links : marks))
			item->kind = NOTHING;
	}
}

/* The root is the first item. */
static void make_tree(struct tree *tree)
{
	const unsigned wanted = (unsigned)test_below(30);

	memset(tree, 0, sizeof(*tree));
	tree->items[0].kind = DIRECTORY;
	tree->items[0].seed = (unsigned)test_random();
	tree->items[0].group = ++groups;
	tree->count = 1;
	for (unsigned i = 0; i < wanted; i++) {
		const struct item *parent = random_item(tree, test_below(2) ? DIRECTORY : BARE);
		const struct item *other = test_below(6) ? NULL : random_item(tree, FILE_);
		struct item item = {.seed = (unsigned)test_random(), .group = ++groups};

		if (other && !(parent && parent->kind == BARE)) {
			item.kind = FILE_;
			item.reparse = other->reparse;
			item.seed = other->seed;
			item.group = other->group;
		} else {
			choose_kind(&item, parent);
		}
		add_name(&item, parent);
		if (!find(tree, item.key))
			tree->items[tree->count++] = item;
	}
	drop_idle(tree);
}

/* One whose merge links lead somewhere in any case. */
static void make_safe_tree(struct tree *tree)
{
	make_tree(tree);
	for (size_t i = 0; i < tree->count; i++)
		if (tree->items[i].kind == LINK)
			strcpy(tree->items[i].target, "y\\link");
}

/* And where they lead to. */
static void put_target(struct kit *k, struct cim_writer *w)
{
	must(k, cim_writer_merge_link(w, cim_str8("y\\link"), cim_str8("z"), &k->err));
	put(k, w, "z", "z");
}

/* ---- the model ---- */

static void drop_below(struct tree *tree, const char *key)
{
	for (size_t i = 0; i < tree->count; i++)
		if (is_below(&tree->items[i], key))
			tree->items[i].kind = NOTHING;
}

/* Does a bare directory count as one? */
static bool counts(const struct tree *layer, const struct item *bare)
{
	bool links = bare->made;

	for (size_t i = 0; i < layer->count; i++)
		links |= layer->items[i].kind == LINK && is_below(&layer->items[i], bare->key);
	return links;
}

static void put_item(struct tree *tree, const struct item *item)
{
	struct item *there = find(tree, item->key);

	if (there)
		there->kind = NOTHING;
	if (tree->count == MAX_ITEMS)
		bail("the model has no room");
	tree->items[tree->count++] = *item;
}

/* What replaces all that was there. */
static void replace(struct tree *tree, const struct item *item)
{
	drop_below(tree, item->key);
	put_item(tree, item);
}

/* A directory takes the place of one, and keeps what is in it; else what it hides stays hidden,
 * which with reparse data it does anyhow. */
static void apply_directory(struct tree *tree, const struct item *item)
{
	struct item *there = find(tree, item->key), new = *item;

	if (!there || item->opaque) {
		replace(tree, &new);
	} else if (!is_dir(there)) {
		new.opaque = !item->reparse;
		replace(tree, &new);
	} else {
		if (item->reparse)
			drop_below(tree, item->key);
		new.opaque = !item->reparse && (there->opaque || there->reparse);
		*there = new;
	}
}

static void apply_bare(struct tree *tree, const struct tree *layer, const struct item *item)
{
	struct item *there = find(tree, item->key), new = *item;

	new.made = counts(layer, item);
	if (!there || item->opaque) {
		replace(tree, &new);
	} else if (there->kind == BARE) {
		there->made |= new.made;
		there->letter = item->letter;
	} else if (!is_dir(there) && new.made) {
		new.opaque = true;
		replace(tree, &new);
	}
}

/* Is an item in what the layer said nothing of, being bare, where the tree has no directory? */
static bool is_idle(const struct tree *tree, const struct item *item)
{
	const struct item *parent = find_key(tree, item->key, strlen(item->key) - 2);

	return strlen(item->key) > 1 && (!parent || !is_dir(parent));
}

/* Apply a layer to what is below it. */
static void apply(struct tree *tree, const struct tree *layer)
{
	struct tree result = *tree;

	for (size_t i = 0; i < layer->count; i++) {
		const struct item *item = &layer->items[i];

		if (!item->kind || is_idle(&result, item))
			continue;
		if (item->kind == DIRECTORY)
			apply_directory(&result, item);
		else if (item->kind == BARE)
			apply_bare(&result, layer, item);
		else
			replace(&result, item);
	}
	tree->count = 0;
	for (size_t len = 0; len < sizeof(result.items->key); len++)
		for (size_t i = 0; i < result.count; i++)
			if (result.items[i].kind && strlen(result.items[i].key) == len)
				tree->items[tree->count++] = result.items[i];
}

/* The file that a merge link leads to, NULL if to none. */
static const struct item *target_of(const struct tree *tree, const struct item *link)
{
	for (unsigned hops = 0; hops <= 64; hops++) {
		char key[80];

		strcpy(key, link->target);
		for (size_t i = 0; key[i]; i++)
			key[i] |= key[i] == '\\' ? 0 : 0x20;
		link = find(tree, key);
		if (!link || link->kind != LINK)
			return link && link->kind == FILE_ ? link : NULL;
	}
	return NULL;
}

/* The merged tree has files where merge links were, and directories where they made some. False: a
 * link leads nowhere. */
static bool resolve(struct tree *tree)
{
	struct tree result = *tree;

	for (size_t i = 0; i < tree->count; i++) {
		const struct item *item = &tree->items[i];
		const struct item *target = item->kind == LINK ? target_of(tree, item) : NULL;

		if (item->kind == LINK && !target)
			return false;
		if (target) {
			result.items[i].kind = FILE_;
			result.items[i].reparse = target->reparse;
			result.items[i].seed = target->seed;
			result.items[i].group = target->group;
		}
		if (item->kind == BARE && counts(tree, item)) {
			result.items[i].kind = DIRECTORY;
			result.items[i].made = true;
		}
	}
	*tree = result;
	return true;
}

/* ---- images ---- */

static struct cim_metadata metadata_of(const struct item *item)
{
	static const uint8_t sd[20] = {1, 0, 0, 0x80};
	static const uint8_t ea[] = {0, 0, 0, 0, 0, 1, 2, 0, 'A', 0, 'x', 'y'};
	static const uint8_t reparse[] = {3, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4};
	const bool dir = item->kind == DIRECTORY;
	struct cim_metadata meta = dir ? meta_dir() : meta_file(item->seed % 9000);

	if (item->made) {
		meta.creation_time = meta.last_write_time = 0;
		meta.change_time = meta.last_access_time = 0;
		return meta;
	}
	meta.last_write_time += item->seed;
	if (item->seed % 3 == 0) {
		meta.security = sd;
		meta.security_size = sizeof(sd);
	}
	if (item->seed % 5 == 0) {
		meta.ea = ea;
		meta.ea_size = sizeof(ea);
	}
	if (item->reparse) {
		meta.reparse = reparse;
		meta.reparse_size = sizeof(reparse);
	}
	return meta;
}

static void write_item(struct kit *k, struct cim_writer *w, const struct item *item,
		       const char *path)
{
	const struct cim_metadata meta = metadata_of(item);
	uint8_t bytes[9000];
	char text[100];

	pattern(bytes, item->seed, sizeof(bytes));
	put_meta(k, w, path, &meta, bytes, item->kind == DIRECTORY ? 0 : item->seed % 9000);
	if (item->seed % 4 != 1 || !path[0] || item->made)
		return;
	snprintf(text, sizeof(text), "%s:stream", path);
	put_stream(k, w, text, text + strlen(path));
}

static void write_tree(struct kit *k, struct cim_writer *w, const struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		const struct item *item = &tree->items[i], *first = tree->items;
		char path[80], other[80];

		if (!item->kind)
			continue;
		path_of(tree, item, path);
		while (!first->kind || first->group != item->group)
			first++;
		if (item->kind == TOMBSTONE || item->opaque)
			must(k, cim_writer_tombstone(w, cim_str8(path), &k->err));
		if (item->kind == LINK)
			must(k, cim_writer_merge_link(w, cim_str8(path), cim_str8(item->target),
						      &k->err));
		else if (item->kind == DIRECTORY || (item->kind == FILE_ && first == item))
			write_item(k, w, item, path);
		else if (item->kind == FILE_)
			must(k, cim_writer_link(w, cim_str8(path),
						cim_str8(path_of(tree, first, other)), &k->err));
	}
}

static void make_image(struct kit *k, const struct tree *tree, const char *name)
{
	struct cim_writer *w = begin(k, NULL, name);

	write_tree(k, w, tree);
	finish(k, w);
}

/* Commit. A merge link that leads nowhere stops that, until a tombstone takes its place, of which
 * the model is told. */
static void finish_merge(struct kit *k, struct cim_writer *w, struct tree *tree)
{
	struct tree resolved;

	for (;;) {
		enum cim_status status;
		struct item *item;
		char key[80];

		resolved = *tree;
		if (resolve(&resolved))
			break;
		forget_error(k);
		status = cim_writer_commit(w, &k->err);
		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (char)(k->err.path[i] |
					(k->err.path[i] && k->err.path[i] != '\\' ? 0x20 : 0));
		item = find(tree, key);
		if (status != CIM_E_PATH_NOT_FOUND || !item || item->kind != LINK ||
		    target_of(tree, item) || !strstr(k->err.cause, item->target)) {
			ok(false, "a link that leads nowhere is named: %s, '%s': %s",
			   STATUS(status), k->err.path, k->err.cause);
			break;
		}
		must(k, cim_writer_tombstone(w, cim_str8(k->err.path), &k->err));
		item->kind = TOMBSTONE;
	}
	finish(k, w);
	*tree = resolved;
}

/* Images on top of each other, the topmost first. */
struct stack {
	struct tree layers[MAX_LAYERS];
	char names[MAX_LAYERS][20]; /* of the images; "": the session's own items */
	unsigned count;
};

/* The layers [from, to), from the lowest one up. */
static void model_of(struct tree *tree, const struct stack *stack, unsigned from, unsigned to)
{
	memset(tree, 0, sizeof(*tree));
	while (to-- > from)
		apply(tree, &stack->layers[to]);
}

/* Merge the layers [from, to). */
static void merge(struct kit *k, const struct stack *stack, unsigned from, unsigned to,
		  const char *name, struct tree *model)
{
	struct cim_writer *w = begin(k, NULL, name);

	for (; from < to; from++) {
		char path[40];

		if (!stack->names[from][0]) {
			write_tree(k, w, &stack->layers[from]);
			continue;
		}
		snprintf(path, sizeof(path), "mem/%s", stack->names[from]);
		must(k, cim_writer_add_source(w, path, 0, &k->err));
	}
	finish_merge(k, w, model);
}

/* Some of a stack are merged before, wherever they lie in it; so may be what that makes. */
static void merge_before(struct kit *k, struct stack *stack, unsigned round)
{
	static struct tree result;
	const unsigned own = !stack->names[0][0];
	const unsigned from = own + (unsigned)test_below(stack->count - own - 1);
	const unsigned to = from + 2 + (unsigned)test_below(stack->count - from - 1);
	char name[20];

	snprintf(name, sizeof(name), "before%u.cim", round);
	model_of(&result, stack, from, to);
	merge(k, stack, from, to, name, &result);
	stack->layers[from] = result;
	strcpy(stack->names[from], name);
	for (unsigned i = to; i < stack->count; i++) {
		stack->layers[from + 1 + i - to] = stack->layers[i];
		strcpy(stack->names[from + 1 + i - to], stack->names[i]);
	}
	stack->count -= to - from - 1;
}

/* Without marks in directories that hide all that is below them anyhow. */
static char *dump_shown(struct kit *k, const char *name, bool marked)
{
	struct cim_image *image = open_image(k, name);
	unsigned hides = UINT32_MAX, count = 0; /* depth of such a directory */
	struct cim_file_info info;
	struct cim_walk_item shown;
	const struct cim_walk_item *item;
	struct text t = {NULL, 0, 0};
	struct cim_walk *walk;
	uint32_t *ids = NULL;

	say(&t, "%s", "");
	if (!image)
		return t.at;
	cim_image_show_marked(image, marked);
	must(k, cim_walk_open(image, cim_image_get_info(image)->root_id, &walk, &k->err));
	while (must(k, cim_walk_next(walk, &item, &k->err)) && item) {
		if (item->depth <= hides)
			hides = UINT32_MAX;
		if (item->info->marks & ~CIM_MARK_OPAQUE && hides != UINT32_MAX) {
			cim_walk_skip(walk);
			continue;
		}
		if ((item->info->marks || item->info->has_reparse) && item->depth < hides)
			hides = item->depth;
		shown = *item;
		info = *item->info;
		info.marks = hides < item->depth ? 0 : info.marks;
		shown.info = &info;
		dump_item(k, image, &shown, dump_number(&ids, &count, info.file_id), &t);
	}
	cim_walk_close(walk);
	free(ids);
	cim_image_close(image);
	return t.at;
}

/* A layer as text: for each item its kind, and whether it is opaque or has reparse data. */
static void show_layer(const struct tree *tree, const char *name)
{
	char text[MAX_ITEMS * 20] = "", path[80];

	for (size_t i = 1; i < tree->count; i++) {
		const struct item *item = &tree->items[i];
		const char kind = "-FDTLB"[item->kind];

		if (item->kind)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), " %c%s%s:%s%s%s",
				 kind, item->opaque ? "o" : "", item->reparse ? "r" : "",
				 path_of(tree, item, path), item->kind == LINK ? ">" : "",
				 item->target);
	}
	diag("  %s:%s", name, text);
}

static bool looks_the_same(struct kit *k, const char *merged, const char *plain, const char *what)
{
	bool same = must_be_sound(k, merged);

	for (unsigned marked = 0; marked < 2; marked++) {
		char *want = dump_shown(k, plain, marked), *got = dump_shown(k, merged, marked);

		same &= ok(!strcmp(want, got), "%s%s", what, marked ? ", with what is hidden" : "");
		if (strcmp(want, got))
			show_difference(got, want);
		free(want);
		free(got);
	}
	return same;
}

/* ---- random stacks ---- */

/* Something on top of what was merged, by a session that forks it. */
static void change_both(struct kit *k, const struct tree *tree)
{
	static const char *const names[][2] = {{"merged", "merged2"}, {"plain", "plain2"}};
	const struct item *file = NULL, *dir = NULL;

	for (size_t i = 1; i < tree->count; i++) {
		const struct item *item = &tree->items[i];

		file = item->kind == FILE_ ? item : file;
		dir = item->kind == DIRECTORY && !item->reparse ? item : dir;
	}
	for (size_t i = 0; i < 2; i++) {
		struct cim_writer *w = begin(k, names[i][0], names[i][1]);
		char path[100];

		put(k, w, "new", "new");
		must(k, cim_writer_tombstone(w, cim_str8("gone\\too"), &k->err));
		if (file) {
			path_of(tree, file, path);
			strcat(path, ":more");
			put_stream(k, w, path, "more");
		}
		if (dir) {
			path_of(tree, dir, path);
			strcat(path, "\\new");
			put(k, w, path, "new, too");
		}
		finish(k, w);
	}
	looks_the_same(k, "merged2", "plain2", "a fork of it is that of an ordinary image");
}

static void make_stack(struct kit *k, struct stack *stack, bool own)
{
	stack->count = 2 + (unsigned)test_below(MAX_LAYERS - 1);
	for (unsigned i = 0; i < stack->count; i++) {
		char *name = stack->names[i];

		make_tree(&stack->layers[i]);
		snprintf(name, sizeof(stack->names[i]), "%u.cim", i);
		if (i || !own)
			make_image(k, &stack->layers[i], name);
		else
			name[0] = '\0';
	}
}

static void test_stack(unsigned turn)
{
	static struct stack stack;
	static struct tree result;
	const bool own = test_below(2);
	struct kit k = kit_new();
	unsigned count, before = 0;
	char what[150];

	make_stack(&k, &stack, own);
	count = stack.count;
	while (before < 3 && stack.count > 2 + (unsigned)own && test_below(3))
		merge_before(&k, &stack, before++);
	model_of(&result, &stack, 0, stack.count);
	merge(&k, &stack, 0, stack.count, "merged", &result);
	make_image(&k, &result, "plain");
	snprintf(what, sizeof(what),
		 "stack %u: %u layers%s, %u times some merged before: the model's tree", turn,
		 count, own ? ", one of the session's own" : "", before);
	if (!looks_the_same(&k, "merged", "plain", what)) {
		for (unsigned i = 0; i < stack.count; i++)
			show_layer(&stack.layers[i], stack.names[i]);
		show_layer(&result, "the model's tree");
	}
	change_both(&k, &result);
	kit_free(&k);
}

/* A merge link whose target is longer than a path has room for by itself. */
static void test_long_target(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "one.cim");
	char path[310];

	memset(path, 'x', sizeof(path));
	path[100] = path[200] = '\\';
	for (int len = 100; len <= 300; len += 100) {
		const char after = path[len];

		path[len] = '\0';
		if (len < 300)
			make_dir(&k, w, path);
		else
			put(&k, w, path, "far");
		path[len] = len < 300 ? after : '\0';
	}
	must(&k, cim_writer_merge_link(w, cim_str8("link"), cim_str8(path), &k.err));
	must(&k, cim_writer_merge_link(w, cim_str8("again"), cim_str8(path), &k.err));
	finish(&k, w);
	w = begin(&k, NULL, "two.cim");
	must(&k, cim_writer_add_source(w, "mem/one.cim", 0, &k.err));
	finish(&k, w);
	must_be_sound(&k, "two.cim");
	kit_free(&k);
}

/* ---- what can't be ---- */

static void test_refusals(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "one.cim");

	put(&k, w, "file", "one");
	put_stream(&k, w, "file:s", "stream");
	make_dir(&k, w, "dir");
	finish(&k, w);

	w = begin(&k, "one.cim", "two.cim");
	gives(&k, cim_writer_add_source(w, "mem/one.cim", 0, &k.err), CIM_E_INVALID);
	is_str(k.err.cause, "only an image made from nothing is merged", "a fork merges nothing");
	cim_writer_close(w);

	w = begin(&k, NULL, "three.cim");
	gives(&k, cim_writer_add_source(w, "mem/none.cim", 0, &k.err), CIM_E_FILE_NOT_FOUND);
	gives(&k, cim_writer_add_source(w, "mem/one.cim", 0x80, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add_source(w, NULL, 0, &k.err), CIM_E_POINTER);
	gives(&k, cim_writer_add_source(NULL, "mem/one.cim", 0, &k.err), CIM_E_POINTER);
	gives(&k, cim_writer_add_source(w, "mem/one.cim", 0, &k.err), CIM_OK);
	gives(&k, cim_writer_add_stream(w, cim_str8("file:new"), 1, NULL, &k.err),
	      CIM_E_UNSUPPORTED);
	gives(&k, cim_writer_add_source(w, "mem/one.cim", 0, &k.err), CIM_OK);
	put(&k, w, "dir", "a file now");
	gives(&k, cim_writer_delete(w, cim_str8("file"), &k.err), CIM_OK);
	finish(&k, w);
	is_image(&k, "three.cim", "#1 / 10 times=0,0,0,0\n#2 /dir 80 10 'a file now'\n",
		 "a source twice, of which the session replaces one item and deletes the other");
	kit_free(&k);
}

/* The session describes anew what sources have; what it doesn't describe stays theirs. */
static void test_described_anew(void)
{
	struct cim_metadata meta = meta_dir();
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "one.cim");

	put(&k, w, "first", "so that the second source's regions aren't the first ones");
	finish(&k, w);
	w = begin(&k, NULL, "two.cim");
	make_dir(&k, w, "dir");
	put_stream(&k, w, "dir:s", "of the directory");
	put(&k, w, "dir\\in", "in it");
	finish(&k, w);
	w = begin(&k, NULL, "m.cim");
	must(&k, cim_writer_add_source(w, "mem/one.cim", 0, &k.err));
	must(&k, cim_writer_add_source(w, "mem/two.cim", 0, &k.err));
	meta.last_write_time = 77;
	must(&k, cim_writer_add(w, cim_str8("dir"), &meta, NULL, &k.err));
	finish(&k, w);
	w = begin(&k, NULL, "plain.cim");
	put(&k, w, "first", "so that the second source's regions aren't the first ones");
	must(&k, cim_writer_add(w, cim_str8("dir"), &meta, NULL, &k.err));
	put_stream(&k, w, "dir:s", "of the directory");
	put(&k, w, "dir\\in", "in it");
	finish(&k, w);
	looks_the_same(&k, "m.cim", "plain.cim",
		       "a directory that is described anew has its streams");
	kit_free(&k);
}

/* Memory and calls that fail: nothing is published, nothing is left. */
static void test_failures(void)
{
	static struct tree one, two;
	unsigned long steps = 0;
	unsigned wrong = 0;
	bool failed = true;
	struct kit base = kit_new();

	make_safe_tree(&one);
	make_safe_tree(&two);
	make_image(&base, &one, "1.cim");
	make_image(&base, &two, "2.cim");
	for (; failed; steps++) {
		struct kit k = kit_copy(&base);
		struct cim_writer *w = begin(&k, NULL, "m.cim");
		const char *why;
		enum cim_status status;

		put_target(&k, w);
		k.m->fail_at = k.m->ops + steps + 1;
		k.m->fail_status = CIM_E_IO;
		status = cim_writer_add_source(w, "mem/1.cim", 0, NULL);
		if (!status)
			status = cim_writer_add_source(w, "mem/2.cim", 0, NULL);
		if (!status)
			status = cim_writer_commit(w, NULL);
		failed = k.m->ops >= k.m->fail_at;
		k.m->fail_at = 0;
		cim_writer_close(w);
		wrong += (status != CIM_OK && status != CIM_E_IO) || (status && !failed) ||
			 !memfs_is_clean(k.m, &why);
		memfs_free(k.m);
	}
	ok(steps > 20, "%lu calls can fail", steps);
	is_int(wrong, 0, "each is told, and nothing is left open");
	kit_free(&base);
}

/* Each allocation fails once: that is told, and nothing is left. */
static void test_memory(void)
{
	static struct stack stack = {.count = 4};
	static struct tree low;
	unsigned long at = 1;
	unsigned wrong = 0;
	struct kit base = kit_new();
	bool failed = true;

	for (unsigned i = 0; i < stack.count; i++) {
		make_safe_tree(&stack.layers[i]);
		snprintf(stack.names[i], sizeof(stack.names[i]), "%u.cim", i);
		make_image(&base, &stack.layers[i], stack.names[i]);
	}
	model_of(&low, &stack, 2, 4);
	merge(&base, &stack, 2, 4, "low.cim", &low);
	for (; failed; at++) {
		struct kit k = kit_copy(&base);
		struct cim_writer *w = begin(&k, NULL, "m.cim");
		const char *why;
		enum cim_status status;

		put_target(&k, w);
		k.m->fail_alloc = k.m->allocs + at;
		status = cim_writer_add_source(w, "mem/1.cim", 0, &k.err);
		if (!status)
			status = cim_writer_add_source(w, "mem/low.cim", 0, &k.err);
		if (!status)
			status = cim_writer_commit(w, &k.err);
		failed = k.m->failed_allocs;
		k.m->fail_alloc = 0;
		cim_writer_close(w);
		wrong += (status != CIM_OK && status != CIM_E_NO_MEMORY) || (status && !failed) ||
			 !memfs_is_clean(k.m, &why) || memfs_exists(k.m, "m.cim") == !!status;
		memfs_free(k.m);
	}
	ok(at > 20, "%lu allocations can fail", at - 2);
	is_int(wrong, 0, "each is told, and nothing is left");
	kit_free(&base);
}

/* ---- places ---- */

/* A consistent session makes of the same sources the same bytes, whatever its random numbers. */
static void test_consistent(void)
{
	static struct tree one, two;
	struct kit base = kit_new(), copies[2];

	make_safe_tree(&one);
	make_safe_tree(&two);
	make_image(&base, &one, "1.cim");
	make_image(&base, &two, "2.cim");
	for (size_t i = 0; i < 2; i++) {
		struct cim_writer *w;

		copies[i] = kit_copy(&base);
		copies[i].m->seed = 1000 + i;
		w = begin_flags(&copies[i], NULL, "m.cim", CIM_WRITE_CONSISTENT);
		put_target(&copies[i], w);
		must(&copies[i], cim_writer_add_source(w, "mem/1.cim", 0, &copies[i].err));
		must(&copies[i], cim_writer_add_source(w, "mem/2.cim", 0, &copies[i].err));
		finish(&copies[i], w);
	}
	ok(memfs_digest(copies[0].m, NULL) == memfs_digest(copies[1].m, NULL),
	   "merged twice consistently: the same names and bytes");
	kit_free(&copies[0]);
	kit_free(&copies[1]);
	kit_free(&base);
}

static void make_in(struct kit *k, const char *dir, const char *name, const char *text)
{
	struct cim_writer *w = NULL;

	must(k, cim_writer_open(&k->env, dir, NULL, name,
				strcmp(dir, "mem") ? CIM_WRITE_CONTAINER : 0, &w, &k->err));
	put(k, w, text, text);
	put(k, w, "all", text);
	finish(k, w);
}

static void merge_in(struct kit *k, const char *dir, const char *name, const char *const *sources)
{
	struct cim_writer *w = NULL;

	must(k, cim_writer_open(&k->env, dir, NULL, name,
				strcmp(dir, "mem") ? CIM_WRITE_CONTAINER : 0, &w, &k->err));
	for (; *sources; sources++)
		must(k, cim_writer_add_source(w, *sources, 0, &k->err));
	finish(k, w);
}

/* Sources in containers and beside, one of them merged itself, merged into a container. */
static void test_nested(void)
{
	static const char *const low[] = {"mem/b.bcim/b.cim", "mem/c.cim", NULL};
	static const char *const all[] = {"mem/a.bcim/a.cim", "mem/l.bcim/low.cim", NULL};
	static const char *const given[] = {"mem/a.bcim/a.cim", "mem/l.bcim/low.cim",
					    "mem/b.bcim/b.cim", "mem/c.cim"};
	struct cim_image *image = NULL;
	struct kit k = kit_new();

	make_in(&k, "mem/a.bcim", "a.cim", "of a");
	make_in(&k, "mem/b.bcim", "b.cim", "of b");
	make_in(&k, "mem", "c.cim", "of c");
	merge_in(&k, "mem/l.bcim", "low.cim", low);
	merge_in(&k, "mem/m.bcim", "m.cim", all);
	forget_error(&k);
	if (gives(&k, cim_image_open_merged(&k.env, "mem/l.bcim/low.cim", low, 2, &image, &k.err),
		  CIM_OK))
		is_int(verify_open(&k, image), 0, "what was merged first is sound");
	cim_image_close(image);
	image = NULL;
	if (gives(&k, cim_image_open_merged(&k.env, "mem/m.bcim/m.cim", given, 4, &image, &k.err),
		  CIM_OK)) {
		char *text = dump_image(&k, image);

		is_int(verify_open(&k, image), 0, "and what was merged of it");
		is_str(text,
		       "#1 / 10 times=0,0,0,0\n#2 /all 80 4 'of a'\n#3 /of a 80 4 'of a'\n"
		       "#4 /of b 80 4 'of b'\n#5 /of c 80 4 'of c'\n",
		       "it has the files of all");
		free(text);
	}
	cim_image_close(image);
	kit_free(&k);
}

int main(void)
{
	const char *stacks = getenv("CIM_STACKS");

	test_seed();
	for (unsigned turn = 0; turn < (stacks ? (unsigned)atoi(stacks) : 60); turn++)
		test_stack(turn);
	test_long_target();
	test_refusals();
	test_described_anew();
	test_failures();
	test_memory();
	test_consistent();
	test_nested();
	return tap_done();
}
