/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owners.c - is a region set needed by an image?
 *
 * Only filesystem files tell: a set belongs to the images whose header names it, as their own or as
 * a parent's. Here the directory is asked as it is now, for one set, by those who are about to take
 * a file of it away; store.c answers the same for all sets, as they were when it looked.
 *
 * The answer is safe only as far as it can't change meanwhile. A session that keeps a file which it
 * found (decision D45) holds that file's byte lock from before it looks at it until its image is
 * there. So who holds the lock alone, and finds no owner then, may delete the file.
 */
#include "owners.h"
#include "header.h"
#include "image.h"
#include "io.h"
#include "names.h"

#include <string.h>

enum {
	HOLD_MS = 1000,
	HOLD_STEP_MS = 20,
};

struct owner_search {
	const struct cim_env *env;
	cim_vfs_dir *dir;
	const struct cim_guid *guid;
	struct cim_error why; /* of a file that couldn't be looked at */
	bool found;
};

enum cim_status cim_read_head(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			      struct cim_file_head *head, struct cim_error *err)
{
	cim_vfs_file *file;
	enum cim_status status;

	memset(head, 0, sizeof(*head));
	status = cim_io_open(env, dir, name, CIM_VFS_READ, &file, err);
	if (status)
		return status;
	status = cim_io_size(env, file, name, &head->size, err);
	if (!status)
		status = cim_io_read(env, file, name, 0, head->bytes, sizeof(head->bytes),
				     &head->got, err);
	cim_io_close(env, file);
	return status;
}

enum cim_status cim_hold_file(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			      bool alone, cim_vfs_file **file, struct cim_error *err)
{
	const uint64_t end = env->now_ms(env->clock_ctx) + HOLD_MS;
	enum cim_status status;

	for (;;) {
		status = cim_io_hold(env, dir, name, alone, file, err);
		if (status != CIM_E_SHARING || env->now_ms(env->clock_ctx) >= end)
			return status;
		env->sleep_ms(env->clock_ctx, HOLD_STEP_MS);
	}
}

bool cim_head_is_image(const struct cim_file_head *head)
{
	const unsigned type = head->bytes[CIM_OFF(common_header, type)];

	if (head->got < CIM_MAGIC_SIZE || memcmp(head->bytes, CIM_MAGIC, CIM_MAGIC_SIZE))
		return false;
	return head->got <= CIM_OFF(common_header, type) ||
	       (type != CIM_FILE_REGION && type != CIM_FILE_OBJECT_ID);
}

/* Does this image name the set? One that is broken may. */
static enum cim_status look_at_image(struct owner_search *search, const char *name)
{
	struct cim_header header;
	enum cim_status status;

	status = cim_header_read(search->env, search->dir, name, &header, &search->why);
	if (status == CIM_E_CORRUPT || status == CIM_E_VERSION) {
		search->found = true;
		status = CIM_OK;
	}
	for (uint32_t i = 0; i < header.set_count; i++)
		if (!memcmp(&header.sets[i].guid, search->guid, sizeof(*search->guid)))
			search->found = true;
	cim_header_free(search->env, &header);
	return status;
}

static enum cim_status look_for_owner(void *arg, const char *name)
{
	struct owner_search *search = arg;
	struct cim_file_head head;
	size_t group;
	enum cim_status status;

	if (cim_parse_temporary_name(search->env, name,
				     &group)) /* what a dead session left is nobody's image */
		return CIM_OK;
	/* Most files aren't images: their first bytes tell. */
	status = cim_read_head(search->env, search->dir, name, &head, &search->why);
	if (!status && cim_head_is_image(&head))
		status = look_at_image(search, name);
	if (search->found)
		return CIM_E_EXISTS;
	return status == CIM_E_FILE_NOT_FOUND ? CIM_OK : status; /* gone meanwhile */
}

enum cim_status cim_set_is_owned(const struct cim_env *env, cim_vfs_dir *dir,
				 const struct cim_guid *guid, bool *owned, struct cim_error *err)
{
	struct owner_search search = {.env = env, .dir = dir, .guid = guid};
	struct cim_error listing = {0};
	enum cim_status status = cim_io_list(env, dir, look_for_owner, &search, &listing);

	*owned = search.found;
	if (!status || search.found)
		return CIM_OK;
	return cim_fail_as(err, status, status == search.why.status ? &search.why : &listing);
}
