/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_metadata.c - what items are made of: metadata, names, replacing and removing
 *
 * The rows of the project's decisions that concern what is stored, each called by its number. What
 * was stored is read back through the API and, where that has no function for it, through libcim.
 */
#include "dlltest.h"
#include "libcim.h"

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

    if (cim_image_lookup(image, cim_u16(path), &id, &err)) diag("no %ls: %s", path, err.cause);
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

/* The names in a directory, joined by '|'. */
static const char *names_in(const WCHAR *name, const WCHAR *path)
{
    static char buffer[4096];
    static struct cim_entry entry;
    struct cim_image *image = open_for_reading(name);
    struct cim_iter *iter = NULL;
    struct cim_error err;
    bool found = true;

    buffer[0] = 0;
    if (!cim_iter_dir(image, find(image, path), &iter, &err))
        while (!cim_iter_next(iter, &entry, &found, &err) && found)
        {
            if (buffer[0]) strcat(buffer, "|");
            strcat(buffer, entry.utf8);
        }
    cim_iter_close(iter);
    cim_image_close(image);
    return buffer;
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

static void test_security(void)
{
    struct
    {
        BYTE bytes[20];
        const char *what;
    } bad[] = {
            {{2, 0, 4, 0x80}, "revision 2"},
            {{1, 0, 4, 0x00}, "not self-relative"},
            {{1, 0, 4, 0x80, 20}, "the owner lies outside"},
            {{1, 0, 4, 0x80, 0, 0, 0, 0, 18}, "the group lies outside"},
            {{1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16},
             "the DACL overlaps the header"},
            {{1, 0, 4, 0x80, 0xff, 0xff, 0xff, 0xff}, "the owner at 2^32-1"},
    };
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"security.cim");
    PSECURITY_DESCRIPTOR descriptor = NULL;
    BYTE *large = calloc(1, 70000);
    ULONG size = 0;
    size_t i;

    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
                L"O:BAG:SYD:(A;;FA;;;BA)(A;;0x1200a9;;;WD)", SDDL_REVISION_1, &descriptor, &size))
        bail("no security descriptor: error %lu", GetLastError());
    is_hr(create(image, L"none", (CIMFS_FILE_METADATA){.FileSize = 0}), S_OK, "D8: no descriptor");
    is_hr(create(image, L"null", (CIMFS_FILE_METADATA){.SecurityDescriptorSize = 20}), S_OK,
          "D8: NULL with a size");
    is_hr(create(image, L"zero", (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = descriptor}),
          S_OK, "D8: a descriptor of size 0");
    is_hr(create(image, L"full",
                 (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = descriptor,
                                       .SecurityDescriptorSize = size}),
          S_OK, "a descriptor of %lu bytes", size);
    is_hr(create(image, L"dir",
                 (CIMFS_FILE_METADATA){.Attributes = FILE_ATTRIBUTE_DIRECTORY,
                                       .SecurityDescriptorBuffer = descriptor,
                                       .SecurityDescriptorSize = size}),
          S_OK, "a directory's descriptor");
    is_hr(create(image, L"nulldacl",
                 (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = null_dacl,
                                       .SecurityDescriptorSize = 20}),
          S_OK, "the descriptor that clients pass for \"none\"");
    is_hr(create(image, L"bad",
                 (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = null_dacl,
                                       .SecurityDescriptorSize = 19}),
          E_INVALIDARG, "D9: 19 bytes -> E_INVALIDARG");
    is_hr(create(image, L"bad",
                 (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = descriptor,
                                       .SecurityDescriptorSize = size - 1}),
          E_INVALIDARG, "D9: cut short by a byte -> E_INVALIDARG");
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        is_hr(create(image, L"bad",
                     (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = bad[i].bytes,
                                           .SecurityDescriptorSize = 20}),
              E_INVALIDARG, "D9: %s -> E_INVALIDARG", bad[i].what);
    memcpy(large, null_dacl, 20);
    is_hr(create(image, L"bad",
                 (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = large,
                                       .SecurityDescriptorSize = 65536}),
          E_INVALIDARG, "D9: 65,536 bytes -> E_INVALIDARG");
    is_hr(create(image, L"large",
                 (CIMFS_FILE_METADATA){.SecurityDescriptorBuffer = large,
                                       .SecurityDescriptorSize = 65535}),
          S_OK, "D9: 65,535 bytes are fine");
    is_hr(commit_and_close(image), S_OK, "commit");
    check_blob(L"security.cim", L"none", CIM_BLOB_SECURITY, null_dacl, 20, "D8: no descriptor");
    check_blob(L"security.cim", L"null", CIM_BLOB_SECURITY, null_dacl, 20, "D8: NULL with a size");
    check_blob(L"security.cim", L"zero", CIM_BLOB_SECURITY, null_dacl, 20, "D8: size 0");
    check_blob(L"security.cim", L"full", CIM_BLOB_SECURITY, descriptor, size, "a descriptor");
    check_blob(L"security.cim", L"dir", CIM_BLOB_SECURITY, descriptor, size, "a directory's");
    check_blob(L"security.cim", L"large", CIM_BLOB_SECURITY, large, 65535, "a large one");
    check_blob(L"security.cim", L"", CIM_BLOB_SECURITY, null_dacl, 20, "D22: the root's");
    ok(!in_image(dir, L"security.cim", L"bad"), "no item was made of a bad descriptor");
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

