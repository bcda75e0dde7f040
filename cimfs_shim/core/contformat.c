/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contformat.c - the digests of a container, and its commit records as bytes
 */
#include "contformat.h"
#include "bytes.h"
#include "hash.h"

#include <string.h>

bool cim_cont_is_magic(const uint8_t *bytes, size_t len)
{
	return len >= CIM_MAGIC_SIZE && !memcmp(bytes, CIM_CONT_MAGIC, CIM_MAGIC_SIZE);
}

void cim_cont_digest(const void *bytes, size_t len, uint8_t *digest)
{
	struct cim_digest own;

	cim_digest_of(bytes, len, &own);
	memcpy(digest, own.bytes, CIM_CONT_DIGEST);
}

bool cim_cont_has_digest(const void *bytes, size_t len, const uint8_t *digest)
{
	uint8_t own[CIM_CONT_DIGEST];

	cim_cont_digest(bytes, len, own);
	return !memcmp(own, digest, sizeof(own));
}

void cim_cont_record_encode(const struct cim_cont_record *record, uint8_t *bytes)
{
	memset(bytes, 0, CIM_SIZE(cont_record));
	cim_put64(bytes + CIM_OFF(cont_record, sequence), record->sequence);
	cim_put64(bytes + CIM_OFF(cont_record, table), record->table);
	cim_put64(bytes + CIM_OFF(cont_record, length), record->length);
	cim_put64(bytes + CIM_OFF(cont_record, end), record->end);
	memcpy(bytes + CIM_OFF(cont_record, table_digest), record->table_digest, CIM_CONT_DIGEST);
	cim_cont_digest(bytes, CIM_OFF(cont_record, digest), bytes + CIM_OFF(cont_record, digest));
}

bool cim_cont_record_decode(const uint8_t *bytes, struct cim_cont_record *record)
{
	record->sequence = cim_get64(bytes + CIM_OFF(cont_record, sequence));
	record->table = cim_get64(bytes + CIM_OFF(cont_record, table));
	record->length = cim_get64(bytes + CIM_OFF(cont_record, length));
	record->end = cim_get64(bytes + CIM_OFF(cont_record, end));
	memcpy(record->table_digest, bytes + CIM_OFF(cont_record, table_digest), CIM_CONT_DIGEST);
	return record->sequence && cim_cont_has_digest(bytes, CIM_OFF(cont_record, digest),
						       bytes + CIM_OFF(cont_record, digest));
}
