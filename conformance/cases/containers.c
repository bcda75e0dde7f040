/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * containers.c - images in one file: CimCreateImage2 with SINGLE_FILE, and reading them
 */
#include "containers.h"
#include "hold.h"

#define TEST "hcsshim cim_test"
#define WRITER "hcsshim block writer"

/* ---- what clients do --------------------------------------------------------------------------
 */

CASE(empty, "Container/Empty", CLIENT, TEST, 0, "an image without an item is committed")
{
    const UINT32 flags = IN_FILE | CIM_CREATE_CONSISTENT_CIMS;

    commit_and_close(open_in(container(), flags, NULL, L"layer.cim"));
    check_text("files", list_files(case_dir()), "layer.bcim");
}

CASE(content, "Container/HcsshimTestImage", CLIENT, TEST, NEEDS_MOUNT,
     "an image in a single file is mounted with SINGLE_FILE")
{
    make_in(container(), IN_FILE | CIM_CREATE_CONSISTENT_CIMS, L"layer.cim");
    check_mounts("CimMountImage", container(), L"layer.cim", CIM_MOUNT_SINGLE_FILE);
}

CASE(no_side_files, "Container/NoSideFiles", CLIENT, WRITER ", hcsctl", 0,
     "the container is the only file, while the session lasts (besides what it names for itself) "
     "and afterwards, and can be deleted")
{
    make_in(container(), IN_FILE, L"layer.cim");
    check_text("files", list_files(case_dir()), "layer.bcim");
    check_bool("deleted", remove_file(container()), true);
    check_text("files then", list_files(case_dir()), "(none)");
}

CASE(same_name, "Container/SameName", CLIENT, TEST, 0, "container and image may have the same name")
{
    const WCHAR *path = join(case_dir(), L"layer.cim");

    make_in(path, IN_FILE, L"layer.cim");
    check_in("foobar.txt", path, L"layer.cim", L"foobar.txt", "some content 123");
}

CASE(footer, "Container/Footer", CLIENT, "hcsshim VHD footer", NEEDS_MOUNT,
     "512 bytes behind the container are no hindrance to mounting, and its size is whole sectors")
{
    BYTE sector[512];
    size_t size;
    BYTE *bytes;

    make_in(container(), IN_FILE, L"layer.cim");
    bytes = load_file(container(), &size);
    need(bytes != NULL, "the container can't be read");
    check_number("bytes of the last sector", size % 512, 0);
    bytes = realloc(bytes, size + sizeof(sector));
    fill_bytes(sector, sizeof(sector), 5);
    memcpy(bytes + size, sector, sizeof(sector));
    save_file(container(), bytes, size + sizeof(sector));
    free(bytes);
    check_mounts("CimMountImage", container(), L"layer.cim", CIM_MOUNT_SINGLE_FILE);
}

CASE(consistent, "Container/ConsistentSameBytes", CLIENT, "integrity-vhd", 0,
     "with CIM_CREATE_CONSISTENT_CIMS the same calls make the same bytes, whatever the file's name")
{
    const WCHAR *other = join(case_dir(), L"other.bcim");
    size_t sizes[2];
    BYTE *one, *two;

    make_in(container(), IN_FILE | CIM_CREATE_CONSISTENT_CIMS, L"layer.cim");
    make_in(other, IN_FILE | CIM_CREATE_CONSISTENT_CIMS, L"layer.cim");
    one = load_file(container(), &sizes[0]);
    two = load_file(other, &sizes[1]);
    check_bool("the same bytes", one && two && sizes[0] == sizes[1] && !memcmp(one, two, sizes[0]),
               true);
    free(one);
    free(two);
}

