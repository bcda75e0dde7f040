/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arguments.c - two arguments that are wrong in one call
 *
 * A program that tells what is wrong tells the first thing, so which that is must not change: what
 * receives a result, the handle, the flags, the NULLs, what the strings say, what they name.
 */
#include "items.h"

#define BAD_IMAGE ((CIMFS_IMAGE_HANDLE)NULL)
#define SOME_IMAGE ((CIMFS_IMAGE_HANDLE)(ULONG_PTR)0x1234)
#define TOO_LARGE (1ull << 48)

/* ---- sessions ---------------------------------------------------------------------------------
 */

CASE(create_output, "CreateImage/NoOutputAndMore", DECISION, "D28", 0,
     "nowhere to put the handle: E_POINTER, whatever else is wrong")
{
    const WCHAR *dir = case_dir(), *none = join(dir, L"none");

    make_base(dir);
    check_hr("NULL directory", cim.CreateImage(NULL, NULL, L"a.cim", NULL), E_POINTER);
    check_hr("no name", cim.CreateImage(dir, NULL, NULL, NULL), E_POINTER);
    check_hr("bad name", cim.CreateImage(dir, NULL, L"a:b", NULL), E_POINTER);
    check_hr("name taken", cim.CreateImage(dir, NULL, L"base.cim", NULL), E_POINTER);
    check_hr("missing directory", cim.CreateImage(none, NULL, L"a.cim", NULL), E_POINTER);
    check_hr("the directory is free", try_image(dir, NULL, L"a.cim"), S_OK);
}

CASE(create_order, "CreateImage/TwoErrors", DECISION, "D28", 0,
     "a malformed name, then the directory, then the existing image, then the new name")
{
    const WCHAR *dir = case_dir(), *none = join(dir, L"none");

    make_base(dir);
    save_file(join(dir, L"no.cim"), "no image", 8);
    check_hr("bad name, missing directory", try_image(none, NULL, L"a:b"), E_INVALIDARG);
    check_hr("bad name, missing image", try_image(dir, L"no", L"a:b"), E_INVALIDARG);
    check_hr("bad existing name, name taken", try_image(dir, L"a:b", L"base.cim"), E_INVALIDARG);
    check_hr("missing directory and image", try_image(none, L"no", NULL), HR_PATH_NOT_FOUND);
    check_hr("missing image, name taken", try_image(dir, L"no", L"base.cim"), HR_FILE_NOT_FOUND);
    check_hr("no image, name taken", try_image(dir, L"no.cim", L"base.cim"), HR_CORRUPT);
    check_hr("no directory, no name", try_image(NULL, NULL, NULL), E_INVALIDARG);
    open_image(dir, NULL, L"open.cim");
    check_hr("taken directory, bad name", try_image(dir, NULL, L"a:b"), E_INVALIDARG);
    check_hr("taken directory, missing image", try_image(dir, L"no", NULL), HR_SHARING);
    check_hr("taken directory, name taken", try_image(dir, NULL, L"base.cim"), HR_SHARING);
}

static HRESULT try_flags(const WCHAR *dir, UINT32 flags, const WCHAR *existing, const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = SOME_IMAGE;
    HRESULT hr = cim.CreateImage2(dir, (CIM_CREATE_IMAGE_FLAGS)flags, existing, name, &image);

    if (SUCCEEDED(hr)) cim.CloseImage(image);
    return hr;
}

