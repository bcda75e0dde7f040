/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.c - fuzz target: an image whose files are the input
 *
 * Everything is read from it, it is checked, its structures are shown and its directory is looked
 * at. All answers are those of a damaged image, all in bounded time; and an image in which a deep
 * check finds no error is read without one.
 */
#include "fuzz.h"

#include "../minisample.h"
#include "libcim_debug.h"

#define BIT(status) (1u << (status))

/* The library tells of a caller's mistake, or of the system, where neither is to blame. */
static const unsigned strange = BIT(CIM_E_POINTER) | BIT(CIM_E_NO_MEMORY) | BIT(CIM_E_EXISTS) |
				BIT(CIM_E_DISK_FULL) | BIT(CIM_E_IO) | BIT(CIM_E_ABORTED);

static int count_field(void *ctx, const struct cim_structure *structure,
		       const struct cim_field *field)
{
	uint64_t *sum = ctx;

	(void)structure;
	for (size_t i = 0; i < field->len; i++)
		*sum += ((const uint8_t *)field->bytes)[i];
	return 0;
}

static int count_bytes(void *ctx, const struct cim_structure *structure, uint64_t skip,
		       const void *bytes, size_t len)
{
	uint64_t *sum = ctx;

	(void)structure, (void)skip;
	for (size_t i = 0; i < len; i++)
		*sum += ((const uint8_t *)bytes)[i];
	return 0;
}

static void show_structures(const struct cim_env *env)
{
	uint64_t sum = 0, broken;
	struct cim_structure_visitor visitor = {CIM_SIZED(visitor), .ctx = &sum,
						.field = count_field, .bytes = count_bytes};

	cim_structures_visit(env, "mem/" FUZZ_IMAGE, NULL, 0, NULL, &visitor, &broken, NULL);
}

static void look_at_directory(const struct cim_env *env)
{
	struct cim_store *store;

	if (!cim_store_open(env, "mem", true, &store, NULL))
		cim_store_close(store);
}

static void read_it(struct cim_image *image)
{
	const uint64_t errors = fuzz_verify(image);
	struct read_all all = {0};

	cim_image_check_regions(image, NULL);
	read_image(image, &all);
	if (all.endless)
		fuzz_broken("a walk without an end");
	if (all.statuses & strange)
		fuzz_broken("statuses %#x", all.statuses);
	if (!errors && all.statuses & BIT(CIM_E_CORRUPT))
		fuzz_broken("verify finds nothing, reading does: %s: %s", all.err.path,
			    all.err.cause);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memfs *fs = memfs_new();
	struct cim_env env = memfs_env(fs);
	struct cim_image *image;

	fuzz_unpack(fs, data, size);
	image = fuzz_open(&env);
	if (image) {
		read_it(image);
		show_structures(&env);
	}
	cim_image_close(image);
	look_at_directory(&env);
	fuzz_clean(fs);
	memfs_free(fs);
	return 0;
}
