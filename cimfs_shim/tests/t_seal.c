/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_seal.c - sealed containers: who makes one, who may still write it, and that nobody is given a
 * byte that isn't as it was sealed
 *
 * Every block of a sealed container is changed, one at a time; a deep check must find each, and of
 * all reads only those that need the block may fail. Sealing is run with each call and allocation
 * failing, and with the power failing after each change: the container is sealed or it isn't, and
 * holds what it held. (What veritysetup says of our seals is in verity.py.)
 *
 * "t_seal DIRECTORY" makes sealed containers there: a.bcim and b.bcim with an image each, m.bcim
 * with m.cim, which is merged from these. It prints their names and root hashes.
 */
#include <pthread.h>

#include "../core/bytes.h"
#include "../core/container.h"
#include "../core/io.h"
#include "../core/place.h"
#include "faults.h"

#define BLOCK CIM_CONT_BLOCK

static uint8_t bytes[700000];
static uint8_t other_root[32];

/* ---- what there is to seal ---- */

/* Two images, of more blocks than one block of the tree has digests. */
static void fill(struct kit *k)
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

static uint8_t *seal(struct kit *k)
{
	static uint8_t root[32];

	must(k, cim_container_seal(&k->env, "mem/c.bcim", root, &k->err));
	return root;
}

static struct kit sealed_kit(uint8_t *root)
{
	struct kit k = kit_new();

	fill(&k);
	memcpy(root, seal(&k), 32);
	return k;
}

static struct cim_container_info info_of(struct kit *k)
{
	struct cim_container_info info = {CIM_SIZED(info)};

	must(k, cim_container_get_info(&k->env, "mem/c.bcim", &info, &k->err));
	return info;
}

static enum cim_status open_verified(struct kit *k, const char *name, const uint8_t *root,
				     struct cim_image **image)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", kit_place(k), name);
	return cim_image_open_verified(&k->env, path, NULL, 0, root, image, &k->err);
}

static char *dump_verified(struct kit *k, const char *name, const uint8_t *root)
{
	struct cim_image *image = NULL;
	char *text = NULL;

	if (must(k, open_verified(k, name, root, &image)))
		text = dump_image(k, image);
	cim_image_close(image);
	return text ? text : (char *)calloc(1, 1);
}

static uint64_t end_of_tree(uint64_t blocks)
{
	struct cim_verity_shape shape;

	if (!cim_verity_shape(&shape, blocks))
		bail("no tree of %llu blocks", (unsigned long long)blocks);
	return shape.end;
}

/* ---- sealing ---- */

static enum cim_status begins(struct kit *k, const char *name, unsigned flags)
{
	struct cim_writer *w = NULL;
	enum cim_status status = cim_writer_open(&k->env, "mem/c.bcim", NULL, name, flags, &w,
						 &k->err);

	cim_writer_close(w);
	return status;
}

static void test_sealing(void)
{
	struct kit k = kit_new();
	struct cim_store *store = NULL;
	struct cim_container_info info;
	uint8_t root[32], again[32];
	char *want[2], *got;

	fill(&k);
	want[0] = dump(&k, "base.cim");
	want[1] = dump(&k, "fork.cim");
	info = info_of(&k);
	ok(info.to_be_sealed && !info.sealed && !info.data_blocks, "to be sealed, but not yet");
	ok(cim_is_zero(info.root_hash, 32), "without a root hash");
	is_int(info.size, memfs_size(k.m, "c.bcim"), "it is as long as its end");
	is_int(info.used + info.lost, info.size, "all of it is used or lost");
	is_int(info.images, 2, "images");
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", root, &k.err), CIM_OK);
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", again, &k.err), CIM_OK);
	is_mem(again, root, 32, "twice: the same answer");
	info = info_of(&k);
	ok(info.sealed && info.to_be_sealed && !info.seal_elsewhere && !info.device, "sealed");
	is_mem(info.root_hash, root, 32, "with that root hash");
	is_int(info.data_blocks * BLOCK, info.size, "all of it");
	ok(info.data_blocks > 256, "which takes two levels");
	is_int(info.file_size, end_of_tree(info.data_blocks) * BLOCK, "and the tree is behind it");
	gives(&k, begins(&k, "x.cim", CIM_WRITE_CONTAINER), CIM_E_ACCESS);
	gives(&k, begins(&k, "x.cim", CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE), CIM_E_ACCESS);
	gives(&k, begins(&k, "x.cim", 0), CIM_E_ACCESS);
	gives(&k, cim_store_open(&k.env, "mem/c.bcim", true, &store, &k.err), CIM_E_ACCESS);
	is_image(&k, "base.cim", want[0], "it holds what it held");
	is_image(&k, "fork.cim", want[1], "all of it");
	got = dump_verified(&k, "fork.cim", root);
	is_str(got, want[1], "and so it does with the root hash");
	free(got);
	memfs_poke(k.m, "c.bcim", info.file_size, bytes, 512);
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", again, &k.err), CIM_OK);
	is_mem(again, root, 32, "with a footer behind: the same answer");
	is_image(&k, "base.cim", want[0], "with a footer behind it is read");
	free(want[0]);
	free(want[1]);
	kit_free(&k);
}

