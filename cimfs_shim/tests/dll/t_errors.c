/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_errors.c - every documented error of every function, provoked
 *
 * In the order of the functions. What only a machine's state can provoke (no access, a full disk)
 * is in t_access.c, driven by a script.
 */
#include "dlltest.h"

static CIMFS_IMAGE_HANDLE const bad_image = (CIMFS_IMAGE_HANDLE)(ULONG_PTR)0x12345;
static CIMFS_STREAM_HANDLE const bad_stream = (CIMFS_STREAM_HANDLE)(ULONG_PTR)0x12345;
static CIMFS_FILE_METADATA const plain_file = {.FileSize = 4};
static CIMFS_FILE_METADATA const plain_dir = {.Attributes = FILE_ATTRIBUTE_DIRECTORY};

/* A committed image with a directory, a file in it, and a file with a stream. */
static void make_base(const WCHAR *dir, const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, name);

    is_hr(put_dir(image, L"d"), S_OK, "base image: a directory");
    is_hr(put_text(image, L"d\\f.txt", "inner"), S_OK, "base image: a file in it");
    is_hr(put_text(image, L"f.txt", "0123456789"), S_OK, "base image: a file");
    is_hr(put_stream(image, L"f.txt:s", "stream"), S_OK, "base image: an alternate stream");
    is_hr(commit_and_close(image), S_OK, "base image: commit");
}

/* ---- CimCreateImage ---- */

static void hold_directory(const WCHAR *dir, const WCHAR *tag)
{
    WCHAR name[80];
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"held.cim");
    HANDLE ready, release;

    _snwprintf(name, 80, L"Local\\cimfs-ready-%ls", tag);
    ready = CreateEventW(NULL, TRUE, FALSE, name);
    _snwprintf(name, 80, L"Local\\cimfs-release-%ls", tag);
    release = CreateEventW(NULL, TRUE, FALSE, name);
    SetEvent(ready);
    WaitForSingleObject(release, 60000);
    CimCloseImage(image);
}

