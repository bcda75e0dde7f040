/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blob.c - an item's variable metadata in memory
 */
#include "blob.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "ea.h"

enum cim_status blob_read(struct cim_image *image, const struct cim_file_info *file,
			  enum cim_blob which, struct blob *blob, struct cim_error *err)
{
	uint8_t buf[512];
	enum cim_status status;
	size_t size = 0;

	blob->data = NULL;
	blob->size = 0;
	status = cim_image_get_file_blob(image, file, which, buf, sizeof(buf), &size, err);
	if (!status) {
		if (size)
			blob->data = memcpy(xmalloc(size + EA_NTFS_ROOM), buf, size);
	} else if (status == CIM_E_LIMIT && size > sizeof(buf)) {
		blob->data = xmalloc(size + EA_NTFS_ROOM);
		status = cim_image_get_file_blob(image, file, which, blob->data, size, &size, err);
	}
	if (status) {
		blob_free(blob);
		return status;
	}
	blob->size = size;
	return CIM_OK;
}

void blob_free(struct blob *blob)
{
	free(blob->data);
	blob->data = NULL;
	blob->size = 0;
}

bool blob_equal(const struct blob *a, const struct blob *b)
{
	return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}
