/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_null.c - the rule of libcim.h about NULL, for each pointer that each function takes
 *
 * A call of the table is made once for each pointer that it takes, with NULL for that one. What it
 * returns, and what it leaves in its output and in its error, must be as the rule says. exports.sh
 * sees to it that each function is named here.
 */
#include "kit.h"

#include "libcim_debug.h"

/* What calls are made with. */
static struct kit k;
static struct cim_image *image;
static struct cim_writer *writer;
static struct cim_stream *stream;
static struct cim_store *store;
static struct cim_iter *iter;
static struct cim_walk *walk;
static struct cim_budget *budget;
static struct cim_links *links;
static struct cim_idset *idset;
static const struct cim_place place;
static bool again;
static const char *const paths[] = {"mem/x.cim"};
static const uint8_t root[32];
static struct cim_file_info file = {CIM_SIZED(file)};
static struct cim_data data = {CIM_SIZED(data)};
static struct cim_region_set set;
static const struct cim_structure_visitor visitor = {CIM_SIZED(visitor)};
static const struct cim_source source = {CIM_SIZED(source)};
static const struct cim_metadata metadata = {CIM_SIZED(metadata)};

/* What they are to leave as zeros: room for any output. */
static _Alignas(max_align_t) char out[1024];
static struct cim_str none;
static struct cim_run run = {CIM_SIZED(run)};
static char buf[64];
static uint16_t units[64];

/* The pointer that a call gets in the place of number @n, counted from 1: NULL in its turn. */
static unsigned turn;
#define P(n, pointer) (turn == (n) ? NULL : (pointer))

/* The same for a part of `out`; of a structure with struct_size, what is behind it. */
static bool has_out;
static size_t zeros_from;

static void *output(unsigned n)
{
	has_out = turn != n;
	zeros_from = 0;
	return has_out ? out : NULL;
}

static void *sized_output(unsigned n)
{
	void *pointer = output(n);

	zeros_from = sizeof(size_t);
	return pointer;
}

#define PATH cim_str8("a")

