/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dosdevices.c - a volume's names in a prefix's dosdevices directory
 *
 * The link volume{GUID} is what makes a volume: Wine looks there. A drive letter is the DLL's
 * affair; one that was left behind is taken away with its volume.
 */
#include "mount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "volume.h"

/* Where a link leads to; false: it is none (errno). */
static bool read_link(const char *link, char target[PATH_MAX])
{
	ssize_t len = readlink(link, target, PATH_MAX - 1);

	target[len < 0 ? 0 : len] = '\0';
	return len >= 0;
}

static bool ends_with(const char *text, const char *tail)
{
	const size_t len = strlen(text);
	const size_t tail_len = strlen(tail);

	return len >= tail_len && !strcmp(text + len - tail_len, tail);
}

enum link_kind link_look(const struct volume *v)
{
	char target[PATH_MAX];
	char *tail;
	enum link_kind kind;

	if (!read_link(v->link, target))
		return errno == ENOENT ? LINK_NONE : LINK_FOREIGN;
	/* In whatever prefix: this one may have been moved. */
	tail = xasprintf("/" VOLUMES_DIR "/%s/" VOLUME_MNT "/root", v->guid);
	kind = ends_with(target, tail) ? LINK_OURS : LINK_FOREIGN;
	free(tail);
	return kind;
}

enum cim_status link_make(const struct volume *v, struct cim_error *err)
{
	char *tmp = xasprintf("%s/.volume{%s}.new", v->dosdevices, v->guid);
	enum cim_status status = CIM_OK;

	unlink(tmp);
	if (symlink(v->root, tmp) < 0 || rename(tmp, v->link) < 0) {
		status = fail_errno(err, "%s", v->link);
		unlink(tmp);
	}
	free(tmp);
	return status;
}

/*
 * Does a drive letter lead to dosdevices/volume{GUID} of some prefix, as the mount manager makes it
 * when cimfs.dll asks, and is there no such thing any more? (A prefix that was moved has letters
 * that lead to where it was.) What leads anywhere else, or to something, is not ours to judge.
 */
static bool is_dead_letter(const char *letter)
{
	static const char head[] = "/volume{";
	const size_t units = strlen(head) + CIM_GUID_TEXT - 1 + strlen("}");
	struct stat st;
	struct cim_guid guid;
	char target[PATH_MAX];
	char text[CIM_GUID_TEXT];
	size_t len;
	char *name;

	if (!read_link(letter, target))
		return false;
	len = strlen(target);
	if (len < units || target[len - 1] != '}')
		return false;
	name = target + len - units;
	if (strncmp(name, head, strlen(head)) != 0)
		return false;
	snprintf(text, sizeof(text), "%s", name + strlen(head));
	*name = '\0';
	return cim_guid_parse(text, &guid) && ends_with(target, "/dosdevices") &&
	       stat(letter, &st) < 0 && errno == ENOENT;
}

/* Those that nobody took away with their volumes: who unmounts without Wine can't ask the mount
 * manager. (It goes on naming such a letter until Wine ends or cimfs.dll mounts the next image, but
 * nothing can be reached by it.) */
void letters_remove(const struct volume *v)
{
	for (char c = 'a'; c <= 'z'; c++) {
		char *letter = xasprintf("%s/%c:", v->dosdevices, c);

		if (is_dead_letter(letter))
			unlink(letter);
		free(letter);
	}
}
