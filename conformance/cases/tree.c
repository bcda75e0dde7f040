/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.c - large and odd trees
 *
 * What holds for one file must hold for thousands, at any depth, with any names and in any order.
 * These cases count what is right instead of having a value for each item: a report of 3,000 equal
 * lines helps nobody. The first wrong item is in a note. Each look opens the image anew and takes
 * some milliseconds, so that of the largest trees every so many-th item is looked at; the steps
 * have no factor in common with what the case does to its items.
 */
#include "items.h"

struct count
{
    int right, wrong;
};

/* Whether the item holds exactly the text. */
static void count_text(struct count *count, const WCHAR *image, const WCHAR *path, const char *text)
{
    size_t size = 0;
    HRESULT hr = S_OK;
    char *data = stored_data(case_dir(), image, path, &size, &hr);

    if (data && size == strlen(text) && !memcmp(data, text, size))
        count->right++;
    else if (!count->wrong++)
        note("first wrong: the one of \"%s\", 0x%08lx", text, (unsigned long)hr);
    free(data);
}

static void count_gone(struct count *count, const WCHAR *image, const WCHAR *path)
{
    if (stored_exists(case_dir(), image, path))
        count->wrong++;
    else
        count->right++;
}

/* All that were looked at must be right. */
static void check_count(const char *name, const struct count *count)
{
    need(count->right + count->wrong > 0, "%s: nothing was looked at", name);
    check_number(name, count->right, count->right + count->wrong);
}

/* 0 .. count-1 in an order that is neither sorted nor its reverse; count is no multiple of 7919. */
static int shuffled(int i, int count)
{
    return (int)((uint64_t)i * 7919 % count);
}

FRESH_CASE(many_files, "Tree/ManyFiles", DOC, "CimCreateFile page", 0,
           "3,000 files in one directory, added in any order, are all there")
{
    enum
    {
        FILES = 3000
    };
    struct count count = {0, 0};
    char text[40];
    int i;

    put_dir(image, L"d");
    for (i = 0; i < FILES; i++)
    {
        snprintf(text, sizeof(text), "file %d", shuffled(i, FILES));
        put_text(image, format_wide(L"d\\file %d", shuffled(i, FILES)), text);
    }
    commit_and_close(image);
    for (i = 0; i < FILES; i += 29)
    {
        snprintf(text, sizeof(text), "file %d", i);
        count_text(&count, IMAGE, format_wide(L"d\\file %d", i), text);
    }
    check_count("files", &count);
    gone("one more", format_wide(L"d\\file %d", FILES));
}

/* Does the mounted file hold its own name? */
static bool holds_its_name(const WCHAR *dir, const WCHAR *name)
{
    size_t size = 0;
    DWORD error;
    char *text = read_file(format_wide(L"%ls%ls", dir, name), &size, &error);
    bool right = text && !strcmp(text, narrow(name));

    free(text);
    return right;
}

FRESH_CASE(
        many_listed, "Tree/ManyFilesMounted", DOC, "CimMountImage page", NEEDS_MOUNT,
        "3,000 files in one directory are listed on the mounted volume, each once, and can be read")
{
    enum
    {
        FILES = 3000
    };
    BYTE seen[FILES] = {0};
    int i, listed = 0, others = 0, right = 0, number;
    WIN32_FIND_DATAW data;
    WCHAR dir[100];
    char text[40];
    HANDLE find;

    put_dir(image, L"d");
    for (i = 0; i < FILES; i++)
    {
        snprintf(text, sizeof(text), "file %d", shuffled(i, FILES));
        put_text(image, format_wide(L"d\\file %d", shuffled(i, FILES)), text);
    }
    commit_and_close(image);
    swprintf(dir, ARRAY_SIZE(dir), L"%lsd\\", mount_image(case_dir(), IMAGE));
    find = FindFirstFileW(format_wide(L"%ls*", dir), &data);
    need(find != INVALID_HANDLE_VALUE, "can't list a mounted directory: error %lu", GetLastError());
    do
    {
        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
        if (swscanf(data.cFileName, L"file %d", &number) == 1 && number >= 0 && number < FILES &&
            !seen[number])
        {
            seen[number] = 1;
            listed++;
            right += holds_its_name(dir, data.cFileName);
        }
        else
            others++;
    } while (FindNextFileW(find, &data));
    FindClose(find);
    check_number("files", listed, FILES);
    check_number("others", others, 0);
    check_number("files with their content", right, FILES);
}

