/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.c - the process that runs cases
 *
 * It reports by lines, "kind<TAB>field<TAB>field", through a pipe that the parent gave it. Fields
 * are ASCII with '\\', tab, CR and LF escaped. A line is written at once, so that a crash loses
 * nothing that was seen before it. A case is left early by a longjmp to here; a crash is reported
 * by a filter for exceptions, which then ends the process: the DLL's state is not to be trusted any
 * more, and the parent starts a new one.
 */
#define __USE_MINGW_SETJMP_NON_SEH /* no unwinding: frames in between hold nothing */
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>

static HANDLE report_pipe;
static jmp_buf case_end;
static DWORD case_thread;
static const struct suite_case *current;
static bool current_required;

static void write_all(const char *data, size_t size)
{
    DWORD done;

    while (size && WriteFile(report_pipe, data, (DWORD)size, &done, NULL))
    {
        data += done;
        size -= done;
    }
}

void send_line(const char *format, ...)
{
    char line[4096];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (length < 0) return;
    if (length > (int)sizeof(line) - 2) length = sizeof(line) - 2;
    line[length] = '\n';
    write_all(line, length + 1);
}

void alive(void)
{
    static ULONGLONG last;
    ULONGLONG now = GetTickCount64();

    if (now - last < 1000) return;
    last = now;
    send_line("alive"); /* run.c takes any line for a sign of life */
}

/* A field of a line, in one of a few buffers. */
static const char *escape(const char *text)
{
    static char buffers[4][1200];
    static unsigned next;
    char *buffer = buffers[next++ % 4], *out = buffer;

    for (; *text && out < buffer + sizeof(buffers[0]) - 3; text++)
    {
        char letter = *text == '\\' ? '\\' : *text == '\t' ? 't' : *text == '\n' ? 'n' : 'r';

        if (*text == letter || *text == '\t' || *text == '\n' || *text == '\r')
            if (*text != 'r') *out++ = '\\';
        *out++ = *text == '\t' || *text == '\n' || *text == '\r' ? letter : *text;
    }
    *out = 0;
    return buffer;
}

bool case_is_required(void)
{
    return current_required;
}

_Noreturn void leave_case(void)
{
    if (GetCurrentThreadId() != case_thread)
    {
        send_line("fail\ta missing export was called or a need failed in another thread");
        ExitProcess(4);
    }
    longjmp(case_end, 1);
}

#define FORMAT_TEXT(text)                                                                          \
    va_list args;                                                                                  \
    va_start(args, format);                                                                        \
    if (vsnprintf(text, sizeof(text), format, args) < 0) strcpy(text, "(can't be shown)");         \
    va_end(args)

void send_skip(const char *format, ...)
{
    char text[1000];

    FORMAT_TEXT(text);
    send_line("skip\t%s", escape(text));
}

_Noreturn void skip_case(const char *format, ...)
{
    char text[1000];

    FORMAT_TEXT(text);
    send_line("skip\t%s", escape(text));
    leave_case();
}

void note(const char *format, ...)
{
    char text[1000];

    FORMAT_TEXT(text);
    send_line("note\t%s", escape(text));
}

void need(bool condition, const char *format, ...)
{
    char text[1000];

    if (condition) return;
    FORMAT_TEXT(text);
    send_line("need\t%s", escape(text));
    leave_case();
}

/* ---- values as text ------------------------------------------------------------------------ */

static const char *hr_text(HRESULT hr)
{
    static const struct
    {
        DWORD hr;
        const char *name;
    } names[] = {
            {0, "S_OK"},
            {1, "S_FALSE"},
            {0x80004001, "E_NOTIMPL"},
            {0x80004003, "E_POINTER"},
            {0x80004005, "E_FAIL"},
            {0x80070001, "ERROR_INVALID_FUNCTION"},
            {0x80070002, "ERROR_FILE_NOT_FOUND"},
            {0x80070003, "ERROR_PATH_NOT_FOUND"},
            {0x80070005, "E_ACCESSDENIED"},
            {0x80070006, "E_HANDLE"},
            {0x8007000e, "E_OUTOFMEMORY"},
            {0x80070020, "ERROR_SHARING_VIOLATION"},
            {0x80070026, "ERROR_HANDLE_EOF"},
            {0x80070032, "ERROR_NOT_SUPPORTED"},
            {0x80070050, "ERROR_FILE_EXISTS"},
            {0x80070057, "E_INVALIDARG"},
            {0x80070070, "ERROR_DISK_FULL"},
            {0x8007007b, "ERROR_INVALID_NAME"},
            {0x800700b7, "ERROR_ALREADY_EXISTS"},
            {0x80070299, "ERROR_FILE_SYSTEM_LIMITATION"},
            {0x80070522, "ERROR_PRIVILEGE_NOT_HELD"},
            {0x800701d6, "ERROR_CIMFS_IMAGE_CORRUPT"},
            {0x800701d7, "ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED"},
    };
    static char buffers[4][60];
    static unsigned next;
    char *buffer = buffers[next++ % 4];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].hr == (DWORD)hr) break;
    snprintf(buffer, sizeof(buffers[0]), i < ARRAY_SIZE(names) ? "0x%08lx %s" : "0x%08lx",
             (unsigned long)(DWORD)hr, i < ARRAY_SIZE(names) ? names[i].name : "");
    return buffer;
}

