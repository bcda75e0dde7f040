/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createfile.c - CimCreateFile: new files and directories, and what becomes of what was there
 *
 * Metadata is judged in metadata.c, path syntax in paths.c; what happens to inherited items stands
 * in forks.c.
 */
#include "items.h"

FRESH_CASE(content, "CreateFile/Content", DOC, "CimCreateFile page", 0,
           "a file has the bytes that were written to it")
{
    put_text(image, L"f", "hello");
    commit_and_close(image);
    holds("content", L"f", "hello");
}

FRESH_CASE(empty_file, "CreateFile/EmptyFile", DOC, "CimCreateFile page", 0,
           "a file of size 0 to which nothing is written is there and empty")
{
    put_text(image, L"f", "");
    commit_and_close(image);
    there("file", L"f");
    check_number("size", size_of(IMAGE, L"f"), 0);
    holds("content", L"f", "");
}

FRESH_CASE(kinds, "CreateFile/Kinds", DOC, "CimCreateFile page", 0,
           "FILE_ATTRIBUTE_DIRECTORY decides whether a directory or a file is made")
{
    put_dir(image, L"d");
    put_item(image, L"f", meta(0, 0), NULL, 0);
    commit_and_close(image);
    check_bool("directory", attributes_of(IMAGE, L"d") & FILE_ATTRIBUTE_DIRECTORY, true);
    there("file", L"f");
    check_bool("file is a directory", attributes_of(IMAGE, L"f") & FILE_ATTRIBUTE_DIRECTORY, false);
}

FRESH_CASE(hcsshim_image, "CreateFile/HcsshimTestImage", CLIENT, "hcsshim pkg/cimfs cim_test", 0,
           "a file, a directory and a file in it, each written in one call, are stored")
{
    put_item(image, L"foobar.txt", meta(0, 16), "foobar.txt bytes", 16);
    put_item(image, L"foo", meta(FILE_ATTRIBUTE_DIRECTORY, 0), NULL, 0);
    put_item(image, L"foo\\bar.txt", meta(0, 13), "bar.txt bytes", 13);
    commit_and_close(image);
    holds("file", L"foobar.txt", "foobar.txt bytes");
    there("directory", L"foo");
    holds("nested file", L"foo\\bar.txt", "bar.txt bytes");
}

FRESH_CASE(directory_stream, "CreateFile/DirectoryHasStream", CLIENT, "hcsshim cim_writer", 0,
           "a directory's creation opens a stream too: nothing else goes before it is closed")
{
    CIMFS_STREAM_HANDLE stream = NULL;

    need_hr("CimCreateFile",
            cim.CreateFile(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0), &stream));
    check_bool("a handle", stream != NULL, true);
    check_hr("while it is open", try_create_file(image, L"d\\f", meta(0, 0)), HR_SHARING);
    close_stream(stream);
    check_hr("when it is closed", try_create_file(image, L"d\\f", meta(0, 0)), S_OK);
}

FRESH_CASE(leading_backslash, "CreateFile/LeadingBackslash", DOC, "CimCreateFile page", 0,
           "a path may begin with a backslash and means the same without it")
{
    check_hr("directory", try_create_file(image, L"\\d", meta(FILE_ATTRIBUTE_DIRECTORY, 0)), S_OK);
    put_text(image, L"\\d\\f", "one");
    put_text(image, L"\\g", "two");
    commit_and_close(image);
    holds("nested", L"d\\f", "one");
    holds("at the root", L"g", "two");
}

/* ---- over what is there ---------------------------------------------------------------------- */

FRESH_CASE(overwrites, "CreateFile/Overwrite", DOC, "CimCreateFile page", 0,
           "a file created where a file is takes its place, longer or shorter")
{
    put_text(image, L"longer", "old");
    put_text(image, L"longer", "the new one");
    put_text(image, L"shorter", "the old one");
    put_text(image, L"shorter", "new");
    put_text(image, L"emptied", "old");
    put_text(image, L"emptied", "");
    put_text(image, L"beside", "same");
    commit_and_close(image);
    holds("longer", L"longer", "the new one");
    holds("shorter", L"shorter", "new");
    holds("emptied", L"emptied", "");
    holds("beside", L"beside", "same");
}

