/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.c - a client of cimfs.dll in the way of Microsoft's sample program: pack, extend, fork
 *
 *   client DIR     DIR: an empty directory; files to pack and images are made in it
 *
 * The sample takes one file of the host with all that the system tells of it, unchanged:
 * attributes, times, security descriptor, streams, reparse data. It packs it, and then has the
 * image extended by a hard link and forked with the file deleted; each image is mounted and looked
 * at. Here the same is done, in the same order, with a file that is made for it, with files of some
 * attributes and a directory besides; and each thing that the sample would print is a line of TAP.
 * Nothing but cimfs.h and Win32 is known here: it runs on Windows (elevated) with Microsoft's DLL,
 * and under Wine with ours. What Wine's own file layer can't show is told in a comment and not
 * asked for; but what was packed is written to DIR, in JSON, for a program that reads images
 * without Wine.
 */
#include <cimfs.h>

#include <aclapi.h>
#include <rpc.h>
#include <sddl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <winioctl.h>

#define PATH_ROOM 1024
#define PIECE 65536
#define HR_WIN32(code) ((HRESULT)(0x80070000u | (code)))
#define HR_EXISTS HR_WIN32(ERROR_FILE_EXISTS)

#define IMAGE L"sample.cim"
#define FORK L"sample.cim_fork"

/* What an image has room for. */
#define KEPT                                                                                       \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |                     \
     FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_SPARSE_FILE | FILE_ATTRIBUTE_DIRECTORY)

/* Everything that descriptors hold; reading the last two takes a privilege. */
#define ALL_SECURITY                                                                               \
    (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |         \
     SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION)

/* MSVC has these for Windows 8 and later targets, mingw-w64 under the same condition. */
#define FILE_ID_INFO_CLASS ((FILE_INFO_BY_HANDLE_CLASS)18)

struct file_id
{
    ULONGLONG volume;
    BYTE id[16];
};

struct stream
{
    WCHAR name[300];
    LONGLONG size;
};

/* An item of the host or of a volume, with all that Win32 tells of it. */
struct facts
{
    FILE_BASIC_INFO basic;
    LARGE_INTEGER size;
    struct file_id id;
    void *security; /* from GetSecurityInfo: LocalFree */
    DWORD security_size;
    BYTE reparse[16384];
    DWORD reparse_size;
    struct stream streams[4];
    int stream_count;
};

/* What is packed: the path in the image is the name of the file in DIR\source. */
static const WCHAR *const sources[] = {
        L"source.bin", L"readonly.txt",          L"hidden.txt", L"empty", L"directory",
        L"link",       L"directory\\inside.txt",
};

#define SAMPLE_FILE L"source.bin"
#define LINK L"second name"

/* Wine lists no streams; this one is known to be there. */
#define STREAM L":first"
#define STREAM_TEXT "in a stream"

static const WCHAR *work;
static int tests, failures;

/* ---- Test Anything Protocol ---- */

static bool __attribute__((format(printf, 2, 3))) ok(bool passed, const char *format, ...)
{
    va_list args;

    if (!passed) failures++;
    printf("%sok %d - ", passed ? "" : "not ", ++tests);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    return passed;
}

static bool is_hr(HRESULT got, HRESULT want, const char *what)
{
    if (ok(got == want, "%s", what)) return true;
    printf("#   got 0x%08lx, want 0x%08lx\n", (ULONG)got, (ULONG)want);
    return false;
}

static bool is_number(ULONGLONG got, ULONGLONG want, const char *who, const char *what)
{
    if (ok(got == want, "%s: %s", who, what)) return true;
    printf("#   got 0x%llx, want 0x%llx\n", (unsigned long long)got, (unsigned long long)want);
    return false;
}

static void __attribute__((noreturn)) bail(const char *what)
{
    printf("Bail out! %s: error %lu\n", what, GetLastError());
    exit(1);
}

static int done(void)
{
    printf("1..%d\n", tests);
    return failures ? 1 : 0;
}

/* ---- paths ---- */

