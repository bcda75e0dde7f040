/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_hashtable.c - the hash table: what was added is found, by whatever keys, and no key is slow
 */
#include "../core/hash.h"
#include "../core/hashtable.h"
#include "testenv.h"

enum { COUNT = 50000 };

static enum cim_status draw(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)test_random();
	return CIM_OK;
}

static enum cim_status draw_none(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 0xff, len);
	return CIM_E_IO;
}

static struct cim_env env_with(struct test_memory *memory,
			       enum cim_status (*random)(void *ctx, void *buf, size_t len))
{
	struct cim_env env = test_env(memory);

	env.random = random;
	return env;
}

static bool put(struct cim_hash_table *table, uint32_t key, uint32_t number)
{
	if (!cim_hash_table_reserve(table))
		return false;
	cim_hash_table_add(table, key, number);
	return true;
}

/* The longest run of slots in use, which is the most that a search can take. */
static unsigned longest_run(const struct cim_hash_table *table)
{
	unsigned longest = 0, run = 0;

	for (size_t i = 0; i < 2 * table->room; i++) {
		run = table->slots[i & (table->room - 1)].number ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static void test_keys(const char *what, uint32_t first, uint32_t step)
{
	struct test_memory memory;
	struct cim_env env = env_with(&memory, draw);
	struct cim_hash_table table;
	unsigned missed = 0, extra = 0;
	uint32_t number = 0;

	cim_hash_table_init(&table, &env);
	ok(!cim_hash_table_get(&table, first, &number), "%s: nothing is in an empty table", what);
	for (uint32_t i = 0; i < COUNT; i++)
		if (!put(&table, first + i * step, COUNT - i))
			bail("no memory");
	for (uint32_t i = 0; i < COUNT; i++) {
		missed += !cim_hash_table_get(&table, first + i * step, &number) ||
			  number != COUNT - i;
		extra += cim_hash_table_get(&table, first + (COUNT + i) * step, &number);
	}
	is_int(missed, 0, "%s: each of %d keys leads to its number", what, COUNT);
	is_int(extra, 0, "%s: and no other key to any", what);
	ok(longest_run(&table) < 400, "%s: no search is long (up to %u slots)", what,
	   longest_run(&table));
	cim_hash_table_free(&table);
	is_int(memory.in_use, 0, "%s: all memory is given back", what);
}

/* Keys that meet in a few slots of one table don't in another, so nobody can prepare them. */
static void test_hostile_keys(void)
{
	struct test_memory memory;
	struct cim_env env = env_with(&memory, draw_none);
	struct cim_hash_table table, other;
	unsigned known, unknown;

	cim_hash_table_init(&table, &env);
	is_int((long)table.seed, 0, "without random numbers there is no seed");
	env.random = draw;
	cim_hash_table_init(&other, &env);
	/* The first of 4,096 slots or one of those behind it: found by trying, as anybody could. */
	for (uint32_t key = 0; table.count < 2000; key++)
		if (cim_hash64(&key, sizeof(key), table.seed) % 4096 < 16 &&
		    (!put(&table, key, 0) || !put(&other, key, 0)))
			bail("no memory");
	known = longest_run(&table);
	unknown = longest_run(&other);
	ok(known > 1900, "keys made for a known seed lie side by side (%u)", known);
	ok(unknown < 200, "but not where the seed is another (%u)", unknown);
	cim_hash_table_free(&table);
	cim_hash_table_free(&other);
}

static void test_shared_keys(void)
{
	struct test_memory memory;
	struct cim_env env = env_with(&memory, draw);
	struct cim_hash_table table;
	unsigned disorder = 0, found = 0;
	uint32_t number;
	size_t cursor = 0;

	cim_hash_table_init(&table, &env);
	for (uint32_t i = 0; i < 1000; i++)
		if (!put(&table, i % 2 ? i : 7000, i))
			bail("no memory");
	for (; cim_hash_table_next(&table, 7000, &cursor, &number); found++)
		disorder += number != 2 * found;
	is_int(found, 500, "all elements that share a key are found");
	is_int(disorder, 0, "in the order they were added, whatever the table has grown");
	ok(cim_hash_table_key(&table, "abcdefgh", 8) != cim_hash_table_key(&table, "abcdefgi", 8),
	   "the key of what is longer depends on all of it");
	cim_hash_table_free(&table);
}

static void test_limits(void)
{
	struct test_memory memory;
	struct cim_env env = env_with(&memory, draw);
	struct cim_hash_table table;
	unsigned added = 0, lost = 0;
	uint32_t number;

	cim_hash_table_init(&table, &env);
	while (cim_hash_table_reserve(&table)) {
		memory.fail_at = memory.calls + 1;
		cim_hash_table_add(&table, added, added);
		added++;
	}
	ok(added >= 32, "a table has room for some before it grows (%u)", added);
	for (unsigned i = 0; i < added; i++)
		lost += !cim_hash_table_get(&table, i, &number) || number != i;
	is_int(lost, 0, "one that can't grow for want of memory loses nothing");
	memory.fail_at = 0;
	ok(put(&table, added, added), "and grows when there is some again");
	memory.calls = 0;
	for (int half = 0; half < 2; half++) {
		struct cim_hash_table huge = table;

		huge.count = half ? (size_t)-1 : UINT32_MAX - 1;
		huge.room = (size_t)-1 / 2 + 1;
		ok(!cim_hash_table_reserve(&huge),
		   half ? "slots that nobody can count aren't asked for"
			: "numbers of 32 bits don't go round");
	}
	is_int(memory.calls, 0, "nor is memory asked for then");
	cim_hash_table_free(&table);
}

int main(void)
{
	test_seed();
	test_keys("keys in a row", 1, 1);
	test_keys("keys that are equal in their low bits", 0, 1u << 14);
	test_keys("keys over all 32 bits", 5, 42947);
	test_hostile_keys();
	test_shared_keys();
	test_limits();
	return tap_done();
}
