/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_abi.c - what a compiled client sees beyond the header, as far as the conformance suite doesn't
 *
 * Whole return registers (some clients import functions as returning 64 bits) of functions and
 * failures that the suite's Abi cases leave out; outputs of the functions that are not implemented
 * yet; the version resource.
 */
#include "dlltest.h"

#include "libcim.h"

#include <winver.h>

static HMODULE dll;
static const WCHAR *dir;

static void *get(const char *name)
{
    void *address = (void *)GetProcAddress(dll, name);

    if (!address) bail("no export %s", name);
    return address;
}

static void test_registers(void)
{
    ULONG_PTR(WINAPI * create2)(PCWSTR, UINT32, PCWSTR, PCWSTR, void **) = get("CimCreateImage2");
    ULONG_PTR(WINAPI * write)(void *, const void *, UINT32) = get("CimWriteStream");
    ULONG_PTR(WINAPI * link)(void *, PCWSTR, PCWSTR) = get("CimCreateHardLink");
    ULONG_PTR(WINAPI * lookup)(void *, PCWSTR, BOOLEAN *) = get("CimLookupFile");
    CIMFS_FILE_METADATA file = {.FileSize = 4};
    CIMFS_STREAM_HANDLE stream = NULL;
    BOOLEAN exists = FALSE;
    void *image = NULL;

    is_hex(create2(dir, 0x10, NULL, L"a.cim", &image), 0, "CimCreateImage2: the register is 0");
    is_hr(put_dir(image, L"d"), S_OK, "a directory");
    is_hr(CimCreateFile(image, L"f", &file, &stream), S_OK, "a file");
    is_hex(write(stream, "abcde", 5), (ULONG)HR_EOF,
           "CimWriteStream past the end: nothing above 32 bits");
    CimCloseStream(stream);
    is_hex(link(image, L"m", L"d"), (ULONG)E_ACCESSDENIED,
           "CimCreateHardLink of a directory: nothing above 32 bits");
    is_hex(lookup(image, L"f", &exists), 0, "CimLookupFile: 0");
    is_int(exists, TRUE, "and what it was to do was done");
    CimCloseImage(image);
}

/* ---- the version resource ---- */

static const char *version_string(void *data, const WCHAR *key)
{
    static char buffers[4][200];
    static unsigned next;
    WCHAR path[100], *value;
    char *buffer = buffers[next++ % 4];
    UINT size;

    _snwprintf(path, 100, L"\\StringFileInfo\\040904B0\\%ls", key);
    if (!VerQueryValueW(data, path, (void **)&value, &size)) return NULL;
    sprintf(buffer, "%ls", value);
    return buffer;
}

static void test_version(const WCHAR *name, const char *name8)
{
    WCHAR path[PATH_ROOM];
    HMODULE module = LoadLibraryW(name);
    VS_FIXEDFILEINFO *fixed;
    char expected[40];
    UINT fixed_size;
    DWORD size;
    void *data;

    if (!ok(module != NULL, "%s is loaded", name8)) return;
    GetModuleFileNameW(module, path, PATH_ROOM);
    size = GetFileVersionInfoSizeW(path, NULL);
    if (!ok(size != 0, "%s has a version resource", name8)) return;
    data = malloc(size);
    ok(GetFileVersionInfoW(path, 0, size, data), "%s: it can be read", name8);
    ok(VerQueryValueW(data, L"\\", (void **)&fixed, &fixed_size), "%s: its fixed part", name8);
    sprintf(expected, "%d.%d.%d.%d", HIWORD(fixed->dwFileVersionMS), LOWORD(fixed->dwFileVersionMS),
            HIWORD(fixed->dwFileVersionLS), LOWORD(fixed->dwFileVersionLS));
    ok(fixed->dwFileVersionMS || fixed->dwFileVersionLS, "%s: version %s is not 0", name8,
       expected);
    ok(!strncmp(expected, CIM_VERSION ".", strlen(CIM_VERSION) + 1),
       "%s: version %s is that of the build, " CIM_VERSION, name8, expected);
    is_str(version_string(data, L"FileVersion"), expected, "%s: the same as text", name8);
    is_str(version_string(data, L"ProductName"), "cimfs_shim", "%s: ProductName", name8);
    is_str(version_string(data, L"OriginalFilename"), name8, "%s: OriginalFilename", name8);
    ok(version_string(data, L"FileDescription") != NULL, "%s: FileDescription: %s", name8,
       version_string(data, L"FileDescription"));
    free(data);
}

int wmain(void)
{
    dir = new_dir(L"abi");
    dll = LoadLibraryA("cimfs.dll");
    if (!dll) bail("no cimfs.dll: error %lu", GetLastError());
    test_registers();
    test_version(L"cimfs.dll", "cimfs.dll");
    test_version(L"cimwriter.dll", "cimwriter.dll");
    return tap_done();
}
