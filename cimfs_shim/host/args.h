/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args.h - a command line's options, what their arguments say, and what help says of them
 */
#ifndef HOST_ARGS_H
#define HOST_ARGS_H

#include <getopt.h> /* optind */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What becomes of an option, beside its being taken. */
enum arg_kind {
	ARG_NOTHING,
	ARG_FLAG, /* a bool is set */
	ARG_TEXT, /* a const char * receives the argument */
	ARG_WORD, /* an int receives which of the words in @meta it is; -1: there is none */
};

/* An option, "--name" or "-letter". */
struct arg_option {
	const char *name; /* NULL: it has a letter alone */
	char letter;	  /* 0: it has a name alone */
	/* What its argument is called, or the words that it may be: "FILE", "yes|no". NULL: none */
	const char *meta;
	const char *help; /* as help.h has it; NULL: that of the option behind this one */
	enum arg_kind kind;
	size_t at; /* of what it changes, in the struct that its group is for */
	/* @into: that. Anything but 0 ends it, and is what args_parse() returns. */
	int (*take)(void *program, void *into, const struct arg_option *option, char *arg);
	bool optional; /* its argument may be missing: NULL */
	bool last;     /* what comes behind it doesn't matter */
};
/* .kind and .at for a member that has the right type */
#define ARG_SETS(type, member) \
	.kind = _Generic(((type *)0)->member, bool: ARG_FLAG, const char *: ARG_TEXT), \
	.at = offsetof(type, member)
#define ARG_SETS_WORD(type, member) \
	.kind = _Generic(((type *)0)->member, int : ARG_WORD), .at = offsetof(type, member)

/* Options, up to one without name and letter; a group without options ends a list of groups. */
struct arg_group {
	const char *title; /* in help; NULL: none */
	const struct arg_option *options;
	void *into; /* the struct that they are for */
	bool bare;  /* not "--NAME", but a word of a list: args_word() */
};

/* What of a program all its options need. */
struct args {
	void *program;
	/* Tell of a usage error; what args_parse() returns then. */
	int (*wrong)(void *program, const char *text);
};

/* getopt_long() with all groups but the bare ones. 0: all were taken; the arguments begin at
 * optind. */
int args_parse(const struct args *args, const struct arg_group *groups, int argc, char **argv);
/* "NAME" or "NAME=VALUE", where a name in the group may end in a '*' for anything. As args_parse();
 * *known: is there such an option? */
int args_word(const struct args *args, const struct arg_group *group, char *text, bool *known);

/* Which of the words, which are separated by '|', it is; -1: none. */
int arg_word(const char *text, const char *words);
/* A number without a sign, @max at most; false: it isn't one. */
bool arg_number(const char *text, int base, uint64_t max, uint64_t *n);
/* Exactly @len bytes, two hexadecimal digits each. */
bool arg_bytes(const char *text, uint8_t *bytes, size_t len);

#endif
