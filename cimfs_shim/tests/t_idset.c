/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_idset.c - what is remembered by FileID: sets of them, and (in the native programs) places
 */
#include "../core/idset.h"
#include "../host/places.h"
#include "testenv.h"

static void test_places(void)
{
	struct places places = {0};
	const char **names;
	uint32_t dir_id = 0;
	size_t count;

	ok(!places_way(&places, 5, 9, &dir_id, &count) && !count, "what has no place has no way");
	places_keep(&places, 5, 4, "file");
	places_keep(&places, 5, 3, "other");
	free(places_way(&places, 5, 2, &dir_id, &count));
	is_int((long)count, 1, "the way to a file whose directory has no place is its name");
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

static enum cim_status draw(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 0x5a, len);
	return CIM_OK;
}

static bool add(struct cim_idset *set, uint32_t id)
{
	bool again = false;

	return cim_idset_add(set, id, &again, NULL) || again;
}

/* FileIDs in some order, each once: it is new, and none but those that were is there. */
static void each_once(uint32_t step)
{
	enum { IDS = 3072 };
	static bool known[IDS + 1];
	struct test_memory memory;
	struct cim_env env = test_env(&memory);
	struct cim_idset set;
	unsigned wrong = 0, there = 0;

	env.random = draw;
	memset(known, 0, sizeof(known));
	cim_idset_init(&set, &env);
	for (uint32_t i = 0; i < IDS; i++) {
		const uint32_t id = 1 + i * step % IDS;

		wrong += add(&set, id);
		known[id] = true;
		for (uint32_t k = 1; k <= IDS; k += i % 64 ? 61 : 1)
			wrong += cim_idset_has(&set, k) != known[k];
		wrong += !add(&set, id);
	}
	for (uint32_t id = 1; id <= IDS; id++)
		there += cim_idset_has(&set, id);
	is_int(wrong, 0, "steps of %u: each FileID is new once, and there from then on",
	       (unsigned)step);
	is_int(there, IDS, "steps of %u: all are there in the end", (unsigned)step);
	cim_idset_free(&set);
	is_int(memory.in_use, 0, "steps of %u: all memory is given back", (unsigned)step);
}

static void test_set(void)
{
	struct test_memory memory;
	struct cim_env env = test_env(&memory);
	struct cim_idset set;
	unsigned wrong = 0, calls;
	bool again = true;

	env.random = draw;
	cim_idset_init(&set, &env);
	ok(!cim_idset_has(&set, 0) && !cim_idset_has(&set, UINT32_MAX), "an empty set has nothing");
	/* Close together, in words of their own, and at the end of all. */
	for (uint32_t i = 0; i < 5000; i++)
		wrong += add(&set, i) + add(&set, 10000 + 32768 * i) + add(&set, UINT32_MAX - i);
	is_int(wrong, 0, "what is added for the first time");
	for (uint32_t i = 0; i < 5000; i++)
		wrong += !add(&set, i) + !cim_idset_has(&set, 10000 + 32768 * i) +
			 !cim_idset_has(&set, UINT32_MAX - i) +
			 cim_idset_has(&set, 10001 + 32768 * i);
	is_int(wrong, 0, "what is in it, and what lies beside");
	cim_idset_free(&set);
	is_int(memory.in_use, 0, "blocks that are left");

	cim_idset_init(&set, &env);
	memory.fail_at = memory.calls + 1;
	is_int(cim_idset_add(&set, 5, &again, NULL), CIM_E_NO_MEMORY, "without memory");
	ok(!again && !cim_idset_has(&set, 5), "nothing is added");
	memory.fail_at = memory.calls + 2;
	is_int(cim_idset_add(&set, 5, &again, NULL), CIM_E_NO_MEMORY, "with memory for half");
	ok(!again && !cim_idset_has(&set, 5), "nothing is added");
	memory.fail_at = 0;
	ok(!add(&set, 5) && cim_idset_has(&set, 5), "with memory it is");
	calls = memory.calls;
	ok(!add(&set, 6) && memory.calls == calls, "its neighbour takes no memory");
	again = true;
	is_int(cim_idset_add(NULL, 5, &again, NULL), CIM_E_POINTER, "no set");
	ok(!again, "no set has it");
	is_int(cim_idset_add(&set, 7, NULL, NULL), CIM_E_POINTER,
	       "nowhere to say that it was there");
	ok(!cim_idset_has(&set, 7), "nothing is added");
	cim_idset_free(&set);
	is_int(memory.in_use, 0, "blocks that are left");
}

/* One that never was begun is freed like any other. */
static void test_none(void)
{
	struct cim_idset none = {0};

	cim_idset_free(&none);
	cim_idset_close(NULL);
	ok(!none.words, "no set is no set");
}

int main(void)
{
	test_none();
	each_once(1);
	each_once(1021);
	test_set();
	test_places();
	return tap_done();
}
