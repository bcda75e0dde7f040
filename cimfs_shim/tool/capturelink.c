/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capturelink.c - where the symlinks of host trees lead, and when they were read last
 *
 * On Windows a link has to say itself that it leads to a directory, so each is followed: in the
 * tree that the image will hold, which is what all sources make of each other and of what is there
 * already, by names without regard to case, "/" being the image's root. What lies outside is not
 * the tree's, and the same trees have to give the same image.
 *
 * That tree is ahead of the walk. So the directories that links lead through are listed here once
 * more, as the walk will list them; what no source has the image may have. Links of the image's own
 * stay as they are (D58).
 *
 * But to follow a link is to read it, and that moves its last access; to list a directory moves
 * that one's. Linux knows no way to do so without a trace. So where such times are wanted each is
 * looked at before it is read, and the time it had then is remembered.
 */
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../host/blob.h"
#include "../host/reparse.h"

/* As many as the system itself would follow. */
#define MAX_LINKS 40
/* Names of merged directories that are kept, in all. */
#define MERGED_MAX (1u << 20)

/* ---- how what is read looked at first ---- */

struct first_time {
	struct inode inode;
	struct statx_timestamp accessed;
};

static struct first_time time_of(const struct statx *stx)
{
	return (struct first_time){
		.inode = {.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
			  .ino = stx->stx_ino},
		.accessed = stx->stx_atime,
	};
}

/* Who looked before the first reader finds the same time, who looked after it finds it here. */
static void first_time(struct first_times *times, struct statx *stx)
{
	struct first_time *first = xcalloc(1, sizeof(*first));

	*first = time_of(stx);
	pthread_mutex_lock(&times->lock);
	first = capture_remember(&times->tree, &first->inode);
	pthread_mutex_unlock(&times->lock);
	stx->stx_atime = first->accessed;
}

int capture_look_at_link(struct capture *c, int fd, const char *name, struct statx *stx)
{
	int failed = host_statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, stx);

	if (!failed && c->host.all_times && (S_ISLNK(stx->stx_mode) || S_ISDIR(stx->stx_mode)))
		first_time(&c->first_times, stx);
	return failed;
}

void capture_know_time(struct capture *c, struct statx *stx)
{
	struct first_time now = time_of(stx);
	struct first_time **first;

	pthread_mutex_lock(&c->first_times.lock);
	first = tfind(&now, &c->first_times.tree, capture_compare_inodes);
	if (first)
		stx->stx_atime = (*first)->accessed;
	pthread_mutex_unlock(&c->first_times.lock);
}

/* ---- directories as they will be ---- */

struct merged {
	const uint16_t *path; /* in the image */
	size_t units;
	struct level level;
	struct text rel; /* below the sources */
	char **hosts;	 /* and each part's, which may be spelled in another way */
};

static int compare_merged(const void *a, const void *b)
{
	const struct merged *x = a;
	const struct merged *y = b;

	return cim_name_compare_default(x->path, x->units, y->path, y->units);
}

static void free_merged(void *arg)
{
	struct merged *m = arg;

	for (size_t i = 0; i < m->level.part_count; i++)
		free(m->hosts[i]);
	free(m->hosts);
	free((void *)(uintptr_t)m->path);
	text_free(&m->rel);
	capture_free_level(&m->level);
	free(m);
}

void capture_links_free(struct capture *c)
{
	tdestroy(c->merged, free_merged);
	c->merged = NULL;
	c->merged_entries = 0;
	tdestroy(c->first_times.tree, free);
	pthread_mutex_destroy(&c->first_times.lock);
	cim_image_close(c->base);
}

/* What openat2() does below, name by name. */
static int open_by_names(int top, const char *host)
{
	char *copy = xstrdup(host);
	char *rest = copy;
	char *name;
	int dir = top;
	int fd = -1;

	while ((name = strsep(&rest, "/")) != NULL) {
		fd = openat(dir, name,
			    (rest ? O_PATH : O_RDONLY) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir != top)
			close(dir);
		if (fd < 0)
			break;
		dir = fd;
	}
	free(copy);
	return fd;
}

