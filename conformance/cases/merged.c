/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merged.c - images that lie over each other: sources, tombstones, merge links, merge mounts
 */
#include "stack.h"

#define TEST "hcsshim cim_test"
#define IMPORT "hcsshim layer import"

/* ---- what clients do --------------------------------------------------------------------------
 */

/* Three layers, foo.txt in the first and the last of them. */
static void three_layers(const struct kind *kind, const CimFsImagePath *images)
{
    GUID guid;

    make_layer(kind, 0x10, &images[1], L"foo.txt", "foo1");
    make_layer(kind, 0x10, &images[2], L"bar.txt", "bar");
    make_layer(kind, 0x10, &images[3], L"foo.txt", "foo2");
    make_merged(kind, 0x10, images, 4);
    if (!check_hr("CimMergeMountImage", mount_merged(kind, images, 4, &guid), S_OK)) return;
    check_content("foo.txt", on(volume_root(&guid), L"foo.txt"), "foo1");
    check_content("bar.txt", on(volume_root(&guid), L"bar.txt"), "bar");
}

CASE(files, "Merge/HcsshimFiles", CLIENT, TEST, NEEDS_MOUNT,
     "of three images in files the first that was added has the file that it shares with another")
{
    const CimFsImagePath images[] = {{place(L"m.bcim"), L"merged.cim"},
                                     {place(L"1.bcim"), L"1.cim"},
                                     {place(L"2.bcim"), L"2.cim"},
                                     {place(L"3.bcim"), L"3.cim"}};

    three_layers(&in_files, images);
}

CASE(devices, "Merge/HcsshimDevices", CLIENT, TEST, NEEDS_MOUNT,
     "so have three images on block devices")
{
    const CimFsImagePath images[] = {{new_device(4 << 20), L"merged.cim"},
                                     {new_device(4 << 20), L"1.cim"},
                                     {new_device(4 << 20), L"2.cim"},
                                     {new_device(4 << 20), L"3.cim"}};

    three_layers(&on_devices, images);
}

/* The root of such a stack whose upper image is nothing but a tombstone. */
static const WCHAR *mount_tombstone(const WCHAR *path)
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);

    check_hr("CimTombstoneFile", cim.TombstoneFile(image, path), S_OK);
    commit_and_close(image);
    return mount_stack(&stack);
}

CASE(tombstone, "Tombstone/HcsshimTest", CLIENT, TEST, NEEDS_MOUNT,
     "what the upper image has a tombstone for isn't in the merged one")
{
    const WCHAR *root = mount_tombstone(L"foobar.txt");

    check_error("foobar.txt", path_error(on(root, L"foobar.txt")), ERROR_FILE_NOT_FOUND);
    check_content("another file", on(root, L"foo\\bar.txt"), "more content!");
}

CASE(tombstone_nested, "Tombstone/WithoutParents", CLIENT, IMPORT, NEEDS_MOUNT,
     "a tombstone is put below directories that the image doesn't have, and on one")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    const WCHAR *root;

    check_hr("CimTombstoneFile, nested", cim.TombstoneFile(image, L"foo\\bar.txt"), S_OK);
    check_hr("CimTombstoneFile, of nothing", cim.TombstoneFile(image, L"no\\such\\path"), S_OK);
    check_hr("CimTombstoneFile, a leading \\", cim.TombstoneFile(image, L"\\foobar.txt"), S_OK);
    commit_and_close(image);
    root = mount_stack(&stack);
    check_error("nested", path_error(on(root, L"foo\\bar.txt")), ERROR_FILE_NOT_FOUND);
    check_error("its directory", path_error(on(root, L"foo")), 0);
    check_error("of nothing", path_error(on(root, L"no")), ERROR_FILE_NOT_FOUND);
    check_error("a leading \\", path_error(on(root, L"foobar.txt")), ERROR_FILE_NOT_FOUND);
}

CASE(tombstone_directory, "Tombstone/Directory", CLIENT, "hcsshim cimfs doc", NEEDS_MOUNT,
     "a tombstone of a directory hides all below it")
{
    const WCHAR *root = mount_tombstone(L"foo");

    check_error("foo", path_error(on(root, L"foo")), ERROR_FILE_NOT_FOUND);
    check_error("foo\\bar.txt", path_error(on(root, L"foo\\bar.txt")), ERROR_PATH_NOT_FOUND);
    check_content("another file", on(root, L"foobar.txt"), "some content 123");
}

