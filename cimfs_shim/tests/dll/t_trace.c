/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_trace.c - what CIMFS_TRACE shows to somebody whose program fails
 *
 * The variable is read at a process' first call, so each case runs this program again with another
 * value; "calls DIR" makes a known sequence of calls.
 */
#include "dlltest.h"

enum
{
    CALLS = 20 /* of make_calls() */,
    ROOM = 1093 /* bytes of a string that are shown, at most */
};

/* Strings that just fit, and that don't, by their last character's bytes. */
static const struct
{
    const WCHAR *before;
    WCHAR unit;
    const char *utf8;
    int count, shown;
} strings[] = {
        {L"", L'a', "a", ROOM, ROOM},
        {L"", L'b', "b", ROOM + 1, ROOM},
        {L"c", 0xe9, "\xc3\xa9", ROOM / 2, ROOM / 2},
        {L"d", 0xe9, "\xc3\xa9", ROOM / 2 + 1, ROOM / 2},
        {L"", 0x6f22, "\xe6\xbc\xa2", ROOM / 3, ROOM / 3},
        {L"", 0x6f23, "\xe6\xbc\xa3", ROOM / 3 + 1, ROOM / 3},
};

static void make_string_calls(CIMFS_IMAGE_HANDLE image)
{
    WCHAR name[ROOM + 10];
    size_t i;

    for (i = 0; i < ARRAYSIZE(strings); i++)
    {
        size_t begin = wcslen(wcscpy(name, strings[i].before));

        wmemset(name + begin, strings[i].unit, strings[i].count);
        name[begin + strings[i].count] = 0;
        CimDeletePath(image, name);
    }
}

static void make_calls(const WCHAR *dir)
{
    CIMFS_FILE_METADATA metadata = {.Attributes = FILE_ATTRIBUTE_ARCHIVE, .FileSize = 3};
    CIMFS_IMAGE_HANDLE image;
    CIMFS_STREAM_HANDLE stream;
    WCHAR long_name[2000];

    CimCreateImage(dir, NULL,
                   L"tr\xe4"
                   L"ce.cim",
                   &image);
    CimCreateFile(image, L"no\\such\\file", &metadata, &stream);
    CimCreateFile(image, L"file", &metadata, &stream);
    CimWriteStream(stream, "abcd", 4);
    CimCloseStream(stream);
    CimCloseStream(stream);
    CimDeletePath(image, NULL);
    CimDeletePath(image, L"a\x01z");
    CimDeletePath(image, L"\x7f\x80\x9b\x9f\xa0");
    wmemset(long_name, L'n', 1999);
    long_name[1999] = 0;
    CimDeletePath(image, long_name);
    make_string_calls(image);
    CimMountImage(dir, L"x.cim", CIM_MOUNT_IMAGE_NONE, &(GUID){0x12345678, 0x9abc, 0xdef0, {1}});
    CimCommitImage(image);
    CimCloseImage(image);
    CimReadFile(path_of(dir, L"missing.cim"), L"f", 7, NULL, 8, NULL, NULL);
}

/* Run this program with CIMFS_TRACE; its stderr goes to a file. */
static void run(const WCHAR *value, const WCHAR *dir, const WCHAR *stderr_path)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    STARTUPINFOW startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    WCHAR exe[PATH_ROOM], command[PATH_ROOM * 3];
    PROCESS_INFORMATION process;
    HANDLE file = CreateFileW(stderr_path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                              &inherit, CREATE_ALWAYS, 0, NULL);
    HANDLE nul = CreateFileW(path_of(dir, L"stdout.txt"), GENERIC_WRITE, FILE_SHARE_READ, &inherit,
                             CREATE_ALWAYS, 0, NULL);
    DWORD code = 99;

    SetEnvironmentVariableW(L"CIMFS_TRACE", value);
    GetModuleFileNameW(NULL, exe, PATH_ROOM);
    _snwprintf(command, PATH_ROOM * 3, L"\"%ls\" calls \"%ls\"", exe, dir);
    startup.hStdError = file;
    startup.hStdOutput = nul;
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
        bail("can't start %ls: error %lu", exe, GetLastError());
    is_int(WaitForSingleObject(process.hProcess, 60000), WAIT_OBJECT_0, "the traced program ends");
    GetExitCodeProcess(process.hProcess, &code);
    is_int(code, 0, "its exit code");
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    CloseHandle(file);
    CloseHandle(nul);
    SetEnvironmentVariableW(L"CIMFS_TRACE", NULL);
}

static int count_lines(const char *text)
{
    int lines = 0;

    for (; *text; text++) lines += *text == '\n';
    return lines;
}

