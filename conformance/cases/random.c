/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * random.c - a long row of random calls, held against a small model
 *
 * The model knows 39 paths, three names on each of three levels, and for each of them what is
 * there: nothing, a directory, or a file, which several paths may share. It says what a call must
 * answer and what the image must hold at last; its rules are those of D1 to D7. The row is the same
 * in every run.
 */
#include "items.h"

enum
{
    NAMES = 3,
    PATHS = NAMES + NAMES * NAMES + NAMES * NAMES * NAMES,
    FILES = 2000,
};

enum kind
{
    NOTHING,
    DIRECTORY,
    PLAIN, /* a file */
};

struct thing /* a file or directory: contents by number, 0: none */
{
    int content;
    int stream;
};

struct model
{
    enum kind kind[PATHS];
    int thing[PATHS];
    struct thing things[FILES];
    int thing_count;
    int content_count;
    uint32_t random;
    int wrong_answers;
};

static int parent_of(int path)
{
    return path < NAMES ? -1 : (path - NAMES) / NAMES;
}

/* The children of path p are NAMES + NAMES * p and the next ones. */
static const WCHAR *path_text(struct model *model, int path)
{
    static const WCHAR *const names[2][NAMES] = {{L"aa", L"b", L"cc.txt"},
                                                 {L"AA", L"B", L"CC.txt"}};
    int parent = parent_of(path);
    const WCHAR *name = names[model->random >> 7 & 1][(path < NAMES ? path : path - NAMES) % NAMES];

    return parent < 0 ? name : format_wide(L"%ls\\%ls", path_text(model, parent), name);
}

static uint32_t next_random(struct model *model, uint32_t range)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 17;
    model->random ^= model->random << 5;
    return (model->random >> 4) % range;
}

static size_t content_bytes(int content, BYTE *data)
{
    static const size_t sizes[] = {0, 1, 6, 100, 4096, 5000, 70000};
    size_t size = sizes[content % ARRAY_SIZE(sizes)];

    /* Every fourth content is the same as one before. */
    fill_bytes(data, size, content % 4 ? (uint32_t)content : 1);
    return size;
}

static bool parent_there(const struct model *model, int path)
{
    int parent = parent_of(path);

    return parent < 0 || model->kind[parent] == DIRECTORY;
}

/* A path; mostly one whose call can succeed: with a parent, or with something there. */
static int pick(struct model *model, bool something)
{
    int tries, path = 0;

    for (tries = 0; tries < 5; tries++)
    {
        path = (int)next_random(model, PATHS);
        if (something ? model->kind[path] != NOTHING : parent_there(model, path)) break;
    }
    return path;
}

static void forget(struct model *model, int path)
{
    int child;

    model->kind[path] = NOTHING;
    for (child = NAMES + NAMES * path; child < NAMES + NAMES * path + NAMES; child++)
        if (child < PATHS) forget(model, child);
}

static void is_now(struct model *model, int path, enum kind kind, int content)
{
    model->kind[path] = kind;
    model->thing[path] = model->thing_count;
    model->things[model->thing_count].content = content;
    model->things[model->thing_count++].stream = 0;
}

static void expect(struct model *model, const char *call, int path, HRESULT got, HRESULT want)
{
    if (got == want) return;
    if (!model->wrong_answers++)
        note("first wrong answer: %s of path %d: 0x%08lx, not 0x%08lx", call, path,
             (unsigned long)got, (unsigned long)want);
}

static HRESULT write_all(CIMFS_STREAM_HANDLE stream, const BYTE *data, size_t size)
{
    HRESULT hr = S_OK;

    if (size) hr = cim.WriteStream(stream, data, (UINT32)(size / 2));
    if (size && hr == S_OK)
        hr = cim.WriteStream(stream, data + size / 2, (UINT32)(size - size / 2));
    close_stream(stream);
    return hr;
}

static void random_file(struct model *model, CIMFS_IMAGE_HANDLE image, int path, BYTE *data)
{
    int content = ++model->content_count;
    size_t size = content_bytes(content, data);
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = cim.CreateFile(image, path_text(model, path), meta(0, (INT64)size), &stream);

    expect(model, "file", path, hr, parent_there(model, path) ? S_OK : HR_PATH_NOT_FOUND);
    if (FAILED(hr)) return;
    expect(model, "write", path, write_all(stream, data, size), S_OK);
    forget(model, path);
    is_now(model, path, PLAIN, content);
}

static void random_directory(struct model *model, CIMFS_IMAGE_HANDLE image, int path)
{
    HRESULT hr = try_create_file(image, path_text(model, path), meta(FILE_ATTRIBUTE_DIRECTORY, 0));

    expect(model, "directory", path, hr, parent_there(model, path) ? S_OK : HR_PATH_NOT_FOUND);
    if (SUCCEEDED(hr) && model->kind[path] != DIRECTORY) is_now(model, path, DIRECTORY, 0);
}

static void random_link(struct model *model, CIMFS_IMAGE_HANDLE image, int path)
{
    int target = pick(model, true);
    WCHAR target_text[40];
    HRESULT hr, want = S_OK;

    wcscpy(target_text, path_text(model, target));
    /* Where two errors are due at once none has precedence: left out. */
    if ((model->kind[target] != PLAIN) + !parent_there(model, path) +
                (model->kind[path] == DIRECTORY) >
        1)
        return;
    if (model->kind[target] == NOTHING || !parent_there(model, path)) want = HR_PATH_NOT_FOUND;
    if (model->kind[target] == DIRECTORY || model->kind[path] == DIRECTORY) want = E_ACCESSDENIED;
    hr = cim.CreateHardLink(image, path_text(model, path), target_text);
    expect(model, "link", path, hr, want);
    if (FAILED(hr)) return;
    model->kind[path] = PLAIN;
    model->thing[path] = model->thing[target];
}

