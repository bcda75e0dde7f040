/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumenames.c - names on a mounted volume: any case, lists of directories, patterns, long paths,
 * hard and symbolic links
 */
#include "metadata.h"
#include "volume.h"

#define SAMPLE "CimFSAPI sample"
#define LAYERS "hcsshim layer import"

/* ---- names -------------------------------------------------------------------------------------
 */

FRESH_CASE(any_case, "Volume/NamesInAnyCase", CLIENT, "hcsshim format reader", NEEDS_MOUNT,
           "files and directories are found by their names in any case, beyond ASCII too")
{
    const WCHAR *root;

    put_dir(image, L"Mixed");
    put_text(image, L"Mixed\\FileName.TXT", "mixed");
    put_text(image, L"\x00c4pfel \x0416\x03b1", "beyond");
    root = mount_fresh(image);
    check_content("as given", on(root, L"Mixed\\FileName.TXT"), "mixed");
    check_content("small", on(root, L"mixed\\filename.txt"), "mixed");
    check_content("capital", on(root, L"MIXED\\FILENAME.TXT"), "mixed");
    check_content("beyond ASCII", on(root, L"\x00e4PFEL \x0436\x0391"), "beyond");
}

/* A directory's list, sorted by code units: "name size, ", a directory's size as "dir". */
static int compare_rows(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const char *listing(const WCHAR *root, const WCHAR *pattern)
{
    static char rows[60][80], text[sizeof(rows) + 60 * 2];
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(on(root, pattern), &data);
    int count = 0, i;

    text[0] = 0;
    if (find == INVALID_HANDLE_VALUE)
    {
        sprintf(text, "error %lu", GetLastError());
        return text;
    }
    do
    {
        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
            snprintf(rows[count++], 80, "%s dir", narrow(data.cFileName));
        else
            snprintf(rows[count++], 80, "%s %lu", narrow(data.cFileName), data.nFileSizeLow);
    } while (FindNextFileW(find, &data) && count < 60);
    FindClose(find);
    qsort(rows, count, sizeof(rows[0]), compare_rows);
    for (i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? ", " : "", rows[i]);
    return text;
}

static const WCHAR *mount_tree(void)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    put_text(image, L"b.txt", "bb");
    put_text(image, L"A.TXT", "a");
    put_text(image, L"c.dat", "");
    put_text(image, L"no extension", "12345");
    put_dir(image, L"Dir");
    put_text(image, L"Dir\\inner", "inner");
    put_dir(image, L"Dir\\deeper");
    put_stream(image, L"b.txt:s", "stream", 6);
    return mount_fresh(image);
}

CASE(listed, "Volume/DirectoryList", CLIENT, "hcsshim layer tests", NEEDS_MOUNT,
     "a walk finds each path once, its kind, its size and the spelling it was given")
{
    const WCHAR *root = mount_tree();

    check_text("the root", listing(root, L"*"),
               "A.TXT 1, Dir dir, b.txt 2, c.dat 0, no extension 5");
    check_text("a directory", listing(root, L"Dir\\*"), "deeper dir, inner 5");
    check_text("an empty one", listing(root, L"Dir\\deeper\\*"), "");
    see_text("one file by another case", "%s", listing(root, L"a.txt"));
}

CASE(not_found, "Volume/NotFound", CLIENT, SAMPLE, NEEDS_MOUNT,
     "a name that isn't there: ERROR_FILE_NOT_FOUND exactly")
{
    const WCHAR *root = mount_base();

    check_error("in the root", path_error(on(root, L"none")), ERROR_FILE_NOT_FOUND);
    check_error("in a directory", path_error(on(root, L"d\\none")), ERROR_FILE_NOT_FOUND);
    see_error("below what isn't there", path_error(on(root, L"none\\none")));
}

