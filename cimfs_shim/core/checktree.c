/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checktree.c - walking the directories of an image that is being checked
 *
 * From the root down, in stored order, with a stack of its own. Every FileID that is met is
 * remembered. A file that is met again has several names, which is fine; a directory that is met
 * again is in a cycle or has two parents, which no tree has. At the end it is known how many
 * records nobody can reach.
 */
#include "check.h"

struct frame {
	struct cim_link_table table;
	uint32_t next;
	uint32_t dir_id;
	size_t path_len;
	uint32_t path_units;
	bool bare;
};

struct walk {
	struct cim_check *c;
	struct frame *frames;
	size_t depth, room;
};

/* ---- records that were met ---- */

/* *again tells whether the FileID was met before. False: no memory. */
static bool meet(struct cim_check *c, uint32_t file_id, bool *again)
{
	if (cim_idset_add(&c->met, file_id, again, NULL)) {
		cim_check_no_memory(c);
		return false;
	}
	c->met_count += !*again;
	return true;
}

/* ---- directories ---- */

/* Rules of the default stream of a directory that the reader has no need of. */
static void check_directory_stream(struct cim_check *c, const struct cim_record *record,
				   const struct cim_link_table *table)
{
	static const char what[] = "link table";
	const uint64_t length = cim_stream_length(record->stream_desc);

	if (record->stream_desc & ~CIM_STREAM_KNOWN)
		cim_check_report(c, CIM_NOTE, what, record->stream_offset,
				 "reserved bits of the stream are set");
	if (record->stream_desc & CIM_STREAM_SPARSE)
		cim_check_report(c, CIM_ERROR, what, record->stream_offset,
				 "a directory can't be a sparse stream");
	if (!length && record->stream_offset)
		cim_check_report(c, CIM_NOTE, what, record->stream_offset,
				 "an empty directory has an offset");
	if (length && length != table->length)
		cim_check_report(c, CIM_ERROR, what, record->stream_offset,
				 "its length is %u, the directory's stream has %llu",
				 (unsigned)table->length, (unsigned long long)length);
}

/* Find the table of a directory and check it. True if there is something to go through. */
static bool open_table(struct cim_check *c, const struct cim_record *record,
		       struct cim_link_table *table)
{
	static const char what[] = "link table";
	const uint64_t faults = c->faults;
	uint32_t number;
	bool directories, sound;
	enum cim_status status;

	if (cim_stream_length(record->stream_desc)) {
		if (!record->stream_offset) {
			cim_check_report(c, CIM_ERROR, what, 0,
					 "the directory has a table but no offset");
			return false;
		}
		if (!cim_check_place(c, what, record->stream_offset,
				     cim_stream_length(record->stream_desc), true))
			return false;
		cim_check_digest(c, what, record->stream_offset, true);
	}
	status = cim_link_table_of_dir(c->image, record, table, &c->why);
	if (!cim_check_try(c, status, what, record->stream_offset, "it can't be read"))
		return false;
	check_directory_stream(c, record, table);
	if (!table->count)
		return false;
	if (cim_check_table_first(c, table, what, &directories, &number)) {
		sound = cim_check_spend(c, what, table->offset, table->length) &&
			cim_check_links(c, table, what);
		cim_check_judge(c, number, faults);
		return sound;
	}
	if (directories)
		cim_check_report(c, CIM_ERROR, what, table->offset,
				 "another directory has the same table, so the directories in it "
				 "are met twice");
	return false;
}

static void enter(struct walk *walk, uint32_t id, const struct cim_record *record,
		  uint32_t path_units)
{
	struct cim_check *c = walk->c;
	struct frame *frame;

	if (!cim_grow(&c->image->env, (void **)&walk->frames, &walk->room, walk->depth,
		      sizeof(*walk->frames))) {
		cim_check_no_memory(c);
		return;
	}
	frame = &walk->frames[walk->depth];
	*frame = (struct frame){.dir_id = id,
				.path_len = c->path.len,
				.path_units = path_units,
				.bare = walk->depth &&
					cim_image_marks(c->image, record) & CIM_MARK_BARE};
	if (open_table(c, record, &frame->table))
		walk->depth++;
}

/* ---- items ---- */

