/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c - host paths from Windows' UTF-16 to the WTF-8 that libcim takes
 *
 * WTF-8 keeps unpaired surrogates, so the conversion loses nothing and os/win32.c gets back
 * exactly the name that the caller gave.
 */
#include "dll.h"

#include <stdlib.h>

char *wtf8_from_wide(PCWSTR text)
{
    size_t units = wcslen(text);
    size_t size = cim_utf8_from_utf16(text, units, NULL, 0) + 1;
    char *result = malloc(size);

    if (result) cim_utf8_from_utf16(text, units, result, size);
    return result;
}
