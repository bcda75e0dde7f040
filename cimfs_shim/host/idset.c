/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idset.c - remembering files by their FileID
 *
 * An image stores no link counts: whether a file has several names is known only after a pass over
 * all directories. That pass keeps two bits a file, in pages that are made when first needed, so
 * that an image with wild FileIDs costs no more than what it really holds.
 *
 * Of the few files with several names the first place is kept, and if there are any, that of each
 * directory: a path for each file could take a thousand times the memory that the image does.
 */
#include "idset.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define PAGE_BITS 32768u

static uint64_t *page_of(const struct idset *set, uint32_t id)
{
	size_t page = id / PAGE_BITS;

	return page < set->count ? set->pages[page] : NULL;
}

bool idset_has(const struct idset *set, uint32_t id)
{
	const uint64_t *page = page_of(set, id);

	return page && (page[id % PAGE_BITS / 64] >> (id % 64) & 1);
}

bool idset_add(struct idset *set, uint32_t id)
{
	size_t index = id / PAGE_BITS;
	uint64_t bit = UINT64_C(1) << (id % 64);
	uint64_t *word;
	bool had;

	if (index >= set->count) {
		size_t count = index + 1 > set->count * 2 ? index + 1 : set->count * 2;

		set->pages = xrealloc(set->pages, count * sizeof(*set->pages));
		memset(set->pages + set->count, 0, (count - set->count) * sizeof(*set->pages));
		set->count = count;
	}
	if (!set->pages[index])
		set->pages[index] = xcalloc(PAGE_BITS / 64, sizeof(uint64_t));
	word = &set->pages[index][id % PAGE_BITS / 64];
	had = (*word & bit) != 0;
	*word |= bit;
	return had;
}

void idset_free(struct idset *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->pages[i]);
	free(set->pages);
	memset(set, 0, sizeof(*set));
}

struct item_place {
	uint32_t id;
	uint32_t dir_id;
	struct item_place *dir; /* that ID's place; NULL: none, or not looked up yet */
	char name[];
};

static int compare_places(const void *a, const void *b)
{
	const struct item_place *x = a;
	const struct item_place *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct item_place *find_place(const struct places *places, uint32_t id)
{
	const struct item_place want = {.id = id};
	struct item_place *const *place = tfind(&want, &places->tree, compare_places);

	return place ? *place : NULL;
}

bool places_has(const struct places *places, uint32_t id)
{
	return find_place(places, id);
}

void places_keep(struct places *places, uint32_t id, uint32_t dir_id, const char *name)
{
	const size_t size = strlen(name) + 1;
	struct item_place *place;

	if (places_has(places, id))
		return;
	place = xmalloc(sizeof(*place) + size);
	place->id = id;
	place->dir_id = dir_id;
	place->dir = NULL;
	memcpy(place->name, name, size);
	if (!tsearch(place, &places->tree, compare_places))
		alloc_failed();
}

const char **places_way(const struct places *places, uint32_t id, uint64_t most, uint32_t *dir_id,
			size_t *count)
{
	struct item_place *place = find_place(places, id);
	const char **names = NULL;
	size_t room = 0;

	for (*count = 0; place; place = place->dir) {
		if (*count == most) {
			free(names);
			return NULL;
		}
		if (!*count)
			*dir_id = place->dir_id;
		names = xgrow(names, &room, *count, sizeof(*names));
		names[(*count)++] = place->name;
		/* No place is ever changed. */
		if (!place->dir)
			place->dir = find_place(places, place->dir_id);
	}
	return names;
}

void places_free(struct places *places)
{
	tdestroy(places->tree, free);
	places->tree = NULL;
}

enum cim_status find_links(struct cim_image *image, uint32_t start, struct idset *multi,
			   bool (*stopped)(void *ctx), void *ctx, struct cim_error *err)
{
	const struct cim_walk_item *item = NULL;
	struct idset seen = {0};
	struct cim_walk *walk;
	enum cim_status status = cim_walk_open(image, start, &walk, err);

	if (status)
		return status;
	do {
		status = cim_walk_next(walk, &item, err);
		if (stopped(ctx))
			status = err->status = CIM_E_ABORTED;
		else if (!status && item && !item->info->is_directory &&
			 idset_add(&seen, item->info->file_id))
			idset_add(multi, item->info->file_id);
		/* What is broken is told by the pass that does the work. */
	} while (status == CIM_E_CORRUPT || status == CIM_E_IO || (!status && item));
	cim_walk_close(walk);
	idset_free(&seen);
	return status;
}
