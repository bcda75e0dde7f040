/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mark.c - the lock that marks an image as in use while it is mounted
 *
 * By it a commit over the image is refused. The mount is worth having without it, so what stands in
 * the way is told and no more. Where whoever made the image still has it open, and so its lock, a
 * thread waits for that.
 */
#include "mount.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What a mark that can't be set means. The mount is worth having without it. */
static char *mark_warning(const char *path, const struct cim_error *err)
{
	return xasprintf("%s: a commit over this image won't be refused while it is mounted, for "
			 "it can't be marked as in use: %s",
			 path, err->os_error ? strerror((int)err->os_error) : err->cause);
}

/* What holds the locks. */
static void find_fds(struct image_mark *mark)
{
	intptr_t fd;

	for (size_t i = 0; cim_image_mark(mark->image, i, &fd); i++) {
		if (fd < 0)
			continue;
		mark->fds = xrealloc(mark->fds, (mark->count + 1) * sizeof(*mark->fds));
		mark->fds[mark->count++] = (int)fd;
	}
}

void lock_image(struct cim_image *image, const char *path, struct image_mark *mark)
{
	struct cim_error err;
	enum cim_status status = cim_image_hold(image, CIM_HOLD_TRY, NULL, &err);

	*mark = (struct image_mark){.image = image, .path = path};
	find_fds(mark);
	mark->wait = mark->count && status == CIM_E_SHARING;
	if (status && !mark->wait)
		mark->warning = mark_warning(path, &err);
}

void mark_end(struct image_mark *mark)
{
	if (mark->waits) {
		pthread_cancel(mark->waiter);
		pthread_join(mark->waiter, NULL);
	}
	free(mark->warning);
	mark->warning = NULL;
	free(mark->fds);
	mark->fds = NULL;
	mark->count = 0;
}

static void tell_unmarked(const struct image_mark *mark, const struct cim_error *err)
{
	char *warning = mark_warning(mark->path, err);

	if (mark->log)
		log_open(mark->log);
	log_line("%s", warning);
	if (mark->log)
		log_close();
	free(warning);
}

/* The session that made the image still has it open: take the lock when that is done. */
static void *lock_later(void *arg)
{
	const struct image_mark *mark = arg;
	struct cim_error err;
	enum cim_status status = cim_image_hold(mark->image, CIM_HOLD_WAIT, NULL, &err);
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	if (status)
		tell_unmarked(mark, &err);
	return NULL;
}

void lock_image_later(struct image_mark *mark, const char *log)
{
	struct cim_error err;
	sigset_t all, old;
	int error;

	mark->log = log;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&mark->waiter, NULL, lock_later, mark);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	mark->waits = !error;
	if (error) {
		err.os_error = error;
		tell_unmarked(mark, &err);
	}
}
