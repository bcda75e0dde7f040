/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_check.c - the checker, and the store of a directory's files
 *
 * The images come from imagecases.py, which knows nothing of the library. For each, the check must
 * find what the manifest says; a good one must have no finding besides. Whatever an image is, its
 * whole tree is walked and read as well: that may fail, but must end.
 *
 * And each gives all the findings, in the words, that malformed/findings.txt has; where one is
 * meant to change, --write writes that anew, for a person to read the difference.
 *
 *   t_check                  the test
 *   t_check --findings FILE  print what a deep check of an image finds
 *   t_check --write FILE     write what each image's check finds, and nothing else
 */
#include <inttypes.h>
#include <sys/stat.h>

#include "../core/record.h"
#include "testenv.h"

/* ---- findings ---- */

enum { MOST_TOLD = 40, CACHE_BLOCK = 4096 };

static const char *const severities[] = {"note", "warning", "error"};

struct wanted {
	const char *what, *text;
	bool found;
};

struct findings {
	struct wanted wanted[16];
	size_t wanted_count;
	bool strict; /* a finding that isn't wanted counts */
	unsigned count, unwanted;
	unsigned stop_after; /* 0: never */
	char first_unwanted[600];
	unsigned severities[3];
	uint32_t words;	    /* a digest of all that was said */
	uint32_t read;	    /* and of all that was read */
	FILE *all;	    /* where each is told */
	unsigned most_told; /* 0: MOST_TOLD */
};

/* FNV-1a */
static void add_words(struct findings *findings, const char *words)
{
	for (; *words; words++)
		findings->words = (findings->words ^ (uint8_t)*words) * 16777619u;
}

static int on_finding(void *ctx, const struct cim_finding *finding)
{
	struct findings *findings = ctx;
	const char *severity = severities[finding->severity];
	bool is_wanted = false;

	findings->count++;
	findings->severities[finding->severity]++;
	add_words(findings, finding->structure);
	add_words(findings, finding->path);
	add_words(findings, finding->message);
	if (findings->all &&
	    findings->count <= (findings->most_told ? findings->most_told : MOST_TOLD))
		fprintf(findings->all, "%s: %s at 0x%" PRIx64 ": %s: %s\n", severity,
			finding->structure, finding->offset, finding->path, finding->message);
	for (size_t i = 0; i < findings->wanted_count; i++) {
		struct wanted *wanted = &findings->wanted[i];

		if (!strcmp(wanted->what, severity) && strstr(finding->message, wanted->text))
			wanted->found = is_wanted = true;
	}
	if (!is_wanted && !findings->unwanted++)
		snprintf(findings->first_unwanted, sizeof(findings->first_unwanted),
			 "%s: %s: %s: %s", severity, finding->structure, finding->path,
			 finding->message);
	return findings->stop_after && findings->count >= findings->stop_after;
}

/* ---- one image ---- */

/* What an image gives to who reads all of it: how many items, and a digest of the whole. */
struct reading {
	struct cim_image *image;
	unsigned items;
	uint32_t digest;
};

static void take(struct reading *r, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		r->digest = (r->digest ^ ((const uint8_t *)bytes)[i]) * 16777619u;
}

static void take_number(struct reading *r, uint64_t number)
{
	take(r, &number, sizeof(number));
}

/* What failed is a part of it, with the reason. */
static bool taken(struct reading *r, enum cim_status status, const struct cim_error *err)
{
	take_number(r, status);
	if (status)
		take(r, err->cause, strlen(err->cause));
	return !status;
}

static void take_info(struct reading *r, const struct cim_file_info *info)
{
	const uint64_t numbers[] = {
		info->file_id,	     info->parent_id,
		info->attributes,    info->flags,
		info->ea_size,	     info->reparse_tag,
		info->creation_time, info->last_write_time,
		info->change_time,   info->last_access_time,
		info->size,	     info->is_directory,
		info->is_sparse,     info->is_pe_image,
		info->has_security,  info->has_ea,
		info->has_reparse,   info->has_streams,
	};

	take(r, numbers, sizeof(numbers));
}

static void take_data(struct reading *r, uint32_t file_id, struct cim_str stream)
{
	static uint8_t buf[65536];
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_error err;
	size_t got;

	if (!taken(r, cim_image_get_data(r->image, file_id, stream, &data, &err), &err))
		return;
	take_number(r, data.size);
	take_number(r, data.sparse);
	for (uint64_t at = 0; at < data.size && !data.sparse; at += got) {
		if (!taken(r, cim_image_read(r->image, &data, at, buf, sizeof(buf), &got, &err),
			   &err) ||
		    !got)
			break;
		/* Large ones by samples: a byte of 64. */
		for (size_t i = 0; i<got; i += got> 4096 ? 61 : 1)
			take(r, buf + i, 1);
	}
}

