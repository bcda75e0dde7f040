/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_seal_broken.c - sealed containers that aren't as they were sealed: nobody is given a byte of
 * one
 *
 * Every block of a sealed container is changed, one at a time; a deep check must find each, and of
 * all reads only those that need the block may fail. Each rule of what a seal must be is broken.
 */
#include "../core/bytes.h"
#include "../core/io.h"
#include "../core/place.h"
#include "sealkit.h"

/* ---- each block changed ---- */

struct inside {
	struct cim_env env;
	struct cim_vfs vfs;
	cim_vfs_dir *dir;
};

/* Every file of the container, block by block, as they were, and which fail now. */
struct sweep {
	struct kit *k;
	struct inside *in;
	uint8_t *was;
	size_t size, at;
	bool learn;
	bool no_magic; /* it is no container then, but a file like any */
	unsigned failed, wrong;
	char cause[512];
};

static void read_file(struct sweep *s, const char *name, cim_vfs_file *file, uint64_t size)
{
	struct cim_error err = {0};
	uint8_t buf[BLOCK];
	size_t got;

	for (uint64_t offset = 0; offset < size; offset += BLOCK, s->at += BLOCK) {
		const size_t want = size - offset < BLOCK ? (size_t)(size - offset) : BLOCK;
		enum cim_status status;

		memset(buf, 0x77, sizeof(buf));
		status = cim_io_read(&s->in->env, file, name, offset, buf, want, &got, &err);
		if (s->learn) {
			if (status || got != want)
				bail("%s can't be read: %s", name, err.cause);
			s->was = realloc(s->was, s->at + BLOCK);
			memcpy(s->was + s->at, buf, BLOCK);
		} else if (status) {
			s->failed++;
			s->wrong += status != CIM_E_CORRUPT || buf[0] != 0x77 ||
				    buf[want - 1] != 0x77;
			snprintf(s->cause, sizeof(s->cause), "%s", err.cause);
		} else {
			s->wrong += got != want || memcmp(buf, s->was + s->at, want) != 0;
		}
	}
}

static enum cim_status read_each(void *arg, const char *name)
{
	struct sweep *s = arg;
	const struct cim_vfs *vfs = &s->in->vfs;
	cim_vfs_file *file;
	uint64_t size;
	long os_error;

	if (vfs->open(vfs->ctx, s->in->dir, name, CIM_VFS_READ, &file, &os_error))
		bail("can't open %s", name);
	if (vfs->size(vfs->ctx, file, &size, &os_error))
		bail("%s has no size", name);
	read_file(s, name, file, size);
	vfs->close(vfs->ctx, file);
	return CIM_OK;
}

/* False: the container isn't opened. */
static bool read_all(struct sweep *s)
{
	struct inside in = {.env = s->k->env, .vfs = *s->k->env.vfs};
	long os_error;
	enum cim_status status;

	in.env.vfs = &in.vfs;
	status = cim_place_open(&in.env, &in.vfs, "mem/c.bcim", &in.dir, &s->k->err);
	if (status) {
		s->wrong += status != CIM_E_CORRUPT && !s->no_magic;
		snprintf(s->cause, sizeof(s->cause), "%s", s->k->err.cause);
		return false;
	}
	s->in = &in;
	s->at = 0;
	if (in.vfs.list(in.vfs.ctx, in.dir, read_each, s, &os_error))
		bail("the container isn't listed");
	in.vfs.close_dir(in.vfs.ctx, in.dir);
	return true;
}

/* What one changed block may come to: how many blocks of files can't be read then. */
static bool try_flip(struct sweep *s, const uint8_t *root, uint64_t block, uint64_t data,
		     uint64_t offset, bool *opened)
{
	char want[40];
	int found;

	s->failed = s->wrong = 0;
	s->cause[0] = 0;
	s->no_magic = offset < 8;
	flip(s->k, offset);
	*opened = read_all(s);
	found = deep(s->k, root);
	flip(s->k, offset);
	snprintf(want, sizeof(want), "block %llu isn't", (unsigned long long)block);
	if (s->wrong || !found || s->failed > (block < data ? 1 : CIM_VERITY_FAN))
		return false;
	/* The superblock is none that the tree tells of, and the tree's top is the root hash. */
	return s->no_magic || block == data || block == data + 1 || (*opened && !s->failed) ||
	       strstr(s->cause, want);
}

