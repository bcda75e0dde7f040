/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flatten.c - all that an image shows into a session
 *
 * What is made so has no parents and no sources: each item is read and written anew, as a dump and
 * an image made from it would do, but for the text. Marks, which say something to whoever merges
 * the image, are set again.
 */
#include "tree.h"
#include "write.h"

struct flatten {
	struct session *s;
	struct cim_image *image;
	const char *name;	   /* of the image */
	struct cim_budget *budget; /* of merge links, and of PE images' mappings */
	uint64_t names;		   /* that the paths to come may have, all together */
	struct loss rests;	   /* what records have behind the fields that are known */
	uint16_t *path, *to;
	size_t units;
	/* Descriptors and the like of the last item: they are often the next one's, too. */
	struct {
		struct cim_place place;
		struct blob blob;
	} last[3];
};

static int fail_read(struct flatten *f, const struct tree_item *item, struct cim_error *err)
{
	char *path = tree_plain(item->path);
	int code = tool_fail_at(f->s->t, "read", f->name, path, err);

	free(path);
	return code;
}

static int fail_write(struct flatten *f, const struct tree_item *item, struct cim_error *err)
{
	char *path = tree_plain(item->path);
	int code = tool_fail_at(f->s->t, f->s->op, f->s->image, path, err);

	free(path);
	return code;
}

/* ---- data ---- */

struct image_source {
	struct flatten *f;
	const struct cim_data *data;
	uint64_t counted;
	bool failed; /* to read */
};

static enum cim_status read_image(void *ctx, uint64_t offset, void *buf, size_t len,
				  struct cim_error *err)
{
	struct image_source *source = ctx;
	struct progress *progress = &source->f->s->progress;
	uint8_t *p = buf;
	size_t got;

	while (len) {
		const size_t piece = len < (1u << 20) ? len : 1u << 20;
		enum cim_status status = tool_signal
						 ? CIM_E_ABORTED
						 : cim_image_read(source->f->image, source->data,
								  offset, p, piece, &got, err);

		if (!status && !got)
			status = CIM_E_CORRUPT;
		source->failed = status != CIM_OK;
		if (status)
			return status;
		p += got;
		offset += got;
		len -= got;
		if (offset > source->counted) { /* it may be read twice */
			progress->bytes += offset - source->counted;
			source->counted = offset;
		}
		progress_tick(progress);
	}
	return CIM_OK;
}

/* For a sink: NULL for what isn't written. */
static const struct cim_source *source_of(struct image_source *from, struct cim_source *source)
{
	if (!from->data->size || from->data->sparse)
		return NULL;
	*source = (struct cim_source){CIM_SIZED(*source), .ctx = from, .pread = read_image};
	return source;
}

/* ---- items ---- */

static int take_blob(struct flatten *f, const struct tree_item *item, enum cim_blob which,
		     const void **data, size_t *size)
{
	struct cim_error err = {0};
	struct cim_place place;

	if (cim_file_place(f->image, &item->info, (enum cim_part)which, &place, &err))
		return fail_read(f, item, &err);
	if (!place.bytes)
		return EXIT_OK;
	if (memcmp(&f->last[which].place, &place, sizeof(place)) != 0) {
		blob_free(&f->last[which].blob);
		memset(&f->last[which], 0, sizeof(f->last[which]));
		if (blob_read(f->image, &item->info, which, &f->last[which].blob, &err))
			return fail_read(f, item, &err);
		f->last[which].place = place;
	}
	*data = f->last[which].blob.data;
	*size = f->last[which].blob.size;
	return EXIT_OK;
}

static int take_metadata(struct flatten *f, const struct tree_item *item, struct cim_metadata *m)
{
	const struct cim_file_info *info = &item->info;
	int code;

	m->creation_time = info->creation_time;
	m->last_write_time = info->last_write_time;
	m->change_time = info->change_time;
	m->last_access_time = info->last_access_time;
	metadata_set_flags(m, info->flags);
	if (info->is_directory)
		m->attributes |= CIM_ATTR_DIRECTORY;
	code = take_blob(f, item, CIM_BLOB_SECURITY, &m->security, &m->security_size);
	if (!code)
		code = take_blob(f, item, CIM_BLOB_EA, &m->ea, &m->ea_size);
	if (!code)
		code = take_blob(f, item, CIM_BLOB_REPARSE, &m->reparse, &m->reparse_size);
	return code;
}

