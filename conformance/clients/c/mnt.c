/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mnt.exe - mount what pack.exe made, compare every file with its source, run a program, dismount
 *
 * Like pack.exe it knows cimfs.h and Win32 and nothing else of this project. It mounts the image
 * and its fork, if there is one, under GUIDs that it invents, and goes through the source tree and
 * each volume side by side, by \\?\Volume{GUID}\...: names, and of each item all that Win32 tells
 * of it, and bytes. From pack.exe's manifest it takes what must differ: what was added and deleted.
 * Small files are read once more without the volume, by CimReadFile. From a container that pack.exe
 * has sealed the images are mounted by its root hash, and not by another.
 *
 * Where the source itself has changed since pack.exe began to read it, as its change time tells,
 * the volume must hold what pack.exe read; that is told, and no difference.
 *
 * Under Wine volumes aren't asked for what its own file layer doesn't show: security descriptors,
 * reparse data and lists of streams.
 *
 * Every difference is a line. Whatever happens, what was mounted is dismounted.
 */
#include "program.h"

#include <cimfs.h>

#include <rpc.h>
#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum
{
    PIECE = 1 << 20,
    READ_PIECE = 1 << 16,        /* of CimReadFile, as Microsoft's sample has it */
    READ_LIMIT = 4 * READ_PIECE, /* larger files are read on the volume alone */
    LINE_ROOM = 4 << 20,
    SHOWN = 20 /* differences told one by one; the rest is counted */
};

/* What an image has room for; under Wine nothing else is seen. */
#define KEPT                                                                                       \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |                     \
     FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_SPARSE_FILE | FILE_ATTRIBUTE_DIRECTORY)

/* What the program is asked to do. */
struct options
{
    const WCHAR *source;
    const WCHAR *images;
    const WCHAR *container; /* NULL: the images are files of @images */
    const WCHAR *name;
    const WCHAR *program;
};

/* A line of the manifest that tells of something that isn't in the source, or isn't in the fork. */
struct note
{
    struct note *next;
    enum
    {
        ADDED,  /* pack.exe put it there: nothing to compare with */
        COPIED, /* as @original in the source */
        LINKED, /* the same file as @original */
        STREAM, /* :@original of the item, with @data */
        DELETED /* from the fork */
    } kind;
    WCHAR *path, *original;
    BYTE *data;
    DWORD size;
};

const WCHAR *const program = L"mnt";

/* One image, mounted. */
struct volume
{
    WCHAR name[MAX_PATH];
    GUID guid;
    WCHAR root[64]; /* \\?\Volume{GUID}, without a separator at the end */
    BOOL mounted;
    BOOL is_fork;
    ULONGLONG mount_us;
    ULONGLONG files, directories, extras, bytes;
};

struct check
{
    const struct options *options;
    struct note *notes;
    struct volume *volume; /* the one at hand */
    WCHAR *source, *copy;  /* the paths of the item at hand, in the source and in the volume */
    size_t source_root, copy_root;
    struct item from, to; /* what Win32 tells of it in the source, and in the volume */
    int phases;           /* of pack.exe's, that were done */
    struct note seal;     /* its data: the root hash; none: it isn't sealed */
    LONGLONG packed;      /* when pack.exe began to read the source */
    BOOL changed;         /* since then, the item at hand in the source: .from is what was read */
    BYTE *source_piece, *copy_piece;
    ULONGLONG differences, changes;
};

/* What has the images: a directory, or a container. */
static const WCHAR *images_of(const struct options *options)
{
    return options->container ? options->container : options->images;
}

/* ---------------------------------------------------------------------------------------------
 * Speaking
 */

static void tell(struct check *check, ULONGLONG *count, const WCHAR *word, const WCHAR *what)
{
    const WCHAR *path = check->copy + check->copy_root;

    if (++*count <= SHOWN)
        say(STD_OUTPUT_HANDLE, L"%ls %ls: %.1000ls: %ls\r\n", word, check->volume->name,
            *path ? path : L"\\", what);
}

static void differs(struct check *check, const WCHAR *what)
{
    tell(check, &check->differences, L"DIFFERENT", what);
}

/* It is the source that isn't as pack.exe read it. */
static void changed(struct check *check, const WCHAR *what)
{
    tell(check, &check->changes, L"CHANGED", what);
}

static ULONGLONG now_us(void)
{
    LARGE_INTEGER count, frequency;

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (ULONGLONG)(count.QuadPart * 1000000 / frequency.QuadPart);
}

/* ---------------------------------------------------------------------------------------------
 * The manifest
 */

