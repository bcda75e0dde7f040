/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer_base.c - sessions that extend or fork what another writer made
 *
 * The bases are put together by minicim.h, which shares nothing with the library: other versions,
 * entry sizes, orders and upcase tables, bytes that we don't know; then limits of the format, and
 * bases made to harm.
 */
#include "../core/image.h"
#include "kit.h"
#include "minicim.h"

#define T0 " times=0,0,0,0"

enum { META, DATA, SMALL };

/* An image being put together, with a set of three regions. */
static struct mini *base_of_version(unsigned major, unsigned minor)
{
	struct mini *m = mini_new();

	m->major = major;
	m->minor = minor;
	mini_set_of(m, 1, 3, 3);
	mini_put_upcase(m, META);
	return m;
}

static struct mini *base_new(void)
{
	return base_of_version(2, 0);
}

/* "a.cim" in a directory. */
static struct kit base_done(struct mini *m, uint32_t root)
{
	struct kit k = kit_new();

	m->root = root;
	mini_field(m, root, 88, root, 4);
	mini_finish(m, "a.cim", META);
	for (size_t i = 0; i < m->file_count; i++)
		memfs_put(k.m, m->files[i].name, m->files[i].bytes, m->files[i].size);
	mini_free(m);
	return k;
}

static uint32_t new_dir(struct mini *m, struct mini_link *links, size_t count)
{
	uint32_t id = mini_record(m);

	mini_dir(m, id, META, links, count, true);
	return id;
}

/* The bytes of a record as they are stored, and its table's entry size. */
static unsigned raw_record(struct kit *k, const char *name, uint32_t id, uint8_t *bytes,
			   size_t size)
{
	struct cim_image *image = open_image(k, name);
	struct cim_file_table table = {0, 0, 0};

	must(k, cim_image_file_table(image, (id - 1) / 1024, &table, &k->err));
	if (size > table.entry_size)
		size = table.entry_size;
	must(k,
	     cim_image_read_raw(image, table.offset, (uint64_t)((id - 1) % 1024) * table.entry_size,
				bytes, size, &k->err));
	cim_image_close(image);
	return table.entry_size;
}

/* ---- what is kept ---- */

static void test_entry_size(unsigned entry_size, unsigned want_size)
{
	static const char want[] = "#1 / 10" T0 "\n#2 /dir 10" T0
				   "\n#3 /File 2 times=77,0,0,0 3 'old'\n"
				   "    :s 6 'stream'\n#4 /new 80 3 'new'\n";
	struct mini *m = base_of_version(3, 1);
	struct mini_link links[2];
	uint32_t file, root;
	struct kit k;
	struct cim_writer *w;
	uint8_t old[128], bytes[128];
	unsigned got;
	char *text;

	m->entry_size = entry_size;
	file = mini_plain(m, SMALL, "old", 3);
	mini_field(m, file, 0, 0x8022, 2); /* hidden and what we don't know */
	mini_field(m, file, 8, 77, 8);
	mini_field(m, file, 94, 9, 2);
	links[0] = mini_link("File", file, 0);
	links[1] = mini_link("dir", new_dir(m, links, 0), 0);
	root = new_dir(m, links, 2);
	memcpy(old, m->records[file - 1], sizeof(old));
	k = base_done(m, root);

	w = begin(&k, "a.cim", "b.cim");
	put(&k, w, "new", "new");
	put_stream(&k, w, "FILE:s", "stream");
	finish(&k, w);
	text = dump(&k, "b.cim");
	is_str(text, want, "a base of version 3.1 with entry size %u is forked", entry_size);
	free(text);
	must_be_sound(&k, "b.cim"); /* with parents that the base may not have */
	got = raw_record(&k, "b.cim", file, bytes, sizeof(bytes));
	is_int(got, want_size, "entry size %u becomes %u", entry_size, want_size);
	is_mem(bytes, old, entry_size < 80 ? entry_size : 80,
	       "entry size %u: what is known of a record is kept, unknown flags too", entry_size);
	if (entry_size >= 96)
		is_mem(bytes + 88, old + 88, entry_size - 88,
		       "entry size %u: so are the bytes that we don't know", entry_size);
	memset(bytes, 0xee, sizeof(bytes));
	raw_record(&k, "b.cim", root + 1, bytes, sizeof(bytes));
	for (size_t i = 92; i < want_size; i++)
		if (bytes[i])
			ok(false, "entry size %u: byte %u of a new record is zero", entry_size,
			   (unsigned)i);
	for (size_t i = 0; i < k.m->now.count; i++) {
		memfs_peek(k.m, k.m->now.at[i].name, 16, bytes, 8);
		if (bytes[0] != 3 || bytes[4] != 1)
			ok(false, "%s carries the base's version", k.m->now.at[i].name);
	}
	kit_free(&k);
}

