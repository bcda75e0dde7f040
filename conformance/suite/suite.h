/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suite.h - what a case of the conformance suite is, and what it may use
 *
 * A case is a function that CASE() names. It drives the cimfs.dll under test through the function
 * pointers in "cim" and says what it saw:
 *
 * - check_*() says what was seen and what must be seen. In a case that is required (provenance
 *   DOC, HEADER, CLIENT; DECISION too when the DLL is ours) a difference fails the case; otherwise
 *   both are recorded and nothing is asserted.
 * - see_*() records a value and asserts nothing: for QUESTION cases, and beside checks.
 * - need_*() is for what must have happened before the case's own subject can be looked at. It
 *   doesn't return if that failed: a required case then fails, another one is "blocked".
 * - skip_case() ends the case as skipped, with the reason.
 *
 * A required case that checks nothing and an observing one that records nothing are failures: no
 * case can pass by doing nothing. Names of values are unique within a case and never change: two
 * runs are compared by them. Values must not depend on the run (no times, no GUIDs, no paths of
 * this machine), or the comparison shows what is no difference.
 *
 * A case that crashes or hangs fails; one that only observes a foreign DLL has observed that.
 *
 * How a case is run: the program starts itself as a worker, which loads the DLL and runs one case
 * after the other, reporting through a pipe (worker.c, run.c). A worker that crashes or hangs costs
 * its case; the next worker goes on with the next one. So a case needs no care for what follows,
 * but state may be left over from earlier cases of the same worker only in the DLL itself: every
 * case has a new empty directory, and what it mounted is dismounted after it.
 *
 * check_*(), see_*(), need_*() and skip_case() belong to the case's own thread.
 */
#ifndef CIM_SUITE_H
#define CIM_SUITE_H

#include "cimfs.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(string, first) __attribute__((format(gnu_printf, string, first)))

/* ---- cases ------------------------------------------------------------------------------- */

/* Where the statement of a case comes from; this decides whether it is required. */
enum provenance
{
    DOC,      /* a page of Microsoft's documentation: source names the page */
    HEADER,   /* a public SDK header: source names the generation */
    CLIENT,   /* a Microsoft client, sample or test relies on it: source names it */
    DECISION, /* nobody says; decisions.md does: source is its number, "D12" */
    QUESTION, /* nobody knows; source is its number in evidence.md, "Q-12", or who reported it */
};

enum
{
    NEEDS_MOUNT = 1,    /* the right to mount: skipped with --no-mount and without elevation */
    NEEDS_ELEVATED = 2, /* an administrator's token, for another reason */
    ONLY_WINDOWS = 4,   /* what Wine has not at all (skipped there); the reason is in the source */
    MAY_BREAK_DLL = 8,  /* closed or invented handles, which a DLL may read through: the worker
                         * ends behind such a case, so that no other one pays for it */
};

struct suite_case
{
    const char *id; /* "CreateFile/ParentMissing": group/name, never changes */
    enum provenance provenance;
    const char *source;
    const char *statement; /* one line */
    unsigned needs;
    void (*run)(void);
    const char *file;
    int line;
    struct suite_case *next;
};

void suite_add_case(struct suite_case *entry);

/* CASE(function, id, provenance, source, needs, statement) { ... } */
#define CASE(function, id_, provenance_, source_, needs_, statement_)                              \
    static void function(void);                                                                    \
    __attribute__((constructor)) static void function##_entry(void)                                \
    {                                                                                              \
        static struct suite_case entry = {.id = (id_),                                             \
                                          .provenance = (provenance_),                             \
                                          .source = (source_),                                     \
                                          .statement = (statement_),                               \
                                          .needs = (needs_),                                       \
                                          .run = function,                                         \
                                          .file = __FILE__,                                        \
                                          .line = __LINE__};                                       \
        suite_add_case(&entry);                                                                    \
    }                                                                                              \
    static void function(void)

