/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namespace.c - the tree of a session: see namespace.h
 *
 * Every function either does all it says or changes nothing that a path can see: room is made
 * first, then things are put in place by code that can't fail.
 */
#include "namespace.h"
#include "collate.h"
#include "path.h"
#include "sort.h"

#include <string.h>

/* ---- names ---- */

struct cim_name_block {
	struct cim_name_block *next;
	size_t used, room;
	uint16_t units[];
};

const uint16_t *cim_ns_keep(struct cim_namespace *ns, const uint16_t *name, size_t units)
{
	struct cim_name_block *block = ns->names;
	uint16_t *copy;

	if (!block || units > block->room - block->used) {
		size_t room = CIM_MAX_PATH + 1;

		block = cim_alloc(ns->env, sizeof(*block) + room * sizeof(block->units[0]));
		if (!block)
			return NULL;
		block->next = ns->names;
		block->used = 0;
		block->room = room;
		ns->names = block;
	}
	copy = block->units + block->used;
	memcpy(copy, name, units * sizeof(*name));
	block->used += units;
	return copy;
}

/* ---- entries ---- */

static uint32_t name_hash(const struct cim_namespace *ns, uint32_t node, const uint16_t *name,
			  size_t units)
{
	uint16_t upper[CIM_MAX_NAME + 2];

	for (size_t i = 0; i < units; i++)
		upper[i] = ns->upcase[name[i]];
	/* Behind the name, the node. */
	memcpy(upper + units, &node, sizeof(node));
	return cim_hash_table_key(&ns->entry_map, upper, units * sizeof(upper[0]) + sizeof(node));
}

static uint32_t find_entry(const struct cim_namespace *ns, uint32_t node, uint32_t hash,
			   const uint16_t *name, size_t units)
{
	size_t cursor = 0;
	uint32_t i;

	while (cim_hash_table_next(&ns->entry_map, hash, &cursor, &i)) {
		const struct cim_ns_entry *e = &ns->entries[i];

		if (e->node == node &&
		    !cim_name_compare(ns->upcase, e->name, e->units, name, units))
			return i;
	}
	return UINT32_MAX;
}

const struct cim_ns_entry *cim_ns_entry(const struct cim_namespace *ns, uint32_t node,
					const uint16_t *name, size_t units)
{
	uint32_t i = find_entry(ns, node, name_hash(ns, node, name, units), name, units);

	return i == UINT32_MAX ? NULL : &ns->entries[i];
}

/* Nodes form a tree by which a deleted directory's are found; a base that lists a directory twice
 * would break it. */
static enum cim_status listed_twice(uint32_t id, struct cim_error *err)
{
	return cim_fail(err, CIM_E_CORRUPT, "directory %u is listed twice", (unsigned)id);
}

/* An entry that says what holds already. */
static enum cim_status add_entry(struct cim_namespace *ns, const struct cim_ns_place *place,
				 uint32_t hash, const uint16_t *name, uint32_t *entry,
				 struct cim_error *err)
{
	struct cim_ns_node *node = &ns->nodes[place->node];

	if (!cim_hash_table_reserve(&ns->entry_map) ||
	    !cim_grow(ns->env, (void **)&ns->entries, &ns->entry_room, ns->entry_count,
		      sizeof(*ns->entries)))
		return cim_no_memory(err);
	*entry = (uint32_t)ns->entry_count++;
	ns->entries[*entry] = (struct cim_ns_entry){
		.node = place->node,
		.file_id = place->there,
		.next_in_node = node->first_entry,
		.units = (uint16_t)place->units,
		.name = name,
	};
	cim_hash_table_add(&ns->entry_map, hash, *entry);
	node->first_entry = *entry;
	node->entry_count++;
	return CIM_OK;
}

enum cim_status cim_ns_reserve(struct cim_namespace *ns, const struct cim_ns_place *place,
			       uint32_t *entry, struct cim_error *err)
{
	const uint32_t hash = name_hash(ns, place->node, place->name, place->units);
	struct cim_ns_entry *e;
	const uint16_t *name;
	uint32_t i;

	/* cim_ns_put() drops a directory by its node: that must hang where it was found. */
	if (place->there && cim_ns_has_node(ns, place->there, &i) &&
	    ns->nodes[i].parent != place->node)
		return listed_twice(place->there, err);
	*entry = find_entry(ns, place->node, hash, place->name, place->units);
	e = *entry == UINT32_MAX ? NULL : &ns->entries[*entry];
	if (e && e->units == place->units &&
	    !memcmp(e->name, place->name, place->units * sizeof(*place->name)))
		return CIM_OK;
	name = cim_ns_keep(ns, place->name, place->units);
	if (!name)
		return cim_no_memory(err);
	if (!e)
		return add_entry(ns, place, hash, name, entry, err);
	/* Equal but for case: it replaces what is there, so it may be respelled now. */
	e->name = name;
	return CIM_OK;
}

