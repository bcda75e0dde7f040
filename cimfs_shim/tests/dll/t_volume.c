/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_volume.c - what a Windows program sees of a mounted volume under Wine, besides what the
 * conformance suite requires of it anywhere
 *
 *   t_volume DIR        makes an image in DIR, mounts it, looks at it and dismounts it
 *   t_volume list DIR   mounts that image, tells all that is seen of the volume, and dismounts it
 *   t_volume exit N     ends with N: it is in the image itself, and run from there
 *
 * mount.sh calls. An unpacked copy (backend "extract") has inodes of its own, and can't hide what a
 * mount doesn't list: the files that are streams, and two that tell Wine the volume's label and
 * serial number. "list" leaves these out, so that what it tells is the same for both.
 */
#include "mounttest.h"

#include <winioctl.h>

#define BIG (3u * 1024 * 1024 + 123)
#define MANY_FILES 2000

static GUID guid;
static BYTE *big;

/* 2019-03-04 05:06:07.1234567 and others, all with 100 ns to lose. */
#define CREATED 0x01d4d23b4a1c2d31ll
#define ACCESSED 0x01d5f73b4a1c2d37ll
#define WRITTEN 0x01d4d23b4a1c2d33ll
#define CHANGED 0x01d4d23b4a1c2d35ll

static const WCHAR odd_name[] = L"\x00dcn\x00ef"
                                L"c\x00f6"
                                L"d\x00e9 \x6f22\x5b57 \xd83d\xde00.txt";

static const WCHAR *on_volume(const WCHAR *path)
{
    return volume_path(&guid, path);
}

/* ---- the image ---- */

static void put_timed(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT32 attributes)
{
    CIMFS_FILE_METADATA metadata = {.Attributes = attributes, .FileSize = 5};
    CIMFS_STREAM_HANDLE stream;

    metadata.CreationTime.QuadPart = CREATED;
    metadata.LastAccessTime.QuadPart = ACCESSED;
    metadata.LastWriteTime.QuadPart = WRITTEN;
    metadata.ChangeTime.QuadPart = CHANGED;
    if (CimCreateFile(image, path, &metadata, &stream) || CimWriteStream(stream, "timed", 5))
        bail("can't put %ls", path);
    CimCloseStream(stream);
}

static void put_host_file(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const WCHAR *host)
{
    DWORD size;
    void *data = load_file(host, &size);

    if (!data || put(image, path, 0, data, size)) bail("can't put %ls", host);
    free(data);
}

/* bin\prog.exe is this program, with the DLL that it needs beside it. */
static void put_programs(CIMFS_IMAGE_HANDLE image)
{
    WCHAR exe[PATH_ROOM], dll[PATH_ROOM];

    GetModuleFileNameW(NULL, exe, PATH_ROOM);
    GetModuleFileNameW(GetModuleHandleW(L"cimfs.dll"), dll, PATH_ROOM);
    put_dir(image, L"bin");
    put_host_file(image, L"bin\\prog.exe", exe);
    put_host_file(image, L"bin\\cimfs.dll", dll);
    put_host_file(image, L"bin\\plugin.dll", dll);
}

static void make_image(const WCHAR *dir)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"v.cim");
    WCHAR name[64];
    DWORD i;

    big = malloc(BIG);
    for (i = 0; i < BIG; i++) big[i] = (BYTE)(i * 2654435761u >> 13);
    put_text(image, L"file.txt", "hello volume");
    put(image, L"empty", 0, NULL, 0);
    put(image, L"big.bin", 0, big, BIG);
    put(image, L"hidden.txt", FILE_ATTRIBUTE_HIDDEN, "h", 1);
    put(image, L"system.txt", FILE_ATTRIBUTE_SYSTEM, "s", 1);
    put(image, L"both.txt", FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM, "b", 1);
    put(image, L"readonly.txt", FILE_ATTRIBUTE_READONLY, "r", 1);
    put(image, L"hiddendir", FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, NULL, 0);
    put_timed(image, L"timed.txt", 0);
    put_timed(image, L"untouched.txt", 0);
    put_dir(image, L"Mixed");
    put_dir(image, L"Mixed\\CaseDir");
    put_text(image, L"Mixed\\CaseDir\\FileName.TXT", "mixed");
    put_text(image, odd_name, "odd");
    put_text(image, L"link1", "linked");
    CimCreateHardLink(image, L"Mixed\\link2", L"link1");
    put_stream(image, L"file.txt:stream", "in a stream");
    put_dir(image, L"many");
    for (i = 0; i < MANY_FILES; i++)
    {
        _snwprintf(name, 64, L"many\\file %04lu.txt", i);
        put_text(image, name, "x");
    }
    put_programs(image);
    if (commit_and_close(image)) bail("no image");
}

