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

bool places_has(const struct places *places, uint32_t id)
{
	return hash_table_get(&places->numbers, 0, id) != 0;
}

void places_keep(struct places *places, uint32_t id, uint32_t dir_id, const char *name)
{
	size_t *number = hash_table_at(&places->numbers, 0, id);

	if (*number)
		return;
	places->places = xgrow(places->places, &places->room, places->count,
			       sizeof(*places->places));
	places->places[places->count].dir_id = dir_id;
	places->places[places->count].name = xstrdup(name);
	*number = ++places->count;
}

const char **places_way(const struct places *places, uint32_t id, uint64_t most, uint32_t *dir_id,
			size_t *count)
{
	const char **names = NULL;
	size_t room = 0, number;

	for (*count = 0; (number = hash_table_get(&places->numbers, 0, id)) != 0;) {
		if (*count == most) {
			free(names);
			return NULL;
		}
		id = places->places[number - 1].dir_id;
		if (!*count)
			*dir_id = id;
		names = xgrow(names, &room, *count, sizeof(*names));
		names[(*count)++] = places->places[number - 1].name;
	}
	return names;
}

void places_free(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->places[i].name);
	free(places->places);
	hash_table_free(&places->numbers);
	memset(places, 0, sizeof(*places));
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
