/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealed.c - containers with a seal: CimSealImage, CimGetVerificationInformation, verified mounts
 */
#include "containers.h"

#define TEST "hcsshim cim_test"
#define WRITER "hcsshim block writer"
#define VERIFIED CIM_CREATE_VERIFIED
#define CONSISTENT CIM_CREATE_CONSISTENT_CIMS

/* An image in a container that is sealed then. */
static void make_sealed(const struct kind *kind, const CimFsImagePath *image, BYTE hash[32])
{
    make_in(image->ImageDir, kind->create | VERIFIED | CONSISTENT, image->ImageName);
    seal_container(image->ImageDir, hash);
}

/* What CimGetVerificationInformation answers, its outputs preset. */
struct verification
{
    HRESULT hr;
    UINT32 sealed;
    UINT64 hash_size, signature_size, header_size;
    BYTE hash[64];
};

static struct verification ask(const WCHAR *path)
{
    struct verification v = {0, 77, 77, 77, 77, {0}};

    memset(v.hash, 0x5a, sizeof(v.hash));
    v.hr = cim.GetVerificationInformation(path, &v.sealed, &v.hash_size, &v.signature_size,
                                          &v.header_size, v.hash, NULL);
    return v;
}

/* Mounted by its root hash, with the items of put_test_image(). */
static void check_verified(const char *label, const struct kind *kind, const CimFsImagePath *images,
                           UINT32 count, const BYTE *hash)
{
    GUID guid;

    if (!check_hr(label, mount_verified(kind->mount, images, count, 32, hash, &guid), S_OK)) return;
    check_test_image(label, volume_root(&guid));
    dismount(volume_root(&guid));
}

/* ---- what clients do --------------------------------------------------------------------------
 */

CASE(seal, "Seal/HcsshimTest", CLIENT, TEST, NEEDS_MOUNT,
     "a container made with VERIFIED is sealed: a root hash of 32 bytes, by which it is mounted")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    UINT64 size = 0, header = 0;
    BYTE hash[32] = {0}, zeros[32] = {0};

    make_in(image.ImageDir, IN_FILE | VERIFIED | CONSISTENT, image.ImageName);
    check_hr("CimSealImage", cim.SealImage(image.ImageDir, &size, &header, hash), S_OK);
    check_number("hash size", size, 32);
    check_bool("a hash", memcmp(hash, zeros, 32) != 0, true);
    check_verified("CimMountVerifiedImage", &in_files, &image, 1, hash);
}

CASE(seal_device, "Seal/Device", CLIENT, "hcsshim confidential guests", NEEDS_MOUNT,
     "a sealed container on a device has the root hash of the same one in a file")
{
    const CimFsImagePath image = {new_device(4 << 20), L"layer.cim"};
    const CimFsImagePath same = {container(), L"layer.cim"};
    BYTE hash[32], in_file[32];

    make_sealed(&on_devices, &image, hash);
    make_sealed(&in_files, &same, in_file);
    check_bytes("the root hash", hash, 32, in_file, 32);
    check_verified("CimMountVerifiedImage", &on_devices, &image, 1, hash);
}

