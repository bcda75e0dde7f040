/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mergeditems.c - what a merged image shows of its layers' items, and which sources it takes
 */
#include "stack.h"

#define IMPORT "hcsshim layer import"

/* ---- what clients do --------------------------------------------------------------------------
 */

CASE(directories, "Merge/HcsshimDirectories", CLIENT, "hcsshim cim_test (before block CIMs)",
     NEEDS_MOUNT,
     "two ordinary images, and in the second one's directory what they are merged into, are "
     "mounted "
     "with CACHE_FILES")
{
    const WCHAR *one = new_dir(L"1"), *two = new_dir(L"2");
    const CimFsImagePath images[] = {{two, L"merged.cim"}, {one, L"1.cim"}, {two, L"2.cim"}};
    CIMFS_IMAGE_HANDLE image = open_image(one, NULL, L"1.cim");
    GUID guid;

    put_text(image, L"common", "of the first");
    put_text(image, L"of 1", "one");
    commit_and_close(image);
    image = open_image(two, NULL, L"2.cim");
    put_text(image, L"common", "of the second");
    put_text(image, L"of 2", "two");
    commit_and_close(image);
    image = open_image(two, NULL, L"merged.cim");
    check_hr("the first", cim.AddFsToMergedImage(image, _wcsdup(join(one, L"1.cim"))), S_OK);
    check_hr("the second", cim.AddFsToMergedImage(image, _wcsdup(join(two, L"2.cim"))), S_OK);
    commit_and_close(image);
    new_guid(&guid);
    track_mount(&guid);
    need_hr("CimMergeMountImage", cim.MergeMountImage(3, images, CIM_MOUNT_CACHE_FILES, &guid));
    check_content("of the first", on(volume_root(&guid), L"of 1"), "one");
    check_content("of the second", on(volume_root(&guid), L"of 2"), "two");
    see_error("what both have", path_error(on(volume_root(&guid), L"common"))); /* whose? */
}

CASE(hard_links, "Merge/HardLinks", CLIENT, IMPORT, NEEDS_MOUNT,
     "a layer's ordinary link to a file of its own is one in the merged image; so are links of the "
     "layer below")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_in(stack.images[2].ImageDir, IN_FILE, L"base.cim", NULL);
    const WCHAR *root;

    put_link(image, L"foo\\linked below", L"foobar.txt");
    commit_and_close(image);
    image = open_upper(&stack);
    put_text(image, L"file", "of the upper");
    put_link(image, L"linked", L"file");
    commit_and_close(image);
    root = mount_stack(&stack);
    check_content("the file", on(root, L"file"), "of the upper");
    check_content("its link", on(root, L"linked"), "of the upper");
    check_content("the lower one's", on(root, L"foobar.txt"), "some content 123");
    check_content("the lower one's link", on(root, L"foo\\linked below"), "some content 123");
}

CASE(deleted, "Tombstone/DeletePathHidesNothing", CLIENT, "hcsshim block writer", NEEDS_MOUNT,
     "CimDeletePath in the upper image hides nothing of the lower one")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    const WCHAR *root;

    put_text(image, L"foobar.txt", "upper");
    put_text(image, L"other", "other");
    need_hr("CimDeletePath", cim.DeletePath(image, L"foobar.txt"));
    commit_and_close(image);
    root = mount_stack(&stack);
    check_content("what was deleted above", on(root, L"foobar.txt"), "some content 123");
    check_content("another", on(root, L"other"), "other");
}

