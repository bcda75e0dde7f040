/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * native.c - libcim as a back end, and its images held against the model
 *
 * Paths go to the library in both of its encodings, by turns. Every image is compared with its
 * tree, not only the last one: later sessions must have left the others alone; and the directory
 * may hold no file that no image needs.
 */
#include "rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rt_native {
	const struct cim_env *env;
	const char *dir;
	unsigned flags;
	struct cim_writer *writer;
	struct cim_stream *stream;
	char utf8[2][(CIM_MAX_PATH + 600) * 3];
	unsigned turn;
	struct cim_error err;
};

/* Every second path in WTF-8, but for those in which '/' would mean something else. */
static struct cim_str text(struct rt_native *n, const uint16_t *path, int which)
{
	bool slash = false;
	size_t units = 0;

	for (; path[units]; units++)
		slash |= path[units] == '/';
	if (slash || n->turn++ % 2)
		return cim_str16(path);
	cim_utf8_from_utf16(path, units, n->utf8[which], sizeof(n->utf8[which]));
	return cim_str8(n->utf8[which]);
}

static enum cim_status do_open(void *ctx, const char *existing, const char *name, unsigned round)
{
	struct rt_native *n = ctx;

	(void)round;
	return cim_writer_open(n->env, n->dir, existing, name, n->flags, &n->writer, &n->err);
}

/* A stream that nothing will be done with need not be asked for. */
static enum cim_status do_add(void *ctx, const uint16_t *path, const struct cim_metadata *metadata,
			      bool idle)
{
	struct rt_native *n = ctx;
	struct cim_stream *stream = NULL;
	enum cim_status status;

	status = cim_writer_add(n->writer, text(n, path, 0), metadata, idle ? NULL : &stream,
				&n->err);
	if (!status)
		n->stream = stream;
	return status;
}

static enum cim_status do_add_stream(void *ctx, const uint16_t *path, uint64_t size, bool idle)
{
	struct rt_native *n = ctx;
	struct cim_stream *stream = NULL;
	enum cim_status status;

	status = cim_writer_add_stream(n->writer, text(n, path, 0), size, idle ? NULL : &stream,
				       &n->err);
	if (!status)
		n->stream = stream;
	return status;
}

static enum cim_status do_write(void *ctx, const void *buf, size_t len)
{
	struct rt_native *n = ctx;
	size_t written = 0;
	enum cim_status status = cim_stream_write(n->stream, buf, len, &written, &n->err);

	return !status && written != len ? CIM_E_IO : status;
}

static enum cim_status read_memory(void *ctx, uint64_t offset, void *buf, size_t len,
				   struct cim_error *err)
{
	(void)err;
	memcpy(buf, (const uint8_t *)ctx + offset, len);
	return CIM_OK;
}

static enum cim_status do_fill(void *ctx, const void *buf, size_t len)
{
	struct rt_native *n = ctx;
	struct cim_source source = {CIM_SIZED(source), (void *)buf, read_memory};

	(void)len;
	return cim_stream_fill(n->stream, &source, &n->err);
}

static void do_close_stream(void *ctx)
{
	struct rt_native *n = ctx;

	cim_stream_close(n->stream);
	n->stream = NULL;
}

static enum cim_status do_link(void *ctx, const uint16_t *path, const uint16_t *existing)
{
	struct rt_native *n = ctx;
	struct cim_str a = text(n, path, 0), b = text(n, existing, 1);

	return cim_writer_link(n->writer, a, b, &n->err);
}

static enum cim_status do_remove(void *ctx, const uint16_t *path)
{
	struct rt_native *n = ctx;

	return cim_writer_delete(n->writer, text(n, path, 0), &n->err);
}

static enum cim_status do_lookup(void *ctx, const uint16_t *path, bool *exists)
{
	struct rt_native *n = ctx;

	return cim_writer_lookup(n->writer, text(n, path, 0), exists, &n->err);
}

