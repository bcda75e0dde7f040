/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nlink.c - how many names a file has
 *
 * The format doesn't store it, so it takes a look at every directory: done once, when a link count
 * is first asked for. A first pass over the file records, which lie side by side, finds the
 * directories; then the tree is visited from the root (what can't be reached doesn't count) without
 * reading the record of every entry. One word of 32 bits a FileID holds all: the three top bits are
 * marks, the rest counts names of a file, or subdirectories of a directory.
 *
 * What can't be read can't be counted: the log tells of it, and link counts are those of the rest.
 */
#include "mount.h"

#include <stdlib.h>

#define IS_DIRECTORY 0x80000000u
#define VISITED	     0x40000000u
#define KNOWN	     0x20000000u /* the record could be read */
#define COUNT	     0x1fffffffu

struct census {
	struct server *s;
	uint32_t *counts;
	uint64_t missing; /* entries that lead to no record */
};

/* Read an item's record and mark what it is. */
static enum cim_status know(struct census *c, uint32_t id, struct cim_error *err)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	enum cim_status status = cim_image_stat(c->s->image, id, &info, err);

	if (!status)
		c->counts[id] |= KNOWN | (info.is_directory ? IS_DIRECTORY : 0);
	return status;
}

/* A FileID that is not in use is an error too, and so are all behind it in its table. One that is
 * in use all the same is tried again when an entry leads there. */
static void know_all(struct census *c)
{
	for (uint64_t first = 1; first <= c->s->max_id; first += CIM_FILES_PER_TABLE) {
		for (uint64_t id = first; id < first + CIM_FILES_PER_TABLE; id++) {
			if (know(c, (uint32_t)id, NULL))
				break;
		}
	}
}

/* The directories whose entries are to be read. */
struct todo {
	uint32_t *ids;
	size_t count;
	size_t room;
};

static bool todo_add(struct todo *todo, uint32_t id)
{
	if (todo->count == todo->room) {
		size_t room = todo->room ? todo->room * 2 : 256;
		uint32_t *ids = realloc(todo->ids, room * sizeof(*ids));

		if (!ids)
			return false;
		todo->ids = ids;
		todo->room = room;
	}
	todo->ids[todo->count++] = id;
	return true;
}

static void count_one(uint32_t *word)
{
	if ((*word & COUNT) < COUNT)
		++*word;
}

/* false: no memory */
static bool count_entry(struct census *c, uint32_t dir_id, uint32_t id, struct todo *todo)
{
	struct cim_error err = {0};
	uint32_t *const counts = c->counts;
	enum cim_status status;

	if (!id || id > c->s->max_id) {
		c->missing++;
		return true;
	}
	if (!(counts[id] & KNOWN)) {
		status = know(c, id, &err);
		if (status == CIM_E_NO_MEMORY)
			return false;
		if (status) {
			if (!c->missing++)
				log_status(status, &err, id);
			return true;
		}
	}
	if (!(counts[id] & IS_DIRECTORY)) {
		count_one(&counts[id]);
		return true;
	}
	count_one(&counts[dir_id]);
	if (counts[id] & VISITED)
		return true;
	counts[id] |= VISITED;
	return todo_add(todo, id);
}

static bool count_dir(struct census *c, uint32_t dir_id, struct todo *todo)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	const struct cim_entry *entry;
	enum cim_status status;
	bool ok = true;

	status = cim_iter_dir(c->s->image, dir_id, &iter, &err);
	if (status) {
		log_status(status, &err, dir_id);
		return status != CIM_E_NO_MEMORY;
	}
	for (uint32_t left = cim_iter_count(iter); ok && left; left--) {
		status = cim_iter_next(iter, &entry, &err);
		if (status) {
			log_status(status, &err, dir_id);
			continue;
		}
		if (!entry)
			break;
		ok = count_entry(c, dir_id, entry->file_id, todo);
	}
	cim_iter_close(iter);
	return ok;
}

static uint32_t *count_all(struct server *s)
{
	struct census c = {.s = s};
	struct todo todo = {0};
	bool ok;

	/* The system gives memory when it is written to, so a table that is said to be large but
	 * isn't costs nothing. */
	c.counts = calloc(s->max_id + 1, sizeof(*c.counts));
	if (!c.counts)
		return NULL;
	know_all(&c);
	c.counts[s->root_id] |= VISITED;
	ok = todo_add(&todo, s->root_id);
	while (ok && todo.count)
		ok = count_dir(&c, todo.ids[--todo.count], &todo);
	free(todo.ids);
	if (!ok) {
		free(c.counts);
		return NULL;
	}
	if (c.missing)
		log_line("%s: link counts may be too low: %llu entries lead to nothing that can "
			 "be read",
			 s->options->image, (unsigned long long)c.missing);
	return c.counts;
}

uint32_t nlink_get(struct server *s, const struct cim_file_info *info)
{
	uint32_t count;

	if (s->options->nlink == NLINK_1)
		return 1;
	pthread_mutex_lock(&s->count_lock);
	if (!s->counted) {
		s->counts = count_all(s);
		s->counted = true;
		if (!s->counts)
			log_line("no memory to count links: all link counts show as 1");
	}
	pthread_mutex_unlock(&s->count_lock);
	if (!s->counts || info->file_id > s->max_id)
		return 1;
	count = s->counts[info->file_id] & COUNT;
	if (info->is_directory)
		return count + 2;
	return count ? count : 1;
}

void nlink_free(struct server *s)
{
	free(s->counts);
	s->counts = NULL;
}
