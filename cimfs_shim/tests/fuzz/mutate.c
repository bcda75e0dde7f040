/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutate.c - changes that leave the files of an input where they are
 *
 * libFuzzer's own mutations move what is behind them, and so break offsets all over an image. Three
 * of four changes here stay inside one record of bytes (bundle.c), and half of these put a number
 * there such as offsets, lengths and counts are.
 */
#include "fuzz.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

struct record {
	size_t at, len; /* of its bytes */
};

static size_t little(const uint8_t *p, unsigned bytes)
{
	return bytes ? p[0] | little(p + 1, bytes - 1) << 8 : 0;
}

/* The record at @at; what follows it is *@next. */
static struct record record_at(const uint8_t *data, size_t size, size_t at, size_t *next)
{
	const size_t left = size - at;
	struct record r = {0, 0};

	switch (data[at]) {
	case 'F':
		*next = left < 2 ? size : at + 2 + data[at + 1];
		break;
	case 'B':
	case 'P':
		if (left >= 3)
			r = (struct record){at + 3, little(data + at + 1, 2)};
		*next = left < 3 ? size : at + 3 + r.len;
		break;
	case 'Z':
		*next = at + 4;
		break;
	case 'L':
		*next = at + 12;
		break;
	default:
		*next = at + 1;
	}
	if (*next > size)
		*next = size;
	if (r.len > size - r.at)
		r.len = size - r.at;
	return r;
}

/* Any of those that hold bytes. */
static struct record choose(const uint8_t *data, size_t size, uint64_t random)
{
	struct record chosen = {0, 0};
	unsigned count = 0;

	for (size_t at = 0, next; at < size; at = next) {
		struct record r = record_at(data, size, at, &next);

		if (!r.len)
			continue;
		random = random * UINT64_C(6364136223846793005) + 1;
		if ((random >> 33) % ++count == 0)
			chosen = r;
	}
	return chosen;
}

static void put_number(uint8_t *bytes, size_t len, uint64_t random)
{
	static const uint64_t numbers[] = {0,
					   1,
					   2,
					   8,
					   40,
					   96,
					   0x7fff,
					   0xffff,
					   0x10000,
					   0x7fffffff,
					   0xfffffff8,
					   0xffffffff,
					   UINT64_C(1) << 32,
					   (UINT64_C(1) << 48) - 1,
					   UINT64_C(1) << 48,
					   UINT64_C(1) << 63,
					   UINT64_MAX};
	const size_t width = (size_t)1 << random % 4, places = len / width;
	uint8_t *to = bytes + (places ? (random >> 8) % places * width : 0);
	uint64_t value = 0;

	if (!places)
		return;
	switch (random >> 2 & 3) {
	case 0: /* what stands elsewhere */
		memmove(to, bytes + (random >> 24) % places * width, width);
		return;
	case 1: /* a little more or less */
		for (size_t i = 0; i < width; i++)
			value |= (uint64_t)to[i] << 8 * i;
		value += (random >> 40) % 33 - 16;
		break;
	default:
		value = numbers[(random >> 40) % (sizeof(numbers) / sizeof(*numbers))];
	}
	for (size_t i = 0; i < width; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	uint64_t random = (seed + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
	struct record r;

	random ^= random >> 29;
	random *= UINT64_C(0xbf58476d1ce4e5b9);
	random ^= random >> 32;
	r = choose(data, size, random >> 1);
	if (!r.len || random >> 62 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (random & 1)
		put_number(data + r.at, r.len, random >> 1);
	else
		LLVMFuzzerMutate(data + r.at, r.len, r.len);
	return size;
}
