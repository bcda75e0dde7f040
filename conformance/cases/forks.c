/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forks.c - what a session does to items that it inherited
 *
 * A session that extends an image and one that forks it must treat inherited items alike, as if
 * they had been made in it; so each behaviour is a function of the kind of session, and often a
 * case for the session that made the items, too. Deletion, links and streams stand in forkitems.c,
 * what is between a fork and its base in layers.c.
 */
#include "inherited.h"

/* ---- nothing and additions ------------------------------------------------------------------- */

static void inherits(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_text(image, L"added", "new");
    commit_and_close(image);
    text_in(session, "added", L"added", "new");
    REST_IS_THERE(session, NULL);
}

CASE_CALL(extend_inherits, "Extend/Inherits", DOC, "CimCreateImage page", 0,
          "what is added to an existing image is there beside all that was", inherits(EXTEND))

CASE_CALL(fork_inherits, "Fork/Inherits", DOC, "CimCreateImage page", 0,
          "a fork holds all that its base holds and what was added", inherits(FORK))

CASE(extend_same_name, "Extend/SameName", DOC, "CimCreateImage page", 0,
     "the same name as existing and as new one extends the image, too")
{
    CIMFS_IMAGE_HANDLE image = inherited(EXTEND);

    close_image(image);
    write_image(case_dir(), IMAGE, IMAGE, L"added", "new");
    holds("added", L"added", "new");
    REST_IS_THERE(EXTEND, NULL);
}

static void unchanged(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("commit", cim.CommitImage(image), S_OK);
    close_image(image);
    REST_IS_THERE(session, NULL);
}

CASE_CALL(extend_nothing, "Extend/Nothing", DOC, "CimCreateImage page", 0,
          "an image that is extended by nothing holds what it held", unchanged(EXTEND))

CASE_CALL(fork_nothing, "Fork/Nothing", DOC, "CimCreateImage page", 0,
          "a fork to which nothing is done holds what its base holds", unchanged(FORK))

static void metadata_kept(enum session session)
{
    CIMFS_IMAGE_HANDLE image = fresh();
    FILE_STAT_BASIC_INFORMATION info;
    const UINT32 bits = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM;

    put_item(image, L"f", meta(bits, 5), "hello", 5);
    put_item(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, 0), NULL, 0);
    image = reopen(image, session);
    put_text(image, L"d\\added", "new");
    commit_and_close(image);
    need_hr("stat of the file", stored_stat(case_dir(), made_by(session), L"f", &info));
    check_hex("file's attributes", info.FileAttributes, bits);
    check_number("file's creation", info.CreationTime.QuadPart, TIME_CREATION);
    check_number("file's last write", info.LastWriteTime.QuadPart, TIME_WRITE);
    check_number("file's size", info.EndOfFile.QuadPart, 5);
    need_hr("stat of the directory", stored_stat(case_dir(), made_by(session), L"d", &info));
    check_hex("directory's attributes", info.FileAttributes,
              FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN);
    check_number("directory's last write, though a file was added", info.LastWriteTime.QuadPart,
                 TIME_WRITE);
}

CASE_CALL(extend_metadata, "Extend/MetadataKept", DOC, "CimCreateImage page", 0,
          "inherited items keep their attributes and times", metadata_kept(EXTEND))

CASE_CALL(fork_metadata, "Fork/MetadataKept", DOC, "CimCreateImage page", 0,
          "in a fork inherited items keep their attributes and times", metadata_kept(FORK))

static void adds_below(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("directory", try_create_file(image, L"d\\e\\new", meta(FILE_ATTRIBUTE_DIRECTORY, 0)),
             S_OK);
    put_text(image, L"d\\e\\new\\f", "one");
    put_text(image, L"d\\f", "two");
    commit_and_close(image);
    text_in(session, "below a new directory", L"d\\e\\new\\f", "one");
    text_in(session, "below an inherited one", L"d\\f", "two");
    REST_IS_THERE(session, NULL);
}

CASE_CALL(extend_below, "Extend/BelowInherited", CLIENT, "hcsshim 2020 layer writer", 0,
          "items are added below inherited directories without making those again",
          adds_below(EXTEND))

CASE_CALL(fork_below, "Fork/BelowInherited", CLIENT, "hcsshim 2020 layer import", 0,
          "in a fork items are added below inherited directories without making those again",
          adds_below(FORK))