CASE(backslash, "Seal/DeviceWithBackslash", DECISION, "D52", NEEDS_MOUNT,
     "a device's path may end in a backslash, and needn't: to make, extend, merge, seal and mount")
{
    const WCHAR *device = new_device(4 << 20), *merged = new_device(4 << 20);
    const CimFsImagePath with[] = {{_wcsdup(format_wide(L"%ls\\", merged)), L"merged.cim"},
                                   {_wcsdup(format_wide(L"%ls\\", device)), L"b.cim"}};
    const CimFsImagePath without[] = {{merged, L"merged.cim"}, {device, L"b.cim"}};
    struct verification v;
    BYTE hash[32], source_hash[32];

    make_in(with[1].ImageDir, ON_DEVICE | VERIFIED, L"a.cim");
    commit_and_close(open_in(with[1].ImageDir, ON_DEVICE | VERIFIED, L"a.cim", L"b.cim"));
    seal_container(with[1].ImageDir, source_hash);
    make_merged(&on_devices, VERIFIED, with, 2);
    seal_container(with[0].ImageDir, hash);
    v = ask(with[0].ImageDir);
    check_hr("CimGetVerificationInformation", v.hr, S_OK);
    check_bytes("its root hash", v.hash, 32, hash, 32);
    check_mounts("CimMountImage", with[1].ImageDir, L"b.cim", CIM_MOUNT_BLOCK_CIM);
    check_verified("CimMountVerifiedImage", &on_devices, with + 1, 1, source_hash);
    check_verified("CimMergeMountVerifiedImage", &on_devices, with, 2, hash);
    v = ask(merged);
    check_hr("without", v.hr, S_OK);
    check_bytes("its root hash without", v.hash, 32, hash, 32);
    check_verified("mounted without", &on_devices, without + 1, 1, source_hash);
    check_verified("all of it without", &on_devices, without, 2, hash);
}

CASE(verification_device, "Verification/Device", CLIENT, "hcsshim confidential guests", NEEDS_MOUNT,
     "a container that was sealed as a file says its root hash on a device, and is mounted by it")
{
    const CimFsImagePath same = {container(), L"layer.cim"},
                         image = {new_device(4 << 20), L"layer.cim"};
    struct verification v;
    BYTE hash[32], *bytes;
    size_t size;

    make_sealed(&in_files, &same, hash);
    bytes = load_file(same.ImageDir, &size);
    need(bytes != NULL, "can't read the container");
    save_device(0, bytes, size);
    free(bytes);
    v = ask(image.ImageDir);
    check_hr("CimGetVerificationInformation", v.hr, S_OK);
    check_bool("sealed", v.sealed != 0, true);
    check_bytes("hash", v.hash, 32, hash, 32);
    check_verified("CimMountVerifiedImage", &on_devices, &image, 1, v.hash);
    check_mounts("attested", image.ImageDir, L"layer.cim", CIM_MOUNT_BLOCK_CIM);
}

CASE(wrong_hash, "MountVerified/WrongHash", CLIENT, TEST, NEEDS_MOUNT,
     "another root hash: no mount")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    BYTE hash[32];

    make_sealed(&in_files, &image, hash);
    hash[31] ^= 1;
    check_bool("fails", FAILED(try_verified(0x20, &image, 1, 32, hash)), true);
    hash[31] ^= 1;
    check_verified("the right one", &in_files, &image, 1, hash);
}

CASE(verification, "Verification/Sealed", CLIENT, WRITER, 0,
     "a sealed container's information is told, with 512 bytes behind it too")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    BYTE hash[32], sector[512], *bytes;
    struct verification v;
    size_t size;

    make_sealed(&in_files, &image, hash);
    v = ask(image.ImageDir);
    check_hr("CimGetVerificationInformation", v.hr, S_OK);
    check_bool("sealed", v.sealed != 0, true);
    check_number("hash size", v.hash_size, 32);
    check_bytes("hash", v.hash, 32, hash, 32);
    bytes = load_file(image.ImageDir, &size);
    need(bytes != NULL, "can't read the container");
    check_number("bytes of its last sector", size % 512, 0);
    bytes = realloc(bytes, size + 512);
    fill_bytes(sector, 512, 3);
    memcpy(bytes + size, sector, 512);
    save_file(image.ImageDir, bytes, size + 512);
    free(bytes);
    v = ask(image.ImageDir);
    check_hr("with a footer", v.hr, S_OK);
    check_bytes("with a footer: hash", v.hash, 32, hash, 32);
}

CASE(attest, "Seal/MountedWithoutHash", CLIENT, "extractuvm", NEEDS_MOUNT,
     "CimMountImage mounts a sealed image, with ATTEST_HASH and without")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    BYTE hash[32];

    make_sealed(&in_files, &image, hash);
    check_mounts("0x20", image.ImageDir, image.ImageName, 0x20);
    check_mounts("0xa0", image.ImageDir, image.ImageName, 0xa0);
}

