/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mnt.exe - mount what pack.exe made, compare every file with its source, run a program, dismount
 *
 * The demo's second Windows program. Like pack.exe it knows cimfs.h and Win32 and nothing else of
 * this project. It mounts the image and its fork under GUIDs that it invents, and goes through the
 * source tree and each volume side by side, by \\?\Volume{GUID}\...: names, sizes, attributes,
 * times and bytes. From pack.exe's manifest it takes what must differ: what was added and deleted.
 *
 * Every difference is a line. Whatever happens, what was mounted is dismounted.
 */
#define PROGRAM L"mnt"
#include "../console.h"

#include <rpc.h>
#include <cimfs.h>

enum
{
    PATH_ROOM = 32768,
    PIECE = 1 << 20,
    SHOWN = 20 /* differences told one by one; the rest is counted */
};

/* What the program is asked to do. */
struct options
{
    const WCHAR *source;
    const WCHAR *images;
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
        DELETED /* from the fork */
    } kind;
    WCHAR *path, *original;
};

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
    BYTE *source_piece, *copy_piece;
    ULONGLONG differences;
};

/* ---------------------------------------------------------------------------------------------
 * Speaking
 */

static BOOL fail_win32(const WCHAR *function, const WCHAR *what)
{
    return fail(function, what, HRESULT_FROM_WIN32(GetLastError()));
}