static void test_other_process(const WCHAR *dir)
{
    WCHAR exe[PATH_ROOM], command[PATH_ROOM * 3], tag[20], name[80];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    CIMFS_IMAGE_HANDLE image;
    HANDLE ready, release;

    _snwprintf(tag, 20, L"%lx", GetCurrentProcessId());
    _snwprintf(name, 80, L"Local\\cimfs-ready-%ls", tag);
    ready = CreateEventW(NULL, TRUE, FALSE, name);
    _snwprintf(name, 80, L"Local\\cimfs-release-%ls", tag);
    release = CreateEventW(NULL, TRUE, FALSE, name);
    GetModuleFileNameW(NULL, exe, PATH_ROOM);
    _snwprintf(command, PATH_ROOM * 3, L"\"%ls\" hold \"%ls\" %ls", exe, dir, tag);
    if (!CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
        bail("can't start %ls: error %lu", exe, GetLastError());
    is_int(WaitForSingleObject(ready, 60000), WAIT_OBJECT_0,
           "another process has a session in the directory");

    is_hr(CimCreateImage(dir, NULL, L"second.cim", &image), HR_SHARING,
          "CimCreateImage: another process has the directory -> ERROR_SHARING_VIOLATION");
    ok(!image, "CimCreateImage: the handle is NULL after that");
    SetEvent(release);
    is_int(WaitForSingleObject(process.hProcess, 60000), WAIT_OBJECT_0, "the other process ends");
    is_hr(CimCreateImage(dir, NULL, L"second.cim", &image), S_OK,
          "CimCreateImage: works once the other process closed its session");
    CimCloseImage(image);
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    CloseHandle(ready);
    CloseHandle(release);
}

static void test_create_image(void)
{
    const WCHAR *dir = new_dir(L"create");
    WCHAR long_name[300], trailing[PATH_ROOM], spelling[PATH_ROOM], *p;
    CIMFS_IMAGE_HANDLE image = bad_image, second = bad_image;

    is_hr(CimCreateImage(dir, NULL, NULL, &image), E_INVALIDARG,
          "CimCreateImage: neither name -> E_INVALIDARG");
    ok(!image, "CimCreateImage: the handle is NULL after a failure");
    is_hr(CimCreateImage(dir, NULL, L"x.cim", NULL), E_POINTER,
          "CimCreateImage: NULL handle pointer -> E_POINTER (D28)");
    is_hr(CimCreateImage(NULL, NULL, L"x.cim", &image), E_INVALIDARG,
          "CimCreateImage: NULL directory -> E_INVALIDARG");
    is_hr(CimCreateImage(path_of(dir, L"no\\such"), NULL, L"x.cim", &image), HR_PATH_NOT_FOUND,
          "CimCreateImage: missing directory below a missing one -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateImage(path_of(dir, L"missing"), NULL, L"x.cim", &image), HR_PATH_NOT_FOUND,
          "CimCreateImage: missing directory -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateImage(L"", NULL, L"x.cim", &image), HR_PATH_NOT_FOUND,
          "CimCreateImage: \"\" as directory -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateImage(dir, L"missing.cim", NULL, &image), HR_FILE_NOT_FOUND,
          "CimCreateImage: missing image to extend -> ERROR_FILE_NOT_FOUND");
    is_hr(CimCreateImage(dir, L"missing.cim", L"missing.cim", &image), HR_FILE_NOT_FOUND,
          "CimCreateImage: missing image to extend, both names -> ERROR_FILE_NOT_FOUND");
    is_hr(CimCreateImage(dir, L"missing.cim", L"fork.cim", &image), HR_FILE_NOT_FOUND,
          "CimCreateImage: missing image to fork -> ERROR_FILE_NOT_FOUND");
    is_hr(CimCreateImage(dir, L"", L"x.cim", &image), HR_FILE_NOT_FOUND,
          "CimCreateImage: \"\" as existing name -> ERROR_FILE_NOT_FOUND (D23)");
    is_hr(CimCreateImage(dir, L"", NULL, &image), HR_FILE_NOT_FOUND,
          "CimCreateImage: \"\" as existing name alone -> ERROR_FILE_NOT_FOUND (D23)");
    is_hr(CimCreateImage(dir, NULL, L"", &image), E_INVALIDARG,
          "CimCreateImage: \"\" as new name -> E_INVALIDARG (D23)");
    is_hr(CimCreateImage(dir, NULL, L"sub\\x.cim", &image), E_INVALIDARG,
          "CimCreateImage: '\\' in a name -> E_INVALIDARG (D23)");
    is_hr(CimCreateImage(dir, NULL, L"sub/x.cim", &image), E_INVALIDARG,
          "CimCreateImage: '/' in a name -> E_INVALIDARG (D23)");
    is_hr(CimCreateImage(dir, NULL, L"x.cim:s", &image), E_INVALIDARG,
          "CimCreateImage: ':' in a name -> E_INVALIDARG (D23)");
    is_hr(CimCreateImage(dir, L"sub\\x.cim", NULL, &image), E_INVALIDARG,
          "CimCreateImage: '\\' in an existing name -> E_INVALIDARG (D23)");
    wmemset(long_name, L'n', 256);
    long_name[256] = 0;
    is_hr(CimCreateImage(dir, NULL, long_name, &image), E_INVALIDARG,
          "CimCreateImage: a name of 256 code units -> E_INVALIDARG (D23)");
    ok(!count_files(dir, L"*"), "CimCreateImage: no failure left a file");

    make_base(dir, L"base.cim");
    is_hr(CimCreateImage(dir, NULL, L"base.cim", &image), HR_EXISTS,
          "CimCreateImage: the new name is taken -> ERROR_FILE_EXISTS");
    is_hr(CimCreateImage(dir, NULL, L"BASE.CIM", &image), HR_EXISTS,
          "CimCreateImage: the new name is taken, in other case -> ERROR_FILE_EXISTS");
    save_file(path_of(dir, L"taken.cim"), "x", 1);
    is_hr(CimCreateImage(dir, L"base.cim", L"taken.cim", &image), HR_EXISTS,
          "CimCreateImage: the fork's name is taken -> ERROR_FILE_EXISTS");

    is_hr(CimCreateImage(dir, NULL, L"one.cim", &image), S_OK, "CimCreateImage: a session");
    is_hr(CimCreateImage(dir, NULL, L"two.cim", &second), HR_SHARING,
          "CimCreateImage: a second session here -> ERROR_SHARING_VIOLATION");
    ok(!second, "CimCreateImage: its handle is NULL");
    is_hr(CimCreateImage(dir, L"base.cim", NULL, &second), HR_SHARING,
          "CimCreateImage: extending meanwhile -> ERROR_SHARING_VIOLATION");
    _snwprintf(trailing, PATH_ROOM, L"%ls\\", dir);
    is_hr(CimCreateImage(trailing, NULL, L"two.cim", &second), HR_SHARING,
          "CimCreateImage: the same directory in another spelling -> ERROR_SHARING_VIOLATION");
    _snwprintf(spelling, PATH_ROOM, L"\\\\?\\%ls", dir);
    is_hr(CimCreateImage(spelling, NULL, L"two.cim", &second), HR_SHARING,
          "CimCreateImage: as \\\\?\\ path -> ERROR_SHARING_VIOLATION");
    is_hr(CimCreateImage(new_dir(L"create2"), NULL, L"two.cim", &second), S_OK,
          "CimCreateImage: a session in another directory");
    CimCloseImage(second);
    is_str(content(dir, L"base.cim", L"d\\f.txt"), "inner",
           "CimReadFile: another image of the directory can be read meanwhile");
    CimCloseImage(image);
    is_hr(CimCreateImage(trailing, NULL, L"two.cim", &image), S_OK,
          "CimCreateImage: free again after CimCloseImage; trailing '\\' of the directory");
    CimCloseImage(image);
    is_hr(CimCreateImage(spelling, NULL, L"two.cim", &image), S_OK,
          "CimCreateImage: a \\\\?\\ path");
    CimCloseImage(image);
    for (p = wcscpy(spelling, dir); *p; p++)
        if (*p == '\\') *p = '/';
    is_hr(CimCreateImage(spelling, NULL, L"two.cim", &image), S_OK,
          "CimCreateImage: a directory spelled with '/'");
    CimCloseImage(image);
    SetCurrentDirectoryW(dir);
    is_hr(CimCreateImage(L".", NULL, L"two.cim", &image), S_OK, "CimCreateImage: \".\"");
    CimCloseImage(image);
    is_hr(CimCreateImage(L"..\\create", NULL, L"two.cim", &image), S_OK,
          "CimCreateImage: a relative path");
    CimCloseImage(image);
    SetCurrentDirectoryW(L"C:\\");
    is_hr(CimCreateImage(path_of(dir, L"base.cim"), NULL, L"two.cim", &image), HR_PATH_NOT_FOUND,
          "CimCreateImage: a file as directory -> ERROR_PATH_NOT_FOUND");
    ok(!file_exists(dir, L"one.cim") && !file_exists(dir, L"two.cim"),
       "CimCloseImage without commit: no image");
    is_int(count_files(dir, L"cimtmp_*"), 0, "CimCloseImage without commit: no private files");
    test_other_process(dir);
}

static void test_broken_image(void)
{
    const WCHAR *dir = new_dir(L"broken");
    BYTE version[4] = {9, 0, 0, 0}, count[2] = {0xfe, 0xff};
    CIMFS_IMAGE_HANDLE image;
    WIN32_FIND_DATAW data;
    char buffer[16];
    UINT64 got, left;
    HANDLE find;

    make_base(dir, L"magic.cim");
    patch_file(path_of(dir, L"magic.cim"), 0, "notacim0", 8);
    is_hr(CimCreateImage(dir, L"magic.cim", L"fork.cim", &image), HR_CORRUPT,
          "CimCreateImage: not an image -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    is_hr(CimReadFile(path_of(dir, L"magic.cim"), L"f.txt", 0, buffer, 16, &got, &left), HR_CORRUPT,
          "CimReadFile: not an image -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");

    make_base(dir, L"version.cim");
    patch_file(path_of(dir, L"version.cim"), 16, version, 4);
    is_hr(CimCreateImage(dir, L"version.cim", NULL, &image), HR_VERSION,
          "CimCreateImage: version 9 -> ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED (D31)");
    is_hr(CimReadFile(path_of(dir, L"version.cim"), L"f.txt", 0, buffer, 16, &got, &left),
          HR_VERSION, "CimReadFile: version 9 -> ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED (D31)");

    make_base(dir, L"limit.cim");
    patch_file(path_of(dir, L"limit.cim"), 48, count, 2);
    is_hr(CimCreateImage(dir, L"limit.cim", NULL, &image), HR_LIMIT,
          "CimCreateImage: 65,534 regions are in use -> ERROR_FILE_SYSTEM_LIMITATION (D48)");
    is_hr(CimCreateImage(dir, L"limit.cim", L"fork.cim", &image), HR_LIMIT,
          "CimCreateImage: the same for a fork (D48)");

    dir = new_dir(L"shortregion");
    make_base(dir, L"a.cim");
    find = FindFirstFileW(path_of(dir, L"region_*"), &data);
    do save_file(path_of(dir, data.cFileName), "cimfile0", 8);
    while (FindNextFileW(find, &data));
    FindClose(find);
    is_hr(CimReadFile(path_of(dir, L"a.cim"), L"f.txt", 0, buffer, 16, &got, &left), HR_CORRUPT,
          "CimReadFile: region files shorter than a header -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    is_hr(CimCreateImage(dir, L"a.cim", NULL, &image), HR_CORRUPT,
          "CimCreateImage: region files shorter than a header -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");

    dir = new_dir(L"noregion");
    make_base(dir, L"a.cim");
    find = FindFirstFileW(path_of(dir, L"region_*"), &data);
    do DeleteFileW(path_of(dir, data.cFileName));
    while (FindNextFileW(find, &data));
    FindClose(find);
    is_hr(CimReadFile(path_of(dir, L"a.cim"), L"f.txt", 0, buffer, 16, &got, &left), HR_CORRUPT,
          "CimReadFile: the region files are missing -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    is_hr(CimCreateImage(dir, L"a.cim", NULL, &image), HR_CORRUPT,
          "CimCreateImage: the region files are missing -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    is_int(count_files(dir, L"cimtmp_*"), 0, "CimCreateImage: a failure leaves no private file");
}

static void test_create_image2(void)
{
    static const UINT32 invalid[] = {0x80, 0x100, 0x80000000, 0xffffffff, 0x0c,
                                     0x4c, 0x40,  0x41,       0x50,       0x84};
    static const UINT32 unsupported[] = {0x04, 0x08, 0x14, 0x18, 0x44, 0x48, 0x58, 0x05, 0x7b};
    static const UINT32 valid[] = {0x00, 0x01, 0x02, 0x10, 0x20, 0x33};
    const WCHAR *dir = new_dir(L"create_2");
    CIMFS_IMAGE_HANDLE image;
    size_t i;

    for (i = 0; i < sizeof(invalid) / sizeof(*invalid); i++)
    {
        image = bad_image;
        is_hr(CimCreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)invalid[i], NULL, L"x.cim", &image),
              E_INVALIDARG, "CimCreateImage2: flags 0x%x -> E_INVALIDARG (D39)", invalid[i]);
        ok(!image, "CimCreateImage2: flags 0x%x: handle NULL", invalid[i]);
    }
    for (i = 0; i < sizeof(unsupported) / sizeof(*unsupported); i++)
        is_hr(CimCreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)unsupported[i], NULL, L"x.cim", &image),
              HR_NOT_SUPPORTED, "CimCreateImage2: flags 0x%x -> ERROR_NOT_SUPPORTED (D39)",
              unsupported[i]);
    for (i = 0; i < sizeof(valid) / sizeof(*valid); i++)
    {
        WCHAR name[20];

        _snwprintf(name, 20, L"v%x.cim", valid[i]);
        is_hr(CimCreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)valid[i], NULL, name, &image), S_OK,
              "CimCreateImage2: flags 0x%x are valid (D39)", valid[i]);
        is_hr(put_text(image, L"a.txt", "same"), S_OK, "CimCreateImage2: flags 0x%x: a file",
              valid[i]);
        is_hr(commit_and_close(image), S_OK, "CimCreateImage2: flags 0x%x: commit", valid[i]);
        is_str(content(dir, name, L"a.txt"), "same", "CimCreateImage2: flags 0x%x: content",
               valid[i]);
    }
    is_hr(CimCreateImage2(dir, CIM_CREATE_IMAGE_NONE, NULL, NULL, &image), E_INVALIDARG,
          "CimCreateImage2: neither name -> E_INVALIDARG");
    is_hr(CimCreateImage2(dir, CIM_CREATE_IMAGE_NONE, NULL, L"x.cim", NULL), E_POINTER,
          "CimCreateImage2: NULL handle pointer -> E_POINTER");
}

