/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linksearch.c - finding a name in a directory or stream table
 *
 * A look-up in a directory of a million names reads some twenty names, through the block cache. In
 * an unsorted table it may miss a name, but it ends.
 *
 * Order: names upcased, code units compared as numbers. Microsoft's reader compares code points
 * instead, which differs only where a name holds a surrogate or a unit from U+E000 on. A writer may
 * have sorted that way, so a name with such a unit that a binary search didn't find is looked for
 * in the whole table (by nameindex.c, where that is long); for every other name both orders lead
 * the same way.
 */
#include "collate.h"
#include "reader.h"

/* Both orders agree on names whose units, upcased or not, are all below this: the surrogates begin
 * here, and U+E000 to U+FFFF come behind them. */
#define CIM_FIRST_DISPUTED 0xd800u

/* So many are gone through each time; for more it is worth to know their order. */
#define CIM_FEW_LINKS 64u

/* Read link @index; *order is where the wanted name stands to it, 0 if they upcase alike. */
static enum cim_status compare_at(const struct cim_name_search *search, uint32_t index,
				  struct cim_link *link, int *order, struct cim_error *err)
{
	enum cim_status status = cim_link_table_name(search->table, index, link, err);

	if (status)
		return status;
	*order = cim_name_compare(search->upcase, search->name, search->units, link->name,
				  link->units);
	return CIM_OK;
}

/* Go through [from, to) for a name that matches; *at is its index, or @to. The first that doesn't
 * upcase alike ends it if @run: there is none, *at is table->count. */
static enum cim_status scan(const struct cim_name_search *search, uint32_t from, uint32_t to,
			    bool run, uint32_t *at, struct cim_link *link, struct cim_error *err)
{
	for (uint32_t i = from; i < to; i++) {
		int order;
		enum cim_status status = compare_at(search, i, link, &order, err);

		if (status)
			return status;
		if (!order && (!search->exact || cim_name_same(search, link))) {
			*at = i;
			return CIM_OK;
		}
		if (order && run) {
			to = search->table->count;
			break;
		}
	}
	*at = to;
	return CIM_OK;
}

/* The first link that isn't ordered before the wanted name. */
static enum cim_status lower_bound(const struct cim_name_search *search, uint32_t *at,
				   struct cim_link *link, struct cim_error *err)
{
	uint32_t low = 0, high = search->table->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order;
		enum cim_status status = compare_at(search, middle, link, &order, err);

		if (status)
			return status;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return CIM_OK;
}

/* May a table in the other order hide this name from a binary search? */
bool cim_name_is_disputed(const uint16_t *upcase, const uint16_t *name, size_t units)
{
	for (size_t i = 0; i < units; i++) {
		if (name[i] >= CIM_FIRST_DISPUTED || upcase[name[i]] >= CIM_FIRST_DISPUTED)
			return true;
	}
	return false;
}

/* A name that isn't where it ought to be: by the table's index, or from where that ends. */
static enum cim_status find_anywhere(const struct cim_name_search *search, uint32_t *at,
				     struct cim_link *link, struct cim_error *err)
{
	const uint32_t count = search->table->count;
	uint32_t from = 0;
	enum cim_status status = CIM_OK;

	*at = count;
	if (count > CIM_FEW_LINKS)
		status = cim_name_index_find(search, at, &from, link, err);
	if (status || *at < count)
		return status;
	return scan(search, from, count, false, at, link, err);
}

enum cim_status cim_link_table_find(const struct cim_link_table *table, const uint16_t *name,
				    size_t units, bool exact, struct cim_link *link, bool *found,
				    struct cim_error *err)
{
	struct cim_name_search search = {
		.table = table, .name = name, .units = units, .exact = exact};
	uint32_t at, end;
	enum cim_status status;

	*found = false;
	if (!table->count || !units || units > CIM_MAX_NAME)
		return CIM_OK;
	status = cim_image_upcase(table->image, &search.upcase, err);
	if (status)
		return status;
	status = lower_bound(&search, &at, link, err);
	if (status)
		return status;
	/* Names that upcase alike follow each other, if a writer left such at all. */
	end = table->count - at < CIM_FEW_LINKS ? table->count : at + CIM_FEW_LINKS;
	status = scan(&search, at, end, true, &at, link, err);
	if (status)
		return status;
	if ((at == end && end < table->count) ||
	    (at == table->count && cim_name_is_disputed(search.upcase, name, units)))
		status = find_anywhere(&search, &at, link, err);
	if (status || at == table->count)
		return status;
	status = cim_link_table_value(table, at, link, err);
	*found = !status;
	return status;
}
