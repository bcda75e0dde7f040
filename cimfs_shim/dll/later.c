/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * later.c - exports that exist so that programs find them, and say that they do nothing
 *
 * Block, merged and verified images. A client that loads functions one by one and checks what they
 * answer then goes on without, where a missing export would end it. Each clears its counters, so
 * that one who doesn't check has no garbage, and answers ERROR_NOT_SUPPORTED.
 */
#include "dll.h"

#define NOT_SUPPORTED HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED)

/* The detail that a trace of these functions shows. */
static const struct cim_error not_implemented = {
        .status = CIM_E_UNSUPPORTED,
        .cause = "not implemented",
};

#define ANSWER_NOT_SUPPORTED(...)                                                                  \
    do                                                                                             \
    {                                                                                              \
        TRACE(NOT_SUPPORTED, &not_implemented, __VA_ARGS__);                                       \
        RETURN_HRESULT(NOT_SUPPORTED);                                                             \
    } while (0)

static void clear64(UINT64 *value)
{
    if (value) *value = 0;
}

ULONG_PTR WINAPI CimConvertBlockImage(PCWSTR dir, PCWSTR existing, PCWSTR new_dir)
{
    ANSWER_NOT_SUPPORTED("CimConvertBlockImage(%s, %s, %s)", T(dir), T(existing), T(new_dir));
}

ULONG_PTR WINAPI CimAddFsToMergedImage(CIMFS_IMAGE_HANDLE image, PCWSTR existing)
{
    ANSWER_NOT_SUPPORTED("CimAddFsToMergedImage(image %p, %s)", (void *)image, T(existing));
}

ULONG_PTR WINAPI CimAddFsToMergedImage2(CIMFS_IMAGE_HANDLE image, PCWSTR existing, UINT32 flags)
{
    ANSWER_NOT_SUPPORTED("CimAddFsToMergedImage2(image %p, %s, flags 0x%x)", (void *)image,
                         T(existing), flags);
}

ULONG_PTR WINAPI CimCreateMergedFile(CIMFS_IMAGE_HANDLE image, PCWSTR path, PVOID fs, PVOID file,
                                     UINT16 index)
{
    ANSWER_NOT_SUPPORTED("CimCreateMergedFile(image %p, %s, fs %p, file %p, index %u)",
                         (void *)image, T(path), fs, file, index);
}

ULONG_PTR WINAPI CimTombstoneFile(CIMFS_IMAGE_HANDLE image, PCWSTR path)
{
    ANSWER_NOT_SUPPORTED("CimTombstoneFile(image %p, %s)", (void *)image, T(path));
}

ULONG_PTR WINAPI CimCreateMergeLink(CIMFS_IMAGE_HANDLE image, PCWSTR path, PCWSTR existing)
{
    ANSWER_NOT_SUPPORTED("CimCreateMergeLink(image %p, %s, existing %s)", (void *)image, T(path),
                         T(existing));
}

ULONG_PTR WINAPI CimMergeMountImage(UINT32 count, const CimFsImagePath *images,
                                    CIM_MOUNT_IMAGE_FLAGS flags, const GUID *volume)
{
    ANSWER_NOT_SUPPORTED("CimMergeMountImage(count %u, %p, flags 0x%x, %s)", count,
                         (const void *)images, (unsigned)flags, TGUID(volume));
}

ULONG_PTR WINAPI CimSealImage(PCWSTR path, UINT64 *hash_size, UINT64 *header_size, BYTE *hash)
{
    clear64(hash_size);
    clear64(header_size);
    ANSWER_NOT_SUPPORTED("CimSealImage(%s, hash %p)", T(path), (void *)hash);
}

ULONG_PTR WINAPI CimGetVerificationInformation(PCWSTR path, UINT32 *sealed, UINT64 *hash_size,
                                               UINT64 *signature_size, UINT64 *header_size,
                                               BYTE *hash, BYTE *signature)
{
    if (sealed) *sealed = 0;
    clear64(hash_size);
    clear64(signature_size);
    clear64(header_size);
    ANSWER_NOT_SUPPORTED("CimGetVerificationInformation(%s, hash %p, signature %p)", T(path),
                         (void *)hash, (void *)signature);
}

ULONG_PTR WINAPI CimMountVerifiedImage(PCWSTR dir, PCWSTR name, UINT32 flags, const GUID *volume,
                                       UINT16 hash_size, const BYTE *hash)
{
    ANSWER_NOT_SUPPORTED("CimMountVerifiedImage(%s, %s, flags 0x%x, %s, hash %p of %u bytes)",
                         T(dir), T(name), flags, TGUID(volume), (const void *)hash, hash_size);
}

ULONG_PTR WINAPI CimMergeMountVerifiedImage(UINT32 count, const CimFsImagePath *images,
                                            UINT32 flags, const GUID *volume, UINT16 hash_size,
                                            const BYTE *hash)
{
    ANSWER_NOT_SUPPORTED(
            "CimMergeMountVerifiedImage(count %u, %p, flags 0x%x, %s, hash %p of %u bytes)", count,
            (const void *)images, flags, TGUID(volume), (const void *)hash, hash_size);
}
