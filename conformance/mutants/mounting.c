/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounting.c - mutants of mounting and dismounting, and of what a volume shows
 *
 * What a volume shows comes from the image, so most mutants of it are those of CimCreateFile and
 * its like. Here are those that mount another image, or in another way.
 */
#include "mutant.h"

#define RESULT(hr) FAILURE(hr)

static WCHAR *path_of(PCWSTR format, PCWSTR a, PCWSTR b)
{
    WCHAR *path = malloc((wcslen(format) + wcslen(a) + wcslen(b) + 1) * sizeof(WCHAR));

    swprintf(path, wcslen(format) + wcslen(a) + wcslen(b) + 1, format, a, b);
    return path;
}

static WCHAR *root_of(const GUID *guid)
{
    WCHAR *root = malloc(60 * sizeof(WCHAR));

    swprintf(root, 60, L"\\\\?\\Volume{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
             guid->Data1, guid->Data2, guid->Data3, guid->Data4[0], guid->Data4[1], guid->Data4[2],
             guid->Data4[3], guid->Data4[4], guid->Data4[5], guid->Data4[6], guid->Data4[7]);
    return root;
}

/* Calls with each file or directory of one. */
static void each_entry(PCWSTR dir, void (*use)(PCWSTR path, const WIN32_FIND_DATAW *data, void *),
                       void *argument)
{
    WCHAR *glob = path_of(L"%ls\\%ls", dir, L"*"), *path;
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(glob, &data);

    free(glob);
    if (find == INVALID_HANDLE_VALUE) return;
    do
    {
        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
        path = path_of(L"%ls\\%ls", dir, data.cFileName);
        use(path, &data, argument);
        free(path);
    } while (FindNextFileW(find, &data));
    FindClose(find);
}

static bool is_directory(const WIN32_FIND_DATAW *data)
{
    return data->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY;
}

/* ---- CimMountImage -------------------------------------------------------------------------- */

