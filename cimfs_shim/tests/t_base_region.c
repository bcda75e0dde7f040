/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_base_region.c - records with a BaseRegionIndex, as merged images have them
 *
 * The sample image is made twice, plainly and with an index in every record, from which all that
 * the record leads to counts. Whoever reads the two, or goes on with them, sees no difference.
 */
#include "../core/hashtable.h"
#include "../core/image.h"
#include "kit.h"
#include "minisample.h"

/* ---- the same image with indices ---- */

static uint64_t get_le(const uint8_t *p, int bytes)
{
	uint64_t value = 0;

	for (int i = bytes; i-- > 0;)
		value = value << 8 | p[i];
	return value;
}

static uint8_t *object_at(struct mini *m, uint64_t offset)
{
	return mini_region_file(m, (unsigned)(offset >> 48))->bytes +
	       (offset & ((UINT64_C(1) << 48) - 1));
}

/* Let a RegionOffset count from @base. */
static void count_from(uint8_t *p, unsigned base)
{
	const uint64_t offset = get_le(p, 8);

	if (offset)
		mini_le(p, offset - ((uint64_t)base << 48), 8);
}

/* Descriptors of PE images, which several streams may have. */
static uint64_t pe_done[8];

static void pe_from(struct mini *m, const uint8_t *stream, unsigned base)
{
	const uint64_t offset = get_le(stream, 8);
	size_t i = 0;

	if (get_le(stream + 8, 8) >> 48 != 2)
		return;
	while (pe_done[i] && pe_done[i] != (offset | base))
		i++;
	if (!pe_done[i])
		count_from(object_at(m, offset), base);
	pe_done[i] = offset | base;
}

/* A stream table behind what the second form has in front of it. */
static uint8_t *first_form(uint8_t *table)
{
	return get_le(table, 4) < 8 + 20 * get_le(table + 4, 4) ? table + 4 : table;
}

static void streams_from(struct mini *m, uint64_t offset, unsigned base)
{
	uint8_t *table = first_form(object_at(m, offset));
	const unsigned count = (unsigned)get_le(table + 4, 4);

	for (unsigned i = 0; i < count; i++) {
		pe_from(m, table + 8 + 16 * i, base);
		count_from(table + 8 + 16 * i, base);
	}
}

/* The parent's data, in region 1, have Alpha.txt only. */
static void give_indices(struct mini *m)
{
	static const unsigned fields[] = {40, 56, 64, 72, 80};

	memset(pe_done, 0, sizeof(pe_done));
	for (size_t i = 0; i < m->record_count; i++) {
		uint8_t *record = m->records[i];
		const unsigned base = get_le(record + 40, 8) >> 48 == SAMPLE_PARENT_DATA ? 1 : 3;

		pe_from(m, record + 40, base);
		if (get_le(record + 80, 8))
			streams_from(m, get_le(record + 80, 8), base);
		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
			count_from(record + fields[f], base);
		mini_le(record + 92, base, 2);
	}
}

/* An alternate stream that is a PE image, the second of the file with this name. */
static void add_pe_stream(struct mini *m)
{
	for (size_t i = 0, found = 0; i < m->record_count; i++) {
		const uint64_t table = get_le(m->records[i] + 80, 8);
		uint8_t *stream;

		if (!table || found++)
			continue;
		stream = object_at(m, table) + 8 + 16;
		for (size_t n = 0; n < m->record_count; n++)
			if (get_le(m->records[n] + 48, 8) >> 48 == 2)
				memcpy(stream, m->records[n] + 40, 16);
	}
}

static void plain(struct mini *m)
{
	add_pe_stream(m);
}

static void indexed(struct mini *m)
{
	add_pe_stream(m);
	give_indices(m);
}

/* A directory with one of the two. */
static struct kit sample_kit(void (*change)(struct mini *m))
{
	struct mini *m = mini_sample_changed(change);
	struct kit k = kit_new();

	for (size_t i = 0; i < m->file_count; i++)
		memfs_put(k.m, m->files[i].name, m->files[i].bytes, m->files[i].size);
	mini_free(m);
	return k;
}

/* ---- reading ---- */

