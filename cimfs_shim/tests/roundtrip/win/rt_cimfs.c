/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rt_cimfs.exe - tell a story to cimfs.dll
 *
 * The same story as rt_libcim tells, by the Windows API. Then the DLL's own reading functions are
 * held against the model: CimGetFileStatBasicInformation and CimReadFile, or those with flags, for
 * the items and streams of every image.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <cimfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "../rt.h"

struct windows
{
    WCHAR dir[MAX_PATH]; /* or the container */
    bool container;
    CIMFS_IMAGE_HANDLE image;
    CIMFS_STREAM_HANDLE stream;
};

static enum cim_status to_status(HRESULT hr)
{
    static const struct
    {
        DWORD hr;
        enum cim_status status;
    } known[] = {{0, CIM_OK},
                 {0x80070057, CIM_E_INVALID},
                 {0x80004003, CIM_E_POINTER},
                 {0x8007000E, CIM_E_NO_MEMORY},
                 {0x80070005, CIM_E_ACCESS},
                 {0x80070002, CIM_E_FILE_NOT_FOUND},
                 {0x80070003, CIM_E_PATH_NOT_FOUND},
                 {0x80070050, CIM_E_EXISTS},
                 {0x80070020, CIM_E_SHARING},
                 {0x80070026, CIM_E_EOF},
                 {0x80070070, CIM_E_DISK_FULL}};
    size_t i;

    for (i = 0; i < ARRAYSIZE(known); i++)
        if (known[i].hr == (DWORD)hr) return known[i].status;
    printf("# an HRESULT that no call of the story may give: 0x%08lX\n", (unsigned long)hr);
    return CIM_E_IO;
}

static void widen(const char *text, WCHAR *wide, size_t room)
{
    while (*text && --room) *wide++ = (BYTE)*text++;
    *wide = 0;
}

/* Every second session by other flags as well, which must make no difference. */
static enum cim_status do_open(void *ctx, const char *existing, const char *name, unsigned round)
{
    struct windows *w = ctx;
    UINT32 flags = CIM_CREATE_CONSISTENT_CIMS;
    WCHAR wide_existing[64], wide_name[64];

    if (w->container) flags |= CIM_CREATE_IMAGE_SINGLE_FILE | CIM_CREATE_VERIFIED;
    if (round % 2) flags |= CIM_CREATE_DO_NOT_EXPAND_PE_IMAGES | CIM_CREATE_FIXED_SIZE_CHUNKS;
    if (existing) widen(existing, wide_existing, ARRAYSIZE(wide_existing));
    if (name) widen(name, wide_name, ARRAYSIZE(wide_name));
    return to_status(CimCreateImage2(w->dir, (CIM_CREATE_IMAGE_FLAGS)flags,
                                     existing ? wide_existing : NULL, name ? wide_name : NULL,
                                     &w->image));
}

static enum cim_status do_add(void *ctx, const uint16_t *path, const struct cim_metadata *from,
                              bool idle)
{
    struct windows *w = ctx;
    CIMFS_FILE_METADATA metadata;
    CIMFS_STREAM_HANDLE stream;
    HRESULT hr;

    (void)idle; /* the API always gives a stream */
    memset(&metadata, 0, sizeof(metadata));
    metadata.Attributes = from->attributes;
    metadata.FileSize = from->size;
    metadata.CreationTime.QuadPart = from->creation_time;
    metadata.LastWriteTime.QuadPart = from->last_write_time;
    metadata.ChangeTime.QuadPart = from->change_time;
    metadata.LastAccessTime.QuadPart = from->last_access_time;
    metadata.SecurityDescriptorBuffer = from->security;
    metadata.SecurityDescriptorSize = from->security_size;
    metadata.ReparseDataBuffer = from->reparse;
    metadata.ReparseDataSize = from->reparse_size;
    metadata.EaBuffer = from->ea;
    metadata.EaBufferSize = from->ea_size;
    hr = CimCreateFile(w->image, (const WCHAR *)path, &metadata, &stream);
    if (SUCCEEDED(hr)) w->stream = stream;
    return to_status(hr);
}

static enum cim_status do_add_stream(void *ctx, const uint16_t *path, uint64_t size, bool idle)
{
    struct windows *w = ctx;
    CIMFS_STREAM_HANDLE stream;
    HRESULT hr = CimCreateAlternateStream(w->image, (const WCHAR *)path, size, &stream);

    (void)idle;
    if (SUCCEEDED(hr)) w->stream = stream;
    return to_status(hr);
}

static enum cim_status do_write(void *ctx, const void *buf, size_t len)
{
    struct windows *w = ctx;