FRESH_CASE(many_changed, "Tree/ManyFilesChanged", DOC, "CimCreateImage page", 0,
           "of 1,500 inherited files a fork deletes every third and replaces every fifth of the "
           "others")
{
    enum
    {
        FILES = 1500
    };
    struct count kept = {0, 0}, replaced = {0, 0}, deleted = {0, 0}, base = {0, 0};
    char text[40];
    int i;

    for (i = 0; i < FILES; i++)
    {
        snprintf(text, sizeof(text), "file %d", i);
        put_text(image, format_wide(L"file %d", i), text);
    }
    image = reopen(image, FORK);
    for (i = 0; i < FILES; i++)
        if (i % 3 == 0)
            need_hr("CimDeletePath", cim.DeletePath(image, format_wide(L"file %d", i)));
        else if (i % 5 == 0)
            put_text(image, format_wide(L"file %d", i), "replaced");
    commit_and_close(image);
    for (i = 0; i < FILES; i += 19)
    {
        const WCHAR *path = format_wide(L"file %d", i);

        snprintf(text, sizeof(text), "file %d", i);
        if (i % 3 == 0)
            count_gone(&deleted, L"fork.cim", path);
        else
            count_text(i % 5 ? &kept : &replaced, L"fork.cim", path, i % 5 ? text : "replaced");
        count_text(&base, IMAGE, path, text);
    }
    check_count("kept", &kept);
    check_count("replaced", &replaced);
    check_count("deleted", &deleted);
    check_count("in the base", &base);
}

FRESH_CASE(many_directories, "Tree/ManyDirectories", DOC, "CimCreateFile page", 0,
           "1,000 directories at the root, each with a file, some nested")
{
    enum
    {
        DIRS = 1000
    };
    struct count files = {0, 0}, nested = {0, 0};
    char text[40];
    int i;

    for (i = 0; i < DIRS; i++) put_dir(image, format_wide(L"%d", shuffled(i, DIRS)));
    for (i = 0; i < DIRS; i++)
    {
        snprintf(text, sizeof(text), "in %d", i);
        put_text(image, format_wide(L"%d\\f", i), text);
        if (i % 10) continue;
        put_dir(image, format_wide(L"%d\\d", i));
        put_text(image, format_wide(L"%d\\d\\g", i), text);
    }
    commit_and_close(image);
    for (i = 0; i < DIRS; i += 19)
    {
        snprintf(text, sizeof(text), "in %d", i);
        count_text(&files, IMAGE, format_wide(L"%d\\f", i), text);
        if (i % 10 == 0) count_text(&nested, IMAGE, format_wide(L"%d\\d\\g", i), text);
    }
    check_count("files", &files);
    check_count("nested files", &nested);
}

FRESH_CASE(deep, "Tree/Deep", DOC, "CimCreateFile page", 0,
           "directories 100 deep, with a file and a stream at each level; a fork holds them, too")
{
    enum
    {
        DEPTH = 100
    };
    struct count files = {0, 0}, streams = {0, 0}, kept = {0, 0};
    WCHAR path[8 * DEPTH] = L"";
    char text[40];
    int i;

    for (i = 0; i < DEPTH; i++)
    {
        swprintf(path + wcslen(path), 8, i ? L"\\d%d" : L"d%d", i);
        put_dir(image, path);
        snprintf(text, sizeof(text), "level %d", i);
        put_text(image, format_wide(L"%ls\\f", path), text);
        put_stream(image, format_wide(L"%ls:s", path), text, strlen(text));
    }
    image = reopen(image, FORK);
    put_text(image, L"added", "new");
    commit_and_close(image);
    path[0] = 0;
    for (i = 0; i < DEPTH; i++)
    {
        const WCHAR *file;

        swprintf(path + wcslen(path), 8, i ? L"\\d%d" : L"d%d", i);
        snprintf(text, sizeof(text), "level %d", i);
        if (i % 3) continue;
        file = format_wide(L"%ls\\f", path);
        count_text(&files, IMAGE, file, text);
        count_text(&streams, IMAGE, format_wide(L"%ls:s", path), text);
        count_text(&kept, L"fork.cim", file, text);
    }
    check_count("files", &files);
    check_count("streams of directories", &streams);
    check_count("in the fork", &kept);
}

