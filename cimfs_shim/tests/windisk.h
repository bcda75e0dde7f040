/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * windisk.h - a disk of Wine's: a file in its directory of devices is the device of that name
 */
#ifndef CIM_WINDISK_H
#define CIM_WINDISK_H

#include <stdio.h>
#include <wchar.h>
#include <windows.h>

/* The path of the file that is to be made, and the device's name; NULL: this isn't Wine, or it
 * doesn't say where that directory is. The number comes from the process, for two tests may share a
 * prefix. */
static const WCHAR *disk_file(char *device, size_t room)
{
	static WCHAR path[MAX_PATH + 64];
	const unsigned number = 1000 + (unsigned)(GetCurrentProcessId() % 100000) * 8;
	DWORD units = GetEnvironmentVariableW(L"WINECONFIGDIR", path, MAX_PATH);

	if (!units || units >= MAX_PATH || wcsncmp(path, L"\\??\\", 4))
		return NULL;
	path[1] = '\\';
	_snwprintf(path + units, 64, L"\\dosdevices\\physicaldrive%u", number);
	snprintf(device, room, "PhysicalDrive%u", number);
	return path;
}

#endif
