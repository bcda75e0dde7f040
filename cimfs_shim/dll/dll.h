/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dll.h - what the files of cimfs.dll share
 *
 * The DLL is a thin skin over libcim.h: exports check their arguments, turn a handle into an
 * object (handle.c), call libcim, turn its status into an HRESULT (status.c) and, if somebody
 * asked, write a line of trace (trace.c). It knows nothing of the format.
 *
 * cimfs.dll and cimwriter.dll are the same objects with different lists of exports.
 */
#ifndef CIM_DLL_H
#define CIM_DLL_H

/*
 * Every export answers in a whole register: clients import some of them as returning 64 bits, and
 * read the two void ones as if they returned an HRESULT (decision D34). So cimfs.h's declarations
 * are seen here with ULONG_PTR as return type, whose arguments the compiler checks all the same.
 */
#define CIMFSAPI extern ULONG_PTR WINAPI
#define CIMFSAPI_(type) extern ULONG_PTR WINAPI

#include "cimfs.h"
#include "libcim_advanced.h"
#include "libcim_env.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* An HRESULT as an export returns it: the upper half is always clear. */
#define RETURN_HRESULT(hr) return (ULONG_PTR)(ULONG)(hr)

#define CIM_PRINTF(fmt, args) __attribute__((format(__MINGW_PRINTF_FORMAT, fmt, args)))

/* ---- where.c ---- */

enum place
{
    IN_DIRECTORY,
    IN_FILE,
    IN_DEVICE,
};

/* Is it such a place's path? CIM_E_INVALID if not. */
enum cim_status place_check(enum place place, PCWSTR path, struct cim_error *err);
/* The default environment, in which images lie in such places only. */
const struct cim_env *place_env(enum place place, struct cim_env *env, struct cim_vfs *vfs);
/* DIR, the separator and NAME; to be freed, NULL if out of memory. */
char *join_path(const char *dir, char separator, const char *name);
/* The path that libcim has for an image; to be freed, NULL if out of memory. */
char *image_path(PCWSTR dir, PCWSTR name);
/* cim_container_get_info() of a Windows path. */
enum cim_status container_info(const struct cim_env *env, PCWSTR path,
                               struct cim_container_info *info, struct cim_error *err);

/* ---- find.c ---- */

/* What is to be mounted. */
struct mount
{
    UINT32 count; /* an image; or a merged one, and those that it was made of */
    const CimFsImagePath *images;
    enum place place;
    bool merges, attests;
    const BYTE *hash; /* of CIM_ROOT_HASH bytes; NULL: none is known */
};

/* The Unix paths of the images, each to be freed, also after a failure; NULLs before. */
enum cim_status find_images(const struct mount *mount, char **unix_paths, struct cim_error *err);

/* ---- handle.c ---- */

enum object_kind
{
    OBJECT_IMAGE = 1,
    OBJECT_STREAM = 2,
};

/* What a handle stands for. Counted: the table holds one reference, each running call another,
 * and a stream one of its image, so that either may be closed first. */
struct object
{
    LONG refs;
    enum object_kind kind;
    struct cim_writer *writer; /* an image's */
    enum place place;          /* an image's */
    struct cim_stream *stream; /* a stream's */
    struct object *image;      /* a stream's */
};

/*
 * Make an object and a handle that nobody can use yet, so that the call that fills the object in
 * can't be followed by a failure. handle_publish() then makes the handle valid, handle_cancel()
 * frees both. false: out of memory.
 */
bool handle_reserve(enum object_kind kind, struct object **object, ULONG_PTR *handle);
void handle_publish(ULONG_PTR handle);
void handle_cancel(ULONG_PTR handle);
/* The object of a valid handle of that kind, referenced; or NULL. */
struct object *handle_get(ULONG_PTR handle, enum object_kind kind);
void object_ref(struct object *object);
void object_unref(struct object *object);
/* Make a handle invalid and drop the table's reference; false if it was not valid. */
bool handle_close(ULONG_PTR handle, enum object_kind kind);
/* The same for all handles there are: the DLL is being unloaded. */
void handle_close_all(void);

/* ---- write.c ---- */

/* An open image, referenced; NULL: the handle is none's, which is CIM_E_INVALID. */
struct object *image_get(CIMFS_IMAGE_HANDLE handle, struct cim_error *err);
/* An argument that is a path: CIM_E_INVALID if it is NULL. */
enum cim_status check_path(PCWSTR path, struct cim_error *err);
/* A whole call of a session that takes the handle and a path or two, and nothing else. */
typedef enum cim_status path_call(struct cim_writer *writer, struct cim_str path,
                                  struct cim_error *err);
enum cim_status call_with_path(CIMFS_IMAGE_HANDLE handle, PCWSTR path, path_call *call,
                               struct cim_error *err);
