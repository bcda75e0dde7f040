/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layers.c - images made from images: a fork and its base, chains, and extending again and again
 */
#include "inherited.h"

#include <sddl.h>

/* Each kind of change once, in a session whose existing image is inherited()'s. */
static void change_all(CIMFS_IMAGE_HANDLE image)
{
    put_text(image, L"added", "new");
    put_text(image, L"alone", "replaced");
    put_text(image, L"d\\added", "new");
    put_stream(image, L"file:s", "changed", 7);
    put_stream(image, L"file:u", "one more", 8);
    put_item(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_SYSTEM, 0), NULL, 0);
    put_link(image, L"d\\other", L"link");
    need_hr("CimDeletePath", cim.DeletePath(image, L"d\\e"));
    need_hr("CimDeletePath", cim.DeletePath(image, L"file:t"));
    need_hr("CimDeletePath", cim.DeletePath(image, L"d\\inner"));
}

CASE(base_untouched, "Fork/BaseUntouched", DOC, "CimCreateImage page", 0,
     "the base of a fork holds what it held, whatever was done in the fork")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK);

    change_all(image);
    commit_and_close(image);
    REST_IS_THERE(SAME, NULL);
    gone("added", L"added");
    gone("added below", L"d\\added");
    gone("added stream", L"file:u");
    check_hex("directory's attributes", attributes_of(IMAGE, L"d"), FILE_ATTRIBUTE_DIRECTORY);
    text_in(FORK, "fork's added", L"added", "new");
    text_in(FORK, "fork's replaced", L"alone", "replaced");
    text_in(FORK, "fork's stream", L"file:s", "changed");
}

CASE(base_alone_during, "Fork/BaseReadWhileForking", DECISION, "evidence.md 10.4", 0,
     "the base can be read while a fork is made, before and after its commit")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK);

    change_all(image);
    holds("before the commit", L"alone", "alone");
    commit(image);
    holds("after the commit", L"alone", "alone");
    close_image(image);
    holds("after closing", L"alone", "alone");
    text_in(FORK, "the fork", L"alone", "replaced");
}

CASE(base_files, "Fork/BaseFiles", QUESTION, "Q-14", 0,
     "whether each file that was there before a fork is byte for byte there after it")
{
    WCHAR before_dir[MAX_PATH];
    WIN32_FIND_DATAW data;
    CIMFS_IMAGE_HANDLE image = inherited(EXTEND);
    int same = 0, different = 0;
    HANDLE find;

    close_image(image);
    wcscpy(before_dir, new_dir(L"before"));
    copy_files(case_dir(), before_dir);
    image = open_image(case_dir(), IMAGE, L"fork.cim");
    change_all(image);
    commit_and_close(image);
    find = FindFirstFileW(join(before_dir, L"*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no files were copied");
    do
    {
        size_t size, now_size = 0;
        void *then, *now;

        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) continue;
        then = load_file(join(before_dir, data.cFileName), &size);
        now = load_file(join(case_dir(), data.cFileName), &now_size);
        if (then && now && size == now_size && !memcmp(then, now, size))
            same++;
        else
            different++;
        free(then);
        free(now);
    } while (FindNextFileW(find, &data));
    FindClose(find);
    see_bool("some are the same", same > 0);
    see_bool("all are the same", same > 0 && !different);
    see_text("all files", "%s", list_files(case_dir()));
}

CASE(discarded, "Fork/Discarded", DOC, "CimCloseImage page", 0,
     "a fork that is closed without a commit leaves no image, and the base as it was")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK);

    change_all(image);
    close_image(image);
    check_bool("fork is there", file_exists(case_dir(), L"fork.cim"), false);
    REST_IS_THERE(SAME, NULL);
    gone("added", L"added");
}

CASE(extend_discarded, "Extend/Discarded", DOC, "CimCloseImage page", 0,
     "an extension that is closed without a commit leaves the image as it was")
{
    CIMFS_IMAGE_HANDLE image = inherited(EXTEND);

    change_all(image);
    close_image(image);
    REST_IS_THERE(SAME, NULL);
    gone("added", L"added");
    check_hex("directory's attributes", attributes_of(IMAGE, L"d"), FILE_ATTRIBUTE_DIRECTORY);
}

