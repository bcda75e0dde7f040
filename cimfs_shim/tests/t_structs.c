/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Telling an image's structures, and where a stream's pieces lie.
 *
 * What is told of the sample is compared with the sample's files, byte for byte, and with what the
 * test knows of it. Then the sample is broken in every place, and every allocation and every read
 * fails once: nothing may crash, leak, hang, or tell bytes that aren't there.
 */
#include "libcim_debug.h"
#include "minisample.h"
#include "tap.h"

#define MAX_TOLD 128

static struct cim_error err;

static void is_status(enum cim_status got, enum cim_status want, const char *name)
{
	if (!is_str(cim_status_name(got), cim_status_name(want), "%s", name) || got)
		diag("cause: %s", got ? err.cause : "none");
}

/* ---- a visitor that notes everything ---- */

struct noted {
	enum cim_structure_kind kind;
	char file[64];
	uint32_t region;
	uint64_t offset, size;
	uint32_t file_id;
	char path[256];
	uint64_t covered; /* bytes that were told */
	uint64_t fielded; /* bytes of its fields */
};

struct notes {
	struct mini *m;
	unsigned kinds[CIM_STRUCT_COUNT + 1];
	struct noted told[MAX_TOLD];
	size_t count;	    /* of structures, also beyond MAX_TOLD */
	unsigned wrong;	    /* bytes or fields that aren't what the file has, or out of turn */
	unsigned broken;    /* reported */
	unsigned anonymous; /* reported without a status or cause */
	uint64_t digest;
	uint64_t calls, stop_at; /* stop at that call; 0: never */
	struct cim_error first, last;
	char first_path[256];
};

static struct notes *notes_new(struct mini *m)
{
	struct notes *n = calloc(1, sizeof(*n));

	n->m = m;
	n->digest = UINT64_C(0xcbf29ce484222325);
	return n;
}

static void mix(struct notes *n, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len--)
		n->digest = (n->digest ^ *p++) * UINT64_C(0x100000001b3);
}

static int answer(struct notes *n)
{
	return ++n->calls == n->stop_at;
}

static struct noted *last(struct notes *n)
{
	return &n->told[n->count < MAX_TOLD ? n->count - 1 : MAX_TOLD - 1];
}

static int on_structure(void *ctx, const struct cim_structure *s)
{
	struct notes *n = ctx;
	struct noted *noted;
	const struct mem_flat *file = mini_find(n->m, s->file);

	n->count++;
	n->kinds[s->kind]++;
	noted = last(n);
	memset(noted, 0, sizeof(*noted));
	noted->kind = s->kind;
	snprintf(noted->file, sizeof(noted->file), "%s", s->file);
	noted->region = s->region;
	noted->offset = s->offset;
	noted->size = s->size;
	noted->file_id = s->file_id;
	snprintf(noted->path, sizeof(noted->path), "%s", s->path);
	if (!file || s->offset > file->size || s->size > file->size - s->offset)
		n->wrong++;
	mix(n, s->path, strlen(s->path));
	mix(n, &s->offset, sizeof(s->offset));
	return answer(n);
}

/* Are these the bytes at @at of the structure told last? */
static void compare(struct notes *n, const struct cim_structure *s, uint64_t at, const void *bytes,
		    size_t len)
{
	const struct mem_flat *file = mini_find(n->m, s->file);

	if (!n->count || !file || at > s->size || len > s->size - at ||
	    s->offset + at + len > file->size ||
	    memcmp(bytes, file->bytes + s->offset + at, len) != 0 || s->offset != last(n)->offset ||
	    s->kind != last(n)->kind)
		n->wrong++;
}

static int on_field(void *ctx, const struct cim_structure *s, const struct cim_field *f)
{
	struct notes *n = ctx;
	uint64_t value = 0;

	if (f->type != CIM_FIELD_NAME) {
		compare(n, s, f->offset, f->bytes, f->len);
		n->wrong += f->size != f->len;
		for (size_t i = f->len; i-- && f->len <= 8;)
			value = value << 8 | ((const uint8_t *)f->bytes)[i];
		if (f->type != CIM_FIELD_BYTES)
			n->wrong += value != f->value;
	}
	/* One behind the other; the fields of an array's elements may be apart. */
	if (!f->element)
		n->wrong += f->offset != last(n)->fielded;
	last(n)->fielded += f->size;
	mix(n, f->name, strlen(f->name));
	mix(n, f->bytes, f->len);
	return answer(n);
}

static int on_bytes(void *ctx, const struct cim_structure *s, uint64_t skip, const void *bytes,
		    size_t len)
{
	struct notes *n = ctx;

	n->wrong += skip != last(n)->covered;
	compare(n, s, skip, bytes, len);
	last(n)->covered += len;
	return answer(n);
}

