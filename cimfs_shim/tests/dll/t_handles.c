/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_handles.c - handles are names: misuse, threads, unloading
 *
 * Whatever a program does with a handle gives E_INVALIDARG or does nothing; it never crashes and
 * never reaches another session. Handles that are NULL, closed or of other sessions are judged by
 * the conformance suite.
 */
#include "dlltest.h"

#include <process.h>

static const WCHAR *dir;
static const CIMFS_FILE_METADATA four_bytes = {.FileSize = 4};

/* xorshift, seeded by CIM_SEED or the clock. */
static UINT64 random_state;

static UINT64 next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void start_random(void)
{
    const char *seed = getenv("CIM_SEED");

    random_state = seed ? strtoull(seed, NULL, 0) : GetTickCount64() * UINT64_C(2654435761);
    if (!random_state) random_state = 1;
    diag("CIM_SEED=%llu", (unsigned long long)random_state);
}

/* ---- misuse ---- */

static void test_misuse(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"misuse.cim"), old;
    CIMFS_STREAM_HANDLE stream, second;
    int i, hits = 0;

    is_hr(CimCreateFile(image, L"f", &four_bytes, &stream), S_OK, "a stream");
    ok((void *)image != (void *)stream, "the two differ");

    /* Each where the other belongs. */
    is_hr(CimCommitImage((CIMFS_IMAGE_HANDLE)stream), E_INVALIDARG, "a stream is no image");
    is_hr(CimWriteStream((CIMFS_STREAM_HANDLE)image, "x", 1), E_INVALIDARG,
          "an image is no stream");
    CimCloseImage((CIMFS_IMAGE_HANDLE)stream);
    CimCloseStream((CIMFS_STREAM_HANDLE)image);
    is_hr(CimWriteStream(stream, "ab", 2), S_OK, "closing a handle as the other kind does nothing");

    /* What never was one. */
    CimCloseImage(NULL);
    CimCloseStream(NULL);
    CimCloseImage((CIMFS_IMAGE_HANDLE)INVALID_HANDLE_VALUE);
    CimCloseStream((CIMFS_STREAM_HANDLE)INVALID_HANDLE_VALUE);
    CimCloseImage((CIMFS_IMAGE_HANDLE)&image);
    CimCloseStream((CIMFS_STREAM_HANDLE)GetCurrentProcess());
    is_hr(CimCommitImage((CIMFS_IMAGE_HANDLE)&image), E_INVALIDARG, "a pointer is no handle");
    is_hr(CimCommitImage((CIMFS_IMAGE_HANDLE)(ULONG_PTR)-1), E_INVALIDARG, "-1 is no handle");
    for (i = 0; i < 100000; i++)
    {
        CIMFS_IMAGE_HANDLE invented = (CIMFS_IMAGE_HANDLE)(ULONG_PTR)next_random();

        if (invented != image && CimDeletePath(invented, L"f") != E_INVALIDARG) hits++;
    }
    is_int(hits, 0, "100,000 invented handles: all E_INVALIDARG");
    for (i = -64; i <= 64; i++)
        if (i && CimDeletePath((CIMFS_IMAGE_HANDLE)((ULONG_PTR)image + i), L"f") != E_INVALIDARG)
            hits++;
    is_int(hits, 0, "neighbours of a valid handle: all E_INVALIDARG");

    /* What was one. */
    CimCloseStream(stream);
    CimCloseStream(stream);
    is_hr(CimCreateFile(image, L"g", &four_bytes, &second), S_OK, "another stream");
    ok(second != stream, "its handle is new");
    CimCloseStream(stream);
    is_hr(CimWriteStream(second, "x", 1), S_OK, "closing the old handle again leaves it alone");
    CimCloseStream(second);
    CimCloseImage(image);
    CimCloseImage(image);
    old = image;
    for (i = 0; i < 300; i++)
    {
        image = open_image(dir, NULL, L"misuse.cim");
        if (image == old || !CimCommitImage(old)) hits++;
        CimCloseImage(image);
    }
    is_int(hits, 0, "300 sessions later the closed handle is still invalid");
}

/* ---- many ---- */