/* A base of several file tables whose records tell no parents: those of the tables that change do.
 */
static void test_parents_by_table(void)
{
	enum { FILES = 2500 };
	static const char *const changed[] = {"f0000", "f1200", "f2400"};
	struct mini *m = base_of_version(3, 1);
	static struct mini_link links[FILES + 3];
	static char names[FILES][6];
	size_t count = 0;
	uint32_t root;
	struct kit k;

	m->entry_size = 88;
	for (unsigned i = 0; i < FILES; i++) {
		if (i % 1024 == 0) {
			static const char *const dirs[] = {"a", "b", "c"};

			links[count++] = mini_link(dirs[i / 1024], new_dir(m, links, 0), 0);
		}
		snprintf(names[i], sizeof(names[i]), "f%04u", i);
		links[count++] = mini_link(names[i], mini_plain(m, SMALL, "old", 3), 0);
	}
	root = new_dir(m, links, count);
	k = base_done(m, root);
	for (unsigned i = 0; i < 3; i++) {
		struct cim_writer *w = begin(&k, "a.cim", "b.cim");
		char stream[10];

		snprintf(stream, sizeof(stream), "%s:s", changed[i]);
		put_stream(&k, w, stream, "stream");
		finish(&k, w);
		must_be_sound(&k, "b.cim");
		memfs_unlink(k.m, "b.cim");
	}
	kit_free(&k);
}

/* Names are compared by the base's own table: here only Latin-1 has two cases. */
static void test_upcase(void)
{
	struct mini *m = base_new();
	struct mini_link links[1];
	struct cim_writer *w;
	struct cim_image *one, *two;
	struct kit k;

	links[0] = mini_link("\xe4", mini_plain(m, SMALL, "1", 1), 0);
	k = base_done(m, new_dir(m, links, 1));
	w = begin(&k, "a.cim", "b.cim");
	put(&k, w, "\xc3\x84", "2");	 /* A with two dots */
	put(&k, w, "\xc4\x81", "small"); /* a with a line, U+0101 */
	put(&k, w, "\xc4\x80", "large"); /* A with a line, U+0100 */
	finish(&k, w);
	is_image(&k, "b.cim",
		 "#1 / 10" T0 "\n#2 /\xc3\x84 80 1 '2'\n#3 /\xc4\x80 80 5 'large'\n"
		 "#4 /\xc4\x81 80 5 'small'\n",
		 "the base's upcase table decides which names are one");
	one = open_image(&k, "a.cim");
	two = open_image(&k, "b.cim");
	is_hex(two->upcase_offset, one->upcase_offset, "and is kept by reference");
	cim_image_close(one);
	cim_image_close(two);
	kit_free(&k);
}

/* ---- orders ---- */

static void test_unsorted(void)
{
	struct mini *m = base_new();
	struct mini_link links[4];
	struct cim_writer *w;
	uint32_t root, sub;
	struct kit k;

	links[0] = mini_link("zz", mini_plain(m, SMALL, "z", 1), 0);
	links[1] = mini_link("B", mini_plain(m, SMALL, "b", 1), 0);
	links[2] = mini_link("a", mini_plain(m, SMALL, "a", 1), 0);
	sub = mini_record(m);
	mini_dir(m, sub, META, links, 3, false);
	links[0] = mini_link("d", sub, 0);
	root = new_dir(m, links, 1);
	k = base_done(m, root);
	w = begin(&k, "a.cim", NULL);
	put(&k, w, "d/C", "c");
	finish(&k, w);
	is_image(&k, "a.cim",
		 "#1 / 10" T0 "\n#2 /d 10" T0 "\n#3 /d/a 80" T0 " 1 'a'\n#4 /d/B 80" T0
		 " 1 'b'\n#5 /d/C 80 1 'c'\n#6 /d/zz 80" T0 " 1 'z'\n",
		 "a directory that isn't sorted is, once it is touched");
	kit_free(&k);
}

