/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * publish.c - the second half of a commit: old or new, never between
 *
 * Everything that the new image names is brought to the disk first: region files, object ID
 * files, then their names. Then a finished, synced filesystem file takes the image's name by one
 * atomic rename. Until that rename nothing of the session counts; from then on it is committed.
 *
 * In consistent mode (decision D45) the region set's GUID is computed here from the image's name,
 * its parents and all objects, and the private files get their names. A file of such a name that
 * is there already is a former build's: the same bytes are kept, an orphan with other bytes is
 * replaced, and one that an image names is left alone and fails the commit.
 */
#include "reader.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 1000, RETRY_STEP_MS = 20 };

/* ---- object ID files ---- */

static enum cim_status write_id_file(struct cim_writer *writer, int i, struct cim_error *err)
{
	const struct cim_fs *fs = writer->env.fs;
	uint8_t header[CIM_SIZE(objectid_header)] = {0};
	char *name = writer->id_names[i];
	enum cim_status status;
	long os_error = 0;

	if (!writer->id_files[i]) {
		if (writer->consistent)
			snprintf(name, CIM_PRIVATE_NAME, "cimtmp_%s_o%d", writer->random, i);
		else
			cim_set_file_name(name, "objectid_", &writer->guid, (unsigned)i);
		status = fs->open(fs->ctx, writer->dir, name, CIM_FS_CREATE, &writer->id_files[i],
				  &os_error);
		if (status) {
			writer->id_files[i] = NULL;
			status = cim_fail_os(err, status, os_error, "creating %s", name);
			name[0] = '\0';
			return status;
		}
	}
	cim_common_header_encode(header, sizeof(header), CIM_FILE_OBJECT_ID, writer->major,
				 writer->minor);
	cim_put16(header + CIM_OFF(objectid_header, index), (uint16_t)i);
	header[CIM_OFF(objectid_header, type)] = (uint8_t)i;
	status = cim_object_index_write(&writer->objects.index, writer->objects.regions[i].region,
					header, writer->id_files[i], err);
	if (status)
		return status;
	status = fs->sync(fs->ctx, writer->id_files[i], &os_error);
	if (status)
		return cim_fail_os(err, status, os_error, "syncing %s", name);
	return CIM_OK;
}

/* ---- names in consistent mode ---- */

static bool is_private(const char *name)
{
	return !strncmp(name, "cimtmp_", 7);
}

/* The set's GUID: a version 8 UUID of all that makes the image what it is. */
static void compute_guid(struct cim_writer *writer, uint64_t filesystem)
{
	struct cim_hasher hasher;
	struct cim_digest digest;
	uint8_t bytes[16 + 2];
	uint32_t i;

	cim_hasher_init(&hasher);
	cim_hasher_copy(&hasher, &writer->objects.content);
	for (i = 0; writer->base && i < writer->base->set_count; i++) {
		memcpy(bytes, writer->base->sets[i].guid.bytes, 16);
		cim_put16(bytes + 16, writer->base->sets[i].count);
		cim_hasher_update(&hasher, bytes, sizeof(bytes));
	}
	cim_put64(bytes, filesystem);
	cim_put32(bytes + 8, writer->major);
	cim_put32(bytes + 12, writer->minor);
	cim_hasher_update(&hasher, bytes, 16);
	cim_hasher_update(&hasher, writer->name, strlen(writer->name));
	cim_hasher_final(&hasher, &digest);
	memcpy(writer->guid.bytes, digest.bytes, 16);
	writer->guid.bytes[7] = (uint8_t)((writer->guid.bytes[7] & 0x0f) | 0x80); /* version 8 */
	writer->guid.bytes[8] = (uint8_t)((writer->guid.bytes[8] & 0x3f) | 0x80); /* RFC variant */
}

