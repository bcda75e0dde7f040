/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * minicim.h - images put together by hand, in memory, for the tests of the reader
 *
 * A test says what goes where: region sets, objects in regions, records, tables. Nothing is
 * checked, so that any broken image can be made. This shares no code and no constant with the
 * library: what it knows of the format is written down here a second time, from the format's
 * description, so that a misreading on one side shows.
 *
 * The files live in a struct mini, and are lent to a directory in memory (m->fs, memfs.h), which
 * counts what is read, and fails when it is told to. m->env is an environment with it.
 */
#ifndef CIM_TESTS_MINICIM_H
#define CIM_TESTS_MINICIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcim_advanced.h"
#include "memfs.h"
#include "tap.h"

/* ---- little-endian ---- */

static inline void mini_le(uint8_t *p, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

/* ---- files in memory ---- */

#define MINI_MAX_FILES 1200
#define MINI_ENTRY     128 /* room for a record */

struct mini {
	struct memfs *fs;
	struct cim_vfs vfs; /* m->fs's; the functions that only writers call are NULL */
	struct cim_env env; /* with that; the image is "mem/NAME" */
	struct mem_flat files[MINI_MAX_FILES];
	size_t file_count;

	/* sets in the order of their regions; the last is the image's own */
	struct {
		uint8_t guid[16];
		unsigned count;
	} sets[64];
	size_t set_count;
	size_t region_file[MINI_MAX_FILES]; /* by region index */
	size_t region_count;

	uint8_t (*records)[MINI_ENTRY];
	size_t record_count, record_room;
	uint64_t upcase;
	uint32_t root;

	unsigned major, minor;
	unsigned entry_size;
};

static inline struct mini *mini_new(void)
{
	struct mini *m = (struct mini *)calloc(1, sizeof(*m));
	const struct cim_vfs *all;

	m->fs = memfs_new();
	all = &m->fs->vfs;
	m->vfs = (struct cim_vfs){CIM_SIZED(m->vfs),	     .ctx = all->ctx,
				  .open_dir = all->open_dir, .close_dir = all->close_dir,
				  .open = all->open,	     .close = all->close,
				  .size = all->size,	     .pread = all->pread};
	m->env = *cim_env_default();
	m->env.vfs = &m->vfs;
	m->env.mem = memfs_env(m->fs).mem;
	m->root = 1;
	m->major = 2;
	m->entry_size = 96;
	return m;
}

static inline void mini_free(struct mini *m)
{
	for (size_t i = 0; i < m->file_count; i++)
		free(m->files[i].bytes);
	free(m->records);
	memfs_free(m->fs);
	free(m);
}

static inline size_t mini_add_file(struct mini *m, const char *name)
{
	struct mem_flat *file = &m->files[m->file_count];

	snprintf(file->name, sizeof(file->name), "%s", name);
	memfs_lend(m->fs, file);
	return m->file_count++;
}

static inline struct mem_flat *mini_find(struct mini *m, const char *name)
{
	for (size_t i = 0; i < m->file_count; i++) {
		if (!strcmp(m->files[i].name, name))
			return &m->files[i];
	}
	return NULL;
}

static inline void mini_rename(struct mini *m, struct mem_flat *file, const char *name)
{
	memfs_unlink(m->fs, file->name);
	snprintf(file->name, sizeof(file->name), "%s", name);
	memfs_lend(m->fs, file);
}

static inline void mini_resize(struct mem_flat *file, size_t size)
{
	if (size > file->room) {
		size_t room = size + size / 2 + 64;

		file->bytes = (uint8_t *)realloc(file->bytes, room);
		file->room = room;
	}
	if (size > file->size)
		memset(file->bytes + file->size, 0, size - file->size);
	file->size = size;
}

/* ---- regions and objects ---- */

static inline void mini_common(struct mini *m, uint8_t *p, unsigned length, unsigned type)
{
	memcpy(p, "cimfile0", 8);
	mini_le(p + 8, length, 4);
	p[12] = (uint8_t)type;
	mini_le(p + 16, m->major, 4);
	mini_le(p + 20, m->minor, 4);
}

static inline void mini_region_name(struct mini *m, size_t set, unsigned index, char *name)
{
	const uint8_t *g = m->sets[set].guid;

	snprintf(name, 300,
		 "region_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x_%u",
		 g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12],
		 g[13], g[14], g[15], index);
}

/* A set of @count regions named by @seed; files are made for the first @made of them. Types go
 * 0, 1, 2, 0, ... Returns the region index of its first. */
static inline unsigned mini_set_of(struct mini *m, unsigned seed, unsigned count, unsigned made)
{
	unsigned first = (unsigned)m->region_count;

	for (int i = 0; i < 16; i++)
		m->sets[m->set_count].guid[i] = (uint8_t)(seed * 31 + (unsigned)i * 17);
	m->sets[m->set_count].count = count;
	for (unsigned i = 0; i < made; i++) {
		char name[300];
		size_t file;

		mini_region_name(m, m->set_count, i, name);
		file = mini_add_file(m, name);
		mini_resize(&m->files[file], 40);
		mini_common(m, m->files[file].bytes, 40, 1);
		mini_le(m->files[file].bytes + 32, i, 2);
		m->files[file].bytes[34] = (uint8_t)(i % 3);
		m->region_file[m->region_count + i] = file;
	}
	m->region_count += made;
	m->set_count++;
	return first;
}

