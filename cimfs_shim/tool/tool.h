/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tool.h - what the commands of cimtool share
 *
 * One file a command (cmd_NAME.c), each with a struct command in main.c's table, and one file an
 * idea that several commands need. All of it uses libcim.h, host, libc, jansson and libcrypto;
 * nothing of core. Functions that print about a failure return the exit code that fits it, so that
 * a command says "return tool_fail(...)".
 */
#ifndef CIMTOOL_TOOL_H
#define CIMTOOL_TOOL_H

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "../host/alloc.h"
#include "../host/args.h"
#include "../host/blob.h"
#include "../host/bytes.h"
#include "../host/ea.h"
#include "../host/exit.h"
#include "../host/filetime.h"
#include "../host/help.h"
#include "../host/imagefile.h"
#include "../host/reparse.h"
#include "../host/utf8.h"
#include "../host/xattr.h"
#include "libcim_advanced.h"
#include "libcim_env.h"

#define TOOL_PRINTF	HOST_PRINTF
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct tool;

/* One command: @usage is what follows "cimtool NAME". */
struct command {
	const char *name;
	const char *alias;
	const char *usage;
	const char *summary;
	const char *about;		  /* in its help before the options */
	const char *notes;		  /* and behind them; NULL: none */
	const struct arg_option *options; /* its own; NULL: none */
	int (*run)(struct tool *t, int argc, char **argv);
	bool compares; /* exit status 1 says that there are differences, 2 any failure */
};

enum progress_mode {
	PROGRESS_AUTO,
	PROGRESS_LINE,
	PROGRESS_JSON,
	PROGRESS_NONE,
};

/* A run of the program: the common options and what has happened so far. */
struct tool {
	const struct command *command;
	bool quiet;
	bool verbose;
	bool json;
	bool strict;
	bool help;
	int progress;	  /* enum progress_mode */
	unsigned threads; /* --threads; 0: as many as there are processors for us */
	char **sources;	  /* --source: images that merged ones were made of */
	size_t source_count;
	size_t source_room;
	bool verified; /* --root-hash: */
	uint8_t root_hash[CIM_ROOT_HASH];
	bool show_marked;     /* open images so that they show what marks hide */
	bool sources_missing; /* a merged one was opened without, and they aren't beside it */
	bool several;	      /* images are opened, of which any may be a merged one */
	bool merged_opened;   /* one was */
	unsigned long warnings;
	int out_errno;	  /* why stdout failed, where that was noticed at once */
	const char *done; /* what stands, whatever becomes of telling it */
};

/* ---- main.c ---- */

extern const struct command cmd_create, cmd_append, cmd_fork, cmd_merge, cmd_seal, cmd_convert,
	cmd_tombstone, cmd_vhd, cmd_ls, cmd_stat, cmd_cat, cmd_extract, cmd_info, cmd_dump,
	cmd_diff, cmd_verify, cmd_files, cmd_rm, cmd_mount, cmd_umount, cmd_mounts;

/* ---- usage.c ---- */

/*
 * Take the options that all commands have, and the command's own, which are for the struct @into.
 * From @least to @most arguments must follow, from optind on; @needed says which if there are
 * fewer. EXIT_OK, or the end. @into NULL: its options are for @t.
 */
int tool_args(struct tool *t, int argc, char **argv, void *into, int least, int most,
	      const char *needed);
#define ANY_NUMBER INT_MAX
/* The one line of a usage error, with the hint; returns EXIT_USAGE. */
int tool_usage(struct tool *t, const char *fmt, ...) TOOL_PRINTF(2, 3);
/* Help: of one command, and of the options of every command. */
void usage_command(const struct command *c);
void usage_common(void);

/* ---- report.c: messages, the end ---- */

/* "cimtool: OP IMAGE: PATH: CAUSE" on stderr; NULL or "" parts are left out. */
int tool_fail(struct tool *t, const char *op, const char *image, const char *path, const char *fmt,
	      ...) TOOL_PRINTF(5, 6);
/* The same from errno. */
int tool_fail_errno(struct tool *t, const char *op, const char *image, const char *path);
/* The same from the library's detail record; @op and @image stand in where it names none. */
int tool_fail_cim(struct tool *t, const char *op, const char *image, const struct cim_error *err);
/* The same of @path, whatever path the library's record names. */
int tool_fail_at(struct tool *t, const char *op, const char *image, const char *path,
		 struct cim_error *err);
