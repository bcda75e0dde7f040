/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.c - opening what a path means: a directory of images, or a container
 *
 * A path that leads through a regular file or a block device means what is in it, if that is a
 * container. Nothing else in core knows: this is where the environment's file system is exchanged
 * for the container's. What is no container is what it was without them, a path that leads nowhere.
 */
#include "place.h"
#include "container.h"
#include "error.h"
#include "io.h"
#include "mem.h"

#include <string.h>

struct place {
	const struct cim_env *env;
	struct cim_vfs *vfs;
	const char *path;
	bool session, make, force, sealable;
	bool fresh;	     /* it is to be made: nothing may be there */
	bool only;	     /* a container will do */
	const uint8_t *root; /* the root hash that it must have; NULL: any, or none */
	bool *unlocked;
};

/* What the container's name leads to. */
enum found {
	FOUND_NOTHING,
	FOUND_OTHER, /* no file, or not even its directory */
	FOUND_FILE,  /* that is no container */
	FOUND_BLANK, /* a device without one */
	FOUND_CONTAINER,
};

static enum cim_status look_at(const struct place *place, cim_vfs_dir *dir, const char *name,
			       enum found *found, struct cim_error *err)
{
	const struct cim_vfs *vfs = place->env->vfs;
	uint8_t magic[CIM_MAGIC_SIZE];
	cim_vfs_file *file;
	size_t got = 0;
	enum cim_status status;

	*found = FOUND_NOTHING;
	status = cim_io_open(place->env, dir, name, CIM_VFS_READ_ANY, &file, err);
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND ||
	    status == CIM_E_INVALID)
		return CIM_OK;
	*found = FOUND_OTHER;
	/* It is no file at all: the system has no code for that. */
	if (status == CIM_E_ACCESS && !err->os_error)
		return CIM_OK;
	if (status)
		return status;
	status = cim_io_read(place->env, file, name, 0, magic, sizeof(magic), &got, err);
	*found = FOUND_FILE;
	if (!status && cim_cont_is_magic(magic, got))
		*found = FOUND_CONTAINER;
	else if (!status && vfs->is_device && vfs->is_device(vfs->ctx, file))
		*found = FOUND_BLANK;
	cim_io_close(place->env, file);
	return status;
}

/* Of a host path without separators at its end. */
static enum cim_status split(const struct place *place, char **text, char **dir, const char **name,
			     struct cim_error *err)
{
	size_t len = strlen(place->path);

	*dir = NULL;
	*text = cim_strdup(place->env, place->path);
	if (!*text)
		return cim_no_memory(err);
	while (len > 1 &&
	       ((*text)[len - 1] == '/' || (place->vfs->windows_paths && (*text)[len - 1] == '\\')))
		(*text)[--len] = '\0';
	return cim_split_path(place->env, *text, dir, name, err);
}

/* Takes @dir. */
static struct cim_container *new_container(const struct place *place, cim_vfs_dir *dir,
					   const char *name)
{
	struct cim_container *c = cim_zalloc(place->env, sizeof(*c));

	if (!c) {
		cim_io_close_dir(place->env, dir);
		return NULL;
	}
	c->env = *place->env;
	c->below = *place->vfs;
	c->env.vfs = &c->below;
	c->users = 1;
	c->dir = dir;
	c->writes = place->session;
	c->flags = place->sealable ? CIM_CONT_TO_BE_SEALED : 0; /* should it be made */
	c->name = cim_strdup(place->env, name);
	if (c->name)
		c->mutex = c->env.mutex_new(c->env.thread_ctx);
	if (c->mutex)
		return c;
	cim_cont_put(c);
	return NULL;
}

/* A session begins: what a dead one left behind the end goes. */
static enum cim_status cut_at_end(struct cim_container *c, struct cim_error *err)
{
	uint64_t size;
	enum cim_status status = CIM_OK;

	if (!c->device)
		status = cim_io_size(&c->env, c->file, c->name, &size, err);
	if (status || c->device || size == c->now.end)
		return status;
	return cim_io_truncate(&c->env, c->file, c->name, c->now.end, err);
}

/* Whoever would make a container says whether it is to be sealed; one that is there must be such a
 * one. */