static enum cim_status seals(struct kit *k, const char *path)
{
	uint8_t root[32];
	const enum cim_status status = cim_container_seal(&k->env, path, root, &k->err);

	if (status && !cim_is_zero(root, 32))
		ok(false, "after a failure the root hash is zeros");
	return status;
}

static enum cim_status describes(struct kit *k, const char *path)
{
	struct cim_container_info info = {CIM_SIZED(info)};

	return cim_container_get_info(&k->env, path, &info, &k->err);
}

static void test_refusals(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;

	k.container = true;
	memfs_put(k.m, "file", "this is no container", 20);
	gives(&k, seals(&k, "mem/c.bcim"), CIM_E_FILE_NOT_FOUND);
	gives(&k, describes(&k, "mem/c.bcim"), CIM_E_FILE_NOT_FOUND);
	gives(&k, seals(&k, "mem/file"), CIM_E_CORRUPT);
	gives(&k, describes(&k, "mem/file"), CIM_E_CORRUPT);
	gives(&k, seals(&k, "mem"), CIM_E_CORRUPT);
	gives(&k, describes(&k, "mem"), CIM_E_CORRUPT);
	gives(&k, seals(&k, "no/where"), CIM_E_PATH_NOT_FOUND);
	gives(&k, begins(&k, "x.cim", CIM_WRITE_SEALABLE), CIM_E_INVALID);
	w = begin(&k, NULL, "x.cim");
	put(&k, w, "a", "text");
	finish(&k, w);
	gives(&k, seals(&k, "mem/c.bcim"), CIM_E_INVALID);
	gives(&k, describes(&k, "mem/c.bcim"), CIM_OK);
	gives(&k, begins(&k, "y.cim", CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE), CIM_E_INVALID);
	gives(&k, begins(&k, "y.cim", CIM_WRITE_CONTAINER), CIM_OK);
	memfs_unlink(k.m, "c.bcim");
	w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_SEALABLE);
	gives(&k, seals(&k, "mem/c.bcim"), CIM_E_SHARING);
	put(&k, w, "a", "text");
	finish(&k, w);
	gives(&k, begins(&k, "y.cim", CIM_WRITE_CONTAINER), CIM_E_INVALID);
	gives(&k, begins(&k, "y.cim", 0), CIM_OK);
	gives(&k, begins(&k, "y.cim", CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE), CIM_OK);
	k.env.sha256 = NULL;
	gives(&k, seals(&k, "mem/c.bcim"), CIM_E_UNSUPPORTED);
	must_be_sound(&k, "x.cim");
	k.env = memfs_env(k.m);
	gives(&k, seals(&k, "mem/c.bcim"), CIM_OK);
	k.env.sha256 = NULL;
	gives(&k, describes(&k, "mem/c.bcim"), CIM_E_UNSUPPORTED);
	kit_free(&k);
}

static struct {
	uint64_t last;
	unsigned count, stop;
	bool orderly;
} told;

static int progress(void *ctx, const struct cim_progress *report)
{
	(void)ctx;
	told.orderly &= report->phase == CIM_PHASE_SEAL && report->done > told.last &&
			report->done <= report->total;
	told.last = report->done;
	return ++told.count == told.stop;
}

static void test_progress(void)
{
	struct kit k = kit_new();
	uint64_t size;

	fill(&k);
	size = memfs_size(k.m, "c.bcim");
	k.env.progress = progress;
	for (unsigned stop = 1; stop <= 5; stop++) {
		memset(&told, 0, sizeof(told));
		told.stop = stop;
		gives(&k, seals(&k, "mem/c.bcim"), CIM_E_ABORTED);
		is_int(memfs_size(k.m, "c.bcim"), size, "stopped it leaves nothing");
	}
	memset(&told, 0, sizeof(told));
	told.orderly = true;
	gives(&k, seals(&k, "mem/c.bcim"), CIM_OK);
	ok(told.orderly && told.count == 5, "progress goes on, %u times", told.count);
	is_int(told.last, size, "to the container's end");
	kit_free(&k);
}

