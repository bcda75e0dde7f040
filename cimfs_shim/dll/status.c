/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c - the one map from libcim's statuses to the HRESULTs of the API
 *
 * Clients look at the Win32 code inside ("not found" is 2 or 3, "exists" 80 or 183, "denied" 5), so
 * all but the documented E_INVALIDARG, E_POINTER and E_OUTOFMEMORY are of the Win32 facility.
 */
#include "dll.h"

#include <stdarg.h>
#include <stdio.h>

#ifndef ERROR_FILE_SYSTEM_LIMITATION
#define ERROR_FILE_SYSTEM_LIMITATION 665
#endif

/* HRESULT_FROM_WIN32() as a constant expression. */
#define WIN32_HRESULT(code) ((HRESULT)(0x80070000u | (code)))

static const HRESULT hresults[CIM_STATUS_COUNT] = {
        [CIM_OK] = S_OK,
        [CIM_E_INVALID] = E_INVALIDARG,
        [CIM_E_POINTER] = E_POINTER,
        [CIM_E_NO_MEMORY] = E_OUTOFMEMORY,
        [CIM_E_ACCESS] = E_ACCESSDENIED,
        [CIM_E_FILE_NOT_FOUND] = WIN32_HRESULT(ERROR_FILE_NOT_FOUND),
        [CIM_E_PATH_NOT_FOUND] = WIN32_HRESULT(ERROR_PATH_NOT_FOUND),
        [CIM_E_EXISTS] = WIN32_HRESULT(ERROR_FILE_EXISTS),
        [CIM_E_SHARING] = WIN32_HRESULT(ERROR_SHARING_VIOLATION),
        [CIM_E_EOF] = WIN32_HRESULT(ERROR_HANDLE_EOF),
        [CIM_E_CORRUPT] = WIN32_HRESULT(ERROR_CIMFS_IMAGE_CORRUPT),
        [CIM_E_VERSION] = WIN32_HRESULT(ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED),
        [CIM_E_UNSUPPORTED] = WIN32_HRESULT(ERROR_NOT_SUPPORTED),
        [CIM_E_LIMIT] = WIN32_HRESULT(ERROR_FILE_SYSTEM_LIMITATION),
        [CIM_E_DISK_FULL] = WIN32_HRESULT(ERROR_DISK_FULL),
        [CIM_E_TOO_LARGE] = WIN32_HRESULT(ERROR_FILE_TOO_LARGE),
        [CIM_E_IO] = WIN32_HRESULT(ERROR_IO_DEVICE),
        [CIM_E_ABORTED] = WIN32_HRESULT(ERROR_CANCELLED),
};

HRESULT hresult_from_status(enum cim_status status, const struct cim_error *err)
{
    if (status == CIM_E_IO && err->os_error > 0 && err->os_error <= 0xffff)
        return HRESULT_FROM_WIN32((DWORD)err->os_error);
    if ((unsigned)status >= CIM_STATUS_COUNT) return E_UNEXPECTED;
    return hresults[status];
}

void error_init(struct cim_error *err)
{
    err->status = CIM_OK;
    err->os_error = 0;
    err->op[0] = err->image[0] = err->path[0] = err->cause[0] = 0;
}

enum cim_status fail(struct cim_error *err, enum cim_status status, const char *cause, ...)
{
    va_list args;

    err->status = status;
    va_start(args, cause);
    vsnprintf(err->cause, sizeof(err->cause), cause, args);
    va_end(args);
    end_at_character(err->cause);
    return status;
}
