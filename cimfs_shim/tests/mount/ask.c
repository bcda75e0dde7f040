/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.c - what cimfs-mount answers the kernel, question by question, without the kernel
 *
 * usage: ask IMAGE OPTIONS LOG [GUID DOSDEVICES]
 *
 * The server's handlers, linked with functions of our own where libfuse takes an answer. Each line
 * of stdin is a question or a fault to come, each line of stdout an answer, by which serve.py asks
 * what no kernel would, or not in that way. OPTIONS as after "-o"; with a GUID it is a volume of
 * Wine's. Names are in hexadecimal, so that they may be anything. In the end all memory and files
 * must have been given back.
 *
 *   lookup NODE NAME | getattr NODE | readlink NODE | readdir NODE SIZE OFFSET | readdirplus ...
 *   open NODE FLAGS | opendir NODE | read NODE SIZE OFFSET | lseek NODE OFFSET WHENCE
 *   getxattr NODE NAME SIZE | listxattr NODE SIZE | statfs | init CAPABLE
 *   depth ID | log TEXT | status NUMBER
 *   failing QUESTION   for each N the same with the Nth allocation failing, until there is none;
 *                      then once more. The answers in one line, separated by " | "
 *   set FAULT N        see "faults" below
 */
#define FUSE_USE_VERSION 312
#include "../../mount/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../mount/serve.h"

/* ---- faults ---- */

static struct {
	long alloc;    /* this allocation fails, counted down; 0: none */
	long splice;   /* so many bytes more come out of files; -1: any number */
	long data;     /* fuse_reply_data() leaves so many bytes in the pipe */
	long unsent;   /* it fails, having taken all */
	long ioctl;    /* fails with that errno */
	long pipe;     /* so does pipe2() */
	long pipesize; /* no pipe can be larger; 0: any */
	long seek;     /* lseek() fails with that errno */
	long user;     /* we aren't root */
	long clock;    /* so many seconds have passed */
	long key;      /* nothing can be kept for a thread: that errno */
} fault = {.splice = -1};

static bool alloc_fails(void)
{
	return fault.alloc && !--fault.alloc;
}

static long blocks; /* of memory that weren't given back */

static void *counted(void *p)
{
	blocks += p != NULL;
	return p;
}

#define WRAPPED(result, name, args) \
	result __real_##name args;  \
	result __wrap_##name args;  \
	result __wrap_##name args

WRAPPED(void *, malloc, (size_t size))
{
	return alloc_fails() ? NULL : counted(__real_malloc(size));
}

WRAPPED(void *, calloc, (size_t count, size_t size))
{
	return alloc_fails() ? NULL : counted(__real_calloc(count, size));
}

WRAPPED(void *, realloc, (void *p, size_t size))
{
	void *new;

	if (alloc_fails())
		return NULL;
	new = __real_realloc(p, size);
	blocks += new && !p;
	return new;
}

WRAPPED(void, free, (void *p))
{
	blocks -= p != NULL;
	__real_free(p);
}

WRAPPED(int, vasprintf, (char **text, const char *fmt, va_list args))
{
	const int len = __real_vasprintf(text, fmt, args);

	blocks += len >= 0;
	return len;
}

/* The same where _FORTIFY_SOURCE is defined. */
WRAPPED(int, __vasprintf_chk, (char **text, int flag, const char *fmt, va_list args))
{
	const int len = __real___vasprintf_chk(text, flag, fmt, args);

	blocks += len >= 0;
	return len;
}

WRAPPED(char *, strdup, (const char *text))
{
	return alloc_fails() ? NULL : counted(__real_strdup(text));
}

WRAPPED(ssize_t, splice,
	(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags))
{
	ssize_t n;

	if (fault.splice >= 0 && len > (size_t)fault.splice)
		len = (size_t)fault.splice;
	n = len ? __real_splice(in, in_at, out, out_at, len, flags) : 0;
	if (fault.splice >= 0)
		fault.splice -= n;
	return n;
}

WRAPPED(int, pipe2, (int fds[2], int flags))
{
	errno = (int)fault.pipe;
	return fault.pipe ? -1 : __real_pipe2(fds, flags);
}

