/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_verity.c - hash trees: veritysetup's own root hashes, every changed byte found, and only where
 * it matters; "t_verity FILE BLOCKS" makes a file for verity.py
 */
#include "../core/bytes.h"
#include "../core/verity.h"
#include "testenv.h"

#define BLOCK CIM_VERITY_BLOCK

/* A file in memory, whose calls can fail. */
struct memory_file {
	uint8_t *bytes;
	uint64_t size;
	unsigned calls, fail_at;
};

static bool fails(struct memory_file *file, uint64_t offset, size_t len)
{
	return (++file->calls == file->fail_at) || !cim_in_range(offset, len, file->size);
}

static enum cim_status file_read(void *ctx, uint64_t offset, void *buf, size_t len,
				 struct cim_error *err)
{
	struct memory_file *file = ctx;

	(void)err;
	if (fails(file, offset, len))
		return CIM_E_IO;
	memcpy(buf, file->bytes + offset, len);
	return CIM_OK;
}

static enum cim_status file_write(void *ctx, uint64_t offset, const void *buf, size_t len,
				  struct cim_error *err)
{
	struct memory_file *file = ctx;

	(void)err;
	if (fails(file, offset, len))
		return CIM_E_IO;
	memcpy(file->bytes + offset, buf, len);
	return CIM_OK;
}

struct world {
	struct cim_env env;
	struct test_memory memory;
	struct cim_verity_shape shape;
	struct memory_file file;
	struct cim_verity_file calls;
	uint8_t root[CIM_VERITY_DIGEST];
};

/* Data of which each block is another, in a file that has room for the tree, 0xcc for now. */
static void make_world(struct world *w, uint64_t blocks)
{
	const struct cim_env *system = cim_env_default();

	memset(w, 0, sizeof(*w));
	w->env = *system;
	w->env.mem = test_env(&w->memory).mem;
	if (!cim_verity_shape(&w->shape, blocks)) {
		printf("Bail out! no shape for %llu blocks\n", (unsigned long long)blocks);
		exit(1);
	}
	w->file.size = w->shape.end * BLOCK;
	w->file.bytes = malloc((size_t)w->file.size);
	memset(w->file.bytes, 0xcc, (size_t)w->file.size);
	for (uint64_t i = 0; i < blocks; i++) {
		memset(w->file.bytes + i * BLOCK, (int)(i % 251), BLOCK);
		cim_put64(w->file.bytes + i * BLOCK + i % 4000, i);
	}
	w->calls = (struct cim_verity_file){&w->file, file_read, file_write};
}

static enum cim_status build(struct world *w)
{
	return cim_verity_build(&w->env, &w->shape, &w->calls, w->root, NULL);
}

static void free_world(struct world *w, const char *what)
{
	is_int(w->memory.in_use, 0, "%s: memory is freed", what);
	free(w->file.bytes);
}

static void hex_of(const uint8_t *root, char *text)
{
	for (unsigned i = 0; i < CIM_VERITY_DIGEST; i++)
		sprintf(text + (size_t)2 * i, "%02x", root[i]);
}

/* ---- roots and shapes ---- */

/* By "veritysetup format FILE FILE --salt=- --hash-offset=N" of the same data. */
static const struct {
	unsigned blocks;
	const char *root;
} known[] = {
	{2, "34d030d78a06d9061d654146bf2e1d04b5c5e2eda77153ad287fad06183481b5"},
	{3, "851c463fb5e4beb70bfbfe7900a4b498120bdc311def74ca7756afe27b8044ae"},
	{127, "0aeb6e7f8799f253604ebd0e2a03f23b68ac91ffb7e380a7b592688048404657"},
	{128, "c6dc42693bb0ea0f5ae30ebfa3702289179738bea9d15fa8bccfb44b34f6b2da"},
	{129, "25f6ef0aa9a3c674b85365b114ed188322fcedf4aa0d08ad5f686b5517646f83"},
	{200, "52bff39b227ea9ee281338e38c84fc94efd9ba02bc79c8089e089696b5c76beb"},
	{16384, "8e35d75092731e7e7440492b2f4d32afd51b45a7e572bcfc9b756a4bba04b04f"},
	{16385, "c0eee0ce391ea10b11ee05d8c0f00a0088823ce3a50e15795a76bb07be6a4343"},
};

