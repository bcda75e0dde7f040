/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c - names of an image as names on Linux, and back
 *
 * A name in an image is any UTF-16 code units; on Linux it is bytes without '/' and NUL. They are
 * shown in WTF-8: UTF-8, an unpaired surrogate in three bytes like any other code point. Three
 * kinds of names can't stand so (no Windows program makes them, but an image may hold anything): in
 * a name, '/' is shown as U+F02F and NUL as U+F000, and the first '.' of the names "." and ".." as
 * U+F02E. These are the private code points by which Windows' Unix subsystems and Cygwin show the
 * characters that Windows lacks. A name that is looked up is taken as it is first, and only if
 * there is none with these replaced, so all other names with U+F02F and the like are safe.
 *
 * Wine 10.19 and later keeps a reparse point NAME as the Unix entry "NAME?" (no Windows name ends
 * so), and takes every name that ends in '?' for one. In that form (enum reparse_form) a reparse
 * point shows by that name alone, and the last '?' of a name that an image holds all the same as
 * U+F03F.
 */
#include "mount.h"

#include <errno.h>
#include <string.h>

#define ESCAPE 0xf000u

static bool is_wine_form(const struct server *s)
{
	return s->options->reparse == REPARSE_WINE;
}

bool name_is_marked(const struct server *s, const char *name)
{
	const size_t len = strlen(name);

	return is_wine_form(s) && len && name[len - 1] == '?';
}

static bool is_dots(const uint16_t *name, size_t units)
{
	return (units == 1 && name[0] == '.') || (units == 2 && name[0] == '.' && name[1] == '.');
}

void name_to_linux(const struct server *s, const uint16_t *name, size_t units, char *out)
{
	uint16_t copy[CIM_MAX_NAME];

	for (size_t i = 0; i < units; i++)
		copy[i] = name[i] && name[i] != '/' ? name[i] : (uint16_t)(ESCAPE | name[i]);
	if (is_dots(name, units))
		copy[0] = ESCAPE | '.';
	if (is_wine_form(s) && units && name[units - 1] == '?')
		copy[units - 1] = ESCAPE | '?';
	cim_utf8_from_utf16(copy, units, out, LINUX_NAME);
}

void name_of_item(const struct server *s, const uint16_t *name, size_t units,
		  const struct cim_file_info *info, char *out)
{
	name_to_linux(s, name, units, out);
	if (is_wine_form(s) && info->has_reparse)
		strcat(out, "?");
}

/* Undo name_to_linux()'s replacement of a '?' at the end; false if there is none. */
static bool unescape_end(const struct server *s, uint16_t *name, size_t units)
{
	if (!is_wine_form(s) || name[units - 1] != (ESCAPE | '?'))
		return false;
	name[units - 1] = '?';
	return true;
}

/* Undo its other replacements; false if there are none. */
static bool unescape(uint16_t *name, size_t units)
{
	bool found = false;

	for (size_t i = 0; i < units; i++) {
		if (name[i] == ESCAPE || name[i] == (ESCAPE | '/')) {
			name[i] &= 0xff;
			found = true;
		}
	}
	if (name[0] == (ESCAPE | '.')) {
		name[0] = '.';
		if (is_dots(name, units))
			return true;
		name[0] = ESCAPE | '.';
	}
	return found;
}

static enum cim_status find(struct server *s, uint32_t dir_id, const uint16_t *name, size_t units,
			    bool any_case, uint32_t *file_id, bool *variant, struct cim_error *err)
{
	const struct cim_str text = {.utf16 = name, .units = units};
	enum cim_status status;

	*variant = false;
	status = cim_image_lookup_at(s->image, dir_id, text, true, file_id, err);
	if (status != CIM_E_FILE_NOT_FOUND || !any_case)
		return status;
	*variant = true;
	return cim_image_lookup_at(s->image, dir_id, text, false, file_id, err);
}

/* What an item must be to show by the name that is looked up. */
enum kind {
	KIND_ANY,
	KIND_PLAIN,  /* no reparse point */
	KIND_MARKED, /* one */
};

/* find() for what is of that kind; the record in *info, but for KIND_ANY. */
static int find_kind(struct server *s, uint32_t dir_id, const uint16_t *name, size_t units,
		     bool any_case, enum kind kind, uint32_t *file_id, struct cim_file_info *info,
		     bool *variant)
{
	struct cim_error err = {0};
	enum cim_status status = find(s, dir_id, name, units, any_case, file_id, variant, &err);
	int error;

	if (status)
		return log_status(status, &err, dir_id);
	if (kind == KIND_ANY)
		return 0;
	error = item_info(s, *file_id, info);
	return error || info->has_reparse == (kind == KIND_MARKED) ? error : ENOENT;
}

/* By the name as it is first, for that is what nearly all names are; then as it may have been
 * before name_to_linux(). */
static int find_name(struct server *s, uint32_t dir_id, const char *name, size_t len, bool any_case,
		     enum kind kind, uint32_t *file_id, struct cim_file_info *info, bool *variant)
{
	uint16_t buf[CIM_MAX_NAME];
	size_t units;
	int error;
	enum cim_status status = cim_utf16_from_utf8(name, len, buf, CIM_MAX_NAME, &units);

	if (status == CIM_E_LIMIT)
		return ENAMETOOLONG;
	if (status || !units)
		return ENOENT;
	any_case |= s->options->ignore_case;
	error = find_kind(s, dir_id, buf, units, any_case, kind, file_id, info, variant);
	if (error == ENOENT && unescape_end(s, buf, units))
		error = find_kind(s, dir_id, buf, units, any_case, kind, file_id, info, variant);
	if (error == ENOENT && unescape(buf, units))
		error = find_kind(s, dir_id, buf, units, any_case, kind, file_id, info, variant);
	return error;
}

int name_find(struct server *s, uint32_t dir_id, const char *name, size_t len, bool any_case,
	      uint32_t *file_id, bool *variant)
{
	return find_name(s, dir_id, name, len, any_case, KIND_ANY, file_id, NULL, variant);
}

int name_find_item(struct server *s, uint32_t dir_id, const char *name, struct cim_file_info *info,
		   bool *variant)
{
	const size_t len = strlen(name);
	const bool marked = name_is_marked(s, name);
	uint32_t file_id;
	int error;

	if (!is_wine_form(s)) {
		error = name_find(s, dir_id, name, len, false, &file_id, variant);
		return error ? error : item_info(s, file_id, info);
	}
	/* A '?' that isn't the mark shows as something else. */
	if (marked && (len == 1 || name[len - 2] == '?'))
		return ENOENT;
	return find_name(s, dir_id, name, len - marked, false, marked ? KIND_MARKED : KIND_PLAIN,
			 &file_id, info, variant);
}
