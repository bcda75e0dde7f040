/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.c - the exports that mount an image as a volume, and dismount it
 *
 * A volume \\?\Volume{GUID}\ is, under Wine, a link of that name in the prefix's directory of
 * devices. The helper (helper.c) opens the image, serves it as a Unix directory and makes the link;
 * here the arguments are checked, the images found (find.c), and the volume gets a drive letter
 * (letter.c) that makes it complete. All state is in the links and letters, so any process may
 * dismount what another one mounted.
 *
 * On Windows there is nothing of all this: ERROR_NOT_SUPPORTED.
 */
#include "dll.h"
#include "libcim_env.h"

#include <stdlib.h>
#include <string.h>

#define ALL_MOUNT_FLAGS 0xffu
#define CONTAINER_FLAGS (CIM_MOUNT_BLOCK_CIM | CIM_MOUNT_SINGLE_FILE)

/* A call: what it asks for, and its outcome besides its status, for the trace. */
struct call
{
    struct mount mount;
    UINT32 flags;
    const GUID *volume;
    bool verifies;
    UINT16 hash_size;
    const BYTE *hash;
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
static enum cim_status check_flags(const struct call *call, struct cim_error *err)
{
    const UINT32 flags = call->flags;

    if (flags & ~ALL_MOUNT_FLAGS)
        return fail(err, CIM_E_INVALID, "unknown flag 0x%x", flags & ~ALL_MOUNT_FLAGS);
    if ((flags & CONTAINER_FLAGS) == CONTAINER_FLAGS)
        return fail(err, CIM_E_INVALID, "BLOCK_CIM and SINGLE_FILE exclude each other");
    if (flags & CIM_MOUNT_ATTEST_HASH && !(flags & CONTAINER_FLAGS))
        return fail(err, CIM_E_INVALID, "an ordinary image has no hash to attest");
    if (!call->verifies) return CIM_OK;
    if (flags & CIM_MOUNT_ATTEST_HASH)
        return fail(err, CIM_E_INVALID, "a hash that is known needn't be attested");
    if (!(flags & CONTAINER_FLAGS))
        return fail(err, CIM_E_INVALID, "an ordinary image has no root hash");
    if (call->hash_size != CIM_ROOT_HASH)
        return fail(err, CIM_E_INVALID, "a root hash has %d bytes, not %u", CIM_ROOT_HASH,
                    call->hash_size);
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

/* What is NULL, or less than it must be. */
static enum cim_status check_images(const struct call *call, struct cim_error *err)
{
    const struct mount *mount = &call->mount;

    if (!mount->images) return fail(err, CIM_E_INVALID, "the images are NULL");
    if (mount->merges && mount->count < 2)
        return fail(err, CIM_E_INVALID, "a merged image, and none that it was made of");
    for (UINT32 i = 0; i < mount->count; i++)
    {
        if (!mount->images[i].ImageDir) return fail(err, CIM_E_INVALID, "the directory is NULL");
        if (!mount->images[i].ImageName)
            return fail(err, CIM_E_INVALID, "the image's name is NULL");
    }
    if (!call->volume) return fail(err, CIM_E_INVALID, "the volume's GUID is NULL");
    if (call->verifies && !call->hash) return fail(err, CIM_E_INVALID, "the root hash is NULL");
    return CIM_OK;
}

static enum cim_status check_arguments(const struct call *call, struct cim_error *err)
{
    const struct mount *mount = &call->mount;
    enum cim_status status = check_flags(call, err);

    if (!status) status = check_images(call, err);
    for (UINT32 i = 0; !status && i < mount->count; i++)
        status = place_check(mount->place, mount->images[i].ImageDir, err);
    for (UINT32 i = 0; !status && i < mount->count; i++)
        status = check_name(mount->images[i].ImageName, err);
    if (status) return status;
    if (!wine_present()) return fail(err, CIM_E_UNSUPPORTED, "only Wine can mount images so far");
    return CIM_OK;
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

/* The helper's arguments, to be freed but not what they point to; NULL: out of memory. */
static const char **helper_arguments(const struct mount *mount, char *const *paths,
                                     const char *guid, const char *backend, const char *root_hash)
{
    const char *const head[] = {"--wine-mount",      "--guid",  guid,
                                "--backend",         backend,   "--reparse",
                                wine_reparse_form(), "--image", paths[0]};
    const size_t count = sizeof(head) / sizeof(*head);
    const char **args = calloc(count + 2 * (size_t)mount->count + 1, sizeof(*args));
    const char **next = args;

    if (!args) return NULL;
    memcpy(args, head, sizeof(head));
    next += count;
    for (UINT32 i = 1; i < mount->count; i++)
    {
        *next++ = "--source";
        *next++ = paths[i];
    }
    if (mount->hash)
    {
        *next++ = "--root-hash";
        *next++ = root_hash;
    }
    return args;
}

/* The helper has mounted: is it seen here? Then it gets a letter. */
static enum cim_status finish_mount(struct call *call, const char *dosdevices, const char *guid,
                                    struct cim_error *err)
{
    enum cim_status status;
    struct cim_error ignored;

    if (is_usable(guid))
    {
        call->letter = letter_give(dosdevices, guid);
        return CIM_OK;
    }
    status = fail(err, CIM_E_IO, "the volume is mounted but can't be seen (%s)", call->answer);
    dismount_guid(dosdevices, guid, &ignored);
    return status;
}

static enum cim_status mount_paths(struct call *call, char *const *paths, struct cim_error *err)
{
    char backend[16], guid[CIM_GUID_TEXT], root_hash[2 * CIM_ROOT_HASH + 1] = "", *dosdevices;
    const char **args;
    enum cim_status status = get_backend(backend, err);