static void test_reading(void)
{
	struct mini *a = mini_sample_changed(plain), *b = mini_sample_changed(indexed);
	struct read_all one, two;

	read_all(&a->env, "mem/s.cim", &one);
	read_all(&b->env, "mem/s.cim", &two);
	is_int(one.failed, 0, "the plain sample is read without a failure");
	is_int(two.failed, 0, "so is that with indices");
	is_int(two.items, one.items, "they have as many items");
	is_hex(two.digest, one.digest, "and everything that can be read is the same");
	mini_free(a);
	mini_free(b);
}

static void test_places(void)
{
	static const char *const names[] = {"pe.exe", "streams1", "beta", "Alpha.txt"};
	struct mini *a = mini_sample_changed(plain), *b = mini_sample_changed(indexed);
	struct cim_image *one = mini_open(a, "mem/s.cim"), *two = mini_open(b, "mem/s.cim");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct cim_file_info x = {CIM_SIZED(x)}, y = {CIM_SIZED(y)};
		unsigned differ = 0;
		uint32_t id = 0;

		cim_image_lookup(one, cim_str8(names[i]), &id, NULL);
		differ += cim_image_stat(one, id, &x, NULL) || cim_image_stat(two, id, &y, NULL);
		for (int part = CIM_PART_SECURITY; part <= CIM_PART_STREAMS; part++) {
			struct cim_place p, q;

			differ += cim_file_place(one, &x, (enum cim_part)part, &p, NULL) != CIM_OK;
			differ += cim_file_place(two, &y, (enum cim_part)part, &q, NULL) != CIM_OK;
			differ += p.offset != q.offset || p.bytes != q.bytes || p.data != q.data;
			/* A stream table isn't the same where its streams count from elsewhere. */
			differ += q.base != (part == CIM_PART_STREAMS && q.bytes ? 3 : 0);
		}
		is_int(differ, 0, "%s: its parts lie where they lie", names[i]);
	}
	cim_image_close(one);
	cim_image_close(two);
	mini_free(a);
	mini_free(b);
}

/* ---- what can't be ---- */

static uint16_t far_index;
static uint32_t far_id;
static void far_away(struct mini *m)
{
	mini_field(m, far_id, 92, far_index, 2);
}

static enum cim_status stat_far(const char *name, uint32_t id, struct cim_error *err)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_data data = {CIM_SIZED(data)};
	struct mini *m;
	struct cim_image *image;
	enum cim_status status;

	far_id = id;
	m = mini_sample_changed(far_away);
	image = mini_open(m, "mem/s.cim");
	status = cim_image_stat(image, id, &info, err);
	if (!status)
		status = cim_image_get_data(image, id, cim_str8(""), &data, err);
	cim_image_close(image);
	ok(mini_is_clean(m), "%s: nothing is left open", name);
	mini_free(m);
	return status;
}

static uint32_t id_of(const char *name)
{
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	uint32_t id = 0;

	cim_image_lookup(image, cim_str8(name), &id, NULL);
	cim_image_close(image);
	mini_free(m);
	return id;
}

static void test_far_away(void)
{
	struct cim_error err;

	far_index = UINT16_MAX;
	is_int(stat_far("beta", id_of("beta"), &err), CIM_E_CORRUPT,
	       "regions past the last there can be");
	is_str(err.cause, "a base region index of 65535 leads past the last region there can be",
	       "the error says so");
	is_int(stat_far("sparse", id_of("sparse"), &err), CIM_OK,
	       "what has no bytes may lead anywhere: sparse");
	is_int(stat_far("zero", id_of("zero"), &err), CIM_OK, "and empty");
	far_index = 3;
	is_int(stat_far("beta", id_of("beta"), &err), CIM_E_CORRUPT,
	       "regions that the image hasn't");
}

/* ---- from one source into the next ---- */

enum { SAMPLE_REGIONS = SAMPLE_SMALL + 1 };

static unsigned next_region; /* of the source behind the sample */
static const char into_next[] = "behind the source's last";

static uint64_t in_next(void)
{
	return (uint64_t)(SAMPLE_REGIONS + next_region) << 48 | 64;
}

static void stream_into_next(struct mini *m)
{
	for (size_t i = 0; i < m->record_count; i++) {
		const uint64_t offset = get_le(m->records[i] + 80, 8);
		uint8_t *table;

		if (!offset)
			continue;
		table = first_form(object_at(m, offset));
		mini_le(table + 8, in_next(), 8);
		mini_le(table + 16, 4, 8);
	}
}

