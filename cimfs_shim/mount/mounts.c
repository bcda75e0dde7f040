/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts.c - what is mounted, by /proc/self/mountinfo
 *
 * Reading that file asks no file system anything, so a server that is dead or stuck doesn't matter.
 * A line: "ID PARENT MAJOR:MINOR ROOT DIR OPTIONS [FIELD...] - TYPE SOURCE SUPER-OPTIONS", with
 * space, tab, newline and backslash in a field as "\ooo".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* The fields of a line, in place. */
static bool parse(char *line, struct mount_entry *entry)
{
	unsigned major, minor;
	char *rest = strstr(line, " - ");
	char *field;
	char *save;

	if (!rest)
		return false;
	*rest = '\0';
	rest += 3;
	for (unsigned i = 0; i < 5; i++) {
		field = strtok_r(i ? NULL : line, " ", &save);
		if (!field)
			return false;
		if (i == 2) {
			if (sscanf(field, "%u:%u", &major, &minor) != 2)
				return false;
			entry->dev = makedev(major, minor);
		}
	}
	entry->dir = field;
	entry->type = strtok_r(rest, " \n", &save);
	entry->source = strtok_r(NULL, " \n", &save);
	if (!entry->type || !entry->source)
		return false;
	unescape(entry->dir);
	unescape(entry->source);
	return true;
}

bool find_mount(const char *dir, struct mount_entry *entry)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	if (!f)
		return false;
	while (getline(&line, &room, f) > 0) {
		struct mount_entry now = {0};

		if (!parse(line, &now) || strcmp(now.dir, dir))
			continue;
		if (found)
			free_mount(entry);
		entry->dev = now.dev;
		entry->dir = strdup(now.dir);
		entry->type = strdup(now.type);
		entry->source = strdup(now.source);
		found = true;
	}
	free(line);
	fclose(f);
	return found;
}

void free_mount(struct mount_entry *entry)
{
	free(entry->dir);
	free(entry->type);
	free(entry->source);
}
