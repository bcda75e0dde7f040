/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.c - from a path to an item, and from an item to what belongs to it
 *
 * A path is followed component by component: the directory's record, its link table, a binary
 * search by the image's own upcase table, the FileID found there. Nothing is remembered between
 * two look-ups but the cached blocks, and the cost is that of the components, not of the image.
 *
 * An item has, besides its record, up to three pieces of variable metadata ("blobs"), each checked
 * against the region file when it is asked for, and streams, found here and read by data.c.
 */
#include "path.h"
#include "reader.h"
#include "sized.h"

#include <string.h>

/* The code units of a single name: *name is @text's own or @buf. A name that can't be in an image
 * (empty, too long) has *units 0. */
static enum cim_status name_from_str(struct cim_str text, uint16_t *buf, const uint16_t **name,
				     size_t *units, struct cim_error *err)
{
	enum cim_status status;

	*units = 0;
	*name = text.utf16;
	if (text.utf8) {
		*name = buf;
		status = cim_utf16_from_utf8(text.utf8, text.units, buf, CIM_MAX_NAME, units);
		if (status == CIM_E_LIMIT) {
			*units = 0;
			return CIM_OK;
		}
		if (status)
			return cim_fail(err, status, "the name is not valid UTF-8");
		return CIM_OK;
	}
	if (!text.utf16)
		return cim_fail(err, CIM_E_INVALID, "no name was given");
	if (text.units <= CIM_MAX_NAME)
		*units = text.units;
	return CIM_OK;
}

/* Find a name in the directory @dir_id. Missing: CIM_E_FILE_NOT_FOUND. */
static enum cim_status find_in_dir(struct cim_image *image, uint32_t dir_id, const uint16_t *name,
				   size_t units, bool exact, uint32_t *file_id,
				   struct cim_error *err)
{
	struct cim_record record;
	struct cim_link_table table;
	struct cim_link link;
	bool found, hidden = false;
	enum cim_status status;

	status = cim_image_record(image, dir_id, &record, err);
	if (status)
		return status;
	status = cim_link_table_of_dir(image, &record, &table, err);
	if (status)
		return status;
	status = cim_link_table_find(&table, name, units, exact, &link, &found, err);
	if (!status && found)
		status = cim_image_hides_id(image, link.file_id, &hidden, err);
	if (status)
		return status;
	if (!found || hidden)
		return cim_fail(err, CIM_E_FILE_NOT_FOUND, "there is no such name");
	*file_id = link.file_id;
	return CIM_OK;
}

static enum cim_status look_up(struct cim_image *image, const struct cim_path *path,
			       uint32_t *file_id, struct cim_error *err)
{
	const uint16_t *name;
	size_t units, pos = 0, left = path->components;
	uint32_t id = image->info.root_id;

	while (cim_path_next(path, &pos, &name, &units)) {
		enum cim_status status = find_in_dir(image, id, name, units, false, &id, err);

		left--;
		if (status == CIM_E_FILE_NOT_FOUND && left)
			return cim_fail(err, CIM_E_PATH_NOT_FOUND,
					"a directory on the way is missing");
		if (status == CIM_E_PATH_NOT_FOUND)
			return cim_fail(err, CIM_E_PATH_NOT_FOUND,
					"what should be a directory on the way is a file");
		if (status)
			return status;
	}
	*file_id = id;
	return CIM_OK;
}

/* The stream's name in a text that is well-formed: between its first ':' and the second or the end.
 */
static struct cim_str stream_of(struct cim_str text)
{
	size_t begin = 0, end;

#define UNIT(i) (text.utf8 ? (unsigned char)text.utf8[i] : text.utf16[i])
	while (begin < text.units && UNIT(begin) != ':')
		begin++;
	if (begin == text.units)
		return (struct cim_str){0};
	for (end = ++begin; end < text.units && UNIT(end) != ':';)
		end++;
#undef UNIT
	return (struct cim_str){
		.utf8 = text.utf8 ? text.utf8 + begin : NULL,
		.utf16 = text.utf8 ? NULL : text.utf16 + begin,
		.units = end - begin,
	};
}

