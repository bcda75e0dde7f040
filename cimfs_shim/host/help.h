/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * help.h - what a program or a command tells of itself
 *
 * The options' tables are where the help comes from, and man pages and completions come from the
 * help (cimfs_shim/man). In a text a line is a paragraph, however long: it is wrapped; a line that
 * begins with a space is shown as it stands.
 */
#ifndef HOST_HELP_H
#define HOST_HELP_H

#include "args.h"

struct help {
	const char *usage; /* behind "Usage: " */
	const char *about;
	const struct arg_group *groups;
	const char *notes; /* NULL: none */
};

/* All of it to standard output. */
void help_print(const struct help *help);
/* Parts of it. */
void help_text(const char *text);
void help_options(const struct arg_group *groups);

#endif
