/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sized.c - structures of the caller's version of libcim.h, from and to whole ones
 */
#include "sized.h"
#include "error.h"

#include <assert.h>
#include <string.h>

static_assert(CIM_LEAST_ENV == sizeof(struct cim_env), "no padding behind it");
static_assert(CIM_LEAST_VFS == sizeof(struct cim_vfs), "no padding behind it");
static_assert(CIM_LEAST_METADATA == sizeof(struct cim_metadata), "no padding behind it");
static_assert(CIM_LEAST_SOURCE == sizeof(struct cim_source), "no padding behind it");
static_assert(CIM_LEAST_VISITOR == sizeof(struct cim_structure_visitor), "no padding behind it");
static_assert(CIM_LEAST_FILE_INFO == sizeof(struct cim_file_info), "no padding behind it");
static_assert(CIM_LEAST_DATA == sizeof(struct cim_data), "no padding behind it");
static_assert(CIM_LEAST_RUN == sizeof(struct cim_run), "no padding behind it");
static_assert(CIM_LEAST_SEGMENT == sizeof(struct cim_segment), "no padding behind it");
static_assert(CIM_LEAST_STATS == sizeof(struct cim_writer_stats), "no padding behind it");
static_assert(CIM_LEAST_CONTAINER == sizeof(struct cim_container_info), "no padding behind it");
static_assert(CIM_LEAST_VERIFY == sizeof(struct cim_verify_result), "no padding behind it");

enum cim_status cim_too_small(size_t theirs, size_t least, const char *what, struct cim_error *err)
{
	return cim_fail(err, CIM_E_INVALID, "%s: struct_size is %llu, less than %llu", what,
			(unsigned long long)theirs, (unsigned long long)least);
}

enum cim_status cim_take_sized(void *own, size_t size, size_t least, const void *given,
			       const char *what, struct cim_error *err)
{
	const uint8_t *bytes = given;
	size_t theirs;
	enum cim_status status;

	memcpy(&theirs, given, sizeof(theirs));
	status = cim_check_sized(theirs, least, what, err);
	if (status)
		return status;
	for (size_t i = size; i < theirs; i++) {
		if (bytes[i])
			return cim_fail(err, CIM_E_UNSUPPORTED,
					"%s: a member is set that libcim %s doesn't know", what,
					cim_version());
	}
	memset(own, 0, size);
	memcpy(own, given, theirs < size ? theirs : size);
	memcpy(own, &size, sizeof(size));
	return CIM_OK;
}

enum cim_status cim_take_env(struct cim_env *own, struct cim_vfs *vfs, const struct cim_env *given,
			     struct cim_error *err)
{
	enum cim_status status;

	status = cim_take_sized(own, sizeof(*own), CIM_LEAST_ENV, given ? given : cim_env_default(),
				"the environment", err);
	if (!status && !own->vfs)
		status = cim_fail(err, CIM_E_POINTER, "the environment has no file system");
	if (!status)
		status = cim_take_sized(vfs, sizeof(*vfs), CIM_LEAST_VFS, own->vfs,
					"the file system", err);
	own->vfs = vfs;
	return status;
}

void cim_copy_env(struct cim_env *own, struct cim_vfs *vfs, const struct cim_env *env)
{
	*own = *env;
	*vfs = *env->vfs;
	own->vfs = vfs;
}
