/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/mem.c: memory through the environment. */
#include "../core/bytes.h"
#include "../core/mem.h"
#include "testenv.h"

static void sizes(void)
{
	struct test_memory memory;
	struct cim_env env = test_env(&memory);
	static const uint8_t zero[100];
	void *p;

	p = cim_alloc(&env, 0);
	ok(p != NULL, "cim_alloc of 0 bytes gives a block");
	cim_free(&env, p);
	p = cim_zalloc(&env, 0);
	ok(p != NULL, "cim_zalloc of 0 bytes gives a block");
	p = cim_realloc(&env, p, 0);
	ok(p != NULL, "cim_realloc to 0 bytes keeps a block");
	cim_free(&env, p);
	is_int(memory.zero_sizes, 0, "the allocator is never asked for 0 bytes");

	p = cim_zalloc(&env, sizeof(zero));
	if (ok(p != NULL, "cim_zalloc gives a block"))
		is_mem(p, zero, sizeof(zero), "cim_zalloc clears all of it");
	cim_free(&env, p);
	p = cim_alloc(&env, 10);
	if (ok(p != NULL, "cim_alloc gives a block"))
		memcpy(p, "123456789", 10);
	p = cim_realloc(&env, p, 100000);
	if (ok(p != NULL, "cim_realloc grows it"))
		is_str(p, "123456789", "cim_realloc keeps what it held");
	cim_free(&env, p);
	cim_free(&env, NULL);
	is_int(memory.in_use, 0, "cim_free gives everything back, NULL is fine");
}

static void strings(void)
{
	struct test_memory memory;
	struct cim_env env = test_env(&memory);
	char *s = cim_strdup(&env, "");

	is_str(s, "", "cim_strdup copies the empty string");
	cim_free(&env, s);
	s = cim_strdup(&env, "region");
	is_str(s, "region", "cim_strdup copies a string");
	cim_free(&env, s);
	is_int(memory.in_use, 0, "the copies are given back");
}

static void failing(void)
{
	struct test_memory memory;
	struct cim_env env = test_env(&memory);
	uint32_t *array = NULL;
	size_t room = 0;
	struct cim_error err;

	memory.fail_at = 1;
	ok(!cim_alloc(&env, 1), "cim_alloc: NULL when there is no memory");
	ok(!cim_zalloc(&env, 1), "cim_zalloc: NULL when there is no memory");
	ok(!cim_strdup(&env, "x"), "cim_strdup: NULL when there is no memory");
	ok(!cim_realloc(&env, NULL, 1), "cim_realloc: NULL when there is no memory");
	ok(!cim_grow(&env, (void **)&array, &room, 0, sizeof(*array)),
	   "cim_grow: false when there is no memory");
	ok(!array && room == 0, "cim_grow: then the array is as it was");
	is_int(cim_no_memory(&err), CIM_E_NO_MEMORY, "cim_no_memory returns its status");
	is_int(err.status, CIM_E_NO_MEMORY, "cim_no_memory records its status");
	is_str(err.cause, "out of memory", "cim_no_memory records a cause");
	is_int(cim_no_memory(NULL), CIM_E_NO_MEMORY, "cim_no_memory takes NULL");
}

static void growing(void)
{
	struct test_memory memory;
	struct cim_env env = test_env(&memory);
	uint32_t *array = NULL, *before;
	size_t room = 0;
	unsigned wrong = 0;

	for (uint32_t count = 0; count < 100000; count++) {
		if (!cim_grow(&env, (void **)&array, &room, count, sizeof(*array)))
			bail("cim_grow failed at %u", (unsigned)count);
		wrong += room <= count;
		array[count] = count * 7;
	}
	is_int(wrong, 0, "cim_grow: there is always room for one more");
	for (uint32_t i = 0; i < 100000; i++)
		wrong += array[i] != i * 7;
	is_int(wrong, 0, "cim_grow: the elements are kept");
	ok(memory.calls < 30, "cim_grow: 100000 elements cost few calls (%u)", memory.calls);
	memory.calls = 0;
	before = array;
	ok(cim_grow(&env, (void **)&array, &room, room - 1, sizeof(*array)) && array == before &&
		   !memory.calls,
	   "cim_grow: with room left nothing happens");
	memory.fail_at = 1;
	wrong = (unsigned)room;
	ok(!cim_grow(&env, (void **)&array, &room, room, sizeof(*array)),
	   "cim_grow: false when a full array can't grow");
	ok(array == before && room == wrong && array[99999] == 99999 * 7,
	   "cim_grow: then the array is as it was");
	memory.fail_at = 0;
	cim_free(&env, array);
	is_int(memory.in_use, 0, "cim_grow: nothing is lost");
}

static void overflowing(void)
{
	struct test_memory memory;
	struct cim_env env = test_env(&memory);
	void *array = NULL;
	size_t room;

	room = SIZE_MAX / 4 * 3;
	ok(!cim_grow(&env, &array, &room, room, 1),
	   "cim_grow: half the room more doesn't fit: false");
	ok(room == SIZE_MAX / 4 * 3 && !array && !memory.calls,
	   "cim_grow: and the allocator isn't asked");
	room = SIZE_MAX / 8;
	ok(!cim_grow(&env, &array, &room, room, 64), "cim_grow: the bytes don't fit: false");
	ok(room == SIZE_MAX / 8 && !array && !memory.calls,
	   "cim_grow: and the allocator isn't asked");
	room = 0;
	ok(!cim_grow(&env, &array, &room, 0, SIZE_MAX / 4),
	   "cim_grow: the first bytes don't fit: false");
	ok(!room && !array && !memory.calls, "cim_grow: and the allocator isn't asked");
}

/* What doesn't fit is told, and changes nothing. */
static void test_checked(void)
{
	uint64_t big = 7;
	size_t size = 7;

	ok(cim_ckd_mul_size(&size, 0, SIZE_MAX) && !size, "nothing times all is nothing");
	ok(cim_ckd_mul_size(&size, SIZE_MAX, 1) && size == SIZE_MAX, "the most there is, once");
	ok(!cim_ckd_mul_size(&size, SIZE_MAX / 2 + 1, 2) && size == SIZE_MAX, "but not twice");
	ok(cim_ckd_align64(&big, UINT64_MAX - 4095, 4096) && big == UINT64_MAX - 4095,
	   "the last multiple");
	ok(!cim_ckd_align64(&big, UINT64_MAX - 4094, 4096) && big == UINT64_MAX - 4095,
	   "behind it there is none");
}

int main(void)
{
	test_checked();
	sizes();
	strings();
	failing();
	growing();
	overflowing();
	return tap_done();
}
