/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * faults.so - what can't be had to happen from outside, preloaded into our programs by the tests
 *
 * CUTSHORT=FILE: the first time that the server splices from a file, that file loses the second
 * half of what is asked for: after the server has looked how long it is, and before the pages are
 * taken. FILE is written to tell that it has happened.
 * FAULT=fork: no process can be made. FAULT=setsid: the server dies while it becomes a daemon.
 * FAULT=lock: the file system has no locks. FAULT=lock-later: it loses them while one is waited
 * for. FAULT=locks: nor does flock() lock, nor can anybody be asked. FAULT=no-ofd: the kernel has
 * no locks of open files. FAULT=symlink: there are no symlinks. FAULT=links: a file can have three
 * names. FAULT=types: directories don't tell what their entries are. FAULT=sync-dir: directories
 * can't be synced. FAULT=no-size: file systems don't tell how large they are. FAULT=late-end: the
 * server takes half a second to end. FAULT=thread: the first thread can't be made. FAULT=no-splice:
 * nothing can be spliced from a file.
 *
 * FAIL=CALL:ERRNO or FAIL=CALL:ERRNO:NAME: mkdir(), rename(), symlink(), linkat(), umount2(),
 * inotify_init1(), pipe2(), flock(), open() or fuse_set_signal_handlers() fails; those with a path
 * only for a (new) file that has this name. With EINTR a call fails once.
 *
 * SYSLOG=FILE: what goes to the system's log is appended to FILE, a line each: "NAME PRIORITY
 * TEXT".
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
#include <pthread.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int wanted(const char *fault)
{
	const char *given = getenv("FAULT");

	return given && !strcmp(given, fault);
}

/* Is this call to fail, with errno? */
static int fails(const char *call, const char *path)
{
	const size_t len = strlen(call);
	const char *given = getenv("FAIL");
	static int done;
	const char *name;

	if (!given || strncmp(given, call, len) != 0 || given[len] != ':')
		return 0;
	name = strchr(given + len + 1, ':');
	if (name &&
	    (!path || strcmp(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, name + 1) != 0))
		return 0;
	errno = atoi(given + len + 1);
	return errno != EINTR || !__atomic_exchange_n(&done, 1, __ATOMIC_SEQ_CST);
}

static void cut_short(int fd, off64_t size, const char *note_path)
{
	FILE *note = fopen(note_path, "we");
	char link[64], path[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len > 0) {
		path[len] = '\0';
		if (!truncate(path, size) && note)
			fprintf(note, "%s\n", path);
	}
	if (note)
		fclose(note);
}

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len,
		      unsigned flags)
{
	const char *note_path = getenv("CUTSHORT");
	static int done;

	if (in_offset && wanted("no-splice")) {
		errno = EINVAL;
		return -1;
	}
	if (note_path && in_offset && !__atomic_exchange_n(&done, 1, __ATOMIC_SEQ_CST))
		cut_short(in, *in_offset + (off64_t)len / 2, note_path);
	return syscall(SYS_splice, in, in_offset, out, out_offset, len, flags);
}

EXPORT pid_t fork(void)
{
	if (wanted("fork")) {
		errno = EAGAIN;
		return -1;
	}
	return _Fork();
}

EXPORT pid_t setsid(void)
{
	if (wanted("setsid"))
		_exit(9);
	return (pid_t)syscall(SYS_setsid);
}

/* It is fcntl64 to the linker, here and in the server, as both are built for large files. */
EXPORT int fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if ((command == F_OFD_SETLK && wanted("lock")) ||
	    (command == F_OFD_SETLKW && wanted("lock-later")) ||
	    ((command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK) &&
	     (wanted("locks") || wanted("no-ofd")))) {
		errno = wanted("no-ofd") ? EINVAL : ENOLCK;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

EXPORT int flock(int fd, int operation)
{
	if (operation != LOCK_UN && wanted("locks")) {
		errno = ENOLCK;
		return -1;
	}
	if (fails("flock", NULL))
		return -1;
	return (int)syscall(SYS_flock, fd, operation);
}

EXPORT int symlinkat(const char *target, int fd, const char *name)
{
	if (wanted("symlink")) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_symlinkat, target, fd, name);
}

