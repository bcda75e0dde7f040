/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sized.h - structures that the caller has, by the rules of libcim.h about struct_size
 *
 * One that the caller fills in is copied, and only the copy is used: it is whole, whatever the
 * caller knew of it. One that the library fills in is made whole likewise, and given as far as the
 * caller knows it. When that comes back, members that the first release had are used where they
 * are; a later one is there only if struct_size says so.
 */
#ifndef CIM_SIZED_H
#define CIM_SIZED_H

#include "../../include/libcim_debug.h"
#include "../../include/libcim_env.h"

#include <string.h>

/*
 * The least sizes: up to what was the last member in the first release. Never to be changed; and a
 * structure must not end in padding, which the caller needn't have set and which a new member would
 * lie in (sized.c looks).
 */
#define CIM_END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))
#define CIM_LEAST_ENV		 CIM_END_OF(struct cim_env, sha256_ctx)
#define CIM_LEAST_VFS		 CIM_END_OF(struct cim_vfs, corrupt_text)
#define CIM_LEAST_METADATA	 CIM_END_OF(struct cim_metadata, keep_attributes)
#define CIM_LEAST_SOURCE	 CIM_END_OF(struct cim_source, pread)
#define CIM_LEAST_VISITOR	 CIM_END_OF(struct cim_structure_visitor, broken)
#define CIM_LEAST_FILE_INFO	 CIM_END_OF(struct cim_file_info, priv)
#define CIM_LEAST_DATA		 CIM_END_OF(struct cim_data, priv)
#define CIM_LEAST_RUN		 CIM_END_OF(struct cim_run, priv)
#define CIM_LEAST_SEGMENT	 CIM_END_OF(struct cim_segment, in_object)
#define CIM_LEAST_VERIFY	 CIM_END_OF(struct cim_verify_result, metadata_digest)
#define CIM_LEAST_STATS		 CIM_END_OF(struct cim_writer_stats, dropped_flags)
#define CIM_LEAST_CONTAINER	 CIM_END_OF(struct cim_container_info, root_hash)

/* Copy @given to @own, which has @size bytes: what an older caller doesn't know is 0. @what: its
 * name. */
enum cim_status cim_take_sized(void *own, size_t size, size_t least, const void *given,
			       const char *what, struct cim_error *err);
/* The same for an environment (NULL: the default) and its file system, which @own leads to. */
enum cim_status cim_take_env(struct cim_env *own, struct cim_vfs *vfs, const struct cim_env *given,
			     struct cim_error *err);
/* The copy moves into the handle. */
void cim_copy_env(struct cim_env *own, struct cim_vfs *vfs, const struct cim_env *env);

enum cim_status cim_too_small(size_t theirs, size_t least, const char *what, struct cim_error *err);

/* Is what comes back as large as it must be? */
#define CIM_CHECK_SIZED(given, least, err) cim_check_sized((given)->struct_size, least, #given, err)
static inline enum cim_status cim_check_sized(size_t theirs, size_t least, const char *what,
					      struct cim_error *err)
{
	return theirs < least ? cim_too_small(theirs, least, what, err) : CIM_OK;
}

/* Fill in @given, which was checked, from @own, which has @size bytes. (Both copies are inline, so
 * that the usual one, of a known size, costs next to nothing.) */
static inline void cim_give_sized(void *given, const void *own, size_t size)
{
	size_t theirs;

	memcpy(&theirs, given, sizeof(theirs));
	if (theirs < size)
		memcpy(given, own, theirs);
	else
		memcpy(given, own, size);
	memcpy(given, &theirs, sizeof(theirs));
}

/* Check what is to be filled in, and make it @blank for the case that it won't be. NULL is for
 * others to refuse. */
#define CIM_BLANK_SIZED(given, blank, least, err) \
	cim_blank_sized(given, blank, sizeof(*(blank)), least, #given, err)
static inline enum cim_status cim_blank_sized(void *given, const void *blank, size_t size,
					      size_t least, const char *what, struct cim_error *err)
{
	size_t theirs;

	if (!given)
		return CIM_OK;
	memcpy(&theirs, given, sizeof(theirs));
	if (theirs < least)
		return cim_too_small(theirs, least, what, err);
	cim_give_sized(given, blank, size);
	return CIM_OK;
}

#endif
