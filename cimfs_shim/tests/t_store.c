/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_store.c - looking for orphans while others write
 *
 * A session that the directory's lock doesn't bind (as Wine's don't heed a Linux program's) commits
 * just when the store is looking, and when what it calls an orphan is being deleted: at each of
 * these calls in turn; and the other way round, the store looks, and all its orphans are deleted,
 * at each call of the commit. The image must be whole every time. What the store makes of a
 * directory that holds still is t_check.c's.
 */
#include "kit.h"

#define SET_X "eeeeeeee-0000-4000-8000-00000000000e"

enum kind {
	FRESH,
	EXTEND,
	FORK,
	CONSISTENT,
	ADOPT,	      /* consistent; the same image was there and only its file was deleted */
	ADOPT_OTHERS, /* and its first region file is another one now */
	ADOPT_FIRST,  /* and all but its first one are others now */
	KINDS
};

static const char *const kind_names[KINDS] = {
	"from nothing",
	"extending",
	"forking",
	"consistent",
	"consistent, all there",
	"consistent, all but the first there",
	"consistent, the first there",
};

/* ---- sessions ---- */

static struct cim_writer *begin_kind(struct kit *k, enum kind kind)
{
	struct cim_writer *w;

	if (kind == EXTEND)
		w = begin(k, "base.cim", NULL);
	else if (kind == FORK)
		w = begin(k, "base.cim", "new.cim");
	else
		w = begin_flags(k, NULL, "new.cim", kind >= CONSISTENT ? CIM_WRITE_CONSISTENT : 0);
	make_dir(k, w, "dir");
	put(k, w, "dir\\new", "what the session adds");
	return w;
}

static const char *image_of(enum kind kind)
{
	return kind == EXTEND ? "base.cim" : "new.cim";
}

static void spoil_region(struct kit *k, unsigned index)
{
	char end[8], name[300];

	snprintf(end, sizeof(end), "_%u", index);
	for (size_t i = 0; i < k->m->now.count; i++) {
		const char *at = k->m->now.at[i].name;

		if (!strncmp(at, "region_", 7) && !strcmp(at + strlen(at) - 2, end)) {
			snprintf(name, sizeof(name), "%s", at);
			memfs_poke(k->m, name, 36, "spoiled", 4);
			return;
		}
	}
	bail("there is no region %u", index);
}

/* The directory before the session. */
static struct kit prepare(enum kind kind)
{
	struct kit k = kit_new();
	struct cim_writer *w;

	if (kind == EXTEND || kind == FORK) {
		w = begin(&k, NULL, "base.cim");
		put(&k, w, "old", "what was there before");
		finish(&k, w);
	}
	if (kind >= ADOPT) {
		w = begin_kind(&k, kind);
		finish(&k, w);
		memfs_unlink(k.m, "new.cim");
	}
	if (kind == ADOPT_OTHERS)
		spoil_region(&k, 0);
	if (kind == ADOPT_FIRST) {
		spoil_region(&k, 1);
		spoil_region(&k, 2);
	}
	return k;
}

static struct cim_store *look(struct kit *k)
{
	struct cim_store *store = NULL;

	must(k, cim_store_open(&k->env, "mem", false, &store, &k->err));
	return store;
}

static bool may_go(const struct cim_store_file *file)
{
	return file->kind != CIM_KIND_IMAGE && !file->owners && !(file->flags & CIM_STORE_IN_USE);
}

/* As "cimtool files --orphans --delete". What was called an orphan may be in use by now, and a file
 * may have gone: a session that fails takes its own away. */
static unsigned delete_orphans(struct kit *k, struct cim_store *store)
{
	const struct cim_store_file *file;
	unsigned deleted = 0;

	for (size_t i = 0; (file = cim_store_get(store, i)); i++) {
		enum cim_status status;

		if (file->flags & CIM_STORE_BROKEN)
			ok(false, "%s is called broken", file->name);
		if (!may_go(file))
			continue;
		status = cim_store_remove(store, file->name, &k->err);
		deleted += !status;
		if (status && status != CIM_E_SHARING && status != CIM_E_FILE_NOT_FOUND)
			ok(false, "deleting %s: %s: %s", file->name, cim_status_name(status),
			   k->err.cause);
	}
	return deleted;
}

/* ---- something happens at the N-th call ---- */

struct event {
	struct kit *k;
	struct cim_writer *w;
	enum kind kind;
	unsigned calls, at;
	bool happening, happened;
	enum cim_status status;
	struct cim_store *store; /* as it was before the session began */
	void (*what)(struct event *event);
};

static void on_call(struct memfs *m, enum mem_op op, const char *name)
{
	struct event *event = m->arg;

	(void)name;
	if (event->happening || event->happened)
		return;
	(void)op;
	if (++event->calls != event->at)
		return;
	event->happening = true;
	event->what(event);
	event->happening = false;
	event->happened = true;
}

static void watch(struct kit *k, struct event *event)
{
	k->m->arg = event;
	k->m->before = event ? on_call : NULL;
}

static void commit_now(struct event *event)
{
	event->status = cim_writer_commit(event->w, &event->k->err);
	/* Somebody holds a file just now: the session goes on, and will try again. */
	if (event->status == CIM_E_SHARING)
		return;
	cim_writer_close(event->w);
	event->w = NULL;
}

static void begin_and_commit_now(struct event *event)
{
	event->w = begin_kind(event->k, event->kind);
	commit_now(event);
}

static void begin_now(struct event *event)
{
	event->w = begin_kind(event->k, event->kind);
}

static void delete_now(struct event *event)
{
	struct cim_store *store = look(event->k);

	if (store)
		delete_orphans(event->k, store);
	cim_store_close(store);
}

static void delete_stale_now(struct event *event)
{
	delete_orphans(event->k, event->store);
}

/* The image can be opened, is sound, and has what the session put in. */
static bool is_whole(struct kit *k, enum kind kind)
{
	char path[300];
	struct cim_image *image = NULL;
	uint32_t id;
	unsigned findings;
	bool found;

	snprintf(path, sizeof(path), "mem/%s", image_of(kind));
	if (cim_image_open(&k->env, path, &image, &k->err))
		return false;
	findings = verify_open(k, image);
	found = !cim_image_lookup(image, cim_str8("dir\\new"), &id, &k->err);
	cim_image_close(image);
	return found && !findings;
}

/* The store looks and its orphans are deleted, and @what happens at each of all these calls in
 * turn.
 * @begun: the session has begun before. */
static void test_while_deleting(enum kind kind, void (*what)(struct event *event), bool begun,
				const char *name)
{
	unsigned lost = 0, failed = 0, rounds = 0, again = 0;
	bool happened = true;

	for (unsigned at = 1; happened; at++) {
		struct kit k = prepare(kind);
		struct event event = {.k = &k, .kind = kind, .at = at, .what = what};
		struct cim_store *store;

		if (begun)
			event.w = begin_kind(&k, kind);
		watch(&k, &event);
		store = look(&k);
		delete_orphans(&k, store);
		cim_store_close(store);
		watch(&k, NULL);
		happened = event.happened;
		rounds += happened;
		if (event.w) {
			again += event.status == CIM_E_SHARING;
			commit_now(&event);
		}
		if (happened || begun) {
			failed += event.status != CIM_OK;
			if (!is_whole(&k, kind) && !lost++)
				diag("  first at call %u: %s", at, k.err.cause);
		}
		cim_writer_close(event.w);
		kit_free(&k);
	}
	ok(!lost && !failed && rounds >= 3,
	   "%s: a session %s at each of %u calls of a deletion: %u lost, %u failed, %u committed "
	   "again",
	   kind_names[kind], name, rounds, lost, failed, again);
}

static void test_during_commit(enum kind kind)
{
	unsigned lost = 0, failed = 0, rounds = 0;
	bool happened = true;

	for (unsigned at = 1; happened; at++) {
		struct kit k = prepare(kind);
		struct event event = {.k = &k, .kind = kind, .at = at, .what = delete_now};
		struct cim_writer *w = begin_kind(&k, kind);
		enum cim_status status;

		watch(&k, &event);
		status = cim_writer_commit(w, &k.err);
		cim_writer_close(w);
		watch(&k, NULL);
		happened = event.happened;
		rounds += happened;
		failed += status != CIM_OK;
		if (!is_whole(&k, kind) && !lost++)
			diag("  first at call %u: %s", at, k.err.cause);
		kit_free(&k);
	}
	ok(!lost && !failed && rounds > 10,
	   "%s: orphans are deleted at each of %u calls of the commit: %u lost, %u failed",
	   kind_names[kind], rounds, lost, failed);
}

/* The store has looked before the session began, and knows nothing of it; what it calls orphans is
 * deleted at each call of the commit in turn. */
static void test_stale_during_commit(enum kind kind)
{
	unsigned lost = 0, failed = 0, rounds = 0, ids = 0;
	bool happened = true;

	for (unsigned at = 1; happened; at++) {
		struct kit k = prepare(kind);
		struct event event = {.k = &k, .at = at, .what = delete_stale_now};
		struct cim_writer *w;
		enum cim_status status;

		event.store = look(&k);
		w = begin_kind(&k, kind);
		watch(&k, &event);
		status = cim_writer_commit(w, &k.err);
		watch(&k, NULL);
		happened = event.happened;
		rounds += happened;
		failed += status != CIM_OK;
		if (!is_whole(&k, kind) && !lost++)
			diag("  first at call %u: %s", at, k.err.cause);
		ids += memfs_count_names(k.m, "objectid_") != 3;
		cim_writer_close(w);
		cim_store_close(event.store);
		kit_free(&k);
	}
	ok(!lost && !failed && !ids && rounds > 10,
	   "%s: older orphans are deleted at each of %u calls of the commit: %u lost, %u failed, "
	   "%u without object ID files",
	   kind_names[kind], rounds, lost, failed, ids);
}

static void test_races(void)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		test_while_deleting(kind, commit_now, true, "commits");
		test_while_deleting(kind, begin_now, false, "begins");
		test_while_deleting(kind, begin_and_commit_now, false, "comes and goes");
		test_during_commit(kind);
		if (kind >= CONSISTENT)
			test_stale_during_commit(kind);
	}
}

