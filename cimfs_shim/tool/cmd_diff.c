/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_diff.c - cimtool diff: what two images hold that is not the same
 *
 * Two walks in the same order, merged: an item that only one has, or that both have and that
 * differs in something. Contents are compared byte by byte. Not a difference: FileIDs, offsets, how
 * things are stored (a hole or stored zeros are the same bytes).
 *
 * What lies at one place of one region file is the same and isn't read; of two places that many
 * items lead to it is remembered what came of comparing them.
 *
 * The main thread walks; each pair of items is work for a queue (queue.c), and told in the walk's
 * order.
 */
#include "tree.h"

#include <pthread.h>
#include <search.h>
#include <sys/stat.h>

#define BUFFER (1u << 20)

#define QUEUED 1024

struct side {
	struct cim_image *image;
	struct cim_budget *budget;
	const char *name;
	struct tree *tree;
	const struct tree_item *item;
};

/* Two places by their numbers in the budgets, and whether what they were compared as is the same.
 * (An image made to harm has what is a PE image's place, or a descriptor's, be a plain stream's,
 * too.) */
struct verdict {
	uint32_t a;
	uint32_t b;
	enum cim_part part;
	unsigned kinds; /* of streams: which are PE images */
	uint64_t size;	/* of a stream */
	bool same;
};

struct diff {
	struct tool *t;
	struct side a;
	struct side b;
	uint32_t *twins; /* by region of b: one more than the region of a that is the same file */
	bool aligned;	 /* each region that both have is the same file */
	pthread_mutex_t lock;
	void *verdicts; /* of tsearch() */
	struct queue *queue;
	unsigned long differences;
	struct progress progress;
};

/* A thread's own. */
struct comparer {
	uint8_t *a;
	uint8_t *b;
};

/* An item of one side, as the walk found it. */
struct one {
	struct side *side;
	char *path;
	char *first;
	unsigned depth;
	struct cim_file_info info;
};

/* A piece of work: an item that both sides have, or only one. */
struct pair {
	struct diff *d;
	char sign; /* '~', or '+', '-' for one that only b or a has */
	struct one a;
	struct one b;
	struct text fields; /* what differs, for people */
	json_t *json;
	int code;
};

/* ---- telling ---- */

static void field_text(struct pair *p, const char *field, const char *a, const char *b)
{
	if (p->json) {
		json_t *o = json_object();

		json_put_text(o, "field", field);
		if (a)
			json_put_text(o, "a", a);
		if (b)
			json_put_text(o, "b", b);
		json_append(p->json, "fields", o);
		return;
	}
	if (p->fields.len)
		text_puts(&p->fields, ", ");
	text_puts(&p->fields, field);
	if (a && b)
		text_printf(&p->fields, " %s -> %s", a, b);
}

/* As field_text(), of escaped names. */
static void field_name(struct pair *p, const char *field, const char *a, const char *b)
{
	char *(*form)(const char *) = p->json ? tree_plain : tree_shown;
	char *from = a ? form(a) : NULL;
	char *to = b ? form(b) : NULL;

	field_text(p, field, from, to);
	free(from);
	free(to);
}

static void field_time(struct pair *p, const char *field, int64_t a, int64_t b)
{
	char from[TIME_TEXT];
	char to[TIME_TEXT];

	if (a != b)
		field_text(p, field, filetime_text(a, from), filetime_text(b, to));
}

static void field_number(struct pair *p, const char *field, uint64_t a, uint64_t b)
{
	char from[24];
	char to[24];

	snprintf(from, sizeof(from), "%llu", (unsigned long long)a);
	snprintf(to, sizeof(to), "%llu", (unsigned long long)b);
	field_text(p, field, from, to);
}

/* One item that only one side has. */
static void tell_single(struct diff *d, char sign, const struct one *item)
{
	char *path = (d->t->json ? tree_plain : tree_shown)(item->path);

	d->differences++;
	if (d->t->json) {
		json_t *o = json_object();

		json_put_text(o, "change", sign == '+' ? "added" : "removed");
		json_put_text(o, "path", path);
		json_put_text(o, "type", item->info.is_directory ? "directory" : "file");
		json_put_int(o, "size", item->info.size);
		if (item->info.marks)
			json_put_text(o, "mark", mark_name(item->info.marks));
		json_print(stdout, o);
	} else if (item->info.marks) {
		printf("%c %s%s (%s)\n", sign, path,
		       item->info.is_directory && item->depth ? "/" : "",
		       mark_name(item->info.marks));
	} else if (item->info.is_directory) {
		printf("%c %s%s\n", sign, path, item->depth ? "/" : "");
	} else {
		printf("%c %s (%llu byte%s)\n", sign, path, (unsigned long long)item->info.size,
		       plural(item->info.size));
	}
	free(path);
}

