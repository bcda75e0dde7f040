/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.h - a volume of a Wine prefix, for the files that make it and take it away
 *
 * volume.c: its names, its lock, what there is of it. dosdevices.c: the link and drive letters.
 * winemount.c makes one, dismount.c takes one away, answer.c tells the caller.
 */
#ifndef CIMFS_MOUNT_VOLUME_H
#define CIMFS_MOUNT_VOLUME_H

#include <signal.h>

#include "../host/volumeinfo.h"
#include "mount.h"

struct volume {
	char *dosdevices;
	char *guid;
	char *base;    /* PREFIX/cimfs */
	char *volumes; /* PREFIX/cimfs/volumes */
	char *dir;     /* PREFIX/cimfs/volumes/GUID */
	char *mnt;
	char *root; /* mnt/root */
	char *info;
	char *log;
	char *link;
	int lock;	 /* the dosdevices directory, locked; -1 */
	bool served;	 /* a server was started: the FUSE session is its own now */
	bool keeps;	 /* a holder was started: the image's locks are its own now */
	char *note;	 /* what the caller should know of a mount that succeeded; NULL */
	sigset_t held;	 /* signals that wait */
	sigset_t before; /* the mask without that */
};

/* The names of a volume, and the lock. */
enum cim_status volume_open(struct volume *v, const char *dosdevices, const char *guid,
			    struct cim_error *err);
void volume_close(struct volume *v);
bool volume_lock(struct volume *v, bool wait);
void volume_unlock(struct volume *v);
/* Have signals that end a program wait; one that is ignored anyhow stays so. */
void volume_hold_signals(struct volume *v);

enum state {
	STATE_NONE,
	STATE_MOUNTED,
	STATE_MAKING,  /* the copy is being made */
	STATE_FOREIGN, /* the link is somebody else's */
	STATE_DEAD,    /* remains */
};
enum state volume_look(const struct volume *v, struct volume_info *info);
/* Does what the info file names live? */
bool volume_is_served(const struct volume *v, const struct volume_info *info);

/* ---- dosdevices.c ---- */

enum link_kind {
	LINK_NONE,
	LINK_OURS,
	LINK_FOREIGN,
};
enum link_kind link_look(const struct volume *v);
/* The link, in its place by one rename. */
enum cim_status link_make(const struct volume *v, struct cim_error *err);
/* Drive letters that nobody took away with their volumes. */
void letters_remove(const struct volume *v);

/* ---- dismount.c ---- */

/* Unmount everything from the volume's mount point. */
enum cim_status volume_unmount(const struct volume *v, const struct volume_info *info,
			       struct cim_error *err);
enum cim_status volume_take_away(const struct volume *v, const struct volume_info *info,
				 struct cim_error *err);

/* ---- answer.c ---- */

/* The answer to a call that succeeded, and its exit code. */
int volume_answer(const struct volume *v, enum backend backend, const char *status_file);

#endif
