/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rt.h - the round-trip test: a seeded story, two tellers, one model
 *
 * A seed stands for a story: several sessions that make, extend and fork images by a few hundred
 * calls, good and bad ones. story.c tells it, one call at a time, to a back end: libcim on Linux
 * (rt_libcim.c; in memory ../t_writer_random.c) or cimfs.dll under Wine (win/rt_cimfs.c). Since
 * both ask for consistent images, both must come to the same files, byte for byte. Meanwhile the
 * model (model.c), a plain tree in memory that knows what each call means by the documentation and
 * decisions.md, says what each call must answer, and what the images must hold in the end
 * (verify.c).
 *
 * All of this is portable C; the story depends on nothing but the seed, the list of PE files and
 * the options, so no number may come from where two compilers or systems differ: no order of
 * evaluation, no pointer, no clock.
 */
#ifndef CIM_RT_H
#define CIM_RT_H

#include "../../../include/libcim_advanced.h"

/* ---- random numbers: the same on every system ---- */

struct rt_random {
	uint64_t state;
	const uint8_t *input; /* each byte decides the top of a number, while there are any */
	size_t left;
};

uint64_t rt_next(struct rt_random *r);
/* 0 .. n-1; n > 0 */
uint32_t rt_below(struct rt_random *r, uint32_t n);
bool rt_chance(struct rt_random *r, uint32_t percent);

/* ---- the model ---- */

/* Bytes that nobody changes any more; live as long as the world. */
struct rt_blob {
	struct rt_blob *next;
	size_t size;
	uint8_t data[];
};

/* A stream: @size bytes, of which the first @written are those of @data; the rest is zero. */
struct rt_stream {
	uint64_t size;
	uint64_t written;
	const struct rt_blob *data; /* at least @written bytes; NULL if none */
};

struct rt_name {
	uint16_t units;
	uint16_t text[CIM_MAX_NAME];
};

struct rt_entry {
	struct rt_name name;
	struct rt_node *node;
};

/* What marks hide (container.md 2): a tombstone, a merge link, or a bare directory. */
struct rt_hidden {
	struct rt_name name;
	uint32_t marks;
	struct rt_node *bare;	      /* what is in a bare directory: hidden things only */
	const struct rt_blob *target; /* of a merge link, its code units in UTF-16LE */
};

struct rt_named_stream {
	struct rt_name name;
	struct rt_stream stream;
};

/* A file or directory; several entries may lead to a file. */
struct rt_node {
	struct rt_node *next; /* all nodes of the world */
	struct rt_node *copy; /* while a tree is being copied */
	uint32_t copy_round;
	bool directory;
	uint32_t attributes; /* as a reader must report them */
	uint32_t tag;
	int64_t times[4]; /* creation, last write, change, last access */
	const struct rt_blob *security, *ea, *reparse;
	struct rt_stream data;
	struct rt_named_stream *streams;
	uint32_t stream_count;
	struct rt_entry *entries;
	uint32_t entry_count;
	bool opaque;
	struct rt_hidden *hidden;
	uint32_t hidden_count;
	uint32_t file_id; /* while an image is being verified; 0: not met yet */
};

/* What an image's regions hold already, wholly written streams only: each content once. A list
 * grows at its front, so a later session's begins with the one it is based on. */
struct rt_stored {
	struct rt_stored *all; /* of the world */
	const struct rt_stored *next;
	const struct rt_blob *data;
	uint64_t size;
};

/* Owns the memory of everything above. */
struct rt_world {
	struct rt_blob *blobs;
	struct rt_node *nodes;
	struct rt_stored *stored;
	uint32_t copy_round;
};

struct rt_blob *rt_blob_new(struct rt_world *world, size_t size);
/* A list that begins with this and goes on with @next. */
const struct rt_stored *rt_stored_new(struct rt_world *world, const struct rt_stream *stream,
				      const struct rt_stored *next);
struct rt_node *rt_node_new(struct rt_world *world, bool directory);
/* A root as it is when nobody described it (decision D22). */
struct rt_node *rt_root_new(struct rt_world *world);
struct rt_node *rt_tree_copy(struct rt_world *world, struct rt_node *root);
void rt_world_free(struct rt_world *world);

/* The other case of a code unit, itself if it has none; and its upper case. Knows only the
 * alphabets that the story uses, and so owes nothing to the library's table. */
uint16_t rt_other_case(uint16_t unit);
uint16_t rt_upcase(uint16_t unit);
bool rt_same_name(const struct rt_name *a, const struct rt_name *b);
bool rt_equal_name(const struct rt_name *a, const struct rt_name *b); /* case too */

