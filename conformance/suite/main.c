/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - cimfs-conformance.exe: judges any cimfs.dll
 *
 * This file is the command line. The same program is three things: what the user starts (run.c),
 * the workers that run cases (worker.c), and the other processes that some cases need (peer.c).
 *
 * Exit status: 0 nothing failed, 1 something did, 2 wrong usage, 3 the suite itself could not run.
 */
#include "internal.h"

struct options options = {.timeout = 60};

static const char usage_text[] =
        "usage: cimfs-conformance [--dll PATH] [--json FILE] [--tap] [--filter GLOB]... [--list]\n"
        "                         [--no-mount] [--keep] [--work DIR] [--timeout SECONDS] [--disk "
        "N]...\n"
        "       cimfs-conformance [--dll PATH] --export DIR\n"
        "       cimfs-conformance [--dll PATH] [--no-mount] --import DIR\n"
        "\n"
        "Judges a cimfs.dll: the system's, or the one given by --dll.\n"
        "\n"
        "  --dll PATH     the DLL to judge\n"
        "  --json FILE    write all results there, each value that was seen included\n"
        "  --tap          print the Test Anything Protocol instead of a summary\n"
        "  --filter GLOB  only cases whose ID matches, as in CreateFile/*; may be repeated\n"
        "  --list         list the cases that would run, with provenance and statement, and end\n"
        "  --no-mount     leave out all cases that mount\n"
        "  --keep         keep the directories that the cases made\n"
        "  --work DIR     where they are made (default: a new directory in the system's place)\n"
        "  --disk N       cases about devices overwrite \\\\.\\PhysicalDriveN, if its size is the "
        "one\n"
        "                 that they need; may be repeated\n"
        "  --timeout S    a case that says nothing for so many seconds hangs (default: 60)\n"
        "  --export DIR   write a set of images and a manifest of what they hold\n"
        "  --import DIR   check such a set, made elsewhere\n"
        "\n"
        "Cases that documentation, public headers or Microsoft's own clients stand for must pass;\n"
        "the others record what the DLL does. Exit status: 0 nothing failed, 1 something did,\n"
        "2 wrong usage, 3 the suite could not run.\n";

static _Noreturn void wrong_usage(const char *format, const WCHAR *what)
{
    fprintf(stderr, "cimfs-conformance: ");
    fprintf(stderr, format, what);
    fprintf(stderr, " (--help tells more)\n");
    exit(2);
}

/* What the parent tells a worker. */
static struct
{
    HANDLE pipe;
    int first;
    WCHAR *leftover[65];
    int leftover_count;
} worker;

static const WCHAR *operand(WCHAR ***args)
{
    if (!(*args)[1]) wrong_usage("%ls needs a value", **args);
    return *++*args;
}

static int parse_number(const WCHAR *text)
{
    WCHAR *end;
    long number = wcstol(text, &end, 10);

    if (end == text || *end || number < 1 || number > 86400) wrong_usage("bad number: %ls", text);
    return (int)number;
}

/* Nothing but digits: a number that is read wrong would cost a disk. */
static const WCHAR *parse_disk(const WCHAR *text)
{
    size_t length = wcslen(text);

    if (!length || length > 9 || wcsspn(text, L"0123456789") != length)
        wrong_usage("bad number of a disk: %ls", text);
    return text;
}

static void parse_worker(WCHAR ***args)
{
    worker.pipe = (HANDLE)(ULONG_PTR)_wcstoui64(operand(args), NULL, 10);
    worker.first = _wtoi(operand(args));
}

static void parse_options(WCHAR **args)
{
    for (; *args; args++)
    {
        if (!wcscmp(*args, L"--dll"))
            options.dll = operand(&args);
        else if (!wcscmp(*args, L"--json"))
            options.json = operand(&args);
        else if (!wcscmp(*args, L"--work"))
            options.work = operand(&args);
        else if (!wcscmp(*args, L"--export"))
            options.export_to = operand(&args);
        else if (!wcscmp(*args, L"--import"))
            options.import_from = operand(&args);
        else if (!wcscmp(*args, L"--filter"))
        {
            if (options.filter_count == (int)ARRAY_SIZE(options.filters))
                wrong_usage("too many filters: %ls", *args);
            options.filters[options.filter_count++] = (WCHAR *)operand(&args);
        }
        else if (!wcscmp(*args, L"--timeout"))
            options.timeout = parse_number(operand(&args));
        else if (!wcscmp(*args, L"--disk"))
        {
            if (options.disk_count == (int)ARRAY_SIZE(options.disks))
                wrong_usage("too many disks: %ls", *args);
            options.disks[options.disk_count++] = parse_disk(operand(&args));
        }
        else if (!wcscmp(*args, L"--tap"))
            options.tap = true;
        else if (!wcscmp(*args, L"--list"))
            options.list = true;
        else if (!wcscmp(*args, L"--no-mount"))
            options.no_mount = true;
        else if (!wcscmp(*args, L"--keep"))
            options.keep = true;
        else if (!wcscmp(*args, L"--worker"))
            parse_worker(&args);
        else if (!wcscmp(*args, L"--leftover") && worker.leftover_count < 64)
            worker.leftover[worker.leftover_count++] = (WCHAR *)operand(&args);
        else if (!wcscmp(*args, L"--help") || !wcscmp(*args, L"-h") || !wcscmp(*args, L"/?"))
        {
            fputs(usage_text, stdout);
            exit(0);
        }
        else
            wrong_usage("unknown argument: %ls", *args);
    }
}

