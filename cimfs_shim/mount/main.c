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

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
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
	"Exit status: 0 mounted, 1 failed, 2 usage error, 4 the image is corrupt, 5 a format\n"
	"version or a feature that is not supported. With --wine-*: 0, or 64 + a status of "
	"libcim.\n";

/* ---- messages ---- */

void say(const char *fmt, ...)
{
	char text[1400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	}
	fprintf(stderr, "cimfs-mount: %s\n", text);
}

void say_cim(const char *op, const char *image, const struct cim_error *err)
{
	const char *cause = *err->cause ? err->cause : cim_status_text(err->status);

	say("%s %s%s%s: %s", op, image, *err->path ? ": " : "", err->path, cause);
}

/* ---- opening ---- */

enum cim_status open_image(const char *path, struct cim_image **image, struct cim_error *err)
{
	enum cim_status status = cim_image_open(NULL, path, image, err);

	if (status)
		return status;
	status = cim_image_check_regions(*image, err);
	if (status) {
		cim_image_close(*image);
		*image = NULL;
	}
	return status;
}

/* ---- mounting by hand ---- */

/* The mount point must be an empty directory; its absolute path, or NULL (told). */
static char *check_dir(const struct options *o, const char *name)
{
	char *path = realpath(name, NULL);
	struct dirent *entry;
	struct statvfs fs;
	struct stat st;
	bool empty = true;
	DIR *dir;

	if (!path) {
		say("mount on %s: %s", name,
		    errno == ENOTCONN ? "a mount whose server is dead; unmount it first"
				      : strerror(errno));
		return NULL;
	}
	/* What the kernel remembers of a dead mount still looks fine; statvfs() asks the server. */
	if (stat(path, &st) < 0 || statvfs(path, &fs) < 0) {
		say("mount on %s: %s", name,
		    errno == ENOTCONN ? "a mount whose server is dead; unmount it first"
				      : strerror(errno));
		goto failed;
	}
	if (!S_ISDIR(st.st_mode)) {
		say("mount on %s: not a directory", name);
		goto failed;
	}
	dir = o->nonempty ? NULL : opendir(path);
	if (!dir)
		return path; /* one that can't be read: who may mount on it will be asked */
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	if (empty)
		return path;
	say("mount on %s: the directory is not empty (-o nonempty mounts over it)", name);
failed:
	free(path);
	return NULL;
}

static int mount_by_hand(struct options *o, const char *image_name, const char *dir_name)
{
	struct cim_error err = {0};
	struct cim_image *image;
	struct stat st;
	char *warning;
	pid_t pid;
	enum cim_status status;

	o->image = realpath(image_name, NULL);
	if (!o->image) {
		say("open image %s: %s", image_name, strerror(errno));
		return EXIT_FAILED;
	}
	if (stat(o->image, &st) < 0) {
		say("open image %s: %s", image_name, strerror(errno));
		return EXIT_FAILED;
	}
	if (S_ISDIR(st.st_mode)) {
		say("open image %s: a directory; an image is named by its file, such as "
		    "%s/NAME.cim",
		    image_name, image_name);
		return EXIT_FAILED;
	}
	if (S_ISBLK(st.st_mode)) {
		say("open image %s: a device; an image is mounted by its file's name, without "
		    "-o loop, for it lies in several files",
		    image_name);
		return EXIT_FAILED;
	}
	status = open_image(o->image, &image, &err);
	if (status) {
		say_cim("open image", image_name, &err);
		return exit_of(status);
	}
	o->dir = check_dir(o, dir_name);
	if (!o->dir) {
		cim_image_close(image);
		return EXIT_FAILED;
	}
	if (o->fake) {
		cim_image_close(image);
		return EXIT_OK;
	}
	status = serve(o, image, &pid, &warning, &err);
	if (pid) {
		/* The session is the server's now; there is no letting go of it here without
		 * ending it. */
		_exit(EXIT_OK);
	}
	free(warning); /* the log has it */
	cim_image_close(image);
	if (status)
		say_cim("mount", image_name, &err);
	return status == CIM_E_INVALID ? EXIT_USAGE : exit_of(status);
}

