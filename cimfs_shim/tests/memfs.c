/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfs.c - see memfs.h
 *
 * A file's content is a sorted list of chunks; what has none reads as zero. Chunks are shared
 * between contents and copied when one is written to, so that the content of the last sync and
 * that of now, and all the directories that a power failure may leave, cost next to nothing.
 */
#include "memfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHUNK 4096u

const char *const mem_op_names[MEM_OPS] = {
	"open_dir", "sync_dir",	 "open",   "size",   "pread", "pwrite", "truncate",  "sync",
	"lock",	    "is_locked", "rename", "remove", "list",  "hold",	"next_data", "is_named",
};

/* ---- contents ---- */

struct chunk {
	unsigned users;
	uint8_t bytes[CHUNK];
};

struct slot {
	uint64_t index;
	struct chunk *chunk;
};

struct content {
	uint64_t size;
	struct slot *slots;
	size_t count, room;
};

struct mem_inode {
	struct mem_inode *next;
	struct content now, synced;
	const struct mem_flat *flat; /* NULL: the content is in @now */
	struct mem_lock *locks;
	size_t lock_count, lock_room;
	uint64_t device_size; /* 0: it is no device */
};

struct mem_lock {
	const struct cim_vfs_file *owner;
	uint64_t number;
	bool alone;
};

static void *need(void *p)
{
	if (!p) {
		fputs("Bail out! the test itself is out of memory\n", stdout);
		exit(1);
	}
	return p;
}

static void drop_chunk(struct chunk *chunk)
{
	if (!--chunk->users)
		free(chunk);
}

static void clear_content(struct content *c)
{
	for (size_t i = 0; i < c->count; i++)
		drop_chunk(c->slots[i].chunk);
	free(c->slots);
	memset(c, 0, sizeof(*c));
}

static void copy_content(struct content *to, const struct content *from)
{
	clear_content(to);
	to->size = from->size;
	to->count = to->room = from->count;
	if (!from->count)
		return;
	to->slots = need(malloc(from->count * sizeof(*to->slots)));
	memcpy(to->slots, from->slots, from->count * sizeof(*to->slots));
	for (size_t i = 0; i < to->count; i++)
		to->slots[i].chunk->users++;
}

/* Position of chunk @index, or where it belongs. */
static size_t find_slot(const struct content *c, uint64_t index, bool *found)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->slots[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < c->count && c->slots[low].index == index;
	return low;
}

static void insert_slot(struct content *c, size_t at, uint64_t index, struct chunk *chunk)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 16;
		c->slots = need(realloc(c->slots, c->room * sizeof(*c->slots)));
	}
	memmove(c->slots + at + 1, c->slots + at, (c->count - at) * sizeof(*c->slots));
	c->slots[at].index = index;
	c->slots[at].chunk = chunk;
	c->count++;
}

static struct chunk *chunk_to_write(struct content *c, uint64_t index)
{
	bool found;
	size_t at = find_slot(c, index, &found);
	struct chunk *chunk;

	if (found && c->slots[at].chunk->users == 1)
		return c->slots[at].chunk;
	chunk = need(calloc(1, sizeof(*chunk)));
	chunk->users = 1;
	if (!found) {
		insert_slot(c, at, index, chunk);
		return chunk;
	}
	memcpy(chunk->bytes, c->slots[at].chunk->bytes, CHUNK);
	drop_chunk(c->slots[at].chunk);
	c->slots[at].chunk = chunk;
	return chunk;
}

static void write_content(struct content *c, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	if (offset + len > c->size)
		c->size = offset + len;
	while (len) {
		size_t in = (size_t)(offset % CHUNK), part = CHUNK - in < len ? CHUNK - in : len;

		memcpy(chunk_to_write(c, offset / CHUNK)->bytes + in, from, part);
		from += part;
		offset += part;
		len -= part;
	}
}

static void read_content(const struct content *c, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t in = (size_t)(offset % CHUNK), part = CHUNK - in < len ? CHUNK - in : len;
		bool found;
		size_t at = find_slot(c, offset / CHUNK, &found);

		if (found)
			memcpy(to, c->slots[at].chunk->bytes + in, part);
		else
			memset(to, 0, part);
		to += part;
		offset += part;
		len -= part;
	}
}

static void truncate_content(struct content *c, uint64_t size)
{
	if (size < c->size) {
		uint64_t keep = (size + CHUNK - 1) / CHUNK;

		while (c->count && c->slots[c->count - 1].index >= keep)
			drop_chunk(c->slots[--c->count].chunk);
		if (size % CHUNK && c->count && c->slots[c->count - 1].index == size / CHUNK)
			memset(chunk_to_write(c, size / CHUNK)->bytes + size % CHUNK, 0,
			       (size_t)(CHUNK - size % CHUNK));
	}
	c->size = size;
}

/* ---- names ---- */

static bool same_name(const struct memfs *m, const char *a, const char *b)
{
	return !(m->vfs.fold_names ? strcasecmp(a, b) : strcmp(a, b));
}