static void differs(struct check *check, const WCHAR *what)
{
    if (++check->differences <= SHOWN)
        say(STD_OUTPUT_HANDLE, L"DIFFERENT %ls: %.1000ls: %ls\r\n", check->volume->name,
            check->copy + check->copy_root, what);
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

static void add_note(struct check *check, int kind, const char *path, const char *original)
{
    struct note *note = must(calloc(1, sizeof(*note)));

    note->kind = kind;
    note->path = wide(path);
    note->original = original ? wide(original) : NULL;
    note->next = check->notes;
    check->notes = note;
}

/* One line, of which only those after the packing itself matter; *phase counts. */
static void read_line(struct check *check, char *line, int *phase)
{
    const char *word = strtok(line, "\t\r\n"), *path = strtok(NULL, "\t\r\n");
    const char *original = strtok(NULL, "\t\r\n");

    if (!word || !path) return;
    if (!strcmp(word, "phase"))
        ++*phase;
    else if (*phase < 2)
        return;
    else if (!strcmp(word, "delete"))
        add_note(check, DELETED, path, NULL);
    else if (!strcmp(word, "copy") && original)
        add_note(check, COPIED, path, original);
    else if (!strcmp(word, "link") && original)
        add_note(check, LINKED, path, original);
    else if (!strcmp(word, "file") || !strcmp(word, "dir"))
        add_note(check, ADDED, path, NULL);
}

static BOOL read_manifest(struct check *check)
{
    static char line[1 << 18];
    WCHAR path[MAX_PATH];
    int phase = 0;
    FILE *file;

    _snwprintf(path, MAX_PATH, L"%ls\\manifest.tsv", check->options->images);
    path[MAX_PATH - 1] = 0;
    file = _wfopen(path, L"rb");
    if (!file) return fail_win32(L"_wfopen", path);
    while (fgets(line, sizeof(line), file)) read_line(check, line, &phase);
    fclose(file);
    return phase == 3 || fail(L"read_manifest", path, HRESULT_FROM_WIN32(ERROR_INVALID_DATA));
}

/* What the manifest says of a path, or NULL. The later notes, which say more, come first. */
static const struct note *find_note(const struct check *check, const WCHAR *path)
{
    const struct note *note = check->notes;

    while (note &&
           (_wcsicmp(note->path, path) || (note->kind == DELETED && !check->volume->is_fork)))
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

static HANDLE open_item(const WCHAR *path)
{
    return CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                       NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_SEQUENTIAL_SCAN,
                       NULL);
}

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

/* A file or directory and its copy; both paths are set. FALSE: there is nothing to go into. */
static BOOL compare_item(struct check *check)
{
    HANDLE source = open_item(check->source), copy = open_item(check->copy);
    BY_HANDLE_FILE_INFORMATION from, to;
    BOOL is_directory = FALSE;
    DWORD links;

    if (copy == INVALID_HANDLE_VALUE || !GetFileInformationByHandle(copy, &to))
    {
        fail_win32(L"CreateFile", check->copy);
        differs(check, L"can't be opened");
    }
    else if (source == INVALID_HANDLE_VALUE || !GetFileInformationByHandle(source, &from))
    {
        fail_win32(L"CreateFile", check->source);
        differs(check, L"the source can't be opened");
    }
    else
    {
        is_directory = from.dwFileAttributes & to.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY;
        if (from.dwFileAttributes != to.dwFileAttributes) differs(check, L"other attributes");
        if (CompareFileTime(&from.ftLastWriteTime, &to.ftLastWriteTime))
            differs(check, L"another time of writing");
        links = from.nNumberOfLinks + was_linked(check, check->copy + check->copy_root + 1);
        /* what was deleted from the fork may have been links */
        if (!is_directory && to.nNumberOfLinks != links && !check->volume->is_fork)
            differs(check, L"another link count");
        if (is_directory)
            check->volume->directories++;
        else if (from.nFileSizeLow != to.nFileSizeLow || from.nFileSizeHigh != to.nFileSizeHigh)
            differs(check, L"another size");
        else
            compare_bytes(check, source, copy);
        check->volume->files += !is_directory;
    }
    if (source != INVALID_HANDLE_VALUE) CloseHandle(source);
    if (copy != INVALID_HANDLE_VALUE) CloseHandle(copy);
    return is_directory;
}

/* Is the added name the same file as the one it was linked to? */
static void compare_link(struct check *check, const WCHAR *original)
{
    BY_HANDLE_FILE_INFORMATION one = {0}, two = {0};
    WCHAR *path = must(malloc(PATH_ROOM * sizeof(*path)));
    HANDLE first = open_item(check->copy), second;

    _snwprintf(path, PATH_ROOM, L"%ls\\%ls", check->volume->root, original);
    second = open_item(path);
    if (!GetFileInformationByHandle(first, &one) || !GetFileInformationByHandle(second, &two) ||
        one.nFileIndexLow != two.nFileIndexLow || one.nFileIndexHigh != two.nFileIndexHigh)
        differs(check, L"not the same file as what it is a hard link to");
    CloseHandle(first);
    CloseHandle(second);
    free(path);
}

/* Something of the volume that isn't in the source. */
static void compare_extra(struct check *check)
{
    const struct note *note = find_note(check, check->copy + check->copy_root + 1);

    if (!note || note->kind == DELETED)
    {
        differs(check, L"nobody put it there");
        return;
    }
    check->volume->extras++;
    if (note->kind == LINKED) compare_link(check, note->original);
    if (note->kind == COPIED)
    {
        HANDLE source, copy = open_item(check->copy);

        _snwprintf(check->source + check->source_root, PATH_ROOM - check->source_root, L"\\%ls",
                   note->original);
        source = open_item(check->source);
        compare_bytes(check, source, copy);
        CloseHandle(source);
        CloseHandle(copy);
    }
}

/* The names in a directory, one after the other; NULL if it can't be listed. */
static WCHAR *list(const WCHAR *dir)
{
    WCHAR *pattern = must(malloc((wcslen(dir) + 3) * sizeof(WCHAR))), *names = NULL;
    size_t used = 0, room = 0;
    WIN32_FIND_DATAW data;
    HANDLE find;

    wcscpy(pattern, dir);
    wcscat(pattern, L"\\*");
    find = FindFirstFileW(pattern, &data);
    free(pattern);
    if (find == INVALID_HANDLE_VALUE)
    {
        if (GetLastError() != ERROR_FILE_NOT_FOUND) return NULL;
        return must(calloc(1, sizeof(*names))); /* a root without an entry */
    }
    do
    {
        size_t units = wcslen(data.cFileName) + 1;

        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
        if (room - used <= units)
        {
            room = (room + units + 1) * 2;
            names = must(realloc(names, room * sizeof(*names)));
        }
        memcpy(names + used, data.cFileName, units * sizeof(*names));
        used += units;
    } while (FindNextFileW(find, &data));
    FindClose(find);
    if (!names) names = must(malloc(sizeof(*names)));
    names[used] = 0;
    return names;
}

static BOOL has_name(const WCHAR *names, const WCHAR *name)
{
    for (; *names; names += wcslen(names) + 1)
        if (!wcscmp(names, name)) return TRUE;
    return FALSE;
}

static void compare_directory(struct check *check);

/* One name of the source's directory; both paths are complete. */
static void compare_name(struct check *check, BOOL in_volume)
{
    const struct note *note = find_note(check, check->copy + check->copy_root + 1);

    if (note && note->kind == DELETED)
    {
        check->volume->extras++;
        if (in_volume) differs(check, L"was deleted from the fork");
    }
    else if (!in_volume)
        differs(check, L"is missing");
    else if (compare_item(check))
        compare_directory(check);
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
    wcscpy(check->source, L"\\\\?\\");
    GetFullPathNameW(check->options->source, PATH_ROOM - 8, check->source + 4, NULL);
    wcscpy(check->copy, volume->root);
    check->source_root = wcslen(check->source);
    check->copy_root = wcslen(check->copy);
    if (!compare_item(check)) differs(check, L"the volume's root is no directory");
    compare_directory(check);
    us = now_us() - us;
    say(STD_OUTPUT_HANDLE,
        L"%ls: mounted in %llu.%llu ms; %llu files, %llu directories, %llu bytes compared in "
        L"%llu.%02llu s\r\n",
        volume->name, volume->mount_us / 1000, volume->mount_us / 100 % 10, volume->files,
        volume->directories, volume->bytes, us / 1000000, us / 10000 % 100);
    if (!volume->files) differs(check, L"nothing was compared");
    if (!volume->extras) differs(check, L"what pack.exe added is not there");
}

/* ---------------------------------------------------------------------------------------------
 * Mounting
 */

static BOOL mount_volume(const struct options *options, struct volume *volume)
{
    ULONGLONG us = now_us();
    HRESULT hr;

    UuidCreate(&volume->guid);
    _snwprintf(volume->root, ARRAYSIZE(volume->root),
               L"\\\\?\\Volume{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
               volume->guid.Data1, volume->guid.Data2, volume->guid.Data3, volume->guid.Data4[0],
               volume->guid.Data4[1], volume->guid.Data4[2], volume->guid.Data4[3],
               volume->guid.Data4[4], volume->guid.Data4[5], volume->guid.Data4[6],
               volume->guid.Data4[7]);
    hr = CimMountImage(options->images, volume->name, CIM_MOUNT_IMAGE_NONE, &volume->guid);
    if (FAILED(hr)) return fail(L"CimMountImage", volume->name, hr);
    volume->mount_us = now_us() - us;
    volume->mounted = TRUE;
    return TRUE;
}

/* Dismount, and see that it is gone. */
static BOOL dismount_volume(struct volume *volume)
{
    WCHAR root[70];
    HRESULT hr;

    if (!volume->mounted) return TRUE;
    hr = CimDismountImage(&volume->guid);
    if (FAILED(hr)) return fail(L"CimDismountImage", volume->name, hr);
    volume->mounted = FALSE;
    _snwprintf(root, ARRAYSIZE(root), L"%ls\\", volume->root);
    if (GetFileAttributesW(root) == INVALID_FILE_ATTRIBUTES) return TRUE;
    say(STD_ERROR_HANDLE, L"mnt: %ls is still there after CimDismountImage\r\n", root);
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

/* NAME_fork.cim for NAME.cim. */
static void name_volumes(const WCHAR *name, struct volume volumes[2])
{
    const WCHAR *dot = wcsrchr(name, '.');
    int stem = dot ? (int)(dot - name) : (int)wcslen(name);

    _snwprintf(volumes[0].name, MAX_PATH - 1, L"%ls", name);
    _snwprintf(volumes[1].name, MAX_PATH - 1, L"%.*ls_fork%ls", stem, name, name + stem);
    volumes[1].is_fork = TRUE;
}

static BOOL run(struct check *check)
{
    const struct options *options = check->options;
    struct volume volumes[2] = {0};
    BOOL done;
    int i;

    if (!read_manifest(check)) return FALSE;
    name_volumes(options->name, volumes);
    done = mount_volume(options, &volumes[0]) && mount_volume(options, &volumes[1]);
    for (i = 0; done && i < 2; i++) compare_volume(check, &volumes[i]);
    if (done && *options->program) done = run_program(options, &volumes[0]);
    for (i = 0; i < 2; i++) done = dismount_volume(&volumes[i]) && done;
    if (check->differences) say(STD_OUTPUT_HANDLE, L"%llu differences\r\n", check->differences);
    return done && !check->differences;
}

/* ---------------------------------------------------------------------------------------------
 * Beginning and end
 */

static const WCHAR usage_text[] =
        L"Usage: mnt.exe [OPTION]...\r\n"
        L"Mount the two images that pack.exe made, compare them with their source, "
        L"dismount.\r\n\r\n"
        L"  --source DIR      tree that was packed [C:\\windows]\r\n"
        L"  --images DIR      where the images and the manifest are [C:\\images]\r\n"
        L"  --name NAME       the image [windows.cim]; its fork is NAME_fork\r\n"
        L"  --program PATH    to run from the volume as \"PATH /c exit 42\"; \"\" for none\r\n"
        L"                    [system32\\cmd.exe]\r\n"
        L"  --help            this text\r\n\r\n"
        L"Exit status: 0 all is equal, 1 something differs or failed, 2 wrong usage.\r\n";

int wmain(int argc, WCHAR **argv)
{
    struct options options = {L"C:\\windows", L"C:\\images", L"windows.cim", L"system32\\cmd.exe"};
    struct check check = {.options = &options};
    const struct known_option known[] = {{L"--source", &options.source, NULL},
                                         {L"--images", &options.images, NULL},
                                         {L"--name", &options.name, NULL},
                                         {L"--program", &options.program, NULL},
                                         {NULL, NULL, NULL}};
    int status = parse(argc, argv, known, usage_text);
    BOOL done;

    if (status >= 0) return status;
    check.source = must(calloc(PATH_ROOM, sizeof(WCHAR)));
    check.copy = must(calloc(PATH_ROOM, sizeof(WCHAR)));
    check.source_piece = must(malloc(PIECE));
    check.copy_piece = must(malloc(PIECE));
    done = run(&check);
    while (check.notes)
    {
        struct note *next = check.notes->next;

        free(check.notes->path);
        free(check.notes->original);
        free(check.notes);
        check.notes = next;
    }
    free(check.copy_piece);
    free(check.source_piece);
    free(check.copy);
    free(check.source);
    return done ? 0 : 1;
}
