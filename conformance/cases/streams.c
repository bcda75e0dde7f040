/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streams.c - CimCreateAlternateStream
 *
 * An alternate stream belongs to a file or directory that is there already and is named
 * PATH:STREAM. That CimWriteStream treats it as any other stream is judged here, too.
 */
#include "items.h"

FRESH_CASE(
        content, "AlternateStream/Content", DOC, "CimCreateAlternateStream page", 0,
        "a file's alternate stream has the bytes that were written to it, the file keeps its own")
{
    put_text(image, L"f", "hello");
    put_stream(image, L"f:s", "a stream, longer than its file", 30);
    commit_and_close(image);
    holds("stream", L"f:s", "a stream, longer than its file");
    holds("file", L"f", "hello");
    check_number("file's size", size_of(IMAGE, L"f"), 5);
}

FRESH_CASE(on_directory, "AlternateStream/OnDirectory", DOC, "CimCreateAlternateStream page", 0,
           "a directory can have alternate streams, at the root or below, and stays a directory")
{
    put_dir(image, L"d");
    put_dir(image, L"d\\e");
    put_text(image, L"d\\f", "file");
    put_stream(image, L"d:s", "one", 3);
    put_stream(image, L"d\\e:s", "two", 3);
    commit_and_close(image);
    holds("at the root", L"d:s", "one");
    holds("below", L"d\\e:s", "two");
    holds("its file", L"d\\f", "file");
    check_bool("a directory", attributes_of(IMAGE, L"d") & FILE_ATTRIBUTE_DIRECTORY, true);
}

FRESH_CASE(several, "AlternateStream/Several", DOC, "CimCreateAlternateStream page", 0,
           "a file can have several streams, each with its own content, and so can several files")
{
    put_text(image, L"f", "hello");
    put_text(image, L"g", "");
    put_stream(image, L"f:s", "one", 3);
    put_stream(image, L"f:a", "three", 5);
    put_stream(image, L"g:s", "two", 3);
    put_stream(image, L"f:zz", "", 0);
    commit_and_close(image);
    holds("f:s", L"f:s", "one");
    holds("f:a", L"f:a", "three");
    holds("f:zz", L"f:zz", "");
    holds("g:s", L"g:s", "two");
    gone("g:a", L"g:a");
    holds("f", L"f", "hello");
}

FRESH_CASE(empty, "AlternateStream/Empty", CLIENT, "hcsshim cim_writer", 0,
           "a stream of size 0 is there and empty")
{
    put_text(image, L"f", "hello");
    check_hr("hr", try_create_stream(image, L"f:marker", 0), S_OK);
    commit_and_close(image);
    holds("stream", L"f:marker", "");
}

FRESH_CASE(replaced, "AlternateStream/Recreated", DOC, "CimCreateAlternateStream page", 0,
           "a stream is resized by creating it again; the others stay")
{
    put_text(image, L"f", "hello");
    put_stream(image, L"f:s", "old", 3);
    put_stream(image, L"f:t", "the old one", 11);
    put_stream(image, L"f:u", "same", 4);
    put_stream(image, L"f:s", "the new one", 11);
    put_stream(image, L"f:t", "new", 3);
    commit_and_close(image);
    holds("longer", L"f:s", "the new one");
    holds("shorter", L"f:t", "new");
    holds("other", L"f:u", "same");
    holds("file", L"f", "hello");
}

FRESH_CASE(
        size_fixed, "AlternateStream/SizeFixed", DOC, "CimCreateAlternateStream page", 0,
        "a stream may be written only up to its size: ERROR_HANDLE_EOF, and what fits is written")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"f", "");
    stream = open_alternate(image, L"f:s", 4);
    check_hr("past its end", cim.WriteStream(stream, "hello", 5), HR_EOF);
    close_stream(stream);
    stream = open_alternate(image, L"f:empty", 0);
    check_hr("of an empty one", cim.WriteStream(stream, "x", 1), HR_EOF);
    close_stream(stream);
    commit_and_close(image);
    holds("content", L"f:s", "hell");
    holds("empty one", L"f:empty", "");
}

