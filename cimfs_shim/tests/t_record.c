/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit test of core/record.c. The bytes here are written out by the published layout, by number,
 * not through format.h, so that a mistake there is found.
 */
#include "../core/names.h"
#include "../core/record.h"
#include "testenv.h"

/* Each field has a value of its own, and no byte is 0. */
static const struct cim_record sample = {
	.flags = 0x0201,
	.ea_length = 0x0403,
	.reparse_tag = 0x08070605,
	.times = {0x100f0e0d0c0b0a09, 0x1817161514131211, 0x201f1e1d1c1b1a19, 0x2827262524232221},
	.stream_offset = 0x302f2e2d2c2b2a29,
	.stream_desc = 0x3837363534333231,
	.security = 0x403f3e3d3c3b3a39,
	.ea = 0x4847464544434241,
	.reparse = 0x504f4e4d4c4b4a49,
	.streams = 0x5857565554535251,
	.parent_id = 0x5c5b5a59,
	.base_region = 0x5e5d,
	.reserved = 0x605f,
};

static bool same_record(const struct cim_record *a, const struct cim_record *b)
{
	return a->flags == b->flags && a->ea_length == b->ea_length &&
	       a->reparse_tag == b->reparse_tag && !memcmp(a->times, b->times, sizeof(a->times)) &&
	       a->stream_offset == b->stream_offset && a->stream_desc == b->stream_desc &&
	       a->security == b->security && a->ea == b->ea && a->reparse == b->reparse &&
	       a->streams == b->streams && a->parent_id == b->parent_id &&
	       a->base_region == b->base_region && a->reserved == b->reserved;
}

/* The record that @size bytes 1, 2, 3, ... hold if a missing byte is 0; but part of a parent
 * is none. */
static struct cim_record cut_record(size_t size)
{
	struct cim_record r = {0};
	uint8_t b[96] = {0};

	for (size_t i = 0; i < size && i < 96; i++)
		b[i] = (uint8_t)(i + 1);
#define U16(at) (uint16_t)(b[at] | b[(at) + 1] << 8)
#define U32(at) (U16(at) | (uint32_t)U16((at) + 2) << 16)
#define U64(at) (U32(at) | (uint64_t)U32((at) + 4) << 32)
	r.flags = U16(0);
	r.ea_length = U16(2);
	r.reparse_tag = U32(4);
	r.times[0] = U64(8);
	r.times[1] = U64(16);
	r.times[2] = U64(24);
	r.times[3] = U64(32);
	r.stream_offset = U64(40);
	r.stream_desc = U64(48);
	r.security = U64(56);
	r.ea = U64(64);
	r.reparse = U64(72);
	r.streams = U64(80);
	r.parent_id = size < 92 ? 0 : U32(88);
	r.base_region = U16(92);
	r.reserved = U16(94);
	return r;
}

static void records(void)
{
	uint8_t want[96], bytes[100];
	struct cim_record record;
	unsigned wrong = 0;

	for (unsigned i = 0; i < 96; i++)
		want[i] = (uint8_t)(i + 1);
	memset(bytes, 0xee, sizeof(bytes));
	cim_record_encode(bytes, &sample);
	is_mem(bytes, want, 96, "encode: each field lies where the layout says");
	ok(bytes[96] == 0xee && bytes[99] == 0xee, "encode: 96 bytes and no more");
	memset(&record, 0xee, sizeof(record));
	cim_record_decode(&record, want, 96);
	ok(same_record(&record, &sample), "decode: 96 bytes give each field");

	for (size_t size = 0; size <= 200; size++) {
		/* Exactly so many bytes, so that the sanitizers see a read past them. */
		uint8_t *exact = malloc(size ? size : 1);
		struct cim_record expected = cut_record(size);

		if (!exact)
			bail("out of memory");
		for (size_t i = 0; i < size; i++)
			exact[i] = i < 96 ? (uint8_t)(i + 1) : 0xff;
		memset(&record, 0xee, sizeof(record));
		cim_record_decode(&record, exact, size);
		if (!same_record(&record, &expected)) {
			wrong++;
			diag("EntrySize %u is decoded wrongly", (unsigned)size);
		}
		free(exact);
	}
	is_int(wrong, 0, "decode: EntrySize 0 to 200: fields past it are 0, more is skipped");
	cim_record_decode(&record, want, 88);
	ok(record.parent_id == 0 && record.streams == sample.streams,
	   "decode: EntrySize 88 ends before the parent's FileID");

	record.stream_desc = UINT64_C(1) << 48;
	ok(cim_record_is_dir(&record), "a link table as default stream makes a directory");
	record.stream_desc = UINT64_C(2) << 48 | 5;
	ok(!cim_record_is_dir(&record), "a PE image does not");
	record.stream_desc = UINT64_C(1) << 56;
	ok(!cim_record_is_dir(&record), "a sparse stream does not");
	record.stream_desc = UINT64_C(0x101) << 48;
	ok(cim_record_is_dir(&record), "the sparse bit is not part of the type");
}

