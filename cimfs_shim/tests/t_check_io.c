/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A check of a sound image, while each of its calls fails: it says so, and takes nothing for sound.
 */
#include "../core/hash.h"
#include "../core/record.h"
#include "kit.h"
#include "ioimage.h"
#include "minisample.h"

static struct kit k;

static int count_findings(void *ctx, const struct cim_finding *finding)
{
	(void)finding;
	++*(unsigned *)ctx;
	return 0;
}

/* Open and check; the number of errors. */
static enum cim_status check(uint64_t *errors, unsigned *findings)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = NULL;
	enum cim_status status = cim_image_open(&k.env, "mem/a.cim", &image, &k.err);

	*findings = 0;
	if (!status)
		status = cim_image_verify(image, CIM_VERIFY_DEEP, count_findings, findings, &result,
					  &k.err);
	cim_image_close(image);
	*errors = result.errors;
	return status;
}

/* What is tried in another way once it failed: an open, as there may be too many files, and a whole
 * block of a data region, of which then only the stream's own part is read. Or needn't be
 * known: where a region file has holes. */
static bool is_tried_again(void)
{
	const char *tail = strrchr(k.m->first_failed_name, '_');

	return k.m->first_failed == MEM_OPEN || k.m->first_failed == MEM_NEXT_DATA ||
	       (k.m->first_failed == MEM_PREAD && tail && strcmp(tail, "_0"));
}

/* Each call fails, alone or with all that follow. */
static void each_fails(unsigned long ops, bool on)
{
	unsigned findings, silent = 0, odd = 0;
	uint64_t errors;

	for (unsigned long i = 1; i <= ops; i++) {
		enum cim_status status;

		k.m->fail_at = k.m->ops + i;
		k.m->fail_on = on;
		k.m->fail_status = CIM_E_IO;
		k.m->failed = 0;
		status = check(&errors, &findings);
		k.m->fail_at = 0;
		if (!k.m->failed)
			bail("call %lu isn't made", i);
		odd += (status && status != CIM_E_IO) || errors || findings;
		if (!status && (on || !is_tried_again()) && silent++ < 5)
			diag("call %lu of %lu, %s of %s: nobody says so", i, ops,
			     mem_op_names[k.m->first_failed], k.m->first_failed_name);
		kit_clean(&k, "after a failed call");
	}
	is_int(silent, 0, "each of %lu calls that fails%s ends the check", ops,
	       on ? ", with all that follow," : "");
	is_int(odd, 0, "by the error that came up, and nothing is called broken");
}

/* Directories without names may have one table, which leads nowhere twice. */
static void shared_by_empty_ones(void)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct mini *m = mini_new();
	struct mini_link links[2];
	struct cim_image *image;
	unsigned findings = 0;
	size_t length;
	uint64_t table;

	mini_set_of(m, 1, 3, 3);
	mini_put_upcase(m, 0);
	table = mini_table(m, 0, NULL, 0, 4, false, 0, &length);
	for (unsigned i = 0; i < 2; i++) {
		const uint32_t id = mini_record(m);

		mini_stream(m, id, table, length, 1, false);
		links[i] = mini_link(i ? "b" : "a", id, 0);
	}
	m->root = mini_record(m);
	mini_field(m, m->root, 88, m->root, 4);
	mini_finish_dir(m, "e.cim", 0, links, 2, true);
	image = mini_open(m, "mem/e.cim");
	must(&k, cim_image_verify(image, 0, count_findings, &findings, &result, &k.err));
	is_int((int64_t)result.errors, 0, "empty directories share an empty table");
	cim_image_close(image);
	mini_free(m);
}

struct told {
	unsigned count;
	char text[600]; /* the errors, a line each */
	char last[200];
};

static int take_errors(void *ctx, const struct cim_finding *finding)
{
	struct told *told = ctx;
	const size_t len = strlen(told->text);

	if (finding->severity != CIM_ERROR)
		return 0;
	told->count++;
	snprintf(told->last, sizeof(told->last), "%s", finding->message);
	snprintf(told->text + len, sizeof(told->text) - len, "%s: %s: %.24s\n", finding->path,
		 finding->structure, finding->message);
	return 0;
}

static void finds(struct mini *m, const char *want, const char *what)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = mini_open(m, "mem/e.cim");
	struct told told = {0};

	must(&k, cim_image_verify(image, 0, take_errors, &told, &result, &k.err));
	is_str(told.text, want, "%s", what);
	cim_image_close(image);
	mini_free(m);
}

