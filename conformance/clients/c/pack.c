/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pack.exe - pack a directory tree into a composite image, then extend it, then fork it
 *
 * In the way of Microsoft's sample program: what the system tells of a file goes into the image
 * unchanged - attributes, times, security descriptor, streams, reparse data. It knows cimfs.h and
 * Win32 and nothing else of this project, so it runs with Microsoft's cimfs.dll (elevated) as well
 * as with ours. It writes down what it read and what it did, one line each, in a manifest, against
 * which mnt.exe and programs without Wine hold the images. With --container they go into one file,
 * which is sealed then.
 *
 * Each file and directory is opened once. What the image has to know of it - above all its last
 * access time - is asked of that handle before the first byte (or the first name) is read, for
 * reading moves the last access.
 */
#include "program.h"

#include <cimfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum
{
    COPY_SIZE = 1 << 20,
    LIST_SIZE = 64 << 10,
    PROGRESS_MS = 100,       /* a terminal's line is rewritten at most this often */
    PLAIN_PROGRESS_MS = 5000 /* a log gets a line this often */
};

/* What the program is asked to do. */
struct options
{
    const WCHAR *source;
    const WCHAR *images;
    const WCHAR *container; /* NULL: the images are files of @images */
    const WCHAR *name;
    const WCHAR *manifest;
    const WCHAR *step; /* NULL: all three */
    const WCHAR *file_path;
    const WCHAR *delete_path;
    BOOL keep_quiet;
};

/* A file with several names, by what the file system calls it, and the first name it was met by. */
struct known_link
{
    struct file_id id;
    WCHAR *path;
};

const WCHAR *const program = L"pack";

/* One run of the program. */
struct pack
{
    const struct options *options;
    CIMFS_IMAGE_HANDLE image;
    FILE *manifest; /* NULL until there is an image that it tells of */
    const WCHAR *manifest_path;
    HANDLE console; /* where progress goes, if that is a terminal */
    BYTE *copy_buffer;
    WCHAR *source_path; /* \\?\C:\windows\... of the item at hand */
    size_t source_root; /* its first units: the source directory */
    struct known_link *links;
    size_t link_count, link_room;
    ULONGLONG files, directories, hard_links, bytes;
    ULONGLONG ms, last_report;
    BOOL line_shown;
    /* chosen on the way, for what comes after */
    WCHAR *largest; /* the largest file's path in the image */
    ULONGLONG largest_size;
    WCHAR *a_directory; /* a directory that holds a file */
};

/* ---------------------------------------------------------------------------------------------
 * Speaking to the person who runs this
 */

static void end_progress_line(struct pack *pack)
{
    if (pack->line_shown) write_text(pack->console, L"\r\n");
    pack->line_shown = FALSE;
}

/* One line for a failed call, below that of the progress; always FALSE. */
static BOOL fail_call(struct pack *pack, const WCHAR *function, const WCHAR *path, HRESULT hr)
{
    end_progress_line(pack);
    return fail(function, path, hr);
}

static BOOL fail_error(struct pack *pack, const WCHAR *function, const WCHAR *path)
{
    return fail_call(pack, function, path, HRESULT_FROM_WIN32(GetLastError()));
}

/* S_OK and no other success. */
static BOOL done_well(struct pack *pack, const WCHAR *function, const WCHAR *path, HRESULT hr)
{
    return hr == S_OK || fail_call(pack, function, path, hr);
}

/* A call that must fail, and how. */
static BOOL refused(struct pack *pack, const WCHAR *function, const WCHAR *path, HRESULT hr,
                    HRESULT expected)
{
    if (hr == expected) return TRUE;
    end_progress_line(pack);
    say(STD_ERROR_HANDLE, L"pack: %ls(%.1000ls): 0x%08lX, expected 0x%08lX\r\n", function, path,
        (unsigned long)hr, (unsigned long)expected);
    return FALSE;
}

static void show_progress(struct pack *pack, const WCHAR *path)
{
    ULONGLONG now = GetTickCount64();
    ULONGLONG wait = pack->console ? PROGRESS_MS : PLAIN_PROGRESS_MS;
    WCHAR line[160];
    size_t length = wcslen(path);

    if (pack->options->keep_quiet || now - pack->last_report < wait) return;
    pack->last_report = now;
    if (!pack->console)
    {
        say(STD_OUTPUT_HANDLE, L"packing: %llu files, %llu MB\r\n", pack->files,
            pack->bytes / 1000000);
        return;
    }
    /* the end of a long path says more than its beginning; 79 columns and no more */
    _snwprintf(line, ARRAYSIZE(line), L"\r%7llu files %7llu MB  %ls%-50.50ls", pack->files,
               pack->bytes / 1000000, length > 50 ? L"..." : L"   ",
               length > 50 ? path + length - 50 : path);
    line[ARRAYSIZE(line) - 1] = 0;
    write_text(pack->console, line);
    pack->line_shown = TRUE;
}