CASE(not_sealed, "MountVerified/NotSealed", CLIENT, "hcsctl", NEEDS_MOUNT,
     "a container that isn't sealed: no verified mount, and its information says so or fails")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    const BYTE hash[32] = {1, 2, 3};
    struct verification v;

    make_in(image.ImageDir, IN_FILE | VERIFIED, image.ImageName);
    check_bool("the mount fails", FAILED(try_verified(0x20, &image, 1, 32, hash)), true);
    v = ask(image.ImageDir);
    check_bool("no seal is told of", SUCCEEDED(v.hr) && v.sealed, false);
}

/* Two sealed images merged, sealed and mounted by the merged one's root hash. */
static void verified_merge(const struct kind *kind, const CimFsImagePath *images)
{
    BYTE hash[32];
    GUID guid;

    make_layer(kind, VERIFIED, &images[1], L"foo.txt", "upper");
    seal_container(images[1].ImageDir, hash);
    make_sealed(kind, &images[2], hash);
    make_merged(kind, VERIFIED, images, 3);
    seal_container(images[0].ImageDir, hash);
    if (!check_hr("CimMergeMountVerifiedImage",
                  mount_verified(kind->mount, images, 3, 32, hash, &guid), S_OK))
        return;
    check_content("the upper one's", on(volume_root(&guid), L"foo.txt"), "upper");
    check_test_image("the lower one's", volume_root(&guid));
}

CASE(merged_files, "MergeMountVerified/HcsshimFiles", CLIENT, TEST, NEEDS_MOUNT,
     "sealed images in files are merged, and mounted by the merged one's root hash")
{
    const CimFsImagePath images[] = {{place(L"m.bcim"), L"merged.cim"},
                                     {place(L"upper.bcim"), L"upper.cim"},
                                     {place(L"base.bcim"), L"base.cim"}};

    verified_merge(&in_files, images);
}

CASE(merged_devices, "MergeMountVerified/HcsshimDevices", CLIENT, TEST, NEEDS_MOUNT,
     "so are sealed images on block devices")
{
    const CimFsImagePath images[] = {{new_device(4 << 20), L"merged.cim"},
                                     {new_device(4 << 20), L"upper.cim"},
                                     {new_device(4 << 20), L"base.cim"}};

    verified_merge(&on_devices, images);
}

/* ---- what we decided: sealing -----------------------------------------------------------------
 */

CASE(create_verified, "CreateImage2/VerifiedContainers", DECISION, "D39, D52", 0,
     "0x48 with other valid flags makes a container to be sealed")
{
    static const UINT32 flags[] = {0x48, 0x49, 0x4a, 0x58, 0x68, 0x7b};
    BYTE hash[32];
    char label[20];

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
    {
        const WCHAR *path = place(format_wide(L"c%u", (unsigned)i));
        UINT64 size, header;

        sprintf(label, "flags 0x%02x", (unsigned)flags[i]);
        make_in(path, flags[i], L"a.cim");
        check_hr(label, cim.SealImage(path, &size, &header, hash), S_OK);
        check_in(label + 6, path, L"a.cim", L"foobar.txt", "some content 123");
    }
}

CASE(verified_mixed, "Container/VerifiedMixed", DECISION, "D52", 0,
     "VERIFIED other than when the container was made: E_INVALIDARG")
{
    const WCHAR *sealable = place(L"sealable"), *plain = place(L"plain");

    make_in(sealable, IN_FILE | VERIFIED, L"a.cim");
    make_in(plain, IN_FILE, L"a.cim");
    check_hr("not, of one to be sealed", try_in(sealable, IN_FILE, NULL, L"b.cim"), E_INVALIDARG);
    check_hr("of one not to be sealed", try_in(plain, IN_FILE | VERIFIED, NULL, L"b.cim"),
             E_INVALIDARG);
    check_hr("as it was made", try_in(sealable, IN_FILE | VERIFIED, L"a.cim", L"b.cim"), S_OK);
}

