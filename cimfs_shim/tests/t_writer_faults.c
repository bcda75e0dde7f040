/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer_faults.c - whatever fails: old or new, never between
 *
 * One scripted session, in several kinds: from nothing, extending, forking, in consistent mode over
 * what a former build left. It is run again and again with another call of the file system, or
 * another allocation, failing, once or from then on; and, in a run where nothing fails, the power
 * fails after each change, and every directory that may be left is looked at.
 */
#include "faults.h"

enum kind {
	FRESH,
	EXTEND,
	FORK,
	CONSISTENT,
	CONSISTENT_EXTEND,
	CONSISTENT_REBUILD, /* only the image file was deleted */
	CONSISTENT_ORPHAN,  /* and a region file was changed */
	KINDS
};

static const char *const kind_names[KINDS] = {
	"from nothing",
	"extending",
	"forking",
	"consistent",
	"consistent, extending",
	"consistent, files kept",
	"consistent, an orphan",
};

/* Name of the image that a kind makes, and of what it is made from. */
static const char *target(enum kind kind)
{
	return kind == EXTEND || kind == CONSISTENT_EXTEND ? "base.cim" : "new.cim";
}

static const char *source_of(enum kind kind)
{
	return kind == EXTEND || kind == CONSISTENT_EXTEND || kind == FORK ? "base.cim" : NULL;
}

static unsigned flags_of(enum kind kind)
{
	return kind >= CONSISTENT ? CIM_WRITE_CONSISTENT : 0;
}

static uint8_t bytes[1300000];

/* The size of a block of an image's cache, which works without. */
enum { CACHE_BLOCK = 4096 };

/* ---- the script ---- */

struct run {
	struct kit *k;
	struct cim_writer *w;
	bool large;	       /* with streams of more than a MiB */
	enum cim_status first; /* the first error of all */
	enum cim_status commit;
	bool committed;	 /* there was no error, or only behind the rename */
	bool unpoisoned; /* a call succeeded after a write had failed */
	bool wrong;	 /* a call failed with something that nobody injected */
};

/* A write to the session's own files, or what makes it last. */
static bool write_failed(const struct memfs *m)
{
	return m->failed && (m->first_failed == MEM_PWRITE || m->first_failed == MEM_TRUNCATE ||
			     m->first_failed == MEM_SYNC);
}

static void step(struct run *run, bool poisoned, enum cim_status status)
{
	if (status && !run->first)
		run->first = status;
	if (poisoned && status != run->k->m->fail_status)
		run->unpoisoned = true;
}

#define STEP(run, call)                                    \
	do {                                               \
		bool poisoned = write_failed((run)->k->m); \
		step((run), poisoned, (call));             \
	} while (0)

static enum cim_status source_pread(void *ctx, uint64_t offset, void *buf, size_t len,
				    struct cim_error *err)
{
	(void)ctx;
	(void)err;
	memcpy(buf, bytes + offset, len);
	return CIM_OK;
}

static void file(struct run *run, const char *path, int64_t size, size_t written, bool fill)
{
	struct cim_source source = {CIM_SIZED(source), NULL, source_pread};
	struct cim_metadata meta = meta_file(size);
	struct cim_stream *stream = NULL;
	struct kit *k = run->k;

	STEP(run, cim_writer_add(run->w, cim_str8(path), &meta, &stream, &k->err));
	if (!stream)
		return;
	if (fill)
		STEP(run, cim_stream_fill(stream, &source, &k->err));
	else if (written)
		STEP(run, cim_stream_write(stream, bytes, written, NULL, &k->err));
	cim_stream_close(stream);
}

