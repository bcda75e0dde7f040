/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_leaks.c - calls, whether they work or fail, leave neither memory nor handles behind
 *
 * Each story is told often; from some time on all heaps have as many blocks in use as before, and
 * the process as many handles.
 */
#include "dlltest.h"

enum
{
    WARM_UP = 4,
    TIMES = 20,
    SLACK = 10 /* what others in the process may take meanwhile */
};

static const WCHAR *dir;

static int blocks_in_use(void)
{
    HANDLE heaps[64];
    DWORD count = GetProcessHeaps(64, heaps), i;
    int blocks = 0;

    for (i = 0; i < count && i < 64; i++)
    {
        PROCESS_HEAP_ENTRY entry = {NULL};

        if (!HeapLock(heaps[i])) continue;
        while (HeapWalk(heaps[i], &entry)) blocks += (entry.wFlags & PROCESS_HEAP_ENTRY_BUSY) != 0;
        HeapUnlock(heaps[i]);
    }
    return blocks;
}

static int handles_in_use(void)
{
    DWORD count = 0;

    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (int)count;
}

/* ---- stories ----------------------------------------------------------------------------------
 */

static HRESULT add(CIMFS_IMAGE_HANDLE image, const WCHAR *path, INT64 size)
{
    CIMFS_FILE_METADATA metadata = {.FileSize = size};
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateFile(image, path, &metadata, &stream);

    if (!hr) CimWriteStream(stream, "text", 4);
    CimCloseStream(stream);
    return hr;
}

static HRESULT session_without_commit(void)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateImage(dir, NULL, L"new.cim", &image);
    BOOLEAN exists;

    if (!hr) hr = add(image, L"f", 4);
    if (!hr) hr = CimCreateAlternateStream(image, L"f:s", 3, &stream);
    CimCloseStream(stream);
    if (!hr) hr = CimCreateHardLink(image, L"g", L"f");
    if (!hr) hr = CimLookupFile(image, L"g", &exists);
    if (!hr) hr = CimDeletePath(image, L"f");
    CimCloseImage(image);
    return hr;
}

static HRESULT commit(const WCHAR *existing, const WCHAR *name, UINT32 flags)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = CimCreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)flags, existing, name, &image);

    if (!hr) hr = add(image, L"f", 4);
    if (!hr) hr = CimCommitImage(image);
    CimCloseImage(image);
    return hr;
}

static HRESULT session_that_extends(void)
{
    return commit(L"base.cim", NULL, 0);
}

static HRESULT session_that_forks(void)
{
    DeleteFileW(path_of(dir, L"fork.cim"));
    return commit(L"base.cim", L"fork.cim", 0);
}

static HRESULT session_of_the_same(void)
{
    DeleteFileW(path_of(dir, L"same.cim"));
    return commit(NULL, L"same.cim", CIM_CREATE_CONSISTENT_CIMS);
}

static HRESULT image_closed_before_its_stream(void)
{
    CIMFS_FILE_METADATA metadata = {.FileSize = 4};
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateImage(dir, NULL, L"new.cim", &image);

    if (!hr) hr = CimCreateFile(image, L"f", &metadata, &stream);
    CimCloseImage(image);
    CimCloseStream(stream);
    return hr;
}

/* The number of calls that succeeded, which all should not. */
static HRESULT sessions_refused(void)
{
    CIMFS_IMAGE_HANDLE image = NULL, other = NULL;
    int good = 0;

    good += !CimCreateImage(dir, NULL, L"a:b", &image);
    good += !CimCreateImage(dir, NULL, L"base.cim", &image);
    good += !CimCreateImage(dir, L"none.cim", L"new.cim", &image);
    good += !CimCreateImage(dir, L"broken.cim", NULL, &image);
    good += !CimCreateImage(path_of(dir, L"none"), NULL, L"new.cim", &image);
    good += !CimCreateImage(path_of(dir, L"base.cim"), NULL, L"new.cim", &image);
    good += !CimCreateImage2(dir, CIM_CREATE_IMAGE_BLOCK_CIM, NULL, L"new.cim", &image);
    if (!CimCreateImage(dir, NULL, L"new.cim", &image))
    {
        good += !CimCreateImage(dir, NULL, L"other.cim", &other);
        CimCloseImage(image);
    }
    return good;
}

