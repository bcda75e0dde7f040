/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exchangelayers.c - images in containers, layers, merged and sealed images, made by one
 * implementation and read by another
 *
 * As exchange.c, of what a foreign DLL may store in another way: so these images are exported into
 * a directory of their own, "layers", with a manifest of its own.
 */
#include "containers.h"
#include "exchange.h"

#define CONSISTENT CIM_CREATE_CONSISTENT_CIMS
#define VERIFIED CIM_CREATE_VERIFIED

/* ---- export ------------------------------------------------------------------------------------
 */

static const WCHAR *layers_dir(void)
{
    const WCHAR *dir = _wcsdup(join(export_dir(), L"layers"));

    need(CreateDirectoryW(dir, NULL) || GetLastError() == ERROR_ALREADY_EXISTS,
         "can't make the directory of layers");
    return dir;
}

static void told(const struct tree *tree)
{
    need(manifest_append(layers_dir(), tree), "can't write the manifest");
}

static struct writing begin_in(const WCHAR *path, UINT32 flags, const WCHAR *existing,
                               const WCHAR *new_name, struct tree *tree)
{
    struct writing writing = {open_in(path, flags | CONSISTENT, existing, new_name), tree, 0};

    return writing;
}

CASE(export_container, "ExportImages/Container", DECISION, "D52", 0,
     "in one container: an image with every kind of item, extended; a fork of it; an empty one")
{
    const WCHAR *path = _wcsdup(join(layers_dir(), L"several.bcim"));
    struct tree *tree = tree_new(L"everything.cim"), *fork, *empty = tree_new(L"empty.cim");
    struct writing writing = begin_in(path, IN_FILE, NULL, tree->image, tree);

    tree->container = empty->container = _wcsdup(L"several.bcim");
    fill_image(&writing);
    finish(&writing, "everything");
    writing = begin_in(path, IN_FILE, tree->image, NULL, tree);
    change_image(&writing);
    finish(&writing, "extended");
    told(tree);
    fork = tree_copy(tree, L"fork.cim");
    writing = begin_in(path, IN_FILE, tree->image, fork->image, fork);
    writing.count = 200;
    remove_item(&writing, L"attributes");
    remove_item(&writing, L"a\\b\\c\\deep"); /* its other names stay */
    add_file(&writing, L"a\\b\\c\\new", 0, 300000, 10);
    finish(&writing, "fork");
    told(fork);
    writing = begin_in(path, IN_FILE, NULL, empty->image, empty);
    finish(&writing, "empty");
    told(empty);
}

/* ---- a stack of layers ---- */

static void add_tombstone(struct writing *writing, const WCHAR *path)
{
    need_hr("CimTombstoneFile", cim.TombstoneFile(writing->image, path));
    tree_add(writing->tree, ENTRY_TOMBSTONE, path, NULL);
}

static void add_merge_link(struct writing *writing, const WCHAR *path, const WCHAR *target)
{
    need_hr("CimCreateMergeLink", cim.CreateMergeLink(writing->image, path, target));
    tree_add(writing->tree, ENTRY_MERGE_LINK, path, target);
}

static void add_opaque(struct writing *writing, const WCHAR *path)
{
    need_hr("CimTombstoneFile", cim.TombstoneFile(writing->image, path));
    add_dir(writing, path, FILE_ATTRIBUTE_HIDDEN);
    tree_find(writing->tree, path)->opaque = true;
}

static void fill_base(struct writing *writing)
{
    add_dir(writing, L"d", 0);
    add_file(writing, L"d\\gone", 0, 30, 1);
    add_file(writing, L"d\\kept", FILE_ATTRIBUTE_READONLY, 5000, 2);
    add_file(writing, L"shadowed", 0, 500, 3);
    add_file(writing, L"target", FILE_ATTRIBUTE_ARCHIVE, 70000, 4);
    add_stream(writing, L"target", L"stream", 40, 5);
    add_link(writing, L"d\\linked", L"target");
    add_dir(writing, L"opaque", 0);
    add_file(writing, L"opaque\\old", 0, 8, 6);
    add_dir(writing, L"once a directory", 0);
    add_file(writing, L"once a directory\\old", 0, 9, 7);
    add_dir(writing, L"twice a directory", 0);
    add_file(writing, L"twice a directory\\old", 0, 10, 8);
}

