/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parent.c - which directory a directory is in
 *
 * Its record tells, unless the file table's entries are too short for that. Then only the directory
 * that it is in knows: so the tree is walked once, when the first such record is asked about, and
 * the parents that no record tells are kept.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>

struct parent {
	uint32_t dir_id;
	uint32_t parent_id;
};

static int compare_parents(const void *a, const void *b)
{
	const struct parent *x = a;
	const struct parent *y = b;

	return (x->dir_id > y->dir_id) - (x->dir_id < y->dir_id);
}

static int add_parent(struct server *s, size_t *room, const struct cim_walk_item *item)
{
	if (s->parent_count == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct parent *parents = realloc(s->parents, more * sizeof(*parents));

		if (!parents)
			return ENOMEM;
		s->parents = parents;
		*room = more;
	}
	s->parents[s->parent_count++] = (struct parent){item->info->file_id, item->dir_id};
	return 0;
}

/* The parents that aren't stored, but for those below what can't be read. 0 or an errno. */
static int find_parents(struct server *s)
{
	const struct cim_walk_item *item = NULL;
	struct cim_error err = {0};
	struct cim_walk *walk;
	size_t room = 0;
	int error = log_status(cim_walk_open(s->image, s->root_id, &walk, &err), &err, s->root_id);

	while (!error) {
		enum cim_status status = cim_walk_next(walk, &item, &err);

		if (status == CIM_E_NO_MEMORY)
			error = ENOMEM;
		else if (status)
			log_status(status, &err, 0);
		else if (!item)
			break;
		else if (item->info->is_directory && !item->info->parent_id)
			error = add_parent(s, &room, item);
	}
	cim_walk_close(walk);
	if (error)
		s->parent_count = 0;
	else if (s->parent_count)
		qsort(s->parents, s->parent_count, sizeof(*s->parents), compare_parents);
	return error;
}

int node_parent(struct server *s, uint32_t dir_id, uint32_t *parent)
{
	const struct parent *found;
	struct cim_file_info info;
	int error = item_info(s, dir_id, &info);

	if (error)
		return error;
	*parent = info.parent_id;
	if (info.is_directory && !info.parent_id) {
		pthread_mutex_lock(&s->parent_lock);
		if (!s->parents_found)
			error = find_parents(s);
		s->parents_found = !error;
		found = s->parent_count
				? bsearch(&(struct parent){.dir_id = dir_id}, s->parents,
					  s->parent_count, sizeof(*s->parents), compare_parents)
				: NULL;
		*parent = found ? found->parent_id : 0;
		pthread_mutex_unlock(&s->parent_lock);
	}
	if (!error && (!info.is_directory || !*parent)) {
		log_line("file %u: its parents don't lead to the root", dir_id);
		error = EIO;
	}
	return error;
}
