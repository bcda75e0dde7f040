/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tap.h - just enough of the Test Anything Protocol for a C test program
 *
 * Include it in one source file; call the checks; end main() with "return tap_done();". Each check
 * prints one "ok" or "not ok" line at once, so that a crash shows how far the program came; the
 * plan
 * ("1..N") is printed last, so that a program that ends early has none and counts as failed.
 *
 *   ok(cond, "name of %s", ...)          a condition
 *   is_int(got, want, "name", ...)       two integers (int64_t); prints both if they differ
 *   is_hex(got, want, "name", ...)       two unsigned integers, printed in hex
 *   is_str(got, want, "name", ...)       two strings; NULL is a value of its own
 *   is_mem(got, want, len, "name", ...)  two byte ranges; prints the first difference
 *   skip("why", "name", ...)             a check that can't be made here
 *   diag("text", ...)                    a remark, "# text"
 *   bail("why", ...)                     give up at once
 *
 *   tap_part(argc, argv)                 "PROGRAM N/M" is to do the Nth of M parts
 *   tap_turn(i)                          is test number i, from 0, in that part?
 *
 * Every check is an expression of type bool: true if it passed.
 */
#ifndef CIM_TESTS_TAP_H
#define CIM_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__MINGW32__) || defined(__MINGW64__)
#define TAP_PRINTF(f, a) __attribute__((unused, format(__MINGW_PRINTF_FORMAT, f, a)))
#elif defined(__GNUC__)
#define TAP_PRINTF(f, a) __attribute__((unused, format(printf, f, a)))
#else
#define TAP_PRINTF(f, a)
#endif

static unsigned tap_run;
static unsigned tap_failed;

static unsigned tap_this = 1, tap_parts = 1;

static inline void tap_part(int argc, char **argv)
{
	if (argc > 1 && (sscanf(argv[1], "%u/%u", &tap_this, &tap_parts) != 2 || !tap_this ||
			 tap_this > tap_parts)) {
		fprintf(stderr, "usage: %s [N/M]\n", argv[0]);
		exit(2);
	}
}

static inline bool tap_turn(unsigned i)
{
	return i % tap_parts == tap_this - 1;
}

/* A name or remark must not begin a new line of the protocol, nor look like a directive. */
static inline void tap_put(const char *prefix, const char *text)
{
	fputs(prefix, stdout);
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\n# ", stdout);
		else
			putchar(*text == '#' ? '.' : *text);
	}
}

static inline void tap_vtext(char *text, size_t size, const char *fmt, va_list args)
{
#ifdef __MINGW32__
	__mingw_vsnprintf(text, size, fmt, args);
#else
	vsnprintf(text, size, fmt, args);
#endif
}

TAP_PRINTF(1, 2) static void diag(const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	tap_vtext(text, sizeof(text), fmt, args);
	va_end(args);
	tap_put("# ", text);
	putchar('\n');
	fflush(stdout);
}

TAP_PRINTF(1, 2) static void bail(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	tap_vtext(text, sizeof(text), fmt, args);
	va_end(args);
	tap_put("Bail out! ", text);
	putchar('\n');
	fflush(stdout);
	exit(1);
}

static inline bool tap_vresult(bool passed, const char *where, const char *directive,
			       const char *fmt, va_list args)
{
	char text[1024];
	char number[64];

	tap_vtext(text, sizeof(text), fmt, args);
	tap_run++;
	if (!passed)
		tap_failed++;
	sprintf(number, "%s %u - ", passed ? "ok" : "not ok", tap_run);
	tap_put(number, text);
	if (directive)
		printf(" # SKIP %s", directive);
	putchar('\n');
	if (!passed)
		printf("#   at %s\n", where);
	fflush(stdout);
	return passed;
}

TAP_PRINTF(3, 4)
static bool tap_ok(bool passed, const char *where, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tap_vresult(passed, where, NULL, fmt, args);
	va_end(args);
	return passed;
}

TAP_PRINTF(4, 5)
static bool tap_is_int(int64_t got, int64_t want, const char *where, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tap_vresult(got == want, where, NULL, fmt, args);
	va_end(args);
	if (got != want)
		diag("  got %lld, want %lld", (long long)got, (long long)want);
	return got == want;
}

TAP_PRINTF(4, 5)
static bool tap_is_hex(uint64_t got, uint64_t want, const char *where, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tap_vresult(got == want, where, NULL, fmt, args);
	va_end(args);
	if (got != want)
		diag("  got 0x%llx, want 0x%llx", (unsigned long long)got,
		     (unsigned long long)want);
	return got == want;
}

TAP_PRINTF(4, 5)
static bool tap_is_str(const char *got, const char *want, const char *where, const char *fmt, ...)
{
	bool same = got && want ? !strcmp(got, want) : got == want;
	va_list args;

	va_start(args, fmt);
	tap_vresult(same, where, NULL, fmt, args);
	va_end(args);
	if (!same)
		diag("  got '%s', want '%s'", got ? got : "(null)", want ? want : "(null)");
	return same;
}

TAP_PRINTF(5, 6)
static bool tap_is_mem(const void *got, const void *want, size_t len, const char *where,
		       const char *fmt, ...)
{
	const uint8_t *a = (const uint8_t *)got;
	const uint8_t *b = (const uint8_t *)want;
	size_t i = 0;
	va_list args;

	while (i < len && a[i] == b[i])
		i++;
	va_start(args, fmt);
	tap_vresult(i == len, where, NULL, fmt, args);
	va_end(args);
	if (i < len)
		diag("  byte %llu of %llu: got 0x%02x, want 0x%02x", (unsigned long long)i,
		     (unsigned long long)len, a[i], b[i]);
	return i == len;
}

TAP_PRINTF(2, 3) static bool skip(const char *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tap_vresult(true, "", why, fmt, args);
	va_end(args);
	return true;
}

/* Call the unused ones' names once, so that -Wunused-function has nothing to say with any compiler.
 */
static inline int tap_done(void)
{
	(void)diag;
	(void)bail;
	(void)skip;
	(void)tap_ok;
	(void)tap_is_int;
	(void)tap_is_hex;
	(void)tap_is_str;
	(void)tap_is_mem;
	if (tap_failed)
		diag("%u of %u failed", tap_failed, tap_run);
	printf("1..%u\n", tap_run);
	fflush(stdout);
	return tap_failed ? 1 : 0;
}

#define TAP_STR2(x) #x
#define TAP_STR(x)  TAP_STR2(x)
#define TAP_WHERE   __FILE__ ":" TAP_STR(__LINE__)

#define ok(cond, ...)		    tap_ok((cond) ? true : false, TAP_WHERE ": " #cond, __VA_ARGS__)
#define is_int(got, want, ...)	    tap_is_int((int64_t)(got), (int64_t)(want), TAP_WHERE, __VA_ARGS__)
#define is_hex(got, want, ...)	    tap_is_hex((uint64_t)(got), (uint64_t)(want), TAP_WHERE, __VA_ARGS__)
#define is_str(got, want, ...)	    tap_is_str((got), (want), TAP_WHERE, __VA_ARGS__)
#define is_mem(got, want, len, ...) tap_is_mem((got), (want), (len), TAP_WHERE, __VA_ARGS__)

#endif /* CIM_TESTS_TAP_H */