static void fill_middle(struct writing *writing)
{
    writing->count = 100;
    add_dir(writing, L"d", FILE_ATTRIBUTE_SYSTEM);
    add_file(writing, L"d\\of the middle", 0, 4096, 9);
    add_file(writing, L"shadowed", 0, 501, 10);
    add_file(writing, L"twice a directory", 0, 11, 11);
}

static void fill_upper(struct writing *writing)
{
    writing->count = 200;
    add_dir(writing, L"d", FILE_ATTRIBUTE_HIDDEN);
    add_tombstone(writing, L"d\\gone");
    add_tombstone(writing, L"nowhere\\at all");
    add_opaque(writing, L"opaque");
    add_file(writing, L"opaque\\new", 0, 12, 12);
    add_file(writing, L"shadowed", FILE_ATTRIBUTE_HIDDEN, 502, 13);
    add_file(writing, L"once a directory", 0, 13, 14);
    add_dir(writing, L"twice a directory", 0);
    add_file(writing, L"twice a directory\\new", 0, 14, 15);
    add_link(writing, L"d\\linked too", L"shadowed");
    add_merge_link(writing, L"merge link", L"target");
    add_merge_link(writing, L"d\\merge link", L"merge link");
    add_merge_link(writing, L"to the middle", L"d\\of the middle");
}

/* One entry of a layer over all that is there. */
static void lay_entry(struct tree *merged, const struct entry *entry)
{
    struct entry *there = tree_find(merged, entry->path), *added, *next;
    bool hides = entry->opaque || (there && there->kind != ENTRY_DIRECTORY);

    if (entry->kind == ENTRY_MERGE_LINK) return;
    if (entry->kind != ENTRY_STREAM && (entry->kind != ENTRY_DIRECTORY || hides))
        tree_remove(merged, entry->path);
    if (entry->kind == ENTRY_TOMBSTONE) return;
    added = entry->kind == ENTRY_DIRECTORY ? tree_find(merged, entry->path) : NULL;
    if (!added) added = tree_add(merged, entry->kind, entry->path, entry->other);
    next = added->next;
    *added = *entry;
    added->next = next;
    added->opaque = hides && entry->kind == ENTRY_DIRECTORY;
}

/* Becomes one more name of a file that is there. */
static void lay_link(struct tree *merged, const struct entry *entry)
{
    struct entry *target = tree_find(merged, entry->other);

    need(target != NULL, "a merge link to what isn't there: a mistake in the suite");
    tree_remove(merged, entry->path);
    tree_add(merged, ENTRY_LINK, entry->path,
             target->kind == ENTRY_LINK ? target->other : target->path);
}

/* Merge links come in the order of the layer, in which what they lead to is before them. */
static void lay_over(struct tree *merged, const struct tree *layer)
{
    const struct entry *entry;

    for (entry = layer->entries; entry; entry = entry->next) lay_entry(merged, entry);
    for (entry = layer->entries; entry; entry = entry->next)
        if (entry->kind == ENTRY_MERGE_LINK) lay_link(merged, entry);
}

/* Where an image of a stack is: its tree, and what the functions take for it. */
struct layer
{
    struct tree *tree;
    CimFsImagePath path;
};

struct stack
{
    const struct kind *kind;
    UINT32 flags;
    struct layer layers[4]; /* the merged one, then its sources from the top */
};

static const WCHAR *const names[] = {L"merged", L"upper", L"middle", L"base"};

/* With containers named PREFIX-base.bcim and so on, without a prefix in the directory itself. */
static struct stack new_stack(const struct kind *kind, UINT32 flags, const WCHAR *prefix)
{
    struct stack stack = {kind, flags, {{0}}};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
    {
        struct layer *layer = &stack.layers[i];
        const WCHAR *file = prefix ? _wcsdup(format_wide(L"%ls-%ls.bcim", prefix, names[i])) : NULL;

        layer->tree = tree_new(format_wide(L"%ls.cim", names[i]));
        layer->tree->container = (WCHAR *)file;
        layer->path.ImageName = layer->tree->image;
        layer->path.ImageDir = file ? _wcsdup(join(layers_dir(), file)) : layers_dir();
        if (kind == &on_devices) layer->path.ImageDir = new_device(3 << 20);
    }
    return stack;
}

/* A container that is to be sealed stays in the set as it is, besides. */
static void seal_layer(const struct layer *layer)
{
    const WCHAR *name = _wcsdup(format_wide(L"sealable-%ls", layer->tree->container));
    struct tree *open = tree_copy(layer->tree, layer->tree->image);

    open->container = (WCHAR *)name;
    open->sealed = layer->tree->container;
    need(CopyFileW(layer->path.ImageDir, join(layers_dir(), name), FALSE), "can't copy");
    told(open);
    layer->tree->root.data = calloc(1, 32);
    layer->tree->root.size = 32;
    need(layer->tree->root.data != NULL, "out of memory");
    seal_container(layer->path.ImageDir, layer->tree->root.data);
}

