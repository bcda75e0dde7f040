/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_append.c - bytes behind a container: who reads it leaves them alone, who writes it cuts them
 */
#include "../core/contformat.h"
#include "kit.h"

static const char footer[] = "a footer";

static struct kit new_kit(bool sealed)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	uint8_t root[CIM_ROOT_HASH];

	k.container = true;
	w = begin_flags(&k, NULL, "a.cim", sealed ? CIM_WRITE_SEALABLE : 0);
	put(&k, w, "file", "text");
	finish(&k, w);
	if (sealed)
		must(&k, cim_container_seal(&k.env, "mem/c.bcim", root, NULL, &k.err));
	return k;
}

static enum cim_status append(struct kit *k, uint64_t at)
{
	return cim_container_append(&k->env, "mem/c.bcim", at, footer, sizeof(footer), NULL,
				    &k->err);
}

static bool has_footer(struct kit *k, uint64_t at)
{
	char bytes[sizeof(footer)] = "";

	if (memfs_size(k->m, "c.bcim") != at + sizeof(footer))
		return false;
	memfs_peek(k->m, "c.bcim", at, bytes, sizeof(bytes));
	return !memcmp(bytes, footer, sizeof(footer));
}

static bool is_sound(struct kit *k)
{
	struct cim_image *image = NULL;
	bool sound;

	if (!must(k, cim_image_open(&k->env, "mem/c.bcim/a.cim", &image, &k->err)))
		return false;
	sound = !verify_open(k, image);
	cim_image_close(image);
	return sound;
}

static void test_append(bool sealed)
{
	const char *what = sealed ? "sealed" : "not sealed";
	struct kit k = new_kit(sealed);
	const uint64_t end = memfs_size(k.m, "c.bcim");
	const uint64_t there = memfs_digest(k.m, NULL);
	uint8_t zeros[4000], none[4000] = {0};

	diag("%s", what);
	gives(&k, append(&k, end - 1), CIM_E_INVALID);
	gives(&k, append(&k, UINT64_MAX), CIM_E_INVALID);
	ok(memfs_digest(k.m, NULL) == there, "%s: refused it changes nothing", what);
	gives(&k, append(&k, end), CIM_OK);
	ok(has_footer(&k, end) && is_sound(&k), "%s: it lies at the end, and readers don't mind",
	   what);
	memfs_shorten(k.m, "c.bcim", end);
	gives(&k, append(&k, end + 4000), CIM_OK);
	memfs_peek(k.m, "c.bcim", end, zeros, sizeof(zeros));
	ok(has_footer(&k, end + 4000) && !memcmp(zeros, none, sizeof(zeros)) && is_sound(&k),
	   "%s: or behind it, with zeros between", what);
	gives(&k, append(&k, end + 4000), sealed ? CIM_E_EXISTS : CIM_OK);
	ok(has_footer(&k, end + 4000), "%s: there is one at most", what);
	kit_free(&k);
}

static void test_session(void)
{
	struct kit k = new_kit(false);
	const uint64_t end = memfs_size(k.m, "c.bcim");
	struct cim_writer *w;

	must(&k, append(&k, end + 512));
	w = begin(&k, NULL, "b.cim");
	gives(&k, append(&k, end + 512), CIM_E_SHARING);
	finish(&k, w);
	is_int(memfs_size(k.m, "c.bcim") % CIM_CONT_BLOCK, 0, "a session cuts it off");
	ok(is_sound(&k), "the container is sound");
	kit_free(&k);
}

static void test_refusals(void)
{
	struct kit k = new_kit(false);

	gives(&k, cim_container_append(&k.env, "mem/none", 0, footer, 1, NULL, &k.err),
	      CIM_E_FILE_NOT_FOUND);
	gives(&k, cim_container_append(&k.env, "mem", 0, footer, 1, NULL, &k.err), CIM_E_CORRUPT);
	memfs_put(k.m, "other", "no container", 12);
	gives(&k, cim_container_append(&k.env, "mem/other", 4096, footer, 1, NULL, &k.err),
	      CIM_E_CORRUPT);
	memfs_put_device(k.m, "device", 4 << 20);
	must(&k, cim_image_copy(&k.env, "mem/c.bcim/a.cim", "mem/device", "a.cim",
				CIM_WRITE_CONTAINER, NULL, NULL, &k.err));
	gives(&k, cim_container_append(&k.env, "mem/device", 1 << 20, footer, 1, NULL, &k.err),
	      CIM_E_INVALID);
	kit_free(&k);
}