static void check_bad_ea(CIMFS_IMAGE_HANDLE image, const void *ea, UINT32 size, const char *what)
{
    is_hr(create(image, L"bad", (CIMFS_FILE_METADATA){.EaBuffer = ea, .EaBufferSize = size}),
          E_INVALIDARG, "D17: %s -> E_INVALIDARG", what);
}

static void test_ea(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"ea.cim");
    BYTE chain[64] = {0}, bad[64], *large = calloc(1, 70000);
    UINT32 first, second_at, size, large_value = 65535;
    UINT16 length;

    first = put_ea(chain, 0, "FIRST", "one");
    second_at = (first + 3) & ~3u;
    put_ea(chain, second_at, "FIRST", "one");
    size = second_at + put_ea(chain + second_at, 0, "SECOND", "three");
    diag("two EAs in %u bytes", size);
    is_hr(create(image, L"chain", (CIMFS_FILE_METADATA){.EaBuffer = chain, .EaBufferSize = size}),
          S_OK, "two EAs");
    is_hr(create(image, L"padded",
                 (CIMFS_FILE_METADATA){.EaBuffer = chain, .EaBufferSize = (size + 3) & ~3u}),
          S_OK, "D17: padding behind the last EA, %u bytes", (size + 3) & ~3u);
    is_hr(create(image, L"dir",
                 (CIMFS_FILE_METADATA){.Attributes = FILE_ATTRIBUTE_DIRECTORY,
                                       .EaBuffer = chain,
                                       .EaBufferSize = size}),
          S_OK, "a directory's EAs");

    check_bad_ea(image, NULL, size, "NULL with a size");
    check_bad_ea(image, chain, 8, "8 bytes");
    check_bad_ea(image, chain, size - 1, "the last value is cut short");
    check_bad_ea(image, chain, second_at, "the chain leads to the end");
    check_bad_ea(image, chain, size + 4 + (4 - size % 4) % 4, "more than padding behind the last");
    memcpy(bad, chain, sizeof(bad));
    bad[0] = 64;
    check_bad_ea(image, bad, size, "the chain leads out");
    memcpy(bad, chain, sizeof(bad));
    bad[0] = 4;
    check_bad_ea(image, bad, size, "the chain leads into an entry");
    memcpy(bad, chain, sizeof(bad));
    bad[8 + 5] = 'X';
    check_bad_ea(image, bad, size, "no NUL behind a name");
    memcpy(bad, chain, sizeof(bad));
    bad[second_at + 6] = 0xff;
    check_bad_ea(image, bad, size, "a value longer than the buffer");

    put_ea(large, 0, "BIG", "");
    length = (UINT16)(large_value - 12);
    memcpy(large + 6, &length, 2);
    is_hr(create(image, L"large",
                 (CIMFS_FILE_METADATA){.EaBuffer = large, .EaBufferSize = large_value}),
          S_OK, "D17: 65,535 bytes of EAs");
    check_bad_ea(image, large, 65536, "65,536 bytes");
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

static CIMFS_FILE_METADATA reparse_metadata(UINT32 attributes, const void *data, UINT32 size)
{
    return (CIMFS_FILE_METADATA){
            .Attributes = attributes, .ReparseDataBuffer = data, .ReparseDataSize = size};
}

