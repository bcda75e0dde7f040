/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_os.c - the system's environment, as libcim.h promises it
 *
 * The same checks for os/posix.c (natively) and os/win32.c (under Wine, or on Windows). For what
 * needs two processes the program starts itself once more, "t_os ROLE DIRECTORY"; the two tell each
 * other by files in that directory. os_locks.sh uses the roles to set Wine against Linux.
 */
#define _GNU_SOURCE
#include "tap.h"
#include "../os/os.h"

#include <errno.h>

#ifdef _WIN32
#include <windows.h>
#include <process.h>
#include "windisk.h"
#else
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#define SEP "/"
#ifdef _WIN32
#define ON_WINDOWS true
#else
#define ON_WINDOWS false
#endif

static const struct cim_env *env;
static const struct cim_vfs *vfs;
static const char *program;
static char top[1024];
static long os_error; /* of the last call */

#define CALL(function, ...) vfs->function(vfs->ctx, __VA_ARGS__, &os_error)

/* Two statuses; their names are printed if they differ. */
#define IS_STATUS(got, want, ...) is_str(cim_status_name(got), cim_status_name(want), __VA_ARGS__)

/* ---- what the tests need of the system besides ---- */

#ifdef _WIN32
static void make_dir(const char *path)
{
	WCHAR wide[4096] = L"\\\\?\\";
	size_t n;

	for (n = 0; path[n] && n + 5 < 4096; n++)
		wide[n + 4] = path[n] == '/' ? '\\' : (unsigned char)path[n];
	wide[n + 4] = 0;
	if (!CreateDirectoryW(wide, NULL))
		bail("can't make directory %s: error %lu", path, GetLastError());
}

static intptr_t start_role(const char *role, const char *dir)
{
	char quoted[1400];

	snprintf(quoted, sizeof(quoted), "\"%s\"", dir);
	return _spawnl(_P_NOWAIT, program, "t_os", role, quoted, NULL);
}

static int wait_role(intptr_t process)
{
	int code = -1;

	_cwait(&code, process, 0);
	return code;
}

static void kill_role(intptr_t process)
{
	TerminateProcess((HANDLE)process, 9);
	WaitForSingleObject((HANDLE)process, INFINITE);
	CloseHandle((HANDLE)process);
}
#else
static void make_dir(const char *path)
{
	if (mkdir(path, 0777) < 0)
		bail("can't make directory %s: %s", path, strerror(errno));
}

