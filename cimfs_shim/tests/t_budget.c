/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/budget.c: where a budget ends, to the byte, and what is counted once. */
#include "../core/budget.h"
#include "../core/image.h"
#include "kit.h"

enum { SESSIONS = 150 };

static struct kit k;

static struct cim_place in_region(uint32_t region, uint64_t offset, uint64_t bytes)
{
	struct cim_place place = {.offset = (uint64_t)region << 48 | offset, .bytes = bytes};

	return place;
}

static uint64_t region_size(struct cim_image *image, uint32_t region)
{
	enum cim_region_type type;
	uint64_t size = 0;

	must(&k, cim_image_region_info(image, region, &size, &type, &k.err));
	return size;
}

static struct cim_budget *open_budget(struct cim_image *image)
{
	struct cim_budget *budget = NULL;

	must(&k, cim_budget_open(image, &budget, &k.err));
	return budget;
}

/* The whole of a budget for what lies in one region can be spent, and not a byte more. */
static void one_region(struct cim_image *image)
{
	struct cim_budget *budget = open_budget(image);
	const uint64_t whole = CIM_BUDGET_FREE + region_size(image, 0);
	struct cim_place nothing = in_region(99, 0, 0), most = in_region(0, 64, whole - 1),
			 one = in_region(0, 64, 1);

	gives(&k, cim_budget_spend(budget, &nothing, &k.err), CIM_OK);
	is_hex(budget->left, CIM_BUDGET_FREE, "nothing costs nothing, and adds no region");
	must(&k, cim_budget_spend(budget, &most, &k.err));
	gives(&k, cim_budget_spend(budget, &one, &k.err), CIM_OK);
	gives(&k, cim_budget_spend(budget, &one, &k.err), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "too many items share") != NULL, "it says why: %s", k.err.cause);
	is_str(k.err.op, "budget", "and what was tried");
	nothing.offset = 0;
	gives(&k, cim_budget_spend(budget, &nothing, &k.err), CIM_OK);
	gives(&k, cim_budget_spend(budget, &one, &k.err), CIM_E_CORRUPT);
	cim_budget_close(budget);
}

/* What is too much ends the budget: what would have been left isn't. */
static void over(struct cim_image *image)
{
	struct cim_budget *budget = open_budget(image);
	struct cim_place place = in_region(0, 64, CIM_BUDGET_FREE + region_size(image, 0) + 1);

	gives(&k, cim_budget_spend(budget, &place, &k.err), CIM_E_CORRUPT);
	place.bytes = 1;
	gives(&k, cim_budget_spend(budget, &place, &k.err), CIM_E_CORRUPT);
	cim_budget_close(budget);
	budget = open_budget(image);
	budget->left = UINT64_MAX - 1;
	must(&k, cim_budget_spend(budget, &place, &k.err));
	is_hex(budget->left, UINT64_MAX - 1, "a sum that overflows is the most there is");
	place = in_region(cim_image_get_info(image)->region_count, 0, 1);
	ok(cim_budget_spend(budget, &place, &k.err) != CIM_OK, "a region that isn't there fails");
	cim_budget_close(budget);
}

static void each_region_once(struct cim_image *image)
{
	struct cim_budget *budget = open_budget(image);
	const uint32_t regions = cim_image_get_info(image)->region_count;
	uint64_t want = CIM_BUDGET_FREE;

	ok(regions >= SESSIONS, "the image has many regions (%u)", regions);
	for (unsigned turn = 0; turn < 2; turn++)
		for (uint32_t i = 0; i < regions; i++) {
			struct cim_place place = in_region(i, 64 + turn, 1);

			must(&k, cim_budget_spend(budget, &place, &k.err));
			want += (turn ? 0 : region_size(image, i)) - 1;
		}
	is_hex(budget->left, want, "each region's size is added once");
	cim_budget_close(budget);
}

static void is_once(struct cim_budget *budget, struct cim_place place, uint32_t number, bool again,
		    const char *what)
{
	uint32_t got = 4711;
	bool got_again = !again;

	must(&k, cim_budget_once(budget, &place, &got, &got_again, &k.err));
	is_int(got, number, "once: %s: its number", what);
	is_int(got_again, again, "once: %s: again", what);
}

static void once(struct cim_image *image)
{
	struct cim_budget *budget = open_budget(image);
	const uint64_t whole = CIM_BUDGET_FREE + region_size(image, 0);
	struct cim_place place = in_region(0, 64, CIM_SMALL_PLACE);
	unsigned wrong = 0;

	is_once(budget, in_region(0, 64, CIM_SMALL_PLACE - 1), CIM_NOT_COUNTED, false,
		"a small place");
	is_hex(budget->left, CIM_BUDGET_FREE, "a small place costs nothing");
	is_once(budget, place, 0, false, "the first");
	is_once(budget, place, 0, true, "the same");
	is_once(budget, in_region(0, 64, CIM_SMALL_PLACE + 1), 1, false, "a longer one");
	is_once(budget, in_region(0, 65, CIM_SMALL_PLACE), 2, false, "one elsewhere");
	is_once(budget, place, 0, true, "the first again");
	is_once(budget, in_region(0, 65, CIM_SMALL_PLACE), 2, true, "the third again");
	is_hex(budget->left, whole - 3 * CIM_SMALL_PLACE - 1, "each was spent once");
	for (uint32_t i = 3; i < 1500; i++) {
		uint32_t number;
		bool again;

		place.offset = 100 + i;
		must(&k, cim_budget_once(budget, &place, &number, &again, &k.err));
		wrong += number != i || again;
	}
	is_int(wrong, 0, "once: 1,500 places are numbered in their order");
	place.bytes = whole;
	gives(&k, cim_budget_once(budget, &place, &(uint32_t){0}, &(bool){false}, &k.err),
	      CIM_E_CORRUPT);
	cim_budget_close(budget);
}

