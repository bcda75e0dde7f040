/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkdata.c - reading all data of an image, each block once
 *
 * A deep check reads the data that no digest was compared with on its walk, in blocks of a MiB that
 * are read once however many streams share them; blocks that lie in an object whose digest was
 * right have been read already. A hole has no bytes that could be damaged and is passed over. So a
 * region file is read about once, and a bit is kept for each block of it that has bytes, whatever
 * the image says about it, or the file about its size.
 */
#include "check.h"
#include "io.h"
#include "regions.h"

#define BLOCK_BITS  20
#define WORD_BLOCKS 64u
#define STRIDE	    (UINT64_C(64) << 10)

/* ---- which blocks have been read ---- */

static uint64_t word_number(uint32_t region, uint64_t block)
{
	return cim_region_offset(region, block / WORD_BLOCKS);
}

static uint64_t *find_word(const struct cim_check *c, uint64_t number)
{
	const uint32_t key = cim_hash_table_key(&c->read_map, &number, sizeof(number));
	size_t cursor = 0;
	uint32_t i;

	while (cim_hash_table_next(&c->read_map, key, &cursor, &i))
		if (c->read_words[i].number == number)
			return &c->read_words[i].blocks;
	return NULL;
}

static uint64_t *make_word(struct cim_check *c, uint64_t number)
{
	const uint32_t i = (uint32_t)c->read_map.count;

	if (!cim_grow(&c->image->env, (void **)&c->read_words, &c->read_room, i,
		      sizeof(*c->read_words)) ||
	    !cim_hash_table_reserve(&c->read_map)) {
		cim_check_no_memory(c);
		return NULL;
	}
	c->read_words[i] = (struct cim_read_word){.number = number};
	cim_hash_table_add(&c->read_map, cim_hash_table_key(&c->read_map, &number, sizeof(number)),
			   i);
	return &c->read_words[i].blocks;
}

static void mark_read(struct cim_check *c, uint32_t region, uint64_t block)
{
	const uint64_t number = word_number(region, block);
	uint64_t *word = find_word(c, number);

	if (!word)
		word = make_word(c, number);
	if (word)
		*word |= UINT64_C(1) << block % WORD_BLOCKS;
}

/* The first of [block, end) that hasn't been read, or @end. */
static uint64_t find_unread(const struct cim_check *c, uint32_t region, uint64_t block,
			    uint64_t end)
{
	while (block < end) {
		const uint64_t *word = find_word(c, word_number(region, block));

		if (!word || !(*word >> block % WORD_BLOCKS & 1))
			return block;
		block = *word == UINT64_MAX ? (block | (WORD_BLOCKS - 1)) + 1 : block + 1;
	}
	return end;
}

static bool region_size(struct cim_check *c, uint32_t region, uint64_t *size)
{
	enum cim_region_type type;

	/* A region file that is no good has been reported. */
	return cim_check_ok(c, cim_image_region_info(c->image, region, size, &type, &c->why));
}

void cim_check_have_read(struct cim_check *c, uint64_t offset, uint64_t len)
{
	const uint64_t byte = cim_region_byte(offset);
	const uint32_t region = cim_region_index(offset);
	uint64_t size, first, end;

	if (!region_size(c, region, &size) || !cim_in_range(byte, len, size))
		return;
	/* Blocks that lie wholly in it; the last one of the file may be shorter. */
	first = (byte + (UINT64_C(1) << BLOCK_BITS) - 1) >> BLOCK_BITS;
	end = (byte + len) >> BLOCK_BITS;
	if (byte + len == size)
		end = ((size - 1) >> BLOCK_BITS) + 1;
	for (uint64_t block = first; block < end && !c->status; block++)
		mark_read(c, region, block);
}

/* ---- reading ---- */

/* A stream's data, or a PE image's. */
struct piece {
	const char *structure;
	uint64_t offset; /* RegionOffset */
	uint32_t region;
	uint64_t from, to; /* in the region file */
	uint64_t size;	   /* of that */
};

/* Read [from, to) of a region file and throw it away. */
static enum cim_status read_range(struct cim_check *c, uint32_t region, uint64_t from, uint64_t to)
{
	enum cim_status status = CIM_OK;

	while (from < to && !status) {
		size_t part = to - from < CIM_CHECK_BUFFER ? (size_t)(to - from) : CIM_CHECK_BUFFER;

		status = cim_image_read_raw(c->image, cim_region_offset(region, from), 0, c->buf,
					    part, &c->why);
		from += part;
	}
	return status;
}

/* Where the region file has data from *at on. Where that can't be found out all is data. */
static bool next_data(struct cim_check *c, uint32_t region, uint64_t *at)
{
	struct cim_region_file *file;
	uint64_t data;

	if (!cim_check_ok(c, cim_region_get(c->image, region, &file, &c->why)))
		return false;
	if (!cim_io_next_data(&c->image->env, file->file, file->name, *at, &data, NULL))
		*at = data;
	cim_region_put(c->image, file);
	return true;
}

uint64_t cim_check_count_data(struct cim_check *c, uint32_t region, uint64_t size)
{
	uint64_t at = 0, data = 0;

	while (next_data(c, region, &at) && at < size) {
		const uint64_t left = size - at < STRIDE ? size - at : STRIDE;

		data += left;
		at += left;
	}
	return data;
}

/* False: it can't be read, and that is the piece's fault. */
static bool read_block(struct cim_check *c, const struct piece *p, uint64_t block)
{
	uint64_t from = block << BLOCK_BITS, to = (block + 1) << BLOCK_BITS;

	cim_check_tick(c);
	if (from < CIM_SIZE(region_header))
		from = CIM_SIZE(region_header);
	if (to > p->size)
		to = p->size;
	if (!read_range(c, p->region, from, to)) {
		mark_read(c, p->region, block);
		return true;
	}
	/* Is it this one's part of the block that can't be read? */
	from = from < p->from ? p->from : from;
	to = to > p->to ? p->to : to;
	return cim_check_try(c, read_range(c, p->region, from, to), p->structure, p->offset,
			     "its data can't be read");
}

void cim_check_data(struct cim_check *c, const char *structure, uint64_t offset, uint64_t len)
{
	const uint64_t byte = cim_region_byte(offset);
	struct piece p = {structure, offset, cim_region_index(offset), byte, byte + len, 0};
	uint64_t block = byte >> BLOCK_BITS, end, at;

	if (c->status || !len || !(c->flags & CIM_VERIFY_DEEP) ||
	    !region_size(c, p.region, &p.size) || !cim_in_range(byte, len, p.size))
		return;
	end = ((p.to - 1) >> BLOCK_BITS) + 1;
	while ((block = find_unread(c, p.region, block, end)) < end && !c->status) {
		at = block << BLOCK_BITS;
		/* One block is read as fast. */
		if (end - block > 1 && !next_data(c, p.region, &at))
			return;
		if (at >> BLOCK_BITS > block)
			block = at >> BLOCK_BITS;
		else if (read_block(c, &p, block))
			block++;
		else
			return;
	}
}
