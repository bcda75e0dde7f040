/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkreport.c - what all parts of the checker stand on: reports, places, the path, tables met
 *
 * Directories may share a link table (two that hold the same hard links look the same), and an
 * image could make a million directories share one with a million names. So tables of more than a
 * KiB are remembered by their offset, and gone through once.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

#define PROGRESS_STEP 256u

/* Tables up to here may be gone through again and again: that costs little. */
#define SMALL_TABLE 1024u

/* ---- reporting ---- */

void cim_check_no_memory(struct cim_check *c)
{
	if (!c->status)
		c->status = cim_no_memory(c->err);
}

void cim_check_report(struct cim_check *c, enum cim_severity severity, const char *structure,
		      uint64_t offset, const char *message, ...)
{
	struct cim_finding finding = {
		.severity = severity,
		.structure = structure,
		.offset = offset,
		.path = c->path.text ? c->path.text : "",
	};
	char text[768];
	va_list args;

	if (c->status)
		return;
	va_start(args, message);
	vsnprintf(text, sizeof(text), message, args);
	va_end(args);
	finding.message = text;
	if (severity == CIM_ERROR) {
		c->result.errors++;
		c->faults++;
	}
	if (c->found && c->found(c->ctx, &finding))
		c->status = cim_fail(c->err, CIM_E_ABORTED, "stopped by the caller");
}

bool cim_check_ok(struct cim_check *c, enum cim_status status)
{
	if (c->status)
		return false;
	if (!status)
		return true;
	if (status != CIM_E_CORRUPT && status != CIM_E_VERSION) {
		c->status = status;
		if (c->err)
			*c->err = c->why;
	}
	return false;
}

bool cim_check_try(struct cim_check *c, enum cim_status status, const char *structure,
		   uint64_t offset, const char *what)
{
	if (cim_check_ok(c, status))
		return true;
	if (status)
		cim_check_report(c, CIM_ERROR, structure, offset, "%s: %s", what, c->why.cause);
	return false;
}

void cim_check_tick(struct cim_check *c)
{
	const struct cim_env *env = &c->image->env;
	struct cim_progress progress = {.phase = CIM_PHASE_VERIFY, .done = ++c->done};

	if (c->status || !env->progress || c->done % PROGRESS_STEP)
		return;
	if (env->progress(env->progress_ctx, &progress))
		c->status = cim_fail(c->err, CIM_E_ABORTED, "stopped by the caller");
}

/* ---- places ---- */

bool cim_check_read(struct cim_check *c, const char *structure, uint64_t offset, uint64_t skip,
		    void *buf, size_t len)
{
	enum cim_status status;

	if (c->status)
		return false;
	status = cim_image_read_object(c->image, offset, skip, buf, len, &c->why);
	return cim_check_try(c, status, structure, offset, "it can't be read");
}

bool cim_check_place(struct cim_check *c, const char *structure, uint64_t offset, uint64_t len,
		     bool metadata)
{
	const uint64_t byte = cim_region_byte(offset);
	const char *kind = metadata ? "metadata" : "file data";
	enum cim_region_type type;
	uint64_t align = CIM_ALIGN_METADATA;
	enum cim_status status;

	if (c->status)
		return false;
	if (cim_region_index(offset) >= c->image->info.region_count) {
		cim_check_report(c, CIM_ERROR, structure, offset,
				 "its offset names region %u, but the image has %u",
				 (unsigned)cim_region_index(offset),
				 (unsigned)c->image->info.region_count);
		return false;
	}
	status = cim_image_check_range(c->image, offset, 0, len, &c->why);
	type = c->region_types[cim_region_index(offset)];
	if (type == CIM_REGION_TYPES) {
		if (cim_check_ok(c, status))
			return true;
		c->lost[cim_region_index(offset)]++;
		c->faults++;
		return false;
	}
	if (!cim_check_try(c, status, structure, offset, "it doesn't lie within its region file"))
		return false;
	if (metadata != (type == CIM_REGION_METADATA))
		cim_check_report(c, CIM_WARNING, structure, offset, "%s in a %s region", kind,
				 type == CIM_REGION_METADATA ? "metadata"
				 : type == CIM_REGION_DATA   ? "data"
							     : "small data");
	else if (type == CIM_REGION_DATA)
		align = CIM_ALIGN_DATA;
	if (byte % align)
		cim_check_report(c, CIM_WARNING, structure, offset,
				 "not aligned: offset %llu isn't a multiple of %llu",
				 (unsigned long long)byte, (unsigned long long)align);
	return true;
}

/* ---- the path ---- */

size_t cim_check_push(struct cim_check *c, char separator, const uint16_t *name, size_t units)
{
	const size_t len = c->path.len;
	const bool root = len == 1 && separator == '/'; /* it is "/" already */
	char text[3 * CIM_MAX_NAME + 1];
	const size_t size = cim_utf8_from_utf16(name, units, text, sizeof(text));

	assert(size < sizeof(text));
	if (!cim_path_buf_set(&c->image->env, &c->path, len, len && !root ? separator : 0, text,
			      size))
		cim_check_no_memory(c);
	return len;
}

void cim_check_pop(struct cim_check *c, size_t len)
{
	if (!c->path.text)
		return;
	c->path.len = len;
	c->path.text[len] = '\0';
}

/* ---- tables that several may share ---- */

static struct cim_shared_table *find_table(struct cim_check *c, uint64_t offset)
{
	const uint32_t key = cim_hash_table_key(&c->table_map, &offset, sizeof(offset));
	size_t cursor = 0;
	uint32_t i;

	while (cim_hash_table_next(&c->table_map, key, &cursor, &i))
		if (c->tables[i].offset == offset)
			return &c->tables[i];
	return NULL;
}

static bool add_table(struct cim_check *c, uint64_t offset)
{
	if (!cim_grow(&c->image->env, (void **)&c->tables, &c->tables_room, c->table_map.count,
		      sizeof(*c->tables)) ||
	    !cim_hash_table_reserve(&c->table_map)) {
		cim_check_no_memory(c);
		return false;
	}
	c->tables[c->table_map.count] = (struct cim_shared_table){.offset = offset};
	cim_hash_table_add(&c->table_map,
			   cim_hash_table_key(&c->table_map, &offset, sizeof(offset)),
			   (uint32_t)c->table_map.count);
	return true;
}

bool cim_check_table_once(struct cim_check *c, uint64_t offset, uint32_t length, bool *directories)
{
	const struct cim_shared_table *table;

	if (directories)
		*directories = false;
	if (length <= SMALL_TABLE)
		return true;
	table = find_table(c, offset);
	if (!table)
		return add_table(c, offset);
	if (directories)
		*directories = table->directories;
	return false;
}

void cim_check_note_directory(struct cim_check *c, const struct cim_link_table *table)
{
	struct cim_shared_table *shared = find_table(c, table->offset);

	if (shared)
		shared->directories = true;
}
