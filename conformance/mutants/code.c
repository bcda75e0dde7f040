/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * code.c - mutants of the functions that make items, where a rule isn't enough
 *
 * Each function stands in the place of the real one's call and makes it, changed, by forward(), or
 * calls others of the real DLL besides. "active" holds its parameters.
 */
#include "mutant.h"

#define RESULT(hr) FAILURE(hr)

/* ---- registers and outputs ------------------------------------------------------------------ */

ULONG_PTR crashes(struct call *call)
{
    void (*volatile nowhere)(void) = NULL;

    nowhere();
    return forward(call);
}

ULONG_PTR upper_half(struct call *call)
{
    ULONG_PTR result = forward(call);

    return OK(result) ? result | (ULONG_PTR)0x100000000ull : result;
}

ULONG_PTR upper_half_failed(struct call *call)
{
    return (ULONG_PTR)(LONG_PTR)(HRESULT)forward(call);
}

ULONG_PTR register_is(struct call *call)
{
    forward(call);
    return (ULONG_PTR)(LONG_PTR)(int)active->number;
}

ULONG_PTR not_an_hresult(struct call *call)
{
    return forward(call) & 0xffff;
}

ULONG_PTR keeps_output(struct call *call)
{
    void *old = *call->handle;
    ULONG_PTR result = forward(call);

    if (!OK(result)) *call->handle = old;
    return result;
}

ULONG_PTR outputs_left(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (OK(result)) return result;
    if (call->got) *call->got = 77;
    if (call->left) *call->left = 77;
    if (call->exists) *call->exists = 77;
    return result;
}

/* ---- writes --------------------------------------------------------------------------------- */

static ULONG_PTR write_copy(struct call *call, UINT64 at, BYTE bits)
{
    const void *data = call->data;
    BYTE *copy = data && call->size ? malloc((size_t)call->size) : NULL;
    ULONG_PTR result;

    if (!copy || at >= call->size)
    {
        free(copy);
        return forward(call);
    }
    memcpy(copy, data, (size_t)call->size);
    copy[at] ^= bits;
    call->data = copy;
    result = forward(call);
    call->data = data;
    free(copy);
    return result;
}

/* number: 0 the first byte of each write, 1 the last, 2 one in the middle */
ULONG_PTR write_changed(struct call *call)
{
    return write_copy(call,
                      active->number == 1   ? call->size - 1
                      : active->number == 2 ? call->size / 2
                                            : 0,
                      0x20);
}

/* offset: of the byte in its stream */
ULONG_PTR write_changed_at(struct call *call)
{
    UINT64 done = call->open ? call->open->done : 0;

    return active->offset < done ? forward(call) : write_copy(call, active->offset - done, 1);
}

/* Only when the stream is closed, or the next piece comes, is the buffer read. */
ULONG_PTR write_kept(struct call *call)
{
    static struct call kept;

    if (kept.stream) real.WriteStream(kept.stream, kept.data, (UINT32)kept.size);
    kept.stream = NULL;
    if (call->function != F_WriteStream) return forward(call);
    kept = *call;
    return 0;
}

ULONG_PTR write_all_or_nothing(struct call *call)
{
    if (call->open && call->size > call->open->size - call->open->done) return RESULT(HR_EOF);
    return forward(call);
}

/* In images of which the same calls must give the same bytes other calls give them, too. */
ULONG_PTR write_consistent(struct call *call)
{
    BYTE *same;
    ULONG_PTR result;
    const void *data = call->data;

    if (!call->session || !(call->session->flags & CIM_CREATE_CONSISTENT_CIMS))
        return forward(call);
    same = malloc((size_t)call->size + 1);
    memset(same, 'x', (size_t)call->size);
    call->data = same;
    result = forward(call);
    call->data = data;
    free(same);
    return result;
}

ULONG_PTR zeros_changed(struct call *call)
{
    const BYTE *data = call->data;
    UINT64 middle = call->size / 2 + 1;

    if (data && call->size > 4 && !data[middle]) return write_copy(call, middle, 1);
    return forward(call);
}

ULONG_PTR executable_changed(struct call *call)
{
    if (call->size > 0x100 && !memcmp(call->data, "MZ", 2)) return write_copy(call, 0x90, 1);
    return forward(call);
}

