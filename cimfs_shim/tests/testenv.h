/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testenv.h - what unit tests need besides tap.h: an allocator that can fail, random numbers
 *
 * The allocator counts its calls and what is in use, can fail at the N-th call, ends the test where
 * a block's end was overrun, and moves each block it grows, so that a pointer kept too long is
 * found (by the sanitizers at the latest).
 */
#ifndef CIM_TESTS_TESTENV_H
#define CIM_TESTS_TESTENV_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../include/libcim_advanced.h"
#include "../../include/libcim_env.h"
#include "tap.h"

struct test_memory {
	unsigned calls;	  /* of realloc */
	unsigned fail_at; /* this call fails, and all that follow; 0: none */
	bool fail_once;	  /* only this one does */
	size_t spare; /* a size that one can do without: failing that isn't counted in @failed */
	unsigned failed;
	long in_use;	     /* blocks */
	unsigned zero_sizes; /* calls with size 0, which nobody may make */
};

#define TEST_BLOCK_HEADER 16
#define TEST_BLOCK_GUARD  16

/* Behind each block lies what nobody may write. */
static inline void test_check_guard(const char *p)
{
	size_t size;

	memcpy(&size, p - TEST_BLOCK_HEADER, sizeof(size));
	for (size_t i = size; i < size + TEST_BLOCK_GUARD; i++)
		if (p[i] != 0x5c)
			bail("byte %zu of a block of %zu was written", i, size);
}

static inline void test_free(void *ctx, void *p)
{
	struct test_memory *memory = (struct test_memory *)ctx;

	if (!p)
		return;
	test_check_guard((const char *)p);
	memory->in_use--;
	free((char *)p - TEST_BLOCK_HEADER);
}

static inline void *test_realloc(void *ctx, void *p, size_t size)
{
	struct test_memory *memory = (struct test_memory *)ctx;
	size_t old = 0;
	char *block;

	memory->calls++;
	if (!size)
		memory->zero_sizes++;
	if (memory->fail_at && (memory->calls == memory->fail_at ||
				(memory->calls > memory->fail_at && !memory->fail_once))) {
		memory->failed += size != memory->spare;
		return NULL;
	}
	if (size > ((size_t)1 << 30))
		return NULL;
	block = (char *)malloc(size + TEST_BLOCK_HEADER + TEST_BLOCK_GUARD);
	if (!block)
		return NULL;
	memcpy(block, &size, sizeof(size));
	block += TEST_BLOCK_HEADER;
	memset(block, 0xa5, size);
	memset(block + size, 0x5c, TEST_BLOCK_GUARD);
	memory->in_use++;
	if (p) {
		memcpy(&old, (char *)p - TEST_BLOCK_HEADER, sizeof(old));
		memcpy(block, p, old < size ? old : size);
		test_free(ctx, p);
	}
	return block;
}

/* An environment with this allocator and nothing else. */
static inline struct cim_env test_env(struct test_memory *memory)
{
	struct cim_env env;

	memset(&env, 0, sizeof(env));
	env.struct_size = sizeof(env);
	memset(memory, 0, sizeof(*memory));
	env.mem.ctx = memory;
	env.mem.realloc = test_realloc;
	env.mem.free = test_free;
	return env;
}

static uint64_t test_random_state;

/* From the environment's CIM_SEED, or else the clock; printed, so that a failure can be repeated.
 */
static inline void test_seed(void)
{
	const char *text = getenv("CIM_SEED");

	test_random_state = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
	diag("CIM_SEED=%llu", (unsigned long long)test_random_state);
}

static inline uint64_t test_random(void)
{
	uint64_t x = test_random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* One of [0, limit). */
static inline uint64_t test_below(uint64_t limit)
{
	return test_random() % limit;
}

#endif
