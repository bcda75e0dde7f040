/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_copy.c - copies of whole images, between directories and containers
 *
 * The copy must be what the original is, down to the bytes of its files, and share what can be
 * shared. Then every call of the file system fails once, or from then on, and every allocation, and
 * the power fails after each change: the original is as it was, and the copy is there or isn't.
 */
#include "../core/contformat.h"
#include "faults.h"

enum kind {
	IN,	 /* from the directory into a container that is made */
	ADD,	 /* into one that has the parent's set */
	OUT,	 /* from a container into the directory */
	COMPACT, /* from a container into another */
	SHARE,	 /* under another name beside itself */
	KINDS
};

static const struct copying {
	const char *what, *from, *dir;
	unsigned flags;
	bool boxed; /* the original is in a container */
} copyings[KINDS] = {
	[IN] = {"into a new container", "mem/child.cim", "mem/new.bcim", CIM_WRITE_CONTAINER,
		false},
	[ADD] = {"into a container", "mem/child.cim", "mem/old.bcim", 0, false},
	[OUT] = {"out of a container", "mem/c.bcim/child.cim", "mem", 0, true},
	[COMPACT] = {"from container to container", "mem/c.bcim/child.cim", "mem/new.bcim",
		     CIM_WRITE_CONTAINER, true},
	[SHARE] = {"beside itself", "mem/child.cim", "mem", 0, false},
};

static uint8_t bytes[300000];
static struct kit before[KINDS];
static char *text; /* of the original */

static enum cim_status copy(struct kit *k, const struct copying *c)
{
	return cim_image_copy(&k->env, c->from, c->dir, "copy.cim", c->flags, NULL, NULL, &k->err);
}

static enum cim_status try_copy(struct kit *k, const char *from, const char *dir, const char *name,
				unsigned flags)
{
	return cim_image_copy(&k->env, from, dir, name, flags, NULL, NULL, &k->err);
}

/* An image's dump, "" if the name is missing; NULL: it can't be read. */
static char *text_of(struct kit *k, const char *path)
{
	struct cim_image *image = NULL;
	enum cim_status status = cim_image_open(&k->env, path, &image, NULL);
	char *dumped;

	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND)
		return (char *)calloc(1, 1);
	if (status)
		return NULL;
	dumped = verify_open(k, image) ? NULL : dump_image(k, image);
	cim_image_close(image);
	return dumped;
}

static bool is_like(struct kit *k, const char *path, const char *want)
{
	char *got = text_of(k, path);
	const bool same = got && !strcmp(got, want);

	free(got);
	return same;
}

/* base.cim, and child.cim, its fork. */
static void make_images(struct kit *k)
{
	struct cim_writer *w = begin(k, NULL, "base.cim");

	make_dir(k, w, "dir");
	put(k, w, "dir/old", "an old file");
	put_bytes(k, w, "known", bytes, 70000);
	finish(k, w);
	w = begin(k, "base.cim", "child.cim");
	put_bytes(k, w, "dir/large", bytes, sizeof(bytes));
	put_stream(k, w, "dir/old:stream", "of the fork");
	finish(k, w);
}

static void prepare(void)
{
	struct kit plain = kit_new(), boxed = kit_new();

	boxed.container = true;
	make_images(&plain);
	make_images(&boxed);
	text = text_of(&plain, "mem/child.cim");
	if (!text || !*text || !is_like(&boxed, "mem/c.bcim/child.cim", text))
		bail("no images to copy");
	for (int kind = 0; kind < KINDS; kind++)
		before[kind] = kit_copy(copyings[kind].boxed ? &boxed : &plain);
	if (try_copy(&before[ADD], "mem/base.cim", "mem/old.bcim", "base.cim", CIM_WRITE_CONTAINER))
		bail("no container to copy into: %s", before[ADD].err.cause);
	kit_free(&plain);
	kit_free(&boxed);
}

static char *copy_path(const struct copying *c)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/copy.cim", c->dir);
	return path;
}

/* How many files are in a place; 0: there is none. */
static unsigned count_files(struct kit *k, const char *place)
{
	struct cim_store *store;
	unsigned count = 0;

	if (cim_store_open(&k->env, place, false, &store, NULL))
		return 0;
	while (cim_store_get(store, count))
		count++;
	cim_store_close(store);
	return count;
}

