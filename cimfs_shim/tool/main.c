/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - cimtool's table of commands, its help, and the options that all commands share
 */
#include "tool.h"

#include <stdarg.h>
#include <sys/resource.h>

#include "../host/standard.h"

#define MAX_THREADS 256

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

static int take_threads(void *tool, void *threads, const struct arg_option *option, char *number)
{
	struct tool *t = tool;
	uint64_t n;

	(void)option;
	if (!arg_number(number, 10, MAX_THREADS, &n) || !n)
		return tool_usage(t, "--threads is a number from 1 to %d", MAX_THREADS);
	*(unsigned *)threads = (unsigned)n;
	return EXIT_OK;
}

static const struct arg_option common_options[] = {
	{.name = "quiet",
	 .letter = 'q',
	 ARG_SETS(struct tool, quiet),
	 .help = "no summary and no progress; errors and warnings remain"},
	{.name = "verbose", .letter = 'v', ARG_SETS(struct tool, verbose), .help = "say more"},
	{.name = "json", ARG_SETS(struct tool, json), .help = "answer in JSON, an object a line"},
	{.name = "progress",
	 .meta = "auto|line|json|none",
	 ARG_SETS_WORD(struct tool, progress),
	 .help = "auto (the default): a line if standard error is a terminal"},
	{.name = "strict",
	 ARG_SETS(struct tool, strict),
	 .help = "a warning is a failure: exit status 1 instead of 3; no image is written or "
		 "changed "
		 "then"},
	{.name = "threads",
	 .meta = "N",
	 .take = take_threads,
	 .at = offsetof(struct tool, threads),
	 .help = "files to work on at a time (default: a processor each)"},
	{.name = "help",
	 .letter = 'h',
	 ARG_SETS(struct tool, help),
	 .last = true,
	 .help = "this text"},
	{0},
};

static const struct arg_option no_options[] = {{0}};

/* What help says of these. */
static const struct arg_group common_group[] = {
	{.title = "Options of every command", .options = common_options},
	{0},
};

static const struct arg_option *options_of(const struct command *c)
{
	return c->options ? c->options : no_options;
}

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

static void print_command_help(const struct command *c)
{
	const struct arg_group own[] = {{.options = options_of(c)}, {0}};
	char *usage = xasprintf("cimtool %s%s%s", c->name, *c->usage ? " " : "", c->usage);

	help_print(&(struct help){usage, c->about, own, c->notes});
	help_options(common_group);
	if (c->alias)
		printf("\nAlso called: cimtool %s\n", c->alias);
	free(usage);
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
	help_options(common_group);
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
	print_command_help(c);
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

int tool_usage(struct tool *t, const char *fmt, ...)
{
	const char *name = t->command && t->command != &cmd_help ? t->command->name : NULL;
	struct text text = {0};
	va_list args;
	char *wrong;

	va_start(args, fmt);
	wrong = xvasprintf(fmt, args);
	va_end(args);
	text_escape(&text, wrong, strlen(wrong), ESCAPE_BACKSLASH_NOT);
	fprintf(stderr, "cimtool%s%s: %s; see 'cimtool help%s%s'\n", name ? " " : "",
		name ? name : "", text.s, name ? " " : "", name ? name : "");
	text_free(&text);
	free(wrong);
	return EXIT_USAGE;
}

static int wrong_option(void *tool, const char *text)
{
	return tool_usage(tool, "%s", text);
}

int tool_args(struct tool *t, int argc, char **argv, void *into, int least, int most,
	      const char *needed)
{
	const struct args args = {.program = t, .wrong = wrong_option};
	const struct arg_group groups[] = {
		{.options = options_of(t->command), .into = into ? into : t},
		{.options = common_options, .into = t},
		{0},
	};
	int code = args_parse(&args, groups, argc, argv);
	if (code)
		return code;
	if (t->help) {
		print_command_help(t->command);
		exit(tool_finish(t, EXIT_OK));
	}
	if (argc - optind < least)
		return tool_usage(t, "%s", needed);
	return argc - optind > most ? tool_usage(t, "too many arguments") : tool_find_sources(t);
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
