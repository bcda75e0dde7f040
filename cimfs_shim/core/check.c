/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c - is an image sound? The filesystem object, the upcase table and the file tables
 *
 * The check goes from the outside in: the files themselves (checkfile.c), then what finds all
 * else, the filesystem object and the tables it points to (here), then the tree from its root
 * (checktree.c, checkrec.c, checklink.c). What can't be reached from the root is counted, not
 * checked: a fork leaves the records of what it deleted.
 *
 * An image made to harm shall neither stop the check nor make it run for ever. Work and memory
 * are bounded by the bytes that the image really has: structures that several others point to are
 * checked once, and come to no more than all traversals may go through (budget.h); file tables may
 * not overlap, and where one table breaks rule after rule, the check of that table ends. Memory: a
 * bit for each FileID met, 16 bytes for each file table, some 50 for each structure, and in deep
 * mode a bit for each MiB of the region files and 8 bytes for each object ID of ours; the rest is
 * constant or goes with the depth of the tree.
 */
#include "check.h"
#include "sized.h"
#include "sort.h"

#include <string.h>

/* A shorter entry has no field of a default stream; then its files have no data, which is allowed.
 * One that ends within the times is nothing that anybody wrote on purpose. */
#define SHORTEST_ENTRY CIM_OFF(file, stream)

/* ---- the upcase table ---- */

static bool is_surrogate(unsigned unit)
{
	return unit >= 0xd800 && unit <= 0xdfff;
}

static void check_upcase_values(struct cim_check *c)
{
	static const char what[] = "upcase table";
	unsigned surrogates = 0, restless = 0, first = 0, ascii = 0;

	for (unsigned unit = 0; unit < CIM_UPCASE_ENTRIES; unit++) {
		unsigned up = c->upcase[unit];

		if (is_surrogate(unit) && up != unit)
			surrogates++;
		if (unit < 128 && up != (unit >= 'a' && unit <= 'z' ? unit - 32 : unit))
			ascii++;
		if (c->upcase[up] != up && !restless++)
			first = unit;
	}
	if (surrogates)
		cim_check_report(c, CIM_ERROR, what, c->image->upcase_offset,
				 "%u surrogates don't map to themselves", surrogates);
	if (ascii)
		cim_check_report(c, CIM_WARNING, what, c->image->upcase_offset,
				 "%u ASCII characters don't map to their upper case", ascii);
	if (restless)
		cim_check_report(c, CIM_WARNING, what, c->image->upcase_offset,
				 "%u units map to something that is no upper case itself, U+%04X "
				 "first",
				 restless, first);
}

static void check_upcase(struct cim_check *c)
{
	static const char what[] = "upcase table";
	const uint64_t offset = c->image->upcase_offset;
	enum cim_status status;

	if (!cim_check_place(c, what, offset, CIM_UPCASE_SIZE, true))
		return;
	cim_check_digest(c, what, offset, true);
	status = cim_image_upcase(c->image, &c->upcase, &c->why);
	if (cim_check_try(c, status, what, offset, "it can't be loaded"))
		check_upcase_values(c);
	else
		c->upcase = NULL;
}

/* ---- file tables ---- */

/* A structure's place, to find overlaps. */
struct extent {
	uint64_t offset;
	uint64_t size;
};

struct extents {
	struct extent *at;
	size_t count, room;
};

static void add_extent(struct cim_check *c, struct extents *extents, uint64_t offset, uint64_t size)
{
	if (!size)
		return;
	if (!cim_grow(&c->image->env, (void **)&extents->at, &extents->room, extents->count,
		      sizeof(*extents->at)))
		cim_check_no_memory(c);
	else
		extents->at[extents->count++] = (struct extent){offset, size};
}

