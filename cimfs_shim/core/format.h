/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format.h - the on-disk format of a Composite Image, and nothing else
 *
 * An image is a filesystem file (its name) beside region files region_GUID_N, which hold all
 * objects, and objectid_GUID_N files, which hold the length and digest of each object of region N
 * and serve deduplication only. All integers are little-endian; structures have no padding but
 * what is written out here. A reference to an object is a RegionOffset: bits 0-47 byte offset in
 * a region file, bits 48-63 region index, counted through the parents' regions (oldest set
 * first), then the image's own. A byte offset of 0 is a header and so never an object: the whole
 * value 0 means "none".
 *
 * Sources: the format package and the reader that Microsoft published under the MIT licence in
 * hcsshim (internal/cimfs/format/format.go, internal/cimfs/cim_reader_windows.go). What they
 * leave open is marked "ours". The same in words: format.md.
 *
 * The packed structures below only document the layout and carry the assertions; code decodes
 * bytes with the CIM_OFF() offsets (bytes.h), it never casts.
 */
#ifndef CIM_FORMAT_H
#define CIM_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CIM_MAGIC      "cimfile0"
#define CIM_MAGIC_SIZE 8

/* Versions: 2.0 is written; 2.x and 3.x, which share their layout, are read. */
#define CIM_VERSION_MAJOR	2u
#define CIM_VERSION_MINOR	0u
#define CIM_VERSION_MAJOR_FIRST 2u
#define CIM_VERSION_MAJOR_LAST	3u

enum cim_file_type {
	CIM_FILE_FILESYSTEM = 0,
	CIM_FILE_REGION = 1,
	CIM_FILE_OBJECT_ID = 2,
};

/* What a region holds, and how its objects are aligned. */
enum cim_region_type {
	CIM_REGION_METADATA = 0,   /* tables, descriptors, EAs, ...: 8 (ours) */
	CIM_REGION_DATA = 1,	   /* data of larger files: 4096 */
	CIM_REGION_SMALL_DATA = 2, /* data of small files: 8 */
	CIM_REGION_TYPES = 3,
};
#define CIM_ALIGN_METADATA   8u
#define CIM_ALIGN_DATA	     4096u
#define CIM_ALIGN_SMALL_DATA 8u
/* Data of less than this goes to the small data region (ours: less than a page). */
#define CIM_SMALL_DATA_LIMIT 4096u

#define CIM_MAX_REGIONS	   65536u
#define CIM_UPCASE_ENTRIES 65536u
#define CIM_UPCASE_SIZE	   (CIM_UPCASE_ENTRIES * 2u)
#define CIM_DIGEST_SIZE	   24u

/* RegionOffset */
#define CIM_OFFSET_BITS 48
#define CIM_OFFSET_MASK ((UINT64_C(1) << CIM_OFFSET_BITS) - 1)

static inline uint64_t cim_region_offset(uint32_t region, uint64_t byte)
{
	return (uint64_t)region << CIM_OFFSET_BITS | byte;
}

#define CIM_OFF(type, field) offsetof(struct cim_disk_##type, field)
#define CIM_SIZE(type)	     sizeof(struct cim_disk_##type)

/* At offset 0 of every file. */
struct cim_disk_common_header {
	uint8_t magic[8];
	uint8_t header_length[4]; /* the file's whole header; with the parent sets (ours) */
	uint8_t type;		  /* enum cim_file_type */
	uint8_t reserved[3];
	uint8_t version_major[4];
	uint8_t version_minor[4];
	uint8_t reserved2[8];
};
static_assert(CIM_SIZE(common_header) == 32, "CommonHeader");
static_assert(CIM_OFF(common_header, header_length) == 8, "CommonHeader");
static_assert(CIM_OFF(common_header, type) == 12, "CommonHeader");
static_assert(CIM_OFF(common_header, version_major) == 16, "CommonHeader");
static_assert(CIM_OFF(common_header, version_minor) == 20, "CommonHeader");

/* The files of a set are named by its GUID; Count region files, and as many object ID files. */
struct cim_disk_region_set {
	uint8_t guid[16]; /* Windows binary order */
	uint8_t count[2];
	uint8_t reserved[6];
};
static_assert(CIM_SIZE(region_set) == 24, "RegionSet");
static_assert(CIM_OFF(region_set, count) == 16, "RegionSet");

/* The filesystem file; parent_count region sets follow, oldest first. */
struct cim_disk_filesystem_header {
	struct cim_disk_common_header common;
	struct cim_disk_region_set set; /* the image's own */
	uint8_t filesystem[8];		/* RegionOffset of the filesystem object */
	uint8_t flags[4];		/* ours: CIM_IMAGE_* */
	uint8_t reserved[2];
	uint8_t parent_count[2];
};
static_assert(CIM_SIZE(filesystem_header) == 72, "filesystem file");
static_assert(CIM_OFF(filesystem_header, set) == 32, "filesystem file");
static_assert(CIM_OFF(filesystem_header, filesystem) == 56, "filesystem file");
static_assert(CIM_OFF(filesystem_header, flags) == 64, "filesystem file");
static_assert(CIM_OFF(filesystem_header, parent_count) == 70, "filesystem file");

