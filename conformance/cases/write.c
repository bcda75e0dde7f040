/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write.c - CimWriteStream, and what a stream holds when it is closed
 *
 * A stream's size is fixed when it is created; it is filled from its beginning, in pieces of any
 * size, and what isn't written reads as zero.
 */
#include "items.h"

#define MIB (1024 * 1024)

/* Random bytes, the caller's. */
static BYTE *random_bytes(size_t size, uint32_t seed)
{
    BYTE *data = malloc(size + 1);

    need(data != NULL, "no memory");
    fill_bytes(data, size, seed);
    return data;
}

static void write_pieces(CIMFS_STREAM_HANDLE stream, const BYTE *data, size_t size, size_t piece)
{
    size_t done, now;

    for (done = 0; done < size; done += now)
    {
        now = size - done < piece ? size - done : piece;
        need_hr("CimWriteStream", cim.WriteStream(stream, data + done, (UINT32)now));
    }
}

FRESH_CASE(appends, "WriteStream/Appends", HEADER, "cimfs.h, all generations", 0,
           "a write goes on where the one before ended")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 9);

    check_hr("first", cim.WriteStream(stream, "one", 3), S_OK);
    check_hr("second", cim.WriteStream(stream, "two", 3), S_OK);
    check_hr("third", cim.WriteStream(stream, "six", 3), S_OK);
    close_stream(stream);
    commit_and_close(image);
    holds("content", L"f", "onetwosix");
}

FRESH_CASE(lengths, "WriteStream/Lengths", DOC, "CimWriteStream page", 0,
           "files of any length hold what was written to them in one call")
{
    static const int sizes[] = {1,     2,     7,      8,      9,      511,     512,  513,    1535,
                                1536,  1537,  4095,   4096,   4097,   8191,    8192, 8193,   65535,
                                65536, 65537, 131071, 131072, 131073, MIB - 1, MIB,  MIB + 1};
    BYTE *data = random_bytes(MIB + 100, 1);
    char name[40];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(sizes); i++)
        put_file(image, format_wide(L"%d", sizes[i]), data + i, sizes[i]);
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        snprintf(name, sizeof(name), "%d", sizes[i]);
        check_stored(name, case_dir(), IMAGE, format_wide(L"%d", sizes[i]), data + i, sizes[i]);
    }
    free(data);
}

FRESH_CASE(pieces, "WriteStream/Pieces", DOC, "CimWriteStream page", 0,
           "a file holds the same whatever the pieces it was written in")
{
    static const int pieces[] = {1, 7, 511, 512, 4095, 4096, 4097, 65535, 65536, 65537, 150000};
    enum
    {
        SIZE = 150001
    };
    CIMFS_STREAM_HANDLE stream;
    BYTE *data = random_bytes(SIZE, 2);
    char name[40];
    size_t i, size;

    for (i = 0; i < ARRAY_SIZE(pieces); i++)
    {
        size = pieces[i] == 1 ? 9001 : SIZE;
        stream = open_file(image, format_wide(L"%d", pieces[i]), size);
        write_pieces(stream, data, size, pieces[i]);
        close_stream(stream);
    }
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(pieces); i++)
    {
        snprintf(name, sizeof(name), "by %d", pieces[i]);
        check_stored(name, case_dir(), IMAGE, format_wide(L"%d", pieces[i]), data,
                     pieces[i] == 1 ? 9001 : SIZE);
    }
    free(data);
}

FRESH_CASE(sample_pieces, "WriteStream/SamplePieces", CLIENT, "CimFSAPI sample", 0,
           "a file written in pieces of 64 KiB, the last one shorter, is stored")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 3 * 65536 + 777);
    BYTE *data = random_bytes(3 * 65536 + 777, 3);

    write_pieces(stream, data, 3 * 65536 + 777, 65536);
    close_stream(stream);
    commit_and_close(image);
    check_stored("content", case_dir(), IMAGE, L"f", data, 3 * 65536 + 777);
    free(data);
}

