/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content.c - what the story's items are made of: names, bytes, descriptors
 *
 * Everything comes in the sizes and shapes where mistakes live: around a page, empty, one byte
 * more, equal to what was there before, equal but for one byte.
 */
#include "content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PE_SIZE (3u << 20)

/* ---- the list of PE files ---- */

static FILE *open_file(const char *path)
{
#ifdef _WIN32
	/* a Unix path, by the door that Wine keeps for it */
	char name[4096];

	if (*path == '/' && strlen(path) < sizeof(name) - 16) {
		strcpy(name, "\\\\?\\unix");
		strcat(name, path);
		for (char *at = name; *at; at++)
			if (*at == '/')
				*at = '\\';
		return fopen(name, "rb");
	}
#endif
	return fopen(path, "rb");
}

bool rt_content_init(struct rt_content *content, uint64_t seed, const char *pe_list,
		     struct rt_world *world)
{
	char line[4096];
	FILE *in;

	memset(content, 0, sizeof(*content));
	content->random.state = seed;
	content->world = world;
	if (!pe_list)
		return true;
	in = open_file(pe_list);
	if (!in) {
		fprintf(stderr, "can't open %s\n", pe_list);
		return false;
	}
	while (fgets(line, sizeof(line), in)) {
		char **files = realloc(content->pe_files,
				       (content->pe_count + 1) * sizeof(*content->pe_files));

		if (!files)
			break;
		content->pe_files = files;
		line[strcspn(line, "\r\n")] = 0;
		files[content->pe_count] = malloc(strlen(line) + 1);
		if (!files[content->pe_count])
			break;
		strcpy(files[content->pe_count++], line);
	}
	fclose(in);
	return true;
}

void rt_content_free(struct rt_content *content)
{
	while (content->pe_count)
		free(content->pe_files[--content->pe_count]);
	free(content->pe_files);
}

/* A random PE file with slack behind it; NULL if there is none of a fair size. */
static const struct rt_blob *read_pe(struct rt_content *content)
{
	const char *path = content->pe_files[rt_below(&content->random, content->pe_count)];
	FILE *in = open_file(path);
	struct rt_blob *blob = NULL;
	long size = 0;

	if (in && !fseek(in, 0, SEEK_END))
		size = ftell(in);
	if (size > 0 && size <= (long)MAX_PE_SIZE && !fseek(in, 0, SEEK_SET)) {
		blob = rt_blob_new(content->world, (size_t)size + RT_SLACK);
		memset(blob->data + size, 0xee, RT_SLACK);
		if (fread(blob->data, 1, (size_t)size, in) != (size_t)size)
			blob = NULL;
	}
	if (in)
		fclose(in);
	else
		fprintf(stderr, "can't open %s\n", path);
	return blob;
}

/* ---- pools ---- */

static const struct rt_blob *pool_put(struct rt_content *content, struct rt_pool *pool,
				      const struct rt_blob *blob)
{
	uint32_t at = pool->count;

	if (at == RT_POOL)
		at = rt_below(&content->random, RT_POOL);
	else
		pool->count++;
	pool->items[at] = blob;
	return blob;
}

static const struct rt_blob *pool_get(struct rt_content *content, struct rt_pool *pool)
{
	return pool->count ? pool->items[rt_below(&content->random, pool->count)] : NULL;
}

/* ---- names ---- */

static void put_unit(struct rt_name *name, uint32_t unit)
{
	if (name->units < CIM_MAX_NAME)
		name->text[name->units++] = (uint16_t)unit;
}

static void put_text(struct rt_name *name, const char *text)
{
	while (*text)
		put_unit(name, (uint8_t)*text++);
}

static void put_plain(struct rt_content *content, struct rt_name *name, uint32_t units)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	while (units--)
		put_unit(name, (uint8_t)letters[rt_below(&content->random, sizeof(letters) - 1)]);
}

void rt_plain_name(struct rt_content *content, struct rt_name *name, uint32_t units)
{
	name->units = 0;
	put_plain(content, name, units);
}

/* A unit of a range, the first one included, the last one too. */
static void put_range(struct rt_content *content, struct rt_name *name, uint32_t first,
		      uint32_t last)
{
	put_unit(name, first + rt_below(&content->random, last - first + 1));
}

static void put_pair(struct rt_content *content, struct rt_name *name, uint32_t first,
		     uint32_t last)
{
	uint32_t code = first + rt_below(&content->random, last - first + 1) - 0x10000;

	if (name->units > CIM_MAX_NAME - 2)
		return;
	put_unit(name, 0xd800 + (code >> 10));
	put_unit(name, 0xdc00 + (code & 0x3ff));
}

