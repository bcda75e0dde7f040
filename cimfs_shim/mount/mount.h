/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.h - what the files of cimfs-mount share
 *
 * The program in layers: main.c decides what was asked for, with options.c; byhand.c and
 * session.c mount and become a daemon; serve.c answers the kernel's requests out of node.c (what an
 * inode number stands for, attributes), item.c (what the image has of it), names.c (names as Linux
 * can hold them), link.c (Windows' link targets as Linux's), nlink.c (link counts), xattr.c
 * (extended attributes) and log.c. volume.c and those of volume.h keep the volumes of a Wine
 * prefix, extract.c makes the copy that stands in where there is no FUSE, and holder.c has a
 * process stand for it. mark.c has an image marked as in use meanwhile.
 *
 * Nothing is remembered of an inode: its number says all that is needed to find it again, so the
 * server's memory doesn't grow with what is looked at.
 */
#ifndef CIMFS_MOUNT_H
#define CIMFS_MOUNT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "../host/alloc.h"
#include "../host/args.h"
#include "../host/error.h"
#include "../host/exit.h"
#include "../host/volumeinfo.h"
#include "libcim_advanced.h"

/* The exit code in Wine mode, + enum cim_status. */
#define WINE_EXIT 64

/* How alternate streams show (ntfs-3g's option of this name). */
enum streams_interface {
	STREAMS_NONE = 0,
	STREAMS_WINDOWS = 1, /* FILE:STREAM can be opened */
	STREAMS_XATTR = 2,   /* extended attribute user.STREAM */
	STREAMS_BOTH = 3,
};

/* What link counts are. */
enum nlink_form {
	NLINK_EXACT, /* counted when first asked for */
	NLINK_1,     /* 1, whatever there is */
};

/* How reparse points show. */
enum reparse_form {
	REPARSE_LINKS, /* links as symbolic links, others as what they are without */
	REPARSE_WINE,  /* as Wine 10.19 and later: "NAME?", the data in user.WINEREPARSE */
};

/* The volume of a Wine prefix that a server serves; NULL in struct options for a mount by hand. */
struct volume;

struct options {
	char *image;	/* absolute path of the filesystem file */
	char **sources; /* the images that it was merged from; as they were named */
	size_t source_count;
	bool verified; /* its container must have this root hash */
	uint8_t root_hash[CIM_ROOT_HASH];
	char *dir;	  /* absolute path of the mount point */
	const char *help; /* the command that tells more of how this is called */
	bool foreground;
	int ready_fd;	   /* -1: none */
	char *log;	   /* file to log to; NULL: stderr in the foreground, else syslog */
	char *kernel;	   /* mount options for the kernel, separated by commas; "" for none */
	unsigned max_read; /* one of them; 0: not given */
	int streams;	   /* enum streams_interface */
	int reparse;	   /* enum reparse_form */
	int nlink;	   /* enum nlink_form */
	bool ignore_case;
	bool nonempty;
	bool sloppy;   /* pass over unknown options */
	char *unknown; /* the first of them; NULL */
	bool fake;     /* do all but mount */
	uid_t uid;
	gid_t gid;
	mode_t fmode; /* of files, before fmask */
	mode_t fmask, dmask;
	const struct volume *volume;
};

/* How deep a directory lies. */
#define DEPTH_SLOTS 4096u
struct depth {
	uint32_t dir_id; /* 0: nothing is known */
	uint32_t depth;
};

struct server {
	const struct options *options;
	struct cim_image *image;
	uint32_t root_id;
	uint64_t max_id;     /* FileIDs go up to this */
	uint32_t generation; /* in file handles: of which image */

	/* nlink.c */
	pthread_mutex_t count_lock;
	struct cim_links *links; /* once counted; NULL: they can't be */
	bool counted;

	/* node.c */
	pthread_mutex_t depth_lock;
	struct depth depths[DEPTH_SLOTS]; /* a FileID has one slot, and shares it */

	/* parent.c */
	pthread_mutex_t parent_lock;
	struct parent *parents; /* of directories whose records don't tell, by FileID */
	size_t parent_count;
	bool parents_found;

	/* xattr.c: Wine mode's question whether attributes are worth asking for */
	pthread_mutex_t scan_lock;
	bool scanned;
	bool plain; /* no item has any */