static intptr_t start_role(const char *role, const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(program, "t_os", role, dir, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int wait_role(intptr_t process)
{
	int status = -1;

	waitpid((pid_t)process, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void kill_role(intptr_t process)
{
	kill((pid_t)process, SIGKILL);
	waitpid((pid_t)process, NULL, 0);
}
#endif

/* A new directory for one test; its path stays valid until the next call. */
static const char *fresh_dir(const char *name)
{
	static char path[1200];

	snprintf(path, sizeof(path), "%s" SEP "%s", top, name);
	make_dir(path);
	return path;
}

static cim_vfs_dir *open_dir(const char *path, unsigned flags)
{
	enum cim_status status;
	cim_vfs_dir *dir;

	status = CALL(open_dir, path, flags, &dir);
	if (status != CIM_OK)
		bail("can't open directory %s: %s, %ld", path, cim_status_name(status), os_error);
	return dir;
}

static cim_vfs_file *open_file(cim_vfs_dir *dir, const char *name, enum cim_vfs_mode mode)
{
	enum cim_status status;
	cim_vfs_file *file;

	status = CALL(open, dir, name, mode, &file);
	if (status != CIM_OK)
		bail("can't open %s: %s, %ld", name, cim_status_name(status), os_error);
	return file;
}

/* Make a file that holds @text. */
static void make_file(cim_vfs_dir *dir, const char *name, const char *text)
{
	cim_vfs_file *file = open_file(dir, name, CIM_VFS_CREATE);

	if (CALL(pwrite, file, 0, text, strlen(text)) != CIM_OK)
		bail("can't write %s: %ld", name, os_error);
	vfs->close(vfs->ctx, file);
}

/* What a file holds, or the name of the status that opening it gave. */
static const char *content(cim_vfs_dir *dir, const char *name)
{
	static char text[256];
	enum cim_status status;
	cim_vfs_file *file;
	size_t got;

	status = CALL(open, dir, name, CIM_VFS_READ, &file);
	if (status != CIM_OK)
		return cim_status_name(status);
	status = CALL(pread, file, 0, text, sizeof(text) - 1, &got);
	vfs->close(vfs->ctx, file);
	text[got] = 0;
	return status == CIM_OK ? text : cim_status_name(status);
}

static enum cim_status try_open(cim_vfs_dir *dir, const char *name, enum cim_vfs_mode mode)
{
	enum cim_status status;
	cim_vfs_file *file;

	os_error = -1;
	status = CALL(open, dir, name, mode, &file);
	if (status == CIM_OK)
		vfs->close(vfs->ctx, file);
	else if (file)
		diag("*file is not NULL after %s", cim_status_name(status));
	return status;
}

static enum cim_status try_open_dir(const char *path, unsigned flags)
{
	enum cim_status status;
	cim_vfs_dir *dir;

	status = CALL(open_dir, path, flags, &dir);
	if (status == CIM_OK)
		vfs->close_dir(vfs->ctx, dir);
	return status;
}

/* Wait for a file to appear, up to 30 s. */
static bool wait_for(cim_vfs_dir *dir, const char *name)
{
	uint64_t end = env->now_ms(env->clock_ctx) + 30000;

	while (env->now_ms(env->clock_ctx) < end) {
		if (try_open(dir, name, CIM_VFS_READ) == CIM_OK)
			return true;
		env->sleep_ms(env->clock_ctx, 5);
	}
	return false;
}

/* ---- roles of the second process ---- */

static int role_hold(const char *role, const char *path)
{
	bool lock_dir = !strcmp(role, "hold-dir");
	cim_vfs_dir *dir = open_dir(path, lock_dir ? CIM_VFS_DIR_LOCK : 0);
	cim_vfs_file *file = NULL;

	if (!strcmp(role, "hold-alone") || !strcmp(role, "hold-shared")) {
		if (CALL(hold, dir, "victim", 0, !strcmp(role, "hold-alone"), &file) != CIM_OK)
			bail("can't hold: %ld", os_error);
	} else if (!strcmp(role, "hold-lock")) {
		file = open_file(dir, "victim", CIM_VFS_CREATE);
		if (CALL(lock, file, 0, CIM_LOCK_ALONE, false) != CIM_OK)
			bail("can't lock: %ld", os_error);
	} else if (!strcmp(role, "hold-open")) {
		file = open_file(dir, "target", CIM_VFS_READ);
	}
	make_file(dir, "ready", "");
	wait_for(dir, "stop");
	vfs->close(vfs->ctx, file);
	vfs->close_dir(vfs->ctx, dir);
	return 0;
}

static const char *const lock_words[] = {
	[CIM_LOCK_NONE] = "free",
	[CIM_LOCK_SHARED] = "shared",
	[CIM_LOCK_ALONE] = "locked",
};

/* Print what is asked, as one word; for os_locks.sh. */
static int role_probe(const char *role, const char *path)
{
	enum cim_status status;
	cim_vfs_dir *dir;
	enum cim_vfs_lock lock = CIM_LOCK_NONE;

	if (!strcmp(role, "probe-dir")) {
		puts(cim_status_name(try_open_dir(path, CIM_VFS_DIR_LOCK)));
		return 0;
	}
	dir = open_dir(path, 0);
	if (!strcmp(role, "probe-alone") || !strcmp(role, "probe-shared")) {
		cim_vfs_file *file;

		status = CALL(hold, dir, "victim", 0, !strcmp(role, "probe-alone"), &file);
		puts(cim_status_name(status));
		if (status == CIM_OK)
			vfs->close(vfs->ctx, file);
	} else if (!strcmp(role, "probe-replace")) {
		status = CALL(rename, dir, "from", "target", 0);
		puts(cim_status_name(status));
	} else {
		status = CALL(is_locked, dir, "victim", 0, &lock);
		puts(status != CIM_OK ? cim_status_name(status) : lock_words[lock]);
	}
	vfs->close_dir(vfs->ctx, dir);
	return 0;
}

/* Ask time and again for the lock of a file that nobody keeps alone; 1 if somebody seems to. */
static int role_ask(const char *path)
{
	cim_vfs_dir *dir = open_dir(path, 0);
	enum cim_vfs_lock lock = CIM_LOCK_NONE;

	try_open(dir, "ready", CIM_VFS_CREATE);
	for (int i = 0; i < 500 && lock != CIM_LOCK_ALONE; i++)
		if (CALL(is_locked, dir, "victim", 0, &lock) != CIM_OK)
			bail("can't ask for the lock: %ld", os_error);
	vfs->close_dir(vfs->ctx, dir);
	return lock == CIM_LOCK_ALONE;
}

static int run_role(const char *role, const char *path)
{
	if (!strcmp(role, "ask"))
		return role_ask(path);
	if (!strncmp(role, "hold-", 5))
		return role_hold(role, path);
	if (!strncmp(role, "probe-", 6))
		return role_probe(role, path);
	fprintf(stderr, "t_os: no role %s\n", role);
	return 2;
}

/* ---- the tests ---- */

static void test_directories(void)
{
	const char *path = fresh_dir("directories");
	char other[1300];
	cim_vfs_dir *dir = open_dir(path, 0);

	make_file(dir, "file", "x");
	vfs->close_dir(vfs->ctx, dir);

	snprintf(other, sizeof(other), "%s" SEP "missing", path);
	os_error = 0;
	dir = (cim_vfs_dir *)&other;
	IS_STATUS(CALL(open_dir, other, 0, &dir), CIM_E_PATH_NOT_FOUND,
		  "open_dir: a missing directory");
	ok(!dir && os_error, "open_dir: no handle after a failure, the system's code is told");
	IS_STATUS(try_open_dir(other, CIM_VFS_DIR_LOCK), CIM_E_PATH_NOT_FOUND,
		  "open_dir with the lock: a missing directory");
	snprintf(other, sizeof(other), "%s" SEP "file", path);
	IS_STATUS(try_open_dir(other, 0), CIM_E_PATH_NOT_FOUND, "open_dir: a file");
	IS_STATUS(try_open_dir(other, CIM_VFS_DIR_LOCK), CIM_E_PATH_NOT_FOUND,
		  "open_dir with the lock: a file");
	snprintf(other, sizeof(other), "%s" SEP "file" SEP "below", path);
	IS_STATUS(try_open_dir(other, 0), CIM_E_PATH_NOT_FOUND, "open_dir: below a file");
	IS_STATUS(try_open_dir("", 0), CIM_E_PATH_NOT_FOUND, "open_dir: an empty path");
	snprintf(other, sizeof(other), "%s" SEP, path);
	IS_STATUS(try_open_dir(other, 0), CIM_OK, "open_dir: a separator at the end");
	IS_STATUS(try_open_dir(".", 0), CIM_OK, "open_dir: the current directory");
	snprintf(other, sizeof(other), "%s" SEP ".." SEP ".", path);
	IS_STATUS(try_open_dir(other, 0), CIM_OK, "open_dir: '..' and '.' in the path");
	IS_STATUS(try_open_dir("/", 0), CIM_OK, "open_dir: a root");
}

#ifdef _WIN32
static void test_windows_paths(void)
{
	const char *path = fresh_dir("windows paths");
	char other[1300];
	cim_vfs_dir *dir = open_dir(path, 0);

	make_file(dir, "file", "seen");
	vfs->close_dir(vfs->ctx, dir);

	snprintf(other, sizeof(other), "\\\\?\\%s\\", path);
	for (char *p = other; *p; p++)
		if (*p == '/')
			*p = '\\';
	dir = open_dir(other, 0);
	is_str(content(dir, "file"), "seen", "a path that begins with \\\\?\\ and ends with \\");
	vfs->close_dir(vfs->ctx, dir);
	other[strlen(other) - 1] = 0;
	dir = open_dir(other + 4, 0);
	is_str(content(dir, "FILE"), "seen", "a path with \\; the name in other case");
	vfs->close_dir(vfs->ctx, dir);
	IS_STATUS(try_open_dir("C:\\", 0), CIM_OK, "the root of a drive");
	IS_STATUS(try_open_dir("\\\\?\\C:\\", 0), CIM_OK, "the root of a drive, with \\\\?\\");
	IS_STATUS(try_open_dir("C:", 0), CIM_OK, "a drive's current directory");
	IS_STATUS(try_open_dir("Q:\\x", 0), CIM_E_PATH_NOT_FOUND, "a drive that isn't there");
	IS_STATUS(try_open_dir("bad\xff", 0), CIM_E_PATH_NOT_FOUND, "a path that is no UTF-8");
	IS_STATUS(try_open_dir("a*?b", 0), CIM_E_PATH_NOT_FOUND, "a path with wildcards");
	IS_STATUS(try_open_dir("NUL", 0), CIM_E_PATH_NOT_FOUND, "a device");
}
#endif

static void test_names(void)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/", "../x"};
	cim_vfs_dir *dir = open_dir(fresh_dir("names"), 0);
	enum cim_status status;
	char long_name[600];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		IS_STATUS(try_open(dir, bad[i], CIM_VFS_CREATE), CIM_E_INVALID,
			  "create: '%s' is no name", bad[i]);
		IS_STATUS(try_open(dir, bad[i], CIM_VFS_READ), CIM_E_INVALID,
			  "open: '%s' is no name", bad[i]);
		IS_STATUS(CALL(remove, dir, bad[i]), CIM_E_INVALID, "remove: '%s' is no name",
			  bad[i]);
		IS_STATUS(CALL(rename, dir, "x", bad[i], 0), CIM_E_INVALID,
			  "rename: '%s' is no name", bad[i]);
	}
	memset(long_name, 'n', sizeof(long_name));
	long_name[300] = 0;
	status = try_open(dir, long_name, CIM_VFS_CREATE);
	ok(status == CIM_E_INVALID || status == CIM_E_PATH_NOT_FOUND || status == CIM_E_IO,
	   "create: a name of 300 characters is refused: %s, %ld", cim_status_name(status),
	   os_error);
	long_name[255] = 0;
	IS_STATUS(try_open(dir, long_name, CIM_VFS_CREATE), CIM_OK,
		  "create: a name of 255 characters");
	if (ON_WINDOWS) {
		IS_STATUS(try_open(dir, "a\\b", CIM_VFS_CREATE), CIM_E_INVALID,
			  "create: '\\' in a name");
		IS_STATUS(try_open(dir, "a:b", CIM_VFS_CREATE), CIM_E_INVALID,
			  "create: ':' in a name");
		IS_STATUS(try_open(dir, "bad\xff", CIM_VFS_CREATE), CIM_E_INVALID,
			  "create: a name that is no UTF-8");
	}
	vfs->close_dir(vfs->ctx, dir);
}

static void test_create_and_open(void)
{
	const char *path = fresh_dir("create and open");
	char sub[1300];
	cim_vfs_dir *dir;

	snprintf(sub, sizeof(sub), "%s" SEP "sub", path);
	make_dir(sub);
	dir = open_dir(path, 0);
	IS_STATUS(try_open(dir, "new", CIM_VFS_READ), CIM_E_FILE_NOT_FOUND, "open: a missing file");
	ok(os_error > 0, "open: the system's code is told (%ld)", os_error);
	IS_STATUS(try_open(dir, "new", CIM_VFS_CREATE), CIM_OK, "create a file");
	IS_STATUS(try_open(dir, "new", CIM_VFS_CREATE), CIM_E_EXISTS, "create: the name is taken");
	IS_STATUS(try_open(dir, "new", CIM_VFS_READ), CIM_OK, "open it");
	IS_STATUS(try_open(dir, "sub", CIM_VFS_READ), CIM_E_ACCESS, "open: a directory");
	IS_STATUS(try_open(dir, "sub", CIM_VFS_CREATE), CIM_E_EXISTS,
		  "create: the name is a directory's");
	IS_STATUS(CALL(remove, dir, "new"), CIM_OK, "remove it");
	IS_STATUS(CALL(remove, dir, "new"), CIM_E_FILE_NOT_FOUND, "remove: a missing file");
	IS_STATUS(CALL(remove, dir, "sub"), CIM_E_ACCESS, "remove: a directory");
	vfs->close_dir(vfs->ctx, dir);
	vfs->close_dir(vfs->ctx, NULL);
	vfs->close(vfs->ctx, NULL);
}

/* Read @len bytes at @offset; "" and the bytes read, or a status. */
static const char *read_at(cim_vfs_file *file, uint64_t offset, size_t len)
{
	static char text[256];
	enum cim_status status;
	size_t got = 99;

	memset(text, '#', sizeof(text));
	status = CALL(pread, file, offset, text, len, &got);
	if (status != CIM_OK)
		return cim_status_name(status);
	for (size_t i = 0; i < got; i++)
		if (!text[i])
			text[i] = '0';
	text[got] = 0;
	return text;
}

static uint64_t size_of(cim_vfs_file *file)
{
	uint64_t size = 999;

	if (CALL(size, file, &size) != CIM_OK)
		return UINT64_MAX;
	return size;
}

static void test_read_and_write(void)
{
	const uint64_t distant = UINT64_C(5) << 30;
	enum cim_status status;
	cim_vfs_dir *dir = open_dir(fresh_dir("read and write"), 0);
	cim_vfs_file *file = open_file(dir, "file", CIM_VFS_CREATE);
	cim_vfs_file *reader = open_file(dir, "file", CIM_VFS_READ);

	is_int(size_of(file), 0, "a new file is empty");
	is_str(read_at(file, 0, 10), "", "reading an empty file");
	IS_STATUS(CALL(pwrite, file, 0, "abcdef", 6), CIM_OK, "write");
	is_str(read_at(file, 0, 6), "abcdef", "read all");
	is_str(read_at(reader, 2, 3), "cde", "read in the middle, by another handle");
	is_str(read_at(file, 4, 100), "ef", "a read across the end is short");
	is_str(read_at(file, 6, 1), "", "a read at the end");
	is_str(read_at(file, 7, 1), "", "a read past the end");
	is_str(read_at(file, UINT64_MAX, 5), "", "a read at 2^64 - 1");
	is_str(read_at(file, INT64_MAX - 1, 5), "", "a read at 2^63 - 2");
	is_str(read_at(file, INT64_MAX, 5), "", "a read at 2^63 - 1");
	is_str(read_at(file, 0, 0), "", "a read of nothing");
	IS_STATUS(CALL(pwrite, file, 100, "", 0), CIM_OK, "write nothing at 100");
	is_int(size_of(file), 6, "that doesn't change the size");
	IS_STATUS(CALL(pwrite, file, 9, "XY", 2), CIM_OK, "write past the end");
	is_str(read_at(file, 0, 20), "abcdef000XY", "the gap is zeros");
	IS_STATUS(CALL(pwrite, file, 1, "--", 2), CIM_OK, "overwrite");
	is_str(read_at(file, 0, 20), "a--def000XY", "only that changed");
	IS_STATUS(CALL(truncate, file, 4), CIM_OK, "truncate");
	is_str(read_at(reader, 0, 20), "a--d", "what is left");
	IS_STATUS(CALL(truncate, file, 8), CIM_OK, "lengthen by truncate");
	is_str(read_at(reader, 0, 20), "a--d0000", "the new part is zeros");
	IS_STATUS(CALL(pwrite, file, distant, "end", 3), CIM_OK, "write at 5 GiB");
	is_hex(size_of(reader), distant + 3, "the size is past 4 GiB");
	is_str(read_at(reader, distant - 2, 9), "00end", "read there");
	is_str(read_at(reader, distant - (UINT64_C(4) << 30), 3), "000", "not 4 GiB before");
	IS_STATUS(CALL(sync, file), CIM_OK, "sync");
	IS_STATUS(CALL(truncate, file, distant * 2), CIM_OK, "lengthen to 10 GiB");
	is_hex(size_of(reader), distant * 2, "the size");
	is_str(read_at(reader, distant * 2 - 2, 9), "00", "read there");
	IS_STATUS(CALL(pwrite, file, INT64_MAX, "ab", 2), CIM_E_TOO_LARGE, "write across 2^63");
	IS_STATUS(CALL(pwrite, file, UINT64_MAX, "ab", 2), CIM_E_TOO_LARGE, "write across 2^64");
	IS_STATUS(CALL(truncate, file, UINT64_MAX), CIM_E_TOO_LARGE, "truncate to 2^64 - 1");
	status = CALL(pwrite, file, UINT64_C(1) << 62, "ab", 2);
	ok(status == CIM_OK || status == CIM_E_TOO_LARGE,
	   "write at 2^62: %s, as the file system can", cim_status_name(status));
	status = CALL(truncate, file, UINT64_C(1) << 62);
	ok(status == CIM_OK || status == CIM_E_TOO_LARGE,
	   "truncate to 2^62: %s, as the file system can", cim_status_name(status));
	CALL(truncate, file, distant * 2);
	is_hex(size_of(reader), distant * 2, "failures leave the size as it was");
	ok(CALL(pwrite, reader, 0, "x", 1) != CIM_OK, "a file opened to read can't be written");
	vfs->close(vfs->ctx, reader);
	vfs->close(vfs->ctx, file);
	CALL(remove, dir, "file");
	vfs->close_dir(vfs->ctx, dir);
}

/* More than the system takes at once would need gigabytes; a few megabytes show the loops. */
static void test_large_buffer(const char *name)
{
	const size_t size = 8u << 20;
	cim_vfs_dir *dir = open_dir(fresh_dir(name), 0);
	cim_vfs_file *file = open_file(dir, "file", CIM_VFS_CREATE);
	uint32_t *out = malloc(size);
	uint32_t *in = malloc(size);
	size_t got;

	if (!out || !in)
		bail("no memory");
	for (size_t i = 0; i < size / sizeof(*out); i++)
		out[i] = (uint32_t)(i * 2654435761u);
	IS_STATUS(CALL(pwrite, file, 3, out, size), CIM_OK, "write 8 MiB");
	IS_STATUS(CALL(pread, file, 3, in, size, &got), CIM_OK, "read 8 MiB");
	is_int(got, size, "all of it");
	is_mem(in, out, size, "the same bytes");
	free(in);
	free(out);
	vfs->close(vfs->ctx, file);
	vfs->close_dir(vfs->ctx, dir);
}

static void test_rename(void)
{
	const char *path = fresh_dir("rename");
	char sub[1300];
	cim_vfs_file *file;
	cim_vfs_dir *dir;

	snprintf(sub, sizeof(sub), "%s" SEP "sub", path);
	make_dir(sub);
	dir = open_dir(path, 0);
	make_file(dir, "a", "A");
	make_file(dir, "b", "B");
	IS_STATUS(CALL(rename, dir, "a", "b", CIM_VFS_NOREPLACE), CIM_E_EXISTS,
		  "rename without replacing: the name is taken");
	is_str(content(dir, "a"), "A", "the source is as before");
	is_str(content(dir, "b"), "B", "the target is as before");
	IS_STATUS(CALL(rename, dir, "a", "sub", CIM_VFS_NOREPLACE), CIM_E_EXISTS,
		  "rename without replacing: the name is a directory's");
	IS_STATUS(CALL(rename, dir, "a", "c", CIM_VFS_NOREPLACE), CIM_OK,
		  "rename without replacing: the name is free");
	is_str(content(dir, "a"), "CIM_E_FILE_NOT_FOUND", "the old name is gone");
	is_str(content(dir, "c"), "A", "the new name has the file");
	IS_STATUS(CALL(rename, dir, "c", "b", 0), CIM_OK, "rename replacing");
	is_str(content(dir, "c"), "CIM_E_FILE_NOT_FOUND", "the old name is gone");
	is_str(content(dir, "b"), "A", "the target is replaced");
	IS_STATUS(CALL(rename, dir, "none", "b", 0), CIM_E_FILE_NOT_FOUND,
		  "rename: a missing source");
	IS_STATUS(CALL(rename, dir, "none", "d", CIM_VFS_NOREPLACE), CIM_E_FILE_NOT_FOUND,
		  "rename without replacing: a missing source");
	IS_STATUS(CALL(rename, dir, "b", "sub", 0), CIM_E_ACCESS,
		  "rename: the target is a directory");
	is_str(content(dir, "b"), "A", "the source is as before");

	/* D45 renames region files that the session has open. */
	file = open_file(dir, "open", CIM_VFS_CREATE);
	IS_STATUS(CALL(rename, dir, "open", "moved", CIM_VFS_NOREPLACE), CIM_OK,
		  "rename a file that we have open");
	IS_STATUS(CALL(rename, dir, "moved", "b", 0), CIM_OK, "rename it over another");
	IS_STATUS(CALL(pwrite, file, 0, "still", 5), CIM_OK, "it can still be written");
	is_str(content(dir, "b"), "still", "and is the one we renamed");
	vfs->close(vfs->ctx, file);
	vfs->close_dir(vfs->ctx, dir);
}

static void test_replace_open_file(void)
{
	const char *path = fresh_dir("replace open file");
	const enum cim_status want = ON_WINDOWS ? CIM_E_SHARING : CIM_OK;
	cim_vfs_dir *dir = open_dir(path, CIM_VFS_DIR_LOCK);
	cim_vfs_dir *second;
	cim_vfs_file *file;
	intptr_t child;

	make_file(dir, "from", "new");
	make_file(dir, "target", "old");
	file = open_file(dir, "target", CIM_VFS_READ);
	IS_STATUS(CALL(rename, dir, "from", "target", 0), want,
		  "replace a file that this process has open");
	is_str(read_at(file, 0, 9), "old", "who has it open reads the old one");
	is_str(content(dir, "target"), ON_WINDOWS ? "old" : "new", "what the name shows");
	vfs->close(vfs->ctx, file);
	if (ON_WINDOWS)
		IS_STATUS(CALL(rename, dir, "from", "target", 0), CIM_OK,
			  "once closed it can be replaced");
	is_str(content(dir, "target"), "new", "it was replaced");

	make_file(dir, "from", "newer");
	child = start_role("hold-open", path);
	ok(wait_for(dir, "ready"), "another process has the file open");
	IS_STATUS(CALL(rename, dir, "from", "target", 0), want,
		  "replace a file that another process has open");
	make_file(dir, "stop", "");
	is_int(wait_role(child), 0, "the other process ends");
	if (ON_WINDOWS)
		IS_STATUS(CALL(rename, dir, "from", "target", 0), CIM_OK,
			  "then it can be replaced");
	is_str(content(dir, "target"), "newer", "it was replaced");
	second = open_dir(path, 0);
	make_file(second, "from", "newest");
	IS_STATUS(CALL(rename, second, "from", "target", 0), CIM_OK,
		  "replace in a directory that is locked, without having the lock");
	vfs->close_dir(vfs->ctx, second);
	vfs->close_dir(vfs->ctx, dir);
}

struct listing {
	char names[512];
	unsigned count;
	unsigned stop_at;
};

static enum cim_status add_name(void *arg, const char *name)
{
	struct listing *listing = arg;
	size_t len = strlen(listing->names);

	snprintf(listing->names + len, sizeof(listing->names) - len, "[%s]", name);
	listing->count++;
	return listing->count == listing->stop_at ? CIM_E_ABORTED : CIM_OK;
}

#ifndef _WIN32
/* Open a file in a process that has no standard input. */
static enum cim_status without_stdin(cim_vfs_dir *dir, const char *name)
{
	const int input = dup(0);
	enum cim_status status;

	close(0);
	status = try_open(dir, name, CIM_VFS_READ);
	if (input >= 0) {
		dup2(input, 0);
		close(input);
	}
	return status;
}
#endif

static void test_list(void)
{
	const char *path = fresh_dir("list");
	struct listing listing = {0};
	char sub[1300];
	cim_vfs_dir *dir = open_dir(path, 0);

	IS_STATUS(CALL(list, dir, add_name, &listing), CIM_OK, "list nothing");
	is_str(listing.names, "", "an empty directory has no names");
	snprintf(sub, sizeof(sub), "%s" SEP "sub", path);
	make_dir(sub);
	make_file(dir, "one", "");
	make_file(dir, ".hidden", "");
	make_file(dir, "three", "");
	IS_STATUS(CALL(list, dir, add_name, &listing), CIM_OK, "list");
	is_int(listing.count, 3, "three names: %s", listing.names);
	ok(strstr(listing.names, "[one]") && strstr(listing.names, "[.hidden]") &&
		   strstr(listing.names, "[three]"),
	   "the files' names: %s", listing.names);
	memset(&listing, 0, sizeof(listing));
	IS_STATUS(CALL(list, dir, add_name, &listing), CIM_OK, "list again");
	is_int(listing.count, 3, "each listing begins at the beginning");
	memset(&listing, 0, sizeof(listing));
	listing.stop_at = 2;
	IS_STATUS(CALL(list, dir, add_name, &listing), CIM_E_ABORTED,
		  "what the callback returns stops the listing and is returned");
	is_int(listing.count, 2, "and nothing more is listed");
#ifndef _WIN32
	memset(&listing, 0, sizeof(listing));
	snprintf(sub, sizeof(sub), "%s/fifo", path);
	mkfifo(sub, 0666);
	snprintf(sub, sizeof(sub), "%s/link", path);
	if (symlink("one", sub) < 0)
		bail("symlink: %s", strerror(errno));
	snprintf(sub, sizeof(sub), "%s/dirlink", path);
	if (symlink("sub", sub) < 0)
		bail("symlink: %s", strerror(errno));
	IS_STATUS(CALL(list, dir, add_name, &listing), CIM_OK,
		  "list with a FIFO, a link to a file and a link to a directory");
	is_int(listing.count, 4, "only the link to a file is counted: %s", listing.names);
	IS_STATUS(try_open(dir, "fifo", CIM_VFS_READ), CIM_E_ACCESS,
		  "opening a FIFO fails at once");
	IS_STATUS(try_open(dir, "fifo", CIM_VFS_READ_ANY), CIM_E_ACCESS,
		  "also where a block device would do");
	is_int(os_error, 0, "the system has no code for that");
	os_error = 77;
	IS_STATUS(try_open(dir, "..", CIM_VFS_READ), CIM_E_INVALID, "a name that is no component");
	is_int(os_error, 0, "nor for that");
	snprintf(sub, sizeof(sub), "%s/null", path);
	if (symlink("/dev/null", sub) < 0)
		bail("symlink: %s", strerror(errno));
	IS_STATUS(try_open(dir, "null", CIM_VFS_READ_ANY), CIM_E_ACCESS,
		  "a character device is none");
	IS_STATUS(without_stdin(dir, "one"), CIM_OK, "descriptor 0 is one as any other");
#endif
	vfs->close_dir(vfs->ctx, dir);
}

static void test_unicode_names(void)
{
	/* Two-, three- and four-byte characters, and what Win32 paths lose at their end. */
	static const char *const names[] = {"ünïcødé", "漢字", "💾 disk", " spaces ", "dots.."};
	cim_vfs_dir *dir = open_dir(fresh_dir("unicode"), 0);
	struct listing listing = {0};
	enum cim_status status;
	char bracketed[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		make_file(dir, names[i], names[i]);
	IS_STATUS(CALL(list, dir, add_name, &listing), CIM_OK, "list");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(bracketed, sizeof(bracketed), "[%s]", names[i]);
		ok(strstr(listing.names, bracketed), "'%s' is listed", names[i]);
		is_str(content(dir, names[i]), names[i], "'%s' can be opened", names[i]);
	}
	status = try_open(dir, "lone\xed\xa0\x80", CIM_VFS_CREATE);
	if (status != CIM_OK) {
		diag("a lone surrogate: %s, %ld", cim_status_name(status), os_error);
		skip("this system has no such names", "a lone surrogate in a name");
	} else {
		memset(&listing, 0, sizeof(listing));
		CALL(list, dir, add_name, &listing);
		if (strstr(listing.names, "[lone\xed\xa0\x80]"))
			ok(true, "a lone surrogate in a name is kept");
		else
			skip("this system changes such names", "a lone surrogate in a name");
	}
	vfs->close_dir(vfs->ctx, dir);
}

static void test_long_path(void)
{
	char path[3000];
	size_t len;
	cim_vfs_dir *dir;

	snprintf(path, sizeof(path), "%s", fresh_dir("long path"));
	len = strlen(path);
	for (int i = 0; i < 12; i++) {
		len += (size_t)snprintf(path + len, sizeof(path) - len,
					SEP "a directory with a rather long name, number %d", i);
		make_dir(path);
	}
	dir = open_dir(path, CIM_VFS_DIR_LOCK);
	make_file(dir, "a file", "deep");
	is_str(content(dir, "a file"), "deep", "a file at the end of a path of %u characters",
	       (unsigned)len);
	IS_STATUS(CALL(rename, dir, "a file", "another", CIM_VFS_NOREPLACE), CIM_OK, "rename it");
	make_file(dir, "a file", "deeper");
	IS_STATUS(CALL(rename, dir, "a file", "another", 0), CIM_OK, "rename over it");
	is_str(content(dir, "another"), "deeper", "it was replaced");
	IS_STATUS(CALL(sync_dir, dir), CIM_OK, "sync the directory");
	IS_STATUS(CALL(remove, dir, "another"), CIM_OK, "remove it");
	vfs->close_dir(vfs->ctx, dir);
}

#ifdef _WIN32
/* What os/win32.c imports of the system, in place of the import library's. */
#ifdef _WIN64
#define IMPORT(name, bytes) __asm__("__imp_" name)
#else
#define IMPORT(name, bytes) __asm__("__imp__" name "@" bytes)
#endif

static unsigned slept;
static bool nameless_type;

static void WINAPI count_sleep(DWORD ms)
{
	slept += ms;
	SleepEx(ms, FALSE);
}

static DWORD WINAPI file_type(HANDLE handle)
{
	typedef DWORD(WINAPI * get_file_type)(HANDLE);
	HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
	get_file_type real = (get_file_type)(void *)GetProcAddress(kernel, "GetFileType");

	return nameless_type ? FILE_TYPE_UNKNOWN : real(handle);
}

extern void(WINAPI *imported_sleep)(DWORD) IMPORT("Sleep", "4");
extern DWORD(WINAPI *imported_file_type)(HANDLE) IMPORT("GetFileType", "4");
void(WINAPI *imported_sleep)(DWORD) = count_sleep;
DWORD(WINAPI *imported_file_type)(HANDLE) = file_type;

#define CANT_LOOK(yes) (nameless_type = (yes))
#else
static bool no_fstat;

int __real_fstat64(int fd, struct stat64 *st);
int __wrap_fstat64(int fd, struct stat64 *st);
int __wrap_fstat64(int fd, struct stat64 *st)
{
	if (no_fstat) {
		errno = EIO;
		return -1;
	}
	return __real_fstat64(fd, st);
}

#define CANT_LOOK(yes) (no_fstat = (yes))
#endif

/* What was created and can't be looked at is removed again; what was there before is not. */
static void test_unknown_file(void)
{
	cim_vfs_dir *dir = open_dir(fresh_dir("unknown"), 0);
	enum cim_status created, opened;

	make_file(dir, "old", "old");
	CANT_LOOK(true);
	created = try_open(dir, "new", CIM_VFS_CREATE);
	opened = try_open(dir, "old", CIM_VFS_UPDATE);
	CANT_LOOK(false);
	ok(created && opened, "files that can't be looked at aren't opened: %s, %s",
	   cim_status_name(created), cim_status_name(opened));
	is_str(content(dir, "new"), "CIM_E_FILE_NOT_FOUND", "the new one is gone");
	is_str(content(dir, "old"), "old", "the old one stays");
	vfs->close_dir(vfs->ctx, dir);
}

static const char *locked_word(cim_vfs_dir *dir, const char *name)
{
	enum cim_vfs_lock lock = CIM_LOCK_ALONE;
	enum cim_status status;

	status = CALL(is_locked, dir, name, 0, &lock);
	if (status != CIM_OK)
		return lock ? "locked in spite of failure" : cim_status_name(status);
	return lock_words[lock];
}

#ifdef _WIN32
static void asked_at_once(cim_vfs_dir *dir)
{
	cim_vfs_file *file;

	file = open_file(dir, "unlocked", CIM_VFS_CREATE);
	slept = 0;
	is_str(locked_word(dir, "unlocked"), "free", "a file that others can't open to write");
	is_int(slept, 0, "is told at once");
	CALL(lock, file, 0, CIM_LOCK_ALONE, false);
	is_str(locked_word(dir, "unlocked"), "locked", "a session's lock");
	is_int(slept, 0, "is told at once");
	vfs->close(vfs->ctx, file);
	file = open_file(dir, "unlocked", CIM_VFS_UPDATE);
	CALL(lock, file, 0, CIM_LOCK_ALONE, false);
	is_str(locked_word(dir, "unlocked"), "locked", "one in a file that may be written");
	vfs->close(vfs->ctx, file);
	file = open_file(dir, "unlocked", CIM_VFS_READ);
	CALL(lock, file, 0, CIM_LOCK_SHARED, false);
	is_str(locked_word(dir, "unlocked"), "shared", "and a shared one");
	is_int(slept, 0, "are told at once");
	vfs->close(vfs->ctx, file);
}
#endif

#ifndef _WIN32
/* Another program, as Wine is one, must find a lock at the same byte (D36). */
static void is_locked_at(const char *path, uint64_t number)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[4200];
	int fd;

	snprintf(name, sizeof(name), "%s/mine", path);
	fd = open(name, O_RDWR);
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &range) < 0)
		bail("%s: %s", name, strerror(errno));
	is_int(range.l_type, F_WRLCK, "lock %u is one of the file", (unsigned)number);
	is_int(range.l_start, (int64_t)((UINT64_C(1) << 62) + number), "at its byte");
	is_int(range.l_len, 1, "of one byte");
	close(fd);
}
#endif

