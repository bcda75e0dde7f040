/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_seal.c - cimtool seal: a container that nobody writes any more, and whose every byte can be
 * checked by one hash
 */
#include "tool.h"

#include <string.h>

/* @s in quotes that @begin, its own ones being @quote. */
static void put_quoted(const char *s, const char *begin, const char *quote,
		       void (*put)(FILE *f, const char *s))
{
	const char *end;

	fputs(begin, stdout);
	for (; (end = strchr(s, '\'')) != NULL; s = end + 1) {
		char *part = xstrndup(s, (size_t)(end - s));

		put(stdout, part);
		fputs(quote, stdout);
		free(part);
	}
	put(stdout, s);
	putchar('\'');
}

/* A file's name as a shell reads it, and no option. What a terminal mustn't see is escaped, as
 * $'...' has it. */
static void put_word(const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "%+,-./:=@_";
	struct text shown = {0};

	if (*s == '-')
		fputs("./", stdout);
	text_escape(&shown, s, strlen(s), ESCAPE_BACKSLASH_NOT);
	if (!s[strspn(s, plain)])
		fputs(s, stdout);
	else if (!strcmp(shown.s, s))
		put_quoted(s, "'", "'\\''", put_target);
	else
		put_quoted(s, "$'", "\\'", put_escaped);
	text_free(&shown);
}

static void print_text(const char *container, const char *root, uint64_t offset)
{
	put_escaped(stdout, container);
	printf(": sealed, root hash %s\n", root);
	fputs("  veritysetup verify ", stdout);
	put_word(container);
	putchar(' ');
	put_word(container);
	printf(" %s --hash-offset=%llu\n", root, (unsigned long long)offset);
}

static void print_json(const struct tool *t, const char *container, const uint8_t *root,
		       uint64_t offset)
{
	json_t *o = json_summary(t);

	json_put_text(o, "container", container);
	json_put_hex(o, "root_hash", root, CIM_ROOT_HASH);
	json_put_int(o, "hash_offset", offset);
	json_print(stdout, o);
}

static enum cim_status make_seal(struct tool *t, const char *container, uint8_t *root,
				 bool *unlocked, struct cim_error *err)
{
	struct progress progress;
	const struct cim_env env = progress_env(&progress);
	enum cim_status status;

	progress_start(&progress, t, "seal");
	tool_catch_signals();
	status = cim_container_seal(&env, container, root, unlocked, err);
	progress_end(&progress);
	return status;
}

static int seal(struct tool *t, const char *container)
{
	struct cim_container_info info = {CIM_SIZED(info)};
	struct cim_error err = {0};
	uint8_t root[CIM_ROOT_HASH];
	enum cim_status status;
	struct footer footer;
	bool unlocked;
	char *hex;

	tool_outlive_readers();
	footer_look(&footer, container);
	status = make_seal(t, container, root, &unlocked, &err);
	footer_tell(t, "seal", container, &footer);
	if (unlocked)
		tool_tell_unlocked(t, "seal", container);
	if (status == CIM_E_INVALID && !cim_container_get_info(NULL, container, &info, NULL) &&
	    !info.to_be_sealed)
		return tool_fail(t, "seal", container, NULL,
				 "the container wasn't made to be sealed; \"cimtool convert "
				 "--container --sealable\" copies it into one that is");
	if (status)
		return tool_fail_dir(t, "seal", container, &err);
	t->done = "the container is sealed all the same";
	if (cim_container_get_info(NULL, container, &info, &err))
		return tool_fail_cim(t, "look at", container, &err);
	hex = hex_text(root, sizeof(root));
	if (t->json)
		print_json(t, container, root, info.size);
	else if (t->quiet)
		puts(hex);
	else
		print_text(container, hex, info.size);
	free(hex);
	return EXIT_OK;
}

static int run(struct tool *t, int argc, char **argv)
{
	int code = tool_args(t, argc, argv, NULL, 1, 1, "CONTAINER is missing");
	char *container;

	if (code)
		return code;
	if (image_in_file(argv[optind]))
		return tool_usage(t, "'%s' names an image: a container is sealed as a whole",
				  argv[optind]);
	container = bare_place(argv[optind]);
	code = seal(t, container);
	free(container);
	return code;
}

const struct command cmd_seal = {
	.name = "seal",
	.usage = "[OPTION]... CONTAINER",
	.summary = "let every change of a container show",
	.about = "Hashes all of CONTAINER, which was made with --sealable, and writes the tree of "
		 "hashes behind it. From then on nobody writes to it, and whoever knows its root "
		 "hash, which is printed, can tell whether any byte is another than it was. Sealed "
		 "again it has the same root hash.",
	.notes = "--quiet prints nothing but the root hash.",
	.run = run,
};
