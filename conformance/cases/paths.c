/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths.c - the syntax of paths inside an image, and the root
 *
 * What is malformed is so for every function that takes a path. Each syntax is one case, which
 * hands it to all of them; what a name may be made of stands in names.c.
 */
#include "items.h"

/* An image with a directory "d", a file "f" and a file "d\g". */
static CIMFS_IMAGE_HANDLE with_items(void)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    put_dir(image, L"d");
    put_text(image, L"f", "hello");
    put_text(image, L"d\\g", "inner");
    return image;
}

enum
{
    USES = 6
};

/* The path as each kind of argument; the answers. */
static void use_path(CIMFS_IMAGE_HANDLE image, const WCHAR *path, HRESULT results[USES])
{
    size_t length = wcslen(path);
    WCHAR *stream = malloc((length + 3) * sizeof(*stream));

    need(stream != NULL, "no memory");
    memcpy(stream, path, length * sizeof(*stream));
    memcpy(stream + length, L":s", 3 * sizeof(*stream));
    results[0] = try_create_file(image, path, meta(0, 0));
    results[1] = try_create_file(image, path, meta(FILE_ATTRIBUTE_DIRECTORY, 0));
    results[2] = try_create_stream(image, stream, 0);
    results[3] = cim.CreateHardLink(image, path, L"f");
    results[4] = cim.CreateHardLink(image, L"new", path);
    results[5] = cim.DeletePath(image, path);
    free(stream);
}

static void refused_everywhere(CIMFS_IMAGE_HANDLE image, const char *what, const WCHAR *path)
{
    static const char *const uses[USES] = {"file",     "directory",   "stream",
                                           "new link", "link target", "delete"};
    HRESULT results[USES];
    char name[60];
    int i;

    use_path(image, path, results);
    for (i = 0; i < USES; i++)
    {
        snprintf(name, sizeof(name), "%s: %s", what, uses[i]);
        check_hr(name, results[i], E_INVALIDARG);
    }
}

/* After all that was refused the items are as they were. */
static void nothing_happened(CIMFS_IMAGE_HANDLE image)
{
    commit_and_close(image);
    holds("file afterwards", L"f", "hello");
    holds("file in the directory afterwards", L"d\\g", "inner");
    gone("new link afterwards", L"new");
}

CASE(trailing, "Path/TrailingBackslash", DECISION, "D20", 0,
     "a trailing backslash: E_INVALIDARG, behind a directory's name, too")
{
    CIMFS_IMAGE_HANDLE image = with_items();

    refused_everywhere(image, "new", L"n\\");
    refused_everywhere(image, "file's", L"f\\");
    refused_everywhere(image, "directory's", L"d\\");
    refused_everywhere(image, "below", L"d\\g\\");
    nothing_happened(image);
}

CASE(empty_part, "Path/EmptyComponent", DECISION, "D20", 0,
     "two backslashes in a row, at the beginning or later: E_INVALIDARG")
{
    CIMFS_IMAGE_HANDLE image = with_items();

    refused_everywhere(image, "\\\\f", L"\\\\f");
    refused_everywhere(image, "d\\\\g", L"d\\\\g");
    refused_everywhere(image, "d\\\\n", L"d\\\\n");
    refused_everywhere(image, "\\\\", L"\\\\");
    nothing_happened(image);
}

CASE(dots, "Path/Dots", DECISION, "D20", 0, "a component '.' or '..': E_INVALIDARG")
{
    static const WCHAR *const paths[] = {L".",     L"..",      L".\\f",     L"..\\f",    L"d\\.",
                                         L"d\\..", L"d\\.\\g", L"d\\..\\f", L"d\\..\\n", L"\\.\\f"};
    CIMFS_IMAGE_HANDLE image = with_items();
    char name[20];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        snprintf(name, sizeof(name), "%ls", paths[i]);
        refused_everywhere(image, name, paths[i]);
    }
    nothing_happened(image);
}

CASE(slash, "Path/Slash", DECISION, "D20", 0, "a '/' is no separator and in no name: E_INVALIDARG")
{
    CIMFS_IMAGE_HANDLE image = with_items();

    refused_everywhere(image, "d/g", L"d/g");
    refused_everywhere(image, "d/n", L"d/n");
    refused_everywhere(image, "/f", L"/f");
    refused_everywhere(image, "f/", L"f/");
    nothing_happened(image);
}

