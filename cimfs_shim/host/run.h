/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.h - running another program
 */
#ifndef HOST_RUN_H
#define HOST_RUN_H

/* Run a program of PATH and wait for its end. Its exit code, 128 + the number of the signal that
 * killed it, or -1 with errno if it couldn't be run. @stderr_fd: where its stderr goes; -1: where
 * ours does. */
int run_program(char *const argv[], int stderr_fd);

#endif
