/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metavalid.h - what makes a security descriptor, an EA list and a reparse buffer valid
 *
 * A session refuses what breaks these rules (decisions D9, D16, D17); the checker reports it.
 */
#ifndef CIM_METAVALID_H
#define CIM_METAVALID_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CIM_MAX_SECURITY 65535u
#define CIM_MAX_EA	 65535u
#define CIM_MAX_REPARSE	 16384u

/* What is stored where none was given (D8): self-relative, a DACL present and NULL. */
#define CIM_NULL_DACL_SIZE 20u
extern const uint8_t cim_null_dacl[CIM_NULL_DACL_SIZE];

/* A self-relative security descriptor, all its SIDs and ACLs inside it. */
bool cim_sd_valid(const uint8_t *sd, size_t size);
/* A chain of FILE_FULL_EA_INFORMATION; up to 3 bytes of padding may follow the last entry. */
bool cim_ea_valid(const uint8_t *ea, size_t size);
/* A REPARSE_DATA_BUFFER whose length field tells its size. */
bool cim_reparse_valid(const uint8_t *reparse, size_t size);

#endif
