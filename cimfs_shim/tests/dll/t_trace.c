/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_trace.c - what CIMFS_TRACE shows to somebody whose program fails
 *
 * The variable is read at a process' first call, so each case runs this program again with another
 * value; "calls DIR" makes a known sequence of calls, "each DIR" one or more of each function,
 * "unlocked DIR" those that write, where there are no locks.
 */
#include "dlltest.h"
#include "imports.h"

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

/* ---- each function ---- */

static const GUID some_guid = {0x12345678, 0x9abc, 0xdef0, {1}};

static void make_session_calls(const WCHAR *dir)
{
    static const BYTE descriptor[20] = {1, 0, 4, 0x80};
    CIMFS_FILE_METADATA metadata = {.Attributes = FILE_ATTRIBUTE_ARCHIVE,
                                    .FileSize = 5,
                                    .CreationTime.QuadPart = 1,
                                    .LastWriteTime.QuadPart = 2,
                                    .ChangeTime.QuadPart = 3,
                                    .LastAccessTime.QuadPart = 4,
                                    .SecurityDescriptorBuffer = descriptor,
                                    .SecurityDescriptorSize = 20};
    CIMFS_STREAM_HANDLE stream;
    CIMFS_IMAGE_HANDLE image;
    BOOLEAN exists;

    CimCreateImage2(dir, CIM_CREATE_CONSISTENT_CIMS, NULL, L"n.cim", &image);
    CimCreateFile(image, L"f", &metadata, &stream);
    CimWriteStream(stream, "hello", 5);
    CimCloseStream(stream);
    CimCreateAlternateStream(image, L"f:s", 3, &stream);
    CimCloseStream(stream);
    CimCreateHardLink(image, L"l", L"f");
    CimLookupFile(image, L"l", &exists);
    CimLookupFile(image, L"no", &exists);
    CimLookupFile(image, L"l", NULL);
    CimDeletePath(image, L"l");
    CimCommitImage(image);
    CimCloseImage(image);
    CimCloseImage(image);
    CimCreateImage(dir, L"n.cim", NULL, &image);
    CimCloseImage(image);
    CimCreateImage(dir, L"n.cim", L"x.cim", NULL);
    CimCreateImage2(NULL, CIM_CREATE_IMAGE_NONE, NULL, NULL, NULL);
    CimCreateFile(NULL, L"f", NULL, NULL);
    CimCreateFile(NULL, NULL, &metadata, &stream);
    CimCreateAlternateStream(NULL, L"f:s", 1, NULL);
    CimWriteStream(NULL, NULL, 1);
}

static void make_reading_calls(const WCHAR *dir)
{
    const WCHAR *image = path_of(dir, L"n.cim");
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char buffer[8];

    CimReadFile(image, L"f", 1, buffer, 3, &got, &left);
    CimReadFile(image, L"f", 6, buffer, 3, &got, &left);
    CimReadFile(NULL, NULL, 0, NULL, 0, NULL, NULL);
    CimGetFileStatBasicInformation(image, L"f", &info);
    CimGetFileStatBasicInformation(image, L"f", NULL);
    CimMountImage(dir, L"a:b", CIM_MOUNT_CHILD_ONLY, &some_guid);
    CimMountImage(dir, NULL, CIM_MOUNT_IMAGE_NONE, NULL);
    CimDismountImage(NULL);
}

static void make_container_calls(void)
{
    const CimFsImagePath images[2] = {{L"d", L"a"}, {L"d", L"b"}};
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_IMAGE_HANDLE image;
    UINT64 one, two, three;
    BYTE hash[32];
    UINT32 sealed;

    CimCreateImage2(L"\\\\.\\PhysicalDrive9", CIM_CREATE_IMAGE_SINGLE_FILE, NULL, L"a", &image);
    CimCreateImage2(L"d", CIM_CREATE_IMAGE_BLOCK_CIM, NULL, L"a", &image);
    CimConvertBlockImage(L"d", L"a", L"b");
    CimAddFsToMergedImage(NULL, L"a");
    CimAddFsToMergedImage2(NULL, L"a", 7);
    CimCreateMergedFile(NULL, L"a", NULL, NULL, 7);
    CimTombstoneFile(NULL, L"a");
    CimCreateMergeLink(NULL, L"a", L"b");
    CimMergeMountImage(2, images, CIM_MOUNT_CHILD_ONLY, &some_guid);
    CimSealImage(L"a", &one, &two, NULL);
    CimGetVerificationInformation(L"a", &sealed, &one, &two, &three, NULL, NULL);
    CimMountVerifiedImage(L"d", L"a", 7, &some_guid, 32, hash);
    CimMergeMountVerifiedImage(2, images, 7, NULL, 32, hash);
    CimReadFile2(L"a", L"f", 7, NULL, 8, &one, &two, 9);
    CimGetFileStatBasicInformation2(L"a", L"f", &info, 9);
}

