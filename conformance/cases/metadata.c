/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.c - CIMFS_FILE_METADATA: what is accepted, what is refused, what comes back
 *
 * Attributes, times, sizes and tags come back by CimGetFileStatBasicInformation; descriptors, EAs
 * and reparse data only through a mount (volume.c).
 */
#include "metadata.h"

#define META_PAGE "CIMFS_FILE_METADATA page"

/* ---- attributes ------------------------------------------------------------------------------ */

FRESH_CASE(attributes_kept, "Metadata/AttributesKept", CLIENT, "hcsshim format package", 0,
           "READONLY, HIDDEN, SYSTEM and ARCHIVE come back, each alone")
{
    static const struct
    {
        const char *name;
        UINT32 bit;
    } bits[] = {{"READONLY", FILE_ATTRIBUTE_READONLY},
                {"HIDDEN", FILE_ATTRIBUTE_HIDDEN},
                {"SYSTEM", FILE_ATTRIBUTE_SYSTEM},
                {"ARCHIVE", FILE_ATTRIBUTE_ARCHIVE}};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bits); i++)
        put_item(image, format_wide(L"%hs", bits[i].name), meta(bits[i].bit, 0), NULL, 0);
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(bits); i++)
    {
        FILE_STAT_BASIC_INFORMATION info;

        need_hr("stat",
                stored_stat(case_dir(), L"a.cim", format_wide(L"%hs", bits[i].name), &info));
        check_hex(bits[i].name, info.FileAttributes, bits[i].bit);
    }
}

CASE(attributes_together, "Metadata/AttributesTogether", CLIENT, "CimFSAPI sample", 0,
     "the usual attributes come back together")
{
    const UINT32 all = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |
                       FILE_ATTRIBUTE_ARCHIVE;

    make_item(meta(all, 0));
    check_hex("attributes", stat_item().FileAttributes, all);
}

CASE(attributes_directory, "Metadata/DirectoryAttributes", CLIENT, "hcsshim format package", 0,
     "a directory has FILE_ATTRIBUTE_DIRECTORY and keeps its other attributes")
{
    make_item(meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM, 0));
    check_hex("attributes", stat_item().FileAttributes,
              FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM);
}

FRESH_CASE(attributes_any, "Metadata/AnyAttributeIsAccepted", CLIENT, "CimFSAPI sample, go-winio",
           0, "raw attributes of any host file are accepted")
{
    static const struct
    {
        const char *name;
        UINT32 bits;
    } rows[] = {{"COMPRESSED", FILE_ATTRIBUTE_COMPRESSED},
                {"NOT_CONTENT_INDEXED", FILE_ATTRIBUTE_NOT_CONTENT_INDEXED},
                {"OFFLINE", FILE_ATTRIBUTE_OFFLINE},
                {"ENCRYPTED", FILE_ATTRIBUTE_ENCRYPTED},
                {"TEMPORARY", FILE_ATTRIBUTE_TEMPORARY},
                {"INTEGRITY_STREAM", 0x8000},
                {"NO_SCRUB_DATA", 0x20000},
                {"RECALL_ON_OPEN", 0x40000},
                {"PINNED", 0x80000},
                {"UNPINNED", 0x100000},
                {"RECALL_ON_DATA_ACCESS", 0x400000},
                {"NORMAL", FILE_ATTRIBUTE_NORMAL},
                {"none", 0}};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        check_hr(rows[i].name,
                 try_create_file(image, format_wide(L"%hs", rows[i].name), meta(rows[i].bits, 0)),
                 S_OK);
    check_hr("commit", cim.CommitImage(image), S_OK);
}

CASE(attributes_dropped, "Metadata/OtherAttributesDropped", DECISION, "D14", 0,
     "all bits at once: those that the format holds come back, the others not")
{
    make_item(meta(0x7fffff & ~(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT), 0));
    check_hex("attributes", stat_item().FileAttributes,
              FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |
                      FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_SPARSE_FILE);
}

FRESH_CASE(attributes_normal, "Metadata/NoAttributesIsNormal", DECISION, "D14", 0,
           "no attribute, or NORMAL alone: FILE_ATTRIBUTE_NORMAL is reported")
{
    FILE_STAT_BASIC_INFORMATION info;

    put_item(image, L"none", meta(0, 0), NULL, 0);
    put_item(image, L"normal", meta(FILE_ATTRIBUTE_NORMAL, 0), NULL, 0);
    commit_and_close(image);
    need_hr("stat", stored_stat(case_dir(), L"a.cim", L"none", &info));
    check_hex("none", info.FileAttributes, FILE_ATTRIBUTE_NORMAL);
    need_hr("stat", stored_stat(case_dir(), L"a.cim", L"normal", &info));
    check_hex("NORMAL", info.FileAttributes, FILE_ATTRIBUTE_NORMAL);
}