static void test_byte_lock(void)
{
	const char *path = fresh_dir("byte lock");
	cim_vfs_dir *dir = open_dir(path, 0);
	cim_vfs_file *file;
	intptr_t child;

	is_str(locked_word(dir, "mine"), "CIM_E_FILE_NOT_FOUND", "is_locked: a missing file");
	file = open_file(dir, "mine", CIM_VFS_CREATE);
	CALL(pwrite, file, 0, "content", 7);
	is_str(locked_word(dir, "mine"), "free", "an open file is not locked by that");
	IS_STATUS(CALL(lock, file, 0, CIM_LOCK_ALONE, false), CIM_OK, "lock it");
#ifndef _WIN32
	is_locked_at(path, 0);
#endif
	is_str(locked_word(dir, "mine"), "locked", "this process sees its own lock");
	is_str(locked_word(dir, "mine"), "locked", "and asking doesn't end it");
	is_str(content(dir, "mine"), "content", "a locked file can be read");
	IS_STATUS(CALL(pwrite, file, 7, "!", 1), CIM_OK, "and written");
	IS_STATUS(CALL(rename, dir, "mine", "ours", 0), CIM_OK, "and renamed");
	is_str(locked_word(dir, "ours"), "locked", "and is locked under its new name");
	vfs->close(vfs->ctx, file);
	is_str(locked_word(dir, "ours"), "free", "closing it ends the lock");
#ifdef _WIN32
	asked_at_once(dir);
#endif

	child = start_role("hold-lock", path);
	ok(wait_for(dir, "ready"), "another process makes and locks a file");
	is_str(locked_word(dir, "victim"), "locked", "we see its lock");
	file = open_file(dir, "victim", CIM_VFS_READ);
	IS_STATUS(CALL(lock, file, 0, CIM_LOCK_SHARED, false), CIM_E_SHARING,
		  "a share of it can't be had");
	make_file(dir, "stop", "");
	IS_STATUS(CALL(lock, file, 0, CIM_LOCK_SHARED, true), CIM_OK, "but waited for");
	is_int(wait_role(child), 0, "the other process ends");
	is_str(locked_word(dir, "victim"), "shared", "its lock is gone, ours is there");
	vfs->close(vfs->ctx, file);
	is_str(locked_word(dir, "victim"), "free", "until the file is closed");

	CALL(remove, dir, "ready");
	CALL(remove, dir, "stop");
	CALL(remove, dir, "victim");
	child = start_role("hold-lock", path);
	ok(wait_for(dir, "ready"), "another process makes and locks a file once more");
	is_str(locked_word(dir, "victim"), "locked", "we see its lock");
	kill_role(child);
	is_str(locked_word(dir, "victim"), "free", "a lock dies with its process");
	vfs->close_dir(vfs->ctx, dir);
}

