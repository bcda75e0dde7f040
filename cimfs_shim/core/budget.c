/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * budget.c - how much of an image a traversal may go through: see budget.h
 */
#include "budget.h"
#include "io.h"
#include "reader.h"
#include "regions.h"

#include <assert.h>
#include <string.h>

enum cim_status cim_budget_open(struct cim_image *image, struct cim_budget **result,
				struct cim_error *err)
{
	const struct cim_env *env;
	struct cim_budget *budget;

	if (result)
		*result = NULL;
	if (CIM_ANY_NULL(err, "budget", image, result))
		return CIM_E_POINTER;
	env = &image->env;
	budget = cim_zalloc(env, sizeof(*budget));
	if (!budget)
		goto no_memory;
	budget->image = image;
	budget->left = CIM_BUDGET_FREE;
	cim_hash_table_init(&budget->map, env);
	budget->lock = env->mutex_new(env->thread_ctx);
	budget->regions = cim_zalloc(env, image->info.region_count / 8 + 1);
	if (!budget->lock || !budget->regions)
		goto close_budget;
	*result = budget;
	return CIM_OK;
close_budget:
	cim_budget_close(budget);
no_memory:
	return cim_error_where(err, cim_no_memory(err), "budget", image->path);
}

void cim_budget_close(struct cim_budget *budget)
{
	const struct cim_env *env;

	if (!budget)
		return;
	env = &budget->image->env;
	cim_hash_table_free(&budget->map);
	cim_free(env, budget->places);
	cim_free(env, budget->regions);
	if (budget->lock)
		env->mutex_free(env->thread_ctx, budget->lock);
	cim_free(env, budget);
}

/* How much of a region file is no hole, up to a stride for each piece. Where that can't be found
 * out all of it: whoever reads there is told what is wrong with the file. */
static uint64_t count_data(struct cim_budget *budget, const struct cim_region_file *file)
{
	const struct cim_env *env = &budget->image->env;
	uint64_t at = 0, data = 0;

	for (unsigned steps = env->vfs->next_data ? CIM_BUDGET_STEPS : 0; steps; steps--) {
		if (cim_io_next_data(env, file->file, file->name, at, &at, NULL))
			return file->size;
		if (at >= file->size)
			return data;
		if (file->size - at <= CIM_BUDGET_STRIDE)
			break;
		data += CIM_BUDGET_STRIDE;
		at += CIM_BUDGET_STRIDE;
	}
	return data + (file->size - at);
}

static void add_room(struct cim_budget *budget, uint64_t size, uint64_t data)
{
	const uint64_t zeros = size - data < data ? size - data : data;

	/* Only nonsense overflows. */
	if (!cim_ckd_add64(&budget->left, budget->left, data + zeros))
		budget->left = UINT64_MAX;
	if (!cim_ckd_add64(&budget->holes, budget->holes, size - data - zeros))
		budget->holes = UINT64_MAX;
}

/* The first time something lies in a region its file's size is added. */
static enum cim_status add_region(struct cim_budget *budget, uint32_t region, struct cim_error *err)
{
	const uint8_t bit = (uint8_t)(1u << region % 8);
	struct cim_region_file *file;
	enum cim_status status;

	if (region < budget->image->info.region_count && budget->regions[region / 8] & bit)
		return CIM_OK;
	status = cim_region_get(budget->image, region, &file, err);
	if (status)
		return status;
	add_room(budget, file->size, count_data(budget, file));
	cim_region_put(budget->image, file);
	budget->regions[region / 8] |= bit;
	return CIM_OK;
}

enum cim_status cim_budget_over(struct cim_error *err)
{
	return cim_fail(err, CIM_E_CORRUPT,
			"too many items share what they lead to: going through all of it would "
			"take out of proportion to the image's size");
}

static bool take(struct cim_budget *budget, uint64_t bytes)
{
	budget->over |= bytes > budget->left;
	if (!budget->over)
		budget->left -= bytes;
	return !budget->over;
}

