/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * captureitem.c - one item of a host tree into an image
 *
 * An item is first looked at, on any thread: opened, described, and if it is not large read. Then
 * it is stored, on the main thread, in the order of the walk.
 *
 * Few system calls a file: open, statx, one list of extended attributes, the reads, and a last look
 * whether it was changed meanwhile. Files with several names are remembered by device and inode;
 * later names become links of the first. A file that is all hole is not written, and so takes the
 * sparse form; one with holes is stored, and remembers that it had some.
 */
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- files with several names, of one capture (D57) ---- */

struct known_file {
	struct inode inode;
	uint16_t *path; /* in the image; NULL: a symlink to a directory */
	size_t units;
	bool met;
};

static void free_file(void *arg)
{
	struct known_file *file = arg;

	free(file->path);
	free(file);
}

void capture_items_free(struct capture *c)
{
	tdestroy(c->links, free_file);
	for (struct free_buffer *buf = c->buffers.free; buf;) {
		struct free_buffer *next = buf->next;

		free(buf);
		buf = next;
	}
	pthread_mutex_destroy(&c->buffers.lock);
}

/* ---- items ---- */

/* Which parts of a file the file system holds; it is asked only if fewer blocks than bytes are. */
enum holes {
	NO_HOLES,
	SOME_HOLES,
	ALL_HOLE,
};

struct item {
	struct capture *c;
	struct dir *dir; /* itself, or what it lies in */
	char *name;	 /* in there; NULL: a directory */
	unsigned type;
	uint16_t *path; /* in the image */
	size_t path_units;
	char *where; /* as the user would write it */
	/* what was found */
	int code; /* it can't be stored; that has been told */
	int fd;
	struct statx stx;
	bool described;
	bool unseen; /* told; not to be stored */
	struct host_meta meta;
	char *target; /* of a symlink whose kind isn't known yet */
	enum holes holes;
	uint8_t *data;	    /* all of it; NULL: not read yet */
	uint64_t told_size; /* what the file says; stx.stx_size is what it has */
	bool shrank;
	bool longer;
	bool changed;
};

/* The item at hand. */
static struct item *new_item(struct capture *c, unsigned source, struct dir *dir, const char *name,
			     unsigned type)
{
	struct item *item = xcalloc(1, sizeof(*item));

	item->c = c;
	item->dir = dir_use(dir);
	item->name = name ? xstrdup(name) : NULL;
	item->type = type;
	item->path = xmemdup(c->path, c->path_units * sizeof(*c->path));
	item->path_units = c->path_units;
	item->where = xstrdup(capture_where(c, source));
	item->fd = -1;
	return item;
}

static int fail_errno(const struct item *item)
{
	return capture_fail_errno(item->c, item->where);
}

static int fail_text(const struct item *item, const char *cause)
{
	struct capture *c = item->c;

	return tool_fail(c->t, c->s->op, c->s->image, item->where, "%s", cause);
}

static void describe(struct item *item, struct hostmeta *host)
{
	int fd = item->name ? item->fd : item->dir->fd;

	hostmeta_read(host, fd, item->dir->fd, item->name, &item->stx, item->where, &item->meta);
	item->described = true;
}

/* ---- what the host can't show ---- */

/* How ntfs-3g shows a reparse point that it knows nothing of, where nothing else tells of NTFS. */
#define UNKNOWN_LINK "unsupported reparse "

static uint32_t tag_of(const struct host_meta *meta)
{
	return meta->reparse ? get32(meta->reparse) : 0;
}

/*
 * A reparse point that is no link has content by what its tag stands for: files that are compressed
 * by the system, deduplicated, or in a cloud. A driver that doesn't know the tag shows a link, or
 * nothing. (D56)
 */
static bool is_unseen(const struct item *item, const char *target)
{
	const uint32_t tag = tag_of(&item->meta);

	if (tag == CIM_TAG_SYMLINK || tag == CIM_TAG_MOUNT_POINT || tag == TAG_LX_SYMLINK)
		return false;
	if (item->type == DT_LNK)
		return tag || !strncmp(target, UNKNOWN_LINK, strlen(UNKNOWN_LINK));
	return item->meta.reparse_point &&
	       (item->type == DT_DIR || !item->stx.stx_size || item->holes == ALL_HOLE);
}

static void tell_unseen(struct item *item)
{
	const bool directory = item->meta.m.attributes & CIM_ATTR_DIRECTORY;
	char cause[128];

	snprintf(cause, sizeof(cause),
		 "a reparse point (tag 0x%08lX) that the file system can't show%s",
		 (unsigned long)tag_of(&item->meta), directory ? ", and what lies below" : "");
	loss_add(item->c->t, &item->c->special, item->where, cause);
	item->unseen = true;
}