static void put_odd(struct rt_content *content, struct rt_name *name)
{
	static const char *const odd[] = {"con", "NUL", "aux.txt", "com1",  "a.",   "b ",  "...",
					  " x",	 "c..", "a b.c",   "~1",    "$x",   ".d",  "e;f",
					  "%&'", "[]",	"a=b",	   "{1,2}", "!#@^", "...."};

	put_text(name, odd[rt_below(&content->random, sizeof(odd) / sizeof(*odd))]);
}

/* Unpaired surrogates beside units that sort before and behind them. */
static void put_unpaired(struct rt_content *content, struct rt_name *name)
{
	static const uint16_t parts[] = {0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xfffd,
					 0xffff, 'a',	 'Z',	 0xd83d, 0xde00};
	uint32_t units = 1 + rt_below(&content->random, 4);

	while (units--)
		put_unit(name, parts[rt_below(&content->random, sizeof(parts) / sizeof(*parts))]);
}

void rt_random_name(struct rt_content *content, struct rt_name *name)
{
	uint32_t kind = rt_below(&content->random, 12);
	uint32_t units = 1 + rt_below(&content->random, 10);

	name->units = 0;
	switch (kind) {
	case 0:
		put_odd(content, name);
		return;
	case 1:
		put_unpaired(content, name);
		return;
	case 2: /* the longest */
		rt_plain_name(content, name, CIM_MAX_NAME - rt_below(&content->random, 2));
		return;
	case 3: /* the longest in UTF-8: three bytes a unit */
		while (name->units < CIM_MAX_NAME)
			put_range(content, name, 0x4e00, 0x9fa5);
		return;
	default:
		break;
	}
	while (units--) {
		switch (kind) {
		case 4:
			put_range(content, name, 0xc0, 0xd6);
			put_range(content, name, 0xf8, 0xfe);
			break;
		case 5:
			put_range(content, name, 0x400, 0x45f);
			break;
		case 6:
			put_range(content, name, 0x3040, 0x3090);
			break;
		case 7: /* has two cases in Unicode, but not where only the BMP is upcased */
			put_pair(content, name, 0x10400, 0x1044f);
			break;
		case 8:
			put_pair(content, name, 0x1f600, 0x1f64f);
			put_range(content, name, 0xe000, 0xf8ff);
			break;
		case 9:
			put_range(content, name, 0xff21, 0xff3a);
			break;
		default:
			put_plain(content, name, 1);
			break;
		}
	}
}

void rt_respell(struct rt_content *content, struct rt_name *name)
{
	for (uint32_t i = 0; i < name->units; i++)
		if (rt_chance(&content->random, 50))
			name->text[i] = rt_other_case(name->text[i]);
}

/* ---- times and attributes ---- */

int64_t rt_random_time(struct rt_content *content)
{
	static const int64_t odd[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(116444736000000000)};
	uint32_t kind = rt_below(&content->random, 12);

	if (kind < sizeof(odd) / sizeof(*odd))
		return odd[kind];
	return (int64_t)(rt_next(&content->random) >> 6);
}

uint32_t rt_random_attributes(struct rt_content *content)
{
	uint32_t bits = 0;

	if (rt_chance(&content->random, 30))
		bits |= (uint32_t)rt_next(&content->random) & 0x227;
	if (rt_chance(&content->random, 10)) /* compressed, offline, ... can't be kept (D14) */
		bits |= (uint32_t)rt_next(&content->random) & 0x7d40;
	if (rt_chance(&content->random, 10))
		bits |= CIM_ATTR_NORMAL;
	if (rt_chance(&content->random, 10))
		bits |= CIM_ATTR_REPARSE;
	return bits;
}

/* ---- data ---- */

static uint64_t random_size(struct rt_content *content)
{
	static const uint32_t odd[] = {0,     1,     2,	    7,	   8,	  9,	 23,	24,   39,
				       40,    41,    63,    64,	   65,	  511,	 512,	513,  1023,
				       4088,  4095,  4096,  4097,  4104,  8191,	 8192,	8193, 12287,
				       12288, 12289, 16384, 65535, 65536, 65537, 131072};

	if (rt_chance(&content->random, 1)) /* looked for before anything of it is written */
		return 1048576 + rt_below(&content->random, 3) * UINT64_C(700001);
	if (rt_chance(&content->random, 60))
		return odd[rt_below(&content->random, sizeof(odd) / sizeof(*odd))];
	return rt_below(&content->random, rt_chance(&content->random, 20) ? 150000 : 6000);
}