static void pe_into_next(struct mini *m)
{
	for (size_t i = 0; i < m->record_count; i++)
		if (get_le(m->records[i] + 48, 8) >> 48 == 2)
			mini_le(object_at(m, get_le(m->records[i] + 40, 8)) +
					CIM_OFF(pe_image, data),
				in_next(), 8);
}

static void add_other(struct kit *k, const char *name)
{
	uint8_t bytes[30000];
	struct cim_writer *w = begin(k, NULL, name);

	pattern(bytes, 7, sizeof(bytes));
	put_bytes(k, w, name, bytes, sizeof(bytes));
	finish(k, w);
}

static int count_into_next(void *ctx, const struct cim_finding *finding)
{
	*(unsigned *)ctx += finding->severity == CIM_ERROR && strstr(finding->message, into_next);
	return 0;
}

static unsigned errors_into_next(struct kit *k, const char *name)
{
	struct cim_image *image = open_image(k, name);
	unsigned count = 0;

	must(k, cim_image_verify(image, 0, count_into_next, &count, NULL, &k->err));
	cim_image_close(image);
	return count;
}

/* All that is read of it, and what verify finds. */
static void test_next_source(void (*change)(struct mini *m), const char *what)
{
	static const char *const sources[] = {"mem/first.cim", "mem/s.cim", "mem/next.cim"};

	for (size_t first = 0; first < 2; first++)
		for (next_region = 0; next_region < 3; next_region++) {
			struct kit k = sample_kit(change);
			struct read_all all;
			struct cim_writer *w;

			add_other(&k, "first.cim");
			add_other(&k, "next.cim");
			w = begin(&k, NULL, "m.cim");
			for (size_t i = first; i < 3; i++)
				must(&k, cim_writer_add_source(w, sources[i], 0, &k.err));
			finish(&k, w);
			read_all(&k.env, "mem/m.cim", &all);
			ok(all.failed && all.statuses == 1u << CIM_E_CORRUPT,
			   "%s that leads into region %u of the next source, %zu before it: it "
			   "can't be read (%u failures, statuses %#x)",
			   what, next_region, 1 - first, all.failed, all.statuses);
			ok(strstr(all.err.cause, into_next) != NULL, "and why: %s", all.err.cause);
			ok(errors_into_next(&k, "m.cim"), "verify finds it");
			kit_free(&k);
		}
}

/* What no table has isn't looked for. */
static void test_link_tables(void)
{
	static const uint16_t name[CIM_MAX_NAME + 1] = {'a'};
	static const size_t lengths[] = {0, CIM_MAX_NAME + 1};
	struct cim_link_table table = {.count = 1};
	struct cim_link link;
	struct cim_error err;
	bool found = true;

	is_int(cim_link_table_get(&table, 1, &link, &err), CIM_E_INVALID, "the second link of one");
	is_str(err.cause, "link 1 of a table of 1", "the error says so");
	for (size_t i = 0; i < 2; i++) {
		is_int(cim_link_table_find(&table, name, lengths[i], true, &link, &found, &err) ||
			       found,
		       0, "a name of %zu units isn't there", lengths[i]);
		found = true;
	}
	table.count = 0;
	is_int(cim_link_table_find(&table, name, 1, true, &link, &found, &err) || found, 0,
	       "nor any name in an empty table");
}

/* ---- going on with it ---- */

/* Every file is changed, and so is a directory; what comes of it is the image @name. */
static void change_all(struct kit *k, const char *name)
{
	static const char *const files[] = {"Alpha.txt", "beta",      "pe.exe",
					    "streams1",	 "streams2",  "sparse",
					    "zero",	 "dir/other", "dir/Nested/x"};
	struct cim_writer *w = begin(k, "s.cim", name);
	struct cim_image *held = open_image(k, "s.cim");

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[40];

		snprintf(path, sizeof(path), "%s:new", files[i]);
		put_stream(k, w, path, files[i]);
	}
	put(k, w, "dir/more", "more");
	put(k, w, "copy of x", "x");
	if (!strcmp(name, "s.cim")) {
		/* What is in use isn't replaced; the commit that is repeated writes all once more.
		 */
		must(k, cim_image_hold(held, CIM_HOLD_TRY, NULL, &k->err));
		gives(k, cim_writer_commit(w, &k->err), CIM_E_SHARING);
	}
	cim_image_close(held);
	finish(k, w);
}

