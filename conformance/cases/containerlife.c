/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * containerlife.c - containers, layers and seals over time: files that are free again, handles,
 * threads, other processes
 */
#include "hold.h"
#include "stack.h"

#define VERIFIED CIM_CREATE_VERIFIED

/* ---- files ------------------------------------------------------------------------------------
 */

CASE(free_after_dismount, "Container/FreeAfterDismount", CLIENT, "hcsshim cim_test", NEEDS_MOUNT,
     "a container can be deleted once its volume is dismounted")
{
    GUID guid;

    make_in(container(), IN_FILE, L"layer.cim");
    need_hr("CimMountImage", mount_as(container(), L"layer.cim", CIM_MOUNT_SINGLE_FILE, &guid));
    check_test_image("mounted", volume_root(&guid));
    dismount(volume_root(&guid));
    check_bool("deleted", remove_file(container()), true);
    check_text("files", list_files(case_dir()), "(none)");
}

CASE(merged_free, "Merge/FreeAfterDismount", CLIENT, "hcsshim cim_test", NEEDS_MOUNT,
     "the merged image's container and its sources' can be deleted once the volume is dismounted")
{
    struct stack stack = make_stack();
    const WCHAR *root;

    make_layer(&in_files, 0, &stack.images[1], L"of the upper", "upper");
    root = mount_stack(&stack);
    check_test_image("mounted", root);
    check_content("of the upper", on(root, L"of the upper"), "upper");
    dismount(root);
    for (unsigned i = 0; i < ARRAY_SIZE(stack.images); i++)
        check_bool(narrow(stack.images[i].ImageName), remove_file(stack.images[i].ImageDir), true);
    check_text("files", list_files(case_dir()), "(none)");
}

CASE(sources_free, "Merge/SourcesFreeAfterClose", DECISION, "D52", 0,
     "a session that takes sources holds them no longer than it lasts; a refused call holds "
     "nothing")
{
    struct stack stack = make_stack();
    const WCHAR *source = place(L"base.bcim\\base.cim");
    CIMFS_IMAGE_HANDLE image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, L"m.cim");

    need_hr("CimAddFsToMergedImage2", cim.AddFsToMergedImage2(image, source, 1));
    check_hr("4 with what isn't sealed", cim.AddFsToMergedImage2(image, source, 5), HR_CORRUPT);
    close_image(image);
    check_bool("deleted", remove_file(stack.images[2].ImageDir), true);
    check_text("files", list_files(case_dir()), "(none)");
}

CASE(sealed_free, "Seal/FreeAfterwards", CLIENT, "hcsshim cim_test", NEEDS_MOUNT,
     "sealed, asked for and mounted by its root hash, right and wrong, a container can be deleted")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    UINT64 a, b, c;
    UINT32 sealed = 0;
    BYTE hash[32], again[32] = {0};
    GUID guid;

    make_in(image.ImageDir, IN_FILE | VERIFIED, image.ImageName);
    seal_container(image.ImageDir, hash);
    need_hr("CimGetVerificationInformation",
            cim.GetVerificationInformation(image.ImageDir, &sealed, &a, &b, &c, again, NULL));
    check_bytes("its hash", again, 32, hash, 32);
    need_hr("CimMountVerifiedImage", mount_verified(0x20, &image, 1, 32, hash, &guid));
    check_test_image("mounted", volume_root(&guid));
    dismount(volume_root(&guid));
    hash[0] ^= 1;
    check_bool("a wrong hash fails", FAILED(try_verified(0x20, &image, 1, 32, hash)), true);
    check_bool("deleted", remove_file(image.ImageDir), true);
    check_text("files", list_files(case_dir()), "(none)");
}

