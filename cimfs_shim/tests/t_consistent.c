/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_consistent.c - a consistent session and the files of its names that are there already (D45)
 *
 * What is there may be held by somebody who deletes it, be taken over by another session, be huge
 * and hollow, or lie beside a thousand files that have nothing to do with it. That orphans which a
 * session took into use survive their deletion is t_store.c's.
 */
#include "kit.h"

static void build(struct kit *k, struct cim_writer *w, const char *text)
{
	make_dir(k, w, "d");
	put(k, w, "d/text", text);
}

static struct cim_writer *begin_consistent(struct kit *k, const char *text)
{
	struct cim_writer *w = begin_flags(k, NULL, "x.cim", CIM_WRITE_CONSISTENT);

	build(k, w, text);
	return w;
}

/* The set that x.cim gets is there, but its image isn't. @spoil: with other bytes. */
static void leave_orphans(struct kit *k, bool spoil)
{
	finish(k, begin_consistent(k, "text"));
	memfs_unlink(k->m, "x.cim");
	for (size_t i = 0; spoil && i < k->m->now.count; i++)
		memfs_poke(k->m, k->m->now.at[i].name, memfs_size(k->m, k->m->now.at[i].name), "?",
			   1);
}

static bool has_all_files(const struct kit *k)
{
	return memfs_count_names(k->m, "region_") == 3 &&
	       memfs_count_names(k->m, "objectid_") == 3 &&
	       memfs_count_names(k->m, "cimtmp_") == 0 && memfs_exists(k->m, "x.cim");
}

/* ---- held by somebody ---- */

/* Somebody holds a file alone, from the N-th time on that the session wants to hold one. */
static struct {
	struct kit *k;
	unsigned at, holds;
	unsigned patience; /* he is asked so many times; 0: he never lets go */
	unsigned asked;
	cim_vfs_dir *dir;
	cim_vfs_file *file;
	char name[300];
	bool busy, robbed;
} other;

static void let_go(void)
{
	if (other.file)
		other.k->m->vfs.close(other.k->m, other.file);
	other.file = NULL;
}

static void before_call(struct memfs *m, enum mem_op op, const char *name)
{
	long os_error;

	if (other.busy || op != MEM_HOLD)
		return;
	if (other.file && other.patience && ++other.asked >= other.patience)
		let_go();
	if (++other.holds != other.at)
		return;
	snprintf(other.name, sizeof(other.name), "%s", name);
	other.busy = true;
	if (m->vfs.hold(m, other.dir, name, 0, true, &other.file, &os_error))
		ok(false, "somebody else can hold %s first", name);
	other.busy = false;
}

/* While he holds a file it keeps its name. */
static void after_change(struct memfs *m, enum mem_op op, const char *name)
{
	(void)m;
	if (other.file && (op == MEM_REMOVE || op == MEM_RENAME) && !strcmp(name, other.name))
		other.robbed = true;
}

static bool commit_beside(struct kit *k, struct cim_writer *w)
{
	enum cim_status status = cim_writer_commit(w, &k->err);

	if (!other.name[0]) /* the session never held so many */
		return status == CIM_OK;
	if (other.patience)
		return status == CIM_OK && k->m->slept_ms > 0 && k->m->slept_ms < 200;
	if (status != CIM_E_SHARING || k->m->slept_ms < 1000 || k->m->slept_ms > 1100 ||
	    memfs_exists(k->m, "x.cim"))
		return false;
	/* The session goes on. */
	let_go();
	return cim_writer_commit(w, &k->err) == CIM_OK;
}

/* false: the session held fewer than @at files. */
static bool run_beside(unsigned at, unsigned patience, bool spoil, unsigned *wrong)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	long os_error;
	bool good;

	leave_orphans(&k, spoil);
	memset(&other, 0, sizeof(other));
	other.k = &k;
	other.at = at;
	other.patience = patience;
	must(&k, k.m->vfs.open_dir(k.m, "mem", 0, &other.dir, &os_error));
	w = begin_consistent(&k, "text");
	k.m->before = before_call;
	k.m->changed = after_change;
	good = commit_beside(&k, w);
	k.m->before = k.m->changed = NULL;
	cim_writer_close(w);
	let_go();
	k.m->vfs.close_dir(k.m, other.dir);
	if (!good || other.robbed || !has_all_files(&k) || !must_be_sound(&k, "x.cim")) {
		diag("  hold %u, of %s: %s, slept %d ms%s", at, other.name, k.err.cause,
		     (int)k.m->slept_ms, other.robbed ? ", and the file was taken from him" : "");
		++*wrong;
	}
	kit_free(&k);
	return other.name[0] != 0;
}

