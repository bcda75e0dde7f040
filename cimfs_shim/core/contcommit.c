/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contcommit.c - how a container comes to be, and one state of it to follow another
 *
 * All that the new state names is written where nobody looks, synced, then the older of the two
 * commit records is written over. Until that record is on the disk the other one counts; from its
 * write on nobody can tell which, so the session counts as committed, and what fails is told by the
 * next sync_dir().
 *
 * A container is made under a private name, and gets its own once an empty state is on the disk and
 * the session's lock is taken. So nobody ever sees one that isn't whole, and a crash leaves an
 * empty container, or rubbish by its name.
 */
#include "bytes.h"
#include "container.h"
#include "error.h"
#include "io.h"
#include "mem.h"
#include "names.h"

#include <string.h>

#define EMPTY_SIZE (CIM_CONT_FIRST + CIM_CONT_BLOCK)
/* So much of a device's beginning and end must be zeros (D51). */
#define CLEAN_SIZE (1u << 20)

/* ---- making one ---- */

/* The blocks of an empty container. */
static void encode_empty(uint8_t *bytes, uint32_t flags)
{
	struct cim_cont_record record = {
		.sequence = 1,
		.table = CIM_CONT_FIRST,
		.length = CIM_SIZE(cont_table),
		.end = EMPTY_SIZE,
	};

	memset(bytes, 0, EMPTY_SIZE);
	memcpy(bytes, CIM_CONT_MAGIC, CIM_MAGIC_SIZE);
	cim_put32(bytes + CIM_OFF(cont_header, length), CIM_CONT_BLOCK);
	cim_put32(bytes + CIM_OFF(cont_header, block_size), CIM_CONT_BLOCK);
	cim_put32(bytes + CIM_OFF(cont_header, major), CIM_CONT_MAJOR);
	cim_put32(bytes + CIM_OFF(cont_header, minor), CIM_CONT_MINOR);
	cim_put32(bytes + CIM_OFF(cont_header, flags), flags);
	cim_cont_digest(bytes, CIM_OFF(cont_header, digest), bytes + CIM_OFF(cont_header, digest));
	cim_cont_digest(bytes + CIM_CONT_FIRST, CIM_SIZE(cont_table), record.table_digest);
	cim_cont_record_encode(&record, bytes + CIM_CONT_BLOCK);
}

/* A device isn't given its name when all is there: it is a container by its header, which comes
 * last.
 */
static enum cim_status write_blocks(struct cim_container *c, cim_vfs_file *file,
				    const uint8_t *bytes, struct cim_error *err)
{
	size_t size = EMPTY_SIZE;
	enum cim_status status = CIM_OK;

	if (c->device) {
		size = CIM_CONT_BLOCK;
		status = cim_io_write(&c->env, file, c->name, size, bytes + size, EMPTY_SIZE - size,
				      err);
		if (!status)
			status = cim_io_sync(&c->env, file, c->name, err);
	}
	return status ? status : cim_io_write(&c->env, file, c->name, 0, bytes, size, err);
}

/* Write the empty state to an open file, and sync it. */
static enum cim_status write_empty(struct cim_container *c, cim_vfs_file *file,
				   struct cim_error *err)
{
	uint8_t *bytes = cim_alloc(&c->env, EMPTY_SIZE);
	enum cim_status status;

	if (!bytes)
		return cim_no_memory(err);
	encode_empty(bytes, c->flags);
	memcpy(c->header, bytes, sizeof(c->header));
	for (unsigned i = 0; i < CIM_CONT_RECORDS; i++)
		memcpy(c->records[i], bytes + (1 + i) * CIM_CONT_BLOCK, sizeof(c->records[i]));
	status = write_blocks(c, file, bytes, err);
	cim_free(&c->env, bytes);
	return status ? status : cim_io_sync(&c->env, file, c->name, err);
}

static enum cim_status make_private(struct cim_container *c, const char *name,
				    struct cim_error *err)
{
	cim_vfs_file *file;
	enum cim_status status = cim_io_open(&c->env, c->dir, name, CIM_VFS_CREATE, &file, err);

	if (status)
		return status;
	status = write_empty(c, file, err);
	cim_io_close(&c->env, file);
	if (status)
		cim_io_remove(&c->env, c->dir, name, NULL);
	return status;
}

enum cim_status cim_cont_open_to_write(struct cim_container *c, const char *name, bool *unlocked,
				       struct cim_error *err)
{
	enum cim_status status;

