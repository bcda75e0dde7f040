/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.c - the exports that mount an image as a volume: not yet
 *
 * They will check their arguments (decision D40) and have a helper process serve the image.
 */
#include "dll.h"

ULONG_PTR WINAPI CimMountImage(PCWSTR dir, PCWSTR name, CIM_MOUNT_IMAGE_FLAGS flags,
                               const GUID *volume)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(fail(&err, CIM_E_UNSUPPORTED, "mounting is not implemented"), &err);
    TRACE(hr, &err, "CimMountImage(%s, %s, flags 0x%x, %s)", T(dir), T(name), (unsigned)flags,
          TGUID(volume));
    RETURN_HRESULT(hr);
}

ULONG_PTR WINAPI CimDismountImage(const GUID *volume)
{
    struct cim_error err;
    HRESULT hr;

    error_init(&err);
    hr = hresult_from_status(fail(&err, CIM_E_UNSUPPORTED, "mounting is not implemented"), &err);
    TRACE(hr, &err, "CimDismountImage(%s)", TGUID(volume));
    RETURN_HRESULT(hr);
}
