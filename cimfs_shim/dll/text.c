/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c - host paths, and small files that hold a line of text
 *
 * libcim takes paths as WTF-8, which keeps unpaired surrogates, so the conversion from Windows'
 * UTF-16 loses nothing and os/win32.c gets back exactly the name that the caller gave.
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

char *wtf8_from_wide(PCWSTR text)
{
    size_t units = wcslen(text);
    size_t size = cim_utf8_from_utf16(text, units, NULL, 0) + 1;
    char *result = malloc(size);

    if (result) cim_utf8_from_utf16(text, units, result, size);
    return result;
}

void end_at_character(char *text)
{
    size_t end = strlen(text), begin = end, bytes = 1;

    while (begin && end - begin < 4 && ((unsigned char)text[begin] & 0xc0) != 0xc0) begin--;
    if ((unsigned char)text[begin] >= 0xc0) bytes = 2;
    if ((unsigned char)text[begin] >= 0xe0) bytes = 3;
    if ((unsigned char)text[begin] >= 0xf0) bytes = 4;
    if (end - begin < bytes) text[begin] = 0;
}

WCHAR *get_environment(PCWSTR name)
{
    DWORD room = GetEnvironmentVariableW(name, NULL, 0);
    WCHAR *value;

    if (room <= 1) return NULL;
    value = malloc(room * sizeof(*value));
    if (value && GetEnvironmentVariableW(name, value, room) == room - 1) return value;
    free(value);
    return NULL;
}

bool temp_name(PCWSTR suffix, WCHAR *path)
{
    static volatile LONG counter;
    WCHAR dir[MAX_PATH + 1];
    DWORD units = GetTempPathW(ARRAYSIZE(dir), dir);

    if (!units || units >= ARRAYSIZE(dir)) return false;
    _snwprintf(path, TEMP_ROOM, L"%lscimfs-%lx-%lx-%lx.%ls", dir, GetCurrentProcessId(),
               GetTickCount(), InterlockedIncrement(&counter), suffix);
    path[TEMP_ROOM - 1] = 0;
    return true;
}

bool read_small_file(PCWSTR path, char *text, DWORD size)
{
    HANDLE file =
            CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, 0, NULL);
    DWORD got = 0;

    text[0] = 0;
    if (file == INVALID_HANDLE_VALUE) return false;
    if (!ReadFile(file, text, size - 1, &got, NULL)) got = 0;
    CloseHandle(file);
    text[got] = 0;
    return true;
}
