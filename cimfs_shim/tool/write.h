/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write.h - what the commands that write an image share: create, append, fork
 */
#ifndef CIMTOOL_WRITE_H
#define CIMTOOL_WRITE_H

#include "tool.h"

/* ---- container.c: images in containers ---- */

/* The options of commands that make a container if there is none. */
struct container_options {
	bool container;
	bool block;
	bool force;
	bool sealable;
};
/* @member: a struct container_options in @type */
#define CONTAINER_OPTIONS(type, member)                                                            \
	{.name = "container",                                                                      \
	 ARG_SETS(type, member.container),                                                         \
	 .help = "the image is CONTAINER/NAME: one in a file that is a directory of images, "      \
		 "which is made if there is none"},                                                \
		{.name = "block",                                                                  \
		 ARG_SETS(type, member.block),                                                     \
		 .help = "the same on a block device, DEVICE/NAME. One that begins or ends "       \
			 "with anything but a MiB of zeros is refused"},                           \
		{.name = "force",                                                                  \
		 ARG_SETS(type, member.force),                                                     \
		 .help = "with --block: what the device holds is lost, if it is no container"},    \
	{                                                                                          \
		.name = "sealable", ARG_SETS(type, member.sealable),                               \
		.help = "the container is one to be sealed (cimtool-seal(1)): it is made so, and " \
			"one that is there must be"                                                \
	}
/* The CIM_WRITE_* that say so, for @image, which is to be in @place; what they can't mean is told.
 */
int place_flags(struct tool *t, const char *image, const char *place,
		const struct container_options *options, unsigned *flags);
/* The same for an image by its whole path. */
int container_flags(struct tool *t, const char *image, const struct container_options *options,
		    unsigned *flags);
/* Where none could be made of a device, for what that holds: @err tells how to. */
void offer_force(const struct container_options *options, const char *place, struct cim_error *err);

/* ---- session.c: a writing session of the tool ---- */

struct session {
	struct tool *t;
	const char *op;	   /* "create image", for messages */
	const char *image; /* as the user named it */
	char *path;	   /* and where it is, if that was a link */
	char *dir;
	const char *name;
	struct cim_env env;
	struct cim_writer *writer;
	char *base;  /* the image that it extends or forks; NULL: none */
	void *links; /* to directories, that were stored: capturelink.c's */
	struct progress progress;
	uint64_t items;	       /* names that were stored, the root's apart */
	unsigned long deleted; /* paths, with what was below them */
	unsigned long tombstones;
	unsigned long merged; /* images that were laid under it */
};

/* Options of create, append and fork. */
struct write_options {
	bool consistent;
	bool verify;
	bool all_times;
	bool no_acls;
	bool as_stored; /* from a dump */
	int streams;	/* --streams-interface: 0 none, 1 xattr */
	const char *mtime;
	struct exclude exclude;
	struct container_options place;
};
/* What of them is about the image that is made. @member: a struct write_options in @type */
#define RESULT_OPTIONS(type, member)                                           \
	{.name = "consistent",                                                 \
	 ARG_SETS(type, member.consistent),                                    \
	 .help = "the same content under the same name gives the same bytes"}, \
	{                                                                      \
		.name = "verify", ARG_SETS(type, member.verify),               \
		.help = "read the result back and check all of it"             \
	}
#define WRITE_OPTIONS(type, member)                                                             \
	RESULT_OPTIONS(type, member),                                                           \
		{.name = "all-times",                                                           \
		 ARG_SETS(type, member.all_times),                                              \
		 .help = "last access, change and creation time from the source's atime, "      \
			 "ctime and birth time; without it they equal the last write, so that " \
			 "the same tree gives the same image"},                                 \
		{.name = "mtime",                                                               \
		 .meta = "TIME",                                                                \
		 ARG_SETS(type, member.mtime),                                                  \
		 .help = "all times are TIME: @SECONDS or YYYY-MM-DD[THH:MM:SSZ]. Without it, " \
			 "no time is later than $SOURCE_DATE_EPOCH if that is set"},            \
		{.name = "streams-interface",                                                   \
		 .meta = "none|xattr",                                                          \
		 ARG_SETS_WORD(type, member.streams),                                           \
		 .help = "xattr: user.NAME becomes the alternate stream NAME; none (the "       \
			 "default): reported as not kept"},                                     \
		{.name = "no-acls",                                                             \
		 ARG_SETS(type, member.no_acls),                                                \
		 .help = "no security descriptors (from ntfs-3g's system.ntfs_acl)"},           \
		EXCLUDE_OPTIONS(type, member.exclude,                                           \
				"leave out what matches below a SOURCE. " EXCLUDE_PATTERNS)

/* What help says of that. */
#define ABOUT_MERGING                                                                         \
	"Directories are merged; files and links replace what has their name. What the host " \
	"has no notion of stays as the image has it: security descriptors, hidden, system, "  \
	"archive, and extended attributes; of directories times other than the last write, "  \
	"too, and at the top of what is put in that one as well."

/* @parent: the name of the image to fork; NULL to make a new image; "" to extend @image. */
int session_open(struct session *s, struct tool *t, const char *op, const char *image,
		 const char *parent, const struct write_options *options);