CASE(wildcards, "Path/Wildcards", DECISION, "D20", 0,
     "the characters * ? \" < > | in a name: E_INVALIDARG")
{
    CIMFS_IMAGE_HANDLE image = with_items();
    const WCHAR *letter;
    char name[20];

    for (letter = L"*?\"<>|"; *letter; letter++)
    {
        snprintf(name, sizeof(name), "a%lcb", *letter);
        refused_everywhere(image, name, format_wide(L"a%lcb", *letter));
        snprintf(name, sizeof(name), "d%lc\\n", *letter);
        refused_everywhere(image, name, format_wide(L"d%lc\\n", *letter));
    }
    nothing_happened(image);
}

CASE(controls, "Path/ControlCharacters", DECISION, "D20", 0,
     "a character below 32 in a name: E_INVALIDARG")
{
    CIMFS_IMAGE_HANDLE image = with_items();
    char name[20];
    int i;

    for (i = 1; i < 32; i++)
    {
        snprintf(name, sizeof(name), "a<%02x>b", i);
        refused_everywhere(image, name, format_wide(L"a%lcb", i));
    }
    nothing_happened(image);
}

CASE(windows_paths, "Path/OfTheHost", DECISION, "D20", 0,
     "paths as Win32 and NT have them: E_INVALIDARG")
{
    CIMFS_IMAGE_HANDLE image = with_items();

    refused_everywhere(image, "drive", L"C:\\f");
    refused_everywhere(image, "drive only", L"C:");
    refused_everywhere(image, "\\\\?\\", L"\\\\?\\f");
    refused_everywhere(image, "\\\\?\\C:\\", L"\\\\?\\C:\\f");
    refused_everywhere(image, "\\??\\", L"\\??\\f");
    refused_everywhere(image, "\\\\.\\", L"\\\\.\\f");
    refused_everywhere(image, "share", L"\\\\server\\share\\f");
    nothing_happened(image);
}

CASE(spellings, "Path/Spellings", QUESTION, "Q-22", 0,
     "what a path means that names the same item in an unusual way")
{
    static const WCHAR *const paths[] = {L"\\f",      L"\\\\f",  L"f\\",      L".\\f",
                                         L"d/g",      L"d\\\\g", L"d\\",      L"d\\..\\f",
                                         L"d\\.\\g",  L"C:\\f",  L"\\\\?\\f", L"\\??\\f",
                                         L"f::$DATA", L"/d/g",   L"d\\g\\..", L"d\\g\\\\"};
    CIMFS_IMAGE_HANDLE image = with_items();
    char name[40];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        snprintf(name, sizeof(name), "link to %ls", paths[i]);
        see_hr(name, cim.CreateHardLink(image, L"new", paths[i]));
        snprintf(name, sizeof(name), "file %ls", paths[i]);
        see_hr(name, try_create_file(image, paths[i], meta(0, 0)));
    }
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_stored("f", case_dir(), IMAGE, L"f");
    see_stored("d\\g", case_dir(), IMAGE, L"d\\g");
    see_stored("new", case_dir(), IMAGE, L"new");
}

/* ---- lengths --------------------------------------------------------------------------------- */

static WCHAR *long_text(size_t length)
{
    WCHAR *text = malloc((length + 1) * sizeof(*text));
    size_t i;

    need(text != NULL, "no memory");
    for (i = 0; i < length; i++) text[i] = 'a' + i % 26;
    text[length] = 0;
    return text;
}

CASE(long_component, "Path/LongComponent", DECISION, "D20", 0,
     "a component of 255 units is fine, at any place; one of 256 is E_INVALIDARG")
{
    CIMFS_IMAGE_HANDLE image = with_items();
    WCHAR *name = long_text(256);

    refused_everywhere(image, "256", name);
    refused_everywhere(image, "256 below", format_wide(L"d\\%ls", name));
    refused_everywhere(image, "below 256", format_wide(L"%ls\\n", name));
    name[255] = 0;
    put_text(image, name, "root");
    put_dir(image, format_wide(L"d\\%ls", name));
    put_text(image, format_wide(L"d\\%ls\\%ls", name, name), "below");
    commit_and_close(image);
    holds("255 at the root", name, "root");
    holds("255 below 255", format_wide(L"d\\%ls\\%ls", name, name), "below");
    free(name);
}