/* Three layers, each over the one before it, of which the second deletes what the first has. */
CASE(grandchild, "Merge/GrandchildLayer", CLIENT, "containerd block snapshotter", NEEDS_MOUNT,
     "of three layers the topmost adds again what the middle one removed, and links to what the "
     "lowest has")
{
    const CimFsImagePath images[] = {{place(L"m.bcim"), L"merged.cim"},
                                     {place(L"3.bcim"), L"layer.cim"},
                                     {place(L"2.bcim"), L"layer.cim"},
                                     {place(L"1.bcim"), L"layer.cim"}};
    CIMFS_IMAGE_HANDLE image;
    const WCHAR *root;
    GUID guid;

    make_in(images[3].ImageDir, IN_FILE, L"layer.cim");
    image = open_in(images[2].ImageDir, IN_FILE, NULL, L"layer.cim");
    check_hr("a tombstone", cim.TombstoneFile(image, L"foo\\bar.txt"), S_OK);
    put_text(image, L"of the middle", "middle");
    commit_and_close(image);
    image = open_in(images[1].ImageDir, IN_FILE, NULL, L"layer.cim");
    put_dir(image, L"foo");
    put_text(image, L"foo\\bar.txt", "again");
    check_hr("a link", cim.CreateMergeLink(image, L"foo\\link", L"foobar.txt"), S_OK);
    commit_and_close(image);
    make_merged(&in_files, 0, images, 4);
    need_hr("CimMergeMountImage", mount_merged(&in_files, images, 4, &guid));
    root = _wcsdup(volume_root(&guid));
    check_content("added again", on(root, L"foo\\bar.txt"), "again");
    check_content("the middle one's", on(root, L"of the middle"), "middle");
    check_content("the link", on(root, L"foo\\link"), "some content 123");
}

/* ---- what we decided --------------------------------------------------------------------------
 */

CASE(kinds, "Merge/KindOfItem", DECISION, "D52", NEEDS_MOUNT,
     "a file hides the directory below it with all in it, a directory the file below it; "
     "directories "
     "are united, with the upper one's metadata")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_in(stack.images[2].ImageDir, IN_FILE, L"base.cim", NULL);
    const WCHAR *root;

    put_dir(image, L"directory below");
    put_text(image, L"directory below\\f", "x");
    put_text(image, L"file below", "x");
    commit_and_close(image);
    image = open_upper(&stack);
    put_text(image, L"directory below", "a file");
    put_dir(image, L"file below");
    put_text(image, L"file below\\f", "in a directory");
    put_item(image, L"foo", meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, 0), NULL, 0);
    put_text(image, L"foo\\new.txt", "new");
    commit_and_close(image);
    root = mount_stack(&stack);
    check_content("a file over a directory", on(root, L"directory below"), "a file");
    check_error("what was in that", path_error(on(root, L"directory below\\f")),
                ERROR_PATH_NOT_FOUND);
    check_content("a directory over a file", on(root, L"file below\\f"), "in a directory");
    check_content("united: the upper one's", on(root, L"foo\\new.txt"), "new");
    check_content("united: the lower one's", on(root, L"foo\\bar.txt"), "more content!");
    check_bool("united: hidden", GetFileAttributesW(on(root, L"foo")) & FILE_ATTRIBUTE_HIDDEN,
               true);
}

CASE(names, "Merge/NamesInAnyCase", DECISION, "D24, D52", NEEDS_MOUNT,
     "layers' names that differ in case only are the same item; tombstones and merge links too")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    const WCHAR *root;

    put_text(image, L"FOOBAR.TXT", "upper");
    need_hr("CimTombstoneFile", cim.TombstoneFile(image, L"FOO\\Bar.txt"));
    need_hr("CimCreateMergeLink", cim.CreateMergeLink(image, L"link", L"FooBar.Txt"));
    commit_and_close(image);
    root = mount_stack(&stack);
    check_content("the file", on(root, L"foobar.txt"), "upper");
    check_content("the link", on(root, L"link"), "upper");
    check_error("the tombstone", path_error(on(root, L"foo\\bar.txt")), ERROR_FILE_NOT_FOUND);
    check_error("its directory", path_error(on(root, L"foo")), 0);
}

