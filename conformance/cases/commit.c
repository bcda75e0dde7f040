/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit.c - CimCommitImage and CimCloseImage: how a session ends
 */
#include "../suite/suite.h"

#define COMMIT_PAGE "CimCommitImage page"
#define CLOSE_PAGE "CimCloseImage page"

FRESH_CASE(commit_makes, "Commit/MakesTheImage", DOC, COMMIT_PAGE, 0,
           "a commit makes the image under the name given at the start")
{
    put_text(image, L"f", "x");
    check_hr("hr", cim.CommitImage(image), S_OK);
    close_image(image);
    check_bool("the image is there", file_exists(case_dir(), L"a.cim"), true);
    check_stored_text("f", case_dir(), L"a.cim", L"f", "x");
}

FRESH_CASE(commit_before_close, "Commit/VisibleBeforeClose", DECISION, "evidence.md 10.11", 0,
           "after the commit, before the close, the image's file is there and not empty")
{
    size_t size = 0;
    void *data;

    put_text(image, L"f", "x");
    commit(image);
    data = load_file(join(case_dir(), L"a.cim"), &size);
    check_bool("it is there", data != NULL, true);
    check_bool("it is not empty", size > 0, true);
    free(data);
    close_image(image);
}

FRESH_CASE(commit_empty, "Commit/EmptyImage", DECISION, "as hcsshim's test of block images", 0,
           "an image with nothing in it can be committed")
{
    check_hr("hr", cim.CommitImage(image), S_OK);
    close_image(image);
    check_bool("the image is there", file_exists(case_dir(), L"a.cim"), true);
    check_exists("something in it", case_dir(), L"a.cim", L"f", false);
}

CASE(commit_unchanged, "Commit/NothingChanged", CLIENT, "hcsshim cim_writer (commits at close)", 0,
     "an extension and a fork that change nothing can be committed, and hold what was there")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", NULL);
    check_hr("extension", cim.CommitImage(image), S_OK);
    close_image(image);
    image = open_image(case_dir(), L"base.cim", L"fork.cim");
    check_hr("fork", cim.CommitImage(image), S_OK);
    close_image(image);
    check_stored_text("extension's file", case_dir(), L"base.cim", L"file.txt", "hello");
    check_stored_text("fork's file", case_dir(), L"fork.cim", L"d\\inner.txt", "inner");
}

FRESH_CASE(commit_bad, "Commit/BadHandle", DECISION, "D25", MAY_BREAK_DLL,
           "a closed handle, or NULL: E_INVALIDARG")
{
    close_image(image);
    check_hr("closed", cim.CommitImage(image), E_INVALIDARG);
    check_hr("NULL", cim.CommitImage(NULL), E_INVALIDARG);
}

FRESH_CASE(commit_stream, "Commit/StreamOpen", DOC, COMMIT_PAGE, 0,
           "a stream is open: ERROR_SHARING_VIOLATION")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    check_hr("hr", cim.CommitImage(image), HR_SHARING);
    see_bool("an image is there", file_exists(case_dir(), L"a.cim"));
    cim.CloseStream(stream);
}

FRESH_CASE(commit_stream_again, "Commit/AfterStreamOpen", DECISION, "D27", 0,
           "after that error the session goes on: the stream can be written, and then committed")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    check_hr("commit with the stream open", cim.CommitImage(image), HR_SHARING);
    check_hr("write", cim.WriteStream(stream, "text", 4), S_OK);
    cim.CloseStream(stream);
    check_hr("commit", cim.CommitImage(image), S_OK);
    close_image(image);
    check_stored_text("f", case_dir(), L"a.cim", L"f", "text");
}

FRESH_CASE(commit_dir_stream, "Commit/DirectoryStreamOpen", DOC, COMMIT_PAGE, 0,
           "a directory's stream is a stream that is open, too")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile",
            cim.CreateFile(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0), &stream));
    check_hr("hr", cim.CommitImage(image), HR_SHARING);
    cim.CloseStream(stream);
}

FRESH_CASE(commit_ends, "Commit/NothingAfterIt", DECISION, "D26", 0,
           "after the commit no operation succeeds on the handle")
{
    put_text(image, L"f", "x");
    commit(image);
    check_bool("CimCreateFile fails", FAILED(try_create_file(image, L"g", meta(0, 0))), true);
    check_bool("CimCreateAlternateStream fails", FAILED(try_create_stream(image, L"f:s", 1)), true);
    check_bool("CimCreateHardLink fails", FAILED(cim.CreateHardLink(image, L"h", L"f")), true);
    check_bool("CimDeletePath fails", FAILED(cim.DeletePath(image, L"f")), true);
    close_image(image);
    check_stored_text("f", case_dir(), L"a.cim", L"f", "x");
    check_exists("g", case_dir(), L"a.cim", L"g", false);
    check_exists("h", case_dir(), L"a.cim", L"h", false);
}

