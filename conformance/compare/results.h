/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * results.h - a run's results, as cimfs-conformance --json wrote them
 */
#ifndef CIM_COMPARE_RESULTS_H
#define CIM_COMPARE_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct value
{
    const char *name;
    const char *got;
    const char *want; /* NULL: only seen */
    bool right;
};

struct result
{
    const char *id;
    const char *statement;
    const char *provenance;
    const char *source;
    const char *result;
    const char *reason; /* "" if there is none */
    const char *limit;  /* the limit of Wine that excuses it, or "" */
    bool required;
    struct value *values;
    size_t value_count;
};

struct export_entry
{
    const char *name;
    bool present;
};

struct run
{
    const char *path;
    char *text;          /* the file; what follows points into it */
    const char *windows; /* "10.0.26100" */
    const char *wine;    /* "" on Windows */
    const char *architecture;
    bool ours; /* the DLL is this project's */
    struct export_entry *exports;
    size_t export_count;
    struct result *results; /* sorted by ID */
    size_t result_count;
};

/* Reads a file; an error's text, or NULL. run_free() frees what it holds, also after an error. */
const char *run_load(struct run *run, const char *path);
void run_free(struct run *run);
const struct result *run_find(const struct run *run, const char *id);
const struct value *result_find(const struct result *result, const char *name);
#define LABEL_SIZE 300
/* "Wine 8.0 (x86_64), this project's DLL", in @label, which is returned. */
const char *run_label(const struct run *run, char label[LABEL_SIZE]);

#endif
