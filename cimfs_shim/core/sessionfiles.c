/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sessionfiles.c - the files of a session, and the only code that changes their states
 *
 * A session makes three region files, at its commit an object ID file for each of them, and the
 * filesystem file, which takes the image's name. First the session's own states, by which session.c
 * lets calls in:
 *
 *               stream opened                 a write failed
 *          +------------------> STREAMING ---------------------+
 *          |                        |                          |
 *          | +----------------------+                          |
 *          | v     stream closed                               v
 *   -----> OPEN -------------------------------------------> POISONED
 *          ^ | |         a write or the commit failed
 *          +-+ |
 *     commit   +-------------------------------------------> COMMITTED
 *     failed, to be             commit
 *     tried again
 *
 *   OPEN        takes all calls
 *   STREAMING   those of the stream, and cim_writer_lookup(); answers others CIM_E_SHARING
 *   POISONED    answers what went wrong first
 *   COMMITTED   answers CIM_E_INVALID
 *
 * Each can be closed. Closed while STREAMING it goes on until the stream is closed.
 *
 * A file's states, with the functions below that lead from one to another:
 *
 *           create              give_name            give_away, commit
 *   NONE ------------> PRIVATE ------------> NAMED --------------------> GIVEN
 *                      ^ | |   <------------                               ^
 *                      | | |     take_back                                 |
 *        commit failed | | +-----------------------------------------------+
 *                      | | adopt        publish: the filesystem file
 *                      | v
 *                    ADOPTED
 *
 * An ordinary session's create leads to NAMED at once, but for the filesystem file: until an image
 * names them, region and object ID files are nothing. A consistent one knows their names at its
 * commit only. remove leads back to NONE, from ADOPTED once the commit has succeeded. What is left
 * under each state's name when the machine or the process stops there:
 *
 *            files                   on disk                     after a crash
 *   NONE     object ID, filesystem   nothing                     nothing
 *            file, before a commit
 *   PRIVATE  a consistent session's; cimtmp_RANDOM_TAIL          rubbish by its name
 *            filesystem file
 *   NAMED    an ordinary session's;  region_GUID_N,              rubbish, as no image names
 *            in a commit all six     objectid_GUID_N             GUID: an orphan
 *   ADOPTED  in a commit, region     cimtmp_RANDOM_N, and under  rubbish, and what another made,
 *            files                   the final name another's    as it was
 *   GIVEN    once committed, all     the image and all that it   the image: all was synced before
 *                                    names                       the rename that made it
 *
 * So a crash leaves the image as it was before the session or as the session made it, never between
 * (publish.c), and maybe files that store.c knows for orphans. The one rename that tells the two
 * apart is publish; nothing is removed afterwards but what an adopted file made superfluous.
 *
 * GIVEN before that: an object ID file that serves an adopted region file is as little the
 * session's as that one; and where the commit failed somebody may have made the same image and
 * taken the session's files for his. They are closed and NONE again at the commit's end, so that
 * the next makes its own.
 *
 * The byte lock goes beside the state, and with the handle. The first region file bears it from its
 * creation on, as the mark of a living session, and in a consistent session all six do, from before
 * the first gets its name.
 */
#include "sessionfiles.h"
#include "io.h"

#include <string.h>

void cim_session_files_set_guid(struct cim_session_files *files, const uint8_t *bytes,
				unsigned version)
{
	uint8_t *guid = files->guid.bytes;

	memcpy(guid, bytes, sizeof(files->guid.bytes));
	guid[7] = (uint8_t)((guid[7] & 0x0f) | version << 4);
	guid[8] = (uint8_t)((guid[8] & 0x3f) | 0x80); /* RFC variant */
}

void cim_session_files_init(struct cim_session_files *files, const struct cim_env *env,
			    cim_vfs_dir *dir, bool consistent, const uint8_t *random)
{
	files->env = env;
	files->dir = dir;
	files->consistent = consistent;
	cim_session_files_set_guid(files, random, 4);
	cim_random_text_of(files->random, random + 16);
	for (unsigned i = 0; i <= CIM_SET_FILES; i++) {
		files->all[i].files = files;
		files->all[i].kind = i < CIM_REGION_TYPES ? CIM_KIND_REGION : CIM_KIND_OBJECT_ID;
		files->all[i].index = i % CIM_REGION_TYPES;
	}
	files->image.kind = CIM_KIND_IMAGE;
}

/* ---- one file ---- */

void cim_session_file_final_name(const struct cim_session_file *file, char *name)
{
	cim_set_file_name(name, file->kind, &file->files->guid, file->index);
}