/* ---------------------------------------------------------------------------------------------
 * The manifest: UTF-8, a record a line, fields between tabs
 */

/* UTF-8 by hand, for an unpaired surrogate must survive (three bytes, as any other code point). */
static void put_text(FILE *out, const WCHAR *text)
{
    while (*text)
    {
        DWORD code = *text++;

        if (code >= 0xd800 && code <= 0xdbff && *text >= 0xdc00 && *text <= 0xdfff)
            code = 0x10000 + ((code - 0xd800) << 10) + (*text++ - 0xdc00u);
        if (code < 0x80)
        {
            putc((int)code, out);
        }
        else if (code < 0x800)
        {
            putc((int)(0xc0 | code >> 6), out);
            putc((int)(0x80 | (code & 0x3f)), out);
        }
        else
        {
            if (code < 0x10000)
            {
                putc((int)(0xe0 | code >> 12), out);
            }
            else
            {
                putc((int)(0xf0 | code >> 18), out);
                putc((int)(0x80 | (code >> 12 & 0x3f)), out);
            }
            putc((int)(0x80 | (code >> 6 & 0x3f)), out);
            putc((int)(0x80 | (code & 0x3f)), out);
        }
    }
}

static void put_hex(FILE *out, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const BYTE *bytes = data;
    size_t i;

    if (!size) putc('-', out);
    for (i = 0; i < size; i++)
    {
        putc(digits[bytes[i] >> 4], out);
        putc(digits[bytes[i] & 15], out);
    }
}

/* A record of a word and up to two paths. */
static void note_paths(struct pack *pack, const char *word, const WCHAR *path, const WCHAR *other)
{
    fprintf(pack->manifest, "%s\t", word);
    put_text(pack->manifest, path);
    if (other)
    {
        putc('\t', pack->manifest);
        put_text(pack->manifest, other);
    }
    putc('\n', pack->manifest);
}

/* A record of a word, a path, perhaps a name, and bytes. */
static void note_bytes(struct pack *pack, const char *word, const WCHAR *path, const WCHAR *name,
                       const void *data, size_t size)
{
    fprintf(pack->manifest, "%s\t", word);
    put_text(pack->manifest, path);
    putc('\t', pack->manifest);
    if (name)
    {
        put_text(pack->manifest, name);
        putc('\t', pack->manifest);
    }
    put_hex(pack->manifest, data, size);
    putc('\n', pack->manifest);
}

/* What was given to CimCreateFile. */
static void note_item(struct pack *pack, const WCHAR *path, const CIMFS_FILE_METADATA *metadata)
{
    BOOL directory = metadata->Attributes & FILE_ATTRIBUTE_DIRECTORY;

    fprintf(pack->manifest, "%s\t", directory ? "dir" : "file");
    put_text(pack->manifest, path);
    fprintf(pack->manifest, "\t%08x\t%lld\t%lld\t%lld\t%lld\t%lld\t",
            (unsigned int)metadata->Attributes, directory ? 0ll : (long long)metadata->FileSize,
            (long long)metadata->CreationTime.QuadPart, (long long)metadata->LastWriteTime.QuadPart,
            (long long)metadata->ChangeTime.QuadPart, (long long)metadata->LastAccessTime.QuadPart);
    put_hex(pack->manifest, metadata->SecurityDescriptorBuffer, metadata->SecurityDescriptorSize);
    putc('\n', pack->manifest);
}

/* ---------------------------------------------------------------------------------------------
 * Memory
 */

static WCHAR *copy_string(const WCHAR *text)
{
    return must(_wcsdup(text));
}

/* ---------------------------------------------------------------------------------------------
 * Reading the source
 */

static HANDLE open_source(struct pack *pack, struct item *item)
{
    HANDLE handle = open_item(pack->source_path);
    const WCHAR *failed = L"CreateFile";

    if (handle != INVALID_HANDLE_VALUE) failed = read_item(handle, item);
    if (!failed) return handle;
    fail_error(pack, failed, pack->source_path);
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    return INVALID_HANDLE_VALUE;
}

static void fill_metadata(const struct item *item, CIMFS_FILE_METADATA *metadata)
{
    BOOL directory = item->basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;

    memset(metadata, 0, sizeof(*metadata));
    metadata->Attributes = item->basic.FileAttributes;
    metadata->FileSize = directory ? 0 : item->standard.EndOfFile.QuadPart;
    metadata->CreationTime = item->basic.CreationTime;
    metadata->LastWriteTime = item->basic.LastWriteTime;
    metadata->ChangeTime = item->basic.ChangeTime;
    metadata->LastAccessTime = item->basic.LastAccessTime;
    metadata->SecurityDescriptorBuffer = item->security;
    metadata->SecurityDescriptorSize = item->security_size;
    metadata->ReparseDataBuffer = item->reparse_size ? item->reparse : NULL;
    metadata->ReparseDataSize = item->reparse_size;
}