FRESH_CASE(attributes_question, "Metadata/EachAttributeBit", QUESTION, "Q-11, Q-36", 0,
           "for each attribute bit: the answer, and what is reported")
{
    HRESULT answers[33];
    int i;

    for (i = 0; i <= 32; i++)
        answers[i] = try_create_file(image, format_wide(L"b%d", i), meta(i < 32 ? 1u << i : 0, 0));
    commit_and_close(image);
    for (i = 0; i <= 32; i++)
    {
        FILE_STAT_BASIC_INFORMATION info;
        char label[40];
        HRESULT hr = stored_stat(case_dir(), L"a.cim", format_wide(L"b%d", i), &info);

        sprintf(label, i < 32 ? "0x%lx" : "none", i < 32 ? 1ul << i : 0);
        see_text(label, "0x%08lx, reported 0x%lx", (unsigned long)answers[i],
                 SUCCEEDED(hr) ? info.FileAttributes : 0);
    }
}

/* ---- times ------------------------------------------------------------------------------------
 */

CASE(times_kept, "Metadata/TimesKept", DOC, META_PAGE, 0,
     "all four times come back, each in its own field, to 100 ns")
{
    FILE_STAT_BASIC_INFORMATION info;

    make_item(meta(0, 0));
    info = stat_item();
    check_number("CreationTime", info.CreationTime.QuadPart, TIME_CREATION);
    check_number("LastWriteTime", info.LastWriteTime.QuadPart, TIME_WRITE);
    check_number("ChangeTime", info.ChangeTime.QuadPart, TIME_CHANGE);
    check_number("LastAccessTime", info.LastAccessTime.QuadPart, TIME_ACCESS);
}

FRESH_CASE(times_directory, "Metadata/DirectoryTimesKept", DOC, META_PAGE, 0,
           "a directory's times come back, whatever is added below it afterwards")
{
    FILE_STAT_BASIC_INFORMATION info;

    put_dir(image, L"f");
    put_text(image, L"f\\inner", "x");
    commit_and_close(image);
    info = stat_item();
    check_number("CreationTime", info.CreationTime.QuadPart, TIME_CREATION);
    check_number("LastWriteTime", info.LastWriteTime.QuadPart, TIME_WRITE);
}

CASE(times_zero_accepted, "Metadata/ZeroTimesAccepted", CLIENT, "hcsshim layer writer", 0,
     "times of zero are accepted, of a file and of a directory")
{
    CIMFS_FILE_METADATA *metadata = meta(0, 0);

    metadata->CreationTime.QuadPart = metadata->LastWriteTime.QuadPart = 0;
    metadata->ChangeTime.QuadPart = metadata->LastAccessTime.QuadPart = 0;
    check_hr("file", try_meta(metadata), S_OK);
    metadata->Attributes = FILE_ATTRIBUTE_DIRECTORY;
    check_hr("directory", try_meta(metadata), S_OK);
}

CASE(times_zero, "Metadata/ZeroTimes", DECISION, "D42", 0,
     "times of zero are accepted and stay zero")
{
    CIMFS_FILE_METADATA *metadata = meta(0, 0);
    FILE_STAT_BASIC_INFORMATION info;

    metadata->CreationTime.QuadPart = metadata->LastWriteTime.QuadPart = 0;
    metadata->ChangeTime.QuadPart = metadata->LastAccessTime.QuadPart = 0;
    make_item(metadata);
    info = stat_item();
    check_number("CreationTime", info.CreationTime.QuadPart, 0);
    check_number("LastWriteTime", info.LastWriteTime.QuadPart, 0);
    check_number("ChangeTime", info.ChangeTime.QuadPart, 0);
    check_number("LastAccessTime", info.LastAccessTime.QuadPart, 0);
}