static void test_reparse(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"reparse.cim");
    BYTE link[100], mount_point[100], other[100], *large = malloc(17000);
    UINT32 link_size = put_reparse(link, IO_REPARSE_TAG_SYMLINK, 8, 40);
    UINT32 mount_size = put_reparse(mount_point, IO_REPARSE_TAG_MOUNT_POINT, 8, 30);
    UINT32 other_size = put_reparse(other, 0x00001234, 24, 20); /* with a GUID */
    FILE_STAT_BASIC_INFORMATION info;

    is_hr(create(image, L"link", reparse_metadata(FILE_ATTRIBUTE_REPARSE_POINT, link, link_size)),
          S_OK, "a symbolic link");
    is_hr(create(image, L"nobit", reparse_metadata(0, link, link_size)), S_OK,
          "D15: reparse data without the attribute");
    is_hr(create(image, L"nodata", reparse_metadata(FILE_ATTRIBUTE_REPARSE_POINT, NULL, 0)), S_OK,
          "D15: the attribute without data");
    is_hr(create(image, L"junction",
                 reparse_metadata(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT,
                                  mount_point, mount_size)),
          S_OK, "a junction");
    is_hr(create(image, L"other", reparse_metadata(0, other, other_size)), S_OK,
          "D16: another vendor's tag, with its GUID");

    is_hr(create(image, L"bad", reparse_metadata(0, NULL, 20)), E_INVALIDARG,
          "D16: NULL with a size -> E_INVALIDARG");
    is_hr(create(image, L"bad", reparse_metadata(0, link, 7)), E_INVALIDARG,
          "D16: 7 bytes -> E_INVALIDARG");
    is_hr(create(image, L"bad", reparse_metadata(0, link, link_size - 1)), E_INVALIDARG,
          "D16: a byte short of its length -> E_INVALIDARG");
    is_hr(create(image, L"bad", reparse_metadata(0, link, link_size + 1)), E_INVALIDARG,
          "D16: a byte more than its length -> E_INVALIDARG");
    is_hr(create(image, L"bad", reparse_metadata(0, other, 28)), E_INVALIDARG,
          "D16: another vendor's tag without its GUID -> E_INVALIDARG");
    put_reparse(large, IO_REPARSE_TAG_SYMLINK, 8, 16384 - 8 + 1);
    is_hr(create(image, L"bad", reparse_metadata(0, large, 16385)), E_INVALIDARG,
          "D16: 16,385 bytes -> E_INVALIDARG");
    put_reparse(large, IO_REPARSE_TAG_SYMLINK, 8, 16384 - 8);
    is_hr(create(image, L"large", reparse_metadata(0, large, 16384)), S_OK,
          "D16: 16,384 bytes are fine");
    is_hr(CimCreateHardLink(image, L"linklink", L"link"), S_OK, "a hard link to a symbolic link");
    is_hr(commit_and_close(image), S_OK, "commit");

    check_blob(L"reparse.cim", L"link", CIM_BLOB_REPARSE, link, link_size, "a symbolic link");
    check_blob(L"reparse.cim", L"linklink", CIM_BLOB_REPARSE, link, link_size, "its hard link");
    check_blob(L"reparse.cim", L"junction", CIM_BLOB_REPARSE, mount_point, mount_size,
               "a junction");
    check_blob(L"reparse.cim", L"other", CIM_BLOB_REPARSE, other, other_size, "another's tag");
    check_blob(L"reparse.cim", L"nodata", CIM_BLOB_REPARSE, NULL, 0, "D15: no data");
    is_hr(stat_of(dir, L"reparse.cim", L"nobit", &info), S_OK, "stat");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_REPARSE_POINT,
           "D15: data without the bit: reported");
    is_hex(info.ReparseTag, IO_REPARSE_TAG_SYMLINK, "its tag");
    is_hr(stat_of(dir, L"reparse.cim", L"nodata", &info), S_OK, "stat");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_NORMAL, "D15: the bit without data is ignored");
    is_hex(info.ReparseTag, 0, "D15: no tag");
    is_hr(stat_of(dir, L"reparse.cim", L"junction", &info), S_OK, "stat");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT,
           "a junction is both");
    ok(!in_image(dir, L"reparse.cim", L"bad"), "no item was made of bad reparse data");
    free(large);
}

/* ---- attributes, times, sizes ---- */

static void test_attributes(void)
{
    static const UINT32 kept = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
                               FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE |
                               FILE_ATTRIBUTE_SPARSE_FILE;
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"attributes.cim");
    FILE_STAT_BASIC_INFORMATION info;
    WCHAR name[20];
    UINT32 bit, want;
    int i;

    for (i = 0; i < 32; i++)
    {
        bit = 1u << i;
        if (bit == FILE_ATTRIBUTE_DIRECTORY) continue;
        _snwprintf(name, 20, L"%02d", i);
        is_hr(create(image, name, (CIMFS_FILE_METADATA){.Attributes = bit}), S_OK,
              "D14: attribute 0x%x is accepted", bit);
    }
    is_hr(create(image, L"all",
                 (CIMFS_FILE_METADATA){.Attributes = ~(UINT32)FILE_ATTRIBUTE_DIRECTORY}),
          S_OK, "D14: all attributes at once");
    is_hr(create(image, L"none", (CIMFS_FILE_METADATA){.Attributes = 0}), S_OK,
          "D14: no attribute");
    is_hr(create(image, L"dir",
                 (CIMFS_FILE_METADATA){.Attributes = FILE_ATTRIBUTE_DIRECTORY |
                                                     FILE_ATTRIBUTE_HIDDEN |
                                                     FILE_ATTRIBUTE_COMPRESSED}),
          S_OK, "D14: a hidden directory");
    is_hr(commit_and_close(image), S_OK, "commit");
    for (i = 0; i < 32; i++)
    {
        bit = 1u << i;
        if (bit == FILE_ATTRIBUTE_DIRECTORY) continue;
        _snwprintf(name, 20, L"%02d", i);
        want = bit & kept ? bit : FILE_ATTRIBUTE_NORMAL;
        memset(&info, 0, sizeof(info));
        stat_of(dir, L"attributes.cim", name, &info);
        is_hex(info.FileAttributes, want, "D14: attribute 0x%x is reported as 0x%x", bit, want);
    }
    stat_of(dir, L"attributes.cim", L"all", &info);
    is_hex(info.FileAttributes, kept, "D14: all attributes: what is kept");
    stat_of(dir, L"attributes.cim", L"none", &info);
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_NORMAL, "D14: none: FILE_ATTRIBUTE_NORMAL");
    stat_of(dir, L"attributes.cim", L"dir", &info);
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN,
           "D14: a hidden directory");
}