static struct mem_name *find(const struct memfs *m, const struct mem_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (same_name(m, names->at[i].name, name))
			return &names->at[i];
	return NULL;
}

static void set_name(const struct memfs *m, struct mem_names *names, const char *name,
		     struct mem_inode *inode)
{
	struct mem_name *n = find(m, names, name);

	if (!n) {
		if (names->count == names->room) {
			names->room = names->room ? names->room * 2 : 16;
			names->at = need(realloc(names->at, names->room * sizeof(*names->at)));
		}
		n = &names->at[names->count++];
	}
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->inode = inode;
}

static void drop_name(const struct memfs *m, struct mem_names *names, const char *name)
{
	struct mem_name *n = find(m, names, name);

	if (n)
		*n = names->at[--names->count];
}

static void copy_names(struct mem_names *to, const struct mem_names *from)
{
	to->count = 0;
	if (from->count > to->room) {
		to->room = from->count;
		to->at = need(realloc(to->at, to->room * sizeof(*to->at)));
	}
	if (from->count)
		memcpy(to->at, from->at, from->count * sizeof(*to->at));
	to->count = from->count;
}

static void note_change(struct memfs *m, const char *from, const char *to, struct mem_inode *inode)
{
	struct mem_change *c;

	if (m->change_count == m->change_room) {
		m->change_room = m->change_room ? m->change_room * 2 : 16;
		m->changes = need(realloc(m->changes, m->change_room * sizeof(*m->changes)));
	}
	c = &m->changes[m->change_count++];
	snprintf(c->from, sizeof(c->from), "%s", from);
	snprintf(c->to, sizeof(c->to), "%s", to);
	c->inode = inode;
}

static struct mem_inode *new_inode(struct memfs *m)
{
	struct mem_inode *inode = need(calloc(1, sizeof(*inode)));

	inode->next = m->inodes;
	m->inodes = inode;
	return inode;
}

/* ---- the file system's calls ---- */

#define DIR_MAGIC  0xd1d1d1d1u
#define FILE_MAGIC 0xf1f1f1f1u

struct cim_vfs_dir {
	unsigned magic;
	bool locked;
};

struct cim_vfs_file {
	unsigned magic;
	struct cim_vfs_file *next; /* of those that were closed */
	struct mem_inode *inode;
	enum cim_vfs_mode mode;
	char name[];
};

static void check_handle(bool good)
{
	if (good)
		return;
	fputs("Bail out! a handle was used after it was closed\n", stdout);
	exit(1);
}

/* Every call begins here. CIM_OK: it may go on. */
static enum cim_status begin(struct memfs *m, enum mem_op op, const char *name, long *os_error)
{
	m->ops++;
	m->count[op]++;
	*os_error = 77; /* means nothing after CIM_OK */
	if (m->before)
		m->before(m, op, name);
	if (!m->fail_at || m->ops < m->fail_at || (m->ops > m->fail_at && !m->fail_on))
		return CIM_OK;
	if (m->spare_remove && (op == MEM_REMOVE || op == MEM_RENAME) && m->ops > m->fail_at)
		return CIM_OK;
	if (!m->failed++) {
		m->first_failed = op;
		snprintf(m->first_failed_name, sizeof(m->first_failed_name), "%s", name);
	}
	*os_error = m->fail_os_error;
	return m->fail_status;
}

static void changed(struct memfs *m, enum mem_op op, const char *name)
{
	if (m->changed)
		m->changed(m, op, name);
}

static enum cim_status mem_open_dir(void *ctx, const char *path, unsigned flags, cim_vfs_dir **dir,
				    long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_OPEN_DIR, path, os_error);

	if (status)
		return status;
	if (strcmp(path, "mem")) {
		*os_error = 2;
		return CIM_E_PATH_NOT_FOUND;
	}
	if ((flags & CIM_VFS_DIR_LOCK) && m->no_locks) {
		*os_error = 37;
		return CIM_E_UNSUPPORTED;
	}
	if ((flags & CIM_VFS_DIR_LOCK) && m->dir_locked) {
		*os_error = 11;
		return CIM_E_SHARING;
	}
	*dir = need(malloc(sizeof(**dir)));
	(*dir)->magic = DIR_MAGIC;
	(*dir)->locked = (flags & CIM_VFS_DIR_LOCK) != 0;
	if ((*dir)->locked)
		m->dir_locked = true;
	m->open_dirs++;
	return CIM_OK;
}

static void mem_close_dir(void *ctx, cim_vfs_dir *dir)
{
	struct memfs *m = ctx;

	check_handle(dir->magic == DIR_MAGIC);
	if (dir->locked)
		m->dir_locked = false;
	m->open_dirs--;
	dir->magic = 0;
	free(dir);
}

static enum cim_status mem_sync_dir(void *ctx, cim_vfs_dir *dir, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_SYNC_DIR, "", os_error);

	check_handle(dir->magic == DIR_MAGIC);
	if (status)
		return status;
	copy_names(&m->synced, &m->now);
	m->change_count = 0;
	changed(m, MEM_SYNC_DIR, "");
	return CIM_OK;
}

