/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * links.c - CimCreateHardLink
 *
 * A link is one more name of a file: whatever is asked by one name is answered the same by the
 * other. Links to inherited files stand in forks.c.
 */
#include "items.h"

FRESH_CASE(content, "HardLink/Content", DOC, "CimCreateHardLink page", 0,
           "a file is read by either of its names")
{
    put_dir(image, L"d");
    put_text(image, L"a", "hello");
    put_text(image, L"d\\empty", "");
    check_hr("beside it", cim.CreateHardLink(image, L"b", L"a"), S_OK);
    check_hr("in a directory", cim.CreateHardLink(image, L"d\\c", L"a"), S_OK);
    check_hr("from a directory", cim.CreateHardLink(image, L"e", L"d\\empty"), S_OK);
    commit_and_close(image);
    holds("the first name", L"a", "hello");
    holds("beside it has", L"b", "hello");
    holds("in a directory has", L"d\\c", "hello");
    holds("from a directory has", L"e", "");
}

FRESH_CASE(order, "HardLink/ArgumentOrder", HEADER, "cimfs.h, all generations", 0,
           "the new name comes first, the existing one second")
{
    put_text(image, L"old", "hello");
    check_hr("hr", cim.CreateHardLink(image, L"new", L"old"), S_OK);
    commit_and_close(image);
    there("new name", L"new");
    there("old name", L"old");
}

FRESH_CASE(same_file, "HardLink/SameMetadata", CLIENT, "CimFSAPI sample", 0,
           "attributes, size, creation time and content are the same by both names")
{
    FILE_STAT_BASIC_INFORMATION a, b;

    put_item(image, L"a", meta(FILE_ATTRIBUTE_ARCHIVE, 5), "hello", 5);
    put_link(image, L"b", L"a");
    commit_and_close(image);
    need_hr("stat of the first", stored_stat(case_dir(), IMAGE, L"a", &a));
    need_hr("stat of the second", stored_stat(case_dir(), IMAGE, L"b", &b));
    check_hex("attributes", b.FileAttributes, a.FileAttributes);
    check_number("size", b.EndOfFile.QuadPart, a.EndOfFile.QuadPart);
    check_number("creation time", b.CreationTime.QuadPart, a.CreationTime.QuadPart);
    holds("content", L"b", "hello");
}

static void file_id(const WCHAR *path, FILE_ID_INFO *id)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);

    need(file != INVALID_HANDLE_VALUE, "can't open a mounted file: error %lu", GetLastError());
    memset(id, 0, sizeof(*id));
    need(GetFileInformationByHandleEx(file, FileIdInfo, id, sizeof(*id)),
         "no FileIdInfo: error %lu", GetLastError());
    CloseHandle(file);
}

FRESH_CASE(same_id, "HardLink/SameFileId", CLIENT, "CimFSAPI sample", NEEDS_MOUNT,
           "on a mounted volume both names have the same 128-bit file ID")
{
    FILE_ID_INFO a, b, other;
    const WCHAR *root;

    put_text(image, L"a", "hello");
    put_text(image, L"other", "hello");
    put_link(image, L"b", L"a");
    commit_and_close(image);
    root = mount_image(case_dir(), IMAGE);
    file_id(format_wide(L"%lsa", root), &a);
    file_id(format_wide(L"%lsb", root), &b);
    file_id(format_wide(L"%lsother", root), &other);
    check_bool("the same", !memcmp(&a.FileId, &b.FileId, sizeof(a.FileId)), true);
    check_bool("another file's is the same", !memcmp(&a.FileId, &other.FileId, sizeof(a.FileId)),
               false);
}

FRESH_CASE(same_id_unmounted, "HardLink/SameFileIdUnmounted", DECISION, "D42", 0,
           "CimGetFileStatBasicInformation has the same FileId for both names")
{
    if (!has_export("CimGetFileStatBasicInformation")) skip_case("no such export");
    put_text(image, L"a", "hello");
    put_text(image, L"other", "hello");
    put_link(image, L"b", L"a");
    commit_and_close(image);
    check_bool("an ID", id_of(IMAGE, L"a") != 0, true);
    check_bool("the same", id_of(IMAGE, L"a") == id_of(IMAGE, L"b"), true);
    check_bool("another file's is the same", id_of(IMAGE, L"a") == id_of(IMAGE, L"other"), false);
}

