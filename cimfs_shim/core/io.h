/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.h - paths of the host and whole files, over struct cim_vfs
 */
#ifndef CIM_IO_H
#define CIM_IO_H

#include "../../include/libcim.h"

/* Split a host path at its last separator ('/', and '\' where the file system folds names):
 * *dir (allocated; "." if none) and *name (points into @path). */
enum cim_status cim_split_path(const struct cim_env *env, const char *path, char **dir,
			       const char **name, struct cim_error *err);
/* Open the directory of a host path, without the writer's lock; *name (points into @path). */
enum cim_status cim_open_dir_of(const struct cim_env *env, const char *path, cim_vfs_dir **dir,
				const char **name, struct cim_error *err);
/* Read a whole small file; CIM_E_CORRUPT if it is over @limit. The caller frees *bytes. */
enum cim_status cim_read_whole(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			       size_t limit, uint8_t **bytes, size_t *size, struct cim_error *err);

#endif