/* Who asks for a lock is taken by nobody for one who keeps it. */
static void test_asking_together(void)
{
	const char *path = fresh_dir("asking together");
	cim_vfs_dir *dir = open_dir(path, 0);
	enum cim_status status = CIM_OK;
	intptr_t children[2];
	cim_vfs_file *file;

	make_file(dir, "victim", "text");
	for (int i = 0; i < 2; i++)
		children[i] = start_role("ask", path);
	ok(wait_for(dir, "ready"), "other processes ask for the lock");
	for (int i = 0; i < 200 && status == CIM_OK; i++) {
		file = open_file(dir, "victim", CIM_VFS_READ);
		status = CALL(lock, file, 0, CIM_LOCK_SHARED, false);
		vfs->close(vfs->ctx, file);
	}
	IS_STATUS(status, CIM_OK, "meanwhile it can be had");
	for (int i = 0; i < 2; i++)
		is_int(wait_role(children[i]), 0, "and they don't see each other's asking");
	vfs->close_dir(vfs->ctx, dir);
}

/* hold() a file; its status. *file stays open. */
static enum cim_status try_hold(cim_vfs_dir *dir, const char *name, bool alone, cim_vfs_file **file)
{
	enum cim_status status = CALL(hold, dir, name, 0, alone, file);

