/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rt_libcim - tell a story to libcim, then read the images back and hold them against the model
 *
 * Paths go to the library in both of its encodings, by turns. At the end every image is compared
 * with its tree, not only the last one: later sessions must have left the others alone; and the
 * directory may hold no file that no image needs.
 */
#include "rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct native {
	const char *dir;
	struct cim_writer *writer;
	struct cim_stream *stream;
	char utf8[2][(CIM_MAX_PATH + 600) * 3];
	unsigned turn;
	struct cim_error err;
};

/* Every second path in WTF-8, but for those in which '/' would mean something else. */
static struct cim_str text(struct native *n, const uint16_t *path, int which)
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
	struct native *n = ctx;

	(void)round;
	return cim_writer_open(NULL, n->dir, existing, name, CIM_WRITE_CONSISTENT, &n->writer,
			       &n->err);
}

/* A stream that nothing will be done with need not be asked for. */
static enum cim_status do_add(void *ctx, const uint16_t *path, const struct cim_metadata *metadata,
			      bool idle)
{
	struct native *n = ctx;
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
	struct native *n = ctx;
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
	struct native *n = ctx;

	return cim_stream_write(n->stream, buf, len, NULL, &n->err);
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
	struct native *n = ctx;
	struct cim_source source = {CIM_SIZED(source), (void *)buf, read_memory};

	(void)len;
	return cim_stream_fill(n->stream, &source, &n->err);
}

static void do_close_stream(void *ctx)
{
	struct native *n = ctx;

	cim_stream_close(n->stream);
	n->stream = NULL;
}

static enum cim_status do_link(void *ctx, const uint16_t *path, const uint16_t *existing)
{
	struct native *n = ctx;
	struct cim_str a = text(n, path, 0), b = text(n, existing, 1);

	return cim_writer_link(n->writer, a, b, &n->err);
}

static enum cim_status do_remove(void *ctx, const uint16_t *path)
{
	struct native *n = ctx;

	return cim_writer_delete(n->writer, text(n, path, 0), &n->err);
}

static enum cim_status do_lookup(void *ctx, const uint16_t *path, bool *exists)
{
	struct native *n = ctx;

	return cim_writer_lookup(n->writer, text(n, path, 0), exists, &n->err);
}

static uint64_t do_stored(void *ctx)
{
	struct native *n = ctx;
	struct cim_writer_stats stats;

	cim_writer_get_stats(n->writer, &stats);
	return stats.stored_bytes;
}

static enum cim_status do_commit(void *ctx)
{
	struct native *n = ctx;
	enum cim_status status = cim_writer_commit(n->writer, &n->err);

	if (status && status != CIM_E_SHARING && status != CIM_E_INVALID)
		printf("# commit: %s: %s\n", cim_status_name(status), n->err.cause);
	return status;
}

static void do_close(void *ctx)
{
	struct native *n = ctx;

	cim_writer_close(n->writer);
	n->writer = NULL;
}

/* Files that nobody needs any more: an aborted session has left them, or a bad commit. */
static uint64_t count_strays(const char *dir)
{
	const struct cim_store_file *file;
	struct cim_store *store;
	struct cim_error err;
	uint64_t strays = 0;

	if (cim_store_open(NULL, dir, true, &store, &err)) {
		printf("# cim_store_open: %s\n", err.cause);
		return 1;
	}
	for (size_t i = 0; (file = cim_store_get(store, i)); i++) {
		if (file->kind == CIM_KIND_IMAGE ? !file->broken : file->owners && !file->in_use)
			continue;
		printf("# %s: of no image, in use, or broken\n", file->name);
		strays++;
	}
	cim_store_close(store);
	return strays;
}

static uint64_t verify_all(const char *dir, struct rt_result *result, uint64_t seed,
			   uint64_t *items)
{
	struct rt_random random = {seed ^ 1};
	uint64_t differences = 0;

	*items = 0;
	for (uint32_t i = 0; i < result->image_count; i++) {
		const struct rt_image *image = &result->images[i];
		char *path = malloc(strlen(dir) + strlen(image->name) + 2);
		uint64_t here;

		if (!path)
			return 1;
		sprintf(path, "%s/%s", dir, image->name);
		here = rt_verify(path, image->root, &random, items);
		if (here)
			printf("# %s: %llu differences\n", image->name, (unsigned long long)here);
		differences += here;
		free(path);
	}
	return differences;
}

int main(int argc, char **argv)
{
	struct native *n = calloc(1, sizeof(*n));
	struct rt_backend backend = {.name = "libcim",
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
				     .stored = do_stored,
				     .commit = do_commit,
				     .close = do_close};
	struct rt_options options;
	struct rt_result result;
	uint64_t differences, strays, items;
	int at = rt_parse_options(argc, argv, &options);
	bool told;

	if (!at || !n) {
		free(n);
		return 2;
	}
	n->dir = argv[at];
	told = rt_tell(&options, &backend, &result);
	differences = verify_all(n->dir, &result, options.seed, &items);
	strays = count_strays(n->dir);
	printf("# seed %llu: %llu calls, %llu wrong; %u images, %llu items, %llu differences; "
	       "%llu stray files\n",
	       (unsigned long long)options.seed, (unsigned long long)result.calls,
	       (unsigned long long)result.wrong, (unsigned)result.image_count,
	       (unsigned long long)items, (unsigned long long)differences,
	       (unsigned long long)strays);
	rt_world_free(&result.world);
	free(n);
	return !told ? 2 : result.wrong || differences || strays || !items ? 1 : 0;
}
