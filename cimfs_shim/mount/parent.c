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

/* The parents that aren't stored, by FileID. NULL: no memory. */
static uint32_t *find_parents(struct server *s)
{
	const struct cim_walk_item *item;
	struct cim_error err = {0};
	struct cim_walk *walk;
	enum cim_status status = cim_walk_open(s->image, s->root_id, &walk, &err);
	/* Memory that is not written to costs nothing. */
	uint32_t *parents = status ? NULL : calloc(s->max_id + 1, sizeof(*parents));

	if (!parents)
		status = CIM_E_NO_MEMORY;
	while (status != CIM_E_NO_MEMORY) {
		status = cim_walk_next(walk, &item, &err);
		if (status)
			log_status(status, &err, 0);
		else if (!item)
			break;
		else if (item->info->is_directory && !item->info->parent_id)
			parents[item->info->file_id] = item->dir_id;
	}
	cim_walk_close(walk);
	if (status) {
		free(parents);
		return NULL;
	}
	return parents;
}

int node_parent(struct server *s, uint32_t dir_id, uint32_t *parent)
{
	struct cim_file_info info;
	int error = node_info(s, dir_id, &info);

	if (error)
		return error;
	*parent = info.parent_id;
	if (info.is_directory && !info.parent_id) {
		pthread_mutex_lock(&s->parent_lock);
		if (!s->parents)
			s->parents = find_parents(s);
		if (s->parents && dir_id <= s->max_id)
			*parent = s->parents[dir_id];
		error = s->parents ? 0 : ENOMEM;
		pthread_mutex_unlock(&s->parent_lock);
	}
	if (!error && (!info.is_directory || !*parent)) {
		log_line("file %u: its parents don't lead to the root", dir_id);
		error = EIO;
	}
	return error;
}
