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

int main(void)
{
	test_places();
	return tap_done();
}
