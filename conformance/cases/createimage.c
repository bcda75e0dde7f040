/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createimage.c - CimCreateImage: which sessions can be opened, on what
 */
#include "../suite/suite.h"

#define PAGE "CimCreateImage page"
#define SAMPLE "CimFSAPI sample"

/* The call's answer; a session that began is closed again. */
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
    make_base(case_dir());
    write_image(case_dir(), L"base.cim", NULL, L"more", "more");
    check_stored_text("new file", case_dir(), L"base.cim", L"more", "more");
    check_stored_text("old file", case_dir(), L"base.cim", L"file.txt", "hello");
    check_number("images", count_files(case_dir(), L"*.cim"), 1);
}

CASE(extend_same, "CreateImage/ExtendBySameName", DOC, PAGE, 0,
     "both names the same: the commit overwrites the existing image")
{
    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"base.cim", L"more", "more");
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
    size_t size, size_after;
    void *before, *after;

    make_base(case_dir());
    before = load_file(join(case_dir(), L"base.cim"), &size);
    write_image(case_dir(), L"base.cim", L"fork.cim", L"more", "more");
    after = load_file(join(case_dir(), L"base.cim"), &size_after);
    see_bool("the existing image's file has the same bytes",
             before && after && size == size_after && !memcmp(before, after, size));
    check_stored_text("old file in the parent", case_dir(), L"base.cim", L"file.txt", "hello");
    check_stored_text("new file in the fork", case_dir(), L"fork.cim", L"more", "more");
    check_stored_text("old file in the fork", case_dir(), L"fork.cim", L"file.txt", "hello");
    check_exists("new file in the parent", case_dir(), L"base.cim", L"more", false);
    free(before);
    free(after);
}

CASE(fork_of_fork, "CreateImage/ForkOfFork", CLIENT, "hcsshim layer writer", 0,
     "a chain of forks shows what each of them added")
{
    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"one.cim", L"one", "1");
    write_image(case_dir(), L"one.cim", L"two.cim", L"two", "2");
    write_image(case_dir(), L"two.cim", L"three.cim", L"three", "3");
    check_stored_text("base's", case_dir(), L"three.cim", L"file.txt", "hello");
    check_stored_text("one's", case_dir(), L"three.cim", L"one", "1");
    check_stored_text("two's", case_dir(), L"three.cim", L"two", "2");
    check_stored_text("three's", case_dir(), L"three.cim", L"three", "3");
    check_exists("three's in two", case_dir(), L"two.cim", L"three", false);
}

CASE(two_forks, "CreateImage/TwoForksOfOne", CLIENT, "hcsshim layer writer", 0,
     "two forks of one image are independent of each other")
{
    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"one.cim", L"file.txt", "first");
    write_image(case_dir(), L"base.cim", L"two.cim", L"file.txt", "second");
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
        write_image(case_dir(), L"base.cim", NULL, format_wide(L"d\\n%d", i), "x");
    for (i = 0; i < 5; i++)
    {
        char name[20];

        sprintf(name, "n%d", i);
        check_stored_text(name, case_dir(), L"base.cim", format_wide(L"d\\n%d", i), "x");
    }
}

CASE(old_regions, "CreateImage/OldRegionFilesAround", DECISION, "as Vanara's unit test", 0,
     "region files of an image whose own file was deleted do no harm to a new one of that name")
{

    make_base(case_dir());
    need(remove_file(join(case_dir(), L"base.cim")), "can't delete the image's file");
    write_image(case_dir(), NULL, L"base.cim", L"new", "new");
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

FRESH_CASE(second_handle, "CreateImage/SecondHandle", DOC, PAGE, 0,
           "a second session in the directory: ERROR_SHARING_VIOLATION")
{
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

FRESH_CASE(second_spelling, "CreateImage/SecondHandleOtherSpelling", DOC, PAGE, 0,
           "another spelling of the directory's path is the same directory")
{
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
    static const WCHAR *const names[] = {L"x", L"x.fs", L"x.cim_fork"};
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

CASE(trailing, "CreateImage/TrailingSeparator", DECISION, "as Vanara's unit test", 0,
     "the directory may end in a separator")
{
    CIMFS_IMAGE_HANDLE image = NULL;

    check_hr("hr", cim.CreateImage(join(case_dir(), L""), NULL, L"a.cim", &image), S_OK);
    track_image(image);
    put_text(image, L"f", "x");
    commit_and_close(image);
    check_bool("the image is there", file_exists(case_dir(), L"a.cim"), true);
}

CASE(verbatim, "CreateImage/VerbatimDirectory", DECISION, "as cimfs-rs", 0,
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
    static const WCHAR *const names[] = {L".",
                                         L"..",
                                         L"con",
                                         L"nul.cim",
                                         L"a.cim.",
                                         L"a.cim ",
                                         L"a*b.cim",
                                         L"a?.cim",
                                         L"\x1.cim",
                                         L"region_x",
                                         L"a name with blanks"};
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
     "the existing file is no image: ERROR_CIMFS_IMAGE_CORRUPT")
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
     "an existing image of a version nobody knows: ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED")
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
     "an existing image whose region files are gone: ERROR_CIMFS_IMAGE_CORRUPT")
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