static const struct rt_blob *make_data(struct rt_content *content, size_t size)
{
	struct rt_blob *blob = rt_blob_new(content->world, size + RT_SLACK);
	uint32_t kind = rt_below(&content->random, 4);
	size_t i;

	if (kind == 0) { /* zeros, but stored: they were written */
		memset(blob->data, 0, size);
	} else if (kind == 1) {
		uint32_t period = 1 + rt_below(&content->random, 300);

		for (i = 0; i < size; i++)
			blob->data[i] = (uint8_t)(i % period * 7);
	} else {
		for (i = 0; i < size; i += 8) {
			uint64_t word = rt_next(&content->random);

			for (size_t k = 0; k < 8 && i + k < size; k++)
				blob->data[i + k] = (uint8_t)(word >> 8 * k);
		}
	}
	memset(blob->data + size, 0xee, RT_SLACK);
	return blob;
}

/* Another blob's bytes but for one, or cut short: the same size as before, or nearly, and not the
 * same thing. */
static const struct rt_blob *make_variant(struct rt_content *content, const struct rt_blob *from)
{
	size_t size = from->size - RT_SLACK;
	bool shorter = rt_chance(&content->random, 25);
	struct rt_blob *blob;

	if (shorter && size > 1)
		size = 1 + rt_below(&content->random, (uint32_t)size - 1);
	blob = rt_blob_new(content->world, size + RT_SLACK);
	memcpy(blob->data, from->data, size);
	memset(blob->data + size, 0xee, RT_SLACK);
	if (!shorter && size)
		blob->data[rt_below(&content->random, (uint32_t)size)] ^= 0x10;
	return blob;
}

static const struct rt_blob *random_data(struct rt_content *content)
{
	uint32_t kind = rt_below(&content->random, 100);
	const struct rt_blob *earlier = pool_get(content, &content->data);
	const struct rt_blob *pe = NULL;

	if (kind < 20 && earlier)
		return earlier;
	if (kind < 30 && earlier)
		return pool_put(content, &content->data, make_variant(content, earlier));
	if (kind < 35 && content->pe_count)
		pe = read_pe(content);
	if (pe)
		return pool_put(content, &content->data, pe);
	return pool_put(content, &content->data, make_data(content, (size_t)random_size(content)));
}

void rt_random_stream(struct rt_content *content, struct rt_stream *stream)
{
	static const uint64_t huge[] = {UINT64_C(0xffffffff), UINT64_C(0x100000000),
					UINT64_C(0x100000001), UINT64_C(0x10000000003),
					CIM_MAX_STREAM};
	uint32_t kind = rt_below(&content->random, 100);

	memset(stream, 0, sizeof(*stream));
	if (kind < 4) { /* sparse, and so big that nobody could have stored it */
		stream->size = huge[rt_below(&content->random, sizeof(huge) / sizeof(*huge))];
	} else if (kind < 14) {
		stream->size = random_size(content);
	} else {
		stream->data = random_data(content);
		stream->size = stream->written = stream->data->size - RT_SLACK;
		if (kind < 24 && stream->size) /* not all of it, sometimes none */
			stream->written = rt_below(&content->random, (uint32_t)stream->size);
	}
}

/* ---- security descriptors, extended attributes, reparse data ---- */

static void le16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void le32(uint8_t *at, uint32_t value)
{
	le16(at, value);
	le16(at + 2, value >> 16);
}

/* S-1-5-N, 12 bytes. */
static void put_sid(uint8_t *at, uint32_t sub_authority)
{
	memset(at, 0, 12);
	at[0] = 1;
	at[1] = 1;
	at[7] = 5;
	le32(at + 8, sub_authority);
}

/* Owner, group, and an ACL of some access-allowed entries of 20 bytes. */
static const struct rt_blob *make_security(struct rt_content *content)
{
	bool large = rt_chance(&content->random, 5);
	uint32_t aces = rt_below(&content->random, large ? 3270 : 6);
	struct rt_blob *blob = rt_blob_new(content->world, 20 + 12 + 12 + 8 + 20 * (size_t)aces);
	uint8_t *sd = blob->data, *acl = sd + 44;

	memset(sd, 0, 20);
	sd[0] = 1;
	le16(sd + 2, 0x8004);
	le32(sd + 4, 20);
	le32(sd + 8, 32);
	le32(sd + 16, 44);
	put_sid(sd + 20, 18 + rt_below(&content->random, 3));
	put_sid(sd + 32, 32);
	memset(acl, 0, 8);
	acl[0] = 2;
	le16(acl + 2, 8 + 20 * aces);
	le16(acl + 4, aces);
	for (uint32_t i = 0; i < aces; i++) {
		uint8_t *ace = acl + 8 + 20 * (size_t)i;

		memset(ace, 0, 4);
		le16(ace + 2, 20);
		le32(ace + 4, (uint32_t)rt_next(&content->random) & 0x1f01ff);
		put_sid(ace + 8, rt_below(&content->random, 1000));
	}
	return blob;
}

