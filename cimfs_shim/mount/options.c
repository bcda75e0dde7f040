/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c - "-o" of cimfs-mount and mount.cimfs
 *
 * mount(8) hands everything of an fstab line to the helper, so the words that mean something to
 * mount alone are taken and passed over, "rw" included, which it adds by itself: a mount here is
 * read-only whatever is asked.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char options_help[] =
	"Options (-o A,B,...):\n"
	"  nlink=exact|1        count each file's names when first asked (exact, the default);\n"
	"                       1: don't, every link count is 1\n"
	"  ignore_case          find names without regard to case, as Windows does; also serves\n"
	"                       the hidden .ciopfs by which Wine knows. Exact by default\n"
	"  reparse=links|wine   symlinks and junctions: as symbolic links (the default); or every\n"
	"                       reparse point as Wine 10.19 and later keeps it: a file or "
	"directory\n"
	"                       \"NAME?\" with its data in the extended attribute "
	"user.WINEREPARSE\n"
	"  streams_interface=X  alternate streams: none; windows: open FILE:STREAM; xattr: "
	"extended\n"
	"                       attribute user.STREAM; both (the default)\n"
	"  uid=N, gid=N         owner and group of everything; default: who mounts\n"
	"  umask=M, fmask=M, dmask=M\n"
	"                       mode bits to take away, octal: of all, of files, of directories\n"
	"  nonempty             mount over a directory that isn't empty\n"
	"  allow_other, auto_unmount, max_read=N, context=X\n"
	"  nodev, nosuid, noexec, noatime, ...\n"
	"                       as for any FUSE mount\n"
	"  log=FILE             append messages about the image to FILE; default: syslog\n";

void options_init(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->ready_fd = -1;
	o->kernel = xstrdup("");
	o->streams = STREAMS_BOTH;
	o->count_links = true;
	o->uid = getuid();
	o->gid = getgid();
}

void options_free(struct options *o)
{
	free(o->image);
	free(o->dir);
	free(o->log);
	free(o->kernel);
}

static void add_kernel(struct options *o, const char *name)
{
	char *all = xasprintf("%s%s%s", o->kernel, *o->kernel ? "," : "", name);

	free(o->kernel);
	o->kernel = all;
}

static bool parse_number(const char *name, const char *value, int base, unsigned long max,
			 unsigned long *n)
{
	char *end;

	errno = 0;
	*n = strtoul(value, &end, base);
	if (*value < '0' || *value > '9' || *end || errno || *n > max) {
		say("-o %s: '%s' is not a number that it could be", name, value);
		return false;
	}
	return true;
}

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++) {
		size_t len = strlen(*list);

		if (len && (*list)[len - 1] == '*' ? !strncmp(name, *list, len - 1)
						   : !strcmp(name, *list))
			return true;
	}
	return false;
}

static bool set_streams(struct options *o, const char *value)
{
	static const char *const names[] = {
		[STREAMS_NONE] = "none",
		[STREAMS_WINDOWS] = "windows",
		[STREAMS_XATTR] = "xattr",
		[STREAMS_BOTH] = "both",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(value, names[i])) {
			o->streams = (enum streams_interface)i;
			return true;
		}
	}
	say("-o streams_interface is none, windows, xattr or both");
	return false;
}

bool reparse_form_parse(const char *value, enum reparse_form *form)
{
	if (!strcmp(value, "links"))
		*form = REPARSE_LINKS;
	else if (!strcmp(value, "wine"))
		*form = REPARSE_WINE;
	else
		return false;
	return true;
}

/* Options with a value; *known: this is one. */
static bool parse_valued(struct options *o, const char *name, const char *value, bool *known)
{
	unsigned long n;

	*known = true;
	if (!strcmp(name, "nlink")) {
		if (strcmp(value, "1") && strcmp(value, "exact")) {
			say("-o nlink is exact or 1");
			return false;
		}
		o->count_links = strcmp(value, "1") != 0;
	} else if (!strcmp(name, "reparse")) {
		if (!reparse_form_parse(value, &o->reparse)) {
			say("-o reparse is links or wine");
			return false;
		}
	} else if (!strcmp(name, "streams_interface")) {
		return set_streams(o, value);
	} else if (!strcmp(name, "log")) {
		free(o->log);
		o->log = xstrdup(value);
	} else if (!strcmp(name, "max_read")) {
		if (!parse_number(name, value, 10, 1u << 20, &n))
			return false;
		o->max_read = (unsigned)n;
		*known = false; /* it is the kernel's too */
	} else if (!strcmp(name, "uid") || !strcmp(name, "gid")) {
		if (!parse_number(name, value, 10, UINT32_MAX - 1, &n))
			return false;
		if (*name == 'u')
			o->uid = (uid_t)n;
		else
			o->gid = (gid_t)n;
	} else if (!strcmp(name, "umask") || !strcmp(name, "fmask") || !strcmp(name, "dmask")) {
		if (!parse_number(name, value, 8, 0777, &n))
			return false;
		if (*name != 'd')
			o->fmask = (mode_t)n;
		if (*name != 'f')
			o->dmask = (mode_t)n;
	} else {
		*known = false;
	}
	return true;
}

static bool parse_one(struct options *o, const char *option)
{
	static const char *const kernel[] = {
		"allow_other", "auto_unmount", "max_read=*", "context=*", "nodev",   "nosuid",
		"noexec",      "dev",	       "suid",	     "exec",	  "noatime", "atime",
		"nodiratime",  "dirsync",      "sync",	     "async",	  NULL};
	static const char *const ignored[] = {"",
					      "ro",
					      "rw",
					      "defaults",
					      "auto",
					      "noauto",
					      "user",
					      "nouser",
					      "users",
					      "owner",
					      "group",
					      "nofail",
					      "_netdev",
					      "relatime",
					      "diratime",
					      "norelatime",
					      "strictatime",
					      "lazytime",
					      "nolazytime",
					      "x-*",
					      "X-*",
					      "comment=*",
					      "default_permissions",
					      "loop",
					      NULL};
	const char *equals = strchr(option, '=');

	if (equals) {
		char *name = xasprintf("%.*s", (int)(equals - option), option);
		bool known;
		bool ok = parse_valued(o, name, equals + 1, &known);

		free(name);
		if (known || !ok)
			return ok;
	}
	if (!strcmp(option, "ignore_case"))
		o->ignore_case = true;
	else if (!strcmp(option, "nonempty"))
		o->nonempty = true;
	else if (is_one_of(option, kernel))
		add_kernel(o, option);
	else if (!is_one_of(option, ignored) && !o->sloppy) {
		say("unknown option -o %s; see cimfs-mount --help", option);
		return false;
	}
	return true;
}

bool options_parse(struct options *o, const char *text)
{
	char *copy = xstrdup(text);
	char *rest = copy;
	char *option;
	bool ok = true;

	while (ok && (option = strsep(&rest, ",")))
		ok = parse_one(o, option);
	free(copy);
	return ok;
}
