/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checktree.c - walking the directories of an image that is being checked
 *
 * From the root down, in stored order, with a stack of its own. Every FileID that is met has a
 * bit. A file that is met again has several names, which is fine; a directory that is met again
 * is in a cycle or has two parents, which no tree has. At the end the bits tell how many records
 * nobody can reach.
 *
 * Directories may share a link table (two that hold the same hard links look the same), and an
 * image could make a million directories share one with a million names. So tables of more than a
 * KiB are remembered by their offset, and gone through once.
 */
#include <string.h>

#include "check.h"

/* Tables up to here may be gone through again and again: that costs little. */
#define SMALL_TABLE 1024u

struct shared_table {
	uint64_t offset;  /* 0: free */
	bool directories; /* it holds some */
};

struct cim_check_tables {
	struct shared_table *slots; /* open addressing; a power of two */
	size_t count, slot_count;
};

struct frame {
	struct cim_link_table table;
	uint32_t next;
	uint32_t dir_id;
	size_t path_len;
	uint32_t path_units;
};

struct walk {
	struct cim_check *c;
	struct frame *frames;
	size_t depth, room;
};

/* ---- the path ---- */

size_t cim_check_push(struct cim_check *c, char separator, const uint16_t *name, size_t units)
{
	const size_t len = c->path.len;
	const bool root = len == 1 && separator == '/'; /* it is "/" already */
	char text[3 * CIM_MAX_NAME + 1];
	const size_t size = cim_utf8_from_utf16(name, units, text, sizeof(text));

	assert(size < sizeof(text));
	if (!cim_path_buf_set(&c->image->env, &c->path, len, len && !root ? separator : 0, text,
			      size))
		cim_check_stop(c, cim_no_memory(c->err));
	return len;
}

void cim_check_pop(struct cim_check *c, size_t len)
{
	if (!c->path.text)
		return;
	c->path.len = len;
	c->path.text[len] = '\0';
}

/* ---- tables that several may share ---- */

static struct shared_table *find_slot(struct cim_check_tables *tables, uint64_t offset)
{
	size_t at = (size_t)(offset * UINT64_C(0x9e3779b97f4a7c15) >> 32);

	for (;; at++) {
		struct shared_table *slot = &tables->slots[at & (tables->slot_count - 1)];

		if (!slot->offset || slot->offset == offset)
			return slot;
	}
}

static bool grow_tables(struct cim_check *c)
{
	struct cim_check_tables *tables = c->tables;
	struct cim_check_tables bigger = {.count = tables->count};
	size_t bytes;

	if (tables->count < tables->slot_count / 2)
		return true;
	bigger.slot_count = tables->slot_count ? tables->slot_count * 2 : 64;
	if (cim_ckd_mul_size(&bytes, bigger.slot_count, sizeof(*bigger.slots)))
		bigger.slots = cim_zalloc(&c->image->env, bytes);
	if (!bigger.slots) {
		cim_check_stop(c, cim_no_memory(c->err));
		return false;
	}
	for (size_t i = 0; i < tables->slot_count; i++)
		if (tables->slots[i].offset)
			*find_slot(&bigger, tables->slots[i].offset) = tables->slots[i];
	cim_free(&c->image->env, tables->slots);
	*tables = bigger;
	return true;
}

bool cim_check_table_once(struct cim_check *c, uint64_t offset, uint32_t length, bool *directories)
{
	struct shared_table *slot;

	if (directories)
		*directories = false;
	if (length <= SMALL_TABLE)
		return true;
	if (!grow_tables(c))
		return false;
	slot = find_slot(c->tables, offset);
	if (slot->offset) {
		if (directories)
			*directories = slot->directories;
		return false;
	}
	slot->offset = offset;
	c->tables->count++;
	return true;
}

static void note_directory(struct cim_check *c, const struct cim_link_table *table)
{
	if (table->length > SMALL_TABLE && c->tables->slot_count)
		find_slot(c->tables, table->offset)->directories = true;
}

/* ---- records that were met ---- */

/* Sets the bit of a FileID; *again tells whether it was set. False: no memory. */
static bool meet(struct cim_check *c, uint32_t file_id, bool *again)
{
	if (!cim_bitmap_add(&c->image->env, &c->met, file_id, again)) {
		cim_check_stop(c, cim_no_memory(c->err));
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

	if (record->stream_desc >> 57)
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
	enum cim_status status;
	bool directories;

	if (cim_stream_length(record->stream_desc)) {
		if (!record->stream_offset) {
			cim_check_report(c, CIM_ERROR, what, 0,
					 "the directory has a table but no offset");
			return false;
		}
		if (!cim_check_place(c, what, record->stream_offset,
				     cim_stream_length(record->stream_desc), true))
			return false;
		cim_check_digest(c, what, record->stream_offset);
	}
	status = cim_link_table_of_dir(c->image, record, table, &c->why);
	if (!cim_check_try(c, status, what, record->stream_offset, "it can't be read"))
		return false;
	check_directory_stream(c, record, table);
	if (!table->count)
		return false;
	if (cim_check_table_once(c, table->offset, table->length, &directories))
		return cim_check_links(c, table, what);
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
		cim_check_stop(c, cim_no_memory(c->err));
		return;
	}
	frame = &walk->frames[walk->depth];
	*frame = (struct frame){.dir_id = id, .path_len = c->path.len, .path_units = path_units};
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
	enum cim_status status;
	bool again;

	if (!is_there(c, id)) {
		cim_check_report(c, CIM_ERROR, what, table,
				 "no such FileID: %u isn't in the file tables", (unsigned)id);
		return;
	}
	status = cim_image_record(c->image, id, &record, &c->why);
	if (!cim_check_try(c, status, "file record", 0, "it can't be read") || !meet(c, id, &again))
		return;
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
		note_directory(c, &walk->frames[walk->depth - 1].table);
	enter(walk, id, &record, path_units);
}

static void visit_entry(struct walk *walk, struct frame *frame)
{
	struct cim_check *c = walk->c;
	const uint64_t table = frame->table.offset;
	struct cim_link link;
	enum cim_status status;
	uint64_t path_units;

	cim_check_pop(c, frame->path_len);
	status = cim_link_table_get(&frame->table, frame->next++, &link, &c->why);
	if (status == CIM_E_CORRUPT)
		return; /* cim_check_links() has told */
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
	const uint32_t id = c->image->root_id;
	const uint16_t separator = '/';
	struct cim_record record;
	enum cim_status status;
	bool again;

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
	struct cim_check_tables tables = {0};

	if (!cim_bitmap_init(env, &c->met, c->table_count)) {
		cim_check_stop(c, cim_no_memory(c->err));
		return;
	}
	c->tables = &tables;
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
	cim_free(env, tables.slots);
	c->tables = NULL;
}
