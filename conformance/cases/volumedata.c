/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumedata.c - what a mounted volume tells of a file besides: security descriptor, reparse data,
 * extended attributes, the list of its streams
 *
 * Nearly all of this is what Wine doesn't show, whatever the DLL does (suite/wine_limits.c).
 */
#include "metadata.h"
#include "volume.h"

#include <aclapi.h>
#include <sddl.h>
#include <winioctl.h>

#define SAMPLE "CimFSAPI sample"
#define METADATA "CIMFS_FILE_METADATA page"

/* ---- security descriptors ----------------------------------------------------------------------
 */

#define PARTS (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)

/* A descriptor as text; LocalFree() it. */
static char *descriptor_text(PSECURITY_DESCRIPTOR descriptor, DWORD parts)
{
    char *text = NULL;

    ConvertSecurityDescriptorToStringSecurityDescriptorA(descriptor, SDDL_REVISION_1, parts, &text,
                                                         NULL);
    return text;
}

/* A mounted item's; NULL: *error says why. */
static char *mounted_descriptor(const WCHAR *path, DWORD parts, DWORD *error)
{
    HANDLE file = CreateFileW(path, READ_CONTROL, SHARE_ALL, NULL, OPEN_EXISTING, OPEN_ITEM, NULL);
    PSECURITY_DESCRIPTOR descriptor = NULL;
    char *text = NULL;

    *error = file == INVALID_HANDLE_VALUE ? GetLastError()
                                          : GetSecurityInfo(file, SE_FILE_OBJECT, parts, NULL, NULL,
                                                            NULL, NULL, &descriptor);
    if (!*error) text = descriptor_text(descriptor, parts);
    LocalFree(descriptor);
    if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    return text;
}

/* Gives metadata the descriptor that an SDDL string says; to be freed after use. */
static PSECURITY_DESCRIPTOR describe(CIMFS_FILE_METADATA *metadata, const char *sddl)
{
    PSECURITY_DESCRIPTOR descriptor;
    ULONG bytes;

    need(ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, &descriptor,
                                                              &bytes),
         "no descriptor: error %lu", GetLastError());
    metadata->SecurityDescriptorBuffer = descriptor;
    metadata->SecurityDescriptorSize = bytes;
    return descriptor;
}

/* An item "f" whose descriptor is that of an SDDL string, mounted; *want is the string that Windows
 * makes of it again. */
static const WCHAR *mount_described(const char *sddl, DWORD attributes, DWORD parts, char **want)
{
    CIMFS_FILE_METADATA *metadata = meta(attributes, 0);
    PSECURITY_DESCRIPTOR descriptor = describe(metadata, sddl);
    const WCHAR *root = mount_item(metadata);

    *want = descriptor_text(descriptor, parts);
    LocalFree(descriptor);
    need(*want != NULL, "no text of the descriptor: error %lu", GetLastError());
    return root;
}

CASE(descriptor, "Volume/SecurityDescriptor", DOC, METADATA, NEEDS_MOUNT,
     "a file's owner, group and DACL are those that were given")
{
    char *want, *got;
    const WCHAR *root = mount_described("O:BAG:SYD:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;WD)",
                                        FILE_ATTRIBUTE_ARCHIVE, PARTS, &want);
    DWORD error;

    got = mounted_descriptor(on(root, L"f"), PARTS, &error);
    check_error("error", error, 0);
    check_text("descriptor", got, want);
    LocalFree(got);
    LocalFree(want);
}

CASE(no_descriptor, "Volume/NoSecurityDescriptor", DECISION, "D8", NEEDS_MOUNT,
     "a file that was given none has the NULL DACL")
{
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_ARCHIVE, 0);
    PSECURITY_DESCRIPTOR descriptor = NULL;
    BOOL present = FALSE, defaulted;
    PACL acl = NULL;
    HANDLE file;

    metadata->SecurityDescriptorBuffer = NULL;
    metadata->SecurityDescriptorSize = 0;
    file = open_item(on(mount_item(metadata), L"f"), READ_CONTROL);
    check_error("GetSecurityInfo",
                GetSecurityInfo(file, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, NULL,
                                NULL, &descriptor),
                0);
    if (descriptor) GetSecurityDescriptorDacl(descriptor, &present, &acl, &defaulted);
    check_bool("present", present != 0, true);
    check_bool("NULL", acl == NULL, true);
    LocalFree(descriptor);
    CloseHandle(file);
}