static void test_code_points(void)
{
	struct mini *m = base_new();
	struct mini_link links[3];
	struct cim_writer *w;
	uint32_t root;
	struct kit k;

	/* By code points: a, U+FFA0, U+10000. */
	links[0] = mini_link("a", mini_plain(m, SMALL, "a", 1), 0);
	links[1] = mini_link("x", mini_plain(m, SMALL, "half", 4), 0);
	links[1].name[0] = 0xffa0;
	links[2] = mini_link("xy", mini_plain(m, SMALL, "pair", 4), 0);
	links[2].name[0] = 0xd800;
	links[2].name[1] = 0xdc00;
	root = mini_record(m);
	mini_dir(m, root, META, links, 3, false);
	k = base_done(m, root);
	w = begin(&k, "a.cim", "b.cim");
	put(&k, w, "\xf0\x90\x80\x80", "replaced");
	finish(&k, w);
	is_image(&k, "b.cim",
		 "#1 / 10" T0 "\n#2 /a 80" T0 " 1 'a'\n#3 /\xf0\x90\x80\x80 80 8 'replaced'\n"
		 "#4 /\xef\xbe\xa0 80" T0 " 4 'half'\n",
		 "a name is found where another writer's order put it, and re-sorted");
	w = begin(&k, "a.cim", "c.cim");
	must(&k, cim_writer_delete(w, cim_str8("\xef\xbe\xa0"), &k.err));
	finish(&k, w);
	is_image(&k, "c.cim",
		 "#1 / 10" T0 "\n#2 /a 80" T0 " 1 'a'\n#3 /\xf0\x90\x80\x80 80" T0 " 4 'pair'\n",
		 "and deleted there");
	kit_free(&k);
}

/* Names of which code points and code units have another order, in the first. */
static const struct {
	const char *text;
	uint16_t units[2];
} odd_names[] = {
	{"a", {'a', 0}},
	{"\xee\x80\x80", {0xe000, 0}},
	{"\xef\xbe\xa0", {0xffa0, 0}},
	{"\xf0\x90\x80\x80", {0xd800, 0xdc00}},
	{"\xf4\x8f\xbf\xbf", {0xdbff, 0xdfff}},
};
enum { ODD_NAMES = sizeof(odd_names) / sizeof(odd_names[0]) };

static struct kit odd_base(bool code_units)
{
	struct mini *m = base_new();
	struct mini_link links[ODD_NAMES];
	uint32_t root = mini_record(m);

	for (unsigned i = 0; i < ODD_NAMES; i++) {
		links[i] = mini_link(odd_names[i].units[1] ? "xy" : "x",
				     mini_plain(m, SMALL, "12345", i + 1), 0);
		links[i].name[0] = odd_names[i].units[0];
		links[i].name[1] = odd_names[i].units[1];
	}
	mini_dir(m, root, META, links, ODD_NAMES, code_units);
	return base_done(m, root);
}

/* Whichever of them are deleted, in whichever order they stand, the others stay. */
static void test_deleted_in_order(bool code_units)
{
	struct kit base = odd_base(code_units);
	unsigned wrong = 0;

	for (unsigned deleted = 1; deleted < 1u << ODD_NAMES; deleted++) {
		struct kit k = kit_copy(&base);
		struct cim_writer *w = begin(&k, "a.cim", "b.cim");
		struct cim_image *image;

		for (unsigned i = 0; i < ODD_NAMES; i++)
			if (deleted >> i & 1)
				must(&k, cim_writer_delete(w, cim_str8(odd_names[i].text), &k.err));
		finish(&k, w);
		must_be_sound(&k, "b.cim");
		image = open_image(&k, "b.cim");
		for (unsigned i = 0; i < ODD_NAMES; i++) {
			struct cim_file_info info = {CIM_SIZED(info)};
			uint32_t id = 0;
			bool there = !cim_image_lookup(image, cim_str8(odd_names[i].text), &id,
						       NULL);

			wrong += there == (deleted >> i & 1);
			if (there)
				must(&k, cim_image_stat(image, id, &info, &k.err));
			wrong += there && info.size != i + 1;
		}
		cim_image_close(image);
		kit_free(&k);
	}
	is_int(wrong, 0, "of a directory in the order of code %s any names are deleted",
	       code_units ? "units" : "points");
	kit_free(&base);
}

/* What a directory's record holds that a session has no words for stays when it is added again. */
static void test_directory_again(void)
{
	struct mini *m = base_new();
	struct mini_link link = mini_link("f", mini_plain(m, SMALL, "old", 3), 0);
	uint32_t dir = new_dir(m, &link, 1), root;
	uint8_t old[96], bytes[96];
	struct cim_writer *w;
	struct kit k;

	mini_field(m, dir, 94, 9, 2); /* reserved */
	memcpy(old, m->records[dir - 1], sizeof(old));
	link = mini_link("dir", dir, 0);
	root = new_dir(m, &link, 1);
	mini_field(m, root, 94, 5, 2);
	k = base_done(m, root);
	w = begin(&k, "a.cim", NULL);
	make_dir(&k, w, "DIR");
	make_dir(&k, w, "");
	finish(&k, w);
	raw_record(&k, "a.cim", dir, bytes, sizeof(bytes));
	is_mem(bytes + 92, old + 92, 4, "what is reserved stays");
	is_mem(bytes + 40, old + 40, 16, "so does where its table lies");
	ok(memcmp(bytes + 8, old + 8, 32) != 0, "its times are the new ones");
	raw_record(&k, "a.cim", root, bytes, sizeof(bytes));
	is_int(bytes[94], 5, "so it is with the root");
	kit_free(&k);
}

