/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.c - opening an image, and the way from a FileID to its record
 *
 * The filesystem file is small: it names the region sets and says where the filesystem object is.
 * That object says where the upcase table and the file table directory are, and which FileID is the
 * root. A FileID leads through the directory to a file table and in it to a record. Opening reads
 * the header and the filesystem object, and makes sure that the directory lies within its region;
 * everything else is read where it lies when somebody asks for it.
 *
 * The header's length field is not used: no published source says what Windows writes there, and
 * the number of parents says the same. Reserved fields and bytes behind the last parent are
 * ignored. verify reports them.
 *
 * All reading of objects goes through the few functions in the middle of this file, which refuse
 * an object that begins in a file's header or ends behind the file's end.
 */
#include "io.h"
#include "place.h"
#include "reader.h"
#include "sized.h"

#include <string.h>

/* FileIDs go up to 2^32 - 1. */
#define CIM_MAX_TABLES ((UINT32_MAX / CIM_FILES_PER_TABLE) + 1)

static uint32_t get_set(const uint8_t *bytes, uint32_t first, struct cim_region_set *set)
{
	memcpy(set->guid.bytes, bytes + CIM_OFF(region_set, guid), sizeof(set->guid.bytes));
	set->count = cim_get16(bytes + CIM_OFF(region_set, count));
	set->first = first;
	return first + set->count;
}

/* Is it a filesystem file of a version that we know, and as long as its parent sets need? */
static enum cim_status check_header(struct cim_header *header, struct cim_error *err)
{
	const uint8_t *bytes = header->bytes;
	const unsigned long long size = header->size;
	uint32_t parents;
	enum cim_status status;

	if (size < CIM_SIZE(common_header))
		return cim_fail(err, CIM_E_CORRUPT, "%llu bytes are too few for an image", size);
	status = cim_common_header_check(bytes, CIM_FILE_FILESYSTEM, "the filesystem file", err);
	if (status)
		return status;
	if (size < CIM_SIZE(filesystem_header))
		return cim_fail(err, CIM_E_CORRUPT, "the filesystem file is cut short: %llu bytes",
				size);
	parents = cim_get16(bytes + CIM_OFF(filesystem_header, parent_count));
	if (parents > (size - CIM_SIZE(filesystem_header)) / CIM_SIZE(region_set))
		return cim_fail(err, CIM_E_CORRUPT,
				"the filesystem file is cut short: %u parent sets in %llu bytes",
				(unsigned)parents, size);
	header->set_count = parents + 1;
	return CIM_OK;
}

static enum cim_status decode_header(const struct cim_env *env, struct cim_header *header,
				     struct cim_error *err)
{
	const uint32_t parents = header->set_count - 1;
	const uint8_t *bytes = header->bytes;
	uint32_t regions = 0;

	header->sets = cim_alloc(env, header->set_count * sizeof(*header->sets));
	if (!header->sets)
		return cim_no_memory(err);
	/* At most 65,536 sets of at most 65,535 regions: the sum fits. */
	for (uint32_t i = 0; i < parents; i++)
		regions = get_set(bytes + CIM_SIZE(filesystem_header) + i * CIM_SIZE(region_set),
				  regions, &header->sets[i]);
	regions = get_set(bytes + CIM_OFF(filesystem_header, set), regions, &header->sets[parents]);
	if (!header->sets[parents].count)
		return cim_fail(err, CIM_E_CORRUPT, "the image's own set has no regions");
	if (regions > CIM_MAX_REGIONS)
		return cim_fail(err, CIM_E_CORRUPT, "%u regions are more than the %u there can be",
				(unsigned)regions, CIM_MAX_REGIONS);
	header->major = cim_get32(bytes + CIM_OFF(common_header, version_major));
	header->minor = cim_get32(bytes + CIM_OFF(common_header, version_minor));
	header->region_count = regions;
	header->marked = cim_get32(bytes + CIM_OFF(filesystem_header, flags)) & CIM_IMAGE_MARKED;
	header->filesystem = cim_get64(bytes + CIM_OFF(filesystem_header, filesystem));
	return CIM_OK;
}

enum cim_status cim_header_read(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				struct cim_header *header, struct cim_error *err)
{
	enum cim_status status;

	*header = (struct cim_header){0};
	status = cim_read_whole(env, dir, name, CIM_MAX_FILESYSTEM_FILE, &header->bytes,
				&header->size, err);
	if (!status)
		status = check_header(header, err);
	if (!status)
		status = decode_header(env, header, err);
	if (!status)
		status = cim_header_read_sources(env, header, err);
	if (status)
		cim_header_free(env, header);
	return status;
}