static void test_held(bool spoil)
{
	for (unsigned patience = 0; patience <= 3; patience += 3) {
		unsigned rounds = 0, wrong = 0;

		while (run_beside(rounds + 1, patience, spoil, &wrong))
			rounds++;
		/* Three region files, twice if they make way, and three object ID files. */
		ok(rounds == (spoil ? 9 : 6) && !wrong,
		   "%s in the way, held by somebody %s: %u times, %u wrong",
		   spoil ? "other files" : "the same files",
		   patience ? "for a moment: waited for" : "for long: the session goes on", rounds,
		   wrong);
	}
}

/* A server that has a removed image mounted shares the lock of its first region file. */
static void test_shared(bool spoil)
{
	struct kit k = kit_new();
	struct cim_writer *w;
	cim_vfs_dir *dir;
	cim_vfs_file *file = NULL;
	long os_error;

	leave_orphans(&k, spoil);
	must(&k, k.m->vfs.open_dir(k.m, "mem", 0, &dir, &os_error));
	for (size_t i = 0; i < k.m->now.count && !file; i++) {
		const char *name = k.m->now.at[i].name;

		if (!strncmp(name, "region_", 7) && !strcmp(name + strlen(name) - 2, "_0"))
			must(&k, k.m->vfs.hold(k.m, dir, name, 0, false, &file, &os_error));
	}
	w = begin_consistent(&k, "text");
	if (spoil) {
		gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
		k.m->vfs.close(k.m, file);
		gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	} else {
		gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
		k.m->vfs.close(k.m, file);
	}
	cim_writer_close(w);
	k.m->vfs.close_dir(k.m, dir);
	ok(has_all_files(&k) && must_be_sound(&k, "x.cim"), "%s that is mounted is %s",
	   spoil ? "another image's file" : "the same image",
	   spoil ? "not replaced until it isn't" : "kept");
	kit_free(&k);
}

/* ---- taken over ---- */

static struct {
	const char *as;	      /* the name under which the same image appears */
	enum cim_status with; /* the last rename fails with this once; CIM_OK: only if it must */
} twin;

/* Just before the last rename somebody whom no lock binds has made an image of the same set. */
static void make_twin(struct memfs *m, enum mem_op op, const char *name)
{
	const char *made = memfs_find_name(m, "cimtmp_");

	if (op != MEM_RENAME || strcmp(name, "x.cim"))
		return;
	for (size_t i = 0; i < m->now.count; i++)
		if (strstr(m->now.at[i].name, "_fs"))
			made = m->now.at[i].name;
	if (!memfs_exists(m, twin.as))
		memfs_copy(m, made, m, twin.as);
	if (twin.with) {
		m->fail_at = m->ops;
		m->fail_status = twin.with;
		twin.with = CIM_OK;
	}
}

/* What he took over stays: the session has failed, and removes nothing of it. */
static void test_taken_over(void)
{
	static const struct {
		const char *as;
		enum cim_status with, want;
	} cases[] = {
		{"x.cim", CIM_OK, CIM_E_EXISTS},
		{"y.cim", CIM_E_IO, CIM_E_IO},
		{"y.cim", CIM_E_SHARING, CIM_OK}, /* tried again */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit k = kit_new();
		struct cim_writer *w = begin_consistent(&k, "text");
		bool exists;

		twin.as = cases[i].as;
		twin.with = cases[i].with;
		k.m->before = make_twin;
		gives(&k, cim_writer_commit(w, &k.err), cases[i].want);
		k.m->before = NULL;
		k.m->fail_at = 0;
		if (cases[i].want)
			ok(cim_writer_lookup(w, cim_str8("d"), &exists, &k.err) != CIM_OK &&
				   cim_writer_commit(w, &k.err) != CIM_OK,
			   "only closing is possible");
		cim_writer_close(w);
		is_int(memfs_count_names(k.m, "region_"), 3, "%s: its region files are left to him",
		       cases[i].as);
		is_int(memfs_count_names(k.m, "objectid_"), 3, "so are the object ID files");
		is_int(memfs_count_names(k.m, "cimtmp_"), 0, "nothing else is left");
		must_be_sound(&k, cases[i].as);
		kit_free(&k);
	}
}

