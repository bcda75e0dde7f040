/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * container.c - fuzz target: a container that is the input, and a session in it
 *
 * Its digests are made anew, as nobody guesses one (the first step says which are not). Every image
 * in it is read and checked; then a session adds one. Whatever the container says, its own files
 * read the same before and after that, for what a table names is never written again. Or it is
 * sealed, bytes of it are changed, and what still can be read is as it was.
 */
#include "fuzz.h"

#include "../../core/bytes.h"
#include "../../core/container.h"
#include "../../core/hash.h"
#include "../../core/place.h"
#include "../minisample.h"

#define NAME   "c.bcim"
#define PLACE  "mem/" NAME
#define BIT(s) (1u << (s))

enum { IMAGES = 8, FILES = 64, LARGEST_READ = 1 << 20 };
enum { SEALS = 16 }; /* of what the first step says */

/* The library tells of a caller's mistake, or of the system, where neither is to blame. */
static const unsigned strange = BIT(CIM_E_POINTER) | BIT(CIM_E_NO_MEMORY) | BIT(CIM_E_DISK_FULL) |
				BIT(CIM_E_IO) | BIT(CIM_E_ABORTED) | BIT(CIM_E_SHARING);

static void seal_record(struct memfs *fs, uint64_t at, uint64_t size, bool table)
{
	static uint8_t bytes[FUZZ_FILE];
	uint8_t record[CIM_SIZE(cont_record)];
	uint64_t place, length;

	memfs_peek(fs, NAME, at, record, sizeof(record));
	place = cim_get64(record + CIM_OFF(cont_record, table));
	length = cim_get64(record + CIM_OFF(cont_record, length));
	if (table && cim_in_range(place, length, size) && length <= sizeof(bytes)) {
		memfs_peek(fs, NAME, place, bytes, (size_t)length);
		cim_cont_digest(bytes, (size_t)length, record + CIM_OFF(cont_record, table_digest));
	}
	cim_cont_digest(record, CIM_OFF(cont_record, digest),
			record + CIM_OFF(cont_record, digest));
	memfs_poke(fs, NAME, at, record, sizeof(record));
}

static void seal(struct memfs *fs, unsigned what)
{
	const uint64_t size = memfs_size(fs, NAME);
	uint8_t header[CIM_SIZE(cont_header)];

	if (size < CIM_CONT_FIRST)
		return;
	memfs_peek(fs, NAME, 0, header, sizeof(header));
	if (what & SEALS)
		header[CIM_OFF(cont_header, flags)] |= CIM_CONT_TO_BE_SEALED;
	cim_cont_digest(header, CIM_OFF(cont_header, digest),
			header + CIM_OFF(cont_header, digest));
	if (!(what & 1))
		memfs_poke(fs, NAME, 0, header, sizeof(header));
	for (unsigned i = 0; i < CIM_CONT_RECORDS; i++)
		if (!(what & 2u << i))
			seal_record(fs, (1 + i) * (uint64_t)CIM_CONT_BLOCK, size, !(what & 8));
}

static void read_image_of(const struct cim_env *env, const char *name)
{
	struct read_all all = {0};
	struct cim_image *image;
	uint64_t errors;
	char path[1100];

	snprintf(path, sizeof(path), PLACE "/%s", name);
	if (cim_image_open(env, path, &image, NULL))
		return;
	if (cim_image_get_info(image)->region_count <= FUZZ_REGIONS) {
		errors = fuzz_verify(image);
		cim_image_check_regions(image, NULL);
		read_image(image, &all);
		if (all.endless)
			fuzz_broken("a walk without an end");
		if (all.statuses & strange)
			fuzz_broken("statuses %#x", all.statuses);
		if (!errors && all.statuses & BIT(CIM_E_CORRUPT))
			fuzz_broken("verify finds nothing, reading does: %s", all.err.cause);
	}
	cim_image_close(image);
}

static void read_all_images(const struct cim_env *env)
{
	const struct cim_store_file *file;
	struct cim_store *store;
	unsigned images = 0;

	if (cim_store_open(env, PLACE, false, &store, NULL))
		return;
	for (size_t i = 0; (file = cim_store_get(store, i)) && images < IMAGES; i++) {
		if (file->kind != CIM_KIND_IMAGE)
			continue;
		images++;
		read_image_of(env, file->name);
	}
	cim_store_close(store);
}

/* ---- what is in its files ---- */

struct contents {
	const struct cim_vfs *vfs;
	cim_vfs_dir *dir;
	bool sealed; /* what isn't as it was sealed can't be read */
	unsigned count;
	struct {
		char name[3 * CIM_CONT_MAX_NAME + 1];
		uint64_t size, hash;
		bool unread;
	} at[FILES];
};

static enum cim_status look_into(void *arg, const char *name)
{
	static uint8_t bytes[LARGEST_READ];
	struct contents *c = arg;
	cim_vfs_file *file;
	size_t got = 0;
	long ignored;
	enum cim_status status;

