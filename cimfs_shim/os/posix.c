/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * posix.c - the environment of a Linux system
 *
 * A directory is held as a file descriptor, and everything in it is reached relative to that, so
 * that renaming a parent directory or changing the current one doesn't lead us elsewhere. The two
 * locks of decision D36 are flock() on the directory and an open file description lock on a byte
 * of a file: the latter conflicts with the POSIX record locks that Wine makes of LockFileEx(), is
 * not lost when some other descriptor of the same file is closed, and is noticed by this process
 * too.
 */
#define _GNU_SOURCE
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct cim_vfs_dir {
	int fd;
};

struct cim_vfs_file {
	int fd;
};

static const struct {
	int code;
	enum cim_status status;
} status_of_errno[] = {
	{ENOMEM, CIM_E_NO_MEMORY},	 {EACCES, CIM_E_ACCESS},
	{EPERM, CIM_E_ACCESS},		 {EROFS, CIM_E_ACCESS},
	{EISDIR, CIM_E_ACCESS},		 {ENOENT, CIM_E_FILE_NOT_FOUND},
	{ENOTDIR, CIM_E_PATH_NOT_FOUND}, {EEXIST, CIM_E_EXISTS},
	{EAGAIN, CIM_E_SHARING},	 {EBUSY, CIM_E_SHARING},
	{ETXTBSY, CIM_E_SHARING},	 {ENOSPC, CIM_E_DISK_FULL},
	{EDQUOT, CIM_E_DISK_FULL},	 {EFBIG, CIM_E_TOO_LARGE},
	{EOVERFLOW, CIM_E_TOO_LARGE},	 {ENAMETOOLONG, CIM_E_INVALID},
	{ELOOP, CIM_E_INVALID},		 {ENOSYS, CIM_E_UNSUPPORTED},
	{EOPNOTSUPP, CIM_E_UNSUPPORTED}, {ENOLCK, CIM_E_UNSUPPORTED},
};

enum cim_status cim_status_from_os(long os_error)
{
	for (size_t i = 0; i < sizeof(status_of_errno) / sizeof(status_of_errno[0]); i++)
		if (status_of_errno[i].code == os_error)
			return status_of_errno[i].status;
	return CIM_E_IO;
}

/* In English whatever the program's locale is, as all of libcim's words are. */
static bool posix_error_text(void *ctx, long os_error, char *buf, size_t size)
{
	const locale_t english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	int length = -1;

	(void)ctx;
	if (os_error == EAGAIN) /* of a lock; the system's words for it name no lock */
		length = snprintf(buf, size, "%s", cim_status_text(CIM_E_SHARING));
	else if (english)
		length = snprintf(buf, size, "%s", strerror_l((int)os_error, english));
	if (english)
		freelocale(english);
	return length >= 0 && (size_t)length < size;
}

/* Fail with @code, an errno. */
static enum cim_status fail(long *os_error, int code)
{
	*os_error = code;
	return cim_status_from_os(code);
}

/* A name is one component: nothing that could lead out of the directory. */
static bool is_component(const char *name)
{
	return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

static enum cim_status fail_name(long *os_error)
{
	*os_error = 0;
	return CIM_E_INVALID;
}

/* ---- directories ---- */

static enum cim_status posix_open_dir(void *ctx, const char *path, unsigned flags,
				      cim_vfs_dir **dir, long *os_error)
{
	cim_vfs_dir *d = malloc(sizeof(*d));
	enum cim_status status;

	(void)ctx;
	*dir = NULL;
	if (!d)
		return fail(os_error, ENOMEM);
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Files in a directory that may not be listed can still be read by name. */
	if (d->fd < 0 && errno == EACCES && !(flags & CIM_VFS_DIR_LOCK))
		d->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0) {
		status = fail(os_error, errno);
		if (status == CIM_E_FILE_NOT_FOUND)
			status = CIM_E_PATH_NOT_FOUND;
		goto free_dir;
	}
	while ((flags & CIM_VFS_DIR_LOCK) && flock(d->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		status = fail(os_error, errno);
		goto close_fd;
	}
	*dir = d;
	return CIM_OK;

close_fd:
	close(d->fd);
free_dir:
	free(d);
	return status;
}

static void posix_close_dir(void *ctx, cim_vfs_dir *dir)
{
	(void)ctx;
	if (!dir)
		return;
	/* A child that was forked and has not called exec yet holds the description as well. */
	flock(dir->fd, LOCK_UN);
	close(dir->fd);
	free(dir);
}

static int fsync_whole(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result < 0 && errno == EINTR);
	return result;
}

