/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.h - what the files of the checker share
 *
 * check.c runs the parts and checks the filesystem object, the upcase table and the file tables;
 * checkfile.c looks at each file that the image names, its header, and the object IDs; checktree.c
 * walks the directories; checkcont.c looks at the container; checkrec.c checks one record with all
 * that it points to; checkmark.c its marks; checklink.c checks one link table. Below them lies
 * checkreport.c.
 *
 * A rule that is broken is reported and the check goes on, so nothing here returns a status:
 * functions return early where there is nothing more to see. What stops the whole check, a failure
 * of the system or a caller who has seen enough, is kept in `status`; after that reports and reads
 * do nothing, and loops look at it.
 *
 * Each rule is checked here by its own code as far as can be, then the reader is asked as well:
 * what the reader refuses is an error, whatever this code thinks of it.
 */
#ifndef CIM_CHECK_H
#define CIM_CHECK_H

#include "budget.h"
#include "idset.h"
#include "image.h"
#include "pathbuf.h"

/* 64 blocks of a region file: which have been read (CIM_VERIFY_DEEP). */
struct cim_read_word {
	uint64_t number;
	uint64_t blocks;
};

struct cim_bad_object {
	uint64_t offset; /* RegionOffset */
	bool reported;	 /* with the path of an item */
};

struct cim_check {
	struct cim_image *image;
	unsigned flags;
	int (*found)(void *ctx, const struct cim_finding *finding);
	void *ctx;
	struct cim_error *err; /* the caller's */
	enum cim_status status;
	struct cim_verify_result result;
	uint64_t faults; /* errors, with what is only counted as lost */
	uint64_t done;	 /* for progress reports */

	struct cim_error why;	  /* of the last read that failed */
	struct cim_path_buf path; /* where the walk is, WTF-8; "" above the root */
	uint8_t *buf;		  /* CIM_CHECK_BUFFER bytes for whoever needs them now */

	uint8_t *region_types; /* by region index; CIM_REGION_TYPES: no good, and that was reported
				*/
	uint64_t *lost;	       /* by region index: how many things lie in one that is no good */
	struct cim_hash_table read_map; /* of the words */
	struct cim_read_word *read_words;
	size_t read_room;
	uint64_t undigested;	    /* bytes: so many may be digested, holes or not */
	struct cim_bad_object *bad; /* sorted; objects that don't match their digests */
	size_t bad_count, bad_room;
	uint64_t *good; /* sorted; objects that do */
	size_t good_count, good_room;

	const uint16_t *upcase; /* NULL if it can't be read */
	uint32_t table_count;	/* tables that can be asked for */
	uint64_t record_count;	/* in all tables */
	struct cim_idset met;	/* records */
	uint64_t met_count;
	struct cim_budget *budget; /* of what several may share */
	struct cim_idset wrong;	   /* what was wrong, by number in it */
	struct cim_idset parents;  /* link tables with directories in them, by number in it */
};

/* What is looked at once, however many lead there. */
enum cim_check_kind {
	CIM_CHECK_TABLE,
	CIM_CHECK_PE_IMAGE,
	CIM_CHECK_SECURITY,
	CIM_CHECK_EA,
	CIM_CHECK_REPARSE,
	CIM_CHECK_MERGE_LINK,
};

/* So much of all objects is compared with their digests, in holes or not: seconds. */
#define CIM_CHECK_DIGESTED (UINT64_C(8) << 30)
#define CIM_CHECK_BUFFER   (256u * 1024)
static_assert(CIM_CHECK_BUFFER > CIM_MAX_BLOB + 2, "a blob fits in");

/* ---- checkreport.c ---- */

void cim_check_report(struct cim_check *c, enum cim_severity severity, const char *structure,
		      uint64_t offset, const char *message, ...) CIM_PRINTF(5, 6);
/* Stop the check for want of memory. */
void cim_check_no_memory(struct cim_check *c);
/* True if @status is CIM_OK. A failure, with its cause in c->why, that is none of the image's (no
 * right to read a file, no memory, a disk that can't be read) stops the check: one that couldn't
 * look can't say anything. */
