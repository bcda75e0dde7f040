/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - cimfs-mount, mount.cimfs, and the calls that cimfs.dll makes under Wine
 *
 * One program with three faces: "cimfs-mount IMAGE DIR" mounts by hand, the name mount.cimfs takes
 * the arguments of mount(8), and --wine-mount and --wine-dismount serve CimMountImage and
 * CimDismountImage (volume.c). Whatever fails before the mount stands is one line on stderr and an
 * exit code.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host/args.h"

#define HELPER "mount.cimfs" /* our name as mount(8)'s helper */

static const char usage_text[] =
	"Usage: cimfs-mount IMAGE DIR [-o OPTION,...] [--foreground] [--ready-fd N]\n"
	"       cimfs-mount --wine-mount --dosdevices DIR --guid GUID [--status FILE]\n"
	"                   [--dll-version VERSION] [--backend auto|fuse|extract]\n"
	"                   [--reparse links|wine] --image IMAGE\n"
	"       cimfs-mount --wine-dismount --dosdevices DIR --guid GUID [--status FILE]\n"
	"                   [--dll-version VERSION]\n"
	"\n"
	"Mounts a Composite Image (NAME.cim) on a directory, read-only. Unmount with umount,\n"
	"fusermount3 -u, or \"cimtool umount DIR\".\n"
	"\n"
	"  -f, --foreground     stay in the foreground; messages go to stderr\n"
	"      --ready-fd N     write a line to file descriptor N once the mount can be used\n"
	"  -h, --help; -V, --version\n"
	"\n";

static const char usage_end[] =
	"\n"
	"Names are UTF-8; an unpaired surrogate is three bytes (WTF-8). '/' in a name shows as\n"
	"U+F02F, NUL as U+F000, and the names \".\" and \"..\" begin with U+F02E.\n"
	"\n"
	"Exit status:\n"
	"  0  mounted\n"
	"  1  it failed\n"
	"  2  " EXIT_USAGE_TEXT "\n"
	"  4  " EXIT_CORRUPT_TEXT "\n"
	"  5  " EXIT_UNSUPPORTED_TEXT "\n"
	"With --wine-*: 0, or 64 + a status of libcim.\n";

static int usage_error(const char *text)
{
	say("%s; see cimfs-mount --help", text);
	return EXIT_USAGE;
}

/* For -h, or -V */
static int tell(bool help, const char *name)
{
	if (help)
		printf("%s%s%s", usage_text, options_help, usage_end);
	else
		printf("%s %s\n", name, cim_version());
	errno = 0;
	if (ferror(stdout) | fclose(stdout)) {
		say("write to standard output: %s", errno ? strerror(errno) : "failed");
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

/* What the command line says, as it is understood. */
struct request {
	struct options *options;
	const char *ready_fd;
	bool help;
	bool version;
	struct wine_call call;
	bool wine_mount;
	bool wine_dismount;
	bool wrong; /* what the DLL asks for */
};

static int wrong_option(void *request, const char *text)
{
	(void)request;
	return usage_error(text);
}

static int take_options(void *request, void *options, char *text)
{
	(void)request;
	return options_parse(options, text) ? EXIT_OK : EXIT_USAGE;
}

static int take_backend(void *request, void *ctx, char *name)
{
	static const char *const names[] = {
		[BACKEND_AUTO] = "auto",
		[BACKEND_FUSE] = "fuse",
		[BACKEND_EXTRACT] = "extract",
	};
	struct request *r = request;
	int which = arg_word(name, names, sizeof(names) / sizeof(names[0]));

	(void)ctx;
	r->wrong |= which < 0;
	r->call.backend = which < 0 ? BACKEND_AUTO : (enum backend)which;
	return EXIT_OK;
}

static int take_reparse(void *request, void *ctx, char *form)
{
	struct request *r = request;

	(void)ctx;
	r->wrong |= !reparse_form_parse(form, &r->call.reparse);
	return EXIT_OK;
}

static int parse(struct request *r, int argc, char **argv)
{
	const struct arg_option options[] = {
		{.letter = 'o', .take = take_options, .ctx = r->options},
		{.name = "foreground", .letter = 'f', .flag = &r->options->foreground},
		{.name = "ready-fd", .value = &r->ready_fd},
		{.name = "help", .letter = 'h', .flag = &r->help, .last = true},
		{.name = "version", .letter = 'V', .flag = &r->version, .last = true},
		{.name = "wine-mount", .flag = &r->wine_mount},
		{.name = "wine-dismount", .flag = &r->wine_dismount},
		{.name = "dosdevices", .value = &r->call.dosdevices},
		{.name = "guid", .value = &r->call.guid},
		{.name = "status", .value = &r->call.status},
		{.name = "dll-version", .value = &r->call.version},
		{.name = "backend", .take = take_backend},
		{.name = "reparse", .take = take_reparse},
		{.name = "image", .value = &r->call.image},
		{0},
	};
	const struct args args = {.program = r, .wrong = wrong_option};

	return args_parse(&args, options, NULL, argc, argv);
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
	return r->wine_mount ? volume_mount(call) : volume_dismount(call);
}

/* mount(8) calls "mount.cimfs IMAGE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]". */
static int parse_as_helper(struct request *r, int argc, char **argv)
{
	const char *ignored;
	const struct arg_option options[] = {
		{.letter = 's', .flag = &r->options->sloppy},
		{.letter = 'f', .flag = &r->options->fake},
		{.letter = 'n'},
		{.letter = 'v'},
		{.letter = 'N', .value = &ignored},
		{.letter = 't', .value = &ignored},
		{.letter = 'o', .take = take_options, .ctx = r->options},
		{.letter = 'h', .flag = &r->help, .last = true},
		{.letter = 'V', .flag = &r->version, .last = true},
		{0},
	};
	const struct args args = {.program = r, .wrong = wrong_option};

	/* The options come last, whatever the caller's environment says of POSIX. */
	unsetenv("POSIXLY_CORRECT");
	return args_parse(&args, options, NULL, argc, argv);
}

static int run(struct options *o, bool helper, int argc, char **argv)
{
	struct request r = {.options = o};
	int code = (helper ? parse_as_helper : parse)(&r, argc, argv);

	if (code)
		return code;
	if (r.help || r.version)
		return tell(r.help, helper ? HELPER : "cimfs-mount");
	signal(SIGPIPE, SIG_IGN);
	if (r.ready_fd && !set_ready_fd(o, r.ready_fd))
		return usage_error("--ready-fd: not an open file descriptor");
	close_others(o->ready_fd);
	if (r.wine_mount || r.wine_dismount)
		return run_wine(&r);
	if (argc - optind != 2)
		return usage_error("an image and a directory are needed");
	return mount_by_hand(o, argv[optind], argv[optind + 1]);
}

int main(int argc, char **argv)
{
	const char *name = argc ? strrchr(argv[0], '/') : NULL;
	struct options options;
	int code;
	int fd;

	/* With 0, 1 or 2 closed, a file opened here would get that number. */
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd < 3);
	if (fd >= 0)
		close(fd);
	options_init(&options);
	name = name ? name + 1 : argc ? argv[0] : "";
	code = run(&options, !strcmp(name, HELPER), argc, argv);
	options_free(&options);
	return code;
}