/* Whoever has the root hash gets what was sealed with it, or nothing. */
static void test_root(void)
{
	struct kit k = kit_new();
	struct cim_image *image = NULL;
	struct cim_writer *w;
	uint8_t root[32];

	w = begin(&k, NULL, "x.cim");
	put(&k, w, "a", "text");
	finish(&k, w);
	gives(&k, open_verified(&k, "x.cim", other_root, &image), CIM_E_CORRUPT);
	fill(&k);
	gives(&k, open_verified(&k, "base.cim", other_root, &image), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "isn't sealed"), "which is said: %s", k.err.cause);
	memcpy(root, seal(&k), 32);
	gives(&k, open_verified(&k, "base.cim", other_root, &image), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "another root hash"), "which is said: %s", k.err.cause);
	gives(&k, open_verified(&k, "none.cim", root, &image), CIM_E_FILE_NOT_FOUND);
	gives(&k, open_verified(&k, "base.cim", root, &image), CIM_OK);
	cim_image_close(image);
	memfs_unlink(k.m, "c.bcim");
	gives(&k, open_verified(&k, "base.cim", root, &image), CIM_E_PATH_NOT_FOUND);
	kit_free(&k);
}

/* ---- devices ---- */

static void put_device(struct kit *to, const char *name, struct kit *from, uint64_t size)
{
	uint8_t *copy = calloc(1, (size_t)size);
	uint64_t len = memfs_size(from->m, "c.bcim");

	memfs_peek(from->m, "c.bcim", 0, copy, (size_t)(len < size ? len : size));
	memfs_put_device(to->m, name, size);
	memfs_poke(to->m, name, 0, copy, (size_t)size);
	free(copy);
}

static void test_devices(void)
{
	struct kit from = kit_new(), k;
	struct cim_container_info info;
	struct cim_image *image = NULL;
	uint8_t root[32];
	uint64_t blocks, was;
	char *want;

	fill(&from);
	blocks = info_of(&from).size / BLOCK;
	want = dump(&from, "base.cim");
	k = kit_new();
	k.container = true;
	put_device(&k, "c.bcim", &from, (end_of_tree(blocks) - 1) * BLOCK);
	was = memfs_digest(k.m, NULL);
	gives(&k, seals(&k, "mem/c.bcim"), CIM_E_DISK_FULL);
	ok(memfs_digest(k.m, NULL) == was, "of a tree that doesn't fit nothing is written");
	ok(info_of(&k).device && !info_of(&k).sealed, "a device too small isn't sealed");
	is_image(&k, "base.cim", want, "and keeps what it has");
	kit_free(&k);

	k = kit_new();
	k.container = true;
	put_device(&k, "c.bcim", &from, end_of_tree(blocks) * BLOCK);
	memcpy(root, seal(&k), 32);
	is_mem(root, seal(&from), 32, "a device has the root hash of the file");
	is_image(&k, "base.cim", want, "a sealed device is read");
	kit_free(&k);

	/* What veritysetup shows: the data only, which the kernel checks. */
	k = kit_new();
	k.container = true;
	put_device(&k, "c.bcim", &from, blocks * BLOCK);
	info = info_of(&k);
	ok(info.sealed && info.seal_elsewhere, "a device without the seal says so");
	ok(cim_is_zero(info.root_hash, 32), "and tells no root hash");
	is_image(&k, "base.cim", want, "it is read as it is");
	gives(&k, open_verified(&k, "base.cim", root, &image), CIM_E_CORRUPT);
	gives(&k, seals(&k, "mem/c.bcim"), CIM_E_CORRUPT);
	gives(&k, begins(&k, "x.cim", CIM_WRITE_CONTAINER), CIM_E_ACCESS);
	kit_free(&k);
	free(want);
	kit_free(&from);
}

