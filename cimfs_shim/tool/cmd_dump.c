/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_dump.c - cimtool dump: all that an image holds, as text
 *
 * The format, version 1 (fromdump.c reads it). A file of lines, each ended by a newline; fields are
 * separated by one space; the first line is "cim-dump 1". Then one line an item or stream, in the
 * order in which a writer gets them: a directory before what is in it, entries by upcased name, an
 * item's streams right after it, by upcased name too.
 *
 *   directory PATH flags=HEX created=TIME written=TIME changed=TIME accessed=TIME security=BLOB
 *             [ea=BLOB] [reparse=BLOB]
 *   file PATH ...the same... size=N data=DATA
 *   stream PATH name=NAME size=N data=DATA
 *   link PATH to=PATH        one more name of a file that came before
 *
 * PATH and NAME: UTF-8; components are separated, and a path begins, with '/'. Escaped are, byte
 * for byte as \xHH (capital digits): space, '/' in a name, control characters (U+0000..1F, 7F..9F),
 * and the three bytes of an unpaired surrogate; a backslash is "\\". Nothing else is, so that each
 * name has one spelling. flags: the record's flag word as stored, 0x and lower-case digits: 1
 * read-only, 2 hidden, 4 system, 8 archive, 0x10 sparse. TIME: YYYY-MM-DDTHH:MM:SS.fffffffZ, or the
 * number of 100 ns since 1601 if before that or after 9999. BLOB: base64, or "none". DATA: "sparse"
 * (all zero, nothing stored); "base64:..." below 4096 bytes; else "sha256:HEX", the bytes being in
 * the file HEX in --data DIR.
 *
 * Not in it: FileIDs, offsets, GUIDs, versions, how data are shared or whether a PE file is
 * expanded. All that, and nothing but that, is what --struct and --raw show: dumpstruct.c.
 */
#include "sha256.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define INLINE_LIMIT 4096u
#define BUFFER	     (4u << 20)

/* What waits in the queue: so many items with so much text each. */
#define QUEUED	  256
#define WAIT_TEXT 65536u

/*
 * What all threads share: the text of each content that many files may have, by its number in the
 * budget. Nothing in it is large, and it ends with the dump.
 */
struct contents {
	struct cim_budget *budget;
	pthread_mutex_t lock;
	struct content {
		char *text;
		uint64_t size; /* of the stream: another one's may be a PE image at this place */
	} * known;
	size_t room;
};

/* The text of the blob that came last: many items in a row have the same. */
struct last_blob {
	struct cim_place place;
	char *text;
};

/* What is dumped, and one thread's means for it. */
struct dump {
	struct tool *t;
	struct cim_image *image;
	const char *name;
	const char *data_label;
	int data_dir; /* -1: hashes only */
	struct progress *progress;
	unsigned number; /* of the thread */
	struct piece *piece;
	struct text line;
	uint8_t *buf;
	struct sha256 *hash;
	struct contents *contents;
	struct last_blob last[3]; /* by enum cim_blob */
};

/* An item as work for the queue (queue.c), and its lines. */
struct piece {
	struct tree_item item; /* with its own strings, without the name */
	struct text text;
	bool too_long; /* for a text that waits: to be made when it is its turn */
	int code;
};

static int fail_read(struct dump *d, const char *path, struct cim_error *err)
{
	char *plain = tree_plain(path);
	int code = tool_fail_at(d->t, "dump", d->name, plain, err);

	free(plain);
	return code;
}

/* ---- data ---- */

static int fail_data(struct dump *d, const char *file)
{
	char *path = xasprintf("%s/%s", d->data_label, file);
	int code = tool_fail_errno(d->t, "dump", d->name, path);

	free(path);
	return code;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR && !tool_signal)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Bytes of a stream into the hash, or, with @fd, into a file. @len: those read last, in d->buf. */