struct rt_entry *rt_find(const struct rt_node *dir, const struct rt_name *name);
struct rt_named_stream *rt_find_stream(const struct rt_node *node, const struct rt_name *name);
/* Put @node under a name, in place of what is there; the new spelling holds. */
void rt_put(struct rt_node *dir, const struct rt_name *name, struct rt_node *node);
void rt_remove(struct rt_node *dir, const struct rt_name *name);
struct rt_hidden *rt_find_hidden(const struct rt_node *dir, const struct rt_name *name);
/* Put something hidden under a name, in place of what is there, hidden or not. */
struct rt_hidden *rt_hide(struct rt_world *world, struct rt_node *dir, const struct rt_name *name,
			  uint32_t marks);
void rt_put_stream(struct rt_node *node, const struct rt_name *name,
		   const struct rt_stream *stream);
void rt_remove_stream(struct rt_node *node, const struct rt_name *name);
/* Byte @offset of a stream, for comparing: fills @buf with what must be read. */
void rt_stream_expect(const struct rt_stream *stream, uint64_t offset, uint8_t *buf, size_t len);

extern const uint8_t rt_default_security[20];

/* ---- a back end: what the story is told to ---- */

struct rt_backend {
	const char *name;
	void *ctx;
	/* @existing may be NULL, and so may @name, as in cim_writer_open() */
	enum cim_status (*open)(void *ctx, const char *existing, const char *name, unsigned round);
	/* these two leave a stream open; @idle: nothing at all will be done with it */
	enum cim_status (*add)(void *ctx, const uint16_t *path, const struct cim_metadata *metadata,
			       bool idle);
	enum cim_status (*add_stream)(void *ctx, const uint16_t *path, uint64_t size, bool idle);
	enum cim_status (*write)(void *ctx, const void *buf, size_t len);
	/* the whole stream at once; NULL: the back end has no such call */
	enum cim_status (*fill)(void *ctx, const void *buf, size_t len);
	void (*close_stream)(void *ctx);
	enum cim_status (*link)(void *ctx, const uint16_t *path, const uint16_t *existing);
	enum cim_status (*remove)(void *ctx, const uint16_t *path);
	enum cim_status (*lookup)(void *ctx, const uint16_t *path, bool *exists);
	enum cim_status (*tombstone)(void *ctx, const uint16_t *path);
	enum cim_status (*merge_link)(void *ctx, const uint16_t *path, const uint16_t *target);
	/* bytes of streams that the session stored; NULL: the back end can't tell */
	uint64_t (*stored)(void *ctx);
	/* lay an image of the place under what the session has; NULL: no such call */
	enum cim_status (*add_source)(void *ctx, const char *name);
	enum cim_status (*commit)(void *ctx);
	void (*close)(void *ctx);
};

/* ---- the story ---- */

#define RT_MAX_IMAGES 8

struct rt_image {
	char name[24];
	struct rt_node *root;
	const struct rt_stored *stored;
};

struct rt_result;

struct rt_options {
	uint64_t seed;
	const char *pe_list; /* file with the path of a PE file on each line; NULL: none */
	bool trace;	     /* print each call */
	bool big;	     /* also partly written streams of more than 4 GiB */
	bool fill;	     /* write whole streams by fill() */
	bool marks;	     /* also tombstones and merge links */
	bool merge;	     /* merge all images in the end */
	bool container; /* for the programs: the images lie in one, which is sealed in the end */
	/* choices to begin with, before the seed's: for a fuzzer */
	const uint8_t *input;
	size_t input_size;
	/* after each session; the story ends if it answers false; may be NULL */
	bool (*after_session)(void *ctx, struct rt_result *result);
	void *ctx;
};

struct rt_result {
	struct rt_world world;
	struct rt_image images[RT_MAX_IMAGES];
	uint32_t image_count;
	uint64_t calls;
	uint64_t wrong; /* calls that answered what they must not */
};

/* Tell the story; false if it could not be told to its end. */
bool rt_tell(const struct rt_options *options, const struct rt_backend *backend,
	     struct rt_result *result);

/* Read the options that both programs have; returns the index of the first other argument, or 0
 * after having printed the usage. */
int rt_parse_options(int argc, char **argv, struct rt_options *options);

/* ---- verify.c (native): an image against a tree ---- */

/* Returns the number of differences; each of the first few is printed. */
uint64_t rt_verify(const struct cim_env *env, const char *path, struct rt_node *root,
		   struct rt_random *random, uint64_t *items);

/* ---- native.c: libcim as a back end ---- */

struct rt_native;

/* @env as for cim_writer_open(), @flags CIM_WRITE_*. Never NULL. */
struct rt_native *rt_native_new(const struct cim_env *env, const char *dir, unsigned flags);
void rt_native_free(struct rt_native *n);
struct rt_backend rt_native_backend(struct rt_native *n);
/* Differences of all images of the story, so far. */
uint64_t rt_native_verify(const struct rt_native *n, struct rt_result *result, uint64_t seed,
			  uint64_t *items);
/* Files that nobody needs any more: an aborted session has left them, or a bad commit. */
uint64_t rt_native_strays(const struct rt_native *n);

#endif
