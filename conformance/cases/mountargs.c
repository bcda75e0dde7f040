/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountargs.c - CimMountImage: flags, odd arguments and spellings, and who may call it
 */
#include "volume.h"

/* ---- arguments --------------------------------------------------------------------------------
 */

CASE(flags, "Mount/KnownFlags", DECISION, "D40", NEEDS_MOUNT,
     "CHILD_ONLY, ENABLE_DAX, CACHE_FILES, CACHE_REGIONS, DO_NOT_SHARE_CACHE: no visible effect")
{
    static const UINT32 rows[] = {0x01, 0x02, 0x04, 0x08, 0x40, 0x4f};
    char name[40];
    size_t i;
    GUID guid;

    make_base(case_dir());
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        sprintf(name, "0x%02x", (unsigned)rows[i]);
        if (!check_hr(name, mount_as(case_dir(), L"base.cim", rows[i], &guid), S_OK)) continue;
        sprintf(name, "0x%02x: a file", (unsigned)rows[i]);
        check_content(name, on(volume_root(&guid), L"file.txt"), "hello");
        dismount(volume_root(&guid));
    }
}

CASE(bad_flags, "Mount/FlagsThatDoNotFit", DECISION, "D40", NEEDS_MOUNT,
     "unknown flags, BLOCK_CIM with SINGLE_FILE, ATTEST_HASH of an ordinary image: E_INVALIDARG")
{
    static const UINT32 rows[] = {0x100,      0x8000, 0x80000000u, 0x110, 0x101,
                                  0xffffffff, 0x30,   0xb0,        0x31,  0x80};
    char name[20];
    size_t i;

    make_base(case_dir());
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        sprintf(name, "0x%02x", (unsigned)rows[i]);
        check_hr(name, try_mount(case_dir(), L"base.cim", rows[i]), E_INVALIDARG);
    }
}

CASE(flags_q, "Mount/FlagMask", QUESTION, "Q-46", NEEDS_MOUNT,
     "the answer to each single flag and to some together, for an ordinary image")
{
    static const UINT32 rows[] = {0x03, 0x0c, 0x0f, 0x30, 0x41, 0x4f, 0x81, 0x90, 0xa0, 0xb0, 0xff};
    char name[20];
    size_t i;

    make_base(case_dir());
    for (i = 0; i < 32; i++)
    {
        sprintf(name, "0x%08lx", 1ul << i);
        see_hr(name, try_mount(case_dir(), L"base.cim", 1u << i));
    }
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        sprintf(name, "0x%02x", (unsigned)rows[i]);
        see_hr(name, try_mount(case_dir(), L"base.cim", rows[i]));
    }
}

CASE(null_dir, "Mount/NullDirectory", QUESTION, "no page says", NEEDS_MOUNT,
     "the directory is NULL")
{
    see_hr("hr", try_mount(NULL, L"base.cim", 0));
}

CASE(null_name, "Mount/NullName", QUESTION, "no page says", NEEDS_MOUNT, "the image's name is NULL")
{
    make_base(case_dir());
    see_hr("hr", try_mount(case_dir(), NULL, 0));
}

CASE(null_guid, "Mount/NullGuid", QUESTION, "no page says", NEEDS_MOUNT,
     "no GUID; and the GUID of all zeros")
{
    static const GUID zeros;
    HRESULT hr;

    make_base(case_dir());
    track_mount(&zeros);
    hr = cim.MountImage(case_dir(), L"base.cim", CIM_MOUNT_IMAGE_NONE, &zeros);
    see_hr("zeros", hr);
    if (SUCCEEDED(hr))
    {
        see_content("its file", on(volume_root(&zeros), L"file.txt"));
        see_hr("dismount", dismount_guid(&zeros));
    }
    else
        untrack_mount(&zeros);
    see_hr("NULL", cim.MountImage(case_dir(), L"base.cim", CIM_MOUNT_IMAGE_NONE, NULL));
}

CASE(error_order, "Mount/OrderOfErrors", QUESTION, "no page says", NEEDS_MOUNT,
     "which error is reported when two things are wrong")
{
    GUID guid;

    make_base(case_dir());
    need_hr("CimMountImage", mount_as(case_dir(), L"base.cim", 0, &guid));
    see_hr("flag and directory", try_mount(join(case_dir(), L"none"), L"base.cim", 0x80000000u));
    see_hr("flag and image", try_mount(case_dir(), L"none.cim", 0x80000000u));
    see_hr("flag and GUID", cim.MountImage(case_dir(), L"base.cim", 0x80000000u, &guid));
    see_hr("GUID and directory", cim.MountImage(join(case_dir(), L"none"), L"base.cim", 0, &guid));
    see_hr("GUID and image", cim.MountImage(case_dir(), L"none.cim", 0, &guid));
}