static void test_stat(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"stat.cim");
    FILE_STAT_BASIC_INFORMATION info, link_info;
    CIMFS_FILE_METADATA metadata = {.Attributes = FILE_ATTRIBUTE_ARCHIVE, .FileSize = 5000};
    CIMFS_STREAM_HANDLE stream;
    UINT64 low, high;

    metadata.CreationTime.QuadPart = INT64_C(0x0123456789abcdef);
    metadata.LastWriteTime.QuadPart = INT64_C(0x01d0000000000001);
    metadata.ChangeTime.QuadPart = 1;
    metadata.LastAccessTime.QuadPart = INT64_MAX;
    is_hr(CimCreateFile(image, L"f", &metadata, &stream), S_OK, "a file of 5000 bytes");
    is_hr(CimWriteStream(stream, "12345678", 8), S_OK, "8 of them written");
    CimCloseStream(stream);
    is_hr(put_stream(image, L"f:s", "stream"), S_OK, "a stream");
    is_hr(CimCreateHardLink(image, L"link", L"f"), S_OK, "a hard link");
    metadata.Attributes = FILE_ATTRIBUTE_DIRECTORY;
    metadata.FileSize = -5;
    is_hr(create(image, L"d", metadata), S_OK, "D18: a directory's FileSize is ignored");
    metadata.CreationTime.QuadPart = 77;
    is_hr(create(image, L"", metadata), S_OK, "D22: \"\" sets the root's metadata");
    is_hr(commit_and_close(image), S_OK, "commit");

    memset(&info, 0x55, sizeof(info));
    is_hr(stat_of(dir, L"stat.cim", L"f", &info), S_OK, "D42: stat of a file");
    is_hex(info.CreationTime.QuadPart, UINT64_C(0x0123456789abcdef), "D42: CreationTime");
    is_hex(info.LastWriteTime.QuadPart, UINT64_C(0x01d0000000000001), "D42: LastWriteTime");
    is_hex(info.ChangeTime.QuadPart, 1, "D42: ChangeTime");
    is_hex(info.LastAccessTime.QuadPart, INT64_MAX, "D42: LastAccessTime");
    is_int(info.EndOfFile.QuadPart, 5000, "D42: EndOfFile");
    is_int(info.AllocationSize.QuadPart, 8192, "D42: AllocationSize");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_ARCHIVE, "D42: FileAttributes");
    is_int(info.ReparseTag, 0, "D42: ReparseTag");
    is_int(info.NumberOfLinks, 1, "D42: NumberOfLinks");
    is_int(info.DeviceType, 7, "D42: DeviceType");
    is_int(info.DeviceCharacteristics, 0, "D42: DeviceCharacteristics");
    is_int(info.Reserved, 0, "D42: Reserved");
    is_int(info.VolumeSerialNumber.QuadPart, 0, "D42: VolumeSerialNumber");
    memcpy(&low, &info.FileId128, 8);
    memcpy(&high, (const BYTE *)&info.FileId128 + 8, 8);
    ok(info.FileId.QuadPart > 0, "D42: FileId is a number from 1");
    is_hex(low, info.FileId.QuadPart, "D42: FileId128, low half");
    is_hex(high, 0, "D42: FileId128, high half");
    is_hr(stat_of(dir, L"stat.cim", L"link", &link_info), S_OK, "stat of its hard link");
    is_mem(&link_info, &info, sizeof(info), "both names have the same FileId and all else");
    is_hr(stat_of(dir, L"stat.cim", L"f:s", &link_info), S_OK, "D30: stat of a stream");
    is_int(link_info.EndOfFile.QuadPart, 6, "D30: the stream's size");
    is_int(link_info.AllocationSize.QuadPart, 4096, "D42: the stream's AllocationSize");
    is_hex(link_info.CreationTime.QuadPart, UINT64_C(0x0123456789abcdef), "D30: the file's times");
    is_hr(stat_of(dir, L"stat.cim", L"d", &info), S_OK, "stat of a directory");
    is_int(info.EndOfFile.QuadPart, 0, "D42: a directory's EndOfFile");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY, "D42: a directory's attributes");
    is_hr(stat_of(dir, L"stat.cim", L"", &info), S_OK, "D30: stat of the root, \"\"");
    is_int(info.CreationTime.QuadPart, 77, "D22: the root's CreationTime");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY, "the root's attributes");
    is_hr(stat_of(dir, L"stat.cim", L"\\", &info), S_OK, "D30: stat of the root, \"\\\"");
    is_int(info.CreationTime.QuadPart, 77, "D22: the same root");

    image = open_image(dir, NULL, L"bare.cim");
    is_hr(commit_and_close(image), S_OK, "an image with nothing in it");
    is_hr(stat_of(dir, L"bare.cim", L"", &info), S_OK, "stat of its root");
    ok(!info.CreationTime.QuadPart && !info.LastWriteTime.QuadPart && !info.ChangeTime.QuadPart &&
               !info.LastAccessTime.QuadPart,
       "D22: a root never described: all times 0");
    is_str(names_in(L"bare.cim", L""), "", "it is empty");
    image = open_image(dir, L"bare.cim", NULL);
    is_hr(create(image, L"\\", metadata), S_OK, "D22: \"\\\" sets the root's metadata");
    is_hr(commit_and_close(image), S_OK, "commit");
    is_hr(stat_of(dir, L"bare.cim", L"", &info), S_OK, "stat of the root");
    is_int(info.CreationTime.QuadPart, 77, "D22: the new CreationTime");
}