/* Nobody reads what is sealed past us, but whoever holds the image has the file of the lock. */
static void test_runs(void)
{
	static const struct cim_str none;

	for (int sealed = 0; sealed < 2; sealed++) {
		struct kit k = kit_new();
		struct cim_image *image;
		struct cim_data data = {CIM_SIZED(data)};
		struct cim_run run = {CIM_SIZED(run)};
		intptr_t native = 0;
		uint32_t id = 0;

		k.m->vfs.map = map_any;
		fill(&k);
		if (sealed)
			seal(&k);
		image = open_image(&k, "base.cim");
		must(&k, cim_image_lookup(image, cim_str8("dir/large"), &id, &k.err));
		must(&k, cim_image_get_data(image, id, none, &data, &k.err));
		must(&k, cim_image_get_run(image, &data, 0, data.size, &run, &k.err));
		is_int(run.kind, sealed ? CIM_RUN_READ : CIM_RUN_FILE, "%s: the kind of a run",
		       sealed ? "sealed" : "unsealed");
		is_int(run.native, sealed ? -1 : 42, "and its file");
		cim_run_put(image, &run);
		gives(&k, cim_image_hold(image, CIM_HOLD_TRY, &native, &k.err), CIM_OK);
		is_int(native, 42, "the file that has the mark");
		cim_image_close(image);
		kit_free(&k);
	}
}

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

static int count_seal(void *ctx, const struct cim_finding *finding)
{
	unsigned *count = ctx;

	*count += !strcmp(finding->structure, "container") && finding->severity == CIM_ERROR;
	return 0;
}

/* Errors of the container that a deep check finds; -1: it isn't even opened. */
static int deep(struct kit *k, const uint8_t *root)
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

