/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.c - laying an image under a session's tree: see merge.h, and container.md 3
 *
 * For each path the topmost source that has it wins. Two directories are united, unless the upper
 * one has reparse data; anything else hides what is below it. Hard links of a source are hard links
 * of the merged image, as far as their names win.
 */
#include "merge.h"
#include "container.h"
#include "io.h"
#include "place.h"
#include "writer.h"

#include <string.h>

#define OWN_REGIONS CIM_REGION_TYPES

void cim_merge_free(const struct cim_env *env, struct cim_merge *merge)
{
	if (!merge)
		return;
	cim_free(env, merge->sets);
	cim_free(env, merge->sources);
	cim_free(env, merge);
}

uint64_t cim_merge_offset(const struct cim_merge *merge, uint16_t base, uint64_t offset)
{
	uint32_t region = cim_region_index(offset);

	if (!merge || !offset)
		return offset;
	region = region < OWN_REGIONS ? region + merge->regions : region - OWN_REGIONS;
	return cim_region_offset(region - base, cim_region_byte(offset));
}

void cim_merge_record(const struct cim_merge *merge, struct cim_record *record)
{
	uint64_t *const offsets[] = {&record->stream_offset, &record->security, &record->ea,
				     &record->reparse, &record->streams};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		*offsets[i] = cim_merge_offset(merge, record->base_region, *offsets[i]);
}

/* ---- the header's tail ---- */

size_t cim_merge_tail_size(const struct cim_merge *merge)
{
	return merge->set_count * CIM_SIZE(region_set) + merge->source_count * CIM_SIZE(source);
}

void cim_merge_put_tail(const struct cim_merge *merge, uint8_t *bytes)
{
	for (size_t i = 0; i < merge->set_count; i++, bytes += CIM_SIZE(region_set))
		cim_region_set_encode(bytes, &merge->sets[i].guid, merge->sets[i].count);
	for (size_t i = 0; i < merge->source_count; i++, bytes += CIM_SIZE(source)) {
		const struct cim_merged_source *source = &merge->sources[i];

		cim_put32(bytes + CIM_OFF(source, set_count), source->set_count);
		memcpy(bytes + CIM_OFF(source, guid), source->guid.bytes,
		       sizeof(source->guid.bytes));
		memcpy(bytes + CIM_OFF(source, root_hash), source->root_hash,
		       sizeof(source->root_hash));
	}
}

static enum cim_status add_source(const struct cim_env *env, struct cim_merge *merge,
				  const struct cim_merged_source *source, struct cim_error *err)
{
	if (!cim_grow(env, (void **)&merge->sources, &merge->source_room, merge->source_count,
		      sizeof(*merge->sources)))
		return cim_no_memory(err);
	merge->sources[merge->source_count++] = *source;
	return CIM_OK;
}

/* Those of a merged image are sources of this one too, and in front of it. */
static enum cim_status add_sources(const struct cim_env *env, struct cim_merge *merge,
				   const struct cim_image *image, const uint8_t *root,
				   struct cim_error *err)
{
	struct cim_merged_source own = {.guid = image->sets[image->info.set_count - 1].guid,
					.set_count = image->info.set_count};
	enum cim_status status = CIM_OK;

	if (root)
		memcpy(own.root_hash, root, sizeof(own.root_hash));
	for (uint32_t i = 0; !status && i < image->info.source_count; i++) {
		own.set_count -= image->sources[i].set_count;
		status = add_source(env, merge, &image->sources[i], err);
	}
	return status ? status : add_source(env, merge, &own, err);
}

/* Name the image's sets as parents. */
static enum cim_status add_sets(const struct cim_env *env, struct cim_merge *merge,
				const struct cim_image *image, const uint8_t *root,
				struct cim_error *err)
{
	if (image->info.region_count > CIM_MAX_REGIONS - OWN_REGIONS - merge->regions ||
	    image->info.set_count > UINT16_MAX - merge->set_count)
		return cim_fail(err, CIM_E_LIMIT,
				"the sources have more regions than an image can name");
	for (uint32_t i = 0; i < image->info.set_count; i++) {
		if (!cim_grow(env, (void **)&merge->sets, &merge->set_room, merge->set_count,
			      sizeof(*merge->sets)))
			return cim_no_memory(err);
		merge->sets[merge->set_count++] = image->sets[i];
	}
	merge->regions += image->info.region_count;
	return add_sources(env, merge, image, root, err);
}