/* A device's bytes become a file of the set. */
static void copy_device(unsigned device, const WCHAR *container)
{
    size_t size;
    void *bytes = load_device(device, &size);

    need(bytes != NULL, "can't read a device");
    save_file(join(layers_dir(), container), bytes, size);
    free(bytes);
}

static void end_layer(const struct stack *stack, unsigned i)
{
    const struct layer *layer = &stack->layers[i];

    if (stack->flags & VERIFIED) seal_layer(layer);
    if (stack->kind == &on_devices) copy_device(i, layer->tree->container);
    told(layer->tree);
}

static void make_sources(const struct stack *stack)
{
    static void (*const fill[])(struct writing *) = {fill_upper, fill_middle, fill_base};

    for (unsigned i = ARRAY_SIZE(fill); i > 0; i--)
    {
        const struct layer *layer = &stack->layers[i];
        struct writing writing = begin_in(layer->path.ImageDir, stack->kind->create | stack->flags,
                                          NULL, layer->path.ImageName, layer->tree);

        fill[i - 1](&writing);
        finish(&writing, narrow(names[i]));
        end_layer(stack, i);
    }
}

static void add_source(CIMFS_IMAGE_HANDLE image, const struct stack *stack, unsigned i)
{
    const CimFsImagePath *path = &stack->layers[i].path;
    const WCHAR *source = join(path->ImageDir, path->ImageName);

    need_hr("adding a source",
            stack->kind->merge ? cim.AddFsToMergedImage2(
                                         image, source,
                                         stack->kind->merge |
                                                 (stack->flags & VERIFIED ? CIM_MERGE_VERIFIED : 0))
                               : cim.AddFsToMergedImage(image, source));
}

static void export_stack(const struct kind *kind, UINT32 flags, const WCHAR *prefix)
{
    struct stack stack = new_stack(kind, flags, prefix);
    struct tree *merged = stack.layers[0].tree;
    struct writing writing;

    make_sources(&stack);
    writing = begin_in(stack.layers[0].path.ImageDir, kind->create | flags, NULL, merged->image,
                       merged);
    for (unsigned i = 1; i < ARRAY_SIZE(names); i++)
    {
        add_source(writing.image, &stack, i);
        tree_add_source(merged, stack.layers[i].tree->image, stack.layers[i].tree->container);
    }
    for (unsigned i = ARRAY_SIZE(names) - 1; i > 0; i--) lay_over(merged, stack.layers[i].tree);
    finish(&writing, "merged");
    merged->again = kind == &in_files; /* a device has room left behind it */
    end_layer(&stack, 0);
}

#define STACK                                                                                      \
    "three layers with tombstones, merge links, an opaque directory, another kind of item at a "   \
    "path; and merged: "

CASE_CALL(export_directory, "ExportImages/LayersInADirectory", DECISION, "D52", 0,
          STACK "in a directory", export_stack(&in_directories, 0, NULL))

CASE_CALL(export_files, "ExportImages/LayersInFiles", DECISION, "D52", 0,
          STACK "each in a container", export_stack(&in_files, 0, L"file"))

CASE_CALL(export_sealed, "ExportImages/LayersSealed", DECISION, "D52", 0, STACK "each sealed",
          export_stack(&in_files, VERIFIED, L"sealed"))

CASE_CALL(export_devices, "ExportImages/LayersOnDevices", DECISION, "D52", 0,
          STACK "each on a device", export_stack(&on_devices, 0, L"device"))

CASE(export_converted, "ExportImages/Converted", DECISION, "D52", 0,
     "an ordinary image with a parent, and a container that it was converted into")
{
    const WCHAR *dir = layers_dir();
    struct tree *tree = tree_new(L"to convert.cim"), *fork;
    struct writing writing = begin_in(dir, 0, NULL, tree->image, tree);

    fill_base(&writing);
    finish(&writing, "base");
    told(tree);
    fork = tree_copy(tree, L"converted.cim");
    writing = begin_in(dir, 0, tree->image, fork->image, fork);
    writing.count = 300;
    add_file(&writing, L"of the fork", 0, 100000, 30);
    remove_item(&writing, L"opaque");
    finish(&writing, "fork");
    told(fork);
    check_hr("CimConvertBlockImage",
             cim.ConvertBlockImage(dir, fork->image, join(dir, L"converted.bcim")), S_OK);
    fork->container = _wcsdup(L"converted.bcim");
    told(fork);
}

