/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owners.h - is a region set needed by an image?
 */
#ifndef CIM_OWNERS_H
#define CIM_OWNERS_H

#include "image.h"

/* The size and the first bytes of a file. */
struct cim_file_head {
	uint64_t size;
	size_t got;
	uint8_t bytes[CIM_SIZE(common_header)];
};
enum cim_status cim_read_head(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			      struct cim_file_head *head, struct cim_error *err);
/* Is it a filesystem file, even one cut short or of a version to come? */
bool cim_head_is_image(const struct cim_file_head *head);
/* Does an image of the directory name the set, as it is now? One that is broken may, so it counts;
 * a file that can't be looked at is an error. Reads the first bytes of every file, and the images
 * whole, one after the other. */
enum cim_status cim_set_is_owned(const struct cim_env *env, cim_vfs_dir *dir,
				 const struct cim_guid *guid, bool *owned, struct cim_error *err);
/* Open a file and hold its byte lock, alone or with others who share it. Who has it for a moment,
 * as one does who asks for it or deletes orphans, is waited for. CIM_E_SHARING: somebody keeps it;
 * CIM_E_UNSUPPORTED: there are no locks. */
enum cim_status cim_hold_file(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
			      bool alone, cim_vfs_file **file, struct cim_error *err);
/* May a consistent session make this set, and so find its files there (decision D45)? */
static inline bool cim_set_is_consistent(const struct cim_guid *guid)
{
	return (guid->bytes[7] & 0xf0) == 0x80; /* a version 8 UUID */
}

#endif
