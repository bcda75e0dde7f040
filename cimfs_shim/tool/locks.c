/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * locks.c - whether the file system has locks (D54), of calls that don't tell
 *
 * A session and a store say so themselves. Whoever copies an image, seals a container or appends to
 * one sees nothing of their session: here its calls are listened to.
 */
#include "tool.h"

static bool missing, told;

static enum cim_status hear(enum cim_status status)
{
	missing |= status == CIM_E_UNSUPPORTED;
	return status;
}

static enum cim_status open_dir(void *ctx, const char *path, unsigned flags, cim_vfs_dir **dir,
				long *os_error)
{
	const enum cim_status status = cim_env_default()->vfs->open_dir(ctx, path, flags, dir,
									os_error);

	return flags & CIM_VFS_DIR_LOCK ? hear(status) : status;
}

static enum cim_status lock(void *ctx, cim_vfs_file *file, uint64_t number, enum cim_vfs_lock how,
			    bool wait, long *os_error)
{
	return hear(cim_env_default()->vfs->lock(ctx, file, number, how, wait, os_error));
}

void locks_watch(struct cim_env *env)
{
	static struct cim_vfs watched;

	watched = *cim_env_default()->vfs;
	watched.struct_size = sizeof(watched);
	watched.open_dir = open_dir;
	watched.lock = lock;
	env->vfs = &watched;
}

void locks_tell(struct tool *t, const char *op, const char *image)
{
	if (missing && !told)
		tool_tell_unlocked(t, op, image);
	told = missing;
}