/* ---- comparing ---- */

static int fail_side(const struct pair *p, const struct one *one, struct cim_error *err)
{
	if (!err->path[0]) {
		char *path = tree_plain(one->path);

		snprintf(err->path, sizeof(err->path), "%s", path);
		free(path);
	}
	return tool_fail_cim(p->d->t, "diff", one->side->name, err);
}

static int same_data(struct comparer *c, struct pair *p, const struct cim_data *x,
		     const struct cim_data *y, bool *same)
{
	uint64_t offset = 0;

	*same = x->size == y->size;
	if (!*same || (x->sparse && y->sparse))
		return EXIT_OK;
	while (offset < x->size && *same) {
		struct cim_error err = {0};
		size_t got;
		size_t other;

		if (cim_image_read(p->a.side->image, x, offset, c->a, BUFFER, &got, &err))
			return fail_side(p, &p->a, &err);
		if (cim_image_read(p->b.side->image, y, offset, c->b, BUFFER, &other, &err))
			return fail_side(p, &p->b, &err);
		*same = got == other && !memcmp(c->a, c->b, got);
		if (!got)
			break;
		offset += got;
		p->d->progress.bytes += got;
		progress_tick(&p->d->progress);
		if (tool_signal)
			return tool_interrupted();
	}
	return EXIT_OK;
}

/* ---- places ---- */

static bool same_offset(const struct diff *d, uint64_t a, uint64_t b)
{
	const uint32_t region = cim_region_index(b);

	return region < cim_image_get_info(d->b.image)->region_count &&
	       d->twins[region] == cim_region_index(a) + 1 &&
	       cim_region_byte(a) == cim_region_byte(b);
}

/* One place in one file; what it leads to, by the number of a region, is each image's own. */
static bool same_place(const struct diff *d, const struct cim_place *a, const struct cim_place *b)
{
	if (!a->bytes || a->bytes != b->bytes || !same_offset(d, a->offset, b->offset))
		return false;
	return (!a->data && !b->data) || same_offset(d, a->data, b->data);
}

static unsigned kinds_of(bool a, bool b)
{
	return a + 2u * b;
}

static int compare_verdicts(const void *a, const void *b)
{
	const struct verdict *x = a;
	const struct verdict *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	if (x->b != y->b)
		return x->b < y->b ? -1 : 1;
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	if (x->kinds != y->kinds)
		return x->kinds < y->kinds ? -1 : 1;
	return (x->size > y->size) - (x->size < y->size);
}

/* The numbers of two places, and whether it is known if they hold the same. */
static int find_verdict(struct pair *p, const struct cim_place *a, const struct cim_place *b,
			struct verdict *verdict, bool *known)
{
	struct verdict *const *found = NULL;
	struct cim_error err = {0};
	bool again;

	*known = false;
	if (cim_budget_once(p->d->a.budget, a, &verdict->a, &again, &err))
		return fail_side(p, &p->a, &err);
	if (cim_budget_once(p->d->b.budget, b, &verdict->b, &again, &err))
		return fail_side(p, &p->b, &err);
	pthread_mutex_lock(&p->d->lock);
	found = tfind(verdict, &p->d->verdicts, compare_verdicts);
	*known = found;
	if (found)
		verdict->same = (*found)->same;
	pthread_mutex_unlock(&p->d->lock);
	return EXIT_OK;
}

static void keep_verdict(struct diff *d, const struct verdict *verdict)
{
	struct verdict *kept;
	struct verdict *const *found;

	if (verdict->a == CIM_NOT_COUNTED || verdict->b == CIM_NOT_COUNTED)
		return;
	kept = xmalloc(sizeof(*kept));
	*kept = *verdict;
	pthread_mutex_lock(&d->lock);
	found = tsearch(kept, &d->verdicts, compare_verdicts);
	pthread_mutex_unlock(&d->lock);
	if (!found)
		alloc_failed();
	/* Another thread may have come to it too. */
	if (*found != kept)
		free(kept);
}