FRESH_CASE(order_q, "Volume/ListOrder", QUESTION, "Q-43", NEEDS_MOUNT,
           "the order of names in a list, and whether . and .. are in it, of the root and below")
{
    static const WCHAR *const names[] = {
            L"b",      L"A", L"_", L"a1", L"Z",       L"10",           L"2",
            L"\x00e4", L"[", L"^", L"zz", L"\x0416x", L"\xd83d\xde00", L"~"};
    const WCHAR *root, *patterns[2] = {L"*", L"d\\*"};
    WIN32_FIND_DATAW data;
    size_t i;

    put_dir(image, L"d");
    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        put_text(image, names[i], "");
        put_text(image, format_wide(L"d\\%ls", names[i]), "");
    }
    root = mount_fresh(image);
    for (i = 0; i < 2; i++)
    {
        WCHAR order[200] = L"";
        HANDLE find = FindFirstFileW(on(root, patterns[i]), &data);

        need(find != INVALID_HANDLE_VALUE, "no list: error %lu", GetLastError());
        do
        {
            wcscat(order, data.cFileName);
            wcscat(order, L" ");
        } while (FindNextFileW(find, &data) && wcslen(order) < 150);
        FindClose(find);
        see_wide(i ? "a directory" : "the root", order);
    }
}

CASE(wildcards_q, "Volume/Wildcards", QUESTION, "Q-43", NEEDS_MOUNT, "which names patterns find")
{
    static const WCHAR *const patterns[] = {L"*.txt", L"*.TXT",  L"?.*",   L"*.",    L"*.*",
                                            L"no*",   L"??????", L"b.tx<", L"c.dat", L"*e*"};
    const WCHAR *root = mount_tree();
    char name[30];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(patterns); i++)
    {
        snprintf(name, sizeof(name), "<%ls>", patterns[i]);
        see_text(name, "%s", listing(root, patterns[i]));
    }
}

FRESH_CASE(short_names_q, "Volume/ShortNames", QUESTION, "Q-43", NEEDS_MOUNT,
           "whether long names have 8.3 aliases")
{
    WIN32_FIND_DATAW data;
    WCHAR buffer[200] = L"";
    const WCHAR *root;
    HANDLE find;

    put_text(image, L"A long name with spaces.text", "long");
    root = mount_fresh(image);
    find = FindFirstFileW(on(root, L"A*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no list: error %lu", GetLastError());
    FindClose(find);
    see_bool("an alias in the list", data.cAlternateFileName[0] != 0);
    see_bool("GetShortPathName", GetShortPathNameW(on(root, data.cFileName), buffer, 200) != 0);
    see_content("ALONGN~1.TEX", on(root, L"ALONGN~1.TEX"));
}

FRESH_CASE(long_path, "Volume/LongPath", CLIENT, "hcsshim format notes", NEEDS_MOUNT,
           "a file below four directories with names of 200 units is opened; a name of 255 too")
{
    WCHAR path[1100] = L"", name[256];
    const WCHAR *root;
    int i;

    for (i = 0; i < 4; i++)
    {
        if (i) wcscat(path, L"\\");
        wmemset(path + wcslen(path), 'a' + i, 200);
        path[i * 201 + 200] = 0;
        put_dir(image, path);
    }
    wcscat(path, L"\\file");
    put_text(image, path, "far down");
    wmemset(name, 'n', 255);
    name[255] = 0;
    put_text(image, name, "long name");
    root = mount_fresh(image);
    check_content("the file", on(root, path), "far down");
    check_content("the name", on(root, name), "long name");
    path[803] = 0;
    check_text("its directory's list", listing(root, format_wide(L"%ls\\*", path)), "file 8");
}

CASE(final_path_q, "Volume/FinalPath", QUESTION, "Q-43", NEEDS_MOUNT,
     "what GetFinalPathNameByHandle and FileNameInfo say of a file opened in another case")
{
    static const struct
    {
        const char *name;
        DWORD flags;
    } rows[] = {{"by GUID", VOLUME_NAME_GUID},
                {"by letter", VOLUME_NAME_DOS},
                {"NT name", VOLUME_NAME_NT},
                {"no volume", VOLUME_NAME_NONE}};
    const WCHAR *root = mount_base();
    HANDLE file = open_item(on(root, L"D\\INNER.txt"), GENERIC_READ);
    BYTE buffer[600] = {0};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        WCHAR path[300], *tail;
        DWORD size = GetFinalPathNameByHandleW(file, path, ARRAY_SIZE(path), rows[i].flags);

        if (!size)
        {
            see_error(rows[i].name, GetLastError());
            continue;
        }
        /* Without what differs from volume to volume. */
        tail = wcsstr(path, L"}\\");
        if (rows[i].flags == VOLUME_NAME_GUID)
            see_text(rows[i].name, "%s, %ls",
                     !_wcsnicmp(path, root, wcslen(root)) ? "our root" : "another root",
                     tail ? tail + 2 : path);
        else
            see_wide(rows[i].name, wcslen(path) > 11 ? path + wcslen(path) - 11 : path);
    }
    if (GetFileInformationByHandleEx(file, FileNameInfo, buffer, sizeof(buffer) - 2))
        see_wide("FileNameInfo", ((FILE_NAME_INFO *)buffer)->FileName);
    else
        see_error("FileNameInfo", GetLastError());
    CloseHandle(file);
}