FRESH_CASE(link_count, "HardLink/LinkCount", QUESTION, "Q-40", NEEDS_MOUNT,
           "the number of links that a mounted file with three names shows")
{
    BY_HANDLE_FILE_INFORMATION info;
    HANDLE file;

    put_text(image, L"a", "hello");
    put_link(image, L"b", L"a");
    put_link(image, L"c", L"a");
    commit_and_close(image);
    file = CreateFileW(format_wide(L"%lsa", mount_image(case_dir(), IMAGE)), GENERIC_READ,
                       FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    need(file != INVALID_HANDLE_VALUE, "can't open a mounted file: error %lu", GetLastError());
    if (GetFileInformationByHandle(file, &info))
        see_number("nNumberOfLinks", info.nNumberOfLinks);
    else
        see_error("GetFileInformationByHandle", GetLastError());
    CloseHandle(file);
}

FRESH_CASE(to_link, "HardLink/ToLink", CLIENT, "hcsshim layer import", 0,
           "a link can be the existing name of another link")
{
    put_text(image, L"a", "hello");
    put_link(image, L"b", L"a");
    check_hr("hr", cim.CreateHardLink(image, L"c", L"b"), S_OK);
    commit_and_close(image);
    holds("by the last", L"c", "hello");
}

FRESH_CASE(backslash, "HardLink/LeadingBackslash", DECISION, "D20", 0,
           "both paths may begin with a backslash")
{
    put_text(image, L"a", "hello");
    check_hr("hr", cim.CreateHardLink(image, L"\\b", L"\\a"), S_OK);
    commit_and_close(image);
    holds("content", L"b", "hello");
}

/* ---- over what is there ---------------------------------------------------------------------- */

FRESH_CASE(replaces, "HardLink/ReplacesFile", DOC, "CimCreateHardLink page", 0,
           "a file at the new name is replaced by the link")
{
    put_text(image, L"a", "hello");
    put_text(image, L"b", "something else");
    check_hr("hr", cim.CreateHardLink(image, L"b", L"a"), S_OK);
    commit_and_close(image);
    holds("the new name", L"b", "hello");
    holds("the existing name", L"a", "hello");
}

FRESH_CASE(replaced_streams, "HardLink/ReplacesStreams", DECISION, "D7", 0,
           "the replaced file's streams go with it; under other names it stays whole")
{
    put_text(image, L"a", "hello");
    put_text(image, L"b", "something else");
    put_stream(image, L"b:s", "stream", 6);
    put_link(image, L"keep", L"b");
    put_link(image, L"b", L"a");
    commit_and_close(image);
    holds("the new name", L"b", "hello");
    gone("its stream", L"b:s");
    holds("other name", L"keep", "something else");
    holds("other name's stream", L"keep:s", "stream");
}

FRESH_CASE(onto_directory, "HardLink/OntoDirectory", DECISION, "D6", 0,
           "a directory at the new name: E_ACCESSDENIED, and it stays")
{
    put_dir(image, L"empty");
    put_dir(image, L"d");
    put_text(image, L"d\\f", "inner");
    put_text(image, L"a", "hello");
    check_hr("empty", cim.CreateHardLink(image, L"empty", L"a"), E_ACCESSDENIED);
    check_hr("not empty", cim.CreateHardLink(image, L"d", L"a"), E_ACCESSDENIED);
    check_hr("its own parent", cim.CreateHardLink(image, L"d", L"d\\f"), E_ACCESSDENIED);
    commit_and_close(image);
    holds("what is in it", L"d\\f", "inner");
    check_bool("a directory", attributes_of(IMAGE, L"empty") & FILE_ATTRIBUTE_DIRECTORY, true);
}

FRESH_CASE(onto_itself, "HardLink/OntoItself", DECISION, "D6", 0,
           "a name onto itself or onto another name of the same file: S_OK, nothing changes")
{
    put_text(image, L"a", "hello");
    put_stream(image, L"a:s", "stream", 6);
    put_link(image, L"b", L"a");
    check_hr("itself", cim.CreateHardLink(image, L"a", L"a"), S_OK);
    check_hr("itself in another case", cim.CreateHardLink(image, L"A", L"a"), S_OK);
    check_hr("another name", cim.CreateHardLink(image, L"b", L"a"), S_OK);
    check_hr("and back", cim.CreateHardLink(image, L"a", L"b"), S_OK);
    commit_and_close(image);
    holds("content", L"a", "hello");
    holds("other name's", L"b", "hello");
    holds("stream", L"a:s", "stream");
}

FRESH_CASE(
        over_second, "HardLink/NewFileOverOneName", DECISION, "D7", 0,
        "a file created over one of a file's names is a new one; the other names keep the old one")
{
    put_text(image, L"a", "old a");
    put_link(image, L"a2", L"a");
    put_text(image, L"a", "new a");
    put_text(image, L"b", "old b");
    put_link(image, L"b2", L"b");
    put_link(image, L"b3", L"b");
    put_text(image, L"b2", "new b");
    commit_and_close(image);
    holds("over the first name", L"a", "new a");
    holds("its other name", L"a2", "old a");
    holds("over the second name", L"b2", "new b");
    holds("its first name", L"b", "old b");
    holds("its third name", L"b3", "old b");
}

/* ---- refusals -------------------------------------------------------------------------------- */

FRESH_CASE(missing, "HardLink/ExistingMissing", DOC, "CimCreateHardLink page", 0,
           "the existing path isn't there: ERROR_PATH_NOT_FOUND")
{
    put_dir(image, L"d");
    put_text(image, L"f", "hello");
    check_hr("at the root", cim.CreateHardLink(image, L"new", L"none"), HR_PATH_NOT_FOUND);
    check_hr("in a directory", cim.CreateHardLink(image, L"new", L"d\\none"), HR_PATH_NOT_FOUND);
    check_hr("over a file", cim.CreateHardLink(image, L"f", L"none"), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    gone("new", L"new");
    holds("the file", L"f", "hello");
}

FRESH_CASE(existing_parent, "HardLink/ExistingParentMissing", DOC, "CimCreateHardLink page", 0,
           "a directory on the way to the existing path is missing: ERROR_PATH_NOT_FOUND")
{
    check_hr("hr", cim.CreateHardLink(image, L"new", L"no\\f"), HR_PATH_NOT_FOUND);
}

FRESH_CASE(new_parent, "HardLink/NewParentMissing", DECISION, "D1", 0,
           "the new path's directory is missing or a file: ERROR_PATH_NOT_FOUND")
{
    put_text(image, L"a", "hello");
    check_hr("missing", cim.CreateHardLink(image, L"no\\b", L"a"), HR_PATH_NOT_FOUND);
    check_hr("a file", cim.CreateHardLink(image, L"a\\b", L"a"), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    gone("directory", L"no");
    holds("file", L"a", "hello");
}

FRESH_CASE(to_directory, "HardLink/ToDirectory", DOC, "CimCreateHardLink page", 0,
           "the existing path is a directory: E_ACCESSDENIED")
{
    put_dir(image, L"d");
    put_dir(image, L"d\\e");
    check_hr("at the root", cim.CreateHardLink(image, L"new", L"d"), E_ACCESSDENIED);
    check_hr("below", cim.CreateHardLink(image, L"new", L"d\\e"), E_ACCESSDENIED);
    commit_and_close(image);
    gone("new", L"new");
    there("the directory", L"d\\e");
}

FRESH_CASE(directory_harmless, "HardLink/ToDirectoryHarmless", CLIENT, "CimFSAPI sample", 0,
           "after a refused link to a directory the session can be closed; the image is as it was")
{
    put_dir(image, L"d");
    put_text(image, L"d\\f", "hello");
    image = reopen(image, EXTEND);
    check_hr("hr", cim.CreateHardLink(image, L"link", L"d"), E_ACCESSDENIED);
    close_image(image);
    holds("file", L"d\\f", "hello");
    gone("link", L"link");
    write_image(case_dir(), IMAGE, NULL, L"later", "x");
    holds("extended later", L"later", "x");
}

FRESH_CASE(to_stream, "HardLink/ToStream", DOC, "CimCreateHardLink page", 0,
           "the existing path is an alternate stream: an error, and no link is made")
{
    put_text(image, L"f", "hello");
    put_stream(image, L"f:s", "stream", 6);
    check_bool("failed", FAILED(cim.CreateHardLink(image, L"new", L"f:s")), true);
    commit_and_close(image);
    gone("new", L"new");
    holds("stream", L"f:s", "stream");
}

FRESH_CASE(colon, "HardLink/Colon", DECISION, "D11", 0,
           "a ':' in either path: E_INVALIDARG, whether the stream is there or not")
{
    static const WCHAR *const paths[] = {L"f:s",    L"f:s:$DATA", L"f::$DATA",
                                         L"f:none", L"none:s",    L"C:\\f"};
    char name[40];
    size_t i;

    put_text(image, L"f", "hello");
    put_stream(image, L"f:s", "stream", 6);
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        snprintf(name, sizeof(name), "to %ls", paths[i]);
        check_hr(name, cim.CreateHardLink(image, L"new", paths[i]), E_INVALIDARG);
        snprintf(name, sizeof(name), "%ls is new", paths[i]);
        check_hr(name, cim.CreateHardLink(image, paths[i], L"f"), E_INVALIDARG);
    }
    commit_and_close(image);
    holds("stream", L"f:s", "stream");
    holds("file", L"f", "hello");
}

FRESH_CASE(file_open, "HardLink/FileOpen", DOC, "CimCreateHardLink page", 0,
           "while a file's stream is open: ERROR_SHARING_VIOLATION")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"a", "hello");
    stream = open_file(image, L"f", 2);
    check_hr("to another file", cim.CreateHardLink(image, L"b", L"a"), HR_SHARING);
    check_hr("to the open one", cim.CreateHardLink(image, L"b", L"f"), HR_SHARING);
    check_hr("write", cim.WriteStream(stream, "ok", 2), S_OK);
    close_stream(stream);
    check_hr("when it is closed", cim.CreateHardLink(image, L"g", L"f"), S_OK);
    commit_and_close(image);
    gone("the refused one", L"b");
    holds("the open one", L"g", "ok");
}

