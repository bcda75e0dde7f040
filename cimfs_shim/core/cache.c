/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache.c - blocks of metadata, kept in memory up to a bound
 *
 * A look-up reads a few bytes here and there: a record, a table's header, a name. Each would be a
 * system call. So metadata is read in blocks of 4 KiB, of which the image keeps up to 1,024; memory
 * for a block is taken when it is first used, so a small image costs little. When all are in use,
 * the clock goes round: a block that was used since the hand last passed gets another round, the
 * first one that wasn't is given up.
 *
 * A block remembers how many of its bytes the file really had, so a read that is found here needs
 * no look at the file. A block being loaded belongs to the thread that loads it and is not in the
 * hash table yet; the lock is not held meanwhile. If there is no block to be had (no memory, or
 * every one is being loaded), the bytes are read straight from the file: the cache can make
 * reading faster, never make it fail.
 */
#include "cache.h"
#include "reader.h"
#include "regions.h"

#include <string.h>

#define CIM_BLOCK_BITS	12
#define CIM_BLOCK_SIZE	(1u << CIM_BLOCK_BITS)
#define CIM_BLOCK_COUNT 1024u
#define CIM_BLOCK_HASH	2048u
#define CIM_BLOCK_LARGE (4 * CIM_BLOCK_SIZE) /* reads of more than this go past the cache */
#define CIM_BLOCK_NONE	UINT16_MAX

enum block_state {
	BLOCK_FREE,
	BLOCK_LOADING,
	BLOCK_READY, /* in the hash table */
};

struct block {
	uint64_t key;
	uint8_t *bytes; /* NULL until first used */
	uint32_t valid; /* bytes that the file has of it */
	uint16_t next;	/* of the same hash */
	uint8_t state;
	bool recent;
};

struct cim_block_cache {
	struct block blocks[CIM_BLOCK_COUNT];
	uint16_t chains[CIM_BLOCK_HASH];
	uint32_t hand;
};

struct cim_block_cache *cim_cache_new(const struct cim_env *env)
{
	struct cim_block_cache *cache = cim_zalloc(env, sizeof(*cache));

	if (!cache)
		return NULL;
	for (size_t i = 0; i < CIM_BLOCK_HASH; i++)
		cache->chains[i] = CIM_BLOCK_NONE;
	return cache;
}

void cim_cache_free(const struct cim_env *env, struct cim_block_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < CIM_BLOCK_COUNT; i++)
		cim_free(env, cache->blocks[i].bytes);
	cim_free(env, cache);
}

static uint64_t block_key(uint32_t region, uint64_t offset)
{
	return (uint64_t)region << (CIM_OFFSET_BITS - CIM_BLOCK_BITS) | offset >> CIM_BLOCK_BITS;
}

static uint16_t *block_chain(struct cim_block_cache *cache, uint64_t key)
{
	/* Spreads neighbouring blocks by the golden ratio. */
	return &cache->chains[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (CIM_BLOCK_HASH - 1)];
}

static struct block *find(struct cim_block_cache *cache, uint64_t key)
{
	uint16_t i = *block_chain(cache, key);

	while (i != CIM_BLOCK_NONE && cache->blocks[i].key != key)
		i = cache->blocks[i].next;
	return i == CIM_BLOCK_NONE ? NULL : &cache->blocks[i];
}

static void unhash(struct cim_block_cache *cache, struct block *block)
{
	uint16_t *link = block_chain(cache, block->key);

	while (&cache->blocks[*link] != block)
		link = &cache->blocks[*link].next;
	*link = block->next;
}

static void hash(struct cim_block_cache *cache, struct block *block)
{
	uint16_t *chain = block_chain(cache, block->key);

	block->next = *chain;
	*chain = (uint16_t)(block - cache->blocks);
}

/* A block to load into, out of the hash table and marked so; NULL if all are being loaded. With
 * the lock held. */