/* ---- looking: symlinks ---- */

static int look_at_symlink(struct item *item, struct hostmeta *host)
{
	struct host_meta *meta = &item->meta;
	char target[4096 + 1];
	const char *why = NULL;
	ssize_t len;
	size_t size;

	if (capture_look_at_link(item->c, item->dir->fd, item->name, &item->stx))
		return fail_errno(item);
	describe(item, host);
	if (is_unseen(item, "")) {
		tell_unseen(item);
		return EXIT_OK;
	}
	if (meta->reparse)
		return EXIT_OK;
	len = readlinkat(item->dir->fd, item->name, target, sizeof(target) - 1);
	if (len < 0)
		return fail_errno(item);
	target[len] = '\0';
	if (is_unseen(item, target)) {
		tell_unseen(item);
		return EXIT_OK;
	}
	meta->reparse = reparse_from_symlink(target, &size, &why);
	if (!meta->reparse)
		return tool_fail(item->c->t, item->c->s->op, item->c->s->image, item->where,
				 "symlink to '%s': %s", target, why);
	meta->m.reparse = meta->reparse;
	meta->m.reparse_size = size;
	item->target = xstrdup(target);
	return EXIT_OK;
}

/* ---- looking: files ---- */

#define READ_AHEAD (1u << 20)
/* Of a larger file the kernel is told that it will be wanted. */
#define WANT_AHEAD (8u << 20)

/*
 * For smaller files malloc() is good enough, and their buffers take no more than they need: all
 * have room for one byte more than was asked for.
 */
#define SMALL_FILE (64u << 10)

static uint8_t *take_buffer(struct buffers *buffers, size_t size)
{
	struct free_buffer *buf;

	if (size <= SMALL_FILE)
		return malloc(size + 1);
	pthread_mutex_lock(&buffers->lock);
	buf = buffers->free;
	if (buf)
		buffers->free = buf->next;
	pthread_mutex_unlock(&buffers->lock);
	/* Without one the file is simply not read ahead. */
	return buf ? (uint8_t *)buf : malloc(READ_AHEAD + 1);
}

static void give_buffer(struct buffers *buffers, uint8_t *data, size_t size)
{
	struct free_buffer *buf = (struct free_buffer *)(void *)data;

	if (!buf || size <= SMALL_FILE) {
		free(data);
		return;
	}
	pthread_mutex_lock(&buffers->lock);
	buf->next = buffers->free;
	buffers->free = buf;
	pthread_mutex_unlock(&buffers->lock);
}

static enum holes find_holes(int fd, const struct statx *stx)
{
	off_t hole;

	if (!stx->stx_size || stx->stx_blocks >= (stx->stx_size + 511) / 512)
		return NO_HOLES;
	if (lseek(fd, 0, SEEK_DATA) < 0 && errno == ENXIO)
		return ALL_HOLE;
	hole = lseek(fd, 0, SEEK_HOLE);
	return hole >= 0 && (uint64_t)hole < stx->stx_size ? SOME_HOLES : NO_HOLES;
}

static bool was_changed(const struct item *item)
{
	const struct statx *stx = &item->stx;
	struct stat st;

	return fstat(item->fd, &st) || (uint64_t)st.st_size != item->told_size ||
	       st.st_mtim.tv_sec != stx->stx_mtime.tv_sec ||
	       st.st_mtim.tv_nsec != (long)stx->stx_mtime.tv_nsec;
}

/* Up to @len bytes, or what there is before the end; -1: errno. */
static ssize_t read_up_to(int fd, uint8_t *buf, size_t len, uint64_t offset)
{
	size_t at = 0;

	while (at < len) {
		ssize_t got = pread(fd, buf + at, len - at, (off_t)(offset + at));

		if (got < 0 && errno == EINTR && !tool_signal)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		at += (size_t)got;
	}
	return (ssize_t)at;
}

/*
 * Read all of a file and, as a file may be longer than it says, one byte more; what fails is left
 * to him who stores it, and who will meet it again.
 */
static void read_ahead(struct item *item)
{
	size_t size = (size_t)item->stx.stx_size;
	uint8_t *buf = take_buffer(&item->c->buffers, size);
	ssize_t got = buf ? read_up_to(item->fd, buf, size + 1, 0) : -1;

	if (got < 0) {
		give_buffer(&item->c->buffers, buf, size);
		return;
	}
	item->data = buf;
	item->longer = (size_t)got > size;
	item->shrank = (size_t)got < size;
	memset(buf + got, 0, size + 1 - (size_t)got);
	item->changed = was_changed(item);
}

