/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer_data.c - what the writer stores of the bytes it is given, and what that costs
 *
 * Deduplication against the session's own objects and against the parents', with object ID files
 * that are damaged or lie; streams that are partly written; sizes past what memory or a file
 * holds; the source that is looked at before anything is written; and what a session takes of
 * memory and of reading and writing.
 */
#include "../core/bytes.h"
#include "../core/hash.h"
#include "kit.h"

static uint8_t a_bytes[3 << 20], b_bytes[3 << 20];

static uint64_t region_size(struct kit *k, const char *image, int index)
{
	return memfs_size(k->m, set_file(k, image, "region_", index));
}

/* ---- deduplication ---- */

static void test_dedup_own(void)
{
	static const size_t sizes[] = {1, 100, 4095, 4096, 5000, 1048576, 2500000};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	uint64_t sum = 0;
	char path[20];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(path, sizeof(path), "f%u", (unsigned)i);
		put_bytes(&k, w, path, a_bytes, sizes[i]);
		sum += sizes[i];
	}
	is_int(stored(w), sum, "different bytes are all stored");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(path, sizeof(path), "g%u", (unsigned)i);
		put_bytes(&k, w, path, a_bytes, sizes[i]);
		ok(stored(w) == sum, "the same %u bytes again are not stored again",
		   (unsigned)sizes[i]);
	}
	put_stream(&k, w, "f0:s", "alternate");
	sum += 9;
	put(&k, w, "h", "alternate");
	is_int(stored(w), sum, "nor are a stream's in a file");
	finish(&k, w);
	must_be_sound(&k, "a.cim");
	ok(region_size(&k, "a.cim", 1) < 4096 + 3 * 4096 + 5000 + 1048576 + 2500000,
	   "the data region has grown by one copy: %" PRIu64, region_size(&k, "a.cim", 1));
	kit_free(&k);
}

/* A copy that fits in the buffer stays there until it is known to be one. */
static void test_dedup_cheap(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	char path[20];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "f%u", i);
		put_bytes(&k, w, path, a_bytes + i, 5000);
		snprintf(path, sizeof(path), "g%u", i);
		put_bytes(&k, w, path, a_bytes + i, 5000);
	}
	is_int(stored(w), 300 * 5000, "300 files and their copies");
	is_int(k.m->count[MEM_TRUNCATE], 0, "no copy had to be cut off a file");
	finish(&k, w);
	must_be_sound(&k, "a.cim");
	kit_free(&k);
}

/* Some of each kind of object, large and small. */
static void add_all(struct kit *k, struct cim_writer *w, const char *dir)
{
	static const uint8_t sd[28] = {1, 0, 4, 0x80, 0,  0, 0, 0, 0, 0, 0, 0,
				       0, 0, 0, 0,    20, 0, 0, 0, 2, 0, 8, 0};
	static const uint8_t ea[12] = {0, 0, 0, 0, 0, 1, 2, 0, 'N', 0, 'v', 'w'};
	static const uint8_t reparse[12] = {0xc, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4};
	static const size_t sizes[] = {10, 4000, 4096, 70000, 1500000};
	struct cim_metadata meta;
	char path[40];

	make_dir(k, w, dir);
	for (size_t i = 0; i < 10; i++) {
		meta = meta_file((int64_t)sizes[i / 2]);
		meta.security = sd;
		meta.security_size = sizeof(sd);
		meta.ea = ea;
		meta.ea_size = sizeof(ea);
		meta.reparse = reparse;
		meta.reparse_size = sizeof(reparse);
		snprintf(path, sizeof(path), "%s/%u", dir, (unsigned)i);
		put_meta(k, w, path, &meta, i % 2 ? b_bytes : a_bytes, sizes[i / 2]);
	}
}

/* What a fork that adds the same again stores, and whether it reads as it should. */
static uint64_t fork_stores(struct kit *k, const char *from, const char *to, const char *what)
{
	struct cim_writer *w = begin(k, from, to);
	char *text, *want;
	uint64_t bytes;

	add_all(k, w, "e");
	bytes = stored(w);
	finish(k, w);
	w = begin(k, NULL, "want.cim");
	add_all(k, w, "d");
	add_all(k, w, "e");
	finish(k, w);
	text = dump(k, to);
	want = dump(k, "want.cim");
	if (!ok(!strcmp(text, want), "%s: the content is right", what))
		show_difference(text, want);
	free(text);
	free(want);
	memfs_unlink(k->m, "want.cim");
	return bytes;
}

