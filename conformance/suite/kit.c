/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kit.c - the everyday work of cases: directories, files, sessions, and cleaning up after them
 *
 * A case works in a directory of its own and may end at any line (need_hr() doesn't return). So
 * what it opens by the kit is tracked and closed when it ends, streams before their images, mounts
 * after those, files last.
 */
#include "internal.h"
#include "kit.h"

#include <stdarg.h>

static WCHAR root[MAX_PATH]; /* the case's directory */
static bool root_made;
static CIMFS_IMAGE_HANDLE images[64];
static CIMFS_STREAM_HANDLE streams[8]; /* open ones, of put_*() or the case's */

const BYTE null_dacl_sd[20] = {1, 0, 0x04, 0x80};

/* ---- directories and files ------------------------------------------------------------------ */

const WCHAR *format_wide(const WCHAR *format, ...)
{
    static WCHAR buffers[16][1200];
    static unsigned next;
    WCHAR *buffer = buffers[next++ % 16];
    va_list args;

    va_start(args, format);
    _vsnwprintf(buffer, ARRAY_SIZE(buffers[0]) - 1, format, args);
    va_end(args);
    return buffer;
}

const WCHAR *join(const WCHAR *dir, const WCHAR *name)
{
    return format_wide(L"%ls\\%ls", dir, name);
}

const WCHAR *case_dir(void)
{
    if (!root_made && !CreateDirectoryW(root, NULL))
        need(false, "can't make the case's directory: error %lu", GetLastError());
    root_made = true;
    return root;
}

const WCHAR *new_dir(const WCHAR *name)
{
    const WCHAR *dir = _wcsdup(join(case_dir(), name)); /* lost with the process: they are few */

    need(dir && CreateDirectoryW(dir, NULL), "can't make a directory: error %lu", GetLastError());
    return dir;
}

bool file_exists(const WCHAR *dir, const WCHAR *name)
{
    return GetFileAttributesW(join(dir, name)) != INVALID_FILE_ATTRIBUTES;
}

int count_files(const WCHAR *dir, const WCHAR *pattern)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(join(dir, pattern), &data);
    int count = 0;

    if (find == INVALID_HANDLE_VALUE) return 0;
    do
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)) count++;
    while (FindNextFileW(find, &data));
    FindClose(find);
    return count;
}

static void *read_handle(HANDLE file, size_t *size, DWORD *error)
{
    LARGE_INTEGER length;
    char *data = NULL;
    DWORD got, done = 0;

    *error = 0;
    if (GetFileSizeEx(file, &length) && length.QuadPart < 1 << 30 &&
        (data = malloc(length.QuadPart + 1)))
    {
        while (done < length.QuadPart)
        {
            if (!ReadFile(file, data + done, (DWORD)length.QuadPart - done, &got, NULL) || !got)
                break;
            done += got;
        }
        if (done == length.QuadPart)
        {
            data[done] = 0;
            *size = done;
            return data;
        }
    }
    *error = GetLastError();
    free(data);
    return NULL;
}

void *read_file(const WCHAR *path, size_t *size, DWORD *error)
{
    HANDLE file =
            CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, 0, NULL);
    void *data;

    alive();
    *size = 0;
    if (file == INVALID_HANDLE_VALUE)
    {
        *error = GetLastError();
        return NULL;
    }
    data = read_handle(file, size, error);
    CloseHandle(file);
    return data;
}

void *load_file(const WCHAR *path, size_t *size)
{
    DWORD error;

    return read_file(path, size, &error);
}

void save_file(const WCHAR *path, const void *data, size_t size)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD done = 0;

    need(file != INVALID_HANDLE_VALUE, "can't make a file: error %lu", GetLastError());
    WriteFile(file, data, (DWORD)size, &done, NULL);
    CloseHandle(file);
    need(done == size, "can't write a file");
}

void copy_files(const WCHAR *from, const WCHAR *to)
{
    WIN32_FIND_DATAW data;
    HANDLE find;

    find = FindFirstFileW(join(from, L"*"), &data);
    if (find == INVALID_HANDLE_VALUE) return;
    do
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            need(CopyFileW(join(from, data.cFileName), join(to, data.cFileName), TRUE),
                 "can't copy a file: error %lu", GetLastError());
    while (FindNextFileW(find, &data));
    FindClose(find);
}

void fill_bytes(void *data, size_t size, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1;
    BYTE *bytes = data;

    while (size--)
    {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *bytes++ = (BYTE)(state >> 11);
    }
}