CASE(times_stored, "Metadata/TimesOfPartsOfASecond", DECISION, "D42", 0,
     "times within a second of 1601, before it too, are as they were given")
{
    CIMFS_FILE_METADATA *metadata = meta(0, 0);
    FILE_STAT_BASIC_INFORMATION info;

    metadata->CreationTime.QuadPart = 1;
    metadata->LastWriteTime.QuadPart = 9999999;
    metadata->ChangeTime.QuadPart = -1;
    metadata->LastAccessTime.QuadPart = -9999999;
    make_item(metadata);
    info = stat_item();
    check_number("CreationTime", info.CreationTime.QuadPart, 1);
    check_number("LastWriteTime", info.LastWriteTime.QuadPart, 9999999);
    check_number("ChangeTime", info.ChangeTime.QuadPart, (uint64_t)-1);
    check_number("LastAccessTime", info.LastAccessTime.QuadPart, (uint64_t)-9999999);
}

FRESH_CASE(times_odd, "Metadata/OddTimes", QUESTION, "Q-38", 0,
           "negative and largest times: accepted, and as what reported")
{
    static const struct
    {
        const char *name;
        INT64 time;
    } rows[] = {{"-1", -1}, {"-2", -2}, {"lowest", INT64_MIN}, {"highest", INT64_MAX}};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        CIMFS_FILE_METADATA *metadata = meta(0, 0);

        metadata->LastWriteTime.QuadPart = rows[i].time;
        see_hr(rows[i].name, try_create_file(image, format_wide(L"t%u", (unsigned)i), metadata));
    }
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        FILE_STAT_BASIC_INFORMATION info;
        char label[40];

        sprintf(label, "%s is reported as", rows[i].name);
        if (SUCCEEDED(stored_stat(case_dir(), L"a.cim", format_wide(L"t%u", (unsigned)i), &info)))
            see_text(label, "%lld", (long long)info.LastWriteTime.QuadPart);
    }
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

CASE(size_negative, "Metadata/SizeOutOfRange", DECISION, "D18", 0,
     "a FileSize that is negative or over 2^48-1: E_INVALIDARG")
{
    check_hr("-1", try_meta(meta(0, -1)), E_INVALIDARG);
    check_hr("lowest", try_meta(meta(0, INT64_MIN)), E_INVALIDARG);
    check_hr("2^48", try_meta(meta(0, 1ll << 48)), E_INVALIDARG);
    check_hr("highest", try_meta(meta(0, INT64_MAX)), E_INVALIDARG);
}

CASE(size_directory, "Metadata/DirectorySizeIgnored", DECISION, "D18", 0,
     "a directory's FileSize is ignored, whatever it is")
{
    make_item(meta(FILE_ATTRIBUTE_DIRECTORY, 4096));
    check_number("EndOfFile", stat_item().EndOfFile.QuadPart, 0);
    check_hr("-1", try_meta(meta(FILE_ATTRIBUTE_DIRECTORY, -1)), S_OK);
    check_hr("highest", try_meta(meta(FILE_ATTRIBUTE_DIRECTORY, INT64_MAX)), S_OK);
}

CASE(size_largest, "Metadata/SizeLargest", DECISION, "D18, D19", 0,
     "2^48-1 bytes, none of them written, is the largest file")
{
    BYTE byte = 77;
    UINT64 got = 0, left = 0;

    make_item(meta(0, (1ll << 48) - 1));
    check_number("EndOfFile", stat_item().EndOfFile.QuadPart, (1ull << 48) - 1);
    check_hr(
            "its last byte can be read",
            cim.ReadFile(join(case_dir(), L"a.cim"), L"f", (1ull << 48) - 2, &byte, 1, &got, &left),
            S_OK);
    check_number("and is", byte, 0);
    check_number("bytes read", got, 1);
    check_number("bytes remaining", left, 0);
}

CASE(size_question, "Metadata/SizeAnswers", QUESTION, "Q-30", 0,
     "negative and very large sizes, of files and directories: accepted?")
{
    static const struct
    {
        const char *name;
        INT64 size;
    } rows[] = {{"-1", -1},
                {"2^40", 1ll << 40},
                {"2^48 - 1", (1ll << 48) - 1},
                {"2^48", 1ll << 48},
                {"2^62", 1ll << 62}};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        char label[40];

        see_hr(rows[i].name, try_meta(meta(0, rows[i].size)));
        sprintf(label, "%s, a directory", rows[i].name);
        see_hr(label, try_meta(meta(FILE_ATTRIBUTE_DIRECTORY, rows[i].size)));
    }
}

/* ---- security descriptors ---------------------------------------------------------------------
 */

