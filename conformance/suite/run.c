/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c - the process that judges
 *
 * It starts workers (worker.c), reads what they report, and decides about each case. A worker that
 * ends in the middle of a case, or says nothing for a minute, has crashed or hangs there: the case
 * fails, and a new worker goes on behind it. So does one that is about to fill the disk. All
 * processes are in one job, which takes them with it; Ctrl-C ends the worker, dismounts what it had
 * mounted and removes its files.
 */
#include "internal.h"

static HANDLE job;
static struct suite_case **cases;
static struct outcome *outcomes;
static struct outcome *open_case; /* between "begin" and "end" */
static int next_case;
static int case_total;
static bool worker_done;
static bool worker_ready; /* has loaded the DLL and cleared away what others left */
static bool dll_loaded;
static char *fatal;
static HANDLE interrupted;    /* an event: Ctrl-C was pressed */
static WCHAR mounted[64][40]; /* GUIDs that a crashed worker may have left mounted */
static int mounted_count;

/* ---- what was reported --------------------------------------------------------------------- */

static char *unescape(char *text)
{
    char *in = text, *out = text;

    for (; *in; in++)
    {
        if (*in != '\\' || !in[1])
        {
            *out++ = *in;
            continue;
        }
        in++;
        *out++ = *in == 't' ? '\t' : *in == 'n' ? '\n' : *in == 'r' ? '\r' : *in;
    }
    *out = 0;
    return text;
}

/* Split a line at tabs; fields that aren't there are "". */
static void split(char *line, char *fields[5])
{
    int i;

    for (i = 0; i < 5; i++)
    {
        fields[i] = line;
        line += strcspn(line, "\t");
        if (*line) *line++ = 0;
    }
    for (i = 0; i < 5; i++) unescape(fields[i]);
}

static char *copy_text(const char *text)
{
    char *copy = _strdup(text);

    if (!copy) abort();
    return copy;
}

static void add_value(struct outcome *outcome, const char *name, const char *got, const char *want,
                      bool right)
{
    struct value **end = &outcome->values, *value = calloc(1, sizeof(*value));

    if (!value) abort();
    value->name = copy_text(name);
    value->got = copy_text(got);
    value->want = want ? copy_text(want) : NULL;
    value->right = right;
    while (*end)
    {
        if (!strcmp((*end)->name, name) && !outcome->reason)
        {
            outcome->result = R_FAIL;
            outcome->reason = copy_text("two values have one name: a mistake in the suite");
        }
        end = &(*end)->next;
    }
    *end = value;
}

static void add_note(struct outcome *outcome, const char *text)
{
    size_t old = outcome->notes ? strlen(outcome->notes) : 0;

    outcome->notes = realloc(outcome->notes, old + strlen(text) + 2);
    if (!outcome->notes) abort();
    sprintf(outcome->notes + old, "%s%s", old ? "\n" : "", text);
}

static void set_reason(struct outcome *outcome, enum result result, const char *reason)
{
    if (outcome->reason) return;
    outcome->result = result;
    outcome->reason = copy_text(reason);
}

static void remember_mount(const char *guid, bool is_mounted)
{
    WCHAR text[40];
    int i;

    _snwprintf(text, ARRAY_SIZE(text), L"%hs", guid);
    for (i = 0; i < mounted_count; i++)
        if (!wcscmp(mounted[i], text)) break;
    if (is_mounted && i == mounted_count && i < (int)ARRAY_SIZE(mounted))
        wcscpy(mounted[mounted_count++], text);
    else if (!is_mounted && i < mounted_count)
        wcscpy(mounted[i], mounted[--mounted_count]);
}

/* A case has ended: what is the result? */
static void decide(struct outcome *outcome)
{
    const char *limit = facts.wine ? wine_limit(outcome->entry->id) : NULL;
    bool wrong = false, checked = false;
    struct value *value;

    if (outcome->result == R_SKIP || outcome->result == R_BLOCKED) return;
    for (value = outcome->values; value; value = value->next)
    {
        checked |= value->want != NULL;
        wrong |= value->want && !value->right;
    }
    if (!outcome->required)
    {
        if ((outcome->crashed || outcome->hung) && !facts.ours) outcome->result = R_OBSERVED;
        /* Else ours crashed, or it is a mistake of the suite. */
        if (outcome->reason) return;
        outcome->result = R_OBSERVED;
        if (!outcome->values) set_reason(outcome, R_FAIL, "nothing was observed");
        return;
    }
    if (!outcome->reason && !checked) set_reason(outcome, R_FAIL, "nothing was checked");
    if (wrong) outcome->result = R_FAIL;
    if (!limit || outcome->crashed || outcome->hung) return;
    /* A value was wrong: that is the limit. Failures of another kind are none. */
    if (outcome->result == R_FAIL && wrong && !outcome->reason)
        outcome->result = R_LIMIT;
    else if (outcome->result == R_PASS)
        set_reason(outcome, R_FAIL, "passed, though Wine's limits should not let it");
}

