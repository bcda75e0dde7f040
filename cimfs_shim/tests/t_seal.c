/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_seal.c - sealed containers: who makes one, who may still write it, and how it is read
 *
 * (Containers that are broken: t_seal_broken.c. Faults while one is sealed: t_seal_faults.c. What
 * veritysetup says of our seals: verity.py.)
 */
#include <pthread.h>

#include "../core/bytes.h"
#include "sealkit.h"

static uint8_t other_root[32];

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
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", root, NULL, &k.err), CIM_OK);
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", again, NULL, &k.err), CIM_OK);
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
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", again, NULL, &k.err), CIM_OK);
	is_mem(again, root, 32, "with a footer behind: the same answer");
	is_image(&k, "base.cim", want[0], "with a footer behind it is read");
	free(want[0]);
	free(want[1]);
	kit_free(&k);
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

/* That there are no locks is told. */
static void test_no_locks(void)
{
	struct kit k = kit_new();
	uint8_t root[32];
	bool unlocked = true;

	fill(&k);
	k.m->no_locks = true;
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", root, &unlocked, &k.err), CIM_OK);
	ok(unlocked, "there are none");
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", root, &unlocked, &k.err), CIM_OK);
	ok(!unlocked, "a container that is sealed already isn't locked");
	kit_free(&k);
	k = kit_new();
	fill(&k);
	unlocked = true;
	gives(&k, cim_container_seal(&k.env, "mem/c.bcim", root, &unlocked, &k.err), CIM_OK);
	ok(!unlocked, "there are locks");
	kit_free(&k);
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

static int note_elsewhere(void *ctx, const struct cim_finding *finding)
{
	unsigned *count = ctx;

	*count += finding->severity == CIM_NOTE && strstr(finding->message, "the seal isn't here");
	return 0;
}

/* How often is it told that the seal is elsewhere? */
static unsigned notes_elsewhere(struct kit *k)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = open_image(k, "base.cim");
	unsigned count = 0;

	must(k, cim_image_verify(image, 0, note_elsewhere, &count, &result, &k->err));
	cim_image_close(image);
	return count;
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
	is_int(notes_elsewhere(&k), 0, "where the seal is, nothing is said of it");
	kit_free(&k);

	/* What veritysetup shows: the data only, which the kernel checks. */
	k = kit_new();
	k.container = true;
	put_device(&k, "c.bcim", &from, blocks * BLOCK);
	info = info_of(&k);
	ok(info.sealed && info.seal_elsewhere, "a device without the seal says so");
	ok(cim_is_zero(info.root_hash, 32), "and tells no root hash");
	is_image(&k, "base.cim", want, "it is read as it is");
	is_int(notes_elsewhere(&k), 1, "which verify tells");
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
	must(k, cim_container_seal(&k->env, path, root, NULL, &k->err));
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

/* Take the seal off a container. */
static void unseal(struct kit *k, const char *container)
{
	uint8_t header[512];

	memfs_peek(k->m, container, 0, header, sizeof(header));
	cim_put32(header + 24, CIM_CONT_TO_BE_SEALED);
	cim_cont_digest(header, 496, header + 496);
	memfs_poke(k->m, container, 0, header, sizeof(header));
}

static void unseal_a(struct kit *k)
{
	unseal(k, "a.bcim");
}

static void seal_a(struct kit *k)
{
	gives(k, seals(k, "mem/a.bcim"), CIM_OK);
}

/* It gets one more image, and a seal. */
static void seal_another(struct kit *k)
{
	struct cim_writer *w = NULL;

	must(k, cim_writer_open(&k->env, "mem/a.bcim", "a.cim", "more.cim", 0, &w, &k->err));
	finish(k, w);
	gives(k, seals(k, "mem/a.bcim"), CIM_OK);
}

static void reseal_a(struct kit *k)
{
	unseal_a(k);
	seal_another(k);
}

/* A source with the region set that was merged, in a container of no root hash, or of another. */
static void test_other_source(void)
{
	struct kit k = kit_new();
	uint8_t root[32];

	k.container = true;
	make_source(&k, "a.bcim", "a.cim", "text of a");
	make_source(&k, "b.bcim", "b.cim", "text of b");
	gives(&k, merge(&k, "good.cim", CIM_SOURCE_VERIFIED), CIM_OK);
	memcpy(root, seal(&k), 32);
	unseal(&k, "a.bcim");
	gives(&k, open_sources(&k, "good.cim", root), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "isn't sealed"), "which is said: %s", k.err.cause);
	seal_another(&k);
	gives(&k, open_sources(&k, "good.cim", root), CIM_E_CORRUPT);
	ok(strstr(k.err.cause, "another root hash"), "which is said: %s", k.err.cause);
	kit_free(&k);
}

/* What happens to a source's container while it is being merged. */
static void test_source_meanwhile(unsigned flags)
{
	static const struct {
		const char *what;
		bool sealed; /* when it is added */
		void (*change)(struct kit *k);
		enum cim_status status;
	} rows[] = {
		{"nothing", true, NULL, CIM_OK},
		{"it loses its seal", true, unseal_a, CIM_E_SHARING},
		{"it gets another seal, and its header is the same", true, reseal_a, CIM_E_SHARING},
		{"it gets its seal", false, seal_a, CIM_OK},
		{"it gets another image, and its seal", false, seal_another, CIM_OK},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cim_writer *w;
		struct kit k;

		if (!rows[i].sealed && flags)
			continue;
		k = kit_new();
		k.container = true;
		make_source(&k, "a.bcim", "a.cim", "text of a");
		if (!rows[i].sealed)
			unseal(&k, "a.bcim");
		w = begin_flags(&k, NULL, "m.cim", 0);
		must(&k, cim_writer_add_source(w, sources[0], flags, &k.err));
		if (rows[i].change)
			rows[i].change(&k);
		is_int(cim_writer_commit(w, &k.err), rows[i].status, "while it is merged%s, %s: %s",
		       flags ? " as verified" : "", rows[i].what, cim_status_name(rows[i].status));
		cim_writer_close(w);
		kit_free(&k);
	}
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
/* The power failed in a commit, and the disk had kept the record, but not its table. */
static void test_torn_commit(void)
{
	struct kit k = kit_new();
	struct cim_cont_record record = {.sequence = 100, .length = 100};
	uint8_t encoded[64], root[32];
	char *want, *got;

	fill(&k);
	want = dump(&k, "fork.cim");
	record.table = info_of(&k).size;
	record.end = record.table + BLOCK;
	cim_cont_record_encode(&record, encoded);
	/* The fork was the second commit to the container that was made with record A. */
	memfs_poke(k.m, "c.bcim", 2 * (uint64_t)BLOCK, encoded, sizeof(encoded));
	memfs_poke(k.m, "c.bcim", record.end - 1, "", 1);
	is_image(&k, "fork.cim", want, "the state before is read");
	memcpy(root, seal(&k), sizeof(root));
	is_image(&k, "fork.cim", want, "and so it is when that is sealed");
	got = dump_verified(&k, "fork.cim", root);
	is_str(got, want, "also with the root hash");
	free(got);
	free(want);
	kit_free(&k);
}

int main(void)
{
	pattern(bytes, 5, sizeof(bytes));
	memset(other_root, 0x11, sizeof(other_root));
	test_sealing();
	test_torn_commit();
	test_refusals();
	test_no_locks();
	test_progress();
	test_root();
	test_devices();
	test_runs();
	test_merged();
	test_other_source();
	test_source_meanwhile(0);
	test_source_meanwhile(CIM_SOURCE_VERIFIED);
	test_threads();
	return tap_done();
}
