/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumeinfo.c - a mounted volume as a whole: what it says of itself, where it is listed, which
 * control codes and other operations it knows; all of them questions
 */
#include "volume.h"

#include <winioctl.h>

/* ---- what the volume says of itself -------------------------------------------------------------
 */

CASE(information_q, "Volume/Information", QUESTION, "Q-44, CimDiskImage", NEEDS_MOUNT,
     "the file system's name (cimfs is what scripts look for), label, serial number, limits, flags")
{
    const WCHAR *root = mount_base();
    WCHAR label[100] = L"", system[100] = L"";
    DWORD serial = 0, limit = 0, flags = 0, error;
    HANDLE file;

    error = error_of(GetVolumeInformationW(root, label, 100, &serial, &limit, &flags, system, 100));
    see_error("GetVolumeInformation", error);
    if (!error)
    {
        see_wide("file system", system);
        see_wide("label", label);
        see_bool("a serial number", serial != 0);
        see_number("longest name", limit);
        see_text("flags", "0x%lx", flags);
    }
    file = open_item(on(root, L"file.txt"), GENERIC_READ);
    flags = 0;
    error = error_of(GetVolumeInformationByHandleW(file, NULL, 0, NULL, NULL, &flags, system, 100));
    CloseHandle(file);
    see_error("by a file's handle", error);
    if (!error) see_text("by handle: file system, flags", "%ls 0x%lx", system, flags);
}