CASE(seal_outputs, "Seal/Outputs", DECISION, "D28, D52", 0,
     "sizes: 32 and 4096, whatever they were before; a failure clears them, and leaves the hash "
     "alone; nowhere to put one: E_POINTER")
{
    const WCHAR *path = container();
    UINT64 size = 1, header = 1;
    BYTE hash[32], before[32];
    struct verification v;

    memset(before, 0x5a, sizeof(before));
    memcpy(hash, before, sizeof(hash));
    make_in(path, IN_FILE | VERIFIED, L"a.cim");
    check_hr("missing", cim.SealImage(join(case_dir(), L"no"), &size, &header, hash),
             HR_FILE_NOT_FOUND);
    check_bool("missing: cleared", !size && !header, true);
    check_bytes("missing: hash", hash, sizeof(hash), before, sizeof(before));
    check_hr("no size", cim.SealImage(path, NULL, &header, hash), E_POINTER);
    check_hr("no header size", cim.SealImage(path, &size, NULL, hash), E_POINTER);
    check_hr("no hash", cim.SealImage(path, &size, &header, NULL), E_POINTER);
    check_hr("no hash, NULL", cim.SealImage(NULL, &size, &header, NULL), E_POINTER);
    check_hr("NULL", cim.SealImage(NULL, &size, &header, hash), E_INVALIDARG);
    v = ask(path);
    check_hr("asked", v.hr, S_OK);
    check_number("not sealed yet", v.sealed, 0);
    size = header = 7;
    check_hr("sealed", cim.SealImage(path, &size, &header, hash), S_OK);
    check_number("hash size", size, 32);
    check_number("header size", header, 4096);
}

CASE(seal_twice, "Seal/Twice", DECISION, "D52", 0,
     "sealed again it has the same root hash, and the same bytes")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    BYTE hash[32], again[32];
    size_t size = 0, size_then = 0;
    void *bytes, *then;

    make_sealed(&in_files, &image, hash);
    bytes = load_file(image.ImageDir, &size);
    seal_container(image.ImageDir, again);
    check_bytes("the root hash", again, 32, hash, 32);
    then = load_file(image.ImageDir, &size_then);
    check_bool("the same bytes", bytes && then && size == size_then && !memcmp(bytes, then, size),
               true);
    free(bytes);
    free(then);
}

CASE(seal_refused, "Seal/Refused", DECISION, "D52", 0,
     "not made with VERIFIED: E_INVALIDARG; a session in it: ERROR_SHARING_VIOLATION; no "
     "container: "
     "ERROR_CIMFS_IMAGE_CORRUPT")
{
    const WCHAR *plain = place(L"plain"), *path = container();
    UINT64 size, header;
    BYTE hash[32];
    CIMFS_IMAGE_HANDLE image;

    make_in(plain, IN_FILE, L"a.cim");
    make_in(path, IN_FILE | VERIFIED, L"a.cim");
    save_file(join(case_dir(), L"text"), "no container", 12);
    check_hr("without VERIFIED", cim.SealImage(plain, &size, &header, hash), E_INVALIDARG);
    check_hr("a text", cim.SealImage(join(case_dir(), L"text"), &size, &header, hash), HR_CORRUPT);
    check_hr("a directory", cim.SealImage(case_dir(), &size, &header, hash), HR_CORRUPT);
    check_hr("a missing device", cim.SealImage(L"\\\\.\\PhysicalDrive4094", &size, &header, hash),
             HR_FILE_NOT_FOUND);
    image = open_in(path, IN_FILE | VERIFIED, NULL, L"b.cim");
    check_hr("in use", cim.SealImage(path, &size, &header, hash), HR_SHARING);
    close_image(image);
    check_hr("then", cim.SealImage(path, &size, &header, hash), S_OK);
}