static void parent_rules(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("missing", try_create_file(image, L"d\\no\\f", meta(0, 0)), HR_PATH_NOT_FOUND);
    check_hr("a file", try_create_file(image, L"d\\inner\\f", meta(0, 0)), HR_PATH_NOT_FOUND);
    check_hr("stream", try_create_stream(image, L"d\\none:s", 0), HR_PATH_NOT_FOUND);
    check_hr("new link", cim.CreateHardLink(image, L"d\\no\\l", L"file"), HR_PATH_NOT_FOUND);
}

CASE_CALL(extend_parents, "Extend/ParentMissing", DECISION, "D1", 0,
          "below inherited items, too, the parent must be there and a directory",
          parent_rules(EXTEND))

CASE_CALL(fork_parents, "Fork/ParentMissing", DECISION, "D1", 0,
          "in a fork, too, the parent must be there and a directory", parent_rules(FORK))

/* ---- replacing ------------------------------------------------------------------------------- */

static void replaces_files(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_text(image, L"alone", "no longer");
    put_text(image, L"d\\e\\deep", "new");
    put_text(image, L"d\\other", "");
    commit_and_close(image);
    text_in(session, "at the root", L"alone", "no longer");
    text_in(session, "below", L"d\\e\\deep", "new");
    text_in(session, "emptied", L"d\\other", "");
    REST_IS_THERE(session, L"alone", L"d\\e\\deep", L"d\\other");
}

CASE_CALL(extend_replaces, "Extend/ReplacesFile", DOC, "CimCreateFile page", 0,
          "a file created over an inherited one takes its place", replaces_files(EXTEND))

CASE_CALL(fork_replaces, "Fork/ReplacesFile", DOC, "CimCreateFile page", 0,
          "in a fork a file created over an inherited one takes its place", replaces_files(FORK))

static void replaced_streams(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_text(image, L"d\\inner", "new");
    commit_and_close(image);
    text_in(session, "file", L"d\\inner", "new");
    there_in(session, "its old stream", L"d\\inner:s", false);
    REST_IS_THERE(session, L"d\\inner", L"d\\inner:s");
}

CASE_CALL(extend_replaced_streams, "Extend/ReplacedDropsStreams", DECISION, "D7", 0,
          "a file created over an inherited one has none of its streams", replaced_streams(EXTEND))

CASE_CALL(fork_replaced_streams, "Fork/ReplacedDropsStreams", DECISION, "D7", 0,
          "in a fork a file created over an inherited one has none of its streams",
          replaced_streams(FORK))

static void one_of_links(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_text(image, L"file", "new");
    commit_and_close(image);
    text_in(session, "that name", L"file", "new");
    text_in(session, "the other name", L"link", "hello");
    text_in(session, "the other name's stream", L"link:s", "stream");
    there_in(session, "that name's stream", L"file:s", false);
    REST_IS_THERE(session, L"file", L"file:s", L"file:t");
}

CASE_CALL(same_one_of_links, "CreateFile/OverOneOfLinks", DECISION, "D7", 0,
          "over one of several links: that name gets a new file, the other keeps the old with its "
          "streams",
          one_of_links(SAME))

CASE_CALL(extend_one_of_links, "Extend/OverOneOfLinks", DECISION, "D7", 0,
          "over one of several inherited links: that name gets a new file, the other keeps the old",
          one_of_links(EXTEND))

CASE_CALL(fork_one_of_links, "Fork/OverOneOfLinks", DECISION, "D7", 0,
          "in a fork, over one of several inherited links: the other name keeps the old file",
          one_of_links(FORK))

static void directory_kept(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, 0);
    FILE_STAT_BASIC_INFORMATION info;

    metadata->LastWriteTime.QuadPart = TIME_WRITE + 9000000;
    put_item(image, L"d", metadata, NULL, 0);
    put_text(image, L"d\\added", "new");
    commit_and_close(image);
    need_hr("stat", stored_stat(case_dir(), made_by(session), L"d", &info));
    check_hex("attributes", info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN);
    check_number("last write", info.LastWriteTime.QuadPart, TIME_WRITE + 9000000);
    text_in(session, "added", L"d\\added", "new");
    REST_IS_THERE(session, L"d:s");
}

CASE_CALL(same_directory_kept, "CreateFile/DirectoryKeepsChildren", DECISION, "D2", 0,
          "a directory created where a directory is gets the new metadata and keeps its children",
          directory_kept(SAME))

CASE_CALL(extend_directory_kept, "Extend/DirectoryKeepsChildren", DECISION, "D2", 0,
          "an inherited directory that is created again gets the new metadata "
          "and keeps its children",
          directory_kept(EXTEND))

