/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.c - a tree in memory that says what an image must hold
 *
 * As plain as can be, so that it can be believed: arrays searched from end to end, no sharing but
 * of bytes, nothing ever freed before the end. It shares no code with the library.
 */
#include "rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Revision 1, "DACL present" and "self-relative", no owner, no group, no ACL (decision D8). */
const uint8_t rt_default_security[20] = {1, 0, 4, 0x80};

static void *must(void *p)
{
	if (p)
		return p;
	fputs("out of memory\n", stderr);
	exit(2);
}

/* ---- random numbers: splitmix64's well-known constants ---- */

uint64_t rt_next(struct rt_random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	if (r->left) {
		r->left--;
		z = z >> 8 | (uint64_t)*r->input++ << 56;
	}
	return z;
}

uint32_t rt_below(struct rt_random *r, uint32_t n)
{
	return (uint32_t)((rt_next(r) >> 32) * n >> 32);
}

bool rt_chance(struct rt_random *r, uint32_t percent)
{
	return rt_below(r, 100) < percent;
}

/* ---- memory ---- */

struct rt_blob *rt_blob_new(struct rt_world *world, size_t size)
{
	struct rt_blob *blob = must(malloc(sizeof(*blob) + size));

	blob->next = world->blobs;
	blob->size = size;
	world->blobs = blob;
	return blob;
}

const struct rt_stored *rt_stored_new(struct rt_world *world, const struct rt_stream *stream,
				      const struct rt_stored *next)
{
	struct rt_stored *stored = must(malloc(sizeof(*stored)));

	stored->all = world->stored;
	stored->next = next;
	stored->data = stream->data;
	stored->size = stream->size;
	world->stored = stored;
	return stored;
}

struct rt_node *rt_node_new(struct rt_world *world, bool directory)
{
	struct rt_node *node = must(calloc(1, sizeof(*node)));

	node->next = world->nodes;
	node->directory = directory;
	world->nodes = node;
	return node;
}

struct rt_node *rt_root_new(struct rt_world *world)
{
	struct rt_node *root = rt_node_new(world, true);
	struct rt_blob *security = rt_blob_new(world, sizeof(rt_default_security));

	memcpy(security->data, rt_default_security, sizeof(rt_default_security));
	root->security = security;
	root->attributes = CIM_ATTR_DIRECTORY;
	return root;
}

void rt_world_free(struct rt_world *world)
{
	while (world->blobs) {
		struct rt_blob *blob = world->blobs;

		world->blobs = blob->next;
		free(blob);
	}
	while (world->stored) {
		struct rt_stored *stored = world->stored;

		world->stored = stored->all;
		free(stored);
	}
	while (world->nodes) {
		struct rt_node *node = world->nodes;

		world->nodes = node->next;
		free(node->streams);
		free(node->entries);
		free(node->hidden);
		free(node);
	}
}

static void *copy_array(const void *from, size_t bytes)
{
	return bytes ? memcpy(must(malloc(bytes)), from, bytes) : NULL;
}

static struct rt_node *copy_node(struct rt_world *world, struct rt_node *node, uint32_t round)
{
	struct rt_node *copy, *next;

	if (node->copy_round == round)
		return node->copy;
	copy = rt_node_new(world, node->directory);
	node->copy_round = round;
	node->copy = copy;
	next = copy->next;
	*copy = *node;
	copy->next = next;
	copy->copy_round = 0;
	copy->streams = copy_array(node->streams, node->stream_count * sizeof(*node->streams));
	copy->entries = copy_array(node->entries, node->entry_count * sizeof(*node->entries));
	copy->hidden = copy_array(node->hidden, node->hidden_count * sizeof(*node->hidden));
	for (uint32_t i = 0; i < node->entry_count; i++)
		copy->entries[i].node = copy_node(world, node->entries[i].node, round);
	for (uint32_t i = 0; i < node->hidden_count; i++)
		if (node->hidden[i].bare)
			copy->hidden[i].bare = copy_node(world, node->hidden[i].bare, round);
	return copy;
}

struct rt_node *rt_tree_copy(struct rt_world *world, struct rt_node *root)
{
	return copy_node(world, root, ++world->copy_round);
}

/* ---- names ---- */

/* Pairs of ranges, upper and lower case, by the story's alphabets. */
static const struct {
	uint16_t upper, last, lower;
} pairs[] = {
	{'A', 'Z', 'a'},	  {0xc0, 0xd6, 0xe0},	 {0xd8, 0xde, 0xf8},
	{0x400, 0x40f, 0x450},	  {0x410, 0x42f, 0x430}, {0x391, 0x3a1, 0x3b1},
	{0xff21, 0xff3a, 0xff41},
};