static int pump(struct dump *d, const char *path, const struct cim_data *data, int fd)
{
	struct cim_error err = {0};
	uint64_t offset = 0;
	size_t got;

	while (offset < data->size) {
		if (tool_signal)
			return tool_interrupted();
		if (cim_image_read(d->image, data, offset, d->buf, BUFFER, &got, &err))
			return fail_read(d, path, &err);
		if (!got)
			break;
		if (fd < 0)
			sha256_add(d->hash, d->buf, got);
		else if (write_all(fd, d->buf, got))
			return tool_signal ? tool_interrupted() : fail_data(d, "");
		offset += got;
		d->progress->bytes += fd < 0 ? got : 0;
		progress_tick(d->progress);
	}
	return EXIT_OK;
}

/* Have the data in the file @hash, whole or not at all. */
static int store_data(struct dump *d, const char *path, const struct cim_data *data,
		      const char *hash)
{
	char temporary[64];
	struct stat st;
	int code = EXIT_OK;
	int fd;

	if (d->data_dir < 0 || (!fstatat(d->data_dir, hash, &st, AT_SYMLINK_NOFOLLOW) &&
				S_ISREG(st.st_mode) && (uint64_t)st.st_size == data->size))
		return EXIT_OK;
	snprintf(temporary, sizeof(temporary), ".cimtool-%ld-%u", (long)getpid(), d->number);
	unlinkat(d->data_dir, temporary, 0);
	fd = openat(d->data_dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return fail_data(d, temporary);
	/* What was hashed just now is still in the buffer if it fitted. */
	if (data->size > BUFFER)
		code = pump(d, path, data, fd);
	else if (write_all(fd, d->buf, data->size))
		code = tool_signal ? tool_interrupted() : fail_data(d, hash);
	if (close(fd) && !code)
		code = fail_data(d, hash);
	if (!code && renameat(d->data_dir, temporary, d->data_dir, hash))
		code = fail_data(d, hash);
	if (code)
		unlinkat(d->data_dir, temporary, 0);
	return code;
}

/* *text: what the content of a stream of @size bytes at a place was found to be; NULL: not known
 * yet.
 */
static int known_text(struct dump *d, const char *path, const struct cim_place *place,
		      uint64_t size, uint32_t *number, const char **text)
{
	struct contents *contents = d->contents;
	struct content known = {0};
	struct cim_error err = {0};
	bool again;

	*text = NULL;
	if (cim_budget_once(contents->budget, place, number, &again, &err))
		return fail_read(d, path, &err);
	if (!again)
		return EXIT_OK;
	pthread_mutex_lock(&contents->lock);
	if (*number < contents->room)
		known = contents->known[*number];
	pthread_mutex_unlock(&contents->lock);
	if (!known.text || known.size == size)
		*text = known.text;
	else if (cim_budget_spend(contents->budget, place, &err))
		return fail_read(d, path, &err);
	return EXIT_OK;
}

static void keep_text(struct dump *d, uint32_t number, uint64_t size, const char *text)
{
	struct contents *contents = d->contents;

	if (number == CIM_NOT_COUNTED)
		return;
	pthread_mutex_lock(&contents->lock);
	if (number >= contents->room) {
		size_t room = ((size_t)number + 1) * 2;

		contents->known = xrealloc(contents->known, room * sizeof(*contents->known));
		memset(contents->known + contents->room, 0,
		       (room - contents->room) * sizeof(*contents->known));
		contents->room = room;
	}
	/* Two threads may have found it out. */
	if (!contents->known[number].text)
		contents->known[number] = (struct content){xstrdup(text), size};
	pthread_mutex_unlock(&contents->lock);
}

/* What stands behind "data=". */
static int put_content(struct dump *d, const char *path, const struct cim_data *data)
{
	unsigned char digest[SHA256_BYTES];
	struct cim_error err = {0};
	char *hash;
	size_t got = 0;
	int code;

	if (data->sparse && data->size) {
		text_puts(&d->line, "sparse");
		return EXIT_OK;
	}
	if (data->size < INLINE_LIMIT) {
		char *text;

		if (data->size && cim_image_read(d->image, data, 0, d->buf, data->size, &got, &err))
			return fail_read(d, path, &err);
		text = base64_encode(d->buf, got);
		text_puts(&d->line, "base64:");
		text_puts(&d->line, text);
		free(text);
		return EXIT_OK;
	}
	sha256_begin(d->hash);
	code = pump(d, path, data, -1);
	if (code)
		return code;
	if (!sha256_end(d->hash, digest))
		return tool_fail(d->t, "dump", d->name, path, "SHA-256 fails");
	hash = hex_text(digest, SHA256_BYTES);
	text_puts(&d->line, "sha256:");
	text_puts(&d->line, hash);
	code = store_data(d, path, data, hash);
	free(hash);
	return code;
}

/* A stream's, or, @data NULL, the default one's: that of a PE image is not even to be looked for,
 * if its content is known. */
static int put_data(struct dump *d, const struct tree_item *item, const struct cim_data *data)
{
	struct cim_data own = {CIM_SIZED(own)};
	struct cim_error err = {0};
	struct cim_place place;
	const uint64_t size = data ? data->size : item->info.size;
	const char *text;
	uint32_t number;
	size_t start;
	int code;

	text_printf(&d->line, " size=%llu data=", (unsigned long long)size);
	start = d->line.len;
	if (data ? cim_data_place(d->image, data, &place, &err)
		 : cim_file_place(d->image, &item->info, CIM_PART_DATA, &place, &err))
		return fail_read(d, item->path, &err);
	code = known_text(d, item->path, &place, size, &number, &text);
	if (code || text) {
		text_puts(&d->line, text ? text : "");
		return code;
	}
	if (!data &&
	    cim_image_get_file_data(d->image, &item->info, (struct cim_str){0}, &own, &err))
		return fail_read(d, item->path, &err);
	code = put_content(d, item->path, data ? data : &own);
	if (!code)
		keep_text(d, number, size, d->line.s + start);
	return code;
}

/* ---- lines ---- */

/* The text of a blob into the cache, unless it is there. */
static int load_blob(struct dump *d, const struct tree_item *item, enum cim_blob which,
		     const struct cim_place *place)
{
	struct last_blob *last = &d->last[which];
	struct cim_error err = {0};
	struct blob blob;
	uint32_t number;
	bool again;

	if (last->text && last->place.offset == place->offset && last->place.bytes == place->bytes)
		return EXIT_OK;
	if (cim_budget_once(d->contents->budget, place, &number, &again, &err) ||
	    blob_read(d->image, &item->info, which, &blob, &err))
		return fail_read(d, item->path, &err);
	free(last->text);
	last->text = base64_encode(blob.data, blob.size);
	last->place = *place;
	blob_free(&blob);
	return EXIT_OK;
}

static int put_blob(struct dump *d, const struct tree_item *item, const char *key,
		    enum cim_blob which, bool always)
{
	struct cim_error err = {0};
	struct cim_place place;
	int code;

	if (cim_file_place(d->image, &item->info, (enum cim_part)which, &place, &err))
		return fail_read(d, item->path, &err);
	if (!place.bytes) {
		if (always)
			text_printf(&d->line, " %s=none", key);
		return EXIT_OK;
	}
	code = load_blob(d, item, which, &place);
	if (code)
		return code;
	text_printf(&d->line, " %s=", key);
	text_puts(&d->line, d->last[which].text);
	return EXIT_OK;
}

static void put_time(struct dump *d, const char *key, int64_t t)
{
	char text[TIME_TEXT];

	text_printf(&d->line, " %s=%s", key, filetime_text(t, text));
}

/* Is it more than may wait? Then it is made when it is its turn. */
static bool put_off(struct dump *d)
{
	if (worker_here() && (d->line.len > WAIT_TEXT || d->piece->text.len > WAIT_TEXT))
		d->piece->too_long = true;
	return d->piece->too_long;
}

static void print_line(struct dump *d)
{
	text_puts(&d->line, "\n");
	if (!worker_here())
		tool_out(d->t, d->line.s, d->line.len);
	else if (!put_off(d))
		text_add(&d->piece->text, d->line.s, d->line.len);
}

static int dump_stream(struct dump *d, const struct tree_item *item,
		       const struct tree_stream *stream)
{
	char *name = tree_stream_text(stream);
	int code;

	text_cut(&d->line, 0);
	text_puts(&d->line, "stream ");
	text_puts(&d->line, item->path);
	text_puts(&d->line, " name=");
	text_puts(&d->line, name);
	free(name);
	code = put_data(d, item, &stream->data);
	if (!code)
		print_line(d);
	return code;
}

static int dump_streams(struct dump *d, const struct tree_item *item)
{
	struct tree_streams streams;
	int code;

	if (!item->info.has_streams)
		return EXIT_OK;
	code = tree_streams(d->t, d->image, d->name, &item->info, &streams);
	for (size_t i = 0; i < streams.count && !code && !d->piece->too_long; i++)
		code = dump_stream(d, item, &streams.at[i]);
	tree_streams_free(&streams);
	return code;
}

/* A path with '\\' between its names as one of a dump. */
static void put_target_path(struct dump *d, const char *target)
{
	while (*target) {
		size_t len = strcspn(target, "\\");

		text_puts(&d->line, "/");
		text_escape(&d->line, target, len, ESCAPE_SPACE | ESCAPE_SLASH);
		target += len;
		target += *target != '\0';
	}
}

/* What is hidden has a line of its own kind. */
static int dump_hidden(struct dump *d, const struct tree_item *item)
{
	const bool is_link = item->info.marks & CIM_MARK_MERGE_LINK;
	struct cim_error err = {0};
	char *target;

	text_puts(&d->line, is_link				      ? "merge-link "
			    : (item->info.marks & CIM_MARK_TOMBSTONE) ? "tombstone "
								      : "bare ");
	text_puts(&d->line, item->path);
	if (is_link) {
		target = merge_link_target(d->image, d->contents->budget, &item->info, &err);
		if (!target)
			return fail_read(d, item->path, &err);
		text_puts(&d->line, " to=");
		put_target_path(d, target);
		free(target);
	}
	print_line(d);
	return EXIT_OK;
}

static int put_metadata(struct dump *d, const struct tree_item *item)
{
	const struct cim_file_info *info = &item->info;
	int code;

	text_puts(&d->line, info->is_directory ? "directory " : "file ");
	text_puts(&d->line, item->path);
	text_printf(&d->line, " flags=0x%x", info->flags);
	put_time(d, "created", info->creation_time);
	put_time(d, "written", info->last_write_time);
	put_time(d, "changed", info->change_time);
	put_time(d, "accessed", info->last_access_time);
	code = put_blob(d, item, "security", CIM_BLOB_SECURITY, true);
	if (!code)
		code = put_blob(d, item, "ea", CIM_BLOB_EA, false);
	if (!code)
		code = put_blob(d, item, "reparse", CIM_BLOB_REPARSE, false);
	if (info->marks)
		text_puts(&d->line, " mark=opaque");
	return code;
}

static int dump_item(struct dump *d, const struct tree_item *item)
{
	int code;

	text_cut(&d->line, 0);
	if (item->info.marks & ~CIM_MARK_OPAQUE)
		return dump_hidden(d, item);
	if (item->first) {
		text_puts(&d->line, "link ");
		text_puts(&d->line, item->path);
		text_puts(&d->line, " to=");
		text_puts(&d->line, item->first);
		print_line(d);
		return EXIT_OK;
	}
	code = put_metadata(d, item);
	if (code || put_off(d))
		return code;
	if (!item->info.is_directory)
		code = put_data(d, item, NULL);
	if (code)
		return code;
	print_line(d);
	return dump_streams(d, item);
}

/* ---- the queue ---- */

static void dump_piece(void *own, void *work)
{
	struct dump *d = own;

	d->piece = work;
	d->piece->code = dump_item(d, &d->piece->item);
}

static void drop_piece(void *work)
{
	struct piece *piece = work;

	free((char *)piece->item.path);
	free((char *)piece->item.first);
	text_free(&piece->text);
	free(piece);
}

/* @ctx: a struct dump of the main thread */
static int print_piece(void *ctx, void *work)
{
	struct dump *d = ctx;
	struct piece *piece = work;
	int code;

	if (piece->too_long) {
		piece->too_long = false;
		dump_piece(d, work);
	} else if (piece->text.len) {
		tool_out(d->t, piece->text.s, piece->text.len);
	}
	code = piece->code;
	d->progress->files++;
	progress_tick(d->progress);
	drop_piece(work);
	return code;
}

static const struct queue_ops queue_ops = {
	.run = dump_piece,
	.finish = print_piece,
	.drop = drop_piece,
};

static struct piece *new_piece(const struct tree_item *item)
{
	struct piece *piece = xcalloc(1, sizeof(*piece));

	piece->item = *item;
	piece->item.name = NULL;
	piece->item.path = xstrdup(item->path);
	piece->item.first = item->first ? xstrdup(item->first) : NULL;
	return piece;
}

static int dump(struct dump *d, struct queue *queue)
{
	const struct tree_item *item;
	struct tree *tree;
	int code;

	tree = tree_open(d->t, d->image, d->name, &code);
	if (!tree)
		return code;
	puts("cim-dump 1");
	while ((item = tree_next(tree, &code)) != NULL) {
		code = queue_put_large(queue, new_piece(item), true,
				       strlen(item->path) +
					       (item->first ? strlen(item->first) : 0));
		if (!code && tool_signal)
			code = tool_interrupted();
		if (code || ferror(stdout))
			break;
	}
	tree_close(tree);
	return code;
}

/* With as many threads as there may be, each with its own buffer and hash. */
static int dump_by_threads(struct dump *d)
{
	unsigned count = tool_threads(d->t);
	struct dump *dumps = xcalloc(count + 1, sizeof(*dumps));
	struct contents contents = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct cim_error err = {0};
	struct queue *queue;
	int code = EXIT_OK;

	if (cim_budget_open(d->image, &contents.budget, &err))
		code = tool_fail_cim(d->t, "dump", d->name, &err);
	d->contents = &contents;
	for (unsigned i = 0; i <= count; i++) {
		dumps[i] = *d;
		dumps[i].number = i;
		dumps[i].buf = xmalloc(BUFFER);
		dumps[i].hash = sha256_new();
		if (!dumps[i].hash)
			code = tool_fail(d->t, "dump", d->name, NULL, "no SHA-256");
	}
	if (!code) {
		queue = queue_open(d->t, &queue_ops, dumps, dumps + 1, sizeof(*dumps),
				   queue_threads(d->t), QUEUED, d->progress);
		code = queue_close(queue, dump(d, queue));
	}
	for (unsigned i = 0; i <= count; i++) {
		sha256_free(dumps[i].hash);
		text_free(&dumps[i].line);
		free(dumps[i].buf);
		for (size_t k = 0; k < sizeof(dumps[i].last) / sizeof(dumps[i].last[0]); k++)
			free(dumps[i].last[k].text);
	}
	for (size_t i = 0; i < contents.room; i++)
		free(contents.known[i].text);
	free(contents.known);
	cim_budget_close(contents.budget);
	free(dumps);
	return code;
}

static int open_data(struct dump *d, const char *dir)
{
	d->data_dir = -1;
	d->data_label = dir;
	if (!dir)
		return EXIT_OK;
	if (mkdir(dir, 0777) && errno != EEXIST)
		return tool_fail_errno(d->t, "dump", d->name, dir);
	d->data_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->data_dir < 0)
		return tool_fail_errno(d->t, "dump", d->name, dir);
	tool_catch_signals();
	tool_outlive_readers();
	return EXIT_OK;
}