static int on_broken(void *ctx, const struct cim_structure *s, const struct cim_error *why)
{
	struct notes *n = ctx;

	if (!n->broken++) {
		n->first = *why;
		snprintf(n->first_path, sizeof(n->first_path), "%s", s->path);
	}
	n->last = *why;
	n->anonymous += !why->status || !why->cause[0] || s->size || !s->file || !s->path;
	mix(n, why->cause, strlen(why->cause));
	return answer(n);
}

static struct cim_structure_visitor visitor_of(struct notes *n)
{
	struct cim_structure_visitor v = {
		CIM_SIZED(v),	   .ctx = n,	      .structure = on_structure,
		.field = on_field, .bytes = on_bytes, .broken = on_broken,
	};

	return v;
}

static enum cim_status visit(struct mini *m, struct notes *n, uint64_t *broken)
{
	struct cim_structure_visitor v = visitor_of(n);

	memset(&err, 0, sizeof(err));
	return cim_structures_visit(&m->env, "mem/s.cim", NULL, 0, NULL, &v, broken, &err);
}

static bool left_behind(struct mini *m)
{
	return !mini_is_clean(m);
}

/* Visit the sample; what is wrong with what was told. */
static const char *complaint(struct mini *m, struct notes *n)
{
	uint64_t broken = 99;
	const enum cim_status status = visit(m, n, &broken);

	return status		     ? "a status other than CIM_OK"
	       : n->wrong	     ? "bytes that the files don't have"
	       : n->anonymous	     ? "something broken without a cause"
	       : broken != n->broken ? "another number of broken structures than were told"
	       : left_behind(m)	     ? "memory, files or directories left behind"
				     : "nothing";
}

/* ---- a sound image ---- */

static const struct noted *find(const struct notes *n, enum cim_structure_kind kind,
				const char *path)
{
	for (size_t i = 0; i < n->count && i < MAX_TOLD; i++)
		if (n->told[i].kind == kind && !strcmp(n->told[i].path, path))
			return &n->told[i];
	return NULL;
}

/* How often there is what in the sample. */
static const struct {
	enum cim_structure_kind kind;
	unsigned count;
} sample_kinds[] = {
	{CIM_STRUCT_IMAGE_HEADER, 1},
	{CIM_STRUCT_TRAILER, 0},
	{CIM_STRUCT_REGION_HEADER, 6},
	{CIM_STRUCT_OBJECT_ID_HEADER, 0},
	{CIM_STRUCT_OBJECT_IDS, 0},
	{CIM_STRUCT_FILESYSTEM, 1},
	{CIM_STRUCT_TABLE_DIRECTORY, 1},
	{CIM_STRUCT_FILE, 13}, /* "hard" is beta */
	{CIM_STRUCT_LINK_TABLE, 3},
	{CIM_STRUCT_STREAM_TABLE, 2},
	{CIM_STRUCT_PE_IMAGE, 1},
	{CIM_STRUCT_SECURITY, 1},
	{CIM_STRUCT_EA, 1},
	{CIM_STRUCT_REPARSE, 1},
	{CIM_STRUCT_UPCASE_TABLE, 1},
	{CIM_STRUCT_LINK, 0},
};

static void test_sample(void)
{
	struct mini *m = mini_sample();
	struct notes *n = notes_new(m), *again = notes_new(m);
	const struct noted *root, *table;
	const char *why;
	unsigned holes = 0, uncovered = 0;

	why = complaint(m, n);
	is_str(why, "nothing", "what is wrong with what is told of the sample");
	is_int(n->broken, 0, "nothing of it is broken");
	if (n->broken)
		diag("%s: %s", n->first_path, n->first.cause);
	for (size_t i = 0; i < sizeof(sample_kinds) / sizeof(sample_kinds[0]); i++)
		is_int(n->kinds[sample_kinds[i].kind], sample_kinds[i].count,
		       "how often there is a %s", cim_structure_name(sample_kinds[i].kind));
	for (size_t i = 0; i < n->count; i++) {
		uncovered += n->told[i].covered != n->told[i].size;
		holes += n->told[i].fielded != n->told[i].size;
		if (n->told[i].fielded != n->told[i].size)
			diag("%s of %s: fields of %llu bytes, it has %llu",
			     cim_structure_name(n->told[i].kind), n->told[i].path,
			     (unsigned long long)n->told[i].fielded,
			     (unsigned long long)n->told[i].size);
	}
	is_int(uncovered, 0, "structures whose bytes aren't told whole");
	is_int(holes, 0, "structures whose fields are more or less than their bytes");
	root = find(n, CIM_STRUCT_FILE, "/");
	table = find(n, CIM_STRUCT_LINK_TABLE, "/");
	ok(root && root->file_id == 1 && root->region == SAMPLE_META && root->size == 96,
	   "the root's record");
	ok(table && table->file_id == 1 && table->region == SAMPLE_META, "the root's link table");
	ok(find(n, CIM_STRUCT_FILE, "/dir/Nested/x") != NULL, "a record at the end of a path");
	ok(find(n, CIM_STRUCT_FILE, "/hard") == NULL, "a file's second name isn't told");
	ok(find(n, CIM_STRUCT_SECURITY, "/beta") && find(n, CIM_STRUCT_EA, "/beta") &&
		   find(n, CIM_STRUCT_REPARSE, "/beta"),
	   "what a record points to has its path");
	ok(find(n, CIM_STRUCT_PE_IMAGE, "/pe.exe") != NULL, "and a PE image");
	is_status(visit(m, again, NULL), CIM_OK, "visited once more");
	is_hex(again->digest, n->digest, "the same is told in the same order");
	free(n);
	free(again);
	mini_free(m);
}