static bool is_required(const struct suite_case *entry)
{
    return entry->provenance < DECISION || (entry->provenance == DECISION && facts.ours);
}

static void begin_case(int index, bool required)
{
    if (index < 0 || index >= case_total) return;
    open_case = &outcomes[index];
    open_case->required = required;
    open_case->result = R_PASS;
}

static void end_case(void)
{
    decide(open_case);
    report_case(open_case, (int)(open_case - outcomes) + 1);
    next_case = (int)(open_case - outcomes) + 1;
    open_case = NULL;
}

static void take_export(const char *name, bool present)
{
    int i;

    for (i = 0; i < export_count; i++)
        if (!strcmp(export_table[i].name, name)) export_table[i].present = present;
}

static void take_line(char *line)
{
    char *fields[5];

    split(line, fields);
    if (!strcmp(fields[0], "begin"))
        begin_case(atoi(fields[1]), atoi(fields[2]));
    else if (!strcmp(fields[0], "done"))
        worker_done = true;
    else if (!strcmp(fields[0], "ready"))
        worker_ready = true;
    else if (!strcmp(fields[0], "fatal"))
        fatal = copy_text(fields[1]);
    else if (!strcmp(fields[0], "export"))
        take_export(fields[1], atoi(fields[2]));
    else if (!strcmp(fields[0], "fact") && !strcmp(fields[1], "ours"))
        facts.ours = atoi(fields[2]);
    else if (!strcmp(fields[0], "fact") && !strcmp(fields[1], "dll"))
    {
        dll_loaded = true;
        _snwprintf(facts.dll_path, ARRAY_SIZE(facts.dll_path) - 1, L"%hs", fields[2]);
    }
    else if (!strcmp(fields[0], "mounted"))
        remember_mount(fields[1], true);
    else if (!strcmp(fields[0], "dismounted"))
        remember_mount(fields[1], false);
    else if (!open_case)
        return;
    else if (!strcmp(fields[0], "see"))
        add_value(open_case, fields[1], fields[2], NULL, true);
    else if (!strcmp(fields[0], "check"))
        add_value(open_case, fields[1], fields[2], fields[3], atoi(fields[4]));
    else if (!strcmp(fields[0], "note"))
        add_note(open_case, fields[1]);
    else if (!strcmp(fields[0], "skip"))
        set_reason(open_case, R_SKIP, fields[1]);
    else if (!strcmp(fields[0], "fail"))
        set_reason(open_case, R_FAIL, fields[1]);
    else if (!strcmp(fields[0], "need"))
        set_reason(open_case, open_case->required ? R_FAIL : R_BLOCKED, fields[1]);
    else if (!strcmp(fields[0], "crash"))
    {
        open_case->crashed = true;
        set_reason(open_case, R_FAIL, fields[1]);
    }
    else if (!strcmp(fields[0], "end"))
        end_case();
}

/* ---- workers ------------------------------------------------------------------------------------
 */

static void remove_case(const struct suite_case *entry)
{
    WCHAR path[MAX_PATH];

    if (options.keep) return;
    case_path(entry, options.work, path);
    remove_tree(path);
}

/* The reader's thread: puts whole lines into a queue of one, so that the judge can wait for a line
 * with a time-out, which a pipe can't. */
struct reader
{
    HANDLE pipe;
    HANDLE ready; /* a line, or the end, is there */
    HANDLE taken;
    char line[8192];
    bool ended;
};

static DWORD WINAPI read_lines(void *argument)
{
    struct reader *reader = argument;
    size_t fill = 0;
    DWORD got;
    char byte;
    char buffer[4096];
    DWORD i;

    while (ReadFile(reader->pipe, buffer, sizeof(buffer), &got, NULL) && got)
    {
        for (i = 0; i < got; i++)
        {
            byte = buffer[i];
            if (byte != '\n')
            {
                if (fill < sizeof(reader->line) - 1) reader->line[fill++] = byte;
                continue;
            }
            reader->line[fill] = 0;
            fill = 0;
            SetEvent(reader->ready);
            WaitForSingleObject(reader->taken, INFINITE);
        }
    }
    reader->ended = true;
    SetEvent(reader->ready);
    return 0;
}