static HRESULT try_sd(const void *sd, UINT32 size)
{
    CIMFS_FILE_METADATA *metadata = meta(0, 0);

    metadata->SecurityDescriptorBuffer = sd;
    metadata->SecurityDescriptorSize = size;
    return try_meta(metadata);
}

/* Owner, group and DACL, S-1-5-18 and S-1-5-32-544, padded by a large ACL to "size" bytes. */
static UINT32 large_sd(BYTE *sd, UINT32 size)
{
    static const BYTE system_sid[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    WORD acl_size = (WORD)(size - 20 - 2 * 12);
    DWORD offsets[4] = {20, 32, 0, 44};

    memset(sd, 0, size);
    sd[0] = 1;
    sd[2] = 0x04;
    sd[3] = 0x80;
    memcpy(sd + 4, offsets, 16);
    memcpy(sd + 20, system_sid, 12);
    memcpy(sd + 32, system_sid, 12);
    sd[44] = 2;
    memcpy(sd + 46, &acl_size, 2);
    return size;
}

CASE(sd_null_dacl, "Metadata/NullDaclDescriptor", CLIENT, "hcsshim cim_writer", 0,
     "the 20-byte descriptor with a NULL DACL is accepted")
{
    check_hr("hr", try_sd(null_dacl_sd, sizeof(null_dacl_sd)), S_OK);
}

CASE(sd_host, "Metadata/HostDescriptor", CLIENT, "CimFSAPI sample", 0,
     "a descriptor of a file of this machine is accepted")
{
    BYTE sd[4096];
    DWORD size = 0;
    BOOL got;

    save_file(join(case_dir(), L"host"), "x", 1);
    got = GetFileSecurityW(join(case_dir(), L"host"),
                           OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION |
                                   DACL_SECURITY_INFORMATION,
                           sd, sizeof(sd), &size);
    need(got, "the host file has no descriptor: error %lu", GetLastError());
    check_hr("hr", try_sd(sd, GetSecurityDescriptorLength(sd)), S_OK);
}

CASE(sd_none, "Metadata/NoDescriptor", QUESTION, "cimfs-rs, hcsctl; Q-8", 0,
     "no descriptor (NULL and 0, or a buffer and 0): accepted?")
{
    see_hr("NULL and 0", try_sd(NULL, 0));
    see_hr("a buffer and 0", try_sd(null_dacl_sd, 0));
    see_hr("NULL and 20", try_sd(NULL, 20));
}

CASE(sd_none_decided, "Metadata/NoDescriptorAccepted", DECISION, "D8", 0,
     "no descriptor (NULL or size 0) is accepted")
{
    check_hr("NULL and 0", try_sd(NULL, 0), S_OK);
    check_hr("a buffer and 0", try_sd(null_dacl_sd, 0), S_OK);
}

CASE(sd_invalid, "Metadata/InvalidDescriptor", DECISION, "D9", 0,
     "a descriptor that is too short, not self-relative, of another revision, or points outside "
     "itself: E_INVALIDARG")
{
    BYTE sd[20];

    check_hr("19 bytes", try_sd(null_dacl_sd, 19), E_INVALIDARG);
    memcpy(sd, null_dacl_sd, 20);
    sd[0] = 2;
    check_hr("revision 2", try_sd(sd, 20), E_INVALIDARG);
    memcpy(sd, null_dacl_sd, 20);
    sd[3] = 0;
    check_hr("not self-relative", try_sd(sd, 20), E_INVALIDARG);
    memcpy(sd, null_dacl_sd, 20);
    sd[4] = 200;
    check_hr("owner outside", try_sd(sd, 20), E_INVALIDARG);
    memcpy(sd, null_dacl_sd, 20);
    sd[16] = 20;
    check_hr("DACL outside", try_sd(sd, 20), E_INVALIDARG);
}

CASE(sd_large, "Metadata/LargeDescriptor", DECISION, "D9", 0,
     "a descriptor over 65,535 bytes: E_INVALIDARG; one of 65,000 is fine")
{
    static BYTE sd[70000];

    check_hr("65,000 bytes", try_sd(sd, large_sd(sd, 65000)), S_OK);
    large_sd(sd, 65536);
    check_hr("65,536 bytes", try_sd(sd, 65536), E_INVALIDARG);
    check_hr("70,000 bytes", try_sd(sd, 70000), E_INVALIDARG);
}

CASE(sd_answers, "Metadata/DescriptorAnswers", QUESTION, "Q-8, Q-30", 0,
     "which malformed or large descriptors are refused")
{
    static BYTE sd[70000];
    UINT32 sizes[] = {1, 8, 19, 21, 64};
    size_t i;

    memset(sd, 0xff, sizeof(sd));
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        char label[40];

        sprintf(label, "%u bytes of 0xff", (unsigned)sizes[i]);
        see_hr(label, try_sd(sd, sizes[i]));
    }
    see_hr("65,000 bytes", try_sd(sd, large_sd(sd, 65000)));
    see_hr("65,535 bytes", try_sd(sd, large_sd(sd, 65532) + 3));
    large_sd(sd, 65536);
    see_hr("65,536 bytes", try_sd(sd, 65536));
}