FRESH_CASE(stream_open, "HardLink/AlternateStreamOpen", DOC, "CimCreateHardLink page", 0,
           "while an alternate stream is open: ERROR_SHARING_VIOLATION")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"a", "hello");
    stream = open_alternate(image, L"a:s", 1);
    check_hr("hr", cim.CreateHardLink(image, L"b", L"a"), HR_SHARING);
    close_stream(stream);
    check_hr("when it is closed", cim.CreateHardLink(image, L"b", L"a"), S_OK);
}

FRESH_CASE(leaves_no_stream, "HardLink/LeavesNoStreamOpen", DOC, "CimCreateHardLink page", 0,
           "the stream that the function opens is closed when it is done, also when it failed")
{
    put_dir(image, L"d");
    put_text(image, L"a", "hello");
    check_hr("link", cim.CreateHardLink(image, L"b", L"a"), S_OK);
    check_hr("a next file", try_create_file(image, L"f", meta(0, 0)), S_OK);
    check_bool("a link to a directory fails", FAILED(cim.CreateHardLink(image, L"c", L"d")), true);
    check_hr("a next file after that", try_create_file(image, L"g", meta(0, 0)), S_OK);
    check_bool("a link to nothing fails", FAILED(cim.CreateHardLink(image, L"c", L"none")), true);
    check_hr("commit", cim.CommitImage(image), S_OK);
}

