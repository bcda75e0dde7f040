/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - CimReadFile, CimGetFileStatBasicInformation, CimLookupFile: reading without a mount
 */
#include "../suite/suite.h"

#define SAMPLE "CimFSAPI sample (2024)"
#define READER "hcsshim reader (2024)"

static const WCHAR *base_image(void)
{
    make_base(case_dir());
    return _wcsdup(join(case_dir(), L"base.cim"));
}

struct piece
{
    HRESULT hr;
    UINT64 got, left;
    char data[64];
};

/* One call, the outputs preset so that it shows whether they were written. */
static struct piece read_piece(const WCHAR *image, const WCHAR *path, UINT64 offset, UINT64 room)
{
    struct piece piece = {0, 0xabcd, 0xabcd, {0}};

    piece.hr = cim.ReadFile(image, path, offset, piece.data, room, &piece.got, &piece.left);
    return piece;
}

static void check_piece(const char *name, const struct piece *piece, HRESULT hr, UINT64 got,
                        UINT64 left)
{
    char label[80];

    snprintf(label, sizeof(label), "%s: hr", name);
    check_hr(label, piece->hr, hr);
    snprintf(label, sizeof(label), "%s: bytes read", name);
    check_number(label, piece->got, got);
    snprintf(label, sizeof(label), "%s: bytes remaining", name);
    check_number(label, piece->left, left);
}

static void see_piece(const char *name, const struct piece *piece)
{
    see_text(name, "0x%08lx, read %llu, remaining %llu", (unsigned long)(DWORD)piece->hr,
             (unsigned long long)piece->got, (unsigned long long)piece->left);
}

/* ---- CimReadFile --------------------------------------------------------------------------------
 */

CASE(read_whole, "ReadFile/Whole", CLIENT, SAMPLE, 0,
     "a buffer of the file's size gets all of it; nothing remains")
{
    struct piece piece = read_piece(base_image(), L"file.txt", 0, 5);

    check_piece("file.txt", &piece, S_OK, 5, 0);
    check_bytes("data", piece.data, 5, "hello", 5);
}

CASE(read_larger, "ReadFile/LargerBuffer", CLIENT, SAMPLE, 0,
     "a larger buffer gets the file's bytes; nothing remains")
{
    struct piece piece = read_piece(base_image(), L"d\\inner.txt", 0, sizeof(piece.data));

    check_piece("inner.txt", &piece, S_OK, 5, 0);
    check_bytes("data", piece.data, 5, "inner", 5);
}

CASE(read_pieces, "ReadFile/Remaining", CLIENT, SAMPLE, 0,
     "bytes remaining are those behind the piece up to the file's end")
{
    const WCHAR *image = base_image();
    struct piece first = read_piece(image, L"file.txt", 0, 2);
    struct piece second = read_piece(image, L"file.txt", 2, 2);
    struct piece third = read_piece(image, L"file.txt", 4, 2);

    check_piece("first", &first, S_OK, 2, 3);
    check_piece("second", &second, S_OK, 2, 1);
    check_piece("third", &third, S_OK, 1, 0);
    check_bytes("first data", first.data, 2, "he", 2);
    check_bytes("second data", second.data, 2, "ll", 2);
    check_bytes("third data", third.data, 1, "o", 1);
}

FRESH_CASE(read_sizes, "ReadFile/OddSizes", CLIENT, READER, 0,
           "files of 0, 1, 511 to 513 and 1535 to 1537 bytes, read in 512-byte steps, are whole")
{
    static const int sizes[] = {0, 1, 511, 512, 513, 1535, 1536, 1537};
    static BYTE want[2000], got[2000];
    size_t i;

    fill_bytes(want, sizeof(want), 9);
    put_dir(image, L"foo");
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
        put_file(image, format_wide(i % 2 ? L"foo\\f%d" : L"f%d", sizes[i]), want, sizes[i]);
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        UINT64 done = 0, count = 0, left = 1;
        HRESULT hr = S_OK;
        char label[30];

        while (left && SUCCEEDED(hr) && done <= 1537)
        {
            hr = cim.ReadFile(join(case_dir(), L"a.cim"),
                              format_wide(i % 2 ? L"foo\\f%d" : L"f%d", sizes[i]), done, got + done,
                              512, &count, &left);
            if (!count && left) break;
            done += SUCCEEDED(hr) ? count : 0;
        }
        sprintf(label, "%d bytes", sizes[i]);
        need_hr("CimReadFile", hr);
        check_bytes(label, got, (size_t)done, want, sizes[i]);
    }
}

