/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h - an image's items in canonical order, for dump and diff
 */
#ifndef CIMTOOL_TREE_H
#define CIMTOOL_TREE_H

#include "tool.h"

struct tree_item {
	const char *path; /* "/" or "/a/b", each name escaped as a dump does it */
	const uint16_t *name;
	size_t units;
	unsigned depth; /* 0: the root */
	size_t path_units;
	struct cim_file_info info;
	bool several;	   /* a file with several names */
	const char *first; /* path of the first of them, if that is another one; else NULL */
};

/* A stream of an item. */
struct tree_stream {
	const uint16_t *name;
	size_t units;
	struct cim_data data;
};
struct tree_streams {
	struct tree_stream *at;
	size_t count;
	uint16_t *names;
};

struct tree;

/* Walk @image from its root; directories before what is in them, entries by upcased name. */
struct tree *tree_open(struct tool *t, struct cim_image *image, const char *name, int *code);
/* The next item, valid until the next call; NULL at the end or after a failure (*code). */
const struct tree_item *tree_next(struct tree *tree, int *code);
void tree_close(struct tree *tree);

/* An escaped path or name as it is (for JSON), and as "ls" shows it. Allocated. */
char *tree_plain(const char *escaped);
char *tree_shown(const char *escaped);

/* An item's streams, sorted likewise; to be freed in any case. */
int tree_streams(struct tool *t, struct cim_image *image, const char *name,
		 const struct cim_file_info *file, struct tree_streams *streams);
void tree_streams_free(struct tree_streams *streams);
/* A stream's name, escaped. Allocated. */
char *tree_stream_text(const struct tree_stream *stream);

#endif