	status = cim_io_open(&c->env, c->dir, name, CIM_VFS_WRITE_ANY, &c->file, err);
	if (status)
		return status;
	c->device = c->below.is_device && c->below.is_device(c->below.ctx, c->file);
	status = cim_io_lock(&c->env, c->file, name, CIM_LOCK_ALONE, false, err);
	if (status != CIM_E_UNSUPPORTED)
		return status;
	*unlocked = c->unlocked = true;
	return CIM_OK;
}

enum cim_status cim_cont_make_file(struct cim_container *c, bool *unlocked, struct cim_error *err)
{
	char name[CIM_SET_FILE_NAME], random[CIM_RANDOM_TEXT];
	enum cim_status status = cim_random_text(&c->env, random, err);

	if (status)
		return status;
	cim_temporary_name(name, random, CIM_KIND_IMAGE, 0);
	status = make_private(c, name, err);
	if (status)
		return status;
	status = cim_cont_open_to_write(c, name, unlocked, err);
	if (!status)
		status = cim_io_rename(&c->env, c->dir, name, c->name, CIM_VFS_NOREPLACE, err);
	c->made = !status;
	if (!status)
		return CIM_OK;
	cim_io_close(&c->env, c->file);
	c->file = NULL;
	cim_io_remove(&c->env, c->dir, name, NULL);
	return status;
}

static enum cim_status check_zeros(struct cim_container *c, uint64_t from, uint64_t to,
				   struct cim_error *err)
{
	uint8_t bytes[CIM_CONT_BLOCK];
	enum cim_status status = CIM_OK;

	for (; from < to && !status; from += sizeof(bytes)) {
		const size_t len = to - from < sizeof(bytes) ? (size_t)(to - from) : sizeof(bytes);
		size_t got;

		status = cim_io_read(&c->env, c->file, c->name, from, bytes, len, &got, err);
		if (!status && got && (bytes[0] || memcmp(bytes, bytes + 1, got - 1)))
			status = cim_fail(err, CIM_E_CORRUPT,
					  "the device holds something that is no container");
	}
	return status;
}

/* Another session may have made it before this one had the lock. */
static enum cim_status check_not_made(struct cim_container *c, struct cim_error *err)
{
	uint8_t magic[CIM_MAGIC_SIZE];
	size_t got;
	enum cim_status status = cim_io_read(&c->env, c->file, c->name, 0, magic, sizeof(magic),
					     &got, err);

	if (status || !cim_cont_is_magic(magic, got))
		return status;
	return cim_fail(err, CIM_E_EXISTS, "there is a container on the device");
}

enum cim_status cim_cont_make_on_device(struct cim_container *c, bool force, struct cim_error *err)
{
	uint64_t size;
	enum cim_status status = check_not_made(c, err);

	if (!status)
		status = cim_io_size(&c->env, c->file, c->name, &size, err);
	if (!status && size < EMPTY_SIZE)
		status = cim_fail(err, CIM_E_DISK_FULL, "the device has no room for a container");
	if (!status && !force)
		status = check_zeros(c, 0, size < CLEAN_SIZE ? size : CLEAN_SIZE, err);
	if (!status && !force)
		status = check_zeros(c, size < CLEAN_SIZE ? 0 : size - CLEAN_SIZE, size, err);
	if (status)
		return status;
	c->made = true;
	c->device_size = size;
	c->next = EMPTY_SIZE;
	return write_empty(c, c->file, err);
}

/* ---- one state after another ---- */

static enum cim_status settle_all(struct cim_container *c, long *os_error)
{
	enum cim_status status = CIM_OK;

	for (size_t i = 0; i < c->count && !status; i++) {
		struct cim_cont_node *node = c->entries[i].node;

		if (node && node->own)
			status = cim_cont_settle(c, node, os_error);
	}
	return status;
}

/* Write the table, and the rest of its last block. */
static enum cim_status write_table(struct cim_container *c, struct cim_cont_record *next,
				   const uint8_t *table, long *os_error)
{
	const uint64_t used = cim_cont_whole(next->length);
	enum cim_status status = cim_cont_take_room(c, used, &next->table, os_error);

	if (status)
		return status;
	status = cim_cont_clear_free(c, os_error);
	if (!status)
		status = c->below.pwrite(c->below.ctx, c->file, next->table, table,
					 (size_t)next->length, os_error);
	if (!status && used > next->length)
		status = cim_cont_write_zeros(c, next->table + next->length, used - next->length,
					      os_error);
	next->end = c->next;
	if (status)
		cim_cont_give_room(c, next->table, used, true);
	return status;
}

/* A container of the host's is as long as its end. */
static enum cim_status set_end(struct cim_container *c, uint64_t end, long *os_error)
{
	uint64_t size;
	enum cim_status status;