/* What several items have and is broken is told in full of the first, of the others that it is so.
 */
static void shared_and_broken(void)
{
	static const struct mini_mapping backwards[] = {{0, 0}, {0x900, 0}, {0x500, 0}};
	struct mini *m = mini_new();
	struct mini_link links[3], names[2];
	uint64_t offset;
	size_t length;

	mini_begin(m, 3, 0);
	offset = mini_pe(m, 0, mini_put(m, 1, k.err.cause, 0x200, 4096), 0x200, backwards, 3);
	for (unsigned i = 0; i < 3; i++) {
		links[i] = mini_link(i == 2 ? "c" : i ? "b" : "a", mini_record(m), 0);
		mini_stream(m, (uint32_t)links[i].value[0], offset, 0x1000, 2, false);
	}
	mini_field(m, m->root, 88, m->root, 4);
	mini_finish_dir(m, "e.cim", 0, links, 3, true);
	finds(m,
	      "/a: PE image: the mapping at file offs\n"
	      "/b: PE image: it is that of another it\n"
	      "/c: PE image: it is that of another it\n",
	      "a PE image of three files");

	m = mini_new();
	mini_begin(m, 3, 0);
	names[0] = mini_link("y", mini_plain(m, 2, "1", 1), 0);
	names[1] = mini_link("x", mini_plain(m, 2, "2", 1), 0);
	offset = mini_table(m, 0, names, 2, 4, false, 0, &length);
	for (unsigned i = 0; i < 2; i++) {
		links[i] = mini_link(i ? "b" : "a", mini_record(m), 0);
		mini_stream(m, (uint32_t)links[i].value[0], offset, length, 1, false);
	}
	mini_field(m, m->root, 88, m->root, 4);
	mini_finish_dir(m, "e.cim", 0, links, 2, true);
	finds(m,
	      "/a/x: link table: not sorted: the name bel\n"
	      "/b: link table: it is that of another it\n",
	      "an unsorted table of two directories");
}

/* How often a check reads of an image in which @count files have the same data, or PE image. */
static unsigned long reads_of(unsigned count, bool pe)
{
	static const struct mini_mapping mappings[] = {{0x200, 0x10}, {0x400, 0x20}, {0x600, 0x30}};
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct mini *m = mini_new();
	struct cim_image *image;
	struct mini_link links[20];
	static char names[20][3];
	uint64_t data, place;
	unsigned long reads;

	mini_begin(m, 3, 0);
	data = mini_put(m, 1, k.err.cause, 0x200, 4096);
	place = pe ? mini_pe(m, 0, data, 0x200, mappings, 3) : data;
	for (unsigned i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "%c", 'a' + i);
		links[i] = mini_link(names[i], mini_record(m), 0);
		mini_stream(m, (uint32_t)links[i].value[0], place, 0x180, pe ? 2 : 0, false);
	}
	mini_field(m, m->root, 88, m->root, 4);
	mini_finish_dir(m, "e.cim", 0, links, count, true);
	m->fs->never_alloc = CACHE_BLOCK;
	image = mini_open(m, "mem/e.cim");
	reads = m->fs->count[MEM_PREAD];
	must(&k, cim_image_verify(image, 0, NULL, NULL, &result, &k.err));
	is_int((int64_t)result.errors, 0, "%u files have one %s", count,
	       pe ? "PE image" : "stream");
	reads = m->fs->count[MEM_PREAD] - reads;
	cim_image_close(image);
	mini_free(m);
	return reads;
}

/* Of a PE image that a file before had each more costs the reading of its header alone. */
static void shared_and_sound(void)
{
	const unsigned long plain = reads_of(20, false) - reads_of(10, false);
	const unsigned long pe = reads_of(20, true) - reads_of(10, true);

	is_int((int64_t)pe, (int64_t)plain + 10, "10 more files with a PE image: reads");
}

/* ---- holes ---- */

enum { HUGE_IDS = 2000000000 };

/* An object ID file of that many entries for a region file: one for what lies in a hole, all others
 * lie in one themselves. */
