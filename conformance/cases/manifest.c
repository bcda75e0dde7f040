/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest.c - trees of what images hold, written to and read from a manifest
 */
#include "manifest.h"

UINT64 fnv64(const void *data, size_t size)
{
    const BYTE *bytes = data;
    UINT64 hash = 14695981039346656037ull;

    while (size--) hash = (hash ^ *bytes++) * 1099511628211ull;
    return hash;
}

static void *need_memory(void *memory)
{
    need(memory != NULL, "out of memory");
    return memory;
}

/* ---- trees ------------------------------------------------------------------------------------
 */

struct tree *tree_new(const WCHAR *image)
{
    struct tree *tree = need_memory(calloc(1, sizeof(*tree)));

    tree->image = need_memory(_wcsdup(image));
    return tree;
}

static struct entry **tree_end(struct tree *tree)
{
    struct entry **end = &tree->entries;

    while (*end) end = &(*end)->next;
    return end;
}

struct entry *tree_add(struct tree *tree, enum entry_kind kind, const WCHAR *path,
                       const WCHAR *other)
{
    struct entry *entry = need_memory(calloc(1, sizeof(*entry)));

    entry->kind = kind;
    entry->path = need_memory(_wcsdup(path));
    if (other) entry->other = need_memory(_wcsdup(other));
    *tree_end(tree) = entry;
    return entry;
}

void tree_add_source(struct tree *tree, const WCHAR *image, const WCHAR *container)
{
    struct source *source = need_memory(calloc(1, sizeof(*source))), **end = &tree->sources;

    source->image = need_memory(_wcsdup(image));
    if (container) source->container = need_memory(_wcsdup(container));
    while (*end) end = &(*end)->next;
    *end = source;
}

struct tree *tree_copy(const struct tree *tree, const WCHAR *image)
{
    struct tree *copy = tree_new(image);
    const struct entry *entry;

    copy->container = tree->container;
    copy->sources = tree->sources;
    for (entry = tree->entries; entry; entry = entry->next)
    {
        struct entry *added = tree_add(copy, entry->kind, entry->path, entry->other);
        struct entry whole = *entry;

        whole.path = added->path;
        whole.other = added->other;
        whole.next = NULL;
        *added = whole;
    }
    return copy;
}

struct entry *tree_find(struct tree *tree, const WCHAR *path)
{
    struct entry *entry;

    for (entry = tree->entries; entry; entry = entry->next)
        if (entry->kind != ENTRY_STREAM && entry->kind < ENTRY_TOMBSTONE &&
            !_wcsicmp(entry->path, path))
            break;
    return entry;
}

static bool is_at_or_below(const WCHAR *path, const WCHAR *top)
{
    size_t length = wcslen(top);

    return !_wcsnicmp(path, top, length) && (!path[length] || path[length] == '\\');
}

/* The entry of a file goes, but other names stay: the first of them becomes the file. */
static void hand_over(struct tree *tree, const struct entry *file)
{
    struct entry *entry, *heir = NULL;

    for (entry = tree->entries; entry; entry = entry->next)
    {
        if (entry->kind != ENTRY_LINK || _wcsicmp(entry->other, file->path)) continue;
        if (heir)
        {
            entry->other = heir->path;
            continue;
        }
        heir = entry;
    }
    if (heir)
    {
        struct entry whole = *file;

        whole.path = heir->path;
        whole.next = heir->next;
        *heir = whole;
    }
    for (entry = tree->entries; heir && entry; entry = entry->next)
        if (entry->kind == ENTRY_STREAM && !_wcsicmp(entry->path, file->path))
            entry->path = heir->path;
}

