/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumefiles.c - what a mounted volume tells of a file: attributes, sizes, times, IDs
 *
 * Wine shows only some of this, whatever the DLL does (suite/wine_limits.c). What it can't show is
 * in cases of its own, so that all the rest is required there too.
 */
#include "volume.h"

#include <aclapi.h>

#define SAMPLE "CimFSAPI sample"
#define METADATA "CIMFS_FILE_METADATA page"

static FILE_BASIC_INFO basic_info(const WCHAR *path)
{
    HANDLE file = open_item(path, FILE_READ_ATTRIBUTES);
    FILE_BASIC_INFO info;

    memset(&info, 0, sizeof(info));
    need(GetFileInformationByHandleEx(file, FileBasicInfo, &info, sizeof(info)),
         "no FileBasicInfo: error %lu", GetLastError());
    CloseHandle(file);
    return info;
}

/* ---- attributes --------------------------------------------------------------------------------
 */

static void check_attributes(const char *name, const WCHAR *path, DWORD want)
{
    WIN32_FIND_DATAW data = {0};
    HANDLE find = FindFirstFileW(path, &data);
    char label[60];

    if (find != INVALID_HANDLE_VALUE) FindClose(find);
    snprintf(label, sizeof(label), "%s, by path", name);
    check_hex(label, GetFileAttributesW(path), want);
    snprintf(label, sizeof(label), "%s, by handle", name);
    check_hex(label, basic_info(path).FileAttributes, want);
    snprintf(label, sizeof(label), "%s, listed", name);
    check_hex(label, data.dwFileAttributes, want);
}

FRESH_CASE(attributes, "Volume/Attributes", CLIENT, SAMPLE, NEEDS_MOUNT,
           "an ordinary file's and directory's attributes are those that were given")
{
    const WCHAR *root;

    put_text(image, L"f", "x");
    put_dir(image, L"d");
    root = mount_fresh(image);
    check_attributes("a file", on(root, L"f"), FILE_ATTRIBUTE_ARCHIVE);
    check_attributes("a directory", on(root, L"d"), FILE_ATTRIBUTE_DIRECTORY);
}

FRESH_CASE(kept, "Volume/AttributesKept", DECISION, "D14", NEEDS_MOUNT,
           "READONLY, HIDDEN and SYSTEM are kept, of files with ARCHIVE and of directories")
{
    static const DWORD bits[] = {FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_HIDDEN,
                                 FILE_ATTRIBUTE_SYSTEM, 7};
    const WCHAR *root;
    char name[30];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bits); i++)
    {
        put_item(image, format_wide(L"f%lu", bits[i]), meta(bits[i] | FILE_ATTRIBUTE_ARCHIVE, 0),
                 NULL, 0);
        put_item(image, format_wide(L"d%lu", bits[i]), meta(bits[i] | FILE_ATTRIBUTE_DIRECTORY, 0),
                 NULL, 0);
    }
    root = mount_fresh(image);
    for (i = 0; i < ARRAY_SIZE(bits); i++)
    {
        sprintf(name, "file 0x%lx", bits[i]);
        check_attributes(name, on(root, format_wide(L"f%lu", bits[i])),
                         bits[i] | FILE_ATTRIBUTE_ARCHIVE);
        sprintf(name, "directory 0x%lx", bits[i]);
        check_attributes(name, on(root, format_wide(L"d%lu", bits[i])),
                         bits[i] | FILE_ATTRIBUTE_DIRECTORY);
    }
}

CASE(dropped, "Volume/AttributesDropped", DECISION, "D14", NEEDS_MOUNT,
     "NORMAL, TEMPORARY, COMPRESSED, OFFLINE, NOT_CONTENT_INDEXED are not shown beside ARCHIVE")
{
    DWORD dropped = FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_COMPRESSED |
                    FILE_ATTRIBUTE_OFFLINE | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;

    check_attributes("f", on(mount_item(meta(FILE_ATTRIBUTE_ARCHIVE | dropped, 0)), L"f"),
                     FILE_ATTRIBUTE_ARCHIVE);
}

