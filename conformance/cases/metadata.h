/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.h - descriptors, EAs and reparse data for cases
 */
#ifndef CIM_CASES_METADATA_H
#define CIM_CASES_METADATA_H

#include "../suite/suite.h"

#define TAG_SYMLINK 0xa000000cul
#define TAG_MOUNT_POINT 0xa0000003ul
#define TAG_FOREIGN 0x00000123ul /* no Microsoft tag: a GUID precedes its data */

/* One file "f" with these metadata; the call's answer. */
static inline HRESULT try_meta(const CIMFS_FILE_METADATA *metadata)
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"try.cim");
    HRESULT hr = try_create_file(image, L"f", metadata);

    close_image(image);
    return hr;
}

/* A file, or with FILE_ATTRIBUTE_DIRECTORY a directory, "f" alone in an image "a.cim". */
static inline void make_item(const CIMFS_FILE_METADATA *metadata)
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"a.cim");

    put_item(image, L"f", metadata, NULL, 0);
    commit_and_close(image);
}

/* What is stored of "f". */
static inline FILE_STAT_BASIC_INFORMATION stat_item(void)
{
    FILE_STAT_BASIC_INFORMATION info;

    need_hr("stat", stored_stat(case_dir(), L"a.cim", L"f", &info));
    return info;
}

/* A symbolic link's REPARSE_DATA_BUFFER; its size. The target is relative. */
static inline size_t symlink_data(BYTE *buffer, const WCHAR *target)
{
    WORD length = (WORD)(wcslen(target) * sizeof(WCHAR)), data = 12 + 2 * length;
    WORD words[6] = {length, length, 0, length, 1, 0}; /* substitute, print, flags: relative */
    DWORD tag = TAG_SYMLINK;

    memset(buffer, 0, 8);
    memcpy(buffer, &tag, 4);
    memcpy(buffer + 4, &data, 2);
    memcpy(buffer + 8, words, 12);
    memcpy(buffer + 20, target, length);
    memcpy(buffer + 20 + length, target, length);
    return 8 + (size_t)data;
}

/* A buffer of a tag that is not Microsoft's: tag, length, GUID, data; its size. */
static inline size_t foreign_reparse(BYTE *buffer, WORD data)
{
    DWORD tag = TAG_FOREIGN;

    memset(buffer, 0, 24);
    memcpy(buffer, &tag, 4);
    memcpy(buffer + 4, &data, 2);
    memset(buffer + 8, 0x11, 16);
    fill_bytes(buffer + 24, data, 5);
    return 24 + (size_t)data;
}

/* One EA, 4-byte aligned behind "buffer"; the bytes it takes, padding included. */
static inline size_t ea_entry(BYTE *buffer, const char *name, const void *value, WORD size,
                              bool last)
{
    BYTE length = (BYTE)strlen(name);
    DWORD room = (8u + length + 1 + size + 3) & ~3u, next = last ? 0 : room;

    memset(buffer, 0, room);
    memcpy(buffer, &next, 4);
    buffer[5] = length;
    memcpy(buffer + 6, &size, 2);
    memcpy(buffer + 8, name, length);
    memcpy(buffer + 8 + length + 1, value, size);
    return room;
}

#endif
