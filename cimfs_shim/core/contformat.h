/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contformat.h - the on-disk format of a container
 *
 * A container is a directory of images in one file or on one block device. Its layout is ours; the
 * same in words is section 1 of container.md. Blocks of 4,096 bytes: the header, two commit
 * records, of which the newer whole one counts, then tables and the extents of the files in it.
 * As in format.h the structures only document the layout; code decodes bytes.
 */
#ifndef CIM_CONTFORMAT_H
#define CIM_CONTFORMAT_H

#include "format.h"

#include <stdbool.h>

#define CIM_CONT_MAGIC	 "cimcont0"
#define CIM_CONT_BLOCK	 4096u
#define CIM_CONT_MAJOR	 1u
#define CIM_CONT_MINOR	 0u
#define CIM_CONT_RECORDS 2u
/* Block 0 is the header, 1 and 2 are the records. */
#define CIM_CONT_FIRST	       (3u * CIM_CONT_BLOCK)
#define CIM_CONT_DIGEST	       16u
#define CIM_CONT_MAX_TABLE     (64u << 20)
#define CIM_CONT_MAX_NAME      255u
#define CIM_CONT_TO_BE_SEALED  1u
#define CIM_CONT_SEALED	       2u
#define CIM_CONT_SMALLEST_GROW (64u << 10)
#define CIM_CONT_LARGEST_GROW  (64u << 20)

struct cim_disk_cont_header {
	uint8_t magic[8];
	uint8_t length[4];     /* 4096 */
	uint8_t block_size[4]; /* 4096 */
	uint8_t major[4];
	uint8_t minor[4];
	uint8_t flags[4];
	uint8_t reserved[4];
	uint8_t verity[8]; /* sealed: where its superblock is */
	uint8_t blocks[8]; /* sealed: how many the tree covers */
	uint8_t reserved2[448];
	uint8_t digest[16]; /* of all before it */
};
static_assert(CIM_OFF(cont_header, flags) == 24, "header");
static_assert(CIM_OFF(cont_header, verity) == 32, "header");
static_assert(CIM_OFF(cont_header, digest) == 496, "header");
static_assert(CIM_SIZE(cont_header) == 512, "header");

struct cim_disk_cont_record {
	uint8_t sequence[8]; /* 0: none */
	uint8_t table[8];    /* where the table is */
	uint8_t length[8];   /* the table's bytes */
	uint8_t end[8];	     /* the first byte never used */
	uint8_t table_digest[16];
	uint8_t digest[16]; /* of all before it */
};
static_assert(CIM_OFF(cont_record, end) == 24, "record");
static_assert(CIM_OFF(cont_record, digest) == 48, "record");
static_assert(CIM_SIZE(cont_record) == 64, "record");

/* A table is this, then entries: cont_entry, the name's code units, the extents. */
struct cim_disk_cont_table {
	uint8_t count[4];
	uint8_t reserved[4];
};
static_assert(CIM_SIZE(cont_table) == 8, "table");

struct cim_disk_cont_entry {
	uint8_t size[8];
	uint8_t extents[4];
	uint8_t units[2]; /* of the name */
	uint8_t reserved[2];
};
static_assert(CIM_OFF(cont_entry, units) == 12, "entry");
static_assert(CIM_SIZE(cont_entry) == 16, "entry");

struct cim_disk_cont_extent {
	uint8_t place[8]; /* 0: a hole */
	uint8_t len[8];
};
static_assert(CIM_SIZE(cont_extent) == 16, "extent");

/* A commit record. */
struct cim_cont_record {
	uint64_t sequence;
	uint64_t table, length;
	uint64_t end;
	uint8_t table_digest[CIM_CONT_DIGEST];
};

bool cim_cont_is_magic(const uint8_t *bytes, size_t len);
void cim_cont_digest(const void *bytes, size_t len, uint8_t *digest);
bool cim_cont_has_digest(const void *bytes, size_t len, const uint8_t *digest);
/* A record to 64 bytes, with their digest. */
void cim_cont_record_encode(const struct cim_cont_record *record, uint8_t *bytes);
/* And back. False: it is none. */
bool cim_cont_record_decode(const uint8_t *bytes, struct cim_cont_record *record);

#endif
