/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_metadata.c - metadata as it is stored
 *
 * What the conformance suite can't see without a mount (descriptors, EAs and reparse data, read
 * back through libcim) or doesn't ask for; each decision is called by its number. Which of them are
 * valid is t_metavalid.c's, that an invalid one is E_INVALIDARG the suite's.
 */
#include "dlltest.h"
#include "libcim_advanced.h"

#include <sddl.h>

static const WCHAR *dir;

/* ---- reading back ---- */

static struct cim_image *open_for_reading(const WCHAR *name)
{
    struct cim_image *image = NULL;
    struct cim_error err;
    char path[PATH_ROOM * 3];

    cim_utf8_from_utf16(path_of(dir, name), wcslen(path_of(dir, name)), path, sizeof(path));
    if (cim_image_open(NULL, path, &image, &err)) bail("can't open %s: %s", path, err.cause);
    return image;
}

static uint32_t find(struct cim_image *image, const WCHAR *path)
{
    uint32_t id = 0;
    struct cim_error err;

    if (cim_image_lookup(image, cim_str16(path), &id, &err)) diag("no %ls: %s", path, err.cause);
    return id;
}

/* Is a blob of an item of a committed image exactly these bytes? */
static void check_blob(const WCHAR *name, const WCHAR *path, enum cim_blob which, const void *want,
                       size_t want_size, const char *what)
{
    static BYTE buffer[CIM_MAX_BLOB];
    struct cim_image *image = open_for_reading(name);
    struct cim_error err;
    size_t size = 0;

    err.cause[0] = 0;
    is_int(cim_image_get_blob(image, find(image, path), which, buffer, sizeof(buffer), &size, &err),
           CIM_OK, "%s: can be read", what);
    if (is_int(size, want_size, "%s: size", what)) is_mem(buffer, want, size, "%s: bytes", what);
    cim_image_close(image);
}

/* CimCreateFile() with these metadata, and nothing written. */
static HRESULT create(CIMFS_IMAGE_HANDLE image, const WCHAR *path, CIMFS_FILE_METADATA metadata)
{
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateFile(image, path, &metadata, &stream);

    if (!hr) CimCloseStream(stream);
    return hr;
}

/* ---- security descriptors ---- */

static const BYTE null_dacl[20] = {1, 0, 4, 0x80};

static HRESULT create_sd(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT32 attributes,
                         const void *descriptor, UINT32 size)
{
    return create(image, path,
                  (CIMFS_FILE_METADATA){.Attributes = attributes,
                                        .SecurityDescriptorBuffer = descriptor,
                                        .SecurityDescriptorSize = size});
}

static void test_security(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"security.cim");
    PSECURITY_DESCRIPTOR descriptor = NULL;
    BYTE *large = calloc(1, 65535);
    ULONG size = 0;

    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
                L"O:BAG:SYD:(A;;FA;;;BA)(A;;0x1200a9;;;WD)", SDDL_REVISION_1, &descriptor, &size))
        bail("no security descriptor: error %lu", GetLastError());
    memcpy(large, null_dacl, 20);
    is_hr(create_sd(image, L"none", 0, NULL, 0), S_OK, "D8: no descriptor");
    is_hr(create_sd(image, L"null", 0, NULL, 20), S_OK, "D8: NULL with a size");
    is_hr(create_sd(image, L"zero", 0, descriptor, 0), S_OK, "D8: a descriptor of size 0");
    is_hr(create_sd(image, L"full", 0, descriptor, size), S_OK, "a descriptor of %lu bytes", size);
    is_hr(create_sd(image, L"dir", FILE_ATTRIBUTE_DIRECTORY, descriptor, size), S_OK,
          "a directory's descriptor");
    is_hr(create_sd(image, L"large", 0, large, 65535), S_OK, "D9: 65,535 bytes are fine");
    is_hr(commit_and_close(image), S_OK, "commit");
    check_blob(L"security.cim", L"none", CIM_BLOB_SECURITY, null_dacl, 20, "D8: no descriptor");
    check_blob(L"security.cim", L"null", CIM_BLOB_SECURITY, null_dacl, 20, "D8: NULL with a size");
    check_blob(L"security.cim", L"zero", CIM_BLOB_SECURITY, null_dacl, 20, "D8: size 0");
    check_blob(L"security.cim", L"full", CIM_BLOB_SECURITY, descriptor, size, "a descriptor");
    check_blob(L"security.cim", L"dir", CIM_BLOB_SECURITY, descriptor, size, "a directory's");
    check_blob(L"security.cim", L"large", CIM_BLOB_SECURITY, large, 65535, "a large one");
    check_blob(L"security.cim", L"", CIM_BLOB_SECURITY, null_dacl, 20, "D22: the root's");
    LocalFree(descriptor);
    free(large);
}