static void test_roots(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char text[65], name[40];
		struct world w;

		sprintf(name, "%u blocks", known[i].blocks);
		make_world(&w, known[i].blocks);
		is_int(build(&w), CIM_OK, "%s: a tree is built", name);
		hex_of(w.root, text);
		is_str(text, known[i].root, "%s: veritysetup's root hash", name);
		free_world(&w, name);
	}
}

static void test_shapes(void)
{
	static const struct {
		uint64_t blocks;
		unsigned levels;
		uint64_t tree;
	} shapes[] = {
		{2, 1, 1},
		{128, 1, 1},
		{129, 2, 3},
		{16384, 2, 129},
		{16385, 3, 1 + 2 + 129},
		{UINT64_C(1) << 49, 7, UINT64_C(4432676798593)},
	};
	struct cim_verity_shape shape;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const unsigned long long blocks = shapes[i].blocks;

		ok(cim_verity_shape(&shape, shapes[i].blocks), "%llu blocks have a tree", blocks);
		is_int(shape.levels, shapes[i].levels, "%llu blocks: levels", blocks);
		is_int(shape.at[shape.levels - 1], blocks + 1,
		       "%llu blocks: the top is behind the superblock", blocks);
		is_int(shape.end - shape.data - 1, shapes[i].tree, "%llu blocks: of the tree",
		       blocks);
	}
	ok(!cim_verity_shape(&shape, 0), "no data, no tree");
	ok(!cim_verity_shape(&shape, 1), "dm-verity makes no tree over one block");
	ok(!cim_verity_shape(&shape, UINT64_C(1) << 52), "bytes that 64 bits can't count");
	ok(!cim_verity_shape(&shape, UINT64_MAX), "nor blocks");
	ok(!cim_verity_shape(&shape, (UINT64_C(1) << 52) - 1), "nor those of the tree behind them");
}

/* ---- finding changes ---- */

/* How many blocks of the data are refused? -1: it can't be opened. */
static int refused(struct world *w, const uint8_t *root)
{
	struct cim_verity *verity;
	int count = 0;

	if (cim_verity_open(&w->env, &w->shape, &w->calls, root, &verity, NULL))
		return -1;
	for (uint64_t i = 0; i < w->shape.data; i++) {
		const enum cim_status status = cim_verity_check(verity, i,
								w->file.bytes + i * BLOCK, NULL);

		if (status && status != CIM_E_CORRUPT)
			printf("# block %llu: status %d\n", (unsigned long long)i, status);
		count += status == CIM_E_CORRUPT;
	}
	cim_verity_close(verity);
	return count;
}

/* A bit of each block, one at a time. */
static void test_flips(unsigned blocks)
{
	struct world w;
	unsigned wrong = 0;

	make_world(&w, blocks);
	is_int(build(&w), CIM_OK, "%u blocks: a tree is built", blocks);
	is_int(refused(&w, w.root), 0, "%u blocks: all are the sealed ones", blocks);
	for (uint64_t i = 0; i < w.shape.end; i++) {
		uint8_t *byte = w.file.bytes + i * BLOCK + test_below(BLOCK);
		const uint8_t bit = (uint8_t)(1u << test_below(8));
		int expected = 1, got;

		if (i == w.shape.data || i == w.shape.at[w.shape.levels - 1])
			expected = -1;
		else if (i > w.shape.data) /* of level 0, if there are two */
			expected = i - w.shape.at[0] + 1 == w.shape.count[0] && blocks % 128
					   ? (int)(blocks % 128)
					   : 128;
		*byte ^= bit;
		got = refused(&w, w.root);
		*byte ^= bit;
		if (got != expected && !wrong++)
			printf("# block %llu: %d refused, expected %d\n", (unsigned long long)i,
			       got, expected);
	}
	is_int(wrong, 0, "%u blocks: a changed bit refuses what hangs on it, and nothing else",
	       blocks);
	free_world(&w, "flips");
}

