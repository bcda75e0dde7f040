/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.c - host trees into an image
 *
 * Several sources are merged before anything is stored: a directory is listed in all sources that
 * have it, the names are sorted as an image sorts them, and of equal names the last source's wins,
 * while directories are merged. So each item is stored once, a directory before what is in it, in
 * the very order in which a walk of the image will give it back. That is what makes a rebuild from
 * a dump byte-identical, and it is also the order in which the data are read best.
 *
 * The host tree may change under us and may hold links that lead elsewhere: everything is opened
 * relative to its directory, and no link is followed. A directory stays open while what is below it
 * is read; in a very deep tree those far above are closed and found again by "..".
 */
#include "write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Directories that stay open above the one being read. */
#define OPEN_LEVELS 64

struct source {
	const char *label;  /* as the user typed it */
	char *file;	    /* a plain file: its name in the directory @fd; else NULL */
	const uint16_t *as; /* and its name in the image, if that is another one */
	size_t as_units;
	int fd;
};

struct entry {
	size_t name;  /* offset in the level's names */
	size_t units; /* offset in its code units */
	uint16_t count;
	uint16_t source;
	uint8_t type; /* DT_* */
};

/* A directory of one source that is part of a level. */
struct part {
	uint16_t source;
	int fd; /* -1: closed for the time being */
	uint64_t dev;
	uint64_t ino;
};

struct level {
	struct part *parts;
	size_t part_count;
	struct text names;
	uint16_t *units;
	size_t units_room;
	size_t units_used;
	struct entry *entries;
	size_t entry_room;
	size_t entry_count;
	size_t next;
	size_t path_units; /* length of its path in the image, and below of its path in the source
			    */
	size_t rel_len;
};

/* Files with several names, by device and inode. */
struct link_slot {
	uint64_t dev;
	uint64_t ino;
	uint16_t *path;
	size_t units;
};

struct capture {
	struct session *s;
	struct tool *t;
	const struct exclude *exclude;
	struct hostmeta host;
	struct source *sources;
	size_t source_count;
	struct level *levels;
	size_t level_room;
	size_t depth;
	uint16_t *path; /* of the item at hand, in the image */
	size_t path_units;
	struct text rel;   /* of the item at hand, below its source */
	struct text where; /* the same as the user would write it */
	struct link_slot *links;
	size_t link_room;
	size_t link_count;
	uint64_t image_dev;
	uint64_t image_ino;
	struct loss special;
	struct loss changed;
};

/* ---- messages ---- */

static const char *where(struct capture *c, unsigned source)
{
	const struct source *src = &c->sources[source];

	text_cut(&c->where, 0);
	text_puts(&c->where, src->label);
	if (c->rel.len && !src->file) {
		if (c->where.len && c->where.s[c->where.len - 1] != '/')
			text_puts(&c->where, "/");
		text_puts(&c->where, c->rel.s);
	}
	return c->where.s;
}

static int fail_errno(struct capture *c, unsigned source)
{
	return tool_fail_errno(c->t, c->s->op, c->s->image, where(c, source));
}

/* The library failed at an item: name it as the user knows it. */
static int fail_cim(struct capture *c, unsigned source, const struct cim_error *err)
{
	if (tool_signal)
		return tool_interrupted();
	tool_fail(c->t, c->s->op, c->s->image, where(c, source), "%s",
		  err->cause[0] ? err->cause : cim_status_text(err->status));
	return tool_exit_of(err->status);
}

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

/* ---- the path of the item at hand ---- */

static const char *entry_name(const struct level *level, const struct entry *entry)
{
	return level->names.s + entry->name;
}

/* Set the paths to an entry of the level; false: too long for an image. */
static bool set_path(struct capture *c, const struct level *level, const struct entry *entry)
{
	size_t units = level->path_units;

	if (units + 1 + entry->count > CIM_MAX_PATH)
		return false;
	if (units)
		c->path[units++] = '\\';
	memcpy(c->path + units, level->units + entry->units, entry->count * sizeof(*c->path));
	c->path_units = units + entry->count;
	text_cut(&c->rel, level->rel_len);
	if (level->rel_len)
		text_puts(&c->rel, "/");
	text_puts(&c->rel, entry_name(level, entry));
	return true;
}

static void set_level_path(struct capture *c, const struct level *level)
{
	c->path_units = level->path_units;
	text_cut(&c->rel, level->rel_len);
}

/* ---- listing a directory ---- */