	/* serve.c */
	pthread_mutex_t size_lock;
	bool sized;
	uint64_t bytes; /* of the image's files */
	bool no_open;	/* the kernel can do without open */
	bool no_opendir;
	bool splices;	      /* the kernel takes pages by reference */
	pthread_key_t reader; /* of each thread: its buffer and its pipe */
	int ready; /* written to when the kernel has been answered for the first time; -1 */
};

/* ---- byhand.c ---- */

/* The exit code of "cimfs-mount IMAGE DIR". */
int mount_by_hand(struct options *o, const char *image_name, const char *dir_name);

/* ---- options.c ---- */

void options_init(struct options *o);
void options_free(struct options *o);
void options_add_source(struct options *o, const char *image);
/* In hexadecimal; false: it is none. */
bool options_set_root_hash(struct options *o, const char *text);
/* "-o" text; false: a usage error was told. */
bool options_parse(struct options *o, const char *text);
/* What "-o" takes; for a struct options. */
extern const struct arg_option mount_options[];
#define REPARSE_WORDS "links|wine" /* enum reparse_form */

/* ---- log.c ---- */

/* Whose name stands before each line, if it isn't cimfs-mount. */
void log_as(const char *name);
/* Before it serves: "cimfs-mount: TEXT" on stderr. */
void say(const char *fmt, ...) HOST_PRINTF(1, 2);
/* The same from the library's detail, with what was being done and the image. */
void say_cim(const char *op, const char *image, const struct cim_error *err);

/* To stderr (NULL), to syslog (""), or to a file. */
void log_open(const char *where);
/* The file, if it is one; what is logged after that goes to stderr. */
void log_close(void);
/* One line, with the time where nobody else adds it; too many in a minute are counted instead. */
void log_line(const char *fmt, ...) HOST_PRINTF(1, 2);
/* A failed call: the errno to answer with. Logs what the user should know of. */
int log_status(enum cim_status status, const struct cim_error *err, uint32_t file_id);

/* ---- names.c ---- */

/* Room for a name as Linux gets it, the mark of a reparse point and its NUL included. */
#define LINUX_NAME (CIM_MAX_NAME_UTF8 + 1)
/* A stored name in WTF-8, what can't show in a name replaced; see names.c. */
void name_to_linux(const struct server *s, const uint16_t *name, size_t units, char *out);
/* The same for an item as it is listed: "NAME?" for what shows as one of Wine's reparse points. */
void name_of_item(const struct server *s, const uint16_t *name, size_t units,
		  const struct cim_file_info *info, char *out);
/*
 * The FileID of a name in a directory; *variant: it is spelt otherwise there, which any_case or the
 * option ignore_case allows. 0 or an errno.
 */
int name_find(struct server *s, uint32_t dir_id, const char *name, size_t len, bool any_case,
	      uint32_t *file_id, bool *variant);
/* Is it the name of one of Wine's reparse points, where they show? */
bool name_is_marked(const struct server *s, const char *name);
/* The item that shows by a name, as name_of_item() gives it. */
int name_find_item(struct server *s, uint32_t dir_id, const char *name, struct cim_file_info *info,
		   bool *variant);

/* ---- item.c ---- */

/* An item's record. 0 or an errno, which is logged. */
int item_info(struct server *s, uint32_t file_id, struct cim_file_info *info);

/* ---- node.c ---- */

/*
 * Inode numbers as the kernel gets them (nodes), which programs never see: they see the FileID.
 *
 *   1                                       the root of the mount
 *   2, 3, ...                               files that are not in the image, see enum
 *   bit 63 | extra << 32 | FileID           an item
 *   bit 63 | bit 62 | index << 32 | FileID  its alternate stream
 *
 * extra: of a symlink, the depth of the directory that it was found in; of a directory that was
 * looked up in another spelling, a hash of that spelling (the kernel wants one name for one
 * directory); else 0.
 */
enum {
	NODE_ROOT = 1,
	NODE_LABEL,  /* .windows-label, for Wine */
	NODE_SERIAL, /* .windows-serial */
	NODE_CIOPFS, /* .ciopfs: tells Wine that names are looked up without case */
};
#define NODE_ITEM   (UINT64_C(1) << 63)
#define NODE_STREAM (UINT64_C(1) << 62)
#define NODE_EXTRA  ((UINT32_C(1) << 30) - 1)

