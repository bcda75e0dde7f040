/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bad.c - a cimfs.dll of the oldest kind, which may be broken
 *
 * It exports the eleven functions of Windows 10 2004 and hands each call to the cimfs.dll that the
 * environment names in BAD_REAL, and it doesn't say that it is ours. BAD tells how it is broken:
 *
 *   load-crash load-hang load-refuse    DllMain
 *   crash overflow exit hang fill       CimCreateImage; "fill" fills the directory's disk
 */
#include "../suite/suite.h"

static struct cim_api real;

static bool is_broken(const char *how)
{
    char value[40];

    return GetEnvironmentVariableA("BAD", value, sizeof(value)) && !strcmp(value, how);
}

static bool load_real(void)
{
    WCHAR path[1024];
    HMODULE module;

    if (real.CreateImage) return true;
    if (!GetEnvironmentVariableW(L"BAD_REAL", path, ARRAY_SIZE(path))) return false;
    module = LoadLibraryW(path);
    if (!module) return false;
#define X(result, name, arguments, bytes) real.name = (void *)GetProcAddress(module, "Cim" #name);
    CIM_EXPORTS(X)
#undef X
    return real.CreateImage != NULL;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int __attribute__((noinline)) recurse(volatile char *from)
{
    volatile char room[4096];

    room[0] = from ? *from : 0;
    return recurse(room) + room[0];
}
#pragma GCC diagnostic pop

static void fill_disk(const WCHAR *dir)
{
    static BYTE block[1 << 20];
    WCHAR path[1024];
    HANDLE file;
    DWORD done;

    swprintf(path, ARRAY_SIZE(path), L"%ls\\filler", dir);
    memset(block, 1, sizeof(block));
    file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    while (WriteFile(file, block, sizeof(block), &done, NULL) && done == sizeof(block))
    {
    }
    for (;;) Sleep(100);
}

static void break_down(const WCHAR *dir)
{
    volatile char *volatile nowhere = NULL;

    if (is_broken("crash")) *nowhere = 1;
    if (is_broken("overflow")) recurse(NULL);
    if (is_broken("exit")) ExitProcess(0);
    if (is_broken("fill")) fill_disk(dir);
    while (is_broken("hang")) Sleep(100);
}

HRESULT WINAPI CimCreateImage(PCWSTR dir, PCWSTR existing, PCWSTR new_name,
                              CIMFS_IMAGE_HANDLE *image)
{
    break_down(dir);
    return load_real() ? real.CreateImage(dir, existing, new_name, image) : E_NOTIMPL;
}

void WINAPI CimCloseImage(CIMFS_IMAGE_HANDLE image)
{
    if (load_real()) real.CloseImage(image);
}

HRESULT WINAPI CimCommitImage(CIMFS_IMAGE_HANDLE image)
{
    return load_real() ? real.CommitImage(image) : E_NOTIMPL;
}

HRESULT WINAPI CimCreateFile(CIMFS_IMAGE_HANDLE image, PCWSTR path,
                             const CIMFS_FILE_METADATA *metadata, CIMFS_STREAM_HANDLE *stream)
{
    return load_real() ? real.CreateFile(image, path, metadata, stream) : E_NOTIMPL;
}

HRESULT WINAPI CimCreateAlternateStream(CIMFS_IMAGE_HANDLE image, PCWSTR path, UINT64 size,
                                        CIMFS_STREAM_HANDLE *stream)
{
    return load_real() ? real.CreateAlternateStream(image, path, size, stream) : E_NOTIMPL;
}

HRESULT WINAPI CimCreateHardLink(CIMFS_IMAGE_HANDLE image, PCWSTR path, PCWSTR existing)
{
    return load_real() ? real.CreateHardLink(image, path, existing) : E_NOTIMPL;
}

HRESULT WINAPI CimWriteStream(CIMFS_STREAM_HANDLE stream, const void *data, UINT32 size)
{
    return load_real() ? real.WriteStream(stream, data, size) : E_NOTIMPL;
}

void WINAPI CimCloseStream(CIMFS_STREAM_HANDLE stream)
{
    if (load_real()) real.CloseStream(stream);
}

HRESULT WINAPI CimDeletePath(CIMFS_IMAGE_HANDLE image, PCWSTR path)
{
    return load_real() ? real.DeletePath(image, path) : E_NOTIMPL;
}

HRESULT WINAPI CimMountImage(PCWSTR dir, PCWSTR name, CIM_MOUNT_IMAGE_FLAGS flags,
                             const GUID *volume)
{
    return load_real() ? real.MountImage(dir, name, flags, volume) : E_NOTIMPL;
}

HRESULT WINAPI CimDismountImage(const GUID *volume)
{
    return load_real() ? real.DismountImage(volume) : E_NOTIMPL;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)instance;
    (void)reserved;
    if (reason != DLL_PROCESS_ATTACH) return TRUE;
    /* Wine's loader takes an exception here for a refusal; a crash ends the process. */
    if (is_broken("load-crash")) TerminateProcess(GetCurrentProcess(), 0xc0000005);
    while (is_broken("load-hang")) Sleep(100);
    return !is_broken("load-refuse");
}