FRESH_CASE(unwritten, "AlternateStream/UnwrittenIsZero", DOC, "CimCreateAlternateStream page", 0,
           "ranges of a stream that are never written read as zero")
{
    BYTE *want = calloc(1, 100000);
    CIMFS_STREAM_HANDLE stream;

    need(want != NULL, "no memory");
    put_text(image, L"f", "");
    close_stream(open_alternate(image, L"f:none", 5000));
    stream = open_alternate(image, L"f:some", 100000);
    need_hr("CimWriteStream", cim.WriteStream(stream, "abc", 3));
    close_stream(stream);
    commit_and_close(image);
    check_stored("nothing written", case_dir(), IMAGE, L"f:none", want, 5000);
    memcpy(want, "abc", 3);
    check_stored("the beginning written", case_dir(), IMAGE, L"f:some", want, 100000);
    free(want);
}

FRESH_CASE(large, "AlternateStream/Large", DOC, "CimCreateAlternateStream page", 0,
           "a stream may be larger than a page or a chunk, and be written in pieces")
{
    enum
    {
        SIZE = 300007
    };
    CIMFS_STREAM_HANDLE stream;
    BYTE *data = malloc(SIZE);
    int done;

    need(data != NULL, "no memory");
    fill_bytes(data, SIZE, 11);
    put_text(image, L"f", "hello");
    stream = open_alternate(image, L"f:s", SIZE);
    for (done = 0; done < SIZE; done += 10000)
        need_hr("CimWriteStream",
                cim.WriteStream(stream, data + done, SIZE - done < 10000 ? SIZE - done : 10000));
    close_stream(stream);
    commit_and_close(image);
    check_stored("stream", case_dir(), IMAGE, L"f:s", data, SIZE);
    free(data);
}

/* ---- refusals -------------------------------------------------------------------------------- */

FRESH_CASE(item_missing, "AlternateStream/ItemMissing", DOC, "CimCreateAlternateStream page", 0,
           "the file or directory isn't there: ERROR_PATH_NOT_FOUND")
{
    put_dir(image, L"d");
    check_hr("at the root", try_create_stream(image, L"none:s", 1), HR_PATH_NOT_FOUND);
    check_hr("in a directory", try_create_stream(image, L"d\\none:s", 1), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    gone("item", L"none");
}

FRESH_CASE(parent_missing, "AlternateStream/ParentMissing", DECISION, "D1", 0,
           "a directory on the way is missing or a file: ERROR_PATH_NOT_FOUND")
{
    put_text(image, L"f", "");
    check_hr("missing", try_create_stream(image, L"no\\f:s", 1), HR_PATH_NOT_FOUND);
    check_hr("a file", try_create_stream(image, L"f\\g:s", 1), HR_PATH_NOT_FOUND);
}

FRESH_CASE(not_of_the_form, "AlternateStream/NotOfTheForm", DOC, "CimCreateAlternateStream page", 0,
           "the path of a file or directory without a stream's name: E_INVALIDARG")
{
    put_dir(image, L"d");
    put_text(image, L"f", "");
    check_hr("file", try_create_stream(image, L"f", 1), E_INVALIDARG);
    check_hr("directory", try_create_stream(image, L"d", 1), E_INVALIDARG);
}

FRESH_CASE(
        no_colon, "AlternateStream/NoStreamName", DECISION, "D10", 0,
        "a path that isn't of the form PATH:STREAM: E_INVALIDARG, whether the item is there or not")
{
    put_dir(image, L"d");
    put_text(image, L"f", "");
    check_hr("file", try_create_stream(image, L"f", 1), E_INVALIDARG);
    check_hr("directory", try_create_stream(image, L"d", 1), E_INVALIDARG);
    check_hr("missing item", try_create_stream(image, L"none", 1), E_INVALIDARG);
}

FRESH_CASE(file_open, "AlternateStream/FileOpen", DOC, "CimCreateAlternateStream page", 0,
           "while a file's stream is open: ERROR_SHARING_VIOLATION, for that file's streams too")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"other", "");
    stream = open_file(image, L"f", 0);
    check_hr("another file's", try_create_stream(image, L"other:s", 1), HR_SHARING);
    check_hr("its own", try_create_stream(image, L"f:s", 1), HR_SHARING);
    close_stream(stream);
    check_hr("when it is closed", try_create_stream(image, L"f:s", 1), S_OK);
}

