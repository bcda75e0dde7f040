/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regions.c - the region files of an image, open a few at a time
 *
 * An image names region sets, its parents' and its own, each a number of region files. Everything
 * refers to a region by one index that counts through all of them, up to 65,536, so neither handles
 * nor memory may grow with that number: a file is opened when something in it is needed, and when
 * more than CIM_OPEN_REGIONS are open, the one whose last use is longest ago is closed. Its header
 * is checked each time it is opened; its size is remembered while it is open, and that is what all
 * ranges are checked against. Where the process or the system allows fewer open files than that, an
 * open that fails is tried once more without the idle ones, and from then on fewer are kept.
 *
 * Several threads read one image. A file in use has a count of its users and is never closed before
 * that is zero; where more threads than CIM_OPEN_REGIONS read from as many files at once, the
 * number of open files exceeds the limit for that moment. Files are opened without the lock: two
 * threads may open the same one, and the later of them throws its own away.
 */
#include "io.h"
#include "names.h"
#include "reader.h"
#include "regions.h"

#include <string.h>

#define CIM_OPEN_REGIONS 64u
#define CIM_REGION_HASH	 64u
#define CHECKED_TABLES	 65536u

struct cim_region_files {
	struct cim_region_file *chains[CIM_REGION_HASH];
	struct cim_region_file *newest, *oldest;
	unsigned count, limit;
};

struct cim_region_files *cim_regions_new(const struct cim_env *env)
{
	struct cim_region_files *files = cim_zalloc(env, sizeof(*files));

	if (files)
		files->limit = CIM_OPEN_REGIONS;
	return files;
}

/* The set that region index @region belongs to. Its first index is the last one <= @region; sets
 * without regions share theirs with the set behind them, which the search prefers. */
static const struct cim_region_set *set_of_region(const struct cim_image *image, uint32_t region)
{
	uint32_t low = 0, high = image->info.set_count;

	if (region >= image->info.region_count)
		return NULL;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (image->sets[middle].first <= region)
			low = middle;
		else
			high = middle;
	}
	return &image->sets[low];
}

static uint32_t set_number(const struct cim_image *image, uint32_t region)
{
	return (uint32_t)(set_of_region(image, region) - image->sets);
}

void cim_region_name(const struct cim_image *image, uint32_t region, char *name)
{
	const struct cim_region_set *set = set_of_region(image, region);

	if (set)
		cim_set_file_name(name, CIM_KIND_REGION, &set->guid, region - set->first);
	else
		memcpy(name, "?", 2);
}

bool cim_image_region_name(struct cim_image *image, uint32_t index, char *name)
{
	if (name)
		*name = 0;
	if (!image || !name || index >= image->info.region_count)
		return false;
	cim_region_name(image, index, name);
	return true;
}

enum cim_status cim_region_missing(const struct cim_image *image, uint32_t region,
				   enum cim_status status, struct cim_error *err)
{
	return cim_fail(err, status, "there is no region %u, the image has %u", (unsigned)region,
			(unsigned)image->info.region_count);
}

enum cim_status cim_region_outside(const struct cim_image *image, uint32_t region, uint64_t offset,
				   uint64_t len, struct cim_error *err)
{
	char name[CIM_SET_FILE_NAME];

	cim_region_name(image, region, name);
	return cim_fail(err, CIM_E_CORRUPT, "%s doesn't hold %llu bytes at offset %llu", name,
			(unsigned long long)len, (unsigned long long)offset);
}

static void close_file(struct cim_image *image, struct cim_region_file *file)
{
	cim_io_close(&image->env, file->file);
	cim_free(&image->env, file);
}

static enum cim_status check_header(struct cim_image *image, struct cim_region_file *file,
				    struct cim_error *err)
{
	const char *name = file->name;
	uint8_t bytes[CIM_SIZE(region_header)];
	unsigned index, type;
	enum cim_status status;

