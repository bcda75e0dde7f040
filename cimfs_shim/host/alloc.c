/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alloc.c - memory that is there or ends the program
 *
 * What a program that runs once would do about a failed allocation is end; so it is done here, and
 * no caller has a case for it. What has to be undone before, a program says by alloc_on_failure().
 */
#include "alloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"

static void (*on_failure)(void);
static int exit_code = EXIT_FAILED;

void alloc_on_failure(void (*fn)(void))
{
	on_failure = fn;
}

void alloc_fails_with(int code)
{
	exit_code = code;
}

void alloc_failed(void)
{
	if (on_failure)
		on_failure();
	fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
	_exit(exit_code);
}

static void *check(void *p)
{
	if (!p)
		alloc_failed();
	return p;
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return check(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return xmemdup(s, strlen(s) + 1);
}

char *xstrndup(const char *s, size_t len)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void *xmemdup(const void *p, size_t size)
{
	void *copy = xmalloc(size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *xvasprintf(const char *fmt, va_list args)
{
	char *s;

	return check(vasprintf(&s, fmt, args) < 0 ? NULL : s);
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = xvasprintf(fmt, args);
	va_end(args);
	return s;
}

void *xgrow(void *array, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return array;
	if (*room > SIZE_MAX / 2 / size)
		alloc_failed();
	*room = *room ? *room * 2 : 16;
	return xrealloc(array, *room * size);
}
