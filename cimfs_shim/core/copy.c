/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.c - an image as it is, into another directory or container
 *
 * An image is its filesystem file and the files of all region sets that this names, whoever else
 * needs them. Each is copied under a private name and synced; then all get their names, and at last
 * the copy's filesystem file gets its own, as in a session's commit (publish.c): until then nothing
 * of it counts. What the place has already of a set, for another image shares it, serves if its
 * bytes are the same. Object ID files are a help for writers, so there whatever is there will do,
 * or nothing.
 *
 * The place is locked against sessions and upkeep all the time, and the first private file bears
 * the byte lock that marks a living session.
 */
#include "error.h"
#include "image.h"
#include "io.h"
#include "names.h"
#include "owners.h"
#include "place.h"
#include "reader.h"
#include "regions.h"
#include "sized.h"
#include "sort.h"

#include <string.h>

enum { CHUNK = 1 << 18 };

enum copied {
	COPY_WANTED,
	COPY_FOUND,   /* the place has it, or it isn't needed */
	COPY_PRIVATE, /* made */
	COPY_NAMED,
};

/* A file of a region set. */
struct copy_file {
	struct cim_guid set;
	uint32_t region; /* its number in the image */
	uint16_t index;	 /* and in the set */
	bool is_id;
	uint8_t state; /* enum copied */
};

struct copy {
	struct cim_env env; /* of the place */
	struct cim_vfs vfs;
	cim_vfs_dir *dir;
	const char *name;
	struct cim_image *image; /* the original */
	struct copy_file *files;
	size_t count;
	uint64_t *sizes;	      /* bytes of each region file at the first look */
	char random[CIM_RANDOM_TEXT]; /* private names' middle; the number is that in @files */
	cim_vfs_file *mark;	      /* the first private file, with the byte lock */
	size_t marked;		      /* its number */
	uint8_t *buf;		      /* a chunk */
	uint64_t done, total;
	const char *at_fault; /* the image that an error is about */
	bool unlocked;	      /* there are no locks */
};

/* ---- what is to be copied ---- */

static int compare_sets(const void *a, const void *b, const void *ctx)
{
	const struct cim_region_set *x = a, *y = b;
	const int order = memcmp(&x->guid, &y->guid, sizeof(x->guid));

	(void)ctx;
	/* Of one that is named twice the greater count comes first. */
	return order ? order : (int)y->count - (int)x->count;
}

static void list_set(struct copy *c, const struct cim_region_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		for (unsigned is_id = 0; is_id < 2; is_id++) {
			c->files[c->count++] = (struct copy_file){
				.set = set->guid,
				.region = set->first + i,
				.index = (uint16_t)i,
				.is_id = is_id,
			};
		}
	}
}

/* All sets, each once. */
static enum cim_status list_files(struct copy *c, struct cim_error *err)
{
	const uint32_t count = c->image->info.set_count;
	const size_t most = 2 * (size_t)c->image->info.region_count;
	struct cim_region_set *sets = cim_alloc(&c->env, count * sizeof(*sets));
	enum cim_status status = CIM_OK;

	c->files = cim_alloc(&c->env, most * sizeof(*c->files));
	if (sets)
		memcpy(sets, c->image->sets, count * sizeof(*sets));
	if (!sets || !c->files ||
	    !cim_sort(&c->env, sets, count, sizeof(*sets), compare_sets, NULL))
		status = cim_no_memory(err);
	for (uint32_t i = 0; !status && i < count; i++) {
		if (!i || memcmp(&sets[i].guid, &sets[i - 1].guid, sizeof(sets[i].guid)) != 0)
			list_set(c, &sets[i]);
	}
	cim_free(&c->env, sets);
	return status;
}

/* For progress, and to see whether a file is cut while others are copied. */
static enum cim_status count_bytes(struct copy *c, struct cim_error *err)
{
	const uint32_t count = c->image->info.region_count;
	enum cim_status status = CIM_OK;

	c->sizes = cim_alloc(&c->env, count * sizeof(*c->sizes));
	if (!c->sizes)
		return cim_no_memory(err);
	for (uint32_t i = 0; !status && i < count; i++) {
		status = cim_image_region_size(c->image, i, &c->sizes[i], err);
		c->total += status ? 0 : c->sizes[i];
	}
	return status;
}

