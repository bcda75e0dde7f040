/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handles.c - handles that are none, the one stream of a session, and many threads
 */
#include "../suite/suite.h"

#define INVENTED ((CIMFS_IMAGE_HANDLE)(ULONG_PTR)0x12345678)

FRESH_CASE(image_bad, "Handle/NotAnImage", DECISION, "D25", MAY_BREAK_DLL,
           "an image handle that is closed: E_INVALIDARG from each function that takes one")
{
    close_image(image);
    check_hr("CimCreateFile", try_create_file(image, L"f", meta(0, 0)), E_INVALIDARG);
    check_hr("CimCreateAlternateStream", try_create_stream(image, L"f:s", 0), E_INVALIDARG);
    check_hr("CimCreateHardLink", cim.CreateHardLink(image, L"g", L"f"), E_INVALIDARG);
    check_hr("CimDeletePath", cim.DeletePath(image, L"f"), E_INVALIDARG);
    check_hr("CimCommitImage", cim.CommitImage(image), E_INVALIDARG);
}

CASE(image_null, "Handle/NullImage", DOC, "pages of each function", 0,
     "NULL for an image handle: E_INVALIDARG")
{
    check_hr("CimCreateFile", try_create_file(NULL, L"f", meta(0, 0)), E_INVALIDARG);
    check_hr("CimCreateAlternateStream", try_create_stream(NULL, L"f:s", 0), E_INVALIDARG);
    check_hr("CimCreateHardLink", cim.CreateHardLink(NULL, L"g", L"f"), E_INVALIDARG);
    check_hr("CimDeletePath", cim.DeletePath(NULL, L"f"), E_INVALIDARG);
    check_hr("CimCommitImage", cim.CommitImage(NULL), E_INVALIDARG);
}

FRESH_CASE(stream_bad, "Handle/NotAStream", DECISION, "D25", MAY_BREAK_DLL,
           "a stream handle that is NULL or closed: E_INVALIDARG")
{
    CIMFS_STREAM_HANDLE stream;

    check_hr("NULL", cim.WriteStream(NULL, "x", 1), E_INVALIDARG);
    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 1), &stream));
    cim.CloseStream(stream);
    check_hr("closed", cim.WriteStream(stream, "x", 1), E_INVALIDARG);
}

/* Invented handles only where handles are known to be names: a DLL whose handles are pointers may
 * read through them. */
CASE(invented, "Handle/Invented", QUESTION, "Q-33", MAY_BREAK_DLL,
     "an invented handle: is it noticed?")
{
    see_hr("CimCommitImage", cim.CommitImage(INVENTED));
    see_hr("CimDeletePath", cim.DeletePath(INVENTED, L"f"));
    see_hr("CimWriteStream", cim.WriteStream((CIMFS_STREAM_HANDLE)(ULONG_PTR)0x87654321, "x", 1));
}

FRESH_CASE(mixed_up, "Handle/MixedUp", QUESTION, "Q-33", MAY_BREAK_DLL,
           "an image's handle where a stream's is wanted, and the reverse")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 1), &stream));
    see_hr("CimWriteStream", cim.WriteStream((CIMFS_STREAM_HANDLE)image, "x", 1));
    see_hr("CimCommitImage", cim.CommitImage((CIMFS_IMAGE_HANDLE)stream));
    cim.CloseStream(stream);
}

FRESH_CASE(after_close_stream, "Handle/StreamAfterImageClosed", QUESTION, "Q-33", MAY_BREAK_DLL,
           "writing to a stream whose image was closed")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    close_image(image);
    see_hr("hr", cim.WriteStream(stream, "text", 4));
    cim.CloseStream(stream);
    see_bool("an image is there", file_exists(case_dir(), L"a.cim"));
}

FRESH_CASE(never_null, "Handle/NeverNull", CLIENT, "hcsshim cim_writer (0 is no handle)", 0,
           "a valid handle is never 0, of an image, a file, a directory or a stream")
{
    CIMFS_STREAM_HANDLE stream = NULL;

    check_bool("image", image != NULL, true);
    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 0), &stream));
    check_bool("file", stream != NULL, true);
    cim.CloseStream(stream);
    stream = NULL;
    need_hr("CimCreateFile",
            cim.CreateFile(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0), &stream));
    check_bool("directory", stream != NULL, true);
    cim.CloseStream(stream);
    stream = NULL;
    need_hr("CimCreateAlternateStream", cim.CreateAlternateStream(image, L"f:s", 0, &stream));
    check_bool("alternate stream", stream != NULL, true);
    cim.CloseStream(stream);
}

