/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.h - which items of an image the paths on a command line mean
 */
#ifndef CIMTOOL_SELECT_H
#define CIMTOOL_SELECT_H

#include "tool.h"

struct selection {
	char **paths;
	size_t count;
	size_t room;
};
/* Does a name match a pattern, in any case of letters? */
bool select_match(const uint16_t *pattern, size_t pattern_units, const uint16_t *name,
		  size_t units);
/*
 * The items that @paths name; @globs: they may be patterns, each of which has to match something
 * unless @nullglob.
 */
int select_paths(struct tool *t, struct cim_image *image, const char *name, char *const *paths,
		 size_t count, bool globs, bool nullglob, struct selection *selection);
void selection_free(struct selection *selection);

#endif
