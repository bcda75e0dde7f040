/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests for cimfs.dll: the behaviour that its documentation states, and that Microsoft's own
 * clients rely on.
 *
 * What only one implementation decides is not tested. todo_wine stands where Wine's file layer, not
 * cimfs.dll, can't show what an image holds, and where nothing there can mount.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "windef.h"
#include "winbase.h"
#include "winioctl.h"
#include "winternl.h"
#include "sddl.h"
#include "cimfs.h"

#include "wine/test.h"

#define HR_FILE_NOT_FOUND HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND)
#define HR_PATH_NOT_FOUND HRESULT_FROM_WIN32(ERROR_PATH_NOT_FOUND)
#define HR_SHARING_VIOLATION HRESULT_FROM_WIN32(ERROR_SHARING_VIOLATION)
#define HR_HANDLE_EOF HRESULT_FROM_WIN32(ERROR_HANDLE_EOF)
#define HR_FILE_EXISTS HRESULT_FROM_WIN32(ERROR_FILE_EXISTS)
#define HR_ALREADY_EXISTS HRESULT_FROM_WIN32(ERROR_ALREADY_EXISTS)
#define HR_PRIVILEGE_NOT_HELD HRESULT_FROM_WIN32(ERROR_PRIVILEGE_NOT_HELD)
#define HR_NOT_SUPPORTED HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED)

/* Windows 10 2004 */
static HRESULT(WINAPI *pCimCreateImage)(const WCHAR *, const WCHAR *, const WCHAR *,
                                        CIMFS_IMAGE_HANDLE *);
static void(WINAPI *pCimCloseImage)(CIMFS_IMAGE_HANDLE);
static HRESULT(WINAPI *pCimCommitImage)(CIMFS_IMAGE_HANDLE);
static HRESULT(WINAPI *pCimCreateFile)(CIMFS_IMAGE_HANDLE, const WCHAR *,
                                       const CIMFS_FILE_METADATA *, CIMFS_STREAM_HANDLE *);
static HRESULT(WINAPI *pCimCreateAlternateStream)(CIMFS_IMAGE_HANDLE, const WCHAR *, UINT64,
                                                  CIMFS_STREAM_HANDLE *);
static HRESULT(WINAPI *pCimCreateHardLink)(CIMFS_IMAGE_HANDLE, const WCHAR *, const WCHAR *);
static HRESULT(WINAPI *pCimWriteStream)(CIMFS_STREAM_HANDLE, const void *, UINT32);
static void(WINAPI *pCimCloseStream)(CIMFS_STREAM_HANDLE);
static HRESULT(WINAPI *pCimDeletePath)(CIMFS_IMAGE_HANDLE, const WCHAR *);
static HRESULT(WINAPI *pCimMountImage)(const WCHAR *, const WCHAR *, CIM_MOUNT_IMAGE_FLAGS,
                                       const GUID *);
static HRESULT(WINAPI *pCimDismountImage)(const GUID *);

/* later */
static HRESULT(WINAPI *pCimCreateImage2)(const WCHAR *, CIM_CREATE_IMAGE_FLAGS, const WCHAR *,
                                         const WCHAR *, CIMFS_IMAGE_HANDLE *);
static HRESULT(WINAPI *pCimReadFile)(const WCHAR *, const WCHAR *, UINT64, void *, UINT64, UINT64 *,
                                     UINT64 *);
static HRESULT(WINAPI *pCimGetFileStatBasicInformation)(const WCHAR *, const WCHAR *,
                                                        FILE_STAT_BASIC_INFORMATION *);
static HRESULT(WINAPI *pCimLookupFile)(CIMFS_IMAGE_HANDLE, const WCHAR *, BOOLEAN *);
static HRESULT(WINAPI *pCimReadFile2)(const WCHAR *, const WCHAR *, UINT64, void *, UINT64,
                                      UINT64 *, UINT64 *, UINT32);
static HRESULT(WINAPI *pCimGetFileStatBasicInformation2)(const WCHAR *, const WCHAR *,
                                                         FILE_STAT_BASIC_INFORMATION *, UINT32);
static HRESULT(WINAPI *pCimAddFsToMergedImage2)(CIMFS_IMAGE_HANDLE, const WCHAR *, UINT32);
static HRESULT(WINAPI *pCimMergeMountImage)(UINT32, const CimFsImagePath *, UINT32, const GUID *);
static HRESULT(WINAPI *pCimMountVerifiedImage)(const WCHAR *, const WCHAR *, UINT32, const GUID *,
                                               UINT16, const BYTE *);
static HRESULT(WINAPI *pCimMergeMountVerifiedImage)(UINT32, const CimFsImagePath *, UINT32,
                                                    const GUID *, UINT16, const BYTE *);
static HRESULT(WINAPI *pCimTombstoneFile)(CIMFS_IMAGE_HANDLE, const WCHAR *);
static HRESULT(WINAPI *pCimCreateMergeLink)(CIMFS_IMAGE_HANDLE, const WCHAR *, const WCHAR *);
static HRESULT(WINAPI *pCimSealImage)(const WCHAR *, UINT64 *, UINT64 *, BYTE *);
static HRESULT(WINAPI *pCimGetVerificationInformation)(const WCHAR *, UINT32 *, UINT64 *, UINT64 *,
                                                       UINT64 *, BYTE *, BYTE *);

/* ntdll's */
static NTSTATUS(WINAPI *pNtQueryEaFile)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, BOOLEAN, void *,
                                        ULONG, ULONG *, BOOLEAN);

/* The directory of the test that runs, with a backslash at the end. */
static WCHAR work_dir[MAX_PATH];