/* ---- what is said of the files ---- */

static unsigned count_may_go(struct kit *k, unsigned *listed)
{
	const struct cim_store_file *file;
	struct cim_store *store = look(k);
	unsigned count = 0;

	*listed = 0;
	for (size_t i = 0; (file = cim_store_get(store, i)); i++) {
		++*listed;
		count += may_go(file);
	}
	cim_store_close(store);
	return count;
}

static void put_orphans(struct kit *k)
{
	memfs_put(k->m, "region_" SET_X "_0", "region", 6);
	memfs_put(k->m, "region_" SET_X "_1", "region", 6);
	memfs_put(k->m, "objectid_" SET_X "_1", "ids", 3);
}

static void test_in_use(void)
{
	struct kit k = prepare(ADOPT);
	struct cim_writer *w;
	unsigned listed;

	put_orphans(&k);
	is_int(count_may_go(&k, &listed), 9, "what an image without its file left may go");
	w = begin_kind(&k, ADOPT);
	is_int(count_may_go(&k, &listed), 0, "while a consistent session lives, it may not");
	is_int(listed, 12, "with the session's own files");
	cim_writer_close(w);
	is_int(count_may_go(&k, &listed), 9, "after its end it may");
	w = begin_kind(&k, FRESH);
	is_int(count_may_go(&k, &listed), 9, "a session that isn't consistent has no use for it");
	is_int(listed, 12, "but its own files stay");
	cim_writer_close(w);
	kit_free(&k);
}