static void flip(struct kit *k, uint64_t offset)
{
	uint8_t byte;

	memfs_peek(k->m, "c.bcim", offset, &byte, 1);
	byte ^= 1 << offset % 8;
	memfs_poke(k->m, "c.bcim", offset, &byte, 1);
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

/* ---- faults and power ---- */

static struct {
	struct kit before;
	char *text;
	uint8_t root[32];
} unsealed;

static void prepare(void)
{
	struct kit k;

	unsealed.before = kit_new();
	fill(&unsealed.before);
	unsealed.text = dump(&unsealed.before, "fork.cim");
	k = kit_copy(&unsealed.before);
	memcpy(unsealed.root, seal(&k), 32);
	kit_free(&k);
}

/* 0: not sealed, 1: sealed, with the one root hash; -1: neither. It must hold what it held. */
static int state_of(struct kit *k)
{
	struct cim_container_info info = {CIM_SIZED(info)};
	struct cim_image *image = NULL;
	char *text;
	int state;

	if (cim_container_get_info(&k->env, "mem/c.bcim", &info, &k->err) ||
	    cim_image_open(&k->env, "mem/c.bcim/fork.cim", &image, &k->err))
		return -1;
	text = verify_open(k, image) ? NULL : dump_image(k, image);
	state = text && !strcmp(text, unsealed.text) ? info.sealed : -1;
	if (info.sealed && memcmp(info.root_hash, unsealed.root, 32) != 0)
		state = -1;
	free(text);
	cim_image_close(image);
	return state;
}

static bool try_fault(const struct fault *f, bool *more)
{
	struct kit k = kit_copy(&unsealed.before);
	const char *why = NULL;
	uint8_t root[32];
	enum cim_status status;
	int state;
	bool good;

	fault_begin(f, k.m);
	status = cim_container_seal(&k.env, "mem/c.bcim", root, &k.err);
	*more = fault_end(f, k.m, status);
	state = state_of(&k);
	good = memfs_is_clean(k.m, &why) && state >= 0;
	/* Checked blocks of the tree are kept if there is memory, what can't be cut off stays. */
	if (!status)
		good &= state == 1 && !memcmp(root, unsealed.root, 32) &&
			(f->memory || !*more || k.m->first_failed == MEM_SIZE);
	else
		good &= *more && status == f->status;
	/* Whoever can't cut it off leaves it; the next session does. */
	if (good && !state && !f->on && k.m->first_failed != MEM_TRUNCATE)
		good = memfs_size(k.m, "c.bcim") == memfs_size(unsealed.before.m, "c.bcim") ||
		       k.m->first_failed == MEM_PWRITE;
	if (good && status)
		good = must(&k, cim_container_seal(&k.env, "mem/c.bcim", root, &k.err)) &&
		       !memcmp(root, unsealed.root, 32) && state_of(&k) == 1;
	if (!good) {
		fault_complain(f, k.m, "sealing",
			       state < 0 ? "it is neither sealed nor as it was"
			       : state	 ? "it is sealed"
					 : "it is not sealed");
		diag("  it answers %s; %s", STATUS(status), why ? why : "clean");
	}
	memfs_free(k.m);
	return good;
}

static void test_faults(void)
{
	static const struct trial trial = {try_fault, "sealing", 5};
	struct fault f = {.status = CIM_E_IO};

	all_faults(&trial, f, "a call fails");
	f.on = true;
	f.status = CIM_E_DISK_FULL;
	all_faults(&trial, f, "all calls fail from one on");
	f = (struct fault){.memory = true, .status = CIM_E_NO_MEMORY};
	all_faults(&trial, f, "an allocation fails");
	f.on = true;
	all_faults(&trial, f, "all allocations fail from one on");
}

static struct {
	uint8_t header[BLOCK]; /* as it was at the last change */
	bool good, done;
	unsigned states[2], torn;
} power;

static bool look(struct memfs *m, const char *how)
{
	struct kit k = {.m = m, .container = true};
	int state;

	k.env = memfs_env(m);
	state = state_of(&k);
	if (state >= 0)
		power.states[state]++;
	if (state == 1 || (state == 0 && !power.done))
		return true;
	ok(false, "the power fails, %s: the container is %s", how,
	   state < 0 ? "lost" : "not sealed, though the call had returned");
	return false;
}

static void power_fails(struct memfs *m, enum mem_op op, const char *name)
{
	static const char *const losses[] = {"nothing unsynced", "all arrived", "zeros", "some"};
	uint8_t now[BLOCK], torn[BLOCK];

	(void)op;
	(void)name;
	for (int loss = 0; loss < MEM_LOSSES && power.good; loss++) {
		struct memfs *after;

		/* One block that is written over isn't lost, and holds no zeros for that. */
		if (loss == MEM_LOSE_ZEROS || loss == MEM_LOSE_SOME) {
			memfs_peek(m, "c.bcim", 0, now, sizeof(now));
			if (memcmp(now, power.header, sizeof(now)) != 0)
				continue;
		}
		after = memfs_after_power_loss(m, 0, (enum mem_loss)loss, m->ops);
		power.good = look(after, losses[loss]);
		memfs_free(after);
	}
	memfs_peek(m, "c.bcim", 0, now, sizeof(now));
	if (!memcmp(now, power.header, sizeof(now)))
		return;
	for (unsigned sectors = 0; sectors < 8 && power.good; sectors++) {
		struct memfs *after = memfs_clone(m);

		memcpy(torn, power.header, sizeof(torn));
		memcpy(torn, now, (size_t)sectors * 512);
		memfs_poke(after, "c.bcim", 0, torn, sizeof(torn));
		power.torn++;
		power.good = look(after, "the header is torn");
		memfs_free(after);
	}
	memcpy(power.header, now, sizeof(now));
}

static void test_power(void)
{
	struct kit k = kit_copy(&unsealed.before);

	power.good = true;
	memfs_peek(k.m, "c.bcim", 0, power.header, sizeof(power.header));
	k.m->changed = power_fails;
	seal(&k);
	power.done = true;
	k.m->changed = NULL;
	if (power.good)
		power_fails(k.m, MEM_SYNC, "");
	if (power.good)
		ok(power.states[0] > 10 && power.states[1] > 3 && power.torn == 8,
		   "the power fails: %u times not sealed, %u times sealed, %u with a torn header",
		   power.states[0], power.states[1], power.torn);
	kit_free(&k);
}

/* Whoever reads gets the error, or all of it. */
static void test_reader(bool memory)
{
	uint8_t root[32];
	struct kit base = sealed_kit(root);
	const enum cim_status want = memory ? CIM_E_NO_MEMORY : CIM_E_ACCESS;
	unsigned long at = 0;
	bool more = true, good = true;

	while (more && good) {
		struct kit k = kit_copy(&base);
		struct cim_image *image = NULL;
		struct cim_verify_result result = {CIM_SIZED(result)};
		const char *why = NULL;
		enum cim_status status;

		*(memory ? &k.m->fail_alloc : &k.m->fail_at) = ++at;
		k.m->fail_status = want;
		status = open_verified(&k, "fork.cim", root, &image);
		if (!status)
			status = cim_image_verify(image, CIM_VERIFY_DEEP, NULL, NULL, &result,
						  &k.err);
		cim_image_close(image);
		more = k.m->failed || k.m->failed_allocs;
		good = memfs_is_clean(k.m, &why) && !result.errors &&
		       (!status || (more && status == want));
		if (!good) {
			ok(false, "a reader: %s %lu fails", memory ? "allocation" : "call", at);
			diag("  that was %s: %s, %u errors, %s", mem_op_names[k.m->first_failed],
			     STATUS(status), (unsigned)result.errors, why ? why : "clean");
		}
		memfs_free(k.m);
	}
	if (good)
		ok(at > 10, "a reader: %s: %lu places",
		   memory ? "an allocation fails" : "a call fails", at - 1);
	kit_free(&base);
}

/* ---- others, meanwhile ---- */

static struct {
	enum mem_op op; /* when it is called for the @turn-th time */
	unsigned turn;
	void (*act)(struct memfs *m);
	struct memfs *sealed;
} other;

static void call_other(struct memfs *m, enum mem_op op, const char *name)
{
	(void)name;
	if (op != other.op || --other.turn)
		return;
	m->before = NULL;
	other.act(m);
}

static void seals_it(struct memfs *m)
{
	static uint8_t whole[2 << 20];
	const uint64_t size = memfs_size(other.sealed, "c.bcim");

	memfs_peek(other.sealed, "c.bcim", 0, whole, (size_t)size);
	memfs_poke(m, "c.bcim", 0, whole, (size_t)size);
}

static void commits(struct memfs *m)
{
	memfs_poke(m, "c.bcim", 2 * BLOCK, "x", 1);
}

static void replaces(struct memfs *m)
{
	uint8_t header[512];

	memfs_peek(m, "c.bcim", 0, header, sizeof(header));
	header[24] = 0;
	cim_cont_digest(header, 496, header + 496);
	memfs_poke(m, "c.bcim", 0, header, sizeof(header));
}

static void cuts(struct memfs *m)
{
	memfs_shorten(m, "c.bcim", 20 * BLOCK);
}

/* Somebody whom locks don't bind, or who was faster. */
static void test_others(void)
{
	static const struct {
		enum mem_op op;
		unsigned turn;
		void (*act)(struct memfs *m);
		enum cim_status status;
		const char *what;
	} rows[] = {
		{MEM_LOCK, 1, seals_it, CIM_OK, "another has sealed it"},
		{MEM_LOCK, 1, replaces, CIM_E_INVALID, "there is one that isn't to be sealed"},
		{MEM_SYNC, 1, commits, CIM_E_SHARING, "another has committed"},
		{MEM_PREAD, 0, cuts, CIM_E_CORRUPT, "another has cut it"},
	};
	struct kit sealed = kit_copy(&unsealed.before);
	unsigned reads;

	seal(&sealed);
	reads = (unsigned)sealed.m->count[MEM_PREAD];
	other.sealed = sealed.m;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct kit k = kit_copy(&unsealed.before);
		uint8_t root[32];
		enum cim_status status;

		other.op = rows[i].op;
		/* 0: while it is hashed, before the last looks at header and records. */
		other.turn = rows[i].turn ? rows[i].turn : reads - 6;
		other.act = rows[i].act;
		k.m->before = call_other;
		status = cim_container_seal(&k.env, "mem/c.bcim", root, &k.err);
		is_str(STATUS(status), STATUS(rows[i].status), "%s: %s", rows[i].what, k.err.cause);
		if (!status)
			is_mem(root, unsealed.root, 32, "by the same root hash");
		kit_free(&k);
	}
	kit_free(&sealed);
}