static unsigned index_of(struct kit *k, const char *name, uint32_t id)
{
	struct cim_image *image = open_image(k, name);
	struct cim_record record = {0};

	must(k, cim_image_record(image, id, &record, &k->err));
	cim_image_close(image);
	return record.base_region;
}

static void test_sessions(const char *name)
{
	struct kit one = sample_kit(plain), two = sample_kit(indexed);
	char *want;

	change_all(&one, name);
	change_all(&two, name);
	want = dump(&one, name);
	is_image(&two, name, want,
		 "what follows on the indexed sample is what does on the plain one");
	free(want);
	is_int(index_of(&two, name, id_of("pe.exe")), 0, "a record that was changed has no index");
	is_int(index_of(&two, name, id_of("empty")), 3, "one that wasn't has its own");
	kit_free(&one);
	kit_free(&two);
}

/* ---- what fails ---- */

static void shorter(struct mini *m)
{
	add_pe_stream(m);
	m->entry_size = 88; /* neither a parent nor an index */
}

/* A large directory in no order. */
static void disorder(struct mini *m)
{
	static struct mini_link links[1000];
	const size_t count = sizeof(links) / sizeof(*links);
	const uint32_t file = mini_plain(m, SAMPLE_SMALL, "x", 1);

	add_pe_stream(m);
	for (size_t i = 0; i < count; i++) {
		char name[60];

		snprintf(name, sizeof(name), "%s of so many letters that it fills a block %04zu",
			 i % 50 ? "a name" : "A NAME", i * 7 % count);
		links[i] = mini_link(name, file, 0);
	}
	mini_dir(m, 2, SAMPLE_META, links, count, false);
}

static enum cim_status add_text(struct kit *k, struct cim_writer *w, const char *path)
{
	struct cim_stream *stream = NULL;
	enum cim_status status;

	if (strchr(path, ':')) {
		status = cim_writer_add_stream(w, cim_str8(path), 4, &stream, &k->err);
	} else {
		const struct cim_metadata meta = meta_file(4);

		status = cim_writer_add(w, cim_str8(path), &meta, &stream, &k->err);
	}
	if (!status)
		status = cim_stream_write(stream, "text", 4, NULL, &k->err);
	cim_stream_close(stream);
	return status;
}

/* A session up to its first error. */
static enum cim_status go_on(struct kit *k)
{
	static const char *const added[] = {"streams1:new",  "streams2:new", "beta:new",
					    "Alpha.txt:new", "dir/y",	     "dir/z/y",
					    "empty/x",	     "streams1",     "dir/y:s"};
	struct cim_writer *w = NULL;
	enum cim_status status = cim_writer_open(&k->env, "mem", "s.cim", "n.cim", 0, &w, &k->err);

	for (size_t i = 0; !status && i < sizeof(added) / sizeof(*added); i++) {
		const struct cim_metadata meta = meta_dir();

		if (!strcmp(added[i], "dir/z/y"))
			status = cim_writer_add(w, cim_str8("dir/z"), &meta, NULL, &k->err);
		if (!status)
			status = add_text(k, w, added[i]);
	}
	if (!status)
		status = cim_writer_link(w, cim_str8("link"), cim_str8("pe.exe"), &k->err);
	if (!status)
		status = cim_writer_delete(w, cim_str8("hard"), &k->err);
	if (!status)
		status = cim_writer_delete(w, cim_str8("zero"), &k->err);
	if (!status)
		status = cim_writer_commit(w, &k->err);
	cim_writer_close(w);
	return status;
}

enum { CALL, CALLS, ALLOCATION, ALLOCATIONS, FAULTS };

static const char *const faults[FAULTS] = {"a call fails", "all calls fail from one on",
					   "an allocation fails", "all fail from one on"};

static void inject(struct memfs *m, int fault, unsigned long at)
{
	*(fault < ALLOCATION ? &m->fail_at : &m->fail_alloc) = at;
	m->fail_on = fault == CALLS;
	m->fail_alloc_on = fault == ALLOCATIONS;
	m->fail_status = CIM_E_IO;
}

