/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exit.h - what a program comes to
 */
#ifndef HOST_EXIT_H
#define HOST_EXIT_H

#include "libcim.h"

/* "cimtool help exit-codes" tells the user. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_WARNINGS = 3,
	EXIT_CORRUPT = 4,
	EXIT_UNSUPPORTED = 5,
};
/* What help texts say of those that mean the same in all programs. */
#define EXIT_USAGE_TEXT	      "usage error"
#define EXIT_CORRUPT_TEXT     "the image is corrupt, is none, or isn't what was sealed"
#define EXIT_UNSUPPORTED_TEXT "a format version or a feature that is not supported"

/* The exit code of a status. */
int exit_of(enum cim_status status);

#endif
