/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conttable.c - the names in a container
 *
 * The table that was read stays in memory as it is, and for each of its entries there is a pair of
 * pointers, one into it, in the order of the names with ASCII case folded: that is what is looked
 * for, and what makes two names that differ in nothing else stand side by side. A file's extents
 * are decoded while it is open. So the memory follows from the table's size, which the container's
 * file really has.
 */
#include "bytes.h"
#include "container.h"
#include "error.h"
#include "mem.h"
#include "names.h"
#include "sort.h"

#include <string.h>

static unsigned units_of(const struct cim_cont_entry *entry)
{
	return cim_get16(entry->raw + CIM_OFF(cont_entry, units));
}

static const uint8_t *name_of(const struct cim_cont_entry *entry)
{
	return entry->raw + CIM_SIZE(cont_entry);
}

static unsigned unit_at(const struct cim_cont_entry *entry, size_t i)
{
	return cim_get16(name_of(entry) + 2 * i);
}

static unsigned fold(unsigned unit)
{
	return unit >= 'A' && unit <= 'Z' ? unit - 'A' + 'a' : unit;
}

/* ctx: whether case counts. */
static int compare_names(const void *a, const void *b, const void *ctx)
{
	const struct cim_cont_entry *x = a, *y = b;
	const bool *exact = ctx;
	const unsigned x_units = units_of(x), y_units = units_of(y);

	for (size_t i = 0; i < x_units && i < y_units; i++) {
		const unsigned p = unit_at(x, i), q = unit_at(y, i);
		const unsigned left = *exact ? p : fold(p), right = *exact ? q : fold(q);

		if (left != right)
			return left < right ? -1 : 1;
	}
	return (x_units > y_units) - (x_units < y_units);
}

static const bool exact = true, folded = false;

/* ---- checking what was read ---- */

/* What no file of a directory can be called, and what is never published. */
static bool is_good_name(const struct cim_cont_entry *entry)
{
	char text[3 * CIM_CONT_MAX_NAME + 1];
	const unsigned units = units_of(entry);

	if (!units || units > CIM_CONT_MAX_NAME)
		return false;
	for (size_t i = 0; i < units; i++) {
		const unsigned unit = unit_at(entry, i);

		if (!unit || unit == '/' || unit == '\\' || unit == ':')
			return false;
	}
	cim_cont_name_text(entry, text);
	return strcmp(text, ".") && strcmp(text, "..") && !cim_has_temporary_prefix(text);
}

static uint64_t extent_place(const uint8_t *bytes)
{
	return cim_get64(bytes + CIM_OFF(cont_extent, place));
}

static uint64_t extent_len(const uint8_t *bytes)
{
	return cim_get64(bytes + CIM_OFF(cont_extent, len));
}

static uint32_t extent_count(const struct cim_cont_entry *entry)
{
	return cim_get32(entry->raw + CIM_OFF(cont_entry, extents));
}

static const uint8_t *extents_of(const struct cim_cont_entry *entry)
{
	return name_of(entry) + 2 * (size_t)units_of(entry);
}

static enum cim_status bad_entry(const struct cim_cont_entry *entry, const char *what,
				 struct cim_error *err)
{
	char text[3 * CIM_CONT_MAX_NAME + 1];

	cim_cont_name_text(entry, text);
	return cim_fail(err, CIM_E_CORRUPT, "in the container's table, %s: %s", text, what);
}

static enum cim_status check_extents(struct cim_container *c, const struct cim_cont_entry *entry,
				     struct cim_error *err)
{
	const uint8_t *at = extents_of(entry);
	uint64_t reach = 0;

	for (uint32_t i = 0; i < extent_count(entry); i++, at += CIM_SIZE(cont_extent)) {
		const uint64_t place = extent_place(at), len = extent_len(at);

		if (place % CIM_CONT_BLOCK || len % CIM_CONT_BLOCK || !len)
			return bad_entry(entry, "an extent isn't of whole blocks", err);
		if (!cim_ckd_add64(&reach, reach, len) || reach > INT64_MAX)
			return bad_entry(entry, "its extents are more than a file can have", err);
		if (place && (place < CIM_CONT_FIRST || !cim_in_range(place, len, c->now.end)))
			return bad_entry(entry, "an extent lies outside of the container", err);
	}
	if (cim_get64(entry->raw + CIM_OFF(cont_entry, size)) > INT64_MAX)
		return bad_entry(entry, "no file is so large", err);
	return CIM_OK;
}

