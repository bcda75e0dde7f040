/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_mount.c - CimMountImage and CimDismountImage: names, letters, environment and helpers, many
 * volumes, besides what the conformance suite requires
 *
 *   t_mount all DIR              every check; DIR is empty, and on a drive
 *   t_mount few DIR              those that a second backend needs too
 *   t_mount image DIR            make the image a.cim there
 *   t_mount mount DIR FROM TO    mount a.cim under the GUIDs FROM up to TO
 *   t_mount dismount FROM TO     and dismount them
 *   t_mount present FROM TO      is each of them there, and whole?
 *   t_mount absent FROM TO       is each of them gone?
 *   t_mount ask DIR FROM TO      mount one after another, and ask each at once for its information
 *   t_mount versions DIR         mount a.cim as if Wine were of some versions, one after another
 *   t_mount time DIR FROM TO     mount and dismount one after another, print how long each took
 *
 * Those with FROM and TO end with 0, or with the low 8 bits of the first HRESULT that is no
 * success.
 */
#include "mounttest.h"
#include "imports.h"

#define MANY 40
#define PROCESSES 4

static HRESULT mount_at(const WCHAR *dir, const WCHAR *name, unsigned n)
{
    GUID guid = test_guid(n);

    return CimMountImage(dir, name, CIM_MOUNT_IMAGE_NONE, &guid);
}

static HRESULT dismount_at(unsigned n)
{
    GUID guid = test_guid(n);

    return CimDismountImage(&guid);
}

static bool is_there(unsigned n)
{
    GUID guid = test_guid(n);

    return volume_exists(&guid);
}

/* What the one file of a.cim holds, through volume @n. */
static const char *text_in(unsigned n)
{
    GUID guid = test_guid(n);

    return text_at(volume_path(&guid, L"dir\\file.txt"));
}

static void make_image(const WCHAR *dir, const WCHAR *name)
{
    CIMFS_IMAGE_HANDLE image = open_image(dir, NULL, name);

    if (put_dir(image, L"dir") || put_text(image, L"dir\\file.txt", "hello volume") ||
        put_text(image, L"cimtest.marker", "m") || commit_and_close(image))
        bail("no image %ls", name);
}

/* ---- errors, but for those of the conformance suite ---- */

static void test_bad_arguments(const WCHAR *dir)
{
    GUID guid = test_guid(1);

    is_hr(CimMountImage(NULL, L"a.cim", 0, &guid), E_INVALIDARG, "the directory is NULL");
    is_hr(CimMountImage(dir, NULL, 0, &guid), E_INVALIDARG, "the name is NULL");
    is_hr(CimMountImage(dir, L"a.cim", 0, NULL), E_INVALIDARG, "the GUID is NULL");
    is_hr(CimDismountImage(NULL), E_INVALIDARG, "CimDismountImage: the GUID is NULL");
    is_hr(mount_at(dir, L"..", 1), E_INVALIDARG, "D23: the name ..");
}

static void test_missing(const WCHAR *dir)
{
    is_hr(mount_at(path_of(dir, L"a.cim"), L"a.cim", 1), HR_PATH_NOT_FOUND,
          "the directory is a file");
    is_hr(mount_at(L"", L"a.cim", 1), HR_PATH_NOT_FOUND, "the directory's name is empty");
    is_hr(mount_at(L"Q:\\none", L"a.cim", 1), HR_PATH_NOT_FOUND, "no such drive");
    CreateDirectoryW(path_of(dir, L"d.cim"), NULL);
    is_hr(mount_at(dir, L"d.cim", 1), E_ACCESSDENIED, "the image is a directory");
    RemoveDirectoryW(path_of(dir, L"d.cim"));
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "mounted");
    is_hr(mount_at(dir, L"none.cim", 1), HR_FILE_NOT_FOUND, "a missing image under a GUID in use");
    is_hr(dismount_at(1), S_OK, "dismounted");
}