static void test_dedup_parents(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct memfs *before;

	add_all(&k, w, "d");
	finish(&k, w);
	before = memfs_clone(k.m);
	is_int(fork_stores(&k, "a.cim", "b.cim", "a fork"), 0,
	       "what a parent holds is not stored again");
	must_be_sound(&k, "b.cim");
	is_int(region_size(&k, "b.cim", 1), 40, "the data region is empty");
	is_int(region_size(&k, "b.cim", 2), 40, "the small data region, too");
	w = begin(&k, "b.cim", "c.cim");
	must(&k, cim_writer_delete(w, cim_str8("e"), &k.err));
	finish(&k, w);
	is_int(fork_stores(&k, "c.cim", "c2.cim", "a fork of a fork"), 0,
	       "nor is what a grandparent holds");
	must_be_sound(&k, "c2.cim");
	for (size_t i = 0; i < before->now.count; i++) {
		const char *name = before->now.at[i].name;

		if (!memfs_same_file(before, name, k.m, name))
			ok(false, "%s of the first image was not changed", name);
	}
	memfs_free(before);
	kit_free(&k);
}

/* ---- object ID files that lie ---- */

struct id_file {
	uint8_t bytes[65536];
	size_t size;
};

static void load(struct kit *k, const char *name, struct id_file *f)
{
	f->size = (size_t)memfs_size(k->m, name);
	memfs_peek(k->m, name, 0, f->bytes, f->size);
}

static uint8_t *entry(struct id_file *f, unsigned n)
{
	return f->bytes + 48 + 40 * n;
}

static unsigned entries(const struct id_file *f)
{
	return (unsigned)(f->size - 48) / 40;
}

