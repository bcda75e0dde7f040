/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_mergesources.c - merging images that no session of ours makes: what is wrong with them, or odd
 */
#include "../core/image.h"
#include "kit.h"
#include "minicim.h"

/* Regions 0 to 2 are the image's own: data, metadata, and what else there is. */
enum { DATA, META, OTHER, REGIONS };

static struct mini *hand_begin(unsigned regions)
{
	struct mini *m = mini_new();

	mini_set_of(m, 1, regions, REGIONS);
	mini_put_upcase(m, META);
	m->root = mini_record(m);
	return m;
}

static void hand_finish(struct kit *k, struct mini *m, struct mini_link *links, size_t count)
{
	mini_finish_dir(m, "hand.cim", META, links, count, true);
	for (size_t i = 0; i < m->file_count; i++)
		memfs_put(k->m, m->files[i].name, m->files[i].bytes, m->files[i].size);
	mini_free(m);
}

/* The same, of which flags of records are marks. */
static void hand_finish_marked(struct kit *k, struct mini *m, struct mini_link *links, size_t count)
{
	const uint8_t marked = CIM_IMAGE_MARKED;

	hand_finish(k, m, links, count);
	memfs_poke(k->m, "hand.cim", 64, &marked, 1);
}

/* The names in the root of a sound image. */
static void has_names(struct kit *k, const char *name, const char *want)
{
	struct cim_image *image = open_image(k, name);
	const struct cim_entry *entry;
	struct cim_file_info root = {CIM_SIZED(root)};
	struct cim_iter *iter;
	struct text t = {NULL, 0, 0};

	must(k, cim_iter_dir(image, cim_image_get_info(image)->root_id, &iter, &k->err));
	while (must(k, cim_iter_next(iter, &entry, &k->err)) && entry)
		say(&t, "%s%s", t.len ? " " : "", entry->utf8);
	is_str(t.at, want, "%s has these names", name);
	must(k, cim_image_stat(image, cim_image_get_info(image)->root_id, &root, &k->err));
	is_int(root.marks & ~CIM_MARK_OPAQUE, 0, "and a root without other marks");
	cim_iter_close(iter);
	free(t.at);
	cim_image_close(image);
}

/* The session that adds it, which must give @want for @cause. */
static void hand_gives(struct kit *k, enum cim_status want, const char *cause, const char *what)
{
	struct cim_writer *w = begin(k, NULL, "m.cim");
	enum cim_status status;

	forget_error(k);
	status = cim_writer_add_source(w, "mem/hand.cim", 0, &k->err);
	ok(status == want && (!want || strstr(k->err.cause, cause)), "%s: %s %s", what,
	   STATUS(status), status ? k->err.cause : "");
	if (want) {
		status = cim_writer_commit(w, NULL);
		ok(status != CIM_OK, "%s: half a source is never committed: %s", what,
		   STATUS(status));
		cim_writer_close(w);
	} else if (finish(k, w)) {
		must_be_sound(k, "m.cim");
	}
}

static uint32_t hand_dir(struct mini *m, unsigned flags)
{
	const uint32_t id = mini_record(m);
	size_t length;

	mini_field(m, id, 0, flags, 2);
	mini_stream(m, id, mini_table(m, META, NULL, 0, 4, false, 0, &length), 8, 1, false);
	return id;
}

