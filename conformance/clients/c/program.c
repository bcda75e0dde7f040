/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.c - how pack.exe and mnt.exe speak to their user, and how they look at a file
 */
#include "program.h"

#include <aclapi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <winioctl.h>

/* As in struct file_id. */
#define FILE_ID_INFO_CLASS ((FILE_INFO_BY_HANDLE_CLASS)18)

/* Everything that descriptors hold; reading the last two takes a privilege. */
#define ALL_SECURITY                                                                               \
    (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |         \
     SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION)

void write_text(HANDLE to, const WCHAR *text)
{
    DWORD mode, done;
    char bytes[3 * 4096];
    int size;

    if (GetConsoleMode(to, &mode))
    {
        WriteConsoleW(to, text, (DWORD)wcslen(text), &done, NULL);
        return;
    }
    size = WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof(bytes), NULL, NULL);
    if (size > 1) WriteFile(to, bytes, (DWORD)size - 1, &done, NULL);
}

void say(DWORD where, const WCHAR *format, ...)
{
    WCHAR text[4096];
    va_list args;

    va_start(args, format);
    _vsnwprintf(text, ARRAYSIZE(text) - 1, format, args);
    va_end(args);
    text[ARRAYSIZE(text) - 1] = 0;
    write_text(GetStdHandle(where), text);
}

BOOL fail(const WCHAR *function, const WCHAR *what, HRESULT hr)
{
    WCHAR text[256];
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                                  (DWORD)hr, 0, text, ARRAYSIZE(text), NULL);

    while (length && (text[length - 1] <= ' ' || text[length - 1] == '.')) length--;
    text[length] = 0;
    say(STD_ERROR_HANDLE, L"%ls: %ls(%.1000ls): 0x%08lX%ls%ls\r\n", program, function, what,
        (unsigned long)hr, length ? L" " : L"", text);
    return FALSE;
}

BOOL fail_win32(const WCHAR *function, const WCHAR *what)
{
    return fail(function, what, HRESULT_FROM_WIN32(GetLastError()));
}

void *must(void *pointer)
{
    if (pointer) return pointer;
    say(STD_ERROR_HANDLE, L"%ls: out of memory\r\n", program);
    exit(1);
}

void names_add(struct names *names, const WCHAR *name, size_t units)
{
    if (names->room - names->used <= units)
    {
        names->room = (names->room + units + 1) * 2;
        names->text = must(realloc(names->text, names->room * sizeof(WCHAR)));
    }
    memcpy(names->text + names->used, name, units * sizeof(WCHAR));
    names->text[names->used + units] = 0;
    names->used += units + 1;
}

int parse(int argc, WCHAR **argv, const struct known_option *known, const WCHAR *usage)
{
    const struct known_option *option;
    int i;

    for (i = 1; i < argc; i++)
    {
        if (!wcscmp(argv[i], L"--help"))
        {
            say(STD_OUTPUT_HANDLE, L"%ls", usage);
            return 0;
        }
        for (option = known; option->name && wcscmp(argv[i], option->name); option++) continue;
        if (!option->name || (option->value && i + 1 == argc))
        {
            say(STD_ERROR_HANDLE,
                option->name ? L"%ls: %ls needs a value\r\n%ls" : L"%ls: what is \"%ls\"?\r\n%ls",
                program, argv[i], usage);
            return 2;
        }
        if (option->flag)
            *option->flag = TRUE;
        else
            *option->value = argv[++i];
    }
    return -1;
}

WCHAR *full_path(const WCHAR *path, size_t *units)
{
    WCHAR *full = must(calloc(PATH_ROOM, sizeof(WCHAR)));
    DWORD length;

    wcscpy(full, L"\\\\?\\");
    length = GetFullPathNameW(path, PATH_ROOM - 8, full + 4, NULL);
    if (!length || length >= PATH_ROOM - 8) *full = 0;
    if (!wcsncmp(full + 4, L"\\\\", 2)) memmove(full, full + 4, (length + 1) * sizeof(WCHAR));
    *units = wcslen(full);
    while (*units && full[*units - 1] == '\\') full[--*units] = 0;
    return full;
}

WCHAR *fork_name(const WCHAR *name)
{
    WCHAR *fork = must(malloc((wcslen(name) + 6) * sizeof(WCHAR)));
    const WCHAR *dot = wcsrchr(name, '.');
    size_t stem = dot ? (size_t)(dot - name) : wcslen(name);

    memcpy(fork, name, stem * sizeof(WCHAR));
    wcscpy(fork + stem, L"_fork");
    wcscat(fork, name + stem);
    return fork;
}

some_function newer_function(const char *name)
{
    some_function found = (some_function)GetProcAddress(GetModuleHandleA("cimfs.dll"), name);

    if (!found) say(STD_ERROR_HANDLE, L"%ls: cimfs.dll has no %hs\r\n", program, name);
    return found;
}

BOOL on_wine(void)
{
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}

static BOOL enable(const WCHAR *name)
{
    TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1};
    HANDLE token;
    BOOL done;

    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
        return fail_win32(L"OpenProcessToken", name);
    wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    done = LookupPrivilegeValueW(NULL, name, &wanted.Privileges[0].Luid) &&
           AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL) &&
           GetLastError() == ERROR_SUCCESS;
    if (!done) fail_win32(L"AdjustTokenPrivileges: not elevated?", name);
    CloseHandle(token);
    return done;
}

BOOL enable_privileges(void)
{
    return enable(L"SeSecurityPrivilege") && enable(L"SeBackupPrivilege");
}

HANDLE open_item(const WCHAR *path)
{
    return CreateFileW(path, GENERIC_READ | ACCESS_SYSTEM_SECURITY,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT |
                               FILE_FLAG_SEQUENTIAL_SCAN,
                       NULL);
}

const WCHAR *read_item(HANDLE handle, struct item *item)
{
    DWORD error;

    LocalFree(item->security);
    item->security = NULL;
    item->reparse_size = 0;
    if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &item->basic, sizeof(item->basic)) ||
        !GetFileInformationByHandleEx(handle, FileStandardInfo, &item->standard,
                                      sizeof(item->standard)) ||
        !GetFileInformationByHandleEx(handle, FILE_ID_INFO_CLASS, &item->id, sizeof(item->id)))
        return L"GetFileInformationByHandleEx";
    error = GetSecurityInfo(handle, SE_FILE_OBJECT, ALL_SECURITY, NULL, NULL, NULL, NULL,
                            &item->security);
    SetLastError(error);
    if (error) return L"GetSecurityInfo";
    item->security_size = GetSecurityDescriptorLength(item->security);
    if (item->basic.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT &&
        !DeviceIoControl(handle, FSCTL_GET_REPARSE_POINT, NULL, 0, item->reparse, REPARSE_ROOM,
                         &item->reparse_size, NULL))
        return L"FSCTL_GET_REPARSE_POINT";
    return NULL;
}

BOOL list_streams(const WCHAR *path, struct names *names)
{
    WIN32_FIND_STREAM_DATA data;
    HANDLE find = FindFirstStreamW(path, FindStreamInfoStandard, &data, 0);

    if (find == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_HANDLE_EOF || fail_win32(L"FindFirstStream", path);
    do
    {
        WCHAR *type = wcsstr(data.cStreamName, L":$DATA");

        if (!wcscmp(data.cStreamName, L"::$DATA")) continue;
        if (type) *type = 0;
        names_add(names, data.cStreamName, wcslen(data.cStreamName));
    } while (FindNextStreamW(find, &data));
    FindClose(find);
    return TRUE;
}
