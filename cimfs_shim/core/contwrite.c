/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contwrite.c - room for a session's files in a container
 *
 * Room comes from what this session gave back, the first place that there is, else from behind all
 * that was ever used. What a table that was published names is never written again. Everything that
 * is allocated gets written, zeros included: of what lies behind the container's end nobody knows
 * what it holds, on a device at least. A file of the host's reads as zero where nothing was
 * written, for a session begins by cutting it at the end; so of each piece of room it is known
 * whether it is to be cleared.
 *
 * Of a session's own file the bytes before `written` are on the disk, and what is behind them reads
 * as zero, whatever is there. So a file that is made longer costs nothing until something is
 * written behind the gap: a small gap is then filled with zeros, a large one becomes a hole.
 */
#include "bytes.h"
#include "container.h"
#include "mem.h"

#include <string.h>

/* A gap of so many whole blocks is a hole. */
#define HOLE_BLOCKS 8u

static uint64_t block_down(uint64_t offset)
{
	return offset / CIM_CONT_BLOCK * CIM_CONT_BLOCK;
}

/* ---- pieces of room ---- */

/* A piece at index @i of the list. False: no memory. */
static bool insert_piece(struct cim_container *c, size_t i, struct cim_cont_piece piece)
{
	if (!cim_grow(&c->env, (void **)&c->free, &c->free_room, c->free_count, sizeof(*c->free)))
		return false;
	memmove(c->free + i + 1, c->free + i, (c->free_count - i) * sizeof(*c->free));
	c->free[i] = piece;
	c->free_count++;
	return true;
}

static void drop_piece(struct cim_container *c, size_t i)
{
	c->free_count--;
	memmove(c->free + i, c->free + i + 1, (c->free_count - i) * sizeof(*c->free));
}

/* Want of memory costs the room only: it is lost between what is used. But what it holds must be
 * cleared, so it is remembered as a whole. */
void cim_cont_give_room(struct cim_container *c, uint64_t place, uint64_t len, bool dirty)
{
	size_t i = 0;

	while (i < c->free_count && c->free[i].place < place)
		i++;
	if (i && c->free[i - 1].place + c->free[i - 1].len == place &&
	    c->free[i - 1].dirty == dirty) {
		c->free[--i].len += len;
	} else if (!insert_piece(c, i, (struct cim_cont_piece){place, len, dirty})) {
		c->lost_room |= dirty;
		return;
	}
	if (i + 1 < c->free_count && c->free[i].place + c->free[i].len == c->free[i + 1].place &&
	    c->free[i + 1].dirty == dirty) {
		c->free[i].len += c->free[i + 1].len;
		drop_piece(c, i + 1);
	}
}

static enum cim_status no_room(struct cim_container *c, long *os_error)
{
	*os_error = 0;
	return c->device ? CIM_E_DISK_FULL : CIM_E_TOO_LARGE;
}

/* @len bytes behind all. On a device, fewer: as many as there are. */
static enum cim_status take_from_end(struct cim_container *c, uint64_t *len, uint64_t *place,
				     long *os_error)
{
	const uint64_t limit = c->device ? block_down(c->device_size) : (uint64_t)INT64_MAX;

	if (c->next >= limit)
		return no_room(c, os_error);
	if (*len > limit - c->next) {
		if (!c->device)
			return no_room(c, os_error);
		*len = limit - c->next;
	}
	*place = c->next;
	c->next += *len;
	return CIM_OK;
}

/* Up to @len bytes somewhere. */
static enum cim_status take_some(struct cim_container *c, uint64_t *len, uint64_t *place,
				 bool *dirty, long *os_error)
{
	struct cim_cont_piece *first = c->free;

	*dirty = c->device;
	if (!c->free_count)
		return take_from_end(c, len, place, os_error);
	if (*len > first->len)
		*len = first->len;
	*place = first->place;
	*dirty = first->dirty;
	first->place += *len;
	first->len -= *len;
	if (!first->len)
		drop_piece(c, 0);
	return CIM_OK;
}

enum cim_status cim_cont_take_room(struct cim_container *c, uint64_t len, uint64_t *place,
				   long *os_error)
{
	uint64_t got = len;
	enum cim_status status;

	for (size_t i = 0; i < c->free_count; i++) {
		if (c->free[i].len < len)
			continue;
		*place = c->free[i].place;
		c->free[i].place += len;
		c->free[i].len -= len;
		if (!c->free[i].len)
			drop_piece(c, i);
		return CIM_OK;
	}
	status = take_from_end(c, &got, place, os_error);
	if (status || got == len)
		return status;
	c->next -= got;
	return no_room(c, os_error);
}