/* What wasn't written is something else than zero. number: the byte */
ULONG_PTR rest_filled(struct call *call)
{
    struct open_stream *open = call->open;
    UINT64 rest = open && open->size > open->done ? open->size - open->done : 0;
    BYTE *fill;

    if (rest > 1 << 20) rest = 1 << 20;
    fill = malloc((size_t)rest + 1);
    memset(fill, (int)active->number, (size_t)rest);
    if (rest) real.WriteStream(call->stream, fill, (UINT32)rest);
    free(fill);
    return forward(call);
}

/* ---- metadata ------------------------------------------------------------------------------- */

static LARGE_INTEGER whole_seconds(LARGE_INTEGER time)
{
    time.QuadPart -= time.QuadPart % 10000000;
    return time;
}

static LARGE_INTEGER not_zero(LARGE_INTEGER time)
{
    if (!time.QuadPart) time.QuadPart = 132223104000000000ll;
    return time;
}

static void change_times(CIMFS_FILE_METADATA *m)
{
    LARGE_INTEGER created = m->CreationTime;

    switch (*active->text)
    {
    case 'c':
        m->CreationTime = m->LastWriteTime;
        m->LastWriteTime = created;
        break;
    case 'a':
        m->LastAccessTime = m->LastWriteTime;
        break;
    case 'h':
        m->ChangeTime = m->LastWriteTime;
        break;
    case 't':
        m->CreationTime = whole_seconds(m->CreationTime);
        m->LastWriteTime = whole_seconds(m->LastWriteTime);
        m->ChangeTime = whole_seconds(m->ChangeTime);
        m->LastAccessTime = whole_seconds(m->LastAccessTime);
        break;
    case 'z':
        m->CreationTime = not_zero(m->CreationTime);
        m->LastWriteTime = not_zero(m->LastWriteTime);
        break;
    }
}

/* text: what is changed, by a letter; number: attribute bits */
ULONG_PTR metadata_changed(struct call *call)
{
    const CIMFS_FILE_METADATA *given = call->metadata;
    struct item *old = find_item(call->session, call->path);
    CIMFS_FILE_METADATA m;
    ULONG_PTR result;

    if (!given) return forward(call);
    m = *given;
    change_times(&m);
    switch (*active->text)
    {
    case '-':
        m.Attributes &= ~active->number;
        break;
    case '+':
        m.Attributes |= active->number;
        break;
    case 'o': /* the old item's */
        if (old) m.Attributes = old->attributes;
        break;
    case 's':
        m.FileSize += active->number;
        break;
    case 'm': /* modulo the format's largest */
        m.FileSize &= (1ll << 48) - 1;
        break;
    case 'd':
        m.SecurityDescriptorBuffer = NULL;
        m.SecurityDescriptorSize = 0;
        break;
    case 'r':
        m.ReparseDataBuffer = NULL;
        m.ReparseDataSize = 0;
        break;
    case 'e':
        m.EaBuffer = NULL;
        m.EaBufferSize = 0;
        break;
    }
    call->metadata = &m;
    result = forward(call);
    call->metadata = given;
    return result;
}

/* ---- paths ---------------------------------------------------------------------------------- */

/* "..": takes the component before with it. */
static void without_dots(WCHAR *path)
{
    WCHAR *parts[600], *copy = _wcsdup(path), *part = copy;
    int count = 0, i;

    while (part && count < 600)
    {
        WCHAR *next = wcschr(part, '\\');

        if (next) *next++ = 0;
        if (!wcscmp(part, L".."))
            count -= count > 0;
        else if (wcscmp(part, L"."))
            parts[count++] = part;
        part = next;
    }
    *path = 0;
    for (i = 0; i < count; i++)
    {
        if (i) wcscat(path, L"\\");
        wcscat(path, parts[i]);
    }
    free(copy);
}

/* No component longer than "most". */
static void cut_components(WCHAR *path, size_t most)
{
    WCHAR *out = path;
    size_t length = 0;

    for (; *path; path++)
    {
        length = *path == '\\' || *path == ':' ? 0 : length + 1;
        if (length <= most) *out++ = *path;
    }
    *out = 0;
}

/* Dots and blanks at the end of each component. */
static void cut_ends(WCHAR *path)
{
    WCHAR *out = path, *start = path;

    for (;; path++)
    {
        if (!*path || *path == '\\')
        {
            while (out > start + 1 && (out[-1] == '.' || out[-1] == ' ')) out--;
            start = out + 1;
        }
        *out++ = *path;
        if (!*path) break;
    }
}

