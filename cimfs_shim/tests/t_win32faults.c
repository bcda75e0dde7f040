/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_win32faults.c - os/win32.c when a call of the system fails: each of them, in every operation
 *
 * As t_osfaults.c does for os/posix.c. This program's own functions stand where the import
 * library's would, and --wrap stands in for the C library's. After each failure: the right status
 * and code, no result, and no handle and no memory left behind. What Windows does otherwise than
 * Wine is acted here.
 */
#include "tap.h"
#include "windisk.h"
#include "../os/os.h"

#include <windows.h>
#include <winioctl.h>
#include <winternl.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct cim_vfs *vfs;
static char path[1200];		  /* a directory with the files "a" and "b" */
static cim_vfs_dir *shared_dir;	  /* open all the time */
static cim_vfs_file *shared_file; /* "a", with 9 bytes, writable */
static long os_error;

#define CALL(function, ...) vfs->function(vfs->ctx, __VA_ARGS__, &os_error)

/* ---- the calls of the system ---- */

static struct {
	const char *name; /* the call that fails; NULL: any */
	unsigned at;	  /* which of them, from 1; 0: none */
	unsigned times;	  /* so many, one after the other */
	DWORD code;	  /* with this */
	unsigned seen;
	const char *failed; /* what did */
} fault;
static int handles, blocks; /* open and allocated beyond the beginning */

static bool fails(const char *name)
{
	if (!fault.at || (fault.name && strcmp(fault.name, name)))
		return false;
	fault.seen++;
	if (fault.seen < fault.at || fault.seen >= fault.at + fault.times)
		return false;
	fault.failed = name;
	SetLastError(fault.code);
	return true;
}

/* The system's own function: GetProcAddress() is one of those that are stood in for. */
NTSTATUS WINAPI LdrGetProcedureAddress(HMODULE module, ANSI_STRING *name, ULONG number,
				       void **found);

static void *system_function(const wchar_t *module, const char *name)
{
	ANSI_STRING text = {(USHORT)strlen(name), (USHORT)(strlen(name) + 1), (char *)name};
	void *found = NULL;

	LdrGetProcedureAddress(GetModuleHandleW(module), &text, 0, &found);
	return found;
}

#ifdef _WIN64
#define IMPORT(name, bytes) __asm__("__imp_" name)
#else
#define IMPORT(name, bytes) __asm__("__imp__" name "@" bytes)
#endif

