/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.c - fuzz target: what cimfs-mount answers the kernel, without the kernel
 *
 * The functions by which libfuse takes an answer are here, and remember it. First everything that
 * the mount shows is asked for, then what the steps say, for nodes that were told of and others.
 * Each question has one answer, no longer than it may be, and an attribute that is listed can be
 * read.
 */
#define FUSE_USE_VERSION 312
#include "fuzz.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../mount/mount.h"
#include "../../mount/serve.h"

#define NODES 256
#define NAMES 32
#define STEPS 200

struct fuse_req {
	struct server *server;
	unsigned answers;
	int error;
	size_t room;   /* of an answer in bytes */
	size_t size;   /* of such an answer */
	uint8_t *data; /* a copy of it */
};

struct name {
	char text[LINUX_NAME];
};

static struct {
	uint64_t nodes[NODES];
	unsigned node_count;
	struct name names[NAMES];
	unsigned name_count;
	uint64_t offset; /* of the last entry of a listing */
} seen;

static void learn_node(uint64_t node)
{
	for (unsigned i = 0; i < seen.node_count; i++)
		if (seen.nodes[i] == node)
			return;
	if (node && seen.node_count < NODES)
		seen.nodes[seen.node_count++] = node;
}

static void learn_name(const char *name)
{
	if (strlen(name) >= LINUX_NAME || strchr(name, '/') || !*name)
		fuzz_broken("a name that Linux can't have: '%s'", name);
	strcpy(seen.names[seen.name_count++ % NAMES].text, name);
}

/* ---- in place of libfuse ---- */

static int answer(fuse_req_t req, int error)
{
	if (req->answers++)
		fuzz_broken("a second answer");
	if (error < 0 || error > 4095)
		fuzz_broken("the errno %d", error);
	req->error = error;
	return 0;
}

void *fuse_req_userdata(fuse_req_t req)
{
	return req->server;
}

int fuse_reply_err(fuse_req_t req, int error)
{
	return answer(req, error);
}

int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *e)
{
	learn_node(e->ino);
	return answer(req, 0);
}

int fuse_reply_attr(fuse_req_t req, const struct stat *st, double timeout)
{
	(void)timeout;
	if (!st->st_mode || !st->st_nlink || st->st_size < 0)
		fuzz_broken("attributes of nothing");
	return answer(req, 0);
}

int fuse_reply_readlink(fuse_req_t req, const char *link)
{
	if (!*link)
		fuzz_broken("an empty link");
	return answer(req, 0);
}

int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	(void)fi;
	return answer(req, 0);
}

int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size)
{
	if (size > req->room)
		fuzz_broken("%zu bytes for %zu", size, req->room);
	req->size = size;
	req->data = malloc(size + 1);
	if (!req->data)
		fuzz_broken("out of memory");
	if (size)
		memcpy(req->data, buf, size);
	return answer(req, 0);
}

int fuse_reply_data(fuse_req_t req, struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags)
{
	(void)bufv, (void)flags;
	fuzz_broken("a splice from a file in memory");
	return answer(req, 0);
}

int fuse_reply_xattr(fuse_req_t req, size_t count)
{
	req->size = count;
	return answer(req, 0);
}

int fuse_reply_statfs(fuse_req_t req, const struct statvfs *st)
{
	(void)st;
	return answer(req, 0);
}

int fuse_reply_lseek(fuse_req_t req, off_t offset)
{
	if (offset < 0)
		fuzz_broken("a seek to %lld", (long long)offset);
	return answer(req, 0);
}

static size_t put_entry(char *buf, size_t room, size_t head, const char *name, off_t next)
{
	const size_t need = (head + strlen(name) + 7) & ~(size_t)7;

	learn_name(name);
	if (need <= room) {
		memset(buf, 1, need);
		seen.offset = (uint64_t)next;
	}
	return need;
}

size_t fuse_add_direntry(fuse_req_t req, char *buf, size_t room, const char *name,
			 const struct stat *st, off_t next)
{
	(void)req, (void)st;
	return put_entry(buf, room, 24, name, next);
}

size_t fuse_add_direntry_plus(fuse_req_t req, char *buf, size_t room, const char *name,
			      const struct fuse_entry_param *e, off_t next)
{
	(void)req;
	learn_node(e->ino);
	return put_entry(buf, room, 152, name, next);
}

/* ---- questions ---- */

static struct fuse_req begin(struct server *s, size_t room)
{
	return (struct fuse_req){.server = s, .room = room};
}

static void end(struct fuse_req *req)
{
	if (req->answers != 1)
		fuzz_broken("%u answers", req->answers);
	free(req->data);
	req->data = NULL;
}

#define ASK(server, room, call)                                         \
	do {                                                            \
		struct fuse_req one = begin(server, room), *req = &one; \
		server_ops.call;                                        \
		end(req);                                               \
	} while (0)

static void ask_xattr(struct server *s, uint64_t node, const char *name, size_t room)
{
	ASK(s, room, getxattr(req, node, name, room));
}

/* A name that is listed has a value, or there is an error that tells why not. */
static void ask_listed(struct server *s, uint64_t node, const char *name)
{
	struct fuse_req req = begin(s, 0);

	server_ops.getxattr(&req, node, name, 0);
	if (req.error == ERANGE || req.error == ENODATA || (!req.error && req.size > 65536))
		fuzz_broken("'%s' is listed: errno %d, %zu bytes", name, req.error, req.size);
	end(&req);
	ask_xattr(s, node, name, 65536);
}

