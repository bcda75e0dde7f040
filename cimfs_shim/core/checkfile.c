/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkfile.c - checking the files of an image: headers, object IDs, digests
 *
 * An image names its region files by its region sets, and each has its object ID file beside it.
 * Here each of them is opened once, without the reader's help, and its header compared with what
 * the image says of it. An object ID file is never needed to read an image, so a missing one is no
 * error; what is in one that exists follows rules all the same. One that exists and can't be opened
 * ends the check, like any file that can't be: what it would say isn't known.
 *
 * A deep check reads the objects that have an ID whose digest is of our making, and compares.
 * Those that differ are remembered by their offset, so that the walk can say whose they are, and
 * the others, so that it can say how much was compared. All other data are read on the walk
 * (checkdata.c).
 */
#include "check.h"
#include "hash.h"
#include "header.h"
#include "io.h"
#include "names.h"
#include "reader.h"
#include "regions.h"
#include "sort.h"

#include <string.h>

/* Findings of one kind in one file before the rest is only counted. */
#define MAX_FINDINGS 8u
/* So many entries aren't worth a look for holes. */
#define FEW_IDS 1000u
/* Bad objects that are remembered; further ones are reported without a path. */
#define MAX_BAD 65536u

/* ---- objects that don't match their digests ---- */

static void add_bad(struct cim_check *c, uint64_t offset)
{
	if (c->bad_count == MAX_BAD) {
		cim_check_report(c, CIM_ERROR, "object ID file", offset,
				 "an object doesn't match its digest");
		return;
	}
	if (!cim_grow(&c->image->env, (void **)&c->bad, &c->bad_room, c->bad_count,
		      sizeof(*c->bad)))
		cim_check_no_memory(c);
	else
		c->bad[c->bad_count++] = (struct cim_bad_object){.offset = offset};
}

static void add_good(struct cim_check *c, uint64_t offset)
{
	if (!cim_grow(&c->image->env, (void **)&c->good, &c->good_room, c->good_count,
		      sizeof(*c->good)))
		cim_check_no_memory(c);
	else
		c->good[c->good_count++] = offset;
}

/* The first of @count sorted elements of @size bytes, each beginning with an offset, that isn't
 * below
 * @offset. */
