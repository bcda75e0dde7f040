/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.c - the syntax of paths inside an image
 *
 *	[SEPARATOR] COMPONENT { SEPARATOR COMPONENT } [ ":" STREAM [ ":$DATA" ] ]
 *
 * "" and a lone separator are the root. UTF-8 text, which people type, takes '/' and '\' as
 * separators; UTF-16 text, which comes through the Windows API, '\' alone, and '/' is an error
 * there. A path is copied once, as code units with '\' between components and nothing in front,
 * then checked in place; after that nobody needs to look at its syntax again. Short paths, which
 * are nearly all, fit the structure itself and cost no allocation (a struct cim_path therefore
 * can't be copied).
 *
 * The rules are decisions D10, D11 and D20 to D23: those of NT's naming, not of Win32, so "con",
 * trailing dots and spaces, and unpaired surrogates are fine.
 */
#include "path.h"
#include "error.h"
#include "format.h"
#include "mem.h"

#include <string.h>

#define SEPARATOR '\\'

/* A character that no component and no stream's name can hold; separators and ':' are not meant. */
static bool is_forbidden(uint16_t c)
{
	switch (c) {
	case '*':
	case '?':
	case '"':
	case '<':
	case '>':
	case '|':
	case '/':
		return true;
	default:
		return c < 32;
	}
}

static enum cim_status check_characters(const uint16_t *text, size_t units, struct cim_error *err)
{
	for (size_t i = 0; i < units; i++) {
		if (!is_forbidden(text[i]))
			continue;
		if (text[i] < 32)
			return cim_fail(err, CIM_E_INVALID,
					"the path holds the control character 0x%02x",
					(unsigned)text[i]);
		return cim_fail(err, CIM_E_INVALID, "the path holds the character %c",
				(char)text[i]);
	}
	return CIM_OK;
}

static enum cim_status check_component(const uint16_t *name, size_t units, struct cim_error *err)
{
	if (!units)
		return cim_fail(err, CIM_E_INVALID, "the path has an empty component");
	if (units > CIM_MAX_NAME)
		return cim_fail(err, CIM_E_INVALID,
				"a component of the path is longer than %u code units",
				CIM_MAX_NAME);
	if (name[0] == '.' && (units == 1 || (units == 2 && name[1] == '.')))
		return cim_fail(err, CIM_E_INVALID, "the path has a component %s",
				units == 1 ? "." : "..");
	return CIM_OK;
}

/* Is this the one type of stream that there is, "$DATA" in any case? */
static bool is_data_type(const uint16_t *type, size_t units)
{
	static const char data[] = "$DATA";

	if (units != sizeof(data) - 1)
		return false;
	for (size_t i = 0; i < units; i++) {
		uint16_t c = type[i];

		if (c >= 'a' && c <= 'z')
			c = (uint16_t)(c - ('a' - 'A'));
		if (c != (unsigned char)data[i])
			return false;
	}
	return true;
}

/* What follows the first ':' of the last component: STREAM or STREAM:$DATA. */
static enum cim_status split_stream(struct cim_path *path, const uint16_t *text, size_t units,
				    struct cim_error *err)
{
	size_t name = 0;

	while (name < units && text[name] != ':')
		name++;
	if (name < units && !is_data_type(text + name + 1, units - name - 1))
		return cim_fail(err, CIM_E_INVALID, "the stream's type is not $DATA");
	if (!name)
		return cim_fail(err, CIM_E_INVALID, "the stream's name is empty");
	if (name > CIM_MAX_NAME)
		return cim_fail(err, CIM_E_INVALID,
				"the stream's name is longer than %u code units", CIM_MAX_NAME);
	path->stream = text;
	path->stream_units = name;
	return CIM_OK;
}

/* Check path->buf, @units long, and take it apart. */
static enum cim_status check(struct cim_path *path, size_t units, enum cim_path_rule rule,
			     struct cim_error *err)
{
	const bool of_root = rule == CIM_PATH_STREAM_OF_ANY || rule == CIM_PATH_STREAM_OR_NONE;
	const uint16_t *text = path->buf;
	size_t start = 0;
	size_t end;
	enum cim_status status;

	status = check_characters(text, units, err);
	if (status || !units)
		return status;
	for (end = 0; !of_root || text[0] != ':';) {
		end = start;
		while (end < units && text[end] != SEPARATOR && text[end] != ':')
			end++;
		status = check_component(text + start, end - start, err);
		if (status)
			return status;
		path->components++;
		if (end == units || text[end] == ':')
			break;
		start = end + 1;
	}
	path->units = end;
	if (end == units)
		return CIM_OK;
	if (rule == CIM_PATH_NO_STREAM)
		return cim_fail(err, CIM_E_INVALID,
				"the path holds a ':', and a stream can't be meant here");
	for (size_t i = end; i < units; i++) {
		if (text[i] == SEPARATOR)
			return cim_fail(err, CIM_E_INVALID,
					"the path holds a ':' in front of its last component");
	}
	return split_stream(path, text + end + 1, units - end - 1, err);
}

static enum cim_status too_long(struct cim_error *err)
{
	return cim_fail(err, CIM_E_INVALID, "the path is longer than %u code units", CIM_MAX_PATH);
}

/* The path's code units, as given. */
static enum cim_status count_units(struct cim_str text, size_t *units, struct cim_error *err)
{
	*units = text.units;
	/* No character takes more than three bytes for each of its code units. */
	if (text.utf8 && text.units <= 3 * (size_t)CIM_MAX_PATH &&
	    cim_utf16_from_utf8(text.utf8, text.units, NULL, 0, units))
		return cim_fail(err, CIM_E_INVALID, "the path is not well-formed UTF-8");
	return *units > CIM_MAX_PATH ? too_long(err) : CIM_OK;
}

static void drop(struct cim_path *path)
{
	if (path->buf != path->inline_buf)
		cim_free(path->env, path->buf);
	path->buf = path->inline_buf;
	path->units = 0;
	path->components = 0;
	path->stream = NULL;
	path->stream_units = 0;
}

enum cim_status cim_path_parse(const struct cim_env *env, struct cim_str text,
			       enum cim_path_rule rule, struct cim_path *path,
			       struct cim_error *err)
{
	size_t units;
	enum cim_status status;

	path->env = env;
	path->buf = path->inline_buf;
	drop(path);
	if (!text.utf8 == !text.utf16)
		return cim_fail(err, CIM_E_INVALID, "no path was given");
	status = count_units(text, &units, err);
	if (status)
		return status;
	if (units > sizeof(path->inline_buf) / sizeof(path->inline_buf[0])) {
		path->buf = cim_alloc(env, units * sizeof(path->buf[0]));
		if (!path->buf) {
			path->buf = path->inline_buf;
			return cim_no_memory(err);
		}
	}
	if (text.utf8) {
		cim_utf16_from_utf8(text.utf8, text.units, path->buf, units, &units);
		for (size_t i = 0; i < units; i++) {
			if (path->buf[i] == '/')
				path->buf[i] = SEPARATOR;
		}
	} else {
		memcpy(path->buf, text.utf16, units * sizeof(path->buf[0]));
	}
	if (units && path->buf[0] == SEPARATOR)
		memmove(path->buf, path->buf + 1, --units * sizeof(path->buf[0]));
	status = check(path, units, rule, err);
	if (!status && !path->stream_units &&
	    (rule == CIM_PATH_STREAM_REQUIRED || rule == CIM_PATH_STREAM_OF_ANY))
		status = cim_fail(err, CIM_E_INVALID, "the path names no stream");
	if (status)
		drop(path);
	return status;
}

void cim_path_free(struct cim_path *path)
{
	drop(path);
}

bool cim_path_next(const struct cim_path *path, size_t *pos, const uint16_t **name, size_t *units)
{
	size_t start = *pos;
	size_t end = start;

	if (start >= path->units)
		return false;
	while (end < path->units && path->buf[end] != SEPARATOR)
		end++;
	*name = path->buf + start;
	*units = end - start;
	*pos = end < path->units ? end + 1 : end;
	return true;
}

static enum cim_status check_image_name(const char *name, struct cim_error *err)
{
	size_t bytes, units;

	if (CIM_ANY_NULL(err, NULL, name))
		return CIM_E_POINTER;
	bytes = strlen(name);
	if (!bytes)
		return cim_fail(err, CIM_E_INVALID, "the image's name is empty");
	if (strpbrk(name, "/\\:"))
		return cim_fail(err, CIM_E_INVALID,
				"the image's name holds a separator or a ':' and must be a file "
				"name alone");
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return cim_fail(err, CIM_E_INVALID, "%s is not a name for an image", name);
	/* Where the host's names are bytes and these no text, their number has to do. */
	if (cim_utf16_from_utf8(name, bytes, NULL, 0, &units))
		units = bytes;
	if (units > CIM_MAX_NAME)
		return cim_fail(err, CIM_E_INVALID, "the image's name is longer than %u code units",
				CIM_MAX_NAME);
	return CIM_OK;
}

enum cim_status cim_check_image_name(const char *name, struct cim_error *err)
{
	return cim_error_where(err, check_image_name(name, err), "check image name", NULL);
}