/* Are there files that it has only with its sources? */
static bool lacks_sources(struct cim_image *image)
{
	uint64_t size;

	if (!image->info.source_count)
		return false;
	for (uint32_t i = 0; i < image->info.region_count; i++)
		if (cim_image_region_size(image, i, &size, NULL) == CIM_E_FILE_NOT_FOUND)
			return true;
	return false;
}

static enum cim_status open_original(struct copy *c, const struct cim_env *env, const char *path,
				     const uint8_t *root, struct cim_error *err)
{
	enum cim_status status = cim_image_open_rooted(env, path, root, &c->image, err);

	if (!status)
		status = cim_image_check_regions(c->image, err);
	if (status == CIM_E_CORRUPT && c->image && lacks_sources(c->image))
		status = cim_fail(err, CIM_E_UNSUPPORTED,
				  "an image that was merged is only copied beside all its sources");
	if (!status)
		status = count_bytes(c, err);
	return status ? status : list_files(c, err);
}

/* ---- files ---- */

static enum cim_status tell(struct copy *c, struct cim_error *err)
{
	/* Object IDs are in it only as they come. */
	const struct cim_progress progress = {CIM_PHASE_COPY,
					      c->done < c->total ? c->done : c->total, c->total};

	if (c->env.progress && c->env.progress(c->env.progress_ctx, &progress))
		return cim_fail(err, CIM_E_ABORTED, "stopped by the caller");
	return CIM_OK;
}

/* Holes stay holes, and the size is set in the end where one is there. */
static enum cim_status copy_bytes(struct copy *c, const struct cim_open_file *from,
				  const struct cim_open_file *to, struct cim_error *err)
{
	uint64_t at = 0, end = 0, size;
	size_t got;
	enum cim_status status = cim_io_size(from->env, from->file, from->name, &size, err);

	while (!status && at < size) {
		status = cim_io_next_data(from->env, from->file, from->name, at, &at, err);
		if (status || at >= size)
			break;
		status = cim_io_read(from->env, from->file, from->name, at, c->buf,
				     size - at < CHUNK ? (size_t)(size - at) : CHUNK, &got, err);
		if (!status && !got)
			status = cim_fail(err, CIM_E_CORRUPT, "%s is cut short", from->name);
		if (!status)
			status = cim_io_write(to->env, to->file, to->name, at, c->buf, got, err);
		at += status ? 0 : got;
		c->done += status ? 0 : got;
		end = at;
		if (!status)
			status = tell(c, err);
	}
	if (!status && end < size)
		status = cim_io_truncate(to->env, to->file, to->name, size, err);
	return status ? status : cim_io_sync(to->env, to->file, to->name, err);
}

static void final_name(const struct copy_file *file, char *name)
{
	cim_set_file_name(name, file->is_id ? CIM_KIND_OBJECT_ID : CIM_KIND_REGION, &file->set,
			  file->index);
}

static void private_name(const struct copy *c, const struct copy_file *file, char *name)
{
	cim_temporary_name(name, c->random, CIM_KIND_REGION, (unsigned)(file - c->files));
}

/* The first private file stays open. */
static enum cim_status mark(struct copy *c, const struct copy_file *file, cim_vfs_file *opened,
			    const char *name, struct cim_error *err)
{
	enum cim_status status;

	if (c->mark)
		return CIM_OK;
	c->mark = opened;
	c->marked = (size_t)(file - c->files);
	status = cim_io_lock(&c->env, opened, name, CIM_LOCK_ALONE, false, err);
	if (status != CIM_E_UNSUPPORTED)
		return status;
	c->unlocked = true;
	return CIM_OK;
}

static enum cim_status make_private(struct copy *c, struct copy_file *file,
				    const struct cim_open_file *original, struct cim_error *err)
{
	char name[CIM_SET_FILE_NAME];
	struct cim_open_file copy = {&c->env, NULL, name};
	enum cim_status status;

	private_name(c, file, name);
	status = cim_io_open(&c->env, c->dir, name, CIM_VFS_CREATE, &copy.file, err);
	if (status)
		return status;
	file->state = COPY_PRIVATE;
	status = mark(c, file, copy.file, name, err);
	if (!status)
		status = copy_bytes(c, original, &copy, err);
	if (copy.file != c->mark)
		cim_io_close(&c->env, copy.file);
	return status;
}

