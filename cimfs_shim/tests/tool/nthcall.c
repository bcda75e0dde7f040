/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nthcall.so - preloaded into our programs by eachcall.py: one call of the system's fails
 *
 * NTH=N: the N-th call does, with the code NTH_CODE. When the program ends, NTH_NOTE gets a line:
 * the call's name, "none" if there were not so many, and how many descriptors are open then. What
 * fsync() would do takes long and is never done.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static long left = -1; /* calls until one fails */
static int code;
static const char *failed = "none";

static long number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

/* What the program says to people doesn't count. */
static int fails(const char *name, int fd)
{
	if (left < 0) {
		left = number_of("NTH");
		code = (int)number_of("NTH_CODE");
	}
	if ((fd >= 0 && fd <= 2) || !left || --left)
		return 0;
	failed = name;
	errno = code;
	return 1;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* A function @name that gives @bad when it fails; @fd: the descriptor it is about, or -1. */
#define CALL(type, name, params, args, fd, bad)              \
	EXPORT type name params;                             \
	type name params                                     \
	{                                                    \
		static type(*real) params;                   \
                                                             \
		if (!real)                                   \
			real = (type(*) params)next(#name);  \
		return fails(#name, fd) ? (bad) : real args; \
	}

CALL(DIR *, fdopendir, (int fd), (fd), fd, NULL)
CALL(struct dirent64 *, readdir64, (DIR * stream), (stream), -1, NULL)
CALL(int, fstat64, (int fd, struct stat64 *st), (fd, st), fd, -1)
CALL(int, stat64, (const char *path, struct stat64 *st), (path, st), -1, -1)
CALL(int, lstat64, (const char *path, struct stat64 *st), (path, st), -1, -1)
CALL(int, fstatat64, (int fd, const char *path, struct stat64 *st, int flags),
     (fd, path, st, flags), fd, -1)
CALL(int, statx, (int fd, const char *path, int flags, unsigned mask, struct statx *st),
     (fd, path, flags, mask, st), fd, -1)
CALL(int, fstatvfs64, (int fd, struct statvfs64 *st), (fd, st), fd, -1)
CALL(ssize_t, read, (int fd, void *buf, size_t len), (fd, buf, len), fd, -1)
CALL(ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len), fd, -1)
CALL(ssize_t, pread64, (int fd, void *buf, size_t len, off64_t at), (fd, buf, len, at), fd, -1)
CALL(ssize_t, pwrite64, (int fd, const void *buf, size_t len, off64_t at), (fd, buf, len, at), fd,
     -1)
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size), fd, -1)
CALL(off64_t, lseek64, (int fd, off64_t at, int whence), (fd, at, whence), fd, -1)
CALL(int, flock, (int fd, int operation), (fd, operation), fd, -1)
CALL(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), fd, -1)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, -1)
CALL(int, symlinkat, (const char *target, int fd, const char *path), (target, fd, path), fd, -1)
CALL(int, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags), from_fd, -1)
CALL(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), fd, -1)
CALL(int, unlink, (const char *path), (path), -1, -1)
CALL(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to), from_fd, -1)
CALL(int, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     (from_fd, from, to_fd, to, flags), from_fd, -1)
CALL(int, rename, (const char *from, const char *to), (from, to), -1, -1)
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), fd, -1)
CALL(int, futimens, (int fd, const struct timespec times[2]), (fd, times), fd, -1)
CALL(int, utimensat, (int fd, const char *path, const struct timespec times[2], int flags),
     (fd, path, times, flags), fd, -1)
CALL(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags), fd, -1)
CALL(ssize_t, fgetxattr, (int fd, const char *name, void *value, size_t size),
     (fd, name, value, size), fd, -1)
CALL(ssize_t, flistxattr, (int fd, char *list, size_t size), (fd, list, size), fd, -1)
CALL(ssize_t, lgetxattr, (const char *path, const char *name, void *value, size_t size),
     (path, name, value, size), -1, -1)
CALL(ssize_t, llistxattr, (const char *path, char *list, size_t size), (path, list, size), -1, -1)
CALL(ssize_t, readlinkat, (int fd, const char *path, char *buf, size_t size), (fd, path, buf, size),
     fd, -1)
CALL(ssize_t, getrandom, (void *buf, size_t len, unsigned flags), (buf, len, flags), -1, -1)
CALL(int, access, (const char *path, int mode), (path, mode), -1, -1)

EXPORT int open64(const char *path, int flags, ...)
{
	static int (*real)(const char *path, int flags, ...);

	if (!real)
		real = (int (*)(const char *, int, ...))next("open64");
	return fails("open64", -1) ? -1 : real(path, flags, 0666);
}

EXPORT int openat64(int fd, const char *path, int flags, ...)
{
	static int (*real)(int fd, const char *path, int flags, ...);
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	if (!real)
		real = (int (*)(int, const char *, int, ...))next("openat64");
	return fails("openat64", fd) ? -1 : real(fd, path, flags, mode);
}

EXPORT int fcntl64(int fd, int command, ...)
{
	static int (*real)(int fd, int command, ...);
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if (!real)
		real = (int (*)(int, int, ...))next("fcntl64");
	return fails("fcntl64", fd) ? -1 : real(fd, command, arg);
}

EXPORT int dup(int fd)
{
	static int (*real)(int fd);

	if (!real)
		real = (int (*)(int))next("dup");
	return fails("dup", -1) ? -1 : real(fd);
}

EXPORT int fsync(int fd)
{
	return fails("fsync", fd) ? -1 : 0;
}

/* It is closed, all the same. */
EXPORT int close(int fd)
{
	static int (*real)(int fd);
	int result;

	if (!real)
		real = (int (*)(int))next("close");
	result = real(fd);
	return fails("close", fd) ? -1 : result;
}

__attribute__((destructor)) static void tell(void)
{
	const char *note = getenv("NTH_NOTE");
	char line[100];
	int open_fds = 0;
	int fd;

	if (!note)
		return;
	left = 0;
	for (fd = 3; fd < 256; fd++)
		open_fds += fcntl64(fd, F_GETFD, 0) >= 0;
	fd = open64(note, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
	snprintf(line, sizeof(line), "%s %d\n", failed, open_fds);
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		abort();
	close(fd);
}
