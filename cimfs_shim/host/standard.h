/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * standard.h - standard input, output and error, which a program has or hasn't
 */
#ifndef HOST_STANDARD_H
#define HOST_STANDARD_H

/* To be called first, before any file is opened. */
void standard_begin(void);
/* End stdout. 0, or why something that was written to it is lost: an errno, -1 if it isn't known.
 */
int standard_end(void);

#endif
