/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c - "-o" of cimfs-mount and mount.cimfs
 *
 * mount(8) hands everything of an fstab line to the helper, so the words that mean something to
 * mount alone are taken and passed over, "rw" included, which it adds by itself: a mount here is
 * read-only whatever is asked.
 */
#include "mount.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int take_log(void *options, void *into, const struct arg_option *option, char *file);
static int take_id(void *options, void *into, const struct arg_option *option, char *number);
static int take_mask(void *options, void *into, const struct arg_option *option, char *number);
static int take_kernel(void *options, void *into, const struct arg_option *option, char *value);
static int take_source(void *options, void *into, const struct arg_option *option, char *image);
static int take_root_hash(void *options, void *into, const struct arg_option *option, char *hash);

/* What is the kernel's or FUSE's; and what means something to mount(8) alone. */
#define FOR_KERNEL(text)                            \
	{                                           \
		.name = (text), .take = take_kernel \
	}
#define FOR_MOUNT(text)        \
	{                      \
		.name = (text) \
	}

const struct arg_option mount_options[] = {
	{.name = "nlink",
	 .meta = "exact|1",
	 ARG_SETS_WORD(struct options, nlink),
	 .help = "count each file's names when first asked (exact, the default); 1: don't, every "
		 "link count is 1"},
	{.name = "ignore_case",
	 ARG_SETS(struct options, ignore_case),
	 .help = "find names without regard to case, as Windows does; also serves the hidden "
		 ".ciopfs by which Wine knows. Exact by default"},
	{.name = "reparse",
	 .meta = REPARSE_WORDS,
	 ARG_SETS_WORD(struct options, reparse),
	 .help = "symlinks and junctions: as symbolic links (the default); or every reparse point "
		 "as Wine 10.19 and later keeps it: a file or directory \"NAME?\" with its data in "
		 "the extended attribute user.WINEREPARSE"},
	{.name = "streams_interface",
	 .meta = "none|windows|xattr|both",
	 ARG_SETS_WORD(struct options, streams),
	 .help = "alternate streams: not at all; open FILE:STREAM; extended attribute user.STREAM; "
		 "both (the default)"},
	{.name = "root_hash",
	 .meta = "HEX",
	 .take = take_root_hash,
	 .help = "the image is in a sealed container, and what it was sealed with has this root "
		 "hash: no other byte is shown"},
	{.name = "source",
	 .meta = "IMAGE",
	 .take = take_source,
	 .help = "one of the images that a merged image was made of; once for each, in any order"},
	{.name = "uid", .meta = "N", .take = take_id, .at = offsetof(struct options, uid)},
	{.name = "gid",
	 .meta = "N",
	 .take = take_id,
	 .at = offsetof(struct options, gid),
	 .help = "owner and group of everything; default: who mounts"},
	{.name = "umask", .meta = "M", .take = take_mask},
	{.name = "fmask", .meta = "M", .take = take_mask},
	{.name = "dmask",
	 .meta = "M",
	 .take = take_mask,
	 .help = "mode bits to take away, octal: of all, of files, of directories; with fmask "
		 "files "
		 "have all others, so that fmask=022 lets them be run (default: none can be)"},
	{.name = "nonempty",
	 ARG_SETS(struct options, nonempty),
	 .help = "mount over a directory that isn't empty"},
	{.name = "log",
	 .meta = "FILE",
	 .take = take_log,
	 .help = "append messages about the image to FILE; default: syslog"},
	FOR_KERNEL("allow_other"),
	FOR_KERNEL("auto_unmount"),
	{.name = "max_read", .meta = "N", .take = take_kernel},
	{.name = "context", .meta = "X", .take = take_kernel},
	FOR_KERNEL("nodev"),
	FOR_KERNEL("nosuid"),
	FOR_KERNEL("noexec"),
	FOR_KERNEL("dev"),
	FOR_KERNEL("suid"),
	FOR_KERNEL("exec"),
	FOR_KERNEL("noatime"),
	FOR_KERNEL("atime"),
	FOR_KERNEL("nodiratime"),
	FOR_KERNEL("dirsync"),
	FOR_KERNEL("sync"),
	{.name = "async", .take = take_kernel, .help = "as for any FUSE mount"},
	FOR_MOUNT("ro"),
	FOR_MOUNT("rw"),
	FOR_MOUNT("defaults"),
	FOR_MOUNT("auto"),
	FOR_MOUNT("noauto"),
	FOR_MOUNT("user"),
	FOR_MOUNT("nouser"),
	FOR_MOUNT("users"),
	FOR_MOUNT("owner"),
	FOR_MOUNT("group"),
	FOR_MOUNT("nofail"),
	FOR_MOUNT("_netdev"),
	FOR_MOUNT("relatime"),
	FOR_MOUNT("diratime"),
	FOR_MOUNT("norelatime"),
	FOR_MOUNT("strictatime"),
	FOR_MOUNT("lazytime"),
	FOR_MOUNT("nolazytime"),
	FOR_MOUNT("default_permissions"),
	FOR_MOUNT("loop"),
	FOR_MOUNT("x-*"),
	FOR_MOUNT("X-*"),
	{.name = "comment",
	 .meta = "TEXT",
	 .help = "taken, as mount(8) gives them; it is read-only whatever they say"},
	{0},
};

