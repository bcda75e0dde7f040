/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_abi.c - what a compiled client sees beyond the header
 *
 * Exports found by name; whole return registers, also after the two functions that return nothing
 * (older clients read an HRESULT there, others import functions as returning 64 bits); on 32 bits
 * the stack after each call; the functions that are not implemented yet; the version resource.
 */
#include "dlltest.h"

#include <winver.h>

/* Any export as a client may have imported it: a whole register comes back. */
typedef ULONG_PTR(WINAPI *fn1)(const void *);
typedef ULONG_PTR(WINAPI *fn2)(const void *, const void *);
typedef ULONG_PTR(WINAPI *fn3)(const void *, const void *, const void *);
typedef ULONG_PTR(WINAPI *fn4)(const void *, const void *, const void *, const void *);

static HMODULE dll;
static const WCHAR *dir;

static void *get(const char *name)
{
    void *address = (void *)GetProcAddress(dll, name);

    if (!address) bail("no export %s", name);
    return address;
}

#ifdef __i386__
#define STACK()                                                                                    \
    ({                                                                                             \
        ULONG_PTR s;                                                                               \
        __asm__ volatile("mov %%esp, %0" : "=r"(s));                                               \
        s;                                                                                         \
    })
#else
#define STACK() ((ULONG_PTR)0)
#endif

/* Call, and see that the whole register and (32 bits) the stack are right. */
#define CALL(want, call, ...)                                                                      \
    do                                                                                             \
    {                                                                                              \
        ULONG_PTR before = STACK(), result = (call), after = STACK();                              \
        is_hex(result, (ULONG_PTR)(ULONG)(want), __VA_ARGS__);                                     \
        if (before != after) ok(false, "the stack after the call before");                         \
    } while (0)

static void test_registers(void)
{
    CIMFS_FILE_METADATA file = {.FileSize = 4}, folder = {.Attributes = FILE_ATTRIBUTE_DIRECTORY};
    ULONG_PTR(WINAPI * alternate)
    (void *, PCWSTR, UINT64, void **) = get("CimCreateAlternateStream");
    ULONG_PTR(WINAPI * create2)(PCWSTR, UINT32, PCWSTR, PCWSTR, void **) = get("CimCreateImage2");
    ULONG_PTR(WINAPI * write)(void *, const void *, UINT32) = get("CimWriteStream");
    ULONG_PTR(WINAPI * read)
    (PCWSTR, PCWSTR, UINT64, void *, UINT64, UINT64 *, UINT64 *) = get("CimReadFile");
    fn4 create = get("CimCreateImage"), create_file = get("CimCreateFile");
    fn3 link = get("CimCreateHardLink"), lookup = get("CimLookupFile"),
        stat = get("CimGetFileStatBasicInformation");
    fn2 delete = get("CimDeletePath");
    fn1 commit = get("CimCommitImage"), close_image = get("CimCloseImage"),
        close_stream = get("CimCloseStream");
    FILE_STAT_BASIC_INFORMATION info;
    void *image = NULL, *stream = NULL;
    BOOLEAN exists = FALSE;
    UINT64 got, left;
    char buffer[8];

    CALL(0, create(dir, NULL, L"a.cim", &image), "CimCreateImage: the register is 0");
    CALL(0, create_file(image, L"d", &folder, &stream), "CimCreateFile: directory: 0");
    CALL(0, close_stream(stream), "CimCloseStream of a directory's: 0");
    CALL(0, create_file(image, L"f", &file, &stream), "CimCreateFile: 0");
    CALL(0, write(stream, "abcd", 4), "CimWriteStream: 0");
    CALL(HR_EOF, write(stream, "e", 1), "CimWriteStream past the end: nothing above 32 bits");
    CALL(0, close_stream(stream), "CimCloseStream: 0");
    CALL(0, close_stream(stream), "CimCloseStream again: 0");
    CALL(0, alternate(image, L"f:s", 2, &stream), "CimCreateAlternateStream: 0");
    CALL(0, close_stream(stream), "CimCloseStream of a stream never written: 0");
    CALL(0, link(image, L"l", L"f"), "CimCreateHardLink: 0");
    CALL(E_ACCESSDENIED, link(image, L"m", L"d"), "a failure: nothing above 32 bits");
    CALL(0, lookup(image, L"l", &exists), "CimLookupFile: 0");
    CALL(0, delete (image, L"l"), "CimDeletePath: 0");
    CALL(0, commit(image), "CimCommitImage: 0");
    CALL(0, close_image(image), "CimCloseImage: 0");
    CALL(0, close_image(image), "CimCloseImage again: 0");
    CALL(0, close_image(NULL), "CimCloseImage of NULL: 0");
    CALL(0, close_stream(NULL), "CimCloseStream of NULL: 0");
    CALL(0, create2(dir, 0x10, NULL, L"b.cim", &image), "CimCreateImage2: 0");
    CALL(0, close_image(image), "CimCloseImage without commit: 0");
    CALL(0, read(path_of(dir, L"a.cim"), L"f", 0, buffer, 8, &got, &left), "CimReadFile: 0");
    CALL(0, stat(path_of(dir, L"a.cim"), L"f", &info), "CimGetFileStatBasicInformation: 0");
    is_int(exists, TRUE, "and what they were to do was done");
    is_int(got, 4, "4 bytes were read");
    is_int(info.EndOfFile.QuadPart, 4, "4 bytes were found");
}