/* STAND_IN(result, name, bytes of arguments, parameters) { ... real(...) ... } */
#define STAND_IN(result, name, bytes, parameters)            \
	typedef result(WINAPI *name##_fn) parameters;        \
	static result WINAPI name##_stand_in parameters;     \
	extern name##_fn name##_import IMPORT(#name, bytes); \
	name##_fn name##_import = name##_stand_in;           \
	static result WINAPI name##_stand_in parameters
#define REAL(name)	  ((name##_fn)system_function(L"kernel32.dll", #name))
#define ANSWER(name, ...) return fails(#name) ? FALSE : REAL(name)(__VA_ARGS__)

STAND_IN(HANDLE, CreateFileW, "28",
	 (const WCHAR *file, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security, DWORD how,
	  DWORD flags, HANDLE template))
{
	HANDLE handle = fails("CreateFileW") ? INVALID_HANDLE_VALUE
					     : REAL(CreateFileW)(file, access, share, security, how,
								 flags, template);

	handles += handle != INVALID_HANDLE_VALUE;
	return handle;
}

STAND_IN(BOOL, CloseHandle, "4", (HANDLE handle))
{
	handles--;
	return REAL(CloseHandle)(handle);
}

STAND_IN(HANDLE, FindFirstFileExW, "24",
	 (const WCHAR *pattern, FINDEX_INFO_LEVELS level, void *data, FINDEX_SEARCH_OPS ops,
	  void *filter, DWORD flags))
{
	HANDLE find = fails("FindFirstFileExW")
			      ? INVALID_HANDLE_VALUE
			      : REAL(FindFirstFileExW)(pattern, level, data, ops, filter, flags);

	handles += find != INVALID_HANDLE_VALUE;
	return find;
}

STAND_IN(BOOL, FindClose, "4", (HANDLE find))
{
	handles--;
	return REAL(FindClose)(find);
}

STAND_IN(BOOL, FindNextFileW, "8", (HANDLE find, WIN32_FIND_DATAW *data))
{
	ANSWER(FindNextFileW, find, data);
}

STAND_IN(DWORD, GetFileType, "4", (HANDLE handle))
{
	return fails("GetFileType") ? FILE_TYPE_PIPE : REAL(GetFileType)(handle);
}

/* The second of two files that are compared is another one, by this. */
static enum { SAME, OTHER_VOLUME, OTHER_HIGH, OTHER_LOW } compared;

STAND_IN(BOOL, GetFileInformationByHandle, "8", (HANDLE handle, BY_HANDLE_FILE_INFORMATION *info))
{
	static bool second;

	if (fails("GetFileInformationByHandle") || !REAL(GetFileInformationByHandle)(handle, info))
		return FALSE;
	if (compared && (second = !second)) {
		info->dwVolumeSerialNumber += compared == OTHER_VOLUME;
		info->nFileIndexHigh += compared == OTHER_HIGH;
		info->nFileIndexLow += compared == OTHER_LOW;
	}
	return TRUE;
}

static bool sizeless;	     /* as Wine says of a block device: 0 */
static LONGLONG told_length; /* as Windows says of a disk; 0: it doesn't */

STAND_IN(BOOL, GetFileSizeEx, "8", (HANDLE handle, LARGE_INTEGER *size))
{
	if (fails("GetFileSizeEx"))
		return FALSE;
	size->QuadPart = 0;
	return sizeless || REAL(GetFileSizeEx)(handle, size);
}

static unsigned odd_transfers; /* not of whole sectors */

STAND_IN(BOOL, ReadFile, "20", (HANDLE handle, void *buf, DWORD len, DWORD *got, OVERLAPPED *where))
{
	odd_transfers += len % 512 || where->Offset % 512;
	ANSWER(ReadFile, handle, buf, len, got, where);
}

STAND_IN(BOOL, WriteFile, "20",
	 (HANDLE handle, const void *buf, DWORD len, DWORD *got, OVERLAPPED *where))
{
	odd_transfers += len % 512 || where->Offset % 512;
	if (fails("WriteFile")) /* ERROR_SUCCESS: it works, and writes nothing */
		return fault.code == ERROR_SUCCESS;
	return REAL(WriteFile)(handle, buf, len, got, where);
}

STAND_IN(BOOL, FlushFileBuffers, "4", (HANDLE handle))
{
	ANSWER(FlushFileBuffers, handle);
}

static DWORD size_error; /* of all sizes, beside another fault */

STAND_IN(BOOL, SetFileInformationByHandle, "16",
	 (HANDLE handle, FILE_INFO_BY_HANDLE_CLASS which, void *info, DWORD size))
{
	SetLastError(size_error);
	if (size_error)
		return FALSE;
	ANSWER(SetFileInformationByHandle, handle, which, info, size);
}

STAND_IN(BOOL, LockFileEx, "24",
	 (HANDLE handle, DWORD flags, DWORD zero, DWORD low, DWORD high, OVERLAPPED *where))
{
	ANSWER(LockFileEx, handle, flags, zero, low, high, where);
}

STAND_IN(BOOL, MoveFileExW, "12", (const WCHAR *from, const WCHAR *to, DWORD flags))
{
	ANSWER(MoveFileExW, from, to, flags);
}

STAND_IN(BOOL, DeleteFileW, "4", (const WCHAR *file))
{
	ANSWER(DeleteFileW, file);
}

/* The current directory becomes a longer one between two calls. */
static bool longer;

STAND_IN(DWORD, GetFullPathNameW, "16", (const WCHAR *from, DWORD room, WCHAR *full, WCHAR **part))
{
	DWORD units = fails("GetFullPathNameW") ? 0
						: REAL(GetFullPathNameW)(from, room, full, part);

	if (!longer || !room)
		return units;
	longer = false;
	return room + 10;
}

static DWORD languages[4], asked; /* in which an error's text was wanted */

STAND_IN(DWORD, FormatMessageW, "28",
	 (DWORD flags, const void *source, DWORD id, DWORD language, WCHAR *buf, DWORD size,
	  va_list *args))
{
	languages[asked++ % COUNT(languages)] = language;
	ANSWER(FormatMessageW, flags, source, id, language, buf, size, args);
}

/* Wine tells of no ranges: here are the answers of a file system that does. */
static struct {
	bool known;
	DWORD controls; /* FSCTL_SET_SPARSE that came */
	DWORD error;	/* the query's */
	LONGLONG begin; /* of a range; -1: there is none */
	LONGLONG asked_from, asked_for;
} ranges;

STAND_IN(BOOL, DeviceIoControl, "32",
	 (HANDLE handle, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size, DWORD *got,
	  OVERLAPPED *where))
{
	const FILE_ALLOCATED_RANGE_BUFFER *ask = in;
	FILE_ALLOCATED_RANGE_BUFFER *range = out;

	ranges.controls += code == FSCTL_SET_SPARSE;
	if (fails("DeviceIoControl"))
		return FALSE;
	if (told_length && code == IOCTL_DISK_GET_LENGTH_INFO && out_size == sizeof(told_length)) {
		memcpy(out, &told_length, sizeof(told_length));
		return TRUE;
	}
	if (!ranges.known || code != FSCTL_QUERY_ALLOCATED_RANGES)
		return REAL(DeviceIoControl)(handle, code, in, in_size, out, out_size, got, where);
	ranges.asked_from = ask->FileOffset.QuadPart;
	ranges.asked_for = ask->Length.QuadPart;
	*got = ranges.begin < 0 ? 0 : sizeof(*range);
	range->FileOffset.QuadPart = ranges.begin;
	range->Length.QuadPart = 1;
	SetLastError(ranges.error);
	return !ranges.error;
}

STAND_IN(void *, VirtualAlloc, "16", (void *at, size_t size, DWORD type, DWORD protection))
{
	void *block = fails("VirtualAlloc") ? NULL : REAL(VirtualAlloc)(at, size, type, protection);

	blocks += block != NULL;
	return block;
}

STAND_IN(BOOL, VirtualFree, "12", (void *block, size_t size, DWORD type))
{
	blocks -= !size && type == MEM_RELEASE;
	return REAL(VirtualFree)(block, size, type);
}

static unsigned slept;

STAND_IN(void, Sleep, "4", (DWORD ms))
{
	slept += ms;
}

/* What ntdll is asked for by name, and what a rename by NtSetInformationFile() was asked for. */
static struct {
	const char *hidden;
	NTSTATUS answer;
	unsigned calls;
	ULONG size, name_bytes;
	int class;
	BOOLEAN replace;
	void *root;
	WCHAR name[64];
} renamed;

static NTSTATUS WINAPI set_information(HANDLE handle, void *io, void *info, ULONG size, int class)
{
	const struct {
		BOOLEAN replace;
		HANDLE root;
		ULONG name_bytes;
		WCHAR name[1];
	} *rename = info;

	(void)handle;
	(void)io;
	renamed.calls++;
	renamed.size = size;
	renamed.class = class;
	renamed.replace = rename->replace;
	renamed.root = rename->root;
	renamed.name_bytes = rename->name_bytes;
	memset(renamed.name, 0, sizeof(renamed.name));
	if (rename->name_bytes < sizeof(renamed.name))
		memcpy(renamed.name, rename->name, rename->name_bytes);
	return renamed.answer;
}

STAND_IN(void *, GetProcAddress, "8", (HMODULE module, const char *name))
{
	(void)module;
	if (renamed.hidden && !strcmp(renamed.hidden, name))
		return NULL;
	return strcmp(name, "NtSetInformationFile") ? system_function(L"ntdll.dll", name)
						    : (void *)set_information;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __real_free(void *block);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
	void *block = fails("malloc") ? NULL : __real_malloc(size);

	blocks += block != NULL;
	return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *block = fails("calloc") ? NULL : __real_calloc(count, size);

	blocks += block != NULL;
	return block;
}

void __wrap_free(void *block)
{
	blocks -= block != NULL;
	__real_free(block);
}

/* ---- operations ---- */

static enum cim_status open_dir_as(const char *name, unsigned flags)
{
	cim_vfs_dir *dir = (cim_vfs_dir *)1;
	enum cim_status status = CALL(open_dir, name, flags, &dir);

	if (status && dir)
		return CIM_STATUS_COUNT;
	vfs->close_dir(vfs->ctx, dir);
	return status;
}

static enum cim_status do_open_dir(void)
{
	return open_dir_as(path, 0);
}

static enum cim_status do_lock_dir(void)
{
	return open_dir_as(path, CIM_VFS_DIR_LOCK);
}

static enum cim_status do_sync_dir(void)
{
	return CALL(sync_dir, shared_dir);
}

static unsigned listed;

static enum cim_status count_name(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	listed++;
	return CIM_OK;
}

static enum cim_status do_list(void)
{
	listed = 0;
	return CALL(list, shared_dir, count_name, NULL);
}

/* CIM_STATUS_COUNT: a failure gave a file. */
static enum cim_status open_as(const char *name, enum cim_vfs_mode mode)
{
	cim_vfs_file *file = (cim_vfs_file *)1;
	enum cim_status status = CALL(open, shared_dir, name, mode, &file);

	if (status && file)
		return CIM_STATUS_COUNT;
	vfs->close(vfs->ctx, file);
	return status;
}

static enum cim_status do_open(void)
{
	return open_as("a", CIM_VFS_READ);
}

static enum cim_status do_update(void)
{
	return open_as("a", CIM_VFS_UPDATE);
}

static enum cim_status do_create(void)
{
	return open_as("new", CIM_VFS_CREATE);
}

static enum cim_status do_size(void)
{
	uint64_t size = 77;
	enum cim_status status = CALL(size, shared_file, &size);

	return size == (status ? 0 : 9) ? status : CIM_STATUS_COUNT;
}

static enum cim_status do_pread(void)
{
	char text[16];
	size_t got = 77;
	enum cim_status status = CALL(pread, shared_file, 0, text, sizeof(text), &got);

	return got == (fault.failed && fault.at == 1 ? 0 : 9) ? status : CIM_STATUS_COUNT;
}

static enum cim_status do_pwrite(void)
{
	return CALL(pwrite, shared_file, 0, "nine byte", 9);
}

static enum cim_status do_pwrite_far(void)
{
	return CALL(pwrite, shared_file, (uint64_t)INT32_MAX - 4, "nine byte", 4);
}

static enum cim_status do_pwrite_farther(void)
{
	return CALL(pwrite, shared_file, (uint64_t)INT32_MAX - 4, "nine byte", 5);
}

static enum cim_status do_pwrite_last(void)
{
	return CALL(pwrite, shared_file, INT64_MAX, "n", 1);
}

static enum cim_status do_truncate(void)
{
	return CALL(truncate, shared_file, 9);
}

static enum cim_status do_sync(void)
{
	return CALL(sync, shared_file);
}

static uint64_t next;

static enum cim_status do_next_data(void)
{
	next = 77;
	return CALL(next_data, shared_file, 2, &next);
}

static enum cim_status do_lock(void)
{
	enum cim_status status = CALL(lock, shared_file, 0, CIM_LOCK_ALONE, false);

	if (!status)
		CALL(lock, shared_file, 0, CIM_LOCK_NONE, false);
	return status;
}

static enum cim_vfs_lock seen_lock;

static enum cim_status do_is_locked(void)
{
	return CALL(is_locked, shared_dir, "b", 0, &seen_lock);
}

static enum cim_status hold_as(bool alone)
{
	cim_vfs_file *file = (cim_vfs_file *)1;
	enum cim_status status = CALL(hold, shared_dir, "b", 0, alone, &file);

	if (status && file)
		return CIM_STATUS_COUNT;
	vfs->close(vfs->ctx, file);
	return status;
}

static enum cim_status do_hold(void)
{
	return hold_as(true);
}

static enum cim_status do_hold_shared(void)
{
	return hold_as(false);
}

static enum cim_status do_rename(void)
{
	return CALL(rename, shared_dir, "b", "c", 0);
}

static enum cim_status do_rename_if_free(void)
{
	return CALL(rename, shared_dir, "b", "c", CIM_VFS_NOREPLACE);
}

static enum cim_status do_rename_over_open(void)
{
	enum cim_status status;
	cim_vfs_file *file;

	CALL(open, shared_dir, "c", CIM_VFS_CREATE, &file);
	status = do_rename();
	vfs->close(vfs->ctx, file);
	return status;
}

static enum cim_status do_remove(void)
{
	return CALL(remove, shared_dir, "b");
}

static enum cim_status do_mutex(void)
{
	const struct cim_env *env = cim_env_default();
	void *mutex = env->mutex_new(env->thread_ctx);

	os_error = ERROR_NOT_ENOUGH_MEMORY; /* it tells none */
	if (!mutex)
		return CIM_E_NO_MEMORY;
	env->mutex_free(env->thread_ctx, mutex);
	return CIM_OK;
}

/* ---- a disk ---- */

#define DISK_SIZE (2 * 4096 + 512)

static cim_vfs_dir *disks;
static cim_vfs_file *disk;
static char disk_name[40];

static LONGLONG disk_size;

static enum cim_status do_open_disk(void)
{
	cim_vfs_file *file = NULL;
	uint64_t size = 0;
	enum cim_status status = CALL(open, disks, disk_name, CIM_VFS_READ_ANY, &file);

	if (status)
		return file ? CIM_STATUS_COUNT : status;
	vfs->size(vfs->ctx, file, &size, &os_error);
	vfs->close(vfs->ctx, file);
	return size == (uint64_t)disk_size ? status : CIM_STATUS_COUNT;
}

/* Parts of two sectors. */
static enum cim_status do_read_disk(void)
{
	char buf[5000];
	size_t got = 77;
	enum cim_status status = CALL(pread, disk, 100, buf, sizeof(buf), &got);
	const bool right = status ? !got || got == 3996 : got == 5000;

	return right ? status : CIM_STATUS_COUNT;
}

static enum cim_status do_read_sector(void)
{
	char buf[4096];
	size_t got = 77;
	enum cim_status status = CALL(pread, disk, 4096, buf, sizeof(buf), &got);

	return got == sizeof(buf) ? status : CIM_STATUS_COUNT;
}

static enum cim_status do_write_disk(void)
{
	static const char buf[5000];

	return CALL(pwrite, disk, 100, buf, sizeof(buf));
}

static const struct operation {
	const char *name;
	enum cim_status (*run)(void);
} operations[] =
	{
		{"open_dir", do_open_dir}, {"open_dir, locked", do_lock_dir},
		{"sync_dir", do_sync_dir}, {"list", do_list},
		{"open", do_open},	   {"open for update", do_update},
		{"create", do_create},	   {"size", do_size},
		{"pread", do_pread},	   {"pwrite", do_pwrite},
		{"truncate", do_truncate}, {"sync", do_sync},
		{"lock", do_lock},	   {"is_locked", do_is_locked},
		{"hold", do_hold},	   {"hold, shared", do_hold_shared},
		{"rename", do_rename},	   {"rename to a free name", do_rename_if_free},
		{"remove", do_remove},	   {"mutex", do_mutex},
},
  disk_operations[] = {
	  {"open of a disk", do_open_disk},
	  {"parts of a disk read", do_read_disk},
	  {"parts of a disk written", do_write_disk},
};

/* As the operations want it. */
static void set_up(void)
{
	cim_vfs_file *file;

	fault.at = 0;
	CALL(remove, shared_dir, "new");
	CALL(remove, shared_dir, "c");
	if (CALL(open, shared_dir, "b", CIM_VFS_CREATE, &file) == CIM_OK)
		vfs->close(vfs->ctx, file);
	os_error = -1;
	seen_lock = CIM_LOCK_ALONE;
	slept = 0;
	memset(&renamed, 0, sizeof(renamed));
}

/* The operation, with the @at-th call of that name (NULL: any) and those behind it failing. */
static enum cim_status run_failing(enum cim_status (*run)(void), const char *name, unsigned at,
				   unsigned times, DWORD code)
{
	enum cim_status status;

	set_up();
	handles = blocks = 0;
	fault.name = name;
	fault.at = at;
	fault.times = times;
	fault.code = code;
	fault.seen = 0;
	fault.failed = NULL;
	status = run();
	fault.at = 0;
	return status;
}

static const char *status_name(enum cim_status status)
{
	return status == CIM_STATUS_COUNT ? "a result in spite of the failure"
					  : cim_status_name(status);
}

/* ---- each call of each operation, with an error that means nothing to anybody ---- */

/* What a call's failure comes to, where it isn't that very error. */
static const struct {
	const char *call;
	enum cim_status status;
	long code;
} others[] = {
	{"malloc", CIM_E_NO_MEMORY, ERROR_NOT_ENOUGH_MEMORY},
	{"calloc", CIM_E_NO_MEMORY, ERROR_NOT_ENOUGH_MEMORY},
	{"VirtualAlloc", CIM_E_NO_MEMORY, ERROR_NOT_ENOUGH_MEMORY},
	{"GetFullPathNameW", CIM_E_PATH_NOT_FOUND, ERROR_BAD_PATHNAME},
};

/* Not to be told, or told otherwise: in the table of answers. */
static bool is_special(const struct operation *op)
{
	const bool of_dir = op->run == do_open_dir || op->run == do_lock_dir;

	return !strcmp(fault.failed, "DeviceIoControl") || !strcmp(fault.failed, "GetFileType") ||
	       (op->run == do_open_disk && !strcmp(fault.failed, "GetFileSizeEx")) ||
	       (of_dir && !strcmp(fault.failed, "GetFileInformationByHandle"));
}

static void check_failure(const struct operation *op, unsigned n, enum cim_status got)
{
	enum cim_status status = CIM_E_IO;
	long code = ERROR_READ_FAULT;

	for (size_t i = 0; i < COUNT(others); i++)
		if (!strcmp(fault.failed, others[i].call)) {
			status = others[i].status;
			code = others[i].code;
		}
	if (!is_special(op)) {
		is_str(status_name(got), status_name(status), "%s: call %u, %s, fails", op->name, n,
		       fault.failed);
		is_int(os_error, code, "%s: call %u, %s: the system's code", op->name, n,
		       fault.failed);
	}
}

static void test_each_call(const struct operation *ops, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct operation *op = &ops[i];
		enum cim_status status;
		unsigned n = 0;

		do {
			status = run_failing(op->run, NULL, ++n, 1, ERROR_READ_FAULT);
			if (fault.failed)
				check_failure(op, n, status);
			is_int(handles, 0, "%s: call %u: handles left open", op->name, n);
			is_int(blocks, 0, "%s: call %u: memory left", op->name, n);
		} while (fault.failed && n < 100);
		is_str(status_name(status), "CIM_OK", "%s: without a failure", op->name);
		ok(n > 1, "%s: %u calls were made to fail", op->name, n - 1);
	}
}

