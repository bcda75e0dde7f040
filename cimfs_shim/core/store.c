/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.c - the files of a directory of images
 *
 * A directory of images is flat: filesystem files, which people name, and region and object ID
 * files, which carry the GUID of their region set in their name. Only the filesystem files tell
 * which sets are needed, as their own or as a parent's; whatever no filesystem file names is an
 * orphan, left by a crash or by an image that somebody deleted by hand. So the store reads every
 * filesystem file's header, and gives each file of a set the images that name the set.
 *
 * What must not be mistaken for an orphan: the files of a session that is still writing. It holds
 * a lock on its first region file (decision D36), so that file tells for its whole set, or, for
 * files that have no final name yet, for its group cimtmp_RANDOM_*. A session with such names is a
 * consistent one, which at its commit may adopt any region file that has its bytes (D45): while
 * one lives, no set without an owner can be called an orphan. And while one image is broken nobody
 * knows what it needs: it is flagged CIM_STORE_BROKEN. The same is said of a file that there is no
 * right to read and that may be an image. Any other failure to look at a file is an error.
 *
 * Who mounts an image marks it by a lock on the same file, but a shared one. It keeps that image
 * and what it needs, and nothing else. Where that image is gone nobody knows what its mount needs,
 * and again no set without an owner can be called an orphan. And a consistent session shares a lock
 * as well, on what it adopts, so of the set of such an image a mount can't be told from a session.
 *
 * Sessions of which the directory's lock keeps nothing (Wine's, on a Linux host) go on meanwhile,
 * so the order matters. First the names are listed, the candidates, and all locks asked for; only
 * then they are listed once more and the images read. A session that commits in between either was
 * seen to hold its lock, or its image is seen. What only the second listing shows, and what is no
 * more where the first one showed it, is taken for a living session's.
 *
 * Files are recognised strictly, because the next step may be to delete them: a region or object
 * ID file by exactly the name that a session would give it, a temporary one by cimtmp_, hex digits
 * and a short tail; a filesystem file by its header, whatever its name. All else isn't listed.
 *
 * Memory: the files that count with their names, of others the names until they were looked at,
 * and 4 bytes for each set that an image names and that has a file here, a sixth of what the name
 * of the set takes in the image.
 */
#include "header.h"
#include "container.h"
#include "image.h"
#include "io.h"
#include "namelist.h"
#include "names.h"
#include "owners.h"
#include "place.h"
#include "sized.h"
#include "sort.h"

#include <stdio.h>
#include <string.h>

#define NO_SET UINT32_MAX

/* A file and what only this file of code needs to know of it. */
struct entry {
	struct cim_store_file file; /* .name points to `name` */
	char *name;
	size_t group;		/* of a temporary file: length of "cimtmp_RANDOM_" */
	bool named;		/* the name tells .kind, .set and .index */
	bool late;		/* only the second listing has it */
	bool unasked;		/* a first region file whose lock there is no right to see */
	enum cim_vfs_lock lock; /* of a first region file */
	bool gone;		/* removed meanwhile, or none of ours */
};

/* A region set with a file here. */
struct set {
	struct cim_guid guid;
	uint32_t owners;  /* number of images that name it */
	uint32_t first;	  /* in store->owners */
	uint32_t last_by; /* 1 + the image counted last: one image counts once */
	bool own;	  /* some image's own one */
	bool session;	  /* held by a session, or perhaps; else, by these: */
	bool mounted;
	bool unasked; /* nobody knows */
};

struct cim_store {
	struct cim_env env;
	struct cim_vfs vfs; /* env's */
	cim_vfs_dir *dir;
	char *path; /* as the caller named it */
	struct entry *entries;
	size_t count, room;
	size_t sorted;		     /* so many of them are in order */
	struct cim_name_list others; /* names that tell nothing: any of them may be an image */
	struct set *sets;	     /* sorted by GUID */
	size_t set_count, set_room;
	uint32_t *refs; /* sets that images name: for each image its sets, then NO_SET */
	size_t ref_count, ref_room;
	uint32_t *owners; /* indices into entries, by set */
	bool session;	  /* some session is alive here */
	bool consistent;  /* one that has no final names yet */
	bool headless;	  /* an image is mounted that isn't here */
	bool unlocked;	  /* there are no locks here */
	bool alone;	  /* no session can begin: a container's lock keeps out all of them */
};

