/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * minisample.h - one hand-made image with an item of every kind, and a way to read all of it
 *
 * mini_sample() makes the image; its model is the constants here. read_all() uses every reading
 * call on everything that an image shows, and folds what it reads into one number: equal numbers
 * mean that the same was read.
 */
#ifndef CIM_TESTS_MINISAMPLE_H
#define CIM_TESTS_MINISAMPLE_H

#include "../core/format.h"
#include "minicim.h"

#define SAMPLE_ALPHA  9000u
#define SAMPLE_SPARSE (UINT64_C(1) << 40)
#define SAMPLE_PE     0x2600u

/* Regions of the sample: a parent set of three, then the image's own three. */
enum {
	SAMPLE_UPCASE = 0,
	SAMPLE_PARENT_DATA = 1,
	SAMPLE_META = 3,
	SAMPLE_DATA = 4,
	SAMPLE_SMALL = 5,
};

static inline uint8_t sample_byte(unsigned seed, size_t i)
{
	return (uint8_t)((i * 2654435761u + seed * 40503u) >> 13);
}

static inline void sample_fill(uint8_t *p, unsigned seed, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = sample_byte(seed, i);
}

struct mini_mapping {
	uint32_t file_offset;
	uint32_t delta;
};

/* A PeImage object. */
static inline uint64_t mini_pe(struct mini *m, unsigned region, uint64_t data, uint64_t data_length,
			       const struct mini_mapping *mappings, size_t count)
{
	uint8_t *bytes = (uint8_t *)calloc(1, 24 + 8 * count);
	uint64_t offset;

	mini_le(bytes, data, 8);
	mini_le(bytes + 8, data_length, 8);
	mini_le(bytes + 16, data_length, 4);
	mini_le(bytes + 20, count, 2);
	mini_le(bytes + 22, 1, 2);
	for (size_t i = 0; i < count; i++) {
		mini_le(bytes + 24 + 8 * i, mappings[i].file_offset, 4);
		mini_le(bytes + 24 + 8 * i + 4, mappings[i].delta, 4);
	}
	offset = mini_put(m, region, bytes, 24 + 8 * count, 8);
	free(bytes);
	return offset;
}

/* The sample's PE file: headers stay, the first section moved up by 0xc00, the second by 0x1a00,
 * what follows it down by 0x1200. Its data is sample_byte(9) throughout. */
#define SAMPLE_PE_DATA	   0x4000u
#define SAMPLE_PE_MAPPINGS 3
static const struct mini_mapping sample_pe_mappings[SAMPLE_PE_MAPPINGS] = {
	{0x400, 0xc00},
	{0x1600, 0x1a00},
	{0x2200, (uint32_t)-0x1200},
};

static inline uint32_t sample_pe(struct mini *m)
{
	static uint8_t data[SAMPLE_PE_DATA];
	uint32_t id = mini_record(m);
	uint64_t at;

	sample_fill(data, 9, sizeof(data));
	at = mini_put(m, SAMPLE_DATA, data, sizeof(data), 4096);
	at = mini_pe(m, SAMPLE_META, at, sizeof(data), sample_pe_mappings, SAMPLE_PE_MAPPINGS);
	mini_stream(m, id, at, SAMPLE_PE, 2, false);
	return id;
}

/* Where byte @o of a PE file lies in its data. */
static inline size_t mini_pe_place(const struct mini_mapping *mappings, size_t count, size_t o)
{
	uint32_t delta = 0;

	for (size_t i = 0; i < count && mappings[i].file_offset <= o; i++)
		delta = mappings[i].delta;
	return (uint32_t)(o + delta);
}

static inline uint64_t mini_counted(struct mini *m, unsigned region, const void *bytes, size_t len)
{
	uint8_t *object = (uint8_t *)malloc(len + 2);
	uint64_t offset;

	mini_le(object, len, 2);
	memcpy(object + 2, bytes, len);
	offset = mini_put(m, region, object, len + 2, 8);
	free(object);
	return offset;
}

/* A file with three alternate streams. */
static inline uint32_t sample_streams(struct mini *m, bool second_form, uint32_t extra)
{
	uint8_t one[300];
	struct mini_link links[3];
	uint32_t id = mini_plain(m, SAMPLE_SMALL, "main", 4);
	size_t length;

	sample_fill(one, 3, sizeof(one));
	links[0] = mini_link("One", mini_put(m, SAMPLE_SMALL, one, sizeof(one), 8), sizeof(one));
	links[1] = mini_link("two", 0, 77777 | UINT64_C(1) << 56);
	links[2] = mini_link("zero", (uint64_t)SAMPLE_SMALL << 48 | 40, 0);
	mini_field(m, id, 80, mini_table(m, SAMPLE_META, links, 3, 16, second_form, extra, &length),
		   8);
	return id;
}

