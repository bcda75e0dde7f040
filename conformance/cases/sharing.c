/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sharing.c - what others can do in a directory while a session has it, and after one was killed
 */
#include "hold.h"

ROLE(hold_image, "hold-image")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr;

    if (argc != 3) return 2;
    hr = cim.CreateImage(argv[0], *argv[1] ? argv[1] : NULL, *argv[2] ? argv[2] : NULL, &image);
    return hold_session(hr, image);
}

/* A peer with a session in "dir", a file added. */
static struct peer *hold(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name)
{
    const WCHAR *args[] = {dir, existing, new_name, NULL};

    return start_holder("hold-image", args);
}

CASE(other_process, "Sharing/OtherProcess", DOC, "CimCreateImage page", 0,
     "a session in another process excludes ours: ERROR_SHARING_VIOLATION")
{
    struct peer *peer = hold(case_dir(), L"", L"peer.cim");

    check_hr("while it lasts", try_image(case_dir(), NULL, L"a.cim"), HR_SHARING);
    peer_tell(peer, "close");
    peer_end(peer);
    check_hr("after it", try_image(case_dir(), NULL, L"a.cim"), S_OK);
}

FRESH_CASE(other_process_reverse, "Sharing/OtherProcessIsRefused", DOC, "CimCreateImage page", 0,
           "our session excludes one in another process: ERROR_SHARING_VIOLATION there")
{
    const WCHAR *args[] = {case_dir(), L"", L"peer.cim", NULL};
    struct peer *peer = peer_start("hold-image", args);

    check_hr("hr", peer_hear_hr(peer), HR_SHARING);
    peer_end(peer);
    close_image(image);
}

CASE(other_process_commits, "Sharing/OtherProcessCommits", CLIENT, "hcsshim layer writer", 0,
     "what another process committed can be extended here, right after its close")
{
    struct peer *peer;

    make_base(case_dir());
    peer = hold(case_dir(), L"base.cim", L"");
    peer_tell(peer, "commit");
    check_hr("its commit", peer_hear_hr(peer), S_OK);
    peer_end(peer);
    write_image(case_dir(), L"base.cim", NULL, L"ours", "o");
    check_stored_text("its file", case_dir(), L"base.cim", L"peer", "peer!");
    check_stored_text("our file", case_dir(), L"base.cim", L"ours", "o");
    check_stored_text("the base's file", case_dir(), L"base.cim", L"file.txt", "hello");
}

CASE(killed, "Sharing/KilledSession", DECISION, "evidence.md 10.11", 0,
     "a session whose process was killed leaves the directory free and no image")
{
    struct peer *peer = hold(case_dir(), L"", L"peer.cim");

    peer_kill(peer);
    check_bool("its image is there", file_exists(case_dir(), L"peer.cim"), false);
    check_hr("the next session", try_image(case_dir(), NULL, L"peer.cim"), S_OK);
}

CASE(killed_extending, "Sharing/KilledExtension", DECISION, "evidence.md 10.11", 0,
     "an extension whose process was killed leaves the image as it was")
{
    struct peer *peer;

    make_base(case_dir());
    peer = hold(case_dir(), L"base.cim", L"");
    peer_kill(peer);
    check_stored_text("an old file", case_dir(), L"base.cim", L"file.txt", "hello");
    check_exists("the new file", case_dir(), L"base.cim", L"peer", false);
    check_hr("the next extension", try_image(case_dir(), L"base.cim", NULL), S_OK);
}

CASE(killed_files, "Sharing/KilledSessionFiles", QUESTION, "Q-13", 0,
     "which files a killed session leaves, and whether the next one clears them away")
{
    struct peer *peer = hold(case_dir(), L"", L"peer.cim");
    CIMFS_IMAGE_HANDLE image;

    peer_kill(peer);
    see_text("after the kill", "%s", list_files(case_dir()));
    image = open_image(case_dir(), NULL, L"a.cim");
    see_text("in the next session", "%s", list_files(case_dir()));
    close_image(image);
    see_text("after the next session", "%s", list_files(case_dir()));
}

/* ---- what plain programs can do meanwhile ---------------------------------------------------- */

static DWORD open_directory(const WCHAR *dir, DWORD access, DWORD share)
{
    HANDLE handle =
            CreateFileW(dir, access, share, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);

    if (handle == INVALID_HANDLE_VALUE) return GetLastError();
    CloseHandle(handle);
    return 0;
}

FRESH_CASE(no_write_sharing, "Sharing/DirectoryNotSharedForWriting", DOC, "CimCreateImage page", 0,
           "while a session lasts the directory can't be opened for adding files")
{
    const DWORD all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

    check_error("FILE_ADD_FILE", open_directory(case_dir(), FILE_ADD_FILE, all),
                ERROR_SHARING_VIOLATION);
    close_image(image);
    check_error("FILE_ADD_FILE, after the close", open_directory(case_dir(), FILE_ADD_FILE, all),
                0);
}

