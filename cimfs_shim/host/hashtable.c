/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hashtable.c - numbers by keys of two words: device and inode, a FileID
 *
 * Open addressing, at most half full, as in libcim, which keeps its own to itself. FileIDs come
 * from images that somebody may have made so that they all meet in one slot: a seed that nobody
 * knows decides where they go.
 */
#include "hashtable.h"

#include <stdlib.h>
#include <sys/random.h>

#include "alloc.h"

#define FIRST_ROOM 64

static struct hash_slot *find(const struct hash_table *table, uint64_t a, uint64_t b)
{
	/* Each step is one to one, and spreads what differs over the bits above it or below. */
	uint64_t mixed = a ^ table->seed;

	for (int i = 0; i < 2; i++) {
		mixed = (mixed ^ mixed >> 32) * UINT64_C(0x9e3779b97f4a7c15);
		mixed = (mixed ^ mixed >> 29 ^ (i ? 0 : b)) * UINT64_C(0xbf58476d1ce4e5b9);
	}
	for (size_t i = (size_t)(mixed >> 32);; i++) {
		struct hash_slot *slot = &table->slots[i & (table->room - 1)];

		if (!slot->number || (slot->a == a && slot->b == b))
			return slot;
	}
}

static void grow(struct hash_table *table)
{
	struct hash_table bigger = {.seed = table->seed, .count = table->count};

	/* Without a random seed the table is as right, only not as safe from being slowed down. */
	if (!table->room && getrandom(&bigger.seed, sizeof(bigger.seed), GRND_NONBLOCK) < 0)
		bigger.seed = 0;
	bigger.room = table->room ? table->room * 2 : FIRST_ROOM;
	bigger.slots = xcalloc(bigger.room, sizeof(*bigger.slots));
	for (size_t i = 0; i < table->room; i++)
		if (table->slots[i].number)
			*find(&bigger, table->slots[i].a, table->slots[i].b) = table->slots[i];
	free(table->slots);
	*table = bigger;
}

size_t *hash_table_at(struct hash_table *table, uint64_t a, uint64_t b)
{
	struct hash_slot *slot;

	if (table->count * 2 >= table->room)
		grow(table);
	slot = find(table, a, b);
	if (!slot->number) {
		slot->a = a;
		slot->b = b;
		table->count++;
	}
	return &slot->number;
}

size_t hash_table_get(const struct hash_table *table, uint64_t a, uint64_t b)
{
	return table->room ? find(table, a, b)->number : 0;
}

void hash_table_free(struct hash_table *table)
{
	free(table->slots);
	*table = (struct hash_table){0};
}
