/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.h - where images lie: a directory, or a container
 */
#ifndef CIM_PLACE_H
#define CIM_PLACE_H

#include "../../include/libcim_env.h"

struct cim_container;

/* Whoever opens a place owns a copy of the environment's file system: @env leads to @vfs, which
 * becomes that of the container if @path means one. */
enum cim_status cim_place_open(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			       cim_vfs_dir **dir, struct cim_error *err);
/* Where nothing but a container will do; CIM_E_CORRUPT: it is none. CIM_E_FILE_NOT_FOUND: there is
 * no such file. @unlocked: with a session's lock, as below; NULL: to read. Ends by the directory's
 * close, a reader's by cim_cont_put(), too. */
enum cim_status cim_place_container(const struct cim_env *env, struct cim_vfs *vfs,
				    const char *path, bool *unlocked, struct cim_container **c,
				    struct cim_error *err);
/* With a session's lock; *unlocked becomes true where there are no locks. @flags: of CIM_WRITE_*
 * those that are about containers. */
enum cim_status cim_place_lock(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			       unsigned flags, cim_vfs_dir **dir, bool *unlocked,
			       struct cim_error *err);
/* CIM_E_INVALID: there are other flags, or some that mean nothing without CIM_WRITE_CONTAINER. */
enum cim_status cim_place_check_flags(unsigned flags, struct cim_error *err);
/* The place of the image at @path; *name (points into @path). @root: it must be a container that
 * was sealed with this root hash (container.h); NULL: any place. */
enum cim_status cim_place_of(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			     const uint8_t *root, cim_vfs_dir **dir, const char **name,
			     struct cim_error *err);

#endif
