/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.c - which case is spoilt by which mutant, and the record of what cases call
 *
 * CIMFS_MUTANT_PLAN names a file with a line for each case: "CASE MUTANT", one of mutants.h, or
 * "CASE FUNCTION NTH KIND HRESULT", a generated one (struct point; "peer:" before the function: in
 * the processes that the case starts). So one process runs many cases, each with a mutant of its
 * own. "*" as the case means all, and from the beginning on. The suite says which case is running
 * by CIMFS_CONFORMANCE_CASE; what it does after a case, to clean up, belongs to none and isn't
 * spoilt.
 *
 * CIMFS_MUTANT_RECORD names a directory in which each process writes a line for each call, with
 * tabs between its fields: the time, the case, the function, the answer, whether anything came out,
 * the thread, the image, the path, and a second name that the call was given.
 */
#include "mutant.h"

#define ID_SIZE 64

const struct spoil *active;
const struct point *point;

static const struct
{
    const char *name;
    struct spoil spoil;
} mutants[] = {
#define M(name, cases, text, ...) {name, {__VA_ARGS__}},
#include "mutants.h"
#undef M
};

static const char *const function_names[] = {
#define X(result, name, arguments, bytes) #name,
        CIM_EXPORTS(X)
#undef X
};

static const char *const kind_names[] = {"answered", "dropped", "skipped"};

static struct planned
{
    char id[ID_SIZE];
    const struct spoil *spoil;
    struct point point;
} planned[300];
static int planned_count;

static SRWLOCK lock = SRWLOCK_INIT;
static char current[ID_SIZE]; /* the case; "": none */
static bool is_peer, always;
static LONG counts[FUNCTIONS];
static FILE *record_file;

static int find_name(const char *const *names, int count, const char *name)
{
    while (count-- && strcmp(names[count], name))
    {
    }
    return count;
}

static const struct spoil *find_mutant(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(mutants); i++)
        if (!strcmp(mutants[i].name, name)) return &mutants[i].spoil;
    return NULL;
}

/* One for another kind of process than this is left out. */
static bool take_point(struct planned *entry, const char *name, const char *kind_name)
{
    bool of_peer = !strncmp(name, "peer:", 5);
    int function = find_name(function_names, FUNCTIONS, name + (of_peer ? 5 : 0));
    int kind = find_name(kind_names, ARRAY_SIZE(kind_names), kind_name);

    entry->point.function = function;
    entry->point.kind = kind;
    if (of_peer == is_peer) planned_count++;
    return function >= 0 && kind >= 0;
}

static bool take_line(const char *line)
{
    struct planned *entry = &planned[planned_count];
    char name[80], kind[20];
    unsigned answer;
    int fields = sscanf(line, "%63s %79s %ld %19s %x", entry->id, name, &entry->point.nth, kind,
                        &answer);

    entry->point.answer = (HRESULT)answer;
    if (fields == 5) return take_point(entry, name, kind);
    entry->spoil = find_mutant(name);
    planned_count++;
    return fields == 2 && entry->spoil;
}

static bool read_plan(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[300];
    bool good = file != NULL;

    while (good && fgets(line, sizeof(line), file))
        good = planned_count < (int)ARRAY_SIZE(planned) && take_line(line);
    if (file) fclose(file);
    return good;
}

static void use_plan(const char *id)
{
    int i;

    active = NULL;
    point = NULL;
    for (i = 0; i < planned_count; i++)
        if (!strcmp(planned[i].id, id))
        {
            active = planned[i].spoil;
            point = active ? NULL : &planned[i].point;
        }
}

bool load_plan(void)
{
    char path[1000] = "", file[1040];

    is_peer = strstr(GetCommandLineA(), " \"--role\" ") != NULL;
    if (GetEnvironmentVariableA("CIMFS_MUTANT_PLAN", path, sizeof(path)) && !read_plan(path))
        return false;
    use_plan("*");
    always = active != NULL;
    if (!GetEnvironmentVariableA("CIMFS_MUTANT_RECORD", path, sizeof(path))) return true;
    snprintf(file, sizeof(file), "%s\\%lu", path, GetCurrentProcessId());
    record_file = fopen(file, "a");
    return record_file != NULL;
}

bool has_plan(void)
{
    return planned_count || record_file;
}

LONG enter_call(const struct call *call)
{
    char id[ID_SIZE] = "";
    LONG nth;

    AcquireSRWLockExclusive(&lock);
    GetEnvironmentVariableA("CIMFS_CONFORMANCE_CASE", id, sizeof(id));
    if (strcmp(id, current))
    {
        strcpy(current, id);
        memset(counts, 0, sizeof(counts));
        /* While what a case left is cleared away, its book still tells which handle is whose. */
        if (*id) new_book();
        if (!always) use_plan(id);
    }
    nth = ++counts[call->function];
    ReleaseSRWLockExclusive(&lock);
    return nth;
}

void drop_outputs(const struct call *call)
{
    if (call->handle) *call->handle = NULL;
    if (call->got && call->buffer) memset(call->buffer, 0, (size_t)*call->got);
    if (call->got) *call->got = 0;
    if (call->left) *call->left = 0;
    if (call->info) memset(call->info, 0, sizeof(*call->info));
    if (call->exists) *call->exists = FALSE;
}

static bool came_out(const struct call *call)
{
    return (call->handle && *call->handle) || (call->got && *call->got) ||
           (call->left && *call->left) || call->info || (call->exists && *call->exists);
}

/* As names are compared; of long ones the beginning. */
static void put_name(PCWSTR text)
{
    int i;

    fputc('\t', record_file);
    for (i = 0; text && text[i] && i < 300; i++)
        if (text[i] > 32 && text[i] < 127)
            fputc(towlower(text[i]), record_file);
        else
            fprintf(record_file, "<%04x>", towlower(text[i]));
}

static void put_names(const struct call *call)
{
    WCHAR image[700] = L"";
    PCWSTR name = call->name ? call->name : call->existing;

    if (call->session)
        _snwprintf(image, ARRAY_SIZE(image) - 1, L"%ls\\%ls", call->session->dir,
                   call->session->name);
    else if (call->dir)
        _snwprintf(image, ARRAY_SIZE(image) - 1, name ? L"%ls\\%ls" : L"%ls", call->dir, name);
    put_name(image);
    put_name(call->path ? call->path : call->open ? call->open->path : NULL);
    put_name(call->target ? call->target : call->existing);
}

void record(const struct call *call, HRESULT hr)
{
    LARGE_INTEGER now;

    AcquireSRWLockExclusive(&lock);
    QueryPerformanceCounter(&now);
    if (record_file && *current)
    {
        fprintf(record_file, "%016llx\t%s\t%s%s\t%08lx\t%d\t%lu", (unsigned long long)now.QuadPart,
                current, is_peer ? "peer:" : "", function_names[call->function], (unsigned long)hr,
                OK(hr) && came_out(call), GetCurrentThreadId());
        put_names(call);
        fputc('\n', record_file);
        fflush(record_file); /* a peer may be killed */
    }
    ReleaseSRWLockExclusive(&lock);
}
