/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutant.h - a cimfs.dll that is right in all but one thing
 *
 * The suite proves that a DLL is right; the mutants prove that the suite can tell. The DLL of this
 * directory forwards every export to the real one (CIMFS_MUTANT_REAL) and spoils the one behaviour
 * that CIMFS_MUTANT names; without that it spoils nothing. The mutants are a table (mutants.h):
 * each says at which function and under which conditions it does what, and which cases of the suite
 * have to notice.
 *
 * Each call becomes a struct call, so that rules and code see all functions alike. What conditions
 * need to know, the DLL writes down as calls go by (book.c): sessions, streams, and which items a
 * directory's images were given.
 */
#ifndef CIM_MUTANT_H
#define CIM_MUTANT_H

#define CIMFSAPI extern ULONG_PTR WINAPI
#define CIMFSAPI_(type) extern ULONG_PTR WINAPI
#include "../suite/suite.h"

/* ---- calls ---------------------------------------------------------------------------------- */

enum function
{
#define X(result, name, arguments, bytes) F_##name,
    CIM_EXPORTS(X)
#undef X
            FUNCTIONS
};

/* The real DLL's functions, each with its whole return register. */
struct real_api
{
#define X(result, name, arguments, bytes) ULONG_PTR(WINAPI *name) arguments;
    CIM_EXPORTS(X)
#undef X
};
extern struct real_api real;

enum kind
{
    NOTHING,
    DIRECTORY,
    PLAIN,  /* a file, or its stream */
    STREAM, /* an alternate one */
};

/* A call's arguments, those that it has. */
struct call
{
    enum function function;
    CIMFS_IMAGE_HANDLE image;
    CIMFS_STREAM_HANDLE stream;
    PCWSTR dir; /* of images; the image's path for reading */
    PCWSTR existing;
    PCWSTR name; /* a session's new image, a mount's image */
    PCWSTR path;
    PCWSTR target; /* of a link */
    UINT32 flags;
    const CIMFS_FILE_METADATA *metadata;
    UINT64 size; /* of a stream to make, a write, a buffer to read into */
    UINT64 offset;
    const void *data;
    void *buffer;
    void **handle; /* where the new one goes */
    UINT64 *got, *left;
    FILE_STAT_BASIC_INFORMATION *info;
    PBOOLEAN exists;
    const GUID *guid;
    ULONG_PTR (*rest)(const struct call *); /* functions that nothing is known of */
    const void *arguments;
    /* from the book */
    struct session *session;
    struct open_stream *open;
    struct open_stream *other; /* the stream, or the session's, of a handle of the other kind */
};

ULONG_PTR forward(struct call *call); /* to the real DLL */
ULONG_PTR run_call(struct call *call);

/* ---- the book (book.c) ---------------------------------------------------------------------- */

enum mode
{
    FRESH = 1,
    EXTENDS = 2,
    FORKS = 4,
};

struct session
{
    CIMFS_IMAGE_HANDLE handle;
    CIMFS_IMAGE_HANDLE actual; /* what the real DLL knows; most often the same */
    enum mode mode;
    WCHAR *dir, *existing, *name; /* name: the image that the commit makes */
    UINT32 flags;
    bool committed, closed, broken;
    unsigned number; /* counts up */
    struct open_stream *open;
    struct session *next;
};

struct open_stream
{
    CIMFS_STREAM_HANDLE handle;
    struct session *session;
    enum kind kind;
    WCHAR *path;
    UINT64 size, done;
    UINT32 attributes;
    bool closed;
    struct item *item;
    struct open_stream *next;
};

/* An item that images of a directory were given; the newest of a path counts. */
struct item
{
    WCHAR *dir;
    WCHAR *path; /* without a leading separator; "f:s" a stream */
    enum kind kind;
    bool deleted;
    bool is_link;
    unsigned session;
    unsigned file; /* the same for all links of a file */
    UINT32 attributes;
    UINT64 size;
    BYTE data[256]; /* its beginning */
    size_t data_size;
    struct item *next; /* older */
};

struct mount
{
    GUID guid;
    WCHAR *dir, *name;
    bool gone;
    struct mount *next;
};

extern struct session *sessions; /* newest first */
extern struct item *items;       /* newest first */
extern struct mount *mounts;     /* newest first */