CASE(two_forks, "Fork/TwoOfOne", DOC, "CimCreateImage page", 0,
     "two forks of one image know nothing of each other")
{
    CIMFS_IMAGE_HANDLE image = inherited(SAME);

    commit_and_close(image);
    image = open_image(case_dir(), IMAGE, L"one.cim");
    put_text(image, L"alone", "of one");
    put_text(image, L"only one", "x");
    commit_and_close(image);
    image = open_image(case_dir(), IMAGE, L"two.cim");
    put_text(image, L"alone", "of two");
    need_hr("CimDeletePath", cim.DeletePath(image, L"file"));
    commit_and_close(image);
    check_stored_text("first", case_dir(), L"one.cim", L"alone", "of one");
    check_stored_text("first's other", case_dir(), L"one.cim", L"file", "hello");
    check_stored_text("second", case_dir(), L"two.cim", L"alone", "of two");
    check_exists("second has the first's", case_dir(), L"two.cim", L"only one", false);
    check_exists("second's deleted", case_dir(), L"two.cim", L"file", false);
    REST_IS_THERE(SAME, NULL);
}

CASE(fork_extended, "Fork/Extended", DOC, "CimCreateImage page", 0,
     "a fork can be extended; its base stays")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK);

    put_text(image, L"first", "one");
    commit_and_close(image);
    image = open_image(case_dir(), L"fork.cim", NULL);
    put_text(image, L"second", "two");
    put_text(image, L"alone", "three");
    need_hr("CimDeletePath", cim.DeletePath(image, L"d"));
    commit_and_close(image);
    text_in(FORK, "added by the fork", L"first", "one");
    text_in(FORK, "added by the extension", L"second", "two");
    text_in(FORK, "replaced by the extension", L"alone", "three");
    there_in(FORK, "deleted by the extension", L"d", false);
    REST_IS_THERE(SAME, NULL);
}

static const WCHAR *level_image(int level)
{
    return level ? format_wide(L"layer%d.cim", level) : IMAGE;
}

CASE(chain, "Fork/Chain", CLIENT, "containerd cimfs snapshotter", 0,
     "forks of forks, eight deep: each shows its own changes over those below it")
{
    enum
    {
        LEVELS = 8
    };
    CIMFS_IMAGE_HANDLE image;
    char name[60], text[40];
    int level, i;

    for (level = 0; level < LEVELS; level++)
    {
        image = open_image(case_dir(), level ? level_image(level - 1) : NULL, level_image(level));
        if (!level) put_dir(image, L"d");
        snprintf(text, sizeof(text), "of level %d", level);
        put_text(image, format_wide(L"d\\own%d", level), text);
        put_text(image, L"common", text);
        /* What the level below made lives for that one level. */
        put_text(image, format_wide(L"brief%d", level), text);
        if (level)
            need_hr("CimDeletePath", cim.DeletePath(image, format_wide(L"brief%d", level - 1)));
        commit_and_close(image);
    }
    for (level = 0; level < LEVELS; level++)
    {
        WCHAR file[20]; /* the kit's own buffers don't last that long */

        wcscpy(file, level_image(level));
        snprintf(text, sizeof(text), "of level %d", level);
        snprintf(name, sizeof(name), "%d: common", level);
        check_stored_text(name, case_dir(), file, L"common", text);
        snprintf(name, sizeof(name), "%d: brief", level);
        check_stored_text(name, case_dir(), file, format_wide(L"brief%d", level), text);
        for (i = 0; i < LEVELS; i++)
        {
            snprintf(text, sizeof(text), "of level %d", i);
            snprintf(name, sizeof(name), "%d: own%d", level, i);
            if (i <= level)
                check_stored_text(name, case_dir(), file, format_wide(L"d\\own%d", i), text);
            else
                check_exists(name, case_dir(), file, format_wide(L"d\\own%d", i), false);
            snprintf(name, sizeof(name), "%d: brief%d", level, i);
            if (i < level) check_exists(name, case_dir(), file, format_wide(L"brief%d", i), false);
        }
    }
}

