/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * letter.c - a drive letter for a mounted volume
 *
 * Wine tells a volume's name, serial number and file system only for what a drive letter leads to,
 * and some programs (those of Go 1.22) can't even list a directory without. So a mounted volume
 * gets a letter, through Wine's mount manager: M: then leads to the link DOSDEVICES/volume{GUID},
 * whose name tells to whom the letter belongs. That needs no record of our own, and a letter whose
 * volume is gone (a reboot, a killed server, a dismount without Wine) is known as such: the next
 * mount takes it away.
 *
 * There are more volumes than letters. Those from Y down to H are given away; the last one to come
 * goes without, for which a mount never fails. CIMFS_MOUNT_LETTER=none gives none, =X that one.
 *
 * Each Wine process keeps what it has read of the letters for the rest of that second, so one that
 * has just started may not see a new letter's effect for as long. Nearly no program minds, so only
 * CIMFS_MOUNT_LETTER_WAIT=1 has a mount wait for it.
 */
#include "dll.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <winioctl.h>

/* Wine's own part of the mount manager's interface; strings follow, at the offsets named. */
struct unix_drive
{
    ULONG size;
    ULONG type; /* DRIVE_* */
    ULONG fs_type;
    DWORD serial;
    ULONGLONG unix_dev;
    WCHAR letter;
    USHORT mount_point_offset;
    USHORT device_offset;
    USHORT label_offset;
};

struct drive_buffer
{
    struct unix_drive drive;
    char text[8192];
};

#define MOUNT_MANAGER 'm'
#define DEFINE_UNIX_DRIVE                                                                          \
    CTL_CODE(MOUNT_MANAGER, 32, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)
#define QUERY_UNIX_DRIVE CTL_CODE(MOUNT_MANAGER, 33, METHOD_BUFFERED, FILE_READ_ACCESS)

#define FIRST_LETTER 'Y'
#define LAST_LETTER 'H'
/* How long a process may go on not seeing a new letter: Wine reads them once a second. */
#define VISIBLE_MS 1100
#define LOCK_MS 10000

/* The mount manager, and a lock that keeps other processes of the prefix from the letters. */
struct letters
{
    HANDLE manager;
    HANDLE mutex;
};

