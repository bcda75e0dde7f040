/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_flows.c - the sequences of calls that published clients make, as far as nothing is mounted
 *
 * Each flow is told in the order of its calls; what a client looks at through a mount is looked at
 * through CimReadFile() and CimGetFileStatBasicInformation().
 */
#include "dlltest.h"

static const WCHAR *dir;

/* The descriptor that container tools pass for "none". */
static const BYTE null_dacl[20] = {1, 0, 4, 0x80};

static HRESULT add(CIMFS_IMAGE_HANDLE image, const WCHAR *path, UINT32 attributes, const char *text)
{
    CIMFS_FILE_METADATA metadata = {
            .Attributes = attributes,
            .FileSize = text ? (INT64)strlen(text) : 0,
            .SecurityDescriptorBuffer = null_dacl,
            .SecurityDescriptorSize = sizeof(null_dacl),
    };
    CIMFS_STREAM_HANDLE stream;
    FILETIME now;
    HRESULT hr;

    GetSystemTimeAsFileTime(&now);
    metadata.CreationTime.LowPart = metadata.LastWriteTime.LowPart = now.dwLowDateTime;
    metadata.CreationTime.HighPart = metadata.LastWriteTime.HighPart = (LONG)now.dwHighDateTime;
    hr = CimCreateFile(image, path, &metadata, &stream);
    if (hr) return hr;
    if (text) hr = CimWriteStream(stream, text, (UINT32)strlen(text));
    CimCloseStream(stream);
    return hr;
}

/* A container tool's unit test: two files and a directory, read back. */
static void flow_container_unit_test(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"test.cim");
    FILE_STAT_BASIC_INFORMATION info;

    is_hr(add(image, L"foobar.txt", 0, "foobar.txt data\n"), S_OK, "unit test: foobar.txt");
    is_hr(add(image, L"foo", FILE_ATTRIBUTE_DIRECTORY, NULL), S_OK, "unit test: foo");
    is_hr(add(image, L"foo\\bar.txt", 0, "bar.txt data\n"), S_OK, "unit test: foo\\bar.txt");
    is_hr(CimCommitImage(image), S_OK, "unit test: commit");
    CimCloseImage(image);
    is_hr(stat_of(dir, L"test.cim", L"foo", &info), S_OK, "unit test: stat foo");
    ok(info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY, "unit test: foo is a directory");
    is_str(content(dir, L"test.cim", L"foobar.txt"), "foobar.txt data\n", "unit test: foobar.txt");
    is_str(content(dir, L"test.cim", L"foo\\bar.txt"), "bar.txt data\n", "unit test: bar.txt");
}

/* Sizes around 512, read in steps of 512 until nothing remains; an empty file in one call. */
static void flow_read_in_steps(void)
{
    static const UINT32 sizes[] = {0, 1, 511, 512, 513, 1535, 1536, 1537};
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"steps.cim");
    char data[2048], back[2048], chunk[512];
    WCHAR path[40];
    size_t i;

    for (i = 0; i < sizeof(data); i++) data[i] = (char)(i * 7 + i / 256);
    is_hr(put_dir(image, L"foo"), S_OK, "steps: foo");
    for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
    {
        _snwprintf(path, 40, i % 2 ? L"foo\\%u" : L"%u", sizes[i]);
        is_hr(put(image, path, 0, data, sizes[i]), S_OK, "steps: a file of %u bytes", sizes[i]);
    }
    is_hr(commit_and_close(image), S_OK, "steps: commit");
    for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
    {
        UINT64 offset = 0, got, left = 1;
        unsigned calls = 0;
        HRESULT hr = S_OK;

        _snwprintf(path, 40, i % 2 ? L"foo\\%u" : L"%u", sizes[i]);
        while (left && !hr && calls < 10)
        {
            hr = CimReadFile(path_of(dir, L"steps.cim"), path, offset, chunk, 512, &got, &left);
            memcpy(back + offset, chunk, got);
            offset += got;
            calls++;
        }
        is_hr(hr, S_OK, "steps: %u bytes read in %u calls", sizes[i], calls);
        is_int(offset, sizes[i], "steps: %u bytes: as many", sizes[i]);
        is_mem(back, data, sizes[i], "steps: %u bytes: the same", sizes[i]);
    }
}

