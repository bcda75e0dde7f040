/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumeinfo.h - a volume of a Wine prefix: where it lies, and what its info file says
 */
#ifndef HOST_VOLUMEINFO_H
#define HOST_VOLUMEINFO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "libcim_advanced.h"
#include "alloc.h"
#include "process.h"

/* Below a prefix: the directory of each volume, and of its content in that. */
#define VOLUMES_DIR "cimfs/volumes"
#define VOLUME_MNT  "mnt"

/* Is it PREFIX/cimfs/volumes/GUID/mnt? The length of PREFIX, and the GUID; else 0. */
size_t volume_of_dir(const char *dir, char guid[CIM_GUID_TEXT]);

enum backend {
	BACKEND_AUTO,
	BACKEND_FUSE,
	BACKEND_EXTRACT,
};
const char *backend_name(enum backend backend);

struct volume_info {
	enum backend backend;
	bool ready;		/* false: the copy is still being made */
	struct process process; /* the server, a copy's holder or who makes it */
	char image[PATH_MAX];	/* a newline in it is a '?' */
};
/* false: not all that matters is known; what isn't is 0 or "". */
bool volume_info_read(const char *file, struct volume_info *info);
/* A file is written whole or not at all: false, with errno. */
bool write_whole(const char *file, const char *fmt, ...) HOST_PRINTF(2, 3);
bool volume_info_write(const char *file, const struct volume_info *info);

#endif