CASE(read_steps, "ReadFile2/OddSizes", CLIENT, "hcsshim reading without a mount", 0,
     "files of 0 to 1537 bytes are read in steps of 512 until none remain")
{
    static const size_t sizes[] = {0, 1, 511, 512, 513, 1535, 1536, 1537};
    CIMFS_IMAGE_HANDLE image = open_in(container(), IN_FILE, NULL, L"layer.cim");
    const WCHAR *path = _wcsdup(join(container(), L"layer.cim"));
    BYTE data[2048], got[2048];
    size_t i;

    put_dir(image, L"foo");
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        fill_bytes(data, sizes[i], (uint32_t)i);
        put_file(image, format_wide(L"%ls%u", i % 2 ? L"foo\\" : L"", (unsigned)i), data, sizes[i]);
    }
    commit_and_close(image);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        const WCHAR *file = format_wide(L"%ls%u", i % 2 ? L"foo\\" : L"", (unsigned)i);
        FILE_STAT_BASIC_INFORMATION info;
        UINT64 offset = 0, count = 0, left = 1;
        char label[40];

        memset(&info, 0xaa, sizeof(info));
        sprintf(label, "%u bytes: stat", (unsigned)sizes[i]);
        check_hr(label, cim.GetFileStatBasicInformation2(path, file, &info, CIM_READ_SINGLE_FILE),
                 S_OK);
        sprintf(label, "%u bytes: size", (unsigned)sizes[i]);
        check_number(label, (uint64_t)info.EndOfFile.QuadPart, sizes[i]);
        for (; left && offset <= sizes[i]; offset += count)
            need_hr("CimReadFile2", cim.ReadFile2(path, file, offset, got + offset, 512, &count,
                                                  &left, CIM_READ_SINGLE_FILE));
        fill_bytes(data, sizes[i], (uint32_t)i);
        sprintf(label, "%u bytes: data", (unsigned)sizes[i]);
        check_bytes(label, got, (size_t)offset, data, sizes[i]);
    }
}

/* ---- what we decided: making, extending, forking ----------------------------------------------
 */

CASE(flags, "CreateImage2/Containers", DECISION, "D39, D52", 0,
     "0x08 with other valid flags makes a container, in which its image is")
{
    static const UINT32 flags[] = {0x08, 0x09, 0x0a, 0x28, 0x2b, 0x18, 0x19, 0x1a, 0x38, 0x3b};
    char label[20];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        const WCHAR *path = join(case_dir(), format_wide(L"c%u", (unsigned)i));

        sprintf(label, "flags 0x%02x", (unsigned)flags[i]);
        make_in(path, flags[i], L"a.cim");
        check_in(label, path, L"a.cim", L"foobar.txt", "some content 123");
    }
}

CASE(second_image, "Container/TwoImages", DECISION, "D52", 0,
     "an existing container gets a second image; a taken name: ERROR_FILE_EXISTS, in any case")
{
    make_in(container(), IN_FILE, L"a.cim");
    check_hr("a.cim", try_in(container(), IN_FILE, NULL, L"a.cim"), HR_FILE_EXISTS);
    check_hr("A.CIM", try_in(container(), IN_FILE, NULL, L"A.CIM"), HR_FILE_EXISTS);
    make_in(container(), IN_FILE, L"b.cim");
    check_in("the first", container(), L"a.cim", L"foobar.txt", "some content 123");
    check_in("the second", container(), L"b.cim", L"foo\\bar.txt", "more content!");
}

CASE(extend, "Container/Extend", DECISION, "D52", 0,
     "an image in a container is extended: files added, replaced and deleted")
{
    CIMFS_IMAGE_HANDLE image;

    make_in(container(), IN_FILE, L"a.cim");
    image = open_in(container(), IN_FILE, L"a.cim", NULL);
    put_text(image, L"foo\\new.txt", "new");
    put_text(image, L"foobar.txt", "replaced");
    need_hr("CimDeletePath", cim.DeletePath(image, L"foo\\bar.txt"));
    commit_and_close(image);
    check_in("added", container(), L"a.cim", L"foo\\new.txt", "new");
    check_in("replaced", container(), L"a.cim", L"foobar.txt", "replaced");
    check_hr("deleted", look_in(container(), L"a.cim", L"foo\\bar.txt"), HR_FILE_NOT_FOUND);
}

