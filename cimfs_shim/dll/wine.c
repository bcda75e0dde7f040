/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wine.c - the Unix side of Wine: its paths, and native programs
 *
 * What Wine adds to ntdll and kernel32 for that is looked up when it is needed, so that this DLL
 * loads on Windows as well. A native program is run by ntdll's __wine_unix_spawnvp(), which waits
 * and tells the exit code. Where that is missing CreateProcessW() starts it, but Wine then knows
 * nothing of the process: no handle, no exit code. So a shell runs it and writes the exit code to a
 * file, for which we wait.
 *
 * A native program sees the Unix environment of this process, not the one that Win32 programs
 * change, and the Unix working directory: what it has to know must be in its arguments.
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

typedef LONG(WINAPI *spawnvp_fn)(char *const argv[], int wait);
typedef char *(__cdecl *get_unix_name_fn)(const WCHAR *path);
typedef WCHAR *(__cdecl *get_dos_name_fn)(const char *path);
typedef const char *(__cdecl *get_version_fn)(void);

/* For the exit code of a program started without __wine_unix_spawnvp(): unpacking a large image
 * takes minutes, so this ends only what would never end. */
#define POLL_MS 10
#define POLL_END_MS (30 * 60 * 1000)

static void *find_export(const char *dll, const char *name)
{
    HMODULE module = GetModuleHandleA(dll);

    return module ? (void *)GetProcAddress(module, name) : NULL;
}

bool wine_present(void)
{
    return find_export("ntdll.dll", "__wine_unix_spawnvp") ||
           find_export("ntdll.dll", "wine_get_version");
}

char *wine_unix_path(PCWSTR path)
{
    get_unix_name_fn get = (get_unix_name_fn)find_export("kernel32.dll", "wine_get_unix_file_name");
    char *found = get ? get(path) : NULL;
    char *result = found ? _strdup(found) : NULL;

    if (found) HeapFree(GetProcessHeap(), 0, found);
    return result;
}

static bool unix_directory_exists(const char *path)
{
    get_dos_name_fn get = (get_dos_name_fn)find_export("kernel32.dll", "wine_get_dos_file_name");
    WCHAR *dos = get ? get(path) : NULL;
    DWORD attributes = dos ? GetFileAttributesW(dos) : INVALID_FILE_ATTRIBUTES;

    if (dos) HeapFree(GetProcessHeap(), 0, dos);
    return attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY;
}

char *wine_dosdevices(void)
{
    WCHAR *config = get_environment(L"WINECONFIGDIR");
    char *path = find_dosdevices(config, wine_unix_path, unix_directory_exists);

    free(config);
    return path;
}

/* ---- what this Wine is like ---- */

/* Is it at least that? ("10.19", "10.0-rc3"; a version that can't be read is taken for new.) */
static bool wine_at_least(unsigned major, unsigned minor)
{
    get_version_fn get = (get_version_fn)find_export("ntdll.dll", "wine_get_version");
    const char *version = get ? get() : "";
    char *end;
    unsigned long found = strtoul(version, &end, 10);

    if (end == version || found > major) return true;
    return found == major && *end == '.' && strtoul(end + 1, NULL, 10) >= minor;
}

const char *wine_reparse_form(void)
{
    return wine_at_least(10, 19) ? "wine" : "links";
}

/* ---- without __wine_unix_spawnvp() ---- */

struct command
{
    WCHAR text[32768];
    size_t units;
    bool too_long;
};

static void put_unit(struct command *command, WCHAR unit)
{
    if (command->units + 1 >= ARRAYSIZE(command->text))
        command->too_long = true;
    else
        command->text[command->units++] = unit;
}

/* One argument, quoted so that Wine splits the line as it was put together: a backslash is itself
 * but in front of a quote. */
static void put_argument(struct command *command, const WCHAR *arg)
{
    size_t backslashes = 0;

    if (command->units) put_unit(command, ' ');
    put_unit(command, '"');
    for (; *arg; arg++)
    {
        size_t extra = *arg == '"' ? backslashes + 1 : 0;

        while (extra--) put_unit(command, '\\');
        backslashes = *arg == '\\' ? backslashes + 1 : 0;
        put_unit(command, *arg);
    }
    while (backslashes--) put_unit(command, '\\');
    put_unit(command, '"');
}

static void put_bytes(struct command *command, const char *arg)
{
    int units = MultiByteToWideChar(CP_UTF8, 0, arg, -1, NULL, 0);
    WCHAR *wide = units > 0 ? malloc((size_t)units * sizeof(*wide)) : NULL;

    if (wide && MultiByteToWideChar(CP_UTF8, 0, arg, -1, wide, units) == units)
        put_argument(command, wide);
    else
        command->too_long = true;
    free(wide);
}

/* Wait for the shell to write the program's exit code to @path; -1: it never came. */
static int wait_for_code(PCWSTR path)
{
    ULONGLONG end = GetTickCount64() + POLL_END_MS;
    char text[16];

    do
    {
        if (read_small_file(path, text, sizeof(text)) && text[0] >= '0' && text[0] <= '9')
        {
            DeleteFileW(path);
            return atoi(text);
        }
        Sleep(POLL_MS);
    } while (GetTickCount64() < end);
    return -1;
}

static int run_by_shell(char *const argv[])
{
    static const WCHAR script[] =
            L"f=$1; shift; \"$@\"; echo $? >\"$f.new\"; mv -f \"$f.new\" \"$f\"";
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process = {NULL, NULL, 0, 0}; /* Wine leaves garbage in it: not for use */
    struct command *command = malloc(sizeof(*command));
    WCHAR code_path[TEMP_ROOM];
    char *unix_code_path = NULL;
    int code = -1;

    if (!command || !temp_name(L"code", code_path)) goto free_command;
    unix_code_path = wine_unix_path(code_path);
    if (!unix_code_path) goto free_command;
    command->units = 0;
    command->too_long = false;
    put_argument(command, L"sh");
    put_argument(command, L"-c");
    put_argument(command, script);
    put_argument(command, L"sh");
    put_bytes(command, unix_code_path);
    for (; *argv; argv++) put_bytes(command, *argv);
    command->text[command->units] = 0;
    if (!command->too_long &&
        CreateProcessW(L"\\\\?\\unix\\bin\\sh", command->text, NULL, NULL, FALSE, DETACHED_PROCESS,
                       NULL, NULL, &startup, &process))
        code = wait_for_code(code_path);
    free(unix_code_path);
free_command:
    free(command);
    /* the shell's own: not executable, not found */
    return code == 126 || code == 127 ? -1 : code;
}

int wine_run(char *const argv[])
{
    spawnvp_fn spawnvp = (spawnvp_fn)find_export("ntdll.dll", "__wine_unix_spawnvp");
    LONG code;

    if (!spawnvp) return run_by_shell(argv);
    code = spawnvp(argv, 1);
    return code < 0 ? -1 : (int)code;
}