/* The same of one file of several in a directory. */
int tool_fail_file(struct tool *t, const char *op, const char *image, const char *file,
		   const struct cim_error *err);
/* The same for what takes the lock of a directory: the system's "busy" is another writer's. */
int tool_fail_dir(struct tool *t, const char *op, const char *image, const struct cim_error *err);
/* Lines that are no loss, so they aren't counted: where there are no locks (D54); that a footer is
 * gone. */
void tool_tell_unlocked(struct tool *t, const char *op, const char *image);
void tool_tell_footer(struct tool *t, const char *op, const char *image);
/* As tool_fail() but a warning: counted, the exit code becomes 3. */
void tool_warn(struct tool *t, const char *op, const char *image, const char *path, const char *fmt,
	       ...) TOOL_PRINTF(5, 6);
/* A warning that tells of no loss, so it isn't counted. */
void tool_note(struct tool *t, const char *op, const char *image, const char *fmt, ...)
	TOOL_PRINTF(4, 5);
/* A line for --verbose. */
void tool_verbose(struct tool *t, const char *fmt, ...) TOOL_PRINTF(2, 3);
/* fwrite() to stdout; false: give up, tool_finish() will tell. */
bool tool_out(struct tool *t, const void *data, size_t len);
/* Flush and check stdout; the final exit code. */
int tool_finish(struct tool *t, int code);

/* Losses of one kind, told in one line at the end ("... of N items (first: PATH)"). */
struct loss {
	const char *what;
	unsigned long count;
	char *first;
	char *cause;
};
void loss_add(struct tool *t, struct loss *loss, const char *path, const char *cause);
void loss_report(struct tool *t, struct loss *loss, const char *op, const char *image);
void loss_forget(struct loss *loss);

/*
 * What a thread had to say, kept until it is that work's turn: see queue.c. While a thread has a
 * report, all the functions above write there instead of telling.
 */
struct report_line {
	struct loss *loss; /* one of these, or a line for stderr */
	char *path;
	char *text;
	unsigned long count;
	bool warning;
};
struct report {
	struct report_line *lines;
	size_t count;
	size_t room;
};
/* Where this thread reports to from now on, NULL being stderr; what it was before. */
struct report *report_to(struct report *report);
/* Tell all that is in it, and leave it empty. */
void report_tell(struct tool *t, struct report *report);
void report_free(struct report *report);

/* For alloc_on_failure(). */
void tool_no_memory(void);
/* What to do before the program ends for want of memory; NULL: nothing. */
void tool_set_cleanup(void (*fn)(void *arg), void *arg);

/* What a command returns that was stopped by a signal; tool_finish() ends the program by it. */
int tool_interrupted(void);

/* ---- signals.c ---- */

/* SIGINT, SIGTERM, SIGHUP: set the number here and let the command end in order. */
extern atomic_int tool_signal;
void tool_catch_signals(void);
/* What the one that came is called. */
const char *tool_signal_name(void);
/* For what makes something: that nobody reads the progress is no reason to leave half of it. */
void tool_outlive_readers(void);
/* Is a signal there? For what wants to be told by a function. */
bool tool_stopped(void *ctx);

/* ---- progress.c ---- */

struct progress {
	struct tool *t;
	const char *what;
	bool on;
	bool json;
	bool shown;
	_Atomic uint64_t files; /* any thread may count */
	_Atomic uint64_t bytes;
	uint64_t total_files; /* 0: unknown */
	uint64_t next_ms;
	uint64_t start_ms;
};
void progress_start(struct progress *p, struct tool *t, const char *what);
/* Cheap; prints at most ten times a second, and on the main thread only. */
void progress_tick(struct progress *p);
void progress_end(struct progress *p);
double progress_seconds(const struct progress *p);
/* Take the line away before something else is written to stderr. */
void progress_clear(void);
/* An environment for what takes long: its phases are shown, and a signal stops it. */
struct cim_env progress_env(struct progress *p);

/* ---- worker.c: the threads of a queue ---- */

