/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capturelevel.c - a directory as several sources have it: its names, and where the walk is in it
 */
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <unistd.h>

/* ---- messages ---- */

const char *capture_where(struct capture *c, unsigned source)
{
	const struct source *src = &c->sources[source];

	text_cut(&c->where, 0);
	text_puts(&c->where, src->label);
	if (c->rel.len && !src->file) {
		if (c->where.len && c->where.s[c->where.len - 1] != '/')
			text_puts(&c->where, "/");
		text_puts(&c->where, c->rel.s);
	}
	return c->where.s;
}

int capture_fail_errno(struct capture *c, const char *where)
{
	return tool_fail_errno(c->t, c->s->op, c->s->image, where);
}

/*
 * The library failed at an item: name it as the user knows it. What couldn't be written is the
 * image's, and so is a place that isn't there: then it is the path in there.
 */
int capture_fail_cim(struct capture *c, const char *where, const struct cim_error *err)
{
	if (tool_signal)
		return tool_interrupted();
	if ((err->os_error || err->status == CIM_E_PATH_NOT_FOUND) && err->path[0])
		return tool_fail_cim(c->t, c->s->op, c->s->image, err);
	tool_fail(c->t, c->s->op, c->s->image, where, "%s",
		  err->cause[0] ? err->cause : cim_status_text(err->status));
	return exit_of(err->status);
}

/* ---- the path of the item at hand ---- */

const char *capture_entry_name(const struct level *level, const struct dir_entry *entry)
{
	return level->names.s + entry->name;
}

bool capture_set_path(struct capture *c, const struct level *level, const struct dir_entry *entry)
{
	size_t units = level->path_units;

	if (units + 1 + entry->count > CIM_MAX_PATH)
		return false;
	if (units)
		c->path[units++] = '\\';
	memcpy(c->path + units, level->units + entry->units, entry->count * sizeof(*c->path));
	c->path_units = units + entry->count;
	text_cut(&c->rel, level->rel_len);
	if (level->rel_len)
		text_puts(&c->rel, "/");
	text_puts(&c->rel, capture_entry_name(level, entry));
	return true;
}

void capture_set_level_path(struct capture *c, const struct level *level)
{
	c->path_units = level->path_units;
	text_cut(&c->rel, level->rel_len);
}

/* ---- listing a directory ---- */

const char *capture_bad_name(const char *name, uint16_t *units, size_t *count)
{
	if (cim_utf16_from_utf8(name, strlen(name), units, CIM_MAX_NAME, count) == CIM_E_LIMIT)
		return "the name is longer than 255 UTF-16 code units";
	if (!*count)
		return "the name is not UTF-8";
	for (size_t i = 0; i < *count; i++) {
		if (units[i] < 32)
			return "the name holds a control character, which Windows doesn't allow";
		if (units[i] < 128 && strchr("\\/:*?\"<>|", units[i]))
			return "the name holds one of \\ : * ? \" < > |, which Windows doesn't "
			       "allow";
	}
	return NULL;
}

static void keep_entry(struct level *level, struct dir_entry entry, const char *name,
		       const uint16_t *units)
{
	level->entries = xgrow(level->entries, &level->entry_room, level->entry_count,
			       sizeof(*level->entries));
	if (level->units_room - level->units_used < entry.count) {
		level->units_room = (level->units_used + entry.count) * 2;
		level->units = xrealloc(level->units, level->units_room * sizeof(*level->units));
	}
	entry.name = level->names.len;
	entry.units = level->units_used;
	level->entries[level->entry_count++] = entry;
	text_add(&level->names, name, strlen(name) + 1);
	memcpy(level->units + level->units_used, units, entry.count * sizeof(*units));
	level->units_used += entry.count;
}

static int add_entry(struct capture *c, struct level *level, unsigned source, const char *name,
		     uint8_t type)
{
	const struct source *src = &c->sources[source];
	uint16_t units[CIM_MAX_NAME];
	const uint16_t *as = src->as ? src->as : units;
	size_t count = src->as_units;
	const char *why = NULL;
	int code = EXIT_OK;

	text_cut(&c->rel, level->rel_len);
	if (level->rel_len)
		text_puts(&c->rel, "/");
	text_puts(&c->rel, src->file ? src->name : name);
	if (!excluded(c->exclude, c->rel.s, type == DT_DIR, false)) {
		if (!src->as)
			why = capture_bad_name(name, units, &count);
		if (why && level->quiet)
			;
		else if (why)
			code = tool_fail(c->t, c->s->op, c->s->image, capture_where(c, source),
					 "%s", why);
		else
			keep_entry(level,
				   (struct dir_entry){.count = (uint16_t)count,
						      .source = (uint16_t)source,
						      .type = type},
				   name, as);
	}
	text_cut(&c->rel, level->rel_len);
	return code;
}

