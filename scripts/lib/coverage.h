/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coverage.h - included first by every file of a build with COVERAGE=1
 *
 * A program counts in a file that it maps, which all processes of that program share: so the counts
 * are there however it ends, by _exit() or by a signal, and in its children. clang's runtime would
 * do that by itself, but make the file for one user and complain, where the tests read what
 * programs say, if it is another's or can't be reached. So we begin it, and only where counting can
 * succeed.
 */
#ifndef COVERAGE_H
#define COVERAGE_H

extern int access(const char *path, int mode);
extern unsigned umask(unsigned mask);
extern void __llvm_profile_initialize(void);

/* Whoever defines this begins the runtime. (Weak: each file has it, a program or library once.) */
__attribute__((__weak__)) int __llvm_profile_runtime;

__attribute__((__weak__, __constructor__)) void begin_to_count(void)
{
	if (__llvm_profile_runtime++ == 0 && access(COVERAGE_DIR, 7) == 0) {
		const unsigned mask = umask(0);
		__llvm_profile_initialize();
		umask(mask);
	}
}

#endif
