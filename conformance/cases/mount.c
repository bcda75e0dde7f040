/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.c - CimMountImage: its answers, what it leaves behind, and sessions beside a mounted image
 */
#include "hold.h"
#include "volume.h"

#define PAGE "CimMountImage page"
#define LAYERS "hcsshim layer mounts"

/* Mounts DIR, NAME, GUID and says how that went; ends when it is told to, or left alone. */
ROLE(mount_role, "mount-image")
{
    GUID guid;

    if (argc != 3 || wcslen(argv[2]) != 32) return 2;
    guid_from_argument(argv[2], &guid);
    peer_say_hr(cim.MountImage(argv[0], argv[1], CIM_MOUNT_IMAGE_NONE, &guid));
    role_hear();
    return 0;
}

/* A volume of base.cim that another process mounted; that process is still there. */
static struct peer *mounted_by_peer(GUID *guid)
{
    const WCHAR *args[] = {case_dir(), L"base.cim", NULL, NULL};
    struct peer *peer;
    HRESULT hr;

    make_base(case_dir());
    new_guid(guid);
    args[2] = guid_argument(guid);
    track_mount(guid);
    peer = peer_start("mount-image", args);
    hr = peer_hear_hr(peer);
    if (FAILED(hr)) untrack_mount(guid);
    need_hr("CimMountImage in another process", hr);
    return peer;
}

/* ---- success ----------------------------------------------------------------------------------
 */

CASE(visible, "Mount/Volume", DOC, PAGE, NEEDS_MOUNT,
     "the image is there as the volume \\\\?\\Volume{GUID}\\ when the call returns")
{
    GUID guid;
    HRESULT hr;

    make_base(case_dir());
    new_guid(&guid);
    check_bool("before", path_error(volume_root(&guid)) == 0, false);
    track_mount(&guid);
    hr = cim.MountImage(case_dir(), L"base.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    if (FAILED(hr)) untrack_mount(&guid);
    check_hr("hr", hr, S_OK);
    check_error("the root", path_error(volume_root(&guid)), 0);
    check_bool("a directory",
               (GetFileAttributesW(volume_root(&guid)) & FILE_ATTRIBUTE_DIRECTORY) != 0, true);
    check_content("a file", on(volume_root(&guid), L"file.txt"), "hello");
    check_content("a file in a directory", on(volume_root(&guid), L"d\\inner.txt"), "inner");
}

/* The three items of that test, with its attributes and sizes; then what it asserts of them. */
static void test_flow(UINT32 flags)
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"test.cim");
    HANDLE dir;
    GUID guid;

    put_item(image, L"foobar.txt", meta(0, 16), "foobar test data", 16);
    put_item(image, L"foo", meta(FILE_ATTRIBUTE_DIRECTORY, 0), NULL, 0);
    put_item(image, L"foo\\bar.txt", meta(0, 13), "bar test data", 13);
    commit_and_close(image);
    check_hr("mount", mount_as(case_dir(), L"test.cim", flags, &guid), S_OK);
    dir = CreateFileW(on(volume_root(&guid), L"foo"), FILE_READ_ATTRIBUTES, SHARE_ALL, NULL,
                      OPEN_EXISTING, OPEN_ITEM, NULL);
    check_bool("the directory is opened", dir != INVALID_HANDLE_VALUE, true);
    CloseHandle(dir);
    check_content("foobar.txt", on(volume_root(&guid), L"foobar.txt"), "foobar test data");
    check_content("foo\\bar.txt", on(volume_root(&guid), L"foo\\bar.txt"), "bar test data");
    check_hr("dismount", dismount_guid(&guid), S_OK);
    check_bool("the volume is there", path_error(volume_root(&guid)) == 0, false);
}

CASE_CALL(hcsshim_flow, "Mount/HcsshimFlow", CLIENT, "hcsshim cim_test", NEEDS_MOUNT,
          "files with attributes 0 and a directory, mounted, read, dismounted",
          test_flow(CIM_MOUNT_IMAGE_NONE))