static void test_environment(const WCHAR *dir)
{
    WCHAR helper[PATH_ROOM], backend[32];

    GetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", helper, PATH_ROOM);
    GetEnvironmentVariableW(L"CIMFS_MOUNT_BACKEND", backend, 32);
    SetEnvironmentVariableW(L"CIMFS_MOUNT_BACKEND", L"nonsense");
    is_hr(mount_at(dir, L"a.cim", 1), E_INVALIDARG, "CIMFS_MOUNT_BACKEND is nonsense");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_BACKEND", backend);
    SetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", L"/nowhere/cimfs-mount");
    is_hr(mount_at(dir, L"a.cim", 1), HR_NOT_SUPPORTED, "the helper is missing");
    is_hr(dismount_at(1), HR_NOT_SUPPORTED, "CimDismountImage: the helper is missing");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", L"C:\\nowhere\\cimfs-mount");
    is_hr(mount_at(dir, L"a.cim", 1), HR_NOT_SUPPORTED, "the helper's DOS path leads nowhere");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", L"/bin/false");
    is_hr(mount_at(dir, L"a.cim", 1), HR_WIN32(ERROR_IO_DEVICE), "the helper is something else");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", L"/bin/true");
    is_hr(mount_at(dir, L"a.cim", 1), HR_WIN32(ERROR_IO_DEVICE),
          "a helper that says all is well and mounts nothing");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_HELPER", helper);
    ok(!is_there(1), "nothing of all that is mounted");
}

/* ---- names ---- */

static void test_names(const WCHAR *dir)
{
    WCHAR path[PATH_ROOM], current[PATH_ROOM];
    int i;

    is_hr(mount_at(dir, L"A.CIM", 1), S_OK, "the image's name in another case");
    is_hr(dismount_at(1), S_OK, "dismounted");
    _snwprintf(path, PATH_ROOM, L"%ls\\", dir);
    is_hr(mount_at(path, L"a.cim", 1), S_OK, "a directory with a backslash behind it");
    is_hr(dismount_at(1), S_OK, "dismounted");
    CreateDirectoryW(path_of(dir, L"sub"), NULL);
    _snwprintf(path, PATH_ROOM, L"%ls\\sub\\..\\", dir);
    is_hr(mount_at(path, L"a.cim", 1), S_OK, "a directory with .. in it");
    is_hr(dismount_at(1), S_OK, "dismounted");
    _snwprintf(path, PATH_ROOM, L"\\\\?\\%ls", dir);
    is_hr(mount_at(path, L"a.cim", 1), S_OK, "a directory with \\\\?\\ before it");
    is_hr(dismount_at(1), S_OK, "dismounted");
    GetCurrentDirectoryW(PATH_ROOM, current);
    SetCurrentDirectoryW(dir);
    is_hr(mount_at(L".", L"a.cim", 1), S_OK, "a relative directory");
    is_str(text_in(1), "hello volume", "it is that image");
    SetCurrentDirectoryW(current);
    is_hr(dismount_at(1), S_OK, "dismounted");
    _snwprintf(path, PATH_ROOM, L"\\\\?\\%ls", dir);
    for (i = 0; i < 3; i++)
    {
        wcscat(path, L"\\");
        path[wcslen(path) + 120] = 0; /* the buffer was used before */
        wmemset(path + wcslen(path), L'a' + i, 120);
        CreateDirectoryW(path, NULL);
    }
    wcscat(path, L"\\\x00e4 %s' $HOME \x6f22\x5b57 \xd83d\xde00 `x` &");
    CreateDirectoryW(path, NULL);
    make_image(path, L"\x00fc ber.cim");
    is_hr(mount_at(path, L"\x00fc ber.cim", 1), S_OK, "a long path with odd characters");
    is_str(text_in(1), "hello volume", "it is that image");
    is_hr(dismount_at(1), S_OK, "dismounted");
    GetEnvironmentVariableW(L"TMP", current, PATH_ROOM);
    SetEnvironmentVariableW(L"TMP", path);
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "TMP is too long: mounted without a status file");
    is_hr(mount_at(dir, L"a.cim", 1), HR_MOUNTED, "TMP is too long: a failure");
    is_hr(dismount_at(1), S_OK, "TMP is too long: dismounted");
    SetEnvironmentVariableW(L"TMP", current);
}