/* A tree over so many blocks would end where no file can. */
static void test_too_large(void)
{
	const uint64_t end = INT64_MAX / BLOCK * BLOCK;
	struct kit k = kit_copy(&unsealed.before);
	struct cim_cont_record record = {.sequence = 100, .end = end};
	uint8_t bytes_of[2][64];
	unsigned newer;

	for (unsigned i = 0; i < 2; i++)
		memfs_peek(k.m, "c.bcim", (1 + i) * (uint64_t)BLOCK, bytes_of[i], 64);
	newer = cim_get64(bytes_of[1]) > cim_get64(bytes_of[0]);
	record.table = cim_get64(bytes_of[newer] + 8);
	record.length = cim_get64(bytes_of[newer] + 16);
	memcpy(record.table_digest, bytes_of[newer] + 32, sizeof(record.table_digest));
	cim_cont_record_encode(&record, bytes_of[0]);
	memfs_poke(k.m, "c.bcim", BLOCK, bytes_of[0], 64);
	memfs_poke(k.m, "c.bcim", end - 1, "", 1);
	gives(&k, seals(&k, "mem/c.bcim"), CIM_E_LIMIT);
	is_int(info_of(&k).size, end, "it stays as large as it was");
	kit_free(&k);
}

/* Where there are no locks a session may be there, which finds it sealed when it would write. */
static void test_session_meanwhile(void)
{
	for (int more = 0; more < 2; more++) {
		struct kit k = kit_copy(&unsealed.before);
		struct cim_metadata meta = meta_file(sizeof(bytes) - 3);
		enum cim_status status = CIM_OK;
		struct cim_writer *w;

		k.m->no_locks = true;
		w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_SEALABLE);
		put(&k, w, "a", "text");
		seal(&k);
		if (more)
			status = try_file(&k, w, "b", &meta, bytes + 3, sizeof(bytes) - 3);
		if (!status)
			status = cim_writer_commit(w, &k.err);
		is_str(STATUS(status), "CIM_E_SHARING", "a session under which it was sealed");
		cim_writer_close(w);
		is_int(state_of(&k), 1, "it is sealed, and whole");
		is_int(deep(&k, unsealed.root), 0, "to the last block");
		kit_free(&k);
	}
}

