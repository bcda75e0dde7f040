/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountlist.c - the images that are mounted, and whether their servers live
 *
 * cimfs-mount shows in /proc/self/mountinfo as type "fuse.cimfs" with the image as source. A volume
 * of Wine's is one whose directory is PREFIX/cimfs/volumes/GUID/mnt; volumes that are an unpacked
 * copy (or remains of something) are found in that directory of the prefix in $WINEPREFIX alone,
 * for nothing else tells where prefixes are.
 *
 * A dead server's mount still answers what the kernel remembers, so it is asked for something that
 * the kernel never remembers (statfs), by a process of its own: a server that hangs must not make
 * the list hang.
 */
#include "mountlist.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 2000

const char *mount_state_name(enum mount_state state)
{
	static const char *const names[] = {
		[MOUNT_LIVE] = "live",
		[MOUNT_STALE] = "stale",
		[MOUNT_NO_ANSWER] = "no answer",
	};

	return names[state];
}

static enum mount_state ask(const char *dir)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return MOUNT_NO_ANSWER;
	if (!pid) {
		struct statvfs st;

		_exit(statvfs(dir, &st) < 0 ? (errno == ENOTCONN ? 1 : 2) : 0);
	}
	for (unsigned ms = 0; waitpid(pid, &status, WNOHANG) != pid; ms++) {
		if (ms >= ANSWER_MS) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			return MOUNT_NO_ANSWER;
		}
		usleep(1000);
	}
	/* No right to look (another user's mount) is an answer too. */
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? MOUNT_STALE : MOUNT_LIVE;
}

static struct mount *add(struct mount_list *list, const char *dir, const char *image)
{
	struct mount *m;

	list->mounts = xgrow(list->mounts, &list->room, list->count, sizeof(*list->mounts));
	m = &list->mounts[list->count++];
	memset(m, 0, sizeof(*m));
	m->dir = xstrdup(dir);
	m->image = xstrdup(image);
	return m;
}

/* PREFIX/cimfs/volumes/GUID/mnt */
static void find_volume(struct mount *m)
{
	static const char middle[] = "/cimfs/volumes/";
	const size_t guid_len = CIM_GUID_TEXT - 1;
	const size_t tail = sizeof(middle) - 1 + guid_len + 4;
	size_t len = strlen(m->dir);
	struct cim_guid guid;
	char text[CIM_GUID_TEXT];
	char *at;

	if (len <= tail || strcmp(m->dir + len - 4, "/mnt"))
		return;
	at = m->dir + len - tail;
	if (strncmp(at, middle, sizeof(middle) - 1))
		return;
	memcpy(text, at + sizeof(middle) - 1, guid_len);
	text[guid_len] = '\0';
	if (!cim_guid_parse(text, &guid))
		return;
	m->guid = xstrdup(text);
	m->dosdevices = xasprintf("%.*s/dosdevices", (int)(at - m->dir), m->dir);
}

/* "\ooo" in a field of mountinfo */
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

static void read_line(struct mount_list *list, char *line)
{
	char *rest = strstr(line, " - ");
	char *dir = line;
	char *type, *source, *save;
	struct mount *m;

	if (!rest)
		return;
	*rest = '\0';
	for (unsigned i = 0; i < 4; i++) {
		dir = strchr(dir, ' ');
		if (!dir)
			return;
		dir++;
	}
	dir[strcspn(dir, " ")] = '\0';
	type = strtok_r(rest + 3, " \n", &save);
	source = strtok_r(NULL, " \n", &save);
	if (!type || strcmp(type, "fuse.cimfs") || !source)
		return;
	unescape(dir);
	unescape(source);
	m = add(list, dir, source);
	m->backend = "fuse";
	m->asks = true;
	find_volume(m);
}

void mount_ask(struct mount *m)
{
	if (m->asks)
		m->state = ask(m->dir);
	m->asks = false;
}

static void get_mounts(struct mount_list *list)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;

	if (!f)
		return;
	while (getline(&line, &room, f) > 0)
		read_line(list, line);
	free(line);
	fclose(f);
}