CASE(read_empty, "ReadFile/EmptyFile", CLIENT, READER, 0,
     "an empty file: success, nothing read, nothing remaining")
{
    struct piece piece = read_piece(base_image(), L"empty", 0, sizeof(piece.data));

    check_piece("empty", &piece, S_OK, 0, 0);
}

FRESH_CASE(read_large, "ReadFile/LargeFile", CLIENT, SAMPLE, 0,
           "three megabytes, read in 64 KiB pieces and by one large buffer, are the same")
{
    static BYTE want[3 << 20], got[3 << 20];
    UINT64 count = 0, left = 0;

    fill_bytes(want, sizeof(want), 10);
    put_file(image, L"f", want, sizeof(want));
    commit_and_close(image);
    check_stored("in pieces", case_dir(), L"a.cim", L"f", want, sizeof(want));
    check_hr("in one",
             cim.ReadFile(join(case_dir(), L"a.cim"), L"f", 0, got, sizeof(got), &count, &left),
             S_OK);
    /* No client has read more than a piece at once: fewer bytes may come, if it says so. */
    check_number("read and remaining", count + left, sizeof(want));
    check_bool("some bytes", count > 0, true);
    check_bytes("data", got, (size_t)count, want,
                count < sizeof(want) ? (size_t)count : sizeof(want));
}

CASE(read_missing, "ReadFile/MissingFile", CLIENT, READER " (an error)", 0,
     "a file that isn't there is an error")
{
    const WCHAR *image = base_image();

    check_bool("file", FAILED(read_piece(image, L"none", 0, 8).hr), true);
    check_bool("in a directory", FAILED(read_piece(image, L"d\\none", 0, 8).hr), true);
    check_bool("image", FAILED(read_piece(join(case_dir(), L"no.cim"), L"f", 0, 8).hr), true);
}

CASE(read_missing_codes, "ReadFile/MissingCodes", DECISION, "D30", 0,
     "a missing image or file: ERROR_FILE_NOT_FOUND; a missing directory on the way: "
     "ERROR_PATH_NOT_FOUND")
{
    const WCHAR *image = base_image();

    check_hr("file", read_piece(image, L"none", 0, 8).hr, HR_FILE_NOT_FOUND);
    check_hr("in a directory", read_piece(image, L"d\\none", 0, 8).hr, HR_FILE_NOT_FOUND);
    check_hr("directory", read_piece(image, L"no\\none", 0, 8).hr, HR_PATH_NOT_FOUND);
    check_hr("stream", read_piece(image, L"file.txt:none", 0, 8).hr, HR_FILE_NOT_FOUND);
    check_hr("image", read_piece(join(case_dir(), L"no.cim"), L"f", 0, 8).hr, HR_FILE_NOT_FOUND);
    check_hr("image's directory", read_piece(join(case_dir(), L"no\\no.cim"), L"f", 0, 8).hr,
             HR_PATH_NOT_FOUND);
}

CASE(read_directory, "ReadFile/Directory", DECISION, "D30", 0, "a directory: E_INVALIDARG")
{
    const WCHAR *image = base_image();

    check_hr("d", read_piece(image, L"d", 0, 8).hr, E_INVALIDARG);
    check_hr("the root", read_piece(image, L"", 0, 8).hr, E_INVALIDARG);
}

CASE(read_end, "ReadFile/AtAndPastTheEnd", DECISION, "D30", 0,
     "at the end: success, nothing read; past it: ERROR_HANDLE_EOF; no room: the rest remains")
{
    const WCHAR *image = base_image();
    struct piece end = read_piece(image, L"file.txt", 5, 8);
    struct piece past = read_piece(image, L"file.txt", 6, 8);
    struct piece no_room = read_piece(image, L"file.txt", 2, 0);

    check_piece("at the end", &end, S_OK, 0, 0);
    check_hr("past the end", past.hr, HR_EOF);
    check_piece("no room", &no_room, S_OK, 0, 3);
}