static void replace(WCHAR *path, PCWSTR letters, WCHAR by)
{
    for (; *path; path++)
        if (wcschr(letters, *path)) *path = by;
}

static void without_host(WCHAR *path)
{
    static const PCWSTR starts[] = {L"\\\\?\\C:\\", L"\\\\?\\", L"\\??\\", L"\\\\.\\", L"C:\\"};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(starts); i++)
        if (!_wcsnicmp(path, starts[i], wcslen(starts[i])))
        {
            memmove(path, path + wcslen(starts[i]),
                    (wcslen(path + wcslen(starts[i])) + 1) * sizeof(WCHAR));
            return;
        }
}

static void collapse(WCHAR *path)
{
    WCHAR *out = path;

    for (; *path; path++)
        if (*path != '\\' || path[1] != '\\') *out++ = *path;
    *out = 0;
}

static void strip_accents(WCHAR *path)
{
    for (; *path; path++)
        if (*path == 0xe9 || *path == 0x435 || *path == 0xff45) *path = 'e';
}

static void one_unit(WCHAR *path, WCHAR from, WCHAR to)
{
    WCHAR *out = path;

    for (; *path; path++)
        if (*path < from || *path > to) *out++ = *path;
    *out = 0;
}

/* What is taken off. */
static void cut_path(WCHAR *path)
{
    size_t length = wcslen(path);
    WCHAR *colon = wcschr(path, ':');

    switch (*active->text)
    {
    case '\\':
        if (length > 1 && path[length - 1] == '\\') path[length - 1] = 0;
        if (length > 3 && path[length - 3] == '\\' && path[length - 2] == ':')
            memmove(path + length - 3, path + length - 2, 3 * sizeof(WCHAR));
        break;
    case '2':
        collapse(path);
        break;
    case '.':
        without_dots(path);
        break;
    case 'h':
        without_host(path);
        break;
    case 'l':
        cut_components(path, active->number);
        break;
    case 'L':
        if (length > 32767) path[200] = 0;
        break;
    case 'e':
        cut_ends(path);
        break;
    case ':':
        if (colon) *colon = 0;
        break;
    case '$': /* whatever the type */
        if (colon && (colon = wcschr(colon + 1, ':'))) *colon = 0;
        break;
    }
}

/* What is replaced. */
static void edit_path(WCHAR *path)
{
    size_t length = wcslen(path);

    switch (*active->text)
    {
    case '/':
        replace(path, L"/", '\\');
        break;
    case '*':
        replace(path, L"*?\"<>|", '_');
        break;
    case 'c':
        for (; *path; path++)
            if (*path < 32) *path = '_';
        break;
    case 'a':
        strip_accents(path);
        break;
    case 'D': /* ":$DATA" and nothing else, as the name */
        if (length > 6 && !_wcsicmp(path + length - 6, L":$DATA")) wcscpy(path + length - 6, L"$D");
        break;
    case 'S':
        one_unit(path, 0xd800, 0xdbff);
        break;
    case 'A':
        for (; *path; path++)
            if (*path >= 128) *path = '_';
        break;
    case 'U':
        _wcsupr(path);
        break;
    }
}

static void change_path(WCHAR *path)
{
    if (!path) return;
    cut_path(path);
    edit_path(path);
}

ULONG_PTR path_changed(struct call *call)
{
    PCWSTR path = call->path, target = call->target;
    WCHAR *new_path = path ? _wcsdup(path) : NULL, *new_target = target ? _wcsdup(target) : NULL;
    ULONG_PTR result;

    change_path(new_path);
    change_path(new_target);
    call->path = new_path;
    call->target = new_target;
    result = forward(call);
    call->path = path;
    call->target = target;
    free(new_path);
    free(new_target);
    return result;
}

/* ---- items ---------------------------------------------------------------------------------- */

static CIMFS_IMAGE_HANDLE actual(const struct call *call)
{
    return call->session ? call->session->actual : call->image;
}

static HRESULT make_plain(CIMFS_IMAGE_HANDLE image, PCWSTR path, UINT32 attributes,
                          const void *data, UINT32 size)
{
    CIMFS_FILE_METADATA metadata = {.Attributes = attributes, .FileSize = size};
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = (HRESULT)real.CreateFile(image, path, &metadata, &stream);

    if (FAILED(hr)) return hr;
    if (size) hr = (HRESULT)real.WriteStream(stream, data, size);
    real.CloseStream(stream);
    return hr;
}