static void test_open(void)
{
	struct cim_verity *verity;
	struct cim_error err;
	uint8_t root[CIM_VERITY_DIGEST];
	struct world w;

	make_world(&w, 300);
	build(&w);
	is_int(cim_verity_open(&w.env, &w.shape, &w.calls, NULL, &verity, NULL), CIM_OK,
	       "without a root hash a tree is taken as it is");
	is_mem(cim_verity_root(verity), w.root, sizeof(w.root), "and tells its root hash");
	is_int(cim_verity_check(verity, 300, w.file.bytes, &err), CIM_E_CORRUPT,
	       "the block behind the last isn't sealed");
	is_str(err.cause, "block 300 is not among the 300 sealed ones", "the error says so");
	is_int(cim_verity_check(verity, 7, w.file.bytes, &err), CIM_E_CORRUPT, "another's bytes");
	is_str(err.cause, "block 7 isn't the one that was sealed", "the error names the block");
	cim_verity_close(verity);
	for (unsigned i = 0; i < sizeof(root); i += 31) {
		memcpy(root, w.root, sizeof(root));
		root[i] ^= 1;
		is_int(cim_verity_open(&w.env, &w.shape, &w.calls, root, &verity, &err),
		       CIM_E_CORRUPT, "a root hash of which byte %u differs", i);
		is_str(err.cause, "it has another root hash", "the error says so");
	}
	w.env.sha256 = NULL;
	is_int(cim_verity_open(&w.env, &w.shape, &w.calls, NULL, &verity, NULL), CIM_E_UNSUPPORTED,
	       "an environment without SHA-256 opens nothing");
	is_int(build(&w), CIM_E_UNSUPPORTED, "and builds nothing");
	cim_verity_close(NULL);
	free_world(&w, "open");
}

/* More of the tree than is kept; a cache too small would be slow, not wrong. */
static void test_random_order(void)
{
	struct cim_verity *verity;
	unsigned bad = 0, calls;
	struct world w;

	make_world(&w, 20000);
	build(&w);
	cim_verity_open(&w.env, &w.shape, &w.calls, w.root, &verity, NULL);
	for (unsigned i = 0; i < 5000; i++) {
		const uint64_t block = test_below(20000);

		bad += cim_verity_check(verity, block, w.file.bytes + block * BLOCK, NULL) !=
		       CIM_OK;
	}
	is_int(bad, 0, "in any order all blocks are the sealed ones");
	calls = w.file.calls;
	bad += cim_verity_check(verity, 0, w.file.bytes, NULL) != CIM_OK;
	bad += cim_verity_check(verity, 1, w.file.bytes + BLOCK, NULL) != CIM_OK;
	ok(!bad && w.file.calls <= calls + 1, "neighbours cost one read of the tree at most");
	cim_verity_close(verity);
	free_world(&w, "random order");
}

/* ---- failures ---- */

static void test_failures(void)
{
	unsigned stopped = 0, wrong = 0;
	struct world w;

	make_world(&w, 200);
	build(&w);
	for (unsigned at = 1;; at++) {
		w.file.calls = 0;
		w.file.fail_at = at;
		if (!build(&w))
			break;
		stopped++;
	}
	/* 4 reads of 64 blocks, 3 blocks of the tree, the superblock */
	is_int(stopped, 8, "each call of building can fail");
	for (unsigned at = 1; at <= 200; at++) {
		struct cim_verity *verity;
		enum cim_status status;

		w.file.calls = 0;
		w.file.fail_at = at;
		status = cim_verity_open(&w.env, &w.shape, &w.calls, w.root, &verity, NULL);
		for (uint64_t i = 0; !status && i < 200; i++)
			status = cim_verity_check(verity, i, w.file.bytes + i * BLOCK, NULL);
		wrong += status != (at <= 4 ? CIM_E_IO : CIM_OK);
		cim_verity_close(verity);
	}
	is_int(wrong, 0, "each call of checking too: two of opening, two of the tree's blocks");
	w.file.fail_at = 0;
	for (unsigned at = 1; at <= 5; at++) {
		w.memory.calls = 0;
		w.memory.fail_at = at;
		w.file.calls = 0;
		is_int(refused(&w, w.root), at == 1 ? -1 : 0,
		       "memory that fails at call %u: opens or not, refuses nothing", at);
	}
	free_world(&w, "failures");
}