static void take_streams(struct reading *r, uint32_t file_id)
{
	const struct cim_entry *entry;
	struct cim_iter *iter;
	struct cim_error err;
	unsigned failures = 0;

	if (!taken(r, cim_iter_streams(r->image, file_id, &iter, &err), &err))
		return;
	for (;;) {
		if (!taken(r, cim_iter_next(iter, &entry, &err), &err)) {
			if (failures++ < 100)
				continue;
			break;
		}
		if (!entry)
			break;
		take(r, entry->utf8, strlen(entry->utf8));
		take_data(r, file_id, cim_str8(entry->utf8));
	}
	cim_iter_close(iter);
}

static void take_item(struct reading *r, const struct cim_walk_item *item)
{
	static uint8_t buf[65536];
	const uint32_t id = item->info->file_id;
	struct cim_error err;
	size_t size;

	r->items++;
	take(r, item->path, strlen(item->path));
	take_number(r, item->dir_id);
	take_number(r, item->depth);
	take_info(r, item->info);
	for (int which = CIM_BLOB_SECURITY; which <= CIM_BLOB_REPARSE; which++)
		if (taken(r,
			  cim_image_get_blob(r->image, id, (enum cim_blob)which, buf, sizeof(buf),
					     &size, &err),
			  &err))
			take(r, buf, size);
	take_data(r, id, cim_str8(NULL));
	take_streams(r, id);
}

static struct reading read_all(struct cim_image *image)
{
	struct reading r = {image, 0, 2166136261u};
	const struct cim_walk_item *item;
	unsigned failures = 0;
	struct cim_walk *walk;
	struct cim_error err;

	if (!taken(&r, cim_walk_open(image, cim_image_get_info(image)->root_id, &walk, &err), &err))
		return r;
	for (;;) {
		enum cim_status status = cim_walk_next(walk, &item, &err);

		taken(&r, status, &err);
		if (status == CIM_E_CORRUPT && failures++ < 10000)
			continue;
		if (status || !item)
			break;
		take_item(&r, item);
	}
	cim_walk_close(walk);
	return r;
}

static struct cim_env counted_env(struct test_memory *memory)
{
	struct cim_env env = test_env(memory), whole = *cim_env_default();

	whole.mem = env.mem;
	return whole;
}

/* Open, check and read an image. */
static enum cim_status check_image(const char *path, unsigned flags, struct findings *findings,
				   uint64_t *errors, unsigned *items, struct cim_error *err)
{
	struct test_memory memory;
	struct cim_env env = counted_env(&memory);
	struct cim_image *image;
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct reading read = {0};
	enum cim_status status;

	status = cim_image_open(&env, path, &image, err);
	if (!status) {
		status = cim_image_verify(image, flags, on_finding, findings, &result, err);
		read = read_all(image);
		cim_image_close(image);
	}
	*errors = result.errors;
	*items = read.items;
	findings->read = read.digest;
	if (findings->all)
		fprintf(findings->all,
			"%s%s, %u findings, %u items; streams: %" PRIu64 ", %" PRIu64
			" with a digest; metadata: %" PRIu64 ", %" PRIu64 "; read: %08x\n",
			status ? err->cause : "", status ? "" : "checked", findings->count, *items,
			result.streams, result.streams_digest, result.metadata,
			result.metadata_digest, (unsigned)read.digest);
	if (memory.in_use)
		diag("%s: %ld blocks of memory are lost", path, memory.in_use);
	return memory.in_use ? CIM_E_NO_MEMORY : status;
}

/* ---- the manifest ---- */

struct row {
	const char *kind, *name, *path;
	unsigned flags;
	struct findings findings;
};

static bool parse_row(char *line, struct row *row)
{
	char *fields[40] = {0};
	size_t count = 0;

	line[strcspn(line, "\n")] = '\0';
	while (count < 40) {
		fields[count++] = line;
		line = strchr(line, '\t');
		if (!line)
			break;
		*line++ = '\0';
	}
	if (count < 4 || count % 2)
		return false;
	memset(row, 0, sizeof(*row));
	row->kind = fields[0];
	row->name = fields[1];
	row->path = fields[2];
	row->flags = *fields[3] == '1' ? CIM_VERIFY_DEEP : 0;
	for (size_t i = 4; i < count; i += 2)
		row->findings.wanted[row->findings.wanted_count++] =
			(struct wanted){fields[i], fields[i + 1], false};
	return true;
}

