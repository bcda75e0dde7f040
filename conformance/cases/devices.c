/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.c - images on a block device: CimCreateImage2 and CimMountImage with BLOCK_CIM
 */
#include "containers.h"

#define ROOM (8u << 20)

CASE(content, "Device/HcsshimTestImage", CLIENT, "hcsshim cim_test", NEEDS_MOUNT,
     "an image on a block device is mounted with BLOCK_CIM, by a path with a trailing backslash "
     "too")
{
    const WCHAR *device = new_device(ROOM);

    make_in(device, ON_DEVICE | CIM_CREATE_CONSISTENT_CIMS, L"layer.cim");
    check_mounts("without", device, L"layer.cim", CIM_MOUNT_BLOCK_CIM);
    check_mounts("with", format_wide(L"%ls\\", device), L"layer.cim", CIM_MOUNT_BLOCK_CIM);
}

CASE(same_bytes, "Device/SameBytesAsFile", CLIENT, "integrity-vhd", 0,
     "with CIM_CREATE_CONSISTENT_CIMS a device gets the bytes that a file gets")
{
    const WCHAR *device = new_device(ROOM);
    size_t size = 0, file_size = 0;
    BYTE *on_device, *in_file;

    make_in(container(), IN_FILE | CIM_CREATE_CONSISTENT_CIMS, L"layer.cim");
    make_in(device, ON_DEVICE | CIM_CREATE_CONSISTENT_CIMS, L"layer.cim");
    in_file = load_file(container(), &file_size);
    on_device = load_device(0, &size);
    need(in_file && on_device, "can't read them");
    check_number("the device's size stays", size, ROOM);
    check_bool("the same bytes", file_size <= size && !memcmp(in_file, on_device, file_size), true);
    free(in_file);
    free(on_device);
}

CASE(made_elsewhere, "Device/MadeAsFile", CLIENT, "hcsshim confidential guests", NEEDS_MOUNT,
     "a container that was made as a file is mounted as a device's")
{
    const WCHAR *device = new_device(ROOM);
    size_t size;
    void *bytes;

    make_in(container(), IN_FILE, L"layer.cim");
    bytes = load_file(container(), &size);
    need(bytes != NULL, "can't read the container");
    save_device(0, bytes, size);
    free(bytes);
    check_mounts("CimMountImage", device, L"layer.cim", CIM_MOUNT_BLOCK_CIM);
}

CASE(flags, "Device/Flags", DECISION, "D39, D52", NEEDS_MOUNT,
     "0x04 with other valid flags makes a container, on one device after another image")
{
    static const UINT32 flags[] = {0x04, 0x05, 0x06, 0x14, 0x24, 0x37};
    const WCHAR *device = new_device(ROOM);
    char label[20];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        const WCHAR *name = format_wide(L"%u.cim", (unsigned)i);

        sprintf(label, "flags 0x%02x", (unsigned)flags[i]);
        make_in(device, flags[i], name);
        check_mounts(label, device, name, CIM_MOUNT_BLOCK_CIM);
    }
    check_hr("a taken name", try_in(device, ON_DEVICE, NULL, L"0.cim"), HR_FILE_EXISTS);
}

CASE(fork, "Device/ExtendAndFork", DECISION, "D52", NEEDS_MOUNT,
     "an image on a device is extended and forked there, files deleted")
{
    const WCHAR *device = new_device(ROOM);
    CIMFS_IMAGE_HANDLE image;
    GUID guid;

    make_in(device, ON_DEVICE, L"a.cim");
    image = open_in(device, ON_DEVICE, L"a.cim", L"b.cim");
    put_text(image, L"more", "the fork's");
    commit_and_close(image);
    image = open_in(device, ON_DEVICE, L"b.cim", NULL);
    need_hr("CimDeletePath", cim.DeletePath(image, L"foo"));
    commit_and_close(image);
    need_hr("CimMountImage", mount_as(device, L"b.cim", CIM_MOUNT_BLOCK_CIM, &guid));
    check_content("added", on(volume_root(&guid), L"more"), "the fork's");
    check_content("kept", on(volume_root(&guid), L"foobar.txt"), "some content 123");
    check_error("deleted", path_error(on(volume_root(&guid), L"foo")), ERROR_FILE_NOT_FOUND);
    check_mounts("the parent", device, L"a.cim", CIM_MOUNT_BLOCK_CIM);
}

CASE(discarded, "Device/Discarded", DECISION, "D51, D52", 0,
     "closing without a commit leaves the device as if nothing had been there")
{
    const WCHAR *device = new_device(ROOM);
    CIMFS_IMAGE_HANDLE image = open_in(device, ON_DEVICE, NULL, L"a.cim");
    size_t size = 0, i = 0;
    BYTE *bytes;

    put_test_image(image);
    close_image(image);
    bytes = load_device(0, &size);
    need(bytes && size == ROOM, "can't read the device");
    while (i < size && !bytes[i]) i++;
    check_number("zeros", i, ROOM);
    free(bytes);
    check_hr("made again", try_in(device, ON_DEVICE, NULL, L"a.cim"), S_OK);
}