static void set_disk_size(const WCHAR *file, LONG size)
{
	HANDLE handle = CreateFileW(file, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
				    OPEN_ALWAYS, 0, NULL);

	if (SetFilePointer(handle, size, NULL, FILE_BEGIN) != (DWORD)size || !SetEndOfFile(handle))
		bail("no file for a device: error %lu", GetLastError());
	CloseHandle(handle);
	disk_size = size;
}

/* Windows refuses anything else. */
static void test_whole_sectors(void)
{
	static char buf[DISK_SIZE];
	size_t got;

	odd_transfers = 0;
	for (uint64_t at = 0; at < DISK_SIZE; at += 50) {
		CALL(pread, disk, at, buf, DISK_SIZE - at, &got);
		CALL(pread, disk, 0, buf, DISK_SIZE - at, &got);
		CALL(pwrite, disk, at, buf, DISK_SIZE - at);
		CALL(pwrite, disk, 0, buf, DISK_SIZE - at);
	}
	is_int(odd_transfers, 0, "reads and writes of a disk that aren't of whole sectors");
}

/* Its end is looked for. */
static void test_sizeless_disk(const WCHAR *file)
{
	is_str(status_name(run_failing(do_open_disk, "GetFileSizeEx", 1, 1, ERROR_READ_FAULT)),
	       "CIM_OK", "a disk whose size the system can't tell");
	sizeless = true;
	for (LONG sectors = 0; sectors < 9; sectors++) {
		set_disk_size(file, sectors * 512);
		is_str(status_name(run_failing(do_open_disk, NULL, 0, 0, 0)), "CIM_OK",
		       "a disk of %d sectors, of which the system says 0", (int)sectors);
	}
	sizeless = false;
	told_length = disk_size = 12345 * 512;
	is_str(status_name(run_failing(do_open_disk, NULL, 0, 0, 0)), "CIM_OK",
	       "a disk whose length is told");
	told_length = 0;
}