/* Builds whose header has the later flags export this too. */
static void need_later_flags(void)
{
    if (!has_export("CimCreateImage2")) skip_case("a DLL older than the flag");
}

CASE(cache_files, "Mount/CacheFiles", DECISION, "D40, as hcsshim's test of 2023", NEEDS_MOUNT,
     "the same with CIM_MOUNT_CACHE_FILES")
{
    need_later_flags();
    test_flow(CIM_MOUNT_CACHE_FILES);
}

CASE(cache_regions, "Mount/CacheRegions", DECISION, "D40, as hcsshim's tar2cim", NEEDS_MOUNT,
     "the same with CIM_MOUNT_CACHE_REGIONS")
{
    need_later_flags();
    test_flow(CIM_MOUNT_CACHE_REGIONS);
}

/* A file's removal, with the patience that the test has too: 3 s for handles to go. */
static bool remove_patiently(const WCHAR *path)
{
    int i;

    for (i = 0; i < 30 && !DeleteFileW(path); i++) Sleep(100);
    return path_error(path) != 0;
}

static int remove_all(const WCHAR *pattern)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(join(case_dir(), pattern), &data);
    int left = 0;

    if (find == INVALID_HANDLE_VALUE) return -1;
    do left += !remove_patiently(join(case_dir(), data.cFileName));
    while (FindNextFileW(find, &data));
    FindClose(find);
    return left;
}

CASE(destroy, "Mount/FilesAreFreeAfterDismount", CLIENT, "hcsshim cim_test", NEEDS_MOUNT,
     "after the dismount region, object ID and image files can be deleted, then the directory")
{
    dismount(mount_base());
    check_number("region files left", (unsigned)remove_all(L"region_*"), 0);
    check_number("object ID files left", (unsigned)remove_all(L"objectid_*"), 0);
    check_bool("the image is gone", remove_patiently(join(case_dir(), L"base.cim")), true);
    see_text("the rest", "%s", list_files(case_dir()));
    remove_all(L"*");
    check_bool("the directory goes", RemoveDirectoryW(case_dir()) != 0, true);
    CreateDirectoryW(case_dir(), NULL);
}

CASE(guid_case, "Mount/GuidInEitherCase", CLIENT, "hcsshim, cimfs-rs", NEEDS_MOUNT,
     "the volume's path is found with its GUID in small and in capital letters")
{
    WCHAR *upper = _wcsdup(mount_base()), *letter;

    check_content("small", on(upper, L"file.txt"), "hello");
    for (letter = upper + wcslen(L"\\\\?\\Volume{"); *letter; letter++)
        if (*letter >= 'a' && *letter <= 'f') *letter -= 'a' - 'A';
    check_content("capital", on(upper, L"file.txt"), "hello");
    free(upper);
}

CASE(several_guids, "Mount/SeveralVolumesOfOneImage", CLIENT, "containerd", NEEDS_MOUNT,
     "one image can be mounted under several GUIDs; each goes by itself")
{
    const WCHAR *first = mount_base(), *second;

    second = mount_image(case_dir(), L"base.cim");
    check_content("first", on(first, L"file.txt"), "hello");
    check_content("second", on(second, L"file.txt"), "hello");
    dismount(first);
    check_bool("the first is gone", path_error(first) != 0, true);
    check_content("the second stays", on(second, L"file.txt"), "hello");
}

CASE(several_images, "Mount/SeveralImages", CLIENT, "containerd", NEEDS_MOUNT,
     "images of one directory and of another, mounted at once, each show their own content")
{
    const WCHAR *other = new_dir(L"other"), *roots[4];
    char name[20], text[20];
    int i;

    for (i = 0; i < 4; i++)
    {
        const WCHAR *dir = i % 2 ? other : case_dir();
        CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, format_wide(L"%d.cim", i));

        sprintf(text, "content %d", i);
        put_text(image, L"f", text);
        commit_and_close(image);
        roots[i] = mount_image(dir, format_wide(L"%d.cim", i));
    }
    for (i = 0; i < 4; i++)
    {
        sprintf(name, "image %d", i);
        sprintf(text, "content %d", i);
        check_content(name, on(roots[i], L"f"), text);
    }
}