FRESH_CASE(overwrite_metadata, "CreateFile/OverwriteMetadata", DOC, "CimCreateFile page", 0,
           "a file created where a file is has the new attributes and times")
{
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN, 0);
    FILE_STAT_BASIC_INFORMATION info;

    put_item(image, L"f", metadata, NULL, 0);
    metadata = meta(FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE, 0);
    metadata->LastWriteTime.QuadPart = TIME_WRITE + 7000000;
    put_item(image, L"f", metadata, NULL, 0);
    commit_and_close(image);
    need_hr("stat", stored_stat(case_dir(), IMAGE, L"f", &info));
    check_hex("attributes", info.FileAttributes, FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE);
    check_number("last write", info.LastWriteTime.QuadPart, TIME_WRITE + 7000000);
}

FRESH_CASE(overwrite_streams, "CreateFile/OverwriteDropsStreams", DECISION, "D7", 0,
           "a file created where a file is is a new one, without the old one's alternate streams")
{
    put_text(image, L"f", "old");
    put_stream(image, L"f:s", "stream", 6);
    put_text(image, L"f", "new");
    commit_and_close(image);
    holds("file", L"f", "new");
    gone("stream", L"f:s");
}

FRESH_CASE(
        directory_metadata, "CreateFile/DirectoryMetadata", DECISION, "D2", 0,
        "a directory created where a directory is gets the new attributes, times and reparse data")
{
    static const BYTE junction[] = {0x03, 0, 0, 0xa0, 12, 0,   0, 0, 0, 0, 2,
                                    0,    4, 0, 0,    0,  'C', 0, 0, 0, 0, 0};
    CIMFS_FILE_METADATA *metadata = meta(
            FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_HIDDEN, 0);
    FILE_STAT_BASIC_INFORMATION info;

    metadata->ReparseDataBuffer = junction;
    metadata->ReparseDataSize = 20;
    put_item(image, L"d", metadata, NULL, 0);
    metadata = meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_SYSTEM, 0);
    metadata->LastWriteTime.QuadPart = TIME_WRITE + 7000000;
    put_item(image, L"d", metadata, NULL, 0);
    commit_and_close(image);
    need_hr("stat", stored_stat(case_dir(), IMAGE, L"d", &info));
    check_hex("attributes", info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_SYSTEM);
    check_hex("tag", info.ReparseTag, 0);
    check_number("last write", info.LastWriteTime.QuadPart, TIME_WRITE + 7000000);
}

FRESH_CASE(reuse_after_delete, "CreateFile/AfterDelete", DOC, "CimDeletePath page", 0,
           "a path that was deleted can be created again, as either kind, with nothing of the old "
           "item")
{
    put_dir(image, L"a");
    put_text(image, L"a\\f", "old");
    put_text(image, L"b", "old");
    put_stream(image, L"b:s", "stream", 6);
    need_hr("CimDeletePath", cim.DeletePath(image, L"a"));
    need_hr("CimDeletePath", cim.DeletePath(image, L"b"));
    put_text(image, L"a", "now a file");
    put_text(image, L"b", "new");
    commit_and_close(image);
    holds("a directory once", L"a", "now a file");
    holds("a file once", L"b", "new");
    gone("the old stream", L"b:s");
}

/* ---- one stream at a time -------------------------------------------------------------------- */

FRESH_CASE(file_open, "CreateFile/FileOpen", DOC, "CimCreateFile page", 0,
           "while a file's stream is open: ERROR_SHARING_VIOLATION, and the open one goes on")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 5);

    check_hr("file", try_create_file(image, L"g", meta(0, 0)), HR_SHARING);
    check_hr("directory", try_create_file(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0)),
             HR_SHARING);
    check_hr("the same file", try_create_file(image, L"f", meta(0, 0)), HR_SHARING);
    check_hr("write", cim.WriteStream(stream, "hello", 5), S_OK);
    close_stream(stream);
    check_hr("when it is closed", try_create_file(image, L"h", meta(0, 0)), S_OK);
    commit_and_close(image);
    holds("the open one", L"f", "hello");
    gone("the refused one", L"g");
}

