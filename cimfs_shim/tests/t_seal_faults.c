/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_seal_faults.c - what comes in between while a container is sealed
 *
 * Sealing is run with each call and allocation failing, with the power failing after each change,
 * and with others in the container: it is sealed or it isn't, and holds what it held.
 */
#include "../core/bytes.h"
#include "faults.h"
#include "sealkit.h"

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
	status = cim_container_seal(&k.env, "mem/c.bcim", root, NULL, &k.err);
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
		good = must(&k, cim_container_seal(&k.env, "mem/c.bcim", root, NULL, &k.err)) &&
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
		status = cim_container_seal(&k.env, "mem/c.bcim", root, NULL, &k.err);
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

int main(void)
{
	pattern(bytes, 5, sizeof(bytes));
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
	return tap_done();
}