/* Something is removed, or appears, just when the store looks. */
static void remove_now(struct event *event)
{
	memfs_unlink(event->k->m, "base.cim");
	memfs_unlink(event->k->m, "region_" SET_X "_0");
}

static void appear_now(struct event *event)
{
	put_orphans(event->k);
}

static void test_appearing(void)
{
	bool happened = true;
	unsigned rounds = 0, wrong = 0;

	for (unsigned at = 1; happened; at++) {
		struct kit k = prepare(FRESH);
		struct event event = {.k = &k, .at = at, .what = appear_now};
		struct cim_store *store;

		watch(&k, &event);
		store = look(&k);
		watch(&k, NULL);
		happened = event.happened;
		rounds += happened;
		/* The first call opens the directory, the second lists it. */
		wrong += delete_orphans(&k, store) != (at <= 2 ? 3 : 0);
		cim_store_close(store);
		kit_free(&k);
	}
	is_int(wrong, 0, "files that only the second listing has are no orphans (%u calls)",
	       rounds);
}

static void test_vanishing(void)
{
	bool happened = true;
	unsigned rounds = 0, wrong = 0;

	for (unsigned at = 1; happened; at++) {
		struct kit k = prepare(EXTEND);
		struct event event = {.k = &k, .at = at, .what = remove_now};
		const struct cim_store_file *file;
		struct cim_store *store;

		put_orphans(&k);
		watch(&k, &event);
		store = look(&k);
		watch(&k, NULL);
		happened = event.happened;
		rounds += happened;
		for (size_t i = 0; (file = cim_store_get(store, i)); i++)
			wrong += (file->flags & CIM_STORE_BROKEN) != 0;
		cim_store_close(store);
		kit_free(&k);
	}
	is_int(wrong, 0, "an image that is removed meanwhile isn't broken (%u calls)", rounds);
}

