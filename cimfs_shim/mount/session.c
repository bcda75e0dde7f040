/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - the life of a server: mounting, becoming a daemon, ending
 *
 * Everything that can be refused is found out before the process goes into the background, so that
 * the caller learns it from the exit code: the image is open, the mount is made, and the parent
 * waits until the child has answered the kernel's first request. The child ends when it is
 * unmounted or told to by a signal, and then unmounts.
 *
 * What libfuse and fusermount3 have to say is caught and becomes part of the one line of error.
 */
#define FUSE_USE_VERSION 312
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/imagefile.h"
#include "../host/mountinfo.h"
#include "serve.h"

/* A file handle outlives the mount it was made in. Its node means the same in a mount of the same
 * image, and nothing in that of another: extending an image gives it a region set of its own. */
static uint32_t generation_of(struct cim_image *image)
{
	const struct cim_image_info *info = cim_image_get_info(image);
	const uint8_t *guid = cim_image_get_set(image, info->set_count - 1)->guid.bytes;
	uint32_t generation = 0;

	for (size_t i = 0; i < sizeof(struct cim_guid); i++)
		generation ^= (uint32_t)guid[i] << i % 4 * 8;
	return generation;
}

void server_init(struct server *s, const struct options *o, struct cim_image *image)
{
	const struct cim_image_info *info;

	info = cim_image_get_info(image);
	*s = (struct server){
		.options = o,
		.image = image,
		.root_id = info->root_id,
		.max_id = (uint64_t)info->table_count * CIM_FILES_PER_TABLE,
		.generation = generation_of(image),
		.ready = -1,
		.count_lock = PTHREAD_MUTEX_INITIALIZER,
		.depth_lock = PTHREAD_MUTEX_INITIALIZER,
		.parent_lock = PTHREAD_MUTEX_INITIALIZER,
		.scan_lock = PTHREAD_MUTEX_INITIALIZER,
		.size_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_key_create(&s->reader, reader_free);
}

void server_free(struct server *s)
{
	nlink_free(s);
	free(s->parents);
	pthread_key_delete(s->reader);
}

enum cim_status open_header(const struct options *o, struct cim_image **image,
			    struct cim_error *err)
{
	char **sources = xcalloc(o->source_count + 1, sizeof(*sources));
	enum cim_status status;

	for (size_t i = 0; i < o->source_count; i++) {
		sources[i] = image_full_path(o->sources[i]);
		if (!sources[i])
			sources[i] = xstrdup(o->sources[i]);
	}
	if (o->verified)
		status = cim_image_open_verified(NULL, o->image, (const char *const *)sources,
						 o->source_count, o->root_hash, image, err);
	else if (o->source_count)
		status = cim_image_open_merged(NULL, o->image, (const char *const *)sources,
					       o->source_count, image, err);
	else
		status = cim_image_open(NULL, o->image, image, err);
	for (size_t i = 0; i < o->source_count; i++)
		free(sources[i]);
	free(sources);
	return status;
}

enum cim_status open_image(const struct options *o, struct cim_image **image, struct cim_error *err)
{
	enum cim_status status = open_header(o, image, err);
	const struct cim_image_info *info;
	struct cim_file_info root = {CIM_SIZED(root)};

	if (status)
		return status;
	info = cim_image_get_info(*image);
	status = cim_image_check_regions(*image, err);
	if (!status)
		status = cim_image_stat(*image, info->root_id, &root, err);
	if (status) {
		cim_image_close(*image);
		*image = NULL;
	}
	return status;
}

/* ---- leaving the caller ---- */

static int compare_fds(const void *a, const void *b)
{
	const int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

void close_others(int *keep, size_t count)
{
	int from = 3;

	if (count)
		qsort(keep, count, sizeof(*keep), compare_fds);
	for (size_t i = 0; i < count; i++) {
		if (keep[i] > from)
			close_range((unsigned)from, (unsigned)keep[i] - 1, 0);
		if (keep[i] >= from)
			from = keep[i] + 1;
	}
	close_range((unsigned)from, ~0U, 0);
}

void become_daemon(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What can be neither read nor written does as well: who waits for the end of what this
	 * process prints must not wait for the mount's. */
	if (null < 0)
		null = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	setsid();
	(void)!chdir("/");
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

/* ---- FUSE here? ---- */

enum cim_status fuse_available(struct cim_error *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return CIM_OK;
	}
	if (errno == EACCES || errno == EPERM)
		return fail(err, CIM_E_ACCESS, "no right to open /dev/fuse");
	return fail(err, CIM_E_UNSUPPORTED, "no FUSE here: /dev/fuse: %s", strerror(errno));
}

/* ---- what libfuse says ---- */

static char fuse_said[300];

static void fuse_message(enum fuse_log_level level, const char *fmt, va_list args)
{
	(void)level;
	vsnprintf(fuse_said, sizeof(fuse_said), fmt, args);
}

static void fuse_message_later(enum fuse_log_level level, const char *fmt, va_list args)
{
	char text[300];

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	if (level <= FUSE_LOG_WARNING)
		log_line("%s", text);
}

/* Mount with stderr caught, for fusermount3 writes there. */
static bool mount_quietly(struct fuse_session *session, const char *dir)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int caught = memfd_create("stderr", MFD_CLOEXEC);
	ssize_t len = 0;
	bool ok;

	*fuse_said = '\0';
	if (caught >= 0 && saved >= 0)
		dup2(caught, STDERR_FILENO);
	ok = !fuse_session_mount(session, dir);
	if (caught >= 0 && saved >= 0) {
		dup2(saved, STDERR_FILENO);
		if (!*fuse_said || !strncmp(fuse_said, "fuse: mount failed", 18))
			len = pread(caught, fuse_said, sizeof(fuse_said) - 1, 0);
		if (len > 0)
			fuse_said[len] = '\0';
	}
	if (caught >= 0)
		close(caught);
	if (saved >= 0)
		close(saved);
	fuse_said[strcspn(fuse_said, "\n")] = '\0';
	return ok;
}

static bool says(const char *const *words)
{
	while (*words && !strstr(fuse_said, *words))
		words++;
	return *words;
}

/*
 * What a refusal comes to. FUSE is not for us (CIM_E_ACCESS) or not to be had (CIM_E_UNSUPPORTED):
 * a volume of Wine's is then an unpacked copy. libfuse and fusermount3 tell it in words alone.
 */
static enum cim_status refusal(void)
{
	/* The last two: over this file system; mount_max of fuse.conf. */
	static const char *const refused[] = {"ermission denied",
					      "not permitted",
					      "no write access",
					      "not owned by user",
					      "is forbidden",
					      "too many FUSE",
					      NULL};
	static const char *const absent[] = {"exec fusermount3", "not found", "No such device",
					     NULL};

	if (says(refused))
		return CIM_E_ACCESS;
	return says(absent) ? CIM_E_UNSUPPORTED : CIM_E_IO;
}

static void mount_failed(struct cim_error *err, const char *dir)
{
	fail(err, refusal(), "%s: %s", dir, *fuse_said ? fuse_said : "the system refused");
}

/* ---- serving ---- */

struct life {
	struct server server;
	struct fuse_session *session;
	dev_t dev; /* of the mount */
	struct image_mark mark;
};

static struct fuse_session *new_session(const struct options *o, struct server *s,
					struct cim_error *err)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	char *text = NULL;
	char *name = xasprintf("fsname=%s", o->image);

	fuse_set_log_func(fuse_message);
	*fuse_said = '\0';
	if (!fuse_opt_add_opt(&text, "ro,default_permissions,subtype=cimfs") &&
	    !fuse_opt_add_opt_escaped(&text, name) &&
	    (!*o->kernel || !fuse_opt_add_opt(&text, o->kernel)) &&
	    !fuse_opt_add_arg(&args, "cimfs-mount") && !fuse_opt_add_arg(&args, "-o") &&
	    !fuse_opt_add_arg(&args, text))
		session = fuse_session_new(&args, &server_ops, server_ops_size, s);
	if (!session) {
		fuse_said[strcspn(fuse_said, "\n")] = '\0';
		fail(err, CIM_E_INVALID, "%s", *fuse_said ? fuse_said : "no memory");
	}
	free(name);
	free(text);
	fuse_opt_free_args(&args);
	return session;
}