/* Where a part of both sides lies; *same: that is one place, or there is nothing to compare. */
static int find_places(struct pair *p, enum cim_part part, struct cim_place *a, struct cim_place *b,
		       bool *same)
{
	struct cim_error err = {0};

	if (cim_file_place(p->a.side->image, &p->a.info, part, a, &err))
		return fail_side(p, &p->a, &err);
	if (cim_file_place(p->b.side->image, &p->b.info, part, b, &err))
		return fail_side(p, &p->b, &err);
	*same = (!a->bytes && !b->bytes) || same_place(p->d, a, b);
	return EXIT_OK;
}

/* ---- comparing ---- */

/* same_data() of streams at two places, unless that is known. */
static int same_contents(struct comparer *c, struct pair *p, const struct cim_data *x,
			 const struct cim_data *y, bool *same)
{
	struct cim_error err = {0};
	struct cim_place a;
	struct cim_place b;
	struct verdict verdict = {
		.part = CIM_PART_DATA, .kinds = kinds_of(x->pe, y->pe), .size = x->size};
	bool known;
	int code;

	if (cim_data_place(p->a.side->image, x, &a, &err))
		return fail_side(p, &p->a, &err);
	if (cim_data_place(p->b.side->image, y, &b, &err))
		return fail_side(p, &p->b, &err);
	*same = x->size == y->size && x->pe == y->pe && same_place(p->d, &a, &b);
	if (*same || x->size != y->size)
		return EXIT_OK;
	code = find_verdict(p, &a, &b, &verdict, &known);
	*same = known && verdict.same;
	if (code || known)
		return code;
	code = same_data(c, p, x, y, same);
	verdict.same = *same;
	if (!code)
		keep_verdict(p->d, &verdict);
	return code;
}

static char *blob_text(const struct pair *p, enum cim_blob which, const struct blob *blob)
{
	struct text text = {0};
	char *target;

	if (!blob->size)
		return xstrdup("none");
	if (which == CIM_BLOB_SECURITY && sddl_format(&text, blob->data, blob->size))
		return text.len ? text.s : xstrdup("(empty)");
	if (which == CIM_BLOB_REPARSE) {
		target = reparse_target(blob->data, blob->size);
		if (target && p->json)
			return target;
		if (target) {
			text_escape(&text, target, strlen(target), ESCAPE_BACKSLASH_NOT);
			free(target);
			return text.s;
		}
	}
	return hex_text(blob->data, blob->size);
}

/* Both have been read: tell how they differ. */
static bool tell_blobs(struct pair *p, const char *field, enum cim_blob which, const struct blob *x,
		       const struct blob *y)
{
	char *from;
	char *to;

	if (blob_equal(x, y))
		return true;
	from = blob_text(p, which, x);
	to = blob_text(p, which, y);
	field_text(p, field, from, to);
	free(from);
	free(to);
	return false;
}

static int compare_blob(struct pair *p, const char *field, enum cim_blob which)
{
	struct cim_error err = {0};
	struct cim_place a;
	struct cim_place b;
	struct verdict verdict = {.part = (enum cim_part)which};
	struct blob x = {0};
	struct blob y = {0};
	bool known;
	int code = find_places(p, (enum cim_part)which, &a, &b, &known);

	if (!code && !known) {
		code = find_verdict(p, &a, &b, &verdict, &known);
		known = known && verdict.same;
	}
	if (code || known)
		return code;
	if (blob_read(p->a.side->image, &p->a.info, which, &x, &err)) {
		code = fail_side(p, &p->a, &err);
	} else if (blob_read(p->b.side->image, &p->b.info, which, &y, &err)) {
		code = fail_side(p, &p->b, &err);
	} else {
		verdict.same = tell_blobs(p, field, which, &x, &y);
		keep_verdict(p->d, &verdict);
	}
	blob_free(&x);
	blob_free(&y);
	return code;
}