/* The type and characteristics of the device below a handle, from ntdll. */
static void see_device(const char *name, HANDLE file)
{
    LONG(WINAPI * query)
    (HANDLE, void *, void *, ULONG, int) =
            (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryVolumeInformationFile");
    struct
    {
        DWORD type, characteristics;
    } device = {0, 0};
    void *status[2] = {0};
    LONG result;

    if (!query) return;
    result = query(file, status, &device, sizeof(device), 4 /* FileFsDeviceInformation */);
    if (result < 0)
        see_text(name, "status 0x%08lx", (unsigned long)result);
    else
        see_text(name, "type %lu, characteristics 0x%lx", device.type, device.characteristics);
}

CASE(device_q, "Volume/Device", QUESTION, "Q-44", NEEDS_MOUNT,
     "drive type, device type and characteristics, sector sizes, room on the volume")
{
    const WCHAR *root = mount_base();
    ULARGE_INTEGER free_bytes = {{0, 0}}, total = {{0, 0}}, all_free = {{0, 0}};
    DWORD sectors = 0, bytes = 0, clusters = 0, all = 0, error;
    HANDLE file = open_item(on(root, L"file.txt"), GENERIC_READ);

    see_number("GetDriveType", GetDriveTypeW(root));
    see_device("a file's device", file);
    CloseHandle(file);
    error = error_of(GetDiskFreeSpaceExW(root, &free_bytes, &total, &all_free));
    see_error("GetDiskFreeSpaceEx", error);
    if (!error)
        see_text("free, any at all", "%llu, %s", (unsigned long long)free_bytes.QuadPart,
                 total.QuadPart ? "yes" : "no");
    error = error_of(GetDiskFreeSpaceW(root, &sectors, &bytes, &clusters, &all));
    see_error("GetDiskFreeSpace", error);
    if (!error)
        see_text("sectors in a cluster, bytes in a sector, free", "%lu, %lu, %lu", sectors, bytes,
                 clusters);
}

CASE(spellings_q, "Volume/RootSpellings", QUESTION, "Q-43", NEEDS_MOUNT,
     "the volume's path without its last backslash, with \\\\.\\, with a dot, with slashes")
{
    const WCHAR *root = mount_base();
    WCHAR path[100];

    wcscpy(path, root);
    path[wcslen(path) - 1] = 0;
    see_text("no backslash: attributes", "0x%lx", GetFileAttributesW(path));
    see_error("no backslash: open", open_error(path, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, 0));
    see_error("no backslash: open as a directory",
              open_error(path, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS));
    see_text("the root: attributes", "0x%lx", GetFileAttributesW(root));
    wcscpy(path, root);
    path[2] = '.';
    see_content("with a dot", on(path, L"file.txt"));
    see_content("verbatim, a dot", on(root, L".\\file.txt"));
    see_content("verbatim, slashes", on(root, L"d/inner.txt"));
    see_content("verbatim, doubled", on(root, L"d\\\\inner.txt"));
    see_error("verbatim, a trailing backslash", path_error(on(root, L"file.txt\\")));
    see_error("a directory's", path_error(on(root, L"d\\")));
}

/* ---- where it is listed -------------------------------------------------------------------------
 */

CASE(listed_q, "Volume/InTheListOfVolumes", QUESTION, "cimfs-rs, CimDiskImage", NEEDS_MOUNT,
     "whether FindFirstVolume lists it while it is mounted, and after that")
{
    const WCHAR *root = mount_base();
    int pass;

    for (pass = 0; pass < 2; pass++)
    {
        WCHAR name[100];
        bool found = false;
        HANDLE find = FindFirstVolumeW(name, ARRAY_SIZE(name));

        if (find != INVALID_HANDLE_VALUE)
        {
            do found |= !_wcsicmp(name, root);
            while (FindNextVolumeW(find, name, ARRAY_SIZE(name)));
            FindVolumeClose(find);
        }
        see_bool(pass ? "after the dismount" : "mounted", found);
        if (!pass) dismount(root);
    }
}

CASE(paths_q, "Volume/PathNames", QUESTION, "Q-44", NEEDS_MOUNT,
     "GetVolumePathName(sForVolumeName), GetVolumeNameForVolumeMountPoint, QueryDosDevice")
{
    const WCHAR *root = mount_base();
    WCHAR text[1000] = L"", name[100], *letter;
    DWORD length, error;

    error = error_of(GetVolumePathNamesForVolumeNameW(root, text, ARRAY_SIZE(text), &length));
    see_error("GetVolumePathNamesForVolumeName", error);
    if (!error) see_bool("it has a path", text[0] != 0);
    error = error_of(GetVolumePathNameW(on(root, L"d\\inner.txt"), text, ARRAY_SIZE(text)));
    see_error("GetVolumePathName", error);
    if (!error) see_bool("it is the root", !_wcsicmp(text, root));
    error = error_of(GetVolumeNameForVolumeMountPointW(root, text, ARRAY_SIZE(text)));
    see_error("GetVolumeNameForVolumeMountPoint", error);
    if (!error) see_bool("its name is the root", !_wcsicmp(text, root));
    wcscpy(name, root + 4);
    name[wcslen(name) - 1] = 0;
    error = error_of(QueryDosDeviceW(name, text, ARRAY_SIZE(text)) != 0);
    see_error("QueryDosDevice", error);
    if (error) return;
    for (letter = text; *letter; letter++)
        if (*letter >= '0' && *letter <= '9') *letter = '#';
    see_wide("device, digits as #", wcschr(text, '{') ? L"with a GUID" : text);
}

CASE(folder_q, "Volume/MountPointFolder", QUESTION, "CimDiskImage", NEEDS_MOUNT,
     "SetVolumeMountPoint onto an empty directory; files through it")
{
    const WCHAR *root = mount_base(), *dir = join(new_dir(L"mounted here"), L"");
    DWORD error = error_of(SetVolumeMountPointW(dir, root));

    see_error("SetVolumeMountPoint", error);
    if (error) return;
    see_content("a file", on(dir, L"file.txt"));
    see_error("DeleteVolumeMountPoint", error_of(DeleteVolumeMountPointW(dir)));
}

CASE(letter_q, "Volume/DriveLetter", QUESTION, "cimfs-rs, hcsctl, CimDiskImage", NEEDS_MOUNT,
     "SetVolumeMountPoint onto a free drive letter; files through it; a dismount with the letter "
     "set")
{
    const WCHAR *root = mount_base();
    WCHAR drive[] = L"Z:\\";
    DWORD letters = GetLogicalDrives(), error;

    while (drive[0] > 'D' && letters & 1u << (drive[0] - 'A')) drive[0]--;
    if (drive[0] == 'D') skip_case("no drive letter is free");
    error = error_of(SetVolumeMountPointW(drive, root));
    see_error("SetVolumeMountPoint", error);
    if (error) return;
    see_content("a file", on(drive, L"file.txt"));
    see_number("GetDriveType", GetDriveTypeW(drive));
    see_error("DeleteVolumeMountPoint", error_of(DeleteVolumeMountPointW(drive)));
    see_content("a file after that", on(drive, L"file.txt"));
}

CASE(junction_q, "Volume/JunctionToTheVolume", QUESTION, "hcsctl findings", NEEDS_MOUNT,
     "a junction whose target is the volume does not resolve")
{
    const WCHAR *root = mount_base(), *dir = new_dir(L"junction");
    const WCHAR *target = format_wide(L"\\??\\%ls", root + 4);
    WORD length = (WORD)(wcslen(target) * sizeof(WCHAR));
    BYTE data[600] = {0};
    WORD words[4] = {0, length, length + 2, 0}, bytes = 12 + length;
    DWORD tag = IO_REPARSE_TAG_MOUNT_POINT, got, error;
    HANDLE handle =
            CreateFileW(dir, GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, OPEN_ITEM, NULL);

    need(handle != INVALID_HANDLE_VALUE, "can't open a directory: error %lu", GetLastError());
    memcpy(data, &tag, 4);
    memcpy(data + 4, &bytes, 2);
    memcpy(data + 8, words, 8);
    memcpy(data + 16, target, length);
    error = error_of(
            DeviceIoControl(handle, FSCTL_SET_REPARSE_POINT, data, 8 + bytes, NULL, 0, &got, NULL));
    CloseHandle(handle);
    see_error("FSCTL_SET_REPARSE_POINT", error);
    if (error) return;
    see_content("a file", join(dir, L"file.txt"));
    RemoveDirectoryW(dir);
}

/* ---- control codes ------------------------------------------------------------------------------
 */

#define ROW(code)                                                                                  \
    {                                                                                              \
#code, code                                                                                \
    }

CASE(controls_q, "Volume/FileControls", QUESTION, "Q-43", NEEDS_MOUNT,
     "the answers of a file to control codes")
{
    static const struct
    {
        const char *name;
        DWORD code;
    } rows[] = {
            ROW(FSCTL_GET_REPARSE_POINT),
            ROW(FSCTL_GET_COMPRESSION),
            ROW(FSCTL_GET_OBJECT_ID),
            ROW(FSCTL_CREATE_OR_GET_OBJECT_ID),
            ROW(FSCTL_READ_FILE_USN_DATA),
            ROW(FSCTL_QUERY_USN_JOURNAL),
            ROW(FSCTL_GET_NTFS_VOLUME_DATA),
            ROW(FSCTL_FILESYSTEM_GET_STATISTICS),
            ROW(FSCTL_IS_VOLUME_MOUNTED),
            ROW(FSCTL_IS_VOLUME_DIRTY),
            ROW(FSCTL_SET_SPARSE),
            ROW(FSCTL_DELETE_REPARSE_POINT),
            {"FSCTL_GET_INTEGRITY_INFORMATION", 0x9027c},
            {"FSCTL_QUERY_FILE_REGIONS", 0x90284},
            {"FSCTL_GET_EXTERNAL_BACKING", 0x90310},
            {"FSCTL_QUERY_PERSISTENT_VOLUME_STATE", 0x9023c},
    };
    HANDLE file = open_item(on(mount_base(), L"file.txt"), GENERIC_READ);
    static BYTE buffer[65536];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        DWORD got = 0, error = error_of(DeviceIoControl(file, rows[i].code, NULL, 0, buffer,
                                                        sizeof(buffer), &got, NULL));

        if (error)
            see_error(rows[i].name, error);
        else
            see_text(rows[i].name, "%lu bytes", got);
    }
    CloseHandle(file);
}