/* ---- reparse data ------------------------------------------------------------------------------
 */

static HRESULT try_reparse(UINT32 attributes, const void *data, UINT32 size)
{
    CIMFS_FILE_METADATA *metadata = meta(attributes, 0);

    metadata->ReparseDataBuffer = data;
    metadata->ReparseDataSize = size;
    return try_meta(metadata);
}

static void make_reparse(UINT32 attributes, const void *data, UINT32 size)
{
    CIMFS_FILE_METADATA *metadata = meta(attributes, 0);

    metadata->ReparseDataBuffer = data;
    metadata->ReparseDataSize = size;
    make_item(metadata);
}

CASE(reparse_symlink, "Metadata/Symlink", CLIENT, "CimFSAPI sample, go-winio", 0,
     "a symbolic link's buffer is accepted; tag and attribute are reported")
{
    BYTE data[200];
    UINT32 size = (UINT32)symlink_data(data, L"target");
    FILE_STAT_BASIC_INFORMATION info;

    make_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, size);
    info = stat_item();
    check_hex("tag", info.ReparseTag, TAG_SYMLINK);
    check_bool("REPARSE_POINT", info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT, true);
}

CASE(reparse_directory, "Metadata/DirectoryReparsePoint", CLIENT, "hcsshim layer import", 0,
     "a directory may be a reparse point")
{
    BYTE data[200];
    UINT32 size = (UINT32)symlink_data(data, L"target");
    FILE_STAT_BASIC_INFORMATION info;

    make_reparse(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT, data, size);
    info = stat_item();
    check_hex("tag", info.ReparseTag, TAG_SYMLINK);
    check_hex("attributes", info.FileAttributes,
              FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT);
}

CASE(reparse_wci, "Metadata/ContainerReparseTags", DECISION, "D16", 0,
     "the tags of container layers are accepted")
{
    BYTE data[16] = {0x18, 0, 0, 0x80, 8, 0};

    check_hr("0x80000018", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, 16), S_OK);
    memcpy(data, "\x1f\x00\x00\xa0\x00\x00\x00\x00", 8);
    check_hr("0xa000001f", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, 8), S_OK);
}

CASE(reparse_bit_only, "Metadata/ReparseBitWithoutData", DECISION, "D15", 0,
     "REPARSE_POINT without data: accepted, the bit is not reported")
{
    FILE_STAT_BASIC_INFORMATION info;

    make_item(meta(FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_ARCHIVE, 0));
    info = stat_item();
    check_hex("attributes", info.FileAttributes, FILE_ATTRIBUTE_ARCHIVE);
    check_hex("tag", info.ReparseTag, 0);
}

CASE(reparse_no_bit, "Metadata/ReparseDataWithoutBit", DECISION, "D15", 0,
     "data without REPARSE_POINT: stored, the bit is reported")
{
    BYTE data[200];
    FILE_STAT_BASIC_INFORMATION info;

    make_reparse(FILE_ATTRIBUTE_ARCHIVE, data, (UINT32)symlink_data(data, L"target"));
    info = stat_item();
    check_hex("attributes", info.FileAttributes,
              FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_REPARSE_POINT);
    check_hex("tag", info.ReparseTag, TAG_SYMLINK);
}

