/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hashtable.h - finding the elements of an array by a key
 *
 * The elements stay in the array of who keeps them: the table knows each by its number there and a
 * key of 32 bits. Where that is the whole key (a FileID), no two have the same. Where the key is
 * longer, cim_hash_table_key() makes 32 bits of it, which several may share: who looks compares.
 */
#ifndef CIM_HASHTABLE_H
#define CIM_HASHTABLE_H

#include "mem.h"

struct cim_hash_slot {
	uint32_t key;
	uint32_t number; /* 1 + that of the element; 0: free */
};

struct cim_hash_table {
	const struct cim_env *env;
	uint64_t seed;
	struct cim_hash_slot *slots; /* a power of two of them */
	size_t count, room;
};

void cim_hash_table_init(struct cim_hash_table *table, const struct cim_env *env);
void cim_hash_table_free(struct cim_hash_table *table);
uint32_t cim_hash_table_key(const struct cim_hash_table *table, const void *bytes, size_t len);
/* Make sure that one more element can be added. False: no memory, or there are 2^32. */
bool cim_hash_table_reserve(struct cim_hash_table *table);
void cim_hash_table_add(struct cim_hash_table *table, uint32_t key, uint32_t number);
/* The next element of this key, in the order they were added, behind *cursor (0 to begin); false:
 * no more. */
bool cim_hash_table_next(const struct cim_hash_table *table, uint32_t key, size_t *cursor,
			 uint32_t *number);
/* The one element of this key. */
bool cim_hash_table_get(const struct cim_hash_table *table, uint32_t key, uint32_t *number);

#endif
