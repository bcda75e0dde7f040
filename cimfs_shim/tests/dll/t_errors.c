/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_errors.c - errors that the conformance suite doesn't ask for
 *
 * What the documentation, clients or our decisions say of each function's answers is specified
 * there (conformance/cases). Here is the rest, in the order of the functions: answers that nobody
 * knows of Windows, spellings beyond those of the cases, and the files that a failure leaves. What
 * only a machine's state can provoke (no access, a full disk) is in t_access.c, driven by a script.
 */
#include "dlltest.h"
#include "libcim_advanced.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static CIMFS_IMAGE_HANDLE const bad_image = (CIMFS_IMAGE_HANDLE)(ULONG_PTR)0x12345;
static CIMFS_FILE_METADATA const plain_file = {.FileSize = 4};

/* The answer of CimCreateImage(); a session that began is closed again. */
static HRESULT try_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = CimCreateImage(dir, existing, name, &image);

    CimCloseImage(image);
    return hr;
}

/* ---- CimCreateImage ---- */

static void test_names(const WCHAR *dir)
{
    is_hr(try_image(NULL, NULL, L"x.cim"), E_INVALIDARG,
          "CimCreateImage: NULL directory -> E_INVALIDARG");
    is_hr(try_image(L"", NULL, L"x.cim"), HR_PATH_NOT_FOUND,
          "CimCreateImage: \"\" as directory -> ERROR_PATH_NOT_FOUND");
    is_hr(try_image(dir, L"", NULL), HR_FILE_NOT_FOUND,
          "CimCreateImage: \"\" as existing name alone -> ERROR_FILE_NOT_FOUND (D23)");
    is_hr(try_image(dir, NULL, L"sub\\x.cim"), E_INVALIDARG,
          "CimCreateImage: '\\' in a name -> E_INVALIDARG (D23)");
    ok(!count_files(dir, L"*"), "CimCreateImage: no failure left a file");
    make_base(dir, L"base.cim");
    is_hr(try_image(dir, NULL, L"BASE.CIM"), HR_EXISTS,
          "CimCreateImage: the new name is taken, in other case -> ERROR_FILE_EXISTS");
    is_hr(try_image(path_of(dir, L"base.cim"), NULL, L"two.cim"), HR_PATH_NOT_FOUND,
          "CimCreateImage: a file as directory -> ERROR_PATH_NOT_FOUND");
}

/* A container of libcim's is reached only by the flags that there are for that. */
static void test_container(const WCHAR *dir)
{
    const WCHAR *container = path_of(dir, L"c.bcim");
    struct cim_writer *writer = NULL;
    CIMFS_IMAGE_HANDLE image = NULL;
    struct cim_error err = {0};
    char path[3 * PATH_ROOM];
    UINT64 got, left;
    BYTE buffer[4];

    cim_utf8_from_utf16(container, wcslen(container), path, sizeof(path));
    if (cim_writer_open(NULL, path, NULL, "x.cim", CIM_WRITE_CONTAINER, &writer, &err) ||
        cim_writer_commit(writer, &err))
        bail("can't make a container: %s", err.cause);
    cim_writer_close(writer);
    is_hr(try_image(container, NULL, L"y.cim"), HR_PATH_NOT_FOUND,
          "CimCreateImage: a container as directory -> ERROR_PATH_NOT_FOUND");
    is_hr(try_image(container, L"x.cim", NULL), HR_PATH_NOT_FOUND,
          "CimCreateImage: an image in it -> ERROR_PATH_NOT_FOUND");
    is_hr(CimCreateImage2(container, 0, NULL, L"y.cim", &image), HR_PATH_NOT_FOUND,
          "CimCreateImage2 without a flag for it -> ERROR_PATH_NOT_FOUND");
    is_hr(CimReadFile(path_of(container, L"x.cim"), L"f", 0, buffer, 3, &got, &left),
          HR_PATH_NOT_FOUND, "CimReadFile: an image in it -> ERROR_PATH_NOT_FOUND");
}

