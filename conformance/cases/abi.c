/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * abi.c - the DLL as a binary: exports, return registers, the stack
 *
 * Clients written in Go and PowerShell read the whole return register, of functions too that return
 * nothing; so a register's upper half, and the register after CimCloseStream, are part of what a
 * DLL has to get right though no header says so.
 */
#include "containers.h"

/* Each function as one that returns a whole register. */
#define X(result, name, arguments, bytes) typedef ULONG_PTR(WINAPI *raw_##name) arguments;
CIM_EXPORTS(X)
#undef X

#define RAW(name) ((raw_##name)(void *)raw_export("Cim" #name))
#define FAILURE(hr) ((ULONG_PTR)(ULONG)(hr))

/* ---- exports ----------------------------------------------------------------------------------
 */

CASE(exports_documented, "Export/Documented", DOC, "cimfs.h pages", 0,
     "the eleven documented functions are exported by their plain names")
{
    static const char *const names[] = {"CimCreateImage",
                                        "CimCloseImage",
                                        "CimCommitImage",
                                        "CimCreateFile",
                                        "CimCreateAlternateStream",
                                        "CimCreateHardLink",
                                        "CimWriteStream",
                                        "CimCloseStream",
                                        "CimDeletePath",
                                        "CimMountImage",
                                        "CimDismountImage"};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(names); i++) check_bool(names[i], has_export(names[i]), true);
}

CASE(exports_header, "Export/FromWindows11", HEADER, "generations B and C", 0,
     "a DLL with CimReadFile has the function that the header guards alike, too")
{
    raw_export("CimReadFile");
    check_bool("CimGetFileStatBasicInformation", has_export("CimGetFileStatBasicInformation"),
               true);
    see_bool("CimCreateImage2", has_export("CimCreateImage2"));
}

CASE(exports_all, "Export/AllOfOurs", DECISION, "evidence.md 10.16", 0,
     "every function that a public client imports is exported, implemented or not")
{
#define X(result, name, arguments, bytes) check_bool("Cim" #name, has_export("Cim" #name), true);
    CIM_EXPORTS(X)
#undef X
}

CASE(exports_which, "Export/Which", QUESTION, "Q-60", 0,
     "which functions this build exports, by name and ordinal, known or not")
{
    const BYTE *base = (const BYTE *)facts.dll;
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)base;
    const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)(base + dos->e_lfanew);
    const IMAGE_DATA_DIRECTORY *entry =
            &nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT];
    const IMAGE_EXPORT_DIRECTORY *exports;
    const DWORD *names;
    const WORD *ordinals;
    DWORD i;

    need(entry->Size != 0, "the DLL exports nothing");
    exports = (const IMAGE_EXPORT_DIRECTORY *)(base + entry->VirtualAddress);
    names = (const DWORD *)(base + exports->AddressOfNames);
    ordinals = (const WORD *)(base + exports->AddressOfNameOrdinals);
    for (i = 0; i < exports->NumberOfNames && i < 200; i++)
        see_number((const char *)base + names[i], exports->Base + ordinals[i]);
    see_number("functions without a name", exports->NumberOfFunctions - exports->NumberOfNames);
}

/* ---- registers --------------------------------------------------------------------------------
 */

/* A client written in Go takes a negative low half for an error, whatever the function. */
static bool reads_as_success(ULONG_PTR value)
{
    return (INT32)value >= 0;
}

CASE(registers_go, "Abi/ClientsReadNoError", CLIENT, "hcsshim winapi", 0,
     "after each call of a session, CimCloseStream and CimCloseImage too, the low half of the "
     "register is not negative")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;

    check_bool("CimCreateImage",
               reads_as_success(RAW(CreateImage)(case_dir(), NULL, L"a.cim", &image)), true);
    track_image(image);
    check_bool("CimCreateFile", reads_as_success(RAW(CreateFile)(image, L"f", meta(0, 4), &stream)),
               true);
    check_bool("CimWriteStream", reads_as_success(RAW(WriteStream)(stream, "text", 4)), true);
    check_bool("CimCloseStream", reads_as_success(RAW(CloseStream)(stream)), true);
    check_bool("CimCreateAlternateStream",
               reads_as_success(RAW(CreateAlternateStream)(image, L"f:s", 0, &stream)), true);
    check_bool("CimCloseStream, alternate", reads_as_success(RAW(CloseStream)(stream)), true);
    check_bool("CimCreateHardLink", reads_as_success(RAW(CreateHardLink)(image, L"g", L"f")), true);
    check_bool("CimDeletePath", reads_as_success(RAW(DeletePath)(image, L"g")), true);
    check_bool("CimCommitImage", reads_as_success(RAW(CommitImage)(image)), true);
    untrack_image(image);
    check_bool("CimCloseImage", reads_as_success(RAW(CloseImage)(image)), true);
}