CASE(opaque, "Tombstone/OpaqueDirectory", CLIENT, IMPORT, NEEDS_MOUNT,
     "a directory that is created at a tombstone's path hides what the one below has")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    const WCHAR *root;

    check_hr("CimTombstoneFile", cim.TombstoneFile(image, L"foo"), S_OK);
    put_dir(image, L"foo");
    put_text(image, L"foo\\new.txt", "new");
    commit_and_close(image);
    root = mount_stack(&stack);
    check_content("its own", on(root, L"foo\\new.txt"), "new");
    check_content("another of the one below", on(root, L"foobar.txt"), "some content 123");
    check_error("the one below's", path_error(on(root, L"foo\\bar.txt")), ERROR_FILE_NOT_FOUND);
}

CASE(links, "MergeLink/HcsshimTest", CLIENT, TEST, NEEDS_MOUNT,
     "a merge link to a merge link to a file of the image below is that file")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    const WCHAR *root;

    check_hr("CimCreateMergeLink", cim.CreateMergeLink(image, L"b_link.txt", L"foobar.txt"), S_OK);
    check_hr("to a link", cim.CreateMergeLink(image, L"a_link.txt", L"b_link.txt"), S_OK);
    commit_and_close(image);
    root = mount_stack(&stack);
    check_content("a_link.txt", on(root, L"a_link.txt"), "some content 123");
    check_content("b_link.txt", on(root, L"b_link.txt"), "some content 123");
}

FRESH_CASE(link_missing, "MergeLink/MissingTarget", CLIENT, IMPORT, 0,
           "that the target isn't there isn't told when the link is added, nor that its directory "
           "isn't")
{
    check_hr("target", cim.CreateMergeLink(image, L"link", L"no.txt"), S_OK);
    check_hr("directories", cim.CreateMergeLink(image, L"no\\link", L"not\\there.txt"), S_OK);
    check_hr("CimCommitImage", cim.CommitImage(image), S_OK);
}

/* ---- sources: what we decided -----------------------------------------------------------------
 */

CASE(ordinary, "Merge/InDirectories", DECISION, "D52", NEEDS_MOUNT,
     "ordinary images are merged by CimAddFsToMergedImage, wherever each lies, and mounted without "
     "a flag")
{
    const CimFsImagePath images[] = {{new_dir(L"m"), L"merged.cim"},
                                     {new_dir(L"upper"), L"upper.cim"},
                                     {new_dir(L"base"), L"base.cim"}};
    CIMFS_IMAGE_HANDLE image;
    GUID guid;

    make_layer(&in_directories, 0, &images[1], L"f", "upper");
    image = open_image(images[2].ImageDir, NULL, images[2].ImageName);
    put_text(image, L"f", "base");
    put_text(image, L"g", "only the base's");
    commit_and_close(image);
    image = open_image(images[0].ImageDir, NULL, images[0].ImageName);
    check_hr("upper", cim.AddFsToMergedImage(image, join(images[1].ImageDir, L"upper.cim")), S_OK);
    check_hr("base", cim.AddFsToMergedImage(image, join(images[2].ImageDir, L"base.cim")), S_OK);
    commit_and_close(image);
    need_hr("CimMergeMountImage", mount_merged(&in_directories, images, 3, &guid));
    check_content("f", on(volume_root(&guid), L"f"), "upper");
    check_content("g", on(volume_root(&guid), L"g"), "only the base's");
}

CASE(one_source, "Merge/OneSource", DECISION, "D52", NEEDS_MOUNT,
     "one source alone is fine; what the session adds lies above it, and deletes from it")
{
    struct stack stack = make_stack();
    const CimFsImagePath images[] = {stack.images[0], stack.images[2]};
    CIMFS_IMAGE_HANDLE image = open_in(images[0].ImageDir, IN_FILE, NULL, images[0].ImageName);
    GUID guid;

    check_hr("CimAddFsToMergedImage2",
             cim.AddFsToMergedImage2(image, join(images[1].ImageDir, L"base.cim"), 1), S_OK);
    put_text(image, L"foobar.txt", "the merged one's own");
    need_hr("CimDeletePath", cim.DeletePath(image, L"foo\\bar.txt"));
    commit_and_close(image);
    need_hr("CimMergeMountImage", mount_merged(&in_files, images, 2, &guid));
    check_content("replaced", on(volume_root(&guid), L"foobar.txt"), "the merged one's own");
    check_error("deleted", path_error(on(volume_root(&guid), L"foo\\bar.txt")),
                ERROR_FILE_NOT_FOUND);
}

