/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * democheck - hold the demo's images against the tree they were made from
 *
 * pack.exe wrote down, in a manifest, what it read of each item of C:\windows and what it then did
 * to the image. This program, on the Linux side, reads the two images with libcim and compares
 * them with
 *
 *   - the source tree as Linux has it: names, bytes, sizes, hard links, write times, change times
 *     (and so on, as far as Wine shows them through), and that nothing of it was left out;
 *   - the manifest: attributes, the four times, security descriptors; and what was added by
 * pack.exe;
 *   - arithmetic: the renamed copy may have cost no data, the fork lacks just what was deleted, and
 *     neither image holds anything that nobody put there.
 *
 * Every difference is a line on standard output. At the end comes the demo's table.
 */
#define _GNU_SOURCE /* nftw, statx */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../../include/libcim_advanced.h"

#define CHUNK	      (1u << 20)
#define SHOWN	      50 /* differences told one by one; the rest is counted */
#define FIELDS	      16
#define WINDOWS_EPOCH INT64_C(11644473600) /* seconds from 1601 to 1970 */
#define TICKS	      INT64_C(10000000)
#define KEPT_BITS \
	(CIM_ATTR_READONLY | CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM | CIM_ATTR_ARCHIVE | CIM_ATTR_SPARSE)

/* What is stored where a caller gave no security descriptor: revision 1, "DACL present" and
 * "self-relative", no owner, no group, no ACL. */
static const uint8_t default_security[20] = {1, 0, 4, 0x80};

/* Bytes of the manifest, in place. */
struct blob {
	uint8_t *data;
	size_t size;
};

enum session { PACK, EXTEND, FORK };

/* What an item's data must be. */
enum content { FROM_SOURCE, FROM_TEXT, NO_DATA };

/* An item that must be in the image. */
struct expected {
	char *path; /* '/' between components, none in front */
	enum session session;
	bool directory;
	struct expected *first; /* a further hard link: the item it is a name of */
	uint32_t attributes;
	uint64_t size;
	int64_t times[4]; /* creation, last write, change, last access */
	struct blob security;
	struct blob ea;
	struct blob reparse;
	enum content content;
	const char *source; /* path in the source tree of the bytes */
	struct blob text;
	char *stream; /* name of its one alternate stream, NULL */
	struct blob stream_data;
	bool seen;
	uint32_t file_id;
	uint64_t inode; /* of the source, 0 if it has none */
	XXH128_hash_t hash;
};

struct check {
	const char *source;
	const char *images;
	char *base_name;
	char *fork_name;
	struct expected **items; /* sorted by path once the manifest is read */
	size_t count;
	char *deleted;
	uint64_t packed[5]; /* manifest's last line: files, directories, links, bytes, ms */
	bool ended;
	int64_t now;   /* as FILETIME */
	int64_t shown; /* when progress was, in tenths of a second */
	uint64_t differences;
	uint64_t compared, compared_bytes;
	uint8_t *a, *b; /* CHUNK bytes each */
	bool terminal;
};

static void die(const char *what, const char *path)
{
	fprintf(stderr, "democheck: %s %s: %s\n", what, path, strerror(errno));
	exit(2);
}

static void *must(void *p)
{
	if (!p)
		die("memory", "");
	return p;
}

static void die_cim(const char *what, const struct cim_error *err)
{
	fprintf(stderr, "democheck: %s: %s: %s (image %s, path %s)\n", what,
		cim_status_text(err->status), err->cause, err->image, err->path);
	exit(2);
}

__attribute__((format(printf, 2, 3))) static void differ(struct check *c, const char *fmt, ...)
{
	va_list args;

	if (++c->differences > SHOWN)
		return;
	va_start(args, fmt);
	printf("DIFFERENT ");
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
}

/* ---- the manifest ---- */

static uint8_t hex_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Hex to bytes, over the text; "-" is nothing. */
static struct blob unhex(char *text)
{
	struct blob blob = {(uint8_t *)text, 0};

