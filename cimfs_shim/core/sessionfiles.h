/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sessionfiles.h - the files that a session makes, and what became of each: see sessionfiles.c
 */
#ifndef CIM_SESSIONFILES_H
#define CIM_SESSIONFILES_H

#include "format.h"
#include "names.h"

enum cim_file_state {
	CIM_FILE_NONE,	  /* not there, yet or any more */
	CIM_FILE_PRIVATE, /* the session's, under a private name */
	CIM_FILE_NAMED,	  /* the session's, under its final name */
	CIM_FILE_ADOPTED, /* private; one that was found under the final name serves in its place */
	CIM_FILE_GIVEN, /* under its final name, and no more the session's: an image may need it */
};

struct cim_session_file {
	struct cim_session_files *files;
	enum cim_file_kind kind;
	unsigned index;
	enum cim_file_state state;
	bool held;	      /* bears the session's byte lock */
	cim_vfs_file *handle; /* NULL: closed */
	cim_vfs_file *found;  /* ADOPTED: what serves, held */
	char name[CIM_SET_FILE_NAME];
};

enum { CIM_SET_FILES = 2 * CIM_REGION_TYPES };

struct cim_session_files {
	const struct cim_env *env;
	cim_vfs_dir *dir;
	bool consistent;
	bool unlocked;		      /* there are no locks here: decision D54 */
	struct cim_guid guid;	      /* of the region set; if consistent, computed at the commit */
	char random[CIM_RANDOM_TEXT]; /* the private names' middle */
	union {
		struct cim_session_file all[CIM_SET_FILES + 1];
		struct {
			struct cim_session_file regions[CIM_REGION_TYPES], ids[CIM_REGION_TYPES];
			struct cim_session_file image;
		};
	};
};

/* @files is zeroed, so all are NONE. @random makes names that nobody can foresee. */
#define CIM_SESSION_RANDOM (16 + 8)
void cim_session_files_init(struct cim_session_files *files, const struct cim_env *env,
			    cim_vfs_dir *dir, bool consistent, const uint8_t *random);

/* Make the region set's GUID, a UUID of that version, of 16 bytes. */
void cim_session_files_set_guid(struct cim_session_files *files, const uint8_t *bytes,
				unsigned version);

/* NONE: to PRIVATE; in an ordinary session region and object ID files get to NAMED at once. */
enum cim_status cim_session_file_create(struct cim_session_file *file, struct cim_error *err);
/* Open: take its byte lock, unless it is held. Where there are none that is noted, and no failure.
 */
enum cim_status cim_session_file_hold(struct cim_session_file *file, struct cim_error *err);
/* The final name of a region or object ID file, whatever name it has. */
void cim_session_file_final_name(const struct cim_session_file *file, char *name);
/* PRIVATE, NAMED (by a former GUID): to NAMED. @flags: CIM_VFS_NOREPLACE. */
enum cim_status cim_session_file_give_name(struct cim_session_file *file, unsigned flags,
					   struct cim_error *err);
/* PRIVATE: to ADOPTED. @found: of equal bytes, under the final name, and held. */
void cim_session_file_adopt(struct cim_session_file *file, cim_vfs_file *found);
/* NAMED: to PRIVATE, or it stays. Any other stays. */
void cim_session_file_take_back(struct cim_session_file *file);
/* NAMED: to GIVEN. Any other stays. */
void cim_session_file_give_away(struct cim_session_file *file);
/* The filesystem file, PRIVATE: close it, and rename it to @name. GIVEN at the commit's end. */
enum cim_status cim_session_file_publish(struct cim_session_file *image, const char *name,
					 unsigned flags, struct cim_error *err);
/* Close it. PRIVATE, NAMED, ADOPTED: to NONE by removing it; or, as somebody (a virus scanner) may
 * keep it from being removed, it stays, and that is tried again when the session ends. */
void cim_session_file_remove(struct cim_session_file *file);

/* The end of a commit. What was GIVEN is NONE; what was adopted is let go of. Committed: ours in
 * its place is removed, and what is NAMED is GIVEN; else ours is PRIVATE again. */
void cim_session_files_end_commit(struct cim_session_files *files, bool committed);
/* The end of the session: close all, and remove what is still the session's. */
void cim_session_files_close(struct cim_session_files *files);

#endif
