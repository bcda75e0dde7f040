/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_osfaults.c - os/posix.c when a call of the system fails: each of them, in every operation
 *
 * The linker puts this test between os/posix.c and the C library (--wrap, see rules.mk). Each
 * operation is done again and again: the first call of the system's that it makes fails, then the
 * second, and so on until there is none. After each: the right status and code, no handle, no
 * descriptor, no lock, and the directory as it was.
 */
#define _GNU_SOURCE
#include "tap.h"
#include "../os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct cim_env *env;
static const struct cim_vfs *vfs;
static char path[1200]; /* the directory, with the files "a" and "b" and the directory "sub" */
static cim_vfs_dir *shared_dir;	  /* open all the time */
static cim_vfs_file *shared_file; /* "a", with 9 bytes, writable */
static long os_error;

#define CALL(function, ...) vfs->function(vfs->ctx, __VA_ARGS__, &os_error)

/* ---- the calls of the system ---- */

static unsigned fail_at;	 /* the call that fails, from 1; 0: none does */
static int fail_code;		 /* with this */
static unsigned calls;		 /* that were made since */
static const char *failed;	 /* which it was */
static const char *old_system;	 /* a call that is unknown there, */
static const char *older_system; /* and another one */
static bool no_types;		 /* directories don't tell what their entries are */

static bool fails(const char *name)
{
	if (fail_at && ((old_system && !strcmp(name, old_system)) ||
			(older_system && !strcmp(name, older_system)))) {
		errno = strcmp(name, "ftruncate64") ? EOPNOTSUPP : EPERM;
		return true;
	}
	if (!fail_at || ++calls != fail_at)
		return false;
	failed = name;
	errno = fail_code;
	return true;
}

/* A wrapper of function @name that gives @bad when it fails. */
#define WRAP(type, name, params, args, bad)                       \
	type __real_##name params;                                \
	type __wrap_##name params;                                \
	type __wrap_##name params                                 \
	{                                                         \
		return fails(#name) ? (bad) : __real_##name args; \
	}

WRAP(int, flock, (int fd, int operation), (fd, operation), -1)
WRAP(int, fsync, (int fd), (fd), -1)
WRAP(DIR *, fdopendir, (int fd), (fd), NULL)
WRAP(int, fstat64, (int fd, struct stat *st), (fd, st), -1)
WRAP(int, fstatat64, (int fd, const char *name, struct stat *st, int flags), (fd, name, st, flags),
     -1)
WRAP(ssize_t, pread64, (int fd, void *buf, size_t len, off_t offset), (fd, buf, len, offset), -1)
WRAP(ssize_t, pwrite64, (int fd, const void *buf, size_t len, off_t offset), (fd, buf, len, offset),
     -1)
WRAP(int, ftruncate64, (int fd, off_t size), (fd, size), -1)
WRAP(off_t, lseek64, (int fd, off_t offset, int whence), (fd, offset, whence), -1)
WRAP(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to), -1)
WRAP(int, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     (from_fd, from, to_fd, to, flags), -1)
WRAP(int, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags), -1)
WRAP(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags), -1)
WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(ssize_t, getrandom, (void *buf, size_t len, unsigned flags), (buf, len, flags), -1)
WRAP(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left), -1)
WRAP(locale_t, newlocale, (int mask, const char *name, locale_t base), (mask, name, base), NULL)

int __real_open64(const char *name, int flags, ...);
int __wrap_open64(const char *name, int flags, ...);
int __wrap_open64(const char *name, int flags, ...)
{
	return fails("open64") ? -1 : __real_open64(name, flags);
}

int __real_openat64(int fd, const char *name, int flags, ...);
int __wrap_openat64(int fd, const char *name, int flags, ...);
int __wrap_openat64(int fd, const char *name, int flags, ...)
{
	return fails("openat64") ? -1 : __real_openat64(fd, name, flags, 0666);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return fails("fcntl64") ? -1 : __real_fcntl64(fd, command, arg);
}

struct dirent *__real_readdir64(DIR *stream);
struct dirent *__wrap_readdir64(DIR *stream);
struct dirent *__wrap_readdir64(DIR *stream)
{
	struct dirent *entry = fails("readdir64") ? NULL : __real_readdir64(stream);

	if (entry && no_types)
		entry->d_type = DT_UNKNOWN;
	return entry;
}

/* ---- the operations ---- */

