/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * united.c - the places of a merged image and of its sources, as one file system
 *
 * A file of a region set is where the source is whose set it is, every other name is the merged
 * image's own. That goes by the set's number, not by its GUID: what a source calls by the GUID of
 * another's set is its own all the same.
 */
#include "united.h"
#include "container.h"
#include "image.h"
#include "mem.h"

struct united_file {
	const struct cim_united_place *place;
	cim_vfs_file *file;
};

/* @dir is the united one, whose names are those of the merged image's own place, or a place. */
static const struct cim_united_place *place_of(const struct cim_united *u, cim_vfs_dir *dir)
{
	return (const struct cim_united *)dir == u ? &u->places[0]
						   : (const struct cim_united_place *)dir;
}

void cim_united_free(struct cim_united *u)
{
	const struct cim_env env = u->env;

	for (uint32_t i = 0; i < u->place_count; i++) {
		if (u->places[i].dir)
			u->places[i].vfs.close_dir(u->places[i].vfs.ctx, u->places[i].dir);
		cim_free(&env, u->places[i].path);
	}
	cim_free(&env, u->places);
	cim_free(&env, u->sets);
	cim_free(&env, u);
}

static void united_close_dir(void *ctx, cim_vfs_dir *dir)
{
	(void)dir;
	cim_united_free(ctx);
}

static enum cim_status united_open(void *ctx, cim_vfs_dir *dir, const char *name,
				   enum cim_vfs_mode mode, cim_vfs_file **result, long *os_error)
{
	struct cim_united *u = ctx;
	const struct cim_united_place *place = place_of(u, dir);
	struct united_file *file = cim_alloc(&u->env, sizeof(*file));
	enum cim_status status;

	if (!file)
		return CIM_E_NO_MEMORY;
	file->place = place;
	status = place->vfs.open(place->vfs.ctx, place->dir, name, mode, &file->file, os_error);
	if (status)
		cim_free(&u->env, file);
	else
		*result = (cim_vfs_file *)file;
	return status;
}

static void united_close(void *ctx, cim_vfs_file *opaque)
{
	struct cim_united *u = ctx;
	struct united_file *file = (struct united_file *)opaque;

	file->place->vfs.close(file->place->vfs.ctx, file->file);
	cim_free(&u->env, file);
}

static enum cim_status united_size(void *ctx, cim_vfs_file *opaque, uint64_t *size, long *os_error)
{
	const struct united_file *file = (const struct united_file *)opaque;

	(void)ctx;
	return file->place->vfs.size(file->place->vfs.ctx, file->file, size, os_error);
}

static enum cim_status united_pread(void *ctx, cim_vfs_file *opaque, uint64_t offset, void *buf,
				    size_t len, size_t *got, long *os_error)
{
	const struct united_file *file = (const struct united_file *)opaque;

	(void)ctx;
	return file->place->vfs.pread(file->place->vfs.ctx, file->file, offset, buf, len, got,
				      os_error);
}

static enum cim_status united_lock(void *ctx, cim_vfs_file *opaque, uint64_t number,
				   enum cim_vfs_lock how, bool wait, long *os_error)
{
	const struct united_file *file = (const struct united_file *)opaque;

	(void)ctx;
	return file->place->vfs.lock(file->place->vfs.ctx, file->file, number, how, wait, os_error);
}

static enum cim_status united_is_locked(void *ctx, cim_vfs_dir *dir, const char *name,
					uint64_t number, enum cim_vfs_lock *lock, long *os_error)
{
	const struct cim_united_place *place = place_of(ctx, dir);

	return place->vfs.is_locked(place->vfs.ctx, place->dir, name, number, lock, os_error);
}

static intptr_t united_map(void *ctx, cim_vfs_file *opaque, uint64_t offset, uint64_t *len,
			   uint64_t *place)
{
	const struct united_file *file = (const struct united_file *)opaque;

	(void)ctx;
	if (!file->place->vfs.map)
		return -1;
	return file->place->vfs.map(file->place->vfs.ctx, file->file, offset, len, place);
}

static enum cim_status united_next_data(void *ctx, cim_vfs_file *opaque, uint64_t offset,
					uint64_t *data, long *os_error)
{
	const struct united_file *file = (const struct united_file *)opaque;
	const struct cim_vfs *vfs = &file->place->vfs;

	(void)ctx;
	*data = offset;
	return vfs->next_data ? vfs->next_data(vfs->ctx, file->file, offset, data, os_error)
			      : CIM_OK;
}

static bool united_corrupt_text(void *ctx, cim_vfs_file *opaque, uint64_t offset, size_t len,
				char *buf, size_t size)
{
	const struct united_file *file = (const struct united_file *)opaque;
	const struct cim_vfs *vfs = &file->place->vfs;

	(void)ctx;
	return vfs->corrupt_text && vfs->corrupt_text(vfs->ctx, file->file, offset, len, buf, size);
}

static bool united_error_text(void *ctx, long os_error, char *buf, size_t size)
{
	const struct cim_united *u = ctx;
	const struct cim_vfs *vfs = &u->places[0].vfs;

	return vfs->error_text && vfs->error_text(vfs->ctx, os_error, buf, size);
}

/* The image's, or NULL. */
static const struct cim_united *united_of(const struct cim_image *image)
{
	const struct cim_vfs *vfs = image->env.vfs;

	return vfs->close_dir == united_close_dir ? vfs->ctx : NULL;
}

cim_vfs_dir *cim_image_set_dir(const struct cim_image *image, uint32_t set)
{
	const struct cim_united *u = united_of(image);

	return u && set < u->set_count ? (cim_vfs_dir *)&u->places[u->sets[set]] : image->dir;
}

struct cim_container *cim_image_container(const struct cim_image *image, uint32_t place, bool *more)
{
	const struct cim_vfs *vfs = image->env.vfs;
	const struct cim_united *u = united_of(image);

	*more = u ? place < u->place_count : !place;
	if (!u)
		return place ? NULL : cim_cont_of(vfs, image->dir);
	return *more && (!place || u->places[place].used)
		       ? cim_cont_of(&u->places[place].vfs, u->places[place].dir)
		       : NULL;
}

void cim_united_vfs(struct cim_united *u, struct cim_vfs *vfs)
{
	*vfs = (struct cim_vfs){
		CIM_SIZED(*vfs),
		.ctx = u,
		.fold_names = u->places[0].vfs.fold_names,
		.windows_paths = u->places[0].vfs.windows_paths,
		.close_dir = united_close_dir,
		.open = united_open,
		.close = united_close,
		.size = united_size,
		.pread = united_pread,
		.lock = united_lock,
		.is_locked = united_is_locked,
		.map = united_map,
		.next_data = united_next_data,
		.error_text = united_error_text,
		.corrupt_text = united_corrupt_text,
	};
}
