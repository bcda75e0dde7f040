/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.c - command lines for the program's own processes
 *
 * An argument may hold blanks, quotation marks and backslashes; a directory often ends in a
 * backslash, which before a closing quotation mark would be taken to quote that. So each is quoted
 * by the rules that CommandLineToArgvW undoes.
 */
#include "internal.h"

static void add_unit(WCHAR *command, size_t room, size_t *length, WCHAR unit)
{
    if (*length + 1 >= room)
    {
        fprintf(stderr, "cimfs-conformance: a command line is too long\n");
        exit(3);
    }
    command[(*length)++] = unit;
    command[*length] = 0;
}

void add_argument(WCHAR *command, size_t room, const WCHAR *argument)
{
    size_t length = wcslen(command), backslashes = 0;

    if (length) add_unit(command, room, &length, ' ');
    add_unit(command, room, &length, '"');
    for (;; argument++)
    {
        /* Before a quotation mark each backslash counts half, and the mark itself needs one. */
        if (*argument == '"' || !*argument)
            for (; backslashes; backslashes--) add_unit(command, room, &length, '\\');
        if (!*argument) break;
        if (*argument == '"') add_unit(command, room, &length, '\\');
        backslashes = *argument == '\\' ? backslashes + 1 : 0;
        add_unit(command, room, &length, *argument);
    }
    add_unit(command, room, &length, '"');
}

void add_option(WCHAR *command, size_t room, const WCHAR *option, const WCHAR *value)
{
    if (!value) return;
    add_argument(command, room, option);
    add_argument(command, room, value);
}