/* f, d: file, directory; t, m, b, o: the kinds of marks; r: a directory with reparse data. */
static uint32_t hand_item(struct mini *m, char kind)
{
	static const uint8_t reparse[] = {12, 0, 3, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t target[] = {'x', 0};
	uint32_t id;

	switch (kind) {
	case 'f':
		return mini_plain(m, DATA, "x", 1);
	case 't':
		id = mini_plain(m, DATA, NULL, 0);
		mini_field(m, id, 0, CIM_FLAG_TOMBSTONE, 2);
		return id;
	case 'm':
		id = mini_plain(m, DATA, target, sizeof(target));
		mini_field(m, id, 0, CIM_FLAG_MERGE_LINK, 2);
		return id;
	case 'r':
		id = hand_dir(m, 0);
		mini_field(m, id, 72, mini_put(m, META, reparse, sizeof(reparse), 8), 8);
		mini_field(m, id, 4, 0xa0000003, 4);
		return id;
	default:
		return hand_dir(m, kind == 'b'	 ? CIM_FLAG_BARE
				   : kind == 'o' ? CIM_FLAG_TOMBSTONE
						 : 0);
	}
}

/* Names that are one for the image's table, alone and below a directory of an upper source. */
static void test_equal_names(void)
{
	static const char kinds[] = "fdtmbor";

	for (size_t i = 0; i < 49; i++) {
		const char pair[] = {kinds[i / 7], kinds[i % 7], 0};
		struct kit k = kit_new();
		struct mini *m = hand_begin(REGIONS);
		struct mini_link links[2];
		char what[60];

		for (size_t n = 0; n < 2; n++)
			links[n] = mini_link(n ? "NAME" : "name", hand_item(m, pair[n]), 0);
		hand_finish_marked(&k, m, links, 2);
		snprintf(what, sizeof(what), "two equal names in one source, kinds %s", pair);
		hand_gives(&k, CIM_E_EXISTS, "a name that the same directory has", what);
		kit_free(&k);
	}
}

/* A root that is opaque hides all that lies below; the session's own root may come to be. */
static void test_opaque_root(bool described)
{
	struct kit k = kit_new();
	struct mini *m = hand_begin(REGIONS);
	const struct cim_metadata dir = meta_dir();
	struct mini_link link = mini_link("file", mini_plain(m, DATA, "x", 1), 0);
	struct cim_writer *w = begin(&k, NULL, "low.cim");

	put(&k, w, "low", "low");
	finish(&k, w);
	mini_field(m, m->root, 0, CIM_FLAG_TOMBSTONE | CIM_FLAG_BARE, 2);
	hand_finish_marked(&k, m, &link, 1);
	w = begin(&k, NULL, "m.cim");
	if (described)
		must(&k, cim_writer_add(w, cim_str8(""), &dir, NULL, &k.err));
	must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
	must(&k, cim_writer_add_source(w, "mem/low.cim", 0, &k.err));
	put(&k, w, "own", "own");
	finish(&k, w);
	has_names(&k, "m.cim", "file own");
	kit_free(&k);
}

/* A record that leads out of its image would lead into the next source. */
static void test_foreign_regions(void)
{
	static const struct {
		unsigned field;
		const char *what;
	} fields[] = {{40, "data"}, {56, "a descriptor"}, {64, "EAs"}, {80, "streams"}};
	struct mini *m;
	struct kit k;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		struct mini_link link;
		uint32_t id;

		k = kit_new();
		m = hand_begin(REGIONS);
		id = mini_plain(m, DATA, "x", 1);
		mini_field(m, id, fields[i].field, UINT64_C(3) << 48 | 64, 8);
		link = mini_link("file", id, 0);
		hand_finish(&k, m, &link, 1);
		hand_gives(&k, CIM_E_CORRUPT, "there is no region 3, the image has 3",
			   fields[i].what);
		kit_free(&k);
	}
	k = kit_new();
	m = hand_begin(REGIONS);
	mini_field(m, m->root, 56, UINT64_C(3) << 48 | 64, 8);
	hand_finish(&k, m, NULL, 0);
	hand_gives(&k, CIM_E_CORRUPT, "there is no region 3, the image has 3", "the root's");
	kit_free(&k);
}