CASE(sealed_writes, "Seal/NoMoreSessions", DECISION, "D52", 0,
     "a sealed container is never written again: E_ACCESSDENIED")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    BYTE hash[32];
    struct verification v;

    make_sealed(&in_files, &image, hash);
    check_hr("a new image", try_in(image.ImageDir, IN_FILE | VERIFIED, NULL, L"b.cim"),
             E_ACCESSDENIED);
    check_hr("to extend", try_in(image.ImageDir, IN_FILE | VERIFIED, L"layer.cim", NULL),
             E_ACCESSDENIED);
    check_hr("to fork", try_in(image.ImageDir, IN_FILE | VERIFIED, L"layer.cim", L"b.cim"),
             E_ACCESSDENIED);
    v = ask(image.ImageDir);
    check_hr("asked", v.hr, S_OK);
    check_bytes("its hash", v.hash, 32, hash, 32);
}

CASE(same_hash, "Seal/ConsistentSameHash", DECISION, "D45, D52", 0,
     "with CIM_CREATE_CONSISTENT_CIMS the same calls make the same root hash; another name of the "
     "image makes another")
{
    const CimFsImagePath one = {place(L"1"), L"layer.cim"}, two = {place(L"2"), L"layer.cim"},
                         three = {place(L"3"), L"other.cim"};
    BYTE hash[3][32];

    make_sealed(&in_files, &one, hash[0]);
    make_sealed(&in_files, &two, hash[1]);
    make_sealed(&in_files, &three, hash[2]);
    check_bytes("the same", hash[1], 32, hash[0], 32);
    check_bool("another name's", memcmp(hash[2], hash[0], 32) != 0, true);
}

/* ---- what we decided: asking ------------------------------------------------------------------
 */

CASE(verification_unsealed, "Verification/Answers", DECISION, "D52", 0,
     "not sealed: S_OK with 0, hash size 32, the hash untouched; missing: ERROR_FILE_NOT_FOUND; no "
     "container: ERROR_CIMFS_IMAGE_CORRUPT; numbers are cleared")
{
    const WCHAR *path = container();
    struct verification v;
    BYTE untouched[64];

    memset(untouched, 0x5a, sizeof(untouched));
    make_in(path, IN_FILE | VERIFIED, L"a.cim");
    save_file(join(case_dir(), L"text"), "no container", 12);
    v = ask(path);
    check_hr("not sealed", v.hr, S_OK);
    check_number("not sealed: sealed", v.sealed, 0);
    check_number("not sealed: hash size", v.hash_size, 32);
    check_number("not sealed: signature size", v.signature_size, 0);
    check_number("not sealed: header size", v.header_size, 4096);
    check_bytes("not sealed: hash", v.hash, 64, untouched, 64);
    v = ask(join(case_dir(), L"no"));
    check_hr("missing", v.hr, HR_FILE_NOT_FOUND);
    check_bool("missing: cleared", !v.sealed && !v.hash_size && !v.signature_size && !v.header_size,
               true);
    check_bytes("missing: hash", v.hash, 64, untouched, 64);
    check_hr("no container", ask(join(case_dir(), L"text")).hr, HR_CORRUPT);
    check_hr("a directory", ask(case_dir()).hr, HR_CORRUPT);
    check_hr("NULL", ask(NULL).hr, E_INVALIDARG);
}

CASE(verification_nulls, "Verification/NoOutput", DECISION, "D28, D52", 0,
     "nowhere to put an answer: E_POINTER; the signature may be NULL, or have room, which is left "
     "alone")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    UINT64 a, b, c;
    UINT32 sealed;
    BYTE hash[32], signature[4] = {1, 2, 3, 4};
    const WCHAR *path = image.ImageDir;

    make_sealed(&in_files, &image, hash);
    check_hr("sealed", cim.GetVerificationInformation(path, NULL, &a, &b, &c, hash, NULL),
             E_POINTER);
    check_hr("hash size", cim.GetVerificationInformation(path, &sealed, NULL, &b, &c, hash, NULL),
             E_POINTER);
    check_hr("signature size",
             cim.GetVerificationInformation(path, &sealed, &a, NULL, &c, hash, NULL), E_POINTER);
    check_hr("header size", cim.GetVerificationInformation(path, &sealed, &a, &b, NULL, hash, NULL),
             E_POINTER);
    check_hr("hash", cim.GetVerificationInformation(path, &sealed, &a, &b, &c, NULL, NULL),
             E_POINTER);
    check_hr("hash, NULL path",
             cim.GetVerificationInformation(NULL, &sealed, &a, &b, &c, NULL, NULL), E_POINTER);
    check_hr("with a signature",
             cim.GetVerificationInformation(path, &sealed, &a, &b, &c, hash, signature), S_OK);
    check_number("its size", b, 0);
    check_bytes("its room", signature, 4, "\1\2\3\4", 4);
}

