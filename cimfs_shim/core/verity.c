/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verity.c - building dm-verity's hash tree, and checking blocks by it
 *
 * The tree is built in one pass: each level has one block in memory that fills with digests; a full
 * one is written, and its own digest goes to the level above.
 *
 * To check a block is to know its digest, and that stands in a block of the tree, which must be
 * checked itself before it is believed: by the level above, up to the root hash. Blocks of the tree
 * that were checked are kept, a bounded number, each at the one place in the cache that its number
 * says, so that reading on costs one hash a block.
 */
#include "verity.h"
#include "bytes.h"
#include "error.h"
#include "mem.h"

#include <assert.h>
#include <string.h>

/* The superblock, in a block that is zero behind it. */
struct superblock {
	uint8_t signature[8];
	uint8_t version[4];
	uint8_t hash_type[4];
	uint8_t uuid[16];
	uint8_t algorithm[32];
	uint8_t data_block_size[4];
	uint8_t hash_block_size[4];
	uint8_t data_blocks[8];
	uint8_t salt_size[2];
	uint8_t pad[6];
	uint8_t salt[256];
	uint8_t pad2[168];
};
static_assert(sizeof(struct superblock) == 512, "dm-verity superblock");
static_assert(offsetof(struct superblock, algorithm) == 32, "dm-verity superblock");
static_assert(offsetof(struct superblock, data_blocks) == 72, "dm-verity superblock");
static_assert(offsetof(struct superblock, salt) == 88, "dm-verity superblock");

/* Data are read this many blocks at a time to be hashed. */
#define READ_BLOCKS 64u
/* Blocks of the tree that are kept: 4 MiB, the digests of 512 MiB. */
#define CACHE_SLOTS 1024u

bool cim_verity_shape(struct cim_verity_shape *shape, uint64_t data)
{
	uint64_t blocks = data, at = data + 1;

	*shape = (struct cim_verity_shape){.data = data};
	/* (Which also says that the levels are enough.) */
	if (data < 2 || data > UINT64_MAX / CIM_VERITY_BLOCK)
		return false;
	do {
		blocks = blocks / CIM_VERITY_FAN + (blocks % CIM_VERITY_FAN != 0);
		shape->count[shape->levels++] = blocks;
	} while (blocks > 1);
	for (unsigned level = shape->levels; level-- > 0;) {
		shape->at[level] = at;
		at += shape->count[level]; /* less than the data's */
	}
	shape->end = at;
	return cim_ckd_mul64(&at, at, CIM_VERITY_BLOCK);
}

static enum cim_status sha256(const struct cim_env *env, const void *block, uint8_t *digest,
			      struct cim_error *err)
{
	enum cim_status status;

	if (!env->sha256)
		return cim_fail(err, CIM_E_UNSUPPORTED, "the environment has no SHA-256");
	status = env->sha256(env->sha256_ctx, block, CIM_VERITY_BLOCK, digest);
	return status ? cim_fail(err, status, "the system gives no SHA-256") : CIM_OK;
}

static void fill_superblock(uint8_t *block, const struct cim_verity_shape *shape,
			    const uint8_t *root)
{
	memset(block, 0, CIM_VERITY_BLOCK);
	memcpy(block, "verity\0\0", 8);
	cim_put32(block + offsetof(struct superblock, version), 1);
	cim_put32(block + offsetof(struct superblock, hash_type), 1);
	memcpy(block + offsetof(struct superblock, uuid), root, 16);
	memcpy(block + offsetof(struct superblock, algorithm), "sha256", 6);
	cim_put32(block + offsetof(struct superblock, data_block_size), CIM_VERITY_BLOCK);
	cim_put32(block + offsetof(struct superblock, hash_block_size), CIM_VERITY_BLOCK);
	cim_put64(block + offsetof(struct superblock, data_blocks), shape->data);
}

/* ---- building ---- */

struct builder {
	const struct cim_env *env;
	const struct cim_verity_shape *shape;
	const struct cim_verity_file *file;
	uint64_t written[CIM_VERITY_LEVELS]; /* blocks of a level */
	unsigned fill[CIM_VERITY_LEVELS];    /* digests in its block in memory */
	uint8_t root[CIM_VERITY_DIGEST];
	uint8_t block[CIM_VERITY_LEVELS][CIM_VERITY_BLOCK];
	uint8_t data[READ_BLOCKS * CIM_VERITY_BLOCK];
};

/* Write the block of a level, and hash it to @digest. */
static enum cim_status write_level(struct builder *b, unsigned level, uint8_t *digest,
				   struct cim_error *err)
{
	const uint64_t at = b->shape->at[level] + b->written[level];
	uint8_t *block = b->block[level];
	enum cim_status status;

	memset(block + (size_t)b->fill[level] * CIM_VERITY_DIGEST, 0,
	       CIM_VERITY_BLOCK - (size_t)b->fill[level] * CIM_VERITY_DIGEST);
	status = b->file->write(b->file->ctx, at * CIM_VERITY_BLOCK, block, CIM_VERITY_BLOCK, err);
	if (status)
		return status;
	b->written[level]++;
	b->fill[level] = 0;
	return sha256(b->env, block, digest, err);
}

