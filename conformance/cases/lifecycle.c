/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lifecycle.c - the files of an image: which there are, what they are called, when they appear
 *
 * Clients find an image's region and object ID files by the GUID and count in its header, sum their
 * sizes, and delete them; so names and header are required, and judged here byte by byte.
 */
#include "../suite/suite.h"

#define LISTER "hcsshim region file lister"

/* What clients parse of a filesystem file. */
struct header
{
    DWORD length;
    BYTE type;
    DWORD major, minor;
    GUID guid;
    WORD count;
    WORD parents;
    const BYTE *parent_sets;
    BYTE *data;
    size_t size;
};

static void load_header(const WCHAR *dir, const WCHAR *name, struct header *header)
{
    BYTE *data = header->data = load_file(join(dir, name), &header->size);

    need(data && header->size >= 72, "the image's file can't be read, or is too short");
    memcpy(&header->length, data + 8, 4);
    header->type = data[12];
    memcpy(&header->major, data + 16, 4);
    memcpy(&header->minor, data + 20, 4);
    memcpy(&header->guid, data + 32, 16);
    memcpy(&header->count, data + 48, 2);
    memcpy(&header->parents, data + 70, 2);
    header->parent_sets = data + 72;
    need(header->size >= 72 + 24u * header->parents, "the image's file is too short");
}

/* "region_<guid>_<n>": lower case, dashes, no braces. */
static const WCHAR *set_file(const WCHAR *kind, const GUID *guid, unsigned index)
{
    const WCHAR *braced = volume_root(guid) + wcslen(L"\\\\?\\Volume{");

    return format_wide(L"%ls_%.36ls_%u", kind, braced, index);
}

static unsigned count_set(const WCHAR *dir, const WCHAR *kind, const GUID *guid, unsigned count)
{
    unsigned i, there = 0;

    for (i = 0; i < count; i++) there += file_exists(dir, set_file(kind, guid, i));
    return there;
}

CASE(header_magic, "Files/Header", CLIENT, "hcsshim format package", 0,
     "an image's file begins with \"cimfile0\", type 0, a major version of 2 or 3, a region set")
{
    static const GUID none;
    struct header header;

    make_base(case_dir());
    load_header(case_dir(), L"base.cim", &header);
    check_bytes("magic", header.data, 8, "cimfile0", 8);
    check_number("file type", header.type, 0);
    check_bool("major version 2 or 3", header.major == 2 || header.major == 3, true);
    check_bool("a GUID", memcmp(&header.guid, &none, sizeof(none)) != 0, true);
    check_bool("at least one region", header.count > 0, true);
    check_number("parents", header.parents, 0);
    see_number("version written", header.major);
    see_number("minor version written", header.minor);
    see_number("header length", header.length);
    see_number("regions", header.count);
    free(header.data);
}

CASE(file_names, "Files/Names", CLIENT, LISTER, 0,
     "for each index of the region set there is a region_GUID_N and an objectid_GUID_N")
{
    struct header header;

    make_base(case_dir());
    load_header(case_dir(), L"base.cim", &header);
    check_number("region files", count_set(case_dir(), L"region", &header.guid, header.count),
                 header.count);
    check_number("object ID files", count_set(case_dir(), L"objectid", &header.guid, header.count),
                 header.count);
    free(header.data);
}

CASE(file_nothing_else, "Files/NothingElse", DECISION, "evidence.md 10.12", 0,
     "besides the image's file and those of its region set nothing is left in the directory")
{
    struct header header;

    make_base(case_dir());
    load_header(case_dir(), L"base.cim", &header);
    check_number("files", count_files(case_dir(), L"*"), 1 + 2 * header.count);
    free(header.data);
}

CASE(file_headers, "Files/RegionHeaders", CLIENT, "hcsshim format package", 0,
     "region and object ID files begin with the same header, of types 1 and 2")
{
    struct header header;
    BYTE *region, *objectid;
    size_t size;

    make_base(case_dir());
    load_header(case_dir(), L"base.cim", &header);
    region = load_file(join(case_dir(), set_file(L"region", &header.guid, 0)), &size);
    need(region && size >= 32, "the region file can't be read");
    check_bytes("region's magic", region, 8, "cimfile0", 8);
    check_number("region's type", region[12], 1);
    objectid = load_file(join(case_dir(), set_file(L"objectid", &header.guid, 0)), &size);
    need(objectid && size >= 32, "the object ID file can't be read");
    check_bytes("object ID file's magic", objectid, 8, "cimfile0", 8);
    check_number("object ID file's type", objectid[12], 2);
    free(region);
    free(objectid);
    free(header.data);
}