/* With the operation that their errors name. */
#define CALLS(X)                                                                                   \
	X(cim_budget_once, 4, "budget",                                                            \
	  (P(1, budget), P(2, &place), output(3), P(4, &again), &k.err))                           \
	X(cim_budget_open, 2, "budget", (P(1, image), output(2), &k.err))                          \
	X(cim_budget_spend, 2, "budget", (P(1, budget), P(2, &place), &k.err))                     \
	X(cim_check_image_name, 1, "check image name", (P(1, "x.cim"), &k.err))                    \
	X(cim_container_append, 2, "append to container",                                          \
	  (&k.env, P(1, "mem/x"), 0, P(2, "b"), 1, NULL, &k.err))                                  \
	X(cim_container_get_info, 2, "look at container",                                          \
	  (&k.env, P(1, "mem/x"), sized_output(2), &k.err))                                        \
	X(cim_container_seal, 2, "seal container",                                                 \
	  (&k.env, P(1, "mem/x"), output(2), NULL, &k.err))                                        \
	X(cim_data_place, 3, "find stream", (P(1, image), P(2, &data), output(3), &k.err))         \
	X(cim_file_has_rest, 3, "look behind record",                                              \
	  (P(1, image), P(2, &file), NULL, output(3), &k.err))                                     \
	X(cim_file_place, 3, "find part",                                                          \
	  (P(1, image), P(2, &file), CIM_PART_DATA, output(3), &k.err))                            \
	X(cim_idset_add, 2, "set of files", (P(1, idset), 1, P(2, &again), &k.err))                \
	X(cim_idset_open, 2, "set of files", (P(1, image), output(2), &k.err))                     \
	X(cim_links_walkable, 1, "walk", (P(1, links), &k.err))                                    \
	X(cim_links_open, 2, "count links", (P(1, image), NULL, NULL, output(2), &k.err))          \
	X(cim_image_check_regions, 1, "check region files", (P(1, image), &k.err))                 \
	X(cim_image_copy, 3, "copy image",                                                         \
	  (&k.env, P(1, "mem/x"), P(2, "mem"), P(3, "y"), 0, NULL, NULL, &k.err))                  \
	X(cim_image_get_blob, 2, "read extended attributes",                                       \
	  (P(1, image), 1, CIM_BLOB_EA, NULL, 0, output(2), &k.err))                               \
	X(cim_image_get_data, 2, "find stream", (P(1, image), 1, none, sized_output(2), &k.err))   \
	X(cim_image_get_file_blob, 3, "read extended attributes",                                  \
	  (P(1, image), P(2, &file), CIM_BLOB_EA, NULL, 0, output(3), &k.err))                     \
	X(cim_image_get_file_data, 3, "find stream",                                               \
	  (P(1, image), P(2, &file), none, sized_output(3), &k.err))                               \
	X(cim_image_get_run, 3, "find stream",                                                     \
	  (P(1, image), P(2, &data), 0, 1, sized_output(3), &k.err))                               \
	X(cim_image_get_segment, 3, "find stream",                                                 \
	  (P(1, image), P(2, &data), 0, sized_output(3), &k.err))                                  \
	X(cim_image_hold, 1, "hold image", (P(1, image), CIM_HOLD_ASK, NULL, &k.err))              \
	X(cim_image_lookup, 2, "look up", (P(1, image), PATH, output(2), &k.err))                  \
	X(cim_image_lookup_at, 2, "look up", (P(1, image), 1, PATH, false, output(2), &k.err))     \
	X(cim_image_lookup_stream, 3, "look up",                                                   \
	  (P(1, image), PATH, output(2), P(3, &none), &k.err))                                     \
	X(cim_image_open, 2, "open image", (&k.env, P(1, "mem/x.cim"), output(2), &k.err))         \
	X(cim_image_open_merged, 3, "open merged image",                                           \
	  (&k.env, P(1, "mem/x.cim"), P(2, paths), 1, output(3), &k.err))                          \
	X(cim_image_open_verified, 4, "open verified image",                                       \
	  (&k.env, P(1, "mem/x.cim"), P(2, paths), 1, P(3, root), output(4), &k.err))              \
	X(cim_image_read, 4, "read stream",                                                        \
	  (P(1, image), P(2, &data), 0, P(4, buf), 1, output(3), &k.err))                          \
	X(cim_image_region_size, 2, "get region file size", (P(1, image), 0, output(2), &k.err))   \
	X(cim_image_stat, 2, "read record", (P(1, image), 1, sized_output(2), &k.err))             \
	X(cim_image_verify, 1, "verify image", (P(1, image), 0, NULL, NULL, NULL, &k.err))         \
	X(cim_iter_dir, 2, "open directory", (P(1, image), 1, output(2), &k.err))                  \
	X(cim_iter_file_streams, 3, "list streams", (P(1, image), P(2, &file), output(3), &k.err)) \
	X(cim_iter_next, 2, "read directory", (P(1, iter), output(2), &k.err))                     \
	X(cim_iter_streams, 2, "list streams", (P(1, image), 1, output(2), &k.err))                \
	X(cim_store_open, 2, "look at image directory",                                            \
	  (&k.env, P(1, "mem"), false, output(2), &k.err))                                         \
	X(cim_store_remove, 2, "remove file", (P(1, store), P(2, "x"), &k.err))                    \
	X(cim_store_open_image, 3, "open image", (P(1, store), P(2, "x"), output(3), &k.err))      \
	X(cim_store_sync, 1, "sync directory", (P(1, store), &k.err))                              \
	X(cim_stream_fill, 2, "fill stream", (P(1, stream), P(2, &source), &k.err))                \
	X(cim_stream_write, 2, "write stream", (P(1, stream), P(2, buf), 0, output(0), &k.err))    \
	X(cim_structures_visit, 3, "visit structures",                                             \
	  (&k.env, P(1, "mem/x.cim"), P(2, paths), 1, NULL, P(3, &visitor), output(0), &k.err))    \
	X(cim_walk_next, 2, "walk", (P(1, walk), output(2), &k.err))                               \
	X(cim_walk_open, 2, "walk", (P(1, image), 1, output(2), &k.err))                           \
	X(cim_writer_add, 1, "add", (P(1, writer), PATH, &metadata, output(0), &k.err))            \
	X(cim_writer_add_source, 1, "add source", (P(1, writer), "mem/x.cim", 0, &k.err))          \
	X(cim_writer_add_stream, 1, "add stream", (P(1, writer), PATH, 0, output(0), &k.err))      \
	X(cim_writer_commit, 1, "commit", (P(1, writer), &k.err))                                  \
	X(cim_writer_delete, 1, "delete", (P(1, writer), PATH, &k.err))                            \
	X(cim_writer_get_stats, 2, "get counts", (P(1, writer), sized_output(2), &k.err))          \
	X(cim_writer_link, 1, "link", (P(1, writer), PATH, PATH, &k.err))                          \
	X(cim_writer_lookup, 2, "look up", (P(1, writer), PATH, output(2), &k.err))                \
	X(cim_writer_merge_link, 1, "merge link", (P(1, writer), PATH, PATH, &k.err))              \
	X(cim_writer_open, 2, "open session",                                                      \
	  (&k.env, P(1, "mem"), NULL, "y.cim", 0, output(2), &k.err))                              \
	X(cim_writer_stat, 2, "read record", (P(1, writer), PATH, sized_output(2), &k.err))        \
	X(cim_writer_tombstone, 1, "tombstone", (P(1, writer), PATH, &k.err))

