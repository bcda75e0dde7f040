/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * structs.c - visiting the structures of an image as they lie in its files
 *
 * For the person who debugs an image: each structure with its place, its fields and its bytes. The
 * order is the one in which one leads to the next: header, region sets, filesystem object, file
 * tables, then the tree, by the same walk that every reader uses, then what the walk didn't meet.
 *
 * An image that is to be debugged is often one that can't be opened. So nothing here waits for a
 * check: what a file holds is shown first, then the reader is asked for it, and what the reader
 * refuses is reported as broken, in its words. Then comes the next structure that something else
 * leads to. Only a failure of the system ends it all.
 *
 * Many items share a structure (a security descriptor above all); it is visited once. Structures
 * that overlap on purpose could keep a visit going without end all the same, so each costs
 * something (structshow.c).
 */
#include "structshow.h"
#include "header.h"
#include "io.h"
#include "names.h"
#include "place.h"
#include "regions.h"
#include "sized.h"

#include <string.h>

/* ---- the tree, and what isn't in it ---- */

/* Was a record met before? Now it is. */
static bool met_before(struct cim_structs *s, uint32_t file_id)
{
	bool met;

	if (cim_idset_add(&s->met, file_id, &met, NULL))
		cim_structs_no_memory(s);
	return s->status || met;
}

static void no_item(struct cim_structs *s)
{
	cim_structs_set_path(s, 0, 0, "");
	s->file_id = 0;
}

/* One step of the walk failed: the path that the walk names is in s->why, in Windows' way. */
static void report_walk_failure(struct cim_structs *s, enum cim_status status)
{
	struct cim_struct_target t;

	s->file_id = 0;
	if (!cim_structs_set_path(s, 0, '/',
				  s->why.path[0] == '\\' ? s->why.path + 1 : s->why.path))
		return;
	for (size_t at = 0; at < s->path.len; at++)
		if (s->path.text[at] == '\\')
			s->path.text[at] = '/';
	t = cim_structs_in_file(CIM_STRUCT_LINK, "", NULL, 0);
	t.pub.path = s->path.text;
	cim_structs_fine(s, &t, status);
}

static void visit_tree(struct cim_structs *s)
{
	const struct cim_walk_item *item;
	struct cim_walk *walk = NULL;
	enum cim_status status;

	status = cim_walk_open(s->image, s->image->info.root_id, &walk, &s->why);
	if (status)
		report_walk_failure(s, status);
	while (walk && !cim_structs_stopped(s)) {
		enum cim_status of_record;

		status = cim_walk_next(walk, &item, &s->why);
		if (status) {
			report_walk_failure(s, status);
			continue;
		}
		if (!item)
			break;
		/* A file with several names is visited by the first. */
		if (met_before(s, item->info->file_id) ||
		    !cim_structs_set_path(s, 0, '/', item->path))
			continue;
		s->file_id = item->info->file_id;
		if (!cim_structs_visit_item(s, true, &of_record))
			cim_walk_skip(walk);
	}
	cim_walk_close(walk);
}

/* The records that the walk didn't meet. */
static void visit_others(struct cim_structs *s)
{
	const uint64_t last = (uint64_t)s->image->info.table_count * CIM_FILES_PER_TABLE;

	for (uint64_t id = 1; id <= last && id <= UINT32_MAX && !cim_structs_stopped(s);) {
		const uint32_t table = (uint32_t)((id - 1) / CIM_FILES_PER_TABLE);
		const uint64_t next = ((uint64_t)table + 1) * CIM_FILES_PER_TABLE + 1;
		struct cim_file_table entry = {0};
		struct cim_struct_target t;
		enum cim_status status;

		no_item(s);
		t = cim_structs_object(
			s, CIM_STRUCT_TABLE_DIRECTORY,
			s->image->file_table_directory + table * CIM_SIZE(file_table), 0);
		status = cim_image_file_table(s->image, table, &entry, &s->why);
		cim_structs_fine(s, &t, status);
		for (uint32_t i = 0; i < entry.count && !status && !cim_structs_stopped(s); i++) {
			s->file_id = (uint32_t)(id + i);
			if (id + i <= UINT32_MAX && !cim_idset_has(&s->met, s->file_id))
				cim_structs_visit_item(s, false, &status);
		}
		id = next;
	}
	no_item(s);
}

