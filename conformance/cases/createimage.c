/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createimage.c - CimCreateImage and CimCreateImage2: which sessions can be opened, on what
 */
#include "../suite/suite.h"

#define PAGE "CimCreateImage page"
#define SAMPLE "CimFSAPI sample"

/* The call's answer; a session that began is closed again. */
static HRESULT try_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = cim.CreateImage(dir, existing, new_name, &image);

    if (SUCCEEDED(hr)) cim.CloseImage(image);
    return hr;
}

static HRESULT try_image2(const WCHAR *dir, UINT32 flags, const WCHAR *existing,
                          const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = cim.CreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)flags, existing, new_name, &image);

    if (SUCCEEDED(hr)) cim.CloseImage(image);
    return hr;
}

/* ---- which sessions there are -----------------------------------------------------------------
 */

CASE(fresh, "CreateImage/Fresh", DOC, PAGE, 0, "no existing name and a new one: a fresh image")
{
    CIMFS_IMAGE_HANDLE image = NULL;

    check_hr("hr", cim.CreateImage(case_dir(), NULL, L"a.cim", &image), S_OK);
    check_bool("a handle", image != NULL, true);
    track_image(image);
    put_text(image, L"f", "text");
    check_hr("commit", cim.CommitImage(image), S_OK);
    close_image(image);
    check_bool("the image is there", file_exists(case_dir(), L"a.cim"), true);
    check_stored_text("f", case_dir(), L"a.cim", L"f", "text");
}

CASE(extend_null, "CreateImage/ExtendByNullNewName", DOC, PAGE, 0,
     "an existing name alone: the commit overwrites the existing image")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", NULL);
    put_text(image, L"more", "more");
    commit_and_close(image);
    check_stored_text("new file", case_dir(), L"base.cim", L"more", "more");
    check_stored_text("old file", case_dir(), L"base.cim", L"file.txt", "hello");
    check_number("images", count_files(case_dir(), L"*.cim"), 1);
}

CASE(extend_same, "CreateImage/ExtendBySameName", DOC, PAGE, 0,
     "both names the same: the commit overwrites the existing image")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", L"base.cim");
    put_text(image, L"more", "more");
    commit_and_close(image);
    check_stored_text("new file", case_dir(), L"base.cim", L"more", "more");
    check_stored_text("old file", case_dir(), L"base.cim", L"file.txt", "hello");
    check_number("images", count_files(case_dir(), L"*.cim"), 1);
}

CASE(extend_other_case, "CreateImage/ExtendBySameNameOtherCase", QUESTION, "Q-20", 0,
     "both names the same but for case: is that extending?")
{
    make_base(case_dir());
    see_hr("hr", try_image(case_dir(), L"base.cim", L"BASE.cim"));
}

CASE(fork_both, "CreateImage/Fork", DOC, PAGE, 0,
     "two different names: a new image, the existing one stays as it was")
{
    CIMFS_IMAGE_HANDLE image;
    size_t size, size_after;
    void *before, *after;

    make_base(case_dir());
    before = load_file(join(case_dir(), L"base.cim"), &size);
    image = open_image(case_dir(), L"base.cim", L"fork.cim");
    put_text(image, L"more", "more");
    commit_and_close(image);
    after = load_file(join(case_dir(), L"base.cim"), &size_after);
    check_bytes("the existing image's file", after, size_after, before, size);
    check_stored_text("new file in the fork", case_dir(), L"fork.cim", L"more", "more");
    check_stored_text("old file in the fork", case_dir(), L"fork.cim", L"file.txt", "hello");
    check_exists("new file in the parent", case_dir(), L"base.cim", L"more", false);
    free(before);
    free(after);
}

CASE(fork_of_fork, "CreateImage/ForkOfFork", CLIENT, "hcsshim layer writer", 0,
     "a chain of forks shows what each of them added")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", L"one.cim");
    put_text(image, L"one", "1");
    commit_and_close(image);
    image = open_image(case_dir(), L"one.cim", L"two.cim");
    put_text(image, L"two", "2");
    commit_and_close(image);
    image = open_image(case_dir(), L"two.cim", L"three.cim");
    put_text(image, L"three", "3");
    commit_and_close(image);
    check_stored_text("base's", case_dir(), L"three.cim", L"file.txt", "hello");
    check_stored_text("one's", case_dir(), L"three.cim", L"one", "1");
    check_stored_text("two's", case_dir(), L"three.cim", L"two", "2");
    check_stored_text("three's", case_dir(), L"three.cim", L"three", "3");
    check_exists("three's in two", case_dir(), L"two.cim", L"three", false);
}