static enum cim_status parse_and_look_up(struct cim_image *image, struct cim_str text,
					 enum cim_path_rule rule, uint32_t *file_id,
					 struct cim_error *err)
{
	struct cim_path path;
	enum cim_status status;

	status = cim_path_parse(&image->env, text, rule, &path, err);
	if (!status) {
		status = look_up(image, &path, file_id, err);
		cim_path_free(&path);
	}
	if (status)
		cim_error_str(err, text);
	return cim_error_where(err, status, "look up", image->path);
}

enum cim_status cim_image_lookup(struct cim_image *image, struct cim_str text, uint32_t *file_id,
				 struct cim_error *err)
{
	if (file_id)
		*file_id = 0;
	if (CIM_ANY_NULL(err, "look up", image, file_id))
		return CIM_E_POINTER;
	return parse_and_look_up(image, text, CIM_PATH_NO_STREAM, file_id, err);
}

enum cim_status cim_image_lookup_stream(struct cim_image *image, struct cim_str text,
					uint32_t *file_id, struct cim_str *stream,
					struct cim_error *err)
{
	enum cim_status status;

	if (file_id)
		*file_id = 0;
	if (stream)
		*stream = (struct cim_str){0};
	if (CIM_ANY_NULL(err, "look up", image, file_id, stream))
		return CIM_E_POINTER;
	status = parse_and_look_up(image, text, CIM_PATH_STREAM_OR_NONE, file_id, err);
	if (!status)
		*stream = stream_of(text);
	return status;
}

enum cim_status cim_image_lookup_at(struct cim_image *image, uint32_t dir_id, struct cim_str text,
				    bool exact, uint32_t *file_id, struct cim_error *err)
{
	uint16_t buf[CIM_MAX_NAME];
	const uint16_t *name;
	size_t units;
	enum cim_status status;

	if (file_id)
		*file_id = 0;
	if (CIM_ANY_NULL(err, "look up", image, file_id))
		return CIM_E_POINTER;
	status = name_from_str(text, buf, &name, &units, err);
	if (!status)
		status = find_in_dir(image, dir_id, name, units, exact, file_id, err);
	if (status)
		cim_error_str(err, text);
	return cim_error_where(err, status, "look up", image->path);
}

/* ---- what an item has ---- */

static uint32_t attributes_from_record(const struct cim_record *record)
{
	uint32_t attributes = cim_attributes_from_flags(record->flags);

	if (cim_record_is_dir(record))
		attributes |= CIM_ATTR_DIRECTORY;
	if (record->reparse)
		attributes |= CIM_ATTR_REPARSE;
	return attributes ? attributes : CIM_ATTR_NORMAL;
}

void cim_info_from_record(struct cim_file_info *info, uint32_t file_id,
			  const struct cim_record *record, bool marked)
{
	*info = (struct cim_file_info){CIM_SIZED(*info), .file_id = file_id};
	info->parent_id = record->parent_id;
	info->attributes = attributes_from_record(record);
	info->flags = record->flags;
	info->creation_time = (int64_t)record->times[0];
	info->last_write_time = (int64_t)record->times[1];
	info->change_time = (int64_t)record->times[2];
	info->last_access_time = (int64_t)record->times[3];
	info->is_directory = cim_record_is_dir(record);
	info->has_security = record->security != 0;
	info->has_ea = record->ea && record->ea_length;
	info->has_reparse = record->reparse != 0;
	info->has_streams = record->streams != 0;
	if (info->has_ea)
		info->ea_size = record->ea_length;
	if (info->has_reparse)
		info->reparse_tag = record->reparse_tag;
	if (!info->is_directory) {
		info->size = cim_stream_length(record->stream_desc);
		info->is_sparse = record->stream_desc & CIM_STREAM_SPARSE;
		info->is_pe_image = cim_stream_type(record->stream_desc) == CIM_STREAM_PE_IMAGE;
	}
	info->priv[0] = record->stream_offset;
	info->priv[1] = record->stream_desc;
	info->priv[2] = record->security;
	info->priv[3] = record->ea;
	info->priv[4] = record->reparse;
	info->priv[5] = record->streams;
	info->priv[6] = record->base_region;
	if (marked) {
		info->flags &= (uint16_t)~CIM_FLAG_MARKS;
		info->marks = cim_record_marks(record);
	}
}

