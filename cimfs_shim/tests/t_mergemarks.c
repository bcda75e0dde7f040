/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_mergemarks.c - merging images with tombstones, merge links, bare and opaque directories, one by
 * one
 *
 * t_merge.c does it at random, against a model; here is what each rule means, where a commit must
 * fail, and what sources can be that no session of ours makes.
 */
#include "markcalls.h"
#include "minicim.h"

/* Make the layers, as "CALLS / CALLS / ...", the topmost first. */
static unsigned make_layers(struct kit *k, const char *layers)
{
	char text[600], *layer = text;
	unsigned count = 0;

	snprintf(text, sizeof(text), "%s", layers);
	while (layer) {
		char *end = strstr(layer, " / "), name[20];
		struct cim_writer *w;

		if (end)
			*end = 0;
		snprintf(name, sizeof(name), "%u", count++);
		w = begin(k, NULL, name);
		do_calls(k, w, layer);
		finish(k, w);
		layer = end ? end + 3 : NULL;
	}
	return count;
}

/* A session that adds them all. */
static struct cim_writer *add_layers(struct kit *k, unsigned count)
{
	struct cim_writer *w = begin(k, NULL, "merged");

	for (unsigned i = 0; i < count; i++) {
		char path[40];

		snprintf(path, sizeof(path), "mem/%u", i);
		must(k, cim_writer_add_source(w, path, 0, &k->err));
	}
	return w;
}

static void merged_is(struct kit *k, bool marked, const char *want, const char *what)
{
	struct cim_image *image = open_image(k, "merged");

	shows_image(k, image, marked, want, TAP_WHERE, what);
	is_int(verify_open(k, image), 0, "%s: it is sound", what);
	cim_image_close(image);
}

/* ---- rules ---- */

static const struct {
	const char *layers, *tree;
} rules[] = {
	/* tombstones */
	{"t a / f a / f a", "t a"},
	{"t a / d a  f a\\b", "t a"},
	{"t a\\b / d a  f a\\b  f a\\c", "d a  t a/b  f a/c"},
	{"t a\\b / f a", "f a"},
	{"t a\\b / t a", "t a"},
	{"t a\\b", "b a  t a/b"},
	{"f a / t a / f a", "f a"},
	{"d a  f a\\b / t a / d a  f a\\c", "o a  f a/b"},
	/* opaque directories, and what makes one */
	{"t a  d a / d a  f a\\b", "o a"},
	{"d a / t a  d a  f a\\b / d a  f a\\c", "o a  f a/b"},
	{"d a / f a / d a  f a\\b", "o a"},
	{"d a / m a>f  f f / d a  f a\\b", "o a  f f"},
	{"t a  d a / f f  m a\\b>f", "o a  f f"},
	/* bare directories */
	{"t a\\b\\c / d a  d a\\b  f a\\b\\c  f a\\b\\d", "d a  d a/b  t a/b/c  f a/b/d"},
	{"t A\\b / d a", "d a  t a/b"},
	{"m a\\b>f / f f", "d a  f a/b  f f"},
	{"m a\\b>f / f f  f a", "o a  f a/b  f f"},
	{"m a\\b>f / f f  d a  f a\\c", "d a  f a/b  f a/c  f f"},
	{"t a  m a\\b>f / f f  d a  f a\\c", "o a  f a/b  f f"},
	{"t a\\b / m a\\b>c / f a", "o a  t a/b"},
	{"t a\\b / m a\\b\\c>d / f a", "o a  t a/b"},
	{"t a\\b / m a\\c>d  f d / f a", "o a  t a/b  f a/c  f d"},
	{"f a / m a\\b>c / d a", "f a"},
	/* merge links */
	{"m a>b / f b", "f a  f b"},
	{"m a>b / f b / f a", "f a  f b"},
	{"m a>B\\C / d b  f b\\c", "f a  d b  f b/c"},
	{"m a>b  m b>c / f c", "f a  f b  f c"},
	{"m a>b / m b>c / f c", "f a  f b  f c"},
	{"m a>b\\c  m b\\c>d / f d", "f a  d b  f b/c  f d"},
	{"f a / m a>nowhere", "f a"},
	{"t a / m a>nowhere", "t a"},
};