static void test_good(struct row *row)
{
	struct findings *findings = &row->findings;
	enum cim_status status;
	struct cim_error err;
	uint64_t errors;
	unsigned items;

	status = check_image(row->path, row->flags, findings, &errors, &items, &err);
	if (!ok(!status && !errors && items > 0, "%s: sound, %u items", row->name, items))
		diag("  status %s, %" PRIu64 " errors, %s", cim_status_name(status), errors,
		     status ? err.cause : findings->first_unwanted);
	for (size_t i = 0; i < findings->wanted_count; i++)
		ok(findings->wanted[i].found, "%s: the check finds a %s with '%s'", row->name,
		   findings->wanted[i].what, findings->wanted[i].text);
	if (!ok(!findings->unwanted, "%s: nothing else is found", row->name))
		diag("  %s", findings->first_unwanted);
}

static void test_bad(struct row *row)
{
	struct findings *findings = &row->findings;
	const struct wanted *wanted = &findings->wanted[0];
	enum cim_status status, want = CIM_OK;
	struct cim_error err = {0};
	uint64_t errors;
	unsigned items;
	bool fine;

	status = check_image(row->path, row->flags, findings, &errors, &items, &err);
	if (!strcmp(wanted->what, "open"))
		want = CIM_E_CORRUPT;
	else if (!strcmp(wanted->what, "version"))
		want = CIM_E_VERSION;
	if (want)
		fine = status == want && strstr(err.cause, wanted->text);
	else
		fine = !status && wanted->found &&
		       (strcmp(wanted->what, "error") == 0) == (errors > 0);
	if (!ok(fine, "%s: %s '%s'", row->name, wanted->what, wanted->text))
		diag("  status %s, %" PRIu64 " errors, %s", cim_status_name(status), errors,
		     status ? err.cause : findings->first_unwanted);
}

/* ---- one byte ---- */

/* One byte of a file is another for the time of a check. */
static void flip(const char *path, long at)
{
	FILE *file = fopen(path, "r+b");
	int c = EOF;

	if (!file || fseek(file, at, at < 0 ? SEEK_END : SEEK_SET) || (c = getc(file)) == EOF)
		bail("no byte %ld in %s", at, path);
	fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
	putc(c ^ 1, file);
	fclose(file);
}

/* What each byte of the headers and of the last tables changes, in findings.txt's words too. */
static void tell_bytes(const char *dir, FILE *all)
{
	static const struct {
		const char *name;
		long from, to; /* below 0: from the end */
	} ranges[] = {
		{"image.cim", 0, 72},
		{"region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0", 0, 40},
		{"region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0", -48, 0},
		{"objectid_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0", 0, 48},
	};
	char path[1024], image[1024];

	snprintf(image, sizeof(image), "%s/basic/image.cim", dir);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (long at = ranges[i].from; at < ranges[i].to; at++) {
			struct findings findings = {.all = all, .most_told = 3};
			struct cim_error err;
			uint64_t errors;
			unsigned items;

			snprintf(path, sizeof(path), "%s/basic/%s", dir, ranges[i].name);
			fprintf(all, "== basic: byte %ld of %.8s\n", at, ranges[i].name);
			flip(path, at);
			check_image(image, CIM_VERIFY_DEEP, &findings, &errors, &items, &err);
			flip(path, at);
		}
}

/* A group of bytes of the metadata, each flipped in turn: how much is found, and a digest of the
 * words. */
static void tell_group(const char *dir, const char *name, long from, long to, FILE *all)
{
	struct findings sum = {0};
	unsigned refused = 0, items = 0;
	char path[1100], image[1100];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(image, sizeof(image), "%s/image.cim", dir);
	for (long at = from; at < to; at += 2) {
		struct findings findings = {0};
		struct cim_error err;
		uint64_t errors;
		unsigned found;

		flip(path, at);
		if (check_image(image, CIM_VERIFY_DEEP, &findings, &errors, &found, &err)) {
			refused++;
			add_words(&sum, err.cause);
		}
		flip(path, at);
		items += found;
		for (unsigned i = 0; i < 3; i++)
			sum.severities[i] += findings.severities[i];
		sum.words = (sum.words ^ findings.words) * 16777619u;
		sum.read = (sum.read ^ findings.read) * 16777619u;
	}
	fprintf(all,
		"bytes %ld to %ld: %u refused, %u errors, %u warnings, %u notes, %u items, words "
		"%08x, read %08x\n",
		from, to, refused, sum.severities[2], sum.severities[1], sum.severities[0], items,
		(unsigned)sum.words, (unsigned)sum.read);
}

/* All metadata but the upcase table, which lies behind them. */
static void tell_metadata(const char *dir, FILE *all)
{
	static const struct {
		const char *image, *name;
		long size;
	} files[] = {
		{"basic", "region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0", 2736},
		{"pe-images", "region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0", 984},
		{"our-digests", "region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0", 520},
		{"our-digests", "objectid_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0", 288},
	};
	char path[1024];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		fprintf(all, "== %s: every second byte of %.8s\n", files[i].image, files[i].name);
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].image);
		for (long at = 40; at < files[i].size; at += 64)
			tell_group(path, files[i].name, at,
				   at + 64 < files[i].size ? at + 64 : files[i].size, all);
	}
}