FRESH_CASE(deep_deleted, "Tree/DeepDeleted", DECISION, "D4", 0,
           "of directories 100 deep a fork deletes those from level 60 on")
{
    enum
    {
        DEPTH = 100,
        CUT = 60
    };
    struct count kept = {0, 0}, deleted = {0, 0}, base = {0, 0};
    WCHAR path[8 * DEPTH] = L"", middle[8 * DEPTH];
    char text[40];
    int i, pass;

    for (pass = 0; pass < 2; pass++)
    {
        path[0] = 0;
        for (i = 0; i < DEPTH; i++)
        {
            const WCHAR *file;

            swprintf(path + wcslen(path), 8, i ? L"\\d%d" : L"d%d", i);
            if (i == CUT) wcscpy(middle, path);
            snprintf(text, sizeof(text), "level %d", i);
            file = format_wide(L"%ls\\f", path);
            if (!pass)
            {
                put_dir(image, path);
                put_text(image, file, text);
                continue;
            }
            if (i % 3) continue;
            count_text(&base, IMAGE, file, text);
            if (i < CUT)
                count_text(&kept, L"fork.cim", file, text);
            else
                count_gone(&deleted, L"fork.cim", file);
        }
        if (pass) break;
        image = reopen(image, FORK);
        check_hr("delete", cim.DeletePath(image, middle), S_OK);
        commit_and_close(image);
    }
    check_count("kept", &kept);
    check_count("deleted", &deleted);
    check_count("in the base", &base);
}

FRESH_CASE(longest_path, "Tree/LongestPath", DECISION, "D20", 0,
           "127 directories of 255 units and a file of 255: a path of 32,767 units is fine")
{
    WCHAR *path = malloc(32768 * sizeof(*path));
    size_t length = 0, i;
    int level;

    need(path != NULL, "no memory");
    for (level = 0; level < 128; level++)
    {
        if (level) path[length++] = '\\';
        for (i = 0; i < 255; i++) path[length++] = (WCHAR)('a' + (i + level) % 26);
        path[length] = 0;
        if (level < 127) put_dir(image, path);
    }
    check_number("length", wcslen(path), 32767);
    put_text(image, path, "far down");
    path[32766] = 0;
    put_text(image, path, "one less");
    commit_and_close(image);
    holds("one unit less", path, "one less");
    path[32766] = (WCHAR)('a' + (254 + 127) % 26);
    holds("all units", path, "far down");
    free(path);
}

FRESH_CASE(long_names, "Tree/LongNames", DECISION, "D20", 0,
           "400 names of 255 units that differ only in their last ones are 400 files")
{
    enum
    {
        FILES = 400
    };
    struct count count = {0, 0};
    char text[20];
    WCHAR name[256];
    int i, j;

    for (j = 0; j < 2; j++)
    {
        for (i = 0; i < FILES; i++)
        {
            int number = j ? i : shuffled(i, FILES);
            int k;

            for (k = 0; k < 255; k++) name[k] = 0x4e00 + k % 50;
            swprintf(name + 252, 4, L"%03d", number);
            snprintf(text, sizeof(text), "file %d", number);
            if (j && i % 7)
                continue;
            else if (j)
                count_text(&count, IMAGE, name, text);
            else
                put_text(image, name, text);
        }
        if (!j) commit_and_close(image);
    }
    check_count("files", &count);
}