/* Where no lock keeps another session out, its blocks are the same ones once it has committed. */
enum cim_status cim_cont_put_bytes(struct cim_container *c, uint64_t place, const void *buf,
				   size_t len, long *os_error)
{
	const enum cim_status status = c->unlocked ? cim_cont_check_unchanged(c, os_error) : CIM_OK;

	if (status)
		return status;
	return c->below.pwrite(c->below.ctx, c->file, place, buf, len, os_error);
}

enum cim_status cim_cont_write_zeros(struct cim_container *c, uint64_t place, uint64_t len,
				     long *os_error)
{
	static const uint8_t zeros[4 * CIM_CONT_BLOCK];
	enum cim_status status = CIM_OK;

	while (len && !status) {
		const size_t part = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		status = cim_cont_put_bytes(c, place, zeros, part, os_error);
		place += part;
		len -= part;
	}
	return status;
}

enum cim_status cim_cont_clear_free(struct cim_container *c, long *os_error)
{
	enum cim_status status = CIM_OK;

	if (c->lost_room)
		return CIM_E_NO_MEMORY;
	while (c->free_count) {
		const struct cim_cont_piece *last = &c->free[c->free_count - 1];

		if (last->place + last->len != c->next)
			break;
		c->next = last->place;
		c->free_count--;
	}
	for (size_t i = 0; i < c->free_count && !status; i++) {
		struct cim_cont_piece *piece = &c->free[i];

		if (piece->dirty)
			status = cim_cont_write_zeros(c, piece->place, piece->len, os_error);
		piece->dirty &= status != CIM_OK;
	}
	return status;
}

/* ---- extents ---- */

const struct cim_extent *cim_cont_extent_at(const struct cim_cont_node *node, uint64_t offset)
{
	size_t low = 0, high = node->count;

	if (offset >= node->reach)
		return NULL;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (node->extents[middle].at <= offset)
			low = middle;
		else
			high = middle;
	}
	return &node->extents[low];
}

static enum cim_status add_extent(struct cim_container *c, struct cim_cont_node *node,
				  uint64_t place, uint64_t len)
{
	struct cim_extent *last = node->count ? &node->extents[node->count - 1] : NULL;

	if (last && (place ? last->place && last->place + last->len == place : !last->place)) {
		last->len += len;
	} else {
		if (!cim_grow(&c->env, (void **)&node->extents, &node->room, node->count,
			      sizeof(*node->extents)))
			return CIM_E_NO_MEMORY;
		node->extents[node->count++] = (struct cim_extent){node->reach, place, len};
	}
	node->reach += len;
	return CIM_OK;
}

/* Give back what an extent has from byte @from of the file on. */
static void give_back(struct cim_container *c, const struct cim_cont_node *node,
		      const struct cim_extent *extent, uint64_t from)
{
	const uint64_t end = extent->at + extent->len;
	const uint64_t place = extent->place + (from - extent->at);
	uint64_t dirty = node->dirty;

	if (!extent->place)
		return;
	dirty = dirty < from ? from : dirty > end ? end : dirty;
	if (dirty > from)
		cim_cont_give_room(c, place, dirty - from, true);
	if (end > dirty)
		cim_cont_give_room(c, place + (dirty - from), end - dirty, false);
}

/* The extents are to cover no more than @reach bytes. */
static void cut_extents(struct cim_container *c, struct cim_cont_node *node, uint64_t reach)
{
	while (node->count && node->reach > reach) {
		struct cim_extent *last = &node->extents[node->count - 1];
		const uint64_t from = last->at > reach ? last->at : reach;

		give_back(c, node, last, from);
		last->len = from - last->at;
		node->reach = from;
		node->count -= !last->len;
	}
	if (node->dirty > node->reach)
		node->dirty = node->reach;
}

void cim_cont_release(struct cim_container *c, struct cim_cont_node *node)
{
	cut_extents(c, node, 0);
}

/* An eighth of the file at a time, so their number stays small whatever its size. */
static enum cim_status cover(struct cim_container *c, struct cim_cont_node *node, uint64_t end,
			     long *os_error)
{
	enum cim_status status = CIM_OK;

	while (node->reach < end && !status) {
		uint64_t len = cim_cont_whole(node->reach / 8), place;
		bool dirty;

		if (len < CIM_CONT_SMALLEST_GROW)
			len = CIM_CONT_SMALLEST_GROW;
		if (len > CIM_CONT_LARGEST_GROW)
			len = CIM_CONT_LARGEST_GROW;
		status = take_some(c, &len, &place, &dirty, os_error);
		if (status)
			return status;
		status = add_extent(c, node, place, len);
		if (status)
			cim_cont_give_room(c, place, len, dirty);
		else if (dirty)
			node->dirty = node->reach;
	}
	return status;
}