static HANDLE start_worker(HANDLE pipe, int first)
{
    static WCHAR command[32768];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    WCHAR self[MAX_PATH], number[30];
    int i;

    GetModuleFileNameW(NULL, self, ARRAY_SIZE(self));
    command[0] = 0;
    add_argument(command, ARRAY_SIZE(command), self);
    swprintf(number, ARRAY_SIZE(number), L"%llu", (unsigned long long)(ULONG_PTR)pipe);
    add_option(command, ARRAY_SIZE(command), L"--worker", number);
    swprintf(number, ARRAY_SIZE(number), L"%d", first);
    add_argument(command, ARRAY_SIZE(command), number);
    add_option(command, ARRAY_SIZE(command), L"--work", options.work);
    add_option(command, ARRAY_SIZE(command), L"--dll", options.dll);
    add_option(command, ARRAY_SIZE(command), L"--export", options.export_to);
    add_option(command, ARRAY_SIZE(command), L"--import", options.import_from);
    if (options.no_mount) add_argument(command, ARRAY_SIZE(command), L"--no-mount");
    if (options.keep) add_argument(command, ARRAY_SIZE(command), L"--keep");
    for (i = 0; i < options.filter_count; i++)
        add_option(command, ARRAY_SIZE(command), L"--filter", options.filters[i]);
    for (i = 0; i < options.disk_count; i++)
        add_option(command, ARRAY_SIZE(command), L"--disk", options.disks[i]);
    for (i = 0; i < mounted_count; i++)
        add_option(command, ARRAY_SIZE(command), L"--leftover", mounted[i]);
    mounted_count = 0;
    if (!CreateProcessW(self, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup,
                        &process))
        return NULL;
    AssignProcessToJobObject(job, process.hProcess);
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
    return process.hProcess;
}

uint64_t room_mib(const WCHAR *dir)
{
    ULARGE_INTEGER room;

    return GetDiskFreeSpaceExW(dir, &room, NULL, NULL) ? room.QuadPart >> 20 : UINT64_MAX;
}

enum end
{
    BY_ITSELF, /* done, or crashed */
    SILENT,
    FILLS_DISK,
    STOPPED, /* Ctrl-C */
};

/* The worker has ended, or was ended, before it was done. */
static void lost_worker(DWORD status, enum end end)
{
    char text[100];

    if (end == SILENT)
        snprintf(text, sizeof(text), "hangs: nothing was heard for %d s", options.timeout);
    else if (end == FILLS_DISK)
        snprintf(text, sizeof(text), "fills the disk: less than %d MiB are left", ROOM_LEFT_MIB);
    else
        snprintf(text, sizeof(text), "its process ended with 0x%lx", status);
    if (!open_case && !worker_ready)
    {
        /* No case is to blame: neither for loading the DLL nor for dismounting what was left. */
        if (!dll_loaded)
        {
            fatal = malloc(200);
            if (!fatal) abort();
            snprintf(fatal, 200, "the DLL can't be loaded: while it was, the worker %s",
                     end == BY_ITSELF ? text + strlen("its process ") : text);
            return;
        }
        fprintf(stderr, "cimfs-conformance: dismounting what a case left: %s\n", text);
        return;
    }
    if (!open_case && next_case < case_total)
    {
        /* Between two cases: the next one is to blame, or nobody would ever be. */
        begin_case(next_case, is_required(outcomes[next_case].entry));
    }
    if (!open_case) return;
    open_case->hung = end != BY_ITSELF;
    open_case->crashed |= end == BY_ITSELF;
    set_reason(open_case, R_FAIL, text);
    remove_case(open_case->entry);
    end_case();
}

/* Takes the worker's lines until it is done, ends, or has to be ended. */
static enum end hear_worker(struct reader *reader)
{
    HANDLE events[2] = {reader->ready, interrupted};
    ULONGLONG heard = GetTickCount64();

    while (!worker_done)
    {
        DWORD which = WaitForMultipleObjects(2, events, FALSE, 250);

        if (which == WAIT_OBJECT_0 + 1) return STOPPED;
        if (which == WAIT_OBJECT_0)
        {
            if (reader->ended) return BY_ITSELF;
            take_line(reader->line);
            SetEvent(reader->taken);
            heard = GetTickCount64();
            continue;
        }
        if (GetTickCount64() - heard > options.timeout * 1000ull) return SILENT;
        if (room_mib(options.work) < ROOM_LEFT_MIB) return FILLS_DISK;
    }
    return BY_ITSELF;
}