/* ---- merged images ---- */

static const char *const sources[] = {"mem/a.bcim/a.cim", "mem/b.bcim/b.cim"};

/* An image of one file in a sealed container of its own. */
static void make_source(struct kit *k, const char *container, const char *name, const char *text)
{
	struct cim_metadata meta = meta_file((int64_t)strlen(text));
	struct cim_writer *w = NULL;
	char path[40];
	uint8_t root[32];

	snprintf(path, sizeof(path), "mem/%s", container);
	memfs_unlink(k->m, container);
	must(k, cim_writer_open(&k->env, path, NULL, name, CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE,
				&w, &k->err));
	put_meta(k, w, name, &meta, text, strlen(text));
	finish(k, w);
	must(k, cim_container_seal(&k->env, path, root, &k->err));
}

static enum cim_status merge(struct kit *k, const char *name, unsigned flags)
{
	struct cim_writer *w = begin_flags(k, NULL, name, CIM_WRITE_SEALABLE);
	enum cim_status status = CIM_OK;

	for (int i = 0; i < 2 && !status; i++)
		status = cim_writer_add_source(w, sources[i], flags, &k->err);
	if (status)
		cim_writer_close(w);
	else
		finish(k, w);
	return status;
}

static enum cim_status open_sources(struct kit *k, const char *name, const uint8_t *root)
{
	struct cim_image *image = NULL;
	char path[40], *text;
	enum cim_status status;

	snprintf(path, sizeof(path), "mem/c.bcim/%s", name);
	status = cim_image_open_verified(&k->env, path, sources, 2, root, &image, &k->err);
	if (!status) {
		text = dump_image(k, image);
		ok(strstr(text, "text of a") && strstr(text, "text of b"), "all of it is there");
		free(text);
	}
	cim_image_close(image);
	return status;
}

static void test_merged(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	struct cim_image *image = NULL;
	uint8_t root[32];

	k.container = true;
	make_source(&k, "a.bcim", "a.cim", "text of a");
	make_source(&k, "b.bcim", "b.cim", "text of b");
	gives(&k, merge(&k, "good.cim", CIM_SOURCE_VERIFIED), CIM_OK);
	gives(&k, merge(&k, "plain.cim", 0), CIM_OK);
	w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_SEALABLE);
	put(&k, w, "a", "text");
	finish(&k, w);
	w = begin_flags(&k, NULL, "y.cim", CIM_WRITE_SEALABLE);
	gives(&k, cim_writer_add_source(w, "mem/c.bcim/x.cim", CIM_SOURCE_VERIFIED, &k.err),
	      CIM_E_CORRUPT);
	gives(&k, cim_writer_add_source(w, "mem/c.bcim/x.cim", 2, &k.err), CIM_E_INVALID);
	gives(&k, cim_writer_add_source(w, "mem/c.bcim/x.cim", 0, &k.err), CIM_OK);
	cim_writer_close(w);
	memcpy(root, seal(&k), 32);
	gives(&k, open_sources(&k, "good.cim", root), CIM_OK);
	gives(&k, open_sources(&k, "good.cim", other_root), CIM_E_CORRUPT);
	gives(&k, open_sources(&k, "plain.cim", root), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "without its root hash"), "which is said: %s", k.err.cause);
	gives(&k, open_sources(&k, "x.cim", root), CIM_E_INVALID);
	must(&k, cim_image_open(&k.env, "mem/c.bcim/good.cim", &image, &k.err));
	for (uint32_t i = 0; i < 2; i++)
		ok(cim_image_get_source(image, i)->verified, "source %u is stored as verified", i);
	cim_image_close(image);
	flip(&k, BLOCK);
	gives(&k, open_sources(&k, "good.cim", root), CIM_E_CORRUPT);
	flip(&k, BLOCK);
	memfs_unlink(k.m, "a.bcim");
	gives(&k, open_sources(&k, "good.cim", root), CIM_E_PATH_NOT_FOUND);
	make_source(&k, "a.bcim", "a.cim", "text of a");
	gives(&k, open_sources(&k, "good.cim", root), CIM_E_FILE_NOT_FOUND);
	kit_free(&k);
}