static HRESULT calls_refused(void)
{
    CIMFS_FILE_METADATA metadata = {.FileSize = -1};
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;
    int good = CimCreateImage(dir, NULL, L"new.cim", &image) != S_OK;
    BOOLEAN exists;

    good += !CimCreateFile(image, L"f", &metadata, &stream);
    good += !CimCreateFile(image, NULL, &metadata, &stream);
    good += !add(image, L"no\\f", 4);
    good += !CimCreateAlternateStream(image, L"no:s", 3, &stream);
    good += !CimCreateAlternateStream(image, NULL, 3, &stream);
    good += !CimCreateHardLink(image, L"g", L"no");
    good += !CimDeletePath(image, L"no");
    good += !CimLookupFile(image, L"a*", &exists);
    metadata.FileSize = 4;
    good += CimCreateFile(image, L"f", &metadata, &stream) != S_OK;
    good += !add(image, L"g", 4);
    good += !CimWriteStream(stream, NULL, 4);
    good += !CimCommitImage(image);
    CimCloseStream(stream);
    CimCloseImage(image);
    good += !CimCommitImage(image);
    return good;
}

static HRESULT commit_refused(void)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = CimCreateImage(dir, NULL, L"late.cim", &image);

    if (hr) return hr;
    save_file(path_of(dir, L"late.cim"), "mine", 4);
    hr = CimCommitImage(image) == HR_EXISTS ? S_OK : E_FAIL;
    CimCloseImage(image);
    DeleteFileW(path_of(dir, L"late.cim"));
    return hr;
}

static HRESULT reading(void)
{
    const WCHAR *image = path_of(dir, L"base.cim");
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char buffer[8];
    HRESULT hr = CimReadFile(image, L"f.txt", 0, buffer, 8, &got, &left);

    if (!hr) hr = CimReadFile(image, L"f.txt:s", 0, buffer, 8, &got, &left);
    if (!hr) hr = CimGetFileStatBasicInformation(image, L"f.txt", &info);
    if (!hr) hr = CimGetFileStatBasicInformation(image, L"f.txt:s", &info);
    return hr;
}

static HRESULT reading_refused(void)
{
    static const WCHAR *const paths[] = {L"no", L"no\\f", L"a*", L"d", L"f.txt:no", NULL};
    const WCHAR *image = path_of(dir, L"base.cim"), *broken = path_of(dir, L"broken.cim");
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char buffer[8];
    int good = 0;
    size_t i;

    for (i = 0; i < ARRAYSIZE(paths); i++)
    {
        good += !CimReadFile(image, paths[i], 0, buffer, 8, &got, &left);
        good += !CimReadFile(broken, paths[i], 0, buffer, 8, &got, &left);
        if (i != 3) good += !CimGetFileStatBasicInformation(image, paths[i], &info);
    }
    good += !CimReadFile(image, L"f.txt", 1000, buffer, 8, &got, &left);
    good += !CimReadFile(path_of(dir, L"none.cim"), L"f", 0, buffer, 8, &got, &left);
    good += !CimReadFile(path_of(dir, L"no\\none.cim"), L"f", 0, buffer, 8, &got, &left);
    good += !CimReadFile(dir, L"f", 0, buffer, 8, &got, &left);
    return good;
}

static HRESULT mounts_refused(void)
{
    static const GUID guid = {0xC1F5ABCD, 0x7E57, 0x4000, {0x80}};
    int good = 0;

    good += !CimMountImage(dir, L"a:b", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(dir, L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(L"", L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(path_of(dir, L"no"), L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(NULL, L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimDismountImage(NULL);
    return good;
}

static const struct
{
    const char *name;
    HRESULT (*tell)(void);
} stories[] = {
        {"a session without a commit", session_without_commit},
        {"a session that extends an image", session_that_extends},
        {"a session that forks an image", session_that_forks},
        {"a session whose files are there", session_of_the_same},
        {"an image closed before its stream", image_closed_before_its_stream},
        {"sessions that are refused", sessions_refused},
        {"calls that are refused", calls_refused},
        {"a commit that is refused", commit_refused},
        {"reading", reading},
        {"reading that is refused", reading_refused},
        {"mounts that are refused", mounts_refused},
};

int wmain(void)
{
    size_t i;
    int j;

    dir = new_dir(L"leaks");
    make_base(dir, L"base.cim");
    save_file(path_of(dir, L"broken.cim"), "no image", 8);
    for (i = 0; i < ARRAYSIZE(stories); i++)
    {
        int blocks, handles, wrong = 0;

        for (j = 0; j < WARM_UP; j++) wrong += stories[i].tell() != S_OK;
        blocks = blocks_in_use();
        handles = handles_in_use();
        for (j = 0; j < TIMES; j++) wrong += stories[i].tell() != S_OK;
        blocks = blocks_in_use() - blocks;
        handles = handles_in_use() - handles;
        is_int(wrong, 0, "%s: told %d times as it should be", stories[i].name, WARM_UP + TIMES);
        ok(blocks < SLACK, "%s: no memory is left behind (%d blocks more)", stories[i].name,
           blocks);
        ok(handles < SLACK, "%s: no handle is left open (%d more)", stories[i].name, handles);
    }
    return tap_done();
}