CASE(outlives, "Mount/OutlivesItsProcess", CLIENT, LAYERS, NEEDS_MOUNT,
     "the volume stays when the process that mounted it has ended")
{
    GUID guid;
    struct peer *peer = mounted_by_peer(&guid);

    check_content("while it runs", on(volume_root(&guid), L"file.txt"), "hello");
    peer_end(peer);
    check_content("after its end", on(volume_root(&guid), L"file.txt"), "hello");
}

CASE(outlives_kill, "Mount/OutlivesAKill", CLIENT, LAYERS, NEEDS_MOUNT,
     "the volume stays when that process was killed, and another one dismounts it")
{
    GUID guid;

    peer_kill(mounted_by_peer(&guid));
    check_content("its file", on(volume_root(&guid), L"file.txt"), "hello");
    check_hr("dismount", dismount_guid(&guid), S_OK);
    check_bool("the path is gone", path_error(volume_root(&guid)) != 0, true);
}

CASE(child_only, "Mount/ChildOnlyIsIgnored", DOC, "CIM_MOUNT_IMAGE_FLAGS page", NEEDS_MOUNT,
     "CIM_MOUNT_CHILD_ONLY has no effect: a fork shows its parent's files too")
{
    GUID guid;

    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"fork.cim", L"own", "own");
    check_hr("hr", mount_as(case_dir(), L"fork.cim", CIM_MOUNT_CHILD_ONLY, &guid), S_OK);
    check_content("the fork's file", on(volume_root(&guid), L"own"), "own");
    /* The first page of 2020 said that it masks the parent; every later one that it's ignored. */
    if (has_export("CimCreateImage2"))
        check_content("its parent's", on(volume_root(&guid), L"file.txt"), "hello");
    else
        see_content("its parent's, by an old DLL", on(volume_root(&guid), L"file.txt"));
}

CASE(without_objectids, "Mount/WithoutObjectIds", CLIENT, "hcsshim format notes", NEEDS_MOUNT,
     "object ID files are not needed for a mount")
{
    make_base(case_dir());
    need(remove_all(L"objectid_*") == 0, "object ID files are not there or can't be deleted");
    check_content("a file", on(mount_image(case_dir(), L"base.cim"), L"file.txt"), "hello");
}

/* ---- documented errors ------------------------------------------------------------------------
 */

CASE(unknown_flag, "Mount/UnknownFlag", DOC, PAGE, NEEDS_MOUNT,
     "a flag that doesn't exist: E_INVALIDARG, and nothing is mounted")
{
    GUID guid;

    make_base(case_dir());
    check_hr("0x80000000", mount_as(case_dir(), L"base.cim", 0x80000000u, &guid), E_INVALIDARG);
    check_bool("a volume", path_error(volume_root(&guid)) == 0, false);
    check_hr("0x40000000", try_mount(case_dir(), L"base.cim", 0x40000000u), E_INVALIDARG);
    check_hr("with CHILD_ONLY", try_mount(case_dir(), L"base.cim", 0x80000001u), E_INVALIDARG);
}

CASE(no_directory, "Mount/DirectoryMissing", DOC, PAGE, NEEDS_MOUNT,
     "a directory that isn't there: ERROR_PATH_NOT_FOUND")
{
    make_base(case_dir());
    check_hr("hr", try_mount(join(case_dir(), L"none"), L"base.cim", 0), HR_PATH_NOT_FOUND);
    check_hr("two levels", try_mount(join(case_dir(), L"none\\none"), L"base.cim", 0),
             HR_PATH_NOT_FOUND);
}

