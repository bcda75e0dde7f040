/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * help.c - help texts and tables of options, laid out for a terminal
 */
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define WIDTH  79
#define INDENT 23 /* of what an option does */

/* The words of one paragraph, from column @column on; further lines are indented. */
static void put_paragraph(const char *text, size_t len, size_t column, size_t indent)
{
	size_t at = column;

	for (size_t word; len; text += word, len -= word) {
		while (len && *text == ' ')
			text++, len--;
		word = 0;
		while (word < len && text[word] != ' ')
			word++;
		if (at > indent && at + 1 + word > WIDTH) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		}
		at += (size_t)printf("%s%.*s", at > indent ? " " : "", (int)word, text);
	}
	putchar('\n');
}

static void put_text(const char *text, size_t indent)
{
	for (size_t len, column = indent; *text; text += len + (text[len] == '\n'), column = 0) {
		len = strcspn(text, "\n");
		if (!len) {
			putchar('\n');
			continue;
		}
		if (column < indent)
			printf("%*s", (int)indent, "");
		if (*text == ' ')
			printf("%.*s\n", (int)len, text);
		else
			put_paragraph(text, len, indent, indent);
	}
}

void help_text(const char *text)
{
	put_text(text, 0);
}

/* "-C, --directory=DIR", allocated */
static char *option_term(const struct arg_option *option, bool bare)
{
	const char letter[] = {'-', option->letter, ',', ' ', '\0'};
	const char *equals = option->name && option->meta ? "=" : "";
	const char *meta = option->meta ? option->meta : "";

	if (!option->name)
		return xasprintf("%.2s%s%s", letter, *meta ? " " : "", meta);
	return xasprintf("%s%s%s%s%s%s%s", option->letter ? letter : "", bare ? "" : "--",
			 option->name, option->optional ? "[" : "", equals, meta,
			 option->optional ? "]" : "");
}

/* The terms of all options that share a text, from @option on; returns the one that has it. */
static const struct arg_option *put_terms(const struct arg_option *option, bool bare)
{
	char *terms = option_term(option, bare);
	const size_t indent = option->letter || bare ? 2 : 6;
	size_t len;

	while (!option->help) {
		char *term = option_term(++option, bare);
		char *all = xasprintf("%s, %s", terms, term);

		free(term);
		free(terms);
		terms = all;
	}
	len = indent + strlen(terms);
	printf("%*s", (int)indent, "");
	if (len < INDENT) {
		printf("%s%*s", terms, (int)(INDENT - len), "");
	} else {
		put_paragraph(terms, strlen(terms), indent, indent);
		printf("%*s", INDENT, "");
	}
	free(terms);
	return option;
}

void help_options(const struct arg_group *groups)
{
	for (; groups->options; groups++) {
		const struct arg_option *option = groups->options;

		if (!option->name && !option->letter)
			continue;
		printf("\n");
		if (groups->title)
			printf("%s:\n", groups->title);
		for (; option->name || option->letter; option++) {
			option = put_terms(option, groups->bare);
			put_text(option->help, INDENT);
		}
	}
}

void help_print(const struct help *help)
{
	printf("Usage: %s\n\n", help->usage);
	help_text(help->about);
	help_options(help->groups);
	if (help->notes) {
		putchar('\n');
		help_text(help->notes);
	}
}
