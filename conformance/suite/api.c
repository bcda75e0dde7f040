/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * api.c - loading the DLL under test, and what kind of place this is
 *
 * Every export is looked up by GetProcAddress. In the place of one that is missing stands a
 * function that ends the case as skipped, so that a case needs no test before each call and a DLL
 * of any age can be judged. (It doesn't return, so the caller's stack doesn't matter to it.)
 */
#include "internal.h"

struct cim_api cim;
struct suite_facts facts;

#define X(result, name, arguments, bytes)                                                          \
    static void missing_##name(void)                                                               \
    {                                                                                              \
        send_skip("the DLL has no Cim" #name);                                                     \
        leave_case();                                                                              \
    }
CIM_EXPORTS(X)
#undef X

struct export_entry export_table[] = {
#define X(result, name, arguments, bytes) {"Cim" #name, false, bytes},
        CIM_EXPORTS(X)
#undef X
};
const int export_count = ARRAY_SIZE(export_table);

bool has_export(const char *name)
{
    return GetProcAddress(facts.dll, name) != NULL;
}

FARPROC raw_export(const char *name)
{
    FARPROC function = GetProcAddress(facts.dll, name);

    if (!function) skip_case("the DLL has no %s", name);
    return function;
}

static FARPROC resolve(int index, void (*missing)(void))
{
    FARPROC function = GetProcAddress(facts.dll, export_table[index].name);

    export_table[index].present = function != NULL;
    return function ? function : (FARPROC)(void *)missing;
}

/* Ours says so in its version resource. */
static bool is_ours(const WCHAR *path)
{
    DWORD handle, size = GetFileVersionInfoSizeW(path, &handle);
    void *info = size ? malloc(size) : NULL;
    WCHAR *product;
    UINT length;
    bool ours = false;

    if (info && GetFileVersionInfoW(path, 0, size, info) &&
        VerQueryValueW(info, L"\\StringFileInfo\\040904B0\\ProductName", (void **)&product,
                       &length))
        ours = !wcscmp(product, L"cimfs_shim");
    free(info);
    return ours;
}

/* What the loader's usual errors mean for this program's user. */
static const char *load_error(DWORD error)
{
    switch (error)
    {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_MOD_NOT_FOUND:
        return "it, or a DLL that it needs, isn't there";
    case ERROR_BAD_EXE_FORMAT:
        return sizeof(void *) == 8 ? "it is no DLL for 64 bits" : "it is no DLL for 32 bits";
    case ERROR_DLL_INIT_FAILED:
        return "it refused to start";
    default:
        return "it is no DLL, or can't be read";
    }
}

const char *load_dll(void)
{
    static char text[600];
    int index = 0;

    if (options.dll)
        facts.dll = LoadLibraryExW(options.dll, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    else
        facts.dll = LoadLibraryExW(L"cimfs.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!facts.dll)
    {
        DWORD error = GetLastError();

        snprintf(text, sizeof(text), "can't load %s: error %lu, %s",
                 options.dll ? narrow(options.dll) : "the system's cimfs.dll", error,
                 load_error(error));
        return text;
    }
    GetModuleFileNameW(facts.dll, facts.dll_path, ARRAY_SIZE(facts.dll_path));
    facts.ours = is_ours(facts.dll_path);
#define X(result, name, arguments, bytes) cim.name = (void *)resolve(index++, missing_##name);
    CIM_EXPORTS(X)
#undef X
    return NULL;
}

/* Wine lets everybody do what administrators may, whatever its tokens say (from 10 on: that nobody
 * is elevated). */
static bool is_elevated(void)
{
    TOKEN_ELEVATION elevation;
    HANDLE token;
    DWORD size;
    bool result = false;

    if (facts.wine) return true;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return false;
    if (GetTokenInformation(token, TokenElevation, &elevation, sizeof(elevation), &size))
        result = elevation.TokenIsElevated != 0;
    CloseHandle(token);
    return result;
}

static void find_wine(void)
{
    const char *(CDECL * get_version)(void);
    unsigned major, minor;

    get_version = (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version");
    facts.wine = get_version != NULL;
    if (!get_version) return;
    facts.wine_version =
            sscanf(get_version(), "%u.%u", &major, &minor) == 2 ? WINE_VERSION(major, minor) : ~0u;
}

void system_facts(void)
{
    find_wine();
    facts.elevated = is_elevated();
    facts.no_mount = options.no_mount;
    facts.export_to = options.export_to;
    facts.import_from = options.import_from;
}
