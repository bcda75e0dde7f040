/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostmeta.c - a Linux file's metadata as an image's
 *
 * Last write comes from mtime, and the other three times equal it unless told otherwise, so that
 * the same tree gives the same image. Read-only is a mode without any w. Where Windows' own
 * metadata can be had they win: user.DOSATTRIB (Samba, Wine) has attributes, ntfs-3g's
 * system.ntfs_* have all of it. ntfs-3g doesn't list those names, so they are asked for by name,
 * but only on a file system that knows them. An extended attribute that an image has no place for
 * is counted as a loss.
 */
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "../host/mountinfo.h"

#define MAX_XATTR 65536

/* What a Linux file system has no notion of; read-only is in a mode, the last write is mtime. */
#define OTHER_TIMES	 (CIM_KEEP_CREATION | CIM_KEEP_CHANGE | CIM_KEEP_LAST_ACCESS)
#define OTHER_ATTRIBUTES (CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM | CIM_ATTR_ARCHIVE)

int hostmeta_init(struct hostmeta *h, struct tool *t, const struct write_options *options,
		  struct loss losses[HOST_LOSSES])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	enum time_parsed parsed;

	memset(h, 0, sizeof(*h));
	h->t = t;
	h->all_times = options->all_times;
	h->xattr_streams = options->streams != 0;
	h->no_acls = options->no_acls;
	h->lost_xattr = &losses[0];
	h->lost_ntfs = &losses[1];
	h->lost_xattr->what = "extended attribute not stored";
	h->lost_time = &losses[2];
	h->lost_ntfs->what = "Windows metadata not stored";
	h->lost_time->what = "the nearest time was stored";
	if (options->mtime) {
		parsed = time_parse_user(options->mtime, &h->time);
		if (parsed)
			return tool_usage(t, "--mtime: '%s' %s", options->mtime,
					  time_fault(parsed));
		h->set_times = true;
	} else if (epoch && *epoch) {
		char *at = xasprintf("@%s", epoch);

		parsed = time_parse_user(at, &h->time);
		free(at);
		if (parsed)
			return tool_usage(t,
					  "SOURCE_DATE_EPOCH is '%s', not the number of a second "
					  "that Windows knows",
					  epoch);
		h->clamp_times = true;
	}
	return EXIT_OK;
}

void host_meta_free(struct host_meta *meta)
{
	for (size_t i = 0; i < meta->stream_count; i++)
		free(meta->streams[i].value);
	free(meta->streams);
	free(meta->security);
	free(meta->ea);
	free(meta->reparse);
	memset(meta, 0, sizeof(*meta));
	meta->m.struct_size = sizeof(meta->m);
}

/* ---- extended attributes of whatever it is ---- */

/* What to ask: an open file, or a path by which a symlink itself can be reached. */
struct target {
	int fd;
	char path[64 + 256];
};

static ssize_t get_xattr(const struct target *target, const char *name, void *buf, size_t size)
{
	return target->fd >= 0 ? fgetxattr(target->fd, name, buf, size)
			       : lgetxattr(target->path, name, buf, size);
}

static ssize_t list_xattr(const struct target *target, char *list, size_t size)
{
	return target->fd >= 0 ? flistxattr(target->fd, list, size)
			       : llistxattr(target->path, list, size);
}

/* The whole value, allocated; NULL with errno, 0 if there is none. */
static uint8_t *read_xattr(const struct target *target, const char *name, size_t *size)
{
	uint8_t *value;
	ssize_t len = get_xattr(target, name, NULL, 0);

	if (len < 0 && (errno == ENODATA || errno == ENOTSUP))
		errno = 0;
	else if (len > MAX_XATTR * 2)
		errno = E2BIG;
	if (len < 0 || len > MAX_XATTR * 2)
		return NULL;
	value = xmalloc((size_t)len);
	len = get_xattr(target, name, value, (size_t)len);
	if (len < 0) {
		free(value);
		return NULL;
	}
	*size = (size_t)len;
	return value;
}

/* ---- user.DOSATTRIB ---- */

/*
 * Either a text such as "0x22" (Samba before 3.5 and Wine; perhaps with a NUL), or Samba's record:
 * that text or none, with its NUL; version u16, repeated as u16 or padded to u32; then by version
 *   3: valid u32, attributes u32, EA size u32, size u64, allocation u64, creation u64, change u64
 *   4: valid u32, attributes u32, instance time u64, creation u64
 *   5: valid u32, attributes u32, creation u64
 * where bit 0 of valid tells of the attributes, bit 4 of the creation time.
 */