/*
 * Files of /proc, and of file systems that make them up while they are read, say that they are
 * empty when they are not. What is read to the end has a size after all; what is too long to be
 * kept is only counted, and read once more to be stored.
 */
static int find_size(struct item *item)
{
	uint8_t *buf = xmalloc(READ_AHEAD + 1);
	uint64_t size = 0;
	ssize_t got;
	int code = EXIT_OK;

	do {
		got = read_up_to(item->fd, buf, READ_AHEAD, size);
		size += got > 0 ? (uint64_t)got : 0;
		progress_tick(&item->c->s->progress);
	} while (got == READ_AHEAD && size <= CIM_MAX_STREAM && !tool_signal);
	if (tool_signal)
		code = tool_interrupted();
	else if (got < 0)
		code = fail_errno(item);
	item->stx.stx_size = size;
	item->longer = false;
	item->changed = was_changed(item);
	free(item->data);
	item->data = NULL;
	if (!code && size && size < READ_AHEAD)
		item->data = buf;
	else
		free(buf);
	return code;
}

/*
 * On a thread that runs ahead of the one that stores. A file with several names may turn out to be
 * there already, so of such a one nothing is done here, not even a word to the kernel that it will
 * be wanted: its first name is described when it is stored, and a read by any of its names before
 * that can move the last access to be found then (ntfs-3g does so, whatever O_NOATIME says).
 */
static void look_ahead(struct item *item, struct hostmeta *host)
{
	uint64_t size = item->stx.stx_size;

	if (item->stx.stx_nlink > 1)
		return;
	describe(item, host);
	if (item->holes != NO_HOLES)
		return;
	if (size <= READ_AHEAD)
		read_ahead(item);
	else
		posix_fadvise(item->fd, 0, size < WANT_AHEAD ? (off_t)size : (off_t)WANT_AHEAD,
			      POSIX_FADV_WILLNEED);
	if (item->data && !item->changed && !item->longer) {
		close(item->fd);
		item->fd = -1;
	}
}

static int look_at_file(struct item *item, struct hostmeta *host)
{
	/* O_NONBLOCK: should a FIFO have taken its place meanwhile. */
	int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

	item->fd = capture_open(item->dir->fd, item->name, flags);
	if (item->fd < 0 || host_statx(item->fd, "", AT_EMPTY_PATH, &item->stx))
		return fail_errno(item);
	if (!S_ISREG(item->stx.stx_mode))
		return fail_text(item, "it was replaced while the tree was read");
	item->told_size = item->stx.stx_size;
	if (item->stx.stx_size > CIM_MAX_STREAM)
		return EXIT_OK;
	item->holes = find_holes(item->fd, &item->stx);
	if (worker_here())
		look_ahead(item, host);
	return EXIT_OK;
}

static void look_at_item(void *own, void *work)
{
	struct item *item = work;

	if (item->type == DT_LNK)
		item->code = look_at_symlink(item, own);
	else
		item->code = look_at_file(item, own);
}

/* ---- storing: streams that are extended attributes ---- */

static int store_streams(struct capture *c, const struct item *item)
{
	for (size_t i = 0; i < item->meta.stream_count; i++) {
		const struct host_stream *stream = &item->meta.streams[i];
		struct cim_source data = memory_source(stream->value);
		struct cim_error err = {0};

		if (i && !cim_name_compare_default(stream->name, stream->units, stream[-1].name,
						   stream[-1].units))
			return fail_text(item, "two of its user.* attributes differ in case only");
		if (sink_stream(c->s, item->path, item->path_units, stream->name, stream->units,
				stream->size, &data, &err))
			return capture_fail_cim(c, item->where, &err);
	}
	return EXIT_OK;
}

/* ---- storing: over what is there ---- */

static bool is_dir(const struct item *item)
{
	return item->meta.m.attributes & CIM_ATTR_DIRECTORY;
}

/* What is in the way of a hard link, or of a directory where one of the two is a link, goes with
 * all below it: the library would refuse, or take them for one. */
static int clear_way(struct capture *c, const struct item *item)
{
	struct cim_str path = {.utf16 = item->path, .units = item->path_units};
	struct cim_error err = {0};

	return cim_writer_delete(c->s->writer, path, &err) ? capture_fail_cim(c, item->where, &err)
							   : EXIT_OK;
}