/* A source with the region set that was merged, in a container of no root hash, or of another: its
 * seal is taken off, and it gets one more image and a new one. */
static void test_other_source(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = NULL;
	uint8_t root[32], header[512];

	k.container = true;
	make_source(&k, "a.bcim", "a.cim", "text of a");
	make_source(&k, "b.bcim", "b.cim", "text of b");
	gives(&k, merge(&k, "good.cim", CIM_SOURCE_VERIFIED), CIM_OK);
	memcpy(root, seal(&k), 32);
	memfs_peek(k.m, "a.bcim", 0, header, sizeof(header));
	cim_put32(header + 24, CIM_CONT_TO_BE_SEALED);
	cim_cont_digest(header, 496, header + 496);
	memfs_poke(k.m, "a.bcim", 0, header, sizeof(header));
	gives(&k, open_sources(&k, "good.cim", root), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "isn't sealed"), "which is said: %s", k.err.cause);
	must(&k, cim_writer_open(&k.env, "mem/a.bcim", "a.cim", "more.cim", 0, &w, &k.err));
	finish(&k, w);
	gives(&k, seals(&k, "mem/a.bcim"), CIM_OK);
	gives(&k, open_sources(&k, "good.cim", root), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "another root hash"), "which is said: %s", k.err.cause);
	kit_free(&k);
}

/* ---- threads ---- */

enum { THREADS = 4 };

struct job {
	struct cim_image *image;
	uint64_t seed;
	unsigned bad;
};

static void *read_on(void *arg)
{
	struct job *job = arg;
	static const struct cim_str none;
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_error err;
	uint8_t *buf = malloc(100000);
	uint32_t id;

	job->bad += cim_image_lookup(job->image, cim_str8("dir/large"), &id, &err) ||
		    cim_image_get_data(job->image, id, none, &data, &err);
	for (unsigned i = 0; i < 300 && !job->bad; i++) {
		size_t len, got;
		uint64_t offset;

		job->seed = job->seed * UINT64_C(6364136223846793005) + 1;
		offset = (job->seed >> 33) % sizeof(bytes);
		len = (job->seed >> 20) % 100000;
		if (len > sizeof(bytes) - offset)
			len = (size_t)(sizeof(bytes) - offset);
		job->bad += cim_image_read(job->image, &data, offset, buf, len, &got, &err) ||
			    got != len || memcmp(buf, bytes + offset, len) != 0;
	}
	free(buf);
	return NULL;
}

static void test_threads(void)
{
	uint8_t root[32];
	struct kit k = sealed_kit(root);
	struct job jobs[THREADS] = {{0}};
	pthread_t threads[THREADS];
	struct cim_image *image = NULL;
	const struct cim_env *system = cim_env_default();

	k.env.mutex_new = system->mutex_new;
	k.env.mutex_free = system->mutex_free;
	k.env.mutex_lock = system->mutex_lock;
	k.env.mutex_unlock = system->mutex_unlock;
	k.env.thread_ctx = system->thread_ctx;
	must(&k, open_verified(&k, "base.cim", root, &image));
	for (unsigned i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){.image = image, .seed = i};
		if (pthread_create(&threads[i], NULL, read_on, &jobs[i]))
			bail("no thread");
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		is_int(jobs[i].bad, 0, "thread %u reads what was sealed", i);
	}
	cim_image_close(image);
	kit_free(&k);
}

int main(void)
{
	pattern(bytes, 5, sizeof(bytes));
	memset(other_root, 0x11, sizeof(other_root));
	test_sealing();
	test_refusals();
	test_progress();
	test_root();
	test_devices();
	test_runs();
	test_flips();
	test_much_broken();
	test_rules();
	test_cut();
	test_changing_header();
	prepare();
	test_faults();
	test_power();
	test_reader(false);
	test_reader(true);
	test_others();
	test_too_large();
	test_session_meanwhile();
	free(unsealed.text);
	kit_free(&unsealed.before);
	test_merged();
	test_other_source();
	test_threads();
	return tap_done();
}