static void see_descriptor(const char *name, const WCHAR *path, DWORD parts)
{
    DWORD error;
    char *text = mounted_descriptor(path, parts, &error);

    if (text)
        see_text(name, "%s", text);
    else
        see_error(name, error);
    LocalFree(text);
}

FRESH_CASE(descriptors_q, "Volume/SecurityDescriptors", QUESTION, "Q-8, hcsctl findings",
           NEEDS_MOUNT,
           "what is shown of no descriptor, of the NULL-DACL one, of a whole one; of children of a "
           "directory")
{
    static const char sddl[] = "O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FR;;;WD)";
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_DIRECTORY, 0);
    PSECURITY_DESCRIPTOR descriptor = describe(metadata, sddl);
    const WCHAR *root;

    put_item(image, L"d", metadata, NULL, 0);
    metadata->Attributes = FILE_ATTRIBUTE_ARCHIVE;
    put_item(image, L"whole", metadata, NULL, 0);
    put_text(image, L"null DACL", "");
    metadata->SecurityDescriptorBuffer = NULL;
    metadata->SecurityDescriptorSize = 0;
    put_item(image, L"none", metadata, NULL, 0);
    put_item(image, L"d\\none", metadata, NULL, 0);
    LocalFree(descriptor);
    root = mount_fresh(image);
    see_descriptor("whole", on(root, L"whole"), PARTS);
    see_descriptor("a directory", on(root, L"d"), PARTS);
    see_descriptor("null DACL", on(root, L"null DACL"), PARTS);
    see_descriptor("none", on(root, L"none"), PARTS);
    see_descriptor("none, in a directory with rights that are inherited", on(root, L"d\\none"),
                   PARTS);
    see_descriptor("the root, never described", root, PARTS);
    see_content("a file without one can be read", on(root, L"none"));
}

FRESH_CASE(
        label_q, "Volume/SaclAndLabel", QUESTION, "CimFSAPI sample (it stores them)", NEEDS_MOUNT,
        "whether SACL and integrity label are shown; whether a DACL without entries denies access")
{
    static const char sddl[] = "O:BAG:SYD:P(A;;FA;;;BA)S:(AU;SAFA;FA;;;WD)(ML;;NW;;;HI)";
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_ARCHIVE, 0);
    PSECURITY_DESCRIPTOR whole, empty;
    const WCHAR *root;

    whole = describe(metadata, sddl);
    put_item(image, L"whole", metadata, NULL, 0);
    empty = describe(metadata, "O:SYG:SYD:P");
    put_item(image, L"empty", metadata, NULL, 0);
    LocalFree(whole);
    LocalFree(empty);
    root = mount_fresh(image);
    see_descriptor("label", on(root, L"whole"), LABEL_SECURITY_INFORMATION);
    see_content("a file with an empty DACL", on(root, L"empty"));
}

/* ---- reparse data ------------------------------------------------------------------------------
 */

/* A mount point's REPARSE_DATA_BUFFER; its size. */
static size_t junction_data(BYTE *buffer, const WCHAR *target)
{
    WORD length = (WORD)(wcslen(target) * sizeof(WCHAR)), data = 12 + 2 * length;
    WORD words[4] = {0, length, length + 2, length};
    DWORD tag = TAG_MOUNT_POINT;

    memset(buffer, 0, 8 + data);
    memcpy(buffer, &tag, 4);
    memcpy(buffer + 4, &data, 2);
    memcpy(buffer + 8, words, 8);
    memcpy(buffer + 16, target, length);
    memcpy(buffer + 18 + length, target, length);
    return 8 + (size_t)data;
}