	if (*text == '-')
		return blob;
	for (; text[0] && text[1]; text += 2)
		blob.data[blob.size++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
	return blob;
}

static void slashes(char *path)
{
	for (; *path; path++)
		if (*path == '\\')
			*path = '/';
}

/* The item added last with this path; the manifest's order makes a linear search from its end
 * short for all but hard links. */
static struct expected *added(struct check *c, const char *path)
{
	for (size_t i = c->count; i--;)
		if (!strcmp(c->items[i]->path, path))
			return c->items[i];
	fprintf(stderr, "democheck: the manifest speaks of %s before it was made\n", path);
	exit(2);
}

static struct expected *add(struct check *c, char *path, enum session session)
{
	struct expected *item = must(calloc(1, sizeof(*item)));

	if (!(c->count & (c->count - 1)))
		c->items =
			must(realloc(c->items, (c->count ? c->count * 2 : 1) * sizeof(*c->items)));
	c->items[c->count++] = item;
	item->path = path;
	item->session = session;
	return item;
}

static void add_item(struct check *c, char **field, enum session session)
{
	struct expected *item = add(c, field[1], session);

	item->directory = !strcmp(field[0], "dir");
	item->attributes = (uint32_t)strtoul(field[2], NULL, 16);
	item->size = strtoull(field[3], NULL, 10);
	for (int i = 0; i < 4; i++)
		item->times[i] = strtoll(field[4 + i], NULL, 10);
	item->security = unhex(field[8]);
	if (!item->security.size)
		item->security = (struct blob){(uint8_t *)default_security, 20};
	item->content = item->directory || session != PACK ? NO_DATA : FROM_SOURCE;
	item->source = item->path;
}

static void read_record(struct check *c, char **field, int fields, enum session *session)
{
	const char *word = field[0];

	if (fields > 1)
		slashes(field[1]);
	if (!strcmp(word, "phase") && fields == 2) {
		*session = !strcmp(field[1], "pack")	 ? PACK
			   : !strcmp(field[1], "extend") ? EXTEND
							 : FORK;
	} else if ((!strcmp(word, "dir") || !strcmp(word, "file")) && fields == 9) {
		add_item(c, field, *session);
	} else if (!strcmp(word, "link") && fields == 3) {
		struct expected *first;

		slashes(field[2]);
		first = added(c, field[2]);
		add(c, field[1], *session)->first = first->first ? first->first : first;
	} else if (!strcmp(word, "copy") && fields == 3) {
		struct expected *item = added(c, field[1]);

		slashes(field[2]);
		item->source = field[2];
		item->content = FROM_SOURCE;
	} else if (!strcmp(word, "text") && fields == 3) {
		struct expected *item = added(c, field[1]);

		item->text = unhex(field[2]);
		item->content = FROM_TEXT;
	} else if (!strcmp(word, "ea") && fields == 3) {
		added(c, field[1])->ea = unhex(field[2]);
	} else if (!strcmp(word, "reparse") && fields == 3) {
		struct expected *item = added(c, field[1]);

		item->reparse = unhex(field[2]);
		item->content = NO_DATA;
	} else if (!strcmp(word, "stream") && fields == 4) {
		struct expected *item = added(c, field[1]);

		item = item->first ? item->first : item;
		item->stream = field[2];
		item->stream_data = unhex(field[3]);
	} else if (!strcmp(word, "delete") && fields == 2) {
		c->deleted = field[1];
	} else if (!strcmp(word, "end") && fields == 6) {
		for (int i = 0; i < 5; i++)
			c->packed[i] = strtoull(field[1 + i], NULL, 10);
		c->ended = true;
	} else {
		fprintf(stderr,
			"democheck: the manifest has a line that begins with %s and has "
			"%d fields\n",
			word, fields);
		exit(2);
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct expected *const *)a)->path, (*(struct expected *const *)b)->path);
}

static struct expected *find(struct check *c, const char *path)
{
	struct expected key = {.path = (char *)path};
	struct expected *at = &key;
	struct expected **found = bsearch(&at, c->items, c->count, sizeof(at), by_path);

	return found ? *found : NULL;
}

