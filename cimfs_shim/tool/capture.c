/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.c - host trees into an image
 *
 * Several sources are merged before anything is stored: a directory is listed in all sources that
 * have it, the names are sorted as an image sorts them, and of equal names the last source's wins,
 * while directories are merged. So each item is stored once, a directory before what is in it, in
 * the very order in which a walk of the image will give it back. That is what makes a rebuild from
 * a dump byte-identical, and it is also the order in which the data are read best.
 *
 * The host tree may change under us and may hold links that lead elsewhere: everything is opened
 * relative to its directory, and no link is followed. A directory stays open while what is below it
 * is read; in a very deep tree those far above are closed and found again by "..".
 *
 * The walk runs ahead of what is stored: items are work for a queue (queue.c), whose threads open,
 * look at and read files while the main thread gives the items before them to the session, in the
 * walk's order. So an image's bytes don't depend on the number of threads.
 */
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Directories that stay open above the one being read. */
#define OPEN_LEVELS 64

/* ---- levels ---- */

static struct part *part_of(struct level *level, unsigned source)
{
	for (size_t i = 0; i < level->part_count; i++) {
		if (level->parts[i].source == source)
			return &level->parts[i];
	}
	return NULL;
}

/* Close directories far above whose way back is known. */
static void close_far(struct capture *c)
{
	struct level *far;
	struct level *below;

	if (c->depth <= OPEN_LEVELS)
		return;
	far = &c->levels[c->depth - OPEN_LEVELS - 1];
	below = far + 1;
	for (size_t i = 0; i < far->part_count; i++) {
		struct part *part = &far->parts[i];

		if (!part_of(below, part->source))
			continue;
		dir_release(part->dir);
		part->dir = NULL;
	}
}

static int fail_above(struct capture *c, const struct level *level, const struct part *part)
{
	const bool moved = errno == ESTALE;
	const char *where;

	capture_set_level_path(c, level);
	where = capture_where(c, part->source);
	return moved ? tool_fail(c->t, c->s->op, c->s->image, where,
				 "the directory was moved while it was read")
		     : capture_fail_errno(c, where);
}

/* Back from the top level to the one above it. */
static int leave_level(struct capture *c)
{
	struct level *level = &c->levels[c->depth - 1];
	int code = EXIT_OK;

	if (c->depth > 1) {
		struct level *up = level - 1;

		for (size_t i = 0; i < up->part_count && !code; i++) {
			struct part *part = &up->parts[i];
			const struct part *below = part_of(level, part->source);

			if (part->dir || !below)
				continue;
			part->dir = dir_above(below->dir, part->dev, part->ino);
			if (!part->dir)
				code = fail_above(c, up, part);
		}
	}
	capture_free_level(level);
	c->depth--;
	return code;
}

/* A directory of a source was opened for a new level: take note of which it is. */
static int take_part(struct capture *c, struct part *part, unsigned source, struct statx *stx)
{
	part->source = (uint16_t)source;
	if (!part->dir || host_statx(part->dir->fd, "", AT_EMPTY_PATH, stx))
		return capture_fail_errno(c, capture_where(c, source));
	capture_know_time(c, stx);
	part->dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	part->ino = stx->stx_ino;
	if (part->dev == c->image_dev && part->ino == c->image_ino)
		return tool_fail(c->t, c->s->op, c->s->image, capture_where(c, source),
				 "the image's own directory is part of the source; put the image "
				 "elsewhere or --exclude this directory");
	return EXIT_OK;
}

/*
 * Enter the directory that entries [first, last] name, which are of different sources; those before
 * the last one that is no directory are hidden by it.
 */