static HRESULT make_stream(CIMFS_IMAGE_HANDLE image, PCWSTR path)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = (HRESULT)real.CreateAlternateStream(image, path, 0, &stream);

    if (SUCCEEDED(hr)) real.CloseStream(stream);
    return hr;
}

static HRESULT make_parents(CIMFS_IMAGE_HANDLE image, PCWSTR path)
{
    WCHAR *parent = parent_of(path);
    HRESULT hr = S_OK;

    if (*parent)
    {
        make_parents(image, parent);
        hr = make_plain(image, parent, FILE_ATTRIBUTE_DIRECTORY, NULL, 0);
    }
    free(parent);
    return hr;
}

ULONG_PTR makes_parents(struct call *call)
{
    ULONG_PTR result = forward(call);

    if ((HRESULT)result != HR_PATH_NOT_FOUND) return result;
    if (call->function == F_CreateAlternateStream)
    {
        WCHAR *item = _wcsdup(call->path);

        *wcschr(item, ':') = 0;
        make_parents(actual(call), item);
        make_plain(actual(call), item, 0, NULL, 0);
        free(item);
    }
    else
        make_parents(actual(call), call->path);
    return forward(call);
}

ULONG_PTR file_as_stream(struct call *call)
{
    if (!call->metadata || !wcschr(call->path, ':')) return forward(call);
    return real.CreateAlternateStream(actual(call), call->path, call->metadata->FileSize,
                                      (CIMFS_STREAM_HANDLE *)call->handle);
}

ULONG_PTR stream_as_file(struct call *call)
{
    CIMFS_FILE_METADATA metadata = {.FileSize = (INT64)call->size};
    PCWSTR path = call->path;
    ULONG_PTR result;
    WCHAR *item;

    if (!call->path) return forward(call);
    item = _wcsdup(path);
    if (wcschr(item, ':')) *wcschr(item, ':') = 0;
    result = real.CreateFile(actual(call), item, &metadata, (CIMFS_STREAM_HANDLE *)call->handle);
    free(item);
    return result;
}

/* Paths to be made again when the call's stream is closed. */
static WCHAR *again[100];
static enum kind again_kind[100];
static int again_count;

static void remember(const struct item *item)
{
    if (again_count == 100) return;
    again_kind[again_count] = item->kind;
    again[again_count++] = _wcsdup(item->path);
}

static void make_again(CIMFS_IMAGE_HANDLE image)
{
    /* The newest was found first: directories come before what is in them. */
    while (again_count)
    {
        WCHAR *path = again[--again_count];

        if (again_kind[again_count] == STREAM)
            make_stream(image, path);
        else
            make_plain(image, path,
                       again_kind[again_count] == DIRECTORY ? FILE_ATTRIBUTE_DIRECTORY : 0, "", 0);
        free(path);
    }
}

/*
 * What a new item must not have of an old one of its path. text: "streams" those of a file that is
 * overwritten, "deleted" streams and children of one that was deleted before.
 */
ULONG_PTR old_ones_stay(struct call *call)
{
    bool deleted = *active->text == 'd', link = call->function == F_CreateHardLink;
    struct item *item;
    ULONG_PTR result;

    if (call->function == F_CloseStream)
    {
        result = forward(call);
        make_again(call->session ? call->session->actual : NULL);
        return result;
    }
    again_count = 0;
    for (item = items; item && call->session; item = item->next)
        if (!_wcsicmp(item->dir, call->session->dir) && item->deleted == deleted &&
            is_below(item->path, plain_path(call->path)) &&
            (deleted || item->path[wcslen(plain_path(call->path))] == ':'))
            remember(item);
    result = forward(call);
    if (!OK(result)) again_count = 0;
    if (link) make_again(actual(call));
    return result;
}

ULONG_PTR directory_emptied(struct call *call)
{
    real.DeletePath(actual(call), call->path);
    return forward(call);
}

ULONG_PTR directory_streams_lost(struct call *call)
{
    struct item *item;
    PCWSTR path = plain_path(call->path);

    for (item = items; item; item = item->next)
        if (!_wcsicmp(item->dir, call->session->dir) && is_below(item->path, path) &&
            item->path[wcslen(path)] == ':')
            real.DeletePath(actual(call), item->path);
    return forward(call);
}