FRESH_CASE(stream_open, "AlternateStream/StreamOpen", DOC, "CimCreateAlternateStream page", 0,
           "while an alternate stream is open: ERROR_SHARING_VIOLATION, and the open one goes on")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"f", "");
    stream = open_alternate(image, L"f:s", 5);
    check_hr("another one", try_create_stream(image, L"f:t", 1), HR_SHARING);
    check_hr("the same again", try_create_stream(image, L"f:s", 1), HR_SHARING);
    check_hr("write", cim.WriteStream(stream, "hello", 5), S_OK);
    close_stream(stream);
    check_hr("when it is closed", try_create_stream(image, L"f:t", 1), S_OK);
    commit_and_close(image);
    holds("the open one", L"f:s", "hello");
}

CASE(null_image, "AlternateStream/NullImage", DOC, "CimCreateAlternateStream page", 0,
     "an image handle that isn't valid: E_INVALIDARG")
{
    check_hr("hr", try_create_stream(NULL, L"f:s", 1), E_INVALIDARG);
}

CASE(null_path, "AlternateStream/NullPath", QUESTION, "Q-35", 0, "the path is NULL")
{
    see_hr("hr", try_create_stream(fresh(), NULL, 1));
}

FRESH_CASE(null_output, "AlternateStream/NullOutput", DECISION, "D28", 0,
           "nowhere to put the stream handle: E_POINTER, and nothing is made")
{
    put_text(image, L"f", "");
    check_hr("hr", cim.CreateAlternateStream(image, L"f:s", 1, NULL), E_POINTER);
    check_hr("a next stream", try_create_stream(image, L"f:t", 1), S_OK);
    commit_and_close(image);
    gone("stream", L"f:s");
}

