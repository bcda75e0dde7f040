/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/bitmap.c: each FileID has a bit of its own. */
#include "../core/bitmap.h"
#include "testenv.h"

enum { TABLES = 3, IDS = 1024 * TABLES };

static struct test_memory memory;
static struct cim_env env;

/* FileIDs in some order, each once: it is new, and none but those that were is there. */
static void each_once(uint32_t step)
{
	static bool known[IDS + 1];
	struct cim_bitmap map;
	unsigned wrong = 0, there = 0;

	memset(known, 0, sizeof(known));
	if (!cim_bitmap_init(&env, &map, TABLES))
		bail("no memory");
	for (uint32_t i = 0; i < IDS; i++) {
		uint32_t id = 1 + i * step % IDS;
		bool was = true;

		wrong += !cim_bitmap_add(&env, &map, id, &was) || was;
		known[id] = true;
		for (uint32_t k = 1; k <= IDS; k += i % 64 ? 61 : 1)
			wrong += cim_bitmap_has(&map, k) != known[k];
		wrong += !cim_bitmap_add(&env, &map, id, &was) || !was;
	}
	for (uint32_t id = 1; id <= IDS; id++)
		there += cim_bitmap_has(&map, id);
	is_int(wrong, 0, "steps of %u: each FileID is new once, and there from then on",
	       (unsigned)step);
	is_int(there, IDS, "steps of %u: all are there in the end", (unsigned)step);
	cim_bitmap_free(&env, &map);
	is_int(memory.in_use, 0, "steps of %u: all memory is given back", (unsigned)step);
}

static void no_memory(void)
{
	struct cim_bitmap map;
	bool was = true;
	unsigned calls;

	memory.fail_at = memory.calls + 1;
	ok(!cim_bitmap_init(&env, &map, TABLES), "without memory there is no map");
	cim_bitmap_free(&env, &map);
	memory.fail_at = 0;
	ok(cim_bitmap_init(&env, &map, TABLES), "a map");
	memory.fail_at = memory.calls + 1;
	ok(!cim_bitmap_add(&env, &map, 5, &was), "a bit that there is no memory for isn't set");
	memory.fail_at = 0;
	ok(!cim_bitmap_has(&map, 5), "nor there");
	ok(cim_bitmap_add(&env, &map, 5, &was) && !was, "it is set later");
	calls = memory.calls;
	ok(cim_bitmap_add(&env, &map, 6, &was) && !was && memory.calls == calls,
	   "its neighbour takes no memory");
	cim_bitmap_free(&env, &map);
	is_int(memory.in_use, 0, "all memory is given back");
}

int main(void)
{
	env = test_env(&memory);
	each_once(1);
	each_once(IDS - 1);
	each_once(1021);
	no_memory();
	return tap_done();
}
