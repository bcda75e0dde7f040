/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_access.c - errors that the machine has to provoke; access.sh sets the scene
 *
 *   t_access denied DIR   DIR can't be written
 *   t_access full DIR     DIR's file system has a few MiB
 *   t_access nospace DIR  DIR's file system is full
 *   t_access held DIR     the region file that holds the data of DIR's image can't be opened
 */
#include "dlltest.h"

#define HR_DISK_FULL HR_WIN32(ERROR_DISK_FULL)

static void test_denied(const WCHAR *dir)
{
    CIMFS_IMAGE_HANDLE image = (CIMFS_IMAGE_HANDLE)(ULONG_PTR)1;

    is_str(content(dir, L"old.cim", L"f"), "old", "an image there can be read");
    is_hr(CimCreateImage(dir, NULL, L"new.cim", &image), E_ACCESSDENIED,
          "CimCreateImage: a directory that can't be written -> E_ACCESSDENIED (D46)");
    ok(!image, "CimCreateImage: the handle is NULL");
    is_hr(CimCreateImage(dir, L"old.cim", NULL, &image), E_ACCESSDENIED,
          "CimCreateImage: to extend an image there -> E_ACCESSDENIED");
    is_hr(CimCreateImage(dir, L"old.cim", L"fork.cim", &image), E_ACCESSDENIED,
          "CimCreateImage: to fork an image there -> E_ACCESSDENIED");
    is_hr(CimCreateImage2(dir, CIM_CREATE_CONSISTENT_CIMS, NULL, L"new.cim", &image),
          E_ACCESSDENIED, "CimCreateImage2: the same");
    is_hr(CimCreateImage(dir, L"none.cim", NULL, &image), HR_FILE_NOT_FOUND,
          "CimCreateImage: a missing image there -> ERROR_FILE_NOT_FOUND");
    is_hr(CimCreateImage(dir, NULL, L"old.cim", &image), HR_EXISTS,
          "CimCreateImage: a taken name there -> ERROR_FILE_EXISTS");
}

static void test_full(const WCHAR *dir)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, L"old.cim", NULL);
    CIMFS_FILE_METADATA metadata = {.FileSize = INT64_C(1) << 30};
    static UINT32 piece[65536];
    CIMFS_STREAM_HANDLE stream;
    UINT32 state = 1, i;
    HRESULT hr = S_OK;
    BOOLEAN exists;
    int files = count_files(dir, L"*");

    is_hr(put_text(image, L"before", "before"), S_OK, "a file that fits");
    is_hr(CimCreateFile(image, L"big", &metadata, &stream), S_OK, "a file of 1 GiB");
    while (!hr)
    {
        for (i = 0; i < 65536; i++) piece[i] = state = state * 1664525u + 1013904223u;
        hr = CimWriteStream(stream, piece, sizeof(piece));
    }
    is_hr(hr, HR_DISK_FULL, "CimWriteStream: the disk is full -> ERROR_DISK_FULL");
    is_hr(CimWriteStream(stream, piece, 4), HR_DISK_FULL, "D43: the same for the next write");
    CimCloseStream(stream);
    is_hr(put_text(image, L"after", "after"), HR_DISK_FULL, "D43: CimCreateFile afterwards");
    is_hr(put_stream(image, L"before:s", "s"), HR_DISK_FULL,
          "D43: CimCreateAlternateStream afterwards");
    is_hr(CimCreateHardLink(image, L"link", L"before"), HR_DISK_FULL,
          "D43: CimCreateHardLink afterwards");
    is_hr(CimDeletePath(image, L"before"), HR_DISK_FULL, "D43: CimDeletePath afterwards");
    is_hr(CimLookupFile(image, L"before", &exists), HR_DISK_FULL, "D43: CimLookupFile afterwards");
    is_hr(CimCommitImage(image), HR_DISK_FULL, "D43: CimCommitImage afterwards");
    CimCloseImage(image);
    is_str(content(dir, L"old.cim", L"f"), "old", "D43: the old image stands");
    ok(!in_image(dir, L"old.cim", L"before"), "D43: nothing of the session is in it");
    ok(files > 3 && count_files(dir, L"*") < files, "D43: what the session wrote is removed");
    is_int(count_files(dir, L"cimtmp_*"), 0, "D43: no private files are left");
    image = open_image(dir, L"old.cim", NULL);
    is_hr(put_text(image, L"again", "again"), S_OK, "there is room again");
    is_hr(commit_and_close(image), S_OK, "and a commit works");
    is_str(content(dir, L"old.cim", L"again"), "again", "with what was written");
}

static void test_nospace(const WCHAR *dir)
{
    CIMFS_IMAGE_HANDLE image;

    is_hr(CimCreateImage(dir, NULL, L"new.cim", &image), HR_DISK_FULL,
          "CimCreateImage: the disk is full -> ERROR_DISK_FULL (D46)");
    ok(!image, "CimCreateImage: the handle is NULL");
    is_int(count_files(dir, L"cimtmp_*"), 0, "CimCreateImage: no private file is left");
}

static void test_held(const WCHAR *dir)
{
    WCHAR path[MAX_PATH];
    UINT64 got, left;
    char buf[8];

    swprintf(path, MAX_PATH, L"%ls\\old.cim", dir);
    is_hr((HRESULT)CimReadFile(path, L"f", 0, buf, sizeof(buf), &got, &left), E_ACCESSDENIED,
          "CimReadFile: a region file that can't be opened -> E_ACCESSDENIED");
    is_hr((HRESULT)CimReadFile(path, L"\\", 0, buf, sizeof(buf), &got, &left), E_INVALIDARG,
          "CimReadFile: a directory -> E_INVALIDARG (D30)");
}

int wmain(int argc, WCHAR **argv)
{
    CIMFS_IMAGE_HANDLE image;

    if (argc != 3) return 2;
    if (!wcscmp(argv[1], L"denied"))
        test_denied(argv[2]);
    else if (!wcscmp(argv[1], L"full"))
        test_full(argv[2]);
    else if (!wcscmp(argv[1], L"nospace"))
        test_nospace(argv[2]);
    else if (!wcscmp(argv[1], L"held"))
        test_held(argv[2]);
    else if (!wcscmp(argv[1], L"make"))
    {
        image = open_image(argv[2], NULL, L"old.cim");
        if (put_text(image, L"f", "old") || commit_and_close(image)) bail("no image");
        return 0;
    }
    return tap_done();
}