/* One stream that both have (@order 0), only a (below 0) or only b. */
static int compare_stream(struct comparer *c, struct pair *p, const struct tree_stream *x,
			  const struct tree_stream *y, int order)
{
	char *text = tree_stream_text(order > 0 ? y : x);
	char *name = (p->json ? tree_plain : tree_shown)(text);
	char *field = xasprintf("stream %s%s", name,
				order < 0   ? " removed"
				: order > 0 ? " added"
					    : "");
	bool same = false;
	int code = EXIT_OK;

	if (!order)
		code = same_contents(c, p, &x->data, &y->data, &same);
	if (!code && !same)
		field_text(p, field, NULL, NULL);
	free(field);
	free(name);
	free(text);
	return code;
}

/* Both sides' in one order. */
static int merge_streams(struct comparer *c, struct pair *p, const struct tree_streams *x,
			 const struct tree_streams *y)
{
	size_t i = 0;
	size_t k = 0;
	int code = EXIT_OK;

	while (!code && (i < x->count || k < y->count)) {
		const struct tree_stream *a = &x->at[i];
		const struct tree_stream *b = &y->at[k];
		int order = i == x->count   ? 1
			    : k == y->count ? -1
					    : cim_name_compare_default(a->name, a->units, b->name,
								       b->units);

		code = compare_stream(c, p, a, b, order);
		i += order <= 0;
		k += order >= 0;
	}
	return code;
}

static int compare_streams(struct comparer *c, struct pair *p)
{
	struct tree_streams x = {0};
	struct tree_streams y = {0};
	struct cim_place a;
	struct cim_place b;
	bool same;
	int code;

	if (!p->a.info.has_streams && !p->b.info.has_streams)
		return EXIT_OK;
	code = find_places(p, CIM_PART_STREAMS, &a, &b, &same);
	if (code || (same && (!a.bytes || (p->d->aligned && a.base == b.base))))
		return code;
	code = tree_streams(p->d->t, p->a.side->image, p->a.side->name, &p->a.info, &x);
	if (!code)
		code = tree_streams(p->d->t, p->b.side->image, p->b.side->name, &p->b.info, &y);
	if (!code)
		code = merge_streams(c, p, &x, &y);
	tree_streams_free(&x);
	tree_streams_free(&y);
	return code;
}

static int compare_data(struct comparer *c, struct pair *p)
{
	struct cim_error err = {0};
	struct cim_data x = {CIM_SIZED(x)};
	struct cim_data y = {CIM_SIZED(y)};
	struct cim_place a;
	struct cim_place b;
	const bool pe_a = p->a.info.is_pe_image;
	const bool pe_b = p->b.info.is_pe_image;
	struct verdict verdict = {
		.part = CIM_PART_DATA, .kinds = kinds_of(pe_a, pe_b), .size = p->a.info.size};
	bool same;
	bool known = false;
	int code;

	if (p->a.info.size != p->b.info.size) {
		field_number(p, "size", p->a.info.size, p->b.info.size);
		return EXIT_OK;
	}
	/* Before the streams are looked for: that goes through all of a PE image's mappings. */
	code = find_places(p, CIM_PART_DATA, &a, &b, &same);
	same = same && pe_a == pe_b;
	if (!code && !same)
		code = find_verdict(p, &a, &b, &verdict, &known);
	if (code || same || (known && verdict.same))
		return code;
	if (known) {
		field_text(p, "contents", NULL, NULL);
		return EXIT_OK;
	}
	if (cim_image_get_file_data(p->a.side->image, &p->a.info, (struct cim_str){0}, &x, &err))
		return fail_side(p, &p->a, &err);
	if (cim_image_get_file_data(p->b.side->image, &p->b.info, (struct cim_str){0}, &y, &err))
		return fail_side(p, &p->b, &err);
	code = same_contents(c, p, &x, &y, &same);
	if (!code && !same)
		field_text(p, "contents", NULL, NULL);
	return code;
}

/* The last component of an item's path. */
static const char *last_name(const struct one *item)
{
	const char *slash = strrchr(item->path, '/');

	return slash ? slash + 1 : item->path;
}

/* Which name of a file came first says which names belong together. */
static void compare_links(struct pair *p)
{
	const char *x = p->a.first;
	const char *y = p->b.first;

	if (!x && !y)
		return;
	if (!x || !y || strcasecmp(x, y))
		field_name(p, "hard link to", x ? x : "(no link)", y ? y : "(no link)");
}