/* The room that a read has and the bytes that it must leave alone behind it. */
static void check_room(const WCHAR *image, UINT64 offset, UINT64 room)
{
    struct piece piece = {0, 77, 77, {0}};
    UINT64 want = room < 5 - offset ? room : 5 - offset;
    char name[40], data[sizeof(piece.data)];

    memset(piece.data, '#', sizeof(piece.data));
    memset(data, '#', sizeof(data));
    memcpy(data, "hello" + offset, (size_t)want);
    piece.hr = cim.ReadFile(image, L"file.txt", offset, piece.data, room, &piece.got, &piece.left);
    sprintf(name, "%u from %u", (unsigned)room, (unsigned)offset);
    check_piece(name, &piece, S_OK, want, 5 - offset - want);
    strcat(name, ": buffer");
    check_bytes(name, piece.data, 12, data, 12);
}

CASE(read_rooms, "ReadFile/EachRoom", DECISION, "D30", 0,
     "from each offset of a file, with room for less than the rest, for it and for more: what fits "
     "is read, and the buffer behind it left alone")
{
    const WCHAR *image = base_image();
    UINT64 offset, room;

    for (offset = 0; offset <= 5; offset++)
        for (room = 0; room <= 5 - offset + 1; room++) check_room(image, offset, room);
}

CASE(read_malformed, "ReadFile/Malformed", DECISION, "D10, D20, D30", 0,
     "a malformed path or stream: E_INVALIDARG, for the stat too; one as long as can be isn't "
     "found")
{
    static const WCHAR *const paths[] = {
            L"file.txt\\",
            L"d\\\\inner.txt",
            L"d/inner.txt",
            L"..",
            L"d\\.",
            L"fi*e.txt",
            L"fi\x1fle.txt",
            L"file.txt:",
            L"file.txt::s",
            L"file.txt:s*",
            L"file.txt:s\x01",
            L"file.txt:\x1f",
            L"file.txt:s\\t",
            L"file.txt:s/t",
            L"file.txt:s:t",
            L"file.txt:s:",
            L"file.txt::$DATA",
            L"d\\inner.txt:s?",
    };
    const WCHAR *image = base_image();
    FILE_STAT_BASIC_INFORMATION info;
    WCHAR longest[257];
    char name[40];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        struct piece piece = read_piece(image, paths[i], 0, 8);

        snprintf(name, sizeof(name), "%s", narrow(paths[i]));
        check_piece(name, &piece, E_INVALIDARG, 0, 0);
        strcat(name, ": stat");
        check_hr(name, stat_image(image, paths[i], &info), E_INVALIDARG);
    }
    for (i = 0; i < 256; i++) longest[i] = 'n';
    longest[256] = 0;
    check_hr("file of 256", read_piece(image, longest, 0, 8).hr, E_INVALIDARG);
    check_hr("file of 255", read_piece(image, longest + 1, 0, 8).hr, HR_FILE_NOT_FOUND);
    check_hr("stream of 256", read_piece(image, format_wide(L"file.txt:%ls", longest), 0, 8).hr,
             E_INVALIDARG);
    check_hr("stream of 255", read_piece(image, format_wide(L"file.txt:%ls", longest + 1), 0, 8).hr,
             HR_FILE_NOT_FOUND);
}

CASE(read_stream, "ReadFile/AlternateStream", DECISION, "D30", 0,
     "file:stream and file:stream:$DATA read the alternate stream")
{
    const WCHAR *image = base_image();
    struct piece plain = read_piece(image, L"file.txt:s", 0, sizeof(plain.data));
    struct piece typed = read_piece(image, L"file.txt:s:$DATA", 0, sizeof(typed.data));

    check_piece("file.txt:s", &plain, S_OK, 6, 0);
    check_bytes("its data", plain.data, 6, "stream", 6);
    check_piece("file.txt:s:$DATA", &typed, S_OK, 6, 0);
    check_bytes("the same data", typed.data, 6, "stream", 6);
}

CASE(read_fork, "ReadFile/Fork", CLIENT, "hcsshim layer writer", 0,
     "a fork's own, its inherited and its parent's files can be read")
{
    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"fork.cim", L"file.txt", "forked");
    check_stored_text("own", case_dir(), L"fork.cim", L"file.txt", "forked");
    check_stored_text("inherited", case_dir(), L"fork.cim", L"d\\inner.txt", "inner");
    check_stored_text("parent's", case_dir(), L"base.cim", L"file.txt", "hello");
}

CASE(read_case, "ReadFile/OtherCase", DECISION, "D24", 0, "names are found without regard to case")
{
    struct piece piece = read_piece(base_image(), L"D\\INNER.TXT", 0, sizeof(piece.data));

    check_piece("D\\INNER.TXT", &piece, S_OK, 5, 0);
}