/* A field of a structure, by name. */
struct wanted {
	enum cim_structure_kind kind;
	const char *path;
	const char *name;
	bool element;
	uint32_t index;
	bool found;
	struct cim_field field;
	char text[CIM_MAX_NAME_UTF8];
};

static int look(void *ctx, const struct cim_structure *s, const struct cim_field *f)
{
	struct wanted *w = ctx;

	if (w->found || s->kind != w->kind || strcmp(s->path, w->path) ||
	    strcmp(f->name, w->name) || f->element != w->element || f->index != w->index)
		return 0;
	w->found = true;
	w->field = *f;
	if (f->type == CIM_FIELD_NAME || f->type == CIM_FIELD_TEXT)
		snprintf(w->text, sizeof(w->text), "%.*s", (int)f->len, (const char *)f->bytes);
	return 0;
}

static struct wanted field_of(struct mini *m, enum cim_structure_kind kind, const char *path,
			      const char *name, int index)
{
	struct wanted w = {
		.kind = kind,
		.path = path,
		.name = name,
		.element = index >= 0,
		.index = index >= 0 ? (uint32_t)index : 0,
	};
	struct cim_structure_visitor v = {CIM_SIZED(v), .ctx = &w, .field = look};

	if (cim_structures_visit(&m->env, "mem/s.cim", NULL, 0, NULL, &v, NULL, &err) || !w.found)
		diag("%s of %s has no field %s [%d]", cim_structure_name(kind), path, name, index);
	return w;
}

