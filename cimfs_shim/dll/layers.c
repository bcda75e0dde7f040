/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layers.c - the exports about images that lie over each other: sources, tombstones, merge links
 *
 * As in write.c each export is a pair of functions, and checks in the same order.
 */
#include "dll.h"

#include <stdlib.h>

#define PLACE_FLAGS ((UINT32)(CIM_MERGE_SINGLE_FILE | CIM_MERGE_BLOCK_DEVICE))
#define ALL_MERGE_FLAGS (PLACE_FLAGS | CIM_MERGE_VERIFIED)

/* ---- sources ---- */

static enum place place_of(UINT32 flags)
{
    if (!(flags & PLACE_FLAGS)) return IN_DIRECTORY;
    return flags & CIM_MERGE_SINGLE_FILE ? IN_FILE : IN_DEVICE;
}

/* One flag says at the mount where all of the images are. */
static enum cim_status check_flags(const struct object *image, UINT32 flags, struct cim_error *err)
{
    if (flags & ~ALL_MERGE_FLAGS)
        return fail(err, CIM_E_INVALID, "unknown flag 0x%x", flags & ~ALL_MERGE_FLAGS);
    if ((flags & PLACE_FLAGS) == PLACE_FLAGS)
        return fail(err, CIM_E_INVALID, "a source is in a file or on a device, not both");
    if (flags & CIM_MERGE_VERIFIED && !(flags & PLACE_FLAGS))
        return fail(err, CIM_E_INVALID, "an ordinary image is never sealed");
    if (place_of(flags) != image->place)
        return fail(err, CIM_E_INVALID, "the source isn't in such a place as the merged image");
    return CIM_OK;
}

static enum cim_status add_source_to(struct object *image, PCWSTR existing, UINT32 flags,
                                     struct cim_error *err)
{
    const unsigned source_flags = flags & CIM_MERGE_VERIFIED ? CIM_SOURCE_VERIFIED : 0;
    enum cim_status status = check_flags(image, flags, err);
    char *path;

    if (status) return status;
    status = check_path(existing, err);
    if (!status) status = place_check(image->place, existing, err);
    if (status) return status;
    path = wtf8_from_wide(existing);
    if (!path) return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = cim_writer_add_source(image->writer, path, source_flags, err);
    free(path);
    return status;
}

static enum cim_status add_source(CIMFS_IMAGE_HANDLE handle, PCWSTR existing, UINT32 flags,
                                  struct cim_error *err)
{
    struct object *image = image_get(handle, err);
    enum cim_status status;

    if (!image) return CIM_E_INVALID;
    status = add_source_to(image, existing, flags, err);
    object_unref(image);
    return status;
}

ULONG_PTR WINAPI CimAddFsToMergedImage(CIMFS_IMAGE_HANDLE handle, PCWSTR existing)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(add_source(handle, existing, CIM_MERGE_NONE, &err), &err);
    TRACE(hr, &err, "CimAddFsToMergedImage(image %p, %s)", (void *)handle, T(existing));
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimAddFsToMergedImage2(CIMFS_IMAGE_HANDLE handle, PCWSTR existing, UINT32 flags)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(add_source(handle, existing, flags, &err), &err);
    TRACE(hr, &err, "CimAddFsToMergedImage2(image %p, %s, flags 0x%x)", (void *)handle, T(existing),
          flags);
    RETURN_HRESULT(hr);
}

/* ---- what a layer says of those below it ---- */

ULONG_PTR WINAPI CimTombstoneFile(CIMFS_IMAGE_HANDLE handle, PCWSTR path)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(call_with_path(handle, path, cim_writer_tombstone, &err), &err);
    TRACE(hr, &err, "CimTombstoneFile(image %p, %s)", (void *)handle, T(path));
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimCreateMergeLink(CIMFS_IMAGE_HANDLE handle, PCWSTR path, PCWSTR existing)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(call_with_paths(handle, path, existing, cim_writer_merge_link, &err),
                             &err);
    TRACE(hr, &err, "CimCreateMergeLink(image %p, %s, existing %s)", (void *)handle, T(path),
          T(existing));
    RETURN_HRESULT(hr);
}
