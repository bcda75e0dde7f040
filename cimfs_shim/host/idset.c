/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idset.c - remembering files by their FileID
 *
 * A set is a hash table of words of 64 bits: a bit a file where FileIDs lie close together, and
 * where an image has them lie far apart no more than what it costs to name them.
 *
 * An image stores no link counts: whether a file has several names is known only after a pass over
 * all directories (cim_links_open()). Of the few files with several names the first place is kept,
 * and if there are any, that of each directory: a path for each file could take a thousand times
 * the memory that the image does.
 */
#include "idset.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "alloc.h"

#define FIRST_ROOM 64u

/* The slot of a word: its own, or the first free one on from where it would be. A set without room
 * has none. The FileIDs may have been chosen so that they all meet in one slot: so where that is,
 * is a matter of chance. */
static size_t find_slot(const struct idset *set, uint32_t word)
{
	size_t slot = (size_t)((word * set->factor) >> 32) & (set->room - 1);

	while (set->bits[slot] && set->words[slot] != word)
		slot = (slot + 1) & (set->room - 1);
	return slot;
}

static void grow(struct idset *set)
{
	struct idset old = *set;

	set->room = old.room ? old.room * 2 : FIRST_ROOM;
	if (!old.room && getrandom(&set->factor, sizeof(set->factor), GRND_NONBLOCK) < 0)
		set->factor = UINT64_C(0x9e3779b97f4a7c15);
	set->factor |= 1;
	set->words = xcalloc(set->room, sizeof(*set->words));
	set->bits = xcalloc(set->room, sizeof(*set->bits));
	for (size_t i = 0; i < old.room; i++) {
		size_t slot;

		if (!old.bits[i])
			continue;
		slot = find_slot(set, old.words[i]);
		set->words[slot] = old.words[i];
		set->bits[slot] = old.bits[i];
	}
	free(old.words);
	free(old.bits);
}

bool idset_has(const struct idset *set, uint32_t id)
{
	return set->room && (set->bits[find_slot(set, id / 64)] >> (id % 64) & 1);
}

bool idset_add(struct idset *set, uint32_t id)
{
	const uint64_t bit = UINT64_C(1) << (id % 64);
	size_t slot;
	bool had;

	if (set->count >= set->room / 4 * 3)
		grow(set);
	slot = find_slot(set, id / 64);
	set->count += !set->bits[slot];
	set->words[slot] = id / 64;
	had = (set->bits[slot] & bit) != 0;
	set->bits[slot] |= bit;
	return had;
}

void idset_free(struct idset *set)
{
	free(set->words);
	free(set->bits);
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

void places_forget(struct places *places, uint32_t id)
{
	struct item_place *place = find_place(places, id);

	if (!place)
		return;
	tdelete(place, &places->tree, compare_places);
	free(place);
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
		/* No directory's place is ever changed. */
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
