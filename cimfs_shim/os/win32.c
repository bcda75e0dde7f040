/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * win32.c - the environment of Windows, and of Wine
 *
 * A directory is held as its full path in the \\?\ form, which has no limit of 260 characters and
 * in which names mean themselves ("con", trailing dots). Only where a session's lock of decision
 * D36 is wanted is a handle kept open as well: the lock is that handle's share mode. A reader keeps
 * none, so that it is in nobody's way.
 *
 * Disks are \\.\PhysicalDriveN: files of the directory "\\.". Windows reads and writes them by
 * whole sectors only.
 *
 * What is used here beyond plain Win32 is what Windows and Wine differ in; the comments say so.
 */
#define WIN32_LEAN_AND_MEAN
#include "os.h"

#include <windows.h>
#include <bcrypt.h>
#include <winioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct cim_vfs_dir {
	HANDLE handle; /* the lock; INVALID_HANDLE_VALUE without it */
	bool disks;    /* it is no directory, but where the disks are */
	size_t prefix_units;
	WCHAR prefix[]; /* the full path, with a '\' at the end */
};

struct cim_vfs_file {
	HANDLE handle;
	uint64_t end; /* the highest offset we know to be in the file */
	bool sparse;
	bool disk;
	uint64_t disk_size;
};

/* The most that one ReadFile() or WriteFile() is asked for. */
#define MAX_IO (1u << 30)
/* How often a file is opened that somebody doesn't share, 10 ms apart. */
#define OPEN_TRIES 5
/* A gap of this size is worth making the file sparse. */
#define SPARSE_GAP (1u << 20)
/* No disk has larger sectors, and the least that one has. */
#define SECTOR	     4096u
#define LEAST_SECTOR 512u

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static const struct {
	DWORD code;
	enum cim_status status;
} status_of_error[] = {
	{ERROR_NOT_ENOUGH_MEMORY, CIM_E_NO_MEMORY},
	{ERROR_OUTOFMEMORY, CIM_E_NO_MEMORY},
	{ERROR_ACCESS_DENIED, CIM_E_ACCESS},
	{ERROR_WRITE_PROTECT, CIM_E_ACCESS},
	{ERROR_PRIVILEGE_NOT_HELD, CIM_E_ACCESS},
	{ERROR_FILE_NOT_FOUND, CIM_E_FILE_NOT_FOUND},
	{ERROR_PATH_NOT_FOUND, CIM_E_PATH_NOT_FOUND},
	{ERROR_DIRECTORY, CIM_E_PATH_NOT_FOUND},
	{ERROR_BAD_PATHNAME, CIM_E_PATH_NOT_FOUND},
	{ERROR_INVALID_DRIVE, CIM_E_PATH_NOT_FOUND},
	{ERROR_BAD_NETPATH, CIM_E_PATH_NOT_FOUND},
	{ERROR_BAD_NET_NAME, CIM_E_PATH_NOT_FOUND},
	{ERROR_FILE_EXISTS, CIM_E_EXISTS},
	{ERROR_ALREADY_EXISTS, CIM_E_EXISTS},
	{ERROR_SHARING_VIOLATION, CIM_E_SHARING},
	{ERROR_LOCK_VIOLATION, CIM_E_SHARING},
	{ERROR_USER_MAPPED_FILE, CIM_E_SHARING},
	{ERROR_BUSY, CIM_E_SHARING},
	{ERROR_DISK_FULL, CIM_E_DISK_FULL},
	{ERROR_HANDLE_DISK_FULL, CIM_E_DISK_FULL},
	{ERROR_FILE_TOO_LARGE, CIM_E_TOO_LARGE},
	{ERROR_INVALID_NAME, CIM_E_INVALID},
	{ERROR_FILENAME_EXCED_RANGE, CIM_E_INVALID},
	{ERROR_NOT_SUPPORTED, CIM_E_UNSUPPORTED},
	{ERROR_CALL_NOT_IMPLEMENTED, CIM_E_UNSUPPORTED},
	{ERROR_INVALID_FUNCTION, CIM_E_UNSUPPORTED},
};

enum cim_status cim_status_from_os(long os_error)
{
	for (size_t i = 0; i < sizeof(status_of_error) / sizeof(status_of_error[0]); i++)
		if (status_of_error[i].code == (DWORD)os_error)
			return status_of_error[i].status;
	return CIM_E_IO;
}

/* In English, as all of libcim's words are, or else in the system's language; with the code, which
 * is what one looks for, the text being another in each. */
static bool win32_error_text(void *ctx, long os_error, char *buf, size_t size)
{
	static const DWORD languages[] = {MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), 0};
	DWORD units = 0;
	WCHAR text[256];
	size_t len;

	(void)ctx;
	for (size_t i = 0; !units && i < sizeof(languages) / sizeof(languages[0]); i++)
		units = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
					       FORMAT_MESSAGE_MAX_WIDTH_MASK,
				       NULL, (DWORD)os_error, languages[i], text,
				       sizeof(text) / sizeof(text[0]), NULL);
	while (units && wcschr(L". \r\n", text[units - 1]))
		units--;
	len = cim_utf8_from_utf16((const uint16_t *)text, units, buf, size);
	return units && len < size &&
	       (size_t)snprintf(buf + len, size - len, " (%ld)", os_error) < size - len;
}

/* Fail with @code, a Win32 error code. */
static enum cim_status fail(long *os_error, DWORD code)
{
	*os_error = (long)code;
	return cim_status_from_os((long)code);
}

static enum cim_status fail_name(long *os_error)
{
	*os_error = 0;
	return CIM_E_INVALID;
}

/* ---- paths ---- */

static bool starts_with(const WCHAR *text, const WCHAR *start)
{
	return !wcsncmp(text, start, wcslen(start));
}

/* WTF-8 as a NUL-terminated UTF-16 string; the caller frees *wide. @room: units to spare behind. */
static enum cim_status widen(const char *text, size_t room, WCHAR **wide, long *os_error)
{
	size_t bytes = strlen(text);
	WCHAR *out;
	size_t units;

