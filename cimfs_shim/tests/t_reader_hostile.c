/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the reader makes of broken images and failing systems. Everything is read from each of
 * thousands of damaged images; nothing may crash (the sanitizer build makes sure), go on for ever,
 * take memory out of proportion, leave anything open, or answer other than by the statuses that a
 * damaged image may have.
 */
#include "minisample.h"
#include "tap.h"

#define BIT(status) (1u << (status))

/* More than this at once would be out of proportion: blocks of the cache, the upcase table, and
 * what a walk needs. The sample has less than 200 KB. */
#define MEMORY_LIMIT (3L << 20)

static struct cim_error err;

/* What a damaged image may answer: names may have changed, so they aren't found. */
static const unsigned damaged = BIT(CIM_E_CORRUPT) | BIT(CIM_E_VERSION) |
				BIT(CIM_E_FILE_NOT_FOUND) | BIT(CIM_E_PATH_NOT_FOUND) |
				BIT(CIM_E_INVALID);

struct tally {
	unsigned tried, changed, refused, bad;
};

/* Read all of an image that was damaged; count what must not be. */
static void judge(struct mini *m, uint64_t digest, unsigned allowed, const char *what, size_t at,
		  struct tally *tally)
{
	struct read_all all;
	bool bad;

	m->fs->peak_bytes = 0;
	read_all(&m->env, "mem/s.cim", &all);
	tally->tried++;
	tally->changed += all.digest != digest;
	tally->refused += all.failed != 0;
	bad = all.endless || (all.statuses & ~allowed) || !mini_is_clean(m) ||
	      m->fs->peak_bytes > MEMORY_LIMIT;
	/* A read that failed nowhere, of fewer items, would be a silent loss; the caller knows
	 * where that can't happen. */
	if (bad && ++tally->bad <= 5)
		diag("%s at %zu: statuses %#x, endless %d, %ld blocks, %ld files, %ld bytes; %s",
		     what, at, all.statuses, all.endless, m->fs->blocks, m->fs->open_files,
		     m->fs->peak_bytes, all.err.cause);
}

static uint64_t digest_of(struct mini *m)
{
	struct read_all all;

	if (read_all(&m->env, "mem/s.cim", &all) || all.failed)
		bail("the sample can't be read: %s", all.err.cause);
	return all.digest;
}

static void flip_file(struct mini *m, struct mem_flat *file, size_t limit, uint64_t digest)
{
	struct tally tally = {0, 0, 0, 0};

	for (size_t i = 0; i < file->size && i < limit; i++) {
		const uint8_t old = file->bytes[i];
		const uint8_t values[] = {0,
					  1,
					  0xff,
					  (uint8_t)(old ^ 0x80),
					  (uint8_t)(old + 1),
					  (uint8_t)(old - 1),
					  (uint8_t)(old + 8)};

		for (size_t v = 0; v < sizeof(values); v++) {
			if (values[v] == old)
				continue;
			file->bytes[i] = values[v];
			judge(m, digest, damaged, file->name, i, &tally);
		}
		file->bytes[i] = old;
	}
	is_int(tally.bad, 0,
	       "%s: each byte changed: %u images, %u of them read differently, "
	       "%u refused in part",
	       file->name, tally.tried, tally.changed, tally.refused);
	ok(tally.refused > tally.tried / 20, "%s: many of them are refused", file->name);
}

static void test_flips(void)
{
	struct mini *m = mini_sample();
	uint64_t digest = digest_of(m);

	flip_file(m, mini_find(m, "s.cim"), SIZE_MAX, digest);
	flip_file(m, mini_region_file(m, SAMPLE_META), SIZE_MAX, digest);
	flip_file(m, mini_region_file(m, SAMPLE_DATA), 40, digest);
	flip_file(m, mini_region_file(m, SAMPLE_UPCASE), 40, digest);
	is_hex(digest_of(m), digest, "the sample is whole again");
	mini_free(m);
}