FRESH_CASE(alternate_open, "CreateFile/AlternateStreamOpen", DOC, "CimCreateFile page", 0,
           "while an alternate stream is open: ERROR_SHARING_VIOLATION")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"f", "");
    stream = open_alternate(image, L"f:s", 5);
    check_hr("hr", try_create_file(image, L"g", meta(0, 0)), HR_SHARING);
    close_stream(stream);
    check_hr("when it is closed", try_create_file(image, L"g", meta(0, 0)), S_OK);
}

CASE(two_images, "CreateFile/StreamsOfTwoImages", DOC, "CimCreateFile page", 0,
     "one stream for each image handle: two images in two directories have two at once")
{
    const WCHAR *dirs[2];
    CIMFS_IMAGE_HANDLE images[2];
    CIMFS_STREAM_HANDLE streams[2];
    int i;

    dirs[0] = new_dir(L"one");
    dirs[1] = new_dir(L"two");
    for (i = 0; i < 2; i++) images[i] = open_image(dirs[i], NULL, IMAGE);
    for (i = 0; i < 2; i++) streams[i] = open_file(images[i], L"f", 3);
    check_hr("write the first", cim.WriteStream(streams[0], "one", 3), S_OK);
    check_hr("write the second", cim.WriteStream(streams[1], "two", 3), S_OK);
    for (i = 0; i < 2; i++) close_stream(streams[i]);
    for (i = 0; i < 2; i++) commit_and_close(images[i]);
    check_stored_text("first", join(case_dir(), L"one"), IMAGE, L"f", "one");
    check_stored_text("second", join(case_dir(), L"two"), IMAGE, L"f", "two");
}

/* ---- arguments ------------------------------------------------------------------------------- */

CASE(null_image, "CreateFile/NullImage", DOC, "CimCreateFile page", 0,
     "an image handle that isn't valid: E_INVALIDARG")
{
    check_hr("hr", try_create_file(NULL, L"f", meta(0, 0)), E_INVALIDARG);
}

CASE(null_path, "CreateFile/NullPath", QUESTION, "Q-35", 0, "the path is NULL")
{
    see_hr("hr", try_create_file(fresh(), NULL, meta(0, 0)));
}

CASE(null_metadata, "CreateFile/NullMetadata", QUESTION, "Q-35", 0, "the metadata is NULL")
{
    see_hr("hr", try_create_file(fresh(), L"f", NULL));
}

FRESH_CASE(null_output, "CreateFile/NullOutput", DECISION, "D28", 0,
           "nowhere to put the stream handle: E_POINTER, and nothing is made")
{
    check_hr("hr", cim.CreateFile(image, L"f", meta(0, 0), NULL), E_POINTER);
    check_hr("a next file", try_create_file(image, L"g", meta(0, 0)), S_OK);
    commit_and_close(image);
    gone("file", L"f");
    there("the next file", L"g");
}

FRESH_CASE(output_cleared, "CreateFile/OutputCleared", DECISION, "D28", 0,
           "the stream handle is NULL after a failure")
{
    CIMFS_STREAM_HANDLE stream = (CIMFS_STREAM_HANDLE)(UINT_PTR)0x1234;
    HRESULT hr = cim.CreateFile(image, L"no\\f", meta(0, 0), &stream);

    check_bool("failed", FAILED(hr), true);
    check_bool("NULL", !stream, true);
}

FRESH_CASE(buffers_not_kept, "CreateFile/BuffersNotKept", CLIENT, "hcsshim cim_writer", 0,
           "path, metadata and its buffers may be gone when the call is done")
{
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_ARCHIVE, 5);
    CIMFS_STREAM_HANDLE stream = NULL;
    WCHAR path[] = L"name";
    char data[] = "hello";

    need_hr("CimCreateFile", cim.CreateFile(image, path, metadata, &stream));
    memset(path, 'x', sizeof(path) - sizeof(WCHAR));
    memset(metadata, 0xff, sizeof(*metadata));
    need_hr("CimWriteStream", cim.WriteStream(stream, data, 5));
    memset(data, 0, sizeof(data));
    close_stream(stream);
    commit_and_close(image);
    holds("content", L"name", "hello");
    check_hex("attributes", attributes_of(IMAGE, L"name"), FILE_ATTRIBUTE_ARCHIVE);
}