static inline uint32_t sample_beta(struct mini *m)
{
	static const uint8_t sd[20] = {1, 0, 4, 0x80};
	static const uint8_t ea[] = {0, 0, 0, 0, 0, 1, 2, 0, 'A', 0, 'x', 'y'};
	static const uint8_t reparse[] = {0xc, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4};
	uint32_t id = mini_plain(m, SAMPLE_SMALL, "beta's data", 11);

	mini_field(m, id, 0, 0x1f | 0x8000, 2);
	mini_field(m, id, 2, sizeof(ea), 2);
	mini_field(m, id, 4, 0xa000000c, 4);
	for (unsigned i = 0; i < 4; i++)
		mini_field(m, id, 8 + 8 * i, UINT64_C(0x01d0000000000000) + i, 8);
	mini_field(m, id, 56, mini_counted(m, SAMPLE_META, sd, sizeof(sd)), 8);
	mini_field(m, id, 64, mini_put(m, SAMPLE_META, ea, sizeof(ea), 8), 8);
	mini_field(m, id, 72, mini_counted(m, SAMPLE_META, reparse, sizeof(reparse)), 8);
	return id;
}

/* The image "mem/s.cim"; @change: has its way with the records before they are written. */
static inline struct mini *mini_sample_changed(void (*change)(struct mini *m))
{
	struct mini *m = mini_new();
	uint8_t alpha[SAMPLE_ALPHA];
	uint32_t dir, nested, id;
	struct mini_link links[16];
	size_t n = 0;

	sample_fill(alpha, 1, sizeof(alpha));
	mini_set_of(m, 1, 3, 3);
	mini_set_of(m, 2, 3, 3);
	mini_put_upcase(m, SAMPLE_UPCASE);
	m->root = mini_record(m);
	dir = mini_record(m);
	nested = mini_record(m);
	mini_field(m, m->root, 88, m->root, 4);
	links[n++] = mini_link("x", mini_plain(m, SAMPLE_SMALL, "x", 1), 0);
	mini_dir(m, nested, SAMPLE_META, links, n, true);
	n = 0;
	links[n++] = mini_link("Nested", nested, 0);
	links[n++] = mini_link("other", mini_plain(m, SAMPLE_SMALL, "other", 5), 0);
	mini_dir(m, dir, SAMPLE_META, links, n, true);
	n = 0;
	links[n++] = mini_link("dir", dir, 0);
	id = mini_record(m);
	mini_stream(m, id, mini_put(m, SAMPLE_PARENT_DATA, alpha, sizeof(alpha), 4096),
		    sizeof(alpha), 0, false);
	links[n++] = mini_link("Alpha.txt", id, 0);
	id = sample_beta(m);
	links[n++] = mini_link("beta", id, 0);
	links[n++] = mini_link("hard", id, 0);
	id = mini_record(m);
	mini_stream(m, id, 0, 0, 1, false);
	links[n++] = mini_link("empty", id, 0);
	links[n++] = mini_link("pe.exe", sample_pe(m), 0);
	id = mini_record(m);
	mini_stream(m, id, 0, SAMPLE_SPARSE, 0, true);
	links[n++] = mini_link("sparse", id, 0);
	links[n++] = mini_link("streams1", sample_streams(m, false, 0), 0);
	links[n++] = mini_link("streams2", sample_streams(m, true, 0), 0);
	id = mini_record(m);
	mini_stream(m, id, (uint64_t)SAMPLE_SMALL << 48 | 40, 0, 0, false);
	links[n++] = mini_link("zero", id, 0);
	mini_dir(m, m->root, SAMPLE_META, links, n, true);
	if (change)
		change(m);
	mini_finish(m, "s.cim", SAMPLE_META);
	return m;
}

static inline struct mini *mini_sample(void)
{
	return mini_sample_changed(NULL);
}

/* ---- reading everything ---- */

struct read_all {
	uint64_t digest;
	unsigned items;
	unsigned failed;      /* calls that failed */
	unsigned statuses;    /* 1 << status of them */
	bool endless;	      /* gave up counting */
	struct cim_error err; /* the last failure */
};