/* DIR\NAME in one of a few static buffers. */
static const WCHAR *join(const WCHAR *dir, const WCHAR *name)
{
    static WCHAR buffers[8][PATH_ROOM];
    static unsigned next;
    WCHAR *buffer = buffers[next++ % 8];

    _snwprintf(buffer, PATH_ROOM, L"%ls\\%ls", dir, name);
    buffer[PATH_ROOM - 1] = 0;
    return buffer;
}

static const WCHAR *host_path(const WCHAR *name)
{
    return join(join(work, L"source"), name);
}

static const char *narrow(const WCHAR *text)
{
    static char buffers[4][PATH_ROOM];
    static unsigned next;
    char *buffer = buffers[next++ % 4];

    if (!WideCharToMultiByte(CP_UTF8, 0, text, -1, buffer, PATH_ROOM, NULL, NULL)) *buffer = 0;
    return buffer;
}

static bool on_wine(void)
{
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}

/* ---- the host's files ---- */

static void save(const WCHAR *path, const void *data, DWORD size)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);

    if (file == INVALID_HANDLE_VALUE || !WriteFile(file, data, size, &size, NULL))
        bail("a file can't be written");
    CloseHandle(file);
}

/* Times of the past, so that a clock's "now" can't stand in for them. */
static void set_times(const WCHAR *path)
{
    HANDLE file = CreateFileW(path, FILE_WRITE_ATTRIBUTES, 7, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
    FILETIME created = {0x4a1c2d31, 0x01d4d23b}, accessed = {0x4a1c2d37, 0x01d5f73b};
    FILETIME written = {0x4a1c2d33, 0x01d4d23c};

    if (!SetFileTime(file, &created, &accessed, &written)) bail("SetFileTime");
    CloseHandle(file);
}

static void make_sources(void)
{
    static BYTE data[3 * PIECE + 17];
    DWORD i;

    for (i = 0; i < sizeof(data); i++) data[i] = (BYTE)(i * 2654435761u >> 13);
    if (!CreateDirectoryW(join(work, L"source"), NULL) ||
        !CreateDirectoryW(join(work, L"images"), NULL) ||
        !CreateDirectoryW(host_path(L"directory"), NULL))
        bail("CreateDirectory");
    save(host_path(SAMPLE_FILE), data, sizeof(data));
    save(host_path(SAMPLE_FILE STREAM), STREAM_TEXT, sizeof(STREAM_TEXT) - 1);
    save(host_path(L"readonly.txt"), "may not be written", 18);
    save(host_path(L"hidden.txt"), "may not be seen", 15);
    save(host_path(L"empty"), "", 0);
    save(host_path(L"directory\\inside.txt"), "inside", 6);
    /* Wine says yes and makes none; Windows wants a right or developer mode. */
    if (!CreateSymbolicLinkW(host_path(L"link"), SAMPLE_FILE, 0) ||
        GetFileAttributesW(host_path(L"link")) == INVALID_FILE_ATTRIBUTES)
    {
        printf("# %s, so \"link\" is an ordinary file\n",
               on_wine() ? "Wine limit: no symbolic link can be made" : "no right to make links");
        save(host_path(L"link"), "no link", 7);
    }
    for (i = 0; i < sizeof(sources) / sizeof(*sources); i++) set_times(host_path(sources[i]));
    if (!SetFileAttributesW(host_path(L"readonly.txt"),
                            FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_ARCHIVE) ||
        !SetFileAttributesW(host_path(L"hidden.txt"),
                            FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE))
        bail("SetFileAttributes");
}

/* ---- what Win32 tells of an item ---- */

static bool enable(const WCHAR *name)
{
    TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1};
    HANDLE token;
    bool done;

    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
        return false;
    wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    done = LookupPrivilegeValueW(NULL, name, &wanted.Privileges[0].Luid) &&
           AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL) &&
           GetLastError() == ERROR_SUCCESS;
    CloseHandle(token);
    return done;
}

static HANDLE open_item(const WCHAR *path)
{
    return CreateFileW(path, GENERIC_READ | ACCESS_SYSTEM_SECURITY, FILE_SHARE_READ, NULL,
                       OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT,
                       NULL);
}

