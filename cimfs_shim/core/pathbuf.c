/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pathbuf.c - the path of where one is in a tree, as it grows and shrinks
 */
#include "pathbuf.h"
#include "bytes.h"

#include <string.h>

static bool make_room(const struct cim_env *env, struct cim_path_buf *path, size_t need)
{
	char *text;

	if (need <= path->room)
		return true;
	if (!cim_ckd_mul_size(&need, need, 2))
		return false;
	text = cim_realloc(env, path->text, need);
	if (!text)
		return false;
	path->text = text;
	path->room = need;
	return true;
}

bool cim_path_buf_set(const struct cim_env *env, struct cim_path_buf *path, size_t len,
		      char separator, const char *text, size_t size)
{
	size_t need;

	if (!cim_ckd_add_size(&need, len + 2, size) || !make_room(env, path, need))
		return false;
	if (separator)
		path->text[len++] = separator;
	memcpy(path->text + len, text, size);
	path->len = len + size;
	path->text[path->len] = '\0';
	return true;
}