CASE(null_image, "HardLink/NullImage", DOC, "CimCreateHardLink page", 0,
     "an image handle that isn't valid: E_INVALIDARG")
{
    check_hr("hr", cim.CreateHardLink(NULL, L"b", L"a"), E_INVALIDARG);
}

FRESH_CASE(null_new, "HardLink/NullNewPath", QUESTION, "Q-35", 0, "the new path is NULL")
{
    put_text(image, L"a", "hello");
    see_hr("hr", cim.CreateHardLink(image, NULL, L"a"));
}

CASE(null_existing, "HardLink/NullExistingPath", QUESTION, "Q-35", 0, "the existing path is NULL")
{
    see_hr("hr", cim.CreateHardLink(fresh(), L"b", NULL));
}

/* ---- odd targets ----------------------------------------------------------------------------- */

FRESH_CASE(to_reparse, "HardLink/ToReparsePoint", QUESTION, "Q-27", 0,
           "a link to a file with reparse data, and one onto it")
{
    /* A symbolic link to "f", relative: both names are the same letter. */
    static const BYTE data[] = {0x0c, 0, 0, 0xa0, 16, 0, 0, 0, 2,   0, 2,   0,
                                0,    0, 2, 0,    1,  0, 0, 0, 'f', 0, 'f', 0};
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_REPARSE_POINT, 0);

    metadata->ReparseDataBuffer = data;
    metadata->ReparseDataSize = sizeof(data);
    put_text(image, L"f", "hello");
    see_hr("the reparse points", try_create_file(image, L"link", metadata));
    metadata->Attributes |= FILE_ATTRIBUTE_DIRECTORY;
    see_hr("one that is a directory", try_create_file(image, L"dirlink", metadata));
    metadata->Attributes &= ~FILE_ATTRIBUTE_DIRECTORY;
    see_hr("another one", try_create_file(image, L"over", metadata));
    see_hr("link to it", cim.CreateHardLink(image, L"second", L"link"));
    see_hr("link to the directory", cim.CreateHardLink(image, L"third", L"dirlink"));
    see_hr("link onto it", cim.CreateHardLink(image, L"over", L"f"));
    see_hr("link through it", cim.CreateHardLink(image, L"fourth", L"dirlink\\f"));
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_text("attributes of the second name", "0x%lx",
             (unsigned long)attributes_of(IMAGE, L"second"));
    see_bool("one file", id_of(IMAGE, L"link") == id_of(IMAGE, L"second"));
    see_text("attributes of what was over", "0x%lx", (unsigned long)attributes_of(IMAGE, L"over"));
}