static void raise_peak(atomic_long *peak, long value)
{
	long seen = *peak;

	while (value > seen && !atomic_compare_exchange_weak(peak, &seen, value))
		;
}

static cim_vfs_file *new_file(struct memfs *m, struct mem_inode *inode, enum cim_vfs_mode mode,
			      const char *name)
{
	cim_vfs_file *file = need(calloc(1, sizeof(*file) + strlen(name) + 1));

	file->magic = FILE_MAGIC;
	file->inode = inode;
	file->mode = mode;
	memcpy(file->name, name, strlen(name));
	raise_peak(&m->peak_open_files, 1 + atomic_fetch_add(&m->open_files, 1));
	return file;
}

static enum cim_status mem_open(void *ctx, cim_vfs_dir *dir, const char *name,
				enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_OPEN, name, os_error);
	struct mem_name *n = find(m, &m->now, name);
	struct mem_inode *inode = n ? n->inode : NULL;

	check_handle(dir->magic == DIR_MAGIC);
	if (!*name || strchr(name, '/') || strlen(name) > 255)
		m->misused = true;
	if (status)
		return status;
	if (!n && mode != CIM_VFS_CREATE) {
		*os_error = 2;
		return CIM_E_FILE_NOT_FOUND;
	}
	if (n && mode == CIM_VFS_CREATE) {
		*os_error = 17;
		return CIM_E_EXISTS;
	}
	if (!n) {
		inode = new_inode(m);
		set_name(m, &m->now, name, inode);
		note_change(m, "", name, inode);
	}
	if (inode->flat && mode != CIM_VFS_READ && mode != CIM_VFS_READ_ANY)
		m->misused = true;
	if (inode->device_size && mode != CIM_VFS_READ_ANY && mode != CIM_VFS_WRITE_ANY)
		return CIM_E_ACCESS;
	*file = new_file(m, inode, mode, name);
	if (!n)
		changed(m, MEM_OPEN, name);
	return CIM_OK;
}

#define ANY_NUMBER UINT64_MAX

static void drop_locks(const cim_vfs_file *file, uint64_t number)
{
	struct mem_inode *inode = file->inode;
	size_t kept = 0;

	/* Several threads close files that nobody has locked. */
	if (!inode->lock_count)
		return;
	for (size_t i = 0; i < inode->lock_count; i++)
		if (inode->locks[i].owner != file ||
		    (number != ANY_NUMBER && inode->locks[i].number != number))
			inode->locks[kept++] = inode->locks[i];
	inode->lock_count = kept;
}

static void mem_close(void *ctx, cim_vfs_file *file)
{
	struct memfs *m = ctx;

	check_handle(file->magic == FILE_MAGIC);
	drop_locks(file, ANY_NUMBER);
	m->open_files--;
	file->magic = 0;
	/* Kept, so that a later use of it is noticed. */
	file->next = m->closed;
	while (!atomic_compare_exchange_weak(&m->closed, &file->next, file))
		;
}

static uint64_t size_of(const struct mem_inode *inode)
{
	if (inode->device_size)
		return inode->device_size;
	return inode->flat ? inode->flat->size : inode->now.size;
}

static bool may_write(const cim_vfs_file *file)
{
	return file->mode == CIM_VFS_CREATE || file->mode == CIM_VFS_WRITE_ANY;
}

static enum cim_status mem_size(void *ctx, cim_vfs_file *file, uint64_t *size, long *os_error)
{
	enum cim_status status = begin(ctx, MEM_SIZE, file->name, os_error);

	check_handle(file->magic == FILE_MAGIC);
	if (!status)
		*size = size_of(file->inode);
	return status;
}

static enum cim_status mem_pread(void *ctx, cim_vfs_file *file, uint64_t offset, void *buf,
				 size_t len, size_t *got, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_PREAD, file->name, os_error);
	const struct mem_inode *inode = file->inode;
	uint64_t size = size_of(inode);

	*got = 0;
	check_handle(file->magic == FILE_MAGIC);
	if (status)
		return status;
	if (offset < size)
		*got = len < size - offset ? len : (size_t)(size - offset);
	if (!inode->flat)
		read_content(&inode->now, offset, buf, *got);
	else if (*got)
		memcpy(buf, inode->flat->bytes + offset, *got);
	m->bytes_read += *got;
	return CIM_OK;
}