	if (status != CIM_OK)
		*file = NULL;
	return status;
}

/* Who holds a file keeps others from it, as lock() does, and may share it. */
static void test_hold(void)
{
	const char *path = fresh_dir("hold");
	cim_vfs_dir *dir = open_dir(path, 0);
	cim_vfs_file *a, *b, *locked;

	IS_STATUS(try_hold(dir, "missing", true, &a), CIM_E_FILE_NOT_FOUND,
		  "hold a file that isn't there");
	IS_STATUS(try_hold(dir, "../x", false, &a), CIM_E_INVALID, "hold what is no component");
	make_file(dir, "victim", "some text");
	IS_STATUS(try_hold(dir, "victim", false, &a), CIM_OK, "hold a file, shared");
	is_str(read_at(a, 5, 4), "text", "it can be read");
	IS_STATUS(CALL(sync, a), CIM_OK, "and synced");
	is_str(content(dir, "victim"), "some text", "others can read it as well");
	is_str(locked_word(dir, "victim"), "shared", "that can be seen, and of which kind it is");
	IS_STATUS(try_hold(dir, "victim", false, &b), CIM_OK, "another one shares it");
	vfs->close(vfs->ctx, b);
	IS_STATUS(try_hold(dir, "victim", true, &b), CIM_E_SHARING, "but nobody has it alone");
	vfs->close(vfs->ctx, a);
	is_str(locked_word(dir, "victim"), "free", "it ends with closing");
	IS_STATUS(try_hold(dir, "victim", true, &a), CIM_OK, "hold it alone");
	IS_STATUS(try_hold(dir, "victim", true, &b), CIM_E_SHARING, "then nobody else does");
	IS_STATUS(try_hold(dir, "victim", false, &b), CIM_E_SHARING, "not even shared");
	IS_STATUS(CALL(remove, dir, "victim"), CIM_OK, "who holds it may remove it");
	vfs->close(vfs->ctx, a);
	IS_STATUS(try_hold(dir, "victim", true, &b), CIM_E_FILE_NOT_FOUND, "then it is gone");
	make_file(dir, "victim", "another");
	IS_STATUS(try_hold(dir, "victim", true, &b), CIM_OK, "and its name is free for another");
	vfs->close(vfs->ctx, b);

	locked = open_file(dir, "own", CIM_VFS_CREATE);
	IS_STATUS(CALL(lock, locked, 0, CIM_LOCK_ALONE, false), CIM_OK, "a session locks its file");
	IS_STATUS(try_hold(dir, "own", false, &b), CIM_E_SHARING, "it can't be held then");
	IS_STATUS(CALL(rename, dir, "own", "renamed", CIM_VFS_NOREPLACE), CIM_OK,
		  "its name may change");
	IS_STATUS(try_hold(dir, "renamed", true, &b), CIM_E_SHARING, "and the lock goes with it");
	vfs->close(vfs->ctx, locked);
	IS_STATUS(try_hold(dir, "renamed", true, &b), CIM_OK, "until it is closed");
	vfs->close(vfs->ctx, b);
	vfs->close_dir(vfs->ctx, dir);
}

/* The same between two processes. */
static void test_hold_processes(void)
{
	for (int alone = 0; alone < 2; alone++) {
		const char *path = fresh_dir(alone ? "hold_alone" : "hold_shared");
		cim_vfs_dir *dir = open_dir(path, 0);
		cim_vfs_file *file;
		intptr_t child;

		make_file(dir, "victim", "text");
		child = start_role(alone ? "hold-alone" : "hold-shared", path);
		wait_for(dir, "ready");
		IS_STATUS(try_hold(dir, "victim", true, &file), CIM_E_SHARING,
			  "what another process holds %s can't be had alone",
			  alone ? "alone" : "shared");
		IS_STATUS(try_hold(dir, "victim", false, &file), alone ? CIM_E_SHARING : CIM_OK,
			  "%s", alone ? "nor shared" : "but shared");
		if (file)
			vfs->close(vfs->ctx, file);
		kill_role(child);
		IS_STATUS(try_hold(dir, "victim", true, &file), CIM_OK, "it ends with the process");
		if (file)
			vfs->close(vfs->ctx, file);
		vfs->close_dir(vfs->ctx, dir);
	}
}

/* Where the bytes of a hollow file begin. The file system need not know, but mustn't be wrong. */
static void test_next_data(void)
{
	const uint64_t late = UINT64_C(64) << 20;
	cim_vfs_dir *dir = open_dir(fresh_dir("hollow"), 0);
	cim_vfs_file *file = open_file(dir, "hollow", CIM_VFS_CREATE);
	uint64_t at = 77;

	IS_STATUS(CALL(next_data, file, 0, &at), CIM_OK, "in an empty file");
	is_int((int64_t)at, 0, "there is nothing");
	CALL(pwrite, file, 0, "begin", 5);
	CALL(pwrite, file, late, "end", 3);
	IS_STATUS(CALL(next_data, file, 0, &at), CIM_OK, "at the beginning");
	is_int((int64_t)at, 0, "there are bytes");
	IS_STATUS(CALL(next_data, file, 3, &at), CIM_OK, "within the bytes");
	is_int((int64_t)at, 3, "it is where one is");
	IS_STATUS(CALL(next_data, file, late / 2, &at), CIM_OK, "in the hole");
	ok(at >= late / 2 && at <= late, "not behind the next bytes: %llu", (unsigned long long)at);
	if (at == late / 2)
		diag("this file system, or system, doesn't tell of holes");
	IS_STATUS(CALL(truncate, file, late * 2), CIM_OK, "a hole at the end");
	IS_STATUS(CALL(next_data, file, late * 3 / 2, &at), CIM_OK, "in it");
	ok(at >= late * 3 / 2 && at <= late * 2, "no further than the end: %llu",
	   (unsigned long long)at);
	for (uint64_t behind = 0; behind < 3; behind++) { /* the last lies behind INT64_MAX */
		uint64_t from = behind == 2 ? UINT64_MAX : late * 2 + behind;

		IS_STATUS(CALL(next_data, file, from, &at), CIM_OK, "at the end, and behind it");
		is_int((int64_t)at, (int64_t)late * 2, "the size, where there are no bytes");
	}
	vfs->close(vfs->ctx, file);
	vfs->close_dir(vfs->ctx, dir);
}

