/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args.h - a command line's options, and what their arguments say
 */
#ifndef HOST_ARGS_H
#define HOST_ARGS_H

#include <getopt.h> /* optind */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An option, "--name" or "-letter": it sets a flag, keeps its argument, or has it taken. */
struct arg_option {
	const char *name; /* NULL: it has a letter alone */
	char letter;	  /* 0: it has a name alone */
	bool *flag;
	const char **value;
	/* Anything but 0 ends it, and is what args_parse() returns. */
	int (*take)(void *program, void *ctx, char *arg);
	void *ctx;
	bool optional; /* take()'s argument may be missing: NULL */
	bool last;     /* what comes behind it doesn't matter */
};

/* What of a program all its options need. */
struct args {
	void *program;
	/* Tell of a usage error; what args_parse() returns then. */
	int (*wrong)(void *program, const char *text);
};

/* getopt_long() with both lists (each up to one without name and letter; NULL: none). 0: all were
 * taken; the arguments begin at optind. */
int args_parse(const struct args *args, const struct arg_option *first,
	       const struct arg_option *second, int argc, char **argv);

/* Which of the words it is; -1: none. */
int arg_word(const char *text, const char *const *words, size_t count);
/* A number without a sign, @max at most; false: it isn't one. */
bool arg_number(const char *text, int base, uint64_t max, uint64_t *n);

#endif
