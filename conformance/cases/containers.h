/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * containers.h - what the cases about containers share: images in one file, or on a device
 */
#ifndef CIM_CASES_CONTAINERS_H
#define CIM_CASES_CONTAINERS_H

#include "volume.h"

/* CimCreateImage2 */
#define IN_FILE CIM_CREATE_IMAGE_SINGLE_FILE
#define ON_DEVICE CIM_CREATE_IMAGE_BLOCK_CIM

static inline const WCHAR *container(void)
{
    return join(case_dir(), L"layer.bcim");
}

/* A session in a container. */
static inline CIMFS_IMAGE_HANDLE open_in(const WCHAR *path, UINT32 flags, const WCHAR *existing,
                                         const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;

    need_hr("CimCreateImage2",
            cim.CreateImage2(path, (CIM_CREATE_IMAGE_FLAGS)flags, existing, new_name, &image));
    track_image(image);
    return image;
}

/* The call's answer; a session that began is closed again. */
static inline HRESULT try_in(const WCHAR *path, UINT32 flags, const WCHAR *existing,
                             const WCHAR *new_name)
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT hr = cim.CreateImage2(path, (CIM_CREATE_IMAGE_FLAGS)flags, existing, new_name, &image);

    if (SUCCEEDED(hr)) cim.CloseImage(image);
    return hr;
}

/* What hcsshim's tests put into an image. */
static inline void put_test_image(CIMFS_IMAGE_HANDLE image)
{
    put_text(image, L"foobar.txt", "some content 123");
    put_dir(image, L"foo");
    put_text(image, L"foo\\bar.txt", "more content!");
}

/* A whole session that makes it. */
static inline void make_in(const WCHAR *path, UINT32 flags, const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = open_in(path, flags, NULL, name);

    put_test_image(image);
    commit_and_close(image);
}

/* A file of an image in a single file, by CimReadFile2; "" with *hr if it can't be read. */
static inline const char *text_in(const WCHAR *path, const WCHAR *name, const WCHAR *file,
                                  HRESULT *hr)
{
    static char text[256];
    UINT64 got = 0, left = 0;

    *hr = cim.ReadFile2(join(path, name), file, 0, text, sizeof(text) - 1, &got, &left,
                        CIM_READ_SINGLE_FILE);
    text[SUCCEEDED(*hr) ? got : 0] = 0;
    return text;
}

static inline void check_in(const char *label, const WCHAR *path, const WCHAR *name,
                            const WCHAR *file, const char *want)
{
    char answer[40];
    HRESULT hr;
    const char *text = text_in(path, name, file, &hr);

    snprintf(answer, sizeof(answer), "0x%08lx", (ULONG)hr);
    check_text(label, FAILED(hr) ? answer : text, want);
}

static inline HRESULT look_in(const WCHAR *path, const WCHAR *name, const WCHAR *file)
{
    HRESULT hr;

    text_in(path, name, file, &hr);
    return hr;
}

/* The three items of put_test_image() on a volume. */
static inline void check_test_image(const char *label, const WCHAR *root)
{
    char name[80];

    snprintf(name, sizeof(name), "%s: foobar.txt", label);
    check_content(name, on(root, L"foobar.txt"), "some content 123");
    snprintf(name, sizeof(name), "%s: foo\\bar.txt", label);
    check_content(name, on(root, L"foo\\bar.txt"), "more content!");
    snprintf(name, sizeof(name), "%s: foo", label);
    check_bool(name, GetFileAttributesW(on(root, L"foo")) & FILE_ATTRIBUTE_DIRECTORY, true);
}

/* Mounted with these flags, with the items of put_test_image(), and dismounted. */
static inline void check_mounts(const char *label, const WCHAR *path, const WCHAR *name,
                                UINT32 flags)
{
    GUID guid;

    if (!check_hr(label, mount_as(path, name, flags, &guid), S_OK)) return;
    check_test_image(label, volume_root(&guid));
    dismount(volume_root(&guid));
}

