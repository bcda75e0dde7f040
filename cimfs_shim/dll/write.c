/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write.c - the exports that make an image: sessions and their streams
 *
 * Each export is a pair: a static function that does the work and answers libcim's status with the
 * detail of a failure, and the exported one around it that maps the status and traces. Order of
 * checks: what receives a result, then the handle, then the other arguments, then libcim's own.
 */
#include "dll.h"

#include <stdlib.h>

#define ALL_CREATE_FLAGS 0x7fu
#define CONTAINER_FLAGS (CIM_CREATE_IMAGE_BLOCK_CIM | CIM_CREATE_IMAGE_SINGLE_FILE)

static enum cim_status bad_handle(struct cim_error *err, const char *what)
{
    return fail(err, CIM_E_INVALID, "the handle is not that of an open %s", what);
}

struct object *image_get(CIMFS_IMAGE_HANDLE handle, struct cim_error *err)
{
    struct object *image = handle_get((ULONG_PTR)handle, OBJECT_IMAGE);

    if (!image) bad_handle(err, "image");
    return image;
}

enum cim_status check_path(PCWSTR path, struct cim_error *err)
{
    return path ? CIM_OK : fail(err, CIM_E_INVALID, "the path is NULL");
}

/* ---- images ---- */

static enum place place_of(UINT32 flags)
{
    if (!(flags & CONTAINER_FLAGS)) return IN_DIRECTORY;
    return flags & CIM_CREATE_IMAGE_SINGLE_FILE ? IN_FILE : IN_DEVICE;
}

static enum cim_status check_create(PCWSTR dir, UINT32 flags, PCWSTR existing, PCWSTR name,
                                    struct cim_error *err)
{
    if (flags & ~ALL_CREATE_FLAGS)
        return fail(err, CIM_E_INVALID, "unknown flag 0x%x", flags & ~ALL_CREATE_FLAGS);
    if ((flags & CONTAINER_FLAGS) == CONTAINER_FLAGS)
        return fail(err, CIM_E_INVALID, "BLOCK_CIM and SINGLE_FILE exclude each other");
    if (flags & CIM_CREATE_VERIFIED && !(flags & CONTAINER_FLAGS))
        return fail(err, CIM_E_INVALID, "VERIFIED needs BLOCK_CIM or SINGLE_FILE");
    if (!dir) return fail(err, CIM_E_INVALID, "the directory is NULL");
    if (!existing && !name)
        return fail(err, CIM_E_INVALID, "neither an existing nor a new image is named");
    return place_check(place_of(flags), dir, err);
}

/* Decision D51. */
static bool force_device(void)
{
    WCHAR *value = get_environment(L"CIMFS_FORCE_DEVICE");
    const bool force = value && !wcscmp(value, L"1");

    free(value);
    return force;
}

static unsigned write_flags(UINT32 flags)
{
    unsigned result = 0;

    if (flags & CIM_CREATE_CONSISTENT_CIMS) result |= CIM_WRITE_CONSISTENT;
    if (flags & CONTAINER_FLAGS) result |= CIM_WRITE_CONTAINER;
    if (flags & CIM_CREATE_VERIFIED) result |= CIM_WRITE_SEALABLE;
    if (flags & CIM_CREATE_IMAGE_BLOCK_CIM && force_device()) result |= CIM_WRITE_FORCE;
    return result;
}

static enum cim_status open_writer(PCWSTR dir, UINT32 flags, PCWSTR existing, PCWSTR name,
                                   struct cim_writer **writer, struct cim_error *err)
{
    char *dir8 = wtf8_from_wide(dir);
    char *existing8 = existing ? wtf8_from_wide(existing) : NULL;
    char *name8 = name ? wtf8_from_wide(name) : NULL;
    struct cim_env env;
    struct cim_vfs vfs;
    enum cim_status status;

    if (!dir8 || (existing && !existing8) || (name && !name8))
        status = fail(err, CIM_E_NO_MEMORY, "out of memory");
    else
        status = cim_writer_open(place_env(place_of(flags), &env, &vfs), dir8, existing8, name8,
                                 write_flags(flags), writer, err);
    free(name8);
    free(existing8);
    free(dir8);
    return status;
}

