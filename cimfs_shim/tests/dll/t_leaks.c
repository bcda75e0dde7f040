/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_leaks.c - calls, whether they work or fail, leave neither memory nor handles behind
 *
 * Each story is told some times, and after each the DLL has as many blocks of memory as before;
 * after all, the process has as many handles. Then some are told with one allocation after the
 * other failing: the answer is E_OUTOFMEMORY, nothing is left, and the story can be told again.
 *
 *   t_leaks          the stories that need nothing else
 *   t_leaks volume   that of a volume, for which a helper mounts (helpers.sh)
 */
#include "imports.h"
#include "mounttest.h"

enum
{
    WARM_UP = 2,
    TIMES = 10,
    SLACK = 8 /* what others in the process may take meanwhile */
};

static const WCHAR *dir;

/* ---- the DLL's memory ---- */

static int blocks;       /* it has, beyond those of the beginning */
static unsigned fail_at; /* the allocation that fails, from 1; 0: none does */
static unsigned allocations;

static bool fails(void)
{
    return ++allocations == fail_at;
}

static void *__cdecl malloc_stand_in(size_t size)
{
    void *block = fails() ? NULL : malloc(size);

    blocks += block != NULL;
    return block;
}

static void *__cdecl calloc_stand_in(size_t count, size_t size)
{
    void *block = fails() ? NULL : calloc(count, size);

    blocks += block != NULL;
    return block;
}

static void *__cdecl realloc_stand_in(void *old, size_t size)
{
    void *block = fails() ? NULL : realloc(old, size);

    blocks += !old && block != NULL;
    return block;
}

static char *__cdecl strdup_stand_in(const char *text)
{
    char *block = fails() ? NULL : _strdup(text);

    blocks += block != NULL;
    return block;
}

static WCHAR *__cdecl wcsdup_stand_in(const WCHAR *text)
{
    WCHAR *block = fails() ? NULL : _wcsdup(text);

    blocks += block != NULL;
    return block;
}

static void __cdecl free_stand_in(void *block)
{
    blocks -= block != NULL;
    free(block);
}

static void divert_memory(void)
{
    static const struct
    {
        const char *name;
        void *function;
    } rows[] = {
            {"malloc", malloc_stand_in},   {"calloc", calloc_stand_in},
            {"realloc", realloc_stand_in}, {"_strdup", strdup_stand_in},
            {"_wcsdup", wcsdup_stand_in},  {"free", free_stand_in},
    };
    size_t i;

    for (i = 0; i < ARRAYSIZE(rows); i++)
        if (!divert(rows[i].name, rows[i].function)) bail("%s isn't imported", rows[i].name);
}

/* What others allocated for the DLL. */
static int heap_in_use(void)
{
    PROCESS_HEAP_ENTRY entry = {NULL};
    HANDLE heap = GetProcessHeap();
    int count = 0;

    if (!HeapLock(heap)) return 0;
    while (HeapWalk(heap, &entry)) count += (entry.wFlags & PROCESS_HEAP_ENTRY_BUSY) != 0;
    HeapUnlock(heap);
    return count;
}

static int handles_in_use(void)
{
    DWORD count = 0;

    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (int)count;
}

/* ---- stories ----------------------------------------------------------------------------------
 */

static HRESULT add(CIMFS_IMAGE_HANDLE image, const WCHAR *path, INT64 size)
{
    CIMFS_FILE_METADATA metadata = {.FileSize = size};
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateFile(image, path, &metadata, &stream);

    if (hr && stream) hr = E_UNEXPECTED;
    if (!hr) hr = CimWriteStream(stream, "text", 4);
    CimCloseStream(stream);
    return hr;
}

static HRESULT session_without_commit(void)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateImage(dir, NULL, L"new.cim", &image);
    BOOLEAN exists;

    if (!hr) hr = add(image, L"f", 4);
    if (!hr) hr = CimCreateAlternateStream(image, L"f:s", 3, &stream);
    CimCloseStream(stream);
    if (!hr) hr = CimCreateHardLink(image, L"g", L"f");
    if (!hr) hr = CimLookupFile(image, L"g", &exists);
    if (!hr) hr = CimDeletePath(image, L"f");
    CimCloseImage(image);
    return hr;
}

