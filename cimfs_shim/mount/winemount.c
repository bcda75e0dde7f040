/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * winemount.c - CimMountImage, the Linux half: making a volume, by FUSE or as a copy
 *
 * Everything is made below the volume's own directory, and the link to it last. Whatever fails, and
 * a signal that comes meanwhile, has all of it taken away again.
 */
#include "mount.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/imagefile.h"
#include "volume.h"

#define HOLDER_WAIT_MS 5000 /* for one that is killed to end */

/* One more thing that the caller should know; NULL: nothing. */
static void add_note(struct volume *v, const char *text)
{
	char *all;

	if (!text)
		return;
	all = xasprintf("%s%s%s", v->note ? v->note : "", v->note ? "; " : "", text);
	free(v->note);
	v->note = one_line(all);
}

static bool make_dir(const char *path)
{
	return !mkdir(path, 0700) || errno == EEXIST;
}

static void set_info(struct volume_info *info, const struct options *o, enum backend backend,
		     pid_t pid, bool ready)
{
	info->backend = backend;
	info->ready = ready;
	process_identify(&info->process, pid);
	snprintf(info->image, sizeof(info->image), "%s", o->image);
}

static enum cim_status make_state(const struct volume *v, struct cim_error *err)
{
	if (!make_dir(v->base))
		return fail_errno(err, "%s", v->base);
	if (!make_dir(v->volumes))
		return fail_errno(err, "%s", v->volumes);
	if (mkdir(v->dir, 0700) < 0)
		return fail_errno(err, "%s", v->dir);
	if (mkdir(v->mnt, 0700) < 0)
		return fail_errno(err, "%s", v->mnt);
	return CIM_OK;
}

/* Say who serves the volume, and link to it. */
static enum cim_status publish(const struct volume *v, const struct options *o,
			       struct volume_info *info, enum backend backend, pid_t pid,
			       struct cim_error *err)
{
	set_info(info, o, backend, pid, true);
	if (!volume_info_write(v->info, info))
		return fail_errno(err, "%s", v->info);
	return link_make(v, err);
}

static enum cim_status mount_fuse(struct volume *v, struct options *o, struct cim_image *image,
				  struct cim_error *err)
{
	enum cim_status status;
	struct volume_info info;
	struct cim_error ignored;
	char *warning;
	pid_t pid;

	status = serve(o, image, &pid, &warning, err);
	if (status)
		return status;
	v->served = true;
	add_note(v, warning);
	free(warning);
	status = publish(v, o, &info, BACKEND_FUSE, pid, err);
	if (status) {
		volume_unmount(v, &info, &ignored);
		kill(pid, SIGTERM);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return status;
}

/* Unpack, with the image marked as in use. @v's lock is not held meanwhile. */
static enum cim_status make_copy(struct volume *v, struct options *o, struct cim_image *image,
				 struct image_mark *mark, struct cim_error *err)
{
	enum cim_status status;
	struct server server;

	volume_unlock(v);
	log_open(v->log);
	if (v->note)
		log_line("%s", v->note);
	lock_image(image, o->image, mark);
	if (mark->warning)
		log_line("%s", mark->warning);
	add_note(v, mark->warning);
	server_init(&server, o, image);
	status = extract_image(&server, v->root, err);
	server_free(&server);
	if (!volume_lock(v, true) && !status)
		status = fail_errno(err, "%s", v->dosdevices);
	return status;
}

static enum cim_status mount_copy(struct volume *v, struct options *o, struct cim_image *image,
				  struct cim_error *err)
{
	struct volume_info info;
	struct image_mark mark;
	enum cim_status status;
	pid_t holder = -1;