/* The name that goes with a state, PRIVATE or NAMED. */
static void name_of(const struct cim_session_file *file, enum cim_file_state state, char *name)
{
	if (state == CIM_FILE_PRIVATE)
		cim_temporary_name(name, file->files->random, file->kind, file->index);
	else
		cim_session_file_final_name(file, name);
}

enum cim_status cim_session_file_create(struct cim_session_file *file, struct cim_error *err)
{
	const struct cim_session_files *files = file->files;
	bool private = files->consistent || file->kind == CIM_KIND_IMAGE;
	enum cim_file_state state = private ? CIM_FILE_PRIVATE : CIM_FILE_NAMED;
	enum cim_status status;

	name_of(file, state, file->name);
	status = cim_io_open(files->env, files->dir, file->name, CIM_VFS_CREATE, &file->handle,
			     err);
	if (!status)
		file->state = state;
	return status;
}

static enum cim_status rename_to(struct cim_session_file *file, enum cim_file_state state,
				 unsigned flags, struct cim_error *err)
{
	const struct cim_session_files *files = file->files;
	char name[CIM_SET_FILE_NAME];
	enum cim_status status;

	name_of(file, state, name);
	status = cim_io_rename(files->env, files->dir, file->name, name, flags, err);
	if (status)
		return status;
	memcpy(file->name, name, sizeof(name));
	file->state = state;
	return CIM_OK;
}

enum cim_status cim_session_file_give_name(struct cim_session_file *file, unsigned flags,
					   struct cim_error *err)
{
	return rename_to(file, CIM_FILE_NAMED, flags, err);
}

void cim_session_file_take_back(struct cim_session_file *file)
{
	if (file->state == CIM_FILE_NAMED)
		rename_to(file, CIM_FILE_PRIVATE, CIM_VFS_NOREPLACE, NULL);
}

enum cim_status cim_session_file_hold(struct cim_session_file *file, struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	if (!file->held)
		status = cim_io_lock(file->files->env, file->handle, file->name, CIM_LOCK_ALONE,
				     false, err);
	if (status == CIM_E_UNSUPPORTED) {
		file->files->unlocked = true;
		status = CIM_OK;
	}
	file->held = !status;
	return status;
}

void cim_session_file_adopt(struct cim_session_file *file, cim_vfs_file *found)
{
	file->found = found;
	file->state = CIM_FILE_ADOPTED;
}

void cim_session_file_give_away(struct cim_session_file *file)
{
	if (file->state == CIM_FILE_NAMED)
		file->state = CIM_FILE_GIVEN;
}

static void close_file(struct cim_session_file *file)
{
	cim_io_close(file->files->env, file->handle);
	file->handle = NULL;
	file->held = false;
}

enum cim_status cim_session_file_publish(struct cim_session_file *image, const char *name,
					 unsigned flags, struct cim_error *err)
{
	const struct cim_session_files *files = image->files;

	close_file(image);
	return cim_io_rename(files->env, files->dir, image->name, name, flags, err);
}

void cim_session_file_remove(struct cim_session_file *file)
{
	const struct cim_session_files *files = file->files;
	enum cim_status status;

	close_file(file);
	if (file->state == CIM_FILE_NONE || file->state == CIM_FILE_GIVEN)
		return;
	status = cim_io_remove(files->env, files->dir, file->name, NULL);
	if (!status || status == CIM_E_FILE_NOT_FOUND)
		file->state = CIM_FILE_NONE;
}

/* ---- all of them ---- */

static void end_commit(struct cim_session_file *file, bool committed)
{
	if (file->state == CIM_FILE_ADOPTED && committed)
		cim_session_file_remove(file);
	if (file->state == CIM_FILE_ADOPTED)
		file->state = CIM_FILE_PRIVATE;
	cim_io_close(file->files->env, file->found);
	file->found = NULL;
	if (file->state == CIM_FILE_GIVEN) {
		close_file(file);
		file->state = CIM_FILE_NONE;
	}
	if (committed)
		cim_session_file_give_away(file);
}

void cim_session_files_end_commit(struct cim_session_files *files, bool committed)
{
	for (int i = CIM_SET_FILES; i-- > 0;)
		end_commit(&files->all[i], committed);
	if (committed)
		files->image.state = CIM_FILE_GIVEN;
}

void cim_session_files_close(struct cim_session_files *files)
{
	/* The first last: until then its lock says that the session lives. */
	for (int i = CIM_SET_FILES; i >= 0; i--)
		cim_session_file_remove(&files->all[i]);
}
