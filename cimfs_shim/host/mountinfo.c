/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountinfo.c - what is mounted, by /proc/self/mountinfo
 *
 * Reading that file asks no file system anything, so a server that is dead or stuck doesn't matter.
 * A line: "ID PARENT MAJOR:MINOR ROOT DIR OPTIONS [FIELD...] - TYPE SOURCE SUPER-OPTIONS", with
 * space, tab, newline and backslash in a field as "\ooo".
 */
#include "mountinfo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static char *unescape(char *field)
{
	char *out = field;

	for (char *s = field; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
	return field;
}

/* The fields of a line, in place. */
static bool parse(char *line, struct mount_entry *entry)
{
	char *rest = strstr(line, " - ");
	unsigned major, minor;
	char *fields[5];
	char *type, *source, *save;

	if (!rest)
		return false;
	*rest = '\0';
	for (unsigned i = 0; i < 5; i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return false;
	}
	type = strtok_r(rest + 3, " \n", &save);
	source = strtok_r(NULL, " \n", &save);
	if (!type || !source || sscanf(fields[2], "%u:%u", &major, &minor) != 2)
		return false;
	entry->dev = makedev(major, minor);
	entry->dir = unescape(fields[4]);
	entry->type = type;
	entry->source = unescape(source);
	return true;
}

bool mountinfo_open(struct mountinfo *m)
{
	memset(m, 0, sizeof(*m));
	m->file = fopen(MOUNTINFO, "re");
	return m->file;
}

bool mountinfo_next(struct mountinfo *m, struct mount_entry *entry)
{
	while (m->file && getline(&m->line, &m->room, m->file) > 0) {
		if (parse(m->line, entry))
			return true;
	}
	return false;
}

void mountinfo_close(struct mountinfo *m)
{
	free(m->line);
	if (m->file)
		fclose(m->file);
}

bool find_mount(const char *dir, struct mount_top *top)
{
	struct mount_entry entry;
	struct mountinfo m;
	bool found = false;

	mountinfo_open(&m);
	while (mountinfo_next(&m, &entry)) {
		if (strcmp(entry.dir, dir) != 0)
			continue;
		found = true;
		if (top) {
			top->dev = entry.dev;
			top->is_image = !strcmp(entry.type, MOUNT_TYPE);
		}
	}
	mountinfo_close(&m);
	return found;
}