	if (c->count == FILES)
		return CIM_E_LIMIT;
	if (c->vfs->open(c->vfs->ctx, c->dir, name, CIM_VFS_READ, &file, &ignored))
		fuzz_broken("%s is listed, but can't be opened", name);
	snprintf(c->at[c->count].name, sizeof(c->at[0].name), "%s", name);
	c->vfs->size(c->vfs->ctx, file, &c->at[c->count].size, &ignored);
	status = c->vfs->pread(c->vfs->ctx, file, 0, bytes, sizeof(bytes), &got, &ignored);
	if (status && (!c->sealed || status != CIM_E_CORRUPT))
		fuzz_broken("%s can't be read: %s", name, cim_status_name(status));
	c->at[c->count].unread = status != CIM_OK;
	c->at[c->count++].hash = cim_hash64(bytes, got, got);
	c->vfs->close(c->vfs->ctx, file);
	return CIM_OK;
}

static bool get_contents(const struct cim_env *env, struct contents *c)
{
	struct cim_vfs vfs = *env->vfs;
	struct cim_env own = *env;
	long ignored;

	own.vfs = c->vfs = &vfs;
	c->count = 0;
	if (cim_place_open(&own, &vfs, PLACE, &c->dir, NULL))
		return false;
	c->sealed = cim_cont_root(&vfs, c->dir);
	vfs.list(vfs.ctx, c->dir, look_into, c, &ignored);
	vfs.close_dir(vfs.ctx, c->dir);
	return true;
}

/* Each that was there is as it was, but for what the session made or may clear away. */
static void compare(const struct contents *was, const struct contents *is)
{
	for (unsigned i = 0, k; i < was->count; i++) {
		for (k = 0; k < is->count && strcmp(was->at[i].name, is->at[k].name); k++)
			;
		if (k == is->count && is->count < FILES)
			fuzz_broken("%s is gone", was->at[i].name);
		if (k < is->count && !was->at[i].unread && !is->at[k].unread &&
		    (was->at[i].size != is->at[k].size || was->at[i].hash != is->at[k].hash))
			fuzz_broken("%s has changed", was->at[i].name);
	}
}

static enum cim_status add_image(const struct cim_env *env, struct fuzz_steps *steps)
{
	struct cim_metadata meta = {CIM_SIZED(meta), .size = 1 + (int64_t)fuzz_number(steps, 2)};
	static uint8_t bytes[65536];
	struct cim_stream *stream;
	struct cim_writer *w;
	enum cim_status status = cim_writer_open(env, PLACE, NULL, "fuzz new.cim",
						 CIM_WRITE_CONTAINER, &w, NULL);

	if (status)
		return status;
	for (unsigned i = 0; i < 3 && !status; i++) {
		char name[2] = {(char)('a' + i), 0};

		memset(bytes, fuzz_byte(steps), sizeof(bytes));
		status = cim_writer_add(w, cim_str8(name), &meta, &stream, NULL);
		if (!status)
			status = cim_stream_write(stream, bytes, (size_t)meta.size, NULL, NULL);
		if (!status)
			cim_stream_close(stream);
	}
	if (!status)
		status = cim_writer_commit(w, NULL);
	cim_writer_close(w);
	return status;
}

static void write_in_it(const struct cim_env *env, struct fuzz_steps *steps)
{
	static struct contents was, is;
	const bool whole = get_contents(env, &was);
	struct cim_image *image;
	enum cim_status status = add_image(env, steps);

	if (!whole)
		return;
	if (BIT(status) & (strange | BIT(CIM_E_CORRUPT)))
		fuzz_broken("a session in a container that is whole: %s", cim_status_name(status));
	if (!get_contents(env, &is))
		fuzz_broken("a session has broken the container");
	compare(&was, &is);
	if (status)
		return;
	if (cim_image_open(env, PLACE "/fuzz new.cim", &image, NULL) || fuzz_verify(image))
		fuzz_broken("what a session has made isn't sound");
	cim_image_close(image);
}

/* A container that is whole is sealed if there is a tree over it; then nothing is read of what was
 * changed. */
static void seal_and_change(struct memfs *fs, const struct cim_env *env, struct fuzz_steps *steps)
{
	static struct contents was, is;
	const bool whole = get_contents(env, &was);
	uint8_t root[CIM_ROOT_HASH];
	const enum cim_status status = cim_container_seal(env, PLACE, root, NULL, NULL);

	if (!whole || was.sealed)
		return;
	if (BIT(status) & (strange | BIT(CIM_E_CORRUPT)))
		fuzz_broken("a container that is whole isn't sealed: %s", cim_status_name(status));
	if (status)
		return;
	if (!get_contents(env, &is) || !is.sealed)
		fuzz_broken("a sealed container isn't opened");
	for (unsigned i = 0; i < is.count; i++)
		if (is.at[i].unread)
			fuzz_broken("%s can't be read once it is sealed", is.at[i].name);
	compare(&was, &is);
	read_all_images(env);
	while (steps->left) {
		const uint64_t at = fuzz_number(steps, 3) % memfs_size(fs, NAME);
		const uint8_t byte = fuzz_byte(steps);

		memfs_poke(fs, NAME, at, &byte, 1);
	}
	if (get_contents(env, &is))
		compare(&was, &is);
	read_all_images(env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memfs *fs = memfs_new();
	struct cim_env env = memfs_env(fs);
	struct fuzz_steps steps = fuzz_unpack(fs, data, size);

	if (memfs_exists(fs, NAME)) {
		const uint8_t what = fuzz_byte(&steps);

		seal(fs, what);
		read_all_images(&env);
		if (what & SEALS)
			seal_and_change(fs, &env, &steps);
		else
			write_in_it(&env, &steps);
	}
	fuzz_clean(fs);
	memfs_free(fs);
	return 0;
}
