/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mark.c - the lock that marks an image as in use while it is mounted
 *
 * By it a commit over the image is refused. The mount is worth having without it, so what stands in
 * the way is told and no more. Where whoever made the image still has it open, and so its lock, a
 * thread waits for that.
 */
#include "mount.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host/imagefile.h"

/* What a mark that can't be set means. The mount is worth having without it. */
static char *mark_warning(const char *path, int error)
{
	return xasprintf("%s: a commit over this image won't be refused while it is mounted, for "
			 "it can't be marked as in use: %s",
			 path, strerror(error));
}

void lock_image(struct cim_image *image, const char *path, struct image_mark *mark)
{
	int error;

	memset(mark, 0, sizeof(*mark));
	mark->fd = mark_open(image, path);
	error = mark->fd < 0 ? errno : mark_take(mark->fd, false);
	mark->wait = mark->fd >= 0 && error == EAGAIN;
	if (error && !mark->wait)
		mark->warning = mark_warning(path, error);
}

void unlock_image(struct image_mark *mark)
{
	if (mark->fd >= 0)
		close(mark->fd);
	mark->fd = -1;
	free(mark->warning);
	mark->warning = NULL;
}

struct later {
	int fd;
	const char *path;
	const char *log;
};

static void tell_unmarked(const struct later *later, int error)
{
	char *warning = mark_warning(later->path, error);

	if (later->log)
		log_open(later->log);
	log_line("%s", warning);
	if (later->log)
		log_close();
	free(warning);
}

/* The session that made the image still has it open: take the lock when that is done. */
static void *lock_later(void *arg)
{
	struct later later = *(struct later *)arg;
	int error;

	free(arg);
	error = mark_take(later.fd, true);
	if (error)
		tell_unmarked(&later, error);
	return NULL;
}

void lock_image_later(int fd, const char *path, const char *log)
{
	struct later *later = xmalloc(sizeof(*later));
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int error;

	later->fd = fd;
	later->path = path;
	later->log = log;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attr, lock_later, later);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error) {
		tell_unmarked(later, error);
		free(later);
	}
}
