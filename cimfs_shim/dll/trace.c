/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.c - one line for each call, for the person whose program fails
 *
 * CIMFS_TRACE in the environment, read at the first call of a process, says where lines go:
 * "stderr", or the name of a file that they are appended to. Under Wine WINEDEBUG=+cimfs writes
 * them with Wine's own (warn+cimfs: the failures only); without that Wine shows calls that this
 * DLL doesn't implement, as it does for its own DLLs ("fixme").
 *
 *   1a4:1a8 CimCreateFile(image 0x3e1, "dir\a.txt", {attributes 0x20, size 5, ...}) = 0x80070003
 *     ERROR_PATH_NOT_FOUND: add file: C:\images\a.cim: dir\a.txt: no such directory: dir
 *
 * (one line). Process and thread ID, in hex, are in front; a line is written by one WriteFile()
 * to a file opened for appending, so several processes may share it.
 */
#include "dll.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The debug channel interface that Wine's ntdll exports. */
struct wine_channel
{
    unsigned char flags;
    char name[15];
};
enum wine_class
{
    WINE_FIXME,
    WINE_ERR,
    WINE_WARN,
    WINE_TRACE,
};
typedef unsigned char(__cdecl *wine_get_flags_fn)(struct wine_channel *channel);
typedef int(__cdecl *wine_header_fn)(int class, struct wine_channel *channel, const char *where);
typedef int(__cdecl *wine_output_fn)(const char *text);

/* Wine joins a line in a buffer of 1024 bytes and aborts if that doesn't do. */
#define WINE_PIECE 700

static struct
{
    SRWLOCK lock; /* for the set-up */
    volatile LONG ready;
    HANDLE file; /* NULL: none */
    bool close;  /* it is ours */
    wine_get_flags_fn wine_get_flags;
    wine_header_fn wine_header;
    wine_output_fn wine_output;
    struct wine_channel channel;
} trace = {.lock = SRWLOCK_INIT, .channel = {0xff, "cimfs"}};

static void open_file(const WCHAR *name)
{
    if (!_wcsicmp(name, L"stderr"))
    {
        trace.file = GetStdHandle(STD_ERROR_HANDLE);
        if (trace.file == INVALID_HANDLE_VALUE) trace.file = NULL;
        return;
    }
    trace.file = CreateFileW(name, FILE_APPEND_DATA,
                             FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                             OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (trace.file != INVALID_HANDLE_VALUE)
    {
        trace.close = true;
        return;
    }
    trace.file = GetStdHandle(STD_ERROR_HANDLE);
    if (trace.file == INVALID_HANDLE_VALUE) trace.file = NULL;
    if (trace.file)
    {
        static const char text[] = "cimfs: CIMFS_TRACE: can't open the file, tracing to stderr\n";
        DWORD written;

        WriteFile(trace.file, text, sizeof(text) - 1, &written, NULL);
    }
}

static void set_up(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    WCHAR *name;
    DWORD size;

    if (ntdll)
    {
        trace.wine_get_flags =
                (wine_get_flags_fn)(void *)GetProcAddress(ntdll, "__wine_dbg_get_channel_flags");
        trace.wine_header = (wine_header_fn)(void *)GetProcAddress(ntdll, "__wine_dbg_header");
        trace.wine_output = (wine_output_fn)(void *)GetProcAddress(ntdll, "__wine_dbg_output");
        if (!trace.wine_header || !trace.wine_output) trace.wine_get_flags = NULL;
    }
    size = GetEnvironmentVariableW(L"CIMFS_TRACE", NULL, 0);
    if (size <= 1) return;
    name = malloc(size * sizeof(*name));
    if (!name) return;
    if (GetEnvironmentVariableW(L"CIMFS_TRACE", name, size) == size - 1) open_file(name);
    free(name);
}

static enum wine_class class_of(HRESULT hr)
{
    if (hr == HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED)) return WINE_FIXME;
    return FAILED(hr) ? WINE_WARN : WINE_TRACE;
}

static bool wine_wanted(HRESULT hr)
{
    return trace.wine_get_flags && trace.wine_get_flags(&trace.channel) >> class_of(hr) & 1;
}

bool trace_wanted(HRESULT hr)
{
    if (!InterlockedCompareExchange(&trace.ready, 0, 0))
    {
        AcquireSRWLockExclusive(&trace.lock);
        if (!trace.ready)
        {
            set_up();
            InterlockedExchange(&trace.ready, 1);
        }
        ReleaseSRWLockExclusive(&trace.lock);
    }
    return trace.file || wine_wanted(hr);
}

void trace_close(void)
{
    if (trace.close) CloseHandle(trace.file);
    trace.file = NULL;
    trace.close = false;
}

/* ---- making up a line ---- */

struct line
{
    char text[8192];
    size_t len;
};

CIM_PRINTF(2, 0) static void append_v(struct line *line, const char *fmt, va_list args)
{
    size_t room = sizeof(line->text) - line->len;
    int len = vsnprintf(line->text + line->len, room, fmt, args);

    if (len < 0) return;
    line->len += (size_t)len < room ? (size_t)len : room - 1;
}

CIM_PRINTF(2, 3) static void append(struct line *line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    append_v(line, fmt, args);
    va_end(args);
}

