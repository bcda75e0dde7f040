/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_idset.c - what the native programs remember by FileID
 */
#include "../host/idset.h"
#include "testenv.h"

static void test_places(void)
{
	struct places places = {0};
	const char **names;
	uint32_t dir_id = 0;
	size_t count;

	ok(!places_way(&places, 5, 9, &dir_id, &count) && !count, "what has no place has no way");
	places_keep(&places, 5, 4, "file");
	places_keep(&places, 5, 3, "other");
	free(places_way(&places, 5, 2, &dir_id, &count));
	is_int((long)count, 1, "the way to a file whose directory has no place is its name");
	places_keep(&places, 4, 2, "dir");
	ok(places_has(&places, 5) && !places_has(&places, 2),
	   "what has a place, and what has none");
	names = places_way(&places, 5, 2, &dir_id, &count);
	is_int((long)count, 2, "the way to a file has its name and its directory's");
	is_str(names[0], "file", "its own first: the one that was kept first");
	is_str(names[1], "dir", "then the directory's");
	is_int(dir_id, 4, "and the directory's FileID is told");
	free(names);
	ok(!places_way(&places, 5, 1, &dir_id, &count) && count == 1, "too many names");
	places_free(&places);
	ok(!places_has(&places, 5), "all are forgotten");
}

static void test_set(void)
{
	struct idset set = {0};
	unsigned wrong = 0;

	ok(!idset_has(&set, 0) && !idset_has(&set, UINT32_MAX), "an empty set has nothing");
	/* Close together, in words of their own, and at the end of all. */
	for (uint32_t i = 0; i < 5000; i++)
		wrong += idset_add(&set, i) + idset_add(&set, 10000 + 32768 * i) +
			 idset_add(&set, UINT32_MAX - i);
	is_int(wrong, 0, "what is added for the first time");
	for (uint32_t i = 0; i < 5000; i++)
		wrong += !idset_add(&set, i) + !idset_has(&set, 10000 + 32768 * i) +
			 !idset_has(&set, UINT32_MAX - i) + idset_has(&set, 10001 + 32768 * i);
	is_int(wrong, 0, "what is in it, and what lies beside");
	idset_free(&set);
	ok(!idset_has(&set, 1), "all are forgotten");
}

int main(void)
{
	test_set();
	test_places();
	return tap_done();
}
