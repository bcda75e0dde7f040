/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_files.c - cimtool files: which region and object ID files belong to which image
 *
 * The files of a directory are owned by the images that name their region set. What nobody names is
 * an orphan: left by a session that died, or by an image that was removed. Nothing can be called an
 * orphan while there is an image that can't be read, for it may need any of them; and what a living
 * session holds is not one yet.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct files {
	struct tool *t;
	const char *where;
	struct cim_store *store;
	const char *dir;
	const char *image; /* only what this one needs; NULL: all */
	bool orphans;
	bool remove;
	bool unknown; /* there is an image of which nobody knows what it needs */
	unsigned long deleted;
	unsigned long in_use;
};

static const char *kind_name(enum cim_file_kind kind)
{
	static const char *const names[] = {
		[CIM_KIND_IMAGE] = "image",
		[CIM_KIND_REGION] = "region",
		[CIM_KIND_OBJECT_ID] = "objectid",
		[CIM_KIND_TEMPORARY] = "temporary",
	};

	return names[kind];
}

/* Whose file it is may keep us from looking into it, though the directory tells that it is there.
 */
static bool is_readable(const struct files *files, const struct cim_store_file *f, uint64_t *size)
{
	char *path = xasprintf("%s/%s", files->dir, f->name);
	bool readable = (!(f->flags & CIM_STORE_DENIED) || (f->flags & CIM_STORE_IN_USE)) &&
			(!faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) || errno != EACCES);
	struct stat st;

	*size = f->size;
	if (!readable && !stat(path, &st))
		*size = (uint64_t)st.st_size;
	free(path);
	return readable;
}

static bool has_no_owner(const struct cim_store_file *f)
{
	return f->kind != CIM_KIND_IMAGE && !f->owners;
}

/* A temporary file is no image's, whatever they are. */
static bool is_orphan(const struct files *files, const struct cim_store_file *f)
{
	return has_no_owner(f) && (!files->unknown || f->kind == CIM_KIND_TEMPORARY);
}

static bool owned_by(struct cim_store *store, const struct cim_store_file *f, const char *image)
{
	const char *owner;

	if (f->kind == CIM_KIND_IMAGE)
		return !strcmp(f->name, image);
	if (f->kind == CIM_KIND_TEMPORARY)
		return false;
	for (size_t n = 0; (owner = cim_store_owner(store, &f->set, n)) != NULL; n++) {
		if (!strcmp(owner, image))
			return true;
	}
	return false;
}

/* The images that need the files of a set. */
static void print_owners(struct files *files, const struct cim_guid *set)
{
	const char *owner;

	for (size_t n = 0; (owner = cim_store_owner(files->store, set, n)); n++) {
		fputs(n ? ", " : " <- ", stdout);
		put_escaped(stdout, owner);
	}
}

static void json_put_owners(struct files *files, json_t *o, const struct cim_guid *set)
{
	const char *owner;

	for (size_t n = 0; (owner = cim_store_owner(files->store, set, n)); n++) {
		json_t *one = json_object();

		json_put_text(one, "image", owner);
		json_append(o, "owners", one);
	}
}

static void print_text(struct files *files, const struct cim_store_file *f, uint64_t size,
		       const char *state)
{
	printf("%-9s %13llu ", kind_name(f->kind), (unsigned long long)size);
	put_escaped(stdout, f->name);
	if (*state)
		printf(" (%s)", state);
	if (f->kind != CIM_KIND_IMAGE && f->owners)
		print_owners(files, &f->set);
	putchar('\n');
}

static void print_json(struct files *files, const struct cim_store_file *f, uint64_t size,
		       bool readable, bool deleted)
{
	json_t *o = json_object();
	char guid[CIM_GUID_TEXT];

	json_put_text(o, "name", f->name);
	json_put_text(o, "kind", kind_name(f->kind));
	json_put_int(o, "size", size);
	if (f->kind != CIM_KIND_TEMPORARY && !(f->flags & CIM_STORE_BROKEN)) {
		cim_guid_format(&f->set, guid);
		json_put_text(o, "set", guid);
	}
	json_put_bool(o, "broken", f->flags & CIM_STORE_BROKEN);
	json_put_bool(o, "readable", readable);
	json_put_bool(o, "in_use", f->flags & CIM_STORE_IN_USE);
	json_put_bool(o, "mounted", f->flags & CIM_STORE_MOUNTED);
	json_put_bool(o, "orphan", is_orphan(files, f));
	if (files->remove)
		json_put_bool(o, "deleted", deleted);
	if (f->kind != CIM_KIND_IMAGE && f->owners)
		json_put_owners(files, o, &f->set);
	json_print(stdout, o);
}

