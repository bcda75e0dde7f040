/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * book.c - what the mutants know of the calls that went by
 *
 * Sessions and streams are known by their handles. Items are kept by the directory in which their
 * image is, whichever image that is: cases make a base and then forks or extensions of it, so that
 * what is in the book is what the newest of them has. That is enough for conditions; nothing that
 * the DLL answers comes from here unless a mutant says so. Nothing is freed: a case is short.
 *
 * Each case begins a new book. What counts calls ("the second write") counts those of a directory:
 * where several threads make images at once, each has its own, so that no count depends on what
 * another thread does meanwhile.
 */
#include "mutant.h"

struct session *sessions;
struct item *items;
struct mount *mounts;
static struct open_stream *streams;
static SRWLOCK lock = SRWLOCK_INIT;
static unsigned counter;

void new_book(void)
{
    AcquireSRWLockExclusive(&lock);
    sessions = NULL;
    items = NULL;
    mounts = NULL;
    streams = NULL;
    ReleaseSRWLockExclusive(&lock);
}

PCWSTR plain_path(PCWSTR path)
{
    return path && *path == '\\' ? path + 1 : path;
}

static WCHAR *copy_text(PCWSTR text)
{
    WCHAR *copy = text ? _wcsdup(text) : NULL;
    size_t length = copy ? wcslen(copy) : 0;

    if (length > 6 && !_wcsicmp(copy + length - 6, L":$DATA")) copy[length - 6] = 0;
    return copy;
}

WCHAR *parent_of(PCWSTR path)
{
    WCHAR *parent = _wcsdup(plain_path(path)), *end = wcsrchr(parent, '\\');

    if (!end) end = parent;
    *end = 0;
    return parent;
}

bool is_below(PCWSTR path, PCWSTR dir)
{
    size_t length = wcslen(dir);

    return !_wcsnicmp(path, dir, length) && (path[length] == '\\' || path[length] == ':');
}

/* The newest of the path in the session's directory, deleted or not. */
static struct item *newest(const struct session *session, PCWSTR path)
{
    WCHAR *plain;
    struct item *item;

    if (!session || !path) return NULL;
    plain = copy_text(plain_path(path));
    for (item = items; item; item = item->next)
        if (!_wcsicmp(item->path, plain) && !_wcsicmp(item->dir, session->dir)) break;
    free(plain);
    return item;
}

struct item *find_item(const struct session *session, PCWSTR path)
{
    struct item *item = newest(session, path);

    return item && !item->deleted ? item : NULL;
}

enum kind kind_at(const struct session *session, PCWSTR path)
{
    struct item *item = find_item(session, path);

    if (path && !*plain_path(path)) return DIRECTORY;
    return item ? item->kind : NOTHING;
}

/* A handle that stands where the other kind belongs. */
static struct open_stream *other_kind(const struct call *call)
{
    struct open_stream *stream;

    for (stream = streams; stream; stream = stream->next)
        if (!stream->closed &&
            (call->image ? (void *)stream->handle == (void *)call->image
                         : (void *)stream->session->handle == (void *)call->stream))
            break;
    return stream;
}

void look_up(struct call *call)
{
    AcquireSRWLockExclusive(&lock);
    for (call->session = sessions; call->session; call->session = call->session->next)
        if (call->image && call->session->handle == call->image) break;
    for (call->open = streams; call->open; call->open = call->open->next)
        if (call->stream && call->open->handle == call->stream) break;
    if (call->open)
        call->session = call->open->session;
    else if (call->session)
        call->open = call->session->open;
    else if (call->image || call->stream)
        call->other = other_kind(call);
    ReleaseSRWLockExclusive(&lock);
}

/* A directory as the book has it: without the separator at its end. */
static WCHAR *copy_dir(PCWSTR dir)
{
    WCHAR *copy = _wcsdup(dir);
    size_t length = wcslen(copy);

    if (length && copy[length - 1] == '\\') copy[length - 1] = 0;
    return copy;
}

LONG count_up(struct counter **counters, const struct call *call)
{
    WCHAR *dir = copy_dir(call->session ? call->session->dir : call->dir ? call->dir : L"");
    struct counter *found;
    LONG result;

    AcquireSRWLockExclusive(&lock);
    for (found = *counters; found; found = found->next)
        if (!_wcsicmp(found->dir, dir)) break;
    if (!found)
    {
        found = calloc(1, sizeof(*found));
        found->dir = _wcsdup(dir);
        found->next = *counters;
        *counters = found;
    }
    result = ++found->count;
    ReleaseSRWLockExclusive(&lock);
    free(dir);
    return result;
}

static void add_session(const struct call *call)
{
    struct session *session = calloc(1, sizeof(*session));

    session->handle = session->actual = *call->handle;
    session->mode = !call->existing                                      ? FRESH
                    : call->name && _wcsicmp(call->existing, call->name) ? FORKS
                                                                         : EXTENDS;
    session->dir = copy_dir(call->dir);
    session->existing = copy_text(call->existing);
    session->name = copy_text(call->name ? call->name : call->existing);
    session->flags = call->flags;
    session->number = ++counter;
    session->next = sessions;
    sessions = session;
}