static BOOL init_functions(void)
{
    HMODULE module = LoadLibraryW(L"cimfs.dll");

    if (!module)
    {
        win_skip("cimfs.dll can't be loaded, error %lu.\n", GetLastError());
        return FALSE;
    }
#define GET_PROC(name)                                                                             \
    if (!(p##name = (void *)GetProcAddress(module, #name)))                                        \
    {                                                                                              \
        ok(0, "%s is missing.\n", #name);                                                          \
        return FALSE;                                                                              \
    }
    GET_PROC(CimCreateImage)
    GET_PROC(CimCloseImage)
    GET_PROC(CimCommitImage)
    GET_PROC(CimCreateFile)
    GET_PROC(CimCreateAlternateStream)
    GET_PROC(CimCreateHardLink)
    GET_PROC(CimWriteStream)
    GET_PROC(CimCloseStream)
    GET_PROC(CimDeletePath)
    GET_PROC(CimMountImage)
    GET_PROC(CimDismountImage)
#define GET_LATER_PROC(name)                                                                       \
    if (!(p##name = (void *)GetProcAddress(module, #name))) win_skip("%s is missing.\n", #name)
    GET_LATER_PROC(CimCreateImage2);
    GET_LATER_PROC(CimReadFile);
    GET_LATER_PROC(CimGetFileStatBasicInformation);
    GET_LATER_PROC(CimLookupFile);
    GET_LATER_PROC(CimReadFile2);
    GET_LATER_PROC(CimGetFileStatBasicInformation2);
    GET_LATER_PROC(CimAddFsToMergedImage2);
    GET_LATER_PROC(CimMergeMountImage);
    GET_LATER_PROC(CimMountVerifiedImage);
    GET_LATER_PROC(CimMergeMountVerifiedImage);
    GET_LATER_PROC(CimTombstoneFile);
    GET_LATER_PROC(CimCreateMergeLink);
    GET_LATER_PROC(CimSealImage);
    GET_LATER_PROC(CimGetVerificationInformation);
#undef GET_LATER_PROC
    module = GetModuleHandleW(L"ntdll.dll");
    GET_PROC(NtQueryEaFile)
#undef GET_PROC
    return TRUE;
}

/***********************************************************************
 * helpers
 */

static const WCHAR *work_path(const WCHAR *name)
{
    static WCHAR paths[4][MAX_PATH];
    static unsigned int next;
    WCHAR *path = paths[next++ % ARRAY_SIZE(paths)];

    lstrcpynW(path, work_dir, MAX_PATH);
    lstrcpynW(path + lstrlenW(path), name, MAX_PATH - lstrlenW(path));
    return path;
}

static BOOL make_work_dir(void)
{
    WCHAR temp[MAX_PATH];

    if (!GetTempPathW(ARRAY_SIZE(temp), temp) || !GetTempFileNameW(temp, L"cim", 0, work_dir))
        return FALSE;
    DeleteFileW(work_dir);
    if (!CreateDirectoryW(work_dir, NULL)) return FALSE;
    lstrcatW(work_dir, L"\\");
    return TRUE;
}

/* Remove the files of a directory, and then the directory; images have no subdirectories. */
static void remove_dir(const WCHAR *dir)
{
    WCHAR path[MAX_PATH];
    WIN32_FIND_DATAW data;
    HANDLE find;
    BOOL ret;

    lstrcpynW(path, dir, MAX_PATH);
    lstrcatW(path, L"*");
    find = FindFirstFileW(path, &data);
    for (ret = find != INVALID_HANDLE_VALUE; ret; ret = FindNextFileW(find, &data))
    {
        if (!lstrcmpW(data.cFileName, L".") || !lstrcmpW(data.cFileName, L"..")) continue;
        lstrcpynW(path, dir, MAX_PATH);
        lstrcatW(path, data.cFileName);
        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
        {
            lstrcatW(path, L"\\");
            remove_dir(path);
            continue;
        }
        SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
        DeleteFileW(path);
    }
    if (find != INVALID_HANDLE_VALUE) FindClose(find);
    ret = RemoveDirectoryW(dir);
    ok(ret, "Can't remove %s, error %lu.\n", debugstr_w(dir), GetLastError());
}

static void fill_metadata(CIMFS_FILE_METADATA *metadata, UINT32 attributes, INT64 size)
{
    /* A self-relative descriptor without owner and group, and with a NULL DACL. */
    static const BYTE sd[20] = {1, 0, 4, 0x80};

    memset(metadata, 0, sizeof(*metadata));
    metadata->Attributes = attributes;
    metadata->FileSize = size;
    metadata->CreationTime.QuadPart = 0x01d0000000000000;
    metadata->LastWriteTime.QuadPart = 0x01d1000000000001;
    metadata->ChangeTime.QuadPart = 0x01d2000000000002;
    metadata->LastAccessTime.QuadPart = 0x01d3000000000003;
    metadata->SecurityDescriptorBuffer = sd;
    metadata->SecurityDescriptorSize = sizeof(sd);
}

#define create_image(existing, new) create_image_(__LINE__, existing, new)
static CIMFS_IMAGE_HANDLE create_image_(int line, const WCHAR *existing, const WCHAR *new)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr;

    hr = pCimCreateImage(work_dir, existing, new, &image);
    ok_(__FILE__, line)(hr == S_OK, "CimCreateImage: got hr %#lx.\n", hr);
    return image;
}

#define create_file(image, path, attributes, size)                                                 \
    create_file_(__LINE__, image, path, attributes, size)
static CIMFS_STREAM_HANDLE create_file_(int line, CIMFS_IMAGE_HANDLE image, const WCHAR *path,
                                        UINT32 attributes, INT64 size)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    CIMFS_FILE_METADATA metadata;
    HRESULT hr;

    fill_metadata(&metadata, attributes, size);
    hr = pCimCreateFile(image, path, &metadata, &stream);
    ok_(__FILE__, line)(hr == S_OK, "CimCreateFile %s: got hr %#lx.\n", debugstr_w(path), hr);
    return stream;
}

#define write_stream(stream, text) write_stream_(__LINE__, stream, text)
static void write_stream_(int line, CIMFS_STREAM_HANDLE stream, const char *text)
{
    HRESULT hr = pCimWriteStream(stream, text, lstrlenA(text));

    ok_(__FILE__, line)(hr == S_OK, "CimWriteStream: got hr %#lx.\n", hr);
}

#define add_file(image, path, text) add_file_(__LINE__, image, path, text)
static void add_file_(int line, CIMFS_IMAGE_HANDLE image, const WCHAR *path, const char *text)
{
    CIMFS_STREAM_HANDLE stream;

    stream = create_file_(line, image, path, FILE_ATTRIBUTE_ARCHIVE, lstrlenA(text));
    if (*text) write_stream_(line, stream, text);
    pCimCloseStream(stream);
}

#define add_dir(image, path) add_dir_(__LINE__, image, path)
static void add_dir_(int line, CIMFS_IMAGE_HANDLE image, const WCHAR *path)
{
    pCimCloseStream(create_file_(line, image, path, FILE_ATTRIBUTE_DIRECTORY, 0));
}

#define add_stream(image, path, text) add_stream_(__LINE__, image, path, text)
static void add_stream_(int line, CIMFS_IMAGE_HANDLE image, const WCHAR *path, const char *text)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr;

    hr = pCimCreateAlternateStream(image, path, lstrlenA(text), &stream);
    ok_(__FILE__, line)(hr == S_OK, "CimCreateAlternateStream %s: got hr %#lx.\n", debugstr_w(path),
                        hr);
    if (*text) write_stream_(line, stream, text);
    pCimCloseStream(stream);
}

#define commit_and_close(image) commit_and_close_(__LINE__, image)
static void commit_and_close_(int line, CIMFS_IMAGE_HANDLE image)
{
    HRESULT hr = pCimCommitImage(image);

    ok_(__FILE__, line)(hr == S_OK, "CimCommitImage: got hr %#lx.\n", hr);
    pCimCloseImage(image);
}

/* An image of one file. */
#define make_image(name, path, text) make_image_(__LINE__, name, path, text)
static void make_image_(int line, const WCHAR *name, const WCHAR *path, const char *text)
{
    CIMFS_IMAGE_HANDLE image = create_image_(line, NULL, name);

    add_file_(line, image, path, text);
    commit_and_close_(line, image);
}

/* What a file of a committed image holds, where it can be read without a mount. */
#define check_file(name, path, text, size) check_file_(__LINE__, name, path, text, size)
static void check_file_(int line, const WCHAR *name, const WCHAR *path, const char *text,
                        UINT64 size)
{
    UINT64 read = 0xdeadbeef, remaining = 0xdeadbeef;
    char buffer[256];
    HRESULT hr;

    if (!pCimReadFile) return;
    hr = pCimReadFile(work_path(name), path, 0, buffer, sizeof(buffer), &read, &remaining);
    ok_(__FILE__, line)(hr == S_OK, "CimReadFile %s: got hr %#lx.\n", debugstr_w(path), hr);
    ok_(__FILE__, line)(read == size && !remaining, "Got size %s, remaining %s.\n",
                        wine_dbgstr_longlong(read), wine_dbgstr_longlong(remaining));
    if (hr == S_OK && read == size)
        ok_(__FILE__, line)(!memcmp(buffer, text, size), "Got %s.\n",
                            wine_dbgstr_an(buffer, (int)size));
}

#define check_no_file(name, path) check_no_file_(__LINE__, name, path)
static void check_no_file_(int line, const WCHAR *name, const WCHAR *path)
{
    UINT64 read, remaining;
    char buffer[16];
    HRESULT hr;

    if (!pCimReadFile) return;
    hr = pCimReadFile(work_path(name), path, 0, buffer, sizeof(buffer), &read, &remaining);
    ok_(__FILE__, line)(FAILED(hr), "CimReadFile %s: got hr %#lx.\n", debugstr_w(path), hr);
}

/* Replace a byte of a file. */
#define patch_file(path, offset, value) patch_file_(__LINE__, path, offset, value)
static void patch_file_(int line, const WCHAR *path, DWORD offset, BYTE value)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    DWORD size;
    BOOL ret;

    SetFilePointer(file, offset, NULL, FILE_BEGIN);
    ret = WriteFile(file, &value, 1, &size, NULL);
    ok_(__FILE__, line)(ret, "Can't write to %s, error %lu.\n", debugstr_w(path), GetLastError());
    CloseHandle(file);
}

static BOOL file_exists(const WCHAR *path)
{
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

/***********************************************************************
 * making images
 */

static void test_CimCreateImage(void)
{
    CIMFS_IMAGE_HANDLE image, other;
    HRESULT hr;

    image = NULL;
    hr = pCimCreateImage(work_dir, NULL, NULL, &image);
    ok(hr == E_INVALIDARG, "No name at all: got hr %#lx.\n", hr);

    hr = pCimCreateImage(work_path(L"missing"), NULL, L"new.cim", &image);
    ok(hr == HR_PATH_NOT_FOUND, "No such directory: got hr %#lx.\n", hr);

    hr = pCimCreateImage(work_dir, L"missing.cim", NULL, &image);
    ok(hr == HR_FILE_NOT_FOUND, "No such image to extend: got hr %#lx.\n", hr);
    hr = pCimCreateImage(work_dir, L"missing.cim", L"missing.cim", &image);
    ok(hr == HR_FILE_NOT_FOUND, "No such image to extend, twice: got hr %#lx.\n", hr);
    hr = pCimCreateImage(work_dir, L"missing.cim", L"new.cim", &image);
    ok(hr == HR_FILE_NOT_FOUND, "No such image to fork: got hr %#lx.\n", hr);

    make_image(L"taken.cim", L"file", "text");
    make_image(L"base.cim", L"file", "text");
    hr = pCimCreateImage(work_dir, NULL, L"taken.cim", &image);
    ok(hr == HR_FILE_EXISTS, "A new image of a taken name: got hr %#lx.\n", hr);
    hr = pCimCreateImage(work_dir, L"base.cim", L"taken.cim", &image);
    ok(hr == HR_FILE_EXISTS, "A fork of a taken name: got hr %#lx.\n", hr);

    /* One session for a directory. */
    image = create_image(NULL, L"new.cim");
    ok(!!image, "Got no handle.\n");
    other = NULL;
    hr = pCimCreateImage(work_dir, NULL, L"other.cim", &other);
    ok(hr == HR_SHARING_VIOLATION, "A second session: got hr %#lx.\n", hr);
    hr = pCimCreateImage(work_dir, L"base.cim", NULL, &other);
    ok(hr == HR_SHARING_VIOLATION, "A second session that extends: got hr %#lx.\n", hr);
    pCimCloseImage(image);
    image = create_image(NULL, L"other.cim");
    pCimCloseImage(image);

    /* What isn't committed is discarded. */
    image = create_image(NULL, L"discarded.cim");
    add_file(image, L"file", "text");
    ok(!file_exists(work_path(L"discarded.cim")), "The image is there before its commit.\n");
    pCimCloseImage(image);
    ok(!file_exists(work_path(L"discarded.cim")), "The image is there without a commit.\n");
}

/* A directory in which nobody may create anything. */
static void test_access(void)
{
    SECURITY_ATTRIBUTES attributes = {sizeof(attributes), NULL, FALSE};
    CIMFS_IMAGE_HANDLE image = NULL;
    WCHAR dir[MAX_PATH];
    HANDLE file;
    HRESULT hr;
    BOOL ret;

    lstrcpyW(dir, work_path(L"readonly"));
    ret = ConvertStringSecurityDescriptorToSecurityDescriptorW(
            L"D:P(A;;FRFXSD;;;WD)", SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL);
    ok(ret, "Got error %lu.\n", GetLastError());
    ret = CreateDirectoryW(dir, &attributes);
    ok(ret, "Got error %lu.\n", GetLastError());
    LocalFree(attributes.lpSecurityDescriptor);

    lstrcatW(dir, L"\\file");
    file = CreateFileW(dir, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
    if (file != INVALID_HANDLE_VALUE)
    {
        /* as root */
        CloseHandle(file);
        skip("Nothing keeps this user from writing.\n");
        return;
    }
    hr = pCimCreateImage(work_path(L"readonly"), NULL, L"new.cim", &image);
    ok(hr == E_ACCESSDENIED, "Got hr %#lx.\n", hr);
}

static void *load_file(const WCHAR *path, DWORD *size)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    void *data = NULL;

    *size = 0;
    if (file == INVALID_HANDLE_VALUE) return NULL;
    *size = GetFileSize(file, NULL);
    if ((data = malloc(*size + 1)) && !ReadFile(file, data, *size, size, NULL))
    {
        free(data);
        data = NULL;
    }
    CloseHandle(file);
    return data;
}

static void test_CimCreateImage2(void)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    DWORD size[2] = {0};
    void *data[2] = {0};
    WCHAR dir[MAX_PATH];
    HRESULT hr;
    int i;

    if (!pCimCreateImage2) return;

    hr = pCimCreateImage2(work_dir, CIM_CREATE_IMAGE_NONE, NULL, NULL, &image);
    ok(hr == E_INVALIDARG, "No name at all: got hr %#lx.\n", hr);
    hr = pCimCreateImage2(work_path(L"missing"), CIM_CREATE_IMAGE_NONE, NULL, L"new.cim", &image);
    ok(hr == HR_PATH_NOT_FOUND, "No such directory: got hr %#lx.\n", hr);

    hr = pCimCreateImage2(work_dir, CIM_CREATE_IMAGE_NONE, NULL, L"plain.cim", &image);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    add_file(image, L"file", "text");
    commit_and_close(image);
    check_file(L"plain.cim", L"file", "text", 4);

    hr = pCimCreateImage2(work_dir, CIM_CREATE_DO_NOT_EXPAND_PE_IMAGES, L"plain.cim", L"fork.cim",
                          &image);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    commit_and_close(image);
    check_file(L"fork.cim", L"file", "text", 4);

    /* The same calls give the same bytes. */
    for (i = 0; i < 2; i++)
    {
        lstrcpyW(dir, work_path(i ? L"two" : L"one"));
        CreateDirectoryW(dir, NULL);
        hr = pCimCreateImage2(dir, CIM_CREATE_CONSISTENT_CIMS, NULL, L"same.cim", &image);
        if (hr == E_INVALIDARG)
        {
            win_skip("CIM_CREATE_CONSISTENT_CIMS is not known.\n");
            return;
        }
        ok(hr == S_OK, "Got hr %#lx.\n", hr);
        add_dir(image, L"dir");
        add_file(image, L"dir\\file", "text");
        commit_and_close(image);
        lstrcatW(dir, L"\\same.cim");
        data[i] = load_file(dir, &size[i]);
        ok(!!data[i], "Can't read %s.\n", debugstr_w(dir));
    }
    ok(size[0] == size[1], "Got sizes %lu and %lu.\n", size[0], size[1]);
    ok(size[0] && !memcmp(data[0], data[1], min(size[0], size[1])), "The images differ.\n");
    free(data[0]);
    free(data[1]);
}

/* One stream for an image: that of "file" is open. */
static void check_one_stream(CIMFS_IMAGE_HANDLE image)
{
    CIMFS_STREAM_HANDLE other = NULL;
    CIMFS_FILE_METADATA metadata;
    HRESULT hr;

    fill_metadata(&metadata, FILE_ATTRIBUTE_NORMAL, 4);
    hr = pCimCreateFile(image, L"other", &metadata, &other);
    ok(hr == HR_SHARING_VIOLATION, "A second file: got hr %#lx.\n", hr);
    hr = pCimCreateAlternateStream(image, L"file:s", 1, &other);
    ok(hr == HR_SHARING_VIOLATION, "A second stream: got hr %#lx.\n", hr);
    hr = pCimCreateHardLink(image, L"link", L"file");
    ok(hr == HR_SHARING_VIOLATION, "A hard link: got hr %#lx.\n", hr);
    hr = pCimDeletePath(image, L"file");
    ok(hr == HR_SHARING_VIOLATION, "A deletion: got hr %#lx.\n", hr);
}

static void test_CimCreateFile(void)
{
    CIMFS_FILE_METADATA metadata;
    CIMFS_STREAM_HANDLE stream;
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    fill_metadata(&metadata, FILE_ATTRIBUTE_NORMAL, 4);
    stream = NULL;
    hr = pCimCreateFile(NULL, L"file", &metadata, &stream);
    ok(hr == E_INVALIDARG, "No image: got hr %#lx.\n", hr);

    image = create_image(NULL, L"new.cim");
    stream = create_file(image, L"file", FILE_ATTRIBUTE_NORMAL, 4);
    ok(!!stream, "Got no handle for a file.\n");

    check_one_stream(image);
    write_stream(stream, "text");
    pCimCloseStream(stream);

    /* A directory has a stream handle, too. */
    stream = create_file(image, L"dir", FILE_ATTRIBUTE_DIRECTORY, 0);
    ok(!!stream, "Got no handle for a directory.\n");
    pCimCloseStream(stream);

    /* A leading backslash is allowed. */
    add_file(image, L"\\dir\\file", "in dir");

    /* What is at the path is replaced. */
    add_file(image, L"replaced", "old");
    add_file(image, L"replaced", "newer");

    /* What isn't written is zero. */
    stream = create_file(image, L"short", FILE_ATTRIBUTE_NORMAL, 6);
    write_stream(stream, "abc");
    pCimCloseStream(stream);
    stream = create_file(image, L"empty", FILE_ATTRIBUTE_NORMAL, 0);
    pCimCloseStream(stream);

    commit_and_close(image);
    check_file(L"new.cim", L"file", "text", 4);
    check_file(L"new.cim", L"dir\\file", "in dir", 6);
    check_file(L"new.cim", L"\\DIR\\FILE", "in dir", 6);
    check_file(L"new.cim", L"replaced", "newer", 5);
    check_file(L"new.cim", L"short", "abc\0\0\0", 6);
    check_file(L"new.cim", L"empty", "", 0);
    check_no_file(L"new.cim", L"other");
    check_no_file(L"new.cim", L"link");
}

/* Any attribute is taken: clients pass those of a host's file as they are. */
static void test_attributes(void)
{
    static const UINT32 attributes[] = {
            0,
            FILE_ATTRIBUTE_NORMAL,
            FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM,
            FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_COMPRESSED,
            FILE_ATTRIBUTE_NOT_CONTENT_INDEXED | FILE_ATTRIBUTE_OFFLINE,
            FILE_ATTRIBUTE_SPARSE_FILE,
    };
    CIMFS_IMAGE_HANDLE image;
    WCHAR name[8] = L"file0";
    unsigned int i;

    image = create_image(NULL, L"new.cim");
    for (i = 0; i < ARRAY_SIZE(attributes); i++)
    {
        CIMFS_STREAM_HANDLE stream;

        winetest_push_context("attributes %#x", attributes[i]);
        name[4] = '0' + i;
        stream = create_file(image, name, attributes[i], 4);
        write_stream(stream, "text");
        pCimCloseStream(stream);
        winetest_pop_context();
    }
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(attributes); i++)
    {
        winetest_push_context("attributes %#x", attributes[i]);
        name[4] = '0' + i;
        check_file(L"new.cim", name, "text", 4);
        winetest_pop_context();
    }
}

