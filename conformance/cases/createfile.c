/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createfile.c - CimCreateFile
 */
#include "../suite/suite.h"

CASE(parent_missing, "CreateFile/ParentMissing", DECISION, "D1", 0,
     "a file below a directory that isn't there: ERROR_PATH_NOT_FOUND")
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"a.cim");

    check_hr("hr", try_create_file(image, L"no\\file", meta(0, 0)), HR_PATH_NOT_FOUND);
}

CASE(writes_a_file, "CreateFile/Content", DOC, "cimcreatefile", 0,
     "a file has the bytes that were written to it")
{
    CIMFS_IMAGE_HANDLE image = open_image(case_dir(), NULL, L"a.cim");

    put_text(image, L"f", "hello");
    commit_and_close(image);
    check_stored_text("content", case_dir(), L"a.cim", L"f", "hello");
}