/* A digest for level 0, and what follows from it above. */
static enum cim_status add_digest(struct builder *b, uint8_t *digest, struct cim_error *err)
{
	unsigned level = 0;
	enum cim_status status;

	for (;;) {
		memcpy(b->block[level] + (size_t)b->fill[level]++ * CIM_VERITY_DIGEST, digest,
		       CIM_VERITY_DIGEST);
		/* The top is written when all is done, however full it is. */
		if (b->fill[level] < CIM_VERITY_FAN || level + 1 == b->shape->levels)
			return CIM_OK;
		status = write_level(b, level, digest, err);
		if (status)
			return status;
		level++;
	}
}

/* Write what isn't full, from the bottom to the top. */
static enum cim_status finish(struct builder *b, struct cim_error *err)
{
	const unsigned top = b->shape->levels - 1;
	enum cim_status status = CIM_OK;

	for (unsigned level = 0; !status && level < top; level++) {
		if (!b->fill[level])
			continue;
		status = write_level(
			b, level,
			b->block[level + 1] + (size_t)b->fill[level + 1] * CIM_VERITY_DIGEST, err);
		b->fill[level + 1]++;
	}
	return status ? status : write_level(b, top, b->root, err);
}

static enum cim_status hash_data(struct builder *b, struct cim_error *err)
{
	uint8_t digest[CIM_VERITY_DIGEST];
	enum cim_status status = CIM_OK;

	for (uint64_t block = 0; !status && block < b->shape->data;) {
		const uint64_t left = b->shape->data - block;
		const unsigned count = left < READ_BLOCKS ? (unsigned)left : READ_BLOCKS;

		status = b->file->read(b->file->ctx, block * CIM_VERITY_BLOCK, b->data,
				       (size_t)count * CIM_VERITY_BLOCK, err);
		for (unsigned i = 0; !status && i < count; i++) {
			status = sha256(b->env, b->data + (size_t)i * CIM_VERITY_BLOCK, digest,
					err);
			if (!status)
				status = add_digest(b, digest, err);
		}
		block += count;
	}
	return status;
}

enum cim_status cim_verity_build(const struct cim_env *env, const struct cim_verity_shape *shape,
				 const struct cim_verity_file *file, uint8_t *root,
				 struct cim_error *err)
{
	struct builder *b = cim_zalloc(env, sizeof(*b));
	enum cim_status status;

	if (!b)
		return cim_no_memory(err);
	b->env = env;
	b->shape = shape;
	b->file = file;
	status = hash_data(b, err);
	if (!status)
		status = finish(b, err);
	if (!status) {
		fill_superblock(b->data, shape, b->root);
		status = file->write(file->ctx, shape->data * CIM_VERITY_BLOCK, b->data,
				     CIM_VERITY_BLOCK, err);
		memcpy(root, b->root, CIM_VERITY_DIGEST);
	}
	cim_free(env, b);
	return status;
}

/* ---- checking ---- */

struct slot {
	uint64_t block; /* of the file; 0: none, as block 0 is data */
	uint8_t *bytes;
};

struct cim_verity {
	struct cim_env env;
	struct cim_verity_shape shape;
	struct cim_verity_file file;
	uint8_t root[CIM_VERITY_DIGEST];
	void *lock; /* guards the slots */
	struct slot slots[CACHE_SLOTS];
};

static struct slot *slot_of(struct cim_verity *verity, uint64_t block)
{
	return &verity->slots[block % CACHE_SLOTS];
}

/* Take digest @index of a block of the tree, if that is kept. */
static bool take_kept(struct cim_verity *verity, uint64_t block, unsigned index, uint8_t *digest)
{
	const struct slot *slot = slot_of(verity, block);
	bool kept;

	verity->env.mutex_lock(verity->env.thread_ctx, verity->lock);
	kept = slot->block == block;
	if (kept)
		memcpy(digest, slot->bytes + (size_t)index * CIM_VERITY_DIGEST, CIM_VERITY_DIGEST);
	verity->env.mutex_unlock(verity->env.thread_ctx, verity->lock);
	return kept;
}

/* Keep a block that was checked. Where there is no memory for it, it is read again next time. */
static void keep(struct cim_verity *verity, uint64_t block, const uint8_t *bytes)
{
	struct slot *slot = slot_of(verity, block);

	verity->env.mutex_lock(verity->env.thread_ctx, verity->lock);
	if (!slot->bytes)
		slot->bytes = cim_alloc(&verity->env, CIM_VERITY_BLOCK);
	if (slot->bytes) {
		memcpy(slot->bytes, bytes, CIM_VERITY_BLOCK);
		slot->block = block;
	}
	verity->env.mutex_unlock(verity->env.thread_ctx, verity->lock);
}

/* Is this the block whose digest is @expected? @block: for the error. */
static enum cim_status compare(struct cim_verity *verity, uint64_t block, const void *bytes,
			       const uint8_t *expected, struct cim_error *err)
{
	uint8_t digest[CIM_VERITY_DIGEST];
	enum cim_status status = sha256(&verity->env, bytes, digest, err);

	if (status)
		return status;
	if (memcmp(digest, expected, sizeof(digest)) != 0)
		return cim_fail(err, CIM_E_CORRUPT, "block %llu isn't the one that was sealed",
				(unsigned long long)block);
	return CIM_OK;
}

