/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/links.c: names counted in directories of their own and in shared tables. */
#include "../core/cache.h"
#include "../core/image.h"
#include "kit.h"
#include "minicim.h"

enum { FILES = 600, META = 0 };

static struct kit k;

/* What the image's parts have become. */
static uint32_t root, one[2], many[2], below, lone, linked, first, last, stray;
static unsigned told, failures, stop_at;

/*
 * many0 and many1 have one table: f0 to f599, "linked", and the directory "below", in which is
 * "lone". one0 and one1 have a small one: "linked". The root has them all, and "linked" once more.
 * Nothing leads to the last file.
 */
static struct mini *make_image(void)
{
	static struct mini_link links[FILES + 2];
	struct mini *m = mini_new();
	uint64_t table;
	size_t length;
	char name[16];

	mini_set_of(m, 1, 3, 3);
	mini_put_upcase(m, META);
	linked = mini_plain(m, 2, "12345", 5);
	lone = mini_plain(m, 2, "123", 3);
	below = mini_record(m);
	links[0] = mini_link("lone", lone, 0);
	mini_dir(m, below, META, links, 1, true);
	for (unsigned i = 0; i < FILES; i++) {
		last = mini_plain(m, 2, "1", 1);
		first = i ? first : last;
		snprintf(name, sizeof(name), "f%03u", i);
		links[i] = mini_link(name, last, 0);
	}
	links[FILES] = mini_link("ggg", below, 0);
	links[FILES + 1] = mini_link("linked", linked, 0);
	table = mini_table(m, META, links, FILES + 2, 4, false, 0, &length);
	for (unsigned i = 0; i < 2; i++) {
		many[i] = mini_record(m);
		mini_stream(m, many[i], table, length, 1, false);
	}
	links[0] = mini_link("linked", linked, 0);
	table = mini_table(m, META, links, 1, 4, false, 0, &length);
	for (unsigned i = 0; i < 2; i++) {
		one[i] = mini_record(m);
		mini_stream(m, one[i], table, length, 1, false);
	}
	stray = mini_plain(m, 2, "1234567", 7);
	for (unsigned i = 0; i < 2; i++) {
		links[i] = mini_link(i ? "many1" : "many0", many[i], 0);
		links[2 + i] = mini_link(i ? "one1" : "one0", one[i], 0);
	}
	links[4] = mini_link("zlinked", linked, 0);
	m->root = root = mini_record(m);
	mini_finish_dir(m, "l.cim", META, links, 5, true);
	return m;
}

static int tell(void *ctx, uint32_t file_id, const struct cim_error *why)
{
	(void)ctx;
	(void)file_id;
	failures += why != NULL;
	return ++told == stop_at;
}

static void counts(struct cim_image *image)
{
	struct cim_links *links = NULL;

	told = failures = stop_at = 0;
	struct cim_file_table table;
	uint32_t behind;

	must(&k, cim_image_file_table(image, image->info.table_count - 1, &table, &k.err));
	behind = (image->info.table_count - 1) * CIM_FILES_PER_TABLE + table.count + 1;
	must(&k, cim_links_open(image, tell, NULL, &links, &k.err));
	is_int(told, 6, "each directory is told of once");
	is_int(failures, 0, "and none fails");
	is_int(cim_links_count(links, root), 4, "the root's directories");
	is_int(cim_links_count(links, many[0]), 1, "those of one with a shared table");
	is_int(cim_links_count(links, many[1]), 1, "and of the other");
	is_int(cim_links_count(links, one[0]), 0, "one without directories");
	is_int(cim_links_count(links, one[1]), 0, "and its twin");
	is_int(cim_links_count(links, below), 0, "the one that both have");
	is_int(cim_links_count(links, first), 2, "the first file of a shared table");
	is_int(cim_links_count(links, last), 2, "its last");
	is_int(cim_links_count(links, lone), 1, "a file of one name");
	is_int(cim_links_count(links, linked), 5, "one of five");
	is_int(cim_links_count(links, 0), 0, "no FileID");
	for (uint32_t id = behind; id < behind + 8; id++)
		is_int(cim_links_count(links, id), 0, "one behind the last record of a table");
	is_int(cim_links_count(links, UINT32_MAX), 0, "one of no table");
	is_int(cim_links_count(links, stray), 0, "one that nothing leads to");
	is_int(cim_links_count(links, 0), 0, "no FileID");
	is_int(cim_links_count(links, 1025), 0, "one of no table");
	is_int(cim_links_count(links, UINT32_MAX), 0, "the last there can be");
	is_int((int64_t)cim_links_several(links), FILES + 1, "files of several names");
	is_int((int64_t)cim_links_bytes(links), FILES + 5 + 3, "what all hold, once each");
	gives(&k, cim_links_walkable(links, &k.err), CIM_OK);
	gives(&k, cim_links_walkable(NULL, &k.err), CIM_E_POINTER);
	cim_links_close(links);
}