/* An index that nothing counts from may be any. */
static void test_idle_base_region(void)
{
	struct mini_link links[2];
	struct kit k = kit_new();
	struct mini *m = hand_begin(REGIONS);
	const uint32_t empty = mini_record(m), sparse = mini_record(m);

	mini_field(m, empty, 92, 200, 2);
	mini_stream(m, sparse, UINT64_C(9) << 48, 70000, 0, true);
	links[0] = mini_link("empty", empty, 0);
	links[1] = mini_link("sparse", sparse, 0);
	hand_finish(&k, m, links, 2);
	hand_gives(&k, CIM_OK, NULL, "an index that nothing counts from");
	kit_free(&k);
}

/* Flags without a meaning, which would get one: they go, and are counted. */
static void test_dropped_flags(void)
{
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	struct kit k = kit_new();
	struct mini *m = hand_begin(REGIONS);
	struct mini_link links[4];
	struct cim_writer *w;

	links[0] = mini_link("b", hand_item(m, 'b'), 0);
	links[1] = mini_link("f", hand_item(m, 'f'), 0);
	links[2] = mini_link("m", hand_item(m, 'm'), 0);
	links[3] = mini_link("t", hand_item(m, 't'), 0);
	hand_finish(&k, m, links, 4);
	w = begin(&k, NULL, "m.cim");
	must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
	must(&k, cim_writer_get_stats(w, &stats, &k.err));
	is_int(stats.dropped_flags, 3, "items whose flags are dropped");
	finish(&k, w);
	has_names(&k, "m.cim", "b f m t");
	kit_free(&k);
}

static void test_limits(void)
{
	struct kit k = kit_new();
	struct mini *m = hand_begin(40000);
	struct cim_writer *w;

	hand_finish(&k, m, NULL, 0);
	w = begin(&k, NULL, "m.cim");
	must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
	gives(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err), CIM_E_LIMIT);
	ok(strstr(k.err.cause, "more regions than an image can name"), "why: %s", k.err.cause);
	cim_writer_close(w);
	kit_free(&k);
}

static unsigned version_of(struct kit *k, const char *name)
{
	uint8_t bytes[24];

	memfs_peek(k->m, name, 0, bytes, sizeof(bytes));
	return bytes[16] * 10u + bytes[20];
}

/* The image's version is the highest of its sources, in its regions' headers too. */
static void test_version(void)
{
	static const unsigned versions[][2] = {{2, 0}, {2, 1}, {3, 0}, {3, 2}};
	unsigned before;

	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		struct kit k = kit_new();
		struct mini *m = hand_begin(REGIONS);
		const unsigned want = versions[i][0] * 10 + versions[i][1];
		struct cim_writer *w = begin(&k, NULL, "plain.cim");

		put(&k, w, "below", "text");
		finish(&k, w);
		before = version_of(&k, "plain.cim");
		m->major = versions[i][0];
		m->minor = versions[i][1];
		for (size_t n = 0; n < m->file_count; n++)
			mini_common(m, m->files[n].bytes, 40, 1);
		hand_finish(&k, m, NULL, 0);
		w = begin(&k, NULL, "m.cim");
		must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
		must(&k, cim_writer_add_source(w, "mem/plain.cim", 0, &k.err));
		put(&k, w, "own", "own data");
		finish(&k, w);
		is_int(version_of(&k, "m.cim"), want > before ? want : before,
		       "a source of version %u.%u: the merged image's", versions[i][0],
		       versions[i][1]);
		for (int n = 0; n < REGIONS; n++)
			is_int(version_of(&k, set_file(&k, "m.cim", "region_", n)),
			       want > before ? want : before, "region %d's", n);
		must_be_sound(&k, "m.cim");
		kit_free(&k);
	}
}

/* ---- records that are longer ---- */

enum { ENTRY = 128, PLACE = 101 };

/* "NAME:ENTRYSIZE:BYTE" for each item, the byte being that at PLACE of its record. */
static void say_rest(struct kit *k, struct cim_image *image, const struct cim_walk_item *item,
		     struct text *t)
{
	uint64_t offset = 0;
	uint32_t size = 0;
	uint8_t byte = 0;

