/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alloc.h - memory that is there or ends the program
 *
 * For programs that run once and end. A server that answers many uses malloc() once it serves.
 */
#ifndef HOST_ALLOC_H
#define HOST_ALLOC_H

#include <stdarg.h>
#include <stddef.h>

#define HOST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
char *xasprintf(const char *fmt, ...) HOST_PRINTF(1, 2);
char *xvasprintf(const char *fmt, va_list args) HOST_PRINTF(1, 0);
void *xmemdup(const void *p, size_t size);
/* Make room for one more element of @size bytes. */
void *xgrow(void *array, size_t *room, size_t count, size_t size);

/* What they do where there is no memory. */
_Noreturn void alloc_failed(void);
/* What to do before that; NULL: nothing. */
void alloc_on_failure(void (*fn)(void));
/* The exit code then, if it isn't EXIT_FAILED. */
void alloc_fails_with(int code);

#endif