CASE(no_archive, "Volume/NoArchive", DECISION, "D14", NEEDS_MOUNT,
     "a file without ARCHIVE is shown without it")
{
    check_attributes("f", on(mount_item(meta(FILE_ATTRIBUTE_HIDDEN, 0)), L"f"),
                     FILE_ATTRIBUTE_HIDDEN);
}

CASE(normal, "Volume/NoAttributes", DECISION, "D14", NEEDS_MOUNT,
     "a file with attributes 0 is shown with FILE_ATTRIBUTE_NORMAL")
{
    check_attributes("f", on(mount_item(meta(0, 0)), L"f"), FILE_ATTRIBUTE_NORMAL);
}

CASE(directory_archive, "Volume/DirectoryArchive", DECISION, "D14", NEEDS_MOUNT,
     "ARCHIVE is kept of a directory")
{
    DWORD bits = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_ARCHIVE;

    check_attributes("f", on(mount_item(meta(bits, 0)), L"f"), bits);
}

CASE(sparse, "Volume/SparseBit", DECISION, "D14", NEEDS_MOUNT, "SPARSE_FILE is kept of a file")
{
    DWORD bits = FILE_ATTRIBUTE_SPARSE_FILE | FILE_ATTRIBUTE_ARCHIVE;

    check_attributes("f", on(mount_item(meta(bits, 4096)), L"f"), bits);
}

FRESH_CASE(attributes_q, "Volume/AttributeBits", QUESTION, "Q-11, Q-36", NEEDS_MOUNT,
           "what is shown of each attribute bit, of 0 and of NORMAL, for files and directories")
{
    const WCHAR *root;
    char name[40];
    int i;

    for (i = -1; i < 32; i++)
    {
        UINT32 bit = i < 0 ? 0 : 1u << i;

        if (bit == FILE_ATTRIBUTE_DIRECTORY || bit == FILE_ATTRIBUTE_REPARSE_POINT) continue;
        try_create_file(image, format_wide(L"f%d", i), meta(bit, 0));
        try_create_file(image, format_wide(L"d%d", i), meta(bit | FILE_ATTRIBUTE_DIRECTORY, 0));
    }
    root = mount_fresh(image);
    for (i = -1; i < 32; i++)
    {
        sprintf(name, "file 0x%lx", i < 0 ? 0 : 1ul << i);
        see_text(name, "0x%lx", GetFileAttributesW(on(root, format_wide(L"f%d", i))));
        sprintf(name, "directory 0x%lx", i < 0 ? 0 : 1ul << i);
        see_text(name, "0x%lx", GetFileAttributesW(on(root, format_wide(L"d%d", i))));
    }
}

/* ---- sizes and times ---------------------------------------------------------------------------
 */

CASE(size, "Volume/Sizes", CLIENT, SAMPLE, NEEDS_MOUNT,
     "the size is the file's, by handle, in FileStandardInfo and in a list")
{
    const WCHAR *root = mount_base();
    HANDLE find, file = open_item(on(root, L"file.txt"), GENERIC_READ);
    FILE_STANDARD_INFO info = {.Directory = TRUE};
    LARGE_INTEGER bytes = {.QuadPart = -1};
    WIN32_FIND_DATAW data = {.nFileSizeLow = 99};

    check_bool("GetFileSizeEx", GetFileSizeEx(file, &bytes) != 0, true);
    check_number("its size", (uint64_t)bytes.QuadPart, 5);
    check_bool("FileStandardInfo",
               GetFileInformationByHandleEx(file, FileStandardInfo, &info, sizeof(info)) != 0,
               true);
    check_number("its EndOfFile", (uint64_t)info.EndOfFile.QuadPart, 5);
    check_bool("its Directory", info.Directory, false);
    CloseHandle(file);
    find = FindFirstFileW(on(root, L"file.txt"), &data);
    check_bool("FindFirstFile", find != INVALID_HANDLE_VALUE, true);
    FindClose(find);
    check_number("its size in the list", data.nFileSizeLow, 5);
}

