/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* content.h - what the story's items are made of: names, bytes, descriptors (content.c) */
#ifndef CIM_RT_CONTENT_H
#define CIM_RT_CONTENT_H

#include "rt.h"

#define RT_POOL 64

/* The last blobs of one kind, so that a later item may have the same one, or nearly. */
struct rt_pool {
	const struct rt_blob *items[RT_POOL];
	uint32_t count;
};

struct rt_content {
	struct rt_random random;
	struct rt_world *world;
	char **pe_files;
	uint32_t pe_count;
	struct rt_pool data, security, ea, reparse;
};

bool rt_content_init(struct rt_content *content, uint64_t seed, const char *pe_list,
		     struct rt_world *world);
void rt_content_free(struct rt_content *content);

/* A name of one of many kinds; at most CIM_MAX_NAME units, never "." or "..". */
void rt_random_name(struct rt_content *content, struct rt_name *name);
/* @units units of letters and digits. */
void rt_plain_name(struct rt_content *content, struct rt_name *name, uint32_t units);
/* Some of the letters in their other case. */
void rt_respell(struct rt_content *content, struct rt_name *name);

int64_t rt_random_time(struct rt_content *content);
/* Bits that stay, bits that don't, but not the directory's. */
uint32_t rt_random_attributes(struct rt_content *content);

/* A stream of any kind: stored wholly, in part, or not at all. @data holds RT_SLACK bytes more
 * than are written, to go past the end with. */
#define RT_SLACK 16
void rt_random_stream(struct rt_content *content, struct rt_stream *stream);

/* Valid ones, sometimes equal to an earlier one; NULL: the item has none. */
const struct rt_blob *rt_random_security(struct rt_content *content);
const struct rt_blob *rt_random_ea(struct rt_content *content);
const struct rt_blob *rt_random_reparse(struct rt_content *content);

#endif