/* ---- copies ---- */

static void test_copies(void)
{
	/* Two sets of three region files and as many for object IDs, and the image. */
	static const unsigned more[KINDS] = {13, 7, 13, 13, 1};

	for (int kind = 0; kind < KINDS; kind++) {
		const struct copying *c = &copyings[kind];
		struct kit k = kit_copy(&before[kind]);
		const unsigned files = count_files(&k, c->dir);

		diag("%s", c->what);
		if (gives(&k, copy(&k, c), CIM_OK)) {
			ok(is_like(&k, copy_path(c), text),
			   "the copy holds the same, and is sound");
			ok(is_like(&k, c->from, text), "so does the original");
			is_int(count_files(&k, c->dir) - files, more[kind], "files that were made");
		}
		is_int(memfs_count_names(k.m, "cimtmp_"), 0, "private files that are left");
		gives(&k, copy(&k, c), CIM_E_EXISTS);
		kit_free(&k);
	}
}

/* Each file is the same, down to its bytes. */
static void test_bytes(void)
{
	struct kit in = kit_copy(&before[IN]), out;
	unsigned same = 0, all = 0;

	must(&in, copy(&in, &copyings[IN]));
	out = kit_new();
	memfs_copy(in.m, "new.bcim", out.m, "new.bcim");
	gives(&out, try_copy(&out, "mem/new.bcim/copy.cim", "mem", "child.cim", 0), CIM_OK);
	for (size_t i = 0; i < out.m->now.count; i++) {
		const char *name = out.m->now.at[i].name;

		if (!strcmp(name, "new.bcim"))
			continue;
		all++;
		same += memfs_exists(in.m, name) && memfs_same_file(in.m, name, out.m, name);
	}
	is_int(all, 13, "files of the copy's copy");
	is_int(same, all, "that are byte for byte those of the original");
	kit_free(&in);
	kit_free(&out);
}

/* A container that images were copied into has lost no room to speak of, and the same bytes each
 * time. */
static void test_compact(void)
{
	struct cim_container_info info = {CIM_SIZED(info)}, lossy = {CIM_SIZED(lossy)};
	struct kit k = kit_copy(&before[COMPACT]);
	struct cim_store *store;
	struct cim_writer *w;

	k.container = true;
	w = begin(&k, NULL, "gone.cim");
	put_bytes(&k, w, "large", bytes + 1, sizeof(bytes) - 1);
	finish(&k, w);
	must(&k, cim_store_open(&k.env, "mem/c.bcim", true, &store, &k.err));
	must(&k, cim_store_remove(store, "gone.cim", &k.err));
	must(&k, cim_store_sync(store, &k.err));
	cim_store_close(store);
	must(&k, cim_container_get_info(&k.env, "mem/c.bcim", &lossy, &k.err));
	for (int i = 0; i < 2; i++) {
		const char *const place = i ? "mem/e.bcim" : "mem/d.bcim";

		k.m->seed += 77; /* other private names */
		must(&k,
		     try_copy(&k, "mem/c.bcim/base.cim", place, "base.cim", CIM_WRITE_CONTAINER));
		gives(&k, try_copy(&k, "mem/c.bcim/child.cim", place, "child.cim", 0), CIM_OK);
	}
	must(&k, cim_container_get_info(&k.env, "mem/d.bcim", &info, &k.err));
	ok(info.lost <= 3 * CIM_CONT_BLOCK, "only former tables are lost in the copy: %" PRIu64,
	   info.lost);
	is_int(info.files, 14, "files: two images and both their sets, once");
	ok(info.size + sizeof(bytes) / 2 < lossy.size, "it is smaller: %" PRIu64 " of %" PRIu64,
	   info.size, lossy.size);
	ok(memfs_same_file(k.m, "d.bcim", k.m, "e.bcim"), "the same copies make the same bytes");
	kit_free(&k);
}