/* How much of a structure there may be in a region file, and of data. */
static void rooms(const struct cim_env *env, uint64_t structures, uint64_t data, const char *what)
{
	struct cim_image *image = NULL;
	struct cim_budget *budget = NULL;
	struct cim_place place = {0};
	uint32_t number;
	bool again;

	must(&k, cim_image_open(env, "mem/holes.cim", &image, &k.err));
	budget = open_budget(image);
	place = in_region(1, 64, structures);
	gives(&k, cim_budget_spend(budget, &place, &k.err), CIM_OK);
	is_hex(budget->left, 0, "%s: structures have room for this", what);
	is_hex(budget->holes, data, "%s: and data for this", what);
	if (data) {
		place = in_region(1, 64, data);
		gives(&k, cim_budget_once(budget, &place, &number, &again, &k.err), CIM_OK);
	}
	place = in_region(1, 65, CIM_SMALL_PLACE);
	gives(&k, cim_budget_once(budget, &place, &number, &again, &k.err), CIM_E_CORRUPT);
	cim_budget_close(budget);
	cim_image_close(image);
}

static enum cim_status cant_look(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *data,
				 long *os_error)
{
	(void)ctx;
	(void)file;
	*data = offset;
	*os_error = 5;
	return CIM_E_IO;
}

/* A hole costs who makes an image nothing: it is no room for structures. */
static void holes(void)
{
	const uint64_t size = (UINT64_C(1) << 40) + 1, there = CIM_BUDGET_STRIDE + 1;
	struct cim_vfs vfs = *k.env.vfs;
	struct cim_env env = k.env;
	struct cim_writer *w = begin(&k, NULL, "holes.cim");

	put(&k, w, "f", "f");
	finish(&k, w);
	memfs_poke(k.m, set_file(&k, "holes.cim", "region_", 1), size - 1, "x", 1);
	rooms(&k.env, CIM_BUDGET_FREE + 2 * there, size - 2 * there, "a file with a hole");
	env.vfs = &vfs;
	vfs.next_data = cant_tell;
	rooms(&env, CIM_BUDGET_FREE + size, 0, "where nobody can tell");
	vfs.next_data = NULL;
	rooms(&env, CIM_BUDGET_FREE + size, 0, "where nobody can be asked");
	vfs.next_data = cant_look;
	rooms(&env, CIM_BUDGET_FREE + size, 0, "where one can't look");
}

/* While there is an image of so many regions: what was read past a region's end keeps no file open.
 */
static void open_regions(struct cim_image *image)
{
	const uint32_t regions = cim_image_get_info(image)->region_count;
	unsigned wrong = 0;
	uint8_t byte;

	for (uint32_t i = 0; i < regions; i++)
		wrong += cim_image_read_raw(image, (uint64_t)i << 48 | 40, UINT64_C(1) << 40, &byte,
					    1, NULL) != CIM_E_CORRUPT;
	is_int(wrong, 0, "no region can be read past its end");
	gives(&k,
	      cim_image_file_table(image, cim_image_get_info(image)->table_count,
				   &(struct cim_file_table){0}, &k.err),
	      CIM_E_CORRUPT);
	is_str(k.err.cause, "there is no file table 1, the image has 1",
	       "nor a table behind the last");
	ok(k.m->open_files <= 64, "then %ld region files are open, at most 64", k.m->open_files);
}

/* Each allocation fails in turn; what was opened is given back. */
static void no_memory(struct cim_image *image)
{
	struct cim_place place = in_region(0, 64, CIM_SMALL_PLACE);
	enum cim_status status = CIM_E_NO_MEMORY;
	unsigned turn, wrong = 0;

	for (turn = 1; status; turn++) {
		struct cim_budget *budget = NULL;
		uint32_t number;
		bool again;

		k.m->fail_alloc = k.m->allocs + turn;
		status = cim_budget_open(image, &budget, &k.err);
		if (!status)
			status = cim_budget_once(budget, &place, &number, &again, &k.err);
		k.m->fail_alloc = 0;
		wrong += status && status != CIM_E_NO_MEMORY;
		if (status && budget) {
			must(&k, cim_budget_once(budget, &place, &number, &again, &k.err));
			wrong += number != 0 || again;
		}
		cim_budget_close(budget);
	}
	ok(turn > 5, "memory fails in %u places", turn - 2);
	is_int(wrong, 0, "each time it says so, and the next time it works");
}

int main(void)
{
	struct cim_image *image;
	struct cim_writer *w;
	char name[16];

	k = kit_new();
	for (unsigned i = 0; i < SESSIONS; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		w = begin(&k, i ? "x.cim" : NULL, "x.cim");
		put(&k, w, name, name);
		finish(&k, w);
	}
	image = open_image(&k, "x.cim");
	one_region(image);
	over(image);
	each_region_once(image);
	once(image);
	open_regions(image);
	no_memory(image);
	cim_image_close(image);
	holes();
	kit_free(&k);
	return tap_done();
}
