/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bitmap.c - a bit for each FileID of an image
 */
#include "bitmap.h"
#include "bytes.h"
#include "format.h"

#define CHUNK_BITS	 7 /* FileIDs in a chunk: 128, in 16 bytes */
#define CHUNK_IDS	 (1u << CHUNK_BITS)
#define CHUNKS_PER_TABLE (CIM_FILES_PER_TABLE / CHUNK_IDS)

static size_t chunk_of(uint32_t file_id)
{
	return (file_id - 1) >> CHUNK_BITS;
}

static uint32_t byte_of(uint32_t file_id)
{
	return (file_id - 1) % CHUNK_IDS / 8;
}

static uint8_t bit_of(uint32_t file_id)
{
	return (uint8_t)(1u << (file_id - 1) % 8);
}

bool cim_bitmap_init(const struct cim_env *env, struct cim_bitmap *map, uint64_t tables)
{
	size_t bytes;

	/* Eight pointers for a file table, which is 16 bytes of the image; a FileID that comes up
	 * alone in its chunk costs about 32 bytes more, and the image at least 8. */
	map->chunks = NULL;
	map->chunk_count = ((size_t)tables + 1) * CHUNKS_PER_TABLE;
	if (cim_ckd_mul_size(&bytes, map->chunk_count, sizeof(*map->chunks)))
		map->chunks = cim_zalloc(env, bytes);
	return map->chunks;
}

void cim_bitmap_free(const struct cim_env *env, struct cim_bitmap *map)
{
	for (size_t i = 0; map->chunks && i < map->chunk_count; i++)
		cim_free(env, map->chunks[i]);
	cim_free(env, map->chunks);
	map->chunks = NULL;
}

bool cim_bitmap_has(const struct cim_bitmap *map, uint32_t file_id)
{
	const uint8_t *chunk = map->chunks[chunk_of(file_id)];

	return chunk && chunk[byte_of(file_id)] & bit_of(file_id);
}

bool cim_bitmap_add(const struct cim_env *env, struct cim_bitmap *map, uint32_t file_id, bool *was)
{
	uint8_t **chunk = &map->chunks[chunk_of(file_id)];

	if (!*chunk)
		*chunk = cim_zalloc(env, CHUNK_IDS / 8);
	if (!*chunk)
		return false;
	*was = (*chunk)[byte_of(file_id)] & bit_of(file_id);
	(*chunk)[byte_of(file_id)] |= bit_of(file_id);
	return true;
}