/* Unmount, but only what is ours: something else may stand there by now. */
static void end_session(struct life *l)
{
	struct mount_top top;

	fuse_remove_signal_handlers(l->session);
	if (find_mount(l->server.options->dir, &top) && top.dev == l->dev)
		fuse_session_unmount(l->session);
	fuse_session_destroy(l->session);
	l->session = NULL;
}

static int run(struct life *l)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int result;

	if (l->mark.warning)
		log_line("%s", l->mark.warning);
	if (l->mark.wait)
		lock_image_later(&l->mark, NULL);
	result = fuse_session_loop_mt(l->session, config);
	fuse_loop_cfg_destroy(config);
	end_session(l);
	server_free(&l->server);
	mark_end(&l->mark);
	return result < 0 ? EXIT_FAILED : EXIT_OK;
}

/*
 * Let the kernel ask for more at a time when a file is read from end to end: it has a limit for
 * that in sysfs, which only root may raise. It takes the lower of that and what was agreed upon at
 * the first request, so this must come after that.
 */
static void raise_readahead(const struct life *l)
{
	char path[80];
	int fd;

	if (geteuid())
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(l->dev),
		 minor(l->dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "256\n", 4); /* it reads well without */
	close(fd);
}

/* The server says that it is ready when the kernel's first request comes. That the kernel and
 * libfuse agreed upon everything is known when the second has been answered. */
