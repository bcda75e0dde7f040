/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contvfs.c - a container as a file system: the calls of struct cim_vfs
 *
 * A reader has the state that stood when it opened the container, whatever is published later. A
 * session works on that state in memory: what it makes is seen by nobody else until the rename of a
 * private file to an image's name, which publishes all of it at once. So files of its own need no
 * byte locks; those of others are locked by a byte of the container's file that follows from where
 * they lie, and who asks, or holds one for itself, opens the container anew, for the locks of one
 * open file are no conflict with each other.
 *
 * Upkeep, a session without files of its own, publishes what it removed with sync_dir(), or at the
 * latest with close_dir(), which can't say that it failed.
 */
#include "container.h"
#include "mem.h"
#include "names.h"

#include <string.h>

static struct cim_container *container_of(cim_vfs_dir *dir)
{
	return (struct cim_container *)dir;
}

static void lock(struct cim_container *c)
{
	c->env.mutex_lock(c->env.thread_ctx, c->mutex);
}

static void unlock(struct cim_container *c)
{
	c->env.mutex_unlock(c->env.thread_ctx, c->mutex);
}

static enum cim_status refuse(long *os_error, enum cim_status status)
{
	*os_error = 0;
	return status;
}

/* ---- the container ---- */

static void destroy(struct cim_container *c)
{
	const struct cim_env env = c->env;
	struct cim_vfs below = c->below;

	cim_cont_free_entries(c);
	cim_free(&env, c->free);
	cim_verity_close(c->verity);
	if (c->file)
		below.close(below.ctx, c->file);
	if (c->dir)
		below.close_dir(below.ctx, c->dir);
	if (c->mutex)
		env.mutex_free(env.thread_ctx, c->mutex);
	cim_free(&env, c->name);
	cim_free(&env, c);
}

void cim_cont_put(struct cim_container *c)
{
	bool last;

	if (!c->mutex) {
		destroy(c);
		return;
	}
	lock(c);
	last = !--c->users;
	unlock(c);
	if (last)
		destroy(c);
}

static enum cim_status cont_open_dir(void *ctx, const char *path, unsigned flags, cim_vfs_dir **dir,
				     long *os_error)
{
	(void)ctx;
	(void)path;
	(void)flags;
	*dir = NULL;
	return refuse(os_error, CIM_E_PATH_NOT_FOUND);
}

static void cont_close_dir(void *ctx, cim_vfs_dir *dir)
{
	struct cim_container *c = container_of(dir);

	(void)ctx;
	if (!c)
		return;
	if (c->writes)
		cim_cont_end_session(c);
	cim_cont_put(c);
}

struct cim_container *cim_cont_of(const struct cim_vfs *vfs, cim_vfs_dir *dir)
{
	return vfs->close_dir == cont_close_dir ? container_of(dir) : NULL;
}

const uint8_t *cim_cont_root(const struct cim_vfs *vfs, cim_vfs_dir *dir)
{
	const struct cim_container *c = cim_cont_of(vfs, dir);

	return c && c->verity ? cim_verity_root(c->verity) : NULL;
}

static enum cim_status cont_sync_dir(void *ctx, cim_vfs_dir *dir, long *os_error)
{
	struct cim_container *c = container_of(dir);
	enum cim_status status = CIM_OK;

	(void)ctx;
	*os_error = 0;
	if (c->removed && !cim_cont_has_own(c))
		status = cim_cont_commit(c, os_error);
	if (status)
		return status;
	status = c->late;
	*os_error = c->late_error;
	c->late = CIM_OK;
	return status;
}

static enum cim_status cont_list(void *ctx, cim_vfs_dir *dir,
				 enum cim_status (*each)(void *arg, const char *name), void *arg,
				 long *os_error)
{
	const struct cim_container *c = container_of(dir);
	char text[3 * CIM_CONT_MAX_NAME + 1];
	enum cim_status status = CIM_OK;

	(void)ctx;
	*os_error = 0;
	for (size_t i = 0; i < c->count && !status; i++) {
		if (cim_cont_is_gone(c, &c->entries[i]))
			continue;
		cim_cont_name_text(&c->entries[i], text);
		status = each(arg, text);
	}
	return status;
}

/* ---- opening ---- */

