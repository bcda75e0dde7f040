/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - fuzz target: a session over a base and object ID files that are the input
 *
 * The steps name what the base holds, or invent names, and write what it holds already, too, so
 * that object IDs are asked for. A session that isn't committed leaves the directory as it was; a
 * committed image can be opened, holds what was written last, and is without errors if the base
 * was. Some leave marks, and some lay the base under a new image instead of going on with it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#define NEW_IMAGE "n.cim"
#define PATHS	  32
#define STEPS	  100
#define CONTENT	  (96u << 10)
#define LAST	  "the last one"

struct known {
	char *path;
	uint32_t id;
};

struct session {
	struct memfs *fs;
	struct cim_env env;
	struct cim_image *base; /* NULL: there is none */
	struct known known[PATHS];
	unsigned count;
	struct cim_writer *writer;
	uint8_t *content; /* CONTENT bytes */
	size_t size;
};

static void learn(struct session *s)
{
	const struct cim_walk_item *item;
	struct cim_walk *walk;

	if (cim_walk_open(s->base, cim_image_get_info(s->base)->root_id, &walk, NULL))
		return;
	for (unsigned turns = 0; turns < 500 && s->count < PATHS; turns++) {
		if (cim_walk_next(walk, &item, NULL))
			continue;
		if (!item)
			break;
		s->known[s->count++] = (struct known){strdup(item->path), item->info->file_id};
	}
	cim_walk_close(walk);
}

/* ---- what the steps are made of ---- */

static const char *path_of(struct session *s, struct fuzz_steps *steps, char path[1024])
{
	static const char *const names[] = {"a",   "B",	  "hello.txt", "b:first", "\xee\x80\x80",
					    "x y", "sub", ":s"};
	const uint8_t what = fuzz_byte(steps);
	const char *known = s->count ? s->known[what % s->count].path : "";
	size_t len = strlen(known) < 600 ? strlen(known) : 0;

	memcpy(path, known, len);
	path[len] = '\0';
	if (what < 128)
		return path;
	if (len && what < 224)
		path[len++] = '/';
	if (what < 192)
		strcpy(path + len, names[fuzz_byte(steps) % 8]);
	else
		fuzz_text(steps, path + len, 1024 - len);
	return path;
}

/* Bytes that the base has; else some that it hasn't, of the size that it says. */
static void choose_content(struct session *s, struct fuzz_steps *steps)
{
	static const struct cim_str none;
	const uint8_t what = fuzz_byte(steps);
	struct cim_data data = {CIM_SIZED(data)};

	s->size = 0;
	if (what < 160 && s->count &&
	    !cim_image_get_data(s->base, s->known[what % s->count].id, none, &data, NULL) &&
	    !cim_image_read(s->base, &data, 0, s->content, CONTENT, &s->size, NULL))
		return;
	s->size = what < 200 ? fuzz_byte(steps) : (size_t)fuzz_number(steps, 2);
	for (size_t i = 0; i < s->size; i++)
		s->content[i] = (uint8_t)(i * what >> 3);
}

static enum cim_status read_content(void *ctx, uint64_t offset, void *buf, size_t len,
				    struct cim_error *err)
{
	const struct session *s = ctx;

	(void)err;
	if (offset > s->size || len > s->size - offset)
		fuzz_broken("the source is asked for what it hasn't");
	memcpy(buf, s->content + offset, len);
	return CIM_OK;
}

static enum cim_status write_content(struct session *s, struct cim_stream *stream, bool whole)
{
	struct cim_source source = {CIM_SIZED(source), .ctx = s, .pread = read_content};
	enum cim_status status;

	if (!s->size)
		status = CIM_OK;
	else if (whole)
		status = cim_stream_fill(stream, &source, NULL);
	else
		status = cim_stream_write(stream, s->content, s->size, NULL, NULL);
	cim_stream_close(stream);
	return status;
}