CASE(oplocks_q, "Volume/Oplocks", QUESTION, "Q-43", NEEDS_MOUNT,
     "asking for each kind of opportunistic lock; 997, pending, means that it was granted")
{
    static const struct
    {
        const char *name;
        DWORD code;
    } rows[] = {
            ROW(FSCTL_REQUEST_OPLOCK_LEVEL_1),
            ROW(FSCTL_REQUEST_OPLOCK_LEVEL_2),
            ROW(FSCTL_REQUEST_BATCH_OPLOCK),
            ROW(FSCTL_REQUEST_FILTER_OPLOCK),
    };
    const WCHAR *root = mount_base();
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        HANDLE file = CreateFileW(on(root, L"file.txt"), GENERIC_READ, SHARE_ALL, NULL,
                                  OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
        OVERLAPPED request = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
        DWORD got, error;

        need(file != INVALID_HANDLE_VALUE, "can't open a mounted file: error %lu", GetLastError());
        error = error_of(DeviceIoControl(file, rows[i].code, NULL, 0, NULL, 0, NULL, &request));
        see_error(rows[i].name, error);
        if (error == ERROR_IO_PENDING)
        {
            CancelIo(file);
            GetOverlappedResult(file, &request, &got, TRUE);
        }
        CloseHandle(file);
        CloseHandle(request.hEvent);
    }
}