static void test_CimCreateAlternateStream(void)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    hr = pCimCreateAlternateStream(NULL, L"file:s", 1, &stream);
    ok(hr == E_INVALIDARG, "No image: got hr %#lx.\n", hr);

    image = create_image(NULL, L"new.cim");
    add_file(image, L"file", "text");
    add_dir(image, L"dir");

    hr = pCimCreateAlternateStream(image, L"file", 1, &stream);
    ok(hr == E_INVALIDARG, "No stream's name: got hr %#lx.\n", hr);
    hr = pCimCreateAlternateStream(image, L"missing:s", 1, &stream);
    ok(hr == HR_PATH_NOT_FOUND, "No such file: got hr %#lx.\n", hr);
    hr = pCimCreateAlternateStream(image, L"missing\\file:s", 1, &stream);
    ok(hr == HR_PATH_NOT_FOUND, "No such directory: got hr %#lx.\n", hr);

    add_stream(image, L"file:s", "stream");
    add_stream(image, L"\\file:t:$DATA", "with its type");
    add_stream(image, L"dir:s", "a directory's");
    add_stream(image, L"file:marker", "");
    /* To be extended it is created again. */
    add_stream(image, L"file:s", "longer stream");

    /* It may be written up to its size. */
    hr = pCimCreateAlternateStream(image, L"file:limit", 4, &stream);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    write_stream(stream, "1234");
    hr = pCimWriteStream(stream, "5", 1);
    ok(hr == HR_HANDLE_EOF, "Got hr %#lx.\n", hr);
    pCimCloseStream(stream);

    commit_and_close(image);
    check_file(L"new.cim", L"file", "text", 4);
}

static void test_CimCreateHardLink(void)
{
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    hr = pCimCreateHardLink(NULL, L"link", L"file");
    ok(hr == E_INVALIDARG, "No image: got hr %#lx.\n", hr);

    image = create_image(NULL, L"new.cim");
    add_file(image, L"file", "text");
    add_file(image, L"replaced", "other");
    add_stream(image, L"file:s", "stream");
    add_dir(image, L"dir");

    hr = pCimCreateHardLink(image, L"link", L"missing");
    ok(hr == HR_PATH_NOT_FOUND, "No such file: got hr %#lx.\n", hr);
    hr = pCimCreateHardLink(image, L"link", L"dir");
    ok(hr == E_ACCESSDENIED, "A directory: got hr %#lx.\n", hr);
    hr = pCimCreateHardLink(image, L"link", L"file:s");
    ok(hr == E_INVALIDARG || broken(FAILED(hr)), "A stream: got hr %#lx.\n", hr);

    hr = pCimCreateHardLink(image, L"dir\\link", L"file");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    hr = pCimCreateHardLink(image, L"\\second", L"\\dir\\link");
    ok(hr == S_OK, "A link to a link: got hr %#lx.\n", hr);
    hr = pCimCreateHardLink(image, L"replaced", L"file");
    ok(hr == S_OK, "A link in a file's place: got hr %#lx.\n", hr);

    /* The name that was given first is as good as the others. */
    hr = pCimDeletePath(image, L"file");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);

    commit_and_close(image);
    check_no_file(L"new.cim", L"file");
    check_file(L"new.cim", L"dir\\link", "text", 4);
    check_file(L"new.cim", L"second", "text", 4);
    check_file(L"new.cim", L"replaced", "text", 4);
    check_no_file(L"new.cim", L"link");
}

static void test_CimWriteStream(void)
{
    CIMFS_STREAM_HANDLE stream;
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    hr = pCimWriteStream(NULL, "x", 1);
    ok(hr == E_INVALIDARG, "No stream: got hr %#lx.\n", hr);

    image = create_image(NULL, L"new.cim");
    stream = create_file(image, L"dir", FILE_ATTRIBUTE_DIRECTORY, 0);
    hr = pCimWriteStream(stream, "x", 1);
    ok(hr == E_INVALIDARG, "A directory's: got hr %#lx.\n", hr);
    pCimCloseStream(stream);

    stream = create_file(image, L"file", FILE_ATTRIBUTE_NORMAL, 8);
    hr = pCimWriteStream(stream, NULL, 1);
    ok(hr == E_POINTER, "No buffer: got hr %#lx.\n", hr);
    hr = pCimWriteStream(stream, "", 0);
    ok(hr == S_OK, "Nothing to write: got hr %#lx.\n", hr);
    write_stream(stream, "abc");
    write_stream(stream, "de");
    /* What fits is written. */
    hr = pCimWriteStream(stream, "fghij", 5);
    ok(hr == HR_HANDLE_EOF, "Past the end: got hr %#lx.\n", hr);
    hr = pCimWriteStream(stream, "k", 1);
    ok(hr == HR_HANDLE_EOF, "At the end: got hr %#lx.\n", hr);
    pCimCloseStream(stream);

    commit_and_close(image);
    check_file(L"new.cim", L"file", "abcdefgh", 8);
}

/* Clients read the return register of the two functions that are declared as void, and take a
 * negative value as an error. */
static void test_close(void)
{
    LONG(WINAPI * close_stream)(CIMFS_STREAM_HANDLE) = (void *)pCimCloseStream;
    LONG(WINAPI * close_image)(CIMFS_IMAGE_HANDLE) = (void *)pCimCloseImage;
    CIMFS_STREAM_HANDLE stream;
    CIMFS_IMAGE_HANDLE image;
    LONG ret;

    image = create_image(NULL, L"new.cim");
    stream = create_file(image, L"file", FILE_ATTRIBUTE_NORMAL, 4);
    ret = close_stream(stream);
    ok(ret >= 0, "CimCloseStream left %#lx.\n", ret);
    ret = close_image(image);
    ok(ret >= 0, "CimCloseImage left %#lx.\n", ret);

    /* The image's resources are freed when its stream is closed. */
    image = create_image(NULL, L"new.cim");
    stream = create_file(image, L"file", FILE_ATTRIBUTE_NORMAL, 4);
    pCimCloseImage(image);
    pCimCloseStream(stream);
    ok(!file_exists(work_path(L"new.cim")), "The image is there without a commit.\n");
    image = create_image(NULL, L"new.cim");
    pCimCloseImage(image);
}