static size_t find_offset(const void *elements, size_t count, size_t size, uint64_t offset)
{
	size_t low = 0, high = count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		uint64_t have;

		memcpy(&have, (const uint8_t *)elements + middle * size, sizeof(have));
		if (have < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void cim_check_digest(struct cim_check *c, const char *structure, uint64_t offset, bool metadata)
{
	const size_t good = find_offset(c->good, c->good_count, sizeof(*c->good), offset);
	size_t bad = find_offset(c->bad, c->bad_count, sizeof(*c->bad), offset);
	const bool is_bad = bad < c->bad_count && c->bad[bad].offset == offset;
	const bool known = is_bad || (good < c->good_count && c->good[good] == offset);

	if (metadata) {
		c->result.metadata++;
		c->result.metadata_digest += known;
	} else {
		c->result.streams++;
		c->result.streams_digest += known;
	}
	if (!is_bad)
		return;
	for (; bad < c->bad_count && c->bad[bad].offset == offset; bad++)
		c->bad[bad].reported = true;
	cim_check_report(c, CIM_ERROR, structure, offset, "the bytes don't match their digest");
}

void cim_check_digests_left(struct cim_check *c)
{
	for (size_t i = 0; i < c->bad_count && !c->status; i++)
		if (!c->bad[i].reported)
			cim_check_report(c, CIM_ERROR, "object ID file", c->bad[i].offset,
					 "an object doesn't match its digest");
}

/* ---- one file ---- */

/* A region or object ID file that is being checked. */
struct file {
	char name[CIM_SET_FILE_NAME];
	const char *structure;
	uint32_t set;	/* its number */
	uint32_t index; /* in its set */
	cim_vfs_file *file;
	uint64_t size;
	uint64_t offset; /* RegionOffset of the region's byte 0 */
};

static bool read_file(struct cim_check *c, const struct file *f, uint64_t offset, void *buf,
		      size_t len)
{
	size_t got;
	enum cim_status status = cim_io_read(&c->image->env, f->file, f->name, offset, buf, len,
					     &got, &c->why);

	if (!status && got < len)
		status = cim_fail(&c->why, CIM_E_CORRUPT, "%s has become shorter", f->name);
	return cim_check_try(c, status, f->structure, f->offset, "reading failed");
}

static bool open_file(struct cim_check *c, struct file *f, enum cim_severity if_missing)
{
	enum cim_status status = cim_open_beside(c->image, f->set, f->name, &f->file, &c->why);

	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_PATH_NOT_FOUND) {
		cim_check_report(c, if_missing, f->structure, f->offset, "%s is missing", f->name);
		return false;
	}
	if (!status)
		status = cim_io_size(&c->image->env, f->file, f->name, &f->size, &c->why);
	if (!status)
		return true;
	cim_io_close(&c->image->env, f->file);
	cim_check_ok(c, status);
	return false;
}

/* The common header of any file. False if the file isn't what it should be. */
static bool check_common(struct cim_check *c, const char *structure, const char *name,
			 uint64_t offset, const uint8_t *bytes, enum cim_file_type type,
			 uint64_t header_length)
{
	const uint32_t major = cim_get32(bytes + CIM_OFF(common_header, version_major));
	const uint32_t minor = cim_get32(bytes + CIM_OFF(common_header, version_minor));
	const uint32_t length = cim_get32(bytes + CIM_OFF(common_header, header_length));

	if (memcmp(bytes, CIM_MAGIC, CIM_MAGIC_SIZE)) {
		cim_check_report(c, CIM_ERROR, structure, offset, "%s: wrong magic", name);
		return false;
	}
	if (bytes[CIM_OFF(common_header, type)] != type) {
		cim_check_report(c, CIM_ERROR, structure, offset,
				 "%s: wrong file type %u instead of %u", name,
				 bytes[CIM_OFF(common_header, type)], (unsigned)type);
		return false;
	}
	if (major < CIM_VERSION_MAJOR_FIRST || major > CIM_VERSION_MAJOR_LAST) {
		cim_check_report(c, CIM_ERROR, structure, offset, "%s: unknown version %u.%u", name,
				 (unsigned)major, (unsigned)minor);
		return false;
	}
	if (major != c->image->info.version_major || minor != c->image->info.version_minor)
		cim_check_report(c, CIM_NOTE, structure, offset,
				 "%s: version %u.%u, the image is of %u.%u", name, (unsigned)major,
				 (unsigned)minor, (unsigned)c->image->info.version_major,
				 (unsigned)c->image->info.version_minor);
	if (length != header_length)
		cim_check_report(c, CIM_WARNING, structure, offset,
				 "%s: header length %u instead of %llu", name, (unsigned)length,
				 (unsigned long long)header_length);
	if (!cim_is_zero(bytes + CIM_OFF(common_header, reserved), 3) ||
	    !cim_is_zero(bytes + CIM_OFF(common_header, reserved2), 8))
		cim_check_report(c, CIM_NOTE, structure, offset, "%s: reserved field is not zero",
				 name);
	return true;
}

/* Index, region type and what is reserved: the same in region and object ID files. */
static bool check_region_fields(struct cim_check *c, const struct file *f, const uint8_t *bytes)
{
	const unsigned index = cim_get16(bytes + CIM_OFF(region_header, index));
	const unsigned type = bytes[CIM_OFF(region_header, type)];

	if (index != f->index)
		cim_check_report(c, CIM_ERROR, f->structure, f->offset,
				 "%s: wrong index %u instead of %u", f->name, index,
				 (unsigned)f->index);
	if (type >= CIM_REGION_TYPES)
		cim_check_report(c, CIM_ERROR, f->structure, f->offset,
				 "%s: unknown region type %u", f->name, type);
	if (!cim_is_zero(bytes + CIM_OFF(region_header, reserved), 5))
		cim_check_report(c, CIM_NOTE, f->structure, f->offset,
				 "%s: reserved field is not zero", f->name);
	return index == f->index && type < CIM_REGION_TYPES;
}

/* ---- region files ---- */

/* Returns the file's size, 0 if it isn't usable. */
static uint64_t check_region_file(struct cim_check *c, const struct cim_region_set *set,
				  uint32_t index)
{
	struct file f = {.structure = "region file", .index = index};
	uint8_t bytes[CIM_SIZE(region_header)];

	f.set = (uint32_t)(set - c->image->sets);
	f.offset = cim_region_offset(set->first + index, 0);
	cim_set_file_name(f.name, CIM_KIND_REGION, &set->guid, index);
	if (!open_file(c, &f, CIM_ERROR))
		return 0;
	if (f.size < sizeof(bytes)) {
		cim_check_report(c, CIM_ERROR, f.structure, f.offset,
				 "%s is shorter than its header", f.name);
		f.size = 0;
	} else if (!read_file(c, &f, 0, bytes, sizeof(bytes)) ||
		   !check_common(c, f.structure, f.name, f.offset, bytes, CIM_FILE_REGION,
				 sizeof(bytes)) ||
		   !check_region_fields(c, &f, bytes)) {
		f.size = 0;
	} else {
		c->region_types[set->first + index] = bytes[CIM_OFF(region_header, type)];
	}
	cim_io_close(&c->image->env, f.file);
	return f.size;
}

void cim_check_lost(struct cim_check *c)
{
	char name[CIM_SET_FILE_NAME];

	for (uint32_t s = 0; s < c->image->info.set_count; s++) {
		const struct cim_region_set *set = &c->image->sets[s];

		for (uint32_t i = 0; i < set->count; i++) {
			uint64_t lost = c->lost[set->first + i];

			if (!lost)
				continue;
			cim_set_file_name(name, CIM_KIND_REGION, &set->guid, i);
			cim_check_report(c, CIM_ERROR, "region file",
					 cim_region_offset(set->first + i, 0),
					 "%s: %llu stream%s or other object%s of the image can't "
					 "be read without it",
					 name, (unsigned long long)lost, lost == 1 ? "" : "s",
					 lost == 1 ? "" : "s");
		}
	}
}

/* ---- object ID files ---- */

/* What has been seen of one object ID file's entries. */
struct id_state {
	uint64_t region_size;
	uint64_t bytes; /* sum of the lengths */
	bool counted;	/* then: */
	uint64_t data;	/* of the region file, so much may still be digested */
	uint64_t outside, unsorted;
	bool has_last;
	uint8_t last[CIM_OFF(objectid, offset)]; /* length and digest of the entry before */
	struct cim_hasher hasher;
};

/* Digest the object's bytes, through its region file. */
static void check_object(struct cim_check *c, struct id_state *state, uint64_t offset, uint64_t len,
			 const uint8_t *want)
{
	struct cim_digest digest;

	cim_hasher_init(&state->hasher);
	for (uint64_t done = 0; done < len && !c->status;) {
		size_t part = len - done < CIM_CHECK_BUFFER / 2 ? (size_t)(len - done)
								: CIM_CHECK_BUFFER / 2;

		/* The other half of the buffer holds the entries. */
		if (!cim_check_try(
			    c, cim_image_read_raw(c->image, offset, done, c->buf, part, &c->why),
			    "object ID file", offset, "an object can't be read"))
			return;
		cim_hasher_update(&state->hasher, c->buf, part);
		done += part;
		cim_check_tick(c);
	}
	cim_hasher_final(&state->hasher, &digest);
	if (c->status)
		return;
	if (memcmp(digest.bytes, want, sizeof(digest.bytes))) {
		add_bad(c, offset);
		return;
	}
	add_good(c, offset);
	cim_check_have_read(c, offset, len);
}

static int compare_ids(const uint8_t *a, const uint8_t *b)
{
	const uint64_t x = cim_get64(a), y = cim_get64(b);

	if (x != y)
		return x < y ? -1 : 1;
	return memcmp(a + CIM_OFF(objectid, digest), b + CIM_OFF(objectid, digest),
		      CIM_DIGEST_SIZE);
}

/* Objects don't overlap; if they did, this could take for ever. So it could in holes: beside a
 * certain part no more than what the region file has beside them. */
static bool may_digest(struct cim_check *c, struct id_state *state, uint32_t region,
		       uint64_t length)
{
	if (state->bytes > state->region_size)
		return false;
	if (length <= c->undigested) {
		c->undigested -= length;
		return true;
	}
	if (!state->counted)
		state->data = cim_check_count_data(c, region, state->region_size);
	state->counted = true;
	if (length > state->data)
		return false;
	state->data -= length;
	return true;
}

static void check_id(struct cim_check *c, const struct file *f, struct id_state *state,
		     const uint8_t *entry)
{
	const uint64_t length = cim_get64(entry + CIM_OFF(objectid, length));
	const uint64_t offset = cim_get64(entry + CIM_OFF(objectid, offset));
	const uint8_t *digest = entry + CIM_OFF(objectid, digest);

	if (state->has_last && compare_ids(state->last, entry) > 0)
		state->unsorted++;
	memcpy(state->last, entry, sizeof(state->last));
	state->has_last = true;
	/* Without the region file nothing more can be said. */
	if (!state->region_size)
		return;
	if (offset < CIM_SIZE(region_header) || offset > CIM_OFFSET_MASK ||
	    !cim_in_range(offset, length, state->region_size)) {
		if (state->outside++ < MAX_FINDINGS)
			cim_check_report(c, CIM_ERROR, f->structure, f->offset,
					 "%s: an entry of %llu bytes at offset %llu doesn't lie "
					 "within its region file",
					 f->name, (unsigned long long)length,
					 (unsigned long long)offset);
		return;
	}
	if (!cim_ckd_add64(&state->bytes, state->bytes, length))
		state->bytes = UINT64_MAX;
	if (!(c->flags & CIM_VERIFY_DEEP) || !length)
		return;
	if (!memcmp(digest + CIM_DIGEST_SIZE - CIM_DIGEST_TAG_SIZE, CIM_DIGEST_TAG,
		    CIM_DIGEST_TAG_SIZE) &&
	    may_digest(c, state, cim_region_index(f->offset), length))
		check_object(c, state, f->offset | offset, length, digest);
}

/* How many of @count entries from byte @at on lie in a hole of the file, which costs who makes it
 * nothing: all of them zeros. */
static uint32_t count_in_hole(struct cim_check *c, const struct file *f, uint64_t at,
			      uint32_t count)
{
	uint64_t data, entries;

	if (count < FEW_IDS ||
	    cim_io_next_data(&c->image->env, f->file, f->name, at, &data, NULL) || data <= at)
		return 0;
	entries = (data - at) / CIM_SIZE(objectid);
	return entries < count ? (uint32_t)entries : count;
}

/* They don't lie within the region file, and only the first may be out of order. */
static void check_zero_ids(struct cim_check *c, const struct file *f, struct id_state *state,
			   uint32_t count)
{
	static const uint8_t zeros[CIM_SIZE(objectid)];
	const uint32_t told = count < MAX_FINDINGS ? count : MAX_FINDINGS;

	for (uint32_t i = 0; i < told; i++)
		check_id(c, f, state, zeros);
	if (state->region_size)
		state->outside += count - told;
}

static void check_ids(struct cim_check *c, const struct file *f, uint64_t region_size,
		      uint32_t table, uint32_t count)
{
	enum { BATCH = CIM_CHECK_BUFFER / 2 / CIM_SIZE(objectid) };
	uint8_t *entries = c->buf + CIM_CHECK_BUFFER / 2;
	struct id_state state = {.region_size = region_size};

	for (uint32_t i = 0; i < count && !c->status;) {
		const uint64_t at = table + (uint64_t)i * CIM_SIZE(objectid);
		const uint32_t zeros = count_in_hole(c, f, at, count - i);
		uint32_t batch = count - i < BATCH ? count - i : BATCH;

		if (zeros) {
			check_zero_ids(c, f, &state, zeros);
			i += zeros;
			continue;
		}
		if (!read_file(c, f, at, entries, batch * CIM_SIZE(objectid)))
			return;
		for (uint32_t k = 0; k < batch && !c->status; k++)
			check_id(c, f, &state, entries + k * CIM_SIZE(objectid));
		i += batch;
		cim_check_tick(c);
	}
	if (state.outside > MAX_FINDINGS)
		cim_check_report(c, CIM_ERROR, f->structure, f->offset,
				 "%s: %llu entries in all don't lie within their region file",
				 f->name, (unsigned long long)state.outside);
	if (state.unsorted)
		cim_check_report(c, CIM_WARNING, f->structure, f->offset,
				 "%s: %llu entries aren't sorted by length and digest", f->name,
				 (unsigned long long)state.unsorted);
	if (state.bytes > region_size)
		cim_check_report(c, CIM_WARNING, f->structure, f->offset,
				 "%s: its objects have %llu bytes, more than the region file: "
				 "they overlap",
				 f->name, (unsigned long long)state.bytes);
}

static void check_objectid_header(struct cim_check *c, const struct file *f, uint64_t region_size)
{
	uint8_t bytes[CIM_SIZE(objectid_header)];
	uint32_t table, count;
	unsigned type;

	if (f->size < sizeof(bytes)) {
		cim_check_report(c, CIM_ERROR, f->structure, f->offset,
				 "%s is shorter than its header", f->name);
		return;
	}
	if (!read_file(c, f, 0, bytes, sizeof(bytes)) ||
	    !check_common(c, f->structure, f->name, f->offset, bytes, CIM_FILE_OBJECT_ID,
			  sizeof(bytes)) ||
	    !check_region_fields(c, f, bytes))
		return;
	type = bytes[CIM_OFF(objectid_header, type)];
	if (region_size && type != c->region_types[cim_region_index(f->offset)])
		cim_check_report(c, CIM_ERROR, f->structure, f->offset,
				 "%s: region type %u, its region file is of %u", f->name, type,
				 c->region_types[cim_region_index(f->offset)]);
	table = cim_get32(bytes + CIM_OFF(objectid_header, table_offset));
	count = cim_get32(bytes + CIM_OFF(objectid_header, count));
	if (!count)
		return;
	if (table < sizeof(bytes) ||
	    !cim_in_range(table, (uint64_t)count * CIM_SIZE(objectid), f->size)) {
		cim_check_report(c, CIM_ERROR, f->structure, f->offset,
				 "%s: the table of %u entries at offset %u doesn't lie within the "
				 "file",
				 f->name, (unsigned)count, (unsigned)table);
		return;
	}
	check_ids(c, f, region_size, table, count);
}

static void check_objectid_file(struct cim_check *c, const struct cim_region_set *set,
				uint32_t index, uint64_t region_size, bool own)
{
	struct file f = {.structure = "object ID file", .index = index};

	f.set = (uint32_t)(set - c->image->sets);
	f.offset = cim_region_offset(set->first + index, 0);
	cim_set_file_name(f.name, CIM_KIND_OBJECT_ID, &set->guid, index);
	if (!open_file(c, &f, own ? CIM_WARNING : CIM_NOTE))
		return;
	check_objectid_header(c, &f, region_size);
	cim_io_close(&c->image->env, f.file);
}

/* ---- the filesystem file ---- */

static int compare_guids(const void *a, const void *b, const void *ctx)
{
	(void)ctx;
	return memcmp(a, b, sizeof(struct cim_guid));
}

static void check_set_guids(struct cim_check *c)
{
	const struct cim_env *env = &c->image->env;
	const size_t count = c->image->info.set_count;
	struct cim_guid *guids = cim_alloc(env, count * sizeof(*guids));
	char text[CIM_GUID_TEXT];

	if (!guids) {
		cim_check_no_memory(c);
		return;
	}
	for (size_t i = 0; i < count; i++)
		guids[i] = c->image->sets[i].guid;
	if (!cim_sort(env, guids, count, sizeof(*guids), compare_guids, NULL))
		cim_check_no_memory(c);
	for (size_t i = 1; i < count && !c->status; i++) {
		if (compare_guids(&guids[i - 1], &guids[i], NULL))
			continue;
		cim_guid_format(&guids[i], text);
		cim_check_report(c, CIM_WARNING, "filesystem file", 0,
				 "region set %s is named twice", text);
	}
	cim_free(env, guids);
}

#define KNOWN_IMAGE_FLAGS (CIM_IMAGE_MARKED | CIM_IMAGE_MERGED)

static void check_filesystem_file(struct cim_check *c)
{
	static const char what[] = "filesystem file";
	const struct cim_image *image = c->image;
	const uint8_t *bytes = image->header;
	const uint32_t flags = cim_get32(bytes + CIM_OFF(filesystem_header, flags));
	const uint64_t sets_end = cim_header_sets_end(image->info.set_count);
	const uint64_t length = cim_header_end(image->info.set_count, image->info.source_count);
	bool reserved;

	if (!check_common(c, what, "header", 0, bytes, CIM_FILE_FILESYSTEM, length))
		return;
	if (flags & ~(flags & CIM_IMAGE_MARKED ? KNOWN_IMAGE_FLAGS : 0))
		cim_check_report(c, CIM_NOTE, what, 0, "header: unknown flags");
	reserved = !cim_is_zero(bytes + CIM_OFF(filesystem_header, reserved), 2) ||
		   !cim_is_zero(bytes + CIM_OFF(filesystem_header, set) +
					CIM_OFF(region_set, reserved),
				6);
	for (uint64_t at = CIM_SIZE(filesystem_header); at < sets_end; at += CIM_SIZE(region_set))
		reserved |= !cim_is_zero(bytes + at + CIM_OFF(region_set, reserved), 6);
	for (uint64_t at = sets_end; at < length; at += CIM_SIZE(source))
		reserved |= !cim_is_zero(bytes + at + CIM_OFF(source, reserved), 4);
	if (reserved)
		cim_check_report(c, CIM_NOTE, what, 0, "header: reserved field is not zero");
	if (image->header_size > length)
		cim_check_report(c, CIM_NOTE, what, 0, "%llu bytes follow the region sets",
				 (unsigned long long)(image->header_size - length));
	/* Sources of a merged image may share some. */
	if (!image->info.source_count)
		check_set_guids(c);
}

void cim_check_files(struct cim_check *c)
{
	const struct cim_image *image = c->image;

	check_filesystem_file(c);
	for (uint32_t s = 0; s < image->info.set_count; s++) {
		const struct cim_region_set *set = &image->sets[s];
		bool own = s == image->info.set_count - 1;

		for (uint32_t i = 0; i < set->count; i++) {
			uint64_t size;

			if (c->status)
				return;
			size = check_region_file(c, set, i);
			check_objectid_file(c, set, i, size, own);
			cim_check_tick(c);
		}
	}
	if (!cim_sort(&image->env, c->bad, c->bad_count, sizeof(*c->bad), cim_compare_u64, NULL) ||
	    !cim_sort(&image->env, c->good, c->good_count, sizeof(*c->good), cim_compare_u64, NULL))
		cim_check_no_memory(c);
}