CASE(times, "Volume/Times", DOC, METADATA, NEEDS_MOUNT,
     "the times of the last write, the last access and the last change are those that were given")
{
    const WCHAR *root = mount_base(), *path = on(root, L"file.txt");
    FILE_BASIC_INFO info = basic_info(path);
    WIN32_FIND_DATAW data = {0};
    HANDLE find = FindFirstFileW(path, &data);

    check_number("LastWriteTime", (uint64_t)info.LastWriteTime.QuadPart, TIME_WRITE);
    check_number("LastAccessTime", (uint64_t)info.LastAccessTime.QuadPart, TIME_ACCESS);
    check_number("ChangeTime", (uint64_t)info.ChangeTime.QuadPart, TIME_CHANGE);
    if (find != INVALID_HANDLE_VALUE) FindClose(find);
    check_number("in the list: written",
                 (uint64_t)data.ftLastWriteTime.dwHighDateTime << 32 |
                         data.ftLastWriteTime.dwLowDateTime,
                 TIME_WRITE);
    check_number("in the list: accessed",
                 (uint64_t)data.ftLastAccessTime.dwHighDateTime << 32 |
                         data.ftLastAccessTime.dwLowDateTime,
                 TIME_ACCESS);
    info = basic_info(on(root, L"d"));
    check_number("a directory's LastWriteTime", (uint64_t)info.LastWriteTime.QuadPart, TIME_WRITE);
}

CASE(creation, "Volume/CreationTime", CLIENT, SAMPLE, NEEDS_MOUNT,
     "the creation time is the one that was given")
{
    check_number("CreationTime",
                 (uint64_t)basic_info(on(mount_base(), L"file.txt")).CreationTime.QuadPart,
                 TIME_CREATION);
}

FRESH_CASE(times_q, "Volume/OddTimes", QUESTION, "Q-38", NEEDS_MOUNT,
           "times of 0, 1, far in the future and negative; whether reading changes the last access")
{
    static const LONGLONG rows[] = {0, 1, 0x7fffffffffffffffll, -1, -0x7fffffffffffffffll};
    const WCHAR *root;
    char name[40];
    size_t i, bytes;
    DWORD error;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_ARCHIVE, 0);

        metadata->CreationTime.QuadPart = metadata->LastWriteTime.QuadPart = rows[i];
        metadata->LastAccessTime.QuadPart = metadata->ChangeTime.QuadPart = rows[i];
        sprintf(name, "%lld: CimCreateFile", (long long)rows[i]);
        see_hr(name, try_create_file(image, format_wide(L"f%d", (int)i), metadata));
    }
    put_text(image, L"read", "read");
    root = mount_fresh(image);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        FILE_BASIC_INFO info;

        if (path_error(on(root, format_wide(L"f%d", (int)i)))) continue;
        info = basic_info(on(root, format_wide(L"f%d", (int)i)));
        sprintf(name, "%lld", (long long)rows[i]);
        see_text(name, "created %lld, written %lld, accessed %lld, changed %lld",
                 (long long)info.CreationTime.QuadPart, (long long)info.LastWriteTime.QuadPart,
                 (long long)info.LastAccessTime.QuadPart, (long long)info.ChangeTime.QuadPart);
    }
    free(read_file(on(root, L"read"), &bytes, &error));
    see_bool("reading changed the last access",
             basic_info(on(root, L"read")).LastAccessTime.QuadPart != TIME_ACCESS);
}