/* ---- the filesystem object and what it points to ---- */

static void visit_upcase(struct cim_structs *s)
{
	const uint64_t offset = s->image->upcase_offset;
	struct cim_struct_target t = cim_structs_object(s, CIM_STRUCT_UPCASE_TABLE, offset,
							CIM_UPCASE_SIZE);

	if (cim_structs_fine(s, &t,
			     cim_image_check_range(s->image, offset, 0, t.pub.size, &s->why)))
		cim_structs_visit(s, &t, &cim_layout_none, NULL, 0, "UpcaseTable");
}

static void visit_tables(struct cim_structs *s, bool root)
{
	const uint64_t count = s->image->info.table_count;
	struct cim_struct_target t = cim_structs_object(s, CIM_STRUCT_TABLE_DIRECTORY,
							s->image->file_table_directory,
							count * CIM_SIZE(file_table));

	cim_structs_visit(s, &t, &cim_layout_none, &cim_layout_file_table, count, "");
	if (root)
		visit_tree(s);
	visit_others(s);
}

static void visit_filesystem(struct cim_structs *s, uint64_t filesystem)
{
	struct cim_struct_target t = cim_structs_object(s, CIM_STRUCT_FILESYSTEM, filesystem,
							CIM_SIZE(filesystem));
	bool sound;

	if (!cim_structs_fine(
		    s, &t,
		    cim_image_check_range(s->image, filesystem, 0, CIM_SIZE(filesystem), &s->why)))
		return;
	cim_structs_visit(s, &t, &cim_layout_filesystem, NULL, 0, "Rest");
	sound = cim_structs_fine(s, &t, cim_image_read_filesystem(s->image, filesystem, &s->why));
	if (cim_structs_stopped(s))
		return;
	/* A root that isn't there leaves the tables. */
	if (sound || !cim_image_check_range(
			     s->image, s->image->file_table_directory, 0,
			     (uint64_t)s->image->info.table_count * CIM_SIZE(file_table), &s->why))
		visit_tables(s, sound);
	visit_upcase(s);
}

/* ---- files ---- */

/* Up to CIM_STRUCTS_BUFFER bytes from a file's beginning on. */
static bool read_front(struct cim_structs *s, const struct cim_struct_target *t, cim_vfs_file *file,
		       size_t most, uint8_t *bytes, size_t *len, uint64_t *size)
{
	if (!cim_structs_fine(s, t, cim_io_size(&s->env, file, t->pub.file, size, &s->why)))
		return false;
	*len = *size < most ? (size_t)*size : most;
	return cim_structs_fine(s, t, cim_structs_read_at(s, file, t->pub.file, 0, bytes, *len));
}

/* A file of a region set, opened; false if it isn't there or can't be. */
static bool open_beside(struct cim_structs *s, const struct cim_struct_target *t,
			const struct cim_region_set *set, cim_vfs_file **file)
{
	enum cim_status status = cim_open_beside(s->image, (uint32_t)(set - s->image->sets),
						 t->pub.file, file, &s->why);

	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND)
		return false;
	return cim_structs_fine(s, t, status);
}

static void visit_region_file(struct cim_structs *s, const struct cim_region_set *set,
			      uint32_t index)
{
	uint8_t bytes[CIM_SIZE(region_header)] = {0};
	char name[CIM_SET_FILE_NAME] = "";
	struct cim_struct_target t = cim_structs_in_file(CIM_STRUCT_REGION_HEADER, name, bytes, 0);
	struct cim_region_file *region;
	cim_vfs_file *file;
	uint64_t size = 0;
	size_t len = 0;

	cim_set_file_name(name, CIM_KIND_REGION, &set->guid, index);
	t.pub.region = set->first + index;
	if (open_beside(s, &t, set, &file)) {
		if (read_front(s, &t, file, sizeof(bytes), bytes, &len, &size)) {
			t.pub.size = len;
			cim_structs_visit(s, &t, &cim_layout_region_header, NULL, 0, "Rest");
		}
		cim_io_close(&s->env, file);
	}
	if (cim_structs_stopped(s))
		return;
	/* Whether it is any good is the reader's to say. */
	if (!cim_structs_fine(s, &t, cim_region_get(s->image, t.pub.region, &region, &s->why)))
		return;
	cim_region_put(s->image, region);
}