static void test_disk(void)
{
	const WCHAR *file = disk_file(disk_name, sizeof(disk_name));

	if (!file) {
		skip("not under this Wine", "disks");
		return;
	}
	set_disk_size(file, DISK_SIZE);
	if (CALL(open_dir, "\\\\.", 0, &disks) ||
	    CALL(open, disks, disk_name, CIM_VFS_WRITE_ANY, &disk))
		bail("the device can't be opened: error %ld", os_error);
	test_each_call(disk_operations, COUNT(disk_operations));
	is_str(status_name(run_failing(do_read_sector, "VirtualAlloc", 1, 1, 0)), "CIM_OK",
	       "a whole sector is read without memory of its own");
	test_whole_sectors();
	vfs->close(vfs->ctx, disk);
	test_sizeless_disk(file);
	vfs->close_dir(vfs->ctx, disks);
	DeleteFileW(file);
}

/* ---- errors that mean something ---- */

static const struct answer {
	enum cim_status (*run)(void);
	const char *call;
	unsigned at, times;
	DWORD code;
	enum cim_status status;
	long os_error; /* -1: none is told */
	const char *name;
} answers[] = {
	{do_open_dir, "CreateFileW", 1, 1, ERROR_FILE_NOT_FOUND, CIM_E_PATH_NOT_FOUND,
	 ERROR_FILE_NOT_FOUND, "open_dir: what isn't there is a path"},
	{do_open_dir, "CreateFileW", 1, 1, ERROR_INVALID_NAME, CIM_E_PATH_NOT_FOUND,
	 ERROR_INVALID_NAME, "open_dir: nor is what can't be there"},
	{do_open_dir, "CreateFileW", 1, 1, ERROR_SHARING_VIOLATION, CIM_E_SHARING,
	 ERROR_SHARING_VIOLATION, "open_dir: in use"},
	{do_open_dir, "GetFileType", 1, 1, 0, CIM_E_PATH_NOT_FOUND, ERROR_DIRECTORY,
	 "open_dir: a device is no directory"},
	{do_open_dir, "GetFileInformationByHandle", 1, 1, ERROR_ACCESS_DENIED, CIM_E_PATH_NOT_FOUND,
	 ERROR_DIRECTORY, "open_dir: what can't be looked at is no directory"},
	{do_lock_dir, "GetFileInformationByHandle", 1, 1, ERROR_ACCESS_DENIED, CIM_E_PATH_NOT_FOUND,
	 ERROR_DIRECTORY, "open_dir, locked: what can't be looked at is no directory"},
	{do_sync_dir, "FlushFileBuffers", 1, 1, ERROR_INVALID_FUNCTION, CIM_OK, -1,
	 "sync_dir: nothing to flush"},
	{do_sync_dir, "FlushFileBuffers", 1, 1, ERROR_NOT_SUPPORTED, CIM_OK, -1,
	 "sync_dir: nothing to flush, either"},
	{do_sync_dir, "FlushFileBuffers", 1, 1, ERROR_ACCESS_DENIED, CIM_E_ACCESS,
	 ERROR_ACCESS_DENIED, "sync_dir: denied"},
	{do_list, "FindFirstFileExW", 1, 1, ERROR_FILE_NOT_FOUND, CIM_OK, -1,
	 "list: a root without entries"},
	{do_list, "FindFirstFileExW", 1, 1, ERROR_PATH_NOT_FOUND, CIM_E_PATH_NOT_FOUND,
	 ERROR_PATH_NOT_FOUND, "list: the directory is gone"},
	{do_list, "FindNextFileW", 2, 1, ERROR_ACCESS_DENIED, CIM_E_ACCESS, ERROR_ACCESS_DENIED,
	 "list: an error on the way"},
	{do_open, "CreateFileW", 1, 4, ERROR_SHARING_VIOLATION, CIM_OK, -1,
	 "open: in use four times, then not"},
	{do_open, "CreateFileW", 1, 9, ERROR_SHARING_VIOLATION, CIM_E_SHARING,
	 ERROR_SHARING_VIOLATION, "open: in use for longer"},
	{do_open, "CreateFileW", 1, 1, ERROR_LOCK_VIOLATION, CIM_E_SHARING, ERROR_LOCK_VIOLATION,
	 "open: another error isn't waited for"},
	{do_open, "GetFileType", 1, 1, 0, CIM_E_ACCESS, 0, "open: a pipe is no file"},
	{do_create, "CreateFileW", 1, 1, ERROR_FILE_NOT_FOUND, CIM_E_PATH_NOT_FOUND,
	 ERROR_FILE_NOT_FOUND, "create: the directory is gone"},
	{do_create, "CreateFileW", 1, 1, ERROR_SHARING_VIOLATION, CIM_E_SHARING,
	 ERROR_SHARING_VIOLATION, "create: tried once"},
	{do_create, "GetFileType", 1, 1, 0, CIM_E_ACCESS, 0, "create: a pipe is no file"},
	{do_pread, "ReadFile", 1, 1, ERROR_HANDLE_EOF, CIM_OK, -1, "pread: nothing there"},
	{do_pwrite, "WriteFile", 1, 1, ERROR_SUCCESS, CIM_E_IO, ERROR_WRITE_FAULT,
	 "pwrite: nothing is written"},
	{do_pwrite, "WriteFile", 1, 1, ERROR_GEN_FAILURE, CIM_E_IO, ERROR_GEN_FAILURE,
	 "pwrite: a failure"},
	{do_pwrite_last, "WriteFile", 1, 1, ERROR_READ_FAULT, CIM_E_TOO_LARGE, ERROR_FILE_TOO_LARGE,
	 "pwrite: what no file can have isn't tried"},
	{do_truncate, "SetFileInformationByHandle", 1, 1, ERROR_INVALID_PARAMETER, CIM_E_TOO_LARGE,
	 ERROR_FILE_TOO_LARGE, "truncate: a size that can't be"},
	{do_truncate, "SetFileInformationByHandle", 1, 1, ERROR_NOT_ENOUGH_MEMORY, CIM_E_TOO_LARGE,
	 ERROR_FILE_TOO_LARGE, "truncate: a size that can't be, under Wine"},
	{do_truncate, "SetFileInformationByHandle", 1, 1, ERROR_DISK_FULL, CIM_E_DISK_FULL,
	 ERROR_DISK_FULL, "truncate: the disk is full"},
	{do_lock, "LockFileEx", 1, 1, ERROR_IO_PENDING, CIM_E_SHARING, ERROR_LOCK_VIOLATION,
	 "lock: the turn is another's"},
	{do_lock, "LockFileEx", 2, 1, ERROR_LOCK_VIOLATION, CIM_E_SHARING, ERROR_LOCK_VIOLATION,
	 "lock: the byte is another's"},
	{do_is_locked, "LockFileEx", 1, 1, ERROR_ACCESS_DENIED, CIM_E_ACCESS, ERROR_ACCESS_DENIED,
	 "is_locked: no turn"},
	{do_is_locked, "LockFileEx", 2, 1, ERROR_ACCESS_DENIED, CIM_E_ACCESS, ERROR_ACCESS_DENIED,
	 "is_locked: no answer"},
	{do_is_locked, "CreateFileW", 1, 1, ERROR_FILE_NOT_FOUND, CIM_E_FILE_NOT_FOUND,
	 ERROR_FILE_NOT_FOUND, "is_locked: no file"},
	{do_is_locked, "CreateFileW", 1, 7, ERROR_SHARING_VIOLATION, CIM_E_SHARING,
	 ERROR_SHARING_VIOLATION, "is_locked: shared with nobody"},
	{do_hold, "LockFileEx", 2, 1, ERROR_LOCK_VIOLATION, CIM_E_SHARING, ERROR_LOCK_VIOLATION,
	 "hold: the byte is another's"},
	{do_hold, "CreateFileW", 2, 1, ERROR_FILE_NOT_FOUND, CIM_E_FILE_NOT_FOUND,
	 ERROR_FILE_NOT_FOUND, "hold: the name is gone meanwhile"},
	{do_rename, "MoveFileExW", 1, 1, ERROR_ACCESS_DENIED, CIM_OK, -1, "rename: denied once"},
	{do_rename, "MoveFileExW", 1, 5, ERROR_ACCESS_DENIED, CIM_OK, -1, "rename: five times"},
	{do_rename, "MoveFileExW", 1, 6, ERROR_ACCESS_DENIED, CIM_E_ACCESS, ERROR_ACCESS_DENIED,
	 "rename: six times"},
	{do_rename_over_open, "MoveFileExW", 1, 1, ERROR_ACCESS_DENIED, CIM_E_SHARING,
	 ERROR_SHARING_VIOLATION, "rename: onto a file that is open"},
	{do_rename_if_free, "MoveFileExW", 1, 1, ERROR_ACCESS_DENIED, CIM_E_ACCESS,
	 ERROR_ACCESS_DENIED, "rename to a free name: denied"},
	{do_rename_if_free, "MoveFileExW", 1, 1, ERROR_ALREADY_EXISTS, CIM_E_EXISTS,
	 ERROR_ALREADY_EXISTS, "rename to a free name: it isn't free"},
	{do_rename, "MoveFileExW", 1, 1, ERROR_SHARING_VIOLATION, CIM_E_SHARING,
	 ERROR_SHARING_VIOLATION, "rename: in use, where the directory isn't locked"},
};