static void put_le(uint8_t *p, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static void forge_swapped(struct id_file *f)
{
	/* The two objects of each length: each digest now leads to the other's bytes. */
	for (unsigned i = 0; i + 1 < entries(f); i++) {
		uint8_t digest[24];

		if (memcmp(entry(f, i), entry(f, i + 1), 8))
			continue;
		memcpy(digest, entry(f, i) + 32, 8);
		memcpy(entry(f, i) + 32, entry(f, i + 1) + 32, 8);
		memcpy(entry(f, i + 1) + 32, digest, 8);
		i++;
	}
}

static void forge_offset(struct id_file *f, uint64_t offset)
{
	for (unsigned i = 0; i < entries(f); i++)
		put_le(entry(f, i) + 32, offset, 8);
}

static void forge_zero(struct id_file *f)
{
	forge_offset(f, 0);
}

static void forge_header(struct id_file *f)
{
	forge_offset(f, 40);
}

static void forge_odd(struct id_file *f)
{
	forge_offset(f, 4097);
}

static void forge_far(struct id_file *f)
{
	forge_offset(f, (UINT64_C(1) << 48) - 4096);
}

static void forge_huge(struct id_file *f)
{
	forge_offset(f, UINT64_MAX - 4095);
}

static void forge_unsorted(struct id_file *f)
{
	unsigned n = entries(f);

	for (unsigned i = 0; i < n / 2; i++) {
		uint8_t swap[40];

		memcpy(swap, entry(f, i), 40);
		memcpy(entry(f, i), entry(f, n - 1 - i), 40);
		memcpy(entry(f, n - 1 - i), swap, 40);
	}
}

static void forge_cut(struct id_file *f)
{
	f->size -= 1;
}

static void forge_header_cut(struct id_file *f)
{
	f->size = 47;
}

static void forge_empty(struct id_file *f)
{
	f->size = 0;
}

static void forge_count(struct id_file *f)
{
	put_le(f->bytes + 44, 0xffffffff, 4);
}

static void forge_table(struct id_file *f)
{
	put_le(f->bytes + 40, 0xffffffff, 4);
}

static void forge_table_in_header(struct id_file *f)
{
	put_le(f->bytes + 40, 8, 4);
}

static void forge_type(struct id_file *f)
{
	f->bytes[34] = (uint8_t)((f->bytes[34] + 1) % 3);
}

static void forge_unknown_type(struct id_file *f)
{
	f->bytes[34] = 77;
}

static void forge_magic(struct id_file *f)
{
	f->bytes[3] ^= 1;
}

static void forge_version(struct id_file *f)
{
	f->bytes[16] = 9;
}

static void forge_many(struct id_file *f)
{
	/* The first object's ID a thousand times, leading to the second object. */
	uint8_t one[40];

	memcpy(one, entry(f, 0), 40);
	memcpy(one + 32, entry(f, 1) + 32, 8);
	f->size = 48 + 40 * 1000;
	for (unsigned i = 0; i < 1000; i++)
		memcpy(entry(f, i), one, 40);
	put_le(f->bytes + 44, 1000, 4);
}

static void forge_lengths(struct id_file *f)
{
	for (unsigned i = 0; i < entries(f); i++)
		entry(f, i)[0]++;
}

static void test_forged_ids(void)
{
	static const struct {
		const char *name;
		void (*forge)(struct id_file *f);
		bool harmless; /* deduplication goes on as before */
	} cases[] = {
		{"nothing", NULL, true},
		{"each ID leads to other bytes", forge_swapped, false},
		{"offset 0", forge_zero, false},
		{"offsets of another object", forge_header, false},
		{"unaligned offsets", forge_odd, false},
		{"offsets far behind the end", forge_far, false},
		{"offsets past 48 bits", forge_huge, false},
		{"not sorted", forge_unsorted, false},
		{"the last byte cut off", forge_cut, false},
		{"the header cut", forge_header_cut, false},
		{"empty", forge_empty, false},
		{"count 2^32 - 1", forge_count, false},
		{"table at 4 GiB", forge_table, false},
		{"table in the header", forge_table_in_header, false},
		{"another region type", forge_type, false},
		{"an unknown region type", forge_unknown_type, false},
		{"another magic", forge_magic, false},
		{"another version", forge_version, false},
		{"one ID a thousand times", forge_many, false},
		{"other lengths", forge_lengths, false},
	};
	static struct id_file f;

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct kit k = kit_new();
		struct cim_writer *w = begin(&k, NULL, "a.cim");
		uint64_t bytes;

		add_all(&k, w, "d");
		finish(&k, w);
		for (int i = 0; i < 3; i++) {
			const char *name = set_file(&k, "a.cim", "objectid_", i);

			load(&k, name, &f);
			if (cases[c].forge)
				cases[c].forge(&f);
			memfs_unlink(k.m, name);
			memfs_put(k.m, name, f.bytes, f.size);
		}
		bytes = fork_stores(&k, "a.cim", "b.cim", cases[c].name);
		ok((bytes == 0) == cases[c].harmless, "%s: it costs %" PRIu64 " bytes",
		   cases[c].name, bytes);
		/* What the fork itself wrote is fine; so is the fork without that file. */
		for (int i = 0; i < 3; i++)
			memfs_unlink(k.m, set_file(&k, "a.cim", "objectid_", i));
		must_be_sound(&k, "b.cim");
		bytes = fork_stores(&k, "a.cim", "c.cim", "the object ID files missing");
		ok(bytes != 0, "no object ID files: it costs %" PRIu64 " bytes", bytes);
		kit_free(&k);
	}
}

/* A file that says "these bytes are data" of what lies in the metadata region. */
static void test_data_in_metadata(void)
{
	struct kit k = kit_new();
	static struct id_file f;
	struct cim_image *image;
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	static const uint8_t sd[22] = {20, 0, 1, 0, 4, 0x80};
	struct cim_metadata meta = meta_file(sizeof(sd));

	put(&k, w, "x", "x");
	finish(&k, w);
	load(&k, set_file(&k, "a.cim", "objectid_", 0), &f);
	f.bytes[34] = 2;
	memfs_poke(k.m, set_file(&k, "a.cim", "objectid_", 0), 0, f.bytes, f.size);
	w = begin(&k, "a.cim", "b.cim");
	put_meta(&k, w, "sd", &meta, sd, sizeof(sd));
	is_int(stored(w), sizeof(sd), "bytes known as metadata only are stored as data");
	finish(&k, w);
	memfs_unlink(k.m, set_file(&k, "a.cim", "objectid_", 0));
	image = open_image(&k, "b.cim");
	is_int(verify_open(&k, image), 0, "and verify sees no data in a metadata region");
	cim_image_close(image);
	kit_free(&k);
}