/* Commit, close, verify if asked for, and print the summary. */
int session_commit(struct session *s, const struct write_options *options);
/* Read back what was written at @path, all of it; @image: as the user named it; @merged: from the
 * sources that the tool knows. */
int verify_written(struct tool *t, const struct cim_env *env, const char *path, const char *image,
		   bool merged);
/* Close; what is not committed is removed. */
void session_close(struct session *s);

/* ---- sink.c: one item or stream into the session ---- */

/*
 * @source NULL: nothing is written, so a stream of a size above 0 takes the sparse form. Everything
 * that makes images goes through these, so that the same items give the same calls.
 */
enum cim_status sink_item(struct session *s, const uint16_t *path, size_t units,
			  const struct cim_metadata *metadata, const struct cim_source *source,
			  struct cim_error *err);
/* A further name, @path, of what is at @to. */
enum cim_status sink_link(struct session *s, const uint16_t *path, size_t units, const uint16_t *to,
			  size_t to_units, struct cim_error *err);
/* A name that is to be of what is at @to in the sources, once they are merged. */
enum cim_status sink_merge_link(struct session *s, const uint16_t *path, size_t units,
				const uint16_t *to, size_t to_units, struct cim_error *err);
enum cim_status sink_stream(struct session *s, const uint16_t *path, size_t units,
			    const uint16_t *stream, size_t stream_units, uint64_t size,
			    const struct cim_source *source, struct cim_error *err);
/* "PATH:NAME", allocated, of so many and one units. */
uint16_t *stream_path(const uint16_t *path, size_t units, const uint16_t *name, size_t name_units);
/* A source over bytes in memory. */
struct cim_source memory_source(const void *data);
/* A source over a host file. */
struct file_source {
	struct session *session;
	int fd;
	uint64_t size;
	uint64_t counted; /* bytes of it that the progress knows of; it may be read twice */
	bool holes;	  /* the file has some: they are not read */
	uint64_t from, data, data_end; /* known of them: a hole from @from to @data, then data */
	bool shrank; /* set when it ended before @size: zeros were given instead */
	int failed;  /* errno of a failed read */
};
struct cim_source file_source(struct file_source *f);

/* ---- hostmeta.c: a Linux file's metadata as an image's ---- */

struct host_stream {
	uint16_t name[CIM_MAX_NAME];
	size_t units;
	uint8_t *value;
	size_t size;
};
struct host_meta {
	struct cim_metadata m; /* keep: what the host has no notion of */
	uint8_t *security;
	uint8_t *ea;
	uint8_t *reparse;
	bool reparse_point;	     /* NTFS says that it is one, whatever it looks like */
	struct host_stream *streams; /* sorted as in an image */
	size_t stream_count;
	size_t stream_room;
};

/* How to read them; each thread has its own. */
struct hostmeta {
	struct tool *t;
	bool all_times;
	bool xattr_streams;
	bool no_acls;
	bool set_times;	  /* --mtime */
	bool clamp_times; /* SOURCE_DATE_EPOCH */
	int64_t time;
	/* the file system asked last whether it has ntfs-3g's attributes */
	bool ntfs_known;
	bool ntfs;
	bool image; /* it is one of ours, which shows all there is */
	uint64_t ntfs_dev;
	struct loss *lost_xattr;
	struct loss *lost_ntfs;
	struct loss *lost_time;
};
#define HOST_LOSSES 3
struct statx;
/* @losses are the caller's to report */
int hostmeta_init(struct hostmeta *h, struct tool *t, const struct write_options *options,
		  struct loss losses[HOST_LOSSES]);
/*
 * @fd: the open file or directory, or -1 for a symlink, which is @dirfd, @name then.
 * @where: path for messages
 */
void hostmeta_read(struct hostmeta *h, int fd, int dirfd, const char *name, const struct statx *stx,
		   const char *where, struct host_meta *meta);
/* All times of what is of no file: @when, unless an option says otherwise. */
struct timespec;
int hostmeta_same_times(struct tool *t, const struct write_options *options,
			const struct timespec *when, struct cim_metadata *m);
void host_meta_free(struct host_meta *meta);

/* ---- capture.c: host trees into a session ---- */

/*
 * Put the contents of @sources (directories; or plain files, by their name) below @prefix, a
 * directory of the image ("" is the root); later ones over earlier ones. @as not NULL: the sources
 * are files, and that is their name in the image.
 */
int capture(struct session *s, const struct write_options *options, char *const *sources,
	    size_t count, const uint16_t *prefix, size_t units, const uint16_t *as,
	    size_t as_units);
/* What a session remembers for that, at its end. */
void capture_forget_links(struct session *s);

/* ---- fromdump.c ---- */

int from_dump(struct session *s, const char *file, const char *data_dir);
/* A path of a dump, '/' and escaped names, as code units into @out, CIM_MAX_PATH + 1 of them. What
 * is wrong with it, allocated; NULL: nothing. */
char *dump_path(const char *s, uint16_t *out, size_t *units);
/* The stored word as attributes, and what no attribute names. */
void metadata_set_flags(struct cim_metadata *m, unsigned flags);

/* ---- flatten.c ---- */

/* All of @image, which shows its marked items from then on; @name: as the user named it. */
int flatten(struct session *s, struct cim_image *image, const char *name);

#endif