static void fail_first_removal(struct memfs *m, enum mem_op op, const char *name)
{
	(void)name;
	if (op == MEM_REMOVE && !m->fail_at)
		m->fail_at = m->ops;
}

/* A file in whose place another serves. */
static void test_removed_later(void)
{
	struct kit k = kit_new();
	struct cim_writer *w;

	leave_orphans(&k, false);
	w = begin_consistent(&k, "text");
	k.m->before = fail_first_removal;
	must(&k, cim_writer_commit(w, &k.err));
	is_int(memfs_count_names(k.m, "cimtmp_"), 1, "what can't be removed is left for now");
	cim_writer_close(w);
	ok(has_all_files(&k), "and removed when the session ends");
	kit_free(&k);
}

static void hold_twin(struct memfs *m, enum mem_op op, const char *name)
{
	make_twin(m, op, name);
	if (op == MEM_RENAME && !strcmp(name, "x.cim")) {
		m->held = "x.cim";
		m->held_until = UINT64_MAX;
	}
}

/* The same where the session could have gone on: it can't any more, its files are his. */
static void test_taken_over_harmless(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_consistent(&k, "text");

	twin.as = "y.cim";
	twin.with = CIM_OK;
	k.m->before = hold_twin;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	k.m->before = NULL;
	k.m->held = NULL;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_EXISTS);
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 7, "his image and its six files are all that is there");
	must_be_sound(&k, "y.cim");
	kit_free(&k);
}

static void hold_twin_and_fail_list(struct memfs *m, enum mem_op op, const char *name)
{
	hold_twin(m, op, name);
	if (op == MEM_LIST && m->held && !m->fail_at) {
		m->fail_at = m->ops;
		m->fail_status = CIM_E_ACCESS;
	}
}

/* What can't be looked for may be there. */
static void test_taken_over_unseen(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_consistent(&k, "text");

	twin.as = "y.cim";
	twin.with = CIM_OK;
	k.m->before = hold_twin_and_fail_list;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_SHARING);
	k.m->before = NULL;
	k.m->held = NULL;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_ACCESS);
	ok(strstr(k.err.cause, "listing the directory"), "the session tells why it can't go on: %s",
	   k.err.cause);
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 7, "his image and its six files are all that is there");
	must_be_sound(&k, "y.cim");
	kit_free(&k);
}

static void fail_first_sync(struct memfs *m, enum mem_op op, const char *name)
{
	(void)name;
	if (op == MEM_SYNC && !m->fail_at)
		m->fail_at = m->ops;
}

/* No one can have taken what had no name to take it by. */
static void test_failed_before_names(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_consistent(&k, "text");

	k.m->before = fail_first_sync;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_IO);
	is_int(k.m->count[MEM_LIST], 0, "the directory isn't searched for an image that has them");
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 0, "nothing is left");
	kit_free(&k);
}

/* Whatever fails of a commit over orphans: ours and the other's, which of them is told. */
static void test_named_failures(bool spoil)
{
	unsigned failures = 0;
	bool failed = true;

	for (unsigned long at = 1; failed; at++) {
		struct kit k = kit_new();
		struct cim_writer *w;
		const char *name = k.m->first_failed_name;

		leave_orphans(&k, spoil);
		w = begin_consistent(&k, "text");
		k.m->fail_at = k.m->ops + at;
		forget_error(&k);
		failed = cim_writer_commit(w, &k.err) != CIM_OK || k.m->failed;
		if (k.err.status && *name) { /* a directory has none */
			failures++;
			if (!strstr(k.err.cause, name))
				ok(false, "%s of %s failed: %s", mem_op_names[k.m->first_failed],
				   name, k.err.cause);
		}
		cim_writer_close(w);
		kit_free(&k);
	}
	ok(failures > 20, "each of %u failed calls is told with its file", failures);
}

/* ---- huge and hollow ---- */

#define HUGE_SIZE (INT64_C(1) << 40)

