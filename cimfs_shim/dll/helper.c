/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper.c - cimfs-mount, the native program that serves mounted images
 *
 * It is run once for each mount and each dismount, and returns when that is done; a server for the
 * mount stays behind. Its exit code is 0, or HELPER_FAILED plus libcim's status; the file that
 * --status names then holds the cause in a line, or "ok BACKEND DIRECTORY" and perhaps a line
 * "note TEXT" that the user should see: that there is no FUSE, and the volume a copy. What the
 * program has to say goes there, and to the trace, not to stderr, which is the Windows program's.
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

#define HELPER_FAILED 64
/* It doesn't know an argument: one of another version, for this DLL asks for nothing else. */
#define HELPER_USAGE 2
#define STATUS_ROOM 6000 /* a path and a line */

extern IMAGE_DOS_HEADER __ImageBase; /* this DLL, by the linker */

/* DIR/NAME, to be freed; NULL if out of memory or without DIR. */
static char *join(const char *dir, const char *name)
{
    size_t size = dir ? strlen(dir) + strlen(name) + 2 : 0;
    char *path = dir ? malloc(size) : NULL;

    if (path) snprintf(path, size, "%s/%s", dir, name);
    return path;
}

/* The Unix directory that this DLL was loaded from. */
static char *dll_directory(void)
{
    WCHAR path[4096], *end;
    DWORD units = GetModuleFileNameW((HMODULE)&__ImageBase, path, ARRAYSIZE(path));

    if (!units || units >= ARRAYSIZE(path)) return NULL;
    end = wcsrchr(path, '\\');
    if (!end) return NULL;
    *end = 0;
    return wine_unix_path(path);
}

static char *helper_from_environment(PCWSTR value)
{
    return value[0] == '/' ? wtf8_from_wide(value) : wine_unix_path(value);
}

/* Where the helper may be, in the order of trying: what CIMFS_MOUNT_HELPER says and nothing else;
 * where scripts/install-wine puts it; beside this DLL and above (the build tree); in the PATH. */
enum
{
    CANDIDATES = 4
};

static void find_candidates(const char *dosdevices, char *candidates[CANDIDATES])
{
    const bool is_set = GetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", NULL, 0) > 1;
    WCHAR *wanted = get_environment(L"CIMFS_MOUNT_HELPER");
    char *dir;

    memset(candidates, 0, CANDIDATES * sizeof(*candidates));
    if (wanted) candidates[0] = helper_from_environment(wanted);
    free(wanted);
    if (is_set) return; /* nothing else, also where there is no memory to read it */
    candidates[0] = join(dosdevices, "../cimfs/bin/cimfs-mount");
    dir = dll_directory();
    candidates[1] = join(dir, "cimfs-mount");
    candidates[2] = join(dir, "../cimfs-mount");
    free(dir);
    candidates[3] = _strdup("cimfs-mount");
}

/* Run the first candidate that can be started, with argv[1] and so on: @text, of STATUS_ROOM bytes,
 * tells which; -1: there is none, and it tells what was tried. */
static int run_first(const char *dosdevices, char *argv[], char *text)
{
    char *candidates[CANDIDATES];
    size_t len = 0;
    int i, code = -1;

    text[0] = 0;
    find_candidates(dosdevices, candidates);
    for (i = 0; i < CANDIDATES; i++)
    {
        argv[0] = candidates[i];
        if (code < 0 && argv[0])
        {
            code = wine_run(argv);
            if (code >= 0) len = 0;
            snprintf(text + len, STATUS_ROOM - len, "%s%s", len ? ", " : "", argv[0]);
            len += strlen(text + len);
        }
        free(candidates[i]);
    }
    argv[0] = NULL;
    return code;
}

/* No helper: which one was wanted, or where it was looked for. */
static enum cim_status no_helper(const char *tried, struct cim_error *err)
{
    WCHAR *wanted = get_environment(L"CIMFS_MOUNT_HELPER");
    char *name = wanted ? wtf8_from_wide(wanted) : NULL;
    enum cim_status status;

    if (wanted)
        status = fail(err, CIM_E_UNSUPPORTED,
                      "the helper that CIMFS_MOUNT_HELPER names can't be started: %s",
                      name ? name : tried);
    else
        status = fail(err, CIM_E_UNSUPPORTED,
                      "no helper cimfs-mount can be started (CIMFS_MOUNT_HELPER may name it); "
                      "tried: %s",
                      tried);
    free(name);
    free(wanted);
    return status;
}

/* @text: what was started, or if that failed what was tried; or what the helper said. */
static enum cim_status status_of(int code, const char *text, struct cim_error *err)
{
    if (!code) return CIM_OK;
    if (code < 0) return no_helper(text, err);
    if (code == HELPER_USAGE)
        return fail(err, CIM_E_UNSUPPORTED,
                    "%s is of another version than this cimfs.dll, which is %s: install both anew",
                    text, cim_version());
    if (code <= HELPER_FAILED || code >= HELPER_FAILED + CIM_STATUS_COUNT)
        return fail(err, CIM_E_IO, "cimfs-mount ended with status %d%s%s", code, *text ? ": " : "",
                    text);
    return fail(err, (enum cim_status)(code - HELPER_FAILED), "%s",
                *text ? text : "cimfs-mount failed");
}

/* What the helper has to say of a success besides its answer. */
static void trace_notes(const char *text)
{
    const char *note = strstr(text, "\nnote ");

    if (note) trace_note("%.*s", (int)strcspn(note + 6, "\n"), note + 6);
}

/* All arguments, argv[0] still to come; to be freed but not what they point to. NULL: out of
 * memory.
 */
static char **make_argv(const char *dosdevices, const char *const args[], char *status_path)
{
    const char *const common[] = {"--dosdevices", dosdevices, "--dll-version", cim_version()};
    size_t count = 0, next = 1;
    char **argv;

    while (args[count]) count++;
    argv = calloc(1 + count + 4 + 2 + 1, sizeof(*argv));
    if (!argv) return NULL;
    memcpy(argv + next, args, count * sizeof(*argv));
    next += count;
    memcpy(argv + next, common, sizeof(common));
    next += 4;
    if (!status_path) return argv;
    argv[next++] = (char *)"--status";
    argv[next] = status_path;
    return argv;
}

enum cim_status helper_run(const char *dosdevices, const char *const args[], char *answer,
                           struct cim_error *err)
{
    WCHAR status_path[TEMP_ROOM];
    bool has_status = temp_name(L"status", status_path);
    char *unix_status_path = has_status ? wine_unix_path(status_path) : NULL;
    char **argv = make_argv(dosdevices, args, unix_status_path), text[STATUS_ROOM];
    int code;

    if (!argv)
    {
        free(unix_status_path);
        return fail(err, CIM_E_NO_MEMORY, "out of memory");
    }
    code = run_first(dosdevices, argv, text);
    free(argv);
    if (code >= 0 && code != HELPER_USAGE)
    {
        text[0] = 0;
        if (unix_status_path) read_small_file(status_path, text, sizeof(text));
    }
    if (unix_status_path) DeleteFileW(status_path); /* whoever wrote it */
    free(unix_status_path);
    if (!code) trace_notes(text);
    text[strcspn(text, "\r\n")] = 0;
    snprintf(answer, HELPER_ANSWER, "%s", text);
    end_at_character(answer);
    return status_of(code, text, err);
}