	if (file->size < sizeof(bytes))
		return cim_fail(err, CIM_E_CORRUPT, "%s is shorter than its header", name);
	status = cim_region_read(image, file, 0, bytes, sizeof(bytes), err);
	if (status)
		return status;
	status = cim_common_header_check(bytes, CIM_FILE_REGION, name, err);
	if (status)
		return status;
	index = cim_get16(bytes + CIM_OFF(region_header, index));
	if (index != file->region - set_of_region(image, file->region)->first)
		return cim_fail(err, CIM_E_CORRUPT, "%s says that it is number %u of its set", name,
				index);
	type = bytes[CIM_OFF(region_header, type)];
	if (type >= CIM_REGION_TYPES)
		return cim_fail(err, CIM_E_CORRUPT, "%s is of unknown region type %u", name, type);
	file->type = (enum cim_region_type)type;
	return CIM_OK;
}

static void unlink_age(struct cim_region_files *files, struct cim_region_file *file)
{
	*(file->newer ? &file->newer->older : &files->newest) = file->older;
	*(file->older ? &file->older->newer : &files->oldest) = file->newer;
}

/* Take idle files out of the list until no more than @limit are in it; they are returned, chained.
 * With the lock held. */
static struct cim_region_file *take_surplus(struct cim_region_files *files, unsigned limit)
{
	struct cim_region_file *surplus = NULL, *file = files->oldest;

	while (file && files->count > limit) {
		struct cim_region_file **chain = &files->chains[file->region % CIM_REGION_HASH];
		struct cim_region_file *newer = file->newer;

		if (!file->users) {
			while (*chain != file)
				chain = &(*chain)->chain;
			*chain = file->chain;
			unlink_age(files, file);
			files->count--;
			file->chain = surplus;
			surplus = file;
		}
		file = newer;
	}
	return surplus;
}

static void close_chain(struct cim_image *image, struct cim_region_file *file)
{
	while (file) {
		struct cim_region_file *next = file->chain;

		close_file(image, file);
		file = next;
	}
}

enum cim_status cim_open_beside(struct cim_image *image, uint32_t set, const char *name,
				cim_vfs_file **file, struct cim_error *err)
{
	cim_vfs_dir *dir = cim_image_set_dir(image, set);
	struct cim_region_file *idle;
	struct cim_error why;
	unsigned limit;
	enum cim_status status;

	status = cim_io_open(&image->env, dir, name, CIM_VFS_READ, file, &why);
	if (!status || status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND)
		return cim_fail_as(err, status, &why);
	/* No status of its own says that too many files are open. */
	cim_image_lock(image);
	limit = image->files->count / 2;
	idle = take_surplus(image->files, 0);
	cim_image_unlock(image);
	if (!idle)
		return cim_fail_as(err, status, &why);
	close_chain(image, idle);
	status = cim_io_open(&image->env, dir, name, CIM_VFS_READ, file, err);
	if (status)
		return status;
	/* That was it. Leave some for the rest of the program. */
	cim_image_lock(image);
	image->files->limit = limit ? limit : 1;
	cim_image_unlock(image);
	return CIM_OK;
}

/* Open a region file and check its header; the caller owns the result. */
static enum cim_status open_file(struct cim_image *image, uint32_t region,
				 struct cim_region_file **opened, struct cim_error *err)
{
	struct cim_region_file *file = cim_zalloc(&image->env, sizeof(*file));
	enum cim_status status;

	if (!file)
		return cim_no_memory(err);
	file->region = region;
	cim_region_name(image, region, file->name);
	status = cim_open_beside(image, set_number(image, region), file->name, &file->file, err);
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND)
		status = cim_fail(err, CIM_E_CORRUPT, "region file %s is missing%s", file->name,
				  image->info.source_count && !image->with_sources
					  ? ": the image was merged from others, and opened without"
					  : "");
	if (!status)
		status = cim_io_size(&image->env, file->file, file->name, &file->size, err);
	if (!status)
		status = check_header(image, file, err);
	if (status)
		close_file(image, file);
	else
		*opened = file;
	return status;
}

static void link_newest(struct cim_region_files *files, struct cim_region_file *file)
{
	file->newer = NULL;
	file->older = files->newest;
	*(files->newest ? &files->newest->newer : &files->oldest) = file;
	files->newest = file;
}