static void script(struct run *run)
{
	static const uint8_t sd[28] = {1, 0, 4, 0x80, 0,  0, 0, 0, 0, 0, 0, 0,
				       0, 0, 0, 0,    20, 0, 0, 0, 2, 0, 8, 0};
	static const uint8_t ea[12] = {0, 0, 0, 0, 0, 1, 2, 0, 'N', 0, 'v', 'w'};
	struct cim_metadata meta = meta_dir();
	struct cim_stream *stream = NULL;
	struct kit *k = run->k;
	struct cim_writer *w = run->w;
	bool exists;

	meta.security = sd;
	meta.security_size = sizeof(sd);
	meta.ea = ea;
	meta.ea_size = sizeof(ea);
	STEP(run, cim_writer_add(w, cim_str8("dir"), &meta, NULL, &k->err));
	STEP(run, cim_writer_add(w, cim_str8("dir/sub"), &meta, NULL, &k->err));
	file(run, "dir/small", 100, 100, false);
	file(run, "dir/copy", 100, 100, false);
	file(run, "dir/page", 70000, 70000, false);
	file(run, "dir/page copy", 70000, 70000, true);
	file(run, "dir/sub/part", 300000, 200, false);
	if (run->large) {
		file(run, "large", sizeof(bytes), sizeof(bytes), false);
		file(run, "large copy", sizeof(bytes), sizeof(bytes), false);
		file(run, "filled copy", sizeof(bytes), sizeof(bytes), true);
		file(run, "hole", INT64_C(1) << 33, 1, false);
	}
	STEP(run, cim_writer_add_stream(w, cim_str8("dir/small:s"), 9, &stream, &k->err));
	if (stream)
		STEP(run, cim_stream_write(stream, "alternate", 9, NULL, &k->err));
	cim_stream_close(stream);
	STEP(run, cim_writer_link(w, cim_str8("link"), cim_str8("dir/small"), &k->err));
	STEP(run, cim_writer_lookup(w, cim_str8("dir/sub/part"), &exists, &k->err));
	file(run, "gone", 10, 10, false);
	STEP(run, cim_writer_delete(w, cim_str8("gone"), &k->err));
}

/* The whole session; false if it couldn't even begin. */
static bool session(struct run *run, enum kind kind)
{
	struct kit *k = run->k;
	struct memfs *m = k->m;
	unsigned tries = 0;

	run->first = cim_writer_open(&k->env, "mem", source_of(kind), target(kind), flags_of(kind),
				     &run->w, &k->err);
	if (run->first)
		return false;
	script(run);
	do {
		bool poisoned = write_failed(m);

		run->commit = cim_writer_commit(run->w, &k->err);
		step(run, poisoned, run->commit);
	} while (run->commit == CIM_E_SHARING && ++tries < 3);
	cim_writer_close(run->w);
	return true;
}

/* ---- what was there, and what is wanted ---- */

static struct kit before[KINDS]; /* the directory that a kind begins with */
static char *old_text;		 /* base.cim */
static char *new_text[KINDS][2]; /* what each kind makes, small and large */

static void run_plainly(struct kit *k, enum kind kind, bool large)
{
	struct run run = {.k = k, .large = large};

	if (!session(&run, kind) || run.first || run.commit)
		bail("the script fails by itself: %s, %s", kind_names[kind], STATUS(run.first));
}

static void prepare(void)
{
	struct kit base = kit_new();
	struct cim_writer *w = begin(&base, NULL, "base.cim");

	make_dir(&base, w, "dir");
	put(&base, w, "dir/old", "an old file");
	put_bytes(&base, w, "dir/page", bytes, 5000);
	put_bytes(&base, w, "known", bytes, 70000);
	put_stream(&base, w, "known:s", "old");
	finish(&base, w);
	old_text = dump(&base, "base.cim");
	for (int kind = 0; kind < KINDS; kind++) {
		before[kind] = kit_copy(&base);
		if (kind >= CONSISTENT_REBUILD) {
			char found[300];
			const char *name;

			run_plainly(&before[kind], kind, false);
			memfs_unlink(before[kind].m, "new.cim");
			/* The set that isn't base.cim's. */
			for (size_t i = 0; kind == CONSISTENT_ORPHAN; i++) {
				name = before[kind].m->now.at[i].name;
				if (strncmp(name, "region_", 7) || memfs_exists(base.m, name) ||
				    strcmp(name + strlen(name) - 2, "_1"))
					continue;
				snprintf(found, sizeof(found), "%s", name);
				memfs_poke(before[kind].m, found, 5000, "other", 5);
				break;
			}
		}
		for (int large = 0; large < 2; large++) {
			struct kit k = kit_copy(&before[kind]);

			run_plainly(&k, kind, large);
			new_text[kind][large] = dump(&k, target(kind));
			must_be_sound(&k, target(kind));
			kit_free(&k);
		}
	}
	kit_free(&base);
}

static bool is_text(struct kit *k, const char *name, const char *want)
{
	char *text = dump(k, name);
	bool same = !strcmp(text, want);

	free(text);
	return same;
}