CASE(read_cleared, "ReadFile/OutputsAfterFailure", DECISION, "cimfs.h, conventions", 0,
     "the counters are 0 after a failure")
{
    struct piece piece = read_piece(base_image(), L"none", 0, 8);

    check_number("bytes read", piece.got, 0);
    check_number("bytes remaining", piece.left, 0);
}

CASE(read_answers, "ReadFile/Answers", QUESTION, "Q-45", 0,
     "reading what is missing, directories, streams, at and past the end, odd spellings")
{
    static const struct
    {
        const char *name;
        const WCHAR *path;
        UINT64 offset, room;
    } rows[] = {
            {"missing file", L"none", 0, 8},
            {"missing directory", L"no\\none", 0, 8},
            {"missing stream", L"file.txt:none", 0, 8},
            {"directory", L"d", 0, 8},
            {"root, empty", L"", 0, 8},
            {"root, separator", L"\\", 0, 8},
            {"file:stream", L"file.txt:s", 0, 8},
            {"file:stream:$DATA", L"file.txt:s:$DATA", 0, 8},
            {"file::$DATA", L"file.txt::$DATA", 0, 8},
            {"at the end", L"file.txt", 5, 8},
            {"past the end", L"file.txt", 6, 8},
            {"largest offset", L"file.txt", ~0ull, 8},
            {"no room", L"file.txt", 0, 0},
            {"no room, empty file", L"empty", 0, 0},
            {"leading separator", L"\\file.txt", 0, 8},
            {"two leading separators", L"\\\\file.txt", 0, 8},
            {"forward slash", L"d/inner.txt", 0, 8},
            {"trailing separator", L"file.txt\\", 0, 8},
    };
    const WCHAR *image = base_image();
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        struct piece piece = read_piece(image, rows[i].path, rows[i].offset, rows[i].room);

        see_piece(rows[i].name, &piece);
    }
}

CASE(read_nulls, "ReadFile/NullArguments", QUESTION, "Q-45", 0,
     "NULL outputs, a NULL buffer, NULL paths")
{
    const WCHAR *image = base_image();
    UINT64 got = 0, left = 0;
    char data[8];

    see_hr("NULL buffer", cim.ReadFile(image, L"file.txt", 0, NULL, 8, &got, &left));
    see_hr("NULL bytes read", cim.ReadFile(image, L"file.txt", 0, data, 8, NULL, &left));
    see_hr("NULL bytes remaining", cim.ReadFile(image, L"file.txt", 0, data, 8, &got, NULL));
    see_hr("NULL path", cim.ReadFile(image, NULL, 0, data, 8, &got, &left));
    see_hr("NULL image", cim.ReadFile(NULL, L"file.txt", 0, data, 8, &got, &left));
}

CASE(read_image_path, "ReadFile/ImagePathSpellings", QUESTION, "Q-45", 0,
     "the image's path with forward slashes, relative, with the \\\\?\\ prefix, a directory")
{
    const WCHAR *image = base_image();
    WCHAR slashes[1000], old[MAX_PATH], *p;
    HRESULT hr;

    wcscpy(slashes, image);
    for (p = slashes; *p; p++)
        if (*p == '\\') *p = '/';
    see_hr("forward slashes", read_piece(slashes, L"file.txt", 0, 8).hr);
    see_hr("prefix", read_piece(format_wide(L"\\\\?\\%ls", image), L"file.txt", 0, 8).hr);
    see_hr("a directory", read_piece(case_dir(), L"file.txt", 0, 8).hr);
    GetCurrentDirectoryW(ARRAY_SIZE(old), old);
    SetCurrentDirectoryW(case_dir());
    hr = read_piece(L"base.cim", L"file.txt", 0, 8).hr;
    SetCurrentDirectoryW(old);
    see_hr("relative", hr);
}

/* ---- damaged images
 * ------------------------------------------------------------------------------ */

/* base.cim with a byte changed. */
static const WCHAR *damaged(size_t offset, BYTE value)
{
    const WCHAR *image = base_image();
    size_t size;
    BYTE *data = load_file(image, &size);

    need(data && size > offset, "the image's file can't be read");
    data[offset] = value;
    save_file(image, data, size);
    free(data);
    return image;
}