CASE(output_cleared, "AlternateStream/OutputCleared", DECISION, "D28", 0,
     "the stream handle is NULL after a failure")
{
    CIMFS_STREAM_HANDLE stream = (CIMFS_STREAM_HANDLE)(UINT_PTR)0x1234;
    HRESULT hr = cim.CreateAlternateStream(fresh(), L"none:s", 1, &stream);

    check_bool("failed", FAILED(hr), true);
    check_bool("NULL", !stream, true);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

FRESH_CASE(size_limit, "AlternateStream/SizeLimit", DECISION, "D18", 0,
           "the largest size is 2^48-1 bytes; more is E_INVALIDARG and changes nothing")
{
    put_text(image, L"f", "");
    put_stream(image, L"f:s", "old", 3);
    check_hr("2^48", try_create_stream(image, L"f:s", (UINT64)1 << 48), E_INVALIDARG);
    check_hr("2^63", try_create_stream(image, L"f:s", (UINT64)1 << 63), E_INVALIDARG);
    check_hr("2^64-1", try_create_stream(image, L"f:s", ~(UINT64)0), E_INVALIDARG);
    check_hr("2^48-1", try_create_stream(image, L"f:max", ((UINT64)1 << 48) - 1), S_OK);
    commit_and_close(image);
    holds("the old one", L"f:s", "old");
    check_number("the largest", size_of(IMAGE, L"f:max"), ((UINT64)1 << 48) - 1);
}

/* ---- names ----------------------------------------------------------------------------------- */

FRESH_CASE(data_suffix, "AlternateStream/DataSuffix", DECISION, "D10", 0,
           "PATH:STREAM:$DATA is accepted")
{
    put_text(image, L"f", "hello");
    check_hr("hr", try_create_stream(image, L"f:s:$DATA", 0), S_OK);
    commit_and_close(image);
    holds("file", L"f", "hello");
}

FRESH_CASE(suffix_same, "AlternateStream/DataSuffixIsTheSame", DECISION, "D10", 0,
           "PATH:STREAM:$DATA is PATH:STREAM, in any case")
{
    put_text(image, L"f", "");
    put_stream(image, L"f:s:$DATA", "one", 3);
    put_stream(image, L"f:t", "old", 3);
    put_stream(image, L"f:t:$data", "two", 3);
    commit_and_close(image);
    holds("made with it", L"f:s", "one");
    holds("replaced with it", L"f:t", "two");
    holds("read with it", L"f:s:$DATA", "one");
}

FRESH_CASE(other_types, "AlternateStream/OtherTypes", DECISION, "D10", 0,
           "another type, an empty name, or the primary stream's spelling: E_INVALIDARG")
{
    static const WCHAR *const paths[] = {L"f:",
                                         L"f::",
                                         L"f::$DATA",
                                         L"f:s:",
                                         L"f:s:$INDEX_ALLOCATION",
                                         L"f:s:$EA",
                                         L"f:s:DATA",
                                         L"f:s:$DATA:",
                                         L"f:s:$DATA:x",
                                         L"f:s:$DAT",
                                         L"f:s:$DATAX",
                                         L"d:",
                                         L"d::$DATA",
                                         L"d::$INDEX_ALLOCATION",
                                         L"d:$I30:$INDEX_ALLOCATION"};
    char name[40];
    size_t i;

    put_dir(image, L"d");
    put_text(image, L"f", "hello");
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        snprintf(name, sizeof(name), "%ls", paths[i]);
        check_hr(name, try_create_stream(image, paths[i], 1), E_INVALIDARG);
    }
    commit_and_close(image);
    holds("the file", L"f", "hello");
    gone("a stream", L"f:s");
}

FRESH_CASE(of_root, "AlternateStream/OfRoot", DECISION, "D22", 0,
           "a stream of the root: E_INVALIDARG")
{
    check_hr(":s", try_create_stream(image, L":s", 1), E_INVALIDARG);
    check_hr("\\:s", try_create_stream(image, L"\\:s", 1), E_INVALIDARG);
    need_hr("describe the root", try_create_file(image, L"", meta(FILE_ATTRIBUTE_DIRECTORY, 0)));
    check_hr(":s of a root with metadata", try_create_stream(image, L":s", 1), E_INVALIDARG);
}

FRESH_CASE(without_case, "AlternateStream/CaseOfNames", DECISION, "D24", 0,
           "names of items and streams are found without regard to case")
{
    put_text(image, L"File", "hello");
    put_stream(image, L"fILE:Stream", "old", 3);
    put_stream(image, L"file:sTREAM", "the new one", 11);
    commit_and_close(image);
    holds("stream", L"FILE:STREAM", "the new one");
    holds("file", L"file", "hello");
}

FRESH_CASE(long_name, "AlternateStream/LongName", DECISION, "D20", 0,
           "a stream's name may have 255 units; 256 are E_INVALIDARG")
{
    WCHAR path[2 + 256 + 1] = L"f:";
    int i;

    for (i = 0; i < 256; i++) path[2 + i] = 'a' + i % 26;
    put_text(image, L"f", "");
    check_hr("256", try_create_stream(image, path, 1), E_INVALIDARG);
    path[2 + 255] = 0;
    put_stream(image, path, "stream", 6);
    commit_and_close(image);
    holds("255", path, "stream");
}

