/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_collisions.c - when every digest is the same
 *
 * The linker gives this program a digest that is constant, so that all objects of one length
 * collide, those of a session among themselves and with their parents', and all consistent images
 * get one GUID. A digest never decides anything alone: such a world costs room and comparisons, and
 * every byte is still the right one.
 */
#include "../core/hash.h"
#include "kit.h"

void __wrap_cim_hasher_final(const struct cim_hasher *hasher, struct cim_digest *digest);
void __wrap_cim_digest_of(const void *data, size_t len, struct cim_digest *digest);

static unsigned long digests;

void __wrap_cim_hasher_final(const struct cim_hasher *hasher, struct cim_digest *digest)
{
	(void)hasher;
	digests++;
	memset(digest->bytes, 0x5a, sizeof(digest->bytes));
}

void __wrap_cim_digest_of(const void *data, size_t len, struct cim_digest *digest)
{
	(void)data;
	(void)len;
	digests++;
	memset(digest->bytes, 0x5a, sizeof(digest->bytes));
}

enum { FILES = 60, SIZES = 3, LONGEST = 90000 };
static const size_t sizes[SIZES] = {1, 100, LONGEST};

/* File @i of each size, of bytes that follow from @i. */
static void put_file(struct kit *k, struct cim_writer *w, const char *dir, unsigned i, unsigned s)
{
	static uint8_t bytes[LONGEST];
	char path[64];

	snprintf(path, sizeof(path), "%s/f%u_%u", dir, s, i);
	pattern(bytes, i, sizes[s]);
	bytes[0] = (uint8_t)i;
	put_bytes(k, w, path, bytes, sizes[s]);
}

static void put_all(struct kit *k, struct cim_writer *w, const char *dir)
{
	make_dir(k, w, dir);
	for (unsigned i = 0; i < FILES; i++)
		for (unsigned s = 0; s < SIZES; s++)
			put_file(k, w, dir, i, s);
}

/* Files of @dir whose bytes aren't the right ones. */
static unsigned wrong_files(struct kit *k, const char *image_name, const char *dir)
{
	static uint8_t want[LONGEST], got[LONGEST + 1];
	struct cim_image *image = open_image(k, image_name);
	unsigned wrong = 0;

	for (unsigned i = 0; i < FILES; i++) {
		for (unsigned s = 0; s < SIZES; s++) {
			struct cim_data data = {CIM_SIZED(data)};
			char path[64];
			uint32_t id;
			size_t n = 0;

			snprintf(path, sizeof(path), "%s/f%u_%u", dir, s, i);
			pattern(want, i, sizes[s]);
			want[0] = (uint8_t)i;
			if (cim_image_lookup(image, cim_str8(path), &id, &k->err) ||
			    cim_image_get_data(image, id, cim_str8(NULL), &data, &k->err) ||
			    cim_image_read(image, &data, 0, got, sizeof(got), &n, &k->err) ||
			    n != sizes[s] || memcmp(want, got, n))
				wrong++;
		}
	}
	cim_image_close(image);
	return wrong;
}

static const uint64_t all_bytes = FILES * (1 + 100 + LONGEST);

static void test_session(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	uint64_t first, again;
	unsigned long reads;

	put_all(&k, w, "one");
	first = stored(w);
	is_int((int64_t)first, (int64_t)all_bytes, "different bytes of one digest are all stored");
	reads = k.m->count[MEM_PREAD];
	put_all(&k, w, "two");
	again = stored(w) - first;
	ok(again > 0 && again < all_bytes,
	   "of the same again some is found, some costs room: %" PRIu64 " of %" PRIu64 " bytes",
	   again, all_bytes);
	reads = k.m->count[MEM_PREAD] - reads;
	ok(reads > FILES && reads <= 2 * 8 * FILES * SIZES,
	   "no more than eight are compared for each: %lu reads", reads);
	finish(&k, w);
	is_int(wrong_files(&k, "a.cim", "one") + wrong_files(&k, "a.cim", "two"), 0,
	       "every file has its own bytes");
	must_be_sound(&k, "a.cim");

	w = begin(&k, "a.cim", "b.cim");
	put_all(&k, w, "three");
	again = stored(w);
	ok(again > 0 && again <= all_bytes, "in a fork it costs %" PRIu64 " of %" PRIu64 " bytes",
	   again, all_bytes);
	finish(&k, w);
	is_int(wrong_files(&k, "b.cim", "one") + wrong_files(&k, "b.cim", "three"), 0,
	       "and every file has its own bytes");
	must_be_sound(&k, "b.cim");
	kit_free(&k);
}

static void test_metadata(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	struct cim_image *image;
	unsigned wrong = 0;

	/* Descriptors of one size: their owner, a SID, is another each time. */
	for (unsigned i = 0; i < FILES; i++) {
		uint8_t sd[32] = {1, 0, 0, 0x80, 20, 0, 0, 0};
		struct cim_metadata meta = meta_file(0);
		char path[32];

		memcpy(sd + 20, "\1\1\0\0\0\0\0\5", 8);
		sd[28] = (uint8_t)i;
		meta.security = sd;
		meta.security_size = sizeof(sd);
		snprintf(path, sizeof(path), "f%u", i);
		must(&k, cim_writer_add(w, cim_str8(path), &meta, NULL, &k.err));
	}
	finish(&k, w);
	image = open_image(&k, "a.cim");
	for (unsigned i = 0; i < FILES; i++) {
		uint8_t sd[100];
		char path[32];
		uint32_t id;
		size_t size;

		snprintf(path, sizeof(path), "f%u", i);
		if (cim_image_lookup(image, cim_str8(path), &id, &k.err) ||
		    cim_image_get_blob(image, id, CIM_BLOB_SECURITY, sd, sizeof(sd), &size,
				       &k.err) ||
		    size != 32 || sd[28] != i)
			wrong++;
	}
	cim_image_close(image);
	is_int(wrong, 0, "%d descriptors of one digest stay apart", FILES);
	kit_free(&k);
}

/* Two different consistent images of one name have the same GUID now. */
static void test_consistent(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
	char *want;

	put(&k, w, "f", "one");
	finish(&k, w);
	want = dump(&k, "x.cim");
	memfs_copy(k.m, "x.cim", k.m, "y.cim");
	memfs_unlink(k.m, "x.cim");
	w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
	put(&k, w, "f", "two");
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_EXISTS);
	cim_writer_close(w);
	is_image(&k, "y.cim", want, "another image of the same GUID is left alone");
	ok(!memfs_exists(k.m, "x.cim"), "and there is no second one");
	free(want);
	memfs_unlink(k.m, "y.cim");
	w = begin_flags(&k, NULL, "x.cim", CIM_WRITE_CONSISTENT);
	put(&k, w, "f", "two");
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	want = dump(&k, "x.cim");
	ok(strstr(want, "'two'") != NULL, "orphans of the same GUID are replaced");
	must_be_sound(&k, "x.cim");
	free(want);
	kit_free(&k);
}

int main(void)
{
	test_session();
	test_metadata();
	test_consistent();
	ok(digests > 100, "the library asked for %lu digests here", digests);
	return tap_done();
}
