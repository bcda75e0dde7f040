/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hashtable.c - finding the elements of an array by a key: see hashtable.h
 *
 * Open addressing: an element lies in its key's slot, or in the next free one behind it, so a
 * search ends at a free slot. At most three quarters are in use. Keys come from images and paths
 * that somebody may have chosen so that they all meet in one slot; so slots are chosen by a seed
 * that nobody can know.
 */
#include "hashtable.h"
#include "bytes.h"
#include "hash.h"

#include <string.h>

#define FIRST_ROOM 64

void cim_hash_table_init(struct cim_hash_table *table, const struct cim_env *env)
{
	*table = (struct cim_hash_table){.env = env};
	/* Without random numbers the table is as right, only not as safe from being slowed down. */
	if (env->random(env->random_ctx, &table->seed, sizeof(table->seed)))
		table->seed = 0;
}

void cim_hash_table_free(struct cim_hash_table *table)
{
	cim_free(table->env, table->slots);
}

uint32_t cim_hash_table_key(const struct cim_hash_table *table, const void *bytes, size_t len)
{
	return (uint32_t)cim_hash64(bytes, len, table->seed);
}

static size_t first_slot(const struct cim_hash_table *table, uint32_t key)
{
	return (size_t)cim_hash64(&key, sizeof(key), table->seed) & (table->room - 1);
}

void cim_hash_table_add(struct cim_hash_table *table, uint32_t key, uint32_t number)
{
	size_t slot = first_slot(table, key);

	while (table->slots[slot].number)
		slot = (slot + 1) & (table->room - 1);
	table->slots[slot] = (struct cim_hash_slot){key, number + 1};
	table->count++;
}

bool cim_hash_table_reserve(struct cim_hash_table *table)
{
	struct cim_hash_table bigger = *table;
	size_t bytes, first = 0;

	if (table->count < UINT32_MAX - 1 && table->count < table->room / 4 * 3)
		return true;
	bigger.count = 0;
	bigger.room = FIRST_ROOM;
	if (table->count >= UINT32_MAX - 1 ||
	    (table->room && !cim_ckd_mul_size(&bigger.room, table->room, 2)) ||
	    !cim_ckd_mul_size(&bytes, bigger.room, sizeof(*bigger.slots)))
		return false;
	bigger.slots = cim_zalloc(table->env, bytes);
	if (!bigger.slots)
		return false;
	/* From behind a free slot on, so that elements of one key stay in their order. */
	while (first < table->room && table->slots[first].number)
		first++;
	for (size_t i = 0; i < table->room; i++) {
		const struct cim_hash_slot *slot = &table->slots[(first + i) & (table->room - 1)];

		if (slot->number)
			cim_hash_table_add(&bigger, slot->key, slot->number - 1);
	}
	cim_hash_table_free(table);
	*table = bigger;
	return true;
}

bool cim_hash_table_next(const struct cim_hash_table *table, uint32_t key, size_t *cursor,
			 uint32_t *number)
{
	if (!table->room)
		return false;
	for (size_t first = first_slot(table, key);;) {
		const struct cim_hash_slot *slot =
			&table->slots[(first + *cursor) & (table->room - 1)];

		if (!slot->number)
			return false;
		++*cursor;
		if (slot->key == key) {
			*number = slot->number - 1;
			return true;
		}
	}
}

bool cim_hash_table_get(const struct cim_hash_table *table, uint32_t key, uint32_t *number)
{
	size_t cursor = 0;

	return cim_hash_table_next(table, key, &cursor, number);
}