EXPORT int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	struct stat st;

	if (fails("linkat", to))
		return -1;
	if (wanted("links") && !fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_nlink >= 3) {
		errno = EMLINK;
		return -1;
	}
	return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
}

/* It is readdir64 to the linker. */
EXPORT struct dirent *readdir(DIR *stream)
{
	static struct dirent *(*real)(DIR * stream);
	struct dirent *entry;

	if (!real)
		real = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir64");
	entry = real(stream);
	if (entry && wanted("types"))
		entry->d_type = DT_UNKNOWN;
	return entry;
}

/* It is fstatvfs64 to the linker. */
EXPORT int fstatvfs(int fd, struct statvfs *st)
{
	static int (*real)(int fd, struct statvfs *st);
	int result;

	if (!real)
		real = (int (*)(int, struct statvfs *))dlsym(RTLD_NEXT, "fstatvfs64");
	result = real(fd, st);
	if (!result && wanted("no-size"))
		st->f_blocks = st->f_bfree = st->f_bavail = 0;
	return result;
}

EXPORT int fsync(int fd)
{
	struct stat st;

	if (wanted("sync-dir") && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* What the server calls once its mount is gone, with the image still open. */
EXPORT void fuse_loop_cfg_destroy(void *config);

void fuse_loop_cfg_destroy(void *config)
{
	(void)config;
	if (wanted("late-end"))
		usleep(500000);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	return fails("mkdir", path) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

EXPORT int rename(const char *from, const char *to)
{
	return fails("rename", to) ? -1
				   : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int symlink(const char *target, const char *path)
{
	return fails("symlink", path) ? -1 : (int)syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

EXPORT int umount2(const char *path, int flags)
{
	return fails("umount2", path) ? -1 : (int)syscall(SYS_umount2, path, flags);
}

EXPORT int inotify_init1(int flags)
{
	return fails("inotify_init1", NULL) ? -1 : (int)syscall(SYS_inotify_init1, flags);
}

EXPORT int pipe2(int fds[2], int flags)
{
	return fails("pipe2", NULL) ? -1 : (int)syscall(SYS_pipe2, fds, flags);
}

/* open() of those that are built for large files. */
EXPORT int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return fails("open", path)
		       ? -1
		       : (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

static const char *log_name = "?";

EXPORT void openlog(const char *name, int option, int facility)
{
	log_name = option == LOG_PID && facility == LOG_DAEMON ? name : "odd";
}

static void add_to_log(int priority, const char *format, va_list args)
{
	const char *path = getenv("SYSLOG");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%s %d ", log_name, priority);
	vfprintf(file, format, args);
	fputc('\n', file);
	fclose(file);
}

EXPORT void syslog(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_to_log(priority, format, args);
	va_end(args);
}

/* syslog() of those that are built with _FORTIFY_SOURCE. */
EXPORT void __syslog_chk(int priority, int flag, const char *format, ...);

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	add_to_log(priority, format, args);
	va_end(args);
}

EXPORT int fuse_set_signal_handlers(void *session);

int fuse_set_signal_handlers(void *session)
{
	int (*real)(void *session) = (int (*)(void *))dlsym(RTLD_NEXT, "fuse_set_signal_handlers");

	return fails("fuse_set_signal_handlers", NULL) ? -1 : real(session);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *arg)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		    void *) = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
				       void *))dlsym(RTLD_NEXT, "pthread_create");
	static int done;

	if (wanted("thread") && !__atomic_exchange_n(&done, 1, __ATOMIC_SEQ_CST))
		return EAGAIN;
	return real(thread, attributes, start, arg);
}
