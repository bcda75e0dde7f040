/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.c - from an inode number to what it stands for
 *
 * The kernel knows an inode by a number that the server chose at the look-up. A server usually
 * keeps a table of what it gave out; here the number itself says it (mount.h has the layout),
 * because an item's FileID is all that is needed to find its record again. What the FileID alone
 * doesn't tell stands in the bits above it: which alternate stream, and how deep in the tree a link
 * was found, on which its target depends. Programs see the FileID as the inode number, so two names
 * of a file have the same.
 */
#include "mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../host/filetime.h"

#define MAX_DEPTH 16384 /* the longest path has 32,767 units */

bool node_is_top(const struct server *s, uint64_t node)
{
	return node == NODE_ROOT && s->options->volume;
}

uint64_t node_of_root(const struct server *s)
{
	return s->options->volume ? node_item(s->root_id, 0) : NODE_ROOT;
}

uint32_t node_file_id(const struct server *s, uint64_t node)
{
	if (node & NODE_ITEM)
		return (uint32_t)node;
	return node == NODE_ROOT && !s->options->volume ? s->root_id : 0;
}

#define NO_DEPTH UINT32_MAX /* its parents don't lead to the root */

static bool known_depth(struct server *s, uint32_t dir_id, uint32_t *depth)
{
	const struct depth *slot = &s->depths[dir_id % DEPTH_SLOTS];
	bool known;

	pthread_mutex_lock(&s->depth_lock);
	known = slot->dir_id == dir_id;
	*depth = slot->depth;
	pthread_mutex_unlock(&s->depth_lock);
	return known;
}

static void keep_depth(struct server *s, uint32_t dir_id, uint32_t depth)
{
	pthread_mutex_lock(&s->depth_lock);
	s->depths[dir_id % DEPTH_SLOTS] = (struct depth){dir_id, depth};
	pthread_mutex_unlock(&s->depth_lock);
}

/* Up to the root, to a directory that is known, or far enough to know that it is a ring. */
static int find_depth(struct server *s, uint32_t dir_id, uint32_t *depth)
{
	int error = 0;

	for (uint32_t steps = 0; !error; steps++) {
		if (steps >= MAX_DEPTH)
			*depth = NO_DEPTH;
		else if (dir_id == s->root_id)
			*depth = steps;
		else if (!known_depth(s, dir_id, depth)) {
			error = node_parent(s, dir_id, &dir_id);
			continue;
		} else if (*depth != NO_DEPTH) {
			*depth += steps;
		}
		break;
	}
	return error;
}

/* Keep that of a directory and of those above it that aren't known, so that what lies beside it or
 * below costs no such way again. */
static void keep_depths(struct server *s, uint32_t dir_id, uint32_t depth)
{
	const uint32_t first = dir_id;
	const uint32_t all = depth;
	uint32_t known;

	for (uint32_t steps = 0; steps < MAX_DEPTH && dir_id != s->root_id; steps++) {
		if (known_depth(s, dir_id, &known))
			break;
		keep_depth(s, dir_id, depth);
		depth -= depth != NO_DEPTH;
		if (node_parent(s, dir_id, &dir_id))
			break;
	}
	keep_depth(s, first, all);
}

int node_depth(struct server *s, uint32_t dir_id, uint32_t *depth)
{
	uint32_t known;
	int error;

	*depth = 0;
	if (dir_id == s->root_id)
		return 0;
	if (known_depth(s, dir_id, &known)) {
		error = 0;
	} else {
		error = find_depth(s, dir_id, &known);
		if (!error)
			keep_depths(s, dir_id, known);
	}
	if (error)
		return error;
	if (known == NO_DEPTH || known >= MAX_DEPTH) {
		log_line("file %u: its parents don't lead to the root", dir_id);
		return EIO;
	}
	*depth = known;
	return 0;
}

/* ---- attributes ---- */

static void common_stat(const struct server *s, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_uid = s->options->uid;
	st->st_gid = s->options->gid;
	st->st_nlink = 1;
	st->st_blksize = 65536;
}