static uint8_t type_of(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return DT_UNKNOWN;
	return IFTODT(st.st_mode);
}

void capture_unsure(struct capture *c, const char *where)
{
	if (errno != EACCES)
		loss_add(c->t, &c->unsure, where, strerror(errno));
}

/* A directory can't be listed: a failure, or, of a look at where a symlink leads, no more than
 * that. */
static int unlisted(struct capture *c, const struct level *level, const struct part *part)
{
	const char *where = capture_where(c, part->source);

	if (!level->quiet)
		return capture_fail_errno(c, where);
	capture_unsure(c, where);
	return EXIT_OK;
}

static int list_part(struct capture *c, struct level *level, const struct part *part)
{
	int fd = capture_open(part->dir->fd, ".", O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : dir_stream(fd);
	const struct dirent *d;
	int code = EXIT_OK;

	if (!dir) {
		code = unlisted(c, level, part);
		if (fd >= 0)
			close(fd);
		return code;
	}
	while (errno = 0, (d = readdir(dir)) != NULL) {
		uint8_t type = d->d_type;
		int one;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (type == DT_UNKNOWN)
			type = type_of(part->dir->fd, d->d_name);
		one = add_entry(c, level, part->source, d->d_name, type);
		/* All names that are wrong here are told, not only the first. */
		if (one)
			code = one;
		if (tool_signal) {
			closedir(dir);
			return tool_interrupted();
		}
	}
	if (errno)
		code = unlisted(c, level, part);
	closedir(dir);
	return code;
}

static int compare_entries(const void *a, const void *b, void *arg)
{
	const struct dir_entry *x = a;
	const struct dir_entry *y = b;
	const struct level *level = arg;
	int order = cim_name_compare_default(level->units + x->units, x->count,
					     level->units + y->units, y->count);

	if (!order)
		order = (x->source > y->source) - (x->source < y->source);
	return order ? order : strcmp(capture_entry_name(level, x), capture_entry_name(level, y));
}

bool capture_same_name(const struct level *level, const struct dir_entry *x,
		       const struct dir_entry *y)
{
	return !cim_name_compare_default(level->units + x->units, x->count, level->units + y->units,
					 y->count);
}

/* Names of one source that differ in case only: each such pair of the sources is told. */
static void find_collisions(struct capture *c, const struct level *level)
{
	for (size_t i = 1; i < level->entry_count; i++) {
		const struct dir_entry *x = &level->entries[i - 1];
		const struct dir_entry *y = &level->entries[i];
		char *other;

		if (x->source != y->source || !capture_same_name(level, x, y))
			continue;
		capture_set_path(c, level, x);
		other = xstrdup(capture_where(c, x->source));
		capture_set_path(c, level, y);
		tool_fail(c->t, c->s->op, c->s->image, capture_where(c, y->source),
			  "the name differs from that of %s in case only", other);
		c->collisions++;
		capture_set_level_path(c, level);
		free(other);
	}
}

int capture_list(struct capture *c, struct level *level)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < level->part_count; i++) {
		const struct part *part = &level->parts[i];
		int one;

		if (c->sources[part->source].file)
			one = add_entry(c, level, part->source, c->sources[part->source].file,
					type_of(part->dir->fd, c->sources[part->source].file));
		else
			one = list_part(c, level, part);
		if (one)
			code = one;
		if (tool_signal)
			return code;
	}
	if (code)
		return code;
	if (level->entry_count > 1)
		qsort_r(level->entries, level->entry_count, sizeof(*level->entries),
			compare_entries, level);
	if (!level->quiet)
		find_collisions(c, level);
	return EXIT_OK;
}

void capture_free_level(struct level *level)
{
	for (size_t i = 0; i < level->part_count; i++)
		dir_release(level->parts[i].dir);
	free(level->parts);
	text_free(&level->names);
	free(level->units);
	free(level->entries);
}

/* ---- files of the host ---- */

int capture_compare_inodes(const void *a, const void *b)
{
	const struct inode *x = a;
	const struct inode *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return (x->dev > y->dev) - (x->dev < y->dev);
}

void *capture_remember(void **tree, struct inode *one)
{
	struct inode **first = tsearch(one, tree, capture_compare_inodes);

	if (!first)
		alloc_failed();
	if (*first != one)
		free(one);
	return *first;
}

int capture_open(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOATIME | flags);

	/* That is the owner's right. */
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | flags);
	return fd;
}