/* ---- kinds and generations ------------------------------------------------------------------- */

/* What each function that takes an image's handle answers to this one. */
static void check_no_image(CIMFS_IMAGE_HANDLE handle)
{
    BOOLEAN there;

    check_hr("CimCreateFile", try_create_file(handle, L"g", meta(0, 0)), E_INVALIDARG);
    check_hr("CimCreateAlternateStream", try_create_stream(handle, L"f:s", 0), E_INVALIDARG);
    check_hr("CimCreateHardLink", cim.CreateHardLink(handle, L"l", L"f"), E_INVALIDARG);
    check_hr("CimDeletePath", cim.DeletePath(handle, L"f"), E_INVALIDARG);
    check_hr("CimCommitImage", cim.CommitImage(handle), E_INVALIDARG);
    if (has_export("CimLookupFile"))
        check_hr("CimLookupFile", cim.LookupFile(handle, L"f", &there), E_INVALIDARG);
}

FRESH_CASE(stream_no_image, "Handle/StreamIsNoImage", DECISION, "D25", MAY_BREAK_DLL,
           "a stream's handle for an image's: E_INVALIDARG; closing it so does nothing")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"f", "x");
    need_hr("CimCreateFile", cim.CreateFile(image, L"h", meta(0, 4), &stream));
    check_no_image((CIMFS_IMAGE_HANDLE)stream);
    cim.CloseImage((CIMFS_IMAGE_HANDLE)stream);
    check_hr("the stream goes on", cim.WriteStream(stream, "text", 4), S_OK);
    cim.CloseStream(stream);
    commit_and_close(image);
    check_stored_text("the stream's file", case_dir(), L"a.cim", L"h", "text");
    check_stored_text("the other file", case_dir(), L"a.cim", L"f", "x");
    check_exists("a new one", case_dir(), L"a.cim", L"g", false);
}

FRESH_CASE(image_no_stream, "Handle/ImageIsNoStream", DECISION, "D25", MAY_BREAK_DLL,
           "an image's handle for a stream's: E_INVALIDARG; closing it so does nothing")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    check_hr("CimWriteStream", cim.WriteStream((CIMFS_STREAM_HANDLE)image, "evil", 4),
             E_INVALIDARG);
    cim.CloseStream((CIMFS_STREAM_HANDLE)image);
    check_hr("the stream is open", try_create_file(image, L"g", meta(0, 0)), HR_SHARING);
    check_hr("it goes on", cim.WriteStream(stream, "text", 4), S_OK);
    cim.CloseStream(stream);
    cim.CloseStream((CIMFS_STREAM_HANDLE)image);
    check_hr("the image goes on", cim.CommitImage(image), S_OK);
    close_image(image);
    check_stored_text("the file", case_dir(), L"a.cim", L"f", "text");
}

enum
{
    AGAIN = 100 /* more than the handles that a table may begin with */
};

FRESH_CASE(image_stays_closed, "Handle/ImageStaysClosed", DECISION, "D25", MAY_BREAK_DLL,
           "a closed image's handle is none, and closing it does nothing, however many follow")
{
    CIMFS_IMAGE_HANDLE next = NULL;
    int i, same = 0, taken = 0, stopped = 0;

    close_image(image);
    for (i = 0; i < AGAIN; i++)
    {
        next = open_image(case_dir(), NULL, L"b.cim");
        same += next == image;
        taken += cim.DeletePath(image, L"f") != E_INVALIDARG;
        cim.CloseImage(image);
        stopped += try_create_file(next, L"f", meta(0, 0)) != S_OK;
        if (i < AGAIN - 1) close_image(next);
    }
    check_number("handles that are the old one", same, 0);
    check_number("calls that took the old one", taken, 0);
    check_number("sessions that it closed", stopped, 0);
    check_no_image(image);
    commit_and_close(next);
    check_exists("the last session's file", case_dir(), L"b.cim", L"f", true);
}