static int wrong_number(const struct arg_option *option, const char *text)
{
	say("-o %s: '%s' is not a number that it could be", option->name, text);
	return EXIT_USAGE;
}

void options_init(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->ready_fd = -1;
	o->kernel = xstrdup("");
	o->streams = STREAMS_BOTH;
	o->fmode = 0644;
	o->uid = getuid();
	o->gid = getgid();
}

void options_free(struct options *o)
{
	for (size_t i = 0; i < o->source_count; i++)
		free(o->sources[i]);
	free(o->sources);
	free(o->image);
	free(o->dir);
	free(o->log);
	free(o->kernel);
	free(o->unknown);
}

void options_add_source(struct options *o, const char *image)
{
	o->sources = xrealloc(o->sources, (o->source_count + 1) * sizeof(*o->sources));
	o->sources[o->source_count++] = xstrdup(image);
}

bool options_set_root_hash(struct options *o, const char *text)
{
	o->verified = arg_bytes(text, o->root_hash, sizeof(o->root_hash));
	return o->verified;
}

static int take_source(void *options, void *into, const struct arg_option *option, char *image)
{
	(void)into;
	(void)option;
	options_add_source(options, image);
	return EXIT_OK;
}

static int take_root_hash(void *options, void *into, const struct arg_option *option, char *hash)
{
	(void)into;
	if (options_set_root_hash(options, hash))
		return EXIT_OK;
	say("-o %s: '%s' is no root hash, which has 64 hexadecimal digits", option->name, hash);
	return EXIT_USAGE;
}

static int take_kernel(void *options, void *into, const struct arg_option *option, char *value)
{
	struct options *o = options;
	char *all = xasprintf("%s%s%s%s%s", o->kernel, *o->kernel ? "," : "", option->name,
			      value ? "=" : "", value ? value : "");
	uint64_t n;

	(void)into;
	free(o->kernel);
	o->kernel = all;
	if (strcmp(option->name, "max_read") != 0)
		return EXIT_OK;
	if (!arg_number(value, 10, 1u << 20, &n))
		return wrong_number(option, value);
	o->max_read = (unsigned)n;
	return EXIT_OK;
}

static int take_log(void *options, void *into, const struct arg_option *option, char *file)
{
	struct options *o = options;

	(void)into;
	(void)option;
	free(o->log);
	o->log = xstrdup(file);
	return EXIT_OK;
}

static int take_id(void *options, void *into, const struct arg_option *option, char *number)
{
	uint64_t n;

	(void)options;
	if (!arg_number(number, 10, UINT32_MAX - 1, &n))
		return wrong_number(option, number);
	*(uint32_t *)into = (uint32_t)n;
	return EXIT_OK;
}

static int take_mask(void *options, void *into, const struct arg_option *option, char *number)
{
	struct options *o = options;
	uint64_t n;

	(void)into;
	if (!arg_number(number, 8, 0777, &n))
		return wrong_number(option, number);
	if (*option->name != 'd')
		o->fmask = (mode_t)n;
	/* As with ntfs-3g; who says it of all leaves the files as they are. */
	if (*option->name == 'f')
		o->fmode = 0777;
	if (*option->name != 'f')
		o->dmask = (mode_t)n;
	return EXIT_OK;
}

static int wrong_option(void *options, const char *text)
{
	(void)options;
	say("-o %s", text);
	return EXIT_USAGE;
}

bool options_parse(struct options *o, const char *text)
{
	const struct args args = {.program = o, .wrong = wrong_option};
	const struct arg_group group = {.options = mount_options, .into = o, .bare = true};
	char *copy = xstrdup(text);
	char *rest = copy;
	char *option;
	int code = EXIT_OK;

	while (!code && (option = strsep(&rest, ","))) {
		bool known;

		code = args_word(&args, &group, option, &known);
		if (!known && *option && !o->unknown)
			o->unknown = xstrdup(option);
	}
	free(copy);
	return code == EXIT_OK;
}
