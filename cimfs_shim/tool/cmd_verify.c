/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_verify.c - cimtool verify: check an image against every rule of its format
 */
#include "tool.h"

#include <string.h>

struct verify {
	struct tool *t;
	const char *name;
	struct progress progress;
	struct cim_verify_result result;
	uint64_t count[3];
	unsigned part; /* CIM_VERIFY_*, where a container is checked */
	bool deep;
	bool sealed; /* that container */
	bool opened;
};

static const char *const severities[] = {
	[CIM_NOTE] = "note",
	[CIM_WARNING] = "warning",
	[CIM_ERROR] = "error",
};

static int on_finding(void *ctx, const struct cim_finding *f)
{
	struct verify *v = ctx;

	v->count[f->severity]++;
	if (f->severity == CIM_NOTE && !v->t->verbose && !v->t->json)
		return tool_signal != 0;
	progress_clear();
	if (v->t->json) {
		json_t *o = json_object();
		char offset[32];

		snprintf(offset, sizeof(offset), "0x%llx", (unsigned long long)f->offset);
		json_put_text(o, "severity", severities[f->severity]);
		json_put_text(o, "structure", f->structure);
		json_put_text(o, "offset", offset);
		json_put_text(o, "path", f->path);
		json_put_text(o, "message", f->message);
		json_print(stdout, o);
		return tool_signal != 0;
	}
	printf("%s: %s", severities[f->severity], f->structure);
	if (f->offset)
		printf(" at 0x%llx", (unsigned long long)f->offset);
	if (*f->path) {
		fputs(": ", stdout);
		put_escaped(stdout, f->path);
	}
	fputs(": ", stdout);
	put_escaped(stdout, f->message);
	putchar('\n');
	return tool_signal != 0;
}

/* What an image may hold that nobody would see. */
static void print_unchecked(const struct verify *v)
{
	const struct cim_verify_result *r = &v->result;

	if (v->part & CIM_VERIFY_CONTAINER)
		fputs(v->deep || !v->sealed ? "" : "  not checked without --deep: its seal\n",
		      stdout);
	else if (v->deep)
		printf("  %llu of %llu streams and %llu of %llu pieces of metadata had a digest "
		       "that could "
		       "be checked\n",
		       (unsigned long long)r->streams_digest, (unsigned long long)r->streams,
		       (unsigned long long)r->metadata_digest, (unsigned long long)r->metadata);
	else if (r->streams)
		printf("  not checked without --deep: the data of %llu stream%s, and digests\n",
		       (unsigned long long)r->streams, plural(r->streams));
	else if (r->metadata)
		printf("  not checked without --deep: digests\n");
}

static void print_json(const struct verify *v)
{
	const bool image = !(v->part & CIM_VERIFY_CONTAINER);
	json_t *o = json_object();

	json_put_text(o, image ? "image" : "container", v->name);
	json_put_text(o, "result", v->count[CIM_ERROR] ? "corrupt" : "ok");
	json_put_bool(o, "deep", v->deep);
	json_put_int(o, "errors", v->count[CIM_ERROR]);
	json_put_int(o, "warnings", v->count[CIM_WARNING]);
	json_put_int(o, "notes", v->count[CIM_NOTE]);
	if (image) {
		json_put_int(o, "streams", v->result.streams);
		json_put_int(o, "streams_read", v->deep ? v->result.streams : 0);
		json_put_int(o, "streams_digest", v->result.streams_digest);
		json_put_int(o, "metadata", v->result.metadata);
		json_put_int(o, "metadata_digest", v->result.metadata_digest);
	}
	json_print(stdout, o);
}

