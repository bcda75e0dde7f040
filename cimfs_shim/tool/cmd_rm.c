/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_rm.c - cimtool rm: remove images with the files that only they need
 *
 * The image file goes first and its going is synced; a crash after that leaves orphans (which
 * "cimtool files --orphans --delete" removes), never an image whose files are gone. Files that
 * another image needs always stay.
 */
#include "mountlist.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct rm {
	struct tool *t;
	const char *image; /* as the user named it */
	const char *name;
	char *dir;
	struct cim_store *store;
	bool force;
	unsigned long files;
	uint64_t bytes;
};

static const struct cim_store_file *find_image(struct rm *rm, const char *name)
{
	const struct cim_store_file *f;

	for (size_t i = 0; (f = cim_store_get(rm->store, i)) != NULL; i++) {
		if (f->kind == CIM_KIND_IMAGE && !strcmp(f->name, name))
			return f;
	}
	return NULL;
}

static bool same_set(const struct cim_store_file *a, const struct cim_store_file *b)
{
	return !memcmp(&a->set, &b->set, sizeof(a->set));
}

/* Another image of the same region files: a copy of the image's own file. */
static const char *find_copy(struct rm *rm, const struct cim_store_file *image)
{
	const struct cim_store_file *f;

	for (size_t i = 0; (f = cim_store_get(rm->store, i)) != NULL; i++) {
		if (f->kind == CIM_KIND_IMAGE && f != image && same_set(f, image))
			return f->name;
	}
	return NULL;
}

/* Somebody else who needs the image's own region set: a fork of it, if it is no copy, which can do
 * without it. */
static const char *find_fork(struct rm *rm, const struct cim_store_file *image)
{
	const char *owner;

	for (size_t n = 0; (owner = cim_store_owner(rm->store, &image->set, n)) != NULL; n++) {
		const struct cim_store_file *other = find_image(rm, owner);

		if (other && !same_set(other, image))
			return owner;
	}
	return NULL;
}

/* A file that a living session holds, whatever locks it could take: it may need anything here. A
 * mount needs no more than its image does. */
static const char *find_session(struct rm *rm)
{
	const struct cim_store_file *f;

	for (size_t i = 0; (f = cim_store_get(rm->store, i)) != NULL; i++) {
		if ((f->flags & CIM_STORE_IN_USE) && !(f->flags & CIM_STORE_MOUNTED) &&
		    !(f->flags & CIM_STORE_DENIED))
			return f->name;
	}
	return NULL;
}

/* Is the image here of which a file's set is the own one? */
static bool has_image(struct rm *rm, const struct cim_store_file *file)
{
	const struct cim_store_file *f;

	for (size_t i = 0; (f = cim_store_get(rm->store, i)) != NULL; i++) {
		if (f->kind == CIM_KIND_IMAGE && !(f->flags & CIM_STORE_BROKEN) &&
		    same_set(f, file))
			return true;
	}
	return false;
}

/* What may need any file, as nobody knows what it needs: an image that can't be read, or a mount of
 * one whose file is gone. */
static const struct cim_store_file *find_broken(struct rm *rm)
{
	const struct cim_store_file *f;

	for (size_t i = 0; (f = cim_store_get(rm->store, i)) != NULL; i++) {
		if (strcmp(f->name, rm->name) &&
		    ((f->flags & CIM_STORE_BROKEN) ||
		     ((f->flags & CIM_STORE_MOUNTED) && !has_image(rm, f))))
			return f;
	}
	return NULL;
}

/* Does only this image need the file? */
static bool only_ours(struct rm *rm, const struct cim_store_file *f)
{
	const char *owner;

	if ((f->kind != CIM_KIND_REGION && f->kind != CIM_KIND_OBJECT_ID) ||
	    (f->flags & CIM_STORE_IN_USE))
		return false;
	owner = cim_store_owner(rm->store, &f->set, 0);
	return owner && !strcmp(owner, rm->name) && !cim_store_owner(rm->store, &f->set, 1);
}

