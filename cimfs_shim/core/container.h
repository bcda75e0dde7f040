/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * container.h - a directory of images in one file: what the files of the container share
 *
 * The container file system is a struct cim_vfs over one file of another, so nothing above it knows
 * the difference. contread.c finds the state that stands, and checks all of it; conttable.c has the
 * names; contwrite.c gives a session's files their room, contsame.c sees that no other session has
 * come between; contcommit.c makes the state that it leaves the one that stands; contseal.c seals
 * it, contverify.c reads what is sealed; contvfs.c and contfile.c are the table of functions;
 * place.c opens what a path means.
 *
 * Nodes of files that a published table names never change. A session's own ones may, by calls that
 * its lock serialises. So readers' threads meet only where a file is opened: there is a lock for
 * that.
 */
#ifndef CIM_CONTAINER_H
#define CIM_CONTAINER_H

#include "../../include/libcim_env.h"
#include "contformat.h"
#include "verity.h"

struct cim_extent {
	uint64_t at;	/* in the file */
	uint64_t place; /* in the container; 0: a hole */
	uint64_t len;
};

/* A file in the container. */
struct cim_cont_node {
	unsigned users;	    /* its name, and open files */
	const uint8_t *raw; /* the entry in the table that it was made of */
	uint64_t size;
	struct cim_extent *extents;
	size_t count, room;
	uint64_t reach; /* so many bytes the extents cover */
	/* A session's own, in no published table. Published: all is written, nobody else's. */
	bool own;
	uint64_t written; /* the bytes before it are as they are to be; behind it all is zero */
	uint64_t dirty;	  /* the blocks behind it hold nothing but zeros */
	/* Byte lock, of an own one; of another how often it is shared by this container's file. */
	unsigned sharers;
	bool alone;
};

/* A name. No more than that: a table may have millions of them. */
struct cim_cont_entry {
	/* Its entry in the table, or the session's: then only the name counts. */
	const uint8_t *raw;
	struct cim_cont_node *node; /* NULL: not needed now */
};

/* Of an entry up to its name's end. */
#define CIM_CONT_NAME_ROOM (CIM_SIZE(cont_entry) + 2 * CIM_CONT_MAX_NAME)

/* Room that no table ever named. */
struct cim_cont_piece {
	uint64_t place;
	uint64_t len;
	bool dirty; /* holds something else than zeros, or nobody knows */
};

struct cim_container {
	struct cim_env env;
	struct cim_vfs below; /* env's: where the container's file is */
	void *mutex;	      /* for users, and entries' nodes */
	unsigned users;	      /* the directory, and open files */
	cim_vfs_dir *dir;     /* that has the file */
	char *name;
	cim_vfs_file *file;
	bool writes; /* a session's */
	bool device;
	bool unlocked; /* there are no locks: no other session is kept out */
	bool made;     /* by this session */
	uint32_t flags;
	uint64_t sealed_blocks;	   /* what the header says */
	struct cim_verity *verity; /* sealed, and the seal is here: nothing is read past it */
	uint64_t device_size;

	uint8_t header[CIM_SIZE(cont_header)]; /* as it was found, and so */
	uint8_t records[CIM_CONT_RECORDS][CIM_SIZE(cont_record)];
	unsigned slot; /* of the one that stands */
	struct cim_cont_record now;
	uint8_t *table; /* as it was read */
	size_t table_size;
	struct cim_cont_entry *entries; /* sorted, case folded */
	size_t count, room;
	size_t gone; /* so many of them are removed, and have this node: */
	struct cim_cont_node no_node;

	uint64_t next; /* the first byte that nobody has */
	struct cim_cont_piece *free;
	size_t free_count, free_room;
	bool lost_room;	      /* of which nobody knows what it holds */
	bool removed;	      /* a published name is gone, which isn't published yet */
	bool committed;	      /* this session has published */
	enum cim_status late; /* for the next sync_dir() */
	long late_error;
};

/* Whole blocks for so many bytes, at most INT64_MAX of them. */
static inline uint64_t cim_cont_whole(uint64_t bytes)
{
	return (bytes + CIM_CONT_BLOCK - 1) / CIM_CONT_BLOCK * CIM_CONT_BLOCK;
}

/* ---- contread.c ---- */