static enum cim_status mem_pwrite(void *ctx, cim_vfs_file *file, uint64_t offset, const void *buf,
				  size_t len, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_PWRITE, file->name, os_error);
	size_t fits = len;

	check_handle(file->magic == FILE_MAGIC);
	if (!may_write(file))
		m->misused = true;
	if (status == CIM_E_DISK_FULL || status == CIM_E_IO)
		fits = len / 2; /* a failed write leaves any part of it behind */
	else if (status)
		return status;
	if (fits > m->space)
		fits = (size_t)m->space;
	if (file->inode->device_size) {
		const uint64_t end = file->inode->device_size;

		if (offset >= end)
			fits = 0;
		else if (fits > end - offset)
			fits = (size_t)(end - offset);
	}
	if (offset + len > m->max_file) {
		*os_error = 27;
		return CIM_E_TOO_LARGE;
	}
	m->space -= fits;
	m->bytes_written += fits;
	if (fits)
		write_content(&file->inode->now, offset, buf, fits);
	if (!status && fits < len) {
		*os_error = 28;
		status = CIM_E_DISK_FULL;
	}
	changed(m, MEM_PWRITE, file->name);
	return status;
}

static enum cim_status mem_truncate(void *ctx, cim_vfs_file *file, uint64_t size, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_TRUNCATE, file->name, os_error);

	check_handle(file->magic == FILE_MAGIC);
	if (!may_write(file))
		m->misused = true;
	if (status)
		return status;
	if (file->inode->device_size)
		m->misused = true;
	if (size > m->max_file) {
		*os_error = 27;
		return CIM_E_TOO_LARGE;
	}
	truncate_content(&file->inode->now, size);
	changed(m, MEM_TRUNCATE, file->name);
	return CIM_OK;
}

static enum cim_status mem_sync(void *ctx, cim_vfs_file *file, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_SYNC, file->name, os_error);

	check_handle(file->magic == FILE_MAGIC);
	if (file->mode == CIM_VFS_READ || file->mode == CIM_VFS_READ_ANY)
		m->misused = true;
	if (status)
		return status;
	copy_content(&file->inode->synced, &file->inode->now);
	changed(m, MEM_SYNC, file->name);
	return CIM_OK;
}

/* Who would wait here would wait for ever: that is refused as if nobody waited. */
static enum cim_status take_lock(const struct memfs *m, cim_vfs_file *file, uint64_t number,
				 bool alone, long *os_error)
{
	struct mem_inode *inode = file->inode;

	if (number >= CIM_VFS_LOCKS) {
		*os_error = 22;
		return CIM_E_INVALID;
	}
	if (m->no_locks) {
		*os_error = 37;
		return CIM_E_UNSUPPORTED;
	}
	for (size_t i = 0; i < inode->lock_count; i++) {
		const struct mem_lock *lock = &inode->locks[i];

		if (lock->number != number || lock->owner == file || !(lock->alone || alone))
			continue;
		*os_error = 11;
		return CIM_E_SHARING;
	}
	drop_locks(file, number);
	if (inode->lock_count == inode->lock_room) {
		inode->lock_room = inode->lock_room ? inode->lock_room * 2 : 4;
		inode->locks =
			need(realloc(inode->locks, inode->lock_room * sizeof(*inode->locks)));
	}
	inode->locks[inode->lock_count++] = (struct mem_lock){file, number, alone};
	return CIM_OK;
}

static enum cim_status mem_lock(void *ctx, cim_vfs_file *file, uint64_t number,
				enum cim_vfs_lock how, bool wait, long *os_error)
{
	enum cim_status status = begin(ctx, MEM_LOCK, file->name, os_error);

	(void)wait;
	if (status)
		return status;
	if (how != CIM_LOCK_NONE)
		return take_lock(ctx, file, number, how == CIM_LOCK_ALONE, os_error);
	drop_locks(file, number);
	return CIM_OK;
}

static enum cim_status mem_is_locked(void *ctx, cim_vfs_dir *dir, const char *name, uint64_t number,
				     enum cim_vfs_lock *lock, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_IS_LOCKED, name, os_error);
	const struct mem_name *n = find(m, &m->now, name);

	(void)dir;
	if (status)
		return status;
	if (!n) {
		*os_error = 2;
		return CIM_E_FILE_NOT_FOUND;
	}
	if (m->no_locks) {
		*os_error = 37;
		return CIM_E_UNSUPPORTED;
	}
	*lock = CIM_LOCK_NONE;
	for (size_t i = 0; i < n->inode->lock_count; i++)
		if (n->inode->locks[i].number == number)
			*lock = n->inode->locks[i].alone ? CIM_LOCK_ALONE : CIM_LOCK_SHARED;
	return CIM_OK;
}

static enum cim_status mem_hold(void *ctx, cim_vfs_dir *dir, const char *name, uint64_t number,
				bool alone, cim_vfs_file **file, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_HOLD, name, os_error);
	const struct mem_name *n = find(m, &m->now, name);

	check_handle(dir->magic == DIR_MAGIC);
	if (status)
		return status;
	if (!n) {
		*os_error = 2;
		return CIM_E_FILE_NOT_FOUND;
	}
	*file = new_file(m, n->inode, CIM_VFS_UPDATE, name);
	status = take_lock(m, *file, number, alone, os_error);
	if (status) {
		mem_close(m, *file);
		*file = NULL;
	}
	return status;
}

