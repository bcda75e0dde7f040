/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contappend.c - bytes behind a container, which are none of its own
 *
 * Readers leave alone what lies behind the end, or behind the seal: a footer, by which others take
 * the file for a disk. It is written under the lock of a session, for to one that begins meanwhile
 * it would be room. A sealed container has no sessions, and is locked as a file.
 */
#include "../../include/libcim_advanced.h"
#include "bytes.h"
#include "container.h"
#include "error.h"
#include "io.h"
#include "place.h"
#include "sized.h"

struct appending {
	struct cim_container *c;
	struct cim_vfs vfs; /* of the container */
	cim_vfs_file *file; /* to write to */
	uint64_t end;	    /* behind it nothing is the container's */
	bool unlocked;	    /* there are no locks */
};

/* What a call that was killed has left: zeros, no more than this one would write over. */
static enum cim_status check_leftover(const struct appending *a, uint64_t length, uint64_t end,
				      struct cim_error *err)
{
	const struct cim_container *c = a->c;
	uint8_t bytes[CIM_CONT_BLOCK];
	bool zeros = length <= end;
	enum cim_status status = CIM_OK;

	for (uint64_t at = a->end; !status && zeros && at < length; at += sizeof(bytes)) {
		const size_t len = length - at < sizeof(bytes) ? (size_t)(length - at)
							       : sizeof(bytes);
		size_t got;

		status = cim_io_read(&c->env, a->file, c->name, at, bytes, len, &got, err);
		zeros = status || cim_is_zero(bytes, got);
	}
	if (status || zeros)
		return status;
	return cim_fail(err, CIM_E_EXISTS, "something is behind the container already");
}

static enum cim_status check_room(const struct appending *a, uint64_t at, size_t size,
				  struct cim_error *err)
{
	const struct cim_container *c = a->c;
	uint64_t length;
	enum cim_status status = cim_io_size(&c->env, a->file, c->name, &length, err);

	if (status)
		return status;
	if (at < a->end || at > (uint64_t)INT64_MAX - size)
		return cim_fail(err, CIM_E_INVALID, "that isn't behind the container's end");
	return check_leftover(a, length, at + size, err);
}

static enum cim_status put_bytes(const struct appending *a, uint64_t at, const void *bytes,
				 size_t size, struct cim_error *err)
{
	const struct cim_container *c = a->c;
	enum cim_status status = check_room(a, at, size, err);

	if (status)
		return status;
	if (at > a->end)
		status = cim_io_truncate(&c->env, a->file, c->name, at, err);
	if (!status)
		status = cim_io_write(&c->env, a->file, c->name, at, bytes, size, err);
	if (!status)
		status = cim_io_sync(&c->env, a->file, c->name, err);
	if (status)
		cim_io_truncate(&c->env, a->file, c->name, a->end, NULL);
	return status;
}

/* The open container is a reader's, which has no right to write: so it is opened once more, and is
 * to be the one that was looked at. */
static enum cim_status open_sealed(struct appending *a, struct cim_error *err)
{
	struct cim_container *c = a->c;
	struct cim_verity_shape shape;
	long os_error = 0;
	enum cim_status status;

	if (!cim_verity_shape(&shape, c->sealed_blocks))
		return cim_fail(err, CIM_E_CORRUPT, "no seal is of that size");
	a->end = shape.end * CIM_CONT_BLOCK;
	status = cim_io_open(&c->env, c->dir, c->name, CIM_VFS_WRITE_ANY, &a->file, err);
	if (!status)
		status = cim_io_lock(&c->env, a->file, c->name, CIM_LOCK_ALONE, false, err);
	a->unlocked = status == CIM_E_UNSUPPORTED;
	if (status && !a->unlocked)
		return status;
	status = cim_cont_check_unchanged(c, &os_error);
	if (!status)
		return CIM_OK;
	return cim_fail_os(err, status, &c->below, os_error, "appending to %s", c->name);
}

static enum cim_status open_reader(struct appending *a, const struct cim_env *env, const char *path,
				   struct cim_error *err)
{
	a->vfs = *env->vfs;
	return cim_place_container(env, &a->vfs, path, NULL, &a->c, err);
}

static enum cim_status append_sealed(struct appending *a, uint64_t at, const void *bytes,
				     size_t size, struct cim_error *err)
{
	enum cim_status status = open_sealed(a, err);

	if (!status)
		status = put_bytes(a, at, bytes, size, err);
	cim_io_close(&a->c->env, a->file);
	return status;
}

/* What lies behind the end goes when the session begins, as it always does. */
static enum cim_status append_session(struct appending *a, const struct cim_env *env,
				      const char *path, uint64_t at, const void *bytes, size_t size,
				      struct cim_error *err)
{
	enum cim_status status;

	a->vfs = *env->vfs;
	status = cim_place_container(env, &a->vfs, path, &a->unlocked, &a->c, err);
	if (status)
		return status;
	a->file = a->c->file;
	a->end = a->c->now.end;
	status = put_bytes(a, at, bytes, size, err);
	a->vfs.close_dir(a->vfs.ctx, (cim_vfs_dir *)a->c);
	return status;
}

static enum cim_status append(const struct cim_env *env, const char *path, uint64_t at,
			      const void *bytes, size_t size, bool *unlocked, struct cim_error *err)
{
	struct appending a = {0};
	bool sealed;
	enum cim_status status = open_reader(&a, env, path, err);

	if (status)
		return status;
	sealed = a.c->flags & CIM_CONT_SEALED;
	if (a.c->device)
		status = cim_fail(err, CIM_E_INVALID, "a device ends where it ends");
	else if (sealed)
		status = append_sealed(&a, at, bytes, size, err);
	cim_cont_put(a.c);
	if (!status && !sealed) {
		a = (struct appending){0};
		status = append_session(&a, env, path, at, bytes, size, err);
	}
	*unlocked = a.unlocked;
	return status;
}

enum cim_status cim_container_append(const struct cim_env *env, const char *path, uint64_t at,
				     const void *bytes, size_t size, bool *unlocked,
				     struct cim_error *err)
{
	static const char op[] = "append to container";
	struct cim_error why = {0};
	struct cim_env own;
	struct cim_vfs vfs;
	bool ignored;
	enum cim_status status;

	unlocked = unlocked ? unlocked : &ignored;
	*unlocked = false;
	if (CIM_ANY_NULL(err, op, path, bytes))
		return CIM_E_POINTER;
	status = cim_take_env(&own, &vfs, env, &why);
	if (!status)
		status = append(&own, path, at, bytes, size, unlocked, &why);
	if (!status)
		return CIM_OK;
	return cim_error_where(err, cim_fail_as(err, status, &why), op, path);
}