	set_info(&info, o, BACKEND_EXTRACT, getpid(), false);
	if (!volume_info_write(v->info, &info))
		return fail_errno(err, "%s", v->info);
	status = make_copy(v, o, image, &mark, err);
	if (!status) {
		holder = start_holder(v, v->dir, v->log, &mark, err);
		v->keeps = holder >= 0;
		status = v->keeps ? CIM_OK : err->status;
	}
	mark_end(&mark);
	if (status)
		return status;
	status = publish(v, o, &info, BACKEND_EXTRACT, holder, err);
	if (status)
		process_kill(&info.process, HOLDER_WAIT_MS);
	return status;
}

static enum cim_status mount_backend(struct volume *v, struct options *o, struct cim_image *image,
				     enum backend backend, enum backend *used,
				     struct cim_error *err)
{
	enum cim_status status;
	char *note;

	*used = BACKEND_FUSE;
	if (backend != BACKEND_EXTRACT) {
		status = mount_fuse(v, o, image, err);
		if (backend == BACKEND_FUSE ||
		    (status != CIM_E_ACCESS && status != CIM_E_UNSUPPORTED))
			return status;
		note = xasprintf("%s: the volume {%s} is an unpacked copy: %s", o->image, v->guid,
				 err->cause);
		add_note(v, note);
		free(note);
		memset(err, 0, sizeof(*err));
	}
	*used = BACKEND_EXTRACT;
	return mount_copy(v, o, image, err);
}

static enum cim_status mount_volume(struct volume *v, struct options *o, struct cim_image *image,
				    enum backend backend, enum backend *used, struct cim_error *err)
{
	struct cim_error ignored = {0};
	enum cim_status status;
	struct volume_info info;

	switch (volume_look(v, &info)) {
	case STATE_MOUNTED:
	case STATE_MAKING:
		return fail(err, CIM_E_EXISTS, "the volume %s is mounted already", v->guid);
	case STATE_FOREIGN:
		return fail(err, CIM_E_EXISTS, "%s is not of cimfs-mount's making", v->link);
	case STATE_DEAD:
		status = volume_take_away(v, &info, err);
		if (status)
			return status;
		break;
	case STATE_NONE:
		letters_remove(v);
		break;
	}
	status = make_state(v, err);
	if (!status)
		status = mount_backend(v, o, image, backend, used, err);
	/* It comes to this if the signal was late: then what is whole is taken away. */
	if (!status && volume_interrupted(v))
		status = fail(err, CIM_E_ABORTED, "interrupted by a signal");
	if (status) {
		if (!volume_info_read(v->info, &info) || info.process.pid == (long)getpid())
			memset(&info, 0, sizeof(info));
		volume_take_away(v, &info, &ignored);
	}
	return status;
}

/* What says no to the image says it before anything is made. */
static enum cim_status open_named(const char *name, struct options *o, struct cim_image **image,
				  struct cim_error *err)
{
	enum cim_status status;

	o->image = image_full_path(name);
	if (!o->image)
		o->image = xstrdup(name);
	status = image_check_kind(o->image, err);
	return status ? status : open_image(o, image, err);
}

int volume_mount(const struct wine_call *call, struct options *o)
{
	enum backend used = BACKEND_FUSE;
	struct cim_error err = {0};
	struct cim_image *image = NULL;
	struct volume v;
	int code;
	enum cim_status status;

	status = open_named(call->image, o, &image, &err);
	if (status)
		return volume_refuse(status, "mount", call->image, &err, call);
	status = volume_open(&v, call->dosdevices, call->guid, &err);
	if (!status) {
		o->streams = STREAMS_WINDOWS;
		o->reparse = call->reparse;
		o->volume = &v;
		o->dir = v.mnt;
		o->log = v.log;
		volume_hold_signals(&v);
		status = mount_volume(&v, o, image, call->backend, &used, &err);
	}
	if (status)
		code = volume_refuse(status, "mount", call->image, &err, call);
	else
		code = volume_answer(&v, used, call->status);
	/* There is no letting go of the session, or of a lock in a container, without ending it. */
	if (v.served || v.keeps)
		_exit(code);
	volume_close(&v);
	cim_image_close(image);
	o->dir = NULL;
	o->log = NULL;
	return code;
}