CASE(no_objectid, "Files/ObjectIdNotNeededToRead", CLIENT, "hcsshim format package", 0,
     "object ID files are needed for writing only: without them an image can be read")
{
    struct header header;
    unsigned i;

    make_base(case_dir());
    load_header(case_dir(), L"base.cim", &header);
    for (i = 0; i < header.count; i++)
        remove_file(join(case_dir(), set_file(L"objectid", &header.guid, i)));
    free(header.data);
    check_stored_text("a file", case_dir(), L"base.cim", L"file.txt", "hello");
}

CASE(no_objectid_fork, "Files/ObjectIdMissingInFork", QUESTION, "Q-14", 0,
     "forking an image whose object ID files are gone")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    struct header header;
    unsigned i;

    make_base(case_dir());
    load_header(case_dir(), L"base.cim", &header);
    for (i = 0; i < header.count; i++)
        remove_file(join(case_dir(), set_file(L"objectid", &header.guid, i)));
    free(header.data);
    see_hr("CimCreateImage", cim.CreateImage(case_dir(), L"base.cim", L"f.cim", &image));
    track_image(image);
    see_hr("CimCommitImage", cim.CommitImage(image));
}

CASE(fork_parents, "Files/ForkNamesItsParents", CLIENT, LISTER, 0,
     "a fork has a region set of its own and lists its parents' sets in its header")
{
    struct header base, fork;

    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"fork.cim", L"more", "x");
    load_header(case_dir(), L"base.cim", &base);
    load_header(case_dir(), L"fork.cim", &fork);
    check_bool("another GUID", memcmp(&base.guid, &fork.guid, sizeof(GUID)) != 0, true);
    check_number("parents", fork.parents, 1);
    check_bool("the parent's GUID",
               fork.parents && !memcmp(fork.parent_sets, &base.guid, sizeof(GUID)), true);
    check_number("the fork's region files",
                 count_set(case_dir(), L"region", &fork.guid, fork.count), fork.count);
    free(base.data);
    free(fork.data);
}

CASE(fork_chain_parents, "Files/ForkChainParents", CLIENT, LISTER, 0,
     "a fork of a fork lists all of its ancestors, the oldest first")
{
    struct header base, one, two;

    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"one.cim", L"one", "1");
    write_image(case_dir(), L"one.cim", L"two.cim", L"two", "2");
    load_header(case_dir(), L"base.cim", &base);
    load_header(case_dir(), L"one.cim", &one);
    load_header(case_dir(), L"two.cim", &two);
    check_number("parents", two.parents, 2);
    need(two.parents == 2, "the parents can't be compared");
    check_bool("the oldest first", !memcmp(two.parent_sets, &base.guid, sizeof(GUID)), true);
    check_bool("then the next", !memcmp(two.parent_sets + 24, &one.guid, sizeof(GUID)), true);
    free(base.data);
    free(one.data);
    free(two.data);
}

CASE(fork_without_parent, "Files/ForkWithoutParentsRegions", CLIENT, "hcsshim region file lister",
     0, "a fork whose parent's region files are gone can't be read")
{
    struct header base;
    unsigned i;
    size_t size;
    HRESULT hr;
    void *data;

    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"fork.cim", L"more", "x");
    load_header(case_dir(), L"base.cim", &base);
    for (i = 0; i < base.count; i++)
        remove_file(join(case_dir(), set_file(L"region", &base.guid, i)));
    free(base.data);
    data = stored_data(case_dir(), L"fork.cim", L"file.txt", &size, &hr);
    check_bool("the parent's file is read", data != NULL, false);
    free(data);
}

CASE(fork_without_parent_file, "Files/ForkWithoutParentsImage", DECISION,
     "the format names regions", 0,
     "a fork needs its parent's region files only: the parent's own file may be gone")
{
    make_base(case_dir());
    write_image(case_dir(), L"base.cim", L"fork.cim", L"more", "x");
    need(remove_file(join(case_dir(), L"base.cim")), "can't delete the parent's file");
    check_stored_text("the parent's file", case_dir(), L"fork.cim", L"file.txt", "hello");
    check_stored_text("the fork's file", case_dir(), L"fork.cim", L"more", "x");
}