CASE(places, "Merge/KindOfPlace", DECISION, "D52", 0,
     "a session in a directory takes ordinary images alone, one on a device those on devices alone")
{
    const WCHAR *device = new_device(4 << 20), *dir = new_dir(L"d"), *file = place(L"base.bcim");
    const WCHAR *in_file = _wcsdup(join(file, L"a.cim")), *in_dir = _wcsdup(join(dir, L"base.cim"));
    CIMFS_IMAGE_HANDLE image;

    make_base(dir);
    make_in(file, IN_FILE, L"a.cim");
    image = open_image(case_dir(), NULL, L"m.cim");
    check_hr("a directory, a container without a flag", cim.AddFsToMergedImage(image, in_file),
             HR_PATH_NOT_FOUND);
    check_hr("a directory, a container", cim.AddFsToMergedImage2(image, in_file, 1), E_INVALIDARG);
    check_hr("a directory, a device", cim.AddFsToMergedImage2(image, device, 2), E_INVALIDARG);
    check_hr("a directory, an ordinary image", cim.AddFsToMergedImage(image, in_dir), S_OK);
    close_image(image);
    image = open_in(device, ON_DEVICE, NULL, L"m.cim");
    check_hr("a device, a container", cim.AddFsToMergedImage2(image, in_file, 1), E_INVALIDARG);
    check_hr("a device, a container as a device", cim.AddFsToMergedImage2(image, in_file, 2),
             E_INVALIDARG);
    check_hr("a device, an ordinary image", cim.AddFsToMergedImage(image, in_dir), E_INVALIDARG);
}

CASE(source_changed, "Merge/SourceReplaced", DECISION, "D52", 0,
     "a source that was replaced since it was added: the commit is ERROR_SHARING_VIOLATION; one "
     "that "
     "is gone: ERROR_FILE_NOT_FOUND, with its container: ERROR_PATH_NOT_FOUND")
{
    struct stack stack = make_stack();
    const WCHAR *path = stack.images[2].ImageDir, *source = _wcsdup(join(path, L"base.cim"));
    CIMFS_IMAGE_HANDLE image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, L"m.cim"), other;

    need_hr("CimAddFsToMergedImage2", cim.AddFsToMergedImage2(image, source, 1));
    other = open_in(path, IN_FILE, L"base.cim", NULL);
    put_text(other, L"new", "x");
    commit_and_close(other);
    check_hr("replaced", cim.CommitImage(image), HR_SHARING);
    close_image(image);
    image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, L"m.cim");
    need_hr("CimAddFsToMergedImage2", cim.AddFsToMergedImage2(image, source, 1));
    need(remove_file(path), "can't remove the source");
    check_hr("its container gone", cim.CommitImage(image), HR_PATH_NOT_FOUND);
    close_image(image);
    make_in(path, IN_FILE, L"base.cim");
    image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, L"m.cim");
    need_hr("CimAddFsToMergedImage2", cim.AddFsToMergedImage2(image, source, 1));
    need(remove_file(path), "can't remove the source");
    make_in(path, IN_FILE, L"other.cim");
    check_hr("gone", cim.CommitImage(image), HR_FILE_NOT_FOUND);
}

CASE(nested, "Merge/MergedSource", DECISION, "D52", NEEDS_MOUNT,
     "a merged image is a source like any other: it comes with its own sources, which the mount "
     "names")
{
    struct stack stack = make_stack();
    const CimFsImagePath top = {place(L"top.bcim"), L"top.cim"},
                         all = {place(L"all.bcim"), L"all.cim"};
    CimFsImagePath images[] = {all, top, stack.images[0], stack.images[1], stack.images[2]};
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    GUID guid;

    need_hr("CimTombstoneFile", cim.TombstoneFile(image, L"foobar.txt"));
    commit_and_close(image);
    make_merged(&in_files, 0, stack.images, 3);
    make_layer(&in_files, 0, &top, L"of the top", "top");
    image = open_in(all.ImageDir, IN_FILE, NULL, all.ImageName);
    need_hr("top", cim.AddFsToMergedImage2(image, join(top.ImageDir, top.ImageName), 1));
    check_hr("without its container",
             cim.AddFsToMergedImage2(image, place(L"no.bcim\\merged.cim"), 1), HR_PATH_NOT_FOUND);
    close_image(image);
    make_merged(&in_files, 0, images, 3);
    need_hr("CimMergeMountImage", mount_merged(&in_files, images, 5, &guid));
    check_content("the topmost one's", on(volume_root(&guid), L"of the top"), "top");
    check_content("the lowest one's", on(volume_root(&guid), L"foo\\bar.txt"), "more content!");
    check_error("the tombstone's", path_error(on(volume_root(&guid), L"foobar.txt")),
                ERROR_FILE_NOT_FOUND);
}