static WCHAR *wide(const char *text)
{
    int units = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    WCHAR *result = must(malloc((size_t)units * sizeof(*result)));

    MultiByteToWideChar(CP_UTF8, 0, text, -1, result, units);
    return result;
}

static struct note *add_note(struct check *check, int kind, const char *path, const char *original)
{
    struct note *note = must(calloc(1, sizeof(*note)));

    note->kind = kind;
    note->path = wide(path);
    note->original = original ? wide(original) : NULL;
    note->next = check->notes;
    check->notes = note;
    return note;
}

static void unhex(struct note *note, const char *text)
{
    unsigned int byte;

    note->data = must(malloc(strlen(text) / 2 + 1));
    for (; sscanf(text, "%2x", &byte) == 1; text += 2) note->data[note->size++] = (BYTE)byte;
}

/* The field at *@at, which may be empty; NULL after the last. */
static char *next_field(char **at)
{
    char *field = *at;
    size_t length = field ? strcspn(field, "\t\r\n") : 0;

    if (!field) return NULL;
    *at = field[length] == '\t' ? field + length + 1 : NULL;
    field[length] = 0;
    return field;
}

/* One line. Of those of the packing itself only streams matter: Wine doesn't list them. */
static void read_line(struct check *check, char *line)
{
    const char *word = next_field(&line), *path = next_field(&line);
    const char *other = next_field(&line), *data = next_field(&line);

    if (!path) return;
    if (!strcmp(word, "phase"))
    {
        if (!check->phases++ && other) check->packed = strtoll(other, NULL, 10);
    }
    else if (!strcmp(word, "seal") && other)
        unhex(&check->seal, other);
    else if (!strcmp(word, "stream") && data)
        unhex(add_note(check, STREAM, path, other), data);
    else if (check->phases < 2)
        return;
    else if (!strcmp(word, "delete"))
        add_note(check, DELETED, path, NULL);
    else if (!strcmp(word, "copy") && other)
        add_note(check, COPIED, path, other);
    else if (!strcmp(word, "link") && other)
        add_note(check, LINKED, path, other);
    else if (!strcmp(word, "file") || !strcmp(word, "dir"))
        add_note(check, ADDED, path, NULL);
}

static char manifest_line[LINE_ROOM];

static FILE *open_manifest(const struct check *check)
{
    WCHAR path[MAX_PATH];
    FILE *file;

    if (check->options->container)
        _snwprintf(path, MAX_PATH, L"%ls.tsv", check->options->container);
    else
        _snwprintf(path, MAX_PATH, L"%ls\\manifest.tsv", check->options->images);
    path[MAX_PATH - 1] = 0;
    file = _wfopen(path, L"rb");
    if (!file) fail_win32(L"_wfopen", path);
    return file;
}

static BOOL read_manifest(struct check *check)
{
    FILE *file = open_manifest(check);

    if (!file) return FALSE;
    while (fgets(manifest_line, LINE_ROOM, file)) read_line(check, manifest_line);
    fclose(file);
    return check->phases ||
           fail(L"read_manifest", check->options->images, HRESULT_FROM_WIN32(ERROR_INVALID_DATA));
}

/* The fields of a "file" or "dir" that come after its path: what pack.exe gave to CimCreateFile. */
static void read_facts(char *fields, struct item *item)
{
    item->basic.FileAttributes = strtoul(fields, &fields, 16);
    item->standard.EndOfFile.QuadPart = strtoll(fields, &fields, 10);
    item->basic.CreationTime.QuadPart = strtoll(fields, &fields, 10);
    item->basic.LastWriteTime.QuadPart = strtoll(fields, &fields, 10);
}

/* Does the manifest have @path? @item then becomes, as far as that goes, what pack.exe read. Only
 * what has changed is looked for, so this may take its time. */
static BOOL was_packed(const struct check *check, const WCHAR *path, struct item *item)
{
    FILE *file = open_manifest(check);
    WCHAR *original = NULL;
    BOOL found = FALSE;

    while (file && !found && fgets(manifest_line, LINE_ROOM, file))
    {
        char *at = manifest_line;
        const char *word = next_field(&at), *name = next_field(&at);
        BOOL link = !strcmp(word, "link");
        WCHAR *packed;

        if (!at || (!link && strcmp(word, "file") && strcmp(word, "dir"))) continue;
        packed = wide(name);
        found = !wcscmp(packed, path);
        free(packed);
        if (found && link) original = wide(next_field(&at));
        if (found && !link) read_facts(at, item);
    }
    if (file) fclose(file);
    if (original) found = was_packed(check, original, item);
    free(original);
    return found;
}

/* Has the item at hand changed in the source since pack.exe began to read that? */
static BOOL is_changed(const struct check *check)
{
    return check->from.basic.ChangeTime.QuadPart > check->packed;
}