static const char *error_text(DWORD error)
{
    static char buffers[4][60];
    static unsigned next;
    char *buffer = buffers[next++ % 4];
    const char *name = strchr(hr_text((HRESULT)(0x80070000u | (error & 0xffff))), ' ');

    snprintf(buffer, sizeof(buffers[0]), "%lu%s", error,
             !error ? " ERROR_SUCCESS"
             : name ? name
                    : "");
    return buffer;
}

const char *narrow(const WCHAR *text)
{
    static char buffers[2][1000];
    static unsigned next;
    char *out = buffers[next++ % 2], *end = out + sizeof(buffers[0]) - 14, *start = out;

    if (!text) return "(null)";
    for (; *text && out < end; text++)
    {
        /* Not by WideCharToMultiByte: what isn't ASCII is shown by its code unit, so that no
         * conversion stands between the value and its reader. */
        if (*text >= 32 && *text < 127)
            *out++ = (char)*text;
        else
            out += snprintf(out, 8, "<%04x>", *text);
    }
    *out = 0;
    return start;
}

uint32_t fnv32(const void *data, size_t size)
{
    const BYTE *bytes = data;
    uint32_t hash = 2166136261u;

    while (size--) hash = (hash ^ *bytes++) * 16777619u;
    return hash;
}

static const char *bytes_text(const void *data, size_t size)
{
    static char buffers[2][240];
    static unsigned next;
    char *buffer = buffers[next++ % 2], *out = buffer;
    const BYTE *bytes = data;
    size_t i;

    if (!data) return "(none)";
    out += sprintf(out, "%lu bytes", (unsigned long)size);
    if (size) out += sprintf(out, ", fnv %08lx:", (unsigned long)fnv32(data, size));
    for (i = 0; i < size && i < 64; i++) out += sprintf(out, "%s%02x", i % 4 ? "" : " ", bytes[i]);
    if (size > 64) strcpy(out, " ...");
    return buffer;
}

/* ---- what cases say -------------------------------------------------------------------------- */

static void see(const char *name, const char *value)
{
    send_line("see\t%s\t%s", escape(name), escape(value));
}

static bool check(const char *name, const char *got, const char *want, bool right)
{
    send_line("check\t%s\t%s\t%s\t%d", escape(name), escape(got), escape(want), right);
    return right;
}

void see_hr(const char *name, HRESULT hr)
{
    see(name, hr_text(hr));
}

void see_number(const char *name, uint64_t value)
{
    see_text(name, "%llu", (unsigned long long)value);
}

void see_bool(const char *name, bool value)
{
    see(name, value ? "yes" : "no");
}

void see_error(const char *name, DWORD error)
{
    see(name, error_text(error));
}

void see_text(const char *name, const char *format, ...)
{
    char text[1000];

    FORMAT_TEXT(text);
    see(name, text);
}

void see_wide(const char *name, const WCHAR *text)
{
    see(name, narrow(text));
}

void see_bytes(const char *name, const void *data, size_t size)
{
    see(name, bytes_text(data, size));
}

bool check_hr(const char *name, HRESULT got, HRESULT want)
{
    return check(name, hr_text(got), hr_text(want), got == want);
}

bool check_hr_in(const char *name, HRESULT got, int count, ...)
{
    char wants[300] = "";
    bool right = false;
    va_list args;
    int i;

    va_start(args, count);
    for (i = 0; i < count; i++)
    {
        HRESULT want = va_arg(args, HRESULT);

        right |= got == want;
        snprintf(wants + strlen(wants), sizeof(wants) - strlen(wants), "%s%s", i ? " or " : "",
                 hr_text(want));
    }
    va_end(args);
    return check(name, hr_text(got), wants, right);
}

bool check_number(const char *name, uint64_t got, uint64_t want)
{
    char a[24], b[24];

    snprintf(a, sizeof(a), "%llu", (unsigned long long)got);
    snprintf(b, sizeof(b), "%llu", (unsigned long long)want);
    return check(name, a, b, got == want);
}

