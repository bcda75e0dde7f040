/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * story.c - fuzz target: a story of the round trip (roundtrip/rt.h) by the input's choices
 *
 * Its model says what each call must answer and what the images must hold after each session. The
 * first byte is the seed; each of the others makes one of the story's choices, and the seed those
 * that follow the last.
 */
#include "fuzz.h"

#include "../roundtrip/rt.h"

struct teller {
	struct memfs *fs;
	struct rt_native *native;
	uint64_t seed;
};

static bool after_session(void *ctx, struct rt_result *result)
{
	struct teller *t = ctx;
	uint64_t items;

	if (result->wrong)
		fuzz_broken("a call answers what it must not");
	if (rt_native_verify(t->native, result, t->seed, &items))
		fuzz_broken("an image isn't what the model says");
	if (rt_native_strays(t->native))
		fuzz_broken("a file has no owner");
	fuzz_clean(t->fs);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct teller t = {.fs = memfs_new(), .seed = size ? data[0] : 0};
	struct rt_options options = {.seed = t.seed,
				     .input = data,
				     .input_size = size,
				     .fill = t.seed & 2,
				     .marks = t.seed & 8,
				     .after_session = after_session,
				     .ctx = &t};
	struct cim_env env = memfs_env(t.fs);
	struct rt_backend backend;
	struct rt_result result;

	t.native = rt_native_new(&env, "mem", t.seed & 4 ? CIM_WRITE_CONSISTENT : 0);
	backend = rt_native_backend(t.native);
	if (!rt_tell(&options, &backend, &result))
		fuzz_broken("the story wasn't told to its end");
	rt_world_free(&result.world);
	rt_native_free(t.native);
	memfs_free(t.fs);
	return 0;
}
