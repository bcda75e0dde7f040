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
 *             [container=FILE]         it is in this container, which lies beside the manifest
 *             [root=HEX]               which is sealed, and this is its root hash
 *             [sealed=FILE]            sealed, the container has the bytes of this one
 *             [again=1]                its sources, merged consistently, make this container again
 *   source    NAME [container=FILE]    the last image is merged of these, topmost first
 *   directory PATH attributes=HEX created=N written=N changed=N accessed=N
 *             [security=HEX] [ea=HEX] [reparse=HEX] [mark=opaque]
 *   file      PATH (the same) size=N data=FNV
 *   stream    PATH name=NAME size=N data=FNV      an alternate stream of the item at PATH
 *   link      PATH to=PATH                         one more name of a file told before
 *   tombstone PATH, merge-link PATH to=PATH        what whoever merges images finds; no item
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
    ENTRY_TOMBSTONE,
    ENTRY_MERGE_LINK,
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
    WCHAR *other; /* a stream's name, a target */
    UINT32 attributes;
    INT64 times[4]; /* created, written, changed, accessed */
    UINT64 size;
    UINT64 fnv;
    bool zeros;
    bool opaque;
    struct blob security, ea, reparse;
    struct entry *next;
};

struct source /* of a merged image */
{
    WCHAR *image, *container; /* NULL: in the directory */
    struct source *next;
};

struct tree /* what one image holds */
{
    WCHAR *image, *container;
    struct blob root; /* hash */
    WCHAR *sealed;
    bool again;
    struct source *sources;
    struct entry *entries; /* in the order of the manifest */
    struct tree *next;
};

UINT64 fnv64(const void *data, size_t size);

/* Memory is lost with the process: a worker makes a few trees. */
struct tree *tree_new(const WCHAR *image);
struct tree *tree_copy(const struct tree *tree, const WCHAR *image);
struct entry *tree_add(struct tree *tree, enum entry_kind kind, const WCHAR *path,
                       const WCHAR *other);
void tree_add_source(struct tree *tree, const WCHAR *image, const WCHAR *container);
/* The item itself, no stream and no mark; NULL if there is none. */
struct entry *tree_find(struct tree *tree, const WCHAR *path);
/* With all below it and its streams. A link's file stays under its first other name; a merge link
 * isn't one yet. */
void tree_remove(struct tree *tree, const WCHAR *path);

/* The manifest of a directory with this tree added behind what is there; false if it can't be. */
bool manifest_append(const WCHAR *dir, const struct tree *tree);
/* All trees of a directory's manifest; needs it to be there and right. */
struct tree *manifest_load(const WCHAR *dir);

#endif