FRESH_CASE(commit_ends_how, "Commit/AnswersAfterIt", DECISION, "D26", 0,
           "after the commit each call, another commit too, answers E_INVALIDARG")
{
    put_text(image, L"f", "x");
    commit(image);
    check_hr("CimCreateFile", try_create_file(image, L"g", meta(0, 0)), E_INVALIDARG);
    check_hr("CimCreateAlternateStream", try_create_stream(image, L"f:s", 1), E_INVALIDARG);
    check_hr("CimCreateHardLink", cim.CreateHardLink(image, L"h", L"f"), E_INVALIDARG);
    check_hr("CimDeletePath", cim.DeletePath(image, L"f"), E_INVALIDARG);
    check_hr("CimCommitImage", cim.CommitImage(image), E_INVALIDARG);
    close_image(image);
}

FRESH_CASE(commit_close_needed, "Commit/HandleStillToClose", DECISION, "evidence.md 10.4", 0,
           "after the commit the handle still has to be closed: until then the directory is in use")
{
    CIMFS_IMAGE_HANDLE other = NULL;

    put_text(image, L"f", "x");
    commit(image);
    check_hr("before", cim.CreateImage(case_dir(), NULL, L"b.cim", &other), HR_SHARING);
    close_image(image);
    check_hr("after", cim.CreateImage(case_dir(), NULL, L"b.cim", &other), S_OK);
    track_image(other);
}

FRESH_CASE(commit_name_taken, "Commit/NameTakenMeanwhile", QUESTION, "architecture.md 3.2", 0,
           "the new name is taken between CimCreateImage and the commit")
{
    size_t size;
    char *data;

    put_text(image, L"f", "x");
    save_file(join(case_dir(), L"a.cim"), "mine", 4);
    see_hr("hr", cim.CommitImage(image));
    close_image(image);
    data = load_file(join(case_dir(), L"a.cim"), &size);
    see_bool("the other's file is untouched", data && size == 4 && !memcmp(data, "mine", 4));
    free(data);
}

CASE(commit_held, "Commit/ImageHeldOpen", DECISION, "D47", 0,
     "the image to be overwritten is held open by a program: ERROR_SHARING_VIOLATION, and the "
     "session goes on")
{
    CIMFS_IMAGE_HANDLE image;
    HANDLE file;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", NULL);
    put_text(image, L"more", "x");
    file = CreateFileW(join(case_dir(), L"base.cim"), GENERIC_READ, FILE_SHARE_READ, NULL,
                       OPEN_EXISTING, 0, NULL);
    need(file != INVALID_HANDLE_VALUE, "can't open the image's file: error %lu", GetLastError());
    check_hr("while it is open", cim.CommitImage(image), HR_SHARING);
    CloseHandle(file);
    check_hr("when it is closed", cim.CommitImage(image), S_OK);
    close_image(image);
    check_stored_text("more", case_dir(), L"base.cim", L"more", "x");
}

CASE(commit_changed, "Commit/ImageChangedMeanwhile", DECISION, "D35", 0,
     "the image being extended was changed by somebody else: ERROR_SHARING_VIOLATION, and the "
     "other's work stays")
{
    const WCHAR *other = new_dir(L"other");
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    write_image(other, NULL, L"base.cim", L"other", "o");
    image = open_image(case_dir(), L"base.cim", NULL);
    put_text(image, L"more", "x");
    copy_files(other, new_dir(L"spare"));
    need(CopyFileW(join(other, L"base.cim"), join(case_dir(), L"base.cim"), FALSE),
         "can't replace the image's file: error %lu", GetLastError());
    check_hr("hr", cim.CommitImage(image), HR_SHARING);
    close_image(image);
}

FRESH_CASE(
        commit_retry, "Commit/RetryAfterFailure", QUESTION, "Q-34", 0,
        "a commit failed because a stream was open: what do the same and other calls answer then?")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    see_hr("commit with a stream open", cim.CommitImage(image));
    see_hr("again", cim.CommitImage(image));
    see_hr("write", cim.WriteStream(stream, "text", 4));
    cim.CloseStream(stream);
    see_hr("another file", try_create_file(image, L"g", meta(0, 0)));
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_stored("f", case_dir(), L"a.cim", L"f");
}

/* ---- closing -----------------------------------------------------------------------------------
 */

