/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.c - the volumes of a Wine prefix: CimMountImage and CimDismountImage, the Linux half
 *
 * Wine looks for \\?\Volume{GUID}\ as PREFIX/dosdevices/volume{guid}. A mounted volume is
 *
 *   PREFIX/cimfs/volumes/GUID/info   what serves it: lines "KEY VALUE"
 *   PREFIX/cimfs/volumes/GUID/log    what the server has to complain about
 *   PREFIX/cimfs/volumes/GUID/mnt    where FUSE is mounted, or the directory of the copy
 *   PREFIX/dosdevices/volume{GUID}   a link to mnt/root
 *
 * A drive letter is the DLL's affair; one that was left behind is taken away with its volume.
 *
 * The link leads to a directory below the mount's root because Wine shows the root of a mount as a
 * reparse point. The link is made last and taken away first, by one rename or unlink each, so the
 * volume is there wholly or not at all. A lock on the dosdevices directory (which leaves no file)
 * keeps two calls from doing both at once; the copy of the extract backend, which takes time, is
 * made without it, the info file saying who is at it.
 *
 * A state is alive if what it names is: the process (by number and start time, in this boot of the
 * machine: the server, or a copy's holder) and the mount. Everything else is the remains of
 * something that died and is taken away by whoever meets it.
 *
 * A signal that ends a program (Ctrl-C, SIGTERM) waits while something is half made or half taken
 * away; the making of a copy looks for it, stops, and what is there is taken away again.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mounts.h"

#define EXIT_WAIT_MS 5000 /* for a server that has been unmounted to end */
#define BUSY_WAIT_MS 100  /* the same where it was in use, perhaps for a moment only */

struct volume {
	char *dosdevices;
	char *guid;
	char *base;    /* PREFIX/cimfs */
	char *volumes; /* PREFIX/cimfs/volumes */
	char *dir;     /* PREFIX/cimfs/volumes/GUID */
	char *mnt;
	char *root; /* mnt/root */
	char *info;
	char *log;
	char *link;
	int lock;	 /* the dosdevices directory, locked; -1 */
	bool served;	 /* a server was started: the FUSE session is its own now */
	char *note;	 /* what the caller should know of a mount that succeeded; NULL */
	sigset_t held;	 /* signals that wait */
	sigset_t before; /* the mask without that */
};

const char *volume_dosdevices(const struct volume *v)
{
	return v->dosdevices;
}

const char *volume_guid(const struct volume *v)
{
	return v->guid;
}

/* ---- what a call comes to ---- */

/* The status file's text, whole or not at all (false; also without a file). */
static bool write_status(const char *file, const char *text)
{
	bool ok = false;
	char *tmp;
	FILE *f;

	if (!file)
		return false;
	tmp = xasprintf("%s.%ld.tmp", file, (long)getpid());
	f = fopen(tmp, "we");
	if (f) {
		ok = fprintf(f, "%s\n", text) > 0;
		ok = !fclose(f) && ok && !rename(tmp, file);
		if (!ok)
			unlink(tmp);
	}
	free(tmp);
	return ok;
}

static char *one_line(char *text)
{
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < 32)
			*p = '?';
	}
	return text;
}

/* Of success: "ok BACKEND DIRECTORY", and perhaps a line "note TEXT". Where there is a status file
 * stderr gets nothing: it is that of a Windows program, which tells the cause in its own way. */
static int answer_ok(const struct volume *v, enum backend backend, const char *status_file)
{
	char *text = xasprintf("ok %s %s%s%s", backend == BACKEND_FUSE ? "fuse" : "extract",
			       v->root, v->note ? "\nnote " : "", v->note ? v->note : "");

	if (!write_status(status_file, text) && v->note)
		say("%s", v->note);
	free(text);
	return EXIT_OK;
}

/* Of failure: one line, the cause; and that the caller is of another version, if it is, which may
 * be the cause of it. */