CASE(fork, "Container/Fork", DECISION, "D52", 0,
     "an image in a container is forked there; the existing one stays as it is")
{
    CIMFS_IMAGE_HANDLE image;

    make_in(container(), IN_FILE, L"a.cim");
    image = open_in(container(), IN_FILE, L"a.cim", L"b.cim");
    put_text(image, L"foobar.txt", "the fork's");
    need_hr("CimDeletePath", cim.DeletePath(image, L"foo"));
    commit_and_close(image);
    check_in("the fork's", container(), L"b.cim", L"foobar.txt", "the fork's");
    check_hr("deleted", look_in(container(), L"b.cim", L"foo\\bar.txt"), HR_PATH_NOT_FOUND);
    check_in("the parent's", container(), L"a.cim", L"foobar.txt", "some content 123");
    check_in("the parent has", container(), L"a.cim", L"foo\\bar.txt", "more content!");
}

CASE(missing_existing, "Container/ExistingMissing", DECISION, "D52", 0,
     "no existing image of that name: ERROR_FILE_NOT_FOUND, and no container is left")
{
    check_hr("a new container", try_in(container(), IN_FILE, L"no.cim", L"b.cim"),
             HR_FILE_NOT_FOUND);
    check_text("files", list_files(case_dir()), "(none)");
    make_in(container(), IN_FILE, L"a.cim");
    check_hr("one that is there", try_in(container(), IN_FILE, L"no.cim", L"b.cim"),
             HR_FILE_NOT_FOUND);
    check_in("its image", container(), L"a.cim", L"foobar.txt", "some content 123");
}

/* A file's bytes are as they were. */
static void check_same(const char *label, const WCHAR *path, const void *want, size_t want_size)
{
    size_t size = 0;
    void *bytes = load_file(path, &size);

    check_bool(label, bytes && size == want_size && !memcmp(bytes, want, size), true);
    free(bytes);
}

CASE(discarded, "Container/Discarded", DECISION, "D52", 0,
     "closing without a commit removes the container that the session made, and leaves one that "
     "was there as it was")
{
    CIMFS_IMAGE_HANDLE image = open_in(container(), IN_FILE, NULL, L"a.cim");
    size_t size;
    void *before;

    put_test_image(image);
    close_image(image);
    check_text("files", list_files(case_dir()), "(none)");
    make_in(container(), IN_FILE, L"a.cim");
    before = load_file(container(), &size);
    image = open_in(container(), IN_FILE, NULL, L"b.cim");
    put_test_image(image);
    close_image(image);
    check_same("the container", container(), before, size);
    free(before);
}

CASE(no_container, "Container/NoContainer", DECISION, "D52", 0,
     "a file or directory that is no container: ERROR_CIMFS_IMAGE_CORRUPT, unchanged; its "
     "directory missing: ERROR_PATH_NOT_FOUND")
{
    static const char text[] = "this is no container";

    save_file(container(), text, sizeof(text));
    make_base(new_dir(L"d"));
    check_hr("a file", try_in(container(), IN_FILE, NULL, L"a.cim"), HR_CORRUPT);
    check_hr("a file, to extend", try_in(container(), IN_FILE, L"a.cim", NULL), HR_CORRUPT);
    check_same("the file", container(), text, sizeof(text));
    check_hr("a directory", try_in(join(case_dir(), L"d"), IN_FILE, NULL, L"a.cim"), HR_CORRUPT);
    check_hr("a directory, to fork", try_in(join(case_dir(), L"d"), IN_FILE, L"base.cim", L"a.cim"),
             HR_CORRUPT);
    check_hr("a missing directory",
             try_in(join(case_dir(), L"no\\layer.bcim"), IN_FILE, NULL, L"a.cim"),
             HR_PATH_NOT_FOUND);
}

CASE(without_flag, "Container/OnlyByItsFlag", DECISION, "D52", 0,
     "without its flag a container is no directory: ERROR_PATH_NOT_FOUND")
{
    const WCHAR *path = join(container(), L"a.cim");
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char byte;

    make_in(container(), IN_FILE, L"a.cim");
    check_hr("CimCreateImage", try_image(container(), NULL, L"b.cim"), HR_PATH_NOT_FOUND);
    check_hr("to fork", try_image(container(), L"a.cim", L"b.cim"), HR_PATH_NOT_FOUND);
    check_hr("CimCreateImage2", try_in(container(), CIM_CREATE_CONSISTENT_CIMS, NULL, L"b.cim"),
             HR_PATH_NOT_FOUND);
    check_hr("CimReadFile", cim.ReadFile(path, L"foobar.txt", 0, &byte, 1, &got, &left),
             HR_PATH_NOT_FOUND);
    check_hr("CimGetFileStatBasicInformation",
             cim.GetFileStatBasicInformation(path, L"foobar.txt", &info), HR_PATH_NOT_FOUND);
    check_hr("CimReadFile2 without flags",
             cim.ReadFile2(path, L"foobar.txt", 0, &byte, 1, &got, &left, 0), HR_PATH_NOT_FOUND);
}

