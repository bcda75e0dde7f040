/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find.c - where on the Unix side the images are that are to be mounted
 *
 * The helper (helper.c) opens them there. What only this side knows is found out before: how
 * Windows programs share an image's file, and whether what the call says of the images is so.
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

static WCHAR *full_path(PCWSTR path)
{
    DWORD room = GetFullPathNameW(path, 0, NULL, NULL);

    while (room)
    {
        WCHAR *full = malloc(room * sizeof(*full));
        DWORD units = full ? GetFullPathNameW(path, room, full, NULL) : 0;

        if (units && units < room) return full;
        free(full);
        room = full ? units : 0; /* another thread changed the current directory */
    }
    return NULL;
}

/* DIR\NAME, or DIR without a name, in the form \\?\..., in which names mean themselves and may be
 * long. NULL: the directory is no path, or out of memory. */
static WCHAR *verbatim_path(PCWSTR dir, PCWSTR name)
{
    bool verbatim = !wcsncmp(dir, L"\\\\?\\", 4);
    WCHAR *full = verbatim ? _wcsdup(dir) : full_path(dir), *path = NULL;
    PCWSTR head = L"\\\\?\\", tail = full;
    size_t tail_units, room;

    if (!full) return NULL;
    if (!wcsncmp(full, L"\\\\.\\", 4) || !wcsncmp(full, L"\\\\?\\", 4))
        tail += 4;
    else if (!wcsncmp(full, L"\\\\", 2))
    {
        head = L"\\\\?\\UNC\\";
        tail += 2;
    }
    tail_units = wcslen(tail);
    while (tail_units && wcschr(L"\\/", tail[tail_units - 1])) tail_units--;
    room = wcslen(head) + tail_units + (name ? wcslen(name) : 0) + 2;
    path = malloc(room * sizeof(*path));
    if (path)
        _snwprintf(path, room, L"%ls%.*ls%ls%ls", head, (int)tail_units, tail, name ? L"\\" : L"",
                   name ? name : L"");
    free(full);
    return path;
}

/* Can the file be opened? What the helper doesn't see is how Windows programs share it. */
static enum cim_status try_file(PCWSTR path, struct cim_error *err)
{
    HANDLE file =
            CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, 0, NULL);
    const long os_error = (long)GetLastError();
    const enum cim_status status = cim_status_from_os(os_error);
    const struct cim_vfs *vfs = cim_env_default()->vfs;
    char text[256];

    if (file != INVALID_HANDLE_VALUE)
    {
        CloseHandle(file);
        return CIM_OK;
    }
    fail(err, status, "the image can't be opened: %s",
         vfs->error_text(vfs->ctx, os_error, text, sizeof(text)) ? text : cim_status_text(status));
    err->os_error = os_error;
    return status;
}

/* ---- as libcim sees them ---- */

/* A container that is to be attested must be sealed. */
static enum cim_status check_sealed(const struct cim_env *env, PCWSTR dir, struct cim_error *err)
{
    struct cim_container_info info = {CIM_SIZED(info)};
    enum cim_status status = container_info(env, dir, &info, err);

    if (!status && !info.sealed) status = fail(err, CIM_E_CORRUPT, "the container is not sealed");
    return status;
}

static enum cim_status open_images(const struct mount *mount, char *const *paths,
                                   struct cim_error *err)
{
    const char *const *sources = (const char *const *)paths + 1;
    const size_t count = mount->count - 1;
    struct cim_image *image = NULL;
    struct cim_env env;
    struct cim_vfs vfs;
    enum cim_status status;

    place_env(mount->place, &env, &vfs);
    if (mount->hash)
        status = cim_image_open_verified(&env, paths[0], count ? sources : NULL, count, mount->hash,
                                         &image, err);
    else if (mount->merges)
        status = cim_image_open_merged(&env, paths[0], sources, count, &image, err);
    else
        status = cim_image_open(&env, paths[0], &image, err);
    cim_image_close(image);
    for (UINT32 i = 0; i < mount->count && !status && mount->attests; i++)
        status = check_sealed(&env, mount->images[i].ImageDir, err);
    return status;
}

/* The paths that libcim takes. */
static enum cim_status try_images(const struct mount *mount, char **paths, struct cim_error *err)
{
    enum cim_status status = CIM_OK;

    for (UINT32 i = 0; i < mount->count && !status; i++)
    {
        paths[i] = image_path(mount->images[i].ImageDir, mount->images[i].ImageName);
        if (!paths[i]) status = fail(err, CIM_E_NO_MEMORY, "out of memory");
    }
    if (!status) status = open_images(mount, paths, err);
    for (UINT32 i = 0; i < mount->count; i++)
    {
        free(paths[i]);
        paths[i] = NULL;
    }
    return status;
}

/* ---- as the helper does ---- */

/* @path: the image's file, or the container's, in which @name is. */
static enum cim_status find_unix_path(PCWSTR path, PCWSTR name, char **unix_path,
                                      struct cim_error *err)
{
    char *found = wine_unix_path(path), *name8;

    if (!found) return fail(err, CIM_E_UNSUPPORTED, "the image has no path on the Unix side");
    *unix_path = found;
    if (!name) return CIM_OK;
    name8 = wtf8_from_wide(name);
    *unix_path = name8 ? join_path(found, '/', name8) : NULL;
    free(name8);
    free(found);
    return *unix_path ? CIM_OK : fail(err, CIM_E_NO_MEMORY, "out of memory");
}

static enum cim_status find_image(enum place place, const CimFsImagePath *image, char **unix_path,
                                  struct cim_error *err)
{
    const bool contained = place != IN_DIRECTORY;
    WCHAR *path = verbatim_path(image->ImageDir, contained ? NULL : image->ImageName);
    enum cim_status status = CIM_OK;

    if (!path) return fail(err, CIM_E_NO_MEMORY, "out of memory");
    if (!contained) status = try_file(path, err);
    if (!status) status = find_unix_path(path, contained ? image->ImageName : NULL, unix_path, err);
    free(path);
    return status;
}

enum cim_status find_images(const struct mount *mount, char **unix_paths, struct cim_error *err)
{
    const bool contained = mount->place != IN_DIRECTORY;
    enum cim_status status = CIM_OK;

    for (UINT32 i = 0; i < mount->count; i++)
        if (!*mount->images[i].ImageDir)
            return fail(err, CIM_E_PATH_NOT_FOUND, "the directory has no name");
    /* An ordinary image is opened once, by the helper. */
    if (contained || mount->merges) status = try_images(mount, unix_paths, err);
    for (UINT32 i = 0; i < mount->count && !status; i++)
        status = find_image(mount->place, &mount->images[i], &unix_paths[i], err);
    return status;
}
