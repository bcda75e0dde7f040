/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xattr.c - what Linux has no place for, as extended attributes
 *
 *   system.ntfs_attrib, _attrib_be   the attributes, u32 in this machine's order, big endian
 *   system.ntfs_times, _times_be     creation, last write, last access, change: 4 x u64
 *   system.ntfs_crtime, _crtime_be   creation
 *   system.ntfs_acl                  the security descriptor, self-relative
 *   system.ntfs_ea                   the EA list as NTFS keeps it: the last entry has an offset too
 *   system.ntfs_reparse_data         the reparse data
 *   ntfs.streams.list                the names of all alternate streams, a NUL between them
 *   user.DOSATTRIB                   read-only, hidden, system, archive, as text ("0x22")
 *   user.WINEREPARSE                 the reparse data, for Wine 10.19 and later
 *   user.STREAM                      an alternate stream, by the option streams_interface; not
 *                                    listed if an attribute can't have so many bytes
 *
 * These are ntfs-3g's, Samba's and Wine's names, so that what reads them there reads them here. As
 * with ntfs-3g the system ones are not listed, for a program that copies what is listed could not
 * set them elsewhere; user.DOSATTRIB is where it tells what the mode doesn't (hidden, system).
 *
 * Wine asks for user.DOSATTRIB each time it looks at a file, and the kernel doesn't remember the
 * answer. In a mount made for Wine of an image without a hidden or system file (nor, where Wine
 * reads user.WINEREPARSE, a reparse point) the first question is answered "not implemented", after
 * which the kernel doesn't ask again.
 */
#include "mount.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#include "../host/ea.h"
#include "../host/xattr.h"

/* Is there something about an item that Wine learns from an attribute only? */
static bool tells_wine(const struct server *s, const struct cim_file_info *info)
{
	return info->attributes & (CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM) ||
	       (s->options->reparse == REPARSE_WINE && info->has_reparse);
}

/* An image that says it has more is taken to have hidden files, rather than searched for ever. */
#define MAX_SCAN (UINT64_C(1) << 27)

bool xattr_plain(struct server *s)
{
	if (!s->options->volume)
		return false;
	pthread_mutex_lock(&s->scan_lock);
	if (!s->scanned) {
		s->plain = s->max_id <= MAX_SCAN;
		for (uint64_t id = 1; s->plain && id <= s->max_id; id++) {
			struct cim_file_info info = {CIM_SIZED(info)};

			if (!cim_image_stat(s->image, (uint32_t)id, &info, NULL) &&
			    tells_wine(s, &info))
				s->plain = false;
		}
		s->scanned = true;
	}
	pthread_mutex_unlock(&s->scan_lock);
	return s->plain;
}

/* A value being made. */
struct value {
	uint8_t *bytes;
	size_t size;
	size_t limit;
};

static int put_value(struct value *v, const void *bytes, size_t size)
{
	v->size = size;
	if (size > v->limit)
		return ERANGE;
	v->bytes = malloc(size + 1);
	if (!v->bytes)
		return ENOMEM;
	memcpy(v->bytes, bytes, size);
	return 0;
}

static int put_integers(struct value *v, const uint64_t *values, size_t count, bool big)
{
	uint64_t copy[4];

	for (size_t i = 0; i < count; i++)
		copy[i] = big ? htobe64(values[i]) : values[i];
	return put_value(v, copy, count * sizeof(copy[0]));
}

static int put_times(struct value *v, const struct cim_file_info *info, bool all, bool big)
{
	const uint64_t times[4] = {
		(uint64_t)info->creation_time,
		(uint64_t)info->last_write_time,
		(uint64_t)info->last_access_time,
		(uint64_t)info->change_time,
	};

	return put_integers(v, times, all ? 4 : 1, big);
}

static int put_attrib(struct value *v, const struct cim_file_info *info, bool big)
{
	uint32_t attributes = big ? htobe32(info->attributes) : info->attributes;

	return put_value(v, &attributes, sizeof(attributes));
}

static int put_blob(struct server *s, struct value *v, const struct cim_file_info *info,
		    enum cim_blob which)
{
	struct cim_error err = {0};
	enum cim_status status;

	status = cim_image_get_file_blob(s->image, info, which, NULL, 0, &v->size, &err);
	if (!status && !v->size)
		return ENODATA;
	if (!status && v->size > v->limit)
		return ERANGE;
	if (!status) {
		v->bytes = malloc(v->size + EA_NTFS_ROOM);
		if (!v->bytes)
			return ENOMEM;
		status = cim_image_get_file_blob(s->image, info, which, v->bytes, v->size, &v->size,
						 &err);
	}
	return status ? log_status(status, &err, info->file_id) : 0;
}

/* That of an item which says that it has some: none would be no answer to who has seen it listed.
 */