/* Does one line hold all of these? */
static void check_line(const char *text, const char *call, const char *result, const char *detail)
{
    const char *at = strstr(text, call), *end;
    char line[8300];

    if (!ok(at != NULL, "a line with: %s", call)) return;
    end = strchr(at, '\n');
    snprintf(line, sizeof(line), "%.*s", (int)(end ? end - at : 0), at);
    if (!ok(strstr(line, result) != NULL, "and in it: %s", result) ||
        !ok(strstr(line, detail) != NULL, "and in it: %s", detail))
        diag("the line: %s", line);
}

static void check_strings(const char *text)
{
    size_t i;
    int j;

    for (i = 0; i < ARRAYSIZE(strings); i++)
    {
        bool whole = strings[i].shown == strings[i].count;
        char want[ROOM + 40];
        int len = sprintf(want, ", \"%ls", strings[i].before);

        for (j = 0; j < strings[i].shown; j++) len += sprintf(want + len, "%s", strings[i].utf8);
        strcpy(want + len, whole ? "\") = " : "\"...) = ");
        ok(strstr(text, want) != NULL, "%d characters of %d bytes: %s", strings[i].count,
           (int)strlen(strings[i].utf8), whole ? "all are shown" : "cut behind a character");
    }
}

static void check_trace(char *text)
{
    char *control;

    check_line(text, "CimCreateImage(", "= 0x00000000 S_OK",
               "\"tr\xc3\xa4"
               "ce.cim\", image ");
    check_line(text, "CimCreateFile(", "= 0x80070003 ERROR_PATH_NOT_FOUND", "no\\such\\file: ");
    check_line(text, "CimCreateFile(", "\"no\\such\\file\", {attributes 0x20, size 3",
               "tr\xc3\xa4"
               "ce.cim: ");
    check_line(text, "CimWriteStream(", "size 4): 3 written = 0x80070026 ERROR_HANDLE_EOF", ": ");
    check_line(text, "CimCloseStream(", "= 0x00000000", "stream ");
    check_line(text, ": not an open stream, nothing done", "S_OK", "");
    check_line(text, ", (null)) = 0x80070057", "E_INVALIDARG", "the path is NULL");
    check_line(text, "nnn\"...) = 0x80070057", "", "");
    check_line(text, "CimMountImage(", "= 0x80070002 ERROR_FILE_NOT_FOUND",
               "{12345678-9abc-def0-0100-000000000000}");
    check_line(text, "CimCommitImage(", "= 0x00000000 S_OK", "image ");
    check_line(text, "CimCloseImage(", "= 0x00000000 S_OK", "image ");
    check_line(text, "CimReadFile(", "= 0x80004003 E_POINTER", "offset 7");
    check_line(text, "\"???????\xc2\xa0\"", "= 0x80070003", "???????\xc2\xa0: ");
    for (control = text; *control; control++)
        if ((unsigned char)*control < ' ' && *control != '\n') break;
    ok(!*control, "no control character reaches the reader");
    is_int(count_lines(text), CALLS, "one line for each call");
    check_strings(text);
}

static char *load_text(const WCHAR *path)
{
    DWORD size;
    char *text = load_file(path, &size);

    if (!text) bail("can't read %ls", path);
    return text;
}

int wmain(int argc, WCHAR **argv)
{
    const WCHAR *file, *errors;
    char *text;

    if (argc == 3)
    {
        make_calls(argv[2]);
        return tap_failed ? 1 : 0;
    }
    file = _wcsdup(path_of(test_root(), L"trace.txt"));
    errors = _wcsdup(path_of(test_root(), L"stderr.txt"));

    diag("CIMFS_TRACE=FILE");
    run(file, new_dir(L"file"), errors);
    check_trace(load_text(file));
    is_str(load_text(errors), "", "nothing on stderr");

    diag("the same file again: lines are appended");
    run(file, new_dir(L"again"), errors);
    is_int(count_lines(load_text(file)), 2 * CALLS, "twice as many lines");

    diag("CIMFS_TRACE=stderr");
    run(L"stderr", new_dir(L"stderr"), errors);
    check_trace(load_text(errors));

    diag("a file that can't be opened");
    run(path_of(test_root(), L"no\\such\\file"), new_dir(L"bad"), errors);
    text = load_text(errors);
    ok(strstr(text, "CIMFS_TRACE") && strstr(text, "CimCommitImage"),
       "says so, and goes to stderr instead");
    is_int(count_lines(text), CALLS + 1, "with all lines");

    diag("CIMFS_TRACE empty or not set");
    run(L"", new_dir(L"empty"), errors);
    is_str(load_text(errors), "", "nothing on stderr when it is empty");
    run(NULL, new_dir(L"unset"), errors);
    is_str(load_text(errors), "", "nothing on stderr when it is not set");
    return tap_done();
}