/* Random words over random places, several at a time. */
static void test_scramble(void)
{
	static const uint64_t words[] = {0,
					 1,
					 7,
					 8,
					 40,
					 0x7fff,
					 0xffff,
					 0x7fffffff,
					 0xfffffff8,
					 0xffffffff,
					 UINT64_C(0xffffffffffff),
					 UINT64_C(0x7fffffffffffffff),
					 UINT64_C(0xffffffffffffffff),
					 UINT64_C(3) << 48 | 40};
	const char *text = getenv("CIM_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 20260101, x = seed * 2 + 1;
	struct mini *m = mini_sample();
	struct mem_flat *file = mini_region_file(m, SAMPLE_META);
	uint64_t digest = digest_of(m);
	uint8_t *copy = (uint8_t *)malloc(file->size);
	struct tally tally = {0, 0, 0, 0};

	diag("seed %llu", (unsigned long long)seed);
	memcpy(copy, file->bytes, file->size);
	for (unsigned round = 0; round < 4000; round++) {
		for (unsigned n = 0; n <= round % 4; n++) {
			size_t bytes, at;

			x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			bytes = (size_t)1 << (1 + (x >> 40) % 3);
			at = (size_t)(x >> 20) % (file->size - 8) & ~(bytes - 1);
			mini_le(file->bytes + at, words[(x >> 50) % 14] + (x >> 60) % 2,
				(int)bytes);
		}
		judge(m, digest, damaged, "scrambled", round, &tally);
		memcpy(file->bytes, copy, file->size);
	}
	is_int(tally.bad, 0, "random words in random places: %u images, %u refused in part",
	       tally.tried, tally.refused);
	free(copy);
	mini_free(m);
}

static void test_truncation(void)
{
	struct mini *m = mini_sample();
	uint64_t digest = digest_of(m);

	for (size_t f = 0; f < m->file_count; f++) {
		struct mem_flat *file = &m->files[f];
		const bool image = !strcmp(file->name, "s.cim");
		const size_t whole = file->size;
		struct tally tally = {0, 0, 0, 0};

		/* The upcase table is long and all alike. */
		for (size_t size = 0; size < whole; size += image			    ? 1
							    : size > 4000 && whole > 100000 ? 4096
											    : 8) {
			unsigned missed = tally.refused;

			file->size = size;
			judge(m, digest,
			      BIT(CIM_E_CORRUPT) | BIT(CIM_E_FILE_NOT_FOUND) |
				      BIT(CIM_E_PATH_NOT_FOUND),
			      file->name, size, &tally);
			/* A region nobody needs may be short; else a loss is always told. */
			if (tally.refused == missed)
				tally.bad += tally.changed != 0;
			tally.changed = 0;
		}
		file->size = whole;
		is_int(tally.bad, 0, "%s: cut short: %u images, %u refused in part", file->name,
		       tally.tried, tally.refused);
	}
	is_hex(digest_of(m), digest, "the sample is whole again");
	mini_free(m);
}

static void test_missing_files(void)
{
	struct mini *m = mini_sample();

	for (size_t f = 0; f < m->file_count; f++) {
		struct read_all all;
		char name[300];
		enum cim_status status;

		strcpy(name, m->files[f].name);
		mini_rename(m, &m->files[f], "gone");
		status = read_all(&m->env, "mem/s.cim", &all);
		if (!strcmp(name, "s.cim")) {
			is_str(cim_status_name(status), "CIM_E_FILE_NOT_FOUND", "no image file");
		} else {
			bool needed = f != 2; /* the parent's small data region has nothing in it */

			ok(needed ? (all.statuses & BIT(CIM_E_CORRUPT)) &&
					    strstr(all.err.cause, name) &&
					    strstr(all.err.cause, "missing")
				  : !all.failed,
			   "%s missing: %s", name, needed ? all.err.cause : "nobody needs it");
		}
		mini_rename(m, &m->files[f], name);
	}
	mini_free(m);
}

/* The n-th allocation, or the n-th call of the file system, fails. */
static void sweep(bool io)
{
	struct mini *m = mini_sample();
	const unsigned allowed = BIT(io ? CIM_E_IO : CIM_E_NO_MEMORY) | BIT(CIM_E_FILE_NOT_FOUND);
	uint64_t digest = digest_of(m);
	unsigned wrong = 0, failed = 0, silent = 0, lies = 0;
	struct memfs *fs = m->fs;
	unsigned long n = 0;

	for (;;) {
		struct read_all all, again;
		struct cim_image *image;
		bool done;

		memset(&all, 0, sizeof(all));
		memset(&again, 0, sizeof(again));
		all.digest = again.digest = UINT64_C(0xcbf29ce484222325);
		n++;
		fs->failed = fs->failed_allocs = 0;
		fs->fail_at = io ? fs->ops + n : 0;
		fs->fail_alloc = io ? 0 : fs->allocs + n;
		if (note(&all, cim_image_open(&m->env, "mem/s.cim", &image, &all.err))) {
			read_image(image, &all);
			done = !fs->failed && !fs->failed_allocs;
			fs->fail_at = fs->fail_alloc = 0;
			/* The trouble has passed, and nothing of it has stayed in a cache. */
			read_image(image, &again);
			lies += again.failed || again.digest != digest;
			cim_image_close(image);
		} else {
			done = false;
		}
		failed += all.failed != 0;
		silent += !all.failed;
		lies += !all.failed && all.digest != digest;
		wrong += (all.statuses & ~allowed) || !mini_is_clean(m);
		if (done)
			break;
	}
	is_int(wrong, 0, "%s number 1 to %lu fails: statuses are right, nothing stays behind",
	       io ? "file system call" : "allocation", n - 1);
	is_int(lies, 0, "a read without an error, or after one, is right (%u with, %u without)",
	       failed, silent);
	ok(failed >= (io ? 20u : 10u), "most failures are told: %u", failed);
	mini_free(m);
}

/* A walk of an image: items, and the failures by the way. */
struct walked {
	unsigned items, corrupt, other;
	bool endless;
	char last[1024];
};

static struct walked walk_mini(struct mini *m, const char *path, unsigned most)
{
	struct walked walked = {0, 0, 0, false, ""};
	const struct cim_walk_item *item;
	const struct cim_image_info *info;
	struct cim_image *image;
	struct cim_walk *walk;

	image = mini_open(m, path);
	info = cim_image_get_info(image);
	if (cim_walk_open(image, info->root_id, &walk, &err))
		bail("%s: %s", path, err.cause);
	for (;;) {
		/* Writing down millions of errors would take the most time here. */
		const bool tell = walked.corrupt < 100;
		enum cim_status status = cim_walk_next(walk, &item, tell ? &err : NULL);

		if (walked.items + walked.corrupt > most) {
			walked.endless = true;
			break;
		}
		if (status) {
			*(status == CIM_E_CORRUPT ? &walked.corrupt : &walked.other) += 1;
			if (tell)
				snprintf(walked.last, sizeof(walked.last), "%s", err.path);
			continue;
		}
		if (!item)
			break;
		walked.items++;
	}
	cim_walk_close(walk);
	cim_image_close(image);
	return walked;
}

static void test_cycles(void)
{
	struct mini *m = mini_new();
	struct mini_link links[4];
	struct walked walked;
	uint32_t a, b;

	mini_begin(m, 1, 0);
	a = mini_record(m);
	b = mini_record(m);
	links[0] = mini_link("a", a, 0);
	links[1] = mini_link("b", b, 0); /* also in a: a DAG */
	links[2] = mini_link("self", m->root, 0);
	links[3] = mini_link("z", mini_plain(m, 0, "z", 1), 0);
	mini_dir(m, m->root, 0, links, 4, true);
	links[0] = mini_link("b", b, 0);
	links[1] = mini_link("up", m->root, 0);
	mini_dir(m, a, 0, links, 2, true);
	links[0] = mini_link("loop", a, 0);
	links[1] = mini_link("none", 99, 0);
	mini_dir(m, b, 0, links, 2, true);
	mini_finish(m, "c.cim", 0);
	walked = walk_mini(m, "mem/c.cim", 100);
	ok(!walked.endless, "a walk of cycles ends");
	is_int(walked.items, 4, "each directory is met once, and what is behind a cycle");
	is_int(walked.corrupt, 5, "second meetings, and a FileID that isn't there, are told");
	is_str(walked.last, "self", "the error names the path");
	mini_free(m);
}

static void test_skip(void)
{
	struct mini *m = mini_sample();
	const struct cim_walk_item *item;
	struct cim_image *image;
	struct cim_walk *walk = NULL;
	unsigned below = 0, items = 0;

	if (cim_image_open(&m->env, "mem/s.cim", &image, &err) ||
	    cim_walk_open(image, 1, &walk, &err))
		bail("%s", err.cause);
	while (!cim_walk_next(walk, &item, &err) && item) {
		items++;
		below += !strncmp(item->path, "dir/", 4);
		if (!strcmp(item->path, "dir"))
			cim_walk_skip(walk);
	}
	is_int(below, 0, "a skipped directory isn't entered");
	is_int(items, 11, "the walk goes on behind it");
	cim_walk_close(walk);
	/* From a file, and from a FileID that isn't there. */
	cim_walk_open(image, 7, &walk, &err);
	ok(!cim_walk_next(walk, &item, &err) && item && !item->info->is_directory, "from a file");
	ok(!cim_walk_next(walk, &item, &err) && !item, "which is all");
	cim_walk_close(walk);
	cim_walk_open(image, 999, &walk, &err);
	is_str(cim_status_name(cim_walk_next(walk, &item, &err)), "CIM_E_CORRUPT",
	       "from a FileID that isn't there");
	ok(!cim_walk_next(walk, &item, &err) && !item, "and the end");
	cim_walk_close(walk);
	cim_walk_close(NULL);
	cim_image_close(image);
	mini_free(m);
}

/* A chain of directories with long names: the path's length bounds the depth. */
static void test_deep(void)
{
	enum { DEPTH = 20000 };

	for (int wide = 0; wide < 2; wide++) {
		struct mini *m = mini_new();
		struct walked walked;
		char name[201];
		unsigned expect = wide ? 1 + 32767 / 201 : 1 + 32768 / 2;

		memset(name, 'n', sizeof(name));
		name[wide ? 200 : 1] = 0;
		mini_set_of(m, 1, 1, 1);
		mini_put_upcase(m, 0);
		for (unsigned i = 0; i < DEPTH; i++)
			mini_record(m);
		for (unsigned i = 0; i + 1 < DEPTH; i++) {
			struct mini_link link = mini_link(name, i + 2, 0);

			mini_dir(m, i + 1, 0, &link, 1, true);
		}
		mini_finish(m, "d.cim", 0);
		walked = walk_mini(m, "mem/d.cim", DEPTH);
		ok(!walked.endless && walked.corrupt == 1,
		   "a chain of %d directories ends with an error", DEPTH);
		is_int(walked.items, expect, "at a path of 32,767 units, names of %d",
		       wide ? 200 : 1);
		mini_free(m);
	}
}

/* Thousands of directories that share one table of thousands of directories. */
static void test_shared_tables(void)
{
	enum { DIRS = 3000 };
	struct mini *m = mini_new();
	struct mini_link *links = (struct mini_link *)calloc(DIRS, sizeof(*links));
	struct walked walked;
	uint64_t all, offset;

	mini_begin(m, 2, 1);
	for (unsigned i = 0; i < DIRS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i);
		links[i] = mini_link(name, mini_record(m), 0);
	}
	mini_dir(m, m->root, 0, links, DIRS, true);
	memcpy(&offset, m->records[0] + 40, 8);
	memcpy(&all, m->records[0] + 48, 8);
	for (unsigned i = 0; i < DIRS; i++) {
		mini_field(m, i + 2, 40, offset, 8);
		mini_field(m, i + 2, 48, all, 8);
	}
	mini_finish(m, "b.cim", 0);
	walked = walk_mini(m, "mem/b.cim", DIRS * DIRS / 2);
	ok(!walked.endless && !walked.other,
	   "3,000 directories with the same 3,000 directories in them: %u items, %u errors",
	   walked.items, walked.corrupt);
	free(links);
	mini_free(m);
}