static inline struct mem_flat *mini_region_file(struct mini *m, unsigned region)
{
	return &m->files[m->region_file[region]];
}

/* Objects begin at multiples of this: far from each other, so that each is read by itself. */
static size_t mini_spread = 1;

/* Append an object; returns its RegionOffset. */
static inline uint64_t mini_put(struct mini *m, unsigned region, const void *bytes, size_t len,
				size_t align)
{
	struct mem_flat *file = mini_region_file(m, region);
	size_t at;

	if (align < mini_spread)
		align = mini_spread;
	at = (file->size + align - 1) / align * align;

	mini_resize(file, at + len);
	if (len)
		memcpy(file->bytes + at, bytes, len);
	return (uint64_t)region << 48 | at;
}

/* ---- records ---- */

/* A new record, all zero; returns its FileID. */
static inline uint32_t mini_record(struct mini *m)
{
	if (m->record_count == m->record_room) {
		m->record_room = m->record_room ? m->record_room * 2 : 64;
		m->records = (uint8_t(*)[MINI_ENTRY])realloc(m->records,
							     m->record_room * MINI_ENTRY);
	}
	memset(m->records[m->record_count], 0, MINI_ENTRY);
	/* What lies behind the fields that a reader knows must not matter. */
	memset(m->records[m->record_count] + 96, 0xa5, MINI_ENTRY - 96);
	return (uint32_t)++m->record_count;
}

static inline void mini_field(struct mini *m, uint32_t id, unsigned offset, uint64_t value,
			      int bytes)
{
	mini_le(m->records[id - 1] + offset, value, bytes);
}

static inline void mini_stream(struct mini *m, uint32_t id, uint64_t offset, uint64_t length,
			       unsigned type, bool sparse)
{
	mini_field(m, id, 40, offset, 8);
	mini_field(m, id, 48, length | (uint64_t)type << 48 | (uint64_t)sparse << 56, 8);
}

/* A file with plain data. */
static inline uint32_t mini_plain(struct mini *m, unsigned region, const void *bytes, size_t len)
{
	uint32_t id = mini_record(m);

	mini_stream(m, id, mini_put(m, region, bytes, len, 8), len, 0, false);
	return id;
}

/* ---- link tables ---- */

struct mini_link {
	uint16_t name[300];
	size_t units;
	uint64_t value[2]; /* FileID; or a stream's offset and descriptor */
};

static inline struct mini_link mini_link(const char *name, uint64_t a, uint64_t b)
{
	struct mini_link link;

	memset(&link, 0, sizeof(link));
	for (; name[link.units]; link.units++)
		link.name[link.units] = (unsigned char)name[link.units];
	link.value[0] = a;
	link.value[1] = b;
	return link;
}

/* The upcase table of all images here. */
static inline uint16_t mini_upcase(uint16_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7) ||
	    (c >= 0xff41 && c <= 0xff5a))
		return (uint16_t)(c - 0x20);
	return c;
}

static inline int mini_compare(const void *a, const void *b)
{
	const struct mini_link *x = (const struct mini_link *)a, *y = (const struct mini_link *)b;

	for (size_t i = 0; i < x->units && i < y->units; i++) {
		uint16_t p = mini_upcase(x->name[i]), q = mini_upcase(y->name[i]);

		if (p != q)
			return p < q ? -1 : 1;
	}
	return x->units < y->units ? -1 : x->units > y->units;
}

/* A link table of @count links in the order given. @front: bytes in front of it (the second form
 * of a stream table has 4, that hold @extra). Returns its offset, and its own length in *length. */
static inline uint64_t mini_table(struct mini *m, unsigned region, const struct mini_link *links,
				  size_t count, unsigned value_size, bool front, uint32_t extra,
				  size_t *length)
{
	size_t names = 8 + count * (value_size + 4), size = names, base = front ? 4 : 0;
	uint8_t *bytes;
	uint64_t offset;

	for (size_t i = 0; i < count; i++)
		size += 2 + 2 * links[i].units;
	bytes = (uint8_t *)calloc(1, base + size);
	if (front)
		mini_le(bytes, extra ? extra : size, 4);
	mini_le(bytes + base, size, 4);
	mini_le(bytes + base + 4, count, 4);
	for (size_t i = 0; i < count; i++) {
		uint8_t *value = bytes + base + 8 + i * value_size;
		uint8_t *name = bytes + base + names;

		mini_le(value, links[i].value[0], value_size == 4 ? 4 : 8);
		if (value_size == 16)
			mini_le(value + 8, links[i].value[1], 8);
		mini_le(bytes + base + 8 + count * value_size + i * 4, names, 4);
		mini_le(name, links[i].units, 2);
		for (size_t j = 0; j < links[i].units; j++)
			mini_le(name + 2 + 2 * j, links[i].name[j], 2);
		names += 2 + 2 * links[i].units;
	}
	offset = mini_put(m, region, bytes, base + size, 8);
	free(bytes);
	*length = size;
	return offset;
}