/* The whole manifest stays in memory; records point into it. */
static void read_manifest(struct check *c, const char *path)
{
	FILE *in = fopen(path, "rb");
	enum session session = PACK;
	struct stat st;
	char *text, *line, *next;

	if (!in || fstat(fileno(in), &st))
		die("open", path);
	text = must(malloc((size_t)st.st_size + 1));
	if (fread(text, 1, (size_t)st.st_size, in) != (size_t)st.st_size)
		die("read", path);
	text[st.st_size] = 0;
	fclose(in);
	for (line = text; *line; line = next) {
		char *field[FIELDS];
		int fields = 0;
		char *end = strchr(line, '\n');

		if (!end)
			break;
		*end = 0;
		next = end + 1;
		for (char *at = line; at && fields < FIELDS; fields++) {
			field[fields] = at;
			at = strchr(at, '\t');
			if (at)
				*at++ = 0;
		}
		read_record(c, field, fields, &session);
	}
	if (!c->ended) {
		fprintf(stderr, "democheck: %s has no last line: pack.exe did not finish\n", path);
		exit(2);
	}
	qsort(c->items, c->count, sizeof(*c->items), by_path);
	for (size_t i = 1; i < c->count; i++)
		if (!strcmp(c->items[i - 1]->path, c->items[i]->path))
			differ(c, "manifest: %s stands there twice", c->items[i]->path);
}

/* ---- against the source tree ---- */

static char *join(const char *dir, const char *name)
{
	char *path = must(malloc(strlen(dir) + strlen(name) + 2));

	sprintf(path, *name ? "%s/%s" : "%s%s", dir, name);
	return path;
}

static int64_t ticks(const struct statx_timestamp *t)
{
	return (t->tv_sec + WINDOWS_EPOCH) * TICKS + t->tv_nsec / 100;
}

/* What Linux knows of an item without asking pack.exe: kind, size, read-only, and three times. */
static void compare_with_linux(struct check *c, struct expected *item)
{
	char *path = join(c->source, item->path);
	bool readonly;
	struct statx st;

	if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &st)) {
		differ(c, "source: %s is gone (%s)", path, strerror(errno));
		free(path);
		return;
	}
	free(path);
	item->inode = st.stx_ino;
	if (item->first)
		return;
	if (S_ISDIR(st.stx_mode) != item->directory)
		differ(c, "%s: kind: a %s in the source", item->path,
		       item->directory ? "file" : "directory");
	if (!item->directory && st.stx_size != item->size)
		differ(c, "%s: size: %" PRIu64 " was packed, the source has %" PRIu64, item->path,
		       item->size, (uint64_t)st.stx_size);
	readonly = !(st.stx_mode & 0222);
	if (readonly != !!(item->attributes & CIM_ATTR_READONLY))
		differ(c, "%s: read-only: %d was packed, the source has mode %o", item->path,
		       !readonly, st.stx_mode & 07777u);
	if (item->times[1] != ticks(&st.stx_mtime))
		differ(c, "%s: last write: %" PRId64 " was packed, the source has %" PRId64,
		       item->path, item->times[1], ticks(&st.stx_mtime));
	if (item->times[2] != ticks(&st.stx_ctime))
		differ(c, "%s: change: %" PRId64 " was packed, the source has %" PRId64, item->path,
		       item->times[2], ticks(&st.stx_ctime));
	/* Wine 8 has no birth time and shows the last write; later ones have it */
	if (item->times[0] != ticks(&st.stx_mtime) &&
	    !((st.stx_mask & STATX_BTIME) && item->times[0] == ticks(&st.stx_btime)))
		differ(c, "%s: creation: %" PRId64 " was packed, the source has %" PRId64,
		       item->path, item->times[0], ticks(&st.stx_mtime));
	/* reading moves it, forwards; or backwards, from a time that is yet to come */
	if (item->times[3] > ticks(&st.stx_atime) && item->times[3] < c->now)
		differ(c,
		       "%s: last access: %" PRId64 " was packed, later than the source's %" PRId64,
		       item->path, item->times[3], ticks(&st.stx_atime));
}

/* Wine has a stream NAME:STREAM as a file of that name. */
static bool is_stream(struct check *c, const char *path)
{
	const char *colon = strrchr(path, ':');
	char *file = must(strdup(path));
	const struct expected *item;

	file[colon ? colon - path : 0] = 0;
	item = find(c, file);
	free(file);
	return colon && item && item->stream && !strcmp(item->stream, colon + 1);
}