/* Is every file of @was there, with the same bytes? In the kind with an orphan its set may go. */
static bool files_kept(const struct kit *was, const struct kit *k, enum kind kind, const char *but)
{
	for (size_t i = 0; i < was->m->now.count; i++) {
		const char *name = was->m->now.at[i].name;

		if (but && !strcmp(name, but))
			continue;
		if (kind == CONSISTENT_ORPHAN && !memfs_exists(before[FRESH].m, name))
			continue;
		if (!memfs_exists(k->m, name) || !memfs_same_file(was->m, name, k->m, name)) {
			diag("  %s has changed", name);
			return false;
		}
	}
	return true;
}

/* @orphans: but for files that have their final names. */
static bool nothing_new(const struct kit *was, const struct kit *k, bool orphans)
{
	for (size_t i = 0; i < k->m->now.count; i++) {
		const char *name = k->m->now.at[i].name;

		if (orphans && (!strncmp(name, "region_", 7) || !strncmp(name, "objectid_", 9)))
			continue;
		if (!memfs_exists(was->m, name)) {
			diag("  %s is left", name);
			return false;
		}
	}
	return true;
}

/* Errors that cost nothing but room may be passed over: of the parents' object ID files, of reading
 * back for a comparison, of removing. */
static bool may_be_silent(const struct memfs *m)
{
	bool reads = m->first_failed == MEM_OPEN || m->first_failed == MEM_SIZE ||
		     m->first_failed == MEM_PREAD;

	if (m->failed_allocs || m->first_failed == MEM_REMOVE)
		return true;
	/* An image that is mounted or held open, be it for reading only, is tried again (D47), and
	 * so is what somebody holds who deletes orphans. */
	if (m->fail_status == CIM_E_SHARING &&
	    (m->first_failed == MEM_RENAME || m->first_failed == MEM_IS_LOCKED ||
	     m->first_failed == MEM_HOLD || (reads && strstr(m->first_failed_name, ".cim"))))
		return true;
	return reads && (!strncmp(m->first_failed_name, "objectid_", 9) ||
			 !strncmp(m->first_failed_name, "region_", 7) ||
			 !strncmp(m->first_failed_name, "cimtmp_", 7));
}

static bool complain(const struct fault *f, const struct run *run, const char *what)
{
	fault_complain(f, run->k->m, kind_names[f->kind], what);
	diag("  first error %s, commit %s", STATUS(run->first), STATUS(run->commit));
	return false;
}

/* Look at what a run with a fault left. */
static bool judge(const struct fault *f, struct run *run, bool opened)
{
	struct kit *k = run->k;
	const struct kit *was = &before[f->kind];
	const char *why, *name = target(f->kind);
	bool made = memfs_exists(k->m, name) &&
		    (!memfs_exists(was->m, name) || !memfs_same_file(was->m, name, k->m, name));
	bool injected =
		run->first == f->status ||
		/* of a name that can't be looked at no more is known than that it is taken */
		(run->first == CIM_E_EXISTS &&
		 (f->status == CIM_E_ACCESS || f->status == CIM_E_SHARING));

	if (!memfs_is_clean(k->m, &why))
		return complain(f, run, why);
	if (run->first && !injected)
		return complain(f, run, "an error comes out that nobody injected");
	if (!run->first && (k->m->failed || k->m->failed_allocs) && !may_be_silent(k->m))
		return complain(f, run, "the error was passed over");
	if (run->unpoisoned)
		return complain(f, run, "a write had failed, but the session went on (D43)");
	if (opened && !run->commit && !made)
		return complain(f, run, "the commit succeeded, but there is no new image");
	if (!made && !files_kept(was, k, f->kind, NULL))
		return complain(f, run, "the old files are as they were");
	if (made && !files_kept(was, k, f->kind, name))
		return complain(f, run, "the other files are as they were");
	/* A consistent session that can't see who needs its files, as all fails, leaves them. */
	if (!made && (!f->on || f->spare) && k->m->first_failed != MEM_REMOVE &&
	    !nothing_new(was, k, f->on && f->kind >= CONSISTENT))
		return complain(f, run, "no file of the session is left");
	/* A call that failed without poisoning left something out; the image is sound all the same.
	 */
	if (made && !is_text(k, name, new_text[f->kind][f->large])) {
		if (!run->first || run->first == run->commit)
			return complain(f, run, "the new image is complete");
		if (!must_be_sound(k, name))
			return complain(f, run, "the new image is sound");
	}
	if (strcmp(name, "base.cim") && !is_text(k, "base.cim", old_text))
		return complain(f, run, "the other image reads as before");
	return true;
}