CASE(registers_session, "Abi/RegistersOfASession", DECISION, "D34", 0,
     "each call of a session leaves 0 in the whole return register on success")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    CIMFS_STREAM_HANDLE stream = NULL;

    check_hex("CimCreateImage", RAW(CreateImage)(case_dir(), NULL, L"a.cim", &image), 0);
    track_image(image);
    check_hex("CimCreateFile", RAW(CreateFile)(image, L"f", meta(0, 4), &stream), 0);
    check_hex("CimWriteStream", RAW(WriteStream)(stream, "text", 4), 0);
    check_hex("CimCloseStream", RAW(CloseStream)(stream), 0);
    check_hex("CimCreateAlternateStream", RAW(CreateAlternateStream)(image, L"f:s", 4, &stream), 0);
    check_hex("CimCloseStream, alternate, unwritten", RAW(CloseStream)(stream), 0);
    check_hex("CimCreateFile, directory",
              RAW(CreateFile)(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY, 0), &stream), 0);
    check_hex("CimCloseStream, directory", RAW(CloseStream)(stream), 0);
    check_hex("CimCreateHardLink", RAW(CreateHardLink)(image, L"g", L"f"), 0);
    check_hex("CimDeletePath", RAW(DeletePath)(image, L"g"), 0);
    check_hex("CimCommitImage", RAW(CommitImage)(image), 0);
    untrack_image(image);
    check_hex("CimCloseImage", RAW(CloseImage)(image), 0);
}

FRESH_CASE(register_close, "Abi/RegisterAfterDiscard", DECISION, "D34", 0,
           "CimCloseImage leaves no negative number in the low half, without a commit too")
{
    untrack_image(image);
    check_bool("not negative", (INT32)RAW(CloseImage)(image) >= 0, true);
}

FRESH_CASE(register_decided, "Abi/RegistersOfVoids", DECISION, "D34", MAY_BREAK_DLL,
           "the two void functions leave 0 in the whole register, also for NULL and closed handles")
{
    CIMFS_STREAM_HANDLE stream;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    check_hex("CimCloseStream, half written", RAW(CloseStream)(stream), 0);
    check_hex("CimCloseStream, again", RAW(CloseStream)(stream), 0);
    check_hex("CimCloseStream, NULL", RAW(CloseStream)(NULL), 0);
    untrack_image(image);
    check_hex("CimCloseImage", RAW(CloseImage)(image), 0);
    check_hex("CimCloseImage, again", RAW(CloseImage)(image), 0);
    check_hex("CimCloseImage, NULL", RAW(CloseImage)(NULL), 0);
}

FRESH_CASE(register_question, "Abi/RegistersOfVoidsWhat", QUESTION, "Q-17", 0,
           "what is in the register after the two void functions")
{
    CIMFS_STREAM_HANDLE stream;
    ULONG_PTR value;

    need_hr("CimCreateFile", cim.CreateFile(image, L"f", meta(0, 4), &stream));
    value = RAW(CloseStream)(stream);
    see_text("CimCloseStream", value ? (INT32)value < 0 ? "negative" : "positive" : "0");
    untrack_image(image);
    value = RAW(CloseImage)(image);
    see_text("CimCloseImage", value ? (INT32)value < 0 ? "negative" : "positive" : "0");
}

CASE(registers_reading, "Abi/RegistersOfReading", DECISION, "D34", 0,
     "reading without a mount leaves 0 in the whole register on success")
{
    FILE_STAT_BASIC_INFORMATION info;
    UINT64 got, left;
    char buffer[8];
    const WCHAR *image = join(case_dir(), L"base.cim");

    make_base(case_dir());
    check_hex("CimGetFileStatBasicInformation",
              RAW(GetFileStatBasicInformation)(image, L"file.txt", &info), 0);
    check_hex("CimReadFile", RAW(ReadFile)(image, L"file.txt", 0, buffer, 8, &got, &left), 0);
}