FRESH_CASE(one_call, "WriteStream/Large", DOC, "CimWriteStream page", 0,
           "20 MiB and a few bytes can be written in one call")
{
    BYTE *data = random_bytes(20 * MIB + 5, 4);

    put_file(image, L"f", data, 20 * MIB + 5);
    commit_and_close(image);
    check_stored("content", case_dir(), IMAGE, L"f", data, 20 * MIB + 5);
    free(data);
}

FRESH_CASE(zeros, "WriteStream/Zeros", DOC, "CimWriteStream page", 0,
           "zeros that were written, all over or between other bytes, read as zeros")
{
    BYTE *data = calloc(1, 3 * MIB);

    need(data != NULL, "no memory");
    put_file(image, L"all", data, 3 * MIB);
    data[0] = data[MIB] = data[3 * MIB - 1] = 1;
    put_file(image, L"some", data, 3 * MIB);
    commit_and_close(image);
    check_stored("some", case_dir(), IMAGE, L"some", data, 3 * MIB);
    data[0] = data[MIB] = data[3 * MIB - 1] = 0;
    check_stored("all", case_dir(), IMAGE, L"all", data, 3 * MIB);
    free(data);
}

FRESH_CASE(executable, "WriteStream/Executable", DOC, "CimWriteStream page", 0,
           "an executable reads as it was written, however the image lays it out")
{
    size_t size, got_size = 0;
    BYTE *data = load_file(facts.dll_path, &size), *got;
    HRESULT hr;

    need(data != NULL, "can't read the DLL itself");
    put_file(image, L"x.dll", data, size);
    commit_and_close(image);
    got = stored_data(case_dir(), IMAGE, L"x.dll", &got_size, &hr);
    check_bool("the same", got && got_size == size && !memcmp(got, data, size), true);
    free(got);
    free(data);
}

static uint64_t bytes_in(const WCHAR *dir)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(join(dir, L"*"), &data);
    uint64_t total = 0;

    if (find == INVALID_HANDLE_VALUE) return 0;
    do total += ((uint64_t)data.nFileSizeHigh << 32) + data.nFileSizeLow;
    while (FindNextFileW(find, &data));
    FindClose(find);
    return total;
}

FRESH_CASE(same_once, "WriteStream/SameContentOnce", DOC, "cimfs.h index page", 0,
           "files with the same content take its room once, in the image and in a fork of it")
{
    BYTE *data = random_bytes(4 * MIB, 5);
    uint64_t before;

    put_file(image, L"one", data, 4 * MIB);
    put_file(image, L"two", data, 4 * MIB);
    image = reopen(image, FORK);
    before = bytes_in(case_dir());
    put_file(image, L"three", data, 4 * MIB);
    commit_and_close(image);
    check_bool("the image has room for one", before > 4 * MIB, true);
    check_bool("and not for two", before < 6 * MIB, true);
    check_bool("the fork needs less than one", bytes_in(case_dir()) - before < 3 * MIB, true);
    check_stored("one", case_dir(), L"fork.cim", L"one", data, 4 * MIB);
    check_stored("two", case_dir(), L"fork.cim", L"two", data, 4 * MIB);
    check_stored("three", case_dir(), L"fork.cim", L"three", data, 4 * MIB);
    free(data);
}

FRESH_CASE(sparse_flag, "WriteStream/SparseFlag", CLIENT, "hcsshim layer import", 0,
           "data written to a file with FILE_ATTRIBUTE_SPARSE_FILE is stored")
{
    put_item(image, L"f", meta(FILE_ATTRIBUTE_SPARSE_FILE, 5), "hello", 5);
    commit_and_close(image);
    holds("content", L"f", "hello");
}

/* ---- the end of the stream ------------------------------------------------------------------- */

FRESH_CASE(past_end, "WriteStream/PastEnd", DOC, "CimWriteStream page", 0,
           "a write beyond the size given at creation: ERROR_HANDLE_EOF, and what fits is written")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"second", 10);

    check_hr("the first write fits", cim.WriteStream(stream, "abcdef", 6), S_OK);
    check_hr("the second one doesn't", cim.WriteStream(stream, "ghijkl", 6), HR_EOF);
    close_stream(stream);
    stream = open_file(image, L"first", 10);
    check_hr("the only one doesn't", cim.WriteStream(stream, "abcdefghijk", 11), HR_EOF);
    close_stream(stream);
    commit_and_close(image);
    holds("by the second", L"second", "abcdefghij");
    holds("by the only one", L"first", "abcdefghij");
}

