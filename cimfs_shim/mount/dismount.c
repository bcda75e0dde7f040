/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dismount.c - taking a volume away: what was asked to, what died, what ends by itself
 *
 * The link goes first, so that nobody finds half a volume; then the mount, or the process that
 * holds a copy; then the directory. Where the mount can't be taken away the link comes back.
 */
#include "mount.h"

#include <stdio.h>
#include <unistd.h>

#include "../host/mountinfo.h"
#include "../host/unmount.h"
#include "volume.h"

#define EXIT_WAIT_MS 5000 /* for a server that has been unmounted to end */
#define BUSY_WAIT_MS 100  /* the same where it was in use, perhaps for a moment only */

enum cim_status volume_unmount(const struct volume *v, const struct volume_info *info,
			       struct cim_error *err)
{
	enum unmount_result result = UNMOUNT_DONE;
	int wait_ms = EXIT_WAIT_MS;
	int pidfd = -1;

	if (info->backend == BACKEND_FUSE)
		pidfd = process_open(&info->process);
	for (unsigned i = 0; i < 16 && result == UNMOUNT_DONE && find_mount(v->mnt, NULL); i++) {
		result = unmount_dir(v->mnt, false, err);
		if (result == UNMOUNT_BUSY) {
			/* What is open goes on reading; the server ends with the last of it. */
			result = unmount_dir(v->mnt, true, err);
			wait_ms = BUSY_WAIT_MS;
		}
	}
	/* A commit over the image right after this must not find it still marked as mounted. */
	if (pidfd >= 0 && (result == UNMOUNT_DONE || result == UNMOUNT_GONE))
		process_wait(pidfd, wait_ms);
	if (pidfd >= 0)
		close(pidfd);
	if (result == UNMOUNT_DONE || result == UNMOUNT_GONE)
		return CIM_OK;
	snprintf(err->path, sizeof(err->path), "%s", v->mnt);
	return err->status;
}

static void remove_dirs(const struct volume *v)
{
	rmdir(v->volumes);
	rmdir(v->base);
}

enum cim_status volume_take_away(const struct volume *v, const struct volume_info *info,
				 struct cim_error *err)
{
	enum cim_status status;

	if (link_look(v) == LINK_OURS && unlink(v->link) < 0)
		return fail_errno(err, "%s", v->link);
	status = volume_unmount(v, info, err);
	if (status)
		return status;
	letters_remove(v);
	if (info->backend == BACKEND_EXTRACT && info->ready)
		process_kill(&info->process, EXIT_WAIT_MS);
	if (!remove_tree(v->dir))
		return fail_errno(err, "%s", v->dir);
	remove_dirs(v);
	return CIM_OK;
}

void volume_ended(const struct volume *v)
{
	struct volume own = *v;
	struct cim_error err = {0};
	struct volume_info info;

	/* Somebody is at it: the one who unmounted, who takes it away himself. */
	if (!volume_lock(&own, false))
		return;
	if (volume_info_read(own.info, &info) && info.process.pid == (long)getpid() && info.ready) {
		info.process.start = 0; /* it needn't be waited for */
		volume_take_away(&own, &info, &err);
	}
	volume_unlock(&own);
}

/* As asked for. What can't be taken away and goes on living is a volume as before, by its link. */
static enum cim_status dismount(const struct volume *v, const struct volume_info *info,
				struct cim_error *err)
{
	enum cim_status status = volume_take_away(v, info, err);
	struct cim_error ignored;

	if (status && volume_is_served(v, info))
		link_make(v, &ignored);
	return status;
}

int volume_dismount(const struct wine_call *call)
{
	struct cim_error err = {0};
	struct volume_info info;
	struct volume v;
	int code;
	enum cim_status status;

	status = volume_open(&v, call->dosdevices, call->guid, &err);
	if (!status) {
		volume_hold_signals(&v);
		switch (volume_look(&v, &info)) {
		case STATE_NONE:
		case STATE_FOREIGN:
		case STATE_MAKING:
			status = fail(&err, CIM_E_FILE_NOT_FOUND, "no such volume is mounted");
			break;
		case STATE_MOUNTED:
		case STATE_DEAD:
			status = dismount(&v, &info, &err);
			break;
		}
	}
	if (status)
		code = volume_refuse(status, "dismount", call->guid, &err, call);
	else
		code = volume_answer(&v, info.backend, call->status);
	volume_close(&v);
	return code;
}