void cim_record_from_info(struct cim_record *record, const struct cim_file_info *info)
{
	*record = (struct cim_record){
		.stream_offset = info->priv[0],
		.stream_desc = info->priv[1],
		.security = info->priv[2],
		.ea = info->priv[3],
		.ea_length = info->ea_size,
		.reparse = info->priv[4],
		.streams = info->priv[5],
		.base_region = (uint16_t)info->priv[6],
	};
}

enum cim_status cim_image_stat(struct cim_image *image, uint32_t file_id,
			       struct cim_file_info *info, struct cim_error *err)
{
	static const char op[] = "read record";
	static const struct cim_file_info none;
	struct cim_file_info own, *whole;
	struct cim_record record;
	enum cim_status status = CIM_BLANK_SIZED(info, &none, CIM_LEAST_FILE_INFO, err);

	if (CIM_ANY_NULL(err, op, image, info))
		return CIM_E_POINTER;
	if (!status)
		status = cim_image_record(image, file_id, &record, err);
	if (status)
		return cim_error_where(err, status, op, image->path);
	/* In place, if it is of this version: a copy would be a quarter of this call's time. */
	whole = info->struct_size == sizeof(own) ? info : &own;
	cim_info_from_record(whole, file_id, &record, image->marked);
	if (whole == &own)
		cim_give_sized(info, &own, sizeof(own));
	return CIM_OK;
}

/* Where a blob's bytes lie: *size of them at byte *skip of the object *offset. */
static enum cim_status place_of_blob(struct cim_image *image, const struct cim_record *record,
				     enum cim_blob which, uint64_t *offset, size_t *skip,
				     size_t *size, struct cim_error *err)
{
	uint8_t length[2];
	enum cim_status status;

	*skip = 0;
	*size = 0;
	switch (which) {
	case CIM_BLOB_SECURITY:
		*offset = record->security;
		break;
	case CIM_BLOB_REPARSE:
		*offset = record->reparse;
		break;
	case CIM_BLOB_EA:
		*offset = record->ea;
		*size = *offset ? record->ea_length : 0;
		break;
	default:
		return cim_fail(err, CIM_E_INVALID, "there is no metadata of kind %u",
				(unsigned)which);
	}
	if (!*offset)
		return CIM_OK;
	if (which != CIM_BLOB_EA) {
		status = cim_image_read_object(image, *offset, 0, length, sizeof(length), err);
		if (status)
			return status;
		*skip = sizeof(length);
		*size = cim_get16(length);
	}
	if (!*size)
		return CIM_OK;
	return cim_image_check_range(image, *offset, *skip, *size, err);
}

static enum cim_status read_blob(struct cim_image *image, const struct cim_record *record,
				 enum cim_blob which, void *buf, size_t room, size_t *size,
				 struct cim_error *err)
{
	uint64_t offset = 0;
	size_t skip, all;
	enum cim_status status;

	status = place_of_blob(image, record, which, &offset, &skip, &all, err);
	if (status)
		return status;
	*size = all;
	if (!buf || !all)
		return CIM_OK;
	if (all > room)
		return cim_fail(err, CIM_E_LIMIT, "%u bytes don't fit in %llu", (unsigned)all,
				(unsigned long long)room);
	return cim_image_read_object(image, offset, skip, buf, all, err);
}