/* Compare two files of the directory byte by byte; sync the second if they are equal. */
static enum cim_status compare_files(struct cim_writer *writer, cim_fs_file *ours, const char *name,
				     bool *equal, struct cim_error *err)
{
	enum { CHUNK = 1 << 18 };
	const struct cim_fs *fs = writer->env.fs;
	uint8_t *buf = cim_alloc(&writer->env, 2 * CHUNK);
	size_t got = CHUNK, got2 = CHUNK;
	enum cim_status status;
	cim_fs_file *theirs;
	uint64_t at;
	long os_error = 0;

	*equal = true;
	if (!buf)
		return cim_no_memory(err);
	status = fs->open(fs->ctx, writer->dir, name, CIM_FS_UPDATE, &theirs, &os_error);
	if (status)
		goto free_buf;
	for (at = 0; *equal && got == CHUNK && !status; at += CHUNK) {
		status = fs->pread(fs->ctx, ours, at, buf, CHUNK, &got, &os_error);
		if (!status)
			status = fs->pread(fs->ctx, theirs, at, buf + CHUNK, CHUNK, &got2,
					   &os_error);
		*equal = !status && got == got2 && !memcmp(buf, buf + CHUNK, got);
	}
	if (*equal && !status)
		status = fs->sync(fs->ctx, theirs, &os_error);
	fs->close(fs->ctx, theirs);
free_buf:
	cim_free(&writer->env, buf);
	if (status)
		cim_fail_os(err, status, os_error, "comparing with %s", name);
	return status;
}

struct owner_search {
	struct cim_writer *writer;
	struct cim_error why; /* of a file that couldn't be looked at */
	bool found;
};

/* Does this file, if it is an image, name the session's set? One that is broken may. */
static enum cim_status look_for_owner(void *arg, const char *name)
{
	struct owner_search *search = arg;
	struct cim_writer *writer = search->writer;
	struct cim_region_set *sets = NULL;
	uint32_t major, minor, count = 0, regions, i;
	enum cim_status status;
	uint64_t filesystem;
	uint8_t *bytes;
	size_t size;

	if (is_private(name)) /* what a dead session left is nobody's image */
		return CIM_OK;
	status = cim_read_whole(&writer->env, writer->dir, name, CIM_MAX_FILESYSTEM_FILE, &bytes,
				&size, &search->why);
	if (status == CIM_E_CORRUPT || status == CIM_E_FILE_NOT_FOUND)
		return CIM_OK; /* too large, or gone */
	if (!status && size >= CIM_SIZE(filesystem_header) &&
	    !memcmp(bytes, CIM_MAGIC, CIM_MAGIC_SIZE) &&
	    bytes[CIM_OFF(common_header, type)] == CIM_FILE_FILESYSTEM) {
		status = cim_header_decode(&writer->env, bytes, size, &major, &minor, &sets, &count,
					   &regions, &filesystem, &search->why);
		if (status && status != CIM_E_NO_MEMORY) {
			search->found = true;
			status = CIM_OK;
		}
		for (i = 0; i < count; i++)
			if (!memcmp(&sets[i].guid, &writer->guid, sizeof(writer->guid)))
				search->found = true;
		cim_free(&writer->env, sets);
	}
	cim_free(&writer->env, bytes);
	return search->found ? CIM_E_EXISTS : status;
}

/* Is the set named by an image of the directory? */
static enum cim_status is_owned(struct cim_writer *writer, bool *owned, struct cim_error *err)
{
	struct owner_search search = {.writer = writer};
	const struct cim_fs *fs = writer->env.fs;
	enum cim_status status;
	long os_error = 0;

	status = fs->list(fs->ctx, writer->dir, look_for_owner, &search, &os_error);
	*owned = search.found;
	if (!status || search.found)
		return CIM_OK;
	if (status != search.why.status)
		return cim_fail_os(err, status, os_error, "listing the directory");
	if (err)
		*err = search.why;
	return status;
}

/* Give a region file its name. If the same bytes are there, ours keeps its private name (and is
 * removed after the commit). */
static enum cim_status name_region(struct cim_writer *writer, int i, struct cim_error *err)
{
	const struct cim_fs *fs = writer->env.fs;
	struct cim_region_out *out = &writer->objects.regions[i];
	char name[CIM_SET_FILE_NAME];
	enum cim_status status;
	long os_error = 0;
	bool equal, owned;

	cim_set_file_name(name, "region_", &writer->guid, (unsigned)i);
	status = fs->rename(fs->ctx, writer->dir, out->name, name, CIM_FS_NOREPLACE, &os_error);
	if (status == CIM_E_EXISTS) {
		status = compare_files(writer, out->file, name, &equal, err);
		if (status || equal)
			return status;
		status = is_owned(writer, &owned, err);
		if (status)
			return status;
		if (owned)
			return cim_fail(err, CIM_E_EXISTS,
					"%s is there with other bytes, and an image needs it",
					name);
		status = fs->rename(fs->ctx, writer->dir, out->name, name, 0, &os_error);
	}
	if (status)
		return cim_fail_os(err, status, os_error, "renaming %s", out->name);
	memcpy(out->name, name, sizeof(out->name));
	return CIM_OK;
}