/* To read a PE image is to go through all of its mappings. */
static enum cim_status spend_mappings(struct flatten *f, const struct cim_data *data,
				      struct cim_error *err)
{
	struct cim_place place;
	enum cim_status status = cim_data_place(f->image, data, &place, err);

	return status ? status : cim_budget_spend(f->budget, &place, err);
}

static int put_streams(struct flatten *f, const struct tree_item *item)
{
	struct tree_streams streams;
	struct cim_error err = {0};
	int code;

	if (!item->info.has_streams)
		return EXIT_OK;
	code = tree_streams(f->s->t, f->image, f->name, &item->info, &streams);
	for (size_t i = 0; i < streams.count && !code; i++) {
		const struct tree_stream *stream = &streams.at[i];
		struct image_source from = {.f = f, .data = &stream->data};
		struct cim_source source;

		if (stream->data.pe && spend_mappings(f, &stream->data, &err))
			code = fail_read(f, item, &err);
		else if (sink_stream(f->s, f->path, f->units, stream->name, stream->units,
				     stream->data.size, source_of(&from, &source), &err))
			code = (from.failed ? fail_read : fail_write)(f, item, &err);
	}
	tree_streams_free(&streams);
	return code;
}

static int put_item(struct flatten *f, const struct tree_item *item)
{
	struct cim_metadata m = {CIM_SIZED(m)};
	struct cim_data data = {CIM_SIZED(data)};
	struct image_source from = {.f = f, .data = &data};
	struct cim_source source;
	struct cim_error err = {0};
	int code = take_metadata(f, item, &m);

	if (code)
		return code;
	if (!item->info.is_directory &&
	    cim_image_get_file_data(f->image, &item->info, (struct cim_str){0}, &data, &err))
		return fail_read(f, item, &err);
	if (data.pe && spend_mappings(f, &data, &err))
		return fail_read(f, item, &err);
	m.size = (int64_t)data.size;
	if (sink_item(f->s, f->path, f->units, &m, source_of(&from, &source), &err))
		return (from.failed ? fail_read : fail_write)(f, item, &err);
	return put_streams(f, item);
}

static int put_link(struct flatten *f, const struct tree_item *item)
{
	struct cim_error err = {0};
	size_t units;
	char *wrong = dump_path(item->first, f->to, &units);
	int code = EXIT_OK;

	if (wrong)
		code = tool_fail(f->s->t, "read", f->name, item->first, "%s", wrong);
	else if (sink_link(f->s, f->path, f->units, f->to, units, &err))
		code = fail_write(f, item, &err);
	free(wrong);
	return code;
}

/* ---- marks ---- */

static int put_tombstone(struct flatten *f, const struct tree_item *item)
{
	struct cim_error err = {0};

	if (cim_writer_tombstone(f->s->writer,
				 (struct cim_str){.utf16 = f->path, .units = f->units}, &err))
		return fail_write(f, item, &err);
	return EXIT_OK;
}

static int put_merge_link(struct flatten *f, const struct tree_item *item)
{
	struct cim_error err = {0};
	char *target = merge_link_target(f->image, f->budget, &item->info, &err);
	int code = EXIT_OK;

	if (!target)
		return fail_read(f, item, &err);
	if (cim_writer_merge_link(f->s->writer,
				  (struct cim_str){.utf16 = f->path, .units = f->units},
				  cim_str8(target), &err))
		code = fail_write(f, item, &err);
	free(target);
	return code;
}

static size_t count_names(const char *path)
{
	size_t count = 0;

	for (; *path; path++)
		count += *path == '/';
	return count;
}