static enum cim_status place_of_part(struct cim_image *image, const struct cim_record *record,
				     enum cim_part part, struct cim_place *place,
				     struct cim_error *err)
{
	struct cim_link_table table;
	size_t skip, size;
	enum cim_status status;

	if (part == CIM_PART_DATA)
		return cim_stream_place(image, record->stream_offset, record->stream_desc,
					record->base_region, place, err);
	if (part == CIM_PART_STREAMS) {
		status = cim_link_table_of_streams(image, record, &table, err);
		if (!status && table.count)
			*place = (struct cim_place){
				.offset = table.offset, .bytes = table.length, .base = table.base};
		return status;
	}
	status = place_of_blob(image, record, (enum cim_blob)part, &place->offset, &skip, &size,
			       err);
	place->bytes = size;
	return status;
}

enum cim_status cim_file_place(struct cim_image *image, const struct cim_file_info *file,
			       enum cim_part part, struct cim_place *place, struct cim_error *err)
{
	static const char op[] = "find part";
	struct cim_record record;
	enum cim_status status;

	if (place)
		*place = (struct cim_place){0};
	if (CIM_ANY_NULL(err, op, image, file, place))
		return CIM_E_POINTER;
	status = CIM_CHECK_SIZED(file, CIM_LEAST_FILE_INFO, err);
	if (!status) {
		cim_record_from_info(&record, file);
		status = place_of_part(image, &record, part, place, err);
	}
	return cim_error_where(err, status, op, image->path);
}

static enum cim_status find_rest(struct cim_image *image, uint32_t file_id,
				 struct cim_budget *budget, bool *has, struct cim_error *err)
{
	struct cim_place place = {0};
	uint8_t bytes[512];
	uint32_t size;
	enum cim_status status = cim_image_record_rest(image, file_id, &place.offset, &size, err);

	place.bytes = size;
	if (!status && size && budget)
		status = cim_budget_spend(budget, &place, err);
	for (uint32_t at = 0; !status && at < size && !*has; at += sizeof(bytes)) {
		const size_t len = size - at < sizeof(bytes) ? size - at : sizeof(bytes);

		status = cim_image_read_object(image, place.offset, at, bytes, len, err);
		*has = !status && !cim_is_zero(bytes, len);
	}
	return status;
}

enum cim_status cim_file_has_rest(struct cim_image *image, const struct cim_file_info *file,
				  struct cim_budget *budget, bool *has, struct cim_error *err)
{
	static const char op[] = "look behind record";
	enum cim_status status;

	if (has)
		*has = false;
	if (CIM_ANY_NULL(err, op, image, file, has))
		return CIM_E_POINTER;
	status = CIM_CHECK_SIZED(file, CIM_LEAST_FILE_INFO, err);
	if (!status)
		status = find_rest(image, file->file_id, budget, has, err);
	return cim_error_where(err, status, op, image->path);
}

static const char *op_of_blob(enum cim_blob which)
{
	static const char *const ops[] = {
		[CIM_BLOB_SECURITY] = "read security descriptor",
		[CIM_BLOB_EA] = "read extended attributes",
		[CIM_BLOB_REPARSE] = "read reparse data",
	};

	return (unsigned)which < sizeof(ops) / sizeof(ops[0]) ? ops[which] : "read metadata";
}

static enum cim_status get_blob(struct cim_image *image, enum cim_status status,
				const struct cim_record *record, enum cim_blob which, void *buf,
				size_t room, size_t *size, struct cim_error *err)
{
	if (!status)
		status = read_blob(image, record, which, buf, room, size, err);
	if (status && status != CIM_E_LIMIT)
		*size = 0;
	return cim_error_where(err, status, op_of_blob(which), image->path);
}