/* The alternate streams by FindFirstStreamW; false: it failed otherwise than it may. */
static bool get_streams(const WCHAR *path, struct facts *facts)
{
    WIN32_FIND_STREAM_DATA data;
    HANDLE find = FindFirstStreamW(path, FindStreamInfoStandard, &data, 0);

    if (find == INVALID_HANDLE_VALUE) return GetLastError() == ERROR_HANDLE_EOF;
    do
    {
        WCHAR *type = wcsstr(data.cStreamName, L":$DATA");

        if (!wcscmp(data.cStreamName, L"::$DATA") || facts->stream_count == 4) continue;
        if (type) *type = 0;
        wcscpy(facts->streams[facts->stream_count].name, data.cStreamName);
        facts->streams[facts->stream_count++].size = data.StreamSize.QuadPart;
    } while (FindNextStreamW(find, &data));
    FindClose(find);
    return true;
}

static const char *get_facts(const WCHAR *path, HANDLE file, struct facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    if (!GetFileInformationByHandleEx(file, FileBasicInfo, &facts->basic, sizeof(facts->basic)))
        return "FileBasicInfo";
    if (!GetFileInformationByHandleEx(file, FILE_ID_INFO_CLASS, &facts->id, sizeof(facts->id)))
        return "FileIdInfo";
    if (!GetFileSizeEx(file, &facts->size)) return "GetFileSizeEx";
    if (GetSecurityInfo(file, SE_FILE_OBJECT, ALL_SECURITY, NULL, NULL, NULL, NULL,
                        &facts->security))
        return "GetSecurityInfo";
    facts->security_size = GetSecurityDescriptorLength(facts->security);
    if (facts->basic.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT &&
        !DeviceIoControl(file, FSCTL_GET_REPARSE_POINT, NULL, 0, facts->reparse,
                         sizeof(facts->reparse), &facts->reparse_size, NULL))
        return "FSCTL_GET_REPARSE_POINT";
    if (!get_streams(path, facts)) return "FindFirstStreamW";
    return NULL;
}

/* A file of the host: its facts and an open handle. */
static HANDLE open_host(const WCHAR *name, struct facts *facts)
{
    HANDLE file = open_item(host_path(name));
    const char *failed;

    if (file == INVALID_HANDLE_VALUE) bail(narrow(name));
    failed = get_facts(host_path(name), file, facts);
    if (failed) bail(failed);
    if (on_wine() && !wcscmp(name, SAMPLE_FILE))
    {
        wcscpy(facts->streams[0].name, STREAM);
        facts->streams[0].size = sizeof(STREAM_TEXT) - 1;
        facts->stream_count = 1;
    }
    return file;
}

static char *dacl_text(void *security)
{
    char *text = NULL;

    ConvertSecurityDescriptorToStringSecurityDescriptorA(security, SDDL_REVISION_1,
                                                         DACL_SECURITY_INFORMATION, &text, NULL);
    return text;
}

/* ---- what was packed, for another program ---- */

static struct facts packed[sizeof(sources) / sizeof(*sources)];
static FILE *expected;

static void tell_text(const char *key, const WCHAR *text)
{
    const char *at = narrow(text);

    fprintf(expected, "\"%s\": \"", key);
    for (; *at; at++) fprintf(expected, *at == '\\' ? "\\\\" : "%c", *at);
    fprintf(expected, "\", ");
}

static void tell_bytes(const char *key, const void *data, DWORD size)
{
    const BYTE *bytes = data;
    DWORD i;

    fprintf(expected, "\"%s\": \"", key);
    for (i = 0; i < size; i++) fprintf(expected, "%02x", bytes[i]);
    fprintf(expected, "\", ");
}

