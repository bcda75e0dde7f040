/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forward.c - the exports, and the way from them to the real DLL
 */
#include "mutant.h"

struct real_api real;

/* ---- to the real DLL ------------------------------------------------------------------------ */

ULONG_PTR forward(struct call *c)
{
    CIMFS_IMAGE_HANDLE image = c->session && !c->stream ? c->session->actual : c->image;

    switch (c->function)
    {
    case F_CreateImage:
        return real.CreateImage(c->dir, c->existing, c->name, (CIMFS_IMAGE_HANDLE *)c->handle);
    case F_CreateImage2:
        return real.CreateImage2(c->dir, (CIM_CREATE_IMAGE_FLAGS)c->flags, c->existing, c->name,
                                 (CIMFS_IMAGE_HANDLE *)c->handle);
    case F_CloseImage:
        return real.CloseImage(image);
    case F_CommitImage:
        return real.CommitImage(image);
    case F_CreateFile:
        return real.CreateFile(image, c->path, c->metadata, (CIMFS_STREAM_HANDLE *)c->handle);
    case F_CreateAlternateStream:
        return real.CreateAlternateStream(image, c->path, c->size,
                                          (CIMFS_STREAM_HANDLE *)c->handle);
    case F_CreateHardLink:
        return real.CreateHardLink(image, c->path, c->target);
    case F_WriteStream:
        return real.WriteStream(c->stream, c->data, (UINT32)c->size);
    case F_CloseStream:
        return real.CloseStream(c->stream);
    case F_DeletePath:
        return real.DeletePath(image, c->path);
    case F_MountImage:
        return real.MountImage(c->dir, c->name, (CIM_MOUNT_IMAGE_FLAGS)c->flags, c->guid);
    case F_DismountImage:
        return real.DismountImage(c->guid);
    case F_ReadFile:
        return real.ReadFile(c->dir, c->path, c->offset, c->buffer, c->size, c->got, c->left);
    case F_GetFileStatBasicInformation:
        return real.GetFileStatBasicInformation(c->dir, c->path, c->info);
    case F_LookupFile:
        return real.LookupFile(image, c->path, c->exists);
    default:
        return c->rest(c);
    }
}

static ULONG_PTR run_spoilt(struct call *call)
{
    if (active->kind == CODE) return active->run(call);
    if (OK(active->to) && call->handle) *call->handle = fake_handle();
    return FAILURE(active->to);
}

/* What a generated mutant does in its call. */
static ULONG_PTR run_point(struct call *call)
{
    ULONG_PTR result = point->kind == SKIPPED ? FAILURE(S_OK) : forward(call);

    if (point->kind == DROPPED)
        drop_outputs(call);
    else
    {
        if (OK(point->answer) && (!OK(result) || point->kind == SKIPPED) && call->handle)
            *call->handle = fake_handle();
        result = FAILURE(point->answer);
    }
    return result;
}

ULONG_PTR run_call(struct call *call)
{
    ULONG_PTR result;
    LONG nth;

    if (!has_plan()) return forward(call);
    nth = enter_call(call);
    look_up(call);
    if (point && point->function == call->function && point->nth == nth)
        result = run_point(call);
    else if (active && applies(call))
        result = run_spoilt(call);
    else
        result = forward(call);
    write_down(call, (HRESULT)result);
    record(call, (HRESULT)result);
    return result;
}

/* ---- the exports ---------------------------------------------------------------------------- */

#define CALL(...)                                                                                  \
    struct call call = {__VA_ARGS__};                                                              \
    return run_call(&call)

ULONG_PTR WINAPI CimCreateImage(PCWSTR dir, PCWSTR existing, PCWSTR name,
                                CIMFS_IMAGE_HANDLE *handle)
{
    CALL(F_CreateImage, .dir = dir, .existing = existing, .name = name, .handle = (void **)handle);
}

ULONG_PTR WINAPI CimCreateImage2(PCWSTR dir, CIM_CREATE_IMAGE_FLAGS flags, PCWSTR existing,
                                 PCWSTR name, CIMFS_IMAGE_HANDLE *handle)
{
    CALL(F_CreateImage2, .dir = dir, .flags = flags, .existing = existing, .name = name,
         .handle = (void **)handle);
}

ULONG_PTR WINAPI CimCloseImage(CIMFS_IMAGE_HANDLE image)
{
    CALL(F_CloseImage, .image = image);
}

ULONG_PTR WINAPI CimCommitImage(CIMFS_IMAGE_HANDLE image)
{
    CALL(F_CommitImage, .image = image);
}

ULONG_PTR WINAPI CimCreateFile(CIMFS_IMAGE_HANDLE image, PCWSTR path,
                               const CIMFS_FILE_METADATA *metadata, CIMFS_STREAM_HANDLE *handle)
{
    CALL(F_CreateFile, .image = image, .path = path, .metadata = metadata,
         .handle = (void **)handle);
}