/* A right ID of bytes that begin where no object does. */
static void test_unaligned(void)
{
	struct kit k = kit_new();
	static struct id_file f;
	struct cim_digest digest;
	struct cim_writer *w = begin(&k, NULL, "a.cim");

	put_bytes(&k, w, "f", a_bytes, 6000);
	finish(&k, w);
	load(&k, set_file(&k, "a.cim", "objectid_", 1), &f);
	is_int(entries(&f), 1, "the object ID file knows one object");
	is_int(cim_get64(entry(&f, 0)), 6000, "of 6,000 bytes");
	is_int(cim_get64(entry(&f, 0) + 32), 4096, "at 4,096");
	cim_digest_of(a_bytes, 6000, &digest);
	is_mem(entry(&f, 0) + 8, digest.bytes, 24, "with our digest");
	cim_digest_of(a_bytes + 1, 5999, &digest);
	memcpy(entry(&f, 0) + 8, digest.bytes, 24);
	put_le(entry(&f, 0), 5999, 8);
	put_le(entry(&f, 0) + 32, 4097, 8);
	memfs_poke(k.m, set_file(&k, "a.cim", "objectid_", 1), 0, f.bytes, f.size);
	w = begin(&k, "a.cim", "b.cim");
	put_bytes(&k, w, "g", a_bytes + 1, 5999);
	is_int(stored(w), 5999, "bytes that lie unaligned are stored anew");
	finish(&k, w);
	must_be_sound(&k, "b.cim");
	kit_free(&k);
}

/* ---- sources ---- */

struct source {
	const uint8_t *bytes;
	uint64_t size, read;
	unsigned calls, fail_at;
	const uint8_t *then; /* what it holds from call @then_at on */
	unsigned then_at;
};

static enum cim_status source_pread(void *ctx, uint64_t offset, void *buf, size_t len,
				    struct cim_error *err)
{
	struct source *s = ctx;

	(void)err;
	s->calls++;
	if (s->fail_at && s->calls >= s->fail_at)
		return CIM_E_ACCESS;
	if (!len || offset > s->size || len > s->size - offset) {
		ok(false, "a source is asked for nothing, or for more than it has");
		return CIM_E_IO;
	}
	memcpy(buf, (s->then && s->calls >= s->then_at ? s->then : s->bytes) + offset, len);
	s->read += len;
	return CIM_OK;
}

/* ---- partly written ---- */

static void test_partly(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(INT64_C(1) << 40);
	static uint8_t zeros[100];

	put_meta(&k, w, "tera", &meta, "begin", 5);
	meta.size = INT64_C(5) << 30;
	put_meta(&k, w, "five", &meta, a_bytes, 1 << 20);
	put_bytes(&k, w, "behind", b_bytes, 5000);
	meta.size = 100;
	put_meta(&k, w, "part1", &meta, zeros, 50);
	put_meta(&k, w, "part2", &meta, zeros, 50);
	put_bytes(&k, w, "whole", zeros, 100);
	put_bytes(&k, w, "whole2", zeros, 100);
	is_int(stored(w), (INT64_C(1) << 40) + (INT64_C(5) << 30) + 5000 + 300,
	       "a stream that is partly written is never shared");
	finish(&k, w);
	ok(k.m->bytes_written < 8 << 20, "the unwritten rest is not produced: %" PRIu64 " bytes",
	   k.m->bytes_written);
	ok(k.m->bytes_read < 8 << 20, "nor read: %" PRIu64 " bytes", k.m->bytes_read);
	ok(memfs_allocated(k.m, set_file(&k, "a.cim", "region_", 1)) < 4 << 20,
	   "it is a hole in a region file of %" PRIu64 " bytes", region_size(&k, "a.cim", 1));
	kit_free(&k);
}

static void test_partly_reads(void)
{
	static const struct cim_str none;
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(INT64_C(6) << 30);
	struct cim_image *image;
	struct cim_data data = {CIM_SIZED(data)};
	uint8_t buf[64];
	uint32_t id;
	size_t got;

	put_meta(&k, w, "six", &meta, "head", 4);
	put_bytes(&k, w, "behind", b_bytes, 5000);
	finish(&k, w);
	w = begin(&k, "a.cim", "b.cim");
	put_bytes(&k, w, "again", b_bytes, 5000);
	is_int(stored(w), 0, "an object behind 6 GiB is found by its ID");
	finish(&k, w);
	image = open_image(&k, "b.cim");
	must(&k, cim_image_lookup(image, cim_str8("six"), &id, &k.err));
	must(&k, cim_image_get_data(image, id, none, &data, &k.err));
	is_int(data.size, INT64_C(6) << 30, "the size is kept");
	ok(!data.sparse, "a stream with a byte in it is stored as data");
	must(&k, cim_image_read(image, &data, 0, buf, 64, &got, &k.err));
	ok(got == 64 && !memcmp(buf, "head\0\0\0", 7), "it begins as written, then zeros");
	must(&k, cim_image_read(image, &data, (UINT64_C(6) << 30) - 10, buf, 64, &got, &k.err));
	ok(got == 10 && !memcmp(buf, "\0\0\0\0\0\0\0\0\0", 10), "and ends in zeros");
	must(&k, cim_image_lookup(image, cim_str8("again"), &id, &k.err));
	must(&k, cim_image_get_data(image, id, none, &data, &k.err));
	must(&k, cim_image_read(image, &data, 4936, buf, 64, &got, &k.err));
	is_mem(buf, b_bytes + 4936, 64, "what lies behind it is read");
	cim_image_close(image);
	kit_free(&k);
}

