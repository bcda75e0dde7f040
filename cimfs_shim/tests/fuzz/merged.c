/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merged.c - fuzz target: an image that is the input, merged with one that is sound
 *
 * What comes of it is without errors if the input is. From sealed containers, verified, it is the
 * same; when bytes of these containers are changed, what still can be read is as it was. And with
 * numbers of its own records, and of what these lead to, changed, all answers are those of a
 * damaged image, and where a check finds no error reading meets none.
 */
#include "fuzz.h"

#include "../../core/image.h"
#include "../minisample.h"

#define OTHER	 "o.cim"
#define MERGED	 "m.cim"
#define SEALABLE (CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE)
#define BIT(s)	 (1u << (s))

enum { SOURCES = 2, CHANGES = 12, FLIPS = 12 };

static const char *const plain[SOURCES] = {"mem/" FUZZ_IMAGE, "mem/b.bcim/" OTHER};
static const char *const sealed[SOURCES] = {"mem/a.bcim/" FUZZ_IMAGE, "mem/b.bcim/" OTHER};
static const char *const containers[] = {"a.bcim", "b.bcim", "c.bcim"};

/* The library tells of a caller's mistake, or of the system, where neither is to blame. */
static const unsigned strange = BIT(CIM_E_POINTER) | BIT(CIM_E_NO_MEMORY) | BIT(CIM_E_DISK_FULL) |
				BIT(CIM_E_IO) | BIT(CIM_E_ABORTED) | BIT(CIM_E_SHARING);

static void judge(enum cim_status status)
{
	if (BIT(status) & strange)
		fuzz_broken("%s", cim_status_name(status));
}

static void must(enum cim_status status, const char *what)
{
	if (status)
		fuzz_broken("%s: %s", what, cim_status_name(status));
}

/* ---- what is merged ---- */

static void put(struct cim_writer *w, const char *path)
{
	struct cim_metadata meta = {CIM_SIZED(meta), .size = (int64_t)strlen(path)};
	struct cim_stream *stream;

	must(cim_writer_add(w, cim_str8(path), &meta, &stream, NULL), path);
	must(cim_stream_write(stream, path, strlen(path), NULL, NULL), path);
	cim_stream_close(stream);
}

/* A sound image, in a container that is sealed. */
static void make_other(const struct cim_env *env)
{
	struct cim_metadata dir = {CIM_SIZED(dir), .attributes = CIM_ATTR_DIRECTORY};
	uint8_t root[CIM_ROOT_HASH];
	struct cim_stream *stream;
	struct cim_writer *w;

	must(cim_writer_open(env, "mem/b.bcim", NULL, OTHER, SEALABLE, &w, NULL), OTHER);
	must(cim_writer_add(w, cim_str8("dir"), &dir, NULL, NULL), "dir");
	put(w, "dir\\x");
	put(w, "pe.exe");
	must(cim_writer_add_stream(w, cim_str8("pe.exe:s"), 1, &stream, NULL), "a stream");
	must(cim_stream_write(stream, "s", 1, NULL, NULL), "a stream");
	cim_stream_close(stream);
	must(cim_writer_tombstone(w, cim_str8("a"), NULL), "a tombstone");
	must(cim_writer_merge_link(w, cim_str8("link"), cim_str8("dir\\x"), NULL), "a merge link");
	must(cim_writer_commit(w, NULL), OTHER);
	cim_writer_close(w);
	must(cim_container_seal(env, "mem/b.bcim", root, NULL, NULL), "sealing it");
}

static enum cim_status merge(const struct cim_env *env, const char *place,
			     const char *const *sources, bool other_first, unsigned flags)
{
	struct cim_writer *w;
	enum cim_status status = cim_writer_open(env, place, NULL, MERGED, flags ? SEALABLE : 0, &w,
						 NULL);

	for (unsigned i = 0; i < SOURCES && !status; i++)
		status = cim_writer_add_source(w, sources[i ^ other_first], flags, NULL);
	if (!status)
		status = cim_writer_commit(w, NULL);
	cim_writer_close(w);
	judge(status);
	return status;
}