static enum cim_status check_sealable(const struct cim_container *c, const struct place *place,
				      struct cim_error *err)
{
	const bool sealable = c->flags & CIM_CONT_TO_BE_SEALED;

	if (!place->make || sealable == place->sealable)
		return CIM_OK;
	return cim_fail(err, CIM_E_INVALID, "the container %s made to be sealed",
			sealable ? "was" : "wasn't");
}

static enum cim_status open_container(struct cim_container *c, const struct place *place,
				      enum found found, struct cim_error *err)
{
	enum cim_status status;

	if (found == FOUND_NOTHING)
		status = cim_cont_make_file(c, place->unlocked, err);
	else if (place->session)
		status = cim_cont_open_to_write(c, c->name, place->unlocked, err);
	else
		status = cim_io_open(&c->env, c->dir, c->name, CIM_VFS_READ_ANY, &c->file, err);
	if (!status && !place->session)
		c->device = c->below.is_device && c->below.is_device(c->below.ctx, c->file);
	if (!status && found == FOUND_BLANK)
		status = cim_cont_make_on_device(c, place->force, err);
	if (!status)
		status = cim_cont_load(c, place->root, err);
	if (!status)
		status = check_sealable(c, place, err);
	if (!status && place->session)
		status = cut_at_end(c, err);
	if (status && c->made)
		cim_cont_end_session(c);
	return status;
}

static enum cim_status open_found(const struct place *place, cim_vfs_dir *host, const char *name,
				  enum found found, cim_vfs_dir **dir, struct cim_error *err)
{
	struct cim_container *c = new_container(place, host, name);
	enum cim_status status;

	if (!c)
		return cim_no_memory(err);
	status = open_container(c, place, found, err);
	if (status) {
		cim_cont_put(c);
		return status;
	}
	cim_cont_vfs(c, place->vfs);
	*dir = (cim_vfs_dir *)c;
	return CIM_OK;
}

/* Is there what would have to be made? What can't be looked at is there, too. */
static enum cim_status check_fresh(const struct place *place, enum found found,
				   enum cim_status looked, struct cim_error *err)
{
	const bool free_for_it = found == FOUND_NOTHING || found == FOUND_BLANK;

	if (!place->fresh ||
	    (looked ? looked != CIM_E_ACCESS && looked != CIM_E_SHARING : free_for_it))
		return looked;
	return cim_fail(err, CIM_E_EXISTS, "the name that the container is to have is taken");
}

/* There is no directory @path. *found tells what was there instead; *dir is NULL unless a container
 * was, or was made. */
static enum cim_status open_in_file(const struct place *place, enum found *found, cim_vfs_dir **dir,
				    struct cim_error *err)
{
	char *text, *host_path;
	const char *name;
	cim_vfs_dir *host = NULL;
	enum cim_status status = split(place, &text, &host_path, &name, err);

	*found = FOUND_NOTHING;
	if (!status)
		status = cim_io_open_dir(place->env, host_path, 0, &host, err);
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND) {
		*found = FOUND_OTHER;
		status = CIM_OK;
	}
	if (!status && host) {
		status = look_at(place, host, name, found, err);
		status = check_fresh(place, *found, status, err);
	}
	if (status || *found == FOUND_OTHER || *found == FOUND_FILE ||
	    (*found != FOUND_CONTAINER && !place->make))
		cim_io_close_dir(place->env, host);
	else
		status = open_found(place, host, name, *found, dir, err);
	cim_free(place->env, host_path);
	cim_free(place->env, text);
	return status;
}

static enum cim_status open_directory(const struct place *place, cim_vfs_dir **dir,
				      struct cim_error *err)
{
	return place->session && !place->fresh
		       ? cim_io_lock_dir(place->env, place->path, dir, place->unlocked, err)
		       : cim_io_open_dir(place->env, place->path, 0, dir, err);
}

/* Must it be a container? */
static bool is_choosy(const struct place *place)
{
	return place->only || place->vfs->only_containers;
}

/* There is a directory, or it was opened. */
static enum cim_status refuse_directory(const struct place *place, struct cim_error *err)
{
	if (place->fresh)
		return cim_fail(err, CIM_E_EXISTS,
				"there is a directory of the name that the container is to have");
	if (place->make && !is_choosy(place))
		return cim_fail(err, CIM_E_ACCESS, "a directory, where a container is wanted");
	return cim_fail(err, CIM_E_CORRUPT, "a directory is no container");
}

