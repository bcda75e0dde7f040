/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * convert.c - CimConvertBlockImage, of which one public header tells no more than the arguments
 */
#include "containers.h"

CASE(convert, "Convert/IntoContainer", DECISION, "D52", NEEDS_MOUNT,
     "an ordinary image is copied into a new container, with what it has of its parents; it stays")
{
    const WCHAR *dir = new_dir(L"d");
    CIMFS_IMAGE_HANDLE image;

    write_image(dir, NULL, L"base.cim", L"foobar.txt", "some content 123");
    image = open_image(dir, L"base.cim", L"fork.cim");
    put_dir(image, L"foo");
    put_text(image, L"foo\\bar.txt", "more content!");
    commit_and_close(image);
    check_hr("CimConvertBlockImage", cim.ConvertBlockImage(dir, L"fork.cim", container()), S_OK);
    check_mounts("the copy", container(), L"fork.cim", CIM_MOUNT_SINGLE_FILE);
    check_stored_text("the image", dir, L"fork.cim", L"foobar.txt", "some content 123");
    check_text("files", list_files(case_dir()), "d\\ layer.bcim");
}

CASE(convert_device, "Convert/OntoDevice", DECISION, "D52", NEEDS_MOUNT,
     "an ordinary image is copied onto a device that is empty")
{
    const WCHAR *device = new_device(4 << 20), *dir = new_dir(L"d");
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, L"a.cim");

    put_test_image(image);
    commit_and_close(image);
    check_hr("CimConvertBlockImage", cim.ConvertBlockImage(dir, L"a.cim", device), S_OK);
    check_mounts("the copy", device, L"a.cim", CIM_MOUNT_BLOCK_CIM);
    check_hr("again", cim.ConvertBlockImage(dir, L"a.cim", device), HR_FILE_EXISTS);
}

CASE(errors, "Convert/Errors", DECISION, "D28, D52", 0,
     "what is there already: ERROR_FILE_EXISTS, whatever it is; a missing image or directory; no "
     "image; NULLs and bad names: E_INVALIDARG; nothing is left")
{
    const WCHAR *dir = new_dir(L"d"), *path = container();

    make_base(dir);
    make_in(place(L"old.bcim"), IN_FILE, L"a.cim");
    save_file(join(case_dir(), L"text"), "text", 4);
    check_hr("a container", cim.ConvertBlockImage(dir, L"base.cim", place(L"old.bcim")),
             HR_FILE_EXISTS);
    check_hr("a file", cim.ConvertBlockImage(dir, L"base.cim", place(L"text")), HR_FILE_EXISTS);
    check_hr("a directory", cim.ConvertBlockImage(dir, L"base.cim", dir), HR_FILE_EXISTS);
    check_hr("missing image", cim.ConvertBlockImage(dir, L"no.cim", path), HR_FILE_NOT_FOUND);
    check_hr("missing directory", cim.ConvertBlockImage(place(L"no"), L"a.cim", path),
             HR_PATH_NOT_FOUND);
    check_hr("out of a container", cim.ConvertBlockImage(place(L"old.bcim"), L"a.cim", path),
             HR_PATH_NOT_FOUND);
    check_hr("its directory missing",
             cim.ConvertBlockImage(dir, L"base.cim", place(L"no\\layer.bcim")), HR_PATH_NOT_FOUND);
    check_hr("no image", cim.ConvertBlockImage(case_dir(), L"text", path), HR_CORRUPT);
    check_hr("a bad name", cim.ConvertBlockImage(dir, L"a:b", path), E_INVALIDARG);
    check_hr("NULL directory", cim.ConvertBlockImage(NULL, L"a.cim", path), E_INVALIDARG);
    check_hr("NULL name", cim.ConvertBlockImage(dir, NULL, path), E_INVALIDARG);
    check_hr("NULL container", cim.ConvertBlockImage(dir, L"base.cim", NULL), E_INVALIDARG);
    check_text("files", list_files(case_dir()), "d\\ old.bcim text");
}

CASE(answers, "Convert/Answers", QUESTION, "Q-61", 0,
     "which way is converted: the answers for an ordinary image and for one in a container")
{
    const WCHAR *dir = new_dir(L"d");

    make_base(dir);
    make_in(container(), IN_FILE, L"a.cim");
    see_hr("ordinary, to a new file", cim.ConvertBlockImage(dir, L"base.cim", place(L"new")));
    see_hr("ordinary, to a directory",
           cim.ConvertBlockImage(dir, L"base.cim", new_dir(L"directory")));
    see_hr("container, to a directory",
           cim.ConvertBlockImage(container(), L"a.cim", place(L"directory")));
    see_hr("container, to a new file", cim.ConvertBlockImage(container(), L"a.cim", place(L"n2")));
}
