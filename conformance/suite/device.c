/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c - block devices that a case may write on
 *
 * The user may name disks (--disk) that may be overwritten; a case gets those of the size that it
 * needs. Without, a file in the prefix's directory of devices is one under Wine: nothing needs to
 * be attached, and nobody's disk is in danger. The number comes from the process, for two suites
 * may share a prefix.
 */
#include "internal.h"
#include "kit.h"

#define MOST 8
#define SECTOR 512

/* Those of the case. */
static struct
{
    const WCHAR *file; /* under Wine the file that it is; NULL: a disk that was named */
    const WCHAR *disk;
    size_t size;
} devices[MOST];
static unsigned count;

static HANDLE open_disk(const WCHAR *disk)
{
    return CreateFileW(disk, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                       OPEN_EXISTING, 0, NULL);
}

static bool read_at(HANDLE disk, size_t offset, void *data, DWORD size)
{
    OVERLAPPED where = {.Offset = (DWORD)offset};
    DWORD got = 0;

    return ReadFile(disk, data, size, &got, &where) && got == size;
}

/* Its last sector is where it should be: Wine doesn't tell a device's size. */
static bool has_size(HANDLE disk, size_t size)
{
    BYTE sector[SECTOR];

    return read_at(disk, size - SECTOR, sector, SECTOR) && !read_at(disk, size, sector, SECTOR);
}

static bool is_taken(const WCHAR *disk)
{
    for (unsigned i = 0; i < count; i++)
        if (!wcscmp(devices[i].disk, disk)) return true;
    return false;
}

/* The next one that the user named and that has this size. */
static const WCHAR *named_disk(size_t size)
{
    for (int i = 0; i < options.disk_count; i++)
    {
        const WCHAR *path = format_wide(L"\\\\.\\PhysicalDrive%ls", options.disks[i]);
        HANDLE disk;
        bool fits;

        if (is_taken(path)) continue;
        disk = open_disk(path);
        need(disk != INVALID_HANDLE_VALUE, "disk %ls can't be opened: error %lu", options.disks[i],
             GetLastError());
        fits = has_size(disk, size);
        CloseHandle(disk);
        if (fits) return path;
    }
    skip_case("no disk more of %u bytes was named", (unsigned)size);
}

/* Wine's name for its own directory, \??\..., in Win32's form; NULL: it doesn't say. */
static const WCHAR *device_file(unsigned number)
{
    WCHAR dir[MAX_PATH];
    DWORD units = GetEnvironmentVariableW(L"WINECONFIGDIR", dir, ARRAY_SIZE(dir));

    if (!units || units >= ARRAY_SIZE(dir) || wcsncmp(dir, L"\\??\\", 4)) return NULL;
    dir[1] = '\\';
    return format_wide(L"%ls\\dosdevices\\physicaldrive%u", dir, number);
}

/* A file that is a disk of no size yet. */
static const WCHAR *made_disk(const WCHAR **file)
{
    const unsigned number = 1000 + (unsigned)(GetCurrentProcessId() % 100000) * MOST + count;

    if (!facts.wine) skip_case("no disk that may be overwritten was named");
    *file = device_file(number);
    if (!*file) skip_case("this Wine doesn't say where it keeps its devices");
    *file = _wcsdup(*file);
    return format_wide(L"\\\\.\\PhysicalDrive%u", number);
}

const WCHAR *new_device(size_t size)
{
    const WCHAR *file = NULL, *disk;
    void *zeros = calloc(1, size);

    need(count < MOST && zeros, "no device more");
    disk = _wcsdup(options.disk_count ? named_disk(size) : made_disk(&file));
    devices[count].file = file;
    devices[count].disk = disk;
    devices[count].size = size;
    save_device(count++, zeros, size);
    free(zeros);
    return disk;
}

void *load_device(unsigned index, size_t *size)
{
    BYTE *data;
    HANDLE disk;

    if (devices[index].file) return load_file(devices[index].file, size);
    *size = devices[index].size;
    data = malloc(*size);
    disk = open_disk(devices[index].disk);
    need(data && disk != INVALID_HANDLE_VALUE, "can't open a disk: error %lu", GetLastError());
    if (!has_size(disk, *size) || !read_at(disk, 0, data, (DWORD)*size))
    {
        free(data);
        data = NULL;
    }
    CloseHandle(disk);
    return data;
}

void save_device(unsigned index, const void *data, size_t size)
{
    DWORD done = 0;
    HANDLE disk;

    if (devices[index].file)
    {
        save_file(devices[index].file, data, size);
        return;
    }
    disk = open_disk(devices[index].disk);
    need(disk != INVALID_HANDLE_VALUE, "can't open a disk: error %lu", GetLastError());
    WriteFile(disk, data, (DWORD)size, &done, NULL);
    CloseHandle(disk);
    need(done == size, "can't write a disk: error %lu", GetLastError());
}

void devices_end(void)
{
    while (count)
    {
        count--;
        if (devices[count].file) remove_file(devices[count].file);
    }
}
