/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sessionmarks.c - the calls that leave a mark for whoever merges images: tombstone, merge link
 *
 * A mark is an item with flags of its own (container.md 2), which the session's other calls don't
 * see. It may stand where the image has no directory: those on the way are made, bare.
 */
#include "budget.h"
#include "metavalid.h"
#include "path.h"
#include "session.h"

/* ---- flags that had no meaning so far ---- */

static enum cim_status check_flags(const struct cim_record *record, struct cim_error *err)
{
	if (!(record->flags & CIM_FLAG_MARKS))
		return CIM_OK;
	return cim_fail(err, CIM_E_UNSUPPORTED,
			"the image has items with the unknown flags 0x%x, which would come to be "
			"marks",
			(unsigned)(record->flags & CIM_FLAG_MARKS));
}

static enum cim_status check_table(struct cim_image *image, uint32_t number,
				   struct cim_budget *budget, struct cim_error *err)
{
	struct cim_file_table table;
	struct cim_record record;
	enum cim_status status = cim_image_file_table(image, number, &table, err);

	if (!status) {
		const struct cim_place place = {.offset = table.offset,
						.bytes = (uint64_t)table.count * table.entry_size};

		status = cim_budget_spend(budget, &place, err);
	}
	for (uint32_t i = 0; !status && i < table.count; i++) {
		status = cim_image_record(image, number * CIM_FILES_PER_TABLE + i + 1, &record,
					  err);
		if (!status)
			status = check_flags(&record, err);
	}
	return status;
}

static enum cim_status check_base(struct cim_image *base, struct cim_error *err)
{
	struct cim_budget *budget;
	enum cim_status status = cim_budget_open(base, &budget, err);

	for (uint32_t t = 0; !status && t < base->info.table_count; t++)
		status = check_table(base, t, budget, err);
	cim_budget_close(budget);
	return status;
}

enum cim_status cim_session_begin_marks(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_namespace *ns = &writer->ns;
	enum cim_status status = CIM_OK;

	if (ns->marked)
		return CIM_OK;
	if (writer->base)
		status = check_base(writer->base, err);
	/* Only this session's flags can differ from the base's that were just looked at. */
	for (uint64_t id = ns->first_new_id; !status && id < ns->next_id; id++)
		status = check_flags(&cim_ns_new_at(ns, (uint32_t)id)->record, err);
	for (size_t i = 0; !status && i < ns->changed_count; i++)
		status = check_flags(&ns->changed[i].record, err);
	ns->marked = !status;
	return status;
}

/* ---- items with marks ---- */

static enum cim_status put_item(struct cim_writer *writer, const struct cim_ns_place *place,
				struct cim_record *record, uint32_t *id, struct cim_error *err)
{
	struct cim_namespace *ns = &writer->ns;
	uint32_t entry;
	enum cim_status status = cim_ns_new_file(ns, id, err);

	if (!status)
		status = cim_ns_reserve(ns, place, &entry, err);
	if (!status) {
		/* Whoever knows nothing of marks sees an item. */
		status = cim_objects_put_shared(&writer->objects, cim_null_dacl, CIM_NULL_DACL_SIZE,
						true, &record->security, err);
		cim_session_poison(writer, status, err);
	}
	if (status)
		return status;
	record->parent_id = ns->nodes[place->node].file_id;
	cim_ns_new_at(ns, *id)->record = *record;
	cim_ns_put(ns, place, entry, *id);
	return CIM_OK;
}

enum cim_status cim_session_put_mark(struct cim_writer *writer, const struct cim_ns_place *place,
				     uint32_t marks, uint32_t *id, struct cim_error *err)
{
	struct cim_record record = {0};

	if (marks & CIM_MARK_BARE)
		record.stream_desc = cim_stream_desc(0, CIM_STREAM_LINK_TABLE);
	else
		record.stream_offset = cim_objects_nowhere(&writer->objects);
	cim_record_mark(&record, marks);
	return put_item(writer, place, &record, id, err);
}

/* ---- the way to one ---- */

/* Go into a directory of the path, which is made if it isn't there. In the place of a tombstone one
 * hides what that did. */
static enum cim_status enter(struct cim_writer *writer, const struct cim_ns_place *place,
			     uint32_t *node, struct cim_error *err)
{
	const uint32_t marks = place->marks & CIM_MARK_TOMBSTONE ? CIM_MARK_BARE | CIM_MARK_OPAQUE
								 : CIM_MARK_BARE;
	uint32_t id = place->there;
	enum cim_status status = CIM_OK;

	if (!id || place->marks & CIM_MARK_TOMBSTONE)
		status = cim_session_put_mark(writer, place, marks, &id, err);
	return status ? status : cim_ns_enter(&writer->ns, id, place->node, node, err);
}

