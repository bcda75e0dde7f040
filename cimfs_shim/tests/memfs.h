/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfs.h - a whole environment in memory, for the tests of reader and writer
 *
 * One directory, called "mem", whose files live in memory, sparse ones at no cost. It counts what
 * is done, fails what a test tells it to, watches for handles and blocks that are never given
 * back, and knows what a power failure would leave of it: each file has its content of now and the
 * content of its last sync(), the directory its names of now and those of its last sync_dir().
 *
 *	struct memfs *m = memfs_new();
 *	m->fail_at = m->ops + 3;	the third call from now on fails
 *	struct cim_env env = memfs_env(m);
 *	...
 *	memfs_free(m);
 *
 * Its clock stands still but for sleep_ms(), its random numbers follow from m->seed. Several
 *threads may open and read files and use memory at once, without faults; all else is for one.
 */
#ifndef CIM_TESTS_MEMFS_H
#define CIM_TESTS_MEMFS_H

#include <stdatomic.h>

#include "libcim_env.h"

enum mem_op {
	MEM_OPEN_DIR,
	MEM_SYNC_DIR,
	MEM_OPEN,
	MEM_SIZE,
	MEM_PREAD,
	MEM_PWRITE,
	MEM_TRUNCATE,
	MEM_SYNC,
	MEM_LOCK,
	MEM_IS_LOCKED,
	MEM_RENAME,
	MEM_REMOVE,
	MEM_LIST,
	MEM_HOLD,
	MEM_NEXT_DATA,
	MEM_IS_NAMED,
	MEM_OPS
};

extern const char *const mem_op_names[MEM_OPS];

struct mem_inode;

struct mem_name {
	char name[300];
	struct mem_inode *inode;
};

struct mem_names {
	struct mem_name *at;
	size_t count, room;
};

/* A file whose bytes are the test's own (memfs_lend()). */
struct mem_flat {
	char name[300];
	uint8_t *bytes;
	size_t size, room;
};

/* A change of names that sync_dir() hasn't made last. */
struct mem_change {
	char from[300]; /* "": nothing disappears */
	char to[300];	/* "": nothing appears */
	struct mem_inode *inode;
};

struct memfs {
	struct cim_vfs vfs;

	/* faults: the call number @fail_at (counted by @ops) fails with @fail_status */
	atomic_ulong ops;
	unsigned long fail_at; /* 0: none */
	bool fail_on;	       /* and so do all that follow */
	bool spare_remove;     /* but remove() and rename() of private names go on working */
	enum cim_status fail_status;
	long fail_os_error;
	unsigned long failed; /* calls that were failed */
	enum mem_op first_failed;
	char first_failed_name[300];
	uint64_t space;	   /* bytes that may still be written; then CIM_E_DISK_FULL */
	uint64_t max_file; /* a larger file is CIM_E_TOO_LARGE */

	/* what was done */
	atomic_ulong count[MEM_OPS];
	_Atomic uint64_t bytes_read;
	uint64_t bytes_written;
	atomic_long open_files, open_dirs;
	atomic_long peak_open_files;
	bool misused; /* a write to a file that was opened for reading, an unknown mode, ... */

	/* @before is called before each operation, @changed after each that changed something */
	void (*before)(struct memfs *m, enum mem_op op, const char *name);
	void (*changed)(struct memfs *m, enum mem_op op, const char *name);
	void *arg;

	/* files */
	struct mem_names now, synced;
	struct mem_change *changes; /* since the last sync_dir() */
	size_t change_count, change_room;
	struct mem_inode *inodes;
	_Atomic(cim_vfs_file *) closed;
	bool dir_locked;
	bool no_locks;	     /* of any kind: CIM_E_UNSUPPORTED */
	bool lose_answer;    /* rename() to a .cim takes place, but fails with CIM_E_IO */
	const char *held;    /* rename() over this name is CIM_E_SHARING ... */
	uint64_t held_until; /* ... until then */

	/* memory */
	atomic_long blocks, bytes, peak_bytes;
	atomic_ulong allocs;
	unsigned long fail_alloc; /* allocation number that fails, 0: none */
	bool fail_alloc_on;
	size_t never_alloc; /* nor does one of just so many bytes work, which counts as no failure
			     */
	unsigned long failed_allocs;
	long mutexes;
	bool mutex_misused;

	/* clock and random numbers */
	uint64_t clock_ms, slept_ms;
	uint64_t seed;
	bool random_fails;
	int (*progress)(void *ctx, const struct cim_progress *progress);
};

struct memfs *memfs_new(void);
void memfs_free(struct memfs *m);
struct cim_env memfs_env(struct memfs *m);

/* No handle, block, lock or mutex is left, and nothing was misused; else *why tells. */
bool memfs_is_clean(const struct memfs *m, const char **why);

/* Behind the library's back, without faults and counting. A file may be read whole only if it is
 * small. */
void memfs_put(struct memfs *m, const char *name, const void *bytes, size_t size);
/* A file to be read only. Bytes and size stay the test's: what it changes shows at once, even in a
 * file that is open. */
void memfs_lend(struct memfs *m, const struct mem_flat *flat);
/* For vfs->map: the address of an open file's struct mem_flat. */
intptr_t memfs_map(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len, uint64_t *place);
/* A block device of that size, all zeros. */
void memfs_put_device(struct memfs *m, const char *name, uint64_t size);
void memfs_unlink(struct memfs *m, const char *name);
void memfs_shorten(struct memfs *m, const char *name, uint64_t size);
/* As if the file had never been synced. */
void memfs_unsync(struct memfs *m, const char *name);
void memfs_copy(struct memfs *from, const char *name, struct memfs *to, const char *new_name);
bool memfs_exists(const struct memfs *m, const char *name);
uint64_t memfs_size(const struct memfs *m, const char *name);
/* Bytes that really take room. */
uint64_t memfs_allocated(const struct memfs *m, const char *name);
void memfs_peek(const struct memfs *m, const char *name, uint64_t offset, void *buf, size_t len);
void memfs_poke(struct memfs *m, const char *name, uint64_t offset, const void *buf, size_t len);
/* How many names begin like this. */
size_t memfs_count_names(const struct memfs *m, const char *prefix);
/* The first name that begins like this, NULL if there is none. */
const char *memfs_find_name(const struct memfs *m, const char *prefix);
bool memfs_same_file(const struct memfs *a, const char *name_a, const struct memfs *b,
		     const char *name_b);
/* All of it, names and bytes, in one number; private to a test run (addresses go in). */
uint64_t memfs_fingerprint(const struct memfs *m);
/* Names and bytes of the files, but for those that begin with @but (NULL: none); stable. */
uint64_t memfs_digest(const struct memfs *m, const char *but);
/* An independent copy of the directory as it is now, all of it synced. */
struct memfs *memfs_clone(const struct memfs *m);

/* What a power failure leaves of the contents. */
enum mem_loss {
	MEM_LOSE_UNSYNCED, /* each file as at its last sync(), empty if there was none */
	MEM_LOSE_NOTHING,  /* everything arrived */
	MEM_LOSE_ZEROS,	   /* sizes arrived, unsynced bytes read as zero */
	MEM_LOSE_SOME,	   /* any mixture, by @seed */
	MEM_LOSSES
};

/* A directory as it may look after a power failure now. @names: bit i tells whether unsynced change
 * i of the names arrived. */
struct memfs *memfs_after_power_loss(const struct memfs *m, uint64_t names, enum mem_loss loss,
				     uint64_t seed);

#endif