/* More than there are slots: each is used again. */
static void test_many_streams(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"many.cim");
    const CIMFS_FILE_METADATA empty = {.FileSize = 0};
    CIMFS_STREAM_HANDLE stream, last = NULL;
    int i, failed = 0, same = 0;

    for (i = 0; i < 66000; i++)
    {
        failed += CimCreateFile(image, L"f", &empty, &stream) != S_OK;
        same += stream == last;
        CimCloseStream(stream);
        last = stream;
    }
    is_int(failed, 0, "66,000 streams, one after another: failed");
    is_int(same, 0, "handles that are the one before's");
    CimCloseImage(image);
}

/* More at a time than the table begins with: it grows, and what is open stays so. */
static void test_many_images(void)
{
    enum
    {
        IMAGES = 70
    };
    CIMFS_IMAGE_HANDLE images[IMAGES];
    BOOLEAN exists;
    WCHAR name[32];
    int i, opened = 0, good = 0;

    for (i = 0; i < IMAGES; i++)
    {
        _snwprintf(name, 32, L"many%d", i);
        opened += !CimCreateImage(new_dir(name), NULL, L"a.cim", &images[i]);
    }
    is_int(opened, IMAGES, "sessions at a time");
    for (i = 0; i < IMAGES; i++) good += !CimLookupFile(images[i], L"f", &exists);
    is_int(good, IMAGES, "sessions that answer");
    for (i = 0; i < IMAGES; i += 2) CimCloseImage(images[i]);
    for (i = 0; i < IMAGES; i++)
        good -= CimLookupFile(images[i], L"f", &exists) == (i % 2 ? S_OK : E_INVALIDARG);
    is_int(good, 0, "every other one closed: answers that are wrong");
    for (i = 1; i < IMAGES; i += 2) CimCloseImage(images[i]);
}

/* ---- what a handle is made of ---- */

/* A slot is used again after all others that are free, and has one generation more each time: so a
 * closed handle is another's again only after 16,384 rounds where a handle has 32 bits. */
static void test_generations(void)
{
    enum
    {
        SLOT = 0xffff << 2,
        GENERATION = 1 << 18,
        ROUNDS = 3
    };
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"generations.cim");
    const CIMFS_FILE_METADATA empty = {.FileSize = 0};
    CIMFS_STREAM_HANDLE stream = NULL;
    int round, others, wrong = 0, fewest = INT_MAX, most = 0;
    ULONG_PTR last, now;

    CimCreateFile(image, L"f", &empty, &stream);
    CimCloseStream(stream);
    last = (ULONG_PTR)stream;
    for (round = 0; round < ROUNDS; round++)
    {
        for (others = 0, now = 0; others < 70000; others++)
        {
            wrong += CimCreateFile(image, L"f", &empty, &stream) != S_OK;
            CimCloseStream(stream);
            now = (ULONG_PTR)stream;
            if (!((now ^ last) & SLOT)) break;
        }
        if (others < fewest) fewest = others;
        if (others > most) most = others;
        is_hex(now, last + GENERATION, "a slot's next handle, a generation on");
        last = now;
    }
    is_int(wrong, 0, "streams that can't be made");
    ok(fewest >= 32 && most < 256, "%d to %d others were used before", fewest, most);
    CimCloseImage(image);
}

/* ---- order of closing ---- */

static void test_image_first(void)
{
    const WCHAR *here = new_dir(L"imagefirst");
    CIMFS_IMAGE_HANDLE image = open_image(here, NULL, L"first.cim");
    CIMFS_STREAM_HANDLE stream;

    is_hr(CimCreateFile(image, L"f", &four_bytes, &stream), S_OK, "a stream");
    CimCloseImage(image);
    is_hr(CimWriteStream(stream, "abcd", 4), S_OK, "image closed first: the stream can be written");
    CimCloseStream(stream);
    is_int(count_files(here, L"*"), 0, "then the stream: all files are gone");
}

/* ---- threads ---- */

#define THREADS 8
#define FILES 40

struct job
{
    CIMFS_IMAGE_HANDLE image;
    int number;
    int done;
    int odd; /* results that nobody should get */
};

/* Add files to a shared image; one stream at a time, so try again while another has it. */
static DWORD WINAPI add_files(void *arg)
{
    struct job *job = arg;
    int i;

    for (i = 0; i < FILES; i++)
    {
        char text[32];
        WCHAR name[32];
        HRESULT hr;

        _snwprintf(name, 32, L"%d-%d", job->number, i);
        sprintf(text, "text of %d-%d", job->number, i);
        while ((hr = put_text(job->image, name, text)) == HR_SHARING) Sleep(0);
        if (hr)
            job->odd++;
        else
            job->done++;
    }
    return 0;
}