static bool one_time(const struct cim_file_info *info)
{
	return info->creation_time == info->last_write_time &&
	       info->change_time == info->last_write_time &&
	       info->last_access_time == info->last_write_time;
}

static void compare_times(struct pair *p, const struct cim_file_info *x,
			  const struct cim_file_info *y)
{
	/* Four times the same would only hide the rest. */
	if (!p->json && one_time(x) && one_time(y)) {
		field_time(p, "times", x->last_write_time, y->last_write_time);
		return;
	}
	field_time(p, "created", x->creation_time, y->creation_time);
	field_time(p, "written", x->last_write_time, y->last_write_time);
	field_time(p, "changed", x->change_time, y->change_time);
	field_time(p, "accessed", x->last_access_time, y->last_access_time);
}

static int compare_items(struct comparer *c, struct pair *p)
{
	const struct cim_file_info *x = &p->a.info;
	const struct cim_file_info *y = &p->b.info;
	char from[8];
	char to[8];
	int code = EXIT_OK;

	if (strcmp(last_name(&p->a), last_name(&p->b)))
		field_name(p, "name", last_name(&p->a), last_name(&p->b));
	compare_links(p);
	/* Two more names of files that were compared by their first ones. */
	if (p->a.first && p->b.first)
		return EXIT_OK;
	if (x->attributes != y->attributes)
		field_text(p, "attributes", attribute_letters(x->attributes, from),
			   attribute_letters(y->attributes, to));
	else if (x->flags != y->flags)
		field_number(p, "flags", x->flags, y->flags);
	if (x->marks != y->marks)
		field_text(p, "mark", x->marks ? mark_name(x->marks) : "none",
			   y->marks ? mark_name(y->marks) : "none");
	compare_times(p, x, y);
	if (x->has_security || y->has_security)
		code = compare_blob(p, "security", CIM_BLOB_SECURITY);
	if (!code && (x->has_ea || y->has_ea))
		code = compare_blob(p, "ea", CIM_BLOB_EA);
	if (!code && (x->has_reparse || y->has_reparse))
		code = compare_blob(p, "reparse", CIM_BLOB_REPARSE);
	if (!code && !x->is_directory)
		code = compare_data(c, p);
	if (!code)
		code = compare_streams(c, p);
	return code;
}

/* ---- pieces of work ---- */

/* Both sides have the name; on any thread. */
static void compare_pair(void *own, void *work)
{
	struct comparer *c = own;
	struct pair *p = work;
	char *path;

	if (!p->d->t->json) {
		p->code = compare_items(c, p);
		return;
	}
	path = tree_plain(p->b.path);
	p->json = json_object();
	json_put_text(p->json, "change", "changed");
	json_put_text(p->json, "path", path);
	free(path);
	p->code = compare_items(c, p);
}

static void drop_pair(void *work)
{
	struct pair *p = work;

	json_decref(p->json);
	text_free(&p->fields);
	free(p->a.path);
	free(p->a.first);
	free(p->b.path);
	free(p->b.first);
	free(p);
}

static void tell_pair(struct diff *d, struct pair *p)
{
	char *path;

	if (p->json && json_object_get(p->json, "fields")) {
		d->differences++;
		json_print(stdout, p->json);
		p->json = NULL;
	} else if (p->fields.len) {
		d->differences++;
		path = tree_shown(p->b.path);
		printf("~ %s: %s\n", path, p->fields.s);
		free(path);
	}
}

static int finish_pair(void *ctx, void *work)
{
	struct diff *d = ctx;
	struct pair *p = work;
	int code = p->code;

	/* What was found before it failed is told too. */
	if (p->sign == '~')
		tell_pair(d, p);
	else
		tell_single(d, p->sign, p->sign == '-' ? &p->a : &p->b);
	d->progress.files++;
	progress_tick(&d->progress);
	drop_pair(work);
	return code;
}

static const struct queue_ops queue_ops = {
	.run = compare_pair,
	.finish = finish_pair,
	.drop = drop_pair,
};

static void take_one(struct one *one, struct side *side)
{
	const struct tree_item *item = side->item;

	one->side = side;
	one->path = xstrdup(item->path);
	one->first = item->first ? xstrdup(item->first) : NULL;
	one->depth = item->depth;
	one->info = item->info;
}

