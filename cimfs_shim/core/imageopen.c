/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imageopen.c - opening an image
 *
 * The filesystem object says where the upcase table and the file table directory are, and which
 * FileID is the root. Opening reads the header (header.c) and that object, and makes sure that the
 * directory lies within its region; everything else is read where it lies when somebody asks for
 * it.
 */
#include "cache.h"
#include "header.h"
#include "io.h"
#include "place.h"
#include "reader.h"
#include "regions.h"
#include "sized.h"

/* FileIDs go up to 2^32 - 1. */
#define CIM_MAX_TABLES ((UINT32_MAX / CIM_FILES_PER_TABLE) + 1)

#define CHECKED_TABLES 65536u

/* ---- opening and closing ---- */

enum cim_status cim_image_read_filesystem(struct cim_image *image, uint64_t offset,
					  struct cim_error *err)
{
	uint8_t bytes[CIM_SIZE(filesystem)];
	enum cim_status status;

	status = cim_image_read_object(image, offset, 0, bytes, sizeof(bytes), err);
	if (status)
		return status;
	image->upcase_offset = cim_get64(bytes + CIM_OFF(filesystem, upcase_table));
	image->file_table_directory = cim_get64(bytes + CIM_OFF(filesystem, file_table_directory));
	image->info.table_count = cim_get32(bytes + CIM_OFF(filesystem, file_table_count));
	image->info.root_id = cim_get32(bytes + CIM_OFF(filesystem, root_id));
	if (image->info.table_count > CIM_MAX_TABLES)
		return cim_fail(err, CIM_E_CORRUPT, "%u file tables are more than FileIDs can name",
				(unsigned)image->info.table_count);
	if (!image->info.root_id ||
	    (image->info.root_id - 1) / CIM_FILES_PER_TABLE >= image->info.table_count)
		return cim_fail(err, CIM_E_CORRUPT,
				"the root's FileID %u is not in the image's %u file tables",
				(unsigned)image->info.root_id, (unsigned)image->info.table_count);
	return cim_image_check_range(image, image->file_table_directory, 0,
				     (uint64_t)image->info.table_count * CIM_SIZE(file_table), err);
}

static enum cim_status fill_in(struct cim_image *image, const char *name, uint64_t *filesystem,
			       struct cim_error *err)
{
	struct cim_header header;
	enum cim_status status;

	status = cim_header_read(&image->env, image->dir, name, &header, err);
	if (status)
		return status;
	image->header = header.bytes;
	image->header_size = header.size;
	image->sets = header.sets;
	image->sources = header.sources;
	image->info.source_count = header.source_count;
	image->marked = header.marked;
	image->info.version_major = header.major;
	image->info.version_minor = header.minor;
	image->info.set_count = header.set_count;
	image->info.region_count = header.region_count;
	*filesystem = header.filesystem;
	image->files = cim_regions_new(&image->env);
	image->cache = cim_cache_new(&image->env);
	image->names = cim_name_indexes_new(&image->env);
	image->lock = image->env.mutex_new(image->env.thread_ctx);
	if (!image->files || !image->cache || !image->names || !image->lock)
		return cim_no_memory(err);
	return cim_image_find_reaches(image, err);
}

enum cim_status cim_image_open_header(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				      const char *path, struct cim_image **result,
				      uint64_t *filesystem, struct cim_error *err)
{
	struct cim_image *image;
	enum cim_status status;

	*result = NULL;
	image = cim_zalloc(env, sizeof(*image));
	if (!image)
		return cim_error_where(err, cim_no_memory(err), "open image", path);
	cim_copy_env(&image->env, &image->vfs, env);
	image->dir = dir;
	image->path = cim_strdup(env, path);
	status = image->path ? fill_in(image, name, filesystem, err) : cim_no_memory(err);
	if (status) {
		cim_image_close(image);
		return cim_error_where(err, status, "open image", path);
	}
	*result = image;
	return CIM_OK;
}

enum cim_status cim_image_open_in(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				  const char *path, struct cim_image **image, struct cim_error *err)
{
	uint64_t filesystem;
	enum cim_status status;