/* @whole: it takes as many blocks as it has bytes. */
static void set_size(struct stat *st, uint64_t size, bool whole)
{
	st->st_size = (off_t)size;
	st->st_blocks = whole ? (blkcnt_t)((size + 511) / 512) : 0;
}

/* Programs that copy look for holes where a file has fewer blocks than bytes. It takes some calls
 * to know, so only what is marked as sparse is looked at: what is captured with holes is. */
static void set_data(const struct server *s, struct stat *st, const struct cim_file_info *info,
		     const struct cim_data *data)
{
	set_size(st, data->size, !data->sparse);
	if (info->attributes & CIM_ATTR_SPARSE)
		st->st_blocks = hole_blocks(s, data);
}

/* All but kind, size and link count. */
static void stat_info(const struct server *s, const struct cim_file_info *info, struct stat *st)
{
	common_stat(s, st);
	st->st_ino = info->file_id;
	filetime_to_unix(info->last_access_time, &st->st_atim);
	filetime_to_unix(info->last_write_time, &st->st_mtim);
	filetime_to_unix(info->change_time, &st->st_ctim);
}

static mode_t file_mode(const struct server *s, const struct cim_file_info *info)
{
	const mode_t readonly = info->attributes & CIM_ATTR_READONLY ? 0222 : 0;

	if (info->is_directory)
		return S_IFDIR | (0755 & ~readonly & ~s->options->dmask);
	return S_IFREG | (s->options->fmode & ~readonly & ~s->options->fmask);
}

/* An item's attributes; @depth: of the directory it is in, which a link's target needs. */
static int stat_item(struct server *s, const struct cim_file_info *info, uint32_t depth,
		     struct stat *st)
{
	struct cim_data data = {CIM_SIZED(data)};
	char *target;
	int error;

	stat_info(s, info, st);
	st->st_nlink = nlink_get(s, info);
	target = link_target(s, info, depth, &error);
	if (error)
		return error;
	if (target) {
		st->st_mode = S_IFLNK | 0777;
		if (info->is_directory)
			st->st_nlink = 1;
		set_size(st, strlen(target), false);
		free(target);
		return 0;
	}
	st->st_mode = file_mode(s, info);
	set_size(st, info->size, !info->is_sparse);
	if (!info->is_directory && info->attributes & CIM_ATTR_SPARSE &&
	    !cim_image_get_file_data(s->image, info, (struct cim_str){0}, &data, NULL))
		set_data(s, st, info, &data);
	return 0;
}

/* Is it a file or directory that this mount has besides the image? A file handle may be another
 * mount's. */
static bool is_own(const struct server *s, uint64_t node)
{
	switch (node) {
	case NODE_ROOT:
	case NODE_LABEL:
	case NODE_SERIAL:
		return s->options->volume;
	default:
		return node == NODE_CIOPFS && s->options->ignore_case;
	}
}

size_t node_text(const struct server *s, uint64_t node, char text[128])
{
	const char *name;
	int len;

	if (!is_own(s, node))
		return 0;
	switch (node) {
	case NODE_LABEL:
		/* A label has up to 32 characters. */
		name = strrchr(s->options->image, '/') + 1;
		len = (int)strlen(name);
		if (len > 32) {
			len = 32;
			while (len && ((unsigned char)name[len] & 0xc0) == 0x80)
				len--;
		}
		return (size_t)snprintf(text, 128, "%.*s\n", len, name);
	case NODE_SERIAL:
		return (size_t)snprintf(text, 128, "%.8s\n", volume_guid(s->options->volume));
	default:
		return 0;
	}
}

/* A file or directory that is not in the image; times as the image's root. */
static int stat_own(struct server *s, uint64_t node, struct stat *st)
{
	struct cim_file_info info = {CIM_SIZED(info)};
	char text[128];

	if (!is_own(s, node))
		return ENOENT;
	common_stat(s, st);
	if (!cim_image_stat(s->image, s->root_id, &info, NULL))
		stat_info(s, &info, st);
	st->st_ino = (UINT64_C(1) << 62) + node;
	if (node == NODE_ROOT) {
		st->st_mode = S_IFDIR | (0755 & ~s->options->dmask);
		st->st_nlink = s->options->nlink == NLINK_EXACT ? 3 : 1;
	} else {
		st->st_mode = S_IFREG | (0444 & ~s->options->fmask);
		set_size(st, node_text(s, node, text), true);
	}
	return 0;
}