static void print_result(struct verify *v)
{
	if (v->t->json) {
		print_json(v);
	} else if (!v->t->quiet) {
		put_escaped(stdout, v->name);
		printf(": %s (%llu error%s, %llu warning%s, %llu note%s)\n",
		       v->count[CIM_ERROR] ? "corrupt" : "ok",
		       (unsigned long long)v->count[CIM_ERROR], plural(v->count[CIM_ERROR]),
		       (unsigned long long)v->count[CIM_WARNING], plural(v->count[CIM_WARNING]),
		       (unsigned long long)v->count[CIM_NOTE], plural(v->count[CIM_NOTE]));
		if (v->opened)
			print_unchecked(v);
	}
}

/* Not even opened for being broken: a finding too. */
static int not_opened(struct verify *v, const struct cim_error *err)
{
	const struct cim_finding f = {
		.severity = CIM_ERROR,
		.structure = v->part & CIM_VERIFY_CONTAINER ? "container" : "image",
		.path = "",
		.message = err->cause,
	};
	int code;

	progress_end(&v->progress);
	code = tool_fail_open(v->t, "verify", v->name, err);
	if (err->status != CIM_E_CORRUPT)
		return code;
	if (v->t->json)
		on_finding(v, &f);
	else
		v->count[CIM_ERROR]++; /* it is told already */
	print_result(v);
	return code;
}

/* Of a container that isn't sealed and breaks no rule there is nothing to tell but of its images.
 */
static bool is_told(const struct verify *v)
{
	return !(v->part & CIM_VERIFY_CONTAINER) || v->sealed || v->t->json || v->t->verbose ||
	       v->count[CIM_ERROR] || v->count[CIM_WARNING];
}

static int check(struct verify *v, struct cim_image *image)
{
	const unsigned flags = v->part | (v->deep ? CIM_VERIFY_DEEP : 0);
	struct cim_error err = {0};

	if (cim_image_verify(image, flags, on_finding, v, &v->result, &err))
		return tool_fail_cim(v->t, "verify", v->name, &err);
	progress_end(&v->progress);
	v->t->warnings += v->count[CIM_WARNING];
	if (is_told(v))
		print_result(v);
	return v->count[CIM_ERROR] ? EXIT_CORRUPT : EXIT_OK;
}

static struct cim_image *open_to_check(struct verify *v, const char *path, struct cim_error *err)
{
	const struct cim_env env = progress_env(&v->progress);
	struct cim_image *image = NULL;

	progress_start(&v->progress, v->t, "verify");
	tool_catch_signals();
	tool_open_as(v->t, &env, path, &image, err);
	v->opened = image != NULL;
	return image;
}

static int verify_part(struct tool *t, const char *name, unsigned part, bool deep)
{
	struct verify v = {
		.t = t, .name = name, .result = {CIM_SIZED(v.result)}, .part = part, .deep = deep};
	struct cim_error err = {0};
	struct cim_image *image;
	int code;
	char *real = tool_image_path(t, "verify", name, &code);

	if (!real)
		return code;
	image = open_to_check(&v, real, &err);
	free(real);
	code = image ? check(&v, image) : not_opened(&v, &err);
	progress_end(&v.progress);
	cim_image_close(image);
	return code;
}

static int verify(struct tool *t, const char *name, bool deep)
{
	return verify_part(t, name, 0, deep);
}

/* Itself, by the first image in it that can be opened. If it has @another root hash than was asked
 * for none can; what else keeps all of them from that is told of each. */
static int verify_place(struct verify *v, struct cim_store *store, bool another)
{
	const struct cim_store_file *f;
	struct cim_image *image = NULL;
	struct cim_error err = {0};
	int code = EXIT_OK;

	for (size_t i = 0; !image && (f = cim_store_get(store, i)) != NULL; i++) {
		char *name = image_in(v->name, f->name);

		if (f->kind == CIM_KIND_IMAGE)
			image = open_to_check(v, name, &err);
		free(name);
	}
	if (image)
		code = check(v, image);
	else if (another)
		code = not_opened(v, &err);
	progress_end(&v->progress);
	cim_image_close(image);
	return code;
}