/* The path, in the image, of the item at hand. */
static const WCHAR *own_path(const struct check *check)
{
    const WCHAR *path = check->copy + check->copy_root;

    return path + (*path == '\\');
}

/* Of the item at hand both sides were read: it is held against what pack.exe read. */
static void look_for_change(struct check *check)
{
    check->changed = is_changed(check) && was_packed(check, own_path(check), &check->from);
    if (check->changed) changed(check, L"the source has changed since it was packed");
}

/* What the manifest says of a path, or NULL. The later notes, which say more, come first. */
static const struct note *find_note(const struct check *check, const WCHAR *path)
{
    const struct note *note = check->notes;

    while (note && (note->kind == STREAM || _wcsicmp(note->path, path) ||
                    (note->kind == DELETED && !check->volume->is_fork)))
        note = note->next;
    return note;
}

/* Had the source's file a link added to it? */
static BOOL was_linked(const struct check *check, const WCHAR *path)
{
    const struct note *note = check->notes;

    while (note && (note->kind != LINKED || _wcsicmp(note->original, path))) note = note->next;
    return note != NULL;
}

/* ---------------------------------------------------------------------------------------------
 * Comparing
 */

static void compare_bytes(struct check *check, HANDLE source, HANDLE copy)
{
    DWORD source_got, copy_got;

    do
    {
        if (!ReadFile(source, check->source_piece, PIECE, &source_got, NULL))
        {
            fail_win32(L"ReadFile", check->source);
            differs(check, L"the source can't be read");
            return;
        }
        if (!ReadFile(copy, check->copy_piece, PIECE, &copy_got, NULL))
        {
            fail_win32(L"ReadFile", check->copy);
            differs(check, L"can't be read");
            return;
        }
        if (source_got != copy_got || memcmp(check->source_piece, check->copy_piece, copy_got))
        {
            differs(check, L"other bytes");
            return;
        }
        check->volume->bytes += copy_got;
    } while (copy_got);
}

static HRESULT stat_unmounted(const struct check *check, const WCHAR *image, const WCHAR *path,
                              FILE_STAT_BASIC_INFORMATION *stat)
{
    typedef HRESULT(WINAPI * stat2)(PCWSTR, PCWSTR, FILE_STAT_BASIC_INFORMATION *, UINT32);
    stat2 function;

    if (!check->options->container) return CimGetFileStatBasicInformation(image, path, stat);
    function = (stat2)newer_function("CimGetFileStatBasicInformation2");
    return function ? function(image, path, stat, CIM_READ_SINGLE_FILE) : E_NOTIMPL;
}

/* Into .copy_piece. */
static HRESULT read_unmounted(const struct check *check, const WCHAR *image, const WCHAR *path,
                              UINT64 offset, UINT64 *read, UINT64 *left)
{
    typedef HRESULT(WINAPI * read2)(PCWSTR, PCWSTR, UINT64, void *, UINT64, UINT64 *, UINT64 *,
                                    UINT32);
    BYTE *piece = check->copy_piece;
    read2 function;

    if (!check->options->container)
        return CimReadFile(image, path, offset, piece, READ_PIECE, read, left);
    function = (read2)newer_function("CimReadFile2");
    return function ? function(image, path, offset, piece, READ_PIECE, read, left,
                               CIM_READ_SINGLE_FILE)
                    : E_NOTIMPL;
}

/* As Microsoft's sample does: the size from the stat, then a piece at a time until nothing remains.
 */
static void compare_unmounted(struct check *check, HANDLE source)
{
    const WCHAR *path = own_path(check);
    const BYTE *want = check->source_piece;
    FILE_STAT_BASIC_INFORMATION stat = {.FileAttributes = 0};
    UINT64 offset = 0, read = 0, left = 1;
    WCHAR image[PATH_ROOM / 8];
    LARGE_INTEGER start = {{0}};
    HRESULT hr;
    DWORD size;

    _snwprintf(image, ARRAYSIZE(image), L"%ls\\%ls", images_of(check->options),
               check->volume->name);
    hr = stat_unmounted(check, image, path, &stat);
    if (hr != S_OK || stat.EndOfFile.QuadPart != check->from.standard.EndOfFile.QuadPart)
    {
        fail(L"CimGetFileStatBasicInformation", path, hr);
        differs(check, L"another size in CimGetFileStatBasicInformation");
    }
    if (check->from.standard.EndOfFile.QuadPart > READ_LIMIT) return;
    if (!SetFilePointerEx(source, start, NULL, FILE_BEGIN) ||
        !ReadFile(source, check->source_piece, PIECE, &size, NULL))
    {
        fail_win32(L"ReadFile", check->source);
        differs(check, L"the source can't be read again");
        return;
    }
    while (hr == S_OK && left)
    {
        hr = read_unmounted(check, image, path, offset, &read, &left);
        if (hr == S_OK && (offset + read + left != size || (left && !read) ||
                           memcmp(want + offset, check->copy_piece, (size_t)read)))
        {
            differs(check, L"CimReadFile tells other bytes, or another count of them");
            return;
        }
        offset += read;
    }
    if (hr == S_OK) return;
    fail(L"CimReadFile", path, hr);
    differs(check, L"can't be read by CimReadFile");
}

