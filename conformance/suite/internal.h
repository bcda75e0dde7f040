/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * internal.h - what the suite's own files share and cases don't see
 */
#ifndef CIM_SUITE_INTERNAL_H
#define CIM_SUITE_INTERNAL_H

#include "suite.h"

#define ROOM_MIB 1024     /* what a run needs on the disk of its work directory */
#define ROOM_LEFT_MIB 512 /* a case that leaves less is stopped */

struct options
{
    const WCHAR *dll; /* NULL: the system's */
    const WCHAR *json;
    const WCHAR *work; /* NULL: a new directory in the system's place */
    const WCHAR *export_to;
    const WCHAR *import_from;
    WCHAR *filters[256]; /* none: all cases */
    int filter_count;
    const WCHAR *disks[16]; /* numbers of disks that may be overwritten */
    int disk_count;
    bool tap;
    bool list;
    bool no_mount;
    bool keep;
    int timeout; /* seconds of silence, after which a case is taken to hang */
};
extern struct options options;

/* ---- registry.c */
extern struct suite_role *all_roles;
/* Sorted by file and line, those that the filters let pass; NULL at the end. Bad IDs end the
 * program. */
struct suite_case **selected_cases(void);
bool glob_match(const WCHAR *glob, const char *text);
const char *provenance_name(enum provenance provenance);
const char *check_limits(void); /* an ID in the list of Wine's limits that no case has, or NULL */

/* ---- api.c */
const char *load_dll(void); /* fills cim and facts; an error's text or NULL */
void system_facts(void);    /* the rest of facts */
struct export_entry
{
    const char *name; /* "CimCreateImage" */
    bool present;
    unsigned x86_bytes;
};
extern struct export_entry export_table[];
extern const int export_count;

/* ---- command.c */
/* Both append to the command; the value may be NULL: nothing is appended. */
void add_argument(WCHAR *command, size_t room, const WCHAR *argument);
void add_option(WCHAR *command, size_t room, const WCHAR *option, const WCHAR *value);

/* ---- mount.c */
/* CimMountImage's answer; the volume's root if it succeeded. */
HRESULT try_mount_image(const WCHAR *dir, const WCHAR *image, const WCHAR **volume);

/* ---- worker.c: in the process that runs cases */
/* Runs cases from the first on; none if there are no so many. */
int worker_main(HANDLE pipe, int first, WCHAR **leftover_guids);
int role_main(int argc, WCHAR **argv);
void send_line(const char *format, ...) PRINTF_LIKE(1, 2); /* to the parent */
/* What a case may do thousands of times says so, or one that is slow would be taken to hang. */
void alive(void);
_Noreturn void leave_case(void);
void send_skip(const char *format, ...) PRINTF_LIKE(1, 2);

/* ---- kit.c */
void kit_begin(const struct suite_case *entry, const WCHAR *work);
void kit_end(bool keep); /* closes, dismounts and removes what the case left */
void remove_tree(const WCHAR *dir);
/* Where a case works: not longer than MAX_PATH. */
void case_path(const struct suite_case *entry, const WCHAR *work, WCHAR path[MAX_PATH]);
bool parse_guid(const WCHAR *text, GUID *guid); /* with braces */

/* ---- run.c: in the first process */
enum result
{
    R_PASS,
    R_FAIL,
    R_SKIP,
    R_LIMIT,    /* failed as Wine's own limits make it */
    R_OBSERVED, /* not required: recorded */
    R_BLOCKED,  /* not required, and could not get to its subject */
};

struct value
{
    char *name;
    char *got;
    char *want; /* NULL: only seen */
    bool right;
    struct value *next;
};

struct outcome
{
    const struct suite_case *entry;
    bool required;
    enum result result;
    char *reason; /* why skipped, failed by other than a value, blocked; or NULL */
    bool crashed;
    bool hung;
    char *notes; /* lines, or NULL */
    struct value *values;
};

/* One for each, in the same order; NULL: interrupted. */
struct outcome *run_cases(struct suite_case **cases);
uint64_t room_mib(const WCHAR *dir); /* free on its disk; UINT64_MAX: unknown */
const char *result_name(const struct outcome *outcome);

/* ---- report.c */
struct totals
{
    int passed, failed, skipped, limits, observed;
};
void report_begin(void);
void report_case(const struct outcome *outcome, int number);
void report_end(const struct outcome *outcomes, const struct totals *totals);
void put_plain(FILE *file, const char *text); /* without control characters */
bool write_json(const WCHAR *path, const struct outcome *outcomes, const struct totals *totals);

#endif
