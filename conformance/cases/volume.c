/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.c - reading a mounted volume: contents of files and streams, programs, mappings
 */
#include "volume.h"

#define PAGE "CimMountImage page"
#define SAMPLE "CimFSAPI sample"

/* One file "f" of three megabytes and a bit, mounted; its bytes. */
#define BIG ((3u << 20) + 1234)

static const WCHAR *mount_big(BYTE **bytes)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    *bytes = malloc(BIG);
    need(*bytes != NULL, "no memory");
    fill_bytes(*bytes, BIG, 41);
    put_file(image, L"f", *bytes, BIG);
    return mount_fresh(image);
}

static HANDLE open_big(const WCHAR *root, DWORD flags)
{
    HANDLE file = CreateFileW(on(root, L"f"), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                              flags, NULL);

    need(file != INVALID_HANDLE_VALUE, "can't open a mounted file: error %lu", GetLastError());
    return file;
}

/* ---- contents ----------------------------------------------------------------------------------
 */

CASE(root_opens, "Volume/RootOpens", CLIENT, "hcsshim layer mounts", NEEDS_MOUNT,
     "the volume's root can be asked for its attributes, opened as a directory, and listed")
{
    const WCHAR *root = mount_base();
    WIN32_FIND_DATAW data;
    HANDLE dir, find;

    check_bool("is a directory", (GetFileAttributesW(root) & FILE_ATTRIBUTE_DIRECTORY) != 0, true);
    dir = CreateFileW(root, FILE_LIST_DIRECTORY, SHARE_ALL, NULL, OPEN_EXISTING,
                      FILE_FLAG_BACKUP_SEMANTICS, NULL);
    check_error("open", dir == INVALID_HANDLE_VALUE ? GetLastError() : 0, 0);
    CloseHandle(dir);
    find = FindFirstFileW(on(root, L"*"), &data);
    check_error("list", find == INVALID_HANDLE_VALUE ? GetLastError() : 0, 0);
    FindClose(find);
}

FRESH_CASE(odd_sizes, "Volume/OddSizes", CLIENT, SAMPLE, NEEDS_MOUNT,
           "files around the sizes of sectors and pages have their size and their bytes")
{
    static const DWORD sizes[] = {0, 1, 7, 8, 511, 512, 513, 4095, 4096, 4097, 65535, 65537};
    static BYTE want[65537];
    const WCHAR *root;
    char name[30];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        fill_bytes(want, sizes[i], sizes[i]);
        put_file(image, format_wide(L"f%lu", sizes[i]), want, sizes[i]);
    }
    root = mount_fresh(image);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        size_t size;
        DWORD error;
        BYTE *got = read_file(on(root, format_wide(L"f%lu", sizes[i])), &size, &error);

        fill_bytes(want, sizes[i], sizes[i]);
        sprintf(name, "%lu bytes", sizes[i]);
        check_bytes(name, got, size, want, sizes[i]);
        free(got);
    }
}

CASE(in_pieces, "Volume/ReadInPieces", CLIENT, SAMPLE, NEEDS_MOUNT,
     "three megabytes, read in 4 KiB pieces, are the file's; then there is nothing more")
{
    BYTE *want, *got = calloc(1, BIG + 4096);
    const WCHAR *root = mount_big(&want);
    HANDLE file = open_big(root, FILE_FLAG_SEQUENTIAL_SCAN);
    DWORD count, done = 0;

    need(got != NULL, "no memory");
    while (done <= BIG && ReadFile(file, got + done, 4096, &count, NULL) && count) done += count;
    check_bytes("bytes", got, done, want, BIG);
    check_bool("a read at the end succeeds", ReadFile(file, got, 10, &count, NULL) != 0, true);
    check_number("and has", count, 0);
    CloseHandle(file);
    free(got);
    free(want);
}

