/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h - what pack.exe and mnt.exe share: their user, their options, what Win32 tells of a
 * file
 */
#ifndef CIM_CLIENT_PROGRAM_H
#define CIM_CLIENT_PROGRAM_H

#define WIN32_LEAN_AND_MEAN
#ifndef UNICODE
#define UNICODE
#endif
#include <windows.h>

enum
{
    PATH_ROOM = 32768,
    REPARSE_ROOM = 16384
};

/* The program's name, as it stands before a message: each program defines it. */
extern const WCHAR *const program;

/* ---- speaking ---- */

/* To a console or, as UTF-8, to what stands in for it. */
void write_text(HANDLE to, const WCHAR *text);
void say(DWORD where, const WCHAR *format, ...);

/* One line for a failed call, with the system's words if it has some; always FALSE. */
BOOL fail(const WCHAR *function, const WCHAR *what, HRESULT hr);

/* The same for GetLastError(). */
BOOL fail_win32(const WCHAR *function, const WCHAR *what);

/* ---- memory ---- */

void *must(void *pointer);

/* Names, one after the other, each with its terminator. */
struct names
{
    WCHAR *text;
    size_t used, room;
};

void names_add(struct names *names, const WCHAR *name, size_t units);

/* ---- what the program is asked to do ---- */

/* An option with a value, or a flag. */
struct known_option
{
    const WCHAR *name;
    const WCHAR **value;
    BOOL *flag;
};

/* -1: go on, else the exit status. */
int parse(int argc, WCHAR **argv, const struct known_option *known, const WCHAR *usage);

/* \\?\ in front, so that a path may be as long as it likes; no separator at the end. In a buffer of
 * PATH_ROOM. */
WCHAR *full_path(const WCHAR *path, size_t *units);

/* NAME_fork.cim for NAME.cim. */
WCHAR *fork_name(const WCHAR *name);

/* A function of cimfs.dll's that older Windows haven't, to be cast; NULL, which is told. */
typedef void (*some_function)(void);
some_function newer_function(const char *name);

/* ---- what Win32 tells ---- */

/* MSVC has this for Windows 8 and later targets, mingw-w64 under the same condition. */
struct file_id
{
    ULONGLONG volume;
    BYTE id[16];
};

/* What an item brings along, besides its bytes. Zeros before read_item(). */
struct item
{
    FILE_BASIC_INFO basic;
    FILE_STANDARD_INFO standard;
    struct file_id id;
    void *security; /* until the next read_item() */
    DWORD security_size;
    DWORD reparse_size;
    BYTE reparse[REPARSE_ROOM];
};

BOOL on_wine(void);

/* Reading any file's security, and its system part, takes privileges. */
BOOL enable_privileges(void);

/* For all that read_item() asks, and the bytes. */
HANDLE open_item(const WCHAR *path);

/* NULL, or the function that failed. */
const WCHAR *read_item(HANDLE handle, struct item *item);

/* The alternate streams, as :NAME. Wine lists none: there a stream NAME:STREAM is a file. */
BOOL list_streams(const WCHAR *path, struct names *names);

#endif