static void check_zeros(const WCHAR *name, const WCHAR *path, UINT64 offset, UINT64 size,
                        const char *what)
{
    static char buffer[65536], zeros[65536];
    UINT64 got = 0, left = 0;

    memset(buffer, 1, sizeof(buffer));
    is_hr(CimReadFile(path_of(dir, name), path, offset, buffer, size, &got, &left), S_OK,
          "%s: read %llu at %llu", what, (unsigned long long)size, (unsigned long long)offset);
    is_int(got, size, "%s: all of it", what);
    is_mem(buffer, zeros, got, "%s: zeros", what);
}

static void test_sizes(void)
{
    const INT64 terabyte = INT64_C(1) << 40, largest = (INT64_C(1) << 48) - 1,
                five_gib = INT64_C(5) << 30;
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"sizes.cim");
    CIMFS_FILE_METADATA metadata = {.FileSize = 100};
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_STREAM_HANDLE stream;
    char buffer[16];
    UINT64 got, left;

    is_hr(create(image, L"hundred", metadata), S_OK, "D19: 100 bytes, none written");
    metadata.FileSize = terabyte;
    is_hr(create(image, L"terabyte", metadata), S_OK, "D19: 2^40 bytes, none written");
    metadata.Attributes = FILE_ATTRIBUTE_SPARSE_FILE;
    metadata.FileSize = largest;
    is_hr(create(image, L"largest", metadata), S_OK, "D18: 2^48-1 bytes, sparse, none written");
    metadata.FileSize = 6;
    is_hr(CimCreateFile(image, L"marked", &metadata, &stream), S_OK, "a file marked sparse");
    is_hr(CimWriteStream(stream, "sparse", 6), S_OK, "D19: data of a file marked sparse");
    CimCloseStream(stream);
    metadata.Attributes = 0;
    metadata.FileSize = 100;
    is_hr(CimCreateFile(image, L"short", &metadata, &stream), S_OK, "D29: 100 bytes");
    is_hr(CimWriteStream(stream, "0123456789", 10), S_OK, "D29: 10 of them written");
    CimCloseStream(stream);
    metadata.FileSize = five_gib;
    is_hr(CimCreateFile(image, L"five", &metadata, &stream), S_OK, "D19: 5 GiB");
    is_hr(CimWriteStream(stream, "x", 1), S_OK, "D19: 1 byte of them written");
    CimCloseStream(stream);
    is_hr(CimCreateAlternateStream(image, L"short:big", (UINT64)terabyte, &stream), S_OK,
          "D19: an alternate stream of 2^40 bytes, none written");
    CimCloseStream(stream);
    is_hr(put_text(image, L"after", "after"), S_OK, "a file behind them");
    is_hr(commit_and_close(image), S_OK, "commit");

    is_hr(stat_of(dir, L"sizes.cim", L"terabyte", &info), S_OK, "stat");
    is_int(info.EndOfFile.QuadPart, terabyte, "D19: the size is kept");
    is_int(info.AllocationSize.QuadPart, 0, "D42: AllocationSize of a sparse stream");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_NORMAL, "D19: no sparse attribute by itself");
    check_zeros(L"sizes.cim", L"hundred", 0, 100, "D19: none written");
    check_zeros(L"sizes.cim", L"terabyte", (UINT64)terabyte - 1000, 1000, "D19: 2^40 bytes");
    check_zeros(L"sizes.cim", L"largest", (UINT64)largest - 65536, 65536, "D18: 2^48-1 bytes");
    stat_of(dir, L"sizes.cim", L"largest", &info);
    is_int(info.EndOfFile.QuadPart, largest, "D18: the largest size is kept");
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_SPARSE_FILE, "D19: the sparse attribute as given");
    is_str(content(dir, L"sizes.cim", L"marked"), "sparse", "D19: data of a file marked sparse");
    stat_of(dir, L"sizes.cim", L"marked", &info);
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_SPARSE_FILE, "D19: and its attribute");
    is_int(info.AllocationSize.QuadPart, 4096, "D42: it is stored");
    is_hr(CimReadFile(path_of(dir, L"sizes.cim"), L"short", 0, buffer, 10, &got, &left), S_OK,
          "D29: the bytes written");
    ok(got == 10 && left == 90 && !memcmp(buffer, "0123456789", 10), "D29: 10 bytes, 90 remain");
    check_zeros(L"sizes.cim", L"short", 10, 90, "D29: the rest");
    is_hr(CimReadFile(path_of(dir, L"sizes.cim"), L"five", 0, buffer, 2, &got, &left), S_OK,
          "D19: the first bytes of 5 GiB");
    ok(got == 2 && left == (UINT64)five_gib - 2 && buffer[0] == 'x' && !buffer[1],
       "D19: x and a zero; %llu remain", (unsigned long long)left);
    check_zeros(L"sizes.cim", L"five", (UINT64)five_gib - 65536, 65536, "D19: the end of 5 GiB");
    is_hr(stat_of(dir, L"sizes.cim", L"short:big", &info), S_OK, "stat of a sparse stream");
    is_int(info.EndOfFile.QuadPart, terabyte, "D19: its size");
    is_int(info.AllocationSize.QuadPart, 0, "D42: its AllocationSize");
    is_str(content(dir, L"sizes.cim", L"after"), "after", "the file behind them");
}

