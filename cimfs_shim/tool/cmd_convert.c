/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_convert.c - cimtool convert: images into another directory or container
 *
 * One image, with all that it needs; or all images of a directory or a container, one after the
 * other, so that those which share region sets share them there, too. As they are, or flattened:
 * written anew, without parents and sources.
 */
#include "write.h"

#include <sys/stat.h>

struct convert {
	struct tool *t;
	struct write_options options;
	bool flatten;
	unsigned flags; /* of the options, what containers need */
	struct cim_env env;
	struct progress progress;
	unsigned long converted;
	bool unlocked; /* there are no locks, which was told */
};

/* An image to be made: from what, and where. */
struct job {
	const char *from;  /* the image's path */
	const char *shown; /* as the user names it */
	const char *place, *name;
	const char *image; /* the two together */
};

/* ---- as it is ---- */

struct result {
	uint32_t sets;
	uint64_t bytes;
};

/* What was made: the region files that it needs, there before or not. */
static int look_at_copy(struct convert *c, const char *image, struct result *result)
{
	const struct cim_region_set *set;
	struct cim_image *opened;
	struct cim_error err = {0};
	enum cim_status status = cim_image_open(NULL, image, &opened, &err);
	uint64_t one;

	for (uint32_t i = 0; !status && (set = cim_image_get_set(opened, i)); i++) {
		result->sets++;
		for (uint32_t k = 0; !status && k < set->count; k++) {
			status = cim_image_region_size(opened, set->first + k, &one, &err);
			result->bytes += status ? 0 : one;
		}
	}
	cim_image_close(opened);
	return status ? tool_fail_cim(c->t, "read", image, &err) : EXIT_OK;
}

static void print_copy(struct convert *c, const char *image, const struct result *result)
{
	const double seconds = progress_seconds(&c->progress);
	char size[32];
	json_t *o;

	if (c->t->json) {
		o = json_summary(c->t);
		json_put_text(o, "image", image);
		json_put_int(o, "region_sets", result->sets);
		json_put_int(o, "bytes", result->bytes);
		json_put_int(o, "milliseconds", (uint64_t)(seconds * 1000));
		json_print(stdout, o);
	} else if (!c->t->quiet) {
		put_escaped(stdout, image);
		printf(": copied, %lu region set%s of %s, %.1f seconds\n",
		       (unsigned long)result->sets, plural(result->sets),
		       size_text(result->bytes, size, sizeof(size)), seconds);
	}
}

static int copy_image(struct convert *c, const struct job *job)
{
	struct result result = {0};
	struct cim_error err = {0};
	struct footer footer;
	bool unlocked;
	int code = EXIT_OK;

	progress_start(&c->progress, c->t, "convert");
	footer_look(&footer, job->place);
	if (cim_image_copy(&c->env, job->from, job->place, job->name, c->flags,
			   tool_root_hash(c->t), &unlocked, &err)) {
		offer_force(&c->options.place, job->place, &err);
		code = tool_fail_dir(c->t, "convert",
				     err.status == CIM_E_EXISTS ? job->image : job->shown, &err);
	} else {
		c->t->done = "what was converted is there all the same";
	}
	footer_tell(c->t, "convert", job->image, &footer);
	if (unlocked && !c->unlocked)
		tool_tell_unlocked(c->t, "convert", job->image);
	c->unlocked |= unlocked;
	if (!code && c->options.verify)
		code = verify_written(c->t, &c->env, job->image, job->image, false);
	if (!code)
		code = look_at_copy(c, job->image, &result);
	progress_end(&c->progress);
	if (!code)
		print_copy(c, job->image, &result);
	return code;
}

/* ---- anew ---- */

static int flatten_image(struct convert *c, const struct job *job)
{
	struct session session;
	int code;
	struct cim_image *image = tool_open(c->t, job->shown, &code);

	if (!image)
		return code;
	code = session_open(&session, c->t, "convert", job->image, NULL, &c->options);
	if (!code) {
		code = flatten(&session, image, job->shown);
		if (!code)
			code = session_commit(&session, &c->options);
		else
			session_close(&session);
	}
	cim_image_close(image);
	return code;
}

/* ---- one, and all ---- */

static int convert_image(struct convert *c, const struct job *job)
{
	int code = (c->flatten ? flatten_image : copy_image)(c, job);

	c->converted += !code;
	/* A device holds images now. */
	c->flags &= ~(unsigned)CIM_WRITE_FORCE;
	c->options.place.force = false;
	return code;
}