struct told {
	unsigned directories;
	unsigned broken;
	unsigned stop_at;
};

static int hear(void *ctx, uint32_t dir_id, const struct cim_error *why)
{
	struct told *told = ctx;

	(void)dir_id;
	if (why)
		told->broken++;
	return !why && ++told->directories == told->stop_at;
}

/* The root's @dirs directories share a table of @files names: it is gone through once, and counts
 * for each. */
static void count_links(struct mini *m, const char *path, unsigned dirs, unsigned files)
{
	struct told told = {0};
	struct cim_links *links;
	struct cim_image *image = mini_open(m, path);
	unsigned names = 0;

	ok(!cim_links_open(image, hear, &told, &links, &err), "%s: links counted: %s", path,
	   err.cause);
	for (uint32_t id = 1; id <= 1 + dirs + files; id++)
		names += cim_links_count(links, id) == dirs;
	is_int(names, 1 + files, "each file has a name in each directory, the root all of these");
	is_int((long)cim_links_several(links), files, "all files have several");
	is_int(cim_links_count(links, 0) + cim_links_count(links, UINT32_MAX), 0,
	       "a FileID that isn't there has none");
	is_int(told.directories, 1 + dirs, "each directory is told of");
	is_int(told.broken, 0, "and none as broken");
	cim_links_close(links);
	told.stop_at = told.directories + 3;
	is_str(cim_status_name(cim_links_open(image, hear, &told, &links, &err)), "CIM_E_ABORTED",
	       "who listens may stop it");
	ok(!links, "and then there are none");
	cim_image_close(image);
}