CASE(create2_order, "CreateImage2/TwoErrors", DECISION, "D28, D39", 0,
     "a NULL output, then flags that don't fit, then NULLs, then whether the path is that of such "
     "a "
     "container, then the rest")
{
    const WCHAR *dir = case_dir(), *none = join(dir, L"none");

    make_base(dir);
    check_hr("no output, unknown flag", cim.CreateImage2(dir, 0x80, NULL, L"a.cim", NULL),
             E_POINTER);
    check_hr("no output, container", cim.CreateImage2(dir, 0x4, NULL, L"a.cim", NULL), E_POINTER);
    check_hr("unknown flag, missing directory", try_flags(none, 0x80, NULL, L"a.cim"),
             E_INVALIDARG);
    check_hr("unknown flag, name taken", try_flags(dir, 0x80, NULL, L"base.cim"), E_INVALIDARG);
    check_hr("unknown flag, container", try_flags(dir, 0x84, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("container, NULL directory", try_flags(NULL, 0x4, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("container, no name", try_flags(dir, 0x8, NULL, NULL), E_INVALIDARG);
    check_hr("verified container, no name", try_flags(dir, 0x48, NULL, NULL), E_INVALIDARG);
    check_hr("no device, missing directory", try_flags(none, 0x4, NULL, L"a.cim"), E_INVALIDARG);
    check_hr("no device, name taken", try_flags(dir, 0x4, NULL, L"base.cim"), E_INVALIDARG);
    check_hr("no container, bad name", try_flags(dir, 0x8, NULL, L"a:b"), E_INVALIDARG);
    check_hr("no container, missing image", try_flags(dir, 0x8, L"no", L"a.cim"), HR_CORRUPT);
    check_hr("no container, name taken", try_flags(dir, 0x8, NULL, L"base.cim"), HR_CORRUPT);
    check_hr("nothing wrong", try_flags(dir, 0, NULL, L"a.cim"), S_OK);
}

/* ---- items ------------------------------------------------------------------------------------
 */

FRESH_CASE(item_outputs, "Handle/NoOutputAndMore", DECISION, "D28", 0,
           "nowhere to put a result: E_POINTER, whatever else is wrong")
{
    const CIMFS_FILE_METADATA *file = meta(0, 0);

    check_hr("file, no image", cim.CreateFile(BAD_IMAGE, L"g", file, NULL), E_POINTER);
    check_hr("file, NULL path", cim.CreateFile(image, NULL, file, NULL), E_POINTER);
    check_hr("file, bad path", cim.CreateFile(image, L"a*", file, NULL), E_POINTER);
    check_hr("file, NULL metadata", cim.CreateFile(image, L"g", NULL, NULL), E_POINTER);
    check_hr("file, missing parent", cim.CreateFile(image, L"no\\g", file, NULL), E_POINTER);
    check_hr("stream, no image", cim.CreateAlternateStream(BAD_IMAGE, L"f:s", 0, NULL), E_POINTER);
    check_hr("stream, NULL path", cim.CreateAlternateStream(image, NULL, 0, NULL), E_POINTER);
    check_hr("stream, no stream's path", cim.CreateAlternateStream(image, L"f", 0, NULL),
             E_POINTER);
    check_hr("stream, missing item", cim.CreateAlternateStream(image, L"no:s", 0, NULL), E_POINTER);
    open_file(image, L"open", 0);
    check_hr("file, stream open", cim.CreateFile(image, L"g", file, NULL), E_POINTER);
    check_hr("stream, stream open", cim.CreateAlternateStream(image, L"f:s", 0, NULL), E_POINTER);
}

FRESH_CASE(item_order, "Handle/TwoErrors", DECISION, "D28", 0,
           "malformed arguments are told before a missing parent or item")
{
    put_text(image, L"f", "x");
    put_dir(image, L"d");
    check_hr("file, size too large, missing parent",
             try_create_file(image, L"no\\f", meta(0, TOO_LARGE)), E_INVALIDARG);
    check_hr("file, bad path, missing parent", try_create_file(image, L"no\\a*", meta(0, 0)),
             E_INVALIDARG);
    check_hr("file, NULL metadata, missing parent", try_create_file(image, L"no\\f", NULL),
             E_INVALIDARG);
    check_hr("stream, size too large, missing item", try_create_stream(image, L"no:s", TOO_LARGE),
             E_INVALIDARG);
    check_hr("stream, other type, missing item", try_create_stream(image, L"no:s:$X", 0),
             E_INVALIDARG);
    check_hr("link, bad path, missing file", cim.CreateHardLink(image, L"a*", L"no"), E_INVALIDARG);
    check_hr("link, missing parent, bad file", cim.CreateHardLink(image, L"no\\l", L"a*"),
             E_INVALIDARG);
    check_hr("link, missing parent, missing file", cim.CreateHardLink(image, L"no\\l", L"no"),
             HR_PATH_NOT_FOUND);
    check_hr("link, missing parent, to a directory", cim.CreateHardLink(image, L"no\\l", L"d"),
             E_ACCESSDENIED);
    check_hr("link, onto a directory, missing file", cim.CreateHardLink(image, L"d", L"no"),
             HR_PATH_NOT_FOUND);
}

FRESH_CASE(open_order, "Handle/StreamOpenAndMore", DECISION, "D28", 0,
           "while a stream is open: a NULL is told before that, what a path says behind it")
{
    CIMFS_STREAM_HANDLE stream;

    put_text(image, L"f", "x");
    stream = open_file(image, L"open", 4);
    check_hr("file, NULL path", try_create_file(image, NULL, meta(0, 0)), E_INVALIDARG);
    check_hr("file, NULL metadata", try_create_file(image, L"g", NULL), E_INVALIDARG);
    check_hr("file, bad path", try_create_file(image, L"a*", meta(0, 0)), HR_SHARING);
    check_hr("file, size too large", try_create_file(image, L"g", meta(0, TOO_LARGE)), HR_SHARING);
    check_hr("file, missing parent", try_create_file(image, L"no\\g", meta(0, 0)), HR_SHARING);
    check_hr("stream, NULL path", try_create_stream(image, NULL, 0), E_INVALIDARG);
    check_hr("stream, bad path", try_create_stream(image, L"f", 0), HR_SHARING);
    check_hr("stream, missing item", try_create_stream(image, L"no:s", 0), HR_SHARING);
    check_hr("link, NULL path", cim.CreateHardLink(image, NULL, L"f"), E_INVALIDARG);
    check_hr("link, NULL file", cim.CreateHardLink(image, L"l", NULL), E_INVALIDARG);
    check_hr("link, bad path", cim.CreateHardLink(image, L"a*", L"f"), HR_SHARING);
    check_hr("link, missing file", cim.CreateHardLink(image, L"l", L"no"), HR_SHARING);
    check_hr("deletion, NULL path", cim.DeletePath(image, NULL), E_INVALIDARG);
    check_hr("deletion, bad path", cim.DeletePath(image, L"a*"), HR_SHARING);
    check_hr("deletion, missing item", cim.DeletePath(image, L"no"), HR_SHARING);
    check_hr("the stream goes on", cim.WriteStream(stream, "text", 4), S_OK);
    close_stream(stream);
    commit_and_close(image);
    holds("its file", L"open", "text");
    holds("the other file", L"f", "x");
}

FRESH_CASE(write_order, "WriteStream/TwoErrors", DECISION, "D13, D28", MAY_BREAK_DLL,
           "a handle that is none, then a NULL buffer, then a write past the end")
{
    CIMFS_STREAM_HANDLE stream = open_file(image, L"f", 1);

    check_hr("NULL handle, NULL buffer", cim.WriteStream(NULL, NULL, 1), E_INVALIDARG);
    check_hr("NULL handle, nothing", cim.WriteStream(NULL, NULL, 0), E_INVALIDARG);
    check_hr("NULL buffer, past the end", cim.WriteStream(stream, NULL, 2), E_POINTER);
    check_hr("NULL buffer, largest size", cim.WriteStream(stream, NULL, ~0u), E_POINTER);
    check_hr("the file's byte", cim.WriteStream(stream, "x", 1), S_OK);
    check_hr("NULL buffer at the end", cim.WriteStream(stream, NULL, 1), E_POINTER);
    close_stream(stream);
    check_hr("closed, NULL buffer", cim.WriteStream(stream, NULL, 1), E_INVALIDARG);
    check_hr("closed, nothing", cim.WriteStream(stream, "", 0), E_INVALIDARG);
    stream = open_file(image, L"d", 0);
    check_hr("NULL buffer, empty file", cim.WriteStream(stream, NULL, 1), E_POINTER);
    close_stream(stream);
    commit_and_close(image);
    holds("the file", L"f", "x");
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static HRESULT try_read(const WCHAR *image, const WCHAR *path, UINT64 offset, UINT64 room)
{
    char data[8];
    UINT64 got, left;

    return cim.ReadFile(image, path, offset, data, room, &got, &left);
}

CASE(read_pointers, "ReadFile/NoOutputAndMore", DECISION, "D13, D28", 0,
     "a NULL counter or buffer: E_POINTER, whatever else is wrong, and the counters are 0")
{
    const WCHAR *image = join(case_dir(), L"no.cim");
    UINT64 got = 77, left = 77;
    char data[8];

    check_hr("no counters", cim.ReadFile(image, L"f", 0, data, 8, NULL, NULL), E_POINTER);
    check_hr("no bytes read", cim.ReadFile(image, L"f", 0, data, 8, NULL, &left), E_POINTER);
    check_number("bytes remaining then", left, 0);
    check_hr("no bytes remaining", cim.ReadFile(image, L"f", 0, data, 8, &got, NULL), E_POINTER);
    check_number("bytes read then", got, 0);
    got = left = 77;
    check_hr("no buffer", cim.ReadFile(image, L"f", 0, NULL, 8, &got, &left), E_POINTER);
    check_number("bytes read without a buffer", got, 0);
    check_number("bytes remaining without a buffer", left, 0);
    check_hr("no buffer, NULL paths", cim.ReadFile(NULL, NULL, 0, NULL, 8, &got, &left), E_POINTER);
    make_base(case_dir());
    image = join(case_dir(), L"base.cim");
    check_hr("all of them", cim.ReadFile(image, L"empty", 0, data, 8, &got, &left), S_OK);
    check_hr("no buffer of size 0", cim.ReadFile(image, L"file.txt", 0, NULL, 0, &got, &left),
             E_POINTER);
    check_hr("no buffer, empty file", cim.ReadFile(image, L"empty", 0, NULL, 8, &got, &left),
             E_POINTER);
    check_hr("no buffer, past the end", cim.ReadFile(image, L"empty", 1, NULL, 8, &got, &left),
             E_POINTER);
}

CASE(read_order, "ReadFile/TwoErrors", DECISION, "D28, D30", 0,
     "a NULL path, then the image, then what the path says, then what it names, then the offset")
{
    const WCHAR *image = join(case_dir(), L"base.cim"), *none = join(case_dir(), L"no.cim");
    const WCHAR *broken = join(case_dir(), L"broken.cim");

    make_base(case_dir());
    save_file(broken, "no image", 8);
    check_hr("missing image, NULL path", try_read(none, NULL, 0, 8), E_INVALIDARG);
    check_hr("broken image, NULL path", try_read(broken, NULL, 0, 8), E_INVALIDARG);
    check_hr("missing image, bad path", try_read(none, L"a*", 0, 8), HR_FILE_NOT_FOUND);
    check_hr("broken image, bad path", try_read(broken, L"a*", 0, 8), HR_CORRUPT);
    check_hr("broken image, missing file", try_read(broken, L"no", 0, 8), HR_CORRUPT);
    check_hr("bad path in a missing directory", try_read(image, L"no\\a*", 0, 8), E_INVALIDARG);
    check_hr("bad stream of a missing file", try_read(image, L"no:a*", 0, 8), E_INVALIDARG);
    check_hr("missing file, largest offset", try_read(image, L"no", ~0ull, 8), HR_FILE_NOT_FOUND);
    check_hr("directory, largest offset", try_read(image, L"d", ~0ull, 8), E_INVALIDARG);
    check_hr("directory, no room", try_read(image, L"d", 0, 0), E_INVALIDARG);
    check_hr("past the end, no room", try_read(image, L"file.txt", 6, 0), HR_EOF);
    check_hr("past the end of an empty file, no room", try_read(image, L"empty", 1, 0), HR_EOF);
}

CASE(stat_order, "Stat/TwoErrors", DECISION, "D28, D30", 0,
     "nowhere to put the information, then a NULL path, then the image, then the path")
{
    const WCHAR *none = join(case_dir(), L"no.cim");
    FILE_STAT_BASIC_INFORMATION info;

    make_base(case_dir());
    check_hr("no output, missing image", cim.GetFileStatBasicInformation(none, L"f", NULL),
             E_POINTER);
    check_hr("no output, NULL paths", cim.GetFileStatBasicInformation(NULL, NULL, NULL), E_POINTER);
    check_hr("missing image, NULL path", stat_image(none, NULL, &info), E_INVALIDARG);
    check_hr("NULL image, bad path", stat_image(NULL, L"a*", &info), E_INVALIDARG);
    check_hr("missing image, bad path", stat_image(none, L"a*", &info), HR_FILE_NOT_FOUND);
    check_hr("bad path in a missing directory",
             stat_image(join(case_dir(), L"base.cim"), L"no\\a*", &info), E_INVALIDARG);
}

FRESH_CASE(lookup_order, "LookupFile/TwoErrors", DECISION, "D28, D41", 0,
           "nowhere to put the answer, then the handle, then the path; a missing parent is none")
{
    BOOLEAN there = 77;

    put_text(image, L"f", "x");
    check_hr("no output, no image", cim.LookupFile(BAD_IMAGE, L"f", NULL), E_POINTER);
    check_hr("no output, NULL path", cim.LookupFile(image, NULL, NULL), E_POINTER);
    check_hr("no output, bad path", cim.LookupFile(image, L"a*", NULL), E_POINTER);
    check_hr("no image, NULL path", cim.LookupFile(BAD_IMAGE, NULL, &there), E_INVALIDARG);
    check_number("the answer then", there, FALSE);
    there = 77;
    check_hr("bad path in a missing directory", cim.LookupFile(image, L"no\\a*", &there),
             E_INVALIDARG);
    check_number("the answer then, too", there, FALSE);
    open_file(image, L"open", 0);
    check_hr("bad path, stream open", cim.LookupFile(image, L"a*", &there), E_INVALIDARG);
    check_hr("NULL path, stream open", cim.LookupFile(image, NULL, &there), E_INVALIDARG);
    check_hr("what is open", cim.LookupFile(image, L"open", &there), S_OK);
    check_number("is there", there, TRUE);
}
