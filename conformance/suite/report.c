/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c - telling people and programs what was found
 *
 * For people: a table by function, after what failed and why. --tap: the Test Anything Protocol.
 * --json: everything, each value that was seen included; that file is what cimfs-compare reads.
 * Values come from a DLL that may be broken: whatever bytes they have, lines stay lines and JSON
 * stays JSON.
 */
#include "internal.h"

#define FORMAT_VERSION 1

static const char *limit_of(const struct outcome *outcome)
{
    return facts.wine ? wine_limit(outcome->entry->id) : NULL;
}

void report_begin(void)
{
    setvbuf(stdout, NULL, _IOLBF, 4096);
}

void put_plain(FILE *file, const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 32 || (unsigned char)*text >= 127)
            fprintf(file, "<%02x>", (unsigned char)*text);
        else
            putc(*text, file);
}

/* Before, text without control characters, behind. */
static void print_plain(const char *before, const char *text, const char *behind)
{
    fputs(before, stdout);
    put_plain(stdout, text);
    fputs(behind, stdout);
}

static void print_value(const char *prefix, const struct value *value)
{
    print_plain(prefix, value->name, ": ");
    print_plain(value->want && !value->right ? "got " : "", value->got, "");
    if (value->want && !value->right) print_plain(", want ", value->want, "");
    printf("\n");
}

/* All values of a case that failed, wrong ones first seen; of the others none. */
static void print_failure(const struct outcome *outcome, const char *prefix)
{
    const struct value *value;

    if (outcome->reason) print_plain(prefix, outcome->reason, "\n");
    for (value = outcome->values; value; value = value->next)
        if (value->want && !value->right) print_value(prefix, value);
    for (value = outcome->values; value; value = value->next)
        if (!value->want || value->right) print_value(prefix, value);
}

static void report_tap(const struct outcome *outcome, int number)
{
    const char *id = outcome->entry->id;

    switch (outcome->result)
    {
    case R_SKIP:
        printf("ok %d - %s # SKIP ", number, id);
        print_plain("", outcome->reason, "\n");
        break;
    case R_LIMIT:
        printf("not ok %d - %s # TODO limit of Wine: %s\n", number, id, limit_of(outcome));
        break;
    case R_FAIL:
        printf("not ok %d - %s\n# %s\n", number, id, outcome->entry->statement);
        print_failure(outcome, "#   ");
        break;
    case R_BLOCKED:
        printf("ok %d - %s # blocked: ", number, id);
        print_plain("", outcome->reason, "\n");
        break;
    default:
        printf("ok %d - %s%s", number, id, outcome->result == R_OBSERVED ? " # observed" : "");
        if (outcome->crashed || outcome->hung) print_plain(": ", outcome->reason, "");
        printf("\n");
    }
}

void report_case(const struct outcome *outcome, int number)
{
    const struct suite_case *entry = outcome->entry;

    if (options.tap)
        report_tap(outcome, number);
    else if (outcome->result == R_FAIL)
    {
        printf("FAILED %s (%s %s): %s\n", entry->id, provenance_name(entry->provenance),
               entry->source, entry->statement);
        print_failure(outcome, "    ");
    }
}

/* ---- the table ------------------------------------------------------------------------------ */

struct group
{
    char name[40];
    int counts[R_BLOCKED + 1];
};

static void print_groups(const struct outcome *outcomes)
{
    static struct group groups[80];
    int count = 0, i;

    for (; outcomes->entry; outcomes++)
    {
        int length = (int)strcspn(outcomes->entry->id, "/");

        for (i = 0; i < count; i++)
            if (!strncmp(groups[i].name, outcomes->entry->id, length) && !groups[i].name[length])
                break;
        if (i == (int)ARRAY_SIZE(groups)) continue;
        if (i == count) snprintf(groups[count++].name, 40, "%.*s", length, outcomes->entry->id);
        groups[i].counts[outcomes->result]++;
    }
    printf("\n%-26s %7s %7s %7s %7s %9s\n", "", "passed", "failed", "skipped", "limits",
           "observed");
    for (i = 0; i < count; i++)
        printf("%-26s %7d %7d %7d %7d %9d\n", groups[i].name, groups[i].counts[R_PASS],
               groups[i].counts[R_FAIL], groups[i].counts[R_SKIP], groups[i].counts[R_LIMIT],
               groups[i].counts[R_OBSERVED] + groups[i].counts[R_BLOCKED]);
}

static void print_exports(void)
{
    int i, present = 0;
    bool first = true;

    for (i = 0; i < export_count; i++) present += export_table[i].present;
    printf("\n%d of %d exports are there", present, export_count);
    for (i = 0; i < export_count; i++)
    {
        if (export_table[i].present) continue;
        printf("%s %s", first ? ", not" : "", export_table[i].name);
        first = false;
    }
    printf("\n");
}

static void print_limits(const struct outcome *outcomes, const struct totals *totals)
{
    if (!totals->limits) return;
    printf("\nWhat Wine itself can't do (required on Windows):\n");
    for (; outcomes->entry; outcomes++)
        if (outcomes->result == R_LIMIT)
            printf("    %-34s %s\n", outcomes->entry->id, limit_of(outcomes));
}

/* Cases that only observe, and in which the DLL crashed or hung: told, but no failures. */
static void print_crashes(const struct outcome *outcomes)
{
    bool first = true;

    for (; outcomes->entry; outcomes++)
    {
        if (outcomes->result != R_OBSERVED || !(outcomes->crashed || outcomes->hung)) continue;
        if (first) printf("\nWhere the DLL crashed or hung, though nothing was required:\n");
        first = false;
        printf("    %-34s ", outcomes->entry->id);
        print_plain("", outcomes->reason, "\n");
    }
}