/* ---- all findings ---- */

/* Line by line; the first that differ are shown. */
static void same_findings(const char *got_path, const char *want_path)
{
	FILE *got = fopen(got_path, "r"), *want = fopen(want_path, "r");
	char a[4096], b[4096], name[4096] = "";
	unsigned lines = 0, differ = 0;

	if (!got || !want)
		bail("no %s", want ? got_path : want_path);
	for (;; lines++) {
		const bool more = fgets(a, sizeof(a), got), as_many = fgets(b, sizeof(b), want);

		if (!more || !as_many) {
			differ += more != as_many;
			break;
		}
		if (!strncmp(a, "== ", 3))
			strcpy(name, a);
		if (strcmp(a, b) && differ++ < 5)
			diag("%s got:  %s want: %s", name, a, b);
	}
	fclose(got);
	fclose(want);
	if (!is_int(differ, 0, "the %u lines of all findings are those of findings.txt", lines))
		diag("if they are meant to differ: t_check --write %s", want_path);
}

static void test_manifest(const char *dir, const char *all_path)
{
	char path[1024], line[4096];
	unsigned rows = 0;
	struct row row;
	FILE *file, *all = fopen(all_path, "w");

	snprintf(path, sizeof(path), "%s/manifest", dir);
	file = fopen(path, "r");
	if (!file || !all)
		bail("no %s", file ? all_path : path);
	while (fgets(line, sizeof(line), file)) {
		if (!parse_row(line, &row))
			bail("a bad line in %s: %s", path, line);
		rows++;
		fprintf(all, "== %s\n", row.name);
		row.findings.all = all;
		if (!strcmp(row.kind, "good"))
			test_good(&row);
		else
			test_bad(&row);
	}
	fclose(file);
	tell_bytes(dir, all);
	tell_metadata(dir, all);
	fclose(all);
	ok(rows > 150, "%u hand-made images were checked", rows);
}

/* ---- stopping ---- */

static int stop_progress(void *ctx, const struct cim_progress *progress)
{
	unsigned *calls = ctx;

	(void)progress;
	return ++*calls >= 3;
}

static void test_stopping(const char *dir)
{
	struct findings findings = {.stop_after = 2};
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_env env = *cim_env_default();
	struct cim_image *image;
	struct cim_error err;
	unsigned calls = 0;
	char path[1024];

	snprintf(path, sizeof(path), "%s/unknown-fields/image.cim", dir);
	if (cim_image_open(NULL, path, &image, &err))
		bail("%s: %s", path, err.cause);
	is_int(cim_image_verify(image, 0, on_finding, &findings, NULL, &err), CIM_E_ABORTED,
	       "a caller who has seen enough ends the check");
	is_int(findings.count, 2, "no finding is told after that");
	is_int(cim_image_verify(image, 0x80, NULL, NULL, NULL, NULL), CIM_E_INVALID,
	       "unknown flags are refused");
	is_int(cim_image_verify(image, 0, NULL, NULL, NULL, NULL), CIM_OK,
	       "findings, count and detail may be of no interest");
	cim_image_close(image);

	env.progress = stop_progress;
	env.progress_ctx = &calls;
	snprintf(path, sizeof(path), "%s/wide/image.cim", dir);
	if (cim_image_open(&env, path, &image, &err))
		bail("%s: %s", path, err.cause);
	is_int(cim_image_verify(image, 0, NULL, NULL, &result, &err), CIM_E_ABORTED,
	       "the progress callback ends the check");
	ok(!result.errors && result.metadata > 0,
	   "what was seen until then is counted: %llu pieces", (unsigned long long)result.metadata);
	is_int(calls, 3, "it isn't called again after that");
	cim_image_close(image);
}

static enum cim_status open_and_check(struct test_memory *memory, struct cim_env *env,
				      const char *path, struct findings *findings, uint64_t *errors)
{
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct cim_image *image;
	enum cim_status status = cim_image_open(env, path, &image, NULL);

	if (!status) {
		status = cim_image_verify(image, CIM_VERIFY_DEEP, on_finding, findings, &result,
					  NULL);
		cim_image_close(image);
	}
	*errors = result.errors;
	if (memory->in_use)
		diag("%ld blocks are lost", memory->in_use);
	return memory->in_use ? CIM_E_IO : status;
}

/* Every allocation of a deep check fails, it alone and with all that follow; each time the check
 * must say so and leave nothing. */
