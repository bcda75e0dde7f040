/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest.h - what a set of images holds, as a text that travels with it
 *
 * cimfs-conformance --export writes it from what it asked the DLL to store, not from what it reads
 * back; --import, and cimtool verify --manifest on Linux, compare images with it. The format, of
 * lines of fields separated by tabs:
 *
 *   cimfs-manifest 1
 *   image     NAME                     what follows is in this image, and nothing else
 *   directory PATH attributes=HEX created=N written=N changed=N accessed=N
 *             [security=HEX] [ea=HEX] [reparse=HEX]
 *   file      PATH (the same) size=N data=FNV
 *   stream    PATH name=NAME size=N data=FNV      an alternate stream of the item at PATH
 *   link      PATH to=PATH                         one more name of a file told before
 *
 * PATH begins with '/' and has '/' between its components; "/" is the root, whose line may be
 * missing: then nothing is said of its metadata. In PATH and NAME units outside ASCII's printable
 * characters, and '%', are %XXXX. Times are FILETIMEs. attributes has READONLY, HIDDEN, SYSTEM,
 * ARCHIVE and SPARSE_FILE only. FNV is the 64-bit FNV-1a hash as 16 digits, or "zeros": all of it
 * is zero and perhaps too large to be read.
 */
#ifndef CIM_CASES_MANIFEST_H
#define CIM_CASES_MANIFEST_H

#include "../suite/suite.h"

#define MANIFEST_NAME L"manifest.txt"
#define MANIFEST_ATTRIBUTES                                                                        \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |                     \
     FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_SPARSE_FILE)

enum entry_kind
{
    ENTRY_DIRECTORY,
    ENTRY_FILE,
    ENTRY_STREAM,
    ENTRY_LINK,
};

struct blob
{
    BYTE *data; /* NULL: none, or nothing is said */
    UINT32 size;
};

struct entry
{
    enum entry_kind kind;
    WCHAR *path;  /* relative, with '\\'; "" is the root */
    WCHAR *other; /* a stream's name, a link's target */
    UINT32 attributes;
    INT64 times[4]; /* created, written, changed, accessed */
    UINT64 size;
    UINT64 fnv;
    bool zeros;
    struct blob security, ea, reparse;
    struct entry *next;
};

struct tree /* what one image holds */
{
    WCHAR *image;
    struct entry *entries; /* in the order of the manifest */
    struct tree *next;
};

UINT64 fnv64(const void *data, size_t size);

/* Memory is lost with the process: a worker makes a few trees. */
struct tree *tree_new(const WCHAR *image);
struct tree *tree_copy(const struct tree *tree, const WCHAR *image);
struct entry *tree_add(struct tree *tree, enum entry_kind kind, const WCHAR *path,
                       const WCHAR *other);
/* The item itself, not its streams; NULL if there is none. */
struct entry *tree_find(struct tree *tree, const WCHAR *path);
/* With all below it and its streams. A link's file stays under its first other name. */
void tree_remove(struct tree *tree, const WCHAR *path);

/* The manifest of a directory with this tree added behind what is there; false if it can't be. */
bool manifest_append(const WCHAR *dir, const struct tree *tree);
/* All trees of a directory's manifest; needs it to be there and right. */
struct tree *manifest_load(const WCHAR *dir);

#endif
