/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delete.c - CimDeletePath, in the session that made the items
 *
 * Deleting what was inherited stands in forks.c.
 */
#include "items.h"

FRESH_CASE(file, "DeletePath/File", DOC, "CimDeletePath page", 0,
           "a file is removed, and what is beside it stays")
{
    put_dir(image, L"d");
    put_text(image, L"a", "a");
    put_text(image, L"b", "b");
    put_text(image, L"d\\a", "da");
    put_text(image, L"d\\b", "db");
    check_hr("at the root", cim.DeletePath(image, L"a"), S_OK);
    check_hr("in a directory", cim.DeletePath(image, L"d\\b"), S_OK);
    commit_and_close(image);
    gone("a", L"a");
    gone("d\\b", L"d\\b");
    holds("b", L"b", "b");
    holds("d\\a", L"d\\a", "da");
}

FRESH_CASE(directory, "DeletePath/Directory", DOC, "CimDeletePath page", 0,
           "a directory is removed with everything below it")
{
    put_dir(image, L"d");
    put_dir(image, L"d\\e");
    put_dir(image, L"d\\e\\empty");
    put_text(image, L"d\\f", "one");
    put_text(image, L"d\\e\\f", "two");
    put_stream(image, L"d\\e:s", "s", 1);
    put_dir(image, L"dd");
    put_text(image, L"dd\\f", "stays");
    check_hr("hr", cim.DeletePath(image, L"d"), S_OK);
    check_hr("its file is gone at once", cim.DeletePath(image, L"d\\f"), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    gone("directory", L"d");
    gone("its file", L"d\\f");
    gone("a deeper file", L"d\\e\\f");
    gone("a deeper directory", L"d\\e\\empty");
    holds("another directory", L"dd\\f", "stays");
}

FRESH_CASE(recreated_empty, "DeletePath/RecreatedIsEmpty", DOC, "CimDeletePath page", 0,
           "a directory that was deleted and created again has none of the old children")
{
    put_dir(image, L"d");
    put_dir(image, L"d\\e");
    put_text(image, L"d\\f", "one");
    put_text(image, L"d\\e\\f", "two");
    need_hr("CimDeletePath", cim.DeletePath(image, L"d"));
    put_dir(image, L"d");
    put_text(image, L"d\\new", "three");
    commit_and_close(image);
    gone("old file", L"d\\f");
    gone("old directory", L"d\\e");
    gone("old deeper file", L"d\\e\\f");
    holds("new file", L"d\\new", "three");
}

FRESH_CASE(stream, "DeletePath/Stream", DOC, "CimDeletePath page", 0,
           "an alternate stream is removed; its file, directory and other streams stay")
{
    put_dir(image, L"d");
    put_text(image, L"d\\f", "hello");
    put_stream(image, L"d\\f:s", "one", 3);
    put_stream(image, L"d\\f:t", "two", 3);
    put_stream(image, L"d:s", "three", 5);
    put_stream(image, L"d:t", "four", 4);
    check_hr("a file's", cim.DeletePath(image, L"d\\f:s"), S_OK);
    check_hr("a directory's", cim.DeletePath(image, L"d:t"), S_OK);
    commit_and_close(image);
    gone("the file's", L"d\\f:s");
    gone("the directory's", L"d:t");
    holds("the file", L"d\\f", "hello");
    holds("the file's other", L"d\\f:t", "two");
    holds("the directory's other", L"d:s", "three");
}

FRESH_CASE(stream_again, "DeletePath/StreamCreatedAgain", DOC, "CimDeletePath page", 0,
           "a stream that was deleted can be created again")
{
    put_text(image, L"f", "hello");
    put_stream(image, L"f:s", "the old one", 11);
    need_hr("CimDeletePath", cim.DeletePath(image, L"f:s"));
    put_stream(image, L"f:s", "new", 3);
    commit_and_close(image);
    holds("stream", L"f:s", "new");
}

FRESH_CASE(link_name, "DeletePath/HardLinkName", DOC, "CimDeletePath page", 0,
           "deleting one of a file's names leaves it under the others, streams included")
{
    put_text(image, L"a", "first");
    put_stream(image, L"a:s", "stream", 6);
    put_link(image, L"a2", L"a");
    put_text(image, L"b", "second");
    put_link(image, L"b2", L"b");
    check_hr("the first name", cim.DeletePath(image, L"a"), S_OK);
    check_hr("the second name", cim.DeletePath(image, L"b2"), S_OK);
    commit_and_close(image);
    gone("the first name's", L"a");
    gone("the second name's", L"b2");
    holds("other name of the first", L"a2", "first");
    holds("its stream", L"a2:s", "stream");
    holds("other name of the second", L"b", "second");
}

FRESH_CASE(link_outside, "DeletePath/LinkOutsideDirectory", DOC, "CimDeletePath page", 0,
           "a file in a deleted directory stays under its name outside")
{
    put_dir(image, L"d");
    put_text(image, L"d\\f", "hello");
    put_link(image, L"outside", L"d\\f");
    check_hr("hr", cim.DeletePath(image, L"d"), S_OK);
    commit_and_close(image);
    gone("inside", L"d\\f");
    holds("outside", L"outside", "hello");
}

FRESH_CASE(last_link, "DeletePath/AllNames", DOC, "CimDeletePath page", 0,
           "when all names of a file are deleted it is gone, and the session goes on")
{
    put_text(image, L"a", "hello");
    put_link(image, L"b", L"a");
    put_text(image, L"c", "stays");
    check_hr("the first", cim.DeletePath(image, L"a"), S_OK);
    check_hr("the second", cim.DeletePath(image, L"b"), S_OK);
    check_hr("the first again", cim.DeletePath(image, L"a"), HR_PATH_NOT_FOUND);
    check_hr("a link to it", cim.CreateHardLink(image, L"d", L"b"), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    gone("the first's", L"a");
    gone("the second's", L"b");
    holds("another file", L"c", "stays");
}

FRESH_CASE(directory_stays, "DeletePath/ParentStays", CLIENT, "CimFSAPI sample", 0,
           "a directory stays when its last child is deleted")
{
    put_dir(image, L"d");
    put_text(image, L"d\\f", "hello");
    check_hr("hr", cim.DeletePath(image, L"d\\f"), S_OK);
    commit_and_close(image);
    there("directory", L"d");
    gone("child", L"d\\f");
}

FRESH_CASE(everything, "DeletePath/Everything", DECISION, "as of an empty image", 0,
           "an image whose items were all deleted can be committed and extended")
{
    put_dir(image, L"d");
    put_text(image, L"d\\f", "hello");
    put_text(image, L"g", "hello");
    check_hr("directory", cim.DeletePath(image, L"d"), S_OK);
    check_hr("file", cim.DeletePath(image, L"g"), S_OK);
    check_hr("commit", cim.CommitImage(image), S_OK);
    close_image(image);
    gone("d", L"d");
    gone("g", L"g");
    write_image(case_dir(), IMAGE, NULL, L"g", "again");
    holds("added later", L"g", "again");
}

/* ---- what isn't there ------------------------------------------------------------------------ */

FRESH_CASE(missing, "DeletePath/Missing", DOC, "CimDeletePath page", 0,
           "a path that isn't there: ERROR_PATH_NOT_FOUND")
{
    put_dir(image, L"d");
    check_hr("at the root", cim.DeletePath(image, L"none"), HR_PATH_NOT_FOUND);
    check_hr("in a directory", cim.DeletePath(image, L"d\\none"), HR_PATH_NOT_FOUND);
    put_text(image, L"f", "");
    need_hr("CimDeletePath", cim.DeletePath(image, L"f"));
    check_hr("deleted before", cim.DeletePath(image, L"f"), HR_PATH_NOT_FOUND);
}

FRESH_CASE(not_exist, "DeletePath/MissingIsNotExist", CLIENT, "hcsshim forked layer writer", 0,
           "a missing path is answered by an error that a Go program takes for \"doesn't exist\"")
{
    put_text(image, L"f", "");
    check_hr_in("leaf", cim.DeletePath(image, L"none"), 2, HR_FILE_NOT_FOUND, HR_PATH_NOT_FOUND);
    check_hr_in("parent", cim.DeletePath(image, L"no\\f"), 2, HR_FILE_NOT_FOUND, HR_PATH_NOT_FOUND);
    check_hr("the session goes on", cim.DeletePath(image, L"f"), S_OK);
}

FRESH_CASE(missing_more, "DeletePath/MissingParentOrStream", DECISION, "D5", 0,
           "a missing parent or stream, or a file on the way: ERROR_PATH_NOT_FOUND")
{
    put_dir(image, L"d");
    put_text(image, L"f", "hello");
    put_stream(image, L"f:s", "stream", 6);
    check_hr("parent", cim.DeletePath(image, L"no\\f"), HR_PATH_NOT_FOUND);
    check_hr("two parents", cim.DeletePath(image, L"no\\no\\f"), HR_PATH_NOT_FOUND);
    check_hr("below a file", cim.DeletePath(image, L"f\\g"), HR_PATH_NOT_FOUND);
    check_hr("stream", cim.DeletePath(image, L"f:none"), HR_PATH_NOT_FOUND);
    check_hr("directory's stream", cim.DeletePath(image, L"d:none"), HR_PATH_NOT_FOUND);
    check_hr("stream of a missing file", cim.DeletePath(image, L"none:s"), HR_PATH_NOT_FOUND);
    check_hr("stream below a missing parent", cim.DeletePath(image, L"no\\f:s"), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    holds("file", L"f", "hello");
    holds("its stream", L"f:s", "stream");
}

/* ---- refusals -------------------------------------------------------------------------------- */

FRESH_CASE(file_open, "DeletePath/FileOpen", DOC, "CimDeletePath page", 0,
           "while a file's stream is open: ERROR_SHARING_VIOLATION, and nothing is removed")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"a", "hello");
    stream = open_file(image, L"f", 2);
    check_hr("another file", cim.DeletePath(image, L"a"), HR_SHARING);
    check_hr("the open one", cim.DeletePath(image, L"f"), HR_SHARING);
    check_hr("write", cim.WriteStream(stream, "ok", 2), S_OK);
    close_stream(stream);
    commit_and_close(image);
    holds("another file's", L"a", "hello");
    holds("the open one's", L"f", "ok");
}

FRESH_CASE(
        stream_open, "DeletePath/AlternateStreamOpen", DOC, "CimDeletePath page", 0,
        "while an alternate stream is open: ERROR_SHARING_VIOLATION; when it is closed it can go")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"a", "hello");
    stream = open_alternate(image, L"a:s", 1);
    check_hr("its file", cim.DeletePath(image, L"a"), HR_SHARING);
    check_hr("the stream", cim.DeletePath(image, L"a:s"), HR_SHARING);
    close_stream(stream);
    check_hr("when it is closed", cim.DeletePath(image, L"a:s"), S_OK);
}

