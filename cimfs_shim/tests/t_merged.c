/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_merged.c - opening merged images: sources in containers and directories, in any order, missing
 *
 * The merged image is put together by hand: its header names the sets of three images that sessions
 * made, its records are theirs, each with the index of its image's first region.
 */
#include "../core/image.h"
#include "kit.h"
#include "minicim.h"

#define SOURCES 3
#define NESTED	1 /* the source that has a parent */

static const char *const paths[SOURCES] = {"mem/a.bcim/a.cim", "mem/b.bcim/b.cim", "mem/c.cim"};

/* ---- the sources ---- */

static void fill_source(struct kit *k, struct cim_writer *w, const char *name)
{
	uint8_t bytes[9000];
	char path[40];

	pattern(bytes, (unsigned)name[0], sizeof(bytes));
	snprintf(path, sizeof(path), "big%s", name);
	put_bytes(k, w, path, bytes, sizeof(bytes));
	snprintf(path, sizeof(path), "big%s:stream", name);
	put_stream(k, w, path, name);
	snprintf(path, sizeof(path), "small%s", name);
	put(k, w, path, name);
}

static void make_source(struct kit *k, const char *dir, const char *existing, const char *name,
			const char *tag, unsigned flags)
{
	struct cim_writer *w = NULL;

	must(k, cim_writer_open(&k->env, dir, existing, name, flags, &w, &k->err));
	fill_source(k, w, tag);
	finish(k, w);
}

/* ---- the merged image ---- */

struct merging {
	struct kit k;
	struct mini *m;
	uint32_t first[SOURCES]; /* region */
	struct mini_link links[16];
	size_t count;
	uint8_t tail[SOURCES * 56];
};

/* Name a file of a source in the root. */
static void take_file(struct merging *g, struct cim_image *image, unsigned source, const char *name)
{
	struct cim_file_table table;
	uint32_t id = 0, own = mini_record(g->m);

	must(&g->k, cim_image_lookup(image, cim_str8(name), &id, &g->k.err));
	must(&g->k, cim_image_file_table(image, 0, &table, &g->k.err));
	must(&g->k, cim_image_read_raw(image, table.offset, (uint64_t)(id - 1) * table.entry_size,
				       g->m->records[own - 1], 96, &g->k.err));
	mini_field(g->m, own, 92, g->first[source], 2);
	g->links[g->count++] = mini_link(name, own, 0);
}

static void take_source(struct merging *g, unsigned source)
{
	struct cim_image *image = NULL;
	const struct cim_image_info *info;
	uint8_t *tail = g->tail + (size_t)56 * source;
	char name[20];

	must(&g->k, cim_image_open(&g->k.env, paths[source], &image, &g->k.err));
	info = cim_image_get_info(image);
	g->first[source] = (uint32_t)g->m->region_count;
	for (uint32_t i = 0; i < info->set_count; i++) {
		const struct cim_region_set *set = cim_image_get_set(image, i);
		const size_t at = g->m->set_count;

		mini_set_of(g->m, 50, set->count, 0);
		memcpy(g->m->sets[at].guid, set->guid.bytes, 16);
		memcpy(tail + 8, set->guid.bytes, 16);
		g->m->region_count += set->count;
	}
	mini_le(tail, info->set_count, 4);
	snprintf(name, sizeof(name), "big%c", "abc"[source]);
	take_file(g, image, source, name);
	snprintf(name, sizeof(name), "small%c", "abc"[source]);
	take_file(g, image, source, name);
	if (source == NESTED)
		take_file(g, image, source, "bigp"); /* its parent's */
	cim_image_close(image);
}

/* Write it to the directory, with the sources behind its sets. */
static void finish_merged(struct merging *g)
{
	struct mem_flat *file;

	mini_finish_dir(g->m, "m.cim", g->first[2] + 3, g->links, g->count, true);
	file = mini_find(g->m, "m.cim");
	mini_le(file->bytes + 64, 3, 4);
	mini_le(file->bytes + 8, file->size + sizeof(g->tail), 4);
	mini_resize(file, file->size + sizeof(g->tail));
	memcpy(file->bytes + file->size - sizeof(g->tail), g->tail, sizeof(g->tail));
	for (size_t i = 0; i < g->m->file_count; i++)
		memfs_put(g->k.m, g->m->files[i].name, g->m->files[i].bytes, g->m->files[i].size);
}

