/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exchange.c - images made by one implementation, read by another
 *
 * --export runs the ExportImages cases: each writes an image through the DLL into the directory and
 * what it holds into the manifest. --import runs the ImportImages cases on such a directory. So the
 * on-disk format is judged, in both directions: by Microsoft's DLL images that were made on Linux,
 * and by ours and cimtool those that Microsoft's DLL made. Here are ordinary images; those in
 * containers, merged and sealed ones are in exchangelayers.c.
 */
#include "exchange.h"

#define FORMAT "hcsshim format package"

/* ---- export ------------------------------------------------------------------------------------
 */

const WCHAR *export_dir(void)
{
    if (!facts.export_to) skip_case("no --export DIR was given");
    return facts.export_to;
}

static struct blob keep(const void *data, UINT32 size)
{
    struct blob blob = {malloc(size + 1), size};

    need(blob.data != NULL, "out of memory");
    memcpy(blob.data, data, size);
    return blob;
}

/* Descriptors, in turn: NULL DACL; owner, group and an ACE that lets everybody do all. */
static void set_descriptor(CIMFS_FILE_METADATA *metadata, int which)
{
    static const BYTE owned[] = {
            1,  0, 4,  0x80, 20,   0, 0,    0, 36, 0, 0, 0, 0,  0, 0, 0,
            52, 0, 0,  0,                                                /* descriptor */
            1,  2, 0,  0,    0,    0, 0,    5, 32, 0, 0, 0, 32, 2, 0, 0, /* S-1-5-32-544 */
            1,  2, 0,  0,    0,    0, 0,    5, 32, 0, 0, 0, 33, 2, 0, 0, /* S-1-5-32-545 */
            2,  0, 28, 0,    1,    0, 0,    0,                           /* ACL of one entry */
            0,  3, 20, 0,    0xff, 1, 0x1f, 0, 1,  1, 0, 0, 0,  0, 0, 1,
            0,  0, 0,  0};

    if (which % 2) return;
    metadata->SecurityDescriptorBuffer = owned;
    metadata->SecurityDescriptorSize = sizeof(owned);
}

static CIMFS_FILE_METADATA *next_meta(struct writing *writing, UINT32 attributes, UINT64 size)
{
    CIMFS_FILE_METADATA *metadata = meta(attributes, (INT64)size);
    INT64 shift = writing->count++ * 36000000001ll; /* an hour and 100 ns */

    metadata->CreationTime.QuadPart += shift;
    metadata->LastWriteTime.QuadPart += shift;
    metadata->ChangeTime.QuadPart += shift;
    metadata->LastAccessTime.QuadPart += shift;
    set_descriptor(metadata, writing->count);
    return metadata;
}

static struct entry *describe(struct writing *writing, enum entry_kind kind, const WCHAR *path,
                              const CIMFS_FILE_METADATA *metadata)
{
    struct entry *entry = tree_add(writing->tree, kind, path, NULL);

    entry->attributes = metadata->Attributes;
    entry->times[0] = metadata->CreationTime.QuadPart;
    entry->times[1] = metadata->LastWriteTime.QuadPart;
    entry->times[2] = metadata->ChangeTime.QuadPart;
    entry->times[3] = metadata->LastAccessTime.QuadPart;
    entry->security = keep(metadata->SecurityDescriptorBuffer, metadata->SecurityDescriptorSize);
    if (metadata->EaBufferSize) entry->ea = keep(metadata->EaBuffer, metadata->EaBufferSize);
    if (metadata->ReparseDataSize)
        entry->reparse = keep(metadata->ReparseDataBuffer, metadata->ReparseDataSize);
    return entry;
}

static void add_item(struct writing *writing, const WCHAR *path, CIMFS_FILE_METADATA *metadata,
                     const void *data, size_t size)
{
    bool directory = metadata->Attributes & FILE_ATTRIBUTE_DIRECTORY;
    struct entry *entry;

    put_item(writing->image, path, metadata, data, size);
    entry = describe(writing, directory ? ENTRY_DIRECTORY : ENTRY_FILE, path, metadata);
    entry->size = directory ? 0 : metadata->FileSize;
    entry->zeros = !size && metadata->FileSize;
    entry->fnv = fnv64(data, size);
}

void add_dir(struct writing *writing, const WCHAR *path, UINT32 attributes)
{
    add_item(writing, path, next_meta(writing, FILE_ATTRIBUTE_DIRECTORY | attributes, 0), NULL, 0);
}

