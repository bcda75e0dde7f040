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

/* In the blocks that a file takes what lies behind so many pieces counts as data: the host asks for
 * the attributes of many files in a row. */
#define COUNTED_PIECES 256

/* Where a run goes on with data, or with a hole; -1: nothing of that is in it. */
static off_t seek_in_run(const struct cim_run *run, int whence)
{
	const off_t start = (off_t)run->offset;
	off_t at = lseek((int)run->native, start, whence);

	if (at < 0)
		return errno == ENXIO || whence == SEEK_HOLE ? -1 : 0;
	return (uint64_t)(at - start) < run->len ? at - start : -1;
}

uint64_t hole_seek(const struct server *s, const struct cim_data *data, uint64_t offset, int whence)
{
	struct cim_run run = {CIM_SIZED(run)};

	if (data->sparse || data->pe)
		return data->sparse == (whence == SEEK_DATA) ? data->size : offset;
	/* In a container a stream may lie in several pieces. */
	while (offset < data->size) {
		off_t at = -1;

		if (cim_image_get_run(s->image, data, offset, data->size - offset, &run, NULL))
			return whence == SEEK_DATA ? offset : data->size;
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

blkcnt_t hole_blocks(const struct server *s, const struct cim_data *data)
{
	uint64_t bytes = 0, at = 0;

	for (unsigned i = 0; at < data->size && i < COUNTED_PIECES; i++) {
		const uint64_t start = hole_seek(s, data, at, SEEK_DATA);

		at = hole_seek(s, data, start, SEEK_HOLE);
		bytes += at - start;
	}
	bytes += data->size - at;
	return (blkcnt_t)((bytes + 511) / 512);
}
