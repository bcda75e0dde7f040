/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer_random.c - random sessions against a model, in memory
 *
 * The round trip's stories (roundtrip/rt.h), with what can only be seen in memory: after each
 * session nothing may be left open, allocated or without an owner, and every image must read as the
 * model says, those that weren't touched included. In consistent mode the whole story is told
 * twice, and both directories must hold the same bytes. Half of the stories take place in a
 * container, half have tombstones and merge links.
 *
 * CIM_SEED picks the first story, CIM_STORIES how many are told.
 */
#include "kit.h"
#include "roundtrip/rt.h"

#include <time.h>

struct teller {
	struct kit k;
	struct rt_native *native;
	uint64_t seed;
};

static bool after_session(void *ctx, struct rt_result *result)
{
	struct teller *t = ctx;
	uint64_t items, differences = rt_native_verify(t->native, result, t->seed, &items);
	uint64_t strays = rt_native_strays(t->native);

	return kit_clean(&t->k, "after a session") && !differences && !strays && !result->wrong;
}

/* Every second story writes streams by cim_stream_fill(). */
static bool story(struct teller *t, uint64_t seed, unsigned flags)
{
	struct rt_options options = {.seed = seed,
				     .fill = seed / 2 % 2,
				     .marks = seed / 8 % 2,
				     .after_session = after_session,
				     .ctx = t};
	struct rt_result result;
	struct rt_backend backend;
	bool told;

	t->seed = seed;
	t->native = rt_native_new(&t->k.env, flags & CIM_WRITE_CONTAINER ? "mem/c.bcim" : "mem",
				  flags);
	backend = rt_native_backend(t->native);
	told = rt_tell(&options, &backend, &result);
	rt_world_free(&result.world);
	rt_native_free(t->native);
	return told;
}

int main(void)
{
	const char *seed_text = getenv("CIM_SEED"), *count_text = getenv("CIM_STORIES");
	uint64_t first = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL) * 1000;
	unsigned count = count_text ? (unsigned)atoi(count_text) : 60;

	diag("CIM_SEED=%" PRIu64, first);
	for (unsigned i = 0; i < count; i++) {
		const uint64_t seed = first + i;
		unsigned flags = (seed % 2 ? CIM_WRITE_CONSISTENT : 0) |
				 (seed / 4 % 2 ? CIM_WRITE_CONTAINER : 0);
		struct teller once = {.k = kit_new()}, again;
		bool good = story(&once, seed, flags), same = true;

		if (flags & CIM_WRITE_CONSISTENT) {
			again.k = kit_new();
			again.k.m->seed = 12345; /* other private names */
			good &= story(&again, seed, flags);
			same = memfs_digest(once.k.m, NULL) == memfs_digest(again.k.m, NULL);
			kit_free(&again.k);
		}
		ok(good && same, "CIM_SEED=%" PRIu64 ": a random story%s%s", seed,
		   flags & CIM_WRITE_CONTAINER ? ", in a container" : "",
		   flags & CIM_WRITE_CONSISTENT ? ", told twice with the same bytes" : "");
		kit_free(&once.k);
		if (!good || !same)
			break;
	}
	return tap_done();
}