CASE(destroy, "Files/Destroy", DECISION, "evidence.md 10.12", 0,
     "deleting the files that the header names, then the image's file, leaves an empty directory")
{
    const WCHAR *dir = new_dir(L"images");
    struct header header;
    unsigned i;

    make_base(dir);
    load_header(dir, L"base.cim", &header);
    for (i = 0; i < header.count; i++)
    {
        remove_file(join(dir, set_file(L"region", &header.guid, i)));
        remove_file(join(dir, set_file(L"objectid", &header.guid, i)));
    }
    remove_file(join(dir, L"base.cim"));
    free(header.data);
    check_text("what is left", list_files(dir), "(none)");
}

CASE(moved, "Files/CopiedElsewhere", CLIENT, "containerd (layers are moved), MSIX app attach", 0,
     "copied to another directory, an image's files are that image")
{
    const WCHAR *from = new_dir(L"from"), *to = new_dir(L"to");

    make_base(from);
    copy_files(from, to);
    check_stored_text("a file", to, L"base.cim", L"d\\inner.txt", "inner");
}

CASE(renamed, "Files/ImageRenamed", DECISION, "the format holds no name", 0,
     "an image's file under another name is that image")
{
    make_base(case_dir());
    need(MoveFileW(join(case_dir(), L"base.cim"), join(case_dir(), L"other.cim")),
         "can't rename the image's file");
    check_stored_text("a file", case_dir(), L"other.cim", L"file.txt", "hello");
}

CASE(two_images, "Files/TwoImagesInOneDirectory", CLIENT, "containerd snapshotter", 0,
     "two images in one directory have different region sets")
{
    struct header one, two;

    make_base(case_dir());
    write_image(case_dir(), NULL, L"second.cim", L"file.txt", "second");
    load_header(case_dir(), L"base.cim", &one);
    load_header(case_dir(), L"second.cim", &two);
    check_bool("different GUIDs", memcmp(&one.guid, &two.guid, sizeof(GUID)) != 0, true);
    check_number("parents of the second", two.parents, 0);
    check_stored_text("one's file", case_dir(), L"base.cim", L"file.txt", "hello");
    check_stored_text("two's file", case_dir(), L"second.cim", L"file.txt", "second");
    free(one.data);
    free(two.data);
}

/* ---- when -------------------------------------------------------------------------------------
 */

FRESH_CASE(steps, "Files/EachStep", QUESTION, "Q-12", 0,
           "which files there are after each step of a fresh image")
{
    CIMFS_STREAM_HANDLE stream;
    static BYTE data[100000];

    fill_bytes(data, sizeof(data), 1);
    see_text("after CimCreateImage", "%s", list_files(case_dir()));
    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, sizeof(data)), &stream));
    see_text("after CimCreateFile", "%s", list_files(case_dir()));
    need_hr("CimWriteStream", cim.WriteStream(stream, data, sizeof(data)));
    see_text("after CimWriteStream", "%s", list_files(case_dir()));
    cim.CloseStream(stream);
    see_text("after CimCloseStream", "%s", list_files(case_dir()));
    commit(image);
    see_text("after CimCommitImage", "%s", list_files(case_dir()));
    close_image(image);
    see_text("after CimCloseImage", "%s", list_files(case_dir()));
}

CASE(steps_extend, "Files/EachStepOfExtending", QUESTION, "Q-14", 0,
     "which files there are after each step of an extension; whether the region set is a new one")
{
    struct header before, after;
    CIMFS_IMAGE_HANDLE image;

    make_base(case_dir());
    load_header(case_dir(), L"base.cim", &before);
    see_text("before", "%s", list_files(case_dir()));
    image = open_image(case_dir(), L"base.cim", NULL);
    see_text("after CimCreateImage", "%s", list_files(case_dir()));
    put_text(image, L"more", "x");
    see_text("after a file", "%s", list_files(case_dir()));
    commit(image);
    see_text("after CimCommitImage", "%s", list_files(case_dir()));
    close_image(image);
    see_text("after CimCloseImage", "%s", list_files(case_dir()));
    load_header(case_dir(), L"base.cim", &after);
    see_bool("a new region set", memcmp(&before.guid, &after.guid, sizeof(GUID)) != 0);
    see_number("parents", after.parents);
    free(before.data);
    free(after.data);
}

