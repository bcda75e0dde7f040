/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dlltest.h - what the Windows test programs of the DLLs share
 *
 * They call cimfs.dll as any program would, through cimfs.h and the import library, and use libcim
 * (linked in statically) only to look at what the API can't show: names, descriptors, EAs.
 */
#ifndef CIM_DLLTEST_H
#define CIM_DLLTEST_H

#include "cimfs.h"
#include "../tap.h"

#include <wchar.h>

#define HR_WIN32(code) ((HRESULT)(0x80070000u | (code)))
#define HR_FILE_NOT_FOUND HR_WIN32(ERROR_FILE_NOT_FOUND)
#define HR_PATH_NOT_FOUND HR_WIN32(ERROR_PATH_NOT_FOUND)
#define HR_SHARING HR_WIN32(ERROR_SHARING_VIOLATION)
#define HR_EXISTS HR_WIN32(ERROR_FILE_EXISTS)
#define HR_EOF HR_WIN32(ERROR_HANDLE_EOF)
#define HR_CORRUPT HR_WIN32(ERROR_CIMFS_IMAGE_CORRUPT)
#define HR_VERSION HR_WIN32(ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED)
#define HR_NOT_SUPPORTED HR_WIN32(ERROR_NOT_SUPPORTED)
#define HR_LIMIT HR_WIN32(665)

#define is_hr(got, want, ...) is_hex((ULONG)(got), (ULONG)(want), __VA_ARGS__)

#define PATH_ROOM 1024

#ifndef __maybe_unused
#define __maybe_unused __attribute__((unused))
#endif

/* The directory that this test may use: TEST_TMP of the test runner (a Unix path, under Wine),
 * else a new one in the system's place for such things. */
__maybe_unused static const WCHAR *test_root(void)
{
    static WCHAR root[PATH_ROOM];
    WCHAR value[PATH_ROOM - 4], *p;

    if (root[0]) return root;
    if (GetEnvironmentVariableW(L"TEST_TMP", value, PATH_ROOM - 4))
    {
        for (p = value; *p; p++)
            if (*p == '/') *p = '\\';
        _snwprintf(root, PATH_ROOM, value[0] == '\\' ? L"Z:%ls" : L"%ls", value);
    }
    else
    {
        GetTempPathW(PATH_ROOM - 40, value);
        _snwprintf(root, PATH_ROOM, L"%lscimtest-%lx", value, GetCurrentProcessId());
        CreateDirectoryW(root, NULL);
    }
    if (GetFileAttributesW(root) == INVALID_FILE_ATTRIBUTES)
        bail("no directory for tests: %ls (error %lu)", root, GetLastError());
    return root;
}

/* DIR\NAME in one of a few static buffers. */
__maybe_unused static const WCHAR *path_of(const WCHAR *dir, const WCHAR *name)
{
    static WCHAR buffers[8][PATH_ROOM];
    static unsigned next;
    WCHAR *buffer = buffers[next++ % 8];

    _snwprintf(buffer, PATH_ROOM, L"%ls\\%ls", dir, name);
    return buffer;
}

/* A new directory of the test's own; the string is never freed. */
__maybe_unused static const WCHAR *new_dir(const WCHAR *name)
{
    const WCHAR *dir = _wcsdup(path_of(test_root(), name));

    if (!CreateDirectoryW(dir, NULL)) bail("can't make %ls: error %lu", dir, GetLastError());
    return dir;
}

__maybe_unused static bool file_exists(const WCHAR *dir, const WCHAR *name)
{
    return GetFileAttributesW(path_of(dir, name)) != INVALID_FILE_ATTRIBUTES;
}

/* Files in a directory that match a pattern. */
__maybe_unused static int count_files(const WCHAR *dir, const WCHAR *pattern)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(path_of(dir, pattern), &data);
    int count = 0;

    if (find == INVALID_HANDLE_VALUE) return 0;
    do
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)) count++;
    while (FindNextFileW(find, &data));
    FindClose(find);
    return count;
}

/* A whole small host file; NULL if it can't be read. */
__maybe_unused static void *load_file(const WCHAR *path, DWORD *size)
{
    HANDLE file =
            CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, 0, NULL);
    char *data;

    if (file == INVALID_HANDLE_VALUE) return NULL;
    *size = GetFileSize(file, NULL);
    data = malloc(*size + 1);
    if (!ReadFile(file, data, *size, size, NULL))
    {
        free(data);
        data = NULL;
    }
    else
        data[*size] = 0;
    CloseHandle(file);
    return data;
}