static void run_threads(LPTHREAD_START_ROUTINE start, struct job *jobs)
{
    HANDLE threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) threads[i] = CreateThread(NULL, 0, start, &jobs[i], 0, NULL);
    is_int(WaitForMultipleObjects(THREADS, threads, TRUE, 90000), WAIT_OBJECT_0, "%d threads ended",
           THREADS);
    for (i = 0; i < THREADS; i++) CloseHandle(threads[i]);
}

static void test_shared_image(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"threads.cim");
    struct job jobs[THREADS];
    int i, j, done = 0, odd = 0, right = 0;

    for (i = 0; i < THREADS; i++) jobs[i] = (struct job){.image = image, .number = i};
    run_threads(add_files, jobs);
    for (i = 0; i < THREADS; i++) done += jobs[i].done, odd += jobs[i].odd;
    is_int(done, THREADS * FILES, "files added by threads on one image");
    is_int(odd, 0, "results that are neither S_OK nor ERROR_SHARING_VIOLATION");
    is_hr(commit_and_close(image), S_OK, "commit");
    for (i = 0; i < THREADS; i++)
        for (j = 0; j < FILES; j++)
        {
            char text[32];
            WCHAR name[32];

            _snwprintf(name, 32, L"%d-%d", i, j);
            sprintf(text, "text of %d-%d", i, j);
            if (!strcmp(content(dir, L"threads.cim", name), text)) right++;
        }
    is_int(right, THREADS * FILES, "files with the right content");
}

/* Threads that use and close whatever handle they find, at the same time. */
static CIMFS_STREAM_HANDLE volatile shared_stream;
static CIMFS_IMAGE_HANDLE volatile shared_image;

static DWORD WINAPI race(void *arg)
{
    struct job *job = arg;
    int i;

    for (i = 0; i < 2000; i++)
    {
        CIMFS_STREAM_HANDLE stream = shared_stream;
        HRESULT hr = S_OK;
        BOOLEAN exists;

        switch ((i + job->number) % 5)
        {
        case 0:
            if (!CimCreateFile(shared_image, L"raced", &four_bytes, &stream))
                shared_stream = stream;
            break;
        case 1:
        case 2:
            hr = CimWriteStream(stream, "r", 1);
            break;
        case 3:
            CimCloseStream(stream);
            break;
        case 4:
            hr = CimLookupFile(shared_image, L"raced", &exists);
            break;
        }
        if (hr && hr != E_INVALIDARG && hr != HR_EOF && hr != HR_SHARING) job->odd++;
        job->done++;
    }
    return 0;
}

static void test_race(void)
{
    struct job jobs[THREADS];
    int i, odd = 0;

    shared_image = open_image(dir, NULL, L"race.cim");
    for (i = 0; i < THREADS; i++) jobs[i] = (struct job){.number = i};
    run_threads(race, jobs);
    for (i = 0; i < THREADS; i++) odd += jobs[i].odd;
    is_int(odd, 0, "threads that write and close the same stream: no odd result");
    CimCloseStream(shared_stream);
    is_hr(commit_and_close(shared_image), S_OK, "and the session commits");
    ok(in_image(dir, L"race.cim", L"raced"), "with the file");
}

/* Readers of one image, in several threads. */
static DWORD WINAPI read_files(void *arg)
{
    struct job *job = arg;
    WCHAR image[PATH_ROOM];
    int i;

    _snwprintf(image, PATH_ROOM, L"%ls\\threads.cim", dir);
    for (i = 0; i < 50; i++)
    {
        char text[32], buffer[64] = "";
        WCHAR name[32];
        UINT64 got, left;

        _snwprintf(name, 32, L"%d-%d", job->number, i % FILES);
        sprintf(text, "text of %d-%d", job->number, i % FILES);
        if (CimReadFile(image, name, 0, buffer, 63, &got, &left) || strcmp(buffer, text))
            job->odd++;
        job->done++;
    }
    return 0;
}

