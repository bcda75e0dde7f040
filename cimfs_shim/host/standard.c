/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * standard.c - standard input, output and error, which a program has or hasn't
 *
 * A program may be started with any of them closed. The first file that it opens would get the free
 * number, and what it tells on stderr would be written into a region file. So the numbers are taken
 * at once, by what answers as a closed one does: reading or writing fails (to stderr it is lost).
 */
#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

void standard_begin(void)
{
	static const int closed[] = {O_WRONLY, O_RDONLY, O_WRONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", closed[fd] | O_CLOEXEC); /* the lowest that is free */
}

int standard_end(void)
{
	bool lost = ferror(stdout) != 0;
	int why = -1;

	/* What a full disk refuses turns up here at the latest. */
	errno = 0;
	if (fflush(stdout)) {
		lost = true;
		why = errno ? errno : -1;
	}
	errno = 0;
	if (fclose(stdout)) {
		lost = true;
		why = errno && why < 0 ? errno : why;
	}
	return lost ? why : 0;
}