static BOOL list_directory(struct pack *pack, HANDLE handle, struct names *names)
{
    FILE_ID_BOTH_DIR_INFO *entry, *buffer = must(malloc(LIST_SIZE));
    BOOL done = FALSE;

    while (GetFileInformationByHandleEx(handle, FileIdBothDirectoryInfo, buffer, LIST_SIZE))
    {
        for (entry = buffer;; entry = (void *)((BYTE *)entry + entry->NextEntryOffset))
        {
            size_t units = entry->FileNameLength / sizeof(WCHAR);
            BOOL dots = units <= 2 && entry->FileName[0] == '.' &&
                        (units == 1 || entry->FileName[1] == '.');

            if (!dots) names_add(names, entry->FileName, units);
            if (!entry->NextEntryOffset) break;
        }
    }
    done = GetLastError() == ERROR_NO_MORE_FILES ||
           fail_error(pack, L"GetFileInformationByHandleEx", pack->source_path);
    free(buffer);
    return done;
}

/* ---------------------------------------------------------------------------------------------
 * Writing the image
 */

static BOOL create_item(struct pack *pack, const WCHAR *path, const CIMFS_FILE_METADATA *metadata,
                        CIMFS_STREAM_HANDLE *stream)
{
    HRESULT hr = CimCreateFile(pack->image, path, metadata, stream);

    if (!done_well(pack, L"CimCreateFile", path, hr)) return FALSE;
    note_item(pack, path, metadata);
    if (metadata->EaBufferSize)
        note_bytes(pack, "ea", path, NULL, metadata->EaBuffer, metadata->EaBufferSize);
    if (metadata->ReparseDataSize)
        note_bytes(pack, "reparse", path, NULL, metadata->ReparseDataBuffer,
                   metadata->ReparseDataSize);
    return TRUE;
}

static BOOL create_link(struct pack *pack, const WCHAR *path, const WCHAR *existing)
{
    HRESULT hr = CimCreateHardLink(pack->image, path, existing);

    if (!done_well(pack, L"CimCreateHardLink", path, hr)) return FALSE;
    note_paths(pack, "link", path, existing);
    return TRUE;
}

/* Pass the open source file's bytes on; it must have exactly the size that it had before. */
static BOOL copy_data(struct pack *pack, HANDLE source, CIMFS_STREAM_HANDLE stream, ULONGLONG size,
                      const WCHAR *path)
{
    ULONGLONG left = size;
    DWORD got;
    HRESULT hr;

    for (;;)
    {
        if (!ReadFile(source, pack->copy_buffer, COPY_SIZE, &got, NULL))
            return fail_error(pack, L"ReadFile", pack->source_path);
        if (got > left || (!got && left))
            return fail_call(pack, L"ReadFile: the file changed its size meanwhile",
                             pack->source_path, HRESULT_FROM_WIN32(ERROR_INVALID_DATA));
        if (!got) return TRUE;
        hr = CimWriteStream(stream, pack->copy_buffer, got);
        if (!done_well(pack, L"CimWriteStream", path, hr)) return FALSE;
        left -= got;
        pack->bytes += got;
        show_progress(pack, path);
        /* a size that is a multiple of the buffer needs one more read to be sure of the end */
        if (!left && got < COPY_SIZE) return TRUE;
    }
}

/* An alternate stream of an item that is in the image already. */
static BOOL add_stream(struct pack *pack, const WCHAR *path, const WCHAR *name, const void *data,
                       size_t size)
{
    WCHAR *full = must(malloc((wcslen(path) + wcslen(name) + 2) * sizeof(WCHAR)));
    CIMFS_STREAM_HANDLE stream;
    BOOL done;

    wcscpy(full, path);
    wcscat(full, L":");
    wcscat(full, name);
    done = done_well(pack, L"CimCreateAlternateStream", full,
                     CimCreateAlternateStream(pack->image, full, size, &stream));
    if (done)
    {
        done = done_well(pack, L"CimWriteStream", full, CimWriteStream(stream, data, (UINT32)size));
        CimCloseStream(stream);
    }
    if (done) note_bytes(pack, "stream", path, name, data, size);
    free(full);
    return done;
}