CASE(two_forks, "CreateImage/TwoForksOfOne", CLIENT, "hcsshim layer writer", 0,
     "two forks of one image are independent of each other")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", L"one.cim");
    put_text(image, L"file.txt", "first");
    commit_and_close(image);
    image = open_image(case_dir(), L"base.cim", L"two.cim");
    put_text(image, L"file.txt", "second");
    commit_and_close(image);
    check_stored_text("base", case_dir(), L"base.cim", L"file.txt", "hello");
    check_stored_text("one", case_dir(), L"one.cim", L"file.txt", "first");
    check_stored_text("two", case_dir(), L"two.cim", L"file.txt", "second");
}

CASE(reopen, "CreateImage/ReopenAtOnce", CLIENT, "hcsshim layer writer (2020)", 0,
     "a committed image is opened again right after its close, several times")
{
    int i;

    make_base(case_dir());
    for (i = 0; i < 5; i++)
    {
        CIMFS_IMAGE_HANDLE image = open_image(case_dir(), L"base.cim", NULL);

        put_text(image, format_wide(L"d\\n%d", i), "x");
        commit_and_close(image);
    }
    for (i = 0; i < 5; i++)
    {
        char name[20];

        sprintf(name, "n%d", i);
        check_stored_text(name, case_dir(), L"base.cim", format_wide(L"d\\n%d", i), "x");
    }
}

CASE(old_regions, "CreateImage/OldRegionFilesAround", CLIENT, "Vanara's unit test", 0,
     "region files of an image whose own file was deleted do no harm to a new one of that name")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    need(DeleteFileW(join(case_dir(), L"base.cim")), "can't delete the image's file");
    image = open_image(case_dir(), NULL, L"base.cim");
    put_text(image, L"new", "new");
    commit_and_close(image);
    check_stored_text("new", case_dir(), L"base.cim", L"new", "new");
    check_exists("old", case_dir(), L"base.cim", L"file.txt", false);
}

/* ---- documented errors ---------------------------------------------------------------------- */

CASE(neither_name, "CreateImage/NeitherName", DOC, PAGE, 0, "neither name: E_INVALIDARG")
{
    check_hr("hr", try_image(case_dir(), NULL, NULL), E_INVALIDARG);
}

CASE(dir_missing, "CreateImage/DirectoryMissing", DOC, PAGE, 0,
     "no such directory: ERROR_PATH_NOT_FOUND")
{
    check_hr("last component", try_image(join(case_dir(), L"none"), NULL, L"a.cim"),
             HR_PATH_NOT_FOUND);
    check_hr("on the way", try_image(join(case_dir(), L"none\\deeper"), NULL, L"a.cim"),
             HR_PATH_NOT_FOUND);
}

CASE(dir_is_file, "CreateImage/DirectoryIsFile", QUESTION, "Q-20", 0,
     "the directory's path names a file: which error?")
{
    save_file(join(case_dir(), L"file"), "x", 1);
    see_hr("hr", try_image(join(case_dir(), L"file"), NULL, L"a.cim"));
}

CASE(existing_missing, "CreateImage/ExistingMissing", DOC, PAGE, 0,
     "no image of the existing name: ERROR_FILE_NOT_FOUND")
{
    make_base(case_dir());
    check_hr("extend", try_image(case_dir(), L"none.cim", NULL), HR_FILE_NOT_FOUND);
    check_hr("extend by the same name", try_image(case_dir(), L"none.cim", L"none.cim"),
             HR_FILE_NOT_FOUND);
    check_hr("fork", try_image(case_dir(), L"none.cim", L"fork.cim"), HR_FILE_NOT_FOUND);
}

