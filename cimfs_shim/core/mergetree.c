/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mergetree.c - laying the tree of one source under a session's tree: see merge.h, container.md 3
 *
 * For each path the topmost source that has it wins. Two directories are united. Anything else
 * hides what is below it: a file, a tombstone, a merge link, an opaque directory, one with reparse
 * data. If it lies itself below a directory, that becomes opaque, so that what is below both stays
 * hidden. Marks stay in the merged tree, where they hide what is added later, or what is below when
 * the merged image is a source itself.
 *
 * A bare directory counts only if its source has a merge link below it; then it is a directory
 * whose metadata are those of the topmost real one below it. It hides a file there. Hard links of a
 * source are hard links of the merged image, as far as their names win.
 */
#include "budget.h"
#include "path.h"
#include "session.h"

/* A source that is being added. */
struct adding {
	struct cim_writer *writer;
	struct cim_image *image;
	uint32_t first;		     /* of its regions, in the merged image */
	uint32_t number;	     /* of the source, from 1 on */
	struct cim_hash_table files; /* by the source's FileID: the merged image's */
	uint32_t *nodes; /* of the directories on the way to the item; CIM_NO_NODE: hidden */
	size_t node_room;
	struct cim_budget
		*budget;   /* of what is read once: what merge links lead to, rests of records */
	uint32_t *targets; /* by their number there */
	size_t target_count, target_room;
	uint64_t done; /* items */
};

/* ---- records ---- */

/* The session's offset for one of the source. */
static enum cim_status take_offset(const struct adding *a, uint64_t *offset, struct cim_error *err)
{
	const uint32_t region = cim_region_index(*offset);

	if (!*offset)
		return CIM_OK;
	/* It would come to lead into the next source. */
	if (region >= a->image->info.region_count)
		return cim_fail(err, CIM_E_CORRUPT, "there is no region %u, the image has %u",
				(unsigned)region, (unsigned)a->image->info.region_count);
	*offset = cim_region_offset(CIM_REGION_TYPES + a->first + region, cim_region_byte(*offset));
	return CIM_OK;
}

/* What leads to no bytes may lead anywhere, in the source. */
static void take_empty_stream(const struct adding *a, struct cim_record *record)
{
	if (cim_record_is_dir(record)) {
		record->stream_offset = 0;
		record->stream_desc = cim_stream_desc(0, CIM_STREAM_LINK_TABLE);
	} else if (record->stream_desc & CIM_STREAM_SPARSE) {
		record->stream_offset = 0;
	} else {
		record->stream_offset = cim_objects_nowhere(&a->writer->objects);
	}
}

/* Where they are no marks they would come to be some. */
static void drop_flags(const struct adding *a, struct cim_record *record, uint32_t marks)
{
	const uint16_t flags = record->flags;

	cim_record_mark(record, marks);
	a->writer->stats.dropped_flags += record->flags != flags;
}

/* The record of an item that isn't hidden, for the file with FileID @id. */
static enum cim_status take_record(const struct adding *a, const struct cim_walk_item *item,
				   uint32_t id, struct cim_record *record, struct cim_error *err)
{
	enum cim_status status = cim_image_record(a->image, item->info->file_id, record, err);

	if (status)
		return status;
	drop_flags(a, record, item->info->marks & CIM_MARK_OPAQUE);
	if (cim_record_is_dir(record) || !cim_stream_length(record->stream_desc) ||
	    record->stream_desc & CIM_STREAM_SPARSE)
		take_empty_stream(a, record);
	else
		status = take_offset(a, &record->stream_offset, err);
	if (!status)
		status = take_offset(a, &record->security, err);
	if (!status)
		status = take_offset(a, &record->ea, err);
	if (!status)
		status = take_offset(a, &record->reparse, err);
	if (!status)
		status = take_offset(a, &record->streams, err);
	if (!status && record->base_region >= a->image->info.region_count)
		record->base_region = 0; /* nothing counts from there, or it would have failed */
	record->base_region = (uint16_t)(record->base_region + a->first);
	if (!status)
		status = cim_merge_keep_rest(a->writer, a->image, a->budget, item->info->file_id,
					     id, err);
	return status;
}