    if (status) return status;
    dosdevices = wine_dosdevices();
    if (!dosdevices) return fail(err, CIM_E_UNSUPPORTED, "the prefix's devices are not found");
    format_guid(call->volume, guid);
    for (unsigned i = 0; call->mount.hash && i < CIM_ROOT_HASH; i++)
        sprintf(root_hash + 2 * i, "%02x", call->mount.hash[i]);
    args = helper_arguments(&call->mount, paths, guid, backend, root_hash);
    if (args)
        status = helper_run(dosdevices, args, call->answer, err);
    else
        status = fail(err, CIM_E_NO_MEMORY, "out of memory");
    if (!status) status = finish_mount(call, dosdevices, guid, err);
    free(args);
    free(dosdevices);
    return status;
}

static enum cim_status mount_images(struct call *call, struct cim_error *err)
{
    struct mount *mount = &call->mount;
    enum cim_status status;
    char **paths;

    mount->place = place_of(call->flags);
    mount->attests = call->flags & CIM_MOUNT_ATTEST_HASH;
    status = check_arguments(call, err);
    if (status) return status;
    if (call->verifies) mount->hash = call->hash;
    paths = calloc(mount->count, sizeof(*paths));
    if (!paths) return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = find_images(mount, paths, err);
    if (!status) status = mount_paths(call, paths, err);
    for (UINT32 i = 0; i < mount->count; i++) free(paths[i]);
    free(paths);
    return status;
}

/* A status is that of a file for all other calls; here it is a volume that exists. */
static HRESULT mount_result(struct call *call, struct cim_error *err)
{
    enum cim_status status;

    error_init(err);
    status = mount_images(call, err);
    if (status == CIM_E_EXISTS) return HRESULT_FROM_WIN32(ERROR_ALREADY_EXISTS);
    return hresult_from_status(status, err);
}

/* In a trace's line: the first of several images, and what became of the call. */
#define FIRST_OF(count, images)                                                                    \
    T((count) && (images) ? (images)->ImageDir : NULL),                                            \
            T((count) && (images) ? (images)->ImageName : NULL)
#define OUTCOME "%s, letter %c"
#define OUTCOME_OF(hr, call)                                                                       \
    (hr) ? "not mounted" : (call).answer, (call).letter ? (char)(call).letter : '-'

ULONG_PTR WINAPI CimMountImage(PCWSTR dir, PCWSTR name, CIM_MOUNT_IMAGE_FLAGS flags,
                               const GUID *volume)
{
    const CimFsImagePath image = {dir, name};
    struct call call = {
            .mount = {.count = 1, .images = &image}, .flags = (UINT32)flags, .volume = volume};
    struct cim_error err;
    HRESULT hr = mount_result(&call, &err);

    TRACE(hr, &err, "CimMountImage(%s, %s, flags 0x%x, %s): " OUTCOME, T(dir), T(name),
          (unsigned)flags, TGUID(volume), OUTCOME_OF(hr, call));
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimMountVerifiedImage(PCWSTR dir, PCWSTR name, UINT32 flags, const GUID *volume,
                                       UINT16 hash_size, const BYTE *hash)
{
    const CimFsImagePath image = {dir, name};
    struct call call = {.mount = {.count = 1, .images = &image},
                        .flags = flags,
                        .volume = volume,
                        .verifies = true,
                        .hash_size = hash_size,
                        .hash = hash};
    struct cim_error err;
    HRESULT hr = mount_result(&call, &err);

    TRACE(hr, &err, "CimMountVerifiedImage(%s, %s, flags 0x%x, %s, hash %p of %u bytes): " OUTCOME,
          T(dir), T(name), flags, TGUID(volume), (const void *)hash, hash_size,
          OUTCOME_OF(hr, call));
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimMergeMountImage(UINT32 count, const CimFsImagePath *images,
                                    CIM_MOUNT_IMAGE_FLAGS flags, const GUID *volume)
{
    struct call call = {.mount = {.count = count, .images = images, .merges = true},
                        .flags = (UINT32)flags,
                        .volume = volume};
    struct cim_error err;
    HRESULT hr = mount_result(&call, &err);

    TRACE(hr, &err, "CimMergeMountImage(%u images, %s %s, flags 0x%x, %s): " OUTCOME, count,
          FIRST_OF(count, images), (unsigned)flags, TGUID(volume), OUTCOME_OF(hr, call));
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimMergeMountVerifiedImage(UINT32 count, const CimFsImagePath *images,
                                            UINT32 flags, const GUID *volume, UINT16 hash_size,
                                            const BYTE *hash)
{
    struct call call = {.mount = {.count = count, .images = images, .merges = true},
                        .flags = flags,
                        .volume = volume,
                        .verifies = true,
                        .hash_size = hash_size,
                        .hash = hash};
    struct cim_error err;
    HRESULT hr = mount_result(&call, &err);

    TRACE(hr, &err,
          "CimMergeMountVerifiedImage(%u images, %s %s, flags 0x%x, %s, hash %p of %u "
          "bytes): " OUTCOME,
          count, FIRST_OF(count, images), flags, TGUID(volume), (const void *)hash, hash_size,
          OUTCOME_OF(hr, call));
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