static cim_vfs_dir *dir;   /* what an operation opened */
static cim_vfs_file *file; /* likewise */
static char listed[256];   /* what was listed */
static uint64_t number;	   /* what was told */

static enum cim_status add_name(void *arg, const char *name)
{
	(void)arg;
	strcat(strcat(listed, name), " ");
	return CIM_OK;
}

static enum cim_status do_open_dir(void)
{
	return CALL(open_dir, path, 0, &dir);
}

static enum cim_status do_lock_dir(void)
{
	return CALL(open_dir, path, CIM_VFS_DIR_LOCK, &dir);
}

static enum cim_status do_sync_dir(void)
{
	return CALL(sync_dir, shared_dir);
}

static enum cim_status do_list(void)
{
	listed[0] = '\0';
	return CALL(list, shared_dir, add_name, NULL);
}

static enum cim_status do_open(void)
{
	return CALL(open, shared_dir, "a", CIM_VFS_READ, &file);
}

static enum cim_status do_create(void)
{
	return CALL(open, shared_dir, "new", CIM_VFS_CREATE, &file);
}

static enum cim_status do_size(void)
{
	return CALL(size, shared_file, &number);
}

static enum cim_status do_pread(void)
{
	char text[9];
	size_t got;

	return CALL(pread, shared_file, 0, text, sizeof(text), &got);
}

static enum cim_status do_pwrite(void)
{
	return CALL(pwrite, shared_file, 0, "012345678", 9);
}

static enum cim_status do_truncate(void)
{
	return CALL(truncate, shared_file, 9);
}

static enum cim_status do_lengthen(void)
{
	enum { SIZE = 20 };
	char text[SIZE + 10]; /* and what must not be there */
	size_t got = 0;
	enum cim_status status = CALL(truncate, shared_file, SIZE);

	if (!status)
		status = CALL(pread, shared_file, 0, text, sizeof(text), &got);
	if (!status && (got != SIZE || memcmp(text, "012345678\0\0\0\0\0\0\0\0\0\0", got) != 0))
		status = CIM_E_CORRUPT;
	return status;
}

static enum cim_status do_sync(void)
{
	return CALL(sync, shared_file);
}

static enum cim_status do_next_data(void)
{
	return CALL(next_data, shared_file, 0, &number);
}

static enum cim_status do_next_data_past_it(void)
{
	return CALL(next_data, shared_file, UINT64_MAX, &number);
}

static enum cim_status do_lock(void)
{
	return CALL(lock, shared_file, 0, CIM_LOCK_ALONE, true);
}

static enum cim_status do_hold(void)
{
	return CALL(hold, shared_dir, "b", 0, true, &file);
}

static enum cim_status do_hold_shared(void)
{
	return CALL(hold, shared_dir, "b", 0, false, &file);
}

static enum cim_status do_is_locked(void)
{
	enum cim_vfs_lock lock;

	return CALL(is_locked, shared_dir, "b", 0, &lock);
}

static enum cim_status do_is_named(void)
{
	bool named;

	return CALL(is_named, shared_dir, "a", shared_file, &named);
}

static enum cim_status do_rename(void)
{
	return CALL(rename, shared_dir, "b", "new", 0);
}

static enum cim_status do_rename_if_free(void)
{
	return CALL(rename, shared_dir, "b", "new", CIM_VFS_NOREPLACE);
}

static enum cim_status do_remove(void)
{
	return CALL(remove, shared_dir, "b");
}

/* Of what fails without telling the system's code. */
static enum cim_status no_code(enum cim_status status)
{
	os_error = fail_code;
	return status == CIM_E_IO ? cim_status_from_os(fail_code) : status;
}

static enum cim_status do_random(void)
{
	char bytes[16];

	return no_code(env->random(env->random_ctx, bytes, sizeof(bytes)));
}

static enum cim_status do_mutex(void)
{
	void *mutex = env->mutex_new(env->thread_ctx);

	os_error = ENOMEM;
	env->mutex_free(env->thread_ctx, mutex);
	return mutex ? CIM_OK : CIM_E_NO_MEMORY;
}

static enum cim_status do_error_text(void)
{
	char text[100];
	const bool told = vfs->error_text(vfs->ctx, ENOENT, text, sizeof(text));

	return no_code(told ? CIM_OK : CIM_E_IO);
}

static enum cim_status do_sleep(void)
{
	env->sleep_ms(env->clock_ctx, 1);
	return CIM_OK;
}