static void headers(void)
{
	static const uint8_t want[32] = {'c',  'i',  'm',  'f',	 'i',  'l',  'e',  '0',
					 0x44, 0x33, 0x22, 0x11, 2,    0,    0,	   0,
					 2,    0,    0,	   0,	 0x0d, 0x0c, 0x0b, 0x0a};
	uint8_t bytes[33], copy[32];
	struct cim_error err;
	unsigned wrong = 0;

	memset(bytes, 0xee, sizeof(bytes));
	cim_common_header_encode(bytes, 0x11223344, CIM_FILE_OBJECT_ID, 2, 0x0a0b0c0d);
	is_mem(bytes, want, 32, "header: each field lies where the layout says, the rest is 0");
	is_hex(bytes[32], 0xee, "header: 32 bytes and no more");
	is_int(cim_common_header_check(bytes, CIM_FILE_OBJECT_ID, "x", &err), CIM_OK,
	       "header: its own form is good, with any length and minor version");

	for (unsigned i = 0; i < 8; i++) {
		memcpy(copy, want, 32);
		copy[i] ^= 0x20;
		wrong += cim_common_header_check(copy, CIM_FILE_OBJECT_ID, "x", &err) !=
			 CIM_E_CORRUPT;
	}
	is_int(wrong, 0, "header: one wrong byte of the magic: CIM_E_CORRUPT");
	diag("%s", err.cause);
	ok(strstr(err.cause, "x") != NULL, "header: the cause names the file");

	for (unsigned type = 0; type < 256; type++) {
		memcpy(copy, want, 32);
		copy[12] = (uint8_t)type;
		for (unsigned wanted = 0; wanted < 3; wanted++) {
			enum cim_status status = cim_common_header_check(
				copy, (enum cim_file_type)wanted, "x", &err);

			wrong += status != (type == wanted ? CIM_OK : CIM_E_CORRUPT);
		}
	}
	is_int(wrong, 0, "header: another type than the wanted one: CIM_E_CORRUPT");
	copy[12] = CIM_FILE_REGION;
	cim_common_header_check(copy, CIM_FILE_FILESYSTEM, "base.cim", &err);
	is_str(err.cause, "base.cim is a region file (type 1), not a filesystem file",
	       "header: the cause names both types");
	memcpy(copy, want, 32);
	memset(copy + 13, 0xff, 3);
	memset(copy + 24, 0xff, 8);
	is_int(cim_common_header_check(copy, CIM_FILE_OBJECT_ID, "x", &err), CIM_OK,
	       "header: reserved bytes are not looked at");
}

static void versions(void)
{
	static const struct {
		uint32_t major;
		enum cim_status status;
	} rows[] = {{0, CIM_E_VERSION},
		    {1, CIM_E_VERSION},
		    {2, CIM_OK},
		    {3, CIM_OK},
		    {4, CIM_E_VERSION},
		    {0x102, CIM_E_VERSION},
		    {0x20002, CIM_E_VERSION},
		    {0xffffffff, CIM_E_VERSION}};
	struct cim_error err;
	uint8_t bytes[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cim_common_header_encode(bytes, 72, CIM_FILE_FILESYSTEM, rows[i].major, 7);
		is_int(cim_common_header_check(bytes, CIM_FILE_FILESYSTEM, "x", &err),
		       rows[i].status, "version %lu.7: %s", (unsigned long)rows[i].major,
		       cim_status_name(rows[i].status));
	}
	cim_common_header_encode(bytes, 72, CIM_FILE_FILESYSTEM, 4294967295u, 12);
	cim_common_header_check(bytes, CIM_FILE_FILESYSTEM, "new.cim", &err);
	is_str(err.cause, "new.cim has format version 4294967295.12, known are 2.x to 3.x",
	       "an unknown version is named");
	bytes[12] = 99;
	is_int(cim_common_header_check(bytes, CIM_FILE_FILESYSTEM, "x", NULL), CIM_E_VERSION,
	       "of an unknown version not even the type is judged");
}

