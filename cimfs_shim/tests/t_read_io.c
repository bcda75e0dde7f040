/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_read_io.c - everything is read of an image, while each of the calls that this makes fails
 *
 * A call of the file system or an allocation that fails comes out as that error, or changes nothing
 * of what is read: never is it something else, or less. Without the cache each structure is read
 * anew each time, so that what was read before may fail as well.
 */
#include "kit.h"
#include "ioimage.h"

static struct kit k;

/* What was read, as a digest, and the first error. */
struct reading {
	struct cim_image *image;
	uint64_t digest;
	enum cim_status status;
};

static bool good(struct reading *r, enum cim_status status)
{
	if (status && !r->status)
		r->status = status;
	return !status;
}

static void add(struct reading *r, const void *bytes, size_t size)
{
	r->digest = hash_bytes(r->digest, bytes, size);
}

static void add_number(struct reading *r, uint64_t number)
{
	add(r, &number, sizeof(number));
}

static void read_bytes(struct reading *r, const struct cim_data *data)
{
	static uint8_t buf[100000];
	size_t got = 1;

	for (uint64_t at = 0; got; at += got) {
		got = 0;
		if (good(r, cim_image_read(r->image, data, at, buf, sizeof(buf), &got, &k.err)))
			add(r, buf, got);
	}
}

static void read_places(struct reading *r, const struct cim_data *data)
{
	struct cim_segment segment = {CIM_SIZED(segment)};
	struct cim_run run = {CIM_SIZED(run)};
	struct cim_place place;
	uint64_t len;

	for (uint64_t at = 0; at < data->size; at = segment.offset + segment.len) {
		if (!good(r, cim_image_get_segment(r->image, data, at, &segment, &k.err)))
			return;
		add_number(r, segment.place);
	}
	for (uint64_t at = 0; at < data->size; at += len) {
		if (!good(r, cim_image_get_run(r->image, data, at, data->size, &run, &k.err)))
			return;
		len = run.len;
		add_number(r, len);
		cim_run_put(r->image, &run);
	}
	if (good(r, cim_data_place(r->image, data, &place, &k.err)))
		add_number(r, place.offset);
}

static void read_data(struct reading *r, const struct cim_data *data)
{
	add_number(r, data->size);
	read_bytes(r, data);
	read_places(r, data);
}

static void read_blobs(struct reading *r, const struct cim_file_info *info)
{
	static uint8_t buf[CIM_MAX_BLOB];
	size_t size;

	for (int which = CIM_BLOB_SECURITY; which <= CIM_BLOB_REPARSE; which++) {
		if (good(r, cim_image_get_file_blob(r->image, info, (enum cim_blob)which, buf,
						    sizeof(buf), &size, &k.err)))
			add(r, buf, size);
		if (good(r, cim_image_get_blob(r->image, info->file_id, (enum cim_blob)which, NULL,
					       0, &size, &k.err)))
			add_number(r, size);
	}
}

/* Its alternate streams: by the iterator, and each by the path that a program would give. */
static void read_streams(struct reading *r, const struct cim_walk_item *item)
{
	struct cim_data data = {CIM_SIZED(data)};
	const struct cim_entry *entry;
	struct cim_iter *iter = NULL;
	struct cim_str name;
	char path[600];
	uint32_t id;

	if (!good(r, cim_iter_file_streams(r->image, item->info, &iter, &k.err)))
		return;
	add_number(r, cim_iter_count(iter));
	while (good(r, cim_iter_next(iter, &entry, &k.err)) && entry) {
		add(r, entry->utf8, strlen(entry->utf8));
		read_data(r, entry->data);
		snprintf(path, sizeof(path), "%s:%s", item->path, entry->utf8);
		if (good(r,
			 cim_image_lookup_stream(r->image, cim_str8(path), &id, &name, &k.err)) &&
		    good(r, cim_image_get_data(r->image, id, name, &data, &k.err)))
			add_number(r, data.size);
	}
	cim_iter_close(iter);
}

static void read_names(struct reading *r, uint32_t dir_id)
{
	const struct cim_entry *entry;
	struct cim_iter *iter = NULL;
	uint32_t id;

	if (!good(r, cim_iter_dir(r->image, dir_id, &iter, &k.err)))
		return;
	while (good(r, cim_iter_next(iter, &entry, &k.err)) && entry) {
		add_number(r, entry->file_id);
		for (int exact = 0; exact < 2; exact++)
			if (good(r, cim_image_lookup_at(r->image, dir_id, cim_str8(entry->utf8),
							exact, &id, &k.err)))
				add_number(r, id);
	}
	cim_iter_close(iter);
}

/* A name that isn't there: an error alone may be another status. */
static void read_nothing(struct reading *r, const char *path)
{
	enum cim_status status;
	uint32_t id = 0;

	status = cim_image_lookup(r->image, cim_str8(path), &id, &k.err);
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND)
		add_number(r, status);
	else
		good(r, status);
}