CASE(registers_mounting, "Abi/RegistersOfMounting", DECISION, "D34", NEEDS_MOUNT,
     "mounting and dismounting leave 0 in the whole register on success")
{
    GUID guid;

    make_base(case_dir());
    new_guid(&guid);
    track_mount(&guid);
    check_hex("CimMountImage",
              RAW(MountImage)(case_dir(), L"base.cim", CIM_MOUNT_IMAGE_NONE, &guid), 0);
    if (check_hex("CimDismountImage", RAW(DismountImage)(&guid), 0)) untrack_mount(&guid);
}

/* A session with sources, then all that is said of its container and done with it. */
CASE(registers_containers, "Abi/RegistersOfContainers", DECISION, "D34", NEEDS_MOUNT,
     "the functions about containers, layers and seals leave 0 in the whole register on success")
{
    const WCHAR *path = place(L"m.bcim"), *source = place(L"s.bcim"), *dir = new_dir(L"d");
    const CimFsImagePath images[] = {{path, L"m.cim"}, {source, L"s.cim"}};
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_IMAGE_HANDLE image = NULL;
    UINT64 a, b, c;
    UINT32 sealed;
    BYTE hash[32], text[8];
    GUID guid;

    make_base(dir);
    make_in(source, IN_FILE | CIM_CREATE_VERIFIED, L"s.cim");
    check_hex("CimSealImage", RAW(SealImage)(source, &a, &b, hash), 0);
    check_hex("CimCreateImage2",
              RAW(CreateImage2)(path, IN_FILE | CIM_CREATE_VERIFIED, NULL, L"m.cim", &image), 0);
    track_image(image);
    check_hex("CimAddFsToMergedImage2", RAW(AddFsToMergedImage2)(image, join(source, L"s.cim"), 5),
              0);
    check_hex("CimTombstoneFile", RAW(TombstoneFile)(image, L"t"), 0);
    check_hex("CimCreateMergeLink", RAW(CreateMergeLink)(image, L"l", L"foobar.txt"), 0);
    commit_and_close(image);
    seal_container(path, hash);
    check_hex("CimGetVerificationInformation",
              RAW(GetVerificationInformation)(path, &sealed, &a, &b, &c, hash, NULL), 0);
    check_hex("CimReadFile2",
              RAW(ReadFile2)(join(source, L"s.cim"), L"foobar.txt", 0, text, 8, &a, &b, 1), 0);
    check_hex("CimGetFileStatBasicInformation2",
              RAW(GetFileStatBasicInformation2)(join(source, L"s.cim"), L"foo", &info, 1), 0);
    new_guid(&guid);
    track_mount(&guid);
    check_hex("CimMergeMountImage", RAW(MergeMountImage)(2, images, 0x20, &guid), 0);
    dismount(volume_root(&guid));
    track_mount(&guid);
    check_hex("CimMergeMountVerifiedImage",
              RAW(MergeMountVerifiedImage)(2, images, 0x20, &guid, 32, hash), 0);
    dismount(volume_root(&guid));
    seal_container(source, hash);
    track_mount(&guid);
    check_hex("CimMountVerifiedImage",
              RAW(MountVerifiedImage)(source, L"s.cim", 0x20, &guid, 32, hash), 0);
    image = open_image(dir, NULL, L"v1.cim");
    check_hex("CimAddFsToMergedImage", RAW(AddFsToMergedImage)(image, join(dir, L"base.cim")), 0);
    close_image(image);
    check_hex("CimConvertBlockImage", RAW(ConvertBlockImage)(dir, L"base.cim", place(L"converted")),
              0);
}

CASE(registers_failing, "Abi/RegistersOfFailures", CLIENT, "hcsshim winapi", 0,
     "a failure's low half is the HRESULT: negative, so that a client sees it")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    GUID guid;

    new_guid(&guid);
    check_bool("CimCreateImage",
               (INT32)RAW(CreateImage)(join(case_dir(), L"no"), NULL, L"a.cim", &image) < 0, true);
    check_bool("CimCommitImage", (INT32)RAW(CommitImage)(NULL) < 0, true);
    check_bool("CimDismountImage", (INT32)RAW(DismountImage)(&guid) < 0, true);
    check_bool("CimMountImage",
               (INT32)RAW(MountImage)(case_dir(), L"no", CIM_MOUNT_IMAGE_NONE, &guid) < 0, true);
}

