/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iter.c - going through a directory's entries, or an item's alternate streams
 *
 * An iterator is a link table and a position in it; the position is all that has to be remembered
 * to go on later, so it serves as a cookie. An entry that can't be read is reported and passed
 * over: the next call goes on behind it.
 */
#include "reader.h"
#include "sized.h"

struct cim_iter {
	struct cim_link_table table;
	uint32_t index;
	struct cim_shown_entry shown;
};

enum cim_status cim_show_entry(struct cim_shown_entry *shown, uint32_t index,
			       struct cim_image *image, struct cim_error *err)
{
	const struct cim_link *link = &shown->link;

	shown->entry = (struct cim_entry){
		.file_id = link->file_id,
		.index = index,
		.name = link->name,
		.units = link->units,
		.utf8 = shown->utf8,
	};
	cim_utf8_from_utf16(link->name, link->units, shown->utf8, sizeof(shown->utf8));
	if (!image)
		return CIM_OK;
	shown->entry.data = &shown->data;
	return cim_data_from_stream(image, link->stream_offset, link->stream_desc, link->base,
				    &shown->data, err);
}

static enum cim_status open_iter(struct cim_image *image, const struct cim_record *record,
				 bool streams, struct cim_iter **result, struct cim_error *err)
{
	struct cim_iter *iter = cim_alloc(&image->env, sizeof(*iter));
	enum cim_status status;

	if (!iter)
		return cim_no_memory(err);
	iter->index = 0;
	if (streams)
		status = cim_link_table_of_streams(image, record, &iter->table, err);
	else
		status = cim_link_table_of_dir(image, record, &iter->table, err);
	if (status)
		cim_free(&image->env, iter);
	else
		*result = iter;
	return status;
}

enum cim_status cim_iter_dir(struct cim_image *image, uint32_t dir_id, struct cim_iter **iter,
			     struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	if (iter)
		*iter = NULL;
	if (CIM_ANY_NULL(err, "open directory", image, iter))
		return CIM_E_POINTER;
	status = cim_image_record(image, dir_id, &record, err);
	if (!status)
		status = open_iter(image, &record, false, iter, err);
	return cim_error_where(err, status, "open directory", image->path);
}

enum cim_status cim_iter_streams(struct cim_image *image, uint32_t file_id, struct cim_iter **iter,
				 struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	if (iter)
		*iter = NULL;
	if (CIM_ANY_NULL(err, "list streams", image, iter))
		return CIM_E_POINTER;
	status = cim_image_record(image, file_id, &record, err);
	if (!status)
		status = open_iter(image, &record, true, iter, err);
	return cim_error_where(err, status, "list streams", image->path);
}

enum cim_status cim_iter_file_streams(struct cim_image *image, const struct cim_file_info *file,
				      struct cim_iter **iter, struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	if (iter)
		*iter = NULL;
	if (CIM_ANY_NULL(err, "list streams", image, file, iter))
		return CIM_E_POINTER;
	status = CIM_CHECK_SIZED(file, CIM_LEAST_FILE_INFO, err);
	if (!status) {
		cim_record_from_info(&record, file);
		status = open_iter(image, &record, true, iter, err);
	}
	return cim_error_where(err, status, "list streams", image->path);
}

enum cim_status cim_iter_next(struct cim_iter *iter, const struct cim_entry **entry,
			      struct cim_error *err)
{
	const bool streams = iter && iter->table.value_size == CIM_LINK_STREAM_SIZE;
	const char *op = streams ? "list streams" : "read directory";
	const struct cim_link_table *table;
	uint32_t index;
	bool hidden = false;
	enum cim_status status;

	if (entry)
		*entry = NULL;
	if (CIM_ANY_NULL(err, op, iter, entry))
		return CIM_E_POINTER;
	table = &iter->table;
	do {
		if (iter->index >= table->count)
			return CIM_OK;
		index = iter->index++;
		status = cim_link_table_get(table, index, &iter->shown.link, err);
		if (!status && !streams)
			status = cim_image_hides_id(table->image, iter->shown.link.file_id, &hidden,
						    err);
	} while (!status && hidden);
	if (!status)
		status = cim_show_entry(&iter->shown, index, streams ? table->image : NULL, err);
	if (status)
		return cim_error_where(err, status, op, table->image->path);
	*entry = &iter->shown.entry;
	return CIM_OK;
}

uint32_t cim_iter_count(const struct cim_iter *iter)
{
	return iter ? iter->table.count : 0;
}

bool cim_iter_place(const struct cim_iter *iter, struct cim_place *place)
{
	if (place)
		*place = (struct cim_place){0};
	if (!iter || !place)
		return false;
	*place = (struct cim_place){.offset = iter->table.offset,
				    .bytes = iter->table.length,
				    .base = iter->table.base};
	return true;
}

void cim_iter_seek(struct cim_iter *iter, uint32_t index)
{
	if (iter)
		iter->index = index < iter->table.count ? index : iter->table.count;
}

void cim_iter_close(struct cim_iter *iter)
{
	if (iter)
		cim_free(&iter->table.image->env, iter);
}