CASE(new_exists, "CreateImage/NewExists", DOC, PAGE, 0,
     "a fresh image's name is taken: ERROR_FILE_EXISTS")
{
    make_base(case_dir());
    check_hr("hr", try_image(case_dir(), NULL, L"base.cim"), HR_FILE_EXISTS);
    check_stored_text("what is there", case_dir(), L"base.cim", L"file.txt", "hello");
}

CASE(new_exists_file, "CreateImage/NewExistsAsOtherFile", DOC, PAGE, 0,
     "the new name belongs to a file that is no image: ERROR_FILE_EXISTS")
{
    save_file(join(case_dir(), L"a.cim"), "mine", 4);
    check_hr("hr", try_image(case_dir(), NULL, L"a.cim"), HR_FILE_EXISTS);
}

CASE(fork_exists, "CreateImage/ForkExists", DOC, PAGE, 0,
     "a fork's name is taken: ERROR_FILE_EXISTS")
{
    make_base(case_dir());
    save_file(join(case_dir(), L"fork.cim"), "mine", 4);
    check_hr("hr", try_image(case_dir(), L"base.cim", L"fork.cim"), HR_FILE_EXISTS);
}

CASE(exists_at_once, "CreateImage/ExistsIsSaidAtOnce", CLIENT, SAMPLE, 0,
     "that a name is taken is said by CimCreateImage, not first by the commit")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr;

    make_base(case_dir());
    hr = cim.CreateImage(case_dir(), NULL, L"base.cim", &image);
    check_hr("hr", hr, HR_FILE_EXISTS);
    if (SUCCEEDED(hr)) track_image(image);
}

CASE(second_handle, "CreateImage/SecondHandle", DOC, PAGE, 0,
     "a second session in the directory: ERROR_SHARING_VIOLATION")
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"a.cim");

    check_hr("a second one", try_image(case_dir(), NULL, L"b.cim"), HR_SHARING);
    check_hr("of the same name", try_image(case_dir(), NULL, L"a.cim"), HR_SHARING);
    close_image(image);
    check_hr("after its close", try_image(case_dir(), NULL, L"b.cim"), S_OK);
}

CASE(second_extending, "CreateImage/SecondHandleExtending", DOC, PAGE, 0,
     "a session that extends or forks excludes another just as well")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", NULL);
    check_hr("fresh", try_image(case_dir(), NULL, L"b.cim"), HR_SHARING);
    check_hr("fork", try_image(case_dir(), L"base.cim", L"c.cim"), HR_SHARING);
    close_image(image);
}

CASE(second_spelling, "CreateImage/SecondHandleOtherSpelling", DOC, PAGE, 0,
     "another spelling of the directory's path is the same directory")
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"a.cim");

    check_hr("trailing separator", try_image(join(case_dir(), L""), NULL, L"b.cim"), HR_SHARING);
    check_hr("by a dot", try_image(join(case_dir(), L"."), NULL, L"b.cim"), HR_SHARING);
    close_image(image);
}

CASE(two_dirs, "CreateImage/TwoDirectories", DOC, PAGE, 0,
     "sessions in different directories don't exclude each other")
{
    const WCHAR *one = new_dir(L"one"), *two = new_dir(L"two");
    CIMFS_IMAGE_HANDLE first = open_image(one, NULL, L"a.cim");
    CIMFS_IMAGE_HANDLE second = NULL;

    check_hr("hr", cim.CreateImage(two, NULL, L"a.cim", &second), S_OK);
    track_image(second);
    put_text(first, L"f", "1");
    put_text(second, L"f", "2");
    commit_and_close(second);
    commit_and_close(first);
    check_stored_text("one", one, L"a.cim", L"f", "1");
    check_stored_text("two", two, L"a.cim", L"f", "2");
}