/* ---- sessions -------------------------------------------------------------------------------- */

void track_image(CIMFS_IMAGE_HANDLE image)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(images); i++)
        if (!images[i])
        {
            images[i] = image;
            return;
        }
}

void untrack_image(CIMFS_IMAGE_HANDLE image)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(images); i++)
        if (images[i] == image) images[i] = NULL;
}

void track_stream(CIMFS_STREAM_HANDLE stream)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(streams); i++)
        if (!streams[i])
        {
            streams[i] = stream;
            return;
        }
}

void close_stream(CIMFS_STREAM_HANDLE stream)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(streams); i++)
        if (streams[i] == stream) streams[i] = NULL;
    cim.CloseStream(stream);
}

CIMFS_IMAGE_HANDLE open_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;

    need_hr("CimCreateImage", cim.CreateImage(dir, existing, new_name, &image));
    need(image != NULL, "CimCreateImage gave no handle");
    track_image(image);
    return image;
}

void commit(CIMFS_IMAGE_HANDLE image)
{
    need_hr("CimCommitImage", cim.CommitImage(image));
}

void close_image(CIMFS_IMAGE_HANDLE image)
{
    untrack_image(image);
    cim.CloseImage(image);
}

void commit_and_close(CIMFS_IMAGE_HANDLE image)
{
    commit(image);
    close_image(image);
}

CIMFS_FILE_METADATA *meta(UINT32 attributes, INT64 size)
{
    static CIMFS_FILE_METADATA buffers[8];
    static unsigned next;
    CIMFS_FILE_METADATA *metadata = &buffers[next++ % 8];

    memset(metadata, 0, sizeof(*metadata));
    metadata->Attributes = attributes;
    metadata->FileSize = size;
    metadata->CreationTime.QuadPart = TIME_CREATION;
    metadata->LastWriteTime.QuadPart = TIME_WRITE;
    metadata->ChangeTime.QuadPart = TIME_CHANGE;
    metadata->LastAccessTime.QuadPart = TIME_ACCESS;
    metadata->SecurityDescriptorBuffer = null_dacl_sd;
    metadata->SecurityDescriptorSize = sizeof(null_dacl_sd);
    return metadata;
}

static void write_whole(CIMFS_STREAM_HANDLE stream, const void *data, size_t size)
{
    track_stream(stream);
    if (size) need_hr("CimWriteStream", cim.WriteStream(stream, data, (UINT32)size));
    close_stream(stream);
}

void put_item(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const CIMFS_FILE_METADATA *metadata,
              const void *data, size_t size)
{
    CIMFS_STREAM_HANDLE stream = NULL;

    alive();
    need_hr("CimCreateFile", cim.CreateFile(image, path, metadata, &stream));
    write_whole(stream, data, size);
}

void put_dir(CIMFS_IMAGE_HANDLE image, const WCHAR *path)
{
    put_item(image, path, meta(FILE_ATTRIBUTE_DIRECTORY, 0), NULL, 0);
}

void put_file(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const void *data, size_t size)
{
    put_item(image, path, meta(FILE_ATTRIBUTE_ARCHIVE, (INT64)size), data, size);
}

void put_text(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const char *text)
{
    put_file(image, path, text, strlen(text));
}

void put_stream(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const void *data, size_t size)
{
    CIMFS_STREAM_HANDLE stream = NULL;

    alive();
    need_hr("CimCreateAlternateStream", cim.CreateAlternateStream(image, path, size, &stream));
    write_whole(stream, data, size);
}

void put_link(CIMFS_IMAGE_HANDLE image, const WCHAR *new_path, const WCHAR *existing)
{
    alive();
    need_hr("CimCreateHardLink", cim.CreateHardLink(image, new_path, existing));
}

HRESULT try_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = cim.CreateImage(dir, existing, new_name, &image);

    if (FAILED(hr)) return hr;
    need(image != NULL, "CimCreateImage succeeds without a handle");
    cim.CloseImage(image);
    return hr;
}

HRESULT try_create_file(CIMFS_IMAGE_HANDLE image, const WCHAR *path,
                        const CIMFS_FILE_METADATA *metadata)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = cim.CreateFile(image, path, metadata, &stream);

    if (FAILED(hr)) return hr;
    need(stream || (metadata && metadata->Attributes & FILE_ATTRIBUTE_DIRECTORY),
         "CimCreateFile succeeds without a handle");
    cim.CloseStream(stream);
    return hr;
}

