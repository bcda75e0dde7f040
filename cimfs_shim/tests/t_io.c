/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/io.c: splitting host paths, reading small files whole. */
#include "../core/io.h"
#include "../core/mem.h"
#include "testenv.h"

static struct test_memory memory;

/* A file system of one file, which can fail in each of its calls. */
static struct {
	const char *content;
	uint64_t size; /* that it claims */
	enum cim_status open_status, size_status, read_status;
	int opened; /* more opened than closed */
} host;

static enum cim_status fake_open(void *ctx, cim_vfs_dir *dir, const char *name,
				 enum cim_vfs_mode mode, cim_vfs_file **file, long *os_error)
{
	(void)ctx;
	(void)dir;
	*os_error = 11;
	*file = NULL;
	if (strcmp(name, "small") || mode != CIM_VFS_READ)
		return CIM_E_FILE_NOT_FOUND;
	if (host.open_status)
		return host.open_status;
	host.opened++;
	*file = (cim_vfs_file *)(void *)&host;
	return CIM_OK;
}

static void fake_close(void *ctx, cim_vfs_file *file)
{
	(void)ctx;
	host.opened -= file == (cim_vfs_file *)(void *)&host;
}

static enum cim_status fake_size(void *ctx, cim_vfs_file *file, uint64_t *size, long *os_error)
{
	(void)ctx;
	(void)file;
	*os_error = 22;
	*size = host.size;
	return host.size_status;
}

static enum cim_status fake_pread(void *ctx, cim_vfs_file *file, uint64_t offset, void *buf,
				  size_t len, size_t *got, long *os_error)
{
	size_t have = strlen(host.content);

	(void)ctx;
	(void)file;
	*os_error = 33;
	*got = 0;
	if (host.read_status)
		return host.read_status;
	if (offset < have) {
		*got = have - offset < len ? (size_t)(have - offset) : len;
		memcpy(buf, host.content + offset, *got);
	}
	return CIM_OK;
}

static struct cim_vfs fake_vfs = {
	CIM_SIZED(fake_vfs), .open = fake_open,	  .close = fake_close,
	.size = fake_size,   .pread = fake_pread,
};

static void split(const struct cim_env *env, const char *path, const char *want_dir,
		  const char *want_name)
{
	const char *name = "?";
	const char *host_name = env->vfs->fold_names ? "Windows" : "POSIX";
	char *dir = NULL;
	struct cim_error err = {.cause = ""};
	enum cim_status status = cim_split_path(env, path, &dir, &name, &err);

	if (want_dir) {
		is_int(status, CIM_OK, "%s: '%s' is split", host_name, path);
		is_str(dir, want_dir, "%s: '%s': the directory", host_name, path);
		is_str(name, want_name, "%s: '%s': the name", host_name, path);
	} else {
		is_int(status, path ? CIM_E_FILE_NOT_FOUND : CIM_E_INVALID,
		       "%s: '%s' names no file", host_name, path ? path : "NULL");
		ok(!dir && !name && err.cause[0], "%s: '%s': no result", host_name,
		   path ? path : "NULL");
	}
	cim_free(env, dir);
}

static void split_everywhere(const struct cim_env *env)
{
	split(env, "x.cim", ".", "x.cim");
	split(env, "./x.cim", ".", "x.cim");
	split(env, "../x.cim", "..", "x.cim");
	split(env, "dir/x.cim", "dir", "x.cim");
	split(env, "a/b/x.cim", "a/b", "x.cim");
	split(env, "/x.cim", "/", "x.cim");
	split(env, "//x.cim", "/", "x.cim");
	split(env, "/a/x.cim", "/a", "x.cim");
	split(env, "a//x.cim", "a", "x.cim");
	split(env, "a/b///x.cim", "a/b", "x.cim");
	split(env, "a/.", "a", ".");
	split(env, "", NULL, NULL);
	split(env, "/", NULL, NULL);
	split(env, "dir/", NULL, NULL);
	split(env, NULL, NULL, NULL);
}