/* Why a name can't be a Windows name, or NULL. @units: receives its code units. */
static const char *bad_name(const char *name, uint16_t *units, size_t *count)
{
	if (cim_utf16_from_utf8(name, strlen(name), units, CIM_MAX_NAME, count) == CIM_E_LIMIT)
		return "the name is longer than 255 UTF-16 code units";
	if (!*count)
		return "the name is not UTF-8";
	for (size_t i = 0; i < *count; i++) {
		if (units[i] < 32)
			return "the name holds a control character, which Windows doesn't allow";
		if (units[i] < 128 && strchr("\\/:*?\"<>|", units[i]))
			return "the name holds one of \\ : * ? \" < > |, which Windows doesn't "
			       "allow";
	}
	return NULL;
}

static int add_entry(struct capture *c, struct level *level, unsigned source, const char *name,
		     uint8_t type)
{
	const struct source *src = &c->sources[source];
	uint16_t units[CIM_MAX_NAME];
	struct entry *entry;
	const char *why;
	size_t count = 0;

	text_cut(&c->rel, level->rel_len);
	if (level->rel_len)
		text_puts(&c->rel, "/");
	text_puts(&c->rel, name);
	if (excluded(c->exclude, c->rel.s, false)) {
		text_cut(&c->rel, level->rel_len);
		return EXIT_OK;
	}
	if (src->as) {
		why = NULL;
		count = src->as_units;
		memcpy(units, src->as, count * sizeof(*units));
	} else {
		why = bad_name(name, units, &count);
	}
	if (why)
		return tool_fail(c->t, c->s->op, c->s->image, where(c, source), "%s", why);
	text_cut(&c->rel, level->rel_len);

	level->entries = xgrow(level->entries, &level->entry_room, level->entry_count,
			       sizeof(*level->entries));
	if (level->units_room - level->units_used < count) {
		level->units_room = (level->units_used + count) * 2;
		level->units = xrealloc(level->units, level->units_room * sizeof(*level->units));
	}
	entry = &level->entries[level->entry_count++];
	entry->name = level->names.len;
	entry->units = level->units_used;
	entry->count = (uint16_t)count;
	entry->source = (uint16_t)source;
	entry->type = type;
	text_add(&level->names, name, strlen(name) + 1);
	memcpy(level->units + level->units_used, units, count * sizeof(*units));
	level->units_used += count;
	return EXIT_OK;
}

static uint8_t type_of(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return DT_UNKNOWN;
	return IFTODT(st.st_mode);
}

static int list_part(struct capture *c, struct level *level, const struct part *part)
{
	int fd = openat(part->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	int code = EXIT_OK;

	if (!dir) {
		code = fail_errno(c, part->source);
		if (fd >= 0)
			close(fd);
		return code;
	}
	while (errno = 0, (d = readdir(dir)) != NULL) {
		uint8_t type = d->d_type;
		int one;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (type == DT_UNKNOWN)
			type = type_of(part->fd, d->d_name);
		one = add_entry(c, level, part->source, d->d_name, type);
		/* All names that are wrong here are told, not only the first. */
		if (one)
			code = one;
		if (tool_signal) {
			closedir(dir);
			return tool_interrupted();
		}
	}
	if (errno)
		code = fail_errno(c, part->source);
	closedir(dir);
	return code;
}

static int compare_entries(const void *a, const void *b, void *arg)
{
	const struct entry *x = a;
	const struct entry *y = b;
	const struct level *level = arg;
	int order = cim_name_compare_default(level->units + x->units, x->count,
					     level->units + y->units, y->count);

	if (!order)
		order = (x->source > y->source) - (x->source < y->source);
	return order ? order : strcmp(entry_name(level, x), entry_name(level, y));
}

static bool same_name(const struct level *level, const struct entry *x, const struct entry *y)
{
	return !cim_name_compare_default(level->units + x->units, x->count, level->units + y->units,
					 y->count);
}

/* Names of one source that differ in case only. */
static int find_collisions(struct capture *c, const struct level *level)
{
	int code = EXIT_OK;

	for (size_t i = 1; i < level->entry_count; i++) {
		const struct entry *x = &level->entries[i - 1];
		const struct entry *y = &level->entries[i];
		char *other;

		if (x->source != y->source || !same_name(level, x, y))
			continue;
		set_path(c, level, x);
		other = xstrdup(where(c, x->source));
		set_path(c, level, y);
		code = tool_fail(c->t, c->s->op, c->s->image, where(c, y->source),
				 "the name differs from that of %s in case only", other);
		set_level_path(c, level);
		free(other);
	}
	return code;
}

static int list_level(struct capture *c, struct level *level)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < level->part_count; i++) {
		const struct part *part = &level->parts[i];
		int one;

		if (c->sources[part->source].file)
			one = add_entry(c, level, part->source, c->sources[part->source].file,
					type_of(part->fd, c->sources[part->source].file));
		else
			one = list_part(c, level, part);
		if (one)
			code = one;
		if (tool_signal)
			return code;
	}
	if (code)
		return code;
	if (level->entry_count > 1)
		qsort_r(level->entries, level->entry_count, sizeof(*level->entries),
			compare_entries, level);
	return find_collisions(c, level);
}