/* What an image has at the item's place; false: nothing. */
static bool find_old(struct capture *c, const struct item *item, struct cim_file_info *old)
{
	struct cim_str path = {.utf16 = item->path, .units = item->path_units};

	*old = (struct cim_file_info){CIM_SIZED(*old)};
	/* Whatever is wrong there, storing meets it too, and tells. */
	return c->s->base && !cim_writer_stat(c->s->writer, path, old, NULL);
}

/*
 * Directories are merged: what the source has no notion of stays as it is. The top of a source is
 * not what was to be put in, so there its times stay too. A file is replaced, but it is the same
 * file to whom its descriptor lets in. Links are neither; nor is the other kind.
 */
static int merge(struct capture *c, struct item *item)
{
	struct cim_metadata *m = &item->meta.m;
	struct cim_file_info old;
	bool found = find_old(c, item, &old);
	bool link = item->type == DT_LNK || (found && reparse_is_link(old.reparse_tag));

	if (!found || link || old.is_directory != is_dir(item)) {
		m->keep = m->keep_attributes = 0;
		return found && link && old.is_directory && is_dir(item) && item->path_units
			       ? clear_way(c, item)
			       : EXIT_OK;
	}
	if (!old.is_directory)
		m->keep &= CIM_KEEP_SECURITY | CIM_KEEP_EA;
	else if (item->path_units == c->top_units && !c->host.set_times)
		m->keep |= CIM_KEEP_CREATION | CIM_KEEP_LAST_WRITE | CIM_KEEP_CHANGE |
			   CIM_KEEP_LAST_ACCESS;
	return EXIT_OK;
}

/* ---- storing ---- */

/* A directory or a symlink. */
static int store_plain(struct capture *c, struct item *item)
{
	struct cim_error err = {0};
	int code = merge(c, item);

	if (code)
		return code;
	if (sink_item(c->s, item->path, item->path_units, &item->meta.m, NULL, &err))
		return capture_fail_cim(c, item->where, &err);
	/* Only where there is an image can more come later. */
	if (item->type == DT_LNK && is_dir(item) && c->s->base)
		capture_know_link(c->s, item->path, item->path_units, &item->meta.m);
	c->s->progress.files++;
	return store_streams(c, item);
}

static struct known_file *known_file(struct capture *c, const struct item *item)
{
	struct known_file *file = xcalloc(1, sizeof(*file));

	file->inode.dev = makedev(item->stx.stx_dev_major, item->stx.stx_dev_minor);
	file->inode.ino = item->stx.stx_ino;
	return capture_remember(&c->links, &file->inode);
}

static void forget_link(struct capture *c, const struct item *item)
{
	struct known_file *file = known_file(c, item);

	free(file->path);
	file->path = NULL;
	file->met = false;
}

/*
 * What may be met again under another name; *stored: it was, and was linked. Windows has no hard
 * links of directories, so a symlink to one can't be.
 */
static int store_link(struct capture *c, const struct item *item, bool *stored)
{
	const bool directory = is_dir(item);
	struct known_file *file = known_file(c, item);
	struct cim_file_info old;
	struct cim_error err = {0};
	int code;

	*stored = file->path && !directory;
	if (!*stored) {
		if (file->met)
			loss_add(c->t, &c->unlinked, item->where,
				 "a symlink to a directory can have but one name");
		file->met = true;
		if (directory)
			return EXIT_OK;
		file->path = xmemdup(item->path, item->path_units * sizeof(*item->path));
		file->units = item->path_units;
		return EXIT_OK;
	}
	if (find_old(c, item, &old) && old.is_directory) {
		code = clear_way(c, item);
		if (code)
			return code;
	}
	c->s->progress.files++;
	if (sink_link(c->s, item->path, item->path_units, file->path, file->units, &err))
		return capture_fail_cim(c, item->where, &err);
	return EXIT_OK;
}

static void report_changed(struct capture *c, const struct item *item)
{
	if (item->shrank || item->longer || item->changed)
		loss_add(c->t, &c->changed, item->where,
			 item->shrank	? "it became shorter; zeros were stored for the rest"
			 : item->longer ? "it is longer than it said; the rest was not stored"
					: "what was stored may be a mixture");
}