/* Of the path of a directory of the source; -1: there is none, or no longer. */
static int open_host(const struct source *src, const char *host)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd;

	if (!*host)
		return dup(src->fd);
	fd = (int)syscall(SYS_openat2, src->fd, host, &how, sizeof(how));
	/* Older kernels and containers have no such call: see host/statx.h. */
	return fd < 0 && (errno == ENOSYS || errno == EPERM) ? open_by_names(src->fd, host) : fd;
}

/* How many units of a path are those of the directory that it lies in. */
static size_t parent_units(const uint16_t *path, size_t units)
{
	while (units && path[--units] != '\\')
		;
	return units;
}

/* The entries of a name: *@last is the one that counts; false: there are none. */
static bool find_entries(const struct level *level, const uint16_t *name, size_t units,
			 size_t *first, size_t *last)
{
	size_t low = 0;
	size_t high = level->entry_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct dir_entry *entry = &level->entries[middle];

		if (cim_name_compare_default(level->units + entry->units, entry->count, name,
					     units) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < level->entry_count; high++) {
		const struct dir_entry *entry = &level->entries[high];

		if (cim_name_compare_default(level->units + entry->units, entry->count, name,
					     units))
			break;
	}
	*first = low;
	*last = high - 1;
	return high > low;
}

static const char *host_of(const struct merged *m, unsigned source)
{
	for (size_t i = 0; i < m->level.part_count; i++) {
		if (m->level.parts[i].source == source)
			return m->hosts[i];
	}
	return "";
}

static void add_part(struct capture *c, struct merged *m, unsigned source, char *host)
{
	struct part *part = &m->level.parts[m->level.part_count];
	int fd = open_host(&c->sources[source], host);
	struct statx stx;

	if (fd < 0 || (c->host.all_times && capture_look_at_link(c, fd, "", &stx))) {
		capture_unsure(c, host);
		if (fd >= 0)
			close(fd);
		free(host);
		return;
	}
	m->hosts[m->level.part_count++] = host;
	part->source = (uint16_t)source;
	part->dir = dir_new(fd);
}

static char *join(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
}

/* The parts that it has in the sources: those of @up that are merged, of @up NULL the sources. */
static void add_parts(struct capture *c, struct merged *m, const struct merged *up)
{
	const struct level *level = up ? &up->level : NULL;
	size_t from = up ? up->units + (up->units > 0) : 0;
	size_t first;
	size_t last;

	m->level.parts = xcalloc(c->source_count, sizeof(*m->level.parts));
	m->hosts = xcalloc(c->source_count, sizeof(*m->hosts));
	for (size_t i = 0; !up && i < c->source_count; i++)
		add_part(c, m, (unsigned)i, xstrdup(""));
	if (!up || !find_entries(level, m->path + from, m->units - from, &first, &last))
		return;
	for (size_t i = last + 1; i-- > first && level->entries[i].type == DT_DIR;) {
		const struct dir_entry *entry = &level->entries[i];
		const char *name = level->names.s + entry->name;

		if (i == last)
			text_puts(&m->rel, name);
		add_part(c, m, entry->source, join(host_of(up, entry->source), name));
	}
}

static void list_merged(struct capture *c, struct merged *m)
{
	struct text rel = c->rel;

	/* It is what patterns are matched with. */
	c->rel = m->rel;
	m->level.rel_len = m->rel.len;
	m->level.quiet = true;
	capture_list(c, &m->level);
	m->rel = c->rel;
	c->rel = rel;
	for (size_t i = 0; i < m->level.part_count; i++) {
		dir_release(m->level.parts[i].dir);
		m->level.parts[i].dir = NULL;
	}
	c->merged_entries += m->level.entry_count + 1;
}

/* A directory at or below the top of the sources. */
static const struct merged *merged_of(struct capture *c, const uint16_t *path, size_t units)
{
	struct merged key = {.path = path, .units = units};
	struct merged **known = tfind(&key, &c->merged, compare_merged);
	const struct merged *up = NULL;
	struct merged *m;

	if (known)
		return *known;
	if (units > c->top_units)
		up = merged_of(c, path, parent_units(path, units));
	m = xcalloc(1, sizeof(*m));
	m->path = xmemdup(path, units * sizeof(*path));
	m->units = units;
	if (up && up->rel.len) {
		text_puts(&m->rel, up->rel.s);
		text_puts(&m->rel, "/");
	}
	add_parts(c, m, up);
	list_merged(c, m);
	if (!tsearch(m, &c->merged, compare_merged))
		alloc_failed();
	return m;
}