/* ---- paths ---- */

static WCHAR long_component[260 + 1];
static WCHAR *too_long_path;

static const WCHAR *const bad_paths[] = {
        L"a\\",   L"d\\\\f", L"\\\\a", L".",   L"..",       L"d\\..\\f",    L".\\a", L"d\\.",
        L"a/b",   L"/a",     L"a*",    L"a?",  L"a\"",      L"a<",          L"a>",   L"a|",
        L"a\x01", L"a\x1f",  L"a\tb",  L"a\n", L"\\\\?\\a", long_component,
};

static void make_long_paths(void)
{
    size_t i;

    wmemset(long_component, L'c', 256);
    too_long_path = malloc((32768 + 1) * sizeof(WCHAR));
    for (i = 0; i < 32768; i++) too_long_path[i] = i % 2 ? '\\' : 'p';
    too_long_path[32767] = 'p';
    too_long_path[32768] = 0;
}

/* What each function says to a path that is no path. */
static void test_bad_path(CIMFS_IMAGE_HANDLE image, const WCHAR *dir, const WCHAR *path,
                          const char *name)
{
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_STREAM_HANDLE stream;
    WCHAR *with_stream = malloc((wcslen(path) + 3) * sizeof(WCHAR));
    BOOLEAN exists;
    char buffer[4];
    UINT64 got, left;

    wcscpy(with_stream, path);
    wcscat(with_stream, L":s");
    is_hr(CimCreateFile(image, path, &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: %s -> E_INVALIDARG (D20)", name);
    is_hr(CimCreateFile(image, path, &plain_dir, &stream), E_INVALIDARG,
          "CimCreateFile of a directory: %s -> E_INVALIDARG (D20)", name);
    is_hr(CimCreateAlternateStream(image, with_stream, 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: %s:s -> E_INVALIDARG (D20)", name);
    is_hr(CimCreateHardLink(image, path, L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: new path %s -> E_INVALIDARG (D20)", name);
    is_hr(CimCreateHardLink(image, L"link", path), E_INVALIDARG,
          "CimCreateHardLink: existing path %s -> E_INVALIDARG (D20)", name);
    is_hr(CimDeletePath(image, path), E_INVALIDARG, "CimDeletePath: %s -> E_INVALIDARG (D20)",
          name);
    is_hr(CimLookupFile(image, path, &exists), E_INVALIDARG,
          "CimLookupFile: %s -> E_INVALIDARG (D20, D41)", name);
    is_hr(CimReadFile(path_of(dir, L"base.cim"), path, 0, buffer, 4, &got, &left), E_INVALIDARG,
          "CimReadFile: %s -> E_INVALIDARG (D20)", name);
    is_hr(stat_of(dir, L"base.cim", path, &info), E_INVALIDARG,
          "CimGetFileStatBasicInformation: %s -> E_INVALIDARG (D20)", name);
    free(with_stream);
}

static void test_bad_paths(void)
{
    const WCHAR *dir = new_dir(L"paths");
    CIMFS_IMAGE_HANDLE image;
    char name[600];
    size_t i, j;

    make_base(dir, L"base.cim");
    image = open_image(dir, L"base.cim", NULL);
    for (i = 0; i < sizeof(bad_paths) / sizeof(*bad_paths); i++)
    {
        const WCHAR *path = bad_paths[i];
        char *p = name;

        if (path == long_component)
            strcpy(name, "a component of 256 code units");
        else
        {
            *p++ = '\'';
            for (j = 0; path[j]; j++)
                p += path[j] < ' ' ? sprintf(p, "^%d", path[j]) : sprintf(p, "%c", path[j]);
            strcpy(p, "'");
        }
        test_bad_path(image, dir, path, name);
    }
    test_bad_path(image, dir, too_long_path, "a path of 32,768 code units");
    CimCloseImage(image);
}

/* ---- CimCreateFile ---- */

static void test_create_file(CIMFS_IMAGE_HANDLE image)
{
    CIMFS_FILE_METADATA metadata;
    CIMFS_STREAM_HANDLE stream, second;

    is_hr(CimCreateFile(NULL, L"a", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: NULL image -> E_INVALIDARG");
    is_hr(CimCreateFile(bad_image, L"a", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: no image handle -> E_INVALIDARG");
    is_hr(CimCreateFile(image, NULL, &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: NULL path -> E_INVALIDARG");
    is_hr(CimCreateFile(image, L"a", NULL, &stream), E_INVALIDARG,
          "CimCreateFile: NULL metadata -> E_INVALIDARG");
    is_hr(CimCreateFile(image, L"a", &plain_file, NULL), E_POINTER,
          "CimCreateFile: NULL handle pointer -> E_POINTER (D28)");
    is_hr(CimCreateFile(image, L"a:b", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: a stream's path -> E_INVALIDARG (D11)");
    is_hr(CimCreateFile(image, L"C:\\a", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: a drive letter -> E_INVALIDARG (D11)");
    is_hr(CimCreateFile(image, L"", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: \"\" as a file -> E_INVALIDARG (D22)");
    is_hr(CimCreateFile(image, L"\\", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: \"\\\" as a file -> E_INVALIDARG (D22)");
    is_hr(CimCreateFile(image, L"no\\a", &plain_file, &stream), HR_PATH_NOT_FOUND,
          "CimCreateFile: missing parent -> ERROR_PATH_NOT_FOUND (D1)");
    is_hr(CimCreateFile(image, L"no\\way\\a", &plain_dir, &stream), HR_PATH_NOT_FOUND,
          "CimCreateFile: missing grandparent -> ERROR_PATH_NOT_FOUND (D1)");
    is_hr(CimCreateFile(image, L"f.txt\\a", &plain_file, &stream), HR_PATH_NOT_FOUND,
          "CimCreateFile: the parent is a file -> ERROR_PATH_NOT_FOUND (D1)");
    metadata = plain_file;
    metadata.FileSize = -1;
    is_hr(CimCreateFile(image, L"a", &metadata, &stream), E_INVALIDARG,
          "CimCreateFile: size -1 -> E_INVALIDARG (D18)");
    metadata.FileSize = INT64_C(1) << 48;
    is_hr(CimCreateFile(image, L"a", &metadata, &stream), E_INVALIDARG,
          "CimCreateFile: size 2^48 -> E_INVALIDARG (D18)");
    metadata.FileSize = 0;
    metadata.EaBufferSize = 20;
    is_hr(CimCreateFile(image, L"a", &metadata, &stream), E_INVALIDARG,
          "CimCreateFile: size of EAs without any -> E_INVALIDARG");
    metadata.EaBufferSize = 0;
    metadata.ReparseDataSize = 20;
    is_hr(CimCreateFile(image, L"a", &metadata, &stream), E_INVALIDARG,
          "CimCreateFile: size of reparse data without any -> E_INVALIDARG");

    is_hr(CimCreateFile(image, L"a", &plain_file, &stream), S_OK, "CimCreateFile: a file");
    second = bad_stream;
    is_hr(CimCreateFile(image, L"b", &plain_file, &second), HR_SHARING,
          "CimCreateFile: a stream is open -> ERROR_SHARING_VIOLATION");
    ok(!second, "CimCreateFile: the handle is NULL after that");
    is_hr(CimCreateFile(image, L"b", &plain_dir, &second), HR_SHARING,
          "CimCreateFile of a directory: a stream is open -> ERROR_SHARING_VIOLATION");
    CimCloseStream(stream);
    is_hr(CimCreateFile(image, L"dir", &plain_dir, &stream), S_OK, "CimCreateFile: a directory");
    is_hr(CimCreateFile(image, L"b", &plain_file, &second), HR_SHARING,
          "CimCreateFile: a directory's stream is open -> ERROR_SHARING_VIOLATION");
    CimCloseStream(stream);
    is_hr(CimCreateFile(image, L"b", &plain_file, &stream), S_OK,
          "CimCreateFile: works after CimCloseStream");
    CimCloseStream(stream);
}

static void test_alternate_stream(CIMFS_IMAGE_HANDLE image)
{
    static const WCHAR *const bad[] = {
            L"f.txt",
            L"f.txt:",
            L"f.txt::",
            L"f.txt::$DATA",
            L"f.txt:s:$INDEX",
            L"f.txt:s:",
            L"f.txt:s:$DATA:",
            L"f.txt:s:$DATA:x",
            L":s",
            L"f.txt:a*b",
            L"",
            L"\\",
            L"f.txt:s\\t",
            L"f.txt:s:DATA",
            L"\\:s",
    };
    CIMFS_STREAM_HANDLE stream, second;
    WCHAR long_name[300];
    size_t i;

    is_hr(CimCreateAlternateStream(NULL, L"f.txt:x", 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: NULL image -> E_INVALIDARG");
    is_hr(CimCreateAlternateStream(bad_image, L"f.txt:x", 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: no image handle -> E_INVALIDARG");
    is_hr(CimCreateAlternateStream(image, NULL, 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: NULL path -> E_INVALIDARG");
    is_hr(CimCreateAlternateStream(image, L"f.txt:x", 4, NULL), E_POINTER,
          "CimCreateAlternateStream: NULL handle pointer -> E_POINTER (D28)");
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        is_hr(CimCreateAlternateStream(image, bad[i], 4, &stream), E_INVALIDARG,
              "CimCreateAlternateStream: '%ls' -> E_INVALIDARG (D10, D22)", bad[i]);
    wcscpy(long_name, L"f.txt:");
    wmemset(long_name + 6, 's', 256);
    long_name[262] = 0;
    is_hr(CimCreateAlternateStream(image, long_name, 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: a stream name of 256 code units -> E_INVALIDARG (D20)");
    is_hr(CimCreateAlternateStream(image, L"f.txt:x", UINT64_C(1) << 48, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: size 2^48 -> E_INVALIDARG (D18)");
    is_hr(CimCreateAlternateStream(image, L"f.txt:x", UINT64_MAX, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: size 2^64-1 -> E_INVALIDARG (D18)");
    is_hr(CimCreateAlternateStream(image, L"none.txt:x", 4, &stream), HR_PATH_NOT_FOUND,
          "CimCreateAlternateStream: missing file -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateAlternateStream(image, L"no\\none.txt:x", 4, &stream), HR_PATH_NOT_FOUND,
          "CimCreateAlternateStream: missing directory -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateAlternateStream(image, L"f.txt\\none.txt:x", 4, &stream), HR_PATH_NOT_FOUND,
          "CimCreateAlternateStream: a file as directory -> ERROR_PATH_NOT_FOUND (D1)");
    is_hr(CimCreateAlternateStream(image, L"f.txt:x", 4, &stream), S_OK,
          "CimCreateAlternateStream: on a file");
    second = bad_stream;
    is_hr(CimCreateAlternateStream(image, L"f.txt:y", 4, &second), HR_SHARING,
          "CimCreateAlternateStream: a stream is open -> ERROR_SHARING_VIOLATION");
    ok(!second, "CimCreateAlternateStream: the handle is NULL after that");
    CimCloseStream(stream);
    is_hr(CimCreateAlternateStream(image, L"d:x", 4, &stream), S_OK,
          "CimCreateAlternateStream: on a directory");
    CimCloseStream(stream);
    is_hr(CimCreateAlternateStream(image, L"f.txt:y:$DATA", 0, &stream), S_OK,
          "CimCreateAlternateStream: f:s:$DATA, size 0 (D10)");
    CimCloseStream(stream);
    is_hr(CimCreateAlternateStream(image, L"f.txt:z:$data", 0, &stream), S_OK,
          "CimCreateAlternateStream: f:s:$data (D10)");
    CimCloseStream(stream);
}

static void test_hard_link(CIMFS_IMAGE_HANDLE image)
{
    CIMFS_STREAM_HANDLE stream;

    is_hr(CimCreateHardLink(NULL, L"l", L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: NULL image -> E_INVALIDARG");
    is_hr(CimCreateHardLink(bad_image, L"l", L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: no image handle -> E_INVALIDARG");
    is_hr(CimCreateHardLink(image, NULL, L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: NULL new path -> E_INVALIDARG");
    is_hr(CimCreateHardLink(image, L"l", NULL), E_INVALIDARG,
          "CimCreateHardLink: NULL existing path -> E_INVALIDARG");
    is_hr(CimCreateHardLink(image, L"l:s", L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: new path names a stream -> E_INVALIDARG (D11)");
    is_hr(CimCreateHardLink(image, L"l", L"f.txt:s"), E_INVALIDARG,
          "CimCreateHardLink: existing path names a stream -> E_INVALIDARG");
    is_hr(CimCreateHardLink(image, L"", L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: new path \"\" -> E_INVALIDARG (D22)");
    is_hr(CimCreateHardLink(image, L"l", L""), E_INVALIDARG,
          "CimCreateHardLink: existing path \"\" -> E_INVALIDARG (D22)");
    is_hr(CimCreateHardLink(image, L"l", L"none.txt"), HR_PATH_NOT_FOUND,
          "CimCreateHardLink: missing file -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateHardLink(image, L"l", L"no\\none.txt"), HR_PATH_NOT_FOUND,
          "CimCreateHardLink: missing directory of the file -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateHardLink(image, L"no\\l", L"f.txt"), HR_PATH_NOT_FOUND,
          "CimCreateHardLink: missing parent of the new path -> ERROR_PATH_NOT_FOUND (D1)");
    is_hr(CimCreateHardLink(image, L"f.txt\\l", L"f.txt"), HR_PATH_NOT_FOUND,
          "CimCreateHardLink: the new path's parent is a file -> ERROR_PATH_NOT_FOUND (D1)");
    is_hr(CimCreateHardLink(image, L"l", L"d"), E_ACCESSDENIED,
          "CimCreateHardLink: of a directory -> E_ACCESSDENIED");
    is_hr(CimCreateHardLink(image, L"d", L"f.txt"), E_ACCESSDENIED,
          "CimCreateHardLink: over a directory -> E_ACCESSDENIED (D6)");
    is_hr(CimCreateFile(image, L"open", &plain_file, &stream), S_OK, "a stream is open");
    is_hr(CimCreateHardLink(image, L"l", L"f.txt"), HR_SHARING,
          "CimCreateHardLink: a stream is open -> ERROR_SHARING_VIOLATION");
    CimCloseStream(stream);
    is_hr(CimCreateHardLink(image, L"f.txt", L"f.txt"), S_OK,
          "CimCreateHardLink: onto itself changes nothing (D6)");
    is_hr(CimCreateHardLink(image, L"l", L"f.txt"), S_OK, "CimCreateHardLink: works");
}

static void test_write_stream(CIMFS_IMAGE_HANDLE image)
{
    CIMFS_STREAM_HANDLE stream, dir_stream;

    is_hr(CimWriteStream(NULL, "x", 1), E_INVALIDARG, "CimWriteStream: NULL -> E_INVALIDARG");
    is_hr(CimWriteStream(bad_stream, "x", 1), E_INVALIDARG,
          "CimWriteStream: no stream handle -> E_INVALIDARG");
    is_hr(CimWriteStream((CIMFS_STREAM_HANDLE)image, "x", 1), E_INVALIDARG,
          "CimWriteStream: an image's handle -> E_INVALIDARG");
    is_hr(CimCreateFile(image, L"w", &plain_file, &stream), S_OK, "a stream of 4 bytes");
    is_hr(CimWriteStream(stream, NULL, 1), E_POINTER, "CimWriteStream: NULL buffer -> E_POINTER");
    is_hr(CimWriteStream(stream, NULL, 0), E_POINTER,
          "CimWriteStream: NULL buffer, size 0 -> E_POINTER (D13)");
    is_hr(CimWriteStream(stream, "", 0), S_OK, "CimWriteStream: 0 bytes at the start");
    is_hr(CimWriteStream(stream, "ab", 2), S_OK, "CimWriteStream: 2 bytes of 4");
    is_hr(CimWriteStream(stream, "cdef", 4), HR_EOF,
          "CimWriteStream: past the end -> ERROR_HANDLE_EOF");
    is_hr(CimWriteStream(stream, "g", 1), HR_EOF,
          "CimWriteStream: 1 byte at the end -> ERROR_HANDLE_EOF");
    is_hr(CimWriteStream(stream, "", 0), S_OK, "CimWriteStream: 0 bytes at the end (D12)");
    CimCloseStream(stream);
    is_hr(CimWriteStream(stream, "x", 1), E_INVALIDARG,
          "CimWriteStream: a closed stream -> E_INVALIDARG");
    is_hr(CimCreateFile(image, L"wd", &plain_dir, &dir_stream), S_OK, "a directory's stream");
    is_hr(CimWriteStream(dir_stream, "x", 1), E_INVALIDARG,
          "CimWriteStream: a directory's stream -> E_INVALIDARG");
    CimCloseStream(dir_stream);
    is_hr(put(image, L"empty", 0, "", 0), S_OK, "an empty file");
}

static void test_delete_path(CIMFS_IMAGE_HANDLE image)
{
    CIMFS_STREAM_HANDLE stream;

    is_hr(CimDeletePath(NULL, L"f.txt"), E_INVALIDARG, "CimDeletePath: NULL image -> E_INVALIDARG");
    is_hr(CimDeletePath(bad_image, L"f.txt"), E_INVALIDARG,
          "CimDeletePath: no image handle -> E_INVALIDARG");
    is_hr(CimDeletePath(image, NULL), E_INVALIDARG, "CimDeletePath: NULL path -> E_INVALIDARG");
    is_hr(CimDeletePath(image, L""), E_INVALIDARG, "CimDeletePath: \"\" -> E_INVALIDARG (D22)");
    is_hr(CimDeletePath(image, L"\\"), E_INVALIDARG, "CimDeletePath: \"\\\" -> E_INVALIDARG (D22)");
    is_hr(CimDeletePath(image, L"none"), HR_PATH_NOT_FOUND,
          "CimDeletePath: missing -> ERROR_PATH_NOT_FOUND");
    is_hr(CimDeletePath(image, L"d\\none"), HR_PATH_NOT_FOUND,
          "CimDeletePath: missing in a directory -> ERROR_PATH_NOT_FOUND");
    is_hr(CimDeletePath(image, L"no\\none"), HR_PATH_NOT_FOUND,
          "CimDeletePath: missing directory -> ERROR_PATH_NOT_FOUND (D5)");
    is_hr(CimDeletePath(image, L"f.txt\\none"), HR_PATH_NOT_FOUND,
          "CimDeletePath: below a file -> ERROR_PATH_NOT_FOUND (D5)");
    is_hr(CimDeletePath(image, L"f.txt:none"), HR_PATH_NOT_FOUND,
          "CimDeletePath: missing stream -> ERROR_PATH_NOT_FOUND (D5)");
    is_hr(CimDeletePath(image, L"none:s"), HR_PATH_NOT_FOUND,
          "CimDeletePath: stream of a missing file -> ERROR_PATH_NOT_FOUND (D5)");
    is_hr(CimDeletePath(image, L"f.txt:"), E_INVALIDARG,
          "CimDeletePath: empty stream name -> E_INVALIDARG (D10)");
    is_hr(CimCreateFile(image, L"open", &plain_file, &stream), S_OK, "a stream is open");
    is_hr(CimDeletePath(image, L"f.txt"), HR_SHARING,
          "CimDeletePath: a stream is open -> ERROR_SHARING_VIOLATION");
    is_hr(CimDeletePath(image, L"open"), HR_SHARING,
          "CimDeletePath: the open file itself -> ERROR_SHARING_VIOLATION");
    CimCloseStream(stream);
    is_hr(CimDeletePath(image, L"open"), S_OK, "CimDeletePath: works after CimCloseStream");
    is_hr(CimDeletePath(image, L"f.txt:s"), S_OK, "CimDeletePath: an alternate stream");
    is_hr(CimDeletePath(image, L"f.txt:s"), HR_PATH_NOT_FOUND,
          "CimDeletePath: the same again -> ERROR_PATH_NOT_FOUND");
}

static void test_lookup_file(CIMFS_IMAGE_HANDLE image)
{
    static const struct
    {
        const WCHAR *path;
        BOOLEAN exists;
    } cases[] = {
            {L"d", TRUE},           {L"D", TRUE},
            {L"\\d\\f.txt", TRUE},  {L"d\\F.TXT", TRUE},
            {L"none", FALSE},       {L"no\\none", FALSE},
            {L"d\\none", FALSE},    {L"f.txt\\x", FALSE},
            {L"f.txt:x", TRUE},     {L"F.TXT:X:$DATA", TRUE},
            {L"f.txt:none", FALSE}, {L"none:s", FALSE},
            {L"d:x", TRUE},
    };
    CIMFS_STREAM_HANDLE stream;
    BOOLEAN exists = 77;
    size_t i;

    is_hr(CimLookupFile(NULL, L"d", &exists), E_INVALIDARG,
          "CimLookupFile: NULL image -> E_INVALIDARG");
    is_int(exists, FALSE, "CimLookupFile: the result is FALSE after a failure");
    is_hr(CimLookupFile(bad_image, L"d", &exists), E_INVALIDARG,
          "CimLookupFile: no image handle -> E_INVALIDARG");
    is_hr(CimLookupFile(image, NULL, &exists), E_INVALIDARG,
          "CimLookupFile: NULL path -> E_INVALIDARG");
    is_hr(CimLookupFile(image, L"d", NULL), E_POINTER,
          "CimLookupFile: NULL result pointer -> E_POINTER (D28)");
    is_hr(CimLookupFile(image, L"", &exists), E_INVALIDARG,
          "CimLookupFile: \"\" -> E_INVALIDARG (D22)");
    is_hr(CimLookupFile(image, L"\\", &exists), E_INVALIDARG,
          "CimLookupFile: \"\\\" -> E_INVALIDARG (D22)");
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    {
        exists = 77;
        is_hr(CimLookupFile(image, cases[i].path, &exists), S_OK, "CimLookupFile: '%ls' (D41)",
              cases[i].path);
        is_int(exists, cases[i].exists, "CimLookupFile: '%ls' exists: %d (D41)", cases[i].path,
               cases[i].exists);
    }
    is_hr(CimCreateFile(image, L"look", &plain_file, &stream), S_OK, "a stream is open");
    is_hr(CimLookupFile(image, L"look", &exists), S_OK, "CimLookupFile: while a stream is open");
    is_int(exists, TRUE, "CimLookupFile: finds the open file");
    CimCloseStream(stream);
}

static void test_commit(const WCHAR *dir)
{
    CIMFS_IMAGE_HANDLE image;
    CIMFS_STREAM_HANDLE stream;
    BOOLEAN exists;
    HANDLE file;
    ULONGLONG start;
    BYTE zero = 1;

    is_hr(CimCommitImage(NULL), E_INVALIDARG, "CimCommitImage: NULL -> E_INVALIDARG");
    is_hr(CimCommitImage(bad_image), E_INVALIDARG,
          "CimCommitImage: no image handle -> E_INVALIDARG");

    image = open_image(dir, L"base.cim", L"commit.cim");
    is_hr(CimCreateFile(image, L"c", &plain_file, &stream), S_OK, "a stream is open");
    is_hr(CimCommitImage(image), HR_SHARING,
          "CimCommitImage: a stream is open -> ERROR_SHARING_VIOLATION");
    ok(!file_exists(dir, L"commit.cim"), "CimCommitImage: nothing was published then");
    is_hr(CimWriteStream(stream, "data", 4), S_OK, "the stream goes on after that (D27)");
    CimCloseStream(stream);
    is_hr(CimCommitImage(image), S_OK, "CimCommitImage: works then (D27)");
    ok(file_exists(dir, L"commit.cim"), "the image is there before CimCloseImage");
    is_hr(CimCommitImage(image), E_INVALIDARG,
          "CimCommitImage: a second time -> E_INVALIDARG (D26)");
    is_hr(CimCreateFile(image, L"e", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: after the commit -> E_INVALIDARG (D26)");
    is_hr(CimCreateAlternateStream(image, L"f.txt:e", 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: after the commit -> E_INVALIDARG (D26)");
    is_hr(CimCreateHardLink(image, L"e", L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: after the commit -> E_INVALIDARG (D26)");
    is_hr(CimDeletePath(image, L"f.txt"), E_INVALIDARG,
          "CimDeletePath: after the commit -> E_INVALIDARG (D26)");
    is_hr(CimLookupFile(image, L"f.txt", &exists), E_INVALIDARG,
          "CimLookupFile: after the commit -> E_INVALIDARG (D26)");
    CimCloseImage(image);
    is_hr(CimCommitImage(image), E_INVALIDARG, "CimCommitImage: a closed image -> E_INVALIDARG");
    is_str(content(dir, L"commit.cim", L"c"), "data", "what was written around the failed commit");

    /* Somebody holds the image that is to be replaced. */
    image = open_image(dir, L"commit.cim", NULL);
    is_hr(put_text(image, L"new", "new"), S_OK, "extend an image");
    file = CreateFileW(path_of(dir, L"commit.cim"), GENERIC_READ,
                       FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    ok(file != INVALID_HANDLE_VALUE, "another program holds the image file open");
    start = GetTickCount64();
    is_hr(CimCommitImage(image), HR_SHARING,
          "CimCommitImage: the old image is held open -> ERROR_SHARING_VIOLATION (D47)");
    diag("tried for %llu ms", (unsigned long long)(GetTickCount64() - start));
    CloseHandle(file);
    ok(!in_image(dir, L"commit.cim", L"new"), "the old image stands");
    is_hr(CimCommitImage(image), S_OK, "CimCommitImage: works once the file is free (D47)");
    CimCloseImage(image);
    is_str(content(dir, L"commit.cim", L"new"), "new", "the new image");

    /* Somebody changed the image since it was opened; the directory's lock doesn't bind them. */
    image = open_image(dir, L"commit.cim", NULL);
    is_hr(put_text(image, L"lost", "lost"), S_OK, "extend an image");
    patch_file(path_of(dir, L"commit.cim"), 13, &zero, 1);
    is_hr(CimCommitImage(image), HR_SHARING,
          "CimCommitImage: the image was changed meanwhile -> ERROR_SHARING_VIOLATION (D35)");
    zero = 0;
    patch_file(path_of(dir, L"commit.cim"), 13, &zero, 1);
    is_hr(CimCommitImage(image), S_OK, "CimCommitImage: works when it is as it was (D35)");
    CimCloseImage(image);

    /* The new name is taken during the session. */
    image = open_image(dir, NULL, L"late.cim");
    save_file(path_of(dir, L"late.cim"), "mine", 4);
    is_hr(CimCommitImage(image), HR_EXISTS,
          "CimCommitImage: the new name was taken meanwhile -> ERROR_FILE_EXISTS");
    ok(FAILED(put_text(image, L"x", "x")) && FAILED(CimCommitImage(image)),
       "and only closing is possible then");
    CimCloseImage(image);
    ok(file_exists(dir, L"late.cim"), "the other's file is left alone");
    is_int(count_files(dir, L"cimtmp_*"), 0, "no private files are left");
}

static void test_read_file(const WCHAR *dir)
{
    const WCHAR *image = _wcsdup(path_of(dir, L"base.cim"));
    FILE_STAT_BASIC_INFORMATION info;
    char buffer[32];
    UINT64 got, left;
    size_t i;

    static const struct
    {
        const WCHAR *path;
        HRESULT hr;
        const char *what;
    } cases[] = {
            {L"none.txt", HR_FILE_NOT_FOUND, "missing file"},
            {L"d\\none.txt", HR_FILE_NOT_FOUND, "missing file in a directory"},
            {L"no\\none.txt", HR_PATH_NOT_FOUND, "missing directory"},
            {L"f.txt\\none", HR_PATH_NOT_FOUND, "below a file"},
            {L"f.txt:none", HR_FILE_NOT_FOUND, "missing stream"},
            {L"none.txt:s", HR_FILE_NOT_FOUND, "stream of a missing file"},
            {L"f.txt:", E_INVALIDARG, "empty stream name"},
            {L"f.txt::$DATA", E_INVALIDARG, "empty stream name with a type"},
            {L"f.txt:s:$X", E_INVALIDARG, "another stream type"},
            {L"f.txt:s?", E_INVALIDARG, "malformed stream name"},
            {NULL, E_INVALIDARG, "NULL path"},
    };

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    {
        got = left = 99;
        is_hr(CimReadFile(image, cases[i].path, 0, buffer, 32, &got, &left), cases[i].hr,
              "CimReadFile: %s (D30)", cases[i].what);
        ok(!got && !left, "CimReadFile: %s: counters are 0", cases[i].what);
        memset(&info, 0x55, sizeof(info));
        is_hr(CimGetFileStatBasicInformation(image, cases[i].path, &info), cases[i].hr,
              "CimGetFileStatBasicInformation: %s (D30)", cases[i].what);
        ok(!info.EndOfFile.QuadPart && !info.FileId.QuadPart,
           "CimGetFileStatBasicInformation: %s: cleared", cases[i].what);
    }
    is_hr(CimReadFile(image, L"d", 0, buffer, 32, &got, &left), E_INVALIDARG,
          "CimReadFile: a directory -> E_INVALIDARG (D30)");
    is_hr(CimReadFile(image, L"", 0, buffer, 32, &got, &left), E_INVALIDARG,
          "CimReadFile: the root -> E_INVALIDARG (D30)");
    is_hr(CimReadFile(image, L"\\", 0, buffer, 32, &got, &left), E_INVALIDARG,
          "CimReadFile: \"\\\" -> E_INVALIDARG (D30)");
    is_hr(CimReadFile(NULL, L"f.txt", 0, buffer, 32, &got, &left), E_INVALIDARG,
          "CimReadFile: NULL image path -> E_INVALIDARG");
    is_hr(CimReadFile(path_of(dir, L"none.cim"), L"f.txt", 0, buffer, 32, &got, &left),
          HR_FILE_NOT_FOUND, "CimReadFile: missing image -> ERROR_FILE_NOT_FOUND (D30)");
    is_hr(CimReadFile(path_of(dir, L"no\\none.cim"), L"f.txt", 0, buffer, 32, &got, &left),
          HR_PATH_NOT_FOUND,
          "CimReadFile: missing directory of the image -> ERROR_PATH_NOT_FOUND (D30)");
    is_hr(CimGetFileStatBasicInformation(path_of(dir, L"none.cim"), L"f.txt", &info),
          HR_FILE_NOT_FOUND,
          "CimGetFileStatBasicInformation: missing image -> ERROR_FILE_NOT_FOUND (D30)");
    is_hr(CimGetFileStatBasicInformation(path_of(dir, L"no\\none.cim"), L"f.txt", &info),
          HR_PATH_NOT_FOUND,
          "CimGetFileStatBasicInformation: missing directory -> ERROR_PATH_NOT_FOUND (D30)");
    is_hr(CimGetFileStatBasicInformation(image, L"f.txt", NULL), E_POINTER,
          "CimGetFileStatBasicInformation: NULL result -> E_POINTER (D28)");
    is_hr(CimReadFile(image, L"f.txt", 0, NULL, 32, &got, &left), E_POINTER,
          "CimReadFile: NULL buffer -> E_POINTER (D28)");
    is_hr(CimReadFile(image, L"f.txt", 0, buffer, 32, NULL, &left), E_POINTER,
          "CimReadFile: NULL bytesRead -> E_POINTER (D28)");
    is_hr(CimReadFile(image, L"f.txt", 0, buffer, 32, &got, NULL), E_POINTER,
          "CimReadFile: NULL bytesRemaining -> E_POINTER (D28)");

    got = left = 99;
    is_hr(CimReadFile(image, L"f.txt", 4, buffer, 3, &got, &left), S_OK, "CimReadFile: 3 at 4");
    ok(got == 3 && left == 3 && !memcmp(buffer, "456", 3), "CimReadFile: 3 read, 3 remain");
    is_hr(CimReadFile(image, L"f.txt", 8, buffer, UINT64_MAX, &got, &left), S_OK,
          "CimReadFile: a buffer larger than the rest");
    ok(got == 2 && !left && !memcmp(buffer, "89", 2), "CimReadFile: 2 read, 0 remain");
    is_hr(CimReadFile(image, L"f.txt", 10, buffer, 3, &got, &left), S_OK,
          "CimReadFile: offset at the end -> S_OK (D30)");
    ok(!got && !left, "CimReadFile: offset at the end: 0 read, 0 remain (D30)");
    got = left = 99;
    is_hr(CimReadFile(image, L"f.txt", 11, buffer, 3, &got, &left), HR_EOF,
          "CimReadFile: offset past the end -> ERROR_HANDLE_EOF (D30)");
    ok(!got && !left, "CimReadFile: counters are 0 then");
    is_hr(CimReadFile(image, L"f.txt", UINT64_MAX, buffer, 3, &got, &left), HR_EOF,
          "CimReadFile: offset 2^64-1 -> ERROR_HANDLE_EOF (D30)");
    is_hr(CimReadFile(image, L"f.txt", 2, buffer, 0, &got, &left), S_OK,
          "CimReadFile: buffer of size 0 -> S_OK (D30)");
    ok(!got && left == 8, "CimReadFile: buffer of size 0: 0 read, 8 remain (D30)");
    is_str(content(dir, L"base.cim", L"\\D\\F.TXT"), "inner",
           "CimReadFile: leading '\\', other case");
    is_str(content(dir, L"base.cim", L"f.txt:s"), "stream", "CimReadFile: f:s (D30)");
    is_str(content(dir, L"base.cim", L"f.txt:S:$DATA"), "stream", "CimReadFile: f:s:$DATA (D30)");
}

int wmain(int argc, WCHAR **argv)
{
    const WCHAR *dir;
    CIMFS_IMAGE_HANDLE image;

    if (argc == 4 && !wcscmp(argv[1], L"hold"))
    {
        hold_directory(argv[2], argv[3]);
        return 0;
    }
    make_long_paths();
    test_create_image();
    test_broken_image();
    test_create_image2();
    test_bad_paths();

    dir = new_dir(L"calls");
    make_base(dir, L"base.cim");
    image = open_image(dir, L"base.cim", L"work.cim");
    test_create_file(image);
    test_alternate_stream(image);
    test_hard_link(image);
    test_write_stream(image);
    test_lookup_file(image);
    test_delete_path(image);
    is_hr(commit_and_close(image), S_OK, "after all these errors the session commits");
    is_str(content(dir, L"work.cim", L"w"), "abcd",
           "what fitted of a too long write is kept (D12)");
    is_str(content(dir, L"work.cim", L"l"), "0123456789", "the hard link reads as the file");
    is_str(content(dir, L"base.cim", L"f.txt:s"), "stream", "the forked image is untouched");
    test_commit(dir);
    test_read_file(dir);
    return tap_done();
}