FRESH_CASE(prefixes, "Tree/NamesThatBeginAlike", DOC, "CimCreateFile page", 0,
           "names that begin alike, from one letter to 200, in both orders, are different items")
{
    struct count up = {0, 0}, down = {0, 0};
    WCHAR name[2 + 200 + 1];
    char text[20];
    int i;

    put_dir(image, L"u");
    put_dir(image, L"d");
    for (i = 0; i < 200; i++) name[2 + i] = 'x';
    name[1] = '\\';
    for (i = 1; i <= 200; i++)
    {
        snprintf(text, sizeof(text), "%d", i);
        name[0] = 'u';
        name[2 + i] = 0;
        put_text(image, name, text);
        name[2 + i] = 'x';
        snprintf(text, sizeof(text), "%d", 201 - i);
        name[0] = 'd';
        name[2 + 201 - i] = 0;
        put_text(image, name, text);
        name[2 + 201 - i] = 'x';
    }
    commit_and_close(image);
    for (i = 1; i <= 200; i++)
    {
        if (i > 5 && i < 195 && i % 5) continue;
        snprintf(text, sizeof(text), "%d", i);
        name[2 + i] = 0;
        name[0] = 'u';
        count_text(&up, IMAGE, name, text);
        name[0] = 'd';
        count_text(&down, IMAGE, name, text);
        name[2 + i] = 'x';
    }
    check_count("ever longer", &up);
    check_count("ever shorter", &down);
}

FRESH_CASE(case_variants, "Tree/CaseVariants", DECISION, "D24", 0,
           "all 64 case variants of a name are one file, which holds what was written last")
{
    struct count count = {0, 0};
    WCHAR name[] = L"abcdef";
    char text[20];
    int i, bit, pass;

    for (pass = 0; pass < 2; pass++)
    {
        for (i = 0; i < 64; i++)
        {
            for (bit = 0; bit < 6; bit++) name[bit] = (WCHAR)((i >> bit & 1 ? 'A' : 'a') + bit);
            snprintf(text, sizeof(text), "variant %d", i);
            if (pass)
                count_text(&count, IMAGE, name, "variant 63");
            else
                put_text(image, name, text);
        }
        if (!pass) commit_and_close(image);
    }
    check_count("look-ups", &count);
}

FRESH_CASE(surrogates, "Tree/Surrogates", DECISION, "D21", 0,
           "names of surrogates, single and in pairs, and of units around them are different items")
{
    static const WCHAR units[] = {0xd7ff, 0xd800, 0xd801, 0xdbff, 0xdc00,
                                  0xdc01, 0xdfff, 0xe000, 0xfffd, 0xffff};
    enum
    {
        UNITS = ARRAY_SIZE(units)
    };
    struct count count = {0, 0};
    WCHAR name[3] = {0};
    char text[20];
    int i, pass;

    for (pass = 0; pass < 2; pass++)
    {
        for (i = 0; i < UNITS * (UNITS + 1); i++)
        {
            name[0] = units[i % UNITS];
            name[1] = i < UNITS ? 0 : units[i / UNITS - 1];
            snprintf(text, sizeof(text), "number %d", i);
            if (pass)
                count_text(&count, IMAGE, name, text);
            else
                put_text(image, name, text);
        }
        if (!pass) commit_and_close(image);
    }
    check_count("files", &count);
}

FRESH_CASE(planes, "Tree/BeyondTheBmp", DECISION, "D21", 0,
           "500 names of characters beyond the BMP are different items")
{
    struct count count = {0, 0};
    WCHAR name[3] = {0};
    char text[20];
    int i, pass;

    for (pass = 0; pass < 2; pass++)
    {
        for (i = 0; i < 500; i++)
        {
            uint32_t character = 0x10000 + (uint32_t)i * 1999;

            name[0] = (WCHAR)(0xd800 + ((character - 0x10000) >> 10));
            name[1] = (WCHAR)(0xdc00 + (character & 0x3ff));
            snprintf(text, sizeof(text), "number %d", i);
            if (pass && i % 7)
                continue;
            else if (pass)
                count_text(&count, IMAGE, name, text);
            else
                put_text(image, name, text);
        }
        if (!pass) commit_and_close(image);
    }
    check_count("files", &count);
}