int node_stat(struct server *s, uint64_t node, struct stat *st)
{
	const uint32_t file_id = node_file_id(s, node);
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_data data = {CIM_SIZED(data)};
	int error;

	if (!file_id)
		return stat_own(s, node, st);
	error = item_info(s, file_id, &info);
	if (error)
		return error;
	if (!node_is_stream(node))
		return stat_item(s, &info, node_extra(node), st);
	error = node_data(s, node, &data);
	if (error)
		return error;
	stat_info(s, &info, st);
	info.is_directory = false;
	st->st_mode = file_mode(s, &info);
	st->st_ino = node & ~NODE_ITEM;
	set_data(s, st, &info, &data);
	return 0;
}

/* ---- data ---- */

static int stream_data(struct server *s, uint64_t node, struct cim_data *data)
{
	const struct cim_entry *entry = NULL;
	struct cim_error err = {0};
	struct cim_iter *iter;
	enum cim_status status;

	status = cim_iter_streams(s->image, (uint32_t)node, &iter, &err);
	if (!status) {
		cim_iter_seek(iter, node_extra(node));
		status = cim_iter_next(iter, &entry, &err);
	}
	if (entry) {
		*data = *entry->data;
		data->struct_size = sizeof(*data);
	}
	cim_iter_close(iter);
	if (status)
		return log_status(status, &err, (uint32_t)node);
	return entry ? 0 : ENOENT;
}

int node_data(struct server *s, uint64_t node, struct cim_data *data)
{
	const uint32_t file_id = node_file_id(s, node);
	struct cim_error err = {0};
	enum cim_status status;

	if (!file_id)
		return EISDIR;
	if (node_is_stream(node))
		return stream_data(s, node, data);
	*data = (struct cim_data){CIM_SIZED(*data)};
	status = cim_image_get_data(s->image, file_id, (struct cim_str){0}, data, &err);
	if (status == CIM_E_ACCESS)
		return EISDIR;
	return status ? log_status(status, &err, file_id) : 0;
}

/* ---- names ---- */

int node_enter(struct server *s, uint32_t dir_id, const struct cim_file_info *info,
	       uint32_t spelling, uint64_t *node, struct stat *st)
{
	uint32_t extra = 0;
	int error;

	if (s->options->reparse == REPARSE_LINKS &&
	    (info->reparse_tag == CIM_TAG_SYMLINK || info->reparse_tag == CIM_TAG_MOUNT_POINT)) {
		error = node_depth(s, dir_id, &extra);
		if (error)
			return error;
	}
	error = stat_item(s, info, extra, st);
	if (error)
		return error;
	if (!S_ISLNK(st->st_mode))
		extra = S_ISDIR(st->st_mode) ? spelling : 0;
	*node = node_item(info->file_id, extra);
	return 0;
}

/* A number for a spelling, never 0. */
static uint32_t hash_spelling(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return (hash ^ hash >> 30) | 1;
}

/* Split "stream", "stream:$DATA" or ":$DATA" (its length 0: the default stream). */
static bool parse_stream(const char *text, size_t *len)
{
	const char *type = strchr(text, ':');

	*len = type ? (size_t)(type - text) : strlen(text);
	if (type && strcasecmp(type + 1, "$DATA"))
		return false;
	return *len || type;
}

/* The position of a stream among an item's. */
static int find_stream(struct server *s, uint32_t file_id, const uint16_t *name, size_t units,
		       uint32_t *index)
{
	const struct cim_entry *entry;
	struct cim_error err = {0};
	struct cim_iter *iter;
	enum cim_status status = cim_iter_streams(s->image, file_id, &iter, &err);

	if (status)
		return log_status(status, &err, file_id);
	for (uint32_t left = cim_iter_count(iter); left; left--) {
		status = cim_iter_next(iter, &entry, &err);
		if (entry && !cim_name_compare_default(entry->name, entry->units, name, units)) {
			*index = entry->index;
			cim_iter_close(iter);
			return 0;
		}
	}
	cim_iter_close(iter);
	return status ? log_status(status, &err, file_id) : ENOENT;
}