CASE(two_errors, "Mount/TwoErrors", DECISION, "D28, D40", NEEDS_MOUNT,
     "flags that don't fit, then NULLs, then the container's path, then the name, then what it "
     "names")
{
    const WCHAR *dir = case_dir(), *none = join(dir, L"none");
    GUID guid;

    make_base(dir);
    need_hr("CimMountImage", mount_as(dir, L"base.cim", 0, &guid));
    check_hr("unknown flag, missing directory", try_mount(none, L"base.cim", 0x100), E_INVALIDARG);
    check_hr("unknown flag, missing image", try_mount(dir, L"none.cim", 0x100), E_INVALIDARG);
    check_hr("unknown flag, container", try_mount(dir, L"base.cim", 0x110), E_INVALIDARG);
    check_hr("unknown flag, GUID in use", cim.MountImage(dir, L"base.cim", 0x100, &guid),
             E_INVALIDARG);
    check_hr("hash of an ordinary image, missing image", try_mount(dir, L"none.cim", 0x80),
             E_INVALIDARG);
    check_hr("container, NULL directory", try_mount(NULL, L"base.cim", 0x10), E_INVALIDARG);
    check_hr("container, NULL name", try_mount(dir, NULL, 0x20), E_INVALIDARG);
    check_hr("container, NULL GUID", cim.MountImage(dir, L"base.cim", 0x10, NULL), E_INVALIDARG);
    check_hr("attested container, NULL GUID", cim.MountImage(dir, L"base.cim", 0xa0, NULL),
             E_INVALIDARG);
    check_hr("no device, missing directory", try_mount(none, L"base.cim", 0x10), E_INVALIDARG);
    check_hr("no device, GUID in use", cim.MountImage(dir, L"base.cim", 0x10, &guid), E_INVALIDARG);
    check_hr("no container, bad name", try_mount(dir, L"a:b", 0x20), E_INVALIDARG);
    check_hr("no container, GUID in use", cim.MountImage(dir, L"base.cim", 0x20, &guid),
             HR_CORRUPT);
    check_hr("bad name, missing directory", try_mount(none, L"a:b", 0), E_INVALIDARG);
    check_hr("bad name, GUID in use", cim.MountImage(dir, L"a:b", 0, &guid), E_INVALIDARG);
    check_hr("missing directory, NULL GUID", cim.MountImage(none, L"base.cim", 0, NULL),
             E_INVALIDARG);
    check_hr("missing directory and image", try_mount(none, L"none.cim", 0), HR_PATH_NOT_FOUND);
    check_hr("missing directory, GUID in use", cim.MountImage(none, L"base.cim", 0, &guid),
             HR_PATH_NOT_FOUND);
    check_hr("missing image, GUID in use", cim.MountImage(dir, L"none.cim", 0, &guid),
             HR_FILE_NOT_FOUND);
    check_content("the volume stays", on(volume_root(&guid), L"file.txt"), "hello");
}

CASE(nulls, "Mount/NullArguments", DECISION, "D49", NEEDS_MOUNT,
     "a NULL directory, name or GUID: E_INVALIDARG, from CimDismountImage too")
{
    make_base(case_dir());
    check_hr("directory", try_mount(NULL, L"base.cim", 0), E_INVALIDARG);
    check_hr("name", try_mount(case_dir(), NULL, 0), E_INVALIDARG);
    check_hr("GUID", cim.MountImage(case_dir(), L"base.cim", 0, NULL), E_INVALIDARG);
    check_hr("CimDismountImage", cim.DismountImage(NULL), E_INVALIDARG);
}

CASE(bad_names, "Mount/ImageNames", DECISION, "D23", NEEDS_MOUNT,
     "a name with a separator or ':', or of 256 units: E_INVALIDARG; an empty one isn't found")
{
    static WCHAR longest[300];
    const WCHAR *sub = new_dir(L"sub");

    make_base(case_dir());
    make_base(sub);
    wmemset(longest, 'n', 256);
    check_hr("sub\\base.cim", try_mount(case_dir(), L"sub\\base.cim", 0), E_INVALIDARG);
    check_hr("sub/base.cim", try_mount(case_dir(), L"sub/base.cim", 0), E_INVALIDARG);
    check_hr("base.cim:s", try_mount(case_dir(), L"base.cim:s", 0), E_INVALIDARG);
    check_hr("256 units", try_mount(case_dir(), longest, 0), E_INVALIDARG);
    check_hr("255 units", try_mount(case_dir(), longest + 1, 0), HR_FILE_NOT_FOUND);
    check_hr("empty", try_mount(case_dir(), L"", 0), HR_FILE_NOT_FOUND);
}

