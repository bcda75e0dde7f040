/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imageread.c - the way from an offset to bytes, and from a FileID to its record
 *
 * All reading of objects goes through the few functions at the beginning, which refuse an object
 * that begins in a file's header or ends behind the file's end. A FileID leads through the file
 * table directory to a file table and in it to a record.
 */
#include "cache.h"
#include "reader.h"
#include "regions.h"

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