/* Read and check all of it: header, records, table. c->file is open. @root: the root hash that it
 * must have been sealed with, CIM_VERITY_DIGEST bytes; NULL: any, or none. */
enum cim_status cim_cont_load(struct cim_container *c, const uint8_t *root, struct cim_error *err);

/* ---- contverify.c ---- */

/* Find the seal that the header tells of, in a file of @size bytes. Of a device that ends before it
 * (veritysetup shows such ones) the header's word is taken, unless @root is given. */
enum cim_status cim_cont_open_seal(struct cim_container *c, uint64_t size, const uint8_t *root,
				   struct cim_error *err);
/* Read of the container's bytes; what is sealed is checked first. */
enum cim_status cim_cont_read(struct cim_container *c, uint64_t place, void *buf, size_t len,
			      size_t *got, struct cim_error *err);
/* CIM_E_CORRUPT: they aren't all there. */
enum cim_status cim_cont_read_all(struct cim_container *c, uint64_t place, void *buf, size_t len,
				  struct cim_error *err);

/* ---- contseal.c ---- */

/* Seal what a session has opened, and has done nothing with. @root: CIM_VERITY_DIGEST bytes. */
enum cim_status cim_cont_seal(struct cim_container *c, uint8_t *root, struct cim_error *err);

/* ---- conttable.c ---- */

/* Check a table that lies in c->table and make entries of it. */
enum cim_status cim_cont_take_table(struct cim_container *c, struct cim_error *err);
/* An entry of that name, of CIM_CONT_NAME_ROOM bytes at most; false: it can't be one. */
bool cim_cont_encode_name(const char *name, uint8_t *raw);
/* The entry of that name, or NULL; *at is where it is, or belongs. */
struct cim_cont_entry *cim_cont_find(const struct cim_container *c, const char *name, size_t *at);
/* Its node; NULL: no memory. */
struct cim_cont_node *cim_cont_node_of(struct cim_container *c, struct cim_cont_entry *entry);
void cim_cont_node_put(struct cim_container *c, struct cim_cont_node *node);
/* A name for @node, to be inserted, for which there is room then; CIM_E_NO_MEMORY, CIM_E_INVALID.
 */
enum cim_status cim_cont_make_entry(struct cim_container *c, const char *name,
				    struct cim_cont_node *node, struct cim_cont_entry *entry);
/* Its name isn't there. */
void cim_cont_insert(struct cim_container *c, const struct cim_cont_entry *entry);
/* A name goes: the one at @at. */
void cim_cont_remove(struct cim_container *c, size_t at);
static inline bool cim_cont_is_gone(const struct cim_container *c,
				    const struct cim_cont_entry *entry)
{
	return entry->node == &c->no_node;
}
/* The caller's now: to be inserted again, or dropped. */
struct cim_cont_entry cim_cont_take_out(struct cim_container *c, size_t at);
void cim_cont_drop(struct cim_container *c, struct cim_cont_entry *entry);
/* The name as WTF-8; @text has room for 3 * CIM_CONT_MAX_NAME + 1 bytes. */
void cim_cont_name_text(const struct cim_cont_entry *entry, char *text);
/* What head, table and all extents take; the published state's. */
uint64_t cim_cont_used(const struct cim_container *c);
/* A session's, which no table ever names. */
bool cim_cont_is_private(const struct cim_cont_entry *entry);
/* The table that the entries make, but for private files. NULL: no memory, or *size is over the
 * limit. */
uint8_t *cim_cont_make_table(struct cim_container *c, size_t *size);
void cim_cont_free_entries(struct cim_container *c);

/* ---- contwrite.c ---- */

/* These two as the calls of a struct cim_vfs, of a session's own file. */
enum cim_status cim_cont_write(struct cim_container *c, struct cim_cont_node *node, uint64_t offset,
			       const void *buf, size_t len, long *os_error);
enum cim_status cim_cont_truncate(struct cim_container *c, struct cim_cont_node *node,
				  uint64_t size, long *os_error);
/* Before it is published: the rest of its last block is zeros, and it has no room to spare. */
enum cim_status cim_cont_settle(struct cim_container *c, struct cim_cont_node *node,
				long *os_error);