/* ---- what is there already ---- */

static enum cim_status two_names(const struct cim_walk_item *item, struct cim_error *err)
{
	return cim_fail(err, CIM_E_EXISTS,
			"'%s' is a name that the same directory has in other letters", item->path);
}

/* Has this source the name already? */
static bool is_ours(const struct adding *a, const struct cim_ns_place *place)
{
	const struct cim_namespace *ns = &a->writer->ns;
	uint32_t node;

	if (cim_ns_new_at(ns, place->there)->source == a->number)
		return true;
	return cim_ns_has_node(ns, place->there, &node) && ns->nodes[node].source == a->number;
}

/* Does what is there hide what is below it? */
static bool hides(const struct adding *a, const struct cim_ns_place *place)
{
	const struct cim_record *record = &cim_ns_new_at(&a->writer->ns, place->there)->record;

	return !cim_record_is_dir(record) || record->reparse || place->marks & CIM_MARK_OPAQUE;
}

static void make_opaque(const struct adding *a, uint32_t id)
{
	struct cim_record *record = &cim_ns_new_at(&a->writer->ns, id)->record;

	cim_record_mark(record, cim_record_marks(record) | CIM_MARK_OPAQUE);
}

/* A merge link, hidden or not, makes the bare directories of its source that lead to it count. */
static void count_above(const struct adding *a, uint32_t depth)
{
	struct cim_ns_node *nodes = a->writer->ns.nodes;

	while (depth-- > 0) {
		if (a->nodes[depth] == CIM_NO_NODE)
			continue;
		if (nodes[a->nodes[depth]].counts)
			break; /* and so do those above it */
		nodes[a->nodes[depth]].counts = true;
	}
}

/* An item that is hidden. In a bare directory there may be merge links. */
static enum cim_status pass_by(struct adding *a, const struct cim_walk_item *item, bool *enter)
{
	if (item->info->marks & CIM_MARK_BARE) {
		a->nodes[item->depth] = CIM_NO_NODE;
		*enter = true;
	}
	return CIM_OK;
}

/* ---- new items ---- */

/* One that isn't hidden; *id 0: its record is new, too. */
static enum cim_status new_item(struct adding *a, const struct cim_walk_item *item,
				const struct cim_ns_place *place, uint32_t *id,
				struct cim_error *err)
{
	struct cim_namespace *ns = &a->writer->ns;
	struct cim_ns_file *file;
	uint32_t entry;
	enum cim_status status = cim_ns_reserve(ns, place, &entry, err);

	if (!status && !*id) {
		status = cim_ns_new_file(ns, id, err);
		if (status)
			return status;
		file = cim_ns_new_at(ns, *id);
		status = take_record(a, item, *id, &file->record, err);
		file->record.parent_id = ns->nodes[place->node].file_id;
		a->writer->stats.files++;
	}
	if (!status)
		cim_ns_put(ns, place, entry, *id);
	return status;
}

/* A file, or one more name of one. */
static enum cim_status new_file(struct adding *a, const struct cim_walk_item *item,
				const struct cim_ns_place *place, uint32_t *id,
				struct cim_error *err)
{
	bool known = cim_hash_table_get(&a->files, item->info->file_id, id);
	enum cim_status status;

	if (!known && !cim_hash_table_reserve(&a->files))
		return cim_no_memory(err);
	status = new_item(a, item, place, id, err);
	if (!status && !known)
		cim_hash_table_add(&a->files, item->info->file_id, *id);
	return status;
}

/* The number of a merge link's target. Many may have one, which is read once. */
static enum cim_status take_target(struct adding *a, const struct cim_record *record,
				   uint32_t *target, struct cim_error *err)
{
	const struct cim_place place = {.offset = record->stream_offset,
					.bytes = cim_stream_length(record->stream_desc),
					.data = record->stream_desc,
					.base = record->base_region};
	struct cim_path path = {0};
	uint32_t number;
	bool again;
	enum cim_status status = cim_budget_find(a->budget, &place, &number, &again, err);

	if (status)
		return status;
	if (again) {
		*target = a->targets[number];
		return CIM_OK;
	}
	status = cim_budget_spend(a->budget, &place, err);
	if (!status && !cim_grow(&a->writer->env, (void **)&a->targets, &a->target_room,
				 a->target_count, sizeof(*a->targets)))
		status = cim_no_memory(err);
	if (!status)
		status = cim_image_merge_target(a->image, record, &path, err);
	if (status)
		return status;
	status = cim_merge_new_target(a->writer, &path, target, err);
	cim_path_free(&path);
	if (!status)
		a->targets[a->target_count++] = *target; /* the places have numbers in order */
	return status;
}