CASE(read_only_dir, "CreateImage/NoRight", DOC, PAGE, 0,
     "no right to add files to the directory: E_ACCESSDENIED")
{
    /* A DACL that denies everybody FILE_ADD_FILE; Wine keeps no DACLs, and root may do all. */
    static const BYTE deny[] = {
            1, 0, 4,  0x80, 0,    0, 0,    0, 0, 0,
            0, 0, 0,  0,    0,    0, 20,   0, 0, 0, /* descriptor */
            2, 0, 48, 0,    2,    0, 0,    0,       /* ACL */
            1, 0, 20, 0,    2,    0, 0,    0, 1, 1,
            0, 0, 0,  0,    0,    1, 0,    0, 0, 0, /* deny ADD_FILE */
            0, 3, 20, 0,    0xff, 1, 0x1f, 0, 1, 1,
            0, 0, 0,  0,    0,    1, 0,    0, 0, 0, /* allow the rest */
    };
    const WCHAR *dir = new_dir(L"denied");
    HANDLE file;

    if (!SetFileSecurityW(dir, DACL_SECURITY_INFORMATION, (void *)deny))
        skip_case("can't change the directory's DACL: error %lu", GetLastError());
    file = CreateFileW(join(dir, L"probe"), GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                       FILE_FLAG_DELETE_ON_CLOSE, NULL);
    if (file != INVALID_HANDLE_VALUE)
    {
        CloseHandle(file);
        skip_case("this user may write in spite of the DACL");
    }
    check_hr("hr", try_image(dir, NULL, L"a.cim"), E_ACCESSDENIED);
}

/* ---- names and paths --------------------------------------------------------------------------
 */

CASE(no_extension, "CreateImage/AnyExtension", CLIENT, SAMPLE ", hcsshim (2020)", 0,
     "names need no extension: x, x.fs, x.cim_fork")
{
    static const WCHAR *const names[] = {L"x", L"x.fs", L"x.cim_fork", L"long name with blanks"};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        CIMFS_IMAGE_HANDLE image = NULL;
        char label[40];

        snprintf(label, sizeof(label), "%ls", names[i]);
        check_hr(label, cim.CreateImage(case_dir(), NULL, names[i], &image), S_OK);
        track_image(image);
        put_text(image, L"f", "x");
        commit_and_close(image);
        strcat(label, " holds");
        check_stored_text(label, case_dir(), names[i], L"f", "x");
    }
}

CASE(trailing, "CreateImage/TrailingSeparator", CLIENT, "Vanara's unit test", 0,
     "the directory may end in a separator")
{
    CIMFS_IMAGE_HANDLE image = NULL;

    check_hr("hr", cim.CreateImage(join(case_dir(), L""), NULL, L"a.cim", &image), S_OK);
    track_image(image);
    put_text(image, L"f", "x");
    commit_and_close(image);
    check_bool("the image is there", file_exists(case_dir(), L"a.cim"), true);
}

CASE(verbatim, "CreateImage/VerbatimDirectory", CLIENT, "cimfs-rs", 0,
     "the directory may have the \\\\?\\ prefix")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    const WCHAR *dir = case_dir();

    check_hr("hr", cim.CreateImage(format_wide(L"\\\\?\\%ls", dir), NULL, L"a.cim", &image), S_OK);
    track_image(image);
    put_text(image, L"f", "x");
    commit_and_close(image);
    check_bool("the image is there", file_exists(dir, L"a.cim"), true);
}

CASE(relative_dir, "CreateImage/RelativeDirectory", QUESTION, "Q-20", 0,
     "a directory relative to the current one")
{
    WCHAR old[MAX_PATH];
    HRESULT hr;

    new_dir(L"sub");
    GetCurrentDirectoryW(ARRAY_SIZE(old), old);
    SetCurrentDirectoryW(case_dir());
    hr = try_image(L"sub", NULL, L"a.cim");
    SetCurrentDirectoryW(old);
    see_hr("hr", hr);
}

CASE(long_dir, "CreateImage/LongDirectory", QUESTION, "msixmgr issues 437 and 463", 0,
     "a directory with more than 260 characters, with and without \\\\?\\")
{
    WCHAR dir[1200];
    int i;

    _snwprintf(dir, ARRAY_SIZE(dir), L"\\\\?\\%ls", case_dir());
    for (i = 0; i < 5; i++)
    {
        wcscat(dir, L"\\a-name-of-sixty-characters-so-that-five-of-them-are-too-long-");
        need(CreateDirectoryW(dir, NULL), "can't make a directory: error %lu", GetLastError());
    }
    see_hr("with the prefix", try_image(dir, NULL, L"a.cim"));
    see_hr("without", try_image(dir + 4, NULL, L"a.cim"));
}

