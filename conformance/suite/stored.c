/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stored.c - what an image holds after its commit
 *
 * CimReadFile and CimGetFileStatBasicInformation tell it without mounting. A DLL that has them not
 * (they came with Windows 11) is asked through a mount, which is made for that and dismounted with
 * the case; where mounting isn't possible either the case is skipped. No page says what the two
 * functions make of directories, streams and forks; so what a foreign DLL refuses to tell is asked
 * again through a mount, before a case takes it for missing.
 */
#include "internal.h"

static bool can_read(void)
{
    return has_export("CimReadFile") && has_export("CimGetFileStatBasicInformation");
}

static const WCHAR *volume_of(const WCHAR *dir, const WCHAR *image)
{
    if (facts.no_mount || !facts.elevated)
        skip_case("the DLL has no CimReadFile, and mounting isn't possible");
    return mount_image(dir, image);
}

/* Whether a failure may only mean that the two functions don't do such paths. */
static bool ask_again(const WCHAR *path, HRESULT hr)
{
    bool can_mount = !facts.no_mount && facts.elevated;

    if (facts.ours || SUCCEEDED(hr)) return false;
    if (!wcschr(path, ':') && (hr == HR_FILE_NOT_FOUND || hr == HR_PATH_NOT_FOUND)) return false;
    return can_mount || case_is_required();
}

static HRESULT stat_volume(const WCHAR *path, FILE_STAT_BASIC_INFORMATION *info)
{
    WIN32_FILE_ATTRIBUTE_DATA data;

    if (!GetFileAttributesExW(path, GetFileExInfoStandard, &data))
        return HRESULT_FROM_WIN32(GetLastError());
    info->FileAttributes = data.dwFileAttributes;
    info->EndOfFile.LowPart = data.nFileSizeLow;
    info->EndOfFile.HighPart = data.nFileSizeHigh;
    memcpy(&info->CreationTime, &data.ftCreationTime, 8);
    memcpy(&info->LastWriteTime, &data.ftLastWriteTime, 8);
    memcpy(&info->LastAccessTime, &data.ftLastAccessTime, 8);
    return S_OK;
}

HRESULT stored_stat(const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                    FILE_STAT_BASIC_INFORMATION *info)
{
    const WCHAR *volume;
    HRESULT hr;

    memset(info, 0, sizeof(*info));
    if (can_read())
    {
        hr = cim.GetFileStatBasicInformation(join(dir, image), path, info);
        if (!ask_again(path, hr)) return hr;
    }
    volume = volume_of(dir, image);
    hr = stat_volume(format_wide(L"%ls%ls", volume, path), info);
    dismount(volume);
    return hr;
}

/* In pieces, as the function's only client does. */
static void *read_image(const WCHAR *image, const WCHAR *path, size_t *size, HRESULT *hr)
{
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got = 0, left = 1, done = 0;
    char *data;

    if (FAILED(*hr = cim.GetFileStatBasicInformation(image, path, &info))) return NULL;
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

    *size = 0;
    if (can_read())
    {
        data = read_image(join(dir, image), path, size, hr);
        if (data || !ask_again(path, *hr)) return data;
    }
    volume = volume_of(dir, image);
    data = read_file(format_wide(L"%ls%ls", volume, path), size, &error);
    *hr = HRESULT_FROM_WIN32(error);
    dismount(volume);
    return data;
}

bool stored_exists(const WCHAR *dir, const WCHAR *image, const WCHAR *path)
{
    FILE_STAT_BASIC_INFORMATION info;

    return SUCCEEDED(stored_stat(dir, image, path, &info));
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
    return check_bool(name, stored_exists(dir, image, path), want);
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