static int store_data(struct capture *c, struct item *item)
{
	uint64_t size = item->stx.stx_size;
	struct file_source file = {.session = c->s, .fd = item->fd, .size = size};
	struct cim_source data = item->data ? memory_source(item->data) : file_source(&file);
	bool written = size && item->holes != ALL_HOLE;
	struct cim_error err = {0};
	uint8_t more;
	int code;

	if (size > CIM_MAX_STREAM)
		return fail_text(item, "the file is larger than an image can hold");
	file.holes = item->holes != NO_HOLES;
	item->meta.m.size = (int64_t)size;
	if (item->holes != NO_HOLES)
		item->meta.m.attributes |= CIM_ATTR_SPARSE;
	code = merge(c, item);
	if (code)
		return code;
	if (sink_item(c->s, item->path, item->path_units, &item->meta.m, written ? &data : NULL,
		      &err)) {
		errno = file.failed;
		return errno ? fail_errno(item) : capture_fail_cim(c, item->where, &err);
	}
	if (written && !item->data) {
		item->shrank = file.shrank;
		item->longer = read_up_to(item->fd, &more, 1, size) == 1;
		item->changed = was_changed(item);
	}
	report_changed(c, item);
	c->s->progress.files++;
	c->s->progress.bytes += size - file.counted;
	progress_tick(&c->s->progress);
	return store_streams(c, item);
}

static int store_file(struct capture *c, struct item *item)
{
	const struct statx *stx = &item->stx;
	int code = EXIT_OK;

	if (makedev(stx->stx_dev_major, stx->stx_dev_minor) == c->image_dev &&
	    stx->stx_ino == c->image_ino)
		return fail_text(item, "the image's own container is part of the source; put it "
				       "elsewhere or --exclude it");
	if (!item->described)
		describe(item, &c->host);
	if (!item->told_size && (!item->data || item->longer))
		code = find_size(item);
	if (code || !is_unseen(item, ""))
		return code ? code : store_data(c, item);
	tell_unseen(item);
	/* So its other names can't be links of this one. */
	if (item->stx.stx_nlink > 1)
		forget_link(c, item);
	return EXIT_OK;
}

static int store_found(struct capture *c, struct item *item)
{
	bool stored = false;
	int code = EXIT_OK;

	if (item->unseen)
		return EXIT_OK;
	if (item->target &&
	    capture_leads_to_directory(c, item->path, item->path_units, item->target))
		item->meta.m.attributes |= CIM_ATTR_DIRECTORY;
	if (item->type != DT_DIR && item->stx.stx_nlink > 1)
		code = store_link(c, item, &stored);
	if (code || stored)
		return code;
	return item->type == DT_DIR || item->type == DT_LNK ? store_plain(c, item)
							    : store_file(c, item);
}

static void drop_item(void *work)
{
	struct item *item = work;

	if (item->fd >= 0)
		close(item->fd);
	give_buffer(&item->c->buffers, item->data, (size_t)item->stx.stx_size);
	host_meta_free(&item->meta);
	dir_release(item->dir);
	free(item->name);
	free(item->path);
	free(item->where);
	free(item->target);
	free(item);
}

static int store_item(void *ctx, void *work)
{
	struct capture *c = ctx;
	struct item *item = work;
	int code = item->code;

	if (!code)
		code = store_found(c, item);
	drop_item(work);
	return code;
}

const struct queue_ops capture_queue_ops = {
	.run = look_at_item,
	.finish = store_item,
	.drop = drop_item,
};

/* ---- what the walk meets ---- */

static bool is_empty(int dirfd)
{
	int fd = capture_open(dirfd, ".", O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : dir_stream(fd);
	const struct dirent *d;
	bool found = false;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && !found && (d = readdir(dir)) != NULL)
		found = strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
	if (dir)
		closedir(dir);
	return !found;
}

int store_directory(struct capture *c, unsigned source, struct dir *dir, const struct statx *stx)
{
	struct item *item = new_item(c, source, dir, NULL, DT_DIR);

	item->stx = *stx;
	describe(item, &c->host);
	if (is_unseen(item, "") && is_empty(dir->fd)) {
		tell_unseen(item);
		/* Another source may have something to put in there. */
		item->unseen = c->levels[c->depth - 1].part_count == 1;
	}
	return queue_put(c->queue, item, false);
}

static void report_special(struct capture *c, unsigned source, unsigned type)
{
	const char *what = type == DT_FIFO   ? "a FIFO"
			   : type == DT_SOCK ? "a socket"
			   : type == DT_CHR  ? "a character device"
			   : type == DT_BLK  ? "a block device"
					     : "a file of unknown kind";

	loss_add(c->t, &c->special, capture_where(c, source), what);
}

int store_other(struct capture *c, unsigned source, struct dir *dir, const char *name,
		unsigned type)
{
	if (type != DT_LNK && type != DT_REG && type != DT_UNKNOWN) {
		report_special(c, source, type);
		return EXIT_OK;
	}
	return queue_put(c->queue, new_item(c, source, dir, name, type), true);
}