CASE(bad_new_names, "CreateImage/BadNewNames", DECISION, "D23", 0,
     "a new name that is empty, has a separator or ':', or is over 255 units: E_INVALIDARG")
{
    WCHAR long_name[258];

    new_dir(L"sub");
    wmemset(long_name, 'n', 256);
    long_name[256] = 0;
    check_hr("empty", try_image(case_dir(), NULL, L""), E_INVALIDARG);
    check_hr("sub\\a.cim", try_image(case_dir(), NULL, L"sub\\a.cim"), E_INVALIDARG);
    check_hr("sub/a.cim", try_image(case_dir(), NULL, L"sub/a.cim"), E_INVALIDARG);
    check_hr("a.cim:s", try_image(case_dir(), NULL, L"a.cim:s"), E_INVALIDARG);
    check_hr("256 units", try_image(case_dir(), NULL, long_name), E_INVALIDARG);
}

CASE(bad_existing_names, "CreateImage/BadExistingNames", DECISION, "D23", 0,
     "an existing name with a separator, ':' or over 255 units: E_INVALIDARG; empty: "
     "ERROR_FILE_NOT_FOUND")
{
    WCHAR long_name[258];

    make_base(case_dir());
    make_base(new_dir(L"sub"));
    wmemset(long_name, 'n', 256);
    long_name[256] = 0;
    check_hr("empty", try_image(case_dir(), L"", L"f.cim"), HR_FILE_NOT_FOUND);
    check_hr("sub\\base.cim", try_image(case_dir(), L"sub\\base.cim", L"f.cim"), E_INVALIDARG);
    check_hr("base.cim:s", try_image(case_dir(), L"base.cim:s", L"f.cim"), E_INVALIDARG);
    check_hr("256 units", try_image(case_dir(), long_name, L"f.cim"), E_INVALIDARG);
}

CASE(empty_and_null, "CreateImage/EmptyAndNullNames", QUESTION, "Q-20", 0,
     "all nine combinations of NULL, empty and a name, with an image base.cim there")
{
    static const WCHAR *const names[] = {NULL, L"", L"base.cim"};
    static const char *const labels[] = {"NULL", "empty", "name"};
    int i, j;

    make_base(case_dir());
    for (i = 0; i < 3; i++)
        for (j = 0; j < 3; j++)
        {
            char label[60];

            sprintf(label, "existing %s, new %s", labels[i], labels[j]);
            see_hr(label, try_image(case_dir(), names[i], j == 2 ? L"new.cim" : names[j]));
        }
}

CASE(odd_names, "CreateImage/OddNames", QUESTION, "Q-21", 0,
     "new names with dots, reserved device names, forbidden characters, 255 units")
{
    static const WCHAR *const names[] = {L".",      L"..",      L"con",    L"nul.cim", L"a.cim.",
                                         L"a.cim ", L"a*b.cim", L"a?.cim", L"\x1.cim", L"region_x"};
    WCHAR long_name[256];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        char label[20];

        sprintf(label, "name %u", (unsigned)i + 1);
        see_hr(label, try_image(case_dir(), NULL, names[i]));
    }
    wmemset(long_name, 'n', 255);
    long_name[255] = 0;
    see_hr("255 units", try_image(case_dir(), NULL, long_name));
}

CASE(null_dir, "CreateImage/NullDirectory", QUESTION, "Q-35", 0, "a NULL or empty directory")
{
    see_hr("empty", try_image(L"", NULL, L"a.cim"));
    see_hr("NULL", try_image(NULL, NULL, L"a.cim"));
}

CASE(null_handle, "CreateImage/NullOutput", DECISION, "D28", 0,
     "nowhere to put the handle: E_POINTER")
{
    check_hr("hr", cim.CreateImage(case_dir(), NULL, L"a.cim", NULL), E_POINTER);
    check_hr("the directory is free", try_image(case_dir(), NULL, L"a.cim"), S_OK);
}

CASE(cleared, "CreateImage/OutputAfterFailure", DECISION, "D28", 0,
     "the handle is NULL after a failure")
{
    CIMFS_IMAGE_HANDLE image = (CIMFS_IMAGE_HANDLE)(ULONG_PTR)0x1234;

    check_hr("hr", cim.CreateImage(join(case_dir(), L"none"), NULL, L"a.cim", &image),
             HR_PATH_NOT_FOUND);
    check_bool("NULL", image == NULL, true);
}

