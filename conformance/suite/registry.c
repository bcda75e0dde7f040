/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.c - the list of all cases
 *
 * CASE() and ROLE() register by constructors, whose order is the linker's; so that a run looks the
 * same wherever it was built, cases are sorted by their file's name and line. IDs are what
 * comparisons, filters and mutants hang on: one that is not unique or not of the form Group/Name
 * stops the program.
 */
#include "internal.h"

static struct suite_case *all_cases;
struct suite_role *all_roles;

void suite_add_case(struct suite_case *entry)
{
    entry->next = all_cases;
    all_cases = entry;
}

void suite_add_role(struct suite_role *entry)
{
    entry->next = all_roles;
    all_roles = entry;
}

const char *provenance_name(enum provenance provenance)
{
    static const char *const names[] = {"DOC", "HEADER", "CLIENT", "DECISION", "QUESTION"};

    return names[provenance];
}

/* '*' and '?' as everywhere; without regard to case. */
bool glob_match(const WCHAR *glob, const char *text)
{
    if (*glob == '*') return glob_match(glob + 1, text) || (*text && glob_match(glob, text + 1));
    if (!*text) return !*glob;
    if (*glob != '?' && towlower(*glob) != towlower((unsigned char)*text)) return false;
    return glob_match(glob + 1, text + 1);
}

/* Cases that exchange images run when they are asked for, alone: they need a directory. */
static bool selected(const struct suite_case *entry)
{
    bool exports = glob_match(L"ExportImages/*", entry->id);
    bool imports = glob_match(L"ImportImages/*", entry->id);
    int i;

    if (exports != (options.export_to != NULL) || imports != (options.import_from != NULL))
        return false;
    if (!options.filter_count) return true;
    for (i = 0; i < options.filter_count; i++)
        if (glob_match(options.filters[i], entry->id)) return true;
    return false;
}

static int compare_place(const void *a, const void *b)
{
    const struct suite_case *one = *(struct suite_case *const *)a;
    const struct suite_case *two = *(struct suite_case *const *)b;
    int order = strcmp(one->file, two->file);

    return order ? order : one->line - two->line;
}

static int compare_id(const void *a, const void *b)
{
    return strcmp((*(struct suite_case *const *)a)->id, (*(struct suite_case *const *)b)->id);
}

static int case_count(void)
{
    struct suite_case *entry;
    int count = 0;

    for (entry = all_cases; entry; entry = entry->next) count++;
    return count;
}

/* "Group/Name" of letters and digits. */
static bool good_id(const char *id)
{
    const char *slash = strchr(id, '/');

    if (!slash || slash == id || !slash[1] || strlen(id) > 60) return false;
    for (; *id; id++)
        if (id != slash && !(*id >= '0' && *id <= '9') && !((*id | 32) >= 'a' && (*id | 32) <= 'z'))
            return false;
    return true;
}

static void check_ids(struct suite_case **cases, int count)
{
    int i;

    qsort(cases, count, sizeof(*cases), compare_id);
    for (i = 0; i < count; i++)
    {
        const char *what = NULL;

        if (!good_id(cases[i]->id)) what = "is no Group/Name";
        if (i && !strcmp(cases[i - 1]->id, cases[i]->id)) what = "is there twice";
        if (!what) continue;
        fprintf(stderr, "cimfs-conformance: the ID %s %s (%s:%d)\n", cases[i]->id, what,
                cases[i]->file, cases[i]->line);
        exit(3);
    }
}

struct suite_case **selected_cases(void)
{
    struct suite_case **cases = calloc(case_count() + 1, sizeof(*cases));
    struct suite_case *entry;
    int count = 0, kept = 0, i;

    if (!cases) abort();
    for (entry = all_cases; entry; entry = entry->next) cases[count++] = entry;
    check_ids(cases, count);
    qsort(cases, count, sizeof(*cases), compare_place);
    for (i = 0; i < count; i++)
        if (selected(cases[i])) cases[kept++] = cases[i];
    cases[kept] = NULL;
    return cases;
}