CASE(read_magic, "ReadFile/BadMagic", DECISION, "D31", 0,
     "an image with another magic: ERROR_CIMFS_IMAGE_CORRUPT")
{
    check_hr("hr", read_piece(damaged(0, 'C'), L"file.txt", 0, 8).hr, HR_CORRUPT);
}

CASE(read_version, "ReadFile/UnknownVersion", DECISION, "D31", 0,
     "an image of an unknown version: ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED")
{
    check_hr("hr", read_piece(damaged(16, 99), L"file.txt", 0, 8).hr, HR_VERSION);
}

CASE(read_regions, "ReadFile/MissingRegions", DECISION, "D31", 0,
     "an image without its region files: ERROR_CIMFS_IMAGE_CORRUPT")
{
    const WCHAR *image = base_image();
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(join(case_dir(), L"region_*"), &data);

    need(find != INVALID_HANDLE_VALUE, "no region files");
    do DeleteFileW(join(case_dir(), data.cFileName));
    while (FindNextFileW(find, &data));
    FindClose(find);
    check_hr("hr", read_piece(image, L"file.txt", 0, 8).hr, HR_CORRUPT);
}

CASE(read_damage, "ReadFile/DamageAnswers", QUESTION, "Q-41", 0,
     "what a damaged header, a cut file, a file that is no image answer")
{
    static const struct
    {
        const char *name;
        size_t offset;
        BYTE value;
    } rows[] = {{"magic", 0, 'C'},  {"header length", 8, 1}, {"file type", 12, 1},
                {"major 1", 16, 1}, {"major 4", 16, 4},      {"minor 99", 20, 99},
                {"GUID", 32, 0x5a}, {"region count", 48, 77}};
    const WCHAR *image = damaged(0, 'c');
    size_t size, i;
    BYTE *data = load_file(image, &size);

    need(data && size >= 72, "the image's file can't be read");
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        BYTE old = data[rows[i].offset];

        data[rows[i].offset] = rows[i].value;
        save_file(image, data, size);
        data[rows[i].offset] = old;
        see_hr(rows[i].name, read_piece(image, L"file.txt", 0, 8).hr);
    }
    save_file(image, data, 40);
    see_hr("cut to 40 bytes", read_piece(image, L"file.txt", 0, 8).hr);
    save_file(image, data, 0);
    see_hr("empty", read_piece(image, L"file.txt", 0, 8).hr);
    free(data);
}

/* ---- CimGetFileStatBasicInformation --------------------------------------------------------- */

CASE(stat_size, "Stat/Size", CLIENT, SAMPLE, 0, "EndOfFile is the file's size")
{
    const WCHAR *image = base_image();
    FILE_STAT_BASIC_INFORMATION info;

    check_hr("file.txt", stat_image(image, L"file.txt", &info), S_OK);
    check_number("its size", info.EndOfFile.QuadPart, 5);
    check_hr("empty", stat_image(image, L"empty", &info), S_OK);
    check_number("size of empty", info.EndOfFile.QuadPart, 0);
}

CASE(stat_directory, "Stat/Directory", DECISION, "D42", 0,
     "a directory has the attribute and a size of 0")
{
    FILE_STAT_BASIC_INFORMATION info;

    check_hr("hr", stat_image(base_image(), L"d", &info), S_OK);
    check_hex("attributes", info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY);
    check_number("EndOfFile", info.EndOfFile.QuadPart, 0);
}

CASE(stat_missing, "Stat/Missing", CLIENT, SAMPLE " (an error)", 0, "what isn't there is an error")
{
    FILE_STAT_BASIC_INFORMATION info;

    check_bool("fails", FAILED(stat_image(base_image(), L"none", &info)), true);
}

CASE(stat_missing_codes, "Stat/MissingCodes", DECISION, "D30", 0,
     "a missing image or file: ERROR_FILE_NOT_FOUND; a missing directory on the way: "
     "ERROR_PATH_NOT_FOUND")
{
    const WCHAR *image = base_image();
    FILE_STAT_BASIC_INFORMATION info;

    check_hr("file", stat_image(image, L"none", &info), HR_FILE_NOT_FOUND);
    check_hr("directory", stat_image(image, L"no\\none", &info), HR_PATH_NOT_FOUND);
    check_hr("image", stat_image(join(case_dir(), L"no.cim"), L"f", &info), HR_FILE_NOT_FOUND);
}