/* Both forms of a stream table, touched and untouched. */
static void test_stream_forms(void)
{
	for (int second = 0; second < 2; second++) {
		struct mini *m = base_new();
		struct mini_link links[2];
		uint8_t before[96], after[96];
		uint32_t root, id[2];
		struct cim_writer *w;
		struct kit k;

		for (int i = 0; i < 2; i++) {
			size_t length;

			id[i] = mini_plain(m, SMALL, "main", 4);
			links[0] = mini_link("one", mini_put(m, SMALL, "11", 2, 8), 2);
			links[1] = mini_link("two", mini_put(m, SMALL, "22", 2, 8), 2);
			mini_field(m, id[i], 80,
				   mini_table(m, META, links, 2, 16, second, 0, &length), 8);
		}
		links[0] = mini_link("f", id[0], 0);
		links[1] = mini_link("g", id[1], 0);
		root = new_dir(m, links, 2);
		k = base_done(m, root);
		raw_record(&k, "a.cim", id[1], before, sizeof(before));
		w = begin(&k, "a.cim", NULL);
		put_stream(&k, w, "f:ONE", "1");
		must(&k, cim_writer_delete(w, cim_str8("f:two"), &k.err));
		finish(&k, w);
		is_image(&k, "a.cim",
			 "#1 / 10" T0 "\n#2 /f 80" T0 " 4 'main'\n    :ONE 1 '1'\n#3 /g 80" T0
			 " 4 'main'\n    :one 2 '11'\n    :two 2 '22'\n",
			 second ? "streams in a table of the second form are changed"
				: "streams in a table of the first form are changed");
		raw_record(&k, "a.cim", id[1], after, sizeof(after));
		is_mem(after, before, sizeof(after), "the untouched file's record is as it was");
		kit_free(&k);
	}
}

/* A stream table in another order than ours. */
static void test_stream_order(void)
{
	struct mini *m = base_new();
	struct mini_link links[3];
	struct cim_writer *w;
	size_t length;
	uint32_t id;
	struct kit k;

	id = mini_plain(m, SMALL, "main", 4);
	links[0] = mini_link("c", mini_put(m, SMALL, "cc", 2, 8), 2);
	links[1] = mini_link("a", mini_put(m, SMALL, "aa", 2, 8), 2);
	links[2] = mini_link("B", mini_put(m, SMALL, "bb", 2, 8), 2);
	mini_field(m, id, 80, mini_table(m, META, links, 3, 16, false, 0, &length), 8);
	links[0] = mini_link("f", id, 0);
	k = base_done(m, new_dir(m, links, 1));
	w = begin(&k, "a.cim", NULL);
	put_stream(&k, w, "f:C", "changed");
	finish(&k, w);
	is_image(&k, "a.cim",
		 "#1 / 10" T0 "\n#2 /f 80" T0 " 4 'main'\n    :a 2 'aa'\n    :B 2 'bb'\n"
		 "    :C 7 'changed'\n",
		 "streams that weren't sorted are, once one is touched");
	kit_free(&k);
}

/* ---- tables that aren't full ---- */

static void test_table_ends(void)
{
	static const unsigned counts[] = {1, 2, 1022, 1023, 1024, 1025, 2048};

	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		struct mini *m = base_new();
		struct mini_link links[1];
		struct cim_writer *w;
		struct cim_image *image;
		struct cim_file_info info = {CIM_SIZED(info)};
		uint32_t root, id = 0;
		struct kit k;

		links[0] = mini_link("x", mini_plain(m, SMALL, "x", 1), 0);
		root = new_dir(m, links, counts[c] > 1);
		if (counts[c] == 1) { /* the root alone */
			memcpy(m->records[0], m->records[1], sizeof(m->records[0]));
			m->record_count = 1;
			root = 1;
		}
		while (m->record_count < counts[c])
			mini_plain(m, SMALL, "", 0);
		k = base_done(m, root);
		w = begin(&k, "a.cim", "b.cim");
		put(&k, w, "new1", "1");
		put(&k, w, "new2", "2");
		finish(&k, w);
		is_image(&k, "b.cim",
			 counts[c] > 1 ? "#1 / 10" T0 "\n#2 /new1 80 1 '1'\n#3 /new2 80 1 '2'\n"
					 "#4 /x 80" T0 " 1 'x'\n"
				       : "#1 / 10" T0 "\n#2 /new1 80 1 '1'\n#3 /new2 80 1 '2'\n",
			 "the new files' FileIDs go on where the last table ends");
		image = open_image(&k, "b.cim");
		must(&k, cim_image_lookup(image, cim_str8("new2"), &id, &k.err));
		is_int(id, counts[c] + 2, "with %u files: at %u", counts[c], counts[c] + 1);
		must(&k, cim_image_stat(image, id, &info, &k.err));
		is_int(info.parent_id, root, "the parent is told");
		cim_image_close(image);
		kit_free(&k);
	}
}

