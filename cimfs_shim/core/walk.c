/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.c - visiting a whole tree, whatever the image says the tree is
 *
 * The directories on the way from the start to the current item lie on a stack, each a link table
 * and a position in it; nothing is called recursively. In a sound image every directory has one
 * name, so a bit is kept for each FileID of a directory that was met: a second meeting is a cycle
 * or a hard link to a directory and is reported instead of followed. Depth is bounded by the length
 * of a path.
 *
 * One more thing would let a small image keep a walk busy for hours: thousands of directories that
 * share one table of thousands of names. So the tables that it enters have a budget (budget.h);
 * where that ends, no further directory is entered.
 *
 * Whatever goes wrong with one item, the next call goes on behind it.
 */
#include "budget.h"
#include "idset.h"
#include "pathbuf.h"
#include "reader.h"

#include <string.h>

/* A directory being gone through. */
struct frame {
	struct cim_link_table table;
	uint32_t next; /* entry */
	uint32_t dir_id;
	size_t path_bytes; /* of its path, in walk->path */
	size_t path_units;
};

enum stage {
	STAGE_START,  /* nothing returned yet */
	STAGE_INSIDE, /* going through the directory on top of the stack */
	STAGE_ENTER,  /* the item returned last is a directory, and not skipped */
};

struct cim_walk {
	struct cim_image *image;
	uint32_t start_id;
	enum stage stage;

	struct frame *frames;
	size_t depth, room;

	struct cim_walk_item item; /* returned last; and what it points to: */
	struct cim_shown_entry shown;
	struct cim_file_info info;
	struct cim_record record; /* its record */
	size_t item_units;	  /* of its path */
	struct cim_path_buf path;

	struct cim_idset met; /* directories */
	struct cim_budget *budget;
};

enum cim_status cim_walk_open(struct cim_image *image, uint32_t start_id, struct cim_walk **result,
			      struct cim_error *err)
{
	const struct cim_env *env;
	struct cim_walk *walk;

	if (result)
		*result = NULL;
	if (CIM_ANY_NULL(err, "walk", image, result))
		return CIM_E_POINTER;
	env = &image->env;
	walk = cim_zalloc(env, sizeof(*walk));
	if (!walk)
		goto no_memory;
	walk->image = image;
	walk->start_id = start_id;
	cim_idset_init(&walk->met, env);
	if (cim_budget_open(image, &walk->budget, NULL) ||
	    !cim_path_buf_set(env, &walk->path, 0, 0, "", 0))
		goto close_walk;
	cim_show_entry(&walk->shown, 0, NULL, NULL);
	walk->item.entry = &walk->shown.entry;
	walk->item.info = &walk->info;
	*result = walk;
	return CIM_OK;
close_walk:
	cim_walk_close(walk);
no_memory:
	return cim_error_where(err, cim_no_memory(err), "walk", image->path);
}

void cim_walk_close(struct cim_walk *walk)
{
	const struct cim_env *env;

	if (!walk)
		return;
	env = &walk->image->env;
	cim_idset_free(&walk->met);
	cim_budget_close(walk->budget);
	cim_free(env, walk->path.text);
	cim_free(env, walk->frames);
	cim_free(env, walk);
}

void cim_walk_skip(struct cim_walk *walk)
{
	if (walk && walk->stage == STAGE_ENTER)
		walk->stage = STAGE_INSIDE;
}

/* Set the bit of a directory, which has a record; CIM_E_CORRUPT if it was set. */
static enum cim_status meet(struct cim_walk *walk, uint32_t file_id, struct cim_error *err)
{
	bool again;
	enum cim_status status = cim_idset_add(&walk->met, file_id, &again, err);

	if (status)
		return status;
	return again ? cim_fail(err, CIM_E_CORRUPT, "directory %u is met a second time",
				(unsigned)file_id)
		     : CIM_OK;
}

/* Go into the directory that was returned last. */
static enum cim_status enter(struct cim_walk *walk, struct cim_error *err)
{
	struct frame frame = {.dir_id = walk->info.file_id, .path_units = walk->item_units};
	void *frames = walk->frames;
	enum cim_status status;