enum cim_status cim_ns_respell(struct cim_namespace *ns, const struct cim_ns_place *place,
			       struct cim_error *err)
{
	uint32_t entry;
	enum cim_status status = cim_ns_reserve(ns, place, &entry, err);

	ns->nodes[place->node].dirty |= !status;
	return status;
}

/* ---- records ---- */

enum cim_status cim_ns_new_file(struct cim_namespace *ns, uint32_t *id, struct cim_error *err)
{
	size_t n;

	if (ns->next_id > UINT32_MAX)
		return cim_fail(err, CIM_E_LIMIT, "the image has no FileID left");
	n = (size_t)(ns->next_id - ns->first_new_id);
	if (n / CIM_FILES_PER_TABLE >= ns->new_block_count) {
		struct cim_ns_file *block;

		if (!cim_grow(ns->env, (void **)&ns->new_files, &ns->new_block_room,
			      ns->new_block_count, sizeof(*ns->new_files)))
			return cim_no_memory(err);
		block = cim_zalloc(ns->env, CIM_FILES_PER_TABLE * sizeof(*block));
		if (!block)
			return cim_no_memory(err);
		ns->new_files[ns->new_block_count++] = block;
	}
	*id = (uint32_t)ns->next_id++;
	return CIM_OK;
}

enum cim_status cim_ns_read(struct cim_namespace *ns, uint32_t id, struct cim_record *record,
			    struct cim_error *err)
{
	uint32_t i;

	if (cim_ns_is_new(ns, id)) {
		if (id >= ns->next_id)
			return cim_fail(err, CIM_E_CORRUPT, "FileID %u is beyond the file tables",
					(unsigned)id);
		*record = cim_ns_new_at(ns, id)->record;
		return CIM_OK;
	}
	if (cim_hash_table_get(&ns->changed_map, id, &i)) {
		*record = ns->changed[i].record;
		return CIM_OK;
	}
	return cim_image_record(ns->base, id, record, err);
}

enum cim_status cim_ns_change(struct cim_namespace *ns, uint32_t id, struct cim_ns_file **file,
			      struct cim_error *err)
{
	struct cim_record record;
	uint32_t i;
	enum cim_status status;

	if (cim_ns_is_new(ns, id)) {
		*file = cim_ns_new_at(ns, id);
		return CIM_OK;
	}
	if (cim_hash_table_get(&ns->changed_map, id, &i)) {
		*file = &ns->changed[i];
		return CIM_OK;
	}
	status = cim_image_record(ns->base, id, &record, err);
	if (status)
		return status;
	if (!cim_grow(ns->env, (void **)&ns->changed, &ns->changed_room, ns->changed_count,
		      sizeof(*ns->changed)) ||
	    !cim_grow(ns->env, (void **)&ns->changed_ids, &ns->changed_ids_room, ns->changed_count,
		      sizeof(*ns->changed_ids)) ||
	    !cim_hash_table_reserve(&ns->changed_map))
		return cim_no_memory(err);
	ns->changed[ns->changed_count].record = record;
	ns->changed[ns->changed_count].links = 0;
	ns->changed_ids[ns->changed_count] = id;
	cim_hash_table_add(&ns->changed_map, id, (uint32_t)ns->changed_count);
	*file = &ns->changed[ns->changed_count++];
	return CIM_OK;
}

/* ---- nodes and paths ---- */

/* What the base has of a directory. */
static enum cim_status open_base_table(struct cim_namespace *ns, struct cim_ns_node *node,
				       struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	status = cim_ns_read(ns, node->file_id, &record, err);
	if (status)
		return status;
	if (!cim_record_is_dir(&record))
		return cim_fail(err, CIM_E_PATH_NOT_FOUND, "not a directory");
	if (cim_ns_is_new(ns, node->file_id))
		return CIM_OK;
	status = cim_link_table_of_dir(ns->base, &record, &node->base_table, err);
	node->has_base = node->base_table.count != 0;
	return status;
}