static void stopped(struct cim_image *image)
{
	struct cim_links *links = NULL;

	for (stop_at = 1; stop_at <= 6; stop_at++) {
		told = 0;
		gives(&k, cim_links_open(image, tell, NULL, &links, &k.err), CIM_E_ABORTED);
		is_int(told, stop_at, "it is told %u directories, and no other", stop_at);
		ok(!links, "it gives no counts");
	}
}

static struct cim_image *forgetful;
static struct memfs *failing_fs;
static uint32_t unread;

/* Before the names of directory @unread are counted, its image forgets all it has read, and the
 * first read fails: the one of the record. */
static int tell_and_fail(void *ctx, uint32_t file_id, const struct cim_error *why)
{
	if (why) {
		ok(file_id == unread, "what can't be read is told of its directory");
	} else if (file_id == unread) {
		cim_cache_free(&forgetful->env, forgetful->cache);
		forgetful->cache = cim_cache_new(&forgetful->env);
		failing_fs->fail_at = failing_fs->ops + 1;
		failing_fs->fail_on = false;
		failing_fs->fail_status = CIM_E_IO;
	}
	return tell(ctx, file_id, why);
}

/* A directory whose record can't be read has no names, and that is told. */
static void unread_record(struct mini *m)
{
	const uint32_t dirs[] = {root, many[0], many[1], one[0], one[1], below};

	failing_fs = m->fs;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		struct cim_links *links = NULL;

		forgetful = mini_open(m, "mem/l.cim");
		unread = dirs[i];
		told = failures = stop_at = 0;
		must(&k, cim_links_open(forgetful, tell_and_fail, NULL, &links, &k.err));
		m->fs->fail_at = 0;
		is_int(failures, 1, "directory %u can't be read: told once", (unsigned)dirs[i]);
		is_int(cim_links_count(links, dirs[i]), 0, "it has no directories");
		is_int(cim_links_count(links, linked),
		       dirs[i] == root	  ? 0
		       : dirs[i] == below ? 5
					  : 4,
		       "and doesn't count for a file");
		cim_links_close(links);
		cim_image_close(forgetful);
	}
}

/* What fails is never counted as if it weren't there: memory and reads, one each time. */
static void failing(struct mini *m, struct cim_image *image)
{
	struct cim_links *links = NULL;
	const unsigned long before = m->fs->allocs;
	unsigned long allocs;
	unsigned odd = 0;

	must(&k, cim_links_open(image, NULL, NULL, &links, &k.err));
	cim_links_close(links);
	allocs = m->fs->allocs - before;
	for (unsigned long i = 1; i <= allocs; i++) {
		m->fs->fail_alloc = m->fs->allocs + i;
		m->fs->failed_allocs = 0;
		odd += cim_links_open(image, NULL, NULL, &links, &k.err) != CIM_E_NO_MEMORY ||
		       links;
		m->fs->fail_alloc = 0;
		cim_links_close(links);
	}
	ok(allocs > 8, "counting takes memory %lu times", allocs);
	is_int(odd, 0, "whichever fails, it says so");
}

/* Reads that fail, one or all from some call on: that is told, or ends it, or the counts are right
 * all the same (a record that couldn't be read is read again where it counts). */
static void failing_reads(struct mini *m, bool on)
{
	struct cim_links *links = NULL;
	unsigned wrong = 0, tried = 0;

	stop_at = 0;
	for (unsigned long i = 1;; i++) {
		struct cim_image *image = mini_open(m, "mem/l.cim");
		enum cim_status status;

		m->fs->fail_at = m->fs->ops + i;
		m->fs->fail_on = on;
		m->fs->fail_status = CIM_E_IO;
		m->fs->failed = 0;
		failures = 0;
		status = cim_links_open(image, tell, NULL, &links, &k.err);
		m->fs->fail_at = 0;
		wrong += !status && !failures &&
			 (cim_links_several(links) != FILES + 1 ||
			  cim_links_bytes(links) != FILES + 5 + 3 ||
			  cim_links_count(links, root) != 4);
		cim_links_close(links);
		cim_image_close(image);
		if (!m->fs->failed)
			break;
		tried++;
	}
	ok(tried > 3, "counting makes %u calls", tried);
	is_int(wrong, 0, "no read that fails%s makes counts wrong in silence",
	       on ? " for good" : "");
}

int main(void)
{
	struct cim_image *image;
	struct mini *m;

	k = kit_new();
	m = make_image();
	image = mini_open(m, "mem/l.cim");
	counts(image);
	stopped(image);
	failing(m, image);
	cim_image_close(image);
	failing_reads(m, false);
	failing_reads(m, true);
	unread_record(m);
	mini_free(m);
	kit_free(&k);
	return tap_done();
}