WRAPPED(int, ioctl, (int fd, unsigned long request, int *value))
{
	errno = (int)fault.ioctl;
	return fault.ioctl ? -1 : (int)syscall(SYS_ioctl, fd, request, value);
}

WRAPPED(int, fcntl64, (int fd, int command, ...))
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	if (command == F_SETPIPE_SZ && fault.pipesize && (int)arg > fault.pipesize) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

WRAPPED(off64_t, lseek64, (int fd, off64_t offset, int whence))
{
	errno = (int)fault.seek;
	return fault.seek ? -1 : __real_lseek64(fd, offset, whence);
}

WRAPPED(uid_t, geteuid, (void))
{
	return fault.user ? 1000 : __real_geteuid();
}

WRAPPED(int, clock_gettime, (clockid_t clock, struct timespec *now))
{
	const int result = __real_clock_gettime(clock, now);

	now->tv_sec += fault.clock;
	return result;
}

WRAPPED(int, pthread_setspecific, (pthread_key_t key, const void *value))
{
	return fault.key ? (int)fault.key : __real_pthread_setspecific(key, value);
}

static bool set_fault(const char *name, long n)
{
	const struct {
		const char *name;
		long *at;
	} all[] = {
		{"alloc", &fault.alloc},       {"splice", &fault.splice}, {"data", &fault.data},
		{"unsent", &fault.unsent},     {"ioctl", &fault.ioctl},	  {"pipe", &fault.pipe},
		{"pipesize", &fault.pipesize}, {"seek", &fault.seek},	  {"user", &fault.user},
		{"clock", &fault.clock},       {"key", &fault.key},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strcmp(all[i].name, name)) {
			*all[i].at = n;
			return true;
		}
	}
	return false;
}

/* ---- in place of libfuse ---- */

struct fuse_req {
	struct server *server;
	unsigned answers;
};

static void say_hex(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		printf("%02x", ((const uint8_t *)bytes)[i]);
}

