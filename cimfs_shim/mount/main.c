/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - cimfs-mount, mount.cimfs, and the calls that cimfs.dll makes under Wine
 *
 * One program with three faces: "cimfs-mount IMAGE DIR" mounts by hand ("--merge": a merged image
 * with the images that it was made of), the name mount.cimfs takes
 * the arguments of mount(8), and --wine-mount and --wine-dismount serve CimMountImage and
 * CimDismountImage (volume.c). Whatever fails before the mount stands is one line on stderr and an
 * exit code.
 */
#include "mount.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host/help.h"
#include "../host/standard.h"

#define PROGRAM "cimfs-mount"
#define USAGE                                                                          \
	"cimfs-mount IMAGE DIR [OPTION]...\n"                                          \
	"       cimfs-mount --merge MERGED SOURCE... DIR [OPTION]...\n"                \
	"       cimfs-mount --wine-mount --dosdevices=DIR --guid=GUID --image=IMAGE\n" \
	"                   [OPTION]...\n"                                             \
	"       cimfs-mount --wine-dismount --dosdevices=DIR --guid=GUID [OPTION]..."
#define HELPER	     "mount.cimfs" /* our name as mount(8)'s helper */
#define HELPER_USAGE "mount.cimfs IMAGE DIR [OPTION]..."

static const char about[] =
	"Mounts a Composite Image (NAME.cim) on a directory, read-only. Unmount with umount, "
	"fusermount3 -u, or \"cimtool umount DIR\".";

#define NOTES                                                                                    \
	"Names are UTF-8; an unpaired surrogate is three bytes (WTF-8). '/' in a name shows as " \
	"U+F02F, NUL as U+F000, and the names \".\" and \"..\" begin with U+F02E.\n"             \
	"\n"                                                                                     \
	"Exit status:\n"                                                                         \
	"  0  mounted\n"                                                                         \
	"  1  it failed\n"                                                                       \
	"  2  " EXIT_USAGE_TEXT "\n"                                                             \
	"  4  " EXIT_CORRUPT_TEXT "\n"                                                           \
	"  5  " EXIT_UNSUPPORTED_TEXT "\n"
#define WINE_NOTE "With --wine-*: 0, or 64 + a status of libcim.\n"

static bool helper; /* we were called as mount(8)'s */

static const char *help_command(void)
{
	return helper ? HELPER " -h" : PROGRAM " --help";
}

static int usage_error(const char *text)
{
	say("%s; see %s", text, help_command());
	return EXIT_USAGE;
}

/* What the command line says, as it is understood. */
struct request {
	struct options options;
	const char *ready_fd;
	bool help;
	bool version;
	bool merge;
	struct wine_call call;
	bool wine_mount;
	bool wine_dismount;
	bool wrong; /* what the DLL asks for */
	const char *bad_hash;
	const char *ignored;
};

static int wrong_option(void *request, const char *text)
{
	(void)request;
	return usage_error(text);
}

static int take_options(void *request, void *options, const struct arg_option *option, char *text)
{
	(void)request;
	(void)option;
	return options_parse(options, text) ? EXIT_OK : EXIT_USAGE;
}

/* What is wrong in a call of the DLL is told where the DLL looks: run_wine() */
static int take_backend(void *request, void *into, const struct arg_option *option, char *name)
{
	struct request *r = request;
	const int which = arg_word(name, option->meta);

	(void)into;
	r->wrong |= which < 0;
	r->call.backend = which < 0 ? BACKEND_AUTO : (enum backend)which;
	return EXIT_OK;
}

static int take_reparse(void *request, void *into, const struct arg_option *option, char *form)
{
	struct request *r = request;
	const int which = arg_word(form, option->meta);

	(void)into;
	r->wrong |= which < 0;
	r->call.reparse = which < 0 ? REPARSE_LINKS : which;
	return EXIT_OK;
}