enum cim_status cim_ns_enter(struct cim_namespace *ns, uint32_t id, uint32_t parent,
			     uint32_t *number, struct cim_error *err)
{
	struct cim_ns_node node = {.file_id = id,
				   .parent = parent,
				   .first_child = CIM_NO_NODE,
				   .next_sibling = CIM_NO_NODE,
				   .first_entry = UINT32_MAX};
	enum cim_status status;

	if (cim_hash_table_get(&ns->node_map, id, number)) {
		if (ns->nodes[*number].parent != parent || ns->nodes[*number].file_id != id)
			return listed_twice(id, err);
		return CIM_OK;
	}
	status = open_base_table(ns, &node, err);
	if (status)
		return status;
	if (ns->node_count >= CIM_NO_NODE ||
	    !cim_grow(ns->env, (void **)&ns->nodes, &ns->node_room, ns->node_count,
		      sizeof(*ns->nodes)) ||
	    !cim_hash_table_reserve(&ns->node_map))
		return cim_no_memory(err);
	*number = (uint32_t)ns->node_count++;
	if (parent != CIM_NO_NODE) {
		node.next_sibling = ns->nodes[parent].first_child;
		ns->nodes[parent].first_child = *number;
	}
	ns->nodes[*number] = node;
	cim_hash_table_add(&ns->node_map, id, *number);
	return CIM_OK;
}

/* The FileID behind a name in a node, 0 if there is none. */
static enum cim_status lookup(struct cim_namespace *ns, uint32_t node, const uint16_t *name,
			      size_t units, uint32_t *id, struct cim_error *err)
{
	const struct cim_ns_entry *entry = cim_ns_entry(ns, node, name, units);
	struct cim_link link;
	bool found;
	enum cim_status status;

	*id = 0;
	if (entry) {
		*id = entry->file_id;
		return CIM_OK;
	}
	if (!ns->nodes[node].has_base)
		return CIM_OK;
	status = cim_link_table_find(&ns->nodes[node].base_table, name, units, false, &link, &found,
				     err);
	if (status || !found)
		return status;
	if (!link.file_id || cim_ns_is_new(ns, link.file_id))
		return cim_fail(err, CIM_E_CORRUPT,
				"a directory names FileID %u, which isn't there",
				(unsigned)link.file_id);
	*id = link.file_id;
	return CIM_OK;
}

enum cim_status cim_ns_find(struct cim_namespace *ns, uint32_t node, const uint16_t *name,
			    size_t units, struct cim_ns_place *place, struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	*place = (struct cim_ns_place){.node = node, .name = name, .units = units};
	status = lookup(ns, node, name, units, &place->there, err);
	if (!status && place->there && ns->marked) {
		status = cim_ns_read(ns, place->there, &record, err);
		if (!status)
			place->marks = cim_record_marks(&record);
	}
	if (!status && !(place->marks & CIM_MARKS_HIDDEN))
		place->id = place->there;
	return status;
}

enum cim_status cim_ns_resolve(struct cim_namespace *ns, const struct cim_path *path,
			       struct cim_ns_place *place, struct cim_error *err)
{
	size_t pos = 0, units, left = path->components;
	const uint16_t *name;
	uint32_t node = ns->root_node;
	enum cim_status status;

	*place =
		(struct cim_ns_place){.node = CIM_NO_NODE, .id = ns->root_id, .there = ns->root_id};
	while (cim_path_next(path, &pos, &name, &units)) {
		status = cim_ns_find(ns, node, name, units, place, err);
		if (status)
			return status;
		if (!--left)
			break;
		if (!place->id)
			return cim_fail(err, CIM_E_PATH_NOT_FOUND,
					"a directory of the path is missing");
		status = cim_ns_enter(ns, place->id, node, &node, err);
		if (status)
			return status;
	}
	return CIM_OK;
}

/* The base's tree. */
static enum cim_status extend_base(struct cim_namespace *ns, struct cim_error *err)
{
	const struct cim_image_info *info = &ns->base->info;
	struct cim_file_table last;
	enum cim_status status;

	status = cim_image_upcase(ns->base, &ns->upcase, err);
	if (!status) /* there is one: the root is in a table */
		status = cim_image_file_table(ns->base, info->table_count - 1, &last, err);
	if (status)
		return status;
	ns->root_id = info->root_id;
	/* The IDs go on where the last table ends, which may not be full. */
	ns->next_id = ((uint64_t)info->table_count - 1) * CIM_FILES_PER_TABLE + last.count + 1;
	if (ns->next_id > UINT32_MAX)
		return cim_fail(err, CIM_E_LIMIT, "the image has no FileID left");
	ns->first_new_id = (uint32_t)ns->next_id;
	return CIM_OK;
}

/* An empty tree. */
static enum cim_status make_root(struct cim_namespace *ns, struct cim_error *err)
{
	struct cim_ns_file *root;
	enum cim_status status;