static void test_readers(void)
{
    struct job jobs[THREADS];
    int i, odd = 0;

    for (i = 0; i < THREADS; i++) jobs[i] = (struct job){.number = i};
    run_threads(read_files, jobs);
    for (i = 0; i < THREADS; i++) odd += jobs[i].odd;
    is_int(odd, 0, "readers in %d threads: wrong results", THREADS);
}

/* ---- two DLLs, and unloading ---- */

static void test_two_dlls(void)
{
    const WCHAR *here = new_dir(L"twodlls");
    const WCHAR *trace = _wcsdup(path_of(dir, L"trace.txt"));
    HMODULE writer;
    HRESULT(WINAPI * create)(PCWSTR, PCWSTR, PCWSTR, CIMFS_IMAGE_HANDLE *);
    HRESULT(WINAPI * commit)(CIMFS_IMAGE_HANDLE);
    void(WINAPI * close)(CIMFS_IMAGE_HANDLE);
    CIMFS_IMAGE_HANDLE image = NULL, own = NULL;
    HANDLE file;
    int i, hits = 0;

    /* Which it reads at its first call. */
    SetEnvironmentVariableW(L"CIMFS_TRACE", trace);
    writer = LoadLibraryA("cimwriter.dll");
    if (writer)
    {
        close = (void *)GetProcAddress(writer, "CimCloseImage");
        close(NULL);
    }
    SetEnvironmentVariableW(L"CIMFS_TRACE", NULL);
    if (!ok(writer != NULL, "cimwriter.dll is loaded beside cimfs.dll")) return;
    create = (void *)GetProcAddress(writer, "CimCreateImage");
    commit = (void *)GetProcAddress(writer, "CimCommitImage");
    close = (void *)GetProcAddress(writer, "CimCloseImage");
    for (i = 0; i < 70; i++)
    {
        image = own = NULL;
        if (create(here, NULL, L"w.cim", &image) || CimCreateImage(dir, NULL, L"own.cim", &own) ||
            image == (void *)own || CimCommitImage(image) != E_INVALIDARG ||
            commit(own) != E_INVALIDARG)
            hits++;
        CimCloseImage(image);
        close(own);
        close(image);
        CimCloseImage(own);
    }
    is_int(hits, 0, "a handle of one DLL means nothing to the other");

    is_hr(create(here, NULL, L"left.cim", &image), S_OK, "a session in cimwriter.dll");
    is_hr(CimCreateImage(here, NULL, L"x.cim", &own), HR_SHARING, "has the directory");
    FreeLibrary(writer);
    is_hr(CimCreateImage(here, NULL, L"x.cim", &own), S_OK,
          "when the DLL is unloaded its sessions are closed");
    CimCloseImage(own);
    is_int(count_files(here, L"*"), 0, "and their files are gone");
    file = CreateFileW(trace, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    ok(file != INVALID_HANDLE_VALUE, "the trace was written, and is closed (error %lu)",
       GetLastError());
    CloseHandle(file);
}

/* ---- the end of a process ---- */

/* "end DIR": a session that nobody closes. */
static int end_with_a_session(const WCHAR *there)
{
    CIMFS_IMAGE_HANDLE image = open_image(there, NULL, L"left.cim");

    return put_text(image, L"f", "text") ? 1 : 0;
}

static void test_end(void)
{
    const WCHAR *here = new_dir(L"end");
    WCHAR exe[PATH_ROOM];
    int files;

    GetModuleFileNameW(NULL, exe, PATH_ROOM);
    is_int(_wspawnl(_P_WAIT, exe, L"t_handles", L"end", here, NULL), 0,
           "a process ends in a session");
    files = count_files(here, L"*");
    ok(files > 0, "at its end nothing of ours runs: its files are left (%d)", files);
    ok(!file_exists(here, L"left.cim"), "but no image");
    CimCloseImage(open_image(here, NULL, L"next.cim"));
    is_int(count_files(here, L"*"), files, "and the directory is free");
}

int wmain(int argc, WCHAR **argv)
{
    if (argc == 3) return end_with_a_session(argv[2]);
    start_random();
    dir = new_dir(L"handles");
    test_misuse();
    test_many_streams();
    test_generations();
    test_many_images();
    test_shared_image();
    test_readers();
    test_race();
    test_two_dlls();
    test_image_first();
    test_end();
    return tap_done();
}
