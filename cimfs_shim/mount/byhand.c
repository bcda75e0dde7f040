/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * byhand.c - "cimfs-mount IMAGE DIR"
 *
 * What a person gets wrong (a directory or a device for the image, a mount point that is in use or
 * dead) is told in words that say what to do, before anything is mounted.
 */
#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../host/imagefile.h"

static char *no_dir(const char *name, char *path)
{
	say("mount on %s: %s", *name ? name : "''",
	    errno == ENOTCONN ? "a mount whose server is dead; unmount it first" : strerror(errno));
	free(path);
	return NULL;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!dir)
		return true; /* one that can't be read: who may mount on it will be asked */
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	return empty;
}

/* The mount point must be an empty directory; its absolute path, or NULL (told). */
static char *check_dir(const struct options *o, const char *name)
{
	char *path = realpath(name, NULL);
	struct statvfs fs;
	struct stat st;

	/* What the kernel remembers of a dead mount still looks fine; statvfs() asks the server. */
	if (!path || stat(path, &st) < 0 || statvfs(path, &fs) < 0)
		return no_dir(name, path);
	if (S_ISDIR(st.st_mode) && (o->nonempty || is_empty(path)))
		return path;
	say("mount on %s: %s", name,
	    S_ISDIR(st.st_mode) ? "the directory is not empty (-o nonempty mounts over it)"
				: "not a directory");
	free(path);
	return NULL;
}

/* The image's absolute path, or NULL (told). */
static char *check_image(const char *name)
{
	struct cim_error err;
	char *path = image_full_path(name);
	const int error = errno;
	const size_t len = image_before(name);

	errno = error;
	if (len)
		say("open image %s: %.*s is an image, which is mounted as a whole: %s is a path in "
		    "it",
		    name, (int)len, name, name + len);
	else if (!path)
		say("open image %s: %s", *name ? name : "''", strerror(errno));
	else if (image_check_kind(name, &err))
		say_cim("open image", name, &err);
	else
		return path;
	free(path);
	return NULL;
}

/* The image that an error of opening is about, as the user named it if it is the one to mount. */
static const char *at_fault(const struct options *o, const char *image_name,
			    const struct cim_error *err)
{
	return *err->image && strcmp(err->image, o->image) != 0 ? err->image : image_name;
}

static bool check_sources(const struct options *o)
{
	for (size_t i = 0; i < o->source_count; i++) {
		char *path = check_image(o->sources[i]);

		free(path);
		if (!path)
			return false;
	}
	return true;
}

/* A merged image that lacks what it was made of: @err tells how to name that. */
static void ask_for_sources(const struct options *o, struct cim_error *err)
{
	const size_t len = strlen(err->cause);
	struct cim_image *image;

	if (o->source_count || open_header(o, &image, NULL))
		return;
	if (cim_image_get_info(image)->source_count && image_lacks_sets(image))
		snprintf(err->cause + len, sizeof(err->cause) - len,
			 "; --merge, or -o source=IMAGE, names them");
	cim_image_close(image);
}

int mount_by_hand(struct options *o, const char *image_name, const char *dir_name)
{
	struct cim_error err = {0};
	struct cim_image *image;
	char *warning;
	pid_t pid;
	enum cim_status status;

	if (o->unknown && !o->sloppy) {
		say("unknown option -o %s; see %s", o->unknown, o->help);
		return EXIT_USAGE;
	}
	o->image = check_image(image_name);
	if (!o->image || !check_sources(o))
		return EXIT_FAILED;
	status = open_image(o, &image, &err);
	if (status) {
		if (status == CIM_E_CORRUPT)
			ask_for_sources(o, &err);
		say_cim("open image", at_fault(o, image_name, &err), &err);
		return exit_of(status);
	}
	o->dir = check_dir(o, dir_name);
	if (!o->dir || o->fake) {
		cim_image_close(image);
		return o->dir ? EXIT_OK : EXIT_FAILED;
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
