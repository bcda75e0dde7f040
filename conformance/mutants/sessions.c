/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sessions.c - mutants of how sessions begin and end, and of the files that they leave
 */
#include "mutant.h"

#define RESULT(hr) FAILURE(hr)
#define SPARE L"mutant.tmp" /* an image under another name */

static WCHAR *join_path(PCWSTR dir, PCWSTR name)
{
    WCHAR *path = malloc((wcslen(dir) + wcslen(name) + 2) * sizeof(WCHAR));

    wcscpy(path, dir);
    wcscat(path, L"\\");
    wcscat(path, name);
    return path;
}

static bool there(PCWSTR dir, PCWSTR name)
{
    WCHAR *path = join_path(dir, name);
    bool result = GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;

    free(path);
    return result;
}

static void save(PCWSTR dir, PCWSTR name, const char *text)
{
    WCHAR *path = join_path(dir, name);
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD done;

    if (file != INVALID_HANDLE_VALUE)
    {
        WriteFile(file, text, (DWORD)strlen(text), &done, NULL);
        CloseHandle(file);
    }
    free(path);
}

static void delete_in(PCWSTR dir, PCWSTR name)
{
    WCHAR *path = join_path(dir, name);

    DeleteFileW(path);
    free(path);
}

/* Calls with each file of the pattern. */
static int each_file(PCWSTR dir, PCWSTR pattern, void (*use)(PCWSTR path, void *), void *argument)
{
    WCHAR *glob = join_path(dir, pattern), *path;
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(glob, &data);
    int count = 0;

    free(glob);
    if (find == INVALID_HANDLE_VALUE) return 0;
    do
    {
        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) continue;
        path = join_path(dir, data.cFileName);
        if (use) use(path, argument);
        free(path);
        count++;
    } while (FindNextFileW(find, &data));
    FindClose(find);
    return count;
}

static bool starts(const struct call *call)
{
    return call->function == F_CreateImage || call->function == F_CreateImage2;
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* In a directory of its own, so that the real DLL lets it. */
static ULONG_PTR open_aside(struct call *call)
{
    static LONG count;
    WCHAR name[20], *aside;
    ULONG_PTR result;
    PCWSTR dir = call->dir, existing = call->existing;

    _snwprintf(name, ARRAY_SIZE(name), L"aside%ld", InterlockedIncrement(&count));
    aside = join_path(dir, name);
    CreateDirectoryW(aside, NULL);
    call->dir = aside;
    call->existing = NULL;
    if (!call->name) call->name = existing;
    result = forward(call);
    call->dir = dir;
    call->existing = existing;
    free(aside);
    return result;
}

/* text: NULL any second session is let in; '.' one that spells the directory otherwise; 'e' where
 * the first one isn't fresh */
ULONG_PTR second_session(struct call *call)
{
    size_t length = wcslen(call->dir);
    ULONG_PTR result = forward(call);
    bool spelt = length && (call->dir[length - 1] == '\\' || call->dir[length - 1] == '.');

    if ((HRESULT)result != HR_SHARING) return result;
    if (active->text && *active->text == '.' && !spelt) return result;
    if (active->text && *active->text == 'e' && sessions && sessions->mode == FRESH) return result;
    return open_aside(call);
}

ULONG_PTR one_session(struct call *call)
{
    struct session *session;

    for (session = sessions; session; session = session->next)
        if (!session->closed) return RESULT(HR_SHARING);
    return forward(call);
}

/* A session on an existing image begins with nothing. */
ULONG_PTR fresh_instead(struct call *call)
{
    PCWSTR existing = call->existing, name = call->name;
    ULONG_PTR result;

    if (starts(call))
    {
        bool extends = !name || !_wcsicmp(existing, name);

        if (!there(call->dir, existing)) return forward(call);
        call->existing = NULL;
        if (extends) call->name = SPARE;
        result = forward(call);
        call->existing = existing;
        call->name = name;
        return result;
    }
    result = forward(call);
    if (call->session && call->session->mode == EXTENDS && call->session->committed)
    {
        WCHAR *from = join_path(call->session->dir, SPARE);
        WCHAR *to = join_path(call->session->dir, call->session->name);

        MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING);
        free(from);
        free(to);
    }
    return result;
}