/* ---- without what Wine exports ---- */

static const char *hidden[2];
static const char *version; /* what wine_get_version() is to say; NULL: the truth */

static const char *__cdecl get_version(void)
{
    return version;
}

static FARPROC WINAPI get_proc_without_hidden(HMODULE module, const char *name)
{
    size_t i;

    for (i = 0; i < 2; i++)
        if (hidden[i] && (ULONG_PTR)name > 0xffff && !strcmp(name, hidden[i])) return NULL;
    if (version && (ULONG_PTR)name > 0xffff && !strcmp(name, "wine_get_version"))
        return (FARPROC)(void *)get_version;
    return GetProcAddress(module, name);
}

static void test_without_exports(const WCHAR *dir)
{
    if (!ok(divert("GetProcAddress", get_proc_without_hidden) != NULL,
            "cimfs.dll asks us what ntdll exports"))
        return;
    hidden[0] = "wine_get_unix_file_name";
    is_hr(mount_at(dir, L"a.cim", 1), HR_NOT_SUPPORTED, "without Unix paths: CimMountImage");
    is_hr(dismount_at(1), HR_NOT_SUPPORTED, "without Unix paths: CimDismountImage");
    hidden[0] = "wine_get_dos_file_name";
    is_hr(mount_at(dir, L"a.cim", 1), HR_NOT_SUPPORTED, "without a prefix: CimMountImage");
    is_hr(dismount_at(1), HR_NOT_SUPPORTED, "without a prefix: CimDismountImage");
    hidden[0] = "__wine_unix_spawnvp";
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "without __wine_unix_spawnvp: CimMountImage");
    is_str(text_in(1), "hello volume", "without __wine_unix_spawnvp: a file");
    is_hr(mount_at(dir, L"a.cim", 1), HR_MOUNTED, "without __wine_unix_spawnvp: its errors");
    is_hr(dismount_at(1), S_OK, "without __wine_unix_spawnvp: CimDismountImage");
    is_hr(dismount_at(1), HR_FILE_NOT_FOUND, "without __wine_unix_spawnvp: and again");
    hidden[1] = "wine_get_version";
    is_hr(mount_at(dir, L"a.cim", 1), HR_NOT_SUPPORTED, "on Windows: CimMountImage");
    is_hr(dismount_at(1), HR_NOT_SUPPORTED, "on Windows: CimDismountImage");
    hidden[0] = hidden[1] = NULL;
}

/* A mount under each of these; the helper that helpers.sh has given tells what it was asked for. */
static void mount_as_versions(const WCHAR *dir)
{
    static const char *const versions[] = {"8.0",   "9.22",     "10.0",      "10.18",
                                           "10.19", "10.2",     "10.19-rc1", "10",
                                           "11.0",  "11.0-rc3", "unknown",   ""};
    size_t i;

    divert("GetProcAddress", get_proc_without_hidden);
    for (i = 0; i < ARRAYSIZE(versions); i++)
    {
        version = versions[i];
        mount_at(dir, L"a.cim", 1);
    }
    version = NULL;
}

/* ---- without a mount manager ---- */

static bool no_manager, no_definitions;

static HANDLE WINAPI create_file(const WCHAR *path, DWORD access, DWORD share,
                                 SECURITY_ATTRIBUTES *security, DWORD how, DWORD flags,
                                 HANDLE template)
{
    if (no_manager && !wcscmp(path, L"\\\\.\\MountPointManager"))
    {
        SetLastError(ERROR_FILE_NOT_FOUND);
        return INVALID_HANDLE_VALUE;
    }
    return CreateFileW(path, access, share, security, how, flags, template);
}

