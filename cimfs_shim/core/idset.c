/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idset.c - sets of FileIDs: see idset.h
 */
#include "idset.h"
#include "image.h"

#define WORD_BITS 64u

void cim_idset_init(struct cim_idset *set, const struct cim_env *env)
{
	*set = (struct cim_idset){0};
	cim_hash_table_init(&set->map, env);
}

void cim_idset_free(struct cim_idset *set)
{
	cim_free(set->map.env, set->words);
	cim_hash_table_free(&set->map);
}

enum cim_status cim_idset_open(struct cim_image *image, struct cim_idset **result,
			       struct cim_error *err)
{
	if (result)
		*result = NULL;
	if (CIM_ANY_NULL(err, "set of files", image, result))
		return CIM_E_POINTER;
	*result = cim_alloc(&image->env, sizeof(**result));
	if (!*result)
		return cim_error_where(err, cim_no_memory(err), "set of files", image->path);
	cim_idset_init(*result, &image->env);
	return CIM_OK;
}

void cim_idset_close(struct cim_idset *set)
{
	if (!set)
		return;
	cim_idset_free(set);
	cim_free(set->map.env, set);
}

bool cim_idset_has(const struct cim_idset *set, uint32_t file_id)
{
	uint32_t number;

	return set && cim_hash_table_get(&set->map, file_id / WORD_BITS, &number) &&
	       set->words[number] >> file_id % WORD_BITS & 1;
}

static bool add_word(struct cim_idset *set, uint32_t key, uint32_t *number)
{
	if (!cim_grow(set->map.env, (void **)&set->words, &set->room, set->map.count,
		      sizeof(*set->words)) ||
	    !cim_hash_table_reserve(&set->map))
		return false;
	*number = (uint32_t)set->map.count;
	set->words[*number] = 0;
	cim_hash_table_add(&set->map, key, *number);
	return true;
}

enum cim_status cim_idset_add(struct cim_idset *set, uint32_t file_id, bool *again,
			      struct cim_error *err)
{
	const uint64_t bit = UINT64_C(1) << file_id % WORD_BITS;
	uint32_t number;

	if (again)
		*again = false;
	if (CIM_ANY_NULL(err, "set of files", set, again))
		return CIM_E_POINTER;
	if (!cim_hash_table_get(&set->map, file_id / WORD_BITS, &number) &&
	    !add_word(set, file_id / WORD_BITS, &number))
		return cim_no_memory(err);
	*again = set->words[number] & bit;
	set->words[number] |= bit;
	return CIM_OK;
}
