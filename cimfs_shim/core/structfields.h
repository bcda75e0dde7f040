/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * structfields.h - the layouts by which structures are shown field by field
 *
 * structs.c and structitem.c find the structures of an image; structfields.c knows of each what its
 * fields are called, where they lie and what kind of value they hold. A layout describes the part
 * of constant size in front of a structure, or one element of an array behind it; fields are in
 * order of their offsets.
 */
#ifndef CIM_STRUCTFIELDS_H
#define CIM_STRUCTFIELDS_H

#include "../../include/libcim_debug.h"
#include "format.h"

struct cim_field_layout {
	const char *name;
	uint16_t offset;
	uint16_t size;
	enum cim_field_type type;
};

struct cim_layout {
	const struct cim_field_layout *fields;
	size_t count;
	size_t size;
};

extern const struct cim_layout cim_layout_image_header, cim_layout_parent_set,
	cim_layout_region_header, cim_layout_objectid_header, cim_layout_objectid,
	cim_layout_filesystem, cim_layout_file_table, cim_layout_file, cim_layout_link_table,
	cim_layout_link_table_behind, cim_layout_file_id, cim_layout_stream, cim_layout_name_offset,
	cim_layout_pe_image, cim_layout_pe_mapping, cim_layout_counted, cim_layout_none;

/* Fill in a field from @bytes, those of its layout; all but its offset and its index. */
void cim_field_decode(struct cim_field *field, const struct cim_field_layout *layout,
		      const uint8_t *bytes);

#endif