static void test_flips(void)
{
	uint8_t root[32];
	struct kit k = sealed_kit(root);
	const struct cim_container_info info = info_of(&k);
	const uint64_t all = info.file_size / BLOCK;
	struct sweep s = {.k = &k, .learn = true};
	unsigned closed = 0, readers = 0;
	bool opened = true;

	read_all(&s);
	s.learn = false;
	is_int(deep(&k, root), 0, "a deep check of what was sealed finds nothing");
	for (uint64_t block = 0; block < all; block++) {
		const unsigned at[] = {0, (unsigned)(block * 997 % BLOCK), BLOCK - 1};

		for (int i = 0; i < 3; i++) {
			if (!try_flip(&s, root, block, info.data_blocks, block * BLOCK + at[i],
				      &opened)) {
				ok(false, "byte %u of block %u of %u changed", at[i],
				   (unsigned)block, (unsigned)all);
				diag("  %u blocks not read, %u wrong: %s", s.failed, s.wrong,
				     s.cause);
				goto free_sweep;
			}
			closed += !opened;
			readers += opened && s.failed;
		}
	}
	ok(closed > 9 && readers > 300,
	   "%u blocks changed at 3 bytes: found each time; %u times the container isn't opened, "
	   "%u times a read fails",
	   (unsigned)all, closed, readers);
free_sweep:
	free(s.was);
	kit_free(&k);
}

/* Each that is broken is told, up to a bound. */
static void test_much_broken(void)
{
	/* What is needed to open it lies in front of them, and behind. */
	enum { FILES = 7, MOST = 1000, FIRST = 80 };
	struct kit k = kit_new();
	struct cim_writer *w;
	uint64_t blocks;
	uint8_t root[32];

	k.container = true;
	w = begin_flags(&k, NULL, "base.cim", CIM_WRITE_SEALABLE);
	for (unsigned i = 0; i < FILES; i++) {
		const char name[] = {(char)('a' + i), '\0'};

		put_bytes(&k, w, name, bytes + i, sizeof(bytes) - FILES);
	}
	finish(&k, w);
	memcpy(root, seal(&k), 32);
	blocks = info_of(&k).data_blocks;
	ok(blocks > MOST + 100, "a container of %u blocks", (unsigned)blocks);
	for (unsigned i = 0; i < 2; i++) {
		const unsigned count = i ? MOST + 20 : MOST - 20;

		for (unsigned n = 0; n < count; n++)
			flip(&k, (FIRST + n) * (uint64_t)BLOCK);
		is_int(deep(&k, root), i ? MOST + 1 : count, "%u blocks are broken", count);
		for (unsigned n = 0; n < count; n++)
			flip(&k, (FIRST + n) * (uint64_t)BLOCK);
	}
	kit_free(&k);
}

/* ---- what a seal must be ---- */

struct hand {
	struct kit *k;
	uint64_t blocks; /* data */
	uint8_t root[32];
};

static enum cim_status hand_read(void *ctx, uint64_t offset, void *buf, size_t len,
				 struct cim_error *err)
{
	(void)err;
	memfs_peek(((struct hand *)ctx)->k->m, "c.bcim", offset, buf, len);
	return CIM_OK;
}

static enum cim_status hand_write(void *ctx, uint64_t offset, const void *buf, size_t len,
				  struct cim_error *err)
{
	(void)err;
	memfs_poke(((struct hand *)ctx)->k->m, "c.bcim", offset, buf, len);
	return CIM_OK;
}