ULONG_PTR WINAPI CimCreateAlternateStream(CIMFS_IMAGE_HANDLE image, PCWSTR path, UINT64 size,
                                          CIMFS_STREAM_HANDLE *handle)
{
    CALL(F_CreateAlternateStream, .image = image, .path = path, .size = size,
         .handle = (void **)handle);
}

ULONG_PTR WINAPI CimCreateHardLink(CIMFS_IMAGE_HANDLE image, PCWSTR path, PCWSTR target)
{
    CALL(F_CreateHardLink, .image = image, .path = path, .target = target);
}

ULONG_PTR WINAPI CimWriteStream(CIMFS_STREAM_HANDLE stream, const void *data, UINT32 size)
{
    CALL(F_WriteStream, .stream = stream, .data = data, .size = size);
}

ULONG_PTR WINAPI CimCloseStream(CIMFS_STREAM_HANDLE stream)
{
    CALL(F_CloseStream, .stream = stream);
}

ULONG_PTR WINAPI CimDeletePath(CIMFS_IMAGE_HANDLE image, PCWSTR path)
{
    CALL(F_DeletePath, .image = image, .path = path);
}

ULONG_PTR WINAPI CimMountImage(PCWSTR dir, PCWSTR name, CIM_MOUNT_IMAGE_FLAGS flags,
                               const GUID *guid)
{
    CALL(F_MountImage, .dir = dir, .name = name, .flags = flags, .guid = guid);
}

ULONG_PTR WINAPI CimDismountImage(const GUID *guid)
{
    CALL(F_DismountImage, .guid = guid);
}

ULONG_PTR WINAPI CimReadFile(PCWSTR image, PCWSTR path, UINT64 offset, void *buffer, UINT64 size,
                             UINT64 *got, UINT64 *left)
{
    CALL(F_ReadFile, .dir = image, .path = path, .offset = offset, .buffer = buffer, .size = size,
         .got = got, .left = left);
}

ULONG_PTR WINAPI CimGetFileStatBasicInformation(PCWSTR image, PCWSTR path,
                                                FILE_STAT_BASIC_INFORMATION *info)
{
    CALL(F_GetFileStatBasicInformation, .dir = image, .path = path, .info = info);
}

ULONG_PTR WINAPI CimLookupFile(CIMFS_IMAGE_HANDLE image, PCWSTR path, PBOOLEAN exists)
{
    CALL(F_LookupFile, .image = image, .path = path, .exists = exists);
}

