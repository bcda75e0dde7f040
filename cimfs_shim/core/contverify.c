/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contverify.c - reading a sealed container: no byte is used that isn't as it was sealed
 *
 * All reads of a sealed container come through here. Whole blocks are read into memory that nobody
 * else has, checked there by the tree, and only then copied to whoever asked. So what somebody
 * writes to the file between the check and the use is never seen, and one block that isn't the
 * sealed one costs just the reads that need it.
 */
#include "bytes.h"
#include "container.h"
#include "error.h"
#include "io.h"
#include "mem.h"

#include <string.h>

/* So many blocks are read at a time. */
#define READ_BLOCKS 32u

/* ---- the seal ---- */

/* For the tree's blocks, which cim_verity_check() checks itself. */
static enum cim_status read_unchecked(void *ctx, uint64_t offset, void *buf, size_t len,
				      struct cim_error *err)
{
	struct cim_container *c = ctx;
	size_t got;
	enum cim_status status = cim_io_read(&c->env, c->file, c->name, offset, buf, len, &got,
					     err);

	if (!status && got != len)
		status = cim_fail(err, CIM_E_CORRUPT, "the container is cut short");
	return status;
}

enum cim_status cim_cont_open_seal(struct cim_container *c, uint64_t size, const uint8_t *root,
				   struct cim_error *err)
{
	const struct cim_verity_file file = {.ctx = c, .read = read_unchecked};
	const uint64_t blocks = c->sealed_blocks;
	struct cim_verity_shape shape;

	if (!cim_verity_shape(&shape, blocks))
		return cim_fail(err, CIM_E_CORRUPT, "there is no seal of %llu blocks",
				(unsigned long long)blocks);
	if (c->device && size / CIM_CONT_BLOCK == blocks) {
		if (root)
			return cim_fail(err, CIM_E_CORRUPT, "the container's seal isn't here");
		return CIM_OK;
	}
	if (size / CIM_CONT_BLOCK < shape.end)
		return cim_fail(
			err, CIM_E_CORRUPT, "the container's seal is cut short: %llu bytes of %llu",
			(unsigned long long)size, (unsigned long long)(shape.end * CIM_CONT_BLOCK));
	return cim_verity_open(&c->env, &shape, &file, root, &c->verity, err);
}

/* ---- reading ---- */

/* Read blocks and check them. */
static enum cim_status read_blocks(struct cim_container *c, uint64_t first, size_t count,
				   uint8_t *bytes, struct cim_error *err)
{
	enum cim_status status = read_unchecked(c, first * CIM_CONT_BLOCK, bytes,
						count * CIM_CONT_BLOCK, err);

	for (size_t i = 0; i < count && !status; i++)
		status = cim_verity_check(c->verity, first + i, bytes + i * CIM_CONT_BLOCK, err);
	return status;
}

enum cim_status cim_cont_read(struct cim_container *c, uint64_t place, void *buf, size_t len,
			      size_t *got, struct cim_error *err)
{
	const size_t skip = place % CIM_CONT_BLOCK;
	uint64_t block = place / CIM_CONT_BLOCK, left;
	uint8_t *bytes;
	enum cim_status status = CIM_OK;

	if (!c->verity)
		return cim_io_read(&c->env, c->file, c->name, place, buf, len, got, err);
	*got = 0;
	left = cim_cont_whole(skip + (uint64_t)len) / CIM_CONT_BLOCK;
	bytes = cim_alloc(&c->env,
			  (left < READ_BLOCKS ? (size_t)left : READ_BLOCKS) * CIM_CONT_BLOCK);
	if (!bytes)
		return cim_no_memory(err);
	while (left && !status) {
		const size_t count = left < READ_BLOCKS ? (size_t)left : READ_BLOCKS;
		const size_t from = *got ? 0 : skip;
		size_t part = count * CIM_CONT_BLOCK - from;

		if (part > len - *got)
			part = len - *got;
		status = read_blocks(c, block, count, bytes, err);
		if (status)
			break;
		memcpy((uint8_t *)buf + *got, bytes + from, part);
		*got += part;
		block += count;
		left -= count;
	}
	cim_free(&c->env, bytes);
	return status;
}

enum cim_status cim_cont_read_all(struct cim_container *c, uint64_t place, void *buf, size_t len,
				  struct cim_error *err)
{
	size_t got;
	enum cim_status status = cim_cont_read(c, place, buf, len, &got, err);

	if (!status && got != len)
		status = cim_fail(err, CIM_E_CORRUPT, "the container is cut short");
	return status;
}
