/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mergesource.c - adding an image to those that a session merges
 *
 * What is in it is laid under the session's tree by mergetree.c. A source isn't held while the
 * session goes on, but before the commit it is looked at again: an image that replaced it isn't the
 * one that was merged.
 */
#include "container.h"
#include "header.h"
#include "io.h"
#include "place.h"
#include "session.h"

#include <string.h>

static enum cim_status add_source(const struct cim_env *env, struct cim_merge *merge,
				  const struct cim_merged_source *source, struct cim_error *err)
{
	if (!cim_grow(env, (void **)&merge->sources, &merge->source_room, merge->source_count,
		      sizeof(*merge->sources)))
		return cim_no_memory(err);
	merge->sources[merge->source_count++] = *source;
	return CIM_OK;
}

/* Those of a merged image are sources of this one too, and in front of it. */
static enum cim_status add_sources(const struct cim_env *env, struct cim_merge *merge,
				   const struct cim_image *image, const uint8_t *root,
				   struct cim_error *err)
{
	struct cim_merged_source own = {.guid = image->sets[image->info.set_count - 1].guid,
					.set_count = image->info.set_count};
	enum cim_status status = CIM_OK;

	if (root)
		memcpy(own.root_hash, root, sizeof(own.root_hash));
	for (uint32_t i = 0; !status && i < image->info.source_count; i++) {
		own.set_count -= image->sources[i].set_count;
		status = add_source(env, merge, &image->sources[i], err);
	}
	return status ? status : add_source(env, merge, &own, err);
}

/* Name the image's sets as parents. */
static enum cim_status add_sets(const struct cim_env *env, struct cim_merge *merge,
				const struct cim_image *image, const uint8_t *root,
				struct cim_error *err)
{
	if (image->info.region_count > CIM_MAX_REGIONS - CIM_MERGE_OWN - merge->regions ||
	    image->info.set_count > UINT16_MAX - merge->set_count)
		return cim_fail(err, CIM_E_LIMIT,
				"the sources have more regions than an image can name");
	for (uint32_t i = 0; i < image->info.set_count; i++) {
		if (!cim_grow(env, (void **)&merge->sets, &merge->set_room, merge->set_count,
			      sizeof(*merge->sets)))
			return cim_no_memory(err);
		merge->sets[merge->set_count++] = image->sets[i];
	}
	merge->regions += image->info.region_count;
	return add_sources(env, merge, image, root, err);
}

/* ---- adding ---- */

/* What it is known by at the commit. */
static enum cim_status remember(struct cim_writer *writer, const char *path,
				const struct cim_image *image, struct cim_error *err)
{
	const uint8_t *root = cim_cont_root(&image->vfs, image->dir);
	struct cim_merge *merge = writer->merge;
	struct cim_given *given;

	if (!cim_grow(&writer->env, (void **)&merge->given, &merge->given_room, merge->given_count,
		      sizeof(*merge->given)))
		return cim_no_memory(err);
	given = &merge->given[merge->given_count];
	*given = (struct cim_given){.path = cim_strdup(&writer->env, path), .sealed = root};
	if (!given->path)
		return cim_no_memory(err);
	if (root)
		memcpy(given->root, root, sizeof(given->root));
	cim_digest_of(image->header, image->header_size, &given->header);
	merge->given_count++;
	return CIM_OK;
}

static enum cim_status add_image(struct cim_writer *writer, const char *path,
				 struct cim_image *image, const uint8_t *root,
				 struct cim_error *err)
{
	const uint32_t first = writer->merge->regions;
	enum cim_status status = remember(writer, path, image, err);

	if (!status)
		status = add_sets(&writer->env, writer->merge, image, root, err);
	cim_image_show_marked(image, true);
	return status ? status : cim_merge_tree(writer, image, first, ++writer->sources, err);
}

/* The image's version is the highest of its sources. */
static enum cim_status raise_version(struct cim_writer *writer, const struct cim_image *image,
				     struct cim_error *err)
{
	const uint32_t major = image->info.version_major, minor = image->info.version_minor;

	if (major < writer->major || (major == writer->major && minor <= writer->minor))
		return CIM_OK;
	writer->major = major;
	writer->minor = minor;
	return cim_objects_set_version(&writer->objects, major, minor, err);
}

