/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * captureitem.c - one item of a host tree into an image
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
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- files with several names ---- */

static size_t link_slot(const struct link_slot *slots, size_t room, uint64_t dev, uint64_t ino)
{
	size_t i = (size_t)((ino * UINT64_C(0x9E3779B97F4A7C15)) >> 20 ^ dev) & (room - 1);

	while (slots[i].path && (slots[i].dev != dev || slots[i].ino != ino))
		i = (i + 1) & (room - 1);
	return i;
}

static struct link_slot *find_link(struct capture *c, uint64_t dev, uint64_t ino)
{
	if (c->link_count * 2 >= c->link_room) {
		size_t room = c->link_room ? c->link_room * 2 : 256;
		struct link_slot *slots = xcalloc(room, sizeof(*slots));

		for (size_t i = 0; i < c->link_room; i++) {
			if (c->links[i].path)
				slots[link_slot(slots, room, c->links[i].dev, c->links[i].ino)] =
					c->links[i];
		}
		free(c->links);
		c->links = slots;
		c->link_room = room;
	}
	return &c->links[link_slot(c->links, c->link_room, dev, ino)];
}

void capture_links_free(struct capture *c)
{
	for (size_t i = 0; i < c->link_room; i++)
		free(c->links[i].path);
	free(c->links);
}

/* ---- streams that are extended attributes ---- */

struct memory_source {
	const uint8_t *data;
};

static enum cim_status read_memory(void *ctx, uint64_t offset, void *buf, size_t len,
				   struct cim_error *err)
{
	const struct memory_source *m = ctx;

	(void)err;
	memcpy(buf, m->data + offset, len);
	return CIM_OK;
}

static int store_streams(struct capture *c, unsigned source, const struct host_meta *meta)
{
	for (size_t i = 0; i < meta->stream_count; i++) {
		const struct host_stream *stream = &meta->streams[i];
		struct memory_source memory = {.data = stream->value};
		struct cim_source data = {.ctx = &memory, .pread = read_memory};
		struct cim_error err = {0};

		if (i && !cim_name_compare_default(stream->name, stream->units, stream[-1].name,
						   stream[-1].units))
			return tool_fail(c->t, c->s->op, c->s->image, capture_where(c, source),
					 "two of its user.* attributes differ in case only");
		if (sink_stream(c->s, c->path, c->path_units, stream->name, stream->units,
				stream->size, &data, &err))
			return capture_fail_cim(c, source, &err);
	}
	return EXIT_OK;
}

/* ---- items ---- */

int store_directory(struct capture *c, unsigned source, int fd, const struct statx *stx)
{
	struct cim_error err = {0};
	struct host_meta meta;
	int code = EXIT_OK;

	hostmeta_read(&c->host, fd, -1, NULL, stx, capture_where(c, source), &meta);
	if (sink_item(c->s, c->path, c->path_units, &meta.m, NULL, &err))
		code = capture_fail_cim(c, source, &err);
	else
		code = store_streams(c, source, &meta);
	host_meta_free(&meta);
	c->s->progress.files++;
	return code;
}

/*
 * Does a link lead to a directory? On Windows a link has to say so itself. It is followed inside
 * its source only, "/" being the top of it, as it will be in the image: what lies outside is not
 * the tree's, and the same tree has to give the same image.
 */
static bool leads_to_directory(struct capture *c, unsigned source)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	const struct source *src = &c->sources[source];
	long fd = syscall(SYS_openat2, src->fd, src->file ? src->file : c->rel.s, &how,
			  sizeof(how));

	if (fd < 0)
		return false;
	close((int)fd);
	return true;
}

static int store_symlink(struct capture *c, unsigned source, int dirfd, const char *name)
{
	char target[4096 + 1];
	struct cim_error err = {0};
	struct host_meta meta;
	struct statx stx;
	ssize_t len;
	int code = EXIT_OK;

	if (capture_statx(dirfd, name, AT_SYMLINK_NOFOLLOW, &stx))
		return capture_fail_errno(c, source);
	hostmeta_read(&c->host, -1, dirfd, name, &stx, capture_where(c, source), &meta);
	if (!meta.reparse) {
		const char *why = NULL;
		size_t size;

		len = readlinkat(dirfd, name, target, sizeof(target) - 1);
		if (len < 0) {
			host_meta_free(&meta);
			return capture_fail_errno(c, source);
		}
		target[len] = '\0';
		meta.reparse = reparse_from_symlink(target, &size, &why);
		if (!meta.reparse) {
			code = tool_fail(c->t, c->s->op, c->s->image, capture_where(c, source),
					 "symlink to '%s': %s", target, why);
			host_meta_free(&meta);
			return code;
		}
		meta.m.reparse = meta.reparse;
		meta.m.reparse_size = (uint32_t)size;
		if (leads_to_directory(c, source))
			meta.m.attributes |= CIM_ATTR_DIRECTORY;
	}
	if (sink_item(c->s, c->path, c->path_units, &meta.m, NULL, &err))
		code = capture_fail_cim(c, source, &err);
	host_meta_free(&meta);
	c->s->progress.files++;
	return code;
}

