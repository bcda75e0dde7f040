/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.h - between the answers (serve.c) and the life of a server (session.c)
 */
#ifndef CIMFS_MOUNT_SERVE_H
#define CIMFS_MOUNT_SERVE_H

struct fuse_lowlevel_ops;
struct server;

extern const struct fuse_lowlevel_ops server_ops;
extern const size_t server_ops_size;

/* The end of what a thread that read has. */
void reader_free(void *reader);

#endif
