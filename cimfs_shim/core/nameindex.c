/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nameindex.c - names that a binary search can't find
 *
 * A link table in another order than ours would have to be gone through for each name that the
 * binary search misses, and so would a long run of names that differ in case alone, for one of them
 * exactly: looking up each of N names would take N * N steps. So such a table is gone through once.
 * If it is in our order, there is nothing more to find, which is remembered; if not, its names get
 * an index. An image keeps a bounded number of both, those used last; one table alone may have
 * more, in proportion to its own size.
 *
 * The index answers as going through the table from its beginning does: of names that upcase alike
 * the first one is found, exactly the first that is the same. So each name is in the index by its
 * upcased units if it is the first of its kind, else by its own; a million variants of one name
 * don't meet in one place. The names before one that can't be read are indexed, and who looks for
 * another goes on from there, into the same error.
 */
#include "collate.h"
#include "hashtable.h"
#include "reader.h"

#include <string.h>

#define CIM_INDEX_CHAINS 64u
/* What all tables in it may weigh: slots, and what each takes besides. */
#define CIM_INDEX_WEIGHT (1u << 20)
#define CIM_INDEX_LEAST	 64u

struct table_index {
	uint64_t offset; /* of the table it is of */
	uint32_t count, value_size;
	uint32_t end; /* all names before this one are known */
	struct cim_hash_table map;

	unsigned users;			   /* calls that are using it now */
	struct table_index *chain;	   /* the next of the same hash */
	struct table_index *older, *newer; /* by last use */
};

struct cim_name_indexes {
	struct table_index *chains[CIM_INDEX_CHAINS];
	struct table_index *newest, *oldest;
	size_t weight;
};

struct cim_name_indexes *cim_name_indexes_new(const struct cim_env *env)
{
	return cim_zalloc(env, sizeof(struct cim_name_indexes));
}

static void free_chain(const struct cim_env *env, struct table_index *index)
{
	while (index) {
		struct table_index *next = index->chain;

		cim_hash_table_free(&index->map);
		cim_free(env, index);
		index = next;
	}
}

void cim_name_indexes_free(const struct cim_env *env, struct cim_name_indexes *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < CIM_INDEX_CHAINS; i++)
		free_chain(env, all->chains[i]);
	cim_free(env, all);
}

/* ---- one index ---- */

static bool matches(const struct cim_name_search *search, const struct cim_link *link, bool exact)
{
	if (exact)
		return cim_name_same(search, link);
	return !cim_name_compare(search->upcase, search->name, search->units, link->name,
				 link->units);
}

/* The first name of this key that matches; *at is table->count if there is none. */
static enum cim_status find_key(const struct cim_name_search *search,
				const struct cim_hash_table *map, uint32_t key, bool exact,
				uint32_t *at, struct cim_link *link, struct cim_error *err)
{
	size_t cursor = 0;

	while (cim_hash_table_next(map, key, &cursor, at)) {
		enum cim_status status = cim_link_table_name(search->table, *at, link, err);

		if (status || matches(search, link, exact))
			return status;
	}
	*at = search->table->count;
	return CIM_OK;
}

static uint32_t key_of_upcased(const struct cim_name_search *search,
			       const struct cim_hash_table *map)
{
	uint16_t upper[CIM_MAX_NAME];

	for (size_t i = 0; i < search->units; i++)
		upper[i] = search->upcase[search->name[i]];
	return cim_hash_table_key(map, upper, search->units * sizeof(*upper));
}

/* *key: the one that it was found by, or that it would have. */
static enum cim_status find_in_index(const struct cim_name_search *search,
				     const struct cim_hash_table *map, bool exact, uint32_t *key,
				     uint32_t *at, struct cim_link *link, struct cim_error *err)
{
	enum cim_status status;

	*key = key_of_upcased(search, map);
	status = find_key(search, map, *key, false, at, link, err);
	if (status || !exact || *at == search->table->count || cim_name_same(search, link))
		return status;
	*key = cim_hash_table_key(map, search->name, search->units * sizeof(*search->name));
	return find_key(search, map, *key, true, at, link, err);
}

static enum cim_status index_name(struct cim_name_search *search, struct cim_hash_table *map,
				  uint32_t number, struct cim_error *err)
{
	struct cim_link link, other;
	uint32_t key, at;
	enum cim_status status = cim_link_table_name(search->table, number, &link, err);

	if (status)
		return status;
	search->name = link.name;
	search->units = link.units;
	status = find_in_index(search, map, true, &key, &at, &other, err);
	if (status || at != search->table->count)
		return status;
	if (!cim_hash_table_reserve(map))
		return cim_no_memory(err);
	cim_hash_table_add(map, key, number);
	return CIM_OK;
}

/* Can all names be read, and are they in our order, each once? */
static bool is_in_order(const struct cim_link_table *table, const uint16_t *upcase,
			struct cim_error *err)
{
	struct cim_link links[2];

