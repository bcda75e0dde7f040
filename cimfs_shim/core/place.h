/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.h - where images lie: a directory, or a container
 */
#ifndef CIM_PLACE_H
#define CIM_PLACE_H

#include "../../include/libcim_env.h"

/* Whoever opens a place owns a copy of the environment's file system: @env leads to @vfs, which
 * becomes that of the container if @path means one. */
enum cim_status cim_place_open(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			       cim_vfs_dir **dir, struct cim_error *err);
/* With a session's lock; *unlocked becomes true where there are no locks. @flags: of CIM_WRITE_*
 * those that are about containers. */
enum cim_status cim_place_lock(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			       unsigned flags, cim_vfs_dir **dir, bool *unlocked,
			       struct cim_error *err);
/* The place of the image at @path; *name (points into @path). */
enum cim_status cim_place_of(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			     cim_vfs_dir **dir, const char **name, struct cim_error *err);

#endif
