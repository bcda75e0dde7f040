/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contread.c - finding the state of a container that stands
 *
 * The header says that the file is a container. Of the two commit records the one with the higher
 * sequence counts whose digest holds, and that of its table: one whose write was torn leaves the
 * other. What it says is checked before it is used, for the digests only tell that somebody meant
 * it: the table lies behind the records and before the end, the end in the file. Of a sealed
 * container the header says where the seal is; then all is read once more, the header too, by it.
 */
#include "container.h"
#include "bytes.h"
#include "error.h"
#include "io.h"
#include "mem.h"

#include <string.h>

static enum cim_status check_header(struct cim_container *c, struct cim_error *err)
{
	const uint8_t *bytes = c->header;
	enum cim_status status = cim_cont_read_all(c, 0, c->header, sizeof(c->header), err);

	if (status)
		return status;
	if (!cim_cont_is_magic(bytes, sizeof(c->header)))
		return cim_fail(err, CIM_E_CORRUPT, "it is no container");
	if (!cim_cont_has_digest(bytes, CIM_OFF(cont_header, digest),
				 bytes + CIM_OFF(cont_header, digest)))
		return cim_fail(err, CIM_E_CORRUPT,
				"the container's header doesn't match its digest");
	if (cim_get32(bytes + CIM_OFF(cont_header, major)) != CIM_CONT_MAJOR)
		return cim_fail(err, CIM_E_VERSION, "the container is of version %u.%u",
				(unsigned)cim_get32(bytes + CIM_OFF(cont_header, major)),
				(unsigned)cim_get32(bytes + CIM_OFF(cont_header, minor)));
	if (cim_get32(bytes + CIM_OFF(cont_header, length)) != CIM_CONT_BLOCK ||
	    cim_get32(bytes + CIM_OFF(cont_header, block_size)) != CIM_CONT_BLOCK)
		return cim_fail(err, CIM_E_CORRUPT,
				"the container's header or blocks aren't of %u bytes",
				CIM_CONT_BLOCK);
	c->flags = cim_get32(bytes + CIM_OFF(cont_header, flags));
	c->sealed_blocks = cim_get64(bytes + CIM_OFF(cont_header, blocks));
	if (c->writes && (c->flags & CIM_CONT_SEALED))
		return cim_fail(err, CIM_E_ACCESS, "the container is sealed");
	if ((c->flags & CIM_CONT_SEALED) &&
	    (c->sealed_blocks > INT64_MAX / CIM_CONT_BLOCK ||
	     cim_get64(bytes + CIM_OFF(cont_header, verity)) != c->sealed_blocks * CIM_CONT_BLOCK))
		return cim_fail(err, CIM_E_CORRUPT, "the seal of %llu blocks isn't behind them",
				(unsigned long long)c->sealed_blocks);
	return CIM_OK;
}

/* A sealed container's is read again, by the seal; what it says of that must be what was used. */
static enum cim_status read_header(struct cim_container *c, uint64_t size, const uint8_t *root,
				   struct cim_error *err)
{
	uint64_t blocks;
	enum cim_status status = check_header(c, err);

	if (status)
		return status;
	if (!(c->flags & CIM_CONT_SEALED))
		return root ? cim_fail(err, CIM_E_CORRUPT, "the container isn't sealed") : CIM_OK;
	blocks = c->sealed_blocks;
	status = cim_cont_open_seal(c, size, root, err);
	if (!status)
		status = check_header(c, err);
	if (!status && (!(c->flags & CIM_CONT_SEALED) || c->sealed_blocks != blocks))
		status = cim_fail(err, CIM_E_CORRUPT, "the container's header has changed");
	return status;
}

/* Read the table of a record. *good: it is there, with its digest. */
static enum cim_status read_table(struct cim_container *c, const struct cim_cont_record *record,
				  uint64_t size, bool *good, struct cim_error *err)
{
	const uint64_t length = record->length;
	enum cim_status status;

	*good = false;
	if (length < CIM_SIZE(cont_table) || length > CIM_CONT_MAX_TABLE ||
	    !cim_in_range(record->table, length, size))
		return CIM_OK;
	c->table = cim_alloc(&c->env, (size_t)length);
	if (!c->table)
		return cim_no_memory(err);
	status = cim_cont_read_all(c, record->table, c->table, (size_t)length, err);
	*good = !status && cim_cont_has_digest(c->table, (size_t)length, record->table_digest);
	c->table_size = (size_t)length;
	if (*good)
		return CIM_OK;
	cim_free(&c->env, c->table);
	c->table = NULL;
	return status;
}