static int remove_file(struct rm *rm, const struct cim_store_file *f)
{
	struct cim_error err = {0};

	if (cim_store_remove(rm->store, f->name, &err))
		return tool_fail_file(rm->t, "remove", rm->image, f->name, &err);
	tool_verbose(rm->t, "removed %s/%s", rm->dir, f->name);
	rm->files++;
	rm->bytes += f->size;
	return EXIT_OK;
}

static int sync_dir(struct rm *rm)
{
	struct cim_error err = {0};

	if (cim_store_sync(rm->store, &err))
		return tool_fail_dir(rm->t, "remove", rm->image, &err);
	return EXIT_OK;
}

static int not_found(struct rm *rm)
{
	char *path = image_in(rm->dir, rm->name);
	const int code = tool_fail_no_image(rm->t, "remove", rm->image, path);

	free(path);
	return code;
}

/* Somebody uses the image, or whatever is in its directory: not to be forced. */
static int refuse_in_use(struct rm *rm, const struct cim_store_file *image)
{
	const char *session = find_session(rm);
	const char *copy = find_copy(rm, image);

	if (session)
		return tool_fail(rm->t, "remove", rm->image, NULL,
				 "a session is writing in its directory (it holds %s)", session);
	if ((image->flags & CIM_STORE_MOUNTED) && copy)
		return tool_fail(rm->t, "remove", rm->image, NULL,
				 "the image is mounted, or %s, which has the same region files",
				 copy);
	if (image->flags & CIM_STORE_MOUNTED)
		return tool_fail(rm->t, "remove", rm->image, NULL, "the image is mounted");
	if (image->flags & CIM_STORE_IN_USE)
		return tool_fail(rm->t, "remove", rm->image, NULL,
				 "no permission to see whether the image is mounted");
	return EXIT_OK;
}

/* Of an image that can't be read: why, as any command would say. */
static int refuse_unreadable(struct rm *rm)
{
	char *path = xasprintf("%s/%s", rm->dir, rm->name);
	struct cim_image *image = NULL;
	struct cim_error err = {0};
	enum cim_status status = cim_image_open(NULL, path, &image, &err);

	cim_image_close(image);
	free(path);
	tool_fail(rm->t, "remove", rm->image, NULL,
		  "the image can't be read (%s), so what belongs to it is unknown; --force removes "
		  "its file alone",
		  status ? err.cause : "until now");
	return status ? exit_of(status) : EXIT_FAILED;
}

/* Does the set come from one of the images that @owner was merged from, not from a parent? */
static bool is_of_source(struct rm *rm, const char *owner, const struct cim_guid *set)
{
	char *path = image_in(rm->dir, owner);
	const struct cim_region_set *one = NULL;
	const struct cim_merged_source *source;
	struct cim_image *image = NULL;
	uint32_t sets = 0;

	if (!cim_image_open(NULL, path, &image, NULL)) {
		for (uint32_t i = 0; (source = cim_image_get_source(image, i)); i++)
			sets += source->set_count;
		while (sets && (one = cim_image_get_set(image, --sets)) &&
		       memcmp(&one->guid, set, sizeof(*set)) != 0)
			one = NULL;
	}
	cim_image_close(image);
	free(path);
	return one != NULL;
}

/* Files would be left that nobody may need any more, or that somebody needs: only by --force. */
static int refuse_needed(struct rm *rm, const struct cim_store_file *image,
			 const struct cim_store_file *broken)
{
	const char *fork = (image->flags & CIM_STORE_BROKEN) ? NULL : find_fork(rm, image);

	if (rm->force)
		return EXIT_OK;
	if (image->flags & CIM_STORE_BROKEN)
		return refuse_unreadable(rm);
	if (fork)
		return tool_fail(
			rm->t, "remove", rm->image, NULL,
			"%s %s it and needs its region files; --force removes the image and leaves "
			"those",
			fork,
			is_of_source(rm, fork, &image->set) ? "was merged from" : "is a fork of");
	if (broken)
		return tool_fail(rm->t, "remove", rm->image, NULL,
				 "%s %s, and may need its region files; --force removes the image "
				 "and leaves them",
				 broken->name,
				 !(broken->flags & CIM_STORE_BROKEN)
					 ? "is in use by a mount whose image isn't here"
				 : (broken->flags & CIM_STORE_DENIED)
					 ? "can't be read, for want of permission"
					 : "can't be read");
	return EXIT_OK;
}

