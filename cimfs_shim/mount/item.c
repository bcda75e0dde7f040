/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * item.c - what the image has of an item
 */
#include "mount.h"

int item_info(struct server *s, uint32_t file_id, struct cim_file_info *info)
{
	struct cim_error err = {0};
	enum cim_status status;

	*info = (struct cim_file_info){CIM_SIZED(*info)};
	status = cim_image_stat(s->image, file_id, info, &err);
	return status ? log_status(status, &err, file_id) : 0;
}