/* Opens files that match the glob, for good; none can be opened beside. */
static void hold(PCWSTR path, const WIN32_FIND_DATAW *data, void *glob)
{
    if (!is_directory(data) && glob_wide(glob, data->cFileName))
        CreateFileW(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
}

static const struct mount *mounted_before(const GUID *guid)
{
    struct mount *mount;

    for (mount = mounts; mount; mount = mount->next)
        if (!memcmp(&mount->guid, guid, sizeof(*guid))) break;
    return mount;
}

static const struct mount *mount_of(PCWSTR dir, PCWSTR name)
{
    struct mount *mount;

    for (mount = mounts; mount; mount = mount->next)
        if (!mount->gone && !_wcsicmp(mount->name, name) && !_wcsicmp(mount->dir, dir)) break;
    return mount;
}

static bool any_mount(void)
{
    struct mount *mount;

    for (mount = mounts; mount && mount->gone; mount = mount->next)
    {
    }
    return mount != NULL;
}

static const struct session *session_in(PCWSTR dir)
{
    struct session *session;

    for (session = sessions; session; session = session->next)
        if (!session->closed && !_wcsicmp(session->dir, dir)) break;
    return session;
}

/* Answers that come in place of the call; 1: none. */
static HRESULT refusal(const struct call *call)
{
    switch (*active->text)
    {
    case 'n':
        return S_OK;
    case 'a':
        return find_mount(call->guid) ? S_OK : 1;
    case '1':
        return any_mount() ? HR_SHARING : 1;
    case 'i':
        return mount_of(call->dir, call->name) ? HR_SHARING : 1;
    case 's':
        return session_in(call->dir) ? HR_SHARING : 1;
    case 'u':
        return mounted_before(call->guid) ? HR_ALREADY_EXISTS : 1;
    case 'o':
        return file_there(call->dir, L"objectid_*") ? 1 : HR_CORRUPT;
    }
    return 1;
}

/* The image's file as it was when it was mounted first. */
static PCWSTR first_state(const struct call *call)
{
    WCHAR *from = path_of(L"%ls\\%ls", call->dir, call->name);
    WCHAR *to = path_of(L"%ls\\%ls", call->dir, L"mutant.old");

    CopyFileW(from, to, TRUE);
    free(from);
    free(to);
    return L"mutant.old";
}

/* What is mounted besides, or instead. */
static void change_mount(struct call *call, GUID *other)
{
    struct session *session;

    switch (*active->text)
    {
    case 'f':
        call->flags &= ~active->number;
        break;
    case 'r':
        if (find_mount(call->guid)) real.DismountImage(call->guid);
        break;
    case 'g':
        *other = *call->guid;
        other->Data1 ^= 1;
        call->guid = other;
        break;
    case 'b':
        for (session = sessions; session; session = session->next)
            if (session->mode == FORKS && session->committed &&
                !_wcsicmp(session->name, call->name))
                call->name = session->existing;
        break;
    case 'h':
        if (file_there(call->dir, call->name)) call->name = first_state(call);
        break;
    }
}

/*
 * text: 'f' flags (number) are taken off, 'r' a GUID in use dismounts what is there, 'a' it is
 * S_OK and nothing happens, 'g' the volume gets another GUID, 'n' nothing is mounted, 'b' of an
 * image that was forked the base is mounted, '1' only one at a time, 'i' an image can be mounted
 * once, 's' not while there is a session, 'u' a GUID can't be used again, 'o' not without object ID
 * files, 'h' an image is shown as it was the first time, 'k' a region file stays open, 'x' files
 * on the volume do
 */
ULONG_PTR mount_changed(struct call *call)
{
    struct call changed = *call;
    ULONG_PTR result;
    WCHAR *root;
    GUID other;

    if (!call->guid) return forward(call);
    if (call->function == F_DismountImage)
    {
        change_mount(&changed, &other);
        return forward(&changed);
    }
    if (!call->dir || !call->name) return forward(call);
    if (refusal(call) != 1) return RESULT(refusal(call));
    change_mount(&changed, &other);
    result = forward(&changed);
    if (OK(result) && *active->text == 'k') each_entry(call->dir, hold, L"region_*");
    if (OK(result) && *active->text == 'x')
    {
        root = root_of(call->guid);
        each_entry(root, hold, L"*");
        free(root);
    }
    return result;
}

/* An image's name may be a path. */
ULONG_PTR mount_path(struct call *call)
{
    WCHAR *path = path_of(L"%ls\\%ls", call->dir, call->name), *letter, *name = path;
    struct call changed = *call;
    ULONG_PTR result;

    for (letter = path; *letter; letter++)
        if (*letter == '\\' || *letter == '/') name = letter;
    *name = 0;
    changed.dir = path;
    changed.name = name + 1;
    result = forward(&changed);
    free(path);
    return result;
}

static void copy_entry(PCWSTR path, const WIN32_FIND_DATAW *data, void *to)
{
    WCHAR *copy = path_of(L"%ls\\%ls", to, data->cFileName);

    if (is_directory(data))
    {
        CreateDirectoryW(copy, NULL);
        each_entry(path, copy_entry, copy);
    }
    else
        CopyFileW(path, copy, TRUE);
    free(copy);
}

static void remove_entry(PCWSTR path, const WIN32_FIND_DATAW *data, void *argument)
{
    SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
    if (!is_directory(data))
    {
        DeleteFileW(path);
        return;
    }
    each_entry(path, remove_entry, argument);
    RemoveDirectoryW(path);
}

/* Wine's own directory of devices, in which a volume is an entry; the caller's. */
static WCHAR *device_of(const GUID *guid)
{
    WCHAR devices[1000], *root = root_of(guid), *path = NULL, *letter;

    if (GetEnvironmentVariableW(L"CIMFS_MUTANT_DEVICES", devices, ARRAY_SIZE(devices)))
    {
        for (letter = root; *letter; letter++) *letter = towlower(*letter);
        path = path_of(L"%ls\\%ls", devices, root + 4);
    }
    free(root);
    return path;
}

/* The volume is a copy of the image's files in a plain directory. */
ULONG_PTR mount_writable(struct call *call)
{
    WCHAR *device = device_of(call->guid), *root = root_of(call->guid);
    WCHAR *aside = device ? path_of(L"%ls-%ls", device, L"copy") : NULL;
    ULONG_PTR result = 0;

    if (!device)
        result = forward(call);
    else if (call->function == F_DismountImage)
    {
        each_entry(device, remove_entry, NULL);
        RemoveDirectoryW(device);
    }
    else if (OK(result = forward(call)))
    {
        CreateDirectoryW(aside, NULL);
        each_entry(root, copy_entry, aside);
        real.DismountImage(call->guid);
        MoveFileW(aside, device);
    }
    free(device);
    free(root);
    free(aside);
    return result;
}

/* ---- CimDismountImage ----------------------------------------------------------------------- */

/* text: 'n' nothing is dismounted, '2' a second time is fine, 'o' only what this process mounted
 * can be, 'a' all volumes of the image are */
ULONG_PTR dismount_changed(struct call *call)
{
    const struct mount *mount = call->guid ? find_mount(call->guid) : NULL;
    struct mount *other;
    ULONG_PTR result;

    if (*active->text == 'n') return 0;
    if (*active->text == 'o' && !mount) return RESULT(HR_FILE_NOT_FOUND);
    result = forward(call);
    if (*active->text == '2' && (HRESULT)result == HR_FILE_NOT_FOUND && call->guid &&
        mounted_before(call->guid))
        return 0;
    for (other = mounts; other && mount && *active->text == 'a'; other = other->next)
        if (!other->gone && other != mount && !_wcsicmp(other->name, mount->name))
            real.DismountImage(&other->guid);
    return result;
}

/* ---- sessions beside mounts ----------------------------------------------------------------- */

/* A mounted image can't be opened. */
ULONG_PTR mounted_refused(struct call *call)
{
    if (call->existing && mount_of(call->dir, call->existing)) return RESULT(HR_SHARING);
    return forward(call);
}

/* The image's volumes go when it is overwritten. */
ULONG_PTR commit_dismounts(struct call *call)
{
    struct mount *mount;

    for (mount = mounts; mount && call->session; mount = mount->next)
        if (!mount->gone && !_wcsicmp(mount->name, call->session->name))
            real.DismountImage(&mount->guid);
    return forward(call);
}

static void save_region(PCWSTR path, const WIN32_FIND_DATAW *data, void *dir)
{
    WCHAR *copy = path_of(L"%ls\\%ls", dir, data->cFileName);

    if (!is_directory(data) && glob_wide(L"region_*", data->cFileName)) CopyFileW(path, copy, TRUE);
    free(copy);
}

/* Region files are kept in another place, too, and taken from there when they are missing. */
ULONG_PTR regions_come_back(struct call *call)
{
    PCWSTR dir = call->session ? call->session->dir : call->dir;
    WCHAR *aside = path_of(L"%ls\\%ls", dir ? dir : L"", L"kept");
    ULONG_PTR result = forward(call);

    if (call->function == F_CloseImage && dir)
    {
        CreateDirectoryW(aside, NULL);
        each_entry(dir, save_region, aside);
    }
    if (call->function == F_MountImage && (HRESULT)result == HR_CORRUPT)
    {
        each_entry(aside, save_region, (void *)dir);
        result = forward(call);
    }
    free(aside);
    return result;
}

/* ---- what a volume shows -------------------------------------------------------------------- */

/* In the image's table of upper-case letters a to z become themselves. */
static void patch_table(PCWSTR path, const WIN32_FIND_DATAW *data, void *argument)
{
    enum
    {
        UNITS = 'z' - 'A' + 1
    };
    WCHAR table[UNITS];
    HANDLE file, mapping;
    BYTE *view, *at;
    size_t size = data->nFileSizeLow;
    int i;

    (void)argument;
    if (is_directory(data) || !glob_wide(L"region_*", data->cFileName)) return;
    for (i = 0; i < UNITS; i++) table[i] = 'A' + i >= 'a' ? i + 'A' - 32 : i + 'A';
    file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0,
                       NULL);
    mapping = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    view = mapping ? MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0) : NULL;
    for (at = view; view && at + sizeof(table) <= view + size; at += 2)
        if (!memcmp(at, table, sizeof(table)))
            for (i = 'a' - 'A'; i < UNITS; i++) at[2 * i] = (BYTE)('A' + i);
    if (view) UnmapViewOfFile(view);
    if (mapping) CloseHandle(mapping);
    CloseHandle(file);
}

ULONG_PTR no_case_table(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (call->session && call->session->committed && !call->session->closed)
        each_entry(call->session->dir, patch_table, NULL);
    return result;
}