/* Those that return something else than a status: NULL, 0 or false. */
#define ANSWERS(X)                                                       \
	X(cim_blob_valid, 1, (CIM_BLOB_EA, P(1, buf), 1))                \
	X(cim_guid_parse, 2, (P(1, "0"), output(2)))                     \
	X(cim_idset_has, 1, (P(1, idset), 1))                            \
	X(cim_image_get_info, 1, (P(1, image)))                          \
	X(cim_image_get_set, 1, (P(1, image), 0))                        \
	X(cim_image_get_source, 1, (P(1, image), 0))                     \
	X(cim_image_mark, 2, (P(1, image), 0, output(2)))                \
	X(cim_image_region_name, 2, (P(1, image), 0, output(2)))         \
	X(cim_iter_count, 1, (P(1, iter)))                               \
	X(cim_iter_place, 2, (P(1, iter), output(2)))                    \
	X(cim_links_bytes, 1, (P(1, links)))                             \
	X(cim_links_count, 1, (P(1, links), 1))                          \
	X(cim_links_several, 1, (P(1, links)))                           \
	X(cim_name_compare_default, 2, (P(1, units), 1, P(2, units), 2)) \
	X(cim_store_get, 1, (P(1, store), 0))                            \
	X(cim_store_owner, 2, (P(1, store), P(2, &set.guid), 0))         \
	X(cim_store_unlocked, 1, (P(1, store)))                          \
	X(cim_str16, 1, (P(1, units)).utf16)                             \
	X(cim_str8, 1, (P(1, buf)).utf8)                                 \
	X(cim_utf8_from_utf16, 1, (P(1, units), 1, out, sizeof(out)))    \
	X(cim_writer_unlocked, 1, (P(1, writer)))

/* Those that return nothing, and only must not crash. */
#define DEEDS(X)                                            \
	X(cim_budget_close, 1, (NULL))                      \
	X(cim_guid_format, 2, (P(1, &set.guid), output(2))) \
	X(cim_idset_close, 1, (NULL))                       \
	X(cim_image_close, 1, (NULL))                       \
	X(cim_image_show_marked, 1, (NULL, true))           \
	X(cim_iter_close, 1, (NULL))                        \
	X(cim_iter_seek, 1, (P(1, iter), 0))                \
	X(cim_links_close, 1, (NULL))                       \
	X(cim_run_put, 2, (P(1, image), P(2, &run)))        \
	X(cim_store_close, 1, (NULL))                       \
	X(cim_stream_close, 1, (NULL))                      \
	X(cim_walk_close, 1, (NULL))                        \
	X(cim_walk_skip, 1, (P(1, walk)))                   \
	X(cim_writer_close, 1, (NULL))

/* The conversion has no struct cim_error. */
#define CONVERSIONS(X) X(cim_utf16_from_utf8, 2, (P(1, buf), 1, units, 64, output(2)))

/*
 * These take no pointer, or none that could miss: cim_env_default, cim_status_from_os,
 * cim_status_name, cim_status_text, cim_structure_name, cim_version, cim_version_number.
 */

static void is_refused(const char *function, enum cim_status status)
{
	is_str(cim_status_name(status), "CIM_E_POINTER", "%s: pointer %u", function, turn);
	ok(!has_out || !out[zeros_from], "%s: the output is zero", function);
}

#define CALL(function, pointers, op_word, arguments)                               \
	for (turn = 1; turn <= (pointers); turn++) {                               \
		has_out = false;                                                   \
		memset(out, 0x55, sizeof(out));                                    \
		memset(&k.err, 0, sizeof(k.err));                                  \
		is_refused(#function, function arguments);                         \
		ok(strstr(k.err.cause, " is NULL"), #function ": and says which"); \
		is_str(k.err.op, op_word, #function ": and what was being done");  \
	}
#define CONVERSION(function, pointers, arguments)          \
	for (turn = 1; turn <= (pointers); turn++) {       \
		memset(out, 0x55, sizeof(out));            \
		is_refused(#function, function arguments); \
	}
#define ANSWER(function, pointers, arguments)      \
	for (turn = 1; turn <= (pointers); turn++) \
		ok(!(function arguments), #function ": pointer %u", turn);
#define DEED(function, pointers, arguments)        \
	for (turn = 1; turn <= (pointers); turn++) \
		function arguments;

int main(void)
{
	struct cim_writer *w;

	k = kit_new();
	w = begin(&k, NULL, "x.cim");
	put(&k, w, "a", "text");
	finish(&k, w);
	image = open_image(&k, "x.cim");
	writer = begin(&k, NULL, "z.cim");
	must(&k, cim_writer_add(writer, PATH, &metadata, &stream, &k.err));
	must(&k, cim_store_open(&k.env, "mem", false, &store, &k.err));
	must(&k, cim_iter_dir(image, 1, &iter, &k.err));
	must(&k, cim_walk_open(image, 1, &walk, &k.err));
	must(&k, cim_budget_open(image, &budget, &k.err));
	must(&k, cim_idset_open(image, &idset, &k.err));
	must(&k, cim_links_open(image, NULL, NULL, &links, &k.err));
	must(&k, cim_image_stat(image, 2, &file, &k.err));
	must(&k, cim_image_get_file_data(image, &file, none, &data, &k.err));
	CALLS(CALL)
	CONVERSIONS(CONVERSION)
	ANSWERS(ANSWER)
	DEEDS(DEED)
	cim_links_close(links);
	cim_idset_close(idset);
	cim_budget_close(budget);
	cim_walk_close(walk);
	cim_iter_close(iter);
	cim_store_close(store);
	cim_stream_close(stream);
	cim_writer_close(writer);
	cim_image_close(image);
	kit_free(&k);
	return tap_done();
}