static BOOL same_dacl(const struct item *one, const struct item *two)
{
    WCHAR *text[2] = {NULL, NULL};
    BOOL same;

    ConvertSecurityDescriptorToStringSecurityDescriptorW(one->security, SDDL_REVISION_1,
                                                         DACL_SECURITY_INFORMATION, &text[0], NULL);
    ConvertSecurityDescriptorToStringSecurityDescriptorW(two->security, SDDL_REVISION_1,
                                                         DACL_SECURITY_INFORMATION, &text[1], NULL);
    same = text[0] && text[1] && !wcscmp(text[0], text[1]);
    LocalFree(text[0]);
    LocalFree(text[1]);
    return same;
}

/* Both were read. */
static void compare_facts(struct check *check)
{
    const struct item *from = &check->from, *to = &check->to;
    DWORD mask = on_wine() ? ~0u : KEPT;
    LONGLONG created = to->basic.CreationTime.QuadPart;

    if ((from->basic.FileAttributes ^ to->basic.FileAttributes) & mask)
        differs(check, L"other attributes");
    if (from->basic.LastWriteTime.QuadPart != to->basic.LastWriteTime.QuadPart)
        differs(check, L"another time of writing");
    /* Wine limit: where it knows a source's creation, it still doesn't know a volume's */
    if (created != from->basic.CreationTime.QuadPart &&
        !(on_wine() && created == to->basic.LastWriteTime.QuadPart))
        differs(check, L"another time of creation");
    if (on_wine() || check->changed) return;
    if (from->reparse_size != to->reparse_size ||
        memcmp(from->reparse, to->reparse, to->reparse_size))
        differs(check, L"other reparse data");
    if (!same_dacl(from, to)) differs(check, L"another DACL");
}