static enum cim_status read_records(struct cim_container *c, struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	for (unsigned i = 0; i < CIM_CONT_RECORDS && !status; i++)
		status = cim_cont_read_all(c, (1 + i) * (uint64_t)CIM_CONT_BLOCK, c->records[i],
					   sizeof(c->records[i]), err);
	return status;
}

/* The newest record whose digests hold. */
static enum cim_status choose_record(struct cim_container *c, uint64_t size, struct cim_error *err)
{
	/* A table behind the seal was torn when the container was sealed, whatever is there now. */
	const uint64_t end = c->verity ? c->sealed_blocks * CIM_CONT_BLOCK : size;
	struct cim_cont_record records[CIM_CONT_RECORDS];
	bool good[CIM_CONT_RECORDS];
	unsigned newer;
	enum cim_status status;

	for (unsigned i = 0; i < CIM_CONT_RECORDS; i++)
		good[i] = cim_cont_record_decode(c->records[i], &records[i]);
	newer = !good[0] || (good[1] && records[1].sequence > records[0].sequence);
	for (unsigned turn = 0; turn < CIM_CONT_RECORDS; turn++) {
		const unsigned i = turn ? !newer : newer;
		bool whole = false;

		status = good[i] ? read_table(c, &records[i], end, &whole, err) : CIM_OK;
		if (status)
			return status;
		if (!whole)
			continue;
		c->slot = i;
		c->now = records[i];
		return CIM_OK;
	}
	return cim_fail(err, CIM_E_CORRUPT, "neither of the container's two commit records holds");
}

/* The digests hold, so somebody meant it: what is wrong now is no torn write. */
static enum cim_status check_record(const struct cim_container *c, uint64_t size,
				    struct cim_error *err)
{
	const struct cim_cont_record *record = &c->now;
	const uint64_t room = cim_cont_whole(record->length);

	if (record->end % CIM_CONT_BLOCK || record->end < CIM_CONT_FIRST)
		return cim_fail(err, CIM_E_CORRUPT, "the container can't end at offset %llu",
				(unsigned long long)record->end);
	if (record->end > size)
		return cim_fail(err, CIM_E_CORRUPT,
				"the container is cut short: %llu bytes of %llu",
				(unsigned long long)size, (unsigned long long)record->end);
	if ((c->flags & CIM_CONT_SEALED) && record->end / CIM_CONT_BLOCK != c->sealed_blocks)
		return cim_fail(err, CIM_E_CORRUPT,
				"the seal is of %llu bytes, but the container ends at %llu",
				(unsigned long long)(c->sealed_blocks * CIM_CONT_BLOCK),
				(unsigned long long)record->end);
	if (record->table % CIM_CONT_BLOCK || record->table < CIM_CONT_FIRST ||
	    !cim_in_range(record->table, room, record->end))
		return cim_fail(err, CIM_E_CORRUPT,
				"the container's table can't be at offset %llu, of %llu bytes",
				(unsigned long long)record->table,
				(unsigned long long)record->length);
	return CIM_OK;
}

enum cim_status cim_cont_load(struct cim_container *c, const uint8_t *root, struct cim_error *err)
{
	uint64_t size;
	enum cim_status status = cim_io_size(&c->env, c->file, c->name, &size, err);

	if (!status)
		status = read_header(c, size, root, err);
	if (!status)
		status = read_records(c, err);
	if (!status)
		status = choose_record(c, size, err);
	if (!status)
		status = check_record(c, size, err);
	if (!status)
		status = cim_cont_take_table(c, err);
	if (status)
		return status;
	c->device_size = c->device ? size : 0;
	c->next = c->now.end;
	return CIM_OK;
}
