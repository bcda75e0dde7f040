/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * story.c - tells a seed's story to a back end, and holds each answer against the model
 *
 * A story is a handful of sessions. Each picks what it makes (an image from nothing, one more
 * session of an image, a fork), does some dozens of things, good ones and bad ones, and commits, or
 * is given up. What a call must answer, and what it must have changed, is decided here by
 * decisions.md, on the model's tree; the back end's answer must be the same.
 */
#include "content.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS  7
#define PATH_ROOM (CIM_MAX_PATH + 600)

/* A path being put together. */
struct path {
	size_t units;
	uint16_t *text;		      /* room + 1 */
	uint16_t room[PATH_ROOM + 1]; /* begins with a separator, which a path may have */
};

struct story {
	const struct rt_options *options;
	const struct rt_backend *backend;
	struct rt_result *result;
	struct rt_content content;
	struct rt_random *random; /* the content's */
	struct rt_node *root;	  /* of the session's tree */
	const struct rt_stored *stored;
	uint64_t stored_bytes; /* by this session */
	bool big_done;
	struct path path, other;
};

/* ---- telling what goes on ---- */

static void print_path(const uint16_t *text)
{
	size_t units = 0;

	putchar('"');
	for (; text[units]; units++) {
		if (units >= 60)
			continue;
		if (text[units] >= ' ' && text[units] < 127)
			putchar(text[units]);
		else
			printf("\\u%04x", text[units]);
	}
	printf(units > 60 ? "...\" (%u units)" : "\"", (unsigned)units);
}

/* Of its own, for the Windows program isn't linked with the library. */
static const char *status_name(enum cim_status status)
{
	static const char *const names[] = {"OK",
					    "INVALID",
					    "POINTER",
					    "NO_MEMORY",
					    "ACCESS",
					    "FILE_NOT_FOUND",
					    "PATH_NOT_FOUND",
					    "EXISTS",
					    "SHARING",
					    "EOF",
					    "CORRUPT",
					    "VERSION",
					    "UNSUPPORTED",
					    "LIMIT",
					    "FULL",
					    "TOO_LARGE",
					    "IO",
					    "ABORTED"};

	return (size_t)status < sizeof(names) / sizeof(*names) ? names[status] : "?";
}

/* Judge a call. The model goes on as if it had answered what it must. */
static bool expect(struct story *s, enum cim_status got, enum cim_status want, const char *call,
		   const uint16_t *path)
{
	s->result->calls++;
	if (got != want)
		s->result->wrong++;
	if (got != want || s->options->trace) {
		printf("# call %llu: %s", (unsigned long long)s->result->calls, call);
		if (path) {
			putchar(' ');
			print_path(path);
		}
		printf(": %s", status_name(got));
		if (got != want)
			printf(", must be %s", status_name(want));
		putchar('\n');
		fflush(stdout);
	}
	return got == want;
}

/* ---- paths ---- */

static void path_start(struct path *path)
{
	path->units = 0;
	path->room[0] = '\\';
	path->text = path->room + 1;
	path->text[0] = 0;
}

static void path_cut(struct path *path, size_t units)
{
	path->units = units;
	path->text[units] = 0;
}

static void path_units(struct path *path, const uint16_t *text, size_t units)
{
	if (path->units + units >= PATH_ROOM)
		return;
	memcpy(path->text + path->units, text, units * sizeof(*text));
	path->units += units;
	path->text[path->units] = 0;
}

static void path_ascii(struct path *path, const char *text)
{
	for (; *text; text++) {
		uint16_t unit = (uint8_t)*text;

		path_units(path, &unit, 1);
	}
}

static void path_name(struct path *path, const struct rt_name *name)
{
	if (path->units)
		path_ascii(path, "\\");
	path_units(path, name->text, name->units);
}

/* An existing name, sometimes in another spelling. */
static void path_existing(struct story *s, struct path *path, const struct rt_name *name)
{
	struct rt_name copy = *name;

	if (rt_chance(s->random, 20))
		rt_respell(&s->content, &copy);
	path_name(path, &copy);
}

/* One leading separator is allowed. */
static const uint16_t *path_text(struct story *s, const struct path *path)
{
	return rt_chance(s->random, 15) && path->units < CIM_MAX_PATH ? path->room : path->text;
}

static bool stream_name(struct story *s, const struct rt_node *node, struct rt_name *name)
{
	bool existing = node->stream_count && rt_chance(s->random, 40);

	if (existing) {
		*name = node->streams[rt_below(s->random, node->stream_count)].name;
		if (rt_chance(s->random, 30))
			rt_respell(&s->content, name);
	} else {
		rt_random_name(&s->content, name);
	}
	return existing;
}

static void path_stream(struct story *s, struct path *path, const struct rt_name *name)
{
	path_ascii(path, ":");
	path_units(path, name->text, name->units);
	if (rt_chance(s->random, 40))
		path_ascii(path, ":$DATA");
}

/* ---- picking what is there ---- */

/* Some directory; its path goes to @path. Paths that grew very long are left alone. */
static struct rt_node *pick_dir(struct story *s, struct path *path)
{
	struct rt_node *dir = s->root;

