/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namespace.h - the tree of a session: what it changed, laid over the image it extends
 *
 * Nothing of an untouched directory is loaded. A directory becomes a node when a path leads
 * through it; what the session adds, replaces or deletes in it are entries of one hash table for
 * all nodes, keyed by node and upcased name. A name without an entry is looked up in the base's
 * link table where that lies. File records that are new are in a growing array (their FileIDs
 * follow the base's), changed records of the base in a map, so memory goes with what the session
 * touched.
 *
 * An entry with file_id 0 says: deleted. Link counts are kept for new files only (the format
 * stores none): a new file whose last name goes gets its record cleared; a file of the base may
 * have names that nobody has read, so its record stays.
 */
#ifndef CIM_NAMESPACE_H
#define CIM_NAMESPACE_H

#include "hashtable.h"
#include "image.h"
#include "path.h"

#define CIM_NO_NODE UINT32_MAX

/* A record of the session: new, or changed. */
struct cim_ns_file {
	struct cim_record record;
	uint32_t links;	 /* names; new files only */
	uint32_t source; /* of a merged image's: whose it is; 0: the session's own */
};

/* A directory that a path has led through. */
struct cim_ns_node {
	uint32_t file_id; /* 0: the node is gone, with its directory */
	uint32_t parent;
	uint32_t first_child, next_sibling; /* nodes below, each directory's in a list */
	uint32_t first_entry;
	uint32_t entry_count;
	uint32_t source; /* the last that has this directory */
	bool has_base;	 /* base_table holds names as well */
	bool dirty;	 /* its link table must be written */
	bool counts;	 /* if bare: there is a merge link below it in one of the merged images */
	bool holds_link; /* or in the tree that is being written */
	struct cim_link_table base_table;
};

struct cim_ns_entry {
	uint32_t node;
	uint32_t file_id; /* 0: deleted */
	uint32_t next_in_node;
	uint16_t units;
	const uint16_t *name;
};

/* An alternate stream of an item whose streams were touched. */
struct cim_ns_stream {
	const uint16_t *name;
	uint16_t units;
	uint64_t offset;
	uint64_t desc;
};

/* All alternate streams of an item, sorted by upcased name; loaded when one is touched. */
struct cim_ns_streams {
	uint32_t file_id;
	uint32_t count;
	bool dirty; /* changed, and so to be written */
	size_t room;
	struct cim_ns_stream *streams;
};

struct cim_name_block; /* names, in blocks that never move */

struct cim_namespace {
	const struct cim_env *env;
	struct cim_image *base; /* NULL: none */
	const uint16_t *upcase;
	bool marked; /* records may have marks */
	uint32_t root_id;
	uint32_t root_node;

	uint32_t first_new_id;
	uint64_t next_id;		/* 64 bits: may be 2^32, when none is left */
	struct cim_ns_file **new_files; /* blocks of CIM_FILES_PER_TABLE */
	size_t new_block_count, new_block_room;

	struct cim_ns_file *changed;
	uint32_t *changed_ids;
	size_t changed_count, changed_room, changed_ids_room;
	struct cim_hash_table changed_map;

	struct cim_ns_node *nodes;
	size_t node_count, node_room;
	struct cim_hash_table node_map;

	struct cim_ns_entry *entries;
	size_t entry_count, entry_room;
	struct cim_hash_table entry_map;

	struct cim_ns_streams *streams;
	size_t streams_count, streams_room;
	struct cim_hash_table streams_map;

	struct cim_name_block *names;
};

/* What a path leads to. */
struct cim_ns_place {
	uint32_t node; /* of the directory that holds the name; CIM_NO_NODE for the root itself */
	const uint16_t *name;
	size_t units;
	uint32_t id;	/* 0: nothing that is seen */
	uint32_t there; /* the same, and what is hidden; 0: the name is free */
	uint32_t marks; /* of that, CIM_MARK_* */
};

/* An empty tree, or the base's. A new root is described as D22 says, without its security. */
enum cim_status cim_ns_init(struct cim_namespace *ns, const struct cim_env *env,
			    struct cim_image *base, struct cim_error *err);
void cim_ns_free(struct cim_namespace *ns);

/* Follow a path to its last component. CIM_E_PATH_NOT_FOUND: a directory on the way is missing
 * or a file. The names point into @path. */
enum cim_status cim_ns_resolve(struct cim_namespace *ns, const struct cim_path *path,
			       struct cim_ns_place *place, struct cim_error *err);

/* What one name in a node leads to. */
enum cim_status cim_ns_find(struct cim_namespace *ns, uint32_t node, const uint16_t *name,
			    size_t units, struct cim_ns_place *place, struct cim_error *err);

/* The marks of a record of this tree. */
static inline uint32_t cim_ns_marks(const struct cim_namespace *ns, const struct cim_record *record)
{
	return ns->marked ? cim_record_marks(record) : 0;
}

/* The node of a directory, made if it has none. @parent: that of the directory that has it. */
enum cim_status cim_ns_enter(struct cim_namespace *ns, uint32_t id, uint32_t parent, uint32_t *node,
			     struct cim_error *err);

/* Has a path led through this directory? */
static inline bool cim_ns_has_node(const struct cim_namespace *ns, uint32_t id, uint32_t *node)
{
	return cim_hash_table_get(&ns->node_map, id, node) && ns->nodes[*node].file_id == id;
}

/* Read a record, the session's or the base's. */
enum cim_status cim_ns_read(struct cim_namespace *ns, uint32_t id, struct cim_record *record,
			    struct cim_error *err);
/* Get a record for changing it. The pointer is good until the next call that changes the tree. */
enum cim_status cim_ns_change(struct cim_namespace *ns, uint32_t id, struct cim_ns_file **file,
			      struct cim_error *err);

/* A new FileID with a cleared record, without a name yet. CIM_E_LIMIT: none is left. */
enum cim_status cim_ns_new_file(struct cim_namespace *ns, uint32_t *id, struct cim_error *err);

/* Make sure that cim_ns_put() at this place can't fail. */
enum cim_status cim_ns_reserve(struct cim_namespace *ns, const struct cim_ns_place *place,
			       uint32_t *entry, struct cim_error *err);
/* Put @id (0: delete) at the place of a reserved entry; what was there goes, with all below it. */
void cim_ns_put(struct cim_namespace *ns, const struct cim_ns_place *place, uint32_t entry,
		uint32_t id);

/* What is at the place is spelt so from now on. */
enum cim_status cim_ns_respell(struct cim_namespace *ns, const struct cim_ns_place *place,
			       struct cim_error *err);

/* The streams of an item, loaded if they weren't. */
enum cim_status cim_ns_get_streams(struct cim_namespace *ns, uint32_t id, uint32_t *streams,
				   struct cim_error *err);
/* Position of a stream by name; *found tells whether it is there, else it is where it belongs. */
uint32_t cim_ns_find_stream(const struct cim_namespace *ns, uint32_t streams, const uint16_t *name,
			    size_t units, bool *found);
/* Add (or find and respell) a stream, or remove one. Stream positions change with add/remove. */
enum cim_status cim_ns_add_stream(struct cim_namespace *ns, uint32_t streams, const uint16_t *name,
				  size_t units, uint32_t *position, struct cim_error *err);
void cim_ns_remove_stream(struct cim_namespace *ns, uint32_t streams, uint32_t position);

/* Is this FileID one of the session's own? */
static inline bool cim_ns_is_new(const struct cim_namespace *ns, uint32_t id)
{
	return id >= ns->first_new_id;
}

static inline struct cim_ns_file *cim_ns_new_at(const struct cim_namespace *ns, uint32_t id)
{
	uint32_t n = id - ns->first_new_id;

	return &ns->new_files[n / CIM_FILES_PER_TABLE][n % CIM_FILES_PER_TABLE];
}

/* Keep a copy of a name, or of up to CIM_MAX_PATH + 1 units of anything else, for the session's
 * life; NULL: no memory. */
const uint16_t *cim_ns_keep(struct cim_namespace *ns, const uint16_t *name, size_t units);

/* The overlay's entry for a name in a node, NULL if it has none. */
const struct cim_ns_entry *cim_ns_entry(const struct cim_namespace *ns, uint32_t node,
					const uint16_t *name, size_t units);

#endif
