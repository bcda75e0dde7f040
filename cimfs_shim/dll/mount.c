/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.c - the exports that mount an image as a volume, and dismount it
 *
 * A volume \\?\Volume{GUID}\ is, under Wine, a link of that name in the prefix's directory of
 * devices. The helper (helper.c) opens the image, serves it as a Unix directory and makes the link;
 * here the arguments are checked, and the volume gets a drive letter (letter.c) that makes it
 * complete. All state is in the links and letters, so any process may dismount what another one
 * mounted.
 *
 * On Windows there is nothing of all this: ERROR_NOT_SUPPORTED.
 */
#include "dll.h"
#include "libcim_env.h"

#include <stdlib.h>
#include <string.h>

#define ALL_MOUNT_FLAGS 0xffu
#define CONTAINER_FLAGS (CIM_MOUNT_BLOCK_CIM | CIM_MOUNT_SINGLE_FILE)

/* A call's outcome besides its status, for the trace. */
struct mounted
{
    char answer[HELPER_ANSWER];
    WCHAR letter; /* 0: none */
};

static void format_guid(const GUID *guid, char text[CIM_GUID_TEXT])
{
    struct cim_guid bytes;

    memcpy(bytes.bytes, guid, sizeof(bytes.bytes));
    cim_guid_format(&bytes, text);
}

/* ---- arguments ---- */

/* Decision D40. */
static enum cim_status check_flags(UINT32 flags, struct cim_error *err)
{
    if (flags & ~ALL_MOUNT_FLAGS)
        return fail(err, CIM_E_INVALID, "unknown flag 0x%x", flags & ~ALL_MOUNT_FLAGS);
    if ((flags & CONTAINER_FLAGS) == CONTAINER_FLAGS)
        return fail(err, CIM_E_INVALID, "BLOCK_CIM and SINGLE_FILE exclude each other");
    if (flags & CIM_MOUNT_ATTEST_HASH && !(flags & CONTAINER_FLAGS))
        return fail(err, CIM_E_INVALID, "an ordinary image has no hash to attest");
    return CIM_OK;
}

/* Decision D23. */
static enum cim_status check_name(PCWSTR name, struct cim_error *err)
{
    enum cim_status status;
    char *name8;

    if (!*name) return fail(err, CIM_E_FILE_NOT_FOUND, "the image has no name");
    name8 = wtf8_from_wide(name);
    if (!name8) return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = cim_check_image_name(name8, err);
    free(name8);
    return status;
}

static enum place place_of(UINT32 flags)
{
    if (!(flags & CONTAINER_FLAGS)) return IN_DIRECTORY;
    return flags & CIM_MOUNT_SINGLE_FILE ? IN_FILE : IN_DEVICE;
}

static enum cim_status check_arguments(PCWSTR dir, PCWSTR name, UINT32 flags, const GUID *volume,
                                       struct cim_error *err)
{
    enum cim_status status = check_flags(flags, err);

    if (status) return status;
    if (!dir) return fail(err, CIM_E_INVALID, "the directory is NULL");
    if (!name) return fail(err, CIM_E_INVALID, "the image's name is NULL");
    if (!volume) return fail(err, CIM_E_INVALID, "the volume's GUID is NULL");
    status = place_check(place_of(flags), dir, err);
    if (!status) status = check_name(name, err);
    if (status) return status;
    if (!wine_present()) return fail(err, CIM_E_UNSUPPORTED, "only Wine can mount images so far");
    return CIM_OK;
}

/* ---- the image's path ---- */

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

/* DIR, a separator and NAME in UTF-8; NULL: out of memory. */
static char *join(const char *dir, char separator, PCWSTR name)
{
    char *name8 = wtf8_from_wide(name), *path = NULL;
    size_t room = name8 ? strlen(dir) + strlen(name8) + 2 : 0;

    if (name8) path = malloc(room);
    if (path) snprintf(path, room, "%s%c%s", dir, separator, name8);
    free(name8);
    return path;
}

/* The same of an image in a container. No program of Windows' keeps others from reading one. */
static enum cim_status try_image(enum place place, PCWSTR dir, PCWSTR name, struct cim_error *err)
{
    char *dir8 = wtf8_from_wide(dir), *path = dir8 ? join(dir8, '\\', name) : NULL;
    struct cim_image *image = NULL;
    struct cim_env env;
    struct cim_vfs vfs;
    enum cim_status status = path ? cim_image_open(place_env(place, &env, &vfs), path, &image, err)
                                  : fail(err, CIM_E_NO_MEMORY, "out of memory");

    cim_image_close(image);
    free(path);
    free(dir8);
    return status;
}

/* The image on the Unix side, of which @path is the file, or the container's. */
static enum cim_status find_unix_path(PCWSTR path, PCWSTR name, char **unix_path,
                                      struct cim_error *err)
{
    char *found = wine_unix_path(path);

    if (!found) return fail(err, CIM_E_UNSUPPORTED, "the image has no path on the Unix side");
    *unix_path = name ? join(found, '/', name) : found;
    if (name) free(found);
    return *unix_path ? CIM_OK : fail(err, CIM_E_NO_MEMORY, "out of memory");
}

static enum cim_status find_image(enum place place, PCWSTR dir, PCWSTR name, char **unix_path,
                                  struct cim_error *err)
{
    const bool contained = place != IN_DIRECTORY;
    WCHAR *path;
    enum cim_status status;

