/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nlink.c - how many names a file has
 *
 * The format doesn't store it, so it takes a look at every directory: done once, when a link count
 * is first asked for. A first pass over the file records, which lie side by side, marks
 * directories; then the tree is visited from the root (what can't be reached doesn't count) without
 * reading the record of every entry. One word of 32 bits a FileID holds all: the two top bits are
 * the marks, the rest counts names of a file, or subdirectories of a directory.
 */
#include "mount.h"

#include <stdlib.h>

#define IS_DIRECTORY 0x80000000u
#define VISITED	     0x40000000u
#define COUNT	     0x3fffffffu

static void mark_directories(struct server *s, uint32_t *counts)
{
	for (uint64_t id = 1; id <= s->max_id; id++) {
		struct cim_file_info info;

		/* A FileID that is not in use is no error. */
		if (!cim_image_stat(s->image, (uint32_t)id, &info, NULL) && info.is_directory)
			counts[id] = IS_DIRECTORY;
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

static bool count_dir(struct server *s, uint32_t *counts, uint32_t dir_id, struct todo *todo)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	struct cim_entry entry;
	enum cim_status status;
	bool found = true;
	bool ok = true;

	status = cim_iter_dir(s->image, dir_id, &iter, &err);
	if (status) {
		log_status(status, &err, dir_id);
		return status != CIM_E_NO_MEMORY;
	}
	for (uint32_t left = cim_iter_count(iter); ok && left; left--) {
		status = cim_iter_next(iter, &entry, &found, &err);
		if (status) {
			log_status(status, &err, dir_id);
			continue;
		}
		if (!found)
			break;
		if (!entry.file_id || entry.file_id > s->max_id)
			continue;
		if (!(counts[entry.file_id] & IS_DIRECTORY)) {
			if ((counts[entry.file_id] & COUNT) < COUNT)
				counts[entry.file_id]++;
			continue;
		}
		if ((counts[dir_id] & COUNT) < COUNT)
			counts[dir_id]++;
		if (!(counts[entry.file_id] & VISITED)) {
			counts[entry.file_id] |= VISITED;
			ok = todo_add(todo, entry.file_id);
		}
	}
	cim_iter_close(iter);
	return ok;
}

static uint32_t *count_all(struct server *s)
{
	struct todo todo = {0};
	uint32_t *counts;
	bool ok;

	/* The system gives memory when it is written to, so a table that is said to be large but
	 * isn't costs nothing. */
	counts = calloc(s->max_id + 1, sizeof(*counts));
	if (!counts)
		return NULL;
	mark_directories(s, counts);
	counts[s->root_id] |= VISITED;
	ok = todo_add(&todo, s->root_id);
	while (ok && todo.count)
		ok = count_dir(s, counts, todo.ids[--todo.count], &todo);
	free(todo.ids);
	if (!ok) {
		free(counts);
		return NULL;
	}
	return counts;
}

uint32_t nlink_get(struct server *s, const struct cim_file_info *info)
{
	uint32_t count;

	if (!s->options->count_links)
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