/* ---- what is read ---- */

/* Errors that a check finds. */
static uint64_t read_it(struct cim_image *image, struct read_all *all)
{
	const uint64_t errors = fuzz_verify(image);

	*all = (struct read_all){0};
	read_image(image, all);
	if (all->endless)
		fuzz_broken("a walk without an end");
	if (all->statuses & strange)
		fuzz_broken("statuses %#x", all->statuses);
	if (!errors && all->statuses & BIT(CIM_E_CORRUPT))
		fuzz_broken("verify finds nothing, reading does: %s: %s", all->err.path,
			    all->err.cause);
	return errors;
}

static enum cim_status read_merged(const struct cim_env *env, struct read_all *all,
				   uint64_t *errors)
{
	struct cim_image *image;
	enum cim_status status = cim_image_open_merged(env, "mem/" MERGED, plain, SOURCES, &image,
						       NULL);

	judge(status);
	if (!status)
		*errors = read_it(image, all);
	cim_image_close(image);
	return status;
}

static enum cim_status read_verified(const struct cim_env *env, const uint8_t *root,
				     struct read_all *all)
{
	struct cim_image *image;
	enum cim_status status = cim_image_open_verified(env, "mem/c.bcim/" MERGED, sealed, SOURCES,
							 root, &image, NULL);

	judge(status);
	if (!status)
		read_it(image, all);
	cim_image_close(image);
	return status;
}

/* ---- changes of a sealed one ---- */

static void flip(struct memfs *fs, struct fuzz_steps *steps)
{
	const char *name = containers[fuzz_byte(steps) % 3];
	const uint64_t at = fuzz_number(steps, 3) % memfs_size(fs, name);
	uint8_t byte;

	memfs_peek(fs, name, at, &byte, 1);
	byte ^= (uint8_t)(1u << fuzz_byte(steps) % 8);
	memfs_poke(fs, name, at, &byte, 1);
}

static void seal_and_flip(struct memfs *fs, const struct cim_env *env, struct fuzz_steps *steps,
			  bool other_first, const struct read_all *want)
{
	uint8_t root[CIM_ROOT_HASH];
	struct read_all all;

	judge(cim_image_copy(env, plain[0], "mem/a.bcim", FUZZ_IMAGE, SEALABLE, NULL, NULL, NULL));
	if (!memfs_exists(fs, "a.bcim"))
		return;
	must(cim_container_seal(env, "mem/a.bcim", root, NULL, NULL), "sealing the copy");
	if (merge(env, "mem/c.bcim", sealed, other_first, CIM_SOURCE_VERIFIED))
		fuzz_broken("a copy isn't merged as the image is");
	must(cim_container_seal(env, "mem/c.bcim", root, NULL, NULL), "sealing the merged image");
	must(read_verified(env, root, &all), "reading it");
	if (all.digest != want->digest || all.failed != want->failed)
		fuzz_broken("sealed, it isn't read as it was: %u failures, %u", all.failed,
			    want->failed);
	for (unsigned i = 0; i < FLIPS && steps->left; i++)
		flip(fs, steps);
	if (!read_verified(env, root, &all) && !all.failed && !want->failed &&
	    all.digest != want->digest)
		fuzz_broken("what was changed in a sealed container is read");
}

/* ---- changes of a plain one ---- */