static enum cim_status mem_next_data(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *data,
				     long *os_error)
{
	enum cim_status status = begin(ctx, MEM_NEXT_DATA, file->name, os_error);
	const struct content *c = &file->inode->now;
	bool found;
	size_t at;

	check_handle(file->magic == FILE_MAGIC);
	if (status)
		return status;
	at = find_slot(c, offset / CHUNK, &found);
	*data = offset;
	if (at == c->count)
		*data = offset > c->size ? offset : c->size;
	else if (!found)
		*data = c->slots[at].index * CHUNK;
	return CIM_OK;
}

static enum cim_status mem_is_named(void *ctx, cim_vfs_dir *dir, const char *name,
				    cim_vfs_file *file, bool *named, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_IS_NAMED, name, os_error);
	const struct mem_name *n = find(m, &m->now, name);

	check_handle(dir->magic == DIR_MAGIC && file->magic == FILE_MAGIC);
	if (status)
		return status;
	*named = n && n->inode == file->inode;
	return CIM_OK;
}

static bool mem_is_device(void *ctx, cim_vfs_file *file)
{
	(void)ctx;
	check_handle(file->magic == FILE_MAGIC);
	return file->inode->device_size;
}

static enum cim_status mem_rename(void *ctx, cim_vfs_dir *dir, const char *from, const char *to,
				  unsigned flags, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_RENAME, to, os_error);
	const struct mem_name *n = find(m, &m->now, from);
	struct mem_inode *inode;

	check_handle(dir->magic == DIR_MAGIC);
	if (!*from || !*to)
		m->misused = true;
	if (status)
		return status;
	if (!n) {
		*os_error = 2;
		return CIM_E_FILE_NOT_FOUND;
	}
	if ((flags & CIM_VFS_NOREPLACE) && find(m, &m->now, to)) {
		*os_error = 17;
		return CIM_E_EXISTS;
	}
	if (m->held && same_name(m, m->held, to) && m->clock_ms < m->held_until) {
		*os_error = 32;
		return CIM_E_SHARING;
	}
	inode = n->inode;
	note_change(m, from, to, inode);
	drop_name(m, &m->now, from);
	set_name(m, &m->now, to, inode);
	changed(m, MEM_RENAME, to);
	if (m->lose_answer && strlen(to) > 4 && !strcmp(to + strlen(to) - 4, ".cim")) {
		*os_error = 5;
		return CIM_E_IO;
	}
	return CIM_OK;
}

static enum cim_status mem_remove(void *ctx, cim_vfs_dir *dir, const char *name, long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_REMOVE, name, os_error);

	check_handle(dir->magic == DIR_MAGIC);
	if (!*name)
		m->misused = true;
	if (status)
		return status;
	if (!find(m, &m->now, name)) {
		*os_error = 2;
		return CIM_E_FILE_NOT_FOUND;
	}
	note_change(m, name, "", NULL);
	drop_name(m, &m->now, name);
	changed(m, MEM_REMOVE, name);
	return CIM_OK;
}

static enum cim_status mem_list(void *ctx, cim_vfs_dir *dir,
				enum cim_status (*each)(void *arg, const char *name), void *arg,
				long *os_error)
{
	struct memfs *m = ctx;
	enum cim_status status = begin(m, MEM_LIST, "", os_error);
	struct mem_names names = {0};

	check_handle(dir->magic == DIR_MAGIC);
	copy_names(&names, &m->now);
	for (size_t i = 0; i < names.count && !status; i++) {
		*os_error = 0;
		status = each(arg, names.at[i].name);
	}
	free(names.at);
	return status;
}

/* ---- memory, locks, clock, random numbers ---- */

enum { SPOILED = 65536, GUARD = 16 };

struct block {
	size_t size;
	size_t pad; /* keeps what follows aligned */
};

/* New and freed memory holds rubbish; of large buffers the beginning must do, for speed. */
static void spoil(void *p, int value, size_t size)
{
	memset(p, value, size < SPOILED ? size : SPOILED);
}

/* Behind each block lies what nobody may write: not the same as behind another, as what is read
 * past one's end may be written past the other's. */
static uint8_t guard_of(size_t size)
{
	return (uint8_t)(0x5c + 7 * size);
}

static void check_guard(const struct block *b)
{
	const uint8_t *guard = (const uint8_t *)(b + 1) + b->size;

	for (size_t i = 0; i < GUARD; i++) {
		if (guard[i] == guard_of(b->size))
			continue;
		fprintf(stderr, "memfs: byte %zu behind a block of %zu was written\n", i, b->size);
		abort();
	}
}

static void mem_free(void *ctx, void *p)
{
	struct memfs *m = ctx;
	struct block *b = p;

	if (!p)
		return;
	b--;
	check_guard(b);
	m->blocks--;
	m->bytes -= (long)b->size;
	spoil(p, 0xdd, b->size);
	free(b);
}