/* Ours (container.md 2). */
#define CIM_IMAGE_MARKED 0x1u /* the others, and bits of records that are ours, have a meaning */
#define CIM_IMAGE_MERGED 0x2u
/* These bits, of the flags of a record. */
#define CIM_FLAG_BARE	    0x1000u
#define CIM_FLAG_TOMBSTONE  0x2000u /* of a directory: opaque */
#define CIM_FLAG_MERGE_LINK 0x4000u
#define CIM_FLAG_MARKS	    (CIM_FLAG_BARE | CIM_FLAG_TOMBSTONE | CIM_FLAG_MERGE_LINK)

/* Behind the region sets of a merged image, up to the header's length: whose they are (ours). */
struct cim_disk_source {
	uint8_t set_count[4]; /* the next so many region sets, the source's own as the last */
	uint8_t reserved[4];
	uint8_t guid[16];      /* that one's */
	uint8_t root_hash[32]; /* zeros: none */
};
static_assert(CIM_SIZE(source) == 56, "source");
static_assert(CIM_OFF(source, guid) == 8, "source");
static_assert(CIM_OFF(source, root_hash) == 24, "source");

struct cim_disk_region_header {
	struct cim_disk_common_header common;
	uint8_t index[2]; /* within its set */
	uint8_t type;	  /* enum cim_region_type */
	uint8_t reserved[5];
};
static_assert(CIM_SIZE(region_header) == 40, "region file");
static_assert(CIM_OFF(region_header, index) == 32, "region file");
static_assert(CIM_OFF(region_header, type) == 34, "region file");

struct cim_disk_objectid_header {
	struct cim_disk_common_header common;
	uint8_t index[2];
	uint8_t type;
	uint8_t reserved[5];
	uint8_t table_offset[4];
	uint8_t count[4];
};
static_assert(CIM_SIZE(objectid_header) == 48, "object ID file");
static_assert(CIM_OFF(objectid_header, table_offset) == 40, "object ID file");
static_assert(CIM_OFF(objectid_header, count) == 44, "object ID file");

/* The digest's algorithm is not published, so equal digests never prove equal bytes.
 * Ours: objectid.h. Entries are sorted by length, then digest (ours). */
struct cim_disk_objectid {
	uint8_t length[8];
	uint8_t digest[CIM_DIGEST_SIZE];
	uint8_t offset[8]; /* byte offset in the region file */
};
static_assert(CIM_SIZE(objectid) == 40, "object ID");
static_assert(CIM_OFF(objectid, digest) == 8, "object ID");
static_assert(CIM_OFF(objectid, offset) == 32, "object ID");

/* The filesystem object: the root of everything. */
struct cim_disk_filesystem {
	uint8_t upcase_table[8];	 /* RegionOffset of 65,536 u16 */
	uint8_t file_table_directory[8]; /* RegionOffset of file_table_count entries */
	uint8_t file_table_count[4];
	uint8_t root_id[4];
};
static_assert(CIM_SIZE(filesystem) == 24, "Filesystem");
static_assert(CIM_OFF(filesystem, file_table_directory) == 8, "Filesystem");
static_assert(CIM_OFF(filesystem, file_table_count) == 16, "Filesystem");
static_assert(CIM_OFF(filesystem, root_id) == 20, "Filesystem");

/* File ID `id` is entry (id - 1) % 1024 of table (id - 1) / 1024. */
struct cim_disk_file_table {
	uint8_t table[8];      /* RegionOffset of count entries of entry_size bytes */
	uint8_t count[2];      /* valid entries, at most 1,024 */
	uint8_t entry_size[2]; /* stride; fields past it read as 0, bytes past `file` are skipped */
	uint8_t reserved[4];
};
static_assert(CIM_SIZE(file_table) == 16, "file table directory");
static_assert(CIM_OFF(file_table, count) == 8, "file table directory");
static_assert(CIM_OFF(file_table, entry_size) == 10, "file table directory");

/* A stream: length in bits 0-47 of desc, type in 48-55, sparse in 56. */
struct cim_disk_stream {
	uint8_t offset[8]; /* RegionOffset */
	uint8_t desc[8];
};
static_assert(CIM_SIZE(stream) == 16, "Stream");