CASE(wrong_kind, "Container/KindOfPath", DECISION, "D52", 0,
     "0x04 with a file's path, 0x08 with one that begins as a device's: E_INVALIDARG, whatever is "
     "there")
{
    static const WCHAR device[] = L"\\\\.\\PhysicalDrive4094";

    make_in(container(), IN_FILE, L"a.cim");
    make_base(case_dir());
    check_hr("0x04, a container", try_in(container(), ON_DEVICE, NULL, L"b.cim"), E_INVALIDARG);
    check_hr("0x04, a new file", try_in(join(case_dir(), L"new"), ON_DEVICE, NULL, L"b.cim"),
             E_INVALIDARG);
    check_hr("0x04, a directory", try_in(case_dir(), ON_DEVICE, L"base.cim", NULL), E_INVALIDARG);
    check_hr("0x14, a bad name", try_in(container(), 0x14, NULL, L"a:b"), E_INVALIDARG);
    check_hr("0x08, a device", try_in(device, IN_FILE, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("0x18, a device", try_in(device, 0x18, NULL, L"a.cim"), E_INVALIDARG);
    check_text("files", list_files(case_dir()),
               "base.cim layer.bcim objectid_<guid1>_0 objectid_<guid1>_1 objectid_<guid1>_2 "
               "region_<guid1>_0 region_<guid1>_1 region_<guid1>_2");
}

CASE(names, "Container/Names", DECISION, "D23, D52", 0,
     "images in a container have the names that those in a directory have")
{
    check_hr("a:b", try_in(container(), IN_FILE, NULL, L"a:b"), E_INVALIDARG);
    check_hr("a\\b", try_in(container(), IN_FILE, NULL, L"a\\b"), E_INVALIDARG);
    check_hr("..", try_in(container(), IN_FILE, NULL, L".."), E_INVALIDARG);
    check_hr("\"\"", try_in(container(), IN_FILE, NULL, L""), E_INVALIDARG);
    check_text("files", list_files(case_dir()), "(none)");
    make_in(container(), IN_FILE, L"\u00e4 \u4e2d\xd83d\xde00.cim");
    check_in("one of Unicode", container(), L"\u00e4 \u4e2d\xd83d\xde00.cim", L"foobar.txt",
             "some content 123");
}

/* ---- at the same time -------------------------------------------------------------------------
 */

CASE(two_sessions, "Container/TwoSessions", DECISION, "D52", 0,
     "a second session in the container: ERROR_SHARING_VIOLATION; one beside it goes on")
{
    const WCHAR *other = join(case_dir(), L"other.bcim");
    CIMFS_IMAGE_HANDLE image, beside;

    make_in(container(), IN_FILE, L"a.cim");
    image = open_in(container(), IN_FILE, NULL, L"b.cim");
    check_hr("a second", try_in(container(), IN_FILE, NULL, L"c.cim"), HR_SHARING);
    check_hr("to extend", try_in(container(), IN_FILE, L"a.cim", NULL), HR_SHARING);
    beside = open_in(other, IN_FILE, NULL, L"b.cim");
    check_hr("in the directory", try_image(case_dir(), NULL, L"d.cim"), S_OK);
    put_test_image(image);
    put_test_image(beside);
    commit_and_close(image);
    commit_and_close(beside);
    check_in("the first session's", container(), L"b.cim", L"foobar.txt", "some content 123");
    check_in("the one beside it", other, L"b.cim", L"foobar.txt", "some content 123");
    check_hr("afterwards", try_in(container(), IN_FILE, NULL, L"c.cim"), S_OK);
}

CASE(read_meanwhile, "Container/ReadDuringSession", DECISION, "D52", 0,
     "images of a container are read while a session adds one, which is there from the commit on")
{
    CIMFS_IMAGE_HANDLE image;

    make_in(container(), IN_FILE, L"a.cim");
    image = open_in(container(), IN_FILE, NULL, L"b.cim");
    put_text(image, L"f", "of the second");
    check_in("before the commit", container(), L"a.cim", L"foobar.txt", "some content 123");
    check_hr("the new one", look_in(container(), L"b.cim", L"f"), HR_FILE_NOT_FOUND);
    commit(image);
    check_in("after it", container(), L"b.cim", L"f", "of the second");
    cim.CloseImage(image);
    check_in("after the close", container(), L"a.cim", L"foobar.txt", "some content 123");
}

ROLE(hold_container, "hold-container")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr;

    if (argc != 2) return 2;
    hr = cim.CreateImage2(argv[0], IN_FILE, NULL, argv[1], &image);
    return hold_session(hr, image);
}

static struct peer *hold(const WCHAR *path, const WCHAR *name)
{
    const WCHAR *args[] = {path, name, NULL};

    return start_holder("hold-container", args);
}

CASE(two_processes, "Container/TwoProcesses", DECISION, "D52", 0,
     "a session of another process in the container: ERROR_SHARING_VIOLATION; what it commits is "
     "there, and the container free, when it has ended")
{
    struct peer *peer;

    make_in(container(), IN_FILE, L"a.cim");
    peer = hold(container(), L"peer.cim");
    check_hr("while it lasts", try_in(container(), IN_FILE, NULL, L"b.cim"), HR_SHARING);
    check_in("read meanwhile", container(), L"a.cim", L"foobar.txt", "some content 123");
    peer_tell(peer, "commit");
    check_hr("its commit", peer_hear_hr(peer), S_OK);
    peer_end(peer);
    check_in("what it committed", container(), L"peer.cim", L"peer", "peer!");
    check_hr("after it", try_in(container(), IN_FILE, L"peer.cim", L"b.cim"), S_OK);
}

CASE(killed, "Container/KilledProcess", DECISION, "D52", 0,
     "a process that is killed in a session leaves the container as it was, and free")
{
    struct peer *peer;
    size_t size, size_then = 0;
    void *before, *then;

    make_in(container(), IN_FILE, L"a.cim");
    before = load_file(container(), &size);
    peer = hold(container(), L"peer.cim");
    peer_kill(peer);
    check_hr("the next session", try_in(container(), IN_FILE, NULL, L"peer.cim"), S_OK);
    then = load_file(container(), &size_then);
    check_bool("the same bytes", before && then && size == size_then && !memcmp(before, then, size),
               true);
    free(before);
    free(then);
    check_in("its image", container(), L"a.cim", L"foobar.txt", "some content 123");
}

struct work
{
    const WCHAR *path;
    HRESULT hr;
};

static DWORD WINAPI work_in(void *argument)
{
    struct work *work = argument;
    CIMFS_FILE_METADATA metadata = {.FileSize = 16};
    CIMFS_STREAM_HANDLE stream;
    CIMFS_IMAGE_HANDLE image;

    for (int i = 0; i < 5; i++)
    {
        WCHAR name[16];

        swprintf(name, 16, L"%d.cim", i);
        work->hr = cim.CreateImage2(work->path, IN_FILE, NULL, name, &image);
        if (FAILED(work->hr)) return 0;
        work->hr = cim.CreateFile(image, L"f", &metadata, &stream);
        if (SUCCEEDED(work->hr))
        {
            work->hr = cim.WriteStream(stream, "some content 123", 16);
            cim.CloseStream(stream);
        }
        if (SUCCEEDED(work->hr)) work->hr = cim.CommitImage(image);
        cim.CloseImage(image);
        if (FAILED(work->hr)) return 0;
    }
    return 0;
}

CASE(threads, "Container/Threads", DECISION, "D52", 0,
     "threads that each make images in a container of its own don't disturb each other")
{
    struct work work[4];
    HANDLE threads[4];
    char label[40];

    if (!has_export("CimCreateImage2")) skip_case("the DLL has no CimCreateImage2");
    for (unsigned i = 0; i < ARRAY_SIZE(work); i++)
    {
        work[i].path = place(format_wide(L"%u.bcim", i));
        threads[i] = CreateThread(NULL, 0, work_in, &work[i], 0, NULL);
        need(threads[i] != NULL, "no thread");
    }
    WaitForMultipleObjects(ARRAY_SIZE(work), threads, TRUE, INFINITE);
    for (unsigned i = 0; i < ARRAY_SIZE(work); i++)
    {
        CloseHandle(threads[i]);
        sprintf(label, "thread %u", i);
        check_hr(label, work[i].hr, S_OK);
        sprintf(label, "its last image, %u", i);
        check_in(label, work[i].path, L"4.cim", L"f", "some content 123");
    }
}

/* ---- CimReadFile2, CimGetFileStatBasicInformation2 --------------------------------------------
 */

CASE(read2_plain, "ReadFile2/NoFlags", HEADER, "generation D", 0,
     "without flags they are CimReadFile and CimGetFileStatBasicInformation")
{
    const WCHAR *path = join(case_dir(), L"base.cim");
    FILE_STAT_BASIC_INFORMATION info, same;
    UINT64 got = 0, left = 0;
    char text[8] = "";

    make_base(case_dir());
    check_hr("CimReadFile2", cim.ReadFile2(path, L"file.txt", 1, text, 3, &got, &left, 0), S_OK);
    check_number("bytes read", got, 3);
    check_number("bytes remaining", left, 1);
    check_text("data", text, "ell");
    memset(&info, 0xaa, sizeof(info));
    check_hr("CimGetFileStatBasicInformation2",
             cim.GetFileStatBasicInformation2(path, L"d\\inner.txt", &info, 0), S_OK);
    need_hr("stat", stat_image(path, L"d\\inner.txt", &same));
    check_bytes("stat", &info, sizeof(info), &same, sizeof(same));
    check_hr("a missing image",
             cim.ReadFile2(join(case_dir(), L"no.cim"), L"f", 0, text, 3, &got, &left, 0),
             HR_FILE_NOT_FOUND);
}

CASE(read2_flags, "ReadFile2/Flags", DECISION, "D52", 0,
     "unknown flags, and a device's path with SINGLE_FILE: E_INVALIDARG; the outputs are cleared")
{
    static const UINT32 flags[] = {2, 3, 4, 0x80000000, 0xffffffff};
    const WCHAR *path = join(container(), L"a.cim");
    FILE_STAT_BASIC_INFORMATION info, zeros;
    UINT64 got, left;
    char byte, label[40];
    size_t i;

    memset(&zeros, 0, sizeof(zeros));
    make_in(container(), IN_FILE, L"a.cim");
    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        got = left = 77;
        memset(&info, 0xaa, sizeof(info));
        sprintf(label, "0x%x: read", (unsigned)flags[i]);
        check_hr(label, cim.ReadFile2(path, L"foobar.txt", 0, &byte, 1, &got, &left, flags[i]),
                 E_INVALIDARG);
        sprintf(label, "0x%x: counters", (unsigned)flags[i]);
        check_bool(label, !got && !left, true);
        sprintf(label, "0x%x: stat", (unsigned)flags[i]);
        check_hr(label, cim.GetFileStatBasicInformation2(path, L"foobar.txt", &info, flags[i]),
                 E_INVALIDARG);
        sprintf(label, "0x%x: cleared", (unsigned)flags[i]);
        check_bytes(label, &info, sizeof(info), &zeros, sizeof(zeros));
    }
    path = L"\\\\.\\PhysicalDrive4094\\a.cim";
    check_hr("a device: read", cim.ReadFile2(path, L"f", 0, &byte, 1, &got, &left, 1),
             E_INVALIDARG);
    check_hr("a device: stat", cim.GetFileStatBasicInformation2(path, L"f", &info, 1),
             E_INVALIDARG);
}