static inline uint64_t node_item(uint32_t file_id, uint32_t extra)
{
	return NODE_ITEM | (uint64_t)(extra & NODE_EXTRA) << 32 | file_id;
}
static inline uint64_t node_stream(uint32_t file_id, uint32_t index)
{
	return NODE_ITEM | NODE_STREAM | (uint64_t)(index & NODE_EXTRA) << 32 | file_id;
}
static inline uint32_t node_extra(uint64_t node)
{
	return (uint32_t)(node >> 32) & NODE_EXTRA;
}
static inline bool node_is_stream(uint64_t node)
{
	return node & NODE_STREAM;
}

/* Wine mode: the mount's root holds "root", which is the image's. */
bool node_is_top(const struct server *s, uint64_t node);
/* The item that a node is or belongs to; 0 for what is not in the image. */
uint32_t node_file_id(const struct server *s, uint64_t node);
/* The node of the image's root directory. */
uint64_t node_of_root(const struct server *s);
/* Attributes of a node. 0 or an errno. */
int node_stat(struct server *s, uint64_t node, struct stat *st);
/* Attributes and node of an item that was found in directory @dir_id; @spelling: hash or 0. */
int node_enter(struct server *s, uint32_t dir_id, const struct cim_file_info *info,
	       uint32_t spelling, uint64_t *node, struct stat *st);
/* Look up a name in a directory, or "." (in anything) and "..". 0 or an errno, ENOENT for what is
 * not there. */
int node_lookup(struct server *s, uint64_t parent, const char *name, uint64_t *node,
		struct stat *st);
/* The data behind a node. 0 or an errno. */
int node_data(struct server *s, uint64_t node, struct cim_data *data);

/* ---- holes.c ---- */

/* Where a stream goes on with data or with a hole (SEEK_DATA, SEEK_HOLE), from @offset within it
 * on; its size where there is no more of that. */
uint64_t hole_seek(const struct server *s, const struct cim_data *data, uint64_t offset,
		   int whence);
/* How many blocks of 512 bytes its data take. */
blkcnt_t hole_blocks(const struct server *s, const struct cim_data *data);
/* Content of a file that is not in the image; its length. */
size_t node_text(const struct server *s, uint64_t node, char text[128]);
/* How many directories lie above a directory. 0 or an errno. */
int node_depth(struct server *s, uint32_t dir_id, uint32_t *depth);

/* ---- parent.c ---- */

/* The directory that directory @dir_id, which isn't the root, is in. 0 or an errno. */
int node_parent(struct server *s, uint32_t dir_id, uint32_t *parent);

/* ---- link.c ---- */

/*
 * The target of an item that is a link, for a link in a directory @depth below the root; allocated.
 * NULL: it isn't one, or one that has no form here; *error is 0 then, or an errno.
 */
char *link_target(struct server *s, const struct cim_file_info *info, uint32_t depth, int *error);

/* ---- nlink.c ---- */

/* The link count of an item; 1 where they aren't counted. */
uint32_t nlink_get(struct server *s, const struct cim_file_info *info);
void nlink_free(struct server *s);

/* ---- xattr.c ---- */

/* Wine mode: no item is hidden or system or shows as Wine's reparse point, so nobody need ask.
 * Looks at all items once. */
bool xattr_plain(struct server *s);
/*
 * The value of an attribute, allocated, NULL with *error set if there is none. Values larger than
 * @limit are not read: *size tells all the same and NULL comes with ERANGE.
 */
uint8_t *xattr_get(struct server *s, uint64_t node, const char *name, size_t limit, size_t *size,
		   int *error);
/* The names, each with its NUL; allocated, NULL if there are none (*error 0) or with an errno. */
char *xattr_list(struct server *s, uint64_t node, size_t *size, int *error);

/* ---- session.c ---- */

/* Open the image of the options, with its sources, by that of the library's functions which it
 * takes. */
enum cim_status open_header(const struct options *o, struct cim_image **image,
			    struct cim_error *err);
