/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extract.c - the unpacked copy that stands in for a mount where there is no FUSE
 *
 * What Wine would see through the mount, as far as a plain directory can hold it: names, data,
 * sizes, access and write times, links, hard links, user.DOSATTRIB where the file system takes it,
 * alternate streams as files NAME:STREAM and the volume's label and serial number as the files
 * .windows-label and .windows-serial. (In Wine's form of reparse points their data, too; what the
 * file system has no room for is left out.) The mount has these too but doesn't list them; a
 * directory lists what is in it, so here they are marked as hidden and system files. What the mount
 * would answer with EIO is missing here, with a line in the log.
 *
 * Who may write is told by the modes. Wine shows as read-only what nobody may write; so a file that
 * isn't read-only may be written by its group, which includes nobody who gets as far as this
 * private directory, for the owner has the owner's rights alone. That stops all but root, whom
 * modes don't bind, and changes of modes and times, which are the owner's right.
 *
 * The tree is made below a directory that nobody else can enter, each name relative to the open
 * directory it goes into and never through a link, so nothing the image says leads out of it. A
 * file with several names is made in a directory of its own first and linked from there, which
 * needs no memory of paths.
 */
#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../host/filetime.h"

#define COPY_SIZE (1024u * 1024u)

#define UNLISTED (CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM) /* attributes of what a mount doesn't list */

/* A directory that is being filled: what it gets when that is done. */
struct level {
	struct timespec times[2];
	mode_t mode;
};

struct extract {
	struct server *s;
	struct level *levels; /* of the directories that are open, the root first */
	size_t depth;	      /* how many */
	size_t room;
	int dir;  /* the innermost */
	int hard; /* where files with several names are made */
	uint8_t *buf;
	struct cim_error *err;
};

/* The system's no to what must work. */
static enum cim_status refuse(struct extract *x, const char *what)
{
	return fail_errno(x->err, "unpacking %s", what);
}

/* Whoever waits for the copy wants it no more. */
static enum cim_status check_stop(struct extract *x)
{
	if (!volume_interrupted(x->s->options->volume))
		return CIM_OK;
	return fail(x->err, CIM_E_ABORTED, "unpacking was stopped by a signal");
}

static mode_t get_mode(const struct cim_file_info *info, bool is_directory)
{
	return (is_directory ? 0555 : 0444) | (info->attributes & CIM_ATTR_READONLY ? 0 : 0020);
}

static void get_times(const struct cim_file_info *info, struct timespec times[2])
{
	filetime_to_unix(info->last_access_time, &times[0]);
	filetime_to_unix(info->last_write_time, &times[1]);
}

static void set_dosattrib(int fd, const struct cim_file_info *info)
{
	char text[16];

	/* A file system that doesn't take it shows less; that is all. */
	if (info->attributes & (CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM))
		fsetxattr(fd, "user.DOSATTRIB", text, xattr_dosattrib(info, text), 0);
}

/* For what shows as one of Wine's reparse points: its data. false: it can't be shown without (the
 * log has it), for Wine finds no way past an entry "NAME?" that has none. */
static bool set_reparse(struct extract *x, int fd, const struct cim_file_info *info)
{
	struct cim_error err = {0};
	enum cim_status status;
	size_t size;

	if (x->s->options->reparse != REPARSE_WINE || !info->has_reparse)
		return true;
	/* (The buffer is for file data, and larger than any of this.) */
	status = cim_image_get_blob(x->s->image, info->file_id, CIM_BLOB_REPARSE, x->buf, COPY_SIZE,
				    &size, &err);
	if (status)
		log_status(status, &err, info->file_id);
	else if (!size)
		log_line("file %u is left out: its reparse data are empty", info->file_id);
	else if (!fsetxattr(fd, XATTR_WINEREPARSE, x->buf, size, 0))
		return true;
	else
		log_line("file %u is left out: its reparse data as " XATTR_WINEREPARSE ": %s",
			 info->file_id, strerror(errno));
	return false;
}

/* ---- files ---- */

static enum cim_status write_all(struct extract *x, int fd, const uint8_t *bytes, size_t len,
				 const char *name)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refuse(x, name);
		bytes += n;
		len -= (size_t)n;
	}
	return CIM_OK;
}

/* *bad: the image doesn't give it. */
static enum cim_status copy_data(struct extract *x, int fd, const struct cim_file_info *info,
				 const struct cim_data *data, const char *name, bool *bad)
{
	struct cim_error err = {0};
	enum cim_status status = CIM_OK;
	uint64_t offset = 0;
	size_t got;

	if (data->sparse)
		return ftruncate(fd, (off_t)data->size) < 0 ? refuse(x, name) : CIM_OK;
	while (offset < data->size) {
		if (check_stop(x))
			return x->err->status;
		status = cim_image_read(x->s->image, data, offset, x->buf, COPY_SIZE, &got, &err);
		if (status || !got)
			break;
		if (write_all(x, fd, x->buf, got, name))
			return x->err->status;
		offset += got;
	}
	if (!status && offset < data->size)
		status = CIM_E_CORRUPT;
	if (status) {
		log_status(status, &err, info->file_id);
		*bad = true;
	}
	return CIM_OK;
}

