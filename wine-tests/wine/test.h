/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wine/test.h - what Wine's test framework offers, as far as cimfs.c needs it, for building that
 * file alone
 *
 * Inside Wine's tree its own header of this name takes the place of this one; Debian ships none.
 * This one was written from how the macros behave, so that the same file builds with either. A
 * program is one file with one START_TEST; main() is here:
 *
 *     PROGRAM.exe [NAME [ARGUMENT...]]
 *
 * ok( condition, format, ... )  a check; the message, with the values seen, if it is not so
 * todo_wine ok( ... )           known to fail on Wine; if it doesn't, that is a failure
 * skip( format, ... )           something can't be tested here
 * win_skip( format, ... )       the same, but fine on Windows only: a failure on Wine
 * broken( condition )           an odd answer of some Windows, false on Wine
 * trace( format, ... )          a remark
 * winetest_push_context( format, ... ), winetest_pop_context()
 *                               what stands before each message in between
 *
 * The exit code is the number of failures, at most 255. The environment:
 *
 *     WINETEST_PLATFORM   "windows" under Wine: judge as on Windows
 *     WINETEST_WINE       a version, as "9.5": judge as on that Wine
 *     WINETEST_DEBUG      0: no remarks, no todo's and no skips are shown
 *
 * Wine's tests know the Wine they come with; ours run on any. So todo_wine means the newest Wine,
 * as there, and what older ones can't do is told in a table here, winetest_younger[].
 *
 * One thread only. "winetest_where(), winetest_ok" in the macros: the place first, so that what the
 * user wrote is the argument list of the second call.
 */
#ifndef __WINE_WINE_TEST_H
#define __WINE_WINE_TEST_H

#include <windows.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Wine's winnt.h has it. */
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

/* Wine's winerror.h has them since 10.0, mingw's not yet. */
#ifndef ERROR_CIMFS_IMAGE_CORRUPT
#define ERROR_CIMFS_IMAGE_CORRUPT 470
#define ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED 471
#endif

#define WINETEST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/* A header's functions needn't all be used. */
#define WINETEST_FUNC static __attribute__((unused))

struct winetest_test
{
    const char *name;
    void (*func)(void);
};

/* The one test of this program, defined by START_TEST. */
extern const struct winetest_test winetest_the_test;

#define START_TEST(name)                                                                           \
    static void func_##name(void);                                                                 \
    const struct winetest_test winetest_the_test = {#name, func_##name};                           \
    static void func_##name(void)

#define WINETEST_CONTEXTS 8
#define WINETEST_CONTEXT_ROOM 128

static struct
{
    const char *file; /* where the check is that is being made */
    int line;
    int debug;
    int todo; /* how many todo's that apply are around it */
    LONG executed, marked_todo, failures, skipped;
    int contexts;
    char context[WINETEST_CONTEXTS][WINETEST_CONTEXT_ROOM];
    int argc;
    char **argv;
} winetest;

/* Is this Wine, or to be judged as Wine? */
static int winetest_platform_is_wine;

/* Its version, or that to be judged by; 0 on Windows. */
static int winetest_wine_version;

#define WINETEST_VERSION(major, minor) ((major)*1000 + (minor))

/* What Wine can do since some version: up to then a check whose message begins so is as good as one
 * with todo_wine before it. */
static const struct
{
    const char *test, *message;
    int since;
} winetest_younger[] = {
        {"cimfs", "FSCTL_GET_REPARSE_POINT: ", WINETEST_VERSION(10, 19)},
        {"cimfs", "SetVolumeMountPoint: ", WINETEST_VERSION(10, 20)},
        {"testh", "Since 9.5: ", WINETEST_VERSION(9, 5)},
};

#define ok_(file, line) winetest_where(file, line), winetest_ok
#define skip_(file, line) winetest_where(file, line), winetest_skip
#define win_skip_(file, line) winetest_where(file, line), winetest_win_skip
#define trace_(file, line) winetest_where(file, line), winetest_trace

#define ok ok_(__FILE__, __LINE__)
#define skip skip_(__FILE__, __LINE__)
#define win_skip win_skip_(__FILE__, __LINE__)
#define trace trace_(__FILE__, __LINE__)

#define broken(condition) (!winetest_platform_is_wine && (condition))

#define todo_if(is_todo)                                                                           \
    for (int winetest_in_todo = winetest_begin_todo(is_todo); winetest_in_todo;                    \
         winetest_in_todo = winetest_end_todo(winetest_in_todo))
#define todo_wine todo_if(winetest_platform_is_wine)
#define todo_wine_if(is_todo) todo_if((is_todo) && winetest_platform_is_wine)

WINETEST_FUNC void winetest_where(const char *file, int line)
{
    const char *p;

    for (p = file; *p; p++)
        if (*p == '/' || *p == '\\') file = p + 1;
    winetest.file = file;
    winetest.line = line;
}

/* One line of output: the place, what it is, the contexts, the message. */
WINETEST_FUNC void winetest_say(const char *what, const char *fmt, va_list args)
{
    int i;

    printf("%s:%d: %s", winetest.file, winetest.line, what);
    for (i = 0; i < winetest.contexts && i < WINETEST_CONTEXTS; i++)
        printf("%s: ", winetest.context[i]);
    vprintf(fmt, args);
    fflush(stdout);
}

/* Is a check of this message too much for the Wine that it runs on? */
WINETEST_FUNC int winetest_is_younger(const char *fmt)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(winetest_younger); i++)
        if (winetest_wine_version < winetest_younger[i].since &&
            !strcmp(winetest_younger[i].test, winetest_the_test.name) &&
            !strncmp(winetest_younger[i].message, fmt, strlen(winetest_younger[i].message)))
            return winetest_platform_is_wine;
    return 0;
}