/* ---- links -------------------------------------------------------------------------------------
 */

FRESH_CASE(links, "Volume/HardLinks", DOC, "CimCreateHardLink page", NEEDS_MOUNT,
           "every name of a file has its content")
{
    const WCHAR *root;

    put_text(image, L"a", "linked");
    put_dir(image, L"d");
    put_link(image, L"d\\b", L"a");
    put_link(image, L"c", L"d\\b");
    root = mount_fresh(image);
    check_content("first", on(root, L"a"), "linked");
    check_content("second", on(root, L"d\\b"), "linked");
    check_content("third", on(root, L"c"), "linked");
    check_text("listed", listing(root, L"*"), "a 6, c 6, d dir");
}

/* A symbolic link to "target" of this length; a directory's with FILE_ATTRIBUTE_DIRECTORY. */
static void put_symlink(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const WCHAR *target,
                        UINT32 directory)
{
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_REPARSE_POINT | directory, 0);
    BYTE buffer[600];

    metadata->ReparseDataBuffer = buffer;
    metadata->ReparseDataSize = (UINT32)symlink_data(buffer, target);
    put_item(image, path, metadata, NULL, 0);
}

FRESH_CASE(symlinks, "Volume/SymbolicLinks", DECISION, LAYERS, NEEDS_MOUNT,
           "relative symbolic links lead to their files and directories; where nothing is, to an "
           "error")
{
    const WCHAR *root;

    put_dir(image, L"d");
    put_text(image, L"d\\inner", "inner");
    put_text(image, L"f", "target");
    put_symlink(image, L"to file", L"f", 0);
    put_symlink(image, L"d\\up", L"..\\f", 0);
    put_symlink(image, L"down", L"d\\inner", 0);
    put_symlink(image, L"to dir", L"d", FILE_ATTRIBUTE_DIRECTORY);
    put_symlink(image, L"dangling", L"nothing", 0);
    root = mount_fresh(image);
    check_content("beside it", on(root, L"to file"), "target");
    check_content("above it", on(root, L"d\\up"), "target");
    check_content("below it", on(root, L"down"), "inner");
    check_content("through a directory's", on(root, L"to dir\\inner"), "inner");
    check_content("nothing there", on(root, L"dangling"), "error 2");
}

FRESH_CASE(
        symlinks_q, "Volume/AbsoluteLinks", QUESTION, "Q-27", NEEDS_MOUNT,
        "a hard link to a symbolic link; a link with a leading backslash; one that leads to itself")
{
    const WCHAR *root;

    put_text(image, L"f", "target");
    put_symlink(image, L"link", L"f", 0);
    put_symlink(image, L"rooted", L"\\f", 0);
    put_symlink(image, L"loop", L"loop", 0);
    put_symlink(image, L"capital", L"F", 0);
    see_hr("a hard link to it", cim.CreateHardLink(image, L"hard", L"link"));
    root = mount_fresh(image);
    see_content("the hard link", on(root, L"hard"));
    see_content("rooted", on(root, L"rooted"));
    see_content("a loop", on(root, L"loop"));
    see_content("in another case", on(root, L"capital"));
}