CASE(at_offsets, "Volume/ReadAtOffsets", DOC, PAGE, NEEDS_MOUNT,
     "reads at any offset, in any order, across pages and up to the end, have the file's bytes")
{
    static const DWORD rows[][2] = {{BIG - 7, 100},   {0, 1},         {4095, 2},
                                    {1 << 20, 65536}, {12345, 54321}, {BIG - 1, 4096},
                                    {BIG / 2, 4097},  {1, 4096},      {0, BIG}};
    static BYTE buffer[BIG];
    BYTE *want;
    const WCHAR *root = mount_big(&want);
    HANDLE file = open_big(root, FILE_FLAG_RANDOM_ACCESS);
    DWORD count, expected;
    char name[40];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        count = 0;
        SetFilePointer(file, (LONG)rows[i][0], NULL, FILE_BEGIN);
        if (!ReadFile(file, buffer, rows[i][1], &count, NULL)) count = 0;
        expected = rows[i][1] < BIG - rows[i][0] ? rows[i][1] : BIG - rows[i][0];
        sprintf(name, "%lu at %lu", rows[i][1], rows[i][0]);
        check_bytes(name, buffer, count, want + rows[i][0], expected);
    }
    CloseHandle(file);
    free(want);
}

CASE(overlapped, "Volume/OverlappedReads", DOC, PAGE, NEEDS_MOUNT,
     "sixteen overlapped reads at once have their bytes")
{
    enum
    {
        READS = 16,
        PIECE = 32768
    };
    OVERLAPPED reads[READS];
    BYTE *want, *got = calloc(READS, PIECE);
    HANDLE file = open_big(mount_big(&want), FILE_FLAG_OVERLAPPED);
    int i, right = 0;
    DWORD count;

    need(got != NULL, "no memory");
    memset(reads, 0, sizeof(reads));
    for (i = 0; i < READS; i++)
    {
        reads[i].Offset = (DWORD)(READS - 1 - i) * 190000u + (DWORD)i;
        reads[i].hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
        if (!ReadFile(file, got + i * PIECE, PIECE, NULL, &reads[i]) &&
            GetLastError() != ERROR_IO_PENDING)
            note("read %d: error %lu", i, GetLastError());
    }
    for (i = 0; i < READS; i++)
    {
        if (GetOverlappedResult(file, &reads[i], &count, TRUE) && count == PIECE &&
            !memcmp(got + i * PIECE, want + reads[i].Offset, PIECE))
            right++;
        CloseHandle(reads[i].hEvent);
    }
    check_number("right reads", right, READS);
    CloseHandle(file);
    free(got);
    free(want);
}