	path_start(path);
	while (dir->entry_count && rt_chance(s->random, 65)) {
		struct rt_entry *entry = NULL;
		uint32_t first = rt_below(s->random, dir->entry_count);

		for (uint32_t i = 0; i < dir->entry_count && !entry; i++) {
			entry = &dir->entries[(first + i) % dir->entry_count];
			if (!entry->node->directory)
				entry = NULL;
		}
		if (!entry || path->units + entry->name.units + 600 > CIM_MAX_PATH)
			break;
		path_existing(s, path, &entry->name);
		dir = entry->node;
	}
	return dir;
}

/* Some item below the root, NULL if none was met; its path goes to @path. */
static struct rt_entry *pick_item(struct story *s, struct path *path, struct rt_node **dir)
{
	for (int tries = 0; tries < 8; tries++) {
		struct rt_entry *entry;

		*dir = pick_dir(s, path);
		if (!(*dir)->entry_count)
			continue;
		entry = &(*dir)->entries[rt_below(s->random, (*dir)->entry_count)];
		path_existing(s, path, &entry->name);
		return entry;
	}
	return NULL;
}

static struct rt_entry *pick_kind(struct story *s, struct path *path, struct rt_node **dir,
				  bool directory)
{
	for (int tries = 0; tries < 8; tries++) {
		struct rt_entry *entry = pick_item(s, path, dir);

		if (entry && entry->node->directory == directory)
			return entry;
	}
	return NULL;
}

/* Items below a directory. */
static uint32_t count_below(const struct rt_node *node)
{
	uint32_t count = node->entry_count;

	for (uint32_t i = 0; i < node->entry_count; i++)
		count += count_below(node->entries[i].node);
	return count;
}

/* Trees should grow: what would take much away is mostly left alone. */
static bool may_lose(struct story *s, const struct rt_node *node)
{
	uint32_t below = count_below(node);

	return below < 3 || rt_chance(s->random, below < 15 ? 30 : 4);
}

/* A name of something hidden, if there is any. */
static void pick_hidden(struct story *s, const struct rt_node *dir, struct rt_name *name)
{
	if (!dir || !dir->hidden_count || rt_chance(s->random, 40)) {
		rt_plain_name(&s->content, name, 30);
		return;
	}
	*name = dir->hidden[rt_below(s->random, dir->hidden_count)].name;
	if (rt_chance(s->random, 30))
		rt_respell(&s->content, name);
}

/* A name for something new in @dir: often a new one, sometimes that of something hidden, or one
 * that is there, in its own or another spelling. What it would take away stays small. */
static void pick_name(struct story *s, struct rt_node *dir, struct rt_name *name)
{
	if (dir->hidden_count && rt_chance(s->random, 30)) {
		pick_hidden(s, dir, name);
		return;
	}
	if (dir->entry_count && rt_chance(s->random, 30)) {
		struct rt_entry *entry = &dir->entries[rt_below(s->random, dir->entry_count)];

		*name = entry->name;
		if (rt_chance(s->random, 50))
			rt_respell(&s->content, name);
		if (may_lose(s, entry->node))
			return;
	}
	rt_random_name(&s->content, name);
}

/* ---- writing a stream that is open ---- */

/* In pieces, with empty writes between them, and sometimes past the end (D12). */
static void write_pieces(struct story *s, const struct rt_stream *stream, struct rt_random *pieces)
{
	const struct rt_backend *backend = s->backend;
	uint64_t done = 0;

	while (done < stream->written) {
		uint64_t left = stream->written - done;
		size_t len = (size_t)left;
		bool beyond = false;

		if (rt_chance(pieces, 10))
			expect(s, backend->write(backend->ctx, "", 0), CIM_OK, "write of nothing",
			       NULL);
		if (rt_chance(pieces, 50))
			len = 1 + rt_below(pieces, (uint32_t)(left < 70000 ? left : 70000));
		if (len == left && stream->written == stream->size)
			beyond = rt_chance(pieces, 5);
		expect(s,
		       backend->write(backend->ctx, stream->data->data + done,
				      len + (beyond ? RT_SLACK : 0)),
		       beyond ? CIM_E_EOF : CIM_OK, "write", NULL);
		done += len;
	}
	if (stream->written == stream->size && rt_chance(pieces, 10)) {
		expect(s, backend->write(backend->ctx, "", 0), CIM_OK,
		       "write of nothing at the end", NULL);
		expect(s, backend->write(backend->ctx, "x", 1), CIM_E_EOF, "write past the end",
		       NULL);
	}
}

/* While a stream is open, everything else must wait (and nothing must change). */
static void try_others(struct story *s, struct rt_random *pieces)
{
	static const uint16_t name[] = {'b', 'u', 's', 'y', 0};
	const struct rt_backend *backend = s->backend;
	struct cim_metadata metadata = {CIM_SIZED(metadata)};

	switch (rt_below(pieces, 4)) {
	case 0:
		expect(s, backend->remove(backend->ctx, name), CIM_E_SHARING,
		       "remove while a stream is open", NULL);
		break;
	case 1:
		expect(s, backend->link(backend->ctx, name, name), CIM_E_SHARING,
		       "link while a stream is open", NULL);
		break;
	case 2:
		expect(s, backend->commit(backend->ctx), CIM_E_SHARING,
		       "commit while a stream is open", NULL);
		break;
	default:
		expect(s, backend->add(backend->ctx, name, &metadata, false), CIM_E_SHARING,
		       "add while a stream is open", NULL);
		break;
	}
}