static enum cim_status name_id_file(struct cim_writer *writer, int i, struct cim_error *err)
{
	const struct cim_fs *fs = writer->env.fs;
	char name[CIM_SET_FILE_NAME];
	enum cim_status status;
	long os_error = 0;

	cim_set_file_name(name, "objectid_", &writer->guid, (unsigned)i);
	status = fs->rename(fs->ctx, writer->dir, writer->id_names[i], name, 0, &os_error);
	if (status)
		return cim_fail_os(err, status, os_error, "renaming %s", writer->id_names[i]);
	memcpy(writer->id_names[i], name, sizeof(writer->id_names[i]));
	if (is_private(writer->objects.regions[i].name)) {
		/* It serves a region file that isn't the session's: neither is it. */
		fs->close(fs->ctx, writer->id_files[i]);
		writer->id_files[i] = NULL;
		writer->id_names[i][0] = '\0';
	}
	return CIM_OK;
}

/* Back to private names: the session goes on, or its files will be removed. But if somebody has
 * made the same image meanwhile (under Wine, beside a native tool), he took our files for his. */
static void unname(struct cim_writer *writer)
{
	const struct cim_fs *fs = writer->env.fs;
	char name[CIM_PRIVATE_NAME];
	long os_error;
	bool owned;
	int i;

	if (writer->consistent && !is_owned(writer, &owned, NULL) && owned) {
		for (i = 0; i < CIM_REGION_TYPES; i++) {
			if (!is_private(writer->objects.regions[i].name))
				writer->objects.regions[i].name[0] = '\0';
			if (!is_private(writer->id_names[i]))
				writer->id_names[i][0] = '\0';
		}
		cim_session_poison(writer, CIM_E_EXISTS, NULL);
		writer->harmless = false;
		return;
	}
	for (i = 0; i < CIM_REGION_TYPES && writer->consistent; i++) {
		struct cim_region_out *out = &writer->objects.regions[i];

		snprintf(name, sizeof(name), "cimtmp_%s_%d", writer->random, i);
		if (strcmp(name, out->name) &&
		    !fs->rename(fs->ctx, writer->dir, out->name, name, CIM_FS_NOREPLACE, &os_error))
			memcpy(out->name, name, sizeof(name));
		snprintf(name, sizeof(name), "cimtmp_%s_o%d", writer->random, i);
		if (writer->id_names[i][0] && strcmp(name, writer->id_names[i]) &&
		    !fs->rename(fs->ctx, writer->dir, writer->id_names[i], name, CIM_FS_NOREPLACE,
				&os_error))
			memcpy(writer->id_names[i], name, sizeof(name));
	}
}

/* After the commit: region files whose bytes were there already. */
static void drop_duplicates(struct cim_writer *writer)
{
	const struct cim_fs *fs = writer->env.fs;
	long os_error;
	int i;

	for (i = 0; i < CIM_REGION_TYPES && writer->consistent; i++)
		if (is_private(writer->objects.regions[i].name))
			fs->remove(fs->ctx, writer->dir, writer->objects.regions[i].name,
				   &os_error);
}

/* ---- the filesystem file ---- */

static uint8_t *make_header(struct cim_writer *writer, uint64_t filesystem, size_t *size)
{
	uint32_t parents = writer->base ? writer->base->set_count : 0, i;
	uint8_t *bytes;

	*size = CIM_SIZE(filesystem_header) + (size_t)parents * CIM_SIZE(region_set);
	bytes = cim_zalloc(&writer->env, *size);
	if (!bytes)
		return NULL;
	cim_common_header_encode(bytes, (uint32_t)*size, CIM_FILE_FILESYSTEM, writer->major,
				 writer->minor);
	cim_region_set_encode(bytes + CIM_OFF(filesystem_header, set), &writer->guid,
			      CIM_REGION_TYPES);
	cim_put64(bytes + CIM_OFF(filesystem_header, filesystem), filesystem);
	cim_put16(bytes + CIM_OFF(filesystem_header, parent_count), (uint16_t)parents);
	for (i = 0; i < parents; i++)
		cim_region_set_encode(bytes + CIM_SIZE(filesystem_header) +
					      i * CIM_SIZE(region_set),
				      &writer->base->sets[i].guid, writer->base->sets[i].count);
	return bytes;
}