FRESH_CASE(close_discards, "Close/DiscardsFresh", DOC, CLOSE_PAGE, 0,
           "closed before its commit, a fresh image is not there")
{
    put_text(image, L"f", "x");
    close_image(image);
    check_bool("the image is there", file_exists(case_dir(), L"a.cim"), false);
}

CASE(close_discards_extension, "Close/DiscardsExtension", DOC, CLOSE_PAGE, 0,
     "closed before its commit, an extension leaves the image as it was")
{
    size_t size, size_after;
    CIMFS_IMAGE_HANDLE image;
    void *before, *after;

    make_base(case_dir());
    before = load_file(join(case_dir(), L"base.cim"), &size);
    image = open_image(case_dir(), L"base.cim", NULL);
    put_text(image, L"more", "x");
    put_text(image, L"file.txt", "changed");
    need_hr("CimDeletePath", cim.DeletePath(image, L"d"));
    close_image(image);
    after = load_file(join(case_dir(), L"base.cim"), &size_after);
    check_bool("the image's file has the same bytes",
               before && after && size == size_after && !memcmp(before, after, size), true);
    check_stored_text("a file that was replaced", case_dir(), L"base.cim", L"file.txt", "hello");
    check_stored_text("a file that was deleted", case_dir(), L"base.cim", L"d\\inner.txt", "inner");
    check_exists("a file that was added", case_dir(), L"base.cim", L"more", false);
    free(before);
    free(after);
}

CASE(close_discards_fork, "Close/DiscardsFork", DOC, CLOSE_PAGE, 0,
     "closed before its commit, a fork is not there and the parent as it was")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", L"fork.cim");
    put_text(image, L"file.txt", "changed");
    close_image(image);
    check_bool("the fork is there", file_exists(case_dir(), L"fork.cim"), false);
    check_stored_text("the parent's file", case_dir(), L"base.cim", L"file.txt", "hello");
}

FRESH_CASE(close_again, "Close/FreesTheName", DOC, CLOSE_PAGE, 0,
           "after a discarded session the same name can be made")
{
    put_text(image, L"f", "discarded");
    close_image(image);
    check_hr("hr", cim.CreateImage(case_dir(), NULL, L"a.cim", &image), S_OK);
    track_image(image);
    put_text(image, L"f", "kept");
    commit_and_close(image);
    check_stored_text("f", case_dir(), L"a.cim", L"f", "kept");
}

FRESH_CASE(
        close_stream_after, "Close/StreamAfterImage", DOC, CLOSE_PAGE, 0,
        "an image may be closed with its stream open: its resources go when the stream is closed")
{
    CIMFS_IMAGE_HANDLE other = NULL;
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    close_image(image);
    cim.CloseStream(stream);
    check_hr("then the directory is free", cim.CreateImage(case_dir(), NULL, L"b.cim", &other),
             S_OK);
    track_image(other);
    check_bool("and no image was made", file_exists(case_dir(), L"a.cim"), false);
}

FRESH_CASE(close_stream_keeps, "Close/OpenStreamKeepsDirectory", DECISION, "D25", 0,
           "until that stream is closed the directory stays in use")
{
    CIMFS_IMAGE_HANDLE other = NULL;
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    close_image(image);
    check_hr("a second session", cim.CreateImage(case_dir(), NULL, L"b.cim", &other), HR_SHARING);
    cim.CloseStream(stream);
}

CASE(close_null, "Close/NullAndTwice", DECISION, "D25", MAY_BREAK_DLL,
     "closing NULL, or a handle that was closed, does nothing")
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"a.cim"), other;

    cim.CloseImage(NULL);
    cim.CloseStream(NULL);
    close_image(image);
    cim.CloseImage(image);
    other = open_image(case_dir(), NULL, L"b.cim");
    put_text(other, L"f", "x");
    cim.CloseImage(image);
    check_hr("another session goes on", cim.CommitImage(other), S_OK);
    close_image(other);
}

CASE(close_releases, "Close/ReleasesFilesAtOnce", DECISION, "evidence.md 10.13", 0,
     "right after the close the image's files can be deleted, and the directory")
{
    const WCHAR *dir = new_dir(L"gone");
    WIN32_FIND_DATAW data;
    HANDLE find;
    int left = 0;

    make_base(dir);
    find = FindFirstFileW(join(dir, L"*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no files");
    do
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            left += !DeleteFileW(join(dir, data.cFileName));
    while (FindNextFileW(find, &data));
    FindClose(find);
    check_number("files that can't be deleted", left, 0);
    check_bool("the directory goes", RemoveDirectoryW(dir), true);
}
