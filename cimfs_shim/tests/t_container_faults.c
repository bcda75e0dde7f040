/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_container_faults.c - a container, whatever fails: old or new, never between
 *
 * As t_writer_faults.c does it for directories, one scripted session in several kinds, and upkeep,
 * are run with each call of the file system below failing once, or from then on, with each
 * allocation failing, and in a container with room for so much. And the power fails after each
 * change: with what wasn't synced lost, or arrived in part, and with a commit record torn at each
 * 512 bytes, or its block lost. Each time the container must be as it was before the session or as
 * the session made it.
 */
#include "../core/contformat.h"
#include "faults.h"

enum kind {
	MAKE, /* the container, too */
	ADD,
	EXTEND,
	FORK,
	CONSISTENT,
	REBUILD, /* consistent, over files that are there */
	MERGE,	 /* base.cim, below items and marks of the session's own */
	MARK,	 /* marks, without a source that they could be about */
	UPKEEP,	 /* remove base.cim and its files */
	ADD_ON_DEVICE,
	EXTEND_ON_DEVICE,
	UPKEEP_ON_DEVICE,
	KINDS
};

static const char *const kind_names[KINDS] = {
	"making the container",
	"adding an image",
	"extending",
	"forking",
	"consistent",
	"consistent, files kept",
	"merging",
	"marking",
	"upkeep",
	"adding an image on a device",
	"extending on a device",
	"upkeep on a device",
};

static bool on_device(enum kind kind)
{
	return kind >= ADD_ON_DEVICE;
}

static bool is_upkeep(enum kind kind)
{
	return kind == UPKEEP || kind == UPKEEP_ON_DEVICE;
}

static bool extends(enum kind kind)
{
	return kind == EXTEND || kind == EXTEND_ON_DEVICE;
}

static const char *target(enum kind kind)
{
	return extends(kind) || is_upkeep(kind) ? "base.cim" : "new.cim";
}

static uint8_t bytes[300000];

/* ---- the script ---- */

struct run {
	struct kit *k;
	struct cim_writer *w;
	enum cim_status first; /* error of all */
	enum cim_status commit;
	bool begun;
};

static void step(struct run *run, enum cim_status status)
{
	if (status && !run->first)
		run->first = status;
}

static void file(struct run *run, const char *path, int64_t size, size_t written)
{
	struct cim_metadata meta = meta_file(size);
	struct cim_stream *stream = NULL;
	struct kit *k = run->k;

	step(run, cim_writer_add(run->w, cim_str8(path), &meta, &stream, &k->err));
	if (stream && written)
		step(run, cim_stream_write(stream, bytes, written, NULL, &k->err));
	cim_stream_close(stream);
}

static void script(struct run *run)
{
	struct cim_metadata meta = meta_dir();
	struct kit *k = run->k;

	step(run, cim_writer_add(run->w, cim_str8("dir"), &meta, NULL, &k->err));
	file(run, "dir/small", 100, 100);
	file(run, "dir/page", 70000, 70000);
	file(run, "dir/copy", 70000, 70000); /* is taken back */
	file(run, "dir/part", 400000, 200);
	file(run, "dir/large", sizeof(bytes), sizeof(bytes));
	step(run, cim_writer_link(run->w, cim_str8("link"), cim_str8("dir/small"), &k->err));
	file(run, "gone", 10, 10);
	step(run, cim_writer_delete(run->w, cim_str8("gone"), &k->err));
}

static void mark(struct run *run)
{
	struct kit *k = run->k;

	step(run, cim_writer_tombstone(run->w, cim_str8("dir/none/hidden"), &k->err));
	step(run, cim_writer_merge_link(run->w, cim_str8("links/one"), cim_str8("known"), &k->err));
}