static struct cim_metadata metadata_of(struct fuzz_steps *steps, const struct session *s,
				       bool directory)
{
	static const uint8_t reparse[] = {0x34, 0x12, 0, 0, 4, 0, 0, 0, 'd', 'a', 't', 'a', 0, 0,
					  0,	0,    0, 0, 0, 0, 0, 0, 0,   0,	  0,   0,   0, 0};
	static const uint8_t ea[] = {0, 0, 0, 0, 0, 1, 2, 0, 'A', 0, 'b', 'c'};
	const uint8_t what = fuzz_byte(steps);
	struct cim_metadata m = {CIM_SIZED(m), .size = (int64_t)s->size};

	m.attributes = (what & 0x27u) | (directory ? CIM_ATTR_DIRECTORY : 0);
	m.last_write_time = (int64_t)fuzz_number(steps, what & 8 ? 8 : 0);
	if (what & 0x10) {
		m.ea = ea;
		m.ea_size = sizeof(ea);
	}
	if (what & 0x40) {
		m.reparse = reparse;
		m.reparse_size = sizeof(reparse);
	}
	if (what & 0x80) {
		m.keep = fuzz_byte(steps) & 0x7f;
		m.keep_attributes = fuzz_byte(steps);
	}
	return m;
}

/* ---- steps ---- */

static enum cim_status put_file(struct session *s, struct fuzz_steps *steps, const char *path,
				bool whole)
{
	struct cim_stream *stream;
	struct cim_metadata m;
	enum cim_status status;

	choose_content(s, steps);
	m = metadata_of(steps, s, false);
	status = cim_writer_add(s->writer, cim_str8(path), &m, &stream, NULL);
	return status ? status : write_content(s, stream, whole);
}

static enum cim_status put_stream(struct session *s, struct fuzz_steps *steps, const char *path)
{
	struct cim_stream *stream;
	enum cim_status status;

	choose_content(s, steps);
	status = cim_writer_add_stream(s->writer, cim_str8(path), s->size, &stream, NULL);
	return status ? status : write_content(s, stream, true);
}

static enum cim_status put_mark(struct session *s, struct fuzz_steps *steps, const char *path,
				bool link)
{
	char target[1024];

	if (!link)
		return cim_writer_tombstone(s->writer, cim_str8(path), NULL);
	return cim_writer_merge_link(s->writer, cim_str8(path), cim_str8(path_of(s, steps, target)),
				     NULL);
}

static enum cim_status step(struct session *s, struct fuzz_steps *steps)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	const uint8_t what = fuzz_byte(steps);
	char path[1024], other[1024];
	struct cim_metadata m;
	bool exists;

	path_of(s, steps, path);
	if (what & 64)
		return put_mark(s, steps, path, what & 1);
	switch (what % 8) {
	case 0:
		m = metadata_of(steps, s, true);
		return cim_writer_add(s->writer, cim_str8(path), &m, NULL, NULL);
	case 1:
		return put_stream(s, steps, path);
	case 2:
		return cim_writer_link(s->writer, cim_str8(path),
				       cim_str8(path_of(s, steps, other)), NULL);
	case 3:
		return cim_writer_delete(s->writer, cim_str8(path), NULL);
	case 4:
		return cim_writer_lookup(s->writer, cim_str8(path), &exists, NULL);
	case 5:
		return cim_writer_stat(s->writer, cim_str8(path), &info, NULL);
	default:
		return put_file(s, steps, path, what % 8 == 6);
	}
}

/* None of these is the image's fault, or the caller's. */
static void judge(enum cim_status status)
{
	if (status == CIM_E_POINTER || status == CIM_E_NO_MEMORY || status == CIM_E_IO ||
	    status == CIM_E_DISK_FULL || status == CIM_E_ABORTED || status == CIM_E_SHARING)
		fuzz_broken("%s", cim_status_name(status));
}

/*
 * The content of the last file, as the image has it: what the base's object IDs say is no reason to
 * take other bytes. Its name may be out of reach where the base's names are in no order.
 */