static enum cim_status create_image(PCWSTR dir, UINT32 flags, PCWSTR existing, PCWSTR name,
                                    CIMFS_IMAGE_HANDLE *result, struct cim_error *err)
{
    struct object *image;
    ULONG_PTR handle;
    enum cim_status status;

    if (!result) return fail(err, CIM_E_POINTER, "no place for the handle");
    *result = NULL;
    status = check_create(dir, flags, existing, name, err);
    if (status) return status;
    if (!handle_reserve(OBJECT_IMAGE, &image, &handle))
        return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = open_writer(dir, flags, existing, name, &image->writer, err);
    if (status)
    {
        handle_cancel(handle);
        return status;
    }
    note_unlocked(cim_writer_unlocked(image->writer), dir);
    image->place = place_of(flags);
    handle_publish(handle);
    *result = (CIMFS_IMAGE_HANDLE)handle;
    return CIM_OK;
}

ULONG_PTR WINAPI CimCreateImage(PCWSTR dir, PCWSTR existing, PCWSTR name,
                                CIMFS_IMAGE_HANDLE *result)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(create_image(dir, 0, existing, name, result, &err), &err);
    TRACE(hr, &err, "CimCreateImage(%s, %s, %s, image %p)", T(dir), T(existing), T(name),
          result ? (void *)*result : NULL);
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimCreateImage2(PCWSTR dir, CIM_CREATE_IMAGE_FLAGS flags, PCWSTR existing,
                                 PCWSTR name, CIMFS_IMAGE_HANDLE *result)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(create_image(dir, (UINT32)flags, existing, name, result, &err), &err);
    TRACE(hr, &err, "CimCreateImage2(%s, flags 0x%x, %s, %s, image %p)", T(dir), (unsigned)flags,
          T(existing), T(name), result ? (void *)*result : NULL);
    RETURN_HRESULT(hr);
}

static enum cim_status commit_image(CIMFS_IMAGE_HANDLE handle, struct cim_error *err)
{
    struct object *image = image_get(handle, err);
    enum cim_status status;

    if (!image) return CIM_E_INVALID;
    status = cim_writer_commit(image->writer, err);
    object_unref(image);
    return status;
}

ULONG_PTR WINAPI CimCommitImage(CIMFS_IMAGE_HANDLE handle)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(commit_image(handle, &err), &err);
    TRACE(hr, &err, "CimCommitImage(image %p)", (void *)handle);
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimCloseImage(CIMFS_IMAGE_HANDLE handle)
{
    bool closed = handle_close((ULONG_PTR)handle, OBJECT_IMAGE);

    TRACE(S_OK, NULL, "CimCloseImage(image %p)%s", (void *)handle,
          closed ? "" : ": not an open image, nothing done");
    return 0;
}

/* ---- items ---- */

static struct cim_metadata convert_metadata(const CIMFS_FILE_METADATA *from)
{
    return (struct cim_metadata){
            .struct_size = sizeof(struct cim_metadata),
            .attributes = from->Attributes,
            .size = from->FileSize,
            .creation_time = from->CreationTime.QuadPart,
            .last_write_time = from->LastWriteTime.QuadPart,
            .change_time = from->ChangeTime.QuadPart,
            .last_access_time = from->LastAccessTime.QuadPart,
            .security = from->SecurityDescriptorBuffer,
            .security_size = from->SecurityDescriptorSize,
            .ea = from->EaBuffer,
            .ea_size = from->EaBufferSize,
            .reparse = from->ReparseDataBuffer,
            .reparse_size = from->ReparseDataSize,
    };
}

/* The common end of the two functions that open a stream: make its handle valid, or undo. */
static enum cim_status finish_stream(enum cim_status status, struct object *image,
                                     struct object *stream, ULONG_PTR handle,
                                     CIMFS_STREAM_HANDLE *result)
{
    if (status)
    {
        handle_cancel(handle);
        return status;
    }
    object_ref(image);
    stream->image = image;
    handle_publish(handle);
    *result = (CIMFS_STREAM_HANDLE)handle;
    return CIM_OK;
}

