/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - begin and end writing an image
 *
 * However a command ends, by an error, a signal or for want of memory, its session is closed, which
 * removes every file that was not published.
 */
#include "write.h"

static void close_hook(void *arg)
{
	session_close(arg);
}

static void begin(struct session *s, struct tool *t, const char *op, const char *image,
		  const char *parent)
{
	memset(s, 0, sizeof(*s));
	s->t = t;
	s->op = op;
	s->image = image;
	s->path = image_path_of(image);
	s->dir = split_image(s->path, &s->name);
	if (parent)
		s->base = xasprintf("%s/%s", s->dir, *parent ? parent : s->name);
	s->env = progress_env(&s->progress);
	progress_start(&s->progress, t, t->command->name);
	tool_catch_signals();
	tool_outlive_readers();
}

int session_open(struct session *s, struct tool *t, const char *op, const char *image,
		 const char *parent, const struct write_options *options)
{
	struct cim_error err = {0}, kind = {0};
	enum cim_status status;
	struct footer footer;
	unsigned flags;
	int code = container_flags(t, image, &options->place, &flags);

	if (code)
		return code;
	begin(s, t, op, image, parent);
	footer_look(&footer, s->dir);
	flags |= (options->consistent ? CIM_WRITE_CONSISTENT : 0) |
		 (options->as_stored ? CIM_WRITE_AS_STORED : 0);
	status = cim_writer_open(&s->env, s->dir, parent && !*parent ? s->name : parent, s->name,
				 flags, &s->writer, &err);
	footer_tell(t, op, image, &footer);
	if (status) {
		offer_force(&options->place, s->dir, &err);
		code = status == CIM_E_EXISTS && image_check_kind(image, &kind)
			       ? tool_fail(t, op, image, NULL, "%s", kind.cause)
			       : tool_fail_dir(t, op, image, &err);
		session_close(s);
		return code;
	}
	tool_set_cleanup(close_hook, s);
	if (cim_writer_unlocked(s->writer))
		tool_tell_unlocked(t, op, image);
	return EXIT_OK;
}

void session_close(struct session *s)
{
	tool_set_cleanup(NULL, NULL);
	progress_end(&s->progress);
	cim_writer_close(s->writer);
	s->writer = NULL;
	free(s->dir);
	free(s->path);
	free(s->base);
	s->dir = s->path = s->base = NULL;
	capture_forget_links(s);
}

struct written {
	struct tool *t;
	const char *image;
};

static int print_finding(void *ctx, const struct cim_finding *finding)
{
	const struct written *w = ctx;

	if (finding->severity == CIM_ERROR)
		tool_fail(w->t, "verify", w->image, finding->path, "%s at 0x%llx: %s",
			  finding->structure, (unsigned long long)finding->offset,
			  finding->message);
	return tool_signal != 0;
}

int verify_written(struct tool *t, const struct cim_env *env, const char *path, const char *image,
		   bool merged)
{
	struct cim_error err = {0};
	struct cim_image *opened;
	struct cim_verify_result result = {CIM_SIZED(result)};
	struct written written = {t, image};
	enum cim_status status = merged ? tool_open_as(t, env, path, &opened, &err)
					: cim_image_open(env, path, &opened, &err);
	int code = EXIT_OK;

	if (status)
		return tool_fail_cim(t, "verify", image, &err);
	if (cim_image_verify(opened, CIM_VERIFY_DEEP, print_finding, &written, &result, &err))
		code = tool_fail_cim(t, "verify", image, &err);
	else if (result.errors)
		code = EXIT_CORRUPT;
	cim_image_close(opened);
	return code;
}