static void check_last(struct session *s, struct cim_image *image, bool must)
{
	static const struct cim_str none;
	struct cim_data data = {CIM_SIZED(data)};
	uint8_t *got = malloc(CONTENT);
	struct cim_error err = {0};
	size_t size = 0;
	uint32_t id;

	if (!got)
		fuzz_broken("out of memory");
	if (cim_image_lookup(image, cim_str8(LAST), &id, &err) ||
	    cim_image_get_data(image, id, none, &data, &err) ||
	    cim_image_read(image, &data, 0, got, CONTENT, &size, &err)) {
		if (must)
			fuzz_broken("what was written can't be read: %s", err.cause);
	} else if (data.size != s->size || size != s->size || memcmp(got, s->content, size))
		fuzz_broken("%zu bytes were written, others are read", s->size);
	free(got);
}

static void check_result(struct session *s, const char *name, bool last, uint64_t base_errors)
{
	struct cim_image *image;
	struct cim_error err = {0};
	char path[64] = "mem/";
	uint64_t errors;

	strcat(path, name);
	if (cim_image_open(&s->env, path, &image, &err))
		fuzz_broken("the result can't be opened: %s", err.cause);
	errors = fuzz_verify(image);
	if (!base_errors && errors)
		fuzz_broken("a base without errors gave an image with %llu",
			    (unsigned long long)errors);
	if (last)
		check_last(s, image, !base_errors);
	cim_image_close(image);
}

/* Beside an image that can't be read a consistent session doesn't know whose its files are: D49. */
static bool may_leave(struct session *s)
{
	const struct cim_store_file *file;
	struct cim_store *store;
	bool may = false;

	if (cim_store_open(&s->env, "mem", false, &store, NULL))
		return true;
	for (size_t i = 0; (file = cim_store_get(store, i)) != NULL; i++)
		may |= (file->flags & CIM_STORE_BROKEN) != 0;
	cim_store_close(store);
	return may;
}

static void run_session(struct session *s, struct fuzz_steps *steps)
{
	const uint8_t how = fuzz_byte(steps);
	const bool merge = s->base && how & 8, extend = s->base && how & 2 && !merge;
	const uint64_t before = memfs_digest(s->fs, NULL),
		       errors = s->base ? fuzz_verify(s->base) : 0;
	enum cim_status status;
	bool last = false;

	status = cim_writer_open(&s->env, "mem", s->base && !merge ? FUZZ_IMAGE : NULL,
				 extend ? NULL : NEW_IMAGE, how & 1, &s->writer, NULL);
	judge(status);
	/* Some of the steps come before the source, and so lie above it. */
	for (unsigned i = 0; !status && merge && steps->left && i < (how >> 4); i++)
		judge(step(s, steps));
	if (!status && merge) {
		status = cim_writer_add_source(s->writer, "mem/" FUZZ_IMAGE, 0, NULL);
		judge(status);
	}
	for (unsigned i = 0; !status && steps->left && i < STEPS; i++)
		judge(step(s, steps));
	if (!status) {
		struct fuzz_steps none = {&how, 1};

		last = !put_file(s, &none, LAST, how & 4);
		status = cim_writer_commit(s->writer, NULL);
		judge(status);
	}
	cim_writer_close(s->writer);
	if (!status)
		check_result(s, extend ? FUZZ_IMAGE : NEW_IMAGE, last, errors);
	else if (memfs_digest(s->fs, NULL) != before && !(how & 1 && may_leave(s)))
		fuzz_broken("a session without a commit left something");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session s = {.fs = memfs_new(), .content = malloc(CONTENT)};
	struct fuzz_steps steps = fuzz_unpack(s.fs, data, size);

	if (!s.content)
		fuzz_broken("out of memory");
	s.env = memfs_env(s.fs);
	s.base = fuzz_open(&s.env);
	if (s.base)
		learn(&s);
	run_session(&s, &steps);
	cim_image_close(s.base);
	for (unsigned i = 0; i < s.count; i++)
		free(s.known[i].path);
	free(s.content);
	fuzz_clean(s.fs);
	memfs_free(s.fs);
	return 0;
}