	for (uint32_t i = 0; i < table->count; i++) {
		struct cim_link *link = &links[i % 2], *last = &links[1 - i % 2];

		if (cim_link_table_name(table, i, link, err) ||
		    (i && cim_name_compare(upcase, last->name, last->units, link->name,
					   link->units) >= 0))
			return false;
	}
	return true;
}

/* A name that can't be read ends it. (So it is no use that the names before it are in order: the
 * binary search may have been led past them.) */
static enum cim_status fill(struct table_index *index, const struct cim_name_search *wanted,
			    struct cim_error *err)
{
	struct cim_name_search search = *wanted;
	enum cim_status status = CIM_OK;

	if (is_in_order(search.table, search.upcase, err)) {
		index->end = search.table->count;
		return CIM_OK;
	}
	while (!status && index->end < search.table->count)
		status = index_name(&search, &index->map, index->end++, err);
	if (status)
		index->end--;
	return status;
}

/* NULL: none can be made now. */
static struct table_index *new_index(const struct cim_name_search *search)
{
	const struct cim_link_table *table = search->table;
	const struct cim_env *env = &table->image->env;
	struct table_index *index = cim_zalloc(env, sizeof(*index));
	struct cim_error err = {0};
	enum cim_status status;

	if (!index)
		return NULL;
	index->offset = table->offset;
	index->count = table->count;
	index->value_size = table->value_size;
	index->users = 1;
	cim_hash_table_init(&index->map, env);
	status = fill(index, search, &err);
	if (!status || status == CIM_E_CORRUPT)
		return index;
	free_chain(env, index);
	return NULL;
}

/* ---- those of an image; with the lock held ---- */

static size_t weight_of(const struct table_index *index)
{
	return CIM_INDEX_LEAST + index->map.room;
}

static struct table_index **chain_of(struct cim_name_indexes *all, uint64_t offset)
{
	return &all->chains[(offset * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (CIM_INDEX_CHAINS - 1)];
}

static void unlink_age(struct cim_name_indexes *all, struct table_index *index)
{
	*(index->newer ? &index->newer->older : &all->newest) = index->older;
	*(index->older ? &index->older->newer : &all->oldest) = index->newer;
}

static void link_newest(struct cim_name_indexes *all, struct table_index *index)
{
	index->newer = NULL;
	index->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = index;
	all->newest = index;
}

static struct table_index *use(struct cim_name_indexes *all, const struct cim_link_table *table)
{
	struct table_index *index = *chain_of(all, table->offset);

	while (index && (index->offset != table->offset || index->count != table->count ||
			 index->value_size != table->value_size))
		index = index->chain;
	if (!index)
		return NULL;
	index->users++;
	unlink_age(all, index);
	link_newest(all, index);
	return index;
}

static void add(struct cim_name_indexes *all, struct table_index *index)
{
	struct table_index **chain = chain_of(all, index->offset);

	index->chain = *chain;
	*chain = index;
	link_newest(all, index);
	all->weight += weight_of(index);
}

/* Take those out that are one too many, but for the newest; they are returned, chained. */
static struct table_index *take_surplus(struct cim_name_indexes *all)
{
	struct table_index *surplus = NULL, *index = all->oldest;

	while (index != all->newest && all->weight > CIM_INDEX_WEIGHT) {
		struct table_index **chain = chain_of(all, index->offset);
		struct table_index *newer = index->newer;

		if (!index->users) {
			while (*chain != index)
				chain = &(*chain)->chain;
			*chain = index->chain;
			unlink_age(all, index);
			all->weight -= weight_of(index);
			index->chain = surplus;
			surplus = index;
		}
		index = newer;
	}
	return surplus;
}

/* ---- finding a name ---- */

/* The index of a table, made if there is none; in use until its users are one less. */
static struct table_index *get_index(const struct cim_name_search *search)
{
	struct cim_image *image = search->table->image;
	struct table_index *index, *made, *surplus;

	cim_image_lock(image);
	index = use(image->names, search->table);
	cim_image_unlock(image);
	if (index)
		return index;
	made = new_index(search);
	if (!made)
		return NULL;
	cim_image_lock(image);
	index = use(image->names, search->table); /* another thread was faster */
	if (!index) {
		index = made;
		made = NULL;
		add(image->names, index);
	}
	surplus = take_surplus(image->names);
	cim_image_unlock(image);
	free_chain(&image->env, made);
	free_chain(&image->env, surplus);
	return index;
}

enum cim_status cim_name_index_find(const struct cim_name_search *search, uint32_t *at,
				    uint32_t *end, struct cim_link *link, struct cim_error *err)
{
	struct cim_image *image = search->table->image;
	struct table_index *index = get_index(search);
	enum cim_status status;
	uint32_t key;

	*at = search->table->count;
	*end = 0;
	if (!index)
		return CIM_OK;
	status = find_in_index(search, &index->map, search->exact, &key, at, link, err);
	*end = index->end;
	cim_image_lock(image);
	index->users--;
	cim_image_unlock(image);
	return status;
}
