/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.c - opening and closing a session, and its commit: see session.h
 *
 * A session holds the directory's lock and three region files of a region set of its own, under
 * private names or, in the ordinary mode, under their final ones: a region file that no image
 * names is nothing. Everything else happens in memory until the commit. An image that is extended
 * or forked is opened like by any reader; its region sets become the parents of the new image.
 */
#include "session.h"
#include "collate.h"
#include "io.h"
#include "metavalid.h"
#include "names.h"
#include "place.h"
#include "sized.h"

#include <string.h>

#define OWN_FLAGS (CIM_WRITE_CONSISTENT | CIM_WRITE_AS_STORED)

/* ---- opening ---- */

static enum cim_status check_names(const char *existing, const char *name, struct cim_error *err)
{
	enum cim_status status;

	if (!existing && !name)
		return cim_fail(err, CIM_E_INVALID, "neither an existing nor a new name is given");
	/* An image of no name can't exist; one can't be made either (D23). */
	if (existing && !*existing)
		return cim_fail(err, CIM_E_FILE_NOT_FOUND, "the existing image has no name");
	status = existing ? cim_check_image_name(existing, err) : CIM_OK;
	if (!status && name)
		status = cim_check_new_name(name, err);
	return status;
}

static char *join_path(const struct cim_env *env, const char *dir, const char *name)
{
	size_t dir_len = strlen(dir), name_len = strlen(name);
	bool slash = dir_len && dir[dir_len - 1] != '/' && dir[dir_len - 1] != '\\';
	char *path = cim_alloc(env, dir_len + name_len + 2);

	if (!path)
		return NULL;
	memcpy(path, dir, dir_len);
	if (slash)
		path[dir_len] = env->vfs->windows_paths ? '\\' : '/';
	memcpy(path + dir_len + slash, name, name_len + 1);
	return path;
}

/* What goes on with an image names all its sets, and shows what lies in them where they are now. */
static enum cim_status check_sources(struct cim_image *base, struct cim_error *err)
{
	enum cim_status status = base->info.source_count ? cim_image_check_regions(base, err)
							 : CIM_OK;

	if (status != CIM_E_CORRUPT)
		return status;
	return cim_fail(err, CIM_E_UNSUPPORTED,
			"an image that was merged is only gone on with beside all its sources");
}

static enum cim_status open_base(struct cim_writer *writer, const char *existing,
				 struct cim_error *err)
{
	enum cim_status status;

	if (!existing) {
		writer->major = CIM_VERSION_MAJOR;
		writer->minor = CIM_VERSION_MINOR;
		return CIM_OK;
	}
	status = cim_image_open_in(&writer->env, writer->dir, existing, existing, &writer->base,
				   err);
	if (status)
		return status;
	cim_image_show_marked(writer->base, true); /* what is hidden is kept */
	writer->major = writer->base->info.version_major;
	writer->minor = writer->base->info.version_minor;
	if (writer->base->info.region_count > CIM_MAX_REGIONS - CIM_REGION_TYPES ||
	    writer->base->info.set_count > 65535)
		return cim_fail(err, CIM_E_LIMIT, "%s names so many regions that no three are left",
				existing);
	return check_sources(writer->base, err);
}

static enum cim_status make_names(struct cim_writer *writer, bool consistent, struct cim_error *err)
{
	uint8_t random[CIM_SESSION_RANDOM];
	enum cim_status status;

	status = writer->env.random(writer->env.random_ctx, random, sizeof(random));
	if (status)
		return cim_fail(err, status, "the system gives no random numbers");
	cim_session_files_init(&writer->files, &writer->env, writer->dir, consistent, random);
	return CIM_OK;
}

/* What an image made from nothing begins with: its upcase table, and the root's descriptor. */
static enum cim_status write_beginnings(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_ns_file *root;
	uint64_t security;
	uint8_t *bytes;
	enum cim_status status;

	if (writer->base) {
		writer->upcase_offset = writer->base->upcase_offset;
		return CIM_OK;
	}
	bytes = cim_alloc(&writer->env, CIM_UPCASE_SIZE);
	if (!bytes)
		return cim_no_memory(err);
	for (size_t i = 0; i < CIM_UPCASE_ENTRIES; i++)
		cim_put16(bytes + 2 * i, cim_upcase_default[i]);
	status = cim_objects_put(&writer->objects, bytes, CIM_UPCASE_SIZE, &writer->upcase_offset,
				 err);
	cim_free(&writer->env, bytes);
	if (!status)
		status = cim_objects_put_shared(&writer->objects, cim_null_dacl, CIM_NULL_DACL_SIZE,
						true, &security, err);
	if (!status)
		status = cim_ns_change(&writer->ns, writer->ns.root_id, &root, err);
	if (!status)
		root->record.security = security;
	return status;
}

static enum cim_status open_session(struct cim_writer *writer, const char *dir,
				    const char *existing, const char *name, unsigned flags,
				    struct cim_error *err)
{
	bool unlocked = false;
	enum cim_status status;