CASE(long_path, "Path/TooLong", DECISION, "D20", 0, "a path over 32,767 units: E_INVALIDARG")
{
    CIMFS_IMAGE_HANDLE image = with_items();
    WCHAR *path = long_text(40000);
    size_t i;

    for (i = 200; i < 40000; i += 201) path[i] = '\\';
    refused_everywhere(image, "40000", path);
    path[32768] = 0;
    refused_everywhere(image, "32768", path);
    /* Where the parent is missing anyway the length alone is no error. */
    path[32767] = 0;
    check_hr("32767: file", try_create_file(image, path, meta(0, 0)), HR_PATH_NOT_FOUND);
    check_hr("32767: delete", cim.DeletePath(image, path), HR_PATH_NOT_FOUND);
    nothing_happened(image);
    free(path);
}

/* ---- the root -------------------------------------------------------------------------------- */

CASE(root_directory, "Path/RootMetadata", DECISION, "D22", 0,
     "CimCreateFile of a directory \"\" or \"\\\" sets the root's metadata; its children stay")
{
    static const WCHAR *const spellings[] = {L"", L"\\"};
    FILE_STAT_BASIC_INFORMATION info;
    char name[40];
    int i;

    for (i = 0; i < 2; i++)
    {
        const WCHAR *dir = new_dir(i ? L"backslash" : L"empty");
        CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, IMAGE);
        const char *what = i ? "backslash" : "empty";

        put_text(image, L"before", "one");
        snprintf(name, sizeof(name), "%s: hr", what);
        check_hr(name,
                 try_create_file(image, spellings[i],
                                 meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, 0)),
                 S_OK);
        put_text(image, L"after", "two");
        commit_and_close(image);
        need_hr("stat of the root", stored_stat(dir, IMAGE, L"", &info));
        snprintf(name, sizeof(name), "%s: attributes", what);
        check_hex(name, info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN);
        snprintf(name, sizeof(name), "%s: last write", what);
        check_number(name, info.LastWriteTime.QuadPart, TIME_WRITE);
        snprintf(name, sizeof(name), "%s: file made before", what);
        check_stored_text(name, dir, IMAGE, L"before", "one");
        snprintf(name, sizeof(name), "%s: file made after", what);
        check_stored_text(name, dir, IMAGE, L"after", "two");
    }
}

CASE(root_refused, "Path/RootRefused", DECISION, "D22", 0,
     "all else with \"\" or \"\\\" is E_INVALIDARG: a file, a link, a deletion")
{
    static const WCHAR *const spellings[] = {L"", L"\\"};
    CIMFS_IMAGE_HANDLE image = with_items();
    char name[40];
    int i;

    for (i = 0; i < 2; i++)
    {
        const WCHAR *path = spellings[i];
        const char *what = i ? "backslash" : "empty";

        snprintf(name, sizeof(name), "%s: file", what);
        check_hr(name, try_create_file(image, path, meta(0, 0)), E_INVALIDARG);
        snprintf(name, sizeof(name), "%s: stream", what);
        check_hr(name, try_create_stream(image, path, 0), E_INVALIDARG);
        snprintf(name, sizeof(name), "%s: new link", what);
        check_hr(name, cim.CreateHardLink(image, path, L"f"), E_INVALIDARG);
        snprintf(name, sizeof(name), "%s: link target", what);
        check_hr(name, cim.CreateHardLink(image, L"new", path), E_INVALIDARG);
        snprintf(name, sizeof(name), "%s: delete", what);
        check_hr(name, cim.DeletePath(image, path), E_INVALIDARG);
    }
    nothing_happened(image);
}