/* An image that is opened for the time. */
static enum cim_status open_source(struct cim_writer *writer, const char *path,
				   struct cim_image **image, struct cim_error *err)
{
	struct cim_env env = writer->env;

	if (writer->base)
		return cim_fail(err, CIM_E_INVALID, "only an image made from nothing is merged");
	/* The host's file system: the session's may be a container's. */
	env.vfs = &writer->host;
	return cim_image_open(&env, path, image, err);
}

static enum cim_status begin_merging(struct cim_writer *writer, struct cim_error *err)
{
	if (writer->merge)
		return CIM_OK;
	writer->merge = cim_zalloc(&writer->env, sizeof(*writer->merge));
	if (!writer->merge)
		return cim_no_memory(err);
	cim_hash_table_init(&writer->merge->rest_map, &writer->env);
	return CIM_OK;
}

static enum cim_status find_root(const struct cim_image *image, const uint8_t **root,
				 struct cim_error *err)
{
	*root = cim_cont_root(&image->vfs, image->dir);
	return *root ? CIM_OK : cim_fail(err, CIM_E_CORRUPT, "the source isn't sealed");
}

/* ---- before the commit ---- */

/* An image in a sealed container has the root hash of all its bytes, too. One that has got its seal
 * meanwhile is the same. */
static enum cim_status is_given(const struct cim_env *env, const struct cim_given *given,
				cim_vfs_dir *dir, const char *name, bool *same,
				struct cim_error *err)
{
	const uint8_t *root = cim_cont_root(env->vfs, dir);
	struct cim_header header;
	struct cim_digest digest;
	enum cim_status status = cim_header_read(env, dir, name, &header, err);

	if (status)
		return status;
	cim_digest_of(header.bytes, header.size, &digest);
	cim_header_free(env, &header);
	*same = !memcmp(&digest, &given->header, sizeof(digest)) &&
		(!given->sealed || (root && !memcmp(root, given->root, sizeof(given->root))));
	return CIM_OK;
}

static enum cim_status check_given(const struct cim_writer *writer, const struct cim_given *given,
				   struct cim_error *err)
{
	struct cim_env env = writer->env;
	struct cim_vfs vfs = writer->host;
	bool same = true;
	const char *name;
	cim_vfs_dir *dir;
	enum cim_status status;

	env.vfs = &vfs;
	status = cim_place_of(&env, &vfs, given->path, NULL, &dir, &name, err);
	if (!status) {
		status = is_given(&env, given, dir, name, &same, err);
		cim_io_close_dir(&env, dir);
	}
	if (status == CIM_E_FILE_NOT_FOUND)
		return cim_fail(err, status, "the source %s is gone", given->path);
	if (!same)
		return cim_fail(err, CIM_E_SHARING, "the source %s was changed by somebody else",
				given->path);
	return status;
}

enum cim_status cim_merge_check_given(const struct cim_writer *writer, struct cim_error *err)
{
	const struct cim_merge *merge = writer->merge;
	enum cim_status status = CIM_OK;

	for (size_t i = 0; merge && !status && i < merge->given_count; i++)
		status = check_given(writer, &merge->given[i], err);
	return status;
}

/* ---- the public function ---- */

enum cim_status cim_writer_add_source(struct cim_writer *writer, const char *path, unsigned flags,
				      struct cim_error *err)
{
	static const struct cim_str none;
	struct cim_image *image = NULL;
	const uint8_t *root = NULL;
	enum cim_status status;

	status = cim_session_enter(writer, false, &err);
	if (!status && CIM_ANY_NULL(err, NULL, path))
		status = CIM_E_POINTER;
	if (!status && (flags & ~CIM_SOURCE_VERIFIED))
		status = cim_fail(err, CIM_E_INVALID, "unknown flags");
	if (!status)
		status = open_source(writer, path, &image, err);
	if (!status && (flags & CIM_SOURCE_VERIFIED))
		status = find_root(image, &root, err);
	if (!status)
		status = cim_session_begin_marks(writer, err);
	if (!status)
		status = begin_merging(writer, err);
	if (image && !status) {
		status = raise_version(writer, image, err);
		if (!status)
			status = add_image(writer, path, image, root, err);
		/* Half a source is none. */
		cim_session_poison(writer, status, err);
	}
	cim_image_close(image);
	return cim_session_leave(writer, status, "add source", none, err);
}
