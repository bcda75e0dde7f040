/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * consistent.c - the names of a consistent session's files (decision D45)
 *
 * Such a session's region set has a GUID that is computed at the commit from the image's name, its
 * parents and all objects. Only then its private files get their names, and a file of such a name
 * may be there already, a former build's: the same bytes are kept and ours are dropped, an orphan
 * with other bytes makes way, and one that an image names is left alone and fails the commit.
 *
 * Others may be at the same names: somebody who deletes orphans (store.c), and sessions that our
 * lock on the directory doesn't bind. What all of them heed is the byte lock of D36, here on every
 * file that bears one of these names. The rule: a name is taken from a file only by who holds it
 * alone (a region file's only if no image names its set), and given otherwise only where there is
 * none. And a session holds all six files, its own as well as what it found there, from before they
 * have their names, or before it looks at them, until its image is there or it has failed. Found
 * files are held together with others who share them, as servers of mounted images do.
 */
#include "io.h"
#include "names.h"
#include "owners.h"
#include "session.h"

#include <string.h>

enum {
	NAME_TRIES = 8, /* others may give and take a name meanwhile */
};

/* The set's GUID: a version 8 UUID of all that makes the image what it is. */
static void compute_guid(struct cim_writer *writer, uint64_t filesystem)
{
	uint32_t count;
	const struct cim_region_set *parents = cim_session_parents(writer, &count);
	struct cim_hasher hasher;
	struct cim_digest digest;
	uint8_t bytes[16 + 2];

	cim_hasher_copy(&hasher, &writer->objects.content);
	for (uint32_t i = 0; i < count; i++) {
		memcpy(bytes, parents[i].guid.bytes, 16);
		cim_put16(bytes + 16, parents[i].count);
		cim_hasher_update(&hasher, bytes, sizeof(bytes));
	}
	cim_put64(bytes, filesystem);
	cim_put32(bytes + 8, writer->major);
	cim_put32(bytes + 12, writer->minor);
	cim_hasher_update(&hasher, bytes, 16);
	cim_hasher_update(&hasher, writer->name, strlen(writer->name));
	cim_hasher_final(&hasher, &digest);
	cim_session_files_set_guid(&writer->files, digest.bytes, 8);
}

/* ---- holding ---- */

static enum cim_status is_owned(struct cim_writer *writer, bool *owned, struct cim_error *err)
{
	return cim_set_is_owned(&writer->env, writer->dir, &writer->files.guid, owned, err);
}

/* Hold the file that bears @name. Where there are no locks it is only opened. CIM_E_FILE_NOT_FOUND:
 * it has just gone. */
static enum cim_status hold(struct cim_writer *writer, const char *name, bool alone,
			    cim_vfs_file **file, struct cim_error *err)
{
	enum cim_status status = cim_hold_file(&writer->env, writer->dir, name, alone, file, err);

	if (status == CIM_E_UNSUPPORTED)
		status = cim_io_open(&writer->env, writer->dir, name, CIM_VFS_UPDATE, file, err);
	writer->harmless |= status == CIM_E_SHARING;
	return status;
}

/* ---- names ---- */

/* Take a name from the file that has it. A region file that an image needs keeps it. */
static enum cim_status clear_name(struct cim_writer *writer, const char *name, bool is_region,
				  struct cim_error *err)
{
	cim_vfs_file *file;
	bool owned = false;
	enum cim_status status;

	status = hold(writer, name, true, &file, err);
	if (status == CIM_E_FILE_NOT_FOUND)
		return CIM_OK;
	if (status)
		return status;
	if (is_region)
		status = is_owned(writer, &owned, err);
	if (owned)
		status = cim_fail(err, CIM_E_EXISTS,
				  "%s is there with other bytes, and an image needs it", name);
	if (!status)
		status = cim_io_remove(&writer->env, writer->dir, name, err);
	cim_io_close(&writer->env, file);
	return status == CIM_E_FILE_NOT_FOUND ? CIM_OK : status;
}

/* A file with a region file's final name is there. It is adopted if its bytes are ours. */
static enum cim_status adopt_or_clear(struct cim_writer *writer, struct cim_session_file *region,
				      const char *name, struct cim_error *err)
{
	const struct cim_open_file ours = {&writer->env, region->handle, region->name};
	struct cim_open_file theirs = {&writer->env, NULL, name};
	bool same;
	enum cim_status status;

	status = hold(writer, name, false, &theirs.file, err);
	if (status == CIM_E_FILE_NOT_FOUND)
		return CIM_OK;
	if (status)
		return status;
	status = cim_files_are_same(&ours, &theirs, &same, err);
	if (!status && same) {
		cim_session_file_adopt(region, theirs.file);
		return CIM_OK;
	}
	cim_io_close(&writer->env, theirs.file);
	return status ? status : clear_name(writer, name, true, err);
}

static enum cim_status name_region(struct cim_writer *writer, struct cim_session_file *region,
				   struct cim_error *err)
{
	char name[CIM_SET_FILE_NAME];
	enum cim_status status;

	cim_session_file_final_name(region, name);
	for (int tries = 0; tries < NAME_TRIES; tries++) {
		status = cim_session_file_give_name(region, CIM_VFS_NOREPLACE, err);
		if (status != CIM_E_EXISTS)
			return status;
		status = adopt_or_clear(writer, region, name, err);
		if (status || region->state == CIM_FILE_ADOPTED)
			return status;
	}
	return cim_fail(err, CIM_E_EXISTS, "%s is taken again and again", name);
}

/* Replace an object ID file that is there, in one step: whatever fails, an image that shares its
 * set has the old one or the new one. CIM_E_EXISTS: to be tried again. */
static enum cim_status replace_id_file(struct cim_writer *writer, struct cim_session_file *id,
				       const char *name, struct cim_error *err)
{
	cim_vfs_file *file;
	enum cim_status status;

	status = hold(writer, name, true, &file, err);
	if (status == CIM_E_FILE_NOT_FOUND)
		return CIM_E_EXISTS;
	if (status)
		return status;
	status = cim_session_file_give_name(id, 0, err);
	cim_io_close(&writer->env, file);
	if (status != CIM_E_SHARING)
		return status;
	/* Windows: what is open, as we had it, can't be replaced. It can be deleted. */
	status = clear_name(writer, name, false, err);
	return status ? status : CIM_E_EXISTS;
}

static enum cim_status name_id_file(struct cim_writer *writer, struct cim_session_file *id,
				    struct cim_error *err)
{
	enum cim_status status = CIM_E_EXISTS;
	char name[CIM_SET_FILE_NAME];

	cim_session_file_final_name(id, name);
	for (int tries = 0; status == CIM_E_EXISTS && tries < NAME_TRIES; tries++) {
		status = cim_session_file_give_name(id, CIM_VFS_NOREPLACE, err);
		if (status != CIM_E_EXISTS)
			break;
		status = replace_id_file(writer, id, name, err);
	}
	if (status == CIM_E_EXISTS)
		cim_fail(err, status, "%s is taken again and again", name);
	/* If it serves a region file that isn't the session's, neither is it, but it is held. */
	if (!status && writer->files.regions[id->index].state == CIM_FILE_ADOPTED)
		cim_session_file_give_away(id);
	return status;
}

enum cim_status cim_consistent_name(struct cim_writer *writer, uint64_t filesystem,
				    struct cim_error *err)
{
	struct cim_session_files *files = &writer->files;
	enum cim_status status = CIM_OK;

	compute_guid(writer, filesystem);
	for (int i = 0; i < CIM_SET_FILES && !status; i++)
		status = cim_session_file_hold(&files->all[i], err);
	for (int i = 0; i < CIM_REGION_TYPES && !status; i++)
		status = name_region(writer, &files->regions[i], err);
	for (int i = 0; i < CIM_REGION_TYPES && !status; i++)
		status = name_id_file(writer, &files->ids[i], err);
	return status;
}

static bool any_is_named(const struct cim_session_files *files)
{
	for (int i = 0; i < CIM_SET_FILES; i++)
		if (files->all[i].state == CIM_FILE_NAMED)
			return true;
	return false;
}

/* Where the locks don't bind everybody, somebody may have made the same image meanwhile, and taken
 * our files for his: then they stay, and the session has none that it could go on with. So it is if
 * nobody knows. */
void cim_consistent_unname(struct cim_writer *writer)
{
	struct cim_session_files *files = &writer->files;
	struct cim_error why = {0};
	bool owned;
	enum cim_status status;

	if (!any_is_named(files))
		return;
	status = is_owned(writer, &owned, &why);
	if (owned)
		status = cim_fail(&why, CIM_E_EXISTS,
				  "another's image has taken the session's files");
	for (int i = 0; i < CIM_SET_FILES; i++)
		(status ? cim_session_file_give_away : cim_session_file_take_back)(&files->all[i]);
	if (!status)
		return;
	cim_session_poison(writer, status, &why);
	writer->harmless = false;
}
