/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compare.c - cimfs-compare: two runs of the conformance suite, side by side
 *
 * A case differs if a value that both runs saw differs, if a value was seen in one alone, or if its
 * results do (a case skipped here and run there). That one of the two was required and the other
 * only recorded is no difference: "pass" and "observed" with equal values are the same behaviour.
 */
#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
        "usage: cimfs-compare [--markdown] A.json B.json\n"
        "\n"
        "Lists every case in which two runs of cimfs-conformance --json differ, with both values\n"
        "and where the expected answer comes from. --markdown writes it as a parity report.\n"
        "Exit status: 0 no difference, 1 differences, 2 trouble.\n";

enum kind
{
    SAME,
    DIFFERENT,
    ONLY_A,
    ONLY_B,
};

/* What a case shows of the DLL, whatever was asked of it. */
static bool has_run(const struct result *result)
{
    return strcmp(result->result, "skip") && strcmp(result->result, "blocked");
}

static bool broke(const struct result *result)
{
    return !strcmp(result->result, "crash") || !strcmp(result->result, "hang");
}

static bool values_differ(const struct result *a, const struct result *b)
{
    size_t i;

    for (i = 0; i < a->value_count; i++)
    {
        const struct value *other = result_find(b, a->values[i].name);

        if (!other || strcmp(a->values[i].got, other->got)) return true;
    }
    for (i = 0; i < b->value_count; i++)
        if (!result_find(a, b->values[i].name)) return true;
    return false;
}

static bool differ(const struct result *a, const struct result *b)
{
    if (has_run(a) != has_run(b) || broke(a) != broke(b)) return true;
    if (!has_run(a)) return strcmp(a->result, b->result) != 0;
    return values_differ(a, b);
}

/* ---- walking both runs ------------------------------------------------------------------------
 */

struct totals
{
    int count[ONLY_B + 1];
};

typedef void print_case(enum kind kind, const struct result *a, const struct result *b);

static enum kind kind_of(const struct result *a, const struct result *b)
{
    if (!b) return ONLY_A;
    if (!a) return ONLY_B;
    return differ(a, b) ? DIFFERENT : SAME;
}

/* Calls "print" for each case of that provenance (NULL: any) that isn't the same. */
static void walk(const struct run *a, const struct run *b, const char *provenance,
                 struct totals *totals, print_case *print)
{
    size_t i = 0, j = 0;