/* A case that is given a session: "image" is that of a new "a.cim" in the case's directory. */
#define FRESH_CASE(function, ...)                                                                  \
    static void function(CIMFS_IMAGE_HANDLE image);                                                \
    CASE(function##_case, __VA_ARGS__)                                                             \
    {                                                                                              \
        function(open_image(case_dir(), NULL, L"a.cim"));                                          \
    }                                                                                              \
    static void function(CIMFS_IMAGE_HANDLE image)

/* A case that is one call of what several cases do: for each kind of session, say. */
#define CASE_CALL(function, id, provenance, source, needs, statement, call)                        \
    CASE(function, id, provenance, source, needs, statement)                                       \
    {                                                                                              \
        call;                                                                                      \
    }

/* ---- the DLL under test ------------------------------------------------------------------- */

/*
 * Every export by its name without "Cim": cim.CreateImage(dir, NULL, L"a.cim", &image). One that
 * the DLL doesn't have ends the case as skipped when it is called; call has_export() first where a
 * thread or a child makes the call.
 */
#define CIM_EXPORTS(X)                                                                             \
    X(HRESULT, CreateImage, (PCWSTR, PCWSTR, PCWSTR, CIMFS_IMAGE_HANDLE *), 16)                    \
    X(HRESULT, CreateImage2,                                                                       \
      (PCWSTR, CIM_CREATE_IMAGE_FLAGS, PCWSTR, PCWSTR, CIMFS_IMAGE_HANDLE *), 20)                  \
    X(void, CloseImage, (CIMFS_IMAGE_HANDLE), 4)                                                   \
    X(HRESULT, CommitImage, (CIMFS_IMAGE_HANDLE), 4)                                               \
    X(HRESULT, CreateFile,                                                                         \
      (CIMFS_IMAGE_HANDLE, PCWSTR, const CIMFS_FILE_METADATA *, CIMFS_STREAM_HANDLE *), 16)        \
    X(HRESULT, CreateAlternateStream, (CIMFS_IMAGE_HANDLE, PCWSTR, UINT64, CIMFS_STREAM_HANDLE *), \
      20)                                                                                          \
    X(HRESULT, CreateHardLink, (CIMFS_IMAGE_HANDLE, PCWSTR, PCWSTR), 12)                           \
    X(HRESULT, WriteStream, (CIMFS_STREAM_HANDLE, const void *, UINT32), 12)                       \
    X(void, CloseStream, (CIMFS_STREAM_HANDLE), 4)                                                 \
    X(HRESULT, DeletePath, (CIMFS_IMAGE_HANDLE, PCWSTR), 8)                                        \
    X(HRESULT, MountImage, (PCWSTR, PCWSTR, CIM_MOUNT_IMAGE_FLAGS, const GUID *), 16)              \
    X(HRESULT, DismountImage, (const GUID *), 4)                                                   \
    X(HRESULT, ReadFile, (PCWSTR, PCWSTR, UINT64, void *, UINT64, UINT64 *, UINT64 *), 36)         \
    X(HRESULT, GetFileStatBasicInformation, (PCWSTR, PCWSTR, FILE_STAT_BASIC_INFORMATION *), 12)   \
    X(HRESULT, ConvertBlockImage, (PCWSTR, PCWSTR, PCWSTR), 12)                                    \
    X(HRESULT, AddFsToMergedImage, (CIMFS_IMAGE_HANDLE, PCWSTR), 8)                                \
    X(HRESULT, CreateMergedFile, (CIMFS_IMAGE_HANDLE, PCWSTR, PVOID, PVOID, UINT16), 20)           \
    X(HRESULT, LookupFile, (CIMFS_IMAGE_HANDLE, PCWSTR, PBOOLEAN), 12)                             \
    X(HRESULT, MergeMountImage, (UINT32, const CimFsImagePath *, UINT32, const GUID *), 16)        \
    X(HRESULT, AddFsToMergedImage2, (CIMFS_IMAGE_HANDLE, PCWSTR, UINT32), 12)                      \
    X(HRESULT, TombstoneFile, (CIMFS_IMAGE_HANDLE, PCWSTR), 8)                                     \
    X(HRESULT, CreateMergeLink, (CIMFS_IMAGE_HANDLE, PCWSTR, PCWSTR), 12)                          \
    X(HRESULT, SealImage, (PCWSTR, UINT64 *, UINT64 *, BYTE *), 16)                                \
    X(HRESULT, GetVerificationInformation,                                                         \
      (PCWSTR, UINT32 *, UINT64 *, UINT64 *, UINT64 *, BYTE *, BYTE *), 28)                        \
    X(HRESULT, MountVerifiedImage, (PCWSTR, PCWSTR, UINT32, const GUID *, UINT16, const BYTE *),   \
      24)                                                                                          \
    X(HRESULT, MergeMountVerifiedImage,                                                            \
      (UINT32, const CimFsImagePath *, UINT32, const GUID *, UINT16, const BYTE *), 24)            \
    X(HRESULT, ReadFile2, (PCWSTR, PCWSTR, UINT64, void *, UINT64, UINT64 *, UINT64 *, UINT32),    \
      40)                                                                                          \
    X(HRESULT, GetFileStatBasicInformation2,                                                       \
      (PCWSTR, PCWSTR, FILE_STAT_BASIC_INFORMATION *, UINT32), 16)

struct cim_api
{
#define X(result, name, arguments, bytes) result(WINAPI *name) arguments;
    CIM_EXPORTS(X)
#undef X
};

extern struct cim_api cim;

bool has_export(const char *name); /* "CimReadFile" */
FARPROC raw_export(
        const char *name); /* for calls with another prototype; skips the case if absent */

/* What is under test and where. */
extern struct suite_facts
{
    bool ours;                /* the DLL says it is this project's */
    bool wine;                /* and this is Wine */
    unsigned wine_version;    /* its WINE_VERSION(), the newest if it doesn't say; 0: none */
    bool elevated;            /* an administrator's token; not asked under Wine */
    bool no_mount;            /* --no-mount */
    const WCHAR *export_to;   /* --export's directory, or NULL */
    const WCHAR *import_from; /* --import's directory, or NULL */
    HMODULE dll;
    WCHAR dll_path[MAX_PATH];
} facts;

/* ---- results ------------------------------------------------------------------------------ */

void see_hr(const char *name, HRESULT hr);
void see_number(const char *name, uint64_t value);
void see_bool(const char *name, bool value);
const char *narrow(const WCHAR *text); /* ASCII, other units as <xxxx>; one of two buffers */
void see_error(const char *name, DWORD error); /* a Win32 error, with its name where it is known */
void see_text(const char *name, const char *format, ...) PRINTF_LIKE(2, 3);
void see_wide(const char *name, const WCHAR *text);
void see_bytes(const char *name, const void *data, size_t size); /* up to 64, and a checksum */

/* Each answers whether it was as wanted, in any kind of case. */
bool check_hr(const char *name, HRESULT got, HRESULT want);
bool check_number(const char *name, uint64_t got, uint64_t want);
bool check_hex(const char *name, uint64_t got, uint64_t want);
bool check_error(const char *name, DWORD got, DWORD want);
bool check_bool(const char *name, bool got, bool want);
bool check_text(const char *name, const char *got, const char *want);
bool check_wide(const char *name, const WCHAR *got, const WCHAR *want);
bool check_bytes(const char *name, const void *got, size_t got_size, const void *want,
                 size_t want_size);
/* One of several answers is right, "count" HRESULTs follow. */
bool check_hr_in(const char *name, HRESULT got, int count, ...);

void need_hr(const char *what, HRESULT hr); /* S_OK, or the case ends */
void need(bool condition, const char *format, ...) PRINTF_LIKE(2, 3);
_Noreturn void skip_case(const char *format, ...) PRINTF_LIKE(1, 2);
void note(const char *format, ...) PRINTF_LIKE(1, 2); /* for the reader; never compared */
bool case_is_required(void);                          /* what check_*() assert now */

/* ---- HRESULTs by short names -------------------------------------------------------------- */

#define HR_WIN32(code) ((HRESULT)(0x80070000u | (code)))
#define HR_FILE_NOT_FOUND HR_WIN32(ERROR_FILE_NOT_FOUND)
#define HR_PATH_NOT_FOUND HR_WIN32(ERROR_PATH_NOT_FOUND)
#define HR_SHARING HR_WIN32(ERROR_SHARING_VIOLATION)
#define HR_FILE_EXISTS HR_WIN32(ERROR_FILE_EXISTS)
#define HR_ALREADY_EXISTS HR_WIN32(ERROR_ALREADY_EXISTS)
#define HR_EOF HR_WIN32(ERROR_HANDLE_EOF)
#define HR_CORRUPT HR_WIN32(ERROR_CIMFS_IMAGE_CORRUPT)
#define HR_VERSION HR_WIN32(ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED)
#define HR_NOT_SUPPORTED HR_WIN32(ERROR_NOT_SUPPORTED)
#define HR_DISK_FULL HR_WIN32(ERROR_DISK_FULL)
#define HR_LIMIT HR_WIN32(665) /* ERROR_FILE_SYSTEM_LIMITATION, not in every header */

/* ---- kit.c: the everyday work of cases ------------------------------------------------------ */
/* Strings and buffers that these answer are the kit's. Those of join(), format_wide() and
 * volume_root() are reused after 16 calls; those of case_dir(), new_dir() and mount_image() last.
 */

const WCHAR *case_dir(void);             /* the case's own directory, empty at first */
const WCHAR *new_dir(const WCHAR *name); /* a new one below it */
const WCHAR *join(const WCHAR *dir, const WCHAR *name);
const WCHAR *format_wide(const WCHAR *format, ...);
bool file_exists(const WCHAR *dir, const WCHAR *name);
int count_files(const WCHAR *dir, const WCHAR *pattern); /* files, not directories */
/* The names in a directory that are there now, sorted, GUIDs replaced by "<guid1>", "<guid2>" and
 * hexadecimal runs of 8 and more by "<hex>": comparable between runs. Within a case a GUID keeps
 * its number; those that appear together are numbered by the names that hold them. */
const char *list_files(const WCHAR *dir);
void *load_file(const WCHAR *path, size_t *size); /* a host file, NUL behind it; NULL: not there */
void save_file(const WCHAR *path, const void *data, size_t size);
void copy_files(const WCHAR *from, const WCHAR *to); /* its files; "to" is there */
/* DeleteFile with patience: for up to 3 s a virus scanner may hold what was just written. */
bool remove_file(const WCHAR *path);
uint32_t fnv32(const void *data, size_t size);
/* The same bytes for the same seed, everywhere. */
void fill_bytes(void *data, size_t size, uint32_t seed);

/* Skips the case where less is free on the disk: for what a DLL may really write. */
void need_room(unsigned mib);

/* Sessions. All need S_OK. */
CIMFS_IMAGE_HANDLE open_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name);
void commit(CIMFS_IMAGE_HANDLE image);      /* CimCommitImage */
void close_image(CIMFS_IMAGE_HANDLE image); /* CimCloseImage, without a commit before */
void commit_and_close(CIMFS_IMAGE_HANDLE image);
/* A whole session, which puts one file. */
void write_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name, const WCHAR *path,
                 const char *text);
