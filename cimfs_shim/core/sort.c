/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sort.c - bottom-up merge sort: see sort.h
 */
#include "sort.h"
#include "bytes.h"
#include "mem.h"

#include <string.h>

int cim_compare_u64(const void *a, const void *b, const void *ctx)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	(void)ctx;
	return x < y ? -1 : x > y;
}

typedef int (*compare_fn)(const void *a, const void *b, const void *ctx);

/* Merge the sorted runs [lo, mid) and [mid, hi) of @from into @to. */
static void merge(const char *from, char *to, size_t lo, size_t mid, size_t hi, size_t size,
		  compare_fn compare, const void *ctx)
{
	size_t a = lo, b = mid;

	/* Mostly sorted input is the rule (a directory read back): copy such runs whole. */
	if (mid >= hi || compare(from + (mid - 1) * size, from + mid * size, ctx) <= 0) {
		memcpy(to + lo * size, from + lo * size, (hi - lo) * size);
		return;
	}
	for (; lo < hi; lo++) {
		bool left = b >= hi ||
			    (a < mid && compare(from + a * size, from + b * size, ctx) <= 0);

		memcpy(to + lo * size, from + (left ? a : b) * size, size);
		if (left)
			a++;
		else
			b++;
	}
}

bool cim_sort(const struct cim_env *env, void *base, size_t count, size_t size, compare_fn compare,
	      const void *ctx)
{
	char *from = base, *to, *room;
	size_t bytes, width;

	if (count < 2)
		return true;
	if (!cim_ckd_mul_size(&bytes, count, size))
		return false;
	to = room = cim_alloc(env, bytes);
	if (!room)
		return false;
	for (width = 1; count > width;) {
		char *swap;

		for (size_t lo = 0; lo < count; lo += 2 * width) {
			size_t mid = count - lo > width ? lo + width : count;
			size_t hi = count - mid > width ? mid + width : count;

			merge(from, to, lo, mid, hi, size, compare, ctx);
			if (hi == count)
				break;
		}
		swap = from;
		from = to;
		to = swap;
		width = count / 2 < width ? count : width * 2;
	}
	if (from != base)
		memcpy(base, from, bytes);
	cim_free(env, room);
	return true;
}