CASE(no_image, "Mount/ImageMissing", DOC, PAGE, NEEDS_MOUNT,
     "an image that isn't there: ERROR_FILE_NOT_FOUND, and nothing is mounted")
{
    GUID guid;

    make_base(case_dir());
    check_hr("hr", mount_as(case_dir(), L"none.cim", 0, &guid), HR_FILE_NOT_FOUND);
    check_bool("a volume", path_error(volume_root(&guid)) == 0, false);
}

CASE(guid_used, "Mount/GuidInUse", DOC, PAGE, NEEDS_MOUNT,
     "a GUID that is mounted: ERROR_ALREADY_EXISTS, for the same image and for another")
{
    GUID guid;

    make_base(case_dir());
    write_image(case_dir(), NULL, L"other.cim", L"file.txt", "another");
    need_hr("CimMountImage", mount_as(case_dir(), L"base.cim", 0, &guid));
    check_hr("the same", cim.MountImage(case_dir(), L"base.cim", 0, &guid), HR_ALREADY_EXISTS);
    check_hr("another", cim.MountImage(case_dir(), L"other.cim", 0, &guid), HR_ALREADY_EXISTS);
    check_content("the volume stays", on(volume_root(&guid), L"file.txt"), "hello");
}

CASE(guid_used_elsewhere, "Mount/GuidInUseByAnotherProcess", DOC, PAGE, NEEDS_MOUNT,
     "a GUID that another process mounted: ERROR_ALREADY_EXISTS, also after that one's end")
{
    GUID guid;
    struct peer *peer = mounted_by_peer(&guid);

    check_hr("while it runs", cim.MountImage(case_dir(), L"base.cim", 0, &guid), HR_ALREADY_EXISTS);
    peer_end(peer);
    check_hr("after it", cim.MountImage(case_dir(), L"base.cim", 0, &guid), HR_ALREADY_EXISTS);
}

struct racer
{
    const WCHAR *dir;
    const GUID *guid;
    HANDLE start;
    HRESULT hr;
};

static DWORD WINAPI race(void *argument)
{
    struct racer *racer = argument;

    WaitForSingleObject(racer->start, INFINITE);
    racer->hr = cim.MountImage(racer->dir, L"base.cim", CIM_MOUNT_IMAGE_NONE, racer->guid);
    return 0;
}

CASE(guid_race, "Mount/GuidRace", DECISION, "no page speaks of races", NEEDS_MOUNT,
     "of four threads that mount one GUID at once, one succeeds, three get ERROR_ALREADY_EXISTS")
{
    struct racer racers[4];
    HANDLE threads[4], start = CreateEventW(NULL, TRUE, FALSE, NULL);
    int i, won = 0, lost = 0;
    GUID guid;

    make_base(case_dir());
    new_guid(&guid);
    if (!has_export("CimMountImage")) skip_case("no such export");
    track_mount(&guid);
    for (i = 0; i < 4; i++)
    {
        racers[i] = (struct racer){case_dir(), &guid, start, E_UNEXPECTED};
        threads[i] = CreateThread(NULL, 0, race, &racers[i], 0, NULL);
        need(threads[i] != NULL, "no thread: error %lu", GetLastError());
    }
    SetEvent(start);
    WaitForMultipleObjects(4, threads, TRUE, 30000);
    for (i = 0; i < 4; i++)
    {
        won += racers[i].hr == S_OK;
        lost += racers[i].hr == HR_ALREADY_EXISTS;
        if (racers[i].hr) note("thread %d: 0x%08lx", i, (unsigned long)(DWORD)racers[i].hr);
        CloseHandle(threads[i]);
    }
    CloseHandle(start);
    check_number("mounted", won, 1);
    check_number("ERROR_ALREADY_EXISTS", lost, 3);
    check_content("the volume", on(volume_root(&guid), L"file.txt"), "hello");
}