static void check_overlaps(struct cim_check *c, struct extents *extents)
{
	const struct extent *last = extents->at;
	uint64_t overlaps = 0, where = 0;

	if (c->status || !extents->count)
		return;
	if (!cim_sort(&c->image->env, extents->at, extents->count, sizeof(*extents->at),
		      cim_compare_u64, NULL)) {
		cim_check_no_memory(c);
		return;
	}
	for (size_t i = 1; i < extents->count; i++) {
		const struct extent *extent = &extents->at[i];

		/* Each lies within its region file, so no sum leaves the 48 bits. */
		if (extent->offset < last->offset + last->size && !overlaps++)
			where = extent->offset;
		if (extent->offset + extent->size > last->offset + last->size)
			last = extent;
	}
	if (overlaps)
		cim_check_report(c, CIM_ERROR, "file table", where,
				 "%llu of the file tables, the file table directory, the upcase "
				 "table and the filesystem object overlap another of them, "
				 "this the first",
				 (unsigned long long)overlaps);
}

/* One entry of the file table directory. */
static void check_table(struct cim_check *c, uint32_t table, const uint8_t *bytes,
			struct extents *extents)
{
	static const char what[] = "file table", entry[] = "file table directory";
	const uint64_t offset = cim_get64(bytes + CIM_OFF(file_table, table));
	const uint64_t at = c->image->file_table_directory + table * CIM_SIZE(file_table);
	const unsigned count = cim_get16(bytes + CIM_OFF(file_table, count));
	const unsigned size = cim_get16(bytes + CIM_OFF(file_table, entry_size));
	const uint64_t length = (uint64_t)count * size;

	if (cim_get32(bytes + CIM_OFF(file_table, reserved)))
		cim_check_report(c, CIM_NOTE, entry, at, "reserved field of table %u is not zero",
				 (unsigned)table);
	if (!count)
		return;
	if (count > CIM_FILES_PER_TABLE) {
		cim_check_report(c, CIM_ERROR, entry, at, "table %u has %u files, more than %u",
				 (unsigned)table, count, CIM_FILES_PER_TABLE);
		return;
	}
	if (!size) {
		cim_check_report(c, CIM_ERROR, entry, at, "the entry size of table %u is 0",
				 (unsigned)table);
		return;
	}
	if (size < SHORTEST_ENTRY)
		cim_check_report(c, CIM_WARNING, entry, at,
				 "the entries of table %u have %u bytes, too short for a record",
				 (unsigned)table, size);
	if (!offset) {
		cim_check_report(c, CIM_ERROR, entry, at, "table %u has %u files but no offset",
				 (unsigned)table, count);
		return;
	}
	if (!cim_check_place(c, what, offset, length, true))
		return;
	cim_check_digest(c, what, offset, true);
	c->record_count += count;
	add_extent(c, extents, offset, length);
}

static void check_tables(struct cim_check *c, struct extents *extents)
{
	static const char what[] = "file table directory";
	const uint64_t offset = c->image->file_table_directory;
	const uint32_t tables = c->image->info.table_count; /* 1 to 2^22, or it isn't opened */
	uint8_t bytes[CIM_SIZE(file_table)];
	const uint64_t size = (uint64_t)tables * sizeof(bytes);

	if (!cim_check_place(c, what, offset, size, true))
		return;
	cim_check_digest(c, what, offset, true);
	add_extent(c, extents, offset, size);
	c->table_count = tables;
	for (uint32_t i = 0; i < tables && !c->status; i++) {
		if (!cim_check_read(c, what, offset, (uint64_t)i * sizeof(bytes), bytes,
				    sizeof(bytes)))
			break;
		check_table(c, i, bytes, extents);
		cim_check_tick(c);
	}
}

/* ---- the filesystem object ---- */

static void check_filesystem(struct cim_check *c)
{
	const uint64_t offset =
		cim_get64(c->image->header + CIM_OFF(filesystem_header, filesystem));
	struct extents extents = {0};

	if (cim_check_place(c, "filesystem object", offset, CIM_SIZE(filesystem), true)) {
		cim_check_digest(c, "filesystem object", offset, true);
		add_extent(c, &extents, offset, CIM_SIZE(filesystem));
	}
	check_upcase(c);
	if (c->upcase)
		add_extent(c, &extents, c->image->upcase_offset, CIM_UPCASE_SIZE);
	check_tables(c, &extents);
	check_overlaps(c, &extents);
	cim_free(&c->image->env, extents.at);
}