/* ---- names ---- */

static void test_names(void)
{
    static const WCHAR *const names[] = {
            L"con",          L"NUL.txt", L"dot.",         L"space ", L"...",     L"\xd800",
            L"\xdc00\xd800", L"~1",      L"a.b.c",        L" lead",  L"tab\x80", L"\x3b1\x3b2",
            L"e\x301",       L"\xe9",    L"\xd83d\xde00", L"100%",   L"#",       L"[x]",
    };
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"names.cim");
    WCHAR longest[260], *deep = malloc(33000 * sizeof(WCHAR));
    BOOLEAN exists;
    size_t i, len;
    HRESULT hr = S_OK;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        is_hr(put(image, names[i], 0, &i, sizeof(i)), S_OK, "D21: name %d is accepted", (int)i);
    wmemset(longest, L'n', 255);
    longest[255] = 0;
    is_hr(put_text(image, longest, "longest"), S_OK, "D20: a name of 255 code units");
    is_hr(put_text(image, L"\\lead.txt", "lead"), S_OK, "D20: one leading '\\'");

    /* 128 components of 255 with 127 separators: 32,767 code units, the longest path. */
    for (i = len = 0; i < 128 && !hr; i++)
    {
        if (i) deep[len++] = L'\\';
        wmemset(deep + len, L'd', 255);
        len += 255;
        deep[len] = 0;
        hr = i < 127 ? put_dir(image, deep) : put_text(image, deep, "deep");
    }
    is_hr(hr, S_OK, "D20: a path of %d code units", (int)len);
    is_hr(put_text(image, L"Case.TXT", "first"), S_OK, "D24: Case.TXT");
    is_hr(CimLookupFile(image, L"case.txt", &exists), S_OK, "D24: case.txt");
    is_int(exists, TRUE, "D24: is found as case.txt");
    is_hr(put_text(image, L"cASE.txt", "second"), S_OK, "D24: replaced as cASE.txt");
    is_hr(put_text(image, L"\xe9t\xe9", "small"), S_OK, "D24: a name in small letters");
    is_hr(put_text(image, L"\xc9T\xc9", "capital"), S_OK, "D24: replaced in capitals");
    is_hr(put_dir(image, L"Dir"), S_OK, "D24: Dir");
    is_hr(put_text(image, L"DIR\\x", "x"), S_OK, "D24: a file in it, as DIR");
    is_hr(put_stream(image, L"cASE.txt:Str", "one"), S_OK, "D24: a stream Str");
    is_hr(put_stream(image, L"cASE.txt:STR", "two"), S_OK, "D24: replaced as STR");
    is_hr(commit_and_close(image), S_OK, "commit");

    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
    {
        size_t value = ~(size_t)0;
        UINT64 got, left;

        CimReadFile(path_of(dir, L"names.cim"), names[i], 0, &value, sizeof(value), &got, &left);
        is_int(value, i, "D21: name %d has its own content", (int)i);
    }
    is_str(content(dir, L"names.cim", longest), "longest", "D20: the longest name");
    is_str(content(dir, L"names.cim", deep), "deep", "D20: the longest path");
    is_str(content(dir, L"names.cim", L"lead.txt"), "lead", "D20: a leading '\\' means nothing");
    is_str(content(dir, L"names.cim", L"\\LEAD.TXT"), "lead", "D24: in capitals");
    is_str(content(dir, L"names.cim", L"Case.TXT"), "second", "D24: one item, the last content");
    is_str(content(dir, L"names.cim", L"\xe9T\xe9"), "capital", "D24: beyond ASCII");
    is_str(content(dir, L"names.cim", L"case.txt:str"), "two", "D24: one stream");
    ok(strstr(names_in(L"names.cim", L""), "cASE.txt") &&
               !strstr(names_in(L"names.cim", L""), "Case.TXT"),
       "D24: the replaced file has the new spelling");
    is_str(names_in(L"names.cim", L"dir"), "x", "D24: a directory in other case");
    free(deep);
}