/* Some fields of the sample. */
static const struct {
	enum cim_structure_kind kind;
	const char *path, *name;
	int index;
	uint64_t value;
	enum cim_field_type type;
	uint64_t offset, size;
} sample_fields[] = {
	{CIM_STRUCT_IMAGE_HEADER, "", "FileType", -1, 0, CIM_FIELD_NUMBER, 12, 1},
	{CIM_STRUCT_IMAGE_HEADER, "", "VersionMajor", -1, 2, CIM_FIELD_NUMBER, 16, 4},
	{CIM_STRUCT_IMAGE_HEADER, "", "RegionSet.Count", -1, 3, CIM_FIELD_NUMBER, 48, 2},
	{CIM_STRUCT_IMAGE_HEADER, "", "ParentCount", -1, 1, CIM_FIELD_NUMBER, 70, 2},
	{CIM_STRUCT_IMAGE_HEADER, "", "Count", 0, 3, CIM_FIELD_NUMBER, 88, 2},
	{CIM_STRUCT_FILESYSTEM, "", "RootDirectory", -1, 1, CIM_FIELD_NUMBER, 20, 4},
	{CIM_STRUCT_FILESYSTEM, "", "FileTableCount", -1, 1, CIM_FIELD_NUMBER, 16, 4},
	{CIM_STRUCT_TABLE_DIRECTORY, "", "EntrySize", 0, 96, CIM_FIELD_NUMBER, 10, 2},
	{CIM_STRUCT_TABLE_DIRECTORY, "", "Count", 0, 13, CIM_FIELD_NUMBER, 8, 2},
	{CIM_STRUCT_FILE, "/beta", "Flags", -1, 0x801f, CIM_FIELD_HEX, 0, 2},
	{CIM_STRUCT_FILE, "/beta", "EaLength", -1, 12, CIM_FIELD_NUMBER, 2, 2},
	{CIM_STRUCT_FILE, "/beta", "ReparseTag", -1, 0xa000000c, CIM_FIELD_HEX, 4, 4},
	{CIM_STRUCT_FILE, "/beta", "CreationTime", -1, UINT64_C(0x01d0000000000000), CIM_FIELD_TIME,
	 8, 8},
	{CIM_STRUCT_FILE, "/beta", "LastAccessTime", -1, UINT64_C(0x01d0000000000003),
	 CIM_FIELD_TIME, 32, 8},
	{CIM_STRUCT_FILE, "/beta", "Stream.Descriptor", -1, 11, CIM_FIELD_STREAM, 48, 8},
	{CIM_STRUCT_FILE, "/sparse", "Stream.Descriptor", -1, SAMPLE_SPARSE | UINT64_C(1) << 56,
	 CIM_FIELD_STREAM, 48, 8},
	{CIM_STRUCT_FILE, "/dir/other", "ParentFileId", -1, 2, CIM_FIELD_NUMBER, 88, 4},
	{CIM_STRUCT_SECURITY, "/beta", "Length", -1, 20, CIM_FIELD_NUMBER, 0, 2},
	{CIM_STRUCT_LINK_TABLE, "/dir", "LinkCount", -1, 2, CIM_FIELD_NUMBER, 4, 4},
	{CIM_STRUCT_LINK_TABLE, "/dir", "FileId", 0, 3, CIM_FIELD_NUMBER, 8, 4},
	{CIM_STRUCT_LINK_TABLE, "/dir", "NameOffset", 1, 38, CIM_FIELD_NUMBER, 20, 4},
	{CIM_STRUCT_STREAM_TABLE, "/streams1", "Length", -1, 94, CIM_FIELD_NUMBER, 0, 4},
	{CIM_STRUCT_STREAM_TABLE, "/streams2", "Room", -1, 94, CIM_FIELD_NUMBER, 0, 4},
	{CIM_STRUCT_STREAM_TABLE, "/streams2", "Length", -1, 94, CIM_FIELD_NUMBER, 4, 4},
	{CIM_STRUCT_STREAM_TABLE, "/streams2", "Stream.Descriptor", 1, 77777 | UINT64_C(1) << 56,
	 CIM_FIELD_STREAM, 36, 8},
	{CIM_STRUCT_PE_IMAGE, "/pe.exe", "DataLength", -1, SAMPLE_PE_DATA, CIM_FIELD_NUMBER, 8, 8},
	{CIM_STRUCT_PE_IMAGE, "/pe.exe", "MappingCount", -1, 3, CIM_FIELD_NUMBER, 20, 2},
	{CIM_STRUCT_PE_IMAGE, "/pe.exe", "FileOffset", 1, 0x1600, CIM_FIELD_HEX, 32, 4},
	{CIM_STRUCT_PE_IMAGE, "/pe.exe", "Delta", 2, (uint32_t)-0x1200, CIM_FIELD_HEX, 44, 4},
};

static void test_fields(void)
{
	struct mini *m = mini_sample();

	for (size_t i = 0; i < sizeof(sample_fields) / sizeof(sample_fields[0]); i++) {
		struct wanted w = field_of(m, sample_fields[i].kind, sample_fields[i].path,
					   sample_fields[i].name, sample_fields[i].index);

		is_hex(w.field.value, sample_fields[i].value, "%s of '%s': %s",
		       cim_structure_name(sample_fields[i].kind), sample_fields[i].path,
		       sample_fields[i].name);
		ok(w.field.type == sample_fields[i].type &&
			   w.field.offset == sample_fields[i].offset &&
			   w.field.size == sample_fields[i].size,
		   "its type, offset (%llu) and size (%llu)", (unsigned long long)w.field.offset,
		   (unsigned long long)w.field.size);
	}
	is_str(field_of(m, CIM_STRUCT_LINK_TABLE, "/", "Name", 8).text, "streams2",
	       "the name of a link");
	is_str(field_of(m, CIM_STRUCT_STREAM_TABLE, "/streams2", "Name", 1).text, "two",
	       "the name of a stream, behind the second form's first word");
	is_int(field_of(m, CIM_STRUCT_STREAM_TABLE, "/streams2", "Name", 1).field.offset, 4 + 76,
	       "and its offset in the structure");
	is_str(field_of(m, CIM_STRUCT_REGION_HEADER, "", "Magic", -1).text, "cimfile0",
	       "a region's magic");
	mini_free(m);
}

static void test_names(void)
{
	unsigned unnamed = 0, same = 0;

	for (int i = 0; i < CIM_STRUCT_COUNT; i++) {
		const char *name = cim_structure_name((enum cim_structure_kind)i);

		unnamed += !name || !strcmp(name, "?");
		for (int k = 0; k < i; k++)
			same += !strcmp(name, cim_structure_name((enum cim_structure_kind)k));
	}
	is_int(unnamed, 0, "kinds without a name");
	is_int(same, 0, "kinds of one name");
	is_str(cim_structure_name(CIM_STRUCT_COUNT), "?", "a kind that isn't one");
}