FRESH_CASE(at_end, "WriteStream/AtEnd", DOC, "CimWriteStream page", 0,
           "one byte more than the size: ERROR_HANDLE_EOF, on an empty file too")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"full", 3);

    check_hr("filling it", cim.WriteStream(stream, "abc", 3), S_OK);
    check_hr("full", cim.WriteStream(stream, "d", 1), HR_EOF);
    close_stream(stream);
    stream = open_file(image, L"empty", 0);
    check_hr("empty", cim.WriteStream(stream, "d", 1), HR_EOF);
    close_stream(stream);
    commit_and_close(image);
    holds("full one", L"full", "abc");
    holds("empty one", L"empty", "");
}

FRESH_CASE(large_past_end, "WriteStream/LargePastEnd", DOC, "CimWriteStream page", 0,
           "of a large write beyond the end everything that fits is written")
{
    BYTE *data = random_bytes(MIB, 6);
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", MIB - 12345);

    check_hr("hr", cim.WriteStream(stream, data, MIB), HR_EOF);
    close_stream(stream);
    commit_and_close(image);
    check_stored("content", case_dir(), IMAGE, L"f", data, MIB - 12345);
    free(data);
}

FRESH_CASE(after_eof, "WriteStream/AfterPastEnd", DECISION, "D12", 0,
           "after a write beyond the end another one fails the same, zero bytes succeed, all else "
           "goes "
           "on")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 4);

    need(cim.WriteStream(stream, "hello", 5) == HR_EOF, "no ERROR_HANDLE_EOF");
    check_hr("once more", cim.WriteStream(stream, "x", 1), HR_EOF);
    check_hr("zero bytes", cim.WriteStream(stream, "", 0), S_OK);
    close_stream(stream);
    check_hr("a next file", try_create_file(image, L"g", meta(0, 0)), S_OK);
    check_hr("commit", cim.CommitImage(image), S_OK);
    close_image(image);
    holds("content", L"f", "hell");
}

FRESH_CASE(zero_bytes, "WriteStream/ZeroBytes", DECISION, "D12", 0,
           "a write of zero bytes succeeds everywhere and changes nothing")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 4);

    check_hr("at the beginning", cim.WriteStream(stream, "x", 0), S_OK);
    need_hr("CimWriteStream", cim.WriteStream(stream, "ab", 2));
    check_hr("in the middle", cim.WriteStream(stream, "x", 0), S_OK);
    need_hr("CimWriteStream", cim.WriteStream(stream, "cd", 2));
    check_hr("at the end", cim.WriteStream(stream, "x", 0), S_OK);
    close_stream(stream);
    stream = open_file(image, L"empty", 0);
    check_hr("of an empty file", cim.WriteStream(stream, "x", 0), S_OK);
    close_stream(stream);
    stream = open_alternate(image, L"f:s", 0);
    check_hr("of an empty alternate stream", cim.WriteStream(stream, "x", 0), S_OK);
    close_stream(stream);
    commit_and_close(image);
    holds("content", L"f", "abcd");
}

/* ---- arguments ------------------------------------------------------------------------------- */

CASE(null_stream, "WriteStream/NullStream", DOC, "CimWriteStream page", 0,
     "a stream handle that isn't valid: E_INVALIDARG")
{
    check_hr("hr", cim.WriteStream(NULL, "x", 1), E_INVALIDARG);
}

FRESH_CASE(to_directory, "WriteStream/Directory", DOC, "CimWriteStream page", 0,
           "the stream handle of a directory: E_INVALIDARG")
{
    CIMFS_STREAM_HANDLE stream = NULL;

    need_hr("CimCreateFile",
            cim.CreateFile(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0), &stream));
    check_hr("hr", cim.WriteStream(stream, "x", 1), E_INVALIDARG);
    close_stream(stream);
}

