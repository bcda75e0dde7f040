/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * publish.c - the second half of a commit: old or new, never between
 *
 * Everything that the new image names is brought to the disk first: region files, object ID
 * files, then their names. Then a finished, synced filesystem file takes the image's name by one
 * atomic rename. Until that rename nothing of the session counts; from then on it is committed.
 */
#include "io.h"
#include "names.h"
#include "regions.h"
#include "session.h"

#include <string.h>

enum { RETRY_MS = 1000, RETRY_STEP_MS = 20 };

/* ---- object ID files ---- */

static enum cim_status write_id_file(struct cim_writer *writer, int i, struct cim_error *err)
{
	uint8_t header[CIM_SIZE(objectid_header)] = {0};
	struct cim_session_file *file = &writer->files.ids[i];
	enum cim_status status = CIM_OK;

	if (file->state == CIM_FILE_NONE) /* else a former commit made it */
		status = cim_session_file_create(file, err);
	if (status)
		return status;
	cim_common_header_encode(header, sizeof(header), CIM_FILE_OBJECT_ID, writer->major,
				 writer->minor);
	cim_put16(header + CIM_OFF(objectid_header, index), (uint16_t)i);
	header[CIM_OFF(objectid_header, type)] = (uint8_t)i;
	status = cim_object_index_write(&writer->objects.index, writer->objects.regions[i].region,
					header, file->handle, file->name, err);
	return status ? status : cim_io_sync(&writer->env, file->handle, file->name, err);
}

/* ---- the filesystem file ---- */

static uint8_t *make_header(struct cim_writer *writer, uint64_t filesystem, size_t *size)
{
	const struct cim_merge *merge = writer->merge;
	uint32_t count;
	const struct cim_region_set *parents = cim_session_parents(writer, &count);
	uint8_t *bytes, *tail;

	*size = CIM_SIZE(filesystem_header) +
		(merge ? cim_merge_tail_size(merge) : (size_t)count * CIM_SIZE(region_set));
	bytes = cim_zalloc(&writer->env, *size);
	if (!bytes)
		return NULL;
	tail = bytes + CIM_SIZE(filesystem_header);
	cim_common_header_encode(bytes, (uint32_t)*size, CIM_FILE_FILESYSTEM, writer->major,
				 writer->minor);
	cim_region_set_encode(bytes + CIM_OFF(filesystem_header, set), &writer->files.guid,
			      CIM_REGION_TYPES);
	cim_put64(bytes + CIM_OFF(filesystem_header, filesystem),
		  cim_merge_offset(merge, 0, filesystem));
	cim_put16(bytes + CIM_OFF(filesystem_header, parent_count), (uint16_t)count);
	cim_put32(bytes + CIM_OFF(filesystem_header, flags),
		  (writer->ns.marked ? CIM_IMAGE_MARKED : 0) | (merge ? CIM_IMAGE_MERGED : 0));
	if (merge) {
		cim_merge_put_tail(merge, tail);
		return bytes;
	}
	for (uint32_t i = 0; i < count; i++)
		cim_region_set_encode(tail + i * CIM_SIZE(region_set), &parents[i].guid,
				      parents[i].count);
	return bytes;
}

/* The bytes of the filesystem file. */
struct fs_file {
	uint8_t *bytes;
	size_t size;
};

static enum cim_status write_fs_file(struct cim_writer *writer, const struct fs_file *out,
				     struct cim_error *err)
{
	struct cim_session_file *file = &writer->files.image;
	enum cim_status status;

	cim_session_file_remove(file); /* a former commit's, if it couldn't be removed then */
	status = cim_session_file_create(file, err);
	if (!status)
		status = cim_io_write(&writer->env, file->handle, file->name, 0, out->bytes,
				      out->size, err);
	return status ? status : cim_io_sync(&writer->env, file->handle, file->name, err);
}

/* A server that has the image mounted holds the byte lock of its own set's first region file, as a
 * session does with its own. Where there are no locks no mount can be seen. */
static enum cim_status check_not_mounted(struct cim_writer *writer, struct cim_error *err)
{
	const struct cim_image *base = writer->base;
	char name[CIM_SET_FILE_NAME];
	enum cim_vfs_lock lock;
	enum cim_status status;

	cim_set_file_name(name, CIM_KIND_REGION, &base->sets[base->info.set_count - 1].guid, 0);
	status = cim_io_is_locked(&writer->env, writer->dir, name, &lock, err);
	if (status == CIM_E_UNSUPPORTED)
		return CIM_OK;
	if (status)
		return status;
	return lock ? cim_fail(err, CIM_E_SHARING, "the image is mounted") : CIM_OK;
}

