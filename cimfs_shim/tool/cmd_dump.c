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
 * expanded.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#define INLINE_LIMIT 4096u
#define BUFFER	     (4u << 20)

enum {
	OPT_DATA = OPT_OWN,
};

struct dump {
	struct tool *t;
	struct cim_image *image;
	const char *name;
	const char *data_label;
	int data_dir; /* -1: hashes only */
	struct text line;
	uint8_t *buf;
	EVP_MD_CTX *md;
	struct progress progress;
};

static int fail_read(struct dump *d, const char *path, struct cim_error *err)
{
	char *plain = tree_plain(path);

	snprintf(err->path, sizeof(err->path), "%s", plain);
	free(plain);
	return tool_fail_cim(d->t, "dump", d->name, err);
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
			EVP_DigestUpdate(d->md, d->buf, got);
		else if (write_all(fd, d->buf, got))
			return tool_signal ? tool_interrupted() : fail_data(d, "");
		offset += got;
		d->progress.bytes += fd < 0 ? got : 0;
		progress_tick(&d->progress);
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
	snprintf(temporary, sizeof(temporary), ".cimtool-%ld", (long)getpid());
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

static int put_data(struct dump *d, const char *path, const struct cim_data *data)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct cim_error err = {0};
	char hash[65];
	size_t got;
	int code;

	text_printf(&d->line, " size=%llu data=", (unsigned long long)data->size);
	if (data->sparse && data->size) {
		text_puts(&d->line, "sparse");
		return EXIT_OK;
	}
	if (data->size < INLINE_LIMIT) {
		char *text;

		got = 0;
		if (data->size && cim_image_read(d->image, data, 0, d->buf, data->size, &got, &err))
			return fail_read(d, path, &err);
		text = base64_encode(d->buf, got);
		text_puts(&d->line, "base64:");
		text_puts(&d->line, text);
		free(text);
		return EXIT_OK;
	}
	EVP_DigestInit_ex(d->md, EVP_sha256(), NULL);
	code = pump(d, path, data, -1);
	if (code)
		return code;
	EVP_DigestFinal_ex(d->md, digest, NULL);
	for (size_t i = 0; i < 32; i++)
		snprintf(hash + i * 2, 3, "%02x", digest[i]);
	text_puts(&d->line, "sha256:");
	text_puts(&d->line, hash);
	return store_data(d, path, data, hash);
}

/* ---- lines ---- */

static int put_blob(struct dump *d, const struct tree_item *item, const char *key,
		    enum cim_blob which, bool always)
{
	struct cim_error err = {0};
	struct blob blob;

	if (blob_read(d->image, item->info.file_id, which, &blob, &err))
		return fail_read(d, item->path, &err);
	if (blob.size) {
		char *text = base64_encode(blob.data, blob.size);

		text_printf(&d->line, " %s=", key);
		text_puts(&d->line, text);
		free(text);
	} else if (always) {
		text_printf(&d->line, " %s=none", key);
	}
	blob_free(&blob);
	return EXIT_OK;
}

static void put_time(struct dump *d, const char *key, int64_t t)
{
	char text[TIME_TEXT];

	text_printf(&d->line, " %s=%s", key, filetime_text(t, text));
}

static void print_line(struct dump *d)
{
	text_puts(&d->line, "\n");
	tool_out(d->t, d->line.s, d->line.len);
}

static int dump_streams(struct dump *d, const struct tree_item *item)
{
	struct tree_stream *streams;
	size_t count;
	int code;

	if (!item->info.has_streams)
		return EXIT_OK;
	code = tree_streams(d->t, d->image, d->name, item->info.file_id, &streams, &count);
	for (size_t i = 0; i < count && !code; i++) {
		text_cut(&d->line, 0);
		text_puts(&d->line, "stream ");
		text_puts(&d->line, item->path);
		text_puts(&d->line, " name=");
		text_puts(&d->line, streams[i].text);
		code = put_data(d, item->path, &streams[i].data);
		if (!code)
			print_line(d);
	}
	tree_streams_free(streams, count);
	return code;
}