/* What defines a letter can't be answered; what asks for one can. */
static BOOL WINAPI control(HANDLE device, DWORD code, void *in, DWORD in_size, void *out,
                           DWORD out_size, DWORD *got, OVERLAPPED *overlapped)
{
    if (no_definitions && !out)
    {
        SetLastError(ERROR_ACCESS_DENIED);
        return FALSE;
    }
    return DeviceIoControl(device, code, in, in_size, out, out_size, got, overlapped);
}

/* Whether the letters' lock, which @mutex keeps in being, is anybody's. */
static DWORD WINAPI take_mutex(void *mutex)
{
    DWORD result = WaitForSingleObject(mutex, 0);

    if (result == WAIT_OBJECT_0) ReleaseMutex(mutex);
    return result;
}

static void check_mutex(HANDLE mutex, const char *when)
{
    HANDLE thread = CreateThread(NULL, 0, take_mutex, mutex, 0, NULL);
    DWORD result = 99;

    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &result);
    CloseHandle(thread);
    is_int(result, WAIT_OBJECT_0, "%s: nobody keeps the letters' lock", when);
}

static void test_without_manager(const WCHAR *dir)
{
    DWORD before = GetLogicalDrives();
    HANDLE mutex = CreateMutexW(NULL, FALSE, L"Global\\cimfs_shim drive letters");

    if (!ok(divert("CreateFileW", create_file) && divert("DeviceIoControl", control),
            "cimfs.dll asks us for the mount manager"))
        return;
    no_manager = true;
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "without a mount manager: CimMountImage");
    is_str(text_in(1), "hello volume", "without a mount manager: a file");
    is_hex(GetLogicalDrives(), before, "without a mount manager: no letter");
    is_hr(dismount_at(1), S_OK, "without a mount manager: CimDismountImage");
    no_manager = false;
    check_mutex(mutex, "without a mount manager");
    no_definitions = true;
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "letters can't be given: CimMountImage");
    is_hex(GetLogicalDrives(), before, "letters can't be given: none is");
    is_hr(dismount_at(1), S_OK, "letters can't be given: CimDismountImage");
    no_definitions = false;
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "with all of it: CimMountImage");
    ok(letter_with(L"cimtest.marker") == 'Y', "with all of it: the letter");
    no_definitions = true;
    is_hr(mount_at(dir, L"a.cim", 2), S_OK, "beside a letter that can't be taken: CimMountImage");
    no_definitions = false;
    is_hr(dismount_at(2), S_OK, "dismounted");
    ok(letter_with(L"cimtest.marker") == 'Y', "the letter is the first one's");
    is_hr(dismount_at(1), S_OK, "dismounted");
    is_hex(GetLogicalDrives(), before, "no letter is left");
    check_mutex(mutex, "after mounts and dismounts");
    CloseHandle(mutex);
}

/* ---- drive letters ---- */

static bool has_information(unsigned n)
{
    GUID guid = test_guid(n);
    WCHAR fs[32];

    return GetVolumeInformationW(volume_path(&guid, L""), NULL, 0, NULL, NULL, NULL, fs, 32);
}

