/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checklink.c - checking one link table, a directory's or a stream table
 *
 * By now the reader has found the table: its length, its number of links, and that they fit. Here
 * each name is read where its offset says, and compared with the one before: the order must rise
 * strictly, by upcased code units, or a binary search won't find what is there. Names must not
 * overlap either. As a writer puts them one behind the other this is seen in passing; only where
 * they lie in another order are all places sorted and compared.
 *
 * A table that breaks more than a few rules is given up: what made it is no writer.
 */
#include "check.h"
#include "collate.h"
#include "sort.h"

#define MAX_ERRORS 16u

struct name {
	uint32_t at; /* in the table, of its length */
	size_t units;
	uint16_t text[CIM_MAX_NAME];
};

struct links {
	struct cim_check *c;
	const struct cim_link_table *table;
	const char *structure;
	char separator; /* before a name in a path */
	uint64_t names; /* where they may begin */
	uint64_t errors;
	struct name name, last;
	uint32_t end; /* of the names so far, while they lie in order */
	bool scattered;
};

static bool read_table(struct links *links, uint64_t at, void *buf, size_t len)
{
	return cim_check_read(links->c, links->structure, links->table->offset, at, buf, len);
}

/* Where the name of link @index lies. */
static bool read_place(struct links *links, uint32_t index, uint32_t *at, unsigned *units)
{
	const struct cim_link_table *table = links->table;
	uint8_t bytes[4];

	if (!read_table(links, links->names - (uint64_t)(table->count - index) * sizeof(bytes),
			bytes, sizeof(bytes)))
		return false;
	*at = cim_get32(bytes);
	if (*at < links->names || *at > table->length || table->length - *at < 2) {
		cim_check_report(links->c, CIM_ERROR, links->structure, table->offset,
				 "link %u: the name offset %u doesn't lie among the names",
				 (unsigned)index, (unsigned)*at);
		return false;
	}
	if (!read_table(links, *at, bytes, 2))
		return false;
	*units = cim_get16(bytes);
	return true;
}

static bool read_name(struct links *links, uint32_t index)
{
	const struct cim_link_table *table = links->table;
	struct name *name = &links->name;
	uint8_t bytes[2 * CIM_MAX_NAME];
	unsigned units;

	if (!read_place(links, index, &name->at, &units))
		return false;
	if (!units || units > CIM_MAX_NAME) {
		cim_check_report(links->c, CIM_ERROR, links->structure, table->offset,
				 "link %u: a name of %u units", (unsigned)index, units);
		return false;
	}
	if (2 * units > table->length - name->at - 2) {
		cim_check_report(links->c, CIM_ERROR, links->structure, table->offset,
				 "link %u: the name ends outside the table", (unsigned)index);
		return false;
	}
	if (!read_table(links, (uint64_t)name->at + 2, bytes, 2 * units))
		return false;
	name->units = units;
	for (unsigned i = 0; i < units; i++)
		name->text[i] = cim_get16(bytes + 2 * i);
	return true;
}

/* ---- one name ---- */

static bool is_forbidden(uint16_t unit)
{
	static const char marks[] = "\"*/:<>?\\|";

	if (unit < 32)
		return true;
	for (const char *mark = marks; *mark; mark++)
		if (unit == (uint16_t)*mark)
			return true;
	return false;
}

static bool is_dots(const struct name *name)
{
	return name->units <= 2 && name->text[0] == '.' && name->text[name->units - 1] == '.';
}

static bool is_disputed(const struct links *links, const struct name *name)
{
	return cim_name_is_disputed(links->c->upcase, name->text, name->units);
}

static void check_characters(struct links *links)
{
	const struct name *name = &links->name;
	unsigned forbidden = 0;

	for (size_t i = 0; i < name->units && !forbidden; i++)
		if (is_forbidden(name->text[i]))
			forbidden = 1u + name->text[i];
	if (forbidden)
		cim_check_report(links->c, CIM_WARNING, links->structure, links->table->offset,
				 "the name holds a forbidden character, U+%04X", forbidden - 1);
	else if (is_dots(name))
		cim_check_report(links->c, CIM_WARNING, links->structure, links->table->offset,
				 "a name can't be \".\" or \"..\"");
}