/* What an ended worker had said of its mounts; nothing else counts any more. */
static void hear_the_rest(struct reader *reader)
{
    while (WaitForSingleObject(reader->ready, 5000) == WAIT_OBJECT_0 && !reader->ended)
    {
        if (!strncmp(reader->line, "mounted\t", 8) || !strncmp(reader->line, "dismounted\t", 11))
            take_line(reader->line);
        SetEvent(reader->taken);
    }
}

static struct reader *new_reader(HANDLE *write_end)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    struct reader *reader = calloc(1, sizeof(*reader));

    if (!reader || !CreatePipe(&reader->pipe, write_end, &inherit, 1 << 16)) return NULL;
    SetHandleInformation(reader->pipe, HANDLE_FLAG_INHERIT, 0);
    reader->ready = CreateEventW(NULL, FALSE, FALSE, NULL);
    reader->taken = CreateEventW(NULL, FALSE, FALSE, NULL);
    return reader;
}

/* A reader that doesn't end (a worker that can't even be killed holds its pipe) is left alone. */
static void free_reader(struct reader *reader, HANDLE thread)
{
    bool ended = WaitForSingleObject(thread, 5000) == WAIT_OBJECT_0;

    CloseHandle(thread);
    if (!ended) return;
    CloseHandle(reader->pipe);
    CloseHandle(reader->ready);
    CloseHandle(reader->taken);
    free(reader);
}

/* A worker for the cases from "first" on; false: it can't be started. */
static bool run_worker(int first)
{
    HANDLE write_end, process, thread;
    struct reader *reader = new_reader(&write_end);
    DWORD status = 0;
    enum end end;

    if (!reader) return false;
    worker_done = worker_ready = dll_loaded = false;
    process = start_worker(write_end, first);
    CloseHandle(write_end);
    if (!process) return false;
    thread = CreateThread(NULL, 0, read_lines, reader, 0, NULL);
    end = hear_worker(reader);
    if (end != BY_ITSELF)
    {
        TerminateProcess(process, 98);
        hear_the_rest(reader);
    }
    /* One that is done has no more than a DLL to unload. */
    if (WaitForSingleObject(process, 10000) != WAIT_OBJECT_0) TerminateProcess(process, 98);
    WaitForSingleObject(process, 10000);
    GetExitCodeProcess(process, &status);
    CloseHandle(process);
    free_reader(reader, thread);
    if (end != STOPPED && !worker_done && !fatal) lost_worker(status, end);
    return true;
}

static void make_job(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};

    job = CreateJobObjectW(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
}

static BOOL WINAPI on_control(DWORD event)
{
    SetEvent(interrupted);
    /* When the console goes, the process goes with this handler's return. */
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) Sleep(10000);
    return TRUE;
}

static void run_all(void)
{
    while (next_case < case_total && !fatal && WaitForSingleObject(interrupted, 0) != WAIT_OBJECT_0)
        if (!run_worker(next_case))
        {
            static char text[100];

            snprintf(text, sizeof(text), "can't start myself: error %lu", GetLastError());
            fatal = text;
        }
}

/* Volumes and directories of cases that came to no end. */
static void clear_away(void)
{
    bool stop = WaitForSingleObject(interrupted, 0) == WAIT_OBJECT_0;
    int i;

    ResetEvent(interrupted); /* or the next worker would be ended, too */
    open_case = NULL;
    for (i = 0; i < 3 && mounted_count; i++) run_worker(case_total);
    if (options.keep) return;
    for (i = 0; i < case_total; i++)
        if (outcomes[i].crashed || outcomes[i].hung || (stop && i == next_case))
            remove_case(outcomes[i].entry);
    if (stop) SetEvent(interrupted);
}

struct outcome *run_cases(struct suite_case **selected)
{
    int i;

    cases = selected;
    while (cases[case_total]) case_total++;
    outcomes = calloc(case_total + 1, sizeof(*outcomes));
    interrupted = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!outcomes || !interrupted) abort();
    for (i = 0; i < case_total; i++) outcomes[i].entry = cases[i];
    make_job();
    SetConsoleCtrlHandler(on_control, TRUE);
    run_all();
    clear_away();
    if (fatal) fprintf(stderr, "cimfs-conformance: %s\n", fatal);
    if (WaitForSingleObject(interrupted, 0) != WAIT_OBJECT_0) return fatal ? NULL : outcomes;
    fprintf(stderr, "cimfs-conformance: interrupted\n");
    return NULL;
}

const char *result_name(const struct outcome *outcome)
{
    static const char *const names[] = {"pass", "fail", "skip", "limit", "observed", "blocked"};

    if (outcome->crashed) return "crash";
    if (outcome->hung) return "hang";
    return names[outcome->result];
}