bool check_hex(const char *name, uint64_t got, uint64_t want)
{
    char a[24], b[24];

    snprintf(a, sizeof(a), "0x%llx", (unsigned long long)got);
    snprintf(b, sizeof(b), "0x%llx", (unsigned long long)want);
    return check(name, a, b, got == want);
}

bool check_error(const char *name, DWORD got, DWORD want)
{
    return check(name, error_text(got), error_text(want), got == want);
}

bool check_bool(const char *name, bool got, bool want)
{
    return check(name, got ? "yes" : "no", want ? "yes" : "no", got == want);
}

bool check_text(const char *name, const char *got, const char *want)
{
    if (!got) got = "(null)";
    return check(name, got, want, !strcmp(got, want));
}

bool check_wide(const char *name, const WCHAR *got, const WCHAR *want)
{
    return check(name, narrow(got), narrow(want), got && !wcscmp(got, want));
}

bool check_bytes(const char *name, const void *got, size_t got_size, const void *want,
                 size_t want_size)
{
    bool right = got && got_size == want_size && !memcmp(got, want, want_size);

    return check(name, bytes_text(got, got_size), bytes_text(want, want_size), right);
}

void need_hr(const char *what, HRESULT hr)
{
    if (hr == S_OK) return;
    send_line("need\t%s: %s", escape(what), hr_text(hr));
    leave_case();
}

/* ---- running -----------------------------------------------------------------------------------
 */

static LONG WINAPI on_crash(EXCEPTION_POINTERS *info)
{
    send_line("crash\texception 0x%08lx at %p", info->ExceptionRecord->ExceptionCode,
              info->ExceptionRecord->ExceptionAddress);
    TerminateProcess(GetCurrentProcess(), 99);
    return EXCEPTION_EXECUTE_HANDLER;
}

static const char *not_here(const struct suite_case *entry)
{
    if ((entry->needs & NEEDS_MOUNT) && facts.no_mount)
        return "mounting is switched off (--no-mount)";
    if ((entry->needs & (NEEDS_MOUNT | NEEDS_ELEVATED)) && !facts.elevated)
        return "needs an administrator's rights";
    if ((entry->needs & ONLY_WINDOWS) && facts.wine) return "Wine has nothing of the kind";
    return NULL;
}

static void run_case(const struct suite_case *entry, int index)
{
    const char *why = not_here(entry);

    current = entry;
    current_required =
            entry->provenance < DECISION || (entry->provenance == DECISION && facts.ours);
    send_line("begin\t%d\t%d", index, current_required);
    if (why)
        send_line("skip\t%s", why);
    else
    {
        kit_begin(entry, options.work);
        /* A DLL that records calls, or spoils those of one case, is told which it is; peers too. */
        SetEnvironmentVariableA("CIMFS_CONFORMANCE_CASE", entry->id);
        if (!setjmp(case_end)) entry->run();
        SetEnvironmentVariableA("CIMFS_CONFORMANCE_CASE", NULL);
        if (!setjmp(case_end)) kit_end(options.keep);
    }
    send_line("end\t%d", index);
}

static void send_facts(void)
{
    int i;

    send_line("fact\tdll\t%s", escape(narrow(facts.dll_path)));
    send_line("fact\tours\t%d", facts.ours);
    for (i = 0; i < export_count; i++)
        send_line("export\t%s\t%d", export_table[i].name, export_table[i].present);
}

int worker_main(HANDLE pipe, int first, WCHAR **leftover_guids)
{
    struct suite_case **cases = selected_cases();
    int count = 0;
    const char *error;
    GUID guid;
    int i;

    while (cases[count]) count++;
    report_pipe = pipe;
    /* Else a peer that outlives this process would keep the judge from seeing its end. */
    SetHandleInformation(pipe, HANDLE_FLAG_INHERIT, 0);
    SetConsoleCtrlHandler(NULL, TRUE); /* the judge ends its workers; peers inherit this */
    case_thread = GetCurrentThreadId();
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    SetUnhandledExceptionFilter(on_crash);
    system_facts();
    if ((error = load_dll()))
    {
        send_line("fatal\t%s", escape(error));
        return 1;
    }
    send_facts();
    for (; *leftover_guids; leftover_guids++)
        if (parse_guid(*leftover_guids, &guid) && has_export("CimDismountImage"))
            cim.DismountImage(&guid);
    send_line("ready");
    for (i = first; i < count && cases[i]; i++)
    {
        run_case(cases[i], i);
        if (cases[i]->needs & MAY_BREAK_DLL) break;
    }
    send_line("done");
    return 0;
}