FRESH_CASE(steps_discard, "Files/AfterDiscard", QUESTION, "Q-13", 0,
           "which files are left of a session that was closed without a commit")
{
    put_text(image, L"f", "some text");
    close_image(image);
    see_text("fresh", "%s", list_files(case_dir()));
    make_base(case_dir());
    see_text("an image", "%s", list_files(case_dir()));
    image = open_image(case_dir(), L"base.cim", NULL);
    put_text(image, L"f", "some text");
    close_image(image);
    see_text("and a discarded extension", "%s", list_files(case_dir()));
}

FRESH_CASE(not_before_commit, "Files/NoImageBeforeCommit", DECISION, "evidence.md 10.11", 0,
           "until the commit there is no file under the image's name")
{
    check_bool("after CimCreateImage", file_exists(case_dir(), L"a.cim"), false);
    put_text(image, L"f", "x");
    check_bool("after a file", file_exists(case_dir(), L"a.cim"), false);
    commit(image);
    check_bool("after the commit", file_exists(case_dir(), L"a.cim"), true);
    close_image(image);
}

FRESH_CASE(share_modes, "Files/ShareModesDuringSession", QUESTION, "Q-12", 0,
           "whether others can read, write and delete the files of a session while it lasts")
{
    WIN32_FIND_DATAW data;
    HANDLE find;
    int read = 0, written = 0, files = 0;

    put_text(image, L"f", "some text");
    find = FindFirstFileW(join(case_dir(), L"*"), &data);
    need(find != INVALID_HANDLE_VALUE, "no files");
    do
    {
        static const DWORD access[] = {GENERIC_READ, GENERIC_WRITE};
        int i;

        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) continue;
        files++;
        for (i = 0; i < 2; i++)
        {
            HANDLE file = CreateFileW(join(case_dir(), data.cFileName), access[i], 7, NULL,
                                      OPEN_EXISTING, 0, NULL);

            if (file == INVALID_HANDLE_VALUE) continue;
            *(i ? &written : &read) += 1;
            CloseHandle(file);
        }
    } while (FindNextFileW(find, &data));
    FindClose(find);
    see_number("files", files);
    see_number("can be opened for reading", read);
    see_number("can be opened for writing", written);
    close_image(image);
}

FRESH_CASE(dedup, "Files/Deduplication", DOC, "CimFS overview page", 0,
           "the same four megabytes under four names take the room of one file, not of two")
{
    static BYTE data[4 << 20];
    WIN32_FIND_DATAW found;
    ULONGLONG total = 0;
    HANDLE find;
    int i;

    fill_bytes(data, sizeof(data), 7);
    for (i = 0; i < 4; i++) put_file(image, format_wide(L"f%d", i), data, sizeof(data));
    commit_and_close(image);
    find = FindFirstFileW(join(case_dir(), L"*"), &found);
    need(find != INVALID_HANDLE_VALUE, "no files");
    do total += ((ULONGLONG)found.nFileSizeHigh << 32) + found.nFileSizeLow;
    while (FindNextFileW(find, &found));
    FindClose(find);
    check_bool("all files together are below eight megabytes", total < 8 << 20, true);
    for (i = 0; i < 4; i++)
    {
        char label[10];

        sprintf(label, "f%d", i);
        check_stored(label, case_dir(), L"a.cim", format_wide(L"f%d", i), data, sizeof(data));
    }
}

FRESH_CASE(dedup_fork, "Files/DeduplicationInFork", DOC, "CimFS overview page", 0,
           "four megabytes that the parent has take no room again in a fork")
{
    static BYTE data[4 << 20];
    struct header header;
    ULONGLONG total = 0;
    unsigned i;
    size_t size;

    fill_bytes(data, sizeof(data), 8);
    put_file(image, L"f", data, sizeof(data));
    commit_and_close(image);
    image = open_image(case_dir(), L"a.cim", L"fork.cim");
    put_file(image, L"g", data, sizeof(data));
    commit_and_close(image);
    load_header(case_dir(), L"fork.cim", &header);
    for (i = 0; i < header.count; i++)
    {
        free(load_file(join(case_dir(), set_file(L"region", &header.guid, i)), &size));
        total += size;
    }
    free(header.data);
    check_bool("the fork's regions are below three megabytes", total < 3 << 20, true);
    check_stored("g", case_dir(), L"fork.cim", L"g", data, sizeof(data));
}
