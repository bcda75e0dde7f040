/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dismount.c - CimDismountImage: its answers, and what is gone and what is free after it
 */
#include "volume.h"

#include <winioctl.h>

#define PAGE "CimDismountImage page"

/* base.cim, mounted under a GUID that the case has to know. */
static void mount_known(GUID *guid)
{
    make_base(case_dir());
    need_hr("CimMountImage", mount_as(case_dir(), L"base.cim", 0, guid));
}

CASE(dismounted, "Dismount/VolumeIsGone", CLIENT, "hcsshim layer mounts", NEEDS_MOUNT,
     "the volume's path and its files are gone when the call returns")
{
    GUID guid;

    mount_known(&guid);
    check_content("before", on(volume_root(&guid), L"file.txt"), "hello");
    check_hr("hr", dismount_guid(&guid), S_OK);
    check_bool("the root is there", path_error(volume_root(&guid)) == 0, false);
    check_bool("a file is there", path_error(on(volume_root(&guid), L"file.txt")) == 0, false);
}

CASE(after_read, "Dismount/RightAfterReading", CLIENT, "CimFSAPI sample", NEEDS_MOUNT,
     "a volume whose files were read can be dismounted right after the last handle was closed")
{
    HANDLE file;
    GUID guid;
    char byte;
    DWORD got;

    mount_known(&guid);
    file = open_item(on(volume_root(&guid), L"file.txt"), GENERIC_READ);
    check_bool("read", ReadFile(file, &byte, 1, &got, NULL) && got == 1, true);
    CloseHandle(file);
    check_hr("hr", dismount_guid(&guid), S_OK);
    check_bool("the volume is there", path_error(volume_root(&guid)) == 0, false);
}

CASE(unknown, "Dismount/UnknownGuid", DOC, PAGE, NEEDS_MOUNT,
     "a GUID that no volume has: ERROR_FILE_NOT_FOUND; others stay mounted")
{
    const WCHAR *root = mount_base();
    GUID guid;

    new_guid(&guid);
    check_hr("hr", cim.DismountImage(&guid), HR_FILE_NOT_FOUND);
    check_content("another volume", on(root, L"file.txt"), "hello");
}

CASE(twice, "Dismount/Twice", DOC, PAGE, NEEDS_MOUNT,
     "a GUID that was dismounted names nothing any more: ERROR_FILE_NOT_FOUND")
{
    GUID guid;

    mount_known(&guid);
    check_hr("first", dismount_guid(&guid), S_OK);
    check_hr("second", cim.DismountImage(&guid), HR_FILE_NOT_FOUND);
}

CASE(failed_mount, "Dismount/AfterAFailedMount", DOC, PAGE, NEEDS_MOUNT,
     "a GUID whose mount failed names nothing: ERROR_FILE_NOT_FOUND")
{
    GUID guid;

    make_base(case_dir());
    check_hr("mount", mount_as(case_dir(), L"none.cim", 0, &guid), HR_FILE_NOT_FOUND);
    check_hr("hr", cim.DismountImage(&guid), HR_FILE_NOT_FOUND);
}

CASE(again, "Dismount/GuidIsFree", DOC, "CimMountImage page", NEEDS_MOUNT,
     "after the dismount the GUID can be used again, for the same image and for another")
{
    GUID guid;

    mount_known(&guid);
    write_image(case_dir(), NULL, L"other.cim", L"file.txt", "another");
    check_hr("dismount", dismount_guid(&guid), S_OK);
    check_hr("the same", cim.MountImage(case_dir(), L"base.cim", 0, &guid), S_OK);
    track_mount(&guid);
    check_content("its file", on(volume_root(&guid), L"file.txt"), "hello");
    check_hr("dismount again", dismount_guid(&guid), S_OK);
    check_hr("another", cim.MountImage(case_dir(), L"other.cim", 0, &guid), S_OK);
    track_mount(&guid);
    check_content("the other's file", on(volume_root(&guid), L"file.txt"), "another");
    check_error("the first's other file", path_error(on(volume_root(&guid), L"empty")),
                ERROR_FILE_NOT_FOUND);
}

CASE(many_times, "Dismount/ManyTimes", DOC, "CimMountImage, CimDismountImage pages", NEEDS_MOUNT,
     "an image can be mounted and dismounted ten times under one GUID")
{
    int i, right = 0;
    GUID guid;

    mount_known(&guid);
    for (i = 0; i < 10; i++)
    {
        size_t size;
        DWORD error;
        char *text = read_file(on(volume_root(&guid), L"file.txt"), &size, &error);

        right += text && !strcmp(text, "hello") && dismount_guid(&guid) == S_OK &&
                 path_error(volume_root(&guid)) &&
                 cim.MountImage(case_dir(), L"base.cim", 0, &guid) == S_OK;
        track_mount(&guid);
        free(text);
    }
    check_number("right", right, 10);
    check_content("in the end", on(volume_root(&guid), L"file.txt"), "hello");
}