    return to_status(CimWriteStream(w->stream, buf, (UINT32)len));
}

static void do_close_stream(void *ctx)
{
    struct windows *w = ctx;

    CimCloseStream(w->stream);
    w->stream = NULL;
}

static enum cim_status do_link(void *ctx, const uint16_t *path, const uint16_t *existing)
{
    struct windows *w = ctx;

    return to_status(CimCreateHardLink(w->image, (const WCHAR *)path, (const WCHAR *)existing));
}

static enum cim_status do_remove(void *ctx, const uint16_t *path)
{
    struct windows *w = ctx;

    return to_status(CimDeletePath(w->image, (const WCHAR *)path));
}

static enum cim_status do_lookup(void *ctx, const uint16_t *path, bool *exists)
{
    struct windows *w = ctx;
    BOOLEAN there = FALSE;
    HRESULT hr = CimLookupFile(w->image, (const WCHAR *)path, &there);

    *exists = there != FALSE;
    return to_status(hr);
}

static enum cim_status do_tombstone(void *ctx, const uint16_t *path)
{
    struct windows *w = ctx;

    return to_status(CimTombstoneFile(w->image, (const WCHAR *)path));
}

static enum cim_status do_merge_link(void *ctx, const uint16_t *path, const uint16_t *target)
{
    struct windows *w = ctx;

    return to_status(CimCreateMergeLink(w->image, (const WCHAR *)path, (const WCHAR *)target));
}

static void image_path(const struct windows *w, const char *name, WCHAR *path)
{
    wcscpy(path, w->dir);
    wcscat(path, L"\\");
    widen(name, path + wcslen(path), 64);
}

static enum cim_status do_add_source(void *ctx, const char *name)
{
    struct windows *w = ctx;
    WCHAR path[MAX_PATH];

    image_path(w, name, path);
    if (!w->container) return to_status(CimAddFsToMergedImage(w->image, path));
    return to_status(CimAddFsToMergedImage2(w->image, path, CIM_MERGE_SINGLE_FILE));
}

static enum cim_status do_commit(void *ctx)
{
    struct windows *w = ctx;

    return to_status(CimCommitImage(w->image));
}

static void do_close(void *ctx)
{
    struct windows *w = ctx;

    CimCloseImage(w->image);
    w->image = NULL;
}

/* ---------------------------------------------------------------------------------------------
 * Reading by the DLL
 */

enum
{
    PATH_ROOM = 33000,
    PIECE = 100000,
    FILES_READ = 50 /* of each image: each call opens it anew */
};

struct reader
{
    WCHAR image[MAX_PATH];
    UINT32 flags; /* CIM_READ_* */
    WCHAR path[PATH_ROOM];
    size_t units;
    BYTE got[PIECE], want[PIECE];
    struct rt_random random;
    unsigned int left;
    unsigned long long reads, wrong;
};

static void wrong(struct reader *r, const char *what, HRESULT hr)
{
    if (++r->wrong <= 10) printf("# %s: 0x%08lX or other bytes\n", what, (unsigned long)hr);
}

/* Directories by the calls that have no flags. */
static HRESULT read_file(struct reader *r, UINT64 offset, UINT64 *got, UINT64 *left)
{
    if (!r->flags) return CimReadFile(r->image, r->path, offset, r->got, PIECE, got, left);
    return CimReadFile2(r->image, r->path, offset, r->got, PIECE, got, left, r->flags);
}

static HRESULT stat_file(struct reader *r, FILE_STAT_BASIC_INFORMATION *info)
{
    if (!r->flags) return CimGetFileStatBasicInformation(r->image, r->path, info);
    return CimGetFileStatBasicInformation2(r->image, r->path, info, r->flags);
}

static void read_stream(struct reader *r, const struct rt_stream *stream)
{
    static const unsigned int ends[] = {0, 1, 4096};
    UINT64 got, left, offset, want;
    HRESULT hr;
    size_t i;

    for (i = 0; i <= ARRAYSIZE(ends); i++)
    {
        if (i == ARRAYSIZE(ends))
            offset = stream->size ? rt_next(&r->random) % stream->size : 0;
        else
            offset = stream->size > ends[i] ? ends[i] : stream->size;
        want = stream->size - offset < PIECE ? stream->size - offset : PIECE;
        hr = read_file(r, offset, &got, &left);
        r->reads++;
        rt_stream_expect(stream, offset, r->want, (size_t)want);
        if (hr != S_OK || got != want || left != stream->size - offset - got ||
            memcmp(r->got, r->want, (size_t)want))
            wrong(r, "CimReadFile", hr);
        if (offset >= stream->size) break;
    }
    hr = read_file(r, stream->size + 1, &got, &left);
    if ((DWORD)hr != 0x80070026) wrong(r, "CimReadFile past the end", hr);
}