static void test_directory_spelling(const WCHAR *dir)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"one.cim");
    WCHAR spelling[PATH_ROOM], *p;

    is_hr(try_image(dir, L"base.cim", NULL), HR_SHARING,
          "CimCreateImage: extending meanwhile -> ERROR_SHARING_VIOLATION");
    _snwprintf(spelling, PATH_ROOM, L"\\\\?\\%ls", dir);
    is_hr(try_image(spelling, NULL, L"two.cim"), HR_SHARING,
          "CimCreateImage: as \\\\?\\ path -> ERROR_SHARING_VIOLATION");
    CimCloseImage(image);
    for (p = wcscpy(spelling, dir); *p; p++)
        if (*p == '\\') *p = '/';
    is_hr(try_image(spelling, NULL, L"two.cim"), S_OK,
          "CimCreateImage: a directory spelled with '/'");
    SetCurrentDirectoryW(dir);
    is_hr(try_image(L".", NULL, L"two.cim"), S_OK, "CimCreateImage: \".\"");
    is_hr(try_image(L"..\\create", NULL, L"two.cim"), S_OK, "CimCreateImage: a relative path");
    SetCurrentDirectoryW(L"C:\\");
    is_int(count_files(dir, L"cimtmp_*"), 0, "CimCloseImage without commit: no private files");
}

/* Each region file becomes the first @size bytes of a header; with 0 it is removed. */
static void spoil_regions(const WCHAR *dir, DWORD size)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(path_of(dir, L"region_*"), &data);

    do
        if (size)
            save_file(path_of(dir, data.cFileName), "cimfile0", size);
        else
            DeleteFileW(path_of(dir, data.cFileName));
    while (FindNextFileW(find, &data));
    FindClose(find);
}

static void test_broken_image(void)
{
    const WCHAR *dir = new_dir(L"broken");
    BYTE count[2] = {0xfe, 0xff};
    char buffer[16];
    UINT64 got, left;

    make_base(dir, L"magic.cim");
    patch_file(path_of(dir, L"magic.cim"), 0, "notacim0", 8);
    is_hr(try_image(dir, L"magic.cim", L"fork.cim"), HR_CORRUPT,
          "CimCreateImage: fork of what is no image -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    make_base(dir, L"limit.cim");
    patch_file(path_of(dir, L"limit.cim"), 48, count, 2);
    is_hr(try_image(dir, L"limit.cim", NULL), HR_LIMIT,
          "CimCreateImage: 65,534 regions are in use -> ERROR_FILE_SYSTEM_LIMITATION (D48)");
    is_hr(try_image(dir, L"limit.cim", L"fork.cim"), HR_LIMIT,
          "CimCreateImage: the same for a fork (D48)");

    dir = new_dir(L"shortregion");
    make_base(dir, L"a.cim");
    spoil_regions(dir, 8);
    is_hr(CimReadFile(path_of(dir, L"a.cim"), L"f.txt", 0, buffer, 16, &got, &left), HR_CORRUPT,
          "CimReadFile: region files shorter than a header -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    is_hr(try_image(dir, L"a.cim", NULL), HR_CORRUPT,
          "CimCreateImage: region files shorter than a header -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    spoil_regions(dir, 0);
    is_hr(try_image(dir, L"a.cim", NULL), HR_CORRUPT,
          "CimCreateImage: the region files are missing -> ERROR_CIMFS_IMAGE_CORRUPT (D31)");
    is_int(count_files(dir, L"cimtmp_*"), 0, "CimCreateImage: a failure leaves no private file");
}

static void test_create_image2(void)
{
    static const struct
    {
        UINT32 flags;
        HRESULT hr;
        const char *name;
    } rows[] = {
            {0xffffffff, E_INVALIDARG, "E_INVALIDARG"},
            {0x4c, E_INVALIDARG, "E_INVALIDARG"},
            {0x41, E_INVALIDARG, "E_INVALIDARG"},
            {0x84, E_INVALIDARG, "E_INVALIDARG"},
            {0x48, HR_CORRUPT, "ERROR_CIMFS_IMAGE_CORRUPT"},
            {0x05, E_INVALIDARG, "E_INVALIDARG"},
            {0x3b, HR_CORRUPT, "ERROR_CIMFS_IMAGE_CORRUPT"},
    };
    const WCHAR *dir = new_dir(L"create_2");
    CIMFS_IMAGE_HANDLE image;
    size_t i;

    for (i = 0; i < COUNT(rows); i++)
    {
        image = bad_image;
        is_hr(CimCreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)rows[i].flags, NULL, L"x.cim", &image),
              rows[i].hr, "CimCreateImage2: flags 0x%x -> %s (D39)", rows[i].flags, rows[i].name);
        ok(!image, "CimCreateImage2: flags 0x%x: handle NULL", rows[i].flags);
    }
    is_hr(CimCreateImage2(dir, CIM_CREATE_IMAGE_NONE, NULL, L"x.cim", NULL), E_POINTER,
          "CimCreateImage2: NULL handle pointer -> E_POINTER");
}