/* ---- levels ---- */

static void free_level(struct level *level)
{
	for (size_t i = 0; i < level->part_count; i++) {
		if (level->parts[i].fd >= 0)
			close(level->parts[i].fd);
	}
	free(level->parts);
	text_free(&level->names);
	free(level->units);
	free(level->entries);
}

static struct part *part_of(struct level *level, unsigned source)
{
	for (size_t i = 0; i < level->part_count; i++) {
		if (level->parts[i].source == source)
			return &level->parts[i];
	}
	return NULL;
}

/* Close directories far above whose way back is known. */
static void close_far(struct capture *c)
{
	struct level *far;
	struct level *below;

	if (c->depth <= OPEN_LEVELS)
		return;
	far = &c->levels[c->depth - OPEN_LEVELS - 1];
	below = far + 1;
	for (size_t i = 0; i < far->part_count; i++) {
		struct part *part = &far->parts[i];

		if (part->fd < 0 || !part_of(below, part->source))
			continue;
		close(part->fd);
		part->fd = -1;
	}
}

/* Back from the top level to the one above it. */
static int leave_level(struct capture *c)
{
	struct level *level = &c->levels[c->depth - 1];
	int code = EXIT_OK;

	if (c->depth > 1) {
		struct level *up = level - 1;

		for (size_t i = 0; i < up->part_count && !code; i++) {
			struct part *part = &up->parts[i];
			const struct part *below = part_of(level, part->source);
			struct stat st;

			if (part->fd >= 0 || !below)
				continue;
			part->fd = openat(below->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			set_level_path(c, up);
			if (part->fd < 0 || fstat(part->fd, &st))
				code = fail_errno(c, part->source);
			else if (st.st_dev != part->dev || st.st_ino != part->ino)
				code = tool_fail(c->t, c->s->op, c->s->image,
						 where(c, part->source),
						 "the directory was moved while it was read");
		}
	}
	free_level(level);
	c->depth--;
	return code;
}

static int read_statx(int dirfd, const char *name, int flags, struct statx *stx)
{
	return statx(dirfd, name, flags, STATX_BASIC_STATS | STATX_BTIME, stx);
}

/* A directory of a source was opened for a new level: take note of which it is. */
static int take_part(struct capture *c, struct part *part, unsigned source, struct statx *stx)
{
	part->source = (uint16_t)source;
	if (part->fd < 0 || read_statx(part->fd, "", AT_EMPTY_PATH, stx))
		return fail_errno(c, source);
	part->dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	part->ino = stx->stx_ino;
	if (part->dev == c->image_dev && part->ino == c->image_ino)
		return tool_fail(c->t, c->s->op, c->s->image, where(c, source),
				 "the image's own directory is part of the source; put the image "
				 "elsewhere or --exclude this directory");
	return EXIT_OK;
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
			return tool_fail(c->t, c->s->op, c->s->image, where(c, source),
					 "two of its user.* attributes differ in case only");
		if (sink_stream(c->s, c->path, c->path_units, stream->name, stream->units,
				stream->size, &data, &err))
			return fail_cim(c, source, &err);
	}
	return EXIT_OK;
}

/* ---- items ---- */