CASE(reparse_invalid, "Metadata/InvalidReparseData", DECISION, "D16", 0,
     "reparse data under 8 bytes, over 16 KiB, or of a size that isn't its length's: E_INVALIDARG")
{
    static BYTE data[20000];
    UINT32 size = (UINT32)symlink_data(data, L"target");

    check_hr("7 bytes", try_reparse(0, data, 7), E_INVALIDARG);
    check_hr("a byte less", try_reparse(0, data, size - 1), E_INVALIDARG);
    check_hr("a byte more", try_reparse(0, data, size + 1), E_INVALIDARG);
    size = (UINT32)foreign_reparse(data, 40);
    check_hr("a foreign tag, right", try_reparse(0, data, size), S_OK);
    check_hr("a foreign tag without its GUID", try_reparse(0, data, 48), E_INVALIDARG);
    size = (UINT32)foreign_reparse(data, 16384 - 24);
    check_hr("16 KiB", try_reparse(0, data, size), S_OK);
    size = (UINT32)foreign_reparse(data, 16384 - 23);
    check_hr("16 KiB and a byte", try_reparse(0, data, size), E_INVALIDARG);
}

CASE(reparse_answers, "Metadata/ReparseAnswers", QUESTION, "Q-37", 0,
     "the bit without data, data without the bit, short, long and wrongly sized data")
{
    static BYTE data[70000];
    UINT32 size;

    see_hr("the bit without data", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, NULL, 0));
    size = (UINT32)symlink_data(data, L"target");
    see_hr("data without the bit", try_reparse(0, data, size));
    see_hr("7 bytes", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, 7));
    see_hr("a byte less", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, size - 1));
    see_hr("a byte more", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, size + 1));
    see_hr("NULL with a size", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, NULL, 20));
    size = (UINT32)foreign_reparse(data, 40);
    see_hr("a foreign tag", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, size));
    size = (UINT32)foreign_reparse(data, 60000);
    see_hr("60,000 bytes", try_reparse(FILE_ATTRIBUTE_REPARSE_POINT, data, size));
}

/* ---- extended attributes -----------------------------------------------------------------------
 */

static HRESULT try_ea(const void *ea, UINT32 size)
{
    CIMFS_FILE_METADATA *metadata = meta(0, 0);

    metadata->EaBuffer = ea;
    metadata->EaBufferSize = size;
    return try_meta(metadata);
}

CASE(ea_winio, "Metadata/EasAsGoWritesThem", CLIENT, "go-winio ea.go", 0,
     "a chain of EAs whose last entry is padded, too, is accepted")
{
    BYTE ea[200];
    UINT32 size = (UINT32)ea_entry(ea, "FIRST", "value", 5, false);

    size += (UINT32)ea_entry(ea + size, "SECOND", "v", 1, true);
    check_hr("two entries", try_ea(ea, size), S_OK);
    check_hr("one entry", try_ea(ea, (UINT32)ea_entry(ea, "ONLY", "value", 5, true)), S_OK);
}

CASE(ea_accepted, "Metadata/EasAccepted", DECISION, "D17", 0,
     "a chain of EAs is accepted, with and without the padding behind its last entry")
{
    BYTE ea[200];
    UINT32 size = (UINT32)ea_entry(ea, "FIRST", "value", 5, false);
    UINT32 last = (UINT32)ea_entry(ea + size, "SECOND", "vw", 2, true);

    check_hr("two entries, padded", try_ea(ea, size + last), S_OK);
    check_hr("unpadded", try_ea(ea, size + 8 + 6 + 1 + 2), S_OK);
    check_hr("one entry", try_ea(ea + size, last), S_OK);
}

CASE(ea_directory, "Metadata/EasOnDirectory", DECISION, "D17", 0, "a directory may have EAs")
{
    BYTE ea[100];
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_DIRECTORY, 0);

    metadata->EaBuffer = ea;
    metadata->EaBufferSize = (UINT32)ea_entry(ea, "NAME", "value", 5, true);
    check_hr("hr", try_meta(metadata), S_OK);
}

CASE(ea_invalid, "Metadata/InvalidEas", DECISION, "D17", 0,
     "a buffer that is no chain of EAs: E_INVALIDARG")
{
    static BYTE ea[70000], large[65524];
    UINT32 size = (UINT32)ea_entry(ea, "FIRST", "value", 5, false);
    UINT32 last = (UINT32)ea_entry(ea + size, "SECOND", "v", 1, true);

    check_hr("7 bytes", try_ea(ea, 7), E_INVALIDARG);
    check_hr("the last entry cut", try_ea(ea, size + 10), E_INVALIDARG);
    check_hr("four bytes more", try_ea(ea, size + last + 4), E_INVALIDARG);
    ea[0] = 3;
    check_hr("a next offset inside the entry", try_ea(ea, size + last), E_INVALIDARG);
    ea_entry(ea, "FIRST", "value", 5, false);
    ea[0] = 200;
    check_hr("a next offset outside", try_ea(ea, size + last), E_INVALIDARG);
    ea_entry(ea, "BIG", large, sizeof(large), true);
    check_hr("over 65,535 bytes", try_ea(ea, 65536), E_INVALIDARG);
}