static void read_item(struct reading *r, const struct cim_walk_item *item)
{
	static const struct cim_str none;
	const struct cim_file_info *info = item->info;
	struct cim_file_info again = {CIM_SIZED(again)};
	struct cim_data data = {CIM_SIZED(data)};
	char missing[600];
	uint32_t id;

	add(r, item->path, strlen(item->path));
	add_number(r, info->attributes);
	if (*item->path && good(r, cim_image_lookup(r->image, cim_str8(item->path), &id, &k.err)))
		add_number(r, id);
	if (good(r, cim_image_stat(r->image, info->file_id, &again, &k.err)))
		add_number(r, (uint64_t)again.last_write_time);
	read_blobs(r, info);
	read_streams(r, item);
	snprintf(missing, sizeof(missing), "%s/none", item->path);
	read_nothing(r, missing + !*item->path);
	if (info->is_directory)
		read_names(r, info->file_id);
	else if (good(r, cim_image_get_file_data(r->image, info, none, &data, &k.err)))
		read_data(r, &data);
}

static void read_tree(struct reading *r)
{
	const struct cim_walk_item *item;
	struct cim_walk *walk = NULL;

	if (!good(r, cim_walk_open(r->image, cim_image_get_info(r->image)->root_id, &walk, &k.err)))
		return;
	while (good(r, cim_walk_next(walk, &item, &k.err)) && item)
		read_item(r, item);
	cim_walk_close(walk);
}

static int take_why(void *ctx, uint32_t dir_id, const struct cim_error *why)
{
	(void)dir_id;
	good(ctx, why ? why->status : CIM_OK);
	return 0;
}

static void count_links(struct reading *r)
{
	struct cim_links *links = NULL;

	if (!good(r, cim_links_open(r->image, take_why, r, &links, &k.err)))
		return;
	for (uint32_t id = 1; id < 20; id++)
		add_number(r, cim_links_count(links, id));
	add_number(r, cim_links_several(links));
	add_number(r, cim_links_bytes(links));
	add_number(r, cim_links_walkable(links, &k.err));
	cim_links_close(links);
}

static void read_regions(struct reading *r)
{
	const uint32_t count = cim_image_get_info(r->image)->region_count;
	uint64_t size;

	for (uint32_t i = 0; i < count; i++)
		if (good(r, cim_image_region_size(r->image, i, &size, &k.err)))
			add_number(r, size);
	good(r, cim_image_check_regions(r->image, &k.err));
}

static struct reading read_all(void)
{
	struct reading r = {.digest = HASH_START};

	if (!good(&r, cim_image_open(&k.env, "mem/a.cim", &r.image, &k.err)))
		return r;
	read_tree(&r);
	count_links(&r);
	read_regions(&r);
	cim_image_close(r.image);
	return r;
}

/* ---- what fails ---- */

static const char *now_fails(bool memory, bool on, unsigned long at)
{
	k.m->fail_on = k.m->fail_alloc_on = on;
	k.m->fail_status = CIM_E_IO;
	k.m->failed = k.m->failed_allocs = 0;
	k.m->fail_at = memory ? 0 : k.m->ops + at;
	k.m->fail_alloc = memory ? k.m->allocs + at : 0;
	return memory ? "allocation" : "call";
}

static void each_fails(bool memory, bool on, const struct reading *want, const char *how)
{
	const enum cim_status injected = memory ? CIM_E_NO_MEMORY : CIM_E_IO;
	unsigned wrong = 0, told = 0;
	unsigned long at;

	for (at = 1;; at++) {
		const char *what = now_fails(memory, on, at);
		const struct reading got = read_all();
		const bool failed = k.m->failed || k.m->failed_allocs;

		k.m->fail_at = k.m->fail_alloc = 0;
		kit_clean(&k, "after a failed call");
		if (!failed)
			break;
		told += got.status == injected;
		if (got.status == injected || (!got.status && got.digest == want->digest))
			continue;
		if (wrong++ < 5)
			diag("%s %lu (%s of %s): status %s%s", what, at,
			     mem_op_names[k.m->first_failed], k.m->first_failed_name,
			     STATUS(got.status), got.status ? "" : ", and something else is read");
	}
	is_int(wrong, 0, "%s: each of %lu %s that fails%s: an error, or nothing is missed", how,
	       at - 1, memory ? "allocations" : "calls", on ? " with all that follow" : "");
	ok(told > 20, "%s: %u of them are told", how, told);
}

int main(void)
{
	struct reading want;

	k = kit_new();
	make_io_image(&k);
	want = read_all();
	is_int(want.status, CIM_OK, "everything can be read");
	for (int cached = 1; cached >= 0; cached--) {
		const char *how = cached ? "with a cache" : "without a cache";

		k.m->never_alloc = cached ? 0 : CACHE_BLOCK;
		is_hex(read_all().digest, want.digest, "%s: the same is read", how);
		for (int on = 0; on < 2; on++) {
			each_fails(false, on, &want, how);
			each_fails(true, on, &want, how);
		}
	}
	kit_free(&k);
	return tap_done();
}