/* The others: arguments go as they came. REST(name, (types and names), struct members, (names)) */
#define REST(name, parameters, members, values, arguments_)                                        \
    struct name##_arguments                                                                        \
    {                                                                                              \
        members                                                                                    \
    };                                                                                             \
    static ULONG_PTR rest_##name(const struct call *call)                                          \
    {                                                                                              \
        const struct name##_arguments *a = call->arguments;                                        \
        return real.name arguments_;                                                               \
    }                                                                                              \
    ULONG_PTR WINAPI Cim##name parameters                                                          \
    {                                                                                              \
        const struct name##_arguments arguments = values;                                          \
        CALL(F_##name, .rest = rest_##name, .arguments = &arguments);                              \
    }
#define LIST(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

REST(ConvertBlockImage, (PCWSTR p, PCWSTR q, PCWSTR r), PCWSTR p; PCWSTR q; PCWSTR r;
     , LIST(p, q, r), (a->p, a->q, a->r))
REST(AddFsToMergedImage, (CIMFS_IMAGE_HANDLE h, PCWSTR p), CIMFS_IMAGE_HANDLE h; PCWSTR p;
     , LIST(h, p), (a->h, a->p))
REST(AddFsToMergedImage2, (CIMFS_IMAGE_HANDLE h, PCWSTR p, UINT32 f), CIMFS_IMAGE_HANDLE h;
     PCWSTR p; UINT32 f;, LIST(h, p, f), (a->h, a->p, a->f))
REST(CreateMergedFile, (CIMFS_IMAGE_HANDLE h, PCWSTR p, PVOID v, PVOID w, UINT16 n),
     CIMFS_IMAGE_HANDLE h;
     PCWSTR p; PVOID v; PVOID w; UINT16 n;, LIST(h, p, v, w, n), (a->h, a->p, a->v, a->w, a->n))
REST(TombstoneFile, (CIMFS_IMAGE_HANDLE h, PCWSTR p), CIMFS_IMAGE_HANDLE h; PCWSTR p;
     , LIST(h, p), (a->h, a->p))
REST(CreateMergeLink, (CIMFS_IMAGE_HANDLE h, PCWSTR p, PCWSTR q), CIMFS_IMAGE_HANDLE h; PCWSTR p;
     PCWSTR q;, LIST(h, p, q), (a->h, a->p, a->q))
REST(MergeMountImage, (UINT32 n, const CimFsImagePath *p, CIM_MOUNT_IMAGE_FLAGS f, const GUID *g),
     UINT32 n;
     const CimFsImagePath *p; UINT32 f; const GUID *g;
     , LIST(n, p, (UINT32)f, g), (a->n, a->p, a->f, a->g))
REST(SealImage, (PCWSTR p, UINT64 *s, UINT64 *t, BYTE *b), PCWSTR p; UINT64 * s; UINT64 * t;
     BYTE * b;, LIST(p, s, t, b), (a->p, a->s, a->t, a->b))
REST(GetVerificationInformation,
     (PCWSTR p, UINT32 *n, UINT64 *s, UINT64 *t, UINT64 *u, BYTE *b, BYTE *d), PCWSTR p;
     UINT32 * n; UINT64 * s; UINT64 * t; UINT64 * u; BYTE * b; BYTE * d;
     , LIST(p, n, s, t, u, b, d), (a->p, a->n, a->s, a->t, a->u, a->b, a->d))
REST(MountVerifiedImage, (PCWSTR p, PCWSTR q, UINT32 f, const GUID *g, UINT16 n, const BYTE *b),
     PCWSTR p;
     PCWSTR q; UINT32 f; const GUID *g; UINT16 n; const BYTE *b;
     , LIST(p, q, f, g, n, b), (a->p, a->q, a->f, a->g, a->n, a->b))
REST(MergeMountVerifiedImage,
     (UINT32 k, const CimFsImagePath *p, UINT32 f, const GUID *g, UINT16 n, const BYTE *b),
     UINT32 k;
     const CimFsImagePath *p; UINT32 f; const GUID *g; UINT16 n; const BYTE *b;
     , LIST(k, p, f, g, n, b), (a->k, a->p, a->f, a->g, a->n, a->b))
REST(ReadFile2, (PCWSTR p, PCWSTR q, UINT64 o, void *b, UINT64 n, UINT64 *s, UINT64 *t, UINT32 f),
     PCWSTR p;
     PCWSTR q; UINT64 o; void *b; UINT64 n; UINT64 * s; UINT64 * t; UINT32 f;
     , LIST(p, q, o, b, n, s, t, f), (a->p, a->q, a->o, a->b, a->n, a->s, a->t, a->f))
REST(GetFileStatBasicInformation2, (PCWSTR p, PCWSTR q, FILE_STAT_BASIC_INFORMATION *i, UINT32 f),
     PCWSTR p;
     PCWSTR q; FILE_STAT_BASIC_INFORMATION * i; UINT32 f;
     , LIST(p, q, i, f), (a->p, a->q, a->i, a->f))

/* ---- loading -------------------------------------------------------------------------------- */

/*
 * Takes a name out of this DLL's own list of exports, in memory: its last letter becomes the one
 * before, which keeps the list sorted.
 */
static bool hide_export(HINSTANCE self, PCWSTR name)
{
    BYTE *base = (BYTE *)self;
    const IMAGE_NT_HEADERS *nt =
            (const IMAGE_NT_HEADERS *)(base + ((const IMAGE_DOS_HEADER *)base)->e_lfanew);
    const IMAGE_DATA_DIRECTORY *entry =
            &nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT];
    const IMAGE_EXPORT_DIRECTORY *exports =
            (const IMAGE_EXPORT_DIRECTORY *)(base + entry->VirtualAddress);
    const DWORD *names = (const DWORD *)(base + exports->AddressOfNames);
    char wanted[80];
    DWORD i, old;

    snprintf(wanted, sizeof(wanted), "%ls", name);
    for (i = 0; i < exports->NumberOfNames; i++)
    {
        char *letter = (char *)base + names[i];

        if (strcmp(letter, wanted)) continue;
        letter += strlen(letter) - 1;
        if (!VirtualProtect(letter, 1, PAGE_READWRITE, &old)) return false;
        --*letter;
        return true;
    }
    return false;
}

static bool load_real(void)
{
    WCHAR path[1024];
    HMODULE dll;

    if (!GetEnvironmentVariableW(L"CIMFS_MUTANT_REAL", path, ARRAY_SIZE(path))) return false;
    dll = LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (!dll) return false;
#define X(result, name, arguments, bytes)                                                          \
    real.name = (void *)GetProcAddress(dll, "Cim" #name);                                          \
    if (!real.name) return false;
    CIM_EXPORTS(X)
#undef X
    return true;
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason != DLL_PROCESS_ATTACH) return TRUE;
    DisableThreadLibraryCalls(self);
    if (!load_real() || !load_plan()) return FALSE;
    return !active || active->kind != HIDE || hide_export(self, active->text);
}