/* What its extents take is nobody's. */
void cim_cont_release(struct cim_container *c, struct cim_cont_node *node);
/* Make all room that nobody has, up to c->next, zeros; the last of it is cut off. */
enum cim_status cim_cont_clear_free(struct cim_container *c, long *os_error);
/* Room in one piece. */
enum cim_status cim_cont_take_room(struct cim_container *c, uint64_t len, uint64_t *place,
				   long *os_error);
void cim_cont_give_room(struct cim_container *c, uint64_t place, uint64_t len, bool dirty);
/* Bytes into room that is the session's. */
enum cim_status cim_cont_put_bytes(struct cim_container *c, uint64_t place, const void *buf,
				   size_t len, long *os_error);
enum cim_status cim_cont_write_zeros(struct cim_container *c, uint64_t place, uint64_t len,
				     long *os_error);
/* The extent that byte @offset is in, NULL behind the last. */
const struct cim_extent *cim_cont_extent_at(const struct cim_cont_node *node, uint64_t offset);

/* ---- contsame.c ---- */

/* Is it still the container that was opened (D35)? CIM_E_SHARING if not. */
enum cim_status cim_cont_check_unchanged(struct cim_container *c, long *os_error);

/* ---- contcommit.c ---- */

enum cim_status cim_cont_commit(struct cim_container *c, long *os_error);
/* Make an empty container, under a private name first; it gets c->name once it is whole and open,
 * with the session's lock. CIM_E_EXISTS: the name is taken. */
enum cim_status cim_cont_make_file(struct cim_container *c, bool *unlocked, struct cim_error *err);
/* The same on c->file, a device, if there is nothing on it, or @force. */
enum cim_status cim_cont_make_on_device(struct cim_container *c, bool force, struct cim_error *err);
/* Open c->file to be written, with the session's lock. *unlocked: there are no locks. */
enum cim_status cim_cont_open_to_write(struct cim_container *c, const char *name, bool *unlocked,
				       struct cim_error *err);
/* Has the session files that it hasn't published? */
bool cim_cont_has_own(const struct cim_container *c);
/* The end of a session: what it made and hasn't published goes. */
void cim_cont_end_session(struct cim_container *c);

/* ---- contfile.c ---- */

/* An open file of a container; a cim_vfs_file * for everybody else. */
struct cim_cont_file {
	struct cim_container *c;
	struct cim_cont_node *node;
	cim_vfs_file *held; /* the container's file, opened anew and locked */
	bool writes;
	bool shares, alone; /* its locks */
};

static inline struct cim_cont_file *cim_cont_file_of(cim_vfs_file *file)
{
	return (struct cim_cont_file *)file;
}

enum cim_status cim_cont_file_size(void *ctx, cim_vfs_file *file, uint64_t *size, long *os_error);
enum cim_status cim_cont_file_pread(void *ctx, cim_vfs_file *file, uint64_t offset, void *buf,
				    size_t len, size_t *got, long *os_error);
enum cim_status cim_cont_file_pwrite(void *ctx, cim_vfs_file *file, uint64_t offset,
				     const void *buf, size_t len, long *os_error);
enum cim_status cim_cont_file_truncate(void *ctx, cim_vfs_file *file, uint64_t size,
				       long *os_error);
enum cim_status cim_cont_file_sync(void *ctx, cim_vfs_file *file, long *os_error);
intptr_t cim_cont_file_map(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len,
			   uint64_t *place);
enum cim_status cim_cont_file_next_data(void *ctx, cim_vfs_file *file, uint64_t offset,
					uint64_t *data, long *os_error);
bool cim_cont_file_corrupt_text(void *ctx, cim_vfs_file *file, uint64_t offset, size_t len,
				char *buf, size_t size);

/* ---- contvfs.c ---- */

/* The container as a file system: what is opened there is its one directory. */
void cim_cont_vfs(struct cim_container *c, struct cim_vfs *vfs);
/* NULL: the directory is none of these. */
struct cim_container *cim_cont_of(const struct cim_vfs *vfs, cim_vfs_dir *dir);
void cim_cont_put(struct cim_container *c);
/* The root hash that all of the directory is checked by; NULL: none. */
const uint8_t *cim_cont_root(const struct cim_vfs *vfs, cim_vfs_dir *dir);

#endif