/* One line of JSON. @first: the first of the file's names. */
static void tell(const WCHAR *path, const WCHAR *first, const struct facts *facts)
{
    bool directory = facts->basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    int i;

    fprintf(expected, "{");
    tell_text("path", path);
    tell_text("first", first);
    fprintf(expected, "\"dir\": %s, \"size\": %lld, \"attributes\": %lu, ",
            directory ? "true" : "false", directory ? 0ll : facts->size.QuadPart,
            facts->basic.FileAttributes & KEPT & ~FILE_ATTRIBUTE_DIRECTORY);
    fprintf(expected, "\"times\": [%lld, %lld, %lld, %lld], ", facts->basic.CreationTime.QuadPart,
            facts->basic.LastWriteTime.QuadPart, facts->basic.ChangeTime.QuadPart,
            facts->basic.LastAccessTime.QuadPart);
    tell_bytes("security", facts->security, facts->security_size);
    tell_bytes("reparse", facts->reparse, facts->reparse_size);
    fprintf(expected, "\"ea\": \"\", \"streams\": [");
    for (i = 0; i < facts->stream_count; i++)
        fprintf(expected, "%s\"%s\"", i ? ", " : "", narrow(facts->streams[i].name + 1));
    fprintf(expected, "]}\n");
}

/* All that an image holds in the end. */
static void tell_all(const WCHAR *file, bool with_sample_file)
{
    size_t i;

    expected = _wfopen(join(work, file), L"wb");
    if (!expected) bail("what was packed can't be told");
    for (i = with_sample_file ? 0 : 1; i < sizeof(sources) / sizeof(*sources); i++)
        tell(sources[i], sources[i], &packed[i]);
    tell(LINK, with_sample_file ? SAMPLE_FILE : LINK, &packed[0]);
    fclose(expected);
}

/* ---- packing ---- */

static HRESULT copy_data(HANDLE file, CIMFS_STREAM_HANDLE stream)
{
    static BYTE piece[PIECE];
    HRESULT hr = S_OK;
    DWORD got;

    while (SUCCEEDED(hr))
    {
        if (!ReadFile(file, piece, sizeof(piece), &got, NULL)) bail("ReadFile");
        if (!got) break;
        hr = CimWriteStream(stream, piece, got);
    }
    return hr;
}

static HRESULT pack_streams(CIMFS_IMAGE_HANDLE image, const WCHAR *name, const struct facts *facts)
{
    CIMFS_STREAM_HANDLE stream;
    WCHAR path[PATH_ROOM];
    HRESULT hr = S_OK;
    int i;

    for (i = 0; i < facts->stream_count && SUCCEEDED(hr); i++)
    {
        HANDLE file;

        _snwprintf(path, PATH_ROOM, L"%ls%ls", host_path(name), facts->streams[i].name);
        file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
        if (file == INVALID_HANDLE_VALUE) bail("a stream of the host");
        _snwprintf(path, PATH_ROOM, L"%ls%ls", name, facts->streams[i].name);
        hr = CimCreateAlternateStream(image, path, (UINT64)facts->streams[i].size, &stream);
        if (SUCCEEDED(hr))
        {
            hr = copy_data(file, stream);
            CimCloseStream(stream);
        }
        CloseHandle(file);
    }
    return hr;
}

/* Raw metadata of the host, as they are. */
static HRESULT pack(CIMFS_IMAGE_HANDLE image, const WCHAR *name, struct facts *facts)
{
    HANDLE file = open_host(name, facts);
    bool directory = facts->basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    CIMFS_FILE_METADATA metadata = {
            .Attributes = facts->basic.FileAttributes,
            .FileSize = directory ? 0 : facts->size.QuadPart,
            .CreationTime = facts->basic.CreationTime,
            .LastWriteTime = facts->basic.LastWriteTime,
            .ChangeTime = facts->basic.ChangeTime,
            .LastAccessTime = facts->basic.LastAccessTime,
            .SecurityDescriptorBuffer = facts->security,
            .SecurityDescriptorSize = facts->security_size,
            .ReparseDataBuffer = facts->reparse_size ? facts->reparse : NULL,
            .ReparseDataSize = facts->reparse_size,
    };
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateFile(image, name, &metadata, &stream);

    if (SUCCEEDED(hr) && !directory && !facts->reparse_size) hr = copy_data(file, stream);
    if (stream) CimCloseStream(stream);
    if (SUCCEEDED(hr)) hr = pack_streams(image, name, facts);
    CloseHandle(file);
    return hr;
}

static const WCHAR *images(void)
{
    static WCHAR dir[PATH_ROOM];

    if (!*dir) wcscpy(dir, join(work, L"images"));
    return dir;
}