/* ---- other forms ---- */

/* A root with @count files of which the first has a link, and one more record. */
static struct mini *plain_image(unsigned entry_size, size_t count)
{
	struct mini *m = mini_new();
	struct mini_link link;

	m->entry_size = entry_size;
	m->major = 3;
	mini_begin(m, 3, 0);
	mini_field(m, m->root, 88, m->root, 4);
	link = mini_link("f", mini_plain(m, 2, "f", 1), 0);
	for (size_t i = 1; i < count; i++)
		mini_record(m);
	mini_finish_dir(m, "s.cim", 0, &link, 1, false);
	return m;
}

static void test_entry_sizes(void)
{
	static const unsigned sizes[] = {96, 128, 60, 90, 97};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct mini *m = plain_image(sizes[i], 2);
		struct notes *n = notes_new(m);
		const struct noted *file;
		const char *why = complaint(m, n);

		is_str(why, "nothing", "entries of %u bytes, version 3", sizes[i]);
		is_int(n->broken, 0, "nothing is broken");
		file = find(n, CIM_STRUCT_FILE, "/f");
		ok(file && file->size == sizes[i] && file->fielded == sizes[i],
		   "all of a record's bytes are in fields");
		is_int(n->kinds[CIM_STRUCT_FILE], 3, "the record that nothing leads to is told");
		ok(find(n, CIM_STRUCT_FILE, "") && find(n, CIM_STRUCT_FILE, "")->file_id == 3,
		   "without a path");
		free(n);
		mini_free(m);
	}
}

/* Two hundred thousand names in one directory, and two directories that share a table. */
static void test_large(void)
{
	enum { LINKS = 200000 };
	struct mini *m = mini_new();
	struct mini_link *links = calloc(LINKS, sizeof(*links));
	struct notes *n = notes_new(m);
	uint32_t one, two;
	uint64_t offset;
	size_t length;
	struct mini_link dirs[2];
	const char *why;

	mini_begin(m, 3, 0);
	one = mini_record(m);
	two = mini_record(m);
	for (unsigned i = 0; i < LINKS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "N%06u", i);
		links[i] = mini_link(name, mini_plain(m, 2, "x", 1), 0);
	}
	offset = mini_table(m, 0, links, LINKS, 4, false, 0, &length);
	mini_stream(m, one, offset, length, 1, false);
	mini_stream(m, two, offset, length, 1, false);
	dirs[0] = mini_link("one", one, 0);
	dirs[1] = mini_link("two", two, 0);
	mini_finish_dir(m, "s.cim", 0, dirs, 2, true);
	m->fs->peak_bytes = 0;
	why = complaint(m, n);
	is_str(why, "nothing", "a directory of %d files", LINKS);
	is_int(n->kinds[CIM_STRUCT_FILE], LINKS + 3, "all records are told");
	is_int(n->kinds[CIM_STRUCT_LINK_TABLE], 2, "a shared table is told once");
	is_int(n->broken, 0, "nothing is broken");
	ok(m->fs->peak_bytes < (8 << 20), "in less than 8 MiB of memory (%ld bytes)",
	   m->fs->peak_bytes);
	free(links);
	free(n);
	mini_free(m);
}

/* ---- images that can't be opened ---- */

static void test_unopenable(void)
{
	struct mini *m = mini_sample();
	struct notes *n = notes_new(m);
	struct mem_flat *image = mini_find(m, "s.cim");
	struct cim_structure_visitor v = visitor_of(n);
	uint8_t filesystem[8];

	is_status(cim_structures_visit(&m->env, "mem/none", NULL, 0, NULL, &v, NULL, &err),
		  CIM_E_FILE_NOT_FOUND, "an image that isn't there");
	is_status(cim_structures_visit(&m->env, "nowhere/s.cim", NULL, 0, NULL, &v, NULL, &err),
		  CIM_E_PATH_NOT_FOUND, "a directory that isn't there");
	is_status(cim_structures_visit(&m->env, NULL, NULL, 0, NULL, &v, NULL, &err), CIM_E_POINTER,
		  "no path");
	is_status(cim_structures_visit(&m->env, "mem/s.cim", NULL, 0, NULL, NULL, NULL, &err),
		  CIM_E_POINTER, "no visitor");
	is_int(n->calls, 0, "nothing was told of those");

	image->bytes[16] = 9;
	is_status(visit(m, n, NULL), CIM_OK, "an image of version 9");
	is_int(n->kinds[CIM_STRUCT_IMAGE_HEADER], 1, "its header is told");
	is_int(n->broken, 1, "and that it is broken");
	is_status(n->first.status, CIM_E_VERSION, "by its version");
	image->bytes[16] = 2;
	free(n);

	/* The root's FileID is beyond the tables: no tree, but all records. */
	n = notes_new(m);
	memcpy(filesystem, image->bytes + 56, 8);
	filesystem[6] = filesystem[7] = 0;
	{
		struct mem_flat *region = mini_region_file(m, SAMPLE_META);
		size_t at = 0;

		for (int i = 6; i--;)
			at = at << 8 | filesystem[i];
		mini_le(region->bytes + at + 20, 5000, 4);
	}
	is_status(visit(m, n, NULL), CIM_OK, "an image without a root");
	is_int(n->broken, 1, "the filesystem object is told as broken");
	is_int(n->kinds[CIM_STRUCT_FILE], 13, "all records are told");
	is_int(n->kinds[CIM_STRUCT_LINK_TABLE], 3, "and the link tables");
	is_int(n->kinds[CIM_STRUCT_UPCASE_TABLE], 1, "and the upcase table");
	free(n);
	mini_free(m);
}

