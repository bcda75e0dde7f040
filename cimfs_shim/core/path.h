/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.h - the syntax of paths inside an image (decisions D10, D11, D20-D23)
 */
#ifndef CIM_PATH_H
#define CIM_PATH_H

#include "../../include/libcim_advanced.h"

/* A parsed path: components and, where one was named, a stream; all point into `units`. */
struct cim_path {
	uint16_t *buf;	   /* separators are L'\\' */
	size_t units;	   /* of the path without the stream */
	size_t components; /* 0: the root */
	const uint16_t *stream;
	size_t stream_units; /* 0: no stream was named */
	const struct cim_env *env;
	uint16_t inline_buf[260];
};

/* May the path name a stream? */
enum cim_path_rule {
	CIM_PATH_NO_STREAM, /* a ':' is CIM_E_INVALID */
	CIM_PATH_STREAM_ALLOWED,
	CIM_PATH_STREAM_REQUIRED, /* without one: CIM_E_INVALID */
	CIM_PATH_STREAM_OF_ANY,	  /* the same, and ":STREAM" means one of the root's */
	CIM_PATH_STREAM_OR_NONE,  /* as CIM_PATH_STREAM_ALLOWED, with that of the root */
};

enum cim_status cim_path_parse(const struct cim_env *env, struct cim_str text,
			       enum cim_path_rule rule, struct cim_path *path,
			       struct cim_error *err);
void cim_path_free(struct cim_path *path);
/* The component that begins at *pos (start with 0); moves *pos behind it. false at the end. */
bool cim_path_next(const struct cim_path *path, size_t *pos, const uint16_t **name, size_t *units);

#endif