static void test_letters(const WCHAR *dir)
{
    DWORD before = GetLogicalDrives();

    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER_WAIT", L"1");
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "a volume with a letter");
    is_int(letter_with(L"cimtest.marker"), 'Y', "the first one gets Y:");
    ok(has_information(1), "GetVolumeInformation works on the volume at once (error %lu)",
       GetLastError());
    is_hr(mount_at(dir, L"a.cim", 2), S_OK, "a second volume");
    is_hex(GetLogicalDrives() & ~before, 3u << ('X' - 'A'), "gets X:");
    ok(has_information(2), "GetVolumeInformation works there too (error %lu)", GetLastError());
    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER_WAIT", NULL);
    is_hr(dismount_at(1), S_OK, "the first is dismounted");
    is_hex(GetLogicalDrives() & ~before, 1u << ('X' - 'A'), "its letter is gone");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER", L"none");
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "CIMFS_MOUNT_LETTER=none");
    is_hex(GetLogicalDrives() & ~before, 1u << ('X' - 'A'), "no letter");
    is_str(text_in(1), "hello volume", "the volume is there");
    is_hr(dismount_at(1), S_OK, "dismounted");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER", L"m:");
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "CIMFS_MOUNT_LETTER=m:");
    is_hex(GetLogicalDrives() & ~before, 1u << ('X' - 'A') | 1u << ('M' - 'A'), "it is M:");
    is_str(text_at(L"m:\\dir\\FILE.txt"), "hello volume", "which leads to the volume");
    is_hr(mount_at(dir, L"a.cim", 3), S_OK, "once more");
    is_hex(GetLogicalDrives() & ~before, 1u << ('X' - 'A') | 1u << ('M' - 'A'),
           "the letter is taken: the volume goes without");
    is_str(text_in(3), "hello volume", "it is there all the same");
    is_hr(dismount_at(3), S_OK, "dismounted");
    is_str(text_at(L"m:\\dir\\FILE.txt"), "hello volume", "M: is still the other's");
    is_hr(dismount_at(1), S_OK, "dismounted, M: too");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER", L"c");
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "CIMFS_MOUNT_LETTER=c, which is another drive");
    ok(path_exists(L"C:\\windows"), "C: is what it was");
    is_hr(dismount_at(1), S_OK, "dismounted");
    ok(path_exists(L"C:\\windows"), "C: is what it was, again");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER", L"nonsense");
    is_hr(mount_at(dir, L"a.cim", 1), S_OK, "CIMFS_MOUNT_LETTER=nonsense: no reason to fail");
    is_hr(dismount_at(1), S_OK, "dismounted");
    SetEnvironmentVariableW(L"CIMFS_MOUNT_LETTER", NULL);
    is_hr(dismount_at(2), S_OK, "the second too");
    is_hex(GetLogicalDrives(), before, "no letter is left");
}

/* ---- many ---- */

static HRESULT each(unsigned from, unsigned to, HRESULT (*what)(const WCHAR *dir, unsigned n),
                    const WCHAR *dir)
{
    for (; from < to; from++)
    {
        HRESULT hr = what(dir, from);

        if (hr)
        {
            diag("volume %u: 0x%lx", from, hr);
            return hr;
        }
    }
    return S_OK;
}

static HRESULT mount_one(const WCHAR *dir, unsigned n)
{
    HRESULT hr = mount_at(dir, L"a.cim", n);

    if (!hr && strcmp(text_in(n), "hello volume")) return E_FAIL;
    return hr;
}

static HRESULT dismount_one(const WCHAR *dir, unsigned n)
{
    (void)dir;
    return dismount_at(n);
}

static HRESULT find_one(const WCHAR *dir, unsigned n)
{
    (void)dir;
    return strcmp(text_in(n), "hello volume") ? E_FAIL : S_OK;
}

static HRESULT miss_one(const WCHAR *dir, unsigned n)
{
    (void)dir;
    return is_there(n) ? E_FAIL : S_OK;
}

/* MANY volumes, mounted and dismounted by PROCESSES processes at a time, none of which is this. */
static void in_processes(const WCHAR *verb, const WCHAR *dir)
{
    HANDLE processes[PROCESSES];
    WCHAR args[PATH_ROOM];
    int i, share = MANY / PROCESSES;

    for (i = 0; i < PROCESSES; i++)
    {
        if (dir)
            _snwprintf(args, PATH_ROOM, L"%ls \"%ls\" %d %d", verb, dir, 100 + i * share,
                       100 + (i + 1) * share);
        else /* each those of its neighbour */
            _snwprintf(args, PATH_ROOM, L"%ls %d %d", verb, 100 + ((i + 1) % PROCESSES) * share,
                       100 + ((i + 1) % PROCESSES + 1) * share);
        processes[i] = start_self(args);
    }
    for (i = 0; i < PROCESSES; i++)
        is_int(end_of(processes[i]), 0, "process %d: %ls of %d volumes", i, verb, share);
}

static int count_bits(DWORD bits)
{
    int count = 0;

    for (; bits; bits &= bits - 1) count++;
    return count;
}