__maybe_unused static void save_file(const WCHAR *path, const void *data, DWORD size)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);

    if (file == INVALID_HANDLE_VALUE || !WriteFile(file, data, size, &size, NULL))
        bail("can't write %ls: error %lu", path, GetLastError());
    CloseHandle(file);
}

/* Change bytes of a host file. */
__maybe_unused static void patch_file(const WCHAR *path, DWORD offset, const void *data, DWORD size)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);

    if (file == INVALID_HANDLE_VALUE ||
        SetFilePointer(file, offset, NULL, FILE_BEGIN) == INVALID_SET_FILE_POINTER ||
        !WriteFile(file, data, size, &size, NULL))
        bail("can't patch %ls: error %lu", path, GetLastError());
    CloseHandle(file);
}

__maybe_unused static CIMFS_IMAGE_HANDLE open_image(const WCHAR *dir, const WCHAR *existing,
                                                    const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = CimCreateImage(dir, existing, name, &image);

    if (hr) bail("CimCreateImage(%ls, %ls, %ls): 0x%lx", dir, existing, name, hr);
    return image;
}

/* CimCreateFile(), one write, CimCloseStream(); the first failure. */
__maybe_unused static HRESULT put(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT32 attributes,
                                  const void *data, UINT32 size)
{
    CIMFS_FILE_METADATA metadata = {.Attributes = attributes, .FileSize = size};
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateFile(image, path, &metadata, &stream);

    if (hr) return hr;
    if (size) hr = CimWriteStream(stream, data, size);
    CimCloseStream(stream);
    return hr;
}

__maybe_unused static HRESULT put_dir(CIMFS_IMAGE_HANDLE image, const WCHAR *path)
{
    return put(image, path, FILE_ATTRIBUTE_DIRECTORY, NULL, 0);
}

__maybe_unused static HRESULT put_text(CIMFS_IMAGE_HANDLE image, const WCHAR *path,
                                       const char *text)
{
    return put(image, path, 0, text, (UINT32)strlen(text));
}

__maybe_unused static HRESULT put_stream(CIMFS_IMAGE_HANDLE image, const WCHAR *path,
                                         const char *text)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateAlternateStream(image, path, strlen(text), &stream);

    if (hr) return hr;
    hr = CimWriteStream(stream, text, (UINT32)strlen(text));
    CimCloseStream(stream);
    return hr;
}

__maybe_unused static HRESULT commit_and_close(CIMFS_IMAGE_HANDLE image)
{
    HRESULT hr = CimCommitImage(image);

    CimCloseImage(image);
    return hr;
}

/* The content of a small file of an image as a string; static; "<0x...>" if it can't be read. */
__maybe_unused static const char *content(const WCHAR *dir, const WCHAR *name, const WCHAR *path)
{
    static char buffers[4][4096];
    static unsigned next;
    char *buffer = buffers[next++ % 4];
    UINT64 got = 0, left = 0;
    HRESULT hr = CimReadFile(path_of(dir, name), path, 0, buffer, 4095, &got, &left);

    buffer[got] = 0;
    if (hr) sprintf(buffer, "<0x%lx>", hr);
    return buffer;
}

__maybe_unused static HRESULT stat_of(const WCHAR *dir, const WCHAR *name, const WCHAR *path,
                                      FILE_STAT_BASIC_INFORMATION *info)
{
    return CimGetFileStatBasicInformation(path_of(dir, name), path, info);
}

/* Is the item in the committed image? */
__maybe_unused static bool in_image(const WCHAR *dir, const WCHAR *name, const WCHAR *path)
{
    FILE_STAT_BASIC_INFORMATION info;

    return !stat_of(dir, name, path, &info);
}

/* A committed image with a directory, a file in it, and a file with a stream. */
__maybe_unused static void make_base(const WCHAR *dir, const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, name);

    if (put_dir(image, L"d") || put_text(image, L"d\\f.txt", "inner") ||
        put_text(image, L"f.txt", "0123456789") || put_stream(image, L"f.txt:s", "stream") ||
        commit_and_close(image))
        bail("no base image %ls", name);
}

#endif