/* A new file whose last name goes leaves a record of zeros. */
static void test_cleared(void)
{
	static const uint8_t zeros[96];
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	uint8_t bytes[96];

	put(&k, w, "file", "text"); /* 2 */
	must(&k, cim_writer_link(w, cim_str8("link"), cim_str8("file"), &k.err));
	make_dir(&k, w, "dir");		 /* 3 */
	put(&k, w, "dir/below", "text"); /* 4 */
	must(&k, cim_writer_link(w, cim_str8("dir/link"), cim_str8("file"), &k.err));
	must(&k, cim_writer_delete(w, cim_str8("file"), &k.err));
	must(&k, cim_writer_delete(w, cim_str8("link"), &k.err));
	must(&k, cim_writer_delete(w, cim_str8("dir"), &k.err));
	put(&k, w, "last", "text"); /* 5 */
	finish(&k, w);
	for (uint32_t id = 2; id <= 5; id++) {
		raw_record(&k, "a.cim", id, bytes, sizeof(bytes));
		ok(!memcmp(bytes, zeros, sizeof(bytes)) == (id < 5), "record %u is %s",
		   (unsigned)id, id < 5 ? "cleared" : "not");
	}
	must_be_sound(&k, "a.cim");
	kit_free(&k);
}

/* ---- limits ---- */

static void test_regions_limit(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim");
	uint8_t count[2] = {0xfd, 0xff}; /* 65,533 */
	struct cim_image *image;
	char *text;

	put(&k, w, "f", "text");
	finish(&k, w);
	memfs_poke(k.m, "a.cim", 48, count, 2);
	w = begin(&k, "a.cim", "b.cim");
	put(&k, w, "g", "in the last region");
	finish(&k, w);
	image = open_image(&k, "b.cim");
	is_int(image->info.region_count, 65536, "the last three regions are used");
	cim_image_close(image);
	text = dump(&k, "b.cim");
	is_str(text, "#1 / 10" T0 "\n#2 /f 80 4 'text'\n#3 /g 80 18 'in the last region'\n",
	       "and read back");
	free(text);
	count[0] = 0xfe;
	memfs_poke(k.m, "a.cim", 48, count, 2);
	gives(&k, cim_writer_open(&k.env, "mem", "a.cim", "c.cim", 0, &w, &k.err), CIM_E_LIMIT);
	gives(&k, cim_writer_open(&k.env, "mem", "b.cim", NULL, 0, &w, &k.err), CIM_E_LIMIT);
	is_int(memfs_count_names(k.m, "region_"), 6, "nothing is left of these (D48)");
	kit_free(&k);
}

/* An image that says it has 2^22 file tables, of which all but the first and the last are empty. */
static struct kit many_tables(unsigned last_count)
{
	const uint64_t tables = 1 << 22, directory = 1 << 20, filesystem = directory + 16 * tables;
	struct mini *m = base_new();
	struct mini_link links[1];
	uint8_t header[72], fs[24], entry[16];
	uint32_t root;
	struct kit k;
	const char *region;

	links[0] = mini_link("x", mini_plain(m, SMALL, "x", 1), 0);
	root = new_dir(m, links, 1);
	k = base_done(m, root);
	region = memfs_find_name(k.m, "region_");
	memfs_peek(k.m, "a.cim", 0, header, sizeof(header));
	memfs_peek(k.m, region, cim_get64(header + 56), fs, sizeof(fs));
	memfs_peek(k.m, region, cim_get64(fs + 8), entry, sizeof(entry));
	memfs_poke(k.m, region, directory, entry, sizeof(entry));
	cim_put64(entry, directory + 4096); /* zeros will do for records */
	cim_put16(entry + 8, (uint16_t)last_count);
	memfs_poke(k.m, region, directory + 16 * (tables - 1), entry, sizeof(entry));
	cim_put64(fs + 8, directory);
	cim_put32(fs + 16, (uint32_t)tables);
	memfs_poke(k.m, region, filesystem, fs, sizeof(fs));
	cim_put64(header + 56, filesystem);
	memfs_poke(k.m, "a.cim", 0, header, sizeof(header));
	return k;
}

