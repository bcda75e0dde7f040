/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.c - the one place that knows xxHash: see hash.h
 */
#include "hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static_assert(sizeof(XXH3_state_t) <= sizeof(((struct cim_hasher *)0)->room) - 64,
	      "room for XXH3's state");

static XXH3_state_t *state_of(const struct cim_hasher *hasher)
{
	uintptr_t p = (uintptr_t)hasher->room;

	return (XXH3_state_t *)((p + 63) & ~(uintptr_t)63);
}

void cim_hasher_init(struct cim_hasher *hasher)
{
	XXH3_128bits_reset(state_of(hasher));
}

void cim_hasher_copy(struct cim_hasher *to, const struct cim_hasher *from)
{
	memcpy(state_of(to), state_of(from), sizeof(XXH3_state_t));
}

void cim_hasher_update(struct cim_hasher *hasher, const void *data, size_t len)
{
	XXH3_128bits_update(state_of(hasher), data, len);
}

static void put_digest(struct cim_digest *digest, XXH128_hash_t hash)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, hash);
	memcpy(digest->bytes, canonical.digest, sizeof(canonical.digest));
	memcpy(digest->bytes + sizeof(canonical.digest), CIM_DIGEST_TAG, CIM_DIGEST_TAG_SIZE);
}

void cim_hasher_final(const struct cim_hasher *hasher, struct cim_digest *digest)
{
	put_digest(digest, XXH3_128bits_digest(state_of(hasher)));
}

void cim_digest_of(const void *data, size_t len, struct cim_digest *digest)
{
	put_digest(digest, XXH3_128bits(data, len));
}

uint64_t cim_hash64(const void *data, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, len, seed);
}
