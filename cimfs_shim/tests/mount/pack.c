/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pack.c - "pack [--seal | --names=N | --orphans=N] CONTAINER DIRECTORY NAME...": files of a
 * directory, into a new container
 *
 * Whatever is in them, for the tests have images that no session makes, and no reader opens. The
 * last one is the image: giving it its name makes the container's state. With --seal the container
 * is sealed then, and its root hash is printed. With --names=N there are N empty files more, each
 * with a name that an image could have, with --orphans=N one of a region file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/place.h"
#include "libcim_advanced.h"

#define PRIVATE "cimtmp_pack"

static _Noreturn void fail(const char *what, enum cim_status status)
{
	fprintf(stderr, "pack: %s: %s\n", what, cim_status_name(status));
	exit(1);
}

static void copy(const struct cim_vfs *vfs, cim_vfs_dir *dir, const char *directory,
		 const char *name, const char *as)
{
	static char bytes[1 << 20];
	char path[4096];
	cim_vfs_file *to;
	uint64_t at = 0;
	size_t got;
	long os_error;
	FILE *from;
	enum cim_status status;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	from = fopen(path, "rb");
	if (!from)
		fail(path, CIM_E_FILE_NOT_FOUND);
	status = vfs->open(vfs->ctx, dir, as, CIM_VFS_CREATE, &to, &os_error);
	if (status)
		fail(name, status);
	while (!status && (got = fread(bytes, 1, sizeof(bytes), from)) > 0) {
		status = vfs->pwrite(vfs->ctx, to, at, bytes, got, &os_error);
		at += got;
	}
	if (!status)
		status = vfs->sync(vfs->ctx, to, &os_error);
	if (status)
		fail(name, status);
	vfs->close(vfs->ctx, to);
	fclose(from);
}

static void add_names(const struct cim_vfs *vfs, cim_vfs_dir *dir, long count, bool orphans)
{
	char name[64];
	cim_vfs_file *file;
	long os_error;

	/* In their order, which is the fastest. */
	for (long i = 0; i < count; i++) {
		if (orphans)
			snprintf(name, sizeof(name), "region_%08lx-0000-8000-8000-000000000000_0",
				 i);
		else
			snprintf(name, sizeof(name), "%06lx.cim", i);
		if (vfs->open(vfs->ctx, dir, name, CIM_VFS_CREATE, &file, &os_error))
			fail(name, CIM_E_NO_MEMORY);
		vfs->close(vfs->ctx, file);
	}
}

static void print_root(const char *container)
{
	uint8_t root[CIM_ROOT_HASH];
	const enum cim_status status = cim_container_seal(NULL, container, root, NULL, NULL);

	if (status)
		fail(container, status);
	for (size_t i = 0; i < sizeof(root); i++)
		printf("%02x", root[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	char **const words = argv + (argc > 1 && !strncmp(argv[1], "--", 2));
	const char *const option = words > argv ? argv[1] : "", *const number = strchr(option, '=');
	const bool seal = !strcmp(option, "--seal");
	struct cim_env env = *cim_env_default();
	struct cim_vfs vfs = *env.vfs;
	cim_vfs_dir *dir;
	bool unlocked = false;
	long os_error;
	enum cim_status status;

	if (words + 4 > argv + argc)
		fail("wrong arguments", CIM_E_INVALID);
	env.vfs = &vfs;
	status = cim_place_lock(&env, &vfs, words[1],
				CIM_WRITE_CONTAINER | (seal ? CIM_WRITE_SEALABLE : 0), &dir,
				&unlocked, NULL);
	if (status)
		fail(words[1], status);
	if (number)
		add_names(&vfs, dir, atol(number + 1), !strncmp(option, "--orphans", 9));
	for (int i = 3; words[i]; i++)
		copy(&vfs, dir, words[2], words[i], words[i + 1] ? words[i] : PRIVATE);
	status = vfs.rename(vfs.ctx, dir, PRIVATE, argv[argc - 1], 0, &os_error);
	if (status)
		fail("committing", status);
	vfs.close_dir(vfs.ctx, dir);
	if (seal)
		print_root(words[1]);
	return 0;
}
