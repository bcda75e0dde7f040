/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.h - the names of the files beside an image
 */
#ifndef CIM_NAMES_H
#define CIM_NAMES_H

#include "../../include/libcim_advanced.h"
#include "../../include/libcim_env.h"

#define CIM_TEMPORARY_PREFIX "cimtmp_"

/* Room for "objectid_" + GUID + "_" + five digits + NUL. @kind: CIM_KIND_REGION or
 * CIM_KIND_OBJECT_ID. */
#define CIM_SET_FILE_NAME CIM_REGION_NAME
void cim_set_file_name(char *name, enum cim_file_kind kind, const struct cim_guid *guid,
		       unsigned index);
/* Is @name exactly the name of such a file of some set? If not, *kind stays. */
bool cim_parse_set_name(const struct cim_env *env, const char *name, enum cim_file_kind *kind,
			struct cim_guid *guid, uint16_t *index);

/* What tells one session's private names from another's: 16 hex digits, and a NUL. */
#define CIM_RANDOM_TEXT 17
void cim_random_text_of(char *text, const uint8_t *bytes);
enum cim_status cim_random_text(const struct cim_env *env, char *text, struct cim_error *err);
/* A session's private name for a file of that kind and number; @name has room for a set's. */
void cim_temporary_name(char *name, const char *random, enum cim_file_kind kind, unsigned index);
/* cimtmp_RANDOM_TAIL: RANDOM hex digits, TAIL letters and digits. @group: up to the tail. */
bool cim_parse_temporary_name(const struct cim_env *env, const char *name, size_t *group);
/* Can a new image be called that? CIM_E_INVALID (D23, D49). */
enum cim_status cim_check_new_name(const char *name, struct cim_error *err);
/* In any case of letters, for the image may be copied to where that is the same. */
bool cim_has_temporary_prefix(const char *name);

bool cim_same_name(const struct cim_env *env, const char *a, const char *b);
/* Are the first @len bytes of two names the same? Both have as many. */
bool cim_same_start(const struct cim_env *env, const char *a, const char *b, size_t len);

#endif
