/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nthcall.so - preloaded into our programs by eachcall.py: one call of the system's fails
 *
 * NTH=N: the N-th call does, with the code NTH_CODE. When the program ends, NTH_NOTE gets a line:
 * the call's name, "none" if there were not so many, and how many descriptors are open then. What
 * fsync() would do takes long and is never done. NTH_MEMORY=1: the N-th request for memory fails in
 * its place, of those that the program's own code makes: OpenSSL's doesn't bear it where memory
 * ends while it sets itself up. What comes before main() doesn't count (sanitizers and counters are
 * there). NTH_CHILD=N: it is the N-th call of a process that the program forks. NTH_TOLD gets the
 * call's name at once; then only calls by the program's own code count. NTH_SIGNAL=NUMBER: the call
 * doesn't fail, but that signal comes with it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FROM   __builtin_return_address(0)

static long left; /* calls until one fails */
static bool of_memory;
static int code, with_signal;
static const char *failed = "none";

static uintptr_t code_begin, code_end; /* of the program itself */
static const char *told;

static long number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

static bool is_own(const void *caller)
{
	return (uintptr_t)caller - code_begin < code_end - code_begin;
}

static void tell_at_once(const char *name)
{
	const long fd = told ? syscall(SYS_openat, AT_FDCWD, told, O_WRONLY | O_CREAT, 0666) : -1;

	if (fd < 0)
		return;
	if (syscall(SYS_write, fd, name, strlen(name)) < 0)
		abort();
	syscall(SYS_close, fd);
}

static bool is_nth(const char *name)
{
	if (!__atomic_load_n(&left, __ATOMIC_SEQ_CST) ||
	    __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST))
		return false;
	failed = name;
	tell_at_once(name);
	if (with_signal) {
		raise(with_signal);
		return false;
	}
	errno = code;
	return true;
}

/* What the program says to people doesn't count. */
static bool fails(const char *name, int fd, const void *caller)
{
	return !of_memory && (fd < 0 || fd > 2) && (!told || is_own(caller)) && is_nth(name);
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* ---- the beginning ---- */

static int find_code(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
			code_begin = info->dlpi_addr + part->p_vaddr;
			code_end = code_begin + part->p_memsz;
		}
	}
	return 1; /* the first is the program */
}

static void in_child(void)
{
	left = number_of("NTH_CHILD");
}

static int (*real_main)(int, char **, char **);

static int begin(int argc, char **argv, char **envp)
{
	dl_iterate_phdr(find_code, NULL);
	code = (int)number_of("NTH_CODE");
	of_memory = number_of("NTH_MEMORY");
	with_signal = (int)number_of("NTH_SIGNAL");
	told = getenv("NTH_TOLD");
	if (told)
		pthread_atfork(NULL, NULL, in_child);
	left = number_of("NTH");
	return real_main(argc, argv, envp);
}

EXPORT int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
			     void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
			     void *stack);

int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
		      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack)
{
	int (*start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
		     void (*)(void), void *) = next("__libc_start_main");

	real_main = program;
	return start(begin, argc, argv, init, fini, rtld_fini, stack);
}

/* ---- calls ---- */

/* A function @name that gives @bad when it fails; @fd: the descriptor it is about, or -1. */
#define CALL(type, name, params, args, fd, bad)                    \
	EXPORT type name params;                                   \
	type name params                                           \
	{                                                          \
		static type(*real) params;                         \
                                                                   \
		if (!real)                                         \
			real = (type(*) params)next(#name);        \
		return fails(#name, fd, FROM) ? (bad) : real args; \
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
CALL(FILE *, fopen64, (const char *path, const char *mode), (path, mode), -1, NULL)
CALL(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
     (thread, attr, run, arg), -1, code)
CALL(int, access, (const char *path, int mode), (path, mode), -1, -1)

EXPORT int open64(const char *path, int flags, ...)
{
	static int (*real)(const char *path, int flags, ...);

	if (!real)
		real = (int (*)(const char *, int, ...))next("open64");
	return fails("open64", -1, FROM) ? -1 : real(path, flags, 0666);
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
	return fails("openat64", fd, FROM) ? -1 : real(fd, path, flags, mode);
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
	return fails("fcntl64", fd, FROM) ? -1 : real(fd, command, arg);
}

EXPORT int dup(int fd)
{
	static int (*real)(int fd);

	if (!real)
		real = (int (*)(int))next("dup");
	return fails("dup", -1, FROM) ? -1 : real(fd);
}

EXPORT int fsync(int fd)
{
	return fails("fsync", fd, FROM) ? -1 : 0;
}

/* It is closed, all the same. */
EXPORT int close(int fd)
{
	static int (*real)(int fd);
	int result;

	if (!real)
		real = (int (*)(int))next("close");
	result = real(fd);
	return fails("close", fd, FROM) ? -1 : result;
}

/* ---- memory ---- */

#ifndef SANITIZED /* which has functions of its own */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static bool is_full(void *caller)
{
	return of_memory && is_own(caller) && is_nth("memory");
}

EXPORT void *malloc(size_t size)
{
	return is_full(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return is_full(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return is_full(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}
#endif

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
