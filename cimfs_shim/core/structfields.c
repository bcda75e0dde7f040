/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * structfields.c - the fields of each structure: name, place, kind of value
 *
 * The tables follow format.h structure by structure, and are nothing but data: whoever adds a field
 * to format.h adds its line here, and every tool that shows structures shows it. Names are those of
 * format.md, in one word, with the name of an inner structure and a dot in front.
 */
#include "structfields.h"
#include "format.h"

#include <string.h>

#define FIELD(name, structure, field, type)                                                 \
	{                                                                                   \
		name, CIM_OFF(structure, field),                                            \
			sizeof(((struct cim_disk_##structure *)0)->field), CIM_FIELD_##type \
	}
#define LAYOUT(fields, size)                                                 \
	{                                                                    \
		fields, sizeof(fields) / sizeof((fields)[0]), (size_t)(size) \
	}
/* The same in front of every file. */
#define COMMON_HEADER                                                        \
	FIELD("Magic", common_header, magic, TEXT),                          \
		FIELD("HeaderLength", common_header, header_length, NUMBER), \
		FIELD("FileType", common_header, type, NUMBER),              \
		FIELD("Reserved", common_header, reserved, HEX),             \
		FIELD("VersionMajor", common_header, version_major, NUMBER), \
		FIELD("VersionMinor", common_header, version_minor, NUMBER), \
		FIELD("Reserved2", common_header, reserved2, HEX)

static const struct cim_field_layout image_header[] = {
	COMMON_HEADER,
	FIELD("RegionSet.Guid", filesystem_header, set.guid, GUID),
	FIELD("RegionSet.Count", filesystem_header, set.count, NUMBER),
	FIELD("RegionSet.Reserved", filesystem_header, set.reserved, HEX),
	FIELD("Filesystem", filesystem_header, filesystem, REGION_OFFSET),
	FIELD("Flags", filesystem_header, flags, HEX),
	FIELD("Reserved3", filesystem_header, reserved, HEX),
	FIELD("ParentCount", filesystem_header, parent_count, NUMBER),
};
const struct cim_layout cim_layout_image_header = LAYOUT(image_header, CIM_SIZE(filesystem_header));

static const struct cim_field_layout parent_set[] = {
	FIELD("Guid", region_set, guid, GUID),
	FIELD("Count", region_set, count, NUMBER),
	FIELD("Reserved", region_set, reserved, HEX),
};
const struct cim_layout cim_layout_parent_set = LAYOUT(parent_set, CIM_SIZE(region_set));

static const struct cim_field_layout region_header[] = {
	COMMON_HEADER,
	FIELD("Index", region_header, index, NUMBER),
	FIELD("RegionType", region_header, type, NUMBER),
	FIELD("Reserved3", region_header, reserved, HEX),
};
const struct cim_layout cim_layout_region_header = LAYOUT(region_header, CIM_SIZE(region_header));

static const struct cim_field_layout objectid_header[] = {
	COMMON_HEADER,
	FIELD("Index", objectid_header, index, NUMBER),
	FIELD("RegionType", objectid_header, type, NUMBER),
	FIELD("Reserved3", objectid_header, reserved, HEX),
	FIELD("TableOffset", objectid_header, table_offset, NUMBER),
	FIELD("Count", objectid_header, count, NUMBER),
};
const struct cim_layout cim_layout_objectid_header = LAYOUT(objectid_header,
							    CIM_SIZE(objectid_header));

static const struct cim_field_layout objectid[] = {
	FIELD("Length", objectid, length, NUMBER),
	FIELD("Digest", objectid, digest, BYTES),
	FIELD("Offset", objectid, offset, HEX),
};
const struct cim_layout cim_layout_objectid = LAYOUT(objectid, CIM_SIZE(objectid));

static const struct cim_field_layout filesystem[] = {
	FIELD("UpcaseTable", filesystem, upcase_table, REGION_OFFSET),
	FIELD("FileTableDirectory", filesystem, file_table_directory, REGION_OFFSET),
	FIELD("FileTableCount", filesystem, file_table_count, NUMBER),
	FIELD("RootDirectory", filesystem, root_id, NUMBER),
};
const struct cim_layout cim_layout_filesystem = LAYOUT(filesystem, CIM_SIZE(filesystem));

static const struct cim_field_layout file_table[] = {
	FIELD("FileTable", file_table, table, REGION_OFFSET),
	FIELD("Count", file_table, count, NUMBER),
	FIELD("EntrySize", file_table, entry_size, NUMBER),
	FIELD("Reserved", file_table, reserved, HEX),
};
const struct cim_layout cim_layout_file_table = LAYOUT(file_table, CIM_SIZE(file_table));

static const struct cim_field_layout file[] = {
	FIELD("Flags", file, flags, HEX),
	FIELD("EaLength", file, ea_length, NUMBER),
	FIELD("ReparseTag", file, reparse_tag, HEX),
	FIELD("CreationTime", file, creation_time, TIME),
	FIELD("LastWriteTime", file, last_write_time, TIME),
	FIELD("ChangeTime", file, change_time, TIME),
	FIELD("LastAccessTime", file, last_access_time, TIME),
	FIELD("Stream.Offset", file, stream.offset, REGION_OFFSET),
	FIELD("Stream.Descriptor", file, stream.desc, STREAM),
	FIELD("SecurityDescriptor", file, security, REGION_OFFSET),
	FIELD("Ea", file, ea, REGION_OFFSET),
	FIELD("ReparseData", file, reparse, REGION_OFFSET),
	FIELD("AlternateStreams", file, streams, REGION_OFFSET),
	FIELD("ParentFileId", file, parent_id, NUMBER),
	FIELD("BaseRegionIndex", file, base_region, NUMBER),
	FIELD("Reserved", file, reserved, HEX),
};
const struct cim_layout cim_layout_file = LAYOUT(file, CIM_SIZE(file));

static const struct cim_field_layout link_table[] = {
	FIELD("Length", link_table, length, NUMBER),
	FIELD("LinkCount", link_table, count, NUMBER),
};
const struct cim_layout cim_layout_link_table = LAYOUT(link_table, CIM_SIZE(link_table));

/* The second form of a stream table: the room for it, then the table (linktable.c). */
static const struct cim_field_layout link_table_behind[] = {
	{"Room", 0, 4, CIM_FIELD_NUMBER},
	{"Length", 4 + CIM_OFF(link_table, length), 4, CIM_FIELD_NUMBER},
	{"LinkCount", 4 + CIM_OFF(link_table, count), 4, CIM_FIELD_NUMBER},
};
const struct cim_layout cim_layout_link_table_behind = LAYOUT(link_table_behind,
							      4 + CIM_SIZE(link_table));

static const struct cim_field_layout file_id[] = {
	{"FileId", 0, CIM_LINK_FILE_SIZE, CIM_FIELD_NUMBER},
};
const struct cim_layout cim_layout_file_id = LAYOUT(file_id, CIM_LINK_FILE_SIZE);

static const struct cim_field_layout stream[] = {
	FIELD("Stream.Offset", stream, offset, REGION_OFFSET),
	FIELD("Stream.Descriptor", stream, desc, STREAM),
};
const struct cim_layout cim_layout_stream = LAYOUT(stream, CIM_SIZE(stream));

static const struct cim_field_layout name_offset[] = {
	{"NameOffset", 0, 4, CIM_FIELD_NUMBER},
};
const struct cim_layout cim_layout_name_offset = LAYOUT(name_offset, 4);

static const struct cim_field_layout pe_image[] = {
	FIELD("Data", pe_image, data, REGION_OFFSET),
	FIELD("DataLength", pe_image, data_length, NUMBER),
	FIELD("ImageLength", pe_image, image_length, NUMBER),
	FIELD("MappingCount", pe_image, mapping_count, NUMBER),
	FIELD("Flags", pe_image, flags, HEX),
};
const struct cim_layout cim_layout_pe_image = LAYOUT(pe_image, CIM_SIZE(pe_image));

static const struct cim_field_layout pe_mapping[] = {
	FIELD("FileOffset", pe_mapping, file_offset, HEX),
	FIELD("Delta", pe_mapping, delta, HEX),
};
const struct cim_layout cim_layout_pe_mapping = LAYOUT(pe_mapping, CIM_SIZE(pe_mapping));

/* What stands in front of a security descriptor and of reparse data. */
static const struct cim_field_layout counted[] = {
	{"Length", 0, 2, CIM_FIELD_NUMBER},
};
const struct cim_layout cim_layout_counted = LAYOUT(counted, 2);

/* Of what has none. */
const struct cim_layout cim_layout_none;

/* Little-endian, of up to 8 bytes. */
static uint64_t get_number(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | bytes[size];
	return value;
}

void cim_field_decode(struct cim_field *field, const struct cim_field_layout *layout,
		      const uint8_t *bytes)
{
	memset(field, 0, sizeof(*field));
	field->name = layout->name;
	field->type = layout->type;
	field->size = layout->size;
	field->bytes = bytes;
	field->len = layout->size;
	if (layout->size <= 8)
		field->value = get_number(bytes, layout->size);
}

const char *cim_structure_name(enum cim_structure_kind kind)
{
	static const char *const names[] = {
		[CIM_STRUCT_IMAGE_HEADER] = "image header",
		[CIM_STRUCT_TRAILER] = "bytes behind the image header",
		[CIM_STRUCT_REGION_HEADER] = "region header",
		[CIM_STRUCT_OBJECT_ID_HEADER] = "object ID header",
		[CIM_STRUCT_OBJECT_IDS] = "object IDs",
		[CIM_STRUCT_FILESYSTEM] = "filesystem object",
		[CIM_STRUCT_TABLE_DIRECTORY] = "file table directory",
		[CIM_STRUCT_FILE] = "file record",
		[CIM_STRUCT_LINK_TABLE] = "link table",
		[CIM_STRUCT_STREAM_TABLE] = "stream table",
		[CIM_STRUCT_PE_IMAGE] = "PE image",
		[CIM_STRUCT_SECURITY] = "security descriptor",
		[CIM_STRUCT_EA] = "extended attributes",
		[CIM_STRUCT_REPARSE] = "reparse data",
		[CIM_STRUCT_UPCASE_TABLE] = "upcase table",
		[CIM_STRUCT_LINK] = "directory entry",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == CIM_STRUCT_COUNT, "a name for each");
	return (unsigned)kind < CIM_STRUCT_COUNT ? names[kind] : "?";
}