/* ---- replacing and removing ---- */

/* How an item of each kind replaces one of each kind. The base has what is to be replaced. */
static void test_replace(const WCHAR *existing, const WCHAR *name, const char *what)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, existing, name);
    CIMFS_FILE_METADATA metadata = {.Attributes = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN};
    FILE_STAT_BASIC_INFORMATION info, other;
    BOOLEAN exists = TRUE;

    if (!existing)
    {
        /* All of it in the same session. */
        put_dir(image, L"keep");
        put_text(image, L"keep\\child", "child");
        put_stream(image, L"keep:s", "stream");
        put_dir(image, L"tofile");
        put_dir(image, L"tofile\\sub");
        put_text(image, L"tofile\\sub\\x", "x");
        put_text(image, L"todir", "file");
        put_text(image, L"multi1", "old");
        CimCreateHardLink(image, L"multi2", L"multi1");
        put_stream(image, L"multi1:s", "stream");
        put_dir(image, L"gone");
        put_dir(image, L"gone\\sub");
        put_text(image, L"gone\\sub\\leaf", "leaf");
        put_text(image, L"gone\\other", "other");
        put_text(image, L"overlink", "old");
    }
    metadata.CreationTime.QuadPart = 99;
    is_hr(create(image, L"keep", metadata), S_OK, "D2 %s: a directory over a directory", what);
    is_hr(put_text(image, L"tofile", "now a file"), S_OK, "D3 %s: a file over a directory", what);
    is_hr(put_dir(image, L"todir"), S_OK, "D3 %s: a directory over a file", what);
    is_hr(put_text(image, L"todir\\new", "new"), S_OK, "D3 %s: a file in it", what);
    is_hr(put_text(image, L"multi1", "new"), S_OK, "D7 %s: over one of two links", what);
    is_hr(CimDeletePath(image, L"gone\\sub\\leaf"), S_OK, "D4 %s: delete a nested file", what);
    is_hr(CimLookupFile(image, L"gone\\sub\\leaf", &exists), S_OK, "D41 %s: look for it", what);
    is_int(exists, FALSE, "D4 %s: it is gone", what);
    is_hr(CimCreateHardLink(image, L"overlink", L"multi2"), S_OK, "%s: a hard link replaces a file",
          what);
    is_hr(commit_and_close(image), S_OK, "%s: commit", what);

    is_hr(stat_of(dir, name, L"keep", &info), S_OK, "%s: stat", what);
    is_int(info.CreationTime.QuadPart, 99, "D2 %s: new metadata", what);
    is_hex(info.FileAttributes, FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN,
           "D2 %s: new attributes", what);
    is_str(content(dir, name, L"keep\\child"), "child", "D2 %s: the children are kept", what);
    is_str(content(dir, name, L"keep:s"), "stream", "D2 %s: the streams are kept", what);
    is_str(content(dir, name, L"tofile"), "now a file", "D3 %s: now a file", what);
    ok(!in_image(dir, name, L"tofile\\sub\\x"), "D3 %s: what was below is gone", what);
    is_str(content(dir, name, L"todir\\new"), "new", "D3 %s: now a directory", what);
    is_str(content(dir, name, L"multi1"), "new", "D7 %s: the replaced name", what);
    is_str(content(dir, name, L"multi2"), "old", "D7 %s: the other name keeps the old file", what);
    is_str(content(dir, name, L"multi2:s"), "stream", "D7 %s: and its stream", what);
    ok(!in_image(dir, name, L"multi1:s"), "D7 %s: the new file has no stream", what);
    ok(!in_image(dir, name, L"gone\\sub\\leaf"), "D4 %s: deleted", what);
    ok(in_image(dir, name, L"gone\\sub"), "D4 %s: its directory is still there", what);
    is_str(content(dir, name, L"gone\\other"), "other", "D4 %s: its neighbours too", what);
    is_str(content(dir, name, L"overlink"), "old", "%s: a file replaced by a link", what);
    stat_of(dir, name, L"overlink", &info);
    stat_of(dir, name, L"multi2", &other);
    is_int(info.FileId.QuadPart, other.FileId.QuadPart, "%s: both names are one file", what);
}

