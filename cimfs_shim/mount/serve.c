/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.c - the kernel's questions and their answers
 *
 * The low-level interface of libfuse: each request comes with an inode number (node.c) and is
 * answered from the image by whichever thread is free. An image can't change, so the kernel may
 * keep what it was told (names, names that aren't there, attributes, pages, listings) for ever, and
 * it needn't ask before it opens a file: nothing is remembered of an open one. Larger pieces of
 * data go to it as references to the pages of the region file.
 *
 * Whatever goes wrong with the image is an errno for the one request and a line in the log.
 */
#define FUSE_USE_VERSION 312
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "serve.h"

#define FOR_EVER   1e9 /* seconds; 30 years */
#define MAX_READ   (256u * 1024u)
#define BLOCK_SIZE 4096u
#define USER_PIPE  (256 * 1024)
#define ROOT_PIPE  (512 * 1024)
/* Below this many bytes the calls that it takes to splice cost more than a copy. */
#define SPLICE_FROM (16u * 1024u)
#define DIR_ALWAYS  2u /* entries before those of the image: "." and ".." */

static struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* ---- names and attributes ---- */

static void fill_entry(const struct server *s, struct fuse_entry_param *e, uint64_t node)
{
	e->ino = node;
	e->generation = s->generation;
	e->attr_timeout = FOR_EVER;
	e->entry_timeout = FOR_EVER;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct server *s = server_of(req);
	struct fuse_entry_param e = {0};
	uint64_t node = 0;
	int error = node_lookup(s, parent, name, &node, &e.attr);

	if (error && error != ENOENT) {
		fuse_reply_err(req, error);
		return;
	}
	/* Inode 0: there is no such name, to be remembered too. */
	fill_entry(s, &e, error ? 0 : node);
	fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct stat st;
	int error = node_stat(server_of(req), node, &st);

	(void)fi;
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &st, FOR_EVER);
}

static void op_readlink(fuse_req_t req, fuse_ino_t node)
{
	struct server *s = server_of(req);
	const uint32_t file_id = node_file_id(s, node);
	struct cim_file_info info;
	char *target;
	int error;

	if (!file_id || node_is_stream(node)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	error = item_info(s, file_id, &info);
	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	target = link_target(s, &info, node_extra(node), &error);
	if (target)
		fuse_reply_readlink(req, target);
	else
		fuse_reply_err(req, error ? error : EINVAL);
	free(target);
}

/* ---- directories ---- */

/* A listing that is being put together in a buffer of the size the kernel asked for. */
struct listing {
	fuse_req_t req;
	struct server *s;
	bool plus;
	char *buf;
	size_t size;
	size_t used;
};

/* false: the buffer is full. @node 0: nothing is known but the name. @next: where to go on. */
static bool list_name(struct listing *l, const char *name, uint64_t node, const struct stat *st,
		      off_t next)
{
	const size_t left = l->size - l->used;
	struct fuse_entry_param e = {0};
	size_t need;

	if (l->plus) {
		fill_entry(l->s, &e, node);
		e.attr = *st;
		need = fuse_add_direntry_plus(l->req, l->buf + l->used, left, name, &e, next);
	} else {
		need = fuse_add_direntry(l->req, l->buf + l->used, left, name, st, next);
	}
	if (need > left)
		return false;
	l->used += need;
	return true;
}

static bool list_entry(struct listing *l, uint32_t dir_id, const struct cim_entry *entry)
{
	struct cim_file_info info = {0};
	struct stat st = {0};
	uint64_t node;
	char name[LINUX_NAME];

	/* What has no attributes shows by its name; whoever asks for more gets the error. */
	if (item_info(l->s, entry->file_id, &info) ||
	    node_enter(l->s, dir_id, &info, 0, &node, &st)) {
		node = 0;
		memset(&st, 0, sizeof(st));
		st.st_ino = entry->file_id;
	}
	name_of_item(l->s, entry->name, entry->units, &info, name);
	return list_name(l, name, node, &st, (off_t)entry->index + DIR_ALWAYS + 1);
}

/* So many entries that can't be read are passed over at a time: a table that lies in a hole may
 * have any number of them, and not a byte for each. */
#define MOST_PASSED_OVER (1u << 20)

static int list_image_dir(struct listing *l, uint32_t dir_id, uint64_t start)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	const struct cim_entry *entry;
	uint32_t left, passed = 0;
	enum cim_status status = cim_iter_dir(l->s->image, dir_id, &iter, &err);

	if (status)
		return log_status(status, &err, dir_id);
	left = cim_iter_count(iter);
	cim_iter_seek(iter, start < left ? (uint32_t)start : left);
	left -= start < left ? (uint32_t)start : left;
	for (; left && passed < MOST_PASSED_OVER; left--) {
		status = cim_iter_next(iter, &entry, &err);
		passed += status != CIM_OK;
		/* An entry that can't be read is passed over; the log tells of it. */
		if (status && log_status(status, &err, dir_id) == ENOMEM)
			break;
		if (!status && (!entry || !list_entry(l, dir_id, entry)))
			break;
	}
	cim_iter_close(iter);
	if (status == CIM_E_NO_MEMORY)
		return ENOMEM;
	return passed == MOST_PASSED_OVER ? EIO : 0;
}