/* And as one to be mounted, whose region files and root are there: half of
 * one is not mounted (D31). */
enum cim_status open_image(const struct options *o, struct cim_image **image,
			   struct cim_error *err);
/* Descriptors that the caller left open are not ours to hold; but 0 to 2, and @keep, which gets
 * sorted. */
void close_others(int *keep, size_t count);
/* Away from the caller's session, directory, terminal and pipes. */
void become_daemon(void);

/* Prepare and release what the server needs besides the open image. */
void server_init(struct server *s, const struct options *o, struct cim_image *image);
void server_free(struct server *s);

/*
 * Mount and serve. Returns in the process that mounted: CIM_OK once the mount can be used (with
 * *pid of the server) or, in the foreground, once it has been unmounted (*pid 0); or a failure,
 * told in @err. The server itself never returns: it ends the process.
 * *@warning: what it logged about a mount that is less than it should be; allocated, or NULL.
 */
enum cim_status serve(const struct options *o, struct cim_image *image, pid_t *pid, char **warning,
		      struct cim_error *err);
/* CIM_OK, CIM_E_UNSUPPORTED (no FUSE here) or CIM_E_ACCESS (no right to use it), with the cause. */
enum cim_status fuse_available(struct cim_error *err);
/* ---- mark.c ---- */

struct image_mark {
	struct cim_image *image;
	const char *path, *log;
	int *fds; /* those of which a copy keeps the locks, the image's and its sources' */
	size_t count;
	bool wait;  /* somebody has the lock: lock_image_later() */
	bool waits; /* and that is what this thread does */
	pthread_t waiter;
	char *warning; /* one line for the log where it can't be had at all (some network file
			* systems have no locks); allocated, or NULL */
};
/* @path must stay. The lock is held until the image is closed. */
void lock_image(struct cim_image *image, const char *path, struct image_mark *mark);
void mark_end(struct image_mark *mark);
/*
 * Take the lock once whoever has it lets go, in a thread, which logs a failure: what to do where
 * image_mark.wait is set, in the process that keeps @fds. @log: the file to open for that; NULL:
 * the log is open.
 */
void lock_image_later(struct image_mark *mark, const char *log);

/* ---- Wine mode: volume.h tells which file ---- */

/* What cimfs.dll asks for, by --wine-mount and --wine-dismount. */
struct wine_call {
	const char *dosdevices;
	const char *guid;
	const char *status;  /* file for the answer; NULL: stderr */
	const char *version; /* the DLL's; NULL: not told */
	const char *image;   /* to mount; of its sources and root hash the options tell */
	enum backend backend;
	int reparse; /* enum reparse_form */
};

/* The answer to a call that failed with @status at doing @op to @what; its exit code. */
int volume_refuse(enum cim_status status, const char *op, const char *what,
		  const struct cim_error *err, const struct wine_call *call);
/* The exit codes of --wine-mount and --wine-dismount. */
int volume_mount(const struct wine_call *call, struct options *o);
int volume_dismount(const struct wine_call *call);
/* What link.c and node.c ask of a volume. */
const char *volume_dosdevices(const struct volume *v);
const char *volume_guid(const struct volume *v);
/* In the server's process: let go of what only the one who mounts needs. */
void volume_in_server(const struct volume *v);
/* The server or holder ends: take link and state away, if they are still this process's. */
void volume_ended(const struct volume *v);
/* A signal is waiting that asks to stop what is being made. */
bool volume_interrupted(const struct volume *v);

/* ---- holder.c ---- */

/*
 * Start the process that holds the lock @mark, taken or to be waited for, for as
 * long as the volume's directory @dir exists; it logs to @log. -1: it can't be, told in @err.
 */
pid_t start_holder(const struct volume *v, const char *dir, const char *log,
		   struct image_mark *mark, struct cim_error *err);

/* ---- extract.c ---- */

/* Unpack the whole image into the new directory @dir, for the volume in the server's options. What
 * is there after a failure is partial. CIM_E_ABORTED: volume_interrupted(). */
enum cim_status extract_image(struct server *s, const char *dir, struct cim_error *err);
/* Remove a tree, whatever its modes; never follows links, never leaves the file system. */
bool remove_tree(const char *dir);

#endif