static int answer(fuse_req_t req, const char *fmt, ...)
{
	va_list args;

	if (req->answers++)
		printf(" AGAIN ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	return 0;
}

void *fuse_req_userdata(fuse_req_t req)
{
	return req->server;
}

int fuse_reply_err(fuse_req_t req, int error)
{
	return answer(req, "error %d", error);
}

static void say_stat(const struct stat *st)
{
	printf(" ino=%llu mode=%o nlink=%llu size=%lld blocks=%lld uid=%u gid=%u mtime=%lld.%09ld",
	       (unsigned long long)st->st_ino, st->st_mode, (unsigned long long)st->st_nlink,
	       (long long)st->st_size, (long long)st->st_blocks, st->st_uid, st->st_gid,
	       (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *e)
{
	answer(req, "node %llu", (unsigned long long)e->ino);
	if (e->ino)
		say_stat(&e->attr);
	return 0;
}

int fuse_reply_attr(fuse_req_t req, const struct stat *st, double timeout)
{
	answer(req, "attr %d", timeout > 1e8);
	say_stat(st);
	return 0;
}

int fuse_reply_readlink(fuse_req_t req, const char *link)
{
	return answer(req, "link %s", link);
}

int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	return answer(req, "open keep_cache=%d cache_readdir=%d", fi->keep_cache,
		      fi->cache_readdir);
}

int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size)
{
	answer(req, "bytes ");
	say_hex(buf, size);
	return 0;
}

/* As libfuse, which takes what it gets for the whole answer. */
int fuse_reply_data(fuse_req_t req, struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags)
{
	static uint8_t bytes[1 << 20];
	ssize_t got = 0, n = 1;
	size_t want = bufv->buf[0].size - (size_t)fault.data;

	(void)flags;
	for (; (size_t)got < want && n > 0; got += n > 0 ? n : 0)
		n = read(bufv->buf[0].fd, bytes + got, want - (size_t)got);
	if (fault.unsent) {
		answer(req, "error %ld", fault.unsent);
		return -(int)fault.unsent;
	}
	answer(req, "spliced ");
	say_hex(bytes, (size_t)got);
	return 0;
}

int fuse_reply_xattr(fuse_req_t req, size_t count)
{
	return answer(req, "size %zu", count);
}

int fuse_reply_statfs(fuse_req_t req, const struct statvfs *st)
{
	return answer(req, "statfs bsize=%lu frsize=%lu blocks=%llu files=%llu namemax=%lu",
		      st->f_bsize, st->f_frsize, (unsigned long long)st->f_blocks,
		      (unsigned long long)st->f_files, st->f_namemax);
}

int fuse_reply_lseek(fuse_req_t req, off_t offset)
{
	return answer(req, "at %lld", (long long)offset);
}

/* An entry of a listing, as text in the buffer that becomes the answer's bytes. */
static size_t put_entry(char *buf, size_t room, const char *name, uint64_t node,
			const struct stat *st, off_t next)
{
	char text[1200];
	const size_t len = (size_t)snprintf(
		text, sizeof(text), "%s\t%llu\t%llu\t%o\t%lld\n", name, (unsigned long long)node,
		(unsigned long long)st->st_ino, st->st_mode, (long long)next);

	if (len <= room)
		memcpy(buf, text, len);
	return len;
}

size_t fuse_add_direntry(fuse_req_t req, char *buf, size_t room, const char *name,
			 const struct stat *st, off_t next)
{
	(void)req;
	return put_entry(buf, room, name, 0, st, next);
}

size_t fuse_add_direntry_plus(fuse_req_t req, char *buf, size_t room, const char *name,
			      const struct fuse_entry_param *e, off_t next)
{
	(void)req;
	return put_entry(buf, room, name, e->ino, &e->attr, next);
}

/* ---- questions ---- */

struct question {
	char what[32];
	char name[2100];
	unsigned long long number[3];
};

static void unhex(char *name)
{
	size_t len = strlen(name) / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned byte = 0;

		sscanf(name + 2 * i, "%2x", &byte);
		name[i] = (char)byte;
	}
	name[len] = '\0';
}

static void ask_init(struct server *s, unsigned capable)
{
	struct fuse_conn_info conn = {.capable = capable};

	server_ops.init(s, &conn);
	printf("init want=%#x splices=%d no_open=%d no_opendir=%d max_read=%u max_write=%u gran=%u",
	       conn.want, s->splices, s->no_open, s->no_opendir, conn.max_read, conn.max_write,
	       conn.time_gran);
}

static void ask_depth(struct server *s, uint32_t id)
{
	uint32_t depth;
	const int error = node_depth(s, id, &depth);

	printf(error ? "error %d" : "depth %d", error ? error : (int)depth);
}

/* What is no question of the kernel's; false: it is. */
static bool ask_other(struct server *s, const struct question *q)
{
	const struct cim_error err = {.image = "IMAGE", .op = "op", .cause = "cause"};

	if (!strcmp(q->what, "init"))
		ask_init(s, (unsigned)q->number[0]);
	else if (!strcmp(q->what, "depth"))
		ask_depth(s, (uint32_t)q->number[0]);
	else if (!strcmp(q->what, "log"))
		log_line("%s", q->name);
	else if (!strcmp(q->what, "status"))
		printf("error %d", log_status((enum cim_status)q->number[0], &err, 7));
	else
		return false;
	return true;
}