static struct check *walking; /* nftw() passes no context */

static int is_packed(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *rest = path + strlen(walking->source);
	const struct expected *item;

	rest += *rest == '/';
	item = find(walking, rest);
	(void)st;
	(void)type;
	(void)ftw;
	if (item ? item->session != PACK : !is_stream(walking, rest))
		differ(walking, "%s: in the source, but was not packed", path);
	return 0;
}

static void compare_source(struct check *c)
{
	walking = c;
	if (nftw(c->source, is_packed, 32, FTW_PHYS))
		die("walk", c->source);
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i]->session == PACK)
			compare_with_linux(c, c->items[i]);
}

/* ---- an image against the expectations ---- */

/* On a terminal, a line that is rewritten some ten times a second. */
static void progress(struct check *c, const char *image, bool last)
{
	struct timespec now;
	int64_t tenths;

	if (!c->terminal)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	tenths = (int64_t)now.tv_sec * 10 + now.tv_nsec / 100000000;
	if (last)
		fprintf(stderr, "\r%70s\r", "");
	else if (tenths != c->shown)
		fprintf(stderr, "\rcomparing %s: %7" PRIu64 " items, %" PRIu64 " MB ", image,
			c->compared, c->compared_bytes / 1000000);
	c->shown = tenths;
}

static void compare_blob(struct check *c, struct cim_image *image, const char *path, uint32_t id,
			 enum cim_blob which, const char *what, const struct blob *want)
{
	static uint8_t got[CIM_MAX_BLOB];
	struct cim_error err;
	size_t size;

	if (cim_image_get_blob(image, id, which, got, sizeof(got), &size, &err)) {
		differ(c, "%s: %s: can't be read: %s", path, what, err.cause);
		return;
	}
	if (size != want->size || (size && memcmp(got, want->data, size)))
		differ(c, "%s: %s: %zu bytes, expected %zu%s", path, what, size, want->size,
		       size == want->size ? " others" : "");
}

static void compare_text(struct check *c, struct cim_image *image, const char *path,
			 const char *what, const struct cim_data *data, const struct blob *want)
{
	struct cim_error err;
	size_t got = 0;

	if (data->size != want->size)
		differ(c, "%s: %s: %" PRIu64 " bytes, expected %zu", path, what, data->size,
		       want->size);
	else if (want->size > CHUNK || cim_image_read(image, data, 0, c->a, CHUNK, &got, &err) ||
		 got != want->size)
		differ(c, "%s: %s: can't be read", path, what);
	else if (got && memcmp(c->a, want->data, got))
		differ(c, "%s: %s: other bytes", path, what);
}

/* The image's bytes against the source file's; hashes them on the way, for the unique bytes. */
static void compare_file(struct check *c, struct cim_image *image, struct expected *item,
			 const struct cim_data *data)
{
	char *path = join(c->source, item->source);
	int fd = open(path, O_RDONLY | O_NOATIME);
	XXH3_state_t *hash = must(XXH3_createState());
	uint64_t offset = 0;
	struct cim_error err;

	if (fd < 0)
		fd = open(path, O_RDONLY);
	if (fd < 0)
		differ(c, "source: %s: %s", path, strerror(errno));
	XXH3_128bits_reset(hash);
	while (fd >= 0) {
		ssize_t want = pread(fd, c->a, CHUNK, (off_t)offset);
		size_t got;

		if (want < 0)
			die("read", path);
		if (cim_image_read(image, data, offset, c->b, CHUNK, &got, &err)) {
			differ(c, "%s: data: can't be read at %" PRIu64 ": %s", item->path, offset,
			       err.cause);
			break;
		}
		if (got != (size_t)want || memcmp(c->a, c->b, got)) {
			differ(c, "%s: data: other bytes within %" PRIu64 "..%" PRIu64, item->path,
			       offset, offset + CHUNK);
			break;
		}
		XXH3_128bits_update(hash, c->a, got);
		offset += got;
		if (!got)
			break;
	}
	item->hash = XXH3_128bits_digest(hash);
	XXH3_freeState(hash);
	c->compared_bytes += offset;
	if (fd >= 0)
		close(fd);
	free(path);
}