int volume_refuse(enum cim_status status, const char *op, const char *what,
		  const struct cim_error *err, const struct wine_call *call)
{
	const bool differs = call->version && strcmp(call->version, cim_version()) != 0;
	char *text = xasprintf("%s%s%s%s%s%s%s%s", err->path, *err->path ? ": " : "",
			       *err->cause ? err->cause : cim_status_text(status),
			       differs ? " (cimfs-mount is of version " : "",
			       differs ? cim_version() : "", differs ? ", cimfs.dll of " : "",
			       differs ? call->version : "", differs ? ": install both anew)" : "");

	if (!write_status(call->status, one_line(text)))
		say("%s %s: %s", op, what, text);
	free(text);
	return WINE_EXIT + (int)status;
}

/* ---- signals ---- */

/* Have those that end a program wait; one that is ignored anyhow stays so. */
static void hold_signals(struct volume *v)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action;

	sigemptyset(&v->held);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&v->held, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &v->held, &v->before);
}

bool volume_interrupted(const struct volume *v)
{
	sigset_t pending;

	if (sigpending(&pending) < 0 || sigandset(&pending, &pending, &v->held) < 0)
		return false;
	return !sigisemptyset(&pending);
}

/* ---- opening ---- */

static void volume_close(struct volume *v)
{
	if (v->lock >= 0)
		close(v->lock);
	free(v->dosdevices);
	free(v->guid);
	free(v->base);
	free(v->volumes);
	free(v->dir);
	free(v->mnt);
	free(v->root);
	free(v->info);
	free(v->log);
	free(v->link);
	free(v->note);
}