CASE(names_q, "Mount/NameSpellings", QUESTION, "Q-21", NEEDS_MOUNT,
     "image names in other spellings, and things that are no image file")
{
    static const WCHAR *const names[] = {L"BASE.CIM",    L"\\base.cim",
                                         L".\\base.cim", L"d.cim\\..\\base.cim",
                                         L"base.cim:",   L"base.cim::$DATA",
                                         L"base.cim\\",  L"base.cim.",
                                         L"base.cim ",   L".",
                                         L"..",          L"b*.cim",
                                         L"d.cim"};
    char name[40];
    size_t i;

    make_base(case_dir());
    new_dir(L"d.cim");
    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        snprintf(name, sizeof(name), "<%ls>", names[i]);
        see_hr(name, try_mount(case_dir(), names[i], 0));
    }
}

static const WCHAR *with_slashes(const WCHAR *path)
{
    WCHAR text[1000], *letter;

    wcscpy(text, path);
    for (letter = text; *letter; letter++)
        if (*letter == '\\') *letter = '/';
    return format_wide(L"%ls", text);
}

CASE(directories_q, "Mount/DirectorySpellings", QUESTION, "Vanara, cimfs-rs, MSIX app attach",
     NEEDS_MOUNT,
     "the directory with a trailing backslash, slashes, a prefix, relative, by UNC, a file")
{
    WCHAR old[MAX_PATH];
    const WCHAR *dir = case_dir();

    make_base(dir);
    see_hr("trailing backslash", try_mount(join(dir, L""), L"base.cim", 0));
    see_hr("two of them", try_mount(join(dir, L"\\"), L"base.cim", 0));
    see_hr("slashes", try_mount(with_slashes(dir), L"base.cim", 0));
    see_hr("verbatim", try_mount(format_wide(L"\\\\?\\%ls", dir), L"base.cim", 0));
    see_hr("NT path", try_mount(format_wide(L"\\??\\%ls", dir), L"base.cim", 0));
    see_hr("dots", try_mount(join(dir, L"."), L"base.cim", 0));
    see_hr("a file", try_mount(join(dir, L"base.cim"), L"base.cim", 0));
    see_hr("empty", try_mount(L"", L"base.cim", 0));
    GetCurrentDirectoryW(ARRAY_SIZE(old), old);
    SetCurrentDirectoryW(dir);
    see_hr("relative", try_mount(L".", L"base.cim", 0));
    SetCurrentDirectoryW(old);
    if (dir[1] != ':') return;
    see_hr("UNC",
           try_mount(format_wide(L"\\\\localhost\\%lc$%ls", dir[0], dir + 2), L"base.cim", 0));
}

/* ---- rights -----------------------------------------------------------------------------------
 */

/* This thread without an administrator's rights, until RevertToSelf(). */
static bool give_up_rights(void)
{
    SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
    SID_AND_ATTRIBUTES admins = {NULL, 0};
    HANDLE token = NULL, restricted = NULL;
    bool done = false;

    if (OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &token) &&
        AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID,
                                 DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0, 0, 0, 0, &admins.Sid) &&
        CreateRestrictedToken(token, DISABLE_MAX_PRIVILEGE, 1, &admins, 0, NULL, 0, NULL,
                              &restricted))
        done = ImpersonateLoggedOnUser(restricted) != 0;
    if (admins.Sid) FreeSid(admins.Sid);
    if (restricted) CloseHandle(restricted);
    if (token) CloseHandle(token);
    return done;
}

CASE(unelevated, "Mount/WithoutElevation", QUESTION, "Q-18", 0,
     "a mount without an administrator's rights: by the process's token, or by a lesser one")
{
    bool lesser;
    HRESULT hr;

    if (facts.no_mount) skip_case("mounting is switched off (--no-mount)");
    make_base(case_dir());
    lesser = facts.elevated && give_up_rights();
    hr = try_mount(case_dir(), L"base.cim", 0);
    if (lesser) RevertToSelf();
    see_text("whose rights", "%s",
             !facts.elevated ? "the process's"
             : lesser        ? "a restricted token's"
                             : "an administrator's");
    see_hr("hr", hr);
}

CASE(d32, "Mount/WithoutRights", DECISION, "D32", 0,
     "a process without the right to mount gets E_ACCESSDENIED")
{
    if (facts.no_mount) skip_case("mounting is switched off (--no-mount)");
    if (facts.elevated) skip_case("this process has an administrator's rights");
    make_base(case_dir());
    check_hr("hr", try_mount(case_dir(), L"base.cim", 0), E_ACCESSDENIED);
}
