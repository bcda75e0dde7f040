/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * when.c - whether the spoilt behaviour is due in a call
 */
#include "mutant.h"

bool glob_wide(PCWSTR glob, PCWSTR text)
{
    if (!text) return false;
    if (*glob == '*') return glob_wide(glob + 1, text) || (*text && glob_wide(glob, text + 1));
    if (!*text) return !*glob;
    if (*glob != '?' && towlower(*glob) != towlower(*text)) return false;
    return glob_wide(glob + 1, text + 1);
}

/* Handles that nobody gave out; never NULL, never one of the real DLL's. */
void *fake_handle(void)
{
    static LONG count;

    return (void *)(ULONG_PTR)(0x7ead0000u + (unsigned)InterlockedIncrement(&count) * 8);
}

/* The item that a path or a stream's path names. */
static enum kind item_kind(const struct call *call, PCWSTR path)
{
    WCHAR *plain = _wcsdup(path), *colon = wcschr(plain, ':');
    enum kind kind;

    if (colon) *colon = 0;
    kind = kind_at(call->session, plain);
    free(plain);
    return kind;
}

static unsigned path_conditions(const struct call *call)
{
    unsigned holds = 0;
    enum kind kind;

    if (!call->path) return 0;
    if (wcschr(plain_path(call->path), '\\')) holds |= NESTED;
    if (wcschr(call->path, ':')) holds |= NAMES_STREAM;
    if (!call->session) return holds;
    kind = kind_at(call->session, call->path);
    if (kind != NOTHING) holds |= kind == DIRECTORY ? OVER_DIRECTORY : OVER_FILE;
    if (item_kind(call, call->path) != DIRECTORY) holds |= OF_FILE;
    return holds;
}

static unsigned session_conditions(const struct call *call)
{
    bool of_stream = call->function == F_WriteStream || call->function == F_CloseStream;
    bool of_image =
            !of_stream && call->function != F_CreateImage && call->function != F_CreateImage2;
    unsigned holds = 0;

    if (of_stream && !call->stream) holds |= NULL_HANDLE;
    if (of_image && !call->image) holds |= NULL_HANDLE;
    if (of_stream && call->open && call->open->closed) holds |= CLOSED;
    if (of_image && call->session && call->session->closed) holds |= CLOSED;
    if (call->other) holds |= OTHER_KIND;
    if (call->session)
    {
        holds |= call->session->mode == FRESH     ? IN_FRESH
                 : call->session->mode == EXTENDS ? IN_EXTENSION
                                                  : IN_FORK;
        if (!call->session->committed) holds |= NOT_COMMITTED;
    }
    if (call->function == F_CreateImage || call->function == F_CreateImage2)
        holds |= !call->existing                                      ? IN_FRESH
                 : call->name && _wcsicmp(call->existing, call->name) ? IN_FORK
                                                                      : IN_EXTENSION;
    if (call->open && (of_stream || !call->open->closed))
        holds |= call->open->kind == DIRECTORY ? WITH_DIRECTORY
                 : call->open->kind == STREAM  ? WITH_ALTERNATE
                                               : WITH_FILE;
    else
        holds |= WITHOUT_STREAM;
    if (call->metadata)
        holds |= call->metadata->Attributes & FILE_ATTRIBUTE_DIRECTORY ? MAKES_DIRECTORY
                                                                       : MAKES_FILE;
    return holds;
}

/* Of those of a group that are wanted one must hold. */
static bool group(unsigned wanted, unsigned holds, unsigned members)
{
    return !(wanted & members) || (wanted & members & holds);
}

bool applies(const struct call *call)
{
    static const unsigned groups[] = {
            IN_FRESH | IN_EXTENSION | IN_FORK,
            OVER_DIRECTORY | OVER_FILE,
            WITH_FILE | WITH_DIRECTORY | WITH_ALTERNATE | WITHOUT_STREAM,
            NULL_HANDLE | CLOSED | OTHER_KIND,
    };
    static struct counter *counters;
    unsigned holds, all = 0;
    PCWSTR name = call->function == F_CreateHardLink ? call->target : call->name;
    size_t i;
    LONG nth;

    if (active->kind == HIDE || !(active->on & (1u << call->function))) return false;
    holds = session_conditions(call);
    if (active->when) holds |= path_conditions(call);
    for (i = 0; i < ARRAY_SIZE(groups); i++)
    {
        if (!group(active->when, holds, groups[i])) return false;
        all |= groups[i];
    }
    if ((active->when & ~all) & ~holds) return false;
    if (active->path && !glob_wide(active->path, call->path ? call->path : call->existing))
        return false;
    if (active->name && !glob_wide(active->name, name)) return false;
    nth = count_up(&counters, call);
    if (nth <= active->after) return false;
    if (active->once && nth > active->after + 1) return false;
    return !active->every || nth % active->every == 0;
}