/* ---- the whole ---- */

static bool alloc_parts(struct cim_check *c)
{
	const struct cim_env *env = &c->image->env;
	const size_t regions = c->image->info.region_count;

	cim_idset_init(&c->parents, env);
	cim_idset_init(&c->wrong, env);
	cim_idset_init(&c->met, env);
	cim_hash_table_init(&c->read_map, env);
	c->buf = cim_alloc(env, CIM_CHECK_BUFFER);
	c->region_types = cim_alloc(env, regions);
	if (c->region_types)
		memset(c->region_types, CIM_REGION_TYPES, regions);
	c->undigested = CIM_CHECK_DIGESTED;
	c->lost = cim_zalloc(env, regions * sizeof(*c->lost));
	return !cim_budget_open(c->image, &c->budget, NULL) && c->buf && c->region_types && c->lost;
}

static void free_parts(struct cim_check *c)
{
	const struct cim_env *env = &c->image->env;

	cim_hash_table_free(&c->read_map);
	cim_free(env, c->read_words);
	cim_idset_free(&c->met);
	cim_idset_free(&c->parents);
	cim_idset_free(&c->wrong);
	cim_budget_close(c->budget);
	cim_free(env, c->region_types);
	cim_free(env, c->lost);
	cim_free(env, c->bad);
	cim_free(env, c->good);
	cim_free(env, c->path.text);
	cim_free(env, c->buf);
}

static enum cim_status check_flags(unsigned flags, struct cim_error *err)
{
	const unsigned either = CIM_VERIFY_CONTAINER | CIM_VERIFY_NO_CONTAINER;

	if (flags & ~(CIM_VERIFY_DEEP | either))
		return cim_fail(err, CIM_E_INVALID, "unknown flags");
	if ((flags & either) == either)
		return cim_fail(err, CIM_E_INVALID, "flags that leave nothing to check");
	return CIM_OK;
}

/* What is the image's own. */
static void check_image(struct cim_check *c)
{
	if (!c->status)
		cim_check_files(c);
	if (!c->status)
		check_filesystem(c);
	if (!c->status && c->table_count)
		cim_check_tree(c);
	if (!c->status)
		cim_check_digests_left(c);
	if (!c->status)
		cim_check_lost(c);
}

enum cim_status cim_image_verify(struct cim_image *image, unsigned flags,
				 int (*found)(void *ctx, const struct cim_finding *finding),
				 void *ctx, struct cim_verify_result *result, struct cim_error *err)
{
	static const char op[] = "verify image";
	static const struct cim_verify_result none;
	struct cim_check *c;
	enum cim_status status = CIM_BLANK_SIZED(result, &none, CIM_LEAST_VERIFY, err);

	if (CIM_ANY_NULL(err, op, image))
		return CIM_E_POINTER;
	if (status)
		return cim_error_where(err, status, op, image->path);
	status = check_flags(flags, err);
	if (status)
		return cim_error_where(err, status, op, image->path);
	c = cim_zalloc(&image->env, sizeof(*c));
	if (!c)
		return cim_error_where(err, cim_no_memory(err), op, image->path);
	c->image = image;
	c->flags = flags;
	c->found = found;
	c->ctx = ctx;
	c->err = err;
	if (!alloc_parts(c))
		cim_check_no_memory(c);
	if (!c->status)
		cim_check_container(c);
	if (!(flags & CIM_VERIFY_CONTAINER))
		check_image(c);
	status = c->status;
	if (result)
		cim_give_sized(result, &c->result, sizeof(c->result));
	free_parts(c);
	cim_free(&image->env, c);
	return cim_error_where(err, status, op, image->path);
}