static struct item *add_item(struct session *session, PCWSTR path, enum kind kind)
{
    struct item *item = calloc(1, sizeof(*item));

    item->dir = session->dir;
    item->path = copy_text(plain_path(path));
    item->kind = kind;
    item->session = session->number;
    item->file = ++counter;
    item->next = items;
    items = item;
    return item;
}

static void delete_item(const struct session *session, PCWSTR path)
{
    WCHAR *plain = copy_text(plain_path(path));
    struct item *item;

    for (item = items; item; item = item->next)
        if (!_wcsicmp(item->dir, session->dir) &&
            (!_wcsicmp(item->path, plain) || is_below(item->path, plain)))
            item->deleted = true;
    free(plain);
}

static void add_stream(struct call *call)
{
    struct open_stream *stream = calloc(1, sizeof(*stream));
    enum kind old = kind_at(call->session, call->path);
    bool directory = call->metadata && (call->metadata->Attributes & FILE_ATTRIBUTE_DIRECTORY);

    stream->handle = *call->handle;
    stream->session = call->session;
    stream->kind = !call->metadata ? STREAM : directory ? DIRECTORY : PLAIN;
    stream->path = copy_text(plain_path(call->path));
    stream->size = call->metadata ? (UINT64)call->metadata->FileSize : call->size;
    stream->attributes = call->metadata ? call->metadata->Attributes : 0;
    if (stream->kind != DIRECTORY || old != DIRECTORY) delete_item(call->session, call->path);
    stream->item = add_item(call->session, call->path, stream->kind);
    stream->item->attributes = stream->attributes;
    stream->item->size = stream->size;
    stream->next = streams;
    streams = stream;
    call->session->open = stream;
}

/* Past the end the real DLL writes what fits. */
static void wrote(struct open_stream *stream, const struct call *call)
{
    struct item *item = stream->item;
    UINT64 room = sizeof(item->data) - item->data_size, size = call->size;

    if (size > stream->size - stream->done) size = stream->size - stream->done;
    stream->done += size;
    if (room > size) room = size;
    memcpy(item->data + item->data_size, call->data, (size_t)room);
    item->data_size += (size_t)room;
}

static void linked(struct call *call)
{
    struct item *old = find_item(call->session, call->target), *item;

    if (!old) return;
    if (find_item(call->session, call->path)) delete_item(call->session, call->path);
    item = add_item(call->session, call->path, PLAIN);
    item->is_link = true;
    item->file = old->file;
    item->attributes = old->attributes;
    item->size = old->size;
    item->data_size = old->data_size;
    memcpy(item->data, old->data, old->data_size);
}

struct mount *find_mount(const GUID *guid)
{
    struct mount *mount;

    for (mount = mounts; mount; mount = mount->next)
        if (!mount->gone && !memcmp(&mount->guid, guid, sizeof(*guid))) break;
    return mount;
}

static void add_mount(const struct call *call)
{
    struct mount *mount = calloc(1, sizeof(*mount));

    mount->guid = *call->guid;
    mount->dir = _wcsdup(call->dir);
    mount->name = _wcsdup(call->name);
    mount->next = mounts;
    mounts = mount;
}

void write_down(struct call *call, HRESULT hr)
{
    AcquireSRWLockExclusive(&lock);
    switch (call->function)
    {
    case F_CreateImage:
    case F_CreateImage2:
        if (OK(hr) && call->handle && *call->handle) add_session(call);
        break;
    case F_CreateFile:
    case F_CreateAlternateStream:
        if (OK(hr) && call->session && call->handle && *call->handle) add_stream(call);
        break;
    case F_WriteStream:
        if ((OK(hr) || hr == HR_EOF) && call->open && call->data) wrote(call->open, call);
        break;
    case F_CloseStream:
        if (!call->open) break;
        call->open->closed = true;
        if (call->session->open == call->open) call->session->open = NULL;
        break;
    case F_CreateHardLink:
        if (!OK(hr) || !call->session) break;
        linked(call);
        break;
    case F_DeletePath:
        if (!OK(hr) || !call->session) break;
        delete_item(call->session, call->path);
        break;
    case F_CommitImage:
        if (OK(hr) && call->session) call->session->committed = true;
        break;
    case F_CloseImage:
        if (call->session) call->session->closed = true;
        break;
    case F_MountImage:
        if (OK(hr) && call->guid) add_mount(call);
        break;
    case F_DismountImage:
        if (OK(hr) && call->guid && find_mount(call->guid)) find_mount(call->guid)->gone = true;
        break;
    default:
        break;
    }
    ReleaseSRWLockExclusive(&lock);
}
