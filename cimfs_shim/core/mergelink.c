/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mergelink.c - merge links: what they lead to, once all images are merged
 *
 * The target of a merge link is kept when it is made or met. At the commit of a merged image each
 * is looked up in the tree as it is then, through other merge links if need be, and its name gets
 * the FileID of what is there. The session's own tree doesn't change: a commit that fails can be
 * tried again when the target has come, and finds anew. Bare directories with a merge link in them
 * are written as directories.
 */
#include "path.h"
#include "session.h"

#include <string.h>

/* So many other merge links may lie on the way to a file (D53). */
#define MAX_HOPS 64u

/* ---- keeping ---- */

enum cim_status cim_merge_new_target(struct cim_writer *writer, const struct cim_path *path,
				     uint32_t *number, struct cim_error *err)
{
	struct cim_merge_links *links = &writer->links;
	const uint16_t *text = cim_ns_keep(&writer->ns, path->buf, path->units);

	if (!text || !cim_grow(&writer->env, (void **)&links->targets, &links->target_room,
			       links->target_count, sizeof(*links->targets)))
		return cim_no_memory(err);
	*number = (uint32_t)links->target_count++;
	links->targets[*number] = (struct cim_merge_target){.text = text,
							    .units = (uint32_t)path->units};
	return CIM_OK;
}

enum cim_status cim_merge_reserve_link(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_merge_links *links = &writer->links;

	if (!cim_grow(&writer->env, (void **)&links->links, &links->room, links->count,
		      sizeof(*links->links)) ||
	    !cim_hash_table_reserve(&links->map))
		return cim_no_memory(err);
	return CIM_OK;
}

void cim_merge_add_link(struct cim_writer *writer, uint32_t id, uint32_t target)
{
	struct cim_merge_links *links = &writer->links;

	cim_hash_table_add(&links->map, id, (uint32_t)links->count);
	links->links[links->count++] = (struct cim_merge_link){.id = id, .target = target};
}

void cim_merge_free_links(struct cim_merge_links *links, const struct cim_env *env)
{
	cim_free(env, links->targets);
	cim_free(env, links->links);
	cim_hash_table_free(&links->map);
}

/* Has the session this link still? */
static bool is_there(const struct cim_writer *writer, const struct cim_merge_link *link)
{
	return cim_ns_new_at(&writer->ns, link->id)->links != 0;
}

/* The node that a link, or a directory, lies in. */
static uint32_t node_above(const struct cim_writer *writer, uint32_t id)
{
	uint32_t node = CIM_NO_NODE;

	cim_ns_has_node(&writer->ns, cim_ns_new_at(&writer->ns, id)->record.parent_id, &node);
	return node;
}

void cim_merge_count_links(struct cim_writer *writer)
{
	struct cim_merge_links *links = &writer->links;
	struct cim_ns_node *nodes = writer->ns.nodes;

	for (; links->laid < links->count; links->laid++) {
		const struct cim_merge_link *link = &links->links[links->laid];
		uint32_t n = is_there(writer, link) ? node_above(writer, link->id) : CIM_NO_NODE;

		for (; n != CIM_NO_NODE && !nodes[n].counts; n = nodes[n].parent)
			nodes[n].counts = true;
	}
}

/* ---- resolving ---- */

/* The path of a link, for an error: its names are found from the last to the first. */
static void tell_path(const struct cim_writer *writer, uint32_t id, struct cim_error *err)
{
	const struct cim_namespace *ns = &writer->ns;
	uint16_t *path = cim_alloc(&writer->env, CIM_MAX_PATH * sizeof(*path));
	size_t begin = CIM_MAX_PATH;

	for (uint32_t node = node_above(writer, id); path && node != CIM_NO_NODE;
	     id = ns->nodes[node].file_id, node = ns->nodes[node].parent) {
		uint32_t i = ns->nodes[node].first_entry;

		while (ns->entries[i].file_id != id)
			i = ns->entries[i].next_in_node;
		if (begin < CIM_MAX_PATH)
			path[--begin] = '\\';
		begin -= ns->entries[i].units;
		memcpy(path + begin, ns->entries[i].name, ns->entries[i].units * sizeof(*path));
	}
	if (path)
		cim_error_path(err, path + begin, CIM_MAX_PATH - begin);
	cim_free(&writer->env, path);
}

