/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * holder.c - the process that stands for a volume that is an unpacked copy
 *
 * A mount's server marks the image as in use by a lock, so that nobody commits over it, and its end
 * tells that the volume is no more. A copy needs nobody to serve it, but it needs the same mark,
 * and a lock lives no longer than the process that has it. So a process stays behind that does
 * nothing but hold the lock. A dismount kills it. SIGTERM has it take the volume away, as a server
 * does. It ends by itself when the volume's directory is gone, with its prefix, say: the kernel
 * tells of that, and for file systems where it doesn't the holder has a look now and then.
 */
#include "mount.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LOOK_MS	      30000 /* between looks, with the kernel's help */
#define LOOK_ALONE_MS 2000  /* and without */

/* Signals to stop, by a descriptor; SIGHUP only if whoever started it all didn't have it ignored.
 */
static int watch_signals(void)
{
	struct sigaction action;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (!sigaction(SIGHUP, NULL, &action) && action.sa_handler != SIG_IGN)
		sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int watch_dir(const char *dir)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd >= 0 && inotify_add_watch(fd, dir, IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Until the directory that was there at first isn't, or a signal comes (true). */
static bool hold(const char *dir)
{
	struct pollfd fds[2] = {
		{.fd = watch_signals(), .events = POLLIN},
		{.fd = watch_dir(dir), .events = POLLIN},
	};
	struct stat first = {0}, now;
	char events[4096];

	lstat(dir, &first);
	for (;;) {
		if (lstat(dir, &now) < 0 || now.st_dev != first.st_dev ||
		    now.st_ino != first.st_ino)
			return false;
		if (poll(fds, 2, fds[1].fd >= 0 ? LOOK_MS : LOOK_ALONE_MS) <= 0)
			continue;
		if (fds[0].revents)
			return true;
		/* Removed or moved; a new one of the name may have the same number already. */
		if (read(fds[1].fd, events, sizeof(events)) > 0)
			return false;
		close(fds[1].fd);
		fds[1].fd = -1;
	}
}

pid_t start_holder(const struct volume *v, const char *dir, const char *log,
		   struct image_mark *mark, struct cim_error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		fail(err, CIM_E_IO, "fork: %s", strerror(errno));
	if (pid)
		return pid;
	/* Nothing of the caller's is kept. */
	become_daemon();
	close_others(mark->fds, mark->count);
	/* The log isn't kept open: a file that is, in a directory that is removed, would keep the
	 * kernel from telling of that. */
	if (mark->wait)
		lock_image_later(mark, log);
	if (hold(dir))
		volume_ended(v);
	_exit(EXIT_OK);
}
