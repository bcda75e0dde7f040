/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collate.c - the order of a directory, for those outside core
 *
 * A directory's entries stand sorted by upcased name. A program that wants to hand items to a
 * writer in the order in which a reader will give them back, or to put two directories side by
 * side, needs that order without an image at hand: this is the one of an image made from nothing,
 * by our own upcase table.
 */
#include "core.h"

int cim_name_compare_default(const uint16_t *a, size_t a_units, const uint16_t *b, size_t b_units)
{
	return cim_name_compare(cim_upcase_default, a, a_units, b, b_units);
}