WINETEST_FUNC WINETEST_PRINTF(2, 3) void winetest_ok(int condition, const char *fmt, ...)
{
    int todo = winetest.todo || winetest_is_younger(fmt);
    const char *what = NULL;
    va_list args;

    winetest.executed++;
    if (todo && condition)
    {
        what = "Test succeeded inside todo block: ";
        winetest.failures++;
    }
    else if (todo)
    {
        if (winetest.debug) what = "Test marked todo: ";
        winetest.marked_todo++;
    }
    else if (!condition)
    {
        what = "Test failed: ";
        winetest.failures++;
    }
    va_start(args, fmt);
    if (what) winetest_say(what, fmt, args);
    va_end(args);
}

WINETEST_FUNC void winetest_vskip(const char *fmt, va_list args)
{
    winetest.skipped++;
    if (winetest.debug) winetest_say("Tests skipped: ", fmt, args);
}

WINETEST_FUNC WINETEST_PRINTF(1, 2) void winetest_skip(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    winetest_vskip(fmt, args);
    va_end(args);
}

WINETEST_FUNC WINETEST_PRINTF(1, 2) void winetest_win_skip(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (winetest_platform_is_wine)
    {
        winetest.executed++;
        winetest.failures++;
        winetest_say("Test failed: ", fmt, args);
    }
    else
        winetest_vskip(fmt, args);
    va_end(args);
}

WINETEST_FUNC WINETEST_PRINTF(1, 2) void winetest_trace(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (winetest.debug) winetest_say("", fmt, args);
    va_end(args);
}

/* todo_if's loop runs once; its variable is 2 if the todo applies, 1 if not, then 0. */
WINETEST_FUNC int winetest_begin_todo(int is_todo)
{
    winetest.todo += !!is_todo;
    return 1 + !!is_todo;
}

WINETEST_FUNC int winetest_end_todo(int in_todo)
{
    winetest.todo -= in_todo - 1;
    return 0;
}

/* Contexts deeper than there is room for are counted and not shown. */
WINETEST_FUNC WINETEST_PRINTF(1, 2) void winetest_push_context(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (winetest.contexts < WINETEST_CONTEXTS)
        vsnprintf(winetest.context[winetest.contexts], WINETEST_CONTEXT_ROOM, fmt, args);
    va_end(args);
    winetest.contexts++;
}

WINETEST_FUNC void winetest_pop_context(void)
{
    if (winetest.contexts) winetest.contexts--;
}

WINETEST_FUNC int winetest_get_mainargs(char ***argv)
{
    *argv = winetest.argv;
    return winetest.argc;
}

/* ---- values as text, each in one of a few static buffers ---- */

#define WINETEST_STRINGS 16
#define WINETEST_STRING_ROOM 400

WINETEST_FUNC char *winetest_string(void)
{
    static char strings[WINETEST_STRINGS][WINETEST_STRING_ROOM];
    static unsigned next;

    return strings[next++ % WINETEST_STRINGS];
}