void cim_header_free(const struct cim_env *env, struct cim_header *header)
{
	cim_free(env, header->bytes);
	cim_free(env, header->sets);
	cim_free(env, header->sources);
	*header = (struct cim_header){0};
}

/* ---- reading objects ---- */

/* The absolute byte offset of byte @skip of an object, or CIM_E_CORRUPT for what can't be one. */
static enum cim_status object_start(const struct cim_image *image, uint64_t region_offset,
				    uint64_t skip, uint64_t len, uint64_t *start,
				    struct cim_error *err)
{
	const uint32_t region = cim_region_index(region_offset);
	const uint64_t byte = cim_region_byte(region_offset);
	uint64_t end;
	enum cim_status status = cim_region_check(image, region, CIM_E_CORRUPT, err);

	if (status)
		return status;
	if (byte < CIM_SIZE(region_header))
		return cim_fail(err, CIM_E_CORRUPT,
				"an object can't be at offset %llu, in the header of region %u",
				(unsigned long long)byte, (unsigned)region);
	if (!cim_ckd_add64(&end, byte, skip) || !cim_ckd_add64(&end, end, len) ||
	    end > CIM_OFFSET_MASK)
		return cim_region_outside(image, region, byte, len, err);
	*start = byte + skip;
	return CIM_OK;
}

enum cim_status cim_image_read_object(struct cim_image *image, uint64_t region_offset,
				      uint64_t skip, void *buf, size_t len, struct cim_error *err)
{
	uint64_t start;
	enum cim_status status = object_start(image, region_offset, skip, len, &start, err);

	if (status)
		return status;
	return cim_cache_read(image, cim_region_index(region_offset), start, buf, len, err);
}

/* An open region file that holds [skip, skip + len) of an object; to be put back. */
static enum cim_status get_range(struct cim_image *image, uint64_t region_offset, uint64_t skip,
				 uint64_t len, struct cim_region_file **file, uint64_t *start,
				 struct cim_error *err)
{
	const uint32_t region = cim_region_index(region_offset);
	enum cim_status status = object_start(image, region_offset, skip, len, start, err);

	if (status)
		return status;
	status = cim_region_get(image, region, file, err);
	if (status)
		return status;
	if (!cim_in_range(*start, len, (*file)->size)) {
		cim_region_put(image, *file);
		return cim_region_outside(image, region, *start, len, err);
	}
	return CIM_OK;
}

enum cim_status cim_image_read_raw(struct cim_image *image, uint64_t region_offset, uint64_t skip,
				   void *buf, size_t len, struct cim_error *err)
{
	struct cim_region_file *file;
	uint64_t start;
	enum cim_status status = get_range(image, region_offset, skip, len, &file, &start, err);

	if (status)
		return status;
	status = cim_region_read(image, file, start, buf, len, err);
	cim_region_put(image, file);
	return status;
}

enum cim_status cim_image_place(struct cim_image *image, uint64_t region_offset, uint64_t skip,
				uint64_t len, struct cim_region_file **file, uint64_t *start,
				struct cim_error *err)
{
	enum cim_status status = get_range(image, region_offset, skip, len, file, start, err);

	if (status)
		return status;
	status = cim_region_check_size(image, *file, *start, len, err);
	if (status)
		cim_region_put(image, *file);
	return status;
}

enum cim_status cim_image_check_range(struct cim_image *image, uint64_t region_offset,
				      uint64_t skip, uint64_t len, struct cim_error *err)
{
	struct cim_region_file *file;
	uint64_t start;
	enum cim_status status = get_range(image, region_offset, skip, len, &file, &start, err);

	if (!status)
		cim_region_put(image, file);
	return status;
}

enum cim_status cim_image_region_info(struct cim_image *image, uint32_t region, uint64_t *size,
				      enum cim_region_type *type, struct cim_error *err)
{
	struct cim_region_file *file;
	enum cim_status status = cim_region_get(image, region, &file, err);

	if (status)
		return status;
	*size = file->size;
	*type = file->type;
	cim_region_put(image, file);
	return CIM_OK;
}

/* ---- records ---- */

enum cim_status cim_image_file_table(struct cim_image *image, uint32_t table,
				     struct cim_file_table *entry, struct cim_error *err)
{
	uint8_t bytes[CIM_SIZE(file_table)];
	enum cim_status status;