/* Of a root hash the DLL learns like of all else. */
static int take_root_hash(void *request, void *into, const struct arg_option *option, char *hash)
{
	struct request *r = request;

	(void)into;
	(void)option;
	if (options_set_root_hash(&r->options, hash))
		return EXIT_OK;
	r->wrong = true;
	r->bad_hash = hash;
	return EXIT_OK;
}

static int take_source(void *request, void *into, const struct arg_option *option, char *image)
{
	struct request *r = request;

	(void)into;
	(void)option;
	options_add_source(&r->options, image);
	return EXIT_OK;
}

static const struct arg_option own_options[] = {
	{.letter = 'o',
	 .meta = "A,B,...",
	 .take = take_options,
	 .at = offsetof(struct request, options),
	 .help = "options of the mount, listed below"},
	{.name = "foreground",
	 .letter = 'f',
	 ARG_SETS(struct request, options.foreground),
	 .help = "stay in the foreground; messages go to standard error"},
	{.name = "merge",
	 ARG_SETS(struct request, merge),
	 .help = "MERGED is a merged image; the SOURCEs are the images that it was made of, in any "
		 "order, as -o source"},
	{.name = "root-hash", .meta = "HEX", .take = take_root_hash, .help = "as -o root_hash"},
	{.name = "ready-fd",
	 .meta = "N",
	 ARG_SETS(struct request, ready_fd),
	 .help = "write a line to file descriptor N once the mount can be used"},
	{.name = "help",
	 .letter = 'h',
	 ARG_SETS(struct request, help),
	 .last = true,
	 .help = "this text"},
	{.name = "version",
	 .letter = 'V',
	 ARG_SETS(struct request, version),
	 .last = true,
	 .help = "the version"},
	{0},
};

static const struct arg_option wine_options[] = {
	{.name = "wine-mount",
	 ARG_SETS(struct request, wine_mount),
	 .help = "mount as a volume of a Wine prefix"},
	{.name = "wine-dismount",
	 ARG_SETS(struct request, wine_dismount),
	 .help = "end such a volume"},
	{.name = "dosdevices",
	 .meta = "DIR",
	 ARG_SETS(struct request, call.dosdevices),
	 .help = "the prefix's directory of devices"},
	{.name = "guid",
	 .meta = "GUID",
	 ARG_SETS(struct request, call.guid),
	 .help = "the volume's name"},
	{.name = "status",
	 .meta = "FILE",
	 ARG_SETS(struct request, call.status),
	 .help = "where the answer goes, if it is no success; default: standard error"},
	{.name = "dll-version",
	 .meta = "VERSION",
	 ARG_SETS(struct request, call.version),
	 .help = "of the cimfs.dll that asks"},
	{.name = "backend",
	 .meta = "auto|fuse|extract",
	 .take = take_backend,
	 .help = "FUSE, or else an unpacked copy; only FUSE; only a copy"},
	{.name = "reparse", .meta = REPARSE_WORDS, .take = take_reparse, .help = "as -o reparse"},
	{.name = "image",
	 .meta = "IMAGE",
	 ARG_SETS(struct request, call.image),
	 .help = "what to mount"},
	{.name = "source", .meta = "IMAGE", .take = take_source, .help = "as -o source"},
	{0},
};

/* What mount(8) gives its helpers. */
static const struct arg_option helper_options[] = {
	{.letter = 'o',
	 .meta = "A,B,...",
	 .take = take_options,
	 .at = offsetof(struct request, options),
	 .help = "options of the mount, listed below"},
	{.letter = 's',
	 ARG_SETS(struct request, options.sloppy),
	 .help = "pass over options that are not known"},
	{.letter = 'f', ARG_SETS(struct request, options.fake), .help = "do all but mount"},
	{.letter = 'n'},
	{.letter = 'v'},
	{.letter = 'N', .meta = "NAMESPACE", ARG_SETS(struct request, ignored)},
	{.letter = 't',
	 .meta = "TYPE",
	 ARG_SETS(struct request, ignored),
	 .help = "taken, as mount(8) gives them, and without effect"},
	{.letter = 'h', ARG_SETS(struct request, help), .last = true, .help = "this text"},
	{.letter = 'V', ARG_SETS(struct request, version), .last = true, .help = "the version"},
	{0},
};