/* A header that says so, and the tree over so many blocks that goes with it. */
static void seal_by_hand(struct hand *h, uint64_t verity, uint64_t says, uint64_t blocks)
{
	const struct cim_verity_file file = {h, hand_read, hand_write};
	struct cim_verity_shape shape;
	uint8_t header[512];

	memfs_peek(h->k->m, "c.bcim", 0, header, sizeof(header));
	cim_put32(header + 24, CIM_CONT_TO_BE_SEALED | CIM_CONT_SEALED);
	cim_put64(header + 32, verity);
	cim_put64(header + 40, says);
	cim_cont_digest(header, 496, header + 496);
	memfs_poke(h->k->m, "c.bcim", 0, header, sizeof(header));
	if (!cim_verity_shape(&shape, blocks))
		bail("no tree of %llu blocks", (unsigned long long)blocks);
	must(h->k, cim_verity_build(&h->k->env, &shape, &file, h->root, &h->k->err));
}

static void opens(struct kit *k, const uint8_t *root, enum cim_status want, const char *cause,
		  const char *what)
{
	struct cim_image *image = NULL;
	enum cim_status status;

	for (int verified = 0; verified < 2; verified++) {
		status = verified ? open_verified(k, "base.cim", root, &image)
				  : cim_image_open(&k->env, "mem/c.bcim/base.cim", &image, &k->err);
		is_str(STATUS(status), STATUS(want), "%s%s", what, verified ? ", verified" : "");
		if (status)
			ok(strstr(k->err.cause, cause) != NULL, "says why (%s): %s", cause,
			   k->err.cause);
		cim_image_close(image);
	}
}

static void test_rules(void)
{
	struct kit base = kit_new();
	struct hand h;
	uint64_t n;

	fill(&base);
	n = info_of(&base).size / BLOCK;
	static const struct {
		const char *what;
		int verity, says, blocks; /* added to what they must be */
		bool huge;
		const char *cause;
	} rows[] = {
		{"sealed by hand", 0, 0, 0, false, NULL},
		{"a superblock elsewhere", 1, 0, 0, false, "isn't behind them"},
		{"a superblock at no block", 0, 0, 0, true, "isn't behind them"},
		{"fewer blocks than the container has", -BLOCK, -1, -1, false,
		 "but the container ends at"},
		{"more blocks than the container has", BLOCK, 1, 1, false,
		 "but the container ends at"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct kit k = kit_copy(&base);

		h = (struct hand){.k = &k};
		seal_by_hand(&h, n * BLOCK + (uint64_t)(int64_t)rows[i].verity + rows[i].huge,
			     n + (uint64_t)(int64_t)rows[i].says,
			     n + (uint64_t)(int64_t)rows[i].blocks);
		opens(&k, h.root, rows[i].cause ? CIM_E_CORRUPT : CIM_OK, rows[i].cause,
		      rows[i].what);
		kit_free(&k);
	}
	for (int i = 0; i < 4; i++) {
		static const uint64_t counts[] = {0, 1, INT64_MAX / BLOCK + 1, UINT64_MAX};
		struct kit k = kit_copy(&base);
		char what[60];

		snprintf(what, sizeof(what), "a seal of %llu blocks",
			 (unsigned long long)counts[i]);
		h = (struct hand){.k = &k};
		seal_by_hand(&h, counts[i] * BLOCK, counts[i], n);
		opens(&k, h.root, CIM_E_CORRUPT, i < 2 ? "no seal of" : "isn't behind", what);
		kit_free(&k);
	}
	kit_free(&base);
}

/* The tree is there only in part, or the container says that it isn't sealed. */
static void test_cut(void)
{
	uint8_t root[32], header[512];
	struct kit base = sealed_kit(root);
	const struct cim_container_info info = info_of(&base);
	struct cim_image *image = NULL;

	for (uint64_t size = info.size; size < info.file_size; size += BLOCK) {
		struct kit k = kit_copy(&base);

		memfs_shorten(k.m, "c.bcim", size);
		opens(&k, root, CIM_E_CORRUPT, "cut short", "a file that ends in its seal");
		kit_free(&k);
	}
	memfs_peek(base.m, "c.bcim", 0, header, sizeof(header));
	cim_put32(header + 24, CIM_CONT_TO_BE_SEALED);
	cim_cont_digest(header, 496, header + 496);
	memfs_poke(base.m, "c.bcim", 0, header, sizeof(header));
	gives(&base, open_verified(&base, "base.cim", root, &image), CIM_E_CORRUPT);
	must_be_sound(&base, "base.cim");
	kit_free(&base);
}

/* The header says one thing when it is read, and another when it is checked. */
static struct {
	uint8_t header[512];
	unsigned reads;
} swap;

static void swap_header(struct memfs *m, enum mem_op op, const char *name)
{
	/* The first read is of the magic, the second of the header. */
	if (op == MEM_PREAD && ++swap.reads == 3)
		memfs_poke(m, name, 0, swap.header, sizeof(swap.header));
}

static void test_changing_header(void)
{
	struct kit k = kit_new();
	struct hand h = {.k = &k};
	uint8_t now[512];
	uint64_t n;

	fill(&k);
	n = info_of(&k).size / BLOCK;
	seal_by_hand(&h, (n - 1) * BLOCK, n - 1, n);
	memfs_peek(k.m, "c.bcim", 0, swap.header, sizeof(swap.header));
	memcpy(now, swap.header, sizeof(now));
	cim_put64(now + 32, n * BLOCK);
	cim_put64(now + 40, n);
	cim_cont_digest(now, 496, now + 496);
	k.m->before = swap_header;
	for (int verified = 0; verified < 2; verified++) {
		struct cim_image *image = NULL;
		enum cim_status status;

		memfs_poke(k.m, "c.bcim", 0, now, sizeof(now));
		swap.reads = 0;
		status = verified ? open_verified(&k, "base.cim", h.root, &image)
				  : cim_image_open(&k.env, "mem/c.bcim/base.cim", &image, &k.err);
		is_str(STATUS(status), "CIM_E_CORRUPT", "a header that changes while it is read");
		ok(strstr(k.err.cause, "has changed"), "which is said: %s", k.err.cause);
	}
	kit_free(&k);
}

static unsigned findings(struct kit *k, const char *name, unsigned flags, uint64_t *metadata)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = open_image(k, name);

	must(k, cim_image_verify(image, flags, NULL, NULL, &result, &k->err));
	cim_image_close(image);
	*metadata = result.metadata;
	return (unsigned)result.errors;
}