	if (table >= image->info.table_count)
		return cim_fail(err, CIM_E_CORRUPT, "there is no file table %u, the image has %u",
				(unsigned)table, (unsigned)image->info.table_count);
	status = cim_image_read_object(image, image->file_table_directory,
				       (uint64_t)table * sizeof(bytes), bytes, sizeof(bytes), err);
	if (status)
		return status;
	entry->offset = cim_get64(bytes + CIM_OFF(file_table, table));
	entry->count = cim_get16(bytes + CIM_OFF(file_table, count));
	entry->entry_size = cim_get16(bytes + CIM_OFF(file_table, entry_size));
	if (entry->count > CIM_FILES_PER_TABLE)
		return cim_fail(err, CIM_E_CORRUPT, "file table %u says that it has %u files",
				(unsigned)table, entry->count);
	if (entry->count && !entry->entry_size)
		return cim_fail(err, CIM_E_CORRUPT, "file table %u has entries of size 0",
				(unsigned)table);
	return CIM_OK;
}

/* The table that has a record, and the record's number in it. */
static enum cim_status find_record(struct cim_image *image, uint32_t file_id,
				   struct cim_file_table *table, uint32_t *index,
				   struct cim_error *err)
{
	const uint32_t number = (file_id - 1) / CIM_FILES_PER_TABLE;
	enum cim_status status = CIM_OK;

	*table = (struct cim_file_table){0};
	*index = (file_id - 1) % CIM_FILES_PER_TABLE;
	if (!file_id)
		return cim_fail(err, CIM_E_CORRUPT, "0 is not a FileID");
	if (number < image->info.table_count)
		status = cim_image_file_table(image, number, table, err);
	if (status)
		return status;
	if (*index >= table->count)
		return cim_fail(err, CIM_E_CORRUPT, "there is no file with FileID %u",
				(unsigned)file_id);
	return CIM_OK;
}

enum cim_status cim_image_record(struct cim_image *image, uint32_t file_id,
				 struct cim_record *record, struct cim_error *err)
{
	uint8_t bytes[CIM_SIZE(file)];
	struct cim_file_table table;
	uint32_t index;
	size_t size;
	enum cim_status status = find_record(image, file_id, &table, &index, err);

	if (status)
		return status;
	size = table.entry_size < sizeof(bytes) ? table.entry_size : sizeof(bytes);
	status = cim_image_read_object(image, table.offset, (uint64_t)index * table.entry_size,
				       bytes, size, err);
	if (status)
		return status;
	cim_record_decode(record, bytes, size);
	return cim_record_add_base(record, err);
}

enum cim_status cim_image_record_rest(struct cim_image *image, uint32_t file_id, uint64_t *offset,
				      uint32_t *size, struct cim_error *err)
{
	struct cim_file_table table;
	uint32_t index;
	enum cim_status status = find_record(image, file_id, &table, &index, err);

	*size = 0;
	if (status || table.entry_size <= CIM_SIZE(file))
		return status;
	/* The record was read, so it doesn't lead out of its region file. */
	*size = table.entry_size - (uint32_t)CIM_SIZE(file);
	*offset = table.offset + (uint64_t)index * table.entry_size + CIM_SIZE(file);
	return CIM_OK;
}

static enum cim_status load_upcase(struct cim_image *image, uint16_t **upcase,
				   struct cim_error *err)
{
	uint16_t *table = cim_alloc(&image->env, CIM_UPCASE_SIZE);
	enum cim_status status;

	if (!table)
		return cim_no_memory(err);
	status = cim_image_read_raw(image, image->upcase_offset, 0, table, CIM_UPCASE_SIZE, err);
	if (status) {
		cim_free(&image->env, table);
		return status;
	}
	for (size_t i = 0; i < CIM_UPCASE_ENTRIES; i++)
		table[i] = cim_get16((const uint8_t *)(table + i));
	*upcase = table;
	return CIM_OK;
}

enum cim_status cim_image_upcase(struct cim_image *image, const uint16_t **upcase,
				 struct cim_error *err)
{
	uint16_t *table = NULL;
	enum cim_status status;