/* Three reparse points and what they lead to, mounted. */
struct reparse
{
    BYTE data[3][600];
    size_t sizes[3];
};

static const WCHAR *const reparse_paths[3] = {L"file link", L"dir link", L"junction"};

static const WCHAR *mount_reparse(struct reparse *reparse)
{
    CIMFS_IMAGE_HANDLE image = fresh();
    int i;

    reparse->sizes[0] = symlink_data(reparse->data[0], L"f");
    reparse->sizes[1] = symlink_data(reparse->data[1], L"d");
    reparse->sizes[2] = junction_data(reparse->data[2], L"\\??\\C:\\Windows");
    put_text(image, L"f", "f");
    put_dir(image, L"d");
    for (i = 0; i < 3; i++)
    {
        CIMFS_FILE_METADATA *metadata =
                meta(FILE_ATTRIBUTE_REPARSE_POINT | (i ? FILE_ATTRIBUTE_DIRECTORY : 0), 0);

        metadata->ReparseDataBuffer = reparse->data[i];
        metadata->ReparseDataSize = (UINT32)reparse->sizes[i];
        put_item(image, reparse_paths[i], metadata, NULL, 0);
    }
    return mount_fresh(image);
}

CASE(reparse_data, "Volume/ReparseData", CLIENT, SAMPLE, NEEDS_MOUNT,
     "FSCTL_GET_REPARSE_POINT answers the very buffer that was stored")
{
    struct reparse reparse;
    const WCHAR *root = mount_reparse(&reparse);
    char name[20];
    int i;

    for (i = 0; i < 3; i++)
    {
        HANDLE file = CreateFileW(on(root, reparse_paths[i]), GENERIC_READ, FILE_SHARE_READ, NULL,
                                  OPEN_EXISTING, OPEN_ITEM, NULL);
        BYTE got[1000];
        DWORD bytes = 0;

        if (file == INVALID_HANDLE_VALUE || !DeviceIoControl(file, FSCTL_GET_REPARSE_POINT, NULL, 0,
                                                             got, sizeof(got), &bytes, NULL))
            note("%ls: error %lu", reparse_paths[i], GetLastError());
        snprintf(name, sizeof(name), "%ls", reparse_paths[i]);
        check_bytes(name, got, bytes, reparse.data[i], reparse.sizes[i]);
        if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    }
}

CASE(reparse_bit, "Volume/ReparseAttribute", CLIENT, SAMPLE, NEEDS_MOUNT,
     "reparse points have FILE_ATTRIBUTE_REPARSE_POINT, and their tag in a list")
{
    static const DWORD tags[3] = {TAG_SYMLINK, TAG_SYMLINK, TAG_MOUNT_POINT};
    struct reparse reparse;
    const WCHAR *root = mount_reparse(&reparse);
    char name[40];
    int i;

    for (i = 0; i < 3; i++)
    {
        DWORD want = FILE_ATTRIBUTE_REPARSE_POINT | (i ? FILE_ATTRIBUTE_DIRECTORY : 0);
        WIN32_FIND_DATAW data = {0};
        HANDLE find = FindFirstFileW(on(root, reparse_paths[i]), &data);

        if (find != INVALID_HANDLE_VALUE) FindClose(find);
        snprintf(name, sizeof(name), "%ls: bits", reparse_paths[i]);
        check_hex(name,
                  data.dwFileAttributes & (FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY),
                  want);
        snprintf(name, sizeof(name), "%ls: tag", reparse_paths[i]);
        check_hex(name, data.dwReserved0, tags[i]);
    }
}