/* A session looks a path up name by name, each time: not for thousands of items thousands of
 * directories deep, which take little room in an image. */
static int take_path(struct flatten *f, const struct tree_item *item)
{
	struct cim_error err = {.status = CIM_E_CORRUPT,
				.cause = "the paths of its items are too long, all together"};
	const size_t names = count_names(item->path);
	char *wrong;
	int code = EXIT_OK;

	if (names > f->names)
		return fail_read(f, item, &err);
	f->names -= names;
	wrong = dump_path(item->path, f->path, &f->units);
	if (wrong)
		code = tool_fail(f->s->t, "read", f->name, item->path, "%s", wrong);
	free(wrong);
	return code;
}

/* What isn't known of a record can't be written. */
static int note_rest(struct flatten *f, const struct tree_item *item)
{
	struct cim_error err = {0};
	char *path;
	bool has;

	if (item->first)
		return EXIT_OK;
	if (cim_file_has_rest(f->image, &item->info, f->budget, &has, &err))
		return fail_read(f, item, &err);
	if (!has)
		return EXIT_OK;
	path = tree_plain(item->path);
	loss_add(f->s->t, &f->rests, path, "it is of a later version");
	free(path);
	return EXIT_OK;
}

static int put_any(struct flatten *f, const struct tree_item *item)
{
	const uint32_t marks = item->info.marks;
	int code = take_path(f, item);

	if (!code)
		code = note_rest(f, item);
	if (code)
		return code;
	f->s->progress.files++;
	progress_tick(&f->s->progress);
	if (marks & CIM_MARK_BARE) /* made again with what is in it */
		return EXIT_OK;
	if (marks & CIM_MARK_TOMBSTONE)
		return put_tombstone(f, item);
	if (marks & CIM_MARK_MERGE_LINK)
		return put_merge_link(f, item);
	if (item->first)
		return put_link(f, item);
	/* A directory that is made where a tombstone is is opaque. */
	if ((marks & CIM_MARK_OPAQUE) && item->depth)
		code = put_tombstone(f, item);
	else if (marks & CIM_MARK_OPAQUE)
		tool_warn(f->s->t, f->s->op, f->s->image, "/",
			  "that the root is opaque isn't stored");
	return code ? code : put_item(f, item);
}

/* An item takes some thirty bytes, and is seldom that deep. */
static uint64_t most_names(struct cim_image *image)
{
	const uint32_t regions = cim_image_get_info(image)->region_count;
	uint64_t bytes = 8 << 20;
	uint64_t one;

	for (uint32_t i = 0; i < regions; i++) {
		if (!cim_image_region_size(image, i, &one, NULL))
			bytes += one;
	}
	return bytes;
}

int flatten(struct session *s, struct cim_image *image, const char *name)
{
	struct flatten f = {.s = s,
			    .image = image,
			    .name = name,
			    .rests.what = "part of the record not stored"};
	const struct tree_item *item;
	struct cim_error err = {0};
	struct tree *tree;
	int code;

	cim_image_show_marked(image, true);
	f.names = most_names(image);
	if (cim_budget_open(image, &f.budget, &err))
		return tool_fail_cim(s->t, "read", name, &err);
	tree = tree_open(s->t, image, name, &code);
	if (!tree) {
		cim_budget_close(f.budget);
		return code;
	}
	f.path = xmalloc((CIM_MAX_PATH + 1) * sizeof(*f.path));
	f.to = xmalloc((CIM_MAX_PATH + 1) * sizeof(*f.to));
	while (!code && (item = tree_next(tree, &code)) != NULL) {
		code = put_any(&f, item);
		if (!code && tool_signal)
			code = tool_interrupted();
	}
	if (!code)
		loss_report(s->t, &f.rests, s->op, s->image);
	loss_forget(&f.rests);
	for (size_t i = 0; i < COUNT_OF(f.last); i++)
		blob_free(&f.last[i].blob);
	free(f.path);
	free(f.to);
	cim_budget_close(f.budget);
	tree_close(tree);
	return code;
}
