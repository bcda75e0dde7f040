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

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* -h or -V */
static int tell(int option, const char *name)
{
	if (option == 'h')
		printf("%s%s%s", usage_text, options_help, usage_end);
	else
		printf("%s %s\n", name, cim_version());
	return EXIT_OK;
}

enum {
	OPT_READY_FD = 256,
	OPT_WINE_MOUNT,
	OPT_WINE_DISMOUNT,
	OPT_DOSDEVICES,
	OPT_GUID,
	OPT_STATUS,
	OPT_DLL_VERSION,
	OPT_BACKEND,
	OPT_REPARSE,
	OPT_IMAGE,
};

static const struct option long_options[] = {
	{"foreground", no_argument, NULL, 'f'},
	{"ready-fd", required_argument, NULL, OPT_READY_FD},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"wine-mount", no_argument, NULL, OPT_WINE_MOUNT},
	{"wine-dismount", no_argument, NULL, OPT_WINE_DISMOUNT},
	{"dosdevices", required_argument, NULL, OPT_DOSDEVICES},
	{"guid", required_argument, NULL, OPT_GUID},
	{"status", required_argument, NULL, OPT_STATUS},
	{"dll-version", required_argument, NULL, OPT_DLL_VERSION},
	{"backend", required_argument, NULL, OPT_BACKEND},
	{"reparse", required_argument, NULL, OPT_REPARSE},
	{"image", required_argument, NULL, OPT_IMAGE},
	{0},
};

static bool set_backend(struct wine_call *call, const char *name)
{
	if (!strcmp(name, "auto"))
		call->backend = BACKEND_AUTO;
	else if (!strcmp(name, "fuse"))
		call->backend = BACKEND_FUSE;
	else if (!strcmp(name, "extract"))
		call->backend = BACKEND_EXTRACT;
	else
		return false;
	return true;
}

static bool set_ready_fd(struct options *o, const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (*end || end == text || fd < 0 || fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0)
		return false;
	o->ready_fd = (int)fd;
	return true;
}

/* What the DLL asks for, as it is understood. */
struct wine_request {
	struct wine_call call;
	int what; /* OPT_WINE_MOUNT or OPT_WINE_DISMOUNT; 0: it isn't the DLL */
	bool wrong;
};

/* false: not an option of the DLL's. */
static bool take_wine_option(struct wine_request *r, int c)
{
	switch (c) {
	case OPT_WINE_MOUNT:
	case OPT_WINE_DISMOUNT:
		r->what = c;
		return true;
	case OPT_DOSDEVICES:
		r->call.dosdevices = optarg;
		return true;
	case OPT_GUID:
		r->call.guid = optarg;
		return true;
	case OPT_STATUS:
		r->call.status = optarg;
		return true;
	case OPT_DLL_VERSION:
		r->call.version = optarg;
		return true;
	case OPT_BACKEND:
		r->wrong |= !set_backend(&r->call, optarg);
		return true;
	case OPT_REPARSE:
		r->wrong |= !reparse_form_parse(optarg, &r->call.reparse);
		return true;
	case OPT_IMAGE:
		r->call.image = optarg;
		return true;
	default:
		return false;
	}
}

static int run_wine(struct wine_request *r)
{
	const bool mount = r->what == OPT_WINE_MOUNT;
	struct wine_call *call = &r->call;
	struct cim_guid guid;
	char text[CIM_GUID_TEXT];

	if (r->wrong || !call->dosdevices || !call->guid || mount != (call->image != NULL) ||
	    !cim_guid_parse(call->guid, &guid)) {
		const struct cim_error err = {.cause = "wrong arguments; see cimfs-mount --help"};

		return volume_refuse(CIM_E_INVALID, mount ? "mount" : "dismount",
				     call->guid ? call->guid : "a volume", &err, call);
	}
	cim_guid_format(&guid, text);
	call->guid = text;
	return mount ? volume_mount(call) : volume_dismount(call);
}

static int run_cimfs_mount(struct options *o, int argc, char **argv)
{
	struct wine_request wine = {0};
	int c;

	while ((c = getopt_long(argc, argv, ":o:fhV", long_options, NULL)) != -1) {
		switch (c) {
		case 'o':
			if (!options_parse(o, optarg))
				return EXIT_USAGE;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'h':
		case 'V':
			return tell(c, "cimfs-mount");
		case OPT_READY_FD:
			if (!set_ready_fd(o, optarg))
				return usage_error("--ready-fd: not an open file descriptor");
			break;
		case ':':
			return usage_error("an option lacks its argument");
		default:
			if (!take_wine_option(&wine, c))
				return usage_error("unknown option");
		}
	}
	close_others(o->ready_fd);
	if (wine.what)
		return run_wine(&wine);
	if (argc - optind != 2)
		return usage_error("an image and a directory are needed");
	return mount_by_hand(o, argv[optind], argv[optind + 1]);
}

/* mount(8) calls "mount.cimfs IMAGE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]". */
static int run_mount_helper(struct options *o, int argc, char **argv)
{
	const char *words[2];
	int count = 0;
	int c;

	while ((c = getopt(argc, argv, "-:sfnvN:o:t:hV")) != -1) {
		switch (c) {
		case 1:
			if (count == 2)
				return usage_error("too many arguments");
			words[count++] = optarg;
			break;
		case 's':
			o->sloppy = true;
			break;
		case 'f':
			o->fake = true;
			break;
		case 'o':
			if (!options_parse(o, optarg))
				return EXIT_USAGE;
			break;
		case 'h':
		case 'V':
			return tell(c, "mount.cimfs");
		case 'n':
		case 'v':
		case 'N':
		case 't':
			break;
		default:
			return usage_error("unknown option");
		}
	}
	if (count != 2)
		return usage_error("an image and a directory are needed");
	close_others(-1);
	return mount_by_hand(o, words[0], words[1]);
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
	signal(SIGPIPE, SIG_IGN);
	options_init(&options);
	name = name ? name + 1 : argc ? argv[0] : "";
	if (!strcmp(name, "mount.cimfs"))
		code = run_mount_helper(&options, argc, argv);
	else
		code = run_cimfs_mount(&options, argc, argv);
	options_free(&options);
	return code;
}