CASE(any_order, "MergeMount/AnyOrder", DECISION, "D52", NEEDS_MOUNT,
     "the sources may be named in any order at the mount, with others besides")
{
    struct stack stack = make_stack();
    const CimFsImagePath more = {place(L"more.bcim"), L"more.cim"};
    CimFsImagePath images[4];
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    GUID guid;

    put_text(image, L"foobar.txt", "upper");
    commit_and_close(image);
    make_layer(&in_files, 0, &more, L"x", "x");
    make_merged(&in_files, 0, stack.images, 3);
    images[0] = stack.images[0];
    images[1] = more;
    images[2] = stack.images[2];
    images[3] = stack.images[1];
    need_hr("CimMergeMountImage", mount_merged(&in_files, images, 4, &guid));
    check_content("the upper one's", on(volume_root(&guid), L"foobar.txt"), "upper");
    check_content("the lower one's", on(volume_root(&guid), L"foo\\bar.txt"), "more content!");
    check_error("the other's", path_error(on(volume_root(&guid), L"x")), ERROR_FILE_NOT_FOUND);
}

CASE(source_flags, "Merge/SourceFlags", DECISION, "D52", 0,
     "unknown flags, 1 with 2, 4 alone, and a place of another kind than the session's: "
     "E_INVALIDARG; 4 with a source that isn't sealed: ERROR_CIMFS_IMAGE_CORRUPT")
{
    static const UINT32 flags[] = {0, 2, 3, 4, 6, 7, 8, 9, 0x80000001};
    struct stack stack = make_stack();
    const WCHAR *source = place(L"base.bcim\\base.cim");
    CIMFS_IMAGE_HANDLE image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, L"m.cim");
    char label[40];

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
    {
        sprintf(label, "flags 0x%x", (unsigned)flags[i]);
        check_hr(label, cim.AddFsToMergedImage2(image, source, flags[i]), E_INVALIDARG);
    }
    check_hr("CimAddFsToMergedImage", cim.AddFsToMergedImage(image, source), E_INVALIDARG);
    check_hr("a device", cim.AddFsToMergedImage2(image, L"\\\\.\\PhysicalDrive4094\\a.cim", 1),
             E_INVALIDARG);
    check_hr("the session goes on", cim.AddFsToMergedImage2(image, source, 1), S_OK);
    check_hr("flags 0x5", cim.AddFsToMergedImage2(image, source, 5), HR_CORRUPT);
}

CASE(source_errors, "Merge/SourceErrors", DECISION, "D28, D52", 0,
     "a bad handle, a NULL path, a stream that is open, a session that began with an image; a "
     "missing image: ERROR_FILE_NOT_FOUND, a missing container: ERROR_PATH_NOT_FOUND")
{
    struct stack stack = make_stack();
    const WCHAR *source = place(L"base.bcim\\base.cim");
    CIMFS_IMAGE_HANDLE image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, L"m.cim");
    CIMFS_STREAM_HANDLE stream = NULL;

    check_hr("no handle", cim.AddFsToMergedImage2(NULL, source, 1), E_INVALIDARG);
    check_hr("no handle, unknown flag", cim.AddFsToMergedImage2(NULL, source, 8), E_INVALIDARG);
    check_hr("NULL", cim.AddFsToMergedImage2(image, NULL, 1), E_INVALIDARG);
    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 1), &stream));
    check_hr("a stream open", cim.AddFsToMergedImage2(image, source, 1), HR_SHARING);
    cim.CloseStream(stream);
    check_hr("missing image", cim.AddFsToMergedImage2(image, place(L"base.bcim\\no.cim"), 1),
             HR_FILE_NOT_FOUND);
    check_hr("missing container", cim.AddFsToMergedImage2(image, place(L"no.bcim\\base.cim"), 1),
             HR_PATH_NOT_FOUND);
    close_image(image);
    image = open_in(stack.images[2].ImageDir, IN_FILE, L"base.cim", L"fork.cim");
    check_hr("a fork", cim.AddFsToMergedImage2(image, source, 1), E_INVALIDARG);
    close_image(image);
    check_hr("a closed session", cim.AddFsToMergedImage2(image, source, 1), E_INVALIDARG);
}

/* ---- merge mounts: what we decided -------------------------------------------------------------
 */