static enum cim_status new_link(struct adding *a, const struct cim_walk_item *item,
				const struct cim_ns_place *place, uint32_t *id,
				struct cim_error *err)
{
	struct cim_record record;
	uint32_t target;
	enum cim_status status = cim_image_record(a->image, item->info->file_id, &record, err);

	if (!status)
		status = take_target(a, &record, &target, err);
	if (!status)
		status = cim_merge_reserve_link(a->writer, err);
	if (!status)
		status = cim_session_put_mark(a->writer, place, CIM_MARK_MERGE_LINK, id, err);
	if (!status)
		cim_merge_add_link(a->writer, *id, target);
	return status;
}

static enum cim_status enter_node(struct adding *a, const struct cim_walk_item *item,
				  const struct cim_ns_place *place, uint32_t id,
				  struct cim_error *err)
{
	struct cim_namespace *ns = &a->writer->ns;
	uint32_t *node = &a->nodes[item->depth];
	enum cim_status status = cim_ns_enter(ns, id, place->node, node, err);

	if (!status)
		ns->nodes[*node].source = a->number;
	return status;
}

/* An item at a place that is free, or whose item counts for nothing. */
static enum cim_status add_new(struct adding *a, const struct cim_walk_item *item,
			       const struct cim_ns_place *place, bool *enter, struct cim_error *err)
{
	const uint32_t marks = item->info->marks;
	uint32_t id = 0;
	enum cim_status status;

	*enter = item->info->is_directory;
	if (marks & CIM_MARK_MERGE_LINK)
		status = new_link(a, item, place, &id, err);
	else if (marks & CIM_MARKS_HIDDEN)
		status = cim_session_put_mark(a->writer, place, marks, &id, err);
	else if (*enter)
		status = new_item(a, item, place, &id, err);
	else
		status = new_file(a, item, place, &id, err);
	if (!status)
		cim_ns_new_at(&a->writer->ns, id)->source = a->number;
	return status || !*enter ? status : enter_node(a, item, place, id, err);
}

/* ---- items that meet ---- */

/* A bare directory becomes the real one that lies below it. */
static enum cim_status make_real(struct adding *a, const struct cim_walk_item *item,
				 const struct cim_ns_place *place, struct cim_error *err)
{
	struct cim_ns_file *file = cim_ns_new_at(&a->writer->ns, place->there);
	struct cim_record record;
	enum cim_status status = take_record(a, item, place->there, &record, err);

	if (!status)
		status = cim_ns_respell(&a->writer->ns, place, err);
	if (status)
		return status;
	record.parent_id = file->record.parent_id;
	file->record = record;
	a->writer->stats.files++;
	return CIM_OK;
}

/* A directory, below one that doesn't hide it. */
static enum cim_status unite(struct adding *a, const struct cim_walk_item *item,
			     const struct cim_ns_place *place, bool *enter, struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	if (place->marks & CIM_MARK_BARE && !(item->info->marks & CIM_MARK_BARE))
		status = make_real(a, item, place, err);
	else if (item->info->marks & CIM_MARK_OPAQUE || item->info->has_reparse)
		make_opaque(a, place->there);
	*enter = true;
	return status ? status : enter_node(a, item, place, place->there, err);
}

/* Something else, below a directory that doesn't hide it. */
static enum cim_status meet_directory(struct adding *a, const struct cim_walk_item *item,
				      const struct cim_ns_place *place, bool *enter,
				      struct cim_error *err)
{
	enum cim_status status = enter_node(a, item, place, place->there, err);

