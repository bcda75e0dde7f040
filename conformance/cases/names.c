/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c - what a name may be made of, and which names are the same
 *
 * Names are UTF-16 code units, found without regard to case by a table for the single units, and
 * kept as they were given. Nothing else that Win32 does to names happens inside an image.
 */
#include "items.h"

struct odd_name
{
    const char *name;
    const WCHAR *path;
};

static const struct odd_name odd_names[] = {
        {"con", L"con"},
        {"nul.txt", L"nul.txt"},
        {"COM1", L"COM1"},
        {"trailing dot", L"a."},
        {"trailing dots", L"a..."},
        {"trailing space", L"a "},
        {"leading space", L" a"},
        {"only a space", L" "},
        {"three dots", L"..."},
        {"leading dot", L".a"},
        {"delete character", L"a\x7f"},
        {"no-break space", L"a\xa0"},
        {"high surrogate", L"a\xd800"},
        {"low surrogate", L"a\xdc00"},
        {"surrogates the wrong way round", L"\xdc00\xd800"},
        {"not a character", L"a\xfffe"},
        {"last unit", L"a\xffff"},
        {"replacement character", L"a\xfffd"},
        {"composed", L"\xe9"},
        {"decomposed", L"e\x301"},
        {"beyond the BMP", L"\xd83d\xde00"},
        {"Chinese", L"\x4e2d\x6587"},
        {"right to left mark", L"a\x200f"},
        {"percent and others", L"%a;b,c=d+e&f^g~1{}[]()#@!$'`"},
};

FRESH_CASE(
        odd, "Path/OddNames", DECISION, "D21", 0,
        "device names, trailing dots and spaces and unpaired surrogates are names like any other")
{
    size_t i;

    put_text(image, L"a", "plain");
    for (i = 0; i < ARRAY_SIZE(odd_names); i++)
        check_hr(odd_names[i].name,
                 try_create_file(image, odd_names[i].path, meta(FILE_ATTRIBUTE_ARCHIVE, 0)), S_OK);
    for (i = 0; i < ARRAY_SIZE(odd_names); i++)
        put_text(image, odd_names[i].path, odd_names[i].name);
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(odd_names); i++)
    {
        char name[60];

        snprintf(name, sizeof(name), "%s: content", odd_names[i].name);
        holds(name, odd_names[i].path, odd_names[i].name);
    }
    holds("a plain name", L"a", "plain");
}

FRESH_CASE(odd_q, "Path/OddNamesQuestion", QUESTION, "Q-28", 0,
           "which unusual names are accepted, and which of them are one item")
{
    const WCHAR *letter;
    char name[60];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(odd_names); i++)
        see_hr(odd_names[i].name, try_create_file(image, odd_names[i].path, meta(0, 0)));
    for (letter = L"*?\"<>|/\x01\x1f"; *letter; letter++)
    {
        snprintf(name, sizeof(name), "with <%02x>", *letter);
        see_hr(name, try_create_file(image, format_wide(L"x%lcy", *letter), meta(0, 0)));
    }
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    for (i = 0; i < ARRAY_SIZE(odd_names); i++)
    {
        snprintf(name, sizeof(name), "%s: there", odd_names[i].name);
        see_bool(name, stored_exists(case_dir(), IMAGE, odd_names[i].path));
    }
}

/* ---- case ------------------------------------------------------------------------------------ */

FRESH_CASE(one_item, "Path/CaseVariantsAreOne", DECISION, "D24", 0,
           "names that differ only in case are the same item")
{
    put_text(image, L"File", "old");
    put_text(image, L"fILE", "new");
    put_dir(image, L"Dir");
    put_text(image, L"DIR\\x", "one");
    put_dir(image, L"dIR");
    put_text(image, L"dir\\y", "two");
    put_link(image, L"link", L"FILE");
    commit_and_close(image);
    holds("file by its old spelling", L"File", "new");
    holds("file by its new spelling", L"fILE", "new");
    holds("file by another", L"FILE", "new");
    holds("directory's first child", L"Dir\\X", "one");
    holds("directory's second child", L"DIR\\Y", "two");
    holds("link", L"LINK", "new");
}

/* The spelling that a directory listing shows of the one item in it. */
static const WCHAR *spelling(const WCHAR *pattern)
{
    static WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(pattern, &data);

    if (find == INVALID_HANDLE_VALUE) return NULL;
    while (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L".."))
    {
        if (FindNextFileW(find, &data)) continue;
        FindClose(find);
        return NULL;
    }
    FindClose(find);
    return data.cFileName;
}

