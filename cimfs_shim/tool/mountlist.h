/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountlist.h - the images that are mounted
 */
#ifndef CIMTOOL_MOUNTLIST_H
#define CIMTOOL_MOUNTLIST_H

#include "../host/volumeinfo.h"
#include "tool.h"

enum mount_state {
	MOUNT_LIVE,
	MOUNT_STALE,	 /* its server is dead, or only remains are there */
	MOUNT_NO_ANSWER, /* its server doesn't answer */
};

struct mount {
	char *dir;	  /* the mount point, or the directory of an unpacked copy */
	char *image;	  /* "" if unknown */
	char *guid;	  /* of a volume of Wine's, else NULL */
	char *dosdevices; /* of the prefix that has the volume, else NULL */
	enum backend backend;
	bool asks;		/* there is a server that hasn't been asked */
	enum mount_state state; /* of one with a server only after mount_ask() */
};

struct mount_list {
	struct mount *mounts;
	size_t count;
	size_t room;
};

/* The Wine prefix whose volumes are known: $WINEPREFIX or ~/.wine; NULL if there is neither. */
char *wine_prefix(void);
/* All mounts that /proc/self/mountinfo shows, and the volumes of $WINEPREFIX (~/.wine) that are no
 * mounts. 0; an errno if the former can't be had. */
int mount_list_get(struct mount_list *list);
/* Find out whether the server of a mount lives. Not done for all of them, because while a mount is
 * asked nobody can unmount it. */
void mount_ask(struct mount *m);
void mount_list_free(struct mount_list *list);
/* A server ends a moment after its mount does, and marks the image as in use until then: where no
 * mount names the image any more, wait for that, within a bound. */
void mount_wait_for_end(const char *image_path);
const char *mount_state_name(enum mount_state state);

#endif