/* Who checks every image of a container checks it itself once. */
static void test_parts(void)
{
	const unsigned seal_only = CIM_VERIFY_CONTAINER, images_only = CIM_VERIFY_NO_CONTAINER;
	uint8_t root[32], last[BLOCK];
	uint64_t block, metadata;
	struct kit k = sealed_kit(root);
	struct cim_image *image;

	/* What the fork has of its own is behind what both have, but for the container's table. */
	for (block = info_of(&k).size / BLOCK - 1; block; block--) {
		memfs_peek(k.m, "c.bcim", block * BLOCK, last, BLOCK);
		if (!memcmp(last, bytes + 1, 64))
			break;
	}
	ok(block != 0, "where the fork's data begin: block %llu", (unsigned long long)block);
	flip(&k, block * BLOCK);
	is_int(findings(&k, "base.cim", CIM_VERIFY_DEEP, &metadata), 1,
	       "all: a byte of another image");
	is_int(findings(&k, "base.cim", CIM_VERIFY_DEEP | images_only, &metadata), 0,
	       "it alone: none");
	ok(metadata != 0, "which is looked at");
	is_int(findings(&k, "base.cim", CIM_VERIFY_DEEP | seal_only, &metadata), 1,
	       "the seal: one");
	is_int(metadata, 0, "and nothing of the image");
	is_int(findings(&k, "base.cim", seal_only, &metadata), 0,
	       "which isn't read if it isn't deep");
	ok(findings(&k, "fork.cim", CIM_VERIFY_DEEP | images_only, &metadata),
	   "that image finds it");
	image = open_image(&k, "base.cim");
	gives(&k, cim_image_verify(image, seal_only | images_only, NULL, NULL, NULL, &k.err),
	      CIM_E_INVALID);
	cim_image_close(image);
	kit_free(&k);
}

int main(void)
{
	pattern(bytes, 5, sizeof(bytes));
	test_parts();
	test_flips();
	test_much_broken();
	test_rules();
	test_cut();
	test_changing_header();
	return tap_done();
}