/* So a file system, or a kernel, answers that has no such call. */
static bool is_unknown_call(int error)
{
	return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

static enum cim_status posix_sync_dir(void *ctx, cim_vfs_dir *dir, long *os_error)
{
	(void)ctx;
	/* There are file systems with nothing to sync in a directory (9p, some network ones). */
	if (fsync_whole(dir->fd) < 0 && !is_unknown_call(errno))
		return fail(os_error, errno);
	return CIM_OK;
}

/* Is the entry, or what a symbolic link leads to, a regular file? One that can't be looked at is
 * better taken for one: who opens it learns why, and nobody takes its file for nobody's. */
static bool is_regular_entry(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type == DT_REG)
		return true;
	if ((entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) ||
	    !is_component(entry->d_name))
		return false;
	if (fstatat(dir_fd, entry->d_name, &st, 0) == 0)
		return S_ISREG(st.st_mode);
	return entry->d_type == DT_UNKNOWN && errno != ENOENT && errno != ELOOP;
}

/* The names of the directory @fd, which becomes the stream's. The C library asks fcntl() for flags
 * first: where each call of that fails for want of locks (D54), it is opened by name. */
static DIR *open_stream(int fd)
{
	DIR *stream = fdopendir(fd);
	char path[40];

	if (stream || errno != ENOLCK)
		return stream;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	stream = opendir(path);
	if (stream)
		close(fd);
	return stream;
}

static enum cim_status posix_list(void *ctx, cim_vfs_dir *dir,
				  enum cim_status (*each)(void *arg, const char *name), void *arg,
				  long *os_error)
{
	/* A description of its own: the position in the directory is nobody else's. */
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *stream;
	enum cim_status status = CIM_OK;

	(void)ctx;
	if (fd < 0) {
		status = fail(os_error, errno);
		return status == CIM_E_FILE_NOT_FOUND ? CIM_E_PATH_NOT_FOUND : status;
	}
	stream = open_stream(fd);
	if (!stream) {
		status = fail(os_error, errno);
		close(fd);
		return status;
	}
	while (!status) {
		errno = 0;
		entry = readdir(stream);
		if (!entry) {
			if (errno)
				status = fail(os_error, errno);
			break;
		}
		*os_error = 0;
		if (is_regular_entry(dir->fd, entry))
			status = each(arg, entry->d_name);
	}
	closedir(stream);
	return status;
}

/* ---- files ---- */

/* Nothing but a regular file is an image's; a container may be a block device. */
static enum cim_status check_kind(int fd, bool devices, long *os_error)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(os_error, errno);
	if (S_ISREG(st.st_mode) || (devices && S_ISBLK(st.st_mode)))
		return CIM_OK;
	*os_error = S_ISDIR(st.st_mode) ? EISDIR : 0;
	return CIM_E_ACCESS;
}

/* @devices: O_EXCL of one that is there: nobody else uses it. */
static enum cim_status open_file(cim_vfs_dir *dir, const char *name, int flags, bool devices,
				 cim_vfs_file **file, long *os_error)
{
	cim_vfs_file *f;
	enum cim_status status;

	*file = NULL;
	/* O_NONBLOCK: opening a FIFO must not wait for its other end. No effect on real files. */
	flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	if (!is_component(name))
		return fail_name(os_error);
	f = malloc(sizeof(*f));
	if (!f)
		return fail(os_error, ENOMEM);
	do
		f->fd = openat(dir->fd, name, flags, 0666);
	while (f->fd < 0 && errno == EINTR);
	if (f->fd < 0) {
		status = fail(os_error, errno);
		/* A new file has no name to miss, so it is the directory that is gone. */
		if (status == CIM_E_FILE_NOT_FOUND && (flags & O_CREAT))
			status = CIM_E_PATH_NOT_FOUND;
		goto free_file;
	}
	status = check_kind(f->fd, devices, os_error);
	if (status)
		goto close_fd;
	*file = f;
	return CIM_OK;

close_fd:
	close(f->fd);
	if (flags & O_CREAT) /* nobody knows of the new file */
		unlinkat(dir->fd, name, 0);
free_file:
	free(f);
	return status;
}

/* O_EXCL means something for a device, and of a regular file that isn't made nobody knows what. */
static int exclusive(cim_vfs_dir *dir, const char *name)
{
	struct stat st;

	return is_component(name) && !fstatat(dir->fd, name, &st, 0) && S_ISBLK(st.st_mode) ? O_EXCL
											    : 0;
}

