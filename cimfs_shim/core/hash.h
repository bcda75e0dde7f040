/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.h - the digest in our object ID files, and hashing in general
 *
 * The format leaves the digest's algorithm open, and equal digests never decide anything alone:
 * bytes are compared. So ours is the one that runs at memory speed, XXH3 with 128 bits (the
 * xxHash library), in its canonical big-endian form, behind which eight bytes name the algorithm:
 * an ID of another writer's can then never look like one of ours.
 */
#ifndef CIM_HASH_H
#define CIM_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "format.h"

#define CIM_DIGEST_TAG	    "XXH3-128"
#define CIM_DIGEST_TAG_SIZE 8

struct cim_digest {
	uint8_t bytes[CIM_DIGEST_SIZE];
};

/* Room for XXH3's state, which wants to lie on a multiple of 64. */
struct cim_hasher {
	uint8_t room[640 + 64];
};

/* A hasher must not be moved or copied once initialised, but by cim_hasher_copy(). */
void cim_hasher_init(struct cim_hasher *hasher);
void cim_hasher_copy(struct cim_hasher *to, const struct cim_hasher *from);
void cim_hasher_update(struct cim_hasher *hasher, const void *data, size_t len);
void cim_hasher_final(const struct cim_hasher *hasher, struct cim_digest *digest);

void cim_digest_of(const void *data, size_t len, struct cim_digest *digest);
/* A quick hash for tables in memory. */
uint64_t cim_hash64(const void *data, size_t len, uint64_t seed);

#endif
