/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkreport.c - what all parts of the checker stand on: reports, places, the path, what was met
 *
 * Items share structures (descriptors above all), and an image could make a million directories
 * share one table with a million names. So what has a length of its own is remembered by its place
 * and gone through once; and as such structures could overlap each other, each costs what it has
 * out of a budget (budget.h).
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

#define PROGRESS_STEP 256u

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

/* In a region file that is no good as a whole? */
static bool is_lost(const struct cim_check *c, uint64_t offset)
{
	return cim_region_index(offset) < c->image->info.region_count &&
	       c->region_types[cim_region_index(offset)] == CIM_REGION_TYPES;
}

static void count_lost(struct cim_check *c, uint64_t offset)
{
	c->lost[cim_region_index(offset)]++;
	c->faults++;
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
	if (is_lost(c, offset)) {
		if (cim_check_ok(c, status))
			return true;
		count_lost(c, offset);
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

/* ---- what several may share ---- */

/* The number of something at a place among all that was met. */
static bool find(struct cim_check *c, enum cim_check_kind kind, uint64_t offset, uint64_t detail,
		 uint16_t base, uint32_t *number, bool *again)
{
	const struct cim_place place = cim_find(1u + kind, offset, detail, base);

	if (c->status)
		return false;
	c->status = cim_budget_find(c->budget, &place, number, again, c->err);
	return !c->status;
}

bool cim_check_first(struct cim_check *c, enum cim_check_kind kind, const char *structure,
		     uint64_t offset, uint64_t detail, uint16_t base, uint32_t *number)
{
	bool again;

	if (!find(c, kind, offset, detail, base, number, &again))
		return false;
	if (!again || !cim_idset_has(&c->wrong, *number))
		return !again;
	if (is_lost(c, offset))
		count_lost(c, offset);
	else
		cim_check_report(c, CIM_ERROR, structure, offset,
				 "it is that of another item, for which what is wrong is reported");
	return false;
}

void cim_check_judge(struct cim_check *c, uint32_t number, uint64_t faults)
{
	bool again;

	if (c->faults != faults && cim_idset_add(&c->wrong, number, &again, NULL))
		cim_check_no_memory(c);
}

bool cim_check_spend(struct cim_check *c, const char *structure, uint64_t offset, uint64_t bytes)
{
	const bool over = c->budget->over;

	if (cim_budget_take(c->budget, offset, bytes))
		return !c->status;
	if (!over)
		cim_check_report(c, CIM_ERROR, structure, offset,
				 "what leads here and elsewhere overlaps: checking all of it would "
				 "take out of proportion to the image's size, and the rest isn't");
	return false;
}

bool cim_check_table_first(struct cim_check *c, const struct cim_link_table *table,
			   const char *structure, bool *directories, uint32_t *number)
{
	const bool first = cim_check_first(c, CIM_CHECK_TABLE, structure, table->offset,
					   table->length, table->base, number);

	*directories = !first && !c->status && cim_idset_has(&c->parents, *number);
	return first;
}

void cim_check_note_directory(struct cim_check *c, const struct cim_link_table *table)
{
	uint32_t number;
	bool again;

	if (find(c, CIM_CHECK_TABLE, table->offset, table->length, table->base, &number, &again) &&
	    cim_idset_add(&c->parents, number, &again, NULL))
		cim_check_no_memory(c);
}