/* What storing this costs: nothing where the image has it, but half a stream is never compared. */
static void count_stored(struct story *s, const struct rt_stream *stream)
{
	const struct rt_stored *known = s->stored;

	if (!stream->written)
		return;
	if (stream->written == stream->size) {
		for (; known; known = known->next)
			if (known->size == stream->size &&
			    !memcmp(known->data->data, stream->data->data, (size_t)known->size))
				return;
		s->stored = rt_stored_new(s->content.world, stream, s->stored);
	}
	s->stored_bytes += stream->size;
}

static bool may_idle(struct story *s, const struct rt_stream *stream)
{
	return rt_chance(s->random, 30) && !stream->written;
}

static void write_stream(struct story *s, const struct rt_stream *stream, bool directory)
{
	/* numbers of its own, so that another way of writing doesn't change the story */
	struct rt_random pieces = {.state = rt_next(s->random)};
	const struct rt_backend *backend = s->backend;

	if (rt_chance(&pieces, 4))
		try_others(s, &pieces);
	if (directory) {
		if (rt_chance(&pieces, 10))
			expect(s, backend->write(backend->ctx, "x", 1), CIM_E_INVALID,
			       "write to a directory", NULL);
	} else if (s->options->fill && backend->fill && stream->size &&
		   stream->written == stream->size) {
		expect(s, backend->fill(backend->ctx, stream->data->data, (size_t)stream->size),
		       CIM_OK, "fill", NULL);
	} else {
		write_pieces(s, stream, &pieces);
	}
	backend->close_stream(backend->ctx);
	if (!directory)
		count_stored(s, stream);
}

/* ---- adding ---- */

static const struct rt_blob *default_security(struct story *s)
{
	struct rt_blob *blob = rt_blob_new(s->content.world, sizeof(rt_default_security));

	memcpy(blob->data, rt_default_security, sizeof(rt_default_security));
	return blob;
}

/* Give a node random metadata, and @metadata what a caller would pass for it. */
static void random_metadata(struct story *s, struct rt_node *node, struct cim_metadata *metadata)
{
	const uint32_t kept = CIM_ATTR_READONLY | CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM |
			      CIM_ATTR_ARCHIVE | CIM_ATTR_SPARSE;

	memset(metadata, 0, sizeof(*metadata));
	metadata->struct_size = sizeof(*metadata);
	for (int i = 0; i < 4; i++)
		node->times[i] = rt_random_time(&s->content);
	metadata->attributes = rt_random_attributes(&s->content);
	metadata->attributes |= node->directory ? CIM_ATTR_DIRECTORY : 0;
	metadata->creation_time = node->times[0];
	metadata->last_write_time = node->times[1];
	metadata->change_time = node->times[2];
	metadata->last_access_time = node->times[3];
	node->security = rt_random_security(&s->content);
	node->ea = rt_random_ea(&s->content);
	node->reparse = rt_random_reparse(&s->content);
	if (node->security) {
		metadata->security = node->security->data;
		metadata->security_size = (uint32_t)node->security->size;
	} else {
		node->security = default_security(s);
	}
	if (node->ea) {
		metadata->ea = node->ea->data;
		metadata->ea_size = (uint32_t)node->ea->size;
	}
	node->tag = 0;
	if (node->reparse) {
		metadata->reparse = node->reparse->data;
		metadata->reparse_size = (uint32_t)node->reparse->size;
		for (int i = 4; i--;)
			node->tag = node->tag << 8 | node->reparse->data[i];
	}
	node->attributes = metadata->attributes & kept;
	node->attributes |= node->directory ? CIM_ATTR_DIRECTORY : 0;
	node->attributes |= node->reparse ? CIM_ATTR_REPARSE : 0;
	if (!node->attributes)
		node->attributes = CIM_ATTR_NORMAL;
}

/* A directory's metadata is replaced, what is in it and its streams stay (D2). */
static void replace_metadata(struct rt_node *node, const struct rt_node *by)
{
	node->attributes = by->attributes;
	node->tag = by->tag;
	memcpy(node->times, by->times, sizeof(node->times));
	node->security = by->security;
	node->ea = by->ea;
	node->reparse = by->reparse;
}

/* Add an item at s->path, which ends in @name, in @dir. */
static void add_item(struct story *s, struct rt_node *dir, const struct rt_name *name,
		     bool directory, const struct rt_stream *stream)
{
	bool idle = may_idle(s, stream);
	struct rt_node *node = rt_node_new(s->content.world, directory);
	struct rt_entry *old = rt_find(dir, name);
	const uint16_t *path = path_text(s, &s->path);
	struct cim_metadata metadata;
	enum cim_status status;

	random_metadata(s, node, &metadata);
	if (directory)
		metadata.size = rt_chance(s->random, 20) ? rt_random_time(&s->content) : 0;
	else
		metadata.size = (int64_t)stream->size;
	status = s->backend->add(s->backend->ctx, path, &metadata, idle);
	if (!expect(s, status, CIM_OK, directory ? "add directory" : "add file", path))
		return;
	if (idle)
		s->backend->close_stream(s->backend->ctx);
	else
		write_stream(s, stream, directory);
	if (!directory)
		node->data = *stream;
	if (directory && old && old->node->directory)
		replace_metadata(old->node, node);
	else
		rt_put(dir, name, node);
}