static bool is_there(struct cim_check *c, uint32_t id)
{
	struct cim_file_table table;

	if (!id || (id - 1) / CIM_FILES_PER_TABLE >= c->table_count)
		return false;
	return cim_check_ok(c, cim_image_file_table(c->image, (id - 1) / CIM_FILES_PER_TABLE,
						    &table, &c->why)) &&
	       (id - 1) % CIM_FILES_PER_TABLE < table.count;
}

/* Check an item that a directory, @dir_id, names (the root: its own), and go into it. */
static void visit(struct walk *walk, uint32_t id, uint32_t dir_id, uint64_t table,
		  uint32_t path_units)
{
	static const char what[] = "link table";
	struct cim_check *c = walk->c;
	struct cim_record record;
	bool again;
	enum cim_status status;

	if (!is_there(c, id)) {
		cim_check_report(c, CIM_ERROR, what, table,
				 "no such FileID: %u isn't in the file tables", (unsigned)id);
		return;
	}
	status = cim_image_record(c->image, id, &record, &c->why);
	if (!cim_check_try(c, status, "file record", 0, "it can't be read") || !meet(c, id, &again))
		return;
	if (walk->frames[walk->depth - 1].bare &&
	    !(cim_image_marks(c->image, &record) & CIM_MARKS_HIDDEN))
		cim_check_report(c, CIM_ERROR, what, table,
				 "an item that isn't hidden is in a bare directory");
	if (again) {
		if (cim_record_is_dir(&record))
			cim_check_report(c, CIM_ERROR, what, table,
					 "directory met twice: FileID %u (a cycle, or a hard link)",
					 (unsigned)id);
		return;
	}
	cim_check_record(c, id, dir_id, &record);
	if (!cim_record_is_dir(&record))
		return;
	if (walk->depth)
		cim_check_note_directory(c, &walk->frames[walk->depth - 1].table);
	enter(walk, id, &record, path_units);
}

static void visit_entry(struct walk *walk, struct frame *frame)
{
	struct cim_check *c = walk->c;
	const uint64_t table = frame->table.offset;
	struct cim_link link;
	uint64_t path_units;
	enum cim_status status;

	cim_check_pop(c, frame->path_len);
	status = cim_link_table_get(&frame->table, frame->next++, &link, &c->why);
	if (status == CIM_E_CORRUPT)
		return; /* cim_check_links() has reported it */
	if (!cim_check_try(c, status, "link table", table, "it can't be read"))
		return;
	path_units = frame->path_units + link.units + (walk->depth > 1);
	cim_check_push(c, '/', link.name, link.units);
	if (path_units > CIM_MAX_PATH)
		cim_check_report(c, CIM_ERROR, "link table", table,
				 "a path of %u units, more than %u", (unsigned)path_units,
				 CIM_MAX_PATH);
	else
		visit(walk, link.file_id, frame->dir_id, table, (uint32_t)path_units);
}

static void check_root(struct walk *walk)
{
	struct cim_check *c = walk->c;
	const uint32_t id = c->image->info.root_id;
	const uint16_t separator = '/';
	struct cim_record record;
	bool again;
	enum cim_status status;

	if (!is_there(c, id)) {
		cim_check_report(c, CIM_ERROR, "filesystem object", 0,
				 "the root's FileID %u isn't in the file tables", (unsigned)id);
		return;
	}
	status = cim_image_record(c->image, id, &record, &c->why);
	if (!cim_check_try(c, status, "file record", 0, "the root can't be read"))
		return;
	if (!cim_record_is_dir(&record)) {
		cim_check_report(c, CIM_ERROR, "filesystem object", 0,
				 "the root, FileID %u, is not a directory", (unsigned)id);
		return;
	}
	if (!meet(c, id, &again))
		return;
	cim_check_push(c, '/', &separator, 1);
	cim_check_record(c, id, id, &record);
	enter(walk, id, &record, 0);
}

void cim_check_tree(struct cim_check *c)
{
	const struct cim_env *env = &c->image->env;
	struct walk walk = {.c = c};

	check_root(&walk);
	while (walk.depth && !c->status) {
		struct frame *frame = &walk.frames[walk.depth - 1];

		if (frame->next < frame->table.count)
			visit_entry(&walk, frame);
		else
			walk.depth--;
	}
	cim_check_pop(c, 0);
	if (c->met_count < c->record_count)
		cim_check_report(c, CIM_NOTE, "file table", 0,
				 "%llu of %llu records can't be reached from the root",
				 (unsigned long long)(c->record_count - c->met_count),
				 (unsigned long long)c->record_count);
	cim_free(env, walk.frames);
}
