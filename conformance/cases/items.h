/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * items.h - what the cases about files, streams, links and deletion share
 *
 * Most of them make an image "a.cim" in the case's directory, do one thing, and look at what the
 * image holds. Many behaviours must be the same whether the items were made in the same session or
 * inherited: their code takes a "session" and calls reopen() between making the items and the
 * thing of interest.
 */
#ifndef CIM_CASES_ITEMS_H
#define CIM_CASES_ITEMS_H

#include "../suite/suite.h"

#define IMAGE L"a.cim"

enum session
{
    SAME,   /* the session that made the items */
    EXTEND, /* a later one that extends the image */
    FORK,   /* a later one that forks it to "fork.cim" */
};

static inline CIMFS_IMAGE_HANDLE fresh(void)
{
    return open_image(case_dir(), NULL, IMAGE);
}

static inline CIMFS_IMAGE_HANDLE reopen(CIMFS_IMAGE_HANDLE image, enum session session)
{
    if (session == SAME) return image;
    commit_and_close(image);
    return open_image(case_dir(), IMAGE, session == FORK ? L"fork.cim" : NULL);
}

/* The image that the session's commit makes. */
static inline const WCHAR *made_by(enum session session)
{
    return session == FORK ? L"fork.cim" : IMAGE;
}

/* What the image of the session holds. */
static inline void text_in(enum session session, const char *name, const WCHAR *path,
                           const char *text)
{
    check_stored_text(name, case_dir(), made_by(session), path, text);
}

static inline void there_in(enum session session, const char *name, const WCHAR *path, bool want)
{
    check_exists(name, case_dir(), made_by(session), path, want);
}

/* The same of "a.cim". */
static inline void holds(const char *name, const WCHAR *path, const char *text)
{
    text_in(SAME, name, path, text);
}

static inline void there(const char *name, const WCHAR *path)
{
    there_in(SAME, name, path, true);
}

static inline void gone(const char *name, const WCHAR *path)
{
    there_in(SAME, name, path, false);
}

/* S_OK is needed, and a handle; to be closed by close_stream(). */
static inline CIMFS_STREAM_HANDLE open_file(CIMFS_IMAGE_HANDLE image, const WCHAR *path, INT64 size)
{
    CIMFS_STREAM_HANDLE stream = NULL;

    need_hr("CimCreateFile", cim.CreateFile(image, path, meta(0, size), &stream));
    need(stream != NULL, "CimCreateFile gave no handle");
    track_stream(stream);
    return stream;
}

static inline CIMFS_STREAM_HANDLE open_alternate(CIMFS_IMAGE_HANDLE image, const WCHAR *path,
                                                 UINT64 size)
{
    CIMFS_STREAM_HANDLE stream = NULL;

    need_hr("CimCreateAlternateStream", cim.CreateAlternateStream(image, path, size, &stream));
    need(stream != NULL, "CimCreateAlternateStream gave no handle");
    track_stream(stream);
    return stream;
}

/* The item must be there. */
static inline FILE_STAT_BASIC_INFORMATION stat_of(const WCHAR *image, const WCHAR *path)
{
    FILE_STAT_BASIC_INFORMATION info;

    need_hr("an item's stat", stored_stat(case_dir(), image, path, &info));
    return info;
}

static inline UINT32 attributes_of(const WCHAR *image, const WCHAR *path)
{
    return stat_of(image, path).FileAttributes;
}

static inline INT64 size_of(const WCHAR *image, const WCHAR *path)
{
    return stat_of(image, path).EndOfFile.QuadPart;
}

static inline INT64 id_of(const WCHAR *image, const WCHAR *path)
{
    return stat_of(image, path).FileId.QuadPart;
}

#endif