static void splitting(void)
{
	struct cim_env env = test_env(&memory);
	struct cim_error err;
	const char *name;
	char *dir;

	env.vfs = &fake_vfs;
	fake_vfs.fold_names = false;
	split_everywhere(&env);
	split(&env, "dir\\x.cim", ".", "dir\\x.cim");
	split(&env, "a/b\\x.cim", "a", "b\\x.cim");
	split(&env, "C:x.cim", ".", "C:x.cim");
	split(&env, "C:/x.cim", "C:", "x.cim");
	split(&env, "dir/\\", "dir", "\\");

	fake_vfs.fold_names = true;
	split_everywhere(&env);
	split(&env, "dir\\x.cim", "dir", "x.cim");
	split(&env, "a\\b/x.cim", "a\\b", "x.cim");
	split(&env, "a/b\\x.cim", "a/b", "x.cim");
	split(&env, "\\x.cim", "\\", "x.cim");
	split(&env, "C:\\x.cim", "C:\\", "x.cim");
	split(&env, "C:/x.cim", "C:/", "x.cim");
	split(&env, "C:\\\\x.cim", "C:\\", "x.cim");
	split(&env, "C:\\dir\\x.cim", "C:\\dir", "x.cim");
	split(&env, "C:x.cim", "C:.", "x.cim");
	split(&env, "A:x", "A:.", "x");
	split(&env, "Z:x", "Z:.", "x");
	split(&env, "a:x", "a:.", "x");
	split(&env, "z:x", "z:.", "x");
	split(&env, "@:x", ".", "@:x");
	split(&env, "[:x", ".", "[:x");
	split(&env, "`:x", ".", "`:x");
	split(&env, "{:x", ".", "{:x");
	split(&env, "c:dir\\x.cim", "c:dir", "x.cim");
	split(&env, "\\\\server\\share\\x.cim", "\\\\server\\share", "x.cim");
	split(&env, "\\\\?\\C:\\x.cim", "\\\\?\\C:\\", "x.cim");
	split(&env, "\\\\?\\C:\\dir\\x.cim", "\\\\?\\C:\\dir", "x.cim");
	split(&env, "C:", NULL, NULL);
	split(&env, "C:\\", NULL, NULL);
	split(&env, "dir\\", NULL, NULL);

	memory.fail_at = 1;
	is_int(cim_split_path(&env, "dir/x.cim", &dir, &name, &err), CIM_E_NO_MEMORY,
	       "splitting without memory fails");
	ok(!dir && !name, "splitting without memory: no result");
	memory.fail_at = 0;
	is_int(memory.in_use, 0, "splitting loses nothing");
}

static void read_case(const char *why, size_t limit, enum cim_status want, long want_os)
{
	struct cim_env env = test_env(&memory);
	uint8_t *bytes = (uint8_t *)1;
	size_t size = 99;
	struct cim_error err = {.cause = ""};
	enum cim_status status;

	env.vfs = &fake_vfs;
	memory.fail_at = want == CIM_E_NO_MEMORY;
	status = cim_read_whole(&env, NULL, "small", limit, &bytes, &size, &err);
	is_int(status, want, "read whole: %s: %s", why, cim_status_name(want));
	if (!want && !status) {
		is_int(size, strlen(host.content), "read whole: %s: the size", why);
		is_mem(bytes, host.content, size, "read whole: %s: the bytes", why);
		cim_free(&env, bytes);
	} else {
		ok(!bytes && !size, "read whole: %s: no result", why);
		is_int(err.os_error, want_os, "read whole: %s: the system's code", why);
		ok(want == CIM_E_NO_MEMORY || strstr(err.cause, "small"),
		   "read whole: %s: the cause names the file: %s", why, err.cause);
	}
	is_int(host.opened, 0, "read whole: %s: the file is closed", why);
	is_int(memory.in_use, 0, "read whole: %s: nothing is lost", why);
}

static void use_file(const char *content)
{
	memset(&host, 0, sizeof(host));
	host.content = content;
	host.size = strlen(content);
}

static void reading(void)
{
	use_file("twelve bytes");
	read_case("a file", 100, CIM_OK, 0);
	read_case("a file of just the limit", 12, CIM_OK, 0);
	read_case("one byte over the limit", 11, CIM_E_CORRUPT, 0);
	read_case("no memory", 100, CIM_E_NO_MEMORY, 0);
	host.size = 13;
	read_case("a file that became shorter", 100, CIM_E_CORRUPT, 0);
	host.size = UINT64_MAX;
	read_case("a size that no memory holds", SIZE_MAX / 4, CIM_E_CORRUPT, 0);
	use_file("");
	read_case("an empty file", 0, CIM_OK, 0);
	use_file("x");
	host.open_status = CIM_E_ACCESS;
	read_case("open fails", 100, CIM_E_ACCESS, 11);
	use_file("x");
	host.size_status = CIM_E_IO;
	read_case("size fails", 100, CIM_E_IO, 22);
	use_file("x");
	host.read_status = CIM_E_IO;
	read_case("read fails", 100, CIM_E_IO, 33);
}

int main(void)
{
	splitting();
	reading();
	return tap_done();
}