CASE(cut_off, "Verification/SealElsewhere", DECISION, "D52", NEEDS_MOUNT,
     "a sealed container without what sealing put behind it: ERROR_CIMFS_IMAGE_CORRUPT for who "
     "asks, "
     "and for who mounts it by its root hash, in a file and on a device")
{
    const CimFsImagePath image = {container(), L"layer.cim"},
                         device = {new_device(4 << 20), L"layer.cim"};
    size_t before, after;
    BYTE hash[32], *bytes;

    make_in(image.ImageDir, IN_FILE | VERIFIED, image.ImageName);
    bytes = load_file(image.ImageDir, &before);
    free(bytes);
    seal_container(image.ImageDir, hash);
    bytes = load_file(image.ImageDir, &after);
    need(bytes && before < after, "can't read the container");
    save_file(image.ImageDir, bytes, before);
    save_device(0, bytes, before);
    free(bytes);
    check_hr("asked", ask(image.ImageDir).hr, HR_CORRUPT);
    check_hr("mounted by its hash", try_verified(0x20, &image, 1, 32, hash), HR_CORRUPT);
    check_hr("attested", try_mount(image.ImageDir, L"layer.cim", 0x20), HR_CORRUPT);
    check_hr("a device: asked", ask(device.ImageDir).hr, HR_CORRUPT);
    check_hr("a device: mounted by its hash", try_verified(0x10, &device, 1, 32, hash), HR_CORRUPT);
}

/* ---- what we decided: verified mounts ---------------------------------------------------------
 */