/* Two directories may share a table of files: a writer may store equal tables once. */
static void test_shared_is_fine(void)
{
	enum { DIRS = 200, FILES = 300 };
	struct mini *m = mini_new();
	struct mini_link links[FILES];
	struct walked walked;
	uint64_t table;
	size_t length;

	mini_begin(m, 1, 0);
	for (unsigned i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%03u", i);
		links[i] = mini_link(name, mini_plain(m, 0, name, 4), 0);
	}
	table = mini_table(m, 0, links, FILES, 4, false, 0, &length);
	for (unsigned i = 0; i < DIRS; i++) {
		char name[16];
		uint32_t id = mini_record(m);

		snprintf(name, sizeof(name), "d%03u", i);
		links[i] = mini_link(name, id, 0);
		mini_stream(m, id, table, length, 1, false);
	}
	mini_finish_dir(m, "e.cim", 0, links, DIRS, true);
	walked = walk_mini(m, "mem/e.cim", 100000);
	is_int(walked.corrupt, 0, "200 directories share a table of 300 files without errors");
	is_int(walked.items, 1 + DIRS + DIRS * FILES, "and all of it is visited");
	count_links(m, "mem/e.cim", DIRS, FILES);
	mini_free(m);
}

/* Single rules, each broken by itself: the cause must be the right one. */
static void refused(struct mini *m, const char *name, const char *cause)
{
	struct cim_image *image = NULL;
	enum cim_status status = cim_image_open(&m->env, "mem/s.cim", &image, &err);

	ok(status == CIM_E_CORRUPT && strstr(err.cause, cause), "%s: %s", name,
	   status ? err.cause : "opened");
	cim_image_close(image);
	mini_free(m);
}

static uint8_t *header_of(struct mini *m)
{
	return mini_find(m, "s.cim")->bytes;
}

/* The filesystem object of the sample: the last object of its region. */
static uint8_t *filesystem_of(struct mini *m)
{
	struct mem_flat *file = mini_region_file(m, SAMPLE_META);

	return file->bytes + file->size - 24;
}