static void test_many(const WCHAR *dir)
{
    DWORD before = GetLogicalDrives();
    int letters;

    in_processes(L"mount", dir);
    is_hr(each(100, 100 + MANY, find_one, NULL), S_OK, "all %d volumes are there", MANY);
    letters = count_bits(GetLogicalDrives() & ~before);
    ok(letters >= 10, "many of them have letters (%d)", letters);
    ok(26 - count_bits(GetLogicalDrives()) >= 4, "some letters are free (%d)",
       26 - count_bits(GetLogicalDrives()));
    is_hr(mount_at(dir, L"a.cim", 100 + MANY), S_OK, "one more, now that there is no letter");
    is_hr(dismount_at(100 + MANY), S_OK, "and gone");
    in_processes(L"dismount", NULL);
    is_hr(each(100, 100 + MANY, miss_one, NULL), S_OK, "all are gone, dismounted by others");
    is_hex(GetLogicalDrives(), before, "no letter is left");
}

/* ---- what mount.sh calls ---- */

/* For the benchmark: a line "MILLISECONDS". */
static HRESULT time_one(const WCHAR *dir, unsigned n)
{
    LARGE_INTEGER begin, end, frequency;
    HRESULT hr;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&begin);
    hr = mount_at(dir, L"a.cim", n);
    QueryPerformanceCounter(&end);
    if (hr) return hr;
    printf("%.3f\n", (double)(end.QuadPart - begin.QuadPart) * 1000 / (double)frequency.QuadPart);
    return dismount_at(n);
}

/* What Go 1.22 asks before it lists a directory. */
static HRESULT mount_and_ask(const WCHAR *dir, unsigned n)
{
    HRESULT hr = mount_one(dir, n);

    if (hr) return hr;
    return has_information(n) ? S_OK : HRESULT_FROM_WIN32(GetLastError());
}

static unsigned number(const WCHAR *text)
{
    return (unsigned)wcstoul(text, NULL, 10);
}

static int verb_of(int argc, WCHAR **argv)
{
    HRESULT hr = E_FAIL;

    if (argc == 3 && !wcscmp(argv[1], L"image"))
    {
        make_image(argv[2], L"a.cim");
        return 0;
    }
    if (argc == 3 && !wcscmp(argv[1], L"versions"))
    {
        mount_as_versions(argv[2]);
        return 0;
    }
    if (argc == 5 && !wcscmp(argv[1], L"mount"))
        hr = each(number(argv[3]), number(argv[4]), mount_one, argv[2]);
    else if (argc == 4 && !wcscmp(argv[1], L"dismount"))
        hr = each(number(argv[2]), number(argv[3]), dismount_one, NULL);
    else if (argc == 4 && !wcscmp(argv[1], L"present"))
        hr = each(number(argv[2]), number(argv[3]), find_one, NULL);
    else if (argc == 4 && !wcscmp(argv[1], L"absent"))
        hr = each(number(argv[2]), number(argv[3]), miss_one, NULL);
    else if (argc == 5 && !wcscmp(argv[1], L"ask"))
        hr = each(number(argv[3]), number(argv[4]), mount_and_ask, argv[2]);
    else if (argc == 5 && !wcscmp(argv[1], L"time"))
        hr = each(number(argv[3]), number(argv[4]), time_one, argv[2]);
    return hr & 0xff;
}

int wmain(int argc, WCHAR **argv)
{
    const WCHAR *dir = argv[2];
    bool all = argc == 3 && !wcscmp(argv[1], L"all");
    bool few = argc == 3 && !wcscmp(argv[1], L"few");

    if (!all && !few) return verb_of(argc, argv);
    make_image(dir, L"a.cim");
    test_letters(dir);
    test_many(dir);
    if (few) return tap_done();
    test_bad_arguments(dir);
    test_missing(dir);
    test_names(dir);
    test_environment(dir);
    test_without_exports(dir);
    test_without_manager(dir);
    return tap_done();
}