static struct cim_writer *begin_hollow(struct kit *k)
{
	struct cim_metadata meta = meta_file(HUGE_SIZE);
	struct cim_writer *w = begin_flags(k, NULL, "x.cim", CIM_WRITE_CONSISTENT);

	put_meta(k, w, "hollow", &meta, "begin", 5);
	put(k, w, "small", "small");
	return w;
}

static const char *region_of(struct kit *k, int index)
{
	char end[8];

	snprintf(end, sizeof(end), "_%d", index);
	for (size_t i = 0; i < k->m->now.count; i++) {
		const char *name = k->m->now.at[i].name;

		if (!strncmp(name, "region_", 7) && !strcmp(name + strlen(name) - 2, end))
			return name;
	}
	bail("there is no region %d", index);
	return NULL;
}

/* What was never written of a stream is not read for a comparison either (D19). */
static void test_hollow(void)
{
	static const struct {
		const char *what;
		uint64_t at;
		size_t len;
		bool other; /* the region file that is there is another one then */
	} cases[] = {
		{"the same", 0, 0, false},
		{"zeros that are stored", UINT64_C(500) << 30, 5, false},
		{"a byte in the middle of the hole", UINT64_C(500) << 30, 1, true},
		{"the last byte", HUGE_SIZE + 4096 - 1, 1, true},
		{"a byte more, a zero", HUGE_SIZE + 4096, 5, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const uint8_t zeros[5];
		struct kit k = kit_new(), want;
		struct cim_writer *w = begin_hollow(&k);
		char name[300];
		uint64_t before;

		finish(&k, w);
		want = kit_copy(&k);
		memfs_unlink(k.m, "x.cim");
		snprintf(name, sizeof(name), "%s", region_of(&k, 1));
		ok(memfs_size(k.m, name) == HUGE_SIZE + 4096 &&
			   memfs_allocated(k.m, name) < (1 << 20),
		   "a region file of %" PRIu64 " bytes, of which %" PRIu64 " take room",
		   memfs_size(k.m, name), memfs_allocated(k.m, name));
		if (cases[i].len)
			memfs_poke(k.m, name, cases[i].at,
				   cases[i].len == 1 ? (const void *)"?" : zeros, cases[i].len);
		w = begin_hollow(&k);
		before = k.m->bytes_read;
		gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
		ok(k.m->bytes_read - before < (4 << 20),
		   "a rebuild over it (%s): %" PRIu64 " bytes are read", cases[i].what,
		   k.m->bytes_read - before);
		cim_writer_close(w);
		ok(memfs_same_file(want.m, name, k.m, name), "the result has the right bytes");
		/* Chunks of zeros show whose file it is. */
		if (cases[i].len == 5 && !cases[i].other)
			ok(memfs_allocated(k.m, name) > memfs_allocated(want.m, name),
			   "the file that was there is kept");
		kit_free(&want);
		kit_free(&k);
	}
}

/* A file system that knows nothing of holes: all is read, and the answer is the same. */
static void test_without_holes(void)
{
	for (int turn = 0; turn < 4; turn++) {
		struct kit k = kit_new(), want;
		struct cim_metadata meta = meta_file(3000000);
		struct cim_vfs vfs = k.m->vfs;
		struct cim_writer *w;
		char name[300];
		uint64_t before;

		vfs.next_data = turn % 2 ? cant_tell : NULL;
		k.env.vfs = &vfs;
		w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
		put_meta(&k, w, "hollow", &meta, "begin", 5);
		finish(&k, w);
		want = kit_copy(&k);
		memfs_unlink(k.m, "x.cim");
		snprintf(name, sizeof(name), "%s", region_of(&k, 1));
		if (turn >= 2)
			memfs_poke(k.m, name, 2000000, "?", 1);
		w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
		put_meta(&k, w, "hollow", &meta, "begin", 5);
		before = k.m->bytes_read;
		gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
		cim_writer_close(w);
		ok(k.m->bytes_read - before > (turn >= 2 ? 3500000 : 6000000),
		   "without knowledge of holes %" PRIu64 " bytes are read",
		   k.m->bytes_read - before);
		ok(memfs_same_file(want.m, name, k.m, name), "and the result has the right bytes");
		kit_free(&want);
		kit_free(&k);
	}
}

/* ---- looking for owners ---- */

/* A conflict makes the session look for an image that needs what is in the way. */
static uint64_t conflict(struct kit *k, enum cim_status want, const char *what)
{
	struct cim_writer *w = begin_consistent(k, "text");
	uint64_t before = k->m->bytes_read;
	enum cim_status status = cim_writer_commit(w, &k->err);

	cim_writer_close(w);
	is_str(STATUS(status), STATUS(want), "%s: %s", what, STATUS(want));
	if (status && status != want)
		diag("  %s", k->err.cause);
	return k->m->bytes_read - before;
}

static void test_owner_search(void)
{
	static uint8_t big[3 << 19]; /* as large as an image's file can be */
	enum { FILES = 50 };
	uint64_t alone, crowded;
	struct kit k = kit_new();
	long peak;

	leave_orphans(&k, true);
	alone = conflict(&k, CIM_OK, "a conflict in an empty directory");
	memfs_unlink(k.m, "x.cim");
	for (size_t i = 0; i < k.m->now.count; i++)
		memfs_poke(k.m, k.m->now.at[i].name, memfs_size(k.m, k.m->now.at[i].name), "?", 1);
	for (int i = 0; i < FILES; i++) {
		char name[64];

		snprintf(name, sizeof(name), "somebody's %d", i);
		memfs_put(k.m, name, big, sizeof(big));
	}
	k.m->peak_bytes = k.m->bytes;
	peak = k.m->bytes;
	crowded = conflict(&k, CIM_OK, "a conflict beside 50 files of 1.5 MB");
	ok(crowded - alone <= 6 * FILES * 64,
	   "%" PRIu64 " bytes more are read than in an empty one", crowded - alone);
	ok(k.m->peak_bytes - peak < (8 << 20), "with %ld bytes of memory", k.m->peak_bytes - peak);
	must_be_sound(&k, "x.cim");
	kit_free(&k);
}

/* What may be an image is one that may need the set. */
static void test_doubtful_images(void)
{
	static const uint8_t head[] = "cimfile0\x48\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0";
	static uint8_t large[6 << 20];
	static const struct {
		const char *what;
		const uint8_t *bytes;
		size_t len;
		enum cim_status want;
	} cases[] = {
		{"eight bytes of an image", head, 8, CIM_E_EXISTS},
		{"an image cut in its header", head, 24, CIM_E_EXISTS},
		{"an image larger than one can be", large, sizeof(large), CIM_E_EXISTS},
		{"seven bytes", head, 7, CIM_OK},
	};

	memcpy(large, head, sizeof(head) - 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit k = kit_new();
		uint64_t read;

		leave_orphans(&k, true);
		memfs_put(k.m, "doubtful", cases[i].bytes, cases[i].len);
		read = conflict(&k, cases[i].want, cases[i].what);
		ok(read < (1 << 20), "%s: %" PRIu64 " bytes are read", cases[i].what, read);
		kit_free(&k);
	}
}

/* What a dead writer left is nobody's image, however its name is spelt; no other file is. */
static void test_temporary_names(void)
{
	static const struct {
		const char *name;
		bool fold;
		enum cim_status want;
	} cases[] = {
		{"cimtmp_0123456789abcdef_fs", false, CIM_OK},
		{"CIMTMP_0123456789ABCDEF_FS", true, CIM_OK},
		{"CIMTMP_0123456789ABCDEF_FS", false, CIM_E_EXISTS},
		{"cimtmp_notes", false, CIM_E_EXISTS},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit k = kit_new();

		k.m->vfs.fold_names = cases[i].fold;
		leave_orphans(&k, true);
		memfs_put(k.m, cases[i].name, "cimfile0", 8);
		conflict(&k, cases[i].want, cases[i].name);
		kit_free(&k);
	}
}

int main(void)
{
	test_held(false);
	test_held(true);
	test_shared(false);
	test_shared(true);
	test_removed_later();
	test_taken_over();
	test_taken_over_harmless();
	test_taken_over_unseen();
	test_failed_before_names();
	test_named_failures(false);
	test_named_failures(true);
	test_hollow();
	test_without_holes();
	test_owner_search();
	test_temporary_names();
	test_doubtful_images();
	return tap_done();
}
