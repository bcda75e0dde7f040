/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - a process that was started earlier, by whomever
 *
 * A process number is given again, so beside it the time when the process started is kept, and, as
 * that counts from the boot of the machine, which boot that was. What has ended and waits only for
 * its parent to ask how (a zombie) has let go of its files and locks: it is no process any more.
 */
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* A small file; "" if it can't be read. */
static void read_text(const char *path, char *text, size_t room)
{
	FILE *f = fopen(path, "re");

	*text = '\0';
	if (!f)
		return;
	text[fread(text, 1, room - 1, f)] = '\0';
	fclose(f);
}

/* When a process started: field 22 of its stat, behind the name in parentheses. 0: no process. */
static unsigned long long start_of(long pid)
{
	unsigned long long start = 0;
	char path[64];
	char text[1024];
	char *p;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	read_text(path, text, sizeof(text));
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	p += 2; /* field 3 */
	for (unsigned i = 3; i < 22; i++) {
		p = strchr(p, ' ');
		if (!p)
			return 0;
		p++;
	}
	sscanf(p, "%llu", &start);
	return start;
}

void process_identify(struct process *p, long pid)
{
	p->pid = pid;
	p->start = start_of(pid);
	read_text("/proc/sys/kernel/random/boot_id", p->boot, sizeof(p->boot));
	p->boot[strcspn(p->boot, "\n")] = '\0';
}

bool process_alive(const struct process *p)
{
	struct process now;

	if (!p->start)
		return false;
	process_identify(&now, p->pid);
	return now.start == p->start && !strcmp(now.boot, p->boot);
}

int process_open(const struct process *p)
{
	return process_alive(p) ? (int)syscall(SYS_pidfd_open, (pid_t)p->pid, 0) : -1;
}

void process_wait(int pidfd, int ms)
{
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};

	while (poll(&fd, 1, ms) < 0 && errno == EINTR)
		;
}

void process_kill(const struct process *p, int ms)
{
	int pidfd = process_open(p);

	if (pidfd < 0)
		return;
	/* Once more: the number is of this process for sure while the descriptor is open. */
	if (process_alive(p) && !syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0))
		process_wait(pidfd, ms);
	close(pidfd);
}