static HRESULT commit(const WCHAR *existing, const WCHAR *name, UINT32 flags)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = CimCreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)flags, existing, name, &image);

    if (!hr) hr = add(image, L"f", 4);
    if (!hr) hr = CimCommitImage(image);
    CimCloseImage(image);
    return hr;
}

static HRESULT session_that_extends(void)
{
    return commit(L"base.cim", NULL, 0);
}

static HRESULT session_that_forks(void)
{
    DeleteFileW(path_of(dir, L"fork.cim"));
    return commit(L"base.cim", L"fork.cim", 0);
}

static HRESULT session_of_the_same(void)
{
    DeleteFileW(path_of(dir, L"same.cim"));
    return commit(NULL, L"same.cim", CIM_CREATE_CONSISTENT_CIMS);
}

static HRESULT image_closed_before_its_stream(void)
{
    CIMFS_FILE_METADATA metadata = {.FileSize = 4};
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;
    HRESULT hr = CimCreateImage(dir, NULL, L"new.cim", &image);

    if (!hr) hr = CimCreateFile(image, L"f", &metadata, &stream);
    CimCloseImage(image);
    CimCloseStream(stream);
    return hr;
}

/* The number of calls that succeeded, which all should not. */
static HRESULT sessions_refused(void)
{
    CIMFS_IMAGE_HANDLE image = NULL, other = NULL;
    int good = 0;

    good += !CimCreateImage(dir, NULL, L"a:b", &image);
    good += !CimCreateImage(dir, NULL, L"base.cim", &image);
    good += !CimCreateImage(dir, L"none.cim", L"new.cim", &image);
    good += !CimCreateImage(dir, L"broken.cim", NULL, &image);
    good += !CimCreateImage(path_of(dir, L"none"), NULL, L"new.cim", &image);
    good += !CimCreateImage(path_of(dir, L"base.cim"), NULL, L"new.cim", &image);
    good += !CimCreateImage2(dir, CIM_CREATE_IMAGE_BLOCK_CIM, NULL, L"new.cim", &image);
    if (!CimCreateImage(dir, NULL, L"new.cim", &image))
    {
        good += !CimCreateImage(dir, NULL, L"other.cim", &other);
        CimCloseImage(image);
    }
    return good;
}

static HRESULT calls_refused(void)
{
    CIMFS_FILE_METADATA metadata = {.FileSize = -1};
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;
    int good = CimCreateImage(dir, NULL, L"new.cim", &image) != S_OK;
    BOOLEAN exists;

    good += !CimCreateFile(image, L"f", &metadata, &stream);
    good += !CimCreateFile(image, NULL, &metadata, &stream);
    good += !add(image, L"no\\f", 4);
    good += !CimCreateAlternateStream(image, L"no:s", 3, &stream);
    good += !CimCreateAlternateStream(image, NULL, 3, &stream);
    good += !CimCreateHardLink(image, L"g", L"no");
    good += !CimDeletePath(image, L"no");
    good += !CimLookupFile(image, L"a*", &exists);
    metadata.FileSize = 4;
    good += CimCreateFile(image, L"f", &metadata, &stream) != S_OK;
    good += !add(image, L"g", 4);
    good += !CimWriteStream(stream, NULL, 4);
    good += !CimCommitImage(image);
    CimCloseStream(stream);
    CimCloseImage(image);
    good += !CimCommitImage(image);
    return good;
}

static HRESULT commit_refused(void)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = CimCreateImage(dir, NULL, L"late.cim", &image);

    if (hr) return hr;
    save_file(path_of(dir, L"late.cim"), "mine", 4);
    hr = CimCommitImage(image) == HR_EXISTS ? S_OK : E_FAIL;
    CimCloseImage(image);
    DeleteFileW(path_of(dir, L"late.cim"));
    return hr;
}

static HRESULT reading(void)
{
    const WCHAR *image = path_of(dir, L"base.cim");
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char buffer[8];
    HRESULT hr = CimReadFile(image, L"f.txt", 0, buffer, 8, &got, &left);

    if (!hr) hr = CimReadFile(image, L"f.txt:s", 0, buffer, 8, &got, &left);
    if (!hr) hr = CimGetFileStatBasicInformation(image, L"f.txt", &info);
    if (!hr) hr = CimGetFileStatBasicInformation(image, L"f.txt:s", &info);
    return hr;
}