static void do_add(struct story *s, bool directory)
{
	struct rt_node *dir = pick_dir(s, &s->path);
	struct rt_stream stream = {0};
	struct rt_name name;

	pick_name(s, dir, &name);
	path_name(&s->path, &name);
	if (!directory)
		rt_random_stream(&s->content, &stream);
	add_item(s, dir, &name, directory, &stream);
}

/* More than 4 GiB, of which a little is written: stored, with a hole where the host has holes. */
static void do_big(struct story *s)
{
	struct rt_node *dir = pick_dir(s, &s->path);
	struct rt_stream stream = {0};
	struct rt_blob *blob = rt_blob_new(s->content.world, 10 + RT_SLACK);
	struct rt_name name;

	memset(blob->data, 'b', blob->size);
	stream.size = UINT64_C(0x100000005);
	stream.written = 10;
	stream.data = blob;
	rt_plain_name(&s->content, &name, 40);
	path_name(&s->path, &name);
	add_item(s, dir, &name, false, &stream);
	s->big_done = true;
}

static void do_root(struct story *s)
{
	struct rt_stream none = {0};
	struct rt_node node = {.directory = true};
	struct cim_metadata metadata;

	path_start(&s->path);
	if (rt_chance(s->random, 50))
		path_ascii(&s->path, "\\");
	random_metadata(s, &node, &metadata);
	if (!expect(s, s->backend->add(s->backend->ctx, s->path.text, &metadata, false), CIM_OK,
		    "add root", s->path.text))
		return;
	write_stream(s, &none, true);
	replace_metadata(s->root, &node);
}

static void do_stream(struct story *s)
{
	struct rt_node *dir;
	struct rt_entry *entry = pick_item(s, &s->path, &dir);
	struct rt_stream stream;
	struct rt_name name;
	const uint16_t *path;
	bool idle;

	if (!entry)
		return;
	stream_name(s, entry->node, &name);
	path_stream(s, &s->path, &name);
	rt_random_stream(&s->content, &stream);
	idle = may_idle(s, &stream);
	path = path_text(s, &s->path);
	if (!expect(s, s->backend->add_stream(s->backend->ctx, path, stream.size, idle), CIM_OK,
		    "add stream", path))
		return;
	if (idle)
		s->backend->close_stream(s->backend->ctx);
	else
		write_stream(s, &stream, false);
	rt_put_stream(entry->node, &name, &stream);
}

/* Enough files to fill more than one file table, in one directory. */
static void do_many(struct story *s)
{
	uint32_t count = 1030 + rt_below(s->random, 300);
	struct rt_stream stream = {0};
	struct rt_node *dir;
	struct rt_name name;
	size_t units;

	path_start(&s->path);
	rt_plain_name(&s->content, &name, 12);
	path_name(&s->path, &name);
	add_item(s, s->root, &name, true, &stream);
	if (!rt_find(s->root, &name))
		return;
	dir = rt_find(s->root, &name)->node;
	units = s->path.units;
	while (count--) {
		rt_plain_name(&s->content, &name, 3 + rt_below(s->random, 8));
		path_name(&s->path, &name);
		add_item(s, dir, &name, false, &stream);
		path_cut(&s->path, units);
	}
}

/* Directories in directories, and a file at the end of a path of just @limit units. Where that is
 * as long as a path can be, one unit more is too much. */
static void do_deep(struct story *s)
{
	size_t limit = rt_chance(s->random, 15) ? CIM_MAX_PATH
						: 2000 + (size_t)rt_below(s->random, 6000);
	struct rt_stream stream = {0};
	struct cim_metadata metadata = {CIM_SIZED(metadata)};
	struct rt_node *dir = s->root;
	struct rt_name name;

	path_start(&s->path);
	while (limit - s->path.units > 256) {
		size_t left = limit - s->path.units;
		/* so much that at least a separator and a unit are left */
		uint32_t units = left > 512 ? 254 + rt_below(s->random, 2) : 200;
		struct rt_entry *entry;

		rt_plain_name(&s->content, &name, units);
		path_name(&s->path, &name);
		add_item(s, dir, &name, true, &stream);
		entry = rt_find(dir, &name);
		if (!entry || !entry->node->directory)
			return;
		dir = entry->node;
	}
	rt_plain_name(&s->content, &name, (uint32_t)(limit - s->path.units - 1));
	path_name(&s->path, &name);
	stream.size = 5;
	add_item(s, dir, &name, false, &stream);
	if (limit == CIM_MAX_PATH) {
		path_ascii(&s->path, "x");
		expect(s, s->backend->add(s->backend->ctx, s->path.text, &metadata, false),
		       CIM_E_INVALID, "add with a path of 32,768 units", s->path.text);
	}
}

/* ---- links and removals ---- */

static void do_link(struct story *s)
{
	struct rt_node *dir, *from;
	struct rt_entry *entry = pick_kind(s, &s->other, &from, false), *old;
	enum cim_status want = CIM_OK;
	struct rt_node *node;
	struct rt_name name;
	const uint16_t *path, *existing;

	if (!entry)
		return;
	node = entry->node;
	dir = pick_dir(s, &s->path);
	pick_name(s, dir, &name);
	path_name(&s->path, &name);
	existing = path_text(s, &s->other);
	path = path_text(s, &s->path);
	old = rt_find(dir, &name);
	if (old && old->node->directory)
		want = CIM_E_ACCESS;
	if (!expect(s, s->backend->link(s->backend->ctx, path, existing), want, "link", path) ||
	    want)
		return;
	/* the same file already: nothing changes, not even the spelling (D6) */
	if (!old || old->node != node)
		rt_put(dir, &name, node);
}

