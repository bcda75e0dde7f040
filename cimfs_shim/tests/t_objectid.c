/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_objectid.c - the session's own objects, object ID files, and the search in many of them
 */
#include "../core/bytes.h"
#include "../core/objectid.h"
#include "kit.h"

static struct cim_object_id make_id(uint64_t length, unsigned seed, uint64_t offset)
{
	struct cim_object_id id = {.length = length, .offset = offset};

	cim_digest_of(&seed, sizeof(seed), &id.digest);
	return id;
}

static void test_index(void)
{
	enum { COUNT = 20000 };
	struct kit k = kit_new();
	struct cim_object_index index;
	const struct cim_object_id *found;
	struct cim_object_id id;
	unsigned missed = 0, extra = 0;
	size_t cursor = 0;

	cim_object_index_init(&index, &k.env);
	id = make_id(1, 1, 1);
	ok(!cim_object_index_find(&index, 1, &id.digest, &cursor), "an empty index knows nothing");
	ok(!cim_object_index_has_length(&index, 1 << 20), "no length either");
	for (unsigned i = 0; i < COUNT; i++) {
		id = make_id(100 + i % 10, i / 2, 40 + i); /* each digest twice, lengths differ */
		if (!cim_object_index_add(&index, &id))
			bail("no memory");
	}
	for (unsigned i = 0; i < COUNT; i++) {
		id = make_id(100 + i % 10, i / 2, 40 + i);
		cursor = 0;
		found = cim_object_index_find(&index, id.length, &id.digest, &cursor);
		missed += !found || found->offset != id.offset;
		extra += found && cim_object_index_find(&index, id.length, &id.digest, &cursor);
		cursor = 0;
		extra += cim_object_index_find(&index, 99, &id.digest, &cursor) != NULL;
	}
	is_int(missed, 0, "each of 20,000 objects is found by length and digest");
	is_int(extra, 0, "and nothing else");
	for (unsigned i = 0; i < 50; i++) {
		id = make_id(7, 1, 1000 + i);
		cim_object_index_add(&index, &id);
	}
	for (cursor = 0, extra = 0;
	     (found = cim_object_index_find(&index, 7, &id.digest, &cursor));)
		extra += found->offset >= 1000 && found->offset < 1050;
	is_int(extra, 50, "fifty objects of one ID are found one after the other");
	cim_object_index_free(&index);
	kit_free(&k);
}

static void test_lengths(void)
{
	struct kit k = kit_new();
	struct cim_object_index index;
	unsigned wrong = 0;

	cim_object_index_init(&index, &k.env);
	for (unsigned i = 0; i < 3000; i++) {
		struct cim_object_id id = make_id(CIM_LARGE_OBJECT + 3 * (i % 1000), i, 40);

		cim_object_index_add(&index, &id);
	}
	for (unsigned i = 0; i < 3000; i++)
		wrong += cim_object_index_has_length(&index, CIM_LARGE_OBJECT + i) != (i % 3 == 0);
	is_int(wrong, 0, "which large lengths are known");
	cim_object_index_free(&index);
	kit_free(&k);
}

static void test_index_memory(void)
{
	unsigned wrong = 0, failures = 0;

	for (unsigned long at = 1; at < 40; at++) {
		struct kit k = kit_new();
		struct cim_object_index index;

		k.m->fail_alloc = at;
		cim_object_index_init(&index, &k.env);
		for (unsigned i = 0; i < 2000; i++) {
			struct cim_object_id id = make_id(CIM_LARGE_OBJECT + i, i, 40 + i);
			size_t count = index.count, cursor = 0;

			if (cim_object_index_add(&index, &id))
				continue;
			failures++;
			wrong += index.count != count ||
				 cim_object_index_find(&index, id.length, &id.digest, &cursor);
			wrong += !cim_object_index_add(&index, &id);
		}
		for (unsigned i = 0; i < 2000; i++) {
			struct cim_object_id id = make_id(CIM_LARGE_OBJECT + i, i, 40 + i);
			size_t cursor = 0;

			wrong += !cim_object_index_find(&index, id.length, &id.digest, &cursor) ||
				 !cim_object_index_has_length(&index, id.length);
		}
		cim_object_index_free(&index);
		kit_free(&k);
	}
	ok(!wrong && failures > 10,
	   "without memory nothing is added, and later all is well: %u "
	   "wrong, %u failures",
	   wrong, failures);
}

static void test_write(void)
{
	enum { COUNT = 3000 };
	struct kit k = kit_new();
	struct cim_object_index index;
	uint8_t header[48] = "header", last[32] = {0}, entry[40];
	cim_vfs_dir *dir;
	cim_vfs_file *file;
	unsigned wrong = 0, in_region = 0;
	long os_error;

	cim_object_index_init(&index, &k.env);
	for (unsigned i = 0; i < COUNT; i++) {
		struct cim_object_id id = make_id(1 + i * 7919 % 50, i / 3 * 3,
						  cim_region_offset(4 + i % 3, 40 + 8 * i));

		cim_object_index_add(&index, &id);
		in_region += i % 3 == 1;
	}
	must(&k, k.env.vfs->open_dir(k.m, "mem", 0, &dir, &os_error));
	must(&k, k.env.vfs->open(k.m, dir, "ids", CIM_VFS_CREATE, &file, &os_error));
	must(&k, cim_object_index_write(&index, 5, header, file, "ids", &k.err));
	k.env.vfs->close(k.m, file);
	k.env.vfs->close_dir(k.m, dir);
	is_int(memfs_size(k.m, "ids"), 48 + 40 * in_region, "the region's objects are written");
	memfs_peek(k.m, "ids", 0, header, 48);
	is_str((char *)header, "header", "behind the header that is given");
	is_int(cim_get32(header + 40), 48, "which tells where they are");
	is_int(cim_get32(header + 44), in_region, "and how many");
	for (unsigned i = 0; i < in_region; i++) {
		uint64_t was = cim_get64(last), is;

		memfs_peek(k.m, "ids", 48 + 40 * i, entry, 40);
		is = cim_get64(entry);
		wrong += was > is || (was == is && memcmp(last + 8, entry + 8, 24) > 0);
		wrong += (cim_get64(entry + 32) - 40) / 8 % 3 != 1 || cim_get64(entry + 32) >> 48;
		memcpy(last, entry, 32);
	}
	is_int(wrong, 0, "sorted by length and digest, with offsets in the region file");
	cim_object_index_free(&index);
	kit_free(&k);
}