/* Compare with the name before. */
static void check_order(struct links *links)
{
	const struct name *a = &links->last, *b = &links->name;
	int order;

	if (!links->c->upcase || !a->units)
		return;
	order = cim_name_compare(links->c->upcase, a->text, a->units, b->text, b->units);
	if (order < 0)
		return;
	if (!order)
		cim_check_report(links->c, CIM_ERROR, links->structure, links->table->offset,
				 "duplicate name: it differs from the one before in case at most");
	else if (is_disputed(links, a) || is_disputed(links, b))
		cim_check_report(links->c, CIM_WARNING, links->structure, links->table->offset,
				 "not sorted by code units: the name belongs before the one before "
				 "(other writers may sort by code points)");
	else
		cim_check_report(links->c, CIM_ERROR, links->structure, links->table->offset,
				 "not sorted: the name belongs before the one before");
}

static void note_place(struct links *links)
{
	const struct name *name = &links->name;

	if (name->at < links->end)
		links->scattered = true;
	links->end = name->at + 2 + 2 * (uint32_t)name->units;
}

/* ---- overlaps of names that don't lie in order ---- */

struct place {
	uint32_t from, to;
};

static int compare_places(const void *a, const void *b, const void *ctx)
{
	const struct place *x = a, *y = b;

	(void)ctx;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void find_overlaps(struct links *links, struct place *places, uint32_t count)
{
	const struct cim_env *env = &links->c->image->env;
	uint32_t overlaps = 0;

	if (!cim_sort(env, places, count, sizeof(*places), compare_places, NULL)) {
		cim_check_no_memory(links->c);
		return;
	}
	for (uint32_t i = 1; i < count; i++) {
		if (places[i].from < places[i - 1].to) {
			overlaps++;
			if (places[i].to < places[i - 1].to)
				places[i].to = places[i - 1].to;
		}
	}
	if (overlaps)
		cim_check_report(links->c, CIM_WARNING, links->structure, links->table->offset,
				 "%u names overlap others", (unsigned)overlaps);
}

static void check_overlaps(struct links *links)
{
	const struct cim_env *env = &links->c->image->env;
	const uint32_t count = links->table->count;
	struct place *places = NULL;
	uint32_t known = 0;
	size_t bytes;

	/* All names were read just now, so the table has room for them and this is no more. */
	if (cim_ckd_mul_size(&bytes, count, sizeof(*places)))
		places = cim_alloc(env, bytes);
	if (!places) {
		cim_check_no_memory(links->c);
		return;
	}
	while (known < count) {
		unsigned units;

		if (!read_place(links, known, &places[known].from, &units))
			break;
		places[known].to = places[known].from + 2 + 2 * units;
		known++;
	}
	if (!links->c->status)
		find_overlaps(links, places, known);
	cim_free(env, places);
}

/* ---- the table ---- */

static void check_link(struct links *links, uint32_t index)
{
	struct cim_check *c = links->c;
	const uint64_t before = c->result.errors;
	size_t len;

	if (read_name(links, index)) {
		len = cim_check_push(c, links->separator, links->name.text, links->name.units);
		check_characters(links);
		check_order(links);
		cim_check_pop(c, len);
		note_place(links);
		links->last = links->name;
	}
	links->errors += c->result.errors - before;
}

bool cim_check_links(struct cim_check *c, const struct cim_link_table *table, const char *structure)
{
	const bool is_dir = table->value_size == CIM_LINK_FILE_SIZE;
	struct links links = {
		.c = c,
		.table = table,
		.structure = structure,
		.separator = is_dir ? '/' : ':',
		.names = cim_link_names(table->count, table->value_size),
	};

	for (uint32_t i = 0; i < table->count && !c->status; i++) {
		check_link(&links, i);
		cim_check_tick(c);
		if (links.errors >= MAX_ERRORS && i + 1 < table->count) {
			cim_check_report(c, CIM_ERROR, structure, table->offset,
					 "too many errors: the other %u links are not checked",
					 (unsigned)(table->count - i - 1));
			return false;
		}
	}
	if (links.scattered && !links.errors && !c->status)
		check_overlaps(&links);
	return !c->status;
}