FRESH_CASE(sizes_q, "Volume/AllocationSizes", QUESTION, "Q-43", NEEDS_MOUNT,
           "AllocationSize, links and delete-pending of files, of what was never written, of a "
           "directory")
{
    static const struct
    {
        const WCHAR *path;
        DWORD bytes, attributes;
        bool written;
    } rows[] = {{L"empty", 0, FILE_ATTRIBUTE_ARCHIVE, true},
                {L"small", 5, FILE_ATTRIBUTE_ARCHIVE, true},
                {L"5000", 5000, FILE_ATTRIBUTE_ARCHIVE, true},
                {L"unwritten", 100000, FILE_ATTRIBUTE_ARCHIVE, false},
                {L"sparse", 100000, FILE_ATTRIBUTE_SPARSE_FILE, false},
                {L"d", 0, FILE_ATTRIBUTE_DIRECTORY, false}};
    static BYTE bytes[5000];
    const WCHAR *root;
    char name[30];
    size_t i;

    fill_bytes(bytes, sizeof(bytes), 3);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        put_item(image, rows[i].path, meta(rows[i].attributes, rows[i].bytes), bytes,
                 rows[i].written ? rows[i].bytes : 0);
    root = mount_fresh(image);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        FILE_STANDARD_INFO info = {.EndOfFile.QuadPart = -1};
        HANDLE file = open_item(on(root, rows[i].path), GENERIC_READ);

        snprintf(name, sizeof(name), "%ls", rows[i].path);
        if (GetFileInformationByHandleEx(file, FileStandardInfo, &info, sizeof(info)))
            see_text(name, "allocated %lld, end %lld, links %lu, pending %d",
                     (long long)info.AllocationSize.QuadPart, (long long)info.EndOfFile.QuadPart,
                     info.NumberOfLinks, info.DeletePending);
        else
            see_error(name, GetLastError());
        CloseHandle(file);
    }
}

/* ---- IDs ---------------------------------------------------------------------------------------
 */

CASE(opens, "Volume/OpensAsTheSampleDoes", CLIENT, SAMPLE, NEEDS_MOUNT,
     "opening for reading with ACCESS_SYSTEM_SECURITY, and each of its queries, succeed")
{
    TOKEN_PRIVILEGES privileges = {.PrivilegeCount = 1,
                                   .Privileges[0].Attributes = SE_PRIVILEGE_ENABLED};
    const WCHAR *root = mount_base();
    PSECURITY_DESCRIPTOR descriptor = NULL;
    FILE_BASIC_INFO basic;
    LARGE_INTEGER bytes;
    FILE_ID_INFO id;
    HANDLE token, file;
    DWORD error;

    need(OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token),
         "no token: error %lu", GetLastError());
    LookupPrivilegeValueW(NULL, L"SeSecurityPrivilege", &privileges.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &privileges, 0, NULL, NULL);
    error = GetLastError();
    CloseHandle(token);
    need(!error, "no SeSecurityPrivilege: error %lu", error);
    file = CreateFileW(on(root, L"file.txt"), GENERIC_READ | ACCESS_SYSTEM_SECURITY,
                       FILE_SHARE_READ, NULL, OPEN_EXISTING, OPEN_ITEM, NULL);
    check_error("open", file == INVALID_HANDLE_VALUE ? GetLastError() : 0, 0);
    if (file == INVALID_HANDLE_VALUE) return;
    check_bool("FileIdInfo", GetFileInformationByHandleEx(file, FileIdInfo, &id, sizeof(id)) != 0,
               true);
    check_bool("FileBasicInfo",
               GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof(basic)) != 0, true);
    check_bool("GetFileSizeEx", GetFileSizeEx(file, &bytes) != 0, true);
    check_error("GetSecurityInfo",
                GetSecurityInfo(file, SE_FILE_OBJECT,
                                OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION |
                                        DACL_SECURITY_INFORMATION | SACL_SECURITY_INFORMATION |
                                        LABEL_SECURITY_INFORMATION,
                                NULL, NULL, NULL, NULL, &descriptor),
                0);
    check_bool("a descriptor", descriptor && IsValidSecurityDescriptor(descriptor), true);
    LocalFree(descriptor);
    CloseHandle(file);
}