FRESH_CASE(many_streams, "Tree/ManyStreams", DECISION, "D48", 0,
           "300 alternate streams of one file and of one directory")
{
    enum
    {
        STREAMS = 300
    };
    struct count of_file = {0, 0}, of_directory = {0, 0};
    char text[40];
    int i;

    put_text(image, L"f", "hello");
    put_dir(image, L"d");
    for (i = 0; i < STREAMS; i++)
    {
        int number = shuffled(i, STREAMS);

        snprintf(text, sizeof(text), "file's %d", number);
        put_stream(image, format_wide(L"f:stream %d", number), text, strlen(text));
        snprintf(text, sizeof(text), "directory's %d", number);
        put_stream(image, format_wide(L"d:stream %d", number), text, strlen(text));
    }
    commit_and_close(image);
    for (i = 0; i < STREAMS; i += 7)
    {
        snprintf(text, sizeof(text), "file's %d", i);
        count_text(&of_file, IMAGE, format_wide(L"f:stream %d", i), text);
        snprintf(text, sizeof(text), "directory's %d", i);
        count_text(&of_directory, IMAGE, format_wide(L"d:stream %d", i), text);
    }
    check_count("file's", &of_file);
    check_count("directory's", &of_directory);
    holds("file itself", L"f", "hello");
}

FRESH_CASE(streams_limit, "Tree/StreamsLimit", QUESTION, "Q-25", 0,
           "whether 4,000 streams of one file are accepted")
{
    HRESULT hr = S_OK;
    int i;

    put_text(image, L"f", "hello");
    for (i = 0; i < 4000 && SUCCEEDED(hr); i++)
        hr = try_create_stream(image, format_wide(L"f:stream %d", i), 0);
    see_number("calls", i);
    see_hr("the last one", hr);
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_stored("one of them", case_dir(), IMAGE, L"f:stream 1234");
}

FRESH_CASE(many_links, "Tree/ManyLinks", DECISION, "D48", 0,
           "one file with 1,200 names in 12 directories; of 400 of them deleted the others stay")
{
    enum
    {
        LINKS = 1200
    };
    struct count kept = {0, 0}, deleted = {0, 0}, base = {0, 0};
    int i;

    put_text(image, L"f", "hello");
    for (i = 0; i < 12; i++) put_dir(image, format_wide(L"%d", i));
    for (i = 0; i < LINKS; i++)
        put_link(image, format_wide(L"%d\\link %d", i % 12, i),
                 i % 2 ? format_wide(L"%d\\link %d", (i - 1) % 12, i - 1) : L"f");
    image = reopen(image, FORK);
    for (i = 0; i < LINKS; i += 3)
        need_hr("CimDeletePath", cim.DeletePath(image, format_wide(L"%d\\link %d", i % 12, i)));
    need_hr("CimDeletePath", cim.DeletePath(image, L"f"));
    commit_and_close(image);
    for (i = 0; i < LINKS; i += 23)
    {
        const WCHAR *path = format_wide(L"%d\\link %d", i % 12, i);

        if (i % 3)
            count_text(&kept, L"fork.cim", path, "hello");
        else
            count_gone(&deleted, L"fork.cim", path);
        count_text(&base, IMAGE, path, "hello");
    }
    check_count("kept", &kept);
    check_count("deleted", &deleted);
    check_count("in the base", &base);
}

FRESH_CASE(large_delete, "Tree/DeleteLarge", DOC, "CimDeletePath page", 0,
           "a directory with 30 directories and 900 files is deleted at once, its like beside it "
           "stays")
{
    struct count kept = {0, 0}, deleted = {0, 0};
    char text[20];
    int i, j;

    for (j = 0; j < 2; j++)
    {
        put_dir(image, j ? L"dir2" : L"dir");
        for (i = 0; i < 30; i++) put_dir(image, format_wide(L"%ls\\%d", j ? L"dir2" : L"dir", i));
        for (i = 0; i < 900; i++)
        {
            snprintf(text, sizeof(text), "file %d", i);
            put_text(image, format_wide(L"%ls\\%d\\%d", j ? L"dir2" : L"dir", i % 30, i), text);
        }
    }
    check_hr("hr", cim.DeletePath(image, L"dir"), S_OK);
    commit_and_close(image);
    for (i = 0; i < 900; i += 17)
    {
        snprintf(text, sizeof(text), "file %d", i);
        count_text(&kept, IMAGE, format_wide(L"dir2\\%d\\%d", i % 30, i), text);
        count_gone(&deleted, IMAGE, format_wide(L"dir\\%d\\%d", i % 30, i));
    }
    check_count("kept", &kept);
    check_count("deleted", &deleted);
    gone("directory", L"dir");
}