/* May the image be replaced? Not if it is mounted (D33) or isn't the one that was opened (D35). */
static enum cim_status may_replace(struct cim_writer *writer, bool *final, struct cim_error *err)
{
	struct cim_image *base = writer->base;
	bool same;
	enum cim_status status;

	/* A server ends a moment after its mount does. */
	status = check_not_mounted(writer, err);
	*final = status != CIM_E_SHARING;
	if (status)
		return status;
	status = cim_file_is(&writer->env, writer->dir, writer->name, base->header,
			     base->header_size, &same, err);
	if (!status && !same)
		return cim_fail(err, CIM_E_SHARING, "the image was changed by somebody else");
	*final = status != CIM_E_SHARING;
	return status;
}

/* One try at the one rename. @final: trying again has no sense. */
static enum cim_status try_rename(struct cim_writer *writer, const struct fs_file *out, bool *final,
				  struct cim_error *err)
{
	bool ours;
	enum cim_status status;

	if (writer->replaces) {
		status = may_replace(writer, final, err);
		if (status)
			return status;
	}
	status = cim_session_file_publish(&writer->files.image, writer->name,
					  writer->replaces ? 0 : CIM_VFS_NOREPLACE, err);
	*final = status != CIM_E_SHARING;
	if (status == CIM_E_EXISTS)
		return cim_fail(err, status, "the name has been taken meanwhile");
	/* A network may lose the answer to a rename that took place. */
	if (status && *final &&
	    !cim_file_is(&writer->env, writer->dir, writer->name, out->bytes, out->size, &ours,
			 NULL) &&
	    ours)
		return CIM_OK;
	return status;
}

/* An image held open by somebody is waited for (D47), and looked at again before each try. */
static enum cim_status rename_fs_file(struct cim_writer *writer, const struct fs_file *out,
				      struct cim_error *err)
{
	uint64_t end = writer->env.now_ms(writer->env.clock_ctx) + RETRY_MS;
	bool final;
	enum cim_status status;

	for (;;) {
		status = try_rename(writer, out, &final, err);
		if (!status || final || writer->env.now_ms(writer->env.clock_ctx) >= end)
			break;
		writer->env.sleep_ms(writer->env.clock_ctx, RETRY_STEP_MS);
	}
	writer->harmless = status == CIM_E_SHARING;
	return status;
}

/* The files that the image shares with its base may be gone by now: somebody whom the directory's
 * lock doesn't bind can have removed the base. Then its own tables are gone as well. */
static enum cim_status check_base(struct cim_writer *writer, struct cim_error *err)
{
	struct cim_image *base = writer->base;
	char name[CIM_SET_FILE_NAME];
	cim_vfs_file *file;
	enum cim_status status;

	if (!base)
		return CIM_OK;
	cim_region_name(base, cim_region_index(base->file_table_directory), name);
	status = cim_io_open(&writer->env, writer->dir, name, CIM_VFS_READ, &file, err);
	if (status == CIM_E_FILE_NOT_FOUND)
		return cim_fail(err, CIM_E_CORRUPT, "%s has been removed", name);
	cim_io_close(&writer->env, file);
	return status;
}

/* All that the filesystem file will name, synced and under its final names. */
static enum cim_status publish_files(struct cim_writer *writer, uint64_t filesystem,
				     struct cim_error *err)
{
	enum cim_status status = cim_objects_sync(&writer->objects, err);

	for (int i = 0; i < CIM_REGION_TYPES && !status; i++)
		status = write_id_file(writer, i, err);
	if (!status)
		status = check_base(writer, err);
	if (!status)
		status = cim_merge_check_given(writer, err);
	if (writer->files.consistent && !status)
		status = cim_consistent_name(writer, filesystem, err);
	if (!status)
		status = cim_io_sync_dir(&writer->env, writer->dir, err);
	return status;
}

enum cim_status cim_publish(struct cim_writer *writer, uint64_t filesystem, struct cim_error *err)
{
	struct fs_file out = {0};
	enum cim_status status;

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
	writer->committed = !status;
	if (status)
		cim_session_file_remove(&writer->files.image);
	if (status && writer->files.consistent)
		cim_consistent_unname(writer);
	cim_session_files_end_commit(&writer->files, !status);
	return status ? status : cim_io_sync_dir(&writer->env, writer->dir, err);
}