static void session(struct run *run, enum kind kind)
{
	struct kit *k = run->k;
	const char *source = extends(kind) || kind == FORK ? "base.cim" : NULL;
	unsigned flags = kind == CONSISTENT || kind == REBUILD ? CIM_WRITE_CONSISTENT : 0,
		 tries = 0;

	run->first = cim_writer_open(&k->env, "mem/c.bcim", source, target(kind),
				     flags | CIM_WRITE_CONTAINER, &run->w, &k->err);
	run->commit = run->first;
	run->begun = !run->first;
	if (run->first)
		return;
	script(run);
	if (kind == MERGE || kind == MARK)
		mark(run);
	/* The source lies in the container that the session writes. */
	if (kind == MERGE)
		step(run, cim_writer_add_source(run->w, "mem/c.bcim/base.cim", 0, &k->err));
	do {
		run->commit = cim_writer_commit(run->w, &k->err);
		step(run, run->commit);
	} while (run->commit == CIM_E_SHARING && ++tries < 3);
	cim_writer_close(run->w);
}

/* Remove what belongs to the image of that name, and the image, as cimtool rm does. */
static void upkeep(struct run *run, const char *image)
{
	const struct cim_store_file *file;
	struct cim_store *store;
	struct kit *k = run->k;
	struct cim_guid set = {{0}};
	char names[16][300];
	unsigned count = 0;

	run->first = run->commit = cim_store_open(&k->env, "mem/c.bcim", true, &store, &k->err);
	run->begun = !run->first;
	if (run->first)
		return;
	for (size_t i = 0; (file = cim_store_get(store, i)); i++)
		if (!strcmp(file->name, image))
			set = file->set;
	for (size_t i = 0; (file = cim_store_get(store, i)) && count < 16; i++)
		if (!strcmp(file->name, image) || !memcmp(&file->set, &set, sizeof(set)))
			snprintf(names[count++], sizeof(names[0]), "%s", file->name);
	for (unsigned i = 0; i < count; i++)
		step(run, cim_store_remove(store, names[i], &k->err));
	step(run, cim_store_sync(store, &k->err));
	run->commit = run->first;
	cim_store_close(store);
}

static void perform(struct run *run, enum kind kind)
{
	if (is_upkeep(kind))
		upkeep(run, "base.cim");
	else
		session(run, kind);
}

/* ---- what was there, and what is wanted ---- */

static struct kit before[KINDS];
static char *old_text;	      /* base.cim */
static char *new_text[KINDS]; /* "": there is none */

/* What there is of an image: its dump, "" if the name is missing; NULL: it can't be read. */
static char *text_of(struct kit *k, const char *name)
{
	struct cim_image *image = NULL;
	enum cim_status status;
	char path[64], *text;

	snprintf(path, sizeof(path), "mem/c.bcim/%s", name);
	status = cim_image_open(&k->env, path, &image, NULL);
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND)
		return (char *)calloc(1, 1);
	if (status)
		return NULL;
	text = verify_open(k, image) ? NULL : dump_image(k, image);
	cim_image_close(image);
	return text;
}

static struct kit make_base(bool device)
{
	struct kit base = kit_new();
	struct cim_writer *w;

	base.container = true;
	if (device)
		memfs_put_device(base.m, "c.bcim", 4 << 20);
	w = begin(&base, NULL, "base.cim");
	make_dir(&base, w, "dir");
	put(&base, w, "dir/old", "an old file");
	put_bytes(&base, w, "known", bytes, 70000);
	finish(&base, w);
	return base;
}