/* ---- writing ---- */

/* Into extents that are there; NULL: zeros. */
static enum cim_status write_covered(struct cim_container *c, struct cim_cont_node *node,
				     uint64_t offset, const uint8_t *buf, uint64_t len,
				     long *os_error)
{
	enum cim_status status = CIM_OK;

	if (node->dirty < cim_cont_whole(offset + len))
		node->dirty = cim_cont_whole(offset + len);
	while (len && !status) {
		const struct cim_extent *extent = cim_cont_extent_at(node, offset);
		const uint64_t skip = offset - extent->at, left = extent->len - skip;
		const uint64_t part = len < left ? len : left;

		/* Nobody writes into what was skipped once. */
		if (!extent->place)
			return CIM_E_UNSUPPORTED;
		if (buf)
			status = cim_cont_put_bytes(c, extent->place + skip, buf, (size_t)part,
						    os_error);
		else
			status = cim_cont_write_zeros(c, extent->place + skip, part, os_error);
		buf = buf ? buf + part : NULL;
		offset += part;
		len -= part;
	}
	if (!status && offset > node->written)
		node->written = offset;
	return status;
}

/* Zeros from what is written up to @end. */
static enum cim_status write_gap(struct cim_container *c, struct cim_cont_node *node, uint64_t end,
				 long *os_error)
{
	enum cim_status status;

	if (end <= node->written)
		return CIM_OK;
	status = cover(c, node, end, os_error);
	if (status)
		return status;
	return write_covered(c, node, node->written, NULL, end - node->written, os_error);
}

/* The rest of the last block that was written. */
static enum cim_status fill_block(struct cim_container *c, struct cim_cont_node *node,
				  long *os_error)
{
	return write_gap(c, node, cim_cont_whole(node->written), os_error);
}

/* Something is to be written at @offset, and so far nothing from @node->written on. */
static enum cim_status skip_to(struct cim_container *c, struct cim_cont_node *node, uint64_t offset,
			       long *os_error)
{
	const uint64_t from = cim_cont_whole(node->written), to = block_down(offset);
	enum cim_status status;

	if (to > from && to - from >= HOLE_BLOCKS * CIM_CONT_BLOCK) {
		status = fill_block(c, node, os_error);
		if (status)
			return status;
		cut_extents(c, node, from);
		status = add_extent(c, node, 0, to - from);
		if (status)
			return status;
		node->written = to;
	}
	return write_gap(c, node, offset, os_error);
}

enum cim_status cim_cont_write(struct cim_container *c, struct cim_cont_node *node, uint64_t offset,
			       const void *buf, size_t len, long *os_error)
{
	enum cim_status status;

	*os_error = 0;
	if (offset > INT64_MAX - CIM_CONT_LARGEST_GROW ||
	    len > INT64_MAX - CIM_CONT_LARGEST_GROW - offset)
		return CIM_E_TOO_LARGE;
	if (!len)
		return CIM_OK;
	status = skip_to(c, node, offset, os_error);
	if (!status)
		status = cover(c, node, offset + len, os_error);
	if (!status)
		status = write_covered(c, node, offset, buf, len, os_error);
	if (!status && offset + len > node->size)
		node->size = offset + len;
	return status;
}

enum cim_status cim_cont_truncate(struct cim_container *c, struct cim_cont_node *node,
				  uint64_t size, long *os_error)
{
	const struct cim_extent *extent;

	*os_error = 0;
	if (size > INT64_MAX)
		return CIM_E_TOO_LARGE;
	if (size < node->size) {
		cut_extents(c, node, cim_cont_whole(size));
		/* Of a block of a hole nothing can be written. */
		extent = cim_cont_extent_at(node, size);
		if (extent && !extent->place)
			cut_extents(c, node, block_down(size));
		if (node->written > size)
			node->written = size;
		if (node->written > node->reach)
			node->written = node->reach;
	}
	node->size = size;
	return CIM_OK;
}

enum cim_status cim_cont_settle(struct cim_container *c, struct cim_cont_node *node, long *os_error)
{
	const uint64_t written = node->written;
	enum cim_status status = fill_block(c, node, os_error);

	/* What is filled in is behind the file's end, or will be written once more. */
	node->written = written;
	if (!status)
		cut_extents(c, node, cim_cont_whole(written));
	return status;
}