/* ---- parents --------------------------------------------------------------------------------- */

FRESH_CASE(parent_missing, "CreateFile/ParentMissing", DECISION, "D1", 0,
           "below a directory that isn't there: ERROR_PATH_NOT_FOUND, and none is made")
{
    CIMFS_FILE_METADATA *directory = meta(FILE_ATTRIBUTE_DIRECTORY, 0);

    check_hr("file", try_create_file(image, L"no\\file", meta(0, 0)), HR_PATH_NOT_FOUND);
    check_hr("directory", try_create_file(image, L"no\\dir", directory), HR_PATH_NOT_FOUND);
    check_hr("two missing", try_create_file(image, L"no\\no\\file", meta(0, 0)), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    gone("parent", L"no");
}

FRESH_CASE(parent_is_file, "CreateFile/ParentIsFile", DECISION, "D1", 0,
           "below a file: ERROR_PATH_NOT_FOUND, and the file stays")
{
    put_text(image, L"f", "hello");
    check_hr("file", try_create_file(image, L"f\\g", meta(0, 0)), HR_PATH_NOT_FOUND);
    check_hr("directory", try_create_file(image, L"f\\d", meta(FILE_ATTRIBUTE_DIRECTORY, 0)),
             HR_PATH_NOT_FOUND);
    check_hr("deeper", try_create_file(image, L"f\\d\\g", meta(0, 0)), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    holds("the file", L"f", "hello");
}

FRESH_CASE(parent_deleted, "CreateFile/ParentDeleted", DECISION, "D1", 0,
           "below a directory that was deleted: ERROR_PATH_NOT_FOUND")
{
    put_dir(image, L"d");
    put_dir(image, L"d\\e");
    need_hr("CimDeletePath", cim.DeletePath(image, L"d"));
    check_hr("in it", try_create_file(image, L"d\\f", meta(0, 0)), HR_PATH_NOT_FOUND);
    check_hr("deeper", try_create_file(image, L"d\\e\\f", meta(0, 0)), HR_PATH_NOT_FOUND);
}

FRESH_CASE(failure_harmless, "CreateFile/FailureHarmless", CLIENT, "hcsshim layer import", 0,
           "after a call that failed the session goes on and can be committed")
{
    HRESULT hr;

    put_text(image, L"before", "one");
    hr = try_create_file(NULL, L"f", meta(0, 0));
    check_bool("no image: failed", FAILED(hr), true);
    note("below a missing directory: 0x%08lx",
         (unsigned long)try_create_file(image, L"no\\f", meta(0, 0)));
    note("a missing item's stream: 0x%08lx", (unsigned long)try_create_stream(image, L"none:s", 1));
    note("a missing item's link: 0x%08lx", (unsigned long)cim.CreateHardLink(image, L"l", L"none"));
    note("a missing item's deletion: 0x%08lx", (unsigned long)cim.DeletePath(image, L"none"));
    put_text(image, L"after", "two");
    commit_and_close(image);
    holds("before", L"before", "one");
    holds("after", L"after", "two");
}

/* ---- colons ---------------------------------------------------------------------------------- */

FRESH_CASE(colon, "CreateFile/Colon", DECISION, "D11", 0,
           "a path with ':' is no path of a file: E_INVALIDARG, whether that file is there or not")
{
    static const WCHAR *const paths[] = {L"a:b",    L"f:s",    L"f:s:$DATA", L"f::$DATA",
                                         L"f:",     L":s",     L"C:\\f",     L"C:f",
                                         L"d\\a:b", L"a:b\\c", L"\\:s",      L"f:\\s"};
    char name[40];
    size_t i;

    put_dir(image, L"d");
    put_text(image, L"f", "hello");
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        snprintf(name, sizeof(name), "%ls", paths[i]);
        check_hr(name, try_create_file(image, paths[i], meta(0, 0)), E_INVALIDARG);
    }
    check_hr("directory a:b", try_create_file(image, L"a:b", meta(FILE_ATTRIBUTE_DIRECTORY, 0)),
             E_INVALIDARG);
    commit_and_close(image);
    holds("the file", L"f", "hello");
    gone("a stream", L"f:s");
}