/* ---- import ------------------------------------------------------------------------------------
 */

static bool is_layer(const struct tree *tree)
{
    const struct entry *entry = tree->entries;

    while (entry && entry->kind < ENTRY_TOMBSTONE && !entry->opaque) entry = entry->next;
    return entry || tree->container || tree->sources;
}

/* What only whoever merges images finds isn't there for others. */
static void compare_marked(struct tally *tally, struct tree *tree, const struct entry *entry)
{
    FILE_STAT_BASIC_INFORMATION info;
    HRESULT hr;

    if (tree->container)
        hr = cim.GetFileStatBasicInformation2(
                join(join(facts.import_from, tree->container), tree->image), entry->path, &info,
                CIM_READ_SINGLE_FILE);
    else
        hr = stat_image(join(facts.import_from, tree->image), entry->path, &info);
    compare(tally, tree, entry, "being there", hr != HR_FILE_NOT_FOUND && hr != HR_PATH_NOT_FOUND,
            false);
}

CASE(import_items, "ImportImages/LayersItems", DECISION, "D52", 0,
     "in containers, and of layers, each item is as it was stored, and no mark is shown")
{
    struct tally tally = {0, 0};
    struct tree *tree;
    struct entry *entry;

    for (tree = imported(); tree; tree = tree->next)
    {
        if (!is_layer(tree) || tree->sources) continue;
        for (entry = tree->entries; entry; entry = entry->next)
        {
            if (entry->kind >= ENTRY_TOMBSTONE)
            {
                compare_marked(&tally, tree, entry);
                continue;
            }
            compare_stat(&tally, tree, entry);
            compare_times(&tally, tree, entry);
            compare_data(&tally, tree, entry);
        }
    }
    check_tally(&tally);
}

enum
{
    MOST_IMAGES = 8
};

/* The images of a mount, the tree's first; answers how many. */
static UINT32 images_of(const struct tree *tree, CimFsImagePath images[MOST_IMAGES])
{
    const struct source *source = tree->sources;
    const WCHAR *container = tree->container, *name = tree->image;
    UINT32 count = 0;

    for (;;)
    {
        images[count].ImageDir =
                container ? _wcsdup(join(facts.import_from, container)) : facts.import_from;
        images[count++].ImageName = name;
        if (!source || count == MOST_IMAGES) return count;
        container = source->container;
        name = source->image;
        source = source->next;
    }
}

/* Mounted as what it is, by its root hash if it has one; the volume's root. */
static const WCHAR *mount_layer(const struct tree *tree, const struct kind *kind,
                                const CimFsImagePath *images, UINT32 count)
{
    GUID guid;

    if (tree->root.size)
        need_hr("a verified mount",
                mount_verified(kind->mount, images, count, (UINT16)tree->root.size, tree->root.data,
                               &guid));
    else if (count > 1)
        need_hr("CimMergeMountImage", mount_merged(kind, images, count, &guid));
    else
        need_hr("CimMountImage", mount_as(images->ImageDir, images->ImageName, kind->mount, &guid));
    return volume_root(&guid);
}

CASE(import_mounted, "ImportImages/LayersMounted", DECISION, "D52", NEEDS_MOUNT,
     "mounted, merged and by their root hashes too, they have their items and no other names")
{
    struct tally tally = {0, 0};
    struct tree *tree;

    for (tree = imported(); tree; tree = tree->next)
    {
        CimFsImagePath images[MOST_IMAGES];
        const WCHAR *volume;

        if (!is_layer(tree)) continue;
        volume = _wcsdup(mount_layer(tree, tree->container ? &in_files : &in_directories, images,
                                     images_of(tree, images)));
        compare_volume(&tally, tree, volume);
        dismount(volume);
    }
    check_tally(&tally);
}

/* A container's bytes on a device. */
static void put_on_device(unsigned device, const WCHAR *container)
{
    size_t size;
    void *bytes = load_file(container, &size);

    need(bytes != NULL, "can't read a container");
    save_device(device, bytes, size);
    free(bytes);
}