static void print_skips(const struct outcome *outcomes, const struct totals *totals)
{
    if (!totals->skipped) return;
    printf("\nSkipped:\n");
    for (; outcomes->entry; outcomes++)
        if (outcomes->result == R_SKIP)
        {
            printf("    %-34s ", outcomes->entry->id);
            print_plain("", outcomes->reason, "\n");
        }
}

void report_end(const struct outcome *outcomes, const struct totals *totals)
{
    int count = 0;

    while (outcomes[count].entry) count++;
    if (options.tap)
        printf("1..%d\n", count);
    else
    {
        print_limits(outcomes, totals);
        print_crashes(outcomes);
        print_skips(outcomes, totals);
        print_groups(outcomes);
        print_exports();
        printf("%d required by documentation, headers or clients%s; %d only observed, %d limits of "
               "Wine\n",
               totals->passed + totals->failed + totals->limits,
               facts.ours ? ", or by our decisions" : "", totals->observed, totals->limits);
    }
    printf("%d passed, %d failed, %d skipped\n", totals->passed, totals->failed, totals->skipped);
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

static void put_json(FILE *file, const char *text)
{
    putc('"', file);
    for (; *text; text++)
    {
        if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < 32 || (unsigned char)*text >= 127)
            fprintf(file, "\\u%04x", (unsigned char)*text); /* bytes nobody promised to be UTF-8 */
        else
            putc(*text, file);
    }
    putc('"', file);
}

static void put_member(FILE *file, const char *indent, const char *name, const char *text)
{
    if (!text) return;
    fprintf(file, ",\n%s\"%s\": ", indent, name);
    put_json(file, text);
}

static void put_case(FILE *file, const struct outcome *outcome)
{
    const struct suite_case *entry = outcome->entry;
    const struct value *value;

    fprintf(file, "    {\n      \"id\": \"%s\"", entry->id);
    put_member(file, "      ", "statement", entry->statement);
    put_member(file, "      ", "provenance", provenance_name(entry->provenance));
    put_member(file, "      ", "source", entry->source);
    fprintf(file, ",\n      \"required\": %s", outcome->required ? "true" : "false");
    put_member(file, "      ", "result", result_name(outcome));
    put_member(file, "      ", "reason", outcome->reason);
    put_member(file, "      ", "notes", outcome->notes);
    if (limit_of(outcome)) put_member(file, "      ", "wine-limit", limit_of(outcome));
    fprintf(file, ",\n      \"values\": [");
    for (value = outcome->values; value; value = value->next)
    {
        fprintf(file, "%s\n        { \"name\": ", value == outcome->values ? "" : ",");
        put_json(file, value->name);
        fprintf(file, ", \"got\": ");
        put_json(file, value->got);
        if (value->want)
        {
            fprintf(file, ", \"want\": ");
            put_json(file, value->want);
            fprintf(file, ", \"right\": %s", value->right ? "true" : "false");
        }
        fprintf(file, " }");
    }
    fprintf(file, "%s]\n    }", outcome->values ? "\n      " : "");
}

/* What GetVersionEx would say if it told the truth. */
static void put_system(FILE *file)
{
    LONG(WINAPI * get_version)(OSVERSIONINFOW *);
    const char *(CDECL * wine_version)(void);
    OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof(version)};
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");

    get_version = (void *)GetProcAddress(ntdll, "RtlGetVersion");
    wine_version = (void *)GetProcAddress(ntdll, "wine_get_version");
    if (get_version) get_version(&version);
    fprintf(file, "  \"system\": {\n    \"windows\": \"%lu.%lu.%lu\"", version.dwMajorVersion,
            version.dwMinorVersion, version.dwBuildNumber);
    if (wine_version) put_member(file, "    ", "wine", wine_version());
    put_member(file, "    ", "architecture", sizeof(void *) == 8 ? "x86_64" : "i686");
    fprintf(file, ",\n    \"elevated\": %s\n  },\n", facts.elevated ? "true" : "false");
}

static void put_dll(FILE *file)
{
    int i;

    fprintf(file, "  \"dll\": {\n    \"ours\": %s", facts.ours ? "true" : "false");
    put_member(file, "    ", "path", narrow(facts.dll_path));
    fprintf(file, ",\n    \"exports\": {");
    for (i = 0; i < export_count; i++)
        fprintf(file, "%s\n      \"%s\": %s", i ? "," : "", export_table[i].name,
                export_table[i].present ? "true" : "false");
    fprintf(file, "\n    }\n  },\n");
}

bool write_json(const WCHAR *path, const struct outcome *outcomes, const struct totals *totals)
{
    FILE *file = _wfopen(path, L"wb");
    const struct outcome *outcome;
    bool good;

    if (!file) return false;
    fprintf(file, "{\n  \"format\": \"cimfs-conformance %d\",\n", FORMAT_VERSION);
    put_system(file);
    put_dll(file);
    fprintf(file,
            "  \"totals\": { \"passed\": %d, \"failed\": %d, \"skipped\": %d, \"limits\": %d, "
            "\"observed\": %d },\n  \"cases\": [\n",
            totals->passed, totals->failed, totals->skipped, totals->limits, totals->observed);
    for (outcome = outcomes; outcome->entry; outcome++)
    {
        put_case(file, outcome);
        fprintf(file, "%s\n", outcome[1].entry ? "," : "");
    }
    fprintf(file, "  ]\n}\n");
    good = !ferror(file);
    return !fclose(file) && good;
}