FRESH_CASE(ranges_q, "Volume/AllocatedRanges", QUESTION, "Q-43", NEEDS_MOUNT,
           "FSCTL_QUERY_ALLOCATED_RANGES and _RETRIEVAL_POINTERS of data, of a file never written, "
           "half "
           "written")
{
    static const WCHAR *const paths[] = {L"data", L"unwritten", L"half"};
    static BYTE bytes[300000];
    const WCHAR *root;
    char name[60];
    size_t i, j;

    fill_bytes(bytes, sizeof(bytes), 4);
    put_file(image, paths[0], bytes, sizeof(bytes));
    put_item(image, paths[1], meta(FILE_ATTRIBUTE_SPARSE_FILE, sizeof(bytes)), NULL, 0);
    put_item(image, paths[2], meta(FILE_ATTRIBUTE_SPARSE_FILE, sizeof(bytes)), bytes, 150000);
    root = mount_fresh(image);
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        FILE_ALLOCATED_RANGE_BUFFER all = {{.QuadPart = 0}, {.QuadPart = sizeof(bytes)}}, out[8];
        STARTING_VCN_INPUT_BUFFER start = {{.QuadPart = 0}};
        HANDLE file = open_item(on(root, paths[i]), GENERIC_READ);
        DWORD got = 0, error;

        error = error_of(DeviceIoControl(file, FSCTL_QUERY_ALLOCATED_RANGES, &all, sizeof(all), out,
                                         sizeof(out), &got, NULL));
        snprintf(name, sizeof(name), "%ls", paths[i]);
        see_error(name, error);
        for (j = 0; !error && j < got / sizeof(out[0]); j++)
        {
            snprintf(name, sizeof(name), "%ls: range %d", paths[i], (int)j);
            see_text(name, "%lld at %lld", (long long)out[j].Length.QuadPart,
                     (long long)out[j].FileOffset.QuadPart);
        }
        snprintf(name, sizeof(name), "%ls: retrieval pointers", paths[i]);
        see_error(name, error_of(DeviceIoControl(file, FSCTL_GET_RETRIEVAL_POINTERS, &start,
                                                 sizeof(start), out, sizeof(out), &got, NULL)));
        CloseHandle(file);
    }
}

