/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * holes.c - where a stream has data, and where holes
 *
 * The format has no holes but in streams that are zero as a whole. Yet what is written with holes
 * lies in a region file that has them at the same places, so that file's system is asked. It tells
 * of whole blocks: a hole may be shorter than it was. What it doesn't tell of is data.
 */
#include "mount.h"

#include <errno.h>
#include <unistd.h>

/* What lies behind so many runs counts as data. A container that was made to harm may have a run
 * for each block of a stream, and the host asks for the attributes of many files in a row. */
#define COUNTED_RUNS 512u
#define SOUGHT_RUNS  65536u

/* Where a run goes on with data, or with a hole; -1: nothing of that is in it. */
static off_t seek_in_run(const struct cim_run *run, int whence)
{
	const off_t start = (off_t)run->offset;
	off_t at = lseek((int)run->native, start, whence);

	if (at < 0)
		return errno == ENXIO || whence == SEEK_HOLE ? -1 : 0;
	return (uint64_t)(at - start) < run->len ? at - start : -1;
}

/* @runs: how many may be looked at; fewer by those that were. */
static uint64_t seek(const struct server *s, const struct cim_data *data, uint64_t offset,
		     int whence, unsigned *runs)
{
	struct cim_run run = {CIM_SIZED(run)};

	if (data->sparse || data->pe)
		return data->sparse == (whence == SEEK_DATA) ? data->size : offset;
	/* In a container a stream may lie in several pieces. */
	while (offset < data->size) {
		off_t at = -1;

		if (!*runs ||
		    cim_image_get_run(s->image, data, offset, data->size - offset, &run, NULL))
			return whence == SEEK_DATA ? offset : data->size;
		--*runs;
		if (run.kind == CIM_RUN_FILE)
			at = seek_in_run(&run, whence);
		else if ((run.kind == CIM_RUN_ZEROS) == (whence == SEEK_HOLE))
			at = 0;
		if (at >= 0)
			offset += (uint64_t)at;
		else
			offset += run.len;
		cim_run_put(s->image, &run);
		if (at >= 0)
			return offset;
	}
	return data->size;
}

uint64_t hole_seek(const struct server *s, const struct cim_data *data, uint64_t offset, int whence)
{
	unsigned runs = SOUGHT_RUNS;

	return seek(s, data, offset, whence, &runs);
}

blkcnt_t hole_blocks(const struct server *s, const struct cim_data *data)
{
	unsigned runs = COUNTED_RUNS;
	uint64_t bytes = 0, at = 0;

	/* Once no run may be looked at any more, the rest is data. */
	while (at < data->size) {
		const uint64_t start = seek(s, data, at, SEEK_DATA, &runs);

		at = seek(s, data, start, SEEK_HOLE, &runs);
		bytes += at - start;
	}
	return (blkcnt_t)((bytes + 511) / 512);
}