static void test_too_large(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(INT64_C(1) << 31);
	bool exists;

	k.m->max_file = 1 << 30;
	put_meta(&k, w, "sparse", &meta, NULL, 0);
	gives(&k, cim_writer_lookup(w, cim_str8("sparse"), &exists, &k.err), CIM_OK);
	put_meta(&k, w, "large", &meta, "x", 1);
	gives(&k, cim_writer_lookup(w, cim_str8("large"), &exists, &k.err), CIM_E_TOO_LARGE);
	gives(&k, cim_writer_delete(w, cim_str8("large"), &k.err), CIM_E_TOO_LARGE);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_TOO_LARGE);
	is_str(k.err.image, "mem/a.cim", "the error names the image");
	is_str(k.err.path, "large", "the item that it comes from");
	is_str(k.err.op, "close stream", "what was being done");
	ok(strstr(k.err.cause, "region_") != NULL, "and the file: %s", k.err.cause);
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 0,
	       "what only the close could notice poisons the session (D19, D43)");
	kit_free(&k);
}

/* A write fails: from then on that is the answer, with or without a place for the detail. */
static void test_full(void)
{
	struct source s = {a_bytes, 2500000, 0, 0, 0, NULL, 0};
	struct cim_source source = {CIM_SIZED(source), &s, source_pread};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(2500000);
	struct cim_stream *stream;
	size_t written = 1;

	must(&k, cim_writer_add(w, cim_str8("large"), &meta, &stream, &k.err));
	k.m->space = 1000000;
	gives(&k, cim_stream_write(stream, a_bytes, 2500000, &written, NULL), CIM_E_DISK_FULL);
	is_int(written, 0, "no byte was taken");
	k.m->space = UINT64_MAX;
	gives(&k, cim_stream_write(stream, a_bytes, 1, NULL, NULL), CIM_E_DISK_FULL);
	gives(&k, cim_stream_write(stream, a_bytes, 1, NULL, &k.err), CIM_E_DISK_FULL);
	is_str(k.err.path, "large", "the error names the item");
	is_str(k.err.image, "mem/a.cim", "and the image");
	gives(&k, cim_stream_fill(stream, &source, NULL), CIM_E_DISK_FULL);
	cim_stream_close(stream);
	gives(&k, cim_writer_add(w, cim_str8("other"), &meta, NULL, &k.err), CIM_E_DISK_FULL);
	is_str(k.err.path, "large", "also when another item is added");
	gives(&k, cim_writer_commit(w, NULL), CIM_E_DISK_FULL);
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 0, "and nothing is published (D43)");
	kit_free(&k);
}

static void test_offset_limit(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(INT64_C(1) << 47);

	put_meta(&k, w, "one", &meta, "1", 1);
	gives(&k, try_file(&k, w, "two", &meta, "2", 1), CIM_E_LIMIT);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_LIMIT);
	cim_writer_close(w);
	w = begin(&k, NULL, "a.cim");
	put_meta(&k, w, "one", &meta, "1", 1);
	meta.size = (INT64_C(1) << 47) - 4096 - 4096;
	gives(&k, try_file(&k, w, "two", &meta, "2", 1), CIM_OK);
	meta.size = 1 << 20;
	gives(&k, try_file(&k, w, "three", &meta, "3", 1), CIM_E_LIMIT);
	cim_writer_close(w);
	is_int(memfs_count_names(k.m, ""), 0, "nothing is left");
	kit_free(&k);
}

