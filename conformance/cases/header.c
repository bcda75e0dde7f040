/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * header.c - types and constants: what a compiler can say of cimfs.h
 *
 * The header asserts sizes and offsets itself when it is compiled; these cases put the values into
 * the report, so that a run built with another header shows them side by side.
 */
#include "../suite/suite.h"

#define ALL "all generations"
#define BY_WORD(wide, narrow) (sizeof(void *) == 8 ? (wide) : (narrow))
#define OFFSET(type, field, wide, narrow)                                                          \
    check_number(#field, offsetof(type, field), BY_WORD(wide, narrow))

CASE(metadata_layout, "Header/MetadataLayout", HEADER, ALL, 0,
     "CIMFS_FILE_METADATA: size and offsets, on 64 and on 32 bits")
{
    check_number("sizeof", sizeof(CIMFS_FILE_METADATA), BY_WORD(96, 72));
    OFFSET(CIMFS_FILE_METADATA, Attributes, 0, 0);
    OFFSET(CIMFS_FILE_METADATA, FileSize, 8, 8);
    OFFSET(CIMFS_FILE_METADATA, CreationTime, 16, 16);
    OFFSET(CIMFS_FILE_METADATA, LastWriteTime, 24, 24);
    OFFSET(CIMFS_FILE_METADATA, ChangeTime, 32, 32);
    OFFSET(CIMFS_FILE_METADATA, LastAccessTime, 40, 40);
    OFFSET(CIMFS_FILE_METADATA, SecurityDescriptorBuffer, 48, 48);
    OFFSET(CIMFS_FILE_METADATA, SecurityDescriptorSize, 56, 52);
    OFFSET(CIMFS_FILE_METADATA, ReparseDataBuffer, 64, 56);
    OFFSET(CIMFS_FILE_METADATA, ReparseDataSize, 72, 60);
    OFFSET(CIMFS_FILE_METADATA, EaBuffer, 80, 64);
    OFFSET(CIMFS_FILE_METADATA, EaBufferSize, 88, 68);
}

CASE(image_path_layout, "Header/ImagePathLayout", CLIENT, "hcsshim types", 0,
     "CimFsImagePath: two pointers")
{
    check_number("sizeof", sizeof(CimFsImagePath), BY_WORD(16, 8));
    OFFSET(CimFsImagePath, ImageDir, 0, 0);
    OFFSET(CimFsImagePath, ImageName, 8, 4);
}

CASE(stat_layout, "Header/StatLayout", CLIENT, "hcsshim reader (2024)", 0,
     "FILE_STAT_BASIC_INFORMATION: 104 bytes, the same offsets on 64 and 32 bits")
{
    check_number("sizeof", sizeof(FILE_STAT_BASIC_INFORMATION), 104);
    OFFSET(FILE_STAT_BASIC_INFORMATION, FileId, 0, 0);
    OFFSET(FILE_STAT_BASIC_INFORMATION, CreationTime, 8, 8);
    OFFSET(FILE_STAT_BASIC_INFORMATION, LastAccessTime, 16, 16);
    OFFSET(FILE_STAT_BASIC_INFORMATION, LastWriteTime, 24, 24);
    OFFSET(FILE_STAT_BASIC_INFORMATION, ChangeTime, 32, 32);
    OFFSET(FILE_STAT_BASIC_INFORMATION, AllocationSize, 40, 40);
    OFFSET(FILE_STAT_BASIC_INFORMATION, EndOfFile, 48, 48);
    OFFSET(FILE_STAT_BASIC_INFORMATION, FileAttributes, 56, 56);
    OFFSET(FILE_STAT_BASIC_INFORMATION, ReparseTag, 60, 60);
    OFFSET(FILE_STAT_BASIC_INFORMATION, NumberOfLinks, 64, 64);
    OFFSET(FILE_STAT_BASIC_INFORMATION, DeviceType, 68, 68);
    OFFSET(FILE_STAT_BASIC_INFORMATION, DeviceCharacteristics, 72, 72);
    OFFSET(FILE_STAT_BASIC_INFORMATION, Reserved, 76, 76);
    OFFSET(FILE_STAT_BASIC_INFORMATION, VolumeSerialNumber, 80, 80);
    OFFSET(FILE_STAT_BASIC_INFORMATION, FileId128, 88, 88);
}

CASE(mount_flags, "Header/MountFlags", HEADER, "generation C", 0, "values of CIM_MOUNT_IMAGE_FLAGS")
{
    check_hex("CIM_MOUNT_IMAGE_NONE", CIM_MOUNT_IMAGE_NONE, 0);
    check_hex("CIM_MOUNT_CHILD_ONLY", CIM_MOUNT_CHILD_ONLY, 1);
    check_hex("CIM_MOUNT_ENABLE_DAX", CIM_MOUNT_ENABLE_DAX, 2);
    check_hex("CIM_MOUNT_CACHE_FILES", CIM_MOUNT_CACHE_FILES, 4);
    check_hex("CIM_MOUNT_CACHE_REGIONS", CIM_MOUNT_CACHE_REGIONS, 8);
    check_hex("CIM_MOUNT_BLOCK_CIM", CIM_MOUNT_BLOCK_CIM, 0x10);
    check_hex("CIM_MOUNT_SINGLE_FILE", CIM_MOUNT_SINGLE_FILE, 0x20);
    check_hex("CIM_MOUNT_DO_NOT_SHARE_CACHE", CIM_MOUNT_DO_NOT_SHARE_CACHE, 0x40);
    check_hex("CIM_MOUNT_ATTEST_HASH", CIM_MOUNT_ATTEST_HASH, 0x80);
}

CASE(create_flags, "Header/CreateFlags", HEADER, "generations B and C", 0,
     "values of CIM_CREATE_IMAGE_FLAGS")
{
    check_hex("CIM_CREATE_IMAGE_NONE", CIM_CREATE_IMAGE_NONE, 0);
    check_hex("CIM_CREATE_DO_NOT_EXPAND_PE_IMAGES", CIM_CREATE_DO_NOT_EXPAND_PE_IMAGES, 1);
    check_hex("CIM_CREATE_FIXED_SIZE_CHUNKS", CIM_CREATE_FIXED_SIZE_CHUNKS, 2);
    check_hex("CIM_CREATE_IMAGE_BLOCK_CIM", CIM_CREATE_IMAGE_BLOCK_CIM, 4);
    check_hex("CIM_CREATE_IMAGE_SINGLE_FILE", CIM_CREATE_IMAGE_SINGLE_FILE, 8);
    check_hex("CIM_CREATE_CONSISTENT_CIMS", CIM_CREATE_CONSISTENT_CIMS, 0x10);
    check_hex("CIM_CREATE_SKIP_PE_IMAGE_HASHES", CIM_CREATE_SKIP_PE_IMAGE_HASHES, 0x20);
    check_hex("CIM_CREATE_VERIFIED", CIM_CREATE_VERIFIED, 0x40);
}

CASE(enum_sizes, "Header/EnumAndHandleSizes", HEADER, ALL, 0,
     "flags are 32-bit numbers, handles are pointers")
{
    check_number("CIM_MOUNT_IMAGE_FLAGS", sizeof(CIM_MOUNT_IMAGE_FLAGS), 4);
    check_number("CIM_CREATE_IMAGE_FLAGS", sizeof(CIM_CREATE_IMAGE_FLAGS), 4);
    check_number("CIMFS_IMAGE_HANDLE", sizeof(CIMFS_IMAGE_HANDLE), sizeof(void *));
    check_number("CIMFS_STREAM_HANDLE", sizeof(CIMFS_STREAM_HANDLE), sizeof(void *));
}

CASE(hresults, "Header/DocumentedErrors", DOC, "cimfs.h pages", 0,
     "the HRESULTs that the pages name have these values")
{
    check_hex("E_INVALIDARG", (ULONG)E_INVALIDARG, 0x80070057);
    check_hex("E_ACCESSDENIED", (ULONG)E_ACCESSDENIED, 0x80070005);
    check_hex("E_POINTER", (ULONG)E_POINTER, 0x80004003);
    check_hex("ERROR_FILE_NOT_FOUND", (ULONG)HR_FILE_NOT_FOUND, 0x80070002);
    check_hex("ERROR_PATH_NOT_FOUND", (ULONG)HR_PATH_NOT_FOUND, 0x80070003);
    check_hex("ERROR_SHARING_VIOLATION", (ULONG)HR_SHARING, 0x80070020);
    check_hex("ERROR_HANDLE_EOF", (ULONG)HR_EOF, 0x80070026);
    check_hex("ERROR_FILE_EXISTS", (ULONG)HR_FILE_EXISTS, 0x80070050);
    check_hex("ERROR_ALREADY_EXISTS", (ULONG)HR_ALREADY_EXISTS, 0x800700b7);
}

CASE(image_errors, "Header/ImageErrors", HEADER, "winerror.h", 0,
     "the two errors that are of Composite Images alone have these values")
{
    check_hex("ERROR_CIMFS_IMAGE_CORRUPT", (ULONG)HR_CORRUPT, 0x800701d6);
    check_hex("ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED", (ULONG)HR_VERSION, 0x800701d7);
}