static inline void fold(struct read_all *all, const void *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;

	for (size_t i = 0; i < len; i++)
		all->digest = (all->digest ^ p[i]) * UINT64_C(0x100000001b3);
}

static inline void fold_int(struct read_all *all, uint64_t value)
{
	fold(all, &value, sizeof(value));
}

static inline bool note(struct read_all *all, enum cim_status status)
{
	if (!status)
		return true;
	all->failed++;
	all->statuses |= 1u << status;
	return false;
}

static inline void read_some(struct cim_image *image, const struct cim_data *data, uint64_t from,
			     size_t total, struct read_all *all)
{
	uint8_t buf[1000];

	for (size_t done = 0; done < total;) {
		size_t got = 12345;

		if (!note(all, cim_image_read(image, data, from + done, buf, sizeof(buf), &got,
					      &all->err)) ||
		    !got)
			break;
		fold(all, buf, got);
		done += got;
	}
}

static inline void read_data(struct cim_image *image, const struct cim_data *data,
			     struct read_all *all)
{
	fold_int(all, data->size);
	fold_int(all, (uint64_t)data->pe * 2 + data->sparse);
	read_some(image, data, 0, 20000, all);
	read_some(image, data, data->size / 2, 1000, all);
	read_some(image, data, data->size - (data->size < 10 ? data->size : 10), 1000, all);
	read_some(image, data, data->size, 1, all);
}

static inline void read_item(struct cim_image *image, uint32_t id, struct read_all *all)
{
	static const struct cim_str none;
	uint8_t blob[CIM_MAX_BLOB];
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_iter *iter;
	const struct cim_entry *entry;
	struct cim_data data = {CIM_SIZED(data)};

	if (!note(all, cim_image_stat(image, id, &info, &all->err)))
		return;
	fold_int(all, info.size);
	fold_int(all, info.attributes);
	fold_int(all, (uint64_t)info.creation_time);
	fold_int(all, (uint64_t)info.last_access_time);
	for (int which = 0; which < 3; which++) {
		size_t size, again;

		if (!note(all, cim_image_get_blob(image, id, (enum cim_blob)which, NULL, 0, &again,
						  &all->err)))
			continue;
		if (note(all, cim_image_get_blob(image, id, (enum cim_blob)which, blob,
						 sizeof(blob), &size, &all->err))) {
			fold_int(all, size);
			fold_int(all, size == again);
			fold(all, blob, size);
		}
	}
	if (!info.is_directory && note(all, cim_image_get_data(image, id, none, &data, &all->err)))
		read_data(image, &data, all);
	if (!note(all, cim_iter_streams(image, id, &iter, &all->err)))
		return;
	for (unsigned turns = 0; turns < 1000 && cim_iter_count(iter) > turns; turns++) {
		if (!note(all, cim_iter_next(iter, &entry, &all->err)))
			continue;
		if (!entry)
			break;
		fold(all, entry->utf8, strlen(entry->utf8));
		read_data(image, entry->data, all);
		note(all, cim_image_get_data(image, id, cim_str8(entry->utf8), &data, &all->err));
	}
	cim_iter_close(iter);
}

/* Use everything that an open image offers. */
static inline void read_image(struct cim_image *image, struct read_all *all)
{
	const struct cim_image_info *info;
	const struct cim_walk_item *item;
	struct cim_walk *walk;
	unsigned turns = 0;

	info = cim_image_get_info(image);
	if (!note(all, cim_walk_open(image, info->root_id, &walk, &all->err)))
		return;
	for (;;) {
		uint32_t id = 0;

		if (++turns > 200000) {
			all->endless = true;
			break;
		}
		if (!note(all, cim_walk_next(walk, &item, &all->err)))
			continue;
		if (!item)
			break;
		all->items++;
		fold(all, item->path, strlen(item->path) + 1);
		fold_int(all, item->info->file_id);
		if (note(all, cim_image_lookup(image, cim_str8(item->path), &id, &all->err)))
			fold_int(all, id);
		read_item(image, item->info->file_id, all);
	}
	cim_walk_close(walk);
}

/* The same, opening and closing it. */
static inline enum cim_status read_all(const struct cim_env *env, const char *path,
				       struct read_all *all)
{
	struct cim_image *image;
	enum cim_status status;

	memset(all, 0, sizeof(*all));
	all->digest = UINT64_C(0xcbf29ce484222325);
	status = cim_image_open(env, path, &image, &all->err);
	if (!note(all, status))
		return status;
	read_image(image, all);
	cim_image_close(image);
	return CIM_OK;
}

#endif