static int dump_item(struct dump *d, const struct tree_item *item)
{
	const struct cim_file_info *info = &item->info;
	struct cim_error err = {0};
	struct cim_data data;
	int code;

	text_cut(&d->line, 0);
	if (item->first) {
		text_puts(&d->line, "link ");
		text_puts(&d->line, item->path);
		text_puts(&d->line, " to=");
		text_puts(&d->line, item->first);
		print_line(d);
		return EXIT_OK;
	}
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
	if (!code && !info->is_directory) {
		if (cim_image_get_data(d->image, info->file_id, (struct cim_str){0}, &data, &err))
			code = fail_read(d, item->path, &err);
		else
			code = put_data(d, item->path, &data);
	}
	if (code)
		return code;
	print_line(d);
	return dump_streams(d, item);
}

static int dump(struct dump *d)
{
	const struct tree_item *item;
	struct tree *tree;
	int code;

	tree = tree_open(d->t, d->image, d->name, &code);
	if (!tree)
		return code;
	puts("cim-dump 1");
	while ((item = tree_next(tree, &code)) != NULL) {
		code = dump_item(d, item);
		d->progress.files++;
		progress_tick(&d->progress);
		if (!code && tool_signal)
			code = tool_interrupted();
		if (code || ferror(stdout))
			break;
	}
	tree_close(tree);
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
	return EXIT_OK;
}

static int run(struct tool *t, int argc, char **argv)
{
	static const struct option longs[] = {
		COMMON_LONGS,
		{"data", required_argument, NULL, OPT_DATA},
		{0},
	};
	struct dump d = {.t = t};
	const char *dir = NULL;
	int code;
	int c;

	while ((c = tool_getopt(t, argc, argv, "", longs)) != -1) {
		if (c != OPT_DATA)
			return EXIT_USAGE;
		dir = optarg;
	}
	if (t->json)
		return tool_usage(t, "a dump is text; there is no JSON form");
	if (argc - optind != 1)
		return tool_usage(t, "%s",
				  optind == argc ? "IMAGE is missing" : "too many arguments");
	d.name = argv[optind];
	d.image = tool_open(t, d.name, &code);
	if (!d.image)
		return code;
	d.buf = xmalloc(BUFFER);
	d.md = EVP_MD_CTX_new();
	progress_start(&d.progress, t, "dump");
	code = d.md ? open_data(&d, dir) : tool_fail(t, "dump", d.name, NULL, "no SHA-256");
	if (!code)
		code = dump(&d);
	progress_end(&d.progress);
	if (d.data_dir >= 0)
		close(d.data_dir);
	EVP_MD_CTX_free(d.md);
	text_free(&d.line);
	free(d.buf);
	cim_image_close(d.image);
	return code;
}

const struct command cmd_dump = {
	.name = "dump",
	.usage = "[OPTION]... IMAGE",
	.summary = "write all that an image holds as text",
	.help = "Writes a canonical text to standard output: images that hold the same give the\n"
		"same text, and \"cimtool create --from-dump\" makes an image from it whose dump\n"
		"is equal.\n"
		"\n"
		"      --data=DIR       write the data that are too large for the text into DIR,\n"
		"                       a file for each content, named by its SHA-256; what is\n"
		"                       there is kept\n"
		"\n"
		"There is no --struct or --raw: what is shown is what an image holds, not how its\n"
		"records lie in its files.\n"
		"\n"
		"The format: lines of fields separated by a space; the first line is\n"
		"\"cim-dump 1\".\n"
		"\n"
		"  directory PATH flags=HEX created=TIME written=TIME changed=TIME accessed=TIME\n"
		"            security=BLOB [ea=BLOB] [reparse=BLOB]\n"
		"  file PATH (the same) size=N data=DATA\n"
		"  stream PATH name=NAME size=N data=DATA      an alternate stream of the item "
		"above\n"
		"  link PATH to=PATH                         one more name of a file above\n"
		"\n"
		"A directory comes before what is in it, entries are sorted by upcased name. In\n"
		"names a backslash is \\\\, and space, control characters, '/' and unpaired\n"
		"surrogates are \\xHH for each byte. flags is the stored word: 1 read-only, 2\n"
		"hidden, 4 system, 8 archive, 0x10 sparse. TIME is UTC, or a number of 100 ns\n"
		"since 1601 before 1601 and after 9999. BLOB is base64 or \"none\". DATA is\n"
		"\"sparse\" (all zero, nothing stored), \"base64:...\" for less than 4096 bytes, "
		"or\n"
		"\"sha256:HEX\".\n",
	.run = run,
};