	*wide = NULL;
	if (bytes >= SIZE_MAX / sizeof(*out) - room)
		return fail(os_error, ERROR_FILENAME_EXCED_RANGE);
	out = malloc((bytes + room + 1) * sizeof(*out)); /* never more units than bytes */
	if (!out)
		return fail(os_error, ERROR_NOT_ENOUGH_MEMORY);
	if (cim_utf16_from_utf8(text, bytes, (uint16_t *)out, bytes, &units)) {
		free(out);
		return fail_name(os_error);
	}
	out[units] = 0;
	*wide = out;
	return CIM_OK;
}

/* The full path of @path, which may be relative, as Windows would understand it. */
static enum cim_status full_path(const WCHAR *path, WCHAR **full, long *os_error)
{
	DWORD room = GetFullPathNameW(path, 0, NULL, NULL);

	for (;;) {
		DWORD units;

		*full = NULL;
		if (!room)
			return fail(os_error, ERROR_BAD_PATHNAME);
		*full = malloc(room * sizeof(**full));
		if (!*full)
			return fail(os_error, ERROR_NOT_ENOUGH_MEMORY);
		units = GetFullPathNameW(path, room, *full, NULL);
		if (units && units < room)
			return CIM_OK;
		/* Another thread changed the current directory for a longer one. */
		free(*full);
		room = units;
	}
}

static const WCHAR verbatim[] = L"\\\\?\\";

/* What stands before *tail, the rest of a full path, to make the \\?\ form of it. */
static const WCHAR *verbatim_head(const WCHAR *full, const WCHAR **tail)
{
	*tail = full;
	if (starts_with(full, L"\\\\.\\") || starts_with(full, verbatim)) {
		*tail += wcslen(verbatim); /* a device path: \\?\ reaches the same */
	} else if (starts_with(full, L"\\\\")) {
		*tail += 2;
		return L"\\\\?\\UNC\\";
	}
	return verbatim;
}

/* A directory structure for a full path, no handle yet; NULL: no memory. */
static cim_vfs_dir *new_dir(const WCHAR *full)
{
	const WCHAR *tail;
	const WCHAR *head = verbatim_head(full, &tail);
	const size_t head_units = wcslen(head);
	size_t tail_units = wcslen(tail);
	cim_vfs_dir *d;

	while (tail_units && (tail[tail_units - 1] == '\\' || tail[tail_units - 1] == '/'))
		tail_units--;
	d = malloc(sizeof(*d) + (head_units + tail_units + 2) * sizeof(WCHAR));
	if (!d)
		return NULL;
	d->handle = INVALID_HANDLE_VALUE;
	d->disks = head == verbatim && !tail_units;
	memcpy(d->prefix, head, head_units * sizeof(WCHAR));
	memcpy(d->prefix + head_units, tail, tail_units * sizeof(WCHAR));
	d->prefix_units = head_units + tail_units;
	if (!d->disks)
		d->prefix[d->prefix_units++] = '\\';
	d->prefix[d->prefix_units] = 0;
	return d;
}

static enum cim_status make_dir(const char *path, cim_vfs_dir **dir, long *os_error)
{
	WCHAR *wide, *full = NULL;
	enum cim_status status;

	status = widen(path, 0, &wide, os_error);
	if (status)
		return status;
	/* One in the \\?\ form means what it says. */
	if (!starts_with(wide, verbatim))
		status = full_path(wide, &full, os_error);
	if (!status) {
		*dir = new_dir(full ? full : wide);
		if (!*dir)
			status = fail(os_error, ERROR_NOT_ENOUGH_MEMORY);
	}
	free(full);
	free(wide);
	return status;
}

/* "PhysicalDrive" and a number. */
static bool is_disk_name(const char *name)
{
	static const char disk[] = "PhysicalDrive";
	const size_t len = sizeof(disk) - 1;

	return !_strnicmp(name, disk, len) && name[len] &&
	       strspn(name + len, "0123456789") == strlen(name + len);
}