/* An object may end at the last byte that an offset can name, and is read there. */
static void test_last_byte(void)
{
	const int64_t most = (INT64_C(1) << 47) - 4096 - 1; /* "one" begins at 4096 */
	struct kit k = kit_new();
	struct cim_metadata meta = meta_file(INT64_C(1) << 47);
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_image *image;
	uint8_t last[2] = {1, 1};
	uint32_t id = 0;
	size_t got;

	put_meta(&k, w, "one", &meta, "1", 1);
	meta.size = most + 1;
	gives(&k, try_file(&k, w, "two", &meta, "2", 1), CIM_E_LIMIT);
	cim_writer_close(w);
	w = begin(&k, NULL, "a.cim");
	meta.size = INT64_C(1) << 47;
	put_meta(&k, w, "one", &meta, "1", 1);
	meta.size = most;
	put_meta(&k, w, "two", &meta, "2", 1);
	finish(&k, w);
	image = open_image(&k, "a.cim");
	must(&k, cim_image_lookup(image, cim_str8("two"), &id, &k.err));
	must(&k, cim_image_get_data(image, id, cim_str8(NULL), &data, &k.err));
	is_int((int64_t)data.size, most, "a file that ends with the region's last byte: its size");
	must(&k, cim_image_read(image, &data, (uint64_t)most - 1, last, 2, &got, &k.err));
	ok(got == 1 && last[0] == 0 && last[1] == 1, "its last byte is read, and none behind it");
	must(&k, cim_image_read(image, &data, 0, last, 1, &got, &k.err));
	is_int(last[0], '2', "and its first");
	cim_image_close(image);
	kit_free(&k);
}

/* What was taken back from the tail is gone: the gaps between objects are zero. */
static void test_gaps(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(10000);
	static uint8_t buf[65536];
	size_t size, at;

	put_bytes(&k, w, "a", a_bytes, 5000);
	put_bytes(&k, w, "b", a_bytes, 5000);
	put_meta(&k, w, "hole", &meta, b_bytes, 100);
	put_bytes(&k, w, "c", a_bytes, 5000);
	put_bytes(&k, w, "d", b_bytes, 4097);
	finish(&k, w);
	size = (size_t)region_size(&k, "a.cim", 1);
	is_int(size, 4096 + 8192 + 12288 + 4097, "the region has three objects");
	memfs_peek(k.m, set_file(&k, "a.cim", "region_", 1), 0, buf, size);
	memset(buf + 4096, 0, 5000);
	memset(buf + 4096 + 8192, 0, 100);
	memset(buf + 4096 + 8192 + 12288, 0, 4097);
	memset(buf, 0, 40);
	for (at = 0; at < size && !buf[at];)
		at++;
	is_int(at, size, "and nothing but zeros between them (D45)");
	must_be_sound(&k, "a.cim");
	kit_free(&k);
}

/* ---- fill ---- */

static enum cim_status fill(struct kit *k, struct cim_writer *w, const char *path, struct source *s)
{
	struct cim_source source = {CIM_SIZED(source), s, source_pread};
	struct cim_metadata meta = meta_file((int64_t)s->size);
	struct cim_stream *stream;
	enum cim_status status;

	if (!must(k, cim_writer_add(w, cim_str8(path), &meta, &stream, &k->err)))
		return CIM_OK;
	status = cim_stream_fill(stream, &source, &k->err);
	cim_stream_close(stream);
	return status;
}

static void test_fill(void)
{
	struct source large = {a_bytes, 2500000, 0, 0, 0, NULL, 0};
	struct source small = {a_bytes, 5000, 0, 0, 0, NULL, 0};
	struct source other = {b_bytes, 2500000, 0, 0, 0, NULL, 0};
	struct source empty = {a_bytes, 0, 0, 0, 0, NULL, 0};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	uint64_t written;
	char *got, *want;

	gives(&k, fill(&k, w, "1", &large), CIM_OK);
	is_int(large.read, 2500000, "a source whose size isn't known is read once");
	written = k.m->bytes_written;
	large.read = 0;
	gives(&k, fill(&k, w, "2", &large), CIM_OK);
	is_int(k.m->bytes_written, written, "a large copy is never written");
	is_int(stored(w), 2500000, "nor stored");
	is_int(large.read, 5000000, "it is read twice: to hash and to compare");
	gives(&k, fill(&k, w, "3", &other), CIM_OK);
	is_int(stored(w), 5000000, "other bytes of the same size are stored");
	gives(&k, fill(&k, w, "4", &small), CIM_OK);
	gives(&k, fill(&k, w, "5", &small), CIM_OK);
	is_int(stored(w), 5005000, "a small copy isn't stored either");
	is_int(small.read, 10000, "and is read once a time");
	gives(&k, fill(&k, w, "6", &empty), CIM_OK);
	finish(&k, w);
	must_be_sound(&k, "a.cim");
	w = begin(&k, "a.cim", "b.cim");
	written = k.m->bytes_written;
	gives(&k, fill(&k, w, "7", &large), CIM_OK);
	ok(k.m->bytes_written == written && !stored(w), "nor is a copy of what a parent holds");
	finish(&k, w);
	must_be_sound(&k, "b.cim");
	w = begin(&k, NULL, "want.cim");
	put_bytes(&k, w, "1", a_bytes, 2500000);
	put_bytes(&k, w, "2", a_bytes, 2500000);
	put_bytes(&k, w, "3", b_bytes, 2500000);
	put_bytes(&k, w, "4", a_bytes, 5000);
	put_bytes(&k, w, "5", a_bytes, 5000);
	put_bytes(&k, w, "6", a_bytes, 0);
	put_bytes(&k, w, "7", a_bytes, 2500000);
	finish(&k, w);
	got = dump(&k, "b.cim");
	want = dump(&k, "want.cim");
	ok(!strcmp(got, want), "all reads as it was filled in");
	free(got);
	free(want);
	kit_free(&k);
}