/* The session ends with the error, or has the same image without what failed. */
static void test_failures(void (*change)(struct mini *m), int fault, const char *base_is)
{
	struct kit base = sample_kit(change), good = kit_copy(&base);
	const enum cim_status error = fault < ALLOCATION ? CIM_E_IO : CIM_E_NO_MEMORY;
	unsigned long at = 1;
	unsigned told = 0, wrong = 0;
	bool failed = true;
	char *want, what[100];

	snprintf(what, sizeof(what), "%s, %s", base_is, faults[fault]);
	must(&good, go_on(&good));
	want = dump(&good, "n.cim");
	for (; failed; at++) {
		struct kit k = kit_copy(&base);
		const char *why = NULL;
		enum cim_status status;
		bool bad;

		inject(k.m, fault, at);
		status = go_on(&k);
		failed = k.m->failed || k.m->failed_allocs;
		k.m->fail_at = k.m->fail_alloc = 0;
		bad = !memfs_is_clean(k.m, &why) || (status && (status != error || !failed));
		if (!status) {
			char *got = dump(&k, "n.cim");

			bad |= strcmp(got, want) != 0;
			free(got);
		}
		told += status != CIM_OK;
		if (bad && !wrong++)
			diag("number %lu: %s, %s", at, STATUS(status), why ? why : "clean");
		memfs_free(k.m);
	}
	is_int(wrong, 0, "%s: each is told, or does no harm, and nothing is left", what);
	ok(told > 30, "%s: %u of %lu are told", what, told, at - 2);
	free(want);
	kit_free(&good);
	kit_free(&base);
}

static enum cim_status read_whole(struct kit *k, uint64_t *errors)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = NULL;
	struct cim_links *links = NULL;
	enum cim_status status = cim_image_open(&k->env, "mem/s.cim", &image, &k->err);

	if (!status)
		status = cim_links_open(image, NULL, NULL, &links, &k->err);
	cim_links_close(links);
	if (!status)
		status = cim_image_verify(image, CIM_VERIFY_DEEP, NULL, NULL, &result, &k->err);
	cim_image_close(image);
	*errors = result.errors;
	return status;
}

/* Nor is anything counted or called broken that only couldn't be read. */
static void test_failing_reads(void (*change)(struct mini *m), int fault, const char *image_is)
{
	struct kit k = sample_kit(change);
	const enum cim_status error = fault < ALLOCATION ? CIM_E_IO : CIM_E_NO_MEMORY;
	unsigned long at = 1;
	unsigned told = 0, wrong = 0;
	uint64_t errors, most;
	bool failed = true;

	must(&k, read_whole(&k, &most));
	for (; failed; at++) {
		const char *why = NULL;
		enum cim_status status;

		k.m->failed = k.m->failed_allocs = 0;
		inject(k.m, fault, at + (fault < ALLOCATION ? k.m->ops : k.m->allocs));
		status = read_whole(&k, &errors);
		failed = k.m->failed || k.m->failed_allocs;
		k.m->fail_at = k.m->fail_alloc = 0;
		told += status != CIM_OK;
		if ((!memfs_is_clean(k.m, &why) || (status && (status != error || !failed)) ||
		     errors > most) &&
		    !wrong++)
			diag("number %lu: %s, %u errors of %u, %s", at, STATUS(status),
			     (unsigned)errors, (unsigned)most, why ? why : "clean");
	}
	is_int(wrong, 0, "%s, %s: no other error is told", image_is, faults[fault]);
	ok(told > 20, "%u of %lu are told", told, at - 2);
	kit_free(&k);
}

int main(void)
{
	for (int fault = 0; fault < FAULTS; fault++) {
		mini_spread = 1;
		test_failures(plain, fault, "a fork");
		mini_spread = 65536;
		test_failures(plain, fault, "a fork of what lies far apart");
		test_failures(indexed, fault, "a fork of records with indices");
		test_failures(shorter, fault, "a fork of short records");
		test_failures(disorder, fault, "a fork with a directory in no order");
		test_failing_reads(plain, fault, "an image that is read");
		test_failing_reads(indexed, fault, "one of records with indices");
		test_failing_reads(disorder, fault, "one with a directory in no order");
	}
	mini_spread = 1;
	test_reading();
	test_places();
	test_far_away();
	test_link_tables();
	test_next_source(stream_into_next, "a stream table");
	test_next_source(pe_into_next, "a PE descriptor");
	test_sessions("b.cim");
	test_sessions("s.cim");
	return tap_done();
}