/* ---- sessions beside a mounted image ----------------------------------------------------------
 */

CASE(session_open, "Mount/WhileASessionIsOpen", CLIENT, "containerd", NEEDS_MOUNT,
     "an image can be mounted while another one is being written in its directory")
{
    CIMFS_IMAGE_HANDLE image;
    const WCHAR *root;

    make_base(case_dir());
    image = open_image(case_dir(), NULL, L"new.cim");
    put_text(image, L"first", "first");
    root = mount_image(case_dir(), L"base.cim");
    check_content("the mounted image", on(root, L"file.txt"), "hello");
    put_text(image, L"second", "second");
    commit_and_close(image);
    check_stored_text("before the mount", case_dir(), L"new.cim", L"first", "first");
    check_stored_text("after it", case_dir(), L"new.cim", L"second", "second");
    check_content("the mounted image at the end", on(root, L"d\\inner.txt"), "inner");
}

CASE(fork_mounted, "Mount/ForkOfAMountedImage", CLIENT, "containerd", NEEDS_MOUNT,
     "a mounted image can be forked; its volume stays as it is")
{
    const WCHAR *root = mount_base();
    CIMFS_IMAGE_HANDLE image = NULL;

    check_hr("CimCreateImage", cim.CreateImage(case_dir(), L"base.cim", L"fork.cim", &image), S_OK);
    need(image != NULL, "no session");
    track_image(image);
    put_text(image, L"own", "own");
    put_text(image, L"file.txt", "replaced");
    check_hr("CimCommitImage", cim.CommitImage(image), S_OK);
    close_image(image);
    check_content("the mounted one", on(root, L"file.txt"), "hello");
    check_bool("has the fork's file", path_error(on(root, L"own")) == 0, false);
    check_stored_text("the fork's file", case_dir(), L"fork.cim", L"own", "own");
    check_stored_text("the fork's replaced file", case_dir(), L"fork.cim", L"file.txt", "replaced");
}

/* A session that would overwrite the mounted base.cim, with one file added. */
static CIMFS_IMAGE_HANDLE over_mounted(const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), L"base.cim", new_name);

    put_text(image, L"added", "added");
    return image;
}

/* What a session over the mounted base.cim ends with. It is the commit that the page lets fail;
 * that CimCreateImage does so already is not excluded. */
static HRESULT overwrite_mounted(const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = cim.CreateImage(case_dir(), L"base.cim", new_name, &image);

    if (FAILED(hr)) return hr;
    track_image(image);
    put_text(image, L"added", "added");
    hr = cim.CommitImage(image);
    close_image(image);
    return hr;
}

CASE(commit_mounted, "Mount/CommitOverAMountedImage", DOC, "CimCommitImage page", NEEDS_MOUNT,
     "an image that is mounted can't be overwritten: ERROR_SHARING_VIOLATION")
{
    const WCHAR *root = mount_base();

    check_hr("extended", overwrite_mounted(NULL), HR_SHARING);
    check_hr("with its own name", overwrite_mounted(L"base.cim"), HR_SHARING);
    check_content("the volume", on(root, L"file.txt"), "hello");
    check_bool("has what was added", path_error(on(root, L"added")) == 0, false);
}