static enum cim_status no_sha256(void *ctx, const void *data, size_t len, uint8_t *digest)
{
	unsigned *left = ctx;

	(void)data;
	(void)len;
	memset(digest, 0, CIM_VERITY_DIGEST);
	return (*left)-- ? CIM_OK : CIM_E_IO;
}

/* The system's own, which stops working some day. */
struct some_digests {
	struct cim_env real;
	unsigned left;
};

static enum cim_status some_sha256(void *ctx, const void *data, size_t len, uint8_t *digest)
{
	struct some_digests *some = ctx;

	if (!some->left)
		return CIM_E_IO;
	some->left--;
	return some->real.sha256(some->real.sha256_ctx, data, len, digest);
}

/* A digest that can't be had is no other block. */
static void test_no_digest(void)
{
	struct some_digests some;
	unsigned told = 0, wrong = 0;
	struct world w;

	make_world(&w, 300);
	build(&w);
	some.real = w.env;
	w.env.sha256 = some_sha256;
	w.env.sha256_ctx = &some;
	for (unsigned at = 1; at < 310; at++) {
		struct cim_verity *verity;
		struct cim_error err;
		enum cim_status status;

		some.left = at;
		status = cim_verity_open(&w.env, &w.shape, &w.calls, w.root, &verity, &err);
		for (uint64_t i = 0; !status && i < w.shape.data; i++)
			status = cim_verity_check(verity, i, w.file.bytes + i * BLOCK, &err);
		cim_verity_close(verity);
		told += status == CIM_E_IO;
		wrong += status && status != CIM_E_IO;
	}
	is_int(wrong, 0, "a digest that can't be had: blocks that are called another's");
	ok(told > 290, "it is told each time (%u times)", told);
	w.env = some.real;
	free_world(&w, "no digest");
}

static void *no_mutex(void *ctx)
{
	(void)ctx;
	return NULL;
}

/* SHA-256 that the system refuses, a lock that it doesn't give, and no memory. */
static void test_refusals(void)
{
	struct cim_verity *verity;
	struct cim_error err;
	unsigned wrong = 0, left;
	struct world w, odd;

	make_world(&w, 300);
	build(&w);
	odd = w;
	odd.env.sha256 = no_sha256;
	odd.env.sha256_ctx = &left;
	/* 300 blocks, 3 of level 0, the top */
	for (unsigned at = 0; at <= 304; at++) {
		enum cim_status status;

		left = at;
		status = cim_verity_build(&odd.env, &w.shape, &w.calls, w.root, &err);
		wrong += status != (at < 304 ? CIM_E_IO : CIM_OK) ||
			 (status && strcmp(err.cause, "the system gives no SHA-256"));
	}
	is_int(wrong, 0, "each digest of building can fail, and is told");
	left = 0;
	is_int(cim_verity_open(&odd.env, &w.shape, &w.calls, NULL, &verity, &err), CIM_E_IO,
	       "opening wants one");
	odd = w;
	odd.env.mutex_new = no_mutex;
	is_int(cim_verity_open(&odd.env, &w.shape, &w.calls, NULL, &verity, &err), CIM_E_NO_MEMORY,
	       "and a lock");
	ok(!verity, "else there is nothing");
	w.memory.calls = 0;
	w.memory.fail_at = 1;
	is_int(build(&w), CIM_E_NO_MEMORY, "building takes memory");
	w.memory.fail_at = 0;
	free_world(&w, "refusals");
}

static int make_file(const char *path, uint64_t blocks)
{
	FILE *out = fopen(path, "wb");
	char text[65];
	struct world w;

	make_world(&w, blocks);
	if (!out || build(&w) || fwrite(w.file.bytes, (size_t)w.file.size, 1, out) != 1 ||
	    fclose(out))
		return 1;
	hex_of(w.root, text);
	puts(text);
	free(w.file.bytes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return make_file(argv[1], strtoull(argv[2], NULL, 10));
	test_seed();
	test_roots();
	test_shapes();
	test_flips(2);
	test_flips(128);
	test_flips(129);
	test_flips(300);
	test_open();
	test_random_order();
	test_failures();
	test_refusals();
	test_no_digest();
	return tap_done();
}
