/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mergerest.c - what records of sources have behind the fields that are known
 *
 * A file table of another version may have longer entries (EntrySize). A merged image doesn't know
 * what the rest means, but keeps it. It costs memory only where it isn't zero.
 */
#include "budget.h"
#include "session.h"

#include <string.h>

static enum cim_status add_rest(struct cim_writer *writer, const struct cim_merge_rest *rest,
				uint32_t id, struct cim_error *err)
{
	struct cim_merge *merge = writer->merge;

	if (!cim_grow(&writer->env, (void **)&merge->rests, &merge->rest_room, merge->rest_count,
		      sizeof(*merge->rests)) ||
	    !cim_hash_table_reserve(&merge->rest_map))
		return cim_no_memory(err);
	cim_hash_table_add(&merge->rest_map, id, (uint32_t)merge->rest_count);
	merge->rests[merge->rest_count++] = *rest;
	return CIM_OK;
}

/* @size bytes at @offset, in code units, of which memory is made. */
static enum cim_status read_rest(struct cim_writer *writer, struct cim_image *image,
				 uint64_t offset, uint32_t size, uint32_t id, struct cim_error *err)
{
	uint16_t *units = cim_zalloc(&writer->env, size + 1);
	const uint8_t *bytes = (const uint8_t *)units;
	struct cim_merge_rest rest = {.entry_size = (uint16_t)(CIM_SIZE(file) + size)};
	enum cim_status status;

	if (!units)
		return cim_no_memory(err);
	status = cim_image_read_object(image, offset, 0, units, size, err);
	while (!status && size && !bytes[size - 1])
		size--;
	rest.size = (uint16_t)size;
	if (!status && size) {
		rest.bytes = cim_ns_keep(&writer->ns, units, (size + 1) / 2);
		status = rest.bytes ? add_rest(writer, &rest, id, err) : cim_no_memory(err);
	}
	cim_free(&writer->env, units);
	return status;
}

enum cim_status cim_merge_keep_rest(struct cim_writer *writer, struct cim_image *image,
				    struct cim_budget *budget, uint32_t file_id, uint32_t id,
				    struct cim_error *err)
{
	struct cim_place place = {0};
	uint32_t size;
	enum cim_status status = cim_image_record_rest(image, file_id, &place.offset, &size, err);

	if (status || !size)
		return status;
	place.bytes = size;
	status = cim_budget_spend(budget, &place, err);
	return status ? status : read_rest(writer, image, place.offset, size, id, err);
}

/* A file that the session still has. */
static const struct cim_merge_rest *rest_of(const struct cim_writer *writer, uint32_t id)
{
	const struct cim_merge *merge = writer->merge;
	uint32_t number;

	if (!merge || !cim_ns_new_at(&writer->ns, id)->links ||
	    !cim_hash_table_get(&merge->rest_map, id, &number))
		return NULL;
	return &merge->rests[number];
}

uint32_t cim_merge_entry_size(const struct cim_writer *writer, uint64_t first, uint64_t end)
{
	uint32_t size = CIM_SIZE(file);

	if (!writer->merge || !writer->merge->rest_count)
		return size;
	for (uint64_t id = first; id < end; id++) {
		const struct cim_merge_rest *rest = rest_of(writer, (uint32_t)id);

		if (rest && rest->entry_size > size)
			size = rest->entry_size;
	}
	return size;
}

/* One record makes its table's entries long, also those of other records. */
enum cim_status cim_merge_check_rests(const struct cim_writer *writer, struct cim_error *err)
{
	const struct cim_merge *merge = writer->merge;
	const uint64_t next_id = writer->ns.next_id;
	uint64_t room = CIM_BUDGET_FREE, padding = 0;

	if (!merge || !merge->rest_count)
		return CIM_OK;
	for (size_t i = 0; i < merge->rest_count; i++)
		room += merge->rests[i].entry_size;
	for (uint64_t id = 1, end; id < next_id; id = end) {
		end = id + CIM_FILES_PER_TABLE < next_id ? id + CIM_FILES_PER_TABLE : next_id;
		room += (end - id) * CIM_SIZE(file);
		padding += (end - id) * (cim_merge_entry_size(writer, id, end) - CIM_SIZE(file));
	}
	if (padding <= room)
		return CIM_OK;
	return cim_fail(err, CIM_E_CORRUPT,
			"long records of the sources would make all others far too long");
}

void cim_merge_put_rest(const struct cim_writer *writer, uint32_t id, uint8_t *entry)
{
	const struct cim_merge_rest *rest = rest_of(writer, id);

	if (rest)
		memcpy(entry + CIM_SIZE(file), rest->bytes, rest->size);
}