/* A new file of the item's kind; -1: refused (told in *status), or it can't have that name. */
static int create_file(struct extract *x, int dir, uint32_t file_id, const char *name,
		       enum cim_status *status)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	*status = CIM_OK;
	if (fd < 0 && (errno == EEXIST || errno == ENAMETOOLONG))
		log_line("file %u: %s: %s", file_id, name, strerror(errno));
	else if (fd < 0)
		*status = refuse(x, name);
	return fd;
}

/* All but the data, and closed; not kept if it is @bad. */
static enum cim_status finish_file(struct extract *x, int dir, int fd,
				   const struct cim_file_info *info, const char *name,
				   enum cim_status status, bool bad)
{
	struct timespec times[2];

	if (!status && !bad) {
		set_dosattrib(fd, info);
		get_times(info, times);
		if (fchmod(fd, get_mode(info, false)) < 0)
			status = refuse(x, name);
		futimens(fd, times); /* a file system may not hold every time */
	}
	close(fd);
	if (status || bad)
		unlinkat(dir, name, 0);
	return status;
}

static enum cim_status make_data_file(struct extract *x, int dir, const struct cim_file_info *info,
				      const struct cim_data *data, const char *name)
{
	enum cim_status status;
	bool bad = false;
	int fd = create_file(x, dir, info->file_id, name, &status);

	if (fd < 0)
		return status;
	bad = !set_reparse(x, fd, info);
	if (!bad)
		status = copy_data(x, fd, info, data, name, &bad);
	return finish_file(x, dir, fd, info, name, status, bad);
}

static enum cim_status make_file(struct extract *x, int dir, const struct cim_file_info *info,
				 const char *name)
{
	struct cim_error err = {0};
	struct cim_data data;
	enum cim_status status;

	status = cim_image_get_data(x->s->image, info->file_id, (struct cim_str){0}, &data, &err);
	if (!status)
		return make_data_file(x, dir, info, &data, name);
	log_status(status, &err, info->file_id);
	return CIM_OK;
}