CASE(extended_mounted, "MergeMount/StaysWhileSourcesGrow", DECISION, "D52", NEEDS_MOUNT,
     "a merge mount shows what it showed while its sources' containers get more images")
{
    struct stack stack = make_stack();
    const WCHAR *root;

    make_layer(&in_files, 0, &stack.images[1], L"of the upper", "upper");
    root = mount_stack(&stack);
    for (unsigned i = 0; i < ARRAY_SIZE(stack.images); i++)
    {
        make_in(stack.images[i].ImageDir, IN_FILE, L"more.cim");
        check_in(narrow(stack.images[i].ImageName), stack.images[i].ImageDir, L"more.cim",
                 L"foobar.txt", "some content 123");
    }
    check_test_image("still", root);
    check_content("of the upper", on(root, L"of the upper"), "upper");
}

/* ---- handles ----------------------------------------------------------------------------------
 */

static void check_no_session(CIMFS_IMAGE_HANDLE handle, const WCHAR *source)
{
    check_hr("CimTombstoneFile", cim.TombstoneFile(handle, L"f"), E_INVALIDARG);
    check_hr("CimCreateMergeLink", cim.CreateMergeLink(handle, L"l", L"f"), E_INVALIDARG);
    check_hr("CimAddFsToMergedImage2", cim.AddFsToMergedImage2(handle, source, 1), E_INVALIDARG);
    check_hr("CimAddFsToMergedImage", cim.AddFsToMergedImage(handle, source), E_INVALIDARG);
}

CASE(closed, "Handle/ClosedForLayers", DECISION, "D25, D52", MAY_BREAK_DLL,
     "a closed session's handle: E_INVALIDARG from each function about layers")
{
    CIMFS_IMAGE_HANDLE image = open_in(container(), IN_FILE, NULL, L"a.cim");

    close_image(image);
    check_no_session(image, place(L"base.bcim\\base.cim"));
}

CASE(stream_handle, "Handle/StreamForLayers", DECISION, "D25, D52", MAY_BREAK_DLL,
     "a stream's handle for an image's: E_INVALIDARG from each function about layers; it goes on")
{
    CIMFS_IMAGE_HANDLE image = open_in(container(), IN_FILE, NULL, L"a.cim");
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"h", meta(0, 4), &stream));
    check_no_session((CIMFS_IMAGE_HANDLE)stream, place(L"base.bcim\\base.cim"));
    check_hr("the stream goes on", cim.WriteStream(stream, "text", 4), S_OK);
    cim.CloseStream(stream);
    commit_and_close(image);
    check_in("its file", container(), L"a.cim", L"h", "text");
}

CASE(committed, "Commit/LayersAfterwards", DECISION, "D26, D52", 0,
     "after the commit: E_INVALIDARG from each function about layers; the image stays as it is")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);

    put_text(image, L"f", "text");
    commit(image);
    check_no_session(image, place(L"base.bcim\\base.cim"));
    cim.CloseImage(image);
    check_in("its file", stack.images[1].ImageDir, L"upper.cim", L"f", "text");
}

/* ---- threads ----------------------------------------------------------------------------------
 */

struct reading
{
    const WCHAR *path;
    HRESULT hr;
    bool wrong;
};

static DWORD WINAPI read_in(void *argument)
{
    struct reading *reading = argument;
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char text[16];

    for (int i = 0; i < 40 && SUCCEEDED(reading->hr); i++)
    {
        reading->hr = cim.ReadFile2(reading->path, L"foobar.txt", 0, text, 16, &got, &left, 1);
        if (FAILED(reading->hr)) break;
        reading->wrong |= got != 16 || left || memcmp(text, "some content 123", 16);
        reading->hr = cim.GetFileStatBasicInformation2(reading->path, L"foo\\bar.txt", &info, 1);
        reading->wrong |= SUCCEEDED(reading->hr) && info.EndOfFile.QuadPart != 13;
    }
    return 0;
}

