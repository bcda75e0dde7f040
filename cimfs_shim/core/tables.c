/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tables.c - the first half of a commit: what the session changed becomes tables
 *
 * Behind the data the metadata region gets, in this order: the stream tables of items whose
 * streams were touched, the link tables of directories whose names changed, the file tables that
 * hold a changed or new record (whole: that is the format's grain), the file table directory and
 * the filesystem object. What didn't change stays where the base has it and is referred to there.
 * A commit that is tried again begins here anew, at the same place of the region.
 */
#include "collate.h"
#include "sort.h"
#include "session.h"

#include <string.h>

/* ---- progress ---- */

struct steps {
	struct cim_writer *writer;
	uint64_t done, total;
};

static enum cim_status step(struct steps *steps, struct cim_error *err)
{
	struct cim_env *env = &steps->writer->env;
	struct cim_progress progress = {CIM_PHASE_COMMIT, ++steps->done, steps->total};

	if (!env->progress || (steps->done % 256 && steps->done != steps->total))
		return CIM_OK;
	if (env->progress(env->progress_ctx, &progress))
		return cim_fail(err, CIM_E_ABORTED, "stopped by the caller");
	return CIM_OK;
}

/* ---- link tables ---- */

/* One row of a link table to be written: a FileID, or a Stream. */
struct row {
	const uint16_t *name;
	uint32_t units;
	uint32_t file_id;
	uint64_t stream_offset;
	uint64_t stream_desc;
};

static void put_value(uint8_t *p, const struct row *row, uint32_t value_size)
{
	if (value_size == CIM_LINK_FILE_SIZE) {
		cim_put32(p, row->file_id);
	} else {
		cim_put64(p, row->stream_offset);
		cim_put64(p + CIM_OFF(stream, desc), row->stream_desc);
	}
}

static void put_name(uint8_t *p, const struct row *row)
{
	cim_put16(p, (uint16_t)row->units);
	for (uint32_t i = 0; i < row->units; i++)
		cim_put16(p + 2 + 2 * i, row->name[i]);
}

enum cim_status cim_link_table_size(uint64_t count, uint32_t value_size, uint64_t name_units,
				    uint64_t *size, struct cim_error *err)
{
	uint64_t values, names;

	/* For each row a value and the offset of its name; a name is its length and its units. */
	if (!cim_ckd_mul64(&values, count, value_size + CIM_NAME_OFFSET_SIZE) ||
	    !cim_ckd_add64(&names, name_units, count) || !cim_ckd_mul64(&names, names, 2) ||
	    !cim_ckd_add64(size, values, names) ||
	    !cim_ckd_add64(size, *size, CIM_SIZE(link_table)) || *size > UINT32_MAX ||
	    *size > SIZE_MAX)
		return cim_fail(err, CIM_E_LIMIT, "a directory would pass the format's 4 GiB");
	return CIM_OK;
}

/* Write sorted rows as a link table. */
static enum cim_status write_link_table(struct cim_writer *writer, const struct row *rows,
					size_t count, uint32_t value_size, uint64_t *offset,
					uint64_t *length, struct cim_error *err)
{
	uint64_t size, names, name_units = 0;
	uint8_t *table;
	enum cim_status status;

	for (size_t i = 0; i < count; i++) /* at most 255 each: can't overflow */
		name_units += rows[i].units;
	status = cim_link_table_size(count, value_size, name_units, &size, err);
	if (status)
		return status;
	names = cim_link_names(count, value_size);
	table = cim_alloc(&writer->env, (size_t)size);
	if (!table)
		return cim_no_memory(err);
	cim_put32(table, (uint32_t)size);
	cim_put32(table + CIM_OFF(link_table, count), (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		uint8_t *values = table + CIM_SIZE(link_table);

		put_value(values + i * value_size, &rows[i], value_size);
		cim_put32(values + count * value_size + 4 * i, (uint32_t)names);
		put_name(table + names, &rows[i]);
		names += 2 + 2 * rows[i].units;
	}
	assert(names == size);
	status = cim_objects_put(&writer->objects, table, (size_t)size, offset, err);
	cim_free(&writer->env, table);
	*length = size;
	return status;
}

static int compare_rows(const void *a, const void *b, const void *ctx)
{
	const struct row *x = a, *y = b;

	return cim_name_compare(ctx, x->name, x->units, y->name, y->units);
}

/* The rows of a directory: the overlay's, and the base's that the overlay says nothing about. */
struct rows {
	struct row *rows;
	size_t count;
	uint16_t *base_names;
};

static void free_rows(struct cim_writer *writer, struct rows *rows)
{
	cim_free(&writer->env, rows->rows);
	cim_free(&writer->env, rows->base_names);
}

static enum cim_status add_base_rows(struct cim_writer *writer, uint32_t number, struct rows *rows,
				     struct cim_error *err)
{
	const struct cim_link_table *table = &writer->ns.nodes[number].base_table;
	struct cim_link link;
	size_t used = 0, room = table->length / sizeof(link.name[0]);
	enum cim_status status;

	/* Names can't be longer than their number allows, nor than the table says; they may overlap
	 * in a hostile one, hence the room is checked as well. */
	if (room > (uint64_t)table->count * CIM_MAX_NAME)
		room = (size_t)table->count * CIM_MAX_NAME;
	rows->base_names = cim_alloc(&writer->env, room * sizeof(link.name[0]));
	if (!rows->base_names)
		return cim_no_memory(err);
	for (uint32_t i = 0; i < table->count; i++) {
		struct row *row = &rows->rows[rows->count];

		status = cim_link_table_get(table, i, &link, err);
		if (status)
			return status;
		if (cim_ns_entry(&writer->ns, number, link.name, link.units))
			continue;
		/* It would come to name one of the session's own files. */
		if (!link.file_id || cim_ns_is_new(&writer->ns, link.file_id))
			return cim_fail(err, CIM_E_CORRUPT,
					"a directory names FileID %u, which isn't there",
					(unsigned)link.file_id);
		if (link.units > room - used)
			return cim_fail(err, CIM_E_CORRUPT, "names of a directory overlap");
		memcpy(rows->base_names + used, link.name, link.units * sizeof(link.name[0]));
		row->name = rows->base_names + used;
		row->units = (uint32_t)link.units;
		row->file_id = link.file_id;
		used += link.units;
		rows->count++;
	}
	return CIM_OK;
}

static enum cim_status collect_rows(struct cim_writer *writer, uint32_t number, struct rows *rows,
				    struct cim_error *err)
{
	const struct cim_ns_node *node = &writer->ns.nodes[number];
	const struct cim_ns_entry *entries = writer->ns.entries;
	uint64_t room = (uint64_t)node->entry_count +
			(node->has_base ? node->base_table.count : 0) + 1;
	size_t bytes, at;
	enum cim_status status = CIM_OK;

	memset(rows, 0, sizeof(*rows));
	if (room > SIZE_MAX || !cim_ckd_mul_size(&bytes, (size_t)room, sizeof(*rows->rows)))
		return cim_no_memory(err);
	rows->rows = cim_zalloc(&writer->env, bytes);
	if (!rows->rows)
		return cim_no_memory(err);
	/* The list runs from the last entry to the first; callers often add in sorted order. */
	for (uint32_t i = node->first_entry; i != UINT32_MAX; i = entries[i].next_in_node)
		rows->count += entries[i].file_id != 0;
	at = rows->count;
	for (uint32_t i = node->first_entry; i != UINT32_MAX; i = entries[i].next_in_node) {
		if (!entries[i].file_id)
			continue;
		at--;
		rows->rows[at].name = entries[i].name;
		rows->rows[at].units = entries[i].units;
		rows->rows[at].file_id = cim_merge_entry(writer, entries[i].file_id);
	}
	if (node->has_base)
		status = add_base_rows(writer, number, rows, err);
	if (!status && !cim_sort(&writer->env, rows->rows, rows->count, sizeof(*rows->rows),
				 compare_rows, writer->ns.upcase))
		status = cim_no_memory(err);
	for (size_t i = 1; !status && i < rows->count; i++)
		if (!compare_rows(&rows->rows[i - 1], &rows->rows[i], writer->ns.upcase))
			status = cim_fail(err, CIM_E_CORRUPT,
					  "a directory of the existing image has one name twice");
	return status;
}

static enum cim_status write_directory(struct cim_writer *writer, uint32_t number,
				       struct cim_error *err)
{
	struct cim_ns_file *file;
	uint64_t offset = 0, length = 0;
	struct rows rows;
	enum cim_status status;

	status = collect_rows(writer, number, &rows, err);
	if (!status && rows.count)
		status = write_link_table(writer, rows.rows, rows.count, CIM_LINK_FILE_SIZE,
					  &offset, &length, err);
	free_rows(writer, &rows);
	if (!status)
		status = cim_ns_change(&writer->ns, writer->ns.nodes[number].file_id, &file, err);
	if (status)
		return status;
	file->record.stream_offset = offset;
	file->record.stream_desc = cim_stream_desc(length, CIM_STREAM_LINK_TABLE);
	return CIM_OK;
}

/* ---- records with a BaseRegionIndex ----
 *
 * In memory what they lead to counts from region 0 already (cim_record_add_base()), and so it is
 * written, with index 0, once such a record is changed: what a session stores, or finds stored,
 * may lie below the index. With it go what counts from the index in turn, the stream table and the
 * descriptors of PE images. Records that are not changed stay as they are.
 */

/* Write a copy of a PE image's descriptor whose data count from region 0. */
static enum cim_status flatten_pe(struct cim_writer *writer, uint16_t base, uint64_t *offset,
				  struct cim_error *err)
{
	uint8_t head[CIM_SIZE(pe_image)], *bytes;
	uint64_t data;
	size_t size;
	enum cim_status status;

	status = cim_image_read_raw(writer->base, *offset, 0, head, sizeof(head), err);
	if (status)
		return status;
	size = sizeof(head) +
	       (size_t)cim_get16(head + CIM_OFF(pe_image, mapping_count)) * CIM_SIZE(pe_mapping);
	bytes = cim_alloc(&writer->env, size);
	if (!bytes)
		return cim_no_memory(err);
	status = cim_image_read_raw(writer->base, *offset, 0, bytes, size, err);
	if (!status)
		status = cim_image_reach_pe_data(writer->base, *offset, head, base, &data, err);
	if (!status) {
		memcpy(bytes, head, sizeof(head)); /* of which the size was taken */
		cim_put64(bytes + CIM_OFF(pe_image, data), data);
		status = cim_objects_put(&writer->objects, bytes, size, offset, err);
	}
	cim_free(&writer->env, bytes);
	return status;
}

/* The same for a stream of an item with that index, if it is one of a PE image: only the base's
 * are. */
static enum cim_status flatten_stream(struct cim_writer *writer, uint16_t base, uint64_t desc,
				      uint64_t *offset, struct cim_error *err)
{
	if (!base || cim_stream_type(desc) != CIM_STREAM_PE_IMAGE || !cim_stream_length(desc))
		return CIM_OK;
	return flatten_pe(writer, base, offset, err);
}

/* Is a stream list to be written: changed, and its item still part of the image? */
static bool streams_count(const struct cim_namespace *ns, const struct cim_ns_streams *list)
{
	return list->dirty &&
	       (!cim_ns_is_new(ns, list->file_id) || cim_ns_new_at(ns, list->file_id)->links != 0);
}

static enum cim_status write_streams(struct cim_writer *writer, const struct cim_ns_streams *list,
				     struct cim_error *err)
{
	uint64_t offset = 0, length;
	struct cim_record record;
	struct cim_ns_file *file;
	struct row *rows;
	enum cim_status status = cim_ns_read(&writer->ns, list->file_id, &record, err);

	if (!status && list->count) {
		size_t bytes;

		if (!cim_ckd_mul_size(&bytes, list->count, sizeof(*rows)))
			return cim_no_memory(err);
		rows = cim_zalloc(&writer->env, bytes);
		if (!rows)
			return cim_no_memory(err);
		for (uint32_t i = 0; !status && i < list->count; i++) {
			rows[i].name = list->streams[i].name;
			rows[i].units = list->streams[i].units;
			rows[i].stream_offset = list->streams[i].offset;
			rows[i].stream_desc = list->streams[i].desc;
			status = flatten_stream(writer, record.base_region, rows[i].stream_desc,
						&rows[i].stream_offset, err);
			rows[i].stream_offset = cim_merge_offset(writer->merge, record.base_region,
								 rows[i].stream_offset);
		}
		if (!status)
			status = write_link_table(writer, rows, list->count, CIM_LINK_STREAM_SIZE,
						  &offset, &length, err);
		cim_free(&writer->env, rows);
	}
	if (!status)
		status = cim_ns_change(&writer->ns, list->file_id, &file, err);
	if (!status)
		file->record.streams = offset;
	return status;
}

/* The stream tables of changed records that would count from an index that is theirs no more. */
static enum cim_status flatten_streams(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_namespace *ns = &writer->ns;
	uint32_t list;
	enum cim_status status = CIM_OK;

	for (size_t i = 0; !status && i < ns->changed_count; i++) {
		if (!ns->changed[i].record.base_region || !ns->changed[i].record.streams)
			continue;
		status = cim_ns_get_streams(ns, ns->changed_ids[i], &list, err);
		if (status || ns->streams[list].dirty)
			continue; /* written already */
		ns->streams[list].dirty = true;
		status = write_streams(writer, &ns->streams[list], err);
	}
	return status;
}

/* ---- file tables ---- */

struct table_writer {
	struct cim_writer *writer;
	uint32_t *changed; /* indices into ns.changed, sorted by FileID */
	size_t changed_at;
	uint8_t *directory; /* the file table directory being made */
	uint32_t tables;
	struct steps *steps;
	bool has_parents;	       /* the base has been walked for them: */
	struct cim_hash_table parents; /* by FileID: one less than that of the directory */
};

static int compare_changed(const void *a, const void *b, const void *ctx)
{
	const uint32_t *ids = ctx;
	uint32_t x = ids[*(const uint32_t *)a], y = ids[*(const uint32_t *)b];

	return x < y ? -1 : x > y;
}

static uint32_t table_of(uint64_t id)
{
	return (uint32_t)((id - 1) / CIM_FILES_PER_TABLE);
}

/* A file table to be written. */
struct out_table {
	uint32_t number;
	uint32_t count, stride;	    /* records, and the size of each, 96 at least */
	uint64_t first, end;	    /* FileIDs: of its first record, behind its last in the image */
	struct cim_file_table base; /* what it is in the base; all 0 if it is new */
	uint8_t *bytes;
};

static enum cim_status measure_table(struct table_writer *tw, struct out_table *out,
				     struct cim_error *err)
{
	const struct cim_namespace *ns = &tw->writer->ns;
	const struct cim_file_table *base = &out->base;
	struct cim_image *image = tw->writer->base;
	enum cim_status status = CIM_OK;

	if (image && out->number < image->info.table_count)
		status = cim_image_file_table(image, out->number, &out->base, err);
	if (status)
		return status;
	out->stride = base->entry_size > CIM_SIZE(file) ? base->entry_size : CIM_SIZE(file);
	out->first = (uint64_t)out->number * CIM_FILES_PER_TABLE + 1;
	out->end = out->first + CIM_FILES_PER_TABLE;
	if (out->end > ns->next_id)
		out->end = ns->next_id;
	if (!image)
		out->stride = cim_merge_entry_size(tw->writer, out->first, out->end);
	/* Only the table where the new IDs begin or go on grows. */
	out->count = base->count;
	if (out->end > ns->first_new_id && out->end > out->first)
		out->count = (uint32_t)(out->end - out->first);
	/* The base was read before; it may be another file's bytes by now. */
	if (out->count < base->count)
		return cim_fail(err, CIM_E_CORRUPT, "file table %u has grown",
				(unsigned)out->number);
	if (!base->count)
		return CIM_OK;
	return cim_image_check_range(image, base->offset, 0,
				     (uint64_t)base->count * base->entry_size, err);
}

/* The base's table as it is, spread to the stride. */
static enum cim_status load_table(struct table_writer *tw, struct out_table *out,
				  struct cim_error *err)
{
	const uint32_t size = out->base.entry_size, stride = out->stride;
	enum cim_status status;

	if (!out->base.count)
		return CIM_OK;
	status = cim_image_read_raw(tw->writer->base, out->base.offset, 0, out->bytes,
				    (size_t)out->base.count * size, err);
	for (uint32_t i = out->base.count; !status && size < stride && i-- > 0;) {
		uint8_t *entry = out->bytes + (size_t)i * stride;

		memmove(entry, out->bytes + (size_t)i * size, size);
		memset(entry + size, 0, stride - size);
		if (size < CIM_OFF(file, parent_id) + 4)
			cim_put32(entry + CIM_OFF(file, parent_id), 0);
	}
	return status;
}

static void put_record(const struct out_table *out, uint64_t id, const struct cim_record *record)
{
	cim_record_encode(out->bytes + (id - out->first) * out->stride, record);
}

/* The records that changed, and the new ones. */
static enum cim_status put_records(struct table_writer *tw, const struct out_table *out,
				   struct cim_error *err)
{
	const struct cim_namespace *ns = &tw->writer->ns;
	uint64_t id = out->first > ns->first_new_id ? out->first : ns->first_new_id;
	struct cim_record record;
	enum cim_status status;

	for (; tw->changed_at < ns->changed_count; tw->changed_at++) {
		const uint32_t i = tw->changed[tw->changed_at], changed = ns->changed_ids[i];

		if (table_of(changed) != out->number)
			break;
		if (changed - out->first >= out->count)
			return cim_fail(err, CIM_E_CORRUPT, "file table %u has shrunk",
					(unsigned)out->number);
		record = ns->changed[i].record;
		status = flatten_stream(tw->writer, record.base_region, record.stream_desc,
					&record.stream_offset, err);
		if (status)
			return status;
		record.base_region = 0;
		put_record(out, changed, &record);
	}
	for (; id < out->end; id++) {
		record = cim_ns_new_at(ns, (uint32_t)id)->record;
		cim_merge_finish(tw->writer, (uint32_t)id, &record);
		put_record(out, id, &record);
		cim_merge_put_rest(tw->writer, (uint32_t)id,
				   out->bytes + (id - out->first) * out->stride);
	}
	return CIM_OK;
}

/* The table where the new records begin; the image's table count if there are none. */
static uint32_t first_new_table(const struct table_writer *tw)
{
	const struct cim_namespace *ns = &tw->writer->ns;

	return ns->next_id > ns->first_new_id ? table_of(ns->first_new_id) : tw->tables;
}

/* ---- parents that the base doesn't store ----
 *
 * A short entry has no room for the parent's FileID, a whole one must have it. Which directory an
 * item is in is told by that directory alone, so the base is walked, once, and what it says of the
 * records that are to be written is kept.
 */

static bool lacks_parent(const uint8_t *entry)
{
	return !cim_get32(entry + CIM_OFF(file, parent_id));
}

/* A cleared record is a file's. */
static bool is_dir_entry(const uint8_t *entry)
{
	return cim_stream_type(cim_get64(entry + CIM_OFF(file, stream) + CIM_OFF(stream, desc))) ==
	       CIM_STREAM_LINK_TABLE;
}

/* Is there a record of the base without one, which should have it? */
static bool wants_parents(const struct out_table *out)
{
	if (out->base.count && out->base.entry_size < CIM_OFF(file, parent_id) + 4)
		return true;
	for (uint32_t i = 0; i < out->base.count; i++) {
		const uint8_t *entry = out->bytes + (size_t)i * out->stride;

		if (is_dir_entry(entry) && lacks_parent(entry))
			return true;
	}
	return false;
}

/* Is the table of this FileID one of those that are written? */
static bool is_written(const struct table_writer *tw, uint32_t id)
{
	const struct cim_namespace *ns = &tw->writer->ns;
	size_t low = 0, high = ns->changed_count;

	if (table_of(id) >= first_new_table(tw))
		return true;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const uint32_t table = table_of(ns->changed_ids[tw->changed[middle]]);

		if (table == table_of(id))
			return true;
		if (table < table_of(id))
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static enum cim_status note_parent(struct table_writer *tw, const struct cim_walk_item *item,
				   struct cim_error *err)
{
	const uint32_t id = item->info->file_id;
	uint32_t known;

	if (item->info->parent_id || !is_written(tw, id) ||
	    cim_hash_table_get(&tw->parents, id, &known))
		return CIM_OK;
	if (!cim_hash_table_reserve(&tw->parents))
		return cim_no_memory(err);
	cim_hash_table_add(&tw->parents, id, (item->depth ? item->dir_id : id) - 1);
	return CIM_OK;
}

static enum cim_status find_parents(struct table_writer *tw, struct cim_error *err)
{
	struct cim_walk *walk;
	const struct cim_walk_item *item;
	enum cim_status status;

	if (tw->has_parents)
		return CIM_OK;
	status = cim_walk_open(tw->writer->base, tw->writer->ns.root_id, &walk, err);
	if (status)
		return status;
	for (;;) {
		status = cim_walk_next(walk, &item, err);
		if (status == CIM_E_CORRUPT)
			continue; /* what is behind it may be sound */
		if (!status && item)
			status = note_parent(tw, item, err);
		if (status || !item)
			break;
	}
	cim_walk_close(walk);
	tw->has_parents = true;
	return status;
}

static enum cim_status put_parents(struct table_writer *tw, const struct out_table *out,
				   struct cim_error *err)
{
	enum cim_status status;

	if (!wants_parents(out))
		return CIM_OK;
	status = find_parents(tw, err);
	for (uint32_t i = 0; !status && i < out->base.count; i++) {
		uint8_t *entry = out->bytes + (size_t)i * out->stride;
		uint32_t before;

		if (lacks_parent(entry) &&
		    cim_hash_table_get(&tw->parents, (uint32_t)out->first + i, &before))
			cim_put32(entry + CIM_OFF(file, parent_id), before + 1);
	}
	return status;
}

/* ---- writing file tables ---- */

/* Write table @number with its changed and new records. */
static enum cim_status write_table(struct table_writer *tw, uint32_t number, struct cim_error *err)
{
	const struct cim_env *env = &tw->writer->env;
	struct out_table out = {.number = number};
	uint64_t offset;
	uint8_t *entry = tw->directory + (size_t)number * CIM_SIZE(file_table);
	enum cim_status status;

	/* Before memory is taken for what the table says of itself. */
	status = measure_table(tw, &out, err);
	if (status)
		return status;
	out.bytes = cim_zalloc(env, (size_t)out.count * out.stride);
	if (!out.bytes)
		return cim_no_memory(err);
	status = load_table(tw, &out, err);
	if (!status)
		status = put_records(tw, &out, err);
	if (!status)
		status = put_parents(tw, &out, err);
	if (!status)
		status = cim_objects_put(&tw->writer->objects, out.bytes,
					 (size_t)out.count * out.stride, &offset, err);
	cim_free(env, out.bytes);
	if (status)
		return status;
	memset(entry, 0, CIM_SIZE(file_table));
	cim_put64(entry, cim_merge_offset(tw->writer->merge, 0, offset));
	cim_put16(entry + CIM_OFF(file_table, count), (uint16_t)out.count);
	cim_put16(entry + CIM_OFF(file_table, entry_size), (uint16_t)out.stride);
	return step(tw->steps, err);
}

/* Now that all changes are known: how many tables will be written? */
static uint32_t count_tables(const struct table_writer *tw)
{
	const struct cim_namespace *ns = &tw->writer->ns;
	uint32_t new_from = first_new_table(tw), count = tw->tables - new_from, last = new_from;

	for (size_t i = 0; i < ns->changed_count; i++) {
		uint32_t t = table_of(ns->changed_ids[tw->changed[i]]);

		if (t >= new_from)
			break;
		count += t != last;
		last = t;
	}
	return count;
}

/* All tables that hold a changed record, then those with new ones. */
static enum cim_status write_changed_tables(struct table_writer *tw, struct cim_error *err)
{
	struct cim_namespace *ns = &tw->writer->ns;
	uint32_t new_from = first_new_table(tw);
	enum cim_status status = CIM_OK;

	while (!status && tw->changed_at < ns->changed_count) {
		uint32_t t = table_of(ns->changed_ids[tw->changed[tw->changed_at]]);

		if (t >= new_from)
			break;
		status = write_table(tw, t, err);
	}
	for (uint32_t t = new_from; !status && t < tw->tables; t++)
		status = write_table(tw, t, err);
	return status;
}

static enum cim_status open_tables(struct table_writer *tw, struct cim_error *err)
{
	struct cim_writer *writer = tw->writer;
	struct cim_namespace *ns = &writer->ns;
	uint32_t base_tables = writer->base ? writer->base->info.table_count : 0;
	uint32_t tables = ns->next_id > 1 ? table_of(ns->next_id - 1) + 1 : 0;
	size_t bytes;

	tw->tables = tables > base_tables ? tables : base_tables;
	if (!cim_ckd_mul_size(&bytes, tw->tables, CIM_SIZE(file_table)))
		return cim_no_memory(err);
	tw->directory = cim_zalloc(&writer->env, bytes + 1);
	tw->changed = cim_alloc(&writer->env, (ns->changed_count + 1) * sizeof(*tw->changed));
	if (!tw->directory || !tw->changed)
		return cim_no_memory(err);
	for (uint32_t i = 0; i < ns->changed_count; i++)
		tw->changed[i] = i;
	if (!cim_sort(&writer->env, tw->changed, ns->changed_count, sizeof(*tw->changed),
		      compare_changed, ns->changed_ids))
		return cim_no_memory(err);
	if (!base_tables)
		return CIM_OK;
	return cim_image_read_raw(writer->base, writer->base->file_table_directory, 0,
				  tw->directory, (size_t)base_tables * CIM_SIZE(file_table), err);
}

static enum cim_status write_file_tables(struct cim_writer *writer, struct steps *steps,
					 uint64_t *directory, uint32_t *tables,
					 struct cim_error *err)
{
	struct table_writer tw = {.writer = writer, .steps = steps};
	enum cim_status status;

	cim_hash_table_init(&tw.parents, &writer->env);
	status = open_tables(&tw, err);
	if (!status) {
		steps->total = steps->done + count_tables(&tw);
		status = write_changed_tables(&tw, err);
	}
	if (!status)
		status = cim_objects_put(&writer->objects, tw.directory,
					 (size_t)tw.tables * CIM_SIZE(file_table), directory, err);
	*tables = tw.tables;
	cim_free(&writer->env, tw.directory);
	cim_free(&writer->env, tw.changed);
	cim_hash_table_free(&tw.parents);
	return status;
}

/* ---- the whole ---- */

/* Records of the base point into tables that a commit wrote. The commit failed and its tables are
 * cut off: they point to the base's again, until the next attempt. */
enum cim_status cim_unwrite_tables(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_namespace *ns = &writer->ns;
	struct cim_record base;
	enum cim_status status = CIM_OK;

	for (size_t i = 0; i < ns->changed_count && !status; i++) {
		struct cim_record *record = &ns->changed[i].record;

		status = cim_image_record(writer->base, ns->changed_ids[i], &base, err);
		if (status)
			break;
		/* Neither is changed by anything but tables: a new file has a new record. */
		record->stream_offset = base.stream_offset;
		record->stream_desc = base.stream_desc;
		record->streams = base.streams;
	}
	return status;
}

enum cim_status cim_write_tables(struct cim_writer *writer, uint64_t *filesystem,
				 struct cim_error *err)
{
	struct cim_namespace *ns = &writer->ns;
	struct steps steps = {.writer = writer};
	uint8_t bytes[CIM_SIZE(filesystem)] = {0};
	uint64_t directory;
	uint32_t tables;
	enum cim_status status = CIM_OK;

	/* How many file tables of the base will change isn't known yet: at least the root's. */
	steps.total = ns->streams_count + ns->node_count + ns->new_block_count + 1;
	for (uint32_t i = 0; i < ns->streams_count && !status; i++) {
		if (streams_count(ns, &ns->streams[i]))
			status = write_streams(writer, &ns->streams[i], err);
		if (!status)
			status = step(&steps, err);
	}
	for (uint32_t i = 0; i < ns->node_count && !status; i++) {
		if (ns->nodes[i].file_id && ns->nodes[i].dirty)
			status = write_directory(writer, i, err);
		if (!status)
			status = step(&steps, err);
	}
	if (!status)
		status = flatten_streams(writer, err);
	if (!status)
		status = write_file_tables(writer, &steps, &directory, &tables, err);
	if (status)
		return status;
	cim_put64(bytes, cim_merge_offset(writer->merge, 0, writer->upcase_offset));
	cim_put64(bytes + CIM_OFF(filesystem, file_table_directory),
		  cim_merge_offset(writer->merge, 0, directory));
	cim_put32(bytes + CIM_OFF(filesystem, file_table_count), tables);
	cim_put32(bytes + CIM_OFF(filesystem, root_id), ns->root_id);
	return cim_objects_put(&writer->objects, bytes, sizeof(bytes), filesystem, err);
}