/* The stream at source_path, of the item that is called so up to the colon. */
static BOOL pack_stream(struct pack *pack)
{
    WCHAR *path = copy_string(pack->source_path + pack->source_root + 1);
    HANDLE handle = CreateFileW(pack->source_path, GENERIC_READ, FILE_SHARE_READ, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    WCHAR *colon = wcsrchr(path, ':');
    BOOL done = handle != INVALID_HANDLE_VALUE;
    DWORD size;

    done = done && ReadFile(handle, pack->copy_buffer, COPY_SIZE, &size, NULL);
    if (done && size == COPY_SIZE)
    {
        SetLastError(ERROR_FILE_TOO_LARGE);
        done = FALSE;
    }
    if (!done) fail_error(pack, L"a stream", pack->source_path);
    *colon = 0;
    done = done && add_stream(pack, path, colon + 1, pack->copy_buffer, size);
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    free(path);
    return done;
}

/* The streams of the item at source_path, as far as Win32 lists them. */
static BOOL pack_streams(struct pack *pack)
{
    size_t length = wcslen(pack->source_path), at;
    struct names names = {0};
    BOOL done = list_streams(pack->source_path, &names);

    for (at = 0; done && at < names.used; at += wcslen(names.text + at) + 1)
    {
        wcscpy(pack->source_path + length, names.text + at);
        done = pack_stream(pack);
        pack->source_path[length] = 0;
    }
    free(names.text);
    return done;
}

/* Was this file met by another name before? If not, it is remembered by this one. */
static const WCHAR *find_link(struct pack *pack, const struct item *item, const WCHAR *path)
{
    size_t i;

    for (i = 0; i < pack->link_count; i++)
        if (!memcmp(&pack->links[i].id, &item->id, sizeof(item->id))) return pack->links[i].path;
    if (pack->link_count == pack->link_room)
    {
        pack->link_room = pack->link_room * 2 + 64;
        pack->links = must(realloc(pack->links, pack->link_room * sizeof(*pack->links)));
    }
    pack->links[pack->link_count].id = item->id;
    pack->links[pack->link_count++].path = copy_string(path);
    return NULL;
}

static void remember_largest(struct pack *pack, const WCHAR *path, ULONGLONG size)
{
    if (pack->largest && size <= pack->largest_size) return;
    free(pack->largest);
    pack->largest = copy_string(path);
    pack->largest_size = size;
}

static BOOL pack_file(struct pack *pack, HANDLE handle, const struct item *item, const WCHAR *path)
{
    CIMFS_FILE_METADATA metadata;
    CIMFS_STREAM_HANDLE stream;
    const WCHAR *first = NULL;
    BOOL done;

    if (item->standard.NumberOfLinks > 1) first = find_link(pack, item, path);
    if (first)
    {
        if (!create_link(pack, path, first)) return FALSE;
        pack->hard_links++;
        return TRUE;
    }
    fill_metadata(item, &metadata);
    if (!create_item(pack, path, &metadata, &stream)) return FALSE;
    done = item->reparse_size ||
           copy_data(pack, handle, stream, (ULONGLONG)metadata.FileSize, path);
    CimCloseStream(stream);
    if (!done || !pack_streams(pack)) return FALSE;
    pack->files++;
    remember_largest(pack, path, (ULONGLONG)metadata.FileSize);
    show_progress(pack, path);
    return TRUE;
}

static BOOL pack_directory(struct pack *pack, HANDLE handle, const struct item *item,
                           const WCHAR *path, struct names *names)
{
    CIMFS_FILE_METADATA metadata;
    CIMFS_STREAM_HANDLE stream;

    fill_metadata(item, &metadata);
    if (!create_item(pack, path, &metadata, &stream)) return FALSE;
    CimCloseStream(stream);
    if (!pack_streams(pack)) return FALSE;
    pack->directories++;
    if (item->basic.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
    {
        /* what it stands for isn't part of this tree, and may lead back into it */
        end_progress_line(pack);
        say(STD_ERROR_HANDLE, L"pack: not followed: %ls\r\n", pack->source_path);
        return TRUE;
    }
    return list_directory(pack, handle, names);
}

static BOOL pack_item(struct pack *pack, struct item *item);

/* One name of the directory whose path, of @length, source_path holds. */
static BOOL pack_name(struct pack *pack, struct item *item, const WCHAR *name, size_t length)
{
    BOOL done;

    if (length + 1 + wcslen(name) >= PATH_ROOM)
    {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return fail_error(pack, L"path", pack->source_path);
    }
    pack->source_path[length] = '\\';
    wcscpy(pack->source_path + length + 1, name);
    done = wcschr(name, ':') ? pack_stream(pack) : pack_item(pack, item);
    pack->source_path[length] = 0;
    return done;
}

/* Pack what stands in a directory; source_path holds the directory's path and is left so. What Wine
 * lists as files NAME:STREAM needs the files to be there. */
static BOOL pack_children(struct pack *pack, struct item *item, const struct names *names)
{
    size_t length = wcslen(pack->source_path), at, files = pack->files;
    BOOL done = TRUE, streams;

    for (streams = FALSE; streams <= TRUE; streams++)
        for (at = 0; done && at < names->used; at += wcslen(names->text + at) + 1)
            if ((wcschr(names->text + at, ':') != NULL) == streams)
                done = pack_name(pack, item, names->text + at, length);
    if (done && !pack->a_directory && pack->files > files && length > pack->source_root)
        pack->a_directory = copy_string(pack->source_path + pack->source_root + 1);
    return done;
}

/* Pack the item at source_path with all below it. @item is room that every level may use anew. */
static BOOL pack_item(struct pack *pack, struct item *item)
{
    const WCHAR *path = pack->source_path + pack->source_root;
    struct names names = {0};
    HANDLE handle = open_source(pack, item);
    BOOL done, directory;

    if (handle == INVALID_HANDLE_VALUE) return FALSE;
    path += *path == '\\';
    directory = item->basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    if (directory)
        done = pack_directory(pack, handle, item, path, &names);
    else
        done = pack_file(pack, handle, item, path);
    CloseHandle(handle);
    if (done && directory) done = pack_children(pack, item, &names);
    free(names.text);
    return done;
}

/* ---------------------------------------------------------------------------------------------
 * The three sessions
 */

static BOOL has_step(const struct pack *pack, const WCHAR *step)
{
    return !pack->options->step || !wcscmp(pack->options->step, step);
}

static HRESULT create_image(struct pack *pack, const WCHAR *existing, const WCHAR *name)
{
    typedef HRESULT(WINAPI * create2)(PCWSTR, CIM_CREATE_IMAGE_FLAGS, PCWSTR, PCWSTR,
                                      CIMFS_IMAGE_HANDLE *);
    const struct options *options = pack->options;
    create2 create;

    if (!options->container) return CimCreateImage(options->images, existing, name, &pack->image);
    create = (create2)newer_function("CimCreateImage2");
    if (!create) return E_NOTIMPL;
    return create(options->container, CIM_CREATE_IMAGE_SINGLE_FILE | CIM_CREATE_VERIFIED, existing,
                  name, &pack->image);
}

/* That of an earlier run stays as it is where this one gets no image. */
static BOOL open_manifest(struct pack *pack)
{
    if (pack->manifest) return TRUE;
    pack->manifest = _wfopen(pack->manifest_path, has_step(pack, L"pack") ? L"wb" : L"ab");
    return pack->manifest || fail_error(pack, L"_wfopen", pack->manifest_path);
}

static BOOL open_image(struct pack *pack, const WCHAR *existing, const WCHAR *name)
{
    HRESULT hr = create_image(pack, existing, name);

    if (!done_well(pack, L"CimCreateImage", name ? name : existing, hr)) return FALSE;
    if (open_manifest(pack)) return TRUE;
    CimCloseImage(pack->image);
    pack->image = NULL;
    return FALSE;
}

/* As soon as it is committed, and before it is closed, the image is there. */
static BOOL look_at_image(struct pack *pack, const WCHAR *name)
{
    WIN32_FILE_ATTRIBUTE_DATA data = {.nFileSizeLow = 0};
    WCHAR *path = must(malloc(PATH_ROOM * sizeof(*path)));
    BOOL there;

    if (pack->options->container)
        _snwprintf(path, PATH_ROOM, L"%ls", pack->options->container);
    else
        _snwprintf(path, PATH_ROOM, L"%ls\\%ls", pack->options->images, name);
    there = GetFileAttributesExW(path, GetFileExInfoStandard, &data) ||
            fail_error(pack, L"GetFileAttributesEx", path);
    if (there && !data.nFileSizeLow)
        there = fail_call(pack, L"empty after CimCommitImage", path, E_UNEXPECTED);
    free(path);
    return there;
}

/* End a session: commit it if all went well, and close it either way. */
static BOOL close_image(struct pack *pack, BOOL commit, const WCHAR *name)
{
    if (commit)
        commit = done_well(pack, L"CimCommitImage", name, CimCommitImage(pack->image)) &&
                 look_at_image(pack, name);
    CimCloseImage(pack->image);
    pack->image = NULL;
    return commit;
}

/* A name that is taken can't be that of a new image. */
static BOOL try_again(struct pack *pack, const WCHAR *existing, const WCHAR *name)
{
    HRESULT hr = create_image(pack, existing, name);

    return refused(pack, L"CimCreateImage, once more", name, hr,
                   HRESULT_FROM_WIN32(ERROR_FILE_EXISTS));
}

static BOOL pack_tree(struct pack *pack)
{
    struct item *item = must(calloc(1, sizeof(*item)));
    const WCHAR *name = pack->options->name;
    ULONGLONG started = GetTickCount64();
    FILETIME now;
    BOOL done;

    /* the time, so that what changes in the source from here on can be told apart */
    GetSystemTimeAsFileTime(&now);
    done = open_image(pack, NULL, name);
    if (done)
    {
        fprintf(pack->manifest, "phase\tpack\t%lld\n",
                (long long)((ULONGLONG)now.dwHighDateTime << 32 | now.dwLowDateTime));
        done = close_image(pack, pack_item(pack, item), name);
    }
    pack->ms = GetTickCount64() - started;
    LocalFree(item->security);
    free(item);
    end_progress_line(pack);
    return done && try_again(pack, NULL, name);
}

/* A small file or directory of the demo's own, with fixed times. */
static BOOL add_own(struct pack *pack, const WCHAR *path, CIMFS_FILE_METADATA *metadata,
                    const char *text)
{
    static const LONGLONG year_2020 = 132223104000000000;
    CIMFS_STREAM_HANDLE stream;
    HRESULT hr = S_OK;

    metadata->FileSize = text ? (INT64)strlen(text) : 0;
    metadata->CreationTime.QuadPart = year_2020;
    metadata->LastWriteTime.QuadPart = year_2020 + 1;
    metadata->ChangeTime.QuadPart = year_2020 + 2;
    metadata->LastAccessTime.QuadPart = year_2020 + 3;
    if (!create_item(pack, path, metadata, &stream)) return FALSE;
    if (text) hr = CimWriteStream(stream, text, (UINT32)strlen(text));
    CimCloseStream(stream);
    if (!done_well(pack, L"CimWriteStream", path, hr)) return FALSE;
    if (text) note_bytes(pack, "text", path, NULL, text, strlen(text));
    return TRUE;
}

static BOOL add_file_with_ea(struct pack *pack, const WCHAR *path)
{
    /* a FILE_FULL_EA_INFORMATION: no next one, flags, lengths, name and its NUL, value */
    static const BYTE ea[] = {0,   0,   0,   0, 0,   9,   10,  0,   'C', 'I', 'M', 'F', 'S', '.',
                              'E', 'A', '1', 0, 'e', 'x', 't', 'e', 'n', 'd', 'e', 'd', '!', '\n'};
    CIMFS_FILE_METADATA metadata = {0};

    metadata.Attributes = FILE_ATTRIBUTE_ARCHIVE;
    metadata.EaBuffer = ea;
    metadata.EaBufferSize = sizeof(ea);
    return add_own(pack, path, &metadata, "This file has an extended attribute.\n");
}

/* A relative symbolic link: a REPARSE_DATA_BUFFER with its target as substitute and print name. */
static BOOL add_symlink(struct pack *pack, const WCHAR *path, const WCHAR *target)
{
    CIMFS_FILE_METADATA metadata = {0};
    WORD size = (WORD)(wcslen(target) * sizeof(WCHAR)), data = (WORD)(12 + 2 * size);
    DWORD tag = IO_REPARSE_TAG_SYMLINK, relative = 1;
    WORD header[] = {data, 0, 0, size, size, size};
    BYTE *buffer = must(calloc(1, 8u + data));
    BOOL done;

    memcpy(buffer, &tag, 4);
    memcpy(buffer + 4, header, sizeof(header));
    memcpy(buffer + 16, &relative, 4);
    memcpy(buffer + 20, target, size);
    memcpy(buffer + 20 + size, target, size);
    metadata.Attributes = FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_REPARSE_POINT;
    metadata.ReparseDataBuffer = buffer;
    metadata.ReparseDataSize = 8u + data;
    done = add_own(pack, path, &metadata, NULL);
    free(buffer);
    return done;
}

/* The same bytes by another name, read from the source once more: the image has them already. */
static BOOL add_copy(struct pack *pack, const WCHAR *path, const WCHAR *original)
{
    struct item *item = must(calloc(1, sizeof(*item)));
    CIMFS_FILE_METADATA metadata;
    CIMFS_STREAM_HANDLE stream;
    ULONGLONG bytes = pack->bytes;
    HANDLE handle;
    BOOL done;

    pack->source_path[pack->source_root] = '\\';
    wcscpy(pack->source_path + pack->source_root + 1, original);
    handle = open_source(pack, item);
    done = handle != INVALID_HANDLE_VALUE;
    fill_metadata(item, &metadata);
    if (done) done = create_item(pack, path, &metadata, &stream);
    if (done)
    {
        done = copy_data(pack, handle, stream, (ULONGLONG)metadata.FileSize, path);
        CimCloseStream(stream);
        note_paths(pack, "copy", path, original);
    }
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    pack->source_path[pack->source_root] = 0;
    pack->bytes = bytes;
    LocalFree(item->security);
    free(item);
    return done;
}

#define OWN_DIRECTORY L"cimfs-demo"

static BOOL add_extras(struct pack *pack, const WCHAR *original)
{
    static const char text[] = "An alternate stream.\n";
    CIMFS_FILE_METADATA directory = {.Attributes = FILE_ATTRIBUTE_DIRECTORY};
    WCHAR *target = must(malloc((wcslen(original) + 4) * sizeof(WCHAR)));
    BOOL done;

    wcscpy(target, L"..\\");
    wcscat(target, original);
    done = add_own(pack, OWN_DIRECTORY, &directory, NULL) &&
           create_link(pack, OWN_DIRECTORY L"\\hard link", original) &&
           add_stream(pack, original, L"demo", text, sizeof(text) - 1) &&
           add_file_with_ea(pack, OWN_DIRECTORY L"\\with an EA.txt") &&
           add_symlink(pack, OWN_DIRECTORY L"\\symbolic link", target) &&
           add_copy(pack, OWN_DIRECTORY L"\\renamed copy", original);
    free(target);
    return done;
}

/* A session that is closed without a commit leaves nothing of what it did. */
static BOOL give_up(struct pack *pack, const WCHAR *original)
{
    HRESULT hr;
    BOOL done;

    if (!open_image(pack, pack->options->name, NULL)) return FALSE;
    hr = CimCreateHardLink(pack->image, L"not committed", original);
    done = done_well(pack, L"CimCreateHardLink", L"not committed", hr);
    hr = CimCreateHardLink(pack->image, L"of a directory", OWN_DIRECTORY);
    done = refused(pack, L"CimCreateHardLink", OWN_DIRECTORY, hr, E_ACCESSDENIED) && done;
    close_image(pack, FALSE, NULL);
    return done;
}

static BOOL extend_image(struct pack *pack)
{
    const WCHAR *name = pack->options->name, *original = pack->options->file_path;

    if (!original) original = pack->largest;
    if (!open_image(pack, name, name)) return FALSE;
    note_paths(pack, "phase", L"extend", NULL);
    return close_image(pack, add_extras(pack, original), name) && give_up(pack, original);
}

static BOOL fork_image(struct pack *pack)
{
    const WCHAR *path = pack->options->delete_path ? pack->options->delete_path : pack->a_directory;
    WCHAR *fork = fork_name(pack->options->name);
    BOOL done;

    done = open_image(pack, pack->options->name, fork);
    if (done)
    {
        note_paths(pack, "phase", L"fork", NULL);
        done = done_well(pack, L"CimDeletePath", path, CimDeletePath(pack->image, path));
        done = close_image(pack, done, fork) && try_again(pack, pack->options->name, fork);
    }
    if (done) note_paths(pack, "delete", path, NULL);
    free(fork);
    return done;
}

/* ---------------------------------------------------------------------------------------------
 * Beginning and end
 */

/* From now on nobody writes there, and who knows the root hash can tell whether it is as it was. */
static BOOL seal_container(struct pack *pack)
{
    typedef HRESULT(WINAPI * seal)(PCWSTR, UINT64 *, UINT64 *, BYTE *);
    const WCHAR *container = pack->options->container;
    seal function = (seal)newer_function("CimSealImage");
    UINT64 size = 0, header_size = 0;
    BYTE hash[32];
    HRESULT hr = function ? function(container, &size, &header_size, hash) : E_NOTIMPL;

    if (hr == S_OK && size != sizeof(hash)) hr = E_UNEXPECTED;
    if (!done_well(pack, L"CimSealImage", container, hr)) return FALSE;
    note_bytes(pack, "seal", pack->options->name, NULL, hash, sizeof(hash));
    return TRUE;
}

static void summary(struct pack *pack)
{
    const struct options *options = pack->options;

    if (has_step(pack, L"pack"))
        say(STD_OUTPUT_HANDLE,
            L"packed %llu file%ls, %llu director%ls, %llu bytes in %llu.%02llu s\r\n", pack->files,
            pack->files == 1 ? L"" : L"s", pack->directories,
            pack->directories == 1 ? L"y" : L"ies", pack->bytes, pack->ms / 1000,
            pack->ms / 10 % 100);
    if (has_step(pack, L"extend"))
        say(STD_OUTPUT_HANDLE,
            L"extended by %ls: a hard link, a stream, an EA, a symbolic link, a copy\r\n",
            OWN_DIRECTORY);
    if (has_step(pack, L"fork"))
        say(STD_OUTPUT_HANDLE, L"forked without %ls\r\n",
            options->delete_path ? options->delete_path : pack->a_directory);
    if (has_step(pack, L"fork") && options->container)
        say(STD_OUTPUT_HANDLE, L"sealed %ls\r\n", options->container);
}

static BOOL run(struct pack *pack)
{
    const struct options *options = pack->options;

    pack->last_report = GetTickCount64();
    if (has_step(pack, L"pack") && !pack_tree(pack)) return FALSE;
    if ((has_step(pack, L"extend") && !options->file_path && !pack->largest) ||
        (has_step(pack, L"fork") && !options->delete_path && !pack->a_directory))
    {
        say(STD_ERROR_HANDLE, L"pack: %ls holds no file in a directory below it\r\n",
            options->source);
        return FALSE;
    }
    if (has_step(pack, L"extend") && !extend_image(pack)) return FALSE;
    if (has_step(pack, L"fork") && !fork_image(pack)) return FALSE;
    if (has_step(pack, L"fork") && options->container && !seal_container(pack)) return FALSE;
    fprintf(pack->manifest, "end\t%llu\t%llu\t%llu\t%llu\t%llu\n", pack->files, pack->directories,
            pack->hard_links, pack->bytes, pack->ms);
    if (!options->keep_quiet) summary(pack);
    return TRUE;
}

/* Asked before anything is made; only the fork needs none. */
static BOOL source_is_there(struct pack *pack)
{
    HANDLE handle;

    if (!has_step(pack, L"pack") && !has_step(pack, L"extend")) return TRUE;
    handle = open_item(pack->source_path);
    if (handle == INVALID_HANDLE_VALUE) return fail_error(pack, L"CreateFile", pack->source_path);
    CloseHandle(handle);
    return TRUE;
}

/* In that of the images, which isn't left behind empty. */
static BOOL run_in_directory(struct pack *pack)
{
    const WCHAR *images = pack->options->images;
    BOOL made = CreateDirectoryW(images, NULL), done;

    if (!made && GetLastError() != ERROR_ALREADY_EXISTS)
        return fail_error(pack, L"CreateDirectory", images);
    done = run(pack);
    if (!done && made) RemoveDirectoryW(images);
    return done;
}

static int start(const struct options *options)
{
    struct pack pack = {0};
    WCHAR default_manifest[MAX_PATH];
    DWORD mode;
    BOOL done;

    pack.options = options;
    pack.manifest_path = options->manifest ? options->manifest : default_manifest;
    _snwprintf(default_manifest, MAX_PATH, options->container ? L"%ls.tsv" : L"%ls\\manifest.tsv",
               options->container ? options->container : options->images);
    default_manifest[MAX_PATH - 1] = 0;
    pack.source_path = full_path(options->source, &pack.source_root);
    pack.copy_buffer = must(malloc(COPY_SIZE));
    pack.console = GetStdHandle(STD_OUTPUT_HANDLE);
    if (!GetConsoleMode(pack.console, &mode)) pack.console = NULL;
    done = source_is_there(&pack) && run_in_directory(&pack);
    if (pack.manifest && fclose(pack.manifest))
        done = fail_error(&pack, L"fclose", pack.manifest_path);
    while (pack.link_count) free(pack.links[--pack.link_count].path);
    free(pack.links);
    free(pack.largest);
    free(pack.a_directory);
    free(pack.copy_buffer);
    free(pack.source_path);
    return done ? 0 : 1;
}

static const WCHAR usage_text[] =
        L"Usage: pack.exe [OPTION]...\r\n"
        L"Pack a directory tree into a composite image, extend the image, and fork it.\r\n\r\n"
        L"  --source DIR      tree to pack [C:\\windows]\r\n"
        L"  --images DIR      where the images go; made if missing [C:\\images]\r\n"
        L"  --container FILE  where they go instead: one file, which is made, and sealed by the "
        L"last\r\n"
        L"                    step; the manifest is FILE.tsv\r\n"
        L"  --name NAME       the image's file name; the fork is NAME_fork.cim [windows.cim]\r\n"
        L"  --manifest FILE   what was read and done, for the comparison [DIR\\manifest.tsv]\r\n"
        L"  --step STEP       only \"pack\", \"extend\" or \"fork\"; the last two need what "
        L"stands\r\n"
        L"                    in the manifest, --file and --delete [all three]\r\n"
        L"  --file PATH       what the extension links to, and copies [the largest file]\r\n"
        L"  --delete PATH     what the fork does without [the first directory with a file]\r\n"
        L"  --quiet           no progress, no summary\r\n"
        L"  --help            this text\r\n\r\n"
        L"Exit status: 0 done, 1 something failed, 2 wrong usage.\r\n";

int wmain(int argc, WCHAR **argv)
{
    struct options options = {
            .source = L"C:\\windows", .images = L"C:\\images", .name = L"windows.cim"};
    const struct known_option known[] = {
            {L"--source", &options.source, NULL},       {L"--images", &options.images, NULL},
            {L"--container", &options.container, NULL}, {L"--name", &options.name, NULL},
            {L"--manifest", &options.manifest, NULL},   {L"--step", &options.step, NULL},
            {L"--file", &options.file_path, NULL},      {L"--delete", &options.delete_path, NULL},
            {L"--quiet", NULL, &options.keep_quiet},    {NULL, NULL, NULL}};
    int status = parse(argc, argv, known, usage_text);

    if (status >= 0) return status;
    if (options.step && wcscmp(options.step, L"pack") && wcscmp(options.step, L"extend") &&
        wcscmp(options.step, L"fork"))
    {
        say(STD_ERROR_HANDLE, L"pack: there is no step \"%ls\"\r\n%ls", options.step, usage_text);
        return 2;
    }
    return enable_privileges() ? start(&options) : 1;
}