FRESH_CASE(leaves_no_stream, "DeletePath/LeavesNoStreamOpen", DOC, "CimDeletePath page", 0,
           "the stream that the function opens is closed when it is done, also when it failed")
{
    put_text(image, L"a", "hello");
    check_hr("delete", cim.DeletePath(image, L"a"), S_OK);
    check_hr("a next file", try_create_file(image, L"f", meta(0, 0)), S_OK);
    check_bool("what isn't there fails", FAILED(cim.DeletePath(image, L"none")), true);
    check_hr("a next file after that", try_create_file(image, L"g", meta(0, 0)), S_OK);
    check_bool("once more", FAILED(cim.DeletePath(image, L"none")), true);
    check_hr("commit", cim.CommitImage(image), S_OK);
}

CASE(null_image, "DeletePath/NullImage", DOC, "CimDeletePath page", 0,
     "an image handle that isn't valid: E_INVALIDARG")
{
    check_hr("hr", cim.DeletePath(NULL, L"a"), E_INVALIDARG);
}

CASE(null_path, "DeletePath/NullPath", QUESTION, "Q-35", 0, "the path is NULL")
{
    see_hr("hr", cim.DeletePath(fresh(), NULL));
}

/* ---- spelling -------------------------------------------------------------------------------- */

FRESH_CASE(suffix, "DeletePath/DataSuffix", DECISION, "D10", 0,
           "a stream can be named with :$DATA; other types and an empty name are E_INVALIDARG")
{
    put_text(image, L"f", "hello");
    put_stream(image, L"f:s", "stream", 6);
    check_hr("another type", cim.DeletePath(image, L"f:s:$INDEX_ALLOCATION"), E_INVALIDARG);
    check_hr("the primary stream", cim.DeletePath(image, L"f::$DATA"), E_INVALIDARG);
    check_hr("no name", cim.DeletePath(image, L"f:"), E_INVALIDARG);
    check_hr("with $DATA", cim.DeletePath(image, L"f:s:$DATA"), S_OK);
    commit_and_close(image);
    gone("stream", L"f:s");
    holds("file", L"f", "hello");
}

FRESH_CASE(without_case, "DeletePath/CaseOfNames", DECISION, "D24", 0,
           "the path is found without regard to case")
{
    put_dir(image, L"Dir");
    put_text(image, L"Dir\\File", "hello");
    put_text(image, L"Dir\\Other", "hello");
    put_stream(image, L"Dir\\Other:Stream", "stream", 6);
    check_hr("file", cim.DeletePath(image, L"dIR\\fILE"), S_OK);
    check_hr("stream", cim.DeletePath(image, L"DIR\\OTHER:STREAM"), S_OK);
    commit_and_close(image);
    gone("the file", L"Dir\\File");
    gone("the stream", L"Dir\\Other:Stream");
    there("the other file", L"Dir\\Other");
}

FRESH_CASE(backslash, "DeletePath/LeadingBackslash", DECISION, "D20", 0,
           "the path may begin with a backslash")
{
    put_dir(image, L"d");
    put_text(image, L"d\\f", "hello");
    put_text(image, L"g", "hello");
    check_hr("file", cim.DeletePath(image, L"\\g"), S_OK);
    check_hr("directory", cim.DeletePath(image, L"\\d"), S_OK);
    commit_and_close(image);
    gone("the file", L"g");
    gone("the directory", L"d");
}