static void *mem_realloc(void *ctx, void *p, size_t size)
{
	struct memfs *m = ctx;
	struct block *b;

	m->allocs++;
	if (!size)
		m->misused = true;
	if (m->fail_alloc &&
	    (m->allocs == m->fail_alloc || (m->allocs > m->fail_alloc && m->fail_alloc_on))) {
		m->failed_allocs++;
		return NULL;
	}
	if (size > (size_t)1 << 32 || size == m->never_alloc)
		return NULL;
	b = malloc(sizeof(*b) + size + GUARD);
	if (!b)
		return NULL;
	b->size = size;
	spoil(b + 1, 0xa5, size);
	memset((uint8_t *)(b + 1) + size, guard_of(size), GUARD);
	m->blocks++;
	raise_peak(&m->peak_bytes, (long)size + atomic_fetch_add(&m->bytes, (long)size));
	if (p) {
		size_t old = ((struct block *)p - 1)->size;

		memcpy(b + 1, p, old < size ? old : size);
		mem_free(m, p);
	}
	return b + 1;
}

static void *mem_mutex_new(void *ctx)
{
	struct memfs *m = ctx;
	bool *mutex = mem_realloc(m, NULL, sizeof(bool));

	if (!mutex)
		return NULL;
	*mutex = false;
	m->mutexes++;
	return mutex;
}

static void mem_mutex_free(void *ctx, void *mutex)
{
	struct memfs *m = ctx;

	if (!mutex)
		return;
	if (*(bool *)mutex)
		m->mutex_misused = true;
	m->mutexes--;
	mem_free(m, mutex);
}

static void mem_mutex_lock(void *ctx, void *mutex)
{
	struct memfs *m = ctx;

	if (*(bool *)mutex) {
		m->mutex_misused = true;
		fputs("Bail out! a mutex was locked twice: the library waits for itself\n", stdout);
		exit(1);
	}
	*(bool *)mutex = true;
}

static void mem_mutex_unlock(void *ctx, void *mutex)
{
	struct memfs *m = ctx;

	if (!*(bool *)mutex)
		m->mutex_misused = true;
	*(bool *)mutex = false;
}

static uint64_t mem_now(void *ctx)
{
	return ((struct memfs *)ctx)->clock_ms;
}

static void mem_sleep(void *ctx, unsigned ms)
{
	struct memfs *m = ctx;

	m->clock_ms += ms;
	m->slept_ms += ms;
}

static enum cim_status mem_random(void *ctx, void *buf, size_t len)
{
	struct memfs *m = ctx;
	uint8_t *p = buf;

	if (m->random_fails)
		return CIM_E_IO;
	while (len--) {
		m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		*p++ = (uint8_t)(m->seed >> 56);
	}
	return CIM_OK;
}

struct memfs *memfs_new(void)
{
	struct memfs *m = need(calloc(1, sizeof(*m)));

	m->vfs.ctx = m;
	m->vfs.open_dir = mem_open_dir;
	m->vfs.close_dir = mem_close_dir;
	m->vfs.struct_size = sizeof(m->vfs);
	m->vfs.sync_dir = mem_sync_dir;
	m->vfs.open = mem_open;
	m->vfs.close = mem_close;
	m->vfs.size = mem_size;
	m->vfs.pread = mem_pread;
	m->vfs.pwrite = mem_pwrite;
	m->vfs.truncate = mem_truncate;
	m->vfs.sync = mem_sync;
	m->vfs.lock = mem_lock;
	m->vfs.is_locked = mem_is_locked;
	m->vfs.rename = mem_rename;
	m->vfs.remove = mem_remove;
	m->vfs.list = mem_list;
	m->vfs.hold = mem_hold;
	m->vfs.next_data = mem_next_data;
	m->vfs.is_named = mem_is_named;
	m->vfs.is_device = mem_is_device;
	m->fail_status = CIM_E_IO;
	m->fail_os_error = 5;
	m->space = UINT64_MAX;
	m->max_file = UINT64_C(1) << 50;
	m->seed = 1;
	return m;
}

void memfs_free(struct memfs *m)
{
	while (m->inodes) {
		struct mem_inode *inode = m->inodes;

		m->inodes = inode->next;
		clear_content(&inode->now);
		clear_content(&inode->synced);
		free(inode->locks);
		free(inode);
	}
	while (m->closed) {
		struct cim_vfs_file *file = m->closed;

		m->closed = file->next;
		free(file);
	}
	free(m->now.at);
	free(m->synced.at);
	free(m->changes);
	free(m);
}

struct cim_env memfs_env(struct memfs *m)
{
	struct cim_env env;

	memset(&env, 0, sizeof(env));
	env.struct_size = sizeof(env);
	env.mem.ctx = m;
	env.mem.realloc = mem_realloc;
	env.mem.free = mem_free;
	env.vfs = &m->vfs;
	env.random = mem_random;
	env.random_ctx = m;
	env.sha256 = cim_env_default()->sha256;
	env.sha256_ctx = cim_env_default()->sha256_ctx;
	env.now_ms = mem_now;
	env.sleep_ms = mem_sleep;
	env.clock_ctx = m;
	env.progress = m->progress;
	env.progress_ctx = m;
	env.mutex_new = mem_mutex_new;
	env.mutex_free = mem_mutex_free;
	env.mutex_lock = mem_mutex_lock;
	env.mutex_unlock = mem_mutex_unlock;
	env.thread_ctx = m;
	return env;
}

