/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c - the process that judges
 *
 * It starts workers (worker.c), reads what they report, and decides about each case. A worker that
 * ends in the middle of a case, or says nothing for TIMEOUT_MS, has crashed or hangs there: the
 * case fails, and a new worker goes on behind it. All processes are in one job, which takes them
 * with it.
 */
#include "internal.h"

static HANDLE job;
static struct suite_case **cases;
static struct outcome *outcomes;
static struct outcome *open_case; /* between "begin" and "end" */
static int next_case;
static bool worker_done;
static char *fatal;
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
        if (outcome->result == R_FAIL) return; /* crashed, or a mistake of the suite */
        outcome->result = R_OBSERVED;
        if (!outcome->values) set_reason(outcome, R_FAIL, "nothing was observed");
        return;
    }
    if (!outcome->reason && !checked) set_reason(outcome, R_FAIL, "nothing was checked");
    if (wrong) outcome->result = R_FAIL;
    if (!limit || outcome->crashed || outcome->hung) return;
    if (outcome->result == R_FAIL && checked)
        outcome->result = R_LIMIT;
    else if (outcome->result == R_PASS)
        set_reason(outcome, R_FAIL, "passed, though Wine's limits should not let it");
}

static void begin_case(int index, bool required)
{
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
    else if (!strcmp(fields[0], "fatal"))
        fatal = copy_text(fields[1]);
    else if (!strcmp(fields[0], "export"))
        take_export(fields[1], atoi(fields[2]));
    else if (!strcmp(fields[0], "fact") && !strcmp(fields[1], "ours"))
        facts.ours = atoi(fields[2]);
    else if (!strcmp(fields[0], "fact") && !strcmp(fields[1], "dll"))
        _snwprintf(facts.dll_path, ARRAY_SIZE(facts.dll_path), L"%hs", fields[2]);
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

static HANDLE start_worker(HANDLE pipe)
{
    static WCHAR command[32768];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    WCHAR self[MAX_PATH];
    size_t used;
    int i;

    GetModuleFileNameW(NULL, self, ARRAY_SIZE(self));
    used = _snwprintf(command, ARRAY_SIZE(command), L"\"%ls\" --worker %llu %d --work \"%ls\"",
                      self, (unsigned long long)(ULONG_PTR)pipe, next_case, options.work);
    if (options.dll)
        used += _snwprintf(command + used, ARRAY_SIZE(command) - used, L" --dll \"%ls\"",
                           options.dll);
    if (options.export_to)
        used += _snwprintf(command + used, ARRAY_SIZE(command) - used, L" --export \"%ls\"",
                           options.export_to);
    if (options.import_from)
        used += _snwprintf(command + used, ARRAY_SIZE(command) - used, L" --import \"%ls\"",
                           options.import_from);
    if (options.no_mount) used += _snwprintf(command + used, 20, L" --no-mount");
    if (options.keep) used += _snwprintf(command + used, 20, L" --keep");
    for (i = 0; i < options.filter_count; i++)
        used += _snwprintf(command + used, ARRAY_SIZE(command) - used, L" --filter \"%ls\"",
                           options.filters[i]);
    for (i = 0; i < mounted_count; i++)
        used += _snwprintf(command + used, ARRAY_SIZE(command) - used, L" --leftover %ls",
                           mounted[i]);
    mounted_count = 0;
    if (!CreateProcessW(self, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup,
                        &process))
        return NULL;
    AssignProcessToJobObject(job, process.hProcess);
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
    return process.hProcess;
}

static void lost_worker(HANDLE process, bool hung)
{
    char text[100];
    DWORD status = 0;

    if (hung) TerminateProcess(process, 98);
    WaitForSingleObject(process, 10000);
    GetExitCodeProcess(process, &status);
    if (!open_case && !outcomes[next_case].reason)
    {
        /* Between two cases: the next one is to blame, or nobody would ever be. */
        begin_case(next_case, true);
    }
    open_case->hung = hung;
    open_case->crashed |= !hung;
    if (hung)
        snprintf(text, sizeof(text), "hangs: nothing was heard for %d s", TIMEOUT_MS / 1000);
    else
        snprintf(text, sizeof(text), "its process ended with 0x%lx", status);
    set_reason(open_case, R_FAIL, text);
    end_case();
}

static bool run_worker(void)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    struct reader reader = {0};
    HANDLE write_end, process, thread;
    bool hung = false;

    if (!CreatePipe(&reader.pipe, &write_end, &inherit, 1 << 16)) return false;
    SetHandleInformation(reader.pipe, HANDLE_FLAG_INHERIT, 0);
    reader.ready = CreateEventW(NULL, FALSE, FALSE, NULL);
    reader.taken = CreateEventW(NULL, FALSE, FALSE, NULL);
    worker_done = false;
    process = start_worker(write_end);
    CloseHandle(write_end);
    if (!process) return false;
    thread = CreateThread(NULL, 0, read_lines, &reader, 0, NULL);
    for (;;)
    {
        if (WaitForSingleObject(reader.ready, TIMEOUT_MS) != WAIT_OBJECT_0)
        {
            hung = true;
            break;
        }
        if (reader.ended) break;
        take_line(reader.line);
        SetEvent(reader.taken);
        if (worker_done) break;
    }
    if (!worker_done && !fatal) lost_worker(process, hung);
    WaitForSingleObject(process, 10000);
    CloseHandle(process);
    WaitForSingleObject(thread, 10000);
    CloseHandle(thread);
    CloseHandle(reader.pipe);
    return true;
}

static void make_job(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};

    job = CreateJobObjectW(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
}

struct outcome *run_cases(struct suite_case **selected)
{
    int count = 0, i;

    cases = selected;
    while (cases[count]) count++;
    outcomes = calloc(count + 1, sizeof(*outcomes));
    if (!outcomes) abort();
    for (i = 0; i < count; i++) outcomes[i].entry = cases[i];
    make_job();
    do
    {
        if (!run_worker())
        {
            fprintf(stderr, "cimfs-conformance: can't start myself: error %lu\n", GetLastError());
            exit(3);
        }
        if (fatal)
        {
            fprintf(stderr, "cimfs-conformance: %s\n", fatal);
            exit(3);
        }
    } while (next_case < count || mounted_count);
    return outcomes;
}

const char *result_name(const struct outcome *outcome)
{
    static const char *const names[] = {"pass", "fail", "skip", "limit", "observed", "blocked"};

    if (outcome->crashed) return "crash";
    if (outcome->hung) return "hang";
    return names[outcome->result];
}