/* There is no container, nor a directory, whose error is @why. */
static enum cim_status refuse_other(const struct place *place, enum found found,
				    const struct cim_error *why, struct cim_error *err)
{
	if ((found == FOUND_FILE && (place->make || is_choosy(place))) ||
	    (found == FOUND_BLANK && is_choosy(place)))
		return cim_fail(err, CIM_E_CORRUPT, "it is no container");
	if (found == FOUND_NOTHING && place->only)
		return cim_fail(err, CIM_E_FILE_NOT_FOUND, "no such file");
	return cim_fail_as(err, CIM_E_PATH_NOT_FOUND, why);
}

/* Another session may make the container between our looking and our making: then it is looked at
 * once more. */
static enum cim_status open_place(const struct place *place, cim_vfs_dir **dir,
				  struct cim_error *err)
{
	struct cim_error why = {0}, inside = {0};
	enum cim_status directory = open_directory(place, dir, &why), status;
	enum found found;

	*dir = directory ? NULL : *dir;
	if (!directory && (place->make || is_choosy(place) || place->root)) {
		cim_io_close_dir(place->env, *dir);
		*dir = NULL;
		return refuse_directory(place, err);
	}
	if (directory != CIM_E_PATH_NOT_FOUND || (place->vfs->no_containers && !place->make))
		return cim_fail_as(err, directory, &why);
	status = open_in_file(place, &found, dir, &inside);
	if (status == CIM_E_EXISTS && !place->fresh &&
	    (found == FOUND_NOTHING || found == FOUND_BLANK))
		status = open_in_file(place, &found, dir, &inside);
	if (*dir)
		return CIM_OK;
	if (status)
		return cim_fail_as(err, status, &inside);
	return refuse_other(place, found, &why, err);
}

enum cim_status cim_place_open(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			       cim_vfs_dir **dir, struct cim_error *err)
{
	const struct place place = {.env = env, .vfs = vfs, .path = path};

	return open_place(&place, dir, err);
}

enum cim_status cim_place_container(const struct cim_env *env, struct cim_vfs *vfs,
				    const char *path, bool *unlocked, struct cim_container **c,
				    struct cim_error *err)
{
	const struct place place = {.env = env,
				    .vfs = vfs,
				    .path = path,
				    .session = unlocked,
				    .only = true,
				    .unlocked = unlocked};
	cim_vfs_dir *dir = NULL;
	const enum cim_status status = open_place(&place, &dir, err);

	*c = (struct cim_container *)dir;
	return status;
}

enum cim_status cim_place_check_flags(unsigned flags, struct cim_error *err)
{
	const unsigned for_containers = CIM_WRITE_FORCE | CIM_WRITE_SEALABLE |
					CIM_WRITE_NEW_CONTAINER;

	if (flags & ~(CIM_WRITE_CONTAINER | for_containers))
		return cim_fail(err, CIM_E_INVALID, "unknown flags");
	if ((flags & for_containers) && !(flags & CIM_WRITE_CONTAINER))
		return cim_fail(err, CIM_E_INVALID, "a flag that is for containers only");
	return CIM_OK;
}

enum cim_status cim_place_lock(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			       unsigned flags, cim_vfs_dir **dir, bool *unlocked,
			       struct cim_error *err)
{
	const struct place place = {.env = env,
				    .vfs = vfs,
				    .path = path,
				    .session = true,
				    .make = flags & CIM_WRITE_CONTAINER,
				    .force = flags & CIM_WRITE_FORCE,
				    .sealable = flags & CIM_WRITE_SEALABLE,
				    .fresh = flags & CIM_WRITE_NEW_CONTAINER,
				    .unlocked = unlocked};

	return open_place(&place, dir, err);
}

enum cim_status cim_place_of(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
			     const uint8_t *root, cim_vfs_dir **dir, const char **name,
			     struct cim_error *err)
{
	struct place place = {.env = env, .vfs = vfs, .root = root};
	char *dir_path;
	enum cim_status status = cim_split_path(env, path, &dir_path, name, err);

	*dir = NULL;
	if (status)
		return status;
	place.path = dir_path;
	status = open_place(&place, dir, err);
	cim_free(env, dir_path);
	return status;
}