static enum cim_status dangles(const struct cim_writer *writer, const struct cim_merge_link *link,
			       const char *why, struct cim_error *err)
{
	const struct cim_merge_target *target = &writer->links.targets[link->target];
	char text[160];
	enum cim_status status;

	cim_utf8_from_utf16(target->text, target->units, text, sizeof(text));
	status = cim_fail(err, CIM_E_PATH_NOT_FOUND, "a merge link to '%s' %s", text, why);
	tell_path(writer, link->id, err);
	return status;
}

/* Find the file, or the merge link, that a target names. Bare directories count: what they have in
 * them are merge links, or it is hidden. */
static enum cim_status look_up(struct cim_writer *writer, struct cim_merge_target *target,
			       struct cim_error *err)
{
	const struct cim_path path = {.buf = (uint16_t *)target->text, .units = target->units};
	struct cim_ns_place place;
	struct cim_record record;
	size_t pos = 0, units;
	uint32_t node = writer->ns.root_node;
	const uint16_t *name;
	enum cim_status status = CIM_OK;

	target->id = 0;
	target->known = true;
	while (!status && cim_path_next(&path, &pos, &name, &units)) {
		status = cim_ns_find(&writer->ns, node, name, units, &place, err);
		if (status || !place.there || place.marks & CIM_MARK_TOMBSTONE)
			break;
		status = cim_ns_read(&writer->ns, place.there, &record, err);
		if (status)
			break;
		if (cim_record_is_dir(&record))
			status = cim_ns_enter(&writer->ns, place.there, node, &node, err);
		else if (pos == path.units)
			target->id = place.there;
		else
			break; /* a file on the way */
	}
	return status;
}

static enum cim_status resolve(struct cim_writer *writer, struct cim_merge_link *link,
			       struct cim_error *err)
{
	struct cim_merge_links *links = &writer->links;
	uint32_t number = link->target, next;

	for (unsigned hops = 0;; hops++) {
		struct cim_merge_target *target = &links->targets[number];
		enum cim_status status = target->known ? CIM_OK : look_up(writer, target, err);

		if (status)
			return status;
		if (!target->id)
			return dangles(writer, link,
				       hops ? "leads on to what isn't a file of the merged tree"
					    : "leads to what isn't a file of the merged tree",
				       err);
		if (!cim_hash_table_get(&links->map, target->id, &next)) {
			link->result = target->id;
			return CIM_OK;
		}
		if (hops == MAX_HOPS)
			return dangles(writer, link, "leads through more than 64 others", err);
		number = links->links[next].target;
	}
}

enum cim_status cim_merge_resolve(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_merge_links *links = &writer->links;
	struct cim_namespace *ns = &writer->ns;
	enum cim_status status = CIM_OK;

	if (!writer->merge)
		return CIM_OK;
	for (size_t i = 0; i < ns->node_count; i++)
		ns->nodes[i].holds_link = false;
	for (size_t i = 0; i < links->target_count; i++)
		links->targets[i].known = false;
	for (size_t i = 0; !status && i < links->count; i++) {
		uint32_t node;

		if (!is_there(writer, &links->links[i]))
			continue;
		status = resolve(writer, &links->links[i], err);
		node = node_above(writer, links->links[i].id);
		for (; node != CIM_NO_NODE && !ns->nodes[node].holds_link;
		     node = ns->nodes[node].parent)
			ns->nodes[node].holds_link = true;
	}
	return status;
}

/* ---- writing ---- */

uint32_t cim_merge_entry(const struct cim_writer *writer, uint32_t id)
{
	uint32_t number;

	if (!writer->merge || !cim_hash_table_get(&writer->links.map, id, &number))
		return id;
	return writer->links.links[number].result;
}

void cim_merge_finish(const struct cim_writer *writer, uint32_t id, struct cim_record *record)
{
	const struct cim_ns_node *nodes = writer->ns.nodes;
	uint32_t marks, node;

	if (!writer->merge)
		return;
	marks = cim_record_marks(record);
	if (marks & CIM_MARK_MERGE_LINK) {
		*record = (struct cim_record){0}; /* nobody leads here any more */
		return;
	}
	if (marks & CIM_MARK_BARE && cim_ns_has_node(&writer->ns, id, &node) &&
	    (nodes[node].counts || nodes[node].holds_link))
		cim_record_mark(record, marks & CIM_MARK_OPAQUE);
	cim_merge_record(writer->merge, record);
}
