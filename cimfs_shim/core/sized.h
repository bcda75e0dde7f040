/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sized.h - structures that the caller fills in, by the rule of libcim.h about struct_size
 *
 * They are copied, and only the copy is used: it is whole, whatever the caller knew of it.
 */
#ifndef CIM_SIZED_H
#define CIM_SIZED_H

#include "../../include/libcim_debug.h"
#include "../../include/libcim_env.h"

/*
 * The least sizes: up to what was the last member in the first release. Never to be changed; and a
 * structure must not end in padding, which the caller needn't have set and which a new member would
 * lie in (sized.c looks).
 */
#define CIM_END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))
#define CIM_LEAST_ENV		 CIM_END_OF(struct cim_env, thread_ctx)
#define CIM_LEAST_VFS		 CIM_END_OF(struct cim_vfs, error_text)
#define CIM_LEAST_METADATA	 CIM_END_OF(struct cim_metadata, reparse_size)
#define CIM_LEAST_SOURCE	 CIM_END_OF(struct cim_source, pread)
#define CIM_LEAST_VISITOR	 CIM_END_OF(struct cim_structure_visitor, broken)

/* Copy @given to @own, which has @size bytes: what an older caller doesn't know is 0. @what: its
 * name. */
enum cim_status cim_take_sized(void *own, size_t size, size_t least, const void *given,
			       const char *what, struct cim_error *err);
/* The same for an environment (NULL: the default) and its file system, which @own leads to. */
enum cim_status cim_take_env(struct cim_env *own, struct cim_vfs *vfs, const struct cim_env *given,
			     struct cim_error *err);
/* The copy moves into the handle. */
void cim_copy_env(struct cim_env *own, struct cim_vfs *vfs, const struct cim_env *env);

#endif