static void test_answers(void)
{
	for (size_t i = 0; i < COUNT(answers); i++) {
		const struct answer *a = &answers[i];
		enum cim_status status = run_failing(a->run, a->call, a->at, a->times, a->code);

		is_str(status_name(status), status_name(a->status), "%s", a->name);
		if (a->os_error >= 0)
			is_int(os_error, a->os_error, "%s: the system's code", a->name);
		is_int(handles, 0, "%s: handles left open", a->name);
		is_int(blocks, 0, "%s: memory left", a->name);
	}
	set_up();
	ok(open_as("new", CIM_VFS_READ) == CIM_E_FILE_NOT_FOUND,
	   "no new file is left of a failure");
}

/* How long is waited for a file that others don't share, and for one that is to be replaced. */
static void test_waiting(void)
{
	run_failing(do_open, "CreateFileW", 1, 1, ERROR_SHARING_VIOLATION);
	is_int(slept, 10, "open: in use once: ms waited");
	run_failing(do_open, "CreateFileW", 1, 9, ERROR_SHARING_VIOLATION);
	is_int(slept, 40, "open: in use: ms waited");
	run_failing(do_create, "CreateFileW", 1, 9, ERROR_SHARING_VIOLATION);
	is_int(slept, 0, "create: ms waited");
	run_failing(do_is_locked, "CreateFileW", 1, 1, ERROR_SHARING_VIOLATION);
	is_int(slept, 0, "is_locked: one who holds it to write isn't waited for");
	run_failing(do_rename, "MoveFileExW", 1, 6, ERROR_ACCESS_DENIED);
	is_int(slept, 50, "rename: denied: ms waited");
	run_failing(do_rename, "MoveFileExW", 1, 1, ERROR_FILE_NOT_FOUND);
	is_int(slept, 0, "rename: another error isn't waited for");
}