/* Sixty images, each a fork of the one before: what the first holds is still found, with a bounded
 * number of files open, and a file that is known isn't opened again for each question. */
static void test_many_parents(void)
{
	enum { SETS = 60, PER_SET = 5 };
	struct kit k = kit_new();
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	struct cim_writer *w;
	unsigned long opens;
	char path[30], old[30], text[40], name[30];

	for (unsigned s = 0; s < SETS; s++) {
		snprintf(old, sizeof(old), "%u.cim", s - 1);
		snprintf(name, sizeof(name), "%u.cim", s);
		w = begin(&k, s ? old : NULL, name);
		for (unsigned i = 0; i < PER_SET; i++) {
			snprintf(path, sizeof(path), "f%u.%u", s, i);
			snprintf(text, sizeof(text), "text %u of session %u", i, s);
			put(&k, w, path, text);
		}
		finish(&k, w);
	}
	k.m->peak_open_files = 0;
	w = begin(&k, name, "last.cim");
	put(&k, w, "warm", "text 0 of session 0");
	opens = k.m->count[MEM_OPEN];
	for (unsigned s = 0; s < SETS; s++) {
		for (unsigned i = 0; i < PER_SET; i++) {
			snprintf(path, sizeof(path), "g%u.%u", s, i);
			snprintf(text, sizeof(text), "text %u of session %u", i, s);
			put(&k, w, path, text);
		}
	}
	opens = k.m->count[MEM_OPEN] - opens;
	must(&k, cim_writer_get_stats(w, &stats, &k.err));
	is_int(stats.stored_bytes, 0, "sixty parents: what any of them holds is found");
	ok(opens < 2 * SETS * PER_SET, "%lu files were opened for 300 questions", opens);
	finish(&k, w);
	ok(k.m->peak_open_files < 270, "at most %ld files were open", k.m->peak_open_files);
	must_be_sound(&k, "last.cim");
	kit_free(&k);
}

/* A parent set of many regions, as only another writer makes: more files than are kept open. */
static void test_many_files(void)
{
	enum { REGIONS = 250 };
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	uint8_t number[2];
	char name[100], guid[CIM_GUID_TEXT];
	struct cim_image *image;
	const struct cim_region_set *set;

	put(&k, w, "f", "what is known");
	/* More blocks of IDs than there is room for. */
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		snprintf(guid, sizeof(guid), "%013u", i);
		put(&k, w, name, guid);
	}
	finish(&k, w);
	image = open_image(&k, "a.cim");
	set = cim_image_get_set(image, 0);
	cim_guid_format(&set->guid, guid);
	cim_image_close(image);
	/* The last region holds what the third did; those between are like it. */
	for (unsigned i = 3; i < REGIONS; i++) {
		for (int ids = 0; ids < 2; ids++) {
			char from[100];

			snprintf(from, sizeof(from), "%s%s_2", ids ? "objectid_" : "region_", guid);
			snprintf(name, sizeof(name), "%s%s_%u", ids ? "objectid_" : "region_", guid,
				 i);
			memfs_copy(k.m, from, k.m, name);
			number[0] = (uint8_t)i;
			number[1] = 0;
			memfs_poke(k.m, name, 32, number, 2);
			/* But other objects: only the last has those that are asked for. */
			for (unsigned n = 0; ids && i < REGIONS - 1 && n < 501; n++)
				memfs_poke(k.m, name, 48 + 40 * n + 24, number, 2);
		}
	}
	snprintf(name, sizeof(name), "objectid_%s_2", guid);
	memfs_unlink(k.m, name);
	number[0] = REGIONS;
	number[1] = 0;
	memfs_poke(k.m, "a.cim", 48, number, 2);
	k.m->peak_open_files = 0;
	w = begin(&k, "a.cim", "b.cim");
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		snprintf(guid, sizeof(guid), "%013u", i * 8);
		put(&k, w, name, i % 2 ? guid : "what isn't known");
	}
	must(&k, cim_writer_get_stats(w, &stats, &k.err));
	is_int(stats.stored_bytes, 16, "a parent of 250 regions: what its last one holds is found");
	ok(k.m->peak_open_files < 270, "at most %ld files were open", k.m->peak_open_files);
	finish(&k, w);
	kit_free(&k);
}

int main(void)
{
	test_index();
	test_lengths();
	test_index_memory();
	test_write();
	test_many_parents();
	test_many_files();
	return tap_done();
}