/* Decode the entry at *at, up to @end. */
static enum cim_status take_entry(struct cim_container *c, struct cim_cont_entry *entry,
				  const uint8_t **at, const uint8_t *end, struct cim_error *err)
{
	size_t left = (size_t)(end - *at);
	uint64_t needs = CIM_SIZE(cont_entry);

	*entry = (struct cim_cont_entry){.raw = *at};
	if (left >= needs)
		needs += 2 * (uint64_t)units_of(entry) +
			 (uint64_t)extent_count(entry) * CIM_SIZE(cont_extent);
	if (left < needs)
		return cim_fail(err, CIM_E_CORRUPT,
				"the container's table ends in the middle of an entry");
	*at += needs;
	if (!is_good_name(entry))
		return cim_fail(err, CIM_E_CORRUPT,
				"the container's table has a name that no file can have");
	return check_extents(c, entry, err);
}

/* Extents by their place; ctx: the table. */
static int compare_extents(const void *a, const void *b, const void *ctx)
{
	const uint8_t *table = ctx;
	const uint64_t x = extent_place(table + *(const uint32_t *)a);
	const uint64_t y = extent_place(table + *(const uint32_t *)b);

	return (x > y) - (x < y);
}

static enum cim_status check_places(struct cim_container *c, uint32_t *at, size_t count,
				    struct cim_error *err)
{
	uint64_t end = 0;

	if (!cim_sort(&c->env, at, count, sizeof(*at), compare_extents, c->table))
		return cim_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		const uint64_t place = extent_place(c->table + at[i]);
		const uint64_t len = extent_len(c->table + at[i]);

		if (place < end)
			return cim_fail(err, CIM_E_CORRUPT,
					"two of the container's extents overlap at offset %llu",
					(unsigned long long)place);
		if (place < c->now.table + c->now.length && c->now.table < place + len)
			return cim_fail(err, CIM_E_CORRUPT,
					"an extent overlaps the container's table at offset %llu",
					(unsigned long long)place);
		end = place + len;
	}
	return CIM_OK;
}

/* Extents overlap neither each other nor the table. They are sorted by where in the table they are,
 * which takes 4 bytes for each 16 of it. */
static enum cim_status check_overlaps(struct cim_container *c, struct cim_error *err)
{
	size_t room = 0, count = 0;
	uint32_t *at;
	enum cim_status status;

	for (size_t i = 0; i < c->count; i++)
		room += extent_count(&c->entries[i]);
	at = cim_alloc(&c->env, (room + 1) * sizeof(*at));
	if (!at)
		return cim_no_memory(err);
	for (size_t i = 0; i < c->count; i++) {
		const uint8_t *extent = extents_of(&c->entries[i]);

		for (uint32_t n = extent_count(&c->entries[i]); n; n--) {
			if (extent_place(extent))
				at[count++] = (uint32_t)(extent - c->table);
			extent += CIM_SIZE(cont_extent);
		}
	}
	status = check_places(c, at, count, err);
	cim_free(&c->env, at);
	return status;
}

static enum cim_status take_entries(struct cim_container *c, struct cim_error *err)
{
	const uint8_t *at = c->table + CIM_SIZE(cont_table), *end = c->table + c->now.length;
	const uint32_t count = cim_get32(c->table + CIM_OFF(cont_table, count));
	enum cim_status status;

	if (count > (size_t)(end - at) / CIM_SIZE(cont_entry))
		return cim_fail(err, CIM_E_CORRUPT,
				"the container's table has no room for %u files", (unsigned)count);
	c->entries = cim_alloc(&c->env, (count + (size_t)1) * sizeof(*c->entries));
	if (!c->entries)
		return cim_no_memory(err);
	c->room = count + (size_t)1;
	for (; c->count < count; c->count++) {
		struct cim_cont_entry *entry = &c->entries[c->count];

		status = take_entry(c, entry, &at, end, err);
		if (status)
			return status;
		if (c->count && compare_names(entry - 1, entry, &exact) >= 0)
			return bad_entry(entry, "it is out of order", err);
	}
	if (at != end)
		return cim_fail(err, CIM_E_CORRUPT, "the container's table goes on behind its end");
	return CIM_OK;
}

