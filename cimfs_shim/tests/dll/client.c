/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.c - the smallest program that uses cimfs.dll: makes DIR\client.cim and reads it back
 *
 * Knows nothing but cimfs.h and the import library. Prints the DLL that it got.
 */
#include <cimfs.h>
#include <stdio.h>

int wmain(int argc, WCHAR **argv)
{
    CIMFS_FILE_METADATA metadata = {0};
    CIMFS_IMAGE_HANDLE image;
    CIMFS_STREAM_HANDLE stream;
    UINT64 got = 0, left = 0;
    char text[8] = "";
    WCHAR path[1024];
    HRESULT hr;

    if (argc != 2) return 2;
    GetModuleFileNameW(GetModuleHandleA("cimfs.dll"), path, 1024);
    printf("%ls\n", path);
    metadata.FileSize = 5;
    hr = CimCreateImage(argv[1], NULL, L"client.cim", &image);
    if (!hr) hr = CimCreateFile(image, L"hello", &metadata, &stream);
    if (!hr) hr = CimWriteStream(stream, "hello", 5);
    if (!hr) CimCloseStream(stream);
    if (!hr) hr = CimCreateHardLink(image, L"bad", L"missing");
    if (hr == HRESULT_FROM_WIN32(ERROR_PATH_NOT_FOUND)) hr = CimCommitImage(image);
    if (!hr) CimCloseImage(image);
    _snwprintf(path, 1024, L"%ls\\client.cim", argv[1]);
    if (!hr) hr = CimReadFile(path, L"hello", 0, text, 7, &got, &left);
    printf("%s 0x%08lx\n", text, (unsigned long)hr);
    return hr ? 1 : 0;
}