#define CIM_STREAM_LENGTH_MASK ((UINT64_C(1) << 48) - 1)
#define CIM_STREAM_TYPE_SHIFT  48
#define CIM_STREAM_SPARSE      (UINT64_C(1) << 56)
#define CIM_STREAM_KNOWN       ((UINT64_C(1) << 57) - 1) /* the rest is reserved */

enum cim_stream_type {
	CIM_STREAM_DATA = 0,
	CIM_STREAM_LINK_TABLE = 1, /* a directory's; length 0 with offset 0: an empty directory */
	CIM_STREAM_PE_IMAGE = 2,   /* offset of a PeImage; length = size of the file as read */
};

static inline uint64_t cim_stream_length(uint64_t desc)
{
	return desc & CIM_STREAM_LENGTH_MASK;
}

static inline unsigned cim_stream_type(uint64_t desc)
{
	return (unsigned)(desc >> CIM_STREAM_TYPE_SHIFT) & 0xff;
}

static inline uint64_t cim_stream_desc(uint64_t length, enum cim_stream_type type)
{
	return length | (uint64_t)type << CIM_STREAM_TYPE_SHIFT;
}

#define CIM_FLAG_READONLY 0x01u
#define CIM_FLAG_HIDDEN	  0x02u
#define CIM_FLAG_SYSTEM	  0x04u
#define CIM_FLAG_ARCHIVE  0x08u
#define CIM_FLAG_SPARSE	  0x10u

/* A file or directory. It is a directory if its default stream is a link table. */
struct cim_disk_file {
	uint8_t flags[2];
	uint8_t ea_length[2];
	uint8_t reparse_tag[4];
	uint8_t creation_time[8];
	uint8_t last_write_time[8];
	uint8_t change_time[8];
	uint8_t last_access_time[8];
	struct cim_disk_stream stream;
	uint8_t security[8];	/* RegionOffset: u16 length, then the self-relative descriptor */
	uint8_t ea[8];		/* RegionOffset: ea_length bytes */
	uint8_t reparse[8];	/* RegionOffset: u16 length, then the buffer, tag first */
	uint8_t streams[8];	/* RegionOffset of a link table of Stream */
	uint8_t parent_id[4];	/* the directory it was created in; the root's is its own */
	uint8_t base_region[2]; /* for merged images; 0 */
	uint8_t reserved[2];
};
static_assert(CIM_SIZE(file) == 96, "File");
static_assert(CIM_OFF(file, ea_length) == 2, "File");
static_assert(CIM_OFF(file, reparse_tag) == 4, "File");
static_assert(CIM_OFF(file, creation_time) == 8, "File");
static_assert(CIM_OFF(file, last_access_time) == 32, "File");
static_assert(CIM_OFF(file, stream) == 40, "File");
static_assert(CIM_OFF(file, security) == 56, "File");
static_assert(CIM_OFF(file, ea) == 64, "File");
static_assert(CIM_OFF(file, reparse) == 72, "File");
static_assert(CIM_OFF(file, streams) == 80, "File");
static_assert(CIM_OFF(file, parent_id) == 88, "File");
static_assert(CIM_OFF(file, base_region) == 92, "File");

/* A link table: this, then values (u32 FileID in a directory, Stream in a stream table), then
 * u32 name offsets from the table's start, then the names: u16 code units, then the units.
 * Sorted by upcased name, code units compared as numbers (ours). */
struct cim_disk_link_table {
	uint8_t length[4]; /* the whole table, this header included */
	uint8_t count[4];
};
static_assert(CIM_SIZE(link_table) == 8, "link table");
#define CIM_LINK_FILE_SIZE   4u	 /* a directory's values */
#define CIM_LINK_STREAM_SIZE 16u /* a stream table's values */
#define CIM_NAME_OFFSET_SIZE 4u

/* Where the names begin. */
static inline uint64_t cim_link_names(uint64_t count, uint32_t value_size)
{
	return CIM_SIZE(link_table) + count * (value_size + CIM_NAME_OFFSET_SIZE);
}

/* A PE file stored expanded; mapping_count mappings follow, sorted by file_offset. The byte at
 * file offset o is at data + o + delta of the last mapping with file_offset <= o (0 without). */
struct cim_disk_pe_image {
	uint8_t data[8];	/* RegionOffset */
	uint8_t data_length[8]; /* of the expanded data */
	uint8_t image_length[4];
	uint8_t mapping_count[2];
	uint8_t flags[2]; /* 1: a valid image */
};
static_assert(CIM_SIZE(pe_image) == 24, "PeImage");
static_assert(CIM_OFF(pe_image, image_length) == 16, "PeImage");
static_assert(CIM_OFF(pe_image, mapping_count) == 20, "PeImage");

struct cim_disk_pe_mapping {
	uint8_t file_offset[4];
	uint8_t delta[4];
};
static_assert(CIM_SIZE(pe_mapping) == 8, "PE mapping");

#endif
