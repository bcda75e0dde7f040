/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contfile.c - the bytes of a container's open files: calls of struct cim_vfs
 *
 * A read goes from extent to extent; holes, what lies behind the extents, and what a session has
 * not written yet are zeros. Who wants to have the bytes without a copy is told where in the
 * container's file an extent's are.
 */
#include "container.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

static enum cim_status refuse(long *os_error)
{
	*os_error = 0;
	return CIM_E_ACCESS;
}

/* Of a container that somebody has cut short, only so much of a file is there. */
static uint64_t size_within(const struct cim_cont_node *node, uint64_t end)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct cim_extent *extent = &node->extents[i];

		if (extent->place && extent->place + extent->len > end)
			return extent->at < node->size ? extent->at : node->size;
	}
	return node->size;
}

enum cim_status cim_cont_file_size(void *ctx, cim_vfs_file *file, uint64_t *size, long *os_error)
{
	const struct cim_cont_file *inner = cim_cont_file_of(file);
	const struct cim_container *c = inner->c;
	uint64_t end;
	enum cim_status status;

	(void)ctx;
	*size = inner->node->size;
	*os_error = 0;
	if (inner->node->own)
		return CIM_OK;
	status = c->below.size(c->below.ctx, c->file, &end, os_error);
	if (!status && end < c->now.end)
		*size = size_within(inner->node, end);
	return status;
}

/* What one extent, or one hole, has of [offset, offset + *len); 0: nothing but zeros. */
static uint64_t place_of(const struct cim_cont_node *node, uint64_t offset, uint64_t *len)
{
	const struct cim_extent *extent = cim_cont_extent_at(node, offset);
	uint64_t left, skip;

	if (!extent || offset >= node->written)
		return 0;
	skip = offset - extent->at;
	left = extent->len - skip;
	if (left > node->written - offset)
		left = node->written - offset;
	if (*len > left)
		*len = left;
	return extent->place ? extent->place + skip : 0;
}

/* *len: of how many bytes, and then how many there were. */
static enum cim_status read_place(struct cim_container *c, uint64_t place, void *buf, size_t *len,
				  long *os_error)
{
	struct cim_error why;
	enum cim_status status;

	if (!c->verity)
		return c->below.pread(c->below.ctx, c->file, place, buf, *len, len, os_error);
	status = cim_cont_read(c, place, buf, *len, len, &why);
	if (status)
		*os_error = why.os_error;
	return status;
}

enum cim_status cim_cont_file_pread(void *ctx, cim_vfs_file *file, uint64_t offset, void *buf,
				    size_t len, size_t *got, long *os_error)
{
	const struct cim_cont_node *node = cim_cont_file_of(file)->node;
	struct cim_container *c = cim_cont_file_of(file)->c;
	uint8_t *to = buf;
	enum cim_status status = CIM_OK;

	(void)ctx;
	*got = 0;
	*os_error = 0;
	if (offset >= node->size)
		return CIM_OK;
	if (len > node->size - offset)
		len = (size_t)(node->size - offset);
	while (*got < len) {
		uint64_t part = len - *got;
		const uint64_t place = place_of(node, offset + *got, &part);
		size_t n = (size_t)part;

		if (place)
			status = read_place(c, place, to + *got, &n, os_error);
		else
			memset(to + *got, 0, n);
		if (status)
			return status;
		*got += n;
		if (n < part) /* somebody has cut the container short */
			break;
	}
	return CIM_OK;
}

/* Read it once more, for somebody who has the room for words. */
bool cim_cont_file_corrupt_text(void *ctx, cim_vfs_file *file, uint64_t offset, size_t len,
				char *buf, size_t size)
{
	struct cim_cont_file *inner = cim_cont_file_of(file);
	struct cim_error why = {0};
	uint64_t part;
	size_t got;
	uint8_t byte;

	(void)ctx;
	if (offset >= inner->node->size)
		return false;
	if (len > inner->node->size - offset)
		len = (size_t)(inner->node->size - offset);
	for (uint64_t end = offset + len; offset < end && !why.status; offset += part) {
		uint64_t place;

		part = end - offset;
		place = place_of(inner->node, offset, &part);
		/* One byte of each block will do. */
		if (place && part > CIM_CONT_BLOCK - place % CIM_CONT_BLOCK)
			part = CIM_CONT_BLOCK - place % CIM_CONT_BLOCK;
		if (place)
			cim_cont_read(inner->c, place, &byte, 1, &got, &why);
	}
	if (why.status)
		snprintf(buf, size, "%s", why.cause);
	return why.status != CIM_OK;
}