static void test_no_memory(const char *dir, const char *name)
{
	struct test_memory memory;
	struct cim_env env = counted_env(&memory);
	struct findings none = {0};
	unsigned calls, odd = 0;
	uint64_t errors;
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s/image.cim", dir, name);
	is_int(open_and_check(&memory, &env, path, &none, &errors), CIM_OK, "memory suffices");
	calls = memory.calls;
	for (unsigned failing = 1; failing <= 2 * calls; failing++) {
		struct findings findings = {0};
		enum cim_status status;

		memory.calls = memory.failed = 0;
		memory.spare = CACHE_BLOCK;
		memory.fail_once = failing > calls;
		memory.fail_at = memory.fail_once ? failing - calls : failing;
		status = open_and_check(&memory, &env, path, &findings, &errors);
		if (status == CIM_E_NO_MEMORY && !errors && findings.count <= none.count)
			continue;
		/* What a block of the cache has no room for is read past it. */
		if (!memory.failed && !status && findings.count == none.count)
			continue;
		odd++;
		diag("%s %u of %u fails: %s, %u findings", memory.fail_once ? "only" : "from",
		     memory.fail_at, calls, cim_status_name(status), findings.count);
	}
	ok(calls > 10, "%s: the check allocates %u times", name, calls);
	is_int(odd, 0,
	       "%s: whichever fails, the check says so, loses none and finds nothing broken", name);
}

/* ---- random damage ---- */

/* Overwrite a few bytes of an image's files, check and read it, and put them back. */
static void test_damage(const char *dir)
{
	static const char *const names[] = {
		"image.cim",
		"region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0",
		"region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0",
		"region_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0",
		"objectid_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0_0",
	};
	/* Where the metadata are: most of the region is the upcase table. */
	const long metadata = 5000;
	unsigned rounds = 600, refused = 0, broken = 0, lost = 0;
	char path[1024], image[1024];

	snprintf(image, sizeof(image), "%s/basic/image.cim", dir);
	for (unsigned round = 0; round < rounds; round++) {
		struct findings findings = {0};
		const char *name = names[test_below(5)];
		uint8_t old[8], new[8];
		enum cim_status status;
		uint64_t errors;
		unsigned items;
		FILE *file;
		long size, at;

		snprintf(path, sizeof(path), "%s/basic/%s", dir, name);
		file = fopen(path, "r+b");
		if (!file)
			bail("no %s", path);
		fseek(file, 0, SEEK_END);
		size = ftell(file);
		at = (long)test_below(size > metadata ? metadata : (uint64_t)size - 8);
		if (size > metadata && test_below(4) == 0)
			at = size - 8 - (long)test_below(100); /* the last tables */
		fseek(file, at, SEEK_SET);
		if (fread(old, 1, 8, file) != 8)
			bail("%s is short", path);
		memcpy(new, old, 8);
		for (uint64_t n = 1 + test_below(4), i = 0; i < n; i++)
			new[test_below(8)] = test_below(2) ? (uint8_t)test_random()
							   : (uint8_t)(test_below(2) ? 0xff : 0);
		fseek(file, at, SEEK_SET);
		fwrite(new, 1, 8, file);
		fclose(file);
		status = check_image(image, CIM_VERIFY_DEEP, &findings, &errors, &items, NULL);
		refused += status == CIM_E_CORRUPT || status == CIM_E_VERSION;
		broken += !status && errors;
		lost += status && status != CIM_E_CORRUPT && status != CIM_E_VERSION;
		file = fopen(path, "r+b");
		fseek(file, at, SEEK_SET);
		fwrite(old, 1, 8, file);
		fclose(file);
	}
	is_int(lost, 0, "%u damaged images: %u refused, %u with errors, none with another end",
	       rounds, refused, broken);
	ok(refused > 0 && broken > 0, "damage is noticed");
}

/* ---- the store ---- */

static void put_file(const char *dir, const char *name, const void *bytes, size_t size)
{
	char path[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
		bail("can't write %s", path);
}

#define SET_A  "aaaaaaaa-0000-4000-8000-00000000000a"
#define SET_B  "bbbbbbbb-0000-4000-8000-00000000000b"
#define SET_C  "cccccccc-0000-4000-8000-00000000000c"
#define RANDOM "0123456789abcdef"
#define OTHER  "fedcba9876543210"

/* An image that names @count sets, its own first. */
static void put_image(const char *dir, const char *name, const char *const *sets, size_t count)
{
	uint8_t bytes[CIM_SIZE(filesystem_header) + 8 * CIM_SIZE(region_set)] = {0};
	const size_t size = CIM_SIZE(filesystem_header) + (count - 1) * CIM_SIZE(region_set);
	struct cim_guid guid;

	cim_common_header_encode(bytes, (uint32_t)size, CIM_FILE_FILESYSTEM, 2, 0);
	for (size_t i = 0; i < count; i++) {
		if (!cim_guid_parse(sets[i], &guid))
			bail("a bad GUID: %s", sets[i]);
		cim_region_set_encode(i ? bytes + CIM_SIZE(filesystem_header) +
						      (i - 1) * CIM_SIZE(region_set)
					: bytes + CIM_OFF(filesystem_header, set),
				      &guid, 3);
	}
	cim_put64(bytes + CIM_OFF(filesystem_header, filesystem), 4096);
	cim_put16(bytes + CIM_OFF(filesystem_header, parent_count), (uint16_t)(count - 1));
	put_file(dir, name, bytes, size);
}

static void put_set(const char *dir, const char *guid)
{
	char name[80];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "region_%s_%d", guid, i);
		put_file(dir, name, "region", 6);
		snprintf(name, sizeof(name), "objectid_%s_%d", guid, i);
		put_file(dir, name, "ids", 3);
	}
}