HRESULT try_create_stream(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT64 size)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = cim.CreateAlternateStream(image, path, size, &stream);

    if (FAILED(hr)) return hr;
    need(stream != NULL, "CimCreateAlternateStream succeeds without a handle");
    cim.CloseStream(stream);
    return hr;
}

void write_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name, const WCHAR *path,
                 const char *text)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, existing, new_name);

    put_text(image, path, text);
    commit_and_close(image);
}

void make_base(const WCHAR *dir)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"base.cim");

    put_dir(image, L"d");
    put_text(image, L"d\\inner.txt", "inner");
    put_text(image, L"file.txt", "hello");
    put_stream(image, L"file.txt:s", "stream", 6);
    put_text(image, L"empty", "");
    commit_and_close(image);
}

/* ---- the beginning and end of a case --------------------------------------------------------- */

bool remove_file(const WCHAR *path)
{
    int i;

    for (i = 0; i < 30 && !DeleteFileW(path); i++)
    {
        if (GetLastError() != ERROR_SHARING_VIOLATION && GetLastError() != ERROR_ACCESS_DENIED)
            return false;
        Sleep(100);
    }
    return i < 30;
}

void need_room(unsigned mib)
{
    if (!facts.ours && room_mib(case_dir()) < mib + ROOM_LEFT_MIB)
        skip_case("less than %u MiB is free on the disk", mib + ROOM_LEFT_MIB);
}

enum
{
    LONGEST = 4000
};

/* Everything below the directory in the buffer, then it. Links are removed, never followed: they
 * may lead out of the directory. Read-only files lose that bit first. */
static void remove_below(WCHAR *path)
{
    size_t length = wcslen(path);
    WIN32_FIND_DATAW data;
    HANDLE find;

    if (length + 300 > LONGEST) return;
    wcscpy(path + length, L"\\*");
    find = FindFirstFileW(path, &data);
    if (find != INVALID_HANDLE_VALUE)
    {
        do
        {
            if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
            wcscpy(path + length + 1, data.cFileName);
            SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
            if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
                DeleteFileW(path);
            else if (data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
                RemoveDirectoryW(path);
            else
                remove_below(path);
        } while (FindNextFileW(find, &data));
        FindClose(find);
    }
    path[length] = 0;
    RemoveDirectoryW(path);
}

/* By a verbatim path, which may be longer than MAX_PATH and have any name in it. */
void remove_tree(const WCHAR *dir)
{
    WCHAR *path = malloc(LONGEST * sizeof(*path));

    if (!path || wcslen(dir) > LONGEST / 2) abort();
    if (!wcsncmp(dir, L"\\\\?\\", 4))
        wcscpy(path, dir);
    else if (!wcsncmp(dir, L"\\\\", 2))
        swprintf(path, LONGEST, L"\\\\?\\UNC%ls", dir + 1);
    else
        swprintf(path, LONGEST, L"\\\\?\\%ls", dir);
    remove_below(path);
    free(path);
}

void case_path(const struct suite_case *entry, const WCHAR *work, WCHAR path[MAX_PATH])
{
    size_t length = wcslen(work);
    const char *letter;

    if (length + strlen(entry->id) + 2 > MAX_PATH) abort(); /* main.c checks the length */
    wcscpy(path, work);
    if (length && path[length - 1] != '\\') path[length++] = '\\';
    for (letter = entry->id; *letter; letter++) path[length++] = *letter == '/' ? '_' : *letter;
    path[length] = 0;
}

void kit_begin(const struct suite_case *entry, const WCHAR *work)
{
    case_path(entry, work, root);
    root_made = false;
    listing_begin();
    memset(images, 0, sizeof(images));
    memset(streams, 0, sizeof(streams));
}

void kit_end(bool keep)
{
    size_t i;

    peers_end();
    for (i = 0; i < ARRAY_SIZE(streams); i++)
    {
        CIMFS_STREAM_HANDLE stream = streams[i];

        streams[i] = NULL;
        if (stream) cim.CloseStream(stream);
    }
    for (i = 0; i < ARRAY_SIZE(images); i++)
    {
        CIMFS_IMAGE_HANDLE image = images[i];

        images[i] = NULL;
        if (image) cim.CloseImage(image);
    }
    mounts_end();
    devices_end();
    if (root_made && !keep) remove_tree(root);
}
