/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * containers.c - the exports about whole containers: their seals, and making one of an image
 *
 * A path that begins with \\.\ is a device's here too, but no flag says so.
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

/* Block 0 of a container (container.md 1), which holds what a seal needs. */
#define FIXED_HEADER 4096

static void clear64(UINT64 *value)
{
    if (value) *value = 0;
}

/* ---- seals ---- */

static enum cim_status seal(PCWSTR path, UINT64 *hash_size, UINT64 *header_size, BYTE *hash,
                            struct cim_error *err)
{
    uint8_t root[CIM_ROOT_HASH];
    enum cim_status status;
    bool unlocked;
    char *path8;

    clear64(hash_size);
    clear64(header_size);
    if (!hash_size || !header_size) return fail(err, CIM_E_POINTER, "no place for a size");
    if (!hash) return fail(err, CIM_E_POINTER, "no place for the hash");
    if (!path) return fail(err, CIM_E_INVALID, "the container's path is NULL");
    path8 = wtf8_from_wide(path);
    if (!path8) return fail(err, CIM_E_NO_MEMORY, "out of memory");
    status = cim_container_seal(NULL, path8, root, &unlocked, err);
    free(path8);
    note_unlocked(unlocked, path);
    if (status) return status;
    *hash_size = sizeof(root);
    *header_size = FIXED_HEADER;
    memcpy(hash, root, sizeof(root));
    return CIM_OK;
}

ULONG_PTR WINAPI CimSealImage(PCWSTR path, UINT64 *hash_size, UINT64 *header_size, BYTE *hash)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(seal(path, hash_size, header_size, hash, &err), &err);
    TRACE(hr, &err, "CimSealImage(%s, hash %p)", T(path), (void *)hash);
    RETURN_HRESULT(hr);
}

/* What CimGetVerificationInformation() answers. */
struct verification
{
    UINT32 *sealed;
    UINT64 *hash_size, *signature_size, *header_size;
    BYTE *hash;
};

static enum cim_status get_verification(PCWSTR path, const struct verification *to,
                                        struct cim_error *err)
{
    struct cim_container_info info = {CIM_SIZED(info)};
    enum cim_status status;

    if (to->sealed) *to->sealed = 0;
    clear64(to->hash_size);
    clear64(to->signature_size);
    clear64(to->header_size);
    if (!to->sealed || !to->hash_size || !to->signature_size || !to->header_size)
        return fail(err, CIM_E_POINTER, "no place for a number");
    if (!to->hash) return fail(err, CIM_E_POINTER, "no place for the hash");
    if (!path) return fail(err, CIM_E_INVALID, "the container's path is NULL");
    status = container_info(cim_env_default(), path, &info, err);
    if (status) return status;
    if (info.seal_elsewhere)
        return fail(err, CIM_E_CORRUPT, "the container's seal isn't on this device");
    *to->sealed = info.sealed;
    *to->hash_size = sizeof(info.root_hash);
    *to->header_size = FIXED_HEADER;
    if (info.sealed) memcpy(to->hash, info.root_hash, sizeof(info.root_hash));
    return CIM_OK;
}

ULONG_PTR WINAPI CimGetVerificationInformation(PCWSTR path, UINT32 *sealed, UINT64 *hash_size,
                                               UINT64 *signature_size, UINT64 *header_size,
                                               BYTE *hash, BYTE *signature)
{
    const struct verification to = {sealed, hash_size, signature_size, header_size, hash};
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(get_verification(path, &to, &err), &err);
    TRACE(hr, &err, "CimGetVerificationInformation(%s, hash %p, signature %p): sealed %d", T(path),
          (void *)hash, (void *)signature, sealed ? (int)*sealed : -1);
    RETURN_HRESULT(hr);
}

/* ---- making one ---- */

/* The image must be in a directory, and the container not there yet. */
static enum cim_status convert(PCWSTR dir, PCWSTR name, PCWSTR to, struct cim_error *err)
{
    char *from, *name8, *to8;
    struct cim_env env;
    struct cim_vfs vfs;
    enum cim_status status;
    bool unlocked = false;

    if (!dir || !name || !to) return fail(err, CIM_E_INVALID, "a path is NULL");
    from = image_path(dir, name);
    name8 = wtf8_from_wide(name);
    to8 = wtf8_from_wide(to);
    if (!from || !name8 || !to8)
        status = fail(err, CIM_E_NO_MEMORY, "out of memory");
    else
        status = cim_check_image_name(name8, err);
    if (!status)
        status =
                cim_image_copy(place_env(IN_DIRECTORY, &env, &vfs), from, to8, name8,
                               CIM_WRITE_CONTAINER | CIM_WRITE_NEW_CONTAINER, NULL, &unlocked, err);
    note_unlocked(unlocked, to);
    free(to8);
    free(name8);
    free(from);
    return status;
}

ULONG_PTR WINAPI CimConvertBlockImage(PCWSTR dir, PCWSTR existing, PCWSTR new_dir)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(convert(dir, existing, new_dir, &err), &err);
    TRACE(hr, &err, "CimConvertBlockImage(%s, %s, %s)", T(dir), T(existing), T(new_dir));
    RETURN_HRESULT(hr);
}