/* ---- what is mounted ---- */

static const struct cim_store_file *find(struct cim_store *store, const char *name)
{
	const struct cim_store_file *file = NULL;

	for (size_t i = 0; (file = cim_store_get(store, i)); i++)
		if (!strcmp(file->name, name))
			break;
	return file;
}

/* Who holds a file, as the store tells it. */
static const char *holder(const struct cim_store_file *file)
{
	if (!(file->flags & CIM_STORE_IN_USE))
		return (file->flags & CIM_STORE_MOUNTED) ? "not in use but mounted" : "nobody";
	if (file->flags & CIM_STORE_MOUNTED)
		return (file->flags & CIM_STORE_DENIED) ? "mounted and denied" : "a mount";
	return (file->flags & CIM_STORE_DENIED) ? "unknown" : "a session";
}

/* The same of all files of a set, and of the image whose own one it is. */
static void is_held(struct kit *k, const struct cim_guid *set, const char *want, const char *name)
{
	const struct cim_store_file *file;
	struct cim_store *store = look(k);
	unsigned files = 0, wrong = 0;

	for (size_t i = 0; store && (file = cim_store_get(store, i)); i++) {
		if (memcmp(&file->set, set, sizeof(*set)))
			continue;
		files++;
		if (strcmp(holder(file), want) && !wrong++)
			diag("  %s: %s", file->name, holder(file));
	}
	cim_store_close(store);
	ok(files && !wrong, "%s: %s (%u files)", name, want, files);
}

static struct cim_guid set_of(struct kit *k, const char *image)
{
	struct cim_store *store = look(k);
	const struct cim_store_file *file = find(store, image);
	struct cim_guid set = {{0}};

	if (file)
		set = file->set;
	else
		ok(false, "%s is listed", image);
	cim_store_close(store);
	return set;
}

/* Lock the first region file of a set as somebody does who mounts its image. */
static cim_vfs_file *mount_set(struct kit *k, const struct cim_guid *set)
{
	char name[128] = "region_";
	cim_vfs_file *file = NULL;
	cim_vfs_dir *dir = NULL;
	long os_error = 0;

	cim_guid_format(set, name + 7);
	strcat(name, "_0");
	must(k, k->m->vfs.open_dir(k->m, "mem", 0, &dir, &os_error));
	must(k, k->m->vfs.hold(k->m, dir, name, 0, false, &file, &os_error));
	k->m->vfs.close_dir(k->m, dir);
	return file;
}

/* base.cim, new.cim that is a fork of it, other.cim; nine orphans. */
static struct kit three_images(void)
{
	struct kit k = prepare(FORK);
	struct cim_writer *w = begin_kind(&k, FORK);

