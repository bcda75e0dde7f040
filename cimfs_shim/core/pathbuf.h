/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pathbuf.h - the path of where one is in a tree, as it grows and shrinks
 */
#ifndef CIM_PATHBUF_H
#define CIM_PATHBUF_H

#include "mem.h"

struct cim_path_buf {
	char *text; /* NULL: nothing was put there yet */
	size_t len, room;
};

/* Cut the path to @len bytes, then add @separator, unless it is 0, and @size bytes of @text. False:
 * no memory, and the path is as it was. */
bool cim_path_buf_set(const struct cim_env *env, struct cim_path_buf *path, size_t len,
		      char separator, const char *text, size_t size);

#endif