/* Absolute, for the worker's children may be elsewhere. */
static const WCHAR *full_path(const WCHAR *path)
{
    WCHAR *full = calloc(1024, sizeof(WCHAR));
    DWORD length = full && *path ? GetFullPathNameW(path, 1024, full, NULL) : 0;

    if (!length || length >= 1024) wrong_usage("bad path: %ls", path);
    return full;
}

/* The directory that an option names, made if it isn't there. */
static const WCHAR *make_dir(const WCHAR *path)
{
    const WCHAR *dir = full_path(path);
    DWORD attributes = GetFileAttributesW(dir);

    if (attributes == INVALID_FILE_ATTRIBUTES && !CreateDirectoryW(dir, NULL))
        wrong_usage("can't make the directory %ls", dir);
    if (attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY))
        wrong_usage("%ls is no directory", dir);
    return dir;
}

/* Whether a file can be made; what is there already stays as it is. */
static bool can_write(const WCHAR *path)
{
    bool there = GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
    FILE *file = _wfopen(path, L"ab");

    if (!file) return false;
    fclose(file);
    if (!there) DeleteFileW(path);
    return true;
}

/* Better said now than by each case. */
static void check_work_dir(void)
{
    WCHAR probe[1100];

    if (wcslen(options.work) > MAX_PATH - 130)
        wrong_usage("this path is too long to work in: %ls", options.work);
    swprintf(probe, ARRAY_SIZE(probe), L"%ls\\cimfs-conformance.probe", options.work);
    if (!can_write(probe)) wrong_usage("can't write in %ls", options.work);
    if (room_mib(options.work) < ROOM_MIB)
        wrong_usage("less than 1 GiB is free for %ls", options.work);
}

static void make_work_dir(bool *made)
{
    WCHAR temp[MAX_PATH], *dir = calloc(MAX_PATH + 40, sizeof(WCHAR));
    int i;

    if (!dir) abort();
    if (options.work)
    {
        options.work = make_dir(options.work);
        check_work_dir();
        return;
    }
    GetTempPathW(ARRAY_SIZE(temp), temp);
    for (i = 0; i < 100; i++) /* an earlier program with this number may have left something */
    {
        _snwprintf(dir, MAX_PATH + 40, L"%lscimfs-conformance-%lu-%d", temp, GetCurrentProcessId(),
                   i);
        if (CreateDirectoryW(dir, NULL)) break;
    }
    if (i == 100) wrong_usage("can't make the directory %ls", dir);
    options.work = dir;
    *made = true;
    check_work_dir();
}

static void list_cases(struct suite_case **cases)
{
    for (; *cases; cases++)
    {
        const char *limit = wine_limit((*cases)->id);

        printf("%-34s %-8s %-22s %s%s%s%s\n", (*cases)->id, provenance_name((*cases)->provenance),
               (*cases)->source, (*cases)->statement, limit ? " [limit of Wine: " : "",
               limit ? limit : "", limit ? "]" : "");
    }
}

static void count_outcomes(const struct outcome *outcomes, struct totals *totals)
{
    for (; outcomes->entry; outcomes++)
    {
        totals->passed += outcomes->result == R_PASS;
        totals->failed += outcomes->result == R_FAIL;
        totals->skipped += outcomes->result == R_SKIP;
        totals->limits += outcomes->result == R_LIMIT;
        totals->observed += outcomes->result == R_OBSERVED || outcomes->result == R_BLOCKED;
    }
}

static int judge(void)
{
    struct suite_case **cases = selected_cases();
    const char *unknown = options.filter_count || options.export_to || options.import_from
                                  ? NULL
                                  : check_limits();
    struct totals totals = {0};
    struct outcome *outcomes;
    bool made = false, written;

    if (unknown)
    {
        fprintf(stderr, "cimfs-conformance: no case for Wine's limit %s\n", unknown);
        return 3;
    }
    if (!*cases) wrong_usage("no case matches%ls", L"");
    if (options.list)
    {
        system_facts();
        list_cases(cases);
        return 0;
    }
    system_facts();
    if (options.json && !can_write(options.json)) wrong_usage("can't write %ls", options.json);
    make_work_dir(&made);
    report_begin();
    outcomes = run_cases(cases);
    if (made && !options.keep) remove_tree(options.work);
    if (options.keep) fprintf(stderr, "what the cases made is in %ls\n", options.work);
    if (!outcomes) return 3;
    count_outcomes(outcomes, &totals);
    written = !options.json || write_json(options.json, outcomes, &totals);
    report_end(outcomes, &totals);
    if (!written) fprintf(stderr, "cimfs-conformance: can't write %ls\n", options.json);
    if (fflush(stdout) || ferror(stdout) || !written) return 3;
    return totals.failed ? 1 : 0;
}

int wmain(int argc, WCHAR **argv)
{
    if (argc > 2 && !wcscmp(argv[1], L"--role")) return role_main(argc - 2, argv + 2);
    parse_options(argv + 1);
    /* A bare name could be looked up elsewhere: in this program's or the system's directory. */
    if (options.dll) options.dll = full_path(options.dll);
    if (options.export_to) options.export_to = make_dir(options.export_to);
    if (options.import_from) options.import_from = full_path(options.import_from);
    if (worker.pipe) return worker_main(worker.pipe, worker.first, worker.leftover);
    if (options.export_to && options.import_from)
        wrong_usage("%ls is one thing at a time", L"--import");
    return judge();
}
