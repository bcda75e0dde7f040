/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.c - remembering where files are, by their FileID
 *
 * An image stores no link counts: whether a file has several names is known only after a pass over
 * all directories (cim_links_open()). Of the few files with several names the first place is kept,
 * and if there are any, that of each directory: a path for each file could take a thousand times
 * the memory that the image does.
 */
#include "places.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

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