/* A layer of directories and empty hives; then opened again, as the layer writers of 2020 do. */
static void flow_layer(void)
{
    static const WCHAR *const dirs[] = {
            L"Files",
            L"Files\\Windows",
            L"Files\\Windows\\System32",
            L"Files\\Windows\\System32\\config",
            L"Hives",
            L"UtilityVM",
            L"UtilityVM\\Files",
            L"UtilityVM\\Files\\EFI",
            L"UtilityVM\\Files\\EFI\\Microsoft",
            L"UtilityVM\\Files\\EFI\\Microsoft\\Boot",
    };
    static const WCHAR *const hives[] = {L"DEFAULT", L"SAM", L"SECURITY", L"SOFTWARE", L"SYSTEM"};
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"layer.cim");
    FILE_STAT_BASIC_INFORMATION info, other;
    WCHAR path[100], link[100];
    size_t i;

    for (i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
        is_hr(add(image, dirs[i], FILE_ATTRIBUTE_DIRECTORY, NULL), S_OK, "layer: %ls", dirs[i]);
    for (i = 0; i < sizeof(hives) / sizeof(*hives); i++)
    {
        _snwprintf(path, 100, L"Files\\Windows\\System32\\config\\%ls", hives[i]);
        is_hr(add(image, path, FILE_ATTRIBUTE_NORMAL, "hive"), S_OK, "layer: hive %ls", hives[i]);
    }
    is_hr(add(image, L"layout", FILE_ATTRIBUTE_NORMAL, "vhd-with-hives\n"), S_OK, "layer: layout");
    is_hr(commit_and_close(image), S_OK, "layer: commit");

    /* Reopened at once; nested inherited parents are not added again. */
    image = open_image(dir, L"layer.cim", NULL);
    for (i = 0; i < sizeof(hives) / sizeof(*hives); i++)
    {
        _snwprintf(path, 100, L"Files\\Windows\\System32\\Config\\%ls", hives[i]);
        _snwprintf(link, 100, L"Hives\\%ls_Base", hives[i]);
        is_hr(CimCreateHardLink(image, link, path), S_OK, "layer: link of an inherited hive");
    }
    is_hr(add(image, L"UtilityVM\\Files\\EFI\\Microsoft\\Boot\\BCD", 0, "bcd"), S_OK,
          "layer: a file below inherited directories");
    is_hr(add(image, L"Files\\Windows\\System32\\config\\SYSTEM", 0, "changed hive"), S_OK,
          "layer: the linked hive is overwritten");
    is_hr(commit_and_close(image), S_OK, "layer: commit again");
    is_str(content(dir, L"layer.cim", L"Hives\\SYSTEM_Base"), "hive", "layer: the link's content");
    is_str(content(dir, L"layer.cim", L"Files\\Windows\\System32\\config\\SYSTEM"), "changed hive",
           "layer: the overwritten hive");
    is_str(content(dir, L"layer.cim", L"UtilityVM\\Files\\EFI\\Microsoft\\Boot\\BCD"), "bcd",
           "layer: the new file");
    stat_of(dir, L"layer.cim", L"Hives\\SAM_Base", &info);
    stat_of(dir, L"layer.cim", L"Files\\Windows\\System32\\config\\SAM", &other);
    ok(info.FileId.QuadPart && info.FileId.QuadPart == other.FileId.QuadPart,
       "layer: a hive and its link are one file");

    /* A child layer re-adds every directory on the way and tombstones by deleting. */
    image = open_image(dir, L"layer.cim", L"child.cim");
    for (i = 0; i < 4; i++)
        is_hr(add(image, dirs[i], FILE_ATTRIBUTE_DIRECTORY, NULL), S_OK, "child layer: %ls again",
              dirs[i]);
    is_hr(add(image, L"Files\\Windows\\new.dll", 0, "dll"), S_OK, "child layer: a new file");
    is_hr(CimDeletePath(image, L"Files\\Windows\\System32\\config\\SAM"), S_OK,
          "child layer: a deleted file");
    is_hr(CimDeletePath(image, L"Files\\nothing"), HR_PATH_NOT_FOUND,
          "child layer: deleting what is missing is \"not found\", and no harm");
    is_hr(commit_and_close(image), S_OK, "child layer: commit");
    is_str(content(dir, L"child.cim", L"Files\\Windows\\System32\\config\\SOFTWARE"), "hive",
           "child layer: what the parent had is still there");
    ok(!in_image(dir, L"child.cim", L"Files\\Windows\\System32\\config\\SAM"),
       "child layer: the deleted file is gone");
    ok(in_image(dir, L"layer.cim", L"Files\\Windows\\System32\\config\\SAM"),
       "child layer: the parent keeps it");
    is_str(content(dir, L"child.cim", L"Files\\Windows\\new.dll"), "dll", "child layer: new file");

    image = open_image(dir, L"child.cim", L"grandchild.cim");
    is_hr(add(image, L"Files\\Windows\\System32\\late.dll", 0, "late"), S_OK, "grandchild: a file");
    is_hr(commit_and_close(image), S_OK, "grandchild: commit");
    is_str(content(dir, L"grandchild.cim", L"layout"), "vhd-with-hives\n",
           "grandchild: a file of the first layer");
    is_str(content(dir, L"grandchild.cim", L"Files\\Windows\\new.dll"), "dll",
           "grandchild: a file of the second");
}