static enum cim_status do_tombstone(void *ctx, const uint16_t *path)
{
	struct rt_native *n = ctx;

	return cim_writer_tombstone(n->writer, text(n, path, 0), &n->err);
}

static enum cim_status do_merge_link(void *ctx, const uint16_t *path, const uint16_t *target)
{
	struct rt_native *n = ctx;
	struct cim_str a = text(n, path, 0), b = text(n, target, 1);

	return cim_writer_merge_link(n->writer, a, b, &n->err);
}

static uint64_t do_stored(void *ctx)
{
	struct rt_native *n = ctx;
	struct cim_writer_stats stats = {CIM_SIZED(stats)};

	return cim_writer_get_stats(n->writer, &stats, NULL) ? UINT64_MAX : stats.stored_bytes;
}

static enum cim_status do_add_source(void *ctx, const char *name)
{
	struct rt_native *n = ctx;
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s", n->dir, name);
	return cim_writer_add_source(n->writer, path, 0, &n->err);
}

static enum cim_status do_commit(void *ctx)
{
	struct rt_native *n = ctx;
	enum cim_status status = cim_writer_commit(n->writer, &n->err);

	if (status && status != CIM_E_SHARING && status != CIM_E_INVALID)
		printf("# commit: %s: %s\n", cim_status_name(status), n->err.cause);
	return status;
}

static void do_close(void *ctx)
{
	struct rt_native *n = ctx;

	cim_writer_close(n->writer);
	n->writer = NULL;
}

uint64_t rt_native_strays(const struct rt_native *n)
{
	const struct cim_store_file *file;
	struct cim_store *store;
	struct cim_error err;
	uint64_t strays = 0;

	if (cim_store_open(n->env, n->dir, true, &store, &err)) {
		printf("# cim_store_open: %s\n", err.cause);
		return 1;
	}
	for (size_t i = 0; (file = cim_store_get(store, i)); i++) {
		if (file->kind == CIM_KIND_IMAGE
			    ? !(file->flags & CIM_STORE_BROKEN)
			    : file->owners && !(file->flags & CIM_STORE_IN_USE))
			continue;
		printf("# %s: of no image, in use, or broken\n", file->name);
		strays++;
	}
	cim_store_close(store);
	return strays;
}

uint64_t rt_native_verify(const struct rt_native *n, struct rt_result *result, uint64_t seed,
			  uint64_t *items)
{
	struct rt_random random = {.state = seed ^ 1};
	uint64_t differences = 0;

	*items = 0;
	for (uint32_t i = 0; i < result->image_count; i++) {
		const struct rt_image *image = &result->images[i];
		char *path = malloc(strlen(n->dir) + strlen(image->name) + 2);
		uint64_t here;

		if (!path)
			return 1;
		sprintf(path, "%s/%s", n->dir, image->name);
		here = rt_verify(n->env, path, image->root, &random, items);
		if (here)
			printf("# %s: %llu differences\n", image->name, (unsigned long long)here);
		differences += here;
		free(path);
	}
	return differences;
}

struct rt_native *rt_native_new(const struct cim_env *env, const char *dir, unsigned flags)
{
	struct rt_native *n = calloc(1, sizeof(*n));

	if (!n)
		exit(2);
	n->env = env;
	n->dir = dir;
	n->flags = flags;
	return n;
}

void rt_native_free(struct rt_native *n)
{
	free(n);
}

struct rt_backend rt_native_backend(struct rt_native *n)
{
	return (struct rt_backend){.name = "libcim",
				   .ctx = n,
				   .open = do_open,
				   .add = do_add,
				   .add_stream = do_add_stream,
				   .write = do_write,
				   .fill = do_fill,
				   .close_stream = do_close_stream,
				   .link = do_link,
				   .remove = do_remove,
				   .lookup = do_lookup,
				   .tombstone = do_tombstone,
				   .merge_link = do_merge_link,
				   .stored = do_stored,
				   .add_source = do_add_source,
				   .commit = do_commit,
				   .close = do_close};
}