/* The full path of a file in a directory; the caller frees *path. */
static enum cim_status file_path(const cim_vfs_dir *dir, const char *name, WCHAR **path,
				 long *os_error)
{
	enum cim_status status;

	*path = NULL;
	/* One component: nothing that could lead out of the directory, or to a stream. */
	if (!name[0] || !strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/\\:"))
		return fail_name(os_error);
	if (dir->disks && !is_disk_name(name))
		return fail(os_error, ERROR_PATH_NOT_FOUND);
	status = widen(name, dir->prefix_units, path, os_error);
	if (status)
		return status;
	memmove(*path + dir->prefix_units, *path, (wcslen(*path) + 1) * sizeof(WCHAR));
	memcpy(*path, dir->prefix, dir->prefix_units * sizeof(WCHAR));
	return CIM_OK;
}

/* ---- directories ---- */

/* Open the directory itself. A root ("C:\") needs its '\', and it does no harm to the others. */
static HANDLE open_dir_handle(const cim_vfs_dir *dir, DWORD access, DWORD share)
{
	return CreateFileW(dir->prefix, access, share, NULL, OPEN_EXISTING,
			   FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

/* Is it there, and a directory? With @lock its handle is kept. */
static enum cim_status open_real_dir(cim_vfs_dir *d, bool lock, long *os_error)
{
	BY_HANDLE_FILE_INFORMATION info;
	HANDLE handle;
	enum cim_status status;

	if (lock)
		handle = open_dir_handle(d, FILE_LIST_DIRECTORY | FILE_ADD_FILE, FILE_SHARE_READ);
	else
		handle = open_dir_handle(d, FILE_READ_ATTRIBUTES, SHARE_ALL);
	if (handle == INVALID_HANDLE_VALUE) {
		status = fail(os_error, GetLastError());
		return status == CIM_E_FILE_NOT_FOUND || status == CIM_E_INVALID
			       ? CIM_E_PATH_NOT_FOUND
			       : status;
	}
	/* A device ("NUL") opens as well. */
	if (GetFileType(handle) != FILE_TYPE_DISK || !GetFileInformationByHandle(handle, &info) ||
	    !(info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)) {
		CloseHandle(handle);
		return fail(os_error, ERROR_DIRECTORY);
	}
	if (lock)
		d->handle = handle;
	else
		CloseHandle(handle);
	return CIM_OK;
}

static enum cim_status win32_open_dir(void *ctx, const char *path, unsigned flags,
				      cim_vfs_dir **dir, long *os_error)
{
	const bool lock = flags & CIM_VFS_DIR_LOCK;
	cim_vfs_dir *d;
	enum cim_status status;

	(void)ctx;
	*dir = NULL;
	status = make_dir(path, &d, os_error);
	if (status)
		return status == CIM_E_INVALID ? CIM_E_PATH_NOT_FOUND : status;
	if (!d->disks || lock)
		status = open_real_dir(d, lock, os_error);
	if (status) {
		free(d);
		return status;
	}
	*dir = d;
	return CIM_OK;
}

static void win32_close_dir(void *ctx, cim_vfs_dir *dir)
{
	(void)ctx;
	if (!dir)
		return;
	if (dir->handle != INVALID_HANDLE_VALUE)
		CloseHandle(dir->handle);
	free(dir);
}

static enum cim_status win32_sync_dir(void *ctx, cim_vfs_dir *dir, long *os_error)
{
	HANDLE handle = dir->handle;
	DWORD error = 0;

	(void)ctx;
	if (handle == INVALID_HANDLE_VALUE)
		handle = open_dir_handle(dir, FILE_LIST_DIRECTORY | FILE_ADD_FILE, SHARE_ALL);
	if (handle == INVALID_HANDLE_VALUE)
		return fail(os_error, GetLastError());
	if (!FlushFileBuffers(handle))
		error = GetLastError();
	if (handle != dir->handle)
		CloseHandle(handle);
	/* Some file systems (network, FAT) have nothing to flush in a directory. */
	if (!error || error == ERROR_INVALID_FUNCTION || error == ERROR_NOT_SUPPORTED)
		return CIM_OK;
	return fail(os_error, error);
}

/* Hand one name of a listing over as WTF-8. */
static enum cim_status list_name(const WCHAR *name,
				 enum cim_status (*each)(void *arg, const char *name), void *arg)
{
	char text[MAX_PATH * 3 + 1];

	if (cim_utf8_from_utf16((const uint16_t *)name, wcslen(name), text, sizeof(text)) >=
	    sizeof(text))
		return CIM_OK; /* can't be: cFileName has MAX_PATH units */
	return each(arg, text);
}

static enum cim_status win32_list(void *ctx, cim_vfs_dir *dir,
				  enum cim_status (*each)(void *arg, const char *name), void *arg,
				  long *os_error)
{
	WCHAR *pattern = malloc((dir->prefix_units + 2) * sizeof(*pattern));
	WIN32_FIND_DATAW data;
	HANDLE find;
	DWORD error;
	enum cim_status status = CIM_OK;

	(void)ctx;
	if (!pattern)
		return fail(os_error, ERROR_NOT_ENOUGH_MEMORY);
	memcpy(pattern, dir->prefix, dir->prefix_units * sizeof(*pattern));
	pattern[dir->prefix_units] = '*';
	pattern[dir->prefix_units + 1] = 0;
	find = FindFirstFileExW(pattern, FindExInfoBasic, &data, FindExSearchNameMatch, NULL, 0);
	error = find == INVALID_HANDLE_VALUE ? GetLastError() : 0;
	free(pattern);
	if (error == ERROR_FILE_NOT_FOUND)
		return CIM_OK; /* a root directory without entries */
	if (error)
		return fail(os_error, error);
	do {
		*os_error = 0;
		if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
			status = list_name(data.cFileName, each, arg);
		if (status)
			goto close_find;
	} while (FindNextFileW(find, &data));
	error = GetLastError();
	if (error != ERROR_NO_MORE_FILES)
		status = fail(os_error, error);
close_find:
	FindClose(find);
	return status;
}

/* ---- files ---- */

/*
 * A file opened to be read shares everything. If somebody else shares nothing, that may be only for
 * a moment: target_is_open() below does so, and so do virus scanners.
 */
static HANDLE open_existing(const WCHAR *path, DWORD access, int most_tries)
{
	HANDLE handle = INVALID_HANDLE_VALUE;

	for (int tries = 0; tries < most_tries; tries++) {
		if (tries)
			Sleep(10);
		handle = CreateFileW(path, access, SHARE_ALL, NULL, OPEN_EXISTING,
				     FILE_ATTRIBUTE_NORMAL, NULL);
		if (handle != INVALID_HANDLE_VALUE || GetLastError() != ERROR_SHARING_VIOLATION)
			break;
	}
	return handle;
}

static HANDLE open_handle(const WCHAR *path, enum cim_vfs_mode mode, int tries)
{
	const bool reads = mode == CIM_VFS_READ || mode == CIM_VFS_READ_ANY;
	/* FlushFileBuffers() wants the right to write. */
	const DWORD access = reads ? GENERIC_READ : GENERIC_READ | GENERIC_WRITE;

	if (mode != CIM_VFS_CREATE)
		return open_existing(path, access, tries);
	/* A session renames its files while it has them open, hence FILE_SHARE_DELETE. */
	return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, CREATE_NEW,
			   FILE_ATTRIBUTE_NORMAL, NULL);
}

static OVERLAPPED at_offset(uint64_t offset)
{
	OVERLAPPED where = {0};

	where.Offset = (DWORD)offset;
	where.OffsetHigh = (DWORD)(offset >> 32);
	return where;
}

static bool is_at_end(HANDLE handle, uint64_t offset)
{
	OVERLAPPED where = at_offset(offset);
	char sector[LEAST_SECTOR];
	DWORD n = 0;

	return ReadFile(handle, sector, sizeof(sector), &n, &where)
		       ? !n
		       : GetLastError() == ERROR_HANDLE_EOF;
}

/* Wine, which has no size for a device, has one for a file that stands for it; else the first
 * sector that can't be read is looked for. */
static uint64_t disk_size(HANDLE handle)
{
	LARGE_INTEGER size; /* which is all of a GET_LENGTH_INFORMATION */
	uint64_t low = 0, high = INT64_MAX / LEAST_SECTOR;
	DWORD n;

	if (DeviceIoControl(handle, IOCTL_DISK_GET_LENGTH_INFO, NULL, 0, &size, sizeof(size), &n,
			    NULL))
		return (uint64_t)size.QuadPart;
	if (GetFileSizeEx(handle, &size) && size.QuadPart)
		return (uint64_t)size.QuadPart;
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (is_at_end(handle, middle * LEAST_SECTOR))
			high = middle;
		else
			low = middle + 1;
	}
	return low * LEAST_SECTOR;
}

/* A pipe or a device is no image file; a disk may be a container. */
static enum cim_status check_kind(cim_vfs_file *f, bool disk, long *os_error)
{
	if (GetFileType(f->handle) != FILE_TYPE_DISK) {
		*os_error = 0;
		return CIM_E_ACCESS;
	}
	f->disk = disk;
	if (disk)
		f->disk_size = disk_size(f->handle);
	return CIM_OK;
}

static enum cim_status open_file(cim_vfs_dir *dir, const char *name, enum cim_vfs_mode mode,
				 int tries, cim_vfs_file **file, long *os_error)
{
	cim_vfs_file *f;
	WCHAR *path;
	enum cim_status status;

	*file = NULL;
	status = file_path(dir, name, &path, os_error);
	if (status)
		return status;
	f = calloc(1, sizeof(*f));
	if (!f) {
		status = fail(os_error, ERROR_NOT_ENOUGH_MEMORY);
		goto free_path;
	}
	f->handle = open_handle(path, mode, tries);
	if (f->handle == INVALID_HANDLE_VALUE) {
		status = fail(os_error, GetLastError());
		/* A new file has no name to miss, so it is the directory that is gone. */
		if (status == CIM_E_FILE_NOT_FOUND && mode == CIM_VFS_CREATE)
			status = CIM_E_PATH_NOT_FOUND;
		goto free_file;
	}
	status = check_kind(f, dir->disks, os_error);
	if (status)
		goto close_handle;
	*file = f;
	goto free_path;

close_handle:
	CloseHandle(f->handle);
	if (mode == CIM_VFS_CREATE) /* nobody knows of the new file */
		DeleteFileW(path);
free_file:
	free(f);
free_path:
	free(path);
	return status;
}

static enum cim_status win32_open(void *ctx, cim_vfs_dir *dir, const char *name,
				  enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	(void)ctx;
	return open_file(dir, name, mode, OPEN_TRIES, file, os_error);
}

static void win32_close(void *ctx, cim_vfs_file *file)
{
	(void)ctx;
	if (!file)
		return;
	CloseHandle(file->handle);
	free(file);
}

static enum cim_status win32_size(void *ctx, cim_vfs_file *file, uint64_t *size, long *os_error)
{
	LARGE_INTEGER value;

	(void)ctx;
	*size = file->disk_size;
	if (file->disk)
		return CIM_OK;
	if (!GetFileSizeEx(file->handle, &value))
		return fail(os_error, GetLastError());
	*size = (uint64_t)value.QuadPart;
	return CIM_OK;
}

static bool win32_is_device(void *ctx, cim_vfs_file *file)
{
	(void)ctx;
	return file->disk;
}

static enum cim_status read_at(cim_vfs_file *file, uint64_t offset, void *buf, size_t len,
			       size_t *got, long *os_error)
{
	char *to = buf;

	*got = 0;
	while (*got < len) {
		OVERLAPPED where = at_offset(offset + *got);
		DWORD want = len - *got > MAX_IO ? MAX_IO : (DWORD)(len - *got);
		DWORD n = 0;

		if (!ReadFile(file->handle, to + *got, want, &n, &where)) {
			DWORD error = GetLastError();

			if (error == ERROR_HANDLE_EOF)
				break;
			return fail(os_error, error);
		}
		if (!n)
			break;
		*got += n;
	}
	return CIM_OK;
}

/* What a call for a disk does next: whole sectors, or a part of one. */
struct piece {
	uint64_t sector; /* the sector's offset, if it is a part */
	size_t skip;	 /* bytes of it before the part */
	size_t len;
	bool whole;
};

static struct piece next_piece(uint64_t offset, size_t len)
{
	struct piece piece = {.skip = (size_t)(offset % SECTOR)};

	piece.sector = offset - piece.skip;
	piece.whole = !piece.skip && len >= SECTOR;
	piece.len = piece.whole ? len / SECTOR * SECTOR : SECTOR - piece.skip;
	if (piece.len > len)
		piece.len = len;
	return piece;
}

/* Nothing is asked for behind a disk's end: Windows refuses all of it then. */
static size_t sector_len(const cim_vfs_file *file, const struct piece *piece)
{
	const uint64_t left = file->disk_size - piece->sector;

	return left < SECTOR ? (size_t)left : SECTOR;
}

static enum cim_status read_part(cim_vfs_file *file, const struct piece *piece, void *buf,
				 size_t *got, long *os_error)
{
	char *sector = VirtualAlloc(NULL, SECTOR, MEM_COMMIT, PAGE_READWRITE);
	enum cim_status status;

	*got = 0;
	if (!sector)
		return fail(os_error, ERROR_NOT_ENOUGH_MEMORY);
	status = read_at(file, piece->sector, sector, sector_len(file, piece), got, os_error);
	*got = *got > piece->skip ? *got - piece->skip : 0;
	if (*got > piece->len)
		*got = piece->len;
	memcpy(buf, sector + piece->skip, *got);
	VirtualFree(sector, 0, MEM_RELEASE);
	return status;
}

static enum cim_status read_disk(cim_vfs_file *file, uint64_t offset, char *buf, size_t len,
				 size_t *got, long *os_error)
{
	*got = 0;
	if (offset >= file->disk_size)
		return CIM_OK;
	if (len > file->disk_size - offset)
		len = (size_t)(file->disk_size - offset);
	while (*got < len) {
		const struct piece piece = next_piece(offset + *got, len - *got);
		size_t n;
		enum cim_status status =
			piece.whole
				? read_at(file, piece.sector, buf + *got, piece.len, &n, os_error)
				: read_part(file, &piece, buf + *got, &n, os_error);

		*got += n;
		if (status || n < piece.len)
			return status;
	}
	return CIM_OK;
}

static enum cim_status win32_pread(void *ctx, cim_vfs_file *file, uint64_t offset, void *buf,
				   size_t len, size_t *got, long *os_error)
{
	(void)ctx;
	*got = 0;
	if (offset >= INT64_MAX) /* no file reaches that far */
		return CIM_OK;
	if (len > INT64_MAX - offset)
		len = (size_t)(INT64_MAX - offset);
	return file->disk ? read_disk(file, offset, buf, len, got, os_error)
			  : read_at(file, offset, buf, len, got, os_error);
}

/*
 * Before a gap is made: on NTFS it would be filled with zeros, byte by byte, in a file that is not
 * sparse. Where the file system has no sparse files nothing is lost but time.
 */
static void make_sparse(cim_vfs_file *file, uint64_t offset)
{
	DWORD n;

	if (file->sparse || offset <= file->end || offset - file->end < SPARSE_GAP)
		return;
	DeviceIoControl(file->handle, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &n, NULL);
	file->sparse = true;
}

/* Set the file's size; 0 or a Win32 error code. */
static DWORD set_size(cim_vfs_file *file, uint64_t size)
{
	/* Unlike SetEndOfFile() this leaves the file pointer alone, which other threads use. */
	FILE_END_OF_FILE_INFO info;
	DWORD error;

	info.EndOfFile.QuadPart = (LONGLONG)size;
	if (SetFileInformationByHandle(file->handle, FileEndOfFileInfo, &info, sizeof(info)))
		return 0;
	error = GetLastError();
	/*
	 * The handle is good and writable, so ERROR_INVALID_PARAMETER can only mean the size;
	 * ERROR_NOT_ENOUGH_MEMORY is what Wine makes of EFBIG.
	 */
	if (error == ERROR_INVALID_PARAMETER || error == ERROR_NOT_ENOUGH_MEMORY)
		error = ERROR_FILE_TOO_LARGE;
	return error;
}

/* Why did a write that was to end at @end fail? */
static DWORD write_error(cim_vfs_file *file, uint64_t end)
{
	DWORD error = GetLastError();

	/* Wine has no code for EFBIG here, so see whether the file can be that large at all. */
	if (error == ERROR_GEN_FAILURE && end > INT32_MAX &&
	    set_size(file, end) == ERROR_FILE_TOO_LARGE)
		error = ERROR_FILE_TOO_LARGE;
	return error;
}

static enum cim_status write_at(cim_vfs_file *file, uint64_t offset, const void *buf, size_t len,
				long *os_error)
{
	const char *from = buf;
	size_t done = 0;

	while (done < len) {
		OVERLAPPED where = at_offset(offset + done);
		DWORD want = len - done > MAX_IO ? MAX_IO : (DWORD)(len - done);
		DWORD n = 0;

		if (!WriteFile(file->handle, from + done, want, &n, &where))
			return fail(os_error, write_error(file, offset + len));
		if (!n)
			return fail(os_error, ERROR_WRITE_FAULT);
		done += n;
	}
	return CIM_OK;
}

static enum cim_status write_part(cim_vfs_file *file, const struct piece *piece, const void *buf,
				  long *os_error)
{
	char *sector = VirtualAlloc(NULL, SECTOR, MEM_COMMIT, PAGE_READWRITE);
	enum cim_status status;
	size_t got;

	if (!sector)
		return fail(os_error, ERROR_NOT_ENOUGH_MEMORY);
	status = read_at(file, piece->sector, sector, sector_len(file, piece), &got, os_error);
	/* What a shorter one would leave out is not written. */
	if (!status && got < piece->skip + piece->len)
		status = fail(os_error, ERROR_READ_FAULT);
	memcpy(sector + piece->skip, buf, piece->len);
	if (!status)
		status = write_at(file, piece->sector, sector, got, os_error);
	VirtualFree(sector, 0, MEM_RELEASE);
	return status;
}

static enum cim_status write_disk(cim_vfs_file *file, uint64_t offset, const char *buf, size_t len,
				  long *os_error)
{
	enum cim_status status = CIM_OK;

	for (size_t done = 0; done < len && !status;) {
		const struct piece piece = next_piece(offset + done, len - done);

		status = piece.whole ? write_at(file, piece.sector, buf + done, piece.len, os_error)
				     : write_part(file, &piece, buf + done, os_error);
		done += piece.len;
	}
	return status;
}

static enum cim_status win32_pwrite(void *ctx, cim_vfs_file *file, uint64_t offset, const void *buf,
				    size_t len, long *os_error)
{
	enum cim_status status;

	(void)ctx;
	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return fail(os_error, ERROR_FILE_TOO_LARGE);
	if (!len)
		return CIM_OK;
	if (file->disk)
		return offset + len > file->disk_size
			       ? fail(os_error, ERROR_DISK_FULL)
			       : write_disk(file, offset, buf, len, os_error);
	make_sparse(file, offset);
	status = write_at(file, offset, buf, len, os_error);
	if (!status && offset + len > file->end)
		file->end = offset + len;
	return status;
}

static enum cim_status win32_truncate(void *ctx, cim_vfs_file *file, uint64_t size, long *os_error)
{
	DWORD error;

	(void)ctx;
	if (size > INT64_MAX)
		return fail(os_error, ERROR_FILE_TOO_LARGE);
	make_sparse(file, size);
	error = set_size(file, size);
	if (error)
		return fail(os_error, error);
	file->end = size;
	return CIM_OK;
}

static enum cim_status win32_sync(void *ctx, cim_vfs_file *file, long *os_error)
{
	(void)ctx;
	return FlushFileBuffers(file->handle) ? CIM_OK : fail(os_error, GetLastError());
}

static enum cim_status win32_next_data(void *ctx, cim_vfs_file *file, uint64_t offset,
				       uint64_t *data, long *os_error)
{
	FILE_ALLOCATED_RANGE_BUFFER ask, range;
	LARGE_INTEGER size;
	DWORD n = 0;

	(void)ctx;
	*data = offset;
	if (!GetFileSizeEx(file->handle, &size))
		return fail(os_error, GetLastError());
	if (offset >= (uint64_t)size.QuadPart) {
		*data = (uint64_t)size.QuadPart;
		return CIM_OK;
	}
	ask.FileOffset.QuadPart = (LONGLONG)offset;
	ask.Length.QuadPart = size.QuadPart - (LONGLONG)offset;
	/* More ranges than the one that there is room for is no failure. Wine doesn't know this. */
	if (!DeviceIoControl(file->handle, FSCTL_QUERY_ALLOCATED_RANGES, &ask, sizeof(ask), &range,
			     sizeof(range), &n, NULL) &&
	    GetLastError() != ERROR_MORE_DATA)
		return CIM_OK;
	if (!n)
		*data = (uint64_t)size.QuadPart;
	else if (n >= sizeof(range) && (uint64_t)range.FileOffset.QuadPart > offset)
		*data = (uint64_t)range.FileOffset.QuadPart;
	return CIM_OK;
}

/* ---- byte locks ---- */

/*
 * Windows can't be asked for a lock: who wants to know takes the byte for a moment, and another one
 * who asks, locks or holds just then would find it taken. So all of them first lock the byte in
 * front of all these, their turn, which is waited for as nobody keeps it. Then being refused means
 * that somebody keeps the byte. @flags are those of both locks, for under Wine an exclusive one
 * takes the right to write: shared turns are had side by side, as shared locks are no conflict
 * either.
 */
#define TURN_OFFSET (CIM_OS_LOCK_OFFSET - 1)

/* Both return a Win32 error code. */
static DWORD lock_byte(cim_vfs_file *file, uint64_t offset, DWORD flags)
{
	OVERLAPPED where = at_offset(offset);
	DWORD error = LockFileEx(file->handle, flags, 0, 1, 0, &where) ? 0 : GetLastError();

	return error == ERROR_IO_PENDING ? ERROR_LOCK_VIOLATION : error;
}

static DWORD try_lock(cim_vfs_file *file, uint64_t offset, DWORD flags)
{
	return lock_byte(file, offset, flags | LOCKFILE_FAIL_IMMEDIATELY);
}

static void unlock_byte(cim_vfs_file *file, uint64_t offset)
{
	OVERLAPPED where = at_offset(offset);

	UnlockFileEx(file->handle, 0, 1, 0, &where);
}

static enum cim_status win32_lock(void *ctx, cim_vfs_file *file, uint64_t number,
				  enum cim_vfs_lock how, bool wait, long *os_error)
{
	const DWORD flags = how == CIM_LOCK_SHARED ? 0 : LOCKFILE_EXCLUSIVE_LOCK;
	const uint64_t offset = CIM_OS_LOCK_OFFSET + number;
	DWORD error;

	(void)ctx;
	if (how == CIM_LOCK_NONE) {
		unlock_byte(file, offset);
		return CIM_OK;
	}
	if (wait) {
		error = lock_byte(file, offset, flags);
	} else {
		error = lock_byte(file, TURN_OFFSET, flags);
		if (!error) {
			error = try_lock(file, offset, flags);
			unlock_byte(file, TURN_OFFSET);
		}
	}
	return error ? fail(os_error, error) : CIM_OK;
}

/*
 * Open a file to ask for its lock, to be written if that can be. A session doesn't share that for
 * as long as it lives, which isn't waited for; who shares nothing for a moment is, and then the
 * file can be written after all.
 */
static enum cim_status open_to_ask(cim_vfs_dir *dir, const char *name, cim_vfs_file **file,
				   DWORD *flags, long *os_error)
{
	enum cim_status status = open_file(dir, name, CIM_VFS_UPDATE, 1, file, os_error);
	cim_vfs_file *to_write;
	long ignored;

	*flags = LOCKFILE_EXCLUSIVE_LOCK;
	if (status != CIM_E_ACCESS && status != CIM_E_SHARING)
		return status;
	status = open_file(dir, name, CIM_VFS_READ, OPEN_TRIES, file, os_error);
	if (status)
		return status;
	if (open_file(dir, name, CIM_VFS_UPDATE, 1, &to_write, &ignored)) {
		*flags = 0;
		return CIM_OK;
	}
	win32_close(NULL, *file);
	*file = to_write;
	return CIM_OK;
}

/*
 * Two kinds of locks are looked for: a session's, which is exclusive, and a mount server's, which
 * is shared, for an image may be mounted twice. Only an exclusive lock of our own conflicts with
 * both, and under Wine that takes the right to write; a shared one that is to be had then tells the
 * two apart. Who may not write asks with a shared lock, and finds a session.
 */
static DWORD ask_lock(cim_vfs_file *file, uint64_t offset, DWORD flags, enum cim_vfs_lock *lock)
{
	DWORD error = try_lock(file, offset, flags);
	const bool refused = error == ERROR_LOCK_VIOLATION;

	if (refused && flags)
		error = try_lock(file, offset, 0);
	if (error == ERROR_LOCK_VIOLATION) {
		*lock = CIM_LOCK_ALONE;
		return 0;
	}
	if (error)
		return error;
	if (refused)
		*lock = CIM_LOCK_SHARED;
	unlock_byte(file, offset);
	return 0;
}

static enum cim_status win32_is_locked(void *ctx, cim_vfs_dir *dir, const char *name,
				       uint64_t number, enum cim_vfs_lock *lock, long *os_error)
{
	cim_vfs_file *file;
	DWORD flags, error;
	enum cim_status status;

	*lock = CIM_LOCK_NONE;
	status = open_to_ask(dir, name, &file, &flags, os_error);
	if (status)
		return status;
	error = lock_byte(file, TURN_OFFSET, flags);
	if (!error) {
		error = ask_lock(file, CIM_OS_LOCK_OFFSET + number, flags, lock);
		unlock_byte(file, TURN_OFFSET);
	}
	win32_close(ctx, file);
	return error ? fail(os_error, error) : CIM_OK;
}

/* Does the name still lead to this file? */
static enum cim_status win32_is_named(void *ctx, cim_vfs_dir *dir, const char *name,
				      cim_vfs_file *file, bool *named, long *os_error)
{
	BY_HANDLE_FILE_INFORMATION own, by_name;
	HANDLE handle;
	WCHAR *path;
	enum cim_status status;

	(void)ctx;
	*named = false;
	status = file_path(dir, name, &path, os_error);
	if (status)
		return status;
	handle = CreateFileW(path, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING,
			     FILE_ATTRIBUTE_NORMAL, NULL);
	if (handle == INVALID_HANDLE_VALUE) {
		status = fail(os_error, GetLastError());
		goto free_path;
	}
	if (!GetFileInformationByHandle(handle, &by_name) ||
	    !GetFileInformationByHandle(file->handle, &own))
		status = fail(os_error, GetLastError());
	else /* of a file that was renamed while it was open Wine doesn't find the volume */
		*named = (by_name.dwVolumeSerialNumber == own.dwVolumeSerialNumber ||
			  !own.dwVolumeSerialNumber) &&
			 by_name.nFileIndexHigh == own.nFileIndexHigh &&
			 by_name.nFileIndexLow == own.nFileIndexLow;
	CloseHandle(handle);
free_path:
	free(path);
	return status;
}

static enum cim_status win32_hold(void *ctx, cim_vfs_dir *dir, const char *name, uint64_t number,
				  bool alone, cim_vfs_file **file, long *os_error)
{
	enum cim_vfs_lock how = alone ? CIM_LOCK_ALONE : CIM_LOCK_SHARED;
	enum cim_status status;
	bool named = false;

	status = win32_open(ctx, dir, name, CIM_VFS_UPDATE, file, os_error);
	if (status)
		return status;
	status = win32_lock(ctx, *file, number, how, false, os_error);
	if (!status)
		status = win32_is_named(ctx, dir, name, *file, &named, os_error);
	/* Another one has the name now: as good as held by somebody. */
	if (!status && !named)
		status = fail(os_error, ERROR_LOCK_VIOLATION);
	if (!status)
		return CIM_OK;
	win32_close(ctx, *file);
	*file = NULL;
	return status;
}

/* ---- names ---- */

/*
 * Is somebody holding @path open? Opened with no sharing at all, it conflicts with every handle
 * that can read, write or delete.
 */
static bool target_is_open(const WCHAR *path)
{
	HANDLE handle = CreateFileW(path, DELETE, 0, NULL, OPEN_EXISTING,
				    FILE_FLAG_BACKUP_SEMANTICS, NULL);

	if (handle == INVALID_HANDLE_VALUE)
		return GetLastError() == ERROR_SHARING_VIOLATION;
	CloseHandle(handle);
	return false;
}

/* The part of ntdll's interface that rename_in_place() needs. */
struct io_status_block {
	union {
		LONG status;
		void *pointer;
	};
	ULONG_PTR information;
};
struct rename_information {
	BOOLEAN replace;
	HANDLE root;
	ULONG name_bytes;
	WCHAR name[1];
};
#define FILE_RENAME_INFORMATION_CLASS 10
typedef LONG(WINAPI *nt_set_information)(HANDLE, struct io_status_block *, void *, ULONG, int);
typedef ULONG(WINAPI *rtl_nt_status_to_dos_error)(LONG);

/*
 * Rename by the new name alone. MoveFileEx() has the system open the directory for adding a file,
 * sharing reads and writes; on Windows our own lock on the directory, which shares only reads,
 * forbids that. A new name without a path needs no such opening. (Wine's MoveFileEx() doesn't open
 * the directory, and Wine wants a path here.) Returns a Win32 error code.
 */
static DWORD rename_in_place(const WCHAR *from, const WCHAR *name, bool replace)
{
	HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
	nt_set_information set_information;
	rtl_nt_status_to_dos_error to_error;
	size_t bytes = wcslen(name) * sizeof(WCHAR);
	size_t size = offsetof(struct rename_information, name) + bytes + sizeof(WCHAR);
	struct rename_information *info;
	struct io_status_block io;
	DWORD error = ERROR_SHARING_VIOLATION;
	HANDLE handle;
	LONG result;

	set_information = (nt_set_information)(void *)GetProcAddress(ntdll, "NtSetInformationFile");
	to_error = (rtl_nt_status_to_dos_error)(void *)GetProcAddress(ntdll,
								      "RtlNtStatusToDosError");
	if (!set_information || !to_error)
		return error;
	info = calloc(1, size);
	if (!info)
		return ERROR_NOT_ENOUGH_MEMORY;
	info->replace = replace;
	info->name_bytes = (ULONG)bytes;
	memcpy(info->name, name, bytes);
	handle = CreateFileW(from, DELETE | SYNCHRONIZE, SHARE_ALL, NULL, OPEN_EXISTING,
			     FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
	if (handle == INVALID_HANDLE_VALUE) {
		error = GetLastError();
		goto free_info;
	}
	result = set_information(handle, &io, info, (ULONG)size, FILE_RENAME_INFORMATION_CLASS);
	error = result >= 0 ? 0 : to_error(result);
	CloseHandle(handle);
free_info:
	free(info);
	return error;
}

static DWORD move_file(const cim_vfs_dir *dir, const WCHAR *from, const WCHAR *to, bool replace)
{
	DWORD error;

	if (MoveFileExW(from, to, replace ? MOVEFILE_REPLACE_EXISTING : 0))
		return 0;
	error = GetLastError();
	if (error == ERROR_SHARING_VIOLATION && dir->handle != INVALID_HANDLE_VALUE)
		error = rename_in_place(from, to + dir->prefix_units, replace);
	return error;
}

static enum cim_status win32_rename(void *ctx, cim_vfs_dir *dir, const char *from, const char *to,
				    unsigned flags, long *os_error)
{
	bool replace = !(flags & CIM_VFS_NOREPLACE);
	WCHAR *from_path;
	WCHAR *to_path;
	DWORD error;
	enum cim_status status;

	(void)ctx;
	status = file_path(dir, from, &from_path, os_error);
	if (status)
		return status;
	status = file_path(dir, to, &to_path, os_error);
	if (status)
		goto free_from;
	error = move_file(dir, from_path, to_path, replace);
	/*
	 * A target that is held open can't be replaced; both systems call that "access denied", as
	 * they do where rights are missing. Nobody has it open when asked: then it was closed just
	 * now, or (under Wine) is open for its attributes only, which never lasts, or it is the
	 * rights, which does.
	 */
	for (int tries = 0; error == ERROR_ACCESS_DENIED && replace && tries < 5; tries++) {
		if (target_is_open(to_path)) {
			error = ERROR_SHARING_VIOLATION;
			break;
		}
		Sleep(10);
		error = move_file(dir, from_path, to_path, replace);
	}
	if (error)
		status = fail(os_error, error);
	free(to_path);
free_from:
	free(from_path);
	return status;
}

static enum cim_status win32_remove(void *ctx, cim_vfs_dir *dir, const char *name, long *os_error)
{
	WCHAR *path;
	enum cim_status status;

	(void)ctx;
	status = file_path(dir, name, &path, os_error);
	if (status)
		return status;
	if (!DeleteFileW(path))
		status = fail(os_error, GetLastError());
	free(path);
	return status;
}

/* ---- memory, random numbers, time, locks ---- */

static void *win32_realloc(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	return realloc(ptr, size);
}

static void win32_free(void *ctx, void *ptr)
{
	(void)ctx;
	free(ptr);
}

/* RtlGenRandom() by its export's name; it is in no header in this form. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG size);

static enum cim_status win32_random(void *ctx, void *buf, size_t len)
{
	char *to = buf;

	(void)ctx;
	while (len) {
		ULONG n = len > MAX_IO ? MAX_IO : (ULONG)len;

		if (!SystemFunction036(to, n))
			return CIM_E_IO;
		to += n;
		len -= n;
	}
	return CIM_OK;
}

static uint64_t win32_now_ms(void *ctx)
{
	(void)ctx;
	return GetTickCount64();
}

static void win32_sleep_ms(void *ctx, unsigned ms)
{
	(void)ctx;
	Sleep(ms);
}

static void *win32_mutex_new(void *ctx)
{
	CRITICAL_SECTION *section = malloc(sizeof(*section));

	(void)ctx;
	if (section)
		InitializeCriticalSection(section);
	return section;
}

static void win32_mutex_free(void *ctx, void *mutex)
{
	(void)ctx;
	if (!mutex)
		return;
	DeleteCriticalSection(mutex);
	free(mutex);
}

static void win32_mutex_lock(void *ctx, void *mutex)
{
	(void)ctx;
	EnterCriticalSection(mutex);
}

static void win32_mutex_unlock(void *ctx, void *mutex)
{
	(void)ctx;
	LeaveCriticalSection(mutex);
}

static BCRYPT_ALG_HANDLE sha256_algorithm;

static BOOL CALLBACK find_sha256(INIT_ONCE *once, void *arg, void **result)
{
	(void)once;
	(void)arg;
	(void)result;
	return BCryptOpenAlgorithmProvider(&sha256_algorithm, BCRYPT_SHA256_ALGORITHM, NULL, 0) >=
	       0;
}

static enum cim_status win32_sha256(void *ctx, const void *bytes, size_t len, uint8_t *digest)
{
	static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
	BCRYPT_HASH_HANDLE hash;
	NTSTATUS status;

	(void)ctx;
	if (len > ULONG_MAX || !InitOnceExecuteOnce(&once, find_sha256, NULL, NULL))
		return CIM_E_UNSUPPORTED;
	if (BCryptCreateHash(sha256_algorithm, &hash, NULL, 0, NULL, 0, 0) < 0)
		return CIM_E_NO_MEMORY;
	status = BCryptHashData(hash, (UCHAR *)bytes, (ULONG)len, 0);
	if (status >= 0)
		status = BCryptFinishHash(hash, digest, 32, 0);
	BCryptDestroyHash(hash);
	return status < 0 ? CIM_E_NO_MEMORY : CIM_OK;
}

static const struct cim_vfs win32_vfs = {
	CIM_SIZED(win32_vfs),
	.fold_names = true,
	.windows_paths = true,
	.open_dir = win32_open_dir,
	.close_dir = win32_close_dir,
	.sync_dir = win32_sync_dir,
	.open = win32_open,
	.close = win32_close,
	.size = win32_size,
	.pread = win32_pread,
	.pwrite = win32_pwrite,
	.truncate = win32_truncate,
	.sync = win32_sync,
	.lock = win32_lock,
	.is_locked = win32_is_locked,
	.rename = win32_rename,
	.remove = win32_remove,
	.list = win32_list,
	.hold = win32_hold,
	.next_data = win32_next_data,
	.is_named = win32_is_named,
	.is_device = win32_is_device,
	.error_text = win32_error_text,
};

const struct cim_env *cim_env_default(void)
{
	static const struct cim_env env = {
		CIM_SIZED(env),
		.mem = {.realloc = win32_realloc, .free = win32_free},
		.vfs = &win32_vfs,
		.random = win32_random,
		.now_ms = win32_now_ms,
		.sleep_ms = win32_sleep_ms,
		.mutex_new = win32_mutex_new,
		.mutex_free = win32_mutex_free,
		.mutex_lock = win32_mutex_lock,
		.mutex_unlock = win32_mutex_unlock,
		.sha256 = win32_sha256,
	};

	return &env;
}
