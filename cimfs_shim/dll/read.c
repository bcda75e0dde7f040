/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - the exports that look into a committed image without mounting it
 *
 * Each call opens the image, which costs the same for any size of it, and closes it again: no file
 * stays open behind a caller's back, and the image that is read is the one that stands now.
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

/* What a call looks at: an item and, where the path names one, a stream of it. */
struct target
{
    struct cim_image *image;
    uint32_t file_id;
    struct cim_str stream; /* units 0: the default stream; points into the caller's path */
};

static enum cim_status open_image(PCWSTR path, enum place place, struct cim_image **image,
                                  struct cim_error *err)
{
    char *path8 = wtf8_from_wide(path);
    struct cim_env env;
    struct cim_vfs vfs;
    enum cim_status status;

    if (!path8) return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = cim_image_open(place_env(place, &env, &vfs), path8, image, err);
    free(path8);
    return status;
}

static enum cim_status check_flags(UINT32 flags, struct cim_error *err)
{
    const UINT32 unknown = flags & ~(UINT32)CIM_READ_SINGLE_FILE;

    return unknown ? fail(err, CIM_E_INVALID, "unknown flag 0x%x", unknown) : CIM_OK;
}

/* @flags: CIM_READ_*. */
static enum cim_status open_target(PCWSTR image_path, PCWSTR file_path, UINT32 flags,
                                   struct target *target, struct cim_error *err)
{
    const enum place place = flags & CIM_READ_SINGLE_FILE ? IN_FILE : IN_DIRECTORY;
    enum cim_status status;

    if (!image_path) return fail(err, CIM_E_INVALID, "the image's path is NULL");
    if (!file_path) return fail(err, CIM_E_INVALID, "the file's path is NULL");
    status = place_check(place, image_path, err);
    if (!status) status = open_image(image_path, place, &target->image, err);
    if (status) return status;
    status = cim_image_lookup_stream(target->image, cim_str16(file_path), &target->file_id,
                                     &target->stream, err);
    if (status) cim_image_close(target->image);
    return status;
}

static enum cim_status read_target(const struct target *target, UINT64 offset, void *buffer,
                                   UINT64 size, UINT64 *bytes_read, UINT64 *bytes_remaining,
                                   struct cim_error *err)
{
    struct cim_file_info info = {CIM_SIZED(info)};
    struct cim_data data = {CIM_SIZED(data)};
    enum cim_status status;
    size_t len, got = 0;

    status = cim_image_stat(target->image, target->file_id, &info, err);
    if (status) return status;
    /* The only thing without a default stream is a directory, which can't be read (D30). */
    if (info.is_directory && !target->stream.units)
        return fail(err, CIM_E_INVALID, "a directory can't be read");
    status = cim_image_get_file_data(target->image, &info, target->stream, &data, err);
    if (status) return status;
    if (offset > data.size) return fail(err, CIM_E_EOF, "the offset is past the stream's end");
    if (size > data.size - offset) size = data.size - offset;
    len = size > SIZE_MAX ? SIZE_MAX : (size_t)size;
    if (len) status = cim_image_read(target->image, &data, offset, buffer, len, &got, err);
    if (status) return status;
    *bytes_read = got;
    *bytes_remaining = data.size - offset - got;
    return CIM_OK;
}

static enum cim_status read_file(PCWSTR image_path, PCWSTR file_path, UINT64 offset, void *buffer,
                                 UINT64 size, UINT64 *bytes_read, UINT64 *bytes_remaining,
                                 UINT32 flags, struct cim_error *err)
{
    struct target target;
    enum cim_status status;

    if (bytes_read) *bytes_read = 0;
    if (bytes_remaining) *bytes_remaining = 0;
    if (!bytes_read || !bytes_remaining) return fail(err, CIM_E_POINTER, "no place for a counter");
    status = check_flags(flags, err);
    if (status) return status;
    if (!buffer) return fail(err, CIM_E_POINTER, "the buffer is NULL");
    status = open_target(image_path, file_path, flags, &target, err);
    if (status) return status;
    status = read_target(&target, offset, buffer, size, bytes_read, bytes_remaining, err);
    cim_image_close(target.image);
    return status;
}

/* The end of both calls' lines. */
static void trace_read(HRESULT hr, const struct cim_error *err, const char *call, PCWSTR image_path,
                       PCWSTR file_path, UINT64 offset, void *buffer, UINT64 size,
                       const UINT64 *bytes_read, const UINT64 *bytes_remaining, const char *flags)
{
    trace_call(hr, err, "%s(%s, %s, offset %llu, buffer %p, size %llu%s): %lld read, %lld left",
               call, T(image_path), T(file_path), (unsigned long long)offset, buffer,
               (unsigned long long)size, flags, bytes_read ? (long long)*bytes_read : -1,
               bytes_remaining ? (long long)*bytes_remaining : -1);
}