/* What of a merged image is its own: directories and records. */
static int own_bytes(struct session *s, uint64_t *bytes)
{
	const struct cim_region_set *set;
	struct cim_error err = {0};
	struct cim_image *image;
	enum cim_status status = cim_image_open(NULL, s->path, &image, &err);
	uint64_t one;

	set = status ? NULL : cim_image_get_set(image, cim_image_get_info(image)->set_count - 1);
	*bytes = 0;
	for (uint32_t i = 0; !status && i < set->count; i++) {
		status = cim_image_region_size(image, set->first + i, &one, &err);
		*bytes += status ? 0 : one;
	}
	cim_image_close(image);
	return status ? tool_fail_cim(s->t, "read", s->image, &err) : EXIT_OK;
}

static void print_merged(struct session *s, const struct cim_writer_stats *stats, double seconds)
{
	char size[32];

	put_escaped(stdout, s->image);
	printf(": %lu source%s merged, %s stored, %.1f seconds\n", s->merged, plural(s->merged),
	       size_text(stats->stored_bytes, size, sizeof(size)), seconds);
}

static void print_summary(struct session *s, const struct cim_writer_stats *stats, double seconds)
{
	char bytes[32];
	char stored[32];

	put_escaped(stdout, s->image);
	printf(": %llu item%s, %s in %llu stream%s, %s stored", (unsigned long long)s->items,
	       plural(s->items), size_text(stats->bytes, bytes, sizeof(bytes)),
	       (unsigned long long)stats->streams, plural(stats->streams),
	       size_text(stats->stored_bytes, stored, sizeof(stored)));
	if (s->deleted)
		printf(", %lu path%s deleted", s->deleted, plural(s->deleted));
	if (s->tombstones)
		printf(", %lu tombstone%s", s->tombstones, plural(s->tombstones));
	printf(", %.1f seconds\n", seconds);
}

static void print_json(struct session *s, const struct cim_writer_stats *stats, double seconds)
{
	json_t *o = json_summary(s->t);

	json_put_text(o, "image", s->image);
	if (s->merged) {
		json_put_int(o, "sources", s->merged);
	} else {
		json_put_int(o, "items", s->items);
		json_put_int(o, "streams", stats->streams);
		json_put_int(o, "bytes", stats->bytes);
	}
	json_put_int(o, "stored_bytes", stats->stored_bytes);
	if (s->deleted)
		json_put_int(o, "deleted", s->deleted);
	if (s->tombstones)
		json_put_int(o, "tombstones", s->tombstones);
	json_put_int(o, "milliseconds", (uint64_t)(seconds * 1000));
	json_put_int(o, "warnings", s->t->warnings);
	json_print(stdout, o);
}

/* Nothing is to stand in the way of the commit. */
static int commit(struct session *s, struct cim_writer_stats *stats)
{
	struct cim_error err = {0};

	if (tool_signal)
		return tool_interrupted();
	if (s->t->strict && s->t->warnings)
		return tool_fail(s->t, s->op, s->image, NULL,
				 "nothing is written, for a warning is a failure (--strict)");
	if (cim_writer_get_stats(s->writer, stats, &err) || cim_writer_commit(s->writer, &err))
		return tool_fail_cim(s->t, s->op, s->image, &err);
	cim_writer_close(s->writer);
	s->writer = NULL;
	s->t->done = "the image is written all the same";
	return EXIT_OK;
}

int session_commit(struct session *s, const struct write_options *options)
{
	struct cim_writer_stats stats = {CIM_SIZED(stats)};
	double seconds;
	int code = commit(s, &stats);

	if (!code && options->verify)
		code = verify_written(s->t, &s->env, s->path, s->image, s->merged);
	if (!code && s->merged)
		code = own_bytes(s, &stats.stored_bytes);
	seconds = progress_seconds(&s->progress);
	progress_end(&s->progress);
	if (!code && s->t->json)
		print_json(s, &stats, seconds);
	else if (!code && !s->t->quiet && s->merged)
		print_merged(s, &stats, seconds);
	else if (!code && !s->t->quiet)
		print_summary(s, &stats, seconds);
	session_close(s);
	return code;
}