FRESH_CASE(stream_stays_closed, "Handle/StreamStaysClosed", DECISION, "D25", MAY_BREAK_DLL,
           "a closed stream's handle is none, and closing it does nothing, however many follow")
{
    CIMFS_STREAM_HANDLE old, next;
    int i, same = 0, taken = 0, stopped = 0;

    need_hr("CimCreateFile", cim.CreateFile(image, L"old", meta(0, 4), &old));
    cim.CloseStream(old);
    for (i = 0; i < AGAIN; i++)
    {
        need_hr("CimCreateFile", cim.CreateFile(image, L"new", meta(0, 4), &next));
        same += next == old;
        taken += cim.WriteStream(old, "evil", 4) != E_INVALIDARG;
        cim.CloseStream(old);
        stopped += cim.WriteStream(next, "text", 4) != S_OK;
        cim.CloseStream(next);
    }
    check_number("handles that are the old one", same, 0);
    check_number("writes that took the old one", taken, 0);
    check_number("streams that it closed", stopped, 0);
    commit_and_close(image);
    check_stored_text("the last file", case_dir(), L"a.cim", L"new", "text");
    check_stored("the old file", case_dir(), L"a.cim", L"old", "\0\0\0\0", 4);
}

/* ---- one stream at a time ------------------------------------------------------------------ */

/* What each function answers while a stream of the session is open. */
static void check_one_stream(CIMFS_IMAGE_HANDLE image, CIMFS_STREAM_HANDLE stream)
{
    check_hr("CimCreateFile", try_create_file(image, L"g", meta(0, 0)), HR_SHARING);
    check_hr("CimCreateFile, a directory",
             try_create_file(image, L"h", meta(FILE_ATTRIBUTE_DIRECTORY, 0)), HR_SHARING);
    check_hr("CimCreateAlternateStream", try_create_stream(image, L"old:s", 0), HR_SHARING);
    check_hr("CimCreateHardLink", cim.CreateHardLink(image, L"link", L"old"), HR_SHARING);
    check_hr("CimDeletePath", cim.DeletePath(image, L"old"), HR_SHARING);
    cim.CloseStream(stream);
    check_hr("CimCreateFile, after the close", try_create_file(image, L"g", meta(0, 0)), S_OK);
    check_hr("CimDeletePath, after the close", cim.DeletePath(image, L"old"), S_OK);
}

FRESH_CASE(one_stream_file, "Handle/OneStreamFile", DOC, "pages of each function", 0,
           "while a file's stream is open all others fail with ERROR_SHARING_VIOLATION")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"old", "x");
    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    check_one_stream(image, stream);
}

FRESH_CASE(one_stream_directory, "Handle/OneStreamDirectory", CLIENT, "hcsshim cim_writer", 0,
           "a directory's stream has to be closed before the next call, too")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"old", "x");
    need_hr("CimCreateFile",
            cim.CreateFile(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0), &stream));
    check_one_stream(image, stream);
}

FRESH_CASE(one_stream_alternate, "Handle/OneStreamAlternate", DOC, "CimCreateAlternateStream page",
           0, "while an alternate stream is open all others fail with ERROR_SHARING_VIOLATION")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"old", "x");
    need_hr("CimCreateAlternateStream", cim.CreateAlternateStream(image, L"old:s", 4, &stream));
    check_one_stream(image, stream);
}

FRESH_CASE(link_leaves_none, "Handle/LinkAndDeleteLeaveNoStream", DOC,
           "CimCreateHardLink, CimDeletePath pages", 0,
           "the stream that linking and deleting open inside is closed when they return")
{
    put_text(image, L"f", "x");
    need_hr("CimCreateHardLink", cim.CreateHardLink(image, L"g", L"f"));
    check_hr("after a link", try_create_file(image, L"h", meta(0, 0)), S_OK);
    need_hr("CimDeletePath", cim.DeletePath(image, L"f"));
    check_hr("after a deletion", try_create_file(image, L"i", meta(0, 0)), S_OK);
    check_hr("commit", cim.CommitImage(image), S_OK);
}

/* ---- NULL arguments -------------------------------------------------------------------------- */

FRESH_CASE(null_outputs, "Handle/NullOutputs", DECISION, "D28", 0,
           "nowhere to put a stream's handle: E_POINTER, and the session goes on")
{
    put_text(image, L"f", "x");
    check_hr("CimCreateFile", cim.CreateFile(image, L"g", meta(0, 0), NULL), E_POINTER);
    check_hr("CimCreateAlternateStream", cim.CreateAlternateStream(image, L"f:s", 0, NULL),
             E_POINTER);
    check_hr("the next call", try_create_file(image, L"h", meta(0, 0)), S_OK);
    commit_and_close(image);
    check_exists("the item", case_dir(), L"a.cim", L"g", false);
    check_exists("the next item", case_dir(), L"a.cim", L"h", true);
    check_stored_text("the file", case_dir(), L"a.cim", L"f", "x");
}