/* NAME:STREAM, in the three spellings that Windows knows; ":STREAM" is the directory's own. */
static int look_up_stream(struct server *s, uint32_t dir_id, const char *name, uint64_t *node,
			  struct stat *st)
{
	const char *colon = strchr(name, ':');
	uint16_t stream[CIM_MAX_NAME];
	struct cim_file_info info = {CIM_SIZED(info)};
	uint32_t file_id = dir_id;
	uint32_t index = 0;
	size_t len, units;
	bool variant;
	int error;

	if (!colon || !parse_stream(colon + 1, &len))
		return ENOENT;
	if (colon != name) {
		/* Wine tries names in other cases by a directory's list, which has no streams. */
		error = name_find(s, dir_id, name, (size_t)(colon - name), true, &file_id,
				  &variant);
		if (error)
			return error;
	}
	if (!len) {
		error = item_info(s, file_id, &info);
		if (!error)
			error = node_enter(s, dir_id, &info, 0, node, st);
		return !error && S_ISDIR(st->st_mode) ? ENOENT : error;
	}
	if (cim_utf16_from_utf8(colon + 1, len, stream, CIM_MAX_NAME, &units))
		return ENOENT;
	error = find_stream(s, file_id, stream, units, &index);
	if (error)
		return error;
	*node = node_stream(file_id, index);
	return node_stat(s, *node, st);
}

/* Names that are not in the image and not listed. */
static uint64_t own_name(const struct server *s, uint64_t parent, const char *name)
{
	uint64_t node = 0;

	if (!strcmp(name, ".ciopfs"))
		node = NODE_CIOPFS;
	else if (parent != NODE_ROOT && parent != node_of_root(s))
		return 0;
	else if (!strcmp(name, ".windows-label"))
		node = NODE_LABEL;
	else if (!strcmp(name, ".windows-serial"))
		node = NODE_SERIAL;
	return is_own(s, node) ? node : 0;
}

/* What a file handle leads to ("."), and what that is in (".."): asked for by the kernel alone, for
 * what it doesn't remember any more. */
static int look_up_dots(struct server *s, uint64_t from, bool up, uint64_t *node, struct stat *st)
{
	const uint32_t dir_id = node_file_id(s, from);
	uint32_t above = s->root_id;
	int error = 0;

	*node = from;
	if (up && (!dir_id || node_is_stream(from)))
		return ENOTDIR;
	if (up && dir_id == s->root_id) {
		*node = NODE_ROOT;
	} else if (up) {
		error = node_parent(s, dir_id, &above);
		*node = above == s->root_id ? node_of_root(s) : node_item(above, 0);
	}
	return error ? error : node_stat(s, *node, st);
}

int node_lookup(struct server *s, uint64_t parent, const char *name, uint64_t *node,
		struct stat *st)
{
	const uint32_t dir_id = node_file_id(s, parent);
	struct cim_file_info info = {CIM_SIZED(info)};
	bool variant;
	int error = ENOENT;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return look_up_dots(s, parent, name[1], node, st);
	if (node_is_stream(parent))
		return ENOTDIR;
	if (dir_id)
		error = name_find_item(s, dir_id, name, &info, &variant);
	if (!error)
		return node_enter(s, dir_id, &info, variant ? hash_spelling(name) : 0, node, st);
	if (dir_id && (error == ENOENT || error == ENAMETOOLONG) &&
	    s->options->streams & STREAMS_WINDOWS && strchr(name, ':') && !name_is_marked(s, name))
		error = look_up_stream(s, dir_id, name, node, st);
	if (error != ENOENT)
		return error;
	if (node_is_top(s, parent) && !strcmp(name, "root"))
		*node = node_of_root(s);
	else
		*node = own_name(s, parent, name);
	return *node ? node_stat(s, *node, st) : ENOENT;
}
