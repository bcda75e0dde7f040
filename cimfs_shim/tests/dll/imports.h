/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imports.h - a test's own functions where cimfs.dll calls the system's or the C library's
 */
#ifndef CIM_IMPORTS_H
#define CIM_IMPORTS_H

#include "dlltest.h"

static bool set_import(IMAGE_THUNK_DATA *thunk, void *function)
{
    DWORD old;

    if (!VirtualProtect(thunk, sizeof(*thunk), PAGE_READWRITE, &old)) return false;
    thunk->u1.Function = (ULONG_PTR)function;
    return VirtualProtect(thunk, sizeof(*thunk), old, &old) != 0;
}

/* Have cimfs.dll call @function for what it imports as @name: its import table is changed. Answers
 * what it called before; NULL: it imports nothing of that name. */
static void *divert(const char *import_name, void *function)
{
    BYTE *base = (BYTE *)GetModuleHandleW(L"cimfs.dll");
    IMAGE_NT_HEADERS *nt = (void *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
    IMAGE_IMPORT_DESCRIPTOR *dll =
            (void *)(base +
                     nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress);

    for (; dll->Name; dll++)
    {
        IMAGE_THUNK_DATA *name = (void *)(base + dll->OriginalFirstThunk);
        IMAGE_THUNK_DATA *thunk = (void *)(base + dll->FirstThunk);

        for (; name->u1.AddressOfData; name++, thunk++)
        {
            IMAGE_IMPORT_BY_NAME *import = (void *)(base + name->u1.AddressOfData);
            void *before = (void *)(ULONG_PTR)thunk->u1.Function;

            if (!IMAGE_SNAP_BY_ORDINAL(name->u1.Ordinal) &&
                !strcmp((char *)import->Name, import_name))
                return set_import(thunk, function) ? before : NULL;
        }
    }
    return NULL;
}

#endif