static void test_ids_limit(void)
{
	struct kit k = many_tables(1022);
	struct cim_writer *w = begin(&k, "a.cim", "b.cim");
	struct cim_metadata meta = meta_file(0);
	struct cim_image *image;
	uint32_t id = 0;
	char *text;

	put(&k, w, "last", "the last file");
	gives(&k, cim_writer_add(w, cim_str8("more"), &meta, NULL, &k.err), CIM_E_LIMIT);
	gives(&k, cim_writer_add(w, cim_str8("last"), &meta, NULL, &k.err), CIM_E_LIMIT);
	gives(&k, cim_writer_link(w, cim_str8("link"), cim_str8("last"), &k.err), CIM_OK);
	finish(&k, w);
	image = open_image(&k, "b.cim");
	must(&k, cim_image_lookup(image, cim_str8("last"), &id, &k.err));
	is_int(id, UINT32_MAX, "the last FileID is used");
	cim_image_close(image);
	text = dump(&k, "b.cim");
	is_str(text,
	       "#1 / 10" T0 "\n#2 /last 80 13 'the last file'\n#2 /link 80 13 'the last file'\n"
	       "#3 /x 80" T0 " 1 'x'\n",
	       "and read back (D48)");
	free(text);
	gives(&k, cim_writer_open(&k.env, "mem", "b.cim", NULL, 0, &w, &k.err), CIM_E_LIMIT);
	kit_free(&k);
	k = many_tables(1023);
	gives(&k, cim_writer_open(&k.env, "mem", "a.cim", NULL, 0, &w, &k.err), CIM_E_LIMIT);
	kit_free(&k);
}

/* ---- made to harm ---- */

/* A root with these entries, added as they are. */
static struct kit hostile(struct mini *m, struct mini_link *links, size_t count, uint32_t root)
{
	mini_dir(m, root, META, links, count, true);
	return base_done(m, root);
}

/* The session may fail with CORRUPT, at any point; then the base is as it was. */
static void end_hostile(struct kit *k, struct cim_writer *w, bool refused, const char *what)
{
	struct kit was = kit_copy(k);
	enum cim_status status = cim_writer_commit(w, &k->err);

	cim_writer_close(w);
	if (status) {
		ok(status == CIM_E_CORRUPT, "%s: refused as corrupt, not %s", what, STATUS(status));
		ok(memfs_same_file(was.m, "a.cim", k->m, "a.cim"), "%s: the base is as it was",
		   what);
		is_int(memfs_count_names(k->m, "region_"), 3, "%s: nothing is left", what);
	} else {
		ok(!refused, "%s: the session did without", what);
	}
	kit_free(&was);
	kit_free(k);
}

static void test_hostile_ids(void)
{
	static const uint32_t ids[] = {0, 3, 4, 5000, UINT32_MAX};

	for (size_t i = 0; i < 5; i++) {
		struct mini *m = base_new();
		struct mini_link links[2];
		struct cim_writer *w;
		bool exists;
		uint32_t root = mini_record(m);
		struct kit k;

		links[0] = mini_link("x", mini_plain(m, SMALL, "x", 1), 0);
		links[1] = mini_link("nobody", ids[i], 0);
		k = hostile(m, links, 2, root);
		w = begin(&k, "a.cim", NULL);
		gives(&k, cim_writer_lookup(w, cim_str8("nobody"), &exists, &k.err), CIM_E_CORRUPT);
		gives(&k, cim_writer_delete(w, cim_str8("nobody"), &k.err), CIM_E_CORRUPT);
		gives(&k, cim_writer_link(w, cim_str8("y"), cim_str8("nobody"), &k.err),
		      CIM_E_CORRUPT);
		put(&k, w, "new1", "1");
		put(&k, w, "new2", "2");
		end_hostile(&k, w, true, "a name of a FileID that isn't there");
	}
}

static void test_hostile_twice(void)
{
	struct mini *m = base_new();
	struct mini_link links[2];
	struct cim_writer *w;
	uint32_t root = mini_record(m);
	struct kit k;

	links[0] = mini_link("same", mini_plain(m, SMALL, "1", 1), 0);
	links[1] = mini_link("SAME", mini_plain(m, SMALL, "2", 1), 0);
	k = hostile(m, links, 2, root);
	w = begin(&k, "a.cim", NULL);
	put(&k, w, "new", "1");
	end_hostile(&k, w, true, "a directory with one name twice");
}

/* A file table that says more of itself than its region file holds costs no memory. */
static void test_hostile_table(void)
{
	struct mini *m = base_new();
	uint8_t entry[4] = {1023 & 0xff, 1023 >> 8, 0xff, 0xff};
	uint8_t header[72], fs[24];
	struct mini_link links[1];
	struct cim_writer *w;
	const char *region;
	struct kit k;
	long before;

	links[0] = mini_link("x", 2, 0);
	k = hostile(m, links, 1, mini_record(m)); /* the root is the table's first record */
	region = memfs_find_name(k.m, "region_");
	memfs_peek(k.m, "a.cim", 0, header, sizeof(header));
	memfs_peek(k.m, region, cim_get64(header + 56), fs, sizeof(fs));
	memfs_poke(k.m, region, cim_get64(fs + 8) + 8, entry, sizeof(entry));
	w = begin(&k, "a.cim", NULL);
	put(&k, w, "new", "new");
	k.m->peak_bytes = k.m->bytes;
	before = k.m->bytes;
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_CORRUPT);
	ok(k.m->peak_bytes - before < 16 << 20, "a table of 64 MiB that isn't there took %ld bytes",
	   k.m->peak_bytes - before);
	cim_writer_close(w);
	kit_free(&k);
}

