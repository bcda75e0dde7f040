/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_holes.c - holes of what cimfs-mount shows: how many runs of a stream are looked at
 *
 * A container that was made to harm may have a run for each block of a stream. Here a stream is
 * nothing but such runs; each second one is a hole, or none is.
 */
#include <unistd.h>

#include "../mount/mount.h"
#include "tap.h"

#define BLOCK 4096u

static unsigned looks;
static bool has_holes;

enum cim_status __wrap_cim_image_get_run(struct cim_image *image, const struct cim_data *data,
					 uint64_t offset, uint64_t len, struct cim_run *run,
					 struct cim_error *err);
void __wrap_cim_run_put(struct cim_image *image, struct cim_run *run);

enum cim_status __wrap_cim_image_get_run(struct cim_image *image, const struct cim_data *data,
					 uint64_t offset, uint64_t len, struct cim_run *run,
					 struct cim_error *err)
{
	(void)image;
	(void)data;
	(void)err;
	looks++;
	run->kind = has_holes && offset / BLOCK % 2 ? CIM_RUN_ZEROS : CIM_RUN_READ;
	run->len = BLOCK - offset % BLOCK < len ? BLOCK - offset % BLOCK : len;
	return CIM_OK;
}

void __wrap_cim_run_put(struct cim_image *image, struct cim_run *run)
{
	(void)image;
	(void)run;
}

static uint64_t blocks_of(uint64_t size)
{
	static const struct server s;
	const struct cim_data data = {CIM_SIZED(data), .size = size};

	looks = 0;
	return (uint64_t)hole_blocks(&s, &data);
}

static uint64_t seek(uint64_t size, uint64_t offset, int whence)
{
	static const struct server s;
	const struct cim_data data = {CIM_SIZED(data), .size = size};

	looks = 0;
	return hole_seek(&s, &data, offset, whence);
}

int main(void)
{
	const uint64_t large = UINT64_C(1) << 40;

	has_holes = true;
	is_int((int)blocks_of(64 * BLOCK), 32 * BLOCK / 512, "each second block is a hole");
	is_int((int)seek(64 * BLOCK, 0, SEEK_HOLE), BLOCK, "the first hole");
	is_int((int)seek(64 * BLOCK, BLOCK, SEEK_DATA), 2 * BLOCK, "data behind it");
	ok(blocks_of(large) > large / 512 - 1000000, "what lies behind very many runs is data");
	ok(looks <= 10000, "and no more runs are looked at (%u)", looks);
	has_holes = false;
	is_int((int)blocks_of(64 * BLOCK), 64 * BLOCK / 512, "none is a hole");
	ok(blocks_of(large) == large / 512, "the blocks of a stream of very many runs");
	ok(looks <= 10000, "few of which are looked at (%u)", looks);
	ok(seek(large, 5, SEEK_HOLE) == large, "no hole in it");
	ok(looks <= 100000, "few runs are looked at for one (%u)", looks);
	ok(seek(large, 5, SEEK_DATA) == 5, "data there");
	return tap_done();
}
