/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/io.c: splitting host paths, reading small files whole. */
#include "../core/io.h"
#include "../core/mem.h"
#include "memfs.h"
#include "testenv.h"

static struct test_memory memory;

static void split(const struct cim_env *env, const char *path, const char *want_dir,
		  const char *want_name)
{
	const char *name = "?";
	const char *host_name = env->vfs->windows_paths ? "Windows" : "POSIX";
	char *dir = NULL;
	struct cim_error err = {.cause = ""};
	enum cim_status status = cim_split_path(env, path, &dir, &name, &err);

	if (want_dir) {
		is_int(status, CIM_OK, "%s: '%s' is split", host_name, path);
		is_str(dir, want_dir, "%s: '%s': the directory", host_name, path);
		is_str(name, want_name, "%s: '%s': the name", host_name, path);
	} else {
		is_int(status, CIM_E_FILE_NOT_FOUND, "%s: '%s' names no file", host_name, path);
		ok(!dir && !name && err.cause[0], "%s: '%s': no result", host_name, path);
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
}

static void splitting(void)
{
	struct cim_env env = test_env(&memory);
	struct cim_error err;
	const char *name;
	char *dir;
	struct cim_vfs vfs = {CIM_SIZED(vfs)};

	env.vfs = &vfs;
	split_everywhere(&env);
	split(&env, "dir\\x.cim", ".", "dir\\x.cim");
	split(&env, "a/b\\x.cim", "a", "b\\x.cim");
	split(&env, "C:x.cim", ".", "C:x.cim");
	split(&env, "C:/x.cim", "C:", "x.cim");
	split(&env, "dir/\\", "dir", "\\");

	vfs.windows_paths = true;
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

/* A file that claims more than it has is cut short before it is read. */
static struct mem_flat *shrunk;
static size_t true_size;

static void shrink(struct memfs *m, enum mem_op op, const char *name)
{
	(void)m;
	(void)name;
	if (op == MEM_PREAD && shrunk)
		shrunk->size = true_size;
}

/* @fail_at: which call of the file system fails, 0: none. @size: what the file claims. */
static void read_case(const char *why, const char *content, size_t size, size_t limit,
		      unsigned long fail_at, enum cim_status want)
{
	struct cim_env env = test_env(&memory);
	struct mem_flat file = {"small", (uint8_t *)content, strlen(content), 0};
	struct memfs *m = memfs_new();
	uint8_t *bytes = (uint8_t *)1;
	struct cim_error err = {.cause = ""};
	enum cim_status status;
	cim_vfs_dir *dir;
	long os_error;

	shrunk = size > file.size ? &file : NULL;
	true_size = file.size;
	file.size = size;
	m->before = shrink;
	memfs_lend(m, &file);
	if (m->vfs.open_dir(m, "mem", 0, &dir, &os_error))
		bail("no directory");
	env.vfs = &m->vfs;
	memory.fail_at = want == CIM_E_NO_MEMORY;
	m->fail_at = fail_at ? m->ops + fail_at : 0;
	m->fail_status = want;
	m->fail_os_error = 11 * (long)fail_at;
	size = 99;
	status = cim_read_whole(&env, dir, "small", limit, &bytes, &size, &err);
	is_int(status, want, "read whole: %s: %s", why, cim_status_name(want));
	if (!want && !status) {
		is_int(size, strlen(content), "read whole: %s: the size", why);
		is_mem(bytes, content, size, "read whole: %s: the bytes", why);
		cim_free(&env, bytes);
	} else {
		ok(!bytes && !size, "read whole: %s: no result", why);
		is_int(err.os_error, m->fail_os_error, "read whole: %s: the system's code", why);
		ok(want == CIM_E_NO_MEMORY || strstr(err.cause, "small"),
		   "read whole: %s: the cause names the file: %s", why, err.cause);
	}
	is_int(m->misused ? -1 : m->open_files, 0, "read whole: %s: the file is closed", why);
	is_int(memory.in_use, 0, "read whole: %s: nothing is lost", why);
	m->vfs.close_dir(m, dir);
	memfs_free(m);
}

static void reading(void)
{
	read_case("a file", "twelve bytes", 12, 100, 0, CIM_OK);
	read_case("a file of just the limit", "twelve bytes", 12, 12, 0, CIM_OK);
	read_case("one byte over the limit", "twelve bytes", 12, 11, 0, CIM_E_CORRUPT);
	read_case("no memory", "twelve bytes", 12, 100, 0, CIM_E_NO_MEMORY);
	read_case("a file that became shorter", "twelve bytes", 13, 100, 0, CIM_E_CORRUPT);
	read_case("a size that no memory holds", "twelve bytes", SIZE_MAX, SIZE_MAX / 4, 0,
		  CIM_E_CORRUPT);
	read_case("an empty file", "", 0, 0, 0, CIM_OK);
	read_case("open fails", "x", 1, 100, 1, CIM_E_ACCESS);
	read_case("size fails", "x", 1, 100, 2, CIM_E_IO);
	read_case("read fails", "x", 1, 100, 3, CIM_E_IO);
}

int main(void)
{
	splitting();
	reading();
	return tap_done();
}