/* Microsoft's sample program, in its order. */
static void flow_sample(void)
{
    const WCHAR *name = L"sample.cim", *fork = L"sample.cim_fork";
    CIMFS_FILE_METADATA metadata = {0};
    CIMFS_IMAGE_HANDLE image;
    CIMFS_STREAM_HANDLE stream;
    FILE_STAT_BASIC_INFORMATION info, other;
    BY_HANDLE_FILE_INFORMATION host;
    static char piece[65536], back[65536];
    const WCHAR *source = path_of(dir, L"source.bin");
    HANDLE file;
    DWORD got;
    UINT64 offset = 0, read = 0, left = 1;
    UINT32 i;

    for (i = 0; i < sizeof(piece); i++) piece[i] = (char)(i >> 3 ^ i);
    save_file(source, piece, sizeof(piece));
    file = CreateFileW(source, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS, NULL);
    GetFileInformationByHandle(file, &host);
    is_hr(CimCreateImage(dir, NULL, name, &image), S_OK, "sample: create");
    metadata.Attributes = host.dwFileAttributes;
    metadata.FileSize = sizeof(piece) * 2 + 17;
    metadata.CreationTime.LowPart = host.ftCreationTime.dwLowDateTime;
    metadata.CreationTime.HighPart = (LONG)host.ftCreationTime.dwHighDateTime;
    is_hr(CimCreateFile(image, L"source.bin", &metadata, &stream), S_OK, "sample: a host file");
    ReadFile(file, back, sizeof(back), &got, NULL);
    is_hr(CimWriteStream(stream, back, got), S_OK, "sample: 64 KiB");
    is_hr(CimWriteStream(stream, back, got), S_OK, "sample: 64 KiB more");
    is_hr(CimWriteStream(stream, back, 17), S_OK, "sample: the last bytes");
    CimCloseStream(stream);
    CloseHandle(file);
    is_hr(put_dir(image, L"sub"), S_OK, "sample: a directory, no write");
    is_hr(CimCommitImage(image), S_OK, "sample: commit");
    CimCloseImage(image);

    is_hr(CimCreateImage(dir, NULL, name, &image), HR_EXISTS, "sample: the same name again");
    is_hr(stat_of(dir, name, L"source.bin", &info), S_OK, "sample: stat");
    is_int(info.EndOfFile.QuadPart, metadata.FileSize, "sample: EndOfFile");
    is_hex(info.CreationTime.QuadPart, metadata.CreationTime.QuadPart, "sample: CreationTime");
    is_hex(info.FileAttributes, host.dwFileAttributes, "sample: attributes");
    while (left)
    {
        is_hr(CimReadFile(path_of(dir, name), L"source.bin", offset, back, sizeof(back), &read,
                          &left),
              S_OK, "sample: read at %llu", (unsigned long long)offset);
        if (!ok(read != 0, "sample: something was read")) break;
        is_mem(back, piece, read, "sample: %llu bytes are right", (unsigned long long)read);
        offset += read;
    }
    is_int(offset, metadata.FileSize, "sample: all was read");

    is_hr(CimCreateImage(dir, name, name, &image), S_OK, "sample: extend, both names the same");
    is_hr(CimCreateHardLink(image, L"link", L"source.bin"), S_OK, "sample: a link at the root");
    is_hr(CimCommitImage(image), S_OK, "sample: commit");
    CimCloseImage(image);
    stat_of(dir, name, L"source.bin", &info);
    stat_of(dir, name, L"link", &other);
    is_mem(&info.FileId128, &other.FileId128, 16, "sample: the 128-bit file IDs are equal");
    is_hr(CimCreateImage(dir, name, name, &image), S_OK, "sample: extend again");
    is_hr(CimCreateHardLink(image, L"link2", L"sub"), E_ACCESSDENIED,
          "sample: link of a directory");
    CimCloseImage(image);
    ok(in_image(dir, name, L"link"), "sample: closed without commit, without harm");

    is_hr(CimCreateImage(dir, name, fork, &image), S_OK, "sample: fork");
    is_hr(CimDeletePath(image, L"link"), S_OK, "sample: delete in the fork");
    is_hr(CimCommitImage(image), S_OK, "sample: commit");
    CimCloseImage(image);
    is_hr(stat_of(dir, fork, L"link", &info), HR_FILE_NOT_FOUND, "sample: gone: FILE_NOT_FOUND");
    ok(in_image(dir, name, L"link"), "sample: the base keeps it");
    is_hr(CimCreateImage(dir, name, fork, &image), HR_EXISTS, "sample: the fork's name is taken");
}

