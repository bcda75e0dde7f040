/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contseal.c - sealing a container, and telling what one is
 *
 * The tree is hashed from what lies there, but for block 0, of which it is known what it will be:
 * the header that says that the container is sealed. Superblock and tree are written behind the end
 * and synced; then that header is written, whose changed bytes lie in its first 512. Until then the
 * container is what it was, and the next session cuts off what lies behind its end.
 */
#include "../../include/libcim_advanced.h"
#include "bytes.h"
#include "container.h"
#include "error.h"
#include "io.h"
#include "names.h"
#include "place.h"
#include "sized.h"

#include <string.h>

struct sealing {
	struct cim_container *c;
	uint8_t header[CIM_CONT_BLOCK]; /* block 0, as it will be */
};

/* ---- the seal ---- */

static enum cim_status read_header(struct sealing *s, uint64_t blocks, struct cim_error *err)
{
	uint8_t *const header = s->header;
	const enum cim_status status = cim_cont_read_all(s->c, 0, header, sizeof(s->header), err);

	if (status)
		return status;
	cim_put32(header + CIM_OFF(cont_header, flags), s->c->flags | CIM_CONT_SEALED);
	cim_put64(header + CIM_OFF(cont_header, verity), blocks * CIM_CONT_BLOCK);
	cim_put64(header + CIM_OFF(cont_header, blocks), blocks);
	cim_cont_digest(header, CIM_OFF(cont_header, digest),
			header + CIM_OFF(cont_header, digest));
	return CIM_OK;
}

static enum cim_status tell(const struct sealing *s, uint64_t done, struct cim_error *err)
{
	const struct cim_env *env = &s->c->env;
	const struct cim_progress progress = {CIM_PHASE_SEAL, done, s->c->now.end};

	if (env->progress && env->progress(env->progress_ctx, &progress))
		return cim_fail(err, CIM_E_ABORTED, "stopped by the caller");
	return CIM_OK;
}

static enum cim_status read_data(void *ctx, uint64_t offset, void *buf, size_t len,
				 struct cim_error *err)
{
	const struct sealing *s = ctx;
	const enum cim_status status = cim_cont_read_all(s->c, offset, buf, len, err);

	if (!status && !offset)
		memcpy(buf, s->header, sizeof(s->header));
	return status ? status : tell(s, offset + len, err);
}

static enum cim_status write_tree(void *ctx, uint64_t offset, const void *buf, size_t len,
				  struct cim_error *err)
{
	struct cim_container *c = ((struct sealing *)ctx)->c;
	long os_error = 0;
	enum cim_status status = cim_cont_put_bytes(c, offset, buf, len, &os_error);

	return status ? cim_fail_os(err, status, &c->below, os_error, "writing %s", c->name)
		      : CIM_OK;
}

/* Still nobody else's, and then the one write that seals it. */
static enum cim_status write_header(const struct sealing *s, struct cim_error *err)
{
	struct cim_container *c = s->c;
	long os_error = 0;
	enum cim_status status = cim_io_sync(&c->env, c->file, c->name, err);

	if (status)
		return status;
	status = cim_cont_check_unchanged(c, &os_error);
	if (status)
		return cim_fail_os(err, status, &c->below, os_error, "sealing %s", c->name);
	/* From here on the tree may be needed, whatever fails. */
	c->next = c->now.end;
	status = cim_io_write(&c->env, c->file, c->name, 0, s->header, sizeof(s->header), err);
	return status ? status : cim_io_sync(&c->env, c->file, c->name, err);
}

enum cim_status cim_cont_seal(struct cim_container *c, uint8_t *root, struct cim_error *err)
{
	struct sealing s = {.c = c};
	const struct cim_verity_file file = {&s, read_data, write_tree};
	const uint64_t blocks = c->now.end / CIM_CONT_BLOCK;
	struct cim_verity_shape shape;
	enum cim_status status;

	if (!(c->flags & CIM_CONT_TO_BE_SEALED))
		return cim_fail(err, CIM_E_INVALID, "the container wasn't made to be sealed");
	if (!cim_verity_shape(&shape, blocks) || shape.end > INT64_MAX / CIM_CONT_BLOCK)
		return cim_fail(err, CIM_E_LIMIT, "the container is too large for a seal");
	if (c->device && shape.end > c->device_size / CIM_CONT_BLOCK)
		return cim_fail(err, CIM_E_DISK_FULL, "the device has no room for the seal");
	/* What the end of the session is to cut off. */
	c->next = shape.end * CIM_CONT_BLOCK;
	status = read_header(&s, blocks, err);
	if (!status)
		status = cim_verity_build(&c->env, &shape, &file, root, err);
	return status ? status : write_header(&s, err);
}

/* ---- the calls ---- */