static enum cim_status posix_open(void *ctx, cim_vfs_dir *dir, const char *name,
				  enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	int flags = O_RDONLY;

	(void)ctx;
	if (mode == CIM_VFS_CREATE)
		flags = O_RDWR | O_CREAT | O_EXCL;
	else if (mode == CIM_VFS_WRITE_ANY)
		flags = O_RDWR | exclusive(dir, name);
	return open_file(dir, name, flags, mode == CIM_VFS_READ_ANY || mode == CIM_VFS_WRITE_ANY,
			 file, os_error);
}

static void posix_close(void *ctx, cim_vfs_file *file)
{
	(void)ctx;
	if (!file)
		return;
	/* What matters was synced; a failure here can say nothing that sync() didn't. */
	close(file->fd);
	free(file);
}

static enum cim_status posix_size(void *ctx, cim_vfs_file *file, uint64_t *size, long *os_error)
{
	struct stat st;

	(void)ctx;
	*size = 0;
	if (fstat(file->fd, &st) < 0)
		return fail(os_error, errno);
	*size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode)) {
		/* Moves the descriptor's position, which nobody uses. */
		const off_t end = lseek(file->fd, 0, SEEK_END);

		if (end < 0)
			return fail(os_error, errno);
		*size = (uint64_t)end;
	}
	return CIM_OK;
}

static bool posix_is_device(void *ctx, cim_vfs_file *file)
{
	struct stat st;

	(void)ctx;
	return !fstat(file->fd, &st) && S_ISBLK(st.st_mode);
}

static enum cim_status posix_pread(void *ctx, cim_vfs_file *file, uint64_t offset, void *buf,
				   size_t len, size_t *got, long *os_error)
{
	char *to = buf;

	(void)ctx;
	*got = 0;
	if (offset >= INT64_MAX) /* no file reaches that far */
		return CIM_OK;
	if (len > INT64_MAX - offset)
		len = (size_t)(INT64_MAX - offset);
	while (*got < len) {
		ssize_t n = pread(file->fd, to + *got, len - *got, (off_t)(offset + *got));

		if (n == 0)
			break;
		if (n > 0)
			*got += (size_t)n;
		else if (errno != EINTR)
			return fail(os_error, errno);
	}
	return CIM_OK;
}