enum cim_status cim_cont_take_table(struct cim_container *c, struct cim_error *err)
{
	enum cim_status status = take_entries(c, err);

	if (!status)
		status = check_overlaps(c, err);
	if (status)
		return status;
	if (!cim_sort(&c->env, c->entries, c->count, sizeof(*c->entries), compare_names, &folded))
		return cim_no_memory(err);
	for (size_t i = 1; i < c->count; i++)
		if (!compare_names(&c->entries[i - 1], &c->entries[i], &folded))
			return bad_entry(&c->entries[i], "another name differs in case only", err);
	return CIM_OK;
}

/* ---- names ---- */

void cim_cont_name_text(const struct cim_cont_entry *entry, char *text)
{
	uint16_t units[CIM_CONT_MAX_NAME];
	size_t count = units_of(entry);

	if (count > CIM_CONT_MAX_NAME)
		count = CIM_CONT_MAX_NAME;
	for (size_t i = 0; i < count; i++)
		units[i] = (uint16_t)unit_at(entry, i);
	text[cim_utf8_from_utf16(units, count, text, 3 * CIM_CONT_MAX_NAME + 1)] = '\0';
}

bool cim_cont_encode_name(const char *name, uint8_t *raw)
{
	uint16_t text[CIM_CONT_MAX_NAME];
	size_t count;

	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/\\:") ||
	    cim_utf16_from_utf8(name, strlen(name), text, CIM_CONT_MAX_NAME, &count) ||
	    count > CIM_CONT_MAX_NAME)
		return false;
	memset(raw, 0, CIM_SIZE(cont_entry));
	cim_put16(raw + CIM_OFF(cont_entry, units), (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		cim_put16(raw + CIM_SIZE(cont_entry) + 2 * i, text[i]);
	return true;
}

/* The entry with the name that @raw has, or NULL. */
static struct cim_cont_entry *find_raw(const struct cim_container *c, const uint8_t *raw,
				       size_t *at)
{
	const struct cim_cont_entry key = {.raw = raw};
	size_t low = 0, high = c->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = compare_names(&key, &c->entries[middle], &folded);

		*at = middle;
		if (!order)
			return cim_cont_is_gone(c, &c->entries[middle]) ? NULL
									: &c->entries[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*at = low;
	return NULL;
}

struct cim_cont_entry *cim_cont_find(const struct cim_container *c, const char *name, size_t *at)
{
	uint8_t raw[CIM_CONT_NAME_ROOM];

	*at = 0;
	return cim_cont_encode_name(name, raw) ? find_raw(c, raw, at) : NULL;
}

enum cim_status cim_cont_make_entry(struct cim_container *c, const char *name,
				    struct cim_cont_node *node, struct cim_cont_entry *entry)
{
	uint8_t raw[CIM_CONT_NAME_ROOM], *copy;
	size_t size;

	if (!cim_cont_encode_name(name, raw))
		return CIM_E_INVALID;
	/* Room for it is room for those that it takes the place of, too. */
	if (!cim_grow(&c->env, (void **)&c->entries, &c->room, c->count, sizeof(*c->entries)))
		return CIM_E_NO_MEMORY;
	*entry = (struct cim_cont_entry){.raw = raw};
	size = CIM_SIZE(cont_entry) + 2 * (size_t)units_of(entry);
	copy = cim_alloc(&c->env, size);
	if (!copy)
		return CIM_E_NO_MEMORY;
	memcpy(copy, raw, size);
	*entry = (struct cim_cont_entry){.raw = copy, .node = node};
	node->users++;
	return CIM_OK;
}

/* Forget those that are gone. */
static void close_gaps(struct cim_container *c)
{
	size_t kept = 0;

	for (size_t i = 0; c->gone && i < c->count; i++)
		if (!cim_cont_is_gone(c, &c->entries[i]))
			c->entries[kept++] = c->entries[i];
	if (c->gone)
		c->count = kept;
	c->gone = 0;
}

void cim_cont_insert(struct cim_container *c, const struct cim_cont_entry *entry)
{
	size_t low = 0, high;

	close_gaps(c);
	high = c->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_names(entry, &c->entries[middle], &folded) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	memmove(c->entries + low + 1, c->entries + low, (c->count - low) * sizeof(*c->entries));
	c->entries[low] = *entry;
	c->count++;
}

struct cim_cont_entry cim_cont_take_out(struct cim_container *c, size_t at)
{
	const struct cim_cont_entry entry = c->entries[at];

	c->count--;
	memmove(c->entries + at, c->entries + at + 1, (c->count - at) * sizeof(*c->entries));
	return entry;
}

/* Is it as it was read? Else the session has made it. */
static bool is_in_table(const struct cim_container *c, const struct cim_cont_entry *entry)
{
	return c->table && entry->raw >= c->table && entry->raw < c->table + c->table_size;
}

void cim_cont_drop(struct cim_container *c, struct cim_cont_entry *entry)
{
	if (entry->node && !cim_cont_is_gone(c, entry))
		cim_cont_node_put(c, entry->node);
	if (!is_in_table(c, entry))
		cim_free(&c->env, (void *)entry->raw);
	*entry = (struct cim_cont_entry){0};
}

/* Where there are many of them most may go, one by one: the others aren't moved each time. */
void cim_cont_remove(struct cim_container *c, size_t at)
{
	struct cim_cont_entry entry = c->entries[at];

	if (is_in_table(c, &entry)) {
		c->entries[at].node = &c->no_node;
		c->gone++;
	} else {
		cim_cont_take_out(c, at);
	}
	cim_cont_drop(c, &entry);
	if (c->gone > c->count / 2)
		close_gaps(c);
}

void cim_cont_free_entries(struct cim_container *c)
{
	while (c->count)
		cim_cont_drop(c, &c->entries[--c->count]);
	cim_free(&c->env, c->entries);
	cim_free(&c->env, c->table);
}

/* ---- nodes ---- */

static void free_node(struct cim_container *c, struct cim_cont_node *node)
{
	cim_free(&c->env, node->extents);
	cim_free(&c->env, node);
}

/* Nobody has the file open any more: where its entry is still as it was read, it can be made anew.
 */
static void forget_node(struct cim_container *c, struct cim_cont_node *node)
{
	size_t at;
	struct cim_cont_entry *entry = node->raw ? find_raw(c, node->raw, &at) : NULL;

	if (!entry || entry->raw != node->raw || entry->node != node)
		return;
	entry->node = NULL;
	free_node(c, node);
}

static void end_node(struct cim_container *c, struct cim_cont_node *node)
{
	if (node->own)
		cim_cont_release(c, node);
	free_node(c, node);
}

void cim_cont_node_put(struct cim_container *c, struct cim_cont_node *node)
{
	node->users--;
	if (node->users == 1)
		forget_node(c, node);
	else if (!node->users)
		end_node(c, node);
}

struct cim_cont_node *cim_cont_node_of(struct cim_container *c, struct cim_cont_entry *entry)
{
	struct cim_cont_node *node = entry->node;
	const uint8_t *at;

	if (node)
		return node;
	node = cim_zalloc(&c->env, sizeof(*node));
	if (!node)
		return NULL;
	node->count = node->room = extent_count(entry);
	if (node->count)
		node->extents = cim_alloc(&c->env, node->count * sizeof(*node->extents));
	if (node->count && !node->extents) {
		cim_free(&c->env, node);
		return NULL;
	}
	at = extents_of(entry);
	for (size_t i = 0; i < node->count; i++, at += CIM_SIZE(cont_extent)) {
		node->extents[i] = (struct cim_extent){node->reach, extent_place(at),
						       extent_len(at)};
		node->reach += extent_len(at);
	}
	node->users = 1;
	node->raw = entry->raw;
	node->size = node->written = cim_get64(entry->raw + CIM_OFF(cont_entry, size));
	entry->node = node;
	return node;
}

static uint64_t node_bytes(const struct cim_cont_node *node)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < node->count; i++)
		bytes += node->extents[i].place ? node->extents[i].len : 0;
	return bytes;
}