/* FILE_FULL_EA_INFORMATION: next, flags, name length, value length, name, NUL, value; entries on
 * multiples of 4; up to 3 bytes of padding behind the last are fine. */
static const struct rt_blob *make_ea(struct rt_content *content)
{
	uint32_t entries = 1 + rt_below(&content->random, 3);
	bool large = rt_chance(&content->random, 5);
	static uint8_t room[65535];
	size_t at = 0, last = 0;
	struct rt_blob *blob;

	memset(room, 0, sizeof(room));
	for (uint32_t i = 0; i < entries; i++) {
		uint32_t name = 1 + rt_below(&content->random, 20);
		uint32_t value = rt_below(&content->random, large ? 21000 : 60);
		size_t size = 8 + (size_t)name + 1 + value;

		if (i)
			le32(room + last, (uint32_t)(at - last));
		room[at + 4] = rt_chance(&content->random, 20) ? 0x80 : 0;
		room[at + 5] = (uint8_t)name;
		le16(room + at + 6, value);
		for (uint32_t k = 0; k < name; k++)
			room[at + 8 + k] = (uint8_t)('A' + rt_below(&content->random, 26));
		for (uint32_t k = 0; k < value; k++)
			room[at + 8 + name + 1 + k] = (uint8_t)rt_next(&content->random);
		last = at;
		at += size;
		if (i + 1 < entries || rt_chance(&content->random, 50))
			at = (at + 3) & ~(size_t)3;
	}
	blob = rt_blob_new(content->world, at);
	memcpy(blob->data, room, at);
	return blob;
}

/* A relative symbolic link, a mount point, or a tag of somebody else's with its GUID. */
static const struct rt_blob *make_reparse(struct rt_content *content)
{
	uint32_t kind = rt_below(&content->random, 3);
	bool large = rt_chance(&content->random, 10);
	uint32_t units = 1 + rt_below(&content->random, large ? 4000 : 40);
	uint32_t fixed = kind == 0 ? 12 : kind == 1 ? 8 : 0;
	uint32_t header = kind == 2 ? 24 : 8;
	uint32_t data = fixed + (kind == 2 ? units : 4 * units);
	struct rt_blob *blob = rt_blob_new(content->world, header + (size_t)data);
	uint8_t *at = blob->data;

	memset(at, 0, blob->size);
	le32(at, kind == 0 ? CIM_TAG_SYMLINK : kind == 1 ? CIM_TAG_MOUNT_POINT : 0x00001234u);
	le16(at + 4, data);
	if (kind == 2) {
		for (uint32_t i = 8; i < header + data; i++)
			at[i] = (uint8_t)rt_next(&content->random);
		return blob;
	}
	/* substitute name and print name, the same text twice */
	le16(at + 10, 2 * units);
	le16(at + 12, 2 * units);
	le16(at + 14, 2 * units);
	if (kind == 0)
		le32(at + 16, 1);
	for (uint32_t i = 0; i < units; i++) {
		uint32_t unit = 'a' + rt_below(&content->random, 26);

		le16(at + header + fixed + 2 * i, unit);
		le16(at + header + fixed + 2 * units + 2 * i, unit);
	}
	return blob;
}

static const struct rt_blob *random_blob(struct rt_content *content, struct rt_pool *pool,
					 uint32_t percent,
					 const struct rt_blob *(*make)(struct rt_content *))
{
	const struct rt_blob *earlier;

	if (!rt_chance(&content->random, percent))
		return NULL;
	earlier = pool_get(content, pool);
	if (earlier && rt_chance(&content->random, 50))
		return earlier;
	return pool_put(content, pool, make(content));
}

const struct rt_blob *rt_random_security(struct rt_content *content)
{
	return random_blob(content, &content->security, 60, make_security);
}

const struct rt_blob *rt_random_ea(struct rt_content *content)
{
	return random_blob(content, &content->ea, 15, make_ea);
}

const struct rt_blob *rt_random_reparse(struct rt_content *content)
{
	return random_blob(content, &content->reparse, 12, make_reparse);
}