static void prepare(void)
{
	struct kit base = make_base(false), device = make_base(true);

	old_text = dump(&base, "base.cim");
	for (int kind = 0; kind < KINDS; kind++) {
		struct run run = {.k = &before[kind]};
		struct kit after;

		before[kind] = kind == MAKE ? kit_new()
					    : kit_copy(on_device(kind) ? &device : &base);
		before[kind].container = true;
		if (kind == REBUILD) {
			perform(&run, REBUILD);
			/* Only the image: its files stay, nobody's. */
			struct cim_store *store;

			must(run.k, cim_store_open(&run.k->env, "mem/c.bcim", true, &store, NULL));
			must(run.k, cim_store_remove(store, "new.cim", NULL));
			must(run.k, cim_store_sync(store, NULL));
			cim_store_close(store);
		}
		after = kit_copy(&before[kind]);
		run = (struct run){.k = &after};
		perform(&run, (enum kind)kind);
		if (run.first)
			bail("the script fails by itself: %s, %s: %s", kind_names[kind],
			     STATUS(run.first), after.err.cause);
		new_text[kind] = text_of(&after, target((enum kind)kind));
		if (!new_text[kind] || !*new_text[kind] != is_upkeep((enum kind)kind))
			bail("%s: comes to nothing", kind_names[kind]);
		kit_free(&after);
	}
	kit_free(&base);
	kit_free(&device);
}

enum state {
	OLD,
	NEW,
	PART, /* sound, but a call that failed left something out */
	BROKEN,
};

/* What the container has now. */
static enum state state_of(struct kit *k, enum kind kind)
{
	const bool is_base = !strcmp(target(kind), "base.cim");
	const char *old = is_base ? old_text : "";
	char *text = text_of(k, target(kind)), *base = text_of(k, "base.cim");
	enum state state = BROKEN;

	if (text && !strcmp(text, old))
		state = OLD;
	else if (text && !strcmp(text, new_text[kind]))
		state = NEW;
	else if (text)
		state = PART;
	if (!is_base && (!base || strcmp(base, kind == MAKE ? "" : old_text)))
		state = BROKEN;
	free(text);
	free(base);
	return state;
}

/* ---- faults ---- */

static bool complain(const struct fault *f, const struct run *run, const char *what)
{
	fault_complain(f, run->k->m, kind_names[f->kind], what);
	diag("  first error %s, commit %s: %s: %s", STATUS(run->first), STATUS(run->commit),
	     run->k->err.op, run->k->err.cause);
	return false;
}

/* Errors that cost nothing but room, or time. */
static bool may_be_silent(const struct fault *f, const struct memfs *m)
{
	if (f->memory || m->first_failed == MEM_REMOVE || m->first_failed == MEM_TRUNCATE)
		return true;
	if (m->first_failed == MEM_PREAD || m->first_failed == MEM_SIZE ||
	    m->first_failed == MEM_IS_LOCKED) /* object IDs, comparisons */
		return true;
	if (m->first_failed == MEM_NEXT_DATA && f->kind == MERGE)
		return true;		   /* a budget, to which all is data then */
	return f->status == CIM_E_SHARING; /* tried again (D47) */
}

static bool is_as_long_as_its_end(struct kit *k)
{
	uint8_t record[2][64];
	uint64_t end = 0, newest = 0;

	for (int i = 0; i < 2; i++) {
		uint64_t sequence = 0, e = 0;

		memfs_peek(k->m, "c.bcim", 4096 * (i + 1), record[i], 64);
		for (int b = 8; b--;) {
			sequence = sequence << 8 | record[i][b];
			e = e << 8 | record[i][24 + b];
		}
		if (sequence > newest) {
			newest = sequence;
			end = e;
		}
	}
	return memfs_size(k->m, "c.bcim") == end;
}