/* @unharmed: calls that may fail without harm; @again: calls that a signal may interrupt */
static const struct operation {
	const char *name;
	enum cim_status (*run)(void);
	const char *unharmed, *again, *unknown, *unknown_too;
	bool no_types;
} operations[] = {
	{"open_dir", do_open_dir, NULL, NULL, NULL, NULL, false},
	{"open_dir with its lock", do_lock_dir, NULL, "flock", NULL, NULL, false},
	{"sync_dir", do_sync_dir, NULL, "fsync", NULL, NULL, false},
	{"list", do_list, NULL, NULL, NULL, NULL, false},
	{"list without types", do_list, "fstatat64", NULL, NULL, NULL, true},
	{"open", do_open, NULL, "openat64", NULL, NULL, false},
	{"create", do_create, NULL, "openat64", NULL, NULL, false},
	{"size", do_size, NULL, NULL, NULL, NULL, false},
	{"pread", do_pread, NULL, "pread64", NULL, NULL, false},
	{"pwrite", do_pwrite, NULL, "pwrite64", NULL, NULL, false},
	{"truncate", do_truncate, NULL, "ftruncate64", NULL, NULL, false},
	{"lengthen", do_lengthen, NULL, "ftruncate64 pread64", NULL, NULL, false},
	{"lengthen by writing", do_lengthen, NULL, "pread64 pwrite64", "ftruncate64", NULL, false},
	{"sync", do_sync, NULL, "fsync", NULL, NULL, false},
	{"next_data", do_next_data, "lseek64", NULL, NULL, NULL, false},
	{"next_data, far", do_next_data_past_it, NULL, NULL, NULL, NULL, false},
	{"lock", do_lock, NULL, "fcntl64", NULL, NULL, false},
	{"hold", do_hold, NULL, "openat64 fcntl64", NULL, NULL, false},
	{"hold shared", do_hold_shared, NULL, "openat64 fcntl64", NULL, NULL, false},
	{"is_locked", do_is_locked, NULL, "openat64", NULL, NULL, false},
	{"is_named", do_is_named, NULL, NULL, NULL, NULL, false},
	{"rename", do_rename, NULL, NULL, NULL, NULL, false},
	{"rename if free", do_rename_if_free, NULL, NULL, NULL, NULL, false},
	{"rename by a link", do_rename_if_free, "unlinkat", NULL, "renameat2", NULL, false},
	{"rename without links", do_rename_if_free, NULL, NULL, "renameat2", "linkat", false},
	{"remove", do_remove, NULL, NULL, NULL, NULL, false},
	{"random", do_random, NULL, "getrandom", NULL, NULL, false},
	{"mutex_new", do_mutex, NULL, NULL, NULL, NULL, false},
	{"error_text", do_error_text, NULL, NULL, NULL, NULL, false},
	{"sleep_ms", do_sleep, "nanosleep", "nanosleep", NULL, NULL, false},
};

/* ---- what is left of them ---- */