/* The fork's changes go into its base as well. */
ULONG_PTR fork_extends_base(struct call *call)
{
    PCWSTR name = call->name;
    ULONG_PTR result;

    if (starts(call))
    {
        if (there(call->dir, name)) return forward(call);
        call->name = NULL;
        result = forward(call);
        call->name = name;
        return result;
    }
    result = forward(call);
    if (call->function == F_CommitImage && OK(result) && call->session)
    {
        WCHAR *from = join_path(call->session->dir, call->session->existing);
        WCHAR *to = join_path(call->session->dir, call->session->name);

        CopyFileW(from, to, FALSE);
        free(from);
        free(to);
    }
    return result;
}

static struct session *fork_of(const struct call *call, bool by_name)
{
    struct session *session;

    for (session = sessions; session; session = session->next)
        if (session->mode == FORKS && session->committed && call->existing &&
            !_wcsicmp(session->dir, call->dir) &&
            !_wcsicmp(by_name ? session->name : session->existing, call->existing))
            break;
    return session;
}

/* text: 'n' the newest fork of the base is forked instead; 'r' a fork can't be forked, 'e' nor be
 * extended */
ULONG_PTR fork_of_fork(struct call *call)
{
    struct session *fork = fork_of(call, *active->text != 'n');
    bool forks = call->name && call->existing && _wcsicmp(call->name, call->existing);
    PCWSTR existing = call->existing;
    ULONG_PTR result;

    if (!fork || forks == (*active->text == 'e')) return forward(call);
    if (*active->text != 'n') return RESULT(HR_CORRUPT);
    call->existing = fork->name;
    result = forward(call);
    call->existing = existing;
    return result;
}

/* That a name is taken is noticed by the commit. */
ULONG_PTR exists_at_commit(struct call *call)
{
    static CIMFS_IMAGE_HANDLE late;
    PCWSTR name = call->name;
    ULONG_PTR result;

    if (call->function == F_CommitImage)
        return late && call->image == late ? RESULT(HR_FILE_EXISTS) : forward(call);
    result = forward(call);
    if ((HRESULT)result != HR_FILE_EXISTS) return result;
    call->name = SPARE;
    result = forward(call);
    call->name = name;
    late = OK(result) ? *call->handle : NULL;
    return result;
}

/* The image's file is there from the beginning. */
ULONG_PTR placeholder(struct call *call)
{
    ULONG_PTR result;

    if (call->function == F_CommitImage)
    {
        if (call->session && !call->session->open && !call->session->committed)
            delete_in(call->session->dir, call->session->name);
        return forward(call);
    }
    result = forward(call);
    if (OK(result)) save(call->dir, call->name, "");
    return result;
}

ULONG_PTR name_stays_taken(struct call *call)
{
    struct session *session;

    for (session = sessions; session; session = session->next)
        if (session->closed && !session->committed && !_wcsicmp(session->dir, call->dir) &&
            call->name && !_wcsicmp(session->name, call->name))
            return RESULT(HR_FILE_EXISTS);
    return forward(call);
}

ULONG_PTR makes_directory(struct call *call)
{
    CreateDirectoryW(call->dir, NULL);
    return forward(call);
}

ULONG_PTR fresh_if_missing(struct call *call)
{
    ULONG_PTR result = forward(call);
    PCWSTR existing = call->existing, name = call->name;

    if ((HRESULT)result != HR_FILE_NOT_FOUND || !existing) return result;
    call->existing = NULL;
    if (!name) call->name = existing;
    result = forward(call);
    call->existing = existing;
    call->name = name;
    return result;
}

/* text: 'i' only what is an image stays */
ULONG_PTR deletes_existing(struct call *call)
{
    ULONG_PTR result = forward(call);
    WIN32_FILE_ATTRIBUTE_DATA data;
    WCHAR *path;

    if ((HRESULT)result != HR_FILE_EXISTS) return result;
    path = join_path(call->dir, call->name);
    if (GetFileAttributesExW(path, GetFileExInfoStandard, &data) &&
        (!active->text || data.nFileSizeLow < 72))
        DeleteFileW(path);
    free(path);
    return forward(call);
}

static void move_up(PCWSTR path, void *dir)
{
    WCHAR *to = join_path(dir, wcsrchr(path, '\\') + 1);

    MoveFileW(path, to);
    free(to);
}

