/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contsame.c - is a container still what a session found, or left, there?
 */
#include "container.h"

#include <string.h>

/* Does the container's file still have these bytes? */
static enum cim_status look_again(struct cim_container *c, uint64_t place, const uint8_t *bytes,
				  size_t len, bool *same, long *os_error)
{
	uint8_t now[CIM_SIZE(cont_header)];
	size_t got;
	enum cim_status status = c->below.pread(c->below.ctx, c->file, place, now, len, &got,
						os_error);

	*same = !status && got == len && !memcmp(now, bytes, len);
	return status;
}

/* (Somebody may have sealed it, which leaves the records as they are.) */
enum cim_status cim_cont_check_unchanged(struct cim_container *c, long *os_error)
{
	bool named = true;
	enum cim_status status = CIM_OK;

	if (c->below.is_named && !c->device)
		status = c->below.is_named(c->below.ctx, c->dir, c->name, c->file, &named,
					   os_error);
	if (!status && named)
		status = look_again(c, 0, c->header, sizeof(c->header), &named, os_error);
	for (unsigned i = 0; i < CIM_CONT_RECORDS && !status && named; i++)
		status = look_again(c, (1 + i) * (uint64_t)CIM_CONT_BLOCK, c->records[i],
				    sizeof(c->records[i]), &named, os_error);
	if (status == CIM_E_FILE_NOT_FOUND)
		named = false;
	else if (status)
		return status;
	*os_error = named ? *os_error : 0;
	return named ? CIM_OK : CIM_E_SHARING;
}