static unsigned descriptors(void)
{
	unsigned count = 0;
	DIR *stream = opendir("/proc/self/fd");

	if (!stream)
		bail("no /proc: %s", strerror(errno));
	while (readdir(stream))
		count++;
	closedir(stream);
	return count;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The names in the directory. */
static const char *names(void)
{
	static char text[256];
	struct dirent **entries;
	const int count = scandir(path, &entries, NULL, by_name);

	text[0] = '\0';
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			strcat(strcat(text, entries[i]->d_name), " ");
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return text;
}

/* Can another one have the locks of the directory and of a file in it? Both descriptions are new.
 */
static bool is_free(const char *name)
{
	char full[1300];
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int dir_fd;
	int fd;
	bool is;

	snprintf(full, sizeof(full), "%s/%s", path, name);
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = open(full, O_RDWR | O_CLOEXEC);
	range.l_start = (off_t)CIM_OS_LOCK_OFFSET;
	range.l_len = 1;
	is = dir_fd >= 0 && fd >= 0 && !flock(dir_fd, LOCK_EX | LOCK_NB) &&
	     !fcntl(fd, F_OFD_SETLK, &range);
	if (fd >= 0)
		close(fd);
	if (dir_fd >= 0)
		close(dir_fd);
	return is;
}

/* As before the operation. */
static void undo(const struct operation *op)
{
	char full[1300];
	char other[1300];

	vfs->close_dir(vfs->ctx, dir);
	vfs->close(vfs->ctx, file);
	dir = NULL;
	file = NULL;
	snprintf(full, sizeof(full), "%s/b", path);
	snprintf(other, sizeof(other), "%s/new", path);
	if (op->run == do_create)
		unlink(other);
	else if (access(full, F_OK) && access(other, F_OK))
		close(open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	else if (!access(other, F_OK) && rename(other, full))
		bail("can't rename it back: %s", strerror(errno));
	unlink(other); /* rename() does nothing with two names of one file */
	CALL(lock, shared_file, 0, CIM_LOCK_NONE, false);
	CALL(truncate, shared_file, 9);
}

/* ---- the sweep ---- */

static bool is_in(const char *word, const char *words)
{
	const size_t len = strlen(word);

	for (const char *at = words; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
		if (!strncmp(at, word, len) && (!at[len] || at[len] == ' '))
			return true;
	}
	return false;
}

/* Do it with its @n-th call failing; false: it makes no such call. */
static bool run_failing(const struct operation *op, unsigned n, int code, enum cim_status *status)
{
	dir = (cim_vfs_dir *)&dir; /* what must not stay */
	file = (cim_vfs_file *)&file;
	os_error = -1;
	old_system = op->unknown;
	older_system = op->unknown_too;
	no_types = op->no_types;
	fail_code = code;
	failed = NULL;
	calls = 0;
	fail_at = n;
	*status = op->run();
	fail_at = 0;
	no_types = false;
	if (dir == (cim_vfs_dir *)&dir)
		dir = NULL;
	if (file == (cim_vfs_file *)&file)
		file = NULL;
	return failed;
}

/* What is to come of it; *want_code: the system's code then. */
static enum cim_status expected(const struct operation *op, int code, int *want_code)
{
	*want_code = is_in(failed, "malloc") ? ENOMEM : code;
	if (is_in(failed, op->unharmed) || (code == EINTR && is_in(failed, op->again)))
		return CIM_OK;
	return cim_status_from_os(*want_code);
}

static void check_one(const struct operation *op, unsigned n, int code, enum cim_status got,
		      unsigned before)
{
	int want_code;
	const enum cim_status want = expected(op, code, &want_code);
	const bool opened = dir || file;
	const char *there = names();

	if (got == CIM_OK && want == CIM_OK)
		return;
	ok(got == want && os_error == want_code && !opened && descriptors() == before &&
		   !strcmp(there, "a b sub ") && is_free("b"),
	   "%s: call %u, %s: %s leaves nothing", op->name, n, failed, strerror(code));
	if (got != want || os_error != want_code)
		diag("got %s, %ld, want %s, %d", cim_status_name(got), os_error,
		     cim_status_name(want), want_code);
	if (opened || descriptors() != before)
		diag("%s; %u descriptors instead of %u", opened ? "a handle" : "no handle",
		     descriptors(), before);
	if (strcmp(there, "a b sub ") != 0 || !is_free("b"))
		diag("the directory has '%s'; %s", there, is_free("b") ? "no lock" : "a lock");
}

/* All calls of an operation; how many there were. */
static unsigned sweep(const struct operation *op, int code)
{
	const unsigned before = descriptors();
	enum cim_status status;
	unsigned n = 1;

	while (run_failing(op, n, code, &status)) {
		check_one(op, n, code, status, before);
		undo(op);
		if (++n > 50)
			bail("%s makes more and more calls", op->name);
	}
	is_str(cim_status_name(status), "CIM_OK", "%s: it works when nothing fails", op->name);
	undo(op);
	is_int(descriptors(), before, "%s: all that was open is closed", op->name);
	return n - 1;
}

/* What an answer means that isn't a failure, or another one than it seems. */
static const struct answer {
	enum cim_status (*run)(void);
	const char *call;
	int code;
	enum cim_status want;
	const char *what;
} answers[] = {
	{do_sync_dir, "fsync", EINVAL, CIM_OK, "there is nothing to sync in a directory"},
	{do_sync_dir, "fsync", ENOSYS, CIM_OK, "nor a call for it"},
	{do_sync_dir, "fsync", EOPNOTSUPP, CIM_OK, "or it isn't supported"},
	{do_sync, "fsync", EINVAL, CIM_E_IO, "but a file that isn't synced may be lost"},
	{do_truncate, "ftruncate64", EINVAL, CIM_E_TOO_LARGE, "the size can't be"},
	{do_truncate, "ftruncate64", EPERM, CIM_E_ACCESS, "nor can it be shortened"},
	{do_open_dir, "open64", EACCES, CIM_OK, "a directory that can't be listed"},
	{do_lock_dir, "open64", EACCES, CIM_E_ACCESS, "which can't be locked"},
	{do_lock, "fcntl64", EACCES, CIM_E_SHARING, "somebody has the lock"},
	{do_lock, "fcntl64", EINVAL, CIM_E_UNSUPPORTED, "no locks of open files"},
	{do_hold, "fcntl64", EINVAL, CIM_E_UNSUPPORTED, "nor to hold a file"},
	{do_is_locked, "fcntl64", EINVAL, CIM_E_UNSUPPORTED, "nor to ask for"},
	{do_list, "openat64", ENOENT, CIM_E_PATH_NOT_FOUND, "a directory that is gone"},
	{do_list, "openat64", EACCES, CIM_E_ACCESS, "or one that can't be listed"},
	{do_rename_if_free, "renameat2", EINVAL, CIM_OK, "no rename flags"},
	{do_rename_if_free, "renameat2", ENOSYS, CIM_OK, "an older kernel"},
	{do_rename_if_free, "renameat2", EOPNOTSUPP, CIM_OK, "an odd file system"},
	{do_rename_if_free, "renameat2", EPERM, CIM_OK, "an older container"},
};

static void test_answers(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct answer *a = &answers[i];
		const struct operation op = {.run = a->run};
		enum cim_status status;
		unsigned n = 1;

		while (run_failing(&op, n, a->code, &status) && strcmp(failed, a->call) != 0) {
			undo(&op);
			n++;
		}
		is_str(cim_status_name(status), cim_status_name(a->want), "%s: %s", a->what,
		       strerror(a->code));
		undo(&op);
	}
}

/* Where directories tell no types, an entry that can't be looked at is listed, for it may be an
 * image; but not what leads nowhere. */
static void test_untyped(void)
{
	static const int codes[] = {EIO, EACCES, ENOENT, ELOOP};
	const struct operation op = {.run = do_list, .no_types = true};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		unsigned missing = 0, others = 0;
		enum cim_status status;

		for (unsigned n = 1; run_failing(&op, n, codes[i], &status); n++) {
			if (strcmp(failed, "fstatat64") != 0)
				continue;
			missing += !is_in("a", listed) + !is_in("b", listed);
			others += is_in("sub", listed) + is_in(".", listed) + is_in("..", listed);
		}
		is_int(missing, i < 2 ? 0 : 2, "%s: a and b are listed, or not",
		       strerror(codes[i]));
		is_int(others, i < 2 ? 1 : 0, "and what might be one");
	}
}