static void make_replace_base(const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, name);

    is_hr(put_dir(image, L"keep"), S_OK, "base: keep");
    is_hr(put_text(image, L"keep\\child", "child"), S_OK, "base: keep\\child");
    is_hr(put_stream(image, L"keep:s", "stream"), S_OK, "base: keep:s");
    is_hr(put_dir(image, L"tofile"), S_OK, "base: tofile");
    is_hr(put_dir(image, L"tofile\\sub"), S_OK, "base: tofile\\sub");
    is_hr(put_text(image, L"tofile\\sub\\x", "x"), S_OK, "base: tofile\\sub\\x");
    is_hr(put_text(image, L"todir", "file"), S_OK, "base: todir");
    is_hr(put_text(image, L"multi1", "old"), S_OK, "base: multi1");
    is_hr(CimCreateHardLink(image, L"multi2", L"multi1"), S_OK, "base: multi2");
    is_hr(put_stream(image, L"multi1:s", "stream"), S_OK, "base: multi1:s");
    is_hr(put_dir(image, L"gone"), S_OK, "base: gone");
    is_hr(put_dir(image, L"gone\\sub"), S_OK, "base: gone\\sub");
    is_hr(put_text(image, L"gone\\sub\\leaf", "leaf"), S_OK, "base: gone\\sub\\leaf");
    is_hr(put_text(image, L"gone\\other", "other"), S_OK, "base: gone\\other");
    is_hr(put_text(image, L"overlink", "old"), S_OK, "base: overlink");
    is_hr(commit_and_close(image), S_OK, "base: commit");
}

static void test_links(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"links.cim");

    is_hr(put_text(image, L"a", "text"), S_OK, "a file");
    is_hr(CimCreateHardLink(image, L"b", L"a"), S_OK, "a link");
    is_hr(CimCreateHardLink(image, L"c", L"b"), S_OK, "a link of a link");
    is_hr(CimCreateHardLink(image, L"b", L"a"), S_OK, "D6: onto another of its own names");
    is_hr(CimDeletePath(image, L"a"), S_OK, "delete the first name");
    is_hr(CimDeletePath(image, L"b"), S_OK, "delete the second");
    is_hr(commit_and_close(image), S_OK, "commit");
    is_str(content(dir, L"links.cim", L"c"), "text", "the last name has the file");
    is_str(names_in(L"links.cim", L""), "c", "and is the only one");
    image = open_image(dir, L"links.cim", NULL);
    is_hr(CimDeletePath(image, L"C"), S_OK, "delete the last name");
    is_hr(commit_and_close(image), S_OK, "commit");
    is_str(names_in(L"links.cim", L""), "", "nothing is left");
}

/* ---- the same calls, the same bytes ---- */

static void make_consistent(const WCHAR *where)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    WIN32_FIND_DATAW data;
    HANDLE found;

    is_hr(CimCreateImage2(where, CIM_CREATE_CONSISTENT_CIMS, NULL, L"same.cim", &image), S_OK,
          "D45: a consistent image");
    put_dir(image, L"d");
    put_text(image, L"d\\a", "content");
    put_text(image, L"d\\b", "content");
    put_stream(image, L"d\\a:s", "stream");
    is_hr(commit_and_close(image), S_OK, "D45: commit");
    found = FindFirstFileW(path_of(where, L"*"), &data);
    do diag("%ls", data.cFileName);
    while (FindNextFileW(found, &data));
    FindClose(found);
}

static void test_consistent(void)
{
    const WCHAR *one = new_dir(L"one"), *two = new_dir(L"two");
    WIN32_FIND_DATAW data;
    HANDLE found;

    make_consistent(one);
    make_consistent(two);
    is_int(count_files(one, L"*"), count_files(two, L"*"), "D45: as many files");
    found = FindFirstFileW(path_of(one, L"*"), &data);
    do
    {
        DWORD size1 = 0, size2 = 0;
        char *bytes1, *bytes2;

        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) continue;
        bytes1 = load_file(path_of(one, data.cFileName), &size1);
        bytes2 = load_file(path_of(two, data.cFileName), &size2);
        ok(bytes1 && bytes2, "D45: %ls is in both", data.cFileName);
        if (is_int(size1, size2, "D45: %ls: the same size", data.cFileName) && bytes2)
            is_mem(bytes1, bytes2, size1, "D45: %ls: the same bytes", data.cFileName);
        free(bytes1);
        free(bytes2);
    } while (FindNextFileW(found, &data));
    FindClose(found);
}

int wmain(void)
{
    dir = new_dir(L"metadata");
    test_security();
    test_ea();
    test_reparse();
    test_attributes();
    test_stat();
    test_sizes();
    test_names();
    test_replace(NULL, L"session.cim", "in one session");
    make_replace_base(L"base.cim");
    test_replace(L"base.cim", L"fork.cim", "in a fork");
    is_str(content(dir, L"base.cim", L"gone\\sub\\leaf"), "leaf",
           "the base keeps what was deleted");
    is_str(content(dir, L"base.cim", L"tofile\\sub\\x"), "x", "the base keeps what was replaced");
    test_replace(L"base.cim", L"base.cim", "in an extension");
    test_links();
    test_consistent();
    return tap_done();
}