static int show(struct files *files, const struct cim_store_file *f)
{
	uint64_t size;
	bool readable = is_readable(files, f, &size);
	const char *held = (f->flags & CIM_STORE_MOUNTED) ? "mounted" : "in use";
	const char *state = !readable			    ? "no permission"
			    : (f->flags & CIM_STORE_BROKEN) ? "unreadable"
			    : (f->flags & CIM_STORE_IN_USE) ? held
			    : is_orphan(files, f)	    ? "orphan"
			    : has_no_owner(f)		    ? "owner unknown"
							    : "";
	enum cim_status status = CIM_OK;
	struct cim_error err = {0};
	bool gone = false;

	if (files->remove && !(f->flags & CIM_STORE_IN_USE))
		status = cim_store_remove(files->store, f->name, &err);
	/* A session that began meanwhile has taken it into use. */
	if (files->remove && ((f->flags & CIM_STORE_IN_USE) || status == CIM_E_SHARING)) {
		files->in_use++;
		state = held;
	} else if (files->remove) {
		if (status)
			return tool_fail_file(files->t, "delete in", files->where, f->name, &err);
		gone = true;
		files->deleted++;
		state = "deleted";
	}
	if (files->t->json)
		print_json(files, f, size, readable, gone);
	else if (!(files->t->quiet && files->remove))
		print_text(files, f, size, state);
	return EXIT_OK;
}

/* One that can't be looked at isn't missing. */
static bool is_there(struct cim_image *image, uint32_t region)
{
	uint64_t size;

	return cim_image_region_size(image, region, &size, NULL) != CIM_E_FILE_NOT_FOUND;
}

/* @elsewhere: it may be with a source of a merged image. */
static void show_missing(struct files *files, const struct cim_region_set *set, const char *name,
			 bool elsewhere)
{
	char guid[CIM_GUID_TEXT];
	json_t *o;

	if (!files->t->json) {
		printf("%-9s %13s %s (%s)", "region", "-", name,
		       elsewhere ? "elsewhere" : "missing");
		print_owners(files, &set->guid);
		putchar('\n');
		return;
	}
	o = json_object();
	cim_guid_format(&set->guid, guid);
	json_put_text(o, "name", name);
	json_put_text(o, "kind", "region");
	json_put_text(o, "set", guid);
	json_put_bool(o, elsewhere ? "elsewhere" : "missing", true);
	json_put_owners(files, o, &set->guid);
	json_print(stdout, o);
}

/* Region files that an image names and that aren't there. Object ID files are a help for writers;
 * it is whole without them. */
static int look_for_missing(struct files *files, const char *name, unsigned long *missing)
{
	char region[CIM_REGION_NAME];
	struct cim_error err = {0};
	const struct cim_region_set *set;
	struct cim_image *image;
	bool merged;
	int code = EXIT_OK;

	if (cim_store_open_image(files->store, name, &image, &err))
		code = tool_fail_file(files->t, "list", files->where, files->image ? NULL : name,
				      &err);
	for (uint32_t i = 0; !code && (set = cim_image_get_set(image, i)); i++) {
		const char *first = cim_store_owner(files->store, &set->guid, 0);

		/* What several images name is told once. */
		if (!files->image && first && strcmp(first, name))
			continue;
		for (uint32_t k = 0; k < set->count; k++) {
			cim_image_region_name(image, set->first + k, region);
			if (is_there(image, set->first + k))
				continue;
			merged = cim_image_get_info(image)->source_count != 0;
			show_missing(files, set, region, merged);
			*missing += !merged;
		}
	}
	cim_image_close(image);
	return code;
}

/* Of the image that was named, or of all that can be read. */
static int list_missing(struct files *files)
{
	const struct cim_store_file *f;
	unsigned long missing = 0;
	int code = EXIT_OK;

	for (size_t i = 0; (f = cim_store_get(files->store, i)) != NULL; i++) {
		int one = EXIT_OK;

		if (f->kind == CIM_KIND_IMAGE && (files->image ? !strcmp(f->name, files->image)
							       : !(f->flags & CIM_STORE_BROKEN)))
			one = look_for_missing(files, f->name, &missing);
		if (one)
			code = one;
	}
	if (missing) {
		tool_fail(files->t, "list", files->where, NULL, "%lu region file%s missing",
			  missing, missing == 1 ? " is" : "s are");
		code = EXIT_CORRUPT;
	}
	return code;
}

/* Images that can't be read; each is named. */
static int find_broken(struct files *files)
{
	const struct cim_store_file *f;
	int code = EXIT_OK;

	for (size_t i = 0; (f = cim_store_get(files->store, i)) != NULL; i++) {
		if (!(f->flags & CIM_STORE_BROKEN))
			continue;
		code = EXIT_CORRUPT;
		tool_fail(files->t, "look for orphans in", files->where, f->name,
			  "%s, so nothing can be called an orphan",
			  (f->flags & CIM_STORE_DENIED) ? "no permission to read it"
							: "the image can't be read");
	}
	return code;
}