bool memfs_is_clean(const struct memfs *m, const char **why)
{
	*why = m->open_files	  ? "a file is still open"
	       : m->open_dirs	  ? "a directory is still open"
	       : m->dir_locked	  ? "the directory is still locked"
	       : m->mutexes	  ? "a mutex was not freed"
	       : m->mutex_misused ? "a mutex was misused"
	       : m->blocks	  ? "memory was not freed"
	       : m->misused	  ? "a call was misused"
				  : NULL;
	return !*why;
}

/* ---- behind the library's back ---- */

static struct mem_inode *inode_of(const struct memfs *m, const char *name)
{
	const struct mem_name *n = find(m, &m->now, name);

	if (!n) {
		printf("Bail out! the test expected a file %s\n", name);
		exit(1);
	}
	return n->inode;
}

void memfs_put(struct memfs *m, const char *name, const void *bytes, size_t size)
{
	struct mem_inode *inode = new_inode(m);

	write_content(&inode->now, 0, bytes, size);
	copy_content(&inode->synced, &inode->now);
	set_name(m, &m->now, name, inode);
	set_name(m, &m->synced, name, inode);
}

void memfs_lend(struct memfs *m, const struct mem_flat *flat)
{
	struct mem_inode *inode = new_inode(m);

	inode->flat = flat;
	set_name(m, &m->now, flat->name, inode);
	set_name(m, &m->synced, flat->name, inode);
}

intptr_t memfs_map(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len, uint64_t *place)
{
	(void)ctx;
	(void)len;
	check_handle(file->magic == FILE_MAGIC);
	*place = offset;
	return (intptr_t)file->inode->flat;
}

void memfs_put_device(struct memfs *m, const char *name, uint64_t size)
{
	memfs_put(m, name, "", 0);
	inode_of(m, name)->device_size = size;
}

void memfs_unlink(struct memfs *m, const char *name)
{
	drop_name(m, &m->now, name);
	drop_name(m, &m->synced, name);
}

void memfs_shorten(struct memfs *m, const char *name, uint64_t size)
{
	struct mem_inode *inode = inode_of(m, name);

	truncate_content(&inode->now, size);
	copy_content(&inode->synced, &inode->now);
}

void memfs_unsync(struct memfs *m, const char *name)
{
	clear_content(&inode_of(m, name)->synced);
}

void memfs_copy(struct memfs *from, const char *name, struct memfs *to, const char *new_name)
{
	const struct mem_inode *old = inode_of(from, name);
	struct mem_inode *inode = new_inode(to);

	copy_content(&inode->now, &old->now);
	copy_content(&inode->synced, &old->now);
	set_name(to, &to->now, new_name, inode);
	set_name(to, &to->synced, new_name, inode);
}

bool memfs_exists(const struct memfs *m, const char *name)
{
	return find(m, &m->now, name) != NULL;
}

uint64_t memfs_size(const struct memfs *m, const char *name)
{
	return inode_of(m, name)->now.size;
}

uint64_t memfs_allocated(const struct memfs *m, const char *name)
{
	return (uint64_t)inode_of(m, name)->now.count * CHUNK;
}

void memfs_peek(const struct memfs *m, const char *name, uint64_t offset, void *buf, size_t len)
{
	read_content(&inode_of(m, name)->now, offset, buf, len);
}

void memfs_poke(struct memfs *m, const char *name, uint64_t offset, const void *buf, size_t len)
{
	struct mem_inode *inode = inode_of(m, name);

	write_content(&inode->now, offset, buf, len);
	copy_content(&inode->synced, &inode->now);
}

size_t memfs_count_names(const struct memfs *m, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < m->now.count; i++)
		count += !strncmp(m->now.at[i].name, prefix, strlen(prefix));
	return count;
}

const char *memfs_find_name(const struct memfs *m, const char *prefix)
{
	for (size_t i = 0; i < m->now.count; i++)
		if (!strncmp(m->now.at[i].name, prefix, strlen(prefix)))
			return m->now.at[i].name;
	return NULL;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		h = mix(h, p[i]);
	return h;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	while (len--)
		if (*p++)
			return false;
	return true;
}

bool memfs_same_file(const struct memfs *a, const char *name_a, const struct memfs *b,
		     const char *name_b)
{
	const struct content *x = &inode_of(a, name_a)->now, *y = &inode_of(b, name_b)->now;
	uint8_t one[CHUNK], two[CHUNK];

	if (x->size != y->size)
		return false;
	for (int turn = 0; turn < 2; turn++) {
		const struct content *c = turn ? y : x, *other = turn ? x : y;

		for (size_t i = 0; i < c->count; i++) {
			uint64_t at = c->slots[i].index * CHUNK;
			size_t len = c->size - at < CHUNK ? (size_t)(c->size - at) : CHUNK;

			read_content(c, at, one, len);
			read_content(other, at, two, len);
			if (memcmp(one, two, len))
				return false;
		}
	}
	return true;
}