/* ---- what is not implemented ---- */

static void test_not_supported(void)
{
    const CimFsImagePath images[2] = {{dir, L"a.cim"}, {dir, L"b.cim"}};
    const GUID guid = {1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}};
    UINT64 one = 99, two = 99, three = 99;
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_IMAGE_HANDLE image = NULL;
    BYTE hash[64], filled[64];
    UINT32 sealed = 99;

    memset(hash, 0x5a, 64);
    memset(filled, 0x5a, 64);
    if (CimCreateImage(dir, NULL, L"n.cim", &image)) bail("no session");
    is_hr(CimConvertBlockImage(dir, L"a", dir), HR_NOT_SUPPORTED, "CimConvertBlockImage");
    is_hr(CimAddFsToMergedImage(image, L"a"), HR_NOT_SUPPORTED, "CimAddFsToMergedImage");
    is_hr(CimAddFsToMergedImage2(image, L"a", 1), HR_NOT_SUPPORTED, "CimAddFsToMergedImage2");
    is_hr(CimCreateMergedFile(image, L"a", NULL, NULL, 1), HR_NOT_SUPPORTED, "CimCreateMergedFile");
    is_hr(CimTombstoneFile(image, L"a"), HR_NOT_SUPPORTED, "CimTombstoneFile");
    is_hr(CimCreateMergeLink(image, L"a", L"b"), HR_NOT_SUPPORTED, "CimCreateMergeLink");
    is_hr(CimMergeMountImage(2, images, CIM_MOUNT_IMAGE_NONE, &guid), HR_NOT_SUPPORTED,
          "CimMergeMountImage");
    is_hr(CimSealImage(L"a", &one, &two, hash), HR_NOT_SUPPORTED, "CimSealImage");
    ok(!one && !two, "CimSealImage: the sizes are cleared");
    is_mem(hash, filled, 64, "CimSealImage: the hash buffer, of unknown size, is left alone");
    one = two = 99;
    is_hr(CimGetVerificationInformation(L"a", &sealed, &one, &two, &three, hash, NULL),
          HR_NOT_SUPPORTED, "CimGetVerificationInformation");
    ok(!sealed && !one && !two && !three, "CimGetVerificationInformation: outputs are cleared");
    is_hr(CimGetVerificationInformation(L"a", NULL, NULL, NULL, NULL, NULL, NULL), HR_NOT_SUPPORTED,
          "CimGetVerificationInformation: all NULL");
    is_hr(CimMountVerifiedImage(dir, L"a", 0x20, &guid, 32, hash), HR_NOT_SUPPORTED,
          "CimMountVerifiedImage");
    is_hr(CimMergeMountVerifiedImage(2, images, 0x20, &guid, 32, hash), HR_NOT_SUPPORTED,
          "CimMergeMountVerifiedImage");
    one = two = 99;
    is_hr(CimReadFile2(L"a", L"b", 0, hash, 64, &one, &two, 1), HR_NOT_SUPPORTED, "CimReadFile2");
    ok(!one && !two, "CimReadFile2: the counters are cleared");
    is_hr(CimReadFile2(L"a", L"b", 0, NULL, 64, NULL, NULL, 1), HR_NOT_SUPPORTED,
          "CimReadFile2: all NULL");
    memset(&info, 0x5a, sizeof(info));
    is_hr(CimGetFileStatBasicInformation2(L"a", L"b", &info, 1), HR_NOT_SUPPORTED,
          "CimGetFileStatBasicInformation2");
    ok(!info.EndOfFile.QuadPart && !info.FileId.QuadPart,
       "CimGetFileStatBasicInformation2: the information is cleared");
    is_hr(CimGetFileStatBasicInformation2(L"a", L"b", NULL, 1), HR_NOT_SUPPORTED,
          "CimGetFileStatBasicInformation2: NULL");
    CimCloseImage(image);
}

/* ---- exports by name ---- */

static const char *const cimfs_exports[] = {
        "CimAddFsToMergedImage",
        "CimAddFsToMergedImage2",
        "CimCloseImage",
        "CimCloseStream",
        "CimCommitImage",
        "CimConvertBlockImage",
        "CimCreateAlternateStream",
        "CimCreateFile",
        "CimCreateHardLink",
        "CimCreateImage",
        "CimCreateImage2",
        "CimCreateMergeLink",
        "CimCreateMergedFile",
        "CimDeletePath",
        "CimDismountImage",
        "CimGetFileStatBasicInformation",
        "CimGetFileStatBasicInformation2",
        "CimGetVerificationInformation",
        "CimLookupFile",
        "CimMergeMountImage",
        "CimMergeMountVerifiedImage",
        "CimMountImage",
        "CimMountVerifiedImage",
        "CimReadFile",
        "CimReadFile2",
        "CimSealImage",
        "CimTombstoneFile",
        "CimWriteStream",
};

static void test_exports(void)
{
    size_t i;

    for (i = 0; i < sizeof(cimfs_exports) / sizeof(*cimfs_exports); i++)
        ok(GetProcAddress(dll, cimfs_exports[i]) != NULL, "cimfs.dll exports %s", cimfs_exports[i]);
    ok(!GetProcAddress(dll, "CimNoSuchFunction"), "and not everything");
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
    test_exports();
    test_registers();
    test_not_supported();
    test_version(L"cimfs.dll", "cimfs.dll");
    test_version(L"cimwriter.dll", "cimwriter.dll");
    return tap_done();
}