/* Dismounts the volume with this root, and says how that went. */
ROLE(dismount_role, "dismount-volume")
{
    unsigned part[11];
    GUID guid;
    int i;

    if (argc != 1 || swscanf(argv[0], L"\\\\?\\Volume{%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x}", part,
                             part + 1, part + 2, part + 3, part + 4, part + 5, part + 6, part + 7,
                             part + 8, part + 9, part + 10) != 11)
        return 2;
    guid.Data1 = part[0];
    guid.Data2 = (WORD)part[1];
    guid.Data3 = (WORD)part[2];
    for (i = 0; i < 8; i++) guid.Data4[i] = (BYTE)part[3 + i];
    peer_say_hr(cim.DismountImage(&guid));
    return 0;
}

static HRESULT dismount_by_peer(const GUID *guid)
{
    const WCHAR *args[] = {volume_root(guid), NULL};
    struct peer *peer;
    HRESULT hr;

    peer = peer_start("dismount-volume", args);
    hr = peer_hear_hr(peer);
    peer_end(peer);
    return hr;
}

CASE(other_process, "Dismount/ByAnotherProcess", CLIENT, "hcsshim layer mounts", NEEDS_MOUNT,
     "another process can dismount it; then it is gone here too")
{
    GUID guid;

    mount_known(&guid);
    check_hr("its answer", dismount_by_peer(&guid), S_OK);
    check_bool("the volume is there", path_error(volume_root(&guid)) == 0, false);
    check_hr("our dismount", cim.DismountImage(&guid), HR_FILE_NOT_FOUND);
    untrack_mount(&guid);
}

CASE(other_stays, "Dismount/OthersStay", DOC, PAGE, NEEDS_MOUNT,
     "only the volume with that GUID goes, of three of the same image")
{
    const WCHAR *first = mount_base(), *third;
    GUID guid;

    need_hr("CimMountImage", mount_as(case_dir(), L"base.cim", 0, &guid));
    third = mount_image(case_dir(), L"base.cim");
    check_hr("hr", dismount_guid(&guid), S_OK);
    check_bool("it is there", path_error(volume_root(&guid)) == 0, false);
    check_content("the first", on(first, L"file.txt"), "hello");
    check_content("the third", on(third, L"d\\inner.txt"), "inner");
}

/* ---- with open handles -------------------------------------------------------------------------
 */

CASE(open_handles, "Dismount/OpenHandles", DECISION, "D44", NEEDS_MOUNT,
     "with a file and a directory open it succeeds; the handles go on, new opens don't")
{
    char text[6] = {0};
    HANDLE file, dir;
    DWORD got = 0;
    GUID guid;

    mount_known(&guid);
    file = open_item(on(volume_root(&guid), L"file.txt"), GENERIC_READ);
    dir = open_item(on(volume_root(&guid), L"d"), FILE_LIST_DIRECTORY);
    check_hr("hr", dismount_guid(&guid), S_OK);
    check_bool("a new open", path_error(on(volume_root(&guid), L"file.txt")) == 0, false);
    check_bool("a read by the old handle", ReadFile(file, text, 5, &got, NULL) != 0, true);
    check_bytes("its bytes", text, got, "hello", 5);
    check_hr("again", cim.DismountImage(&guid), HR_FILE_NOT_FOUND);
    check_hr("the GUID is free", cim.MountImage(case_dir(), L"base.cim", 0, &guid), S_OK);
    track_mount(&guid);
    check_content("the new volume", on(volume_root(&guid), L"file.txt"), "hello");
    SetFilePointer(file, 1, NULL, FILE_BEGIN);
    check_bool("the old handle still", ReadFile(file, text, 4, &got, NULL) != 0, true);
    check_bytes("its bytes then", text, got, "ello", 4);
    CloseHandle(file);
    CloseHandle(dir);
    check_content("after their close", on(volume_root(&guid), L"file.txt"), "hello");
}

CASE(open_handles_q, "Dismount/WhatIsOpen", QUESTION, "Q-42", NEEDS_MOUNT,
     "with a handle open: the answer, what the handle is good for, the path, a second dismount")
{
    static const struct
    {
        const char *name;
        const WCHAR *path;
        DWORD access;
    } rows[] = {
            {"a file", L"file.txt", GENERIC_READ},
            {"a file's attributes", L"file.txt", FILE_READ_ATTRIBUTES},
            {"a stream", L"file.txt:s", GENERIC_READ},
            {"a directory", L"d", FILE_LIST_DIRECTORY},
            {"the root", L"", FILE_LIST_DIRECTORY},
    };
    char name[60], byte;
    size_t i;
    GUID guid;

    make_base(case_dir());
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        BY_HANDLE_FILE_INFORMATION info;
        HANDLE file;
        DWORD got;

        need_hr("CimMountImage", mount_as(case_dir(), L"base.cim", 0, &guid));
        file = open_item(on(volume_root(&guid), rows[i].path), rows[i].access);
        see_hr(rows[i].name, dismount_guid(&guid));
        snprintf(name, sizeof(name), "%s: read", rows[i].name);
        see_error(name, ReadFile(file, &byte, 1, &got, NULL) ? 0 : GetLastError());
        snprintf(name, sizeof(name), "%s: information", rows[i].name);
        see_error(name, GetFileInformationByHandle(file, &info) ? 0 : GetLastError());
        snprintf(name, sizeof(name), "%s: the path", rows[i].name);
        see_error(name, path_error(volume_root(&guid)));
        CloseHandle(file);
        snprintf(name, sizeof(name), "%s: closed, dismounted again", rows[i].name);
        see_hr(name, dismount_guid(&guid));
        untrack_mount(&guid);
    }
}