static void test_rules(void)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct kit k = kit_new();
		const unsigned count = make_layers(&k, rules[i].layers);

		finish(&k, add_layers(&k, count));
		merged_is(&k, true, rules[i].tree, rules[i].layers);
		kit_free(&k);
	}
}

/* The names of a merge link and its target are those of one file. */
static void test_one_file(void)
{
	struct kit k = kit_new();
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_image *image;
	uint32_t a = 0, b = 1;

	finish(&k, add_layers(&k, make_layers(&k, "m a>b / f b")));
	image = open_image(&k, "merged");
	must(&k, cim_image_lookup(image, cim_str8("a"), &a, &k.err));
	must(&k, cim_image_lookup(image, cim_str8("b"), &b, &k.err));
	is_int(a, b, "both names have one FileID");
	must(&k, cim_image_stat(image, 2, &info, &k.err));
	is_int(info.marks, 0, "the link's own record is cleared");
	is_int(info.has_security, false, "all of it");
	cim_image_close(image);
	kit_free(&k);
}

/* A merged image hides what a source of its own hid, when it is merged itself. */
static void test_nested(void)
{
	struct kit k = kit_new();
	const unsigned count = make_layers(&k, "t a  t b\\c / d b  f b\\d / f a  d b  f b\\c");
	struct cim_writer *w = begin(&k, NULL, "upper");

	is_int(count, 3, "three layers");
	must(&k, cim_writer_add_source(w, "mem/0", 0, &k.err));
	must(&k, cim_writer_add_source(w, "mem/1", 0, &k.err));
	finish(&k, w);
	w = begin(&k, NULL, "merged");
	must(&k, cim_writer_add_source(w, "mem/upper", 0, &k.err));
	must(&k, cim_writer_add_source(w, "mem/2", 0, &k.err));
	finish(&k, w);
	merged_is(&k, true, "t a  d b  t b/c  f b/d", "merged in two steps");
	kit_free(&k);
}

/* What the session has when a source is added, as layers of two; the first isn't an image. */
static const struct {
	const char *own, *layer, *tree;
} own_layers[] = {
	{"m a\\b>c", "f a  f c", "o a  f a/b  f c"},
	{"m a\\b>c  t a\\b", "f a", "f a"},
	{"m a\\b\\c>d  t a\\b", "f a", "f a"},
	{"d a  m a\\b>c  t a", "f c", "t a  f c"},
};

/* The session's own marks, before a source is added and after. */
static void test_own(void)
{
	struct kit k;
	struct cim_writer *w;

	for (size_t i = 0; i < sizeof(own_layers) / sizeof(*own_layers); i++) {
		k = kit_new();
		make_layers(&k, own_layers[i].layer);
		w = begin(&k, NULL, "merged");
		do_calls(&k, w, own_layers[i].own);
		must(&k, cim_writer_add_source(w, "mem/0", 0, &k.err));
		finish(&k, w);
		merged_is(&k, true, own_layers[i].tree, own_layers[i].own);
		kit_free(&k);
	}
	k = kit_new();
	make_layers(&k, "f a  f b  d c  f c\\d");
	w = begin(&k, NULL, "merged");
	do_calls(&k, w, "t a  m e\\f>b");
	must(&k, cim_writer_add_source(w, "mem/0", 0, &k.err));
	do_calls(&k, w, "t c\\d  m g>e\\f  ? g=FILE_NOT_FOUND  ? b  m h\\i>b");
	finish(&k, w);
	merged_is(&k, true, "t a  f b  d c  t c/d  d e  f e/f  f g  d h  f h/i", "own marks");
	kit_free(&k);
}

/* ---- links that lead nowhere ---- */

static const struct {
	const char *layers, *link, *target, *then;
} dangling[] = {
	{"m a>b", "a", "b", "f b"},
	{"m x\\a>b\\c / f f", "x\\a", "b\\c", "d b  f b\\c"},
	{"m a>b / d b", "a", "b", "f b"},
	{"m a>b\\c / f b", "a", "b\\c", "d b  f b\\c"},
	{"m a>b  t b / f b", "a", "b", "f b"},
	{"m a>b\\c  t b\\d", "a", "b\\c", "t a"},
	{"m a>b\\c  t b", "a", "b\\c", "t a"},
	{"m a>b  m b>c", "a", "b", "f c"},
	{"m a>a", "a", "a", "f a"},
	{"m a>b  m b>a", "a", "b", "f a"},
};