bool cim_check_ok(struct cim_check *c, enum cim_status status);
/* The same, but a failure of the image's is reported as an error of @structure ("what: cause"). */
bool cim_check_try(struct cim_check *c, enum cim_status status, const char *structure,
		   uint64_t offset, const char *what);
/* Count one thing done; every now and then report progress. */
void cim_check_tick(struct cim_check *c);
/* cim_image_read_object(), reporting a failure. */
bool cim_check_read(struct cim_check *c, const char *structure, uint64_t offset, uint64_t skip,
		    void *buf, size_t len);
/* The range lies in its region file (if that is no good as a whole, it is only counted as lost); a
 * metadata object at that (or file data) lies in a region
 * for such, aligned as it should be. */
bool cim_check_place(struct cim_check *c, const char *structure, uint64_t offset, uint64_t len,
		     bool metadata);

/* Add a component to c->path, behind @separator, and return its old length for cim_check_pop(). */
size_t cim_check_push(struct cim_check *c, char separator, const uint16_t *name, size_t units);
void cim_check_pop(struct cim_check *c, size_t len);
/* Is this the first time for something at @offset? @detail and @base tell apart what else the
 * answer depends on. If it isn't, and it was judged as wrong, that is reported for this item too.
 */
bool cim_check_first(struct cim_check *c, enum cim_check_kind kind, const char *structure,
		     uint64_t offset, uint64_t detail, uint16_t base, uint32_t *number);
/* It was looked at: is it wrong? That is, were there faults since there were @faults? */
void cim_check_judge(struct cim_check *c, uint32_t number, uint64_t faults);
/* Are so many bytes to be gone through? Not once the budget has ended, which is reported. */
bool cim_check_spend(struct cim_check *c, const char *structure, uint64_t offset, uint64_t bytes);
/* The same for a link table. Tells also whether directories were met in it. */
bool cim_check_table_first(struct cim_check *c, const struct cim_link_table *table,
			   const char *structure, bool *directories, uint32_t *number);
/* A directory was met in the link table. */
void cim_check_note_directory(struct cim_check *c, const struct cim_link_table *table);

/* ---- checkfile.c ---- */

void cim_check_files(struct cim_check *c);
/* Count a stream's data (or @metadata) at @offset; report it if it is known not to match its
 * digest.
 */
void cim_check_digest(struct cim_check *c, const char *structure, uint64_t offset, bool metadata);
/* Report what is left of them. */
void cim_check_digests_left(struct cim_check *c);
/* Report what lies in region files that are no good, by its number. */
void cim_check_lost(struct cim_check *c);

/* ---- checkdata.c ---- */

/* Read [offset, offset + len), which lies in its region file, as far as it hasn't been read. */
void cim_check_data(struct cim_check *c, const char *structure, uint64_t offset, uint64_t len);
/* That was read. */
void cim_check_have_read(struct cim_check *c, uint64_t offset, uint64_t len);
/* How much of a region file of @size bytes is no hole, in pieces of 64 KiB. */
uint64_t cim_check_count_data(struct cim_check *c, uint32_t region, uint64_t size);

/* ---- checkcont.c ---- */

/* The container that the image is in, if it is in one. */
void cim_check_container(struct cim_check *c);

/* ---- checktree.c ---- */

void cim_check_tree(struct cim_check *c);

/* ---- checkrec.c ---- */

/* Check a record and what it points to, but for what is in a directory. */
void cim_check_record(struct cim_check *c, uint32_t file_id, uint32_t dir_id,
		      const struct cim_record *record);

/* ---- checkmark.c ---- */

/* The marks of a record at @offset. @readable: its streams were found to be sound. */
void cim_check_marks(struct cim_check *c, uint64_t offset, uint32_t file_id, bool readable,
		     const struct cim_record *record);

/* ---- checklink.c ---- */

/* Check a link table. False if it isn't worth to go through its entries. */
bool cim_check_links(struct cim_check *c, const struct cim_link_table *table,
		     const char *structure);

#endif
