/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parentids.c - searching the parents' object ID files where they lie: objectid.h
 *
 * A fork of a large image must not read that image's object IDs whole, so each lookup is a binary
 * search in the file, through a small cache of blocks: its first steps always hit the same
 * blocks. A bounded number of files is open at a time, fewer where the system allows no more.
 * Nothing here can fail: a file that is missing, damaged or in another order simply knows no
 * objects.
 */
#include "objectid.h"
#include "io.h"
#include "names.h"
#include "reader.h"
#include "regions.h"

#include <string.h>

enum {
	BLOCK_ENTRIES = 100,
	BLOCK_SIZE = BLOCK_ENTRIES * 40,
	MIN_BLOCKS = 64,
	MAX_BLOCKS = 1024, /* 4 MB */
	BLOCKS_PER_FILE = 8,
	MAX_OPEN = 192,
	MAX_SETS = MAX_OPEN / CIM_REGION_TYPES, /* the newest parents, no others (D49) */
	MAX_CANDIDATES = 8, /* objects of one ID that are worth a comparison, in one file */
};
static_assert(BLOCK_SIZE == BLOCK_ENTRIES * CIM_SIZE(objectid), "whole entries");

enum id_file_state {
	UNTRIED = 0,
	USELESS, /* missing, damaged or empty */
	CLOSED,	 /* fine, but not open now */
	OPEN,
};

struct id_file {
	uint8_t state;
	uint8_t type; /* enum cim_region_type */
	uint32_t table_offset;
	uint32_t count;
	uint32_t set;
	uint64_t used; /* clock of the last use, to pick one to close */
	cim_vfs_file *file;
};

struct id_block {
	uint32_t region; /* 1 + region; 0: empty */
	uint32_t number;
	uint8_t bytes[BLOCK_SIZE];
};

struct cim_parent_ids {
	struct cim_image *base;
	struct id_file *files; /* by region */
	struct id_block *blocks;
	uint32_t block_count;
	uint32_t first_set; /* the oldest that is searched */
	struct id_file *opened[MAX_OPEN];
	uint32_t open, limit;
	uint64_t clock;
};

enum cim_status cim_parent_ids_open(struct cim_image *base, struct cim_parent_ids **out,
				    struct cim_error *err)
{
	const struct cim_env *env = &base->env;
	struct cim_parent_ids *ids = cim_zalloc(env, sizeof(*ids));
	uint32_t files;

	*out = NULL;
	if (!ids)
		return cim_no_memory(err);
	ids->base = base;
	ids->limit = MAX_OPEN;
	ids->files = cim_zalloc(env, base->info.region_count * sizeof(*ids->files));
	ids->first_set = base->info.set_count > MAX_SETS ? base->info.set_count - MAX_SETS : 0;
	files = base->info.region_count - base->sets[ids->first_set].first;
	ids->block_count = files < MAX_BLOCKS / BLOCKS_PER_FILE ? files * BLOCKS_PER_FILE
								: MAX_BLOCKS;
	if (ids->block_count < MIN_BLOCKS)
		ids->block_count = MIN_BLOCKS;
	ids->blocks = cim_zalloc(env, ids->block_count * sizeof(*ids->blocks));
	if (!ids->files || !ids->blocks) {
		cim_parent_ids_close(ids);
		return cim_no_memory(err);
	}
	*out = ids;
	return CIM_OK;
}

static void close_all(struct cim_parent_ids *ids)
{
	while (ids->open) {
		struct id_file *f = ids->opened[--ids->open];

		cim_io_close(&ids->base->env, f->file);
		f->state = CLOSED;
	}
}

void cim_parent_ids_close(struct cim_parent_ids *ids)
{
	if (!ids)
		return;
	close_all(ids);
	cim_free(&ids->base->env, ids->files);
	cim_free(&ids->base->env, ids->blocks);
	cim_free(&ids->base->env, ids);
}

/* Close the file whose last use is longest ago; returns its place. */
static uint32_t close_oldest(struct cim_parent_ids *ids)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < ids->open; i++)
		if (ids->opened[i]->used < ids->opened[oldest]->used)
			oldest = i;
	cim_io_close(&ids->base->env, ids->opened[oldest]->file);
	ids->opened[oldest]->state = CLOSED;
	return oldest;
}

/* Make sure that a file is open; false: it can't be opened, and knows no objects any more. */
static bool open_file(struct cim_parent_ids *ids, struct id_file *f)
{
	const struct cim_region_set *set = &ids->base->sets[f->set];
	char name[CIM_SET_FILE_NAME];
	enum cim_status status;

	f->used = ++ids->clock;
	if (f->state == OPEN)
		return true;
	cim_set_file_name(name, CIM_KIND_OBJECT_ID, &set->guid,
			  (uint32_t)(f - ids->files) - set->first);
	status = cim_open_beside(ids->base, f->set, name, &f->file, NULL);
	if (status && status != CIM_E_FILE_NOT_FOUND && status != CIM_E_PATH_NOT_FOUND &&
	    ids->open) {
		uint32_t limit = ids->open > 1 ? ids->open / 2 : 1;

		close_all(ids);
		status = cim_open_beside(ids->base, f->set, name, &f->file, NULL);
		if (!status)
			ids->limit = limit;
	}
	if (status) {
		f->state = USELESS;
		return false;
	}
	f->state = OPEN;
	ids->opened[ids->open < ids->limit ? ids->open++ : close_oldest(ids)] = f;
	return true;
}