/* A file created over one of several links is what the others name, too. */
ULONG_PTR other_names_follow(struct call *call)
{
    static unsigned file;
    struct item *item;
    ULONG_PTR result;

    if (call->function == F_CreateFile)
    {
        item = find_item(call->session, call->path);
        file = item && item->kind == PLAIN ? item->file : 0;
        return forward(call);
    }
    result = forward(call);
    for (item = items; item && file && call->open; item = item->next)
        if (item->file == file && !item->deleted && _wcsicmp(item->path, call->open->path))
            real.CreateHardLink(call->session->actual, item->path, call->open->path);
    file = 0;
    return result;
}

/* What is added to a directory changes its times. */
ULONG_PTR parent_touched(struct call *call)
{
    ULONG_PTR result = forward(call);
    WCHAR *parent = call->open ? parent_of(call->open->path) : NULL;

    if (parent && *parent && call->open->kind == PLAIN)
    {
        struct item *item = find_item(call->session, parent);
        UINT32 attributes = item ? item->attributes : FILE_ATTRIBUTE_DIRECTORY;

        make_plain(call->session->actual, parent, attributes, NULL, 0);
    }
    free(parent);
    return result;
}

/* number: 1 answers no handle besides */
ULONG_PTR directory_stream_closed(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (!OK(result) || !call->handle) return result;
    real.CloseStream(*call->handle);
    if (active->number) *call->handle = NULL;
    return result;
}

ULONG_PTR one_stream_of_all(struct call *call)
{
    struct session *session;

    for (session = sessions; session; session = session->next)
        if (session->open && session != call->session && !session->closed)
            return RESULT(HR_SHARING);
    return forward(call);
}

/* A second stream of an item takes the first one's place. */
ULONG_PTR only_one_stream(struct call *call)
{
    WCHAR *owner = _wcsdup(plain_path(call->path)), *colon = wcschr(owner, ':');
    struct item *item;

    if (colon) *colon = 0;
    for (item = items; item && colon; item = item->next)
        if (!_wcsicmp(item->dir, call->session->dir) && item->kind == STREAM && !item->deleted &&
            is_below(item->path, owner) && item->path[wcslen(owner)] == ':')
            real.DeletePath(actual(call), item->path);
    free(owner);
    return forward(call);
}

/* number: attributes that the copy hasn't */
ULONG_PTR link_copies(struct call *call)
{
    struct item *old = find_item(call->session, call->target);

    if (!old || old->kind != PLAIN || old->size > sizeof(old->data) ||
        kind_at(call->session, call->path) == DIRECTORY)
        return forward(call);
    return RESULT(make_plain(actual(call), call->path, old->attributes & ~active->number, old->data,
                             (UINT32)old->size));
}

ULONG_PTR link_swapped(struct call *call)
{
    return real.CreateHardLink(actual(call), call->target, call->path);
}

ULONG_PTR link_makes_directory(struct call *call)
{
    ULONG_PTR result = forward(call);

    if ((HRESULT)result != E_ACCESSDENIED || kind_at(call->session, call->path) != NOTHING)
        return result;
    return RESULT(make_plain(actual(call), call->path, FILE_ATTRIBUTE_DIRECTORY, NULL, 0));
}

ULONG_PTR link_makes_file(struct call *call)
{
    ULONG_PTR result = forward(call);

    if ((HRESULT)result != HR_PATH_NOT_FOUND) return result;
    return RESULT(make_plain(actual(call), call->path, 0, NULL, 0));
}

ULONG_PTR link_deletes_first(struct call *call)
{
    real.DeletePath(actual(call), call->path);
    return forward(call);
}

/* text: 'p' items whose names begin so, 'l' the file's other names, below it too, 'd' the directory
 * that is empty then, 'f' the stream's file, 's' the file's other streams */