/* A stream may be opened by its name, also where no list has it. */
static void compare_stream(struct check *check, const struct note *note)
{
    size_t length = wcslen(check->copy);
    HANDLE stream;
    DWORD got = 0;

    _snwprintf(check->copy + length, PATH_ROOM - length, L":%ls", note->original);
    stream = CreateFileW(check->copy, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (stream == INVALID_HANDLE_VALUE || !ReadFile(stream, check->copy_piece, PIECE, &got, NULL))
    {
        fail_win32(L"CreateFile", check->copy);
        differs(check, L"the stream can't be read");
    }
    else if (got != note->size || memcmp(check->copy_piece, note->data, got))
        differs(check, L"other bytes in the stream");
    if (stream != INVALID_HANDLE_VALUE) CloseHandle(stream);
    check->copy[length] = 0;
}

/* The item at check->copy has the streams that pack.exe gave to @path, and off Wine no other. */
static void compare_streams(struct check *check, const WCHAR *path)
{
    const struct note *note;
    struct names names = {0};
    size_t count = 0, at;

    for (note = check->notes; note; note = note->next)
    {
        if (note->kind != STREAM || _wcsicmp(note->path, path)) continue;
        compare_stream(check, note);
        count++;
    }
    if (on_wine()) return;
    if (!list_streams(check->copy, &names)) differs(check, L"streams can't be listed");
    for (at = 0; at < names.used; at += wcslen(names.text + at) + 1) count--;
    if (count) differs(check, L"another number of alternate streams");
    free(names.text);
}

static void compare_file(struct check *check, HANDLE source, HANDLE copy)
{
    const WCHAR *path = own_path(check);
    const struct item *from = &check->from, *to = &check->to;
    DWORD links = from->standard.NumberOfLinks + was_linked(check, path);

    check->volume->files++;
    /* what was deleted from the fork may have been links */
    if (to->standard.NumberOfLinks != links && !check->volume->is_fork && !check->changed)
        differs(check, L"another link count");
    if (from->standard.EndOfFile.QuadPart != to->standard.EndOfFile.QuadPart)
        differs(check, L"another size");
    else if (!from->reparse_size && !check->changed)
    {
        compare_bytes(check, source, copy);
        if (!check->volume->is_fork) compare_unmounted(check, source);
    }
}

/* Open an item and ask all that there is to know of it; INVALID_HANDLE_VALUE: that is told. */
static HANDLE open_and_read(struct check *check, const WCHAR *path, struct item *item)
{
    HANDLE handle = open_item(path);
    const WCHAR *failed = L"CreateFile";

    if (handle != INVALID_HANDLE_VALUE) failed = read_item(handle, item);
    if (!failed) return handle;
    fail_win32(failed, path);
    differs(check, path == check->copy ? L"can't be opened" : L"the source can't be opened");
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    return INVALID_HANDLE_VALUE;
}

/* A file or directory and its copy; both paths are set. FALSE: there is nothing to go into. */
static BOOL compare_item(struct check *check)
{
    HANDLE source = open_and_read(check, check->source, &check->from);
    HANDLE copy = open_and_read(check, check->copy, &check->to);
    BOOL both = source != INVALID_HANDLE_VALUE && copy != INVALID_HANDLE_VALUE;
    BOOL is_directory;

    if (both) look_for_change(check);
    is_directory = both && check->from.basic.FileAttributes & check->to.basic.FileAttributes &
                                   FILE_ATTRIBUTE_DIRECTORY;
    if (both) compare_facts(check);
    if (is_directory)
        check->volume->directories++;
    else if (both)
        compare_file(check, source, copy);
    if (source != INVALID_HANDLE_VALUE) CloseHandle(source);
    if (copy != INVALID_HANDLE_VALUE) CloseHandle(copy);
    return is_directory && !check->from.reparse_size;
}

static struct file_id file_id(const WCHAR *path)
{
    struct item item = {.reparse_size = 0};
    HANDLE handle = open_item(path);

    if (handle == INVALID_HANDLE_VALUE || read_item(handle, &item))
        memset(&item.id, 0, sizeof(item.id));
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    LocalFree(item.security);
    return item.id;
}

/* Is the added name the same file as the one it was linked to? And another than the volume's root.
 */
static void compare_link(struct check *check, const WCHAR *original)
{
    WCHAR *path = must(malloc(PATH_ROOM * sizeof(*path)));
    struct file_id one = check->to.id, two, root;

    _snwprintf(path, PATH_ROOM, L"%ls\\", check->volume->root);
    root = file_id(path);
    wcscat(path, original);
    two = file_id(path);
    if (one.volume != two.volume || memcmp(one.id, two.id, sizeof(one.id)))
        differs(check, L"not the same file as what it is a hard link to");
    if (!memcmp(one.id, root.id, sizeof(one.id))) differs(check, L"the same file as the root");
    free(path);
}

/* A name that was added to a file of the source, or a copy of one. */
static void compare_added(struct check *check, const struct note *note)
{
    const struct note *deleted = find_note(check, note->original);
    ULONGLONG bytes = check->volume->bytes;
    DWORD links;
    BOOL both;
    HANDLE source, copy;

    _snwprintf(check->source + check->source_root, PATH_ROOM - check->source_root, L"\\%ls",
               note->original);
    source = open_and_read(check, check->source, &check->from);
    copy = open_and_read(check, check->copy, &check->to);
    both = source != INVALID_HANDLE_VALUE && copy != INVALID_HANDLE_VALUE;
    links = check->from.standard.NumberOfLinks;
    if (both)
    {
        look_for_change(check);
        compare_facts(check);
        if (!check->changed) compare_bytes(check, source, copy);
        check->volume->bytes = bytes; /* those of a file that isn't counted either */
    }
    if (both && note->kind == COPIED && check->to.standard.NumberOfLinks != 1)
        differs(check, L"another link count");
    if (both && note->kind == LINKED && !check->volume->is_fork && !check->changed &&
        check->to.standard.NumberOfLinks != links + 1)
        differs(check, L"another link count");
    if (source != INVALID_HANDLE_VALUE) CloseHandle(source);
    if (copy != INVALID_HANDLE_VALUE) CloseHandle(copy);
    if (!both || note->kind != LINKED) return;
    compare_streams(check, note->original);
    if (!deleted || deleted->kind != DELETED) compare_link(check, note->original);
}

/* Was the item at hand, which the source's directory doesn't list, there when it was packed? */
static BOOL is_gone(const struct check *check)
{
    WCHAR *source = must(malloc(PATH_ROOM * sizeof(*source)));
    struct item item;
    BOOL gone;

    _snwprintf(source, PATH_ROOM, L"%.*ls\\%ls", (int)check->source_root, check->source,
               own_path(check));
    gone = GetFileAttributesW(source) == INVALID_FILE_ATTRIBUTES &&
           was_packed(check, own_path(check), &item);
    free(source);
    return gone;
}

/* Something of the volume that isn't in the source. */
static void compare_extra(struct check *check)
{
    const struct note *note = find_note(check, own_path(check));

    if (!note && is_gone(check))
    {
        changed(check, L"has gone from the source since it was packed");
        return;
    }
    if (!note || note->kind == DELETED)
    {
        differs(check, L"nobody put it there");
        return;
    }
    check->volume->extras++;
    if (note->kind != ADDED) compare_added(check, note);
}

/* What Wine lists and Windows doesn't: streams, as files NAME:STREAM, and what a volume that is a
 * copy keeps for Wine itself. */
static BOOL is_wines(const WCHAR *name)
{
    return on_wine() && (wcschr(name, ':') || !wcscmp(name, L".windows-label") ||
                         !wcscmp(name, L".windows-serial"));
}

/* The names in a directory, one after the other; NULL if it can't be listed. */
static WCHAR *list(const WCHAR *dir)
{
    WCHAR *pattern = must(malloc((wcslen(dir) + 3) * sizeof(WCHAR)));
    struct names names = {0};
    WIN32_FIND_DATAW data;
    HANDLE find;

    wcscpy(pattern, dir);
    wcscat(pattern, L"\\*");
    find = FindFirstFileW(pattern, &data);
    free(pattern);
    if (find == INVALID_HANDLE_VALUE && GetLastError() != ERROR_FILE_NOT_FOUND) return NULL;
    /* a root may be without an entry */
    if (find != INVALID_HANDLE_VALUE)
    {
        do
        {
            if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
            if (!is_wines(data.cFileName))
                names_add(&names, data.cFileName, wcslen(data.cFileName));
        } while (FindNextFileW(find, &data));
        FindClose(find);
    }
    names_add(&names, L"", 0);
    return names.text;
}

static BOOL has_name(const WCHAR *names, const WCHAR *name)
{
    for (; *names; names += wcslen(names) + 1)
        if (!wcscmp(names, name)) return TRUE;
    return FALSE;
}

/* Has the item at hand, which the volume doesn't have, come into the source since it was packed? */
static BOOL is_new(struct check *check)
{
    HANDLE source = open_and_read(check, check->source, &check->from);

    if (source == INVALID_HANDLE_VALUE) return FALSE;
    CloseHandle(source);
    return is_changed(check) && !was_packed(check, own_path(check), &check->from);
}

static void compare_directory(struct check *check);

/* One name of the source's directory; both paths are complete. */
static void compare_name(struct check *check, BOOL in_volume)
{
    const WCHAR *path = own_path(check);
    const struct note *note = find_note(check, path);
    BOOL is_directory;

    if (note && note->kind == DELETED)
    {
        check->volume->extras++;
        if (in_volume || GetFileAttributesW(check->copy) != INVALID_FILE_ATTRIBUTES)
            differs(check, L"was deleted from the fork");
        else if (GetLastError() != ERROR_FILE_NOT_FOUND)
            differs(check, L"was deleted, and that isn't ERROR_FILE_NOT_FOUND");
        return;
    }
    if (!in_volume)
    {
        if (is_new(check))
            changed(check, L"has come into the source since it was packed");
        else
            differs(check, L"is missing");
        return;
    }
    is_directory = compare_item(check);
    compare_streams(check, path);
    if (is_directory) compare_directory(check);
}

/* What the volume has more than the source, below the directory at hand. */
static void compare_extras(struct check *check, const WCHAR *names, const WCHAR *known)
{
    size_t length = wcslen(check->copy);

    for (; names && *names; names += wcslen(names) + 1)
    {
        DWORD attributes;

        if (known && has_name(known, names)) continue;
        check->copy[length] = '\\';
        wcscpy(check->copy + length + 1, names);
        compare_extra(check);
        attributes = GetFileAttributesW(check->copy);
        if (attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY)
        {
            WCHAR *inner = list(check->copy);

            compare_extras(check, inner, NULL);
            free(inner);
        }
        check->copy[length] = 0;
    }
}

static void compare_directory(struct check *check)
{
    size_t source_length = wcslen(check->source), copy_length = wcslen(check->copy);
    WCHAR *source_names = list(check->source), *copy_names = list(check->copy), *name;

    if (!source_names || !copy_names)
    {
        fail_win32(L"FindFirstFile", source_names ? check->copy : check->source);
        differs(check, L"can't be listed");
    }
    else
    {
        for (name = source_names; *name; name += wcslen(name) + 1)
        {
            if (max(source_length, copy_length) + wcslen(name) + 2 > PATH_ROOM)
            {
                differs(check, L"a path that is too long");
                continue;
            }
            check->source[source_length] = check->copy[copy_length] = '\\';
            wcscpy(check->source + source_length + 1, name);
            wcscpy(check->copy + copy_length + 1, name);
            compare_name(check, has_name(copy_names, name));
            check->source[source_length] = check->copy[copy_length] = 0;
        }
        compare_extras(check, copy_names, source_names);
        check->source[source_length] = 0;
    }
    free(source_names);
    free(copy_names);
}

static void compare_volume(struct check *check, struct volume *volume)
{
    ULONGLONG us = now_us();

    check->volume = volume;
    check->source[check->source_root] = 0;
    wcscpy(check->copy, volume->root);
    check->copy_root = wcslen(check->copy);
    if (!compare_item(check)) differs(check, L"the volume's root is no directory");
    compare_directory(check);
    us = now_us() - us;
    say(STD_OUTPUT_HANDLE,
        L"%ls: mounted in %llu.%llu ms; %llu file%ls, %llu director%ls, %llu bytes compared "
        L"in %llu.%02llu s\r\n",
        volume->name, volume->mount_us / 1000, volume->mount_us / 100 % 10, volume->files,
        volume->files == 1 ? L"" : L"s", volume->directories,
        volume->directories == 1 ? L"y" : L"ies", volume->bytes, us / 1000000, us / 10000 % 100);
    if (!volume->files) differs(check, L"nothing was compared");
    if (check->phases > 1 && !volume->extras) differs(check, L"what pack.exe added is not there");
}

/* ---------------------------------------------------------------------------------------------
 * Mounting
 */

static HRESULT mount_verified(const struct check *check, const struct volume *volume)
{
    typedef HRESULT(WINAPI * verified)(PCWSTR, PCWSTR, UINT32, const GUID *, UINT16, const BYTE *);
    verified function = (verified)newer_function("CimMountVerifiedImage");

    return function ? function(check->options->container, volume->name, CIM_MOUNT_SINGLE_FILE,
                               &volume->guid, (UINT16)check->seal.size, check->seal.data)
                    : E_NOTIMPL;
}

/* Nothing is mounted that isn't what was sealed. */
static BOOL refuse_another(const struct check *check, struct volume *volume)
{
    HRESULT hr;

    *check->seal.data ^= 1;
    hr = mount_verified(check, volume);
    *check->seal.data ^= 1;
    if (hr == S_OK)
    {
        CimDismountImage(&volume->guid);
        return fail(L"CimMountVerifiedImage with another root hash", volume->name, hr);
    }
    say(STD_OUTPUT_HANDLE, L"%ls: refused with another root hash (0x%08lX)\r\n", volume->name,
        (unsigned long)hr);
    return TRUE;
}

static HRESULT mount_image(const struct check *check, const struct volume *volume)
{
    const struct options *options = check->options;

    if (check->seal.size) return mount_verified(check, volume);
    return CimMountImage(images_of(options), volume->name,
                         options->container ? CIM_MOUNT_SINGLE_FILE : CIM_MOUNT_IMAGE_NONE,
                         &volume->guid);
}

static BOOL mount_volume(const struct check *check, struct volume *volume)
{
    ULONGLONG us;
    HRESULT hr;

    UuidCreate(&volume->guid);
    _snwprintf(volume->root, ARRAYSIZE(volume->root),
               L"\\\\?\\Volume{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
               volume->guid.Data1, volume->guid.Data2, volume->guid.Data3, volume->guid.Data4[0],
               volume->guid.Data4[1], volume->guid.Data4[2], volume->guid.Data4[3],
               volume->guid.Data4[4], volume->guid.Data4[5], volume->guid.Data4[6],
               volume->guid.Data4[7]);
    if (check->seal.size && !refuse_another(check, volume)) return FALSE;
    us = now_us();
    hr = mount_image(check, volume);
    if (hr != S_OK)
        return fail(check->seal.size ? L"CimMountVerifiedImage" : L"CimMountImage", volume->name,
                    hr);
    volume->mount_us = now_us() - us;
    volume->mounted = TRUE;
    return TRUE;
}

/* Dismount, and see that it is gone. */
static BOOL dismount_volume(struct volume *volume)
{
    WCHAR path[80];
    HRESULT hr;

    if (!volume->mounted) return TRUE;
    hr = CimDismountImage(&volume->guid);
    if (hr != S_OK) return fail(L"CimDismountImage", volume->name, hr);
    volume->mounted = FALSE;
    _snwprintf(path, ARRAYSIZE(path), L"%ls\\cimfs-demo", volume->root);
    if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
    {
        path[wcslen(volume->root) + 1] = 0;
        if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES) return TRUE;
    }
    say(STD_ERROR_HANDLE, L"mnt: %ls is still there after CimDismountImage\r\n", path);
    return FALSE;
}