/* As a reader, of a container that is sealed already. */
static enum cim_status take_root(const struct cim_env *env, const char *path, uint8_t *root,
				 bool *sealed, struct cim_error *err)
{
	struct cim_vfs vfs = *env->vfs;
	struct cim_container *c;
	enum cim_status status = cim_place_container(env, &vfs, path, NULL, &c, err);

	*sealed = false;
	if (status)
		return status;
	*sealed = c->flags & CIM_CONT_SEALED;
	if (c->verity)
		memcpy(root, cim_verity_root(c->verity), CIM_VERITY_DIGEST);
	else if (*sealed)
		status = cim_fail(err, CIM_E_CORRUPT, "the container's seal isn't here");
	else if (!(c->flags & CIM_CONT_TO_BE_SEALED))
		status = cim_fail(err, CIM_E_INVALID, "the container wasn't made to be sealed");
	cim_cont_put(c);
	return status;
}

static enum cim_status seal_now(const struct cim_env *env, const char *path, uint8_t *root,
				bool *unlocked, struct cim_error *err)
{
	struct cim_vfs vfs = *env->vfs;
	struct cim_container *c;
	enum cim_status status = cim_place_container(env, &vfs, path, unlocked, &c, err);

	if (status)
		return status;
	status = cim_cont_seal(c, root, err);
	vfs.close_dir(vfs.ctx, (cim_vfs_dir *)c);
	return status;
}

enum cim_status cim_container_seal(const struct cim_env *env, const char *path, uint8_t *root_hash,
				   bool *unlocked, struct cim_error *err)
{
	static const char op[] = "seal container";
	struct cim_error why = {0};
	uint8_t root[CIM_VERITY_DIGEST];
	struct cim_env own;
	struct cim_vfs vfs;
	bool sealed = false, ignored;
	enum cim_status status;

	unlocked = unlocked ? unlocked : &ignored;
	*unlocked = false;
	if (root_hash)
		memset(root_hash, 0, sizeof(root));
	if (CIM_ANY_NULL(err, op, path, root_hash))
		return CIM_E_POINTER;
	status = cim_take_env(&own, &vfs, env, &why);
	if (!status)
		status = take_root(&own, path, root, &sealed, &why);
	if (!status && !sealed)
		status = seal_now(&own, path, root, unlocked, &why);
	/* Somebody else may have been faster. */
	if (status == CIM_E_ACCESS && !sealed && !take_root(&own, path, root, &sealed, NULL) &&
	    sealed)
		status = CIM_OK;
	if (!status)
		memcpy(root_hash, root, sizeof(root));
	return cim_error_where(err, cim_fail_as(err, status, &why), op, path);
}

static void count_files(const struct cim_container *c, struct cim_container_info *info)
{
	char name[3 * CIM_CONT_MAX_NAME + 1];
	enum cim_file_kind kind;
	struct cim_guid guid;
	uint16_t index;

	info->files = c->count;
	for (size_t i = 0; i < c->count; i++) {
		cim_cont_name_text(&c->entries[i], name);
		info->images += !cim_parse_set_name(&c->env, name, &kind, &guid, &index);
	}
}

static enum cim_status describe(struct cim_container *c, struct cim_container_info *info,
				struct cim_error *err)
{
	info->device = c->device;
	info->to_be_sealed = c->flags & CIM_CONT_TO_BE_SEALED;
	info->sealed = c->flags & CIM_CONT_SEALED;
	info->seal_elsewhere = info->sealed && !c->verity;
	info->size = c->now.end;
	info->used = cim_cont_used(c);
	info->lost = info->size - info->used;
	count_files(c, info);
	info->data_blocks = info->sealed ? c->sealed_blocks : 0;
	if (c->verity)
		memcpy(info->root_hash, cim_verity_root(c->verity), CIM_VERITY_DIGEST);
	return cim_io_size(&c->env, c->file, c->name, &info->file_size, err);
}

enum cim_status cim_container_get_info(const struct cim_env *env, const char *path,
				       struct cim_container_info *info, struct cim_error *err)
{
	static const char op[] = "look at container";
	static const struct cim_container_info none;
	struct cim_container_info found = {0};
	struct cim_container *c;
	struct cim_env own;
	struct cim_vfs vfs, inside;
	enum cim_status status = CIM_BLANK_SIZED(info, &none, CIM_LEAST_CONTAINER, err);

	if (CIM_ANY_NULL(err, op, path, info))
		return CIM_E_POINTER;
	if (!status)
		status = cim_take_env(&own, &vfs, env, err);
	if (!status) {
		inside = vfs;
		status = cim_place_container(&own, &inside, path, NULL, &c, err);
	}
	if (status)
		return cim_error_where(err, status, op, path);
	status = describe(c, &found, err);
	if (!status)
		cim_give_sized(info, &found, sizeof(found));
	cim_cont_put(c);
	return cim_error_where(err, status, op, path);
}
