/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem.c - memory through the environment
 *
 * All memory of core comes from the caller's allocator, which knows two calls, realloc and free.
 * The helpers here add what C's own calls would: cleared memory, copies of strings, arrays that
 * grow. Nothing here aborts: NULL or false reaches a caller who cleans up and fails with
 * cim_no_memory().
 */
#include "mem.h"
#include "bytes.h"
#include "error.h"

#include <string.h>

/* The first room of an array that grows. */
#define CIM_FIRST_ROOM 8

void *cim_realloc(const struct cim_env *env, void *p, size_t size)
{
	/* Size 0 would mean different things to different allocators. */
	return env->mem.realloc(env->mem.ctx, p, size ? size : 1);
}

void *cim_alloc(const struct cim_env *env, size_t size)
{
	return cim_realloc(env, NULL, size);
}

void *cim_zalloc(const struct cim_env *env, size_t size)
{
	void *p = cim_alloc(env, size);

	if (p)
		memset(p, 0, size);
	return p;
}

void cim_free(const struct cim_env *env, void *p)
{
	if (p)
		env->mem.free(env->mem.ctx, p);
}

char *cim_strdup(const struct cim_env *env, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = cim_alloc(env, size);

	if (copy)
		memcpy(copy, s, size);
	return copy;
}

bool cim_grow(const struct cim_env *env, void **array, size_t *room, size_t count, size_t size)
{
	size_t new_room = CIM_FIRST_ROOM;
	size_t bytes;
	void *p;

	if (count < *room)
		return true;
	/* By a half: while it is copied, both the old and the new array are there. */
	if (*room && !cim_ckd_add_size(&new_room, *room, *room / 2 + 1))
		return false;
	if (!cim_ckd_mul_size(&bytes, new_room, size))
		return false;
	/* @array is in truth the address of a pointer to some other type: copied, not accessed. */
	memcpy(&p, array, sizeof(p));
	p = cim_realloc(env, p, bytes);
	if (!p)
		return false;
	memcpy(array, &p, sizeof(p));
	*room = new_room;
	return true;
}

enum cim_status cim_no_memory(struct cim_error *err)
{
	return cim_fail(err, CIM_E_NO_MEMORY, "%s", cim_status_text(CIM_E_NO_MEMORY));
}