static struct cim_cont_file *new_inner(struct cim_container *c, struct cim_cont_node *node)
{
	struct cim_cont_file *file = node ? cim_zalloc(&c->env, sizeof(*file)) : NULL;

	if (!file)
		return NULL;
	file->c = c;
	file->node = node;
	node->users++;
	c->users++;
	return file;
}

static enum cim_status create(struct cim_container *c, const char *name,
			      struct cim_cont_file **file)
{
	struct cim_cont_node *node = cim_zalloc(&c->env, sizeof(*node));
	struct cim_cont_entry entry;
	enum cim_status status;

	if (!node)
		return CIM_E_NO_MEMORY;
	node->own = true;
	status = cim_cont_make_entry(c, name, node, &entry);
	if (status) {
		cim_free(&c->env, node);
		return status;
	}
	*file = new_inner(c, node);
	if (!*file) {
		cim_cont_drop(c, &entry);
		return CIM_E_NO_MEMORY;
	}
	(*file)->writes = true;
	cim_cont_insert(c, &entry);
	return CIM_OK;
}

static enum cim_status open_inner(struct cim_container *c, const char *name, bool makes,
				  struct cim_cont_file **file)
{
	uint8_t raw[CIM_CONT_NAME_ROOM];
	struct cim_cont_entry *entry;
	size_t at;

	if (!cim_cont_encode_name(name, raw))
		return CIM_E_INVALID;
	entry = cim_cont_find(c, name, &at);
	if (makes && entry)
		return CIM_E_EXISTS;
	if (makes)
		return c->writes ? create(c, name, file) : CIM_E_ACCESS;
	if (!entry)
		return CIM_E_FILE_NOT_FOUND;
	*file = new_inner(c, cim_cont_node_of(c, entry));
	return *file ? CIM_OK : CIM_E_NO_MEMORY;
}

static enum cim_status cont_open(void *ctx, cim_vfs_dir *dir, const char *name,
				 enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	struct cim_container *c = container_of(dir);
	struct cim_cont_file *inner = NULL;
	enum cim_status status;

	(void)ctx;
	lock(c);
	status = open_inner(c, name, mode == CIM_VFS_CREATE, &inner);
	unlock(c);
	*file = (cim_vfs_file *)inner;
	return refuse(os_error, status);
}

/* ---- locks ---- */

/* The number of a published file's lock, among those of the container's file. */
static uint64_t lock_number(const struct cim_cont_node *node)
{
	for (size_t i = 0; i < node->count; i++)
		if (node->extents[i].place)
			return 1 + node->extents[i].place / CIM_CONT_BLOCK;
	return 1;
}

static enum cim_status lock_own(struct cim_cont_file *file, enum cim_vfs_lock how)
{
	struct cim_cont_node *node = file->node;
	const unsigned others = node->sharers - file->shares;

	if (how != CIM_LOCK_NONE &&
	    ((node->alone && !file->alone) || (how == CIM_LOCK_ALONE && others)))
		return CIM_E_SHARING;
	node->sharers = others + (how == CIM_LOCK_SHARED);
	if (file->alone || how == CIM_LOCK_ALONE)
		node->alone = how == CIM_LOCK_ALONE;
	file->shares = how == CIM_LOCK_SHARED;
	file->alone = how == CIM_LOCK_ALONE;
	return CIM_OK;
}

/* By the container's own open file, which has each byte once, however often it is shared here. */
static enum cim_status lock_published(struct cim_cont_file *file, enum cim_vfs_lock how, bool wait,
				      long *os_error)
{
	const struct cim_vfs *below = &file->c->below;
	struct cim_cont_node *node = file->node;
	enum cim_status status = CIM_OK;

	if (how == CIM_LOCK_ALONE)
		return CIM_E_UNSUPPORTED;
	if (file->shares == (how == CIM_LOCK_SHARED))
		return CIM_OK;
	if (node->sharers == file->shares)
		status = below->lock(below->ctx, file->c->file, lock_number(node), how, wait,
				     os_error);
	if (status)
		return status;
	node->sharers += how == CIM_LOCK_SHARED ? 1 : -1;
	file->shares = how == CIM_LOCK_SHARED;
	return CIM_OK;
}

static enum cim_status cont_lock(void *ctx, cim_vfs_file *file, uint64_t number,
				 enum cim_vfs_lock how, bool wait, long *os_error)
{
	struct cim_cont_file *inner = cim_cont_file_of(file);

