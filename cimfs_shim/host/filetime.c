/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filetime.c - Windows' file times and Linux's
 *
 * A FILETIME counts 100 ns from 1601-01-01 UTC; Linux counts seconds and nanoseconds from 1970.
 */
#include "filetime.h"

bool filetime_from_unix(int64_t seconds, long nanoseconds, int64_t *t)
{
	const int64_t last = INT64_MAX / FILETIME_SECOND - FILETIME_EPOCH_SECONDS - 1;

	*t = INT64_MAX;
	if (seconds > last)
		return false;
	*t = 1;
	if (seconds < -FILETIME_EPOCH_SECONDS ||
	    (seconds == -FILETIME_EPOCH_SECONDS && nanoseconds < 100))
		return false;
	*t = (seconds + FILETIME_EPOCH_SECONDS) * FILETIME_SECOND + nanoseconds / 100;
	return true;
}

void filetime_to_unix(int64_t t, struct timespec *ts)
{
	int64_t seconds = t / FILETIME_SECOND;
	int64_t rest = t % FILETIME_SECOND;

	if (rest < 0) {
		rest += FILETIME_SECOND;
		seconds--;
	}
	ts->tv_sec = (time_t)(seconds - FILETIME_EPOCH_SECONDS);
	ts->tv_nsec = (long)rest * 100;
}
