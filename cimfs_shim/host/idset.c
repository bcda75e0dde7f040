/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idset.c - remembering files by their FileID
 *
 * An image stores no link counts: whether a file has several names is known only after a pass over
 * all directories. That pass keeps two bits a file, in pages that are made when first needed, so
 * that an image with wild FileIDs costs no more than what it really holds. Only for the few files
 * with several names the first name is kept.
 */
#include "idset.h"

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

/* The slot of an ID, or the free one where it belongs. */
static size_t slot_of(const struct idmap *map, uint32_t id)
{
	size_t i = (id * UINT32_C(2654435761)) & (map->room - 1);

	while (map->slots[i].text && map->slots[i].id != id)
		i = (i + 1) & (map->room - 1);
	return i;
}

const char *idmap_get(const struct idmap *map, uint32_t id)
{
	return map->room ? map->slots[slot_of(map, id)].text : NULL;
}

static void idmap_double(struct idmap *map)
{
	struct idmap bigger = {.room = map->room ? map->room * 2 : 64, .count = map->count};

	bigger.slots = xcalloc(bigger.room, sizeof(*bigger.slots));
	for (size_t i = 0; i < map->room; i++) {
		if (map->slots[i].text)
			bigger.slots[slot_of(&bigger, map->slots[i].id)] = map->slots[i];
	}
	free(map->slots);
	*map = bigger;
}

void idmap_put(struct idmap *map, uint32_t id, const char *text)
{
	size_t i;

	if (map->count * 2 >= map->room)
		idmap_double(map);
	i = slot_of(map, id);
	if (map->slots[i].text)
		free(map->slots[i].text);
	else
		map->count++;
	map->slots[i].id = id;
	map->slots[i].text = xstrdup(text);
}

void idmap_free(struct idmap *map)
{
	for (size_t i = 0; i < map->room; i++)
		free(map->slots[i].text);
	free(map->slots);
	memset(map, 0, sizeof(*map));
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
		else if (!status && item && !item->info.is_directory &&
			 idset_add(&seen, item->info.file_id))
			idset_add(multi, item->info.file_id);
		/* What is broken is told by the pass that does the work. */
	} while (status == CIM_E_CORRUPT || status == CIM_E_IO || (!status && item));
	cim_walk_close(walk);
	idset_free(&seen);
	return status;
}