/* A small image that claims far more structures than it has bytes: tables that overlap. */
static void test_overlap(void)
{
	enum { TABLES = 20000 };
	struct mini *m = plain_image(96, 1000);
	struct notes *n = notes_new(m);
	struct mem_flat *region = mini_region_file(m, 0);
	struct mem_flat *image = mini_find(m, "s.cim");
	uint8_t *directory = calloc(TABLES, 16);
	uint64_t table = 0, at = 0;
	size_t object = 0;
	const char *why;

	for (int i = 6; i--;)
		object = object << 8 | image->bytes[56 + i];
	for (int i = 6; i--;)
		at = at << 8 | region->bytes[object + 8 + (size_t)i];
	for (int i = 8; i--;)
		table = table << 8 | region->bytes[at + (size_t)i];
	for (unsigned i = 0; i < TABLES; i++) {
		mini_le(directory + 16 * (size_t)i, table + i % 7, 8);
		mini_le(directory + 16 * (size_t)i + 8, 1000, 2);
		mini_le(directory + 16 * (size_t)i + 10, 96, 2);
	}
	at = mini_put(m, 0, directory, TABLES * 16, 8);
	region = mini_region_file(m, 0);
	mini_le(region->bytes + object + 8, at, 8);
	mini_le(region->bytes + object + 16, TABLES, 4);
	why = complaint(m, n);
	is_str(why, "nothing", "%d file tables that are one", TABLES);
	ok(n->count < 600000, "not all of their 20,000,000 records are told (%zu structures)",
	   n->count);
	ok(strstr(n->last.cause, "overlap") != NULL, "and it is said: %s", n->last.cause);
	free(directory);
	free(n);
	mini_free(m);
}

/* ---- damage ---- */

static void test_flips(void)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff};
	struct mini *m = mini_sample();
	struct notes *n = notes_new(m);
	struct mem_flat *files[2] = {mini_find(m, "s.cim"), mini_region_file(m, SAMPLE_META)};
	unsigned bad = 0, runs = 0;

	for (size_t f = 0; f < 2; f++)
		for (size_t at = 0; at < files[f]->size; at++)
			for (size_t k = 0; k < sizeof(masks); k++) {
				const char *why;

				memset(n, 0, sizeof(*n));
				n->m = m;
				files[f]->bytes[at] ^= masks[k];
				why = complaint(m, n);
				files[f]->bytes[at] ^= masks[k];
				runs++;
				if (strcmp(why, "nothing") && bad++ < 5)
					diag("%s, byte %zu ^ %02x: %s (%s)", files[f]->name, at,
					     masks[k], why, err.cause);
			}
	is_int(bad, 0, "of %u images with one byte changed, those that go wrong", runs);
	free(n);
	mini_free(m);
}

static void test_cuts(void)
{
	struct mini *m = mini_sample();
	struct notes *n = notes_new(m);
	struct mem_flat *files[3] = {mini_find(m, "s.cim"), mini_region_file(m, SAMPLE_META),
				     mini_region_file(m, SAMPLE_SMALL)};
	unsigned bad = 0, silent = 0, runs = 0;

	for (size_t f = 0; f < 3; f++) {
		const size_t size = files[f]->size;

		for (size_t len = 0; len < size; len++) {
			const char *why;

			memset(n, 0, sizeof(*n));
			n->m = m;
			files[f]->size = len;
			why = complaint(m, n);
			files[f]->size = size;
			runs++;
			silent += !n->broken;
			if (strcmp(why, "nothing") && bad++ < 5)
				diag("%s, %zu bytes: %s (%s)", files[f]->name, len, why, err.cause);
		}
	}
	is_int(bad, 0, "of %u images with a file cut short, those that go wrong", runs);
	is_int(silent, 0, "of them, those of which nothing is told as broken");
	free(n);
	mini_free(m);
}