CASE(mapped_q, "Dismount/MappedFile", QUESTION, "Q-42", NEEDS_MOUNT,
     "with a file mapped into memory: the answer, and the mapping's bytes")
{
    HANDLE file, mapping;
    const char *view;
    GUID guid;

    mount_known(&guid);
    file = open_item(on(volume_root(&guid), L"file.txt"), GENERIC_READ);
    mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    see_error("CreateFileMapping", mapping ? 0 : GetLastError());
    CloseHandle(file);
    if (!mapping) return;
    view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
    CloseHandle(mapping);
    see_hr("hr", dismount_guid(&guid));
    see_error("the path", path_error(volume_root(&guid)));
    see_bool("a view", view != NULL);
    if (!view) return;
    see_bytes("the mapped bytes", view, 5);
    UnmapViewOfFile(view);
}

CASE(current_q, "Dismount/CurrentDirectory", QUESTION, "Q-42", NEEDS_MOUNT,
     "with this process's current directory on the volume")
{
    WCHAR old[MAX_PATH];
    BOOL set;
    GUID guid;

    mount_known(&guid);
    GetCurrentDirectoryW(ARRAY_SIZE(old), old);
    set = SetCurrentDirectoryW(on(volume_root(&guid), L"d"));
    see_error("SetCurrentDirectory", set ? 0 : GetLastError());
    if (set) see_content("a relative path", L"inner.txt");
    see_hr("hr", dismount_guid(&guid));
    see_error("the path", path_error(volume_root(&guid)));
    if (set) see_content("a relative path after it", L"inner.txt");
    SetCurrentDirectoryW(old);
    see_hr("again, from elsewhere", dismount_guid(&guid));
}

CASE(race_q, "Dismount/FromTwoProcesses", QUESTION, "Q-42", NEEDS_MOUNT,
     "with a file open, another process dismounts the volume")
{
    HANDLE file;
    GUID guid;
    char byte;
    DWORD got;

    mount_known(&guid);
    file = open_item(on(volume_root(&guid), L"file.txt"), GENERIC_READ);
    see_hr("its answer", dismount_by_peer(&guid));
    see_error("a read here", ReadFile(file, &byte, 1, &got, NULL) ? 0 : GetLastError());
    CloseHandle(file);
    see_hr("our dismount", dismount_guid(&guid));
}

CASE(null_guid, "Dismount/NullGuid", QUESTION, "no page says", NEEDS_MOUNT, "no GUID")
{
    see_hr("hr", cim.DismountImage(NULL));
}

CASE(zero_guid, "Dismount/ZeroGuid", QUESTION, "no page says", NEEDS_MOUNT, "a GUID of all zeros")
{
    static const GUID zeros;

    see_hr("hr", cim.DismountImage(&zeros));
}

CASE(by_volume_q, "Dismount/ByTheVolume", QUESTION, "CimDiskImage", NEEDS_MOUNT,
     "FSCTL_LOCK_VOLUME and FSCTL_DISMOUNT_VOLUME instead, and CimDismountImage after them")
{
    WCHAR path[64];
    HANDLE volume;
    DWORD got;
    GUID guid;

    mount_known(&guid);
    wcscpy(path, volume_root(&guid));
    path[wcslen(path) - 1] = 0;
    volume = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, 0,
                         NULL);
    see_error("for writing", volume == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    if (volume == INVALID_HANDLE_VALUE)
    {
        volume = CreateFileW(path, GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
        see_error("for reading", volume == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    }
    if (volume != INVALID_HANDLE_VALUE)
    {
        see_error("FSCTL_LOCK_VOLUME",
                  DeviceIoControl(volume, FSCTL_LOCK_VOLUME, NULL, 0, NULL, 0, &got, NULL)
                          ? 0
                          : GetLastError());
        see_error("FSCTL_DISMOUNT_VOLUME",
                  DeviceIoControl(volume, FSCTL_DISMOUNT_VOLUME, NULL, 0, NULL, 0, &got, NULL)
                          ? 0
                          : GetLastError());
        CloseHandle(volume);
    }
    see_error("the path", path_error(volume_root(&guid)));
    see_content("a file", on(volume_root(&guid), L"file.txt"));
    see_hr("CimDismountImage", dismount_guid(&guid));
}