/* Wine mode: the mount's own root. */
static int list_top(struct listing *l, uint64_t start)
{
	const uint64_t root = node_of_root(l->s);
	struct stat st;
	int error;

	if (start)
		return 0;
	error = node_stat(l->s, root, &st);
	if (!error)
		list_name(l, "root", root, &st, DIR_ALWAYS + 1);
	return error;
}

static int list_dir(struct listing *l, uint64_t node, uint64_t offset)
{
	static const char *const dots[DIR_ALWAYS] = {".", ".."};
	const uint32_t dir_id = node_file_id(l->s, node);
	struct stat st = {.st_mode = S_IFDIR, .st_ino = dir_id ? dir_id : NODE_ROOT};

	for (; offset < DIR_ALWAYS; offset++) {
		if (!list_name(l, dots[offset], 0, &st, (off_t)offset + 1))
			return 0;
	}
	offset -= DIR_ALWAYS;
	return node_is_top(l->s, node) ? list_top(l, offset) : list_image_dir(l, dir_id, offset);
}

static void reply_list(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset, bool plus)
{
	struct listing l = {.req = req, .s = server_of(req), .plus = plus, .size = size};
	int error = ENOMEM;

	if (offset < 0 || node_is_stream(node) ||
	    (!node_file_id(l.s, node) && !node_is_top(l.s, node))) {
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	l.buf = malloc(size);
	if (l.buf)
		error = list_dir(&l, node, (uint64_t)offset);
	/* An error behind the first entries waits for the next call. */
	if (error && (!l.used || error == ENOMEM))
		fuse_reply_err(req, error);
	else
		fuse_reply_buf(req, l.buf, l.used);
	free(l.buf);
}

static void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	(void)fi;
	reply_list(req, node, size, offset, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
			   struct fuse_file_info *fi)
{
	(void)fi;
	reply_list(req, node, size, offset, true);
}

static void op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	if (server_of(req)->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

/* ---- data ---- */

static void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (server_of(req)->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

/* A thread's means of reading, made when it first reads. */
struct reader {
	void *buf;   /* MAX_READ bytes */
	int pipe[2]; /* what goes to the kernel by reference; -1 if it can't be made */
	size_t room; /* bytes that are sure to fit into the pipe */
};

static void close_pipe(struct reader *r)
{
	if (r->pipe[0] >= 0) {
		close(r->pipe[0]);
		close(r->pipe[1]);
	}
	r->pipe[0] = r->pipe[1] = -1;
	r->room = 0;
}

/*
 * A pipe holds so many references to pages, and bytes that don't begin with a page touch one page
 * more. Root may have many; a user has a quota for all pipes of his programs, which a few servers
 * must not use up: what he mounts is read ahead in pieces of 128 KiB (raise_readahead()).
 */
static void open_pipe(struct reader *r)
{
	const int page = (int)sysconf(_SC_PAGESIZE);
	int size;

	r->pipe[0] = r->pipe[1] = -1;
	r->room = 0;
	if (pipe2(r->pipe, O_CLOEXEC) < 0)
		return;
	for (size = geteuid() ? USER_PIPE : ROOT_PIPE; size > 65536; size /= 2) {
		if (fcntl(r->pipe[1], F_SETPIPE_SZ, size) >= 0)
			break;
	}
	size = fcntl(r->pipe[1], F_GETPIPE_SZ);
	if (size > page)
		r->room = (size_t)(size - page);
}

/* With nothing in it, whatever has happened. */
static void empty_pipe(struct reader *r)
{
	close_pipe(r);
	open_pipe(r);
}

void reader_free(void *arg)
{
	struct reader *r = arg;

	if (!r)
		return;
	close_pipe(r);
	free(r->buf);
	free(r);
}

static struct reader *reader_of(struct server *s)
{
	struct reader *r = pthread_getspecific(s->reader);

	if (r)
		return r;
	r = malloc(sizeof(*r));
	if (!r)
		return NULL;
	open_pipe(r);
	r->buf = malloc(MAX_READ);
	if (!r->buf || pthread_setspecific(s->reader, r)) {
		reader_free(r);
		return NULL;
	}
	return r;
}

/*
 * Answer with the pages of a region file as they lie in the page cache: by reference into our pipe,
 * from there into libfuse's, and copied once, by the kernel, to its pages of the mounted file. Our
 * pipe is there to count: where a region file is cut short at this moment libfuse would send what
 * it got, which the kernel takes for the end of the file. (The pages are not given away,
 * SPLICE_F_MOVE: the next reader of the region would have to fetch them from the disk.) false: not
 * answered.
 */
static bool reply_spliced(fuse_req_t req, struct reader *r, const struct cim_run *run)
{
	const size_t len = (size_t)run->len;
	struct fuse_bufvec bufv = FUSE_BUFVEC_INIT(len);
	off_t offset = (off_t)run->offset;
	ssize_t n = 1;
	size_t done = 0;
	int left = 0;

	for (; done < len && n > 0; done += n > 0 ? (size_t)n : 0)
		n = splice((int)run->native, &offset, r->pipe[1], NULL, len - done,
			   SPLICE_F_NONBLOCK);
	if (done < len) {
		if (done)
			empty_pipe(r);
		return false;
	}
	bufv.buf[0].flags = FUSE_BUF_IS_FD;
	bufv.buf[0].fd = r->pipe[0];
	/* A failure has been answered, but may leave something behind, which must not become the
	 * beginning of the next answer. */
	if (fuse_reply_data(req, &bufv, 0) || ioctl(r->pipe[0], FIONREAD, &left) < 0 || left)
		empty_pipe(r);
	return true;
}

static void reply_text(fuse_req_t req, uint64_t node, size_t size, uint64_t offset)
{
	char text[128];
	const size_t len = node_text(server_of(req), node, text);

	if (offset >= len)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + offset, len - offset < size ? len - offset : size);
}

/* Answer without a copy in this process. false: not answered, for whatever reason; reading tells.
 */
static bool reply_by_reference(fuse_req_t req, struct reader *r, const struct cim_data *data,
			       uint64_t offset, size_t size)
{
	struct server *s = server_of(req);
	struct cim_run run = {CIM_SIZED(run)};
	bool answered = false;

	if (!s->splices || offset >= data->size)
		return false;
	if (size > data->size - offset)
		size = (size_t)(data->size - offset);
	if (size < SPLICE_FROM || size > r->room ||
	    cim_image_get_run(s->image, data, offset, size, &run, NULL))
		return false;
	/* An expanded PE image lies in pieces: a run is shorter then, an answer must not be. */
	if (run.kind == CIM_RUN_FILE && run.len == size)
		answered = reply_spliced(req, r, &run);
	cim_run_put(s->image, &run);
	return answered;
}

static void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	struct server *s = server_of(req);
	struct reader *r = reader_of(s);
	struct cim_error err = {0};
	struct cim_data data;
	size_t got = 0;
	int error;
	enum cim_status status;

	(void)fi;
	if (!r || offset < 0 || size > MAX_READ) {
		fuse_reply_err(req, r ? EINVAL : ENOMEM);
		return;
	}
	if (node == NODE_LABEL || node == NODE_SERIAL || node == NODE_CIOPFS) {
		reply_text(req, node, size, (uint64_t)offset);
		return;
	}
	error = node_data(s, node, &data);
	if (!error) {
		if (reply_by_reference(req, r, &data, (uint64_t)offset, size))
			return;
		status = cim_image_read(s->image, &data, (uint64_t)offset, r->buf, size, &got,
					&err);
		if (status)
			error = log_status(status, &err, node_file_id(s, node));
	}
	if (error)
		fuse_reply_err(req, error == ENOENT ? EIO : error);
	else
		fuse_reply_buf(req, r->buf, got);
}

static void op_lseek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence,
		     struct fuse_file_info *fi)
{
	struct server *s = server_of(req);
	struct cim_data data = {CIM_SIZED(data)};
	uint64_t at;
	char text[128];
	int error = 0;

