/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.c - other processes for cases: both ends of the line between a case and its peer
 *
 * A peer is this program again, with --role. It loads the same DLL and speaks by lines over its
 * standard input and output.
 */
#include "internal.h"
#include "kit.h"

#include <stdarg.h>

#define PEER_TIMEOUT_MS 30000

struct peer
{
    HANDLE process;
    HANDLE to;
    HANDLE from;
    char line[1200];
};

static struct peer *peers[16];

/* ---- the case's end ------------------------------------------------------------------------- */

static bool make_pipe(HANDLE *ours, HANDLE *theirs, bool we_read)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    HANDLE ends[2];

    if (!CreatePipe(&ends[0], &ends[1], &inherit, 0)) return false;
    *ours = ends[we_read ? 0 : 1];
    *theirs = ends[we_read ? 1 : 0];
    return SetHandleInformation(*ours, HANDLE_FLAG_INHERIT, 0);
}

static void keep_peer(struct peer *peer)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(peers) && peers[i]; i++)
    {
    }
    need(i < ARRAY_SIZE(peers), "too many peers");
    peers[i] = peer;
}

struct peer *peer_start(const char *role, const WCHAR *const *argv)
{
    static WCHAR command[8192];
    STARTUPINFOW startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process;
    struct peer *peer = calloc(1, sizeof(*peer));
    WCHAR self[MAX_PATH];
    bool started;

    need(peer && make_pipe(&peer->to, &startup.hStdInput, false) &&
                 make_pipe(&peer->from, &startup.hStdOutput, true),
         "can't make pipes");
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    GetModuleFileNameW(NULL, self, ARRAY_SIZE(self));
    command[0] = 0;
    add_argument(command, ARRAY_SIZE(command), self);
    add_option(command, ARRAY_SIZE(command), L"--role", format_wide(L"%hs", role));
    add_argument(command, ARRAY_SIZE(command), options.dll ? options.dll : L"");
    for (; *argv; argv++) add_argument(command, ARRAY_SIZE(command), *argv);
    started = CreateProcessW(self, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process);
    CloseHandle(startup.hStdInput);
    CloseHandle(startup.hStdOutput);
    need(started, "can't start a peer: error %lu", GetLastError());
    CloseHandle(process.hThread);
    peer->process = process.hProcess;
    keep_peer(peer);
    return peer;
}

/* One byte, or false at the end or after the time. */
static bool hear_byte(struct peer *peer, char *byte, ULONGLONG until)
{
    DWORD there, got;

    for (;;)
    {
        if (!PeekNamedPipe(peer->from, NULL, 0, NULL, &there, NULL)) return false;
        if (there) return ReadFile(peer->from, byte, 1, &got, NULL) && got;
        if (GetTickCount64() > until) return false;
        Sleep(2);
    }
}

const char *peer_hear(struct peer *peer)
{
    ULONGLONG until = GetTickCount64() + PEER_TIMEOUT_MS;
    size_t length = 0;
    char byte;

    while (length < sizeof(peer->line) - 1)
    {
        if (!hear_byte(peer, &byte, until)) return NULL;
        if (byte == '\n') break;
        if (byte != '\r') peer->line[length++] = byte;
    }
    peer->line[length] = 0;
    return peer->line;
}

HRESULT peer_hear_hr(struct peer *peer)
{
    const char *line = peer_hear(peer);

    need(line && !strncmp(line, "hr ", 3), "the other process said \"%s\" instead of an HRESULT",
         line ? line : "nothing");
    return (HRESULT)strtoul(line + 3, NULL, 16);
}

void peer_tell(struct peer *peer, const char *line)
{
    DWORD done;

    WriteFile(peer->to, line, (DWORD)strlen(line), &done, NULL);
    WriteFile(peer->to, "\n", 1, &done, NULL);
}

static void forget(struct peer *peer)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(peers); i++)
        if (peers[i] == peer) peers[i] = NULL;
    CloseHandle(peer->process);
    if (peer->to) CloseHandle(peer->to);
    CloseHandle(peer->from);
    free(peer);
}

int peer_end(struct peer *peer)
{
    DWORD status = 0;

    CloseHandle(peer->to);
    peer->to = NULL;
    if (WaitForSingleObject(peer->process, PEER_TIMEOUT_MS) != WAIT_OBJECT_0)
        TerminateProcess(peer->process, 97);
    WaitForSingleObject(peer->process, 10000);
    GetExitCodeProcess(peer->process, &status);
    forget(peer);
    return (int)status;
}

void peer_kill(struct peer *peer)
{
    TerminateProcess(peer->process, 96);
    WaitForSingleObject(peer->process, 10000);
    forget(peer);
}

void peers_end(void)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(peers); i++)
        if (peers[i]) peer_kill(peers[i]);
}

/* ---- the peer's end ---------------------------------------------------------------------------
 */

void peer_say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void peer_say_hr(HRESULT hr)
{
    peer_say("hr %08lx", (unsigned long)(DWORD)hr);
}

const char *role_hear(void)
{
    static char line[1200];

    if (!fgets(line, sizeof(line), stdin)) return NULL;
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

/* argv: the role's name, the DLL ("" for the system's), the arguments. */
int role_main(int argc, WCHAR **argv)
{
    struct suite_role *role;
    const char *error;

    if (argc < 2) return 2;
    if (*argv[1]) options.dll = argv[1];
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    system_facts();
    if ((error = load_dll()))
    {
        peer_say("%s", error);
        return 3;
    }
    for (role = all_roles; role; role = role->next)
    {
        WCHAR name[60];

        _snwprintf(name, ARRAY_SIZE(name), L"%hs", role->name);
        if (!wcscmp(name, argv[0])) return role->run(argc - 2, argv + 2);
    }
    peer_say("no role %ls", argv[0]);
    return 2;
}