FRESH_CASE(repeated, "Extend/Repeated", DOC, "CimCreateImage page", 0,
           "an image that is extended twelve times holds what each session added")
{
    char name[40], text[40];
    int i;

    put_text(image, L"counter", "0");
    put_text(image, L"first", "first");
    commit_and_close(image);
    for (i = 1; i <= 12; i++)
    {
        snprintf(text, sizeof(text), "%d", i);
        image = open_image(case_dir(), IMAGE, i % 2 ? IMAGE : NULL);
        put_text(image, format_wide(L"f%d", i), text);
        put_text(image, L"counter", text);
        if (i == 6) need_hr("CimDeletePath", cim.DeletePath(image, L"f3"));
        commit_and_close(image);
    }
    for (i = 1; i <= 12; i++)
    {
        snprintf(name, sizeof(name), "session %d's", i);
        snprintf(text, sizeof(text), "%d", i);
        if (i == 3)
            gone(name, L"f3");
        else
            holds(name, format_wide(L"f%d", i), text);
    }
    holds("last counter", L"counter", "12");
    holds("first session's", L"first", "first");
}

/* Directories that a layer's archive names come again in every layer. */
static void put_layer_dirs(CIMFS_IMAGE_HANDLE image)
{
    put_dir(image, L"Files");
    put_dir(image, L"Files\\Windows");
    put_dir(image, L"Files\\Windows\\System32");
    put_dir(image, L"Files\\Windows\\System32\\config");
}

FRESH_CASE(layer_import, "Fork/LayerImport", CLIENT, "hcsshim forked layer import", 0,
           "a child layer: directories made again, files added, replaced and removed, hives linked")
{
    HRESULT hr;

    put_layer_dirs(image);
    put_text(image, L"Files\\Windows\\System32\\config\\SYSTEM", "system hive");
    put_text(image, L"Files\\Windows\\System32\\ntdll.dll", "ntdll");
    put_text(image, L"Files\\Windows\\notepad.exe", "notepad");
    put_dir(image, L"Files\\Users");
    put_text(image, L"Files\\Users\\old.txt", "old");
    put_dir(image, L"Hives");
    put_link(image, L"Hives\\System_Base", L"Files\\Windows\\System32\\config\\SYSTEM");
    commit_and_close(image);

    image = open_image(case_dir(), IMAGE, L"fork.cim");
    put_layer_dirs(image);
    put_text(image, L"Files\\Windows\\System32\\config\\SYSTEM", "changed hive");
    put_text(image, L"Files\\Windows\\System32\\new.dll", "new");
    put_dir(image, L"Files\\Users");
    check_hr("remove a file", cim.DeletePath(image, L"Files\\Users\\old.txt"), S_OK);
    hr = cim.DeletePath(image, L"Files\\Users\\never.txt");
    check_hr_in("remove what isn't there", hr, 2, HR_FILE_NOT_FOUND, HR_PATH_NOT_FOUND);
    put_text(image, L"layout", "vhd-with-hives\n");
    commit_and_close(image);

    text_in(FORK, "changed", L"Files\\Windows\\System32\\config\\SYSTEM", "changed hive");
    see_stored("linked before", case_dir(), made_by(FORK), L"Hives\\System_Base"); /* */
    text_in(FORK, "added", L"Files\\Windows\\System32\\new.dll", "new");
    text_in(FORK, "inherited", L"Files\\Windows\\System32\\ntdll.dll", "ntdll");
    text_in(FORK, "inherited above", L"Files\\Windows\\notepad.exe", "notepad");
    there_in(FORK, "removed", L"Files\\Users\\old.txt", false);
    there_in(FORK, "its directory", L"Files\\Users", true);
    text_in(FORK, "at the root", L"layout", "vhd-with-hives\n");
    holds("parent's hive", L"Files\\Windows\\System32\\config\\SYSTEM", "system hive");
    holds("parent's file", L"Files\\Users\\old.txt", "old");
}

/* ---- as mounted ------------------------------------------------------------------------------ */