/* Fresh images are made in another directory, so that nothing holds this one. */
ULONG_PTR works_elsewhere(struct call *call)
{
    static WCHAR *aside;
    PCWSTR dir = call->dir;
    ULONG_PTR result;

    if (starts(call))
    {
        aside = join_path(dir, L"elsewhere");
        CreateDirectoryW(aside, NULL);
        call->dir = aside;
        result = forward(call);
        call->dir = dir;
        return result;
    }
    result = forward(call);
    if (aside && call->session)
    {
        each_file(aside, L"*", move_up, call->session->dir);
        RemoveDirectoryW(aside);
    }
    return result;
}

ULONG_PTR one_thread(struct call *call)
{
    static LONG first;
    LONG self = (LONG)GetCurrentThreadId();
    LONG was = InterlockedCompareExchange(&first, self, 0);

    /* The one that loaded the DLL makes the first call in all cases but those of threads. */
    return !was || was == self ? forward(call) : RESULT(E_FAIL);
}

/* number: the flags that aren't looked at */
ULONG_PTR flags_masked(struct call *call)
{
    UINT32 flags = call->flags;
    ULONG_PTR result;

    call->flags &= ~active->number;
    result = forward(call);
    call->flags = flags;
    return result;
}

/* ---- the end -------------------------------------------------------------------------------- */

ULONG_PTR close_commits(struct call *call)
{
    if (call->session && !call->session->committed && !call->session->closed)
        real.CommitImage(call->session->actual);
    return forward(call);
}

ULONG_PTR commit_at_close(struct call *call)
{
    if (call->function == F_CommitImage) return 0;
    if (call->session && call->session->committed && !call->session->closed)
        real.CommitImage(call->session->actual);
    return forward(call);
}

ULONG_PTR commit_closes(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (OK(result)) real.CloseImage(call->session->actual);
    return result;
}

/* number: 1 answers ERROR_SHARING_VIOLATION all the same */
ULONG_PTR commit_closes_stream(struct call *call)
{
    if (call->open && !call->open->closed) real.CloseStream(call->open->handle);
    return active->number ? RESULT(HR_SHARING) : forward(call);
}

/* Each file of an extension is in the image at once. */
ULONG_PTR commits_early(struct call *call)
{
    struct session *session = call->session;
    ULONG_PTR result = forward(call);

    if (!session || session->committed || session->closed) return result;
    real.CommitImage(session->actual);
    real.CloseImage(session->actual);
    real.CreateImage(session->dir, session->name, NULL, &session->actual);
    return result;
}

ULONG_PTR close_keeps_file(struct call *call)
{
    ULONG_PTR result = forward(call);
    WCHAR *path;

    if (!call->session || !call->session->committed) return result;
    path = join_path(call->session->dir, call->session->name);
    CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    free(path);
    return result;
}

ULONG_PTR close_closes_other(struct call *call)
{
    struct session *session;

    for (session = sessions; session; session = session->next)
        if (!session->closed)
        {
            real.CloseImage(session->actual);
            break;
        }
    return forward(call);
}

/* A handle of the other kind does for the one of the same session that fits. */
ULONG_PTR other_kind_does(struct call *call)
{
    struct call meant = *call;

    meant.open = call->other;
    meant.session = call->other->session;
    if (call->image)
        meant.image = meant.session->handle;
    else
        meant.stream = call->other->handle;
    return forward(&meant);
}

/* A closed handle is that of the newest session, or of its open stream. */
ULONG_PTR closed_is_newest(struct call *call)
{
    struct call meant = *call;

    meant.session = sessions;
    meant.open = sessions->open;
    if (call->image)
        meant.image = sessions->handle;
    else if (sessions->open)
        meant.stream = sessions->open->handle;
    return forward(&meant);
}

/* After a call that failed nothing more is possible. */
ULONG_PTR failure_breaks(struct call *call)
{
    ULONG_PTR result;

    if (call->session && call->session->broken) return RESULT(E_FAIL);
    result = forward(call);
    if (!OK(result) && call->session) call->session->broken = true;
    return result;
}

/* After a refused link the directory stays in use. */
ULONG_PTR refusal_locks(struct call *call)
{
    ULONG_PTR result;

    if (call->function == F_CloseImage)
        return call->session && call->session->broken ? 0 : forward(call);
    result = forward(call);
    if (!OK(result) && call->session) call->session->broken = true;
    return result;
}

/* ---- files, once an image is closed --------------------------------------------------------- */