/* What a call leaves that is killed, or when the power fails, is in nobody's way. */
static void test_leftover(void)
{
	struct kit k = new_kit(true);
	const uint64_t end = memfs_size(k.m, "c.bcim"), at = end + 9000;
	const uint64_t lengths[] = {end + 1, at, at + 1, at + sizeof(footer)};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		memfs_poke(k.m, "c.bcim", lengths[i] - 1, "", 1);
		gives(&k, append(&k, at), CIM_OK);
		ok(has_footer(&k, at), "over %d zeros", (int)(lengths[i] - end));
		gives(&k, append(&k, at), CIM_E_EXISTS);
		memfs_shorten(k.m, "c.bcim", end);
	}
	memfs_poke(k.m, "c.bcim", at + sizeof(footer), "", 1);
	gives(&k, append(&k, at), CIM_E_EXISTS);
	memfs_shorten(k.m, "c.bcim", end);
	memfs_poke(k.m, "c.bcim", end + 4096, "x", 1);
	gives(&k, append(&k, at), CIM_E_EXISTS);
	is_int(memfs_size(k.m, "c.bcim"), end + 4097, "what isn't zeros stays");
	kit_free(&k);
}

static struct memfs *swapped;
static const struct cim_vfs *really;

/* Another container gets the name before it is opened to be written. */
static enum cim_status open_swapped(void *ctx, cim_vfs_dir *dir, const char *name,
				    enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	if (mode == CIM_VFS_WRITE_ANY) {
		memfs_unlink(swapped, "c.bcim");
		memfs_put(swapped, "c.bcim", "another", 7);
	}
	return really->open(ctx, dir, name, mode, file, os_error);
}

static void test_swapped(void)
{
	struct kit k = new_kit(true);
	const uint64_t end = memfs_size(k.m, "c.bcim");
	struct cim_vfs vfs = *k.env.vfs;

	swapped = k.m;
	really = k.env.vfs;
	vfs.open = open_swapped;
	k.env.vfs = &vfs;
	gives(&k, append(&k, end), CIM_E_SHARING);
	k.env.vfs = really;
	is_int(memfs_size(k.m, "c.bcim"), 7, "what got the name meanwhile is as it was");
	kit_free(&k);
}

/* That there are no locks is told. */
static void test_no_locks(bool sealed)
{
	struct kit k = new_kit(sealed);
	const uint64_t end = memfs_size(k.m, "c.bcim");
	bool unlocked = true;

	gives(&k, cim_container_append(&k.env, "mem/c.bcim", 0, footer, 1, &unlocked, &k.err),
	      CIM_E_INVALID);
	ok(!unlocked, "%s: there are locks", sealed ? "sealed" : "not sealed");
	k.m->no_locks = true;
	gives(&k, cim_container_append(&k.env, "mem/c.bcim", end, footer, 1, &unlocked, &k.err),
	      CIM_OK);
	ok(unlocked, "%s: there are none", sealed ? "sealed" : "not sealed");
	gives(&k, cim_container_append(&k.env, "mem/none", 0, footer, 1, &unlocked, &k.err),
	      CIM_E_FILE_NOT_FOUND);
	ok(!unlocked, "who has locked nothing doesn't know");
	kit_free(&k);
}

/* Each call, and each allocation, fails once: it is there, or nothing is. */
static void test_faults(bool sealed, bool memory)
{
	struct kit before = new_kit(sealed);
	const uint64_t end = memfs_size(before.m, "c.bcim");
	unsigned long at = 1;
	bool more = true, good = true;

	for (; more && good; at++) {
		struct kit k = kit_copy(&before);
		const char *why = "";
		enum cim_status status;

		*(memory ? &k.m->fail_alloc : &k.m->fail_at) = at;
		k.m->fail_status = CIM_E_IO;
		status = append(&k, end + 512);
		more = k.m->failed || k.m->failed_allocs;
		k.m->fail_at = k.m->fail_alloc = 0;
		good = memfs_is_clean(k.m, &why) && is_sound(&k) &&
		       (status ? memfs_size(k.m, "c.bcim") == end ||
					 k.m->first_failed == MEM_TRUNCATE
			       : has_footer(&k, end + 512)) &&
		       (!more || status || k.m->first_failed == MEM_SIZE ||
			k.m->first_failed == MEM_OPEN_DIR);
		if (!good)
			diag("  %s of %s fails: %s, %" PRIu64 " bytes, %s",
			     mem_op_names[k.m->first_failed], k.m->first_failed_name,
			     STATUS(status), memfs_size(k.m, "c.bcim"), why);
		memfs_free(k.m);
	}
	ok(good && at > 8, "%s: %s fails: %lu places", sealed ? "sealed" : "not sealed",
	   memory ? "an allocation" : "a call", at - 2);
	kit_free(&before);
}

int main(void)
{
	for (int sealed = 0; sealed < 2; sealed++) {
		test_append(sealed);
		test_no_locks(sealed);
		test_faults(sealed, false);
		test_faults(sealed, true);
	}
	test_session();
	test_refusals();
	test_leftover();
	test_swapped();
	return tap_done();
}