/* A stream that was hardly written is a hole, here and there. */
static void test_holes(void)
{
	struct kit k = kit_new(), away = kit_new();
	struct cim_metadata meta = meta_file(INT64_C(1) << 32);
	struct cim_stream *stream;
	struct cim_writer *w = begin(&k, NULL, "sparse.cim");
	char *want;

	must(&k, cim_writer_add(w, cim_str8("file"), &meta, &stream, &k.err));
	must(&k, cim_stream_write(stream, bytes, 5000, NULL, &k.err));
	cim_stream_close(stream);
	put(&k, w, "last", "the bytes behind it");
	finish(&k, w);
	gives(&k, try_copy(&k, "mem/sparse.cim", "mem/c.bcim", "sparse.cim", CIM_WRITE_CONTAINER),
	      CIM_OK);
	memfs_copy(k.m, "c.bcim", away.m, "c.bcim");
	gives(&away, try_copy(&away, "mem/c.bcim/sparse.cim", "mem", "sparse.cim", 0), CIM_OK);
	ok(memfs_size(k.m, "c.bcim") < 1 << 20, "a container has no room for a hole: %" PRIu64,
	   memfs_size(k.m, "c.bcim"));
	want = dump(&k, "sparse.cim");
	ok(is_like(&away, "mem/sparse.cim", want), "the data is the same, holes and all");
	free(want);
	kit_free(&k);
	kit_free(&away);
}

/* ---- what is there already ---- */

static void test_object_ids(void)
{
	struct kit k = kit_copy(&before[IN]);
	const char *name;
	unsigned gone = 0;

	while ((name = memfs_find_name(k.m, "objectid_"))) {
		memfs_unlink(k.m, name);
		gone++;
	}
	gives(&k, copy(&k, &copyings[IN]), CIM_OK);
	is_int(count_files(&k, "mem/new.bcim") + gone, 13, "without object IDs it is whole");
	kit_free(&k);

	k = kit_copy(&before[ADD]);
	memfs_poke(k.m, memfs_find_name(k.m, "objectid_"), 40, "others", 6);
	gives(&k, copy(&k, &copyings[ADD]), CIM_OK);
	ok(is_like(&k, copy_path(&copyings[ADD]), text), "other object IDs serve as well");
	kit_free(&k);
}

/* A region file with a name of the original's. */
static void test_other_bytes(void)
{
	const struct copying *c = &copyings[OUT];
	struct kit from = kit_copy(&before[IN]), k = kit_copy(&before[OUT]);
	struct cim_image *image;
	char name[CIM_REGION_NAME];
	uint64_t there;

	must(&k, cim_image_open(&k.env, c->from, &image, &k.err));
	cim_image_region_name(image, 0, name);
	cim_image_close(image);
	memfs_put(k.m, name, bytes, 1000);
	there = memfs_digest(k.m, NULL);
	gives(&k, copy(&k, c), CIM_E_EXISTS);
	ok(strstr(k.err.cause, name) != NULL, "that says which: %s", k.err.cause);
	ok(memfs_digest(k.m, NULL) == there, "and leaves all as it was");
	memfs_unlink(k.m, name);
	gives(&k, copy(&k, c), CIM_OK);
	memfs_unlink(k.m, "copy.cim");
	gives(&k, copy(&k, c), CIM_OK); /* orphans of the same bytes serve */
	ok(is_like(&k, copy_path(c), text), "files that nobody needed are taken for the copy");
	kit_free(&k);
	kit_free(&from);
}

/* Of the same length, and synced by nobody: what serves must last. */
static void test_found_is_synced(void)
{
	const struct copying *c = &copyings[SHARE];
	struct kit k = kit_copy(&before[SHARE]), after = {0};

	for (size_t i = 0; i < k.m->now.count; i++)
		if (!strncmp(k.m->now.at[i].name, "region_", 7))
			memfs_unsync(k.m, k.m->now.at[i].name);
	gives(&k, copy(&k, c), CIM_OK);
	after.m = memfs_after_power_loss(k.m, 0, MEM_LOSE_UNSYNCED, 0);
	after.env = memfs_env(after.m);
	ok(is_like(&after, copy_path(c), text), "found files are synced before they serve");
	kit_free(&after);
	kit_free(&k);
}

/* ---- merged images ---- */

static void merge(struct kit *k, const char *dir, const char *upper, const char *lower)
{
	struct cim_writer *w = NULL;

	must(k, cim_writer_open(&k->env, dir, NULL, "merged.cim", 0, &w, &k->err));
	must(k, cim_writer_add_source(w, upper, 0, &k->err));
	must(k, cim_writer_add_source(w, lower, 0, &k->err));
	finish(k, w);
}