/* A source that changes between its readings gives one of its contents, or a mixture it really
 * gave; never a lie about a known object. */
static void test_fill_changing(void)
{
	for (unsigned at = 1; at <= 12; at++) {
		struct source first = {a_bytes, 1500000, 0, 0, 0, NULL, 0};
		struct source s = {a_bytes, 1500000, 0, 0, 0, b_bytes, at};
		static uint8_t buf[1500000];
		static const struct cim_str none;
		struct kit k = kit_new();
		struct cim_writer *w = begin(&k, NULL, "a.cim");
		struct cim_image *image;
		struct cim_data data = {CIM_SIZED(data)};
		bool good = true;
		uint32_t id = 0;
		size_t got = 0;

		must(&k, fill(&k, w, "1", &first));
		must(&k, fill(&k, w, "2", &s));
		finish(&k, w);
		must_be_sound(&k, "a.cim");
		image = open_image(&k, "a.cim");
		must(&k, cim_image_lookup(image, cim_str8("2"), &id, &k.err));
		must(&k, cim_image_get_data(image, id, none, &data, &k.err));
		must(&k, cim_image_read(image, &data, 0, buf, sizeof(buf), &got, &k.err));
		for (size_t i = 0; i < got; i++)
			good &= buf[i] == a_bytes[i] || buf[i] == b_bytes[i];
		ok(good && got == 1500000, "a source that changes at reading %u: its own bytes",
		   at);
		cim_image_close(image);
		kit_free(&k);
	}
}

static void test_fill_errors(void)
{
	struct source s = {a_bytes, 2500000, 0, 0, 1, NULL, 0};
	struct cim_source source = {CIM_SIZED(source), &s, source_pread};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(2500000), dir = meta_dir();
	struct cim_stream *stream;
	bool exists;

	gives(&k, fill(&k, w, "first", &s), CIM_E_ACCESS);
	gives(&k, cim_writer_lookup(w, cim_str8("first"), &exists, &k.err), CIM_OK);
	must(&k, cim_writer_add(w, cim_str8("again"), &meta, &stream, &k.err));
	gives(&k, cim_stream_fill(stream, &source, &k.err), CIM_E_ACCESS);
	s.fail_at = 0;
	gives(&k, cim_stream_fill(stream, &source, &k.err), CIM_OK);
	gives(&k, cim_stream_fill(stream, &source, &k.err), CIM_E_INVALID);
	gives(&k, cim_stream_write(stream, "x", 1, NULL, &k.err), CIM_E_EOF);
	cim_stream_close(stream);
	/* The copy is known: the source is hashed, and fails at it. */
	s.calls = 0;
	s.fail_at = 2;
	gives(&k, fill(&k, w, "hashed", &s), CIM_E_ACCESS);
	gives(&k, cim_writer_lookup(w, cim_str8("hashed"), &exists, &k.err), CIM_OK);
	s.fail_at = 0;
	must(&k, cim_writer_add(w, cim_str8("begun"), &meta, &stream, &k.err));
	must(&k, cim_stream_write(stream, "x", 1, NULL, &k.err));
	gives(&k, cim_stream_fill(stream, &source, &k.err), CIM_E_INVALID);
	cim_stream_close(stream);
	must(&k, cim_writer_add(w, cim_str8("known"), &meta, &stream, &k.err));
	gives(&k, cim_stream_fill(stream, &source, &k.err), CIM_OK);
	gives(&k, cim_stream_fill(stream, &source, &k.err), CIM_E_INVALID);
	gives(&k, cim_stream_write(stream, "x", 1, NULL, &k.err), CIM_E_EOF);
	cim_stream_close(stream);
	must(&k, cim_writer_add(w, cim_str8("dir"), &dir, &stream, &k.err));
	gives(&k, cim_stream_fill(stream, &source, &k.err), CIM_E_INVALID);
	cim_stream_close(stream);
	finish(&k, w);
	must_be_sound(&k, "a.cim");
	w = begin(&k, NULL, "b.cim");
	s.calls = 0;
	s.fail_at = 2;
	gives(&k, fill(&k, w, "half", &s), CIM_E_ACCESS);
	gives(&k, cim_writer_lookup(w, cim_str8("half"), &exists, &k.err), CIM_E_ACCESS);
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_ACCESS);
	cim_writer_close(w);
	ok(!memfs_exists(k.m, "b.cim"), "half an item is not published");
	kit_free(&k);
}