CASE(read2_missing, "ReadFile2/Missing", DECISION, "D30, D52", 0,
     "a missing file or image: ERROR_FILE_NOT_FOUND; a directory, or the container: "
     "ERROR_PATH_NOT_FOUND; no container: ERROR_CIMFS_IMAGE_CORRUPT")
{
    make_in(container(), IN_FILE, L"a.cim");
    save_file(join(case_dir(), L"text"), "no container", 12);
    check_hr("file", look_in(container(), L"a.cim", L"no.txt"), HR_FILE_NOT_FOUND);
    check_hr("directory", look_in(container(), L"a.cim", L"no\\no.txt"), HR_PATH_NOT_FOUND);
    check_hr("image", look_in(container(), L"no.cim", L"foobar.txt"), HR_FILE_NOT_FOUND);
    check_hr("container", look_in(join(case_dir(), L"no.bcim"), L"a.cim", L"foobar.txt"),
             HR_PATH_NOT_FOUND);
    check_hr("no container", look_in(join(case_dir(), L"text"), L"a.cim", L"f"), HR_CORRUPT);
    check_hr("a directory for it", look_in(case_dir(), L"a.cim", L"f"), HR_CORRUPT);
}

CASE(read2_order, "ReadFile2/TwoErrors", DECISION, "D28, D52", 0,
     "outputs, then flags, then NULLs, then whether the path fits, then what it names")
{
    const WCHAR *path = join(container(), L"a.cim"), *none = join(case_dir(), L"no\\a.cim");
    const WCHAR *device = L"\\\\.\\PhysicalDrive4094\\a.cim";
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char byte;

    make_in(container(), IN_FILE, L"a.cim");
    check_hr("no counter, flag", cim.ReadFile2(path, L"f", 0, &byte, 1, NULL, &left, 2), E_POINTER);
    check_hr("flag, no buffer", cim.ReadFile2(path, L"f", 0, NULL, 1, &got, &left, 2),
             E_INVALIDARG);
    check_hr("no buffer, no image", cim.ReadFile2(NULL, L"f", 0, NULL, 1, &got, &left, 1),
             E_POINTER);
    check_hr("no buffer, a device", cim.ReadFile2(device, L"f", 0, NULL, 1, &got, &left, 1),
             E_POINTER);
    check_hr("flag, missing container", cim.ReadFile2(none, L"f", 0, &byte, 1, &got, &left, 2),
             E_INVALIDARG);
    check_hr("NULL file, missing container", cim.ReadFile2(none, NULL, 0, &byte, 1, &got, &left, 1),
             E_INVALIDARG);
    check_hr("bad path, missing container", cim.ReadFile2(none, L"a*", 0, &byte, 1, &got, &left, 1),
             HR_PATH_NOT_FOUND);
    check_hr("stat: no output, flag", cim.GetFileStatBasicInformation2(path, L"f", NULL, 2),
             E_POINTER);
    check_hr("stat: flag, missing container",
             cim.GetFileStatBasicInformation2(none, L"f", &info, 2), E_INVALIDARG);
    check_hr("stat: NULL image", cim.GetFileStatBasicInformation2(NULL, L"f", &info, 1),
             E_INVALIDARG);
}