static void stat_item(struct reader *r, const struct rt_node *node)
{
    FILE_STAT_BASIC_INFORMATION info;
    HRESULT hr = stat_file(r, &info);
    INT64 size = node->directory ? 0 : (INT64)node->data.size;

    r->reads++;
    if (hr != S_OK || info.CreationTime.QuadPart != node->times[0] ||
        info.LastWriteTime.QuadPart != node->times[1] ||
        info.ChangeTime.QuadPart != node->times[2] ||
        info.LastAccessTime.QuadPart != node->times[3] || info.EndOfFile.QuadPart != size ||
        info.FileAttributes != node->attributes || info.ReparseTag != node->tag)
        wrong(r, "CimGetFileStatBasicInformation", hr);
}

static void read_node(struct reader *r, const struct rt_node *node)
{
    size_t units = r->units;
    uint32_t i;

    stat_item(r, node);
    if (!node->directory) read_stream(r, &node->data);
    for (i = 0; i < node->stream_count && units + 300 < PATH_ROOM; i++)
    {
        const struct rt_named_stream *stream = &node->streams[i];

        if (!units) break; /* the root's path can't have a stream behind it */
        r->path[units] = ':';
        memcpy(r->path + units + 1, stream->name.text, stream->name.units * sizeof(WCHAR));
        r->path[units + 1 + stream->name.units] = 0;
        read_stream(r, &stream->stream);
        r->path[units] = 0;
    }
    for (i = 0; i < node->entry_count && r->left; i++)
    {
        const struct rt_entry *entry = &node->entries[i];

        if (units + entry->name.units + 2 > CIM_MAX_PATH) continue;
        r->left--;
        if (units) r->path[r->units++] = '\\';
        memcpy(r->path + r->units, entry->name.text, entry->name.units * sizeof(WCHAR));
        r->units += entry->name.units;
        r->path[r->units] = 0;
        read_node(r, entry->node);
        r->units = units;
        r->path[units] = 0;
    }
}

static void read_image(struct reader *r, const struct windows *w, const struct rt_image *image)
{
    image_path(w, image->name, r->image);
    r->flags = w->container ? CIM_READ_SINGLE_FILE : CIM_READ_NONE;
    r->left = FILES_READ;
    r->units = 0;
    r->path[0] = 0;
    read_node(r, image->root);
}

static HRESULT seal(const struct windows *w)
{
    UINT64 size, header;
    BYTE hash[32];

    return CimSealImage(w->dir, &size, &header, hash);
}

int main(int argc, char **argv)
{
    struct windows *w = calloc(1, sizeof(*w));
    struct reader *r = calloc(1, sizeof(*r));
    struct rt_backend backend = {.name = "cimfs.dll",
                                 .ctx = w,
                                 .open = do_open,
                                 .add = do_add,
                                 .add_stream = do_add_stream,
                                 .write = do_write,
                                 .close_stream = do_close_stream,
                                 .link = do_link,
                                 .remove = do_remove,
                                 .lookup = do_lookup,
                                 .tombstone = do_tombstone,
                                 .merge_link = do_merge_link,
                                 .add_source = do_add_source,
                                 .commit = do_commit,
                                 .close = do_close};
    struct rt_options options;
    struct rt_result result;
    int at = rt_parse_options(argc, argv, &options);
    bool told, good;
    uint32_t i;

    if (!at || !w || !r) return 2;
    MultiByteToWideChar(CP_UTF8, 0, argv[at], -1, w->dir, MAX_PATH - 70);
    w->container = options.container;
    if (w->container) wcscat(w->dir, L"\\c.bcim");
    told = rt_tell(&options, &backend, &result);
    if (w->container && FAILED(seal(w))) wrong(r, "CimSealImage", E_FAIL);
    r->random.state = options.seed;
    for (i = 0; i < result.image_count; i++) read_image(r, w, &result.images[i]);
    printf("# seed %llu under Windows: %llu calls, %llu wrong; %u images, %llu reads, %llu wrong\n",
           (unsigned long long)options.seed, (unsigned long long)result.calls,
           (unsigned long long)result.wrong, (unsigned int)result.image_count, r->reads, r->wrong);
    good = !result.wrong && !r->wrong && r->reads;
    rt_world_free(&result.world);
    free(r);
    free(w);
    return !told ? 2 : good ? 0 : 1;
}