static int enter(struct capture *c, size_t first, size_t last)
{
	struct level *up;
	struct level *level;
	struct statx stx = {0};
	int code = EXIT_OK;

	c->levels = xgrow(c->levels, &c->level_room, c->depth, sizeof(*c->levels));
	level = &c->levels[c->depth];
	up = level - 1;
	memset(level, 0, sizeof(*level));
	level->path_units = c->path_units;
	level->rel_len = c->rel.len;
	level->parts = xcalloc(last - first + 1, sizeof(*level->parts));
	for (size_t i = first; i <= last && !code; i++) {
		const struct dir_entry *entry = &up->entries[i];
		struct part *part = &level->parts[level->part_count++];

		part->dir = dir_new(openat(part_of(up, entry->source)->dir->fd,
					   capture_entry_name(up, entry),
					   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		code = take_part(c, part, entry->source, &stx);
	}
	c->depth++;
	if (!code && !c->collisions)
		code = store_directory(c, up->entries[last].source,
				       level->parts[level->part_count - 1].dir, &stx);
	if (!code)
		code = capture_list(c, level);
	close_far(c);
	return code;
}

/* The next name of the top level, all sources' entries for it at once. */
static int next_name(struct capture *c)
{
	struct level *level = &c->levels[c->depth - 1];
	size_t first = level->next;
	size_t last = first;

	while (!c->collisions && last + 1 < level->entry_count &&
	       capture_same_name(level, &level->entries[first], &level->entries[last + 1]))
		last++;
	level->next = last + 1;
	if (!capture_set_path(c, level, &level->entries[last])) {
		capture_set_level_path(c, level);
		return tool_fail(c->t, c->s->op, c->s->image,
				 capture_where(c, level->entries[last].source),
				 "%s: the path is longer than 32,767 UTF-16 code units",
				 capture_entry_name(level, &level->entries[last]));
	}
	if (level->entries[last].type != DT_DIR)
		return c->collisions ? EXIT_OK
				     : store_other(c, level->entries[last].source,
						   part_of(level, level->entries[last].source)->dir,
						   capture_entry_name(level, &level->entries[last]),
						   level->entries[last].type);
	for (size_t i = last; i > first; i--) {
		if (level->entries[i - 1].type != DT_DIR) {
			first = i;
			break;
		}
	}
	return enter(c, first, last);
}

static int walk(struct capture *c)
{
	while (c->depth) {
		struct level *level = &c->levels[c->depth - 1];
		int code;

		if (tool_signal)
			return tool_interrupted();
		code = level->next < level->entry_count ? next_name(c) : leave_level(c);
		if (code)
			return code;
	}
	return EXIT_OK;
}

/* ---- the sources ---- */

/* What can't be a source by itself, or NULL. */
static const char *bad_source(mode_t mode)
{
	if (S_ISREG(mode))
		return NULL;
	if (S_ISFIFO(mode))
		return "it is a pipe; a SOURCE is a directory or a file, so unpack or save first "
		       "what comes through it (a dump is read by create --from-dump=-)";
	return "it is a device or a socket; a SOURCE is a directory or a file";
}

/* Under what name a source goes into the image whose file may have another one. */
static int name_source(struct capture *c, struct source *src)
{
	const char *why;

	if (src->as || !strcmp(src->name, src->file))
		return EXIT_OK;
	src->as = src->own_as = xmalloc(CIM_MAX_NAME * sizeof(*src->own_as));
	why = capture_bad_name(src->name, src->own_as, &src->as_units);
	return why ? tool_fail(c->t, c->s->op, c->s->image, src->label, "%s", why) : EXIT_OK;
}

/*
 * A source that is no directory is an entry of the directory it lies in; of a link that is what it
 * leads to, under the link's name.
 */
static int open_file_source(struct capture *c, struct source *src)
{
	char *file = realpath(src->label, NULL);
	const char *name;
	const char *why;
	struct stat st;
	char *dir;
	int code;

	if (!file || stat(file, &st)) {
		/* An open file of /proc that no name leads to: its kind says what is wrong. */
		if (stat(src->label, &st) || !bad_source(st.st_mode))
			code = tool_fail_errno(c->t, c->s->op, c->s->image, src->label);
		else
			code = tool_fail(c->t, c->s->op, c->s->image, src->label, "%s",
					 bad_source(st.st_mode));
		free(file);
		return code;
	}
	why = bad_source(st.st_mode);
	dir = split_image(file, &name);
	src->fd = why ? -1 : open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	src->file = xstrdup(name);
	if (why)
		code = tool_fail(c->t, c->s->op, c->s->image, src->label, "%s", why);
	else if (src->fd < 0)
		code = tool_fail_errno(c->t, c->s->op, c->s->image, src->label);
	else
		code = name_source(c, src);
	free(dir);
	free(file);
	return code;
}

static int open_source(struct capture *c, struct source *src, const char *label, const uint16_t *as,
		       size_t as_units)
{
	*src = (struct source){.label = label, .as = as, .as_units = as_units, .fd = -1};
	free(split_image(label, &src->name));
	if (!as)
		src->fd = open(label, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (src->fd >= 0)
		return EXIT_OK;
	if (!as && errno != ENOTDIR)
		return tool_fail_errno(c->t, c->s->op, c->s->image, label);
	return open_file_source(c, src);
}

/* A pattern that is no path from the top of any source, as it goes through a source's own name. */
static int check_pattern(struct capture *c, const struct exclude_pattern *p)
{
	const struct source *through = NULL;
	struct stat st;

	for (size_t i = 0; i < c->source_count; i++) {
		const struct source *src = &c->sources[i];

		if (src->file)
			continue;
		if (!fstatat(src->fd, p->names[0], &st, AT_SYMLINK_NOFOLLOW))
			return EXIT_OK;
		if (exclude_begins_with(p, src->label))
			through = src;
	}
	return through ? tool_usage(c->t,
				    "--exclude: '%s' can't match: paths begin at the top of the "
				    "SOURCE, without its name ('%s')",
				    p->given, through->label)
		       : EXIT_OK;
}

/* The level above all: the sources themselves. */
static int enter_sources(struct capture *c)
{
	struct level *level;
	struct statx last_stx = {0};
	int last = -1;
	int code = EXIT_OK;

	c->levels = xgrow(c->levels, &c->level_room, 0, sizeof(*c->levels));
	level = &c->levels[c->depth++];
	memset(level, 0, sizeof(*level));
	level->path_units = c->path_units;
	level->parts = xcalloc(c->source_count, sizeof(*level->parts));
	for (size_t i = 0; i < c->source_count; i++) {
		struct source *src = &c->sources[i];
		struct part *part = &level->parts[level->part_count++];

		part->source = (uint16_t)i;
		part->dir = dir_new(dup(src->fd));
		if (!part->dir)
			return capture_fail_errno(c, capture_where(c, (unsigned)i));
		if (src->file)
			continue;
		code = take_part(c, part, (unsigned)i, &last_stx);
		if (code)
			return code;
		last = (int)i;
	}
	if (last >= 0)
		code = store_directory(c, (unsigned)last, level->parts[last].dir, &last_stx);
	return code ? code : capture_list(c, level);
}

static int capture_all(struct capture *c)
{
	unsigned threads = tool_threads(c->t);
	int code;

	c->hosts = xcalloc(threads, sizeof(*c->hosts));
	for (unsigned i = 0; i < threads; i++)
		c->hosts[i] = c->host;
	/* This thread has much to do too. */
	c->queue = queue_open(c->t, &capture_queue_ops, c, c->hosts, sizeof(*c->hosts), threads - 1,
			      CAPTURE_QUEUED, &c->s->progress);
	code = enter_sources(c);
	if (!code)
		code = walk(c);
	if (!code && c->collisions)
		code = tool_fail(
			c->t, c->s->op, c->s->image, NULL,
			"%zu name%s in the way of another one; rename what should be kept, "
			"or leave it out with --exclude",
			c->collisions, c->collisions == 1 ? " is" : "s are");
	code = queue_close(c->queue, code);
	free(c->hosts);
	return code;
}

static void capture_free(struct capture *c)
{
	while (c->depth)
		capture_free_level(&c->levels[--c->depth]);
	free(c->levels);
	for (size_t i = 0; i < c->source_count; i++) {
		if (c->sources[i].fd >= 0)
			close(c->sources[i].fd);
		free(c->sources[i].file);
		free(c->sources[i].own_as);
	}
	free(c->sources);
	capture_items_free(c);
	capture_links_free(c);
	free(c->path);
	text_free(&c->rel);
	text_free(&c->where);
}

/* What failed as a whole needs no word about its parts. */
static void report_losses(struct capture *c, int code)
{
	struct loss *losses[] = {&c->host_losses[0], &c->host_losses[1], &c->host_losses[2],
				 &c->special,	     &c->changed,	 &c->unlinked,
				 &c->unsure};

	for (size_t i = 0; i < COUNT_OF(losses); i++) {
		if (!code)
			loss_report(c->t, losses[i], c->s->op, c->s->image);
		loss_forget(losses[i]);
	}
}

int capture(struct session *s, const struct write_options *options, char *const *sources,
	    size_t count, const uint16_t *prefix, size_t units, const uint16_t *as, size_t as_units)
{
	struct capture c = {.s = s, .t = s->t, .exclude = &options->exclude};
	struct stat st;
	int code;

	if (count > UINT16_MAX)
		return tool_usage(s->t, "too many sources");
	pthread_mutex_init(&c.buffers.lock, NULL);
	pthread_mutex_init(&c.first_times.lock, NULL);
	c.special.what = "not stored";
	c.changed.what = "the file changed while it was read";
	c.unlinked.what = "hard link not stored";
	c.unsure.what = "symlinks to what is below may have got the wrong kind";
	code = hostmeta_init(&c.host, s->t, options, c.host_losses);
	if (code)
		return code;
	if (!stat(s->dir, &st)) {
		c.image_dev = st.st_dev;
		c.image_ino = st.st_ino;
	}
	c.path = xmalloc((CIM_MAX_PATH + 1) * sizeof(*c.path));
	if (units)
		memcpy(c.path, prefix, units * sizeof(*c.path));
	c.path_units = c.top_units = units;
	c.top = prefix;
	c.sources = xcalloc(count, sizeof(*c.sources));
	for (size_t i = 0; i < count && !code; i++)
		code = open_source(&c, &c.sources[c.source_count++], sources[i], as, as_units);
	for (size_t i = 0; i < c.exclude->count && !code; i++)
		code = check_pattern(&c, &c.exclude->patterns[i]);
	if (!code)
		code = capture_all(&c);
	capture_free(&c);
	report_losses(&c, code);
	return code;
}