FRESH_CASE(directory_zero, "WriteStream/DirectoryOther", QUESTION, "Q-31", 0,
           "zero bytes, NULL, and a write within its FileSize to a directory's stream handle")
{
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = cim.CreateFile(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 10), &stream);

    see_hr("create with a size", hr);
    if (FAILED(hr))
        need_hr("CimCreateFile",
                cim.CreateFile(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0), &stream));
    see_hr("zero bytes", cim.WriteStream(stream, "x", 0));
    see_hr("NULL, zero bytes", cim.WriteStream(stream, NULL, 0));
    see_hr("one byte", cim.WriteStream(stream, "x", 1));
    close_stream(stream);
}

FRESH_CASE(null_buffer, "WriteStream/NullBuffer", DOC, "CimWriteStream page", 0,
           "a NULL buffer: E_POINTER, and the stream goes on")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 4);

    need_hr("CimWriteStream", cim.WriteStream(stream, "ab", 2));
    check_hr("hr", cim.WriteStream(stream, NULL, 1), E_POINTER);
    check_hr("a next write", cim.WriteStream(stream, "cd", 2), S_OK);
    close_stream(stream);
    commit_and_close(image);
    holds("content", L"f", "abcd");
}

FRESH_CASE(null_zero, "WriteStream/NullBufferZeroBytes", DECISION, "D13", 0,
           "a NULL buffer is E_POINTER with a size of 0, too")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 4);

    check_hr("at the beginning", cim.WriteStream(stream, NULL, 0), E_POINTER);
    need_hr("CimWriteStream", cim.WriteStream(stream, "abcd", 4));
    check_hr("at the end", cim.WriteStream(stream, NULL, 0), E_POINTER);
    close_stream(stream);
}

FRESH_CASE(null_past_end, "WriteStream/NullBufferPastEnd", QUESTION, "Q-31", 0,
           "which error comes first: a NULL buffer or a write past the end")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 1);

    see_hr("hr", cim.WriteStream(stream, NULL, 2));
    close_stream(stream);
}

/* ---- what is never written ------------------------------------------------------------------- */

FRESH_CASE(short_file, "WriteStream/UnwrittenIsZero", DOC, "CimCreateFile page", 0,
           "the rest of a file that wasn't written reads as zero")
{
    static const struct
    {
        int size, written;
    } files[] = {{10, 3},       {4096, 1},      {4097, 4096},  {8192, 4095},
                 {65536, 1000}, {65537, 65536}, {200000, 777}, {MIB, 65537}};
    BYTE *data = random_bytes(MIB, 7), *want = calloc(1, MIB);
    char name[40];
    size_t i;

    need(want != NULL, "no memory");
    for (i = 0; i < ARRAY_SIZE(files); i++)
    {
        CIMFS_STREAM_HANDLE stream = open_file(image, format_wide(L"%d", (int)i), files[i].size);

        need_hr("CimWriteStream", cim.WriteStream(stream, data, files[i].written));
        close_stream(stream);
    }
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(files); i++)
    {
        memset(want, 0, MIB);
        memcpy(want, data, files[i].written);
        snprintf(name, sizeof(name), "%d of %d", files[i].written, files[i].size);
        check_stored(name, case_dir(), IMAGE, format_wide(L"%d", (int)i), want, files[i].size);
    }
    free(want);
    free(data);
}

FRESH_CASE(nothing_written, "WriteStream/NothingWritten", DOC, "CimCreateFile page", 0,
           "a file to which nothing is written has its size and reads as zero")
{
    static const int sizes[] = {1, 100, 4096, 4097, 100000, MIB};
    BYTE *zeros = calloc(1, MIB);
    char name[40];
    size_t i;

    need(zeros != NULL, "no memory");
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
        close_stream(open_file(image, format_wide(L"%d", sizes[i]), sizes[i]));
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        snprintf(name, sizeof(name), "%d", sizes[i]);
        check_stored(name, case_dir(), IMAGE, format_wide(L"%d", sizes[i]), zeros, sizes[i]);
    }
    free(zeros);
}