/* All of a place; the first that can't be converted ends it. */
static int convert_all(struct convert *c, const char *from, const char *to)
{
	const struct cim_store_file *f;
	struct cim_store *store = NULL;
	struct cim_error err = {0};
	int code = EXIT_OK;

	if (cim_store_open(NULL, from, false, &store, &err))
		return tool_fail_dir(c->t, "read", from, &err);
	for (size_t i = 0; !code && (f = cim_store_get(store, i)) != NULL; i++) {
		char *path, *image;

		if (f->kind != CIM_KIND_IMAGE)
			continue;
		path = image_in(from, f->name);
		image = image_in(to, f->name);
		code = convert_image(c, &(struct job){path, path, to, f->name, image});
		free(image);
		free(path);
	}
	cim_store_close(store);
	if (!code && !c->converted)
		code = tool_fail(c->t, "convert", from, NULL, "there are no images in it");
	return code;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Is it where the copy is to be, rather than its name? */
static bool is_place(const char *to)
{
	return is_directory(to) || is_container(to) || (*to && to[strlen(to) - 1] == '/');
}

/* One image, to the name @to; or into the place @to, under its own. */
static int convert_one(struct convert *c, const char *from, const char *to)
{
	struct job job = {.shown = from};
	char *path, *place, *image;
	int code;

	path = tool_image_path(c->t, "convert", from, &code);
	if (!path)
		return code;
	job.from = path;
	free(split_image(path, &job.name));
	image = is_place(to) ? image_in(to, job.name) : xstrdup(to);
	place = split_image(image, &job.name);
	job.image = image;
	job.place = place;
	code = container_flags(c->t, image, &c->options.place, &c->flags);
	if (!code)
		code = convert_image(c, &job);
	free(place);
	free(image);
	free(path);
	return code;
}

static const struct arg_option options[] = {
	{.name = "flatten",
	 ARG_SETS(struct convert, flatten),
	 .help = "write all that IMAGE shows anew: NEW has no parents, no sources, and nothing "
		 "that it doesn't need"},
	RESULT_OPTIONS(struct convert, options),
	CONTAINER_OPTIONS(struct convert, options.place),
	OPEN_OPTIONS,
	{0},
};

static int convert(struct convert *c, const char *from, const char *to)
{
	char *place;
	int code;

	if (!c->flatten && (c->options.consistent || c->t->source_count))
		return tool_usage(c->t, "--consistent and --source work with --flatten only");
	if (!is_directory(from) && !is_container(from))
		return convert_one(c, from, to);
	c->t->several = true;
	place = bare_place(to);
	code = place_flags(c->t, to, place, &c->options.place, &c->flags);
	if (!code)
		code = convert_all(c, from, place);
	free(place);
	return code ? code : tool_check_sources(c->t);
}

static int run(struct tool *t, int argc, char **argv)
{
	struct convert c = {.t = t, .options = {.as_stored = true}};
	int code = tool_args(t, argc, argv, &c, 2, 2, "IMAGE and NEW are needed");

	if (code)
		return code;
	c.env = progress_env(&c.progress);
	tool_catch_signals();
	tool_outlive_readers();
	return convert(&c, argv[optind], argv[optind + 1]);
}

const struct command cmd_convert = {
	.name = "convert",
	.usage = "[OPTION]... IMAGE|CONTAINER|DIR NEW",
	.summary = "copy images with all that they need, into and out of containers, too",
	.about =
		"Copies IMAGE with its region and object ID files, those of its parents too, as "
		"they are. NEW is the copy's name, e.g. dir/layer.cim or all.bcim/layer.cim; or an "
		"existing directory or container, where it has the name of IMAGE.\n"
		"\n"
		"Of a CONTAINER or a DIR all images are copied. NEW is a directory or a container "
		"then; with --container or --block one is made. What images share is shared there, "
		"too, and a container that is made so has lost hardly any room.",
	.notes = "Each image is there whole, or not at all. If one of several can't be copied, "
		 "those "
		 "before it are. With --flatten PE images are stored as plain data, and what the "
		 "records "
		 "of a later version have behind the fields that are known is left out, with a "
		 "warning.",
	.options = options,
	.run = run,
};