/* The command processor of the tree that was packed, from the volume: it must end as it is told. */
static BOOL run_program(const struct options *options, const struct volume *volume)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    WCHAR path[1024], command[1100];
    DWORD code = 0;

    _snwprintf(path, ARRAYSIZE(path), L"%ls\\%ls", volume->root, options->program);
    _snwprintf(command, ARRAYSIZE(command), L"\"%ls\" /c exit 42", path);
    if (!CreateProcessW(path, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
        return fail_win32(L"CreateProcess", path);
    WaitForSingleObject(process.hProcess, 60000);
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    if (code != 42)
    {
        say(STD_ERROR_HANDLE, L"mnt: %ls ended with %lu, not 42\r\n", path, code);
        return FALSE;
    }
    say(STD_OUTPUT_HANDLE, L"%ls: \\%ls ran from the volume\r\n", volume->name, options->program);
    return TRUE;
}

static BOOL run(struct check *check)
{
    const struct options *options = check->options;
    struct volume volumes[2] = {0};
    WCHAR *fork = fork_name(options->name);
    int i, count;
    BOOL done;

    done = read_manifest(check);
    count = check->phases < 3 ? 1 : 2;
    _snwprintf(volumes[0].name, MAX_PATH - 1, L"%ls", options->name);
    _snwprintf(volumes[1].name, MAX_PATH - 1, L"%ls", fork);
    free(fork);
    volumes[1].is_fork = TRUE;
    for (i = 0; done && i < count; i++) done = mount_volume(check, &volumes[i]);
    for (i = 0; done && i < count; i++) compare_volume(check, &volumes[i]);
    if (done && *options->program) done = run_program(options, &volumes[0]);
    for (i = 0; i < 2; i++) done = dismount_volume(&volumes[i]) && done;
    if (check->changes)
        say(STD_OUTPUT_HANDLE, L"%llu changes in the source since it was packed\r\n",
            check->changes);
    if (check->differences) say(STD_OUTPUT_HANDLE, L"%llu differences\r\n", check->differences);
    return done && !check->differences;
}

/* ---------------------------------------------------------------------------------------------
 * Beginning and end
 */

static const WCHAR usage_text[] =
        L"Usage: mnt.exe [OPTION]...\r\n"
        L"Mount the image that pack.exe made, and its fork; compare them with their "
        L"source;\r\ndismount.\r\n\r\n"
        L"  --source DIR      tree that was packed [C:\\windows]\r\n"
        L"  --images DIR      where the images and the manifest are [C:\\images]\r\n"
        L"  --container FILE  the file that has the images instead, and FILE.tsv beside it\r\n"
        L"  --name NAME       the image [windows.cim]; its fork is NAME_fork\r\n"
        L"  --program PATH    to run from the volume as \"PATH /c exit 42\"; \"\" for none\r\n"
        L"                    [system32\\cmd.exe]\r\n"
        L"  --help            this text\r\n\r\n"
        L"Exit status: 0 all is equal, 1 something differs or failed, 2 wrong usage.\r\n";

int wmain(int argc, WCHAR **argv)
{
    struct options options = {.source = L"C:\\windows",
                              .images = L"C:\\images",
                              .name = L"windows.cim",
                              .program = L"system32\\cmd.exe"};
    struct check check = {.options = &options, .packed = MAXLONGLONG};
    const struct known_option known[] = {
            {L"--source", &options.source, NULL},       {L"--images", &options.images, NULL},
            {L"--container", &options.container, NULL}, {L"--name", &options.name, NULL},
            {L"--program", &options.program, NULL},     {NULL, NULL, NULL}};
    int status = parse(argc, argv, known, usage_text);
    BOOL done;

    if (status >= 0) return status;
    if (!enable_privileges()) return 1;
    check.source = full_path(options.source, &check.source_root);
    check.copy = must(calloc(PATH_ROOM, sizeof(WCHAR)));
    check.source_piece = must(malloc(PIECE));
    check.copy_piece = must(malloc(PIECE));
    done = run(&check);
    while (check.notes)
    {
        struct note *next = check.notes->next;

        free(check.notes->path);
        free(check.notes->original);
        free(check.notes->data);
        free(check.notes);
        check.notes = next;
    }
    free(check.seal.data);
    LocalFree(check.from.security);
    LocalFree(check.to.security);
    free(check.copy_piece);
    free(check.source_piece);
    free(check.copy);
    free(check.source);
    return done ? 0 : 1;
}