WINETEST_FUNC const char *wine_dbgstr_wn(const WCHAR *s, int n)
{
    char *text = winetest_string(), *p = text, *end = text + WINETEST_STRING_ROOM - 16;

    if (!s) return "(null)";
    if (n < 0) n = (int)wcslen(s);
    p += sprintf(p, "L\"");
    for (; n > 0 && p < end; n--, s++)
    {
        if (*s == '"' || *s == '\\')
            p += sprintf(p, "\\%c", *s);
        else if (*s >= ' ' && *s <= '~')
            *p++ = (char)*s;
        else
            p += sprintf(p, "\\%04x", *s);
    }
    sprintf(p, "\"%s", n > 0 ? "..." : "");
    return text;
}

WINETEST_FUNC const char *wine_dbgstr_w(const WCHAR *s)
{
    return wine_dbgstr_wn(s, -1);
}

WINETEST_FUNC const char *wine_dbgstr_an(const char *s, int n)
{
    char *text = winetest_string(), *p = text, *end = text + WINETEST_STRING_ROOM - 16;

    if (!s) return "(null)";
    if (n < 0) n = (int)strlen(s);
    *p++ = '"';
    for (; n > 0 && p < end; n--, s++)
    {
        if (*s == '"' || *s == '\\')
            p += sprintf(p, "\\%c", *s);
        else if (*s >= ' ' && *s <= '~')
            *p++ = *s;
        else
            p += sprintf(p, "\\x%02x", (unsigned char)*s);
    }
    sprintf(p, "\"%s", n > 0 ? "..." : "");
    return text;
}

WINETEST_FUNC const char *wine_dbgstr_a(const char *s)
{
    return wine_dbgstr_an(s, -1);
}

WINETEST_FUNC const char *wine_dbgstr_guid(const GUID *id)
{
    char *text = winetest_string();

    if (!id) return "(null)";
    sprintf(text, "{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}", id->Data1, id->Data2,
            id->Data3, id->Data4[0], id->Data4[1], id->Data4[2], id->Data4[3], id->Data4[4],
            id->Data4[5], id->Data4[6], id->Data4[7]);
    return text;
}

WINETEST_FUNC const char *wine_dbgstr_longlong(ULONGLONG value)
{
    char *text = winetest_string();

    if (value >> 32)
        sprintf(text, "%lx%08lx", (unsigned long)(value >> 32),
                (unsigned long)(value & 0xffffffff));
    else
        sprintf(text, "%lx", (unsigned long)value);
    return text;
}

#define debugstr_w wine_dbgstr_w
#define debugstr_wn wine_dbgstr_wn
#define debugstr_a wine_dbgstr_a
#define debugstr_an wine_dbgstr_an
#define debugstr_guid wine_dbgstr_guid

/* ---- the program ---- */

/* Is this Wine, and which? */
static void winetest_find_wine(void)
{
    const char *platform = getenv("WINETEST_PLATFORM"), *version = getenv("WINETEST_WINE");
    const char *(CDECL * get_version)(void);
    int major = 0, minor = 0;

    get_version = (void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version");
    winetest_platform_is_wine = platform ? !strcmp(platform, "wine") : !!get_version;
    if (!version && get_version) version = get_version();
    if (version) sscanf(version, "%d.%d", &major, &minor);
    winetest_wine_version = WINETEST_VERSION(major, minor);
}

/* A crash ends the program with the exception's code, and without the last line. */
static LONG WINAPI winetest_crashed(EXCEPTION_POINTERS *info)
{
    printf("%s:%d: this was the last check; then exception %08lx at %p\n",
           winetest.file ? winetest.file : winetest_the_test.name, winetest.line,
           info->ExceptionRecord->ExceptionCode, info->ExceptionRecord->ExceptionAddress);
    fflush(stdout);
    ExitProcess(info->ExceptionRecord->ExceptionCode);
}

int main(int argc, char **argv)
{
    const char *debug = getenv("WINETEST_DEBUG");

    if (argc > 1 && strcmp(argv[1], winetest_the_test.name))
    {
        printf("Usage: %s [%s [ARGUMENT...]]\n", argv[0], winetest_the_test.name);
        return 1;
    }
    winetest.argc = argc;
    winetest.argv = argv;
    winetest.debug = debug ? atoi(debug) : 1;
    winetest_find_wine();
    SetUnhandledExceptionFilter(winetest_crashed);
    winetest_the_test.func();
    printf("%04lx:%s: %ld tests executed (%ld marked as todo, %ld failures), %ld skipped.\n",
           GetCurrentProcessId(), winetest_the_test.name, winetest.executed, winetest.marked_todo,
           winetest.failures, winetest.skipped);
    fflush(stdout);
    return winetest.failures < 255 ? (int)winetest.failures : 255;
}

#endif