FRESH_CASE(odd_names, "AlternateStream/OddNames", QUESTION, "Q-25", 0,
           "which characters a stream's name may have")
{
    static const WCHAR names[] = {'*', '?', '"', '<', '>',  '|',    '/',   '\\',
                                  1,   31,  ' ', '.', 0x7f, 0xd800, 0xffff};
    char name[20];
    size_t i;

    put_text(image, L"f", "");
    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        snprintf(name, sizeof(name), "f:a<%04x>b", names[i]);
        see_hr(name, try_create_stream(image, format_wide(L"f:a%lcb", names[i]), 0));
    }
    see_hr("trailing space", try_create_stream(image, L"f:a ", 0));
    see_hr("trailing dot", try_create_stream(image, L"f:a.", 0));
    see_hr("a dot", try_create_stream(image, L"f:.", 0));
    see_hr("two dots", try_create_stream(image, L"f:..", 0));
    see_hr("dollar", try_create_stream(image, L"f:$DATA", 0));
    see_hr("behind a backslash", try_create_stream(image, L"f\\:s", 0));
    see_hr("below a stream", try_create_stream(image, L"f:s\\g", 0));
    see_hr("commit", cim.CommitImage(image));
}

/* ---- on items of other kinds ----------------------------------------------------------------- */

FRESH_CASE(on_reparse, "AlternateStream/OnReparsePoint", QUESTION, "Q-25", 0,
           "a stream of an item with reparse data")
{
    /* A symbolic link to "f", relative: both names are the same letter. */
    static const BYTE link[] = {0x0c, 0, 0, 0xa0, 16, 0, 0, 0, 2,   0, 2,   0,
                                0,    0, 2, 0,    1,  0, 0, 0, 'f', 0, 'f', 0};
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_REPARSE_POINT, 0);

    metadata->ReparseDataBuffer = link;
    metadata->ReparseDataSize = sizeof(link);
    put_text(image, L"f", "hello");
    see_hr("the item", try_create_file(image, L"link", metadata));
    see_hr("its stream", try_create_stream(image, L"link:s", 3));
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_stored("link:s", case_dir(), IMAGE, L"link:s");
    see_stored("f:s", case_dir(), IMAGE, L"f:s");
}

FRESH_CASE(on_link, "AlternateStream/OnHardLink", QUESTION, "Q-25", 0,
           "a stream made by one of a file's names, before and after the other name was made")
{
    put_text(image, L"a", "hello");
    put_stream(image, L"a:before", "one", 3);
    put_link(image, L"b", L"a");
    see_hr("by the new name", try_create_stream(image, L"b:after", 0));
    see_hr("by the old name", try_create_stream(image, L"a:last", 0));
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_stored("a:before", case_dir(), IMAGE, L"a:before");
    see_stored("b:before", case_dir(), IMAGE, L"b:before");
    see_stored("a:after", case_dir(), IMAGE, L"a:after");
    see_stored("b:after", case_dir(), IMAGE, L"b:after");
    see_stored("b:last", case_dir(), IMAGE, L"b:last");
}

FRESH_CASE(listed, "AlternateStream/Listed", QUESTION, "hcsctl findings", NEEDS_MOUNT,
           "an empty stream called marker is listed on the mounted volume")
{
    WIN32_FIND_STREAM_DATA data;
    char name[20];
    HANDLE find;
    int count = 0;

    put_text(image, L"f", "hello");
    put_stream(image, L"f:marker", "", 0);
    put_stream(image, L"f:s", "stream", 6);
    commit_and_close(image);
    find = FindFirstStreamW(join(mount_image(case_dir(), IMAGE), L"f"), FindStreamInfoStandard,
                            &data, 0);
    see_error("FindFirstStream", find == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    if (find == INVALID_HANDLE_VALUE) return;
    do
    {
        snprintf(name, sizeof(name), "stream %d", ++count);
        see_text(name, "%ls %lld", data.cStreamName, (long long)data.StreamSize.QuadPart);
    } while (FindNextStreamW(find, &data) && count < 10);
    FindClose(find);
}