static void test_CimDeletePath(void)
{
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    hr = pCimDeletePath(NULL, L"file");
    ok(hr == E_INVALIDARG, "No image: got hr %#lx.\n", hr);

    image = create_image(NULL, L"new.cim");
    hr = pCimDeletePath(image, L"missing");
    ok(hr == HR_PATH_NOT_FOUND, "No such file: got hr %#lx.\n", hr);

    add_file(image, L"file", "text");
    hr = pCimDeletePath(image, L"\\file");
    ok(hr == S_OK, "A file: got hr %#lx.\n", hr);
    hr = pCimDeletePath(image, L"file");
    ok(hr == HR_PATH_NOT_FOUND, "A file again: got hr %#lx.\n", hr);

    add_dir(image, L"dir");
    add_dir(image, L"dir\\sub");
    add_file(image, L"dir\\sub\\file", "text");
    hr = pCimDeletePath(image, L"dir");
    ok(hr == S_OK, "A directory that is not empty: got hr %#lx.\n", hr);
    hr = pCimDeletePath(image, L"dir\\sub\\file");
    ok(hr == HR_PATH_NOT_FOUND, "A file that went with it: got hr %#lx.\n", hr);

    add_file(image, L"named", "named");
    hr = pCimCreateHardLink(image, L"link", L"named");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    hr = pCimDeletePath(image, L"link");
    ok(hr == S_OK, "A hard link: got hr %#lx.\n", hr);

    add_stream(image, L"named:s", "stream");
    hr = pCimDeletePath(image, L"named:s");
    ok(hr == S_OK, "A stream: got hr %#lx.\n", hr);
    hr = pCimDeletePath(image, L"named:s");
    ok(FAILED(hr), "A stream again: got hr %#lx.\n", hr);

    commit_and_close(image);
    check_no_file(L"new.cim", L"file");
    check_no_file(L"new.cim", L"dir\\sub\\file");
    check_no_file(L"new.cim", L"link");
    check_file(L"new.cim", L"named", "named", 5);
}

static void test_CimCommitImage(void)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    CIMFS_FILE_METADATA metadata;
    CIMFS_IMAGE_HANDLE image;
    DWORD size;
    HRESULT hr;

    hr = pCimCommitImage(NULL);
    ok(hr == E_INVALIDARG, "No image: got hr %#lx.\n", hr);

    image = create_image(NULL, L"open.cim");
    stream = create_file(image, L"file", FILE_ATTRIBUTE_NORMAL, 0);
    hr = pCimCommitImage(image);
    ok(hr == HR_SHARING_VIOLATION, "With a stream open: got hr %#lx.\n", hr);
    ok(!file_exists(work_path(L"open.cim")), "A failed commit left an image.\n");
    pCimCloseStream(stream);
    pCimCloseImage(image);

    image = create_image(NULL, L"new.cim");
    add_file(image, L"file", "text");
    hr = pCimCommitImage(image);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    free(load_file(work_path(L"new.cim"), &size));
    ok(size > 0, "The image is not there before the handle is closed.\n");

    /* The handle can only be closed now. */
    fill_metadata(&metadata, FILE_ATTRIBUTE_NORMAL, 0);
    hr = pCimCreateFile(image, L"late", &metadata, &stream);
    ok(FAILED(hr), "A file after the commit: got hr %#lx.\n", hr);
    hr = pCimDeletePath(image, L"file");
    ok(FAILED(hr), "A deletion after the commit: got hr %#lx.\n", hr);
    pCimCloseImage(image);
    check_file(L"new.cim", L"file", "text", 4);
    check_no_file(L"new.cim", L"late");
}

static void test_extend(void)
{
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    image = create_image(NULL, L"base.cim");
    add_file(image, L"kept", "kept");
    add_file(image, L"replaced", "old");
    add_file(image, L"deleted", "deleted");
    add_dir(image, L"dir");
    commit_and_close(image);

    image = create_image(L"base.cim", NULL);
    add_file(image, L"dir\\new", "new");
    add_file(image, L"replaced", "replaced");
    hr = pCimDeletePath(image, L"deleted");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    check_file(L"base.cim", L"deleted", "deleted", 7); /* until the commit */
    commit_and_close(image);
    check_file(L"base.cim", L"kept", "kept", 4);
    check_file(L"base.cim", L"replaced", "replaced", 8);
    check_file(L"base.cim", L"dir\\new", "new", 3);
    check_no_file(L"base.cim", L"deleted");

    /* The same name twice means the same; a link may lead to an inherited file. */
    image = create_image(L"base.cim", L"base.cim");
    hr = pCimCreateHardLink(image, L"link", L"dir\\new");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    commit_and_close(image);
    check_file(L"base.cim", L"kept", "kept", 4);
    check_file(L"base.cim", L"link", "new", 3);

    /* Without a commit it stays as it was. */
    image = create_image(L"base.cim", NULL);
    add_file(image, L"kept", "changed");
    pCimCloseImage(image);
    check_file(L"base.cim", L"kept", "kept", 4);
}

static void test_fork(void)
{
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    image = create_image(NULL, L"base.cim");
    add_file(image, L"kept", "kept");
    add_file(image, L"changed", "base");
    add_file(image, L"deleted", "deleted");
    add_dir(image, L"dir");
    add_file(image, L"dir\\child", "child");
    commit_and_close(image);

    image = create_image(L"base.cim", L"fork");
    add_file(image, L"changed", "fork");
    hr = pCimDeletePath(image, L"deleted");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    /* A directory that is added again keeps what is in it. */
    add_dir(image, L"dir");
    add_file(image, L"dir\\second", "second child");
    commit_and_close(image);

    check_file(L"fork", L"kept", "kept", 4);
    check_file(L"fork", L"changed", "fork", 4);
    check_no_file(L"fork", L"deleted");
    check_file(L"fork", L"dir\\child", "child", 5);
    check_file(L"fork", L"dir\\second", "second child", 12);

    check_file(L"base.cim", L"kept", "kept", 4);
    check_file(L"base.cim", L"changed", "base", 4);
    check_file(L"base.cim", L"deleted", "deleted", 7);
    check_no_file(L"base.cim", L"dir\\second");

    /* A fork of the fork. */
    image = create_image(L"fork", L"third.cim");
    hr = pCimDeletePath(image, L"kept");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    commit_and_close(image);
    check_no_file(L"third.cim", L"kept");
    check_file(L"third.cim", L"dir\\child", "child", 5);
    check_file(L"third.cim", L"dir\\second", "second child", 12);
}

/* Clients remove an image by the region set in its header, which gives the names of its files. */
static void test_files(void)
{
    WCHAR name[80];
    USHORT count;
    DWORD size;
    BYTE *data;
    GUID guid;
    int i;

    make_image(L"new.cim", L"file", "text");
    data = load_file(work_path(L"new.cim"), &size);
    ok(!!data, "Can't read the image.\n");
    ok(size >= 72, "Got size %lu.\n", size);
    if (data && size >= 72)
    {
        ok(!memcmp(data, "cimfile0", 8), "Got magic %s.\n", wine_dbgstr_an((char *)data, 8));
        ok(!data[12], "Got type %u.\n", data[12]);
        ok(data[16] == 2 || data[16] == 3, "Got major version %u.\n", data[16]);
        memcpy(&guid, data + 32, sizeof(guid));
        memcpy(&count, data + 48, sizeof(count));
        ok(count > 0, "Got no regions.\n");
        for (i = 0; i < count; i++)
        {
            winetest_push_context("%s, %d", debugstr_guid(&guid), i);
            swprintf(name, ARRAY_SIZE(name),
                     L"region_%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x_%d", guid.Data1,
                     guid.Data2, guid.Data3, guid.Data4[0], guid.Data4[1], guid.Data4[2],
                     guid.Data4[3], guid.Data4[4], guid.Data4[5], guid.Data4[6], guid.Data4[7], i);
            ok(file_exists(work_path(name)), "%s is missing.\n", debugstr_w(name));
            memmove(name + lstrlenW(L"objectid"), name + lstrlenW(L"region"),
                    (lstrlenW(name + lstrlenW(L"region")) + 1) * sizeof(WCHAR));
            memcpy(name, L"objectid", lstrlenW(L"objectid") * sizeof(WCHAR));
            ok(file_exists(work_path(name)), "%s is missing.\n", debugstr_w(name));
            winetest_pop_context();
        }
    }
    free(data);
}

/* The codes that winerror.h has for images that are no good. */
static void test_bad_images(void)
{
    static const struct
    {
        const WCHAR *name;
        DWORD offset;
        BYTE value;
        DWORD error;
    } tests[] = {
            {L"magic.cim", 0, 'x', ERROR_CIMFS_IMAGE_CORRUPT},
            {L"type.cim", 12, 1, ERROR_CIMFS_IMAGE_CORRUPT},
            {L"version.cim", 16, 99, ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED},
    };
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_IMAGE_HANDLE image;
    UINT64 read, remaining;
    char buffer[16];
    unsigned int i;
    HRESULT hr, expect;

    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        expect = HRESULT_FROM_WIN32(tests[i].error);
        winetest_push_context("%s", debugstr_w(tests[i].name));
        make_image(tests[i].name, L"file", "text");
        patch_file(work_path(tests[i].name), tests[i].offset, tests[i].value);

        hr = pCimCreateImage(work_dir, tests[i].name, NULL, &image);
        ok(hr == expect || broken(FAILED(hr)), "To extend: got hr %#lx.\n", hr);
        hr = pCimCreateImage(work_dir, tests[i].name, L"fork.cim", &image);
        ok(hr == expect || broken(FAILED(hr)), "To fork: got hr %#lx.\n", hr);
        if (pCimReadFile)
        {
            hr = pCimReadFile(work_path(tests[i].name), L"file", 0, buffer, sizeof(buffer), &read,
                              &remaining);
            ok(hr == expect || broken(FAILED(hr)), "To read: got hr %#lx.\n", hr);
        }
        if (pCimGetFileStatBasicInformation)
        {
            hr = pCimGetFileStatBasicInformation(work_path(tests[i].name), L"file", &info);
            ok(hr == expect || broken(FAILED(hr)), "To stat: got hr %#lx.\n", hr);
        }
        winetest_pop_context();
    }
}

/***********************************************************************
 * reading images without mounting them
 */

/* A file is read in pieces of 512 bytes. */
static void check_pieces(const WCHAR *name, const BYTE *data, UINT64 size)
{
    UINT64 offset = 0, chunk, read, remaining;
    BYTE buffer[512];
    HRESULT hr;

    do
    {
        chunk = min(size - offset, sizeof(buffer));
        memset(buffer, 0xcc, sizeof(buffer));
        read = 0xdeadbeef;
        remaining = 1;
        hr = pCimReadFile(work_path(L"new.cim"), name, offset, buffer, sizeof(buffer), &read,
                          &remaining);
        ok(hr == S_OK, "Got hr %#lx.\n", hr);
        ok(read == chunk, "Got %s bytes at %s.\n", wine_dbgstr_longlong(read),
           wine_dbgstr_longlong(offset));
        ok(remaining == size - offset - chunk, "Got %s remaining at %s.\n",
           wine_dbgstr_longlong(remaining), wine_dbgstr_longlong(offset));
        if (hr != S_OK || read != chunk) break;
        ok(!memcmp(buffer, data + offset, (size_t)read), "Other data at %s.\n",
           wine_dbgstr_longlong(offset));
        offset += read;
    } while (offset < size);
}