static const char *hresult_name(HRESULT hr)
{
    static const struct
    {
        HRESULT hr;
        const char *name;
    } names[] = {
            {S_OK, "S_OK"},
            {E_INVALIDARG, "E_INVALIDARG"},
            {E_POINTER, "E_POINTER"},
            {E_OUTOFMEMORY, "E_OUTOFMEMORY"},
            {E_ACCESSDENIED, "E_ACCESSDENIED"},
    };
    static const struct
    {
        DWORD code;
        const char *name;
    } codes[] = {
            {ERROR_FILE_NOT_FOUND, "ERROR_FILE_NOT_FOUND"},
            {ERROR_PATH_NOT_FOUND, "ERROR_PATH_NOT_FOUND"},
            {ERROR_SHARING_VIOLATION, "ERROR_SHARING_VIOLATION"},
            {ERROR_HANDLE_EOF, "ERROR_HANDLE_EOF"},
            {ERROR_NOT_SUPPORTED, "ERROR_NOT_SUPPORTED"},
            {ERROR_FILE_EXISTS, "ERROR_FILE_EXISTS"},
            {ERROR_DISK_FULL, "ERROR_DISK_FULL"},
            {ERROR_ALREADY_EXISTS, "ERROR_ALREADY_EXISTS"},
            {ERROR_FILE_TOO_LARGE, "ERROR_FILE_TOO_LARGE"},
            {ERROR_CIMFS_IMAGE_CORRUPT, "ERROR_CIMFS_IMAGE_CORRUPT"},
            {ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED, "ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED"},
            {665, "ERROR_FILE_SYSTEM_LIMITATION"},
            {ERROR_IO_DEVICE, "ERROR_IO_DEVICE"},
            {ERROR_CANCELLED, "ERROR_CANCELLED"},
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (names[i].hr == hr) return names[i].name;
    for (i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (HRESULT_FROM_WIN32(codes[i].code) == hr) return codes[i].name;
    return "";
}

static void append_detail(struct line *line, const struct cim_error *err)
{
    const char *separator = ": ";

    if (err->op[0]) append(line, "%s%s", separator, err->op);
    if (err->image[0]) append(line, "%s%s", separator, err->image);
    if (err->path[0]) append(line, "%s%s", separator, err->path);
    if (err->cause[0]) append(line, "%s%s", separator, err->cause);
}

/* Names can hold control characters, which are not for a terminal: the 33 of ASCII, and U+0080 to
 * U+009F, whose UTF-8 begins with C2. (Native programs have host/utf8.c for this.) */
static void make_printable(struct line *line)
{
    unsigned char *text = (unsigned char *)line->text;
    size_t i;

    for (i = 0; i < line->len; i++)
    {
        if (text[i] == 0xc2 && text[i + 1] >= 0x80 && text[i + 1] < 0xa0)
            text[i] = text[i + 1] = '?';
        else if (text[i] < ' ' || text[i] == 127)
            text[i] = '?';
    }
}

static void write_to_wine(enum wine_class class, const char *text)
{
    char piece[WINE_PIECE + sizeof("\n")];

    while (*text)
    {
        size_t len = strlen(text);

        if (len > WINE_PIECE) len = WINE_PIECE;
        memcpy(piece, text, len);
        memcpy(piece + len, "\n", sizeof("\n"));
        text += len;
        if (trace.wine_header(class, &trace.channel, "cimfs") < 0) return;
        trace.wine_output(piece);
    }
}

static void write_to_file(struct line *line)
{
    DWORD written;

    if (!trace.file) return;
    if (line->len == sizeof(line->text) - 1) line->len--;
    line->text[line->len++] = '\n';
    WriteFile(trace.file, line->text, (DWORD)line->len, &written, NULL);
}

void trace_call(HRESULT hr, const struct cim_error *err, const char *fmt, ...)
{
    struct line line = {.len = 0};
    size_t prefix;
    va_list args;

    append(&line, "%lx:%lx ", GetCurrentProcessId(), GetCurrentThreadId());
    prefix = line.len;
    va_start(args, fmt);
    append_v(&line, fmt, args);
    va_end(args);
    append(&line, " = 0x%08lx %s", (unsigned long)hr, hresult_name(hr));
    if (FAILED(hr)) append_detail(&line, err);
    make_printable(&line);
    if (wine_wanted(hr)) write_to_wine(class_of(hr), line.text + prefix);
    write_to_file(&line);
}

void trace_note(const char *fmt, ...)
{
    struct line line = {.len = 0};
    size_t prefix;
    va_list args;

    trace_wanted(S_OK); /* sets up, if no call was traced before */
    append(&line, "%lx:%lx ", GetCurrentProcessId(), GetCurrentThreadId());
    prefix = line.len;
    va_start(args, fmt);
    append_v(&line, fmt, args);
    va_end(args);
    make_printable(&line);
    /* Wine shows this class unless told otherwise. */
    if (trace.wine_get_flags && trace.wine_get_flags(&trace.channel) >> WINE_FIXME & 1)
        write_to_wine(WINE_FIXME, line.text + prefix);
    write_to_file(&line);
}

void note_unlocked(bool unlocked, PCWSTR path)
{
    if (unlocked)
        trace_note("the file system has no locks: see that nothing else writes in %s", T(path));
}

const char *trace_str(struct trace_text *text, PCWSTR s)
{
    size_t room = sizeof(text->text) - sizeof("\"...\"");
    size_t len;

    if (!s) return "(null)";
    text->text[0] = '"';
    len = cim_utf8_from_utf16(s, wcslen(s), text->text + 1, room);
    if (len < room)
        strcpy(text->text + 1 + len, "\"");
    else
        strcat(text->text, "\"...");
    return text->text;
}

const char *trace_guid(struct trace_text *text, const GUID *guid)
{
    struct cim_guid bytes;
    char guid_text[CIM_GUID_TEXT];

    if (!guid) return "(null)";
    memcpy(bytes.bytes, guid, sizeof(bytes.bytes));
    cim_guid_format(&bytes, guid_text);
    snprintf(text->text, sizeof(text->text), "{%s}", guid_text);
    return text->text;
}