static void test_merged(void)
{
	struct kit k = kit_copy(&before[ADD]);
	char *want;

	/* The base's set is named by both. */
	merge(&k, "mem", "mem/child.cim", "mem/base.cim");
	want = dump(&k, "merged.cim");
	gives(&k, try_copy(&k, "mem/merged.cim", "mem/m.bcim", "merged.cim", CIM_WRITE_CONTAINER),
	      CIM_OK);
	ok(is_like(&k, "mem/m.bcim/merged.cim", want),
	   "a merged image comes with its sources' sets");
	is_int(count_files(&k, "mem/m.bcim"), 19, "each once");
	memfs_unlink(k.m, "merged.cim");
	free(want);
	merge(&k, "mem", "mem/child.cim", "mem/base.cim");
	memfs_poke(k.m, set_file(&k, "base.cim", "region_", 0), 0, "damaged", 7);
	gives(&k, try_copy(&k, "mem/merged.cim", "mem/d.bcim", "merged.cim", CIM_WRITE_CONTAINER),
	      CIM_E_CORRUPT); /* not as one whose sources are elsewhere */
	kit_free(&k);

	k = kit_copy(&before[ADD]);
	merge(&k, "mem", "mem/child.cim", "mem/old.bcim/base.cim");
	gives(&k, try_copy(&k, "mem/merged.cim", "mem/n.bcim", "merged.cim", CIM_WRITE_CONTAINER),
	      CIM_OK); /* the same set is here, too */
	memfs_unlink(k.m, "merged.cim");
	merge(&k, "mem/old.bcim", "mem/child.cim", "mem/old.bcim/base.cim");
	gives(&k,
	      try_copy(&k, "mem/old.bcim/merged.cim", "mem/o.bcim", "merged.cim",
		       CIM_WRITE_CONTAINER),
	      CIM_E_UNSUPPORTED);
	ok(!memfs_exists(k.m, "o.bcim"), "nothing is made of one whose sources are elsewhere");
	kit_free(&k);
}

/* ---- refusals ---- */

static void test_refusals(void)
{
	enum { NEW = CIM_WRITE_CONTAINER | CIM_WRITE_NEW_CONTAINER };
	static const struct {
		const char *from, *dir, *name;
		unsigned flags;
		enum cim_status status;
	} cases[] = {
		{"mem/child.cim", "mem", "base.cim", 0, CIM_E_EXISTS},
		{"mem/child.cim", "mem/old.bcim", "BASE.cim", 0, CIM_E_EXISTS},
		{"mem/child.cim", "mem", "", 0, CIM_E_INVALID},
		{"mem/child.cim", "mem", "a/b", 0, CIM_E_INVALID},
		{"mem/child.cim", "mem", "cimtmp_1_a", 0, CIM_E_INVALID},
		{"mem/child.cim", "mem", "x", CIM_WRITE_CONSISTENT, CIM_E_INVALID},
		{"mem/child.cim", "mem/old.bcim", "x", CIM_WRITE_FORCE, CIM_E_INVALID},
		{"mem/child.cim", "mem/old.bcim", "x", CIM_WRITE_SEALABLE, CIM_E_INVALID},
		{"mem/child.cim", "mem/old.bcim", "x", CIM_WRITE_SEALABLE | CIM_WRITE_CONTAINER,
		 CIM_E_INVALID},
		{"mem/child.cim", "mem/old.bcim", "x", CIM_WRITE_NEW_CONTAINER, CIM_E_INVALID},
		{"mem/child.cim", "mem/old.bcim", "x", NEW, CIM_E_EXISTS},
		{"mem/child.cim", "mem/base.cim", "x", NEW, CIM_E_EXISTS},
		{"mem/child.cim", "mem", "x", NEW, CIM_E_EXISTS},
		{"mem/child.cim", "mem/none/c.bcim", "x", NEW, CIM_E_PATH_NOT_FOUND},
		{"mem/none.cim", "mem/old.bcim", "x", NEW, CIM_E_FILE_NOT_FOUND},
		{"mem/child.cim", "mem", "x", CIM_WRITE_CONTAINER, CIM_E_ACCESS},
		{"mem/child.cim", "mem/base.cim", "x", 0, CIM_E_PATH_NOT_FOUND},
		{"mem/child.cim", "mem/base.cim", "x", CIM_WRITE_CONTAINER, CIM_E_CORRUPT},
		{"mem/child.cim", "mem/none", "x", 0, CIM_E_PATH_NOT_FOUND},
		{"mem/child.cim", "mem/none/c.bcim", "x", CIM_WRITE_CONTAINER,
		 CIM_E_PATH_NOT_FOUND},
		{"mem/none.cim", "mem", "x", 0, CIM_E_FILE_NOT_FOUND},
		{"mem/none.cim", "mem/new.bcim", "x", CIM_WRITE_CONTAINER, CIM_E_FILE_NOT_FOUND},
		{"none/child.cim", "mem", "x", 0, CIM_E_PATH_NOT_FOUND},
		{"mem/old.bcim", "mem", "x", 0, CIM_E_CORRUPT},
	};
	struct kit k = kit_copy(&before[ADD]);
	const uint64_t there = memfs_digest(k.m, NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const enum cim_status got = try_copy(&k, cases[i].from, cases[i].dir, cases[i].name,
						     cases[i].flags);

		ok(got == cases[i].status && memfs_digest(k.m, NULL) == there,
		   "%s to %s as '%s', flags %x: %s", cases[i].from, cases[i].dir, cases[i].name,
		   cases[i].flags, STATUS(got));
	}
	kit_free(&k);
}