/* ---- what has a path ---- */

enum met {
	MET_NOTHING,
	MET_DIRECTORY,
	MET_LINK,    /* of a source */
	MET_DIRLINK, /* of the image, to a directory by its own word */
	MET_OTHER,
};

/* Is a path that of another one, or of a directory above it? */
static bool is_above(const uint16_t *path, size_t units, const uint16_t *other, size_t other_units)
{
	return units <= other_units && (!units || units == other_units || other[units] == '\\') &&
	       !cim_name_compare_default(path, units, other, units);
}

static char *read_link(struct capture *c, unsigned source, const char *dir, const char *name)
{
	char target[PATH_MAX];
	struct statx stx;
	ssize_t len = -1;
	int fd = open_host(&c->sources[source], dir);

	if (fd >= 0 && !capture_look_at_link(c, fd, name, &stx))
		len = readlinkat(fd, name, target, sizeof(target));
	if (fd >= 0)
		close(fd);
	return len > 0 ? xstrndup(target, (size_t)len) : NULL;
}

static enum met find_in_sources(struct capture *c, const uint16_t *path, size_t units,
				char **target)
{
	size_t up = parent_units(path, units);
	size_t name = up + (path[up] == '\\');
	const struct merged *m = merged_of(c, path, up);
	const struct dir_entry *entry;
	size_t first;
	size_t last;

	if (!find_entries(&m->level, path + name, units - name, &first, &last))
		return MET_NOTHING;
	entry = &m->level.entries[last];
	switch (entry->type) {
	case DT_DIR:
		return MET_DIRECTORY;
	case DT_LNK:
		*target = read_link(c, entry->source, host_of(m, entry->source),
				    m->level.names.s + entry->name);
		return MET_LINK;
	case DT_REG:
	case DT_UNKNOWN:
		return MET_OTHER;
	default: /* nothing is stored of it */
		return MET_NOTHING;
	}
}

/* What is known of a link to a directory that the session has stored. */
struct stored_link {
	uint16_t *path;
	size_t units;
	char *target; /* NULL: nothing that could be followed */
};

static int compare_stored(const void *a, const void *b)
{
	const struct stored_link *x = a;
	const struct stored_link *y = b;

	return cim_name_compare_default(x->path, x->units, y->path, y->units);
}

static void free_stored(void *arg)
{
	struct stored_link *link = arg;

	free(link->path);
	free(link->target);
	free(link);
}

/* What the target of a link is to Linux; NULL: nothing that could be followed. */
static char *target_of(const void *reparse, size_t size)
{
	enum target_kind kind = TARGET_ABSOLUTE;
	char *target = reparse_to_symlink(reparse, size, &kind);

	if (kind == TARGET_EXACT)
		return target;
	free(target);
	return NULL;
}

void capture_know_link(struct session *s, const uint16_t *path, size_t units,
		       const struct cim_metadata *m)
{
	struct stored_link *link = xcalloc(1, sizeof(*link));
	struct stored_link **known;

	link->path = xmemdup(path, units * sizeof(*path));
	link->units = units;
	link->target = target_of(m->reparse, m->reparse_size);
	known = tfind(link, &s->links, compare_stored);
	if (known) {
		struct stored_link *before = *known;

		*known = link;
		free_stored(before);
	} else if (!tsearch(link, &s->links, compare_stored)) {
		alloc_failed();
	}
}

void capture_forget_links(struct session *s)
{
	tdestroy(s->links, free_stored);
	s->links = NULL;
}

/* The target of what is a link in the session's tree: one that it stored, or that the image had. */
static char *image_link(struct capture *c, struct cim_str path)
{
	struct stored_link key = {.path = (uint16_t *)(uintptr_t)path.utf16, .units = path.units};
	struct stored_link **stored = tfind(&key, &c->s->links, compare_stored);
	struct cim_file_info info = {CIM_SIZED(info)};
	char *target;
	struct blob blob;
	uint32_t id;

	if (stored)
		return (*stored)->target ? xstrdup((*stored)->target) : NULL;
	if (!c->base && cim_image_open(&c->s->env, c->s->base, &c->base, NULL))
		return NULL;
	if (cim_image_lookup(c->base, path, &id, NULL) ||
	    cim_image_stat(c->base, id, &info, NULL) ||
	    blob_read(c->base, &info, CIM_BLOB_REPARSE, &blob, NULL))
		return NULL;
	target = target_of(blob.data, blob.size);
	blob_free(&blob);
	return target;
}