CASE_CALL(fork_directory_kept, "Fork/DirectoryKeepsChildren", DECISION, "D2", 0,
          "in a fork an inherited directory created again gets the new metadata, "
          "keeps its children",
          directory_kept(FORK))

CASE(fork_children_kept, "Fork/ChildrenOfDirectoryMadeAgain", CLIENT, "hcsshim forked layer import",
     0, "in a fork an inherited directory that is created again keeps its children")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK);

    put_dir(image, L"d");
    put_dir(image, L"d\\e");
    put_text(image, L"d\\added", "new");
    commit_and_close(image);
    text_in(FORK, "added", L"d\\added", "new");
    text_in(FORK, "its file", L"d\\inner", "inner");
    text_in(FORK, "its other file", L"d\\other", "other");
    text_in(FORK, "below its directory", L"d\\e\\deep", "deep");
}

static void directory_streams(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_dir(image, L"d");
    commit_and_close(image);
    text_in(session, "stream", L"d:s", "of d");
}

CASE_CALL(same_directory_streams, "CreateFile/DirectoryKeepsStreams", DECISION, "D2", 0,
          "a directory created where a directory is keeps its streams", directory_streams(SAME))

CASE_CALL(extend_directory_streams, "Extend/DirectoryKeepsStreams", DECISION, "D2", 0,
          "an inherited directory that is created again keeps its streams",
          directory_streams(EXTEND))

CASE_CALL(fork_directory_streams, "Fork/DirectoryKeepsStreams", DECISION, "D2", 0,
          "in a fork an inherited directory that is created again keeps its streams",
          directory_streams(FORK))

static void file_over_directory(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("an empty place for it",
             try_create_file(image, L"x", meta(FILE_ATTRIBUTE_DIRECTORY, 0)), S_OK);
    check_hr("over an empty directory", try_create_file(image, L"x", meta(0, 0)), S_OK);
    check_hr("over a full one", try_create_file(image, L"d", meta(0, 0)), S_OK);
    check_hr("below it now", try_create_file(image, L"d\\f", meta(0, 0)), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    check_bool("d is a directory", attributes_of(made_by(session), L"d") & FILE_ATTRIBUTE_DIRECTORY,
               false);
    there_in(session, "d", L"d", true);
    there_in(session, "its old child", L"d\\inner", false);
    there_in(session, "its old grandchild", L"d\\e\\deep", false);
    there_in(session, "its old stream", L"d:s", false);
    REST_IS_THERE(session, L"d\\e\\deep", L"d\\inner", L"d\\inner:s", L"d\\other", L"d:s");
}

CASE_CALL(same_file_over, "CreateFile/FileOverDirectory", DECISION, "D3", 0,
          "a file created where a directory is: the directory goes with all below it",
          file_over_directory(SAME))

CASE_CALL(extend_file_over, "Extend/FileOverDirectory", DECISION, "D3", 0,
          "a file created over an inherited directory: that goes with all below it",
          file_over_directory(EXTEND))

CASE_CALL(fork_file_over, "Fork/FileOverDirectory", DECISION, "D3", 0,
          "in a fork a file created over an inherited directory: that goes with all below it",
          file_over_directory(FORK))

static void directory_over_file(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("hr", try_create_file(image, L"file", meta(FILE_ATTRIBUTE_DIRECTORY, 0)), S_OK);
    put_text(image, L"file\\child", "new");
    commit_and_close(image);
    check_bool("a directory", attributes_of(made_by(session), L"file") & FILE_ATTRIBUTE_DIRECTORY,
               true);
    text_in(session, "its child", L"file\\child", "new");
    there_in(session, "the file's old stream", L"file:s", false);
    REST_IS_THERE(session, L"file", L"file:s", L"file:t");
}

CASE_CALL(same_directory_over, "CreateFile/DirectoryOverFile", DECISION, "D3", 0,
          "a directory created where a file is: the file goes with its streams, "
          "not its other names",
          directory_over_file(SAME))

CASE_CALL(extend_directory_over, "Extend/DirectoryOverFile", DECISION, "D3", 0,
          "a directory created over an inherited file: that goes with its streams",
          directory_over_file(EXTEND))

CASE_CALL(fork_directory_over, "Fork/DirectoryOverFile", DECISION, "D3", 0,
          "in a fork a directory created over an inherited file: that goes with its streams",
          directory_over_file(FORK))