static bool judge(const struct fault *f, struct run *run)
{
	struct kit *k = run->k;
	const char *why;
	const bool failed = k->m->failed || k->m->failed_allocs || (f->full && run->first);
	enum state state;

	if (!memfs_is_clean(k->m, &why))
		return complain(f, run, why);
	if (run->first && run->first != f->status &&
	    !(run->first == CIM_E_EXISTS && f->status == CIM_E_SHARING) &&
	    !(run->first == CIM_E_EXISTS && f->status == CIM_E_ACCESS))
		return complain(f, run, "an error comes out that nobody injected");
	if (!run->first && failed && !may_be_silent(f, k->m))
		return complain(f, run, "the error was passed over");
	state = state_of(k, f->kind);
	if (!run->first && state != NEW)
		return complain(f, run, "all went well, but the new state isn't there");
	if (state == BROKEN || (state == PART && (is_upkeep(f->kind) || run->first == run->commit)))
		return complain(f, run, "it is neither old nor new");
	/* Whether a record's write that failed came to pass nobody knows: it counts as committed.
	 */
	if (k->m->first_failed == MEM_REMOVE || k->m->first_failed == MEM_IS_NAMED || f->on ||
	    run->commit == CIM_E_INVALID ||
	    (is_upkeep(f->kind) && k->m->first_failed == MEM_PWRITE))
		return true;
	if (memfs_count_names(k->m, "cimtmp_"))
		return complain(f, run, "a private file is left beside the container");
	if (f->kind == MAKE && state == OLD && memfs_exists(k->m, "c.bcim"))
		return complain(f, run, "the container that was made is left");
	if (k->m->first_failed == MEM_TRUNCATE || k->m->first_failed == MEM_SIZE)
		return true;
	if (!on_device(f->kind) && memfs_exists(k->m, "c.bcim") && !is_as_long_as_its_end(k))
		return complain(f, run, "something is left behind the container's end");
	return true;
}

/* *more: it came to pass. */
static bool try_fault(const struct fault *f, bool *more)
{
	struct kit k = kit_copy(&before[f->kind]);
	struct run run = {.k = &k};
	bool good;

	fault_begin(f, k.m);
	perform(&run, f->kind);
	*more = fault_end(f, k.m, run.first);
	good = judge(f, &run);
	memfs_free(k.m);
	return good;
}

static void test_faults(enum kind kind)
{
	const struct trial trial = {try_fault, kind_names[kind], 4};

	all_sorts_of_faults(&trial, kind, !is_upkeep(kind) && !on_device(kind));
}

/* Whoever only reads gets the error, or all of it. */
static bool reads(struct kit *k, bool *more, enum cim_status want)
{
	struct cim_image *image = NULL;
	struct cim_verify_result result = {CIM_SIZED(result)};
	const char *why;
	enum cim_status status = cim_image_open(&k->env, "mem/c.bcim/base.cim", &image, &k->err);

	if (!status)
		status = cim_image_verify(image, CIM_VERIFY_DEEP, NULL, NULL, &result, &k->err);
	cim_image_close(image);
	*more = k->m->failed || k->m->failed_allocs;
	if (memfs_is_clean(k->m, &why) && !result.errors && (!status || (*more && status == want)))
		return true;
	diag("  %s: %s, %u errors", why ? why : "clean", STATUS(status), (unsigned)result.errors);
	return false;
}

static void test_reader(bool memory)
{
	const enum cim_status status = memory ? CIM_E_NO_MEMORY : CIM_E_ACCESS;
	unsigned long at = 0;
	bool more = true;

	while (more) {
		struct kit k = kit_copy(&before[ADD]);
		bool good;

		at++;
		*(memory ? &k.m->fail_alloc : &k.m->fail_at) = at;
		k.m->fail_status = status;
		good = reads(&k, &more, status);
		if (!good)
			diag("  that was %s of %s", mem_op_names[k.m->first_failed],
			     k.m->first_failed_name);
		memfs_free(k.m);
		if (!good) {
			ok(false, "a reader: %s %lu fails", memory ? "allocation" : "call", at);
			return;
		}
	}
	ok(at > 10, "a reader: %s: %lu places", memory ? "an allocation fails" : "a call fails",
	   at - 1);
}

/* ---- power ---- */

static struct {
	enum kind kind;
	bool committed;
	bool good;
	unsigned states, olds, news, torn;
	uint8_t records[2 * CIM_CONT_BLOCK]; /* as they were at the last change */
} power;

