/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumeinfo.c - a volume of a Wine prefix: where it lies, and what its info file says
 *
 * cimfs-mount keeps a directory for each volume of a prefix, by which it, the next one and cimtool
 * know who serves the volume (mount/volume.c tells more). The info file has lines "KEY VALUE". Who
 * reads one knows by the process in it whether it is of something that lives.
 */
#include "volumeinfo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"

size_t volume_of_dir(const char *dir, char guid[CIM_GUID_TEXT])
{
	static const char middle[] = "/" VOLUMES_DIR "/";
	static const char end[] = "/" VOLUME_MNT;
	const size_t guid_len = CIM_GUID_TEXT - 1;
	const size_t tail = strlen(middle) + guid_len + strlen(end);
	const size_t len = strlen(dir);
	struct cim_guid parsed;
	const char *at;

	if (len <= tail || strcmp(dir + len - strlen(end), end) != 0)
		return 0;
	at = dir + len - tail;
	if (strncmp(at, middle, strlen(middle)) != 0)
		return 0;
	memcpy(guid, at + strlen(middle), guid_len);
	guid[guid_len] = '\0';
	return cim_guid_parse(guid, &parsed) ? len - tail : 0;
}

const char *backend_name(enum backend backend)
{
	return backend == BACKEND_EXTRACT ? "extract" : "fuse";
}

/* What a line says, into @info; which of the needed ones it is. */
static unsigned take_line(const char *line, struct volume_info *info)
{
	char word[16];
	int flag;

	if (sscanf(line, "backend %15s", word) == 1) {
		info->backend = strcmp(word, "fuse") ? BACKEND_EXTRACT : BACKEND_FUSE;
		return 1;
	}
	if (sscanf(line, "ready %d", &flag) == 1) {
		info->ready = flag;
		return 2;
	}
	if (sscanf(line, "pid %ld", &info->process.pid) == 1)
		return 4;
	if (sscanf(line, "start %llu", &info->process.start) == 1)
		return 8;
	if (sscanf(line, "boot %39s", info->process.boot) != 1 && !strncmp(line, "image ", 6))
		snprintf(info->image, sizeof(info->image), "%.*s", (int)strcspn(line + 6, "\n"),
			 line + 6);
	return 0;
}

bool volume_info_read(const char *file, struct volume_info *info)
{
	FILE *f = fopen(file, "re");
	unsigned known = 0;
	char *line = NULL;
	size_t room = 0;

	memset(info, 0, sizeof(*info));
	if (!f)
		return false;
	while (getline(&line, &room, f) > 0)
		known |= take_line(line, info);
	free(line);
	fclose(f);
	return known == 15;
}

bool write_whole(const char *file, const char *fmt, ...)
{
	char *tmp = xasprintf("%s.%ld.tmp", file, (long)getpid());
	FILE *f = fopen(tmp, "we");
	bool ok = false;
	va_list args;

	if (f) {
		va_start(args, fmt);
		ok = vfprintf(f, fmt, args) > 0;
		va_end(args);
		ok = !fclose(f) && ok && !rename(tmp, file);
	}
	if (!ok) {
		int error = errno;

		unlink(tmp);
		errno = error;
	}
	free(tmp);
	return ok;
}

bool volume_info_write(const char *file, const struct volume_info *info)
{
	char *image = xstrdup(info->image);
	bool ok;

	/* A name may hold what looks like more lines. */
	for (char *p = image; (p = strchr(p, '\n'));)
		*p = '?';
	ok = write_whole(file,
			 "backend %s\nready %d\npid %ld\nstart %llu\nboot %s\ntime %lld\n"
			 "image %s\n",
			 backend_name(info->backend), info->ready, info->process.pid,
			 info->process.start, info->process.boot, (long long)time(NULL), image);

	free(image);
	return ok;
}