/* Closed by the framework if the case ends before: streams first, then images. open_image() does
 * it by itself, direct calls of cim.CreateImage may. */
void track_image(CIMFS_IMAGE_HANDLE image);
void untrack_image(CIMFS_IMAGE_HANDLE image);
/* The same for a stream that the case opened by itself; close_stream() is for such ones. */
void track_stream(CIMFS_STREAM_HANDLE stream);
void close_stream(CIMFS_STREAM_HANDLE stream);

/* Metadata that nothing objects to: the attributes and size, four different fixed times, the
 * 20-byte NULL-DACL descriptor, no reparse data, no EAs. */
extern const BYTE null_dacl_sd[20];
#define TIME_CREATION 132223104000000001ll /* 2020-01-01 and so on, odd 100 ns */
#define TIME_WRITE 132539328000000003ll
#define TIME_CHANGE 132854688000000005ll
#define TIME_ACCESS 133170048000000007ll
CIMFS_FILE_METADATA *meta(UINT32 attributes, INT64 size); /* one of 8 buffers, in turn */

/* Add an item and write it whole. All need S_OK. */
void put_dir(CIMFS_IMAGE_HANDLE image, const WCHAR *path);
void put_file(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const void *data, size_t size);
void put_text(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const char *text);
void put_item(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const CIMFS_FILE_METADATA *metadata,
              const void *data, size_t size);