uint16_t rt_upcase(uint16_t unit)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		uint16_t length = (uint16_t)(pairs[i].last - pairs[i].upper);

		if (unit >= pairs[i].lower && unit <= pairs[i].lower + length)
			return (uint16_t)(pairs[i].upper + (unit - pairs[i].lower));
	}
	return unit;
}

uint16_t rt_other_case(uint16_t unit)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (unit >= pairs[i].upper && unit <= pairs[i].last)
			return (uint16_t)(pairs[i].lower + (unit - pairs[i].upper));
	return rt_upcase(unit);
}

bool rt_same_name(const struct rt_name *a, const struct rt_name *b)
{
	if (a->units != b->units)
		return false;
	for (uint32_t i = 0; i < a->units; i++)
		if (rt_upcase(a->text[i]) != rt_upcase(b->text[i]))
			return false;
	return true;
}

bool rt_equal_name(const struct rt_name *a, const struct rt_name *b)
{
	return a->units == b->units && !memcmp(a->text, b->text, a->units * sizeof(*a->text));
}

/* ---- entries and streams ---- */

struct rt_entry *rt_find(const struct rt_node *dir, const struct rt_name *name)
{
	for (uint32_t i = 0; i < dir->entry_count; i++)
		if (rt_same_name(&dir->entries[i].name, name))
			return &dir->entries[i];
	return NULL;
}

struct rt_named_stream *rt_find_stream(const struct rt_node *node, const struct rt_name *name)
{
	for (uint32_t i = 0; i < node->stream_count; i++)
		if (rt_same_name(&node->streams[i].name, name))
			return &node->streams[i];
	return NULL;
}

struct rt_hidden *rt_find_hidden(const struct rt_node *dir, const struct rt_name *name)
{
	for (uint32_t i = 0; i < dir->hidden_count; i++)
		if (rt_same_name(&dir->hidden[i].name, name))
			return &dir->hidden[i];
	return NULL;
}

/* Nothing is hidden by that name any more. A directory goes on hiding what a tombstone did, and has
 * what a bare one had. */
static void unhide(struct rt_node *dir, const struct rt_name *name, struct rt_node *node)
{
	struct rt_hidden *hidden = rt_find_hidden(dir, name);

	if (!hidden)
		return;
	if (node && node->directory) {
		node->opaque = hidden->marks & (CIM_MARK_TOMBSTONE | CIM_MARK_OPAQUE);
		if (hidden->bare) {
			node->hidden = hidden->bare->hidden;
			node->hidden_count = hidden->bare->hidden_count;
			hidden->bare->hidden = NULL;
			hidden->bare->hidden_count = 0;
		}
	}
	*hidden = dir->hidden[--dir->hidden_count];
}

struct rt_hidden *rt_hide(struct rt_world *world, struct rt_node *dir, const struct rt_name *name,
			  uint32_t marks)
{
	struct rt_hidden *hidden;

	unhide(dir, name, NULL);
	if (rt_find(dir, name))
		rt_remove(dir, name);
	dir->hidden = must(realloc(dir->hidden, (dir->hidden_count + 1) * sizeof(*dir->hidden)));
	hidden = &dir->hidden[dir->hidden_count++];
	*hidden = (struct rt_hidden){.name = *name, .marks = marks};
	if (marks & CIM_MARK_BARE)
		hidden->bare = rt_node_new(world, true);
	return hidden;
}

void rt_put(struct rt_node *dir, const struct rt_name *name, struct rt_node *node)
{
	struct rt_entry *entry = rt_find(dir, name);

	unhide(dir, name, node);
	if (!entry) {
		dir->entries =
			must(realloc(dir->entries, (dir->entry_count + 1) * sizeof(*dir->entries)));
		entry = &dir->entries[dir->entry_count++];
	}
	entry->name = *name;
	entry->node = node;
}

void rt_remove(struct rt_node *dir, const struct rt_name *name)
{
	struct rt_entry *entry = rt_find(dir, name);

	*entry = dir->entries[--dir->entry_count];
}

void rt_put_stream(struct rt_node *node, const struct rt_name *name, const struct rt_stream *stream)
{
	struct rt_named_stream *at = rt_find_stream(node, name);

	if (!at) {
		node->streams = must(
			realloc(node->streams, (node->stream_count + 1) * sizeof(*node->streams)));
		at = &node->streams[node->stream_count++];
	}
	at->name = *name;
	at->stream = *stream;
}

void rt_remove_stream(struct rt_node *node, const struct rt_name *name)
{
	struct rt_named_stream *at = rt_find_stream(node, name);

	*at = node->streams[--node->stream_count];
}

void rt_stream_expect(const struct rt_stream *stream, uint64_t offset, uint8_t *buf, size_t len)
{
	memset(buf, 0, len);
	if (offset >= stream->written)
		return;
	if (len > stream->written - offset)
		len = (size_t)(stream->written - offset);
	memcpy(buf, stream->data->data + offset, len);
}