/* This thread is one from here on. */
void worker_begin(void);
bool worker_here(void);
/* Out of memory: one leaves the end to the main thread, which looks whether one has; that returns.
 */
void worker_no_memory(void);
bool worker_lacks_memory(void);

/* ---- queue.c: work for several threads, its results in order ---- */

/* What to do with a caller's piece of work. */
struct queue_ops {
	/* Do the work, on any thread; @own is that thread's own. NULL: nothing of it can be. */
	void (*run)(void *own, void *work);
	/* On the main thread, in the order of queue_put(): use the result and free it. */
	int (*finish)(void *ctx, void *work);
	/* Free it unused, whether it ran or not: something before it failed. */
	void (*drop)(void *work);
};

struct queue;
/*
 * @count: how many threads beside this one, 0: none, all is done in queue_put(); @own: for each (if
 * none, for this one) an element of @own_size bytes; @limit: how many pieces may wait.
 */
struct queue *queue_open(struct tool *t, const struct queue_ops *ops, void *ctx, void *own,
			 size_t own_size, unsigned count, size_t limit, struct progress *progress);
/*
 * Add a piece of work, which belongs to the queue from here on; @run: false if it is all in
 * finish(). Returns what a finish() failed with, of this piece or one before it.
 */
int queue_put(struct queue *queue, void *work, bool run);
/* The same for one that holds so many bytes that few should wait at once. */
int queue_put_large(struct queue *queue, void *work, bool run, size_t bytes);
/* Wait until all is finished. */
int queue_drain(struct queue *queue);
/*
 * Finish all and end the threads. @code: how the main thread fared, which comes after all work;
 * returns how the whole did.
 */
int queue_close(struct queue *queue, int code);
/* How many threads this run is to use, at least 1. */
unsigned tool_threads(const struct tool *t);
/* The count for a queue whose main thread has little to do: 0 if there is to be one thread. */
unsigned queue_threads(const struct tool *t);

/* ---- manifest.c ---- */

/* Compare the images beside a manifest with it; prints each difference. Returns an exit code. */
int tool_verify_manifest(struct tool *t, const char *file);

/* ---- text.c: names as text ---- */

/* A growing string. */
struct text {
	char *s;
	size_t len;
	size_t room;
};
void text_add(struct text *text, const char *s, size_t len);
void text_puts(struct text *text, const char *s);
void text_printf(struct text *text, const char *fmt, ...) TOOL_PRINTF(2, 3);
void text_hex(struct text *text, const void *data, size_t size);
char *hex_text(const void *data, size_t size);
void text_cut(struct text *text, size_t len);
void text_free(struct text *text);

/*
 * Names are shown as they are but for what would harm a terminal or a line-based file: a backslash
 * is "\\", control characters, DEL, U+0080..U+009F and bytes that are not UTF-8 (the three of an
 * unpaired surrogate) are "\xHH" each.
 */
enum escape_flags {
	ESCAPE_SPACE = 1,	  /* the space too */
	ESCAPE_SLASH = 2,	  /* '/' too: for one component */
	ESCAPE_BACKSLASH_NOT = 4, /* for a message: only what would harm */
};
void text_escape(struct text *text, const char *s, size_t len, unsigned flags);
void put_escaped(FILE *f, const char *s);
/* The same for a link's target, where a '\' is what it is on Windows. */
void put_target(FILE *f, const char *s);
/* Undo text_escape() into @text (appended); false if malformed. */
bool text_unescape(struct text *text, const char *s, size_t len);

char *base64_encode(const void *data, size_t len);
/* Appends to @text; false if malformed or not the canonical spelling. */
bool base64_decode(struct text *text, const char *s, size_t len);
/* "1.5 GiB" */
const char *size_text(uint64_t bytes, char *buf, size_t room);
/* The end of a word: "1 file", "2 files" */
static inline const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- times.c ---- */

#define TIME_TEXT 96
/* "2024-05-06T07:08:09.1234567Z"; a number for what has no such form (before 1601, after 9999) */
const char *filetime_text(int64_t t, char *buf);
/* The reverse, exactly; false if malformed. */
bool filetime_parse(const char *s, int64_t *t);
/* A time as a user writes it: @SECONDS, YYYY-MM-DD, YYYY-MM-DDTHH:MM:SS[.FRACTION]Z */
enum time_parsed {
	TIME_PARSED,
	TIME_MISSPELT,
	TIME_UNKNOWN /* to Windows: out of the range of its times */
};
enum time_parsed time_parse_user(const char *s, int64_t *t);
/* What the two failures are, for a message that begins with the time. */
const char *time_fault(enum time_parsed parsed);