/* ---- extended attributes ---- */

/* One FILE_FULL_EA_INFORMATION; returns the bytes up to the value's end. */
static UINT32 put_ea(BYTE *at, UINT32 next, const char *name, const char *value)
{
    UINT16 value_size = (UINT16)strlen(value);

    memcpy(at, &next, 4);
    at[4] = 0;
    at[5] = (BYTE)strlen(name);
    memcpy(at + 6, &value_size, 2);
    strcpy((char *)at + 8, name);
    memcpy(at + 9 + at[5], value, value_size);
    return 9 + at[5] + value_size;
}

static HRESULT create_ea(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT32 attributes,
                         const void *ea, UINT32 size)
{
    return create(
            image, path,
            (CIMFS_FILE_METADATA){.Attributes = attributes, .EaBuffer = ea, .EaBufferSize = size});
}

static void test_ea(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"ea.cim");
    BYTE chain[64] = {0}, *large = calloc(1, 65535);
    UINT32 first, second_at, size, large_value = 65535;
    UINT16 length = (UINT16)(large_value - 12);

    first = put_ea(chain, 0, "FIRST", "one");
    second_at = (first + 3) & ~3u;
    put_ea(chain, second_at, "FIRST", "one");
    size = second_at + put_ea(chain + second_at, 0, "SECOND", "three");
    put_ea(large, 0, "BIG", "");
    memcpy(large + 6, &length, 2);
    is_hr(create_ea(image, L"chain", 0, chain, size), S_OK, "two EAs in %u bytes", size);
    is_hr(create_ea(image, L"dir", FILE_ATTRIBUTE_DIRECTORY, chain, size), S_OK,
          "a directory's EAs");
    is_hr(create_ea(image, L"large", 0, large, large_value), S_OK, "D17: 65,535 bytes of EAs");

    is_hr(create_ea(image, L"bad", 0, NULL, size), E_INVALIDARG,
          "D17: NULL with a size -> E_INVALIDARG");
    is_hr(commit_and_close(image), S_OK, "commit");
    check_blob(L"ea.cim", L"chain", CIM_BLOB_EA, chain, size, "two EAs");
    check_blob(L"ea.cim", L"dir", CIM_BLOB_EA, chain, size, "a directory's EAs");
    check_blob(L"ea.cim", L"large", CIM_BLOB_EA, large, large_value, "65,535 bytes of EAs");
    ok(!in_image(dir, L"ea.cim", L"bad"), "no item was made of a bad EA list");
    free(large);
}

/* ---- reparse data ---- */

static UINT32 put_reparse(BYTE *at, UINT32 tag, UINT32 header, UINT16 data_size)
{
    memcpy(at, &tag, 4);
    memcpy(at + 4, &data_size, 2);
    at[6] = at[7] = 0;
    memset(at + 8, 'r', header - 8 + data_size);
    return header + data_size;
}

static HRESULT create_reparse(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT32 attributes,
                              const void *data, UINT32 size)
{
    return create(image, path,
                  (CIMFS_FILE_METADATA){.Attributes = attributes,
                                        .ReparseDataBuffer = data,
                                        .ReparseDataSize = size});
}

static void test_reparse(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"reparse.cim");
    BYTE link[100], mount_point[100], other[100];
    UINT32 link_size = put_reparse(link, IO_REPARSE_TAG_SYMLINK, 8, 40);
    UINT32 mount_size = put_reparse(mount_point, IO_REPARSE_TAG_MOUNT_POINT, 8, 30);
    UINT32 other_size = put_reparse(other, 0x00001234, 24, 20); /* with a GUID */

    is_hr(create_reparse(image, L"link", FILE_ATTRIBUTE_REPARSE_POINT, link, link_size), S_OK,
          "a symbolic link");
    is_hr(create_reparse(image, L"nodata", FILE_ATTRIBUTE_REPARSE_POINT, NULL, 0), S_OK,
          "D15: the attribute without data");
    is_hr(create_reparse(image, L"junction",
                         FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT, mount_point,
                         mount_size),
          S_OK, "a junction");
    is_hr(create_reparse(image, L"other", 0, other, other_size), S_OK,
          "D16: another vendor's tag, with its GUID");
    is_hr(create_reparse(image, L"bad", 0, NULL, 20), E_INVALIDARG,
          "D16: NULL with a size -> E_INVALIDARG");
    is_hr(CimCreateHardLink(image, L"linklink", L"link"), S_OK, "a hard link to a symbolic link");
    is_hr(commit_and_close(image), S_OK, "commit");

    check_blob(L"reparse.cim", L"link", CIM_BLOB_REPARSE, link, link_size, "a symbolic link");
    check_blob(L"reparse.cim", L"linklink", CIM_BLOB_REPARSE, link, link_size, "its hard link");
    check_blob(L"reparse.cim", L"junction", CIM_BLOB_REPARSE, mount_point, mount_size,
               "a junction");
    check_blob(L"reparse.cim", L"other", CIM_BLOB_REPARSE, other, other_size, "another's tag");
    check_blob(L"reparse.cim", L"nodata", CIM_BLOB_REPARSE, NULL, 0, "D15: no data");
    ok(!in_image(dir, L"reparse.cim", L"bad"), "no item was made of bad reparse data");
}