static void test_dangling(void)
{
	for (size_t i = 0; i < sizeof(dangling) / sizeof(*dangling); i++) {
		struct kit k = kit_new();
		struct cim_writer *w = add_layers(&k, make_layers(&k, dangling[i].layers));

		gives(&k, cim_writer_commit(w, &k.err), CIM_E_PATH_NOT_FOUND);
		is_str(k.err.path, dangling[i].link, "%s: the link is named", dangling[i].layers);
		ok(strstr(k.err.cause, dangling[i].target) != NULL, "and its target: %s",
		   k.err.cause);
		ok(!memfs_exists(k.m, "merged"), "there is no image");
		do_calls(&k, w, dangling[i].then);
		gives(&k, cim_writer_commit(w, &k.err), CIM_OK);
		cim_writer_close(w);
		must_be_sound(&k, "merged");
		kit_free(&k);
	}
}

/* A link that is gone when the commit is tried again makes no directory. */
static void test_gone(void)
{
	struct kit k = kit_new();
	struct cim_writer *w = add_layers(&k, make_layers(&k, "f f"));

	do_calls(&k, w, "m a\\b>nowhere");
	gives(&k, cim_writer_commit(w, &k.err), CIM_E_PATH_NOT_FOUND);
	do_calls(&k, w, "t a\\b");
	finish(&k, w);
	merged_is(&k, true, "b a  t a/b  f f", "a directory was made for a link that is gone");
	kit_free(&k);
}

/* Through 64 other links, and no more. */
static void test_hops(void)
{
	for (unsigned others = 63; others <= 65; others++) {
		struct kit k = kit_new();
		struct cim_writer *w = begin(&k, NULL, "layer");

		for (unsigned i = 0; i <= others; i++) {
			char link[20], target[20];

			/* The first name is the end of the chain, so that each is alone at first.
			 */
			snprintf(link, sizeof(link), "link%03u", i);
			snprintf(target, sizeof(target), i < others ? "link%03u" : "file", i + 1);
			must(&k,
			     cim_writer_merge_link(w, cim_str8(link), cim_str8(target), &k.err));
		}
		put(&k, w, "file", "file");
		finish(&k, w);
		w = begin(&k, NULL, "merged");
		must(&k, cim_writer_add_source(w, "mem/layer", 0, &k.err));
		gives(&k, cim_writer_commit(w, &k.err),
		      others > 64 ? CIM_E_PATH_NOT_FOUND : CIM_OK);
		if (others > 64)
			is_str(k.err.path, "link000", "too many hops: %s", k.err.cause);
		cim_writer_close(w);
		kit_free(&k);
	}
}

/* ---- sources that change ---- */

/* A session elsewhere: in one directory the lock would keep others out. */
static struct cim_writer *add_from_afar(struct kit *k)
{
	struct cim_writer *w = NULL;

	must(k, cim_writer_open(&k->env, "mem/m.bcim", NULL, "merged", CIM_WRITE_CONTAINER, &w,
				&k->err));
	must(k, cim_writer_add_source(w, "mem/0", 0, &k->err));
	return w;
}

static void fails(struct kit *k, struct cim_writer *w, enum cim_status want, const char *why)
{
	gives(k, cim_writer_commit(w, &k->err), want);
	ok(strstr(k->err.cause, why) != NULL, "why: %s", k->err.cause);
	cim_writer_close(w);
	ok(!memfs_exists(k->m, "m.bcim"), "there is no image");
}

static void test_changed(void)
{
	struct kit k = kit_new();
	struct cim_writer *w, *other;

	make_layers(&k, "f a");
	w = add_from_afar(&k);
	other = begin(&k, "0", NULL);
	do_calls(&k, other, "f b");
	finish(&k, other);
	fails(&k, w, CIM_E_SHARING, "the source mem/0 was changed");
	w = add_from_afar(&k);
	memfs_unlink(k.m, "0");
	fails(&k, w, CIM_E_FILE_NOT_FOUND, "the source mem/0 is gone");
	kit_free(&k);
}

int main(void)
{
	test_rules();
	test_one_file();
	test_nested();
	test_own();
	test_dangling();
	test_gone();
	test_hops();
	test_changed();
	return tap_done();
}