ULONG_PTR WINAPI CimReadFile(PCWSTR image_path, PCWSTR file_path, UINT64 offset, void *buffer,
                             UINT64 size, UINT64 *bytes_read, UINT64 *bytes_remaining)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(read_file(image_path, file_path, offset, buffer, size, bytes_read,
                                       bytes_remaining, CIM_READ_NONE, &err),
                             &err);
    if (trace_wanted(hr))
        trace_read(hr, &err, "CimReadFile", image_path, file_path, offset, buffer, size, bytes_read,
                   bytes_remaining, "");
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimReadFile2(PCWSTR image_path, PCWSTR file_path, UINT64 offset, void *buffer,
                              UINT64 size, UINT64 *bytes_read, UINT64 *bytes_remaining,
                              UINT32 flags)
{
    struct cim_error err;
    char text[32];
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(read_file(image_path, file_path, offset, buffer, size, bytes_read,
                                       bytes_remaining, flags, &err),
                             &err);
    if (!trace_wanted(hr)) RETURN_HRESULT(hr);
    snprintf(text, sizeof(text), ", flags 0x%x", flags);
    trace_read(hr, &err, "CimReadFile2", image_path, file_path, offset, buffer, size, bytes_read,
               bytes_remaining, text);
    RETURN_HRESULT(hr);
}

/* Decision D42. */
static void fill_stat(const struct target *target, const struct cim_file_info *info, uint64_t size,
                      bool sparse, FILE_STAT_BASIC_INFORMATION *stat)
{
    stat->FileId.QuadPart = target->file_id;
    stat->CreationTime.QuadPart = info->creation_time;
    stat->LastAccessTime.QuadPart = info->last_access_time;
    stat->LastWriteTime.QuadPart = info->last_write_time;
    stat->ChangeTime.QuadPart = info->change_time;
    stat->EndOfFile.QuadPart = (LONGLONG)size;
    stat->AllocationSize.QuadPart = sparse ? 0 : (LONGLONG)((size + 4095) & ~(uint64_t)4095);
    stat->FileAttributes = info->attributes;
    stat->ReparseTag = info->reparse_tag;
    stat->NumberOfLinks = 1;
    stat->DeviceType = 7; /* FILE_DEVICE_DISK */
    memcpy(&stat->FileId128, &stat->FileId, sizeof(stat->FileId));
}

static enum cim_status stat_target(const struct target *target, FILE_STAT_BASIC_INFORMATION *stat,
                                   struct cim_error *err)
{
    struct cim_file_info info = {CIM_SIZED(info)};
    struct cim_data data = {CIM_SIZED(data)};
    enum cim_status status = cim_image_stat(target->image, target->file_id, &info, err);

    if (status) return status;
    data.size = info.size;
    data.sparse = info.is_sparse;
    if (target->stream.units)
        status = cim_image_get_file_data(target->image, &info, target->stream, &data, err);
    if (status) return status;
    fill_stat(target, &info, data.size, data.sparse, stat);
    return CIM_OK;
}

static enum cim_status stat_file(PCWSTR image_path, PCWSTR file_path,
                                 FILE_STAT_BASIC_INFORMATION *stat, UINT32 flags,
                                 struct cim_error *err)
{
    struct target target;
    enum cim_status status;

    if (!stat) return fail(err, CIM_E_POINTER, "no place for the information");
    memset(stat, 0, sizeof(*stat));
    status = check_flags(flags, err);
    if (status) return status;
    status = open_target(image_path, file_path, flags, &target, err);
    if (status) return status;
    status = stat_target(&target, stat, err);
    cim_image_close(target.image);
    return status;
}

ULONG_PTR WINAPI CimGetFileStatBasicInformation(PCWSTR image_path, PCWSTR file_path,
                                                FILE_STAT_BASIC_INFORMATION *stat)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(stat_file(image_path, file_path, stat, CIM_READ_NONE, &err), &err);
    TRACE(hr, &err, "CimGetFileStatBasicInformation(%s, %s, {size %lld, attributes 0x%lx})",
          T(image_path), T(file_path), stat ? (long long)stat->EndOfFile.QuadPart : -1,
          stat ? stat->FileAttributes : 0);
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimGetFileStatBasicInformation2(PCWSTR image_path, PCWSTR file_path,
                                                 FILE_STAT_BASIC_INFORMATION *stat, UINT32 flags)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(stat_file(image_path, file_path, stat, flags, &err), &err);
    TRACE(hr, &err,
          "CimGetFileStatBasicInformation2(%s, %s, {size %lld, attributes 0x%lx}, flags 0x%x)",
          T(image_path), T(file_path), stat ? (long long)stat->EndOfFile.QuadPart : -1,
          stat ? stat->FileAttributes : 0, flags);
    RETURN_HRESULT(hr);
}