/* Run with a fault. *more: it came to pass. */
static bool try_fault(const struct fault *f, bool *more)
{
	struct kit k = kit_copy(&before[f->kind]);
	struct run run = {.k = &k, .large = f->large};
	bool opened, good;

	k.m->never_alloc = f->uncached ? CACHE_BLOCK : 0;
	fault_begin(f, k.m);
	opened = session(&run, f->kind);
	*more = fault_end(f, k.m, run.first);
	k.m->never_alloc = 0;
	good = judge(f, &run, opened);
	memfs_free(k.m);
	return good;
}

static void faults_of(struct fault f, const char *what)
{
	const struct trial trial = {try_fault, kind_names[f.kind], 30};

	all_faults(&trial, f, what);
}

static void test_calls_fail(enum kind kind)
{
	struct fault f = {.kind = kind, .large = true, .status = CIM_E_IO};

	faults_of(f, "a call fails once");
	f.on = f.spare = true;
	f.status = CIM_E_DISK_FULL;
	faults_of(f, "the disk is full from a call on");
	f.large = false;
	f.spare = false;
	f.status = CIM_E_ACCESS;
	faults_of(f, "no call is allowed any more");
	f.on = false;
	f.status = CIM_E_SHARING;
	faults_of(f, "a call fails once because of others");
}

/* What the session has read of its base may fail when it is read again. */
static void test_base_fails(enum kind kind)
{
	struct fault f = {.kind = kind, .uncached = true, .status = CIM_E_IO};

	faults_of(f, "a call fails once, nothing is cached");
	f.on = f.spare = true;
	faults_of(f, "calls fail from one on, nothing is cached");
}

static void test_memory_fails(enum kind kind)
{
	struct fault f = {.kind = kind, .memory = true, .status = CIM_E_NO_MEMORY};

	faults_of(f, "an allocation fails");
	f.on = f.spare = true;
	faults_of(f, "all allocations fail from one on");
}

/* ---- room ---- */

static void test_room(enum kind kind)
{
	uint64_t room;
	bool good = true, full = true;

	for (room = 0; full && good; room += 99999) {
		struct fault f = {.kind = kind, .full = true, .status = CIM_E_DISK_FULL};
		struct kit k = kit_copy(&before[kind]);
		struct run run = {.k = &k, .large = true};
		bool opened;

		f.large = true;
		f.at = (unsigned long)room;
		k.m->space = room;
		opened = session(&run, kind);
		full = run.first != CIM_OK;
		good = judge(&f, &run, opened);
		memfs_free(k.m);
	}
	if (good)
		ok(room > 1000000, "%s: a disk with room for up to %" PRIu64 " bytes",
		   kind_names[kind], room);
}

/* ---- power ---- */

static struct {
	enum kind kind;
	bool large;
	bool committed; /* the commit has returned: only the new image will do */
	bool good;
	unsigned states, olds, news, redone;
	uint64_t seen[1 << 14];
} power;

static bool seen_before(uint64_t fingerprint)
{
	size_t slot = (size_t)(fingerprint % (sizeof(power.seen) / sizeof(power.seen[0])));

	if (power.seen[slot] == fingerprint)
		return true;
	power.seen[slot] = fingerprint;
	return false;
}

static bool power_failure(const char *what, const char *text)
{
	ok(false, "%s: after a power failure: %s", kind_names[power.kind], what);
	if (text)
		show_difference(text, new_text[power.kind][power.large]);
	return false;
}

/* Whatever is left, the same session can be had again. */
static bool redo(struct memfs *m)
{
	struct kit k = {.m = m};
	struct run run = {.k = &k};
	const char *why;
	bool same;

	k.env = memfs_env(m);
	m->seed = 4711;
	power.redone++;
	if (!session(&run, power.kind) || run.first)
		return power_failure("the session can be had again", NULL);
	if (!memfs_is_clean(m, &why))
		return power_failure(why, NULL);
	same = is_text(&k, target(power.kind), new_text[power.kind][0]);
	return same || power_failure("the session comes out as it should", NULL);
}

