/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_writer_random.c - random sessions against a model
 *
 * A story is a few sessions in one directory: images are made from nothing, extended and forked by
 * random calls with names that collide without case, and after each session every image must read
 * as the model says, those that weren't touched included. Each call's status is predicted too. In
 * consistent mode the whole story is told twice, and both directories must hold the same bytes.
 *
 * CIM_SEED picks the first story, CIM_STORIES how many are told.
 */
#include "kit.h"

#include <time.h>

enum {
	MAX_FILES = 300,
	MAX_CHILDREN = 20,
	MAX_STREAMS = 4,
	MAX_NAME = 12,
	MAX_IMAGES = 5,
	MAX_DATA = 2600000,
};

/* ---- random numbers ---- */

static uint64_t state;

static uint64_t rnd(void)
{
	uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static unsigned below(unsigned limit)
{
	return (unsigned)(rnd() % limit);
}

/* ---- the model ---- */

/* Bytes of a stream: @written of a pattern, then zeros. */
struct bytes {
	unsigned seed;
	size_t size, written;
};

struct m_name {
	uint16_t units[MAX_NAME];
	size_t count;
};

struct m_child {
	struct m_name name;
	int file;
};

struct m_stream {
	struct m_name name;
	struct bytes data;
};

struct m_file {
	bool is_dir;
	uint32_t attributes;
	int64_t times[4];
	unsigned sd, ea, reparse; /* which of the samples; 0: none */
	struct bytes data;
	struct m_child children[MAX_CHILDREN];
	size_t child_count;
	struct m_stream streams[MAX_STREAMS];
	size_t stream_count;
};

struct model {
	struct m_file files[MAX_FILES]; /* 0: the root */
	size_t count;
};

static struct {
	char name[24];
	struct model model;
	bool used;
} images[MAX_IMAGES];

static int compare(const struct m_name *a, const struct m_name *b)
{
	return cim_name_compare_default(a->units, a->count, b->units, b->count);
}

static int find_child(const struct m_file *dir, const struct m_name *name)
{
	for (size_t i = 0; i < dir->child_count; i++)
		if (!compare(&dir->children[i].name, name))
			return (int)i;
	return -1;
}

/* Keep children sorted. */
static void set_child(struct m_file *dir, const struct m_name *name, int file)
{
	int at = find_child(dir, name);
	size_t i;

	if (at < 0) {
		for (i = dir->child_count++; i && compare(&dir->children[i - 1].name, name) > 0;
		     i--)
			dir->children[i] = dir->children[i - 1];
		at = (int)i;
	}
	dir->children[at].name = *name;
	dir->children[at].file = file;
}

static void drop_child(struct m_file *dir, int at)
{
	memmove(&dir->children[at], &dir->children[at + 1],
		(dir->child_count - (size_t)at - 1) * sizeof(dir->children[0]));
	dir->child_count--;
}

static int find_stream(const struct m_file *file, const struct m_name *name)
{
	for (size_t i = 0; i < file->stream_count; i++)
		if (!compare(&file->streams[i].name, name))
			return (int)i;
	return -1;
}

/* ---- random things ---- */

static const char *const samples[] = {
	"a",
	"A",
	"b",
	"B",
	"c.txt",
	"C.TXT",
	"Dir",
	"dIR",
	"zz",
	"ab",
	"\xc3\xa4",
	"\xc3\x84",
	"\xef\xbf\xa0",
	"\xf0\x90\x80\x80",
	"\xed\xa0\x80",
	"con",
	"x ",
	"x.",
	"_",
	"~",
};

static struct m_name random_name(void)
{
	const char *text = samples[below(sizeof(samples) / sizeof(samples[0]))];
	struct m_name name;

	memset(&name, 0, sizeof(name));
	if (cim_utf16_from_utf8(text, strlen(text), name.units, MAX_NAME, &name.count))
		bail("a sample name can't be converted");
	return name;
}

struct m_path {
	struct m_name names[4];
	size_t count;
	uint16_t text[200];
};

static void append(struct m_path *path, size_t *at, const struct m_name *name, char before)
{
	if (before)
		path->text[(*at)++] = (uint16_t)before;
	memcpy(path->text + *at, name->units, name->count * sizeof(uint16_t));
	*at += name->count;
}

static void spell(struct m_path *path, const struct m_name *stream, const char *type)
{
	size_t at = 0;

	for (size_t i = 0; i < path->count; i++)
		append(path, &at, &path->names[i], i || below(2) ? '\\' : 0);
	if (stream)
		append(path, &at, stream, ':');
	while (*type)
		path->text[at++] = (uint16_t)*type++;
	path->text[at] = 0;
}

/* Mostly a path to something that is there, or to a place in a directory that is there. */
static struct m_path random_path(const struct model *model)
{
	const struct m_file *dir = &model->files[0];
	struct m_path path;

	memset(&path, 0, sizeof(path));
	do {
		struct m_name *name = &path.names[path.count++];
		int at;

		*name = random_name();
		if (dir && dir->child_count && below(3))
			*name = dir->children[below((unsigned)dir->child_count)].name;
		at = dir ? find_child(dir, name) : -1;
		dir = at >= 0 ? &model->files[dir->children[at].file] : NULL;
		if (dir && !dir->is_dir)
			dir = NULL;
	} while (path.count < 4 && (dir ? below(3) : !below(12)));
	return path;
}

/* CIM_OK: *dir holds the last name, *file is what is there or -1. */
static enum cim_status resolve(struct model *model, const struct m_path *path, int *dir, int *file)
{
	*file = 0;
	for (size_t i = 0; i < path->count; i++) {
		int at;

		if (*file < 0 || !model->files[*file].is_dir)
			return CIM_E_PATH_NOT_FOUND;
		*dir = *file;
		at = find_child(&model->files[*dir], &path->names[i]);
		*file = at < 0 ? -1 : model->files[*dir].children[at].file;
	}
	return CIM_OK;
}

static const uint8_t some_sds[2][28] = {
	{1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 2, 0, 8, 0},
	{1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 3, 0, 8, 0},
};
static const uint8_t some_eas[2][12] = {
	{0, 0, 0, 0, 0, 1, 2, 0, 'N', 0, 'v', 'w'},
	{0, 0, 0, 0, 0, 1, 2, 0, 'M', 0, 'v', 'w'},
};
static const uint8_t some_reparses[2][12] = {
	{0xc, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4},
	{0x3, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4},
};

static struct bytes random_bytes(void)
{
	static const size_t sizes[] = {0,    1,	   2,	 100,	4095,	4096,
				       4097, 8192, 9000, 70000, 300000, 1048576};
	struct bytes b;
	unsigned kind = below(100);

	b.seed = below(4);
	b.size = kind < 50 ? below(64)
			   : sizes[below(sizeof(sizes) / sizeof(sizes[0]) - (kind < 90))];
	if (kind == 99)
		b.size = 1048576 + below(3) * 700001;
	b.written = b.size;
	kind = below(20);
	if (kind == 0)
		b.written = 0;
	else if (kind == 1)
		b.written = (size_t)(rnd() % (b.size + 1));
	return b;
}

static void random_metadata(struct m_file *file, struct cim_metadata *meta)
{
	static const uint32_t attributes[] = {0,    0x1,    0x2,   0x20,      0x80,
					      0x27, 0x1000, 0x200, 0xffffffef};
	static const uint32_t kept = 0x227;

	meta->attributes = attributes[below(9)];
	file->attributes = meta->attributes & kept;
	for (int i = 0; i < 4; i++)
		file->times[i] = below(3) ? 1000 + i : (int64_t)rnd();
	meta->creation_time = file->times[0];
	meta->last_write_time = file->times[1];
	meta->change_time = file->times[2];
	meta->last_access_time = file->times[3];
	file->sd = below(3);
	file->ea = below(6) ? 0 : 1 + below(2);
	file->reparse = below(6) ? 0 : 1 + below(2);
	if (file->sd) {
		meta->security = some_sds[file->sd - 1];
		meta->security_size = sizeof(some_sds[0]);
	}
	if (file->ea) {
		meta->ea = some_eas[file->ea - 1];
		meta->ea_size = sizeof(some_eas[0]);
	}
	if (file->reparse) {
		meta->reparse = some_reparses[file->reparse - 1];
		meta->reparse_size = sizeof(some_reparses[0]);
	}
	if (file->is_dir)
		meta->attributes |= CIM_ATTR_DIRECTORY;
	else
		meta->attributes &= ~CIM_ATTR_DIRECTORY;
}

/* ---- the calls ---- */

static uint8_t data[MAX_DATA];

static enum cim_status source_pread(void *ctx, uint64_t offset, void *buf, size_t len,
				    struct cim_error *err)
{
	const struct bytes *b = ctx;

	(void)err;
	if (offset > b->size || len > b->size - offset)
		bail("a source was asked for what it doesn't have");
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = pattern_byte(b->seed, offset + i);
	return CIM_OK;
}

/* Write by one of the ways there are. */
static void write_stream(struct kit *k, struct cim_stream *stream, struct bytes *b)
{
	struct cim_source source = {CIM_SIZED(source), b, source_pread};
	size_t done = 0, got;

	if (b->written == b->size && b->size && !below(2)) {
		must(k, cim_stream_fill(stream, &source, &k->err));
		return;
	}
	pattern(data, b->seed, b->written);
	while (done < b->written) {
		size_t part = b->written - done;

		if (below(2))
			part = (size_t)(rnd() % part + 1);
		if (!must(k, cim_stream_write(stream, data + done, part, &got, &k->err)))
			return;
		done += got;
	}
}

static bool expect(struct kit *k, enum cim_status got, enum cim_status want, const char *call)
{
	if (got == want)
		return true;
	status_is(k, got, want, call, "a predicted status");
	return false;
}

static int new_file(struct model *model, const struct m_file *file)
{
	model->files[model->count] = *file;
	return (int)model->count++;
}

static void random_add(struct kit *k, struct cim_writer *w, struct model *model)
{
	struct m_path path = random_path(model);
	struct cim_stream *stream = NULL;
	enum cim_status want, got;
	struct cim_metadata meta;
	static struct m_file file; /* too large for a stack */
	int dir, old;

	memset(&file, 0, sizeof(file));
	memset(&meta, 0, sizeof(meta));
	meta.struct_size = sizeof(meta);
	file.is_dir = below(3) == 0;
	random_metadata(&file, &meta);
	file.data = file.is_dir ? (struct bytes){0, 0, 0} : random_bytes();
	meta.size = file.is_dir ? (int64_t)rnd() : (int64_t)file.data.size;
	want = resolve(model, &path, &dir, &old);
	if (!want && old < 0 && model->files[dir].child_count == MAX_CHILDREN)
		return;
	spell(&path, NULL, "");
	if (below(8)) {
		got = cim_writer_add(w, cim_str16(path.text), &meta, &stream, &k->err);
	} else {
		file.data.written = 0;
		got = cim_writer_add(w, cim_str16(path.text), &meta, NULL, &k->err);
	}
	if (stream && !file.is_dir)
		write_stream(k, stream, &file.data);
	cim_stream_close(stream);
	if (!expect(k, got, want, "add") || want)
		return;
	if (old >= 0 && file.is_dir && model->files[old].is_dir) {
		struct m_file *keep = &model->files[old];

		memcpy(keep->times, file.times, sizeof(file.times));
		keep->attributes = file.attributes;
		keep->sd = file.sd;
		keep->ea = file.ea;
		keep->reparse = file.reparse;
		return;
	}
	set_child(&model->files[dir], &path.names[path.count - 1], new_file(model, &file));
}

static void random_link(struct kit *k, struct cim_writer *w, struct model *model)
{
	struct m_path path = random_path(model), existing = random_path(model);
	int dir, old, from_dir, from;
	enum cim_status want;

	spell(&path, NULL, "");
	spell(&existing, NULL, "");
	want = resolve(model, &existing, &from_dir, &from);
	if (!want && from < 0)
		want = CIM_E_PATH_NOT_FOUND;
	if (!want && model->files[from].is_dir)
		want = CIM_E_ACCESS;
	if (!want)
		want = resolve(model, &path, &dir, &old);
	if (!want && old >= 0 && model->files[old].is_dir)
		want = CIM_E_ACCESS;
	if (!want && old < 0 && model->files[dir].child_count == MAX_CHILDREN)
		return;
	if (expect(k, cim_writer_link(w, cim_str16(path.text), cim_str16(existing.text), &k->err),
		   want, "link") &&
	    !want && old != from)
		set_child(&model->files[dir], &path.names[path.count - 1], from);
}

static void random_delete(struct kit *k, struct cim_writer *w, struct model *model)
{
	struct m_path path = random_path(model);
	enum cim_status want;
	int dir, old;

	spell(&path, NULL, "");
	want = resolve(model, &path, &dir, &old);
	if (!want && old < 0)
		want = CIM_E_PATH_NOT_FOUND;
	if (expect(k, cim_writer_delete(w, cim_str16(path.text), &k->err), want, "delete") && !want)
		drop_child(&model->files[dir],
			   find_child(&model->files[dir], &path.names[path.count - 1]));
}

static void random_stream(struct kit *k, struct cim_writer *w, struct model *model)
{
	struct m_path path = random_path(model);
	struct m_name name = random_name();
	struct bytes b = random_bytes();
	struct cim_stream *stream = NULL;
	enum cim_status want, got;
	struct m_file *file;
	int dir, item, at;
	size_t i;

	spell(&path, &name, below(3) ? "" : ":$DATA");
	want = resolve(model, &path, &dir, &item);
	if (!want && item < 0)
		want = CIM_E_PATH_NOT_FOUND;
	at = want ? -1 : find_stream(&model->files[item], &name);
	if (!want && at < 0 && model->files[item].stream_count == MAX_STREAMS)
		return;
	got = cim_writer_add_stream(w, cim_str16(path.text), b.size, &stream, &k->err);
	if (stream)
		write_stream(k, stream, &b);
	cim_stream_close(stream);
	if (!expect(k, got, want, "add_stream") || want)
		return;
	file = &model->files[item];
	if (at < 0) {
		for (i = file->stream_count++; i && compare(&file->streams[i - 1].name, &name) > 0;
		     i--)
			file->streams[i] = file->streams[i - 1];
		at = (int)i;
	}
	file->streams[at].name = name;
	file->streams[at].data = b;
}

static void random_delete_stream(struct kit *k, struct cim_writer *w, struct model *model)
{
	struct m_path path = random_path(model);
	struct m_name name = random_name();
	enum cim_status want;
	struct m_file *file;
	int dir, item, at = -1;

	want = resolve(model, &path, &dir, &item);
	if (!want && item >= 0 && model->files[item].stream_count && below(4))
		name = model->files[item].streams[0].name;
	if (!want && item >= 0)
		at = find_stream(&model->files[item], &name);
	if (at < 0)
		want = CIM_E_PATH_NOT_FOUND;
	spell(&path, &name, "");
	if (!expect(k, cim_writer_delete(w, cim_str16(path.text), &k->err), want,
		    "delete_stream") ||
	    want)
		return;
	file = &model->files[item];
	memmove(&file->streams[at], &file->streams[at + 1],
		(file->stream_count - (size_t)at - 1) * sizeof(file->streams[0]));
	file->stream_count--;
}

static void random_lookup(struct kit *k, struct cim_writer *w, struct model *model)
{
	struct m_path path = random_path(model);
	struct m_name name = random_name();
	bool stream = below(4) == 0, want, got;
	int dir, item;

	want = !resolve(model, &path, &dir, &item) && item >= 0;
	if (want && stream)
		want = find_stream(&model->files[item], &name) >= 0;
	spell(&path, stream ? &name : NULL, "");
	if (must(k, cim_writer_lookup(w, cim_str16(path.text), &got, &k->err)) && got != want)
		ok(false, "lookup says %s, the model says %s", got ? "there" : "missing",
		   want ? "there" : "missing");
}

static void random_calls(struct kit *k, struct cim_writer *w, struct model *model)
{
	unsigned calls = below(60);

	while (calls-- && model->count < MAX_FILES - 1) {
		unsigned kind = below(20);

		if (kind < 9)
			random_add(k, w, model);
		else if (kind < 12)
			random_link(k, w, model);
		else if (kind < 14)
			random_delete(k, w, model);
		else if (kind < 17)
			random_stream(k, w, model);
		else if (kind < 18)
			random_delete_stream(k, w, model);
		else
			random_lookup(k, w, model);
	}
}

/* ---- the model as text: the same as kit.h's dump ---- */

static void say_data(struct text *t, const struct bytes *b)
{
	say(t, " %" PRIu64, (uint64_t)b->size);
	if (b->size && !b->written) {
		say(t, " sparse");
		return;
	}
	memset(data, 0, b->size);
	pattern(data, b->seed, b->written);
	say_bytes(t, "", data, b->size);
}

static void say_file(const struct model *model, int number, const char *path, struct text *t,
		     uint32_t **ids, unsigned *count)
{
	const struct m_file *f = &model->files[number];
	uint32_t attributes = f->attributes | (f->is_dir ? 0x10 : 0) | (f->reparse ? 0x400 : 0);

	say(t, "#%u /%s %x times=%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
	    dump_number(ids, count, (uint32_t)number), path, attributes ? attributes : 0x80,
	    f->times[0], f->times[1], f->times[2], f->times[3]);
	if (!f->is_dir)
		say_data(t, &f->data);
	if (f->reparse)
		say(t, " tag=%x", f->reparse == 1 ? 0xa000000c : 0xa0000003);
	if (f->sd)
		say_bytes(t, "sd", some_sds[f->sd - 1], sizeof(some_sds[0]));
	if (f->ea)
		say_bytes(t, "ea", some_eas[f->ea - 1], sizeof(some_eas[0]));
	if (f->reparse)
		say_bytes(t, "rp", some_reparses[f->reparse - 1], sizeof(some_reparses[0]));
	for (size_t i = 0; i < f->stream_count; i++) {
		char name[CIM_MAX_NAME_UTF8];

		cim_utf8_from_utf16(f->streams[i].name.units, f->streams[i].name.count, name,
				    sizeof(name));
		say(t, "\n    :%s", name);
		say_data(t, &f->streams[i].data);
	}
	say(t, "\n");
	for (size_t i = 0; i < f->child_count; i++) {
		const struct m_child *c = &f->children[i];
		char name[CIM_MAX_NAME_UTF8], below_path[4 * CIM_MAX_NAME_UTF8];

		cim_utf8_from_utf16(c->name.units, c->name.count, name, sizeof(name));
		if (snprintf(below_path, sizeof(below_path), "%s%s%s", path, *path ? "/" : "",
			     name) >= (int)sizeof(below_path))
			bail("a path of the model is too long");
		say_file(model, c->file, below_path, t, ids, count);
	}
}

static char *model_text(const struct model *model)
{
	struct text t = {NULL, 0, 0};
	uint32_t *ids = NULL;
	unsigned count = 0;

	say_file(model, 0, "", &t, &ids, &count);
	free(ids);
	return t.at;
}

/* ---- stories ---- */

static bool check_images(struct kit *k, const char *when)
{
	bool good = true;

	for (int i = 0; i < MAX_IMAGES; i++) {
		char *got, *want;

		if (!images[i].used)
			continue;
		got = dump(k, images[i].name);
		want = model_text(&images[i].model);
		if (strcmp(got, want)) {
			ok(false, "%s: %s is as the model says", when, images[i].name);
			show_difference(got, want);
			good = false;
		}
		good &= must_be_sound(k, images[i].name);
		free(got);
		free(want);
	}
	return good;
}

/* One session: a new image, or one extended or forked. */
static void session(struct kit *k, unsigned flags)
{
	static struct model model;
	int from = (int)below(MAX_IMAGES), to = (int)below(MAX_IMAGES);
	const char *existing = images[from].used ? images[from].name : NULL;
	struct cim_writer *w;

	if (images[to].used) {
		if (!existing)
			existing = images[to].name;
		from = to = existing == images[to].name ? to : from;
	}
	if (existing) {
		model = images[from].model;
	} else {
		memset(&model, 0, sizeof(model));
		model.count = 1;
		model.files[0].is_dir = true;
	}
	w = begin_flags(k, existing, images[to].name, flags);
	random_calls(k, w, &model);
	if (!below(10)) { /* changed their mind */
		cim_writer_close(w);
		return;
	}
	if (finish(k, w)) {
		images[to].model = model;
		images[to].used = true;
	}
}

static bool story(struct kit *k, uint64_t seed, unsigned flags)
{
	unsigned sessions;
	bool good = true;

	state = seed;
	memset(images, 0, sizeof(images));
	for (int i = 0; i < MAX_IMAGES; i++)
		snprintf(images[i].name, sizeof(images[i].name), "image%d.cim", i);
	for (sessions = 2 + below(5); sessions && good; sessions--) {
		session(k, flags);
		good = check_images(k, "after a session");
		good &= kit_clean(k, "after a session");
	}
	if (memfs_count_names(k->m, "cimtmp_")) {
		ok(false, "no private file is left");
		good = false;
	}
	return good;
}

int main(void)
{
	const char *seed_text = getenv("CIM_SEED"), *count_text = getenv("CIM_STORIES");
	uint64_t first = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL) * 1000;
	unsigned count = count_text ? (unsigned)atoi(count_text) : 60;

	diag("CIM_SEED=%" PRIu64, first);
	for (unsigned i = 0; i < count; i++) {
		unsigned flags = i % 2 ? CIM_WRITE_CONSISTENT : 0;
		struct kit k = kit_new(), again;
		bool good = story(&k, first + i, flags), same = true;

		if (flags) {
			again = kit_new();
			again.m->seed = 12345; /* other private names */
			good &= story(&again, first + i, flags);
			same = memfs_digest(k.m, NULL) == memfs_digest(again.m, NULL);
			kit_free(&again);
		}
		ok(good && same, "CIM_SEED=%" PRIu64 ": a random story%s", first + i,
		   flags ? ", told twice with the same bytes" : "");
		kit_free(&k);
		if (!good || !same)
			break;
	}
	return tap_done();
}