static void test_missing_region(void)
{
	struct kit k = kit_copy(&before[IN]);

	memfs_unlink(k.m, memfs_find_name(k.m, "region_"));
	gives(&k, copy(&k, &copyings[IN]), CIM_E_CORRUPT);
	ok(!memfs_exists(k.m, "new.bcim"), "no container is made for half an image");
	kit_free(&k);
}

static void test_busy(void)
{
	struct kit k = kit_copy(&before[ADD]);
	struct cim_writer *w = begin(&k, NULL, "session.cim");
	uint8_t root[32];

	gives(&k, copy(&k, &copyings[SHARE]), CIM_E_SHARING);
	gives(&k, copy(&k, &copyings[ADD]), CIM_OK); /* reads what a session is beside */
	cim_writer_close(w);
	must(&k, try_copy(&k, "mem/child.cim", "mem/s.bcim", "a.cim",
			  CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE));
	must(&k, cim_container_seal(&k.env, "mem/s.bcim", root, NULL, &k.err));
	gives(&k, try_copy(&k, "mem/child.cim", "mem/s.bcim", "b.cim", 0), CIM_E_ACCESS);
	gives(&k, try_copy(&k, "mem/s.bcim/a.cim", "mem/t.bcim", "a.cim", CIM_WRITE_CONTAINER),
	      CIM_OK);
	ok(is_like(&k, "mem/t.bcim/a.cim", text), "what was sealed can be copied out");
	gives(&k,
	      cim_image_copy(&k.env, "mem/s.bcim/a.cim", "mem/t.bcim", "b.cim", 0, root, NULL,
			     &k.err),
	      CIM_OK);
	gives(&k,
	      cim_image_copy(&k.env, "mem/t.bcim/a.cim", "mem/t.bcim", "c.cim", 0, root, NULL,
			     &k.err),
	      CIM_E_CORRUPT);
	root[0] ^= 1;
	gives(&k,
	      cim_image_copy(&k.env, "mem/s.bcim/a.cim", "mem/t.bcim", "c.cim", 0, root, NULL,
			     &k.err),
	      CIM_E_CORRUPT);
	kit_free(&k);
}