static bool volume_lock(struct volume *v, bool wait)
{
	v->lock = open(v->dosdevices, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->lock < 0)
		return false;
	while (flock(v->lock, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		close(v->lock);
		v->lock = -1;
		return false;
	}
	return true;
}

static void volume_unlock(struct volume *v)
{
	close(v->lock);
	v->lock = -1;
}

/* The names of a volume, and the lock. */
static enum cim_status volume_open(struct volume *v, const char *dosdevices, const char *guid,
				   struct cim_error *err)
{
	struct stat st;
	char *prefix;

	memset(v, 0, sizeof(*v));
	v->lock = -1;
	sigemptyset(&v->held);
	sigprocmask(SIG_BLOCK, NULL, &v->before);
	v->dosdevices = realpath(dosdevices, NULL);
	if (!v->dosdevices || stat(v->dosdevices, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail(err, CIM_E_PATH_NOT_FOUND, "%s is no directory", dosdevices);
	v->guid = xstrdup(guid);
	prefix = xstrdup(v->dosdevices);
	*strrchr(prefix, '/') = '\0';
	v->base = xasprintf("%s/cimfs", prefix);
	free(prefix);
	v->volumes = xasprintf("%s/volumes", v->base);
	v->dir = xasprintf("%s/%s", v->volumes, guid);
	v->mnt = xasprintf("%s/mnt", v->dir);
	v->root = xasprintf("%s/root", v->mnt);
	v->info = xasprintf("%s/info", v->dir);
	v->log = xasprintf("%s/log", v->dir);
	v->link = xasprintf("%s/volume{%s}", v->dosdevices, guid);
	if (!volume_lock(v, true))
		return fail_errno(err, "%s", v->dosdevices);
	return CIM_OK;
}

void volume_in_server(const struct volume *v)
{
	if (v->lock >= 0)
		close(v->lock);
	sigprocmask(SIG_SETMASK, &v->before, NULL);
}

/* ---- the info file ---- */

struct info {
	enum backend backend;
	bool ready; /* false: the copy is still being made */
	long pid;
	unsigned long long start; /* of the process, in ticks since the boot */
	char boot[40];
};

/* When a process started: field 22 of its stat, behind the name in parentheses. 0: no process. */
static unsigned long long start_of(long pid)
{
	unsigned long long start = 0;
	char path[64];
	char text[1024];
	char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	p += 2; /* field 3 */
	for (unsigned i = 3; i < 22; i++) {
		p = strchr(p, ' ');
		if (!p)
			return 0;
		p++;
	}
	sscanf(p, "%llu", &start);
	return start;
}

static void boot_id(char id[40])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	*id = '\0';
	if (f) {
		if (fscanf(f, "%39s", id) != 1)
			*id = '\0';
		fclose(f);
	}
}

static bool write_info(const struct volume *v, const struct options *o, enum backend backend,
		       long pid, bool ready)
{
	char *tmp = xasprintf("%s.tmp", v->info);
	char *image = one_line(xstrdup(o->image)); /* a name may hold what looks like more lines */
	char boot[40];
	bool ok = false;
	FILE *f = fopen(tmp, "we");

	boot_id(boot);
	if (f) {
		ok = fprintf(f,
			     "backend %s\nready %d\npid %ld\nstart %llu\nboot %s\ntime %lld\n"
			     "image %s\n",
			     backend == BACKEND_FUSE ? "fuse" : "extract", ready, pid,
			     start_of(pid), boot, (long long)time(NULL), image) > 0;
		ok = !fclose(f) && ok && !rename(tmp, v->info);
	}
	if (!ok)
		unlink(tmp);
	free(image);
	free(tmp);
	return ok;
}

static bool read_info(const struct volume *v, struct info *info)
{
	char *line = NULL;
	size_t room = 0;
	unsigned known = 0;
	FILE *f = fopen(v->info, "re");

	memset(info, 0, sizeof(*info));
	if (!f)
		return false;
	while (getline(&line, &room, f) > 0) {
		char word[16];
		int flag;

		if (sscanf(line, "backend %15s", word) == 1) {
			info->backend = strcmp(word, "fuse") ? BACKEND_EXTRACT : BACKEND_FUSE;
			known |= 1;
		} else if (sscanf(line, "ready %d", &flag) == 1) {
			info->ready = flag;
			known |= 2;
		} else if (sscanf(line, "pid %ld", &info->pid) == 1) {
			known |= 4;
		} else if (sscanf(line, "start %llu", &info->start) == 1) {
			known |= 8;
		} else {
			sscanf(line, "boot %39s", info->boot);
		}
	}
	free(line);
	fclose(f);
	return known == 15;
}

static bool process_alive(const struct info *info)
{
	return info->start && start_of(info->pid) == info->start;
}

/* ---- what there is ---- */

enum state {
	STATE_NONE,
	STATE_MOUNTED,
	STATE_MAKING,  /* the copy is being made */
	STATE_FOREIGN, /* the link is somebody else's */
	STATE_DEAD,    /* remains */
};

enum link_kind {
	LINK_NONE,
	LINK_OURS,
	LINK_FOREIGN,
};

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

static enum link_kind look_at_link(const struct volume *v)
{
	char target[PATH_MAX];
	char *tail;
	enum link_kind kind;

	if (!read_link(v->link, target))
		return errno == ENOENT ? LINK_NONE : LINK_FOREIGN;
	/* In whatever prefix: this one may have been moved. */
	tail = xasprintf("/cimfs/volumes/%s/mnt/root", v->guid);
	kind = ends_with(target, tail) ? LINK_OURS : LINK_FOREIGN;
	free(tail);
	return kind;
}

static bool fuse_alive(const struct volume *v, const struct info *info)
{
	struct mount_entry entry;
	bool alive;

	if (!process_alive(info) || !find_mount(v->mnt, &entry))
		return false;
	alive = !strcmp(entry.type, "fuse.cimfs");
	free_mount(&entry);
	return alive;
}

static enum state look(const struct volume *v, struct info *info)
{
	const enum link_kind link = look_at_link(v);
	char boot[40];
	struct stat st;

	memset(info, 0, sizeof(*info));
	if (link == LINK_FOREIGN)
		return STATE_FOREIGN;
	if (lstat(v->dir, &st) < 0 && errno == ENOENT)
		return link == LINK_NONE ? STATE_NONE : STATE_DEAD;
	boot_id(boot);
	if (!read_info(v, info) || strcmp(info->boot, boot)) {
		info->start = 0; /* whatever process has that number now, it isn't ours */
		return STATE_DEAD;
	}
	if (!info->ready)
		return process_alive(info) ? STATE_MAKING : STATE_DEAD;
	if (link == LINK_NONE)
		return STATE_DEAD;
	if (info->backend == BACKEND_FUSE)
		return fuse_alive(v, info) ? STATE_MOUNTED : STATE_DEAD;
	return process_alive(info) && !lstat(v->root, &st) ? STATE_MOUNTED : STATE_DEAD;
}

/* ---- taking away ---- */

static int open_process(const struct info *info)
{
	return process_alive(info) ? (int)syscall(SYS_pidfd_open, (pid_t)info->pid, 0) : -1;
}

static void wait_for_end(int pidfd, int ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	while (poll(&p, 1, ms) < 0 && errno == EINTR)
		;
}

/* A copy's holder, which has nothing to do but end; its lock is gone then. */
static void end_holder(const struct info *info)
{
	int pidfd = open_process(info);

	/* Once more: the number is of this process for sure while the descriptor is open. */
	if (pidfd >= 0 && process_alive(info) &&
	    !syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0))
		wait_for_end(pidfd, EXIT_WAIT_MS);
	if (pidfd >= 0)
		close(pidfd);
}

/* Unmount everything from the volume's mount point. */
static enum cim_status unmount(const struct volume *v, const struct info *info,
			       struct cim_error *err)
{
	struct mount_entry entry;
	int wait_ms = EXIT_WAIT_MS;
	int pidfd = -1;

	if (info->backend == BACKEND_FUSE)
		pidfd = open_process(info);
	for (unsigned i = 0; i < 16 && find_mount(v->mnt, &entry); i++) {
		int error;

		free_mount(&entry);
		error = fuse_unmount(v->mnt, false);
		if (error == EBUSY) {
			/* What is open goes on reading; the server ends with the last of it. */
			error = fuse_unmount(v->mnt, true);
			wait_ms = BUSY_WAIT_MS;
		}
		if (error && error != EINVAL) {
			if (pidfd >= 0)
				close(pidfd);
			errno = error;
			return fail_errno(err, "%s", v->mnt);
		}
	}
	/* A commit over the image right after this must not find it still marked as mounted. */
	if (pidfd >= 0) {
		wait_for_end(pidfd, wait_ms);
		close(pidfd);
	}
	return CIM_OK;
}

/*
 * Does a drive letter lead to dosdevices/volume{GUID} of this prefix, as the mount manager makes it
 * when cimfs.dll asks, and is that the volume, or there no more? A prefix that was moved has
 * letters that lead to where it was, which are known by leading nowhere; what leads to another
 * prefix or anywhere else is not ours to judge.
 */
static bool is_dead_letter(const struct volume *v, const char *letter)
{
	static const char head[] = "/volume{";
	const size_t units = strlen(head) + CIM_GUID_TEXT - 1 + strlen("}");
	struct stat own, st;
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
	if (!cim_guid_parse(text, &guid))
		return false;
	*name = '\0';
	if (!ends_with(target, "/dosdevices"))
		return false;
	if (stat(letter, &st) < 0 && errno == ENOENT)
		return true;
	return !strcmp(text, v->guid) && !stat(target, &st) && !stat(v->dosdevices, &own) &&
	       st.st_dev == own.st_dev && st.st_ino == own.st_ino;
}

/* Those that nobody took away with their volumes: who unmounts without Wine can't ask the mount
 * manager. (It goes on naming such a letter until Wine ends or cimfs.dll mounts the next image, but
 * nothing can be reached by it.) */
static void remove_letters(const struct volume *v)
{
	for (char c = 'a'; c <= 'z'; c++) {
		char *letter = xasprintf("%s/%c:", v->dosdevices, c);

		if (is_dead_letter(v, letter))
			unlink(letter);
		free(letter);
	}
}

static void remove_dirs(const struct volume *v)
{
	rmdir(v->volumes);
	rmdir(v->base);
}

static enum cim_status take_away(const struct volume *v, const struct info *info,
				 struct cim_error *err)
{
	enum cim_status status;

	if (look_at_link(v) == LINK_OURS && unlink(v->link) < 0)
		return fail_errno(err, "%s", v->link);
	remove_letters(v);
	status = unmount(v, info, err);
	if (status)
		return status;
	if (info->backend == BACKEND_EXTRACT && info->ready)
		end_holder(info);
	if (!remove_tree(v->dir))
		return fail_errno(err, "%s", v->dir);
	remove_dirs(v);
	return CIM_OK;
}

void volume_ended(const struct volume *v)
{
	struct volume own = *v;
	struct cim_error err = {0};
	struct info info;

	/* Somebody is at it: the one who unmounted, who takes it away himself. */
	if (!volume_lock(&own, false))
		return;
	if (read_info(&own, &info) && info.pid == (long)getpid() && info.ready) {
		info.pid = 0;
		info.start = 0;
		take_away(&own, &info, &err);
	}
	volume_unlock(&own);
}

/* ---- mounting ---- */

/* One more thing that the caller should know; NULL: nothing. */
static void add_note(struct volume *v, const char *text)
{
	char *all;

	if (!text)
		return;
	all = xasprintf("%s%s%s", v->note ? v->note : "", v->note ? "; " : "", text);
	free(v->note);
	v->note = one_line(all);
}

static bool make_dir(const char *path)
{
	return !mkdir(path, 0700) || errno == EEXIST;
}

static enum cim_status make_state(const struct volume *v, struct cim_error *err)
{
	if (!make_dir(v->base))
		return fail_errno(err, "%s", v->base);
	if (!make_dir(v->volumes))
		return fail_errno(err, "%s", v->volumes);
	if (mkdir(v->dir, 0700) < 0)
		return fail_errno(err, "%s", v->dir);
	if (mkdir(v->mnt, 0700) < 0)
		return fail_errno(err, "%s", v->mnt);
	return CIM_OK;
}

/* The link, in its place by one rename. */
static enum cim_status make_link(const struct volume *v, struct cim_error *err)
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

static enum cim_status mount_fuse(struct volume *v, struct options *o, struct cim_image *image,
				  struct cim_error *err)
{
	enum cim_status status;
	struct info info = {.backend = BACKEND_FUSE};
	struct cim_error ignored;
	char *warning;
	pid_t pid;

	status = serve(o, image, &pid, &warning, err);
	if (status)
		return status;
	v->served = true;
	add_note(v, warning);
	free(warning);
	if (!write_info(v, o, BACKEND_FUSE, pid, true))
		status = fail_errno(err, "%s", v->info);
	else
		status = make_link(v, err);
	if (status) {
		info.pid = pid;
		info.start = start_of(pid);
		unmount(v, &info, &ignored);
		kill(pid, SIGTERM);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return status;
}

static enum cim_status mount_copy(struct volume *v, struct options *o, struct cim_image *image,
				  struct cim_error *err)
{
	struct info info = {.backend = BACKEND_EXTRACT, .ready = true};
	enum cim_status status = CIM_OK;
	struct image_mark mark;
	struct server server;

	if (!write_info(v, o, BACKEND_EXTRACT, getpid(), false))
		return fail_errno(err, "%s", v->info);
	volume_unlock(v);
	log_open(v->log);
	if (v->note)
		log_line("%s", v->note);
	lock_image(image, o->image, &mark);
	if (mark.warning)
		log_line("%s", mark.warning);
	add_note(v, mark.warning);
	server_init(&server, o, image);
	status = extract_image(&server, v->root, err);
	server_free(&server);
	if (!volume_lock(v, true) && !status)
		status = fail_errno(err, "%s", v->dosdevices);
	if (!status)
		info.pid = start_holder(v, v->dir, v->log, &mark, o->image, err);
	if (!status && info.pid < 0)
		status = err->status;
	unlock_image(&mark);
	if (status)
		return status;
	info.start = start_of(info.pid);
	if (!write_info(v, o, BACKEND_EXTRACT, info.pid, true))
		status = fail_errno(err, "%s", v->info);
	else
		status = make_link(v, err);
	if (status)
		end_holder(&info);
	return status;
}

static enum cim_status mount_backend(struct volume *v, struct options *o, struct cim_image *image,
				     enum backend backend, enum backend *used,
				     struct cim_error *err)
{
	enum cim_status status;
	char *note;

	*used = BACKEND_FUSE;
	if (backend != BACKEND_EXTRACT) {
		status = mount_fuse(v, o, image, err);
		if (backend == BACKEND_FUSE ||
		    (status != CIM_E_ACCESS && status != CIM_E_UNSUPPORTED))
			return status;
		note = xasprintf("%s: the volume {%s} is an unpacked copy: %s", o->image, v->guid,
				 err->cause);
		add_note(v, note);
		free(note);
		memset(err, 0, sizeof(*err));
	}
	*used = BACKEND_EXTRACT;
	return mount_copy(v, o, image, err);
}

static enum cim_status mount_volume(struct volume *v, struct options *o, struct cim_image *image,
				    enum backend backend, enum backend *used, struct cim_error *err)
{
	struct cim_error ignored = {0};
	enum cim_status status;
	struct info info;

	switch (look(v, &info)) {
	case STATE_MOUNTED:
	case STATE_MAKING:
		return fail(err, CIM_E_EXISTS, "the volume %s is mounted already", v->guid);
	case STATE_FOREIGN:
		return fail(err, CIM_E_EXISTS, "%s is not of cimfs-mount's making", v->link);
	case STATE_DEAD:
		status = take_away(v, &info, err);
		if (status)
			return status;
		break;
	case STATE_NONE:
		remove_letters(v);
		break;
	}
	status = make_state(v, err);
	if (!status)
		status = mount_backend(v, o, image, backend, used, err);
	/* It comes to this if the signal was late: then what is whole is taken away. */
	if (!status && volume_interrupted(v))
		status = fail(err, CIM_E_ABORTED, "interrupted by a signal");
	if (status) {
		if (!read_info(v, &info) || info.pid == (long)getpid())
			memset(&info, 0, sizeof(info));
		take_away(v, &info, &ignored);
	}
	return status;
}

int volume_mount(const struct wine_call *call)
{
	enum backend used = BACKEND_FUSE;
	struct cim_error err = {0};
	struct cim_image *image = NULL;
	struct options o;
	struct volume v;
	struct stat st;
	int code;
	enum cim_status status;

	/* What says no to the image says it before anything is made. */
	options_init(&o);
	o.image = realpath(call->image, NULL);
	if (!o.image)
		o.image = xstrdup(call->image);
	if (!stat(o.image, &st) && S_ISDIR(st.st_mode))
		status = fail(&err, CIM_E_ACCESS, "a directory");
	else
		status = open_image(o.image, &image, &err);
	if (status) {
		options_free(&o);
		return volume_refuse(status, "mount", call->image, &err, call);
	}
	status = volume_open(&v, call->dosdevices, call->guid, &err);
	if (!status) {
		o.streams = STREAMS_WINDOWS;
		o.reparse = call->reparse;
		o.volume = &v;
		o.dir = v.mnt;
		o.log = v.log;
		hold_signals(&v);
		status = mount_volume(&v, &o, image, call->backend, &used, &err);
	}
	if (status)
		code = volume_refuse(status, "mount", call->image, &err, call);
	else
		code = answer_ok(&v, used, call->status);
	/* There is no letting go of the session here without ending it. */
	if (v.served)
		_exit(code);
	volume_close(&v);
	cim_image_close(image);
	o.dir = NULL;
	o.log = NULL;
	options_free(&o);
	return code;
}

int volume_dismount(const struct wine_call *call)
{
	struct cim_error err = {0};
	struct info info;
	struct volume v;
	int code;
	enum cim_status status;

	status = volume_open(&v, call->dosdevices, call->guid, &err);
	if (!status) {
		hold_signals(&v);
		switch (look(&v, &info)) {
		case STATE_NONE:
		case STATE_FOREIGN:
		case STATE_MAKING:
			status = fail(&err, CIM_E_FILE_NOT_FOUND, "no such volume is mounted");
			break;
		case STATE_MOUNTED:
		case STATE_DEAD:
			status = take_away(&v, &info, &err);
			break;
		}
	}
	if (status)
		code = volume_refuse(status, "dismount", call->guid, &err, call);
	else
		code = answer_ok(&v, info.backend, call->status);
	volume_close(&v);
	return code;
}