static void put_huge_ids(struct memfs *fs, const char *region)
{
	const uint64_t size = CIM_SIZE(objectid_header) + HUGE_IDS * (uint64_t)CIM_SIZE(objectid);
	uint8_t bytes[CIM_SIZE(objectid_header) + CIM_SIZE(objectid)] = {0};
	char name[100];

	cim_common_header_encode(bytes, CIM_SIZE(objectid_header), CIM_FILE_OBJECT_ID, 2, 0);
	cim_put16(bytes + CIM_OFF(objectid_header, index), 1);
	cim_put16(bytes + CIM_OFF(objectid_header, type), CIM_REGION_DATA);
	cim_put32(bytes + CIM_OFF(objectid_header, table_offset), CIM_SIZE(objectid_header));
	cim_put32(bytes + CIM_OFF(objectid_header, count), HUGE_IDS);
	cim_put64(bytes + sizeof(bytes) - CIM_SIZE(objectid), UINT64_C(1) << 46);
	cim_put64(bytes + sizeof(bytes) - CIM_SIZE(objectid) + CIM_OFF(objectid, offset), 1 << 20);
	memcpy(bytes + sizeof(bytes) - 8 - CIM_DIGEST_TAG_SIZE, CIM_DIGEST_TAG,
	       CIM_DIGEST_TAG_SIZE);
	snprintf(name, sizeof(name), "objectid_%s", region + strlen("region_"));
	memfs_put(fs, name, bytes, sizeof(bytes));
	memfs_poke(fs, name, size - 1, "", 1);
}

/* Two files: one of a few bytes, one of 2^46 behind them, and the region file has 2^60. */
static struct kit kit_of_holes(void)
{
	struct mini *m = mini_new();
	struct mini_link links[2];
	struct kit h = kit_new();
	const char *region;

	mini_begin(m, 3, 0);
	links[0] = mini_link("hole", mini_record(m), 0);
	mini_stream(m, (uint32_t)links[0].value[0], UINT64_C(1) << 48 | 1 << 20, UINT64_C(1) << 46,
		    0, false);
	links[1] = mini_link("there", mini_plain(m, 1, "text", 4), 0);
	mini_field(m, m->root, 88, m->root, 4);
	mini_finish_dir(m, "e.cim", 0, links, 2, true);
	for (size_t i = 0; i < m->file_count; i++)
		memfs_put(h.m, m->files[i].name, m->files[i].bytes, m->files[i].size);
	region = mini_region_file(m, 1)->name;
	memfs_poke(h.m, region, (UINT64_C(1) << 60) - 1, "", 1);
	put_huge_ids(h.m, region);
	mini_free(m);
	return h;
}

/* What a file says of its size takes neither time nor memory. */
static void holes(void)
{
	struct kit h = kit_of_holes();
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image = NULL;
	struct told told = {0};
	unsigned long reads;
	long before;

	must(&h, cim_image_open(&h.env, "mem/e.cim", &image, &h.err));
	before = h.m->bytes;
	reads = h.m->count[MEM_PREAD];
	must(&h, cim_image_verify(image, CIM_VERIFY_DEEP, take_errors, &told, &result, &h.err));
	reads = h.m->count[MEM_PREAD] - reads;
	ok(h.m->peak_bytes - before < 4 << 20,
	   "a region file of 2^60 bytes: checked with %ld bytes", h.m->peak_bytes - before);
	ok(reads < 200, "in %lu reads", reads);
	is_int(told.count, 8 + 1, "an object ID file of nothing but a hole: its errors");
	ok(strstr(told.last, "1999999999 entries in all don't lie within") != NULL,
	   "which say so: %s", told.last);
	is_int((int64_t)result.streams_digest, 0,
	       "and what lies in a hole isn't digested for ever");
	cim_image_close(image);
	kit_free(&h);
}

int main(void)
{
	unsigned long ops, cached;
	unsigned findings;
	uint64_t errors;

	k = kit_new();
	make_io_image(&k);
	ops = k.m->ops;
	must(&k, check(&errors, &findings));
	ops = k.m->ops - ops;
	is_int(findings, 0, "nothing is found where nothing fails");
	ok(ops > 50, "a check makes %lu calls", ops);
	each_fails(ops, false);
	each_fails(ops, true);
	/* A block that was read before may be given up, and fails when it is read again. */
	k.m->never_alloc = CACHE_BLOCK;
	cached = ops;
	ops = k.m->ops;
	must(&k, check(&errors, &findings));
	ops = k.m->ops - ops;
	ok(ops > 2 * cached, "without a cache it makes %lu calls", ops);
	each_fails(ops, false);
	shared_by_empty_ones();
	shared_and_broken();
	shared_and_sound();
	holes();
	kit_free(&k);
	return tap_done();
}
