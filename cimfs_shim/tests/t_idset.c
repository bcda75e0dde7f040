/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_idset.c - what the native programs remember by device and inode, or by FileID
 */
#include "../host/hashtable.h"
#include "../host/idset.h"
#include "testenv.h"

enum { COUNT = 50000 };

static void test_numbers(void)
{
	struct hash_table table = {0};
	unsigned wrong = 0, extra = 0, run = 0, longest = 0;

	is_int((long)hash_table_get(&table, 0, 0), 0, "nothing has a number in an empty table");
	for (unsigned i = 0; i < COUNT; i++) {
		size_t *number = hash_table_at(&table, i % 3, (uint64_t)(i / 3) << 20);

		wrong += *number != 0;
		*number = i + 1;
	}
	for (unsigned i = 0; i < COUNT; i++) {
		wrong += hash_table_get(&table, i % 3, (uint64_t)(i / 3) << 20) != i + 1;
		extra += hash_table_get(&table, 3, (uint64_t)(i / 3) << 20) != 0;
		extra += hash_table_get(&table, i % 3, ((uint64_t)(i / 3) << 20) + 1) != 0;
	}
	is_int(wrong, 0, "%d keys, equal in their low bits, each have their number", COUNT);
	is_int(extra, 0, "and keys that differ in one word have none");
	is_int((long)*hash_table_at(&table, 1, 0), 2, "who would add a key that is there meets it");
	is_int((long)table.count, COUNT, "each is counted once");
	for (size_t i = 0; i < 2 * table.room; i++) {
		run = table.slots[i & (table.room - 1)].number ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	ok(longest < 200, "no search is long (up to %u slots)", longest);
	hash_table_free(&table);
	is_int((long)hash_table_get(&table, 1, 0), 0, "a table that was freed is empty");
}

static void test_places(void)
{
	struct places places = {0};
	const char **names;
	uint32_t dir_id = 0;
	size_t count;

	ok(!places_way(&places, 5, 9, &dir_id, &count) && !count, "what has no place has no way");
	places_keep(&places, 5, 4, "file");
	places_keep(&places, 5, 3, "other");
	places_keep(&places, 4, 2, "dir");
	ok(places_has(&places, 5) && !places_has(&places, 2),
	   "what has a place, and what has none");
	names = places_way(&places, 5, 2, &dir_id, &count);
	is_int((long)count, 2, "the way to a file has its name and its directory's");
	is_str(names[0], "file", "its own first: the one that was kept first");
	is_str(names[1], "dir", "then the directory's");
	is_int(dir_id, 4, "and the directory's FileID is told");
	free(names);
	ok(!places_way(&places, 5, 1, &dir_id, &count) && count == 1, "too many names");
	places_free(&places);
	ok(!places_has(&places, 5), "all are forgotten");
}

int main(void)
{
	test_numbers();
	test_places();
	return tap_done();
}