/* ---- lines.c ---- */

struct lines {
	FILE *f;
	char *line; /* without its end, at which there is a NUL; there may be others */
	size_t len;
	unsigned long number; /* from 1 */
	bool whole;	      /* it had an end */
	bool failed;	      /* with errno, when there are no more */
	size_t room;
	bool begun;
	struct text decoded;
};
/* @file: "-" is stdin. false: errno. */
bool lines_open(struct lines *lines, const char *file);
bool lines_next(struct lines *lines);
void lines_close(struct lines *lines);

/* ---- exclude.c ---- */

struct exclude_pattern {
	char *given;
	char *text; /* the names lie in it */
	char **names;
	size_t count;
	bool negated;
	bool anchored;	/* matched with whole paths */
	bool directory; /* with directories only */
};
struct exclude {
	struct exclude_pattern *patterns;
	size_t count;
	size_t room;
};
/* The options that fill one. */
#define EXCLUDE_PATTERNS                                                                  \
	"GLOB means what it does in a .gitignore there: one with a '/' in front or "      \
	"within is a path, any other a name; '**' for names is any number of them, "      \
	"'dir/' is for directories only, '!' in front brings back. FILE has one a line, " \
	"in UTF-8, or in UTF-16 with its mark"
#define EXCLUDE_OPTIONS(type, member, about)                                                    \
	{.name = "exclude", .meta = "GLOB", .take = exclude_add, .at = offsetof(type, member)}, \
	{                                                                                       \
		.name = "exclude-from", .meta = "FILE", .take = exclude_from,                   \
		.at = offsetof(type, member), .help = about                                     \
	}
int exclude_add(void *tool, void *exclude, const struct arg_option *option, char *pattern);
/* One pattern a line, '#' begins a comment. */
int exclude_from(void *tool, void *exclude, const struct arg_option *option, char *file);
/* @path: names separated by '/', without one in front; @directory: it is one; @fold: ignore case */
bool excluded(const struct exclude *x, const char *path, bool directory, bool fold);
/* Is that a path through the tree's own name, which paths from its top don't hold? */
bool exclude_begins_with(const struct exclude_pattern *p, const char *source);
void exclude_free(struct exclude *x);

/* ---- windows.c: security descriptors, attributes, reparse tags in words ---- */

/* A descriptor in SDDL; false (and *text untouched) if it is not one. */
bool sddl_format(struct text *text, const uint8_t *sd, size_t size);
/* "RHSADPL": letters for READONLY HIDDEN SYSTEM ARCHIVE DIRECTORY sParse reparse(L), '-' for none
 */
const char *attribute_letters(uint32_t attributes, char buf[8]);
const char *reparse_tag_name(uint32_t tag);

/* ---- json.c ---- */

/* What a command that makes or changes something says of that begins with the command's name. */
json_t *json_summary(const struct tool *t);
/* A string member; bytes that aren't UTF-8 become U+FFFD and NAME_escaped tells what they were. */
void json_put_text(json_t *object, const char *key, const char *wtf8);
void json_put_int(json_t *object, const char *key, uint64_t value);
void json_put_bool(json_t *object, const char *key, bool value);
void json_put_time(json_t *object, const char *key, int64_t filetime);
void json_put_hex(json_t *object, const char *key, const void *data, size_t size);
/* @object becomes an element of an array member, which is made as needed. */
void json_append(json_t *into, const char *key, json_t *object);
/* Print an object on a line of its own and let go of it. */
void json_print(FILE *f, json_t *object);

/* ---- sources.c ---- */

/* image_path_of() for a command that reads an image; NULL, which is told, if it can't be read or is
 * a directory. */
char *tool_image_path(struct tool *t, const char *op, const char *path, int *code);
/* For the option --source. */
int take_source(void *tool, void *into, const struct arg_option *option, char *image);
/* One more, whose path the tool keeps; an exit code. */
int tool_add_source(struct tool *t, const char *image);
/* Those of the option: as named, to where they are; an exit code. */
int tool_find_sources(struct tool *t);
void tool_forget_sources(struct tool *t);

