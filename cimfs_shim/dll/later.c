/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * later.c - the export that exists so that programs find it, and says that it does nothing
 *
 * Nobody has told what its arguments mean. A client that loads functions one by one and checks what
 * they answer goes on without it, where a missing export would end it.
 */
#include "dll.h"

ULONG_PTR WINAPI CimCreateMergedFile(CIMFS_IMAGE_HANDLE image, PCWSTR path, PVOID fs, PVOID file,
                                     UINT16 index)
{
    static const struct cim_error not_implemented = {.cause = "not implemented"};
    const HRESULT hr = HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED);

    TRACE(hr, &not_implemented, "CimCreateMergedFile(image %p, %s, fs %p, file %p, index %u)",
          (void *)image, T(path), fs, file, index);
    RETURN_HRESULT(hr);
}