static bool look(struct memfs *m)
{
	struct kit k = {.m = m};
	const char *name = target(power.kind);
	char *text;
	bool old, new;

	k.env = memfs_env(m);
	power.states++;
	if (strcmp(name, "base.cim") && !is_text(&k, "base.cim", old_text))
		return power_failure("the other image is whole", NULL);
	if (!memfs_exists(m, name)) {
		power.olds++;
		if (power.committed || source_of(power.kind) == name)
			return power_failure("the image is there", NULL);
		return power.states % 40 || redo(m);
	}
	text = dump(&k, name);
	old = !power.committed && !strcmp(name, "base.cim") && !strcmp(text, old_text);
	new = !strcmp(text, new_text[power.kind][power.large]);
	power.olds += old;
	power.news += new;
	if (new && !must_be_sound(&k, name)) /* the object ID files, too, must have lasted */
		new = false;
	if (!old && !new)
		power_failure(power.committed ? "the new image is whole"
					      : "the image is whole, old or new",
			      text);
	free(text);
	if (old && power.states % 40 == 0)
		return redo(m);
	return old || new;
}

static bool look_at(const struct memfs *m, uint64_t names)
{
	for (int loss = 0; loss < MEM_LOSSES; loss++) {
		struct memfs *after = memfs_after_power_loss(m, names, loss, m->ops * 31 + names);
		bool good = seen_before(memfs_fingerprint(after) ^ power.committed) || look(after);

		memfs_free(after);
		if (!good) {
			diag("  call %lu, names %" PRIx64 ", loss %d", m->ops, names, loss);
			return false;
		}
	}
	return true;
}

/* All that may be left if the power fails now. */
static void power_fails(struct memfs *m, enum mem_op op, const char *name)
{
	uint64_t all = m->change_count < 64 ? (UINT64_C(1) << m->change_count) - 1 : UINT64_MAX;
	uint64_t seed = m->ops;

	(void)op;
	(void)name;
	if (m->change_count <= 4) {
		for (uint64_t names = 0; names <= all && power.good; names++)
			power.good = look_at(m, names);
		return;
	}
	for (size_t i = 0; i <= m->change_count && power.good; i++) {
		power.good = look_at(m, all >> i);
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		if (power.good)
			power.good = look_at(m, (seed >> 20) & all);
	}
}

static void test_power(enum kind kind)
{
	for (int large = 0; large < 2; large++) {
		struct kit k = kit_copy(&before[kind]);
		struct run run = {.k = &k, .large = large};

		if (large && kind != EXTEND && kind != CONSISTENT_EXTEND) {
			kit_free(&k);
			continue;
		}
		/* A former build's files needn't have reached the disk. */
		for (size_t i = 0; kind == CONSISTENT_REBUILD && i < k.m->now.count; i++)
			if (!memfs_exists(before[FRESH].m, k.m->now.at[i].name))
				memfs_unsync(k.m, k.m->now.at[i].name);
		memset(&power, 0, sizeof(power));
		power.kind = kind;
		power.large = large;
		power.good = true;
		k.m->changed = power_fails;
		session(&run, kind);
		power.committed = true;
		if (power.good)
			power_fails(k.m, MEM_SYNC_DIR, "");
		if (power.good)
			ok(power.olds > 10 && power.news >= 2 && !run.first,
			   "%s%s: the power fails: %u states, %u old, %u new, %u tried "
			   "again",
			   kind_names[kind], large ? ", large" : "", power.states, power.olds,
			   power.news, power.redone);
		kit_free(&k);
	}
}

/* ---- behind the rename ---- */

static void fail_last_sync(struct memfs *m, enum mem_op op, const char *name)
{
	if (op == MEM_RENAME && (!strcmp(name, "base.cim") || !strcmp(name, "new.cim")))
		m->arg = m;
	if (op == MEM_SYNC_DIR && m->arg)
		m->fail_at = m->ops;
}

static void test_last_sync(enum kind kind)
{
	struct kit k = kit_copy(&before[kind]);
	struct run run = {.k = &k};

	k.m->before = fail_last_sync;
	session(&run, kind);
	ok(run.commit == CIM_E_IO && is_text(&k, target(kind), new_text[kind][0]) &&
		   must_be_sound(&k, target(kind)),
	   "%s: the last sync fails: the error is returned, the new image stands",
	   kind_names[kind]);
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
		test_calls_fail((enum kind)kind);
		if (source_of((enum kind)kind))
			test_base_fails((enum kind)kind);
		test_memory_fails((enum kind)kind);
		test_room((enum kind)kind);
		test_power((enum kind)kind);
		test_last_sync((enum kind)kind);
	}
	for (int kind = 0; kind < KINDS; kind++) {
		kit_free(&before[kind]);
		free(new_text[kind][0]);
		free(new_text[kind][1]);
	}
	free(old_text);
	return tap_done();
}