/* A number where its width fits: another region, or anything. */
static void change_number(struct memfs *fs, struct cim_image *image, uint64_t offset,
			  unsigned width, struct fuzz_steps *steps)
{
	const uint64_t regions = cim_image_get_info(image)->region_count;
	const uint8_t how = fuzz_byte(steps);
	const uint64_t number = fuzz_number(steps, how & 1 ? 2 : width);
	char name[CIM_REGION_NAME];
	uint8_t bytes[8] = {0};
	uint64_t value;

	if (!offset || cim_region_index(offset) >= regions)
		return;
	cim_image_region_name(image, cim_region_index(offset), name);
	if (!memfs_exists(fs, name) ||
	    !cim_in_range(cim_region_byte(offset), width, memfs_size(fs, name)))
		return;
	memfs_peek(fs, name, cim_region_byte(offset), bytes, width);
	value = cim_get64(bytes);
	if (how & 2)
		value = number;
	else if (width == 8)
		value = cim_region_offset((uint32_t)(number % (regions + 2)),
					  cim_region_byte(value));
	else
		value += number % 17 - 8;
	cim_put64(bytes, value);
	memfs_poke(fs, name, cim_region_byte(offset), bytes, width);
}

static void change_record(struct memfs *fs, struct cim_image *image, uint64_t at,
			  struct fuzz_steps *steps)
{
	static const struct {
		uint8_t offset, width;
	} fields[] = {{0, 2},  {2, 2},	{40, 8}, {48, 8}, {56, 8}, {64, 8},
		      {72, 8}, {80, 8}, {88, 4}, {92, 2}, {92, 2}, {40, 8}};
	const unsigned i = fuzz_byte(steps) % (sizeof(fields) / sizeof(*fields));

	change_number(fs, image, at + fields[i].offset, fields[i].width, steps);
}

/* A record, or what it leads to. */
static void change(struct memfs *fs, const struct cim_env *env, struct fuzz_steps *steps)
{
	const uint8_t what = fuzz_byte(steps), id = fuzz_byte(steps), at = fuzz_byte(steps);
	struct cim_file_table table;
	struct cim_record record;
	struct cim_image *image;

	if (cim_image_open(env, "mem/" MERGED, &image, NULL))
		return;
	if (!cim_image_file_table(image, 0, &table, NULL) && table.count) {
		const uint32_t index = id % table.count;

		if (what & 1)
			change_record(fs, image, table.offset + (uint64_t)index * table.entry_size,
				      steps);
		else if (!cim_image_record(image, index + 1, &record, NULL))
			change_number(fs, image,
				      (what & 2	  ? record.streams
				       : what & 4 ? record.stream_offset
						  : record.security) +
					      at,
				      what & 8 ? 8 : 4, steps);
	}
	cim_image_close(image);
}

/* The same each time, and sealing it takes the longest: it is made once. */
static void put_other(struct memfs *fs, const struct cim_env *env)
{
	static uint8_t bytes[FUZZ_FILE];
	static uint64_t size;

	if (!size) {
		make_other(env);
		size = memfs_size(fs, "b.bcim");
		if (size > sizeof(bytes))
			fuzz_broken("a container of %llu bytes", (unsigned long long)size);
		memfs_peek(fs, "b.bcim", 0, bytes, (size_t)size);
	}
	memfs_put(fs, "b.bcim", bytes, (size_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memfs *fs = memfs_new();
	struct cim_env env = memfs_env(fs);
	struct fuzz_steps steps = fuzz_unpack(fs, data, size);
	const uint8_t how = fuzz_byte(&steps);
	struct cim_image *image = fuzz_open(&env);
	struct read_all all;
	uint64_t errors, base_errors = image ? fuzz_verify(image) : 0;
	const bool own = image && !cim_image_get_info(image)->source_count;

	cim_image_close(image);
	put_other(fs, &env);
	if (own && !merge(&env, "mem", plain, how & 1, 0)) {
		must(read_merged(&env, &all, &errors), "the merged image");
		if (errors && !base_errors)
			fuzz_broken("sound images gave one with %llu errors",
				    (unsigned long long)errors);
		if (how & 2) {
			seal_and_flip(fs, &env, &steps, how & 1, &all);
		} else {
			for (unsigned i = 0; i < CHANGES && steps.left; i++)
				change(fs, &env, &steps);
			read_merged(&env, &all, &errors);
		}
	}
	fuzz_clean(fs);
	memfs_free(fs);
	return 0;
}