CASE(stat_stream, "Stat/AlternateStream", DECISION, "D30", 0,
     "the size of file:stream is the stream's")
{
    const WCHAR *image = base_image();
    FILE_STAT_BASIC_INFORMATION info;

    check_hr("file.txt:s", stat_image(image, L"file.txt:s", &info), S_OK);
    check_number("its size", info.EndOfFile.QuadPart, 6);
    check_hr("file.txt:s:$DATA", stat_image(image, L"file.txt:s:$DATA", &info), S_OK);
    check_number("the same size", info.EndOfFile.QuadPart, 6);
}

CASE(stat_root, "Stat/Root", DECISION, "D22, D30", 0,
     "\"\" and \"\\\" are the root; never described, its times are 0")
{
    const WCHAR *image = base_image();
    FILE_STAT_BASIC_INFORMATION info;

    check_hr("empty path", stat_image(image, L"", &info), S_OK);
    check_hex("its attributes", info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY);
    check_number("its last write", info.LastWriteTime.QuadPart, 0);
    check_hr("separator", stat_image(image, L"\\", &info), S_OK);
    check_hex("its attributes too", info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY);
}

CASE(stat_constants, "Stat/OtherFields", DECISION, "D42", 0,
     "links 1, device type 7, no characteristics, no serial number, allocation in 4 KiB")
{
    FILE_STAT_BASIC_INFORMATION info;

    check_hr("hr", stat_image(base_image(), L"file.txt", &info), S_OK);
    check_number("NumberOfLinks", info.NumberOfLinks, 1);
    check_number("DeviceType", info.DeviceType, 7);
    check_number("DeviceCharacteristics", info.DeviceCharacteristics, 0);
    check_number("VolumeSerialNumber", info.VolumeSerialNumber.QuadPart, 0);
    check_number("Reserved", info.Reserved, 0);
    check_number("AllocationSize", info.AllocationSize.QuadPart, 4096);
    check_number("ReparseTag", info.ReparseTag, 0);
}

FRESH_CASE(stat_allocation, "Stat/AllocationSizes", DECISION, "D42", 0,
           "AllocationSize is EndOfFile in whole pieces of 4 KiB; 0 where nothing is stored")
{
    static const struct
    {
        unsigned size, allocation;
    } rows[] = {{0, 0}, {1, 4096}, {4095, 4096}, {4096, 4096}, {4097, 8192}, {8192, 8192}};
    static const BYTE data[8192] = {1};
    FILE_STAT_BASIC_INFORMATION info;
    char name[40];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        put_file(image, format_wide(L"%u", rows[i].size), data, rows[i].size);
    need_hr("a sparse file", try_create_file(image, L"sparse", meta(0, 4097)));
    put_text(image, L"f", "x");
    put_stream(image, L"f:s", data, 4097);
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        need_hr("stat",
                stat_image(join(case_dir(), L"a.cim"), format_wide(L"%u", rows[i].size), &info));
        sprintf(name, "of %u bytes", rows[i].size);
        check_number(name, info.AllocationSize.QuadPart, rows[i].allocation);
    }
    need_hr("stat", stat_image(join(case_dir(), L"a.cim"), L"sparse", &info));
    check_number("where nothing is stored", info.AllocationSize.QuadPart, 0);
    check_number("its size", info.EndOfFile.QuadPart, 4097);
    need_hr("stat", stat_image(join(case_dir(), L"a.cim"), L"f:s", &info));
    check_number("of a stream", info.AllocationSize.QuadPart, 8192);
}

FRESH_CASE(
        stat_ids, "Stat/FileIds", DECISION, "D42", 0,
        "hard links have the same FileId, other files others; FileId128 holds it in its low half")
{
    FILE_STAT_BASIC_INFORMATION one, two, other;

    put_text(image, L"one", "1");
    put_text(image, L"other", "2");
    put_link(image, L"two", L"one");
    commit_and_close(image);
    need_hr("stat", stat_image(join(case_dir(), L"a.cim"), L"one", &one));
    need_hr("stat", stat_image(join(case_dir(), L"a.cim"), L"two", &two));
    need_hr("stat", stat_image(join(case_dir(), L"a.cim"), L"other", &other));
    check_bool("links have one", one.FileId.QuadPart == two.FileId.QuadPart, true);
    check_bool("another file has another", one.FileId.QuadPart != other.FileId.QuadPart, true);
    check_bytes("FileId128", &one.FileId128, 8, &one.FileId, 8);
}