/* ---- faults and stops ---- */

static void test_faults(void)
{
	struct mini *m = mini_sample();
	struct notes *n = notes_new(m);
	unsigned leaks = 0, odd = 0, allocations;
	enum cim_status status = CIM_E_NO_MEMORY;

	for (allocations = 0; status && allocations < 100000; allocations++) {
		memset(n, 0, sizeof(*n));
		n->m = m;
		m->fs->fail_alloc = m->fs->allocs + allocations + 1;
		status = visit(m, n, NULL);
		m->fs->fail_alloc = 0;
		odd += status && status != CIM_E_NO_MEMORY;
		leaks += left_behind(m);
	}
	ok(allocations > 10, "%u allocations fail, one after the other", allocations - 1);
	is_int(odd, 0, "other answers than CIM_E_NO_MEMORY");
	is_int(leaks, 0, "calls that left something behind");
	free(n);
	mini_free(m);
}

/* Opens and reads fail, one after the other, @on: with all that follow. @spread: of the objects. */
static void test_io_faults(bool on, size_t spread)
{
	struct notes *n;
	struct mini *m;
	unsigned leaks = 0, odd = 0, ios;

	mini_spread = spread;
	m = mini_sample();
	n = notes_new(m);
	for (ios = 0; ios < 100000; ios++) {
		enum cim_status status;

		memset(n, 0, sizeof(*n));
		n->m = m;
		m->fs->failed = 0;
		m->fs->fail_at = m->fs->ops + ios + 1;
		m->fs->fail_on = on;
		m->fs->fail_status = CIM_E_IO;
		status = visit(m, n, NULL);
		/* What didn't happen this time mustn't happen next time. */
		m->fs->fail_at = 0;
		if (!m->fs->failed)
			break;
		/* An open that fails is tried again if files can be closed for it. */
		odd += status != CIM_E_IO && (status || on);
		leaks += left_behind(m);
	}
	ok(ios > 20, "%u opens and reads fail, one after the other%s", ios,
	   on ? ", and go on" : "");
	is_int(odd, 0, "other answers than CIM_E_IO");
	is_int(leaks, 0, "calls that left something behind");
	free(n);
	mini_free(m);
}

static void test_stops(void)
{
	struct mini *m = mini_sample();
	struct notes *n = notes_new(m);
	unsigned odd = 0, leaks = 0;
	uint64_t calls;

	m->files[m->region_file[SAMPLE_SMALL]].size = 44; /* something to be told as broken */
	is_status(visit(m, n, NULL), CIM_OK, "counting the calls");
	calls = n->calls;
	for (uint64_t i = 1; i <= calls; i++) {
		memset(n, 0, sizeof(*n));
		n->m = m;
		n->stop_at = i;
		odd += visit(m, n, NULL) != CIM_E_ABORTED || n->calls != i;
		leaks += left_behind(m);
	}
	ok(calls > 200, "the visitor stops at each of %llu calls", (unsigned long long)calls);
	is_int(odd, 0, "times that that wasn't the last, or not CIM_E_ABORTED");
	is_int(leaks, 0, "times that something was left behind");
	free(n);
	mini_free(m);
}

static void test_no_functions(void)
{
	struct mini *m = mini_sample();
	struct cim_structure_visitor v = {CIM_SIZED(v)};
	uint64_t broken = 0;

	m->files[m->region_file[SAMPLE_SMALL]].size = 44;
	is_status(cim_structures_visit(&m->env, "mem/s.cim", NULL, 0, NULL, &v, &broken, NULL),
		  CIM_OK, "a visitor without functions");
	ok(broken > 0, "learns that something is broken (%llu)", (unsigned long long)broken);
	mini_free(m);
}

/* ---- segments ---- */

static uint32_t id_of(struct cim_image *image, const char *path)
{
	uint32_t id = 0;

	if (cim_image_lookup(image, cim_str8(path), &id, &err))
		diag("%s: %s", path, err.cause);
	return id;
}

static const struct cim_str no_stream;

