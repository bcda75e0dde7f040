/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cases.c - cases that try the suite itself: each ends as a broken DLL could make it end
 *
 * They take the place of the real ones in selftest.exe, whose rest is the suite as it is. What must
 * come of each stands in run.sh; "Self/MustPass..." are spread between the others, to show that
 * what goes wrong in one case costs no other.
 */
#include "../suite/suite.h"

#define NOBODY "the suite's own test"

/* Not by a plain NULL, which a compiler may take for unreachable. */
static char *volatile nowhere;

static void crash(void)
{
    *nowhere = 1;
}

/* ---- passing and failing -----------------------------------------------------------------------
 */

CASE(passes, "Self/MustPass1", DOC, NOBODY, 0, "a right value passes")
{
    check_number("value", 1, 1);
}

CASE(fails, "Self/MustFail", DOC, NOBODY, 0, "a wrong value fails")
{
    check_number("value", 1, 2);
}

CASE(checks_nothing, "Self/ChecksNothing", DOC, NOBODY, 0, "a required case has to check something")
{
    see_number("value", 1);
}

CASE(sees_nothing, "Self/SeesNothing", QUESTION, NOBODY, 0,
     "an observing case has to see something")
{
}

CASE(one_name, "Self/TwoValuesOfOneName", QUESTION, NOBODY, 0, "a name is used once")
{
    see_number("value", 1);
    see_number("value", 2);
}

CASE(blocked, "Self/Blocked", QUESTION, NOBODY, 0, "an observing case may not get to its subject")
{
    need(false, "nothing to\tlook at");
}

CASE(needs, "Self/Needs", DOC, NOBODY, 0, "a required case has to get to its subject")
{
    check_number("value", 1, 1);
    need(false, "nothing to look at");
}

CASE(decided, "Self/Decided", DECISION, NOBODY, 0, "a decision is required of our DLL only")
{
    check_number("value", 1, 2);
}

/* ---- Wine's limits ------------------------------------------------------------------------------
 */

CASE(limit_holds, "Self/LimitHolds", DOC, NOBODY, 0, "in the list, and fails: a limit")
{
    check_number("value", 1, 2);
}

CASE(limit_passes, "Self/LimitPasses", DOC, NOBODY, 0, "in the list, and passes: a failure")
{
    check_number("value", 1, 1);
}

CASE(limit_needs, "Self/LimitBlocked", DOC, NOBODY, 0,
     "in the list, but fails otherwise: a failure")
{
    check_number("value", 1, 2);
    need(false, "nothing to look at");
}

CASE(limit_crashes, "Self/LimitCrashes", DOC, NOBODY, 0, "in the list, but crashes: a failure")
{
    check_number("value", 1, 2);
    crash();
}

/* ---- text ---------------------------------------------------------------------------------------
 */

CASE(odd_text, "Self/OddText", QUESTION, NOBODY, 0, "any text is a value, a name, a note")
{
    char all[256];
    int i;

    for (i = 0; i < 255; i++) all[i] = (char)(i + 1);
    all[255] = 0;
    see_text("all bytes", "%s", all);
    see_text("quotes \" and \\ and \t tab and \n line", "a \"b\" \\c\\ \n{},[]:");
    see_wide("wide", L"\x4e2d \xd800 \xdc00 \xd83d\xde00 \xffff \"\\\x1");
    see_text("long", "%0900d", 7);
    see_text("", "a value without a name");
    see_text("empty", "%s", "");
    note("two\nlines, \"quoted\", %s", "\xff\xfe");
}

CASE(odd_failure, "Self/OddFailure", DOC, NOBODY, 0, "a wrong value is told in one line")
{
    check_text("a\nname", "got\nnot ok 99 - \x01\x80", "want");
    need(false, "a reason\nin # two lines");
}

/* ---- crashes and hangs
 * --------------------------------------------------------------------------- */