FRESH_CASE(never_written, "Volume/NeverWritten", DOC, "CimCreateFile page", NEEDS_MOUNT,
           "what was never written of a file reads as zero, a file of five gigabytes included")
{
    CIMFS_STREAM_HANDLE stream;
    LARGE_INTEGER size, offset = {.QuadPart = (5ll << 30) - 10};
    BYTE buffer[64], zeros[64] = {0};
    const WCHAR *root;
    HANDLE file;
    DWORD count = 0;

    need_room(5 << 10);
    put_item(image, L"large", meta(FILE_ATTRIBUTE_ARCHIVE, 5ll << 30), NULL, 0);
    need_hr("CimCreateFile",
            cim.CreateFile(image, L"part", meta(FILE_ATTRIBUTE_ARCHIVE, 20), &stream));
    need_hr("CimWriteStream", cim.WriteStream(stream, "part", 4));
    cim.CloseStream(stream);
    root = mount_fresh(image);
    file = open_item(on(root, L"large"), GENERIC_READ);
    check_bool("its size", GetFileSizeEx(file, &size) && size.QuadPart == 5ll << 30, true);
    SetFilePointerEx(file, offset, NULL, FILE_BEGIN);
    memset(buffer, 1, sizeof(buffer));
    if (!ReadFile(file, buffer, sizeof(buffer), &count, NULL)) count = 0;
    check_bytes("its last bytes", buffer, count, zeros, 10);
    CloseHandle(file);
    file = open_item(on(root, L"part"), GENERIC_READ);
    if (!ReadFile(file, buffer, sizeof(buffer), &count, NULL)) count = 0;
    check_bytes("a part written", buffer, count, "part\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    CloseHandle(file);
}

FRESH_CASE(streams_read, "Volume/StreamsByName", DOC, "CimCreateAlternateStream page", NEEDS_MOUNT,
           "a file's and a directory's streams are opened by name, with and without :$DATA")
{
    const WCHAR *root;

    put_text(image, L"f", "hello");
    put_stream(image, L"f:first", "one", 3);
    put_stream(image, L"f:second", "two", 3);
    put_stream(image, L"f:empty", "", 0);
    put_dir(image, L"d");
    put_stream(image, L"d:s", "of a directory", 14);
    root = mount_fresh(image);
    check_content("first", on(root, L"f:first"), "one");
    check_content("second, with type", on(root, L"f:second:$DATA"), "two");
    check_content("empty", on(root, L"f:empty"), "");
    check_content("a directory's", on(root, L"d:s"), "of a directory");
    check_content("the file itself", on(root, L"f"), "hello");
    check_bool("one that isn't there", path_error(on(root, L"f:third")) == 0, false);
}

FRESH_CASE(streams_any_case, "Volume/StreamsInAnyCase", CLIENT, "hcsshim format reader",
           NEEDS_MOUNT,
           "a stream is found by its own, its file's and its directory's name in any case")
{
    const WCHAR *root;

    put_dir(image, L"Dir");
    put_text(image, L"Dir\\File", "hello");
    put_stream(image, L"Dir\\File:Stream", "one", 3);
    root = mount_fresh(image);
    check_content("the stream's", on(root, L"Dir\\File:STREAM"), "one");
    check_content("the file's", on(root, L"Dir\\FILE:Stream"), "one");
    check_content("the directory's", on(root, L"DIR\\File:Stream"), "one");
    check_content("all, with type", on(root, L"dir\\file:stream:$DATA"), "one");
}

FRESH_CASE(streams_q, "Volume/StreamSpellings", QUESTION, "Q-25", NEEDS_MOUNT,
           "streams in other spellings, on the root and on what has none")
{
    const WCHAR *root;

    put_text(image, L"f", "hello");
    put_stream(image, L"f:Stream", "one", 3);
    see_hr("a stream on the root", try_create_stream(image, L":r", 0));
    root = mount_fresh(image);
    see_content("other case", on(root, L"F:STREAM"));
    see_content("the type in small letters", on(root, L"f:Stream:$data"));
    see_content("the main stream", on(root, L"f::$DATA"));
    see_content("another type", on(root, L"f:Stream:$INDEX_ALLOCATION"));
    see_content("an empty name", on(root, L"f:"));
    see_content("one that isn't there", on(root, L"f:none"));
    see_content("the root's", on(root, L":r"));
    see_error("the file", path_error(on(root, L"f:Stream:")));
}

/* ---- programs ----------------------------------------------------------------------------------
 */

static void put_host_file(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const WCHAR *host)
{
    size_t size;
    void *data = load_file(host, &size);

    need(data != NULL, "can't read %ls", host);
    put_file(image, path, data, size);
    free(data);
}

FRESH_CASE(library, "Volume/LoadLibrary", CLIENT, "hcsshim container tests", NEEDS_MOUNT,
           "a DLL on the volume can be loaded; it is the one there")
{
    WCHAR path[MAX_PATH] = L"";
    HMODULE module;
    const WCHAR *root;

    put_host_file(image, L"loaded.dll", facts.dll_path);
    root = mount_fresh(image);
    module = LoadLibraryExW(on(root, L"loaded.dll"), NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    check_error("LoadLibrary", module ? 0 : GetLastError(), 0);
    if (!module) return;
    check_bool("another module than the one under test", module != facts.dll, true);
    check_bool("its export", GetProcAddress(module, "CimMountImage") != NULL, true);
    GetModuleFileNameW(module, path, ARRAY_SIZE(path));
    check_bool("its name", wcsstr(path, L"loaded.dll") != NULL, true);
    FreeLibrary(module);
}

FRESH_CASE(program, "Volume/CreateProcess", CLIENT, "hcsshim container tests", NEEDS_MOUNT,
           "a program on the volume can be run")
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    STARTUPINFOW startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    WCHAR self[MAX_PATH], command[] = L"program.exe --help";
    PROCESS_INFORMATION process;
    DWORD status = 99, size;
    const WCHAR *root;
    BOOL started;

    GetModuleFileNameW(NULL, self, ARRAY_SIZE(self));
    put_host_file(image, L"program.exe", self);
    root = mount_fresh(image);
    startup.hStdOutput = CreateFileW(join(case_dir(), L"output"), GENERIC_WRITE, SHARE_ALL,
                                     &inherit, CREATE_ALWAYS, 0, NULL);
    started = CreateProcessW(on(root, L"program.exe"), command, NULL, NULL, TRUE, 0, NULL, NULL,
                             &startup, &process);
    check_error("CreateProcess", started ? 0 : GetLastError(), 0);
    if (started)
    {
        if (WaitForSingleObject(process.hProcess, 20000) != WAIT_OBJECT_0)
            TerminateProcess(process.hProcess, 98);
        WaitForSingleObject(process.hProcess, 10000);
        GetExitCodeProcess(process.hProcess, &status);
        CloseHandle(process.hThread);
        CloseHandle(process.hProcess);
    }
    check_number("its exit status", status, 0);
    size = GetFileSize(startup.hStdOutput, NULL);
    check_bool("it said something", size > 100 && size != INVALID_FILE_SIZE, true);
    CloseHandle(startup.hStdOutput);
}

/* ---- other ways of reading ---------------------------------------------------------------------
 */

CASE(mapping_q, "Volume/Mappings", QUESTION, "Q-43", NEEDS_MOUNT,
     "mapping a file for reading, copy on write, as an image, and for writing")
{
    static const struct
    {
        const char *name;
        DWORD protect, access;
    } rows[] = {{"reading", PAGE_READONLY, FILE_MAP_READ},
                {"copy on write", PAGE_WRITECOPY, FILE_MAP_COPY},
                {"as an image", PAGE_READONLY | SEC_IMAGE, FILE_MAP_READ},
                {"writing", PAGE_READWRITE, FILE_MAP_WRITE}};
    BYTE *want;
    HANDLE file = open_big(mount_big(&want), 0);
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        HANDLE mapping = CreateFileMappingW(file, NULL, rows[i].protect, 0, 0, NULL);
        BYTE *view = mapping ? MapViewOfFile(mapping, rows[i].access, 0, 0, 0) : NULL;

        if (view)
            see_text(rows[i].name, "%s", memcmp(view, want, BIG) ? "other bytes" : "right bytes");
        else
            see_error(rows[i].name, GetLastError());
        if (view) UnmapViewOfFile(view);
        if (mapping) CloseHandle(mapping);
    }
    CloseHandle(file);
    free(want);
}

CASE(unbuffered_q, "Volume/UnbufferedReads", QUESTION, "Q-43", NEEDS_MOUNT,
     "FILE_FLAG_NO_BUFFERING: aligned reads, an unaligned one, one across the end")
{
    BYTE *want, *page = VirtualAlloc(NULL, 65536, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    HANDLE file = open_big(mount_big(&want), FILE_FLAG_NO_BUFFERING);
    static const DWORD rows[][2] = {{0, 4096}, {65536, 65536}, {100, 100}, {BIG & ~4095u, 4096}};
    char name[40];
    size_t i;

    need(page != NULL, "no memory");
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        DWORD got = 0;

        sprintf(name, "%lu at %lu", rows[i][1], rows[i][0]);
        SetFilePointer(file, (LONG)rows[i][0], NULL, FILE_BEGIN);
        if (ReadFile(file, page, rows[i][1], &got, NULL))
            see_text(name, "%lu bytes, %s", got,
                     memcmp(page, want + rows[i][0], got) ? "wrong" : "right");
        else
            see_error(name, GetLastError());
    }
    CloseHandle(file);
    VirtualFree(page, 0, MEM_RELEASE);
    free(want);
}