static bool is_serving(const struct life *l)
{
	struct statvfs st;

	return !statvfs(l->server.options->dir, &st) ||
	       (errno != ENOTCONN && errno != ECONNREFUSED && errno != ECONNABORTED);
}

/* The server's process, from its start to its end. */
static _Noreturn void be_server(struct life *l)
{
	const struct options *o = l->server.options;
	int code;

	if (o->volume)
		volume_in_server(o->volume);
	become_daemon();
	log_open(o->log ? o->log : "");
	code = run(l);
	cim_image_close(l->server.image);
	if (o->volume)
		volume_ended(o->volume);
	_exit(code);
}

static enum cim_status start_daemon(struct life *l, pid_t *pid, struct cim_error *err)
{
	int fds[2];
	ssize_t got;
	char c;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(err, CIM_E_IO, "%s", strerror(errno));
	*pid = fork();
	if (!*pid) {
		close(fds[0]);
		l->server.ready = fds[1];
		be_server(l);
	}
	if (*pid < 0)
		fail(err, CIM_E_IO, "%s", strerror(errno));
	close(fds[1]);
	do {
		got = read(fds[0], &c, 1);
	} while (got < 0 && errno == EINTR);
	close(fds[0]);
	if (*pid < 0) {
		*pid = 0;
		return err->status;
	}
	if (got == 1 && is_serving(l)) {
		raise_readahead(l);
		return CIM_OK;
	}
	/* It closed the pipe without a word, or the connection broke: it is gone. If not, it has to
	 * go. */
	kill(*pid, SIGTERM);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
	return fail(err, CIM_E_IO, "it ended at once");
}

/* The mount, with handlers of signals. */
static enum cim_status make_mount(struct life *l, struct cim_error *err)
{
	const struct options *o = l->server.options;
	struct mount_top top;

	l->session = new_session(o, &l->server, err);
	if (!l->session)
		return err->status;
	if (!mount_quietly(l->session, o->dir)) {
		mount_failed(err, o->dir);
		goto session;
	}
	fuse_set_log_func(fuse_message_later);
	if (find_mount(o->dir, &top))
		l->dev = top.dev;
	if (!fuse_set_signal_handlers(l->session))
		return CIM_OK;
	fail(err, CIM_E_IO, "no signal handlers");
	fuse_session_unmount(l->session);
session:
	fuse_session_destroy(l->session);
	return err->status;
}

static enum cim_status serve_here(struct life *l, struct cim_error *err)
{
	log_open(l->server.options->log);
	return run(l) ? fail(err, CIM_E_IO, "the connection to the kernel broke") : CIM_OK;
}

/* All that is the child's from here on stays as it is; this process ends soon. */
static enum cim_status serve_apart(struct life *l, pid_t *pid, char **warning,
				   struct cim_error *err)
{
	enum cim_status status = start_daemon(l, pid, err);

	fuse_remove_signal_handlers(l->session);
	if (status) {
		fuse_session_unmount(l->session);
		fuse_session_destroy(l->session);
	} else {
		*warning = l->mark.warning;
		l->mark.warning = NULL;
	}
	mark_end(&l->mark);
	server_free(&l->server);
	return status;
}

enum cim_status serve(const struct options *o, struct cim_image *image, pid_t *pid, char **warning,
		      struct cim_error *err)
{
	enum cim_status status = fuse_available(err);
	struct life *l;

	*pid = 0;
	*warning = NULL;
	if (status)
		return status;
	l = xcalloc(1, sizeof(*l));
	server_init(&l->server, o, image);
	lock_image(image, o->image, &l->mark);
	status = make_mount(l, err);
	if (status) {
		mark_end(&l->mark);
		server_free(&l->server);
	} else if (o->foreground) {
		status = serve_here(l, err);
	} else {
		status = serve_apart(l, pid, warning, err);
	}
	if (!*pid)
		free(l);
	return status;
}