/* @own: of its own set's GUID, see mini_set_of(). */
static struct merging *make_merged_of(unsigned own)
{
	struct merging *g = calloc(1, sizeof(*g));

	g->k = kit_new();
	g->m = mini_new();
	make_source(&g->k, "mem/a.bcim", NULL, "a.cim", "a", CIM_WRITE_CONTAINER);
	make_source(&g->k, "mem/b.bcim", NULL, "p.cim", "p", CIM_WRITE_CONTAINER);
	make_source(&g->k, "mem/b.bcim", "p.cim", "b.cim", "b", 0);
	make_source(&g->k, "mem", NULL, "c.cim", "c", 0);
	for (unsigned i = 0; i < SOURCES; i++)
		take_source(g, i);
	mini_set_of(g->m, own, 3, 3);
	mini_put_upcase(g->m, g->first[2] + 3);
	g->m->root = mini_record(g->m);
	mini_field(g->m, g->m->root, 88, g->m->root, 4);
	finish_merged(g);
	return g;
}

static struct merging *make_merged(void)
{
	return make_merged_of(9);
}

static void free_merged(struct merging *g)
{
	mini_free(g->m);
	kit_free(&g->k);
	free(g);
}

static enum cim_status open_with(struct merging *g, const char *const *sources, size_t count,
				 struct cim_image **image)
{
	forget_error(&g->k);
	return cim_image_open_merged(&g->k.env, "mem/m.cim", sources, count, image, &g->k.err);
}

/* ---- reading ---- */

static void test_reading(void)
{
	static const char *const orders[][SOURCES] = {
		{"mem/a.bcim/a.cim", "mem/b.bcim/b.cim", "mem/c.cim"},
		{"mem/c.cim", "mem/b.bcim/b.cim", "mem/a.bcim/a.cim"},
	};
	struct merging *g = make_merged();
	struct cim_image *image = NULL;
	char *first = NULL;

	for (unsigned i = 0; i < 2; i++) {
		char *text;

		is_int(open_with(g, orders[i], SOURCES, &image), CIM_OK, "order %u: it opens", i);
		text = dump_image(&g->k, image);
		/* (Its own object ID files weren't made.) */
		is_int(verify_open(&g->k, image), 3, "order %u: verify misses three files", i);
		cim_image_close(image);
		if (first)
			is_str(text, first, "it is the same in any order");
		free(first);
		first = text;
	}
	ok(strstr(first, "/smalla") && strstr(first, "'a'"), "it has the first source's files");
	ok(strstr(first, "/bigp") && strstr(first, ":stream"), "and those of the second's parent");
	free(first);
	free_merged(g);
}

static void test_info(void)
{
	struct merging *g = make_merged();
	const struct cim_merged_source *source;
	struct cim_image *image = NULL, *plain = NULL;

	open_with(g, paths, SOURCES, &image);
	is_int(cim_image_get_info(image)->source_count, SOURCES, "it has three sources");
	source = cim_image_get_source(image, NESTED);
	is_int(source->set_count, 2, "one with its parent's set");
	ok(!source->verified, "not sealed");
	ok(!cim_image_get_source(image, SOURCES), "and no fourth");
	must(&g->k, cim_image_open(&g->k.env, "mem/c.cim", &plain, &g->k.err));
	is_int(cim_image_get_info(plain)->source_count, 0, "an ordinary image has none");
	cim_image_close(plain);
	cim_image_close(image);
	free_merged(g);
}

/* ---- what is missing ---- */