static int verify_images(struct tool *t, const char *place, struct cim_store *store, bool deep)
{
	const struct cim_store_file *f;
	int code = EXIT_OK;

	for (size_t i = 0; (f = cim_store_get(store, i)) != NULL && !tool_signal; i++) {
		char *name = image_in(place, f->name);
		int one = EXIT_OK;

		if (f->kind == CIM_KIND_IMAGE)
			one = verify_part(t, name, CIM_VERIFY_NO_CONTAINER, deep);
		if (one)
			code = one;
		free(name);
	}
	return code;
}

/* Itself, and every image in it. */
static int verify_container(struct tool *t, const char *place, bool deep)
{
	struct verify v = {.t = t, .name = place, .part = CIM_VERIFY_CONTAINER, .deep = deep};
	struct cim_container_info info = {CIM_SIZED(info)};
	struct cim_store *store = NULL;
	struct cim_error err = {0};
	bool another;
	int code, of_images = EXIT_OK;

	v.result.struct_size = sizeof(v.result);
	if (cim_container_get_info(NULL, place, &info, &err) ||
	    cim_store_open(NULL, place, false, &store, &err))
		return not_opened(&v, &err);
	v.sealed = info.sealed && !info.seal_elsewhere;
	another = t->verified && (!info.sealed || memcmp(t->root_hash, info.root_hash,
							 sizeof(info.root_hash)) != 0);
	if (info.images)
		code = verify_place(&v, store, another);
	else
		code = tool_fail(t, "verify", place, NULL, "there is no image in it");
	if (!another)
		of_images = verify_images(t, place, store, deep);
	cim_store_close(store);
	return of_images ? of_images : code;
}

struct verify_options {
	const char *manifest;
	bool deep;
};

static const struct arg_option options[] = {
	{.name = "deep",
	 ARG_SETS(struct verify_options, deep),
	 .help = "read every byte, and compare digests where there are any"},
	{.name = "manifest",
	 .meta = "FILE",
	 ARG_SETS(struct verify_options, manifest),
	 .help = "instead: compare the images that FILE names, which lie beside it, with what it "
		 "says they hold; each difference is a line, and any makes the exit status 4. "
		 "cimfs-conformance --export writes such a file"},
	OPEN_OPTIONS,
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct verify_options o = {0};
	int code = tool_args(t, argc, argv, &o, 0, ANY_NUMBER, NULL);

	if (code)
		return code;
	if (o.manifest && (optind < argc || t->source_count || t->verified))
		return tool_usage(t, "--manifest names the images itself");
	if (o.manifest) {
		tool_catch_signals();
		return tool_verify_manifest(t, o.manifest);
	}
	if (optind == argc)
		return tool_usage(t, "IMAGE is missing");
	t->several = argc - optind > 1 || is_container(argv[optind]);
	for (; optind < argc; optind++) {
		const char *name = argv[optind];
		int one = (is_container(name) ? verify_container : verify)(t, name, o.deep);

		if (one)
			code = one;
		if (tool_signal)
			return tool_interrupted();
	}
	return code ? code : tool_check_sources(t);
}

const struct command cmd_verify = {
	.name = "verify",
	.alias = "fsck",
	.usage =
		"[OPTION]... IMAGE|CONTAINER...\n       cimtool verify [OPTION]... --manifest=FILE",
	.summary = "check an image",
	.about =
		"Checks an image against every rule of its format and prints each finding: "
		"severity, structure, its place (bits 48-63 the region, the rest the byte in its "
		"file), path and what is wrong. Notes only with --verbose or --json. Tells also "
		"what it couldn't check: data is read with --deep only, and what has no digest, or "
		"one by another writer, can't be compared. Of a container every image in it is "
		"checked, and the container itself once. Exit status 4 if there are errors, 3 if "
		"there are only warnings.",
	.notes = "The work is done in one thread, whatever --threads says.",
	.options = options,
	.run = run,
};
