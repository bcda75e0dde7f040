/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.c - mounting for cases
 *
 * A volume outlives its process, so the parent is told of each mount: after a crash the next worker
 * dismounts what is left.
 */
#include "internal.h"
#include "kit.h"

static GUID mounts[64];
static bool used[64];

static const char *guid_text(const GUID *guid)
{
    static char text[40];

    sprintf(text, "{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}", (unsigned long)guid->Data1,
            guid->Data2, guid->Data3, guid->Data4[0], guid->Data4[1], guid->Data4[2],
            guid->Data4[3], guid->Data4[4], guid->Data4[5], guid->Data4[6], guid->Data4[7]);
    return text;
}

bool parse_guid(const WCHAR *text, GUID *guid)
{
    unsigned a, b, c, d[8];
    int i;

    if (swscanf(text, L"{%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x}", &a, &b, &c, d, d + 1, d + 2,
                d + 3, d + 4, d + 5, d + 6, d + 7) != 11)
        return false;
    guid->Data1 = a;
    guid->Data2 = (WORD)b;
    guid->Data3 = (WORD)c;
    for (i = 0; i < 8; i++) guid->Data4[i] = (BYTE)d[i];
    return true;
}

/* A version 4 UUID; process, clock and count make it unique enough for volumes of a test. */
void new_guid(GUID *guid)
{
    static unsigned count;
    LARGE_INTEGER now;
    uint64_t seed[3];

    QueryPerformanceCounter(&now);
    seed[0] = now.QuadPart ^ ((uint64_t)GetCurrentProcessId() << 32);
    seed[1] = GetTickCount64();
    seed[2] = ++count;
    fill_bytes(guid, sizeof(*guid), fnv32(seed, sizeof(seed)));
    guid->Data1 ^= (DWORD)now.QuadPart;
    guid->Data2 ^= (WORD)(GetCurrentProcessId() >> 2);
    guid->Data3 = (guid->Data3 & 0x0fff) | 0x4000;
    guid->Data4[0] = (guid->Data4[0] & 0x3f) | 0x80;
}

const WCHAR *volume_root(const GUID *guid)
{
    return format_wide(L"\\\\?\\Volume%hs\\", guid_text(guid));
}

void track_mount(const GUID *guid)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(used) && used[i]; i++)
    {
    }
    if (i == ARRAY_SIZE(used)) return;
    used[i] = true;
    mounts[i] = *guid;
    send_line("mounted\t%s", guid_text(guid));
}

void untrack_mount(const GUID *guid)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(used); i++)
    {
        if (!used[i] || memcmp(&mounts[i], guid, sizeof(*guid))) continue;
        used[i] = false;
        send_line("dismounted\t%s", guid_text(guid));
    }
}

HRESULT try_mount_image(const WCHAR *dir, const WCHAR *image, const WCHAR **volume)
{
    HRESULT hr;
    GUID guid;

    new_guid(&guid);
    track_mount(&guid);
    hr = cim.MountImage(dir, image, CIM_MOUNT_IMAGE_NONE, &guid);
    if (FAILED(hr))
        untrack_mount(&guid);
    else
        *volume = _wcsdup(volume_root(&guid));
    return hr;
}

const WCHAR *mount_image(const WCHAR *dir, const WCHAR *image)
{
    const WCHAR *volume = NULL;

    need_hr("CimMountImage", try_mount_image(dir, image, &volume));
    return volume;
}

void dismount(const WCHAR *root)
{
    GUID guid;

    need(parse_guid(root + wcslen(L"\\\\?\\Volume"), &guid), "no volume's root");
    need_hr("CimDismountImage", cim.DismountImage(&guid));
    need(GetFileAttributesW(root) == INVALID_FILE_ATTRIBUTES, "the volume is still there");
    untrack_mount(&guid);
}

void mounts_end(void)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(used); i++)
    {
        if (!used[i]) continue;
        cim.DismountImage(&mounts[i]);
        untrack_mount(&mounts[i]);
    }
}
