/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prefix.c - where the prefix that this process runs in keeps its devices
 *
 * Wine tells a process its prefix by the environment variable WINECONFIGDIR, an NT path:
 * \??\Z:\home\me\.wine, or \??\unix\home\me\.wine where no drive leads there. A program
 * may have been started with an environment of somebody's choice, though. Then drive C: tells: up
 * to Wine 10.12 its Unix path is PREFIX/dosdevices/c:, later what that link leads to, which is
 * PREFIX/drive_c unless somebody moved it. (All of it measured, with Wine 8.0, 10.0 and 11.10.)
 *
 * Wine itself is met by the functions that are handed in, so that a test can stand in for any.
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

/* PATH without the slashes at its end, and without @tail if it ends in that; to be freed. NULL: it
 * doesn't, or out of memory. */
static char *without(const char *path, const char *tail)
{
    size_t len = strlen(path), tail_len = strlen(tail);
    char *result;

    while (len && path[len - 1] == '/') len--;
    if (len < tail_len || memcmp(path + len - tail_len, tail, tail_len)) return NULL;
    result = malloc(len - tail_len + 1);
    if (result) sprintf(result, "%.*s", (int)(len - tail_len), path);
    return result;
}

/* PREFIX/dosdevices, to be freed, as @prefix is here; NULL if that isn't there. */
static char *devices_of(char *prefix, bool (*exists)(const char *path))
{
    static const char name[] = "/dosdevices";
    char *path = prefix ? malloc(strlen(prefix) + sizeof(name)) : NULL;

    if (path)
    {
        sprintf(path, "%s%s", prefix, name);
        if (!exists(path))
        {
            free(path);
            path = NULL;
        }
    }
    free(prefix);
    return path;
}

/* The Unix path of \??\X:\DIR without a slash at its end, to be freed; NULL: it has none. */
static char *prefix_of(PCWSTR config_dir, char *(*unix_path)(PCWSTR path))
{
    WCHAR *path = wcsncmp(config_dir, L"\\??\\", 4) ? NULL : _wcsdup(config_dir);
    char *found = NULL, *result = NULL;

    if (path)
    {
        path[1] = '\\'; /* Win32's name for it */
        found = unix_path(path);
    }
    if (found) result = without(found, "");
    free(found);
    free(path);
    return result;
}

char *find_dosdevices(PCWSTR config_dir, char *(*unix_path)(PCWSTR path),
                      bool (*exists)(const char *path))
{
    char *path = config_dir ? devices_of(prefix_of(config_dir, unix_path), exists) : NULL, *c;

    if (path) return path;
    c = unix_path(L"C:\\");
    if (!c) return NULL;
    path = devices_of(without(c, "/dosdevices/c:"), exists);
    if (!path) path = devices_of(without(c, "/drive_c"), exists);
    free(c);
    return path;
}