/* A finished filesystem file under its private name. */
struct fs_file {
	char name[CIM_PRIVATE_NAME];
	uint8_t *bytes;
	size_t size;
};

/* Something (a virus scanner) may keep the file from being removed: then it is tried once more
 * before the next one is made, and when the session is closed. */
static void remove_fs_file(struct cim_writer *writer, const char *name)
{
	const struct cim_fs *fs = writer->env.fs;
	enum cim_status status;
	long os_error;

	status = fs->remove(fs->ctx, writer->dir, name, &os_error);
	writer->fs_file_left = status && status != CIM_E_FILE_NOT_FOUND;
}

void cim_remove_left_file(struct cim_writer *writer)
{
	char name[CIM_PRIVATE_NAME];

	if (!writer->fs_file_left)
		return;
	snprintf(name, sizeof(name), "cimtmp_%s_fs", writer->random);
	remove_fs_file(writer, name);
}

static enum cim_status write_fs_file(struct cim_writer *writer, const struct fs_file *out,
				     struct cim_error *err)
{
	const struct cim_fs *fs = writer->env.fs;
	enum cim_status status;
	cim_fs_file *file;
	long os_error = 0;

	cim_remove_left_file(writer);
	status = fs->open(fs->ctx, writer->dir, out->name, CIM_FS_CREATE, &file, &os_error);
	if (status)
		return cim_fail_os(err, status, os_error, "creating %s", out->name);
	status = fs->pwrite(fs->ctx, file, 0, out->bytes, out->size, &os_error);
	if (!status)
		status = fs->sync(fs->ctx, file, &os_error);
	fs->close(fs->ctx, file);
	if (status) {
		cim_fail_os(err, status, os_error, "writing %s", out->name);
		remove_fs_file(writer, out->name);
	}
	return status;
}

/* Does the image's name stand for these bytes? */
static enum cim_status image_is(struct cim_writer *writer, const uint8_t *bytes, size_t size,
				bool *same, struct cim_error *err)
{
	enum cim_status status;
	uint8_t *found;
	size_t found_size;

	*same = false;
	status = cim_read_whole(&writer->env, writer->dir, writer->name, CIM_MAX_FILESYSTEM_FILE,
				&found, &found_size, err);
	if (status == CIM_E_FILE_NOT_FOUND || status == CIM_E_CORRUPT)
		return CIM_OK;
	if (status)
		return status;
	*same = size == found_size && !memcmp(bytes, found, size);
	cim_free(&writer->env, found);
	return CIM_OK;
}

/* A server that has the image mounted holds the byte lock of its own set's first region file, as a
 * session does with its own. Where there are no locks no mount can be seen. */
static enum cim_status check_not_mounted(struct cim_writer *writer, struct cim_error *err)
{
	const struct cim_image *base = writer->base;
	const struct cim_fs *fs = writer->env.fs;
	char name[CIM_SET_FILE_NAME];
	enum cim_status status;
	bool locked;
	long os_error = 0;

	cim_set_file_name(name, "region_", &base->sets[base->set_count - 1].guid, 0);
	status = fs->is_locked(fs->ctx, writer->dir, name, &locked, &os_error);
	if (status == CIM_E_UNSUPPORTED)
		return CIM_OK;
	if (status)
		return cim_fail_os(err, status, os_error, "looking for a mount of %s", name);
	return locked ? cim_fail(err, CIM_E_SHARING, "the image is mounted") : CIM_OK;
}

/* May the image be replaced? Not if it is mounted (D33) or isn't the one that was opened (D35). */
static enum cim_status may_replace(struct cim_writer *writer, bool *final, struct cim_error *err)
{
	struct cim_image *base = writer->base;
	enum cim_status status;
	bool same;

	/* A server ends a moment after its mount does. */
	status = check_not_mounted(writer, err);
	*final = status != CIM_E_SHARING;
	if (status)
		return status;
	status = image_is(writer, base->header, base->header_size, &same, err);
	if (!status && !same)
		return cim_fail(err, CIM_E_SHARING, "the image was changed by somebody else");
	*final = status != CIM_E_SHARING;
	return status;
}

/* One try at the one rename. @final: trying again has no sense. */
static enum cim_status try_rename(struct cim_writer *writer, const struct fs_file *out, bool *final,
				  struct cim_error *err)
{
	const struct cim_fs *fs = writer->env.fs;
	enum cim_status status;
	long os_error = 0;
	bool ours;

