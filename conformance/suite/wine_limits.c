/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wine_limits.c - the closed list of what can't hold under Wine whatever the DLL does
 *
 * Wine's own file layer stands between a mounted volume and the program. A case named here is
 * required on Windows; under Wine it runs, is counted as a limit if it fails, and as a failure if
 * it passes: then the entry has to go. Nothing else excuses a required case. The facts are those of
 * Wine 8.0, measured without any DLL of ours (README, "Limits of Wine").
 */
#include "internal.h"

static const struct
{
    const char *id;
    const char *reason;
} limits[] = {
        {"Volume/CreationTime", "Wine shows the time of the last write as the creation time"},
        {"Volume/NoArchive", "Wine shows every file with FILE_ATTRIBUTE_ARCHIVE"},
        {"Volume/NoAttributes", "Wine shows every file with FILE_ATTRIBUTE_ARCHIVE"},
        {"Volume/DirectoryArchive", "Wine shows no directory with FILE_ATTRIBUTE_ARCHIVE"},
        {"Volume/SparseBit", "Wine shows no file with FILE_ATTRIBUTE_SPARSE_FILE"},
        {"Volume/SecurityDescriptor", "Wine makes descriptors up from the Unix owner and mode"},
        {"Volume/NoSecurityDescriptor", "Wine makes descriptors up from the Unix owner and mode"},
        {"Volume/ReparseData", "Wine answers ERROR_NOT_A_REPARSE_POINT for every file"},
        {"Volume/ReparseAttribute", "Wine follows symbolic links, and knows no reparse tags"},
        {"Volume/ExtendedAttributes", "Wine says that no file has extended attributes"},
        {"Volume/StreamsListed", "Wine lists no streams: ERROR_HANDLE_EOF for every file"},
        {"Volume/DeleteFileFails", "Wine deletes at the close, and drops the error"},
        {"Volume/RemoveDirectoryFails", "Wine deletes at the close, and drops the error"},
};

const char *wine_limit(const char *id)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(limits); i++)
        if (!strcmp(limits[i].id, id)) return limits[i].reason;
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