static uint64_t file_index(const WCHAR *path)
{
    HANDLE file = open_item(path, FILE_READ_ATTRIBUTES);
    BY_HANDLE_FILE_INFORMATION info = {0};

    need(GetFileInformationByHandle(file, &info), "no information: error %lu", GetLastError());
    CloseHandle(file);
    return (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
}

static bool same_128(const WCHAR *path, uint64_t *low, uint64_t *high, uint64_t *serial)
{
    HANDLE file = open_item(path, FILE_READ_ATTRIBUTES);
    FILE_ID_INFO id = {0};
    BOOL done = GetFileInformationByHandleEx(file, FileIdInfo, &id, sizeof(id));

    CloseHandle(file);
    memcpy(low, &id.FileId, 8);
    memcpy(high, (BYTE *)&id.FileId + 8, 8);
    *serial = id.VolumeSerialNumber;
    return done != 0;
}

CASE(ids_q, "Volume/FileIds", QUESTION, "Q-40", NEEDS_MOUNT,
     "the IDs of a root, directories and files, 64 and 128 bits wide, and what unmounted calls say")
{
    static const WCHAR *const paths[] = {L"",      L"d",        L"d\\inner.txt",
                                         L"empty", L"file.txt", L"file.txt:s"};
    const WCHAR *root = mount_base();
    FILE_STAT_BASIC_INFORMATION stat;
    char name[40];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        uint64_t low = 0, high = 0, serial = 0;
        bool done = same_128(on(root, paths[i]), &low, &high, &serial);

        snprintf(name, sizeof(name), "<%ls>", paths[i]);
        see_text(name, "64 bits 0x%llx, 128 bits %d: 0x%llx 0x%llx, serial %s",
                 (unsigned long long)file_index(on(root, paths[i])), done, (unsigned long long)high,
                 (unsigned long long)low, serial ? "yes" : "0");
    }
    if (!has_export("CimGetFileStatBasicInformation")) return;
    see_hr("unmounted", stat_image(join(case_dir(), L"base.cim"), L"file.txt", &stat));
    see_bool("its FileId is the same",
             (uint64_t)stat.FileId.QuadPart == file_index(on(root, L"file.txt")));
}

CASE(ids_again_q, "Volume/FileIdsAgain", QUESTION, "Q-40", NEEDS_MOUNT,
     "whether IDs are the same in a second mount, in a fork, and between two images")
{
    const WCHAR *first = mount_base(), *second, *fork;

    second = mount_image(case_dir(), L"base.cim");
    write_image(case_dir(), L"base.cim", L"fork.cim", L"A first name", "new");
    fork = mount_image(case_dir(), L"fork.cim");
    see_bool("a second mount",
             file_index(on(first, L"file.txt")) == file_index(on(second, L"file.txt")));
    see_bool("a fork", file_index(on(first, L"file.txt")) == file_index(on(fork, L"file.txt")));
    see_bool("a fork's directory", file_index(on(first, L"d")) == file_index(on(fork, L"d")));
    see_bool("a fork's own file is like one of its parent",
             file_index(on(fork, L"A first name")) == file_index(on(first, L"d")));
}

CASE(by_id_q, "Volume/OpenById", QUESTION, "Q-43", NEEDS_MOUNT,
     "OpenFileById with a file's, a directory's and an unused ID")
{
    const WCHAR *root = mount_base();
    HANDLE volume = open_item(root, FILE_LIST_DIRECTORY);
    uint64_t ids[3] = {file_index(on(root, L"file.txt")), file_index(on(root, L"d")), 0x7fffff};
    static const char *const names[] = {"a file", "a directory", "unused"};
    FILE_ID_DESCRIPTOR id = {.dwSize = sizeof(id), .Type = FileIdType};
    int i;

    for (i = 0; i < 3; i++)
    {
        HANDLE file;

        id.FileId.QuadPart = (LONGLONG)ids[i];
        file = OpenFileById(volume, &id, GENERIC_READ, SHARE_ALL, NULL, FILE_FLAG_BACKUP_SEMANTICS);
        see_error(names[i], file == INVALID_HANDLE_VALUE ? GetLastError() : 0);
        if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    }
    CloseHandle(volume);
}