void tree_remove(struct tree *tree, const WCHAR *path)
{
    struct entry **at = &tree->entries;

    while (*at)
    {
        struct entry *entry = *at;

        if (!is_at_or_below(entry->path, path))
        {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        if (entry->kind == ENTRY_FILE) hand_over(tree, entry);
    }
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put_name(FILE *file, const WCHAR *name)
{
    for (; *name; name++)
        if (*name == '\\')
            putc('/', file);
        else if (*name > 32 && *name < 127 && *name != '%')
            putc(*name, file);
        else
            fprintf(file, "%%%04x", *name);
}

static void put_blob(FILE *file, const char *name, const struct blob *blob)
{
    UINT32 i;

    if (!blob->size) return;
    fprintf(file, "\t%s=", name);
    for (i = 0; i < blob->size; i++) fprintf(file, "%02x", blob->data[i]);
}

static void put_data(FILE *file, const struct entry *entry)
{
    fprintf(file, "\tsize=%llu\tdata=", (unsigned long long)entry->size);
    if (entry->zeros)
        fputs("zeros", file);
    else
        fprintf(file, "%016llx", (unsigned long long)entry->fnv);
}

static void put_field(FILE *file, const char *before, const WCHAR *name)
{
    if (!name) return;
    fputs(before, file);
    put_name(file, name);
}

static void put_metadata(FILE *file, const struct entry *entry)
{
    static const char *const times[] = {"created", "written", "changed", "accessed"};
    int i;

    fprintf(file, "\tattributes=%lx", (unsigned long)(entry->attributes & MANIFEST_ATTRIBUTES));
    for (i = 0; i < 4; i++) fprintf(file, "\t%s=%lld", times[i], (long long)entry->times[i]);
    put_blob(file, "security", &entry->security);
    put_blob(file, "ea", &entry->ea);
    put_blob(file, "reparse", &entry->reparse);
    if (entry->opaque) fputs("\tmark=opaque", file);
    if (entry->kind == ENTRY_FILE) put_data(file, entry);
}

static const char *const kinds[] = {"directory", "file",      "stream",
                                    "link",      "tombstone", "merge-link"};

static void put_entry(FILE *file, const struct entry *entry)
{
    fprintf(file, "%s\t/", kinds[entry->kind]);
    put_name(file, entry->path);
    put_field(file, entry->kind == ENTRY_STREAM ? "\tname=" : "\tto=/", entry->other);
    if (entry->kind == ENTRY_STREAM) put_data(file, entry);
    if (entry->kind <= ENTRY_FILE) put_metadata(file, entry);
    putc('\n', file);
}

static void put_image(FILE *file, const struct tree *tree)
{
    const struct source *source;

    put_field(file, "image\t", tree->image);
    put_field(file, "\tcontainer=", tree->container);
    put_blob(file, "root", &tree->root);
    put_field(file, "\tsealed=", tree->sealed);
    fputs(tree->again ? "\tagain=1\n" : "\n", file);
    for (source = tree->sources; source; source = source->next)
    {
        put_field(file, "source\t", source->image);
        put_field(file, "\tcontainer=", source->container);
        putc('\n', file);
    }
}

bool manifest_append(const WCHAR *dir, const struct tree *tree)
{
    FILE *file = _wfopen(join(dir, MANIFEST_NAME), L"ab");
    const struct entry *entry;
    bool good;

    if (!file) return false;
    fseek(file, 0, SEEK_END);
    if (!ftell(file)) fputs("cimfs-manifest 1\n", file);
    put_image(file, tree);
    for (entry = tree->entries; entry; entry = entry->next) put_entry(file, entry);
    good = !ferror(file);
    return !fclose(file) && good;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static WCHAR *get_name(const char *text)
{
    WCHAR *name = need_memory(calloc(strlen(text) + 1, sizeof(WCHAR))), *out = name;
    unsigned unit;

    for (; *text; text++)
    {
        if (*text == '%' && sscanf(text + 1, "%4x", &unit) == 1)
        {
            *out++ = (WCHAR)unit;
            text += 4;
        }
        else
            *out++ = *text == '/' ? '\\' : (unsigned char)*text;
    }
    return name;
}

static struct blob get_blob(const char *text)
{
    struct blob blob = {NULL, 0};
    unsigned byte;

    blob.data = need_memory(malloc(strlen(text) / 2 + 1));
    while (sscanf(text, "%2x", &byte) == 1)
    {
        blob.data[blob.size++] = (BYTE)byte;
        text += 2;
    }
    return blob;
}

static void get_field(struct entry *entry, const char *name, const char *value)
{
    if (!strcmp(name, "attributes"))
        entry->attributes = strtoul(value, NULL, 16);
    else if (!strcmp(name, "created"))
        entry->times[0] = strtoll(value, NULL, 10);
    else if (!strcmp(name, "written"))
        entry->times[1] = strtoll(value, NULL, 10);
    else if (!strcmp(name, "changed"))
        entry->times[2] = strtoll(value, NULL, 10);
    else if (!strcmp(name, "accessed"))
        entry->times[3] = strtoll(value, NULL, 10);
    else if (!strcmp(name, "size"))
        entry->size = strtoull(value, NULL, 10);
    else if (!strcmp(name, "data"))
    {
        entry->zeros = !strcmp(value, "zeros");
        entry->fnv = entry->zeros ? 0 : strtoull(value, NULL, 16);
    }
    else if (!strcmp(name, "security"))
        entry->security = get_blob(value);
    else if (!strcmp(name, "ea"))
        entry->ea = get_blob(value);
    else if (!strcmp(name, "reparse"))
        entry->reparse = get_blob(value);
    else if (!strcmp(name, "mark"))
        entry->opaque = !strcmp(value, "opaque");
    else if (!strcmp(name, "name") || !strcmp(name, "to"))
        entry->other = get_name(value + (*name == 't')); /* a path begins with '/' */
    else
        need(false, "the manifest has an unknown field: %s", name);
}

static void get_image_field(struct tree *tree, const char *name, const char *value)
{
    if (!strcmp(name, "container"))
        tree->container = get_name(value);
    else if (!strcmp(name, "root"))
        tree->root = get_blob(value);
    else if (!strcmp(name, "sealed"))
        tree->sealed = get_name(value);
    else if (!strcmp(name, "again"))
        tree->again = true;
    else
        need(false, "the manifest has an unknown field: %s", name);
}

/* The next field of the line, cut at its '='; NULL at the end. */
static char *next_field(char **value)
{
    char *field = strtok(NULL, "\t");

    if (!field) return NULL;
    *value = strchr(field, '=');
    need(*value != NULL, "the manifest has a field without a value");
    *(*value)++ = 0;
    return field;
}

static void get_image(const char *kind, const char *path, struct tree **tree)
{
    struct tree *image = tree_new(get_name(path));
    char *field, *value;

    while ((field = next_field(&value))) get_image_field(image, field, value);
    if (strcmp(kind, "source"))
        *tree = image;
    else
    {
        need(*tree != NULL, "the manifest has a source of no image");
        tree_add_source(*tree, image->image, image->container);
    }
}

static void get_line(char *line, struct tree **tree)
{
    char *kind = strtok(line, "\t"), *path = strtok(NULL, "\t"), *field, *value;
    struct entry *entry;
    unsigned i;

    need(kind && path, "the manifest has a line without a path");
    if (!strcmp(kind, "image") || !strcmp(kind, "source"))
    {
        get_image(kind, path, tree);
        return;
    }
    for (i = 0; i < ARRAY_SIZE(kinds) && strcmp(kinds[i], kind); i++)
    {
    }
    need(i < ARRAY_SIZE(kinds) && *tree && *path == '/', "the manifest has a bad line: %s", kind);
    entry = tree_add(*tree, (enum entry_kind)i, get_name(path + 1), NULL);
    while ((field = next_field(&value))) get_field(entry, field, value);
}

struct tree *manifest_load(const WCHAR *dir)
{
    struct tree *first = NULL, **last = &first, *now = NULL;
    size_t size;
    char *text = load_file(join(dir, MANIFEST_NAME), &size), *line, *end;

    need(text && !strncmp(text, "cimfs-manifest 1\n", 17), "no manifest.txt of this version");
    for (line = text + 17; *line; line = end + 1)
    {
        struct tree *before = now;

        end = strchr(line, '\n');
        need(end != NULL, "the manifest is cut");
        *end = 0;
        get_line(line, &now);
        if (now == before) continue;
        *last = now;
        last = &now->next;
    }
    free(text);
    need(first != NULL, "the manifest names no image");
    return first;
}
