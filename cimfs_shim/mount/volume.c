/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.c - the volumes of a Wine prefix: CimMountImage and CimDismountImage, the Linux half
 *
 * Wine looks for \\?\Volume{GUID}\ as PREFIX/dosdevices/volume{guid}. A mounted volume is
 *
 *   PREFIX/cimfs/volumes/GUID/info   what serves it: lines "KEY VALUE"
 *   PREFIX/cimfs/volumes/GUID/log    what the server has to complain about
 *   PREFIX/cimfs/volumes/GUID/mnt    where FUSE is mounted, or the directory of the copy
 *   PREFIX/dosdevices/volume{GUID}   a link to mnt/root
 *
 * A drive letter is the DLL's affair; one that was left behind is taken away with its volume.
 *
 * The link leads to a directory below the mount's root because Wine shows the root of a mount as a
 * reparse point. The link is made last and taken away first, by one rename or unlink each, so the
 * volume is there wholly or not at all. A lock on the dosdevices directory (which leaves no file)
 * keeps two calls from doing both at once; the copy of the extract backend, which takes time, is
 * made without it, the info file saying who is at it.
 *
 * winemount.c makes a volume, dismount.c takes one away, dosdevices.c has its names, answer.c tells
 * the DLL; here is what they share. A state is alive if what it names is: the process (by number
 * and start time, in this boot of the machine: the server, or a copy's holder) and the mount.
 * Everything else is the remains of something that died and is taken away by whoever meets it.
 *
 * A signal that ends a program (Ctrl-C, SIGTERM) waits while something is half made or half taken
 * away; the making of a copy looks for it, stops, and what is there is taken away again.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../host/mountinfo.h"
#include "volume.h"

const char *volume_dosdevices(const struct volume *v)
{
	return v->dosdevices;
}

const char *volume_guid(const struct volume *v)
{
	return v->guid;
}

/* ---- signals ---- */

void volume_hold_signals(struct volume *v)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action;

	sigemptyset(&v->held);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&v->held, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &v->held, &v->before);
}

bool volume_interrupted(const struct volume *v)
{
	sigset_t pending;

	if (sigpending(&pending) < 0 || sigandset(&pending, &pending, &v->held) < 0)
		return false;
	return !sigisemptyset(&pending);
}

/* ---- opening ---- */

void volume_close(struct volume *v)
{
	if (v->lock >= 0)
		close(v->lock);
	free(v->dosdevices);
	free(v->guid);
	free(v->base);
	free(v->volumes);
	free(v->dir);
	free(v->mnt);
	free(v->root);
	free(v->info);
	free(v->log);
	free(v->link);
	free(v->note);
}

bool volume_lock(struct volume *v, bool wait)
{
	v->lock = open(v->dosdevices, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->lock < 0)
		return false;
	while (flock(v->lock, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		/* There are no locks here (D54): two at once are the callers' affair. */
		if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP)
			return true;
		close(v->lock);
		v->lock = -1;
		return false;
	}
	return true;
}

void volume_unlock(struct volume *v)
{
	close(v->lock);
	v->lock = -1;
}

enum cim_status volume_open(struct volume *v, const char *dosdevices, const char *guid,
			    struct cim_error *err)
{
	struct stat st;
	char *prefix;

	memset(v, 0, sizeof(*v));
	v->lock = -1;
	sigemptyset(&v->held);
	sigprocmask(SIG_BLOCK, NULL, &v->before);
	v->dosdevices = realpath(dosdevices, NULL);
	if (!v->dosdevices || stat(v->dosdevices, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail(err, CIM_E_PATH_NOT_FOUND, "%s is no directory", dosdevices);
	v->guid = xstrdup(guid);
	prefix = xstrdup(v->dosdevices);
	*strrchr(prefix, '/') = '\0';
	v->base = xasprintf("%s/cimfs", prefix);
	v->volumes = xasprintf("%s/" VOLUMES_DIR, prefix);
	free(prefix);
	v->dir = xasprintf("%s/%s", v->volumes, guid);
	v->mnt = xasprintf("%s/" VOLUME_MNT, v->dir);
	v->root = xasprintf("%s/root", v->mnt);
	v->info = xasprintf("%s/info", v->dir);
	v->log = xasprintf("%s/log", v->dir);
	v->link = xasprintf("%s/volume{%s}", v->dosdevices, guid);
	if (!volume_lock(v, true))
		return fail_errno(err, "%s", v->dosdevices);
	return CIM_OK;
}

void volume_in_server(const struct volume *v)
{
	if (v->lock >= 0)
		close(v->lock);
	sigprocmask(SIG_SETMASK, &v->before, NULL);
}

/* ---- what there is ---- */

bool volume_is_served(const struct volume *v, const struct volume_info *info)
{
	struct mount_top top;
	struct stat st;

	if (!process_alive(&info->process))
		return false;
	if (info->backend == BACKEND_FUSE)
		return find_mount(v->mnt, &top) && top.is_image;
	return !lstat(v->root, &st);
}

enum state volume_look(const struct volume *v, struct volume_info *info)
{
	const enum link_kind link = link_look(v);
	struct stat st;

	memset(info, 0, sizeof(*info));
	if (link == LINK_FOREIGN)
		return STATE_FOREIGN;
	if (lstat(v->dir, &st) < 0 && errno == ENOENT)
		return link == LINK_NONE ? STATE_NONE : STATE_DEAD;
	if (!volume_info_read(v->info, info))
		return STATE_DEAD;
	if (!info->ready)
		return process_alive(&info->process) ? STATE_MAKING : STATE_DEAD;
	return link != LINK_NONE && volume_is_served(v, info) ? STATE_MOUNTED : STATE_DEAD;
}