CASE(mount_errors, "MergeMount/Errors", DECISION, "D40, D52", NEEDS_MOUNT,
     "fewer than two images, or a first that isn't merged: E_INVALIDARG; a source that isn't "
     "there: "
     "ERROR_FILE_NOT_FOUND")
{
    struct stack stack = make_stack();
    CimFsImagePath wrong[3];
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);

    put_text(image, L"f", "upper");
    commit_and_close(image);
    make_merged(&in_files, 0, stack.images, 3);
    check_hr("fine", try_merged(0x20, stack.images, 3), S_OK);
    check_hr("none", try_merged(0x20, stack.images, 0), E_INVALIDARG);
    check_hr("one", try_merged(0x20, stack.images, 1), E_INVALIDARG);
    check_hr("NULL", try_merged(0x20, NULL, 2), E_INVALIDARG);
    check_hr("not a merged one", try_merged(0x20, stack.images + 1, 2), E_INVALIDARG);
    check_hr("one source of two", try_merged(0x20, stack.images, 2), HR_FILE_NOT_FOUND);
    memcpy(wrong, stack.images, sizeof(wrong));
    wrong[2].ImageName = L"no.cim";
    check_hr("a missing source", try_merged(0x20, wrong, 3), HR_FILE_NOT_FOUND);
    wrong[2].ImageName = NULL;
    check_hr("a NULL name", try_merged(0x20, wrong, 3), E_INVALIDARG);
    wrong[2].ImageName = L"a:b";
    check_hr("a bad name", try_merged(0x20, wrong, 3), E_INVALIDARG);
    memcpy(wrong, stack.images, sizeof(wrong));
    wrong[1].ImageDir = NULL;
    check_hr("a NULL directory", try_merged(0x20, wrong, 3), E_INVALIDARG);
    wrong[1].ImageDir = L"\\\\.\\PhysicalDrive4094";
    check_hr("a device", try_merged(0x20, wrong, 3), E_INVALIDARG);
    check_hr("attested", try_merged(0xa0, stack.images, 3), HR_CORRUPT);
}

CASE(mount_flags, "MergeMount/Flags", DECISION, "D40, D52", NEEDS_MOUNT,
     "flags are those of CimMountImage; one that doesn't fit comes before what else is wrong")
{
    static const UINT32 bad[] = {0x100, 0x30, 0x80, 0x120, 0xffffffff}, good[] = {0x21, 0x6f};
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    char label[40];

    commit_and_close(image);
    make_merged(&in_files, 0, stack.images, 3);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
    {
        sprintf(label, "0x%02x", (unsigned)bad[i]);
        check_hr(label, try_merged(bad[i], stack.images, 3), E_INVALIDARG);
    }
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
    {
        sprintf(label, "0x%02x", (unsigned)good[i]);
        check_hr(label, try_merged(good[i], stack.images, 3), S_OK);
    }
    check_hr("as a device", try_merged(0x10, stack.images, 3), E_INVALIDARG);
    check_hr("as a directory", try_merged(0, stack.images, 3), HR_PATH_NOT_FOUND);
    check_hr("NULL GUID", cim.MergeMountImage(3, stack.images, 0x20, NULL), E_INVALIDARG);
}

CASE(mount_in_use, "MergeMount/GuidInUse", DECISION, "D52", NEEDS_MOUNT,
     "a GUID that is in use: ERROR_ALREADY_EXISTS; the volume stays")
{
    struct stack stack = make_stack();
    GUID guid;

    commit_and_close(open_upper(&stack));
    make_merged(&in_files, 0, stack.images, 3);
    need_hr("CimMergeMountImage", mount_merged(&in_files, stack.images, 3, &guid));
    check_hr("again", cim.MergeMountImage(3, stack.images, 0x20, &guid), HR_ALREADY_EXISTS);
    check_hr("a single one", cim.MountImage(stack.images[2].ImageDir, L"base.cim", 0x20, &guid),
             HR_ALREADY_EXISTS);
    check_content("the volume", on(volume_root(&guid), L"foobar.txt"), "some content 123");
}

