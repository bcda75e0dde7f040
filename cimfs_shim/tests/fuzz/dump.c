/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dump.c - fuzz target: the text that "cimtool create --from-dump" reads
 *
 * Whatever it says, an image that comes of it can be opened and is without errors, but for metadata
 * that are none: a dump of an image that has such must give them back.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tool/write.h"
#include "libcim_debug.h"

/* What report.c knows of the other commands. */
const struct command cmd_diff = {.name = "diff"};

/* Where the text is; and what is said about it goes nowhere. */
static int text_fd(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("dump", MFD_CLOEXEC);
		stderr = fopen("/dev/null", "w");
		if (fd < 0 || !stderr)
			fuzz_broken("no file for the text");
	}
	return fd;
}

static int judge(void *ctx, const struct cim_finding *finding)
{
	(void)ctx;
	if (finding->severity == CIM_ERROR &&
	    strcmp(finding->structure, cim_structure_name(CIM_STRUCT_SECURITY)) != 0 &&
	    strcmp(finding->structure, cim_structure_name(CIM_STRUCT_EA)) != 0 &&
	    strcmp(finding->structure, cim_structure_name(CIM_STRUCT_REPARSE)) != 0)
		fuzz_broken("the result: %s: %s: %s", finding->structure, finding->path,
			    finding->message);
	return 0;
}

static void read_dump(struct session *s, const char *file)
{
	struct cim_error err = {0};

	if (cim_writer_open(&s->env, "mem", NULL, s->name, CIM_WRITE_AS_STORED, &s->writer, &err))
		fuzz_broken("no session: %s", err.cause);
	if (!from_dump(s, file, NULL) && !cim_writer_commit(s->writer, &err)) {
		struct cim_image *image;

		if (cim_image_open(&s->env, s->path, &image, &err))
			fuzz_broken("the result can't be opened: %s", err.cause);
		if (cim_image_verify(image, CIM_VERIFY_DEEP, judge, NULL, NULL, &err))
			fuzz_broken("the result can't be checked: %s", err.cause);
		cim_image_close(image);
	}
	cim_writer_close(s->writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct command command = {.name = "create"};
	struct tool t = {.command = &command, .quiet = true};
	struct session s = {.t = &t,
			    .op = "create image",
			    .image = "mem/d.cim",
			    .path = (char *)"mem/d.cim",
			    .name = "d.cim"};
	struct memfs *fs = memfs_new();
	const int fd = text_fd();
	char file[40];

	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		fuzz_broken("the text can't be written");
	s.env = memfs_env(fs);
	read_dump(&s, file);
	fuzz_clean(fs);
	memfs_free(fs);
	return 0;
}