static void test_rules(void)
{
	struct mini *m;

	m = mini_sample();
	header_of(m)[0] = 'C';
	refused(m, "magic of the image", "does not begin");
	m = mini_sample();
	header_of(m)[12] = 1;
	refused(m, "type of the image", "type 1");
	m = mini_sample();
	mini_le(header_of(m) + 32 + 16, 0, 2);
	refused(m, "an own set without regions", "no regions");
	m = mini_sample();
	mini_le(header_of(m) + 70, 2, 2);
	refused(m, "more parents than the file has", "cut short");
	m = mini_sample();
	mini_le(header_of(m) + 56, UINT64_C(6) << 48 | 40, 8);
	refused(m, "a region that the image doesn't have", "no region 6");
	m = mini_sample();
	mini_le(header_of(m) + 56, UINT64_C(3) << 48 | 39, 8);
	refused(m, "an object in a region's header", "offset 39");
	m = mini_sample();
	mini_le(header_of(m) + 56, UINT64_C(3) << 48 | UINT64_C(0xffffffffffff), 8);
	refused(m, "an object at the largest offset", "doesn't hold");
	m = mini_sample();
	mini_region_file(m, SAMPLE_META)->bytes[32] = 1;
	refused(m, "another region's index", "number 1");
	m = mini_sample();
	mini_region_file(m, SAMPLE_META)->bytes[34] = 3;
	refused(m, "an unknown region type", "type 3");
	m = mini_sample();
	mini_region_file(m, SAMPLE_META)->bytes[12] = 2;
	refused(m, "a region file that says it is something else", "type 2");
	m = mini_sample();
	mini_region_file(m, SAMPLE_META)->size = 39;
	refused(m, "a region file shorter than its header", "shorter than its header");
	m = mini_sample();
	mini_le(filesystem_of(m) + 20, 0, 4);
	refused(m, "no root", "root's FileID 0");
	m = mini_sample();
	mini_le(filesystem_of(m) + 20, 1025, 4);
	refused(m, "a root behind the last table", "root's FileID 1025");
	m = mini_sample();
	mini_le(filesystem_of(m) + 16, 0, 4);
	refused(m, "no file tables", "0 file tables");
	m = mini_sample();
	mini_le(filesystem_of(m) + 16, 1000, 4);
	refused(m, "a file table directory past the region's end", "doesn't hold 16000 bytes");
	m = mini_sample();
	mini_le(filesystem_of(m) + 16, UINT32_MAX, 4);
	refused(m, "more file tables than FileIDs", "more than FileIDs");
}

/*
 * A directory of two names, "ab" and "cd", and a file with two streams of these names; the bytes of
 * a directory's table:
 *
 *	0 length 36   4 count 2   8, 12 FileIDs   16, 20 name offsets   24, 30 names
 *
 * and of a stream table:
 *
 *	0 length 60   4 count 2   8, 24 streams   40, 44 name offsets   48, 54 names
 */
struct link_image {
	struct mini *m;
	uint64_t dir, streams; /* where the tables lie */
};

static struct link_image make_link_image(void)
{
	struct link_image li;
	struct mini_link links[2];
	uint8_t *padding;
	size_t length;

	li.m = mini_new();
	mini_begin(li.m, 2, 1);
	links[0] = mini_link("ab", mini_plain(li.m, 1, "1", 1), 0);
	links[1] = mini_link("cd", mini_plain(li.m, 1, "2", 1), 0);
	li.dir = mini_table(li.m, 0, links, 2, 4, false, 0, &length);
	mini_stream(li.m, li.m->root, li.dir, length, 1, false);
	links[0] = mini_link("ab", (uint64_t)1 << 48 | 40, 1);
	links[1] = mini_link("cd", (uint64_t)1 << 48 | 40, 1);
	li.streams = mini_table(li.m, 0, links, 2, 16, false, 0, &length);
	mini_field(li.m, li.m->root, 80, li.streams, 8);
	/* What would be read of it if nobody looked at lengths. */
	padding = (uint8_t *)calloc(1, 2000);
	mini_put(li.m, 0, padding, 2000, 1);
	free(padding);
	mini_finish(li.m, "l.cim", 0);
	return li;
}

static void judge_links(struct link_image *li, bool refused, const char *name)
{
	struct cim_image *image;
	unsigned failed[2] = {0, 0}, other = 0;

	image = mini_open(li->m, "mem/l.cim");
	for (int streams = 0; streams < 2; streams++) {
		struct cim_iter *iter;
		const struct cim_entry *entry;
		bool more = true;
		enum cim_status status = streams ? cim_iter_streams(image, 1, &iter, &err)
						 : cim_iter_dir(image, 1, &iter, &err);

		failed[streams] += status == CIM_E_CORRUPT;
		other += status && status != CIM_E_CORRUPT;
		for (unsigned i = 0; !status && more && i < 10; i++) {
			enum cim_status next = cim_iter_next(iter, &entry, &err);

			failed[streams] += next == CIM_E_CORRUPT;
			other += next && next != CIM_E_CORRUPT;
			more = entry || next;
		}
		if (!status)
			cim_iter_close(iter);
	}
	ok(!other && (refused ? failed[0] && failed[1] : !failed[0] && !failed[1]),
	   "link tables: %s: %s", name, failed[0] || failed[1] ? err.cause : "read");
	cim_image_close(image);
	mini_free(li->m);
}