	finish(&k, w);
	w = begin(&k, NULL, "other.cim");
	put(&k, w, "else", "something else");
	finish(&k, w);
	put_orphans(&k);
	return k;
}

static void test_mounted(void)
{
	struct kit k = three_images();
	struct cim_guid base = set_of(&k, "base.cim");
	struct cim_guid new = set_of(&k, "new.cim");
	struct cim_guid other = set_of(&k, "other.cim");
	cim_vfs_file *lock = mount_set(&k, &base);
	unsigned listed;

	is_held(&k, &base, "a mount", "the set of a mounted image");
	is_held(&k, &new, "nobody", "that of a fork of it");
	is_held(&k, &other, "nobody", "that of another image");
	is_int(count_may_go(&k, &listed), 3, "and orphans may go");
	memfs_unlink(k.m, "base.cim");
	is_held(&k, &base, "a mount", "an image's set after its file is gone");
	is_held(&k, &new, "nobody", "while its fork's");
	is_int(count_may_go(&k, &listed), 0, "but what it needs may be any orphan");
	k.m->vfs.close(k.m, lock);
	is_held(&k, &base, "nobody", "an image's set after its dismount");
	is_int(count_may_go(&k, &listed), 3, "then orphans may go again");
	kit_free(&k);
}

static void test_mount_and_session(void)
{
	struct kit k = three_images();
	struct cim_guid base = set_of(&k, "base.cim");
	struct cim_guid other = set_of(&k, "other.cim");
	cim_vfs_file *lock = mount_set(&k, &base);
	struct cim_writer *w = begin(&k, "base.cim", "third.cim");
	unsigned listed;

	is_held(&k, &base, "a mount", "a mounted image's set while it is forked");
	is_held(&k, &other, "nobody", "and another image's");
	is_int(count_may_go(&k, &listed), 3, "what the session has made may not go");
	cim_writer_close(w);
	w = begin_flags(&k, NULL, "fourth.cim", CIM_WRITE_CONSISTENT);
	is_held(&k, &base, "a mount", "a mounted image's set while a consistent session lives");
	is_int(count_may_go(&k, &listed), 0, "which may need any orphan");
	cim_writer_close(w);
	k.m->vfs.close(k.m, lock);
	kit_free(&k);
}

/* What a mount locks of a consistent image, a session that adopts it locks as well; the temporary
 * file that it has then is all that tells of it. */
static void test_consistent_mount(void)
{
	static const char rest[] = "cimtmp_0123456789abcdef_fs";
	struct kit k = prepare(FRESH);
	struct cim_store *store;
	struct cim_guid set;
	cim_vfs_file *lock;

	finish(&k, begin_kind(&k, CONSISTENT));
	set = set_of(&k, "new.cim");
	memfs_put(k.m, rest, "", 0);
	store = look(&k);
	is_str(holder(find(store, rest)), "nobody", "a temporary file");
	cim_store_close(store);
	lock = mount_set(&k, &set);
	is_held(&k, &set, "a mount", "a consistent image's set");
	store = look(&k);
	is_str(holder(find(store, rest)), "a session", "then a temporary file");
	cim_store_close(store);
	k.m->vfs.close(k.m, lock);
	kit_free(&k);
}

/* Where there are no locks upkeep goes on, and says so (decision D54). */
static void test_no_locks(void)
{
	static const char orphan[] = "region_00112233-4455-8677-8899-aabbccddeeff_0";
	struct kit k = prepare(FRESH);
	struct cim_store *store;

	memfs_put(k.m, orphan, "", 0);
	for (int lock = 0; lock < 2; lock++) {
		k.m->no_locks = false;
		must(&k, cim_store_open(&k.env, "mem", lock, &store, &k.err));
		ok(!cim_store_unlocked(store), "there are locks");
		cim_store_close(store);
		k.m->no_locks = true;
		must(&k, cim_store_open(&k.env, "mem", lock, &store, &k.err));
		ok(cim_store_unlocked(store), "there are none: the store knows that");
		is_str(holder(find(store, orphan)), "nobody", "an orphan where there are no locks");
		if (lock)
			gives(&k, cim_store_remove(store, orphan, &k.err), CIM_OK);
		cim_store_close(store);
	}
	ok(!memfs_exists(k.m, orphan), "it may go");
	kit_free(&k);
}