static void test_missing(void)
{
	struct merging *g = make_merged();
	struct cim_image *image = NULL;
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_writer *writer = NULL;
	const char *some[] = {"mem/a.bcim/a.cim", "mem/c.cim", "mem/b.bcim/p.cim", "mem/none.cim"};
	uint32_t id = 0;

	is_int(open_with(g, some, 2, &image), CIM_E_FILE_NOT_FOUND, "a source that wasn't given");
	ok(strstr(g->k.err.cause, "none of the images given is the source"),
	   "the error says so: %s", g->k.err.cause);
	is_int(open_with(g, some, 3, &image), CIM_E_FILE_NOT_FOUND, "its parent is not the source");
	is_int(open_with(g, some, 4, &image), CIM_E_FILE_NOT_FOUND, "an image that isn't there");
	is_str(g->k.err.image, "mem/none.cim", "the error names it");
	is_int(open_with(g, some, 0, &image), CIM_E_FILE_NOT_FOUND, "no source at all");
	forget_error(&g->k);
	is_int(cim_image_open_merged(&g->k.env, "mem/c.cim", paths, SOURCES, &image, &g->k.err),
	       CIM_E_INVALID, "an ordinary image can't be opened so");

	/* Without its sources it shows its tree, and says why the rest can't be read. */
	must(&g->k, cim_image_open(&g->k.env, "mem/m.cim", &image, &g->k.err));
	must(&g->k, cim_image_lookup(image, cim_str8("biga"), &id, &g->k.err));
	is_int(cim_image_get_data(image, id, cim_str8(""), &data, &g->k.err), CIM_E_CORRUPT,
	       "opened alone, data of sources are missing");
	ok(strstr(g->k.err.cause, "merged from others"), "the error says why: %s", g->k.err.cause);
	must(&g->k, cim_image_lookup(image, cim_str8("bigc"), &id, &g->k.err));
	is_int(cim_image_get_data(image, id, cim_str8(""), &data, &g->k.err), CIM_OK,
	       "but for those that lie beside it");
	cim_image_close(image);

	/* A fork of it would name region files that aren't there. */
	forget_error(&g->k);
	is_int(cim_writer_open(&g->k.env, "mem", "m.cim", "fork.cim", 0, &writer, &g->k.err),
	       CIM_E_UNSUPPORTED, "it isn't forked away from its sources");
	ok(strstr(g->k.err.cause, "beside all its sources"), "the error says why: %s",
	   g->k.err.cause);
	free_merged(g);
}

/* ---- headers that can't be ---- */