static void do_remove(struct story *s)
{
	struct rt_node *dir;
	struct rt_entry *entry = pick_item(s, &s->path, &dir);
	const uint16_t *path;
	struct rt_name name;

	if (!entry)
		return;
	if (entry->node->stream_count && rt_chance(s->random, 50)) {
		name = entry->node->streams[rt_below(s->random, entry->node->stream_count)].name;
		if (rt_chance(s->random, 30))
			rt_respell(&s->content, &name);
		path_stream(s, &s->path, &name);
		path = path_text(s, &s->path);
		if (expect(s, s->backend->remove(s->backend->ctx, path), CIM_OK, "remove stream",
			   path))
			rt_remove_stream(entry->node, &name);
		return;
	}
	if (!may_lose(s, entry->node))
		return;
	name = entry->name;
	path = path_text(s, &s->path);
	if (expect(s, s->backend->remove(s->backend->ctx, path), CIM_OK, "remove", path))
		rt_remove(dir, &name);
}

/* ---- asking ---- */

static void do_lookup(struct story *s)
{
	struct rt_node *dir;
	struct rt_entry *entry = pick_item(s, &s->path, &dir);
	enum cim_status status;
	bool want = true, got = false;
	struct rt_name name;

	if (!entry)
		return;
	if (rt_chance(s->random, 30)) {
		stream_name(s, entry->node, &name);
		path_stream(s, &s->path, &name);
		want = rt_find_stream(entry->node, &name) != NULL;
	} else if (rt_chance(s->random, 40)) { /* below a file, too */
		rt_random_name(&s->content, &name);
		path_name(&s->path, &name);
		want = entry->node->directory && rt_find(entry->node, &name);
	}
	status = s->backend->lookup(s->backend->ctx, s->path.text, &got);
	if (status == CIM_OK && got != want) {
		s->result->wrong++;
		printf("# lookup says %s, must be %s:\n", got ? "there" : "not there",
		       want ? "there" : "not there");
		status = CIM_E_IO;
	}
	expect(s, status, CIM_OK, "lookup", s->path.text);
}

/* ---- what must be refused ---- */

/* Malformed in the last component (D20). */
static void bad_path(struct story *s)
{
	static const char *const bad[] = {"\\x",  ".",	   "..",  "a/b",   "a*",   "a?",  "a\"",
					  "a<",	  "a>",	   "a|",  "a\x01", "\x1f", "x\\", "x\\\\y",
					  ".\\x", "..\\x", "a:b", ":b",	   "a:",   "a::b"};
	struct cim_metadata metadata = {CIM_SIZED(metadata)};

	pick_dir(s, &s->path);
	if (!s->path.units) /* or "\x" would be fine */
		path_ascii(&s->path, "q");
	path_ascii(&s->path, "\\");
	path_ascii(&s->path, bad[rt_below(s->random, sizeof(bad) / sizeof(*bad))]);
	expect(s, s->backend->add(s->backend->ctx, s->path.text, &metadata, false), CIM_E_INVALID,
	       "add", s->path.text);
}

static void long_component(struct story *s)
{
	struct rt_name name;

	pick_dir(s, &s->path);
	rt_plain_name(&s->content, &name, 255);
	path_name(&s->path, &name);
	path_ascii(&s->path, "x");
	expect(s, s->backend->remove(s->backend->ctx, s->path.text), CIM_E_INVALID, "remove",
	       s->path.text);
}

static void bad_metadata(struct story *s)
{
	static const uint8_t few[] = {1, 0, 4, 0x80, 0, 0, 0};
	static const uint8_t offsets[20] = {1, 0, 4, 0x80, 0, 0, 0, 1};
	static const uint8_t revision[20] = {9, 0, 4, 0x80};
	static const uint8_t ea[] = {99, 0, 0, 0, 0, 1, 0, 0, 'A', 0};
	static const uint8_t reparse[] = {0x0c, 0, 0, 0xa0, 5, 0, 0, 0, 1, 2, 3, 4};
	struct cim_metadata metadata = {CIM_SIZED(metadata)};
	struct rt_name name;

	switch (rt_below(s->random, 8)) {
	case 0:
		metadata.security = few;
		metadata.security_size = sizeof(few);
		break;
	case 1:
		metadata.security = offsets;
		metadata.security_size = sizeof(offsets);
		break;
	case 2:
		metadata.security = revision;
		metadata.security_size = sizeof(revision);
		break;
	case 3:
		metadata.ea = ea;
		metadata.ea_size = sizeof(ea);
		break;
	case 4:
		metadata.reparse = reparse;
		metadata.reparse_size = sizeof(reparse);
		break;
	case 5:
		metadata.reparse = reparse;
		metadata.reparse_size = 7;
		break;
	case 6:
		metadata.size = -1;
		break;
	default:
		metadata.size = (int64_t)CIM_MAX_STREAM + 1;
		break;
	}
	pick_dir(s, &s->path);
	rt_plain_name(&s->content, &name, 30);
	path_name(&s->path, &name);
	expect(s, s->backend->add(s->backend->ctx, s->path.text, &metadata, false), CIM_E_INVALID,
	       "add with bad metadata", s->path.text);
}