/* They don't overlap, and lie in the container, so the sum fits. */
uint64_t cim_cont_used(const struct cim_container *c)
{
	uint64_t bytes = CIM_CONT_FIRST + cim_cont_whole(c->now.length);

	for (size_t i = 0; i < c->count; i++) {
		const struct cim_cont_entry *entry = &c->entries[i];
		const uint8_t *at;

		if (entry->node) {
			bytes += node_bytes(entry->node);
			continue;
		}
		at = extents_of(entry);
		for (uint32_t n = extent_count(entry); n; n--, at += CIM_SIZE(cont_extent))
			bytes += extent_place(at) ? extent_len(at) : 0;
	}
	return bytes;
}

/* ---- making a table ---- */

bool cim_cont_is_private(const struct cim_cont_entry *entry)
{
	char text[3 * CIM_CONT_MAX_NAME + 1];

	cim_cont_name_text(entry, text);
	return cim_has_temporary_prefix(text);
}

static size_t entry_size(const struct cim_cont_entry *entry)
{
	const size_t extents = entry->node ? entry->node->count : extent_count(entry);

	return CIM_SIZE(cont_entry) + 2 * (size_t)units_of(entry) + extents * CIM_SIZE(cont_extent);
}

static uint8_t *put_extents(const struct cim_cont_entry *entry, uint8_t *at)
{
	const struct cim_cont_node *node = entry->node;

	for (size_t i = 0; i < node->count; i++, at += CIM_SIZE(cont_extent)) {
		cim_put64(at + CIM_OFF(cont_extent, place), node->extents[i].place);
		cim_put64(at + CIM_OFF(cont_extent, len), node->extents[i].len);
	}
	return at;
}