static struct pair *new_pair(struct diff *d, char sign)
{
	struct pair *p = xcalloc(1, sizeof(*p));

	p->d = d;
	p->sign = sign;
	if (sign != '+')
		take_one(&p->a, &d->a);
	if (sign != '-')
		take_one(&p->b, &d->b);
	return p;
}

static size_t bytes_of(const struct one *one)
{
	return (one->path ? strlen(one->path) : 0) + (one->first ? strlen(one->first) : 0);
}

static int put_pair(struct diff *d, char sign)
{
	struct pair *p = new_pair(d, sign);

	return queue_put_large(d->queue, p, sign == '~', bytes_of(&p->a) + bytes_of(&p->b));
}

/* ---- the two walks ---- */

static int next_item(struct side *side)
{
	int code;

	side->item = tree_next(side->tree, &code);
	return code;
}

/*
 * The order of two items, both being the next of their walk: paths that were equal so far, then one
 * goes deeper, ends, or has another name. As a walk has left a directory before its next name, the
 * deeper item comes first.
 */
static int compare_position(const struct tree_item *x, const struct tree_item *y)
{
	if (!x || !y)
		return x ? -1 : 1;
	if (x->depth != y->depth)
		return x->depth > y->depth ? -1 : 1;
	if (!x->depth)
		return 0;
	return cim_name_compare_default(x->name, x->units, y->name, y->units);
}

/* An item that one side has; for a directory all that is in it too. */
static int single(struct diff *d, struct side *side, char sign)
{
	unsigned depth = side->item->depth;
	bool directory = side->item->info.is_directory;
	int code;

	do {
		code = put_pair(d, sign);
		if (!code)
			code = next_item(side);
	} while (!code && directory && side->item && side->item->depth > depth);
	return code;
}

static int merge(struct diff *d)
{
	int code = next_item(&d->a);

	if (!code)
		code = next_item(&d->b);
	while (!code && (d->a.item || d->b.item) && !ferror(stdout)) {
		int order = compare_position(d->a.item, d->b.item);

		if (order < 0) {
			code = single(d, &d->a, '-');
		} else if (order > 0) {
			code = single(d, &d->b, '+');
		} else if (d->a.item->info.is_directory != d->b.item->info.is_directory) {
			code = single(d, &d->a, '-');
			if (!code)
				code = single(d, &d->b, '+');
		} else {
			code = put_pair(d, '~');
			if (!code)
				code = next_item(&d->a);
			if (!code)
				code = next_item(&d->b);
		}
		progress_tick(&d->progress);
	}
	return !code && tool_signal ? tool_interrupted() : code;
}

/* The queue's threads with their buffers. */
static int compare(struct diff *d)
{
	unsigned count = tool_threads(d->t);
	struct comparer *comparers = xcalloc(count, sizeof(*comparers));
	int code;

	for (unsigned i = 0; i < count; i++) {
		comparers[i].a = xmalloc(BUFFER);
		comparers[i].b = xmalloc(BUFFER);
	}
	d->queue = queue_open(d->t, &queue_ops, d, comparers, sizeof(*comparers),
			      queue_threads(d->t), QUEUED, &d->progress);
	code = merge(d);
	code = queue_close(d->queue, code);
	for (unsigned i = 0; i < count; i++) {
		free(comparers[i].a);
		free(comparers[i].b);
	}
	free(comparers);
	return code;
}

static int open_side(struct diff *d, struct side *side, const char *name)
{
	struct cim_error err = {0};
	int code;

	side->name = name;
	side->image = tool_open(d->t, name, &code);
	if (!side->image)
		return code;
	if (cim_budget_open(side->image, &side->budget, &err))
		return tool_fail_cim(d->t, "read", name, &err);
	side->tree = tree_open(d->t, side->image, name, &code);
	return code;
}

/* Where an image's region files are: beside it, not beside a link to it. */
static bool stat_directory(const char *image, struct stat *st)
{
	char *real = image_path_of(image);
	const char *name;
	char *dir = split_image(real, &name);
	const bool found = !stat(dir, st);

	free(dir);
	free(real);
	return found;
}

/* In one directory region files of one name are one file. Images that share some (forks of one
 * image, or one with its fork) have these first. */