	(void)fi;
	if (node_file_id(s, node))
		error = node_data(s, node, &data);
	else /* nowhere in the image */
		data.size = node_text(s, node, text);
	if (!error && (offset < 0 || (uint64_t)offset >= data.size))
		error = ENXIO;
	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	if (node_file_id(s, node))
		at = hole_seek(s, &data, (uint64_t)offset, whence);
	else
		at = whence == SEEK_DATA ? (uint64_t)offset : data.size;
	if (at == data.size && whence == SEEK_DATA)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, (off_t)at); /* the end is a hole */
}

/* ---- extended attributes ---- */

static void reply_value(fuse_req_t req, const void *value, size_t have, size_t size, int error)
{
	/* Asked for the size alone. */
	if (!size && (!error || error == ERANGE))
		fuse_reply_xattr(req, have);
	else if (error)
		fuse_reply_err(req, error);
	else if (have > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, have);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	struct server *s = server_of(req);
	uint8_t *value;
	size_t have;
	int error;

	if (xattr_plain(s)) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	value = xattr_get(s, node, name, size, &have, &error);
	reply_value(req, value, have, size, error);
	free(value);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	size_t have;
	int error;
	char *names = xattr_list(server_of(req), node, &have, &error);

	reply_value(req, names, have, size, error);
	free(names);
}