static const struct cim_store_file *find(struct cim_store *store, const char *name)
{
	const struct cim_store_file *file;

	for (size_t i = 0; (file = cim_store_get(store, i)); i++)
		if (!strcmp(file->name, name))
			return file;
	return NULL;
}

static size_t count_files(struct cim_store *store)
{
	size_t count = 0;

	while (cim_store_get(store, count))
		count++;
	return count;
}

static const char *const not_ours[] = {
	"notes.txt",
	"region_" SET_A "_03",
	"region_" SET_A "_3x",
	"region_" SET_A "_",
	"region_" SET_A,
	"region_{" SET_A "}_0",
	"region_AAAAAAAA-0000-4000-8000-00000000000A_0",
	"region_" SET_A "_65536",
	"region_" SET_A "_99999999999",
	"Region_" SET_A "_0",
	"objectid_0",
	"cimtmp_notes",
	"cimtmp__0",
	"cimtmp_" RANDOM,
	"cimtmp_" RANDOM "_",
	"cimtmp_" RANDOM "_0.bak",
	"xcimtmp_" RANDOM "_0",
};

static void fill_store(const char *dir)
{
	const char *const base[] = {SET_A};
	const char *const fork[] = {SET_B, SET_A};
	const char *const twice[] = {SET_B, SET_A, SET_A};
	uint8_t region[CIM_SIZE(common_header)];

	mkdir(dir, 0777);
	put_image(dir, "base.cim", base, 1);
	put_image(dir, "fork.cim", fork, 2);
	put_image(dir, "no extension", twice, 3);
	put_set(dir, SET_A);
	put_set(dir, SET_B);
	put_set(dir, SET_C);
	put_file(dir, "region_" SET_A "_65535", "", 0);
	put_file(dir, "cimtmp_" RANDOM "_0", "", 0);
	put_file(dir, "cimtmp_" RANDOM "_o0", "", 0);
	put_file(dir, "cimtmp_" OTHER "_fs", "", 0);
	for (size_t i = 0; i < sizeof(not_ours) / sizeof(*not_ours); i++)
		put_file(dir, not_ours[i], "text", 4);
	cim_common_header_encode(region, 40, CIM_FILE_REGION, 2, 0);
	put_file(dir, "a copy of a region", region, sizeof(region));
}

static void is_owned(struct cim_store *store, const char *name, unsigned owners, bool in_use)
{
	const struct cim_store_file *file = find(store, name);

	if (!ok(file, "%s is listed", name))
		return;
	is_int(file->owners, owners, "%s has %u owners", name, owners);
	ok(!(file->flags & CIM_STORE_IN_USE) == !in_use, "%s is%s in use", name,
	   in_use ? "" : "n't");
	ok(!(file->flags & CIM_STORE_BROKEN), "%s isn't broken", name);
}