static void random_stream(struct model *model, CIMFS_IMAGE_HANDLE image, int path, BYTE *data)
{
    int content = ++model->content_count;
    size_t size = content_bytes(content, data);
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = cim.CreateAlternateStream(image, format_wide(L"%ls:s", path_text(model, path)),
                                           size, &stream);

    expect(model, "stream", path, hr, model->kind[path] ? S_OK : HR_PATH_NOT_FOUND);
    if (FAILED(hr)) return;
    expect(model, "write", path, write_all(stream, data, size), S_OK);
    model->things[model->thing[path]].stream = content;
}

static void random_delete(struct model *model, CIMFS_IMAGE_HANDLE image, int path)
{
    HRESULT hr = cim.DeletePath(image, path_text(model, path));

    expect(model, "delete", path, hr, model->kind[path] ? S_OK : HR_PATH_NOT_FOUND);
    if (SUCCEEDED(hr)) forget(model, path);
}

static void random_stream_delete(struct model *model, CIMFS_IMAGE_HANDLE image, int path)
{
    struct thing *thing = &model->things[model->thing[path]];
    bool there = model->kind[path] && thing->stream;
    HRESULT hr = cim.DeletePath(image, format_wide(L"%ls:s", path_text(model, path)));

    expect(model, "delete stream", path, hr, there ? S_OK : HR_PATH_NOT_FOUND);
    if (SUCCEEDED(hr) && there) thing->stream = 0;
}

static void random_call(struct model *model, CIMFS_IMAGE_HANDLE image, BYTE *data)
{
    uint32_t kind = next_random(model, 100);
    int path = pick(model, kind >= 65);

    if (kind < 22)
        random_file(model, image, path, data);
    else if (kind < 45)
        random_directory(model, image, path);
    else if (kind < 65)
        random_link(model, image, path);
    else if (kind < 85)
        random_stream(model, image, path, data);
    else if (kind < 92)
        random_delete(model, image, path);
    else
        random_stream_delete(model, image, path);
}

static bool same_content(const WCHAR *name, const WCHAR *path, int content, BYTE *want)
{
    size_t size, want_size = content_bytes(content, want);
    HRESULT hr;
    BYTE *got = stored_data(case_dir(), name, path, &size, &hr);
    bool same = got && size == want_size && !memcmp(got, want, size);

    free(got);
    return same;
}

/* Is the path what the model says? */
static bool path_is_right(struct model *model, const WCHAR *name, int path, BYTE *data)
{
    const struct thing *thing = &model->things[model->thing[path]];
    FILE_STAT_BASIC_INFORMATION info;
    WCHAR text[40], stream[44];
    bool directory;

    wcscpy(text, path_text(model, path));
    swprintf(stream, ARRAY_SIZE(stream), L"%ls:s", text);
    if (FAILED(stored_stat(case_dir(), name, text, &info))) return model->kind[path] == NOTHING;
    if (model->kind[path] == NOTHING) return false;
    directory = info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    if (directory != (model->kind[path] == DIRECTORY)) return false;
    if (!directory && !same_content(name, text, thing->content, data)) return false;
    return thing->stream ? same_content(name, stream, thing->stream, data)
                         : !stored_exists(case_dir(), name, stream);
}

static int wrong_paths(struct model *model, const WCHAR *name, BYTE *data)
{
    int path, wrong = 0;

    for (path = 0; path < PATHS; path++)
    {
        if (path_is_right(model, name, path, data)) continue;
        if (!wrong++) note("%ls: first wrong: path %d, kind %d", name, path, model->kind[path]);
    }
    return wrong;
}

/* Sessions of random calls: a fresh image, then in turn extensions and forks of the newest. */
static void random_row(uint32_t seed)
{
    enum
    {
        SESSIONS = 6,
        CALLS = 120
    };
    struct model *model = calloc(1, sizeof(*model)), *before = malloc(sizeof(*before));
    BYTE *data = malloc(70000);
    WCHAR name[20] = L"r0.cim", base[20] = L"";
    char value[60];
    int session, call;

    need(model && before && data, "no memory");
    model->random = seed * 2654435761u;
    for (session = 0; session < SESSIONS; session++)
    {
        bool fork = session && session % 2 == 0;
        CIMFS_IMAGE_HANDLE image;

        wcscpy(base, name);
        *before = *model;
        if (fork) swprintf(name, ARRAY_SIZE(name), L"r%d.cim", session);
        image = open_image(case_dir(), session ? base : NULL, name);
        for (call = 0; call < CALLS; call++) random_call(model, image, data);
        commit_and_close(image);
        snprintf(value, sizeof(value), "session %d: wrong paths", session);
        check_number(value, wrong_paths(model, name, data), 0);
        if (!fork) continue;
        snprintf(value, sizeof(value), "session %d: wrong paths in its base", session);
        check_number(value, wrong_paths(before, base, data), 0);
    }
    check_number("wrong answers", model->wrong_answers, 0);
    free(data);
    free(before);
    free(model);
}

CASE_CALL(row_1, "Tree/RandomCalls1", DECISION, "D2", 0,
          "720 random calls in six sessions, seed 1, answer and leave what D1 to D7 say",
          random_row(1))

CASE_CALL(row_2, "Tree/RandomCalls2", DECISION, "D3", 0,
          "720 random calls in six sessions, seed 2, answer and leave what D1 to D7 say",
          random_row(2))

CASE_CALL(row_3, "Tree/RandomCalls3", DECISION, "D4", 0,
          "720 random calls in six sessions, seed 3, answer and leave what D1 to D7 say",
          random_row(3))
