/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args.c - a command line's options, and what their arguments say
 */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define MAX_OPTIONS 32
#define NAMED	    256 /* what getopt_long() is to return for the first */

struct parser {
	const struct arg_option *options[MAX_OPTIONS];
	size_t count;
	struct option longs[MAX_OPTIONS + 1];
	char shorts[3 * MAX_OPTIONS + 2];
};

static void add_options(struct parser *p, const struct arg_option *option)
{
	size_t named = 0;
	size_t len = strlen(p->shorts);

	while (p->longs[named].name)
		named++;
	for (; option && (option->name || option->letter) && p->count < MAX_OPTIONS; option++) {
		const int has = option->optional		? optional_argument
				: option->take || option->value ? required_argument
								: no_argument;

		if (option->name)
			p->longs[named++] = (struct option){
				.name = option->name, .has_arg = has, .val = NAMED + (int)p->count};
		if (option->letter) {
			p->shorts[len++] = option->letter;
			for (int i = 0; i < has; i++)
				p->shorts[len++] = ':';
		}
		p->options[p->count++] = option;
	}
}

/* Of what getopt_long() returned. */
static const struct arg_option *find_option(const struct parser *p, int c)
{
	size_t i = 0;

	if (c >= NAMED)
		return p->options[c - NAMED];
	while (p->options[i]->letter != c)
		i++;
	return p->options[i];
}

/* The words of getopt's complaint. */
static int bad_option(const struct args *args, char **argv, bool missing)
{
	const char *arg = argv[optind - 1];
	const char letter[] = {'-', (char)optopt, '\0'};
	const bool named = !optopt || optopt >= NAMED;
	const bool unknown = !missing && optopt < NAMED;
	char *text = xasprintf("%soption '%s'%s", unknown ? "unknown " : "", named ? arg : letter,
			       missing	 ? " needs an argument"
			       : unknown ? ""
					 : " takes no argument");
	int code = args->wrong(args->program, text);

	free(text);
	return code;
}

int args_parse(const struct args *args, const struct arg_option *first,
	       const struct arg_option *second, int argc, char **argv)
{
	struct parser p = {.shorts = ":"};
	bool last = false;
	int code = 0;
	int c;

	add_options(&p, first);
	add_options(&p, second);
	opterr = 0;
	while (!code && !last && (c = getopt_long(argc, argv, p.shorts, p.longs, NULL)) != -1) {
		const struct arg_option *option;

		if (c == ':' || c == '?')
			return bad_option(args, argv, c == ':');
		option = find_option(&p, c);
		if (option->flag)
			*option->flag = true;
		if (option->value)
			*option->value = optarg;
		if (option->take)
			code = option->take(args->program, option->ctx, optarg);
		last = option->last;
	}
	return code;
}

int arg_word(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(text, words[i]))
			return (int)i;
	}
	return -1;
}

bool arg_number(const char *text, int base, uint64_t max, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, base);
	return isxdigit((unsigned char)*text) && !*end && !errno && *n <= max;
}
