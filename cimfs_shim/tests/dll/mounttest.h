/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounttest.h - what the test programs that mount images share
 *
 * mount.sh runs them, once for each backend of the helper, and tells by CIMFS_MOUNT_BACKEND which.
 */
#ifndef CIM_MOUNTTEST_H
#define CIM_MOUNTTEST_H

#include <wchar.h>

#include "dlltest.h"

#define HR_MOUNTED HR_WIN32(ERROR_ALREADY_EXISTS)

/* A GUID of this run's own (CIMTEST_GUIDS): no two of different @n are the same. */
__maybe_unused static GUID test_guid(unsigned n)
{
    GUID guid = {0xC1F5ABCD, 0x7E57, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 0}};

    WCHAR tail[16];

    guid.Data2 = (USHORT)n;
    if (GetEnvironmentVariableW(L"CIMTEST_GUIDS", tail, 16) == 8)
        for (unsigned i = 0; i < 4; i++)
            guid.Data4[2 + i] = (BYTE)(wcstoul(tail, NULL, 16) >> (24 - 8 * i));
    guid.Data4[7] = 0xEF;
    return guid;
}

/* \\?\Volume{GUID}\REST, in one of a few static buffers. */
__maybe_unused static const WCHAR *volume_path(const GUID *guid, const WCHAR *rest)
{
    static WCHAR buffers[8][PATH_ROOM * 2];
    static unsigned next;
    WCHAR *buffer = buffers[next++ % 8];

    _snwprintf(buffer, PATH_ROOM * 2,
               L"\\\\?\\Volume{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}\\%ls",
               guid->Data1, guid->Data2, guid->Data3, guid->Data4[0], guid->Data4[1],
               guid->Data4[2], guid->Data4[3], guid->Data4[4], guid->Data4[5], guid->Data4[6],
               guid->Data4[7], rest);
    return buffer;
}

__maybe_unused static bool path_exists(const WCHAR *path)
{
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

__maybe_unused static bool volume_exists(const GUID *guid)
{
    return path_exists(volume_path(guid, L""));
}

/* A small file as a string, static; "<error N>" if it can't be read. */
__maybe_unused static const char *text_at(const WCHAR *path)
{
    static char buffers[4][4096];
    static unsigned next;
    char *buffer = buffers[next++ % 4];
    DWORD size;
    char *data = load_file(path, &size);

    if (data)
        _snprintf(buffer, 4096, "%s", data);
    else
        sprintf(buffer, "<error %lu>", GetLastError());
    free(data);
    return buffer;
}

__maybe_unused static bool backend_is(const WCHAR *name)
{
    WCHAR value[32] = L"";

    GetEnvironmentVariableW(L"CIMFS_MOUNT_BACKEND", value, 32);
    return !wcscmp(value, name);
}

/* The letter whose root is the volume's, by the file id; 0: none. */
__maybe_unused static ULONGLONG file_index(const WCHAR *path)
{
    HANDLE file = CreateFileW(path, FILE_READ_ATTRIBUTES, 7, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
    BY_HANDLE_FILE_INFORMATION info = {.nFileIndexLow = 0};

    if (file == INVALID_HANDLE_VALUE) return 0;
    GetFileInformationByHandle(file, &info);
    CloseHandle(file);
    return (ULONGLONG)info.nFileIndexHigh << 32 | info.nFileIndexLow;
}

/* The letter that leads to a volume: the one that has the file @marker; 0 for none. */
__maybe_unused static WCHAR letter_with(const WCHAR *marker)
{
    WCHAR path[PATH_ROOM], letter;

    for (letter = 'A'; letter <= 'Z'; letter++)
    {
        _snwprintf(path, PATH_ROOM, L"%lc:\\%ls", letter, marker);
        if (path_exists(path)) return letter;
    }
    return 0;
}

/* Start this program again with @args; returns the process. */
__maybe_unused static HANDLE start_self(const WCHAR *args)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    WCHAR exe[PATH_ROOM], command[PATH_ROOM * 2];

    GetModuleFileNameW(NULL, exe, PATH_ROOM);
    _snwprintf(command, PATH_ROOM * 2, L"\"%ls\" %ls", exe, args);
    if (!CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
        bail("can't start %ls: error %lu", command, GetLastError());
    CloseHandle(process.hThread);
    return process.hProcess;
}

/* The exit code of a process, which is closed. */
__maybe_unused static DWORD end_of(HANDLE process)
{
    DWORD code = 0xdead;

    if (WaitForSingleObject(process, 180000) != WAIT_OBJECT_0) TerminateProcess(process, 0xdead);
    GetExitCodeProcess(process, &code);
    CloseHandle(process);
    return code;
}

#endif