/* Nobody's: neither a container that is there, nor what another session makes it into. */
static void test_new_container(void)
{
	const unsigned flags = CIM_WRITE_CONTAINER | CIM_WRITE_NEW_CONTAINER;
	struct kit k = kit_copy(&before[ADD]);
	struct cim_vfs vfs = k.m->vfs;
	struct cim_env env = k.env;
	struct cim_writer *w = begin(&k, NULL, "session.cim");

	gives(&k, try_copy(&k, "mem/child.cim", "mem", "x", flags), CIM_E_EXISTS); /* a busy one */
	cim_writer_close(w);
	gives(&k, try_copy(&k, "mem/child.cim", "mem/fresh.bcim", "x", flags), CIM_OK);
	gives(&k, try_copy(&k, "mem/child.cim", "mem/fresh.bcim", "y", flags), CIM_E_EXISTS);
	memfs_put_device(k.m, "device", 8 << 20);
	gives(&k, try_copy(&k, "mem/child.cim", "mem/device", "x", flags), CIM_OK);
	gives(&k, try_copy(&k, "mem/child.cim", "mem/device", "y", flags | CIM_WRITE_FORCE),
	      CIM_E_EXISTS);
	/* Whoever knows no containers makes one all the same, and takes no image out of one. */
	vfs.no_containers = true;
	env.vfs = &vfs;
	gives(&k,
	      cim_image_copy(&env, "mem/child.cim", "mem/n.bcim", "x", flags, NULL, NULL, &k.err),
	      CIM_OK);
	gives(&k,
	      cim_image_copy(&env, "mem/n.bcim/x", "mem/o.bcim", "x", flags, NULL, NULL, &k.err),
	      CIM_E_PATH_NOT_FOUND);
	gives(&k, cim_image_copy(&env, "mem/child.cim", "mem/n.bcim", "y", 0, NULL, NULL, &k.err),
	      CIM_E_PATH_NOT_FOUND);
	kit_free(&k);
}

static enum cim_status no_byte_lock(void *ctx, cim_vfs_file *file, uint64_t number,
				    enum cim_vfs_lock how, bool wait, long *os_error)
{
	(void)ctx;
	(void)file;
	(void)number;
	(void)how;
	(void)wait;
	*os_error = 95;
	return CIM_E_UNSUPPORTED;
}

enum locks { LOCKS, NO_BYTE_LOCKS, NO_LOCKS };

/* That there are no locks is told; those of files, where a file is to be locked. */
static void test_locks(int kind, enum locks locks)
{
	static const char *const names[] = {"locks", "no locks of files", "no locks"};
	const bool want = locks == NO_LOCKS || (locks == NO_BYTE_LOCKS && kind != SHARE);
	const struct copying *c = &copyings[kind];
	struct kit k = kit_copy(&before[kind]);
	struct cim_vfs vfs = k.m->vfs;
	bool unlocked = !want;

	if (locks == NO_BYTE_LOCKS) {
		vfs.lock = no_byte_lock;
		k.env.vfs = &vfs;
	}
	k.m->no_locks = locks == NO_LOCKS;
	gives(&k,
	      cim_image_copy(&k.env, c->from, c->dir, "copy.cim", c->flags, NULL, &unlocked,
			     &k.err),
	      CIM_OK);
	is_int(unlocked, want, "%s: %s", c->what, names[locks]);
	ok(is_like(&k, copy_path(c), text), "%s: it is there", c->what);
	kit_free(&k);
}

static void test_no_locks(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (int locks = LOCKS; locks <= NO_LOCKS; locks++)
			test_locks(kind, locks);
}

/* A network may lose the answer to the rename. */
static void test_lost_answer(void)
{
	struct kit k = kit_copy(&before[OUT]);

	k.m->lose_answer = true;
	gives(&k, copy(&k, &copyings[OUT]), CIM_OK);
	ok(is_like(&k, "mem/copy.cim", text), "an answer that was lost is no failure");
	kit_free(&k);
}

/* ---- while it copies ---- */

static struct {
	uint64_t last, total, stop;
	unsigned count;
	bool orderly;
} told;

static int progress(void *ctx, const struct cim_progress *report)
{
	(void)ctx;
	told.orderly &= report->phase == CIM_PHASE_COPY && report->done >= told.last &&
			report->done <= report->total;
	told.last = report->done;
	told.total = report->total;
	return ++told.count == told.stop;
}

static void test_progress(void)
{
	struct kit k = kit_copy(&before[IN]);

	memset(&told, 0, sizeof(told));
	told.orderly = true;
	k.env.progress = progress;
	told.stop = 3;
	gives(&k, copy(&k, &copyings[IN]), CIM_E_ABORTED);
	ok(!memfs_exists(k.m, "new.bcim") && !memfs_count_names(k.m, "cimtmp_"),
	   "stopped it leaves nothing");
	memset(&told, 0, sizeof(told));
	told.orderly = true;
	gives(&k, copy(&k, &copyings[IN]), CIM_OK);
	ok(told.orderly && told.count >= 6 && told.last > sizeof(bytes),
	   "progress goes on to its end: %u times, %" PRIu64 " of %" PRIu64, told.count, told.last,
	   told.total);
	kit_free(&k);
}

