/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os.h - what this room offers
 *
 * Two files implement the same thing, posix.c and win32.c; a program links one of them. Nearly all
 * of it is reached through cim_env_default() of libcim_env.h: the file system, the random source,
 * the clock, locks and memory. Nothing outside this room makes a system call on behalf of core.
 */
#ifndef CIM_OS_H
#define CIM_OS_H

#include "libcim_advanced.h"
#include "libcim_env.h"

/*
 * The byte of a file that lock() locks by number 0, the others follow. Both systems must use the
 * same ones, so that a session under Wine and a native program see each other's locks. They lie far
 * behind any byte of an image, because on Windows a locked byte can't be read by others. The one in
 * front of them is win32.c's own.
 */
#define CIM_OS_LOCK_OFFSET (UINT64_C(1) << 62)

#endif