void new_book(void);
void look_up(struct call *call);                                    /* fills session and open */
void write_down(struct call *call, HRESULT hr);                     /* after the call */
struct item *find_item(const struct session *session, PCWSTR path); /* live; NULL: not known */
struct mount *find_mount(const GUID *guid); /* that isn't dismounted; NULL: not this process's */
enum kind kind_at(const struct session *session, PCWSTR path);
bool is_below(PCWSTR path, PCWSTR dir); /* really below, or a stream of it */
WCHAR *parent_of(PCWSTR path);          /* "" at the root; the caller's */
PCWSTR plain_path(PCWSTR path);         /* without a leading separator */

/* Of the calls of a directory. */
struct counter
{
    WCHAR *dir;
    LONG count;
    struct counter *next;
};
/* Begins with 1. (A call with neither a session nor a directory counts with all such of the
 * process.) */
LONG count_up(struct counter **counters, const struct call *call);

/* ---- what is spoilt ------------------------------------------------------------------------- */

/* Conditions; of several all must hold, but of those on one line of a group any. */
enum when
{
    /* the session */
    IN_FRESH = 1 << 0,
    IN_EXTENSION = 1 << 1,
    IN_FORK = 1 << 2,
    /* what is made */
    MAKES_DIRECTORY = 1 << 3,
    MAKES_FILE = 1 << 4,
    /* what is at the path already */
    OVER_DIRECTORY = 1 << 5,
    OVER_FILE = 1 << 6,
    /* the path */
    NESTED = 1 << 7,
    NAMES_STREAM = 1 << 8,
    /* the stream that is open, or of the call */
    WITH_FILE = 1 << 9,
    WITH_DIRECTORY = 1 << 10,
    WITH_ALTERNATE = 1 << 11,
    WITHOUT_STREAM = 1 << 12,
    /* the handle */
    NULL_HANDLE = 1 << 13,
    CLOSED = 1 << 14,
    OTHER_KIND = 1 << 17, /* a stream's for an image's, or the reverse */
    NOT_COMMITTED = 1 << 15,
    /* the item that a stream's path names */
    OF_FILE = 1 << 16,
};

#define ON(function) (1u << F_##function)

struct spoil
{
    unsigned on;   /* functions, by ON() */
    unsigned when; /* conditions */
    PCWSTR path;   /* glob for the path, or a session's existing image's name */
    PCWSTR name;   /* glob for the new image's name, a link's target, a mount's image */
    int after;     /* how many times it goes well, in a directory */
    int every;     /* only each so many-th time, in a directory */
    int once;      /* only the first time, in a directory */
    /* one of these */
    enum
    {
        CODE,
        SKIP, /* don't call; answer "to" */
        HIDE, /* the export "text" isn't there */
    } kind;
    HRESULT to;
    ULONG_PTR (*run)(struct call *call);
    /* for the code */
    unsigned number;
    size_t offset;
    PCWSTR text;
};

#define SKIPS(to_) .kind = SKIP, .to = (to_)
#define DOES(function) .kind = CODE, .run = function
#define HIDES(name) .kind = HIDE, .text = name

extern const struct spoil *active; /* by hand, NULL: none */

/* ---- generated mutants, and which case has which (plan.c) ------------------------------------ */

/* The nth call of a function in a case, in one process. */
struct point
{
    enum function function;
    LONG nth;
    enum
    {
        ANSWERED, /* another answer than the call's */
        DROPPED,  /* outputs are as if there were none */
        SKIPPED,  /* not called */
    } kind;
    HRESULT answer;
};
extern const struct point *point; /* NULL: none */

bool load_plan(void);                     /* false: it can't be read, or is wrong */
bool has_plan(void);                      /* or records */
LONG enter_call(const struct call *call); /* settles active and point; which call it is */
void drop_outputs(const struct call *call);
void record(const struct call *call, HRESULT hr);

#define FAILURE(hr) ((ULONG_PTR)(ULONG)(hr))
#define OK(result) ((HRESULT)(result) >= 0)

bool file_there(PCWSTR dir, PCWSTR glob);
bool glob_wide(PCWSTR glob, PCWSTR text); /* without regard to case */
bool applies(const struct call *call);
void *fake_handle(void);

/* code.c, sessions.c, reading.c, mounting.c: see there */
#define C(name) ULONG_PTR name(struct call *call);
#include "code.h"
#undef C

#endif