CASE(existing_no_image, "CreateImage/ExistingIsNoImage", DECISION, "D31", 0,
     "the existing file is no image: ERROR_FILE_CORRUPT")
{
    static const char text[] = "this is no image at all, but long enough to have a header in it: "
                               "0123456789012345678901234567890123456789";

    save_file(join(case_dir(), L"text.cim"), text, sizeof(text));
    save_file(join(case_dir(), L"short.cim"), "x", 1);
    save_file(join(case_dir(), L"empty.cim"), "", 0);
    check_hr("text", try_image(case_dir(), L"text.cim", NULL), HR_CORRUPT);
    check_hr("one byte", try_image(case_dir(), L"short.cim", NULL), HR_CORRUPT);
    check_hr("empty", try_image(case_dir(), L"empty.cim", NULL), HR_CORRUPT);
}

CASE(version, "CreateImage/ExistingOfUnknownVersion", DECISION, "D31", 0,
     "an existing image of a version nobody knows: ERROR_UNRECOGNIZED_VOLUME")
{
    size_t size;
    BYTE *data;

    make_base(case_dir());
    data = load_file(join(case_dir(), L"base.cim"), &size);
    need(data && size > 24, "the image can't be read");
    data[16] = 77; /* the major version */
    save_file(join(case_dir(), L"base.cim"), data, size);
    free(data);
    check_hr("hr", try_image(case_dir(), L"base.cim", NULL), HR_VERSION);
}

CASE(region_missing, "CreateImage/ExistingWithoutRegion", DECISION, "D31", 0,
     "an existing image whose region files are gone: ERROR_FILE_CORRUPT")
{
    WIN32_FIND_DATAW data;
    HANDLE find;

    make_base(case_dir());
    find = FindFirstFileW(join(case_dir(), L"region_*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no region files");
    do DeleteFileW(join(case_dir(), data.cFileName));
    while (FindNextFileW(find, &data));
    FindClose(find);
    check_hr("hr", try_image(case_dir(), L"base.cim", NULL), HR_CORRUPT);
}

CASE(unelevated, "CreateImage/NoElevationNeeded", QUESTION, "cimfs-rs, hcsctl", 0,
     "making an image needs no elevation (see whether this run was elevated)")
{
    CIMFS_IMAGE_HANDLE image;

    see_hr("hr", cim.CreateImage(case_dir(), NULL, L"a.cim", &image));
    track_image(image);
    see_bool("elevated", facts.elevated);
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
}

/* ---- CimCreateImage2 ------------------------------------------------------------------------ */

CASE(two_plain, "CreateImage2/NoFlags", HEADER, "generation B", 0,
     "without flags it is CimCreateImage")
{
    CIMFS_IMAGE_HANDLE image = NULL;

    check_hr("hr", cim.CreateImage2(case_dir(), CIM_CREATE_IMAGE_NONE, NULL, L"a.cim", &image),
             S_OK);
    track_image(image);
    put_text(image, L"f", "x");
    commit_and_close(image);
    check_stored_text("f", case_dir(), L"a.cim", L"f", "x");
}

CASE(two_extend, "CreateImage2/ExtendAndFork", HEADER, "generation B", 0,
     "it extends and forks as CimCreateImage does")
{
    CIMFS_IMAGE_HANDLE image = NULL;

    make_base(case_dir());
    check_hr("fork",
             cim.CreateImage2(case_dir(), CIM_CREATE_IMAGE_NONE, L"base.cim", L"f.cim", &image),
             S_OK);
    track_image(image);
    put_text(image, L"more", "x");
    commit_and_close(image);
    check_hr("extend", cim.CreateImage2(case_dir(), CIM_CREATE_IMAGE_NONE, L"f.cim", NULL, &image),
             S_OK);
    track_image(image);
    put_text(image, L"again", "y");
    commit_and_close(image);
    check_stored_text("base's", case_dir(), L"f.cim", L"file.txt", "hello");
    check_stored_text("the fork's", case_dir(), L"f.cim", L"more", "x");
    check_stored_text("the extension's", case_dir(), L"f.cim", L"again", "y");
    check_exists("the parent is as it was", case_dir(), L"base.cim", L"more", false);
}

CASE(two_errors, "CreateImage2/SameErrors", HEADER, "generation B", 0,
     "it has the errors of CimCreateImage")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    check_hr("neither name", try_image2(case_dir(), 0, NULL, NULL), E_INVALIDARG);
    check_hr("no directory", try_image2(join(case_dir(), L"no"), 0, NULL, L"a"), HR_PATH_NOT_FOUND);
    check_hr("no such image", try_image2(case_dir(), 0, L"no", NULL), HR_FILE_NOT_FOUND);
    check_hr("name taken", try_image2(case_dir(), 0, NULL, L"base.cim"), HR_FILE_EXISTS);
    image = open_image(case_dir(), NULL, L"a.cim");
    check_hr("second session", try_image2(case_dir(), 0, NULL, L"b.cim"), HR_SHARING);
    close_image(image);
}