/* ---- open.c ---- */

/* An image's name as its directory has it, where the file system takes other spellings, too; @name
 * if it has none. Lives with the store or with @name. */
const char *tool_spelling(struct cim_store *store, const char *dir, const char *name);
/* The option of commands that open images by the functions below. */
#define SOURCE_OPTION                                                                       \
	{                                                                                   \
		.name = "source", .meta = "IMAGE", .take = take_source,                     \
		.help = "of a merged image (cimtool-merge(1)), one that it was made of: "   \
			"repeated for each of them, in any order, unless all are beside it" \
	}
/* And of those that take that for the one image that they are about. */
#define OPEN_OPTIONS                                                                          \
	SOURCE_OPTION,                                                                        \
	{                                                                                     \
		.name = "root-hash", .meta = "HEX", .take = take_root_hash,                   \
		.help = "the image's container is sealed (cimtool-seal(1)), and this is its " \
			"root hash: nothing but what was sealed is read"                      \
	}
int take_root_hash(void *tool, void *into, const struct arg_option *option, char *hex);
/* What the option said; NULL: nothing. */
const uint8_t *tool_root_hash(const struct tool *t);
/* Of several images none was a merged one, but sources were named: that is told; an exit code. */
int tool_check_sources(struct tool *t);
/* By errno, or for the path goes on behind an image's. */
int tool_fail_path(struct tool *t, const char *op, const char *path);
/* Nothing in its directory or container is an image of that name. @path: where it should be. */
int tool_fail_no_image(struct tool *t, const char *op, const char *image, const char *path);
/* Open an image, one that is merged with the sources that were named. Any other is CIM_E_INVALID
 * then, unless it is one of several. */
enum cim_status tool_open_as(struct tool *t, const struct cim_env *env, const char *path,
			     struct cim_image **image, struct cim_error *err);
/* That failed: say why, and which of the images it is about. */
int tool_fail_open(struct tool *t, const char *op, const char *image, const struct cim_error *err);
/* The same, or say why not; *code receives the exit code then. */
struct cim_image *tool_open(struct tool *t, const char *path, int *code);
/* Look up a path in an image; @stream: it may end in that of a stream (NULL: it may not). */
int tool_lookup(struct tool *t, struct cim_image *image, const char *name, const char *path,
		uint32_t *id, struct cim_str *stream);

/* One of the paths that a command was called with. */
struct tool_path {
	struct tool *t;
	struct cim_image *image;
	const char *name; /* of the image */
	const char *path; /* as the user wrote it */
	bool shown;	  /* has @one succeeded before? */
};
/* The whole of a command "IMAGE PATH..." without options but these: @one does a path. Goes on
 * after a failure, whose exit code it returns at the end. */
int tool_each_path(struct tool *t, int argc, char **argv, int (*one)(const struct tool_path *));

/* ---- container.c: a VHD footer behind a container goes when somebody writes there ---- */

#define VHD_COOKIE "conectix"
struct footer {
	const char *place; /* the container */
	bool found;
	off_t at;
};
/* Before it is opened to be written; and tell of it then. */
void footer_look(struct footer *footer, const char *place);
void footer_tell(struct tool *t, const char *op, const char *image, struct footer *footer);

/* ---- marks.c ---- */

/* What an item is marked as; "": nothing. */
const char *mark_name(uint32_t marks);
/* The same in a letter behind those of the attributes: T, M, B, O; "". */
const char *mark_letter(uint32_t marks);
/* Where a merge link leads, '\\' between names, allocated; NULL: it can't be read. @budget: of a
 * traversal; NULL: it is none. */
char *merge_link_target(struct cim_image *image, struct cim_budget *budget,
			const struct cim_file_info *file, struct cim_error *err);

/* ---- containerinfo.c ---- */

/* cimtool info of a container */
int container_info(struct tool *t, const char *path);
/* Is an image in a sealed container? */
bool image_is_sealed(const char *image);

/* ---- dumpstruct.c ---- */

/* cimtool dump --struct, or --raw */
int dump_structures(struct tool *t, const char *name, bool raw);

#endif