static void test_pack(void)
{
    WIN32_FILE_ATTRIBUTE_DATA data = {.nFileSizeLow = 0};
    CIMFS_IMAGE_HANDLE image = NULL;
    char what[PATH_ROOM];
    size_t i;

    if (!is_hr(CimCreateImage(images(), NULL, IMAGE, &image), S_OK, "a new image")) exit(done());
    for (i = 0; i < sizeof(sources) / sizeof(*sources); i++)
    {
        sprintf(what, "pack %s with what the host tells of it", narrow(sources[i]));
        is_hr(pack(image, sources[i], &packed[i]), S_OK, what);
    }
    if (!is_hr(CimCommitImage(image), S_OK, "commit")) exit(done());
    ok(GetFileAttributesExW(join(images(), IMAGE), GetFileExInfoStandard, &data) &&
               data.nFileSizeLow,
       "before it is closed the image is there and not empty");
    CimCloseImage(image);
    is_hr(CimCreateImage(images(), NULL, IMAGE, &image), HR_EXISTS,
          "a new image of that name: ERROR_FILE_EXISTS");
}

/* ---- without mounting ---- */

/* As the sample does: the size from the stat, then 64 KiB at a time until nothing remains. */
static void test_read(const WCHAR *name)
{
    FILE_STAT_BASIC_INFORMATION stat = {.FileAttributes = 0};
    static BYTE want[PIECE], got[PIECE];
    HANDLE file = open_item(host_path(name));
    UINT64 offset = 0, read = 0, left = 1;
    bool equal = true, counted = true;
    LARGE_INTEGER size;
    HRESULT hr = S_OK;
    DWORD count;

    GetFileSizeEx(file, &size);
    is_hr(CimGetFileStatBasicInformation(join(images(), IMAGE), name, &stat), S_OK,
          "CimGetFileStatBasicInformation");
    is_number((ULONGLONG)stat.EndOfFile.QuadPart, (ULONGLONG)size.QuadPart, narrow(name),
              "EndOfFile");
    while (left && hr == S_OK)
    {
        hr = CimReadFile(join(images(), IMAGE), name, offset, got, PIECE, &read, &left);
        if (hr || !ReadFile(file, want, PIECE, &count, NULL)) break;
        equal = equal && read && count == read && !memcmp(got, want, count);
        offset += read;
        counted = counted && offset + left == (UINT64)size.QuadPart;
    }
    is_hr(hr, S_OK, "CimReadFile in pieces");
    is_number(offset, (ULONGLONG)size.QuadPart, narrow(name), "bytes read until none remained");
    ok(counted, "%s: after each piece it is told how many remain", narrow(name));
    ok(equal, "%s: they are the host's", narrow(name));
    CloseHandle(file);
}

/* ---- mounting ---- */

/* A volume under a GUID of its own, as \\?\Volume{GUID}; static. */
static const WCHAR *mount(const WCHAR *name, UUID *volume)
{
    static WCHAR root[80];
    char what[100];
    WCHAR *text;

    UuidCreate(volume);
    if (UuidToStringW(volume, (RPC_WSTR *)&text)) bail("UuidToString");
    _snwprintf(root, 80, L"\\\\?\\Volume{%ls}", text);
    RpcStringFreeW((RPC_WSTR *)&text);
    sprintf(what, "mount %s", narrow(name));
    if (!is_hr(CimMountImage(images(), name, CIM_MOUNT_IMAGE_NONE, volume), S_OK, what))
        exit(done());
    return root;
}

static void dismount(const WCHAR *root, const UUID *volume)
{
    is_hr(CimDismountImage(volume), S_OK, "dismount, right after all files were closed");
    ok(GetFileAttributesW(join(root, SAMPLE_FILE)) == INVALID_FILE_ATTRIBUTES &&
               GetFileAttributesW(join(root, L"")) == INVALID_FILE_ATTRIBUTES,
       "the volume is gone");
}

static bool same_bytes(HANDLE a, HANDLE b)
{
    static BYTE one[4096], two[4096];
    DWORD got, got2;

    do
    {
        if (!ReadFile(a, one, sizeof(one), &got, NULL)) return false;
        if (!ReadFile(b, two, sizeof(two), &got2, NULL)) return false;
        if (got != got2 || memcmp(one, two, got)) return false;
    } while (got);
    return true;
}