static int dump_contents(struct tool *t, const char *name, const char *dir)
{
	struct progress progress;
	struct dump d = {.t = t, .name = name, .progress = &progress};
	int code;

	t->show_marked = true;
	d.image = tool_open(t, name, &code);
	if (!d.image)
		return code;
	progress_start(&progress, t, "dump");
	code = open_data(&d, dir);
	if (!code)
		code = dump_by_threads(&d);
	progress_end(&progress);
	if (d.data_dir >= 0)
		close(d.data_dir);
	cim_image_close(d.image);
	return code;
}

struct dump_options {
	const char *data_dir;
	bool fields;
	bool raw;
};

static const struct arg_option options[] = {
	{.name = "data",
	 .meta = "DIR",
	 ARG_SETS(struct dump_options, data_dir),
	 .help = "write the data that are too large for the text into DIR, a file for each "
		 "content, named by its SHA-256; what is there is kept"},
	{.name = "struct",
	 ARG_SETS(struct dump_options, fields),
	 .help = "instead, for debugging: each structure of the image as it lies in its "
		 "files, with its place and its fields"},
	{.name = "raw",
	 ARG_SETS(struct dump_options, raw),
	 .help = "the same with its bytes in place of its fields"},
	OPEN_OPTIONS,
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct dump_options o = {0};
	int code = tool_args(t, argc, argv, &o, 1, 1, "IMAGE is missing");

	if (code)
		return code;
	if (t->json)
		return tool_usage(t, "a dump is text; there is no JSON form");
	if (o.raw + o.fields + (o.data_dir != NULL) > 1)
		return tool_usage(t, "--data, --raw and --struct exclude each other");
	if (o.raw || o.fields)
		return dump_structures(t, argv[optind], o.raw);
	return dump_contents(t, argv[optind], o.data_dir);
}

