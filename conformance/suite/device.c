/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c - block devices that a case may write on
 *
 * Under Wine a file in the prefix's directory of devices is one: nothing needs to be attached, and
 * nobody's disk is in danger. The number comes from the process, for two suites may share a prefix.
 */
#include "kit.h"

#define MOST 8

static WCHAR *files[MOST];

/* Wine's name for its own directory, \??\..., in Win32's form; NULL: it doesn't say. */
static const WCHAR *device_file(unsigned number)
{
    WCHAR dir[MAX_PATH];
    DWORD units = GetEnvironmentVariableW(L"WINECONFIGDIR", dir, ARRAY_SIZE(dir));

    if (!units || units >= ARRAY_SIZE(dir) || wcsncmp(dir, L"\\??\\", 4)) return NULL;
    dir[1] = '\\';
    return format_wide(L"%ls\\dosdevices\\physicaldrive%u", dir, number);
}

const WCHAR *new_device(size_t size)
{
    const unsigned number = 1000 + (unsigned)(GetCurrentProcessId() % 100000) * MOST;
    unsigned i = 0;
    const WCHAR *path;
    void *zeros = calloc(1, size);

    if (!facts.wine) skip_case("no block device that may be written on is known");
    while (i < MOST && files[i]) i++;
    need(i < MOST && zeros, "no device more");
    path = device_file(number + i);
    if (!path) skip_case("this Wine doesn't say where it keeps its devices");
    files[i] = _wcsdup(path);
    save_file(path, zeros, size);
    free(zeros);
    return _wcsdup(format_wide(L"\\\\.\\PhysicalDrive%u", number + i));
}

const WCHAR *device_bytes(unsigned index)
{
    return files[index];
}

void devices_end(void)
{
    for (unsigned i = 0; i < MOST; i++)
    {
        if (!files[i]) continue;
        remove_file(files[i]);
        free(files[i]);
        files[i] = NULL;
    }
}