static void test_hostile_loops(void)
{
	static const char *const paths[] = {"self", "self/self", "d/up", "d/root",	  "d/up/d",
					    "e",    "e/up",	 "d",	 "d/up/d/up/d/up"};
	const unsigned count = sizeof(paths) / sizeof(paths[0]);

	for (unsigned turn = 0; turn < count * count * 2; turn++) {
		const char *one = paths[turn / 2 / count], *two = paths[turn / 2 % count];
		struct mini *m = base_new();
		struct mini_link links[4];
		struct cim_writer *w;
		uint32_t root = mini_record(m), dir = mini_record(m);
		struct cim_metadata meta = meta_dir();
		enum cim_status status;
		char below[100];
		struct kit k;

		links[0] = mini_link("up", dir, 0); /* itself */
		links[1] = mini_link("root", root, 0);
		mini_dir(m, dir, META, links, 2, true);
		links[0] = mini_link("self", root, 0);
		links[1] = mini_link("d", dir, 0);
		links[2] = mini_link("e", dir, 0);
		k = hostile(m, links, 3, root);
		w = begin(&k, "a.cim", NULL);
		snprintf(below, sizeof(below), "%s/new", one);
		cim_writer_add(w, cim_str8(below), &meta, NULL, &k.err);
		if (turn % 2)
			status = cim_writer_delete(w, cim_str8(two), &k.err);
		else
			status = try_file(
				&k, w, two,
				&(struct cim_metadata){.struct_size = sizeof(struct cim_metadata)},
				"", 0);
		if (status && status != CIM_E_CORRUPT && status != CIM_E_PATH_NOT_FOUND)
			ok(false, "a loop: %s then %s: %s", one, two, STATUS(status));
		cim_writer_add(w, cim_str8(below), &meta, NULL, &k.err);
		cim_writer_delete(w, cim_str8(one), &k.err);
		status = cim_writer_commit(w, &k.err);
		if (status && status != CIM_E_CORRUPT)
			ok(false, "a loop: %s then %s: commit %s", one, two, STATUS(status));
		cim_writer_close(w);
		kit_free(&k);
	}
	ok(true, "loops of directories do no harm: %u tries", count * count * 2);
}

static void test_hostile_streams(void)
{
	struct mini *m = base_new();
	struct mini_link links[2];
	struct cim_writer *w;
	uint32_t root = mini_record(m), id = mini_plain(m, SMALL, "main", 4);
	size_t length;
	struct kit k;

	links[0] = mini_link("same", mini_put(m, SMALL, "1", 1, 8), 1);
	links[1] = mini_link("SAME", mini_put(m, SMALL, "2", 1, 8), 1);
	mini_field(m, id, 80, mini_table(m, META, links, 2, 16, false, 0, &length), 8);
	links[0] = mini_link("f", id, 0);
	k = hostile(m, links, 1, root);
	w = begin(&k, "a.cim", NULL);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:s"), 1, NULL, &k.err), CIM_E_CORRUPT);
	put(&k, w, "g", "text");
	end_hostile(&k, w, false, "a file with two streams of one name, left alone");
}

/* A table whose hundred names lie on top of each other: each begins one unit behind the last. */
static uint64_t overlapping(struct mini *m, unsigned value_size, uint64_t value, size_t *length)
{
	enum { LINKS = 100, UNITS = 200 };
	static uint8_t bytes[8 + LINKS * 20 + 2 * (UNITS + 1)];
	unsigned names = 8 + LINKS * (value_size + 4);

	memset(bytes, 0, sizeof(bytes));
	*length = names + 2 * (UNITS + 1);
	mini_le(bytes, *length, 4);
	mini_le(bytes + 4, LINKS, 4);
	for (unsigned i = 0; i < LINKS; i++) {
		mini_le(bytes + 8 + i * value_size, value, 4);
		mini_le(bytes + 8 + LINKS * value_size + 4 * i, names + 2 * i, 4);
	}
	/* What is one name's unit is another's length. */
	for (unsigned i = 0; i <= UNITS; i++)
		mini_le(bytes + names + 2 * i, UNITS - i, 2);
	return mini_put(m, META, bytes, *length, 8);
}

