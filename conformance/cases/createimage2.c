/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createimage2.c - CimCreateImage2: what it shares with CimCreateImage, and its flags
 */
#include "../suite/suite.h"

/* The call's answer; a session that began is closed again. */
static HRESULT try_image2(const WCHAR *dir, UINT32 flags, const WCHAR *existing,
                          const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = cim.CreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)flags, existing, new_name, &image);

    if (SUCCEEDED(hr)) cim.CloseImage(image);
    return hr;
}

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

/* The bytes of all files of an image with this program in it. */
static uint64_t executable_image(UINT32 flags, const WCHAR *name, void **data, size_t *size)
{
    const WCHAR *dir = new_dir(name);
    CIMFS_IMAGE_HANDLE image = NULL;
    WCHAR self[MAX_PATH];
    WIN32_FIND_DATAW found;
    uint64_t total = 0;
    HANDLE find;

    GetModuleFileNameW(NULL, self, ARRAY_SIZE(self));
    *data = load_file(self, size);
    need(*data != NULL, "can't read this program");
    need_hr("CimCreateImage2",
            cim.CreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)flags, NULL, L"a.cim", &image));
    track_image(image);
    put_file(image, L"program.exe", *data, *size);
    commit_and_close(image);
    find = FindFirstFileW(join(dir, L"*"), &found);
    need(find != INVALID_HANDLE_VALUE, "no files");
    do total += ((uint64_t)found.nFileSizeHigh << 32) + found.nFileSizeLow;
    while (FindNextFileW(find, &found));
    FindClose(find);
    return total;
}

static const struct
{
    const char *name;
    UINT32 flags;
} executable_flags[] = {{"no flags", 0},
                        {"DO_NOT_EXPAND_PE_IMAGES", 0x01},
                        {"FIXED_SIZE_CHUNKS", 0x02},
                        {"SKIP_PE_IMAGE_HASHES", 0x20}};

CASE(two_executable, "CreateImage2/ExecutableIsPlainData", DECISION, "D37", 0,
     "an executable takes little more than its size, and reads as it was written, whatever the "
     "flags")
{
    char label[60];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(executable_flags); i++)
    {
        const WCHAR *name = format_wide(L"%u", (unsigned)i);
        void *data;
        size_t size;
        uint64_t total = executable_image(executable_flags[i].flags, name, &data, &size);

        snprintf(label, sizeof(label), "%s: room", executable_flags[i].name);
        check_bool(label, total < size + (256 << 10), true);
        check_stored(executable_flags[i].name, join(case_dir(), name), L"a.cim", L"program.exe",
                     data, size);
        free(data);
    }
}

CASE(two_executable_q, "CreateImage2/ExecutableRoom", QUESTION, "Q-63", 0,
     "whether the flags change the room that an executable takes")
{
    uint64_t plain = 0, total;
    void *data;
    size_t size, i;

    for (i = 0; i < ARRAY_SIZE(executable_flags); i++)
    {
        total = executable_image(executable_flags[i].flags, format_wide(L"%u", (unsigned)i), &data,
                                 &size);
        free(data);
        if (!i) plain = total;
        see_text(executable_flags[i].name, "%s than without flags, %s than the file",
                 total > plain   ? "more"
                 : total < plain ? "less"
                                 : "no other",
                 total > size + (256 << 10) ? "much more" : "little more");
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

CASE(consistent, "CreateImage2/ConsistentSameBytes", DECISION, "D45", 0,
     "with CIM_CREATE_CONSISTENT_CIMS the same input gives byte-identical output")
{
    const WCHAR *one = new_dir(L"one"), *two = new_dir(L"two");

    build_consistent(one, "text");
    build_consistent(two, "text");
    check_bool("the same files with the same bytes", same_files(one, two), true);
}

CASE(consistent_other, "CreateImage2/ConsistentOtherInput", DECISION, "D45", 0,
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
