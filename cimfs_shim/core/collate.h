/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collate.h - names compared without case
 */
#ifndef CIM_COLLATE_H
#define CIM_COLLATE_H

#include "../../include/libcim_advanced.h"
#include "format.h"

/* Our own upcase table, generated at build time. */
extern const uint16_t cim_upcase_default[CIM_UPCASE_ENTRIES];

/* Compare two names by an upcase table: <0, 0, >0 as code units, shorter first (format.h). */
int cim_name_compare(const uint16_t *upcase, const uint16_t *a, size_t a_units, const uint16_t *b,
		     size_t b_units);

#endif