static struct {
	struct memfs *m;
	const char *name; /* the region file that was cut */
} cut;

/* Once a region file has been begun, cut the other one. */
static int cut_next(void *ctx, const struct cim_progress *report)
{
	const struct memfs *m = cut.m;

	(void)ctx;
	for (size_t i = 0; !cut.name && i < m->now.count; i++) {
		const char *name = m->now.at[i].name;
		const uint64_t size = memfs_size(m, name);

		if (strncmp(name, "region_", 7) || size == report->done ||
		    (size > 1 << 18) == (report->done == 1 << 18))
			continue;
		cut.name = name;
		memfs_shorten(cut.m, name, size - 4096);
	}
	return 0;
}

static void test_cut_meanwhile(void)
{
	struct kit k = kit_copy(&before[IN]);

	cut.m = k.m;
	k.env.progress = cut_next;
	gives(&k, copy(&k, &copyings[IN]), CIM_E_CORRUPT);
	ok(cut.name && strstr(k.err.cause, "meanwhile") && !memfs_exists(k.m, "new.bcim"),
	   "a file that is cut before its turn isn't copied: %s, %s",
	   cut.name ? cut.name : "none was cut", k.err.cause);
	kit_free(&k);
}

static struct {
	unsigned private, in_use;
} seen;

static void look_at_private(struct memfs *m, enum mem_op op, const char *name)
{
	const struct cim_store_file *file;
	struct cim_env env = memfs_env(m);
	struct cim_store *store;

	if (op != MEM_SYNC || strncmp(name, "cimtmp_", 7) || strstr(name, "_fs"))
		return;
	m->changed = NULL;
	if (!cim_store_open(&env, "mem", false, &store, NULL)) {
		for (size_t i = 0; (file = cim_store_get(store, i)); i++) {
			seen.private += file->kind == CIM_KIND_TEMPORARY;
			seen.in_use += file->kind == CIM_KIND_TEMPORARY &&
				       (file->flags & CIM_STORE_IN_USE);
		}
		cim_store_close(store);
	}
	m->changed = look_at_private;
}

static void test_in_use(void)
{
	struct kit k = kit_copy(&before[OUT]);

	k.m->changed = look_at_private;
	gives(&k, copy(&k, &copyings[OUT]), CIM_OK);
	k.m->changed = NULL;
	ok(seen.private > 20 && seen.in_use == seen.private,
	   "private files are in use meanwhile: %u of %u", seen.in_use, seen.private);
	kit_free(&k);
}

/* ---- faults ---- */

static bool complain(const struct fault *f, struct kit *k, enum cim_status got, const char *what)
{
	fault_complain(f, k->m, copyings[f->kind].what, what);
	diag("  it answers %s: %s: %s", STATUS(got), k->err.op, k->err.cause);
	return false;
}

/* Errors that cost nothing but room or time: files of the original are opened again with fewer
 * open. */
static bool may_be_silent(const struct fault *f, const struct memfs *m)
{
	if (m->first_failed == MEM_OPEN && strncmp(m->first_failed_name, "cimtmp_", 7) &&
	    !strstr(m->first_failed_name, ".cim"))
		return true;
	return f->memory || m->first_failed == MEM_REMOVE || m->first_failed == MEM_TRUNCATE ||
	       m->first_failed == MEM_SIZE || f->status == CIM_E_SHARING;
}

/* Nothing is left of a copy that isn't there. */
static const char *left_behind(const struct fault *f, struct kit *k)
{
	const struct kit *old = &before[f->kind];

	if (memfs_count_names(k->m, "cimtmp_"))
		return "a private file is left";
	if (memfs_count_names(k->m, "") != memfs_count_names(old->m, ""))
		return "a file is left";
	return memfs_digest(k->m, "cimtmp_") == memfs_digest(old->m, "cimtmp_")
		       ? NULL
		       : "something is changed";
}