/* For -h, or -V */
static int tell(bool help, const struct arg_group *groups)
{
	int lost;

	if (help)
		help_print(&(struct help){helper ? HELPER_USAGE : USAGE, about, groups,
					  helper ? NOTES : NOTES WINE_NOTE});
	else
		printf("%s %s\n", helper ? HELPER : PROGRAM, cim_version());
	lost = standard_end();
	if (lost)
		say("write to standard output: %s", lost > 0 ? strerror(lost) : "failed");
	return lost ? EXIT_FAILED : EXIT_OK;
}

static bool set_ready_fd(struct options *o, const char *text)
{
	uint64_t fd;

	if (!arg_number(text, 10, INT_MAX, &fd) || fcntl((int)fd, F_GETFD) < 0)
		return false;
	o->ready_fd = (int)fd;
	return true;
}

static int run_wine(struct request *r)
{
	struct wine_call *call = &r->call;
	struct cim_guid guid;
	char text[CIM_GUID_TEXT];

	if (r->wrong || !call->dosdevices || !call->guid ||
	    r->wine_mount != (call->image != NULL) || !cim_guid_parse(call->guid, &guid)) {
		const struct cim_error err = {.cause = "wrong arguments; see cimfs-mount --help"};

		return volume_refuse(CIM_E_INVALID, r->wine_mount ? "mount" : "dismount",
				     call->guid ? call->guid : "a volume", &err, call);
	}
	cim_guid_format(&guid, text);
	call->guid = text;
	return r->wine_mount ? volume_mount(call, &r->options) : volume_dismount(call);
}

static int run_by_hand(struct request *r, int count, char **args)
{
	if (r->bad_hash)
		return usage_error("--root-hash: 64 hexadecimal digits are needed");
	if (r->merge && count < 3)
		return usage_error("--merge: a merged image, those that it was made of, and a "
				   "directory are needed");
	if (!r->merge && count != 2)
		return usage_error("an image and a directory are needed");
	for (int i = 1; i < count - 1; i++)
		options_add_source(&r->options, args[i]);
	return mount_by_hand(&r->options, args[0], args[count - 1]);
}

static int run(struct request *r, int argc, char **argv)
{
	const struct args args = {.program = r, .wrong = wrong_option};
	const struct arg_group groups[] = {
		{.options = helper ? helper_options : own_options, .into = r},
		{.title = "Options (-o A,B,...)",
		 .options = mount_options,
		 .into = &r->options,
		 .bare = true},
		/* mount(8) gives none of these, and that ends the list. */
		{.title = "What cimfs.dll asks for under Wine",
		 .options = helper ? NULL : wine_options,
		 .into = r},
		{0},
	};
	int code = args_parse(&args, groups, argc, argv), keep;

	if (code)
		return code;
	if (r->help || r->version)
		return tell(r->help, groups);
	signal(SIGPIPE, SIG_IGN);
	if (r->ready_fd && !set_ready_fd(&r->options, r->ready_fd))
		return usage_error("--ready-fd: not an open file descriptor");
	keep = r->options.ready_fd;
	close_others(&keep, keep >= 0);
	if (r->wine_mount || r->wine_dismount)
		return run_wine(r);
	return run_by_hand(r, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	const char *name = argc ? strrchr(argv[0], '/') : NULL;
	struct request request = {0};
	int code;

	standard_begin();
	options_init(&request.options);
	name = name ? name + 1 : argc ? argv[0] : "";
	helper = !strcmp(name, HELPER);
	/* There the options come last, whatever the caller's environment says of POSIX. */
	if (helper) {
		unsetenv("POSIXLY_CORRECT");
		log_as(HELPER);
	}
	request.options.help = help_command();
	code = run(&request, argc, argv);
	options_free(&request.options);
	return code;
}