	writer->replaces = existing && (!name || cim_same_name(&writer->env, existing, name));
	writer->name = cim_strdup(&writer->env, writer->replaces ? existing : name);
	if (writer->name)
		writer->path = join_path(&writer->env, dir, writer->name);
	if (writer->path)
		writer->lock = writer->env.mutex_new(writer->env.thread_ctx);
	if (!writer->lock)
		return cim_no_memory(err);
	status = cim_place_lock(&writer->env, &writer->vfs, dir, flags & ~OWN_FLAGS, &writer->dir,
				&unlocked, err);
	if (status)
		return status == CIM_E_FILE_NOT_FOUND ? CIM_E_PATH_NOT_FOUND : status;
	status = open_base(writer, existing, err);
	if (!status && !writer->replaces)
		status = cim_io_check_free(&writer->env, writer->dir, writer->name, err);
	if (!status)
		status = make_names(writer, flags & CIM_WRITE_CONSISTENT, err);
	writer->files.unlocked |= unlocked;
	if (!status)
		status = cim_ns_init(&writer->ns, &writer->env, writer->base, err);
	if (!status)
		status = cim_objects_open(&writer->objects, &writer->files, writer->base,
					  writer->major, writer->minor, err);
	return status ? status : write_beginnings(writer, err);
}

/* Closed, or never opened. */
static void destroy(struct cim_writer *writer)
{
	struct cim_env env = writer->env;

	if (writer->files.env)
		cim_session_files_close(&writer->files);
	if (writer->objects.env)
		cim_objects_close(&writer->objects);
	if (writer->ns.env)
		cim_ns_free(&writer->ns);
	cim_image_close(writer->base);
	cim_merge_free(&env, writer->merge);
	cim_merge_free_links(&writer->links, &env);
	cim_io_close_dir(&env, writer->dir);
	if (writer->lock)
		env.mutex_free(env.thread_ctx, writer->lock);
	cim_free(&env, writer->name);
	cim_free(&env, writer->path);
	cim_free(&env, writer);
}

enum cim_status cim_writer_open(const struct cim_env *env, const char *dir, const char *existing,
				const char *name, unsigned flags, struct cim_writer **out,
				struct cim_error *err)
{
	static const char op[] = "open session";
	struct cim_env own;
	struct cim_vfs vfs;
	struct cim_writer *writer;
	enum cim_status status;

	if (out)
		*out = NULL;
	if (CIM_ANY_NULL(err, op, dir, out))
		return CIM_E_POINTER;
	status = cim_take_env(&own, &vfs, env, err);
	if (!status)
		status = check_names(existing, name, err);
	if (!status)
		status = cim_place_check_flags(flags & ~OWN_FLAGS, err);
	if (status)
		return cim_error_where(err, status, op, name ? name : existing);
	writer = cim_zalloc(&own, sizeof(*writer));
	if (!writer)
		return cim_error_where(err, cim_no_memory(err), op, NULL);
	cim_copy_env(&writer->env, &writer->vfs, &own);
	writer->host = writer->vfs;
	cim_hash_table_init(&writer->links.map, &writer->env);
	writer->as_stored = (flags & CIM_WRITE_AS_STORED) != 0;
	status = open_session(writer, dir, existing, name, flags, &writer->own_error);
	if (status) {
		cim_error_where(err, cim_fail_as(err, status, &writer->own_error), op,
				writer->path);
		destroy(writer);
		return status;
	}
	*out = writer;
	return CIM_OK;
}

/* ---- closing ---- */

void cim_session_let_go(struct cim_writer *writer)
{
	bool last = writer->closed && !writer->stream;

	cim_session_unlock(writer);
	if (last)
		destroy(writer);
}

void cim_writer_close(struct cim_writer *writer)
{
	if (!writer)
		return;
	cim_session_lock(writer);
	writer->closed = true;
	cim_session_let_go(writer);
}

enum cim_status cim_writer_get_stats(struct cim_writer *writer, struct cim_writer_stats *stats,
				     struct cim_error *err)
{
	static const char op[] = "get counts";
	static const struct cim_writer_stats none;
	enum cim_status status = CIM_BLANK_SIZED(stats, &none, CIM_LEAST_STATS, err);

	if (CIM_ANY_NULL(err, op, writer, stats))
		return CIM_E_POINTER;
	if (status)
		return cim_error_where(err, status, op, writer->path);
	cim_session_lock(writer);
	cim_give_sized(stats, &writer->stats, sizeof(writer->stats));
	cim_session_unlock(writer);
	return CIM_OK;
}

bool cim_writer_unlocked(struct cim_writer *writer)
{
	bool unlocked;

	if (!writer)
		return false;
	cim_session_lock(writer);
	unlocked = writer->files.unlocked;
	cim_session_unlock(writer);
	return unlocked;
}

/* ---- commit ---- */

static enum cim_status commit(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_objects_mark mark;
	uint64_t filesystem;
	enum cim_status status;

	status = cim_merge_resolve(writer, err);
	if (!status)
		status = cim_merge_check_rests(writer, err);
	if (status)
		return status; /* as if it hadn't been tried */
	writer->harmless = false;
	cim_objects_get_mark(&writer->objects, &mark);
	status = cim_write_tables(writer, &filesystem, err);
	if (!status)
		status = cim_publish(writer, filesystem, err);
	if (status && writer->harmless) {
		/* The session goes on; the tables will be written anew. */
		struct cim_error cut = {0};
		enum cim_status bad = cim_objects_rewind(&writer->objects, &mark, &cut);

		if (!bad)
			bad = cim_unwrite_tables(writer, &cut);
		cim_session_poison(writer, bad, &cut);
		return status;
	}
	if (status && !writer->committed)
		cim_session_poison(writer, status, err);
	return status;
}

enum cim_status cim_writer_commit(struct cim_writer *writer, struct cim_error *err)
{
	enum cim_status status = cim_session_enter(writer, false, &err);

	if (!status)
		status = commit(writer, err);
	return cim_session_leave(writer, status, "commit", (struct cim_str){0}, err);
}