/* Read block @index of a level, check it, and keep it. */
static enum cim_status read_level(struct cim_verity *verity, unsigned level, uint64_t index,
				  const uint8_t *expected, uint8_t *bytes, struct cim_error *err)
{
	const uint64_t block = verity->shape.at[level] + index;
	enum cim_status status = verity->file.read(verity->file.ctx, block * CIM_VERITY_BLOCK,
						   bytes, CIM_VERITY_BLOCK, err);

	if (!status)
		status = compare(verity, block, bytes, expected, err);
	if (!status)
		keep(verity, block, bytes);
	return status;
}

/* The digest of a block of the data: up the tree to the first block that is kept, or to the root
 * hash, and down again. */
static enum cim_status find_digest(struct cim_verity *verity, uint64_t block, uint8_t *digest,
				   struct cim_error *err)
{
	const struct cim_verity_shape *shape = &verity->shape;
	uint64_t index[CIM_VERITY_LEVELS + 1] = {block};
	uint8_t bytes[CIM_VERITY_BLOCK];
	unsigned level;
	enum cim_status status = CIM_OK;

	for (level = 0; level < shape->levels; level++) {
		index[level + 1] = index[level] / CIM_VERITY_FAN;
		if (take_kept(verity, shape->at[level] + index[level + 1],
			      (unsigned)(index[level] % CIM_VERITY_FAN), digest))
			break;
	}
	if (level == shape->levels)
		memcpy(digest, verity->root, CIM_VERITY_DIGEST);
	while (!status && level-- > 0) {
		status = read_level(verity, level, index[level + 1], digest, bytes, err);
		if (!status)
			memcpy(digest, bytes + index[level] % CIM_VERITY_FAN * CIM_VERITY_DIGEST,
			       CIM_VERITY_DIGEST);
	}
	return status;
}

enum cim_status cim_verity_check(struct cim_verity *verity, uint64_t block, const void *bytes,
				 struct cim_error *err)
{
	uint8_t digest[CIM_VERITY_DIGEST];
	enum cim_status status;

	if (block >= verity->shape.data)
		return cim_fail(err, CIM_E_CORRUPT, "block %llu is not among the %llu sealed ones",
				(unsigned long long)block, (unsigned long long)verity->shape.data);
	status = find_digest(verity, block, digest, err);
	return status ? status : compare(verity, block, bytes, digest, err);
}

const uint8_t *cim_verity_root(const struct cim_verity *verity)
{
	return verity->root;
}

/* The top of the tree makes the root hash; that and the shape make the superblock. */
static enum cim_status read_top(struct cim_verity *verity, const uint8_t *root,
				struct cim_error *err)
{
	const struct cim_verity_shape *shape = &verity->shape;
	const uint64_t top = shape->at[shape->levels - 1];
	uint8_t bytes[CIM_VERITY_BLOCK], ours[CIM_VERITY_BLOCK];
	enum cim_status status;

	status = verity->file.read(verity->file.ctx, top * CIM_VERITY_BLOCK, bytes, sizeof(bytes),
				   err);
	if (!status)
		status = sha256(&verity->env, bytes, verity->root, err);
	if (status)
		return status;
	if (root && memcmp(root, verity->root, CIM_VERITY_DIGEST) != 0)
		return cim_fail(err, CIM_E_CORRUPT, "it has another root hash");
	keep(verity, top, bytes);
	status = verity->file.read(verity->file.ctx, shape->data * CIM_VERITY_BLOCK, bytes,
				   sizeof(bytes), err);
	if (status)
		return status;
	fill_superblock(ours, shape, verity->root);
	if (memcmp(bytes, ours, sizeof(ours)) != 0)
		return cim_fail(err, CIM_E_CORRUPT, "the seal's superblock is damaged");
	return CIM_OK;
}

enum cim_status cim_verity_open(const struct cim_env *env, const struct cim_verity_shape *shape,
				const struct cim_verity_file *file, const uint8_t *root,
				struct cim_verity **result, struct cim_error *err)
{
	struct cim_verity *verity = cim_zalloc(env, sizeof(*verity));
	enum cim_status status;

	*result = NULL;
	if (!verity)
		return cim_no_memory(err);
	verity->env = *env;
	verity->shape = *shape;
	verity->file = *file;
	verity->lock = env->mutex_new(env->thread_ctx);
	status = verity->lock ? read_top(verity, root, err) : cim_no_memory(err);
	if (status)
		cim_verity_close(verity);
	else
		*result = verity;
	return status;
}

void cim_verity_close(struct cim_verity *verity)
{
	struct cim_env env;

	if (!verity)
		return;
	env = verity->env;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		cim_free(&env, verity->slots[i].bytes);
	if (verity->lock)
		env.mutex_free(env.thread_ctx, verity->lock);
	cim_free(&env, verity);
}
