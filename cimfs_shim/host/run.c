/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c - running another program
 *
 * What needs rights that we don't have (fusermount3), or knows more (cimfs-mount), is a program of
 * its own.
 */
#include "run.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int run_program(char *const argv[], int stderr_fd)
{
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;
	int error;

	posix_spawn_file_actions_init(&actions);
	if (stderr_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	while (!error && waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			error = errno;
	}
	errno = error;
	if (error)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
