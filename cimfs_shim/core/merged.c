/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merged.c - opening a merged image: its region files lie in the places of its sources
 *
 * A merged image owns metadata only; its header names the region sets of the images that it was
 * made of (container.md 3). Those may lie anywhere, so the image is opened in a file system that
 * unites places (united.c): here it is found out where each source is.
 */
#include "container.h"
#include "hashtable.h"
#include "header.h"
#include "image.h"
#include "io.h"
#include "place.h"
#include "sized.h"
#include "united.h"

#include <string.h>

/* ---- opening ---- */

/* An image that was given as a source. */
struct given {
	struct cim_united_place *place;
	struct cim_header header;
};

struct opening {
	const struct cim_env *env;
	const uint8_t *root; /* of the merged image's container; then each source's is stored */
	struct cim_header header; /* the merged image's */
	struct given *given;
	size_t given_count;
	struct cim_united *united;
	struct cim_hash_table by_path; /* its places */
	const char *name;
	const char *at_fault; /* for the error: the image that it is about */
};

/* A place that is open already, or NULL. */
static struct cim_united_place *find_place(struct opening *o, const char *path)
{
	const uint32_t key = cim_hash_table_key(&o->by_path, path, strlen(path));
	struct cim_united_place *places = o->united->places;
	size_t cursor = 0;
	uint32_t number;

	while (cim_hash_table_next(&o->by_path, key, &cursor, &number))
		if (!strcmp(places[number].path, path))
			return &places[number];
	return NULL;
}

/* Open the place of the image at @path, unless it is open; *name (points into @path). */
static enum cim_status open_place(struct opening *o, const char *path, const uint8_t *root,
				  struct cim_united_place **place, const char **name,
				  struct cim_error *err)
{
	struct cim_united *u = o->united;
	struct cim_united_place *next = &u->places[u->place_count];
	struct cim_env env = *o->env;
	char *dir_path;
	enum cim_status status = cim_split_path(&env, path, &dir_path, name, err);

	if (status)
		return status;
	*place = find_place(o, dir_path);
	if (*place) {
		cim_free(&env, dir_path);
		return CIM_OK;
	}
	*next = (struct cim_united_place){.vfs = *o->env->vfs, .path = dir_path};
	*place = next;
	u->place_count++;
	if (!cim_hash_table_reserve(&o->by_path))
		return cim_no_memory(err);
	cim_hash_table_add(&o->by_path, cim_hash_table_key(&o->by_path, dir_path, strlen(dir_path)),
			   u->place_count - 1);
	env.vfs = &next->vfs;
	return cim_place_of(&env, &next->vfs, path, root, &next->dir, name, err);
}

static enum cim_status open_given(struct opening *o, const char *path, struct given *given,
				  struct cim_error *err)
{
	struct cim_env env = *o->env;
	const char *name;
	enum cim_status status = open_place(o, path, NULL, &given->place, &name, err);

	if (!status) {
		env.vfs = &given->place->vfs;
		status = cim_header_read(&env, given->place->dir, name, &given->header, err);
	}
	o->at_fault = status ? path : o->at_fault;
	return status;
}

static bool same_sets(const struct cim_region_set *a, const struct cim_region_set *b,
		      uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (a[i].count != b[i].count || memcmp(&a[i].guid, &b[i].guid, sizeof(a[i].guid)))
			return false;
	return true;
}

/* The given image that is the source whose first set is @first. */
static enum cim_status find_given(struct opening *o, const struct cim_merged_source *source,
				  uint32_t first, struct given **found, struct cim_error *err)
{
	char text[CIM_GUID_TEXT];

	for (size_t i = 0; i < o->given_count; i++) {
		const struct cim_header *header = &o->given[i].header;
		const struct cim_region_set *own = &header->sets[header->set_count - 1];
		/* A source that is merged itself: its sources are the image's own sources, too. */
		const uint32_t others = header->source_count ? header->set_count - 1 : 0;

		if (memcmp(&own->guid, &source->guid, sizeof(own->guid)) != 0)
			continue;
		*found = &o->given[i];
		if (header->set_count - others != source->set_count ||
		    !same_sets(header->sets + others, o->header.sets + first, source->set_count))
			return cim_fail(err, CIM_E_CORRUPT,
					"a source names other region sets than it did when it was "
					"merged");
		return CIM_OK;
	}
	cim_guid_format(&source->guid, text);
	return cim_fail(err, CIM_E_FILE_NOT_FOUND,
			"none of the images given is the source with the region set %s, or it was "
			"changed since",
			text);
}

/* What the source's container was checked by so far, and will be, is its own root hash. */
static enum cim_status check_root(const struct cim_merged_source *source, const struct given *given,
				  struct cim_error *err)
{
	const uint8_t *root = cim_cont_root(&given->place->vfs, given->place->dir);

	if (!source->verified)
		return cim_fail(err, CIM_E_CORRUPT, "it was merged without its root hash");
	if (!root)
		return cim_fail(err, CIM_E_CORRUPT, "the source isn't sealed");
	if (memcmp(root, source->root_hash, CIM_VERITY_DIGEST) != 0)
		return cim_fail(err, CIM_E_CORRUPT, "the source has another root hash");
	return CIM_OK;
}

/* Say where the next @count sets are, those of a source. */
static void unite_sets(struct cim_united *u, uint32_t count, struct cim_united_place *place)
{
	place->used = true;
	for (uint32_t i = 0; i < count; i++)
		u->sets[u->set_count++] = (uint32_t)(place - u->places);
}

static enum cim_status unite(struct opening *o, struct cim_error *err)
{
	struct cim_united *u = o->united;
	enum cim_status status = CIM_OK;