static void names(void)
{
	static const uint8_t guid_bytes[16] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
					       0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	uint8_t bytes[25], want[24] = {0};
	char name[CIM_SET_FILE_NAME + 1];
	struct cim_guid guid;

	memcpy(guid.bytes, guid_bytes, 16);
	memset(bytes, 0xee, sizeof(bytes));
	memcpy(want, guid_bytes, 16);
	want[16] = 0x34;
	want[17] = 0x12;
	cim_region_set_encode(bytes, &guid, 0x1234);
	is_mem(bytes, want, 24, "region set: GUID, count, zeros");
	is_hex(bytes[24], 0xee, "region set: 24 bytes and no more");

	memset(name, '!', sizeof(name));
	cim_set_file_name(name, CIM_KIND_REGION, &guid, 0);
	is_str(name, "region_00112233-4455-6677-8899-aabbccddeeff_0", "name of a region file");
	cim_set_file_name(name, CIM_KIND_OBJECT_ID, &guid, 65535);
	is_str(name, "objectid_00112233-4455-6677-8899-aabbccddeeff_65535",
	       "name of an object ID file, the longest there is");
	ok(name[CIM_SET_FILE_NAME] == '!' && strlen(name) < CIM_SET_FILE_NAME,
	   "it fits CIM_SET_FILE_NAME");
}

/* A stream's offset counts from a base region; where that leads past the last region, a stream that
 * has bytes there is broken, and of one that has none the offset says nothing. */
static void stream_bases(void)
{
	static const struct {
		uint64_t offset, desc;
		uint16_t base;
		enum cim_status status;
		uint64_t want;
		const char *what;
	} rows[] = {
		{0x5000000000040, 9, 3, CIM_OK, 0x8000000000040, "bytes"},
		{0x5000000000040, 9, 0, CIM_OK, 0x5000000000040, "bytes, no base"},
		{0x5000000000040, 9, 0xfffa, CIM_OK, 0xffff000000000040, "in the last region"},
		{0x5000000000040, 9, 0xfffb, CIM_E_CORRUPT, 0x5000000000040, "past it"},
		{0x5000000000040, 0, 0xfffb, CIM_OK, 0, "past it, no bytes"},
		{0x5000000000040, 0, 3, CIM_OK, 0x8000000000040, "no bytes"},
		{0x5000000000040, UINT64_C(1) << 56 | 9, 0xfffb, CIM_OK, 0, "past it, sparse"},
		{0x5000000000040, UINT64_C(1) << 56 | 9, 3, CIM_OK, 0x8000000000040, "sparse"},
		{0, 9, 3, CIM_OK, 0, "no offset"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t offset = rows[i].offset;
		struct cim_error err;

		is_int(cim_stream_add_base(&offset, rows[i].desc, rows[i].base, &err),
		       rows[i].status, "a stream with a base, %s: %s", rows[i].what,
		       cim_status_name(rows[i].status));
		if (!rows[i].status)
			is_hex(offset, rows[i].want, "a stream with a base, %s: its offset",
			       rows[i].what);
	}
}

/* A PE image's data: their length has no flags. */
static void pe_bases(void)
{
	static const struct {
		uint64_t length;
		uint16_t base;
		enum cim_status status;
		uint64_t want;
	} rows[] = {
		{9, 0, CIM_OK, 0x5000000000040},
		{9, 3, CIM_OK, 0x8000000000040},
		{9, 0xfffb, CIM_E_CORRUPT, 0},
		{0, 0xfffb, CIM_OK, 0},
		{UINT64_C(1) << 56 | 9, 0xfffb, CIM_E_CORRUPT, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t descriptor[CIM_SIZE(pe_image)] = {0};
		uint64_t offset;
		struct cim_error err;

		cim_put64(descriptor + CIM_OFF(pe_image, data), 0x5000000000040);
		cim_put64(descriptor + CIM_OFF(pe_image, data_length), rows[i].length);
		is_int(cim_pe_data(descriptor, rows[i].base, &offset, &err), rows[i].status,
		       "a PE image's data, length %llx, base %x",
		       (unsigned long long)rows[i].length, rows[i].base);
		if (!rows[i].status)
			is_hex(offset, rows[i].want, "their offset");
	}
}

int main(void)
{
	records();
	headers();
	versions();
	names();
	stream_bases();
	pe_bases();
	return tap_done();
}
