/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_hash.c - digests: the published values of XXH3, the same in any pieces, and copies of a state
 */
#include "../core/hash.h"
#include "testenv.h"

static uint8_t bytes[300000];

static void is_digest(const struct cim_digest *digest, const char *hex, const char *name)
{
	char text[33];

	for (int i = 0; i < 16; i++)
		sprintf(text + 2 * i, "%02x", digest->bytes[i]);
	is_str(text, hex, "XXH3 with 128 bits of %s", name);
	is_mem(digest->bytes + 16, "XXH3-128", 8, "the algorithm's name stands behind it");
}

/* Wherever it lies, a state keeps within its room. */
static void test_room(void)
{
	static _Alignas(64) uint8_t space[sizeof(struct cim_hasher) + 3 * 64];
	struct cim_digest digest, want;
	unsigned spoilt = 0, differ = 0;

	cim_digest_of(bytes, 1000, &want);
	for (size_t at = 64; at < 128; at += _Alignof(struct cim_hasher)) {
		struct cim_hasher *hasher = (struct cim_hasher *)(space + at);

		memset(space, 0x5c, sizeof(space));
		cim_hasher_init(hasher);
		cim_hasher_update(hasher, bytes, 1000);
		cim_hasher_final(hasher, &digest);
		differ += memcmp(&digest, &want, sizeof(want)) != 0;
		for (size_t i = 0; i < sizeof(space); i++)
			spoilt += (i < at || i >= at + sizeof(*hasher)) && space[i] != 0x5c;
	}
	is_int(spoilt, 0, "wherever a state lies, nothing beside it is written");
	is_int(differ, 0, "and its digest is the same");
}

int main(void)
{
	struct cim_digest one, two, three;
	static struct cim_hasher hasher, copy;
	unsigned differ = 0, copies = 0;

	test_seed();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)test_random();
	is_int(sizeof(struct cim_digest), 24, "a digest has the format's 24 bytes");
	cim_digest_of("", 0, &one);
	is_digest(&one, "99aa06d3014798d86001c324468d497f", "nothing");
	cim_digest_of("a", 1, &one);
	is_digest(&one, "a96faf705af16834e6c632b61e964e1f", "'a'");
	is_hex(cim_hash64("", 0, 0), UINT64_C(0x2d06800538d394c2), "XXH3 with 64 bits of nothing");
	ok(cim_hash64("x", 1, 1) != cim_hash64("x", 1, 2), "the seed counts");
	for (int turn = 0; turn < 200; turn++) {
		size_t size = (size_t)test_below(turn % 2 ? 600 : sizeof(bytes)), done = 0;

		cim_digest_of(bytes, size, &one);
		cim_hasher_init(&hasher);
		while (done < size) {
			size_t part = (size_t)test_below(turn % 3 ? 5000 : 70) + 1;

			if (part > size - done)
				part = size - done;
			cim_hasher_update(&hasher, bytes + done, part);
			done += part;
			if (test_below(8))
				continue;
			/* A copy goes on like the first, which isn't changed by it. */
			cim_hasher_copy(&copy, &hasher);
			cim_hasher_update(&copy, bytes + done, size - done);
			cim_hasher_final(&copy, &three);
			copies += memcmp(&three, &one, sizeof(one)) != 0;
		}
		cim_hasher_final(&hasher, &two);
		cim_hasher_final(&hasher, &three);
		differ += memcmp(&two, &one, sizeof(one)) || memcmp(&three, &one, sizeof(one));
	}
	is_int(differ, 0, "in pieces: the same digest as in one");
	is_int(copies, 0, "a copy of a state goes on like the state");
	test_room();
	return tap_done();
}