/* ---- mounting ---------------------------------------------------------------------------------
 */

CASE(mount_meanwhile, "Container/MountedWhileAdding", DECISION, "D52", NEEDS_MOUNT,
     "an image is mounted while a session adds another to its container, which then mounts too")
{
    CIMFS_IMAGE_HANDLE image;
    GUID guid;

    make_in(container(), IN_FILE, L"a.cim");
    image = open_in(container(), IN_FILE, NULL, L"b.cim");
    put_test_image(image);
    need_hr("CimMountImage", mount_as(container(), L"a.cim", CIM_MOUNT_SINGLE_FILE, &guid));
    check_test_image("mounted meanwhile", volume_root(&guid));
    commit_and_close(image);
    check_content("after the commit", on(volume_root(&guid), L"foobar.txt"), "some content 123");
    check_mounts("the new one", container(), L"b.cim", CIM_MOUNT_SINGLE_FILE);
}

CASE(mount_commit, "Container/CommitOverMounted", DECISION, "D33, D52", NEEDS_MOUNT,
     "a commit over a mounted image: ERROR_SHARING_VIOLATION, until it is dismounted; a fork of it "
     "is fine")
{
    CIMFS_IMAGE_HANDLE image;
    GUID guid;

    make_in(container(), IN_FILE, L"a.cim");
    need_hr("CimMountImage", mount_as(container(), L"a.cim", CIM_MOUNT_SINGLE_FILE, &guid));
    image = open_in(container(), IN_FILE, L"a.cim", L"fork.cim");
    put_text(image, L"f", "forked");
    commit_and_close(image);
    check_in("the fork", container(), L"fork.cim", L"f", "forked");
    image = open_in(container(), IN_FILE, L"a.cim", NULL);
    put_text(image, L"f", "extended");
    check_hr("while it is mounted", cim.CommitImage(image), HR_SHARING);
    dismount(volume_root(&guid));
    check_hr("then", cim.CommitImage(image), S_OK);
    cim.CloseImage(image);
    check_in("the extension", container(), L"a.cim", L"f", "extended");
}