/* Look for an open file and count one more user of it. With the lock held. */
static struct cim_region_file *use_open(struct cim_region_files *files, uint32_t region)
{
	struct cim_region_file *file = files->chains[region % CIM_REGION_HASH];

	while (file && file->region != region)
		file = file->chain;
	if (!file)
		return NULL;
	file->users++;
	if (file->newer) {
		unlink_age(files, file);
		link_newest(files, file);
	}
	return file;
}

static void insert(struct cim_region_files *files, struct cim_region_file *file)
{
	struct cim_region_file **chain = &files->chains[file->region % CIM_REGION_HASH];

	file->chain = *chain;
	*chain = file;
	link_newest(files, file);
	files->count++;
}

enum cim_status cim_region_get(struct cim_image *image, uint32_t region,
			       struct cim_region_file **result, struct cim_error *err)
{
	struct cim_region_files *files = image->files;
	struct cim_region_file *file, *own = NULL, *surplus;
	enum cim_status status;

	status = cim_region_check(image, region, CIM_E_CORRUPT, err);
	if (status)
		return status;
	cim_image_lock(image);
	file = use_open(files, region);
	cim_image_unlock(image);
	if (file) {
		*result = file;
		return CIM_OK;
	}
	status = open_file(image, region, &own, err);
	if (status)
		return status;
	cim_image_lock(image);
	file = use_open(files, region);
	if (!file) {
		file = own;
		own = NULL;
		file->users = 1;
		insert(files, file);
	}
	surplus = take_surplus(files, files->limit);
	cim_image_unlock(image);
	close_chain(image, surplus);
	if (own)
		close_file(image, own);
	*result = file;
	return CIM_OK;
}

void cim_region_put(struct cim_image *image, struct cim_region_file *file)
{
	struct cim_region_file *surplus;

	cim_image_lock(image);
	file->users--;
	surplus = take_surplus(image->files, image->files->limit);
	cim_image_unlock(image);
	close_chain(image, surplus);
}

enum cim_status cim_region_read(struct cim_image *image, struct cim_region_file *file,
				uint64_t offset, void *buf, size_t len, struct cim_error *err)
{
	size_t got;
	enum cim_status status = cim_io_read(&image->env, file->file, file->name, offset, buf, len,
					     &got, err);

	if (status)
		return status;
	/* It was long enough when it was opened: somebody cuts it short while we read. */
	if (got != len)
		return cim_region_outside(image, file->region, offset, len, err);
	return CIM_OK;
}

enum cim_status cim_region_check_size(struct cim_image *image, struct cim_region_file *file,
				      uint64_t offset, uint64_t len, struct cim_error *err)
{
	uint64_t size;
	enum cim_status status = cim_io_size(&image->env, file->file, file->name, &size, err);

	if (status)
		return status;
	if (!cim_in_range(offset, len, size))
		return cim_region_outside(image, file->region, offset, len, err);
	return CIM_OK;
}

void cim_regions_free(struct cim_image *image)
{
	struct cim_region_files *files = image->files;

	if (!files)
		return;
	for (size_t i = 0; i < CIM_REGION_HASH; i++)
		close_chain(image, files->chains[i]);
	cim_free(&image->env, files);
	image->files = NULL;
}

static enum cim_status file_size(struct cim_image *image, uint32_t region, uint64_t *size,
				 struct cim_error *err)
{
	char name[CIM_REGION_NAME];
	cim_vfs_file *file;
	enum cim_status status;

	cim_region_name(image, region, name);
	status = cim_open_beside(image, set_number(image, region), name, &file, err);
	if (status)
		return status;
	status = cim_io_size(&image->env, file, name, size, err);
	if (status)
		*size = 0;
	cim_io_close(&image->env, file);
	return status;
}

enum cim_status cim_image_region_size(struct cim_image *image, uint32_t index, uint64_t *size,
				      struct cim_error *err)
{
	static const char op[] = "get region file size";
	enum cim_status status;

	if (size)
		*size = 0;
	if (CIM_ANY_NULL(err, op, image, size))
		return CIM_E_POINTER;
	status = cim_region_check(image, index, CIM_E_INVALID, err);
	if (!status)
		status = file_size(image, index, size, err);
	return cim_error_where(err, status, op, image->path);
}