/* Each item in a directory of its own, so that a listing has one entry. */
static const WCHAR *spellings_image(void)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    put_dir(image, L"1");
    put_dir(image, L"2");
    put_dir(image, L"3");
    put_dir(image, L"4");
    put_text(image, L"1\\Mixed", "only once");
    put_text(image, L"2\\First", "old");
    put_text(image, L"2\\fIRST", "new");
    put_dir(image, L"3\\First");
    put_dir(image, L"3\\fIRST");
    put_text(image, L"4\\First", "old");
    put_link(image, L"4\\fIRST", L"1\\Mixed");
    commit_and_close(image);
    return mount_image(case_dir(), IMAGE);
}

CASE(spelling_kept, "Path/SpellingKept", DECISION, "D24", NEEDS_MOUNT,
     "a name keeps the case that it was given in; a replaced file takes the new spelling")
{
    const WCHAR *root = spellings_image();

    check_wide("once", spelling(format_wide(L"%ls1\\*", root)), L"Mixed");
    check_wide("replaced", spelling(format_wide(L"%ls2\\*", root)), L"fIRST");
}

CASE(spelling_q, "Path/SpellingAfterReplacing", QUESTION, "Q-29", NEEDS_MOUNT,
     "whose spelling an item has that was made again in another case")
{
    const WCHAR *root = spellings_image();

    see_wide("file over First", spelling(format_wide(L"%ls2\\*", root)));
    see_wide("directory over First", spelling(format_wide(L"%ls3\\*", root)));
    see_wide("link over First", spelling(format_wide(L"%ls4\\*", root)));
}

FRESH_CASE(
        case_pairs, "Path/CaseTable", QUESTION, "Q-29", 0,
        "which pairs of letters are taken for one, by the image's own table of upper-case letters")
{
    static const struct
    {
        const char *name;
        const WCHAR *one, *two;
    } pairs[] = {
            {"a A", L"a", L"A"},
            {"e acute", L"\xe9", L"\xc9"},
            {"y diaeresis", L"\xff", L"\x178"},
            {"sharp s, capital sharp s", L"\xdf", L"\x1e9e"},
            {"dotless i, I", L"\x131", L"I"},
            {"i, I with dot", L"i", L"\x130"},
            {"long s, S", L"\x17f", L"S"},
            {"micro, capital mu", L"\xb5", L"\x39c"},
            {"sigma", L"\x3c3", L"\x3a3"},
            {"final sigma, capital sigma", L"\x3c2", L"\x3a3"},
            {"dz caron, its title case", L"\x1c6", L"\x1c5"},
            {"dz caron, its capital", L"\x1c6", L"\x1c4"},
            {"Cyrillic a", L"\x430", L"\x410"},
            {"Armenian ayb", L"\x561", L"\x531"},
            {"Georgian an, Mtavruli", L"\x10d0", L"\x1c90"},
            {"Cherokee", L"\xab70", L"\x13a0"},
            {"Roman one", L"\x2170", L"\x2160"},
            {"circled a", L"\x24d0", L"\x24b6"},
            {"full-width a", L"\xff41", L"\xff21"},
            {"Greek iota subscript", L"\x1fb3", L"\x1fbc"},
            {"Kelvin sign, k", L"\x212a", L"k"},
            {"Deseret, beyond the BMP", L"\xd801\xdc28", L"\xd801\xdc00"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(pairs); i++)
    {
        put_dir(image, format_wide(L"%d", (int)i));
        put_text(image, format_wide(L"%d\\%ls", (int)i, pairs[i].one), "x");
    }
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(pairs); i++)
        see_bool(pairs[i].name,
                 stored_exists(case_dir(), IMAGE, format_wide(L"%d\\%ls", (int)i, pairs[i].two)));
}

FRESH_CASE(case_ascii, "Path/CaseOfEveryLetter", DECISION, "D24", 0,
           "every ASCII letter and Latin-1 letter with a capital is found by the other case")
{
    WCHAR lower[80] = {0}, upper[80] = {0};
    int count = 0, i;

    for (i = 'a'; i <= 0xfe; i++)
    {
        if (i > 'z' && (i < 0xe0 || i == 0xf7)) continue;
        lower[count] = (WCHAR)i;
        upper[count++] = (WCHAR)(i - 32);
    }
    put_text(image, lower, "lower");

    commit_and_close(image);
    holds("the lower-case name", lower, "lower");
    holds("the upper-case name", upper, "lower");
    gone("a letter too few", upper + 1);
}

FRESH_CASE(not_case, "Path/OnlyCaseIsIgnored", DECISION, "D24", 0,
           "names that differ in an accent, a form of composition or a width are different items")
{
    static const WCHAR *const names[] = {L"e",     L"\xe9", L"e\x301", L"\xff45",
                                         L"\x435", L"e ",   L"e."};
    char text[20], name[20];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        snprintf(text, sizeof(text), "number %d", (int)i);
        put_text(image, names[i], text);
    }
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        snprintf(text, sizeof(text), "number %d", (int)i);
        snprintf(name, sizeof(name), "name %d", (int)i);
        holds(name, names[i], text);
    }
}