	must(k, cim_image_record_rest(image, item->info->file_id, &offset, &size, &k->err));
	if (size)
		must(k, cim_image_read_object(image, offset, PLACE - 96, &byte, 1, &k->err));
	say(t, " %s:%u:%u", item->path, (unsigned)size + 96, byte);
}

static void rests_are(struct kit *k, const char *name, const char *want, const char *what)
{
	struct cim_image *image = open_image(k, name);
	const struct cim_walk_item *item;
	struct cim_walk *walk;
	struct text t = {NULL, 0, 0};

	must(k, cim_walk_open(image, cim_image_get_info(image)->root_id, &walk, &k->err));
	while (must(k, cim_walk_next(walk, &item, &k->err)) && item)
		say_rest(k, image, item, &t);
	cim_walk_close(walk);
	is_str(t.at, want, "%s", what);
	free(t.at);
	cim_image_close(image);
}

/* Files of more than one file table, put or deleted. */
static void put_many(struct kit *k, struct cim_writer *w, bool there)
{
	for (unsigned i = 0; i < 1100; i++) {
		char name[20];

		snprintf(name, sizeof(name), "e%04u", i);
		if (there)
			put(k, w, name, "");
		else
			must(k, cim_writer_delete(w, cim_str8(name), &k->err));
	}
}

/* What they have more is kept, where it isn't zero. */
static void test_long_records(void)
{
	struct kit k = kit_new();
	struct mini *m = hand_begin(REGIONS);
	struct mini_link links[3];
	struct cim_writer *w;
	uint32_t a, b, c;

	m->entry_size = ENTRY;
	a = mini_plain(m, DATA, "a", 1);
	b = hand_item(m, 'd');
	c = mini_plain(m, DATA, "c", 1);
	links[0] = mini_link("a", a, 0);
	links[1] = mini_link("b", b, 0);
	links[2] = mini_link("c", c, 0);
	mini_field(m, m->root, PLACE, 10, 1);
	mini_field(m, a, PLACE, 11, 1);
	mini_field(m, b, PLACE, 12, 1);
	mini_field(m, c, PLACE, 13, 1);
	hand_finish(&k, m, links, 3);
	rests_are(&k, "hand.cim", " :128:10 a:128:11 b:128:12 c:128:13", "what the source has");
	w = begin(&k, NULL, "m.cim");
	must(&k, cim_writer_merge_link(w, cim_str8("b\\link"), cim_str8("c"), &k.err));
	must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
	must(&k, cim_writer_delete(w, cim_str8("a"), &k.err));
	finish(&k, w);
	rests_are(&k, "m.cim", " :128:10 b:128:12 b/link:128:13 c:128:13",
		  "merged it has the same, also what a bare directory becomes");
	w = begin(&k, NULL, "n.cim");
	put(&k, w, "d", "d");
	put_many(&k, w, true);
	must(&k, cim_writer_add_source(w, "mem/m.cim", 0, &k.err));
	make_dir(&k, w, "b");
	put_many(&k, w, false);
	finish(&k, w);
	rests_are(&k, "n.cim", " :128:10 b:128:12 b/link:128:13 c:128:13 d:128:0",
		  "so it has merged again");
	kit_free(&k);
}

/* Of sources whose records aren't equally long the longest that stand in one table say how long its
 * entries are, wherever they lie among them. */