static struct block *take_block(struct cim_block_cache *cache)
{
	/* Once round to take the marks away, once more to find one without. */
	for (uint32_t turn = 0; turn < 2 * CIM_BLOCK_COUNT; turn++) {
		struct block *block = &cache->blocks[cache->hand];

		cache->hand = (cache->hand + 1) % CIM_BLOCK_COUNT;
		if (block->state == BLOCK_LOADING)
			continue;
		if (block->state == BLOCK_READY && block->recent) {
			block->recent = false;
			continue;
		}
		if (block->state == BLOCK_READY)
			unhash(cache, block);
		block->state = BLOCK_LOADING;
		return block;
	}
	return NULL;
}

/* Copy from a block that is there. False if it isn't; *enough tells whether it was long enough. */
static bool copy_cached(struct cim_image *image, uint64_t key, uint32_t at, void *buf, uint32_t len,
			bool *enough)
{
	struct block *block;

	cim_image_lock(image);
	block = find(image->cache, key);
	if (block) {
		block->recent = true;
		*enough = cim_in_range(at, len, block->valid);
		if (*enough)
			memcpy(buf, block->bytes + at, len);
	}
	cim_image_unlock(image);
	return block != NULL;
}

/* Read the block that @offset is in from @file, copy what is wanted of it, and keep it. */
static enum cim_status load(struct cim_image *image, struct cim_region_file *file, uint64_t offset,
			    void *buf, uint32_t len, struct cim_error *err)
{
	const uint64_t key = block_key(file->region, offset);
	const uint32_t at = (uint32_t)offset & (CIM_BLOCK_SIZE - 1);
	const uint64_t left = file->size - (offset - at);
	const uint32_t valid = left < CIM_BLOCK_SIZE ? (uint32_t)left : CIM_BLOCK_SIZE;
	struct block *block;
	bool loaded = false;
	enum cim_status status;

	cim_image_lock(image);
	block = take_block(image->cache);
	cim_image_unlock(image);
	if (!block)
		return cim_region_read(image, file, offset, buf, len, err);
	if (!block->bytes)
		block->bytes = cim_alloc(&image->env, CIM_BLOCK_SIZE);
	if (!block->bytes) {
		status = cim_region_read(image, file, offset, buf, len, err);
	} else {
		status = cim_region_read(image, file, offset - at, block->bytes, valid, err);
		loaded = !status;
	}
	if (loaded)
		memcpy(buf, block->bytes + at, len);
	cim_image_lock(image);
	block->state = BLOCK_FREE;
	/* Another thread may have loaded the same block meanwhile. */
	if (loaded && !find(image->cache, key)) {
		block->key = key;
		block->valid = valid;
		block->recent = true;
		block->state = BLOCK_READY;
		hash(image->cache, block);
	}
	cim_image_unlock(image);
	return status;
}

/* Read past what the cache has: the file is needed. */
static enum cim_status read_missing(struct cim_image *image, uint32_t region, uint64_t offset,
				    void *buf, size_t len, bool keep, struct cim_error *err)
{
	struct cim_region_file *file;
	enum cim_status status = cim_region_get(image, region, &file, err);

	if (status)
		return status;
	if (!cim_in_range(offset, len, file->size))
		status = cim_region_outside(image, region, offset, len, err);
	else if (keep)
		status = load(image, file, offset, buf, (uint32_t)len, err);
	else
		status = cim_region_read(image, file, offset, buf, len, err);
	cim_region_put(image, file);
	return status;
}

enum cim_status cim_cache_read(struct cim_image *image, uint32_t region, uint64_t offset, void *buf,
			       size_t len, struct cim_error *err)
{
	uint8_t *to = buf;

	if (len > CIM_BLOCK_LARGE)
		return read_missing(image, region, offset, buf, len, false, err);
	while (len) {
		const uint32_t at = (uint32_t)offset & (CIM_BLOCK_SIZE - 1);
		const uint32_t part = len < CIM_BLOCK_SIZE - at ? (uint32_t)len
								: CIM_BLOCK_SIZE - at;
		bool enough = true;

		if (!copy_cached(image, block_key(region, offset), at, to, part, &enough)) {
			enum cim_status status = read_missing(image, region, offset, to, part, true,
							      err);

			if (status)
				return status;
		}
		if (!enough)
			return cim_region_outside(image, region, offset, part, err);
		to += part;
		offset += part;
		len -= part;
	}
	return CIM_OK;
}