static void compare_streams(struct check *c, struct cim_image *image, const char *path, uint32_t id,
			    const struct expected *item)
{
	static struct cim_entry entry;
	struct cim_iter *iter;
	struct cim_error err;
	uint32_t count = 0;
	bool found;

	if (cim_iter_streams(image, id, &iter, &err)) {
		differ(c, "%s: streams: can't be read: %s", path, err.cause);
		return;
	}
	while (!cim_iter_next(iter, &entry, &found, &err) && found) {
		if (item->stream && !strcmp(item->stream, entry.utf8)) {
			compare_text(c, image, path, "alternate stream", &entry.data,
				     &item->stream_data);
			count++;
		} else {
			differ(c, "%s: stream %s: nobody put it there", path, entry.utf8);
		}
	}
	cim_iter_close(iter);
	if (item->stream && !count)
		differ(c, "%s: stream %s: missing", path, item->stream);
}

static void compare_record(struct check *c, const struct cim_file_info *info, const char *path,
			   const struct expected *item)
{
	static const char *const names[] = {"creation", "last write", "change", "last access"};
	const int64_t got[] = {info->creation_time, info->last_write_time, info->change_time,
			       info->last_access_time};
	uint32_t want = item->attributes & KEPT_BITS;

	want |= item->directory ? CIM_ATTR_DIRECTORY : 0;
	want |= item->reparse.size ? CIM_ATTR_REPARSE : 0;
	want = want ? want : CIM_ATTR_NORMAL;
	if (info->attributes != want)
		differ(c, "%s: attributes: 0x%x, expected 0x%x", path, info->attributes, want);
	if (info->is_directory != item->directory)
		differ(c, "%s: kind", path);
	else if (info->size != (item->directory ? 0 : item->size))
		differ(c, "%s: size: %" PRIu64 ", expected %" PRIu64, path, info->size, item->size);
	for (int i = 0; i < 4; i++)
		if (got[i] != item->times[i])
			differ(c, "%s: %s time: %" PRId64 ", expected %" PRId64, path, names[i],
			       got[i], item->times[i]);
}

static void compare_item(struct check *c, struct cim_image *image, const struct cim_walk_item *at,
			 struct expected *entry)
{
	struct expected *item = entry->first ? entry->first : entry;
	uint32_t id = at->entry->file_id ? at->entry->file_id : at->info->file_id;
	struct cim_str none = {0};
	struct cim_data data;
	struct cim_error err;

	entry->seen = true;
	entry->file_id = id;
	compare_record(c, at->info, at->path, item);
	compare_blob(c, image, at->path, id, CIM_BLOB_SECURITY, "security", &item->security);
	compare_blob(c, image, at->path, id, CIM_BLOB_EA, "EA", &item->ea);
	compare_blob(c, image, at->path, id, CIM_BLOB_REPARSE, "reparse data", &item->reparse);
	compare_streams(c, image, at->path, id, item);
	if (item->directory || entry->first)
		return;
	if (cim_image_get_data(image, id, none, &data, &err))
		differ(c, "%s: data: %s", at->path, err.cause);
	else if (item->content == FROM_SOURCE)
		compare_file(c, image, item, &data);
	else
		compare_text(c, image, at->path, "data", &data, &item->text);
}

static bool below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

static int by_id(const void *a, const void *b)
{
	const struct expected *x = *(struct expected *const *)a;
	const struct expected *y = *(struct expected *const *)b;

	return (x->file_id > y->file_id) - (x->file_id < y->file_id);
}

/* Two names are one file in the image if and only if the manifest says so, and then the source
 * must say so as well. */
