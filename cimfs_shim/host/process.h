/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - a process that was started earlier, by whomever
 */
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H

#include <stdbool.h>

#define BOOT_ID 40

struct process {
	long pid;
	unsigned long long start; /* in ticks since the boot; 0: there is no process */
	char boot[BOOT_ID];	  /* which boot that is */
};
/* What tells a process that lives from all that may get its number later. */
void process_identify(struct process *p, long pid);
/* A zombie doesn't live. */
bool process_alive(const struct process *p);

/* A descriptor of a process that lives, which becomes readable when it ends; -1. */
int process_open(const struct process *p);
/* Wait for that, but not for longer than @ms. */
void process_wait(int pidfd, int ms);
/* Kill a process, and wait likewise. */
void process_kill(const struct process *p, int ms);

#endif
