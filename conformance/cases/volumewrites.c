/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumewrites.c - a mounted volume can't be written; what of it can be opened at the same time
 */
#include "volume.h"

#define PAGE "CimMountImage page"

/* ---- writing -----------------------------------------------------------------------------------
 */

/* What must not be done to a volume for reading: answers 0 if it was done, else the error. */
static DWORD make_directory(const WCHAR *root)
{
    return error_of(CreateDirectoryW(on(root, L"new"), NULL));
}

static DWORD remove_directory(const WCHAR *root)
{
    return error_of(RemoveDirectoryW(on(root, L"vacant")));
}

static DWORD rename_file(const WCHAR *root)
{
    return error_of(MoveFileW(on(root, L"file.txt"), on(root, L"renamed")));
}

static DWORD link_file(const WCHAR *root)
{
    return error_of(CreateHardLinkW(on(root, L"link"), on(root, L"file.txt"), NULL));
}

static DWORD set_attributes(const WCHAR *root)
{
    return error_of(SetFileAttributesW(on(root, L"file.txt"), FILE_ATTRIBUTE_READONLY));
}

static DWORD copy_in(const WCHAR *root)
{
    return error_of(CopyFileW(join(case_dir(), L"a.cim"), on(root, L"copy"), TRUE));
}

static DWORD set_times(const WCHAR *root)
{
    FILETIME time = {1, 2};
    HANDLE file = CreateFileW(on(root, L"file.txt"), FILE_WRITE_ATTRIBUTES, SHARE_ALL, NULL,
                              OPEN_EXISTING, 0, NULL);
    DWORD error;

    if (file == INVALID_HANDLE_VALUE) return GetLastError();
    error = error_of(SetFileTime(file, &time, &time, &time));
    CloseHandle(file);
    return error;
}

static DWORD delete_file(const WCHAR *root)
{
    return error_of(DeleteFileW(on(root, L"file.txt")));
}

/* Opening in a way that would change something. */
static const struct
{
    const char *name;
    const WCHAR *path;
    DWORD access;
    DWORD disposition;
} opens[] = {
        {"a new file", L"new", GENERIC_WRITE, CREATE_NEW},
        {"a new file in a directory", L"d\\new", GENERIC_WRITE, OPEN_ALWAYS},
        {"open for writing", L"file.txt", GENERIC_WRITE, OPEN_EXISTING},
        {"open for appending", L"file.txt", FILE_APPEND_DATA, OPEN_EXISTING},
        {"truncate", L"file.txt", GENERIC_READ | GENERIC_WRITE, TRUNCATE_EXISTING},
        {"replace", L"file.txt", GENERIC_WRITE, CREATE_ALWAYS},
        {"open a stream for writing", L"file.txt:s", GENERIC_WRITE, OPEN_EXISTING},
        {"a new stream", L"file.txt:new", GENERIC_WRITE, CREATE_NEW},
};

static const struct
{
    const char *name;
    DWORD (*run)(const WCHAR *root);
} writes[] = {
        {"a new directory", make_directory},
        {"rename", rename_file},
        {"a new link", link_file},
        {"set attributes", set_attributes},
        {"set times", set_times},
        {"copy a file to it", copy_in},
};

static DWORD run_open(const WCHAR *root, size_t i)
{
    return open_error(on(root, opens[i].path), opens[i].access, SHARE_ALL, opens[i].disposition, 0);
}

/* A file with a stream, and two empty directories. */
static const WCHAR *mount_writable(void)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    put_text(image, L"file.txt", "hello");
    put_stream(image, L"file.txt:s", "stream", 6);
    put_dir(image, L"d");
    put_dir(image, L"vacant");
    return mount_fresh(image);
}

CASE(writes_refused, "Volume/ReadOnly", DOC, PAGE, NEEDS_MOUNT,
     "files can't be made, opened for writing, renamed, linked or changed")
{
    const WCHAR *root = mount_writable();
    size_t i;

    for (i = 0; i < ARRAY_SIZE(opens); i++)
        check_bool(opens[i].name, run_open(root, i) == 0, false);
    for (i = 0; i < ARRAY_SIZE(writes); i++)
        check_bool(writes[i].name, writes[i].run(root) == 0, false);
    check_content("the file", on(root, L"file.txt"), "hello");
    check_content("its stream", on(root, L"file.txt:s"), "stream");
    check_bool("something new", path_error(on(root, L"new")) == 0, false);
    check_bool("a copy", path_error(on(root, L"copy")) == 0, false);
    check_hex("attributes", GetFileAttributesW(on(root, L"file.txt")), FILE_ATTRIBUTE_ARCHIVE);
    check_error("the directory", path_error(on(root, L"vacant")), 0);
}