/* ---- a directory that can't be looked at ---- */

static const char *locked_out; /* a name that nobody may open */
static enum cim_status refusal;

static enum cim_status refusing_open(void *ctx, cim_vfs_dir *dir, const char *name,
				     enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	const struct memfs *m = ctx;

	if (!strcmp(name, locked_out)) {
		*os_error = 13;
		return refusal;
	}
	return m->vfs.open(ctx, dir, name, mode, file, os_error);
}

static enum cim_status refusing_is_locked(void *ctx, cim_vfs_dir *dir, const char *name,
					  uint64_t number, enum cim_vfs_lock *lock, long *os_error)
{
	const struct memfs *m = ctx;

	if (!strcmp(name, locked_out)) {
		*os_error = 13;
		return refusal;
	}
	return m->vfs.is_locked(ctx, dir, name, number, lock, os_error);
}

static const char *state_of(const struct cim_store_file *file)
{
	static const char *const kinds[] = {"image", "region", "objectid", "temporary"};
	static char text[100];

	if (!file)
		return "not listed";
	snprintf(text, sizeof(text), "%s%s%s%s", kinds[file->kind],
		 (file->flags & CIM_STORE_DENIED) ? " denied" : "",
		 (file->flags & CIM_STORE_BROKEN) ? " broken" : "",
		 (file->flags & CIM_STORE_IN_USE) ? " in_use" : "");
	return text;
}

struct denied {
	const char *name;
	const char *state;
	unsigned may_go; /* how many files, if nobody cares for what is broken */
	bool told;	 /* another failure than this is an error */
};

/* Files of base.cim's set. */
static char owned_0[128] = "region_", owned_1[128] = "region_";

static struct kit prepare_denied(struct cim_guid *set)
{
	struct kit k = prepare(EXTEND);

	put_orphans(&k);
	memfs_put(k.m, "notes.txt", "notes", 5);
	memfs_put(k.m, "cimtmp_0123456789abcdef_1", "", 0);
	*set = set_of(&k, "base.cim");
	cim_guid_format(set, owned_0 + 7);
	cim_guid_format(set, owned_1 + 7);
	strcat(owned_0, "_0");
	strcat(owned_1, "_1");
	return k;
}

static void try_denied(const struct denied *denied)
{
	struct cim_guid set;
	struct kit k = prepare_denied(&set);
	struct cim_vfs vfs = k.m->vfs;
	const struct cim_store_file *file;
	struct cim_store *store;
	unsigned may = 0, broken = 0;

	vfs.open = refusing_open;
	vfs.is_locked = refusing_is_locked;
	k.env.vfs = &vfs;
	locked_out = denied->name;
	refusal = CIM_E_ACCESS;
	store = look(&k);
	is_str(state_of(find(store, locked_out)), denied->state, "no access to %s", locked_out);
	for (size_t n = 0; (file = cim_store_get(store, n)); n++) {
		may += may_go(file);
		broken += (file->flags & CIM_STORE_BROKEN) && strcmp(file->name, locked_out);
	}
	is_int(may, denied->may_go, "nobody needs so many");
	is_int(broken, 0, "none else is broken");
	cim_store_close(store);
	if (locked_out == owned_0)
		is_held(&k, &set, "unknown", "its set and its image");
	refusal = CIM_E_IO;
	if (denied->told) {
		is_int(cim_store_open(&k.env, "mem", false, &store, &k.err), CIM_E_IO,
		       "%s can't be read", locked_out);
		ok(k.err.status == CIM_E_IO && strstr(k.err.cause, locked_out),
		   "the error names it: %s", k.err.cause);
		cim_store_close(store);
	}
	kit_free(&k);
}