static bool judge(const struct fault *f, struct kit *k, enum cim_status got, bool failed)
{
	const struct copying *c = &copyings[f->kind];
	char *now;
	const char *why;
	bool there, gone;

	if (!memfs_is_clean(k->m, &why))
		return complain(f, k, got, why);
	if (got && got != f->status && got != CIM_E_EXISTS)
		return complain(f, k, got, "an error comes out that nobody injected");
	if (!got && failed && !may_be_silent(f, k->m))
		return complain(f, k, got, "the error was passed over");
	now = text_of(k, copy_path(c));
	there = now && !strcmp(now, text);
	gone = now && !*now;
	free(now);
	if (!is_like(k, c->from, text))
		return complain(f, k, got, "the original isn't what it was");
	if (!there && !(gone && got))
		return complain(f, k, got, "the copy is neither there nor not");
	/* Whether a record's write that failed came to pass nobody knows: it counts as done. */
	if (there || f->on || strstr(k->err.cause, "syncing the directory") ||
	    k->m->first_failed == MEM_REMOVE || k->m->first_failed == MEM_IS_NAMED ||
	    k->m->first_failed == MEM_TRUNCATE)
		return true;
	why = left_behind(f, k);
	return why ? complain(f, k, got, why) : true;
}

/* *more: it came to pass. */
static bool try_fault(const struct fault *f, bool *more)
{
	struct kit k = kit_copy(&before[f->kind]);
	enum cim_status got;
	bool good;

	fault_begin(f, k.m);
	got = copy(&k, &copyings[f->kind]);
	*more = fault_end(f, k.m, got);
	good = judge(f, &k, got, *more);
	memfs_free(k.m);
	return good;
}

static void test_faults(enum kind kind)
{
	const struct trial trial = {try_fault, copyings[kind].what, 4};

	all_sorts_of_faults(&trial, kind, kind != SHARE);
}

/* ---- power ---- */

static struct {
	enum kind kind;
	bool done, good;
	unsigned states, there;
} power;

static void look(const struct memfs *m, uint64_t names, enum mem_loss loss)
{
	const struct copying *c = &copyings[power.kind];
	struct memfs *after = memfs_after_power_loss(m, names, loss, m->ops * 31 + names);
	struct kit k = {.m = after, .env = memfs_env(after)};
	char *now = text_of(&k, copy_path(c));
	const bool there = now && !strcmp(now, text);

	power.states++;
	power.there += there;
	power.good = is_like(&k, c->from, text) && (there || (now && !*now && !power.done));
	if (!power.good)
		ok(false, "%s: after a power failure the copy is %s", c->what,
		   power.done ? "gone, though it was done" : "half there");
	free(now);
	memfs_free(after);
}

static void power_fails(struct memfs *m, enum mem_op op, const char *name)
{
	const uint64_t all = (UINT64_C(1) << m->change_count) - 1;
	const uint64_t step = all / 16 + 1; /* of many, some */

	(void)op;
	(void)name;
	for (int loss = 0; loss < MEM_LOSSES; loss++) {
		for (uint64_t names = 0; names <= all && power.good; names += step)
			look(m, names, (enum mem_loss)loss);
		if (power.good)
			look(m, all, (enum mem_loss)loss);
	}
}

static void test_power(enum kind kind)
{
	struct kit k = kit_copy(&before[kind]);

	memset(&power, 0, sizeof(power));
	power.kind = kind;
	power.good = true;
	k.m->changed = power_fails;
	must(&k, copy(&k, &copyings[kind]));
	power.done = true;
	k.m->changed = NULL;
	power_fails(k.m, MEM_SYNC_DIR, "");
	if (power.good)
		ok(power.there > 1 && power.there < power.states,
		   "%s: the power fails: %u states, in %u the copy is there", copyings[kind].what,
		   power.states, power.there);
	kit_free(&k);
}

static void test_all_else(void)
{
	test_copies();
	test_bytes();
	test_compact();
	test_holes();
	test_object_ids();
	test_other_bytes();
	test_found_is_synced();
	test_merged();
	test_refusals();
	test_missing_region();
	test_busy();
	test_new_container();
	test_no_locks();
	test_lost_answer();
	test_progress();
	test_in_use();
	test_cut_meanwhile();
}

int main(int argc, char **argv)
{
	tap_part(argc, argv);
	pattern(bytes, 3, sizeof(bytes));
	prepare();
	for (unsigned kind = 0; kind < KINDS; kind++) {
		if (!tap_turn(kind))
			continue;
		test_faults((enum kind)kind);
		test_power((enum kind)kind);
	}
	if (tap_turn(KINDS))
		test_all_else();
	for (int kind = 0; kind < KINDS; kind++)
		kit_free(&before[kind]);
	free(text);
	return tap_done();
}