static void test_store(const char *dir)
{
	const struct cim_store_file *file;
	struct cim_store *store;
	struct cim_error err;
	struct cim_guid guid;

	fill_store(dir);
	if (cim_store_open(NULL, dir, false, &store, &err))
		bail("%s: %s", dir, err.cause);
	is_int(count_files(store), 3 + 3 * 6 + 1 + 3, "every file of ours is listed, none else");
	for (size_t i = 0; i < sizeof(not_ours) / sizeof(*not_ours); i++)
		ok(!find(store, not_ours[i]), "%s isn't listed", not_ours[i]);
	for (size_t i = 1; (file = cim_store_get(store, i)); i++)
		if (strcmp(cim_store_get(store, i - 1)->name, file->name) >= 0)
			ok(false, "%s is sorted by name", file->name);
	is_owned(store, "region_" SET_A "_0", 3, false);
	is_owned(store, "objectid_" SET_A "_2", 3, false);
	is_owned(store, "region_" SET_A "_65535", 3, false);
	is_owned(store, "region_" SET_B "_1", 2, false);
	is_owned(store, "region_" SET_C "_0", 0, false);
	is_owned(store, "cimtmp_" RANDOM "_0", 0, false);
	is_owned(store, "cimtmp_" OTHER "_fs", 0, false);
	file = find(store, "objectid_" SET_B "_2");
	cim_guid_parse(SET_B, &guid);
	ok(file->kind == CIM_KIND_OBJECT_ID && file->index == 2 && file->size == 3 &&
		   !memcmp(&file->set, &guid, sizeof(guid)),
	   "kind, index, size and set of an object ID file");
	is_str(cim_store_owner(store, &guid, 0), "fork.cim", "the first owner of set B");
	is_str(cim_store_owner(store, &guid, 1), "no extension", "the second owner of set B");
	is_str(cim_store_owner(store, &guid, 2), NULL, "there is no third");
	file = find(store, "fork.cim");
	ok(file->kind == CIM_KIND_IMAGE && !memcmp(&file->set, &guid, sizeof(guid)),
	   "an image's set is its own");
	cim_guid_parse(SET_C, &guid);
	is_str(cim_store_owner(store, &guid, 0), NULL, "set C has no owner");
	memset(&guid, 0xee, sizeof(guid));
	is_str(cim_store_owner(store, &guid, 0), NULL, "an unknown set has no owner");
	is_int(cim_store_remove(store, "notes.txt", &err), CIM_E_FILE_NOT_FOUND,
	       "what isn't listed can't be removed");
	is_int(cim_store_remove(store, "../store/base.cim", &err), CIM_E_FILE_NOT_FOUND,
	       "nor what is elsewhere");
	is_int(cim_store_remove(store, "region_" SET_C "_1", &err), CIM_OK, "an orphan is removed");
	cim_store_close(store);
	if (cim_store_open(NULL, dir, false, &store, &err))
		bail("%s: %s", dir, err.cause);
	ok(!find(store, "region_" SET_C "_1"), "it is gone");
	cim_store_close(store);
	cim_store_close(NULL);
}

/* Create a file, lock it and give it a name: as a living session does with its first region file.
 */
static cim_vfs_file *lock_as(cim_vfs_dir *handle, const char *name)
{
	const struct cim_vfs *vfs = cim_env_default()->vfs;
	cim_vfs_file *file = NULL;
	long os_error = 0;

	if (vfs->open(vfs->ctx, handle, "being made", CIM_VFS_CREATE, &file, &os_error) ||
	    vfs->lock(vfs->ctx, file, 0, CIM_LOCK_ALONE, false, &os_error) ||
	    vfs->rename(vfs->ctx, handle, "being made", name, 0, &os_error))
		bail("can't make a locked %s: %ld", name, os_error);
	return file;
}

static void test_store_in_use(const char *dir)
{
	const struct cim_vfs *vfs = cim_env_default()->vfs;
	cim_vfs_file *region, *temporary;
	cim_vfs_dir *handle = NULL;
	struct cim_store *store;
	struct cim_error err;
	long os_error = 0;

	if (vfs->open_dir(vfs->ctx, dir, 0, &handle, &os_error))
		bail("can't open %s: %ld", dir, os_error);
	region = lock_as(handle, "region_" SET_C "_0");
	temporary = lock_as(handle, "cimtmp_" RANDOM "_0");
	if (cim_store_open(NULL, dir, false, &store, &err))
		bail("%s: %s", dir, err.cause);
	is_owned(store, "region_" SET_C "_0", 0, true);
	is_owned(store, "region_" SET_C "_2", 0, true);
	is_owned(store, "objectid_" SET_C "_2", 0, true);
	is_owned(store, "region_" SET_A "_0", 3, false);
	is_owned(store, "cimtmp_" RANDOM "_0", 0, true);
	is_owned(store, "cimtmp_" RANDOM "_o0", 0, true);
	/* Whose it is can't be told, so it is left alone while any session lives. */
	is_owned(store, "cimtmp_" OTHER "_fs", 0, true);
	cim_store_close(store);
	vfs->close(vfs->ctx, region);
	vfs->close(vfs->ctx, temporary);
	vfs->close_dir(vfs->ctx, handle);
	if (cim_store_open(NULL, dir, false, &store, &err))
		bail("%s: %s", dir, err.cause);
	is_owned(store, "region_" SET_C "_0", 0, false);
	is_owned(store, "cimtmp_" RANDOM "_o0", 0, false);
	is_owned(store, "cimtmp_" OTHER "_fs", 0, false);
	cim_store_close(store);
}