static int list(struct files *files)
{
	const struct cim_store_file *f;
	int code;

	if (files->orphans) {
		code = find_broken(files);
		if (code)
			return code;
	}
	for (size_t i = 0; (f = cim_store_get(files->store, i)) != NULL; i++) {
		if (files->orphans && !has_no_owner(f))
			continue;
		if (files->image && !owned_by(files->store, f, files->image))
			continue;
		code = show(files, f);
		if (code)
			return code;
		if (tool_signal)
			return tool_interrupted();
	}
	if (files->remove)
		files->t->done = "the files are deleted all the same";
	if (files->remove && !files->t->quiet && !files->t->json)
		printf("%lu deleted, %lu in use\n", files->deleted, files->in_use);
	return files->orphans ? EXIT_OK : list_missing(files);
}

/* With the store open. */
static int look(struct files *files)
{
	const struct cim_store_file *f;
	bool known = !files->image;

	if (files->image)
		files->image = tool_spelling(files->store, files->dir, files->image);
	for (size_t i = 0; (f = cim_store_get(files->store, i)) != NULL; i++) {
		known |= f->kind == CIM_KIND_IMAGE && files->image &&
			 !strcmp(f->name, files->image);
		files->unknown |= (f->flags & CIM_STORE_BROKEN) != 0;
	}
	if (known)
		return list(files);
	return tool_fail_no_image(files->t, "list", files->where, files->where);
}

static const struct arg_option options[] = {
	{.name = "orphans",
	 ARG_SETS(struct files, orphans),
	 .help = "only files that no image needs. While the directory holds an image that "
		 "can't be read there are none: exit status 4"},
	{.name = "delete",
	 ARG_SETS(struct files, remove),
	 .help = "with --orphans: delete them. Writers are kept out meanwhile, and what a "
		 "living session holds is left alone"},
	{0},
};

/* A directory, or a container, which is one in a file: not what an image's name leads to. */
static bool is_place(const char *path)
{
	struct stat st;

	if (stat(path, &st) || S_ISDIR(st.st_mode))
		return !image_in_file(path);
	return is_container(path);
}

/* The directory is known. */
static int open_and_look(struct files *files)
{
	struct tool *t = files->t;
	struct cim_error err = {0};
	struct footer footer;
	int code;

	if (files->remove) {
		tool_catch_signals();
		tool_outlive_readers();
	}
	footer_look(&footer, files->dir);
	code = cim_store_open(NULL, files->dir, files->remove, &files->store, &err)
		       ? tool_fail_dir(t, "list", files->where, &err)
		       : look(files);
	if (!code && files->deleted && cim_store_sync(files->store, &err))
		code = tool_fail_dir(t, "delete in", files->where, &err);
	if (cim_store_unlocked(files->store))
		tool_tell_unlocked(t, "list", files->where);
	footer_tell(t, "list", files->where, &footer);
	cim_store_close(files->store);
	return code;
}

static int run(struct tool *t, int argc, char **argv)
{
	struct files files = {.t = t};
	struct stat st;
	char *real;
	char *dir;
	bool place;
	int code = tool_args(t, argc, argv, &files, 1, 1, "a directory or an image is needed");

	if (code)
		return code;
	if (files.remove && !files.orphans)
		return tool_usage(t, "--delete works with --orphans only");
	files.where = argv[optind];
	if (!is_container(files.where) && stat(files.where, &st) && !image_in_file(files.where))
		return tool_fail_path(t, "list", files.where);
	place = is_place(files.where);
	if (!place && files.orphans)
		return tool_usage(t, "--orphans is for a directory");
	real = place ? NULL : tool_image_path(t, "list", files.where, &code);
	if (code)
		return code;
	dir = place ? xstrdup(files.where) : split_image(real, &files.image);
	files.dir = dir;
	code = open_and_look(&files);
	free(dir);
	free(real);
	return code;
}

const struct command cmd_files = {
	.name = "files",
	.usage = "[OPTION]... DIR|CONTAINER|IMAGE",
	.summary = "tell which files belong to which image",
	.about = "Lists a directory's, or a container's, images, region and object ID files, each "
		 "with its size and "
		 "the images that need it; for an IMAGE only the files that it needs. So are "
		 "region files that are missing (exit status 4), or \"elsewhere\", with the "
		 "sources of "
		 "a merged image. \"No permission\" marks what the "
		 "user has no right to read: its name alone tells what it is, and any name but "
		 "those of region and object ID files is listed as an image's. \"Mounted\" and "
		 "\"in use\" (by a session that is writing) mark what must stay. While there is an "
		 "image that can't be read, what no other needs has an \"owner unknown\".",
	.options = options,
	.run = run,
};