/* The entries of an object ID file whose header is @bytes. */
static void visit_object_ids(struct cim_structs *s, const struct cim_struct_target *header,
			     const uint8_t *bytes, uint64_t size)
{
	const uint64_t offset = cim_get32(bytes + CIM_OFF(objectid_header, table_offset));
	const uint64_t count = cim_get32(bytes + CIM_OFF(objectid_header, count));
	struct cim_struct_target t = *header;
	enum cim_status status;

	status = cim_common_header_check(bytes, CIM_FILE_OBJECT_ID, t.pub.file, &s->why);
	if (!cim_structs_fine(s, &t, status))
		return;
	t.pub.kind = CIM_STRUCT_OBJECT_IDS;
	t.pub.offset = offset;
	t.pub.size = count * CIM_SIZE(objectid);
	t.bytes = NULL;
	if (!count)
		return;
	if (!cim_in_range(offset, t.pub.size, size)) {
		status = cim_fail(&s->why, CIM_E_CORRUPT,
				  "%s doesn't hold %llu bytes at offset %llu", t.pub.file,
				  (unsigned long long)t.pub.size, (unsigned long long)offset);
		cim_structs_fine(s, &t, status);
		return;
	}
	cim_structs_visit(s, &t, &cim_layout_none, &cim_layout_objectid, count, "");
}

static void visit_object_id_file(struct cim_structs *s, const struct cim_region_set *set,
				 uint32_t index)
{
	uint8_t bytes[CIM_SIZE(objectid_header)] = {0};
	char name[CIM_SET_FILE_NAME] = "";
	struct cim_struct_target t = cim_structs_in_file(CIM_STRUCT_OBJECT_ID_HEADER, name, bytes,
							 0);
	cim_vfs_file *file;
	uint64_t size;
	size_t len;

	cim_set_file_name(name, CIM_KIND_OBJECT_ID, &set->guid, index);
	if (!open_beside(s, &t, set, &file))
		return;
	if (!read_front(s, &t, file, sizeof(bytes), bytes, &len, &size))
		goto close;
	t.pub.size = len;
	cim_structs_visit(s, &t, &cim_layout_objectid_header, NULL, 0, "Rest");
	t.file = file;
	if (len == sizeof(bytes))
		visit_object_ids(s, &t, bytes, size);
	else
		cim_structs_fine(
			s, &t,
			cim_fail(&s->why, CIM_E_CORRUPT, "%s is shorter than its header", name));
close:
	cim_io_close(&s->env, file);
}

static void visit_regions(struct cim_structs *s)
{
	for (uint32_t i = 0; i < s->image->info.set_count; i++) {
		const struct cim_region_set *set = &s->image->sets[i];

		for (uint32_t k = 0; k < set->count && !cim_structs_stopped(s); k++) {
			visit_region_file(s, set, k);
			if (!cim_structs_stopped(s))
				visit_object_id_file(s, set, k);
		}
	}
}

/* The filesystem file; what is wrong with it is for the reader to say. */
static void visit_image_bytes(struct cim_structs *s, const char *name, const uint8_t *bytes,
			      size_t len)
{
	struct cim_struct_target t = cim_structs_in_file(CIM_STRUCT_IMAGE_HEADER, name, bytes, len);
	uint64_t parents = 0, end = len;

	if (len >= CIM_SIZE(filesystem_header)) {
		const uint64_t fit = (len - CIM_SIZE(filesystem_header)) / CIM_SIZE(region_set);

		parents = cim_get16(bytes + CIM_OFF(filesystem_header, parent_count));
		if (parents > fit)
			parents = fit;
		end = CIM_SIZE(filesystem_header) + parents * CIM_SIZE(region_set);
	}
	t.pub.size = end;
	cim_structs_visit(s, &t, &cim_layout_image_header, &cim_layout_parent_set, parents, "Rest");
	if (end == len)
		return;
	t.pub.kind = CIM_STRUCT_TRAILER;
	t.pub.offset = end;
	t.pub.size = len - end;
	cim_structs_visit(s, &t, &cim_layout_none, NULL, 0, "Bytes");
}