	(void)ctx;
	*os_error = 0;
	if (number)
		return CIM_E_UNSUPPORTED;
	if (inner->node->own || inner->alone)
		return lock_own(inner, how);
	return lock_published(inner, how, wait, os_error);
}

/* The container's file anew, with the lock; it must be the one that is open. */
static enum cim_status hold_published(struct cim_cont_file *file, bool alone, long *os_error)
{
	struct cim_container *c = file->c;
	const struct cim_vfs *below = &c->below;
	bool named = true;
	enum cim_status status;

	if (!below->hold)
		return CIM_E_UNSUPPORTED;
	status = below->hold(below->ctx, c->dir, c->name, lock_number(file->node), alone,
			     &file->held, os_error);
	if (status) {
		file->held = NULL;
		return status;
	}
	if (below->is_named)
		status = below->is_named(below->ctx, c->dir, c->name, c->file, &named, os_error);
	if (!status && !named)
		status = refuse(os_error, CIM_E_SHARING);
	return status;
}

static void cont_close(void *ctx, cim_vfs_file *file)
{
	struct cim_cont_file *inner = cim_cont_file_of(file);
	struct cim_container *c;
	long ignored;

	(void)ctx;
	if (!inner)
		return;
	c = inner->c;
	if (inner->alone || (inner->shares && inner->node->own))
		lock_own(inner, CIM_LOCK_NONE);
	else if (inner->shares)
		lock_published(inner, CIM_LOCK_NONE, false, &ignored);
	if (inner->held)
		c->below.close(c->below.ctx, inner->held);
	lock(c);
	cim_cont_node_put(c, inner->node);
	unlock(c);
	cim_free(&c->env, inner);
	cim_cont_put(c);
}

static enum cim_status cont_is_locked(void *ctx, cim_vfs_dir *dir, const char *name,
				      uint64_t number, enum cim_vfs_lock *held, long *os_error)
{
	struct cim_container *c = container_of(dir);
	struct cim_cont_file *file;
	const struct cim_cont_node *node;
	enum cim_status status;

	*held = CIM_LOCK_NONE;
	if (number)
		return refuse(os_error, CIM_E_UNSUPPORTED);
	status = cont_open(ctx, dir, name, CIM_VFS_READ, (cim_vfs_file **)&file, os_error);
	if (status)
		return status;
	node = file->node;
	if (!node->own)
		status = c->below.is_locked(c->below.ctx, c->dir, c->name, lock_number(node), held,
					    os_error);
	else
		*held = node->alone	? CIM_LOCK_ALONE
			: node->sharers ? CIM_LOCK_SHARED
					: CIM_LOCK_NONE;
	cont_close(ctx, (cim_vfs_file *)file);
	return status;
}

static enum cim_status cont_hold(void *ctx, cim_vfs_dir *dir, const char *name, uint64_t number,
				 bool alone, cim_vfs_file **file, long *os_error)
{
	enum cim_status status;

	if (number)
		return refuse(os_error, CIM_E_UNSUPPORTED);
	status = cont_open(ctx, dir, name, CIM_VFS_UPDATE, file, os_error);
	if (status)
		return status;
	if (cim_cont_file_of(*file)->node->own)
		status = lock_own(cim_cont_file_of(*file),
				  alone ? CIM_LOCK_ALONE : CIM_LOCK_SHARED);
	else
		status = hold_published(cim_cont_file_of(*file), alone, os_error);
	if (!status)
		return CIM_OK;
	cont_close(ctx, *file);
	*file = NULL;
	return status;
}

/* ---- names ---- */

static bool publishes(const struct cim_container *c, const char *from, const char *to)
{
	enum cim_file_kind kind;
	struct cim_guid guid;
	uint16_t index;
	struct cim_env names = c->env;
	struct cim_vfs folding = c->below;

	folding.fold_names = true;
	names.vfs = &folding;
	return cim_has_temporary_prefix(from) && !cim_has_temporary_prefix(to) &&
	       !cim_parse_set_name(&names, to, &kind, &guid, &index);
}

/* Give the file another name, which may be another's. The commit is part of it: all or nothing. */
static enum cim_status rename_entry(struct cim_container *c, const char *from, const char *to,
				    struct cim_cont_entry *entry, long *os_error)
{
	const bool removed = c->removed;
	struct cim_cont_entry old, target = {0};
	enum cim_status status = CIM_OK;
	size_t at;