/* ---- sets ---- */

static int compare_sets(const void *a, const void *b, const void *ctx)
{
	(void)ctx;
	return memcmp(&((const struct set *)a)->guid, &((const struct set *)b)->guid,
		      sizeof(struct cim_guid));
}

static enum cim_status add_set(struct cim_store *store, const struct cim_guid *guid,
			       struct cim_error *err)
{
	if (!cim_grow(&store->env, (void **)&store->sets, &store->set_room, store->set_count,
		      sizeof(*store->sets)))
		return cim_no_memory(err);
	store->sets[store->set_count++] = (struct set){.guid = *guid};
	return CIM_OK;
}

/* A set is added once a file; sort them and keep one of each. */
static enum cim_status sort_sets(struct cim_store *store, struct cim_error *err)
{
	size_t kept = 0;

	if (!store->set_count)
		return CIM_OK;
	if (!cim_sort(&store->env, store->sets, store->set_count, sizeof(*store->sets),
		      compare_sets, NULL))
		return cim_no_memory(err);
	for (size_t i = 1; i < store->set_count; i++)
		if (compare_sets(&store->sets[kept], &store->sets[i], NULL))
			store->sets[++kept] = store->sets[i];
	store->set_count = kept + 1;
	return CIM_OK;
}

static struct set *find_set(const struct cim_store *store, const struct cim_guid *guid)
{
	size_t low = 0, high = store->set_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(guid, &store->sets[middle].guid, sizeof(*guid));

