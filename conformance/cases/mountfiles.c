/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountfiles.c - CimMountImage and the files of an image: damaged or missing ones, ones that may
 * not be read, and what others may do with them while the image is mounted
 */
#include "volume.h"

/* The first file that a pattern finds in the case's directory. */
static const WCHAR *file_like(const WCHAR *pattern)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(join(case_dir(), pattern), &data);

    need(find != INVALID_HANDLE_VALUE, "no file like %ls", pattern);
    FindClose(find);
    return join(case_dir(), data.cFileName);
}

/* base.cim, a byte of its file changed. */
static void damage(size_t offset, BYTE value)
{
    size_t size;
    BYTE *data;

    make_base(case_dir());
    data = load_file(join(case_dir(), L"base.cim"), &size);
    need(data && size > offset, "the image's file can't be read");
    data[offset] = value;
    save_file(join(case_dir(), L"base.cim"), data, size);
    free(data);
}

static void cut_file(const WCHAR *path, LONG size)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);

    need(file != INVALID_HANDLE_VALUE &&
                 SetFilePointer(file, size, NULL, FILE_BEGIN) == (DWORD)size && SetEndOfFile(file),
         "can't cut a file: error %lu", GetLastError());
    CloseHandle(file);
}

static HRESULT try_base(void)
{
    return try_mount(case_dir(), L"base.cim", 0);
}

/* ---- damaged images: decision D31 --------------------------------------------------------------
 */

CASE(no_image, "Mount/NoImage", DECISION, "D31", NEEDS_MOUNT,
     "a file that is no image, one with another magic, an empty one: ERROR_CIMFS_IMAGE_CORRUPT")
{
    static const char zeros[4096];

    damage(0, 'C');
    check_hr("magic", try_base(), HR_CORRUPT);
    save_file(join(case_dir(), L"zeros.cim"), zeros, sizeof(zeros));
    check_hr("zeros", try_mount(case_dir(), L"zeros.cim", 0), HR_CORRUPT);
    save_file(join(case_dir(), L"empty.cim"), zeros, 0);
    check_hr("empty", try_mount(case_dir(), L"empty.cim", 0), HR_CORRUPT);
}

CASE(version, "Mount/UnknownVersion", DECISION, "D31", NEEDS_MOUNT,
     "an image of an unknown version: ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED")
{
    damage(16, 99);
    check_hr("hr", try_base(), HR_VERSION);
}