static enum met find_in_image(struct capture *c, const uint16_t *path, size_t units, char **target)
{
	struct cim_str str = {.utf16 = path, .units = units};
	struct cim_file_info info = {CIM_SIZED(info)};

	if (!c->s->base || cim_writer_stat(c->s->writer, str, &info, NULL))
		return MET_NOTHING;
	if (!info.is_directory)
		return MET_OTHER;
	if (!reparse_is_link(info.reparse_tag))
		return MET_DIRECTORY;
	*target = image_link(c, str);
	return MET_DIRLINK;
}

/* *@target: of a link, allocated, or NULL: it can't be read. */
static enum met find(struct capture *c, const uint16_t *path, size_t units, char **target)
{
	enum met met = MET_NOTHING;

	*target = NULL;
	if (is_above(path, units, c->top, c->top_units))
		return MET_DIRECTORY;
	if (is_above(c->top, c->top_units, path, units))
		met = find_in_sources(c, path, units, target);
	return met == MET_NOTHING ? find_in_image(c, path, units, target) : met;
}

/* ---- where a link leads ---- */

/* A way through the image: @at is where we are, without any link in it, @rest what is ahead. */
struct way {
	uint16_t at[CIM_MAX_PATH + 1];
	size_t units;
	struct text rest;
	size_t next; /* in there */
	unsigned links;
};

/* The last name of @at is a link: what it says is ahead now. */
static bool take_link(struct way *way, const char *target)
{
	struct text rest = {0};

	if (!target || ++way->links > MAX_LINKS)
		return false;
	text_puts(&rest, target);
	text_puts(&rest, "/");
	text_puts(&rest, way->rest.s + way->next);
	text_free(&way->rest);
	way->rest = rest;
	way->next = 0;
	way->units = target[0] == '/' ? 0 : parent_units(way->at, way->units);
	return true;
}

/* On to the next name. */
static bool step(struct capture *c, struct way *way)
{
	const char *name = way->rest.s + way->next;
	size_t len = strcspn(name, "/");
	size_t count;
	char *target;
	bool fine;

	way->next += len + (name[len] == '/');
	if (!len || (len == 1 && name[0] == '.'))
		return true;
	if (len == 2 && !memcmp(name, "..", 2)) {
		way->units = parent_units(way->at, way->units);
		return true;
	}
	if (way->units + 1 + CIM_MAX_NAME > CIM_MAX_PATH)
		return false;
	if (way->units)
		way->at[way->units++] = '\\';
	if (cim_utf16_from_utf8(name, len, way->at + way->units, CIM_MAX_NAME, &count))
		return false;
	way->units += count;
	switch (find(c, way->at, way->units, &target)) {
	case MET_DIRECTORY:
		fine = true;
		break;
	case MET_DIRLINK:
		/* At the end its word is good enough. */
		fine = way->rest.s[way->next + strspn(way->rest.s + way->next, "/.")] == '\0' ||
		       take_link(way, target);
		break;
	case MET_LINK:
		fine = take_link(way, target);
		break;
	default:
		fine = false;
	}
	free(target);
	return fine;
}

bool capture_leads_to_directory(struct capture *c, const uint16_t *path, size_t units,
				const char *target)
{
	struct way *way = xcalloc(1, sizeof(*way));
	bool fine = true;

	if (c->merged_entries > MERGED_MAX) {
		tdestroy(c->merged, free_merged);
		c->merged = NULL;
		c->merged_entries = 0;
	}
	way->units = target[0] == '/' ? 0 : parent_units(path, units);
	memcpy(way->at, path, way->units * sizeof(*path));
	text_puts(&way->rest, target);
	while (fine && way->next < way->rest.len)
		fine = step(c, way);
	text_free(&way->rest);
	free(way);
	return fine;
}