static void ask_xattrs(struct server *s, uint64_t node)
{
	struct fuse_req req = begin(s, 65536);

	server_ops.listxattr(&req, node, req.room);
	if (!req.error && req.size && req.data[req.size - 1])
		fuzz_broken("the list of attributes has no end");
	for (size_t at = 0; !req.error && at < req.size;
	     at += strlen((const char *)req.data + at) + 1)
		ask_listed(s, node, (const char *)req.data + at);
	end(&req);
	ASK(s, 0, listxattr(req, node, 0));
}

static void ask_read(struct server *s, uint64_t node, size_t size, off_t offset)
{
	struct fuse_file_info fi = {0};

	ASK(s, 0, open(req, node, &fi));
	ASK(s, size, read(req, node, size, offset, &fi));
	ASK(s, 0, lseek(req, node, offset, SEEK_DATA, &fi));
	ASK(s, 0, lseek(req, node, offset, SEEK_HOLE, &fi));
}

static void ask_list(struct server *s, uint64_t node, size_t size, bool plus)
{
	struct fuse_file_info fi = {0};
	uint64_t offset = 0, more = 1;

	ASK(s, 0, opendir(req, node, &fi));
	for (unsigned turns = 0; more && turns < 200; turns++) {
		struct fuse_req req = begin(s, size);

		seen.offset = offset;
		if (plus)
			server_ops.readdirplus(&req, node, size, (off_t)offset, &fi);
		else
			server_ops.readdir(&req, node, size, (off_t)offset, &fi);
		more = !req.error && req.size;
		if (more && seen.offset <= offset)
			fuzz_broken("a listing goes on where it was");
		offset = seen.offset;
		end(&req);
	}
}

static void ask_all(struct server *s, uint64_t node)
{
	ASK(s, 0, getattr(req, node, NULL));
	ask_list(s, node, 4096, true);
	ask_list(s, node, 1024, false);
	ASK(s, 0, readlink(req, node));
	ask_xattrs(s, node);
	ask_read(s, node, 65536, 0);
	ASK(s, 0, lookup(req, node, ".."));
}

/* ---- steps ---- */

static uint64_t node_of(struct fuzz_steps *steps)
{
	const uint8_t what = fuzz_byte(steps);

	return what == 255 ? fuzz_number(steps, 8) : seen.nodes[what % seen.node_count];
}

static void name_in(struct fuzz_steps *steps, char name[256])
{
	const uint8_t what = fuzz_byte(steps);
	const char *known = seen.names[what % NAMES].text;

	if (what < 192 && *known && strlen(known) < 256)
		strcpy(name, known);
	else
		fuzz_text(steps, name, 256);
	if (!*name || strchr(name, '/')) /* the kernel asks for none such */
		strcpy(name, "x");
}

static void step(struct server *s, struct fuzz_steps *steps)
{
	const uint8_t what = fuzz_byte(steps);
	const uint64_t node = node_of(steps);
	char name[256];

	switch (what % 6) {
	case 0:
		name_in(steps, name);
		ASK(s, 0, lookup(req, node, name));
		break;
	case 1:
		name_in(steps, name);
		ask_xattr(s, node, name, what & 64 ? (size_t)fuzz_number(steps, 2) : 0);
		break;
	case 2:
		ask_read(s, node, (size_t)fuzz_number(steps, 2), (off_t)fuzz_number(steps, 6));
		break;
	case 3:
		ask_list(s, node, 1024 + fuzz_byte(steps), what & 64);
		break;
	case 4:
		ASK(s, 0, statfs(req, node));
		break;
	default:
		ask_all(s, node);
	}
}

static void serve_image(struct cim_image *image, struct fuzz_steps *steps)
{
	const uint8_t how = fuzz_byte(steps);
	struct options options;
	struct server s;

	options_init(&options);
	options.streams = how & 3;
	options.reparse = how & 4 ? REPARSE_WINE : REPARSE_LINKS;
	options.ignore_case = how & 8;
	options.nlink = how & 16 ? NLINK_1 : NLINK_EXACT;
	server_init(&s, &options, image);
	s.no_open = how & 32;
	s.no_opendir = how & 32;
	s.splices = how & 64;
	memset(&seen, 0, sizeof(seen));
	learn_node(NODE_ROOT);
	for (unsigned i = 0; i < seen.node_count; i++)
		ask_all(&s, seen.nodes[i]);
	for (unsigned i = 0; steps->left && i < STEPS; i++)
		step(&s, steps);
	reader_free(pthread_getspecific(s.reader));
	server_free(&s);
	options_free(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memfs *fs = memfs_new();
	struct cim_env env = memfs_env(fs);
	struct cim_vfs vfs = fs->vfs;
	struct fuzz_steps steps = fuzz_unpack(fs, data, size);
	struct cim_image *image;

	log_open("/dev/null");
	vfs.map = NULL;
	env.vfs = &vfs;
	image = fuzz_open(&env);
	if (image && !cim_image_check_regions(image, NULL))
		serve_image(image, &steps);
	cim_image_close(image);
	log_close();
	fuzz_clean(fs);
	memfs_free(fs);
	return 0;
}