    *unix_path = NULL;
    if (!*dir) return fail(err, CIM_E_PATH_NOT_FOUND, "the directory has no name");
    path = verbatim_path(dir, contained ? NULL : name);
    if (!path) return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = contained ? try_image(place, dir, name, err) : try_file(path, err);
    if (!status) status = find_unix_path(path, contained ? name : NULL, unix_path, err);
    free(path);
    return status;
}

/* ---- mounting ---- */

static enum cim_status get_backend(char backend[16], struct cim_error *err)
{
    static const char *const known[] = {"auto", "fuse", "extract"};
    WCHAR *value = get_environment(L"CIMFS_MOUNT_BACKEND");
    size_t i;

    strcpy(backend, known[0]);
    if (!value) return CIM_OK;
    _snprintf(backend, 16, "%ls", value);
    backend[15] = 0;
    free(value);
    for (i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (!strcmp(backend, known[i])) return CIM_OK;
    return fail(err, CIM_E_INVALID, "CIMFS_MOUNT_BACKEND is neither auto, fuse nor extract");
}

static bool is_usable(const char *guid)
{
    WCHAR path[64];
    DWORD attributes;

    _snwprintf(path, ARRAYSIZE(path), L"\\\\?\\Volume{%hs}\\", guid);
    attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY;
}

static enum cim_status dismount_guid(const char *dosdevices, const char *guid,
                                     struct cim_error *err)
{
    const char *const args[] = {"--wine-dismount", "--guid", guid, NULL};
    char answer[HELPER_ANSWER];
    enum cim_status status;

    /* The letter first: it must not point to what is gone. If the volume stays, it gets one again.
     */
    letter_take(dosdevices, guid);
    status = helper_run(dosdevices, args, answer, err);
    if (status && is_usable(guid)) letter_give(dosdevices, guid);
    return status;
}

static enum cim_status mount_path(const char *unix_path, const char *guid, struct mounted *mounted,
                                  struct cim_error *err)
{
    char backend[16], *dosdevices;
    const char *const args[] = {
            "--wine-mount",      "--guid",  guid,      "--backend", backend, "--reparse",
            wine_reparse_form(), "--image", unix_path, NULL};
    enum cim_status status = get_backend(backend, err);
    struct cim_error ignored;

    if (status) return status;
    dosdevices = wine_dosdevices();
    if (!dosdevices) return fail(err, CIM_E_UNSUPPORTED, "the prefix's devices are not found");
    status = helper_run(dosdevices, args, mounted->answer, err);
    if (status) goto free_dosdevices;
    if (!is_usable(guid))
    {
        status = fail(err, CIM_E_IO, "the volume is mounted but can't be seen (%s)",
                      mounted->answer);
        dismount_guid(dosdevices, guid, &ignored);
        goto free_dosdevices;
    }
    mounted->letter = letter_give(dosdevices, guid);
free_dosdevices:
    free(dosdevices);
    return status;
}

static enum cim_status mount_image(PCWSTR dir, PCWSTR name, UINT32 flags, const GUID *volume,
                                   struct mounted *mounted, struct cim_error *err)
{
    char guid[CIM_GUID_TEXT], *unix_path;
    enum cim_status status = check_arguments(dir, name, flags, volume, err);

    mounted->answer[0] = mounted->letter = 0;
    if (status) return status;
    status = find_image(place_of(flags), dir, name, &unix_path, err);
    if (status) return status;
    /* (No container is sealed so far.) */
    if (flags & CIM_MOUNT_ATTEST_HASH)
    {
        free(unix_path);
        return fail(err, CIM_E_CORRUPT, "the container is not sealed");
    }
    format_guid(volume, guid);
    status = mount_path(unix_path, guid, mounted, err);
    free(unix_path);
    return status;
}

/* A status is that of a file for all other calls; here it is a volume that exists. */
static HRESULT mount_result(enum cim_status status, const struct cim_error *err)
{
    if (status == CIM_E_EXISTS) return HRESULT_FROM_WIN32(ERROR_ALREADY_EXISTS);
    return hresult_from_status(status, err);
}

ULONG_PTR WINAPI CimMountImage(PCWSTR dir, PCWSTR name, CIM_MOUNT_IMAGE_FLAGS flags,
                               const GUID *volume)
{
    struct mounted mounted;
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = mount_result(mount_image(dir, name, (UINT32)flags, volume, &mounted, &err), &err);
    TRACE(hr, &err, "CimMountImage(%s, %s, flags 0x%x, %s): %s, letter %c", T(dir), T(name),
          (unsigned)flags, TGUID(volume), hr ? "not mounted" : mounted.answer,
          mounted.letter ? (char)mounted.letter : '-');
    RETURN_HRESULT(hr);
}

static enum cim_status dismount_image(const GUID *volume, struct cim_error *err)
{
    char guid[CIM_GUID_TEXT], *dosdevices;
    enum cim_status status;

    if (!volume) return fail(err, CIM_E_INVALID, "the volume's GUID is NULL");
    if (!wine_present()) return fail(err, CIM_E_UNSUPPORTED, "only Wine can mount images so far");
    dosdevices = wine_dosdevices();
    if (!dosdevices) return fail(err, CIM_E_UNSUPPORTED, "the prefix's devices are not found");
    format_guid(volume, guid);
    status = dismount_guid(dosdevices, guid, err);
    free(dosdevices);
    return status;
}

ULONG_PTR WINAPI CimDismountImage(const GUID *volume)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(dismount_image(volume, &err), &err);
    TRACE(hr, &err, "CimDismountImage(%s)", TGUID(volume));
    RETURN_HRESULT(hr);
}
