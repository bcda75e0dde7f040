/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sort.h - a stable merge sort whose comparison has a context
 *
 * C11's qsort() passes none (names are compared by an image's own upcase table), and what it does
 * with its memory and with equal elements differs from one C library to the next; images must
 * come out the same everywhere.
 */
#ifndef CIM_SORT_H
#define CIM_SORT_H

#include <stdbool.h>
#include <stddef.h>

struct cim_env;

/* Sort @count elements of @size bytes. Needs as much memory again for a while: false if none. */
bool cim_sort(const struct cim_env *env, void *base, size_t count, size_t size,
	      int (*compare)(const void *a, const void *b, const void *ctx), const void *ctx);

/* Compare structures that begin with a uint64_t, by that. */
int cim_compare_u64(const void *a, const void *b, const void *ctx);

#endif
