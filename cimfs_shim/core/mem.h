/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem.h - memory through the environment
 */
#ifndef CIM_MEM_H
#define CIM_MEM_H

#include "../../include/libcim_env.h"

void *cim_alloc(const struct cim_env *env, size_t size);  /* not cleared; NULL if none */
void *cim_zalloc(const struct cim_env *env, size_t size); /* cleared */
void *cim_realloc(const struct cim_env *env, void *p, size_t size);
void cim_free(const struct cim_env *env, void *p);
char *cim_strdup(const struct cim_env *env, const char *s);
/* Make room for one more element: grows *array (of *room elements of @size bytes) when
 * @count == *room. false for want of memory. */
bool cim_grow(const struct cim_env *env, void **array, size_t *room, size_t count, size_t size);
enum cim_status cim_no_memory(struct cim_error *err);

#endif
