/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_metavalid.c - which descriptors, EA lists and reparse buffers are valid (D9, D16, D17)
 *
 * Each case lies at the end of a block of its own, so that a read past it is found by the
 * sanitizers. Then random damage: never a read outside, and what is called valid must be so by a
 * second opinion.
 */
#include "../core/bytes.h"
#include "../core/metavalid.h"
#include "testenv.h"

/* On a block of exactly that size. */
static bool valid(bool (*check)(const uint8_t *, size_t), const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	bool result;

	if (!copy)
		bail("out of memory");
	memcpy(copy, bytes, size);
	result = check(copy, size);
	free(copy);
	return result;
}

/* ---- security descriptors ---- */

/* Owner, group, SACL and DACL, as a system might make it. */
enum { OWNER = 20, GROUP = 32, SACL = 48, DACL = 56, ACE1 = 64, ACE2 = 84, SD_ALL = 104 };

static void make_sd(uint8_t *sd)
{
	memset(sd, 0, SD_ALL);
	sd[0] = 1;
	cim_put16(sd + 2, 0x8014);
	cim_put32(sd + 4, OWNER);
	cim_put32(sd + 8, GROUP);
	cim_put32(sd + 12, SACL);
	cim_put32(sd + 16, DACL);
	sd[OWNER] = 1;
	sd[OWNER + 1] = 1;
	sd[GROUP] = 1;
	sd[GROUP + 1] = 2;
	sd[SACL] = 2;
	cim_put16(sd + SACL + 2, 8);
	sd[DACL] = 4;
	cim_put16(sd + DACL + 2, SD_ALL - DACL);
	cim_put16(sd + DACL + 4, 2);
	cim_put16(sd + ACE1 + 2, 20);
	cim_put16(sd + ACE2 + 2, 20);
}

static void test_sd(void)
{
	static const struct {
		const char *name;
		int at, value, bytes;
		bool valid;
	} cases[] = {
		{"as made", 0, 1, 1, true},
		{"revision 0", 0, 0, 1, false},
		{"revision 2", 0, 2, 1, false},
		{"not self-relative", 2, 0x0014, 2, false},
		{"no owner", 4, 0, 4, true},
		{"no group", 8, 0, 4, true},
		{"owner in the header", 4, 16, 4, false},
		{"owner at the end", 4, SD_ALL, 4, false},
		{"owner cut by the end", 4, SD_ALL - 7, 4, false},
		{"owner far away", 4, -1, 4, false},
		{"owner of another revision", OWNER, 2, 1, false},
		{"owner with 15 sub-authorities", OWNER + 1, 15, 1, true},
		{"owner with 16 sub-authorities", OWNER + 1, 16, 1, false},
		{"group far away", 8, 0x7fffffff, 4, false},
		{"SACL far away", 12, -1, 4, false},
		{"a NULL SACL", 12, 0, 4, true},
		{"a NULL DACL", 16, 0, 4, true},
		{"DACL in the header", 16, 19, 4, false},
		{"DACL cut by the end", 16, SD_ALL - 7, 4, false},
		{"ACL revision 1", DACL, 1, 1, false},
		{"ACL revision 5", DACL, 5, 1, false},
		{"ACL of 7 bytes", DACL + 2, 7, 2, false},
		{"ACL past the end", DACL + 2, SD_ALL - DACL + 1, 2, false},
		{"ACL smaller than its ACEs", DACL + 2, 47, 2, false},
		{"ACL larger than its ACEs", DACL + 4, 1, 2, true},
		{"one ACE too many", DACL + 4, 3, 2, false},
		{"65,535 ACEs", DACL + 4, 65535, 2, false},
		{"ACE of 0 bytes", ACE1 + 2, 0, 2, false},
		{"ACE of 3 bytes", ACE1 + 2, 3, 2, false},
		{"ACE past the ACL", ACE2 + 2, 21, 2, false},
	};
	uint8_t sd[SD_ALL];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_sd(sd);
		for (int b = 0; b < cases[i].bytes; b++)
			sd[cases[i].at + b] = (uint8_t)((unsigned)cases[i].value >> 8 * b);
		ok(valid(cim_sd_valid, sd, SD_ALL) == cases[i].valid, "security descriptor, %s: %s",
		   cases[i].name, cases[i].valid ? "valid" : "not valid");
	}
}