/* The parent is missing, or is a file; nothing to remove; nothing to link. */
static void missing(struct story *s)
{
	const struct rt_backend *backend = s->backend;
	struct cim_metadata metadata = {CIM_SIZED(metadata)};
	struct rt_node *dir;
	struct rt_name name;
	const uint16_t *path = s->path.text;

	if (rt_chance(s->random, 50) && pick_kind(s, &s->path, &dir, false))
		path_ascii(&s->path, "\\");
	else
		pick_dir(s, &s->path);
	rt_plain_name(&s->content, &name, 60); /* nobody has that */
	if (s->path.units && path[s->path.units - 1] != '\\')
		path_ascii(&s->path, "\\");
	path_units(&s->path, name.text, name.units);
	switch (rt_below(s->random, 5)) {
	case 0:
		path_ascii(&s->path, "\\new");
		expect(s, backend->add(backend->ctx, path, &metadata, false), CIM_E_PATH_NOT_FOUND,
		       "add without a parent", path);
		break;
	case 1:
		expect(s, backend->remove(backend->ctx, path), CIM_E_PATH_NOT_FOUND,
		       "remove what is missing", path);
		break;
	case 2:
		pick_dir(s, &s->other);
		path_name(&s->other, &name);
		expect(s, backend->link(backend->ctx, s->other.text, path), CIM_E_PATH_NOT_FOUND,
		       "link to what is missing", path);
		break;
	case 3:
		path_ascii(&s->path, ":stream");
		expect(s, backend->add_stream(backend->ctx, path, 1, false), CIM_E_PATH_NOT_FOUND,
		       "add a stream to what is missing", path);
		break;
	default:
		if (!pick_item(s, &s->path, &dir))
			return;
		path_stream(s, &s->path, &name);
		expect(s, backend->remove(backend->ctx, path), CIM_E_PATH_NOT_FOUND,
		       "remove a missing stream", path);
		break;
	}
}

static void bad_call(struct story *s)
{
	const struct rt_backend *backend = s->backend;
	static const uint16_t root[] = {'\\', 0};
	struct cim_metadata metadata = {CIM_SIZED(metadata)};
	struct rt_node *dir;

	switch (rt_below(s->random, 8)) {
	case 0:
		if (!pick_kind(s, &s->other, &dir, true))
			return;
		path_start(&s->path);
		path_ascii(&s->path, "link to a directory, which can't be");
		expect(s, backend->link(backend->ctx, s->path.text, s->other.text), CIM_E_ACCESS,
		       "link to a directory", s->other.text);
		break;
	case 1:
		expect(s, backend->remove(backend->ctx, root + rt_below(s->random, 2)),
		       CIM_E_INVALID, "remove the root", NULL);
		break;
	case 2:
		expect(s,
		       backend->add(backend->ctx, root + rt_below(s->random, 2), &metadata, false),
		       CIM_E_INVALID, "add a file as root", NULL);
		break;
	case 3:
		if (!pick_item(s, &s->path, &dir))
			return;
		expect(s, backend->add_stream(backend->ctx, s->path.text, 0, false), CIM_E_INVALID,
		       "add a stream without a name", s->path.text);
		break;
	case 4:
		if (!pick_item(s, &s->path, &dir))
			return;
		path_ascii(&s->path, rt_chance(s->random, 50) ? ":s:$INDEX_ALLOCATION" : "::$DATA");
		expect(s, backend->add_stream(backend->ctx, s->path.text, 0, false), CIM_E_INVALID,
		       "add a stream of a strange kind", s->path.text);
		break;
	case 5:
		long_component(s);
		break;
	case 6:
		bad_metadata(s);
		break;
	default:
		bad_path(s);
		break;
	}
}

/* ---- marks ---- */

/* What a mark at the end of these names, from @dir on, must answer; and, if @apply, what it does.
 */
static enum cim_status mark(struct story *s, struct rt_node *dir, const struct rt_name *names,
			    uint32_t count, const struct rt_blob *target, bool apply)
{
	const struct rt_entry *entry;
	struct rt_hidden *hidden;

	for (; count > 1; count--, names++) {
		entry = rt_find(dir, names);
		hidden = rt_find_hidden(dir, names);
		if (entry && !entry->node->directory)
			return CIM_E_PATH_NOT_FOUND;
		if (hidden && hidden->marks & CIM_MARK_MERGE_LINK)
			return CIM_E_PATH_NOT_FOUND;
		if (hidden && hidden->marks & CIM_MARK_TOMBSTONE && !target)
			return CIM_OK; /* all below is hidden already */
		if (!entry && (!hidden || !hidden->bare)) {
			if (!apply)
				return CIM_OK; /* what isn't there can't stop it */
			hidden = rt_hide(s->content.world, dir, names,
					 CIM_MARK_BARE | (hidden ? CIM_MARK_OPAQUE : 0));
		}
		dir = entry ? entry->node : hidden->bare;
	}
	entry = rt_find(dir, names);
	hidden = rt_find_hidden(dir, names);
	if (target && ((entry && entry->node->directory) || (hidden && hidden->bare)))
		return CIM_E_ACCESS;
	if (apply && (target || !hidden || !(hidden->marks & CIM_MARK_TOMBSTONE)))
		rt_hide(s->content.world, dir, names,
			target ? CIM_MARK_MERGE_LINK : CIM_MARK_TOMBSTONE)
			->target = target;
	return CIM_OK;
}