FRESH_CASE(reparse_q, "Volume/ReparseOddities", QUESTION, "Q-37", NEEDS_MOUNT,
           "reparse data without the bit, the bit without data, a tag that isn't Microsoft's, a "
           "stream "
           "too")
{
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_ARCHIVE, 0);
    static const WCHAR *const paths[] = {L"no bit", L"no data", L"foreign"};
    BYTE link[200], foreign[200], got[400];
    const WCHAR *root;
    char name[60];
    size_t i;

    metadata->ReparseDataBuffer = link;
    metadata->ReparseDataSize = (UINT32)symlink_data(link, L"target");
    see_hr("no bit: CimCreateFile", try_create_file(image, paths[0], metadata));
    see_hr("no data: CimCreateFile",
           try_create_file(image, paths[1], meta(FILE_ATTRIBUTE_REPARSE_POINT, 0)));
    metadata = meta(FILE_ATTRIBUTE_REPARSE_POINT, 5);
    metadata->ReparseDataBuffer = foreign;
    metadata->ReparseDataSize = (UINT32)foreign_reparse(foreign, 10);
    see_hr("foreign: CimCreateFile", try_create_file(image, paths[2], metadata));
    see_hr("foreign: its stream", try_create_stream(image, L"foreign:s", 0));
    root = mount_fresh(image);
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        HANDLE file = CreateFileW(on(root, paths[i]), FILE_READ_ATTRIBUTES, SHARE_ALL, NULL,
                                  OPEN_EXISTING, OPEN_ITEM, NULL);
        DWORD bytes = 0, error = 0;

        if (file == INVALID_HANDLE_VALUE || !DeviceIoControl(file, FSCTL_GET_REPARSE_POINT, NULL, 0,
                                                             got, sizeof(got), &bytes, NULL))
            error = GetLastError();
        snprintf(name, sizeof(name), "%ls: attributes", paths[i]);
        see_text(name, "0x%lx", GetFileAttributesW(on(root, paths[i])));
        snprintf(name, sizeof(name), "%ls: FSCTL_GET_REPARSE_POINT", paths[i]);
        if (error)
            see_error(name, error);
        else
            see_bytes(name, got, bytes);
        if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
        snprintf(name, sizeof(name), "%ls: opened and read", paths[i]);
        see_content(name, on(root, paths[i]));
    }
}

/* ---- extended attributes -----------------------------------------------------------------------
 */