CASE(commit_spellings, "Mount/CommitByAnotherSpelling", DECISION, "D33", NEEDS_MOUNT,
     "nor by another spelling of its directory, or of its name, than the mount was given")
{
    const WCHAR *dir = case_dir(), *spellings[3];
    CIMFS_IMAGE_HANDLE image;
    char name[80];
    size_t i;

    spellings[0] = _wcsdup(join(dir, L""));
    spellings[1] = _wcsdup(join(dir, L"d\\.."));
    spellings[2] = _wcsdup(format_wide(L"\\\\?\\%ls", dir));
    make_base(dir);
    new_dir(L"d");
    for (i = 0; i < ARRAY_SIZE(spellings); i++)
    {
        const WCHAR *root = mount_image(spellings[i], L"BASE.cim");

        sprintf(name, "mounted by spelling %u", (unsigned)i);
        check_content(name, on(root, L"file.txt"), "hello");
        image = open_image(spellings[(i + 1) % 3], L"base.CIM", NULL);
        put_text(image, format_wide(L"added %u", (unsigned)i), "added");
        sprintf(name, "committed by spelling %u", (unsigned)(i + 1) % 3);
        check_hr(name, cim.CommitImage(image), HR_SHARING);
        dismount(root);
        strcat(name, ", dismounted");
        check_hr(name, cim.CommitImage(image), S_OK);
        close_image(image);
        strcat(name, ": what was added");
        check_stored_text(name, dir, L"base.cim", format_wide(L"added %u", (unsigned)i), "added");
    }
}

CASE(commit_again, "Mount/CommitAfterDismount", DECISION, "D33", NEEDS_MOUNT,
     "after that the session goes on: when the image is dismounted it can be committed")
{
    const WCHAR *first = mount_base(), *second;
    CIMFS_IMAGE_HANDLE image;

    second = mount_image(case_dir(), L"base.cim");
    image = over_mounted(NULL);
    check_hr("mounted twice", cim.CommitImage(image), HR_SHARING);
    dismount(second);
    check_hr("mounted once", cim.CommitImage(image), HR_SHARING);
    check_hr("another file", try_create_file(image, L"later", meta(0, 0)), S_OK);
    dismount(first);
    check_hr("dismounted", cim.CommitImage(image), S_OK);
    close_image(image);
    check_stored_text("an old file", case_dir(), L"base.cim", L"file.txt", "hello");
    check_stored_text("added before", case_dir(), L"base.cim", L"added", "added");
    check_exists("added between", case_dir(), L"base.cim", L"later", true);
}

CASE(remount_extended, "Mount/ExtendedImageAgain", DOC, "CimCreateImage page", NEEDS_MOUNT,
     "an image that was mounted, dismounted and extended shows its new content when mounted again")
{
    CIMFS_IMAGE_HANDLE image;
    const WCHAR *root = mount_base();

    dismount(root);
    image = over_mounted(NULL);
    put_text(image, L"file.txt", "replaced");
    need_hr("CimDeletePath", cim.DeletePath(image, L"d"));
    commit_and_close(image);
    root = mount_image(case_dir(), L"base.cim");
    check_content("added", on(root, L"added"), "added");
    check_content("replaced", on(root, L"file.txt"), "replaced");
    check_error("deleted", path_error(on(root, L"d")), ERROR_FILE_NOT_FOUND);
}

CASE(session_first, "Mount/SessionsAndMountsInTurn", QUESTION, "Q-16", NEEDS_MOUNT,
     "where an extension of a mounted image fails; a mount of an image that is being extended")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr;
    GUID guid;

    make_base(case_dir());
    need_hr("CimMountImage", mount_as(case_dir(), L"base.cim", 0, &guid));
    hr = cim.CreateImage(case_dir(), L"base.cim", NULL, &image);
    see_hr("mounted, then CimCreateImage", hr);
    if (SUCCEEDED(hr))
    {
        track_image(image);
        see_hr("CimCreateFile", try_create_file(image, L"added", meta(0, 0)));
        see_hr("CimCommitImage", cim.CommitImage(image));
        close_image(image);
    }
    see_hr("dismount", dismount_guid(&guid));
    image = over_mounted(NULL);
    hr = mount_as(case_dir(), L"base.cim", 0, &guid);
    see_hr("a session, then CimMountImage", hr);
    see_hr("its commit", cim.CommitImage(image));
    if (SUCCEEDED(hr)) see_hr("dismount again", dismount_guid(&guid));
    see_hr("its commit after that", cim.CommitImage(image));
    see_hr("mounted before its close", try_mount(case_dir(), L"base.cim", 0));
    close_image(image);
}