/* A .NET wrapper's unit test. */
static void flow_wrapper(void)
{
    CIMFS_IMAGE_HANDLE image;
    WCHAR with_slash[PATH_ROOM];
    WIN32_FILE_ATTRIBUTE_DATA data;
    int i;

    _snwprintf(with_slash, PATH_ROOM, L"%ls\\", dir);
    for (i = 0; i < 2; i++)
    {
        is_hr(CimCreateImage(with_slash, NULL, L"temp.cim", &image), S_OK,
              "wrapper: a directory that ends in '\\', run %d", i + 1);
        is_hr(put_text(image, L"file.txt", "whole file in one write"), S_OK, "wrapper: a file");
        is_hr(CimCommitImage(image), S_OK, "wrapper: commit");
        ok(GetFileAttributesExW(path_of(dir, L"temp.cim"), GetFileExInfoStandard, &data) &&
                   data.nFileSizeLow > 0,
           "wrapper: before CimCloseImage the image file is there and not empty");
        CimCloseImage(image);
        ok(DeleteFileW(path_of(dir, L"temp.cim")), "wrapper: it can be deleted at once");
    }
}

/* A Rust tool: no descriptor, and an empty write at the end of each file. */
static void flow_rust_tool(void)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"rust.cim");
    CIMFS_FILE_METADATA metadata = {.FileSize = 5};
    CIMFS_STREAM_HANDLE stream;

    is_hr(CimCreateFile(image, L"five", &metadata, &stream), S_OK, "rust: a file");
    is_hr(CimWriteStream(stream, "12345", 5), S_OK, "rust: its bytes");
    is_hr(CimWriteStream(stream, "", 0), S_OK, "rust: an empty write at the end");
    CimCloseStream(stream);
    metadata.FileSize = 0;
    is_hr(CimCreateFile(image, L"empty", &metadata, &stream), S_OK, "rust: an empty file");
    is_hr(CimWriteStream(stream, "", 0), S_OK, "rust: an empty write to it");
    CimCloseStream(stream);
    is_hr(commit_and_close(image), S_OK, "rust: commit");
    is_str(content(dir, L"rust.cim", L"five"), "12345", "rust: read back");
    is_str(content(dir, L"rust.cim", L"empty"), "", "rust: read the empty one");

    image = open_image(dir, L"rust.cim", L"rust_fork.cim");
    is_hr(put_dir(image, L"a"), S_OK, "rust: fork: an ancestor");
    is_hr(put_dir(image, L"a\\b"), S_OK, "rust: fork: the next");
    is_hr(put_text(image, L"a\\b\\c", "object"), S_OK, "rust: fork: the object");
    is_hr(commit_and_close(image), S_OK, "rust: fork: commit");
    is_str(content(dir, L"rust_fork.cim", L"a\\b\\c"), "object", "rust: fork: read back");
}

