/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_container.c - images in one file: what a container is, refuses, and lets others do
 *
 * Containers are made here by hand, byte by byte, with one rule of container.md broken at a time;
 * and by sessions, which must find in one what they find in a directory. Below that, the container
 * is used as the file system that it is: random writes, cuts and gaps against a model.
 */
#include "../core/bytes.h"
#include "../core/container.h"
#include "../core/place.h"
#include "kit.h"

#define BLOCK CIM_CONT_BLOCK

/* ---- containers made by hand ---- */

/* Two files: NAME[0] of 5,000 bytes in blocks 4 and 5, NAME[1] of 100 in block 6. */
static struct {
	uint8_t bytes[16 * BLOCK];
	size_t size;
	size_t entry[2]; /* where in the table they are, extents with them */
	size_t extent[2];
	size_t table_size;
} hand;

enum { TABLE = 3 * BLOCK };

static void seal_record(unsigned slot, uint64_t sequence)
{
	struct cim_cont_record record = {
		.sequence = sequence,
		.table = TABLE,
		.length = hand.table_size,
		.end = 7 * BLOCK,
	};

	cim_cont_digest(hand.bytes + TABLE, hand.table_size, record.table_digest);
	cim_cont_record_encode(&record, hand.bytes + (1 + slot) * (size_t)BLOCK);
}

static void seal_header(void)
{
	cim_cont_digest(hand.bytes, 496, hand.bytes + 496);
}

static size_t put_file(size_t at, int i, const char *name, uint64_t size, uint64_t place,
		       uint64_t len)
{
	uint8_t *entry = hand.bytes + at;
	uint16_t units = 0;

	hand.entry[i] = at;
	cim_put64(entry, size);
	cim_put32(entry + 8, 1);
	for (; name[units]; units++)
		cim_put16(entry + 16 + 2 * units, (uint8_t)name[units]);
	cim_put16(entry + 12, units);
	at += 16 + 2 * (size_t)units;
	hand.extent[i] = at;
	cim_put64(hand.bytes + at, place);
	cim_put64(hand.bytes + at + 8, len);
	return at + 16;
}

static void build(const char *first, const char *second)
{
	size_t at = TABLE + 8;

	memset(&hand, 0, sizeof(hand));
	hand.size = 7 * BLOCK;
	memcpy(hand.bytes, "cimcont0", 8);
	cim_put32(hand.bytes + 8, BLOCK);
	cim_put32(hand.bytes + 12, BLOCK);
	cim_put32(hand.bytes + 16, 1);
	seal_header();
	cim_put32(hand.bytes + TABLE, 2);
	at = put_file(at, 0, first, 5000, 4 * BLOCK, 2 * BLOCK);
	at = put_file(at, 1, second, 100, 6 * BLOCK, BLOCK);
	hand.table_size = at - TABLE;
	memset(hand.bytes + 4 * BLOCK, 'a', 5000);
	memset(hand.bytes + 6 * BLOCK, 'b', 100);
	seal_record(0, 1);
}

static enum cim_status open_hand(struct kit *k, struct cim_store **store)
{
	memfs_put(k->m, "c.bcim", hand.bytes, hand.size);
	return cim_store_open(&k->env, "mem/c.bcim", false, store, &k->err);
}

/* ---- one rule at a time ---- */

enum where {
	HEADER,	 /* value at that offset */
	RECORD,	 /* of A, which has the table */
	TABLE_,	 /* at that offset of the table */
	ENTRY_0, /* of the entry */
	ENTRY_1,
	EXTENT_0,
	EXTENT_1,
	FILE_SIZE, /* of the container */
};

struct edit {
	enum where where;
	unsigned offset, width;
	uint64_t value;
};

enum { KEEP_HEADER = 1, KEEP_TABLE = 2, KEEP_RECORD = 4 };