/* ---- reading ---- */

static HANDLE open_read(const WCHAR *path, DWORD flags)
{
    return CreateFileW(on_volume(path), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, flags,
                       NULL);
}

/* Some reads at a time, of pieces that cross pages. */
static void test_unbuffered(void)
{
    enum
    {
        READS = 16,
        PIECE = 65536
    };
    HANDLE file = open_read(L"big.bin", FILE_FLAG_OVERLAPPED | FILE_FLAG_NO_BUFFERING);
    BYTE *buffer = VirtualAlloc(NULL, READS * PIECE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    OVERLAPPED overlapped[READS];
    int i, good = 0;
    DWORD got;

    ok(file != INVALID_HANDLE_VALUE, "unbuffered: the file is opened");
    for (i = 0; i < READS; i++)
    {
        memset(&overlapped[i], 0, sizeof(overlapped[i]));
        overlapped[i].Offset = (DWORD)(READS - 1 - i) * 3 * PIECE + (i < READS / 2 ? 0 : 4096);
        overlapped[i].hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
        if (!ReadFile(file, buffer + i * PIECE, PIECE, NULL, &overlapped[i]) &&
            GetLastError() != ERROR_IO_PENDING)
            diag("read %d: error %lu", i, GetLastError());
    }
    for (i = 0; i < READS; i++)
    {
        DWORD offset = overlapped[i].Offset;
        DWORD want = offset >= BIG ? 0 : BIG - offset < PIECE ? BIG - offset : PIECE;

        if (GetOverlappedResult(file, &overlapped[i], &got, TRUE))
            good += got == want && !memcmp(buffer + i * PIECE, big + offset, want);
        CloseHandle(overlapped[i].hEvent);
    }
    is_int(good, READS, "unbuffered: every read has its bytes");
    VirtualFree(buffer, 0, MEM_RELEASE);
    CloseHandle(file);
}

static void test_map(DWORD protect, DWORD access, const char *what)
{
    HANDLE file = open_read(L"big.bin", 0);
    HANDLE mapping = CreateFileMappingW(file, NULL, protect, 0, 0, NULL);
    BYTE *view = MapViewOfFile(mapping, access, 0, 0, 0);

    ok(mapping != NULL, "%s: a mapping (error %lu)", what, GetLastError());
    ok(view != NULL, "%s: a view", what);
    if (view) ok(!memcmp(view, big, BIG), "%s: the file's bytes", what);
    if (view && access == FILE_MAP_COPY)
    {
        view[5] ^= 0xff;
        is_int(view[5], (BYTE)~big[5], "%s: can be changed in memory", what);
    }
    UnmapViewOfFile(view);
    view = MapViewOfFile(mapping, access, 0, 1 << 20, 100000);
    ok(view && !memcmp(view, big + (1 << 20), 100000), "%s: a part of it", what);
    UnmapViewOfFile(view);
    CloseHandle(mapping);
    CloseHandle(file);
}

static void test_mixed_access(void)
{
    HANDLE one = open_read(L"big.bin", 0), two = open_read(L"big.bin", 0);
    OVERLAPPED range = {.Offset = 100};
    char text[8];
    DWORD got;

    ok(one != INVALID_HANDLE_VALUE && two != INVALID_HANDLE_VALUE, "a file opened twice");
    ok(LockFileEx(one, 0, 0, 10, 0, &range), "a shared lock on it (error %lu)", GetLastError());
    ok(UnlockFileEx(one, 0, 10, 0, &range), "and off again");
    ok(ReadFile(two, text, 8, &got, NULL) && !memcmp(text, big, 8), "the other handle reads");
    CloseHandle(one);
    CloseHandle(two);
}

/* ---- what is known of a file ---- */

/* Of the times, the one that Wine makes up. */
static void test_creation_time(void)
{
    HANDLE file = CreateFileW(on_volume(L"timed.txt"), FILE_READ_ATTRIBUTES, 7, NULL, OPEN_EXISTING,
                              0, NULL);
    FILE_BASIC_INFO info = {.FileAttributes = 0};

    ok(GetFileInformationByHandleEx(file, FileBasicInfo, &info, sizeof(info)), "FileBasicInfo");
    is_hex(info.CreationTime.QuadPart, WRITTEN, "creation: Wine shows the last write");
    CloseHandle(file);
}

static void test_links(void)
{
    BY_HANDLE_FILE_INFORMATION one, two, other;
    HANDLE file = open_read(L"link1", 0);
    FILE_ID_INFO id;

    ok(GetFileInformationByHandle(file, &one), "information of one hard link");
    ok(GetFileInformationByHandleEx(file, (FILE_INFO_BY_HANDLE_CLASS)18 /* FileIdInfo */, &id,
                                    sizeof(id)),
       "its FileIdInfo");
    CloseHandle(file);
    file = open_read(L"Mixed\\link2", 0);
    ok(GetFileInformationByHandle(file, &two), "information of the other one");
    CloseHandle(file);
    file = open_read(L"file.txt", 0);
    ok(GetFileInformationByHandle(file, &other), "information of another file");
    CloseHandle(file);
    is_int(one.nNumberOfLinks, 2, "links of the one");
    is_int(two.nNumberOfLinks, 2, "links of the other one");
    is_int(other.nNumberOfLinks, 1, "links of another file");
    ok(one.nFileIndexLow == two.nFileIndexLow && one.nFileIndexHigh == two.nFileIndexHigh,
       "the two have the same file index");
    ok(one.nFileIndexLow != other.nFileIndexLow || one.nFileIndexHigh != other.nFileIndexHigh,
       "the other file has another (%lx, %lx)", one.nFileIndexLow, other.nFileIndexLow);
    ok(!memcmp(&id.FileId, &one.nFileIndexLow, 4), "FileIdInfo has the file index");
}

static void test_open_by_id(void)
{
    HANDLE root = CreateFileW(on_volume(L""), FILE_LIST_DIRECTORY, 7, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
    FILE_ID_DESCRIPTOR id = {.dwSize = sizeof(id), .Type = FileIdType};
    char text[16] = "";
    HANDLE file;
    DWORD got = 0;

    id.FileId.QuadPart = (LONGLONG)file_index(on_volume(L"file.txt"));
    file = OpenFileById(root, &id, GENERIC_READ, 7, NULL, 0);
    ok(file != INVALID_HANDLE_VALUE, "OpenFileById (error %lu)", GetLastError());
    ReadFile(file, text, 15, &got, NULL);
    is_str(text, "hello volume", "opens that file");
    CloseHandle(file);
    CloseHandle(root);
}

/* ---- names ---- */

/* What only a copy lists, marked as hidden and system. */
static bool is_unlisted(const WIN32_FIND_DATAW *data)
{
    DWORD both = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM;

    return (wcschr(data->cFileName, ':') || !wcsncmp(data->cFileName, L".windows-", 9)) &&
           (data->dwFileAttributes & both) == both;
}

static void test_enumerate(void)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(on_volume(L"*"), &data);
    int count = 0, others = 0, unlisted = 0;

    ok(find != INVALID_HANDLE_VALUE, "the root is listed (error %lu)", GetLastError());
    do
    {
        if (is_unlisted(&data))
            unlisted++;
        else if (data.cFileName[0] == '.' && wcscmp(data.cFileName, L".") &&
                 wcscmp(data.cFileName, L".."))
            others++;
        else if (wcschr(data.cFileName, ':'))
            others++;
        else
            count++;
    } while (FindNextFileW(find, &data));
    is_int(GetLastError(), ERROR_NO_MORE_FILES, "the list has an end");
    FindClose(find);
    is_int(count, 17, "it has its names, and . and ..");
    is_int(others, 0, "no streams, and nothing of the server's own");
    is_int(unlisted, backend_is(L"extract") ? 3 : 0, "but what a copy can't but list");
    is_int(count_files(on_volume(L"many"), L"*"), MANY_FILES, "a directory of %d files",
           MANY_FILES);
    is_int(count_files(on_volume(L"many"), L"file 19*.txt"), 100, "a pattern");
    is_int(count_files(on_volume(L"many"), L"FILE ??77.*"), 20, "a pattern in capitals");
}

static void test_list_by_handle(void)
{
    HANDLE dir = CreateFileW(on_volume(L"many"), FILE_LIST_DIRECTORY, 7, NULL, OPEN_EXISTING,
                             FILE_FLAG_BACKUP_SEMANTICS, NULL);
    FILE_ID_BOTH_DIR_INFO *entry, *buffer = malloc(65536);
    int count = 0, sizes = 0, ids = 0;
    ULONGLONG id = file_index(on_volume(L"many\\file 1234.txt"));

    while (GetFileInformationByHandleEx(dir, FileIdBothDirectoryInfo, buffer, 65536))
    {
        for (entry = buffer;; entry = (void *)((BYTE *)entry + entry->NextEntryOffset))
        {
            count++;
            sizes += entry->EndOfFile.QuadPart == 1;
            ids += (ULONGLONG)entry->FileId.QuadPart == id;
            if (!entry->NextEntryOffset) break;
        }
    }
    is_int(count, MANY_FILES + 2, "listed by handle");
    is_int(sizes, MANY_FILES, "each with its size");
    is_int(ids, 1, "one with the id that file 1234.txt has");
    free(buffer);
    CloseHandle(dir);
}

static void test_names(void)
{
    WIN32_FIND_DATAW data = {.cFileName = L""};
    HANDLE find = FindFirstFileW(on_volume(L"mixed\\casedir\\filename.txt"), &data);

    ok(!wcscmp(data.cFileName, L"FileName.TXT"), "FindFirstFile tells the stored case: %ls",
       data.cFileName);
    FindClose(find);
    is_str(text_at(on_volume(odd_name)), "odd", "a name of all kinds of letters");
    is_hex(GetFileAttributesW(on_volume(L"")), FILE_ATTRIBUTE_DIRECTORY, "attributes of the root");
    GetFileAttributesW(on_volume(L"nothing\\at\\all"));
    is_int(GetLastError(), ERROR_PATH_NOT_FOUND, "below what isn't there: ERROR_PATH_NOT_FOUND");
    if (backend_is(L"extract"))
        skip("a file has one name in an unpacked copy", "the stream without a name");
    else
        is_str(text_at(on_volume(L"file.txt::$DATA")), "hello volume", "the stream without a name");
}

/* ---- writing, which must not be ---- */

static void refused(BOOL success, const char *what)
{
    DWORD error = success ? 0 : GetLastError();

    ok(!success && (error == ERROR_ACCESS_DENIED || error == ERROR_WRITE_PROTECT),
       "%s is refused as it is on a medium for reading (error %lu)", what, error);
}

static void test_refused(void)
{
    static const struct
    {
        const WCHAR *path;
        DWORD access, how;
        const char *what;
    } opens[] = {
            {L"file.txt", GENERIC_WRITE, OPEN_EXISTING, "opening for writing"},
            {L"file.txt", FILE_APPEND_DATA, OPEN_EXISTING, "opening for appending"},
            {L"file.txt", GENERIC_READ | GENERIC_WRITE, TRUNCATE_EXISTING, "truncating"},
            {L"file.txt", GENERIC_WRITE, CREATE_ALWAYS, "replacing"},
            {L"new", GENERIC_WRITE, CREATE_NEW, "a new file"},
            {L"Mixed\\new", GENERIC_WRITE, OPEN_ALWAYS, "a new file in a directory"},
            {L"file.txt", FILE_WRITE_ATTRIBUTES, OPEN_EXISTING, "opening for a new time"},
    };
    bool is_copy = backend_is(L"extract"); /* whose owner may always change attributes and times */
    WCHAR to[PATH_ROOM];
    size_t i;

    if (is_copy && GetEnvironmentVariableW(L"CIMTEST_ROOT", to, 2))
    {
        skip("root may write an unpacked copy", "writing is refused");
        return;
    }
    wcscpy(to, on_volume(L"new"));
    for (i = 0; i < sizeof(opens) / sizeof(*opens) - is_copy; i++)
    {
        HANDLE file = CreateFileW(on_volume(opens[i].path), opens[i].access, 7, NULL, opens[i].how,
                                  0, NULL);

        refused(file != INVALID_HANDLE_VALUE, opens[i].what);
        if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    }
    if (!is_copy)
        refused(SetFileAttributesW(on_volume(L"file.txt"), FILE_ATTRIBUTE_READONLY),
                "an attribute");
    refused(CreateDirectoryW(to, NULL), "a new directory");
    refused(MoveFileExW(on_volume(L"file.txt"), to, MOVEFILE_REPLACE_EXISTING), "renaming");
    refused(MoveFileExW(on_volume(L"Mixed"), to, 0), "renaming a directory");
    refused(CreateHardLinkW(to, on_volume(L"file.txt"), NULL), "a hard link");
    refused(DeleteFileW(on_volume(L"readonly.txt")), "deleting a read-only file");
    refused(CopyFileW(on_volume(L"file.txt"), to, FALSE), "copying to the volume");
    ok(!path_exists(to), "nothing new is there");
}

/* ---- programs ---- */

static DWORD run(const WCHAR *path, const WCHAR *args)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    WCHAR command[PATH_ROOM];

    _snwprintf(command, PATH_ROOM, L"\"%ls\" %ls", path, args);
    if (!CreateProcessW(path, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
        return 10000 + GetLastError();
    CloseHandle(process.hThread);
    return end_of(process.hProcess);
}

static void test_programs(void)
{
    WCHAR path[PATH_ROOM];
    HMODULE dll = LoadLibraryW(on_volume(L"bin\\plugin.dll"));
    FARPROC function = dll ? GetProcAddress(dll, "CimDismountImage") : NULL;

    ok(function != NULL, "GetProcAddress in a DLL from the volume (error %lu)", GetLastError());
    if (function)
        is_hr(((HRESULT(WINAPI *)(const GUID *))(void *)function)(NULL), E_INVALIDARG,
              "a call into it");
    if (dll) FreeLibrary(dll);
    is_int(run(on_volume(L"BIN\\PROG.EXE"), L"exit 43"), 43, "by a name in capitals");
    dll = LoadLibraryExW(on_volume(L"bin\\prog.exe"), NULL, LOAD_LIBRARY_AS_DATAFILE);
    ok(dll != NULL, "LoadLibraryEx as a data file");
    if (dll) FreeLibrary(dll);
    _snwprintf(path, PATH_ROOM, L"%lc:\\bin\\prog.exe", letter_with(L"hiddendir"));
    is_int(run(path, L"exit 44"), 44, "CreateProcess from the drive letter");
}

static void test_current_directory(void)
{
    WCHAR before[PATH_ROOM], root[PATH_ROOM];

    GetCurrentDirectoryW(PATH_ROOM, before);
    _snwprintf(root, PATH_ROOM, L"%lc:\\", letter_with(L"hiddendir"));
    ok(SetCurrentDirectoryW(root), "the drive's root as current directory");
    is_str(text_at(L"file.txt"), "hello volume", "a relative name there");
    is_str(text_at(L"mixed\\casedir\\..\\casedir\\filename.txt"), "mixed", "one with dots");
    SetCurrentDirectoryW(before);
}

/* ---- the volume ---- */

static void test_information(void)
{
    WCHAR label[64] = L"", fs[64] = L"", root[] = L"?:\\";
    DWORD serial = 0, longest = 0, flags = 0, drive_serial = 0;
    ULARGE_INTEGER free, total, all;
    BY_HANDLE_FILE_INFORMATION info;
    HANDLE file;

    ok(GetVolumeInformationW(on_volume(L""), label, 64, &serial, &longest, &flags, fs, 64),
       "GetVolumeInformation (error %lu)", GetLastError());
    diag("label \"%ls\", serial %08lx, longest name %lu, flags %lx, %ls", label, serial, longest,
         flags, fs);
    ok(!wcscmp(label, L"v.cim"), "the label is the image's name: %ls", label);
    is_hex(serial, guid.Data1, "the serial number is the GUID's beginning");
    is_int(longest, 255, "the longest name");
    ok(fs[0], "a file system's name: %ls", fs);
    is_int(GetDriveTypeW(on_volume(L"")), DRIVE_FIXED, "GetDriveType");
    ok(GetDiskFreeSpaceExW(on_volume(L""), &free, &total, &all), "GetDiskFreeSpaceEx");
    root[0] = letter_with(L"hiddendir");
    ok(root[0] != 0, "a drive letter: %lc:", root[0] ? root[0] : '-');
    ok(GetVolumeInformationW(root, NULL, 0, &drive_serial, NULL, NULL, NULL, 0),
       "GetVolumeInformation of the letter");
    is_hex(drive_serial, serial, "the letter has the same serial number");
    is_int(GetDriveTypeW(root), DRIVE_FIXED, "the letter's drive type");
    file = open_read(L"file.txt", 0);
    GetFileInformationByHandle(file, &info);
    is_hex(info.dwVolumeSerialNumber, serial, "a file tells the same serial number");
    CloseHandle(file);
    if (backend_is(L"extract"))
        skip("an unpacked copy is where there is room", "a volume without free space");
    else
        is_int(all.QuadPart, 0, "the volume has no free space");
}

/* Does the final path of a file opened as @path end with the name as it is stored? */
static bool is_told_as_stored(const WCHAR *file_path)
{
    HANDLE file =
            CreateFileW(file_path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    WCHAR path[PATH_ROOM] = L"";

    ok(file != INVALID_HANDLE_VALUE && GetFinalPathNameByHandleW(file, path, PATH_ROOM, 0),
       "GetFinalPathNameByHandle of %ls (error %lu)", file_path, GetLastError());
    CloseHandle(file);
    is_str(text_at(path), "mixed", "which leads to the same file: %ls", path);
    return wcslen(path) > 12 && !wcscmp(path + wcslen(path) - 12, L"FileName.TXT");
}

/* (Wine 11.10 tells the name as it was opened, on any file system.) @dir: where one may write. */
static void test_final_path(const WCHAR *dir)
{
    bool elsewhere;

    save_file(path_of(dir, L"FileName.TXT"), "mixed", 5);
    elsewhere = is_told_as_stored(path_of(dir, L"filename.txt"));
    is_int(is_told_as_stored(on_volume(L"mixed\\casedir\\filename.txt")), elsewhere,
           "the final path has the stored case if it has elsewhere");
    DeleteFileW(path_of(dir, L"FileName.TXT"));
}

/* ---- telling all that is seen ---- */

static void print_text(const WCHAR *text)
{
    char utf8[PATH_ROOM * 6];

    if (!WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof(utf8), NULL, NULL)) *utf8 = 0;
    printf("%s", utf8);
}

/* Most of the image's files are of 1601, but ext4, say, holds no time before the end of 1901. */
static void print_time(const char *what, const FILETIME *time)
{
    ULONGLONG value = (ULONGLONG)time->dwHighDateTime << 32 | time->dwLowDateTime;

    if (value < 0x15174deef6dc000ull)
        printf(", %s before 1902", what);
    else
        printf(", %s %08lx%08lx", what, time->dwHighDateTime, time->dwLowDateTime);
}

static void print_item(const WCHAR *path, const WIN32_FIND_DATAW *data)
{
    HANDLE file = CreateFileW(on_volume(path), FILE_READ_ATTRIBUTES, 7, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
    BY_HANDLE_FILE_INFORMATION info;

    print_text(path);
    printf(": attributes %lx, size %lu", data->dwFileAttributes, data->nFileSizeLow);
    print_time("created", &data->ftCreationTime);
    print_time("written", &data->ftLastWriteTime);
    /* listing a directory of a copy changes its access time */
    if (!(data->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        print_time("read", &data->ftLastAccessTime);
    if (file != INVALID_HANDLE_VALUE && GetFileInformationByHandle(file, &info))
        printf(", by handle: attributes %lx, size %lu, links %lu, volume %lx\n",
               info.dwFileAttributes, info.nFileSizeLow, info.nNumberOfLinks,
               info.dwVolumeSerialNumber);
    else
        printf(", no handle: error %lu\n", GetLastError());
    CloseHandle(file);
}

static void print_dir(const WCHAR *dir)
{
    WCHAR *path = malloc(PATH_ROOM * 2 * sizeof(*path));
    WIN32_FIND_DATAW data;
    HANDLE find;

    _snwprintf(path, PATH_ROOM * 2, L"%ls*", dir);
    find = FindFirstFileW(on_volume(path), &data);
    if (find == INVALID_HANDLE_VALUE)
    {
        print_text(dir);
        printf(": not listed: error %lu\n", GetLastError());
        free(path);
        return;
    }
    do
    {
        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..") || is_unlisted(&data))
            continue;
        _snwprintf(path, PATH_ROOM * 2, L"%ls%ls", dir, data.cFileName);
        print_item(path, &data);
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)) continue;
        wcscat(path, L"\\");
        print_dir(path);
    } while (FindNextFileW(find, &data));
    FindClose(find);
    free(path);
}

static void print_volume(void)
{
    WCHAR label[64] = L"", fs[64] = L"";
    DWORD serial = 0, longest = 0, flags = 0;

    GetVolumeInformationW(on_volume(L""), label, 64, &serial, &longest, &flags, fs, 64);
    printf("label ");
    print_text(label);
    printf(", serial %08lx, longest name %lu, flags %lx, file system ", serial, longest, flags);
    print_text(fs);
    printf(", drive type %u\nroot: attributes %lx\nstream: %s\n", GetDriveTypeW(on_volume(L"")),
           GetFileAttributesW(on_volume(L"")), text_at(on_volume(L"file.txt:stream")));
}

static int list(const WCHAR *dir)
{
    HRESULT hr = CimMountImage(dir, L"v.cim", CIM_MOUNT_IMAGE_NONE, &guid);

    if (hr) bail("not mounted: 0x%lx", hr);
    print_volume();
    print_dir(L"");
    return CimDismountImage(&guid) == S_OK ? 0 : 1;
}

int wmain(int argc, WCHAR **argv)
{
    if (argc == 3 && !wcscmp(argv[1], L"exit")) return (int)wcstol(argv[2], NULL, 10);
    guid = test_guid(0xbeef);
    /* Some of this program asks for what a volume has by its letter alone. */
    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER_WAIT", L"1");
    if (argc == 3 && !wcscmp(argv[1], L"list")) return list(argv[2]);
    if (argc != 2) return 2;
    make_image(argv[1]);
    if (!ok(CimMountImage(argv[1], L"v.cim", CIM_MOUNT_IMAGE_NONE, &guid) == S_OK, "mounted"))
        return tap_done();
    test_creation_time();
    test_links();
    test_open_by_id();
    test_unbuffered();
    test_map(PAGE_READONLY, FILE_MAP_READ, "mapped");
    test_map(PAGE_WRITECOPY, FILE_MAP_COPY, "mapped to be copied");
    test_mixed_access();
    test_enumerate();
    test_list_by_handle();
    test_names();
    test_information();
    test_final_path(argv[1]);
    test_programs();
    test_current_directory();
    test_refused();
    is_hr(CimDismountImage(&guid), S_OK, "dismounted");
    return tap_done();
}