/* The pieces of a PE image, whose data lie in another order than its bytes. */
static void try_pe_segments(struct mini *m, struct cim_image *image)
{
	const struct mem_flat *file = mini_region_file(m, SAMPLE_DATA);
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_segment s = {CIM_SIZED(s)};
	uint64_t offset = 0;
	unsigned pieces = 0, wrong = 0;

	if (cim_image_get_data(image, id_of(image, "pe.exe"), no_stream, &data, &err))
		bail("%s", err.cause);
	while (offset < data.size && pieces < 100) {
		uint64_t end = pieces < SAMPLE_PE_MAPPINGS ? sample_pe_mappings[pieces].file_offset
							   : SAMPLE_PE;
		uint64_t in_file;

		if (cim_image_get_segment(image, &data, offset, &s, &err)) {
			diag("%s", err.cause);
			break;
		}
		in_file = s.place & CIM_MAX_STREAM;
		wrong += s.offset != offset || s.offset + s.len != end || !s.stored ||
			 s.place >> 48 != SAMPLE_DATA ||
			 s.in_object != mini_pe_place(sample_pe_mappings, SAMPLE_PE_MAPPINGS,
						      (size_t)offset) ||
			 in_file + s.len > file->size;
		for (uint64_t i = 0; i < s.len && in_file + s.len <= file->size; i++)
			wrong += file->bytes[in_file + i] !=
				 sample_byte(9, (size_t)(s.in_object + i));
		pieces++;
		offset += s.len;
	}
	is_int(pieces, SAMPLE_PE_MAPPINGS + 1, "the pieces of a PE image");
	is_int(wrong, 0, "those that are elsewhere, or bytes in them that are others");
	is_status(cim_image_get_segment(image, &data, 0x1000, &s, &err), CIM_OK,
		  "from the middle of a piece on");
	ok(s.offset == 0x1000 && s.len == 0x600 && s.in_object == 0x1c00,
	   "its rest: 0x%llx, 0x%llx bytes, at 0x%llx", (unsigned long long)s.offset,
	   (unsigned long long)s.len, (unsigned long long)s.in_object);
	is_status(cim_image_get_segment(image, &data, SAMPLE_PE, &s, &err), CIM_E_EOF,
		  "at the end");
	is_int(s.len, 0, "nothing is there");
}

static void test_segments(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image = mini_open(m, "mem/s.cim");
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_segment s = {CIM_SIZED(s)};

	try_pe_segments(m, image);
	if (cim_image_get_data(image, id_of(image, "Alpha.txt"), no_stream, &data, &err))
		bail("%s", err.cause);
	is_status(cim_image_get_segment(image, &data, 100, &s, &err), CIM_OK, "a plain stream");
	ok(s.offset == 100 && s.len == SAMPLE_ALPHA - 100 && s.stored && s.in_object == 100 &&
		   s.place >> 48 == SAMPLE_PARENT_DATA && (s.place & CIM_MAX_STREAM) == 4096 + 100,
	   "is one piece, in its parent's region");
	if (cim_image_get_data(image, id_of(image, "sparse"), no_stream, &data, &err))
		bail("%s", err.cause);
	is_status(cim_image_get_segment(image, &data, 1, &s, &err), CIM_OK, "a sparse stream");
	ok(s.offset == 1 && s.len == SAMPLE_SPARSE - 1 && !s.stored && !s.place,
	   "is one piece that is stored nowhere");
	if (cim_image_get_data(image, id_of(image, "zero"), no_stream, &data, &err))
		bail("%s", err.cause);
	is_status(cim_image_get_segment(image, &data, 0, &s, &err), CIM_E_EOF, "an empty stream");
	cim_image_close(image);
	ok(!left_behind(m), "nothing is left behind");
	mini_free(m);
}

/* The data of a stream is the caller's: forged, it must not lead out of the image. */
static void test_forged_segment(void)
{
	struct mini *m = mini_sample();
	struct cim_image *image;
	struct cim_segment s = {CIM_SIZED(s)};
	static const uint64_t places[] = {0, 40, UINT64_C(99) << 48 | 40,
					  (uint64_t)SAMPLE_META << 48 | 0xffffff, UINT64_MAX};

	image = mini_open(m, "mem/s.cim");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct cim_data data = {CIM_SIZED(data), .size = UINT64_C(1) << 40,
					.priv = {places[i], 0}};

		is_status(cim_image_get_segment(image, &data, 5, &s, &err), CIM_E_CORRUPT,
			  "a stream that lies nowhere");
		data.pe = true;
		is_status(cim_image_get_segment(image, &data, 5, &s, &err), CIM_E_CORRUPT,
			  "and as a PE image");
	}
	cim_image_close(image);
	mini_free(m);
}

int main(void)
{
	test_sample();
	test_fields();
	test_names();
	test_entry_sizes();
	test_large();
	test_unopenable();
	test_overlap();
	test_flips();
	test_cuts();
	test_faults();
	test_io_faults(false, 1);
	test_io_faults(true, 1);
	test_io_faults(false, 65536);
	test_io_faults(true, 65536);
	mini_spread = 1;
	test_stops();
	test_no_functions();
	test_segments();
	test_forged_segment();
	return tap_done();
}