/* What has the container's name is one, whole, though it may be empty. */
static bool is_whole(struct kit *k)
{
	struct cim_store *store;

	if (!memfs_exists(k->m, "c.bcim"))
		return true;
	if (cim_store_open(&k->env, "mem/c.bcim", false, &store, &k->err))
		return false;
	cim_store_close(store);
	return true;
}

static bool look(struct memfs *m, const char *how)
{
	struct kit k = {.m = m, .container = true};
	enum state state;

	k.env = memfs_env(m);
	power.states++;
	state = state_of(&k, power.kind);
	power.olds += state == OLD;
	power.news += state == NEW;
	if (!is_whole(&k))
		return ok(false, "%s: after a power failure, %s: the container isn't whole: %s",
			  kind_names[power.kind], how, k.err.cause);
	if (state == NEW || (state == OLD && !power.committed))
		return true;
	ok(false, "%s: after a power failure, %s: the container is %s", kind_names[power.kind], how,
	   state == OLD ? "old, though the commit had returned" : "neither old nor new");
	return false;
}

static bool look_at(const struct memfs *m, uint64_t names)
{
	static const char *const losses[] = {"nothing unsynced", "all arrived", "zeros", "some"};

	for (int loss = 0; loss < MEM_LOSSES; loss++) {
		struct memfs *after = memfs_after_power_loss(m, names, (enum mem_loss)loss,
							     m->ops * 31 + names);
		bool good = look(after, losses[loss]);

		memfs_free(after);
		if (!good)
			return false;
	}
	return true;
}

/* Block @block of the container is as it was, but for its first @sectors sectors, or holds rubbish.
 */
static bool look_torn(const struct memfs *m, const uint8_t *now, int block, unsigned sectors,
		      bool lost)
{
	struct memfs *after = memfs_clone(m);
	uint8_t torn[CIM_CONT_BLOCK];
	bool good;

	memcpy(torn, power.records + block * CIM_CONT_BLOCK, sizeof(torn));
	memcpy(torn, now + block * CIM_CONT_BLOCK, sectors * 512);
	if (lost)
		memset(torn, sectors ? 0xa5 : 0, sizeof(torn));
	memfs_poke(after, "c.bcim", (1 + block) * CIM_CONT_BLOCK, torn, sizeof(torn));
	power.torn++;
	good = look(after, lost ? "a record is lost" : "a record is torn");
	memfs_free(after);
	return good;
}

static void tear_records(const struct memfs *m)
{
	uint8_t now[sizeof(power.records)] = {0};

	if (!memfs_exists(m, "c.bcim"))
		return;
	memfs_peek(m, "c.bcim", CIM_CONT_BLOCK, now, sizeof(now));
	for (int block = 0; block < 2; block++) {
		if (!memcmp(now + block * CIM_CONT_BLOCK, power.records + block * CIM_CONT_BLOCK,
			    CIM_CONT_BLOCK))
			continue;
		for (unsigned sectors = 0; sectors < 8 && power.good; sectors++)
			power.good = look_torn(m, now, block, sectors, false);
		for (unsigned i = 0; i < 2 && power.good; i++)
			power.good = look_torn(m, now, block, i, true);
	}
	memcpy(power.records, now, sizeof(now));
}

static void power_fails(struct memfs *m, enum mem_op op, const char *name)
{
	const uint64_t all = (UINT64_C(1) << m->change_count) - 1;

	(void)name;
	for (uint64_t names = 0; names <= all && power.good; names++)
		power.good = look_at(m, names);
	/* It is made under another name, whole. */
	if (op == MEM_RENAME)
		memfs_peek(m, "c.bcim", CIM_CONT_BLOCK, power.records, sizeof(power.records));
	if (power.good)
		tear_records(m);
}

