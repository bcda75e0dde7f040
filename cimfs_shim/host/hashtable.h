/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hashtable.h - numbers by keys of two words
 */
#ifndef HOST_HASHTABLE_H
#define HOST_HASHTABLE_H

#include <stddef.h>
#include <stdint.h>

struct hash_table {
	struct hash_slot {
		uint64_t a, b;
		size_t number; /* 0: a free slot */
	} * slots;
	size_t room, count;
	uint64_t seed;
};

/* The number of a key, good until the next call; who meets a 0 sets it to something else. */
size_t *hash_table_at(struct hash_table *table, uint64_t a, uint64_t b);
/* 0: the key has none. */
size_t hash_table_get(const struct hash_table *table, uint64_t a, uint64_t b);
void hash_table_free(struct hash_table *table);

#endif