const struct command cmd_dump = {
	.name = "dump",
	.usage = "[OPTION]... IMAGE",
	.summary = "write all that an image holds as text",
	.about = "Writes a canonical text to standard output: images that hold the same give the "
		 "same text, and \"cimtool create --from-dump\" makes an image from it whose dump "
		 "is equal.",
	.notes = "The format: the first line is \"cim-dump 1\", the others are fields separated by "
		 "a "
		 "space.\n"
		 "\n"
		 "  directory PATH flags=HEX created=TIME written=TIME changed=TIME accessed=TIME\n"
		 "            security=BLOB [ea=BLOB] [reparse=BLOB] [mark=opaque]\n"
		 "  file PATH (the same) size=N data=DATA\n"
		 "  stream PATH name=NAME size=N data=DATA    an alternate stream of the item "
		 "above\n"
		 "  link PATH to=PATH                         one more name of a file above\n"
		 "  tombstone PATH                            hides what images below have\n"
		 "  merge-link PATH to=PATH                   a hard link to what is there when "
		 "merged\n"
		 "  bare PATH                                 a directory of nothing but these\n"
		 "\n"
		 "A directory comes before what is in it, entries are sorted by upcased name. In "
		 "names a backslash is \\\\, and space, control characters, '/' and unpaired "
		 "surrogates are \\xHH for each byte. flags is the stored word: 1 read-only, 2 "
		 "hidden, 4 system, 8 archive, 0x10 sparse. TIME is UTC, or a number of 100 ns "
		 "since 1601 before 1601 and after 9999. BLOB is base64 or \"none\". DATA is "
		 "\"sparse\" (all zero, nothing stored), \"base64:...\" for less than 4096 bytes, "
		 "or \"sha256:HEX\".\n"
		 "\n"
		 "--struct and --raw: a line for each structure, what belongs to it is indented:\n"
		 "\n"
		 "  KIND [of PATH (FileID N)]: at REGION:OFFSET, SIZE bytes\n"
		 "    +OFFSET FIELD VALUE                     --struct; OFFSET in the structure\n"
		 "    +OFFSET [N] FIELD=VALUE FIELD=VALUE...  --struct; element N of an array\n"
		 "    OFFSET  BYTES  |TEXT|                   --raw; OFFSET in the file\n"
		 "  error: KIND...: CAUSE                     what can't be read, and why\n"
		 "\n"
		 "In this order: the image header with the region sets; of each region file and "
		 "object ID file the header, and the object IDs; filesystem object and file table "
		 "directory; the tree from its root, of each item its record, security descriptor, "
		 "extended attributes, reparse data, stream table, PE images, link table; records "
		 "that the root doesn't lead to, by FileID and without a path; the upcase table. "
		 "What several items share stands with the first; of a "
		 "path longer than 2048 bytes its end is shown, behind \"...\". REGION is an index "
		 "among all "
		 "regions, parents first, OFFSET is hexadecimal; fields that point to a structure "
		 "hold REGION:OFFSET too. In an image header or an object ID file the place is "
		 "\"OFFSET of FILE\". Fields are called as in the description of the format. A "
		 "descriptor is shown as SDDL if it is valid, the upcase table as FIRST-LAST[/2] "
		 "+N: each (or every second) unit and what is added to it. The data of files are "
		 "not shown. What is broken doesn't stop it: all that can be decoded is shown, "
		 "also of an image that can't be opened; the first error is told again at the end, "
		 "and the exit status is 4, or 5 where it is an unknown version.",
	.options = options,
	.run = run,
};