/* What is told of a lock by one who may read only, and where one fails. */
static void test_asking(void)
{
	static const struct {
		const char *call;
		unsigned at, times;
		DWORD code;
		enum cim_vfs_lock lock;
		const char *name;
	} rows[] = {
		{"LockFileEx", 9, 1, 0, CIM_LOCK_NONE, "nobody"},
		{"LockFileEx", 2, 1, ERROR_LOCK_VIOLATION, CIM_LOCK_SHARED, "refused alone"},
		{"LockFileEx", 2, 2, ERROR_LOCK_VIOLATION, CIM_LOCK_ALONE, "refused shared, too"},
		{"CreateFileW", 1, 1, ERROR_ACCESS_DENIED, CIM_LOCK_NONE, "denied at first"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		enum cim_status status = run_failing(do_is_locked, rows[i].call, rows[i].at,
						     rows[i].times, rows[i].code);

		is_str(status_name(status), "CIM_OK", "is_locked: %s", rows[i].name);
		is_int(seen_lock, rows[i].lock, "is_locked: %s: which lock", rows[i].name);
	}
}

/* A name that was given to another file before the lock was had. */
static void test_other_file(void)
{
	static const char *const by[] = {"", "volume", "high index", "low index"};

	for (compared = OTHER_VOLUME; compared <= OTHER_LOW; compared++) {
		is_str(status_name(run_failing(do_hold, NULL, 0, 0, 0)), "CIM_E_SHARING",
		       "hold: another file by its %s", by[compared]);
		is_int(os_error, ERROR_LOCK_VIOLATION, "hold: by its %s: the system's code",
		       by[compared]);
		is_int(handles, 0, "hold: by its %s: handles left open", by[compared]);
	}
	compared = SAME;
}

static enum cim_status do_error_text(void)
{
	char text[256];

	asked = 0;
	return vfs->error_text(vfs->ctx, ERROR_ACCESS_DENIED, text, sizeof(text)) ? CIM_OK
										  : CIM_E_IO;
}

/* In English, else in the system's language, else not at all. */
static void test_languages(void)
{
	const DWORD english = MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US);

	ok(!run_failing(do_error_text, NULL, 0, 0, 0) && asked == 1,
	   "an error's text, asked for once");
	is_int(languages[0], english, "in English");
	ok(!run_failing(do_error_text, "FormatMessageW", 1, 1, ERROR_RESOURCE_LANG_NOT_FOUND) &&
		   asked == 2,
	   "there is none: asked for twice");
	is_int(languages[1], 0, "in the system's language");
	ok(run_failing(do_error_text, "FormatMessageW", 1, 2, ERROR_MR_MID_NOT_FOUND) && asked == 2,
	   "none in that, either: no text");
}

