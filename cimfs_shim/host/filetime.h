/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filetime.h - Windows' file times and Linux's
 */
#ifndef HOST_FILETIME_H
#define HOST_FILETIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define FILETIME_SECOND	       INT64_C(10000000)    /* in FILETIME's units */
#define FILETIME_EPOCH_SECONDS INT64_C(11644473600) /* from 1601 to 1970 */

/*
 * Rounded down to 100 ns. false: Windows has no such time, and *t is the nearest one that it has;
 * 0, which stands for none, is never that.
 */
bool filetime_from_unix(int64_t seconds, long nanoseconds, int64_t *t);
/* Exact. */
void filetime_to_unix(int64_t t, struct timespec *ts);

#endif