	if (status)
		return status;
	if (place->marks & CIM_MARK_BARE && !a->writer->ns.nodes[a->nodes[item->depth]].counts)
		return add_new(a, item, place, enter, err);
	make_opaque(a, place->there);
	return CIM_OK;
}

static enum cim_status add_item(struct adding *a, const struct cim_walk_item *item, bool *enter,
				struct cim_error *err)
{
	const uint32_t above = a->nodes[item->depth - 1];
	struct cim_ns_place place;
	enum cim_status status;

	*enter = false;
	if (item->info->marks & CIM_MARK_MERGE_LINK)
		count_above(a, item->depth);
	if (above == CIM_NO_NODE)
		return pass_by(a, item, enter);
	status = cim_ns_find(&a->writer->ns, above, item->entry->name, item->entry->units, &place,
			     err);
	if (status)
		return status;
	if (!place.there)
		return add_new(a, item, &place, enter, err);
	if (is_ours(a, &place))
		return two_names(item, err);
	if (hides(a, &place))
		return pass_by(a, item, enter);
	return item->info->is_directory ? unite(a, item, &place, enter, err)
					: meet_directory(a, item, &place, enter, err);
}

/* The topmost source's root is the image's, if the session hasn't said what that is to be. */
static enum cim_status add_root(struct adding *a, const struct cim_walk_item *item, bool *enter,
				struct cim_error *err)
{
	struct cim_namespace *ns = &a->writer->ns;
	struct cim_ns_file *root = cim_ns_new_at(ns, ns->root_id);
	struct cim_record record;
	enum cim_status status;

	a->nodes[0] = ns->root_node;
	ns->nodes[ns->root_node].source = a->number;
	*enter = !(cim_record_marks(&root->record) & CIM_MARK_OPAQUE);
	if (a->writer->root_given) {
		if (item->info->marks & CIM_MARK_OPAQUE)
			make_opaque(a, ns->root_id);
		return CIM_OK;
	}
	status = take_record(a, item, ns->root_id, &record, err);
	if (status)
		return status;
	record.parent_id = ns->root_id;
	root->record = record;
	a->writer->root_given = true;
	return CIM_OK;
}

/* Once in a while tell how far it is. */
static enum cim_status tell(struct adding *a, struct cim_error *err)
{
	const struct cim_env *env = &a->writer->env;
	const struct cim_progress progress = {CIM_PHASE_MERGE, ++a->done, 0};

	if (a->done % 256 || !env->progress || !env->progress(env->progress_ctx, &progress))
		return CIM_OK;
	return cim_fail(err, CIM_E_ABORTED, "stopped by the caller");
}

static enum cim_status add_all(struct adding *a, struct cim_walk *walk, struct cim_error *err)
{
	const struct cim_walk_item *item;
	bool enter = true;
	enum cim_status status;

	for (;;) {
		status = cim_walk_next(walk, &item, err);
		if (status || !item)
			return status;
		if (!cim_grow(&a->writer->env, (void **)&a->nodes, &a->node_room, item->depth,
			      sizeof(*a->nodes)))
			return cim_no_memory(err);
		status = item->depth ? add_item(a, item, &enter, err)
				     : add_root(a, item, &enter, err);
		if (!status)
			status = tell(a, err);
		if (status)
			return status;
		if (!enter)
			cim_walk_skip(walk);
	}
}

enum cim_status cim_merge_tree(struct cim_writer *writer, struct cim_image *image, uint32_t first,
			       uint32_t number, struct cim_error *err)
{
	struct adding a = {.writer = writer, .image = image, .first = first, .number = number};
	struct cim_walk *walk = NULL;
	enum cim_status status;

	cim_merge_count_links(writer);
	cim_hash_table_init(&a.files, &writer->env);
	status = cim_budget_open(image, &a.budget, err);
	if (!status)
		status = cim_walk_open(image, image->info.root_id, &walk, err);
	if (!status)
		status = add_all(&a, walk, err);
	writer->links.laid = writer->links.count;
	cim_walk_close(walk);
	cim_budget_close(a.budget);
	cim_hash_table_free(&a.files);
	cim_free(&writer->env, a.nodes);
	cim_free(&writer->env, a.targets);
	return status;
}
