/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metavalid.c - validation of the three kinds of variable metadata: see metavalid.h
 *
 * Layouts: the Windows SDK's documentation of SECURITY_DESCRIPTOR_RELATIVE, ACL, ACE_HEADER and
 * SID (MS-DTYP 2.4), FILE_FULL_EA_INFORMATION and REPARSE_DATA_BUFFER (MS-FSCC 2.4.15, 2.1.2).
 */
#include "metavalid.h"
#include "../../include/libcim_advanced.h"
#include "bytes.h"
#include "format.h"

/* SECURITY_DESCRIPTOR_RELATIVE: u8 revision, u8, u16 control, u32 owner, group, SACL, DACL. */
#define SD_SIZE		 20u
#define SE_DACL_PRESENT	 0x0004u
#define SE_SACL_PRESENT	 0x0010u
#define SE_SELF_RELATIVE 0x8000u

const uint8_t cim_null_dacl[CIM_NULL_DACL_SIZE] = {1, 0, 0x04, 0x80};

/* SID: u8 revision, u8 count of sub-authorities, u8[6], u32[count]. */
static bool sid_valid(const uint8_t *sd, size_t size, uint32_t offset)
{
	if (offset < SD_SIZE || !cim_in_range(offset, 8, size))
		return false;
	if (sd[offset] != 1 || sd[offset + 1] > 15)
		return false;
	return cim_in_range(offset, 8u + 4u * sd[offset + 1], size);
}

/* ACL: u8 revision, u8, u16 size, u16 count of ACEs, u16; ACE: u8 type, u8 flags, u16 size. */
static bool acl_valid(const uint8_t *sd, size_t size, uint32_t offset)
{
	uint32_t acl_size, pos = 8;
	unsigned count;

	if (offset < SD_SIZE || !cim_in_range(offset, 8, size))
		return false;
	sd += offset;
	acl_size = cim_get16(sd + 2);
	count = cim_get16(sd + 4);
	if (sd[0] < 2 || sd[0] > 4 || acl_size < 8 || acl_size > size - offset)
		return false;
	while (count--) {
		uint32_t ace_size;

		if (!cim_in_range(pos, 4, acl_size))
			return false;
		ace_size = cim_get16(sd + pos + 2);
		if (ace_size < 4 || ace_size > acl_size - pos)
			return false;
		pos += ace_size;
	}
	return true;
}

bool cim_sd_valid(const uint8_t *sd, size_t size)
{
	uint32_t owner, group, sacl, dacl;
	unsigned control;

	if (size < SD_SIZE || size > CIM_MAX_SECURITY || sd[0] != 1)
		return false;
	control = cim_get16(sd + 2);
	if (!(control & SE_SELF_RELATIVE))
		return false;
	owner = cim_get32(sd + 4);
	group = cim_get32(sd + 8);
	sacl = cim_get32(sd + 12);
	dacl = cim_get32(sd + 16);
	if (owner && !sid_valid(sd, size, owner))
		return false;
	if (group && !sid_valid(sd, size, group))
		return false;
	/* The offset of an ACL that isn't present means nothing. */
	if ((control & SE_SACL_PRESENT) && sacl && !acl_valid(sd, size, sacl))
		return false;
	if ((control & SE_DACL_PRESENT) && dacl && !acl_valid(sd, size, dacl))
		return false;
	return true;
}

/* Entry: u32 offset of the next, u8 flags, u8 name length, u16 value length, name, NUL, value. */
bool cim_ea_valid(const uint8_t *ea, size_t size)
{
	size_t pos = 0;

	if (size > CIM_MAX_EA)
		return false;
	for (;;) {
		size_t left = size - pos, used;
		uint32_t next;

		if (left < 8)
			return false;
		next = cim_get32(ea + pos);
		used = 8u + ea[pos + 5] + 1u + cim_get16(ea + pos + 6);
		if (ea[pos + 5] == 0 || ea[pos + 5] > 254 || used > left)
			return false;
		for (size_t i = 0; i < ea[pos + 5]; i++)
			if (!ea[pos + 8 + i])
				return false;
		if (ea[pos + 8 + ea[pos + 5]])
			return false; /* the name's NUL */
		if (!next)
			return left - used <= 3;
		if (next % 4 || next < used || next > left)
			return false;
		pos += next;
	}
}

bool cim_reparse_valid(const uint8_t *reparse, size_t size)
{
	size_t length;

	if (size < 8 || size > CIM_MAX_REPARSE)
		return false;
	length = cim_get16(reparse + 4);
	/* Behind the 8 bytes of tag and length a tag that isn't Microsoft's has a GUID. */
	return size == length + ((cim_get32(reparse) & 0x80000000u) ? 8u : 24u);
}

bool cim_blob_valid(enum cim_blob which, const void *bytes, size_t size)
{
	if (!bytes)
		return false;
	switch (which) {
	case CIM_BLOB_SECURITY:
		return cim_sd_valid(bytes, size);
	case CIM_BLOB_EA:
		return cim_ea_valid(bytes, size);
	case CIM_BLOB_REPARSE:
		return cim_reparse_valid(bytes, size);
	}
	return false;
}