CASE(stat_ids_question, "Stat/FileIdScheme", QUESTION, "Q-40", 0,
     "FileIds, 64 and 128 bits, of some files, in a fork too; links; serial number")
{
    static const WCHAR *const paths[] = {L"", L"d", L"d\\inner.txt", L"file.txt", L"empty"};
    CIMFS_IMAGE_HANDLE image;
    FILE_STAT_BASIC_INFORMATION info;
    size_t i;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", L"fork.cim");
    put_link(image, L"link", L"file.txt");
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        char label[40];
        HRESULT hr = stat_image(join(case_dir(), L"base.cim"), paths[i], &info);

        sprintf(label, "%ls", *paths[i] ? paths[i] : L"(root)");
        if (FAILED(hr))
            see_hr(label, hr);
        else
            see_text(label, "%llx, links %lu, allocation %lld, device %lu",
                     (unsigned long long)info.FileId.QuadPart, info.NumberOfLinks,
                     (long long)info.AllocationSize.QuadPart, info.DeviceType);
        strcat(label, ", in the fork");
        if (SUCCEEDED(stat_image(join(case_dir(), L"fork.cim"), paths[i], &info)))
            see_text(label, "%llx, links %lu", (unsigned long long)info.FileId.QuadPart,
                     info.NumberOfLinks);
    }
}

CASE(stat_answers, "Stat/Answers", QUESTION, "Q-45", 0, "the root, streams, missing things, NULL")
{
    const WCHAR *image = base_image();
    FILE_STAT_BASIC_INFORMATION info;

    see_hr("empty path", stat_image(image, L"", &info));
    see_hr("separator", stat_image(image, L"\\", &info));
    see_hr("stream", stat_image(image, L"file.txt:s", &info));
    see_hr("missing file", stat_image(image, L"none", &info));
    see_hr("missing directory", stat_image(image, L"no\\none", &info));
    see_hr("missing image", stat_image(join(case_dir(), L"no.cim"), L"f", &info));
    see_hr("leading separator", stat_image(image, L"\\file.txt", &info));
    see_hr("NULL output", cim.GetFileStatBasicInformation(image, L"file.txt", NULL));
}

/* ---- CimLookupFile
 * ------------------------------------------------------------------------------- */

CASE(lookup, "LookupFile/Answers", DECISION, "D41", 0,
     "S_OK and whether it is there, also where a directory on the way is missing")
{
    static const struct
    {
        const WCHAR *path;
        bool there;
    } rows[] = {{L"file.txt", true}, {L"d", true},         {L"D\\INNER.txt", true},
                {L"new", true},      {L"none", false},     {L"no\\none", false},
                {L"empty", false},   {L"\\file.txt", true}};
    CIMFS_IMAGE_HANDLE image;
    size_t i;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", NULL);
    put_text(image, L"new", "n");
    need_hr("CimDeletePath", cim.DeletePath(image, L"empty"));
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        BOOLEAN there = 77;
        char label[40];

        sprintf(label, "%ls", rows[i].path);
        check_hr(label, cim.LookupFile(image, rows[i].path, &there), S_OK);
        strcat(label, " is there");
        check_number(label, there, rows[i].there);
    }
}

FRESH_CASE(lookup_malformed, "LookupFile/Malformed", DECISION, "D41", 0,
           "a malformed path: E_INVALIDARG")
{
    BOOLEAN there = 77;

    check_hr("a*b", cim.LookupFile(image, L"a*b", &there), E_INVALIDARG);
    check_number("the output is cleared", there, FALSE);
    check_hr("a\\", cim.LookupFile(image, L"a\\", &there), E_INVALIDARG);
    check_hr("no session", cim.LookupFile(NULL, L"a", &there), E_INVALIDARG);
}

CASE(lookup_question, "LookupFile/Semantics", QUESTION, "Q-61", 0,
     "whether the function is there, and its answers")
{
    CIMFS_IMAGE_HANDLE image;
    BOOLEAN there = 77;

    see_bool("exported", has_export("CimLookupFile"));
    if (!has_export("CimLookupFile")) return;
    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", NULL);
    see_hr("a file", cim.LookupFile(image, L"file.txt", &there));
    see_number("is there", there);
    there = 77;
    see_hr("none", cim.LookupFile(image, L"none", &there));
    see_number("none is there", there);
    there = 77;
    see_hr("a directory is missing", cim.LookupFile(image, L"no\\none", &there));
    see_number("it is there", there);
    see_hr("the root", cim.LookupFile(image, L"", &there));
}