CASE(root_default, "Path/RootUndescribed", DECISION, "D22", 0,
     "a root that was never described has times of 0 and no attribute but DIRECTORY")
{
    CIMFS_IMAGE_HANDLE image = with_items();
    FILE_STAT_BASIC_INFORMATION info;

    if (!has_export("CimGetFileStatBasicInformation")) skip_case("no such export");
    commit_and_close(image);
    need_hr("stat of the root", stored_stat(case_dir(), IMAGE, L"", &info));
    check_hex("attributes", info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY);
    check_number("creation", info.CreationTime.QuadPart, 0);
    check_number("last write", info.LastWriteTime.QuadPart, 0);
    check_number("change", info.ChangeTime.QuadPart, 0);
    check_number("last access", info.LastAccessTime.QuadPart, 0);
}

/* Times and a descriptor that depend on the run are no values: only what they are like. */
CASE(root_q, "Path/RootAsMounted", QUESTION, "Q-24", NEEDS_MOUNT,
     "what a mounted volume shows of a root that was never described, and of one that was")
{
    int i;

    for (i = 0; i < 2; i++)
    {
        const WCHAR *dir = new_dir(i ? L"described" : L"plain");
        CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, IMAGE);
        WIN32_FILE_ATTRIBUTE_DATA data;
        const WCHAR *root;
        uint64_t time;
        HRESULT hr;
        char name[40];

        put_text(image, L"f", "hello");
        hr = i ? try_create_file(image, L"", meta(FILE_ATTRIBUTE_DIRECTORY, 0)) : S_OK;
        snprintf(name, sizeof(name), "%s: hr", i ? "described" : "plain");
        see_hr(name, hr);
        commit_and_close(image);
        root = mount_image(dir, IMAGE);
        if (!GetFileAttributesExW(root, GetFileExInfoStandard, &data))
        {
            snprintf(name, sizeof(name), "%s: error", i ? "described" : "plain");
            see_error(name, GetLastError());
            continue;
        }
        snprintf(name, sizeof(name), "%s: attributes", i ? "described" : "plain");
        see_text(name, "0x%lx", data.dwFileAttributes);
        memcpy(&time, &data.ftLastWriteTime, sizeof(time));
        snprintf(name, sizeof(name), "%s: last write", i ? "described" : "plain");
        see_text(name, "%s", !time ? "0" : time == TIME_WRITE ? "as given" : "something else");
    }
}

CASE(root_uses, "Path/RootUses", QUESTION, "Q-24", 0, "what the functions make of \"\" and \"\\\"")
{
    static const char *const uses[USES] = {"file",     "directory",   "stream :s",
                                           "new link", "link target", "delete"};
    CIMFS_IMAGE_HANDLE image = with_items();
    HRESULT results[USES];
    char name[40];
    int i, j;

    for (i = 0; i < 2; i++)
    {
        use_path(image, i ? L"\\" : L"", results);
        for (j = 0; j < USES; j++)
        {
            snprintf(name, sizeof(name), "%s: %s", i ? "backslash" : "empty", uses[j]);
            see_hr(name, results[j]);
        }
    }
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_bool("the items are there", stored_exists(case_dir(), IMAGE, L"d\\g"));
}

CASE(stream_codes, "Path/DeleteOfStreams", QUESTION, "Q-23", 0,
     "the codes for a path like a stream's: creating it as a file, and deleting what isn't there")
{
    CIMFS_IMAGE_HANDLE image = with_items();

    see_hr("create a:b", try_create_file(image, L"a:b", meta(0, 0)));
    see_hr("create f:s", try_create_file(image, L"f:s", meta(0, 0)));
    see_hr("delete a missing file's stream", cim.DeletePath(image, L"a:b"));
    see_hr("delete a file's missing stream", cim.DeletePath(image, L"f:s"));
    see_hr("delete f::$DATA", cim.DeletePath(image, L"f::$DATA"));
    see_hr("delete f:", cim.DeletePath(image, L"f:"));
    see_hr("delete :s", cim.DeletePath(image, L":s"));
    see_hr("link to f:s", cim.CreateHardLink(image, L"new", L"f:s"));
    see_hr("stream f::$DATA", try_create_stream(image, L"f::$DATA", 0));
    see_hr("stream f:s:$INDEX_ALLOCATION", try_create_stream(image, L"f:s:$INDEX_ALLOCATION", 0));
}