/* ---- the file system as a whole ---- */

static uint64_t count_bytes(const struct server *s)
{
	const struct cim_image_info *info;
	uint64_t bytes = 0, one;

	info = cim_image_get_info(s->image);
	for (uint32_t i = 0; i < info->region_count; i++) {
		cim_image_region_size(s->image, i, &one, NULL);
		bytes += one;
	}
	return bytes;
}

static void op_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct server *s = server_of(req);
	struct statvfs st = {0};

	(void)node;
	pthread_mutex_lock(&s->size_lock);
	if (!s->sized) {
		s->bytes = count_bytes(s);
		s->sized = true;
	}
	pthread_mutex_unlock(&s->size_lock);
	st.f_bsize = BLOCK_SIZE;
	st.f_frsize = BLOCK_SIZE;
	st.f_blocks = (s->bytes + BLOCK_SIZE - 1) / BLOCK_SIZE;
	st.f_files = s->max_id;
	/* (With the mark of a reparse point, where such a thing shows.) */
	st.f_namemax = CIM_MAX_NAME_UTF8 - 1 + (s->options->reparse == REPARSE_WINE);
	fuse_reply_statfs(req, &st);
}

/* Answered for the first time: tell whoever waits. */
static void tell(int fd)
{
	if (fd < 0)
		return;
	/* Whoever isn't there any more needn't know. */
	(void)!write(fd, "ready\n", 6);
	close(fd);
}

static void server_ready(struct server *s)
{
	tell(s->options->ready_fd);
	tell(s->ready);
	s->ready = -1;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct server *s = userdata;
	const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
				FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS |
				FUSE_CAP_NO_OPEN_SUPPORT | FUSE_CAP_NO_OPENDIR_SUPPORT |
				FUSE_CAP_SPLICE_WRITE | FUSE_CAP_EXPORT_SUPPORT;

	/* Always with attributes: what lists a directory looks at them next, and the kernel's guess
	 * whether it will is wrong for whoever reads a whole listing first, as ls and Wine do. */
	conn->want = conn->capable & wanted;
	conn->max_read = s->options->max_read; /* as it was mounted with, or nothing works */
	conn->max_write = MAX_READ;	       /* this decides how much one read can ask for */
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 100;
	s->splices = conn->want & FUSE_CAP_SPLICE_WRITE;
	s->no_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
	s->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
	server_ready(s);
}

const struct fuse_lowlevel_ops server_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.open = op_open,
	.read = op_read,
	.lseek = op_lseek,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.statfs = op_statfs,
};
const size_t server_ops_size = sizeof(server_ops);