void put_stream(CIMFS_IMAGE_HANDLE image, const WCHAR *path, const void *data, size_t size);
void put_link(CIMFS_IMAGE_HANDLE image, const WCHAR *new_path, const WCHAR *existing);
/* The call's answer, its session or stream closed at once; nothing is needed. */
HRESULT try_image(const WCHAR *dir, const WCHAR *existing, const WCHAR *new_name);
HRESULT try_create_file(CIMFS_IMAGE_HANDLE image, const WCHAR *path,
                        const CIMFS_FILE_METADATA *metadata);
HRESULT try_create_stream(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT64 size);
/* dir "d", files "d\inner.txt" ("inner"), "file.txt" ("hello") with stream "s" ("stream"), "empty":
 * committed as "base.cim" in the directory. */
void make_base(const WCHAR *dir);

/* CimGetFileStatBasicInformation, its output filled with other bytes before. */
HRESULT stat_image(const WCHAR *image, const WCHAR *path, FILE_STAT_BASIC_INFORMATION *info);

/* What an image holds after its commit, by CimGetFileStatBasicInformation and CimReadFile, or, if
 * the DLL has not these, through a mount (mounted for the case, at the first need). */
HRESULT stored_stat(const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                    FILE_STAT_BASIC_INFORMATION *info);
/* The bytes (NUL behind them), NULL if it can't be read: *hr says why. "f:s" is a stream. */
void *stored_data(const WCHAR *dir, const WCHAR *image, const WCHAR *path, size_t *size,
                  HRESULT *hr);