		if (!order)
			return &store->sets[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* ---- the names, and who is still writing ---- */

struct listing {
	struct cim_store *store;
	bool late;
	struct cim_error *err;
};

/* What a name alone tells. */
static void parse_name(const struct cim_store *store, struct entry *entry)
{
	struct cim_store_file *file = &entry->file;

	entry->named = cim_parse_temporary_name(&store->env, entry->name, &entry->group);
	if (entry->named)
		file->kind = CIM_KIND_TEMPORARY;
	else
		entry->named = cim_parse_set_name(&store->env, entry->name, &file->kind, &file->set,
						  &file->index);
}

static const struct entry *find_listed(const struct cim_store *store, const char *name)
{
	size_t low = 0, high = store->sorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, store->entries[middle].name);

		if (!order)
			return &store->entries[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static enum cim_status add_entry(struct cim_store *store, const struct entry *entry,
				 struct cim_error *err)
{
	char *name;

	if (!cim_grow(&store->env, (void **)&store->entries, &store->room, store->count,
		      sizeof(*store->entries)))
		return cim_no_memory(err);
	name = cim_strdup(&store->env, entry->name);
	if (!name)
		return cim_no_memory(err);
	store->entries[store->count] = *entry;
	store->entries[store->count++].name = name;
	return CIM_OK;
}

/* A name that only the first listing has stays as well: a list that is made while files are renamed
 * may lack one that is there. */
static enum cim_status add_name(void *arg, const char *name)
{
	struct listing *listing = arg;
	struct cim_store *store = listing->store;
	struct entry entry = {.name = (char *)name, .late = listing->late};

	parse_name(store, &entry);
	if (!entry.named)
		return cim_name_list_add(&store->env, &store->others, name, listing->err);
	return find_listed(store, name) ? CIM_OK : add_entry(store, &entry, listing->err);
}

static int compare_entries(const void *a, const void *b, const void *ctx)
{
	const struct entry *x = a, *y = b;

	(void)ctx;
	return strcmp(x->name, y->name);
}

/* Each name once. */
static enum cim_status sort_entries(struct cim_store *store, struct cim_error *err)
{
	size_t kept = 0;

	if (!cim_sort(&store->env, store->entries, store->count, sizeof(*store->entries),
		      compare_entries, NULL))
		return cim_no_memory(err);
	for (size_t i = 0; i < store->count; i++) {
		struct entry *entry = &store->entries[i];

		if (kept && !strcmp(store->entries[kept - 1].name, entry->name))
			cim_free(&store->env, entry->name);
		else
			store->entries[kept++] = *entry;
	}
	store->count = store->sorted = kept;
	return CIM_OK;
}

static enum cim_status list_names(struct cim_store *store, bool late, struct cim_error *err)
{
	struct listing listing = {store, late, err};
	enum cim_status status = cim_io_list(&store->env, store->dir, add_name, &listing, err);

	if (!status && !cim_name_list_sort(&store->env, &store->others))
		status = CIM_E_NO_MEMORY;
	if (!status)
		status = sort_entries(store, err);
	return status == CIM_E_NO_MEMORY ? cim_no_memory(err) : status;
}

/* Is it the file that a session holds the lock of? */
static bool is_first(const struct entry *entry)
{
	if (!entry->named)
		return false;
	if (entry->file.kind == CIM_KIND_TEMPORARY)
		return !strcmp(entry->name + entry->group, "0");
	return entry->file.kind == CIM_KIND_REGION && !entry->file.index;
}

/* A lock that can't be asked for counts as held: better to keep a file too many. So does one of a
 * file that was listed and isn't there: somebody is renaming files just now. Where there are no
 * locks nobody can hold one. */
static void ask_lock(struct cim_store *store, struct entry *entry)
{
	enum cim_vfs_lock lock = CIM_LOCK_NONE;
	enum cim_status status;

	status = cim_io_is_locked(&store->env, store->dir, entry->name, &lock, NULL);
	if (status == CIM_E_ACCESS && entry->file.kind == CIM_KIND_REGION)
		entry->unasked = true;
	else if (status == CIM_E_UNSUPPORTED)
		store->unlocked = true;
	else if (status)
		lock = CIM_LOCK_ALONE;
	if (lock > entry->lock)
		entry->lock = lock;
}

/* Asked twice: a session that is just beginning has its file before it has the lock. */
static void ask_locks(struct cim_store *store)
{
	for (size_t i = 0; i < store->count; i++) {
		struct entry *entry = &store->entries[i];

		if (entry->lock != CIM_LOCK_ALONE && is_first(entry))
			ask_lock(store, entry);
	}
}

/* ---- what each file is ---- */

/* Fills in entry->file. A file that there is no right to read is what its name tells; any other
 * name might be an image's, and then nothing can be said of others. A temporary one is nobody's
 * image, and may be another user's. */
static enum cim_status classify(struct cim_store *store, struct entry *entry, struct cim_error *err)
{
	const bool temporary = entry->named && entry->file.kind == CIM_KIND_TEMPORARY;
	struct cim_file_head head;
	enum cim_status status = cim_read_head(&store->env, store->dir, entry->name, &head, err);

	if (status == CIM_E_NO_MEMORY)
		return cim_no_memory(err);
	entry->gone = status == CIM_E_FILE_NOT_FOUND;
	entry->file.size = head.size;
	if (status == CIM_E_ACCESS)
		entry->file.flags |= CIM_STORE_DENIED;
	if (entry->gone || temporary)
		return CIM_OK;
	if (status == CIM_E_ACCESS) {
		if (entry->named)
			return CIM_OK;
		entry->file.flags |= CIM_STORE_BROKEN;
		entry->file.kind = CIM_KIND_IMAGE;
		return CIM_OK;
	}
	if (status)
		return status;
	if (cim_head_is_image(&head))
		entry->file.kind = CIM_KIND_IMAGE;
	else
		entry->gone = !entry->named;
	return CIM_OK;
}

/* Those that are images, or may be. */
static enum cim_status classify_others(struct cim_store *store, struct cim_error *err)
{
	struct cim_name_list *others = &store->others;
	enum cim_status status = CIM_OK;

	for (size_t i = 0; i < others->count && !status; i++) {
		struct entry entry = {.name = (char *)cim_name_list_get(others, i)};

		status = classify(store, &entry, err);
		if (!status && !entry.gone)
			status = add_entry(store, &entry, err);
	}
	cim_name_list_free(&store->env, others);
	return status;
}

static enum cim_status classify_all(struct cim_store *store, struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	for (size_t i = 0; i < store->count && !status; i++) {
		struct entry *entry = &store->entries[i];

		/* Also of a file that is gone: it tells of the others of its set. */
		if (entry->named && entry->file.kind != CIM_KIND_TEMPORARY)
			status = add_set(store, &entry->file.set, err);
		if (!status)
			status = classify(store, entry, err);
	}
	if (!status)
		status = classify_others(store, err);
	if (!status)
		status = sort_entries(store, err);
	return status ? status : sort_sets(store, err);
}

/* ---- which image needs which set ---- */

static enum cim_status add_ref(struct cim_store *store, uint32_t ref, struct cim_error *err)
{
	if (!cim_grow(&store->env, (void **)&store->refs, &store->ref_room, store->ref_count,
		      sizeof(*store->refs)))
		return cim_no_memory(err);
	store->refs[store->ref_count++] = ref;
	return CIM_OK;
}

/* Note the sets of image @index that have a file here, each once, and end the list by NO_SET. */
static enum cim_status resolve_image(struct cim_store *store, size_t index, struct cim_error *err)
{
	struct entry *entry = &store->entries[index];
	struct cim_header header;
	struct cim_error why;
	enum cim_status status;

	if (entry->file.flags & CIM_STORE_DENIED)
		return add_ref(store, NO_SET, err);
	status = cim_header_read(&store->env, store->dir, entry->name, &header, &why);
	if (status == CIM_E_FILE_NOT_FOUND) {
		entry->gone = true;
		return CIM_OK;
	}
	if (status == CIM_E_ACCESS)
		entry->file.flags |= CIM_STORE_DENIED;
	else if (status && status != CIM_E_CORRUPT && status != CIM_E_VERSION)
		return cim_fail_as(err, status, &why);
	/* What is wrong is the image's own; this call goes on, without its sets. */
	if (status)
		entry->file.flags |= CIM_STORE_BROKEN;
	entry->file.set = status ? (struct cim_guid){{0}} : header.sets[header.set_count - 1].guid;
	status = CIM_OK;
	for (uint32_t i = 0; i < header.set_count && !status; i++) {
		struct set *set = find_set(store, &header.sets[i].guid);

		if (!set)
			continue;
		set->own |= i == header.set_count - 1;
		if (set->last_by == index + 1)
			continue;
		set->last_by = (uint32_t)index + 1;
		set->owners++;
		status = add_ref(store, (uint32_t)(set - store->sets), err);
	}
	cim_header_free(&store->env, &header);
	return status ? status : add_ref(store, NO_SET, err);
}

/* Turn the images' lists of sets into the sets' lists of images. */
static enum cim_status invert_refs(struct cim_store *store, struct cim_error *err)
{
	uint32_t first = 0;
	size_t ref = 0;

	for (size_t s = 0; s < store->set_count; s++) {
		store->sets[s].first = first;
		first += store->sets[s].owners;
		store->sets[s].owners = 0;
	}
	if (!first)
		return CIM_OK;
	store->owners = cim_zalloc(&store->env, first * sizeof(*store->owners));
	if (!store->owners)
		return cim_no_memory(err);
	for (size_t i = 0; i < store->count; i++) {
		if (store->entries[i].file.kind != CIM_KIND_IMAGE)
			continue;
		for (; store->refs[ref] != NO_SET; ref++) {
			struct set *set = &store->sets[store->refs[ref]];

			store->owners[set->first + set->owners++] = (uint32_t)i;
		}
		ref++;
	}
	return CIM_OK;
}

static enum cim_status resolve_images(struct cim_store *store, struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	if (store->count >= UINT32_MAX)
		return cim_fail(err, CIM_E_LIMIT, "too many files in the directory");
	for (size_t i = 0; i < store->count && !status; i++) {
		const struct entry *entry = &store->entries[i];

		if (entry->file.kind == CIM_KIND_IMAGE && !entry->gone)
			status = resolve_image(store, i, err);
	}
	if (!status && store->ref_count >= UINT32_MAX)
		status = cim_fail(err, CIM_E_LIMIT, "the images name too many region sets");
	return status;
}

/* ---- what is in use ---- */

/* The set of a region or object ID file (or of an image that has such a name), else NULL. */
static struct set *set_of(const struct cim_store *store, const struct entry *entry)
{
	if (entry->file.kind != CIM_KIND_REGION && entry->file.kind != CIM_KIND_OBJECT_ID)
		return NULL;
	return find_set(store, &entry->file.set);
}

/* What a file tells of who holds its set. */
static void note_holder(struct cim_store *store, const struct entry *entry, struct set *set)
{
	if (entry->lock == CIM_LOCK_ALONE || (entry->late && !set->owners))
		set->session = store->session = true;
	set->mounted |= entry->lock == CIM_LOCK_SHARED;
	set->unasked |= entry->unasked;
	/* These may be a session's too, which is about to rename its filesystem file. */
	if (entry->unasked ||
	    (entry->lock == CIM_LOCK_SHARED && cim_set_is_consistent(&entry->file.set)))
		store->session = true;
}

/* What the files tell of the sessions. */
static void find_sessions(struct cim_store *store)
{
	for (size_t i = 0; i < store->count; i++) {
		const struct entry *entry = &store->entries[i];
		struct set *set = set_of(store, entry);

		if (set)
			note_holder(store, entry, set);
		if (entry->file.kind == CIM_KIND_TEMPORARY && (entry->lock || entry->late))
			store->consistent = store->session = true;
	}
	for (size_t i = 0; i < store->set_count; i++)
		store->headless |= store->sets[i].mounted && !store->sets[i].own;
}

static unsigned flags_of_set(const struct set *set)
{
	if (set->session)
		return CIM_STORE_IN_USE;
	return (set->mounted ? CIM_STORE_IN_USE | CIM_STORE_MOUNTED : 0) |
	       (set->unasked ? CIM_STORE_IN_USE | CIM_STORE_DENIED : 0);
}

static void mark_sets(struct cim_store *store)
{
	for (size_t i = 0; i < store->count; i++) {
		struct cim_store_file *file = &store->entries[i].file;
		const struct set *set = set_of(store, &store->entries[i]);

		/* An image's own set is what its mount marks. */
		if (!set && file->kind == CIM_KIND_IMAGE && !(file->flags & CIM_STORE_BROKEN))
			set = find_set(store, &file->set);
		if (!set)
			continue;
		/* Nobody's region file that can't be read: an image may have such a name. */
		if (file->kind != CIM_KIND_IMAGE) {
			file->owners = set->owners;
			if ((file->flags & CIM_STORE_DENIED) && !set->owners)
				file->flags |= CIM_STORE_BROKEN;
		}
		file->flags |= flags_of_set(set);
		if (file->kind == CIM_KIND_IMAGE || set->owners)
			continue;
		if (store->consistent) {
			file->flags &= ~(CIM_STORE_MOUNTED | CIM_STORE_DENIED);
			file->flags |= CIM_STORE_IN_USE;
		} else if (store->headless && !(file->flags & CIM_STORE_IN_USE)) {
			file->flags |= CIM_STORE_IN_USE | CIM_STORE_MOUNTED;
		}
	}
}

static bool same_group(const struct cim_store *store, const struct entry *a, const struct entry *b)
{
	return b->file.kind == CIM_KIND_TEMPORARY && a->group == b->group &&
	       cim_same_start(&store->env, a->name, b->name, a->group);
}

/* Temporary files. The first region file of a group is "..._0"; a group without one (a filesystem
 * file about to be renamed) belongs to a session that already has its region files' final names,
 * and which of them can't be told. */
static void mark_groups(struct cim_store *store)
{
	size_t from, to;

	for (from = 0; from < store->count; from = to) {
		const struct entry *head = &store->entries[from];
		bool has_first = false, in_use = false;

		to = from + 1;
		if (head->file.kind != CIM_KIND_TEMPORARY)
			continue;
		/* Sorted by name, so a group is a run (one that names differ in by case only is
		 * several runs; then the others count as groups without a first file). */
		for (to = from; to < store->count; to++) {
			const struct entry *entry = &store->entries[to];

			if (!same_group(store, head, entry))
				break;
			has_first |= is_first(entry);
			in_use |= entry->lock || entry->late;
		}
		for (size_t i = from; i < to && (in_use || (!has_first && store->session)); i++)
			store->entries[i].file.flags |= CIM_STORE_IN_USE;
	}
}

/* Forget what is gone, now that it has told of the others. */
static void drop_gone(struct cim_store *store)
{
	size_t kept = 0;

	for (size_t i = 0; i < store->count; i++) {
		if (store->entries[i].gone)
			cim_free(&store->env, store->entries[i].name);
		else
			store->entries[kept++] = store->entries[i];
	}
	store->count = store->sorted = kept;
	for (size_t i = 0; i < kept; i++)
		store->entries[i].file.name = store->entries[i].name;
}

/* ---- the public functions ---- */

static enum cim_status scan(struct cim_store *store, struct cim_error *err)
{
	enum cim_status status;

	status = list_names(store, false, err);
	if (status)
		return status;
	ask_locks(store);
	status = list_names(store, true, err);
	if (status)
		return status;
	ask_locks(store);
	status = classify_all(store, err);
	if (!status)
		status = resolve_images(store, err);
	if (status)
		return status;
	find_sessions(store);
	mark_sets(store);
	mark_groups(store);
	drop_gone(store);
	status = invert_refs(store, err);
	cim_free(&store->env, store->refs);
	store->refs = NULL;
	return status;
}

enum cim_status cim_store_open(const struct cim_env *env, const char *dir, bool lock,
			       struct cim_store **out, struct cim_error *err)
{
	static const char op[] = "look at image directory";
	struct cim_env own;
	struct cim_vfs vfs;
	struct cim_store *store;
	struct cim_error why;
	enum cim_status status;

	if (out)
		*out = NULL;
	if (CIM_ANY_NULL(err, op, dir, out))
		return CIM_E_POINTER;
	status = cim_take_env(&own, &vfs, env, err);
	if (status)
		return cim_error_where(err, status, op, dir);
	store = cim_zalloc(&own, sizeof(*store));
	if (!store)
		return cim_error_where(err, cim_no_memory(err), op, dir);
	cim_copy_env(&store->env, &store->vfs, &own);
	status = lock ? cim_place_lock(&store->env, &store->vfs, dir, 0, &store->dir,
				       &store->unlocked, &why)
		      : cim_place_open(&store->env, &store->vfs, dir, &store->dir, &why);
	if (!status)
		status = scan(store, &why);
	store->path = cim_strdup(&own, dir);
	if (!status && !store->path)
		status = cim_no_memory(&why);
	store->alone = lock && !store->unlocked && cim_cont_of(&store->vfs, store->dir);
	if (status) {
		cim_store_close(store);
		return cim_error_where(err, cim_fail_as(err, status, &why), op, dir);
	}
	*out = store;
	return CIM_OK;
}

const struct cim_store_file *cim_store_get(struct cim_store *store, size_t index)
{
	return store && index < store->count ? &store->entries[index].file : NULL;
}

const char *cim_store_owner(struct cim_store *store, const struct cim_guid *guid, size_t n)
{
	const struct set *set = store && guid ? find_set(store, guid) : NULL;

	return set && n < set->owners ? store->entries[store->owners[set->first + n]].name : NULL;
}

enum cim_status cim_store_open_image(struct cim_store *store, const char *name,
				     struct cim_image **image, struct cim_error *err)
{
	static const char op[] = "open image";
	const struct entry *entry;
	size_t room;
	char *path;
	enum cim_status status;

	if (image)
		*image = NULL;
	if (CIM_ANY_NULL(err, op, store, name, image))
		return CIM_E_POINTER;
	entry = find_listed(store, name);
	if (!entry || entry->file.kind != CIM_KIND_IMAGE)
		return cim_error_where(
			err, cim_fail(err, CIM_E_FILE_NOT_FOUND, "no image of that name was there"),
			op, name);
	room = strlen(store->path) + strlen(name) + 2;
	path = cim_alloc(&store->env, room);
	if (!path)
		return cim_error_where(err, cim_no_memory(err), op, name);
	snprintf(path, room, "%s/%s", store->path, name);
	status = cim_image_open_in(&store->env, store->dir, name, path, image, err);
	cim_free(&store->env, path);
	return status;
}

bool cim_store_unlocked(struct cim_store *store)
{
	return store && store->unlocked;
}

/* Nobody holds the file now; may it go? */
static enum cim_status check_unowned(struct cim_store *store, const struct entry *entry,
				     struct cim_error *err)
{
	bool owned;
	enum cim_status status;

	status = cim_set_is_owned(&store->env, store->dir, &entry->file.set, &owned, err);
	if (!status && owned)
		status = cim_fail(err, CIM_E_SHARING, "an image needs it");
	return status;
}

/* A file that a consistent session may have taken into use since the store looked: the session
 * holds it until its image is there, so who holds it alone sees that image, or keeps the session
 * from taking it. */
static enum cim_status remove_adoptable(struct cim_store *store, const struct entry *entry,
					struct cim_error *err)
{
	cim_vfs_file *file;
	enum cim_status status;

	status = cim_hold_file(&store->env, store->dir, entry->name, true, &file, err);
	if (status == CIM_E_SHARING)
		return cim_fail(err, status, "somebody holds the file");
	/* Where there are no locks, all that can be done is to look again. */
	if (status && status != CIM_E_UNSUPPORTED)
		return status;
	status = check_unowned(store, entry, err);
	if (!status)
		status = cim_io_remove(&store->env, store->dir, entry->name, err);
	cim_io_close(&store->env, file);
	return status;
}

enum cim_status cim_store_remove(struct cim_store *store, const char *name, struct cim_error *err)
{
	static const char op[] = "remove file";
	const struct entry *entry;
	struct cim_error why;
	enum cim_status status;

	if (CIM_ANY_NULL(err, op, store, name))
		return CIM_E_POINTER;
	/* Only what the store has listed: no name from anywhere leads out of the directory. */
	entry = find_listed(store, name);
	if (!entry)
		status = cim_fail(&why, CIM_E_FILE_NOT_FOUND,
				  "no image file of that name in the directory");
	else if ((entry->file.kind == CIM_KIND_REGION || entry->file.kind == CIM_KIND_OBJECT_ID) &&
		 cim_set_is_consistent(&entry->file.set) && !store->alone)
		status = remove_adoptable(store, entry, &why);
	else
		status = cim_io_remove(&store->env, store->dir, name, &why);
	return cim_error_where(err, cim_fail_as(err, status, &why), op, name);
}

enum cim_status cim_store_sync(struct cim_store *store, struct cim_error *err)
{
	static const char op[] = "sync directory";

	if (CIM_ANY_NULL(err, op, store))
		return CIM_E_POINTER;
	return cim_error_where(err, cim_io_sync_dir(&store->env, store->dir, err), op, NULL);
}

void cim_store_close(struct cim_store *store)
{
	struct cim_env env;

	if (!store)
		return;
	env = store->env;
	for (size_t i = 0; i < store->count; i++)
		cim_free(&env, store->entries[i].name);
	cim_free(&env, store->entries);
	cim_name_list_free(&env, &store->others);
	cim_free(&env, store->sets);
	cim_free(&env, store->refs);
	cim_free(&env, store->owners);
	cim_io_close_dir(&env, store->dir);
	cim_free(&env, store->path);
	cim_free(&env, store);
}
