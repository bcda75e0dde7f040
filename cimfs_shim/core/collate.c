/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collate.c - names compared without case, and the order of a directory
 *
 * Each image carries the table by which its names are upcased, one code unit for one, so that
 * writer and reader agree on the order of a directory whatever Unicode they know. What we put into
 * a new image is cim_upcase_default, generated at build time (gen-upcase.py).
 *
 * A directory's entries stand sorted by upcased name. A program that wants to hand items to a
 * writer in the order in which a reader will give them back, or to put two directories side by
 * side, needs that order without an image at hand: cim_name_compare_default() is the one of an
 * image made from nothing.
 */
#include "collate.h"

int cim_name_compare(const uint16_t *upcase, const uint16_t *a, size_t a_units, const uint16_t *b,
		     size_t b_units)
{
	size_t common = a_units < b_units ? a_units : b_units;

	for (size_t i = 0; i < common; i++) {
		uint16_t x = upcase[a[i]];
		uint16_t y = upcase[b[i]];

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a_units > b_units) - (a_units < b_units);
}

int cim_name_compare_default(const uint16_t *a, size_t a_units, const uint16_t *b, size_t b_units)
{
	if ((a_units && !a) || (b_units && !b))
		return 0;
	return cim_name_compare(cim_upcase_default, a, a_units, b, b_units);
}