/* Those of an open item into a buffer; the NTSTATUS. */
static LONG query_eas(HANDLE file, BYTE *buffer, ULONG room, size_t *used)
{
    LONG(WINAPI * query)
    (HANDLE, void *, void *, ULONG, BOOLEAN, void *, ULONG, void *, BOOLEAN) =
            (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryEaFile");
    void *status[2] = {0};
    LONG result;

    need(query != NULL, "ntdll has no NtQueryEaFile");
    result = query(file, status, buffer, room, FALSE, NULL, 0, NULL, TRUE);
    *used = result < 0 ? 0 : (size_t)status[1];
    return result;
}

/* The value of an EA in a chain, NULL: it isn't there. */
static const BYTE *find_ea(const BYTE *chain, size_t used, const char *name, WORD *bytes)
{
    size_t offset = 0;

    while (used - offset > 8)
    {
        const BYTE *entry = chain + offset;
        DWORD next;

        memcpy(&next, entry, 4);
        memcpy(bytes, entry + 6, 2);
        if (9u + entry[5] + *bytes > used - offset) return NULL;
        if (entry[5] == strlen(name) && !_strnicmp((const char *)entry + 8, name, entry[5]))
            return entry + 9 + entry[5];
        if (!next || next > used - offset) return NULL;
        offset += next;
    }
    return NULL;
}

static size_t two_eas(BYTE *buffer)
{
    size_t first = ea_entry(buffer, "FIRST", "one", 3, false);

    return first + ea_entry(buffer + first, "SECOND", "two and more", 12, true);
}

CASE(eas, "Volume/ExtendedAttributes", DOC, METADATA, NEEDS_MOUNT,
     "NtQueryEaFile answers the extended attributes that were given")
{
    CIMFS_FILE_METADATA *metadata = meta(FILE_ATTRIBUTE_ARCHIVE, 0);
    BYTE given[100], got[400] = {0};
    const BYTE *value;
    size_t used;
    WORD bytes = 0;
    HANDLE file;
    LONG status;

    metadata->EaBuffer = given;
    metadata->EaBufferSize = (UINT32)two_eas(given);
    file = open_item(on(mount_item(metadata), L"f"), GENERIC_READ);
    status = query_eas(file, got, sizeof(got), &used);
    CloseHandle(file);
    check_hex("status", (DWORD)status, 0);
    value = find_ea(got, used, "FIRST", &bytes);
    check_bytes("FIRST", value, value ? bytes : 0, "one", 3);
    value = find_ea(got, used, "SECOND", &bytes);
    check_bytes("SECOND", value, value ? bytes : 0, "two and more", 12);
}

FRESH_CASE(eas_q, "Volume/ExtendedAttributesAsTheyAre", QUESTION, "Q-39", NEEDS_MOUNT,
           "the bytes of NtQueryEaFile's answer for a file, a directory, names in small letters, "
           "no EAs")
{
    static const WCHAR *const paths[] = {L"file", L"dir", L"small", L"none"};
    BYTE given[100], small[100];
    const WCHAR *root;
    char name[30];
    size_t i, used, bytes = two_eas(given);

    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        CIMFS_FILE_METADATA *metadata =
                meta(i == 1 ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_ARCHIVE, 0);

        metadata->EaBuffer = i == 3 ? NULL : i == 2 ? small : given;
        metadata->EaBufferSize = (UINT32)(i == 3   ? 0
                                          : i == 2 ? ea_entry(small, "small", "x", 1, true)
                                                   : bytes);
        put_item(image, paths[i], metadata, NULL, 0);
    }
    root = mount_fresh(image);
    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        HANDLE file = open_item(on(root, paths[i]), GENERIC_READ);
        BYTE got[400] = {0};
        LONG status = query_eas(file, got, sizeof(got), &used);

        snprintf(name, sizeof(name), "%ls", paths[i]);
        if (status < 0)
            see_text(name, "status 0x%08lx", (unsigned long)status);
        else
            see_bytes(name, got, used);
        CloseHandle(file);
    }
}

/* ---- lists of streams --------------------------------------------------------------------------
 */

static bool has_stream(const WCHAR *path, const WCHAR *name, uint64_t bytes, DWORD *error)
{
    WIN32_FIND_STREAM_DATA data;
    HANDLE find = FindFirstStreamW(path, FindStreamInfoStandard, &data, 0);
    bool found = false;

    *error = find == INVALID_HANDLE_VALUE ? GetLastError() : 0;
    if (*error) return false;
    do found |= !wcscmp(data.cStreamName, name) && (uint64_t)data.StreamSize.QuadPart == bytes;
    while (FindNextStreamW(find, &data));
    FindClose(find);
    return found;
}

CASE(streams, "Volume/StreamsListed", CLIENT, SAMPLE, NEEDS_MOUNT,
     "FindFirstStreamW lists a file's alternate stream, with its size")
{
    DWORD error;
    bool found = has_stream(on(mount_base(), L"file.txt"), L":s:$DATA", 6, &error);

    check_error("error", error, 0);
    check_bool(":s:$DATA of 6 bytes", found, true);
}

CASE(no_streams, "Volume/NoStreamsListed", CLIENT, SAMPLE, NEEDS_MOUNT,
     "for a file and a directory without streams it succeeds, or fails with ERROR_HANDLE_EOF "
     "exactly")
{
    static const WCHAR *const paths[] = {L"empty", L"d\\inner.txt", L"d"};
    const WCHAR *root = mount_base();
    char name[20];
    DWORD error;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(paths); i++)
    {
        has_stream(on(root, paths[i]), L"", 0, &error);
        snprintf(name, sizeof(name), "%ls", paths[i]);
        check_error(name, error == ERROR_HANDLE_EOF ? 0 : error, 0);
    }
}
