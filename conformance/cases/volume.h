/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.h - what the cases about mounted volumes share: mounting under a GUID of one's own, paths
 * below a volume's root, and looking at one file there
 */
#ifndef CIM_CASES_VOLUME_H
#define CIM_CASES_VOLUME_H

#include "../suite/suite.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define OPEN_ITEM (FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)

/* base.cim of make_base(), mounted. */
static inline const WCHAR *mount_base(void)
{
    make_base(case_dir());
    return mount_image(case_dir(), L"base.cim");
}

/* An image of the case's own, and it mounted. */
static inline CIMFS_IMAGE_HANDLE fresh(void)
{
    return open_image(case_dir(), NULL, L"a.cim");
}

static inline const WCHAR *mount_fresh(CIMFS_IMAGE_HANDLE image)
{
    commit_and_close(image);
    return mount_image(case_dir(), L"a.cim");
}

/* One item "f" with these metadata, mounted. */
static inline const WCHAR *mount_item(const CIMFS_FILE_METADATA *metadata)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    put_item(image, L"f", metadata, NULL, 0);
    return mount_fresh(image);
}

static inline const WCHAR *on(const WCHAR *root, const WCHAR *path)
{
    return format_wide(L"%ls%ls", root, path);
}

/* CimMountImage under a new GUID; a volume is dismounted with the case. */
static inline HRESULT mount_as(const WCHAR *dir, const WCHAR *name, UINT32 flags, GUID *guid)
{
    HRESULT hr;

    new_guid(guid);
    track_mount(guid);
    hr = cim.MountImage(dir, name, (CIM_MOUNT_IMAGE_FLAGS)flags, guid);
    if (FAILED(hr)) untrack_mount(guid);
    return hr;
}

static inline HRESULT dismount_guid(const GUID *guid)
{
    HRESULT hr = cim.DismountImage(guid);

    if (SUCCEEDED(hr)) untrack_mount(guid);
    return hr;
}

/* CimMountImage's answer; what it mounted is there, and is dismounted again. */
static inline HRESULT try_mount(const WCHAR *dir, const WCHAR *name, UINT32 flags)
{
    GUID guid;
    HRESULT hr = mount_as(dir, name, flags, &guid);

    if (FAILED(hr)) return hr;
    need(GetFileAttributesW(volume_root(&guid)) != INVALID_FILE_ATTRIBUTES, "no volume is there");
    dismount(volume_root(&guid));
    return hr;
}

/* What a call that answers TRUE for success has to say: 0 or the error. */
static inline DWORD error_of(BOOL success)
{
    return success ? 0 : GetLastError();
}

static inline DWORD open_error(const WCHAR *path, DWORD access, DWORD share, DWORD how, DWORD flags)
{
    HANDLE file = CreateFileW(path, access, share, NULL, how, flags, NULL);

    if (file == INVALID_HANDLE_VALUE) return GetLastError();
    CloseHandle(file);
    return 0;
}

/* Why there is nothing at a path; 0: there is. */
static inline DWORD path_error(const WCHAR *path)
{
    return GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES ? GetLastError() : 0;
}

/* A file's whole content is a text. */
static inline void check_content(const char *name, const WCHAR *path, const char *want)
{
    char label[40];
    size_t size;
    DWORD error;
    char *text = read_file(path, &size, &error);

    if (!text) snprintf(label, sizeof(label), "error %lu", error);
    check_text(name, text ? text : label, want);
    free(text);
}

static inline void see_content(const char *name, const WCHAR *path)
{
    size_t size;
    DWORD error;
    char *text = read_file(path, &size, &error);

    if (text)
        see_bytes(name, text, size);
    else
        see_error(name, error);
    free(text);
}

/* A handle to something that must be there; the item itself, not what it points to. */
static inline HANDLE open_item(const WCHAR *path, DWORD access)
{
    HANDLE file = CreateFileW(path, access, SHARE_ALL, NULL, OPEN_EXISTING, OPEN_ITEM, NULL);

    need(file != INVALID_HANDLE_VALUE, "can't open a mounted item: error %lu", GetLastError());
    return file;
}

#endif