CASE(nothing_deleted, "Volume/NothingIsDeleted", DOC, PAGE, NEEDS_MOUNT,
     "files and directories are still there after attempts to delete them")
{
    const WCHAR *root = mount_writable();

    delete_file(root);
    remove_directory(root);
    open_error(on(root, L"file.txt"), DELETE, SHARE_ALL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE);
    check_content("the file", on(root, L"file.txt"), "hello");
    check_content("its stream", on(root, L"file.txt:s"), "stream");
    check_error("the directory", path_error(on(root, L"vacant")), 0);
}

CASE(delete_fails, "Volume/DeleteFileFails", DOC, PAGE, NEEDS_MOUNT, "DeleteFile fails")
{
    check_bool("success", delete_file(mount_writable()) == 0, false);
}

CASE(remove_fails, "Volume/RemoveDirectoryFails", DOC, PAGE, NEEDS_MOUNT,
     "RemoveDirectory of an empty directory fails")
{
    check_bool("success", remove_directory(mount_writable()) == 0, false);
}

CASE(delete_errors, "Volume/WriteErrors", QUESTION, "no page says", NEEDS_MOUNT,
     "the errors of writing, deleting, and opening with other rights")
{
    static const struct
    {
        const char *name;
        DWORD access;
    } rows[] = {{"open to delete", DELETE},
                {"open to change attributes", FILE_WRITE_ATTRIBUTES},
                {"open to change EAs", FILE_WRITE_EA},
                {"open to change the DACL", WRITE_DAC},
                {"open to change the owner", WRITE_OWNER},
                {"open for all that is allowed", MAXIMUM_ALLOWED},
                {"open to run", GENERIC_EXECUTE}};
    const WCHAR *root = mount_writable();
    size_t i;

    for (i = 0; i < ARRAY_SIZE(opens); i++) see_error(opens[i].name, run_open(root, i));
    for (i = 0; i < ARRAY_SIZE(writes); i++) see_error(writes[i].name, writes[i].run(root));
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        see_error(rows[i].name,
                  open_error(on(root, L"file.txt"), rows[i].access, SHARE_ALL, OPEN_EXISTING, 0));
    see_error("open a directory to add files",
              open_error(on(root, L"d"), FILE_ADD_FILE, SHARE_ALL, OPEN_EXISTING,
                         FILE_FLAG_BACKUP_SEMANTICS));
    see_error("remove a directory", remove_directory(root));
    see_error("delete", delete_file(root));
}

/* ---- sharing -----------------------------------------------------------------------------------
 */

CASE(two_readers, "Volume/SharedReading", DOC, PAGE, NEEDS_MOUNT,
     "a file can be opened twice for reading, and both handles have places of their own")
{
    const WCHAR *root = mount_base();
    HANDLE first = open_item(on(root, L"file.txt"), GENERIC_READ);
    HANDLE second = open_item(on(root, L"file.txt"), GENERIC_READ);
    char a[6] = {0}, b[6] = {0};
    DWORD got;

    ReadFile(first, a, 2, &got, NULL);
    ReadFile(second, b, 4, &got, NULL);
    ReadFile(first, a + 2, 3, &got, NULL);
    check_text("first", a, "hello");
    check_text("second", b, "hell");
    CloseHandle(first);
    CloseHandle(second);
}

CASE(shares_q, "Volume/ShareModes", QUESTION, "Q-43", NEEDS_MOUNT,
     "opening a file again that is open with each share mode")
{
    static const struct
    {
        const char *name;
        DWORD share;
    } rows[] = {{"nothing", 0}, {"reading", FILE_SHARE_READ}, {"writing", FILE_SHARE_WRITE}};
    const WCHAR *root = mount_base();
    char name[60];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        HANDLE file = CreateFileW(on(root, L"file.txt"), GENERIC_READ, rows[i].share, NULL,
                                  OPEN_EXISTING, 0, NULL);

        snprintf(name, sizeof(name), "first shares %s", rows[i].name);
        see_error(name, file == INVALID_HANDLE_VALUE ? GetLastError() : 0);
        snprintf(name, sizeof(name), "first shares %s: again, sharing all", rows[i].name);
        see_error(name,
                  open_error(on(root, L"file.txt"), GENERIC_READ, SHARE_ALL, OPEN_EXISTING, 0));
        snprintf(name, sizeof(name), "first shares %s: again, sharing nothing", rows[i].name);
        see_error(name, open_error(on(root, L"file.txt"), GENERIC_READ, 0, OPEN_EXISTING, 0));
        if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    }
}