FRESH_CASE(lock_leaves_nothing, "Sharing/LockLeavesNothing", DECISION, "D36", 0,
           "a session shares the directory for reading, and leaves no file of its lock behind")
{
    const DWORD all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

    check_error("list", open_directory(case_dir(), FILE_LIST_DIRECTORY, all), 0);
    check_error("add files", open_directory(case_dir(), FILE_ADD_FILE, all),
                ERROR_SHARING_VIOLATION);
    check_error("delete", open_directory(case_dir(), DELETE, all), ERROR_SHARING_VIOLATION);
    close_image(image);
    check_text("what is left", list_files(case_dir()), "(none)");
}

FRESH_CASE(directory_question, "Sharing/DirectoryAccess", QUESTION, "Q-19", 0,
           "which accesses to the directory a session leaves to others")
{
    static const struct
    {
        const char *name;
        DWORD access;
        DWORD share;
    } rows[] = {
            {"list, sharing all", FILE_LIST_DIRECTORY, 7},
            {"list, sharing read", FILE_LIST_DIRECTORY, FILE_SHARE_READ},
            {"list, sharing read and write", FILE_LIST_DIRECTORY,
             FILE_SHARE_READ | FILE_SHARE_WRITE},
            {"add file, sharing all", FILE_ADD_FILE, 7},
            {"add subdirectory, sharing all", FILE_ADD_SUBDIRECTORY, 7},
            {"delete child, sharing all", FILE_DELETE_CHILD, 7},
            {"delete, sharing all", DELETE, 7},
            {"attributes, sharing nothing", FILE_READ_ATTRIBUTES, 0},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        see_error(rows[i].name, open_directory(case_dir(), rows[i].access, rows[i].share));
    close_image(image);
}

FRESH_CASE(files_beside, "Sharing/FilesBeside", QUESTION, "Q-19", 0,
           "whether other programs can make, read and delete files of theirs there meanwhile")
{
    const WCHAR *path = join(case_dir(), L"mine.txt");
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);

    see_error("make", file == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    see_error("delete", DeleteFileW(path) ? 0 : GetLastError());
    see_error("make a directory",
              CreateDirectoryW(join(case_dir(), L"d"), NULL) ? 0 : GetLastError());
    close_image(image);
}

CASE(read_meanwhile, "Sharing/ReadingMeanwhile", DECISION, "evidence.md 10.4", 0,
     "other images of the directory can be read while a session lasts")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), NULL, L"a.cim");
    put_text(image, L"f", "x");
    check_stored_text("meanwhile", case_dir(), L"base.cim", L"file.txt", "hello");
    close_image(image);
}

CASE(read_extended, "Sharing/ReadingTheImageBeingExtended", QUESTION, "Q-45", 0,
     "reading the image that a session is extending")
{
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    image = open_image(case_dir(), L"base.cim", NULL);
    put_text(image, L"file.txt", "changed");
    see_stored("before the commit", case_dir(), L"base.cim", L"file.txt");
    commit(image);
    see_stored("after the commit, before the close", case_dir(), L"base.cim", L"file.txt");
    close_image(image);
    see_stored("after the close", case_dir(), L"base.cim", L"file.txt");
}

CASE(busy_directory, "Sharing/DirectoryBusy", DOC, "CimCreateImage page", 0,
     "another program has the directory open for adding files, or doesn't share it: "
     "ERROR_SHARING_VIOLATION")
{
    const DWORD all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE handle = CreateFileW(case_dir(), FILE_ADD_FILE | FILE_LIST_DIRECTORY, all, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);

    need(handle != INVALID_HANDLE_VALUE, "can't open the directory: error %lu", GetLastError());
    check_hr("open for adding", try_image(case_dir(), NULL, L"a.cim"), HR_SHARING);
    CloseHandle(handle);
    check_hr("afterwards", try_image(case_dir(), NULL, L"a.cim"), S_OK);
}

CASE(kept_open, "Sharing/RegionFilesHeldOpen", QUESTION, "Q-15", 0,
     "extending an image whose region files another program holds open for reading")
{
    WIN32_FIND_DATAW data;
    CIMFS_IMAGE_HANDLE image = NULL;
    HANDLE find, file;

    make_base(case_dir());
    find = FindFirstFileW(join(case_dir(), L"region_*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no region file");
    FindClose(find);
    file = CreateFileW(join(case_dir(), data.cFileName), GENERIC_READ, FILE_SHARE_READ, NULL,
                       OPEN_EXISTING, 0, NULL);
    see_bool("it can be opened", file != INVALID_HANDLE_VALUE);
    see_hr("CimCreateImage", cim.CreateImage(case_dir(), L"base.cim", NULL, &image));
    track_image(image);
    see_hr("CimCommitImage", cim.CommitImage(image));
    close_image(image);
    CloseHandle(file);
}
