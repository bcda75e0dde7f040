/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blob.h - an item's variable metadata in memory
 */
#ifndef HOST_BLOB_H
#define HOST_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcim_advanced.h"

struct blob {
	uint8_t *data; /* with EA_NTFS_ROOM more */
	size_t size;
};
enum cim_status blob_read(struct cim_image *image, const struct cim_file_info *file,
			  enum cim_blob which, struct blob *blob, struct cim_error *err);
void blob_free(struct blob *blob);
bool blob_equal(const struct blob *a, const struct blob *b);

#endif
