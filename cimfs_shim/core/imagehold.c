/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imagehold.c - marking an image as in use, so that a commit over it is refused (D33)
 *
 * The mark is a shared lock on the first file of the image's region set, and of that of each of its
 * sources. It ends when the image is closed, or with the process.
 */
#include "io.h"
#include "reader.h"
#include "regions.h"

/* ---- using ---- */

static enum cim_status ask_held(struct cim_image *image, const char *name, struct cim_error *err)
{
	enum cim_vfs_lock lock = CIM_LOCK_NONE;
	enum cim_status status = cim_io_is_locked(&image->env, image->dir, name, &lock, err);

	if (status || lock == CIM_LOCK_NONE)
		return status;
	return cim_fail(err, CIM_E_SHARING, "somebody holds %s", name);
}

/* The name of the file that mark @index stands on: the first of a region set, whose number is
 * returned. @sets: of the sources up to it, counted from one call to the next. */
static uint32_t name_mark(struct cim_image *image, size_t index, uint32_t *sets, char *name)
{
	uint32_t set;

	if (index)
		*sets += image->sources[index - 1].set_count;
	set = (index ? *sets : image->info.set_count) - 1;
	cim_image_region_name(image, image->sets[set].first, name);
	return set;
}

static enum cim_status open_marks(struct cim_image *image, struct cim_error *err)
{
	const size_t count = 1 + (image->with_sources ? image->info.source_count : 0);
	char name[CIM_REGION_NAME];
	uint32_t sets = 0;
	enum cim_status status = CIM_OK;

	if (!image->marks)
		image->marks = cim_alloc(&image->env, count * sizeof(*image->marks));
	if (!image->marks)
		return cim_no_memory(err);
	for (size_t i = 0; i < count && !status; i++) {
		const uint32_t set = name_mark(image, i, &sets, name);

		if (i < image->mark_count)
			continue;
		status = cim_open_beside(image, set, name, &image->marks[i], err);
		image->mark_count += !status;
	}
	return status;
}

/* All are open before the first is locked, so who waits needs no directory any more. One that can't
 * be locked keeps no other from it. */
static enum cim_status hold_all(struct cim_image *image, bool wait, struct cim_error *err)
{
	char name[CIM_REGION_NAME];
	struct cim_error why;
	uint32_t sets = 0;
	enum cim_status result = open_marks(image, err);

	for (size_t i = 0; i < image->mark_count; i++) {
		enum cim_status status;

		name_mark(image, i, &sets, name);
		status = cim_io_lock(&image->env, image->marks[i], name, CIM_LOCK_SHARED, wait,
				     &why);
		if (!result)
			result = cim_fail_as(err, status, &why);
	}
	return result;
}

enum cim_status cim_image_hold(struct cim_image *image, enum cim_hold how, intptr_t *native,
			       struct cim_error *err)
{
	static const char op[] = "hold image";
	char name[CIM_REGION_NAME];
	enum cim_status status;

	if (native)
		*native = -1;
	if (CIM_ANY_NULL(err, op, image))
		return CIM_E_POINTER;
	cim_image_region_name(image, image->sets[image->info.set_count - 1].first, name);
	if ((unsigned)how > CIM_HOLD_ASK)
		status = cim_fail(err, CIM_E_INVALID, "there is no way %u to hold an image",
				  (unsigned)how);
	else if (how == CIM_HOLD_ASK)
		status = ask_held(image, name, err);
	else
		status = hold_all(image, how == CIM_HOLD_WAIT, err);
	if (native && how != CIM_HOLD_ASK)
		cim_image_mark(image, 0, native);
	return cim_error_where(err, status, op, image->path);
}

bool cim_image_mark(struct cim_image *image, size_t index, intptr_t *native)
{
	const struct cim_vfs *vfs;
	uint64_t none = 0, place;

	if (native)
		*native = -1;
	if (!image || !native || index >= image->mark_count)
		return false;
	vfs = image->env.vfs;
	if (vfs->map)
		*native = vfs->map(vfs->ctx, image->marks[index], 0, &none, &place);
	return true;
}
