/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verity.h - a hash tree over blocks: dm-verity's, as veritysetup makes and checks it
 *
 * The data are blocks 0 to N-1 of a file. Block N is the superblock, the tree follows, its top
 * level first. A block of the tree holds the digests of 128 blocks of the level below, level 0
 * those of the data; the top level is one block, and its digest is the root hash, which stands
 * nowhere in the file. The same in words: container.md 4.
 *
 * Source: the Linux kernel's documentation of the dm-verity target, and cryptsetup's of the
 * superblock; format 1, SHA-256, without a salt.
 */
#ifndef CIM_VERITY_H
#define CIM_VERITY_H

#include "../../include/libcim_env.h"

#define CIM_VERITY_BLOCK  4096u
#define CIM_VERITY_DIGEST 32u
#define CIM_VERITY_FAN	  (CIM_VERITY_BLOCK / CIM_VERITY_DIGEST)
/* 128^8 blocks are more than 64 bits can count bytes of. */
#define CIM_VERITY_LEVELS 8u

/* Where everything is, in blocks of the file. */
struct cim_verity_shape {
	uint64_t data; /* N */
	unsigned levels;
	uint64_t at[CIM_VERITY_LEVELS];	   /* a level's first block */
	uint64_t count[CIM_VERITY_LEVELS]; /* and how many it has */
	uint64_t end;			   /* behind the tree */
};

/* The file: the call is to read or write all of it, or to fail. Offsets are bytes, whole blocks. */
struct cim_verity_file {
	void *ctx;
	enum cim_status (*read)(void *ctx, uint64_t offset, void *buf, size_t len,
				struct cim_error *err);
	enum cim_status (*write)(void *ctx, uint64_t offset, const void *buf, size_t len,
				 struct cim_error *err);
};

/* The shape of a tree over @data blocks; false unless there are 2 or more, and 64 bits count the
 * bytes of it all. (Over one block dm-verity makes no tree.) */
bool cim_verity_shape(struct cim_verity_shape *shape, uint64_t data);

/* Hash the data and write superblock and tree. @root: CIM_VERITY_DIGEST bytes. Memory: constant. */
enum cim_status cim_verity_build(const struct cim_env *env, const struct cim_verity_shape *shape,
				 const struct cim_verity_file *file, uint8_t *root,
				 struct cim_error *err);

/* A tree to check data by; any thread may. */
struct cim_verity;

/* Read the superblock and the top of the tree. @root: what its digest must be; NULL: take it as it
 * is. CIM_E_CORRUPT: another root hash, or a superblock that isn't just what cim_verity_build()
 * writes. @file is copied. */
enum cim_status cim_verity_open(const struct cim_env *env, const struct cim_verity_shape *shape,
				const struct cim_verity_file *file, const uint8_t *root,
				struct cim_verity **verity, struct cim_error *err);
void cim_verity_close(struct cim_verity *verity);
/* The root hash: CIM_VERITY_DIGEST bytes, which live with it. */
const uint8_t *cim_verity_root(const struct cim_verity *verity);
/* CIM_E_CORRUPT unless @bytes are what block @block of the data was when it was sealed. */
enum cim_status cim_verity_check(struct cim_verity *verity, uint64_t block, const void *bytes,
				 struct cim_error *err);

#endif