static int remove_image(struct rm *rm)
{
	const struct cim_store_file *image = find_image(rm, rm->name);
	const struct cim_store_file *broken = find_broken(rm);
	const struct cim_store_file *f;
	int code = image ? refuse_in_use(rm, image) : not_found(rm);

	if (!code)
		code = refuse_needed(rm, image, broken);
	if (!code)
		code = remove_file(rm, image);
	if (!code)
		code = sync_dir(rm);
	if (code || broken || (image->flags & CIM_STORE_BROKEN))
		return code;
	for (size_t i = 0; !code && (f = cim_store_get(rm->store, i)) != NULL; i++) {
		if (only_ours(rm, f))
			code = remove_file(rm, f);
	}
	return code ? code : sync_dir(rm);
}

static int look_and_remove(struct rm *rm)
{
	struct cim_error err = {0};
	struct footer footer;

	mount_wait_for_end(rm->image);
	footer_look(&footer, rm->dir);
	if (cim_store_open(NULL, rm->dir, true, &rm->store, &err))
		return tool_fail_dir(rm->t, "remove", rm->image, &err);
	if (cim_store_unlocked(rm->store))
		tool_tell_unlocked(rm->t, "remove", rm->image);
	footer_tell(rm->t, "remove", rm->image, &footer);
	rm->name = tool_spelling(rm->store, rm->dir, rm->name);
	return remove_image(rm);
}

static int rm_one(struct tool *t, const char *path, bool force)
{
	struct rm rm = {.t = t, .image = path, .force = force};
	struct cim_error err = {0};
	struct stat st;
	char size[32];
	size_t len = image_before(path);
	int code;

	rm.dir = split_image(path, &rm.name);
	if (!lstat(path, &st) && S_ISLNK(st.st_mode))
		code = tool_fail(
			t, "remove", path, NULL,
			"a symlink; the image that it leads to is removed by its own name");
	else if (len) /* no advice by which it would be gone */
		code = tool_fail(
			t, "remove", path, NULL,
			"%.*s is an image, which is removed as a whole: %s is a path in it",
			(int)len, path, path + len);
	else if (!*rm.name)
		code = tool_usage(t, "'%s' names a directory, not an image", path);
	else if (image_check_kind(path, &err))
		code = tool_fail(t, "remove", path, NULL, "%s", err.cause);
	else
		code = look_and_remove(&rm);
	cim_store_close(rm.store);
	if (!code && t->json) {
		json_t *o = json_summary(t);

		json_put_text(o, "image", path);
		json_put_int(o, "files", rm.files);
		json_put_int(o, "bytes", rm.bytes);
		json_print(stdout, o);
	} else if (!code && !t->quiet) {
		put_escaped(stdout, path);
		printf(": %lu file%s removed, %s\n", rm.files, plural(rm.files),
		       size_text(rm.bytes, size, sizeof(size)));
	}
	free(rm.dir);
	return code;
}

static const struct arg_option options[] = {
	{.name = "force",
	 .letter = 'f',
	 .kind = ARG_FLAG,
	 .help = "remove it all the same; files that others need, or may need, still stay"},
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	bool force = false;
	int code = tool_args(t, argc, argv, &force, 1, ANY_NUMBER, "IMAGE is missing");

	if (code)
		return code;
	for (; optind < argc; optind++) {
		int one = rm_one(t, argv[optind], force);

		if (one)
			code = one;
	}
	if (!code)
		t->done = "what was named is removed all the same";
	return code;
}

const struct command cmd_rm = {
	.name = "rm",
	.usage = "[OPTION]... IMAGE...",
	.summary = "remove an image and what only it needs",
	.about = "Removes an image with its region and object ID files, those of its parents too, "
		 "unless another image of the directory needs them, such as a copy of its "
		 "file. Refuses if a fork of the image is there, while the image is mounted, and "
		 "while somebody writes in the "
		 "directory. Merged images elsewhere (cimtool-merge(1)) may need it: nobody can "
		 "know.",
	.options = options,
	.run = run,
};