void add_file(struct writing *writing, const WCHAR *path, UINT32 attributes, size_t size,
              uint32_t seed)
{
    void *data = malloc(size + 1);

    need(data != NULL, "out of memory");
    fill_bytes(data, size, seed);
    add_item(writing, path, next_meta(writing, attributes, size), data, size);
    free(data);
}

static void add_hollow(struct writing *writing, const WCHAR *path, UINT32 attributes, UINT64 size)
{
    add_item(writing, path, next_meta(writing, attributes, size), NULL, 0);
}

void add_stream(struct writing *writing, const WCHAR *path, const WCHAR *name, size_t size,
                uint32_t seed)
{
    struct entry *entry = tree_add(writing->tree, ENTRY_STREAM, path, name);
    void *data = malloc(size + 1);

    need(data != NULL, "out of memory");
    fill_bytes(data, size, seed);
    put_stream(writing->image, format_wide(L"%ls:%ls", path, name), data, size);
    entry->size = size;
    entry->fnv = fnv64(data, size);
    free(data);
}

void add_link(struct writing *writing, const WCHAR *path, const WCHAR *existing)
{
    struct entry *entry = tree_find(writing->tree, existing);

    need(entry != NULL, "a link to what isn't there: a mistake in the suite");
    put_link(writing->image, path, existing);
    tree_add(writing->tree, ENTRY_LINK, path,
             entry->kind == ENTRY_LINK ? entry->other : entry->path);
}

void remove_item(struct writing *writing, const WCHAR *path)
{
    need_hr("CimDeletePath", cim.DeletePath(writing->image, path));
    tree_remove(writing->tree, path);
}

static struct writing begin(const WCHAR *existing, const WCHAR *new_name, struct tree *tree)
{
    struct writing writing = {open_image(export_dir(), existing, new_name), tree, 0};

    return writing;
}

void finish(struct writing *writing, const char *name)
{
    check_hr(name, cim.CommitImage(writing->image), S_OK);
    close_image(writing->image);
}

void fill_image(struct writing *writing)
{
    static const size_t sizes[] = {0, 1, 7, 8, 511, 4095, 4096, 4097, 65535, 65537, 300000};
    static const UINT32 attributes[] = {FILE_ATTRIBUTE_READONLY,
                                        FILE_ATTRIBUTE_HIDDEN,
                                        FILE_ATTRIBUTE_SYSTEM,
                                        FILE_ATTRIBUTE_ARCHIVE,
                                        MANIFEST_ATTRIBUTES & ~FILE_ATTRIBUTE_SPARSE_FILE,
                                        0};
    CIMFS_FILE_METADATA *metadata;
    static BYTE buffer[400];
    WCHAR name[256];
    size_t i;

    add_dir(writing, L"sizes", 0);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
        add_file(writing, format_wide(L"sizes\\%u", (unsigned)sizes[i]), FILE_ATTRIBUTE_ARCHIVE,
                 sizes[i], (uint32_t)i);
    add_file(writing, L"sizes\\copy of 300000", 0, 300000, 10);
    add_dir(writing, L"attributes", FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM);
    for (i = 0; i < ARRAY_SIZE(attributes); i++)
        add_file(writing, format_wide(L"attributes\\%02x", (unsigned)attributes[i]), attributes[i],
                 10, 1);
    add_dir(writing, L"Names", FILE_ATTRIBUTE_READONLY);
    add_file(writing, L"Names\\with blanks and.dots", 0, 3, 2);
    add_file(writing, L"Names\\\x00fc\x03a9\x4e2d", 0, 3, 3);
    add_file(writing, L"Names\\\xd83d\xde00", 0, 3, 4);
    wmemset(name, 'n', 255);
    name[255] = 0;
    add_file(writing, format_wide(L"Names\\%ls", name), 0, 3, 5);
    add_dir(writing, L"a", 0);
    add_dir(writing, L"a\\b", 0);
    add_dir(writing, L"a\\b\\c", 0);
    add_file(writing, L"a\\b\\c\\deep", 0, 100, 6);
    add_stream(writing, L"a\\b\\c\\deep", L"one", 5, 7);
    add_stream(writing, L"a\\b\\c\\deep", L"Two", 70000, 8);
    add_stream(writing, L"a\\b\\c\\deep", L"empty", 0, 9);
    add_stream(writing, L"a\\b", L"of a directory", 12, 10);
    add_link(writing, L"linked", L"a\\b\\c\\deep");
    add_link(writing, L"a\\again", L"linked");
    add_hollow(writing, L"hollow", FILE_ATTRIBUTE_SPARSE_FILE, 1ull << 33);
    add_hollow(writing, L"hollow too", 0, 5000);
    metadata = next_meta(writing, FILE_ATTRIBUTE_REPARSE_POINT, 0);
    metadata->ReparseDataBuffer = buffer;
    metadata->ReparseDataSize = (UINT32)symlink_data(buffer, L"sizes\\511");
    add_item(writing, L"symlink", metadata, NULL, 0);
    metadata = next_meta(writing, FILE_ATTRIBUTE_ARCHIVE, 4);
    metadata->EaBuffer = buffer;
    i = ea_entry(buffer, "FIRST.EA", "value", 5, false);
    metadata->EaBufferSize = (UINT32)(i + ea_entry(buffer + i, "SECOND", "", 0, true));
    add_item(writing, L"with EAs", metadata, "eas!", 4);
}