static int store_directory(struct capture *c, unsigned source, int fd, const struct statx *stx)
{
	struct cim_error err = {0};
	struct host_meta meta;
	int code = EXIT_OK;

	hostmeta_read(&c->host, fd, -1, NULL, stx, where(c, source), &meta);
	if (sink_item(c->s, c->path, c->path_units, &meta.m, NULL, &err))
		code = fail_cim(c, source, &err);
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

	if (read_statx(dirfd, name, AT_SYMLINK_NOFOLLOW, &stx))
		return fail_errno(c, source);
	len = readlinkat(dirfd, name, target, sizeof(target) - 1);
	if (len < 0)
		return fail_errno(c, source);
	target[len] = '\0';
	hostmeta_read(&c->host, -1, dirfd, name, &stx, where(c, source), &meta);
	if (!meta.reparse) {
		const char *why = NULL;
		size_t size;

		meta.reparse = reparse_from_symlink(target, &size, &why);
		if (!meta.reparse) {
			code = tool_fail(c->t, c->s->op, c->s->image, where(c, source),
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
		code = fail_cim(c, source, &err);
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
		return fail_cim(c, source, &err);
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
		return tool_fail(c->t, c->s->op, c->s->image, where(c, source),
				 "the file is larger than an image can hold");
	meta->m.size = (int64_t)stx->stx_size;
	if (holes != NO_HOLES)
		meta->m.attributes |= CIM_ATTR_SPARSE;
	if (sink_item(c->s, c->path, c->path_units, &meta->m, written ? &data : NULL, &err))
		return fail_cim(c, source, &err);
	if (written && (file.shrank || was_changed(fd, stx)))
		loss_add(c->t, &c->changed, where(c, source),
			 file.shrank ? "it became shorter; zeros were stored for the rest"
				     : "what was stored may be a mixture");
	c->s->progress.files++;
	c->s->progress.bytes += stx->stx_size;
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
	hostmeta_read(&c->host, fd, -1, NULL, stx, where(c, source), &meta);
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

	loss_add(c->t, &c->special, where(c, source), what);
}

/* Anything but a directory. */
static int store_other(struct capture *c, const struct level *level, const struct entry *entry)
{
	struct level *top = &c->levels[c->depth - 1];
	int dirfd = part_of(top, entry->source)->fd;
	const char *name = entry_name(level, entry);
	struct statx stx;
	int code;
	int fd;

	if (entry->type == DT_LNK)
		return store_symlink(c, entry->source, dirfd, name);
	if (entry->type != DT_REG && entry->type != DT_UNKNOWN) {
		report_special(c, entry->source, entry->type);
		return EXIT_OK;
	}
	/* O_NONBLOCK: should a FIFO have taken its place meanwhile. */
	fd = openat(dirfd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(c, entry->source);
	if (read_statx(fd, "", AT_EMPTY_PATH, &stx)) {
		code = fail_errno(c, entry->source);
	} else if (!S_ISREG(stx.stx_mode)) {
		code = tool_fail(c->t, c->s->op, c->s->image, where(c, entry->source),
				 "it was replaced while the tree was read");
	} else {
		code = store_file(c, entry->source, fd, &stx);
	}
	close(fd);
	return code;
}

/*
 * Enter the directory that entries [first, last] name, which are of different sources; those before
 * the last one that is no directory are hidden by it.
 */
static int enter(struct capture *c, size_t first, size_t last)
{
	struct level *up;
	struct level *level;
	struct statx stx = {0};
	int code = EXIT_OK;

	c->levels = xgrow(c->levels, &c->level_room, c->depth, sizeof(*c->levels));
	level = &c->levels[c->depth];
	up = level - 1;
	memset(level, 0, sizeof(*level));
	level->path_units = c->path_units;
	level->rel_len = c->rel.len;
	level->parts = xcalloc(last - first + 1, sizeof(*level->parts));
	for (size_t i = first; i <= last && !code; i++) {
		const struct entry *entry = &up->entries[i];
		struct part *part = &level->parts[level->part_count++];

		part->fd = openat(part_of(up, entry->source)->fd, entry_name(up, entry),
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		code = take_part(c, part, entry->source, &stx);
	}
	c->depth++;
	if (!code)
		code = store_directory(c, up->entries[last].source,
				       level->parts[level->part_count - 1].fd, &stx);
	if (!code)
		code = list_level(c, level);
	close_far(c);
	return code;
}

/* The next name of the top level, all sources' entries for it at once. */
static int next_name(struct capture *c)
{
	struct level *level = &c->levels[c->depth - 1];
	size_t first = level->next;
	size_t last = first;

	while (last + 1 < level->entry_count &&
	       same_name(level, &level->entries[first], &level->entries[last + 1]))
		last++;
	level->next = last + 1;
	if (!set_path(c, level, &level->entries[last])) {
		set_level_path(c, level);
		return tool_fail(c->t, c->s->op, c->s->image, where(c, level->entries[last].source),
				 "%s: the path is longer than 32,767 UTF-16 code units",
				 entry_name(level, &level->entries[last]));
	}
	if (level->entries[last].type != DT_DIR)
		return store_other(c, level, &level->entries[last]);
	for (size_t i = last; i > first; i--) {
		if (level->entries[i - 1].type != DT_DIR) {
			first = i;
			break;
		}
	}
	return enter(c, first, last);
}

static int walk(struct capture *c)
{
	while (c->depth) {
		struct level *level = &c->levels[c->depth - 1];
		int code;

		if (tool_signal)
			return tool_interrupted();
		code = level->next < level->entry_count ? next_name(c) : leave_level(c);
		if (code)
			return code;
	}
	return EXIT_OK;
}

/* ---- the sources ---- */

/* A source that is no directory is an entry of the directory it lies in. */
static int open_file_source(struct capture *c, struct source *src)
{
	const char *name;
	char *dir = split_image(src->label, &name);
	struct stat st;
	int code = EXIT_OK;

	src->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (src->fd < 0 || fstatat(src->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		code = tool_fail_errno(c->t, c->s->op, c->s->image, src->label);
	src->file = xstrdup(name);
	return code;
}

static int open_source(struct capture *c, struct source *src, const char *label, bool as_item)
{
	src->label = label;
	src->file = NULL;
	src->fd = -1;
	if (!as_item)
		src->fd = open(label, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (src->fd >= 0)
		return EXIT_OK;
	if (!as_item && errno != ENOTDIR)
		return tool_fail_errno(c->t, c->s->op, c->s->image, label);
	return open_file_source(c, src);
}

/* The level above all: the sources themselves. */
static int enter_sources(struct capture *c)
{
	struct level *level;
	struct statx last_stx = {0};
	int last = -1;
	int code = EXIT_OK;

	c->levels = xgrow(c->levels, &c->level_room, 0, sizeof(*c->levels));
	level = &c->levels[c->depth++];
	memset(level, 0, sizeof(*level));
	level->path_units = c->path_units;
	level->parts = xcalloc(c->source_count, sizeof(*level->parts));
	for (size_t i = 0; i < c->source_count; i++) {
		struct source *src = &c->sources[i];
		struct part *part = &level->parts[level->part_count++];

		part->source = (uint16_t)i;
		part->fd = dup(src->fd);
		if (part->fd < 0)
			return fail_errno(c, (unsigned)i);
		if (src->file)
			continue;
		code = take_part(c, part, (unsigned)i, &last_stx);
		if (code)
			return code;
		last = (int)i;
	}
	if (last >= 0)
		code = store_directory(c, (unsigned)last, level->parts[last].fd, &last_stx);
	return code ? code : list_level(c, level);
}

static void capture_free(struct capture *c)
{
	while (c->depth)
		free_level(&c->levels[--c->depth]);
	free(c->levels);
	for (size_t i = 0; i < c->source_count; i++) {
		if (c->sources[i].fd >= 0)
			close(c->sources[i].fd);
		free(c->sources[i].file);
	}
	free(c->sources);
	for (size_t i = 0; i < c->link_room; i++)
		free(c->links[i].path);
	free(c->links);
	free(c->path);
	text_free(&c->rel);
	text_free(&c->where);
}

int capture(struct session *s, const struct write_options *options, char *const *sources,
	    size_t count, const uint16_t *prefix, size_t units, const uint16_t *as, size_t as_units)
{
	struct capture c = {.s = s, .t = s->t, .exclude = &options->exclude};
	struct stat st;
	int code;

	if (count > UINT16_MAX)
		return tool_usage(s->t, "too many sources");
	c.special.what = "not stored";
	c.changed.what = "the file changed while it was read";
	code = hostmeta_init(&c.host, s->t, options);
	if (code)
		return code;
	if (!stat(s->dir, &st)) {
		c.image_dev = st.st_dev;
		c.image_ino = st.st_ino;
	}
	c.path = xmalloc((CIM_MAX_PATH + 1) * sizeof(*c.path));
	if (units)
		memcpy(c.path, prefix, units * sizeof(*c.path));
	c.path_units = units;
	c.sources = xcalloc(count, sizeof(*c.sources));
	for (size_t i = 0; i < count && !code; i++) {
		struct source *src = &c.sources[c.source_count++];

		code = open_source(&c, src, sources[i], as != NULL);
		src->as = as;
		src->as_units = as_units;
	}
	if (!code)
		code = enter_sources(&c);
	if (!code)
		code = walk(&c);
	capture_free(&c);
	if (!code) {
		hostmeta_report(&c.host, s->op, s->image);
		loss_report(s->t, &c.special, s->op, s->image);
		loss_report(s->t, &c.changed, s->op, s->image);
	}
	return code;
}
