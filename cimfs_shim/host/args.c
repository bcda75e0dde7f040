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
	const struct arg_group *groups[MAX_OPTIONS]; /* of each */
	size_t count;
	struct option longs[MAX_OPTIONS + 1];
	char shorts[3 * MAX_OPTIONS + 2];
};

static void add_options(struct parser *p, const struct arg_group *group)
{
	const struct arg_option *option = group->options;
	size_t named = 0;
	size_t len = strlen(p->shorts);

	while (p->longs[named].name)
		named++;
	for (; (option->name || option->letter) && p->count < MAX_OPTIONS; option++) {
		const int has = option->optional ? optional_argument
				: option->meta	 ? required_argument
						 : no_argument;

		if (option->name)
			p->longs[named++] = (struct option){
				.name = option->name, .has_arg = has, .val = NAMED + (int)p->count};
		if (option->letter) {
			p->shorts[len++] = option->letter;
			for (int i = 0; i < has; i++)
				p->shorts[len++] = ':';
		}
		p->groups[p->count] = group;
		p->options[p->count++] = option;
	}
}

/* Of what getopt_long() returned. */
static size_t find_option(const struct parser *p, int c)
{
	size_t i = 0;

	if (c >= NAMED)
		return (size_t)(c - NAMED);
	while (p->options[i]->letter != c)
		i++;
	return i;
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

/* "--color is auto, always or never" */
static int bad_word(const struct args *args, const struct arg_option *option, const char *dashes)
{
	char *text = xasprintf("%s%s is", dashes, option->name);
	const char *next;
	int code;

	for (const char *word = option->meta; word; word = next) {
		const int len = (int)strcspn(word, "|");
		char *more;

		next = word[len] ? word + len + 1 : NULL;
		more = xasprintf("%s%s%.*s", text,
				 word == option->meta ? " "
				 : next		      ? ", "
						      : " or ",
				 len, word);
		free(text);
		text = more;
	}
	code = args->wrong(args->program, text);
	free(text);
	return code;
}

static int take_option(const struct args *args, const struct arg_group *group,
		       const struct arg_option *option, char *arg)
{
	void *into = (char *)group->into + option->at;
	int word;

	switch (option->kind) {
	case ARG_NOTHING:
		break;
	case ARG_FLAG:
		*(bool *)into = true;
		break;
	case ARG_TEXT:
		*(const char **)into = arg;
		break;
	case ARG_WORD:
		word = arg ? arg_word(arg, option->meta) : -1;
		if (arg && word < 0)
			return bad_word(args, option, group->bare ? "" : "--");
		*(int *)into = word;
		break;
	}
	return option->take ? option->take(args->program, into, option, arg) : 0;
}

int args_parse(const struct args *args, const struct arg_group *groups, int argc, char **argv)
{
	struct parser p = {.shorts = ":"};
	bool last = false;
	int code = 0;
	int c;

	for (; groups->options; groups++) {
		if (!groups->bare)
			add_options(&p, groups);
	}
	opterr = 0;
	while (!code && !last && (c = getopt_long(argc, argv, p.shorts, p.longs, NULL)) != -1) {
		size_t i;

		if (c == ':' || c == '?')
			return bad_option(args, argv, c == ':');
		i = find_option(&p, c);
		code = take_option(args, p.groups[i], p.options[i], optarg);
		last = p.options[i]->last;
	}
	return code;
}

/* Does @text, of @len bytes before its value, name this option? */
static bool is_named(const struct arg_option *option, const char *text, size_t len)
{
	const size_t stem = strcspn(option->name, "*");

	if (option->name[stem])
		return !strncmp(text, option->name, stem);
	return len == stem && !strncmp(text, option->name, len) &&
	       (text[len] != '\0') == (option->meta != NULL);
}

int args_word(const struct args *args, const struct arg_group *group, char *text, bool *known)
{
	const struct arg_option *option = group->options;
	const size_t len = strcspn(text, "=");

	while (option->name && !is_named(option, text, len))
		option++;
	*known = option->name != NULL;
	return *known ? take_option(args, group, option, text[len] ? text + len + 1 : NULL) : 0;
}

int arg_word(const char *text, const char *words)
{
	const size_t len = strlen(text);

	for (int i = 0;; i++) {
		const size_t word = strcspn(words, "|");

		if (word == len && !strncmp(words, text, len))
			return i;
		if (!words[word])
			return -1;
		words += word + 1;
	}
}

bool arg_number(const char *text, int base, uint64_t max, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, base);
	return isxdigit((unsigned char)*text) && !*end && !errno && *n <= max;
}

bool arg_bytes(const char *text, uint8_t *bytes, size_t len)
{
	if (strlen(text) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char digits[] = {text[2 * i], text[2 * i + 1], '\0'};
		uint64_t byte;

		if (!isxdigit((unsigned char)digits[1]) ||
		    !arg_number(digits, 16, UINT8_MAX, &byte))
			return false;
		bytes[i] = (uint8_t)byte;
	}
	return true;
}