CASE(mount_holds, "MergeMount/HoldsSources", DECISION, "D33, D52", NEEDS_MOUNT,
     "a commit over a source of a merge mount: ERROR_SHARING_VIOLATION until that ends")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image;
    GUID guid;

    commit_and_close(open_upper(&stack));
    make_merged(&in_files, 0, stack.images, 3);
    need_hr("CimMergeMountImage", mount_merged(&in_files, stack.images, 3, &guid));
    image = open_in(stack.images[2].ImageDir, IN_FILE, L"base.cim", NULL);
    put_text(image, L"f", "f");
    check_hr("while it is mounted", cim.CommitImage(image), HR_SHARING);
    dismount(volume_root(&guid));
    check_hr("then", cim.CommitImage(image), S_OK);
    cim.CloseImage(image);
}

CASE(order_question, "MergeMount/SourcesQuestion", QUESTION, "Q-52", NEEDS_MOUNT,
     "sources in another order, too few, too many, one twice")
{
    struct stack stack = make_stack();
    CimFsImagePath images[4];

    commit_and_close(open_upper(&stack));
    make_merged(&in_files, 0, stack.images, 3);
    images[0] = stack.images[0];
    images[1] = stack.images[2];
    images[2] = images[3] = stack.images[1];
    see_hr("another order", try_merged(0x20, images, 3));
    see_hr("one of two", try_merged(0x20, images, 2));
    see_hr("one twice", try_merged(0x20, images, 4));
}

/* ---- tombstones and merge links: what we decided -----------------------------------------------
 */

FRESH_CASE(marks_hidden, "Tombstone/NothingIsThere", DECISION, "D1, D5, D52", 0,
           "for the other calls there is nothing at a tombstone's path, nor at a merge link's")
{
    BOOLEAN exists = TRUE;

    need_hr("CimTombstoneFile", cim.TombstoneFile(image, L"gone\\f"));
    need_hr("CimCreateMergeLink", cim.CreateMergeLink(image, L"link", L"target"));
    check_hr("CimLookupFile", cim.LookupFile(image, L"gone\\f", &exists), S_OK);
    check_bool("is there", exists, false);
    exists = TRUE;
    check_hr("CimLookupFile of the directory", cim.LookupFile(image, L"gone", &exists), S_OK);
    check_bool("the directory is there", exists, false);
    exists = TRUE;
    check_hr("CimLookupFile of the link", cim.LookupFile(image, L"link", &exists), S_OK);
    check_bool("the link is there", exists, false);
    check_hr("CimDeletePath", cim.DeletePath(image, L"gone\\f"), HR_PATH_NOT_FOUND);
    check_hr("CimDeletePath of the link", cim.DeletePath(image, L"link"), HR_PATH_NOT_FOUND);
    check_hr("CimCreateHardLink to it", cim.CreateHardLink(image, L"h", L"link"),
             HR_PATH_NOT_FOUND);
    check_hr("CimCreateFile below it", try_create_file(image, L"gone\\g", meta(0, 0)),
             HR_PATH_NOT_FOUND);
    commit_and_close(image);
    check_exists("committed: the tombstone", case_dir(), L"a.cim", L"gone\\f", false);
    check_exists("committed: its directory", case_dir(), L"a.cim", L"gone", false);
    check_exists("committed: the link", case_dir(), L"a.cim", L"link", false);
}

FRESH_CASE(tombstone_over, "Tombstone/OverAnItem", DECISION, "D52", 0,
           "a tombstone removes what the image itself has there; what is created there replaces it")
{
    put_test_image(image);
    put_text(image, L"file", "old");
    check_hr("a directory", cim.TombstoneFile(image, L"foo"), S_OK);
    check_hr("a file", cim.TombstoneFile(image, L"file"), S_OK);
    check_hr("again", cim.TombstoneFile(image, L"file"), S_OK);
    put_text(image, L"file", "new");
    commit_and_close(image);
    check_exists("the directory", case_dir(), L"a.cim", L"foo", false);
    check_exists("what was below it", case_dir(), L"a.cim", L"foo\\bar.txt", false);
    check_stored_text("the file", case_dir(), L"a.cim", L"file", "new");
    check_stored_text("another", case_dir(), L"a.cim", L"foobar.txt", "some content 123");
}