static void test_longer_path(void)
{
	longer = true;
	is_str(status_name(run_failing(do_open_dir, NULL, 0, 0, 0)), "CIM_OK",
	       "open_dir: the current directory changes meanwhile");
	ok(!longer, "it did");
	is_int(blocks, 0, "open_dir: memory left then");
}

/* ---- what Wine doesn't do ---- */

static void check_next(const char *name, uint64_t want)
{
	is_str(status_name(run_failing(do_next_data, NULL, 0, 0, 0)), "CIM_OK", "next_data: %s",
	       name);
	is_int(next, want, "next_data: %s: the offset", name);
}

/* The file has 9 bytes, and is asked from the third on. */
static void test_ranges(void)
{
	ranges.known = true;
	ranges.begin = 5;
	ranges.error = 0;
	check_next("data from 5 on", 5);
	is_int(ranges.asked_from, 2, "next_data: asked from");
	is_int(ranges.asked_for, 7, "next_data: asked for");
	ranges.error = ERROR_MORE_DATA;
	check_next("data from 5 on, and more", 5);
	ranges.begin = 0;
	check_next("data from before", 2);
	ranges.begin = 2;
	check_next("data from there on", 2);
	ranges.error = 0;
	ranges.begin = -1;
	check_next("no data", 9);
	ranges.error = ERROR_INVALID_FUNCTION;
	check_next("not told", 2);
	ranges.known = false;
	is_str(status_name(run_failing(do_next_data, "GetFileSizeEx", 1, 1, ERROR_ACCESS_DENIED)),
	       "CIM_E_ACCESS", "next_data: no size");
	is_int(next, 2, "next_data: no size: the offset");
}

/* A gap of a MiB makes a file sparse, once; a smaller one doesn't. */
static void test_sparse(void)
{
	static const struct {
		uint64_t offset;
		DWORD controls;
		const char *name;
	} rows[] = {
		{10, 0, "a byte"},
		{11 + (1 << 20) - 1, 0, "a byte less than a MiB"},
		{11 + (1 << 20), 0, "no gap"},
		{12 + (2 << 20), 1, "a MiB"},
		{4 << 20, 1, "another one, of what is sparse"},
	};
	cim_vfs_file *file;

	set_up();
	ranges.controls = 0;
	CALL(open, shared_dir, "new", CIM_VFS_CREATE, &file);
	for (size_t i = 0; i < COUNT(rows); i++) {
		CALL(pwrite, file, rows[i].offset, "x", 1);
		is_int(ranges.controls, rows[i].controls, "a gap of %s: calls that make it sparse",
		       rows[i].name);
	}
	vfs->close(vfs->ctx, file);
	CALL(remove, shared_dir, "new");
	ranges.controls = 0;
	CALL(open, shared_dir, "new", CIM_VFS_CREATE, &file);
	CALL(truncate, file, (1 << 20) - 1);
	is_int(ranges.controls, 0, "cut to a byte less than a MiB");
	CALL(truncate, file, 0);
	CALL(truncate, file, 1 << 20);
	is_int(ranges.controls, 1, "and to a MiB");
	vfs->close(vfs->ctx, file);
}