/* ---- questions --------------------------------------------------------------------------------
 */

CASE(kinds_question, "Merge/KindsQuestion", QUESTION, "Q-53", NEEDS_MOUNT,
     "a file over a directory, a directory over a file, metadata and streams of what two layers "
     "have")
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_in(stack.images[2].ImageDir, IN_FILE, NULL, L"2.cim");
    const WCHAR *root;

    stack.images[2].ImageName = L"2.cim";
    put_dir(image, L"a");
    put_text(image, L"a\\below", "x");
    put_text(image, L"b", "x");
    put_item(image, L"c", meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, 0), NULL, 0);
    put_stream(image, L"c:of the lower", "x", 1);
    commit_and_close(image);
    image = open_upper(&stack);
    put_text(image, L"a", "a file");
    put_dir(image, L"b");
    put_dir(image, L"c");
    commit_and_close(image);
    root = mount_stack(&stack);
    see_bool("a file over a directory is a directory",
             GetFileAttributesW(on(root, L"a")) & FILE_ATTRIBUTE_DIRECTORY);
    see_error("what was in the directory", path_error(on(root, L"a\\below")));
    see_bool("a directory over a file is a directory",
             GetFileAttributesW(on(root, L"b")) & FILE_ATTRIBUTE_DIRECTORY);
    see_bool("the lower one's attributes",
             GetFileAttributesW(on(root, L"c")) & FILE_ATTRIBUTE_HIDDEN);
    see_error("the lower one's stream", path_error(on(root, L"c:of the lower")));
}

/* What the steps of a merge answer that has this link in its upper layer. */
static void see_link(const char *step, const WCHAR *link, const WCHAR *target, const WCHAR *back)
{
    struct stack stack = make_stack();
    CIMFS_IMAGE_HANDLE image = open_upper(&stack);
    char label[60];
    HRESULT hr;

    need_hr("CimCreateMergeLink", cim.CreateMergeLink(image, link, target));
    if (back) need_hr("CimCreateMergeLink", cim.CreateMergeLink(image, target, back));
    commit_and_close(image);
    image = open_in(stack.images[0].ImageDir, IN_FILE, NULL, stack.images[0].ImageName);
    for (int i = 1; i < 3; i++)
        need_hr("CimAddFsToMergedImage2",
                cim.AddFsToMergedImage2(
                        image, join(stack.images[i].ImageDir, stack.images[i].ImageName), 1));
    hr = cim.CommitImage(image);
    close_image(image);
    sprintf(label, "%s: the commit", step);
    see_hr(label, hr);
    sprintf(label, "%s: the mount", step);
    if (SUCCEEDED(hr)) see_hr(label, try_merged(CIM_MOUNT_SINGLE_FILE, stack.images, 3));
    for (int i = 0; i < 3; i++) remove_file(stack.images[i].ImageDir);
}

CASE(link_question, "MergeLink/UnresolvedQuestion", QUESTION, "Q-55", NEEDS_MOUNT,
     "a merge link to nothing, to a directory, to itself and around: when is it an error?")
{
    see_link("to nothing", L"link", L"no.txt", NULL);
    see_link("to a directory", L"link", L"foo", NULL);
    see_link("to itself", L"link", L"link", NULL);
    see_link("around", L"link", L"other", L"link");
}