uint64_t memfs_fingerprint(const struct memfs *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->now.count; i++) {
		const struct content *c = &m->now.at[i].inode->now;
		uint64_t h = mix_bytes(1, m->now.at[i].name, strlen(m->now.at[i].name));

		h = mix(h, c->size);
		for (size_t s = 0; s < c->count; s++)
			h = mix(mix(h, c->slots[s].index), (uintptr_t)c->slots[s].chunk);
		sum += h;
	}
	return sum;
}

uint64_t memfs_digest(const struct memfs *m, const char *but)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->now.count; i++) {
		const struct content *c = &m->now.at[i].inode->now;
		uint64_t h = mix_bytes(1, m->now.at[i].name, strlen(m->now.at[i].name));

		if (but && !strncmp(m->now.at[i].name, but, strlen(but)))
			continue;
		h = mix(h, c->size);
		for (size_t s = 0; s < c->count; s++)
			if (!is_zero(c->slots[s].chunk->bytes, CHUNK))
				h = mix_bytes(mix(h, c->slots[s].index), c->slots[s].chunk->bytes,
					      CHUNK);
		sum += h;
	}
	return sum;
}

struct memfs *memfs_clone(const struct memfs *m)
{
	return memfs_after_power_loss(m, UINT64_MAX, MEM_LOSE_NOTHING, 0);
}

/* ---- power failure ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed += UINT64_C(0x9e3779b97f4a7c15);
	return mix(*seed, *seed >> 32) ^ *seed >> 17;
}

static struct chunk *chunk_at(const struct content *c, uint64_t index)
{
	bool found;
	size_t at = find_slot(c, index, &found);

	return found ? c->slots[at].chunk : NULL;
}

static void keep_chunk(struct content *to, uint64_t index, struct chunk *chunk)
{
	bool found;
	size_t at = find_slot(to, index, &found);

	if (!chunk || found)
		return;
	chunk->users++;
	insert_slot(to, at, index, chunk);
}

/* @old: synced; @now: written since. A chunk arrived, is as it was, or reads as zero. */
static void lose(struct content *to, const struct content *old, const struct content *now,
		 enum mem_loss loss, uint64_t *seed)
{
	bool size_arrived = loss == MEM_LOSE_ZEROS || next_random(seed) % 2;

	to->size = size_arrived ? now->size : old->size;
	for (size_t i = 0; i < now->count; i++) {
		struct chunk *chunk = now->slots[i].chunk;
		struct chunk *was = chunk_at(old, now->slots[i].index);

		/* What was synced and not written to since is safe. */
		if (chunk != was && (loss == MEM_LOSE_ZEROS || next_random(seed) % 2))
			chunk = was;
		keep_chunk(to, now->slots[i].index, chunk);
	}
	for (size_t i = 0; i < old->count; i++)
		if (!chunk_at(now, old->slots[i].index) && next_random(seed) % 2)
			keep_chunk(to, old->slots[i].index, old->slots[i].chunk);
	truncate_content(to, to->size);
}

struct memfs *memfs_after_power_loss(const struct memfs *m, uint64_t arrived, enum mem_loss loss,
				     uint64_t seed)
{
	struct memfs *after = memfs_new();
	struct mem_names names = {0};

	after->vfs.fold_names = m->vfs.fold_names;
	after->vfs.windows_paths = m->vfs.windows_paths;
	after->max_file = m->max_file;
	after->seed = m->seed; /* no name is drawn twice */
	copy_names(&names, &m->synced);
	for (size_t i = 0; i < m->change_count; i++) {
		const struct mem_change *c = &m->changes[i];

		if (i < 64 && !(arrived >> i & 1))
			continue;
		/* Nothing can be renamed or removed that isn't there. */
		if (*c->from) {
			const struct mem_name *n = find(m, &names, c->from);

			if (!n || (c->inode && n->inode != c->inode))
				continue;
			drop_name(m, &names, c->from);
		}
		if (*c->to)
			set_name(m, &names, c->to, c->inode);
	}
	for (size_t i = 0; i < names.count; i++) {
		const struct mem_inode *from = names.at[i].inode;
		struct mem_inode *to = new_inode(after);

		to->device_size = from->device_size;

		if (loss == MEM_LOSE_UNSYNCED)
			copy_content(&to->now, &from->synced);
		else if (loss == MEM_LOSE_NOTHING)
			copy_content(&to->now, &from->now);
		else
			lose(&to->now, &from->synced, &from->now, loss, &seed);
		copy_content(&to->synced, &to->now);
		set_name(after, &after->now, names.at[i].name, to);
		set_name(after, &after->synced, names.at[i].name, to);
	}
	free(names.at);
	return after;
}