static enum cim_status create_file_in(struct object *image, PCWSTR path,
                                      const CIMFS_FILE_METADATA *metadata,
                                      CIMFS_STREAM_HANDLE *result, struct cim_error *err)
{
    struct cim_metadata converted;
    struct object *stream;
    ULONG_PTR handle;
    enum cim_status status = check_path(path, err);

    if (status) return status;
    if (!metadata) return fail(err, CIM_E_INVALID, "the metadata is NULL");
    converted = convert_metadata(metadata);
    if (!handle_reserve(OBJECT_STREAM, &stream, &handle))
        return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = cim_writer_add(image->writer, cim_str16(path), &converted, &stream->stream, err);
    return finish_stream(status, image, stream, handle, result);
}

static enum cim_status create_file(CIMFS_IMAGE_HANDLE handle, PCWSTR path,
                                   const CIMFS_FILE_METADATA *metadata, CIMFS_STREAM_HANDLE *result,
                                   struct cim_error *err)
{
    struct object *image;
    enum cim_status status;

    if (!result) return fail(err, CIM_E_POINTER, "no place for the handle");
    *result = NULL;
    image = image_get(handle, err);
    if (!image) return CIM_E_INVALID;
    status = create_file_in(image, path, metadata, result, err);
    object_unref(image);
    return status;
}

static void trace_create_file(HRESULT hr, const struct cim_error *err, CIMFS_IMAGE_HANDLE handle,
                              PCWSTR path, const CIMFS_FILE_METADATA *m,
                              CIMFS_STREAM_HANDLE *result)
{
    void *stream = result ? (void *)*result : NULL;

    if (m)
        trace_call(hr, err,
                   "CimCreateFile(image %p, %s, {attributes 0x%x, size %lld, times %lld %lld %lld "
                   "%lld, security %u bytes, reparse %u bytes, EA %u bytes}, stream %p)",
                   (void *)handle, T(path), m->Attributes, (long long)m->FileSize,
                   (long long)m->CreationTime.QuadPart, (long long)m->LastWriteTime.QuadPart,
                   (long long)m->ChangeTime.QuadPart, (long long)m->LastAccessTime.QuadPart,
                   m->SecurityDescriptorSize, m->ReparseDataSize, m->EaBufferSize, stream);
    else
        trace_call(hr, err, "CimCreateFile(image %p, %s, metadata (null), stream %p)",
                   (void *)handle, T(path), stream);
}

ULONG_PTR WINAPI CimCreateFile(CIMFS_IMAGE_HANDLE handle, PCWSTR path,
                               const CIMFS_FILE_METADATA *metadata, CIMFS_STREAM_HANDLE *result)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(create_file(handle, path, metadata, result, &err), &err);
    if (trace_wanted(hr)) trace_create_file(hr, &err, handle, path, metadata, result);
    RETURN_HRESULT(hr);
}

static enum cim_status create_alternate_stream_in(struct object *image, PCWSTR path, UINT64 size,
                                                  CIMFS_STREAM_HANDLE *result,
                                                  struct cim_error *err)
{
    struct object *stream;
    ULONG_PTR handle;
    enum cim_status status = check_path(path, err);

    if (status) return status;
    if (!handle_reserve(OBJECT_STREAM, &stream, &handle))
        return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = cim_writer_add_stream(image->writer, cim_str16(path), size, &stream->stream, err);
    return finish_stream(status, image, stream, handle, result);
}

static enum cim_status create_alternate_stream(CIMFS_IMAGE_HANDLE handle, PCWSTR path, UINT64 size,
                                               CIMFS_STREAM_HANDLE *result, struct cim_error *err)
{
    struct object *image;
    enum cim_status status;

    if (!result) return fail(err, CIM_E_POINTER, "no place for the handle");
    *result = NULL;
    image = image_get(handle, err);
    if (!image) return CIM_E_INVALID;
    status = create_alternate_stream_in(image, path, size, result, err);
    object_unref(image);
    return status;
}

ULONG_PTR WINAPI CimCreateAlternateStream(CIMFS_IMAGE_HANDLE handle, PCWSTR path, UINT64 size,
                                          CIMFS_STREAM_HANDLE *result)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(create_alternate_stream(handle, path, size, result, &err), &err);
    TRACE(hr, &err, "CimCreateAlternateStream(image %p, %s, size %llu, stream %p)", (void *)handle,
          T(path), (unsigned long long)size, result ? (void *)*result : NULL);
    RETURN_HRESULT(hr);
}