CASE(mount_errors, "Container/MountErrors", DECISION, "D40, D52", NEEDS_MOUNT,
     "a missing image: ERROR_FILE_NOT_FOUND; a missing container: ERROR_PATH_NOT_FOUND; a file or "
     "directory that is none: ERROR_CIMFS_IMAGE_CORRUPT; without its flag: ERROR_PATH_NOT_FOUND")
{
    const WCHAR *dir = case_dir(), *path = container();

    make_in(path, IN_FILE, L"a.cim");
    make_base(dir);
    check_hr("missing image", try_mount(path, L"no.cim", 0x20), HR_FILE_NOT_FOUND);
    check_hr("empty name", try_mount(path, L"", 0x20), HR_FILE_NOT_FOUND);
    check_hr("bad name", try_mount(path, L"a:b", 0x20), E_INVALIDARG);
    check_hr("missing container", try_mount(join(dir, L"no"), L"a.cim", 0x20), HR_PATH_NOT_FOUND);
    check_hr("a directory", try_mount(dir, L"base.cim", 0x20), HR_CORRUPT);
    check_hr("an image's file", try_mount(join(dir, L"base.cim"), L"a.cim", 0x20), HR_CORRUPT);
    check_hr("without the flag", try_mount(path, L"a.cim", 0), HR_PATH_NOT_FOUND);
    check_hr("as a device", try_mount(path, L"a.cim", 0x10), E_INVALIDARG);
    check_hr("a device as a file", try_mount(L"\\\\.\\PhysicalDrive4094", L"a.cim", 0x20),
             E_INVALIDARG);
    check_hr("a missing device", try_mount(L"\\\\.\\PhysicalDrive4094", L"a.cim", 0x10),
             HR_PATH_NOT_FOUND);
    check_hr("attested", try_mount(path, L"a.cim", 0xa0), HR_CORRUPT);
}

CASE(mount_flags, "Container/MountFlags", DECISION, "D40", NEEDS_MOUNT,
     "SINGLE_FILE with flags of no visible effect mounts; a relative path and one in the \\\\?\\ "
     "form do")
{
    static const UINT32 rows[] = {0x21, 0x22, 0x24, 0x28, 0x60, 0x6f};
    WCHAR old[MAX_PATH];
    char label[20];
    size_t i;

    make_in(container(), IN_FILE, L"layer.cim");
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        sprintf(label, "0x%02x", (unsigned)rows[i]);
        check_hr(label, try_mount(container(), L"layer.cim", rows[i]), S_OK);
    }
    check_hr("\\\\?\\", try_mount(format_wide(L"\\\\?\\%ls", container()), L"layer.cim", 0x20),
             S_OK);
    check_hr("trailing \\", try_mount(format_wide(L"%ls\\", container()), L"layer.cim", 0x20),
             S_OK);
    GetCurrentDirectoryW(MAX_PATH, old);
    need(SetCurrentDirectoryW(case_dir()), "no current directory");
    check_hr("relative", try_mount(L"layer.bcim", L"layer.cim", 0x20), S_OK);
    SetCurrentDirectoryW(old);
}