static void ask(struct server *s, const struct question *q)
{
	struct fuse_req req = {.server = s};
	struct fuse_file_info fi = {.flags = (int)q->number[1]};
	const char *what = q->what;
	const uint64_t node = q->number[0];
	const size_t size = (size_t)q->number[1];
	const off_t offset = (off_t)q->number[2];

	if (ask_other(s, q))
		return;
	if (!strcmp(what, "lookup"))
		server_ops.lookup(&req, node, q->name);
	else if (!strcmp(what, "getattr"))
		server_ops.getattr(&req, node, NULL);
	else if (!strcmp(what, "readlink"))
		server_ops.readlink(&req, node);
	else if (!strcmp(what, "readdir"))
		server_ops.readdir(&req, node, size, offset, &fi);
	else if (!strcmp(what, "readdirplus"))
		server_ops.readdirplus(&req, node, size, offset, &fi);
	else if (!strcmp(what, "open"))
		server_ops.open(&req, node, &fi);
	else if (!strcmp(what, "opendir"))
		server_ops.opendir(&req, node, &fi);
	else if (!strcmp(what, "read"))
		server_ops.read(&req, node, size, offset, &fi);
	else if (!strcmp(what, "lseek"))
		server_ops.lseek(&req, node, (off_t)q->number[1], (int)offset, &fi);
	else if (!strcmp(what, "getxattr"))
		server_ops.getxattr(&req, node, q->name, size);
	else if (!strcmp(what, "listxattr"))
		server_ops.listxattr(&req, node, size);
	else if (!strcmp(what, "statfs"))
		server_ops.statfs(&req, node);
	else
		printf("unknown");
	if (!req.answers)
		printf(" NONE");
}

/* With one allocation failing after the other; a thread's reader is made anew each time. */
static void ask_failing(struct server *s, const struct question *q)
{
	for (long n = 1;; n++) {
		bool failed;

		reader_free(pthread_getspecific(s->reader));
		pthread_setspecific(s->reader, NULL);
		fault.alloc = n;
		ask(s, q);
		failed = !fault.alloc;
		fault.alloc = 0;
		if (!failed)
			return;
		printf(" | ");
	}
}

static bool parse(char *line, struct question *q, bool *failing)
{
	const char *const named[] = {"lookup", "getxattr", "log", "set"};
	char *save, *word = strtok_r(line, " \n", &save);
	unsigned count = 0;

	memset(q, 0, sizeof(*q));
	*failing = word && !strcmp(word, "failing");
	if (*failing)
		word = strtok_r(NULL, " \n", &save);
	if (!word)
		return false;
	snprintf(q->what, sizeof(q->what), "%s", word);
	while (count < 3 && (word = strtok_r(NULL, " \n", &save))) {
		bool name = false;

		for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
			name |= !strcmp(q->what, named[i]) && !*q->name &&
				count == (i < 2 ? 1u : 0u);
		if (name)
			snprintf(q->name, sizeof(q->name), "%s", word);
		else
			q->number[count++] = strtoull(word, NULL, 0);
	}
	if (strcmp(q->what, "set") != 0)
		unhex(q->name);
	return true;
}

static void answer_all(struct server *s)
{
	static char line[8192];
	struct question q;
	bool failing;

	while (fgets(line, sizeof(line), stdin)) {
		if (!parse(line, &q, &failing))
			continue;
		if (!strcmp(q.what, "set"))
			printf(set_fault(q.name, (long)q.number[0]) ? "set" : "unknown");
		else if (failing)
			ask_failing(s, &q);
		else
			ask(s, &q);
		putchar('\n');
	}
}

static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int main(int argc, char **argv)
{
	struct cim_error err = {0};
	struct cim_image *image = NULL;
	struct volume volume = {0};
	struct options options;
	static struct server server;
	static char room[65536];

	const long before = blocks;
	const int files = open_files();

	setvbuf(stdout, room, _IOLBF, sizeof(room));
	options_init(&options);
	if ((argc != 4 && argc != 6) || !options_parse(&options, argv[2]))
		return 2;
	options.image = xstrdup(argv[1]);
	if (open_image(&options, &image, &err)) {
		fprintf(stderr, "%s\n", err.cause);
		return 1;
	}
	if (argc == 6) {
		volume.guid = argv[4];
		volume.dosdevices = argv[5];
		options.volume = &volume;
	}
	log_open(argv[3]);
	server_init(&server, &options, image);
	answer_all(&server);
	reader_free(pthread_getspecific(server.reader));
	server_free(&server);
	cim_image_close(image);
	log_close();
	options_free(&options);
	if (blocks == before && open_files() == files)
		return 0;
	fprintf(stderr, "%ld blocks and %d files are left\n", blocks - before,
		open_files() - files);
	return 3;
}