	cim_cont_find(c, from, &at);
	old = cim_cont_take_out(c, at);
	if (cim_cont_find(c, to, &at)) {
		target = cim_cont_take_out(c, at);
		c->removed |= !target.node || !target.node->own;
	}
	c->removed |= !old.node->own;
	cim_cont_insert(c, entry);
	if (publishes(c, from, to))
		status = cim_cont_commit(c, os_error);
	if (!status) {
		cim_cont_drop(c, &old);
		cim_cont_drop(c, &target);
		return CIM_OK;
	}
	c->removed = removed;
	cim_cont_find(c, to, &at);
	*entry = cim_cont_take_out(c, at);
	cim_cont_drop(c, entry);
	cim_cont_insert(c, &old);
	if (target.raw)
		cim_cont_insert(c, &target);
	return status;
}

static enum cim_status cont_rename(void *ctx, cim_vfs_dir *dir, const char *from, const char *to,
				   unsigned flags, long *os_error)
{
	struct cim_container *c = container_of(dir);
	struct cim_cont_entry *old, *target, entry;
	size_t at;
	enum cim_status status;

	(void)ctx;
	*os_error = 0;
	if (!c->writes)
		return CIM_E_ACCESS;
	old = cim_cont_find(c, from, &at);
	if (!old)
		return CIM_E_FILE_NOT_FOUND;
	target = cim_cont_find(c, to, &at);
	if ((flags & CIM_VFS_NOREPLACE) && target && target != old)
		return CIM_E_EXISTS;
	if (!cim_cont_node_of(c, old))
		return CIM_E_NO_MEMORY;
	status = cim_cont_make_entry(c, to, old->node, &entry);
	if (status)
		return status;
	return rename_entry(c, from, to, &entry, os_error);
}

static enum cim_status cont_remove(void *ctx, cim_vfs_dir *dir, const char *name, long *os_error)
{
	struct cim_container *c = container_of(dir);
	const struct cim_cont_entry *entry;
	size_t at;

	(void)ctx;
	*os_error = 0;
	if (!c->writes)
		return CIM_E_ACCESS;
	entry = cim_cont_find(c, name, &at);
	if (!entry)
		return CIM_E_FILE_NOT_FOUND;
	c->removed |= !entry->node || !entry->node->own;
	cim_cont_remove(c, at);
	return CIM_OK;
}

static enum cim_status cont_is_named(void *ctx, cim_vfs_dir *dir, const char *name,
				     cim_vfs_file *file, bool *named, long *os_error)
{
	struct cim_container *c = container_of(dir);
	const struct cim_cont_entry *entry;
	size_t at;

	(void)ctx;
	lock(c);
	entry = cim_cont_find(c, name, &at);
	*named = entry && entry->node == cim_cont_file_of(file)->node;
	unlock(c);
	return refuse(os_error, entry ? CIM_OK : CIM_E_FILE_NOT_FOUND);
}

static bool cont_error_text(void *ctx, long os_error, char *buf, size_t size)
{
	const struct cim_container *c = ctx;

	return c->below.error_text && c->below.error_text(c->below.ctx, os_error, buf, size);
}

void cim_cont_vfs(struct cim_container *c, struct cim_vfs *vfs)
{
	const struct cim_vfs table = {
		CIM_SIZED(table),
		.ctx = c,
		.fold_names = true,
		.windows_paths = c->below.windows_paths,
		.no_containers = true,
		.open_dir = cont_open_dir,
		.close_dir = cont_close_dir,
		.sync_dir = cont_sync_dir,
		.open = cont_open,
		.close = cont_close,
		.size = cim_cont_file_size,
		.pread = cim_cont_file_pread,
		.pwrite = cim_cont_file_pwrite,
		.truncate = cim_cont_file_truncate,
		.sync = cim_cont_file_sync,
		.lock = cont_lock,
		.is_locked = cont_is_locked,
		.rename = cont_rename,
		.remove = cont_remove,
		.list = cont_list,
		.map = cim_cont_file_map,
		.hold = cont_hold,
		.next_data = cim_cont_file_next_data,
		.is_named = cont_is_named,
		.error_text = cont_error_text,
		.corrupt_text = cim_cont_file_corrupt_text,
	};

	*vfs = table;
}