static int put_reparse(struct server *s, struct value *v, const struct cim_file_info *info)
{
	const int error = put_blob(s, v, info, CIM_BLOB_REPARSE);

	return error == ENODATA ? EIO : error;
}

/* As NTFS keeps the list; one that is malformed stays as it is. */
static int put_ea(struct server *s, struct value *v, const struct cim_file_info *info)
{
	const size_t limit = v->limit;
	int error;

	v->limit = CIM_MAX_BLOB;
	error = put_blob(s, v, info, CIM_BLOB_EA);
	v->limit = limit;
	if (error)
		return error;
	ea_to_ntfs(v->bytes, &v->size);
	return v->size > limit ? ERANGE : 0;
}

/*
 * How many of an item's streams are gone through: a list has room for no more names. (It takes 7
 * bytes for one.) In an image that was made for it each name could take a walk through all.
 */
#define LISTED_STREAMS 10000u

static uint32_t listed_streams(const struct cim_iter *iter)
{
	const uint32_t count = cim_iter_count(iter);

	return count < LISTED_STREAMS ? count : LISTED_STREAMS;
}

/* There is no stream of that name; or it is listed, but lies where nobody looks for it. */
static int lost_stream(struct server *s, const struct cim_file_info *info, const char *name)
{
	struct cim_error err = {0};
	struct cim_iter *iter = NULL;
	const struct cim_entry *entry;
	bool listed = false;
	enum cim_status status = cim_iter_file_streams(s->image, info, &iter, &err);

	for (uint32_t left = status ? 0 : listed_streams(iter); left && !listed; left--) {
		status = cim_iter_next(iter, &entry, &err);
		listed = !status && entry && !strcmp(entry->utf8, name);
	}
	cim_iter_close(iter);
	if (status)
		return log_status(status, &err, info->file_id);
	if (!listed)
		return ENODATA;
	log_line("%s: file %u: its streams are out of order", s->options->image, info->file_id);
	return EIO;
}

static int put_stream(struct server *s, struct value *v, const struct cim_file_info *info,
		      const char *name)
{
	struct cim_error err = {0};
	struct cim_data data = {CIM_SIZED(data)};
	size_t got = 0;
	enum cim_status status;

	status = cim_image_get_file_data(s->image, info, cim_str8(name), &data, &err);
	if (status == CIM_E_FILE_NOT_FOUND)
		return info->has_streams ? lost_stream(s, info, name) : ENODATA;
	if (status == CIM_E_INVALID)
		return ENODATA;
	if (status)
		return log_status(status, &err, info->file_id);
	/* A length larger than any buffer is answered as one that is just too large. */
	v->size = data.size < XATTR_SIZE_MAX + 1 ? (size_t)data.size : XATTR_SIZE_MAX + 1;
	if (data.size > v->limit)
		return ERANGE;
	v->bytes = malloc(v->size + 1);
	if (!v->bytes)
		return ENOMEM;
	status = cim_image_read(s->image, &data, 0, v->bytes, v->size, &got, &err);
	if (status)
		return log_status(status, &err, info->file_id);
	return got == v->size ? 0 : EIO;
}

/* Is it a name that a program can ask by? One of a hostile image may hold a NUL. */
static bool is_name(const struct cim_entry *entry)
{
	for (size_t i = 0; i < entry->units; i++) {
		if (!entry->name[i])
			return false;
	}
	return entry->units != 0;
}

/* With a NUL between the names; more than an attribute can hold are just too many. */
static int put_stream_names(struct server *s, struct value *v, const struct cim_file_info *info)
{
	char *names = malloc(XATTR_SIZE_MAX + CIM_MAX_NAME_UTF8 + 1);
	const struct cim_entry *entry = NULL;
	struct cim_error err = {0};
	struct cim_iter *iter = NULL;
	size_t used = 0;
	int error = 0;
	enum cim_status status;

	if (!names)
		return ENOMEM;
	status = cim_iter_file_streams(s->image, info, &iter, &err);
	for (uint32_t left = status ? 0 : cim_iter_count(iter); left && used <= XATTR_SIZE_MAX;
	     left--) {
		status = cim_iter_next(iter, &entry, &err);
		if (status || !entry)
			break;
		if (is_name(entry))
			used += (size_t)snprintf(names + used, CIM_MAX_NAME_UTF8 + 1, "%s",
						 entry->utf8) +
				1;
	}
	cim_iter_close(iter);
	if (status)
		error = log_status(status, &err, info->file_id);
	else
		error = used ? put_value(v, names, used - 1) : ENODATA;
	free(names);
	return error;
}