/* Look for what the place has under a file's name. */
static enum cim_status find(struct copy *c, struct copy_file *file,
			    const struct cim_open_file *original, struct cim_error *err)
{
	struct cim_open_file found = {&c->env, NULL, original->name};
	bool same = file->is_id;
	enum cim_status status;

	status = cim_hold_file(&c->env, c->dir, found.name, false, &found.file, err);
	if (status == CIM_E_UNSUPPORTED)
		status = cim_io_open(&c->env, c->dir, found.name, CIM_VFS_UPDATE, &found.file, err);
	if (status == CIM_E_FILE_NOT_FOUND)
		return CIM_OK;
	if (!status && !same)
		status = cim_files_are_same(original, &found, &same, err);
	cim_io_close(&c->env, found.file);
	if (!status && !same)
		return cim_fail(err, CIM_E_EXISTS, "%s is there with other bytes", found.name);
	file->state = COPY_FOUND;
	return status;
}

/* The copy of a file that was cut since the first look would be less than its source. */
static enum cim_status check_length(const struct copy *c, const struct copy_file *file,
				    const struct cim_open_file *original, struct cim_error *err)
{
	enum cim_status status;
	uint64_t size;

	if (file->is_id)
		return CIM_OK;
	status = cim_io_size(original->env, original->file, original->name, &size, err);
	if (!status && size < c->sizes[file->region])
		status = cim_fail(err, CIM_E_CORRUPT, "%s was cut short meanwhile", original->name);
	return status;
}

static enum cim_status copy_file(struct copy *c, struct copy_file *file, struct cim_error *err)
{
	char name[CIM_SET_FILE_NAME];
	struct cim_open_file original = {&c->image->env, NULL, name};
	enum cim_status status;

	final_name(file, name);
	status = cim_open_beside(c->image, 0, name, &original.file, err);
	if (status == CIM_E_FILE_NOT_FOUND && file->is_id) {
		file->state = COPY_FOUND;
		return CIM_OK;
	}
	if (!status)
		status = find(c, file, &original, err);
	if (!status && file->state == COPY_WANTED)
		status = make_private(c, file, &original, err);
	if (!status)
		status = check_length(c, file, &original, err);
	cim_io_close(original.env, original.file);
	return status;
}

/* ---- publishing ---- */

static enum cim_status give_names(struct copy *c, struct cim_error *err)
{
	char from[CIM_SET_FILE_NAME], to[CIM_SET_FILE_NAME];
	enum cim_status status = CIM_OK;

	for (size_t i = 0; !status && i < c->count; i++) {
		if (c->files[i].state != COPY_PRIVATE)
			continue;
		private_name(c, &c->files[i], from);
		final_name(&c->files[i], to);
		status = cim_io_rename(&c->env, c->dir, from, to, CIM_VFS_NOREPLACE, err);
		if (!status)
			c->files[i].state = COPY_NAMED;
	}
	return status ? status : cim_io_sync_dir(&c->env, c->dir, err);
}

/* The filesystem file, synced, under a private name. */
static enum cim_status write_header(struct copy *c, const char *name, struct cim_error *err)
{
	const struct cim_image *image = c->image;
	cim_vfs_file *file;
	enum cim_status status = cim_io_open(&c->env, c->dir, name, CIM_VFS_CREATE, &file, err);

	if (status)
		return status;
	status = cim_io_write(&c->env, file, name, 0, image->header, image->header_size, err);
	if (!status)
		status = cim_io_sync(&c->env, file, name, err);
	cim_io_close(&c->env, file);
	if (status)
		cim_io_remove(&c->env, c->dir, name, NULL);
	return status;
}

/* From here on it is there, or an error is returned. */
static enum cim_status publish(struct copy *c, struct cim_error *err)
{
	const struct cim_image *image = c->image;
	char name[CIM_SET_FILE_NAME];
	bool ours = false;
	enum cim_status status;