static void test_CimReadFile(void)
{
    static const UINT64 sizes[] = {0, 1, 511, 512, 513, 1535, 1536, 1537};
    CIMFS_STREAM_HANDLE stream;
    CIMFS_IMAGE_HANDLE image;
    UINT64 read, remaining;
    BYTE data[1537], buffer[1];
    WCHAR name[8] = L"file0";
    unsigned int i;
    HRESULT hr;

    if (!pCimReadFile) return;

    for (i = 0; i < sizeof(data); i++) data[i] = i * 7 + i / 256;
    image = create_image(NULL, L"new.cim");
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        name[4] = '0' + i;
        stream = create_file(image, name, FILE_ATTRIBUTE_NORMAL, sizes[i]);
        hr = pCimWriteStream(stream, data, (UINT32)sizes[i]);
        ok(hr == S_OK, "Got hr %#lx.\n", hr);
        pCimCloseStream(stream);
    }
    commit_and_close(image);

    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        winetest_push_context("size %u", (unsigned int)sizes[i]);
        name[4] = '0' + i;
        check_pieces(name, data, sizes[i]);
        winetest_pop_context();
    }

    hr = pCimReadFile(work_path(L"new.cim"), L"missing", 0, buffer, 1, &read, &remaining);
    ok(FAILED(hr), "No such file: got hr %#lx.\n", hr);
    hr = pCimReadFile(work_path(L"missing.cim"), L"file1", 0, buffer, 1, &read, &remaining);
    ok(FAILED(hr), "No such image: got hr %#lx.\n", hr);
}

static void test_CimGetFileStatBasicInformation(void)
{
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_FILE_METADATA metadata;
    CIMFS_STREAM_HANDLE stream;
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    if (!pCimGetFileStatBasicInformation) return;

    image = create_image(NULL, L"new.cim");
    add_file(image, L"file", "some text");
    add_dir(image, L"dir");
    stream = create_file(image, L"dir\\flags", FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN, 0);
    pCimCloseStream(stream);
    commit_and_close(image);

    fill_metadata(&metadata, 0, 0);
    memset(&info, 0xcc, sizeof(info));
    hr = pCimGetFileStatBasicInformation(work_path(L"new.cim"), L"file", &info);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(info.EndOfFile.QuadPart == 9, "Got size %s.\n",
       wine_dbgstr_longlong(info.EndOfFile.QuadPart));
    ok(info.FileAttributes == FILE_ATTRIBUTE_ARCHIVE, "Got attributes %#lx.\n",
       info.FileAttributes);
    ok(!info.ReparseTag, "Got tag %#lx.\n", info.ReparseTag);
    ok(info.CreationTime.QuadPart == metadata.CreationTime.QuadPart, "Got creation time %s.\n",
       wine_dbgstr_longlong(info.CreationTime.QuadPart));
    ok(info.LastWriteTime.QuadPart == metadata.LastWriteTime.QuadPart, "Got write time %s.\n",
       wine_dbgstr_longlong(info.LastWriteTime.QuadPart));
    ok(info.ChangeTime.QuadPart == metadata.ChangeTime.QuadPart, "Got change time %s.\n",
       wine_dbgstr_longlong(info.ChangeTime.QuadPart));
    ok(info.LastAccessTime.QuadPart == metadata.LastAccessTime.QuadPart, "Got access time %s.\n",
       wine_dbgstr_longlong(info.LastAccessTime.QuadPart));

    hr = pCimGetFileStatBasicInformation(work_path(L"new.cim"), L"dir", &info);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY, "Got attributes %#lx.\n",
       info.FileAttributes);

    hr = pCimGetFileStatBasicInformation(work_path(L"new.cim"), L"dir\\flags", &info);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(info.FileAttributes == (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN),
       "Got attributes %#lx.\n", info.FileAttributes);

    hr = pCimGetFileStatBasicInformation(work_path(L"new.cim"), L"missing", &info);
    ok(FAILED(hr), "No such file: got hr %#lx.\n", hr);
    hr = pCimGetFileStatBasicInformation(work_path(L"missing.cim"), L"file", &info);
    ok(FAILED(hr), "No such image: got hr %#lx.\n", hr);
}

static void test_CimLookupFile(void)
{
    CIMFS_IMAGE_HANDLE image;
    BOOLEAN exists;
    HRESULT hr;

    if (!pCimLookupFile) return;

    make_image(L"base.cim", L"inherited", "text");
    image = create_image(L"base.cim", L"new.cim");
    add_file(image, L"file", "text");
    exists = FALSE;
    hr = pCimLookupFile(image, L"file", &exists);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(exists == TRUE, "Got %u.\n", exists);
    exists = FALSE;
    hr = pCimLookupFile(image, L"inherited", &exists);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(exists == TRUE, "Got %u.\n", exists);
    exists = FALSE;
    hr = pCimLookupFile(image, L"missing", &exists);
    ok(FAILED(hr) || !exists, "Got hr %#lx, %u.\n", hr, exists);
    pCimCloseImage(image);
}

/***********************************************************************
 * mounting
 */

static GUID volume_ids[2];

/* \\?\Volume{GUID}\path */
static const WCHAR *volume_path(int volume, const WCHAR *path)
{
    static WCHAR paths[4][MAX_PATH];
    static unsigned int next;
    WCHAR *ret = paths[next++ % ARRAY_SIZE(paths)];
    const GUID *id = &volume_ids[volume];

    swprintf(ret, MAX_PATH,
             L"\\\\?\\Volume{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}\\%ls", id->Data1,
             id->Data2, id->Data3, id->Data4[0], id->Data4[1], id->Data4[2], id->Data4[3],
             id->Data4[4], id->Data4[5], id->Data4[6], id->Data4[7], path);
    return ret;
}

/* Two GUIDs that nobody else has. */
static void make_volume_ids(void)
{
    LARGE_INTEGER counter;
    int i;

    for (i = 0; i < 2; i++)
    {
        QueryPerformanceCounter(&counter);
        volume_ids[i].Data1 = 0xc1f57e57;
        volume_ids[i].Data2 = i;
        volume_ids[i].Data3 = 0x4000;
        memcpy(volume_ids[i].Data4, &counter.QuadPart, 8);
        volume_ids[i].Data4[0] = 0x80;
        volume_ids[i].Data4[7] = GetCurrentProcessId() / 4;
    }
}

static HANDLE open_on_volume(const WCHAR *path, DWORD access)
{
    return CreateFileW(volume_path(0, path), access, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
}

#define check_volume_file(volume, path, text) check_volume_file_(__LINE__, volume, path, text)
static void check_volume_file_(int line, int volume, const WCHAR *path, const char *text)
{
    DWORD size;
    char *data = load_file(volume_path(volume, path), &size);

    ok_(__FILE__, line)(!!data, "Can't read %s, error %lu.\n", debugstr_w(path), GetLastError());
    if (data)
        ok_(__FILE__, line)(size == strlen(text) && !memcmp(data, text, size), "Got %s.\n",
                            wine_dbgstr_an(data, size));
    free(data);
}

static const WCHAR file_sddl[] = L"D:(A;;FA;;;SY)(A;;FR;;;BA)(A;;0x1200a9;;;WD)";
static const BYTE file_ea[] = {0, 0, 0, 0, 0, 4, 3, 0, 'N', 'A', 'M', 'E', 0, 1, 2, 3};
/* A symbolic link to the file "dir", relative. */
static const BYTE link_reparse[] = {
        0x0c, 0, 0, 0xa0, 24,  0, 0,   0, 6,   0, 6,   0, 0,   0, 6,   0,
        1,    0, 0, 0,    'd', 0, 'i', 0, 'r', 0, 'd', 0, 'i', 0, 'r', 0,
};

static void make_mount_image(void)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    CIMFS_FILE_METADATA metadata;
    PSECURITY_DESCRIPTOR sd;
    CIMFS_IMAGE_HANDLE image;
    ULONG sd_size;
    HRESULT hr;
    BOOL ret;

    image = create_image(NULL, L"mounted.cim");
    add_dir(image, L"dir");
    add_file(image, L"dir\\File", "text");
    hr = pCimCreateHardLink(image, L"dir\\link", L"dir\\File");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    add_file(image, L"dir\\other", "other");
    add_file(image, L"streams", "default");
    add_stream(image, L"streams:first", "stream");
    add_stream(image, L"streams:second:$DATA", "second stream");
    pCimCloseStream(create_file(image, L"readonly", FILE_ATTRIBUTE_READONLY, 0));
    pCimCloseStream(create_file(image, L"hidden", FILE_ATTRIBUTE_HIDDEN, 0));
    pCimCloseStream(create_file(image, L"system", FILE_ATTRIBUTE_SYSTEM, 0));
    pCimCloseStream(create_file(image, L"sparse", FILE_ATTRIBUTE_SPARSE_FILE, 100000));

    ret = ConvertStringSecurityDescriptorToSecurityDescriptorW(file_sddl, SDDL_REVISION_1, &sd,
                                                               &sd_size);
    ok(ret, "Got error %lu.\n", GetLastError());
    fill_metadata(&metadata, FILE_ATTRIBUTE_ARCHIVE, 0);
    metadata.SecurityDescriptorBuffer = sd;
    metadata.SecurityDescriptorSize = sd_size;
    metadata.EaBuffer = file_ea;
    metadata.EaBufferSize = sizeof(file_ea);
    hr = pCimCreateFile(image, L"secured", &metadata, &stream);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    pCimCloseStream(stream);
    LocalFree(sd);

    fill_metadata(&metadata, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT, 0);
    metadata.ReparseDataBuffer = link_reparse;
    metadata.ReparseDataSize = sizeof(link_reparse);
    hr = pCimCreateFile(image, L"symlink", &metadata, &stream);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    pCimCloseStream(stream);
    commit_and_close(image);
}

static void test_volume_attributes(void)
{
    static const struct
    {
        const WCHAR *path;
        DWORD mask, attributes;
        BOOL todo;
    } tests[] = {
            {L"", FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_DIRECTORY, FALSE},
            {L"dir", FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_DIRECTORY, FALSE},
            {L"dir\\File", ~0u, FILE_ATTRIBUTE_ARCHIVE, FALSE},
            {L"readonly", 7, FILE_ATTRIBUTE_READONLY, FALSE},
            {L"hidden", 7, FILE_ATTRIBUTE_HIDDEN, FALSE},
            {L"system", 7, FILE_ATTRIBUTE_SYSTEM, FALSE},
            {L"system", FILE_ATTRIBUTE_ARCHIVE, 0, TRUE},
            {L"sparse", FILE_ATTRIBUTE_SPARSE_FILE, FILE_ATTRIBUTE_SPARSE_FILE, TRUE},
            {L"symlink", FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_REPARSE_POINT, FALSE},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        DWORD attributes = GetFileAttributesW(volume_path(0, tests[i].path));

        winetest_push_context("%s", debugstr_w(tests[i].path));
        ok(attributes != INVALID_FILE_ATTRIBUTES, "Got error %lu.\n", GetLastError());
        todo_wine_if(tests[i].todo) ok((attributes & tests[i].mask) == tests[i].attributes,
                                       "Got attributes %#lx.\n", attributes);
        winetest_pop_context();
    }
}