/* ---- command lines ---- */

static int usage_error(const char *text)
{
	say("%s; see cimfs-mount --help", text);
	return EXIT_USAGE;
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

/* Descriptors that the caller left open are not the server's to hold. */
static void close_others(int keep)
{
	if (keep > 3)
		close_range(3, (unsigned)keep - 1, 0);
	close_range(keep < 3 ? 3 : (unsigned)keep + 1, ~0U, 0);
}

/* @what: OPT_WINE_MOUNT or OPT_WINE_DISMOUNT; @ok: what was understood so far. */
static int run_wine(struct wine_call *call, int what, bool ok)
{
	struct cim_guid guid;
	char text[CIM_GUID_TEXT];

	if (!ok || !call->dosdevices || !call->guid ||
	    (what == OPT_WINE_MOUNT) != (call->image != NULL) ||
	    !cim_guid_parse(call->guid, &guid)) {
		const struct cim_error err = {.cause = "wrong arguments; see cimfs-mount --help"};

		return volume_refuse(CIM_E_INVALID, what == OPT_WINE_MOUNT ? "mount" : "dismount",
				     call->guid ? call->guid : "a volume", &err, call);
	}
	cim_guid_format(&guid, text);
	call->guid = text;
	return what == OPT_WINE_MOUNT ? volume_mount(call) : volume_dismount(call);
}

static int run_cimfs_mount(struct options *o, int argc, char **argv)
{
	struct wine_call wine = {0};
	bool wine_ok = true;
	int what = 0;
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
			printf("%s%s%s", usage_text, options_help, usage_end);
			return EXIT_OK;
		case 'V':
			printf("cimfs-mount %s\n", cim_version());
			return EXIT_OK;
		case OPT_READY_FD:
			if (!set_ready_fd(o, optarg))
				return usage_error("--ready-fd: not an open file descriptor");
			break;
		case OPT_WINE_MOUNT:
		case OPT_WINE_DISMOUNT:
			what = c;
			break;
		case OPT_DOSDEVICES:
			wine.dosdevices = optarg;
			break;
		case OPT_GUID:
			wine.guid = optarg;
			break;
		case OPT_STATUS:
			wine.status = optarg;
			break;
		case OPT_DLL_VERSION:
			wine.version = optarg;
			break;
		case OPT_BACKEND:
			wine_ok &= set_backend(&wine, optarg);
			break;
		case OPT_REPARSE:
			wine_ok &= reparse_form_parse(optarg, &wine.reparse);
			break;
		case OPT_IMAGE:
			wine.image = optarg;
			break;
		case ':':
			return usage_error("an option lacks its argument");
		default:
			return usage_error("unknown option");
		}
	}
	close_others(o->ready_fd);
	if (what)
		return run_wine(&wine, what, wine_ok);
	if (argc - optind != 2)
		return usage_error("an image and a directory are needed");
	return mount_by_hand(o, argv[optind], argv[optind + 1]);
}

/* mount(8) calls "mount.cimfs IMAGE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]". */
static int run_mount_helper(struct options *o, int argc, char **argv)
{
	const char *words[2];
	char *texts[16];
	int count = 0;
	int text_count = 0;
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
			if (text_count == 16)
				return usage_error("too many -o");
			texts[text_count++] = optarg;
			break;
		case 'h':
			printf("%s%s%s", usage_text, options_help, usage_end);
			return EXIT_OK;
		case 'V':
			printf("mount.cimfs %s\n", cim_version());
			return EXIT_OK;
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
	for (int i = 0; i < text_count; i++) {
		if (!options_parse(o, texts[i]))
			return EXIT_USAGE;
	}
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