static void test_headers(void)
{
	static const struct {
		const char *what;
		int offset; /* from the first source on; below 0: of the header's length */
		uint16_t value;
		const char *cause;
	} rows[] = {
		{"a source with no set", 0, 0, "source 0 can't have 0 region sets"},
		{"a source with all sets of others", 0, 4,
		 "source 0 hasn't its own region set as its last"},
		{"a source with more sets than there are", 0, 200,
		 "source 0 can't have 200 region sets"},
		{"another source's GUID", 8, 0x77,
		 "source 0 hasn't its own region set as its last"},
		{"a last source with too few sets", 56, 1,
		 "source 1 hasn't its own region set as its last"},
		{"a length that ends in a source", -1, 1, "header of 1 bytes can't"},
		{"a length without the sources", -1, 72 + 24 * 4, "header of 168 bytes can't"},
		{"a length that ends in a source, past the first", -1, 255,
		 "header of 255 bytes can't"},
		{"a length without the last source", -1, 72 + 24 * 4 + 56 * 2,
		 "1 region sets belong to no source"},
		{"a length past the end", -1, 72 + 24 * 4 + 56 * 4, "header of 392 bytes can't"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct merging *g = make_merged();
		struct mem_flat *file = mini_find(g->m, "m.cim");
		struct cim_image *image = NULL;
		uint8_t *at = rows[i].offset < 0
				      ? file->bytes + 8
				      : file->bytes + file->size - sizeof(g->tail) + rows[i].offset;

		mini_le(at, rows[i].value, rows[i].offset == 8 ? 1 : 4);
		memfs_put(g->k.m, "m.cim", file->bytes, file->size);
		is_int(open_with(g, paths, SOURCES, &image), CIM_E_CORRUPT, "%s: %s", rows[i].what,
		       g->k.err.cause);
		ok(strstr(g->k.err.cause, rows[i].cause), "the error says so: %s", g->k.err.cause);
		free_merged(g);
	}
}

/* ---- the calls of the united file system ---- */

static bool words(void *ctx, long os_error, char *buf, size_t size)
{
	(void)ctx;
	snprintf(buf, size, "the words for %ld", os_error);
	return true;
}

static struct cim_data data_of(struct merging *g, struct cim_image *image, const char *path)
{
	struct cim_data data = {CIM_SIZED(data)};
	uint32_t id = 0;

	must(&g->k, cim_image_lookup(image, cim_str8(path), &id, &g->k.err));
	must(&g->k, cim_image_get_data(image, id, cim_str8(""), &data, &g->k.err));
	return data;
}

/* Where the data of a source are, whatever its place is. */
static void test_runs(void)
{
	static const char *const files[] = {"biga", "bigp", "bigc"};

	for (unsigned mapped = 0; mapped < 2; mapped++) {
		struct merging *g = make_merged_of(8);
		struct cim_image *image = NULL;

		g->k.m->vfs.map = mapped ? map_any : NULL;
		must(&g->k, open_with(g, paths, SOURCES, &image));
		for (size_t i = 0; i < 3; i++) {
			struct cim_data data = data_of(g, image, files[i]);
			struct cim_run run = {CIM_SIZED(run)};

			must(&g->k, cim_image_get_run(image, &data, 0, data.size, &run, &g->k.err));
			is_int(run.kind, mapped ? CIM_RUN_FILE : CIM_RUN_READ, "%s, %s: the kind",
			       files[i], mapped ? "mapped" : "without map()");
			is_int(run.native, mapped ? 42 : -1, "and its file");
			cim_run_put(image, &run);
		}
		cim_image_close(image);
		free_merged(g);
	}
}

static void test_holding(void)
{
	struct merging *g = make_merged();
	struct cim_image *image = NULL, *other = NULL;
	intptr_t native = 0;

	must(&g->k, open_with(g, paths, SOURCES, &image));
	must(&g->k, open_with(g, paths, SOURCES, &other));
	gives(&g->k, cim_image_hold(other, CIM_HOLD_ASK, NULL, &g->k.err), CIM_OK);
	gives(&g->k, cim_image_hold(image, CIM_HOLD_TRY, &native, &g->k.err), CIM_OK);
	is_int(native, -1, "without map() no file is told");
	gives(&g->k, cim_image_hold(other, CIM_HOLD_ASK, NULL, &g->k.err), CIM_E_SHARING);
	g->k.m->vfs.map = map_any;
	cim_image_close(image);
	must(&g->k, open_with(g, paths, SOURCES, &image));
	gives(&g->k, cim_image_hold(image, CIM_HOLD_TRY, &native, &g->k.err), CIM_OK);
	is_int(native, 42, "with it the own place's");
	cim_image_close(image);
	gives(&g->k, cim_image_hold(other, CIM_HOLD_ASK, NULL, &g->k.err), CIM_OK);
	g->k.m->no_locks = true;
	gives(&g->k, cim_image_hold(other, CIM_HOLD_ASK, NULL, &g->k.err), CIM_E_UNSUPPORTED);
	g->k.m->no_locks = false;
	memfs_unlink(g->k.m, mini_region_file(g->m, 0)->name);
	gives(&g->k, cim_image_hold(other, CIM_HOLD_TRY, NULL, &g->k.err), CIM_E_FILE_NOT_FOUND);
	gives(&g->k, cim_image_hold(other, CIM_HOLD_ASK, NULL, &g->k.err), CIM_E_FILE_NOT_FOUND);
	cim_image_close(other);
	free_merged(g);
}

/* Nobody commits over a source either, and what can't be marked is told. */
static void test_holding_sources(void)
{
	struct merging *g = make_merged();
	struct cim_image *image = NULL, *source = NULL;
	intptr_t native = 0;
	size_t marks = 0;

	g->k.m->vfs.map = map_any;
	must(&g->k, open_with(g, paths, SOURCES, &image));
	ok(!cim_image_mark(image, 0, &native), "at first there is no mark");
	gives(&g->k, cim_image_hold(image, CIM_HOLD_TRY, NULL, &g->k.err), CIM_OK);
	gives(&g->k, cim_image_hold(image, CIM_HOLD_WAIT, NULL, &g->k.err), CIM_OK);
	while (cim_image_mark(image, marks, &native) && native == 42)
		marks++;
	is_int(native, -1, "past the last no file is told");
	is_int(marks, 1 + cim_image_get_info(image)->source_count, "the image's mark and theirs");
	for (size_t i = 0; i < SOURCES; i++) {
		must(&g->k, cim_image_open(&g->k.env, paths[i], &source, &g->k.err));
		gives(&g->k, cim_image_hold(source, CIM_HOLD_ASK, NULL, &g->k.err), CIM_E_SHARING);
		cim_image_close(source);
	}
	cim_image_close(image);
	for (size_t i = 0; i < SOURCES; i++) {
		must(&g->k, cim_image_open(&g->k.env, paths[i], &source, &g->k.err));
		gives(&g->k, cim_image_hold(source, CIM_HOLD_ASK, NULL, &g->k.err), CIM_OK);
		cim_image_close(source);
	}
	for (unsigned long at = 1;; at++) {
		enum cim_status status;

		must(&g->k, open_with(g, paths, SOURCES, &image));
		g->k.m->fail_alloc = g->k.m->allocs + at;
		g->k.m->fail_alloc_on = true;
		g->k.m->failed_allocs = 0;
		status = cim_image_hold(image, CIM_HOLD_TRY, NULL, &g->k.err);
		g->k.m->fail_alloc = 0;
		if (status != (g->k.m->failed_allocs ? CIM_E_NO_MEMORY : CIM_OK))
			ok(false, "all allocations from %lu on fail: %s", at, STATUS(status));
		must(&g->k, cim_image_hold(image, CIM_HOLD_TRY, NULL, &g->k.err));
		cim_image_close(image);
		if (!status) {
			ok(at > 4, "memory is wanting at %lu places, and the marks are set later",
			   at - 1);
			break;
		}
	}
	free_merged(g);
}

/* The system's own words, from the container of a source too. */
static void test_error_text(void)
{
	static const char *const files[] = {"biga", "bigc"};

	for (unsigned turn = 0; turn < 4; turn++) {
		struct merging *g = make_merged();
		struct cim_image *image = NULL;
		struct cim_data data;
		uint8_t buf[100];
		size_t got;

		g->k.m->vfs.error_text = turn & 1 ? words : NULL;
		must(&g->k, open_with(g, paths, SOURCES, &image));
		data = data_of(g, image, files[turn / 2]);
		g->k.m->fail_at = g->k.m->ops + 1;
		g->k.m->fail_on = true;
		g->k.m->fail_status = CIM_E_IO;
		g->k.m->fail_os_error = 5;
		gives(&g->k, cim_image_read(image, &data, 0, buf, sizeof(buf), &got, &g->k.err),
		      CIM_E_IO);
		g->k.m->fail_at = 0;
		ok(strstr(g->k.err.cause, turn & 1 ? "the words for 5" : "system error 5"),
		   "%s: %s", files[turn / 2], g->k.err.cause);
		cim_image_close(image);
		free_merged(g);
	}
}

/* ---- what can't be ---- */

static void test_arguments(void)
{
	struct merging *g = make_merged();
	struct kit *k = &g->k;
	const char **many = calloc(UINT16_MAX + 1, sizeof(*many));
	struct cim_env broken = k->env;
	struct cim_image *image = (struct cim_image *)g;

	for (size_t i = 0; i <= UINT16_MAX; i++)
		many[i] = paths[0];
	gives(k, cim_image_open_merged(&k->env, NULL, paths, SOURCES, &image, &k->err),
	      CIM_E_POINTER);
	ok(!image, "there is no image then");
	gives(k, cim_image_open_merged(&k->env, "mem/m.cim", NULL, SOURCES, &image, &k->err),
	      CIM_E_POINTER);
	gives(k, cim_image_open_merged(&k->env, "mem/m.cim", paths, SOURCES, NULL, &k->err),
	      CIM_E_POINTER);
	for (int none = 0; none < SOURCES; none++) {
		const char *some[SOURCES];

		for (int i = 0; i < SOURCES; i++)
			some[i] = i == none ? NULL : paths[i];
		gives(k, open_with(g, some, SOURCES, &image), CIM_E_POINTER);
	}
	gives(k, open_with(g, many, UINT16_MAX + 1, &image), CIM_E_LIMIT);
	gives(k, cim_image_open_merged(&k->env, "mem/none.cim", paths, SOURCES, &image, &k->err),
	      CIM_E_FILE_NOT_FOUND);
	gives(k, cim_image_open_merged(&k->env, "none/m.cim", paths, SOURCES, &image, &k->err),
	      CIM_E_PATH_NOT_FOUND);
	broken.struct_size = 1;
	gives(k, cim_image_open_merged(&broken, "mem/m.cim", paths, SOURCES, &image, &k->err),
	      CIM_E_INVALID);
	free(many);
	free_merged(g);
}

/* A source that isn't what it was when it was merged. */
static void test_changed_sources(void)
{
	static const char *const others[] = {"mem/a.bcim/a.cim", "mem/b.bcim/b.cim", "mem/d.cim"};
	struct merging *g = make_merged();
	struct cim_image *image = NULL;
	uint8_t header[400], set[24] = {1, 2, 3};
	const size_t size = (size_t)memfs_size(g->k.m, "c.cim");

	memfs_peek(g->k.m, "c.cim", 0, header, size);
	mini_le(header + 48, 4, 2);
	memfs_put(g->k.m, "d.cim", header, size);
	gives(&g->k, open_with(g, others, SOURCES, &image), CIM_E_CORRUPT);
	ok(strstr(g->k.err.cause, "other region sets than it did"), "a set of other regions: %s",
	   g->k.err.cause);
	mini_le(header + 48, 3, 2);
	mini_le(header + 8, size + 24, 4);
	mini_le(header + 70, 1, 2);
	set[16] = 1;
	memmove(header + 96, header + 72, size - 72);
	memcpy(header + 72, set, sizeof(set));
	memfs_put(g->k.m, "d.cim", header, size + 24);
	gives(&g->k, open_with(g, others, SOURCES, &image), CIM_E_CORRUPT);
	ok(strstr(g->k.err.cause, "other region sets than it did"), "a parent more: %s",
	   g->k.err.cause);
	memfs_poke(g->k.m, "m.cim", 72 + 24, "another", 7);
	gives(&g->k, open_with(g, paths, SOURCES, &image), CIM_E_CORRUPT);
	ok(strstr(g->k.err.cause, "other region sets than it did"), "another parent: %s",
	   g->k.err.cause);
	free_merged(g);
}

/* A root hash says that the source was added as verified. */
static void test_root_hash(void)
{
	struct merging *g = make_merged();
	struct cim_image *image = NULL;
	const uint64_t at = memfs_size(g->k.m, "m.cim") - sizeof(g->tail) + 24 + 31;

	memfs_poke(g->k.m, "m.cim", at, "\1", 1);
	must(&g->k, open_with(g, paths, SOURCES, &image));
	ok(cim_image_get_source(image, 0)->verified, "the first source is a sealed one");
	ok(!cim_image_get_source(image, 1)->verified, "the next isn't");
	ok(!cim_image_get_source(NULL, 0), "and no image has none");
	cim_image_close(image);
	free_merged(g);
}

/* However many images of one container are given, it is opened once, and so is a directory. */
static void test_one_place(bool container)
{
	static const char *const names[] = {"a.cim", "b.cim", "c.cim", "d.cim"};
	struct kit k = kit_new();
	const char *sources[4];
	char text[4][40], merged[40];
	struct cim_image *image = NULL;
	struct cim_writer *w;
	long files[2];
	unsigned long dirs[2];

	k.container = container;
	snprintf(merged, sizeof(merged), "%s/m.cim", kit_place(&k));
	for (size_t i = 0; i < 4; i++) {
		snprintf(text[i], sizeof(text[i]), "%s/%s", kit_place(&k), names[i]);
		sources[i] = text[i];
		w = begin(&k, NULL, names[i]);
		put(&k, w, names[i], names[i]);
		finish(&k, w);
	}
	w = begin(&k, NULL, "m.cim");
	for (size_t i = 0; i < 4; i++)
		must(&k, cim_writer_add_source(w, sources[i], 0, &k.err));
	finish(&k, w);
	for (unsigned with = 0; with < 2; with++) {
		dirs[with] = k.m->count[MEM_OPEN_DIR];
		must(&k, with ? cim_image_open_merged(&k.env, merged, sources, 4, &image, &k.err)
			      : cim_image_open(&k.env, merged, &image, &k.err));
		files[with] = k.m->open_files;
		dirs[with] = k.m->count[MEM_OPEN_DIR] - dirs[with];
		is_int(verify_open(&k, image), 0, "it is whole");
		cim_image_close(image);
	}
	is_int(files[1], files[0],
	       "%s with four sources: %ld files are open with them, %ld without",
	       container ? "a container" : "a directory", files[1], files[0]);
	is_int((int64_t)dirs[1], (int64_t)dirs[0], "and no more directories are opened");
	kit_free(&k);
}

/* Each allocation fails once. */
static void test_memory(void)
{
	struct merging *g = make_merged();
	struct cim_image *image = NULL;
	unsigned long at = 1;
	unsigned wrong = 0, silent = 0;
	bool failed = true;

	for (; failed; at++) {
		enum cim_status status;
		const char *why = NULL;

		g->k.m->failed_allocs = 0;
		g->k.m->fail_alloc = g->k.m->allocs + at;
		status = open_with(g, paths, SOURCES, &image);
		failed = g->k.m->failed_allocs;
		g->k.m->fail_alloc = 0;
		cim_image_close(image);
		silent += failed && !status;
		if ((status && (status != CIM_E_NO_MEMORY || !failed)) ||
		    !memfs_is_clean(g->k.m, &why)) {
			wrong++;
			diag("allocation %lu: %s, %s", at, STATUS(status), why ? why : "clean");
		}
	}
	ok(at > 20, "%lu allocations can fail", at - 2);
	is_int(wrong, 0, "none is told as something else, and nothing is left");
	is_int(silent, 1, "one is passed over: a block that isn't kept is read again");
	free_merged(g);
}

/* Each call of the file systems below fails once; nothing is left open. */
static void test_faults(void)
{
	struct merging *g = make_merged();
	struct cim_image *image = NULL;
	unsigned long begin, steps = 0;
	unsigned wrong = 0;

	for (;; steps++) {
		enum cim_status status;
		const char *why;

		begin = g->k.m->ops;
		g->k.m->fail_at = begin + steps + 1;
		g->k.m->fail_status = CIM_E_IO;
		status = open_with(g, paths, SOURCES, &image);
		cim_image_close(image);
		if (g->k.m->ops < g->k.m->fail_at)
			break;
		wrong += status != CIM_E_IO || !memfs_is_clean(g->k.m, &why);
	}
	g->k.m->fail_at = 0;
	ok(steps > 20, "%lu calls can fail", steps);
	is_int(wrong, 0, "each is told, and nothing is left open");
	free_merged(g);
}

int main(void)
{
	test_reading();
	test_info();
	test_missing();
	test_headers();
	test_runs();
	test_holding();
	test_holding_sources();
	test_error_text();
	test_arguments();
	test_changed_sources();
	test_root_hash();
	test_one_place(false);
	test_one_place(true);
	test_memory();
	test_faults();
	return tap_done();
}