static bool parse_record(const uint8_t *p, size_t size, uint32_t *attributes, int64_t *creation)
{
	static const uint8_t creation_at[] = {[3] = 28, [4] = 16, [5] = 8};
	size_t start;
	uint32_t valid;
	uint16_t version;

	/* The union of the record is aligned to four bytes, or eight where it holds a u64 first. */
	for (start = 0; start < size && p[start]; start++)
		;
	start = (start + 1 + 1) / 2 * 2;
	if (start > size || size - start < 4)
		return false;
	version = get16(p + start);
	if (version < 3 || version > 5)
		return false;
	start += 2;
	if (get16(p + start) == version)
		start += 2;
	start = (start + 3) / 4 * 4;
	if (start > size || size - start < 8)
		return false;
	p += start;
	size -= start;
	valid = get32(p);
	if (valid & 1)
		*attributes |= get32(p + 4);
	if (valid & 0x10 && size >= creation_at[version] + 8u)
		*creation = (int64_t)get64(p + creation_at[version]);
	return (valid & 1) != 0;
}

/* Attributes, and the creation time if it holds one. false: nothing in it. */
static bool parse_dosattrib(const uint8_t *p, size_t size, uint32_t *attributes, int64_t *creation)
{
	char text[16] = {0};
	char *end;
	unsigned long v;

	if (parse_record(p, size, attributes, creation))
		return true;
	memcpy(text, p, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return false;
	v = strtoul(text, &end, 16);
	if (end == text + 2 || *end)
		return false;
	*attributes |= (uint32_t)v;
	return true;
}

/* ---- ntfs-3g ---- */

static bool is_image_mount(dev_t dev)
{
	struct mount_entry entry;
	struct mountinfo mounts;
	bool found = false;

	mountinfo_open(&mounts);
	while (!found && mountinfo_next(&mounts, &entry))
		found = entry.dev == dev && !strcmp(entry.type, MOUNT_TYPE);
	mountinfo_close(&mounts);
	return found;
}

static bool has_ntfs(struct hostmeta *h, const struct target *target, uint64_t dev)
{
	if (!h->ntfs_known || h->ntfs_dev != dev) {
		h->ntfs_known = true;
		h->ntfs_dev = dev;
		h->ntfs = get_xattr(target, XATTR_NTFS_ATTRIB, NULL, 0) == 4;
		h->image = h->ntfs && is_image_mount(dev);
	}
	return h->ntfs;
}

static void take_ntfs_attributes(const struct hostmeta *h, const struct target *target,
				 bool directory, struct host_meta *meta)
{
	struct cim_metadata *m = &meta->m;
	size_t size;
	uint8_t *value = read_xattr(target, XATTR_NTFS_ATTRIB, &size);

	if (value && size == 4) {
		uint32_t attributes = get32(value);

		meta->reparse_point = attributes & CIM_ATTR_REPARSE && !h->image;
		m->attributes |= attributes & (DOS_ATTRIBUTES | CIM_ATTR_SPARSE);
		m->keep_attributes = 0;
		/* ntfs-3g shows a link to a directory as a symlink; NTFS knows it is one. */
		if (!directory && attributes & CIM_ATTR_DIRECTORY && attributes & CIM_ATTR_REPARSE)
			m->attributes |= CIM_ATTR_DIRECTORY;
	}
	free(value);
}

/* creation, last write, last access, change: that order is ntfs-3g's */
static void take_ntfs_times(const struct target *target, struct cim_metadata *m)
{
	size_t size;
	uint8_t *value = read_xattr(target, XATTR_NTFS_TIMES, &size);

	/* Somebody who set mtime without NTFS knowing has the last word. */
	if (value && size >= 32 && (int64_t)get64(value + 8) == m->last_write_time) {
		m->creation_time = (int64_t)get64(value);
		m->last_access_time = (int64_t)get64(value + 16);
		m->change_time = (int64_t)get64(value + 24);
		m->keep &= ~OTHER_TIMES;
	}
	free(value);
}

static bool security_ok(uint8_t *value, size_t *size)
{
	(void)value;
	return *size >= 20;
}

static bool reparse_ok(uint8_t *value, size_t *size)
{
	return cim_blob_valid(CIM_BLOB_REPARSE, value, *size);
}

/* One that an image holds too, once it is @ok. */
static void take_ntfs_blob(struct hostmeta *h, const struct target *target, const char *where,
			   const char *xattr, bool (*ok)(uint8_t *value, size_t *size),
			   uint8_t **blob, size_t *blob_size)
{
	size_t size;
	uint8_t *value = read_xattr(target, xattr, &size);

	if (value && size && ok(value, &size) && size <= CIM_MAX_BLOB) {
		*blob = value;
		*blob_size = size;
		return;
	}
	if (value ? size > 0 : errno > 0) {
		char *cause = xasprintf("%s%s%s", xattr, value ? " is inconsistent" : ": ",
					value ? "" : strerror(errno));

		loss_add(h->t, h->lost_ntfs, where, cause);
		free(cause);
	}
	free(value);
}

/* Streams that are no attributes here, for their size or because they show otherwise: those that
 * are have been listed. */
static void tell_hidden_streams(struct hostmeta *h, const struct target *target, const char *where)
{
	size_t size;
	uint8_t *names = read_xattr(target, XATTR_NTFS_STREAMS, &size);

	if (!names && errno > 0)
		loss_add(h->t, h->lost_xattr, where, XATTR_NTFS_STREAMS);
	for (size_t at = 0, len; names && at < size; at += len + 1) {
		char *xattr, *text;
		uint8_t *value;
		size_t have;

		len = strnlen((const char *)names + at, size - at);
		xattr = xasprintf("user.%.*s", (int)len, (const char *)names + at);
		value = read_xattr(target, xattr, &have);
		if (len && !value) {
			text = xasprintf("the stream %s", xattr + 5);
			loss_add(h->t, h->lost_xattr, where, text);
			free(text);
		}
		free(value);
		free(xattr);
	}
	free(names);
}

static void take_ntfs(struct hostmeta *h, const struct target *target, const char *where,
		      bool directory, struct host_meta *meta)
{
	struct cim_metadata *m = &meta->m;

	/* NTFS knows whether there are any. */
	m->keep &= ~(CIM_KEEP_EA | CIM_KEEP_REPARSE);
	take_ntfs_attributes(h, target, directory, meta);
	take_ntfs_times(target, m);
	if (!h->no_acls)
		take_ntfs_blob(h, target, where, XATTR_NTFS_ACL, security_ok, &meta->security,
			       &m->security_size);
	take_ntfs_blob(h, target, where, XATTR_NTFS_REPARSE, reparse_ok, &meta->reparse,
		       &m->reparse_size);
	take_ntfs_blob(h, target, where, XATTR_NTFS_EA, ea_from_ntfs, &meta->ea, &m->ea_size);
	tell_hidden_streams(h, target, where);
}

/* ---- the attributes that are listed ---- */

static int compare_streams(const void *a, const void *b)
{
	const struct host_stream *x = a;
	const struct host_stream *y = b;

	return cim_name_compare_default(x->name, x->units, y->name, y->units);
}

static void take_stream(struct hostmeta *h, const struct target *target, const char *xattr,
			const char *where, struct host_meta *meta)
{
	const char *name = xattr + 5;
	struct host_stream *stream;
	uint8_t *value;
	size_t size;

	if (strpbrk(name, "/\\:*?\"<>|")) {
		loss_add(h->t, h->lost_xattr, where, xattr);
		return;
	}
	value = read_xattr(target, xattr, &size);
	if (!value) {
		loss_add(h->t, h->lost_xattr, where, xattr);
		return;
	}
	meta->streams = xgrow(meta->streams, &meta->stream_room, meta->stream_count,
			      sizeof(*meta->streams));
	stream = &meta->streams[meta->stream_count];
	if (cim_utf16_from_utf8(name, strlen(name), stream->name, CIM_MAX_NAME, &stream->units)) {
		loss_add(h->t, h->lost_xattr, where, xattr);
		free(value);
		return;
	}
	stream->value = value;
	stream->size = size;
	meta->stream_count++;
}

static void take_dosattrib(struct hostmeta *h, const struct target *target, const char *where,
			   struct host_meta *meta)
{
	uint32_t attributes = 0;
	int64_t creation = 0;
	size_t size;
	uint8_t *value = read_xattr(target, XATTR_DOSATTRIB, &size);

	/* Of a symlink Linux lets nobody read it; where there is one NTFS's are there too. */
	if (!value) {
		if (target->fd >= 0)
			loss_add(h->t, h->lost_xattr, where, XATTR_DOSATTRIB);
		return;
	}
	if (parse_dosattrib(value, size, &attributes, &creation)) {
		meta->m.attributes |= attributes & DOS_ATTRIBUTES;
		meta->m.keep_attributes = 0;
		if (h->all_times && creation > 0) {
			meta->m.creation_time = creation;
			meta->m.keep &= ~CIM_KEEP_CREATION;
		}
	} else {
		loss_add(h->t, h->lost_xattr, where, "user.DOSATTRIB has an unknown form");
	}
	free(value);
}

static void take_listed(struct hostmeta *h, const struct target *target, const char *where,
			struct host_meta *meta)
{
	char small[1024];
	char *list = small;
	ssize_t len = list_xattr(target, small, sizeof(small));

	if (len < 0 && errno == ERANGE) {
		list = xmalloc(MAX_XATTR);
		len = list_xattr(target, list, MAX_XATTR);
	}
	if (len < 0 && errno != ENOTSUP && errno != ENOSYS)
		loss_add(h->t, h->lost_xattr, where, strerror(errno));
	for (const char *name = list; len > 0 && name < list + len; name += strlen(name) + 1) {
		if (!strcmp(name, XATTR_DOSATTRIB))
			take_dosattrib(h, target, where, meta);
		else if (!strncmp(name, "user.", 5) && name[5] && h->xattr_streams)
			take_stream(h, target, name, where, meta);
		/* A label for the local policy is like owner and mode: of this machine. */
		else if (strcmp(name, "security.selinux") &&
			 strncmp(name, XATTR_NTFS, strlen(XATTR_NTFS)) && strncmp(name, "ntfs.", 5))
			loss_add(h->t, h->lost_xattr, where, name);
	}
	if (list != small)
		free(list);
	if (meta->stream_count > 1)
		qsort(meta->streams, meta->stream_count, sizeof(*meta->streams), compare_streams);
}

/* ---- all of it ---- */

static void adjust_time(const struct hostmeta *h, int64_t *t)
{
	if (h->set_times || (h->clamp_times && *t > h->time))
		*t = h->time;
}

/* One of a file's times; what is to be another one anyway is no loss. */
static int64_t stamp(struct hostmeta *h, const struct statx_timestamp *ts, const char *which,
		     const char *where)
{
	char cause[64];
	int64_t t;
	int64_t adjusted;

	if (!filetime_from_unix(ts->tv_sec, ts->tv_nsec, &t)) {
		adjusted = t;
		adjust_time(h, &adjusted);
		snprintf(cause, sizeof(cause), "Windows doesn't know the year of its %s", which);
		if (adjusted == t)
			loss_add(h->t, h->lost_time, where, cause);
	}
	return t;
}

void hostmeta_read(struct hostmeta *h, int fd, int dirfd, const char *name, const struct statx *stx,
		   const char *where, struct host_meta *meta)
{
	struct target target = {.fd = fd};
	struct cim_metadata *m = &meta->m;

	memset(meta, 0, sizeof(*meta));
	meta->m.struct_size = sizeof(meta->m);
	if (S_ISDIR(stx->stx_mode))
		m->attributes |= CIM_ATTR_DIRECTORY;
	if (!S_ISLNK(stx->stx_mode) && !(stx->stx_mode & 0222))
		m->attributes |= CIM_ATTR_READONLY;
	m->last_write_time = stamp(h, &stx->stx_mtime, "last write", where);
	m->creation_time = m->change_time = m->last_access_time = m->last_write_time;
	m->keep = CIM_KEEP_SECURITY | CIM_KEEP_EA | CIM_KEEP_REPARSE | OTHER_TIMES;
	m->keep_attributes = OTHER_ATTRIBUTES;
	if (h->all_times) {
		m->keep &= ~(CIM_KEEP_CHANGE | CIM_KEEP_LAST_ACCESS);
		m->last_access_time = stamp(h, &stx->stx_atime, "last access", where);
		m->change_time = stamp(h, &stx->stx_ctime, "last change", where);
		if (stx->stx_mask & STATX_BTIME) {
			m->keep &= ~CIM_KEEP_CREATION;
			m->creation_time = stamp(h, &stx->stx_btime, "creation", where);
		}
	}
	if (h->set_times)
		m->keep &= ~(OTHER_TIMES | CIM_KEEP_LAST_WRITE);
	if (fd < 0)
		snprintf(target.path, sizeof(target.path), "/proc/self/fd/%d/%s", dirfd, name);
	take_listed(h, &target, where, meta);
	if (has_ntfs(h, &target, makedev(stx->stx_dev_major, stx->stx_dev_minor)))
		take_ntfs(h, &target, where, S_ISDIR(stx->stx_mode), meta);
	m->security = meta->security;
	m->ea = meta->ea;
	m->reparse = meta->reparse;
	if (meta->security)
		m->keep &= ~CIM_KEEP_SECURITY;
	adjust_time(h, &m->creation_time);
	adjust_time(h, &m->last_write_time);
	adjust_time(h, &m->change_time);
	adjust_time(h, &m->last_access_time);
}

int hostmeta_same_times(struct tool *t, const struct write_options *options,
			const struct timespec *when, struct cim_metadata *m)
{
	struct loss none[HOST_LOSSES] = {{0}};
	struct hostmeta h;
	int64_t time;
	int code = hostmeta_init(&h, t, options, none);

	if (code)
		return code;
	/* One that is bent is told of at the file that has it. */
	filetime_from_unix(when->tv_sec, when->tv_nsec, &time);
	adjust_time(&h, &time);
	m->creation_time = m->last_write_time = m->change_time = m->last_access_time = time;
	return EXIT_OK;
}