    while (i < a->result_count || j < b->result_count)
    {
        const struct result *one = i < a->result_count ? &a->results[i] : NULL;
        const struct result *two = j < b->result_count ? &b->results[j] : NULL;
        int order = !one ? 1 : !two ? -1 : strcmp(one->id, two->id);
        enum kind kind;

        if (order > 0) one = NULL;
        if (order < 0) two = NULL;
        if (one) i++;
        if (two) j++;
        if (provenance && strcmp((one ? one : two)->provenance, provenance)) continue;
        kind = kind_of(one, two);
        if (totals) totals->count[kind]++;
        if (print && kind != SAME) print(kind, one, two);
    }
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void print_reason(const char *which, const struct result *result)
{
    printf("    %s: %s%s%s\n", which, result->result, *result->reason ? ": " : "", result->reason);
}

static void print_values(const struct result *a, const struct result *b)
{
    size_t i;

    for (i = 0; i < a->value_count; i++)
    {
        const struct value *value = &a->values[i], *other = result_find(b, value->name);

        if (other && !strcmp(value->got, other->got)) continue;
        printf("    %s\n        A %s\n        B %s\n", value->name, value->got,
               other ? other->got : "(not seen)");
        if (value->want) printf("        expected %s\n", value->want);
    }
    for (i = 0; i < b->value_count; i++)
        if (!result_find(a, b->values[i].name))
            printf("    %s\n        A (not seen)\n        B %s\n", b->values[i].name,
                   b->values[i].got);
}

static void print_text(enum kind kind, const struct result *a, const struct result *b)
{
    const struct result *any = a ? a : b;

    printf("%s (%s %s): %s\n", any->id, any->provenance, any->source, any->statement);
    if (kind != DIFFERENT)
    {
        printf("    only in %s\n", a ? "A" : "B");
        return;
    }
    if (strcmp(a->result, b->result) || *a->reason || *b->reason)
    {
        print_reason("A", a);
        print_reason("B", b);
    }
    if (has_run(a) && has_run(b)) print_values(a, b);
}

static void print_exports(const struct run *a, const struct run *b, const char *format)
{
    size_t i, j;

    for (i = 0; i < a->export_count; i++)
        for (j = 0; j < b->export_count; j++)
            if (!strcmp(a->exports[i].name, b->exports[j].name) &&
                a->exports[i].present != b->exports[j].present)
                printf(format, a->exports[i].name, a->exports[i].present ? "A" : "B");
}

static void report_text(const struct run *a, const struct run *b, struct totals *totals)
{
    char labels[2][LABEL_SIZE];

    printf("A: %s: %s\nB: %s: %s\n\n", a->path, run_label(a, labels[0]), b->path,
           run_label(b, labels[1]));
    print_exports(a, b, "export %s: only in %s\n");
    walk(a, b, NULL, totals, print_text);
}

/* ---- Markdown ---------------------------------------------------------------------------------
 */

static void put_cell(const char *text)
{
    for (; *text; text++)
    {
        if (*text == '|' || *text == '<' || *text == '*' || *text == '_' || *text == '\\')
            putchar('\\');
        putchar(*text == '\n' ? ' ' : *text);
    }
}

static void put_row(const char *id, const char *what, const char *a, const char *b)
{
    printf("| %s | ", id);
    put_cell(what);
    printf(" | ");
    put_cell(a);
    printf(" | ");
    put_cell(b);
    printf(" |\n");
}

static const char *outcome_text(const struct result *result)
{
    static char buffers[2][400];
    static unsigned next;
    char *buffer = buffers[next++ % 2];

    if (!result) return "(no such case)";
    snprintf(buffer, sizeof(buffers[0]), "%s%s%s", result->result, *result->reason ? ": " : "",
             result->reason);
    return buffer;
}

static void print_markdown(enum kind kind, const struct result *a, const struct result *b)
{
    const struct result *any = a ? a : b;
    char title[400];
    size_t i;

    snprintf(title, sizeof(title), "%s (%s)", any->statement, any->source);
    if (kind != DIFFERENT || has_run(a) != has_run(b) || broke(a) || broke(b) || !has_run(a))
    {
        put_row(any->id, title, outcome_text(a), outcome_text(b));
        return;
    }
    put_row(any->id, title, "", "");
    for (i = 0; i < a->value_count; i++)
    {
        const struct value *other = result_find(b, a->values[i].name);

        if (!other || strcmp(a->values[i].got, other->got))
            put_row("", a->values[i].name, a->values[i].got, other ? other->got : "(not seen)");
    }
    for (i = 0; i < b->value_count; i++)
        if (!result_find(a, b->values[i].name))
            put_row("", b->values[i].name, "(not seen)", b->values[i].got);
}

static void count_cases(const struct run *run, const char *provenance, int counts[3])
{
    size_t i;

    memset(counts, 0, 3 * sizeof(*counts));
    for (i = 0; i < run->result_count; i++)
    {
        const struct result *result = &run->results[i];

        if (strcmp(result->provenance, provenance)) continue;
        counts[0]++;
        counts[1] += !strcmp(result->result, "fail") || broke(result);
        counts[2] += !has_run(result);
    }
}

static void report_markdown(const struct run *a, const struct run *b, struct totals *totals)
{
    static const struct
    {
        const char *provenance;
        const char *title;
    } parts[] = {
            {"DOC", "What the documentation says"},
            {"HEADER", "What public headers say"},
            {"CLIENT", "What Microsoft's clients rely on"},
            {"DECISION", "What this project decided where nobody says"},
            {"QUESTION", "Open questions"},
    };
    char labels[2][LABEL_SIZE];
    size_t i;

    printf("# Parity report\n\n- A: %s\n- B: %s\n\n", run_label(a, labels[0]),
           run_label(b, labels[1]));
    printf("| provenance | same | different | only in A | only in B | A: cases, failed, not run | "
           "B: cases, failed, not run |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for (i = 0; i < ARRAY_SIZE(parts); i++)
    {
        struct totals part = {0};
        int in_a[3], in_b[3];

        count_cases(a, parts[i].provenance, in_a);
        count_cases(b, parts[i].provenance, in_b);
        walk(a, b, parts[i].provenance, &part, NULL);
        printf("| %s | %d | %d | %d | %d | %d, %d, %d | %d, %d, %d |\n", parts[i].provenance,
               part.count[SAME], part.count[DIFFERENT], part.count[ONLY_A], part.count[ONLY_B],
               in_a[0], in_a[1], in_a[2], in_b[0], in_b[1], in_b[2]);
    }
    printf("\n");
    print_exports(a, b, "- `%s` is exported only by %s\n");
    for (i = 0; i < ARRAY_SIZE(parts); i++)
    {
        struct totals part = {0};

        walk(a, b, parts[i].provenance, &part, NULL);
        if (part.count[DIFFERENT] + part.count[ONLY_A] + part.count[ONLY_B])
        {
            printf("\n## %s\n\n| case | what | A | B |\n| --- | --- | --- | --- |\n",
                   parts[i].title);
            walk(a, b, parts[i].provenance, NULL, print_markdown);
        }
    }
    walk(a, b, NULL, totals, NULL);
    printf("\n");
}

/* ---- the command line -------------------------------------------------------------------------
 */

static _Noreturn void wrong_usage(const char *what)
{
    fprintf(stderr, "cimfs-compare: %s (--help tells more)\n", what);
    exit(2);
}

static bool load(struct run *run, const char *path)
{
    const char *error = run_load(run, path);

    if (error) fprintf(stderr, "cimfs-compare: %s %s\n", path, error);
    return !error;
}

/* The exit status. */
static int compare(const struct run *a, const struct run *b, bool markdown)
{
    struct totals totals = {0};

    if (markdown)
        report_markdown(a, b, &totals);
    else
        report_text(a, b, &totals);
    printf("%d cases the same, %d different, %d only in A, %d only in B\n", totals.count[SAME],
           totals.count[DIFFERENT], totals.count[ONLY_A], totals.count[ONLY_B]);
    if (fflush(stdout) || ferror(stdout))
    {
        fprintf(stderr, "cimfs-compare: can't write the report\n");
        return 2;
    }
    return totals.count[DIFFERENT] + totals.count[ONLY_A] + totals.count[ONLY_B] ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *paths[2] = {NULL, NULL};
    struct run a = {0}, b = {0};
    bool markdown = false;
    int i, count = 0, code = 2;

    for (i = 1; i < argc; i++)
    {
        if (!strcmp(argv[i], "--markdown"))
            markdown = true;
        else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
        {
            fputs(usage_text, stdout);
            return 0;
        }
        else if (argv[i][0] == '-')
            wrong_usage("unknown option");
        else if (count == 2)
            wrong_usage("more than two files");
        else
            paths[count++] = argv[i];
    }
    if (count < 2) wrong_usage("two files are needed");
    if (load(&a, paths[0]) && load(&b, paths[1])) code = compare(&a, &b, markdown);
    run_free(&b);
    run_free(&a);
    return code;
}