static void compare_links(struct check *c, const char *image)
{
	struct expected **sorted = must(malloc((c->count + 1) * sizeof(*sorted)));
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->items[i]->seen)
			sorted[n++] = c->items[i];
	for (size_t i = 0; i < n; i++) {
		const struct expected *first = sorted[i]->first;

		if (first && first->seen && first->file_id != sorted[i]->file_id)
			differ(c, "%s: %s: not the same file as %s", image, sorted[i]->path,
			       first->path);
		if (first && first->session == PACK && sorted[i]->session == PACK &&
		    first->inode != sorted[i]->inode)
			differ(c, "%s: %s: linked to %s, but not in the source", image,
			       sorted[i]->path, first->path);
	}
	qsort(sorted, n, sizeof(*sorted), by_id);
	for (size_t i = 1; i < n; i++) {
		const struct expected *x = sorted[i - 1], *y = sorted[i];

		if (x->file_id == y->file_id &&
		    (x->first ? x->first : x) != (y->first ? y->first : y))
			differ(c, "%s: %s and %s are one file", image, x->path, y->path);
	}
	free(sorted);
}

static struct cim_image *open_image(struct check *c, const char *name)
{
	char *path = join(c->images, name);
	struct cim_image *image;
	struct cim_error err;

	if (cim_image_open(NULL, path, &image, &err))
		die_cim("cim_image_open", &err);
	free(path);
	return image;
}

static void compare_image(struct check *c, const char *name, const char *deleted)
{
	struct cim_image *image = open_image(c, name);
	const struct cim_image_info *info;
	const struct cim_walk_item *at;
	struct cim_walk *walk;
	struct cim_error err;
	enum cim_status status;

	for (size_t i = 0; i < c->count; i++)
		c->items[i]->seen = false;
	info = cim_image_get_info(image);
	if (cim_walk_open(image, info->root_id, &walk, &err))
		die_cim("cim_walk_open", &err);
	while (!(status = cim_walk_next(walk, &at, &err)) && at) {
		struct expected *item = find(c, at->path);

		c->compared++;
		progress(c, name, false);
		if (!item || (deleted && below(at->path, deleted)))
			differ(c, "%s: %s: nobody put it there", name, at->path);
		else
			compare_item(c, image, at, item);
	}
	progress(c, name, true);
	if (status)
		differ(c, "%s: the walk ended early: %s", name, err.cause);
	cim_walk_close(walk);
	for (size_t i = 0; i < c->count; i++)
		if (!c->items[i]->seen && !(deleted && below(c->items[i]->path, deleted)))
			differ(c, "%s: %s: missing", name, c->items[i]->path);
	compare_links(c, name);
	cim_image_close(image);
}

/* ---- what it cost ---- */

/* Bytes of region file @index of set @guid, 0 if there is none. */
static uint64_t region_size(struct cim_store *store, const struct cim_guid *guid, uint16_t index)
{
	const struct cim_store_file *file;

	for (size_t i = 0; (file = cim_store_get(store, i)); i++)
		if (file->kind == CIM_KIND_REGION && file->index == index &&
		    !memcmp(&file->set, guid, sizeof(*guid)))
			return file->size;
	return 0;
}

/* The regions that the extending session added may not hold the copy's data, only the small texts:
 * the sum of them all, tables included, must be below the copy's size; and the data region, where
 * data of that size would be, must be empty. */
static void compare_cost(struct check *c, struct cim_store *store, uint64_t *image_bytes)
{
	struct cim_image *image = open_image(c, c->base_name);
	const struct cim_store_file *file;
	const struct cim_image_info *info;
	const struct cim_region_set *set;
	uint64_t copied = 0, data;

	*image_bytes = 0;
	info = cim_image_get_info(image);
	for (uint32_t s = 0; (set = cim_image_get_set(image, s)); s++)
		for (size_t i = 0; (file = cim_store_get(store, i)); i++)
			if (file->kind != CIM_KIND_IMAGE &&
			    !memcmp(&file->set, &set->guid, sizeof(set->guid)))
				*image_bytes += file->size;
	for (size_t i = 0; (file = cim_store_get(store, i)); i++)
		if (file->kind == CIM_KIND_IMAGE && !strcmp(file->name, c->base_name))
			*image_bytes += file->size;
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i]->session == EXTEND && c->items[i]->content == FROM_SOURCE)
			copied += c->items[i]->size;
	if (info->set_count != 2 || !copied || !(set = cim_image_get_set(image, 1))) {
		differ(c, "%s: %" PRIu32 " region sets, expected the first and the extension's",
		       c->base_name, info->set_count);
	} else {
		data = region_size(store, &set->guid, 1);
		if (copied >= 4096 && data > 4096)
			differ(c,
			       "%s: the renamed copy of %" PRIu64 " bytes cost data: the "
			       "extension's data region has %" PRIu64 " bytes",
			       c->base_name, copied, data);
	}
	cim_image_close(image);
}