	ns->upcase = cim_upcase_default;
	ns->first_new_id = 1;
	ns->next_id = 1;
	status = cim_ns_new_file(ns, &ns->root_id, err);
	if (status)
		return status;
	root = cim_ns_new_at(ns, ns->root_id);
	root->record.stream_desc = cim_stream_desc(0, CIM_STREAM_LINK_TABLE);
	root->record.parent_id = ns->root_id;
	root->links = 1;
	return CIM_OK;
}

enum cim_status cim_ns_init(struct cim_namespace *ns, const struct cim_env *env,
			    struct cim_image *base, struct cim_error *err)
{
	enum cim_status status;

	*ns = (struct cim_namespace){.env = env, .base = base, .marked = base && base->marked};
	cim_hash_table_init(&ns->changed_map, env);
	cim_hash_table_init(&ns->node_map, env);
	cim_hash_table_init(&ns->entry_map, env);
	cim_hash_table_init(&ns->streams_map, env);
	status = base ? extend_base(ns, err) : make_root(ns, err);
	if (status)
		return status;
	status = cim_ns_enter(ns, ns->root_id, CIM_NO_NODE, &ns->root_node, err);
	if (status == CIM_E_PATH_NOT_FOUND)
		return cim_fail(err, CIM_E_CORRUPT, "the root is not a directory");
	return status;
}

void cim_ns_free(struct cim_namespace *ns)
{
	while (ns->names) {
		struct cim_name_block *block = ns->names;

		ns->names = block->next;
		cim_free(ns->env, block);
	}
	for (size_t i = 0; i < ns->new_block_count; i++)
		cim_free(ns->env, ns->new_files[i]);
	for (size_t i = 0; i < ns->streams_count; i++)
		cim_free(ns->env, ns->streams[i].streams);
	cim_free(ns->env, ns->new_files);
	cim_free(ns->env, ns->changed);
	cim_free(ns->env, ns->changed_ids);
	cim_hash_table_free(&ns->changed_map);
	cim_free(ns->env, ns->nodes);
	cim_hash_table_free(&ns->node_map);
	cim_free(ns->env, ns->entries);
	cim_hash_table_free(&ns->entry_map);
	cim_free(ns->env, ns->streams);
	cim_hash_table_free(&ns->streams_map);
}

/* ---- putting and dropping ---- */

/* A directory is gone: so are the nodes below it, and the new files' names in them. */
static void drop_node(struct cim_namespace *ns, uint32_t top)
{
	uint32_t number = top;

	/* Down to the first leaf, then leaf by leaf back up; no recursion, paths may be long. */
	for (;;) {
		struct cim_ns_node *node = &ns->nodes[number];

		if (node->first_child != CIM_NO_NODE) {
			uint32_t child = node->first_child;

			node->first_child = ns->nodes[child].next_sibling;
			number = child;
			continue;
		}
		for (uint32_t i = node->first_entry; i != UINT32_MAX;
		     i = ns->entries[i].next_in_node) {
			uint32_t id = ns->entries[i].file_id;

			ns->entries[i].file_id = 0;
			if (id && cim_ns_is_new(ns, id) && !--cim_ns_new_at(ns, id)->links)
				memset(cim_ns_new_at(ns, id), 0, sizeof(struct cim_ns_file));
		}
		node->file_id = 0;
		node->dirty = false;
		if (number == top)
			return;
		number = node->parent;
	}
}

/* A name of this item is gone. */
static void drop_name(struct cim_namespace *ns, uint32_t id)
{
	uint32_t number;

	/* The node stays in its parent's list, where an empty one does no harm. */
	if (cim_hash_table_get(&ns->node_map, id, &number) && ns->nodes[number].file_id == id)
		drop_node(ns, number);
	if (cim_ns_is_new(ns, id) && !--cim_ns_new_at(ns, id)->links)
		memset(cim_ns_new_at(ns, id), 0, sizeof(struct cim_ns_file));
}

void cim_ns_put(struct cim_namespace *ns, const struct cim_ns_place *place, uint32_t entry,
		uint32_t id)
{
	ns->entries[entry].file_id = id;
	ns->nodes[place->node].dirty = true;
	if (id && cim_ns_is_new(ns, id))
		cim_ns_new_at(ns, id)->links++;
	if (place->there)
		drop_name(ns, place->there);
}

/* ---- alternate streams ---- */

static int compare_streams(const void *a, const void *b, const void *ctx)
{
	const struct cim_ns_stream *x = a, *y = b;

	return cim_name_compare(ctx, x->name, x->units, y->name, y->units);
}