static void test_volume_times(void)
{
    CIMFS_FILE_METADATA metadata;
    FILE_BASIC_INFO info;
    HANDLE file;
    BOOL ret;

    fill_metadata(&metadata, 0, 0);
    file = open_on_volume(L"dir\\File", FILE_READ_ATTRIBUTES);
    ok(file != INVALID_HANDLE_VALUE, "Got error %lu.\n", GetLastError());
    ret = GetFileInformationByHandleEx(file, FileBasicInfo, &info, sizeof(info));
    ok(ret, "Got error %lu.\n", GetLastError());
    CloseHandle(file);
    if (!ret) return;
    ok(info.LastWriteTime.QuadPart == metadata.LastWriteTime.QuadPart, "Got write time %s.\n",
       wine_dbgstr_longlong(info.LastWriteTime.QuadPart));
    todo_wine ok(info.CreationTime.QuadPart == metadata.CreationTime.QuadPart,
                 "Got creation time %s.\n", wine_dbgstr_longlong(info.CreationTime.QuadPart));
}

/* All names of a file have its id. */
static void test_volume_ids(void)
{
    static const WCHAR *const paths[] = {L"dir\\File", L"dir\\link", L"dir\\other"};
    /* FILE_ID_INFO, which not all headers have */
    struct
    {
        ULONGLONG serial;
        BYTE id[16];
    } info[ARRAY_SIZE(paths)];
    unsigned int i;
    HANDLE file;
    BOOL ret;

    memset(info, 0, sizeof(info));
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        file = open_on_volume(paths[i], FILE_READ_ATTRIBUTES);
        ok(file != INVALID_HANDLE_VALUE, "Got error %lu.\n", GetLastError());
        ret = GetFileInformationByHandleEx(file, FileIdInfo, &info[i], sizeof(info[i]));
        ok(ret, "Got error %lu.\n", GetLastError());
        CloseHandle(file);
    }
    ok(!memcmp(info[0].id, info[1].id, sizeof(info[0].id)), "The ids differ.\n");
    ok(memcmp(info[0].id, info[2].id, sizeof(info[0].id)), "Another file has the same id.\n");
}

static void test_volume_security(void)
{
    BYTE buffer[1024];
    WCHAR *sddl = NULL;
    DWORD size;
    BOOL ret;

    ret = GetFileSecurityW(volume_path(0, L"secured"), DACL_SECURITY_INFORMATION, buffer,
                           sizeof(buffer), &size);
    ok(ret, "Got error %lu.\n", GetLastError());
    if (!ret) return;
    ret = ConvertSecurityDescriptorToStringSecurityDescriptorW(
            buffer, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &sddl, NULL);
    ok(ret, "Got error %lu.\n", GetLastError());
    todo_wine ok(sddl && !lstrcmpW(sddl, file_sddl), "Got %s.\n", debugstr_w(sddl));
    LocalFree(sddl);
}

static void test_volume_ea(void)
{
    BYTE buffer[64] = {0};
    IO_STATUS_BLOCK io;
    NTSTATUS status;
    HANDLE file;

    file = open_on_volume(L"secured", FILE_READ_EA);
    ok(file != INVALID_HANDLE_VALUE, "Got error %lu.\n", GetLastError());
    status = pNtQueryEaFile(file, &io, buffer, sizeof(buffer), FALSE, NULL, 0, NULL, TRUE);
    todo_wine
    {
        ok(!status, "Got status %#lx.\n", status);
        ok(!memcmp(buffer, file_ea, sizeof(file_ea)), "Got other attributes.\n");
    }
    CloseHandle(file);
}

static void test_volume_reparse(void)
{
    BYTE buffer[1024] = {0};
    DWORD size = 0;
    HANDLE file;
    BOOL ret;

    file = open_on_volume(L"symlink", FILE_READ_ATTRIBUTES);
    ok(file != INVALID_HANDLE_VALUE, "Got error %lu.\n", GetLastError());
    ret = DeviceIoControl(file, FSCTL_GET_REPARSE_POINT, NULL, 0, buffer, sizeof(buffer), &size,
                          NULL);
    ok(ret, "FSCTL_GET_REPARSE_POINT: got error %lu.\n", GetLastError());
    ok(size == sizeof(link_reparse) && !memcmp(buffer, link_reparse, sizeof(link_reparse)),
       "FSCTL_GET_REPARSE_POINT: got %lu other bytes.\n", size);
    CloseHandle(file);

    /* And it leads somewhere. */
    check_volume_file(0, L"symlink\\File", "text");
}

static void test_volume_streams(void)
{
    WIN32_FIND_STREAM_DATA data;
    HANDLE find;

    check_volume_file(0, L"streams", "default");
    check_volume_file(0, L"streams:first", "stream");
    check_volume_file(0, L"streams:second", "second stream");

    find = FindFirstStreamW(volume_path(0, L"streams"), FindStreamInfoStandard, &data, 0);
    todo_wine ok(find != INVALID_HANDLE_VALUE, "Got error %lu.\n", GetLastError());
    if (find != INVALID_HANDLE_VALUE)
    {
        int count = 1;

        while (FindNextStreamW(find, &data)) count++;
        FindClose(find);
        ok(count == 3, "Got %d streams.\n", count);
    }

    find = FindFirstStreamW(volume_path(0, L"dir"), FindStreamInfoStandard, &data, 0);
    ok(find == INVALID_HANDLE_VALUE, "A directory has a stream.\n");
    ok(GetLastError() == ERROR_HANDLE_EOF, "Got error %lu.\n", GetLastError());
}

static void test_volume_readonly(void)
{
    HANDLE file;
    DWORD error;
    BOOL ret;

    file = CreateFileW(volume_path(0, L"new"), GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
    error = GetLastError();
    ok(file == INVALID_HANDLE_VALUE, "A file was created.\n");
    todo_wine ok(error == ERROR_WRITE_PROTECT || broken(error == ERROR_ACCESS_DENIED),
                 "Got error %lu.\n", error);

    file = open_on_volume(L"dir\\File", GENERIC_WRITE);
    error = GetLastError();
    ok(file == INVALID_HANDLE_VALUE, "A file was opened for writing.\n");
    todo_wine ok(error == ERROR_WRITE_PROTECT || broken(error == ERROR_ACCESS_DENIED),
                 "Got error %lu.\n", error);

    ret = DeleteFileW(volume_path(0, L"dir\\other"));
    todo_wine ok(!ret, "DeleteFile succeeded.\n");
    ok(file_exists(volume_path(0, L"dir\\other")), "A file was deleted.\n");
}

static void test_volume_management(void)
{
    WCHAR name[MAX_PATH], fs_name[MAX_PATH] = L"", point[MAX_PATH];
    BOOL ret, found = FALSE;
    HANDLE find;

    ret = GetVolumeInformationW(volume_path(0, L""), NULL, 0, NULL, NULL, NULL, fs_name, MAX_PATH);
    todo_wine ok(ret && !lstrcmpiW(fs_name, L"cimfs"), "Got %d, file system %s.\n", ret,
                 debugstr_w(fs_name));

    find = FindFirstVolumeW(name, ARRAY_SIZE(name));
    ok(find != INVALID_HANDLE_VALUE, "Got error %lu.\n", GetLastError());
    if (find != INVALID_HANDLE_VALUE)
    {
        do
            if (!lstrcmpiW(name, volume_path(0, L""))) found = TRUE;
        while (FindNextVolumeW(find, name, ARRAY_SIZE(name)));
        FindVolumeClose(find);
        todo_wine ok(found, "The volume is not listed.\n");
    }

    lstrcpyW(point, work_path(L"point\\"));
    CreateDirectoryW(point, NULL);
    ret = SetVolumeMountPointW(point, volume_path(0, L""));
    ok(ret, "SetVolumeMountPoint: got error %lu.\n", GetLastError());
    if (ret)
    {
        lstrcpyW(name, point);
        lstrcatW(name, L"dir\\File");
        ok(file_exists(name), "%s is not there.\n", debugstr_w(name));
        ret = DeleteVolumeMountPointW(point);
        todo_wine ok(ret, "Got error %lu.\n", GetLastError());
    }
    /* The mount point, if it is one still, without the backslash that would lead through it. */
    RemoveDirectoryW(work_path(L"point"));
}

static void test_mount_errors(void)
{
    HRESULT hr;

    hr = pCimMountImage(work_dir, L"mounted.cim", (CIM_MOUNT_IMAGE_FLAGS)0x40000000,
                        &volume_ids[1]);
    ok(hr == E_INVALIDARG, "An unknown flag: got hr %#lx.\n", hr);
    hr = pCimMountImage(work_path(L"missing"), L"mounted.cim", CIM_MOUNT_IMAGE_NONE,
                        &volume_ids[1]);
    ok(hr == HR_PATH_NOT_FOUND, "No such directory: got hr %#lx.\n", hr);
    hr = pCimMountImage(work_dir, L"missing.cim", CIM_MOUNT_IMAGE_NONE, &volume_ids[1]);
    ok(hr == HR_FILE_NOT_FOUND, "No such image: got hr %#lx.\n", hr);
    hr = pCimMountImage(work_dir, L"mounted.cim", CIM_MOUNT_IMAGE_NONE, &volume_ids[0]);
    ok(hr == HR_ALREADY_EXISTS, "A GUID in use: got hr %#lx.\n", hr);
    make_image(L"magic.cim", L"file", "text");
    patch_file(work_path(L"magic.cim"), 0, 'x');
    hr = pCimMountImage(work_dir, L"magic.cim", CIM_MOUNT_IMAGE_NONE, &volume_ids[1]);
    ok(hr == HRESULT_FROM_WIN32(ERROR_CIMFS_IMAGE_CORRUPT) || broken(FAILED(hr)),
       "A corrupt image: got hr %#lx.\n", hr);
    make_image(L"version.cim", L"file", "text");
    patch_file(work_path(L"version.cim"), 16, 99);
    hr = pCimMountImage(work_dir, L"version.cim", CIM_MOUNT_IMAGE_NONE, &volume_ids[1]);
    ok(hr == HRESULT_FROM_WIN32(ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED) || broken(FAILED(hr)),
       "An unknown version: got hr %#lx.\n", hr);
    hr = pCimDismountImage(&volume_ids[1]);
    ok(hr == HR_FILE_NOT_FOUND, "No such volume: got hr %#lx.\n", hr);
}

/* What may be done with an image that is mounted. */
static void test_mounted_image(void)
{
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr;

    image = create_image(L"mounted.cim", NULL);
    add_file(image, L"late", "late");
    hr = pCimCommitImage(image);
    ok(hr == HR_SHARING_VIOLATION, "Got hr %#lx.\n", hr);
    pCimCloseImage(image);
    ok(!file_exists(volume_path(0, L"late")), "The volume has changed.\n");

    image = create_image(L"mounted.cim", L"fork.cim");
    hr = pCimDeletePath(image, L"dir\\File");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    add_dir(image, L"added");
    commit_and_close(image);

    hr = pCimMountImage(work_dir, L"fork.cim", CIM_MOUNT_IMAGE_NONE, &volume_ids[1]);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    if (hr != S_OK) return;
    check_volume_file(1, L"dir\\link", "text");
    check_volume_file(0, L"dir\\File", "text");
    ok(file_exists(volume_path(1, L"added")), "The fork's directory is missing.\n");
    ok(!file_exists(volume_path(0, L"added")), "The fork's directory is in its base.\n");
    hr = pCimDismountImage(&volume_ids[1]);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);

    /* The same image under two GUIDs. */
    hr = pCimMountImage(work_dir, L"mounted.cim", CIM_MOUNT_IMAGE_NONE, &volume_ids[1]);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    check_volume_file(1, L"dir\\File", "text");
    hr = pCimDismountImage(&volume_ids[1]);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(!file_exists(volume_path(1, L"")), "The volume is still there.\n");
    check_volume_file(0, L"dir\\File", "text");
}