enum cim_status call_with_path(CIMFS_IMAGE_HANDLE handle, PCWSTR path, path_call *call,
                               struct cim_error *err)
{
    struct object *image = image_get(handle, err);
    enum cim_status status;

    if (!image) return CIM_E_INVALID;
    status = check_path(path, err);
    if (!status) status = call(image->writer, cim_str16(path), err);
    object_unref(image);
    return status;
}

enum cim_status call_with_paths(CIMFS_IMAGE_HANDLE handle, PCWSTR path, PCWSTR existing,
                                paths_call *call, struct cim_error *err)
{
    struct object *image = image_get(handle, err);
    enum cim_status status;

    if (!image) return CIM_E_INVALID;
    status = check_path(path, err);
    if (!status) status = check_path(existing, err);
    if (!status) status = call(image->writer, cim_str16(path), cim_str16(existing), err);
    object_unref(image);
    return status;
}

ULONG_PTR WINAPI CimCreateHardLink(CIMFS_IMAGE_HANDLE handle, PCWSTR path, PCWSTR existing)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(call_with_paths(handle, path, existing, cim_writer_link, &err), &err);
    TRACE(hr, &err, "CimCreateHardLink(image %p, %s, existing %s)", (void *)handle, T(path),
          T(existing));
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimDeletePath(CIMFS_IMAGE_HANDLE handle, PCWSTR path)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(call_with_path(handle, path, cim_writer_delete, &err), &err);
    TRACE(hr, &err, "CimDeletePath(image %p, %s)", (void *)handle, T(path));
    RETURN_HRESULT(hr);
}

/* D22: the root is no answer to "does it exist". */
static bool is_root(PCWSTR path)
{
    return !path[path[0] == L'\\'];
}

static enum cim_status lookup_file(CIMFS_IMAGE_HANDLE handle, PCWSTR path, PBOOLEAN exists,
                                   struct cim_error *err)
{
    struct object *image;
    enum cim_status status;
    bool found = false;

    if (!exists) return fail(err, CIM_E_POINTER, "no place for the result");
    *exists = FALSE;
    image = image_get(handle, err);
    if (!image) return CIM_E_INVALID;
    status = check_path(path, err);
    if (!status && is_root(path)) status = fail(err, CIM_E_INVALID, "the path is the root's");
    if (!status) status = cim_writer_lookup(image->writer, cim_str16(path), &found, err);
    if (!status) *exists = found ? TRUE : FALSE;
    object_unref(image);
    return status;
}

ULONG_PTR WINAPI CimLookupFile(CIMFS_IMAGE_HANDLE handle, PCWSTR path, PBOOLEAN exists)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(lookup_file(handle, path, exists, &err), &err);
    TRACE(hr, &err, "CimLookupFile(image %p, %s, exists %d)", (void *)handle, T(path),
          exists ? *exists : -1);
    RETURN_HRESULT(hr);
}

/* ---- streams ---- */

static enum cim_status write_stream(CIMFS_STREAM_HANDLE handle, const void *buffer, UINT32 size,
                                    size_t *written, struct cim_error *err)
{
    struct object *stream = handle_get((ULONG_PTR)handle, OBJECT_STREAM);
    enum cim_status status;

    if (!stream) return bad_handle(err, "stream");
    status = cim_stream_write(stream->stream, buffer, size, written, err);
    object_unref(stream);
    return status;
}

ULONG_PTR WINAPI CimWriteStream(CIMFS_STREAM_HANDLE handle, const void *buffer, UINT32 size)
{
    struct cim_error err;
    size_t written = 0;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(write_stream(handle, buffer, size, &written, &err), &err);
    TRACE(hr, &err, "CimWriteStream(stream %p, buffer %p, size %u): %llu written", (void *)handle,
          buffer, size, (unsigned long long)written);
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimCloseStream(CIMFS_STREAM_HANDLE handle)
{
    bool closed = handle_close((ULONG_PTR)handle, OBJECT_STREAM);

    TRACE(S_OK, NULL, "CimCloseStream(stream %p)%s", (void *)handle,
          closed ? "" : ": not an open stream, nothing done");
    return 0;
}