static void test_link_rules(void)
{
	static const struct {
		const char *name;
		bool refused;
		unsigned at[2]; /* in the directory's table, in the stream table */
		unsigned bytes;
		uint64_t value[2];
	} cases[] = {
		{"as they are", false, {0, 0}, 4, {36, 60}},
		{"the last name ends one unit behind the table", true, {30, 54}, 2, {3, 3}},
		{"a name of no units", true, {24, 48}, 2, {0, 0}},
		{"a name of 256 units", true, {24, 48}, 2, {256, 256}},
		{"a name's length at the table's end", true, {20, 44}, 4, {36, 60}},
		{"a name's length across the table's end", true, {20, 44}, 4, {35, 59}},
		{"a name in the arrays", true, {20, 44}, 4, {12, 16}},
		{"a name offset of 4 GiB", true, {20, 44}, 4, {0xffffffff, 0xffffffff}},
		{"two names in the same place", false, {20, 44}, 4, {24, 48}},
		{"a length that leaves out the last unit", true, {0, 0}, 4, {34, 58}},
		{"a length without names", true, {0, 0}, 4, {24, 48}},
		{"a length too short for the arrays", true, {0, 0}, 4, {23, 47}},
		{"no length", true, {0, 0}, 4, {0, 0}},
		{"a length of more than the place has", true, {0, 0}, 4, {37, 0x10000000}},
		{"a count of one more", true, {4, 4}, 4, {3, 3}},
		{"a count of 2^32-1", true, {4, 4}, 4, {0xffffffff, 0xffffffff}},
		{"a count of none", false, {4, 4}, 4, {0, 0}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link_image li = make_link_image();
		uint8_t *bytes = mini_region_file(li.m, 0)->bytes;

		mini_le(bytes + (uint32_t)li.dir + cases[i].at[0], cases[i].value[0],
			(int)cases[i].bytes);
		mini_le(bytes + (uint32_t)li.streams + cases[i].at[1], cases[i].value[1],
			(int)cases[i].bytes);
		judge_links(&li, cases[i].refused, cases[i].name);
	}
}

/* What a stream says of itself. */
static void test_stream_rules(void)
{
	static const struct {
		const char *name;
		uint64_t offset, length;
		unsigned type;
		bool sparse;
		enum cim_status want;
	} cases[] = {
		{"as it should be", UINT64_C(1) << 48 | 40, 1, 0, false, CIM_OK},
		{"no bytes at no place", 0, 0, 0, false, CIM_OK},
		{"bytes at no place", 0, 1, 0, false, CIM_E_CORRUPT},
		{"bytes in a region's header", UINT64_C(1) << 48 | 39, 1, 0, false, CIM_E_CORRUPT},
		{"bytes in no region", UINT64_C(2) << 48 | 40, 1, 0, false, CIM_E_CORRUPT},
		{"2^48-1 bytes", UINT64_C(1) << 48 | 40, (UINT64_C(1) << 48) - 1, 0, false,
		 CIM_E_CORRUPT},
		{"2^48-1 bytes, sparse", 0, (UINT64_C(1) << 48) - 1, 0, true, CIM_OK},
		{"an unknown type", UINT64_C(1) << 48 | 40, 1, 3, false, CIM_E_CORRUPT},
		{"a type of 255", UINT64_C(1) << 48 | 40, 1, 255, false, CIM_E_CORRUPT},
		{"a sparse PE image", UINT64_C(1) << 48 | 40, 1, 2, true, CIM_E_CORRUPT},
		{"a directory", 0, 0, 1, false, CIM_E_ACCESS},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mini *m = mini_new();
		struct mini_link link;
		struct cim_image *image;
		struct cim_data data = {CIM_SIZED(data)};
		struct cim_file_info info = {CIM_SIZED(info)};
		uint32_t id;
		enum cim_status status;

		mini_set_of(m, 1, 2, 2);
		m->root = mini_record(m);
		id = mini_plain(m, 1, "data", 4);
		mini_put_upcase(m, 0);
		mini_stream(m, id, cases[i].offset, cases[i].length, cases[i].type,
			    cases[i].sparse);
		link = mini_link("f", id, 0);
		mini_finish_dir(m, "s.cim", 0, &link, 1, true);
		image = mini_open(m, "mem/s.cim");
		status = cim_image_get_data(image, id, cim_str8(NULL), &data, &err);
		is_str(cim_status_name(status), cim_status_name(cases[i].want), "a stream with %s",
		       cases[i].name);
		ok(!cim_image_stat(image, id, &info, &err) &&
			   info.size == (cases[i].type == 1 ? 0 : cases[i].length),
		   "its size is told");
		cim_image_close(image);
		mini_free(m);
	}
}

/* A directory whose stream says more than its type. */
static void test_directory_rules(void)
{
	for (int i = 0; i < 3; i++) {
		struct link_image li = make_link_image();
		struct cim_image *image;
		uint32_t id;
		uint8_t *bytes = mini_region_file(li.m, 0)->bytes;
		/* The root's record: the first of the table behind the padding. */
		uint8_t *record = bytes + (((uint32_t)li.streams + 60 + 2000 + 7) & ~7u);

		if (i == 0)
			record[40 + 8 + 7] = 1; /* sparse */
		if (i == 1)
			mini_le(record + 40, 0, 8);
		if (i == 2)
			mini_le(record + 48, 35, 6); /* the table has 36 bytes */
		image = mini_open(li.m, "mem/l.cim");
		is_str(cim_status_name(cim_image_lookup(image, cim_str8("ab"), &id, &err)),
		       "CIM_E_CORRUPT", "a directory %s",
		       i == 0	? "marked as sparse"
		       : i == 1 ? "at no place"
				: "in a place that is too small");
		cim_image_close(image);
		mini_free(li.m);
	}
}

/* A name may have 255 units; a table's row of 256 can't be read, nor found. */
static void test_longest_name(void)
{
	for (unsigned units = 254; units <= 257; units++) {
		const enum cim_status want = units > 255 ? CIM_E_CORRUPT : CIM_OK;
		const struct cim_entry *entry = NULL;
		struct mini *m = mini_new();
		struct mini_link link;
		struct cim_image *image;
		struct cim_iter *iter;

		mini_set_of(m, 1, 3, 3);
		mini_put_upcase(m, 0);
		link = mini_link("", mini_plain(m, 2, "text", 4), 0);
		for (; link.units < units; link.units++)
			link.name[link.units] = 'n';
		m->root = mini_record(m);
		mini_finish_dir(m, "n.cim", 0, &link, 1, true);
		image = mini_open(m, "mem/n.cim");
		if (cim_iter_dir(image, m->root, &iter, &err))
			bail("%s", err.cause);
		is_str(cim_status_name(cim_iter_next(iter, &entry, &err)), cim_status_name(want),
		       "a name of %u units", units);
		ok(want || (entry && entry->units == units), "it has its length");
		cim_iter_close(iter);
		cim_image_close(image);
		mini_free(m);
	}
}

struct record_rule {
	const char *name;
	unsigned cut; /* bytes from the region's end */
	unsigned at;  /* in the file table directory's entry */
	unsigned bytes;
	uint64_t value;
	bool first, second; /* can be read */
};

/* Two records in a file table of their own region, which is cut or led elsewhere. */
static struct mini *mini_two_records(const struct record_rule *rule)
{
	struct mini *m = mini_new();
	struct mem_flat *file;
	uint8_t directory[16] = {0}, record[96] = {0}, *fsobject;
	uint64_t at;

	mini_set_of(m, 1, 3, 3);
	mini_put_upcase(m, 2);
	mini_put(m, 1, record, sizeof(record), 8); /* so that its start is long enough */
	mini_finish(m, "s.cim", 1);
	file = mini_region_file(m, 1);
	fsobject = file->bytes + file->size - 24;
	at = mini_put(m, 0, record, 96, 8);
	mini_put(m, 0, record, 96, 8);
	mini_le(directory, at, 8);
	mini_le(directory + 8, 2, 2);
	mini_le(directory + 10, 96, 2);
	mini_le(directory + rule->at, rule->value, (int)rule->bytes);
	mini_le(fsobject + 16, 1, 4);
	at = mini_put(m, 1, directory, 16, 8);
	fsobject = file->bytes + file->size - 16 - 24; /* it may have moved */
	mini_le(fsobject + 8, at, 8);
	mini_region_file(m, 0)->size -= rule->cut;
	return m;
}

/* Each way to the second record must be refused, found in the cache or not. */
static void test_record_rules(void)
{
	static const struct record_rule cases[] = {
		{"as they are", 0, 8, 2, 2, true, true},
		{"the last byte is missing", 1, 8, 2, 2, true, false},
		{"all but one byte is missing", 95, 8, 2, 2, true, false},
		{"a table of one", 0, 8, 2, 1, true, false},
		{"a table of none", 0, 8, 2, 0, false, false},
		{"a table of 1,025", 0, 8, 2, 1025, false, false},
		{"entries of no size", 0, 10, 2, 0, false, false},
		{"entries of 65,535 bytes", 0, 10, 2, 65535, true, false},
		/* The sum wraps to the next region's start, whose block is in the cache. */
		{"a table at the end of what offsets can name", 0, 0, 8, (UINT64_C(1) << 48) - 96,
		 false, false},
		{"a table at offset 0", 0, 0, 8, 0, false, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mini *m = mini_two_records(&cases[i]);
		struct cim_image *image = mini_open(m, "mem/s.cim");
		struct cim_file_info info = {CIM_SIZED(info)};
		enum cim_status second = cim_image_stat(image, 2, &info, &err);
		enum cim_status first = cim_image_stat(image, 1, &info, &err);
		enum cim_status again = cim_image_stat(image, 2, &info, &err);

		ok(first == (cases[i].first ? CIM_OK : CIM_E_CORRUPT) &&
			   second == (cases[i].second ? CIM_OK : CIM_E_CORRUPT) && again == second,
		   "records: %s: %s", cases[i].name, second ? err.cause : "read");
		is_str(cim_status_name(cim_image_stat(image, 3, &info, &err)), "CIM_E_CORRUPT",
		       "the next FileID");
		cim_image_close(image);
		mini_free(m);
	}
}

/* A region file becomes shorter while the image is open. */
static void test_shrinking(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image;
	struct cim_data data = {CIM_SIZED(data)};
	uint8_t buf[100];
	uint32_t id;
	size_t got;

	if (cim_image_open(&m->env, "mem/s.cim", &image, &err) ||
	    cim_image_lookup(image, cim_str8("Alpha.txt"), &id, &err) ||
	    cim_image_get_data(image, id, cim_str8(NULL), &data, &err) ||
	    cim_image_read(image, &data, 8000, buf, sizeof(buf), &got, &err))
		bail("%s", err.cause);
	mini_region_file(m, SAMPLE_PARENT_DATA)->size -= 950;
	got = 77;
	is_str(cim_status_name(cim_image_read(image, &data, 8000, buf, sizeof(buf), &got, &err)),
	       "CIM_E_CORRUPT", "the file was cut in the middle of what is read: %s", err.cause);
	is_int(got, 0, "nothing was read");
	ok(!cim_image_read(image, &data, 0, buf, sizeof(buf), &got, &err) && got == sizeof(buf),
	   "what is still there can be read");
	cim_image_close(image);
	mini_free(m);
}

/* Metadata whose length leads out of the region, and records in no table. */
static void test_blob_rules(void)
{
	static const unsigned fields[] = {56, 72, 64};
	static const unsigned index[] = {CIM_BLOB_SECURITY, CIM_BLOB_REPARSE, CIM_BLOB_EA};

	for (int which = 0; which < 3; which++) {
		for (int room = 0; room < 3; room++) {
			struct mini *m = mini_new();
			uint8_t bytes[12] = {0};
			struct cim_image *image;
			uint64_t at;
			size_t size;
			uint8_t blob[CIM_MAX_BLOB];
			enum cim_status status;

			mini_begin(m, 2, 0);
			/* The last object of its region, for a length of 9, 10 or 11. */
			mini_le(bytes, 9u + (unsigned)room, 2);
			at = mini_put(m, 1, bytes, sizeof(bytes), 8);
			if (which == 2) {
				mini_field(m, m->root, 2, 11u + (unsigned)room, 2);
				mini_field(m, m->root, 64, at, 8);
			} else {
				mini_field(m, m->root, fields[which], at, 8);
			}
			mini_finish(m, "s.cim", 0);
			image = mini_open(m, "mem/s.cim");
			status = cim_image_get_blob(image, m->root, (enum cim_blob)index[which],
						    blob, sizeof(blob), &size, &err);
			is_str(cim_status_name(status), room < 2 ? "CIM_OK" : "CIM_E_CORRUPT",
			       "metadata %u, %+d bytes behind the region's end", index[which],
			       room - 1);
			is_int(size, room == 2 ? 0 : (which == 2 ? 11 : 9) + room, "its size");
			is_str(cim_status_name(cim_image_get_blob(image, m->root,
								  (enum cim_blob)index[which], NULL,
								  0, &size, &err)),
			       room < 2 ? "CIM_OK" : "CIM_E_CORRUPT", "asked for its size");
			cim_image_close(image);
			mini_free(m);
		}
	}
}

/* A record has EAs if it has an offset and a length. */
static void test_ea_halves(void)
{
	for (int half = 0; half < 2; half++) {
		struct mini *m = mini_new();
		struct cim_image *image;
		struct cim_file_info info = {CIM_SIZED(info)};
		size_t size = 99;

		mini_begin(m, 2, 0);
		if (half)
			mini_field(m, m->root, 2, 12, 2);
		else
			mini_field(m, m->root, 64, mini_put(m, 1, "no attribute", 12, 8), 8);
		mini_finish(m, "s.cim", 0);
		image = mini_open(m, "mem/s.cim");
		is_str(cim_status_name(cim_image_stat(image, m->root, &info, &err)), "CIM_OK",
		       "EAs with no %s", half ? "offset" : "length");
		ok(!info.has_ea && !info.ea_size, "there are none: %d, of %u bytes", info.has_ea,
		   (unsigned)info.ea_size);
		is_str(cim_status_name(cim_image_get_blob(image, m->root, CIM_BLOB_EA, NULL, 0,
							  &size, &err)),
		       "CIM_OK", "asked for");
		is_int(size, 0, "their size");
		cim_image_close(image);
		mini_free(m);
	}
}

/* What is said of an image that is cut within its headers. */
static void test_cut_headers(void)
{
	static const struct {
		size_t size;
		const char *cause;
	} rows[] = {
		{31, "31 bytes are too few for an image"},
		{32, "the filesystem file is cut short: 32 bytes"},
		{71, "the filesystem file is cut short: 71 bytes"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct mini *m = mini_new();
		struct cim_image *image = NULL;

		mini_begin(m, 1, 0);
		mini_finish(m, "s.cim", 0);
		mini_find(m, "s.cim")->size = rows[i].size;
		is_str(cim_status_name(cim_image_open(&m->env, "mem/s.cim", &image, &err)),
		       "CIM_E_CORRUPT", "an image of %zu bytes", rows[i].size);
		is_str(err.cause, rows[i].cause, "and why");
		mini_free(m);
	}
}

static void test_memory_fails(void)
{
	sweep(false);
}

static void test_calls_fail(void)
{
	sweep(true);
}

/* Every second one is in the same part; test_flips() takes as long as all others. */
static void (*const tests[])(void) = {
	test_flips,
	test_scramble,
	test_link_rules,
	test_truncation,
	test_stream_rules,
	test_memory_fails,
	test_directory_rules,
	test_longest_name,
	test_calls_fail,
	test_record_rules,
	test_shared_tables,
	test_shrinking,
	test_shared_is_fine,
	test_blob_rules,
	test_ea_halves,
	test_cut_headers,
	test_deep,
	test_rules,
	test_skip,
	test_missing_files,
	test_cycles,
};

int main(int argc, char **argv)
{
	tap_part(argc, argv);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (tap_turn(i))
			tests[i]();
	return tap_done();
}