static enum cim_status posix_pwrite(void *ctx, cim_vfs_file *file, uint64_t offset, const void *buf,
				    size_t len, long *os_error)
{
	const char *from = buf;
	size_t done = 0;

	(void)ctx;
	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return fail(os_error, EFBIG);
	while (done < len) {
		ssize_t n = pwrite(file->fd, from + done, len - done, (off_t)(offset + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			return fail(os_error, EIO);
		else if (errno != EINTR)
			return fail(os_error, errno);
	}
	return CIM_OK;
}

/* Where ftruncate() can't (some file systems, by FUSE): what lies before the last byte reads as
 * zero. */
static enum cim_status lengthen(void *ctx, cim_vfs_file *file, uint64_t size, long *os_error)
{
	uint64_t now;
	enum cim_status status = posix_size(ctx, file, &now, os_error);

	if (status)
		return status;
	if (size <= now)
		return fail(os_error, EPERM);
	return posix_pwrite(ctx, file, size - 1, "", 1, os_error);
}

static enum cim_status posix_truncate(void *ctx, cim_vfs_file *file, uint64_t size, long *os_error)
{
	int result;

	if (size > INT64_MAX)
		return fail(os_error, EFBIG);
	do
		result = ftruncate(file->fd, (off_t)size);
	while (result < 0 && errno == EINTR);
	if (result == 0)
		return CIM_OK;
	if (errno == EPERM)
		return lengthen(ctx, file, size, os_error);
	/* The descriptor is good and writable: EINVAL can only mean the size. */
	return fail(os_error, errno == EINVAL ? EFBIG : errno);
}

static enum cim_status posix_sync(void *ctx, cim_vfs_file *file, long *os_error)
{
	(void)ctx;
	return fsync_whole(file->fd) < 0 ? fail(os_error, errno) : CIM_OK;
}

static intptr_t posix_map(void *ctx, cim_vfs_file *file, uint64_t offset, uint64_t *len,
			  uint64_t *place)
{
	(void)ctx;
	(void)len;
	*place = offset;
	return file->fd;
}

static enum cim_status posix_next_data(void *ctx, cim_vfs_file *file, uint64_t offset,
				       uint64_t *data, long *os_error)
{
	off_t found;

	(void)ctx;
	*data = offset;
	if (offset > INT64_MAX)
		return posix_size(ctx, file, data, os_error);
	/* Moves the descriptor's position, which nobody uses. */
	found = lseek(file->fd, (off_t)offset, SEEK_DATA);
	if (found >= 0)
		*data = (uint64_t)found;
	else if (errno == ENXIO) /* nothing but a hole, or the end */
		return posix_size(ctx, file, data, os_error);
	/* Any other failure: this file system can't tell. */
	return CIM_OK;
}

/* ---- byte locks ---- */

static struct flock byte_lock(uint64_t number, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(CIM_OS_LOCK_OFFSET + number),
		.l_len = 1,
	};
}

/* EINVAL: the kernel has no such locks (before Linux 3.15, and some that stand in for it). */
static enum cim_status fail_lock(long *os_error, int code)
{
	/* POSIX leaves the choice of code for a conflict to the system. */
	return fail(os_error, code == EACCES ? EAGAIN : code == EINVAL ? ENOSYS : code);
}

static enum cim_status posix_lock(void *ctx, cim_vfs_file *file, uint64_t number,
				  enum cim_vfs_lock how, bool wait, long *os_error)
{
	static const short types[] = {
		[CIM_LOCK_NONE] = F_UNLCK,
		[CIM_LOCK_SHARED] = F_RDLCK,
		[CIM_LOCK_ALONE] = F_WRLCK,
	};
	struct flock range = byte_lock(number, types[how]);

	(void)ctx;
	while (fcntl(file->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) < 0) {
		if (errno == EINTR)
			continue;
		return fail_lock(os_error, errno);
	}
	return CIM_OK;
}

/* Does the name still lead to this file? */
static enum cim_status posix_is_named(void *ctx, cim_vfs_dir *dir, const char *name,
				      cim_vfs_file *file, bool *named, long *os_error)
{
	struct stat by_name, own;

	(void)ctx;
	*named = false;
	if (fstatat(dir->fd, name, &by_name, 0) < 0 || fstat(file->fd, &own) < 0)
		return fail(os_error, errno);
	*named = by_name.st_dev == own.st_dev && by_name.st_ino == own.st_ino;
	return CIM_OK;
}

static enum cim_status posix_hold(void *ctx, cim_vfs_dir *dir, const char *name, uint64_t number,
				  bool alone, cim_vfs_file **file, long *os_error)
{
	/* An exclusive lock takes a descriptor that can write. */
	enum cim_status status = open_file(dir, name, alone ? O_RDWR : O_RDONLY, true, file,
					   os_error);
	bool named = false;

	if (status)
		return status;
	status = posix_lock(ctx, *file, number, alone ? CIM_LOCK_ALONE : CIM_LOCK_SHARED, false,
			    os_error);
	if (!status)
		status = posix_is_named(ctx, dir, name, *file, &named, os_error);
	/* Another one has the name now: as good as held by somebody. */
	if (!status && !named)
		status = fail(os_error, EAGAIN);
	if (!status)
		return CIM_OK;
	posix_close(ctx, *file);
	*file = NULL;
	return status;
}

static enum cim_status posix_is_locked(void *ctx, cim_vfs_dir *dir, const char *name,
				       uint64_t number, enum cim_vfs_lock *lock, long *os_error)
{
	struct flock range = byte_lock(number, F_WRLCK);
	cim_vfs_file *file;
	enum cim_status status;

	*lock = CIM_LOCK_NONE;
	status = posix_open(ctx, dir, name, CIM_VFS_READ_ANY, &file, os_error);
	if (status)
		return status;
	if (fcntl(file->fd, F_OFD_GETLK, &range) < 0)
		status = fail_lock(os_error, errno);
	else if (range.l_type != F_UNLCK)
		*lock = range.l_type == F_RDLCK ? CIM_LOCK_SHARED : CIM_LOCK_ALONE;
	posix_close(ctx, file);
	return status;
}

/* ---- names ---- */

/* Where neither system call knows how (FAT, many FUSE file systems): sessions, which keep others
 * out by the directory's lock, may look first (decision D55). */
static enum cim_status rename_if_free(int fd, const char *from, const char *to, long *os_error)
{
	struct stat st;

	if (fstatat(fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(os_error, EEXIST);
	if (errno != ENOENT || renameat(fd, from, fd, to) < 0)
		return fail(os_error, errno);
	return CIM_OK;
}

/*
 * Rename without replacing on a file system that doesn't know how to: a hard link fails if the name
 * is taken. That the old name stays if it can't be removed then is no reason to deny that the new
 * one stands.
 */
static enum cim_status rename_by_link(int fd, const char *from, const char *to, long *os_error)
{
	if (linkat(fd, from, fd, to, 0) < 0) {
		/* It has no hard links either. */
		if (errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP || errno == ENOSYS)
			return rename_if_free(fd, from, to, os_error);
		return fail(os_error, errno);
	}
	unlinkat(fd, from, 0);
	return CIM_OK;
}

static enum cim_status posix_rename(void *ctx, cim_vfs_dir *dir, const char *from, const char *to,
				    unsigned flags, long *os_error)
{
	(void)ctx;
	if (!is_component(from) || !is_component(to))
		return fail_name(os_error);
	if (!(flags & CIM_VFS_NOREPLACE)) {
		if (renameat(dir->fd, from, dir->fd, to) < 0)
			return fail(os_error, errno);
		return CIM_OK;
	}
	if (renameat2(dir->fd, from, dir->fd, to, RENAME_NOREPLACE) == 0)
		return CIM_OK;
	/* EPERM: the rules of an older container, which don't know the call. */
	if (is_unknown_call(errno) || errno == EPERM)
		return rename_by_link(dir->fd, from, to, os_error);
	return fail(os_error, errno);
}

static enum cim_status posix_remove(void *ctx, cim_vfs_dir *dir, const char *name, long *os_error)
{
	(void)ctx;
	if (!is_component(name))
		return fail_name(os_error);
	if (unlinkat(dir->fd, name, 0) < 0)
		return fail(os_error, errno);
	return CIM_OK;
}

/* ---- memory, random numbers, time, locks ---- */

static void *posix_realloc(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	return realloc(ptr, size);
}

static void posix_free(void *ctx, void *ptr)
{
	(void)ctx;
	free(ptr);
}

static enum cim_status posix_random(void *ctx, void *buf, size_t len)
{
	char *to = buf;

	(void)ctx;
	while (len) {
		ssize_t n = getrandom(to, len, 0);

		if (n < 0 && errno != EINTR)
			return CIM_E_IO;
		if (n > 0) {
			to += n;
			len -= (size_t)n;
		}
	}
	return CIM_OK;
}

static uint64_t posix_now_ms(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void posix_sleep_ms(void *ctx, unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)ctx;
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void *posix_mutex_new(void *ctx)
{
	pthread_mutex_t *mutex = malloc(sizeof(*mutex));

	(void)ctx;
	if (mutex && pthread_mutex_init(mutex, NULL) != 0) {
		free(mutex);
		return NULL;
	}
	return mutex;
}

static void posix_mutex_free(void *ctx, void *mutex)
{
	(void)ctx;
	if (!mutex)
		return;
	pthread_mutex_destroy(mutex);
	free(mutex);
}

static void posix_mutex_lock(void *ctx, void *mutex)
{
	(void)ctx;
	pthread_mutex_lock(mutex);
}

static void posix_mutex_unlock(void *ctx, void *mutex)
{
	(void)ctx;
	pthread_mutex_unlock(mutex);
}

/* Looking the algorithm up takes as long as hashing some hundred bytes: once will do. */
static EVP_MD *sha256_algorithm;

static void find_sha256(void)
{
	sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static enum cim_status posix_sha256(void *ctx, const void *bytes, size_t len, uint8_t *digest)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)ctx;
	pthread_once(&once, find_sha256);
	if (!sha256_algorithm)
		return CIM_E_UNSUPPORTED;
	if (!EVP_Digest(bytes, len, digest, NULL, sha256_algorithm, NULL))
		return CIM_E_NO_MEMORY;
	return CIM_OK;
}

static const struct cim_vfs vfs = {
	CIM_SIZED(vfs),
	.fold_names = false,
	.windows_paths = false,
	.open_dir = posix_open_dir,
	.close_dir = posix_close_dir,
	.sync_dir = posix_sync_dir,
	.open = posix_open,
	.close = posix_close,
	.size = posix_size,
	.pread = posix_pread,
	.pwrite = posix_pwrite,
	.truncate = posix_truncate,
	.sync = posix_sync,
	.lock = posix_lock,
	.is_locked = posix_is_locked,
	.rename = posix_rename,
	.remove = posix_remove,
	.list = posix_list,
	.map = posix_map,
	.hold = posix_hold,
	.next_data = posix_next_data,
	.is_named = posix_is_named,
	.is_device = posix_is_device,
	.error_text = posix_error_text,
};

const struct cim_env *cim_env_default(void)
{
	static const struct cim_env env = {
		CIM_SIZED(env),
		.mem = {.realloc = posix_realloc, .free = posix_free},
		.vfs = &vfs,
		.random = posix_random,
		.now_ms = posix_now_ms,
		.sleep_ms = posix_sleep_ms,
		.mutex_new = posix_mutex_new,
		.mutex_free = posix_mutex_free,
		.mutex_lock = posix_mutex_lock,
		.mutex_unlock = posix_mutex_unlock,
		.sha256 = posix_sha256,
	};

	return &env;
}