	status = cim_image_open_header(env, dir, name, path, image, &filesystem, err);
	if (status)
		return status;
	status = cim_image_read_filesystem(*image, filesystem, err);
	if (!status)
		return CIM_OK;
	cim_image_close(*image);
	*image = NULL;
	return cim_error_where(err, status, "open image", path);
}

enum cim_status cim_image_open_rooted(const struct cim_env *env, const char *path,
				      const uint8_t *root, struct cim_image **image,
				      struct cim_error *err)
{
	struct cim_env own;
	struct cim_vfs vfs;
	cim_vfs_dir *dir;
	const char *name;
	enum cim_status status = cim_take_env(&own, &vfs, env, err);

	if (!status)
		status = cim_place_of(&own, &vfs, path, root, &dir, &name, err);
	if (status)
		return cim_error_where(err, status, "open image", path);
	status = cim_image_open_in(&own, dir, name, path, image, err);
	if (status)
		cim_io_close_dir(&own, dir);
	else
		(*image)->owns_dir = true;
	return status;
}

enum cim_status cim_image_open(const struct cim_env *env, const char *path,
			       struct cim_image **image, struct cim_error *err)
{
	if (image)
		*image = NULL;
	if (CIM_ANY_NULL(err, "open image", path, image))
		return CIM_E_POINTER;
	return cim_image_open_rooted(env, path, NULL, image, err);
}

void cim_image_close(struct cim_image *image)
{
	struct cim_env env;

	if (!image)
		return;
	env = image->env;
	cim_regions_free(image);
	for (size_t i = 0; i < image->mark_count; i++)
		cim_io_close(&env, image->marks[i]);
	cim_free(&env, image->marks);
	cim_cache_free(&env, image->cache);
	cim_name_indexes_free(&env, image->names);
	cim_free(&env, image->upcase);
	cim_free(&env, image->sets);
	cim_free(&env, image->sources);
	cim_free(&env, image->reaches);
	cim_free(&env, image->header);
	cim_free(&env, image->path);
	if (image->lock)
		env.mutex_free(env.thread_ctx, image->lock);
	if (image->owns_dir)
		cim_io_close_dir(&env, image->dir);
	cim_free(&env, image);
}

const struct cim_image_info *cim_image_get_info(struct cim_image *image)
{
	return image ? &image->info : NULL;
}

const struct cim_region_set *cim_image_get_set(struct cim_image *image, uint32_t index)
{
	return image && index < image->info.set_count ? &image->sets[index] : NULL;
}

const struct cim_merged_source *cim_image_get_source(struct cim_image *image, uint32_t index)
{
	return image && index < image->info.source_count ? &image->sources[index] : NULL;
}

/* ---- more than opening looks at ---- */

static enum cim_status check_headers(struct cim_image *image, struct cim_error *err)
{
	for (uint32_t region = 0; region < image->info.region_count; region++) {
		struct cim_region_file *file;
		enum cim_status status = cim_region_get(image, region, &file, err);

		if (status)
			return status;
		cim_region_put(image, file);
	}
	return CIM_OK;
}

/* The tables by which all else is found lie in the region files. (That the directory of the file
 * tables does was seen when the image was opened.) */
static enum cim_status check_tables(struct cim_image *image, struct cim_error *err)
{
	const uint32_t tables = image->info.table_count < CHECKED_TABLES ? image->info.table_count
									 : CHECKED_TABLES;
	struct cim_file_table table;
	enum cim_status status;

	status = cim_image_check_range(image, image->upcase_offset, 0, CIM_UPCASE_SIZE, err);
	for (uint32_t i = 0; !status && i < tables; i++) {
		status = cim_image_file_table(image, i, &table, err);
		if (status == CIM_E_CORRUPT)
			status = CIM_OK; /* nonsense, but not missing */
		else if (!status && table.count)
			status = cim_image_check_range(image, table.offset, 0,
						       (uint64_t)table.count * table.entry_size,
						       err);
	}
	return status;
}

enum cim_status cim_image_check_regions(struct cim_image *image, struct cim_error *err)
{
	static const char op[] = "check region files";
	enum cim_status status;

	if (CIM_ANY_NULL(err, op, image))
		return CIM_E_POINTER;
	status = check_headers(image, err);
	if (!status)
		status = check_tables(image, err);
	return cim_error_where(err, status, op, image->path);
}
