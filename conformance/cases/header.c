/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * header.c - types and constants: what a compiler can say of cimfs.h
 *
 * The header asserts sizes and offsets itself when it is compiled; these cases put the values into
 * the report, so that a run with another header (Microsoft's, on Windows) shows them side by side.
 */
#include "../suite/suite.h"

CASE(metadata_size, "Header/MetadataSize", HEADER, "cimfs.h, all generations", 0,
     "CIMFS_FILE_METADATA has 96 bytes on 64 bits and 72 on 32")
{
    check_number("sizeof", sizeof(CIMFS_FILE_METADATA), sizeof(void *) == 8 ? 96 : 72);
}