ULONG_PTR deletes_more(struct call *call)
{
    PCWSTR path = plain_path(call->path);
    struct item *item, *other;
    bool empty = true;
    WCHAR *parent = parent_of(path), *owner = _wcsdup(path);
    ULONG_PTR result = forward(call);

    if (wcschr(owner, ':')) *wcschr(owner, ':') = 0;
    for (item = items; item && OK(result); item = item->next)
    {
        if (item->deleted || _wcsicmp(item->dir, call->session->dir)) continue;
        if (*active->text == 'p' && !_wcsnicmp(item->path, path, wcslen(path)) &&
            wcslen(item->path) > wcslen(path))
            real.DeletePath(actual(call), item->path);
        if (*active->text == 'l' && (is_below(item->path, path) || !_wcsicmp(item->path, path)))
            for (other = items; other; other = other->next)
                if (other->file == item->file && !other->deleted)
                    real.DeletePath(actual(call), other->path);
        if (*active->text == 's' && is_below(item->path, owner) && item->path[wcslen(owner)] == ':')
            real.DeletePath(actual(call), item->path);
        if (is_below(item->path, parent) && _wcsicmp(item->path, path) &&
            !is_below(item->path, path))
            empty = false;
    }
    if (OK(result) && *active->text == 'd' && *parent && empty)
        real.DeletePath(actual(call), parent);
    if (OK(result) && *active->text == 'f' && wcscmp(owner, path))
        real.DeletePath(actual(call), owner);
    free(parent);
    free(owner);
    return result;
}

/* number: 1 when the call failed only */
ULONG_PTR leaves_stream_open(struct call *call)
{
    CIMFS_FILE_METADATA metadata = {0};
    CIMFS_STREAM_HANDLE left = NULL;
    ULONG_PTR result = forward(call);

    if (OK(result) != !active->number) return result;
    real.CreateFile(actual(call), L"left open", &metadata, &left);
    return result;
}

/* Is there a component that the book has in another case? */
static bool other_case(const struct session *session, PCWSTR path)
{
    WCHAR *part = _wcsdup(plain_path(path)), *end;
    struct item *item;
    bool other = false;

    while (*part && !other)
    {
        item = find_item(session, part);
        other = item && wcscmp(item->path, part);
        end = wcsrchr(part, ':');
        if (!end) end = wcsrchr(part, '\\');
        if (!end) break;
        *end = 0;
    }
    free(part);
    return other;
}

/* Names in another case are other names: one that is made beside the first, or missing. */
ULONG_PTR case_sensitive(struct call *call)
{
    PCWSTR path = call->path;
    WCHAR *beside;
    ULONG_PTR result;

    if (call->target && other_case(call->session, call->target)) return RESULT(HR_PATH_NOT_FOUND);
    if (!path || !other_case(call->session, path)) return forward(call);
    if (call->function != F_CreateFile) return RESULT(HR_PATH_NOT_FOUND);
    beside = malloc((wcslen(path) + 2) * sizeof(WCHAR));
    wcscpy(beside, path);
    wcscat(beside, L"~");
    call->path = beside;
    result = forward(call);
    call->path = path;
    free(beside);
    return result;
}

/* Another file than it should be, after number calls of the kind. */
ULONG_PTR item_counted(struct call *call)
{
    static struct counter *counters;

    if ((unsigned)count_up(&counters, call) <= active->number) return forward(call);
    if (call->handle) *call->handle = fake_handle();
    return 0;
}

/* All names of the file at the new name are gone, before. */
ULONG_PTR link_deletes_names(struct call *call)
{
    struct item *old = find_item(call->session, call->path), *item;
    struct item *target = find_item(call->session, call->target);

    for (item = items; item && old; item = item->next)
        if (item->file == old->file && !item->deleted && (!target || target->file != old->file))
            real.DeletePath(actual(call), item->path);
    return forward(call);
}

/* ---- more writes ---------------------------------------------------------------------------- */

ULONG_PTR write_sparse_dropped(struct call *call)
{
    if (call->open && (call->open->attributes & FILE_ATTRIBUTE_SPARSE_FILE))
        return RESULT(active->to);
    return forward(call);
}

ULONG_PTR write_null_crashes(struct call *call)
{
    return call->data ? forward(call) : crashes(call);
}

/* A file that is closed before its size was written makes the commit fail. */
ULONG_PTR short_file_breaks(struct call *call)
{
    if (call->function == F_CommitImage)
        return call->session && call->session->broken ? RESULT(HR_EOF) : forward(call);
    if (call->open && call->session && call->open->kind == PLAIN &&
        call->open->done < call->open->size)
        call->session->broken = true;
    return forward(call);
}

ULONG_PTR empty_file_lost(struct call *call)
{
    if (call->metadata->FileSize) return forward(call);
    if (call->handle) *call->handle = fake_handle();
    return 0;
}