/* Read and check the header; false: of no use. */
static bool read_header(struct cim_parent_ids *ids, struct id_file *f)
{
	const struct cim_env *env = &ids->base->env;
	uint8_t header[CIM_SIZE(objectid_header)];
	uint64_t size, bytes;
	size_t got;

	if (cim_io_read(env, f->file, "", 0, header, sizeof(header), &got, NULL) ||
	    got != sizeof(header) ||
	    cim_common_header_check(header, CIM_FILE_OBJECT_ID, "object ID file", NULL) ||
	    cim_io_size(env, f->file, "", &size, NULL))
		return false;
	f->type = header[CIM_OFF(objectid_header, type)];
	f->table_offset = cim_get32(header + CIM_OFF(objectid_header, table_offset));
	f->count = cim_get32(header + CIM_OFF(objectid_header, count));
	bytes = (uint64_t)f->count * CIM_SIZE(objectid);
	return f->type < CIM_REGION_TYPES && f->count && f->table_offset >= sizeof(header) &&
	       cim_in_range(f->table_offset, bytes, size);
}

/* Get to know a file: NULL if it is of no use. It needn't stay open. */
static struct id_file *use_file(struct cim_parent_ids *ids, uint32_t set, uint32_t index)
{
	struct id_file *f = &ids->files[ids->base->sets[set].first + index];

	if (f->state == UNTRIED) {
		f->set = set;
		if (open_file(ids, f) && !read_header(ids, f))
			f->count = 0; /* stays open for now, among those that are closed some day */
	}
	return f->state != USELESS && f->count ? f : NULL;
}

/* Entry @n of a file, NULL if it can't be read. */
static const uint8_t *entry(struct cim_parent_ids *ids, struct id_file *f, uint32_t n)
{
	uint32_t region = (uint32_t)(f - ids->files), number = n / BLOCK_ENTRIES;
	struct id_block *block = &ids->blocks[(number * 31 + region * 7919) % ids->block_count];

	if (block->region != region + 1 || block->number != number) {
		uint32_t first = number * BLOCK_ENTRIES, count = f->count - first;
		size_t len = (count < BLOCK_ENTRIES ? count : BLOCK_ENTRIES) * CIM_SIZE(objectid);
		size_t got;

		block->region = 0;
		if (!open_file(ids, f) ||
		    cim_io_read(&ids->base->env, f->file, "",
				f->table_offset + (uint64_t)first * CIM_SIZE(objectid),
				block->bytes, len, &got, NULL) ||
		    got != len)
			return NULL;
		block->region = region + 1;
		block->number = number;
	}
	return block->bytes + n % BLOCK_ENTRIES * CIM_SIZE(objectid);
}

static int compare_key(const uint8_t *entry, uint64_t length, const struct cim_digest *digest)
{
	uint64_t have = cim_get64(entry);

	if (have != length)
		return have < length ? -1 : 1;
	return memcmp(entry + CIM_OFF(objectid, digest), digest, CIM_DIGEST_SIZE);
}

/* The first entry that isn't below the key; f->count if there is none or it can't be read. */
static uint32_t lower_bound(struct cim_parent_ids *ids, struct id_file *f, uint64_t length,
			    const struct cim_digest *digest)
{
	uint32_t lo = 0, hi = f->count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const uint8_t *e = entry(ids, f, mid);

		if (!e)
			return f->count;
		if (compare_key(e, length, digest) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool find_in_file(struct cim_parent_ids *ids, struct id_file *f, uint64_t length,
			 const struct cim_digest *digest,
			 bool (*match)(void *ctx, uint64_t region_offset), void *ctx)
{
	uint64_t align = f->type == CIM_REGION_DATA ? CIM_ALIGN_DATA : CIM_ALIGN_SMALL_DATA;
	uint32_t n = lower_bound(ids, f, length, digest);

	for (uint32_t tries = 0; n < f->count && tries < MAX_CANDIDATES; n++, tries++) {
		const uint8_t *e = entry(ids, f, n);
		enum cim_region_type type;
		uint64_t offset, size;

		if (!e || compare_key(e, length, digest))
			return false;
		/* Data doesn't belong in a metadata region, whatever this file says it is for. */
		if (cim_image_region_info(ids->base, (uint32_t)(f - ids->files), &size, &type,
					  NULL) ||
		    type != f->type)
			return false;
		offset = cim_get64(e + CIM_OFF(objectid, offset));
		if (offset < CIM_SIZE(region_header) || offset > CIM_OFFSET_MASK || offset % align)
			continue;
		if (match(ctx, cim_region_offset((uint32_t)(f - ids->files), offset)))
			return true;
	}
	return false;
}

bool cim_parent_ids_find(struct cim_parent_ids *ids, uint64_t length,
			 const struct cim_digest *digest, bool metadata,
			 bool (*match)(void *ctx, uint64_t region_offset), void *ctx)
{
	for (uint32_t s = ids->base->info.set_count; s-- > ids->first_set;) {
		for (uint32_t i = 0; i < ids->base->sets[s].count; i++) {
			struct id_file *f = use_file(ids, s, i);

			if (f && (f->type == CIM_REGION_METADATA) == metadata &&
			    find_in_file(ids, f, length, digest, match, ctx))
				return true;
		}
	}
	return false;
}

bool cim_parent_ids_has_length(struct cim_parent_ids *ids, uint64_t length)
{
	static const struct cim_digest lowest;

	for (uint32_t s = ids->base->info.set_count; s-- > ids->first_set;) {
		for (uint32_t i = 0; i < ids->base->sets[s].count; i++) {
			struct id_file *f = use_file(ids, s, i);
			const uint8_t *e;
			uint32_t n;

			if (!f || f->type == CIM_REGION_METADATA)
				continue;
			n = lower_bound(ids, f, length, &lowest);
			e = n < f->count ? entry(ids, f, n) : NULL;
			if (e && cim_get64(e) == length)
				return true;
		}
	}
	return false;
}