CASE(ea_malformed, "Metadata/MalformedEas", DECISION, "D17", 0,
     "a buffer that can't be EAs, shorter than an entry's head: E_INVALIDARG")
{
    static const BYTE ea[4] = {0};

    check_hr("hr", try_ea(ea, 4), E_INVALIDARG);
}

CASE(ea_answers, "Metadata/EaAnswers", QUESTION, "Q-39", 0,
     "bad chains, duplicate names, lower case, odd characters, the flag, EAs with reparse data")
{
    BYTE ea[400], data[200];
    UINT32 size, first;
    CIMFS_FILE_METADATA *metadata;

    see_hr("NULL with a size", try_ea(NULL, 20));
    first = (UINT32)ea_entry(ea, "SAME", "1", 1, false);
    size = first + (UINT32)ea_entry(ea + first, "SAME", "2", 1, true);
    see_hr("the same name twice", try_ea(ea, size));
    see_hr("lower case", try_ea(ea, (UINT32)ea_entry(ea, "lower", "1", 1, true)));
    see_hr("odd characters", try_ea(ea, (UINT32)ea_entry(ea, "a*?\"b", "1", 1, true)));
    see_hr("no name", try_ea(ea, (UINT32)ea_entry(ea, "", "1", 1, true)));
    see_hr("no value", try_ea(ea, (UINT32)ea_entry(ea, "EMPTY", "", 0, true)));
    size = (UINT32)ea_entry(ea, "FLAG", "1", 1, true);
    ea[4] = 0x80;
    see_hr("FILE_NEED_EA", try_ea(ea, size));
    metadata = meta(FILE_ATTRIBUTE_REPARSE_POINT, 0);
    metadata->EaBuffer = ea;
    metadata->EaBufferSize = size;
    metadata->ReparseDataBuffer = data;
    metadata->ReparseDataSize = (UINT32)symlink_data(data, L"target");
    see_hr("with reparse data", try_meta(metadata));
}

/* ---- sparse
 * -------------------------------------------------------------------------------------- */

FRESH_CASE(sparse_unwritten, "Metadata/SparseUnwritten", CLIENT, "hcsshim (2020 placeholders)", 0,
           "a sparse file nothing was written to has its size and reads as zeros")
{
    static const BYTE zeros[5000];

    put_item(image, L"f", meta(FILE_ATTRIBUTE_SPARSE_FILE, 5000), NULL, 0);
    commit_and_close(image);
    check_number("size", stat_item().EndOfFile.QuadPart, 5000);
    check_stored("content", case_dir(), L"a.cim", L"f", zeros, sizeof(zeros));
}

FRESH_CASE(sparse_written, "Metadata/SparseWithData", CLIENT, "hcsshim layer import", 0,
           "a file marked sparse can have data")
{
    put_item(image, L"f", meta(FILE_ATTRIBUTE_SPARSE_FILE, 5), "bytes", 5);
    commit_and_close(image);
    check_stored_text("content", case_dir(), L"a.cim", L"f", "bytes");
}

CASE(sparse_bit, "Metadata/SparseBitKept", CLIENT, "hcsshim format package", 0,
     "FILE_ATTRIBUTE_SPARSE_FILE comes back as given")
{
    make_item(meta(FILE_ATTRIBUTE_SPARSE_FILE, 5000));
    check_bool("the bit", stat_item().FileAttributes & FILE_ATTRIBUTE_SPARSE_FILE, true);
}

FRESH_CASE(sparse_no_room, "Metadata/UnwrittenTakesNoRoom", DECISION, "D19", 0,
           "a file of a terabyte that nothing was written to takes no room, sparse or not")
{
    FILE_STAT_BASIC_INFORMATION info;

    put_item(image, L"f", meta(0, 1ll << 40), NULL, 0);
    commit_and_close(image);
    info = stat_item();
    check_number("size", info.EndOfFile.QuadPart, 1ull << 40);
    check_number("allocation", info.AllocationSize.QuadPart, 0);
    check_hex("attributes", info.FileAttributes, FILE_ATTRIBUTE_NORMAL);
}