	cim_image_lock(image);
	*upcase = image->upcase;
	cim_image_unlock(image);
	if (*upcase)
		return CIM_OK;
	status = load_upcase(image, &table, err);
	if (status)
		return status;
	cim_image_lock(image);
	if (!image->upcase) {
		image->upcase = table;
		table = NULL;
	}
	*upcase = image->upcase;
	cim_image_unlock(image);
	cim_free(&image->env, table); /* another thread was faster */
	return CIM_OK;
}

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
	return CIM_OK;
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
	cim_free(&env, image->header);
	cim_free(&env, image->path);
	if (image->lock)
		env.mutex_free(env.thread_ctx, image->lock);
	if (image->owns_dir)
		cim_io_close_dir(&env, image->dir);
	cim_free(&env, image);
}

/* ---- using ---- */

static enum cim_status ask_held(struct cim_image *image, const char *name, struct cim_error *err)
{
	enum cim_vfs_lock lock = CIM_LOCK_NONE;
	enum cim_status status = cim_io_is_locked(&image->env, image->dir, name, &lock, err);

	if (status || lock == CIM_LOCK_NONE)
		return status;
	return cim_fail(err, CIM_E_SHARING, "somebody holds %s", name);
}

/* The name of the file that mark @index stands on: the first of its region set. @sets: of the
 * sources up to it, counted from one call to the next. */
static void name_mark(struct cim_image *image, size_t index, uint32_t *sets, char *name)
{
	if (index)
		*sets += image->sources[index - 1].set_count;
	cim_image_region_name(image, image->sets[(index ? *sets : image->info.set_count) - 1].first,
			      name);
}

static enum cim_status open_marks(struct cim_image *image, struct cim_error *err)
{
	const size_t count = 1 + (image->with_sources ? image->info.source_count : 0);
	char name[CIM_REGION_NAME];
	uint32_t sets = 0;
	enum cim_status status = CIM_OK;

	if (!image->marks)
		image->marks = cim_alloc(&image->env, count * sizeof(*image->marks));
	if (!image->marks)
		return cim_no_memory(err);
	for (size_t i = 0; i < count && !status; i++) {
		name_mark(image, i, &sets, name);
		if (i < image->mark_count)
			continue;
		status = cim_open_beside(image, name, &image->marks[i], err);
		image->mark_count += !status;
	}
	return status;
}

/* All are open before the first is locked, so who waits needs no directory any more. One that can't
 * be locked keeps no other from it. */
static enum cim_status hold_all(struct cim_image *image, bool wait, struct cim_error *err)
{
	char name[CIM_REGION_NAME];
	struct cim_error why;
	uint32_t sets = 0;
	enum cim_status result = open_marks(image, err);

	for (size_t i = 0; i < image->mark_count; i++) {
		enum cim_status status;

		name_mark(image, i, &sets, name);
		status = cim_io_lock(&image->env, image->marks[i], name, CIM_LOCK_SHARED, wait,
				     &why);
		if (!result)
			result = cim_fail_as(err, status, &why);
	}
	return result;
}

enum cim_status cim_image_hold(struct cim_image *image, enum cim_hold how, intptr_t *native,
			       struct cim_error *err)
{
	static const char op[] = "hold image";
	char name[CIM_REGION_NAME];
	enum cim_status status;

	if (native)
		*native = -1;
	if (CIM_ANY_NULL(err, op, image))
		return CIM_E_POINTER;
	cim_image_region_name(image, image->sets[image->info.set_count - 1].first, name);
	if ((unsigned)how > CIM_HOLD_ASK)
		status = cim_fail(err, CIM_E_INVALID, "there is no way %u to hold an image",
				  (unsigned)how);
	else if (how == CIM_HOLD_ASK)
		status = ask_held(image, name, err);
	else
		status = hold_all(image, how == CIM_HOLD_WAIT, err);
	if (native && how != CIM_HOLD_ASK)
		cim_image_mark(image, 0, native);
	return cim_error_where(err, status, op, image->path);
}

bool cim_image_mark(struct cim_image *image, size_t index, intptr_t *native)
{
	const struct cim_vfs *vfs;
	uint64_t none = 0, place;

	if (native)
		*native = -1;
	if (!image || !native || index >= image->mark_count)
		return false;
	vfs = image->env.vfs;
	if (vfs->map)
		*native = vfs->map(vfs->ctx, image->marks[index], 0, &none, &place);
	return true;
}

const struct cim_image_info *cim_image_get_info(struct cim_image *image)
{
	return image ? &image->info : NULL;
}

const struct cim_region_set *cim_image_get_set(struct cim_image *image, uint32_t index)
{
	return image && index < image->info.set_count ? &image->sets[index] : NULL;
}