static HRESULT reading_refused(void)
{
    static const WCHAR *const paths[] = {L"no", L"no\\f", L"a*", L"d", L"f.txt:no", NULL};
    const WCHAR *image = path_of(dir, L"base.cim"), *broken = path_of(dir, L"broken.cim");
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char buffer[8];
    int good = 0;
    size_t i;

    for (i = 0; i < ARRAYSIZE(paths); i++)
    {
        good += !CimReadFile(image, paths[i], 0, buffer, 8, &got, &left);
        good += !CimReadFile(broken, paths[i], 0, buffer, 8, &got, &left);
        if (i != 3) good += !CimGetFileStatBasicInformation(image, paths[i], &info);
    }
    good += !CimReadFile(image, L"f.txt", 1000, buffer, 8, &got, &left);
    good += !CimReadFile(path_of(dir, L"none.cim"), L"f", 0, buffer, 8, &got, &left);
    good += !CimReadFile(path_of(dir, L"no\\none.cim"), L"f", 0, buffer, 8, &got, &left);
    good += !CimReadFile(dir, L"f", 0, buffer, 8, &got, &left);
    return good;
}

static HRESULT mounts_refused(void)
{
    static const GUID guid = {0xC1F5ABCD, 0x7E57, 0x4000, {0x80}};
    int good = 0;

    good += !CimMountImage(dir, L"a:b", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(dir, L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(L"", L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(path_of(dir, L"no"), L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimMountImage(NULL, L"none.cim", CIM_MOUNT_IMAGE_NONE, &guid);
    good += !CimDismountImage(NULL);
    return good;
}

static HRESULT mount_without_a_helper(void)
{
    static const GUID guid = {0xC1F5ABCD, 0x7E57, 0x4000, {0x80}};
    HRESULT hr = CimMountImage(dir, L"base.cim", CIM_MOUNT_IMAGE_NONE, &guid);

    if (hr != HR_NOT_SUPPORTED) return hr ? hr : E_UNEXPECTED;
    hr = CimDismountImage(&guid);
    return hr == HR_NOT_SUPPORTED ? S_OK : hr ? hr : E_UNEXPECTED;
}

/* ---- containers ---- */

#define IN_FILE CIM_CREATE_IMAGE_SINGLE_FILE

static BYTE root_hash[32]; /* of base.bcim */

/* An image in a container, which can be sealed then. */
static HRESULT make_container(const WCHAR *path, const WCHAR *name,
                              HRESULT (*more)(CIMFS_IMAGE_HANDLE))
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = CimCreateImage2(path, (CIM_CREATE_IMAGE_FLAGS)(IN_FILE | CIM_CREATE_VERIFIED),
                                 NULL, name, &image);

    if (!hr) hr = more(image);
    if (!hr) hr = CimCommitImage(image);
    CimCloseImage(image);
    return hr;
}

static HRESULT put_file(CIMFS_IMAGE_HANDLE image)
{
    return add(image, L"f.txt", 4);
}

static HRESULT put_marks(CIMFS_IMAGE_HANDLE image)
{
    HRESULT hr = put_file(image);

    if (!hr) hr = CimTombstoneFile(image, L"d\\gone");
    if (!hr) hr = CimCreateMergeLink(image, L"d\\link", L"f.txt");
    return hr;
}

static HRESULT put_source(CIMFS_IMAGE_HANDLE image)
{
    WCHAR source[PATH_ROOM];

    _snwprintf(source, PATH_ROOM, L"%ls\\base.cim", path_of(dir, L"base.bcim"));
    return CimAddFsToMergedImage2(image, source, CIM_MERGE_SINGLE_FILE | CIM_MERGE_VERIFIED);
}

static HRESULT session_in_a_container(void)
{
    DeleteFileW(path_of(dir, L"new.bcim"));
    return make_container(path_of(dir, L"new.bcim"), L"a.cim", put_marks);
}

static HRESULT merging_session(void)
{
    DeleteFileW(path_of(dir, L"new.bcim"));
    return make_container(path_of(dir, L"new.bcim"), L"a.cim", put_source);
}

static HRESULT sealing(void)
{
    const WCHAR *path = path_of(dir, L"new.bcim");
    UINT64 hash_size, signature_size, header_size;
    UINT32 sealed = 0;
    BYTE hash[32];
    HRESULT hr;

    if (!CopyFileW(path_of(dir, L"unsealed.bcim"), path, FALSE)) return E_UNEXPECTED;
    hr = CimSealImage(path, &hash_size, &header_size, hash);
    if (!hr)
        hr = CimGetVerificationInformation(path, &sealed, &hash_size, &signature_size, &header_size,
                                           hash, NULL);
    return hr || sealed == 1 ? hr : E_UNEXPECTED;
}

static HRESULT reading_in_a_container(void)
{
    WCHAR image[PATH_ROOM];
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char buffer[8];
    HRESULT hr;

    _snwprintf(image, PATH_ROOM, L"%ls\\base.cim", path_of(dir, L"base.bcim"));
    hr = CimReadFile2(image, L"f.txt", 0, buffer, 8, &got, &left, CIM_READ_SINGLE_FILE);
    if (!hr) hr = CimGetFileStatBasicInformation2(image, L"f.txt", &info, CIM_READ_SINGLE_FILE);
    return hr;
}

static HRESULT converting(void)
{
    DeleteFileW(path_of(dir, L"new.bcim"));
    return CimConvertBlockImage(dir, L"base.cim", path_of(dir, L"new.bcim"));
}

/* What is looked at before a helper is missed. */
static HRESULT mounts_without_a_helper(void)
{
    static const GUID guid = {0xC1F5ABCD, 0x7E57, 0x4000, {0x80}};
    const CimFsImagePath images[] = {{path_of(dir, L"merged.bcim"), L"a.cim"},
                                     {path_of(dir, L"base.bcim"), L"base.cim"}};
    HRESULT hr = CimMountImage(images[1].ImageDir, L"base.cim", CIM_MOUNT_SINGLE_FILE, &guid);

    if (hr != HR_NOT_SUPPORTED) return hr ? hr : E_UNEXPECTED;
    hr = CimMountVerifiedImage(images[1].ImageDir, L"base.cim", CIM_MOUNT_SINGLE_FILE, &guid, 32,
                               root_hash);
    if (hr != HR_NOT_SUPPORTED) return hr ? hr : E_UNEXPECTED;
    hr = CimMergeMountImage(2, images, CIM_MOUNT_SINGLE_FILE, &guid);
    return hr == HR_NOT_SUPPORTED ? S_OK : hr ? hr : E_UNEXPECTED;
}

static void make_containers(void)
{
    const WCHAR *path = path_of(dir, L"base.bcim");
    UINT64 size, header;

    if (make_container(path_of(dir, L"unsealed.bcim"), L"base.cim", put_marks) ||
        make_container(path, L"base.cim", put_file) ||
        CimSealImage(path, &size, &header, root_hash) ||
        make_container(path_of(dir, L"merged.bcim"), L"a.cim", put_source))
        bail("can't make the containers");
}

/* ---- volumes ---- */

/* Without memory for its name, the prefix's directory or the helper isn't there. */
static HRESULT without_memory(HRESULT hr)
{
    return fail_at && hr == HR_NOT_SUPPORTED ? E_OUTOFMEMORY : hr;
}

/* If it isn't mounted there is nothing; if it isn't dismounted it is there, and the next try works.
 */
static HRESULT volume(void)
{
    const GUID guid = test_guid(1);
    HRESULT hr = CimMountImage(dir, L"base.cim", CIM_MOUNT_IMAGE_NONE, &guid);

    if (hr) return volume_exists(&guid) ? E_UNEXPECTED : without_memory(hr);
    hr = CimDismountImage(&guid);
    if (!hr) return volume_exists(&guid) ? E_UNEXPECTED : S_OK;
    if (!volume_exists(&guid)) return E_UNEXPECTED;
    hr = without_memory(hr);
    fail_at = 0;
    return CimDismountImage(&guid) ? E_UNEXPECTED : hr;
}

static HRESULT dismount_by_a_helper_that_is_looked_for(void)
{
    const GUID guid = test_guid(2);

    return CimDismountImage(&guid) ? S_OK : E_UNEXPECTED;
}

static const struct story
{
    const char *name;
    HRESULT (*tell)(void);
    unsigned step; /* each so many-th allocation fails; 0: none does */
} stories[] = {
        {"a session without a commit", session_without_commit, 3},
        {"a session that extends an image", session_that_extends, 0},
        {"a session that forks an image", session_that_forks, 7},
        {"a session whose files are there", session_of_the_same, 0},
        {"an image closed before its stream", image_closed_before_its_stream, 5},
        {"sessions that are refused", sessions_refused, 0},
        {"calls that are refused", calls_refused, 0},
        {"a commit that is refused", commit_refused, 0},
        {"reading", reading, 1},
        {"reading that is refused", reading_refused, 0},
        {"mounts that are refused", mounts_refused, 0},
        {"a mount without a helper", mount_without_a_helper, 1},
        {"a session in a container", session_in_a_container, 11},
        {"a merging session", merging_session, 3},
        {"sealing", sealing, 1},
        {"reading in a container", reading_in_a_container, 1},
        {"an image copied into a container", converting, 11},
        {"mounts of containers without a helper", mounts_without_a_helper, 1},
};

static void test_leaks(const struct story *story)
{
    int i, heap = 0, handles = 0, wrong = 0, left = 0;

    for (i = 0; i < WARM_UP + TIMES; i++)
    {
        if (i == WARM_UP)
        {
            heap = heap_in_use();
            handles = handles_in_use();
            left = blocks;
        }
        wrong += story->tell() != S_OK;
    }
    is_int(wrong, 0, "%s: told %d times, as it should be", story->name, WARM_UP + TIMES);
    is_int(blocks - left, 0, "%s: blocks left", story->name);
    heap = heap_in_use() - heap;
    ok(heap < SLACK, "%s: the process has no more memory (%d blocks more)", story->name, heap);
    handles = handles_in_use() - handles;
    ok(handles < SLACK, "%s: no handle is left open (%d more)", story->name, handles);
}

static void test_no_memory(const struct story *story)
{
    int refused = 0, wrong = 0, left = 0, before;
    unsigned at = 1;
    HRESULT hr;

    do
    {
        before = blocks;
        fail_at = at;
        allocations = 0;
        hr = story->tell();
        fail_at = 0;
        if (hr == E_OUTOFMEMORY)
            refused++;
        else if (hr)
        {
            wrong++;
            diag("allocation %u: 0x%08lx", at, hr);
        }
        if (blocks != before)
        {
            left++;
            diag("allocation %u: %d blocks left", at, blocks - before);
        }
        at += story->step;
    } while (allocations >= at - story->step);
    ok(refused > 0, "%s: refused without memory (%d times)", story->name, refused);
    is_int(wrong, 0, "%s: answers without memory that say something else", story->name);
    is_int(left, 0, "%s: failures that left memory", story->name);
    is_hr(story->tell(), S_OK, "%s: once more, with memory", story->name);
}

/* The process's first handle, for which the table of handles is made: one allocation after the
 * other fails, until it is there. */
static void test_first_handle(void)
{
    CIMFS_IMAGE_HANDLE image;
    int refused = 0, left = 0;
    HRESULT hr;

    do
    {
        fail_at = (unsigned)refused + 1;
        allocations = 0;
        image = NULL;
        hr = CimCreateImage(dir, NULL, L"first.cim", &image);
        fail_at = 0;
        if (hr == E_OUTOFMEMORY) refused++;
        if (hr && (blocks > 1 || image)) /* but for the table, once it is there */
        {
            left++;
            diag("allocation %d: %d blocks left", refused, blocks);
        }
    } while (hr == E_OUTOFMEMORY);
    is_hr(hr, S_OK, "the first session is opened as soon as there is memory");
    ok(refused > 5, "before, it was refused (%d times)", refused);
    is_int(left, 0, "the first session: refusals that left memory, or a handle");
    CimCloseImage(image);
}

static void test_volume(void)
{
    static const struct story story = {"a volume", volume, 1};
    static const struct story looked_for = {"a helper that is looked for",
                                            dismount_by_a_helper_that_is_looked_for, 0};

    test_leaks(&story);
    test_no_memory(&story);
    SetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", NULL);
    test_leaks(&looked_for);
}

int wmain(int argc, WCHAR **argv)
{
    size_t i;

    dir = new_dir(L"leaks");
    divert_memory();
    test_first_handle();
    make_base(dir, L"base.cim");
    make_containers();
    save_file(path_of(dir, L"broken.cim"), "no image", 8);
    if (argc == 2 && !wcscmp(argv[1], L"volume"))
    {
        test_volume();
        return tap_done();
    }
    SetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", L"/no/such/helper");
    for (i = 0; i < ARRAYSIZE(stories); i++) test_leaks(&stories[i]);
    for (i = 0; i < ARRAYSIZE(stories); i++)
        if (stories[i].step) test_no_memory(&stories[i]);
    return tap_done();
}