static void test_directory_lock(void)
{
	char path[1300];
	char other_path[1300];
	cim_vfs_dir *locked;
	cim_vfs_dir *reader;
	intptr_t child;

	snprintf(path, sizeof(path), "%s", fresh_dir("directory lock"));
	snprintf(other_path, sizeof(other_path), "%s", fresh_dir("other directory lock"));
	reader = open_dir(path, 0);
	locked = open_dir(path, CIM_VFS_DIR_LOCK);
	ok(locked, "lock a directory that a reader has open");
	IS_STATUS(try_open_dir(path, CIM_VFS_DIR_LOCK), CIM_E_SHARING,
		  "a second lock in the same process");
	IS_STATUS(try_open_dir(path, 0), CIM_OK, "a reader may open it");
	IS_STATUS(try_open_dir(other_path, CIM_VFS_DIR_LOCK), CIM_OK,
		  "another directory may be locked");
	make_file(locked, "file", "x");
	is_str(content(reader, "file"), "x", "files are made and read in a locked directory");
	make_file(reader, "other", "y");
	IS_STATUS(CALL(rename, locked, "file", "renamed", CIM_VFS_NOREPLACE), CIM_OK,
		  "and renamed");
	IS_STATUS(CALL(rename, locked, "renamed", "other", 0), CIM_OK, "and replaced");
	IS_STATUS(CALL(sync_dir, locked), CIM_OK, "sync a locked directory");
	IS_STATUS(CALL(remove, locked, "other"), CIM_OK, "and removed");
	vfs->close_dir(vfs->ctx, locked);
	IS_STATUS(try_open_dir(path, CIM_VFS_DIR_LOCK), CIM_OK, "closing it ends the lock");
	IS_STATUS(CALL(sync_dir, reader), CIM_OK, "sync a directory that is not locked");

	child = start_role("hold-dir", path);
	ok(wait_for(reader, "ready"), "another process locks it");
	IS_STATUS(try_open_dir(path, CIM_VFS_DIR_LOCK), CIM_E_SHARING,
		  "a second lock in another process");
	IS_STATUS(try_open_dir(path, 0), CIM_OK, "a reader may open it");
	make_file(reader, "stop", "");
	is_int(wait_role(child), 0, "the other process ends");
	IS_STATUS(try_open_dir(path, CIM_VFS_DIR_LOCK), CIM_OK, "its lock is gone");

	CALL(remove, reader, "ready");
	CALL(remove, reader, "stop");
	child = start_role("hold-dir", path);
	ok(wait_for(reader, "ready"), "another process locks it once more");
	kill_role(child);
	IS_STATUS(try_open_dir(path, CIM_VFS_DIR_LOCK), CIM_OK, "a lock dies with its process");
	is_str(content(reader, "file"), "CIM_E_FILE_NOT_FOUND", "no lock leaves a file behind");
	vfs->close_dir(vfs->ctx, reader);
}

static void test_status_table(void)
{
#ifdef _WIN32
	static const struct {
		long code;
		enum cim_status status;
	} want[] = {{ERROR_NOT_ENOUGH_MEMORY, CIM_E_NO_MEMORY},
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
		    {ERROR_CRC, CIM_E_IO},
		    {ERROR_TOO_MANY_OPEN_FILES, CIM_E_IO}};
#else
	static const struct {
		long code;
		enum cim_status status;
	} want[] = {{EACCES, CIM_E_ACCESS},    {EPERM, CIM_E_ACCESS},	  {EROFS, CIM_E_ACCESS},
		    {ENOSPC, CIM_E_DISK_FULL}, {EDQUOT, CIM_E_DISK_FULL}, {EFBIG, CIM_E_TOO_LARGE},
		    {ETXTBSY, CIM_E_SHARING},  {EBUSY, CIM_E_SHARING},	  {EAGAIN, CIM_E_SHARING},
		    {ENOMEM, CIM_E_NO_MEMORY}, {EIO, CIM_E_IO},		  {EMFILE, CIM_E_IO}};
#endif

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		IS_STATUS(cim_status_from_os(want[i].code), want[i].status,
			  "status of system error %ld", want[i].code);
}

static void test_error_text(void)
{
	const char *want = ON_WINDOWS ? " (2)" : "No such file or directory";
	char text[256] = "", tight[8];
	size_t len;

	ok(vfs->error_text(vfs->ctx, 2, text, sizeof(text)), "an error that the system knows");
	len = strlen(text);
	ok(len > strlen(want) || !ON_WINDOWS, "the text isn't only the code: %s", text);
	is_str(len < strlen(want) ? text : text + len - strlen(want), want,
	       "its text, on Windows with the code");
	ok(!strpbrk(text, "\r\n") && !strstr(text, ". ("), "one line, no full stop: %s", text);
	ok(!vfs->error_text(vfs->ctx, 2, tight, sizeof(tight)), "no half of a text");
	memset(text, '#', sizeof(text));
	ok(vfs->error_text(vfs->ctx, 2, text, len + 1), "the text in just as much room");
	ok(strlen(text) == len && text[len + 1] == '#', "which it fills");
	ok(!vfs->error_text(vfs->ctx, 2, text, len), "nor a text without its end");
#ifdef _WIN32
	ok(!vfs->error_text(vfs->ctx, 0x2fffffff, text, sizeof(text)), "no text, no code alone");
#else
	ok(vfs->error_text(vfs->ctx, EAGAIN, text, sizeof(text)), "a lock that is held");
	is_str(text, "in use", "is told so");
#endif
}

static enum cim_vfs_lock lock_of(cim_vfs_dir *dir, uint64_t number)
{
	enum cim_vfs_lock lock = CIM_LOCK_ALONE;

	IS_STATUS(CALL(is_locked, dir, "many", number, &lock), CIM_OK, "ask for lock %d",
		  (int)(number % 1000));
	return lock;
}

/* A container's file: many byte locks, and written where it lies. */
static void test_many_locks(void)
{
	const uint64_t last = CIM_VFS_LOCKS - 1;
	cim_vfs_dir *dir = open_dir(fresh_dir("many locks"), 0);
	cim_vfs_file *a, *b, *held;

	make_file(dir, "many", "abc");
	a = open_file(dir, "many", CIM_VFS_WRITE_ANY);
	b = open_file(dir, "many", CIM_VFS_READ_ANY);
	IS_STATUS(CALL(lock, a, 0, CIM_LOCK_ALONE, false), CIM_OK, "lock 0 alone");
	IS_STATUS(CALL(lock, b, 1, CIM_LOCK_SHARED, false), CIM_OK, "another handle shares lock 1");
	IS_STATUS(CALL(lock, b, last, CIM_LOCK_SHARED, false), CIM_OK, "and the last one");
	is_int(lock_of(dir, 0), CIM_LOCK_ALONE, "lock 0");
	is_int(lock_of(dir, 1), CIM_LOCK_SHARED, "lock 1");
	is_int(lock_of(dir, 2), CIM_LOCK_NONE, "lock 2");
	is_int(lock_of(dir, last), CIM_LOCK_SHARED, "the last lock");
	IS_STATUS(CALL(lock, b, 1, CIM_LOCK_NONE, false), CIM_OK, "let go of lock 1");
	is_int(lock_of(dir, 1), CIM_LOCK_NONE, "which nobody has now");
	is_int(lock_of(dir, last), CIM_LOCK_SHARED, "the handle has its other one");
	IS_STATUS(CALL(hold, dir, "many", 7, false, &held), CIM_OK, "hold by number 7");
	is_int(lock_of(dir, 7), CIM_LOCK_SHARED, "lock 7");
	vfs->close(vfs->ctx, held);
	vfs->close(vfs->ctx, b);
	is_int(lock_of(dir, last), CIM_LOCK_NONE, "closing a handle lets go of its locks");
	is_int(lock_of(dir, 0), CIM_LOCK_ALONE, "not of another's");
	vfs->close(vfs->ctx, a);
	vfs->close_dir(vfs->ctx, dir);
}

static void test_write_existing(void)
{
	cim_vfs_dir *dir = open_dir(fresh_dir("written where it lies"), 0);
	uint64_t len = 2, place = 9;
	cim_vfs_file *file;
	bool named = false;

	IS_STATUS(try_open(dir, "file", CIM_VFS_WRITE_ANY), CIM_E_FILE_NOT_FOUND,
		  "nothing to write");
	IS_STATUS(try_open(dir, "file", CIM_VFS_READ_ANY), CIM_E_FILE_NOT_FOUND, "or to read");
	make_file(dir, "file", "abcdef");
	make_file(dir, "other", "abcdef");
	file = open_file(dir, "file", CIM_VFS_WRITE_ANY);
	IS_STATUS(CALL(pwrite, file, 2, "XY", 2), CIM_OK, "write in the middle");
	IS_STATUS(CALL(truncate, file, 5), CIM_OK, "cut it");
	IS_STATUS(CALL(sync, file), CIM_OK, "sync it");
	is_str(content(dir, "file"), "abXYe", "an existing file is written where it lies");
	ok(!vfs->is_device || !vfs->is_device(vfs->ctx, file), "it is no device");
	IS_STATUS(CALL(is_named, dir, "file", file, &named), CIM_OK, "is it of that name?");
	ok(named, "it is");
	IS_STATUS(CALL(is_named, dir, "other", file, &named), CIM_OK, "and of another?");
	ok(!named, "it isn't");
	IS_STATUS(CALL(is_named, dir, "none", file, &named), CIM_E_FILE_NOT_FOUND, "no such name");
	IS_STATUS(CALL(rename, dir, "file", "renamed", 0), CIM_OK, "rename it while it is open");
	named = false;
	IS_STATUS(CALL(is_named, dir, "renamed", file, &named), CIM_OK, "is that its name now?");
	ok(named, "it is");
	if (vfs->map)
		ok(vfs->map(vfs->ctx, file, 3, &len, &place) >= 0 && len == 2 && place == 3,
		   "a file of the system's lies in itself");
	vfs->close(vfs->ctx, file);
	vfs->close_dir(vfs->ctx, dir);
}