bool stored_exists(const WCHAR *dir, const WCHAR *image, const WCHAR *path);
/* check_*() of the above: NAME is the value's name. */
bool check_stored(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                  const void *data, size_t size);
bool check_stored_text(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                       const char *text);
bool check_exists(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path,
                  bool want);
void see_stored(const char *name, const WCHAR *dir, const WCHAR *image, const WCHAR *path);

/* Mounting: in cases with NEEDS_MOUNT. mount_image() needs S_OK and answers the volume's root,
 * "\\?\Volume{...}\". What a case leaves mounted is dismounted after it. */
const WCHAR *mount_image(const WCHAR *dir, const WCHAR *image);
const WCHAR *volume_root(const GUID *guid);
void new_guid(GUID *guid);
/* For CimMountImage called directly: before it, so that the framework dismounts even if the case
 * is stopped meanwhile; untrack_mount() if it failed. */
void track_mount(const GUID *guid);
void untrack_mount(const GUID *guid);
void dismount(const WCHAR *root); /* what mount_image() answered; needs S_OK */

/* A block device of so many zeros that the case may write on, "\\\\.\\PhysicalDriveN"; skips the
 * case where there is none. All bytes of the first, second, ... that the case asked for, to read
 * (malloc'd; NULL if that fails) and to write from the first one on. */
const WCHAR *new_device(size_t size);
void *load_device(unsigned index, size_t *size);
void save_device(unsigned index, const void *data, size_t size);

/* A file on a volume or the host: whole content, NULL if it can't be opened (*error says why). */
void *read_file(const WCHAR *path, size_t *size, DWORD *error);

/* ---- other processes ------------------------------------------------------------------------ */

/*
 * ROLE(function, "name") { ... } is code that another process of this program runs, started by
 * peer_start("name", arguments). It may use cim (loaded from the same DLL) and the kit's path
 * functions, and talks to the case by lines: peer_say() there, peer_hear() here; peer_tell() here,
 * role_hear() there. It must not check_*().
 */
struct suite_role
{
    const char *name;
    int (*run)(int argc, WCHAR **argv);
    struct suite_role *next;
};

void suite_add_role(struct suite_role *entry);

#define ROLE(function, name_)                                                                      \
    static int function(int argc, WCHAR **argv);                                                   \
    __attribute__((constructor)) static void function##_entry(void)                                \
    {                                                                                              \
        static struct suite_role entry = {.name = (name_), .run = function};                       \
        suite_add_role(&entry);                                                                    \
    }                                                                                              \
    static int function(int argc, WCHAR **argv)

struct peer;

/* argv is NULL-terminated. The peer is ended with the case. */
struct peer *peer_start(const char *role, const WCHAR *const *argv);
const char *peer_hear(struct peer *peer); /* the next line, NULL at its end or after 30 s */
HRESULT peer_hear_hr(struct peer *peer);  /* a line that peer_say_hr() wrote; needs one */
void peer_tell(struct peer *peer, const char *line);
int peer_end(struct peer *peer);   /* waits; the exit status */
void peer_kill(struct peer *peer); /* ends it as a crash would */

void peer_say(const char *format, ...) PRINTF_LIKE(1, 2);
void peer_say_hr(HRESULT hr);
const char *role_hear(void); /* NULL when the case is gone */

/* ---- Wine's limits ----------------------------------------------------------------------------
 */

#define WINE_VERSION(major, minor) ((major)*1000u + (minor))
/* The reason why a required case can't hold under this Wine whatever the DLL does, or NULL. (On
 * Windows: under any.) */
const char *wine_limit(const char *id);

#endif