CASE(read_threads, "ReadFile2/Threads", DECISION, "D52", 0,
     "threads read one container while a session adds images to it")
{
    struct reading readings[4];
    HANDLE threads[4];
    char label[40];

    make_in(container(), IN_FILE, L"a.cim");
    if (!has_export("CimReadFile2")) skip_case("the DLL has no CimReadFile2");
    for (unsigned i = 0; i < ARRAY_SIZE(readings); i++)
    {
        readings[i] = (struct reading){_wcsdup(join(container(), L"a.cim")), S_OK, false};
        threads[i] = CreateThread(NULL, 0, read_in, &readings[i], 0, NULL);
        need(threads[i] != NULL, "no thread");
    }
    for (unsigned i = 0; i < 5; i++) make_in(container(), IN_FILE, format_wide(L"%u.cim", i));
    WaitForMultipleObjects(ARRAY_SIZE(threads), threads, TRUE, INFINITE);
    for (unsigned i = 0; i < ARRAY_SIZE(readings); i++)
    {
        CloseHandle(threads[i]);
        sprintf(label, "thread %u", i);
        check_hr(label, readings[i].hr, S_OK);
        sprintf(label, "thread %u: wrong", i);
        check_bool(label, readings[i].wrong, false);
    }
    check_in("the last image", container(), L"4.cim", L"foobar.txt", "some content 123");
}

/* ---- processes --------------------------------------------------------------------------------
 */

ROLE(hold_sealable, "hold-sealable")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr;

    if (argc != 2) return 2;
    hr = cim.CreateImage2(argv[0], CIM_CREATE_IMAGE_SINGLE_FILE | VERIFIED, NULL, argv[1], &image);
    return hold_session(hr, image);
}

CASE(seal_meanwhile, "Seal/SessionOfAnotherProcess", DECISION, "D52", 0,
     "another process has a session in the container: sealing it is ERROR_SHARING_VIOLATION; then "
     "its image is under the seal")
{
    const WCHAR *args[] = {container(), L"peer.cim", NULL};
    UINT64 size, header;
    BYTE hash[32];
    struct peer *peer;

    make_in(args[0], IN_FILE | VERIFIED, L"a.cim");
    peer = start_holder("hold-sealable", args);
    check_hr("meanwhile", cim.SealImage(args[0], &size, &header, hash), HR_SHARING);
    peer_tell(peer, "commit");
    check_hr("its commit", peer_hear_hr(peer), S_OK);
    peer_end(peer);
    check_hr("then", cim.SealImage(args[0], &size, &header, hash), S_OK);
    check_in("its image", args[0], L"peer.cim", L"peer", "peer!");
}

/* Mounts a sealed container's image by the root hash that it says itself, and ends. */
ROLE(mount_sealed, "mount-sealed")
{
    UINT64 a, b, c;
    UINT32 sealed;
    BYTE hash[32];
    GUID guid;
    HRESULT hr;

    if (argc != 3 || wcslen(argv[2]) != 32) return 2;
    guid_from_argument(argv[2], &guid);
    hr = cim.GetVerificationInformation(argv[0], &sealed, &a, &b, &c, hash, NULL);
    if (SUCCEEDED(hr)) hr = cim.MountVerifiedImage(argv[0], argv[1], 0x20, &guid, 32, hash);
    peer_say_hr(hr);
    return 0;
}

CASE(mounted_by_peer, "MountVerified/OutlivesItsProcess", CLIENT, "hcsshim layer mounts",
     NEEDS_MOUNT,
     "a volume that another process mounted by its root hash stays when that has ended")
{
    const WCHAR *args[] = {container(), L"layer.cim", NULL, NULL};
    struct peer *peer;
    BYTE hash[32];
    GUID guid;
    HRESULT hr;

    make_in(args[0], IN_FILE | VERIFIED, args[1]);
    seal_container(args[0], hash);
    new_guid(&guid);
    args[2] = guid_argument(&guid);
    track_mount(&guid);
    peer = peer_start("mount-sealed", args);
    hr = peer_hear_hr(peer);
    if (FAILED(hr)) untrack_mount(&guid);
    check_hr("its answer", hr, S_OK);
    peer_end(peer);
    check_test_image("the volume", volume_root(&guid));
    check_hr("its GUID here", cim.MountVerifiedImage(args[0], args[1], 0x20, &guid, 32, hash),
             HR_ALREADY_EXISTS);
}
