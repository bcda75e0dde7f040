/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - the DLL's coming and going
 *
 * Nothing needs to be set up. When a program unloads the DLL with sessions open they are closed as
 * if it had done so, so that their files go and their directories can be written again. At the end
 * of a process the system does that; other threads were stopped in the middle of anything then, so
 * nothing may be touched.
 */
#include "dll.h"

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID at_exit)
{
    switch (reason)
    {
    case DLL_PROCESS_ATTACH:
        DisableThreadLibraryCalls(instance);
        break;
    case DLL_PROCESS_DETACH:
        if (at_exit) break;
        handle_close_all();
        trace_close();
        break;
    }
    return TRUE;
}