static void test_hostile_overlaps(void)
{
	struct mini *m = base_new();
	struct mini_link links[1];
	struct cim_writer *w;
	uint32_t root = mini_record(m), dir = mini_record(m), file;
	size_t length;
	uint64_t at;
	struct kit k;

	file = mini_plain(m, SMALL, "x", 1);
	at = overlapping(m, 4, file, &length);
	mini_stream(m, dir, at, length, 1, false);
	links[0] = mini_link("d", dir, 0);
	k = hostile(m, links, 1, root);
	w = begin(&k, "a.cim", NULL);
	put(&k, w, "d/new", "text");
	end_hostile(&k, w, true, "a directory whose names overlap");

	m = base_new();
	root = mini_record(m);
	file = mini_plain(m, SMALL, "x", 1);
	mini_field(m, file, 80, overlapping(m, 16, 0, &length), 8);
	links[0] = mini_link("f", file, 0);
	k = hostile(m, links, 1, root);
	w = begin(&k, "a.cim", NULL);
	gives(&k, cim_writer_add_stream(w, cim_str8("f:s"), 1, NULL, &k.err), CIM_E_CORRUPT);
	gives(&k, cim_writer_delete(w, cim_str8("f:s"), &k.err), CIM_E_CORRUPT);
	end_hostile(&k, w, false, "a file whose streams' names overlap, left alone");
}

/* What can't be dropped without harm to the rest of the tree isn't. */
static void test_hostile_ancestors(void)
{
	struct mini *m = base_new();
	struct mini_link links[2];
	struct cim_writer *w;
	uint32_t root = mini_record(m), dir = mini_record(m);
	struct kit k;

	links[0] = mini_link("up", root, 0);
	links[1] = mini_link("self", dir, 0);
	mini_dir(m, dir, META, links, 2, true);
	links[0] = mini_link("self", root, 0);
	links[1] = mini_link("d", dir, 0);
	k = hostile(m, links, 2, root);
	w = begin(&k, "a.cim", NULL);
	gives(&k, cim_writer_delete(w, cim_str8("self"), &k.err), CIM_E_CORRUPT);
	gives(&k, cim_writer_delete(w, cim_str8("d/up"), &k.err), CIM_E_CORRUPT);
	gives(&k, cim_writer_delete(w, cim_str8("d/self"), &k.err), CIM_E_CORRUPT);
	gives(&k, cim_writer_delete(w, cim_str8("d"), &k.err), CIM_OK);
	end_hostile(&k, w, false, "directories that hold themselves");
}

static void test_hostile_root(void)
{
	struct mini *m = base_new();
	struct cim_writer *w;
	struct kit k = base_done(m, mini_plain(m, SMALL, "I am the root", 13));

	gives(&k, cim_writer_open(&k.env, "mem", "a.cim", NULL, 0, &w, &k.err), CIM_E_CORRUPT);
	is_int(memfs_count_names(k.m, "region_"), 3, "a root that is a file: nothing is left");
	kit_free(&k);
}

static void test_missing_regions(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "a.cim"), *none;
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	static uint8_t bytes[9000];
	const char *name = NULL;

	pattern(bytes, 1, sizeof(bytes));
	put_bytes(&k, w, "f", bytes, sizeof(bytes));
	finish(&k, w);
	for (size_t i = 0; i < k.m->now.count; i++) {
		name = k.m->now.at[i].name;
		if (!strncmp(name, "region_", 7) && !strcmp(name + strlen(name) - 2, "_1"))
			break;
	}
	memfs_unlink(k.m, name);
	w = begin(&k, "a.cim", "b.cim");
	put_bytes(&k, w, "g", bytes, sizeof(bytes));
	must(&k, cim_writer_get_stats(w, &stats, &k.err));
	is_int(stats.stored_bytes, sizeof(bytes),
	       "an object whose region file is missing isn't referred to");
	finish(&k, w);
	memfs_unlink(k.m, memfs_find_name(k.m, "region_"));
	memfs_unlink(k.m, memfs_find_name(k.m, "region_"));
	gives(&k, cim_writer_open(&k.env, "mem", "a.cim", NULL, 0, &none, &k.err), CIM_E_CORRUPT);
	kit_free(&k);
}

int main(void)
{
	test_entry_size(56, 96);
	test_entry_size(91, 96);
	test_entry_size(96, 96);
	test_entry_size(100, 100);
	test_entry_size(128, 128);
	test_parents_by_table();
	test_upcase();
	test_unsorted();
	test_code_points();
	test_deleted_in_order(false);
	test_deleted_in_order(true);
	test_directory_again();
	test_stream_forms();
	test_stream_order();
	test_table_ends();
	test_cleared();
	test_regions_limit();
	test_ids_limit();
	test_hostile_ids();
	test_hostile_twice();
	test_hostile_table();
	test_hostile_loops();
	test_hostile_streams();
	test_hostile_overlaps();
	test_hostile_ancestors();
	test_hostile_root();
	test_missing_regions();
	return tap_done();
}
