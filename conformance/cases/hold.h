/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.h - a session that another process has, for the cases about whom it keeps out, and a GUID
 * that another process is told
 */
#ifndef CIM_CASES_HOLD_H
#define CIM_CASES_HOLD_H

#include "../suite/suite.h"

/* For a role: says how the opening went; adds a file; waits to be told "commit" or "close". */
static inline int hold_session(HRESULT hr, CIMFS_IMAGE_HANDLE image)
{
    CIMFS_STREAM_HANDLE stream;
    CIMFS_FILE_METADATA metadata = {.FileSize = 5};
    const char *word;

    peer_say_hr(hr);
    if (FAILED(hr)) return 0;
    hr = cim.CreateFile(image, L"peer", &metadata, &stream);
    if (SUCCEEDED(hr))
    {
        hr = cim.WriteStream(stream, "peer!", 5);
        cim.CloseStream(stream);
    }
    peer_say_hr(hr);
    word = role_hear();
    if (word && !strcmp(word, "commit")) peer_say_hr(cim.CommitImage(image));
    if (word) cim.CloseImage(image);
    return 0;
}

/* For a case: such a process, its session begun and the file added. */
static inline struct peer *start_holder(const char *role, const WCHAR *const *args)
{
    struct peer *peer = peer_start(role, args);

    need_hr("the session of another process", peer_hear_hr(peer));
    need_hr("CimCreateFile in another process", peer_hear_hr(peer));
    return peer;
}

/* A GUID as an argument for another process. */
static inline const WCHAR *guid_argument(const GUID *guid)
{
    WCHAR text[33];
    int i;

    for (i = 0; i < 16; i++) _snwprintf(text + 2 * i, 3, L"%02x", ((const BYTE *)guid)[i]);
    text[32] = 0;
    return format_wide(L"%ls", text);
}

static inline void guid_from_argument(const WCHAR *text, GUID *guid)
{
    unsigned value;
    int i;

    for (i = 0; i < 16; i++)
    {
        WCHAR digits[3] = {text[2 * i], text[2 * i + 1], 0};

        value = wcstoul(digits, NULL, 16);
        ((BYTE *)guid)[i] = (BYTE)value;
    }
}

#endif