/* Names for a mark: to something in @dir, or on from there. */
static uint32_t pick_way(struct story *s, struct rt_node *dir, struct rt_name *names)
{
	const uint32_t count = rt_chance(s->random, 50) ? 1 : 1 + rt_below(s->random, 3);
	const struct rt_node *at = dir;

	for (uint32_t i = 0; i < count; i++) {
		const struct rt_hidden *hidden;

		if (at == dir && rt_chance(s->random, count == 1 ? 60 : 10))
			pick_name(s, dir, &names[i]);
		else
			pick_hidden(s, at, &names[i]);
		hidden = at ? rt_find_hidden(at, &names[i]) : NULL;
		at = hidden ? hidden->bare : NULL;
		path_name(&s->path, &names[i]);
	}
	return count;
}

/* Where a merge link is to lead: to something that is there, or nowhere. */
static const struct rt_blob *pick_target(struct story *s)
{
	struct rt_node *dir;
	struct rt_blob *blob;
	struct rt_name name;

	if (!pick_item(s, &s->other, &dir) || rt_chance(s->random, 30)) {
		rt_plain_name(&s->content, &name, 30);
		path_name(&s->other, &name);
	}
	blob = rt_blob_new(s->content.world, 2 * s->other.units);
	for (size_t i = 0; i < s->other.units; i++) {
		blob->data[2 * i] = (uint8_t)s->other.text[i];
		blob->data[2 * i + 1] = (uint8_t)(s->other.text[i] >> 8);
	}
	return blob;
}

static void do_mark(struct story *s)
{
	const struct rt_backend *backend = s->backend;
	const struct rt_blob *target = rt_chance(s->random, 50) ? pick_target(s) : NULL;
	struct rt_node *dir = pick_dir(s, &s->path);
	struct rt_name names[3];
	const uint32_t count = pick_way(s, dir, names);
	const uint16_t *path = path_text(s, &s->path);
	const enum cim_status want = mark(s, dir, names, count, target, false);
	enum cim_status got;

	if (target)
		got = backend->merge_link(backend->ctx, path, path_text(s, &s->other));
	else
		got = backend->tombstone(backend->ctx, path);
	if (expect(s, got, want, target ? "merge link" : "tombstone", path) && !want)
		mark(s, dir, names, count, target, true);
}

/* ---- sessions ---- */

static void do_something(struct story *s)
{
	uint32_t what;

	if (s->options->marks && s->backend->tombstone && rt_chance(s->random, 15)) {
		do_mark(s);
		return;
	}
	what = rt_below(s->random, 100);
	if (what < 38)
		do_add(s, false);
	else if (what < 54)
		do_add(s, true);
	else if (what < 66)
		do_stream(s);
	else if (what < 75)
		do_link(s);
	else if (what < 84)
		do_remove(s);
	else if (what < 88)
		do_lookup(s);
	else if (what < 93)
		missing(s);
	else if (what < 98)
		bad_call(s);
	else
		do_root(s);
}

/* Opening that must fail, and leave nothing behind. */
static void bad_open(struct story *s, uint32_t session)
{
	const struct rt_backend *backend = s->backend;
	const char *existing = NULL, *name = NULL;
	enum cim_status want = CIM_E_INVALID;

	switch (rt_below(s->random, 4)) {
	case 0:
		break;
	case 1:
		existing = "missing.cim";
		want = CIM_E_FILE_NOT_FOUND;
		break;
	case 2:
		if (!s->result->image_count)
			return;
		name = s->result->images[0].name;
		want = CIM_E_EXISTS;
		break;
	default:
		name = "a\\b.cim";
		break;
	}
	expect(s, backend->open(backend->ctx, existing, name, session), want, "open", NULL);
}

/* Begin a session: which image it is about, by index; UINT32_MAX if it could not be opened. */
static uint32_t begin(struct story *s, uint32_t session)
{
	struct rt_result *result = s->result;
	const struct rt_backend *backend = s->backend;
	uint32_t kind = rt_below(s->random, 100), index = result->image_count;
	const char *existing = NULL, *name = NULL;
	char new_name[24];

	if (result->image_count && (kind < 75 || index == RT_MAX_IMAGES)) {
		uint32_t base = rt_below(s->random, result->image_count);

		existing = result->images[base].name;
		s->stored = result->images[base].stored;
		s->root = rt_tree_copy(&result->world, result->images[base].root);
		if (kind < 40 || index == RT_MAX_IMAGES) {
			index = base;
			name = rt_chance(s->random, 50) ? existing : NULL;
		}
	} else {
		s->root = rt_root_new(&result->world);
		s->stored = NULL;
	}
	s->stored_bytes = 0;
	if (index == result->image_count) {
		snprintf(new_name, sizeof(new_name), "image%u.cim", (unsigned)index);
		name = new_name;
	}
	if (s->options->trace)
		printf("# session %u: %s -> %s\n", (unsigned)session,
		       existing ? existing : "(nothing)", name ? name : "(the same)");
	if (!expect(s, backend->open(backend->ctx, existing, name, session), CIM_OK, "open", NULL))
		return UINT32_MAX;
	return index;
}