static const struct rule {
	const char *what;
	const char *names[2]; /* NULL: "a", "b" */
	struct edit edits[3];
	unsigned keep; /* digests that aren't made anew */
	enum cim_status status;
	const char *cause;
} rules[] = {
	{"a whole one", {0}, {{0}}, 0, CIM_OK, NULL},
	{"reserved bytes set", {0}, {{HEADER, 28, 4, 7}, {TABLE_, 4, 4, 7}}, 0, CIM_OK, NULL},
	{"an unknown flag", {0}, {{HEADER, 24, 4, 0x80}}, 0, CIM_OK, NULL},
	{"a later minor version", {0}, {{HEADER, 20, 4, 9}}, 0, CIM_OK, NULL},
	{"bytes behind the end", {0}, {{FILE_SIZE, 0, 0, 7 * BLOCK + 512}}, 0, CIM_OK, NULL},
	{"the longest name", {"a", NULL}, {{0}}, 0, CIM_OK, NULL},
	{"another magic", {0}, {{HEADER, 7, 1, '1'}}, 0, CIM_E_PATH_NOT_FOUND, "no such path"},
	{"another major version", {0}, {{HEADER, 16, 4, 2}}, 0, CIM_E_VERSION, "version 2.0"},
	{"another header length", {0}, {{HEADER, 8, 4, 512}}, 0, CIM_E_CORRUPT, "4096 bytes"},
	{"another block size", {0}, {{HEADER, 12, 4, 512}}, 0, CIM_E_CORRUPT, "4096 bytes"},
	{"a header of another digest",
	 {0},
	 {{HEADER, 100, 1, 1}},
	 KEEP_HEADER,
	 CIM_E_CORRUPT,
	 "header doesn't match"},
	{"no record", {0}, {{RECORD, 0, 8, 0}}, 0, CIM_E_CORRUPT, "neither"},
	{"a record of another digest",
	 {0},
	 {{RECORD, 24, 8, 6 * BLOCK}},
	 KEEP_RECORD,
	 CIM_E_CORRUPT,
	 "neither"},
	{"a table of another digest",
	 {0},
	 {{ENTRY_0, 0, 8, 1}},
	 KEEP_TABLE,
	 CIM_E_CORRUPT,
	 "neither"},
	{"a table behind the file",
	 {0},
	 {{RECORD, 8, 8, 1000 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "neither"},
	{"a table at no block",
	 {0},
	 {{RECORD, 8, 8, TABLE - 8}},
	 0,
	 CIM_E_CORRUPT,
	 "table can't be at"},
	{"a table over a record",
	 {0},
	 {{RECORD, 8, 8, 2 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "table can't be at"},
	{"a table behind the end",
	 {0},
	 {{RECORD, 8, 8, 7 * BLOCK}, {FILE_SIZE, 0, 0, 8 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "table can't be at"},
	{"a table too short", {0}, {{RECORD, 16, 8, 7}}, 0, CIM_E_CORRUPT, "neither"},
	{"a table too long", {0}, {{RECORD, 16, 8, (64 << 20) + 1}}, 0, CIM_E_CORRUPT, "neither"},
	{"a table longer than all",
	 {0},
	 {{RECORD, 16, 8, UINT64_MAX}},
	 0,
	 CIM_E_CORRUPT,
	 "neither"},
	{"an end at no block",
	 {0},
	 {{RECORD, 24, 8, 7 * BLOCK - 1}},
	 0,
	 CIM_E_CORRUPT,
	 "can't end at"},
	{"an end before the first",
	 {0},
	 {{RECORD, 24, 8, 2 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "can't end at"},
	{"an end behind the file",
	 {0},
	 {{RECORD, 24, 8, 8 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "cut short"},
	{"a file cut short", {0}, {{FILE_SIZE, 0, 0, 6 * BLOCK}}, 0, CIM_E_CORRUPT, "cut short"},
	{"a file of a magic only", {0}, {{FILE_SIZE, 0, 0, 8}}, 0, CIM_E_CORRUPT, "cut short"},
	{"a file without records", {0}, {{FILE_SIZE, 0, 0, BLOCK}}, 0, CIM_E_CORRUPT, "cut short"},
	{"more entries than fit",
	 {0},
	 {{TABLE_, 0, 4, 0xffffffff}},
	 0,
	 CIM_E_CORRUPT,
	 "no room for"},
	{"one entry more", {0}, {{TABLE_, 0, 4, 3}}, 0, CIM_E_CORRUPT, "middle of an entry"},
	{"one entry fewer", {0}, {{TABLE_, 0, 4, 1}}, 0, CIM_E_CORRUPT, "behind its end"},
	{"a name longer than the table",
	 {0},
	 {{ENTRY_1, 12, 2, 0xffff}},
	 0,
	 CIM_E_CORRUPT,
	 "middle of an entry"},
	{"more extents than fit",
	 {0},
	 {{ENTRY_1, 8, 4, 0xffffffff}},
	 0,
	 CIM_E_CORRUPT,
	 "middle of an entry"},
	{"no name", {"", "b"}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"a name with a NUL", {0}, {{ENTRY_0, 16, 2, 0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"a name with a slash", {"a/x", "b"}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"a name with a backslash", {"a\\x", "b"}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"a name with a colon", {"a:x", "b"}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"the name .", {".", "b"}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"the name ..", {"..", "b"}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"a private name", {"b", "CimTmp_12_0"}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"a name too long", {"a", ""}, {{0}}, 0, CIM_E_CORRUPT, "name that no file"},
	{"names out of order", {"b", "a"}, {{0}}, 0, CIM_E_CORRUPT, "out of order"},
	{"the same name twice", {"a", "a"}, {{0}}, 0, CIM_E_CORRUPT, "out of order"},
	{"names that differ in case",
	 {"B.cim", "b.CIM"},
	 {{0}},
	 0,
	 CIM_E_CORRUPT,
	 "b.CIM: another name differs in case"},
	{"capitals before small letters", {"B", "a"}, {{0}}, 0, CIM_OK, NULL},
	{"a size that no file has",
	 {0},
	 {{ENTRY_0, 0, 8, UINT64_C(1) << 63}},
	 0,
	 CIM_E_CORRUPT,
	 "so large"},
	{"an extent at no block",
	 {0},
	 {{EXTENT_0, 0, 8, 4 * BLOCK + 512}},
	 0,
	 CIM_E_CORRUPT,
	 "whole blocks"},
	{"an extent of no blocks",
	 {0},
	 {{EXTENT_0, 8, 8, BLOCK + 512}},
	 0,
	 CIM_E_CORRUPT,
	 "whole blocks"},
	{"an empty extent", {0}, {{EXTENT_0, 8, 8, 0}}, 0, CIM_E_CORRUPT, "whole blocks"},
	{"an extent over a record",
	 {0},
	 {{EXTENT_0, 0, 8, 2 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "outside of the container"},
	{"an extent over the end",
	 {0},
	 {{EXTENT_1, 8, 8, 2 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "outside of the container"},
	{"an extent that wraps around",
	 {0},
	 {{EXTENT_1, 8, 8, INT64_MAX / BLOCK *BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "outside of the container"},
	{"a hole larger than a file",
	 {0},
	 {{EXTENT_0, 0, 8, 0}, {EXTENT_0, 8, 8, UINT64_C(1) << 63}},
	 0,
	 CIM_E_CORRUPT,
	 "more than a file"},
	{"two extents that overlap",
	 {0},
	 {{EXTENT_1, 0, 8, 5 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "two of the container's extents overlap"},
	{"an extent over the table",
	 {0},
	 {{EXTENT_1, 0, 8, 3 * BLOCK}},
	 0,
	 CIM_E_CORRUPT,
	 "overlaps the container's table"},
	{"a hole", {0}, {{EXTENT_1, 0, 8, 0}}, 0, CIM_OK, NULL},
};

static void apply(const struct edit *edit)
{
	const size_t bases[] = {
		[RECORD] = BLOCK,
		[TABLE_] = TABLE,
		[ENTRY_0] = hand.entry[0],
		[ENTRY_1] = hand.entry[1],
		[EXTENT_0] = hand.extent[0],
		[EXTENT_1] = hand.extent[1],
		[FILE_SIZE] = 0,
	};
	uint8_t *at = hand.bytes + bases[edit->where] + edit->offset;

	if (edit->where == FILE_SIZE && edit->value)
		hand.size = (size_t)edit->value;
	for (unsigned i = 0; i < edit->width; i++)
		at[i] = (uint8_t)(edit->value >> 8 * i);
}

/* Digests of what the record says, as far as that can be. */
static void seal_again(unsigned keep)
{
	uint8_t *record = hand.bytes + BLOCK;
	const uint64_t table = cim_get64(record + 8), length = cim_get64(record + 16);

	if (!(keep & KEEP_HEADER))
		seal_header();
	if (!(keep & KEEP_TABLE) && cim_in_range(table, length, sizeof(hand.bytes)))
		cim_cont_digest(hand.bytes + table, (size_t)length, record + 32);
	if (!(keep & KEEP_RECORD))
		cim_cont_digest(record, 48, record + 48);
}

static void test_rules(void)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct rule *rule = &rules[i];
		char longest[257];
		const char *first = rule->names[0] ? rule->names[0] : "a";
		const char *second = rule->names[1] ? rule->names[1] : "b";
		struct cim_store *store = NULL;
		struct kit k = kit_new();
		enum cim_status status;

		memset(longest, 'z', sizeof(longest));
		longest[rule->status ? 256 : 255] = '\0';
		build(first, strstr(rule->what, "long") && rule->names[0] && !*second ? longest
			     : strstr(rule->what, "longest")			      ? longest
										      : second);
		for (int e = 0; e < 3; e++)
			apply(&rule->edits[e]);
		seal_again(rule->keep);
		forget_error(&k);
		status = open_hand(&k, &store);
		if (status == rule->status && (!status || strstr(k.err.cause, rule->cause)))
			ok(true, "%s: %s", rule->what, STATUS(status));
		else
			ok(false, "%s: %s (want %s), %s", rule->what, STATUS(status),
			   STATUS(rule->status), k.err.cause);
		cim_store_close(store);
		kit_free(&k);
	}
}

/* What is in a file, by the file system. */
static enum cim_status read_inner(struct kit *k, const char *name, uint64_t offset, void *buf,
				  size_t len, size_t *got)
{
	struct cim_env env = k->env;
	struct cim_vfs vfs = *k->env.vfs;
	cim_vfs_file *file;
	cim_vfs_dir *dir;
	long os_error;
	enum cim_status status;

	env.vfs = &vfs;
	*got = 0;
	status = cim_place_open(&env, &vfs, "mem/c.bcim", &dir, &k->err);
	if (status)
		return status;
	status = vfs.open(vfs.ctx, dir, name, CIM_VFS_READ, &file, &os_error);
	if (!status) {
		status = vfs.pread(vfs.ctx, file, offset, buf, len, got, &os_error);
		vfs.close(vfs.ctx, file);
	}
	vfs.close_dir(vfs.ctx, dir);
	return status;
}

static void test_reading(void)
{
	struct kit k = kit_new();
	uint8_t buf[3 * BLOCK];
	size_t got;

	build("a", "b");
	memset(hand.bytes + 4 * BLOCK + 5000, 'x', 100);      /* the rest of its last block */
	cim_put64(hand.bytes + hand.entry[1], 3 * BLOCK + 5); /* behind its extents */
	seal_again(0);
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	gives(&k, read_inner(&k, "a", 4090, buf, sizeof(buf), &got), CIM_OK);
	ok(got == 5000 - 4090 && buf[0] == 'a' && buf[got - 1] == 'a', "a file ends by its size");
	gives(&k, read_inner(&k, "B", BLOCK - 2, buf, sizeof(buf), &got), CIM_OK);
	ok(got == 2 * BLOCK + 7 && !buf[0] && !memcmp(buf, buf + 1, got - 1),
	   "whatever case its name has; behind its extents all is zero");
	gives(&k, read_inner(&k, "c", 0, buf, 1, &got), CIM_E_FILE_NOT_FOUND);
	gives(&k, read_inner(&k, "a", 5000, buf, 1, &got), CIM_OK);
	ok(!got, "at the end there is nothing");
	cim_put64(hand.bytes + hand.extent[0], 0);
	seal_again(0);
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	gives(&k, read_inner(&k, "a", 0, buf, sizeof(buf), &got), CIM_OK);
	ok(got == 5000 && !buf[0] && !memcmp(buf, buf + 1, got - 1), "a hole reads as zero");
	kit_free(&k);
}

/* The table of which record counts shows in the size of the first file. */
static uint64_t counts(struct kit *k)
{
	struct cim_container *c;
	struct cim_env env = k->env;
	struct cim_vfs vfs = *k->env.vfs;
	cim_vfs_dir *dir;
	uint64_t sequence;

	env.vfs = &vfs;
	memfs_put(k->m, "c.bcim", hand.bytes, hand.size);
	if (cim_place_open(&env, &vfs, "mem/c.bcim", &dir, &k->err))
		return 0;
	c = (struct cim_container *)dir;
	sequence = c->now.sequence * 10 + c->slot;
	vfs.close_dir(vfs.ctx, dir);
	return sequence;
}

static void test_records(void)
{
	struct kit k = kit_new();

	build("a", "b");
	is_int(counts(&k), 10, "one record");
	seal_record(1, 2);
	is_int(counts(&k), 21, "the newer one counts");
	seal_record(1, 1);
	is_int(counts(&k), 10, "A, if none is newer");
	seal_record(0, 5);
	is_int(counts(&k), 50, "A, if it is");
	hand.bytes[BLOCK + 3] ^= 1;
	is_int(counts(&k), 11, "the older one, if the newer one's digest doesn't hold");
	seal_record(0, 5);
	hand.bytes[BLOCK + 33] ^= 1; /* the digest of its table */
	cim_cont_digest(hand.bytes + BLOCK, 48, hand.bytes + BLOCK + 48);
	is_int(counts(&k), 11, "and if its table's doesn't");
	hand.bytes[2 * BLOCK + 60] ^= 1;
	is_int(counts(&k), 0, "and none, if neither's does");
	kit_free(&k);
}

/* @files of them, of three code units each, with as many extents as are asked for: holes. */
static size_t put_many(struct kit *k, uint32_t files, uint32_t extents)
{
	const size_t each = 16 + 2 * 3 + 16 * (size_t)extents, size = 8 + files * each;
	const size_t end = (3 * (size_t)BLOCK + size + BLOCK - 1) / BLOCK * BLOCK;
	uint8_t *whole = (uint8_t *)calloc(1, end), *at = whole + 3 * (size_t)BLOCK + 8;
	struct cim_cont_record record = {
		.sequence = 1, .table = 3 * BLOCK, .length = size, .end = end};

	build("a", "b");
	memcpy(whole, hand.bytes, BLOCK);
	cim_put32(whole + 3 * (size_t)BLOCK, files);
	for (uint32_t i = 0; i < files; i++, at += each) {
		cim_put64(at, extents ? UINT64_C(1) << 62 : 0);
		cim_put32(at + 8, extents);
		cim_put16(at + 12, 3);
		for (unsigned unit = 0; unit < 3; unit++)
			cim_put16(at + 16 + 2 * unit,
				  (uint16_t)(0x4000 + (i >> 6 * (2 - unit) & 63)));
		for (uint32_t n = 0; n < extents; n++)
			cim_put64(at + 16 + 2 * 3 + 16 * n + 8, UINT64_C(1) << 60);
	}
	cim_cont_digest(whole + 3 * (size_t)BLOCK, size, record.table_digest);
	cim_cont_record_encode(&record, whole + BLOCK);
	memfs_put(k->m, "c.bcim", whole, end);
	free(whole);
	return size;
}

/* What a table makes the library take follows from the table's bytes, which are there. */
static void test_memory(void)
{
	const uint32_t files = 200000;

	for (uint32_t extents = 0; extents < 2; extents++) {
		struct kit k = kit_new();
		const size_t size = put_many(&k, files, extents);
		struct cim_image *image;
		struct cim_store *store;

		gives(&k, cim_image_open(&k.env, "mem/c.bcim/none", &image, &k.err),
		      CIM_E_FILE_NOT_FOUND);
		ok(k.m->peak_bytes < 3 * (long)size,
		   "%u files in a table of %zu bytes take %ld to open an image", (unsigned)files,
		   size, (long)k.m->peak_bytes);
		must(&k, cim_store_open(&k.env, "mem/c.bcim", false, &store, &k.err));
		ok(k.m->peak_bytes < 4 * (long)size, "and %ld to look at all of them",
		   (long)k.m->peak_bytes);
		ok(!cim_store_get(store, 0), "none of them is an image's");
		cim_store_close(store);
		kit_free(&k);
	}
}

/* A container whose table is one file's, of as many holes as make @size bytes. */
static void put_large_table(struct kit *k, size_t size)
{
	const size_t end = (3 * (size_t)BLOCK + size + BLOCK - 1) / BLOCK * BLOCK;
	uint8_t *whole = (uint8_t *)calloc(1, end), *table = whole + 3 * (size_t)BLOCK;
	struct cim_cont_record record = {
		.sequence = 1, .table = 3 * BLOCK, .length = size, .end = end};

	build("a", "b");
	memcpy(whole, hand.bytes, BLOCK);
	cim_put32(table, 1);
	cim_put32(table + 8 + 8, (uint32_t)((size - 32) / 16));
	cim_put16(table + 8 + 12, 4);
	for (size_t at = 8 + 16; at < 32; at += 2)
		cim_put16(table + at, 'n');
	for (size_t at = 32; at < size; at += 16)
		cim_put64(table + at + 8, BLOCK);
	cim_cont_digest(table, size, record.table_digest);
	cim_cont_record_encode(&record, whole + BLOCK);
	memfs_put(k->m, "c.bcim", whole, end);
	free(whole);
}

/* A table of 64 MiB is one, a longer one isn't read, nor written. */
static void test_largest_table(void)
{
	const size_t most = 64 << 20;
	struct kit k = kit_new();
	struct cim_image *image;
	struct cim_writer *w;

	k.container = true;
	put_large_table(&k, most + 16);
	gives(&k, cim_image_open(&k.env, "mem/c.bcim/none", &image, &k.err), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "neither"), "16 bytes more than 64 MiB: %s", k.err.cause);
	put_large_table(&k, most);
	gives(&k, cim_image_open(&k.env, "mem/c.bcim/none", &image, &k.err), CIM_E_FILE_NOT_FOUND);
	w = begin(&k, NULL, "x.cim");
	put(&k, w, "data", "text");
	forget_error(&k);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_LIMIT);
	cim_writer_close(w);
	gives(&k, cim_image_open(&k.env, "mem/c.bcim/none", &image, &k.err), CIM_E_FILE_NOT_FOUND);
	put_large_table(&k, most - 16 * 100);
	w = begin(&k, NULL, "x.cim");
	put(&k, w, "data", "text");
	ok(finish(&k, w), "a session whose entries have room writes them");
	kit_free(&k);
}

/* Entries lie in the order of their code units, but are looked up whatever their case. */
static void test_order(void)
{
	static const char *const names[] = {"b.cim", "A.cim", "Z.cim", "c.cim", "_.cim", "a_.cim"};
	struct kit k = kit_new();

	k.container = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct cim_writer *w = begin(&k, NULL, names[i]);

		put(&k, w, "data", names[i]);
		ok(finish(&k, w), "%s is added", names[i]);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		must_be_sound(&k, names[i]);
	must_be_sound(&k, "z.CIM");
	kit_free(&k);
}

/* ---- as a file system ---- */

enum { FILES = 3, MODEL = 3 << 20, STEPS = 400 };

struct model {
	uint8_t *bytes;
	size_t size;
	cim_vfs_file *file;
};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*seed >> 24) % below;
}

/* One write, often at the end or behind it, or one cut or stretch. */
static enum cim_status change(const struct cim_vfs *vfs, struct model *f, uint64_t *seed)
{
	const size_t limits[] = {10, 5000, 70000, 300000};
	size_t at = f->size, len = (size_t)draw(seed, limits[draw(seed, 4)]) + 1;
	long os_error;
	enum cim_status status;

	switch (draw(seed, 8)) {
	case 0: /* cut, or make it longer */
		at = draw(seed, 2) ? (size_t)draw(seed, f->size + 1)
				   : f->size + (size_t)draw(seed, 200000);
		if (at > MODEL)
			return CIM_OK;
		memset(f->bytes + (at < f->size ? at : f->size), 0,
		       at < f->size ? f->size - at : at - f->size);
		f->size = at;
		return vfs->truncate(vfs->ctx, f->file, at, &os_error);
	case 1: /* behind a gap */
		at += (size_t)draw(seed, 100000);
		break;
	case 2: /* over what is there */
		at = f->size > len ? (size_t)draw(seed, f->size - len) : f->size;
		break;
	}
	if (at + len > MODEL)
		return CIM_OK;
	for (size_t i = 0; i < len; i++)
		f->bytes[at + i] = (uint8_t)(1 + draw(seed, 255));
	status = vfs->pwrite(vfs->ctx, f->file, at, f->bytes + at, len, &os_error);
	if (status == CIM_E_UNSUPPORTED) { /* into a hole; part of it may have been written */
		f->size = 0;
		memset(f->bytes, 0, MODEL);
		return vfs->truncate(vfs->ctx, f->file, 0, &os_error);
	}
	if (at + len > f->size)
		f->size = at + len;
	return status;
}

static bool reads_as(const struct cim_vfs *vfs, cim_vfs_file *file, const struct model *f)
{
	static uint8_t buf[MODEL + 1];
	uint64_t size = 0;
	size_t got = 0;
	long os_error;

	return !vfs->size(vfs->ctx, file, &size, &os_error) && size == f->size &&
	       !vfs->pread(vfs->ctx, file, 0, buf, sizeof(buf), &got, &os_error) &&
	       got == f->size && !memcmp(buf, f->bytes, got);
}

static bool random_files(uint64_t seed, bool device)
{
	static const char *const names[FILES] = {"one", "two", "cimtmp_12_fs"};
	struct kit k = kit_new();
	struct cim_env env = k.env;
	struct cim_vfs vfs = *k.env.vfs;
	struct model files[FILES];
	cim_vfs_dir *dir = NULL;
	cim_vfs_file *file;
	bool good = true, unlocked = false;
	long os_error;

	env.vfs = &vfs;
	if (device)
		memfs_put_device(k.m, "c.bcim", 64 << 20);
	must(&k, cim_place_lock(&env, &vfs, "mem/c.bcim", CIM_WRITE_CONTAINER, &dir, &unlocked,
				&k.err));
	for (int i = 0; i < FILES; i++) {
		files[i].bytes = (uint8_t *)calloc(1, MODEL);
		files[i].size = 0;
		must(&k,
		     vfs.open(vfs.ctx, dir, names[i], CIM_VFS_CREATE, &files[i].file, &os_error));
	}
	for (unsigned step = 0; step < STEPS && good; step++) {
		struct model *f = &files[draw(&seed, FILES)];

		good = !change(&vfs, f, &seed) && (step % 16 || reads_as(&vfs, f->file, f));
	}
	good &= !vfs.rename(vfs.ctx, dir, names[2], "image.cim", 0, &os_error);
	for (int i = 0; i < FILES; i++) {
		good &= reads_as(&vfs, files[i].file, &files[i]);
		vfs.close(vfs.ctx, files[i].file);
	}
	vfs.close_dir(vfs.ctx, dir);
	vfs = *k.env.vfs;
	must(&k, cim_place_open(&env, &vfs, "mem/c.bcim", &dir, &k.err));
	for (int i = 0; i < FILES && dir; i++) {
		must(&k, vfs.open(vfs.ctx, dir, i < 2 ? names[i] : "image.cim", CIM_VFS_READ, &file,
				  &os_error));
		good &= reads_as(&vfs, file, &files[i]);
		vfs.close(vfs.ctx, file);
		free(files[i].bytes);
	}
	vfs.close_dir(vfs.ctx, dir);
	kit_free(&k);
	return good;
}

static void test_random_files(void)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		if (!random_files(seed, seed % 2)) {
			ok(false, "files as the model says, seed %" PRIu64, seed);
			return;
		}
	ok(true, "40 times %d random changes of files, by a model", STEPS);
}

/* ---- sessions ---- */

static uint8_t bytes[600000];

static void make_base(struct kit *k)
{
	struct cim_writer *w = begin(k, NULL, "base.cim");

	make_dir(k, w, "dir");
	put(k, w, "dir/file", "some text");
	put_bytes(k, w, "large", bytes, sizeof(bytes));
	put_stream(k, w, "dir/file:s", "a stream");
	finish(k, w);
}

static void tell_story(struct kit *k)
{
	struct cim_writer *w;

	make_base(k);
	w = begin(k, "base.cim", NULL);
	put(k, w, "dir/added", "more text");
	put_bytes(k, w, "known", bytes, sizeof(bytes));
	finish(k, w);
	w = begin(k, "base.cim", "fork.cim");
	must(k, cim_writer_delete(w, cim_str8("dir/file"), &k->err));
	put(k, w, "mine", "of the fork");
	finish(k, w);
	for (int twice = 0; twice < 2; twice++) {
		w = begin_flags(k, "fork.cim", twice ? "twin.cim" : "same.cim",
				CIM_WRITE_CONSISTENT);
		put(k, w, "again", "the same bytes");
		finish(k, w);
	}
	w = begin(k, NULL, "empty.cim");
	finish(k, w);
}

static void test_story(void)
{
	static const char *const images[] = {"base.cim", "fork.cim", "same.cim", "twin.cim",
					     "empty.cim"};
	struct kit plain = kit_new(), k = kit_new();

	k.container = true;
	tell_story(&plain);
	tell_story(&k);
	for (size_t i = 0; i < sizeof(images) / sizeof(*images); i++) {
		char *want = dump(&plain, images[i]);

		is_image(&k, images[i], want, images[i]);
		free(want);
	}
	ok(k.m->now.count == 1 && memfs_exists(k.m, "c.bcim"), "all of it in one file");
	kit_free(&plain);
	kit_free(&k);
}

/* By upkeep, as cimtool rm and files do. */
static unsigned remove_if(struct kit *k, bool (*unwanted)(const struct cim_store_file *file))
{
	const struct cim_store_file *file;
	struct cim_store *store;
	unsigned count = 0;

	must(k, cim_store_open(&k->env, kit_place(k), true, &store, &k->err));
	for (size_t i = 0; (file = cim_store_get(store, i)); i++)
		if (unwanted(file)) {
			must(k, cim_store_remove(store, file->name, &k->err));
			count++;
		}
	must(k, cim_store_sync(store, &k->err));
	cim_store_close(store);
	return count;
}

static bool is_base(const struct cim_store_file *file)
{
	return !strcmp(file->name, "base.cim");
}

static bool is_orphan(const struct cim_store_file *file)
{
	return file->kind != CIM_KIND_IMAGE && !file->owners && !(file->flags & CIM_STORE_IN_USE);
}

static uint64_t sequence(struct kit *k)
{
	uint8_t a[8], b[8];

	memfs_peek(k->m, "c.bcim", BLOCK, a, 8);
	memfs_peek(k->m, "c.bcim", 2 * BLOCK, b, 8);
	return cim_get64(a) > cim_get64(b) ? cim_get64(a) : cim_get64(b);
}

static enum cim_status try_session(struct kit *k, const char *existing, const char *name,
				   unsigned flags, struct cim_writer **w)
{
	return cim_writer_open(&k->env, "mem/c.bcim", existing, name, flags, w, &k->err);
}

/* Images of a store: the container isn't opened for each of them. */
static void test_listed_image(void)
{
	struct kit k = kit_new();
	struct cim_image *image = NULL;
	struct cim_store *store;
	unsigned long opens;
	char *want, *got;

	k.container = true;
	make_base(&k);
	want = dump(&k, "base.cim");
	must(&k, cim_store_open(&k.env, "mem/c.bcim", false, &store, &k.err));
	opens = k.m->count[MEM_OPEN];
	gives(&k, cim_store_open_image(store, "base.cim", &image, &k.err), CIM_OK);
	got = dump_image(&k, image);
	is_str(got, want, "an image that a store has listed");
	is_int((int64_t)(k.m->count[MEM_OPEN] - opens), 0, "is read of what the store has open");
	cim_image_close(image);
	gives(&k, cim_store_open_image(store, "none.cim", &image, &k.err), CIM_E_FILE_NOT_FOUND);
	ok(!image, "there is none of another name");
	gives(&k, cim_store_open_image(store, cim_store_get(store, 1)->name, &image, &k.err),
	      CIM_E_FILE_NOT_FOUND);
	cim_store_close(store);
	free(want);
	free(got);
	kit_free(&k);
}

static void test_upkeep(void)
{
	struct kit k = kit_new();
	struct cim_image *held;
	uint64_t before;
	char *want, *got;

	k.container = true;
	tell_story(&k);
	want = dump(&k, "fork.cim");
	held = open_image(&k, "base.cim");
	before = sequence(&k);
	is_int(remove_if(&k, is_base), 1, "base.cim is removed");
	is_int(remove_if(&k, is_orphan), 0, "its sets are the fork's, too");
	is_image(&k, "fork.cim", want, "which has them");
	is_int(sequence(&k), before + 1, "nothing else was published");
	got = dump_image(&k, held);
	ok(strlen(got) > 100, "who had it open reads on");
	free(got);
	cim_image_close(held);
	free(want);
	kit_free(&k);

	k = kit_new();
	k.container = true;
	make_base(&k);
	before = sequence(&k);
	remove_if(&k, is_base);
	is_int(remove_if(&k, is_orphan), 6, "an image's six files are nobody's then");
	is_int(sequence(&k), before + 2, "they go at once");
	kit_free(&k);
}

static void test_reading_meanwhile(void)
{
	struct kit k = kit_new();
	struct cim_image *image;
	struct cim_writer *w;
	char *old, *got;

	k.container = true;
	make_base(&k);
	old = dump(&k, "base.cim");
	image = open_image(&k, "base.cim");
	w = begin(&k, "base.cim", NULL);
	put_bytes(&k, w, "new", bytes, sizeof(bytes));
	is_image(&k, "base.cim", old, "a reader that opens it while a session writes");
	must(&k, cim_writer_commit(w, &k.err));
	got = dump_image(&k, image);
	ok(!strcmp(got, old), "one that had it open before the commit reads on");
	free(got);
	cim_writer_close(w);
	got = dump(&k, "base.cim");
	ok(strcmp(got, old), "whoever opens it now reads the new one");
	free(got);
	free(old);
	cim_image_close(image);
	kit_free(&k);
}

static void test_locks(void)
{
	struct kit k = kit_new();
	struct cim_writer *w, *second;
	struct cim_image *image, *other;
	const struct cim_store_file *file;
	struct cim_store *store;

	k.container = true;
	make_base(&k);
	w = begin(&k, NULL, "fork.cim");
	gives(&k, try_session(&k, NULL, "x.cim", 0, &second), CIM_E_SHARING);
	gives(&k, cim_store_open(&k.env, "mem/c.bcim", true, &store, &k.err), CIM_E_SHARING);
	finish(&k, w);
	image = open_image(&k, "base.cim");
	other = open_image(&k, "base.cim");
	gives(&k, cim_image_hold(image, CIM_HOLD_TRY, NULL, &k.err), CIM_OK);
	gives(&k, cim_image_hold(other, CIM_HOLD_TRY, NULL, &k.err), CIM_OK);
	gives(&k, cim_image_hold(other, CIM_HOLD_ASK, NULL, &k.err), CIM_E_SHARING);
	must(&k, cim_store_open(&k.env, "mem/c.bcim", false, &store, &k.err));
	for (size_t i = 0; (file = cim_store_get(store, i)); i++)
		if (file->kind == CIM_KIND_IMAGE)
			is_int((file->flags & CIM_STORE_MOUNTED) != 0,
			       !strcmp(file->name, "base.cim"), "%s", file->name);
	cim_store_close(store);
	cim_image_close(other);
	w = begin(&k, "fork.cim", NULL);
	put(&k, w, "x", "y");
	ok(finish(&k, w), "another image in the container isn't mounted");
	w = begin(&k, "base.cim", NULL);
	put(&k, w, "x", "y");
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	cim_image_close(image);
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	image = open_image(&k, "base.cim");
	gives(&k, cim_image_hold(image, CIM_HOLD_TRY, NULL, &k.err), CIM_OK);
	cim_image_close(image);
	cim_writer_close(w);
	must_be_sound(&k, "base.cim");
	k.m->no_locks = true;
	w = begin(&k, "base.cim", NULL);
	put(&k, w, "z", "y");
	ok(cim_writer_unlocked(w), "where there are no locks that is told");
	ok(finish(&k, w), "and done without");
	kit_free(&k);
}

static void test_names(void)
{
	static const char odd[] =
		"\xc3\x84\xf0\x9f\x98\x80 \xed\xa0\x80.cim"; /* a lone surrogate */
	struct kit k = kit_new();
	struct cim_writer *w;
	char longest[300];

	k.container = true;
	w = begin(&k, NULL, odd);
	finish(&k, w);
	must_be_sound(&k, odd);
	memset(longest, 'n', sizeof(longest));
	longest[255] = '\0';
	w = begin(&k, NULL, longest);
	finish(&k, w);
	must_be_sound(&k, longest);
	gives(&k, try_session(&k, NULL, "\xff.cim", 0, &w), CIM_E_INVALID);
	gives(&k, try_session(&k, "BASE.cim", "\xc3\x84.cim", 0, &w), CIM_E_FILE_NOT_FOUND);
	kit_free(&k);
}

static void test_making(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = NULL;
	struct memfs *was;
	uint64_t size;

	gives(&k, try_session(&k, NULL, "x.cim", 0, &w), CIM_E_PATH_NOT_FOUND);
	gives(&k,
	      cim_writer_open(&k.env, "mem/no/c.bcim", NULL, "x.cim", CIM_WRITE_CONTAINER, &w,
			      &k.err),
	      CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_writer_open(&k.env, "mem", NULL, "x.cim", CIM_WRITE_CONTAINER, &w, &k.err),
	      CIM_E_ACCESS);
	gives(&k, try_session(&k, "x.cim", NULL, CIM_WRITE_CONTAINER, &w), CIM_E_FILE_NOT_FOUND);
	gives(&k, try_session(&k, NULL, "x.cim", CIM_WRITE_FORCE, &w), CIM_E_INVALID);
	is_int(k.m->now.count, 0, "a session that can't begin leaves nothing");
	memfs_put(k.m, "c.bcim", "something", 9);
	gives(&k, try_session(&k, NULL, "x.cim", CIM_WRITE_CONTAINER, &w), CIM_E_CORRUPT);
	gives(&k, try_session(&k, NULL, "x.cim", 0, &w), CIM_E_PATH_NOT_FOUND);
	is_int(memfs_size(k.m, "c.bcim"), 9, "what is no container stays as it is");
	memfs_unlink(k.m, "c.bcim");

	k.container = true;
	w = begin(&k, NULL, "x.cim");
	put_bytes(&k, w, "data", bytes, sizeof(bytes));
	ok(memfs_exists(k.m, "c.bcim"), "the session has made a container");
	cim_writer_close(w);
	is_int(k.m->now.count, 0, "without a commit it goes");
	w = begin(&k, NULL, "x.cim");
	memfs_put(k.m, "c.bcim", "another's", 9);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	cim_writer_close(w);
	ok(memfs_exists(k.m, "c.bcim"), "but not what has its name meanwhile");
	memfs_unlink(k.m, "c.bcim");

	make_base(&k);
	was = memfs_clone(k.m);
	w = begin(&k, NULL, "x.cim");
	put_bytes(&k, w, "data", bytes, sizeof(bytes));
	cim_writer_close(w);
	ok(memfs_same_file(was, "c.bcim", k.m, "c.bcim"),
	   "a session without a commit leaves a container as it was");
	gives(&k, try_session(&k, NULL, "base.cim", 0, &w), CIM_E_EXISTS);
	gives(&k, try_session(&k, NULL, "BASE.cim", 0, &w), CIM_E_EXISTS);
	gives(&k, cim_writer_open(&k.env, "mem/c.bcim/", NULL, "base.cim", 0, &w, &k.err),
	      CIM_E_EXISTS);
	is_str(k.err.image, "mem/c.bcim/base.cim", "a separator at the end isn't doubled");
	size = memfs_size(k.m, "c.bcim");
	memfs_poke(k.m, "c.bcim", size + 5000, "a dead session's", 16);
	must_be_sound(&k, "base.cim");
	w = begin(&k, NULL, "x.cim");
	cim_writer_close(w);
	is_int(memfs_size(k.m, "c.bcim"), size, "what lies behind the end goes with a session");
	gives(&k, cim_image_open(&k.env, "mem/c.bcim/base.cim/x", NULL, &k.err), CIM_E_POINTER);
	memfs_free(was);
	kit_free(&k);
}

/* @more: commits before; so the other session writes over this commit record, or that. */
static void test_changed_meanwhile(unsigned more)
{
	struct kit k = kit_new();
	struct cim_writer *w, *second;

	k.container = true;
	make_base(&k);
	if (more)
		finish(&k, begin(&k, NULL, "more.cim"));
	k.m->no_locks = true;
	w = begin(&k, NULL, "x.cim");
	put(&k, w, "data", "lost");
	second = begin(&k, NULL, "y.cim");
	finish(&k, second);
	k.m->no_locks = false;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	cim_writer_close(w);
	must_be_sound(&k, "y.cim");
	w = begin(&k, NULL, "x.cim");
	memfs_unlink(k.m, "c.bcim");
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	cim_writer_close(w);
	kit_free(&k);
}

/* ---- verify ---- */

static uint64_t record_at;

static int note_container(void *ctx, const struct cim_finding *finding)
{
	char *text = (char *)ctx;

	if (!strncmp(finding->message, "commit record", 13))
		record_at = finding->offset;
	if (!strcmp(finding->structure, "container"))
		snprintf(text + strlen(text), 1000 - strlen(text), "%s; ", finding->message);
	return 0;
}

static const char *container_notes(struct kit *k)
{
	static char text[1000];
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = open_image(k, "base.cim");

	text[0] = '\0';
	must(k, cim_image_verify(image, 0, note_container, text, &result, &k->err));
	is_int(result.errors, 0, "no error");
	cim_image_close(image);
	return text;
}

/* What is said to be lost. */
static uint64_t lost(const char *notes)
{
	const char *text = strstr(notes, "nothing refers to ");

	return text ? strtoull(text + strlen("nothing refers to "), NULL, 10) : 0;
}

static void test_verify(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	uint8_t header[512];
	const char *notes;
	char want[300];
	uint64_t end, once;

	k.container = true;
	make_base(&k);
	notes = container_notes(&k);
	once = lost(notes);
	snprintf(want, sizeof(want), "nothing refers to %" PRIu64 " of its %" PRIu64 " bytes; ",
		 once, memfs_size(k.m, "c.bcim"));
	is_str(notes, want, "the empty container's table is lost, at least");
	ok(once >= BLOCK && once % BLOCK == 0 && once < 64 << 10, "and not much more");
	w = begin(&k, NULL, "gone.cim");
	put_bytes(&k, w, "data", bytes, sizeof(bytes));
	finish(&k, w);
	end = memfs_size(k.m, "c.bcim");
	memfs_poke(k.m, "c.bcim", end, "footer", 6);
	memfs_peek(k.m, "c.bcim", 0, header, sizeof(header));
	header[24] = 0x10;
	header[28] = 1;
	cim_cont_digest(header, 496, header + 496);
	memfs_poke(k.m, "c.bcim", 0, header, sizeof(header));
	memfs_poke(k.m, "c.bcim", 2 * BLOCK + 10, "torn", 4);
	notes = container_notes(&k);
	snprintf(want, sizeof(want),
		 "header: reserved field is not zero; header: unknown flags 0x10; commit record B "
		 "doesn't hold: its write was cut off, or it is damaged; nothing refers to %" PRIu64
		 " of its %" PRIu64 " bytes; 6 bytes follow its end; ",
		 lost(notes), end);
	is_str(notes, want, "what a reader passes over");
	is_hex(record_at, 2 * BLOCK, "where the commit record is that doesn't hold");
	ok(lost(notes) > once && lost(notes) < 2 * once + BLOCK, "a table more, and as much again");
	kit_free(&k);
}

/* ---- the calls of struct cim_vfs ---- */

struct inside {
	struct cim_env env;
	struct cim_vfs vfs;
	cim_vfs_dir *dir;
};

static void go_inside(struct kit *k, struct inside *in, const char *path, bool session)
{
	bool unlocked = false;

	in->env = k->env;
	in->vfs = *k->env.vfs;
	in->env.vfs = &in->vfs;
	if (session)
		must(k, cim_place_lock(&in->env, &in->vfs, path, CIM_WRITE_CONTAINER, &in->dir,
				       &unlocked, &k->err));
	else
		must(k, cim_place_open(&in->env, &in->vfs, path, &in->dir, &k->err));
	if (!in->dir)
		bail("no container to go on with");
}

static cim_vfs_file *inner(struct inside *in, const char *name, enum cim_vfs_mode mode)
{
	cim_vfs_file *file = NULL;
	long os_error;

	if (in->vfs.open(in->vfs.ctx, in->dir, name, mode, &file, &os_error))
		bail("can't open %s", name);
	return file;
}

static int lock_of(struct inside *in, const char *name)
{
	enum cim_vfs_lock lock = CIM_LOCK_ALONE;
	long os_error;

	if (in->vfs.is_locked(in->vfs.ctx, in->dir, name, 0, &lock, &os_error))
		return -1;
	return (int)lock;
}

static void test_inner_locks(void)
{
	struct kit k = kit_new();
	cim_vfs_file *a, *b, *held = NULL;
	struct inside in, other;
	enum cim_vfs_lock lock;
	long e;

	build("a", "b");
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	go_inside(&k, &in, "mem/c.bcim", false);
	a = inner(&in, "a", CIM_VFS_READ);
	b = inner(&in, "A", CIM_VFS_READ);
	gives(&k, in.vfs.lock(in.vfs.ctx, a, 0, CIM_LOCK_SHARED, false, &e), CIM_OK);
	gives(&k, in.vfs.lock(in.vfs.ctx, b, 0, CIM_LOCK_SHARED, false, &e), CIM_OK);
	gives(&k, in.vfs.lock(in.vfs.ctx, b, 1, CIM_LOCK_SHARED, false, &e), CIM_E_UNSUPPORTED);
	gives(&k, in.vfs.is_locked(in.vfs.ctx, in.dir, "a", 1, &lock, &e), CIM_E_UNSUPPORTED);
	is_int(lock_of(&in, "a"), CIM_LOCK_SHARED, "a file's lock is shared");
	is_int(lock_of(&in, "b"), CIM_LOCK_NONE, "another's is its own");
	in.vfs.close(in.vfs.ctx, b);
	is_int(lock_of(&in, "a"), CIM_LOCK_SHARED, "by whoever has it still");
	go_inside(&k, &other, "mem/c.bcim/", true);
	gives(&k, other.vfs.hold(other.vfs.ctx, other.dir, "a", 0, true, &held, &e), CIM_E_SHARING);
	gives(&k, other.vfs.hold(other.vfs.ctx, other.dir, "a", 0, false, &held, &e), CIM_OK);
	other.vfs.close(other.vfs.ctx, held);
	in.vfs.close(in.vfs.ctx, a);
	is_int(lock_of(&in, "a"), CIM_LOCK_NONE, "and nobody's then");
	gives(&k, other.vfs.hold(other.vfs.ctx, other.dir, "a", 0, true, &held, &e), CIM_OK);
	is_int(lock_of(&in, "a"), CIM_LOCK_ALONE, "held alone");
	other.vfs.close(other.vfs.ctx, held);
	a = inner(&other, "new", CIM_VFS_CREATE);
	gives(&k, other.vfs.lock(other.vfs.ctx, a, 0, CIM_LOCK_ALONE, false, &e), CIM_OK);
	is_int(lock_of(&other, "new"), CIM_LOCK_ALONE, "a session's own file");
	gives(&k, other.vfs.hold(other.vfs.ctx, other.dir, "new", 0, false, &held, &e),
	      CIM_E_SHARING);
	other.vfs.close(other.vfs.ctx, a);
	is_int(lock_of(&other, "new"), CIM_LOCK_NONE, "closed");
	other.vfs.close_dir(other.vfs.ctx, other.dir);
	in.vfs.close_dir(in.vfs.ctx, in.dir);
	kit_free(&k);
}

static void test_published_files(void)
{
	struct kit k = kit_new();
	cim_vfs_file *file;
	struct inside in;
	uint64_t size;
	long e;

	k.m->vfs.fold_names = k.m->vfs.windows_paths = true;
	build("a", "b");
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	go_inside(&k, &in, "mem\\C.bcim\\", true);
	file = inner(&in, "a", CIM_VFS_UPDATE);
	gives(&k, in.vfs.pwrite(in.vfs.ctx, file, 0, "x", 1, &e), CIM_E_ACCESS);
	gives(&k, in.vfs.truncate(in.vfs.ctx, file, 0, &e), CIM_E_ACCESS);
	gives(&k, in.vfs.sync(in.vfs.ctx, file, &e), CIM_OK);
	gives(&k, in.vfs.size(in.vfs.ctx, file, &size, &e), CIM_OK);
	is_int(size, 5000, "its size");
	in.vfs.close(in.vfs.ctx, file);
	in.vfs.close_dir(in.vfs.ctx, in.dir);
	go_inside(&k, &in, "mem/c.bcim", false);
	file = inner(&in, "a", CIM_VFS_READ);
	memfs_shorten(k.m, "c.bcim", 5 * BLOCK);
	gives(&k, in.vfs.size(in.vfs.ctx, file, &size, &e), CIM_OK);
	is_int(size, 0, "of a container that was cut short what isn't whole isn't there");
	in.vfs.close(in.vfs.ctx, file);
	file = inner(&in, "b", CIM_VFS_READ);
	gives(&k, in.vfs.size(in.vfs.ctx, file, &size, &e), CIM_OK);
	is_int(size, 0, "nor what is behind its end");
	in.vfs.close(in.vfs.ctx, file);
	in.vfs.close_dir(in.vfs.ctx, in.dir);
	kit_free(&k);
}

/* ---- devices ---- */

/* A device is taken for empty by its first and its last MiB, to the byte. */
static void test_ends_of_device(void)
{
	enum { MIB = 1 << 20, SIZE = 4 * MIB };
	static const struct {
		uint32_t at;
		enum cim_status status;
	} rows[] = {
		{0, CIM_E_CORRUPT},	  {MIB - 1, CIM_E_CORRUPT},    {MIB, CIM_OK},
		{SIZE - MIB - 1, CIM_OK}, {SIZE - MIB, CIM_E_CORRUPT}, {SIZE - 1, CIM_E_CORRUPT}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct kit k = kit_new();
		struct cim_writer *w = NULL;

		k.container = true;
		memfs_put_device(k.m, "c.bcim", SIZE);
		memfs_poke(k.m, "c.bcim", rows[i].at, "x", 1);
		is_int(try_session(&k, NULL, "x.cim", CIM_WRITE_CONTAINER, &w), rows[i].status,
		       "a device of zeros, but for byte %u", (unsigned)rows[i].at);
		cim_writer_close(w);
		kit_free(&k);
	}
}

/* Where there are no locks a session looks before each write whether the device is still its own;
 * so it must not take what it has cleared itself for another's doing. */
static void test_device_without_locks(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	struct cim_metadata meta = meta_file(sizeof(bytes));
	static uint8_t all[4 << 20];
	size_t left = 0;

	k.container = true;
	k.m->no_locks = true;
	memfs_put_device(k.m, "c.bcim", sizeof(all));
	w = begin(&k, NULL, "x.cim");
	for (unsigned i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "f%u", i);
		bytes[i] ^= 1;
		gives(&k, try_file(&k, w, name, &meta, bytes, sizeof(bytes)), CIM_OK);
	}
	cim_writer_close(w);
	memfs_peek(k.m, "c.bcim", 0, all, 1 << 20);
	for (size_t i = 0; i < 1 << 20; i++)
		left += all[i] != 0;
	is_int((int)left, 0, "without locks, and without a commit, the first MiB is zeros again");
	make_base(&k);
	must_be_sound(&k, "base.cim");
	kit_free(&k);
}

static void test_device(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = NULL;
	struct cim_metadata meta = meta_file(sizeof(bytes));
	static uint8_t start[2 << 20];
	char *want, *got;

	k.container = true;
	memfs_put_device(k.m, "c.bcim", 2 << 20);
	memfs_poke(k.m, "c.bcim", (2 << 20) - 100, "data", 4);
	gives(&k, try_session(&k, NULL, "x.cim", CIM_WRITE_CONTAINER, &w), CIM_E_CORRUPT);
	gives(&k, try_session(&k, NULL, "x.cim", 0, &w), CIM_E_PATH_NOT_FOUND);
	gives(&k, try_session(&k, NULL, "x.cim", CIM_WRITE_CONTAINER | CIM_WRITE_FORCE, &w),
	      CIM_OK);
	cim_writer_close(w);
	memfs_poke(k.m, "c.bcim", (2 << 20) - 100, "\0\0\0\0", 4);
	w = begin(&k, NULL, "x.cim");
	put(&k, w, "data", "text");
	cim_writer_close(w);
	memfs_peek(k.m, "c.bcim", 0, start, sizeof(start));
	ok(!start[0] && !memcmp(start, start + 1, sizeof(start) - 1),
	   "without a commit a device is all zeros again");
	memfs_unlink(k.m, "c.bcim");
	memfs_put_device(k.m, "c.bcim", 4 << 20);
	memfs_poke(k.m, "c.bcim", 2 << 20, "something in the middle", 23);
	make_base(&k);
	want = dump(&k, "base.cim");
	must_be_sound(&k, "base.cim");
	w = begin(&k, "base.cim", "full.cim");
	for (unsigned i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof(name), "f%u", i);
		bytes[i] ^= 1;
		if (try_file(&k, w, name, &meta, bytes, sizeof(bytes)))
			break;
	}
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_DISK_FULL);
	cim_writer_close(w);
	is_image(&k, "base.cim", want, "a full device has what it had");
	w = begin(&k, "base.cim", NULL);
	put(&k, w, "small", "fits");
	ok(finish(&k, w), "and takes what fits");
	got = dump(&k, "base.cim");
	ok(strcmp(got, want), "which is there then");
	free(got);
	free(want);
	kit_free(&k);
}

/* ---- names, by the calls ---- */

static void hand_inside(struct kit *k, struct inside *in, bool session)
{
	build("a", "b");
	memfs_put(k->m, "c.bcim", hand.bytes, hand.size);
	go_inside(k, in, "mem/c.bcim", session);
}

static void leave(struct inside *in)
{
	in->vfs.close_dir(in->vfs.ctx, in->dir);
}

static enum cim_status opens(struct inside *in, const char *name, enum cim_vfs_mode mode)
{
	cim_vfs_file *file = NULL;
	long e;
	enum cim_status status = in->vfs.open(in->vfs.ctx, in->dir, name, mode, &file, &e);

	in->vfs.close(in->vfs.ctx, file);
	return status;
}

static enum cim_status renames(struct inside *in, const char *from, const char *to, unsigned flags)
{
	long e;

	return in->vfs.rename(in->vfs.ctx, in->dir, from, to, flags, &e);
}

static enum cim_status removes(struct inside *in, const char *name)
{
	long e;

	return in->vfs.remove(in->vfs.ctx, in->dir, name, &e);
}

static void test_readers_names(void)
{
	struct kit k = kit_new();
	struct inside in;
	struct cim_image *image;
	cim_vfs_dir *dir;
	cim_vfs_file *file;
	bool named = false;
	long e;

	hand_inside(&k, &in, false);
	gives(&k, in.vfs.open_dir(in.vfs.ctx, "x", 0, &dir, &e), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_image_open(&in.env, "x/y.cim", &image, &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, opens(&in, "new", CIM_VFS_CREATE), CIM_E_ACCESS);
	gives(&k, opens(&in, "a", CIM_VFS_CREATE), CIM_E_EXISTS);
	gives(&k, renames(&in, "a", "c", 0), CIM_E_ACCESS);
	gives(&k, removes(&in, "a"), CIM_E_ACCESS);
	file = inner(&in, "a", CIM_VFS_READ);
	gives(&k, in.vfs.is_named(in.vfs.ctx, in.dir, "A", file, &named, &e), CIM_OK);
	ok(named, "a file that is open has its name");
	gives(&k, in.vfs.is_named(in.vfs.ctx, in.dir, "b", file, &named, &e), CIM_OK);
	ok(!named, "and not another's");
	gives(&k, in.vfs.is_named(in.vfs.ctx, in.dir, "c", file, &named, &e), CIM_E_FILE_NOT_FOUND);
	in.vfs.close(in.vfs.ctx, file);
	leave(&in);
	kit_free(&k);
}

static void test_bad_names(void)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "a\\b", "a:b", "\xff"};
	struct kit k = kit_new();
	struct inside in;
	char longest[300];

	memset(longest, 'n', sizeof(longest));
	longest[256] = '\0';
	hand_inside(&k, &in, true);
	for (size_t i = 0; i <= sizeof(bad) / sizeof(*bad); i++) {
		const char *name = i < sizeof(bad) / sizeof(*bad) ? bad[i] : longest;

		gives(&k, opens(&in, name, CIM_VFS_READ), CIM_E_INVALID);
		gives(&k, opens(&in, name, CIM_VFS_CREATE), CIM_E_INVALID);
		gives(&k, renames(&in, "a", name, 0), CIM_E_INVALID);
		gives(&k, renames(&in, name, "c", 0), CIM_E_FILE_NOT_FOUND);
		gives(&k, removes(&in, name), CIM_E_FILE_NOT_FOUND);
		is_int(lock_of(&in, name), -1, "'%.5s' has no lock", name);
	}
	gives(&k, opens(&in, "a", CIM_VFS_READ), CIM_OK);
	leave(&in);
	kit_free(&k);
}

/* Files of the session's and such as were there take each other's names; what is published stays.
 */
static void test_sessions_names(void)
{
	static const char set[] = "region_00112233-4455-6677-8899-aabbccddeeff_0";
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *file, *target;
	uint8_t buf[8] = {0};
	size_t got;
	long e;

	hand_inside(&k, &in, true);
	gives(&k, renames(&in, "none", "c", 0), CIM_E_FILE_NOT_FOUND);
	gives(&k, renames(&in, "a", "B", CIM_VFS_NOREPLACE), CIM_E_EXISTS);
	gives(&k, renames(&in, "a", "A", CIM_VFS_NOREPLACE), CIM_OK);
	file = inner(&in, "cimtmp_12_fs", CIM_VFS_CREATE);
	gives(&k, in.vfs.pwrite(in.vfs.ctx, file, 0, "own", 3, &e), CIM_OK);
	gives(&k, renames(&in, "cimtmp_12_fs", "cimtmp_13_fs", 0), CIM_OK);
	gives(&k, renames(&in, "cimtmp_13_fs", set, 0), CIM_OK);
	in.vfs.close(in.vfs.ctx, inner(&in, "other", CIM_VFS_CREATE));
	gives(&k, renames(&in, set, "other", 0), CIM_OK);
	gives(&k, opens(&in, set, CIM_VFS_READ), CIM_E_FILE_NOT_FOUND);
	gives(&k, renames(&in, "other", "cimtmp_14_fs", 0), CIM_OK);
	is_int(sequence(&k), 1, "so far nothing was published");
	target = inner(&in, "b", CIM_VFS_READ);
	gives(&k, renames(&in, "cimtmp_14_fs", "b", 0), CIM_OK);
	is_int(sequence(&k), 2, "the new b is");
	gives(&k, in.vfs.pread(in.vfs.ctx, target, 0, buf, 3, &got, &e), CIM_OK);
	is_mem(buf, "bbb", 3, "who had the old one open reads that");
	in.vfs.close(in.vfs.ctx, target);
	gives(&k, in.vfs.pwrite(in.vfs.ctx, file, 0, "x", 1, &e), CIM_E_ACCESS);
	gives(&k, in.vfs.truncate(in.vfs.ctx, file, 0, &e), CIM_E_ACCESS);
	gives(&k, in.vfs.sync(in.vfs.ctx, file, &e), CIM_OK);
	in.vfs.close(in.vfs.ctx, file);
	gives(&k, renames(&in, "A", "b", 0), CIM_OK);
	gives(&k, in.vfs.sync_dir(in.vfs.ctx, in.dir, &e), CIM_OK);
	is_int(sequence(&k), 3, "a name that was replaced goes with the next sync");
	leave(&in);
	gives(&k, read_inner(&k, "a", 0, buf, 3, &got), CIM_E_FILE_NOT_FOUND);
	gives(&k, read_inner(&k, "b", 0, buf, 3, &got), CIM_OK);
	is_mem(buf, "aaa", 3, "b is what was a");
	kit_free(&k);
}

/* Who removes and doesn't sync has it published at the latest when the place is closed. */
static void test_removed_at_close(void)
{
	struct kit k = kit_new();
	struct inside in;
	uint8_t byte;
	size_t got;

	hand_inside(&k, &in, true);
	gives(&k, removes(&in, "a"), CIM_OK);
	is_int(sequence(&k), 1, "removed, but not published");
	leave(&in);
	is_int(sequence(&k), 2, "closing publishes it");
	gives(&k, read_inner(&k, "a", 0, &byte, 1, &got), CIM_E_FILE_NOT_FOUND);
	gives(&k, read_inner(&k, "b", 0, &byte, 1, &got), CIM_OK);
	kit_free(&k);
}

/* Of what a device held nothing stays in the rest of the table's last block. */
static void test_rest_of_table(void)
{
	static uint8_t old[1 << 20], block[BLOCK];
	struct kit k = kit_new();
	struct cim_writer *w = NULL;
	uint64_t table, length;
	size_t left = 0;

	k.container = true;
	memset(old, 0xee, sizeof(old));
	memfs_put_device(k.m, "c.bcim", sizeof(old));
	memfs_poke(k.m, "c.bcim", 0, old, sizeof(old));
	must(&k, try_session(&k, NULL, "x.cim", CIM_WRITE_CONTAINER | CIM_WRITE_FORCE, &w));
	finish(&k, w);
	memfs_peek(k.m, "c.bcim", 2 * BLOCK, block, sizeof(block));
	table = cim_get64(block + 8);
	length = cim_get64(block + 16);
	memfs_peek(k.m, "c.bcim", table + length / BLOCK * BLOCK, block, sizeof(block));
	for (size_t i = length % BLOCK; i < BLOCK; i++)
		left += block[i] != 0;
	ok(table && length % BLOCK, "a table of %u bytes", (unsigned)length);
	is_int(left, 0, "bytes behind it that the device had");
	kit_free(&k);
}

/* ---- locks, by the calls ---- */

static enum cim_status locks(struct inside *in, cim_vfs_file *file, enum cim_vfs_lock how)
{
	long e;

	return in->vfs.lock(in->vfs.ctx, file, 0, how, false, &e);
}

static enum cim_status holds(struct inside *in, const char *name, uint64_t number, bool alone)
{
	cim_vfs_file *file = NULL;
	long e;
	enum cim_status status = in->vfs.hold(in->vfs.ctx, in->dir, name, number, alone, &file, &e);

	in->vfs.close(in->vfs.ctx, file);
	return status;
}

static void test_own_locks(void)
{
	struct kit k = kit_new();
	cim_vfs_file *a, *b;
	struct inside in;

	hand_inside(&k, &in, true);
	a = inner(&in, "new", CIM_VFS_CREATE);
	b = inner(&in, "new", CIM_VFS_UPDATE);
	gives(&k, locks(&in, a, CIM_LOCK_SHARED), CIM_OK);
	gives(&k, locks(&in, b, CIM_LOCK_SHARED), CIM_OK);
	is_int(lock_of(&in, "new"), CIM_LOCK_SHARED, "shared by two");
	gives(&k, locks(&in, b, CIM_LOCK_ALONE), CIM_E_SHARING);
	gives(&k, locks(&in, a, CIM_LOCK_NONE), CIM_OK);
	gives(&k, locks(&in, b, CIM_LOCK_ALONE), CIM_OK);
	gives(&k, locks(&in, a, CIM_LOCK_SHARED), CIM_E_SHARING);
	gives(&k, locks(&in, a, CIM_LOCK_ALONE), CIM_E_SHARING);
	gives(&k, locks(&in, a, CIM_LOCK_NONE), CIM_OK);
	is_int(lock_of(&in, "new"), CIM_LOCK_ALONE, "who hasn't it gives nothing back");
	gives(&k, locks(&in, b, CIM_LOCK_SHARED), CIM_OK);
	is_int(lock_of(&in, "new"), CIM_LOCK_SHARED, "who has it may share it");
	in.vfs.close(in.vfs.ctx, b);
	is_int(lock_of(&in, "new"), CIM_LOCK_NONE, "and closing gives it back");
	gives(&k, holds(&in, "new", 0, false), CIM_OK);
	gives(&k, holds(&in, "new", 0, true), CIM_OK);
	gives(&k, locks(&in, a, CIM_LOCK_SHARED), CIM_OK);
	gives(&k, holds(&in, "new", 0, true), CIM_E_SHARING);
	in.vfs.close(in.vfs.ctx, a);
	leave(&in);
	kit_free(&k);
}

static void test_published_locks(void)
{
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *a;

	hand_inside(&k, &in, false);
	a = inner(&in, "a", CIM_VFS_READ);
	gives(&k, locks(&in, a, CIM_LOCK_ALONE), CIM_E_UNSUPPORTED);
	gives(&k, locks(&in, a, CIM_LOCK_NONE), CIM_OK);
	k.m->no_locks = true;
	gives(&k, locks(&in, a, CIM_LOCK_SHARED), CIM_E_UNSUPPORTED);
	k.m->no_locks = false;
	is_int(lock_of(&in, "a"), CIM_LOCK_NONE, "what was refused isn't held");
	gives(&k, locks(&in, a, CIM_LOCK_SHARED), CIM_OK);
	gives(&k, locks(&in, a, CIM_LOCK_SHARED), CIM_OK);
	gives(&k, locks(&in, a, CIM_LOCK_NONE), CIM_OK);
	is_int(lock_of(&in, "a"), CIM_LOCK_NONE, "shared twice by one is shared once");
	in.vfs.close(in.vfs.ctx, a);
	gives(&k, holds(&in, "a", 1, false), CIM_E_UNSUPPORTED);
	gives(&k, holds(&in, "none", 0, false), CIM_E_FILE_NOT_FOUND);
	is_int(lock_of(&in, "none"), -1, "what isn't there has no lock");
	gives(&k, holds(&in, "a", 0, false), CIM_OK);
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	gives(&k, holds(&in, "a", 0, false), CIM_E_SHARING);
	leave(&in);
	kit_free(&k);
}

/* Below are fewer calls than there may be. */
static void test_fewer_calls(void)
{
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *file;
	uint64_t len = 100, place = 7;

	k.m->vfs.is_named = NULL;
	k.m->vfs.is_device = NULL;
	hand_inside(&k, &in, false);
	gives(&k, holds(&in, "a", 0, false), CIM_OK);
	file = inner(&in, "a", CIM_VFS_READ);
	is_int(in.vfs.map(in.vfs.ctx, file, 0, &len, &place), -1, "no map() below");
	in.vfs.close(in.vfs.ctx, file);
	leave(&in);
	k.m->vfs.hold = NULL;
	hand_inside(&k, &in, true);
	gives(&k, holds(&in, "a", 0, false), CIM_E_UNSUPPORTED);
	in.vfs.close(in.vfs.ctx, inner(&in, "cimtmp_12_fs", CIM_VFS_CREATE));
	gives(&k, renames(&in, "cimtmp_12_fs", "c.cim", 0), CIM_OK);
	is_int(sequence(&k), 2, "it is published");
	leave(&in);
	memfs_put(k.m, "c.bcim", "something", 9);
	gives(&k, read_inner(&k, "a", 0, &len, 1, &(size_t){0}), CIM_E_PATH_NOT_FOUND);
	kit_free(&k);
}

/* ---- bytes, by the calls ---- */

static uint64_t next_data(struct inside *in, cim_vfs_file *file, uint64_t offset)
{
	uint64_t data = UINT64_MAX;
	long e;

	return in->vfs.next_data(in->vfs.ctx, file, offset, &data, &e) ? UINT64_MAX : data;
}

/* What a file had, and gives back when it is cut, the next one gets: nothing of it is lost, and
 * what the next one doesn't write reads as zeros. */
static void test_room_again(void)
{
	enum { SIZE = 1 << 20 };
	static uint8_t written[SIZE], got[SIZE];
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *one, *two;
	uint64_t end;
	size_t n = 0;
	long e;

	go_inside(&k, &in, "mem/c.bcim", true);
	one = inner(&in, "one", CIM_VFS_CREATE);
	memset(written, 0xee, sizeof(written));
	gives(&k, in.vfs.pwrite(in.vfs.ctx, one, 0, written, SIZE, &e), CIM_OK);
	end = memfs_size(k.m, "c.bcim");
	gives(&k, in.vfs.truncate(in.vfs.ctx, one, 0, &e), CIM_OK);
	two = inner(&in, "two", CIM_VFS_CREATE);
	gives(&k, in.vfs.pwrite(in.vfs.ctx, two, SIZE - 1, "x", 1, &e), CIM_OK);
	is_int(memfs_size(k.m, "c.bcim"), end, "the room of one file is another's");
	gives(&k, in.vfs.pread(in.vfs.ctx, two, 0, got, SIZE, &n, &e), CIM_OK);
	ok(n == SIZE && !got[0] && !memcmp(got, got + 1, SIZE - 2) && got[SIZE - 1] == 'x',
	   "without what the one had there");
	in.vfs.close(in.vfs.ctx, one);
	in.vfs.close(in.vfs.ctx, two);
	leave(&in);
	kit_free(&k);
}

static enum cim_status cant_look(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *data,
				 long *os_error)
{
	(void)ctx;
	(void)file;
	*data = offset + 1;
	*os_error = 5;
	return CIM_E_IO;
}

/* The hand-made container, in which the file b has an extent of @size bytes: those that were there,
 * one in the @middle, and the last one. */
static void put_hollow(struct kit *k, uint64_t size, uint64_t middle, uint32_t flags)
{
	const uint64_t place = 6 * BLOCK;

	build("a", "b");
	cim_put32(hand.bytes + 24, flags);
	cim_put64(hand.bytes + hand.extent[1] + 8, size);
	cim_put64(hand.bytes + hand.entry[1], size);
	cim_put64(hand.bytes + BLOCK + 24, place + size);
	seal_again(0);
	memfs_put(k->m, "c.bcim", hand.bytes, hand.size);
	memfs_poke(k->m, "c.bcim", place + middle, "x", 1);
	memfs_poke(k->m, "c.bcim", place + size - 1, "", 1);
}

/* Where the data of b begin, from @offset on. */
static uint64_t hollow_data(struct kit *k, uint64_t offset)
{
	struct inside in;
	cim_vfs_file *b;
	uint64_t data;

	go_inside(k, &in, "mem/c.bcim", false);
	b = inner(&in, "b", CIM_VFS_READ);
	data = next_data(&in, b, offset);
	in.vfs.close(in.vfs.ctx, b);
	leave(&in);
	return data;
}

/* Of a large extent the container's file has few bytes: who looks for data finds these. */
static void test_holes_below(void)
{
	const uint64_t size = UINT64_C(1) << 40, middle = UINT64_C(1) << 39;
	struct kit k = kit_new();
	uint8_t root[32];

	put_hollow(&k, size, middle, 0);
	is_int(hollow_data(&k, 99), 99, "where bytes are");
	is_int(hollow_data(&k, BLOCK), (int64_t)middle, "behind them is a hole");
	is_int(hollow_data(&k, middle + BLOCK), (int64_t)(size - BLOCK), "and one more");
	k.m->vfs.next_data = cant_look;
	is_int((int64_t)hollow_data(&k, BLOCK), -1, "where the container can't be looked at");
	k.m->vfs.next_data = NULL;
	is_int(hollow_data(&k, BLOCK), BLOCK, "so they are where nobody can be asked");
	kit_free(&k);
	k = kit_new();
	put_hollow(&k, 64 * BLOCK, 32 * BLOCK, CIM_CONT_TO_BE_SEALED);
	is_int(hollow_data(&k, BLOCK), 32 * BLOCK, "a hole of what isn't sealed yet");
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", root, NULL, &k.err), CIM_OK);
	is_int(hollow_data(&k, BLOCK), BLOCK, "what is sealed has to be read");
	kit_free(&k);
}

static void test_holes(void)
{
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *a, *b;
	uint64_t len = 9000, place = 7, size;
	uint8_t buf[2 * BLOCK];
	size_t got;
	long e;

	k.m->vfs.map = map_any;
	build("a", "b");
	cim_put64(hand.bytes + hand.extent[1], 0);	      /* b has a hole, */
	cim_put64(hand.bytes + hand.entry[1], 3 * BLOCK + 5); /* and goes on behind it */
	seal_again(0);
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	go_inside(&k, &in, "mem/c.bcim", false);
	a = inner(&in, "a", CIM_VFS_READ);
	b = inner(&in, "b", CIM_VFS_READ);
	is_int(next_data(&in, a, 0), 0, "data begin at once");
	is_int(next_data(&in, a, 4999), 4999, "up to the end");
	is_int(next_data(&in, a, 5000), 5000, "where they end");
	is_int(next_data(&in, a, 9999), 9999, "behind it there are none");
	is_int(next_data(&in, b, 0), 3 * BLOCK + 5, "a hole has none");
	is_int(next_data(&in, b, 2 * BLOCK), 3 * BLOCK + 5, "nor what no extent covers");
	is_int(in.vfs.map(in.vfs.ctx, a, 10, &len, &place), 42, "data are mapped");
	ok(place == 4 * BLOCK + 10 && len == 5000 - 10, "where they lie: %u bytes", (unsigned)len);
	is_int(in.vfs.map(in.vfs.ctx, b, 10, &len, &place), -1, "a hole isn't");
	gives(&k, locks(&in, b, CIM_LOCK_SHARED), CIM_OK);
	is_int(lock_of(&in, "b"), CIM_LOCK_SHARED, "a file of no place has a lock");
	is_int(lock_of(&in, "a"), CIM_LOCK_NONE, "of its own");
	memfs_shorten(k.m, "c.bcim", 6 * BLOCK);
	gives(&k, in.vfs.size(in.vfs.ctx, a, &size, &e), CIM_OK);
	is_int(size, 5000, "a file in front of a cut is whole");
	gives(&k, in.vfs.size(in.vfs.ctx, b, &size, &e), CIM_OK);
	is_int(size, 3 * BLOCK + 5, "and what has no place");
	memfs_shorten(k.m, "c.bcim", 4 * BLOCK + 100);
	gives(&k, in.vfs.pread(in.vfs.ctx, a, 0, buf, sizeof(buf), &got, &e), CIM_OK);
	is_int(got, 100, "a read ends at the cut");
	in.vfs.close(in.vfs.ctx, a);
	in.vfs.close(in.vfs.ctx, b);
	leave(&in);
	kit_free(&k);
}

/* A hole takes no room, whoever asks. */
static void test_room_of_holes(void)
{
	struct cim_container_info info = {CIM_SIZED(info)};
	struct kit k = kit_new();

	build("a", "b");
	cim_put64(hand.bytes + hand.extent[1], 0);
	seal_again(0);
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	gives(&k, cim_container_get_info(&k.env, "mem/c.bcim", &info, &k.err), CIM_OK);
	is_int(info.used, 6 * BLOCK, "header, records, table and what isn't the hole are used");
	is_int(info.lost, BLOCK, "what the hole might have been is lost");
	kit_free(&k);
}

static enum cim_status publish(struct inside *in, const char *name)
{
	in->vfs.close(in->vfs.ctx, inner(in, "cimtmp_12_fs", CIM_VFS_CREATE));
	return renames(in, "cimtmp_12_fs", name, 0);
}

/* ---- where a session's files lie ---- */

static const struct cim_cont_node *node_of(cim_vfs_file *file)
{
	return cim_cont_file_of(file)->node;
}

static cim_vfs_file *put_at(struct inside *in, const char *name, uint64_t offset, const void *data,
			    size_t len)
{
	cim_vfs_file *file = inner(in, name, CIM_VFS_CREATE);
	long e;

	if (in->vfs.pwrite(in->vfs.ctx, file, offset, data, len, &e))
		bail("%s can't be written", name);
	return file;
}

static unsigned count_bytes(const struct memfs *m, uint64_t from, uint64_t to, uint8_t wanted)
{
	static uint8_t buf[1 << 20];
	unsigned count = 0;

	memfs_peek(m, "c.bcim", from, buf, (size_t)(to - from));
	for (size_t i = 0; i < to - from; i++)
		count += buf[i] == wanted;
	return count;
}

/* Five files, the room of some of which is given back, and taken again in part. */
static void take_and_give(struct inside *in, cim_vfs_file **files)
{
	static const struct {
		const char *name;
		size_t len, cut;
	} rows[] = {{"one", 65536, BLOCK},
		    {"two", 5000, 0},
		    {"three", 10, 0}, /* where the first was */
		    {"four", 10, 0},
		    {"five", 65536, BLOCK}};
	static uint8_t data[65536];
	long e;

	memset(data, 0xee, sizeof(data));
	for (unsigned i = 0; i < 5; i++) {
		files[i] = put_at(in, rows[i].name, 0, data, rows[i].len);
		if (i == 1)
			in->vfs.truncate(in->vfs.ctx, files[0], rows[0].cut, &e);
		else if (i == 4)
			in->vfs.truncate(in->vfs.ctx, files[i], rows[i].cut, &e);
	}
}

/* What nobody has in the end is zeros, whatever was there: what this session wrote and cut off,
 * what a dead one left behind the end, what a device held. */
static void test_left_room(bool device)
{
	static uint8_t rubbish[1 << 20];
	const char *what = device ? "a device" : "a file";
	struct kit k = kit_new();
	struct inside in;
	const struct cim_container *c;
	cim_vfs_file *files[5];
	uint64_t end;

	memset(rubbish, 0xdd, sizeof(rubbish));
	if (device)
		memfs_put_device(k.m, "c.bcim", 4 << 20);
	go_inside(&k, &in, "mem/c.bcim", true);
	gives(&k, publish(&in, "first.cim"), CIM_OK);
	end = cim_cont_of(&in.vfs, in.dir)->now.end;
	leave(&in);
	memfs_poke(k.m, "c.bcim", end, rubbish, sizeof(rubbish));
	go_inside(&k, &in, "mem/c.bcim", true);
	c = cim_cont_of(&in.vfs, in.dir);
	if (!device)
		is_int(memfs_size(k.m, "c.bcim"), end, "a session begins with a cut at the end");
	take_and_give(&in, files);
	gives(&k, publish(&in, "second.cim"), CIM_OK);
	if (!device)
		is_int(memfs_size(k.m, "c.bcim"), c->now.end, "a commit cuts at the new one");
	is_int(count_bytes(k.m, end, c->now.end, 0xdd), 0, "%s: nothing of what was there is left",
	       what);
	is_int(count_bytes(k.m, end, c->now.end, 0xee), 2 * BLOCK + 5000 + 10 + 10,
	       "%s: nor of what was written and cut off", what);
	for (unsigned i = 0; i < 5; i++)
		in.vfs.close(in.vfs.ctx, files[i]);
	leave(&in);
	kit_free(&k);
}

/* Room of two files side by side, of which only the second wrote all of its, is given back, in the
 * one order or the other: what is zeros already and what isn't stay apart. */
static void test_room_side_by_side(bool second_first)
{
	static uint8_t data[65536];
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *one, *two, *last;
	uint64_t end;
	long e;

	memset(data, 0xee, sizeof(data));
	go_inside(&k, &in, "mem/c.bcim", true);
	end = cim_cont_of(&in.vfs, in.dir)->now.end;
	one = put_at(&in, "one", 0, data, 10);
	two = put_at(&in, "two", 0, data, sizeof(data));
	last = put_at(&in, "last", 0, data, 10);
	for (unsigned i = 0; i < 2; i++) {
		if ((i == 0) == second_first)
			gives(&k, in.vfs.truncate(in.vfs.ctx, two, 0, &e), CIM_OK);
		else
			gives(&k, in.vfs.sync(in.vfs.ctx, one, &e), CIM_OK);
	}
	gives(&k, publish(&in, "x.cim"), CIM_OK);
	is_int(count_bytes(k.m, end, cim_cont_of(&in.vfs, in.dir)->now.end, 0xee), 20,
	       "all that was cut off is cleared, %s",
	       second_first ? "the written room first" : "the written room last");
	in.vfs.close(in.vfs.ctx, one);
	in.vfs.close(in.vfs.ctx, two);
	in.vfs.close(in.vfs.ctx, last);
	leave(&in);
	kit_free(&k);
}

static void test_joining(void)
{
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *file;
	long e;

	go_inside(&k, &in, "mem/c.bcim", true);
	file = put_at(&in, "alone", 0, bytes, BLOCK);
	for (uint64_t at = BLOCK; at < 1 << 20; at += BLOCK)
		must(&k, in.vfs.pwrite(in.vfs.ctx, file, at, bytes, BLOCK, &e));
	is_int(node_of(file)->count, 1, "extents that follow each other are one");
	in.vfs.close(in.vfs.ctx, file);
	leave(&in);
	kit_free(&k);
}

/* Two files that grow in turn: an eighth of what each has, no less than 64 KiB. */
static void test_growing(void)
{
	enum { SIZE = 2 << 20, LEAST = 64 << 10 };
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *one, *two, *far;
	const struct cim_cont_node *node;
	uint64_t reach = 0;
	unsigned wrong = 0;
	long e;

	go_inside(&k, &in, "mem/c.bcim", true);
	one = inner(&in, "one", CIM_VFS_CREATE);
	two = inner(&in, "two", CIM_VFS_CREATE);
	for (uint64_t at = 0; at < SIZE; at += BLOCK) {
		must(&k, in.vfs.pwrite(in.vfs.ctx, one, at, bytes, BLOCK, &e));
		must(&k, in.vfs.pwrite(in.vfs.ctx, two, at, bytes, BLOCK, &e));
	}
	node = node_of(one);
	for (size_t i = 0; i < node->count; i++) {
		const uint64_t eighth = (reach / 8 + BLOCK - 1) / BLOCK * BLOCK;

		wrong += node->extents[i].len != (eighth < LEAST ? LEAST : eighth);
		reach += node->extents[i].len;
	}
	is_int(wrong, 0, "each extent is an eighth of the file, or 64 KiB: of %u",
	       (unsigned)node->count);
	ok(reach >= SIZE && node->count > 8, "and there are several");
	far = put_at(&in, "far", UINT64_C(1) << 30, "x", 1);
	is_int(node_of(far)->extents[1].len, 64 << 20, "no extent is of more than 64 MiB");
	gives(&k, publish(&in, "x.cim"), CIM_OK);
	is_int(node_of(far)->extents[1].len, BLOCK, "once published it has no room to spare");
	in.vfs.close(in.vfs.ctx, one);
	in.vfs.close(in.vfs.ctx, two);
	in.vfs.close(in.vfs.ctx, far);
	leave(&in);
	kit_free(&k);
}

/* A gap of 8 whole blocks is a hole, one of 7 is written as zeros. */
static void test_gaps(void)
{
	static const struct {
		const char *name;
		uint64_t first, at; /* so many bytes, then one more there */
		unsigned extents;
	} rows[] = {
		{"seven", 1, 8 * BLOCK, 1},
		{"nearly eight", 1, 9 * BLOCK - 1, 1},
		{"eight", 1, 9 * BLOCK, 3},
		{"eight and a part", 1, 10 * BLOCK - 1, 3},
		{"eight from an end", BLOCK, 9 * BLOCK, 3},
		{"seven from an end", BLOCK, 8 * BLOCK, 1},
	};
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *one, *two;

	go_inside(&k, &in, "mem/c.bcim", true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cim_vfs_file *file = put_at(&in, rows[i].name, 0, bytes, rows[i].first);
		const struct cim_cont_node *node = node_of(file);
		long e;

		gives(&k, in.vfs.pwrite(in.vfs.ctx, file, rows[i].at, "x", 1, &e), CIM_OK);
		is_int(node->count, rows[i].extents, "%s: extents", rows[i].name);
		if (rows[i].extents == 3)
			ok(!node->extents[1].place && node->extents[1].len == 8 * BLOCK,
			   "%s: the hole", rows[i].name);
		in.vfs.close(in.vfs.ctx, file);
	}
	one = put_at(&in, "hole one", 100 * BLOCK, "x", 1);
	two = put_at(&in, "hole two", 100 * BLOCK, "x", 1);
	gives(&k, publish(&in, "x.cim"), CIM_OK);
	gives(&k, locks(&in, one, CIM_LOCK_SHARED), CIM_OK);
	is_int(lock_of(&in, "hole one"), CIM_LOCK_SHARED,
	       "a file that begins with a hole is locked");
	is_int(lock_of(&in, "hole two"), CIM_LOCK_NONE,
	       "for itself: by the first data that it has");
	in.vfs.close(in.vfs.ctx, one);
	in.vfs.close(in.vfs.ctx, two);
	leave(&in);
	kit_free(&k);
}

/* ---- many names go, and some come again ---- */

enum { MANY = 500 };

struct names {
	char at[MANY + 1][16];
	bool there[MANY + 1];
	unsigned count, wrong;
};

static enum cim_status take_name(void *arg, const char *name)
{
	struct names *names = arg;

	if (names->count < MANY)
		snprintf(names->at[names->count++], sizeof(names->at[0]), "%s", name);
	return CIM_OK;
}

static enum cim_status check_name(void *arg, const char *name)
{
	struct names *names = arg;
	unsigned i = 0;

	while (i <= MANY && strcmp(names->at[i], name))
		i++;
	names->wrong += i > MANY || !names->there[i];
	names->count++;
	return CIM_OK;
}

/* Are just those there that must be? */
static unsigned wrong_names(struct inside *in, struct names *names)
{
	unsigned want = 0;
	long ignored;

	names->count = names->wrong = 0;
	in->vfs.list(in->vfs.ctx, in->dir, check_name, names, &ignored);
	for (unsigned i = 0; i <= MANY; i++) {
		want += names->there[i];
		names->wrong += (opens(in, names->at[i], CIM_VFS_READ) == CIM_OK) !=
				names->there[i];
	}
	return names->wrong + (names->count != want);
}

static void test_many_removed(void)
{
	static struct names names;
	struct kit k = kit_new();
	struct inside in;
	uint64_t seed = 77;
	unsigned wrong = 0;
	long e;

	put_many(&k, MANY, 1);
	go_inside(&k, &in, "mem/c.bcim", true);
	in.vfs.list(in.vfs.ctx, in.dir, take_name, &names, &e);
	is_int(names.count, MANY, "all of them are listed");
	for (unsigned i = 0; i < MANY; i++)
		names.there[i] = true;
	for (unsigned step = 0; step < 2000; step++) {
		const unsigned i = (unsigned)draw(&seed, MANY);

		/* Few come again, so that there are gaps of all sizes. */
		if (!names.there[i] && draw(&seed, 20))
			continue;
		if (names.there[i])
			wrong += removes(&in, names.at[i]) != CIM_OK;
		else
			in.vfs.close(in.vfs.ctx, inner(&in, names.at[i], CIM_VFS_CREATE));
		names.there[i] = !names.there[i];
		if (step % 40 == 0)
			wrong += wrong_names(&in, &names);
	}
	strcpy(names.at[MANY], "m.cim");
	names.there[MANY] = true;
	gives(&k, publish(&in, "m.cim"), CIM_OK);
	wrong += wrong_names(&in, &names);
	leave(&in);
	go_inside(&k, &in, "mem/c.bcim", false);
	wrong += wrong_names(&in, &names);
	leave(&in);
	is_int(wrong, 0, "what was removed, and came again, is all that is");
	kit_free(&k);
}

static void test_sizes(void)
{
	struct kit k = kit_new();
	struct inside in;
	cim_vfs_file *file;
	uint64_t size = 1;
	long e;

	hand_inside(&k, &in, true);
	file = inner(&in, "new", CIM_VFS_CREATE);
	gives(&k, in.vfs.pwrite(in.vfs.ctx, file, INT64_MAX, "x", 1, &e), CIM_E_TOO_LARGE);
	gives(&k,
	      in.vfs.pwrite(in.vfs.ctx, file, INT64_MAX - CIM_CONT_LARGEST_GROW - 1, "xyz", 3, &e),
	      CIM_E_TOO_LARGE);
	gives(&k, in.vfs.truncate(in.vfs.ctx, file, (uint64_t)INT64_MAX + 1, &e), CIM_E_TOO_LARGE);
	gives(&k, in.vfs.pwrite(in.vfs.ctx, file, 5000, "", 0, &e), CIM_OK);
	gives(&k, in.vfs.size(in.vfs.ctx, file, &size, &e), CIM_OK);
	is_int(size, 0, "what was refused, or was nothing, changes nothing");
	is_int(next_data(&in, file, 0), 0, "an empty file has no data");
	gives(&k, in.vfs.pwrite(in.vfs.ctx, file, UINT64_C(1) << 40, "x", 1, &e), CIM_OK);
	is_int(next_data(&in, file, 0), INT64_C(1) << 40, "behind a large hole there is a byte");
	gives(&k, in.vfs.sync(in.vfs.ctx, file, &e), CIM_OK);
	gives(&k, publish(&in, "x.cim"), CIM_OK);
	ok(memfs_size(k.m, "c.bcim") < 64 * BLOCK, "for which no more than its room is kept: %u",
	   (unsigned)memfs_size(k.m, "c.bcim"));
	gives(&k, locks(&in, file, CIM_LOCK_SHARED), CIM_OK);
	in.vfs.close(in.vfs.ctx, file);
	leave(&in);
	kit_free(&k);
}

/* What is written behind a gap, each call and each allocation of which fails once. */
static void test_failing_gaps(void)
{
	unsigned tries = 0, wrong = 0;

	for (unsigned memory = 0; memory < 2; memory++) {
		const enum cim_status error = memory ? CIM_E_NO_MEMORY : CIM_E_IO;
		bool failed = true;

		for (unsigned long at = 1; failed; at++, tries++) {
			struct kit k = kit_new();
			struct inside in;
			cim_vfs_file *file;
			uint64_t size = 0;
			const char *why;
			enum cim_status status;
			long e;

			hand_inside(&k, &in, true);
			file = inner(&in, "new", CIM_VFS_CREATE);
			must(&k, in.vfs.pwrite(in.vfs.ctx, file, 0, "first", 5, &e));
			*(memory ? &k.m->fail_alloc : &k.m->fail_at) = at + (memory ? k.m->allocs
										    : k.m->ops);
			k.m->fail_status = CIM_E_IO;
			status = in.vfs.pwrite(in.vfs.ctx, file, 200000, bytes, 100000, &e);
			failed = k.m->failed || k.m->failed_allocs;
			k.m->fail_at = k.m->fail_alloc = 0;
			must(&k, in.vfs.size(in.vfs.ctx, file, &size, &e));
			wrong += (status && (status != error || !failed)) ||
				 size != (status ? 5 : 300000);
			in.vfs.close(in.vfs.ctx, file);
			leave(&in);
			wrong += !memfs_is_clean(k.m, &why);
			memfs_free(k.m);
		}
	}
	is_int(wrong, 0, "the file ends where it did, or all is there");
	ok(tries > 5, "%u tries", tries);
}

/* ---- sessions that can't begin, or end ---- */

static enum cim_status not_named(void *ctx, cim_vfs_dir *dir, const char *name, cim_vfs_file *file,
				 bool *named, long *os_error)
{
	(void)ctx;
	(void)dir;
	(void)name;
	(void)file;
	*named = true;
	*os_error = 2;
	return CIM_E_FILE_NOT_FOUND;
}

static void test_refused_commits(void)
{
	struct kit k = kit_new();
	struct inside in;

	build("a", "b");
	seal_record(0, UINT64_MAX);
	memfs_put(k.m, "c.bcim", hand.bytes, hand.size);
	go_inside(&k, &in, "mem/c.bcim", true);
	gives(&k, publish(&in, "new.cim"), CIM_E_LIMIT);
	gives(&k, opens(&in, "new.cim", CIM_VFS_READ), CIM_E_FILE_NOT_FOUND);
	gives(&k, opens(&in, "cimtmp_12_fs", CIM_VFS_READ), CIM_OK);
	leave(&in);
	ok(sequence(&k) == UINT64_MAX, "behind the last sequence there is none");
	k.m->vfs.is_named = not_named;
	hand_inside(&k, &in, true);
	gives(&k, publish(&in, "b"), CIM_E_SHARING);
	gives(&k, opens(&in, "b", CIM_VFS_READ), CIM_OK);
	leave(&in);
	is_int(sequence(&k), 1, "nor a commit where the container is gone");
	kit_free(&k);
	k = kit_new();
	hand_inside(&k, &in, true);
	memfs_poke(k.m, "c.bcim", 40, "x", 1); /* who seals leaves the records as they are */
	gives(&k, publish(&in, "new.cim"), CIM_E_SHARING);
	leave(&in);
	kit_free(&k);
}

/* Somebody makes the container before this session's gets its name. */
static void make_first(struct memfs *m, enum mem_op op, const char *name)
{
	if (op != MEM_RENAME || strcmp(name, "c.bcim"))
		return;
	m->before = NULL;
	memfs_put(m, "c.bcim", hand.bytes, hand.size);
}

static void make_first_on_device(struct memfs *m, enum mem_op op, const char *name)
{
	if (op != MEM_LOCK)
		return;
	(void)name;
	m->before = NULL;
	memfs_poke(m, "c.bcim", 0, hand.bytes, hand.size);
}

/* The second has found none on the device, but must not make one over the first's, not even where
 * whatever the device holds may go. */
static void test_beginning_on_device(void)
{
	static const unsigned flags[] = {0, CIM_WRITE_FORCE, CIM_WRITE_NEW_CONTAINER,
					 CIM_WRITE_NEW_CONTAINER | CIM_WRITE_FORCE};
	uint8_t now[7 * BLOCK]; /* to its end */

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct kit k = kit_new();
		struct cim_writer *w = NULL;

		k.container = true;
		build("a", "b");
		memfs_put_device(k.m, "c.bcim", 4 << 20);
		k.m->before = make_first_on_device;
		is_int(try_session(&k, NULL, "x.cim", CIM_WRITE_CONTAINER | flags[i], &w),
		       flags[i] & CIM_WRITE_NEW_CONTAINER ? CIM_E_EXISTS : CIM_OK,
		       "flags %x, and another session is faster", flags[i]);
		cim_writer_close(w);
		ok(!k.m->before, "so it was");
		memfs_peek(k.m, "c.bcim", 0, now, sizeof(now));
		ok(!memcmp(now, hand.bytes, sizeof(now)), "its container stays");
		kit_free(&k);
	}
}

static void test_beginning(void)
{
	struct kit k = kit_new();
	struct cim_env env = k.env;
	struct cim_vfs vfs = *k.env.vfs;
	struct inside in;
	cim_vfs_dir *dir;
	bool unlocked = false;

	env.vfs = &vfs;
	k.m->random_fails = true;
	ok(cim_place_lock(&env, &vfs, "mem/c.bcim", CIM_WRITE_CONTAINER, &dir, &unlocked, &k.err) !=
		   CIM_OK,
	   "no random numbers, no container: %s", k.err.cause);
	ok(strstr(k.err.cause, "random numbers") && !k.m->now.count, "and nothing is left");
	k.m->random_fails = false;
	build("a", "b");
	k.m->before = make_first;
	go_inside(&k, &in, "mem/c.bcim", true);
	gives(&k, opens(&in, "a", CIM_VFS_READ), CIM_OK);
	leave(&in);
	is_int(k.m->now.count, 1, "of two that make a container the second goes on in the first's");
	k.m->fail_at = k.m->ops + 3; /* two directories that there aren't, then the file */
	k.m->fail_status = CIM_E_ACCESS;
	k.m->fail_os_error = 13;
	forget_error(&k);
	ok(cim_place_open(&env, &vfs, "mem/c.bcim", &dir, &k.err) == CIM_E_ACCESS &&
		   k.m->first_failed == MEM_OPEN,
	   "a file that may not be read: %s (%s)", k.err.cause, mem_op_names[k.m->first_failed]);
	k.m->fail_os_error = 0;
	for (size_t i = 0; i < 4; i++) {
		static const enum cim_status gone[] = {CIM_E_ACCESS, CIM_E_FILE_NOT_FOUND,
						       CIM_E_PATH_NOT_FOUND, CIM_E_INVALID};

		k.m->failed = 0;
		k.m->fail_at = k.m->ops + 3;
		k.m->fail_status = gone[i];
		gives(&k, cim_place_open(&env, &vfs, "mem/c.bcim", &dir, &k.err),
		      CIM_E_PATH_NOT_FOUND);
		is_int(k.m->first_failed, MEM_OPEN, "%s: there is no file to look into",
		       STATUS(gone[i]));
	}
	k.m->fail_at = 0;
	gives(&k, cim_place_open(&env, &vfs, "/", &dir, &k.err), CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_place_open(&env, &vfs, "//", &dir, &k.err), CIM_E_PATH_NOT_FOUND);
	kit_free(&k);
}

/* A session that ends without a commit leaves nothing that the next one would look at. */
static void test_large_leftover(void)
{
	static uint8_t start[1 << 20];

	for (unsigned size = 2; size <= 8; size += 6) {
		struct kit k = kit_new();
		struct cim_writer *w;

		k.container = true;
		memfs_put_device(k.m, "c.bcim", (uint64_t)size << 20);
		w = begin(&k, NULL, "x.cim");
		for (unsigned i = 0; i < 3; i++) {
			char name[8];

			snprintf(name, sizeof(name), "f%u", i);
			bytes[0] ^= 1 + i;
			put_bytes(&k, w, name, bytes, sizeof(bytes));
		}
		cim_writer_close(w);
		for (unsigned end = 0; end < 2; end++) {
			memfs_peek(k.m, "c.bcim", end ? (uint64_t)(size - 1) << 20 : 0, start,
				   sizeof(start));
			ok(!start[0] && !memcmp(start, start + 1, sizeof(start) - 1),
			   "%u MiB: the %s MiB is zeros", size, end ? "last" : "first");
		}
		w = begin(&k, NULL, "x.cim");
		ok(finish(&k, w), "and the next session makes its container");
		kit_free(&k);
	}
}

/* Devices of all small sizes: all fits, or nothing is left. */
static void test_small_devices(void)
{
	static uint8_t start[100 * BLOCK];
	unsigned full = 0, whole = 0, wrong = 0;

	for (unsigned blocks = 1; blocks < 100; blocks++) {
		struct kit k = kit_new();
		struct cim_writer *w = NULL;
		const size_t size = blocks * (size_t)BLOCK + blocks % 3 * 512;
		enum cim_status status;
		const char *why;

		k.container = true;
		memfs_put_device(k.m, "c.bcim", size);
		status = try_session(&k, NULL, "base.cim", CIM_WRITE_CONTAINER, &w);
		if (!status) {
			put(&k, w, "file", "text");
			status = cim_writer_commit(w, &k.err);
			cim_writer_close(w);
		}
		memfs_peek(k.m, "c.bcim", 0, start, size);
		if (status == CIM_E_DISK_FULL)
			wrong += start[0] || memcmp(start, start + 1, size - 1) != 0 || whole;
		else
			wrong += status != CIM_OK || !must_be_sound(&k, "base.cim");
		full += status != CIM_OK;
		whole += !status;
		wrong += !memfs_is_clean(k.m, &why);
		memfs_free(k.m);
	}
	is_int(wrong, 0, "a device too small is all zeros again, a larger one holds the image");
	ok(full > 30 && whole > 10, "%u were too small, %u not", full, whole);
}

int main(void)
{
	pattern(bytes, 5, sizeof(bytes));
	test_rules();
	test_reading();
	test_records();
	test_memory();
	test_largest_table();
	test_order();
	test_random_files();
	test_story();
	test_listed_image();
	test_upkeep();
	test_reading_meanwhile();
	test_locks();
	test_names();
	test_making();
	test_changed_meanwhile(0);
	test_changed_meanwhile(1);
	test_verify();
	test_inner_locks();
	test_published_files();
	test_readers_names();
	test_bad_names();
	test_sessions_names();
	test_removed_at_close();
	test_rest_of_table();
	test_own_locks();
	test_published_locks();
	test_fewer_calls();
	test_holes();
	test_holes_below();
	test_room_of_holes();
	test_room_again();
	test_left_room(false);
	test_left_room(true);
	test_room_side_by_side(false);
	test_room_side_by_side(true);
	test_joining();
	test_growing();
	test_gaps();
	test_many_removed();
	test_sizes();
	test_failing_gaps();
	test_refused_commits();
	test_beginning();
	test_beginning_on_device();
	test_device();
	test_device_without_locks();
	test_large_leftover();
	test_ends_of_device();
	test_small_devices();
	return tap_done();
}