CASE(registers_failing_upper, "Abi/UpperHalfOfFailures", DECISION, "D34", 0,
     "a failure has nothing in the register's upper half")
{
    CIMFS_IMAGE_HANDLE image = NULL;

    check_hex("CimCreateImage", RAW(CreateImage)(join(case_dir(), L"no"), NULL, L"a.cim", &image),
              FAILURE(HR_PATH_NOT_FOUND));
    check_hex("CimCommitImage", RAW(CommitImage)(NULL), FAILURE(E_INVALIDARG));
}

CASE(registers_failing_layers, "Abi/UpperHalfOfContainerFailures", DECISION, "D34", NEEDS_MOUNT,
     "nor has a failure of the functions about containers, layers and seals")
{
    const WCHAR *none = place(L"no.bcim");
    const CimFsImagePath images[] = {{none, L"m.cim"}, {none, L"s.cim"}};
    FILE_STAT_BASIC_INFORMATION info;
    CIMFS_IMAGE_HANDLE image = NULL;
    UINT64 a, b, c;
    UINT32 sealed;
    BYTE bytes[32] = {0};
    GUID guid;

    new_guid(&guid);
    check_hex("CimCreateImage2", RAW(CreateImage2)(none, IN_FILE | ON_DEVICE, NULL, L"a", &image),
              FAILURE(E_INVALIDARG));
    check_hex("CimAddFsToMergedImage", RAW(AddFsToMergedImage)(NULL, none), FAILURE(E_INVALIDARG));
    check_hex("CimAddFsToMergedImage2", RAW(AddFsToMergedImage2)(NULL, none, 1),
              FAILURE(E_INVALIDARG));
    check_hex("CimTombstoneFile", RAW(TombstoneFile)(NULL, L"t"), FAILURE(E_INVALIDARG));
    check_hex("CimCreateMergeLink", RAW(CreateMergeLink)(NULL, L"l", L"t"), FAILURE(E_INVALIDARG));
    check_hex("CimSealImage", RAW(SealImage)(none, &a, &b, bytes), FAILURE(HR_FILE_NOT_FOUND));
    check_hex("CimGetVerificationInformation",
              RAW(GetVerificationInformation)(none, &sealed, &a, &b, &c, bytes, NULL),
              FAILURE(HR_FILE_NOT_FOUND));
    check_hex("CimReadFile2", RAW(ReadFile2)(images->ImageDir, L"f", 0, bytes, 8, &a, &b, 2),
              FAILURE(E_INVALIDARG));
    check_hex("CimGetFileStatBasicInformation2",
              RAW(GetFileStatBasicInformation2)(none, L"f", &info, 2), FAILURE(E_INVALIDARG));
    check_hex("CimMergeMountImage", RAW(MergeMountImage)(1, images, 0x20, &guid),
              FAILURE(E_INVALIDARG));
    check_hex("CimMountVerifiedImage",
              RAW(MountVerifiedImage)(none, L"m.cim", 0x20, &guid, 31, bytes),
              FAILURE(E_INVALIDARG));
    check_hex("CimMergeMountVerifiedImage",
              RAW(MergeMountVerifiedImage)(2, images, 0x20, &guid, 31, bytes),
              FAILURE(E_INVALIDARG));
    check_hex("CimConvertBlockImage", RAW(ConvertBlockImage)(place(L"no"), L"a.cim", none),
              FAILURE(HR_PATH_NOT_FOUND));
}

CASE(facility, "Abi/Win32Facility", CLIENT, "hcsshim (0x8007xxxx to Win32 codes)", 0,
     "what is not found, exists or is in use is an HRESULT of the Win32 facility")
{
    CIMFS_IMAGE_HANDLE image = NULL;
    HRESULT not_found, exists, in_use;

    make_base(case_dir());
    not_found = cim.CreateImage(case_dir(), L"no.cim", NULL, &image);
    exists = cim.CreateImage(case_dir(), NULL, L"base.cim", &image);
    image = open_image(case_dir(), NULL, L"a.cim");
    in_use = cim.CreateImage(case_dir(), NULL, L"b.cim", &image);
    check_hex("not found", (ULONG)not_found & 0xffff0000, 0x80070000);
    check_hex("exists", (ULONG)exists & 0xffff0000, 0x80070000);
    check_hex("in use", (ULONG)in_use & 0xffff0000, 0x80070000);
}

