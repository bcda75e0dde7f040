/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namelist.h - names of files: millions of them in little more than their bytes
 */
#ifndef CIM_NAMELIST_H
#define CIM_NAMELIST_H

#include "../../include/libcim_env.h"

struct cim_name_list {
	char *text; /* the names, each with its 0 */
	size_t used, text_room;
	uint32_t *at; /* where each begins */
	size_t count, room;
	size_t sorted; /* so many are in order, each once */
};

/* Add a name, unless it is one of those that are sorted. CIM_E_NO_MEMORY, CIM_E_LIMIT. */
enum cim_status cim_name_list_add(const struct cim_env *env, struct cim_name_list *list,
				  const char *name, struct cim_error *err);
/* By strcmp(); of equal ones one is left. False: no memory. */
bool cim_name_list_sort(const struct cim_env *env, struct cim_name_list *list);
static inline const char *cim_name_list_get(const struct cim_name_list *list, size_t index)
{
	return list->text + list->at[index];
}
/* It is empty then. */
void cim_name_list_free(const struct cim_env *env, struct cim_name_list *list);

#endif