void change_image(struct writing *writing)
{
    writing->count = 100;
    tree_remove(writing->tree, L"sizes\\8");
    add_file(writing, L"sizes\\8", 0, 88, 20); /* replaced */
    add_file(writing, L"added later", FILE_ATTRIBUTE_ARCHIVE, 6000, 21);
    add_link(writing, L"a\\third name", L"linked");
    remove_item(writing, L"hollow too");
}

CASE(export_everything, "ExportImages/Everything", CLIENT, FORMAT, 0,
     "an image with every kind of item, extended, forked and forked again")
{
    struct tree *tree = tree_new(L"everything.cim"), *fork, *again;
    struct writing writing = begin(NULL, L"everything.cim", tree);

    fill_image(&writing);
    finish(&writing, "everything");

    writing = begin(L"everything.cim", NULL, tree);
    change_image(&writing);
    finish(&writing, "extended");
    need(manifest_append(export_dir(), tree), "can't write the manifest");

    fork = tree_copy(tree, L"fork.cim");
    writing = begin(L"everything.cim", L"fork.cim", fork);
    writing.count = 200;
    remove_item(&writing, L"attributes");
    /* At the root: a build of Windows was seen not to delete inherited names below it. */
    remove_item(&writing, L"linked");                   /* its other names stay */
    add_file(&writing, L"a\\b\\c\\new", 0, 300000, 10); /* the parent has its bytes */
    add_stream(&writing, L"added later", L"stream", 30, 22);
    finish(&writing, "fork");
    need(manifest_append(export_dir(), fork), "can't write the manifest");

    again = tree_copy(fork, L"fork of fork.cim");
    writing = begin(L"fork.cim", L"fork of fork.cim", again);
    writing.count = 300;
    add_dir(&writing, L"attributes", 0);
    add_file(&writing, L"attributes\\back", FILE_ATTRIBUTE_HIDDEN, 20, 23);
    finish(&writing, "fork of the fork");
    need(manifest_append(export_dir(), again), "can't write the manifest");
}

CASE(export_empty, "ExportImages/Empty", DECISION, "as hcsshim's test of block images", 0,
     "an image with nothing in it")
{
    struct tree *tree = tree_new(L"empty.cim");
    struct writing writing = begin(NULL, L"empty.cim", tree);

    finish(&writing, "empty");
    need(manifest_append(export_dir(), tree), "can't write the manifest");
}

CASE(export_many, "ExportImages/Many", CLIENT, FORMAT, 0,
     "an image with more files than one file table has, in one directory and in many")
{
    struct tree *tree = tree_new(L"many.cim");
    struct writing writing = begin(NULL, L"many.cim", tree);
    int i;

    add_dir(&writing, L"flat", 0);
    for (i = 0; i < 1500; i++)
        add_file(&writing, format_wide(L"flat\\file %d", i), 0, i % 50, i % 7);
    for (i = 0; i < 100; i++)
    {
        add_dir(&writing, format_wide(L"dir %d", i), 0);
        add_file(&writing, format_wide(L"dir %d\\file", i), 0, 5, 1);
    }
    finish(&writing, "many");
    need(manifest_append(export_dir(), tree), "can't write the manifest");
}

CASE(export_consistent, "ExportImages/Consistent", DECISION, "D45", 0,
     "an image made with CIM_CREATE_CONSISTENT_CIMS")
{
    struct tree *tree = tree_new(L"consistent.cim");
    struct writing writing = {NULL, tree, 0};

    HRESULT hr = cim.CreateImage2(export_dir(), CIM_CREATE_CONSISTENT_CIMS, NULL, L"consistent.cim",
                                  &writing.image);

    if (FAILED(hr) && !facts.ours) skip_case("the DLL refuses the flag for ordinary images");
    need_hr("CimCreateImage2", hr);
    track_image(writing.image);
    fill_image(&writing);
    finish(&writing, "consistent");
    need(manifest_append(export_dir(), tree), "can't write the manifest");
}