FRESH_CASE(sample_flow, "Fork/DeletedIsFileNotFound", CLIENT, "CimFSAPI sample", NEEDS_MOUNT,
           "on the mounted fork a deleted name is ERROR_FILE_NOT_FOUND; the base's link is still "
           "there")
{
    const WCHAR *root;
    DWORD error;

    put_dir(image, L"d");
    put_text(image, L"file", "hello");
    put_text(image, L"d\\nested", "nested");
    image = reopen(image, EXTEND);
    put_link(image, L"link", L"file");
    image = reopen(image, FORK);
    check_hr("delete", cim.DeletePath(image, L"link"), S_OK);
    commit_and_close(image);
    root = mount_image(case_dir(), L"fork.cim");
    error = GetFileAttributesW(format_wide(L"%lslink", root)) == INVALID_FILE_ATTRIBUTES
                    ? GetLastError()
                    : 0;
    check_error("the deleted name", error, ERROR_FILE_NOT_FOUND);
    check_bool("beside it",
               GetFileAttributesW(format_wide(L"%lsfile", root)) != INVALID_FILE_ATTRIBUTES, true);
    dismount(root);
    root = mount_image(case_dir(), IMAGE);
    check_bool("in the base",
               GetFileAttributesW(format_wide(L"%lslink", root)) != INVALID_FILE_ATTRIBUTES, true);
    dismount(root);
}

CASE(both_mounted, "Fork/BothMounted", DOC, "CimCreateImage page", NEEDS_MOUNT,
     "a fork and its base, mounted at the same time, each show their own content")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK);
    const WCHAR *base, *fork;
    size_t size;
    DWORD error;
    char *text;

    change_all(image);
    commit_and_close(image);
    base = mount_image(case_dir(), IMAGE);
    fork = mount_image(case_dir(), L"fork.cim");
    text = read_file(format_wide(L"%lsalone", base), &size, &error);
    check_text("the base's", text, "alone");
    free(text);
    text = read_file(format_wide(L"%lsalone", fork), &size, &error);
    check_text("the fork's", text, "replaced");
    free(text);
    text = read_file(format_wide(L"%lslink", fork), &size, &error);
    check_text("inherited by the fork", text, "hello");
    free(text);
}

/* ---- questions ------------------------------------------------------------------------------- */

CASE(ids, "Fork/FileIds", QUESTION, "Q-40", 0,
     "whether items keep their FileId in a fork and in an extension")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK);
    INT64 file, dir;

    if (!has_export("CimGetFileStatBasicInformation")) skip_case("no such export");
    put_text(image, L"added", "new");
    put_dir(image, L"d");
    commit_and_close(image);
    file = id_of(IMAGE, L"alone");
    dir = id_of(IMAGE, L"d");
    see_number("the root's", (uint64_t)id_of(IMAGE, L""));
    see_number("a file's", (uint64_t)file);
    see_bool("a file's in the fork", id_of(L"fork.cim", L"alone") == file);
    see_bool("a directory's that was made again", id_of(L"fork.cim", L"d") == dir);
    write_image(case_dir(), IMAGE, NULL, L"added", "new");
    see_bool("a file's in the extension", id_of(IMAGE, L"alone") == file);
}

CASE(base_extended, "Fork/BaseExtendedLater", QUESTION, "Q-14", 0,
     "what a fork shows when its base is extended after the fork was made")
{
    CIMFS_IMAGE_HANDLE image = inherited(FORK), base = NULL;
    HRESULT hr;

    put_text(image, L"in fork", "new");
    commit_and_close(image);
    hr = cim.CreateImage(case_dir(), IMAGE, NULL, &base);
    see_hr("extending the base", hr);
    if (FAILED(hr)) return;
    track_image(base);
    put_text(base, L"later", "later");
    put_text(base, L"alone", "replaced");
    need_hr("CimDeletePath", cim.DeletePath(base, L"file"));
    see_hr("its commit", cim.CommitImage(base));
    close_image(base);
    see_stored("fork: own", case_dir(), L"fork.cim", L"in fork");
    see_stored("fork: replaced in the base", case_dir(), L"fork.cim", L"alone");
    see_stored("fork: deleted in the base", case_dir(), L"fork.cim", L"file");
    see_stored("fork: added to the base", case_dir(), L"fork.cim", L"later");
    see_stored("base: added", case_dir(), IMAGE, L"later");
}