static void compare_security(const char *who, const struct facts *host, const struct facts *item)
{
    char *want = dacl_text(host->security), *got = dacl_text(item->security);

    if (!on_wine() && !ok(want && got && !strcmp(want, got), "%s: the DACL", who))
        printf("#   got %s, want %s\n", got, want);
    LocalFree(want);
    LocalFree(got);
}

/* A stream may be opened by its name, also where no list has it. */
static void compare_stream(const WCHAR *path, const WCHAR *host, const struct stream *stream)
{
    WCHAR name[PATH_ROOM];
    HANDLE a, b;

    _snwprintf(name, PATH_ROOM, L"%ls%ls", host, stream->name);
    a = CreateFileW(name, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    _snwprintf(name, PATH_ROOM, L"%ls%ls", path, stream->name);
    b = CreateFileW(name, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    ok(a != INVALID_HANDLE_VALUE && b != INVALID_HANDLE_VALUE && same_bytes(a, b),
       "%s: the content of its stream", narrow(wcsrchr(path, '\\') + 1));
    if (a != INVALID_HANDLE_VALUE) CloseHandle(a);
    if (b != INVALID_HANDLE_VALUE) CloseHandle(b);
}

static void compare_streams(const WCHAR *path, const WCHAR *name, const struct facts *host,
                            const struct facts *item)
{
    const char *who = narrow(wcsrchr(path, '\\') + 1);
    int i;

    if (!on_wine())
        is_number((ULONGLONG)item->stream_count, (ULONGLONG)host->stream_count, who,
                  "number of alternate streams");
    for (i = 0; i < host->stream_count; i++)
    {
        if (!on_wine())
            ok(!wcscmp(host->streams[i].name, item->streams[i].name) &&
                       host->streams[i].size == item->streams[i].size,
               "%s: stream %s of %lld bytes", who, narrow(host->streams[i].name),
               host->streams[i].size);
        compare_stream(path, host_path(name), &host->streams[i]);
    }
}

static void compare_facts(const char *who, const struct facts *host, const struct facts *item)
{
    is_number(item->basic.FileAttributes & KEPT, host->basic.FileAttributes & KEPT, who,
              "attributes");
    is_number((ULONGLONG)item->basic.CreationTime.QuadPart,
              (ULONGLONG)host->basic.CreationTime.QuadPart, who, "creation time");
    is_number((ULONGLONG)item->basic.LastWriteTime.QuadPart,
              (ULONGLONG)host->basic.LastWriteTime.QuadPart, who, "last write time");
    if (!on_wine())
        ok(item->reparse_size == host->reparse_size &&
                   !memcmp(item->reparse, host->reparse, host->reparse_size),
           "%s: %lu bytes of reparse data", who, host->reparse_size);
    compare_security(who, host, item);
}

/* @name is of the host, @path on the volume. */
static void compare(const WCHAR *root, const WCHAR *path, const WCHAR *name)
{
    static struct facts host, item;
    HANDLE a = open_host(name, &host), b = open_item(join(root, path));
    const char *who = narrow(path), *failed = "CreateFile";

    if (b != INVALID_HANDLE_VALUE) failed = get_facts(join(root, path), b, &item);
    if (ok(!failed, "%s: is opened and looked at in all ways", who))
    {
        compare_facts(who, &host, &item);
        if (!(host.basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        {
            is_number((ULONGLONG)item.size.QuadPart, (ULONGLONG)host.size.QuadPart, who, "size");
            if (!host.reparse_size) ok(same_bytes(a, b), "%s: content", who);
        }
        compare_streams(join(root, path), name, &host, &item);
        LocalFree(item.security);
    }
    else
        printf("#   %s: error %lu\n", failed, GetLastError());
    LocalFree(host.security);
    CloseHandle(a);
    if (b != INVALID_HANDLE_VALUE) CloseHandle(b);
}

static void file_id(const WCHAR *path, struct file_id *id)
{
    HANDLE file = open_item(path);

    if (!GetFileInformationByHandleEx(file, FILE_ID_INFO_CLASS, id, sizeof(*id)))
        memset(id, 0, sizeof(*id));
    CloseHandle(file);
}

static void test_mounted(void)
{
    UUID volume;
    const WCHAR *root = mount(IMAGE, &volume);
    size_t i;

    for (i = 0; i < sizeof(sources) / sizeof(*sources); i++) compare(root, sources[i], sources[i]);
    dismount(root, &volume);
}

/* ---- extending ---- */

static void test_extend(void)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    struct file_id one, two, other;
    const WCHAR *root;
    UUID volume;

    if (!is_hr(CimCreateImage(images(), IMAGE, IMAGE, &image), S_OK, "the image once more")) return;
    is_hr(CimCreateHardLink(image, LINK, SAMPLE_FILE), S_OK, "a second name for the file");
    is_hr(CimCommitImage(image), S_OK, "commit of the extension");
    CimCloseImage(image);
    if (!is_hr(CimCreateImage(images(), IMAGE, IMAGE, &image), S_OK, "the image once more")) return;
    is_hr(CimCreateHardLink(image, L"third name", L"directory"), E_ACCESSDENIED,
          "a second name for a directory: E_ACCESSDENIED");
    CimCloseImage(image);

    root = mount(IMAGE, &volume);
    compare(root, SAMPLE_FILE, SAMPLE_FILE);
    compare(root, LINK, SAMPLE_FILE);
    file_id(join(root, SAMPLE_FILE), &one);
    file_id(join(root, LINK), &two);
    file_id(join(root, L"empty"), &other);
    ok(!memcmp(one.id, two.id, 16), "both names have the same 128-bit file ID");
    ok(memcmp(one.id, other.id, 16), "another file has another one");
    is_number(two.volume, one.volume, "both names", "volume serial number");
    ok(GetFileAttributesW(join(root, L"third name")) == INVALID_FILE_ATTRIBUTES,
       "what was not committed is not there");
    dismount(root, &volume);
}

/* ---- forking ---- */

static void test_fork(void)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    const WCHAR *root;
    DWORD found, error;
    UUID volume;

    if (!is_hr(CimCreateImage(images(), IMAGE, FORK, &image), S_OK, "a fork")) return;
    is_hr(CimDeletePath(image, SAMPLE_FILE), S_OK, "the file is deleted in it");
    is_hr(CimCommitImage(image), S_OK, "commit of the fork");
    CimCloseImage(image);
    is_hr(CimCreateImage(images(), IMAGE, FORK, &image), HR_EXISTS,
          "a fork of that name: ERROR_FILE_EXISTS");

    root = mount(FORK, &volume);
    SetLastError(ERROR_SUCCESS);
    found = GetFileAttributesW(join(root, SAMPLE_FILE));
    error = GetLastError();
    ok(found == INVALID_FILE_ATTRIBUTES, "the fork: the file is gone");
    is_number(error, ERROR_FILE_NOT_FOUND, "the fork", "and that is ERROR_FILE_NOT_FOUND");
    compare(root, LINK, SAMPLE_FILE);
    compare(root, L"directory\\inside.txt", L"directory\\inside.txt");
    dismount(root, &volume);

    root = mount(IMAGE, &volume);
    compare(root, SAMPLE_FILE, SAMPLE_FILE);
    compare(root, LINK, SAMPLE_FILE);
    dismount(root, &volume);
}

int wmain(int argc, WCHAR **argv)
{
    if (argc != 2)
    {
        printf("Usage: client DIR (an empty directory)\n");
        return 2;
    }
    work = argv[1];
    if (!enable(L"SeSecurityPrivilege") || !enable(L"SeBackupPrivilege"))
        bail("no privilege: not elevated?");
    if (on_wine())
        printf("# Wine limit: security descriptors, reparse data and lists of streams are not "
               "compared on volumes\n");
    make_sources();
    test_pack();
    test_read(SAMPLE_FILE);
    test_read(L"hidden.txt");
    test_mounted();
    test_extend();
    test_fork();
    tell_all(L"sample.cim.json", true);
    tell_all(L"sample.cim_fork.json", false);
    return done();
}