static void finish(struct story *s, uint32_t index, bool commit)
{
	const struct rt_backend *backend = s->backend;
	struct rt_image *image = &s->result->images[index];
	static const uint16_t name[] = {'l', 'a', 't', 'e', 0};

	if (backend->stored && backend->stored(backend->ctx) != s->stored_bytes) {
		printf("# the session stored %llu bytes of streams, must be %llu\n",
		       (unsigned long long)backend->stored(backend->ctx),
		       (unsigned long long)s->stored_bytes);
		s->result->wrong++;
	}
	if (commit && expect(s, backend->commit(backend->ctx), CIM_OK, "commit", NULL)) {
		if (index == s->result->image_count) {
			snprintf(image->name, sizeof(image->name), "image%u.cim", (unsigned)index);
			s->result->image_count++;
		}
		image->root = s->root;
		image->stored = s->stored;
		if (rt_chance(s->random, 30))
			expect(s, backend->commit(backend->ctx), CIM_E_INVALID, "a second commit",
			       NULL);
		if (rt_chance(s->random, 30))
			expect(s, backend->remove(backend->ctx, name), CIM_E_INVALID,
			       "remove after the commit", NULL);
	}
	backend->close(backend->ctx);
}

static bool tell_session(struct story *s, uint32_t session)
{
	/* the first one must come to something; later ones may be given up */
	bool commit = !session || !rt_chance(s->random, 12);
	uint32_t calls = session ? 20 + rt_below(s->random, 80) : 100 + rt_below(s->random, 100);
	uint32_t index;

	if (s->options->input_size) /* a fuzzer has many short ones told */
		calls /= 8;
	if (rt_chance(s->random, 30))
		bad_open(s, session);
	index = begin(s, session);
	if (index == UINT32_MAX)
		return false;
	if (!session && s->options->seed % (s->options->input_size ? 64 : 4) == 1)
		do_many(s);
	while (calls--)
		do_something(s);
	if (rt_chance(s->random, s->options->input_size ? 3 : 25))
		do_deep(s);
	/* late, so that few images have it (checking reads all of it), but not last */
	if (s->options->big && !s->big_done && session >= SESSIONS - 2)
		do_big(s);
	finish(s, index, commit);
	return true;
}

/* All images as one, the last one topmost. Nobody knows here whether all merge links lead
 * somewhere; but two tellers must agree on that. */
static void tell_merge(struct story *s)
{
	const struct rt_backend *backend = s->backend;
	enum cim_status got;

	if (!expect(s, backend->open(backend->ctx, NULL, "merged.cim", SESSIONS), CIM_OK, "open",
		    NULL))
		return;
	for (uint32_t i = s->result->image_count; i-- > 0;)
		expect(s, backend->add_source(backend->ctx, s->result->images[i].name), CIM_OK,
		       "add source", NULL);
	got = backend->commit(backend->ctx);
	if (got != CIM_E_PATH_NOT_FOUND || !s->options->marks)
		expect(s, got, CIM_OK, "commit of what was merged", NULL);
	backend->close(backend->ctx);
}

bool rt_tell(const struct rt_options *options, const struct rt_backend *backend,
	     struct rt_result *result)
{
	struct story *s = calloc(1, sizeof(*s));
	bool told;

	memset(result, 0, sizeof(*result));
	if (!s)
		return false;
	s->options = options;
	s->backend = backend;
	s->result = result;
	s->random = &s->content.random;
	path_start(&s->path);
	path_start(&s->other);
	told = rt_content_init(&s->content, options->seed, options->pe_list, &result->world);
	s->random->input = options->input;
	s->random->left = options->input_size;
	for (uint32_t session = 0; told && session < (options->input_size ? 4 : SESSIONS);
	     session++)
		told = tell_session(s, session) &&
		       (!options->after_session || options->after_session(options->ctx, result));
	if (told && options->merge)
		tell_merge(s);
	rt_content_free(&s->content);
	free(s);
	return told;
}

/* ---- options ---- */

int rt_parse_options(int argc, char **argv, struct rt_options *options)
{
	int i;

	memset(options, 0, sizeof(*options));
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--trace"))
			options->trace = true;
		else if (!strcmp(argv[i], "--big"))
			options->big = true;
		else if (!strcmp(argv[i], "--fill"))
			options->fill = true;
		else if (!strcmp(argv[i], "--marks"))
			options->marks = true;
		else if (!strcmp(argv[i], "--merge"))
			options->merge = true;
		else if (!strcmp(argv[i], "--container"))
			options->container = true;
		else if (!strcmp(argv[i], "--pe") && i + 1 < argc)
			options->pe_list = argv[++i];
		else
			break;
	}
	if (argc - i == 2 && argv[i][0] >= '0' && argv[i][0] <= '9') {
		options->seed = strtoull(argv[i], NULL, 10);
		return i + 1;
	}
	fprintf(stderr,
		"Usage: %s [OPTION]... SEED DIRECTORY\n"
		"Make the images of a seed's story in an empty directory.\n"
		"  --trace      print each call\n"
		"  --big        also store a stream of more than 4 GiB\n"
		"  --fill       hand whole streams over at once (libcim only)\n"
		"  --marks      also make tombstones and merge links\n"
		"  --merge      merge all images in the end\n"
		"  --container  make them in DIRECTORY/c.bcim, and seal that in the end\n"
		"  --pe LIST    a file with the path of a PE file on each line\n"
		"Exit status: 0 all as the model says, 1 not so, 2 trouble.\n",
		argv[0]);
	return 0;
}