FRESH_CASE(null_inputs, "Handle/NullInputs", QUESTION, "Q-35", 0,
           "NULL for paths and for the metadata")
{
    put_text(image, L"f", "x");
    see_hr("CimCreateFile, path", try_create_file(image, NULL, meta(0, 0)));
    see_hr("CimCreateAlternateStream, path", try_create_stream(image, NULL, 0));
    see_hr("CimCreateHardLink, new path", cim.CreateHardLink(image, NULL, L"f"));
    see_hr("CimCreateHardLink, old path", cim.CreateHardLink(image, L"g", NULL));
    see_hr("CimDeletePath, path", cim.DeletePath(image, NULL));
    see_hr("CimCreateFile, metadata", try_create_file(image, L"g", NULL));
}

FRESH_CASE(cleared, "Handle/OutputsAfterFailure", DECISION, "D28", 0,
           "the stream's handle is NULL after a failure")
{
    CIMFS_STREAM_HANDLE stream = (CIMFS_STREAM_HANDLE)(ULONG_PTR)0x1234;

    check_bool("CimCreateFile fails", FAILED(cim.CreateFile(image, L"no\\f", meta(0, 0), &stream)),
               true);
    check_bool("its output is NULL", stream == NULL, true);
    stream = (CIMFS_STREAM_HANDLE)(ULONG_PTR)0x1234;
    check_bool("CimCreateAlternateStream fails",
               FAILED(cim.CreateAlternateStream(image, L"no:s", 0, &stream)), true);
    check_bool("its output is NULL too", stream == NULL, true);
}

CASE(outputs_question, "Handle/OutputsAfterFailureWhat", QUESTION, "Q-35", 0,
     "outputs after a failure: cleared or left alone?")
{
    CIMFS_IMAGE_HANDLE image = (CIMFS_IMAGE_HANDLE)(ULONG_PTR)0x1234;

    see_hr("CimCreateImage", cim.CreateImage(join(case_dir(), L"no"), NULL, L"a.cim", &image));
    see_text("its handle", image == (CIMFS_IMAGE_HANDLE)(ULONG_PTR)0x1234 ? "left alone"
                           : image                                        ? "something else"
                                                                          : "cleared");
}

/* ---- threads ----------------------------------------------------------------------------------
 */

enum
{
    THREADS = 6,
    FILES = 40,
};

struct job
{
    CIMFS_IMAGE_HANDLE image;
    const WCHAR *dir;
    int number;
    HRESULT hr; /* the first failure */
    int busy;   /* how often the image's one stream was another's */
};

/* Adds files to a shared image, trying again while another thread has its stream. */
static DWORD WINAPI add_files(void *argument)
{
    struct job *job = argument;
    int i;

    for (i = 0; i < FILES && SUCCEEDED(job->hr); i++)
    {
        CIMFS_STREAM_HANDLE stream;
        CIMFS_FILE_METADATA metadata = {.FileSize = 8};
        WCHAR name[30];
        char data[9];

        _snwprintf(name, ARRAY_SIZE(name), L"t%d-%d", job->number, i);
        sprintf(data, "%4d%4d", job->number, i);
        while ((job->hr = cim.CreateFile(job->image, name, &metadata, &stream)) == HR_SHARING)
        {
            job->busy++;
            SwitchToThread();
        }
        if (FAILED(job->hr)) break;
        job->hr = cim.WriteStream(stream, data, 8);
        cim.CloseStream(stream);
    }
    return 0;
}

static void run_threads(DWORD(WINAPI *function)(void *), struct job *jobs)
{
    HANDLE threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++)
    {
        jobs[i].number = i;
        threads[i] = CreateThread(NULL, 0, function, &jobs[i], 0, NULL);
        need(threads[i] != NULL, "can't start a thread");
    }
    WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE);
    for (i = 0; i < THREADS; i++) CloseHandle(threads[i]);
}