static enum cim_status load_streams(struct cim_namespace *ns, const struct cim_record *record,
				    struct cim_ns_streams *list, struct cim_error *err)
{
	struct cim_link_table table;
	struct cim_link link;
	size_t units = 0;
	enum cim_status status;

	status = cim_link_table_of_streams(ns->base, record, &table, err);
	for (uint32_t i = 0; !status && i < table.count; i++) {
		struct cim_ns_stream *s;

		status = cim_link_table_get(&table, i, &link, err);
		if (status)
			return status;
		/* Names that share their bytes would let a small table fill the memory. */
		units += link.units;
		if (units > table.length / sizeof(link.name[0]))
			return cim_fail(err, CIM_E_CORRUPT, "names of a stream table overlap");
		if (!cim_grow(ns->env, (void **)&list->streams, &list->room, list->count,
			      sizeof(*list->streams)))
			return cim_no_memory(err);
		s = &list->streams[list->count];
		s->name = cim_ns_keep(ns, link.name, link.units);
		if (!s->name)
			return cim_no_memory(err);
		s->units = (uint16_t)link.units;
		s->offset = link.stream_offset;
		s->desc = link.stream_desc;
		list->count++;
	}
	/* Another writer's order may differ from ours. */
	if (!status && !cim_sort(ns->env, list->streams, list->count, sizeof(*list->streams),
				 compare_streams, ns->upcase))
		status = cim_no_memory(err);
	for (uint32_t i = 1; !status && i < list->count; i++)
		if (!compare_streams(&list->streams[i - 1], &list->streams[i], ns->upcase))
			status = cim_fail(err, CIM_E_CORRUPT, "a file has two streams of one name");
	return status;
}

enum cim_status cim_ns_get_streams(struct cim_namespace *ns, uint32_t id, uint32_t *streams,
				   struct cim_error *err)
{
	struct cim_ns_streams list = {.file_id = id};
	struct cim_record record;
	enum cim_status status;

	if (cim_hash_table_get(&ns->streams_map, id, streams))
		return CIM_OK;
	if (!cim_grow(ns->env, (void **)&ns->streams, &ns->streams_room, ns->streams_count,
		      sizeof(*ns->streams)) ||
	    !cim_hash_table_reserve(&ns->streams_map))
		return cim_no_memory(err);
	status = cim_ns_read(ns, id, &record, err);
	if (!status && record.streams && cim_ns_is_new(ns, id))
		status = cim_fail(err, CIM_E_UNSUPPORTED,
				  "alternate streams of a source's item can't be changed");
	else if (!status && record.streams)
		status = load_streams(ns, &record, &list, err);
	if (status) {
		cim_free(ns->env, list.streams);
		return status;
	}
	*streams = (uint32_t)ns->streams_count++;
	ns->streams[*streams] = list;
	cim_hash_table_add(&ns->streams_map, id, *streams);
	return CIM_OK;
}

uint32_t cim_ns_find_stream(const struct cim_namespace *ns, uint32_t streams, const uint16_t *name,
			    size_t units, bool *found)
{
	const struct cim_ns_streams *list = &ns->streams[streams];
	uint32_t lo = 0, hi = list->count;

	*found = false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int order = cim_name_compare(ns->upcase, list->streams[mid].name,
					     list->streams[mid].units, name, units);

		if (!order) {
			*found = true;
			return mid;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

enum cim_status cim_ns_add_stream(struct cim_namespace *ns, uint32_t streams, const uint16_t *name,
				  size_t units, uint32_t *position, struct cim_error *err)
{
	struct cim_ns_streams *list = &ns->streams[streams];
	struct cim_ns_stream *s;
	const uint16_t *copy;
	bool found;

	*position = cim_ns_find_stream(ns, streams, name, units, &found);
	copy = cim_ns_keep(ns, name, units);
	if (!copy || !cim_grow(ns->env, (void **)&list->streams, &list->room, list->count,
			       sizeof(*list->streams)))
		return cim_no_memory(err);
	s = &list->streams[*position];
	if (!found) {
		memmove(s + 1, s, (list->count - *position) * sizeof(*s));
		list->count++;
	}
	s->name = copy;
	s->units = (uint16_t)units;
	s->offset = 0;
	s->desc = 0;
	list->dirty = true;
	return CIM_OK;
}

void cim_ns_remove_stream(struct cim_namespace *ns, uint32_t streams, uint32_t position)
{
	struct cim_ns_streams *list = &ns->streams[streams];
	struct cim_ns_stream *s = &list->streams[position];

	memmove(s, s + 1, (list->count - position - 1) * sizeof(*s));
	list->count--;
	list->dirty = true;
}