typedef enum cim_status paths_call(struct cim_writer *writer, struct cim_str path,
                                   struct cim_str existing, struct cim_error *err);
enum cim_status call_with_paths(CIMFS_IMAGE_HANDLE handle, PCWSTR path, PCWSTR existing,
                                paths_call *call, struct cim_error *err);

/* ---- status.c ---- */

/* The one map from libcim's statuses to HRESULTs; @err: the detail, for CIM_E_IO. */
HRESULT hresult_from_status(enum cim_status status, const struct cim_error *err);
/* Begin a call's error record: no detail yet. */
void error_init(struct cim_error *err);
/* A failure that the DLL itself finds: keeps the cause for the trace. Returns @status. */
enum cim_status fail(struct cim_error *err, enum cim_status status, const char *cause, ...)
        CIM_PRINTF(3, 4);

/* ---- text.c ---- */

/* A UTF-16 string as WTF-8, to be freed with free(); NULL if out of memory. */
char *wtf8_from_wide(PCWSTR text);
/* UTF-8 that may have been cut: what is there of a last character that isn't whole goes. */
void end_at_character(char *text);
/* A variable's value, to be freed with free(); NULL if there is none or it is empty. */
WCHAR *get_environment(PCWSTR name);
/* A name for a temporary file that no other call gets, in @path of TEMP_ROOM units. */
#define TEMP_ROOM (MAX_PATH + 80)
bool temp_name(PCWSTR suffix, WCHAR *path);
/* The text of a file, cut if it doesn't fit; false: there is no such file. */
bool read_small_file(PCWSTR path, char *text, DWORD size);

/* ---- wine.c ---- */

/* Is this Wine, where native programs can be run? */
bool wine_present(void);
/* The Unix path of a file, in Unix' bytes, to be freed with free(); NULL if it has none. */
char *wine_unix_path(PCWSTR path);
/* The prefix's directory of devices, in which drives and volumes are links; as above. */
char *wine_dosdevices(void);
/* The form in which this Wine wants reparse points, as the helper names it (decision D50). */
const char *wine_reparse_form(void);
/* Run a native program and wait for it: its exit code, or -1 if it can't be started. */
int wine_run(char *const argv[]);

/* ---- prefix.c ---- */

/*
 * What wine_dosdevices() answers, from WINECONFIGDIR (NULL: there is no such variable), a function
 * that answers as wine_unix_path() and one that says whether a Unix directory exists.
 */
char *find_dosdevices(PCWSTR config_dir, char *(*unix_path)(PCWSTR path),
                      bool (*exists)(const char *path));

/* ---- helper.c ---- */

#define HELPER_ANSWER 480

/* Run the mount helper with @args (NULL at the end), to which the devices' directory is added.
 * @answer, of HELPER_ANSWER bytes, receives the line that it answers. */
enum cim_status helper_run(const char *dosdevices, const char *const args[], char *answer,
                           struct cim_error *err);

/* ---- letter.c ---- */

/* Give a volume a drive letter, if one is wanted and free; returns it, 0 for none. */
WCHAR letter_give(const char *dosdevices, const char *guid);
/* Take a volume's letter away, if it has one. */
void letter_take(const char *dosdevices, const char *guid);

/* ---- trace.c ---- */

/* Room for one string in a trace line; a longer one is cut and ends in "...". */
#define TRACE_TEXT 1100

struct trace_text
{
    char text[TRACE_TEXT];
};

/* Is a call that came to @hr to be traced? Only then its line need be made up. */
bool trace_wanted(HRESULT hr);
/* Write one line: the call, its result and, for a failure, the detail in @err. */
void trace_call(HRESULT hr, const struct cim_error *err, const char *fmt, ...) CIM_PRINTF(3, 4);
/* Write a line that belongs to no result: something the user of a program should know. */
void trace_note(const char *fmt, ...) CIM_PRINTF(1, 2);
/* The same, of a session in @path, if its file system has no locks (D54). */
void note_unlocked(bool unlocked, PCWSTR path);
/* A string in quotes, (null) for NULL; returns text->text. */
const char *trace_str(struct trace_text *text, PCWSTR s);
const char *trace_guid(struct trace_text *text, const GUID *guid);
/* Close what trace_call() opened: the DLL is being unloaded. */
void trace_close(void);

/* TRACE(hr, err, format, ...): evaluates its arguments only if the line is wanted. */
#define TRACE(hr, err, ...)                                                                        \
    do                                                                                             \
    {                                                                                              \
        if (trace_wanted(hr)) trace_call(hr, err, __VA_ARGS__);                                    \
    } while (0)
/* A string argument of TRACE(). */
#define T(s) trace_str(&(struct trace_text){{0}}, s)
#define TGUID(g) trace_guid(&(struct trace_text){{0}}, g)

#endif
