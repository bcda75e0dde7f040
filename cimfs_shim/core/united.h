/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * united.h - the places of a merged image and of its sources, as one file system
 */
#ifndef CIM_UNITED_H
#define CIM_UNITED_H

#include "../../include/libcim_env.h"

struct cim_united_place {
	struct cim_vfs vfs;
	cim_vfs_dir *dir;
	char *path; /* as it was given: what lies in one place shares what is open of it */
	bool used;  /* by the merged image: a source of it */
};

struct cim_united {
	struct cim_env env;		 /* memory; its file system is that of place 0 */
	struct cim_united_place *places; /* the merged image's own, and those of the sources */
	uint32_t place_count;
	uint32_t *sets; /* for each region set of the sources, its place */
	uint32_t set_count;
};

void cim_united_free(struct cim_united *u);
/* What a reader calls, with @u as the directory. Nobody writes here: a session's place is one. */
void cim_united_vfs(struct cim_united *u, struct cim_vfs *vfs);

#endif