CASE(mount_arguments, "MountVerified/Arguments", DECISION, "D40, D52", NEEDS_MOUNT,
     "a hash of another size, ATTEST_HASH, no container's flag, unknown flags, NULLs: E_INVALIDARG")
{
    static const UINT32 flags[] = {0, 0x01, 0x30, 0xa0, 0x90, 0x80, 0x120, 0xffffffff};
    static const UINT16 sizes[] = {0, 1, 31, 33, 64, 0xffff};
    const CimFsImagePath image = {container(), L"layer.cim"};
    BYTE hash[64] = {0};
    char label[20];
    GUID guid;

    new_guid(&guid);
    make_sealed(&in_files, &image, hash);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
    {
        sprintf(label, "flags 0x%02x", (unsigned)flags[i]);
        check_hr(label, try_verified(flags[i], &image, 1, 32, hash), E_INVALIDARG);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
    {
        sprintf(label, "%u bytes", sizes[i]);
        check_hr(label, try_verified(0x20, &image, 1, sizes[i], hash), E_INVALIDARG);
    }
    check_hr("NULL hash", try_verified(0x20, &image, 1, 32, NULL), E_INVALIDARG);
    check_hr("NULL directory", cim.MountVerifiedImage(NULL, L"layer.cim", 0x20, &guid, 32, hash),
             E_INVALIDARG);
    check_hr("NULL name", cim.MountVerifiedImage(image.ImageDir, NULL, 0x20, &guid, 32, hash),
             E_INVALIDARG);
    check_hr("NULL GUID",
             cim.MountVerifiedImage(image.ImageDir, L"layer.cim", 0x20, NULL, 32, hash),
             E_INVALIDARG);
    check_hr("as a device", try_verified(0x10, &image, 1, 32, hash), E_INVALIDARG);
    check_hr("fine", try_verified(0x6f, &image, 1, 32, hash), S_OK);
}

CASE(mount_refused, "MountVerified/Refused", DECISION, "D52", NEEDS_MOUNT,
     "another root hash, no seal, bytes that were changed: ERROR_CIMFS_IMAGE_CORRUPT; a missing "
     "image: ERROR_FILE_NOT_FOUND, a missing container: ERROR_PATH_NOT_FOUND")
{
    const CimFsImagePath image = {container(), L"layer.cim"}, no = {image.ImageDir, L"no.cim"},
                         none = {place(L"none"), L"a.cim"}, open = {place(L"open"), L"a.cim"};
    BYTE hash[32], wrong[32] = {0}, *bytes;
    size_t size;

    make_sealed(&in_files, &image, hash);
    make_in(open.ImageDir, IN_FILE | VERIFIED, open.ImageName);
    check_hr("another hash", try_verified(0x20, &image, 1, 32, wrong), HR_CORRUPT);
    check_hr("no seal", try_verified(0x20, &open, 1, 32, hash), HR_CORRUPT);
    check_hr("missing image", try_verified(0x20, &no, 1, 32, hash), HR_FILE_NOT_FOUND);
    check_hr("missing container", try_verified(0x20, &none, 1, 32, hash), HR_PATH_NOT_FOUND);
    bytes = load_file(image.ImageDir, &size);
    need(bytes != NULL, "can't read the container");
    bytes[1500] ^= 1; /* of its first block, where nothing is */
    save_file(image.ImageDir, bytes, size);
    free(bytes);
    check_hr("changed", try_verified(0x20, &image, 1, 32, hash), HR_CORRUPT);
}

/* A sealed image with one file of 20,000 bytes, one of which was changed since. */
static void make_tampered(const CimFsImagePath *image, BYTE hash[32])
{
    static BYTE data[20000];
    CIMFS_IMAGE_HANDLE handle =
            open_in(image->ImageDir, IN_FILE | VERIFIED, NULL, image->ImageName);
    size_t size, at = 0;
    BYTE *bytes;

    fill_bytes(data, sizeof(data), 11);
    put_file(handle, L"f", data, sizeof(data));
    put_text(handle, L"other", "other");
    commit_and_close(handle);
    seal_container(image->ImageDir, hash);
    bytes = load_file(image->ImageDir, &size);
    need(bytes != NULL, "can't read the container");
    while (at + 16 < size && memcmp(bytes + at, data + 9000, 16)) at++;
    need(at + 16 < size, "the file's bytes aren't found");
    bytes[at] ^= 1;
    save_file(image->ImageDir, bytes, size);
    free(bytes);
}

CASE(tampered, "MountVerified/TamperedData", CLIENT, "hcsctl", NEEDS_MOUNT,
     "of a file whose bytes were changed after the seal nothing is read: the mount fails, or the "
     "read does")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    DWORD error = 0;
    size_t size = 0;
    BYTE hash[32];
    void *got;
    GUID guid;

    make_tampered(&image, hash);
    if (FAILED(mount_verified(0x20, &image, 1, 32, hash, &guid)))
    {
        check_bool("refused", true, true);
        return;
    }
    got = read_file(on(volume_root(&guid), L"f"), &size, &error);
    check_bool("refused", !got || size < 20000, true);
    free(got);
}

CASE(tampered_question, "MountVerified/TamperedError", QUESTION, "Q-57, Q-58", NEEDS_MOUNT,
     "what a read of changed bytes answers, and whether others go on; the text of a wrong hash's "
     "error")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    DWORD error = 0;
    WCHAR text[200] = L"";
    BYTE hash[32];
    size_t size;
    GUID guid;
    HRESULT hr;

    make_tampered(&image, hash);
    hr = mount_verified(0x20, &image, 1, 32, hash, &guid);
    see_hr("the mount", hr);
    if (SUCCEEDED(hr))
    {
        free(read_file(on(volume_root(&guid), L"f"), &size, &error));
        see_error("the read", error);
        see_error("another file", path_error(on(volume_root(&guid), L"other")));
        dismount(volume_root(&guid));
    }
    hash[0] ^= 1;
    hr = try_verified(0x20, &image, 1, 32, hash);
    FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD)hr, 0,
                   text, ARRAY_SIZE(text), NULL);
    see_bool("a text that clients look for", wcsstr(text, L"integrity violation") != NULL);
}

