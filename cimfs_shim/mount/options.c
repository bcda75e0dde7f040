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

#include "../host/args.h"

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
	"  ro, rw, defaults, ... taken, as mount(8) gives them; it is read-only whatever they say\n"
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
	free(o->unknown);
}

static void add_kernel(struct options *o, const char *name)
{
	char *all = xasprintf("%s%s%s", o->kernel, *o->kernel ? "," : "", name);

	free(o->kernel);
	o->kernel = all;
}

/* @list: words with a space between; a '*' at a word's end stands for anything. */
static bool is_one_of(const char *word, const char *list)
{
	for (;;) {
		const size_t len = strcspn(list, " ");

		if (list[len - 1] == '*' ? !strncmp(word, list, len - 1)
					 : strlen(word) == len && !strncmp(word, list, len))
			return true;
		if (!list[len])
			return false;
		list += len + 1;
	}
}

static bool parse_streams(const char *value, enum streams_interface *streams)
{
	static const char *const names[] = {
		[STREAMS_NONE] = "none",
		[STREAMS_WINDOWS] = "windows",
		[STREAMS_XATTR] = "xattr",
		[STREAMS_BOTH] = "both",
	};

	const int which = arg_word(value, names, sizeof(names) / sizeof(names[0]));

	if (which >= 0)
		*streams = (enum streams_interface)which;
	return which >= 0;
}

bool reparse_form_parse(const char *value, enum reparse_form *form)
{
	static const char *const names[] = {[REPARSE_LINKS] = "links", [REPARSE_WINE] = "wine"};
	const int which = arg_word(value, names, sizeof(names) / sizeof(names[0]));

	if (which >= 0)
		*form = (enum reparse_form)which;
	return which >= 0;
}

enum taken {
	NOT_OURS,
	TAKEN,
	WRONG, /* told */
};

/* Options whose value is a word. */
static enum taken take_word(struct options *o, const char *name, const char *value)
{
	const char *words;
	bool right;

	if (!strcmp(name, "nlink")) {
		words = "exact or 1";
		o->count_links = strcmp(value, "1") != 0;
		right = !o->count_links || !strcmp(value, "exact");
	} else if (!strcmp(name, "reparse")) {
		words = "links or wine";
		right = reparse_form_parse(value, &o->reparse);
	} else if (!strcmp(name, "streams_interface")) {
		words = "none, windows, xattr or both";
		right = parse_streams(value, &o->streams);
	} else if (!strcmp(name, "log")) {
		free(o->log);
		o->log = xstrdup(value);
		return TAKEN;
	} else {
		return NOT_OURS;
	}
	if (!right)
		say("-o %s is %s", name, words);
	return right ? TAKEN : WRONG;
}

static enum taken take_number(struct options *o, const char *name, const char *value)
{
	const bool mask = is_one_of(name, "umask fmask dmask");
	const bool max_read = !strcmp(name, "max_read");
	const uint64_t max = mask ? 0777 : max_read ? 1u << 20 : UINT32_MAX - 1;
	uint64_t n;

	if (!mask && !max_read && !is_one_of(name, "uid gid"))
		return NOT_OURS;
	if (!arg_number(value, mask ? 8 : 10, max, &n)) {
		say("-o %s: '%s' is not a number that it could be", name, value);
		return WRONG;
	}
	if (max_read) {
		o->max_read = (unsigned)n;
		return NOT_OURS; /* but the kernel's too */
	}
	if (mask && *name != 'd')
		o->fmask = (mode_t)n;
	if (mask && *name != 'f')
		o->dmask = (mode_t)n;
	if (!strcmp(name, "uid"))
		o->uid = (uid_t)n;
	if (!strcmp(name, "gid"))
		o->gid = (gid_t)n;
	return TAKEN;
}

static enum taken take_valued(struct options *o, const char *option, const char *equals)
{
	char *name = xasprintf("%.*s", (int)(equals - option), option);
	enum taken taken = take_word(o, name, equals + 1);

	if (taken == NOT_OURS)
		taken = take_number(o, name, equals + 1);
	free(name);
	return taken;
}

static bool parse_one(struct options *o, const char *option)
{
	static const char kernel[] =
		"allow_other auto_unmount max_read=* context=* nodev nosuid noexec dev suid exec "
		"noatime atime nodiratime dirsync sync async";
	static const char ignored[] =
		"ro rw defaults auto noauto user nouser users owner group nofail _netdev relatime "
		"diratime norelatime strictatime lazytime nolazytime x-* X-* comment=* "
		"default_permissions loop";
	const char *equals = strchr(option, '=');
	enum taken taken = equals ? take_valued(o, option, equals) : NOT_OURS;

	if (taken != NOT_OURS)
		return taken == TAKEN;
	if (!strcmp(option, "ignore_case"))
		o->ignore_case = true;
	else if (!strcmp(option, "nonempty"))
		o->nonempty = true;
	else if (is_one_of(option, kernel))
		add_kernel(o, option);
	else if (*option && !is_one_of(option, ignored) && !o->unknown)
		o->unknown = xstrdup(option);
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