CASE(access_violation, "Self/AccessViolation", DOC, NOBODY, 0, "an access violation")
{
    check_number("seen before it", 1, 1);
    crash();
}

CASE(passes_2, "Self/MustPass2", DOC, NOBODY, 0, "the case behind a crash")
{
    check_number("value", 1, 1);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int __attribute__((noinline)) recurse(volatile char *from)
{
    volatile char room[4096];

    room[0] = from ? *from : 0;
    return recurse(room) + room[0];
}
#pragma GCC diagnostic pop

CASE(stack_overflow, "Self/StackOverflow", DOC, NOBODY, 0, "a stack overflow")
{
    check_number("value", recurse(NULL), 1);
}

CASE(exits, "Self/ExitsWithZero", DOC, NOBODY, 0, "ExitProcess(0) in the middle of a case")
{
    check_number("value", 1, 1);
    ExitProcess(0);
}

CASE(aborts, "Self/Aborts", DOC, NOBODY, 0, "abort()")
{
    check_number("value", 1, 1);
    abort();
}

static DWORD WINAPI crash_thread(void *argument)
{
    (void)argument;
    crash();
    return 0;
}

CASE(thread_crashes, "Self/ThreadCrashes", DOC, NOBODY, 0, "another thread crashes")
{
    HANDLE thread = CreateThread(NULL, 0, crash_thread, NULL, 0, NULL);

    check_number("value", 1, 1);
    WaitForSingleObject(thread, INFINITE);
}

CASE(crash_observed, "Self/CrashObserved", QUESTION, NOBODY, 0, "a crash where nothing is required")
{
    see_number("seen before it", 1);
    crash();
}

CASE(hangs, "Self/Hangs", DOC, NOBODY, 0, "an endless loop")
{
    save_file(join(case_dir(), L"left behind"), "x", 1);
    for (;;) Sleep(100);
}

CASE(takes_long, "Self/TakesLong", DOC, NOBODY, 0,
     "a case without a word that works longer than one may say nothing")
{
    ULONGLONG start = GetTickCount64();
    char seconds[20] = "0";

    GetEnvironmentVariableA("SELFTEST_SECONDS", seconds, sizeof(seconds));
    make_base(case_dir());
    while (GetTickCount64() - start < strtoul(seconds, NULL, 10) * 1000)
        need(stored_exists(case_dir(), L"base.cim", L"file.txt"), "a file isn't there");
    check_number("value", 1, 1);
}

CASE(passes_3, "Self/MustPass3", DOC, NOBODY, 0, "the case behind one that hangs")
{
    check_number("value", 1, 1);
}

CASE(broken_worker, "Self/MayBreakTheDll", DOC, NOBODY, MAY_BREAK_DLL, "its process ends behind it")
{
    static DWORD before;

    before = GetCurrentProcessId();
    SetEnvironmentVariableW(L"SELFTEST_PROCESS", format_wide(L"%lu", before));
    check_number("value", 1, 1);
}

CASE(passes_4, "Self/MustPass4", DOC, NOBODY, 0, "the next case is in another process")
{
    check_number("inherited from the case before",
                 GetEnvironmentVariableW(L"SELFTEST_PROCESS", NULL, 0), 0);
}

/* ---- other processes
 * ----------------------------------------------------------------------------- */

ROLE(dies, "dies-early")
{
    (void)argv;
    return argc;
}

ROLE(deaf, "hears-nothing")
{
    (void)argv;
    peer_say("here");
    Sleep(argc ? 0 : 30000);
    return 0;
}

CASE(peer_dies, "Self/MustPass5", DOC, NOBODY, 0, "a process that ends early is noticed")
{
    const WCHAR *args[] = {L"a b\\", L"\"", L"", L"c\\\"d\\\\", NULL};
    struct peer *peer = peer_start("dies-early", args);

    check_bool("a line", peer_hear(peer) != NULL, false);
    check_number("its arguments", (unsigned)peer_end(peer), 4);
}

CASE(peer_needed, "Self/PeerDies", DOC, NOBODY, 0, "a process that had to say something ends")
{
    const WCHAR *none[] = {NULL};

    peer_hear_hr(peer_start("dies-early", none));
}

CASE(peer_outlives, "Self/ExitWithPeer", DOC, NOBODY, 0, "an end while another process lives on")
{
    const WCHAR *none[] = {NULL};

    check_text("it is there", peer_hear(peer_start("hears-nothing", none)), "here");
    ExitProcess(5);
}

/* ---- mutants
 * ------------------------------------------------------------------------------------- */

enum
{
    FILES = 40
};

static const char *number_text(int number)
{
    static char text[12];

    snprintf(text, sizeof(text), "%d", number);
    return text;
}

/* The number of the file is its content. */
static void put_number(CIMFS_IMAGE_HANDLE image, int number)
{
    put_text(image, format_wide(L"%d", number), number_text(number));
}

/* Appends the files without their content, each with the image's letter. */
static void list_lost(char *list, size_t room, const WCHAR *dir, char letter)
{
    int i;

    for (i = 1; i <= FILES; i++)
    {
        size_t size;
        HRESULT hr;
        char *data = stored_data(dir, L"a.cim", format_wide(L"%d", i), &size, &hr);

        if (!data || size != strlen(number_text(i)) || memcmp(data, number_text(i), size))
            snprintf(list + strlen(list), room - strlen(list), " %c%d", letter, i);
        free(data);
    }
}

CASE(interleaved, "Self/Interleaved", DOC, NOBODY, 0,
     "calls for two images in turn, as two threads may make them: none is lost")
{
    const WCHAR *dirs[2] = {new_dir(L"a"), new_dir(L"b")};
    CIMFS_IMAGE_HANDLE a = open_image(dirs[0], NULL, L"a.cim"), b;
    char lost[1000] = "";
    int i;

    for (i = 1; i <= 7; i++) put_number(a, i);
    b = open_image(dirs[1], NULL, L"a.cim");
    for (i = 1; i <= FILES; i++)
    {
        put_number(b, i);
        if (i + 7 <= FILES) put_number(a, i + 7);
    }
    commit_and_close(a);
    commit_and_close(b);
    list_lost(lost, sizeof(lost), dirs[0], 'a');
    list_lost(lost, sizeof(lost), dirs[1], 'b');
    check_text("lost", lost, "");
}

/* ---- what is left behind
 * ------------------------------------------------------------------------- */

CASE(long_paths, "Self/LongPaths", DOC, NOBODY, 0,
     "paths beyond MAX_PATH and odd names are removed")
{
    WCHAR path[1200];
    int i;

    swprintf(path, ARRAY_SIZE(path), L"\\\\?\\%ls", case_dir());
    for (i = 0; i < 5; i++)
    {
        wcscat(path, L"\\a-name-of-sixty-characters-so-that-five-of-them-are-too-long-");
        need(CreateDirectoryW(path, NULL), "can't make a directory: error %lu", GetLastError());
    }
    wcscat(path, L"\\con.");
    save_file(path, "x", 1);
    check_bool("long enough", wcslen(path) > MAX_PATH, true);
}

CASE(mounts_and_crashes, "Self/MountsAndCrashes", DOC, NOBODY, NEEDS_MOUNT,
     "a crash while an image is mounted")
{
    make_base(case_dir());
    check_bool("mounted", GetFileAttributesW(mount_image(case_dir(), L"base.cim")) & 16, true);
    crash();
}

CASE(waits, "Self/Waits", DOC, NOBODY, NEEDS_MOUNT,
     "waits to be interrupted, with an image mounted")
{
    make_base(case_dir());
    check_bool("mounted", GetFileAttributesW(mount_image(case_dir(), L"base.cim")) & 16, true);
    save_file(join(case_dir(), L"ready"), "x", 1);
    Sleep(30000);
}