	for (uint32_t i = 0; !status && i < o->header.source_count; i++) {
		const struct cim_merged_source *source = &o->header.sources[i];
		struct given *given = NULL;

		status = find_given(o, source, u->set_count, &given, err);
		if (!status && o->root)
			status = check_root(source, given, err);
		if (status)
			return status;
		unite_sets(u, source->set_count, given->place);
	}
	return status;
}

/* The merged image's own place, and its header. */
static enum cim_status open_own(struct opening *o, const char *path, struct cim_error *err)
{
	struct cim_united *u = o->united;
	struct cim_united_place *own;
	enum cim_status status;

	u->places = cim_zalloc(&u->env, (1 + o->given_count) * sizeof(*u->places));
	if (!u->places)
		return cim_no_memory(err);
	u->env.vfs = &u->places[0].vfs;
	status = open_place(o, path, o->root, &own, &o->name, err);
	if (status)
		return status;
	status = cim_header_read(&u->env, u->places[0].dir, o->name, &o->header, err);
	if (status)
		return status;
	if (!o->header.source_count)
		return cim_fail(err, CIM_E_INVALID, "it is no merged image");
	u->sets = cim_alloc(&u->env, o->header.set_count * sizeof(*u->sets));
	return u->sets ? CIM_OK : cim_no_memory(err);
}

static enum cim_status open_all(struct opening *o, const char *path, const char *const *sources,
				struct cim_error *err)
{
	enum cim_status status = open_own(o, path, err);

	for (size_t i = 0; !status && i < o->given_count; i++)
		status = open_given(o, sources[i], &o->given[i], err);
	return status ? status : unite(o, err);
}

static void end_opening(struct opening *o)
{
	for (size_t i = 0; o->given && i < o->given_count; i++)
		cim_header_free(o->env, &o->given[i].header);
	cim_hash_table_free(&o->by_path);
	cim_header_free(o->env, &o->header);
	cim_free(o->env, o->given);
	if (o->united)
		cim_united_free(o->united);
}

static enum cim_status open_places(struct opening *o, const char *path, const char *const *sources,
				   struct cim_error *err)
{
	o->united = cim_zalloc(o->env, sizeof(*o->united));
	if (!o->united)
		return cim_no_memory(err);
	o->united->env = *o->env;
	cim_hash_table_init(&o->by_path, o->env);
	o->given = cim_zalloc(o->env, (o->given_count + 1) * sizeof(*o->given));
	if (!o->given)
		return cim_no_memory(err);
	return open_all(o, path, sources, err);
}

enum cim_status cim_merged_places(const struct cim_env *env, struct cim_vfs *vfs, const char *path,
				  const char *const *sources, size_t count, const uint8_t *root,
				  struct cim_merged_place *place, struct cim_error *err)
{
	struct opening o = {.env = env, .root = root, .given_count = count, .at_fault = path};
	enum cim_status status = CIM_OK;

	if (count > UINT16_MAX)
		status = cim_fail(err, CIM_E_LIMIT, "%llu sources", (unsigned long long)count);
	if (!status)
		status = open_places(&o, path, sources, err);
	if (!status) {
		cim_united_vfs(o.united, vfs);
		place->dir = (cim_vfs_dir *)o.united;
		place->name = o.name;
		o.united = NULL;
	}
	place->at_fault = o.at_fault;
	end_opening(&o);
	return status;
}

bool cim_null_source(struct cim_error *err, const char *op, const char *const *sources,
		     size_t count)
{
	bool found = count && CIM_ANY_NULL(err, op, sources);

	for (size_t i = 0; !found && i < count; i++)
		found = CIM_ANY_NULL(err, op, sources[i]);
	return found;
}

static enum cim_status open_with(const struct cim_env *env, const char *op, const char *path,
				 const char *const *sources, size_t count, const uint8_t *root,
				 struct cim_image **image, struct cim_error *err)
{
	struct cim_merged_place place = {.at_fault = path};
	struct cim_env own;
	struct cim_vfs vfs;
	enum cim_status status = cim_take_env(&own, &vfs, env, err);

	if (!status && cim_null_source(err, op, sources, count))
		return CIM_E_POINTER;
	if (!status)
		status = cim_merged_places(&own, &vfs, path, sources, count, root, &place, err);
	if (!status)
		status = cim_image_open_in(&own, place.dir, place.name, path, image, err);
	if (status) {
		cim_io_close_dir(&own, place.dir);
		return cim_error_where(err, status, op, place.at_fault);
	}
	(*image)->owns_dir = true;
	(*image)->with_sources = true;
	return CIM_OK;
}

enum cim_status cim_image_open_merged(const struct cim_env *env, const char *path,
				      const char *const *sources, size_t count,
				      struct cim_image **image, struct cim_error *err)
{
	static const char op[] = "open merged image";

	if (image)
		*image = NULL;
	if (CIM_ANY_NULL(err, op, path, sources, image))
		return CIM_E_POINTER;
	return open_with(env, op, path, sources, count, NULL, image, err);
}

enum cim_status cim_image_open_verified(const struct cim_env *env, const char *path,
					const char *const *sources, size_t count,
					const uint8_t *root_hash, struct cim_image **image,
					struct cim_error *err)
{
	static const char op[] = "open verified image";
	enum cim_status status;

	if (image)
		*image = NULL;
	if (CIM_ANY_NULL(err, op, path, root_hash, image))
		return CIM_E_POINTER;
	if (count)
		return open_with(env, op, path, sources, count, root_hash, image, err);
	status = cim_image_open_rooted(env, path, root_hash, image, err);
	return cim_error_where(err, status, op, path);
}