/* The digests are those of FIPS 180-4's examples. */
static void test_sha256(void)
{
	static const uint8_t nothing[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
					    0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
					    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
					    0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
	static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	uint8_t digest[33];

	memset(digest, 0xee, sizeof(digest));
	IS_STATUS(env->sha256(env->sha256_ctx, "", 0, digest), CIM_OK, "SHA-256 of nothing");
	is_mem(digest, nothing, 32, "SHA-256 of nothing");
	IS_STATUS(env->sha256(env->sha256_ctx, "abc", 3, digest), CIM_OK, "SHA-256 of abc");
	is_mem(digest, abc, 32, "SHA-256 of abc");
	is_int(digest[32], 0xee, "a digest has 32 bytes");
}

#ifndef _WIN32
/* The system's clock, in milliseconds. */
static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void same_clock(void)
{
	const uint64_t before = clock_ms(), now = env->now_ms(env->clock_ctx), after = clock_ms();

	ok(before <= now && now <= after, "the clock is the system's");
}
#endif

static void test_rest_of_environment(void)
{
	uint8_t a[64] = {0};
	uint8_t b[64] = {0};
	uint64_t before;
	void *mutex;
	char *p;

	is_int(vfs->fold_names, ON_WINDOWS, "fold_names");
	is_int(vfs->windows_paths, ON_WINDOWS, "windows_paths");
	ok(env == cim_env_default(), "the default environment is one and the same");
	IS_STATUS(env->random(env->random_ctx, a, sizeof(a)), CIM_OK, "random bytes");
	IS_STATUS(env->random(env->random_ctx, b, sizeof(b)), CIM_OK, "more random bytes");
	ok(memcmp(a, b, sizeof(a)), "they differ");
	IS_STATUS(env->random(env->random_ctx, NULL, 0), CIM_OK, "no random bytes");
#ifndef _WIN32
	same_clock();
#endif
	before = env->now_ms(env->clock_ctx);
	env->sleep_ms(env->clock_ctx, 60);
	ok(env->now_ms(env->clock_ctx) - before >= 30, "the clock goes on during a sleep of 60 ms");
	mutex = env->mutex_new(env->thread_ctx);
	ok(mutex, "a lock");
	for (int i = 0; i < 2; i++) {
		env->mutex_lock(env->thread_ctx, mutex);
		env->mutex_unlock(env->thread_ctx, mutex);
	}
	env->mutex_free(env->thread_ctx, mutex);
	env->mutex_free(env->thread_ctx, NULL);
	p = env->mem.realloc(env->mem.ctx, NULL, 3);
	ok(p, "memory");
	memcpy(p, "ab", 3);
	p = env->mem.realloc(env->mem.ctx, p, 3000);
	is_str(p, "ab", "more memory, with what was in it");
	env->mem.free(env->mem.ctx, p);
	env->mem.free(env->mem.ctx, NULL);
}

#ifndef _WIN32
/* Natively the linker puts these between os/posix.c and the C library (--wrap, see os.mk). */
static bool no_flags;	 /* renameat2() knows no flags */
static int no_hard_link; /* nor does the file system have hard links: what it answers */
static int no_locks;	 /* nor locks */
static unsigned choppy;	 /* reads and writes transfer little, and every third is interrupted */

int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	if (no_flags && flags) {
		errno = EINVAL;
		return -1;
	}
	return __real_renameat2(from_fd, from, to_fd, to, flags);
}

int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	if (no_hard_link) {
		errno = no_hard_link;
		return -1;
	}
	return __real_linkat(from_fd, from, to_fd, to, flags);
}

/* What happens just before a byte lock is asked for. */
static void (*before_lock)(void);

int __real_fcntl64(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...);

int __wrap_fcntl64(int fd, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (no_locks && (cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW || cmd == F_OFD_GETLK)) {
		errno = no_locks;
		return -1;
	}
	if (cmd == F_OFD_SETLK && before_lock)
		before_lock();
	return __real_fcntl64(fd, cmd, arg);
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
	if (no_locks && operation != LOCK_UN) {
		errno = no_locks;
		return -1;
	}
	return __real_flock(fd, operation);
}

/* What tells core to go on without (decision D54). */
static void test_no_locks(void)
{
	static const int codes[] = {ENOLCK, ENOSYS, EOPNOTSUPP};
	const char *path = fresh_dir("no locks");
	cim_vfs_dir *dir = open_dir(path, 0);
	enum cim_vfs_lock lock;
	cim_vfs_file *file;

	make_file(dir, "victim", "one");
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		no_locks = codes[i];
		IS_STATUS(try_open_dir(path, CIM_VFS_DIR_LOCK), CIM_E_UNSUPPORTED,
			  "no locks (%d): the directory's", codes[i]);
		IS_STATUS(try_hold(dir, "victim", true, &file), CIM_E_UNSUPPORTED,
			  "no locks (%d): a file's", codes[i]);
		IS_STATUS(CALL(is_locked, dir, "victim", 0, &lock), CIM_E_UNSUPPORTED,
			  "no locks (%d): who has a file's", codes[i]);
	}
	no_locks = 0;
	IS_STATUS(try_open_dir(path, CIM_VFS_DIR_LOCK), CIM_OK, "nothing is left of the tries");
	vfs->close_dir(vfs->ctx, dir);
}

static cim_vfs_dir *racing;

static void move_away(void)
{
	IS_STATUS(CALL(rename, racing, "victim", "moved", 0), CIM_OK, "the file loses its name");
}

static void replace(void)
{
	move_away();
	make_file(racing, "victim", "another");
}

/* The name goes to nobody, or to another file, between the opening and the locking. */
static void test_hold_races(void)
{
	cim_vfs_file *file;

	racing = open_dir(fresh_dir("hold races"), 0);
	make_file(racing, "victim", "one");
	before_lock = move_away;
	IS_STATUS(try_hold(racing, "victim", true, &file), CIM_E_FILE_NOT_FOUND,
		  "it isn't held under a name that it has lost");
	make_file(racing, "victim", "two");
	before_lock = replace;
	IS_STATUS(try_hold(racing, "victim", true, &file), CIM_E_SHARING,
		  "nor is it if another has the name");
	before_lock = NULL;
	IS_STATUS(try_hold(racing, "victim", true, &file), CIM_OK, "that one is, the next time");
	if (file) {
		is_str(read_at(file, 0, 7), "another", "it is the right one");
		vfs->close(vfs->ctx, file);
	}
	vfs->close_dir(vfs->ctx, racing);
}

/* The bytes to transfer of @len, 0 for "interrupted". */
static size_t chop(size_t len)
{
	if (!choppy)
		return len;
	if (++choppy % 3 == 0) {
		errno = EINTR;
		return 0;
	}
	return len > 1000 ? 1000 : len;
}

ssize_t __real_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset)
{
	size_t n = chop(len);

	return n || !len ? __real_pread64(fd, buf, n, offset) : -1;
}

ssize_t __real_pwrite64(int fd, const void *buf, size_t len, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t offset)
{
	size_t n = chop(len);

	return n || !len ? __real_pwrite64(fd, buf, n, offset) : -1;
}

static void test_old_file_system(void)
{
	cim_vfs_dir *dir = open_dir(fresh_dir("old file system"), 0);

	make_file(dir, "a", "A");
	make_file(dir, "b", "B");
	no_flags = true;
	IS_STATUS(CALL(rename, dir, "a", "b", CIM_VFS_NOREPLACE), CIM_E_EXISTS,
		  "no RENAME_NOREPLACE: the name is taken");
	is_str(content(dir, "b"), "B", "the target is as before");
	IS_STATUS(CALL(rename, dir, "a", "c", CIM_VFS_NOREPLACE), CIM_OK,
		  "no RENAME_NOREPLACE: the name is free");
	is_str(content(dir, "a"), "CIM_E_FILE_NOT_FOUND", "the old name is gone");
	is_str(content(dir, "c"), "A", "the new name has the file");
	no_hard_link = ENOSYS;
	IS_STATUS(CALL(rename, dir, "c", "d", CIM_VFS_NOREPLACE), CIM_OK,
		  "it has no such call: the same");
	IS_STATUS(CALL(rename, dir, "d", "c", 0), CIM_OK, "and back");
	no_hard_link = EPERM;
	IS_STATUS(CALL(rename, dir, "c", "d", CIM_VFS_NOREPLACE), CIM_OK,
		  "neither RENAME_NOREPLACE nor hard links: the name is free");
	is_str(content(dir, "c"), "CIM_E_FILE_NOT_FOUND", "the old name is gone");
	is_str(content(dir, "d"), "A", "the new name has the file");
	IS_STATUS(CALL(rename, dir, "d", "b", CIM_VFS_NOREPLACE), CIM_E_EXISTS,
		  "the name is taken");
	is_int(os_error, EEXIST, "and the system's code");
	is_str(content(dir, "d"), "A", "the source is as before");
	is_str(content(dir, "b"), "B", "and so is the target");
	IS_STATUS(CALL(rename, dir, "none", "e", CIM_VFS_NOREPLACE), CIM_E_FILE_NOT_FOUND,
		  "a missing source");
	no_flags = false;
	no_hard_link = 0;
	vfs->close_dir(vfs->ctx, dir);

	choppy = 1;
	test_large_buffer("fickle system");
	ok(choppy > 10000, "reads and writes were cut short and interrupted (%u)", choppy);
	choppy = 0;
}