static void visit_image_file(struct cim_structs *s, cim_vfs_dir *dir, const char *name)
{
	const struct cim_struct_target t = cim_structs_in_file(CIM_STRUCT_IMAGE_HEADER, name, NULL,
							       0);
	uint8_t *bytes = NULL;
	cim_vfs_file *file;
	uint64_t size;
	size_t len;

	s->status = cim_io_open(&s->env, dir, name, CIM_VFS_READ, &file, s->err);
	if (s->status)
		return;
	bytes = cim_alloc(&s->env, CIM_MAX_FILESYSTEM_FILE);
	if (!bytes) {
		cim_structs_no_memory(s);
		goto close;
	}
	if (read_front(s, &t, file, CIM_MAX_FILESYSTEM_FILE, bytes, &len, &size))
		visit_image_bytes(s, name, bytes, len);
	cim_free(&s->env, bytes);
close:
	cim_io_close(&s->env, file);
}

static void visit_all(struct cim_structs *s, cim_vfs_dir *dir, const char *name, const char *path)
{
	const struct cim_struct_target header = cim_structs_in_file(CIM_STRUCT_IMAGE_HEADER, name,
								    NULL, 0);
	uint64_t filesystem;
	enum cim_status status;

	s->buf = cim_alloc(&s->env, CIM_STRUCTS_BUFFER);
	if (!s->buf)
		cim_structs_no_memory(s);
	else
		no_item(s);
	if (!cim_structs_stopped(s))
		visit_image_file(s, dir, name);
	if (cim_structs_stopped(s))
		return;
	status = cim_image_open_header(&s->env, dir, name, path, &s->image, &filesystem, &s->why);
	if (s->image)
		s->image->with_sources = s->with_sources;
	if (!cim_structs_fine(s, &header, status) ||
	    !cim_structs_fine(s, &header, cim_budget_open(s->image, &s->budget, &s->why)))
		return;
	visit_regions(s);
	if (!cim_structs_stopped(s))
		visit_filesystem(s, filesystem);
}

static void clean_up(struct cim_structs *s)
{
	cim_idset_free(&s->met);
	cim_budget_close(s->budget);
	cim_free(&s->env, s->path.text);
	cim_free(&s->env, s->buf);
	cim_image_close(s->image);
}

/* The directory that the image is in, or that stands for it and those of its sources. */
static enum cim_status open_places(struct cim_structs *s, const char *path,
				   const char *const *sources, size_t count, const uint8_t *root,
				   struct cim_merged_place *place)
{
	if (count)
		return cim_merged_places(&s->env, &s->vfs, path, sources, count, root, place,
					 s->err);
	return cim_place_of(&s->env, &s->vfs, path, root, &place->dir, &place->name, s->err);
}

enum cim_status cim_structures_visit(const struct cim_env *env, const char *path,
				     const char *const *sources, size_t count,
				     const uint8_t *root_hash,
				     const struct cim_structure_visitor *visitor, uint64_t *broken,
				     struct cim_error *err)
{
	static const char op[] = "visit structures";
	struct cim_structs s = {
		.err = err,
		.named_region = CIM_NO_REGION,
		.with_sources = count,
	};
	struct cim_merged_place place = {.at_fault = path};
	enum cim_status status;

	if (broken)
		*broken = 0;
	if (CIM_ANY_NULL(err, op, path, visitor) || cim_null_source(err, op, sources, count))
		return CIM_E_POINTER;
	status = cim_take_env(&s.env, &s.vfs, env, err);
	if (!status)
		status = cim_take_sized(&s.visitor, sizeof(s.visitor), CIM_LEAST_VISITOR, visitor,
					"the visitor", err);
	if (!status)
		status = open_places(&s, path, sources, count, root_hash, &place);
	if (status)
		return cim_error_where(err, status, op, place.at_fault);
	cim_idset_init(&s.met, &s.env);
	visit_all(&s, place.dir, place.name, path);
	clean_up(&s);
	cim_io_close_dir(&s.env, place.dir);
	if (broken)
		*broken = s.broken;
	return cim_error_where(err, s.status, op, path);
}