/* As cim_ns_resolve(), but it makes directories. Unless @through, a tombstone on the way is where
 * it ends: nothing below one need be hidden again. */
static enum cim_status resolve(struct cim_writer *writer, const struct cim_path *path, bool through,
			       struct cim_ns_place *place, struct cim_error *err)
{
	size_t pos = 0, units, left = path->components;
	uint32_t node = writer->ns.root_node;
	const uint16_t *name;
	enum cim_status status;

	if (!left)
		return cim_fail(err, CIM_E_INVALID, "the root can't be marked");
	status = cim_session_begin_marks(writer, err);
	while (!status && cim_path_next(path, &pos, &name, &units)) {
		status = cim_ns_find(&writer->ns, node, name, units, place, err);
		if (!--left || (place->marks & CIM_MARK_TOMBSTONE && !through))
			break;
		if (!status)
			status = enter(writer, place, &node, err);
	}
	return status;
}

/* ---- tombstone ---- */

enum cim_status cim_writer_tombstone(struct cim_writer *writer, struct cim_str text,
				     struct cim_error *err)
{
	struct cim_path path = {0};
	struct cim_ns_place place;
	uint32_t id;
	enum cim_status status;

	status = cim_session_enter(writer, false, &err);
	if (!status)
		status = cim_path_parse(&writer->env, text, CIM_PATH_NO_STREAM, &path, err);
	if (!status)
		status = resolve(writer, &path, false, &place, err);
	if (!status && !(place.marks & CIM_MARK_TOMBSTONE))
		status = cim_session_put_mark(writer, &place, CIM_MARK_TOMBSTONE, &id, err);
	cim_path_free(&path);
	return cim_session_leave(writer, status, "tombstone", text, err);
}

/* ---- merge link ---- */

/* Store a target as the data of a merge link. */
static enum cim_status store_target(struct cim_writer *writer, const struct cim_path *target,
				    struct cim_record *record, struct cim_error *err)
{
	const size_t size = 2 * target->units;
	uint8_t *bytes = cim_alloc(&writer->env, size);
	struct cim_object object;
	struct cim_stored stored;
	enum cim_status status;

	if (!bytes)
		return cim_no_memory(err);
	for (size_t i = 0; i < target->units; i++)
		cim_put16(bytes + 2 * i, target->buf[i]);
	cim_object_begin(&writer->objects, size, &object);
	status = cim_object_write(&writer->objects, &object, bytes, size, err);
	if (!status)
		status = cim_object_end(&writer->objects, &object, &stored, err);
	cim_free(&writer->env, bytes);
	if (status)
		return cim_session_poison(writer, status, err);
	record->stream_offset = stored.offset;
	record->stream_desc = cim_stream_desc(size, CIM_STREAM_DATA);
	return CIM_OK;
}

static enum cim_status merge_link(struct cim_writer *writer, const struct cim_path *path,
				  const struct cim_path *target, struct cim_error *err)
{
	struct cim_record record = {0};
	struct cim_ns_place place;
	uint32_t id, number;
	enum cim_status status;

	if (!target->components)
		return cim_fail(err, CIM_E_INVALID, "the target is the root");
	status = resolve(writer, path, true, &place, err);
	if (!status && place.there) {
		status = cim_ns_read(&writer->ns, place.there, &record, err);
		if (!status && cim_record_is_dir(&record))
			status = cim_fail(err, CIM_E_ACCESS, "the new path is a directory");
	}
	record = (struct cim_record){0};
	if (!status)
		status = store_target(writer, target, &record, err);
	if (!status)
		status = cim_merge_new_target(writer, target, &number, err);
	if (!status)
		status = cim_merge_reserve_link(writer, err);
	cim_record_mark(&record, CIM_MARK_MERGE_LINK);
	if (!status)
		status = put_item(writer, &place, &record, &id, err);
	if (!status)
		cim_merge_add_link(writer, id, number);
	return status;
}

enum cim_status cim_writer_merge_link(struct cim_writer *writer, struct cim_str text,
				      struct cim_str target, struct cim_error *err)
{
	return cim_session_call_paths(writer, "merge link", merge_link, text, target, err);
}