static void check_large(const char *name, enum cim_status (*run)(void), DWORD code, long want)
{
	run_failing(run, "WriteFile", 1, 1, code);
	is_int(os_error, want, "a write fails that ends at %s: the system's code", name);
}

/* A write that fails beyond 2 GiB: is it the size? */
static void test_large_writes(void)
{
	check_large("2^31", do_pwrite_farther, ERROR_GEN_FAILURE, ERROR_GEN_FAILURE);
	size_error = ERROR_INVALID_PARAMETER;
	check_large("2^31, a size that can't be", do_pwrite_farther, ERROR_GEN_FAILURE,
		    ERROR_FILE_TOO_LARGE);
	check_large("2^31 - 1, which is no question of size", do_pwrite_far, ERROR_GEN_FAILURE,
		    ERROR_GEN_FAILURE);
	check_large("2^31, by another error", do_pwrite_farther, ERROR_DISK_FULL, ERROR_DISK_FULL);
	size_error = ERROR_ACCESS_DENIED;
	check_large("2^31, and the size can't be set", do_pwrite_farther, ERROR_GEN_FAILURE,
		    ERROR_GEN_FAILURE);
	size_error = 0;
	CALL(truncate, shared_file, 9);
}

static void check_rename(const char *name, enum cim_status got, enum cim_status want)
{
	is_str(status_name(got), status_name(want), "in a locked directory: %s", name);
	is_int(handles, 0, "in a locked directory: %s: handles left open", name);
	is_int(blocks, 0, "in a locked directory: %s: memory left", name);
}

/* On Windows our own lock keeps MoveFileEx() from the directory. */
static void test_rename_in_place(void)
{
	cim_vfs_dir *unlocked = shared_dir;

	CALL(open_dir, path, CIM_VFS_DIR_LOCK, &shared_dir);
	check_rename("done", run_failing(do_rename, "MoveFileExW", 1, 1, ERROR_SHARING_VIOLATION),
		     CIM_OK);
	is_int(renamed.calls, 1, "one call of NtSetInformationFile()");
	is_int(renamed.class, 10, "FileRenameInformation");
	is_int(renamed.replace, TRUE, "replacing");
	ok(!renamed.root, "without a directory");
	is_int(renamed.name_bytes, 2, "bytes of the name alone");
	ok(!wcscmp(renamed.name, L"c"), "which is that of the file: %ls", renamed.name);
	ok(renamed.size >= sizeof(void *) * 2 + 4 + 2, "bytes of the structure: %lu", renamed.size);
	check_rename("not replacing",
		     run_failing(do_rename_if_free, "MoveFileExW", 1, 1, ERROR_SHARING_VIOLATION),
		     CIM_OK);
	is_int(renamed.replace, FALSE, "not replacing");
	run_failing(do_rename, "MoveFileExW", 1, 1, ERROR_FILE_NOT_FOUND);
	is_int(renamed.calls, 0, "no such call after another error");
	vfs->close_dir(vfs->ctx, shared_dir);
	shared_dir = unlocked;
}

static enum cim_status rename_hidden(const char *hidden)
{
	renamed.hidden = hidden;
	return do_rename();
}

static enum cim_status without_set_information(void)
{
	return rename_hidden("NtSetInformationFile");
}

static enum cim_status without_error_code(void)
{
	return rename_hidden("RtlNtStatusToDosError");
}

static enum cim_status renamed_in_vain(void)
{
	renamed.answer = (NTSTATUS)0xc0000035; /* STATUS_OBJECT_NAME_COLLISION */
	return do_rename();
}

static void test_rename_in_place_fails(void)
{
	cim_vfs_dir *unlocked = shared_dir;

	CALL(open_dir, path, CIM_VFS_DIR_LOCK, &shared_dir);
	check_rename(
		"without NtSetInformationFile()",
		run_failing(without_set_information, "MoveFileExW", 1, 1, ERROR_SHARING_VIOLATION),
		CIM_E_SHARING);
	check_rename("without RtlNtStatusToDosError()",
		     run_failing(without_error_code, "MoveFileExW", 1, 1, ERROR_SHARING_VIOLATION),
		     CIM_E_SHARING);
	is_int(renamed.calls, 0, "nothing is tried then");
	check_rename("a name that is taken",
		     run_failing(renamed_in_vain, "MoveFileExW", 1, 1, ERROR_SHARING_VIOLATION),
		     CIM_E_EXISTS);
	is_int(os_error, ERROR_ALREADY_EXISTS, "the system's code");
	vfs->close_dir(vfs->ctx, shared_dir);
	shared_dir = unlocked;
}

static void make_directory(void)
{
	const char *tmp = getenv("TEST_TMP");
	cim_vfs_file *file;

	if (!tmp)
		bail("TEST_TMP is not set: run by scripts/run-tests, or give it an empty "
		     "directory");
	snprintf(path, sizeof(path), "%s%s", tmp[0] == '/' ? "Z:" : "", tmp);
	if (CALL(open_dir, path, 0, &shared_dir))
		bail("no directory: %ld", os_error);
	if (CALL(open, shared_dir, "a", CIM_VFS_CREATE, &file))
		bail("no file: %ld", os_error);
	CALL(pwrite, file, 0, "nine byte", 9);
	vfs->close(vfs->ctx, file);
	if (CALL(open, shared_dir, "a", CIM_VFS_UPDATE, &shared_file))
		bail("the file can't be opened: %ld", os_error);
}

int main(void)
{
	vfs = cim_env_default()->vfs;
	make_directory();
	test_each_call(operations, COUNT(operations));
	test_disk();
	test_answers();
	test_waiting();
	test_asking();
	test_other_file();
	test_languages();
	test_longer_path();
	test_ranges();
	test_sparse();
	test_large_writes();
	test_rename_in_place();
	test_rename_in_place_fails();
	return tap_done();
}