/* ---- paths ---- */

/* What the functions that read say to a path that is no path; the suite asks those that write. */
static void test_bad_path(CIMFS_IMAGE_HANDLE image, const WCHAR *dir, const WCHAR *path,
                          const char *name)
{
    FILE_STAT_BASIC_INFORMATION info;
    BOOLEAN exists;
    char buffer[4];
    UINT64 got, left;

    is_hr(CimLookupFile(image, path, &exists), E_INVALIDARG,
          "CimLookupFile: %s -> E_INVALIDARG (D20, D41)", name);
    is_hr(CimReadFile(path_of(dir, L"base.cim"), path, 0, buffer, 4, &got, &left), E_INVALIDARG,
          "CimReadFile: %s -> E_INVALIDARG (D20)", name);
    is_hr(stat_of(dir, L"base.cim", path, &info), E_INVALIDARG,
          "CimGetFileStatBasicInformation: %s -> E_INVALIDARG (D20)", name);
}

static void test_bad_paths(CIMFS_IMAGE_HANDLE image, const WCHAR *dir)
{
    static const WCHAR *const bad_paths[] = {
            L"a\\",  L"d\\\\f", L"\\\\a", L".",     L"..",   L"d\\..\\f", L".\\a",
            L"d\\.", L"a/b",    L"/a",    L"a*",    L"a?",   L"a\"",      L"a<",
            L"a>",   L"a|",     L"a\x01", L"a\x1f", L"a\tb", L"a\n",      L"\\\\?\\a",
    };
    WCHAR component[257], *path = malloc((32768 + 1) * sizeof(WCHAR));
    char name[80];
    size_t i, j;

    for (i = 0; i < COUNT(bad_paths); i++)
    {
        char *p = name;

        for (j = 0; bad_paths[i][j]; j++)
            p += sprintf(p, bad_paths[i][j] < ' ' ? "^%d" : "%c", bad_paths[i][j]);
        test_bad_path(image, dir, bad_paths[i], name);
    }
    wmemset(component, L'c', 256);
    component[256] = 0;
    test_bad_path(image, dir, component, "a component of 256 code units");
    for (i = 0; i < 32768; i++) path[i] = i % 2 ? '\\' : 'p';
    path[32767] = 'p';
    path[32768] = 0;
    test_bad_path(image, dir, path, "a path of 32,768 code units");
    free(path);
}

/* ---- the functions of a session ---- */