/* A file that is met again under another name; *stored: it was linked. */
static int store_link(struct capture *c, unsigned source, const struct statx *stx, bool *stored)
{
	uint64_t dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	struct link_slot *slot = find_link(c, dev, stx->stx_ino);
	struct cim_error err = {0};

	*stored = slot->path != NULL;
	if (!slot->path) {
		slot->dev = dev;
		slot->ino = stx->stx_ino;
		slot->path = xmemdup(c->path, c->path_units * sizeof(*c->path));
		slot->units = c->path_units;
		c->link_count++;
		return EXIT_OK;
	}
	c->s->progress.files++;
	if (cim_writer_link(c->s->writer,
			    (struct cim_str){.utf16 = c->path, .units = c->path_units},
			    (struct cim_str){.utf16 = slot->path, .units = slot->units}, &err))
		return capture_fail_cim(c, source, &err);
	return EXIT_OK;
}

/* Which parts of a file the file system holds; it is asked only if fewer blocks than bytes are. */
enum holes {
	NO_HOLES,
	SOME_HOLES,
	ALL_HOLE,
};

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

static bool was_changed(int fd, const struct statx *stx)
{
	struct stat st;

	return fstat(fd, &st) || (uint64_t)st.st_size != stx->stx_size ||
	       st.st_mtim.tv_sec != stx->stx_mtime.tv_sec ||
	       st.st_mtim.tv_nsec != (long)stx->stx_mtime.tv_nsec;
}

static int store_data(struct capture *c, unsigned source, int fd, const struct statx *stx,
		      struct host_meta *meta)
{
	struct file_source file = {.session = c->s, .fd = fd, .size = stx->stx_size};
	struct cim_source data = file_source(&file);
	enum holes holes = find_holes(fd, stx);
	bool written = stx->stx_size && holes != ALL_HOLE;
	struct cim_error err = {0};

	if (stx->stx_size > CIM_MAX_STREAM)
		return tool_fail(c->t, c->s->op, c->s->image, capture_where(c, source),
				 "the file is larger than an image can hold");
	file.holes = holes != NO_HOLES;
	meta->m.size = (int64_t)stx->stx_size;
	if (holes != NO_HOLES)
		meta->m.attributes |= CIM_ATTR_SPARSE;
	if (sink_item(c->s, c->path, c->path_units, &meta->m, written ? &data : NULL, &err)) {
		errno = file.failed;
		return errno ? capture_fail_errno(c, source) : capture_fail_cim(c, source, &err);
	}
	if (written && (file.shrank || was_changed(fd, stx)))
		loss_add(c->t, &c->changed, capture_where(c, source),
			 file.shrank ? "it became shorter; zeros were stored for the rest"
				     : "what was stored may be a mixture");
	c->s->progress.files++;
	c->s->progress.bytes += stx->stx_size - file.counted;
	progress_tick(&c->s->progress);
	return store_streams(c, source, meta);
}

static int store_file(struct capture *c, unsigned source, int fd, const struct statx *stx)
{
	struct host_meta meta;
	int code;

	if (stx->stx_nlink > 1) {
		bool stored;

		code = store_link(c, source, stx, &stored);
		if (code || stored)
			return code;
	}
	hostmeta_read(&c->host, fd, -1, NULL, stx, capture_where(c, source), &meta);
	code = store_data(c, source, fd, stx, &meta);
	host_meta_free(&meta);
	return code;
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

/* Anything but a directory. */
int store_other(struct capture *c, unsigned source, int dirfd, const char *name, unsigned type)
{
	struct statx stx;
	int code;
	int fd;

	if (type == DT_LNK)
		return store_symlink(c, source, dirfd, name);
	if (type != DT_REG && type != DT_UNKNOWN) {
		report_special(c, source, type);
		return EXIT_OK;
	}
	/* O_NONBLOCK: should a FIFO have taken its place meanwhile. */
	fd = openat(dirfd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return capture_fail_errno(c, source);
	if (capture_statx(fd, "", AT_EMPTY_PATH, &stx)) {
		code = capture_fail_errno(c, source);
	} else if (!S_ISREG(stx.stx_mode)) {
		code = tool_fail(c->t, c->s->op, c->s->image, capture_where(c, source),
				 "it was replaced while the tree was read");
	} else {
		code = store_file(c, source, fd, &stx);
	}
	close(fd);
	return code;
}
