/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - failures in the library's detail record
 *
 * What a program does itself fails in the same form as what the library does for it, so that one
 * place tells both. Which status an errno comes to is the library's to say.
 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static void set(struct cim_error *err, enum cim_status status, const char *fmt, va_list args)
{
	memset(err, 0, sizeof(*err));
	err->status = status;
	vsnprintf(err->cause, sizeof(err->cause), fmt, args);
}

enum cim_status fail(struct cim_error *err, enum cim_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set(err, status, fmt, args);
	va_end(args);
	return status;
}

enum cim_status fail_errno(struct cim_error *err, const char *fmt, ...)
{
	const int error = errno;
	size_t len;
	va_list args;

	va_start(args, fmt);
	set(err, cim_status_from_os(error), fmt, args);
	va_end(args);
	err->os_error = error;
	len = strlen(err->cause);
	snprintf(err->cause + len, sizeof(err->cause) - len, ": %s", strerror(error));
	return err->status;
}

char *one_line(char *text)
{
	size_t left = strlen(text);
	size_t n;

	for (char *p = text; left; p += n, left -= n) {
		n = utf8_length(p, left);
		if (is_harmful(p, n)) {
			n = n ? n : 1;
			memset(p, '?', n);
		}
	}
	return text;
}