static void test_no_access(void)
{
	static const struct denied files[] = {
		{"base.cim", "image denied broken", 4 + 6, true},
		{"notes.txt", "image denied broken", 4, true}, /* it might be one */
		{"region_" SET_X "_1", "region denied broken", 4, true},
		{"objectid_" SET_X "_1", "objectid denied broken", 4, true},
		{"cimtmp_0123456789abcdef_1", "temporary denied", 4, false}, /* it can't */
		{owned_1, "region denied", 4, true},
		/* Perhaps a session holds these, and then the temporary file may be its. */
		{owned_0, "region denied in_use", 3, false},
		{"region_" SET_X "_0", "region denied broken in_use", 0, false},
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		try_denied(&files[i]);
}

/* Somebody holds a file, and lets go of it when it was asked for so often (0: never). */
static struct {
	cim_vfs_file *file;
	unsigned patience;
} holding;

static void let_go(struct memfs *m, enum mem_op op, const char *name)
{
	(void)name;
	if (op != MEM_HOLD || !holding.patience || --holding.patience)
		return;
	m->before = NULL;
	m->vfs.close(m, holding.file);
}

/* Who asks for a file, or looks whether it may go, holds it for a moment: that is waited for, as a
 * consistent session waits. */
static void test_remove_held(void)
{
	for (unsigned patience = 0; patience <= 3; patience += 3) {
		struct kit k = prepare(ADOPT);
		struct cim_store *store = look(&k);
		const struct cim_store_file *file;
		cim_vfs_dir *dir;
		long os_error;
		size_t i = 0;

		while ((file = cim_store_get(store, i)) && file->kind != CIM_KIND_REGION)
			i++;
		must(&k, k.m->vfs.open_dir(k.m, "mem", 0, &dir, &os_error));
		must(&k, k.m->vfs.hold(k.m, dir, file->name, 0, false, &holding.file, &os_error));
		holding.patience = patience;
		k.m->before = let_go;
		k.m->slept_ms = 0;
		gives(&k, cim_store_remove(store, file->name, &k.err),
		      patience ? CIM_OK : CIM_E_SHARING);
		ok(patience ? k.m->slept_ms == 40 : k.m->slept_ms >= 1000 && k.m->slept_ms < 1100,
		   "it was waited for: %llu ms", (unsigned long long)k.m->slept_ms);
		if (!patience)
			k.m->vfs.close(k.m, holding.file);
		k.m->vfs.close_dir(k.m, dir);
		cim_store_close(store);
		kit_free(&k);
	}
}

/* Each call fails once: an error, or nothing lost by it. */
static void test_failing(void)
{
	static const enum cim_status statuses[] = {CIM_E_IO, CIM_E_ACCESS, CIM_E_SHARING};
	unsigned odd = 0, broken = 0, failures = 0, denied;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		bool failed = true;

		for (unsigned at = 1; failed; at++) {
			struct kit k = prepare(EXTEND);
			const struct cim_store_file *file;
			struct cim_store *store;
			enum cim_status status;

			put_orphans(&k);
			k.m->fail_at = k.m->ops + at;
			k.m->fail_status = statuses[i];
			status = cim_store_open(&k.env, "mem", false, &store, &k.err);
			k.m->fail_at = 0;
			failed = k.m->failed != 0;
			failures += failed;
			denied = 0;
			for (size_t n = 0; store && (file = cim_store_get(store, n)); n++) {
				denied += (file->flags & CIM_STORE_DENIED) != 0;
				broken += (file->flags & CIM_STORE_BROKEN) &&
					  !(file->flags & CIM_STORE_DENIED);
			}
			/* A lock that can't be asked for is held, a file that may not be read is
			 * told of. */
			odd += failed && k.m->first_failed != MEM_IS_LOCKED &&
			       status != statuses[i] &&
			       !(statuses[i] == CIM_E_ACCESS && !status && denied);
			cim_store_close(store);
			kit_free(&k);
		}
	}
	is_int(odd, 0, "each of %u failing calls is told", failures);
	is_int(broken, 0, "none makes an image a broken one");
}

int main(void)
{
	test_races();
	test_in_use();
	test_appearing();
	test_vanishing();
	test_mounted();
	test_mount_and_session();
	test_consistent_mount();
	test_no_locks();
	test_no_access();
	test_remove_held();
	test_failing();
	return tap_done();
}