CASE(volume_controls_q, "Volume/VolumeControls", QUESTION, "Q-43, Q-44", NEEDS_MOUNT,
     "opening the volume itself, and its answers to control codes")
{
    static const struct
    {
        const char *name;
        DWORD code;
    } rows[] = {
            ROW(FSCTL_IS_VOLUME_MOUNTED),
            ROW(FSCTL_IS_VOLUME_DIRTY),
            ROW(FSCTL_FILESYSTEM_GET_STATISTICS),
            ROW(FSCTL_QUERY_USN_JOURNAL),
            ROW(IOCTL_STORAGE_GET_DEVICE_NUMBER),
            ROW(IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS),
            ROW(IOCTL_DISK_IS_WRITABLE),
            ROW(IOCTL_DISK_GET_LENGTH_INFO),
            ROW(IOCTL_DISK_GET_DRIVE_GEOMETRY),
            {"IOCTL_MOUNTDEV_QUERY_DEVICE_NAME", 0x4d0008},
            {"IOCTL_MOUNTDEV_QUERY_UNIQUE_ID", 0x4d0000},
    };
    static BYTE buffer[65536];
    WCHAR path[100];
    HANDLE volume;
    size_t i;

    wcscpy(path, mount_base());
    path[wcslen(path) - 1] = 0;
    volume = CreateFileW(path, GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
    see_error("open for reading", volume == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    if (volume == INVALID_HANDLE_VALUE)
    {
        volume = CreateFileW(path, 0, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
        see_error("open", volume == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    }
    if (volume == INVALID_HANDLE_VALUE) return;
    see_device("device", volume);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        DWORD got = 0;

        see_error(rows[i].name, error_of(DeviceIoControl(volume, rows[i].code, NULL, 0, buffer,
                                                         sizeof(buffer), &got, NULL)));
    }
    CloseHandle(volume);
}

CASE(classes_q, "Volume/InformationClasses", QUESTION, "Q-43", NEEDS_MOUNT,
     "which classes of information a file and a directory answer")
{
    static const struct
    {
        const char *name;
        int class;
    } rows[] = {{"FileBasicInfo", 0},
                {"FileStandardInfo", 1},
                {"FileNameInfo", 2},
                {"FileStreamInfo", 7},
                {"FileCompressionInfo", 8},
                {"FileAttributeTagInfo", 9},
                {"FileIdBothDirectoryInfo", 10},
                {"FileRemoteProtocolInfo", 13},
                {"FileFullDirectoryInfo", 14},
                {"FileStorageInfo", 16},
                {"FileAlignmentInfo", 17},
                {"FileIdInfo", 18},
                {"FileIdExtdDirectoryInfo", 19},
                {"FileCaseSensitiveInfo", 23},
                {"FileNormalizedNameInfo", 24}};
    static const WCHAR *const paths[] = {L"file.txt", L"d"};
    static ULONGLONG buffer[1024];
    const WCHAR *root = mount_base();
    char name[60];
    size_t i, j;

    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        HANDLE file = open_item(on(root, paths[i]), GENERIC_READ);

        for (j = 0; j < ARRAY_SIZE(rows); j++)
        {
            snprintf(name, sizeof(name), "%ls: %s", paths[i], rows[j].name);
            see_error(name, error_of(GetFileInformationByHandleEx(
                                    file, (FILE_INFO_BY_HANDLE_CLASS)rows[j].class, buffer,
                                    sizeof(buffer))));
        }
        CloseHandle(file);
    }
}

CASE(others_q, "Volume/OtherOperations", QUESTION, "Q-43", NEEDS_MOUNT,
     "locks, notifications of changes, BackupRead, FlushFileBuffers, encryption")
{
    const WCHAR *root = mount_base();
    HANDLE file = open_item(on(root, L"file.txt"), GENERIC_READ), change;
    OVERLAPPED range = {.Offset = 1};
    BYTE buffer[200];
    void *context = NULL;
    DWORD got = 0, status = 0;

    see_error("a shared lock", error_of(LockFileEx(file, 0, 0, 2, 0, &range)));
    see_error("its end", error_of(UnlockFileEx(file, 0, 2, 0, &range)));
    see_error("an exclusive lock",
              error_of(LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 2,
                                  0, &range)));
    UnlockFileEx(file, 0, 2, 0, &range);
    see_error("FlushFileBuffers", error_of(FlushFileBuffers(file)));
    see_error("BackupRead",
              error_of(BackupRead(file, buffer, sizeof(buffer), &got, FALSE, FALSE, &context)));
    if (context) BackupRead(file, NULL, 0, &got, TRUE, FALSE, &context);
    CloseHandle(file);
    change = FindFirstChangeNotificationW(root, TRUE, FILE_NOTIFY_CHANGE_FILE_NAME);
    see_error("FindFirstChangeNotification", change == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    if (change != INVALID_HANDLE_VALUE) FindCloseChangeNotification(change);
    see_error("FileEncryptionStatus",
              error_of(FileEncryptionStatusW(on(root, L"file.txt"), &status)));
    see_number("a compressed size", GetCompressedFileSizeW(on(root, L"file.txt"), NULL));
    see_error("CreateSymbolicLink",
              error_of(CreateSymbolicLinkW(on(root, L"link"), L"file.txt", 0) != 0));
}
