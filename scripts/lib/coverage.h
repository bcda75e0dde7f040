/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coverage.h - included first by every file of a build with COVERAGE=1
 *
 * What a program counted is written when it ends by exit(). The mount's server, and the children of
 * some, end by _exit(): in such a build that writes it, too. Where a program can't write it, as the
 * tests' other users may not, it doesn't say so among its own messages.
 */
#ifndef COVERAGE_H
#define COVERAGE_H

extern void __gcov_dump(void);
extern int setenv(const char *name, const char *value, int replace);
extern void _exit(int code) __attribute__((__noreturn__));

__attribute__((__noreturn__, __unused__)) static void dump_and_exit(int code)
{
	__gcov_dump();
	_exit(code);
}

__attribute__((__constructor__)) static void be_silent(void)
{
	setenv("GCOV_ERROR_FILE", "/dev/null", 1);
}
#define _exit dump_and_exit

#endif