static void is_broken(const char *dir, const char *name, const void *bytes, size_t size)
{
	const struct cim_store_file *file;
	struct cim_store *store;
	struct cim_error err;

	put_file(dir, name, bytes, size);
	if (cim_store_open(NULL, dir, false, &store, &err))
		bail("%s: %s", dir, err.cause);
	file = find(store, name);
	ok(file && file->kind == CIM_KIND_IMAGE && (file->flags & CIM_STORE_BROKEN),
	   "%s is a broken image", name);
	file = find(store, "base.cim");
	ok(file && !(file->flags & CIM_STORE_BROKEN), "beside %s another image is fine", name);
	cim_store_close(store);
}

static void test_store_broken(const char *dir)
{
	uint8_t bytes[CIM_SIZE(filesystem_header)] = {0};
	struct cim_store *store;

	cim_common_header_encode(bytes, 72, CIM_FILE_FILESYSTEM, 2, 0);
	is_broken(dir, "magic only", CIM_MAGIC, CIM_MAGIC_SIZE);
	is_broken(dir, "cut", bytes, 50);
	is_broken(dir, "no regions", bytes, sizeof(bytes));
	cim_common_header_encode(bytes, 72, CIM_FILE_FILESYSTEM, 4, 0);
	is_broken(dir, "of version 4", bytes, sizeof(bytes));
	cim_common_header_encode(bytes, 72, (enum cim_file_type)9, 2, 0);
	is_broken(dir, "of another type", bytes, sizeof(bytes));
	cim_common_header_encode(bytes, 72, CIM_FILE_FILESYSTEM, 2, 0);
	is_broken(dir, "region_" SET_C "_7", bytes, sizeof(bytes));
	is_int(cim_store_open(NULL, "/nowhere/at/all", false, &store, NULL), CIM_E_PATH_NOT_FOUND,
	       "a directory that isn't there");
	ok(!store, "no store then");
}

static void test_store_no_memory(const char *dir)
{
	enum cim_status status = CIM_E_NO_MEMORY;
	unsigned failing, lost = 0;

	for (failing = 1; status == CIM_E_NO_MEMORY && failing < 1000; failing++) {
		struct test_memory memory;
		struct cim_env env = counted_env(&memory);
		struct cim_store *store;

		memory.fail_at = failing;
		status = cim_store_open(&env, dir, false, &store, NULL);
		cim_store_close(store);
		lost += memory.in_use != 0;
	}
	ok(!status && failing > 10, "the store opens once %u allocations may be made", failing);
	is_int(lost, 0, "whichever allocation fails, none is lost");
}

static void test_store_lock(const char *dir)
{
	struct cim_store *first, *second;
	struct cim_error err;

	is_int(cim_store_open(NULL, dir, true, &first, &err), CIM_OK,
	       "a store that keeps writers out");
	is_int(cim_store_open(NULL, dir, true, &second, &err), CIM_E_SHARING, "there is only one");
	is_int(cim_store_open(NULL, dir, false, &second, &err), CIM_OK, "others may look");
	cim_store_close(second);
	cim_store_close(first);
	is_int(cim_store_open(NULL, dir, true, &first, &err), CIM_OK, "it ends with the store");
	cim_store_close(first);
}

/* ---- */

static int print_findings(const char *path)
{
	struct findings findings = {.all = stdout};
	struct cim_error err;
	uint64_t errors;
	unsigned items;

	if (check_image(path, CIM_VERIFY_DEEP, &findings, &errors, &items, &err)) {
		printf("%s: %s\n", cim_status_name(err.status), err.cause);
		return 1;
	}
	printf("%" PRIu64 " errors, %u items\n", errors, items);
	return 0;
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TEST_TMP"), *top = getenv("TOP"), *python = getenv("PYTHON");
	char command[2048], store[1024], all[1024], expected[1024];

	if (argc == 3 && !strcmp(argv[1], "--findings"))
		return print_findings(argv[2]);
	if (!tmp)
		bail("TEST_TMP is not set");
	snprintf(command, sizeof(command), "%s '%s/cimfs_shim/tests/imagecases.py' '%s'",
		 python ? python : "python3", top ? top : ".", tmp);
	if (system(command))
		bail("imagecases.py failed");
	if (argc == 3 && !strcmp(argv[1], "--write")) {
		test_manifest(tmp, argv[2]);
		return tap_done();
	}
	test_seed();
	snprintf(all, sizeof(all), "%s/findings.txt", tmp);
	snprintf(expected, sizeof(expected), "%s/cimfs_shim/tests/malformed/findings.txt",
		 top ? top : ".");
	test_manifest(tmp, all);
	same_findings(all, expected);
	test_stopping(tmp);
	test_no_memory(tmp, "our-digests");
	test_no_memory(tmp, "pe-images");
	test_no_memory(tmp, "wide"); /* a large table */
	test_damage(tmp);
	snprintf(store, sizeof(store), "%s/store", tmp);
	test_store(store);
	test_store_in_use(store);
	test_store_broken(store);
	test_store_no_memory(store);
	test_store_lock(store);
	return tap_done();
}