/* A signal doesn't end a sleep; what else fails does. */
static void test_sleep(void)
{
	static const int codes[] = {EINTR, EINVAL};
	const struct operation op = {.run = do_sleep};
	enum cim_status status;

	for (unsigned i = 0; i < 2; i++) {
		run_failing(&op, 1, codes[i], &status);
		is_int(calls, 2 - i, "a sleep that ends with %s: calls", strerror(codes[i]));
	}
}

static void make_directory(void)
{
	const char *tmp = getenv("TEST_TMP");
	char sub[1300];
	cim_vfs_file *b = NULL;

	if (!tmp)
		bail("TEST_TMP is not set: run by scripts/run-tests, or give it an empty "
		     "directory");
	snprintf(path, sizeof(path), "%s/directory", tmp);
	snprintf(sub, sizeof(sub), "%s/sub", path);
	if (mkdir(path, 0777) || mkdir(sub, 0777) || CALL(open_dir, path, 0, &shared_dir) ||
	    CALL(open, shared_dir, "a", CIM_VFS_CREATE, &shared_file) ||
	    CALL(pwrite, shared_file, 0, "012345678", 9) ||
	    CALL(open, shared_dir, "b", CIM_VFS_CREATE, &b))
		bail("can't make the directory: %s", strerror(errno));
	vfs->close(vfs->ctx, b);
}

int main(void)
{
	static const int codes[] = {EIO, ENOSPC, EMFILE, ENOMEM, ESTALE, EINTR};
	unsigned swept = 0;

	env = cim_env_default();
	vfs = env->vfs;
	make_directory();
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		for (size_t c = 0; c < sizeof(codes) / sizeof(codes[0]); c++)
			swept += sweep(&operations[i], codes[c]);
	}
	ok(swept > 300, "%u calls failed", swept);
	test_answers();
	test_untyped();
	test_sleep();
	vfs->close(vfs->ctx, shared_file);
	vfs->close_dir(vfs->ctx, shared_dir);
	return tap_done();
}