static void test_power(enum kind kind)
{
	struct kit k = kit_copy(&before[kind]);
	struct run run = {.k = &k};

	memset(&power, 0, sizeof(power));
	power.kind = kind;
	power.good = true;
	if (kind != MAKE)
		memfs_peek(k.m, "c.bcim", CIM_CONT_BLOCK, power.records, sizeof(power.records));
	k.m->changed = power_fails;
	perform(&run, kind);
	power.committed = true;
	k.m->changed = NULL;
	if (power.good)
		power_fails(k.m, MEM_SYNC_DIR, "");
	if (power.good)
		ok(power.olds > 10 && power.news > 1 && power.torn >= 10 && !run.first,
		   "%s: the power fails: %u states, %u old, %u new, %u with a torn record",
		   kind_names[kind], power.states, power.olds, power.news, power.torn);
	kit_free(&k);
}

/* ---- power, while a device gets its first container ---- */

/* What is there is no container, an empty one, or the session's; and in any case a forced session
 * can begin. */
static bool look_at_device(struct memfs *m, const char *how)
{
	struct kit k = {.m = m, .container = true};
	struct cim_image *image = NULL;
	struct cim_writer *w = NULL;
	enum cim_status reader, writer;

	k.env = memfs_env(m);
	power.states++;
	reader = cim_image_open(&k.env, "mem/c.bcim/new.cim", &image, NULL);
	cim_image_close(image);
	writer = cim_writer_open(&k.env, "mem/c.bcim", NULL, "other.cim",
				 CIM_WRITE_CONTAINER | CIM_WRITE_FORCE, &w, NULL);
	cim_writer_close(w);
	power.olds += reader == CIM_E_PATH_NOT_FOUND || reader == CIM_E_FILE_NOT_FOUND;
	power.news += !reader;
	if (!writer && (!reader || (!power.committed && (reader == CIM_E_PATH_NOT_FOUND ||
							 reader == CIM_E_FILE_NOT_FOUND))))
		return true;
	return ok(false, "a device, after a power failure, %s: a reader has %s, a session %s", how,
		  STATUS(reader), STATUS(writer));
}

static void device_fails(struct memfs *m, enum mem_op op, const char *name)
{
	static const char *const losses[] = {"nothing unsynced", "all arrived", "zeros", "some"};

	(void)op;
	(void)name;
	for (int loss = 0; loss < MEM_LOSSES * 4 && power.good; loss++) {
		struct memfs *after = memfs_after_power_loss(
			m, 0, (enum mem_loss)(loss % MEM_LOSSES), m->ops * 31 + (unsigned)loss);

		power.good = look_at_device(after, losses[loss % MEM_LOSSES]);
		memfs_free(after);
	}
}

static void test_device_power(bool commits)
{
	struct kit k = kit_new();
	struct run run = {.k = &k};

	memset(&power, 0, sizeof(power));
	power.good = true;
	memfs_put_device(k.m, "c.bcim", 4 << 20);
	k.m->changed = device_fails;
	must(&k, cim_writer_open(&k.env, "mem/c.bcim", NULL, "new.cim", CIM_WRITE_CONTAINER, &run.w,
				 &k.err));
	script(&run);
	if (commits)
		must(&k, cim_writer_commit(run.w, &k.err));
	power.committed = commits;
	cim_writer_close(run.w);
	device_fails(k.m, MEM_SYNC, "");
	k.m->changed = NULL;
	if (power.good)
		ok(power.olds > 10 && (power.news > 1) == commits,
		   "a device's first session, %s: the power fails: %u states, %u old, %u new",
		   commits ? "committed" : "given up", power.states, power.olds, power.news);
	kit_free(&k);
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
	if (tap_turn(KINDS)) {
		test_device_power(true);
		test_device_power(false);
		test_reader(false);
		test_reader(true);
	}
	for (int kind = 0; kind < KINDS; kind++) {
		kit_free(&before[kind]);
		free(new_text[kind]);
	}
	free(old_text);
	return tap_done();
}