FRESH_CASE(tombstone_errors, "Tombstone/Errors", DECISION, "D28, D52", 0,
           "the root, a stream's path, a malformed one, NULL: E_INVALIDARG; a stream open: "
           "ERROR_SHARING_VIOLATION; below a file: ERROR_PATH_NOT_FOUND")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"file", "x");
    check_hr("the root", cim.TombstoneFile(image, L""), E_INVALIDARG);
    check_hr("\\", cim.TombstoneFile(image, L"\\"), E_INVALIDARG);
    check_hr("a stream", cim.TombstoneFile(image, L"file:s"), E_INVALIDARG);
    check_hr("malformed", cim.TombstoneFile(image, L"a\\\\b"), E_INVALIDARG);
    check_hr("NULL", cim.TombstoneFile(image, NULL), E_INVALIDARG);
    check_hr("no handle", cim.TombstoneFile(NULL, L"f"), E_INVALIDARG);
    check_hr("below a file", cim.TombstoneFile(image, L"file\\f"), HR_PATH_NOT_FOUND);
    need_hr("CimCreateFile", cim.CreateFile(image, L"open", meta(0, 0), &stream));
    check_hr("a stream open", cim.TombstoneFile(image, L"f"), HR_SHARING);
    check_hr("a stream open, NULL", cim.TombstoneFile(image, NULL), E_INVALIDARG);
    cim.CloseStream(stream);
    check_hr("then", cim.TombstoneFile(image, L"f"), S_OK);
    commit(image);
    check_hr("after the commit", cim.TombstoneFile(image, L"g"), E_INVALIDARG);
}

FRESH_CASE(link_errors, "MergeLink/Errors", DECISION, "D28, D52", 0,
           "over a directory: E_ACCESSDENIED; the root, a stream's path, NULL: E_INVALIDARG; a "
           "stream open: ERROR_SHARING_VIOLATION; a file is replaced")
{
    CIMFS_STREAM_HANDLE stream;

    put_test_image(image);
    check_hr("over a directory", cim.CreateMergeLink(image, L"foo", L"t"), E_ACCESSDENIED);
    check_hr("the root", cim.CreateMergeLink(image, L"", L"t"), E_INVALIDARG);
    check_hr("a stream", cim.CreateMergeLink(image, L"f:s", L"t"), E_INVALIDARG);
    check_hr("to a stream", cim.CreateMergeLink(image, L"f", L"t:s"), E_INVALIDARG);
    check_hr("to the root", cim.CreateMergeLink(image, L"f", L"\\"), E_INVALIDARG);
    check_hr("NULL", cim.CreateMergeLink(image, NULL, L"t"), E_INVALIDARG);
    check_hr("to NULL", cim.CreateMergeLink(image, L"f", NULL), E_INVALIDARG);
    check_hr("no handle", cim.CreateMergeLink(NULL, L"f", L"t"), E_INVALIDARG);
    need_hr("CimCreateFile", cim.CreateFile(image, L"open", meta(0, 0), &stream));
    check_hr("a stream open", cim.CreateMergeLink(image, L"f", L"t"), HR_SHARING);
    cim.CloseStream(stream);
    check_hr("over a file", cim.CreateMergeLink(image, L"foobar.txt", L"t"), S_OK);
    commit_and_close(image);
    check_exists("the file", case_dir(), L"a.cim", L"foobar.txt", false);
    check_stored_text("another", case_dir(), L"a.cim", L"foo\\bar.txt", "more content!");
}

CASE(link_unresolved, "MergeLink/Unresolved", DECISION, "D53", 0,
     "a merge link whose target isn't in the merged image: its commit is ERROR_PATH_NOT_FOUND, and "
     "may be tried again")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);

    need_hr("CimCreateMergeLink", cim.CreateMergeLink(image, L"link", L"no.txt"));
    commit_and_close(image);
    image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, L"m.cim");
    need_hr("CimAddFsToMergedImage2",
            cim.AddFsToMergedImage2(image, place(L"upper.bcim\\upper.cim"), 1));
    check_hr("CimCommitImage", cim.CommitImage(image), HR_PATH_NOT_FOUND);
    put_text(image, L"no.txt", "there");
    check_hr("with the target", cim.CommitImage(image), S_OK);
    cim.CloseImage(image);
}

FRESH_CASE(marks_question, "Tombstone/OnAPlainMount", QUESTION, "Q-54", NEEDS_MOUNT,
           "what a mount that doesn't merge shows of a tombstone, its directory and a merge link")
{
    const WCHAR *root;

    see_hr("CimTombstoneFile", cim.TombstoneFile(image, L"gone\\f"));
    see_hr("CimCreateMergeLink", cim.CreateMergeLink(image, L"link", L"f"));
    root = mount_fresh(image);
    see_error("the tombstone", path_error(on(root, L"gone\\f")));
    see_error("its directory", path_error(on(root, L"gone")));
    see_error("the link", path_error(on(root, L"link")));
}
