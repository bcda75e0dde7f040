/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wine_limits.c - the closed list of what can't hold under Wine whatever the DLL does
 *
 * Wine's own file layer stands between a mounted volume and the program. A case named here is
 * required on Windows; under a Wine for which the entry holds it runs, is counted as a limit if it
 * fails, and as a failure if it passes: then the entry has to go, or to name the Wine that came
 * beyond it. From that Wine on the case is required. Nothing else excuses a required case. The
 * facts were measured without any DLL of ours, with Wine 8.0, 10.0 and 11.10.
 */
#include "internal.h"

/* In an entry that holds for every Wine so far. */
#define EVERY_WINE 0

static const struct
{
    const char *id;
    unsigned before; /* the first WINE_VERSION() for which it doesn't hold */
    const char *reason;
} limits[] = {
        {"Volume/CreationTime", EVERY_WINE,
         "Wine shows the time of the last write as the creation time"},
        {"Volume/NoArchive", EVERY_WINE, "Wine shows every file with FILE_ATTRIBUTE_ARCHIVE"},
        {"Volume/NoAttributes", EVERY_WINE, "Wine shows every file with FILE_ATTRIBUTE_ARCHIVE"},
        {"Volume/DirectoryArchive", EVERY_WINE,
         "Wine shows no directory with FILE_ATTRIBUTE_ARCHIVE"},
        {"Volume/SparseBit", EVERY_WINE, "Wine shows no file with FILE_ATTRIBUTE_SPARSE_FILE"},
        {"Volume/SecurityDescriptor", EVERY_WINE,
         "Wine makes descriptors up from the Unix owner and mode"},
        {"Volume/NoSecurityDescriptor", EVERY_WINE,
         "Wine makes descriptors up from the Unix owner and mode"},
        {"Volume/ReparseData", WINE_VERSION(10, 19),
         "Wine answers ERROR_NOT_A_REPARSE_POINT for every file"},
        {"Volume/ReparseAttribute", WINE_VERSION(10, 19),
         "Wine follows symbolic links, and knows no reparse tags"},
        {"Volume/ExtendedAttributes", EVERY_WINE, "Wine says that no file has extended attributes"},
        {"Volume/StreamsListed", EVERY_WINE,
         "Wine lists no streams: ERROR_HANDLE_EOF for every file"},
        {"Volume/DeleteFileFails", EVERY_WINE, "Wine deletes at the close, and drops the error"},
        {"Volume/RemoveDirectoryFails", EVERY_WINE,
         "Wine deletes at the close, and drops the error"},
};

const char *wine_limit(const char *id)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(limits); i++)
    {
        if (strcmp(limits[i].id, id)) continue;
        return limits[i].before && facts.wine_version >= limits[i].before ? NULL : limits[i].reason;
    }
    return NULL;
}

/* An entry for a case that isn't there excuses nothing and hides a typing mistake. */
const char *check_limits(void)
{
    struct suite_case **cases = selected_cases();
    size_t i, j;

    for (i = 0; i < ARRAY_SIZE(limits); i++)
    {
        for (j = 0; cases[j] && strcmp(cases[j]->id, limits[i].id); j++)
        {
        }
        if (!cases[j]) return limits[i].id;
    }
    return NULL;
}