static void test_unequal_records(void)
{
	static const unsigned sizes[] = {104, ENTRY, 112};
	struct kit k = kit_new();
	struct cim_writer *w = begin(&k, NULL, "m.cim");

	put(&k, w, "own", "own");
	for (unsigned i = 0; i < 3; i++) {
		struct mini *m = hand_begin(REGIONS);
		const char name[] = {(char)('a' + i), '\0'};
		struct mini_link link;
		char path[] = "mem/?.cim";
		uint32_t id;

		path[4] = name[0];
		m->entry_size = sizes[i];
		id = mini_plain(m, DATA, name, 1);
		link = mini_link(name, id, 0);
		mini_field(m, m->root, PLACE, 10 + i, 1);
		mini_field(m, id, PLACE, 20 + i, 1);
		hand_finish(&k, m, &link, 1);
		/* (Its regions are the next one's, too, but the names and records are read now.) */
		memfs_copy(k.m, "hand.cim", k.m, path + 4);
		must(&k, cim_writer_add_source(w, path, 0, &k.err));
	}
	finish(&k, w);
	rests_are(&k, "m.cim", " :128:10 a:128:20 b:128:21 c:128:22 own:128:0",
		  "records of three lengths in one table");
	kit_free(&k);
}

/* ---- merge links ---- */

static void test_targets(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *cause;
	} targets[] = {
		{"", 0, "target has 0 bytes"},	       {"a\0b", 3, "target has 3 bytes"},
		{"a\0:\0b\0", 6, "target is no path"}, {"\\\0", 2, "leads to the root"},
		{"a\0\\\0\\\0", 6, "is no path"},
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		struct kit k = kit_new();
		struct mini *m = hand_begin(REGIONS);
		struct mini_link link;
		uint32_t id = mini_plain(m, DATA, targets[i].bytes, targets[i].size);

		mini_field(m, id, 0, CIM_FLAG_MERGE_LINK, 2);
		link = mini_link("link", id, 0);
		hand_finish_marked(&k, m, &link, 1);
		hand_gives(&k, CIM_E_CORRUPT, targets[i].cause, targets[i].cause);
		kit_free(&k);
	}
}

enum { MANY = 2000, LONG = 32000 };

/* Merge links that share a long target take its room once; those whose targets overlap are refused.
 */
static void test_shared_target(bool overlapping)
{
	static struct mini_link links[MANY];
	static char names[MANY][10];
	static uint8_t text[2 * LONG];
	struct kit k = kit_new();
	struct mini *m = hand_begin(REGIONS);
	uint64_t place;
	struct cim_writer *w;
	long before;

	for (size_t i = 0; i < LONG; i++)
		text[2 * i] = i % 2 ? '\\' : 'a';
	text[2 * LONG - 2] = 'b';
	place = mini_put(m, DATA, text, sizeof(text), 8);
	for (unsigned i = 0; i < MANY; i++) {
		const uint32_t id = mini_record(m);

		mini_field(m, id, 0, CIM_FLAG_MERGE_LINK, 2);
		mini_stream(m, id, place + (overlapping ? 4 * i : 0),
			    sizeof(text) - (overlapping ? 4 * i : 0), 0, false);
		snprintf(names[i], sizeof(names[i]), "%05u", i);
		links[i] = mini_link(names[i], id, 0);
	}
	hand_finish_marked(&k, m, links, MANY);
	w = begin(&k, NULL, "m.cim");
	before = k.m->bytes;
	k.m->peak_bytes = before;
	gives(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err),
	      overlapping ? CIM_E_CORRUPT : CIM_OK);
	if (overlapping)
		ok(strstr(k.err.cause, "too many items share") != NULL, "why: %s", k.err.cause);
	ok(k.m->peak_bytes - before < (16 << 20), "%u %s targets of %u bytes take %ld", MANY,
	   overlapping ? "overlapping" : "equal", (unsigned)sizeof(text),
	   (long)(k.m->peak_bytes - before));
	if (!overlapping)
		gives(&k, cim_writer_commit(w, &k.err), CIM_E_PATH_NOT_FOUND);
	cim_writer_close(w);
	kit_free(&k);
}

/* All that a source may have, and files for more than a file table. */
static void make_rich(struct kit *k)
{
	static const char kinds[] = "fbmtd";
	static struct mini_link links[1105];
	struct mini *m = hand_begin(REGIONS);

	m->entry_size = ENTRY;
	for (unsigned i = 0; i < sizeof(links) / sizeof(*links); i++) {
		char name[10];

		snprintf(name, sizeof(name), "n%04u", i);
		links[i] = mini_link(name, hand_item(m, i < 5 ? kinds[i] : 'f'), 0);
	}
	hand_finish_marked(k, m, links, sizeof(links) / sizeof(*links));
}

