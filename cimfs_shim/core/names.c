/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c - the names of the files beside an image: made, taken apart, recognised
 *
 * region_GUID_N and objectid_GUID_N belong to a region set, cimtmp_RANDOM_TAIL to a session
 * that has not committed, alive or dead. Where the file system folds names, so do we.
 */
#include "names.h"
#include "bytes.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

static const char *prefix_of(enum cim_file_kind kind)
{
	return kind == CIM_KIND_REGION ? "region_" : "objectid_";
}

void cim_set_file_name(char *name, enum cim_file_kind kind, const struct cim_guid *guid,
		       unsigned index)
{
	char text[CIM_GUID_TEXT];

	cim_guid_format(guid, text);
	snprintf(name, CIM_SET_FILE_NAME, "%s%s_%u", prefix_of(kind), text, index & 0xffff);
}

void cim_random_text_of(char *text, const uint8_t *bytes)
{
	*cim_put_hex(text, bytes, (CIM_RANDOM_TEXT - 1) / 2) = '\0';
}

enum cim_status cim_random_text(const struct cim_env *env, char *text, struct cim_error *err)
{
	uint8_t bytes[(CIM_RANDOM_TEXT - 1) / 2];
	enum cim_status status = env->random(env->random_ctx, bytes, sizeof(bytes));

	if (status)
		return cim_fail(err, status, "the system gives no random numbers");
	cim_random_text_of(text, bytes);
	return CIM_OK;
}

enum cim_status cim_check_new_name(const char *name, struct cim_error *err)
{
	enum cim_status status = cim_check_image_name(name, err);

	/* It would be taken for what a dead session left, and be cleared away (D49). */
	if (!status && cim_has_temporary_prefix(name))
		status = cim_fail(err, CIM_E_INVALID, "names like %s are a session's own", name);
	return status;
}

void cim_temporary_name(char *name, const char *random, enum cim_file_kind kind, unsigned index)
{
	const char *tail = kind == CIM_KIND_OBJECT_ID ? "o" : "";

	if (kind == CIM_KIND_IMAGE)
		snprintf(name, CIM_SET_FILE_NAME, CIM_TEMPORARY_PREFIX "%s_fs", random);
	else
		snprintf(name, CIM_SET_FILE_NAME, CIM_TEMPORARY_PREFIX "%s_%s%u", random, tail,
			 index);
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The rest of @name behind @prefix, or NULL. */
static const char *after_prefix(bool folded, const char *name, const char *prefix)
{
	for (; *prefix; name++, prefix++)
		if (*name != *prefix && !(folded && fold(*name) == fold(*prefix)))
			return NULL;
	return name;
}

bool cim_same_name(const struct cim_env *env, const char *a, const char *b)
{
	const char *rest = after_prefix(env->vfs->fold_names, a, b);

	return rest && !*rest;
}

bool cim_same_start(const struct cim_env *env, const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && !(env->vfs->fold_names && fold(a[i]) == fold(b[i])))
			return false;
	return true;
}

bool cim_has_temporary_prefix(const char *name)
{
	return after_prefix(true, name, CIM_TEMPORARY_PREFIX) != NULL;
}

bool cim_parse_set_name(const struct cim_env *env, const char *name, enum cim_file_kind *kind,
			struct cim_guid *guid, uint16_t *index)
{
	const char *rest = after_prefix(env->vfs->fold_names, name, prefix_of(CIM_KIND_REGION));
	enum cim_file_kind found = rest ? CIM_KIND_REGION : CIM_KIND_OBJECT_ID;
	char text[CIM_GUID_TEXT], canonical[CIM_SET_FILE_NAME];
	unsigned value = 0;

	if (!rest)
		rest = after_prefix(env->vfs->fold_names, name, prefix_of(found));
	if (!rest || strlen(rest) < CIM_GUID_TEXT + 1)
		return false;
	memcpy(text, rest, CIM_GUID_TEXT - 1);
	text[CIM_GUID_TEXT - 1] = '\0';
	if (!cim_guid_parse(text, guid))
		return false;
	for (rest += CIM_GUID_TEXT; *rest >= '0' && *rest <= '9' && value <= UINT16_MAX; rest++)
		value = value * 10 + (unsigned)(*rest - '0');
	if (*rest || value > UINT16_MAX)
		return false;
	/* Whatever spelling got this far, only the one that a reader opens counts. */
	cim_set_file_name(canonical, found, guid, value);
	if (!cim_same_name(env, name, canonical))
		return false;
	*kind = found;
	*index = (uint16_t)value;
	return true;
}

static bool is_hex(char c)
{
	c = fold(c);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool cim_parse_temporary_name(const struct cim_env *env, const char *name, size_t *group)
{
	const char *rest = after_prefix(env->vfs->fold_names, name, CIM_TEMPORARY_PREFIX);
	const char *random = rest;

	if (!rest)
		return false;
	while (is_hex(*rest))
		rest++;
	if (rest == random || *rest++ != '_')
		return false;
	*group = (size_t)(rest - name);
	for (random = rest; *rest; rest++)
		if (!(*rest >= '0' && *rest <= '9') && !(fold(*rest) >= 'a' && fold(*rest) <= 'z'))
			return false;
	return rest != random;
}
