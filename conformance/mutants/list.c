/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c - mutant-list: the table of mutants for the runner, on any system
 *
 * A line for each: name, tab, the cases that must fail, tab, what is spoilt.
 */
#include <stdio.h>

int main(void)
{
#define M(name, cases, text, ...) puts(name "\t" cases "\t" text);
#include "mutants.h"
#undef M
    return fflush(stdout) || ferror(stdout);
}