/* What a mount that is to succeed has answered. */
#define is_mounted(hr) is_mounted_(__LINE__, hr)
static BOOL is_mounted_(int line, HRESULT hr)
{
    if (hr == E_ACCESSDENIED || hr == HR_PRIVILEGE_NOT_HELD || broken(hr == HR_NOT_SUPPORTED))
    {
        skip("Can't mount here, hr %#lx: on Windows administrators can.\n", hr);
        return FALSE;
    }
    todo_wine_if(hr == HR_NOT_SUPPORTED)
            ok_(__FILE__, line)(hr == S_OK, "Mounting: got hr %#lx.\n", hr);
    return hr == S_OK;
}

#define unmount(volume) unmount_(__LINE__, volume)
static void unmount_(int line, int volume)
{
    HRESULT hr = pCimDismountImage(&volume_ids[volume]);

    ok_(__FILE__, line)(hr == S_OK, "CimDismountImage: got hr %#lx.\n", hr);
}

static void test_mount(void)
{
    HRESULT hr;

    make_volume_ids();
    make_mount_image();
    hr = pCimMountImage(work_dir, L"mounted.cim", CIM_MOUNT_IMAGE_NONE, &volume_ids[0]);
    if (!is_mounted(hr)) return;

    check_volume_file(0, L"dir\\File", "text");
    check_volume_file(0, L"DIR\\fILE", "text");
    check_volume_file(0, L"dir\\link", "text");
    ok(!file_exists(volume_path(0, L"missing")), "A file too many.\n");
    ok(GetLastError() == ERROR_FILE_NOT_FOUND, "Got error %lu.\n", GetLastError());
    test_mount_errors();
    test_volume_attributes();
    test_volume_times();
    test_volume_ids();
    test_volume_security();
    test_volume_ea();
    test_volume_reparse();
    test_volume_streams();
    test_volume_readonly();
    test_volume_management();
    test_mounted_image();

    hr = pCimDismountImage(&volume_ids[0]);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(!file_exists(volume_path(0, L"")), "The volume is still there.\n");
    hr = pCimDismountImage(&volume_ids[0]);
    ok(hr == HR_FILE_NOT_FOUND, "Got hr %#lx.\n", hr);
}

/* Images in one file, as clients make, seal and read them. */
static void test_single_file(void)
{
    const UINT32 flags =
            CIM_CREATE_IMAGE_SINGLE_FILE | CIM_CREATE_CONSISTENT_CIMS | CIM_CREATE_VERIFIED;
    UINT64 size = 0, signature_size = 0, header_size = 0, read = 0, remaining = 0;
    CIMFS_IMAGE_HANDLE image = NULL;
    BYTE hash[32] = {0}, again[32] = {0};
    WCHAR path[MAX_PATH];
    char buffer[16] = "";
    UINT32 sealed = 0;
    HRESULT hr;

    if (!pCimCreateImage2 || !pCimReadFile2 || !pCimSealImage) return;
    lstrcpyW(path, work_path(L"layer.bcim"));
    hr = pCimCreateImage2(path, (CIM_CREATE_IMAGE_FLAGS)flags, NULL, L"layer.cim", &image);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    if (hr) return;
    add_dir(image, L"dir");
    add_file(image, L"dir\\file", "text");
    hr = pCimTombstoneFile(image, L"no\\such\\path");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    hr = pCimCreateMergeLink(image, L"link", L"not there");
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    commit_and_close(image);

    hr = pCimGetVerificationInformation(path, &sealed, &size, &signature_size, &header_size, again,
                                        NULL);
    ok(FAILED(hr) || !sealed, "Got hr %#lx, sealed %u.\n", hr, sealed);
    size = 0;
    hr = pCimSealImage(path, &size, &header_size, hash);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(size == sizeof(hash), "Got size %s.\n", wine_dbgstr_longlong(size));
    size = 0;
    hr = pCimGetVerificationInformation(path, &sealed, &size, &signature_size, &header_size, again,
                                        NULL);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(sealed, "Not sealed.\n");
    ok(size == sizeof(hash), "Got size %s.\n", wine_dbgstr_longlong(size));
    ok(!memcmp(hash, again, sizeof(hash)), "Another hash.\n");

    lstrcatW(path, L"\\layer.cim");
    hr = pCimReadFile2(path, L"dir\\file", 0, buffer, sizeof(buffer), &read, &remaining, 1);
    ok(hr == S_OK, "Got hr %#lx.\n", hr);
    ok(read == 4 && !remaining && !memcmp(buffer, "text", 4), "Got %s.\n",
       wine_dbgstr_an(buffer, 4));
}

/* An image of a container in the directory; NULL: this Windows has none. */
#define create_in(container, flags, name) create_in_(__LINE__, container, flags, name)
static CIMFS_IMAGE_HANDLE create_in_(int line, const WCHAR *container, UINT32 flags,
                                     const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr;

    hr = pCimCreateImage2(work_path(container),
                          (CIM_CREATE_IMAGE_FLAGS)(CIM_CREATE_IMAGE_SINGLE_FILE | flags), NULL,
                          name, &image);
    ok_(__FILE__, line)(hr == S_OK || broken(hr == E_INVALIDARG || hr == HR_NOT_SUPPORTED),
                        "CimCreateImage2: got hr %#lx.\n", hr);
    if (hr) win_skip("Images in a single file: got hr %#lx.\n", hr);
    return image;
}

static CimFsImagePath image_path(WCHAR container[MAX_PATH], const WCHAR *file, const WCHAR *name)
{
    CimFsImagePath path = {container, name};

    lstrcpyW(container, work_path(file));
    return path;
}

#define add_source(image, source, flags) add_source_(__LINE__, image, source, flags)
static void add_source_(int line, CIMFS_IMAGE_HANDLE image, const WCHAR *source, UINT32 flags)
{
    HRESULT hr = pCimAddFsToMergedImage2(image, work_path(source), flags);

    ok_(__FILE__, line)(hr == S_OK, "CimAddFsToMergedImage2: got hr %#lx.\n", hr);
}

#define seal(container, hash) seal_(__LINE__, container, hash)
static void seal_(int line, const WCHAR *container, BYTE hash[32])
{
    UINT64 size = 0, header_size = 0;
    HRESULT hr = pCimSealImage(work_path(container), &size, &header_size, hash);

    ok_(__FILE__, line)(hr == S_OK && size == 32, "CimSealImage: got hr %#lx, size %s.\n", hr,
                        wine_dbgstr_longlong(size));
}

/* As a fixed VHD's footer lies behind a container. */
static void append_sector(const WCHAR *path)
{
    HANDLE file = CreateFileW(path, FILE_APPEND_DATA, 0, NULL, OPEN_EXISTING, 0, NULL);
    BYTE sector[512] = {'c', 'o', 'n', 'e', 'c', 't', 'i', 'x'};
    DWORD written = 0;
    BOOL ret;

    ok(file != INVALID_HANDLE_VALUE, "Got error %lu.\n", GetLastError());
    ok(!(GetFileSize(file, NULL) % sizeof(sector)), "Got size %lu.\n", GetFileSize(file, NULL));
    ret = WriteFile(file, sector, sizeof(sector), &written, NULL);
    ok(ret && written == sizeof(sector), "Got error %lu.\n", GetLastError());
    CloseHandle(file);
}

static void test_single_file_mount(void)
{
    CIMFS_IMAGE_HANDLE image;
    WCHAR path[MAX_PATH];
    HRESULT hr;

    if (!pCimCreateImage2 || !pCimMergeMountImage) return;
    make_volume_ids();
    /* A container and an image in it may have one name. */
    if (!(image = create_in(L"layer.cim", CIM_CREATE_CONSISTENT_CIMS, L"layer.cim"))) return;
    add_file(image, L"foobar.txt", "some content 123");
    add_dir(image, L"foo");
    add_file(image, L"foo\\bar.txt", "more content!");
    commit_and_close(image);
    lstrcpyW(path, work_path(L"layer.cim"));

    hr = pCimMountImage(path, L"missing.cim", CIM_MOUNT_SINGLE_FILE, &volume_ids[0]);
    ok(FAILED(hr), "No such image: got hr %#lx.\n", hr);
    hr = pCimMountImage(path, L"layer.cim", CIM_MOUNT_SINGLE_FILE, &volume_ids[0]);
    if (!is_mounted(hr)) return;
    check_volume_file(0, L"foobar.txt", "some content 123");
    check_volume_file(0, L"FOO\\bar.txt", "more content!");
    ok(!file_exists(volume_path(0, L"foo\\foobar.txt")), "A file too many.\n");
    unmount(0);

    append_sector(path);
    hr = pCimMountImage(path, L"layer.cim", CIM_MOUNT_SINGLE_FILE, &volume_ids[0]);
    if (!is_mounted(hr)) return;
    check_volume_file(0, L"foobar.txt", "some content 123");
    unmount(0);
    /* All of it is in the one file. */
    ok(DeleteFileW(path), "Got error %lu.\n", GetLastError());
    ok(RemoveDirectoryW(work_dir), "Got error %lu.\n", GetLastError());
    ok(CreateDirectoryW(work_dir, NULL), "Got error %lu.\n", GetLastError());
}

