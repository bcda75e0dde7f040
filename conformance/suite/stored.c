/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stored.c - what an image holds after its commit
 *
 * CimReadFile and CimGetFileStatBasicInformation tell it without mounting. A DLL that has them not
 * (they came with Windows 11) is asked through a mount, which is made for that and dismounted with
 * the case; where mounting isn't possible either the case is skipped. No page says what the two
 * functions make of directories, streams and forks, nor which fields they fill in; so a required
 * case asks a foreign DLL for metadata through a mount where it can, and what such a DLL refuses to
 * tell is asked again through a mount, before a case takes it for missing.
 */
#include "internal.h"

static bool can_read(void)
{
    return has_export("CimReadFile") && has_export("CimGetFileStatBasicInformation");
}

static bool can_mount(void)
{
    return !facts.no_mount && facts.elevated;
}

static void need_mounting(void)
{
    if (!can_mount())
        skip_case("the DLL has no CimReadFile, or not for this, and mounting isn't possible");
}

/* Whether a failure may only mean that the two functions don't do such paths. */
static bool ask_again(const WCHAR *path, HRESULT hr)
{
    bool not_found = hr == HR_FILE_NOT_FOUND || hr == HR_PATH_NOT_FOUND;

    if (facts.ours || SUCCEEDED(hr)) return false;
    if (!wcschr(path, ':') && not_found) return can_mount() && case_is_required();
    return can_mount() || case_is_required();
}

/* A stat of nothing but zeros is no item's: our DLL answers 1 link for each. */
HRESULT stat_image(const WCHAR *image, const WCHAR *path, FILE_STAT_BASIC_INFORMATION *info)
{
    HRESULT hr;

    memset(info, 0x5a, sizeof(*info));
    hr = cim.GetFileStatBasicInformation(image, path, info);
    if (SUCCEEDED(hr) && facts.ours) need(info->NumberOfLinks == 1, "no stat came out");
    return hr;
}

/* The item itself, not what it points to. */
static HRESULT stat_volume(const WCHAR *path, FILE_STAT_BASIC_INFORMATION *info)
{
    HANDLE file = CreateFileW(
            path, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    FILE_ATTRIBUTE_TAG_INFO tag;
    FILE_STANDARD_INFO standard;
    FILE_BASIC_INFO basic;
    FILE_ID_INFO id;
    DWORD error = 0;

    if (file == INVALID_HANDLE_VALUE) return HRESULT_FROM_WIN32(GetLastError());
    if (!GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof(basic)) ||
        !GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof(standard)))
        error = GetLastError();
    else
    {
        info->FileAttributes = basic.FileAttributes;
        info->CreationTime = basic.CreationTime;
        info->LastAccessTime = basic.LastAccessTime;
        info->LastWriteTime = basic.LastWriteTime;
        info->ChangeTime = basic.ChangeTime;
        info->EndOfFile = standard.EndOfFile;
        info->AllocationSize = standard.AllocationSize;
        info->NumberOfLinks = standard.NumberOfLinks;
    }
    if (GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof(tag)))
        info->ReparseTag = tag.ReparseTag;
    if (GetFileInformationByHandleEx(file, FileIdInfo, &id, sizeof(id)))
        memcpy(&info->FileId, &id.FileId, sizeof(info->FileId));
    CloseHandle(file);
    return HRESULT_FROM_WIN32(error);
}

static HRESULT stat_mounted(const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                            FILE_STAT_BASIC_INFORMATION *info)
{
    const WCHAR *volume;
    HRESULT hr;

    need_mounting();
    volume = mount_image(dir, image);
    hr = stat_volume(format_wide(L"%ls%ls", volume, *path == '\\' ? path + 1 : path), info);
    dismount(volume);
    return hr;
}

HRESULT stored_stat(const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                    FILE_STAT_BASIC_INFORMATION *info)
{
    HRESULT hr;

    alive();
    /* (Wine's file layer shows less than an image holds.) */
    if (can_read() && (facts.ours || facts.wine || !case_is_required() || !can_mount()))
    {
        hr = stat_image(join(dir, image), path, info);
        if (!ask_again(path, hr)) return hr;
    }
    memset(info, 0, sizeof(*info));
    return stat_mounted(dir, image, path, info);
}

/* In pieces, as the function's only client does. */
static void *read_image(const WCHAR *image, const WCHAR *path, size_t *size, HRESULT *hr)
{
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got = 0, left = 1, done = 0;
    char *data;

    if (FAILED(*hr = stat_image(image, path, &info))) return NULL;
    if (info.EndOfFile.QuadPart < 0 || info.EndOfFile.QuadPart > 1 << 30) return NULL;
    data = calloc(1, info.EndOfFile.QuadPart + 1);
    while (data && left)
    {
        UINT64 room = info.EndOfFile.QuadPart - done;

        *hr = cim.ReadFile(image, path, done, data + done, room < 65536 ? room : 65536, &got,
                           &left);
        if (FAILED(*hr) || (left && !got) || got > room)
        {
            if (SUCCEEDED(*hr)) *hr = E_FAIL;
            free(data);
            return NULL;
        }
        done += got;
    }
    *size = done;
    return data;
}

void *stored_data(const WCHAR *dir, const WCHAR *image, const WCHAR *path, size_t *size,
                  HRESULT *hr)
{
    const WCHAR *volume;
    DWORD error = 0;
    void *data;

    alive();
    *size = 0;
    if (can_read())
    {
        data = read_image(join(dir, image), path, size, hr);
        if (data || !ask_again(path, *hr)) return data;
    }
    /* An image that can't be mounted can't be read. */
    need_mounting();
    if (FAILED(*hr = try_mount_image(dir, image, &volume))) return NULL;
    data = read_file(format_wide(L"%ls%ls", volume, path), size, &error);
    *hr = HRESULT_FROM_WIN32(error);
    dismount(volume);
    return data;
}

bool stored_exists(const WCHAR *dir, const WCHAR *image, const WCHAR *path)
{
    FILE_STAT_BASIC_INFORMATION info;

    alive();
    if (can_read())
    {
        HRESULT hr = stat_image(join(dir, image), path, &info);

        if (!ask_again(path, hr)) return SUCCEEDED(hr);
    }
    return SUCCEEDED(stat_mounted(dir, image, path, &info));
}

bool check_stored(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                  const void *data, size_t size)
{
    size_t got_size;
    HRESULT hr;
    void *got = stored_data(dir, image, path, &got_size, &hr);
    bool right = check_bytes(name, got, got_size, data, size);

    if (!got) note("%s can't be read: 0x%08lx", name, (unsigned long)hr);
    free(got);
    return right;
}

bool check_stored_text(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                       const char *text)
{
    return check_stored(name, dir, image, path, text, strlen(text));
}

bool check_exists(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                  bool want)
{
    FILE_STAT_BASIC_INFORMATION info;
    HRESULT hr = stored_stat(dir, image, path, &info);

    if (want) return check_hr(name, hr, S_OK);
    /* (An image that isn't there holds nothing, too.) */
    if (!file_exists(dir, image)) return check_text(name, "in no image", "in an image");
    return check_hr_in(name, hr, 2, HR_FILE_NOT_FOUND, HR_PATH_NOT_FOUND);
}

void see_stored(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path)
{
    size_t size;
    HRESULT hr;
    void *data = stored_data(dir, image, path, &size, &hr);

    if (data)
        see_bytes(name, data, size);
    else
        see_hr(name, hr);
    free(data);
}