	frame.path_bytes = walk->path.len;
	status = cim_link_table_of_dir(walk->image, &walk->record, &frame.table, err);
	if (!status) {
		const struct cim_place place = {.offset = frame.table.offset,
						.bytes = frame.table.length};

		status = cim_budget_spend(walk->budget, &place, err);
	}
	if (status)
		return status;
	if (!cim_grow(&walk->image->env, &frames, &walk->room, walk->depth, sizeof(frame)))
		return cim_no_memory(err);
	walk->frames = frames;
	walk->frames[walk->depth++] = frame;
	return CIM_OK;
}

/* Read the record of the item whose entry is filled in. What is hidden isn't shown, but where the
 * walk was told to begin. */
static enum cim_status finish_item(struct cim_walk *walk, bool *hidden, struct cim_error *err)
{
	enum cim_status status;

	status = cim_image_record(walk->image, walk->shown.entry.file_id, &walk->record, err);
	if (status)
		return status;
	*hidden = walk->depth && cim_image_hides(walk->image, &walk->record);
	if (*hidden)
		return CIM_OK;
	cim_info_from_record(&walk->info, walk->shown.entry.file_id, &walk->record,
			     walk->image->marked);
	if (!walk->info.is_directory)
		return CIM_OK;
	status = meet(walk, walk->shown.entry.file_id, err);
	if (!status)
		walk->stage = STAGE_ENTER;
	return status;
}

/* Put the name of the item behind its directory's path. */
static enum cim_status append_name(struct cim_walk *walk, const struct frame *frame,
				   struct cim_error *err)
{
	const char *name = walk->shown.entry.utf8;
	const size_t separator = walk->depth > 1 ? 1 : 0; /* none in front of the first */

	walk->item_units = frame->path_units + separator + walk->shown.entry.units;
	if (walk->item_units > CIM_MAX_PATH)
		return cim_fail(err, CIM_E_CORRUPT, "a path of %llu units",
				(unsigned long long)walk->item_units);
	if (!cim_path_buf_set(&walk->image->env, &walk->path, frame->path_bytes,
			      separator ? '/' : 0, name, strlen(name)))
		return cim_no_memory(err);
	return CIM_OK;
}

/* The next entry of the directory on top of the stack, which has one. */
static enum cim_status next_entry(struct cim_walk *walk, bool *hidden, struct cim_error *err)
{
	struct frame *frame = &walk->frames[walk->depth - 1];
	struct cim_walk_item *item = &walk->item;
	const uint32_t index = frame->next++;
	enum cim_status status;

	walk->path.len = frame->path_bytes;
	walk->path.text[walk->path.len] = '\0';
	item->dir_id = frame->dir_id;
	item->depth = (uint32_t)walk->depth;
	status = cim_link_table_get(&frame->table, index, &walk->shown.link, err);
	if (status)
		return status;
	cim_show_entry(&walk->shown, index, NULL, NULL);
	status = append_name(walk, frame, err);
	if (status)
		return status;
	return finish_item(walk, hidden, err);
}

/* Take one step; *done at the end of the tree. */
static enum cim_status step(struct cim_walk *walk, bool *done, struct cim_error *err)
{
	const enum stage stage = walk->stage;
	bool hidden = false;
	enum cim_status status;

	walk->stage = STAGE_INSIDE;
	if (stage == STAGE_START) {
		walk->shown.entry.file_id = walk->start_id;
		return finish_item(walk, &hidden, err);
	}
	if (stage == STAGE_ENTER) {
		status = enter(walk, err);
		if (status)
			return status;
	}
	while (walk->depth) {
		const struct frame *frame = &walk->frames[walk->depth - 1];

		if (frame->next == frame->table.count) {
			walk->depth--;
			continue;
		}
		status = next_entry(walk, &hidden, err);
		if (status || !hidden)
			return status;
	}
	*done = true;
	return CIM_OK;
}

enum cim_status cim_walk_next(struct cim_walk *walk, const struct cim_walk_item **item,
			      struct cim_error *err)
{
	bool done = false;
	enum cim_status status;

	if (item)
		*item = NULL;
	if (CIM_ANY_NULL(err, "walk", walk, item))
		return CIM_E_POINTER;
	status = step(walk, &done, err);
	walk->item.path = walk->path.text; /* it may have moved */
	if (status) {
		cim_error_str(err, cim_str8(walk->path.text));
		return cim_error_where(err, status, "walk", walk->image->path);
	}
	if (!done)
		*item = &walk->item;
	return CIM_OK;
}