/* The names of a file's extended attributes; they need a function of ntdll's. */
static void see_eas(const char *name, HANDLE file)
{
    LONG(WINAPI * query)
    (HANDLE, void *, void *, ULONG, BOOLEAN, void *, ULONG, void *, BOOLEAN) =
            (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryEaFile");
    BYTE buffer[512] = {0};
    void *status[2] = {0};
    LONG result;

    if (!query) return;
    result = query(file, status, buffer, sizeof(buffer), FALSE, NULL, 0, NULL, TRUE);
    /* In the first entry: NextEntryOffset, Flags, NameLength, ValueLength, the name. */
    if (result < 0)
        see_text(name, "status 0x%08lx", (unsigned long)result);
    else
        see_text(name, "%s, last: %s", (const char *)buffer + 8, *(ULONG *)buffer ? "no" : "yes");
}

static void see_descriptor(const char *name, HANDLE file)
{
    BYTE descriptor[1024];
    DWORD needed = 0;
    char *text = NULL;

    if (!GetKernelObjectSecurity(file, DACL_SECURITY_INFORMATION, descriptor, sizeof(descriptor),
                                 &needed))
        see_error(name, GetLastError());
    else if (ConvertSecurityDescriptorToStringSecurityDescriptorA(
                     descriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text, NULL))
        see_text(name, "%s", text);
    LocalFree(text);
}

static void see_directory_again(enum session session)
{
    static const BYTE old_ea[] = {0, 0, 0, 0, 0, 3, 1, 0, 'O', 'L', 'D', 0, 'x', 0, 0, 0};
    static const BYTE new_ea[] = {0, 0, 0, 0, 0, 3, 1, 0, 'N', 'E', 'W', 0, 'x', 0, 0, 0};
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_DIRECTORY, 0);
    CIMFS_IMAGE_HANDLE image = fresh();
    PSECURITY_DESCRIPTOR descriptor = NULL;
    HANDLE file;

    need(ConvertStringSecurityDescriptorToSecurityDescriptorA(
                 "D:(A;;FA;;;BA)(A;;FR;;;WD)", SDDL_REVISION_1, &descriptor,
                 (ULONG *)&metadata->SecurityDescriptorSize),
         "no descriptor: error %lu", GetLastError());
    metadata->SecurityDescriptorBuffer = descriptor;
    metadata->EaBuffer = old_ea;
    metadata->EaBufferSize = sizeof(old_ea);
    see_hr("the first time", try_create_file(image, L"d", metadata));
    LocalFree(descriptor);
    image = reopen(image, session);
    metadata = meta(FILE_ATTRIBUTE_DIRECTORY, 0);
    metadata->EaBuffer = new_ea;
    metadata->EaBufferSize = sizeof(new_ea);
    see_hr("the second time", try_create_file(image, L"d", metadata));
    commit_and_close(image);
    file = CreateFileW(format_wide(L"%lsd", mount_image(case_dir(), made_by(session))),
                       GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS, NULL);
    need(file != INVALID_HANDLE_VALUE, "can't open a mounted directory: error %lu", GetLastError());
    see_descriptor("DACL", file);
    see_eas("attributes", file);
    CloseHandle(file);
}

CASE(same_again, "CreateFile/DirectoryAgainSecurityAndEas", QUESTION, "Q-2",
     NEEDS_MOUNT | ONLY_WINDOWS,
     "the descriptor and EAs of a directory that was created twice (Wine shows neither)")
{
    see_directory_again(SAME);
}

CASE(extend_again, "Extend/DirectoryAgainSecurityAndEas", QUESTION, "Q-2",
     NEEDS_MOUNT | ONLY_WINDOWS,
     "the descriptor and EAs of an inherited directory created again (Wine shows neither)")
{
    see_directory_again(EXTEND);
}

CASE(fork_again, "Fork/DirectoryAgainSecurityAndEas", QUESTION, "Q-2", NEEDS_MOUNT | ONLY_WINDOWS,
     "in a fork, the descriptor and EAs of a directory created again (Wine shows neither)")
{
    see_directory_again(FORK);
}
