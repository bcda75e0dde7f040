/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_merge.c - cimtool merge: an image that shows others, one over the other
 */
#include "write.h"

struct merge {
	struct write_options options;
	bool verified;
};

/* What the source that was just added has and NEW hasn't. @told: of those before it. */
static void tell_dropped(struct session *s, const char *source, uint64_t *told)
{
	struct cim_writer_stats stats = {CIM_SIZED(stats)};

	if (cim_writer_get_stats(s->writer, &stats, NULL) || stats.dropped_flags == *told)
		return;
	tool_warn(s->t, "add source", source, NULL,
		  "unknown flags aren't stored, of %llu item%s: in %s they would come to be marks",
		  (unsigned long long)(stats.dropped_flags - *told),
		  stats.dropped_flags - *told == 1 ? "" : "s", s->image);
	*told = stats.dropped_flags;
}

/* A source that was named before: that has all of it on top already (container.md 3). */
static void tell_twice(struct session *s, char *const *sources, size_t count)
{
	char *full = image_full_path(sources[count]);
	bool twice = false;

	for (size_t i = 0; i < count && full && !twice; i++) {
		char *other = image_full_path(sources[i]);

		twice = other && !strcmp(full, other);
		free(other);
	}
	if (twice)
		tool_note(s->t, s->op, s->image,
			  "%s is a source twice: below itself it shows nothing more",
			  sources[count]);
	free(full);
}

/* Topmost first. They are what the result is opened with, too. */
static int add_sources(struct session *s, char *const *sources, size_t count, unsigned flags)
{
	struct cim_error err = {0};
	uint64_t told = 0;
	int code = EXIT_OK;

	for (size_t i = 0; !code && i < count; i++) {
		code = tool_add_source(s->t, sources[i]);
		if (!code && cim_writer_add_source(s->writer, s->t->sources[s->t->source_count - 1],
						   flags, &err))
			code = tool_fail_cim(s->t, "add source", sources[i], &err);
		if (!code)
			tell_dropped(s, sources[i], &told);
		if (!code)
			tell_twice(s, sources, i);
		if (!code && tool_signal)
			code = tool_interrupted();
		s->merged++;
		tool_verbose(s->t, "added %s", sources[i]);
	}
	return code;
}

static int merge(struct tool *t, const char *image, char *const *sources, size_t count,
		 const struct merge *wanted)
{
	struct session session;
	int code = session_open(&session, t, "merge", image, NULL, &wanted->options);

	if (code)
		return code;
	code = add_sources(&session, sources, count, wanted->verified ? CIM_SOURCE_VERIFIED : 0);
	if (!code)
		return session_commit(&session, &wanted->options);
	session_close(&session);
	return code;
}

static const struct arg_option options[] = {
	RESULT_OPTIONS(struct merge, options),
	{.name = "verified",
	 ARG_SETS(struct merge, verified),
	 .help = "each SOURCE is in a sealed container (cimtool-seal(1)), and NEW holds its root "
		 "hash: where NEW is read by --root-hash, nothing but what was sealed there is"},
	CONTAINER_OPTIONS(struct merge, options.place),
	SOURCE_OPTION,
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct merge wanted = {0};
	const char *file;
	int code = tool_args(t, argc, argv, &wanted, 2, ANY_NUMBER, "NEW and SOURCE are needed");

	if (code)
		return code;
	free(split_image(argv[optind], &file));
	if (!*file)
		return tool_usage(t, "'%s' names a directory, not an image", argv[optind]);
	return merge(t, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1), &wanted);
}

const struct command cmd_merge = {
	.name = "merge",
	.usage = "[OPTION]... NEW SOURCE...",
	.summary = "make an image that shows others, one over the other",
	.about = "Makes the new image NEW, which holds the directories that the SOURCE images make "
		 "when they are laid over each other, the first one on top, and shows files where "
		 "the SOURCEs have them: so these are needed for as long as NEW is. What several "
		 "have at one path is the topmost one's, but directories are united.\n"
		 "\n"
		 "A SOURCE may be in another directory, or in a container. Then commands are told "
		 "of it by --source, and cimfs-mount(1) in its own way; nothing in NEW says where "
		 "it is. One that is merged itself is needed with all that it was made of.",
	.options = options,
	.run = run,
};