/* ---- merged and sealed images ------------------------------------------------------------------
 */

/* The flags that the calls take for images in such a place. */
struct kind
{
    UINT32 create, merge, mount;
};
static const struct kind in_files = {IN_FILE, CIM_MERGE_SINGLE_FILE, CIM_MOUNT_SINGLE_FILE};
static const struct kind on_devices = {ON_DEVICE, CIM_MERGE_BLOCK_DEVICE, CIM_MOUNT_BLOCK_CIM};
static const struct kind in_directories = {0, 0, 0};

/* A merged image of the images behind the first, topmost first; then it is the first. */
static inline void make_merged(const struct kind *kind, UINT32 more, const CimFsImagePath *images,
                               UINT32 count)
{
    CIMFS_IMAGE_HANDLE image =
            open_in(images[0].ImageDir, kind->create | more, NULL, images[0].ImageName);

    for (UINT32 i = 1; i < count; i++)
        need_hr("CimAddFsToMergedImage2",
                cim.AddFsToMergedImage2(
                        image, join(images[i].ImageDir, images[i].ImageName),
                        kind->merge | (more & CIM_CREATE_VERIFIED ? CIM_MERGE_VERIFIED : 0)));
    commit_and_close(image);
}

/* CimMergeMountImage under a new GUID. */
static inline HRESULT mount_merged(const struct kind *kind, const CimFsImagePath *images,
                                   UINT32 count, GUID *guid)
{
    HRESULT hr;

    new_guid(guid);
    track_mount(guid);
    hr = cim.MergeMountImage(count, images, kind->mount, guid);
    if (FAILED(hr)) untrack_mount(guid);
    return hr;
}

/* The same with a root hash; the call's answer, and what it mounted is dismounted again. */
static inline HRESULT try_merged(UINT32 flags, const CimFsImagePath *images, UINT32 count)
{
    GUID guid;
    HRESULT hr;

    new_guid(&guid);
    track_mount(&guid);
    hr = cim.MergeMountImage(count, images, flags, &guid);
    if (FAILED(hr))
        untrack_mount(&guid);
    else
        dismount(volume_root(&guid));
    return hr;
}

/* CimMountVerifiedImage, or CimMergeMountVerifiedImage of more than one, under a new GUID. */
static inline HRESULT mount_verified(UINT32 flags, const CimFsImagePath *images, UINT32 count,
                                     UINT16 size, const BYTE *hash, GUID *guid)
{
    HRESULT hr;

    new_guid(guid);
    track_mount(guid);
    hr = count == 1 ? cim.MountVerifiedImage(images->ImageDir, images->ImageName, flags, guid, size,
                                             hash)
                    : cim.MergeMountVerifiedImage(count, images, flags, guid, size, hash);
    if (FAILED(hr)) untrack_mount(guid);
    return hr;
}

static inline HRESULT try_verified(UINT32 flags, const CimFsImagePath *images, UINT32 count,
                                   UINT16 size, const BYTE *hash)
{
    GUID guid;
    HRESULT hr = mount_verified(flags, images, count, size, hash, &guid);

    if (SUCCEEDED(hr)) dismount(volume_root(&guid));
    return hr;
}

/* The container sealed; needs S_OK. */
static inline void seal_container(const WCHAR *path, BYTE hash[32])
{
    UINT64 size = 0, header = 0;

    need_hr("CimSealImage", cim.SealImage(path, &size, &header, hash));
}

/* An image with one file. */
static inline void make_layer(const struct kind *kind, UINT32 more, const CimFsImagePath *layer,
                              const WCHAR *file, const char *text)
{
    CIMFS_IMAGE_HANDLE image =
            open_in(layer->ImageDir, kind->create | more, NULL, layer->ImageName);

    put_text(image, file, text);
    commit_and_close(image);
}

/* A container's, or a directory's, path that stays. */
static inline const WCHAR *place(const WCHAR *name)
{
    return _wcsdup(join(case_dir(), name));
}

#endif