	cim_temporary_name(name, c->random, CIM_KIND_IMAGE, 0);
	status = write_header(c, name, err);
	if (status)
		return status;
	status = cim_io_rename(&c->env, c->dir, name, c->name, CIM_VFS_NOREPLACE, err);
	if (!status)
		return CIM_OK;
	/* A network may lose the answer to a rename that took place. */
	if (status != CIM_E_EXISTS &&
	    !cim_file_is(&c->env, c->dir, c->name, image->header, image->header_size, &ours,
			 NULL) &&
	    ours)
		return CIM_OK;
	cim_io_remove(&c->env, c->dir, name, NULL);
	return status == CIM_E_EXISTS ? cim_fail(err, status, "the name has been taken meanwhile")
				      : status;
}

/* What was made goes, the marked file last: until then its lock says that the session lives. */
static void take_back(struct copy *c)
{
	char name[CIM_SET_FILE_NAME];

	for (size_t i = c->count; i-- > 0;) {
		if (c->mark && i == c->marked) {
			cim_io_close(&c->env, c->mark);
			c->mark = NULL;
		}
		if (c->files[i].state == COPY_PRIVATE)
			private_name(c, &c->files[i], name);
		else if (c->files[i].state == COPY_NAMED)
			final_name(&c->files[i], name);
		else
			continue;
		cim_io_remove(&c->env, c->dir, name, NULL);
	}
}

/* In a place that is locked. */
static enum cim_status copy_all(struct copy *c, struct cim_error *err)
{
	enum cim_status status = cim_io_check_free(&c->env, c->dir, c->name, err);

	if (!status)
		status = cim_random_text(&c->env, c->random, err);
	c->buf = cim_alloc(&c->env, CHUNK);
	if (!status && !c->buf)
		status = cim_no_memory(err);
	for (size_t i = 0; !status && i < c->count; i++)
		status = copy_file(c, &c->files[i], err);
	if (!status)
		status = give_names(c, err);
	if (!status)
		status = publish(c, err);
	if (status) {
		take_back(c);
		return status;
	}
	return cim_io_sync_dir(&c->env, c->dir, err);
}

static enum cim_status copy_image(struct copy *c, const struct cim_env *env, const char *path,
				  const char *dir, unsigned flags, const uint8_t *root,
				  struct cim_error *err)
{
	enum cim_status status = open_original(c, env, path, root, err);

	if (status)
		return status;
	c->at_fault = c->name;
	status = cim_place_lock(&c->env, &c->vfs, dir, flags, &c->dir, &c->unlocked, err);
	if (status == CIM_E_FILE_NOT_FOUND)
		status = CIM_E_PATH_NOT_FOUND;
	return status ? status : copy_all(c, err);
}

static void clean_up(struct copy *c)
{
	cim_io_close(&c->env, c->mark);
	cim_io_close_dir(&c->env, c->dir);
	cim_free(&c->env, c->buf);
	cim_free(&c->env, c->files);
	cim_free(&c->env, c->sizes);
	cim_image_close(c->image);
}

enum cim_status cim_image_copy(const struct cim_env *env, const char *path, const char *dir,
			       const char *name, unsigned flags, const uint8_t *root_hash,
			       bool *unlocked, struct cim_error *err)
{
	static const char op[] = "copy image";
	struct copy c = {.name = name, .at_fault = path};
	struct cim_error why = {0};
	enum cim_status status;

	if (unlocked)
		*unlocked = false;
	if (CIM_ANY_NULL(err, op, path, dir, name))
		return CIM_E_POINTER;
	status = cim_take_env(&c.env, &c.vfs, env, &why);
	if (!status)
		status = cim_check_new_name(name, &why);
	if (!status)
		status = cim_place_check_flags(flags, &why);
	if (!status) {
		status = copy_image(&c, env, path, dir, flags, root_hash, &why);
		if (unlocked)
			*unlocked = c.unlocked;
		clean_up(&c);
	}
	if (!status)
		return CIM_OK;
	return cim_error_where(err, cim_fail_as(err, status, &why), op, c.at_fault);
}