static void test_more_sds(void)
{
	uint8_t sd[SD_ALL];

	make_sd(sd);
	cim_put16(sd + 2, 0x8000);
	cim_put32(sd + 12, 0xffffffff);
	cim_put32(sd + 16, 0xffffffff);
	ok(valid(cim_sd_valid, sd, SD_ALL), "the offset of an ACL that isn't present is nothing");
	make_sd(sd);
	cim_put16(sd + DACL + 2, 7);
	cim_put16(sd + DACL + 4, 0);
	ok(!valid(cim_sd_valid, sd, SD_ALL), "an ACL of 7 bytes without ACEs: not valid");
	cim_put16(sd + DACL + 2, 8);
	ok(valid(cim_sd_valid, sd, SD_ALL), "one of 8: valid");
	make_sd(sd);
	for (size_t size = 0; size < SD_ALL; size++)
		if (valid(cim_sd_valid, sd, size))
			ok(false, "cut to %u bytes: not valid", (unsigned)size);
	ok(cim_sd_valid(cim_null_dacl, CIM_NULL_DACL_SIZE), "what stands for none is valid (D8)");
	is_int(CIM_NULL_DACL_SIZE, 20, "it has 20 bytes");
	is_mem(cim_null_dacl, "\1\0\4\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, "these");
}

static void test_sd_sizes(void)
{
	static uint8_t big[65536];

	memcpy(big, cim_null_dacl, CIM_NULL_DACL_SIZE);
	ok(cim_sd_valid(big, 65535), "65,535 bytes are fine");
	ok(!cim_sd_valid(big, 65536), "65,536 are not");
}

/* ---- EA lists ---- */

static size_t add_ea(uint8_t *ea, size_t at, const char *name, size_t value, bool last)
{
	size_t used = 8 + strlen(name) + 1 + value, next = (used + 3) & ~(size_t)3;

	memset(ea + at, 0, used);
	cim_put32(ea + at, last ? 0 : (uint32_t)next);
	ea[at + 5] = (uint8_t)strlen(name);
	cim_put16(ea + at + 6, (uint16_t)value);
	memcpy(ea + at + 8, name, strlen(name));
	return at + (last ? used : next);
}

static void test_ea(void)
{
	static uint8_t ea[66000], bad[66000];
	char name[260];
	size_t size = add_ea(ea, 0, "FIRST", 10, false), second = size;

	size = add_ea(ea, size, "S", 0, true);
	ok(valid(cim_ea_valid, ea, size), "an EA list of two: valid");
	for (size_t more = 1; more <= 4; more++)
		ok(valid(cim_ea_valid, ea, size + more) == (more < 4),
		   "%u bytes behind the last entry: %s", (unsigned)more,
		   more < 4 ? "valid" : "not valid");
	for (size_t cut = 0; cut < size; cut++)
		if (valid(cim_ea_valid, ea, cut))
			ok(false, "cut to %u bytes: not valid", (unsigned)cut);
#define BAD(at, value, what)                                                \
	do {                                                                \
		memcpy(bad, ea, sizeof(bad));                               \
		bad[at] = (uint8_t)(value);                                 \
		ok(!valid(cim_ea_valid, bad, size), "%s: not valid", what); \
	} while (0)
	BAD(5, 0, "no name");
	BAD(5, 4, "a name that doesn't end where it says");
	BAD(9, 0, "a NUL in a name");
	BAD(13, 'x', "no NUL behind a name");
	BAD(0, 26, "a next entry that isn't aligned");
	BAD(0, 20, "a next entry inside this one");
	BAD(0, 200, "a next entry behind the end");
	BAD(3, 0x80, "a next entry far behind the end");
	BAD(0, second + 8, "a next entry that is cut");
	BAD(second + 6, 1, "a value that is cut");
	BAD(second + 7, 255, "a value far behind the end");
	BAD(second, 12, "a next entry at the end");
	/* The value is an entry itself: only by its place can it be told from the next. */
	size = add_ea(ea, 0, "OUT", 24, true);
	add_ea(ea, 12, "IN", 13, true);
	ok(valid(cim_ea_valid, ea, size), "an entry with an entry in its value: valid");
	cim_put32(ea, 12);
	ok(!valid(cim_ea_valid, ea, size), "with that as the next: not valid");
	memset(name, 'N', sizeof(name));
	name[254] = 0;
	size = add_ea(ea, 0, name, 100, true);
	ok(valid(cim_ea_valid, ea, size), "a name of 254 bytes: valid");
	name[254] = 'N';
	name[255] = 0;
	size = add_ea(ea, 0, name, 100, true);
	ok(!valid(cim_ea_valid, ea, size), "a name of 255 bytes: not valid");
	size = add_ea(ea, 0, "BIG", 65535 - 12, true);
	ok(size == 65535 && valid(cim_ea_valid, ea, size), "a list of 65,535 bytes: valid");
	ok(!valid(cim_ea_valid, ea, size + 1), "of 65,536: not valid");
	for (size = 0; size < 65000;)
		size = add_ea(ea, size, "A", 0, false);
	size = add_ea(ea, size, "A", 0, true);
	ok(valid(cim_ea_valid, ea, size), "thousands of entries: valid");
}

/* ---- reparse buffers ---- */

static void test_reparse(void)
{
	static uint8_t bytes[20000];

	cim_put32(bytes, 0xa000000c);
	cim_put16(bytes + 4, 100);
	ok(valid(cim_reparse_valid, bytes, 108), "a Microsoft tag: the length field + 8");
	ok(!valid(cim_reparse_valid, bytes, 107), "not one byte less");
	ok(!valid(cim_reparse_valid, bytes, 109), "not one more");
	ok(!valid(cim_reparse_valid, bytes, 124), "not with a GUID");
	cim_put32(bytes, 0x0000000c);
	ok(valid(cim_reparse_valid, bytes, 124), "any other tag: the length field + 24");
	ok(!valid(cim_reparse_valid, bytes, 108), "not without a GUID");
	cim_put16(bytes + 4, 0);
	ok(valid(cim_reparse_valid, bytes, 24), "the smallest of these");
	cim_put32(bytes, 0xa000000c);
	ok(valid(cim_reparse_valid, bytes, 8), "the smallest of all");
	for (size_t size = 0; size < 8; size++)
		if (valid(cim_reparse_valid, bytes, size))
			ok(false, "%u bytes: not valid", (unsigned)size);
	cim_put16(bytes + 4, 16376);
	ok(valid(cim_reparse_valid, bytes, 16384), "16 KiB: valid");
	cim_put16(bytes + 4, 16377);
	ok(!valid(cim_reparse_valid, bytes, 16385), "a byte more: not valid");
}

/* ---- random damage ---- */

/* The offsets that a valid descriptor has lead to SIDs and ACLs that lie within it. */
static bool sd_opinion(const uint8_t *sd, size_t size)
{
	for (int i = 0; i < 4; i++) {
		uint64_t at = cim_get32(sd + 4 + 4 * i), len;
		bool acl = i >= 2, present = cim_get16(sd + 2) & (i == 2 ? 0x10 : 0x4);

		if (!at || (acl && !present))
			continue;
		if (at + 8 > size)
			return false;
		len = acl ? cim_get16(sd + at + 2) : 8u + 4u * sd[at + 1];
		if (at < 20 || at + len > size)
			return false;
	}
	return true;
}

static void test_damage(void)
{
	uint8_t sd[SD_ALL], ea[64];
	size_t ea_size = add_ea(ea, add_ea(ea, 0, "ONE", 5, false), "TWO", 6, true);
	unsigned good = 0, bad = 0, wrong = 0;

	for (int i = 0; i < 200000; i++) {
		size_t size = SD_ALL - (test_below(4) ? 0 : test_below(SD_ALL));
		int hits = 1 + (int)test_below(3);
		bool says;

		make_sd(sd);
		while (hits--)
			sd[test_below(SD_ALL)] = (uint8_t)test_random();
		says = valid(cim_sd_valid, sd, size);
		wrong += says && !sd_opinion(sd, size);
		good += says;
		bad += !says;
	}
	ok(!wrong && good && bad, "damaged descriptors: %u valid, %u not, %u wrongly so", good, bad,
	   wrong);
	good = bad = 0;
	for (int i = 0; i < 100000; i++) {
		uint8_t copy[64];
		bool says;

		memcpy(copy, ea, sizeof(ea));
		copy[test_below(ea_size)] = (uint8_t)test_random();
		says = valid(cim_ea_valid, copy,
			     ea_size - (test_below(4) ? 0 : test_below(ea_size)));
		good += says;
		bad += !says;
	}
	ok(good && bad, "damaged EA lists: %u valid, %u not", good, bad);
}

/* Each kind by its own rule; of another nothing is valid. */
static void test_blobs(void)
{
	static const uint8_t sd[20] = {1, 0, 4, 0x80};
	static const uint8_t ea[] = {0, 0, 0, 0, 0, 1, 2, 0, 'A', 0, 'x', 'y'};
	static const uint8_t reparse[] = {3, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4};
	static const struct {
		const uint8_t *bytes;
		size_t size;
		enum cim_blob which;
	} blobs[] = {{sd, sizeof(sd), CIM_BLOB_SECURITY},
		     {ea, sizeof(ea), CIM_BLOB_EA},
		     {reparse, sizeof(reparse), CIM_BLOB_REPARSE}};

	for (size_t i = 0; i < 3; i++) {
		for (size_t kind = 0; kind < 3; kind++)
			ok(cim_blob_valid(blobs[kind].which, blobs[i].bytes, blobs[i].size) ==
				   (i == kind),
			   "blob %zu as kind %zu", i, kind);
		ok(!cim_blob_valid(blobs[i].which, NULL, 20), "kind %zu: no bytes", i);
		ok(!cim_blob_valid((enum cim_blob)77, blobs[i].bytes, blobs[i].size),
		   "blob %zu of a kind that there isn't", i);
	}
}

int main(void)
{
	test_seed();
	test_blobs();
	test_sd();
	test_more_sds();
	test_sd_sizes();
	test_ea();
	test_reparse();
	test_damage();
	return tap_done();
}
