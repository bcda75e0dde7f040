/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usage.c - what a command line may say: the options that all commands share, and one command's
 */
#include "tool.h"

#include <stdarg.h>

#define MAX_THREADS 256

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

void usage_common(void)
{
	help_options(common_group);
}

void usage_command(const struct command *c)
{
	const struct arg_group own[] = {{.options = options_of(c)}, {0}};
	char *usage = xasprintf("cimtool %s%s%s", c->name, *c->usage ? " " : "", c->usage);

	help_print(&(struct help){usage, c->about, own, c->notes});
	usage_common();
	if (c->alias)
		printf("\nAlso called: cimtool %s\n", c->alias);
	free(usage);
}

int tool_usage(struct tool *t, const char *fmt, ...)
{
	const char *name = t->command && strcmp(t->command->name, "help") ? t->command->name : NULL;
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
		usage_command(t->command);
		exit(tool_finish(t, EXIT_OK));
	}
	if (argc - optind < least)
		return tool_usage(t, "%s", needed);
	return argc - optind > most ? tool_usage(t, "too many arguments") : tool_find_sources(t);
}