bool cim_budget_take(struct cim_budget *budget, uint64_t offset, uint64_t bytes)
{
	if (offset)
		add_region(budget, cim_region_index(offset), NULL);
	return take(budget, bytes < CIM_SMALLEST ? CIM_SMALLEST : bytes);
}

/* @holes: may it lie in those? */
static enum cim_status spend(struct cim_budget *budget, const struct cim_place *place, bool holes,
			     struct cim_error *err)
{
	uint64_t bytes = place->bytes, zeros;
	enum cim_status status;

	if (!bytes)
		return CIM_OK;
	status = add_region(budget, cim_region_index(place->offset), err);
	if (status)
		return status;
	zeros = !holes ? 0 : bytes < budget->holes ? bytes : budget->holes;
	budget->holes -= zeros;
	return take(budget, bytes - zeros) ? CIM_OK : cim_budget_over(err);
}

static void lock(struct cim_budget *budget)
{
	budget->image->env.mutex_lock(budget->image->env.thread_ctx, budget->lock);
}

static void unlock(struct cim_budget *budget)
{
	budget->image->env.mutex_unlock(budget->image->env.thread_ctx, budget->lock);
}

enum cim_status cim_budget_spend(struct cim_budget *budget, const struct cim_place *place,
				 struct cim_error *err)
{
	enum cim_status status;

	if (CIM_ANY_NULL(err, "budget", budget, place))
		return CIM_E_POINTER;
	lock(budget);
	status = spend(budget, place, false, err);
	unlock(budget);
	return cim_error_where(err, status, "budget", budget->image->path);
}

static_assert(sizeof(struct cim_place) == 4 * sizeof(uint64_t), "compared as bytes");

static bool known(struct cim_budget *budget, uint32_t key, const struct cim_place *place,
		  uint32_t *number)
{
	size_t cursor = 0;

	while (cim_hash_table_next(&budget->map, key, &cursor, number))
		if (!memcmp(&budget->places[*number], place, sizeof(*place)))
			return true;
	return false;
}

static enum cim_status add_place(struct cim_budget *budget, uint32_t key,
				 const struct cim_place *place, uint32_t *number,
				 struct cim_error *err)
{
	if (!cim_grow(&budget->image->env, (void **)&budget->places, &budget->room, budget->count,
		      sizeof(*budget->places)) ||
	    !cim_hash_table_reserve(&budget->map))
		return cim_no_memory(err);
	*number = (uint32_t)budget->count++;
	budget->places[*number] = *place;
	cim_hash_table_add(&budget->map, key, *number);
	return CIM_OK;
}

enum cim_status cim_budget_find(struct cim_budget *budget, const struct cim_place *place,
				uint32_t *number, bool *again, struct cim_error *err)
{
	const uint32_t key = cim_hash_table_key(&budget->map, place, sizeof(*place));

	*again = known(budget, key, place, number);
	return *again ? CIM_OK : add_place(budget, key, place, number, err);
}

static enum cim_status spend_once(struct cim_budget *budget, const struct cim_place *place,
				  uint32_t *number, bool *again, struct cim_error *err)
{
	const uint32_t key = cim_hash_table_key(&budget->map, place, sizeof(*place));
	enum cim_status status;

	*again = known(budget, key, place, number);
	if (*again)
		return CIM_OK;
	status = spend(budget, place, true, err);
	return status ? status : add_place(budget, key, place, number, err);
}

enum cim_status cim_budget_once(struct cim_budget *budget, const struct cim_place *place,
				uint32_t *number, bool *again, struct cim_error *err)
{
	enum cim_status status;

	if (number)
		*number = 0;
	if (again)
		*again = false;
	if (CIM_ANY_NULL(err, "budget", budget, place, number, again))
		return CIM_E_POINTER;
	*number = CIM_NOT_COUNTED;
	if (place->bytes < CIM_SMALL_PLACE)
		return CIM_OK;
	lock(budget);
	status = spend_once(budget, place, number, again, err);
	unlock(budget);
	return cim_error_where(err, status, "budget", budget->image->path);
}