/* Make @id a directory with these entries, sorted if @sort. */
static inline void mini_dir(struct mini *m, uint32_t id, unsigned region, struct mini_link *links,
			    size_t count, bool sort)
{
	size_t length;
	uint64_t offset;

	if (sort && count)
		qsort(links, count, sizeof(*links), mini_compare);
	offset = mini_table(m, region, links, count, 4, false, 0, &length);
	mini_stream(m, id, offset, length, 1, false);
	for (size_t i = 0; i < count; i++) {
		if (links[i].value[0] && links[i].value[0] <= m->record_count)
			mini_field(m, (uint32_t)links[i].value[0], 88, id, 4);
	}
}

/* ---- finishing ---- */

static inline void mini_put_upcase(struct mini *m, unsigned region)
{
	uint8_t *bytes = (uint8_t *)malloc(131072);

	for (unsigned i = 0; i < 65536; i++)
		mini_le(bytes + 2 * i, mini_upcase((uint16_t)i), 2);
	m->upcase = mini_put(m, region, bytes, 131072, 8);
	free(bytes);
}

/* The usual beginning: a set of so many regions, the upcase table in one of them, the root. */
static inline void mini_begin(struct mini *m, unsigned regions, unsigned upcase)
{
	mini_set_of(m, 1, regions, regions);
	mini_put_upcase(m, upcase);
	m->root = mini_record(m);
}

/* Write file tables and filesystem object into @region, and the filesystem file. */
static inline void mini_finish(struct mini *m, const char *name, unsigned region)
{
	size_t tables = (m->record_count + 1023) / 1024, own = m->set_count - 1;
	uint8_t *directory = (uint8_t *)calloc(tables + 1, 16);
	uint8_t filesystem[24], *header;
	struct mem_flat *file;

	for (size_t t = 0; t < tables; t++) {
		size_t count = m->record_count - t * 1024 < 1024 ? m->record_count - t * 1024
								 : 1024;
		uint8_t *bytes = (uint8_t *)calloc(count, m->entry_size);

		for (size_t i = 0; i < count; i++)
			memcpy(bytes + i * m->entry_size, m->records[t * 1024 + i],
			       m->entry_size < MINI_ENTRY ? m->entry_size : MINI_ENTRY);
		mini_le(directory + 16 * t, mini_put(m, region, bytes, count * m->entry_size, 8),
			8);
		mini_le(directory + 16 * t + 8, count, 2);
		mini_le(directory + 16 * t + 10, m->entry_size, 2);
		free(bytes);
	}
	mini_le(filesystem, m->upcase, 8);
	mini_le(filesystem + 8, mini_put(m, region, directory, tables * 16, 8), 8);
	mini_le(filesystem + 16, tables, 4);
	mini_le(filesystem + 20, m->root, 4);
	free(directory);
	file = &m->files[mini_add_file(m, name)];
	mini_resize(file, 72 + 24 * own);
	header = file->bytes;
	mini_common(m, header, (unsigned)file->size, 0);
	mini_le(header + 56, mini_put(m, region, filesystem, 24, 8), 8);
	mini_le(header + 70, own, 2);
	for (size_t i = 0; i <= own; i++) {
		uint8_t *set = i == own ? header + 32 : header + 72 + 24 * i;

		memcpy(set, m->sets[i].guid, 16);
		mini_le(set + 16, m->sets[i].count, 2);
	}
}

/* The usual end: the root has these entries, sorted if @sort. */
static inline void mini_finish_dir(struct mini *m, const char *name, unsigned region,
				   struct mini_link *links, size_t count, bool sort)
{
	mini_dir(m, m->root, region, links, count, sort);
	mini_finish(m, name, region);
}

/* ---- reading ---- */

static inline struct cim_image *mini_open(struct mini *m, const char *path)
{
	struct cim_image *image = NULL;
	struct cim_error err;

	if (cim_image_open(&m->env, path, &image, &err))
		bail("%s: %s: %s", path, cim_status_name(err.status), err.cause);
	return image;
}

/* Everything was given back. */
static inline bool mini_is_clean(const struct mini *m)
{
	const char *why;

	return memfs_is_clean(m->fs, &why);
}

/* Copy all files to a directory of the host; false if that fails. */
static inline bool mini_save(struct mini *m, const char *dir)
{
	for (size_t i = 0; i < m->file_count; i++) {
		char path[4096];
		FILE *f;
		bool good;

		snprintf(path, sizeof(path), "%s/%s", dir, m->files[i].name);
		f = fopen(path, "wb");
		if (!f)
			return false;
		good = fwrite(m->files[i].bytes, 1, m->files[i].size, f) == m->files[i].size;
		if (fclose(f) || !good)
			return false;
	}
	return true;
}

#endif