CASE(merge_refused, "MergeMountVerified/Refused", DECISION, "D52", NEEDS_MOUNT,
     "a source that isn't the one whose root hash was stored, or none stored: "
     "ERROR_CIMFS_IMAGE_CORRUPT; a missing one: ERROR_FILE_NOT_FOUND; the first no merged one, or "
     "fewer than two: E_INVALIDARG")
{
    CimFsImagePath images[] = {{place(L"m.bcim"), L"merged.cim"}, {place(L"1.bcim"), L"1.cim"}};
    const CimFsImagePath loose[] = {{place(L"l.bcim"), L"merged.cim"}, images[1]};
    BYTE source[32], hash[32], loose_hash[32];
    CIMFS_IMAGE_HANDLE image;
    GUID guid;

    new_guid(&guid);
    make_sealed(&in_files, &images[1], source);
    make_merged(&in_files, VERIFIED, images, 2);
    seal_container(images[0].ImageDir, hash);
    image = open_in(loose[0].ImageDir, IN_FILE | VERIFIED, NULL, L"merged.cim");
    need_hr("CimAddFsToMergedImage2", cim.AddFsToMergedImage2(image, place(L"1.bcim\\1.cim"), 1));
    commit_and_close(image);
    seal_container(loose[0].ImageDir, loose_hash);
    check_verified("as it is to be", &in_files, images, 2, hash);
    check_hr("another hash", try_verified(0x20, images, 2, 32, source), HR_CORRUPT);
    check_hr("one alone", cim.MergeMountVerifiedImage(1, images, 0x20, &guid, 32, hash),
             E_INVALIDARG);
    check_hr("31 bytes", try_verified(0x20, images, 2, 31, hash), E_INVALIDARG);
    check_hr("ATTEST_HASH", try_verified(0xa0, images, 2, 32, hash), E_INVALIDARG);
    check_hr("no hash of the source stored", try_verified(0x20, loose, 2, 32, loose_hash),
             HR_CORRUPT);
    check_hr("attested, the other way", try_merged(0xa0, loose, 2), S_OK);
    images[1].ImageName = L"no.cim";
    check_hr("missing", try_verified(0x20, images, 2, 32, hash), HR_FILE_NOT_FOUND);
    images[1].ImageName = L"1.cim";
    need(remove_file(images[1].ImageDir), "can't remove the source");
    make_in(images[1].ImageDir, IN_FILE | VERIFIED | CONSISTENT, L"1.cim");
    check_hr("a source that isn't sealed", try_verified(0x20, images, 2, 32, hash), HR_CORRUPT);
}

CASE(answers, "Seal/Answers", QUESTION, "Q-56, Q-57, Q-59", NEEDS_MOUNT,
     "the answers to a wrong root hash, to sealing twice and what wasn't to be sealed, and of "
     "sizes")
{
    const CimFsImagePath image = {container(), L"layer.cim"};
    UINT64 size = 0, header = 0;
    BYTE hash[64] = {0};
    struct verification v;

    make_in(image.ImageDir, IN_FILE, L"layer.cim");
    see_hr("not to be sealed", cim.SealImage(image.ImageDir, &size, &header, hash));
    see_hr("not to be sealed: asked", ask(image.ImageDir).hr);
    remove_file(image.ImageDir);
    make_in(image.ImageDir, IN_FILE | VERIFIED, L"layer.cim");
    see_hr("to be sealed: asked", ask(image.ImageDir).hr);
    see_hr("sealed", cim.SealImage(image.ImageDir, &size, &header, hash));
    see_number("hash size", size);
    see_number("header size", header);
    see_hr("twice", cim.SealImage(image.ImageDir, &size, &header, hash));
    v = ask(image.ImageDir);
    see_hr("asked", v.hr);
    see_number("sealed, as a number", v.sealed);
    see_number("signature size", v.signature_size);
    hash[0] ^= 1;
    see_hr("wrong hash", try_verified(0x20, &image, 1, 32, hash));
}