/* Mounts base.cim once for each of its region files, with that one deleted (size -1) or cut. */
static void check_regions(LONG size)
{
    const WCHAR *names[20];
    WIN32_FIND_DATAW data;
    int count = 0, i;
    char name[40];
    HANDLE find;

    make_base(case_dir());
    find = FindFirstFileW(join(case_dir(), L"region_*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no region files");
    do names[count] = _wcsdup(data.cFileName);
    while (++count < 20 && FindNextFileW(find, &data));
    FindClose(find);
    for (i = 0; i < count; i++)
    {
        const WCHAR *path = join(case_dir(), names[i]), *aside = join(case_dir(), L"aside");

        need(CopyFileW(path, aside, FALSE), "can't copy a region file: error %lu", GetLastError());
        if (size < 0)
            need(DeleteFileW(path), "can't delete a region file: error %lu", GetLastError());
        else
            cut_file(path, size);
        sprintf(name, "region file %d", i);
        check_hr(name, try_base(), HR_CORRUPT);
        need(MoveFileExW(aside, path, MOVEFILE_REPLACE_EXISTING), "can't restore a region file");
    }
    check_hr("all restored", try_base(), S_OK);
}

CASE(region_missing, "Mount/RegionMissing", DECISION, "D31", NEEDS_MOUNT,
     "one of the image's region files is missing: ERROR_CIMFS_IMAGE_CORRUPT")
{
    check_regions(-1);
}

CASE(region_short, "Mount/RegionShort", DECISION, "D31", NEEDS_MOUNT,
     "one of the region files is shorter than its header: ERROR_CIMFS_IMAGE_CORRUPT")
{
    check_regions(4);
}

static void make_fork(void)
{
    write_image(case_dir(), L"base.cim", L"fork.cim", L"own", "own");
}

CASE(parent_missing, "Mount/ParentsRegionMissing", CLIENT, "hcsshim DestroyCim", NEEDS_MOUNT,
     "a fork whose parent's region files are gone is of no use: no mount, or no inherited file")
{
    WIN32_FIND_DATAW data;
    bool usable = false;
    HANDLE find;
    GUID guid;

    make_base(case_dir());
    find = FindFirstFileW(join(case_dir(), L"region_*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no region files");
    FindClose(find);
    make_fork();
    data.cFileName[wcslen(L"region_") + 36] = 0; /* of the parent's set */
    for (;;)
    {
        WIN32_FIND_DATAW one;

        find = FindFirstFileW(join(case_dir(), format_wide(L"%ls_*", data.cFileName)), &one);
        if (find == INVALID_HANDLE_VALUE) break;
        FindClose(find);
        need(DeleteFileW(join(case_dir(), one.cFileName)), "can't delete a region file");
    }
    if (SUCCEEDED(mount_as(case_dir(), L"fork.cim", 0, &guid)))
    {
        size_t size;
        DWORD error;
        char *text = read_file(on(volume_root(&guid), L"file.txt"), &size, &error);

        usable = text != NULL && !strcmp(text, "hello");
        free(text);
    }
    check_bool("an inherited file can be read", usable, false);
}

CASE(broken_q, "Mount/BrokenImages", QUESTION, "Q-41", NEEDS_MOUNT,
     "the codes for images that are broken in several ways")
{
    static const struct
    {
        const char *name;
        const WCHAR *pattern;
        LONG size; /* cut to it; -1: deleted; -2: its second half zeroed */
    } rows[] = {
            {"image cut to 8 bytes", L"base.cim", 8},
            {"image cut to 40 bytes", L"base.cim", 40},
            {"object IDs deleted", L"objectid_*", -1},
            {"object IDs emptied", L"objectid_*", 0},
            {"first region emptied", L"region_*", 0},
            {"region 1 emptied", L"region_*_1", 0},
            {"region 2 emptied", L"region_*_2", 0},
            {"first region's end zeroed", L"region_*", -2},
            {"region 2's end zeroed", L"region_*_2", -2},
    };
    WIN32_FIND_DATAW data;
    size_t i, size;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        const WCHAR *dir = new_dir(format_wide(L"%d", (int)i)), *path;
        HANDLE find;
        BYTE *bytes;

        make_base(dir);
        find = FindFirstFileW(join(dir, rows[i].pattern), &data);
        if (find == INVALID_HANDLE_VALUE) continue;
        FindClose(find);
        path = join(dir, data.cFileName);
        if (rows[i].size >= 0)
            cut_file(path, rows[i].size);
        else if (rows[i].size == -1)
            DeleteFileW(path);
        else if ((bytes = load_file(path, &size)))
        {
            memset(bytes + size / 2, 0, size - size / 2);
            save_file(path, bytes, size);
            free(bytes);
        }
        see_hr(rows[i].name, try_mount(dir, L"base.cim", 0));
    }
}

CASE(versions_q, "Mount/Versions", QUESTION, "Q-41", NEEDS_MOUNT,
     "the version of the images that are written, and the answer to other version numbers")
{
    static const BYTE majors[] = {0, 1, 2, 3, 4, 5, 255};
    char name[30];
    size_t i, size;
    BYTE *data;

    make_base(case_dir());
    data = load_file(join(case_dir(), L"base.cim"), &size);
    need(data && size > 24, "the image's file can't be read");
    see_number("major", data[16]);
    see_number("minor", data[20]);
    for (i = 0; i < ARRAY_SIZE(majors); i++)
    {
        data[16] = majors[i];
        save_file(join(case_dir(), L"other.cim"), data, size);
        sprintf(name, "major %d", majors[i]);
        see_hr(name, try_mount(case_dir(), L"other.cim", 0));
    }
    free(data);
}

CASE(parent_q, "Mount/ForkWithoutItsParent", QUESTION, "Q-41", NEEDS_MOUNT,
     "a fork whose parent's image file is deleted, or was extended after it")
{
    GUID guid;
    HRESULT hr;

    make_base(case_dir());
    make_fork();
    write_image(case_dir(), L"base.cim", NULL, L"file.txt", "replaced");
    hr = mount_as(case_dir(), L"fork.cim", 0, &guid);
    see_hr("after the extension", hr);
    if (SUCCEEDED(hr))
    {
        see_content("the inherited file", on(volume_root(&guid), L"file.txt"));
        dismount_guid(&guid);
    }
    DeleteFileW(join(case_dir(), L"base.cim"));
    hr = mount_as(case_dir(), L"fork.cim", 0, &guid);
    see_hr("without the image file", hr);
    if (SUCCEEDED(hr)) see_content("the inherited file then", on(volume_root(&guid), L"file.txt"));
}

CASE(empty_q, "Mount/EmptyImage", QUESTION, "hcsshim cim_test (a block image)", NEEDS_MOUNT,
     "an image to which nothing was added, mounted")
{
    WIN32_FIND_DATAW data;
    HANDLE find;
    HRESULT hr;
    GUID guid;

    close_image(open_image(case_dir(), NULL, L"none.cim"));
    commit_and_close(open_image(case_dir(), NULL, L"empty.cim"));
    hr = mount_as(case_dir(), L"empty.cim", 0, &guid);
    see_hr("hr", hr);
    if (FAILED(hr)) return;
    see_error("the root", path_error(volume_root(&guid)));
    find = FindFirstFileW(on(volume_root(&guid), L"*"), &data);
    see_error("listed", find == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    if (find == INVALID_HANDLE_VALUE) return;
    see_wide("the first name", data.cFileName);
    FindClose(find);
}

/* ---- rights ------------------------------------------------------------------------------------
 */

/* A DACL by which nobody may read. Wine keeps none, and root may read all the same. */
static void deny_reading(const WCHAR *path)
{
    SECURITY_DESCRIPTOR descriptor;
    DWORD acl[32];
    SID everyone = {SID_REVISION, 1, {SECURITY_WORLD_SID_AUTHORITY}, {SECURITY_WORLD_RID}};
    HANDLE file;

    InitializeAcl((ACL *)acl, sizeof(acl), ACL_REVISION);
    need(AddAccessDeniedAce((ACL *)acl, ACL_REVISION, FILE_GENERIC_READ, &everyone),
         "no ACE: error %lu", GetLastError());
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor, TRUE, (ACL *)acl, FALSE);
    if (!SetFileSecurityW(path, DACL_SECURITY_INFORMATION, &descriptor))
        skip_case("can't change a DACL: error %lu", GetLastError());
    file = CreateFileW(path, GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) return;
    CloseHandle(file);
    skip_case("this user may read in spite of the DACL");
}

CASE(unreadable, "Mount/ImageWithoutAccess", DOC, "CimMountImage page", NEEDS_MOUNT,
     "an image file that the caller may not read: E_ACCESSDENIED")
{
    make_base(case_dir());
    deny_reading(join(case_dir(), L"base.cim"));
    check_hr("hr", try_base(), E_ACCESSDENIED);
}

CASE(unreadable_q, "Mount/RegionWithoutAccess", QUESTION, "Q-41", NEEDS_MOUNT,
     "a region file that the caller may not read")
{
    make_base(case_dir());
    deny_reading(file_like(L"region_*"));
    see_hr("hr", try_base());
}

CASE(read_only, "Mount/ReadOnlyFiles", QUESTION, "MSIX app attach", NEEDS_MOUNT,
     "an image whose files are marked read-only, as on a share for reading")
{
    WIN32_FIND_DATAW data;
    HANDLE find;

    make_base(case_dir());
    find = FindFirstFileW(join(case_dir(), L"*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no files");
    do
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            SetFileAttributesW(join(case_dir(), data.cFileName), FILE_ATTRIBUTE_READONLY);
    while (FindNextFileW(find, &data));
    FindClose(find);
    see_hr("hr", try_base());
}

/* ---- the image's files while it is mounted ------------------------------------------------------
 */

static const struct
{
    const char *name;
    const WCHAR *pattern;
} files[] = {{"image", L"base.cim"}, {"region", L"region_*"}, {"object IDs", L"objectid_*"}};

static void see_open(const char *file, const char *how, const WCHAR *path, DWORD access,
                     DWORD share)
{
    HANDLE handle = CreateFileW(path, access, share, NULL, OPEN_EXISTING, 0, NULL);
    char name[60];

    snprintf(name, sizeof(name), "%s, %s", file, how);
    see_error(name, handle == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
}

CASE(opened, "Mount/FilesOpenedWhileMounted", QUESTION, "Q-15", NEEDS_MOUNT,
     "how the files of a mounted image can be opened")
{
    size_t i;

    mount_base();
    for (i = 0; i < ARRAY_SIZE(files); i++)
    {
        const WCHAR *path = file_like(files[i].pattern);

        see_open(files[i].name, "reading, sharing all", path, GENERIC_READ, SHARE_ALL);
        see_open(files[i].name, "reading, sharing reading", path, GENERIC_READ, FILE_SHARE_READ);
        see_open(files[i].name, "reading, sharing nothing", path, GENERIC_READ, 0);
        see_open(files[i].name, "writing, sharing all", path, GENERIC_WRITE, SHARE_ALL);
        see_open(files[i].name, "deleting, sharing all", path, DELETE, SHARE_ALL);
    }
}

CASE(renamed, "Mount/FilesRenamedWhileMounted", QUESTION, "Q-15", NEEDS_MOUNT,
     "renaming a mounted image's files and its directory, and what the volume shows then")
{
    const WCHAR *dir = new_dir(L"dir"), *root;
    WIN32_FIND_DATAW data;
    char name[60];
    HANDLE find;
    size_t i;

    make_base(dir);
    root = mount_image(dir, L"base.cim");
    for (i = 0; i < ARRAY_SIZE(files); i++)
    {
        const WCHAR *path;

        find = FindFirstFileW(join(dir, files[i].pattern), &data);
        if (find == INVALID_HANDLE_VALUE) continue;
        FindClose(find);
        path = join(dir, data.cFileName);
        see_error(files[i].name, MoveFileW(path, join(dir, L"renamed")) ? 0 : GetLastError());
        snprintf(name, sizeof(name), "a file then: %s", files[i].name);
        see_content(name, on(root, L"file.txt"));
        MoveFileW(join(dir, L"renamed"), path);
    }
    see_error("the directory", MoveFileW(dir, join(case_dir(), L"renamed")) ? 0 : GetLastError());
    see_content("a file then: the directory", on(root, L"d\\inner.txt"));
    MoveFileW(join(case_dir(), L"renamed"), dir);
}

CASE(deleted, "Mount/FilesDeletedWhileMounted", QUESTION, "Q-15", NEEDS_MOUNT,
     "overwriting and deleting a mounted image's files, and what the volume shows then")
{
    const WCHAR *root = mount_base();
    WCHAR path[MAX_PATH];
    char name[60];
    size_t i;

    save_file(join(case_dir(), L"replacement"), "x", 1);
    for (i = 0; i < ARRAY_SIZE(files); i++)
    {
        wcscpy(path, file_like(files[i].pattern));
        snprintf(name, sizeof(name), "%s, overwritten", files[i].name);
        see_error(name,
                  CopyFileW(join(case_dir(), L"replacement"), join(case_dir(), L"copy"), FALSE) &&
                                  MoveFileExW(join(case_dir(), L"copy"), path,
                                              MOVEFILE_REPLACE_EXISTING)
                          ? 0
                          : GetLastError());
        snprintf(name, sizeof(name), "%s, deleted", files[i].name);
        see_error(name, DeleteFileW(path) ? 0 : GetLastError());
        snprintf(name, sizeof(name), "a file then: %s", files[i].name);
        see_content(name, on(root, L"file.txt"));
    }
    see_content("a file not read before", on(root, L"d\\inner.txt"));
}