FRESH_CASE(short_no_error, "WriteStream/ShortFileNoError", DECISION, "D29", 0,
           "a file closed before its size was written is no error, then or later")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"short", 10);

    need_hr("CimWriteStream", cim.WriteStream(stream, "abc", 3));
    close_stream(stream);
    stream = open_file(image, L"next", 3);
    check_hr("the next file's write", cim.WriteStream(stream, "def", 3), S_OK);
    close_stream(stream);
    check_hr("delete", cim.DeletePath(image, L"short"), S_OK);
    close_stream(open_file(image, L"short", 10));
    check_hr("commit", cim.CommitImage(image), S_OK);
    close_image(image);
    holds("next", L"next", "def");
}

FRESH_CASE(short_q, "WriteStream/ShortFile", QUESTION, "Q-32", 0,
           "a file closed with fewer bytes than declared: what comes of it and of later calls")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"short", 10);

    see_hr("write 3 of 10", cim.WriteStream(stream, "abc", 3));
    close_stream(stream);
    see_hr("next create", cim.CreateFile(image, L"next", meta(0, 2), &stream));
    see_hr("next write", cim.WriteStream(stream, "de", 2));
    close_stream(stream);
    see_hr("link to it", cim.CreateHardLink(image, L"link", L"short"));
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_stored("short", case_dir(), IMAGE, L"short");
    see_stored("next", case_dir(), IMAGE, L"next");
    see_stored("link", case_dir(), IMAGE, L"link");
}

FRESH_CASE(
        huge_unwritten, "WriteStream/HugeNothingWritten", DECISION, "D19", 0,
        "a file of 1 TiB to which nothing is written takes no room, has its size and reads as zero")
{
    const UINT64 size = (UINT64)1 << 40;
    BYTE data[16], zeros[16] = {0};
    UINT64 got = 0, left = 0;

    close_stream(open_file(image, L"f", (INT64)size));
    commit_and_close(image);
    check_number("size", size_of(IMAGE, L"f"), size);
    check_bool("room", bytes_in(case_dir()) < 16 * MIB, true);
    if (!has_export("CimReadFile")) return;
    memset(data, 1, sizeof(data));
    check_hr("read in the middle",
             cim.ReadFile(join(case_dir(), IMAGE), L"f", size / 2 + 1, data, sizeof(data), &got,
                          &left),
             S_OK);
    check_bytes("the middle", data, got, zeros, sizeof(zeros));
    check_number("what follows", left, size / 2 - 1 - sizeof(data));
    memset(data, 1, sizeof(data));
    check_hr("read the end",
             cim.ReadFile(join(case_dir(), IMAGE), L"f", size - 5, data, sizeof(data), &got, &left),
             S_OK);
    check_bytes("the end", data, got, zeros, 5);
}

FRESH_CASE(
        huge_short, "WriteStream/HugeShort", DECISION, "D19", 0,
        "a file of 256 MiB of which 5 bytes are written has its size and reads as zero behind them")
{
    const UINT64 size = 256 * MIB;
    BYTE data[16];
    static const BYTE start[16] = "hello", zeros[16];
    UINT64 got = 0, left = 0;
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", (INT64)size);

    need_hr("CimWriteStream", cim.WriteStream(stream, "hello", 5));
    close_stream(stream);
    commit_and_close(image);
    check_number("size", size_of(IMAGE, L"f"), size);
    if (!has_export("CimReadFile")) return;
    check_hr("read the beginning",
             cim.ReadFile(join(case_dir(), IMAGE), L"f", 0, data, sizeof(data), &got, &left), S_OK);
    check_bytes("the beginning", data, got, start, sizeof(start));
    memset(data, 1, sizeof(data));
    check_hr("read the end",
             cim.ReadFile(join(case_dir(), IMAGE), L"f", size - sizeof(data), data, sizeof(data),
                          &got, &left),
             S_OK);
    check_bytes("the end", data, got, zeros, sizeof(zeros));
}