/* ---- attributes, times, sizes ---- */

static void test_attributes(void)
{
    static const UINT32 kept = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
                               FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE |
                               FILE_ATTRIBUTE_SPARSE_FILE;
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"attributes.cim");
    FILE_STAT_BASIC_INFORMATION info;

    is_hr(create(image, L"all",
                 (CIMFS_FILE_METADATA){.Attributes = ~(UINT32)FILE_ATTRIBUTE_DIRECTORY}),
          S_OK, "D14: all attributes at once");
    is_hr(commit_and_close(image), S_OK, "commit");
    stat_of(dir, L"attributes.cim", L"all", &info);
    is_hex(info.FileAttributes, kept, "D14: all attributes: what is kept");
}

static void test_stat(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"stat.cim");
    FILE_STAT_BASIC_INFORMATION info, link_info;
    CIMFS_FILE_METADATA metadata = {.Attributes = FILE_ATTRIBUTE_ARCHIVE, .FileSize = 5000};
    CIMFS_STREAM_HANDLE stream;
    UINT64 high;

    metadata.CreationTime.QuadPart = INT64_C(0x0123456789abcdef);
    metadata.ChangeTime.QuadPart = 1;
    metadata.LastAccessTime.QuadPart = INT64_MAX;
    is_hr(CimCreateFile(image, L"f", &metadata, &stream), S_OK, "a file of 5000 bytes");
    is_hr(CimWriteStream(stream, "12345678", 8), S_OK, "8 of them written");
    CimCloseStream(stream);
    is_hr(put_stream(image, L"f:s", "stream"), S_OK, "a stream");
    is_hr(CimCreateHardLink(image, L"link", L"f"), S_OK, "a hard link");
    is_hr(commit_and_close(image), S_OK, "commit");

    memset(&info, 0x55, sizeof(info));
    is_hr(stat_of(dir, L"stat.cim", L"f", &info), S_OK, "D42: stat of a file");
    is_hex(info.ChangeTime.QuadPart, 1, "D42: ChangeTime");
    is_hex(info.LastAccessTime.QuadPart, INT64_MAX, "D42: LastAccessTime");
    is_int(info.AllocationSize.QuadPart, 8192, "D42: AllocationSize");
    memcpy(&high, (const BYTE *)&info.FileId128 + 8, 8);
    ok(info.FileId.QuadPart > 0, "D42: FileId is a number from 1");
    is_hex(high, 0, "D42: FileId128, high half");
    is_hr(stat_of(dir, L"stat.cim", L"link", &link_info), S_OK, "stat of its hard link");
    is_mem(&link_info, &info, sizeof(info), "both names have the same FileId and all else");
    is_hr(stat_of(dir, L"stat.cim", L"f:s", &link_info), S_OK, "D30: stat of a stream");
    is_int(link_info.AllocationSize.QuadPart, 4096, "D42: the stream's AllocationSize");
    is_hex(link_info.CreationTime.QuadPart, UINT64_C(0x0123456789abcdef), "D30: the file's times");
}

static void test_allocation(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"sizes.cim");
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_STREAM_HANDLE stream;

    is_hr(put(image, L"marked", FILE_ATTRIBUTE_SPARSE_FILE, "sparse", 6), S_OK,
          "D19: data of a file marked sparse");
    is_hr(CimCreateAlternateStream(image, L"marked:big", (UINT64)1 << 40, &stream), S_OK,
          "D19: an alternate stream of 2^40 bytes, none written");
    CimCloseStream(stream);
    is_hr(commit_and_close(image), S_OK, "commit");
    is_hr(stat_of(dir, L"sizes.cim", L"marked", &info), S_OK, "stat");
    is_int(info.AllocationSize.QuadPart, 4096, "D42: a file marked sparse is stored");
    is_hr(stat_of(dir, L"sizes.cim", L"marked:big", &info), S_OK, "stat of a sparse stream");
    is_int(info.EndOfFile.QuadPart, INT64_C(1) << 40, "D19: its size");
    is_int(info.AllocationSize.QuadPart, 0, "D42: its AllocationSize");
}

int wmain(void)
{
    dir = new_dir(L"metadata");
    test_security();
    test_ea();
    test_reparse();
    test_attributes();
    test_stat();
    test_allocation();
    return tap_done();
}
