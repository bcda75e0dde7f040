/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - cimtool's table of commands, and its help
 */
#include "tool.h"

#include <sys/resource.h>

#include "../host/standard.h"

static int run_help(struct tool *t, int argc, char **argv);
static int run_version(struct tool *t, int argc, char **argv);

static const struct command cmd_help = {
	.name = "help",
	.usage = "[COMMAND | exit-codes]",
	.summary = "tell about cimtool or about one command",
	.about =
		"\"cimtool help COMMAND\" tells all about one command, \"cimtool help exit-codes\" "
		"what the exit status means.",
	.run = run_help,
};

static const struct command cmd_version = {
	.name = "version",
	.usage = "",
	.summary = "print the version",
	.about = "Prints the version of cimtool and libcim.",
	.run = run_version,
};

static const struct command *const commands[] = {
	&cmd_create,	&cmd_append, &cmd_fork,	  &cmd_merge,  &cmd_seal,    &cmd_convert,
	&cmd_tombstone, &cmd_vhd,    &cmd_ls,	  &cmd_stat,   &cmd_cat,     &cmd_extract,
	&cmd_info,	&cmd_dump,   &cmd_diff,	  &cmd_verify, &cmd_files,   &cmd_rm,
	&cmd_mount,	&cmd_umount, &cmd_mounts, &cmd_help,   &cmd_version,
};

static const char exit_help[] =
	"Exit status:\n"
	"  0  success; for diff: the images are alike\n"
	"  1  the operation failed; for diff: the images differ\n"
	"  2  " EXIT_USAGE_TEXT "; for diff: also any failure\n"
	"  3  completed with warnings: something could not be stored or restored\n"
	"     (--strict: 1 instead)\n"
	"  4  " EXIT_CORRUPT_TEXT ",\n"
	"     or verify found errors\n"
	"  5  " EXIT_UNSUPPORTED_TEXT "\n"
	"129, 130, 143  ended by SIGHUP, SIGINT, SIGTERM, as a shell tells it\n";

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const struct command *c = commands[i];

		if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name)))
			return c;
	}
	return NULL;
}

static void print_overview(void)
{
	puts("Usage: cimtool COMMAND [OPTION]... ARGUMENT...\n"
	     "\n"
	     "Make, look into, unpack and check Composite Images (CIM), without mounting.\n");
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const struct command *c = commands[i];
		char name[32];

		snprintf(name, sizeof(name), "%s%s%s", c->name, c->alias ? ", " : "",
			 c->alias ? c->alias : "");
		printf("  %-18s %s\n", name, c->summary);
	}
	usage_common();
	putchar('\n');
	help_text(
		"\"cimtool help COMMAND\" tells about a command, \"cimtool help exit-codes\" about "
		"the exit status. --threads has an effect in create, append, fork --add, extract, "
		"diff and dump; the other commands, and create --from-dump, work with one thread.");
}

static int run_help(struct tool *t, int argc, char **argv)
{
	const struct command *c;

	if (tool_args(t, argc, argv, NULL, 0, 1, NULL))
		return EXIT_USAGE;
	if (optind == argc) {
		print_overview();
		return EXIT_OK;
	}
	if (!strcmp(argv[optind], "exit-codes")) {
		fputs(exit_help, stdout);
		return EXIT_OK;
	}
	c = find_command(argv[optind]);
	if (!c)
		return tool_usage(t, "no command '%s'", argv[optind]);
	usage_command(c);
	return EXIT_OK;
}

static int run_version(struct tool *t, int argc, char **argv)
{
	if (tool_args(t, argc, argv, NULL, 0, 0, NULL))
		return EXIT_USAGE;
	if (t->json)
		printf("{\"name\": \"cimtool\", \"version\": \"%s\"}\n", cim_version());
	else
		printf("cimtool %s\n", cim_version());
	return EXIT_OK;
}

/* Directories are kept open while a tree is walked: take all the descriptors there are. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	struct tool tool = {0};
	struct tool *t = &tool;
	const char *name = argc > 1 ? argv[1] : NULL;
	int code;

	standard_begin();
	alloc_on_failure(tool_no_memory);
	/* A file size limit is an error to be told, not a death. */
	signal(SIGXFSZ, SIG_IGN);
	raise_file_limit();

	if (!name)
		return tool_usage(t, "a command is needed");
	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		print_overview();
		return tool_finish(t, EXIT_OK);
	}
	if (!strcmp(name, "--version"))
		name = "version";
	if (*name == '-')
		return tool_usage(t,
				  argc > 2 ? "unknown option '%s': options come after the command"
					   : "unknown option '%s'",
				  name);
	t->command = find_command(name);
	if (!t->command)
		return tool_usage(t, "no command '%s'", name);
	code = tool_finish(t, t->command->run(t, argc - 1, argv + 1));
	tool_forget_sources(t);
	return code;
}