/* ---- import ------------------------------------------------------------------------------------
 */

struct tree *imported(void)
{
    if (!facts.import_from) skip_case("no --import DIR was given");
    return manifest_load(facts.import_from);
}

static struct entry *resolve(struct tree *tree, struct entry *entry)
{
    struct entry *target = entry;

    if (entry->kind == ENTRY_LINK) target = tree_find(tree, entry->other);
    need(target && target->kind != ENTRY_LINK, "the manifest has a link to nothing");
    return target;
}

static void differs(struct tally *tally, const struct tree *tree, const struct entry *entry,
                    const char *what, UINT64 got, UINT64 want)
{
    char path[200];
    size_t i;

    tally->wrong++;
    if (tally->wrong > 10) return;
    for (i = 0; i < sizeof(path) - 1 && entry->path[i]; i++)
        path[i] = entry->path[i] < 127 ? (char)entry->path[i] : '?';
    path[i] = 0;
    note("%ls: %s: %s is 0x%llx, not 0x%llx", tree->image, path, what, (unsigned long long)got,
         (unsigned long long)want);
}

void compare(struct tally *tally, const struct tree *tree, const struct entry *entry,
             const char *what, UINT64 got, UINT64 want)
{
    tally->compared++;
    if (got != want) differs(tally, tree, entry, what, got, want);
}

void check_tally(const struct tally *tally)
{
    if (!tally->compared) skip_case("the set has nothing of the kind");
    see_number("compared", tally->compared);
    check_number("wrong", tally->wrong, 0);
}

/* Has it nothing that another DLL may not know? */
static bool is_ordinary(const struct tree *tree)
{
    const struct entry *entry = tree->entries;

    while (entry && entry->kind < ENTRY_TOMBSTONE && !entry->opaque) entry = entry->next;
    return !entry && !tree->container && !tree->sources;
}

/* Each item of each ordinary image that the manifest tells of. */
typedef void visit_entry(struct tally *tally, struct tree *tree, struct entry *entry);

static void for_all(visit_entry *visit)
{
    struct tally tally = {0, 0};
    struct tree *tree;
    struct entry *entry;

    for (tree = imported(); tree; tree = tree->next)
        for (entry = tree->entries; entry && is_ordinary(tree); entry = entry->next)
            visit(&tally, tree, entry);
    check_tally(&tally);
}

static HRESULT stat_of(const struct tree *tree, const WCHAR *path,
                       FILE_STAT_BASIC_INFORMATION *info)
{
    if (!tree->container) return stat_image(join(facts.import_from, tree->image), path, info);
    return cim.GetFileStatBasicInformation2(
            join(join(facts.import_from, tree->container), tree->image), path, info,
            CIM_READ_SINGLE_FILE);
}

void compare_stat(struct tally *tally, struct tree *tree, struct entry *entry)
{
    struct entry *item = resolve(tree, entry);
    FILE_STAT_BASIC_INFORMATION info;
    UINT32 want = item->attributes & MANIFEST_ATTRIBUTES;
    HRESULT hr;

    if (entry->kind == ENTRY_STREAM) return;
    hr = stat_of(tree, entry->path, &info);
    /* No client asks for a directory: what a foreign DLL refuses, the mounted image shows. */
    if (FAILED(hr) && !facts.ours && item->kind == ENTRY_DIRECTORY) return;
    compare(tally, tree, entry, "the answer", (ULONG)hr, S_OK);
    if (FAILED(hr)) return;
    if (item->kind == ENTRY_DIRECTORY) want |= FILE_ATTRIBUTE_DIRECTORY;
    if (item->reparse.size) want |= FILE_ATTRIBUTE_REPARSE_POINT;
    compare(tally, tree, entry, "attributes", info.FileAttributes & ~FILE_ATTRIBUTE_NORMAL, want);
    compare(tally, tree, entry, "size", info.EndOfFile.QuadPart, item->size);
}

CASE_CALL(import_stat, "ImportImages/AttributesAndSizes", CLIENT, FORMAT, 0,
          "each item is there, with its kind, attributes and size", for_all(compare_stat))

