/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unmount.c - ending a mount
 *
 * Root unmounts by himself; everybody else what is his own, by fusermount3, which has the right to.
 * What it has to say against it is in its words alone.
 */
#include "unmount.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "error.h"
#include "mountinfo.h"
#include "run.h"

/* Its exit code, -1 with errno if it can't be run; @said: its first line. */
static int run_fusermount(const char *dir, bool lazy, char *said, size_t room)
{
	char *argv[] = {"fusermount3", lazy ? "-uz" : "-u", "--", (char *)dir, NULL};
	int caught = memfd_create("stderr", MFD_CLOEXEC);
	int code = run_program(argv, caught);
	int error = errno;
	ssize_t len = 0;

	if (caught >= 0) {
		len = pread(caught, said, room - 1, 0);
		close(caught);
	}
	said[len > 0 ? len : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	errno = error;
	return code;
}

static enum unmount_result unmount_as_user(const char *dir, bool lazy, struct cim_error *err)
{
	char said[300];

	switch (run_fusermount(dir, lazy, said, sizeof(said))) {
	case 0:
		return UNMOUNT_DONE;
	case -1:
		fail(err, CIM_E_ACCESS, "only root may, for fusermount3 can't be run: %s",
		     strerror(errno));
		return UNMOUNT_REFUSED;
	}
	if (!find_mount(dir, NULL))
		return UNMOUNT_GONE;
	if (strstr(said, "busy")) {
		fail(err, CIM_E_SHARING, "it is in use");
		return UNMOUNT_BUSY;
	}
	if (strstr(said, "not found in"))
		fail(err, CIM_E_ACCESS, "it is another user's mount");
	else
		fail(err, CIM_E_ACCESS, "%s", *said ? said : "fusermount3 failed without a word");
	return UNMOUNT_REFUSED;
}

enum unmount_result unmount_dir(const char *dir, bool lazy, struct cim_error *err)
{
	int error;

	if (!umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)))
		return UNMOUNT_DONE;
	error = errno;
	if (error == EPERM)
		return unmount_as_user(dir, lazy, err);
	if (!find_mount(dir, NULL))
		return UNMOUNT_GONE;
	if (error == EBUSY) {
		fail(err, CIM_E_SHARING, "it is in use");
		return UNMOUNT_BUSY;
	}
	fail(err, cim_status_from_os(error), "%s", strerror(error));
	return UNMOUNT_REFUSED;
}