static void find_twins(struct diff *d)
{
	const struct cim_region_set *x;
	const struct cim_region_set *y;
	struct stat a;
	struct stat b;

	d->twins = xcalloc(cim_image_get_info(d->b.image)->region_count, sizeof(*d->twins));
	/* A source that was named may be a copy elsewhere of what is here. */
	if (d->t->source_count || !stat_directory(d->a.name, &a) ||
	    !stat_directory(d->b.name, &b) || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return;
	for (uint32_t i = 0;
	     (x = cim_image_get_set(d->a.image, i)) && (y = cim_image_get_set(d->b.image, i)) &&
	     !memcmp(&x->guid, &y->guid, sizeof(x->guid));
	     i++) {
		for (uint32_t n = 0; n < x->count && n < y->count; n++)
			d->twins[y->first + n] = x->first + n + 1;
	}
	d->aligned = true;
	for (uint32_t i = 0; i < cim_image_get_info(d->a.image)->region_count &&
			     i < cim_image_get_info(d->b.image)->region_count;
	     i++)
		d->aligned = d->aligned && d->twins[i] == i + 1;
}

static void close_side(struct side *side)
{
	tree_close(side->tree);
	cim_budget_close(side->budget);
	cim_image_close(side->image);
}

/* Whose root hash is known, and what it is. */
struct hashes {
	unsigned count;
	bool known[2];
	uint8_t bytes[2][CIM_ROOT_HASH];
};

static int take_hash(void *tool, void *into, const struct arg_option *option, char *hex)
{
	struct hashes *h = into;
	struct tool *t = tool;
	int code;

	if (h->count == COUNT_OF(h->bytes))
		return tool_usage(t, "two images have no more than two root hashes");
	if (!strcmp(hex, "-")) {
		h->count++;
		return EXIT_OK;
	}
	code = take_root_hash(t, into, option, hex);
	memcpy(h->bytes[h->count], t->root_hash, sizeof(t->root_hash));
	h->known[h->count++] = true;
	return code;
}

static void use_hash(struct tool *t, const struct hashes *h, unsigned side)
{
	side = side < h->count ? side : 0;
	t->verified = h->known[side];
	memcpy(t->root_hash, h->bytes[side], sizeof(t->root_hash));
}

static const struct arg_option options[] = {
	SOURCE_OPTION,
	{.name = "root-hash",
	 .meta = "HEX",
	 .take = take_hash,
	 .help = "the images' container is sealed (cimtool-seal(1)), and this is its root hash: "
		 "nothing but what was sealed is read. Given twice: A's, and B's; - is for one "
		 "that has none"},
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct diff d = {.t = t, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct hashes hashes = {0};
	int code = tool_args(t, argc, argv, &hashes, 2, 2, "two images are needed");

	if (code)
		return 2;
	alloc_fails_with(2);
	t->show_marked = true;
	t->several = true;
	progress_start(&d.progress, t, "diff");
	tool_catch_signals();
	use_hash(t, &hashes, 0);
	code = open_side(&d, &d.a, argv[optind]);
	use_hash(t, &hashes, 1);
	if (!code)
		code = open_side(&d, &d.b, argv[optind + 1]);
	if (!code)
		code = tool_check_sources(t);
	if (!code) {
		find_twins(&d);
		code = compare(&d);
	}
	progress_end(&d.progress);
	close_side(&d.a);
	close_side(&d.b);
	tdestroy(d.verdicts, free);
	free(d.twins);
	if (code)
		return tool_signal ? tool_interrupted() : 2;
	return d.differences ? 1 : 0;
}

const struct command cmd_diff = {
	.name = "diff",
	.usage = "[OPTION]... A B",
	.summary = "tell two images apart",
	.about = "Compares two images item by item: names, attributes, times, security "
		 "descriptors, extended attributes, reparse data, contents (byte by byte), "
		 "streams, and which names are links to one file. Prints a line for each item "
		 "that differs:\n"
		 "\n"
		 "  + /path (N bytes)            only B has it\n"
		 "  - /path (N bytes)            only A has it\n"
		 "  ~ /path: WHAT A -> B, ...\n"
		 "\n"
		 "Exit status: 0 no difference, 1 differences, 2 trouble.",
	.options = options,
	.run = run,
	.compares = true,
};