static bool change_file(PCWSTR path, size_t offset, const void *bits, DWORD size)
{
    HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL,
                              OPEN_EXISTING, 0, NULL);
    BYTE old[16];
    DWORD done, i;

    if (file == INVALID_HANDLE_VALUE) return false;
    SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN);
    if (ReadFile(file, old, size, &done, NULL) && done == size)
    {
        for (i = 0; i < size; i++) old[i] ^= ((const BYTE *)bits)[i];
        SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN);
        WriteFile(file, old, size, &done, NULL);
    }
    CloseHandle(file);
    return true;
}

static void patch(PCWSTR path, void *argument)
{
    BYTE bits = (BYTE)active->number;

    (void)argument;
    change_file(path, active->offset, &bits, 1);
}

/* A byte of files; text: which, NULL the image's own */
ULONG_PTR file_patched(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (call->session && call->session->committed && !call->session->closed)
        each_file(call->session->dir, active->text ? active->text : call->session->name, patch,
                  NULL);
    return result;
}

ULONG_PTR file_extra(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (call->session) save(call->session->dir, active->text, "left");
    return result;
}

static void lose(PCWSTR path, void *argument)
{
    (void)argument;
    DeleteFileW(path);
}

ULONG_PTR files_lost(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (call->session) each_file(call->session->dir, active->text, lose, NULL);
    return result;
}

/* Same content takes room each time: as much as number bytes more for each file of the pattern. */
static void pad(PCWSTR path, void *argument)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);

    (void)argument;
    if (file == INVALID_HANDLE_VALUE) return;
    SetFilePointer(file, (LONG)active->number, NULL, FILE_END);
    SetEndOfFile(file);
    CloseHandle(file);
}

ULONG_PTR region_padded(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (call->session && call->session->committed)
        each_file(call->session->dir, L"region_*_0", pad, NULL);
    return result;
}

static bool read_at(PCWSTR path, size_t offset, void *data, DWORD size)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    DWORD done = 0;

    if (file == INVALID_HANDLE_VALUE) return false;
    SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN);
    ReadFile(file, data, size, &done, NULL);
    CloseHandle(file);
    return done == size;
}

struct guids
{
    PCWSTR not ;
    BYTE guid[16];
    bool found;
};

static void take_guid(PCWSTR path, void *argument)
{
    struct guids *guids = argument;

    if (_wcsicmp(path, guids->not )) guids->found = read_at(path, 32, guids->guid, 16);
}

/* The second image of a directory says that it has the first one's region set. */
ULONG_PTR guid_shared(struct call *call)
{
    struct guids guids = {0};
    ULONG_PTR result = forward(call);
    BYTE mine[16];
    WCHAR *path;
    int i;

    if (!call->session || !call->session->committed || call->session->closed) return result;
    guids.not = path = join_path(call->session->dir, call->session->name);
    each_file(call->session->dir, L"*.cim", take_guid, &guids);
    if (guids.found && read_at(path, 32, mine, 16))
    {
        for (i = 0; i < 16; i++) mine[i] ^= guids.guid[i];
        change_file(path, 32, mine, 16);
    }
    free(path);
    return result;
}

/* The header's first two parents change places. */
ULONG_PTR parents_swapped(struct call *call)
{
    ULONG_PTR result = forward(call);
    BYTE one[16], two[16];
    WCHAR *path;
    WORD count = 0;
    int i;

    if (!call->session || !call->session->committed || call->session->closed) return result;
    path = join_path(call->session->dir, call->session->name);
    read_at(path, 70, &count, 2);
    if (count > 1 && read_at(path, 72, one, 16) && read_at(path, 96, two, 16))
    {
        for (i = 0; i < 16; i++) one[i] ^= two[i];
        change_file(path, 72, one, 16);
        change_file(path, 96, one, 16);
    }
    free(path);
    return result;
}

/* ---- more of the beginning ------------------------------------------------------------------ */

ULONG_PTR handle_lost(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (OK(result)) real.CloseImage(*call->handle);
    if (call->handle) *call->handle = NULL;
    return result;
}

/* The extended image has another name, the existing one stays. */
ULONG_PTR extend_beside(struct call *call)
{
    PCWSTR name = call->name;
    ULONG_PTR result;

    call->name = L"beside.cim";
    result = forward(call);
    call->name = name;
    return result;
}