/* A Go tool's smoke test, and the habit of committing whatever happened. */
static void flow_smoke(void)
{
    const WCHAR *here = new_dir(L"smoke");
    CIMFS_IMAGE_HANDLE image = open_image(here, NULL, L"smoke.cim");
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_STREAM_HANDLE stream;
    WIN32_FIND_DATAW data;
    HANDLE found;

    is_hr(put_text(image, L"file", "file"), S_OK, "smoke: a file");
    is_hr(CimCreateAlternateStream(image, L"file:marker", 0, &stream), S_OK, "smoke: a marker");
    CimCloseStream(stream);
    is_hr(put_text(image, L"bad:name", "x"), E_INVALIDARG, "smoke: name:stream is no file");
    is_hr(put_text(image, L"no\\parent", "x"), HR_PATH_NOT_FOUND, "smoke: an import that fails");
    is_hr(CimCommitImage(image), S_OK, "smoke: is committed all the same");
    CimCloseImage(image);
    is_hr(stat_of(here, L"smoke.cim", L"file:marker", &info), S_OK, "smoke: the marker is there");
    is_int(info.EndOfFile.QuadPart, 0, "smoke: and is empty");
    is_int(count_files(here, L"*.cim"), 1, "smoke: one image file");
    ok(count_files(here, L"region_*") == count_files(here, L"objectid_*"),
       "smoke: as many region as object ID files");

    image = open_image(here, NULL, L"nothing.cim");
    is_hr(commit_and_close(image), S_OK, "smoke: an image with nothing in it");
    ok(file_exists(here, L"nothing.cim"), "smoke: it is there");

    image = open_image(here, L"smoke.cim", NULL);
    is_hr(put_text(image, L"dropped", "x"), S_OK, "smoke: a change");
    CimCloseImage(image);
    ok(!in_image(here, L"smoke.cim", L"dropped"), "smoke: without commit the old image stands");
    is_str(content(here, L"smoke.cim", L"file"), "file", "smoke: whole");
    found = FindFirstFileW(path_of(here, L"*"), &data);
    do
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            ok(DeleteFileW(path_of(here, data.cFileName)), "smoke: %ls can be deleted at once",
               data.cFileName);
    while (FindNextFileW(found, &data));
    FindClose(found);
    ok(RemoveDirectoryW(here), "smoke: and the directory: nothing is held open");
}

int wmain(void)
{
    dir = new_dir(L"flows");
    flow_container_unit_test();
    flow_read_in_steps();
    flow_layer();
    flow_sample();
    flow_wrapper();
    flow_rust_tool();
    flow_smoke();
    return tap_done();
}