static int by_hash(const void *a, const void *b)
{
	return XXH128_cmp(&(*(struct expected *const *)a)->hash,
			  &(*(struct expected *const *)b)->hash);
}

/* Bytes of the packed files, each content counted once. */
static uint64_t unique_bytes(struct check *c)
{
	struct expected **sorted = must(malloc((c->count + 1) * sizeof(*sorted)));
	uint64_t bytes = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->items[i]->session == PACK && c->items[i]->content == FROM_SOURCE &&
		    !c->items[i]->first)
			sorted[n++] = c->items[i];
	qsort(sorted, n, sizeof(*sorted), by_hash);
	for (size_t i = 0; i < n; i++)
		if (!i || !XXH128_isEqual(sorted[i - 1]->hash, sorted[i]->hash))
			bytes += sorted[i]->size;
	free(sorted);
	return bytes;
}

static void table(struct check *c, uint64_t unique, uint64_t image_bytes)
{
	double seconds = (double)(c->packed[4] ? c->packed[4] : 1) / 1000;

	printf("files          %15" PRIu64 "   (and %" PRIu64 " directories, %" PRIu64
	       " further hard links)\n",
	       c->packed[0], c->packed[1], c->packed[2]);
	printf("bytes          %15" PRIu64 "\n", c->packed[3]);
	printf("unique bytes   %15" PRIu64 "\n", unique);
	printf("image size     %15" PRIu64 "   (its files together, with the extension)\n",
	       image_bytes);
	printf("seconds        %15.2f   (create to commit, under Wine)\n", seconds);
	printf("files a second %15.0f   (%.0f MB a second)\n", (double)c->packed[0] / seconds,
	       (double)c->packed[3] / seconds / 1e6);
	printf("images         %s/%s, %s\n", c->images, c->base_name, c->fork_name);
}

static char *fork_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t stem = dot ? (size_t)(dot - name) : strlen(name);
	char *fork = must(malloc(strlen(name) + 6));

	sprintf(fork, "%.*s_fork%s", (int)stem, name, name + stem);
	return fork;
}

int main(int argc, char **argv)
{
	static struct check c; /* all that it holds lives as long as the program */
	struct cim_store *store;
	struct cim_error err;
	uint64_t image_bytes;

	if (argc != 5) {
		fputs("Usage: democheck MANIFEST SOURCE-DIR IMAGE-DIR IMAGE-NAME\n"
		      "Compare the demo's images with the manifest and with the source tree.\n"
		      "Exit status: 0 equal, 1 something differs, 2 trouble.\n",
		      stderr);
		return 2;
	}
	c.source = argv[2];
	c.images = argv[3];
	c.base_name = argv[4];
	c.fork_name = fork_of(argv[4]);
	c.a = must(malloc(CHUNK));
	c.b = must(malloc(CHUNK));
	c.terminal = isatty(STDERR_FILENO);
	c.now = ((int64_t)time(NULL) + WINDOWS_EPOCH) * TICKS;
	read_manifest(&c, argv[1]);
	if (!c.deleted || !find(&c, c.deleted)) {
		fputs("democheck: the manifest tells of no deleted directory\n", stderr);
		return 2;
	}
	compare_source(&c);
	compare_image(&c, c.fork_name, c.deleted);
	compare_image(&c, c.base_name, NULL);
	if (cim_store_open(NULL, c.images, false, &store, &err))
		die_cim("cim_store_open", &err);
	compare_cost(&c, store, &image_bytes);
	cim_store_close(store);
	printf("compared %" PRIu64 " items, %" PRIu64 " bytes of two images: %" PRIu64
	       " differences\n\n",
	       c.compared, c.compared_bytes, c.differences);
	table(&c, unique_bytes(&c), image_bytes);
	return c.differences ? 1 : 0;
}
