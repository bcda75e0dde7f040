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
    case F_ReadFile2:
        return real.ReadFile2(c->dir, c->path, c->offset, c->buffer, c->size, c->got, c->left,
                              c->flags);
    case F_GetFileStatBasicInformation2:
        return real.GetFileStatBasicInformation2(c->dir, c->path, c->info, c->flags);
    case F_AddFsToMergedImage:
        return real.AddFsToMergedImage(image, c->existing);
    case F_AddFsToMergedImage2:
        return real.AddFsToMergedImage2(image, c->existing, c->flags);
    case F_TombstoneFile:
        return real.TombstoneFile(image, c->path);
    case F_CreateMergeLink:
        return real.CreateMergeLink(image, c->path, c->target);
    case F_SealImage:
        return real.SealImage(c->dir, c->got, c->left, c->buffer);
    case F_MountVerifiedImage:
        return real.MountVerifiedImage(c->dir, c->name, c->flags, c->guid, (UINT16)c->size,
                                       c->data);
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

ULONG_PTR WINAPI CimReadFile2(PCWSTR image, PCWSTR path, UINT64 offset, void *buffer, UINT64 size,
                              UINT64 *got, UINT64 *left, UINT32 flags)
{
    CALL(F_ReadFile2, .dir = image, .path = path, .offset = offset, .buffer = buffer, .size = size,
         .got = got, .left = left, .flags = flags);
}

ULONG_PTR WINAPI CimGetFileStatBasicInformation2(PCWSTR image, PCWSTR path,
                                                 FILE_STAT_BASIC_INFORMATION *info, UINT32 flags)
{
    CALL(F_GetFileStatBasicInformation2, .dir = image, .path = path, .info = info, .flags = flags);
}

ULONG_PTR WINAPI CimAddFsToMergedImage(CIMFS_IMAGE_HANDLE image, PCWSTR source)
{
    CALL(F_AddFsToMergedImage, .image = image, .existing = source);
}

ULONG_PTR WINAPI CimAddFsToMergedImage2(CIMFS_IMAGE_HANDLE image, PCWSTR source, UINT32 flags)
{
    CALL(F_AddFsToMergedImage2, .image = image, .existing = source, .flags = flags);
}

ULONG_PTR WINAPI CimTombstoneFile(CIMFS_IMAGE_HANDLE image, PCWSTR path)
{
    CALL(F_TombstoneFile, .image = image, .path = path);
}

ULONG_PTR WINAPI CimCreateMergeLink(CIMFS_IMAGE_HANDLE image, PCWSTR path, PCWSTR target)
{
    CALL(F_CreateMergeLink, .image = image, .path = path, .target = target);
}

/* The sizes go where counters do. */
ULONG_PTR WINAPI CimSealImage(PCWSTR path, UINT64 *hash_size, UINT64 *header_size, BYTE *hash)
{
    CALL(F_SealImage, .dir = path, .got = hash_size, .left = header_size, .buffer = hash);
}

ULONG_PTR WINAPI CimMountVerifiedImage(PCWSTR dir, PCWSTR name, UINT32 flags, const GUID *guid,
                                       UINT16 hash_size, const BYTE *hash)
{
    CALL(F_MountVerifiedImage, .dir = dir, .name = name, .flags = flags, .guid = guid,
         .size = hash_size, .data = hash);
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
REST(CreateMergedFile, (CIMFS_IMAGE_HANDLE h, PCWSTR p, PVOID v, PVOID w, UINT16 n),
     CIMFS_IMAGE_HANDLE h;
     PCWSTR p; PVOID v; PVOID w; UINT16 n;, LIST(h, p, v, w, n), (a->h, a->p, a->v, a->w, a->n))
REST(MergeMountImage, (UINT32 n, const CimFsImagePath *p, CIM_MOUNT_IMAGE_FLAGS f, const GUID *g),
     UINT32 n;
     const CimFsImagePath *p; UINT32 f; const GUID *g;
     , LIST(n, p, (UINT32)f, g), (a->n, a->p, a->f, a->g))
REST(GetVerificationInformation,
     (PCWSTR p, UINT32 *n, UINT64 *s, UINT64 *t, UINT64 *u, BYTE *b, BYTE *d), PCWSTR p;
     UINT32 * n; UINT64 * s; UINT64 * t; UINT64 * u; BYTE * b; BYTE * d;
     , LIST(p, n, s, t, u, b, d), (a->p, a->n, a->s, a->t, a->u, a->b, a->d))
REST(MergeMountVerifiedImage,
     (UINT32 k, const CimFsImagePath *p, UINT32 f, const GUID *g, UINT16 n, const BYTE *b),
     UINT32 k;
     const CimFsImagePath *p; UINT32 f; const GUID *g; UINT16 n; const BYTE *b;
     , LIST(k, p, f, g, n, b), (a->k, a->p, a->f, a->g, a->n, a->b))
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