/* Run this program with CIMFS_TRACE; its stderr goes to a file. */
static void run_verb(const WCHAR *verb, const WCHAR *value, const WCHAR *dir,
                     const WCHAR *stderr_path)
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
    _snwprintf(command, PATH_ROOM * 3, L"\"%ls\" %ls \"%ls\"", exe, verb, dir);
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

static void run(const WCHAR *value, const WCHAR *dir, const WCHAR *stderr_path)
{
    run_verb(L"calls", value, dir, stderr_path);
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

/* What they write. */
static const char *const each_line[] = {
        "CimCreateImage2(\"DIR\", flags 0x10, (null), \"n.cim\", image PTR) = 0x00000000 S_OK",
        "CimCreateFile(image PTR, \"f\", {attributes 0x20, size 5, times 1 2 3 4, security 20 "
        "bytes, reparse 0 bytes, EA 0 bytes}, stream PTR) = 0x00000000 S_OK",
        "CimWriteStream(stream PTR, buffer PTR, size 5): 5 written = 0x00000000 S_OK",
        "CimCloseStream(stream PTR) = 0x00000000 S_OK",
        "CimCreateAlternateStream(image PTR, \"f:s\", size 3, stream PTR) = 0x00000000 S_OK",
        "CimCloseStream(stream PTR) = 0x00000000 S_OK",
        "CimCreateHardLink(image PTR, \"l\", existing \"f\") = 0x00000000 S_OK",
        "CimLookupFile(image PTR, \"l\", exists 1) = 0x00000000 S_OK",
        "CimLookupFile(image PTR, \"no\", exists 0) = 0x00000000 S_OK",
        "CimLookupFile(image PTR, \"l\", exists -1) = 0x80004003 E_POINTER: no place for the "
        "result",
        "CimDeletePath(image PTR, \"l\") = 0x00000000 S_OK",
        "CimCommitImage(image PTR) = 0x00000000 S_OK",
        "CimCloseImage(image PTR) = 0x00000000 S_OK",
        "CimCloseImage(image PTR): not an open image, nothing done = 0x00000000 S_OK",
        "CimCreateImage(\"DIR\", \"n.cim\", (null), image PTR) = 0x00000000 S_OK",
        "CimCloseImage(image PTR) = 0x00000000 S_OK",
        "CimCreateImage(\"DIR\", \"n.cim\", \"x.cim\", image NULL) = 0x80004003 E_POINTER: no "
        "place for the handle",
        "CimCreateImage2((null), flags 0x0, (null), (null), image NULL) = 0x80004003 E_POINTER: no "
        "place for the handle",
        "CimCreateFile(image NULL, \"f\", metadata (null), stream NULL) = 0x80004003 E_POINTER: no "
        "place for the handle",
        "CimCreateFile(image NULL, (null), {attributes 0x20, size 5, times 1 2 3 4, security 20 "
        "bytes, reparse 0 bytes, EA 0 bytes}, stream NULL) = 0x80070057 E_INVALIDARG: the handle "
        "is not that of an open image",
        "CimCreateAlternateStream(image NULL, \"f:s\", size 1, stream NULL) = 0x80004003 "
        "E_POINTER: no place for the handle",
        "CimWriteStream(stream NULL, buffer NULL, size 1): 0 written = 0x80070057 E_INVALIDARG: "
        "the handle is not that of an open stream",
        "CimReadFile(\"DIR\\n.cim\", \"f\", offset 1, buffer PTR, size 3): 3 read, 1 left = "
        "0x00000000 S_OK",
        "CimReadFile(\"DIR\\n.cim\", \"f\", offset 6, buffer PTR, size 3): 0 read, 0 left = "
        "0x80070026 ERROR_HANDLE_EOF: the offset is past the stream's end",
        "CimReadFile((null), (null), offset 0, buffer NULL, size 0): -1 read, -1 left = 0x80004003 "
        "E_POINTER: no place for a counter",
        "CimGetFileStatBasicInformation(\"DIR\\n.cim\", \"f\", {size 5, attributes 0x20}) = "
        "0x00000000 S_OK",
        "CimGetFileStatBasicInformation(\"DIR\\n.cim\", \"f\", {size -1, attributes 0x0}) = "
        "0x80004003 E_POINTER: no place for the information",
        "CimMountImage(\"DIR\", \"a:b\", flags 0x1, {12345678-9abc-def0-0100-000000000000}): not "
        "mounted, letter - = 0x80070057 E_INVALIDARG: check image name: the image's name holds a "
        "separator or a ':' and must be a file name alone",
        "CimMountImage(\"DIR\", (null), flags 0x0, (null)): not mounted, letter - = 0x80070057 "
        "E_INVALIDARG: the image's name is NULL",
        "CimDismountImage((null)) = 0x80070057 E_INVALIDARG: the volume's GUID is NULL",
        "CimCreateImage2(\"\\\\.\\PhysicalDrive9\", flags 0x8, (null), \"a\", image NULL) = "
        "0x80070057 E_INVALIDARG: the path of a device, for a file's",
        "CimCreateImage2(\"d\", flags 0x4, (null), \"a\", image NULL) = 0x80070057 E_INVALIDARG: "
        "the path of a file, for a device's",
        "CimConvertBlockImage(\"d\", \"a\", \"b\") = 0x80070003 ERROR_PATH_NOT_FOUND: copy image: "
        "d\\a: opening directory d: File not found (2)",
        "CimAddFsToMergedImage(image NULL, \"a\") = 0x80070057 E_INVALIDARG: the handle is not "
        "that of an open image",
        "CimAddFsToMergedImage2(image NULL, \"a\", flags 0x7) = 0x80070057 E_INVALIDARG: the "
        "handle is not that of an open image",
        "CimCreateMergedFile(image NULL, \"a\", fs NULL, file NULL, index 7) = 0x80070032 "
        "ERROR_NOT_SUPPORTED: not implemented",
        "CimTombstoneFile(image NULL, \"a\") = 0x80070057 E_INVALIDARG: the handle is not that of "
        "an open image",
        "CimCreateMergeLink(image NULL, \"a\", existing \"b\") = 0x80070057 E_INVALIDARG: the "
        "handle is not that of an open image",
        "CimMergeMountImage(2 images, \"d\" \"a\", flags 0x1, "
        "{12345678-9abc-def0-0100-000000000000}): not mounted, letter - = 0x80070003 "
        "ERROR_PATH_NOT_FOUND: open merged image: d\\a: opening directory d: File not found (2)",
        "CimSealImage(\"a\", hash NULL) = 0x80004003 E_POINTER: no place for the hash",
        "CimGetVerificationInformation(\"a\", hash NULL, signature NULL): sealed 0 = 0x80004003 "
        "E_POINTER: no place for the hash",
        "CimMountVerifiedImage(\"d\", \"a\", flags 0x7, {12345678-9abc-def0-0100-000000000000}, "
        "hash PTR of 32 bytes): not mounted, letter - = 0x80070057 E_INVALIDARG: an ordinary image "
        "has no root hash",
        "CimMergeMountVerifiedImage(2 images, \"d\" \"a\", flags 0x7, (null), hash PTR of 32 "
        "bytes): not mounted, letter - = 0x80070057 E_INVALIDARG: an ordinary image has no root "
        "hash",
        "CimReadFile2(\"a\", \"f\", offset 7, buffer NULL, size 8, flags 0x9): 0 read, 0 left = "
        "0x80070057 E_INVALIDARG: unknown flag 0x8",
        "CimGetFileStatBasicInformation2(\"a\", \"f\", {size 0, attributes 0x0}, flags 0x9) = "
        "0x80070057 E_INVALIDARG: unknown flag 0x8",
};

static void make_each_call(const WCHAR *dir)
{
    make_session_calls(dir);
    make_reading_calls(dir);
    make_container_calls();
}

/* A line without what differs from run to run: its beginning, DIR, and handles and pointers, of
 * which only whether they are 0 is kept. In place. */
static char *comparable(char *line, const char *dir)
{
    char *from = strchr(line, ' ') + 1, *to = line;

    while (*from)
    {
        size_t digits = from[-1] == ' ' ? strspn(from, "0123456789ABCDEFabcdef") : 0;

        if (!strncmp(from, dir, strlen(dir)))
        {
            to += sprintf(to, "DIR");
            from += strlen(dir);
        }
        else if (digits >= 8)
        {
            to += sprintf(to, strspn(from, "0") == digits ? "NULL" : "PTR");
            from += digits;
        }
        else
            *to++ = *from++;
    }
    *to = 0;
    return line;
}

static void test_each_function(const WCHAR *errors)
{
    const WCHAR *dir = new_dir(L"each");
    char dir8[PATH_ROOM], *text, *line;
    size_t count = 0;

    sprintf(dir8, "%ls", dir);
    run_verb(L"each", L"stderr", dir, errors);
    text = load_text(errors);
    for (line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"))
    {
        if (count < ARRAYSIZE(each_line))
            is_str(comparable(line, dir8), each_line[count], "%s", each_line[count]);
        count++;
    }
    is_int(count, ARRAYSIZE(each_line), "lines of each function's calls");
    free(text);
}

/* ---- without locks ---- */

static BOOL WINAPI no_locks(HANDLE file, DWORD flags, DWORD reserved, DWORD low, DWORD high,
                            OVERLAPPED *where)
{
    (void)file;
    (void)flags;
    (void)reserved;
    (void)low;
    (void)high;
    (void)where;
    SetLastError(ERROR_INVALID_FUNCTION);
    return FALSE;
}

static void make_unlocked_calls(const WCHAR *dir)
{
    const WCHAR *container = path_of(dir, L"c.bcim"), *copy = path_of(dir, L"copy.bcim");
    const CIM_CREATE_IMAGE_FLAGS flags = CIM_CREATE_IMAGE_SINGLE_FILE | CIM_CREATE_VERIFIED;
    CIMFS_IMAGE_HANDLE image;
    UINT64 one, two;
    BYTE hash[32];

    CimCreateImage(dir, NULL, L"a.cim", &image);
    CimCommitImage(image);
    CimCloseImage(image);
    CimCreateImage2(container, flags, NULL, L"a.cim", &image);
    CimCommitImage(image);
    CimCloseImage(image);
    if (!divert("LockFileEx", no_locks)) bail("LockFileEx isn't imported");
    CimCreateImage(dir, L"a.cim", NULL, &image);
    CimCloseImage(image);
    CimSealImage(container, &one, &two, hash);
    CimConvertBlockImage(dir, L"a.cim", copy);
    CimConvertBlockImage(dir, L"a.cim", copy);
}

static const struct
{
    const char *call;
    const char *place; /* of the note before it; NULL: there is none */
} unlocked_calls[] = {
        {"CimCreateImage(", NULL},        {"CimCommitImage(", NULL},
        {"CimCloseImage(", NULL},         {"CimCreateImage2(", NULL},
        {"CimCommitImage(", NULL},        {"CimCloseImage(", NULL},
        {"CimCreateImage(", "DIR"},       {"CimCloseImage(", NULL},
        {"CimSealImage(", "DIR\\c.bcim"}, {"CimConvertBlockImage(", "DIR\\copy.bcim"},
        {"CimConvertBlockImage(", NULL}, /* it has begun nothing */
};

static void test_without_locks(const WCHAR *errors)
{
    static const char note[] = "the file system has no locks: see that nothing else writes in ";
    const WCHAR *dir = new_dir(L"unlocked");
    char dir8[PATH_ROOM], place[PATH_ROOM] = "", *text, *line;
    size_t count = 0;

    sprintf(dir8, "%ls", dir);
    run_verb(L"unlocked", L"stderr", dir, errors);
    text = load_text(errors);
    for (line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"))
    {
        const char *said = comparable(line, dir8);

        if (!strncmp(said, note, strlen(note)))
        {
            snprintf(place, sizeof(place), "%s", said + strlen(note));
            continue;
        }
        if (count < ARRAYSIZE(unlocked_calls))
        {
            const char *call = unlocked_calls[count].call, *want = unlocked_calls[count].place;
            char quoted[64] = "";

            if (want) snprintf(quoted, sizeof(quoted), "\"%s\"", want);
            ok(!strncmp(said, call, strlen(call)), "%s: %s", call, said);
            is_str(place, quoted, "what is noted before it");
        }
        *place = 0;
        count++;
    }
    is_int(count, ARRAYSIZE(unlocked_calls), "calls");
    free(text);
}

int wmain(int argc, WCHAR **argv)
{
    const WCHAR *file, *errors;
    char *text;

    if (argc == 3)
    {
        if (!wcscmp(argv[1], L"calls")) make_calls(argv[2]);
        if (!wcscmp(argv[1], L"each")) make_each_call(argv[2]);
        if (!wcscmp(argv[1], L"unlocked")) make_unlocked_calls(argv[2]);
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

    diag("each function");
    test_each_function(errors);

    diag("without locks");
    test_without_locks(errors);

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