	if (c->device)
		return CIM_OK;
	status = c->below.size(c->below.ctx, c->file, &size, os_error);
	if (status || size == end)
		return status;
	return c->below.truncate(c->below.ctx, c->file, end, os_error);
}

/* All that the record will name, on the disk. */
static enum cim_status write_state(struct cim_container *c, struct cim_cont_record *next,
				   long *os_error)
{
	size_t size;
	uint8_t *table;
	enum cim_status status = settle_all(c, os_error);

	if (status)
		return status;
	table = cim_cont_make_table(c, &size);
	if (!table)
		return size > CIM_CONT_MAX_TABLE ? CIM_E_LIMIT : CIM_E_NO_MEMORY;
	next->sequence = c->now.sequence + 1;
	next->length = size;
	cim_cont_digest(table, size, next->table_digest);
	status = write_table(c, next, table, os_error);
	cim_free(&c->env, table);
	if (status)
		return status;
	status = set_end(c, next->end, os_error);
	if (!status)
		status = c->below.sync(c->below.ctx, c->file, os_error);
	if (status)
		cim_cont_give_room(c, next->table, cim_cont_whole(size), true);
	return status;
}

/* The one write that makes the new state the one that stands. */
static enum cim_status write_record(struct cim_container *c, const struct cim_cont_record *next,
				    long *os_error)
{
	uint8_t block[CIM_CONT_BLOCK] = {0};
	const unsigned slot = !c->slot;
	enum cim_status status;

	cim_cont_record_encode(next, block);
	memcpy(c->records[slot], block, sizeof(c->records[slot]));
	c->slot = slot;
	c->now = *next;
	status = c->below.pwrite(c->below.ctx, c->file, (1 + slot) * (uint64_t)CIM_CONT_BLOCK,
				 block, sizeof(block), os_error);
	if (!status)
		status = c->below.sync(c->below.ctx, c->file, os_error);
	if (!status && c->made && !c->device)
		status = c->below.sync_dir(c->below.ctx, c->dir, os_error);
	return status;
}

/* What is published is nobody's own any more. */
static void end_commit(struct cim_container *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct cim_cont_node *node = c->entries[i].node;

		if (node && !cim_cont_is_private(&c->entries[i]))
			node->own = false;
	}
	c->removed = false;
	c->committed = true;
}

enum cim_status cim_cont_commit(struct cim_container *c, long *os_error)
{
	struct cim_cont_record next = {0};
	enum cim_status status;

	*os_error = 0;
	if (c->now.sequence == UINT64_MAX)
		return CIM_E_LIMIT;
	status = cim_cont_check_unchanged(c, os_error);
	if (!status)
		status = write_state(c, &next, os_error);
	if (status)
		return status;
	c->late = write_record(c, &next, &c->late_error);
	end_commit(c);
	return CIM_OK;
}

/* ---- the end of a session ---- */

/* The container that it made. */
static void unmake(struct cim_container *c)
{
	const uint64_t last = c->device_size < CLEAN_SIZE ? 0 : c->device_size - CLEAN_SIZE;
	long ignored;
	enum cim_status status;

	if (!c->device) {
		c->below.remove(c->below.ctx, c->dir, c->name, &ignored);
		return;
	}
	/* What the next one will look at. It is still this session's, which nobody could tell once
	 * the header is gone; and without one nothing is taken for a broken container. */
	c->unlocked = false;
	status = cim_cont_write_zeros(c, 0, CIM_CONT_BLOCK, &ignored);
	if (!status)
		status = c->below.sync(c->below.ctx, c->file, &ignored);
	if (!status)
		status = cim_cont_write_zeros(c, 0, c->next < CLEAN_SIZE ? c->next : CLEAN_SIZE,
					      &ignored);
	if (!status && c->next > last)
		status = cim_cont_write_zeros(c, last, c->next - last, &ignored);
	if (!status)
		c->below.sync(c->below.ctx, c->file, &ignored);
}

bool cim_cont_has_own(const struct cim_container *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->entries[i].node && c->entries[i].node->own)
			return true;
	return false;
}

void cim_cont_end_session(struct cim_container *c)
{
	long ignored;

	if (c->removed && !cim_cont_has_own(c))
		cim_cont_commit(c, &ignored);
	/* Not what somebody has put in its place, or added to it, whom the lock doesn't bind. */
	if ((c->committed || !c->made) && c->next == c->now.end)
		return;
	if (cim_cont_check_unchanged(c, &ignored))
		return;
	if (c->made && !c->committed)
		unmake(c);
	else
		set_end(c, c->now.end, &ignored);
}