static void test_arguments(CIMFS_IMAGE_HANDLE image)
{
    CIMFS_STREAM_HANDLE stream = (CIMFS_STREAM_HANDLE)(ULONG_PTR)0x12345;
    BOOLEAN exists;

    is_hr(CimWriteStream(stream, "x", 1), E_INVALIDARG,
          "CimWriteStream: no stream handle -> E_INVALIDARG");
    is_hr(CimCreateFile(bad_image, L"a", &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: no image handle -> E_INVALIDARG");
    is_hr(CimCreateFile(image, NULL, &plain_file, &stream), E_INVALIDARG,
          "CimCreateFile: NULL path -> E_INVALIDARG");
    is_hr(CimCreateFile(image, L"a", NULL, &stream), E_INVALIDARG,
          "CimCreateFile: NULL metadata -> E_INVALIDARG");
    is_hr(CimCreateAlternateStream(bad_image, L"f.txt:x", 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: no image handle -> E_INVALIDARG");
    is_hr(CimCreateAlternateStream(image, NULL, 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: NULL path -> E_INVALIDARG");
    is_hr(CimCreateAlternateStream(image, L"f.txt:a*b", 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: 'f.txt:a*b' -> E_INVALIDARG (D10)");
    is_hr(CimCreateAlternateStream(image, L"f.txt:s\\t", 4, &stream), E_INVALIDARG,
          "CimCreateAlternateStream: 'f.txt:s\\t' -> E_INVALIDARG (D10)");
    is_hr(CimCreateHardLink(bad_image, L"l", L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: no image handle -> E_INVALIDARG");
    is_hr(CimCreateHardLink(image, NULL, L"f.txt"), E_INVALIDARG,
          "CimCreateHardLink: NULL new path -> E_INVALIDARG");
    is_hr(CimCreateHardLink(image, L"l", NULL), E_INVALIDARG,
          "CimCreateHardLink: NULL existing path -> E_INVALIDARG");
    is_hr(CimDeletePath(image, NULL), E_INVALIDARG, "CimDeletePath: NULL path -> E_INVALIDARG");
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
}

static void test_lookup_file(CIMFS_IMAGE_HANDLE image)
{
    static const struct
    {
        const WCHAR *path;
        BOOLEAN exists;
    } cases[] = {
            {L"d\\none", FALSE},      {L"f.txt\\x", FALSE},   {L"f.txt:s", TRUE},
            {L"F.TXT:S:$DATA", TRUE}, {L"f.txt:none", FALSE}, {L"none:s", FALSE},
            {L"d:x", TRUE},           {L"\\d\\f.txt", TRUE},
    };
    CIMFS_STREAM_HANDLE stream;
    BOOLEAN exists = 77;
    size_t i;

    is_hr(put_stream(image, L"d:x", "x"), S_OK, "a directory's stream");
    for (i = 0; i < COUNT(cases); i++)
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
    CIMFS_IMAGE_HANDLE image = open_image(dir, L"base.cim", L"commit.cim");
    CIMFS_STREAM_HANDLE stream;
    BOOLEAN exists;
    HANDLE file;
    BYTE zero = 1;

    is_hr(CimCreateFile(image, L"c", &plain_file, &stream), S_OK, "a stream is open");
    is_hr(CimCommitImage(image), HR_SHARING,
          "CimCommitImage: a stream is open -> ERROR_SHARING_VIOLATION");
    ok(!file_exists(dir, L"commit.cim"), "CimCommitImage: nothing was published then");
    CimCloseStream(stream);
    is_hr(CimCommitImage(image), S_OK, "CimCommitImage: works then (D27)");
    is_hr(CimLookupFile(image, L"f.txt", &exists), E_INVALIDARG,
          "CimLookupFile: after the commit -> E_INVALIDARG (D26)");
    CimCloseImage(image);

    /* Somebody holds the image that is to be replaced, and lets others write to it. */
    image = open_image(dir, L"commit.cim", NULL);
    is_hr(put_text(image, L"new", "new"), S_OK, "extend an image");
    file = CreateFileW(path_of(dir, L"commit.cim"), GENERIC_READ,
                       FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    ok(file != INVALID_HANDLE_VALUE, "another program holds the image file open");
    is_hr(CimCommitImage(image), HR_SHARING,
          "CimCommitImage: the old image is held open -> ERROR_SHARING_VIOLATION (D47)");
    CloseHandle(file);
    ok(!in_image(dir, L"commit.cim", L"new"), "the old image stands");

    /* Somebody changed the image since it was opened; the directory's lock doesn't bind them. */
    patch_file(path_of(dir, L"commit.cim"), 13, &zero, 1);
    is_hr(CimCommitImage(image), HR_SHARING,
          "CimCommitImage: the image was changed meanwhile -> ERROR_SHARING_VIOLATION (D35)");
    zero = 0;
    patch_file(path_of(dir, L"commit.cim"), 13, &zero, 1);
    is_hr(CimCommitImage(image), S_OK, "CimCommitImage: works when it is as it was (D35)");
    CimCloseImage(image);
    is_str(content(dir, L"commit.cim", L"new"), "new", "the new image");

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

/* ---- reading ---- */

static void test_read_paths(const WCHAR *image)
{
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
    FILE_STAT_BASIC_INFORMATION info;
    char buffer[32];
    UINT64 got, left;
    size_t i;

    for (i = 0; i < COUNT(cases); i++)
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
}

static void test_read_file(const WCHAR *dir)
{
    const WCHAR *image = _wcsdup(path_of(dir, L"base.cim"));
    FILE_STAT_BASIC_INFORMATION info;
    char buffer[32];
    UINT64 got, left;

    test_read_paths(image);
    is_hr(CimReadFile(image, L"\\", 0, buffer, 32, &got, &left), E_INVALIDARG,
          "CimReadFile: \"\\\" -> E_INVALIDARG (D30)");
    is_hr(CimReadFile(NULL, L"f.txt", 0, buffer, 32, &got, &left), E_INVALIDARG,
          "CimReadFile: NULL image path -> E_INVALIDARG");
    is_hr(CimReadFile(image, L"f.txt", 0, NULL, 32, &got, &left), E_POINTER,
          "CimReadFile: NULL buffer -> E_POINTER (D28)");
    is_hr(CimReadFile(image, L"f.txt", 0, buffer, 32, NULL, &left), E_POINTER,
          "CimReadFile: NULL bytesRead -> E_POINTER (D28)");
    is_hr(CimReadFile(image, L"f.txt", 0, buffer, 32, &got, NULL), E_POINTER,
          "CimReadFile: NULL bytesRemaining -> E_POINTER (D28)");
    is_hr(CimGetFileStatBasicInformation(path_of(dir, L"no\\none.cim"), L"f.txt", &info),
          HR_PATH_NOT_FOUND,
          "CimGetFileStatBasicInformation: missing directory -> ERROR_PATH_NOT_FOUND (D30)");
    is_hr(CimGetFileStatBasicInformation(image, L"f.txt", NULL), E_POINTER,
          "CimGetFileStatBasicInformation: NULL result -> E_POINTER (D28)");

    is_hr(CimReadFile(image, L"f.txt", 8, buffer, UINT64_MAX, &got, &left), S_OK,
          "CimReadFile: a buffer of 2^64-1 bytes, larger than the rest");
    ok(got == 2 && !left && !memcmp(buffer, "89", 2), "CimReadFile: 2 read, 0 remain");
    got = left = 99;
    is_hr(CimReadFile(image, L"f.txt", UINT64_MAX, buffer, 3, &got, &left), HR_EOF,
          "CimReadFile: offset 2^64-1 -> ERROR_HANDLE_EOF (D30)");
    ok(!got && !left, "CimReadFile: counters are 0 then");
    is_str(content(dir, L"base.cim", L"\\D\\F.TXT"), "inner",
           "CimReadFile: leading '\\', other case");
    is_str(content(dir, L"base.cim", L"f.txt:S:$DATA"), "stream",
           "CimReadFile: f:s:$DATA in other case (D30)");
}

int wmain(void)
{
    const WCHAR *dir = new_dir(L"create");
    CIMFS_IMAGE_HANDLE image;

    test_names(dir);
    test_container(new_dir(L"container"));
    test_directory_spelling(dir);
    test_broken_image();
    test_create_image2();

    dir = new_dir(L"calls");
    make_base(dir, L"base.cim");
    image = open_image(dir, L"base.cim", L"work.cim");
    test_bad_paths(image, dir);
    test_arguments(image);
    test_lookup_file(image);
    is_hr(commit_and_close(image), S_OK, "after all these errors the session commits");
    test_commit(dir);
    test_read_file(dir);
    return tap_done();
}