/* One record of 64 KiB makes a whole table's as long. */
static void test_too_long_records(void)
{
	struct kit k = kit_new();
	struct mini *m = hand_begin(REGIONS);
	struct mini_link link;
	struct cim_writer *w;
	uint32_t a;

	m->entry_size = 65528;
	a = mini_plain(m, DATA, "a", 1);
	link = mini_link("a", a, 0);
	for (unsigned at = 96; at < MINI_ENTRY; at += 8)
		mini_field(m, m->root, at, 0, 8);
	hand_finish(&k, m, &link, 1);
	w = begin(&k, NULL, "alone.cim");
	must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
	finish(&k, w);
	ok(memfs_exists(k.m, "alone.cim"), "a long record alone is merged");
	w = begin(&k, NULL, "m.cim");
	for (unsigned i = 0; i < 1100; i++) {
		char name[10];

		snprintf(name, sizeof(name), "n%04u", i);
		put(&k, w, name, "");
	}
	must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	w = begin(&k, NULL, "n.cim");
	must(&k, cim_writer_add_source(w, "mem/hand.cim", 0, &k.err));
	for (unsigned i = 0; i < 1100; i++) {
		char name[10];

		snprintf(name, sizeof(name), "n%04u", i);
		put(&k, w, name, "");
	}
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_CORRUPT);
	must(&k, cim_writer_delete(w, cim_str8("a"), &k.err));
	gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
	cim_writer_close(w);
	kit_free(&k);
}

static enum cim_status merge_rich(struct kit *k, struct cim_writer *w)
{
	enum cim_status status = cim_writer_add_source(w, "mem/hand.cim", 0, &k->err);

	return status ? status : cim_writer_commit(w, &k->err);
}

/* Each allocation fails once, and each call of the system's. */
static void test_failures(bool memory)
{
	struct kit base = kit_new();
	unsigned long at = 1;
	unsigned wrong = 0;
	bool failed = true;

	make_rich(&base);
	for (; failed; at++) {
		struct kit k = kit_copy(&base);
		struct cim_writer *w = begin(&k, NULL, "m.cim");
		const char *why;
		enum cim_status status;

		put(&k, w, "x", "x");
		must(&k, cim_writer_tombstone(w, cim_str8("N0004\\x"), &k.err)); /* a directory's */
		k.m->fail_alloc = memory ? k.m->allocs + at : 0;
		k.m->fail_at = memory ? 0 : k.m->ops + at;
		k.m->fail_status = CIM_E_IO;
		status = merge_rich(&k, w);
		failed = memory ? k.m->failed_allocs != 0 : k.m->ops >= k.m->fail_at;
		k.m->fail_alloc = k.m->fail_at = 0;
		cim_writer_close(w);
		wrong += (status && status != (memory ? CIM_E_NO_MEMORY : CIM_E_IO)) ||
			 (status && !failed) || !memfs_is_clean(k.m, &why) ||
			 (!status && !memfs_exists(k.m, "m.cim"));
		memfs_free(k.m);
	}
	ok(at > 20, "%lu %s can fail", at - 2, memory ? "allocations" : "calls");
	is_int(wrong, 0, "each is told, and nothing is left open");
	kit_free(&base);
}

int main(void)
{
	test_equal_names();
	test_opaque_root(false);
	test_opaque_root(true);
	test_foreign_regions();
	test_idle_base_region();
	test_dropped_flags();
	test_limits();
	test_version();
	test_long_records();
	test_unequal_records();
	test_too_long_records();
	test_targets();
	test_shared_target(false);
	test_shared_target(true);
	test_failures(true);
	test_failures(false);
	return tap_done();
}
