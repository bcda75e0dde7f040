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

#include "../host/mountinfo.h"

#define ANSWER_MS 2000
#define END_MS	  3000 /* for a server to end whose mount is gone */

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

static void find_volume(struct mount *m)
{
	char guid[CIM_GUID_TEXT];
	const size_t prefix = volume_of_dir(m->dir, guid);

	if (!prefix)
		return;
	m->guid = xstrdup(guid);
	m->dosdevices = xasprintf("%.*s/dosdevices", (int)prefix, m->dir);
}

void mount_ask(struct mount *m)
{
	if (m->asks)
		m->state = ask(m->dir);
	m->asks = false;
}

static bool get_mounts(struct mount_list *list)
{
	struct mount_entry entry;
	struct mountinfo info;

	if (!mountinfo_open(&info))
		return false;
	while (mountinfo_next(&info, &entry)) {
		struct mount *m;

		if (strcmp(entry.type, MOUNT_TYPE) != 0)
			continue;
		m = add(list, entry.dir, entry.source);
		m->backend = BACKEND_FUSE;
		m->asks = true;
		find_volume(m);
	}
	mountinfo_close(&info);
	return true;
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

static void add_volume(struct mount_list *list, const char *volumes, const char *guid)
{
	char *mnt = xasprintf("%s/%s/" VOLUME_MNT, volumes, guid);
	char *file = xasprintf("%s/%s/info", volumes, guid);
	struct volume_info info;
	struct mount *m;

	if (!listed(list, mnt)) {
		const bool known = volume_info_read(file, &info);

		m = add(list, mnt, info.image);
		m->backend = info.backend == BACKEND_EXTRACT ? BACKEND_EXTRACT : BACKEND_FUSE;
		find_volume(m);
		m->state = known && info.backend == BACKEND_EXTRACT && info.ready &&
					   process_alive(&info.process)
				   ? MOUNT_LIVE
				   : MOUNT_STALE;
	}
	free(file);
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
	volumes = xasprintf("%s/" VOLUMES_DIR, real ? real : named);
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

int mount_list_get(struct mount_list *list)
{
	int error;

	memset(list, 0, sizeof(*list));
	error = get_mounts(list) ? 0 : errno;
	get_volumes(list);
	return error;
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

static bool is_mounted(const char *image)
{
	char *real = image_full_path(image);
	struct mount_list list;
	bool found = false;

	mount_list_get(&list);
	for (size_t i = 0; real && i < list.count; i++)
		found |= !strcmp(list.mounts[i].image, real);
	mount_list_free(&list);
	free(real);
	return found;
}

void mount_wait_for_end(const char *image_path)
{
	char *path = image_path_of(image_path);
	struct cim_image *image;
	bool wait;

	if (!cim_image_open(NULL, path, &image, NULL)) {
		wait = cim_image_hold(image, CIM_HOLD_ASK, NULL, NULL) == CIM_E_SHARING &&
		       !is_mounted(path);
		for (unsigned ms = 0; wait && ms < END_MS; ms += 5) {
			usleep(5000);
			wait = cim_image_hold(image, CIM_HOLD_ASK, NULL, NULL) == CIM_E_SHARING;
		}
		cim_image_close(image);
	}
	free(path);
}
