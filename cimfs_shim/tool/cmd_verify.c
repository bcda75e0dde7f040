/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_verify.c - cimtool verify: check an image against every rule of its format
 */
#include "tool.h"

struct verify {
	struct tool *t;
	const char *name;
	struct progress progress;
	struct cim_verify_result result;
	uint64_t count[3];
	bool deep;
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

	if (v->deep)
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

static void print_result(struct verify *v)
{
	if (v->t->json) {
		json_t *o = json_object();

		json_put_text(o, "image", v->name);
		json_put_text(o, "result", v->count[CIM_ERROR] ? "corrupt" : "ok");
		json_put_bool(o, "deep", v->deep);
		json_put_int(o, "errors", v->count[CIM_ERROR]);
		json_put_int(o, "warnings", v->count[CIM_WARNING]);
		json_put_int(o, "notes", v->count[CIM_NOTE]);
		json_put_int(o, "streams", v->result.streams);
		json_put_int(o, "streams_read", v->deep ? v->result.streams : 0);
		json_put_int(o, "streams_digest", v->result.streams_digest);
		json_put_int(o, "metadata", v->result.metadata);
		json_put_int(o, "metadata_digest", v->result.metadata_digest);
		json_print(stdout, o);
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
		.structure = "image",
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

static int verify(struct tool *t, const char *name, bool deep)
{
	struct verify v = {.t = t, .name = name, .result = {CIM_SIZED(v.result)}, .deep = deep};
	struct cim_env env = *cim_env_default();
	struct cim_error err = {0};
	struct cim_image *image = NULL;
	int code;
	char *real = tool_image_path(t, "verify", name, &code);

	if (!real)
		return code;
	env.struct_size = sizeof(env);
	env.progress = progress_callback;
	env.progress_ctx = &v.progress;
	progress_start(&v.progress, t, "verify");
	tool_catch_signals();
	tool_open_as(t, &env, real, &image, &err);
	free(real);
	v.opened = image != NULL;
	if (!image)
		return not_opened(&v, &err);
	if (cim_image_verify(image, deep ? CIM_VERIFY_DEEP : 0, on_finding, &v, &v.result, &err))
		code = tool_fail_cim(t, "verify", name, &err);
	progress_end(&v.progress);
	cim_image_close(image);
	if (code)
		return code;
	t->warnings += v.count[CIM_WARNING];
	print_result(&v);
	return v.count[CIM_ERROR] ? EXIT_CORRUPT : EXIT_OK;
}

/* Every image in it. */
static int verify_container(struct tool *t, const char *place, bool deep)
{
	struct verify v = {.t = t, .name = place, .deep = deep};
	const struct cim_store_file *f;
	struct cim_store *store;
	struct cim_error err = {0};
	bool is_empty = true;
	int code = EXIT_OK;

	if (cim_store_open(NULL, place, false, &store, &err))
		return not_opened(&v, &err);
	for (size_t i = 0; (f = cim_store_get(store, i)) != NULL && !tool_signal; i++) {
		char *name;
		int one;

		if (f->kind != CIM_KIND_IMAGE)
			continue;
		is_empty = false;
		name = image_in(place, f->name);
		one = verify(t, name, deep);
		if (one)
			code = one;
		free(name);
	}
	cim_store_close(store);
	return is_empty && !tool_signal
		       ? tool_fail(t, "verify", place, NULL, "there is no image in it")
		       : code;
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
		t->several = true;
		code = tool_verify_manifest(t, o.manifest);
		return code ? code : tool_check_sources(t);
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
		"checked. Exit status 4 if there are errors, 3 if there are only warnings.",
	.notes = "The work is done in one thread, whatever --threads says.",
	.options = options,
	.run = run,
};