/* Reading without a mount, as clients do: in small steps until nothing remains. */
static void test_CimReadFile2(void)
{
    static const UINT32 sizes[] = {0, 1, 511, 512, 513, 1535, 1536, 1537};
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_IMAGE_HANDLE image;
    BYTE data[1537], got[2048];
    CIMFS_STREAM_HANDLE stream;
    WCHAR path[MAX_PATH], name[8];
    UINT64 read, remaining, offset;
    unsigned int i;
    HRESULT hr;

    if (!pCimCreateImage2 || !pCimReadFile2 || !pCimGetFileStatBasicInformation2) return;
    for (i = 0; i < sizeof(data); i++) data[i] = i * 7 + i / 256;
    if (!(image = create_in(L"layer.bcim", 0, L"layer.cim"))) return;
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        swprintf(name, ARRAY_SIZE(name), L"%u", i);
        stream = create_file(image, name, FILE_ATTRIBUTE_NORMAL, sizes[i]);
        hr = pCimWriteStream(stream, data, sizes[i]);
        ok(hr == S_OK, "Got hr %#lx.\n", hr);
        pCimCloseStream(stream);
    }
    commit_and_close(image);
    lstrcpyW(path, work_path(L"layer.bcim\\layer.cim"));
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        winetest_push_context("%u bytes", sizes[i]);
        swprintf(name, ARRAY_SIZE(name), L"%u", i);
        memset(&info, 0xcc, sizeof(info));
        hr = pCimGetFileStatBasicInformation2(path, name, &info, 1);
        ok(hr == S_OK, "Got hr %#lx.\n", hr);
        ok(info.EndOfFile.QuadPart == sizes[i], "Got size %s.\n",
           wine_dbgstr_longlong(info.EndOfFile.QuadPart));
        offset = 0;
        do
        {
            read = remaining = ~(UINT64)0;
            hr = pCimReadFile2(path, name, offset, got + offset, 512, &read, &remaining, 1);
            ok(hr == S_OK, "Got hr %#lx.\n", hr);
            ok(read <= 512 && remaining == sizes[i] - offset - read, "Got %s, %s remaining.\n",
               wine_dbgstr_longlong(read), wine_dbgstr_longlong(remaining));
            if (hr || read > 512) break;
            offset += read;
        } while (read && remaining && offset < sizes[i]);
        ok(offset == sizes[i] && !memcmp(got, data, sizes[i]), "Got other data.\n");
        winetest_pop_context();
    }
    hr = pCimReadFile2(path, L"missing", 0, got, 512, &read, &remaining, 1);
    ok(hr == HR_FILE_NOT_FOUND, "Got hr %#lx.\n", hr);
    hr = pCimGetFileStatBasicInformation2(path, L"missing", &info, 1);
    ok(hr == HR_FILE_NOT_FOUND, "Got hr %#lx.\n", hr);
}

static void add_base_layer(CIMFS_IMAGE_HANDLE image)
{
    add_file(image, L"foobar.txt", "some content 123");
    add_file(image, L"gone.txt", "gone");
    add_dir(image, L"foo");
    add_file(image, L"foo\\bar.txt", "more content!");
    add_file(image, L"foo\\gone.txt", "gone");
    add_dir(image, L"opaque");
    add_file(image, L"opaque\\old.txt", "old");
}

/* What an import of a layer does to the one below it. */
static void add_upper_layer(CIMFS_IMAGE_HANDLE image)
{
    HRESULT hr;

    add_file(image, L"foobar.txt", "upper");
    hr = pCimTombstoneFile(image, L"gone.txt");
    ok(hr == S_OK, "A file: got hr %#lx.\n", hr);
    hr = pCimTombstoneFile(image, L"foo\\gone.txt");
    ok(hr == S_OK, "Below a directory that the image has not: got hr %#lx.\n", hr);
    hr = pCimTombstoneFile(image, L"no\\such\\path");
    ok(hr == S_OK, "Of nothing: got hr %#lx.\n", hr);
    hr = pCimTombstoneFile(image, L"opaque");
    ok(hr == S_OK, "A directory: got hr %#lx.\n", hr);
    add_dir(image, L"opaque");
    add_file(image, L"opaque\\new.txt", "new");
    hr = pCimCreateMergeLink(image, L"b_link.txt", L"foo\\bar.txt");
    ok(hr == S_OK, "To the layer below: got hr %#lx.\n", hr);
    hr = pCimCreateMergeLink(image, L"a_link.txt", L"b_link.txt");
    ok(hr == S_OK, "To a merge link: got hr %#lx.\n", hr);
}

/* The two layers, with the upper one on top. */
static void check_merged_volume(void)
{
    check_volume_file(0, L"foobar.txt", "upper");
    check_volume_file(0, L"foo\\bar.txt", "more content!");
    check_volume_file(0, L"opaque\\new.txt", "new");
    check_volume_file(0, L"b_link.txt", "more content!");
    check_volume_file(0, L"a_link.txt", "more content!");
    ok(!file_exists(volume_path(0, L"gone.txt")), "gone.txt is there.\n");
    ok(GetLastError() == ERROR_FILE_NOT_FOUND, "Got error %lu.\n", GetLastError());
    ok(!file_exists(volume_path(0, L"foo\\gone.txt")), "foo\\gone.txt is there.\n");
    ok(!file_exists(volume_path(0, L"opaque\\old.txt")), "opaque\\old.txt is there.\n");
    ok(!file_exists(volume_path(0, L"no")), "no is there.\n");
}

/* The images as for a merge mount, the merged one first; FALSE: this Windows has none. */
static BOOL make_merged(UINT32 flags, UINT32 source_flags, BYTE hashes[3][32])
{
    CIMFS_IMAGE_HANDLE image;

    if (!(image = create_in(L"base.bcim", flags, L"base.cim"))) return FALSE;
    add_base_layer(image);
    commit_and_close(image);
    if (!(image = create_in(L"upper.bcim", flags, L"upper.cim"))) return FALSE;
    add_upper_layer(image);
    commit_and_close(image);
    if (hashes)
    {
        seal(L"base.bcim", hashes[2]);
        seal(L"upper.bcim", hashes[1]);
    }
    if (!(image = create_in(L"merged.bcim", flags, L"merged.cim"))) return FALSE;
    add_source(image, L"upper.bcim\\upper.cim", source_flags);
    add_source(image, L"base.bcim\\base.cim", source_flags);
    commit_and_close(image);
    if (hashes) seal(L"merged.bcim", hashes[0]);
    return TRUE;
}

static void test_merged_images(void)
{
    WCHAR containers[3][MAX_PATH];
    CimFsImagePath images[3];
    HRESULT hr;

    if (!pCimCreateImage2 || !pCimMergeMountImage || !pCimAddFsToMergedImage2) return;
    make_volume_ids();
    if (!make_merged(CIM_CREATE_CONSISTENT_CIMS, CIM_MERGE_SINGLE_FILE, NULL)) return;
    images[0] = image_path(containers[0], L"merged.bcim", L"merged.cim");
    images[1] = image_path(containers[1], L"upper.bcim", L"upper.cim");
    images[2] = image_path(containers[2], L"base.bcim", L"base.cim");
    hr = pCimMergeMountImage(3, images, CIM_MOUNT_SINGLE_FILE, &volume_ids[0]);
    if (!is_mounted(hr)) return;
    check_merged_volume();
    unmount(0);

    hr = pCimMergeMountImage(0, images, CIM_MOUNT_SINGLE_FILE, &volume_ids[0]);
    ok(FAILED(hr), "No image: got hr %#lx.\n", hr);
    images[2].ImageName = L"missing.cim";
    hr = pCimMergeMountImage(3, images, CIM_MOUNT_SINGLE_FILE, &volume_ids[0]);
    ok(FAILED(hr), "A source that is missing: got hr %#lx.\n", hr);
    hr = pCimDismountImage(&volume_ids[0]);
    ok(hr == HR_FILE_NOT_FOUND, "Got hr %#lx.\n", hr);
}

static void test_verified_images(void)
{
    const UINT32 flags = CIM_CREATE_CONSISTENT_CIMS | CIM_CREATE_VERIFIED;
    UINT64 size = 0, signature_size = 0, header_size = 0;
    WCHAR containers[3][MAX_PATH];
    CIMFS_IMAGE_HANDLE image;
    CimFsImagePath images[3];
    BYTE hashes[3][32], hash[32];
    UINT32 sealed = 0;
    HRESULT hr;

    if (!pCimCreateImage2 || !pCimMountVerifiedImage || !pCimMergeMountVerifiedImage) return;
    make_volume_ids();
    if (!make_merged(flags, CIM_MERGE_SINGLE_FILE | CIM_MERGE_VERIFIED, hashes)) return;
    images[0] = image_path(containers[0], L"merged.bcim", L"merged.cim");
    images[1] = image_path(containers[1], L"upper.bcim", L"upper.cim");
    images[2] = image_path(containers[2], L"base.bcim", L"base.cim");
    append_sector(containers[2]);
    hr = pCimGetVerificationInformation(containers[2], &sealed, &size, &signature_size,
                                        &header_size, hash, NULL);
    ok(hr == S_OK && sealed, "Got hr %#lx, sealed %u.\n", hr, sealed);
    ok(size == 32 && !memcmp(hash, hashes[2], 32), "Got another hash.\n");

    hr = pCimMountVerifiedImage(containers[2], L"base.cim", CIM_MOUNT_SINGLE_FILE, &volume_ids[0],
                                32, hashes[2]);
    if (!is_mounted(hr)) return;
    check_volume_file(0, L"foobar.txt", "some content 123");
    unmount(0);
    hash[31] ^= 1;
    hr = pCimMountVerifiedImage(containers[2], L"base.cim", CIM_MOUNT_SINGLE_FILE, &volume_ids[0],
                                32, hash);
    ok(FAILED(hr), "A wrong hash: got hr %#lx.\n", hr);
    /* Without a root hash it is checked against its own. */
    hr = pCimMountImage(containers[2], L"base.cim", CIM_MOUNT_SINGLE_FILE, &volume_ids[0]);
    if (is_mounted(hr))
    {
        check_volume_file(0, L"foo\\bar.txt", "more content!");
        unmount(0);
    }

    hr = pCimMergeMountVerifiedImage(3, images, CIM_MOUNT_SINGLE_FILE, &volume_ids[0], 32,
                                     hashes[0]);
    if (is_mounted(hr))
    {
        check_merged_volume();
        unmount(0);
    }
    hr = pCimMergeMountVerifiedImage(3, images, CIM_MOUNT_SINGLE_FILE, &volume_ids[0], 32,
                                     hashes[1]);
    ok(FAILED(hr), "A source's hash: got hr %#lx.\n", hr);

    if (!(image = create_in(L"open.bcim", flags, L"open.cim"))) return;
    commit_and_close(image);
    hr = pCimMountVerifiedImage(work_path(L"open.bcim"), L"open.cim", CIM_MOUNT_SINGLE_FILE,
                                &volume_ids[0], 32, hashes[0]);
    ok(FAILED(hr), "Not sealed: got hr %#lx.\n", hr);
}

/* Each test in a directory of its own, which goes whatever happened in it. */
static void run_test(void (*test)(void))
{
    if (!make_work_dir())
    {
        ok(0, "Can't make a directory, error %lu.\n", GetLastError());
        return;
    }
    test();
    remove_dir(work_dir);
}

START_TEST(cimfs)
{
    if (!init_functions()) return;

    run_test(test_CimCreateImage);
    run_test(test_access);
    run_test(test_CimCreateImage2);
    run_test(test_CimCreateFile);
    run_test(test_attributes);
    run_test(test_CimCreateAlternateStream);
    run_test(test_CimCreateHardLink);
    run_test(test_CimWriteStream);
    run_test(test_close);
    run_test(test_CimDeletePath);
    run_test(test_CimCommitImage);
    run_test(test_extend);
    run_test(test_fork);
    run_test(test_files);
    run_test(test_bad_images);
    run_test(test_CimReadFile);
    run_test(test_CimGetFileStatBasicInformation);
    run_test(test_CimLookupFile);
    run_test(test_single_file);
    run_test(test_CimReadFile2);
    run_test(test_mount);
    run_test(test_single_file_mount);
    run_test(test_merged_images);
    run_test(test_verified_images);
}
