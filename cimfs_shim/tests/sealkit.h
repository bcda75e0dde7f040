/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealkit.h - a sealed container in memory, for the tests of seals
 */
#ifndef CIM_TESTS_SEALKIT_H
#define CIM_TESTS_SEALKIT_H

#include "../core/container.h"
#include "kit.h"

#define BLOCK CIM_CONT_BLOCK

/* What the images hold: a pattern that main() makes. */
static uint8_t bytes[700000];

/* Two images, of more blocks than one block of the tree has digests. */
static inline void fill(struct kit *k)
{
	struct cim_writer *w;

	k->container = true;
	w = begin_flags(k, NULL, "base.cim", CIM_WRITE_SEALABLE);
	make_dir(k, w, "dir");
	put(k, w, "dir/small", "a small file");
	put_bytes(k, w, "dir/large", bytes, sizeof(bytes));
	finish(k, w);
	w = begin_flags(k, "base.cim", "fork.cim", CIM_WRITE_SEALABLE);
	put(k, w, "more", "text of the fork");
	put_bytes(k, w, "some", bytes + 1, 20000);
	finish(k, w);
}

static inline uint8_t *seal(struct kit *k)
{
	static uint8_t root[32];

	must(k, cim_container_seal(&k->env, "mem/c.bcim", root, NULL, &k->err));
	return root;
}

static inline struct kit sealed_kit(uint8_t *root)
{
	struct kit k = kit_new();

	fill(&k);
	memcpy(root, seal(&k), 32);
	return k;
}

static inline struct cim_container_info info_of(struct kit *k)
{
	struct cim_container_info info = {CIM_SIZED(info)};

	must(k, cim_container_get_info(&k->env, "mem/c.bcim", &info, &k->err));
	return info;
}

static inline enum cim_status open_verified(struct kit *k, const char *name, const uint8_t *root,
					    struct cim_image **image)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", kit_place(k), name);
	return cim_image_open_verified(&k->env, path, NULL, 0, root, image, &k->err);
}

static inline char *dump_verified(struct kit *k, const char *name, const uint8_t *root)
{
	struct cim_image *image = NULL;
	char *text = NULL;

	if (must(k, open_verified(k, name, root, &image)))
		text = dump_image(k, image);
	cim_image_close(image);
	return text ? text : (char *)calloc(1, 1);
}

static inline uint64_t end_of_tree(uint64_t blocks)
{
	struct cim_verity_shape shape;

	if (!cim_verity_shape(&shape, blocks))
		bail("no tree of %llu blocks", (unsigned long long)blocks);
	return shape.end;
}

static inline enum cim_status seals(struct kit *k, const char *path)
{
	uint8_t root[32];
	const enum cim_status status = cim_container_seal(&k->env, path, root, NULL, &k->err);

	if (status && !cim_is_zero(root, 32))
		ok(false, "after a failure the root hash is zeros");
	return status;
}

static inline int count_seal(void *ctx, const struct cim_finding *finding)
{
	unsigned *count = ctx;

	*count += !strcmp(finding->structure, "container") && finding->severity == CIM_ERROR;
	return 0;
}

/* Errors of the container that a deep check finds; -1: it isn't even opened. */
static inline int deep(struct kit *k, const uint8_t *root)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = NULL;
	unsigned found = 0;

	if (open_verified(k, "base.cim", root, &image))
		return -1;
	must(k, cim_image_verify(image, CIM_VERIFY_DEEP, count_seal, &found, &result, &k->err));
	cim_image_close(image);
	return (int)found;
}

static inline void flip(struct kit *k, uint64_t offset)
{
	uint8_t byte;

	memfs_peek(k->m, "c.bcim", offset, &byte, 1);
	byte ^= 1 << offset % 8;
	memfs_poke(k->m, "c.bcim", offset, &byte, 1);
}

#endif