/* ---- records ---- */

/* A source that is being added. */
struct adding {
	struct cim_writer *writer;
	struct cim_image *image;
	uint32_t first;		     /* of its regions, in the merged image */
	uint32_t number;	     /* of the source, from 1 on */
	struct cim_hash_table files; /* by the source's FileID: the merged image's */
	uint32_t *nodes;	     /* of the directories on the way to the item */
	size_t node_room;
};

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
	*offset = cim_region_offset(OWN_REGIONS + a->first + region, cim_region_byte(*offset));
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

static enum cim_status take_record(const struct adding *a, uint32_t source_id,
				   struct cim_record *record, struct cim_error *err)
{
	enum cim_status status = cim_image_record(a->image, source_id, record, err);

	if (status)
		return status;
	if (!a->image->marked)
		record->flags &= (uint16_t)~CIM_FLAG_MARKS; /* they would come to be some */
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
	return status;
}

/* ---- items ---- */

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

	if (cim_ns_new_at(ns, place->id)->source == a->number)
		return true;
	return cim_ns_has_node(ns, place->id, &node) && ns->nodes[node].source == a->number;
}

/* A new item at a place that is free. */
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
		status = take_record(a, item->info->file_id, &file->record, err);
		file->record.parent_id = ns->nodes[place->node].file_id;
		file->source = a->number;
		a->writer->stats.files++;
	}
	if (!status)
		cim_ns_put(ns, place, entry, *id);
	return status;
}

/* A file, or one more name of one. */
static enum cim_status add_file(struct adding *a, const struct cim_walk_item *item,
				const struct cim_ns_place *place, struct cim_error *err)
{
	uint32_t id = 0;
	bool known = cim_hash_table_get(&a->files, item->info->file_id, &id);
	enum cim_status status;

	if (!known && !cim_hash_table_reserve(&a->files))
		return cim_no_memory(err);
	status = new_item(a, item, place, &id, err);
	if (!status && !known)
		cim_hash_table_add(&a->files, item->info->file_id, id);
	return status;
}

/* Unite a directory with the one that is there, or make it. *enter: what is below it counts. */
static enum cim_status add_directory(struct adding *a, const struct cim_walk_item *item,
				     const struct cim_ns_place *place, bool *enter,
				     struct cim_error *err)
{
	struct cim_namespace *ns = &a->writer->ns;
	struct cim_ns_node *node;
	uint32_t id = place->id;
	enum cim_status status = CIM_OK;

	if (!id)
		status = new_item(a, item, place, &id, err);
	else if (cim_ns_new_at(ns, id)->record.reparse)
		return CIM_OK;
	if (!status)
		status = cim_ns_enter(ns, id, place->node, &a->nodes[item->depth], err);
	if (status)
		return status;
	node = &ns->nodes[a->nodes[item->depth]];
	if (node->source == a->number)
		return two_names(item, err);
	node->source = a->number;
	*enter = true;
	return CIM_OK;
}

static enum cim_status add_item(struct adding *a, const struct cim_walk_item *item, bool *enter,
				struct cim_error *err)
{
	struct cim_namespace *ns = &a->writer->ns;
	struct cim_ns_place place = {.node = a->nodes[item->depth - 1],
				     .name = item->entry->name,
				     .units = item->entry->units};
	const struct cim_ns_entry *entry = cim_ns_entry(ns, place.node, item->entry->name,
							item->entry->units);

	*enter = false;
	place.id = place.there = entry ? entry->file_id : 0;
	if (item->info->is_directory &&
	    (!place.id || cim_record_is_dir(&cim_ns_new_at(ns, place.id)->record)))
		return add_directory(a, item, &place, enter, err);
	if (!place.id)
		return add_file(a, item, &place, err);
	/* Hidden; but two of one source can't hide each other. */
	return is_ours(a, &place) ? two_names(item, err) : CIM_OK;
}