CASE(import_devices, "ImportImages/LayersOnDevices", DECISION, "D52", NEEDS_MOUNT,
     "so have containers whose bytes lie on block devices")
{
    const WCHAR *devices[MOST_IMAGES];
    struct tally tally = {0, 0};
    struct tree *tree;

    for (unsigned i = 0; i < MOST_IMAGES; i++) devices[i] = new_device(3 << 20);
    for (tree = imported(); tree; tree = tree->next)
    {
        CimFsImagePath images[MOST_IMAGES];
        const WCHAR *volume;
        UINT32 count;

        if (!tree->container) continue;
        count = images_of(tree, images);
        for (UINT32 i = 0; i < count; i++)
        {
            put_on_device(i, images[i].ImageDir);
            images[i].ImageDir = devices[i];
        }
        volume = _wcsdup(mount_layer(tree, &on_devices, images, count));
        compare_volume(&tally, tree, volume);
        dismount(volume);
    }
    check_tally(&tally);
}

/* ---- what is made again has the same bytes ---- */

static void compare_files(struct tally *tally, const struct tree *tree, const WCHAR *got,
                          const WCHAR *want)
{
    size_t size = 0, want_size = 0, i = 0;
    BYTE *bytes = load_file(got, &size), *want_bytes = load_file(want, &want_size);
    const struct entry nowhere = {.path = (WCHAR *)L""};

    need(bytes && want_bytes, "can't read the containers");
    while (i < size && i < want_size && bytes[i] == want_bytes[i]) i++;
    compare(tally, tree, &nowhere, "its size", size, want_size);
    compare(tally, tree, &nowhere, "the first byte that differs", i, want_size);
    free(bytes);
    free(want_bytes);
}

CASE(import_sealed, "ImportImages/SealedAgain", DECISION, "D52", 0,
     "a container that is to be sealed, sealed here, has the bytes that it got elsewhere")
{
    const WCHAR *copy = _wcsdup(container());
    struct tally tally = {0, 0};
    struct tree *tree;
    BYTE hash[32];

    for (tree = imported(); tree; tree = tree->next)
    {
        if (!tree->sealed) continue;
        need(CopyFileW(join(facts.import_from, tree->container), copy, FALSE), "can't copy");
        seal_container(copy, hash);
        compare_files(&tally, tree, copy, join(facts.import_from, tree->sealed));
    }
    check_tally(&tally);
}

CASE(import_merged, "ImportImages/MergedAgain", DECISION, "D45, D52", 0,
     "images that are merged again, and sealed if they were, make the container that is there")
{
    const WCHAR *copy = _wcsdup(container());
    struct tally tally = {0, 0};
    struct tree *tree;
    BYTE hash[32];

    for (tree = imported(); tree; tree = tree->next)
    {
        CimFsImagePath images[MOST_IMAGES];
        UINT32 count;

        if (!tree->again) continue;
        count = images_of(tree, images);
        images[0].ImageDir = copy;
        make_merged(&in_files, CONSISTENT | (tree->root.size ? VERIFIED : 0), images, count);
        if (tree->root.size) seal_container(copy, hash);
        compare_files(&tally, tree, copy, join(facts.import_from, tree->container));
        need(remove_file(copy), "can't remove the copy");
    }
    check_tally(&tally);
}

CASE(import_continued, "ImportImages/ContainersContinued", DECISION, "D52", 0,
     "in a container made elsewhere that isn't sealed, an image is forked and the fork extended")
{
    const WCHAR *copy = _wcsdup(container());
    struct tally tally = {0, 0};
    struct tree *tree;

    for (tree = imported(); tree; tree = tree->next)
    {
        const UINT32 flags = IN_FILE | (tree->sealed ? VERIFIED : 0);
        CIMFS_IMAGE_HANDLE image;

        if (!tree->container || tree->sources || tree->root.size) continue;
        need(CopyFileW(join(facts.import_from, tree->container), copy, FALSE), "can't copy");
        image = open_in(copy, flags, tree->image, L"a new fork.cim");
        put_text(image, L"a new file", "of the fork");
        commit_and_close(image);
        image = open_in(copy, flags, L"a new fork.cim", NULL);
        put_text(image, L"another new file", "of the extension");
        commit_and_close(image);
        compare(&tally, tree, tree->entries, "being extended and forked",
                !strcmp(text_in(copy, L"a new fork.cim", L"a new file", &(HRESULT){0}),
                        "of the fork") &&
                        !strcmp(text_in(copy, L"a new fork.cim", L"another new file",
                                        &(HRESULT){0}),
                                "of the extension") &&
                        look_in(copy, tree->image, L"a new file") == HR_FILE_NOT_FOUND,
                true);
    }
    check_tally(&tally);
}