void compare_times(struct tally *tally, struct tree *tree, struct entry *entry)
{
    struct entry *item = resolve(tree, entry);
    FILE_STAT_BASIC_INFORMATION info;

    if (entry->kind == ENTRY_STREAM) return;
    if (FAILED(stat_of(tree, entry->path, &info))) return;
    compare(tally, tree, entry, "created", info.CreationTime.QuadPart, item->times[0]);
    compare(tally, tree, entry, "written", info.LastWriteTime.QuadPart, item->times[1]);
    compare(tally, tree, entry, "changed", info.ChangeTime.QuadPart, item->times[2]);
    compare(tally, tree, entry, "accessed", info.LastAccessTime.QuadPart, item->times[3]);
}

CASE_CALL(import_times, "ImportImages/Times", CLIENT, FORMAT, 0, "each item has its four times",
          for_all(compare_times))

static bool all_zero(const BYTE *data, size_t size)
{
    while (size && !*data) data++, size--;
    return !size;
}

static bool read_piece(const struct tree *tree, const WCHAR *path, UINT64 at, void *data,
                       UINT64 room)
{
    const WCHAR *dir = facts.import_from;
    UINT64 got, left;
    HRESULT hr;

    if (tree->container)
        hr = cim.ReadFile2(join(join(dir, tree->container), tree->image), path, at, data, room,
                           &got, &left, CIM_READ_SINGLE_FILE);
    else
        hr = cim.ReadFile(join(dir, tree->image), path, at, data, room, &got, &left);
    return SUCCEEDED(hr) && got == room;
}

/* A hollow file's first and last 64 KiB. */
static bool reads_as_zeros(const struct tree *tree, const WCHAR *path, UINT64 size)
{
    static BYTE data[65536];
    UINT64 room = size < sizeof(data) ? size : sizeof(data);

    return read_piece(tree, path, 0, data, room) && all_zero(data, room) &&
           read_piece(tree, path, size - room, data, room) && all_zero(data, room);
}

/* Of an ordinary image by what the DLL has, of one in a container by CimReadFile2. */
static void *data_of(const struct tree *tree, const WCHAR *path, size_t *size, HRESULT *hr)
{
    FILE_STAT_BASIC_INFORMATION info;
    void *data = NULL;

    if (!tree->container) return stored_data(facts.import_from, tree->image, path, size, hr);
    *hr = stat_of(tree, path, &info);
    if (SUCCEEDED(*hr)) data = malloc((size_t)info.EndOfFile.QuadPart + 1);
    if (!data) return NULL;
    *size = (size_t)info.EndOfFile.QuadPart;
    if (read_piece(tree, path, 0, data, *size)) return data;
    *hr = E_FAIL;
    free(data);
    return NULL;
}

void compare_data(struct tally *tally, struct tree *tree, struct entry *entry)
{
    struct entry *item = resolve(tree, entry);
    const WCHAR *path = entry->path;
    size_t size;
    HRESULT hr;
    void *data;

    if (item->kind == ENTRY_DIRECTORY) return;
    if (entry->kind == ENTRY_STREAM) path = format_wide(L"%ls:%ls", entry->path, entry->other);
    if (item->zeros && item->size)
    {
        compare(tally, tree, entry, "being all zero", reads_as_zeros(tree, path, item->size), true);
        return;
    }
    data = data_of(tree, path, &size, &hr);
    compare(tally, tree, entry, "the answer", data ? S_OK : (ULONG)hr, S_OK);
    if (!data) return;
    compare(tally, tree, entry, "bytes read", size, item->size);
    compare(tally, tree, entry, "the data's hash", fnv64(data, size), item->fnv);
    free(data);
}

CASE_CALL(import_data, "ImportImages/Data", CLIENT, FORMAT, 0,
          "each file and each alternate stream has its bytes", for_all(compare_data))

/* ---- import, by mounting ------------------------------------------------------------------------
 */

static void visit_mounted(struct tally *tally, struct tree *tree, struct entry *entry,
                          const WCHAR *volume)
{
    struct entry *item = resolve(tree, entry);
    const UINT32 seen = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |
                        FILE_ATTRIBUTE_DIRECTORY;
    UINT32 want = item->attributes | (item->kind == ENTRY_DIRECTORY ? FILE_ATTRIBUTE_DIRECTORY : 0);
    const WCHAR *path = format_wide(L"%ls%ls", volume, entry->path);
    DWORD attributes = GetFileAttributesW(path), error = 0;
    size_t size;
    void *data;

    if (entry->kind == ENTRY_STREAM || item->reparse.size) return;
    compare(tally, tree, entry, "attributes", attributes & seen, want & seen);
    if (item->kind == ENTRY_DIRECTORY || item->zeros) return;
    data = read_file(path, &size, &error);
    compare(tally, tree, entry, "the error", error, 0);
    compare(tally, tree, entry, "bytes read", size, item->size);
    if (data) compare(tally, tree, entry, "the data's hash", fnv64(data, size), item->fnv);
    free(data);
}

