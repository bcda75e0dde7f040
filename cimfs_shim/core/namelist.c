/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namelist.c - names of files: see namelist.h
 *
 * They lie one behind the other, and 4 bytes for each tell where: a name costs its length and 5
 * bytes, where memory of its own would take 32 at least.
 */
#include "namelist.h"
#include "error.h"
#include "mem.h"
#include "sort.h"

#include <string.h>

static int compare_names(const void *a, const void *b, const void *ctx)
{
	const char *text = ctx;

	return strcmp(text + *(const uint32_t *)a, text + *(const uint32_t *)b);
}

static bool is_among_sorted(const struct cim_name_list *list, const char *name)
{
	size_t low = 0, high = list->sorted;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(name, cim_name_list_get(list, middle));

		if (!order)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

enum cim_status cim_name_list_add(const struct cim_env *env, struct cim_name_list *list,
				  const char *name, struct cim_error *err)
{
	const size_t size = strlen(name) + 1;

	if (is_among_sorted(list, name))
		return CIM_OK;
	if (list->used > UINT32_MAX)
		return cim_fail(err, CIM_E_LIMIT, "too many files in the directory");
	while (list->text_room - list->used < size)
		if (!cim_grow(env, (void **)&list->text, &list->text_room, list->text_room, 1))
			return cim_no_memory(err);
	if (!cim_grow(env, (void **)&list->at, &list->room, list->count, sizeof(*list->at)))
		return cim_no_memory(err);
	memcpy(list->text + list->used, name, size);
	list->at[list->count++] = (uint32_t)list->used;
	list->used += size;
	return CIM_OK;
}

bool cim_name_list_sort(const struct cim_env *env, struct cim_name_list *list)
{
	size_t kept = 0;

	if (!cim_sort(env, list->at, list->count, sizeof(*list->at), compare_names, list->text))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (!kept || compare_names(&list->at[kept - 1], &list->at[i], list->text))
			list->at[kept++] = list->at[i];
	list->count = list->sorted = kept;
	return true;
}

void cim_name_list_free(const struct cim_env *env, struct cim_name_list *list)
{
	cim_free(env, list->text);
	cim_free(env, list->at);
	*list = (struct cim_name_list){0};
}