static int put_named(struct server *s, struct value *v, const struct cim_file_info *info,
		     const char *name)
{
	char text[16];

	if (!strncmp(name, XATTR_NTFS, strlen(XATTR_NTFS))) {
		const char *what = name + strlen(XATTR_NTFS);

		if (!strcmp(what, "attrib") || !strcmp(what, "attrib_be"))
			return put_attrib(v, info, what[6]);
		if (!strcmp(what, "times") || !strcmp(what, "times_be"))
			return put_times(v, info, true, what[5]);
		if (!strcmp(what, "crtime") || !strcmp(what, "crtime_be"))
			return put_times(v, info, false, what[6]);
		if (!strcmp(what, "acl"))
			return put_blob(s, v, info, CIM_BLOB_SECURITY);
		if (!strcmp(what, "ea"))
			return put_ea(s, v, info);
		if (!strcmp(what, "reparse_data"))
			return put_blob(s, v, info, CIM_BLOB_REPARSE);
		return ENODATA;
	}
	if (!strcmp(name, XATTR_NTFS_STREAMS))
		return info->has_streams ? put_stream_names(s, v, info) : ENODATA;
	if (!strcmp(name, XATTR_DOSATTRIB))
		return put_value(v, text, dosattrib_text(info->attributes, text));
	/* Wine asks this of every file. */
	if (!strcmp(name, XATTR_WINEREPARSE))
		return info->has_reparse ? put_reparse(s, v, info) : ENODATA;
	if (!strncmp(name, "user.", 5) && name[5] && s->options->streams & STREAMS_XATTR)
		return put_stream(s, v, info, name + 5);
	/* ACLs, capabilities, labels: not this one has none, but there is no such thing here. ls,
	 * for one, stops asking then. */
	return strncmp(name, "user.", 5) ? EOPNOTSUPP : ENODATA;
}

/* The record of a node that has attributes. */
static int get_info(struct server *s, uint64_t node, struct cim_file_info *info)
{
	const uint32_t file_id = node_file_id(s, node);

	return file_id && !node_is_stream(node) ? item_info(s, file_id, info) : ENODATA;
}

uint8_t *xattr_get(struct server *s, uint64_t node, const char *name, size_t limit, size_t *size,
		   int *error)
{
	struct value v = {.limit = limit};
	struct cim_file_info info;

	*size = 0;
	*error = get_info(s, node, &info);
	if (!*error)
		*error = put_named(s, &v, &info, name);
	*size = v.size;
	if (*error) {
		free(v.bytes);
		return NULL;
	}
	return v.bytes;
}

/* The list of names; those that Linux has no room for are left out (FILE:STREAM has them). */
struct list {
	char *names;
	size_t size;
	size_t room;
};

static int list_add(struct list *list, const char *prefix, const char *name)
{
	const size_t len = strlen(prefix) + strlen(name) + 1;

	if (len - 1 > XATTR_NAME_MAX || list->size + len > XATTR_LIST_MAX)
		return 0;
	if (len > list->room - list->size) {
		size_t room = list->room * 2 + len;
		char *names = realloc(list->names, room);

		if (!names)
			return ENOMEM;
		list->names = names;
		list->room = room;
	}
	snprintf(list->names + list->size, len, "%s%s", prefix, name);
	list->size += len;
	return 0;
}

static int list_streams(struct server *s, const struct cim_file_info *info, struct list *list)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	const struct cim_entry *entry;
	int error = 0;
	enum cim_status status = cim_iter_file_streams(s->image, info, &iter, &err);

	if (status)
		return log_status(status, &err, info->file_id);
	for (uint32_t left = listed_streams(iter); left && !error; left--) {
		status = cim_iter_next(iter, &entry, &err);
		if (status)
			error = log_status(status, &err, info->file_id);
		else if (entry && is_name(entry) && entry->data->size <= XATTR_SIZE_MAX &&
			 strcmp(entry->utf8, "DOSATTRIB") && strcmp(entry->utf8, "WINEREPARSE"))
			error = list_add(list, "user.", entry->utf8);
	}
	cim_iter_close(iter);
	return error;
}

char *xattr_list(struct server *s, uint64_t node, size_t *size, int *error)
{
	struct list list = {0};
	struct cim_file_info info;

	*size = 0;
	*error = get_info(s, node, &info);
	if (*error == ENODATA) {
		*error = 0;
		return NULL;
	}
	if (!*error && info.attributes & (CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM))
		*error = list_add(&list, "user.", "DOSATTRIB");
	/* Without it a copy of "NAME?" would be no reparse point. */
	if (!*error && info.has_reparse && s->options->reparse == REPARSE_WINE)
		*error = list_add(&list, "", XATTR_WINEREPARSE);
	if (!*error && info.has_streams && s->options->streams & STREAMS_XATTR)
		*error = list_streams(s, &info, &list);
	if (*error) {
		free(list.names);
		return NULL;
	}
	*size = list.size;
	return list.names;
}
