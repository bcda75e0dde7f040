/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capturelink.c - where the symlinks of a host tree lead, and when they were read last
 *
 * On Windows a link has to say itself that it leads to a directory, so each is followed; inside its
 * source only, "/" being the top of it, as it will be in the image: what lies outside is not the
 * tree's, and the same tree has to give the same image.
 *
 * But to follow a link is to read it, and that moves its last access. A link to a link would so
 * spoil the other one's, which perhaps nobody has looked at yet, on whatever thread. Linux knows no
 * way to read a link without a trace. So where such times are wanted no link is followed by the
 * system: each is looked at before it is read, and the time it had then is remembered.
 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* As many as the system itself would follow. */
#define MAX_LINKS 40

/* ---- how links looked at first ---- */

struct link_time {
	struct inode inode;
	struct statx_timestamp accessed;
};

/* Who looked before the link's first reader finds the same time, who looked after it finds it here.
 */
static void first_time(struct link_times *times, struct statx *stx)
{
	struct link_time *link = xcalloc(1, sizeof(*link));

	link->inode.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	link->inode.ino = stx->stx_ino;
	link->accessed = stx->stx_atime;
	pthread_mutex_lock(&times->lock);
	link = capture_remember(&times->tree, &link->inode);
	pthread_mutex_unlock(&times->lock);
	stx->stx_atime = link->accessed;
}

int capture_look_at_link(struct capture *c, int fd, const char *name, struct statx *stx)
{
	int failed = capture_statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, stx);

	if (!failed && c->host.all_times && S_ISLNK(stx->stx_mode))
		first_time(&c->link_times, stx);
	return failed;
}

/* ---- where a link leads ---- */

static int open_in_source(const struct source *src, const char *path, uint64_t flags,
			  uint64_t resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};

	return (int)syscall(SYS_openat2, src->fd, path, &how, sizeof(how));
}

static bool is_directory(const struct source *src, const char *path, uint64_t resolve)
{
	int fd = open_in_source(src, path, O_DIRECTORY, resolve);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* A way through the source: @at is where we are, without any link in it, @rest what is ahead. */
struct way {
	struct text at;
	struct text rest;
	size_t next; /* in there */
	unsigned links;
};

/* Up to the directory that @at lies in; the top lies in itself. */
static void go_up(struct way *way)
{
	size_t len = way->at.len;

	while (len && way->at.s[--len] != '/')
		;
	text_cut(&way->at, len);
}

/* The link that is open as @fd has been met, the last name of @at: what it says is ahead now. */
static bool take_link(struct way *way, int fd)
{
	struct text rest = {0};
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof(target));

	if (len <= 0 || ++way->links > MAX_LINKS)
		return false;
	text_add(&rest, target, (size_t)len);
	text_puts(&rest, "/");
	text_puts(&rest, way->rest.s + way->next);
	text_free(&way->rest);
	way->rest = rest;
	way->next = 0;
	if (target[0] == '/')
		text_cut(&way->at, 0);
	else
		go_up(way);
	return true;
}

/* On to the next name. */
static bool step(struct capture *c, const struct source *src, struct way *way)
{
	const char *name = way->rest.s + way->next;
	size_t len = strcspn(name, "/");
	struct statx stx;
	bool fine = true;
	int fd;

	way->next += len + (name[len] == '/');
	if (!len || (len == 1 && name[0] == '.'))
		return true;
	if (len == 2 && !memcmp(name, "..", 2)) {
		go_up(way);
		return true;
	}
	if (way->at.len)
		text_puts(&way->at, "/");
	text_add(&way->at, name, len);
	fd = open_in_source(src, way->at.s, O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
	if (fd < 0 || capture_look_at_link(c, fd, "", &stx))
		fine = false;
	else if (S_ISLNK(stx.stx_mode))
		fine = take_link(way, fd);
	else
		fine = S_ISDIR(stx.stx_mode);
	if (fd >= 0)
		close(fd);
	return fine;
}

static bool go(struct capture *c, const struct source *src, const char *path)
{
	struct way way = {0};
	bool fine = true;

	text_puts(&way.rest, path);
	while (fine && way.next < way.rest.len)
		fine = step(c, src, &way);
	text_free(&way.at);
	text_free(&way.rest);
	return fine;
}

bool capture_leads_to_directory(struct capture *c, const struct source *src, const char *link,
				const char *target)
{
	const char *slash = strrchr(link, '/');
	struct text path = {0};
	bool found;

	if (!c->host.all_times)
		return is_directory(src, link, 0);
	if (target[0] != '/' && slash)
		text_add(&path, link, (size_t)(slash + 1 - link));
	text_puts(&path, target);
	/* Most links lead to no other. */
	found = is_directory(src, path.s, RESOLVE_NO_SYMLINKS);
	if (!found && errno == ELOOP)
		found = go(c, src, path.s);
	text_free(&path);
	return found;
}
