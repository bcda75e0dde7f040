/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - failures in the library's detail record
 */
#ifndef HOST_ERROR_H
#define HOST_ERROR_H

#include "alloc.h"
#include "libcim.h"

/* Tell a failure in @err, which loses what it told; returns @status. */
enum cim_status fail(struct cim_error *err, enum cim_status status, const char *fmt, ...)
	HOST_PRINTF(3, 4);
/* The same for a failed system call: errno in words follows. */
enum cim_status fail_errno(struct cim_error *err, const char *fmt, ...) HOST_PRINTF(2, 3);

/* Have a message, and names in it, be no more than a line and play no tricks with a terminal:
 * the bytes of what is_harmful() become '?'. Returns the text. */
char *one_line(char *text);

#endif