static uint8_t *put_entry(const struct cim_cont_entry *entry, uint8_t *at)
{
	const struct cim_cont_node *node = entry->node;
	const size_t extents = node ? node->count : extent_count(entry);
	const size_t name = 2 * (size_t)units_of(entry);

	memset(at, 0, CIM_SIZE(cont_entry));
	cim_put64(at + CIM_OFF(cont_entry, size),
		  node ? node->size : cim_get64(entry->raw + CIM_OFF(cont_entry, size)));
	cim_put32(at + CIM_OFF(cont_entry, extents), (uint32_t)extents);
	cim_put16(at + CIM_OFF(cont_entry, units), (uint16_t)units_of(entry));
	at += CIM_SIZE(cont_entry);
	memcpy(at, name_of(entry), name);
	at += name;
	if (node)
		return put_extents(entry, at);
	memcpy(at, extents_of(entry), extents * CIM_SIZE(cont_extent));
	return at + extents * CIM_SIZE(cont_extent);
}

/* The entries that are to be published, in the table's order; NULL: no memory. */
static struct cim_cont_entry *sorted_entries(struct cim_container *c, size_t *count, size_t *size)
{
	struct cim_cont_entry *sorted = cim_alloc(&c->env, (c->count + 1) * sizeof(*sorted));

	*count = 0;
	*size = CIM_SIZE(cont_table);
	if (!sorted)
		return NULL;
	for (size_t i = 0; i < c->count; i++) {
		if (cim_cont_is_gone(c, &c->entries[i]) || cim_cont_is_private(&c->entries[i]))
			continue;
		sorted[(*count)++] = c->entries[i];
		*size += entry_size(&c->entries[i]);
	}
	if (cim_sort(&c->env, sorted, *count, sizeof(*sorted), compare_names, &exact))
		return sorted;
	cim_free(&c->env, sorted);
	return NULL;
}

uint8_t *cim_cont_make_table(struct cim_container *c, size_t *size)
{
	size_t count;
	struct cim_cont_entry *sorted = sorted_entries(c, &count, size);
	uint8_t *table = NULL, *at;

	if (sorted && *size <= CIM_CONT_MAX_TABLE)
		table = cim_zalloc(&c->env, *size);
	if (table) {
		cim_put32(table + CIM_OFF(cont_table, count), (uint32_t)count);
		at = table + CIM_SIZE(cont_table);
		for (size_t i = 0; i < count; i++)
			at = put_entry(&sorted[i], at);
	}
	cim_free(&c->env, sorted);
	return table;
}