static void test_rights(void)
{
	const char *path = fresh_dir("rights");
	cim_vfs_dir *dir = open_dir(path, 0);
	bool was_root = geteuid() == 0;
	enum cim_status lengthened;
	enum cim_status written;
	struct rlimit limit;
	struct rlimit low;
	cim_vfs_file *file;

	make_file(dir, "there", "x");
	chmod(path, 0555);
	if (was_root && seteuid(65534) < 0) {
		skip("can't become another user", "a directory that may not be written");
	} else {
		IS_STATUS(try_open(dir, "new", CIM_VFS_CREATE), CIM_E_ACCESS,
			  "create in a directory that may not be written");
		is_int(os_error, EACCES, "and the system's code");
		IS_STATUS(CALL(remove, dir, "there"), CIM_E_ACCESS,
			  "remove in a directory that may not be written");
		IS_STATUS(CALL(rename, dir, "there", "x", 0), CIM_E_ACCESS,
			  "rename in a directory that may not be written");
		IS_STATUS(try_hold(dir, "there", false, &file), CIM_OK,
			  "hold, shared, a file that may only be read");
		if (file)
			vfs->close(vfs->ctx, file);
		IS_STATUS(try_hold(dir, "there", true, &file), CIM_E_ACCESS,
			  "but not alone: Linux locks so only what may be written");
		if (was_root && seteuid(0) < 0)
			bail("can't become root again");
	}
	chmod(path, 0777);

	/* A size limit gives the error of a file system that can't hold such files. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	low = limit;
	low.rlim_cur = 4096;
	file = open_file(dir, "big", CIM_VFS_CREATE);
	setrlimit(RLIMIT_FSIZE, &low);
	written = CALL(pwrite, file, 4096, "x", 1);
	lengthened = CALL(truncate, file, 4097);
	setrlimit(RLIMIT_FSIZE, &limit); /* before printing, which may go to a file, too */
	IS_STATUS(written, CIM_E_TOO_LARGE, "write where the file system can't hold it");
	IS_STATUS(lengthened, CIM_E_TOO_LARGE, "truncate to what the file system can't hold");
	vfs->close(vfs->ctx, file);
	vfs->close_dir(vfs->ctx, dir);
}

static void test_unlistable_directory(void)
{
	const char *path = fresh_dir("unlistable");
	cim_vfs_dir *dir = open_dir(path, 0);
	struct listing listing = {0};
	enum cim_status status;

	make_file(dir, "file", "seen");
	vfs->close_dir(vfs->ctx, dir);
	chmod(path, 0311);
	if (geteuid() == 0 && (chdir(path) < 0 || seteuid(65534) < 0)) {
		skip("can't become another user", "a directory that may not be listed");
	} else {
		status = CALL(open_dir, geteuid() == 65534 ? "." : path, 0, &dir);
		IS_STATUS(status, CIM_OK, "open a directory that may not be listed");
		if (status == CIM_OK) {
			is_str(content(dir, "file"), "seen", "and read a file in it");
			IS_STATUS(CALL(list, dir, add_name, &listing), CIM_E_ACCESS,
				  "but not list it");
			vfs->close_dir(vfs->ctx, dir);
		}
		if (geteuid() == 65534 && (seteuid(0) < 0 || chdir(top) < 0))
			bail("can't become root again");
	}
	chmod(path, 0777);
}
#endif

#ifdef _WIN32
/* ---- disks ---- */

#define DISK_SIZE (3 * 4096u + 512)

static const WCHAR *make_disk(char *device, size_t room)
{
	const WCHAR *path = disk_file(device, room);
	uint8_t bytes[DISK_SIZE];
	HANDLE file;
	DWORD n;

	if (!path)
		return NULL;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
	if (file == INVALID_HANDLE_VALUE || !WriteFile(file, bytes, sizeof(bytes), &n, NULL))
		bail("no file for a device: error %lu", GetLastError());
	CloseHandle(file);
	return path;
}

/* Pieces of a disk, by whole sectors and not. */
static void check_disk(cim_vfs_file *file)
{
	static const uint32_t pieces[][2] = {
		{0, DISK_SIZE}, {0, 8},	    {4096, 4096},    {4095, 2},	  {100, 8192}, {4096, 8200},
		{12288, 512},	{12799, 1}, {12288, 100000}, {12800, 10}, {20000, 10}, {1, 12000}};
	uint8_t want[DISK_SIZE], buf[100000];

	for (size_t i = 0; i < DISK_SIZE; i++)
		want[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		const uint32_t at = pieces[i][0], len = pieces[i][1];
		const uint32_t left = at < DISK_SIZE ? DISK_SIZE - at : 0;
		const size_t expected = len < left ? len : left;
		size_t got = 77;

		if (i && expected == len) {
			for (size_t k = 0; k < len; k++)
				want[at + k] = (uint8_t)(want[at + k] + i);
			IS_STATUS(CALL(pwrite, file, at, want + at, len), CIM_OK,
				  "disk: %u bytes are written at %u", (unsigned)len, (unsigned)at);
		}
		IS_STATUS(CALL(pread, file, at, buf, len, &got), CIM_OK,
			  "disk: %u bytes are read at %u", (unsigned)len, (unsigned)at);
		ok(got == expected && !memcmp(buf, want + (expected ? at : 0), got),
		   "disk: %u bytes at %u: %u are there, and right", (unsigned)len, (unsigned)at,
		   (unsigned)got);
	}
	CALL(pread, file, 0, buf, DISK_SIZE, &(size_t){0});
	ok(!memcmp(buf, want, DISK_SIZE), "disk: nothing else was written");
	IS_STATUS(CALL(pwrite, file, DISK_SIZE - 1, buf, 2), CIM_E_DISK_FULL,
		  "disk: a write over its end");
}

/* As of one that is taken out. */
static void check_short_disk(const WCHAR *path, cim_vfs_file *file)
{
	HANDLE other = CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
				   OPEN_EXISTING, 0, NULL);

	if (other == INVALID_HANDLE_VALUE || SetFilePointer(other, 512, NULL, FILE_BEGIN) != 512 ||
	    !SetEndOfFile(other))
		bail("the device's file isn't cut: error %lu", GetLastError());
	CloseHandle(other);
	IS_STATUS(CALL(pwrite, file, 1000, "lost", 4), CIM_E_IO,
		  "disk: a part of a sector that can't be read isn't written");
}

static void test_disk(void)
{
	char device[40];
	const WCHAR *path = make_disk(device, sizeof(device));
	cim_vfs_dir *dir = NULL;
	cim_vfs_file *file = NULL;
	uint64_t size = 0;

	if (!path) {
		skip("not under this Wine", "disks");
		return;
	}
	IS_STATUS(CALL(open_dir, "\\\\.", 0, &dir), CIM_OK, "disks: their directory is opened");
	IS_STATUS(CALL(open_dir, "\\\\.", CIM_VFS_DIR_LOCK, &dir), CIM_E_PATH_NOT_FOUND,
		  "disks: it is none for a session");
	IS_STATUS(CALL(open_dir, "//./", 0, &dir), CIM_OK, "disks: spelt with slashes");
	IS_STATUS(CALL(open, dir, "Volume", CIM_VFS_READ_ANY, &file), CIM_E_PATH_NOT_FOUND,
		  "disks: another device's name");
	IS_STATUS(CALL(open, dir, "PhysicalDrive", CIM_VFS_READ_ANY, &file), CIM_E_PATH_NOT_FOUND,
		  "disks: a name without a number");
	IS_STATUS(CALL(open, dir, "cimtmp_1", CIM_VFS_CREATE, &file), CIM_E_PATH_NOT_FOUND,
		  "disks: nothing can be made there");
	IS_STATUS(CALL(open, dir, device, CIM_VFS_WRITE_ANY, &file), CIM_OK,
		  "disks: one is opened");
	ok(vfs->is_device(vfs->ctx, file), "disks: it is a device");
	IS_STATUS(CALL(size, file, &size), CIM_OK, "disks: it has a size");
	is_int(size, DISK_SIZE, "disks: which is that of its file");
	check_disk(file);
	check_short_disk(path, file);
	vfs->close(vfs->ctx, file);
	vfs->close_dir(vfs->ctx, dir);
	DeleteFileW(path);
}
#endif

/* The directory to work in; under Wine a Unix path is seen through drive Z:. */
static void find_top(void)
{
	const char *tmp = getenv("TEST_TMP");

	if (!tmp)
		bail("TEST_TMP is not set: run by scripts/run-tests, or give it an empty "
		     "directory");
	snprintf(top, sizeof(top), "%s%s", ON_WINDOWS && tmp[0] == '/' ? "Z:" : "", tmp);
}

int main(int argc, char **argv)
{
	program = argv[0];
	env = cim_env_default();
	vfs = env->vfs;
	if (argc == 3)
		return run_role(argv[1], argv[2]);
	find_top();
	test_directories();
#ifdef _WIN32
	test_windows_paths();
	test_disk();
#endif
	test_names();
	test_create_and_open();
	test_read_and_write();
	test_large_buffer("large buffer");
	test_rename();
	test_replace_open_file();
	test_list();
	test_unicode_names();
	test_long_path();
	test_unknown_file();
	test_byte_lock();
	test_asking_together();
	test_hold();
	test_hold_processes();
	test_next_data();
	test_directory_lock();
	test_status_table();
	test_error_text();
	test_many_locks();
	test_write_existing();
	test_sha256();
	test_rest_of_environment();
#ifndef _WIN32
	test_hold_races();
	test_no_locks();
	test_old_file_system();
	test_rights();
	test_unlistable_directory();
#endif
	return tap_done();
}
