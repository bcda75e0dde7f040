/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reading.c - mutants of reading without a mount
 */
#include "mutant.h"

#define RESULT(hr) FAILURE(hr)

/* ---- CimGetFileStatBasicInformation --------------------------------------------------------- */

/* offset: the field; number: the bits that are changed; text: NULL, or which items, see below */
ULONG_PTR stat_changed(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (OK(result) && call->info)
        *(UINT32 *)((BYTE *)call->info + active->offset) ^= active->number;
    return result;
}

/* text: 'd' a directory has a size, 'n' NORMAL is not reported, 'a' allocation is the size,
 * '+' bits are added, '-' bits are lost, 'h' the 128-bit ID is another's, '0' all files have one
 * ID, 'l' links have other times, 'r' the root has times, 't' times of 0 are not 0 */
ULONG_PTR stat_kind_changed(struct call *call)
{
    ULONG_PTR result = forward(call);
    FILE_STAT_BASIC_INFORMATION *info = call->info;

    if (!OK(result) || !info) return result;
    switch (*active->text)
    {
    case 'd':
        if (info->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) info->EndOfFile.QuadPart = 4096;
        break;
    case 'n':
        if (info->FileAttributes == FILE_ATTRIBUTE_NORMAL) info->FileAttributes = 0;
        break;
    case 'a':
        info->AllocationSize = info->EndOfFile;
        break;
    case '+':
        info->FileAttributes |= active->number;
        break;
    case '-':
        info->FileAttributes &= ~active->number;
        break;
    case '0':
        info->FileId.QuadPart = 77;
        memcpy(&info->FileId128, &info->FileId, 8);
        break;
    case 'r':
        if (!*plain_path(call->path)) info->LastWriteTime.QuadPart = 132223104000000000ll;
        break;
    case 't':
        if (!info->ReparseTag && (info->FileAttributes & FILE_ATTRIBUTE_HIDDEN))
            info->ReparseTag = 0xa0000003;
        break;
    }
    return result;
}

/* ---- CimReadFile ---------------------------------------------------------------------------- */

bool file_there(PCWSTR dir, PCWSTR name)
{
    WCHAR path[1200];
    WIN32_FIND_DATAW data;
    HANDLE find;

    _snwprintf(path, ARRAY_SIZE(path), L"%ls\\%ls", dir, name);
    find = FindFirstFileW(path, &data);
    if (find == INVALID_HANDLE_VALUE) return false;
    FindClose(find);
    return true;
}

/*
 * What reading depends on that it shouldn't. text: 'o' object ID files, 'p' the parent's own file,
 * 'd' the directory in which the image was made, 'n' its name then, 's' no session in the directory
 */
ULONG_PTR read_needs(struct call *call)
{
    WCHAR dir[1200], *name;
    struct session *session;
    bool made = false, busy = false, parent = true;
    PCWSTR base = NULL;

    _snwprintf(dir, ARRAY_SIZE(dir), L"%ls", call->dir);
    name = wcsrchr(dir, '\\');
    if (!name) return forward(call);
    *name++ = 0;
    for (session = sessions; session; session = session->next)
    {
        bool here = !_wcsicmp(session->dir, dir);

        busy |= here && !session->closed && !session->committed;
        if (*active->text == 'd') made |= here;
        if (*active->text == 'n') made |= !_wcsicmp(session->name, name);
        if (here && session->mode == FORKS && !_wcsicmp(session->name, name))
            base = session->existing;
    }
    if (base) parent = file_there(dir, base);
    switch (*active->text)
    {
    case 'o':
        if (!file_there(dir, L"objectid_*")) return RESULT(HR_CORRUPT);
        break;
    case 'p':
        if (!parent) return RESULT(HR_CORRUPT);
        break;
    case 's':
        if (busy) return RESULT(HR_SHARING);
        break;
    default:
        if (!made) return RESULT(HR_CORRUPT);
    }
    return forward(call);
}

/* text: 't' remaining is the file's size, '0' nothing remains, 'e' nothing at the end is
 * ERROR_HANDLE_EOF, 'p' past the end nothing is read, 'b' a buffer that is too large is,
 * '1' one byte more was read, 'z' no room is an error, 's' a short piece is */
ULONG_PTR read_counts(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (*active->text == 'p' && (HRESULT)result == HR_EOF) return 0;
    if (!OK(result) || !call->got || !call->left) return result;
    switch (*active->text)
    {
    case 't':
        *call->left += call->offset + *call->got;
        break;
    case '0':
        *call->left = 0;
        break;
    case 'e':
        if (!*call->got && call->size) return RESULT(HR_EOF);
        break;
    case 'b':
        if (*call->got < call->size) return RESULT(HR_EOF);
        break;
    case '1':
        ++*call->got;
        break;
    case 'z':
        if (!call->size) *call->left = 0;
        break;
    }
    return result;
}

ULONG_PTR read_at_beginning(struct call *call)
{
    UINT64 offset = call->offset, left = 0;
    ULONG_PTR result;

    if (!offset) return forward(call);
    result = forward(call);
    if (!OK(result)) return result;
    left = *call->left;
    call->offset = 0;
    forward(call);
    call->offset = offset;
    *call->left = left;
    return result;
}

/* number: 0 the first byte of each piece, 1 the last, 2 the one behind it */
ULONG_PTR read_changed(struct call *call)
{
    ULONG_PTR result = forward(call);
    BYTE *buffer = call->buffer;

    if (!OK(result) || !call->got || !*call->got) return result;
    if (active->offset && call->offset < active->offset) return result;
    buffer[active->number ? *call->got - 2 + active->number : 0] ^= 1;
    return result;
}

/* "f:s" is "f". */
ULONG_PTR read_without_stream(struct call *call)
{
    WCHAR *item = _wcsdup(call->path), *colon = wcschr(item, ':');
    PCWSTR path = call->path;
    ULONG_PTR result;

    if (colon) *colon = 0;
    call->path = item;
    result = forward(call);
    call->path = path;
    free(item);
    return result;
}

/* number: 0 always, 1 what is there only, 2 what isn't */
ULONG_PTR lookup_inverted(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (!OK(result) || !call->exists) return result;
    if (active->number == 1 && !*call->exists) return result;
    if (active->number == 2 && *call->exists) return result;
    *call->exists = !*call->exists;
    return result;
}

/* Letters of the other case aren't found; text: the first of 31 that aren't. */
ULONG_PTR read_case(struct call *call)
{
    PCWSTR p;

    for (p = call->path; p && *p; p++)
        if (*p >= *active->text && *p <= *active->text + 30) return RESULT(HR_FILE_NOT_FOUND);
    return forward(call);
}