/* The topmost source's root is the image's, if the session hasn't said what that is to be. */
static enum cim_status add_root(struct adding *a, const struct cim_walk_item *item,
				struct cim_error *err)
{
	struct cim_namespace *ns = &a->writer->ns;
	struct cim_ns_file *root = cim_ns_new_at(ns, ns->root_id);
	struct cim_record record;
	enum cim_status status;

	a->nodes[0] = ns->root_node;
	ns->nodes[ns->root_node].source = a->number;
	if (a->writer->root_given)
		return CIM_OK;
	status = take_record(a, item->info->file_id, &record, err);
	if (status)
		return status;
	record.parent_id = ns->root_id;
	root->record = record;
	a->writer->root_given = true;
	return CIM_OK;
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
		status = item->depth ? add_item(a, item, &enter, err) : add_root(a, item, err);
		if (status)
			return status;
		if (!enter)
			cim_walk_skip(walk);
	}
}

static enum cim_status add_image(struct cim_writer *writer, struct cim_image *image,
				 const uint8_t *root, struct cim_error *err)
{
	struct adding a = {.writer = writer,
			   .image = image,
			   .first = writer->merge->regions,
			   .number = ++writer->sources};
	struct cim_walk *walk = NULL;
	enum cim_status status;

	cim_hash_table_init(&a.files, &writer->env);
	status = add_sets(&writer->env, writer->merge, image, root, err);
	if (!status)
		status = cim_walk_open(image, image->info.root_id, &walk, err);
	if (!status)
		status = add_all(&a, walk, err);
	cim_walk_close(walk);
	cim_hash_table_free(&a.files);
	cim_free(&writer->env, a.nodes);
	return status;
}

/* The image's version is the highest of its sources. */
static enum cim_status raise_version(struct cim_writer *writer, const struct cim_image *image,
				     struct cim_error *err)
{
	const uint32_t major = image->info.version_major, minor = image->info.version_minor;

	if (major < writer->major || (major == writer->major && minor <= writer->minor))
		return CIM_OK;
	writer->major = major;
	writer->minor = minor;
	return cim_objects_set_version(&writer->objects, major, minor, err);
}

/* An image that is opened for the time. */
static enum cim_status open_source(struct cim_writer *writer, const char *path,
				   struct cim_image **image, struct cim_error *err)
{
	struct cim_env env = writer->env;

	if (writer->base)
		return cim_fail(err, CIM_E_INVALID, "only an image made from nothing is merged");
	/* The host's file system: the session's may be a container's. */
	env.vfs = &writer->host;
	return cim_image_open(&env, path, image, err);
}

static enum cim_status find_root(const struct cim_image *image, const uint8_t **root,
				 struct cim_error *err)
{
	*root = cim_cont_root(&image->vfs, image->dir);
	return *root ? CIM_OK : cim_fail(err, CIM_E_CORRUPT, "the source isn't sealed");
}

enum cim_status cim_writer_add_source(struct cim_writer *writer, const char *path, unsigned flags,
				      struct cim_error *err)
{
	static const struct cim_str none;
	struct cim_image *image = NULL;
	const uint8_t *root = NULL;
	enum cim_status status;

	status = cim_session_enter(writer, false, &err);
	if (!status && CIM_ANY_NULL(err, NULL, path))
		status = CIM_E_POINTER;
	if (!status && (flags & ~CIM_SOURCE_VERIFIED))
		status = cim_fail(err, CIM_E_INVALID, "unknown flags");
	if (!status)
		status = open_source(writer, path, &image, err);
	if (!status && (flags & CIM_SOURCE_VERIFIED))
		status = find_root(image, &root, err);
	if (!status)
		status = cim_session_begin_marks(writer, err);
	if (!status && !writer->merge)
		writer->merge = cim_zalloc(&writer->env, sizeof(*writer->merge));
	if (!status && !writer->merge)
		status = cim_no_memory(err);
	if (image && !status) {
		status = raise_version(writer, image, err);
		if (!status)
			status = add_image(writer, image, root, err);
		/* Half a source is none. */
		cim_session_poison(writer, status, err);
	}
	cim_image_close(image);
	return cim_session_leave(writer, status, "add source", none, err);
}
