/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_sort.c - the merge sort: sorted, stable, the same elements, and no harm without memory
 */
#include "../core/sort.h"
#include "testenv.h"

struct element {
	uint32_t key;
	uint32_t number; /* where it was */
	uint8_t more[5]; /* an odd size */
};

static unsigned compares;

static int compare(const void *a, const void *b, const void *ctx)
{
	const struct element *x = a, *y = b;
	const uint32_t *mask = ctx;

	compares++;
	return (x->key & *mask) < (y->key & *mask) ? -1 : (x->key & *mask) > (y->key & *mask);
}

enum shape { RANDOM, SORTED, REVERSED, EQUAL, SAWTOOTH, ALMOST, SHAPES };

static const char *const shape_names[SHAPES] = {"random", "sorted",   "reversed",
						"equal",  "sawtooth", "almost sorted"};

static uint32_t key_of(enum shape shape, size_t i, size_t count)
{
	switch (shape) {
	case SORTED:
		return (uint32_t)i;
	case REVERSED:
		return (uint32_t)(count - i);
	case EQUAL:
		return 7;
	case SAWTOOTH:
		return (uint32_t)(i % 17);
	case ALMOST:
		return test_below(50) ? (uint32_t)i : (uint32_t)test_below(count);
	default:
		return (uint32_t)test_random();
	}
}

static struct element elements[5000];

/* NULL if it is as it should be. */
static const char *check(size_t count, uint32_t mask)
{
	static bool seen[5000];

	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; i < count; i++) {
		if (elements[i].number >= count || seen[elements[i].number])
			return "an element is there twice";
		seen[elements[i].number] = true;
		if (elements[i].more[4] != (uint8_t)elements[i].number)
			return "an element was torn";
		if (!i)
			continue;
		if ((elements[i - 1].key & mask) > (elements[i].key & mask))
			return "not sorted";
		if ((elements[i - 1].key & mask) == (elements[i].key & mask) &&
		    elements[i - 1].number > elements[i].number)
			return "not stable";
	}
	return NULL;
}

static void fill(enum shape shape, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		elements[i].key = key_of(shape, i, count);
		elements[i].number = (uint32_t)i;
		elements[i].more[4] = (uint8_t)i;
	}
}

int main(void)
{
	struct test_memory memory;
	struct cim_env env = test_env(&memory);

	test_seed();
	for (int shape = 0; shape < SHAPES; shape++) {
		const char *wrong = NULL;
		size_t count;

		for (count = 0; count < 200 && !wrong; count++) {
			uint32_t mask = count % 3 ? UINT32_MAX : 3; /* the context counts */

			fill(shape, count);
			if (!cim_sort(&env, elements, count, sizeof(elements[0]), compare, &mask))
				wrong = "no memory";
			else
				wrong = check(count, mask);
		}
		ok(!wrong, "%s, 0 to 199 elements%s%s", shape_names[shape], wrong ? ": " : "",
		   wrong ? wrong : "");
		count = 1000 + test_below(4000);
		fill(shape, count);
		compares = 0;
		cim_sort(&env, elements, count, sizeof(elements[0]), compare,
			 &(uint32_t){UINT32_MAX});
		wrong = check(count, UINT32_MAX);
		ok(!wrong && compares < count * 14, "%s, %u elements, %u comparisons",
		   shape_names[shape], (unsigned)count, compares);
		if (shape == SORTED || shape == EQUAL)
			ok(compares < 2 * count, "what is sorted costs a look: %u comparisons",
			   compares);
	}
	is_int(memory.in_use, 0, "all memory was given back");
	memory.calls = 0;
	memory.fail_at = 1;
	fill(REVERSED, 100);
	ok(!cim_sort(&env, elements, 100, sizeof(elements[0]), compare, &(uint32_t){UINT32_MAX}),
	   "without memory it fails");
	ok(elements[0].number == 0 && elements[99].number == 99, "and the elements are as before");
	ok(cim_sort(&env, elements, 1, sizeof(elements[0]), compare, &(uint32_t){UINT32_MAX}),
	   "one element needs none");
	ok(cim_sort(&env, NULL, 0, sizeof(elements[0]), compare, &(uint32_t){UINT32_MAX}),
	   "nor does nothing");
	memory.fail_at = 0;
	memory.calls = 0;
	ok(!cim_sort(&env, elements, SIZE_MAX / 2, sizeof(elements[0]), compare, NULL) &&
		   !memory.calls,
	   "more than a size can count is refused");
	return tap_done();
}