CASE(two_hints, "CreateImage2/HintFlags", DECISION, "D38, D39", 0,
     "0x01, 0x02, 0x10 and 0x20 are valid for an ordinary image, together too")
{
    static const UINT32 flags[] = {0x01, 0x02, 0x10, 0x20, 0x33};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        CIMFS_IMAGE_HANDLE image = NULL;
        const WCHAR *name = format_wide(L"f%02x.cim", flags[i]);
        char label[20];

        sprintf(label, "flags 0x%02x", (unsigned)flags[i]);
        check_hr(label,
                 cim.CreateImage2(case_dir(), (CIM_CREATE_IMAGE_FLAGS)flags[i], NULL, name, &image),
                 S_OK);
        track_image(image);
        put_text(image, L"f", label);
        commit_and_close(image);
        check_stored_text(label + 6, case_dir(), name, L"f", label);
    }
}

CASE(two_unknown, "CreateImage2/UnknownFlags", DECISION, "D39", 0,
     "a flag outside 0x7F: E_INVALIDARG")
{
    check_hr("0x80", try_image2(case_dir(), 0x80, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("0x100", try_image2(case_dir(), 0x100, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("0x80000000", try_image2(case_dir(), 0x80000000, NULL, L"a.cim"), E_INVALIDARG);
}

CASE(two_combinations, "CreateImage2/FlagCombinations", DECISION, "D39", 0,
     "0x04 with 0x08, and 0x40 without either: E_INVALIDARG")
{
    check_hr("0x0c", try_image2(join(case_dir(), L"c"), 0x0c, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("0x40", try_image2(case_dir(), 0x40, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("0x50", try_image2(case_dir(), 0x50, NULL, L"a.cim"), E_INVALIDARG);
}

CASE(two_containers, "CreateImage2/Containers", DECISION, "D39", 0,
     "0x04 or 0x08, alone or with other valid flags: ERROR_NOT_SUPPORTED where there are no "
     "containers")
{
    static const UINT32 flags[] = {0x04, 0x08, 0x18, 0x48, 0x58, 0x14, 0x7b & ~0x08 & ~0x03};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        char label[20];

        sprintf(label, "flags 0x%02x", (unsigned)flags[i]);
        if ((flags[i] & 0x0c) == 0 || (flags[i] & 0x0c) == 0x0c) continue;
        check_hr(label,
                 try_image2(join(case_dir(), format_wide(L"c%u", (unsigned)i)), flags[i], NULL,
                            L"a.cim"),
                 HR_NOT_SUPPORTED);
    }
}

CASE(two_question, "CreateImage2/FlagAnswers", QUESTION, "Q-50, Q-51", 0,
     "the answer to each single flag and some combinations, on an ordinary directory and a file")
{
    static const UINT32 flags[] = {0x01, 0x02, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18,
                                   0x20, 0x40, 0x48, 0x50, 0x58, 0x80, 0x100};
    size_t i;

    make_base(case_dir());
    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        char label[40];

        sprintf(label, "0x%02x on a directory", (unsigned)flags[i]);
        see_hr(label, try_image2(case_dir(), flags[i], NULL, format_wide(L"n%u.cim", (unsigned)i)));
        sprintf(label, "0x%02x on a new file", (unsigned)flags[i]);
        see_hr(label, try_image2(join(case_dir(), format_wide(L"c%u", (unsigned)i)), flags[i], NULL,
                                 L"a.cim"));
        sprintf(label, "0x%02x with an existing image", (unsigned)flags[i]);
        see_hr(label,
               try_image2(case_dir(), flags[i], L"base.cim", format_wide(L"f%u.cim", (unsigned)i)));
    }
}

/* Builds the same image in a directory, with the consistent flag. */
static void build_consistent(const WCHAR *dir, const char *text)
{
    CIMFS_IMAGE_HANDLE image = NULL;

    need_hr("CimCreateImage2",
            cim.CreateImage2(dir, CIM_CREATE_CONSISTENT_CIMS, NULL, L"a.cim", &image));
    track_image(image);
    put_dir(image, L"d");
    put_text(image, L"d\\f", text);
    put_text(image, L"g", "the other");
    put_stream(image, L"g:s", "stream", 6);
    put_link(image, L"h", L"g");
    commit_and_close(image);
}

/* Whether two directories hold the same files with the same bytes. */
static bool same_files(const WCHAR *one, const WCHAR *two)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(join(one, L"*"), &data);
    bool same = count_files(one, L"*") == count_files(two, L"*");

    if (find == INVALID_HANDLE_VALUE) return false;
    do
    {
        size_t size_a, size_b;
        void *a, *b;

        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) continue;
        a = load_file(join(one, data.cFileName), &size_a);
        b = load_file(join(two, data.cFileName), &size_b);
        same &= a && b && size_a == size_b && !memcmp(a, b, size_a);
        free(a);
        free(b);
    } while (FindNextFileW(find, &data));
    FindClose(find);
    return same;
}

CASE(consistent, "CreateImage2/ConsistentSameBytes", HEADER, "generation C", 0,
     "with CIM_CREATE_CONSISTENT_CIMS the same input gives byte-identical output")
{
    const WCHAR *one = new_dir(L"one"), *two = new_dir(L"two");

    build_consistent(one, "text");
    build_consistent(two, "text");
    check_bool("the same files with the same bytes", same_files(one, two), true);
}

CASE(consistent_other, "CreateImage2/ConsistentOtherInput", HEADER, "generation C", 0,
     "with CIM_CREATE_CONSISTENT_CIMS other input gives other output")
{
    const WCHAR *one = new_dir(L"one"), *two = new_dir(L"two");

    build_consistent(one, "text");
    build_consistent(two, "tex2");
    check_bool("the same files with the same bytes", same_files(one, two), false);
    check_stored_text("one", one, L"a.cim", L"d\\f", "text");
    check_stored_text("two", two, L"a.cim", L"d\\f", "tex2");
}

CASE(inconsistent, "CreateImage2/PlainSameBytes", QUESTION, "Q-14", 0,
     "without the flag: does the same input give the same files?")
{
    const WCHAR *one = new_dir(L"one"), *two = new_dir(L"two");

    make_base(one);
    make_base(two);
    see_bool("the same files with the same bytes", same_files(one, two));
}

CASE(consistent_rebuild, "CreateImage2/ConsistentRebuild", DECISION, "D45", 0,
     "rebuilt over its own orphaned files, a consistent image keeps them as they are")
{
    const WCHAR *dir = new_dir(L"one"), *copy = new_dir(L"copy");

    build_consistent(dir, "text");
    copy_files(dir, copy);
    need(DeleteFileW(join(dir, L"a.cim")), "can't delete the image's file");
    build_consistent(dir, "text");
    check_bool("the same files with the same bytes", same_files(dir, copy), true);
}

CASE(consistent_guid, "CreateImage2/ConsistentGuidVersion", DECISION, "D45", 0,
     "a consistent image's region set has a version 8 UUID")
{
    WIN32_FIND_DATAW data;
    const WCHAR *dir = new_dir(L"one");
    HANDLE find;
    WCHAR version[2] = L"";

    build_consistent(dir, "text");
    find = FindFirstFileW(join(dir, L"region_*_0"), &data);
    need(find != INVALID_HANDLE_VALUE && wcslen(data.cFileName) > 21, "no region file");
    FindClose(find);
    version[0] = data.cFileName[wcslen(L"region_xxxxxxxx-xxxx-")];
    check_wide("its version", version, L"8");
}