static bool letters_open(struct letters *letters)
{
    DWORD got;

    letters->mutex = CreateMutexW(NULL, FALSE, L"Global\\cimfs_shim drive letters");
    if (!letters->mutex) return false;
    got = WaitForSingleObject(letters->mutex, LOCK_MS);
    if (got != WAIT_OBJECT_0 && got != WAIT_ABANDONED) goto close_mutex;
    letters->manager =
            CreateFileW(L"\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE,
                        FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (letters->manager != INVALID_HANDLE_VALUE) return true;
    ReleaseMutex(letters->mutex);
close_mutex:
    CloseHandle(letters->mutex);
    return false;
}

static void letters_close(struct letters *letters)
{
    CloseHandle(letters->manager);
    ReleaseMutex(letters->mutex);
    CloseHandle(letters->mutex);
}

/* Where a letter leads to, on the Unix side; NULL: the mount manager has no such letter. */
static const char *letter_target(const struct letters *letters, WCHAR letter,
                                 struct drive_buffer *buffer)
{
    struct unix_drive query = {.size = sizeof(query), .letter = letter};
    const char *target;
    DWORD got;

    if (!DeviceIoControl(letters->manager, QUERY_UNIX_DRIVE, &query, sizeof(query), buffer,
                         sizeof(*buffer) - 1, &got, NULL) ||
        got < sizeof(buffer->drive))
        return NULL;
    ((char *)buffer)[got] = 0;
    if (!buffer->drive.mount_point_offset || buffer->drive.mount_point_offset >= got) return "";
    target = (const char *)buffer + buffer->drive.mount_point_offset;
    return target;
}

/* The GUID in a target DOSDEVICES/volume{GUID}, 36 characters and what follows; NULL if it is
 * something else, of another prefix or not of ours at all. */
static const char *guid_of(const char *target, const char *dosdevices)
{
    size_t dir_len = strlen(dosdevices);
    char text[CIM_GUID_TEXT];
    struct cim_guid guid;

    if (strncmp(target, dosdevices, dir_len) || strncmp(target + dir_len, "/volume{", 8))
        return NULL;
    target += dir_len + 8;
    if (strlen(target) != CIM_GUID_TEXT || target[CIM_GUID_TEXT - 1] != '}') return NULL;
    memcpy(text, target, CIM_GUID_TEXT - 1);
    text[CIM_GUID_TEXT - 1] = 0;
    return cim_guid_parse(text, &guid) ? target : NULL;
}

/* Is there a volume (which there isn't once it was dismounted or its server ended)? */
static bool volume_exists(const char *guid)
{
    WCHAR path[64];

    _snwprintf(path, ARRAYSIZE(path), L"\\\\?\\Volume{%.36hs}\\", guid);
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

static DWORD bit_of(WCHAR letter)
{
    return 1u << (letter - 'A');
}

/* @taken: the bits of letters that were taken away just now, which this process may still see. */
static bool is_free(const struct letters *letters, WCHAR letter, DWORD taken,
                    struct drive_buffer *buffer)
{
    const WCHAR root[] = {letter, ':', '\\', 0};

    if (taken & bit_of(letter)) return true;
    if (letter_target(letters, letter, buffer) || GetLogicalDrives() & bit_of(letter)) return false;
    /* a link that somebody made by hand */
    return GetFileAttributesW(root) == INVALID_FILE_ATTRIBUTES;
}

static bool define_letter(const struct letters *letters, WCHAR letter, const char *target)
{
    struct drive_buffer *buffer;
    size_t len = target ? strlen(target) + 1 : 0;
    bool done;
    DWORD got;

    if (len > sizeof(buffer->text)) return false;
    buffer = calloc(1, sizeof(*buffer));
    if (!buffer) return false;
    buffer->drive.size = (ULONG)(offsetof(struct drive_buffer, text) + len);
    buffer->drive.type = target ? DRIVE_FIXED : DRIVE_NO_ROOT_DIR;
    buffer->drive.letter = letter;
    if (target)
    {
        buffer->drive.mount_point_offset = offsetof(struct drive_buffer, text);
        memcpy(buffer->text, target, len);
    }
    done = DeviceIoControl(letters->manager, DEFINE_UNIX_DRIVE, buffer, buffer->drive.size, NULL, 0,
                           &got, NULL);
    free(buffer);
    return done;
}

/* Take away a volume's letters, also those it should not have, and those of volumes that are gone.
 * Returns their bits. */
static DWORD undefine(const struct letters *letters, const char *dosdevices, const char *guid,
                      struct drive_buffer *buffer)
{
    DWORD taken = 0;
    WCHAR letter;

    for (letter = 'A'; letter <= 'Z'; letter++)
    {
        const char *target = letter_target(letters, letter, buffer);
        const char *found = target ? guid_of(target, dosdevices) : NULL;

        if (!found || (memcmp(found, guid, CIM_GUID_TEXT - 1) && volume_exists(found))) continue;
        if (define_letter(letters, letter, NULL)) taken |= bit_of(letter);
    }
    return taken;
}

/* What CIMFS_MOUNT_LETTER says: a range of letters to try; empty for none. */
static void wanted_letters(WCHAR *first, WCHAR *last)
{
    WCHAR *value = get_environment(L"CIMFS_MOUNT_LETTER");
    WCHAR letter = value ? value[0] & ~0x20 : 0;

    *first = FIRST_LETTER;
    *last = LAST_LETTER;
    if (!value || !_wcsicmp(value, L"auto")) goto free_value;
    if (letter >= 'A' && letter <= 'Z' && (!value[1] || !wcscmp(value + 1, L":")))
    {
        *first = *last = letter;
        goto free_value;
    }
    *last = FIRST_LETTER + 1;
    if (_wcsicmp(value, L"none"))
        trace_note("CIMFS_MOUNT_LETTER is neither auto, none nor a letter: volumes get none");
free_value:
    free(value);
}

static bool wants_to_wait(void)
{
    WCHAR *value = get_environment(L"CIMFS_MOUNT_LETTER_WAIT");
    bool wants = value && !wcscmp(value, L"1");

    free(value);
    return wants;
}

/* If it is wanted, wait until this process sees what the letter does for the volume: by its serial
 * number, for a volume that is a copy belongs to another drive as well. */
static void wait_until_visible(const char *guid, DWORD serial)
{
    ULONGLONG end = wants_to_wait() ? GetTickCount64() + VISIBLE_MS : 0;
    WCHAR path[64];
    DWORD seen;

    _snwprintf(path, ARRAYSIZE(path), L"\\\\?\\Volume{%hs}\\", guid);
    while (GetTickCount64() < end &&
           (!GetVolumeInformationW(path, NULL, 0, &seen, NULL, NULL, NULL, 0) || seen != serial))
        Sleep(10);
}

WCHAR letter_give(const char *dosdevices, const char *guid)
{
    struct drive_buffer *buffer;
    struct letters letters;
    char target[4096 + 64];
    WCHAR letter, last;
    DWORD serial = 0, taken;
    bool none;

    wanted_letters(&letter, &last);
    none = letter < last;
    snprintf(target, sizeof(target), "%s/volume{%s}", dosdevices, guid);
    buffer = malloc(sizeof(*buffer));
    if (!buffer || !letters_open(&letters))
    {
        if (!none) trace_note("the volume {%s} has no drive letter: no mount manager", guid);
        free(buffer);
        return 0;
    }
    taken = undefine(&letters, dosdevices, guid, buffer);
    while (letter >= last &&
           !(is_free(&letters, letter, taken, buffer) && define_letter(&letters, letter, target)))
        letter--;
    if (letter >= last && letter_target(&letters, letter, buffer)) serial = buffer->drive.serial;
    letters_close(&letters);
    free(buffer);
    if (letter < last)
    {
        if (!none) trace_note("the volume {%s} has no drive letter: none is free", guid);
        return 0;
    }
    wait_until_visible(guid, serial);
    return letter;
}

void letter_take(const char *dosdevices, const char *guid)
{
    struct drive_buffer *buffer = malloc(sizeof(*buffer));
    struct letters letters;

    if (buffer && letters_open(&letters))
    {
        undefine(&letters, dosdevices, guid, buffer);
        letters_close(&letters);
    }
    free(buffer);
}