/* How many of a thread's files don't hold what add_files() wrote. */
static int wrong_files(const WCHAR *dir, int number)
{
    int i, wrong = 0;

    for (i = 0; i < FILES; i++)
    {
        char want[9];
        size_t size;
        HRESULT hr;
        char *got = stored_data(dir, L"a.cim", format_wide(L"t%d-%d", number, i), &size, &hr);

        sprintf(want, "%4d%4d", number, i);
        wrong += !got || size != 8 || memcmp(got, want, 8);
        free(got);
    }
    return wrong;
}

FRESH_CASE(threads_one, "Handle/ThreadsOneImage", QUESTION, "nobody says that calls are serialised",
           MAY_BREAK_DLL,
           "six threads add files to one image: is each call whole, and each file right?")
{
    struct job jobs[THREADS] = {{0}};
    int i, wrong = 0;

    for (i = 0; i < THREADS; i++) jobs[i].image = image;
    run_threads(add_files, jobs);
    for (i = 0; i < THREADS; i++) need_hr("a thread's call", jobs[i].hr);
    commit_and_close(image);
    for (i = 0; i < THREADS; i++) wrong += wrong_files(case_dir(), i);
    see_number("files that are wrong", wrong);
}

/* An image of its own in a directory of its own. */
static DWORD WINAPI make_image(void *argument)
{
    struct job *job = argument;
    WCHAR dir[1000];

    _snwprintf(dir, ARRAY_SIZE(dir), L"%ls\\%d", job->dir, job->number);
    if (!CreateDirectoryW(dir, NULL)) job->hr = E_UNEXPECTED;
    if (SUCCEEDED(job->hr)) job->hr = cim.CreateImage(dir, NULL, L"a.cim", &job->image);
    if (FAILED(job->hr)) return 0;
    add_files(job);
    if (SUCCEEDED(job->hr)) job->hr = cim.CommitImage(job->image);
    cim.CloseImage(job->image);
    return 0;
}

CASE(threads_many, "Handle/ThreadsManyImages", DECISION, "sessions share nothing", 0,
     "six threads, each with an image in a directory of its own, don't disturb each other")
{
    struct job jobs[THREADS] = {{0}};
    int i;

    for (i = 0; i < THREADS; i++) jobs[i].dir = case_dir();
    run_threads(make_image, jobs);
    for (i = 0; i < THREADS; i++)
    {
        char label[40];
        WCHAR dir[1000];

        _snwprintf(dir, ARRAY_SIZE(dir), L"%ls\\%d", case_dir(), i);
        sprintf(label, "thread %d", i);
        check_hr(label, jobs[i].hr, S_OK);
        sprintf(label, "thread %d's files that are wrong", i);
        check_number(label, wrong_files(dir, i), 0);
    }
}

/* All race for one directory. */
static DWORD WINAPI take_directory(void *argument)
{
    struct job *job = argument;
    WCHAR name[20];

    _snwprintf(name, ARRAY_SIZE(name), L"%d.cim", job->number);
    job->hr = cim.CreateImage(job->dir, NULL, name, &job->image);
    return 0;
}

CASE(threads_race, "Handle/ThreadsOneDirectory", DOC, "CimCreateImage page", 0,
     "of six threads that open a session in one directory one wins, the others get "
     "ERROR_SHARING_VIOLATION")
{
    struct job jobs[THREADS] = {{0}};
    int i, won = 0, refused = 0;

    for (i = 0; i < THREADS; i++) jobs[i].dir = case_dir();
    run_threads(take_directory, jobs);
    for (i = 0; i < THREADS; i++)
    {
        won += jobs[i].hr == S_OK;
        refused += jobs[i].hr == HR_SHARING;
        if (jobs[i].hr == S_OK) track_image(jobs[i].image);
    }
    check_number("won", won, 1);
    check_number("refused", refused, THREADS - 1);
}

CASE(many_sessions, "Handle/ManySessions", QUESTION, "no limit is known", 0,
     "sixty sessions at once, each in its own directory")
{
    CIMFS_IMAGE_HANDLE image;
    HRESULT hr = S_OK;
    int i, opened = 0;

    for (i = 0; i < 60 && SUCCEEDED(hr); i++)
    {
        const WCHAR *dir = new_dir(format_wide(L"%d", i));

        hr = cim.CreateImage(dir, NULL, L"a.cim", &image);
        if (FAILED(hr)) break;
        track_image(image);
        opened++;
    }
    see_number("opened", opened);
    see_hr("the last answer", hr);
}