enum cim_status cim_image_get_blob(struct cim_image *image, uint32_t file_id, enum cim_blob which,
				   void *buf, size_t room, size_t *size, struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	if (size)
		*size = 0;
	if (CIM_ANY_NULL(err, op_of_blob(which), image, size))
		return CIM_E_POINTER;
	status = cim_image_record(image, file_id, &record, err);
	return get_blob(image, status, &record, which, buf, room, size, err);
}

enum cim_status cim_image_get_file_blob(struct cim_image *image, const struct cim_file_info *file,
					enum cim_blob which, void *buf, size_t room, size_t *size,
					struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	if (size)
		*size = 0;
	if (CIM_ANY_NULL(err, op_of_blob(which), image, file, size))
		return CIM_E_POINTER;
	status = CIM_CHECK_SIZED(file, CIM_LEAST_FILE_INFO, err);
	if (!status)
		cim_record_from_info(&record, file);
	return get_blob(image, status, &record, which, buf, room, size, err);
}

static enum cim_status find_stream(struct cim_image *image, const struct cim_record *record,
				   struct cim_str text, struct cim_link *link,
				   struct cim_error *err)
{
	uint16_t buf[CIM_MAX_NAME];
	const uint16_t *name;
	size_t units;
	struct cim_link_table table;
	bool found;
	enum cim_status status;

	status = name_from_str(text, buf, &name, &units, err);
	if (status)
		return status;
	status = cim_link_table_of_streams(image, record, &table, err);
	if (status)
		return status;
	status = cim_link_table_find(&table, name, units, false, link, &found, err);
	if (status)
		return status;
	if (!found)
		return cim_fail(err, CIM_E_FILE_NOT_FOUND, "there is no such stream");
	return CIM_OK;
}

static enum cim_status get_data(struct cim_image *image, const struct cim_record *record,
				struct cim_str stream, struct cim_data *data, struct cim_error *err)
{
	struct cim_link link;
	enum cim_status status;

	if ((stream.utf8 || stream.utf16) && stream.units) {
		status = find_stream(image, record, stream, &link, err);
		if (status)
			return status;
		return cim_data_from_stream(image, link.stream_offset, link.stream_desc, link.base,
					    data, err);
	}
	if (cim_record_is_dir(record))
		return cim_fail(err, CIM_E_ACCESS, "a directory has no data");
	return cim_data_from_stream(image, record->stream_offset, record->stream_desc,
				    record->base_region, data, err);
}

enum cim_status cim_image_get_data(struct cim_image *image, uint32_t file_id, struct cim_str stream,
				   struct cim_data *data, struct cim_error *err)
{
	static const char op[] = "find stream";
	static const struct cim_data none;
	struct cim_data own;
	struct cim_record record;
	enum cim_status status = CIM_BLANK_SIZED(data, &none, CIM_LEAST_DATA, err);

	if (CIM_ANY_NULL(err, op, image, data))
		return CIM_E_POINTER;
	if (!status)
		status = cim_image_record(image, file_id, &record, err);
	if (!status)
		status = get_data(image, &record, stream, &own, err);
	if (!status)
		cim_give_sized(data, &own, sizeof(own));
	return cim_error_where(err, status, op, image->path);
}

enum cim_status cim_image_get_file_data(struct cim_image *image, const struct cim_file_info *file,
					struct cim_str stream, struct cim_data *data,
					struct cim_error *err)
{
	static const char op[] = "find stream";
	static const struct cim_data none;
	struct cim_data own;
	struct cim_record record;
	enum cim_status status = CIM_BLANK_SIZED(data, &none, CIM_LEAST_DATA, err);

	if (CIM_ANY_NULL(err, op, image, file, data))
		return CIM_E_POINTER;
	if (!status)
		status = CIM_CHECK_SIZED(file, CIM_LEAST_FILE_INFO, err);
	if (!status) {
		cim_record_from_info(&record, file);
		status = get_data(image, &record, stream, &own, err);
	}
	if (!status)
		cim_give_sized(data, &own, sizeof(own));
	return cim_error_where(err, status, op, image->path);
}