/* ---- costs ---- */

enum { MANY = 100000 };

static void many_files(struct kit *k, struct cim_writer *w, unsigned count, unsigned per_dir)
{
	char path[60], text[20];

	for (unsigned i = 0; i < count; i++) {
		if (i % per_dir == 0) {
			snprintf(path, sizeof(path), "dir%05u", i / per_dir);
			make_dir(k, w, path);
		}
		snprintf(path, sizeof(path), "dir%05u/file%06u.txt", i / per_dir, i);
		snprintf(text, sizeof(text), "text %u", i);
		put(k, w, path, text);
	}
}

static long measure_new(unsigned count, unsigned per_dir)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	long peak;

	many_files(&k, w, count, per_dir);
	finish(&k, w);
	peak = k.m->peak_bytes;
	kit_free(&k);
	return peak;
}

static void test_cost_new(void)
{
	const long names = 2 * 14;
	long base = measure_new(1, 1000), many, one_dir;

	many = (measure_new(MANY, 1000) - base) / MANY;
	ok(many <= 300 + names, "a file among 100,000 in 100 directories takes %ld bytes at most",
	   many);
	one_dir = (measure_new(MANY, MANY) - base) / MANY;
	ok(one_dir <= 300 + names, "a file among 100,000 in one directory takes %ld bytes at most",
	   one_dir);
}

struct cost {
	long peak;
	uint64_t io;
};

/* Extend an image of @count files by one. */
static struct cost measure_extend(unsigned count)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cost cost;
	uint64_t before;

	many_files(&k, w, count, 1000);
	finish(&k, w);
	k.m->peak_bytes = k.m->bytes;
	before = k.m->bytes_read + k.m->bytes_written;
	w = begin(&k, "a.cim", NULL);
	put(&k, w, "dir00000/one more", "text 10, then");
	finish(&k, w);
	cost.peak = k.m->peak_bytes;
	cost.io = k.m->bytes_read + k.m->bytes_written - before;
	if (count < 10000)
		must_be_sound(&k, "a.cim");
	kit_free(&k);
	return cost;
}

static void test_cost_extend(void)
{
	struct cost few = measure_extend(2000), many = measure_extend(MANY);
	const long directory = 16 * (MANY / 1024 + 1);

	ok(many.peak - few.peak <= 3 * directory,
	   "extending 100,000 files by one takes %ld bytes, 2,000 by one %ld", many.peak, few.peak);
	/* A block of the cache more or less for each step of a search. */
	ok(many.io <= few.io + 3 * (uint64_t)directory + 65536,
	   "it reads and writes %" PRIu64 " bytes, against %" PRIu64, many.io, few.io);
}

int main(void)
{
	pattern(a_bytes, 1, sizeof(a_bytes));
	pattern(b_bytes, 2, sizeof(b_bytes));
	test_dedup_own();
	test_dedup_cheap();
	test_dedup_parents();
	test_forged_ids();
	test_data_in_metadata();
	test_unaligned();
	test_partly();
	test_partly_reads();
	test_too_large();
	test_full();
	test_offset_limit();
	test_last_byte();
	test_gaps();
	test_fill();
	test_fill_changing();
	test_fill_errors();
	test_cost_new();
	test_cost_extend();
	return tap_done();
}
