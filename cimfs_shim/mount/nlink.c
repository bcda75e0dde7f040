/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nlink.c - how many names a file has
 *
 * The format doesn't store it, so the library takes a look at every directory: done once, when a
 * link count is first asked for.
 *
 * What can't be read can't be counted: the log tells of it, and link counts are those of the rest.
 * Where the image has directories share so much that counting would take for ever, all link counts
 * are 1.
 */
#include "mount.h"

struct census {
	struct server *s;
	uint64_t missing; /* what can't be read */
};

static int note_missing(void *ctx, uint32_t dir_id, const struct cim_error *why)
{
	struct census *c = ctx;

	if (why && !c->missing++)
		log_status(why->status, why, dir_id);
	return 0;
}

static void count_all(struct server *s)
{
	struct census c = {.s = s};
	struct cim_error err = {0};

	if (cim_links_open(s->image, note_missing, &c, &s->links, &err)) {
		log_line("%s: links can't be counted, all link counts show as 1: %s",
			 s->options->image, err.cause);
		return;
	}
	if (c.missing)
		log_line("%s: link counts may be too low: %llu entries or directories can't be "
			 "read",
			 s->options->image, (unsigned long long)c.missing);
}

uint32_t nlink_get(struct server *s, const struct cim_file_info *info)
{
	uint32_t count;

	if (s->options->nlink == NLINK_1)
		return 1;
	pthread_mutex_lock(&s->count_lock);
	if (!s->counted)
		count_all(s);
	s->counted = true;
	pthread_mutex_unlock(&s->count_lock);
	if (!s->links)
		return 1;
	count = cim_links_count(s->links, info->file_id);
	if (info->is_directory)
		return count + 2;
	return count ? count : 1;
}

void nlink_free(struct server *s)
{
	cim_links_close(s->links);
	s->links = NULL;
}