enum cim_status cim_cont_file_pwrite(void *ctx, cim_vfs_file *file, uint64_t offset,
				     const void *buf, size_t len, long *os_error)
{
	struct cim_cont_file *inner = cim_cont_file_of(file);

	(void)ctx;
	if (!inner->writes || !inner->node->own)
		return refuse(os_error);
	return cim_cont_write(inner->c, inner->node, offset, buf, len, os_error);
}

enum cim_status cim_cont_file_truncate(void *ctx, cim_vfs_file *file, uint64_t size, long *os_error)
{
	struct cim_cont_file *inner = cim_cont_file_of(file);

	(void)ctx;
	if (!inner->writes || !inner->node->own)
		return refuse(os_error);
	return cim_cont_truncate(inner->c, inner->node, size, os_error);
}

/* A commit syncs all of the container. What is synced is whole, so its room to spare is given back,
 * to those that are written next. */
enum cim_status cim_cont_file_sync(void *ctx, cim_vfs_file *file, long *os_error)
{
	struct cim_cont_file *inner = cim_cont_file_of(file);

	(void)ctx;
	*os_error = 0;
	return inner->writes && inner->node->own ? cim_cont_settle(inner->c, inner->node, os_error)
						 : CIM_OK;
}

intptr_t cim_cont_file_map(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len,
			   uint64_t *place)
{
	const struct cim_cont_file *inner = cim_cont_file_of(file);
	const struct cim_container *c = inner->c;
	const bool wants_handle = !*len;
	const uint64_t at = wants_handle ? 0 : place_of(inner->node, offset, len);

	(void)ctx;
	*place = 0;
	if (wants_handle && c->below.map)
		return c->below.map(c->below.ctx, c->file, 0, len, place);
	/* Who reads what is sealed by himself doesn't know whether it still is what was sealed. */
	return at && c->below.map && !c->verity
		       ? c->below.map(c->below.ctx, c->file, at, len, place)
		       : -1;
}

/* A piece of the container's own file, in which there are no bytes. */
struct hole {
	uint64_t from, to;
};

/* Where data begin in an extent, from *at of the file on, or the extent's end. Its part of the
 * container may be a hole itself, but what is sealed tells only when it is read. */
static enum cim_status data_in_extent(const struct cim_container *c,
				      const struct cim_extent *extent, uint64_t *at,
				      struct hole *known, long *os_error)
{
	const uint64_t place = extent->place + (*at - extent->at);
	enum cim_status status = CIM_OK;

	if (!c->below.next_data || c->verity)
		return CIM_OK;
	if (place < known->from || place >= known->to) {
		*known = (struct hole){place, place};
		status = c->below.next_data(c->below.ctx, c->file, place, &known->to, os_error);
	}
	*at = known->to < extent->place + extent->len ? extent->at + (known->to - extent->place)
						      : extent->at + extent->len;
	return status;
}

enum cim_status cim_cont_file_next_data(void *ctx, cim_vfs_file *file, uint64_t offset,
					uint64_t *data, long *os_error)
{
	const struct cim_cont_file *inner = cim_cont_file_of(file);
	const struct cim_cont_node *node = inner->node;
	const struct cim_extent *extent = cim_cont_extent_at(node, offset);
	const struct cim_extent *end = node->extents + node->count;
	struct hole known = {0};

	(void)ctx;
	*os_error = 0;
	*data = offset > node->size ? offset : node->size;
	for (; extent && extent < end && offset < node->size; extent++) {
		uint64_t at = extent->at > offset ? extent->at : offset;
		const enum cim_status status = extent->place ? data_in_extent(inner->c, extent, &at,
									      &known, os_error)
							     : CIM_OK;

		if (status)
			return status;
		if (!extent->place || at == extent->at + extent->len)
			continue;
		*data = at < *data ? at : *data;
		return CIM_OK;
	}
	return CIM_OK;
}