/* Names on the volume; reparse points aren't followed. */
static int count_names(const WCHAR *dir)
{
    WCHAR *pattern = _wcsdup(format_wide(L"%ls\\*", dir));
    WIN32_FIND_DATAW data;
    HANDLE find = pattern ? FindFirstFileW(pattern, &data) : INVALID_HANDLE_VALUE;
    int count = 0;

    free(pattern);
    if (find == INVALID_HANDLE_VALUE) return 0;
    do
    {
        WCHAR *path;

        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
        count++;
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) ||
            (data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
            continue;
        path = _wcsdup(format_wide(L"%ls\\%ls", dir, data.cFileName));
        if (path) count += count_names(path);
        free(path);
    } while (FindNextFileW(find, &data));
    FindClose(find);
    return count;
}

static void compare_names(struct tally *tally, struct tree *tree, const WCHAR *volume)
{
    const struct entry *entry;
    WCHAR root[80];
    UINT64 want = 0;

    wcscpy(root, volume);
    root[wcslen(root) - 1] = 0;
    for (entry = tree->entries; entry; entry = entry->next)
        want += entry->kind != ENTRY_STREAM && entry->kind < ENTRY_TOMBSTONE && *entry->path;
    if (tree->entries)
        compare(tally, tree, tree->entries, "number of names", count_names(root), want);
}

static void compare_items(struct tally *tally, struct tree *tree, const WCHAR *volume)
{
    struct entry *entry;

    for (entry = tree->entries; entry; entry = entry->next)
        if (entry->kind < ENTRY_TOMBSTONE) visit_mounted(tally, tree, entry, volume);
}

void compare_volume(struct tally *tally, struct tree *tree, const WCHAR *volume)
{
    compare_items(tally, tree, volume);
    compare_names(tally, tree, volume);
}

/* Each ordinary image that the manifest tells of, mounted. */
static void for_mounted(void (*look)(struct tally *tally, struct tree *tree, const WCHAR *volume))
{
    struct tally tally = {0, 0};
    struct tree *tree;

    for (tree = imported(); tree; tree = tree->next)
    {
        const WCHAR *volume;

        if (!is_ordinary(tree)) continue;
        volume = mount_image(facts.import_from, tree->image);
        look(&tally, tree, volume);
        dismount(volume);
    }
    check_tally(&tally);
}

CASE_CALL(import_mounted, "ImportImages/Mounted", CLIENT, FORMAT, NEEDS_MOUNT,
          "mounted, each item has its kind, attributes, size and bytes", for_mounted(compare_items))

CASE_CALL(import_complete, "ImportImages/NothingElse", CLIENT, FORMAT, NEEDS_MOUNT,
          "mounted, an image has as many names as its manifest", for_mounted(compare_names))

static ULONG hash_descriptor(const WCHAR *path)
{
    static BYTE sd[65536];
    DWORD size;

    if (!GetFileSecurityW(path,
                          OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION |
                                  DACL_SECURITY_INFORMATION,
                          sd, sizeof(sd), &size))
        return 0;
    return fnv32(sd, GetSecurityDescriptorLength(sd));
}

CASE(import_security, "ImportImages/Security", QUESTION, "hcsctl smoke test (SDDL equal)",
     NEEDS_MOUNT, "mounted, each item's descriptor: is it the stored one byte for byte?")
{
    struct tree *tree;
    struct entry *entry;
    int same = 0, other = 0;

    for (tree = imported(); tree; tree = tree->next)
    {
        const WCHAR *volume;

        if (!is_ordinary(tree)) continue;
        volume = mount_image(facts.import_from, tree->image);
        for (entry = tree->entries; entry; entry = entry->next)
        {
            if (entry->kind > ENTRY_FILE || !entry->security.size || entry->reparse.size) continue;
            if (hash_descriptor(format_wide(L"%ls%ls", volume, entry->path)) ==
                fnv32(entry->security.data, entry->security.size))
                same++;
            else
                other++;
        }
        dismount(volume);
    }
    see_number("the same", same);
    see_number("others", other);
}