CASE(occupied, "Device/Occupied", DECISION, "D51", 0,
     "something else in the first or the last MiB: ERROR_CIMFS_IMAGE_CORRUPT, nothing changed; "
     "CIMFS_FORCE_DEVICE=1 allows it")
{
    static const size_t places[] = {0, 510, (1u << 20) - 1, ROOM - (1u << 20), ROOM - 1};
    const WCHAR *device = new_device(ROOM);
    BYTE *bytes = calloc(1, ROOM), *after;
    char label[40];
    size_t i, size = 0;

    need(bytes != NULL, "no memory");
    for (i = 0; i < ARRAY_SIZE(places); i++)
    {
        bytes[places[i]] = 0x55;
        save_device(0, bytes, ROOM);
        sprintf(label, "a byte at %u", (unsigned)places[i]);
        check_hr(label, try_in(device, ON_DEVICE, NULL, L"a.cim"), HR_CORRUPT);
        sprintf(label, "a byte at %u stays", (unsigned)places[i]);
        after = load_device(0, &size);
        check_bool(label, after && size == ROOM && !memcmp(after, bytes, ROOM), true);
        free(after);
        bytes[places[i]] = 0;
    }
    SetEnvironmentVariableW(L"CIMFS_FORCE_DEVICE", L"yes");
    check_hr("CIMFS_FORCE_DEVICE=yes", try_in(device, ON_DEVICE, NULL, L"a.cim"), HR_CORRUPT);
    SetEnvironmentVariableW(L"CIMFS_FORCE_DEVICE", L"1");
    check_hr("CIMFS_FORCE_DEVICE=1", try_in(device, ON_DEVICE, NULL, L"a.cim"), S_OK);
    SetEnvironmentVariableW(L"CIMFS_FORCE_DEVICE", NULL);
    bytes[places[2] + 1] = 0x55;
    save_device(0, bytes, ROOM);
    check_hr("a byte behind the first MiB", try_in(device, ON_DEVICE, NULL, L"a.cim"), S_OK);
    free(bytes);
}

CASE(full, "Device/Full", DECISION, "D52", 0,
     "a device that is too small: ERROR_DISK_FULL; the image on it stays")
{
    static BYTE data[900000];
    const WCHAR *device = new_device(1 << 20), *tiny = new_device(8192);
    CIMFS_IMAGE_HANDLE image;
    CIMFS_STREAM_HANDLE stream;
    HRESULT hr;

    check_hr("two blocks", try_in(tiny, ON_DEVICE, NULL, L"a.cim"), HR_DISK_FULL);
    make_in(device, ON_DEVICE, L"a.cim");
    image = open_in(device, ON_DEVICE, NULL, L"b.cim");
    fill_bytes(data, sizeof(data), 9);
    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, sizeof(data)), &stream));
    hr = cim.WriteStream(stream, data, sizeof(data));
    cim.CloseStream(stream);
    if (SUCCEEDED(hr)) hr = cim.CommitImage(image);
    check_hr("more than there is room for", hr, HR_DISK_FULL);
    close_image(image);
    check_hr("the first image", try_in(device, ON_DEVICE, L"a.cim", L"c.cim"), S_OK);
}

CASE(missing, "Device/Missing", DECISION, "D52", 0,
     "a device that isn't there, or is no disk: ERROR_PATH_NOT_FOUND")
{
    check_hr("a number", try_in(L"\\\\.\\PhysicalDrive4094", ON_DEVICE, NULL, L"a.cim"),
             HR_PATH_NOT_FOUND);
    check_hr("to extend", try_in(L"\\\\.\\PhysicalDrive4094", ON_DEVICE, L"a.cim", NULL),
             HR_PATH_NOT_FOUND);
    check_hr("no number", try_in(L"\\\\.\\PhysicalDrive", ON_DEVICE, NULL, L"a.cim"),
             HR_PATH_NOT_FOUND);
    check_hr("another name", try_in(L"\\\\.\\NoSuchDevice", ON_DEVICE, NULL, L"a.cim"),
             HR_PATH_NOT_FOUND);
}

CASE(mount_errors, "Device/MountErrors", DECISION, "D40, D52", NEEDS_MOUNT,
     "a missing image: ERROR_FILE_NOT_FOUND; no container there, or ATTEST_HASH of one that isn't "
     "sealed: ERROR_CIMFS_IMAGE_CORRUPT; of one that is: S_OK")
{
    const WCHAR *device = new_device(4 << 20), *blank = new_device(4 << 20),
                *sealed = new_device(4 << 20);
    BYTE hash[32];

    make_in(device, ON_DEVICE, L"a.cim");
    make_in(sealed, ON_DEVICE | CIM_CREATE_VERIFIED, L"a.cim");
    seal_container(sealed, hash);
    check_hr("missing image", try_mount(device, L"no.cim", 0x10), HR_FILE_NOT_FOUND);
    check_hr("zeros", try_mount(blank, L"a.cim", 0x10), HR_CORRUPT);
    check_hr("not sealed, attested", try_mount(device, L"a.cim", 0x90), HR_CORRUPT);
    check_hr("sealed, attested", try_mount(sealed, L"a.cim", 0x90), S_OK);
    check_hr("sealed", try_mount(sealed, L"a.cim", 0x10), S_OK);
    check_hr("sealed, by its hash",
             try_verified(0x10, &(CimFsImagePath){sealed, L"a.cim"}, 1, 32, hash), S_OK);
    check_hr("a session on a sealed one",
             try_in(sealed, ON_DEVICE | CIM_CREATE_VERIFIED, NULL, L"b.cim"), E_ACCESSDENIED);
}
