/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_prefix.c - where a prefix keeps its devices, by what each Wine tells of it
 *
 * The strings are those that a program sees under Wine 8.0, 10.0 and 11.10 in prefixes of such
 * paths; what Wine makes of Win32 paths is stood in for by a table.
 */
#include "../../dll/dll.h"
#include "../tap.h"

/* Wines and prefixes: what the process sees, and what is to come out. */
struct world
{
    const char *name;
    const WCHAR *config_dir; /* WINECONFIGDIR */
    const WCHAR *win32_path; /* the same for Win32; NULL: Wine has no Unix path for any */
    const char *prefix;      /* the Unix path of that */
    const char *c;           /* the Unix path of C:\ */
    const char *devices;     /* the directory that is there */
    const char *found;
};

static const struct world worlds[] = {
        {"Wine 8.0", L"\\??\\Z:\\home\\me\\.wine", L"\\\\?\\Z:\\home\\me\\.wine", "/home/me/.wine",
         "/home/me/.wine/dosdevices/c:/", "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"Wine 8.0 without a drive for /", L"\\??\\unix\\home\\me\\.wine",
         L"\\\\?\\unix\\home\\me\\.wine", "/home/me/.wine", "/home/me/.wine/dosdevices/c:/",
         "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"Wine 10.0, spaces and UTF-8", L"\\??\\Z:\\srv\\l \xfc n k", L"\\\\?\\Z:\\srv\\l \xfc n k",
         "/srv/l \xc3\xbc n k", "/srv/l \xc3\xbc n k/dosdevices/c:/",
         "/srv/l \xc3\xbc n k/dosdevices", "/srv/l \xc3\xbc n k/dosdevices"},
        {"Wine 11.10", L"\\??\\Z:\\home\\me\\.wine", L"\\\\?\\Z:\\home\\me\\.wine",
         "/home/me/.wine", "/home/me/.wine/drive_c/", "/home/me/.wine/dosdevices",
         "/home/me/.wine/dosdevices"},
        {"Wine 11.10 without a drive for /", L"\\??\\unix\\home\\me\\.wine",
         L"\\\\?\\unix\\home\\me\\.wine", "/home/me/.wine", "/home/me/.wine/drive_c/",
         "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"Wine 11.10, a prefix by a link: the path is the real one", L"\\??\\Z:\\srv\\l \xfc n k",
         L"\\\\?\\Z:\\srv\\l \xfc n k", "/srv/real", "/srv/real/drive_c/", "/srv/real/dosdevices",
         "/srv/real/dosdevices"},
        {"Wine 11.10, C: is elsewhere", L"\\??\\Z:\\home\\me\\.wine", L"\\\\?\\Z:\\home\\me\\.wine",
         "/home/me/.wine", "/mnt/disk/", "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"Wine 8.0, another environment", NULL, NULL, NULL, "/home/me/.wine/dosdevices/c:/",
         "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"Wine 11.10, another environment", NULL, NULL, NULL, "/home/me/.wine/drive_c/",
         "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"a variable of somebody else's", L"C:\\config", NULL, NULL, "/home/me/.wine/drive_c/",
         "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"a prefix that isn't there any more", L"\\??\\Z:\\old", L"\\\\?\\Z:\\old", "/old",
         "/home/me/.wine/drive_c/", "/home/me/.wine/dosdevices", "/home/me/.wine/dosdevices"},
        {"a prefix in the root of the file system", L"\\??\\Z:\\", L"\\\\?\\Z:\\", "/", "/drive_c/",
         "/dosdevices", "/dosdevices"},
        {"Wine 8.0, another environment, in the root", NULL, NULL, NULL, "/dosdevices/c:/",
         "/dosdevices", "/dosdevices"},
        {"Wine 11.10, another environment, in the root", NULL, NULL, NULL, "/drive_c/",
         "/dosdevices", "/dosdevices"},
        {"Wine 11.10, another environment, C: is the root", NULL, NULL, NULL, "/", "/dosdevices",
         NULL},
        {"Wine 11.10, another environment, C: is elsewhere", NULL, NULL, NULL, "/mnt/disk/",
         "/home/me/.wine/dosdevices", NULL},
        {"another environment, C: is as long as PREFIX/drive_c would be", NULL, NULL, NULL,
         "/home/me/.wine-drives1/", "/home/me/.wine/dosdevices", NULL},
        {"another environment, C: is as long as PREFIX/dosdevices/c: would be", NULL, NULL, NULL,
         "/home/me/.wine-drives-of-win/", "/home/me/.wine/dosdevices", NULL},
        {"no drive C:", NULL, NULL, NULL, NULL, "/home/me/.wine/dosdevices", NULL},
        {"nothing that is a prefix", L"\\??\\Z:\\etc", L"\\\\?\\Z:\\etc", "/etc", "/etc/drive_c/",
         "/home/me/.wine/dosdevices", NULL},
};

static const struct world *world;

/* ---- memory: --wrap, see rules.mk ---- */

static int blocks; /* in use */
static unsigned fail_at, allocations;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void __real_free(void *block);
void __wrap_free(void *block);

static bool fails(void)
{
    return ++allocations == fail_at;
}

void *__wrap_malloc(size_t size)
{
    void *block = fails() ? NULL : __real_malloc(size);

    blocks += block != NULL;
    return block;
}

/* What is imported isn't wrapped: this stands where the import library's pointer would. */
static WCHAR *__cdecl copy_wide(const WCHAR *text)
{
    WCHAR *copy = malloc((wcslen(text) + 1) * sizeof(*copy));

    return copy ? wcscpy(copy, text) : NULL;
}

#ifdef _WIN64
extern WCHAR *(__cdecl *imported_wcsdup)(const WCHAR *text) __asm__("__imp__wcsdup");
#else
extern WCHAR *(__cdecl *imported_wcsdup)(const WCHAR *text) __asm__("__imp___wcsdup");
#endif
WCHAR *(__cdecl *imported_wcsdup)(const WCHAR *text) = copy_wide;

void __wrap_free(void *block)
{
    blocks -= block != NULL;
    __real_free(block);
}

static char *copy_text(const char *text)
{
    char *copy = malloc(strlen(text) + 1);

    return copy ? strcpy(copy, text) : NULL;
}

/* ---- */

static char *unix_path(PCWSTR path)
{
    const char *found = NULL;

    if (!wcscmp(path, L"C:\\"))
        found = world->c;
    else if (world->win32_path && !wcscmp(path, world->win32_path))
        found = world->prefix;
    return found ? copy_text(found) : NULL;
}

static bool directory_exists(const char *path)
{
    return !strcmp(path, world->devices);
}

/* With each allocation failing, one after the other: what is found is right, or nothing is. */
static void test_no_memory(void)
{
    int wrong = 0, left = 0;
    unsigned at = 0;
    char *found;

    do
    {
        blocks = 0;
        allocations = 0;
        fail_at = ++at;
        found = find_dosdevices(world->config_dir, unix_path, directory_exists);
        wrong += found && (!world->found || strcmp(found, world->found));
        free(found);
        left += blocks != 0;
    } while (allocations >= at);
    fail_at = 0;
    ok(!wrong && !left, "%s: without memory: %d wrong, %d left some", world->name, wrong, left);
}

int wmain(void)
{
    size_t i;

    for (i = 0; i < ARRAYSIZE(worlds); i++)
    {
        char *found;

        world = &worlds[i];
        found = find_dosdevices(world->config_dir, unix_path, directory_exists);
        is_str(found, world->found, "%s", world->name);
        free(found);
        test_no_memory();
    }
    return tap_done();
}