static bool exists(int dir, const char *name)
{
	return !faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* A file that has other names too. */
static enum cim_status make_hard(struct extract *x, const struct cim_file_info *info,
				 const char *name)
{
	char id[16];
	enum cim_status status = CIM_OK;

	snprintf(id, sizeof(id), "%u", info->file_id);
	if (!exists(x->hard, id))
		status = make_file(x, x->hard, info, id);
	if (status || !exists(x->hard, id))
		return status;
	if (!linkat(x->hard, id, x->dir, name, 0))
		return CIM_OK;
	/* Too many, or a file system without: then a file of its own. */
	return make_file(x, x->dir, info, name);
}

static enum cim_status make_link(struct extract *x, const struct cim_file_info *info,
				 const char *target, const char *name)
{
	struct timespec times[2];

	if (symlinkat(target, x->dir, name) < 0) {
		if (errno != EEXIST && errno != ENAMETOOLONG)
			return refuse(x, name);
		log_line("file %u: %s: %s", info->file_id, name, strerror(errno));
		return CIM_OK;
	}
	get_times(info, times);
	utimensat(x->dir, name, times, AT_SYMLINK_NOFOLLOW);
	return CIM_OK;
}

/* ---- what a mount doesn't list ---- */

/* One stream, as a file of the directory @x->dir. @many: its item has several names. */
static enum cim_status make_stream(struct extract *x, const struct cim_file_info *info,
				   const struct cim_entry *stream, const char *name, bool many)
{
	char id[32];
	enum cim_status status = CIM_OK;

	if (!many)
		return make_data_file(x, x->dir, info, &stream->data, name);
	snprintf(id, sizeof(id), "%u:%u", info->file_id, stream->index);
	if (!exists(x->hard, id))
		status = make_data_file(x, x->hard, info, &stream->data, id);
	if (status || !exists(x->hard, id) || !linkat(x->hard, id, x->dir, name, 0))
		return status;
	return make_data_file(x, x->dir, info, &stream->data, name);
}

/* By the mount's rules (node.c): can it be opened by this name, or is there an item so called? */
static bool stream_shows(struct extract *x, uint32_t dir_id, const struct cim_entry *stream,
			 const char *name)
{
	struct cim_file_info info;
	bool variant;

	for (size_t i = 0; i < stream->units; i++) {
		if (!stream->name[i] || stream->name[i] == '/' || stream->name[i] == ':')
			return false;
	}
	return stream->units && !name_is_marked(x->s, name) &&
	       name_find_item(x->s, dir_id, name, &info, &variant);
}

/* The streams of an item whose name in the directory @x->dir, FileID @dir_id, is @name. */
static enum cim_status make_streams(struct extract *x, const struct cim_file_info *info,
				    uint32_t dir_id, const char *name, bool many)
{
	struct cim_file_info shown = *info;
	struct cim_error err = {0};
	struct cim_iter *iter;
	struct cim_entry stream;
	bool found = true;
	enum cim_status status;

	if (!info->has_streams)
		return CIM_OK;
	shown.is_directory = false;
	shown.has_reparse = false;
	shown.attributes |= UNLISTED;
	status = cim_iter_streams(x->s->image, info->file_id, &iter, &err);
	if (status) {
		log_status(status, &err, info->file_id);
		return CIM_OK;
	}
	status = CIM_OK;
	for (uint32_t left = cim_iter_count(iter); left && found && !status; left--) {
		enum cim_status bad = cim_iter_next(iter, &stream, &found, &err);
		char *full;

		if (bad)
			log_status(bad, &err, info->file_id);
		if (bad || !found)
			continue;
		full = xasprintf("%s:%s", name, stream.utf8);
		if (stream_shows(x, dir_id, &stream, full))
			status = make_stream(x, &shown, &stream, full, many);
		free(full);
	}
	cim_iter_close(iter);
	return status;
}

/* A file of the volume's own, unless the image has one of the name. */
static enum cim_status make_own(struct extract *x, const struct cim_file_info *root, uint64_t node,
				const char *name)
{
	struct cim_file_info shown = *root;
	enum cim_status status;
	char text[128];
	int fd;

	if (exists(x->dir, name))
		return CIM_OK;
	fd = create_file(x, x->dir, root->file_id, name, &status);
	if (fd < 0)
		return status;
	shown.attributes |= UNLISTED | CIM_ATTR_READONLY;
	status = write_all(x, fd, (const uint8_t *)text, node_text(x->s, node, text), name);
	return finish_file(x, x->dir, fd, &shown, name, status, false);
}

/* In the root, once it has all its items. */
static enum cim_status make_root_files(struct extract *x)
{
	struct cim_file_info root;
	enum cim_status status = cim_image_stat(x->s->image, x->s->root_id, &root, x->err);

	if (!status)
		status = make_streams(x, &root, x->s->root_id, "", false);
	if (!status)
		status = make_own(x, &root, NODE_LABEL, ".windows-label");
	if (!status)
		status = make_own(x, &root, NODE_SERIAL, ".windows-serial");
	return status;
}

/* ---- directories ---- */

static enum cim_status enter(struct extract *x, const struct cim_file_info *info, int dir,
			     const char *name)
{
	struct level *level;

	if (x->depth == x->room) {
		size_t room = x->room * 2 + 64;
		struct level *levels = realloc(x->levels, room * sizeof(*levels));

		if (!levels)
			return refuse(x, name);
		x->levels = levels;
		x->room = room;
	}
	level = &x->levels[x->depth++];
	level->mode = get_mode(info, true);
	get_times(info, level->times);
	set_dosattrib(dir, info);
	if (x->dir >= 0)
		close(x->dir);
	x->dir = dir;
	return CIM_OK;
}

/* Done with the innermost directories: up to @depth of them stay. */
static enum cim_status leave(struct extract *x, size_t depth)
{
	while (x->depth > depth) {
		struct level *level = &x->levels[--x->depth];
		int up = -1;

		if (x->depth) {
			up = openat(x->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (up < 0)
				return refuse(x, "a directory");
		}
		if (fchmod(x->dir, level->mode) < 0) {
			close(up);
			return refuse(x, "a directory");
		}
		futimens(x->dir, level->times);
		close(x->dir);
		x->dir = up;
	}
	return CIM_OK;
}

/* *skip: there is no going into it. */
static enum cim_status make_dir(struct extract *x, const struct cim_file_info *info,
				const char *name, bool *skip)
{
	enum cim_status status;
	int dir;

	if (mkdirat(x->dir, name, 0700) < 0) {
		*skip = true;
		if (errno != EEXIST && errno != ENAMETOOLONG)
			return refuse(x, name);
		log_line("file %u: %s: %s", info->file_id, name, strerror(errno));
		return CIM_OK;
	}
	dir = openat(x->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return refuse(x, name);
	if (!set_reparse(x, dir, info)) {
		*skip = true;
		close(dir);
		return unlinkat(x->dir, name, AT_REMOVEDIR) < 0 ? refuse(x, name) : CIM_OK;
	}
	status = enter(x, info, dir, name);
	if (status)
		close(dir);
	return status;
}

/* ---- the tree ---- */

static enum cim_status make_item(struct extract *x, const struct cim_walk_item *item, bool *skip)
{
	const struct cim_file_info *info = &item->info;
	const bool many = nlink_get(x->s, info) > 1 && !info->is_directory;
	char name[LINUX_NAME];
	enum cim_status status;
	char *target;
	int error;

	name_to_linux(x->s, item->entry.name, item->entry.units, name);
	target = link_target(x->s, info, item->depth - 1, &error);
	if (error) {
		*skip = true;
		return CIM_OK;
	}
	/* Streams first: the directory's own are its parent's files, and then it is gone into. */
	status = make_streams(x, info, item->dir_id, name, many);
	name_of_item(x->s, item->entry.name, item->entry.units, info, name);
	if (!status && target) {
		*skip = info->is_directory;
		status = make_link(x, info, target, name);
	} else if (!status && info->is_directory) {
		status = make_dir(x, info, name, skip);
	} else if (!status && many) {
		status = make_hard(x, info, name);
	} else if (!status) {
		status = make_file(x, x->dir, info, name);
	}
	free(target);
	return status;
}

static enum cim_status make_tree(struct extract *x)
{
	const struct cim_walk_item *item;
	struct cim_error err = {0};
	struct cim_walk *walk;
	enum cim_status status;

	status = cim_walk_open(x->s->image, x->s->root_id, &walk, x->err);
	if (status)
		return status;
	for (;;) {
		bool skip = false;

		status = cim_walk_next(walk, &item, &err);
		if (status == CIM_E_CORRUPT || status == CIM_E_IO) {
			log_status(status, &err, x->s->root_id);
			continue;
		}
		if (status) {
			*x->err = err;
			break;
		}
		if (!item)
			break;
		if (!item->depth) {
			x->levels[0].mode = get_mode(&item->info, true);
			get_times(&item->info, x->levels[0].times);
			set_dosattrib(x->dir, &item->info);
			continue;
		}
		status = check_stop(x);
		if (!status)
			status = leave(x, item->depth);
		if (!status)
			status = make_item(x, item, &skip);
		if (status)
			break;
		if (skip)
			cim_walk_skip(walk);
	}
	cim_walk_close(walk);
	if (!status)
		status = leave(x, 1);
	if (!status)
		status = make_root_files(x);
	return status ? status : leave(x, 0);
}

enum cim_status extract_image(struct server *s, const char *dir, struct cim_error *err)
{
	struct extract x = {.s = s, .dir = -1, .hard = -1, .err = err};
	const struct cim_file_info none = {0};
	char *hard = xasprintf("%s.links", dir);
	enum cim_status status = CIM_OK;

	x.buf = xmalloc(COPY_SIZE);
	if (mkdir(dir, 0700) < 0 || mkdir(hard, 0700) < 0)
		status = refuse(&x, dir);
	if (!status) {
		int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		x.hard = open(hard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root < 0 || x.hard < 0)
			status = refuse(&x, dir);
		else
			status = enter(&x, &none, root, dir);
	}
	if (!status)
		status = make_tree(&x);
	if (x.dir >= 0)
		close(x.dir);
	if (x.hard >= 0)
		close(x.hard);
	remove_tree(hard);
	free(x.levels);
	free(x.buf);
	free(hard);
	return status;
}

/* ---- removing ---- */

/*
 * Empty the directory @fd, which is closed. To need no memory and few descriptors in a deep tree,
 * one directory is open at a time: down by name, up by "..".
 */
static bool empty_dir(int fd, dev_t dev)
{
	size_t depth = 0;
	DIR *dir = fdopendir(fd);

	while (dir) {
		struct dirent *entry;
		struct stat st;
		int next = -1;

		fchmod(dirfd(dir), 0700);
		rewinddir(dir);
		while ((entry = readdir(dir))) {
			if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
				continue;
			if (!unlinkat(dirfd(dir), entry->d_name, 0) ||
			    !unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR))
				continue;
			if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			if (!S_ISDIR(st.st_mode) || st.st_dev != dev)
				goto failed;
			fchmodat(dirfd(dir), entry->d_name, 0700, 0);
			next = openat(dirfd(dir), entry->d_name,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (next < 0)
				goto failed;
			break;
		}
		if (next >= 0) {
			depth++;
		} else if (depth) {
			depth--;
			next = openat(dirfd(dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (next < 0)
				goto failed;
		} else {
			closedir(dir);
			return true;
		}
		closedir(dir);
		dir = fdopendir(next);
		continue;
	failed:
		closedir(dir);
		return false;
	}
	return false;
}

bool remove_tree(const char *path)
{
	struct stat st;
	int fd;

	if (!rmdir(path) || errno == ENOENT)
		return true;
	chmod(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	return empty_dir(fd, st.st_dev) && !rmdir(path);
}