/* ---- volumes that are no mounts ---- */

static bool listed(const struct mount_list *list, const char *dir)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(list->mounts[i].dir, dir))
			return true;
	}
	return false;
}

/* A word or the rest of a line of the info file; "" if it isn't there. Allocated. */
static char *info_value(const char *file, const char *key)
{
	const size_t len = strlen(key);
	FILE *f = fopen(file, "re");
	char *value = NULL;
	char *line = NULL;
	size_t room = 0;

	while (f && !value && getline(&line, &room, f) > 0) {
		if (!strncmp(line, key, len) && line[len] == ' ') {
			line[strcspn(line, "\n")] = '\0';
			value = xstrdup(line + len + 1);
		}
	}
	free(line);
	if (f)
		fclose(f);
	return value ? value : xstrdup("");
}

static bool this_boot(const char *boot)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char id[40] = "";
	bool same = f && fscanf(f, "%39s", id) == 1 && !strcmp(id, boot);

	if (f)
		fclose(f);
	return same;
}

/* Does the process live that stands for a copy? By number and start time, field 22 of its stat. */
static bool process_lives(const char *pid, const char *start)
{
	unsigned long long began = 0;
	char *path = xasprintf("/proc/%s/stat", pid);
	FILE *f = fopen(path, "re");
	char text[1024];
	char *p = NULL;

	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		p = strrchr(text, ')');
		fclose(f);
	}
	for (unsigned i = 2; p && i < 22; i++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	free(path);
	return p && sscanf(p, "%llu", &began) == 1 && began == strtoull(start, NULL, 10);
}

static void add_volume(struct mount_list *list, const char *volumes, const char *guid)
{
	char *mnt = xasprintf("%s/%s/mnt", volumes, guid);
	char *info = xasprintf("%s/%s/info", volumes, guid);
	char *image = info_value(info, "image");
	char *backend = info_value(info, "backend");
	char *boot = info_value(info, "boot");
	char *ready = info_value(info, "ready");
	char *pid = info_value(info, "pid");
	char *start = info_value(info, "start");
	bool copy = !strcmp(backend, "extract");
	struct mount *m;

	if (!listed(list, mnt)) {
		m = add(list, mnt, image);
		m->backend = copy ? "extract" : "fuse";
		find_volume(m);
		m->state = copy && this_boot(boot) && *ready == '1' && process_lives(pid, start)
				   ? MOUNT_LIVE
				   : MOUNT_STALE;
	}
	free(start);
	free(pid);
	free(ready);
	free(boot);
	free(backend);
	free(image);
	free(info);
	free(mnt);
}

char *wine_prefix(void)
{
	const char *prefix = getenv("WINEPREFIX");
	const char *home = getenv("HOME");

	if (prefix && *prefix)
		return xstrdup(prefix);
	return home && *home ? xasprintf("%s/.wine", home) : NULL;
}

static void get_volumes(struct mount_list *list)
{
	char *named = wine_prefix();
	char *real, *volumes;
	struct dirent *entry;
	DIR *dir;

	if (!named)
		return;
	real = realpath(named, NULL);
	volumes = xasprintf("%s/cimfs/volumes", real ? real : named);
	dir = opendir(volumes);
	while (dir && (entry = readdir(dir))) {
		struct cim_guid guid;

		if (strlen(entry->d_name) == CIM_GUID_TEXT - 1 &&
		    cim_guid_parse(entry->d_name, &guid))
			add_volume(list, volumes, entry->d_name);
	}
	if (dir)
		closedir(dir);
	free(volumes);
	free(real);
	free(named);
}

void mount_list_get(struct mount_list *list)
{
	memset(list, 0, sizeof(*list));
	get_mounts(list);
	get_volumes(list);
}

void mount_list_free(struct mount_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->mounts[i].dir);
		free(list->mounts[i].image);
		free(list->mounts[i].guid);
		free(list->mounts[i].dosdevices);
	}
	free(list->mounts);
}