	if (writer->replaces) {
		status = may_replace(writer, final, err);
		if (status)
			return status;
	}
	status = fs->rename(fs->ctx, writer->dir, out->name, writer->name,
			    writer->replaces ? 0 : CIM_FS_NOREPLACE, &os_error);
	*final = status != CIM_E_SHARING;
	if (status == CIM_E_EXISTS)
		return cim_fail(err, status, "the name has been taken meanwhile");
	/* A network may lose the answer to a rename that took place. */
	if (status && *final && !image_is(writer, out->bytes, out->size, &ours, NULL) && ours)
		return CIM_OK;
	if (status)
		return cim_fail_os(err, status, os_error, "renaming %s", out->name);
	return CIM_OK;
}

/* An image held open by somebody is waited for (D47), and looked at again before each try. */
static enum cim_status rename_fs_file(struct cim_writer *writer, const struct fs_file *out,
				      struct cim_error *err)
{
	uint64_t end = writer->env.now_ms(writer->env.clock_ctx) + RETRY_MS;
	enum cim_status status;
	bool final;

	for (;;) {
		status = try_rename(writer, out, &final, err);
		if (!status || final || writer->env.now_ms(writer->env.clock_ctx) >= end)
			break;
		writer->env.sleep_ms(writer->env.clock_ctx, RETRY_STEP_MS);
	}
	writer->harmless = status == CIM_E_SHARING;
	if (status)
		remove_fs_file(writer, out->name);
	return status;
}

static enum cim_status sync_names(struct cim_writer *writer, struct cim_error *err)
{
	const struct cim_fs *fs = writer->env.fs;
	enum cim_status status;
	long os_error = 0;

	status = fs->sync_dir(fs->ctx, writer->dir, &os_error);
	if (status)
		return cim_fail_os(err, status, os_error, "syncing the directory");
	return CIM_OK;
}

/* The files that the image shares with its base may be gone by now: somebody whom the directory's
 * lock doesn't bind can have removed the base. Then its own tables are gone as well. */
static enum cim_status check_base(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_image *base = writer->base;
	const struct cim_fs *fs = writer->env.fs;
	char name[CIM_SET_FILE_NAME];
	enum cim_status status;
	cim_fs_file *file;
	long os_error = 0;

	if (!base)
		return CIM_OK;
	cim_region_name(base, cim_region_index(base->file_table_directory), name);
	status = fs->open(fs->ctx, writer->dir, name, CIM_FS_READ, &file, &os_error);
	if (status == CIM_E_FILE_NOT_FOUND)
		return cim_fail(err, CIM_E_CORRUPT, "%s has been removed", name);
	if (status)
		return cim_fail_os(err, status, os_error, "opening %s", name);
	fs->close(fs->ctx, file);
	return CIM_OK;
}

/* All that the filesystem file will name, synced and under its final names. */
static enum cim_status publish_files(struct cim_writer *writer, uint64_t filesystem,
				     struct cim_error *err)
{
	enum cim_status status = CIM_OK;
	int i;

	for (i = 0; i < CIM_REGION_TYPES && !status; i++)
		status = write_id_file(writer, i, err);
	if (!status)
		status = cim_objects_sync(&writer->objects, err);
	if (!status)
		status = check_base(writer, err);
	if (writer->consistent && !status)
		compute_guid(writer, filesystem);
	for (i = 0; i < CIM_REGION_TYPES && !status && writer->consistent; i++)
		status = name_region(writer, i, err);
	for (i = 0; i < CIM_REGION_TYPES && !status && writer->consistent; i++)
		status = name_id_file(writer, i, err);
	if (!status)
		status = sync_names(writer, err);
	return status;
}

enum cim_status cim_publish(struct cim_writer *writer, uint64_t filesystem, struct cim_error *err)
{
	enum cim_status status;
	struct fs_file out;

	snprintf(out.name, sizeof(out.name), "cimtmp_%s_fs", writer->random);
	out.bytes = NULL;
	status = publish_files(writer, filesystem, err);
	if (!status) {
		out.bytes = make_header(writer, filesystem, &out.size);
		status = out.bytes ? CIM_OK : cim_no_memory(err);
	}
	if (!status)
		status = write_fs_file(writer, &out, err);
	if (!status)
		status = rename_fs_file(writer, &out, err);
	cim_free(&writer->env, out.bytes);
	if (status) {
		unname(writer);
		return status;
	}
	writer->state = CIM_SESSION_COMMITTED;
	drop_duplicates(writer);
	return sync_names(writer, err);
}