/* ---- the stack (32 bits) ------------------------------------------------------------------------
 */

#ifdef __i386__
/* How many bytes a function took off the stack; right or wrong, the stack is as it was. */
static unsigned popped(FARPROC function, const UINT32 *words, int count)
{
    UINT32 before, after;

    __asm__ volatile("movl %%esp, %%ebx\n\t"
                     "1:\n\t"
                     "testl %%ecx, %%ecx\n\t"
                     "jz 2f\n\t"
                     "decl %%ecx\n\t"
                     "pushl (%%esi,%%ecx,4)\n\t"
                     "jmp 1b\n"
                     "2:\n\t"
                     "movl %%esp, %%edi\n\t"
                     "call *%%eax\n\t"
                     "movl %%esp, %%edx\n\t"
                     "movl %%ebx, %%esp\n\t"
                     : "=D"(before), "=d"(after), "+a"(function), "+c"(count)
                     : "S"(words)
                     : "ebx", "memory", "cc");
    return after - before;
}
#endif

CASE(stdcall, "Abi/StdcallCleanUp", HEADER, "STDAPI, all generations", 0,
     "on 32 bits each function takes its own arguments off the stack")
{
#ifdef __i386__
    /* NULL everywhere but for paths, which name nothing: all of them fail at once. */
    const UINT32 path = (UINT32)L"Q:\\no\\such", name = (UINT32)L"none";
    BYTE room[256];
    const UINT32 out = (UINT32)room;
    static const struct
    {
        const char *name;
        const char *words; /* p path, n name, o output, 0 zero */
    } rows[] = {
            {"CimCreateImage", "p0no"},
            {"CimCreateImage2", "p00no"},
            {"CimCloseImage", "0"},
            {"CimCommitImage", "0"},
            {"CimCreateFile", "0noo"},
            {"CimCreateAlternateStream", "0n00o"},
            {"CimCreateHardLink", "0nn"},
            {"CimWriteStream", "0o0"},
            {"CimCloseStream", "0"},
            {"CimDeletePath", "0n"},
            {"CimMountImage", "pn0o"},
            {"CimDismountImage", "o"},
            {"CimReadFile", "pn00o00oo"},
            {"CimGetFileStatBasicInformation", "pno"},
            {"CimReadFile2", "pn00o00oo0"},
            {"CimGetFileStatBasicInformation2", "pno0"},
            {"CimConvertBlockImage", "pnp"},
            {"CimLookupFile", "0no"},
            {"CimAddFsToMergedImage", "0p"},
            {"CimAddFsToMergedImage2", "0p0"},
            {"CimCreateMergedFile", "0n000"},
            {"CimTombstoneFile", "0n"},
            {"CimCreateMergeLink", "0nn"},
            {"CimSealImage", "pooo"},
            {"CimGetVerificationInformation", "poooooo"},
            {"CimMergeMountImage", "0o0o"},
            {"CimMountVerifiedImage", "pn0o0o"},
            {"CimMergeMountVerifiedImage", "0o0o0o"},
    };
    size_t i;

    memset(room, 0, sizeof(room));
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        UINT32 words[10];
        int count = 0;
        const char *word;

        if (!has_export(rows[i].name)) continue;
        for (word = rows[i].words; *word; word++)
            words[count++] = *word == 'p' ? path : *word == 'n' ? name : *word == 'o' ? out : 0;
        check_number(rows[i].name, popped(raw_export(rows[i].name), words, count), 4 * count);
    }
#else
    skip_case("on 64 bits the caller cleans up");
#endif
}

/* ---- what isn't implemented --------------------------------------------------------------------
 */

FRESH_CASE(not_supported, "Abi/NotSupportedYet", DECISION, "evidence.md 10.16", 0,
           "the function that isn't implemented answers ERROR_NOT_SUPPORTED")
{
    check_hr("CimCreateMergedFile", cim.CreateMergedFile(image, L"a", NULL, NULL, 1),
             HR_NOT_SUPPORTED);
}
